//! TOML as helm's library writes and reads it.

use std::sync::Arc;

use crate::value::object::{Object, file_bytes};
use crate::value::{Elem, MapType, Value, deeper, gofmt};

/// Encodes a map: plain values first, then tables, keys sorted.
///
/// # Errors
/// What TOML cannot hold.
pub fn encode(value: &Value) -> Result<Value, String> {
    if value.is_nil() {
        return Err("reflect: call of reflect.Value.Type on zero Value".into());
    }
    let mut out = Vec::new();
    match Shape::of(value, 0)? {
        Shape::Tables => return Err("toml: top-level values must be Go maps or structs".into()),
        Shape::Table => table(&mut out, value, &mut Vec::new())?,
        Shape::Inline if is_nil(value) && matches!(value, Value::Map(_)) => {}
        Shape::Inline => inline(&mut out, value)?,
    }
    Ok(Value::text(out))
}

/// Deepest nesting: a dictionary can contain itself.
const MAX_DEPTH: usize = 1_000;

/// How a value is written under a key of a table.
enum Shape {
    Inline,
    Table,
    Tables,
}

impl Shape {
    fn of(value: &Value, depth: usize) -> Result<Shape, String> {
        if depth > MAX_DEPTH {
            return Err("toml: nested too deeply".into());
        }
        if is_nil(value) {
            return Ok(Shape::Inline);
        }
        Ok(match value {
            Value::Map(_) => Shape::Table,
            Value::Object(object) if object.go_fields().is_some() => Shape::Table,
            Value::List(list) => {
                let mut tables = !list.items.is_empty();
                for item in list.items.iter() {
                    if is_nil(item) {
                        return Err("toml: cannot encode array with nil element".into());
                    }
                    tables &= matches!(deeper(|| Shape::of(item, depth + 1))?, Shape::Table);
                }
                if tables { Shape::Tables } else { Shape::Inline }
            }
            _ => Shape::Inline,
        })
    }
}

fn is_nil(value: &Value) -> bool {
    match value {
        Value::List(list) => matches!(list.elem, Elem::NilAny | Elem::NilStr),
        Value::Map(map) => map.is_empty() && matches!(map.ty, MapType::NilAny | MapType::NilStr),
        other => other.is_nil(),
    }
}

fn key_text(key: &str) -> Vec<u8> {
    let bare = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    let mut out = key.as_bytes().to_vec();
    if key.is_empty() || !key.bytes().all(bare) {
        out.clear();
        string(&mut out, key.as_bytes());
    }
    out
}

fn string(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    for byte in text {
        match byte {
            b'"' => out.extend(b"\\\""),
            b'\\' => out.extend(b"\\\\"),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\t' => out.extend(b"\\t"),
            8 => out.extend(b"\\b"),
            12 => out.extend(b"\\f"),
            0..0x20 | 0x7f => out.extend(format!("\\u{byte:04x}").bytes()),
            byte => out.push(*byte),
        }
    }
    out.push(b'"');
}

/// The entries of a map or of a struct: those in a line, and the tables. A map's are sorted, a struct's in its order, with
/// the place of the field.
struct Fields {
    inline: Vec<(usize, Arc<str>, Value)>,
    tables: Vec<(usize, Arc<str>, Value)>,
    /// Number of fields that are not hidden, if it is a struct.
    fields: Option<usize>,
}

fn fields(value: &Value) -> Result<Fields, String> {
    let mut out = Fields {
        inline: Vec::new(),
        tables: Vec::new(),
        fields: None,
    };
    let entries: Vec<(Arc<str>, Value)> = match value {
        Value::Map(map) if map.ty == MapType::Files => {
            let files = map.snapshot().into_iter();
            files
                .map(|(name, content)| (name, file_bytes(&content)))
                .collect()
        }
        Value::Map(map) => map.snapshot().into_iter().collect(),
        Value::Object(object) => {
            let fields = object.go_fields().unwrap_or_default();
            out.fields = Some(fields.len());
            fields
                .into_iter()
                .map(|(name, value)| (name.into(), value))
                .collect()
        }
        _ => Vec::new(),
    };
    // The second field of a version of Kubernetes is hidden, and counts as a place.
    let hidden = matches!(value, Value::Object(object) if matches!(**object, Object::KubeVersion(_) | Object::KubeVersionCopy(_)));
    for (mut at, (key, item)) in entries.into_iter().enumerate() {
        at += usize::from(hidden && at > 0);
        match Shape::of(&item, 0)? {
            Shape::Inline => out.inline.push((at, key, item)),
            Shape::Table | Shape::Tables => out.tables.push((at, key, item)),
        }
    }
    Ok(out)
}

