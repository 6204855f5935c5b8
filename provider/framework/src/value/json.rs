//! Values in JSON, as they stand in state files.

use serde_json::Value as Json;

use super::{MAX_DEPTH, Type, Value, WireError};
use crate::path::Here;

impl Value {
    /// Reads the natural JSON of a value of the type. A missing attribute is null, one that the type does not know is an
    /// error. Text in place of a number or bool, and the reverse, is taken as Terraform takes it.
    ///
    /// # Errors
    /// Where the JSON has no place in the type.
    pub fn from_json(json: &Json, ty: &Type) -> Result<Self, WireError> {
        read(json, ty, &Here::Root, 0)
    }

    /// The natural JSON of a value of the type.
    ///
    /// # Errors
    /// Where something is unknown, or the value is none of the type.
    pub fn to_json(&self, ty: &Type) -> Result<Json, WireError> {
        write(self, ty, &Here::Root)
    }
}

fn read(json: &Json, ty: &Type, at: &Here<'_>, depth: usize) -> Result<Value, WireError> {
    if depth > MAX_DEPTH {
        return Err(WireError::new(at, "nested too deeply"));
    }
    let wrong = || WireError::new(at, format!("{ty} expected, got {}", word(json)));
    let deeper = depth + 1;
    match (ty, json) {
        (_, Json::Null) => Ok(Value::Null),
        (Type::Bool, Json::Bool(value)) => Ok(Value::Bool(*value)),
        (Type::Bool, Json::String(text)) => match text.as_str() {
            "true" | "1" => Ok(Value::Bool(true)),
            "false" | "0" => Ok(Value::Bool(false)),
            _ => Err(wrong()),
        },
        (Type::Number, Json::Number(number)) => {
            number.to_string().parse().map(Value::Number).map_err(|_| wrong())
        }
        (Type::Number, Json::String(text)) => text.parse().map(Value::Number).map_err(|_| wrong()),
        (Type::String, Json::String(text)) => Ok(Value::string(text)),
        (Type::String, Json::Number(number)) => {
            let number: super::Number = number.to_string().parse().map_err(|_| wrong())?;
            Ok(Value::string(number.to_string()))
        }
        (Type::String, Json::Bool(value)) => Ok(Value::string(value.to_string())),
        (Type::Dynamic, Json::Object(both)) => {
            let (Some(ty), Some(value)) = (both.get("type"), both.get("value")) else {
                return Err(wrong());
            };
            let ty = Type::from_json(ty).map_err(|e| WireError::new(at, e.to_string()))?;
            let value = read(value, &ty, at, deeper)?;
            Ok(Value::Dynamic(Box::new((ty, value))))
        }
        (Type::List(of), Json::Array(all)) => elements(all, |_| of, at, deeper).map(Value::list),
        (Type::Set(of), Json::Array(all)) => {
            let all: Result<_, _> = all
                .iter()
                .map(|json| read(json, of, &at.element(), deeper))
                .collect();
            all.map(Value::set)
        }
        (Type::Tuple(of), Json::Array(all)) if of.len() == all.len() => {
            elements(all, |i| &of[i], at, deeper).map(Value::tuple)
        }
        (Type::Map(of), Json::Object(all)) => {
            let all: Result<_, _> = all
                .iter()
                .map(|(k, json)| Ok((super::nfc(k), read(json, of, &at.key(k), deeper)?)))
                .collect();
            all.map(Value::Map)
        }
        (Type::Object(of), Json::Object(all)) => {
            if let Some(foreign) = all.keys().find(|name| !of.contains_key(*name)) {
                return Err(WireError::new(&at.attribute(foreign), "not in the schema"));
            }
            let attribute = |(name, ty): (&String, &Type)| {
                let json = all.get(name).unwrap_or(&Json::Null);
                Ok((name.clone(), read(json, ty, &at.attribute(name), deeper)?))
            };
            of.iter()
                .map(attribute)
                .collect::<Result<_, _>>()
                .map(Value::Object)
        }
        _ => Err(wrong()),
    }
}

fn elements<'a>(
    all: &[Json],
    ty: impl Fn(usize) -> &'a Type,
    at: &Here<'_>,
    depth: usize,
) -> Result<Vec<Value>, WireError> {
    all.iter()
        .enumerate()
        .map(|(i, json)| read(json, ty(i), &at.index(i), depth))
        .collect()
}

fn word(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "a bool",
        Json::Number(_) => "a number",
        Json::String(_) => "a string",
        Json::Array(_) => "an array of another length or kind",
        Json::Object(_) => "an object",
    }
}

fn write(value: &Value, ty: &Type, at: &Here<'_>) -> Result<Json, WireError> {
    match (value, ty) {
        (Value::Null, _) => Ok(Json::Null),
        (Value::Unknown(_), _) => Err(WireError::new(at, "an unknown value has no JSON")),
        (Value::Bool(value), Type::Bool) => Ok(Json::Bool(*value)),
        (Value::Number(number), Type::Number) => number
            .to_string()
            .parse()
            .map(Json::Number)
            .map_err(|_| WireError::new(at, format!("{number} has no JSON"))),
        (Value::String(text), Type::String) => Ok(Json::String(text.to_string())),
        (Value::Dynamic(inner), Type::Dynamic) => {
            let (ty, value) = &**inner;
            Ok(serde_json::json!({ "value": write(value, ty, at)?, "type": ty.to_json() }))
        }
        (other, Type::Dynamic) => write(&other.clone().into_dynamic(), ty, at),
        (Value::List(all), Type::List(of)) => all
            .iter()
            .enumerate()
            .map(|(i, v)| write(v, of, &at.index(i)))
            .collect::<Result<_, _>>()
            .map(Json::Array),
        (Value::Set(all), Type::Set(of)) => all
            .iter()
            .map(|v| write(v, of, &at.element()))
            .collect::<Result<_, _>>()
            .map(Json::Array),
        (Value::Tuple(all), Type::Tuple(of)) if all.len() == of.len() => {
            let all: Result<_, _> = all
                .iter()
                .zip(of)
                .enumerate()
                .map(|(i, (v, ty))| write(v, ty, &at.index(i)))
                .collect();
            all.map(Json::Array)
        }
        (Value::Map(all), Type::Map(of)) => {
            let all: Result<_, _> = all
                .iter()
                .map(|(k, v)| Ok((k.clone(), write(v, of, &at.key(k))?)))
                .collect();
            all.map(Json::Object)
        }
        (Value::Object(all), Type::Object(of)) => {
            let all: Result<_, _> = of
                .iter()
                .map(|(n, ty)| {
                    Ok((
                        n.clone(),
                        write(all.get(n).unwrap_or(&Value::Null), ty, &at.attribute(n))?,
                    ))
                })
                .collect();
            all.map(Json::Object)
        }
        _ => Err(WireError::new(at, format!("{ty} expected, got {}", value.kind()))),
    }
}
