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
    static CACHE: RefCell<HashMap<String, Rc<Regex>>> = RefCell::new(HashMap::new());
}
/// More compiled expressions than any chart has.
const CACHE_SIZE: usize = 256;
/// Largest compiled expression, in bytes.
const COMPILED_SIZE: usize = 4 << 20;

pub(crate) fn compile(pattern: &Value) -> Result<Rc<Regex>, Failure> {
    let pattern = text(pattern);
    if let Some(regex) = CACHE.with_borrow(|cache| cache.get(&*pattern).cloned()) {
        return Ok(regex);
    }
    let built = translate(&pattern).and_then(|p| {
        regex::RegexBuilder::new(&p)
            .size_limit(COMPILED_SIZE)
            .build()
            .map_err(|e| match e {
                regex::Error::CompiledTooBig(_) => format!("expression too large: `{pattern}`"),
                _ => in_go_words(&p, &pattern),
            })
    });
    let regex = Rc::new(built.map_err(|e| Failure::new(format!("error parsing regexp: {e}")))?);
    CACHE.with_borrow_mut(|cache| {
        if cache.len() >= CACHE_SIZE {
            cache.clear();
        }
        cache.insert(pattern.into_owned(), regex.clone());
    });
    Ok(regex)
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