fn table(out: &mut Vec<u8>, value: &Value, path: &mut Vec<Vec<u8>>) -> Result<(), String> {
    if path.len() > MAX_DEPTH {
        return Err("toml: nested too deeply".into());
    }
    let fields = fields(value)?;
    let indent = |out: &mut Vec<u8>, depth: usize| out.extend(std::iter::repeat_n(b' ', 2 * depth));
    for (_, key, item) in fields.inline.iter().filter(|(_, _, item)| !is_nil(item)) {
        indent(out, path.len());
        out.extend(key_text(key));
        out.extend(b" = ");
        inline(out, item)?;
        out.push(b'\n');
    }
    for (_, key, item) in fields.tables {
        path.push(key_text(&key));
        let several = match &item {
            Value::List(list) => Some(list.items.to_vec()),
            _ => None,
        };
        let brackets = if several.is_some() { 2 } else { 1 };
        for element in several.as_ref().unwrap_or(&vec![item]) {
            if !out.is_empty() && (several.is_some() || path.len() == 1) {
                out.push(b'\n');
            }
            indent(out, path.len() - 1);
            out.extend(std::iter::repeat_n(b'[', brackets));
            out.extend(path.join(&b'.'));
            out.extend(std::iter::repeat_n(b']', brackets));
            out.push(b'\n');
            deeper(|| table(out, element, path))?;
        }
        path.pop();
    }
    Ok(())
}

fn inline(out: &mut Vec<u8>, value: &Value) -> Result<(), String> {
    match value {
        Value::Str(_) | Value::Raw(_) => string(out, value.string_bytes().unwrap_or_default()),
        Value::Float(f) => {
            let text = if f.is_nan() {
                "nan".to_owned()
            } else if f.is_infinite() {
                if *f > 0.0 { "inf".into() } else { "-inf".into() }
            } else {
                gofmt::format_g(*f, 6)
            };
            out.extend(text.bytes());
            if text.bytes().all(|b| b.is_ascii_digit() || b == b'-') {
                out.extend(b".0");
            }
        }
        Value::List(_) | Value::Bytes(_) => {
            out.push(b'[');
            for (index, item) in value.items().iter().flat_map(|items| items.iter()).enumerate() {
                if index > 0 {
                    out.extend(b", ");
                }
                deeper(|| inline(out, item))?;
            }
            out.push(b']');
        }
        Value::Object(object) if object.go_fields().is_none() => match **object {
            Object::Time(time) => out.extend(time.rfc3339().bytes()),
            Object::Month(_) | Object::Weekday(_) => out.extend(object.integer().to_string().bytes()),
            _ => string(out, object.print().as_bytes()),
        },
        Value::Map(_) | Value::Object(_) => {
            let Fields {
                inline: direct,
                tables,
                fields,
            } = fields(value)?;
            out.push(b'{');
            let count = direct.len() + tables.len();
            let entries = direct.into_iter().chain(tables).enumerate();
            for (index, (at, key, item)) in entries.filter(|(_, (_, _, item))| !is_nil(item)) {
                out.extend(key_text(&key));
                out.extend(b" = ");
                deeper(|| inline(out, &item))?;
                // A comma stands also before what is nil and left out, and before what a struct has written already.
                if fields.map_or(index + 1 < count, |fields| at + 1 != fields) {
                    out.extend(b", ");
                }
            }
            out.push(b'}');
        }
        other => out.extend(gofmt::text(other).bytes()),
    }
    Ok(())
}

/// Decodes a document; integers are `int64`, tables maps.
///
/// # Errors
/// What is wrong with the text.
pub fn decode(text: &str) -> Result<Value, String> {
    let document: toml::Table = text
        .parse()
        .map_err(|e: toml::de::Error| format!("toml: {}", e.message()))?;
    Ok(from_toml(&toml::Value::Table(document)))
}

fn from_toml(value: &toml::Value) -> Value {
    match value {
        toml::Value::String(s) => Value::str(s.as_str()),
        toml::Value::Integer(n) => Value::int64(*n),
        toml::Value::Float(f) => Value::Float(*f),
        toml::Value::Boolean(b) => Value::Bool(*b),
        // Go makes a time of a date; JSON and YAML show its beginning.
        toml::Value::Datetime(d) => Value::str(match (d.date, d.time) {
            (Some(date), None) => format!("{date}T00:00:00Z"),
            _ => d.to_string(),
        }),
        toml::Value::Array(items) => Value::list(items.iter().map(from_toml).collect()),
        toml::Value::Table(entries) => Value::map(entries.iter().map(|(k, v)| (k.as_str(), from_toml(v)))),
    }
}
