//! JSON as Go writes and reads it.

use crate::gofmt;
use crate::value::{Elem, Value};

/// Deepest nesting: a dictionary can contain itself.
const MAX_DEPTH: usize = 250;

/// `json.Marshal`, with or without the escapes that make it safe inside of HTML.
///
/// # Errors
/// Numbers that JSON lacks, nesting without end.
pub fn encode(value: &Value, html: bool) -> Result<String, String> {
    let mut out = String::new();
    write(&mut out, value, html, None, 0)?;
    Ok(out)
}

/// `json.MarshalIndent` with two spaces.
///
/// # Errors
/// As for [`encode`].
pub fn pretty(value: &Value) -> Result<String, String> {
    let mut out = String::new();
    write(&mut out, value, true, Some(0), 0)?;
    Ok(out)
}

/// `json.Unmarshal` into an `interface {}`.
///
/// # Errors
/// What is wrong with the text.
pub fn decode(text: &str) -> Result<Value, String> {
    if text.trim().is_empty() {
        return Err("unexpected end of JSON input".into());
    }
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(json) => Ok(Value::from_json(&json)),
        Err(error) if error.is_eof() => Err("unexpected end of JSON input".into()),
        Err(error) => Err(syntax_error(text, &error)),
    }
}

/// Go names the character at which it gave up.
fn syntax_error(text: &str, error: &serde_json::Error) -> String {
    let line = text
        .split_inclusive('\n')
        .nth(error.line().saturating_sub(1))
        .unwrap_or("");
    let c = line
        .get(error.column().saturating_sub(1)..)
        .and_then(|rest| rest.chars().next())
        .unwrap_or(' ');
    let looking = if error.to_string().contains("trailing") {
        "after top-level value"
    } else if error.to_string().contains("key must be") {
        "looking for beginning of object key string"
    } else {
        "looking for beginning of value"
    };
    format!("invalid character '{c}' {looking}")
}

/// A number as `encoding/json` prints a `float64`.
pub fn number(f: f64) -> Result<String, String> {
    if !f.is_finite() {
        return Err(format!("json: unsupported value: {}", gofmt::float(f)));
    }
    let magnitude = f.abs();
    if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        let text = gofmt::format_g(f, 21);
        // One-digit exponents lose their zero.
        return Ok(text.replace("e-0", "e-").replace("e+0", "e+"));
    }
    Ok(format!("{f}"))
}

fn newline(out: &mut String, indent: Option<usize>) {
    if let Some(indent) = indent {
        out.push('\n');
        out.extend(std::iter::repeat_n(' ', 2 * indent));
    }
}

fn write(
    out: &mut String,
    value: &Value,
    html: bool,
    indent: Option<usize>,
    depth: usize,
) -> Result<(), String> {
    if depth > MAX_DEPTH {
        return Err("json: unsupported value: encountered a cycle".into());
    }
    let inner = indent.map(|i| i + 1);
    match value {
        Value::Invalid | Value::Nil => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Int(..) => out.push_str(&gofmt::text(value)),
        Value::Float(f) => out.push_str(&number(*f)?),
        Value::Str(s) => string(out, s, html),
        Value::Raw(b) => string(out, &String::from_utf8_lossy(b), html),
        Value::Bytes(b) => {
            use base64::Engine;
            string(out, &base64::engine::general_purpose::STANDARD.encode(b), html);
        }
        Value::List(list) => {
            if list.items.is_empty() {
                out.push_str(if matches!(list.elem, Elem::NilAny | Elem::NilStr) {
                    "null"
                } else {
                    "[]"
                });
                return Ok(());
            }
            out.push('[');
            for (index, item) in list.items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                newline(out, inner);
                write(out, item, html, inner, depth + 1)?;
            }
            newline(out, indent);
            out.push(']');
        }
        Value::Map(map) => {
            if map.is_empty() {
                out.push_str("{}");
                return Ok(());
            }
            out.push('{');
            let files = map.ty == crate::value::MapType::Files;
            for (index, (key, item)) in map.snapshot().iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                newline(out, inner);
                string(out, key, html);
                out.push_str(if indent.is_some() { ": " } else { ":" });
                let bytes = if files {
                    crate::object::file_bytes(item)
                } else {
                    item.clone()
                };
                write(out, &bytes, html, inner, depth + 1)?;
            }
            newline(out, indent);
            out.push('}');
        }
        Value::Object(object) => match object.json_fields() {
            // A struct keeps the order of its fields.
            Some(fields) => {
                out.push('{');
                for (index, (key, item)) in fields.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    newline(out, inner);
                    string(out, key, html);
                    out.push_str(if indent.is_some() { ": " } else { ":" });
                    write(out, item, html, inner, depth + 1)?;
                }
                newline(out, indent);
                out.push('}');
            }
            None => write(out, &object.json(), html, indent, depth + 1)?,
        },
    }
    Ok(())
}

fn string(out: &mut String, s: &str, html: bool) {
    out.push('"');
    for c in s.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            '<' | '>' | '&' if html => out.push_str(&format!("\\u{:04x}", c as u32)),
            '\u{2028}' | '\u{2029}' => out.push_str(&format!("\\u{:04x}", c as u32)),
            c if (c as u32) < 0x20 => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
}
