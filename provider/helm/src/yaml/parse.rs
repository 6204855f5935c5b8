//! Reading: events of libyaml's grammar into values, with anchors and merge keys.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;

use libyaml_safer::{EventData, Parser, ScalarStyle};

use super::resolve::{Scalar, resolve};
use crate::value::{Map, Value};

/// What is wrong with a text.
#[derive(Clone, Debug, thiserror::Error)]
#[error("yaml: {message}")]
pub struct Error {
    /// Go's message, with the line where there is one.
    pub message: String,
}

fn error(message: impl Into<String>) -> Error {
    Error { message: message.into() }
}

/// The error as helm prints it where YAML is turned into JSON.
pub fn convert_error(error: &Error) -> String {
    if error.message.starts_with("json: ") {
        return format!("error converting YAML to JSON: {}", error.message);
    }
    format!("error converting YAML to JSON: {error}")
}

/// Deepest nesting, and most nodes after aliases are followed: guards against texts that grow without end.
const MAX_DEPTH: usize = 1000;
const MAX_NODES: usize = 4_000_000;

/// The first document of a text; an empty text is nil.
///
/// # Errors
/// Text that is no YAML, or has what JSON lacks.
pub fn parse(text: &str) -> Result<Value, Error> {
    Ok(documents(text, true)?.into_iter().next().unwrap_or(Value::Nil))
}

/// All documents of a text.
///
/// # Errors
/// As for [`parse`].
pub fn parse_documents(text: &str) -> Result<Vec<Value>, Error> {
    documents(text, false)
}

fn documents(text: &str, only_first: bool) -> Result<Vec<Value>, Error> {
    // The scanner wants a line end at the end of a block scalar.
    let owned;
    let text = if text.is_empty() || text.ends_with('\n') {
        text
    } else {
        owned = format!("{text}\n");
        &owned
    };
    let mut input = text.as_bytes();
    let mut parser = Parser::new();
    parser.set_input_string(&mut input);
    let mut reader = Reader { parser, anchors: HashMap::new(), nodes: 0 };
    let mut out = Vec::new();
    loop {
        match reader.next()? {
            EventData::StreamEnd => return Ok(out),
            EventData::DocumentStart { .. } => {
                reader.anchors.clear();
                let event = reader.next()?;
                out.push(reader.node(event, 0)?);
                if only_first {
                    return Ok(out);
                }
            }
            _ => {}
        }
    }
}

