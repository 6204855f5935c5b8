//! Functions that change the case and the layout of words.

use super::strings::latin;
use super::{Context, Function, Outcome, Type, function, int, text};
use crate::value::Value;
use Type::{Int, Str};

pub(super) const FUNCTIONS: &[Function] = &[
    function("title", &[Str], |_, a| Ok(Value::str(title(&text(&a[0]))))),
    function("untitle", &[Str], |_, a| Ok(Value::str(untitle(&text(&a[0]))))),
    function("swapcase", &[Str], |_, a| Ok(Value::str(swap_case(&text(&a[0]))))),
    function("initials", &[Str], |_, a| {
        Ok(Value::str(initials(&latin(&a[0]).collect::<String>())))
    }),
    function("snakecase", &[Str], |_, a| {
        Ok(Value::str(delimited(&text(&a[0]), '_')))
    }),
    function("kebabcase", &[Str], |_, a| {
        Ok(Value::str(delimited(&text(&a[0]), '-')))
    }),
    function("camelcase", &[Str], |_, a| Ok(Value::str(camel(&text(&a[0]))))),
    function("abbrev", &[Int, Str], |_, a| {
        Ok(abbreviate(&a[1], 0, int(&a[0]), 4))
    }),
    function("abbrevboth", &[Int, Int, Str], |_, a| {
        let (left, right) = (int(&a[0]), int(&a[1]));
        let least = if left > 0 { 7 } else { 4 };
        Ok(abbreviate(&a[2], left, right, least))
    }),
    function("wrap", &[Int, Str], |cx, a| {
        wrap(cx, &a[1], int(&a[0]), "\n", false)
    }),
    function("wrapWith", &[Int, Str, Str], |cx, a| {
        let separator = text(&a[1]).into_owned();
        wrap(
            cx,
            &a[2],
            int(&a[0]),
            if separator.is_empty() { "\n" } else { &separator },
            true,
        )
    }),
];

fn title(s: &str) -> String {
    let mut out = String::with_capacity(s.len());
    let mut previous = ' ';
    for c in s.chars() {
        let within = previous.is_alphanumeric()
            || previous == '_'
            || (!previous.is_ascii() && !previous.is_whitespace());
        if within {
            out.push(c)
        } else {
            out.extend(c.to_uppercase())
        }
        previous = c;
    }
    out
}

fn untitle(s: &str) -> String {
    let mut out = String::with_capacity(s.len());
    let mut start = true;
    for c in s.chars() {
        if c.is_whitespace() {
            start = true;
            out.push(c);
        } else if start {
            start = false;
            out.extend(c.to_lowercase());
        } else {
            out.push(c);
        }
    }
    out
}

fn swap_case(s: &str) -> String {
    s.chars()
        .flat_map(|c| {
            let swapped: Vec<char> = if c.is_uppercase() {
                c.to_lowercase().collect()
            } else if c.is_lowercase() {
                c.to_uppercase().collect()
            } else {
                vec![c]
            };
            swapped
        })
        .collect()
}

fn initials(s: &str) -> String {
    let mut out = String::new();
    let mut start = true;
    for c in s.chars() {
        if c.is_whitespace() {
            start = true;
        } else if start {
            out.push(c);
            start = false;
        }
    }
    out
}

#[derive(Clone, Copy, PartialEq)]
enum Class {
    Upper,
    Lower,
    Digit,
    Separator,
    Other,
}

fn class(c: char) -> Class {
    if c == '_' || c == '-' || c.is_whitespace() {
        Class::Separator
    } else if c.is_uppercase() {
        Class::Upper
    } else if c.is_numeric() {
        Class::Digit
    } else if c.is_alphabetic() {
        Class::Lower
    } else {
        Class::Other
    }
}

