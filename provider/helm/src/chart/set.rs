//! `--set` and its kin: values written as `a.b[0].c=1,d={x,y}`.

use std::io::ErrorKind::IsADirectory;
use std::num::IntErrorKind;

use crate::chart::error::Error;
use crate::text::json;
use crate::value::{Map, Value, gofmt};

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
        let Ok(Value::Map(parsed)) = json::decode(argument.trim()) else {
            return Err(Error::Values(format!(
                "failed parsing --set-json data JSON: {argument}"
            )));
        };
        crate::chart::values::overlay(values, &parsed);
        return Ok(());
    }
    let mut parser = Parser { rest: argument, kind };
    loop {
        match parser.key(values, 0) {
            Ok(()) => {}
            Err(Stop::End) => return Ok(()),
            Err(Stop::Failed(_)) if kind == Kind::Json => {
                return Err(Error::Values(format!("failed parsing {name} data {argument}")));
            }
            Err(Stop::Failed(why)) => {
                return Err(Error::Values(format!("failed parsing {name} data: {why}")));
            }
        }
    }
}

/// Why reading stops. helm takes an argument that ends too early for one that ends.
enum Stop {
    End,
    Failed(String),
}

fn failed<T>(why: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Failed(why.into()))
}

struct Parser<'a> {
    rest: &'a str,
    kind: Kind,
}

impl Parser<'_> {
    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let next = chars.next();
        self.rest = chars.as_str();
        next
    }
    /// Reads up to one of the stops; a backslash protects the next character.
    fn until(&mut self, stops: &[char]) -> (String, Option<char>) {
        let mut out = String::new();
        while let Some(c) = self.next() {
            if stops.contains(&c) {
                return (out, Some(c));
            }
            if c == '\\' && self.kind != Kind::Literal {
                out.extend(self.next());
            } else {
                out.push(c);
            }
        }
        (out, None)
    }
    fn key(&mut self, values: &Map, depth: usize) -> Result<(), Stop> {
        let stops: &[char] = if self.kind == Kind::Literal {
            &['=', '[', '.']
        } else {
            &['=', '[', '.', ',']
        };
        let (key, stop) = self.until(stops);
        let no_value = |more: &str| failed(format!("{more} {} has no value", gofmt::quote(&key)));
        match stop {
            None if key.is_empty() => Err(Stop::End),
            None => no_value("key"),
            Some('[') => {
                let index = self.index()?;
                let mut list = match values.get(&key) {
                    None => Vec::new(),
                    Some(value) => list_of(&value)?,
                };
                let outcome = self.item(&mut list, index, depth);
                set(values, key, Value::list(list));
                outcome
            }
            Some('=') => {
                let (value, outcome) = self.value()?;
                set(values, key, value);
                outcome
            }
            Some(',') => failed(format!(
                "key {} has no value (cannot end with ,)",
                gofmt::quote(&key)
            )),
            _ => {
                let depth = deeper(depth)?;
                let inner = match values.get(&key) {
                    None => Map::new(Default::default()),
                    Some(Value::Map(map)) => map,
                    Some(other) => return no_conversion(&other, "map[string]interface {}"),
                };
                let outcome = self.key(&inner, depth);
                if !inner.is_empty() {
                    set(values, key, Value::Map(inner));
                } else if outcome.is_ok() {
                    return no_value("key map");
                }
                outcome
            }
        }
    }
    fn index(&mut self) -> Result<i64, Stop> {
        let (text, stop) = self.until(&[']']);
        if stop.is_none() {
            return Err(Stop::End);
        }
        text.parse().map_err(|error: std::num::ParseIntError| {
            let why = match error.kind() {
                IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => "value out of range",
                _ => "invalid syntax",
            };
            let text = gofmt::quote(&text);
            Stop::Failed(format!(
                "error parsing index: strconv.Atoi: parsing {text}: {why}"
            ))
        })
    }
    fn item(&mut self, list: &mut Vec<Value>, index: i64, depth: usize) -> Result<(), Stop> {
        let Ok(index) = usize::try_from(index) else {
            return failed(format!("negative {index} index not allowed"));
        };
        let (text, stop) = self.until(&['[', '.', '=']);
        if !text.is_empty() {
            let quoted = text
                .chars()
                .map(|c| gofmt::quote_bytes(c.to_string().as_bytes(), '\''));
            let quoted: Vec<String> = quoted.collect();
            return failed(format!(
                "unexpected data at end of array index: [{}]",
                quoted.join(" ")
            ));
        }
        match stop {
            None => Err(Stop::End),
            Some('=') => {
                let (value, _) = self.value()?;
                put(list, index, value)
            }
            Some('[') => {
                let inner_index = self.index()?;
                let mut inner = match list.get(index) {
                    None | Some(Value::Nil) => Vec::new(),
                    Some(existing) => list_of(existing)?,
                };
                let outcome = self.item(&mut inner, inner_index, depth);
                if outcome.is_ok() || matches!(list.get(index), Some(Value::List(_))) {
                    put(list, index, Value::list(inner))?;
                }
                outcome
            }
            _ => {
                let depth = deeper(depth)?;
                let inner = match list.get(index) {
                    Some(Value::Map(map)) => map.clone(),
                    _ => Map::new(Default::default()),
                };
                if index < list.len() {
                    list[index] = Value::Map(inner.clone());
                }
                self.key(&inner, depth)?;
                put(list, index, Value::Map(inner))
            }
        }
    }
    /// A value, and whether the argument ends with its absence.
    fn value(&mut self) -> Result<(Value, Result<(), Stop>), Stop> {
        let kind = self.kind;
        let value = match kind {
            Kind::Literal => Value::str(std::mem::take(&mut self.rest)),
            Kind::Json if self.blank() => Value::Nil,
            Kind::Json => {
                let (value, rest) = json::decode_first(self.rest).map_err(Stop::Failed)?;
                self.rest = rest;
                self.blank();
                value
            }
            _ if self.rest.is_empty() => return Ok((Value::str(""), Err(Stop::End))),
            _ if self.rest.starts_with('{') => {
                self.next();
                let mut items = Vec::new();
                loop {
                    let (text, stop) = self.until(&[',', '}']);
                    if stop.is_none() {
                        return failed("list must terminate with '}'");
                    }
                    items.push(self.typed(text)?);
                    if stop == Some('}') {
                        break;
                    }
                }
                self.rest = self.rest.strip_prefix(',').unwrap_or(self.rest);
                Value::list(items)
            }
            _ => {
                let (text, _) = self.until(&[',']);
                self.typed(text)?
            }
        };
        Ok((value, Ok(())))
    }
    /// Skips blanks and one comma; whether there is nothing before it.
    fn blank(&mut self) -> bool {
        self.rest = self.rest.trim_start();
        let comma = self.rest.strip_prefix(',');
        self.rest = comma.unwrap_or(self.rest);
        comma.is_some() || self.rest.is_empty()
    }
    fn typed(&self, text: String) -> Result<Value, Stop> {
        match self.kind {
            Kind::File => match std::fs::read(&text) {
                Ok(content) => Ok(Value::text(content)),
                Err(why) => {
                    let doing = if why.kind() == IsADirectory {
                        "read"
                    } else {
                        "open"
                    };
                    let why = why.to_string().to_lowercase();
                    let why = why.split(" (os error").next().unwrap_or_default();
                    failed(format!("{doing} {text}: {why}"))
                }
            },
            // Of the letters that Go folds into others, only this one is in these words.
            Kind::Typed => Ok(match text.to_ascii_lowercase().replace('ſ', "s").as_str() {
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                "null" => Value::Nil,
                "0" => Value::int64(0),
                // A leading zero makes it a string: an account number, a mode.
                _ if text.starts_with('0') => Value::str(text),
                _ => text.parse().map_or_else(|_| Value::str(text), Value::int64),
            }),
            _ => Ok(Value::str(text)),
        }
    }
}

