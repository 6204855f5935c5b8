//! Regular expressions, in Go's dialect: its classes are ASCII, brackets do not nest.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use regex::Regex;

use super::{Context, Failure, Function, Outcome, Type, function, int, text};
use crate::value::{Elem, Value};
use Type::{Int, Str};

pub(super) const FUNCTIONS: &[Function] = &[
    function("regexMatch", &[Str, Str], |_, a| {
        Ok(Value::Bool(
            compile(&a[0]).is_ok_and(|r| r.is_match(&text(&a[1]))),
        ))
    }),
    function("mustRegexMatch", &[Str, Str], |_, a| {
        Ok(Value::Bool(compile(&a[0])?.is_match(&text(&a[1]))))
    }),
    function("regexFind", &[Str, Str], |cx, a| {
        find(cx, a).map_err(|f| compiling(f, a))
    }),
    function("mustRegexFind", &[Str, Str], find),
    function("regexFindAll", &[Str, Str, Int], |cx, a| {
        find_all(cx, a).map_err(|f| compiling(f, a))
    }),
    function("mustRegexFindAll", &[Str, Str, Int], find_all),
    function("regexReplaceAll", &[Str, Str, Str], |cx, a| {
        replace(cx, a).map_err(|f| compiling(f, a))
    }),
    function("mustRegexReplaceAll", &[Str, Str, Str], replace),
    function("regexReplaceAllLiteral", &[Str, Str, Str], |cx, a| {
        replace_literal(cx, a).map_err(|f| compiling(f, a))
    }),
    function("mustRegexReplaceAllLiteral", &[Str, Str, Str], replace_literal),
    function("regexSplit", &[Str, Str, Int], |cx, a| {
        split(cx, a).map_err(|f| compiling(f, a))
    }),
    function("mustRegexSplit", &[Str, Str, Int], split),
    function("regexQuoteMeta", &[Str], |_, a| {
        let mut out = String::new();
        for c in text(&a[0]).chars() {
            if "\\.+*?()|[]{}^$".contains(c) {
                out.push('\\');
            }
            out.push(c);
        }
        Ok(Value::str(out))
    }),
];

thread_local! {
    /// Compiled expressions: charts use a few over and over.
    static CACHE: RefCell<Cache> = RefCell::default();
}
/// Longest expression.
const LENGTH: usize = 64 << 10;
/// Weight of all expressions that are kept: more than any chart has.
const CACHE_WEIGHT: usize = 256;
/// What an expression may weigh, the size in bytes to which it compiles, and that of the automaton that it then needs.
const SIZES: [(usize, usize, usize); 2] = [(1, 64 << 10, 256 << 10), (64, 4 << 20, 2 << 20)];

#[derive(Default)]
struct Cache {
    weight: usize,
    all: HashMap<String, (Rc<Regex>, usize)>,
}

pub(crate) fn compile(pattern: &Value) -> Result<Rc<Regex>, Failure> {
    weighed(&text(pattern)).map(|(regex, ..)| regex)
}

/// A compiled expression, how much it weighs (1, or 64 if it is large), and whether it was not compiled before.
pub(crate) fn weighed(pattern: &str) -> Result<(Rc<Regex>, usize, bool), Failure> {
    if let Some((regex, weight)) = CACHE.with_borrow(|cache| cache.all.get(pattern).cloned()) {
        return Ok((regex, weight, false));
    }
    let failed = |e: String| Failure::new(format!("error parsing regexp: {e}"));
    // Work grows with the square of the length.
    if pattern.len() > LENGTH {
        return Err(failed("expression too large".to_owned()));
    }
    let translated = translate(pattern).map_err(failed)?;
    let mut built = Err(regex::Error::CompiledTooBig(0));
    let mut weight = 0;
    for (of, compiled, automaton) in SIZES {
        weight = of;
        built = regex::RegexBuilder::new(&translated)
            .size_limit(compiled)
            .dfa_size_limit(automaton)
            .build();
        if !matches!(built, Err(regex::Error::CompiledTooBig(_))) {
            break;
        }
    }
    let regex = Rc::new(built.map_err(|e| {
        failed(match e {
            regex::Error::CompiledTooBig(_) => format!("expression too large: `{pattern}`"),
            _ => in_go_words(&translated, pattern),
        })
    })?);
    CACHE.with_borrow_mut(|cache| {
        if cache.weight + weight > CACHE_WEIGHT {
            *cache = Cache::default();
        }
        cache.weight += weight;
        cache.all.insert(pattern.to_owned(), (regex.clone(), weight));
    });
    Ok((regex, weight, true))
}

