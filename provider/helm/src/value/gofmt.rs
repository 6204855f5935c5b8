//! Go's `fmt` and `strconv`: verbs, quoting, numbers.

use crate::value::object::Object;
use crate::value::{IntKind, Value};

/// `strconv.Quote`.
pub fn quote(text: &str) -> String {
    quote_bytes(text.as_bytes(), '"')
}

/// `strconv.Quote` for strings that need not be UTF-8.
pub fn quote_bytes(bytes: &[u8], delimiter: char) -> String {
    let mut out = String::with_capacity(bytes.len() + 2);
    out.push(delimiter);
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            quote_char(&mut out, c, delimiter, false);
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out.push(delimiter);
    out
}

fn quote_char(out: &mut String, c: char, delimiter: char, ascii: bool) {
    match c {
        c if c == delimiter || c == '\\' => {
            out.push('\\');
            out.push(c);
        }
        '\x07' => out.push_str("\\a"),
        '\x08' => out.push_str("\\b"),
        '\x0c' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\x0b' => out.push_str("\\v"),
        c if printable(c) && (!ascii || c.is_ascii()) => out.push(c),
        c if (c as u32) < 0x20 || c as u32 == 0x7f => out.push_str(&format!("\\x{:02x}", c as u32)),
        c if (c as u32) < 0x10000 => out.push_str(&format!("\\u{:04x}", c as u32)),
        c => out.push_str(&format!("\\U{:08x}", c as u32)),
    }
}

/// Close to `unicode.IsPrint`: letters, marks, numbers, punctuation, symbols and the ASCII space.
pub fn printable(c: char) -> bool {
    match c {
        ' '..='~' => true,
        '\0'..='\u{a0}' | '\u{ad}' => false,
        '\u{2000}'..='\u{200f}' | '\u{2028}'..='\u{202f}' | '\u{205f}'..='\u{206f}' => false,
        '\u{1680}' | '\u{3000}' | '\u{feff}' | '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..='\u{fffb}' => false,
        '\u{fffe}' | '\u{ffff}' => false,
        c if (c as u32) >= 0xe0000 => false,
        _ => true,
    }
}

/// `strconv.Unquote` for double-quoted and raw strings.
pub fn unquote(text: &str) -> Option<Vec<u8>> {
    if let Some(raw) = text.strip_prefix('`') {
        let raw = raw.strip_suffix('`')?;
        return Some(raw.bytes().filter(|b| *b != b'\r').collect());
    }
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    let bytes = inner.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] != b'\\' {
            if matches!(bytes[at], b'"' | b'\n') {
                return None;
            }
            out.push(bytes[at]);
            at += 1;
            continue;
        }
        let escape = *bytes.get(at + 1)?;
        at += 2;
        let hex = |at: usize, length: usize| {
            inner
                .get(at..at + length)
                .filter(|s| s.bytes().all(|b| b.is_ascii_hexdigit()))
                .and_then(|s| u32::from_str_radix(s, 16).ok())
        };
        match escape {
            b'a' => out.push(7),
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'v' => out.push(11),
            b'\\' | b'"' => out.push(escape),
            b'x' => {
                out.push(u8::try_from(hex(at, 2)?).ok()?);
                at += 2;
            }
            b'u' | b'U' => {
                let length = if escape == b'u' { 4 } else { 8 };
                let c = char::from_u32(hex(at, length)?)?;
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                at += length;
            }
            b'0'..=b'7' => {
                let digits = inner.get(at - 1..at + 2)?;
                out.push(u8::from_str_radix(digits, 8).ok()?);
                at += 2;
            }
            _ => return None,
        }
    }
    Some(out)
}

