//! The methods of what templates meet: of files, values, versions, times.

use std::sync::Arc;

use base64::Engine;

use super::call::Type;
use super::glob::Glob;
use crate::text::yaml;
use crate::value::object::{Object, file_bytes, object as object_value};
use crate::value::semver::Version;
use crate::value::time::Time;
use crate::value::{Elem, MapType, Value};

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
            (MapType::Values, "Table") => method!([Type::Str], table),
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
        Value::Object(object) => object_method(object, name),
        _ => None,
    }
}

fn object_method(object: &Object, name: &str) -> Option<&'static Method> {
    fn unpack(value: &Value) -> &Object {
        match value {
            Value::Object(object) => object,
            _ => &Object::HelmVersion,
        }
    }
    fn version(value: &Value) -> Option<&Version> {
        match unpack(value) {
            Object::Version(v) => Some(v),
            _ => None,
        }
    }
    fn number(value: &Value, index: usize) -> Value {
        let n = version(value).map_or(0, |v| v.numbers[index]);
        Value::Int(n as i64, crate::value::IntKind::Uint64)
    }
    fn time_of(value: &Value) -> Time {
        match unpack(value) {
            Object::Time(t) => *t,
            _ => Time::default(),
        }
    }
    match (object, name) {
        (Object::KubeVersion(_), "String") => {
            method!([], |v, _| Ok(Value::str(unpack(v).print())))
        }
        (Object::KubeVersion(_), "GitVersion") => {
            method!([], |v, _| Ok(unpack(v).field("Version").unwrap_or_default()))
        }
        (Object::Version(_), "Major") => method!([], |v, _| Ok(number(v, 0))),
        (Object::Version(_), "Minor") => method!([], |v, _| Ok(number(v, 1))),
        (Object::Version(_), "Patch") => method!([], |v, _| Ok(number(v, 2))),
        (Object::Version(_), "Prerelease") => {
            method!([], |v, _| Ok(Value::str(
                version(v).map_or("", |v| v.pre.as_str())
            )))
        }
        (Object::Version(_), "Metadata") => {
            method!([], |v, _| Ok(Value::str(
                version(v).map_or("", |v| v.build.as_str())
            )))
        }
        (Object::Version(_), "Original") => {
            method!([], |v, _| Ok(Value::str(
                version(v).map_or("", |v| v.original.as_str())
            )))
        }
        (Object::Version(_), "String") => method!([], |v, _| Ok(Value::str(unpack(v).print()))),
        (Object::Version(_), "Compare") => method!([Type::Any], |v, a| order(version(v), version(&a[0]))
            .map(|o| Value::int(o as i64))),
        (Object::Version(_), "Equal") => method!([Type::Any], |v, a| order(version(v), version(&a[0]))
            .map(|o| Value::Bool(o.is_eq()))),
        (Object::Version(_), "LessThan") => method!([Type::Any], |v, a| order(version(v), version(&a[0]))
            .map(|o| Value::Bool(o.is_lt()))),
        (Object::Version(_), "GreaterThan") => method!([Type::Any], |v, a| order(version(v), version(&a[0]))
            .map(|o| Value::Bool(o.is_gt()))),
        (Object::Time(_), "Unix") => method!([], |v, _| Ok(Value::int64(time_of(v).unix()))),
        (Object::Time(_), "UnixNano") => method!([], |v, _| Ok(Value::int64(time_of(v).nanos as i64))),
        (Object::Time(_), "Year") => method!([], |v, _| Ok(Value::int(time_of(v).civil().year))),
        (Object::Time(_), "Month") => method!([], |v, _| Ok(object_value(Object::Month(
            time_of(v).civil().month
        )))),
        (Object::Time(_), "Day") => method!([], |v, _| Ok(Value::int(i64::from(time_of(v).civil().day)))),
        (Object::Time(_), "Hour") => method!([], |v, _| Ok(Value::int(i64::from(time_of(v).civil().hour)))),
        (Object::Time(_), "Minute") => {
            method!([], |v, _| Ok(Value::int(i64::from(time_of(v).civil().minute))))
        }
        (Object::Time(_), "Second") => {
            method!([], |v, _| Ok(Value::int(i64::from(time_of(v).civil().second))))
        }
        (Object::Time(_), "YearDay") => {
            method!([], |v, _| Ok(Value::int(i64::from(time_of(v).civil().year_day))))
        }
        (Object::Time(_), "Weekday") => {
            method!([], |v, _| Ok(object_value(Object::Weekday(
                time_of(v).civil().weekday
            ))))
        }
        (Object::Time(_), "UTC") => {
            method!([], |v, _| Ok(object_value(Object::Time(Time {
                utc: true,
                ..time_of(v)
            }))))
        }
        (Object::Time(_), "IsZero") => method!([], |v, _| Ok(Value::Bool(time_of(v).is_zero()))),
        (Object::Time(_), "String") => method!([], |v, _| Ok(Value::str(time_of(v).to_string()))),
        (Object::Time(_), "Format") => method!([Type::Str], |v, a| {
            Ok(Value::str(time_of(v).format(a[0].as_str().unwrap_or_default())))
        }),
        (Object::Duration(_) | Object::Month(_) | Object::Weekday(_), "String") => {
            method!([], |v, _| Ok(Value::str(unpack(v).print())))
        }
        (Object::Duration(_), "Seconds") => {
            method!([], |v, _| Ok(Value::Float(unpack(v).integer() as f64 / 1e9)))
        }
        (Object::Duration(_), "Minutes") => {
            method!([], |v, _| Ok(Value::Float(unpack(v).integer() as f64 / 60e9)))
        }
        (Object::Duration(_), "Hours") => {
            method!([], |v, _| Ok(Value::Float(unpack(v).integer() as f64 / 3600e9)))
        }
        (Object::Duration(_), "Milliseconds") => {
            method!([], |v, _| Ok(Value::int64(unpack(v).integer() / 1_000_000)))
        }
        _ => None,
    }
}

fn order(a: Option<&Version>, b: Option<&Version>) -> Result<std::cmp::Ordering, String> {
    match (a, b) {
        (Some(a), Some(b)) => Ok(a.order(b)),
        _ => Err("wrong type for value; expected *semver.Version".into()),
    }
}

fn file(files: &Value, name: &Value) -> Value {
    match (files, name.as_str()) {
        (Value::Map(map), Some(name)) => map.get(name).unwrap_or_else(|| Value::str("")),
        _ => Value::str(""),
    }
}

fn table(values: &Value, a: &[Value]) -> Result<Value, String> {
    let path = a[0].as_str().unwrap_or_default();
    let mut value = values.clone();
    for part in path.split('.') {
        value = match &value {
            Value::Map(map) => map.get(part).unwrap_or_default(),
            _ => Value::Invalid,
        };
        if !matches!(value, Value::Map(_)) {
            return Err(format!("{} is not a table", crate::value::gofmt::quote(path)));
        }
    }
    Ok(match value {
        Value::Map(map) => Value::Map(map.with_type(MapType::Values)),
        other => other,
    })
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
