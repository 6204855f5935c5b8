//! `--set` and its kin: values written as `a.b[0].c=1,d={x,y}`.

use crate::chart::error::Error;
use crate::value::{Map, Value};

/// How the right-hand sides are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `--set`: null, booleans and integers are recognised.
    Typed,
    /// `--set-string`: everything is a string.
    String,
    /// `--set-json`: JSON after each `=`.
    Json,
    /// `--set-file`: the path of a file, whose content is the value.
    File,
    /// `--set-literal`: everything after the first `=`, as it is.
    Literal,
}

/// Largest index of a list, and deepest nesting, as in helm.
const MAX_INDEX: usize = 65_536;
const MAX_DEPTH: usize = 30;

/// Applies one argument to values.
///
/// # Errors
/// What cannot be read, in helm's words.
pub fn apply(values: &Map, argument: &str, kind: Kind) -> Result<(), Error> {
    let name = match kind {
        Kind::Typed => "--set",
        Kind::String => "--set-string",
        Kind::Json => "--set-json",
        Kind::File => "--set-file",
        Kind::Literal => "--set-literal",
    };
    if kind == Kind::Json && argument.trim_start().starts_with('{') {
        let parsed = crate::text::json::decode(argument)
            .map_err(|e| Error::Values(format!("failed parsing --set-json data JSON: {argument}: {e}")))?;
        if let Value::Map(parsed) = parsed {
            crate::chart::values::overlay(values, &parsed);
        }
        return Ok(());
    }
    let mut parser = Parser {
        chars: argument.chars().collect(),
        at: 0,
        kind,
    };
    parser
        .run(values)
        .map_err(|e| Error::Values(format!("failed parsing {name} data: {e}")))
}

struct Parser {
    chars: Vec<char>,
    at: usize,
    kind: Kind,
}

