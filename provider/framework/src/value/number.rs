//! Numbers without loss: decimal text, never a binary float in between.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// A decimal number of any size and precision, or an infinity.
///
/// Two numbers are equal when they are the same number: `1.50` equals `1.5`, `1e3` equals `1000`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Number {
    negative: bool,
    magnitude: Magnitude,
}

/// `digits` × 10^`exponent`; digits have neither leading nor trailing zeros, zero has none and exponent 0.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Magnitude {
    Finite { digits: String, exponent: i32 },
    Infinite,
}

/// The text is not a decimal number, or one of absurd size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a number: {0}")]
pub struct NotANumber(pub String);

/// Beyond this exponent a number is refused: a few bytes of text must not become megabytes of digits.
const LARGEST_EXPONENT: i64 = 20_000;

impl Number {
    /// Positive infinity.
    pub const INFINITY: Self = Self {
        negative: false,
        magnitude: Magnitude::Infinite,
    };
    /// Negative infinity.
    pub const NEGATIVE_INFINITY: Self = Self {
        negative: true,
        magnitude: Magnitude::Infinite,
    };

    /// The number as an `i64`, where it is one.
    pub fn as_i64(&self) -> Option<i64> {
        if !self.is_integer() || self.order() > 19 {
            return None;
        }
        self.plain().parse().ok()
    }

    /// Whether it has no fractional part.
    pub fn is_integer(&self) -> bool {
        matches!(&self.magnitude, Magnitude::Finite { exponent, .. } if *exponent >= 0)
    }

    /// Whether it is one of the infinities.
    pub fn is_infinite(&self) -> bool {
        self.magnitude == Magnitude::Infinite
    }

    /// The nearest `f64`.
    pub fn to_f64(&self) -> f64 {
        match &self.magnitude {
            Magnitude::Infinite if self.negative => f64::NEG_INFINITY,
            Magnitude::Infinite => f64::INFINITY,
            Magnitude::Finite { .. } => self.scientific().parse().unwrap_or(f64::NAN),
        }
    }

    /// The `f64` that equals the number exactly, where there is one.
    pub fn as_exact_f64(&self) -> Option<f64> {
        let near = self.to_f64();
        (Self::from_f64_exact(near).as_ref() == Some(self)).then_some(near)
    }

    /// The exact decimal value of a binary float; `None` for NaN.
    pub fn from_f64_exact(float: f64) -> Option<Self> {
        if float.is_nan() {
            return None;
        }
        if float.is_infinite() {
            return Some(if float < 0.0 {
                Self::NEGATIVE_INFINITY
            } else {
                Self::INFINITY
            });
        }
        // The longest exact expansion of an f64 has 1074 fractional digits.
        format!("{float:.1074}").parse().ok()
    }

    /// The shortest decimal text that reads back as the float: what a person means by `0.1`. `None` for NaN.
    pub fn from_f64_shortest(float: f64) -> Option<Self> {
        if float.is_infinite() {
            Self::from_f64_exact(float)
        } else {
            float.to_string().parse().ok()
        }
    }

    /// Position of the first digit: the number is below 10^order in size.
    fn order(&self) -> i64 {
        match &self.magnitude {
            Magnitude::Finite { digits, exponent } => digits.len() as i64 + i64::from(*exponent),
            Magnitude::Infinite => i64::MAX,
        }
    }

    fn sign(&self) -> &'static str {
        if self.negative { "-" } else { "" }
    }

    fn scientific(&self) -> String {
        match &self.magnitude {
            Magnitude::Finite { digits, .. } if digits.is_empty() => "0".to_owned(),
            Magnitude::Finite { digits, exponent } => format!("{}{digits}e{exponent}", self.sign()),
            Magnitude::Infinite => format!("{}Infinity", self.sign()),
        }
    }

    fn plain(&self) -> String {
        let Magnitude::Finite { digits, exponent } = &self.magnitude else {
            return self.scientific();
        };
        if digits.is_empty() {
            return "0".to_owned();
        }
        let sign = self.sign();
        if *exponent >= 0 {
            return format!("{sign}{digits}{}", "0".repeat(*exponent as usize));
        }
        let fraction = exponent.unsigned_abs() as usize;
        if digits.len() > fraction {
            let (whole, rest) = digits.split_at(digits.len() - fraction);
            format!("{sign}{whole}.{rest}")
        } else {
            format!("{sign}0.{}{digits}", "0".repeat(fraction - digits.len()))
        }
    }
}

impl FromStr for Number {
    type Err = NotANumber;

