//! Values of a chart as Terraform gives them: laid over others, and with placeholders for what is not known yet.

use std::collections::BTreeMap;

use framework::{Type, Value};
use serde_json::Value as Json;

/// The value of JSON.
pub fn from_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(is) => Value::Bool(*is),
        Json::Number(number) => number.to_string().parse().map_or(Value::Null, Value::Number),
        Json::String(text) => Value::string(text),
        Json::Array(list) => Value::tuple(list.iter().map(from_json)),
        Json::Object(fields) => Value::object(
            fields
                .iter()
                .map(|(name, value)| (name.clone(), from_json(value))),
        ),
    }
}

/// The same as objects and tuples alone, as values of a chart are. What is not known keeps its type, where that is known.
pub fn untyped(value: &Value, of: &Type) -> Value {
    let entries = |entries: &BTreeMap<String, Value>, of: &dyn Fn(&str) -> Type| {
        let entries = entries.iter();
        Value::object(entries.map(|(name, value)| (name.clone(), untyped(value, &of(name)))))
    };
    match (value, of) {
        (Value::Dynamic(inner), _) => untyped(&inner.1, &inner.0),
        (Value::Unknown(_), Type::Dynamic) => value.clone(),
        (Value::Unknown(_), of) => Value::Dynamic(Box::new((of.clone(), value.clone()))),
        (Value::Object(fields), Type::Object(types)) => {
            entries(fields, &|name| types.get(name).cloned().unwrap_or(Type::Dynamic))
        }
        (Value::Object(fields) | Value::Map(fields), of) => {
            let of = if let Type::Map(of) = of {
                of
            } else {
                &Type::Dynamic
            };
            entries(fields, &|_| of.clone())
        }
        (Value::Tuple(list), Type::Tuple(types)) if list.len() == types.len() => {
            Value::tuple(list.iter().zip(types).map(|(value, of)| untyped(value, of)))
        }
        (Value::List(list) | Value::Set(list) | Value::Tuple(list), of) => {
            let of = if let Type::List(of) | Type::Set(of) = of {
                of
            } else {
                &Type::Dynamic
            };
            Value::tuple(list.iter().map(|value| untyped(value, of)))
        }
        _ => value.clone(),
    }
}

/// Lays values over others, as helm does with several files: objects entry by entry, all else as a whole. Both are [`untyped`].
#[must_use]
pub fn over(base: Value, over: Value) -> Value {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            let mut all = base.into_inner();
            for (name, value) in over.into_inner() {
                let below = all.remove(&name).unwrap_or(Value::Null);
                all.insert(name, self::over(below, value));
            }
            Value::object(all)
        }
        (_, over) => over,
    }
}

/// The value, which is [`untyped`], with a placeholder where something is not known; with another one for `other`. None where not even
/// the form is known of what is missing.
pub fn with_placeholders(value: &Value, other: bool) -> Option<Value> {
    Some(match value {
        Value::Dynamic(inner) => match inner.0 {
            Type::Bool => Value::Bool(other),
            Type::Number => Value::Number(if other { 3i64.into() } else { 2i64.into() }),
            Type::String => with_placeholders(&inner.1, other)?,
            _ => return None,
        },
        Value::Unknown(known) => {
            let prefix = known.as_ref().and_then(|known| known.prefix.clone());
            let end = if other { "b" } else { "a" };
            Value::string(format!("{}unknown-{end}", prefix.unwrap_or_default()))
        }
        Value::Object(fields) => {
            let mut all = BTreeMap::new();
            for (name, value) in fields.iter() {
                all.insert(name.clone(), with_placeholders(value, other)?);
            }
            Value::object(all)
        }
        Value::Tuple(list) => {
            let all: Option<Vec<Value>> = list.iter().map(|value| with_placeholders(value, other)).collect();
            Value::tuple(all?)
        }
        _ => value.clone(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_known_gets_two_placeholders_of_its_type() {
        let unknown = || Value::Unknown(None);
        let types = Type::object([("replicas", Type::Number), ("names", Type::list(Type::String))]);
        let given = Value::object([
            ("replicas", unknown()),
            ("names", Value::list([Value::string("a"), unknown()])),
        ]);
        let given = untyped(&Value::Dynamic(Box::new((types, given))), &Type::Dynamic);
        let base = from_json(&json!({"replicas": 1, "image": {"tag": "v1"}}));
        let all = over(base, given);
        let shown = |other| {
            let value = with_placeholders(&all, other).unwrap();
            value.to_json(&value.infer_type()).unwrap()
        };
        let expected = |replicas: i64, end: &str| json!({"replicas": replicas, "names": ["a", format!("unknown-{end}")], "image": {"tag": "v1"}});
        assert_eq!(shown(false), expected(2, "a"));
        assert_eq!(shown(true), expected(3, "b"));
        let of_objects = Value::Dynamic(Box::new((Type::map(Type::String), unknown())));
        assert_eq!(
            with_placeholders(&untyped(&of_objects, &Type::Dynamic), false),
            None
        );
    }
}
