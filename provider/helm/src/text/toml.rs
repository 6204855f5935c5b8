//! TOML as helm's library writes and reads it.

use crate::value::Value;
use crate::value::gofmt;

/// Encodes a map: plain values first, then tables, keys sorted.
///
/// # Errors
/// What TOML cannot hold.
pub fn encode(value: &Value) -> Result<String, String> {
    if value.is_nil() {
        return Err("reflect: call of reflect.Value.Type on zero Value".into());
    }
    let mut out = String::new();
    if !matches!(value, Value::Map(_)) {
        inline(&mut out, value, 0)?;
        return Ok(out);
    }
    table(&mut out, value, &mut Vec::new(), 0)?;
    Ok(out)
}

/// Deepest nesting: a dictionary can contain itself.
const MAX_DEPTH: usize = 500;

fn is_table(value: &Value) -> bool {
    match value {
        Value::Map(_) => true,
        Value::List(list) => {
            !list.items.is_empty() && list.items.iter().all(|item| matches!(item, Value::Map(_)))
        }
        _ => false,
    }
}

fn key_text(key: &str) -> String {
    let bare = !key.is_empty()
        && key
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if bare { key.to_owned() } else { string(key) }
}

fn string(s: &str) -> String {
    let mut out = String::from('"');
    for c in s.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            c if (c as u32) < 0x20 || c as u32 == 0x7f => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn table(out: &mut String, value: &Value, path: &mut Vec<String>, depth: usize) -> Result<(), String> {
    if depth > MAX_DEPTH {
        return Err("toml: nested too deeply".into());
    }
    let Value::Map(map) = value else { return Ok(()) };
    let entries = map.snapshot();
    let indent = "  ".repeat(path.len());
    for (key, item) in entries.iter().filter(|(_, v)| !is_table(v) && !v.is_nil()) {
        out.push_str(&indent);
        out.push_str(&key_text(key));
        out.push_str(" = ");
        inline(out, item, depth)?;
        out.push('\n');
    }
    for (key, item) in entries.iter().filter(|(_, v)| is_table(v)) {
        path.push(key_text(key));
        let indent = "  ".repeat(path.len() - 1);
        let name = path.join(".");
        match item {
            Value::List(list) => {
                for element in list.items.iter() {
                    if !out.is_empty() {
                        out.push('\n');
                    }
                    out.push_str(&format!("{indent}[[{name}]]\n"));
                    table(out, element, path, depth + 1)?;
                }
            }
            item => {
                if !out.is_empty() && path.len() == 1 {
                    out.push('\n');
                }
                out.push_str(&format!("{indent}[{name}]\n"));
                table(out, item, path, depth + 1)?;
            }
        }
        path.pop();
    }
    Ok(())
}

fn inline(out: &mut String, value: &Value, depth: usize) -> Result<(), String> {
    if depth > MAX_DEPTH {
        return Err("toml: nested too deeply".into());
    }
    match value {
        Value::Str(s) => out.push_str(&string(s)),
        Value::Float(f) => {
            let text = if f.is_nan() {
                "nan".to_owned()
            } else if f.is_infinite() {
                if *f > 0.0 { "+inf".into() } else { "-inf".into() }
            } else {
                let text = format!("{f}");
                if text.contains('.') {
                    text
                } else {
                    format!("{text}.0")
                }
            };
            out.push_str(&text);
        }
        Value::List(list) => {
            out.push('[');
            for (index, item) in list.items.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                if item.is_nil() {
                    return Err("toml: cannot encode array with nil element".into());
                }
                inline(out, item, depth + 1)?;
            }
            out.push(']');
        }
        Value::Map(map) => {
            out.push('{');
            for (index, (key, item)) in map.snapshot().iter().filter(|(_, v)| !v.is_nil()).enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                out.push_str(&key_text(key));
                out.push_str(" = ");
                inline(out, item, depth + 1)?;
            }
            out.push('}');
        }
        other => out.push_str(&gofmt::text(other)),
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