/// The depth of what follows a dot.
fn deeper(depth: usize) -> Result<usize, Stop> {
    if depth < MAX_DEPTH {
        return Ok(depth + 1);
    }
    failed(format!(
        "value name nested level is greater than maximum supported nested level of {MAX_DEPTH}"
    ))
}

/// An empty key is passed over.
fn set(values: &Map, key: String, value: Value) {
    if !key.is_empty() {
        values.set(key, value);
    }
}

fn put(list: &mut Vec<Value>, index: usize, value: Value) -> Result<(), Stop> {
    if index > MAX_INDEX {
        return failed(format!(
            "index of {index} is greater than maximum supported index of {MAX_INDEX}"
        ));
    }
    if list.len() <= index {
        list.resize(index + 1, Value::Nil);
    }
    list[index] = value;
    Ok(())
}

fn list_of(value: &Value) -> Result<Vec<Value>, Stop> {
    match value {
        Value::List(list) => Ok(list.items.to_vec()),
        other => no_conversion(other, "[]interface {}"),
    }
}

/// What Go says of a value that is of another type.
fn no_conversion<T>(value: &Value, wanted: &str) -> Result<T, Stop> {
    let ty = if value.is_nil() { "nil" } else { value.type_name() };
    failed(format!(
        "unable to parse key: interface conversion: interface {{}} is {ty}, not {wanted}"
    ))
}