/// Go's integer literals: prefixes 0x, 0o, 0b, a leading 0 for octal, underscores between digits.
pub fn integer(text: &str) -> (Option<i64>, Option<u64>) {
    let (sign, digits) = match text.as_bytes().first() {
        Some(b'-') => (-1, &text[1..]),
        Some(b'+') => (1, &text[1..]),
        _ => (1, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, body) = if let Some(body) = lower.strip_prefix("0x") {
        (16, body)
    } else if let Some(body) = lower.strip_prefix("0o") {
        (8, body)
    } else if let Some(body) = lower.strip_prefix("0b") {
        (2, body)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (8, &lower[1..])
    } else {
        (10, lower.as_str())
    };
    if body.is_empty() || body.ends_with('_') || body.contains("__") || (radix == 10 && body.starts_with('_'))
    {
        return (None, None);
    }
    let body = body.replace('_', "");
    if body.starts_with(['+', '-']) {
        return (None, None);
    }
    let Ok(magnitude) = u64::from_str_radix(&body, radix) else {
        return (None, None);
    };
    let int = match sign {
        -1 if magnitude <= 1 << 63 => Some((magnitude as i64).wrapping_neg()),
        -1 => None,
        _ => i64::try_from(magnitude).ok(),
    };
    let uint = (text.starts_with(|c: char| c.is_ascii_digit())).then_some(magnitude);
    (int, uint)
}

/// `strconv.ParseFloat`: decimal and hexadecimal, underscores as in Go's source, infinities and NaN.
pub fn parse_float(text: &str) -> Option<f64> {
    let lower = text.to_ascii_lowercase();
    let (negative, body) = match lower.as_bytes().first()? {
        b'-' => (true, &lower[1..]),
        b'+' => (false, &lower[1..]),
        _ => (false, lower.as_str()),
    };
    let magnitude = match body {
        "inf" | "infinity" => f64::INFINITY,
        "nan" => f64::NAN,
        _ if body.starts_with("0x") => hex_float(&body[2..])?,
        _ if body.starts_with(|c: char| c.is_ascii_digit() || c == '.') => {
            body.parse::<f64>().ok().filter(|f| f.is_finite())?
        }
        _ => return None,
    };
    Some(if negative { -magnitude } else { magnitude })
}

fn hex_float(body: &str) -> Option<f64> {
    let (mantissa, exponent) = body.split_once('p')?;
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let value = u64::from_str_radix(&digits, 16).ok()? as f64;
    Some(value * 2f64.powi(exponent.checked_sub(4 * i32::try_from(fraction.len()).ok()?)?))
}

/// Shortest decimal digits of a finite positive float and its decimal exponent (value = 0.d1d2… × 10^exponent).
fn shortest(value: impl std::fmt::LowerExp) -> (String, i32) {
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let digits = digits.trim_end_matches('0');
    let mut digits = if digits.is_empty() { "0" } else { digits }.to_owned();
    // Right between two shortest texts, Go takes the even one, Rust the greater.
    if let (8.., Some(last @ b'3'..=b'9')) = (digits.len(), digits.bytes().last())
        && last % 2 == 1
    {
        let exact = format!("{value:.*e}", digits.len() + 30);
        let exact: String = exact
            .chars()
            .take_while(|c| *c != 'e')
            .filter(char::is_ascii_digit)
            .collect();
        let even = format!("{}{}", &digits[..digits.len() - 1], char::from(last - 1));
        let between = exact.strip_prefix(&even).and_then(|rest| rest.strip_prefix('5'));
        if between.is_some_and(|rest| rest.bytes().all(|b| b == b'0')) {
            digits = even;
        }
    }
    (digits, exponent.parse::<i32>().unwrap_or(0) + 1)
}

/// `strconv.FormatFloat(value, 'f', -1, 64)` of a finite float.
pub fn decimal(value: f64) -> String {
    let sign = if value.is_sign_negative() { "-" } else { "" };
    let (digits, point) = shortest(value.abs());
    format!("{sign}{}", placed(&digits, point))
}

/// Digits with the point behind so many of them.
fn placed(digits: &str, point: i32) -> String {
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or(0));
    match usize::try_from(point) {
        Ok(0) | Err(_) if digits == "0" => "0".into(),
        Ok(0) | Err(_) => format!("0.{}{digits}", zeros(-point)),
        Ok(at) if at < digits.len() => format!("{}.{}", &digits[..at], &digits[at..]),
        Ok(at) => format!("{digits}{}", "0".repeat(at - digits.len())),
    }
}

