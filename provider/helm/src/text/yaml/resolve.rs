//! What a plain scalar means: YAML 1.1's booleans, numbers, nulls and timestamps.

use crate::value::time::Time;

/// A resolved plain scalar.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// Null.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// An integer beyond `i64`.
    Uint(u64),
    /// A float.
    Float(f64),
    /// A date, kept as its text.
    Timestamp,
    /// `<<`
    Merge,
    /// Anything else.
    Text,
}

/// Resolves a plain scalar.
pub fn resolve(s: &str) -> Scalar {
    match s {
        "" | "~" | "null" | "Null" | "NULL" => return Scalar::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Scalar::Bool(true);
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Scalar::Bool(false);
        }
        ".nan" | ".NaN" | ".NAN" => return Scalar::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Scalar::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Scalar::Float(f64::NEG_INFINITY),
        "<<" => return Scalar::Merge,
        _ => {}
    }
    match s.as_bytes()[0] {
        b'.' if float_shape(s) => float(s),
        b'0'..=b'9' | b'+' | b'-' => number(s),
        _ => Scalar::Text,
    }
}

fn number(s: &str) -> Scalar {
    if timestamp(s) {
        return Scalar::Timestamp;
    }
    let plain = s.replace('_', "");
    // Underscores are gone, and Go takes a sign inside of a prefix for nothing.
    let (int, uint) = crate::value::gofmt::integer(&plain);
    if let Some(int) = int {
        return Scalar::Int(int);
    }
    if let Some(uint) = uint {
        return Scalar::Uint(uint);
    }
    if float_shape(&plain) {
        return float(&plain);
    }
    // Behind this prefix Go reads a number with its sign.
    let binary = match (plain.strip_prefix("0b"), plain.strip_prefix("-0b")) {
        (Some(digits), _) => i64::from_str_radix(digits, 2),
        (None, Some(digits)) => i64::from_str_radix(&format!("-{digits}"), 2),
        (None, None) => return Scalar::Text,
    };
    binary.map_or(Scalar::Text, Scalar::Int)
}

/// Go refuses numbers beyond a float's range, so that they stay text: `62e7450`, a short git hash, is one.
fn float(s: &str) -> Scalar {
    match s.parse::<f64>() {
        Ok(f) if f.is_finite() => Scalar::Float(f),
        _ => Scalar::Text,
    }
}

fn float_shape(s: &str) -> bool {
    let s = s.strip_prefix(['+', '-']).unwrap_or(s);
    let (mantissa, exponent) = match s.find(['e', 'E']) {
        Some(at) => (&s[..at], Some(&s[at + 1..])),
        None => (s, None),
    };
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let mantissa_ok = match mantissa.split_once('.') {
        Some(("", fraction)) => !fraction.is_empty() && digits(fraction),
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => !mantissa.is_empty() && digits(mantissa),
    };
    let exponent_ok = exponent.is_none_or(|e| {
        let e = e.strip_prefix(['+', '-']).unwrap_or(e);
        !e.is_empty() && digits(e)
    });
    mantissa_ok && exponent_ok
}

/// A date, or a date with a time.
fn timestamp(s: &str) -> bool {
    let bytes = s.as_bytes();
    if bytes.len() < 8 || !bytes[..4].iter().all(u8::is_ascii_digit) || bytes[4] != b'-' {
        return false;
    }
    [
        "2006-1-2T15:4:5.999999999Z07:00",
        "2006-1-2t15:4:5.999999999Z07:00",
        "2006-1-2 15:4:5.999999999",
        "2006-1-2",
    ]
    .iter()
    .any(|layout| Time::parse(layout, s).is_ok())
}

/// `12:30:45`: a number in YAML 1.1, which Go reads as text but quotes.
pub fn base60(s: &str) -> bool {
    let s = s.strip_prefix(['+', '-']).unwrap_or(s);
    let mut parts = s.split(':');
    let first = parts.next().unwrap_or("");
    if !first.starts_with(|c: char| c.is_ascii_digit())
        || !first.bytes().all(|b| b.is_ascii_digit() || b == b'_')
    {
        return false;
    }
    let rest: Vec<&str> = parts.collect();
    let Some((last, middle)) = rest.split_last() else {
        return false;
    };
    let sexagesimal = |p: &str| match p.as_bytes() {
        [a] => a.is_ascii_digit(),
        [b'0'..=b'5', b] => b.is_ascii_digit(),
        _ => false,
    };
    let (whole, fraction) = last.split_once('.').unwrap_or((last, ""));
    middle.iter().all(|p| sexagesimal(p))
        && sexagesimal(whole)
        && fraction.bytes().all(|b| b.is_ascii_digit() || b == b'_')
}
