//! What of an object is shown: what Secrets hold, long texts and schemas by digest. Plans stay readable, states small, and values of
//! Secrets in the cluster alone. What is declared and what is live are seen through the same, so that they compare.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::types::Type;

/// What stands for a value that is shown nowhere, and compared by a version beside it.
pub(crate) const HIDDEN: &str = "(secret)";
/// Longer texts are shown by digest.
const LONG: usize = 1024;
/// How much of a text's first line is shown.
const LINE: usize = 60;

/// The object without values of Secrets and schemas.
pub(crate) fn shown(of: &Type, mut object: Value) -> Value {
    match (of.group.as_str(), of.kind.as_str()) {
        ("", "Secret") => hide_secrets(&mut object),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => {
            let versions = object["spec"]["versions"].as_array_mut();
            for version in versions.into_iter().flatten() {
                if let Some(schema) = version.get_mut("schema")
                    && schema.is_object()
                {
                    *schema = of_schema(schema).into();
                }
            }
        }
        _ => {}
    }
    object
}

/// The values of a Secret by digest; `stringData` is what `data` has in base64.
fn hide_secrets(object: &mut Value) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let place = format!(
        "{}/{}",
        text(&object["metadata"]["namespace"]),
        text(&object["metadata"]["name"])
    );
    let Some(fields) = object.as_object_mut() else {
        return;
    };
    let plain = fields.shift_remove("stringData");
    let mut data = match fields.get_mut("data") {
        Some(Value::Object(data)) => std::mem::take(data),
        _ => Map::new(),
    };
    for (name, value) in &mut data {
        let bytes = value.as_str().map(|text| {
            let bytes = STANDARD.decode(text.split_whitespace().collect::<String>());
            bytes.unwrap_or_else(|_| text.as_bytes().to_vec())
        });
        *value = of_secret(&place, name, value, bytes.as_deref());
    }
    if let Some(Value::Object(plain)) = plain {
        for (name, value) in plain {
            let bytes = value.as_str().map(str::as_bytes);
            data.insert(name.clone(), of_secret(&place, &name, &value, bytes));
        }
    }
    if !data.is_empty() || fields.contains_key("data") {
        fields.insert("data".to_owned(), data.into());
    }
}

/// Equal values of different Secrets differ.
fn of_secret(place: &str, name: &str, value: &Value, bytes: Option<&[u8]>) -> Value {
    match bytes {
        _ if value == HIDDEN => value.clone(),
        Some(bytes) => {
            let key = format!("{place}/{name}\0");
            format!("sha256:{}", hex(&[key.as_bytes(), bytes])).into()
        }
        // What no Secret can hold: the API refuses it.
        None => HIDDEN.into(),
    }
}

/// A long text by digest; none for what is shown as it is: what refers to other parts too, which the graph has to see.
pub(crate) fn of_text(text: &str) -> Option<String> {
    if text.len() <= LONG || text.contains('\0') {
        return None;
    }
    let line = text.lines().map(str::trim).find(|line| !line.is_empty());
    let line: String = line.unwrap_or_default().chars().take(LINE).collect();
    Some(format!(
        "sha256:{} ({} bytes, {line})",
        hex(&[text.as_bytes()]),
        text.len()
    ))
}

/// The value with its long texts by digest.
pub(crate) fn of_texts(value: &Value) -> Value {
    match value {
        Value::String(text) => of_text(text).map_or_else(|| value.clone(), Value::String),
        Value::Array(list) => list.iter().map(of_texts).collect(),
        Value::Object(map) => {
            let map = map.iter().map(|(name, value)| (name.clone(), of_texts(value)));
            Value::Object(map.collect())
        }
        other => other.clone(),
    }
}

fn of_schema(schema: &Value) -> String {
    let text = canonical(schema, false).map(|value| value.to_string());
    let text = text.unwrap_or_default();
    let fields = schema.pointer("/openAPIV3Schema/properties/spec/properties");
    let fields = fields.and_then(Value::as_object).map_or(0, Map::len);
    format!(
        "sha256:{} (schema, {fields} fields in spec)",
        hex(&[text.as_bytes()])
    )
}

/// A schema as the API gives it back: without what says nothing, names in order. None where nothing is left.
fn canonical(value: &Value, is_example: bool) -> Option<Value> {
    let says_nothing = |value: &Value| match value {
        Value::Null => true,
        Value::Bool(on) => !on,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    };
    if !is_example && says_nothing(value) {
        return None;
    }
    Some(match value {
        Value::Object(map) => {
            let mut names: Vec<&String> = map.keys().collect();
            names.sort();
            let entries = names.into_iter().filter_map(|name| {
                // A default of `false` says something.
                let is_example = is_example || matches!(name.as_str(), "default" | "example" | "enum");
                let value = canonical(map.get(name)?, is_example)?;
                let is_empty = value.as_object().is_some_and(Map::is_empty);
                let is_nothing = !is_example && is_empty && name == "properties";
                (!is_nothing).then(|| (name.clone(), value))
            });
            Value::Object(entries.collect())
        }
        Value::Array(list) => list
            .iter()
            .map(|value| canonical(value, true).unwrap_or_default())
            .collect(),
        Value::Number(number) => match number.as_f64() {
            // `1.0` is `1`.
            Some(float) if float.fract() == 0.0 && float.abs() < 1e15 => Value::from(float as i64),
            _ => value.clone(),
        },
        other => other.clone(),
    })
}

