//! The builtins of Go's `text/template`.

use std::cmp::Ordering;

use super::{Context, Failure, Function, Outcome, Special, Type, function, variadic};
use crate::value::gofmt;
use crate::value::{IntKind, List, MapType, Value};
use Type::{Reflect, Str};

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "and",
        parameters: &[Reflect],
        variadic: Some(Reflect),
        special: Special::And,
        run: never,
    },
    Function {
        name: "or",
        parameters: &[Reflect],
        variadic: Some(Reflect),
        special: Special::Or,
        run: never,
    },
    function("not", &[Reflect], |_, a| Ok(Value::Bool(!a[0].truth()))),
    variadic("call", &[Reflect], Reflect, call),
    variadic("html", &[], Type::Any, |_, a| Ok(Value::str(html(&evaluated(a))))),
    variadic("js", &[], Type::Any, |_, a| Ok(Value::str(js(&evaluated(a))))),
    variadic("urlquery", &[], Type::Any, |_, a| {
        Ok(Value::str(url_query(&evaluated(a))))
    }),
    function("len", &[Reflect], len),
    variadic("index", &[Reflect], Reflect, index),
    variadic("print", &[], Type::Any, |_, a| Ok(Value::text(gofmt::sprint(a)))),
    variadic("println", &[], Type::Any, |_, a| {
        Ok(Value::text(gofmt::sprintln(a)))
    }),
    variadic("printf", &[Str], Type::Any, |cx, a| {
        let out = gofmt::sprintf(a[0].string_bytes().unwrap_or_default(), &a[1..]);
        cx.room(out.len())?;
        Ok(Value::text(out))
    }),
    variadic("eq", &[Reflect], Reflect, eq),
    function("ne", &[Reflect, Reflect], |cx, a| {
        Ok(Value::Bool(!eq(cx, a)?.truth()))
    }),
    function("lt", &[Reflect, Reflect], |_, a| {
        Ok(Value::Bool(less(&a[0], &a[1])?))
    }),
    function("le", &[Reflect, Reflect], |_, a| {
        Ok(Value::Bool(less_or_equal(&a[0], &a[1])?))
    }),
    function("gt", &[Reflect, Reflect], |_, a| {
        Ok(Value::Bool(!less_or_equal(&a[0], &a[1])?))
    }),
    function("ge", &[Reflect, Reflect], |_, a| {
        Ok(Value::Bool(!less(&a[0], &a[1])?))
    }),
];

fn never(_: &mut Context<'_>, _: &[Value]) -> Outcome {
    Err("evaluated by the executor".into())
}

fn call(_: &mut Context<'_>, a: &[Value]) -> Outcome {
    Err(match &a[0] {
        v if v.is_nil() => "call of nil".into(),
        v => Failure::new(format!(
            "non-function {} of type {}",
            gofmt::text(v),
            v.type_name()
        )),
    })
}

fn evaluated(values: &[Value]) -> String {
    let shown: Vec<Value> = values
        .iter()
        .map(|v| {
            if v.is_nil() {
                Value::str("<no value>")
            } else {
                v.clone()
            }
        })
        .collect();
    String::from_utf8_lossy(&gofmt::sprint(&shown)).into_owned()
}

fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\0' => out.push('\u{fffd}'),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
    }
    out
}

fn js(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            '"' => out.push_str("\\\""),
            '<' | '>' | '&' | '=' => out.push_str(&format!("\\u{:04X}", c as u32)),
            c if (c as u32) < 0x20 => out.push_str(&format!("\\u{:04X}", c as u32)),
            c if gofmt::printable(c) => out.push(c),
            c => out.push_str(&format!("\\u{:04X}", c as u32)),
        }
    }
    out
}

