//! The methods of what templates meet: of files, values, versions, times.

use std::sync::Arc;

use base64::Engine;

use super::call::Type;
use super::glob::Glob;
use crate::text::yaml;
use crate::value::gofmt::quote;
use crate::value::object::{Object, file_bytes, pointer_type};
use crate::value::{Elem, Map, MapType, Value};

/// A method: its parameters and what it does.
pub struct Method {
    /// Types of the parameters.
    pub parameters: &'static [Type],
    /// What it does; errors are Go's text.
    pub run: fn(&Value, &[Value]) -> Result<Value, String>,
}

macro_rules! method {
    ([$($parameter:expr),*], $run:expr) => {
        Some(&Method { parameters: &[$($parameter),*], run: $run })
    };
}
mod objects;

/// A method of a value, by name.
pub fn method(receiver: &Value, name: &str) -> Option<&'static Method> {
    match receiver {
        Value::Str(_) | Value::Invalid | Value::Nil | Value::Bool(_) | Value::Int(..) | Value::Float(_) => {
            None
        }
        Value::Map(map) => match (map.ty, name) {
            (MapType::Files, "Get") => method!([Type::Str], |files, a| Ok(file(files, &a[0]))),
            (MapType::Files, "GetBytes") => {
                method!([Type::Str], |files, a| Ok(file_bytes(&file(files, &a[0]))))
            }
            (MapType::Files, "Glob") => method!([Type::Str], glob),
            (MapType::Files, "Lines") => method!([Type::Str], lines),
            (MapType::Files, "AsConfig") => method!([], as_config),
            (MapType::Files, "AsSecrets") => method!([], as_secrets),
            (MapType::Values, "YAML") => method!([], |v, _| yaml::emit(v).map(Value::str)),
            (MapType::Values, "AsMap") => method!([], |v, _| match v {
                Value::Map(map) => Ok(Value::Map(map.with_type(MapType::Any))),
                _ => Ok(Value::Nil),
            }),
            (MapType::Values, "Table") => method!([Type::Str], |v, a| {
                table(v, a[0].as_str().unwrap_or_default()).map(Value::Map)
            }),
            (MapType::Values, "PathValue") => method!([Type::Str], path_value),
            (MapType::Values, "Encode") => {
                method!([Type::Writer], |_, _| Err(NIL_POINTER.to_owned()))
            }
            _ => None,
        },
        Value::List(list) if list.elem == Elem::VersionSet && name == "Has" => {
            method!([Type::Str], |list, a| {
                let wanted = a[0].as_str().unwrap_or_default();
                Ok(Value::Bool(list.items().is_some_and(|items| {
                    items.iter().any(|v| v.as_str() == Some(wanted))
                })))
            })
        }
        Value::Object(object) => objects::find(object, name),
        _ => None,
    }
}

/// Why a name that Go knows of a value is of no use to a template.
pub fn no_method(receiver: &Value, name: &str) -> Option<String> {
    let Value::Object(object) = receiver else {
        return None;
    };
    let hidden: &[&str] = match &**object {
        Object::Time(_) => &["wall", "ext", "loc"],
        Object::Location { .. } => &[
            "name",
            "zone",
            "tx",
            "extend",
            "cacheStart",
            "cacheEnd",
            "cacheZone",
        ],
        Object::Version(_) | Object::VersionValue(_) => {
            &["major", "minor", "patch", "pre", "metadata", "original"]
        }
        Object::KubeVersion(_) | Object::KubeVersionCopy(_) => &["normalizedVersion"],
        _ => &[],
    };
    if hidden.contains(&name) {
        let ty = pointer_type(receiver);
        return Some(format!("{name} is an unexported field of struct type {ty}"));
    }
    let second = |ty: &str| {
        Some(format!(
            "invalid function signature for {name}: second return value should be error; is {ty}"
        ))
    };
    match (&**object, name) {
        (Object::Time(_), "Date" | "Clock") => {
            Some(format!("function {name} has 3 return values; should be 1 or 2"))
        }
        (Object::Time(_), "ISOWeek" | "Zone") => second("int"),
        (Object::Time(_), "ZoneBounds") => second("time.Time"),
        _ => None,
    }
}