struct Reader<'r> {
    parser: Parser<&'r mut &'r [u8]>,
    anchors: HashMap<String, (Value, usize)>,
    nodes: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Result<EventData, Error> {
        self.parser.parse().map(|event| event.data).map_err(|e| {
            let line = e.problem_mark().map_or(0, |mark| mark.line);
            let context = e.context_mark().map_or(0, |mark| mark.line);
            let scanner = e.kind() == libyaml_safer::ErrorKind::Scanner;
            // Go counts lines of the scanner from one, those of the parser from the line before.
            let shown = if scanner || line > 0 { line + u64::from(scanner) } else { context };
            let place = if shown > 0 { format!("line {shown}: ") } else { String::new() };
            error(format!("{place}{}", e.problem()))
        })
    }
    fn count(&mut self, nodes: usize) -> Result<(), Error> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES { Err(error("document contains excessive aliasing")) } else { Ok(()) }
    }
    fn remember(&mut self, anchor: Option<String>, value: &Value, before: usize) {
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, (value.clone(), self.nodes - before));
        }
    }
    fn node(&mut self, event: EventData, depth: usize) -> Result<Value, Error> {
        if depth > MAX_DEPTH {
            return Err(error("exceeded max depth"));
        }
        self.count(1)?;
        let before = self.nodes;
        match event {
            EventData::Alias { anchor } => {
                let Some((value, nodes)) = self.anchors.get(&anchor).cloned() else {
                    return Err(error(format!("unknown anchor '{anchor}' referenced")));
                };
                self.count(nodes)?;
                Ok(value.deep_copy())
            }
            EventData::Scalar { anchor, tag, value, plain_implicit: _, quoted_implicit: _, style } => {
                let value = scalar(tag.as_deref(), &value, style == ScalarStyle::Plain)?;
                self.remember(anchor, &value, before);
                Ok(value)
            }
            EventData::SequenceStart { anchor, .. } => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        EventData::SequenceEnd => break,
                        event => items.push(self.node(event, depth + 1)?),
                    }
                }
                let value = Value::list(items);
                self.remember(anchor, &value, before);
                Ok(value)
            }
            EventData::MappingStart { anchor, .. } => {
                let value = Value::Map(Map::new(self.mapping(depth)?));
                self.remember(anchor, &value, before);
                Ok(value)
            }
            _ => Err(error("unexpected event")),
        }
    }
    fn mapping(&mut self, depth: usize) -> Result<BTreeMap<Arc<str>, Value>, Error> {
        let mut entries = BTreeMap::new();
        let mut merged: Vec<Value> = Vec::new();
        loop {
            let event = self.next()?;
            let merge = match &event {
                EventData::MappingEnd => break,
                EventData::Scalar { value, style, tag, .. } => {
                    value == "<<" && (*style == ScalarStyle::Plain && tag.is_none() || tag.as_deref() == Some("tag:yaml.org,2002:merge"))
                }
                _ => false,
            };
            let key = if merge { None } else { Some(key(&self.node(event, depth + 1)?)?) };
            let event = self.next()?;
            let value = self.node(event, depth + 1)?;
            match key {
                Some(key) => {
                    entries.insert(key, value);
                }
                None => match value {
                    Value::Map(_) => merged.push(value),
                    Value::List(list) => merged.extend(list.items.iter().cloned()),
                    _ => return Err(error("map merge requires map or sequence of maps as the value")),
                },
            }
        }
        for source in merged {
            let Value::Map(source) = source else {
                return Err(error("map merge requires map or sequence of maps as the value"));
            };
            for (key, value) in source.snapshot() {
                entries.entry(key).or_insert(value);
            }
        }
        Ok(entries)
    }
}

/// Keys become strings, as JSON needs them.
fn key(value: &Value) -> Result<Arc<str>, Error> {
    Ok(match value {
        Value::Str(s) => s.clone(),
        Value::Bool(b) => b.to_string().into(),
        Value::Float(f) => number_key(*f).into(),
        Value::Nil | Value::Invalid => "null".into(),
        other => return Err(error(format!("json: unsupported map key of type: {}", other.type_name()))),
    })
}

fn number_key(f: f64) -> String {
    if f.fract() == 0.0 && f.abs() < 1e15 { format!("{f}") } else { crate::gofmt::format_g(f, 6) }
}

fn scalar(tag: Option<&str>, text: &str, plain: bool) -> Result<Value, Error> {
    const PREFIX: &str = "tag:yaml.org,2002:";
    let short = tag.map(|t| t.strip_prefix(PREFIX).unwrap_or(t));
    let resolved = match short {
        None if plain => resolve(text),
        Some("null" | "bool" | "int" | "float" | "timestamp") => resolve(text),
        Some("binary") => {
            use base64::Engine;
            let clean: String = text.split_whitespace().collect();
            let bytes = base64::engine::general_purpose::STANDARD
                .decode(clean)
                .map_err(|_| error("!!binary value contains invalid base64 data"))?;
            return Ok(Value::text(bytes));
        }
        _ => Scalar::Text,
    };
    Ok(match resolved {
        Scalar::Null => Value::Nil,
        Scalar::Bool(b) => Value::Bool(b),
        Scalar::Int(n) => Value::Float(if short == Some("float") { n as f64 } else { n as f64 }),
        Scalar::Uint(n) => Value::Float(n as f64),
        Scalar::Float(f) if f.is_finite() => Value::Float(f),
        Scalar::Float(f) => return Err(error(format!("json: unsupported value: {}", crate::gofmt::float(f)))),
        Scalar::Timestamp | Scalar::Text | Scalar::Merge => Value::str(text),
    })
}