impl Parser {
    fn run(&mut self, values: &Map) -> Result<(), String> {
        while self.at < self.chars.len() {
            self.key(values, 0)?;
        }
        Ok(())
    }
    /// Reads up to one of the stops; a backslash protects the next character.
    fn until(&mut self, stops: &[char]) -> (String, Option<char>) {
        let mut out = String::new();
        while let Some(&c) = self.chars.get(self.at) {
            self.at += 1;
            if stops.contains(&c) {
                return (out, Some(c));
            }
            if c == '\\' && self.kind != Kind::Literal {
                if let Some(&next) = self.chars.get(self.at) {
                    self.at += 1;
                    out.push(next);
                }
            } else {
                out.push(c);
            }
        }
        (out, None)
    }
    fn key(&mut self, values: &Map, depth: usize) -> Result<(), String> {
        if depth > MAX_DEPTH {
            return Err(format!(
                "value name nested level is greater than maximum supported nested level of {MAX_DEPTH}"
            ));
        }
        let (key, stop) = self.until(&['=', '[', ',', '.']);
        match stop {
            None => {
                if key.is_empty() {
                    return Ok(());
                }
                Err(format!("key {} has no value", crate::value::gofmt::quote(&key)))
            }
            Some('[') => {
                let Some(index) = self.index()? else { return Ok(()) };
                let list = match values.get(&key) {
                    Some(Value::List(list)) => list.items.to_vec(),
                    _ => Vec::new(),
                };
                let list = self.item(list, index, depth)?;
                values.set(key, Value::list(list));
                Ok(())
            }
            Some('=') => {
                let value = self.value()?;
                values.set(key, value);
                Ok(())
            }
            Some(',') => {
                values.set(key.as_str(), Value::str(""));
                Err(format!(
                    "key {} has no value (cannot end with ,)",
                    crate::value::gofmt::quote(&key)
                ))
            }
            _ => {
                let inner = match values.get(&key) {
                    Some(Value::Map(map)) => map,
                    _ => Map::new(Default::default()),
                };
                self.key(&inner, depth + 1)?;
                if !key.is_empty() {
                    if inner.is_empty() {
                        return Err(format!(
                            "key map {} has no value",
                            crate::value::gofmt::quote(&key)
                        ));
                    }
                    values.set(key, Value::Map(inner));
                }
                Ok(())
            }
        }
    }
    fn index(&mut self) -> Result<Option<usize>, String> {
        let (text, stop) = self.until(&[']']);
        if stop.is_none() {
            // helm takes an index without its bracket for nothing.
            return Ok(None);
        }
        let number: i64 = text.parse().map_err(|_| {
            format!(
                "error parsing index: strconv.Atoi: parsing {}: invalid syntax",
                crate::value::gofmt::quote(&text)
            )
        })?;
        let index = usize::try_from(number).map_err(|_| format!("negative {number} index not allowed"))?;
        if index > MAX_INDEX {
            return Err(format!(
                "index of {index} is greater than maximum supported index of {MAX_INDEX}"
            ));
        }
        Ok(Some(index))
    }
    fn item(&mut self, mut list: Vec<Value>, index: usize, depth: usize) -> Result<Vec<Value>, String> {
        if list.len() <= index {
            list.resize(index + 1, Value::Nil);
        }
        let (text, stop) = self.until(&['[', '.', '=']);
        if !text.is_empty() {
            return Err(format!(
                "unexpected data at end of array index: {}",
                crate::value::gofmt::quote(&text)
            ));
        }
        match stop {
            None => return Err("key has no value".into()),
            Some('=') => list[index] = self.value()?,
            Some('[') => {
                let Some(inner_index) = self.index()? else {
                    return Ok(list);
                };
                let inner = match &list[index] {
                    Value::List(inner) => inner.items.to_vec(),
                    _ => Vec::new(),
                };
                list[index] = Value::list(self.item(inner, inner_index, depth + 1)?);
            }
            _ => {
                let inner = match &list[index] {
                    Value::Map(map) => map.clone(),
                    _ => Map::new(Default::default()),
                };
                self.key(&inner, depth + 1)?;
                list[index] = Value::Map(inner);
            }
        }
        Ok(list)
    }
    fn value(&mut self) -> Result<Value, String> {
        match self.kind {
            Kind::Literal => {
                let rest: String = self.chars[self.at..].iter().collect();
                self.at = self.chars.len();
                return Ok(Value::str(rest));
            }
            Kind::Json => {
                let rest: String = self.chars[self.at..].iter().collect();
                let mut stream = serde_json::Deserializer::from_str(&rest).into_iter::<serde_json::Value>();
                let Some(value) = stream.next() else {
                    return Ok(Value::Nil);
                };
                let value = value.map_err(|_| crate::text::json::decode(&rest).err().unwrap_or_default())?;
                self.at += rest[..stream.byte_offset()].chars().count();
                while self
                    .chars
                    .get(self.at)
                    .is_some_and(|c| *c == ',' || c.is_whitespace())
                {
                    self.at += 1;
                }
                return Ok(Value::from_json(&value));
            }
            _ => {}
        }
        if self.chars.get(self.at) == Some(&'{') && self.kind != Kind::File {
            self.at += 1;
            let mut items = Vec::new();
            loop {
                let (text, stop) = self.until(&[',', '}']);
                match stop {
                    None => return Err("list must terminate with '}'".into()),
                    Some('}') => {
                        items.push(self.typed(text)?);
                        if self.chars.get(self.at) == Some(&',') {
                            self.at += 1;
                        }
                        return Ok(Value::list(items));
                    }
                    _ => items.push(self.typed(text)?),
                }
            }
        }
        let (text, _) = self.until(&[',']);
        self.typed(text)
    }
    fn typed(&self, text: String) -> Result<Value, String> {
        match self.kind {
            Kind::File => {
                let content = std::fs::read(&text).map_err(|e| format!("open {text}: {e}"))?;
                Ok(Value::text(content))
            }
            Kind::Typed => Ok(match text.to_ascii_lowercase().as_str() {
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                "null" => Value::Nil,
                "0" => Value::int64(0),
                // A leading zero makes it a string: an account number, a mode.
                _ if !text.starts_with('0') => match text.parse::<i64>() {
                    Ok(number) if !text.starts_with('+') => Value::int64(number),
                    _ => Value::str(text),
                },
                _ => Value::str(text),
            }),
            _ => Ok(Value::str(text)),
        }
    }
}