/// What Go says of a mistake, with the part of the expression that it names.
fn in_go_words(translated: &str, pattern: &str) -> String {
    use regex_syntax::ast::ErrorKind as Kind;
    use regex_syntax::hir::ErrorKind as Meaning;
    // Places of a mistake can lie behind the end.
    let cut = |start: usize, end: usize| {
        translated
            .get(start..end.min(translated.len()))
            .unwrap_or(pattern)
    };
    let last = |what: &str, end: usize| cut(0, end).rfind(what).unwrap_or(0);
    let (said, part) = match regex_syntax::parse(translated) {
        Err(regex_syntax::Error::Parse(error)) => {
            let at = error.span().start.offset..error.span().end.offset;
            let found = cut(at.start, at.end);
            match error.kind() {
                Kind::ClassRangeInvalid => ("invalid character class range", found),
                Kind::ClassRangeLiteral => ("invalid character class range", found),
                Kind::EscapeUnrecognized
                | Kind::EscapeHexEmpty
                | Kind::EscapeHexInvalid
                | Kind::EscapeHexInvalidDigit
                | Kind::EscapeUnexpectedEof => {
                    let start = last("\\", at.end);
                    ("invalid escape sequence", cut(start, at.end))
                }
                Kind::GroupNameUnexpectedEof => {
                    let start = last("(?", at.end);
                    ("invalid named capture", cut(start, usize::MAX))
                }
                Kind::GroupNameInvalid | Kind::GroupNameEmpty => {
                    let start = last("(?", at.end);
                    let end = translated[start..]
                        .find('>')
                        .map_or(translated.len(), |end| start + end + 1);
                    ("invalid named capture", cut(start, end))
                }
                Kind::GroupUnclosed => ("missing closing )", pattern),
                Kind::GroupUnopened => ("unexpected )", pattern),
                Kind::ClassUnclosed => ("missing closing ]", cut(at.start, usize::MAX)),
                Kind::RepetitionMissing => {
                    let operator = cut(at.start, at.start + 1);
                    ("missing argument to repetition operator", operator)
                }
                Kind::RepetitionCountInvalid => {
                    let start = last("{", at.end);
                    ("invalid repeat count", cut(start, at.end))
                }
                Kind::UnsupportedLookAround if found.starts_with("(?<") => {
                    let end = cut(at.start, usize::MAX)
                        .find('>')
                        .map_or(translated.len(), |end| at.start + end + 1);
                    ("invalid named capture", cut(at.start, end))
                }
                Kind::UnsupportedLookAround => ("invalid or unsupported Perl syntax", found),
                Kind::FlagUnrecognized
                | Kind::FlagUnexpectedEof
                | Kind::FlagDanglingNegation
                | Kind::FlagRepeatedNegation { .. }
                | Kind::FlagDuplicate { .. } => {
                    let start = last("(?", at.end);
                    ("invalid or unsupported Perl syntax", cut(start, at.end))
                }
                _ => return format!("{}: `{pattern}`", error.kind()),
            }
        }
        Err(regex_syntax::Error::Translate(error)) => {
            let at = error.span().start.offset..error.span().end.offset;
            match error.kind() {
                Meaning::UnicodePropertyNotFound | Meaning::UnicodePropertyValueNotFound => {
                    ("invalid character class range", cut(at.start, at.end))
                }
                kind => return format!("{kind}: `{pattern}`"),
            }
        }
        _ => ("internal error", pattern),
    };
    format!("{said}: `{part}`")
}

const POSIX_CLASSES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space",
    "upper", "word", "xdigit",
];

