//! Quantities: the API writes `1000m` as `1`, and `0.5Gi` as `512Mi`.

use serde_json::Value;

/// Names under which every entry is a quantity.
const MAPS: &[&str] = &[
    "requests",
    "limits",
    "capacity",
    "allocatable",
    "hard",
    "default",
    "defaultRequest",
    "overhead",
    "podFixed",
    "max",
    "min",
    "maxLimitRequestRatio",
];
/// Names of single quantities.
const SINGLE: &[&str] = &[
    "storage",
    "sizeLimit",
    "divisor",
    "averageValue",
    "targetAverageValue",
];

/// Whether a value at this place is a quantity: elsewhere `1000m` is a text like any other.
pub(crate) fn is_place(parent: &str, name: &str) -> bool {
    MAPS.contains(&parent) || SINGLE.contains(&name) || (parent == "target" && name == "value")
}

/// Whether both mean the same amount.
pub(crate) fn is_equal(one: &Value, other: &Value) -> bool {
    matches!((amount(one), amount(other)), (Some(one), Some(other)) if one == other)
}

/// Whether one is the smaller amount.
pub(crate) fn is_less(one: &Value, other: &Value) -> bool {
    matches!((amount(one), amount(other)), (Some(one), Some(other)) if one < other)
}

/// In billionths; none for what is no quantity, or too large.
fn amount(value: &Value) -> Option<i128> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let end = text
        .find(|c: char| !matches!(c, '0'..='9' | '.' | '+' | '-'))
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let times = match suffix {
        "n" => return billionths(number, 1, 1_000_000_000),
        "u" => return billionths(number, 1, 1_000_000),
        "m" => return billionths(number, 1, 1000),
        "" => 1,
        "k" => 1000,
        "M" => 1000_i128.pow(2),
        "G" => 1000_i128.pow(3),
        "T" => 1000_i128.pow(4),
        "P" => 1000_i128.pow(5),
        "E" => 1000_i128.pow(6),
        "Ki" => 1024,
        "Mi" => 1024_i128.pow(2),
        "Gi" => 1024_i128.pow(3),
        "Ti" => 1024_i128.pow(4),
        "Pi" => 1024_i128.pow(5),
        "Ei" => 1024_i128.pow(6),
        _ => {
            let power: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
            let ten = 10_i128.checked_pow(power.unsigned_abs())?;
            return if power < 0 {
                billionths(number, 1, ten)
            } else {
                billionths(number, ten, 1)
            };
        }
    };
    billionths(number, times, 1)
}

fn billionths(number: &str, times: i128, by: i128) -> Option<i128> {
    let (sign, digits) = match number.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, number.strip_prefix('+').unwrap_or(number)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.len() > 18 {
        return None;
    }
    let all: i128 = format!("0{whole}{fraction}").parse().ok()?;
    let scale = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
    let amount = all.checked_mul(times)?.checked_mul(1_000_000_000)?;
    // What is finer than a billionth is rounded up, as the API does.
    let parts = scale.checked_mul(by)?;
    Some(sign * (amount + parts - 1).div_euclid(parts))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn amounts_are_equal_however_they_are_written() {
        let same = [
            (json!("1000m"), json!("1")),
            (json!(1), json!("1")),
            (json!("0.5"), json!("500m")),
            (json!(0.1), json!("100m")),
            (json!("0.5Gi"), json!("512Mi")),
            (json!("1e3"), json!("1k")),
            (json!("2E"), json!("2000P")),
            (json!("-1500m"), json!("-1.5")),
            (json!("1024Ki"), json!("1Mi")),
        ];
        for (one, other) in same {
            assert!(is_equal(&one, &other) && !is_less(&one, &other), "{one} {other}");
        }
        assert!(is_less(&json!("1Gi"), &json!("2Gi")) && !is_less(&json!("2G"), &json!("1Gi")));
        let others = [
            (json!("1"), json!("1Ki")),
            (json!("1m"), json!("1M")),
            (json!("a"), json!("a")),
            (json!(""), json!("0")),
            (json!("5m0s"), json!("5m")),
            (json!(true), json!(true)),
        ];
        for (one, other) in others {
            assert!(!is_equal(&one, &other), "{one} {other}");
        }
    }

    #[test]
    fn a_quantity_is_one_by_its_place() {
        assert!(is_place("limits", "cpu") && is_place("x", "storage"));
        assert!(!is_place("env", "value") && !is_place("data", "cpu") && is_place("target", "value"));
    }
}