/// `strconv.FormatFloat(value, 'g', -1, 64)`, with the exponent from which on `e` notation is used: six in most places,
/// 21 in JSON.
pub fn format_g(value: f64, large: i32) -> String {
    if value.is_nan() {
        return "NaN".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf".into() } else { "-Inf".into() };
    }
    let sign = if value.is_sign_negative() { "-" } else { "" };
    if value == 0.0 {
        return format!("{sign}0");
    }
    let (digits, point) = shortest(value.abs());
    let exponent = point - 1;
    if exponent < -4 || exponent >= large {
        let (first, rest) = digits.split_at(1);
        let dot = if rest.is_empty() { "" } else { "." };
        let e_sign = if exponent < 0 { '-' } else { '+' };
        return format!("{sign}{first}{dot}{rest}e{e_sign}{:02}", exponent.abs());
    }
    format!("{sign}{}", placed(&digits, point))
}

/// `strconv.FormatFloat(value, 'g', -1, 32)` of a finite float.
pub fn format_g32(value: f32) -> String {
    let (digits, point) = shortest(value.abs());
    if value == 0.0 || (-4..6).contains(&(point - 1)) {
        return format!("{value}");
    }
    let wide: f64 = format!(
        "{}{digits}e{}",
        if value < 0.0 { "-" } else { "" },
        point - digits.len() as i32
    )
    .parse()
    .unwrap_or_default();
    format_g(wide, 6)
}

/// What `%v` prints of a float.
pub fn float(value: f64) -> String {
    format_g(value, 6)
}

/// Deepest nesting and longest text that is printed: a dictionary can contain itself.
const MAX_DEPTH: usize = 250;
const MAX_PRINTED: usize = 128 << 20;

/// Appends what `%v` prints.
pub fn append_value(out: &mut Vec<u8>, value: &Value) {
    append_nested(out, value, 0);
}

fn append_nested(out: &mut Vec<u8>, value: &Value, depth: usize) {
    if depth > MAX_DEPTH || out.len() > MAX_PRINTED {
        return;
    }
    match value {
        Value::Str(s) => out.extend_from_slice(s.as_bytes()),
        Value::Raw(b) => out.extend_from_slice(b),
        Value::Invalid | Value::Nil => out.extend_from_slice(b"<nil>"),
        Value::Bool(b) => out.extend_from_slice(if *b { b"true" } else { b"false" }),
        Value::Int(n, k) => out.extend_from_slice(int(*n, *k).as_bytes()),
        Value::Float(f) => out.extend_from_slice(float(*f).as_bytes()),
        Value::Bytes(b) => {
            out.push(b'[');
            for (index, byte) in b.iter().enumerate() {
                if index > 0 {
                    out.push(b' ');
                }
                out.extend_from_slice(byte.to_string().as_bytes());
            }
            out.push(b']');
        }
        Value::List(list) => {
            out.push(b'[');
            for (index, item) in list.items.iter().enumerate() {
                if index > 0 {
                    out.push(b' ');
                }
                append_nested(out, item, depth + 1);
            }
            out.push(b']');
        }
        Value::Map(map) => {
            out.extend_from_slice(b"map[");
            for (index, (key, item)) in map.snapshot().iter().enumerate() {
                if index > 0 {
                    out.push(b' ');
                }
                out.extend_from_slice(key.as_bytes());
                out.push(b':');
                append_nested(out, item, depth + 1);
            }
            out.push(b']');
        }
        // A pointer inside of something else: Go prints where it lies, which differs from run to run.
        Value::Object(o) if depth > 0 && matches!(**o, Object::Capabilities(_)) => {
            out.extend_from_slice(b"0xc000000000");
        }
        Value::Object(o) => out.extend_from_slice(o.print().as_bytes()),
    }
}

fn int(n: i64, kind: IntKind) -> String {
    if kind == IntKind::Uint64 {
        (n as u64).to_string()
    } else {
        n.to_string()
    }
}

/// `fmt.Sprint(value)` as bytes.
pub fn bytes(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    append_value(&mut out, value);
    out
}

/// `fmt.Sprint(value)` as text; bytes that are not UTF-8 are replaced.
pub fn text(value: &Value) -> String {
    match value {
        Value::Str(s) => s.to_string(),
        other => String::from_utf8_lossy(&bytes(other)).into_owned(),
    }
}

/// `fmt.Sprint`: a space between operands when neither is a string.
pub fn sprint(values: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    let is_string = |v: &Value| matches!(v, Value::Str(_) | Value::Raw(_));
    for (index, value) in values.iter().enumerate() {
        if index > 0 && !is_string(value) && !is_string(&values[index - 1]) {
            out.push(b' ');
        }
        append_value(&mut out, value);
    }
    out
}