/// `url.QueryEscape`.
pub(super) fn url_query(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(byte as char),
            b' ' => out.push('+'),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn len(_: &mut Context<'_>, a: &[Value]) -> Outcome {
    let length = match &a[0] {
        Value::Str(s) => s.len(),
        Value::Raw(b) | Value::Bytes(b) => b.len(),
        Value::List(l) => l.items.len(),
        Value::Map(m) => m.len(),
        Value::Invalid | Value::Nil => return Err("reflect: call of reflect.Value.Type on zero Value".into()),
        other => return Err(Failure::new(format!("len of type {}", other.type_name()))),
    };
    Ok(Value::int(length as i64))
}

fn position(index: &Value, length: usize) -> Result<usize, Failure> {
    let n = match index {
        Value::Int(n, _) => *n,
        Value::Invalid | Value::Nil => return Err("cannot index slice/array with nil".into()),
        other => {
            return Err(Failure::new(format!(
                "cannot index slice/array with type {}",
                other.type_name()
            )));
        }
    };
    usize::try_from(n)
        .ok()
        .filter(|n| *n < length)
        .ok_or_else(|| Failure::new(format!("index out of range: {n}")))
}

fn index(_: &mut Context<'_>, a: &[Value]) -> Outcome {
    if matches!(a[0], Value::Invalid | Value::Nil) {
        return Err("index of untyped nil".into());
    }
    let mut value = a[0].clone();
    for key in &a[1..] {
        value = match &value {
            Value::List(List { items, .. }) => items[position(key, items.len())?].clone(),
            Value::Str(s) => Value::Int(i64::from(s.as_bytes()[position(key, s.len())?]), IntKind::Uint8),
            Value::Raw(b) | Value::Bytes(b) => {
                Value::Int(i64::from(b[position(key, b.len())?]), IntKind::Uint8)
            }
            Value::Map(map) => match key {
                Value::Str(key) => match (map.get(key), map.ty) {
                    (Some(value), MapType::Files) => crate::value::object::file_bytes(&value),
                    (Some(value), _) => value,
                    (None, MapType::Str | MapType::NilStr) => Value::str(""),
                    (None, _) => Value::Nil,
                },
                Value::Invalid | Value::Nil => return Err("value is nil; should be of type string".into()),
                other => {
                    return Err(Failure::new(format!(
                        "value has type {}; should be string",
                        other.type_name()
                    )));
                }
            },
            Value::Invalid | Value::Nil => return Err("index of nil pointer".into()),
            other => {
                return Err(Failure::new(format!(
                    "can't index item of type {}",
                    other.type_name()
                )));
            }
        };
    }
    Ok(value)
}

#[derive(PartialEq, Clone, Copy)]
enum Basic {
    Bool,
    Int,
    Uint,
    Float,
    Str,
    Other,
}

fn basic(value: &Value) -> Basic {
    match value {
        Value::Bool(_) => Basic::Bool,
        Value::Int(_, kind) if kind.unsigned() => Basic::Uint,
        Value::Int(..) => Basic::Int,
        Value::Float(_) => Basic::Float,
        Value::Str(_) | Value::Raw(_) => Basic::Str,
        Value::Object(o) if o.kind() == "int64" => Basic::Int,
        _ => Basic::Other,
    }
}

fn integer(value: &Value) -> i64 {
    match value {
        Value::Int(n, _) => *n,
        Value::Object(o) => o.integer(),
        _ => 0,
    }
}

/// Nil, or a map that is.
fn nil(value: &Value) -> bool {
    value.is_nil() || matches!(value, Value::Map(map) if matches!(map.ty, MapType::NilStr | MapType::NilAny))
}

fn eq(_: &mut Context<'_>, a: &[Value]) -> Outcome {
    let first = &a[0];
    if a.len() < 2 {
        return Err("missing argument for comparison".into());
    }
    let kind = basic(first);
    for other in &a[1..] {
        let equal = match (kind, basic(other)) {
            (Basic::Int, Basic::Uint) | (Basic::Uint, Basic::Int) => {
                integer(first) >= 0 && integer(other) >= 0 && integer(first) == integer(other)
            }
            (k, l) if k != l => {
                if !nil(first) && !nil(other) {
                    return Err(incompatible(first, other));
                }
                false
            }
            (Basic::Bool, _) => first.truth() == other.truth(),
            (Basic::Int | Basic::Uint, _) => integer(first) == integer(other),
            (Basic::Float, _) => float(first) == float(other),
            (Basic::Str, _) => first.string_bytes() == other.string_bytes(),
            (Basic::Other, _) => {
                if nil(first) || nil(other) {
                    nil(first) == nil(other)
                } else if first.kind() != other.kind() {
                    return Err(Failure::new(format!(
                        "non-comparable types {}: {}, {}: {}",
                        shown(first),
                        first.type_name(),
                        other.type_name(),
                        gofmt::text(other)
                    )));
                } else if let (Value::Object(a), Value::Object(b)) = (first, other) {
                    a == b
                } else {
                    return Err(Failure::new(format!(
                        "non-comparable type {}: {}",
                        shown(other),
                        other.type_name()
                    )));
                }
            }
        };
        if equal {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

fn incompatible(a: &Value, b: &Value) -> Failure {
    let name = crate::value::object::pointer_type;
    Failure::new(format!(
        "incompatible types for comparison: {} and {}",
        name(a),
        name(b)
    ))
}

fn shown(value: &Value) -> String {
    String::from_utf8_lossy(&gofmt::sprintf(b"%s", std::slice::from_ref(value))).into_owned()
}

fn float(value: &Value) -> f64 {
    if let Value::Float(f) = value { *f } else { 0.0 }
}

fn less(a: &Value, b: &Value) -> Result<bool, Failure> {
    let (k, l) = (basic(a), basic(b));
    if k == Basic::Other || l == Basic::Other {
        return Err("invalid type for comparison".into());
    }
    match (k, l) {
        (Basic::Int, Basic::Uint) | (Basic::Uint, Basic::Int) => Ok(integer(a) < integer(b)),
        (k, l) if k != l => Err(incompatible(a, b)),
        (Basic::Bool, _) => Err("invalid type for comparison".into()),
        (Basic::Int | Basic::Uint, _) => Ok(integer(a) < integer(b)),
        (Basic::Float, _) => Ok(float(a) < float(b)),
        _ => Ok(a.string_bytes().cmp(&b.string_bytes()) == Ordering::Less),
    }
}

fn less_or_equal(a: &Value, b: &Value) -> Result<bool, Failure> {
    if less(a, b)? {
        return Ok(true);
    }
    Ok(match (basic(a), basic(b)) {
        (Basic::Float, _) => float(a) == float(b),
        (Basic::Str, _) => a.string_bytes() == b.string_bytes(),
        _ => integer(a) == integer(b),
    })
}