/// The beginning of the SHA-256 of the pieces.
fn hex(pieces: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    pieces.iter().for_each(|piece| hash.update(piece));
    let bytes = hash.finalize();
    bytes.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// The object with [`HIDDEN`] wherever the other one, of the same form, has another value.
pub(crate) fn hidden_where_they_differ(plain: &Value, other: &Value) -> Value {
    match (plain, other) {
        (Value::Object(plain), Value::Object(other)) if plain.keys().eq(other.keys()) => {
            let entries = plain.iter().zip(other.values());
            let entries =
                entries.map(|((name, plain), other)| (name.clone(), hidden_where_they_differ(plain, other)));
            Value::Object(entries.collect())
        }
        (Value::Array(plain), Value::Array(other)) if plain.len() == other.len() => {
            let entries = plain.iter().zip(other);
            entries
                .map(|(plain, other)| hidden_where_they_differ(plain, other))
                .collect()
        }
        (plain, other) if plain == other => plain.clone(),
        _ => HIDDEN.into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_secret_holds_shows_as_a_digest_of_its_place_and_value() {
        let of = Type::parse("v1/Secret");
        let secret = |name: &str, fields: Value| {
            let mut object = json!({"metadata": {"namespace": "a", "name": name}, "type": "Opaque"});
            object
                .as_object_mut()
                .unwrap()
                .extend(fields.as_object().unwrap().clone());
            shown(&of, object)
        };
        let plain = secret("one", json!({"stringData": {"password": "hunter2"}}));
        let encoded = secret("one", json!({"data": {"password": "aHVudGVyMg=="}}));
        assert_eq!(plain, encoded, "`stringData` is `data`");
        assert!(!plain.to_string().contains("hunter") && plain["type"] == "Opaque");
        let digest = plain["data"]["password"].as_str().unwrap();
        assert!(digest.starts_with("sha256:") && digest.len() == 39, "{digest}");
        let other = secret("two", json!({"data": {"password": "aHVudGVyMg=="}}));
        assert_ne!(other["data"]["password"], plain["data"]["password"]);
        let both = secret(
            "one",
            json!({"data": {"a": "eA=="}, "stringData": {"b": "y", "c": HIDDEN}}),
        );
        assert_eq!(both["data"].as_object().unwrap().len(), 3);
        assert_eq!(both["data"]["c"], HIDDEN);
    }

    #[test]
    fn long_texts_show_as_a_digest_and_a_line() {
        assert_eq!(of_text("short"), None);
        let long = format!("\nfirst line\n{}", "x".repeat(2000));
        let shown = of_text(&long).unwrap();
        assert!(
            shown.starts_with("sha256:") && shown.ends_with(" (2012 bytes, first line)"),
            "{shown}"
        );
        let referring = format!("\0{long}");
        assert_eq!(
            of_text(&referring),
            None,
            "the graph has to see what it refers to"
        );
        let value = of_texts(&json!({"a": [long], "b": 1}));
        assert_eq!(value, json!({"a": [shown], "b": 1}));
    }

    #[test]
    fn a_schema_shows_as_a_digest_of_what_it_says() {
        let definition = |schema: Value| {
            let object =
                json!({"spec": {"versions": [{"name": "v1", "schema": {"openAPIV3Schema": schema}}]}});
            shown(
                &Type::parse("apiextensions.k8s.io/v1/CustomResourceDefinition"),
                object,
            )["spec"]["versions"][0]["schema"]
                .clone()
        };
        let one = definition(
            json!({"type": "object", "properties": {"spec": {"properties": {"a": {"type": "integer", "minimum": 1.0}}}}}),
        );
        assert!(
            one.as_str().unwrap().ends_with("(schema, 1 fields in spec)"),
            "{one}"
        );
        let same = definition(
            json!({"properties": {"spec": {"properties": {"a": {"minimum": 1, "type": "integer", "description": ""}}}}, "type": "object", "required": []}),
        );
        assert_eq!(one, same);
        let other = definition(
            json!({"type": "object", "properties": {"spec": {"properties": {"a": {"type": "integer", "minimum": 1, "default": 0}}}}}),
        );
        assert_ne!(one, other);
    }

    #[test]
    fn what_differs_between_two_renderings_is_hidden() {
        let plain = json!({"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "x"}], "n": 1});
        let with = json!({"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "y"}], "n": 1});
        let hidden = hidden_where_they_differ(&plain, &with);
        assert_eq!(
            hidden,
            json!({"env": [{"name": "A", "value": "1"}, {"name": "B", "value": HIDDEN}], "n": 1})
        );
    }
}