    fn from_str(text: &str) -> Result<Self, NotANumber> {
        let wrong = || NotANumber(text.chars().take(64).collect());
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        if rest.eq_ignore_ascii_case("inf") || rest.eq_ignore_ascii_case("infinity") {
            return Ok(Self {
                negative,
                magnitude: Magnitude::Infinite,
            });
        }
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().map_err(|_| wrong())?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        if (whole.is_empty() && fraction.is_empty())
            || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit())
        {
            return Err(wrong());
        }
        let all = format!("{whole}{fraction}");
        let digits = all.trim_start_matches('0').trim_end_matches('0');
        if digits.is_empty() {
            return Ok(Self {
                negative: false,
                magnitude: Magnitude::Finite {
                    digits: String::new(),
                    exponent: 0,
                },
            });
        }
        let trailing = all.len() - all.trim_end_matches('0').len();
        let exponent = exponent
            .saturating_sub(fraction.len() as i64)
            .saturating_add(trailing as i64);
        if exponent.abs() > LARGEST_EXPONENT {
            return Err(wrong());
        }
        Ok(Self {
            negative,
            magnitude: Magnitude::Finite {
                digits: digits.to_owned(),
                exponent: exponent as i32,
            },
        })
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        let magnitude = |a: &Self, b: &Self| {
            a.order()
                .cmp(&b.order())
                .then_with(|| match (&a.magnitude, &b.magnitude) {
                    // Digits have no trailing zeros, so text order is number order.
                    (Magnitude::Finite { digits: a, .. }, Magnitude::Finite { digits: b, .. }) => a.cmp(b),
                    _ => Ordering::Equal,
                })
        };
        let zero = |n: &Self| matches!(&n.magnitude, Magnitude::Finite { digits, .. } if digits.is_empty());
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (true, true) => magnitude(other, self),
            // Zero's order is 0, above that of 0.01.
            (false, false) if zero(self) || zero(other) => zero(other).cmp(&zero(self)),
            (false, false) => magnitude(self, other),
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl From<i64> for Number {
    fn from(integer: i64) -> Self {
        integer.to_string().parse().unwrap_or(Self::INFINITY)
    }
}

impl From<u64> for Number {
    fn from(integer: u64) -> Self {
        integer.to_string().parse().unwrap_or(Self::INFINITY)
    }
}

impl fmt::Display for Number {
    /// Plain notation; scientific only beyond a thousand places.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = match &self.magnitude {
            Magnitude::Finite { exponent, .. } => exponent.unsigned_abs(),
            Magnitude::Infinite => 0,
        };
        f.write_str(&if places > 1200 {
            self.scientific()
        } else {
            self.plain()
        })
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        text.parse().unwrap()
    }

    #[test]
    fn equal_numbers_are_equal_however_written() {
        assert_eq!(number("1.50"), number("1.5"));
        assert_eq!(number("1e3"), number("1000"));
        assert_eq!(number("-0"), number("0.000"));
        assert_ne!(number("9007199254740993"), number("9007199254740992"));
    }

    #[test]
    fn text_is_plain() {
        for (text, plain) in [
            ("0.1", "0.1"),
            ("1e21", "1000000000000000000000"),
            ("-12.340", "-12.34"),
            ("1e-3", "0.001"),
            ("100", "100"),
            (".5", "0.5"),
        ] {
            assert_eq!(number(text).to_string(), plain);
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "-",
            "1x",
            "1e",
            "e5",
            ".",
            "1.2.3",
            "1e999999999999",
            "0x10",
            "1_000",
            "NaN",
        ] {
            assert!(text.parse::<Number>().is_err(), "{text:?} was taken for a number");
        }
    }

    #[test]
    fn order_is_that_of_numbers() {
        let sorted = [
            "-Infinity",
            "-10",
            "-9.5",
            "-0.01",
            "0",
            "0.001",
            "0.01",
            "1",
            "9",
            "10",
            "1e30",
            "Infinity",
        ];
        for pair in sorted.windows(2) {
            assert!(number(pair[0]) < number(pair[1]), "{} < {}", pair[0], pair[1]);
        }
    }

    #[test]
    fn integers_and_floats_come_back() {
        assert_eq!(number("9223372036854775807").as_i64(), Some(i64::MAX));
        assert_eq!(number("-9223372036854775808").as_i64(), Some(i64::MIN));
        assert_eq!(number("9223372036854775808").as_i64(), None);
        assert_eq!(number("1.5").as_i64(), None);
        assert_eq!(number("1.5").as_exact_f64(), Some(1.5));
        assert_eq!(number("0.1").as_exact_f64(), None, "0.1 is no binary fraction");
        assert_eq!(Number::from_f64_shortest(0.1), Some(number("0.1")));
        assert_eq!(
            Number::from_f64_exact(5e-324).unwrap().as_exact_f64(),
            Some(5e-324)
        );
    }

    proptest::proptest! {
        #[test]
        fn every_float_survives_exactly(float in proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL) {
            let exact = Number::from_f64_exact(float).unwrap();
            proptest::prop_assert_eq!(exact.as_exact_f64(), Some(float));
            proptest::prop_assert_eq!(exact.to_string().parse::<Number>().unwrap(), exact);
        }

        #[test]
        fn order_agrees_with_integers(a: i64, b: i64) {
            proptest::prop_assert_eq!(Number::from(a).cmp(&Number::from(b)), a.cmp(&b));
            proptest::prop_assert_eq!(Number::from(a).as_i64(), Some(a));
        }
    }
}
