//! How values are compared and printed.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use serde_json::Value as Json;

use crate::value::deeper;
use crate::value::gofmt;

/// In single quotes, with the escapes that helm's validator has.
pub(super) fn quoted(text: &str) -> String {
    let quoted = gofmt::quote(text).replace("\\\"", "\"").replace('\'', "\\'");
    format!("'{}'", &quoted[1..quoted.len() - 1])
}

/// Several names, each in quotes.
pub(super) fn quoted_list<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    let quoted: Vec<String> = names.into_iter().map(quoted).collect();
    quoted.join(", ")
}

/// A value that is no list and no object.
pub(super) fn displayed(value: &Json) -> String {
    match value {
        Json::String(text) => quoted(text),
        Json::Null => "<nil>".to_owned(),
        other => other.to_string(),
    }
}

pub(super) fn primitive(value: &Json) -> bool {
    !matches!(value, Json::Array(_) | Json::Object(_))
}

pub(super) fn type_name(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(_) => "number",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    }
}

/// Digits with commas between the thousands.
pub(super) fn grouped(digits: &str) -> String {
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count.
pub(super) fn count(n: usize) -> String {
    grouped(&n.to_string())
}

/// A number as Go prints it for people: `1,234.5`, `1.2×10⁰⁶`.
pub(super) fn number(f: f64) -> String {
    let text = gofmt::format_g(f, 6);
    let (sign, digits) = text
        .strip_prefix('-')
        .map_or(("", text.as_str()), |digits| ("-", digits));
    if let Some((mantissa, exponent)) = digits.split_once('e') {
        let raised: String = exponent
            .chars()
            .filter_map(|c| match c {
                '-' => Some('⁻'),
                c => "⁰¹²³⁴⁵⁶⁷⁸⁹".chars().nth(c.to_digit(10)? as usize),
            })
            .collect();
        return format!("{sign}{mantissa}×10{raised}");
    }
    match digits.split_once('.') {
        Some((whole, fraction)) => format!("{sign}{}.{fraction}", grouped(whole)),
        None => format!("{sign}{}", grouped(digits)),
    }
}

/// Whether two values are the same to a schema: 1 is 1.0. Adds the work.
pub(super) fn same(a: &Json, b: &Json, steps: &mut usize) -> bool {
    *steps += 1;
    match (a, b) {
        (Json::Number(a), Json::Number(b)) => a.as_f64() == b.as_f64(),
        (Json::String(a), Json::String(b)) => {
            *steps += a.len().min(b.len()) / 64;
            a == b
        }
        (Json::Array(a), Json::Array(b)) => {
            a.len() == b.len() && deeper(|| a.iter().zip(b).all(|(a, b)| same(a, b, steps)))
        }
        (Json::Object(a), Json::Object(b)) => {
            let mut pairs = a.iter().map(|(key, a)| (a, b.get(key)));
            a.len() == b.len() && deeper(|| pairs.all(|(a, b)| b.is_some_and(|b| same(a, b, steps))))
        }
        (a, b) => a == b,
    }
}

/// The same for values that are the same. Adds the work.
pub(super) fn fingerprint(value: &Json, steps: &mut usize) -> u64 {
    *steps += 1;
    let mut hasher = DefaultHasher::new();
    type_name(value).hash(&mut hasher);
    match value {
        Json::Null => {}
        Json::Bool(b) => b.hash(&mut hasher),
        // Minus zero is zero.
        Json::Number(n) => (n.as_f64().unwrap_or_default() + 0.0).to_bits().hash(&mut hasher),
        Json::String(text) => {
            *steps += text.len() / 64;
            text.hash(&mut hasher);
        }
        Json::Array(items) => deeper(|| {
            for item in items {
                fingerprint(item, steps).hash(&mut hasher);
            }
        }),
        // Whatever the order of the entries.
        Json::Object(entries) => deeper(|| {
            let entry = |(key, value): (&String, &Json)| {
                let mut hasher = DefaultHasher::new();
                (key, fingerprint(value, steps)).hash(&mut hasher);
                hasher.finish()
            };
            let all = entries.iter().map(entry).fold(0, u64::wrapping_add);
            all.hash(&mut hasher);
        }),
    }
    hasher.finish()
}

/// Whether a number is a multiple of another, as decimal numbers: 0.3 is one of 0.1.
pub(super) fn multiple(value: f64, of: f64) -> bool {
    let decimal = |f: f64| -> Option<(i128, i32)> {
        let text = format!("{f:e}");
        let (mantissa, exponent) = text.split_once('e')?;
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}").parse().ok()?;
        Some((
            digits,
            exponent.parse::<i32>().ok()? - i32::try_from(fraction.len()).ok()?,
        ))
    };
    let exact = || {
        let ((a, a_exponent), (b, b_exponent)) = (decimal(value)?, decimal(of)?);
        let least = a_exponent.min(b_exponent);
        let scaled = |digits: i128, exponent: i32| {
            digits.checked_mul(10i128.checked_pow(u32::try_from(exponent - least).ok()?)?)
        };
        scaled(a, a_exponent)?.checked_rem(scaled(b, b_exponent)?)
    };
    exact().map_or_else(|| value % of == 0.0, |rest| rest == 0)
}
