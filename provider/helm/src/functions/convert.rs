//! Conversions and questions about types.

use super::{Context, Failure, Function, Outcome, Type, function, text, variadic};
use crate::value::Value;
use crate::value::gofmt;
use crate::value::gofmt::integer;
use Type::{Any, Bool, Str};

pub(super) const FUNCTIONS: &[Function] = &[
    function("int", &[Any], |_, a| Ok(Value::int(to_int64(&a[0])))),
    function("int64", &[Any], |_, a| Ok(Value::int64(to_int64(&a[0])))),
    function("float64", &[Any], |_, a| Ok(Value::Float(to_float(&a[0])))),
    function("atoi", &[Str], |_, a| {
        Ok(Value::int(decimal_integer(&text(&a[0]))))
    }),
    function("toDecimal", &[Any], |_, a| {
        Ok(Value::int64(
            i64::from_str_radix(&gofmt::text(&a[0]), 8).unwrap_or(0),
        ))
    }),
    function("typeOf", &[Any], |_, a| Ok(Value::str(type_of(&a[0])))),
    function("typeIs", &[Str, Any], |_, a| {
        Ok(Value::Bool(text(&a[0]) == type_of(&a[1])))
    }),
    function("typeIsLike", &[Str, Any], |_, a| {
        let (target, ty) = (text(&a[0]), type_of(&a[1]));
        Ok(Value::Bool(target == ty || ty.strip_prefix('*') == Some(&target)))
    }),
    function("kindOf", &[Any], |_, a| Ok(Value::str(a[0].kind()))),
    function("kindIs", &[Str, Any], |_, a| {
        Ok(Value::Bool(text(&a[0]) == a[1].kind()))
    }),
    function("deepEqual", &[Any, Any], |_, a| {
        Ok(Value::Bool(a[0].deep_equal(&a[1])))
    }),
    variadic("default", &[Any], Any, |_, a| {
        Ok(match a.get(1) {
            Some(given) if !empty(given) => given.clone(),
            _ => a[0].clone(),
        })
    }),
    function("empty", &[Any], |_, a| Ok(Value::Bool(empty(&a[0])))),
    variadic("coalesce", &[], Any, |_, a| {
        Ok(a.iter().find(|v| !empty(v)).cloned().unwrap_or(Value::Nil))
    }),
    variadic("all", &[], Any, |_, a| Ok(Value::Bool(!a.iter().any(empty)))),
    variadic("any", &[], Any, |_, a| {
        Ok(Value::Bool(a.iter().any(|v| !empty(v))))
    }),
    function("ternary", &[Any, Any, Bool], |_, a| {
        Ok(if a[2].truth() { a[0].clone() } else { a[1].clone() })
    }),
    function("fail", &[Str], |_, a| {
        Err(Failure {
            message: text(&a[0]).into_owned(),
            deliberate: true,
            inner: None,
        })
    }),
    function("required", &[Str, Any], required),
];

fn required(_: &mut Context<'_>, a: &[Value]) -> Outcome {
    let missing = a[1].is_nil() || a[1].string_bytes().is_some_and(<[u8]>::is_empty);
    if missing {
        return Err(Failure {
            message: text(&a[0]).into_owned(),
            deliberate: true,
            inner: None,
        });
    }
    Ok(a[1].clone())
}

fn type_of(value: &Value) -> &'static str {
    if value.is_nil() {
        "<nil>"
    } else {
        crate::value::object::pointer_type(value)
    }
}

/// Sprig's emptiness: the zero value of its type; a struct never is.
pub(super) fn empty(value: &Value) -> bool {
    !value.truth()
}

/// `strconv.Atoi` without its error: what is too large is the largest.
fn decimal_integer(s: &str) -> i64 {
    s.parse()
        .unwrap_or_else(|error: std::num::ParseIntError| match error.kind() {
            std::num::IntErrorKind::PosOverflow => i64::MAX,
            std::num::IntErrorKind::NegOverflow => i64::MIN,
            _ => 0,
        })
}

/// `1.0` and `1.00` count as whole, `1.5` does not.
fn without_zero_fraction(s: &str) -> &str {
    match s.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() && fraction.bytes().all(|b| b == b'0') => whole,
        _ => s,
    }
}

/// `int64(f)` on the processors on which helm mostly runs: what does not fit is the smallest integer.
pub(super) fn whole(f: f64) -> i64 {
    let fits = (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&f);
    if fits { f as i64 } else { i64::MIN }
}

/// As Sprig casts anything to `int64`; what is no number is 0.
pub(super) fn to_int64(value: &Value) -> i64 {
    match value {
        Value::Int(n, _) => *n,
        Value::Float(f) => whole(*f),
        Value::Bool(b) => i64::from(*b),
        Value::Str(s) => integer(without_zero_fraction(s)).0.unwrap_or(0),
        Value::Object(o) if o.kind() == "int" => o.integer(),
        _ => 0,
    }
}

/// As Sprig casts anything to `float64`; what is no number is 0.
pub(super) fn to_float(value: &Value) -> f64 {
    match value {
        Value::Int(n, kind) if kind.unsigned() => *n as u64 as f64,
        Value::Int(n, _) => *n as f64,
        Value::Float(f) => *f,
        Value::Bool(b) => f64::from(u8::from(*b)),
        Value::Str(s) => gofmt::parse_float(s).unwrap_or(0.0),
        Value::Object(o) if o.kind() == "int" => o.integer() as f64,
        _ => 0.0,
    }
}