/// `fmt.Sprintln`.
pub fn sprintln(values: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        append_value(&mut out, value);
    }
    out.push(b'\n');
    out
}

#[derive(Clone, Default)]
struct Flags {
    minus: bool,
    plus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

/// Widest field that is honoured: Go stops at a million.
const MAX_WIDTH: i64 = 1_000_000;

/// `fmt.Sprintf`.
pub fn sprintf(format: &[u8], values: &[Value]) -> Vec<u8> {
    let mut out = Vec::with_capacity(format.len() + 16);
    let mut next = 0usize;
    let mut at = 0usize;
    let mut reordered = false;
    while at < format.len() {
        let Some(offset) = format[at..].iter().position(|b| *b == b'%') else {
            out.extend_from_slice(&format[at..]);
            break;
        };
        out.extend_from_slice(&format[at..at + offset]);
        at += offset + 1;
        let mut flags = Flags::default();
        let mut good_index = true;
        while let Some(byte) = format.get(at) {
            match byte {
                b'-' => flags.minus = true,
                b'+' => flags.plus = true,
                b'#' => flags.sharp = true,
                b' ' => flags.space = true,
                b'0' => flags.zero = true,
                _ => break,
            }
            at += 1;
        }
        index(
            format,
            &mut at,
            &mut next,
            values.len(),
            &mut reordered,
            &mut good_index,
        );
        if format.get(at) == Some(&b'*') {
            at += 1;
            match star(values, &mut next) {
                Some(width) => {
                    flags.minus |= width < 0;
                    flags.width = usize::try_from(width.unsigned_abs()).ok();
                }
                None => out.extend_from_slice(b"%!(BADWIDTH)"),
            }
        } else {
            flags.width = digits(format, &mut at);
        }
        if format.get(at) == Some(&b'.') {
            at += 1;
            index(
                format,
                &mut at,
                &mut next,
                values.len(),
                &mut reordered,
                &mut good_index,
            );
            if format.get(at) == Some(&b'*') {
                at += 1;
                match star(values, &mut next) {
                    Some(precision) if precision >= 0 => flags.precision = usize::try_from(precision).ok(),
                    _ => out.extend_from_slice(b"%!(BADPREC)"),
                }
            } else {
                flags.precision = Some(digits(format, &mut at).unwrap_or(0));
            }
        }
        index(
            format,
            &mut at,
            &mut next,
            values.len(),
            &mut reordered,
            &mut good_index,
        );
        let rest = &format[at.min(format.len())..];
        let Some(verb) = rest
            .utf8_chunks()
            .next()
            .map(|c| c.valid().chars().next().unwrap_or('\u{fffd}'))
        else {
            out.extend_from_slice(b"%!(NOVERB)");
            break;
        };
        at += if rest[0] < 0x80 {
            1
        } else {
            verb.len_utf8().min(rest.len())
        };
        if verb == '%' {
            out.push(b'%');
        } else if !good_index {
            out.extend_from_slice(format!("%!{verb}(BADINDEX)").as_bytes());
        } else if let Some(value) = values.get(next) {
            next += 1;
            verb_value(&mut out, value, verb, &flags);
        } else {
            out.extend_from_slice(format!("%!{verb}(MISSING)").as_bytes());
        }
    }
    if !reordered && next < values.len() {
        out.extend_from_slice(b"%!(EXTRA ");
        for (index, value) in values[next..].iter().enumerate() {
            if index > 0 {
                out.extend_from_slice(b", ");
            }
            if value.is_nil() {
                out.extend_from_slice(b"<nil>");
            } else {
                out.extend_from_slice(value.type_name().as_bytes());
                out.push(b'=');
                append_value(&mut out, value);
            }
        }
        out.push(b')');
    }
    out
}

fn digits(format: &[u8], at: &mut usize) -> Option<usize> {
    let start = *at;
    while format.get(*at).is_some_and(u8::is_ascii_digit) {
        *at += 1;
    }
    let number: i64 = std::str::from_utf8(&format[start..*at]).ok()?.parse().ok()?;
    (number <= MAX_WIDTH).then_some(usize::try_from(number).ok()?)
}

fn star(values: &[Value], next: &mut usize) -> Option<i64> {
    let value = values.get(*next)?;
    *next += 1;
    match value {
        Value::Int(n, _) if n.abs() <= MAX_WIDTH => Some(*n),
        _ => None,
    }
}

fn index(
    format: &[u8],
    at: &mut usize,
    next: &mut usize,
    count: usize,
    reordered: &mut bool,
    good: &mut bool,
) {
    if format.get(*at) != Some(&b'[') {
        return;
    }
    *reordered = true;
    let Some(length) = format[*at..].iter().position(|b| *b == b']') else {
        *good = false;
        *at += 1;
        return;
    };
    let number = std::str::from_utf8(&format[*at + 1..*at + length])
        .ok()
        .and_then(|s| s.parse::<usize>().ok());
    *at += length + 1;
    match number {
        Some(number) if number >= 1 && number <= count => *next = number - 1,
        _ => *good = false,
    }
}

fn pad(out: &mut Vec<u8>, text: &[u8], flags: &Flags, zero: bool) {
    let length = String::from_utf8_lossy(text).chars().count();
    let fill = flags.width.unwrap_or(0).saturating_sub(length);
    if flags.minus {
        out.extend_from_slice(text);
        out.extend(std::iter::repeat_n(b' ', fill));
    } else if zero {
        let sign = usize::from(matches!(text.first(), Some(b'+' | b'-')));
        out.extend_from_slice(&text[..sign]);
        out.extend(std::iter::repeat_n(b'0', fill));
        out.extend_from_slice(&text[sign..]);
    } else {
        out.extend(std::iter::repeat_n(b' ', fill));
        out.extend_from_slice(text);
    }
}

fn bad_verb(out: &mut Vec<u8>, value: &Value, verb: char) {
    out.extend_from_slice(format!("%!{verb}(").as_bytes());
    if value.is_nil() {
        out.extend_from_slice(b"<nil>");
    } else {
        out.extend_from_slice(value.type_name().as_bytes());
        out.push(b'=');
        append_value(out, value);
    }
    out.push(b')');
}

fn verb_value(out: &mut Vec<u8>, value: &Value, verb: char, flags: &Flags) {
    // With `%v`, a plus asks for the names of fields, not for signs.
    let plus = flags.plus && verb != 'v';
    let flags = &Flags {
        plus,
        ..flags.clone()
    };
    verb_nested(out, value, verb, flags, 0);
}

fn verb_nested(out: &mut Vec<u8>, value: &Value, verb: char, flags: &Flags, depth: usize) {
    if depth > MAX_DEPTH || out.len() > MAX_PRINTED {
        return;
    }
    if verb == 'T' {
        let name = if value.is_nil() {
            "<nil>"
        } else {
            value.type_name()
        };
        return pad(out, name.as_bytes(), flags, false);
    }
    match value {
        Value::Invalid | Value::Nil => match verb {
            'v' => pad(out, b"<nil>", flags, false),
            _ if depth > 0 => out.extend_from_slice(b"<nil>"),
            _ => bad_verb(out, value, verb),
        },
        Value::Bool(b) => match verb {
            't' | 'v' => pad(out, if *b { b"true" } else { b"false" }, flags, false),
            _ => bad_verb(out, value, verb),
        },
        Value::Int(n, kind) => int_verb(out, value, *n, *kind, verb, flags),
        Value::Float(f) => float_verb(out, value, *f, verb, flags),
        Value::Str(_) | Value::Raw(_) => {
            let bytes = value.string_bytes().unwrap_or_default();
            string_verb(out, value, bytes, verb, flags);
        }
        Value::Bytes(bytes) => match verb {
            's' | 'q' | 'x' | 'X' => string_verb(out, value, bytes, verb, flags),
            _ => composite(out, value, verb, flags, depth),
        },
        Value::Object(object) => match (&**object, verb) {
            (_, 'v') if flags.sharp => pad(out, go_syntax(value, depth).as_bytes(), flags, false),
            (_, 'v' | 's') => pad(out, object.print().as_bytes(), flags, false),
            (_, 'q') => pad(out, quote(&object.print()).as_bytes(), flags, false),
            (Object::Duration(d), 'd') => int_verb(out, value, *d, IntKind::Int64, verb, flags),
            _ => bad_verb(out, value, verb),
        },
        _ => composite(out, value, verb, flags, depth),
    }
}

fn composite(out: &mut Vec<u8>, value: &Value, verb: char, flags: &Flags, depth: usize) {
    if flags.sharp && verb == 'v' {
        return out.extend_from_slice(go_syntax(value, depth).as_bytes());
    }
    if let Value::Map(map) = value {
        out.extend_from_slice(b"map[");
        for (index, (key, item)) in map.snapshot().iter().enumerate() {
            if index > 0 {
                out.push(b' ');
            }
            verb_nested(out, &Value::Str(key.clone()), verb, flags, depth + 1);
            out.push(b':');
            verb_nested(out, item, verb, flags, depth + 1);
        }
    } else {
        out.push(b'[');
        for (index, item) in value.items().unwrap_or_default().iter().enumerate() {
            if index > 0 {
                out.push(b' ');
            }
            verb_nested(out, item, verb, flags, depth + 1);
        }
    }
    out.push(b']');
}

/// `%#v`.
fn go_syntax(value: &Value, depth: usize) -> String {
    // Half as deep: a dictionary in itself would double the text at every level.
    if depth > 40 {
        return "...".into();
    }
    match value {
        Value::Str(s) => quote(s),
        Value::Raw(b) => quote_bytes(b, '"'),
        Value::Nil => "interface {}(nil)".into(),
        Value::Invalid => "<nil>".into(),
        Value::Float(f) => format_g(*f, 6),
        Value::Int(n, IntKind::Uint8 | IntKind::Uint32 | IntKind::Uint64) => format!("0x{:x}", *n as u64),
        Value::List(_) | Value::Bytes(_) => {
            let items: Vec<String> = value
                .items()
                .unwrap_or_default()
                .iter()
                .map(|item| go_syntax(item, depth + 1))
                .collect();
            format!("{}{{{}}}", value.type_name(), items.join(", "))
        }
        Value::Map(map) => {
            let items: Vec<String> = map
                .snapshot()
                .iter()
                .map(|(k, v)| format!("{}:{}", quote(k), go_syntax(v, depth + 1)))
                .collect();
            format!("{}{{{}}}", value.type_name(), items.join(", "))
        }
        Value::Object(object) => match &**object {
            Object::Time(time) => time.go_string(),
            Object::Duration(_) | Object::Month(_) | Object::Weekday(_) => object.integer().to_string(),
            _ => text(value),
        },
        other => text(other),
    }
}

fn string_verb(out: &mut Vec<u8>, value: &Value, bytes: &[u8], verb: char, flags: &Flags) {
    let cut: &[u8] = match flags.precision {
        Some(count) if verb != 'x' && verb != 'X' => {
            let text = String::from_utf8_lossy(bytes);
            match text.char_indices().nth(count) {
                Some((end, _)) if end <= bytes.len() => &bytes[..end],
                _ => bytes,
            }
        }
        _ => bytes,
    };
    match verb {
        'v' if flags.sharp => pad(out, quote_bytes(cut, '"').as_bytes(), flags, false),
        's' | 'v' => pad(out, cut, flags, flags.zero && !flags.minus),
        'q' => {
            let text = String::from_utf8_lossy(cut);
            let raw_possible =
                flags.sharp && !text.contains('`') && text.chars().all(|c| c == '\t' || printable(c));
            let quoted = if raw_possible {
                format!("`{text}`")
            } else if flags.plus {
                let mut quoted = String::from('"');
                text.chars().for_each(|c| quote_char(&mut quoted, c, '"', true));
                quoted.push('"');
                quoted
            } else {
                quote_bytes(cut, '"')
            };
            pad(out, quoted.as_bytes(), flags, false);
        }
        'x' | 'X' => {
            let cut = flags.precision.map_or(bytes, |p| &bytes[..p.min(bytes.len())]);
            let separator = if flags.space { " " } else { "" };
            // With blanks, every byte has its prefix.
            let prefix = match (flags.sharp, verb) {
                (true, 'x') => "0x",
                (true, _) => "0X",
                (false, _) => "",
            };
            let (first, each) = if flags.space { ("", prefix) } else { (prefix, "") };
            let first = if cut.is_empty() { "" } else { first };
            let hex: Vec<String> = cut
                .iter()
                .map(|b| {
                    if verb == 'x' {
                        format!("{each}{b:02x}")
                    } else {
                        format!("{each}{b:02X}")
                    }
                })
                .collect();
            let text = format!("{first}{}", hex.join(separator));
            pad(out, text.as_bytes(), flags, false);
        }
        _ => bad_verb(out, value, verb),
    }
}

fn int_verb(out: &mut Vec<u8>, value: &Value, n: i64, kind: IntKind, verb: char, flags: &Flags) {
    let negative = n < 0 && !kind.unsigned();
    let magnitude = if kind.unsigned() {
        n as u64
    } else {
        n.unsigned_abs()
    };
    let mut digits = match verb {
        'd' | 'v' => magnitude.to_string(),
        'b' => format!("{magnitude:b}"),
        'o' | 'O' => format!("{magnitude:o}"),
        'x' => format!("{magnitude:x}"),
        'X' => format!("{magnitude:X}"),
        'c' | 'q' | 'U' => {
            let c = u32::try_from(n)
                .ok()
                .and_then(char::from_u32)
                .unwrap_or('\u{fffd}');
            let text = match verb {
                'c' => c.to_string(),
                'q' => {
                    let mut text = String::from('\'');
                    quote_char(&mut text, c, '\'', flags.plus);
                    text.push('\'');
                    text
                }
                _ if flags.sharp => format!("U+{n:04X} '{c}'"),
                _ => format!("U+{n:04X}"),
            };
            return pad(out, text.as_bytes(), flags, false);
        }
        _ => return bad_verb(out, value, verb),
    };
    if let Some(precision) = flags.precision {
        if precision == 0 && n == 0 {
            digits.clear();
        }
        digits = format!("{}{digits}", "0".repeat(precision.saturating_sub(digits.len())));
    }
    let prefix = match verb {
        'O' => "0o",
        'x' if flags.sharp => "0x",
        'X' if flags.sharp => "0X",
        'o' if flags.sharp => "0",
        'b' if flags.sharp => "0b",
        _ => "",
    };
    let sign = if negative {
        "-"
    } else if flags.plus {
        "+"
    } else if flags.space {
        " "
    } else {
        ""
    };
    let zero = flags.zero && !flags.minus && flags.precision.is_none();
    if zero {
        let room = flags.width.unwrap_or(0).saturating_sub(sign.len() + prefix.len());
        digits = format!("{}{digits}", "0".repeat(room.saturating_sub(digits.len())));
    }
    pad(out, format!("{sign}{prefix}{digits}").as_bytes(), flags, false);
}

fn float_verb(out: &mut Vec<u8>, value: &Value, f: f64, verb: char, flags: &Flags) {
    if !matches!(verb, 'v' | 'g' | 'G' | 'e' | 'E' | 'f' | 'F' | 'x' | 'X' | 'b') {
        return bad_verb(out, value, verb);
    }
    let mut text = if !f.is_finite() {
        format_g(f, 6)
    } else {
        match (verb, flags.precision) {
            ('f' | 'F', precision) => decimal_form(f, precision.unwrap_or(6)),
            ('e' | 'E', precision) => exponent_form(f, precision.unwrap_or(6)),
            ('x' | 'X', precision) => hexadecimal_form(f, precision),
            ('b', _) => binary_form(f),
            (_, None) => format_g(f, 6),
            (_, Some(precision)) => general_form(f, precision.max(1)),
        }
    };
    if matches!(verb, 'E' | 'G') || verb == 'X' && f.is_finite() {
        text = text.to_uppercase();
    }
    if text.starts_with('+') && !flags.plus {
        text.remove(0);
        text.insert(0, '+');
    } else if !text.starts_with('-') && !text.starts_with('+') {
        if flags.plus {
            text.insert(0, '+');
        } else if flags.space {
            text.insert(0, ' ');
        }
    }
    pad(
        out,
        text.as_bytes(),
        flags,
        flags.zero && !flags.minus && f.is_finite(),
    );
}

const MANTISSA_BITS: u32 = 52;

/// Mantissa and exponent: `f` is `mantissa` times two to the power of `exponent`.
fn binary_parts(f: f64) -> (u64, i64) {
    let bits = f.abs().to_bits();
    let mantissa = bits & ((1 << MANTISSA_BITS) - 1);
    match (bits >> MANTISSA_BITS) as i64 {
        0 => (mantissa, -1074),
        exponent => (mantissa | 1 << MANTISSA_BITS, exponent - 1075),
    }
}

/// `%b`.
fn binary_form(f: f64) -> String {
    let (mantissa, exponent) = binary_parts(f);
    let sign = if f.is_sign_negative() { "-" } else { "" };
    format!("{sign}{mantissa}p{exponent:+}")
}

/// `%x`: `0x1.8p+00`.
fn hexadecimal_form(f: f64, precision: Option<usize>) -> String {
    let (mut mantissa, mut exponent) = binary_parts(f);
    if mantissa == 0 {
        exponent = 0;
    } else {
        let shift = mantissa.leading_zeros() - (63 - MANTISSA_BITS);
        mantissa <<= shift;
        exponent += i64::from(MANTISSA_BITS) - i64::from(shift);
    }
    let digits = MANTISSA_BITS as usize / 4;
    if let Some(dropped) = precision.and_then(|p| digits.checked_sub(p)).filter(|d| *d > 0) {
        let shift = 4 * dropped;
        let (rest, half) = (mantissa & ((1 << shift) - 1), 1 << (shift - 1));
        mantissa >>= shift;
        if rest > half || rest == half && mantissa & 1 == 1 {
            mantissa += 1;
        }
        mantissa <<= shift;
        if mantissa >> (MANTISSA_BITS + 1) > 0 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let fraction = format!("{:0digits$x}", mantissa & ((1 << MANTISSA_BITS) - 1));
    let fraction = match precision {
        None => fraction.trim_end_matches('0').to_owned(),
        Some(precision) => {
            let kept = &fraction[..precision.min(digits)];
            format!("{kept}{}", "0".repeat(precision - kept.len()))
        }
    };
    let dot = if fraction.is_empty() { "" } else { "." };
    let sign = if f.is_sign_negative() { "-" } else { "" };
    let (e_sign, power) = (if exponent < 0 { '-' } else { '+' }, exponent.abs());
    format!(
        "{sign}0x{}{dot}{fraction}p{e_sign}{power:02}",
        mantissa >> MANTISSA_BITS
    )
}

/// Most digits behind the point that are not zero: `format!` panics when it is asked for more than 65,535.
const DIGITS: usize = 1100;

/// `%f`.
fn decimal_form(f: f64, precision: usize) -> String {
    let digits = precision.min(DIGITS);
    format!("{f:.digits$}{}", "0".repeat(precision - digits))
}

fn exponent_form(f: f64, precision: usize) -> String {
    let digits = precision.min(DIGITS);
    let text = format!("{f:.digits$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    format!(
        "{mantissa}{}e{}{:02}",
        "0".repeat(precision - digits),
        if exponent < 0 { '-' } else { '+' },
        exponent.abs()
    )
}

fn general_form(f: f64, precision: usize) -> String {
    if f == 0.0 {
        return "0".into();
    }
    let scientific = exponent_form(f, precision - 1);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let power: i32 = exponent.parse().unwrap_or(0);
    let trim = |text: &str| {
        if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            text.to_owned()
        }
    };
    let significant = i32::try_from(precision).unwrap_or(i32::MAX);
    if power < -4 || power >= significant {
        format!("{}e{exponent}", trim(mantissa))
    } else {
        let digits = usize::try_from(significant - 1 - power).unwrap_or(0);
        trim(&decimal_form(f, digits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_digits_than_rust_formats() {
        let said =
            |format: &str| String::from_utf8(sprintf(format.as_bytes(), &[Value::Float(-1.5)])).unwrap();
        let zeros = "0".repeat(69_999);
        assert_eq!(said("%.70000f"), format!("-1.5{zeros}"));
        assert_eq!(said("%.70000e"), format!("-1.5{zeros}e+00"));
        assert_eq!(said("%.70000x"), format!("-0x1.8{zeros}p+00"));
        assert_eq!(said("%.70000g"), "-1.5");
        assert_eq!(said("%.3x"), "-0x1.800p+00");
        assert_eq!(said("%70000.1f").len(), 70_000);
        let tiny = sprintf(b"%.1074f", &[Value::Float(f64::from_bits(1))]);
        assert!(tiny.ends_with(b"625"), "no digit is cut");
    }
}