/// Go's dialect into that of the `regex` crate.
fn translate(pattern: &str) -> Result<String, String> {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut chars = pattern.chars().peekable();
    let mut class = false;
    let mut class_start = false;
    let mut class_at = 0;
    let mut repeated = None;
    while let Some(c) = chars.next() {
        let first = std::mem::take(&mut class_start);
        let after_repetition = std::mem::take(&mut repeated);
        if !class && matches!(c, '*' | '+' | '?') && !out.ends_with('(') {
            // One `?` may follow: it makes the repetition lazy.
            if let Some(before) = after_repetition {
                return Err(format!(
                    "invalid nested repetition operator: `{}{c}`",
                    &out[before..]
                ));
            }
            let start = out.len();
            out.push(c);
            if chars.peek() == Some(&'?') {
                chars.next();
                out.push('?');
            }
            repeated = Some(start);
            continue;
        }
        if !class && c == '{' {
            let rest: String = chars.clone().take_while(|c| *c != '}').collect();
            let numbers: Vec<&str> = rest.split(',').collect();
            let shaped = numbers[0].parse::<u32>().is_ok()
                && (numbers.len() == 1
                    || numbers.len() == 2 && (numbers[1].is_empty() || numbers[1].parse::<u32>().is_ok()));
            if !shaped || !chars.clone().any(|c| c == '}') {
                out.push_str("\\{");
                continue;
            }
            if numbers.iter().any(|n| n.parse::<u32>().is_ok_and(|n| n > 1000)) {
                return Err(format!("invalid repeat count: `{{{rest}}}`"));
            }
            if let Some(before) = after_repetition {
                return Err(format!(
                    "invalid nested repetition operator: `{}{{{rest}}}`",
                    &out[before..]
                ));
            }
            repeated = Some(out.len());
            out.push('{');
            for _ in 0..=rest.chars().count() {
                out.extend(chars.next());
            }
            if chars.peek() == Some(&'?') {
                chars.next();
                out.push('?');
            }
            continue;
        }
        match c {
            '\\' => {
                let Some(escaped) = chars.next() else {
                    return Err("trailing backslash at end of expression: ``".into());
                };
                match escaped {
                    'Q' if !class => {
                        let rest: String = chars.clone().collect();
                        let (quoted, length) = match rest.find("\\E") {
                            Some(end) => (&rest[..end], rest[..end].chars().count() + 2),
                            None => (rest.as_str(), rest.chars().count()),
                        };
                        out.push_str(&regex::escape(quoted));
                        for _ in 0..length {
                            chars.next();
                        }
                    }
                    'd' => out.push_str(if class { "0-9" } else { "[0-9]" }),
                    'D' => out.push_str("[^0-9]"),
                    'w' => out.push_str(if class { "0-9A-Za-z_" } else { "[0-9A-Za-z_]" }),
                    'W' => out.push_str("[^0-9A-Za-z_]"),
                    's' => out.push_str(if class { "\\t\\n\\f\\r " } else { "[\\t\\n\\f\\r ]" }),
                    'S' => out.push_str("[^\\t\\n\\f\\r ]"),
                    'b' if !class => out.push_str("(?-u:\\b)"),
                    'B' if !class => out.push_str("(?-u:\\B)"),
                    'C' => return Err("invalid escape sequence: `\\C`".into()),
                    // The name of a class, or of a character, is no repetition.
                    'p' | 'P' | 'x' if chars.peek() == Some(&'{') => {
                        let rest: String = chars.clone().collect();
                        let length = rest
                            .find('}')
                            .map_or(rest.chars().count(), |end| rest[..=end].chars().count());
                        out.extend(['\\', escaped]);
                        out.extend(chars.by_ref().take(length));
                    }
                    digit @ '1'..='9' => return Err(format!("invalid escape sequence: `\\{digit}`")),
                    escaped => {
                        // Only what is special needs its backslash.
                        let special =
                            escaped.is_ascii_alphanumeric() || "\\.+*?()|[]{}^$#&-~".contains(escaped);
                        if !special {
                            out.push(escaped);
                        } else {
                            out.push('\\');
                            out.push(escaped);
                        }
                    }
                }
            }
            '[' if !class => {
                class = true;
                class_at = pattern.len() - chars.clone().map(char::len_utf8).sum::<usize>() - 1;
                class_start = true;
                out.push('[');
                if chars.peek() == Some(&'^') {
                    chars.next();
                    out.push('^');
                }
            }
            ']' if class && !first => {
                class = false;
                out.push(']');
            }
            ']' if class => out.push_str("\\]"),
            '[' if chars.peek() == Some(&':') => {
                // A POSIX class such as `[:alpha:]`.
                let rest: String = chars.clone().collect();
                match rest[1..].find(":]").map(|end| end + 1) {
                    Some(end) => {
                        let name = rest[1..end].trim_start_matches('^');
                        if !POSIX_CLASSES.contains(&name) {
                            return Err(format!("invalid character class range: `[{}`", &rest[..end + 2]));
                        }
                        out.push('[');
                        out.push_str(&rest[..end + 2]);
                        for _ in 0..rest[..end + 2].chars().count() {
                            chars.next();
                        }
                    }
                    None => out.push_str("\\["),
                }
            }
            '[' => out.push_str("\\["),
            '&' | '~' if class => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    if class {
        Err(format!("missing closing ]: `{}`", &pattern[class_at..]))
    } else {
        Ok(out)
    }
}

/// The functions without `must` compile in a way that names the expression twice.
fn compiling(failure: Failure, a: &[Value]) -> Failure {
    if failure.message.starts_with("error parsing regexp: ") {
        return Failure::new(format!("regexp: Compile(`{}`): {}", text(&a[0]), failure.message));
    }
    failure
}

fn find(_: &mut Context<'_>, a: &[Value]) -> Outcome {
    Ok(Value::str(
        compile(&a[0])?.find(&text(&a[1])).map_or("", |m| m.as_str()),
    ))
}

fn limit(count: i64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

fn find_all(_: &mut Context<'_>, a: &[Value]) -> Outcome {
    let s = text(&a[1]);
    let regex = compile(&a[0])?;
    let found: Vec<&str> = regex
        .find_iter(&s)
        .take(limit(int(&a[2])))
        .map(|m| m.as_str())
        .collect();
    Ok(if found.is_empty() {
        Value::nil_list(Elem::NilStr)
    } else {
        Value::strings(found)
    })
}

fn replace(cx: &mut Context<'_>, a: &[Value]) -> Outcome {
    let (s, replacement) = (text(&a[1]), text(&a[2]));
    let out = compile(&a[0])?.replace_all(&s, &*replacement).into_owned();
    cx.room(out.len())?;
    Ok(Value::str(out))
}

fn replace_literal(cx: &mut Context<'_>, a: &[Value]) -> Outcome {
    let (s, replacement) = (text(&a[1]), text(&a[2]));
    let out = compile(&a[0])?
        .replace_all(&s, regex::NoExpand(&replacement))
        .into_owned();
    cx.room(out.len())?;
    Ok(Value::str(out))
}

fn split(_: &mut Context<'_>, a: &[Value]) -> Outcome {
    let s = text(&a[1]);
    let count = int(&a[2]);
    if count == 0 {
        return Ok(Value::nil_list(Elem::NilStr));
    }
    let regex = compile(&a[0])?;
    if !a[0].string_bytes().unwrap_or_default().is_empty() && s.is_empty() {
        return Ok(Value::strings([""]));
    }
    let mut parts: Vec<String> = Vec::new();
    let (mut from, mut begin) = (0, 0);
    for found in regex.find_iter(&s) {
        if count > 0 && parts.len() + 1 == limit(count) {
            break;
        }
        let end = found.start();
        if found.end() != 0 {
            parts.push(s[from..end].to_owned());
        }
        begin = end;
        from = found.end();
    }
    if begin != s.len() {
        parts.push(s[from..].to_owned());
    }
    Ok(Value::strings(parts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_expressions_are_refused() {
        let said = |length: usize| {
            weighed(&"{".repeat(length))
                .map(|_| ())
                .map_err(|f| f.message.clone())
        };
        assert_eq!(said(100), Ok(()));
        assert_eq!(
            said(LENGTH + 1).unwrap_err(),
            "error parsing regexp: expression too large"
        );
    }

    #[test]
    fn what_is_kept_has_an_end() {
        for n in 0..10 {
            let (_, weight, new) = weighed(&format!("\\pL{{30}}{n}")).unwrap();
            assert!(weight == 64 && new);
            let (_, weight, new) = weighed(&format!("^[a-z0-9]([-a-z0-9]{{0,61}}[a-z0-9])?{n}$")).unwrap();
            assert!(weight == 1 && new, "what charts have is small");
        }
        CACHE.with_borrow(|cache| {
            assert_eq!(
                cache.weight,
                cache.all.values().map(|(_, weight)| weight).sum::<usize>()
            );
            assert!((65..=CACHE_WEIGHT).contains(&cache.weight), "{}", cache.weight);
        });
    }
}