/// Words in lower case with a delimiter between them: at changes of case and in place of separators. Digits stay with
/// the word before them, except where lower-case letters follow: then they begin a word with those.
fn delimited(s: &str, delimiter: char) -> String {
    let chars: Vec<char> = s.chars().collect();
    let mut out = String::with_capacity(s.len() + 8);
    let mut at = 0;
    while at < chars.len() {
        let c = chars[at];
        let previous = at.checked_sub(1).map(|i| class(chars[i]));
        match class(c) {
            Class::Separator => out.push(delimiter),
            Class::Upper => {
                let next = chars.get(at + 1).map(|c| class(*c));
                let starts_word = match previous {
                    None | Some(Class::Separator | Class::Other) => false,
                    Some(Class::Lower | Class::Digit) => true,
                    Some(Class::Upper) => next == Some(Class::Lower),
                };
                // `C2d`: the digits begin the next word, the letter is one of its own.
                if starts_word && !out.ends_with(delimiter) {
                    out.push(delimiter);
                }
                out.extend(c.to_lowercase());
            }
            Class::Digit => {
                let mut end = at;
                while chars.get(end).is_some_and(|c| class(*c) == Class::Digit) {
                    end += 1;
                }
                let letters_follow = chars.get(end).is_some_and(|c| class(*c) == Class::Lower);
                if letters_follow && matches!(previous, Some(Class::Lower | Class::Upper)) {
                    out.push(delimiter);
                }
                out.extend(&chars[at..end]);
                // The word goes on through letters and digits.
                while letters_follow
                    && chars
                        .get(end)
                        .is_some_and(|c| matches!(class(*c), Class::Lower | Class::Digit))
                {
                    out.push(chars[end]);
                    end += 1;
                }
                at = end;
                continue;
            }
            _ => out.push(c),
        }
        at += 1;
    }
    out
}

/// Words with a capital each, separators gone: of several in a row all but the last stay. A run of capitals counts as
/// one word.
fn camel(s: &str) -> String {
    let mut out = String::with_capacity(s.len());
    let chars: Vec<char> = s.chars().collect();
    let separators = |from: usize| {
        chars[from..]
            .iter()
            .take_while(|c| class(**c) == Class::Separator)
            .count()
    };
    let mut at = separators(0);
    out.extend(&chars[..at]);
    let mut start = true;
    while at < chars.len() {
        let c = chars[at];
        let run = separators(at);
        if run > 0 {
            let keep = if at + run == chars.len() { run } else { run - 1 };
            out.extend(&chars[at..at + keep]);
            at += run;
            start = true;
            continue;
        }
        at += 1;
        if !start {
            out.push(c);
            continue;
        }
        start = false;
        out.extend(c.to_uppercase());
        if c.is_uppercase() {
            while chars.get(at).is_some_and(|c| c.is_uppercase()) {
                out.extend(chars[at].to_lowercase());
                at += 1;
            }
        }
    }
    out
}

fn abbreviate(value: &Value, offset: i64, width: i64, least: i64) -> Value {
    let bytes = value.string_bytes().unwrap_or_default();
    let length = bytes.len() as i64;
    if width < least || length <= width {
        return value.clone();
    }
    let mut offset = offset.clamp(i64::MIN, length);
    if length - offset < width - 3 {
        offset = length - (width - 3);
    }
    let cut = |from: i64, to: i64| bytes[from as usize..to as usize].to_vec();
    if offset <= 4 {
        let mut out = cut(0, width - 3);
        out.extend_from_slice(b"...");
        return Value::text(out);
    }
    let mut out = b"...".to_vec();
    if offset + width - 3 < length {
        out.extend(cut(offset, offset + width - 6));
        out.extend_from_slice(b"...");
    } else {
        out.extend(cut(length - (width - 3), length));
    }
    Value::text(out)
}

fn wrap(cx: &mut Context<'_>, value: &Value, width: i64, newline: &str, split_words: bool) -> Outcome {
    let bytes = value.string_bytes().unwrap_or_default();
    let width = usize::try_from(width.max(1)).unwrap_or(usize::MAX);
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while bytes.len() - at > width {
        if bytes[at] == b' ' {
            at += 1;
            continue;
        }
        if let Some(space) = bytes[at..=at + width].iter().rposition(|b| *b == b' ') {
            out.extend_from_slice(&bytes[at..at + space]);
            out.extend_from_slice(newline.as_bytes());
            at += space + 1;
        } else if split_words {
            out.extend_from_slice(&bytes[at..at + width]);
            out.extend_from_slice(newline.as_bytes());
            at += width;
        } else if let Some(space) = bytes[at + width..].iter().position(|b| *b == b' ') {
            out.extend_from_slice(&bytes[at..at + width + space]);
            out.extend_from_slice(newline.as_bytes());
            at += width + space + 1;
        } else {
            break;
        }
        cx.room(out.len())?;
    }
    out.extend_from_slice(&bytes[at..]);
    Ok(Value::text(out))
}