fn file(files: &Value, name: &Value) -> Value {
    match (files, name.as_str()) {
        (Value::Map(map), Some(name)) => map.get(name).unwrap_or_else(|| Value::str("")),
        _ => Value::str(""),
    }
}

/// What Go says of a nil that is no value.
pub(super) const NIL_POINTER: &str = "runtime error: invalid memory address or nil pointer dereference";

/// The map at a path.
fn table(values: &Value, path: &str) -> Result<Map, String> {
    let mut table = values.clone();
    for key in path.split('.') {
        let inner = match &table {
            Value::Map(map) => map.get(key),
            _ => None,
        };
        table = match inner {
            Some(Value::Map(map)) => Value::Map(map.with_type(MapType::Values)),
            _ => return Err(format!("{} is not a table", quote(key))),
        };
    }
    match table {
        Value::Map(map) => Ok(map),
        _ => Err(format!("{} is not a table", quote(path))),
    }
}

/// What lies at a path, and is no map.
fn path_value(values: &Value, a: &[Value]) -> Result<Value, String> {
    let path = a[0].as_str().unwrap_or_default();
    if path.is_empty() {
        return Err("YAML path cannot be empty".into());
    }
    let (found, key) = match (path.rsplit_once('.'), values) {
        (Some((outer, key)), _) => (table(values, outer).ok().and_then(|map| map.get(key)), key),
        (None, Value::Map(map)) => (map.get(path), path),
        (None, _) => (None, path),
    };
    match found {
        Some(Value::Map(map)) if map.ty == MapType::Any => None,
        found => found,
    }
    .ok_or_else(|| format!("{} is not a value", quote(key)))
}

fn glob(files: &Value, a: &[Value]) -> Result<Value, String> {
    let Value::Map(map) = files else {
        return Ok(Value::Nil);
    };
    // An impossible pattern means everything.
    let pattern = a[0].as_str().filter(|p| !p.is_empty()).unwrap_or("**");
    let matcher = Glob::new(pattern).or_else(|| Glob::new("**"));
    let found = map
        .snapshot()
        .into_iter()
        .filter(|(k, _)| matcher.as_ref().is_some_and(|m| m.matches(k)));
    Ok(match Value::map(found) {
        Value::Map(map) => Value::Map(map.with_type(MapType::Files)),
        other => other,
    })
}

fn lines(files: &Value, a: &[Value]) -> Result<Value, String> {
    let Value::Map(map) = files else {
        return Ok(Value::Nil);
    };
    let Some(content) = map.get(a[0].as_str().unwrap_or_default()) else {
        return Ok(Value::strings(Vec::<String>::new()));
    };
    let text = String::from_utf8_lossy(content.string_bytes().unwrap_or_default()).into_owned();
    Ok(Value::strings(
        text.strip_suffix('\n').unwrap_or(&text).split('\n'),
    ))
}

fn by_base(files: &Value, value: impl Fn(&Value) -> Value) -> Result<Value, String> {
    let Value::Map(map) = files else {
        return Ok(Value::str(""));
    };
    let entries = map.snapshot().into_iter().map(|(k, v)| {
        let base: Arc<str> = k.rsplit('/').next().unwrap_or(&k).into();
        (base, value(&v))
    });
    let text = yaml::emit(&Value::map(entries))?;
    Ok(Value::str(text.strip_suffix('\n').unwrap_or(&text)))
}

fn as_config(files: &Value, _: &[Value]) -> Result<Value, String> {
    by_base(files, Value::clone)
}

fn as_secrets(files: &Value, _: &[Value]) -> Result<Value, String> {
    by_base(files, |v| {
        Value::str(base64::engine::general_purpose::STANDARD.encode(v.string_bytes().unwrap_or_default()))
    })
}
