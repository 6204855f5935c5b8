//! Reading: tokens into values, with anchors, merge keys and tags.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::resolve::{Scalar, resolve};
use super::scan::{Kind, Scanner, placed};
use crate::value::{IntKind, Map, Value};

/// What is wrong with a text.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// Go's message, with the line where there is one.
    pub message: String,
}

fn yaml_error(message: impl std::fmt::Display) -> Error {
    Error {
        message: format!("yaml: {message}"),
    }
}

impl From<String> for Error {
    fn from(message: String) -> Self {
        yaml_error(message)
    }
}

/// The error as helm prints it where YAML is turned into JSON.
pub fn convert_error(error: &Error) -> String {
    format!("error converting YAML to JSON: {error}")
}

/// Deepest nesting, and most nodes after aliases are followed: guards against texts that grow without end. helm reads ten
/// times as deep; what holds charts and manifests as JSON is freed by recursion, on the stack of whichever thread.
const MAX_DEPTH: usize = 1_000;
const MAX_NODES: usize = 1_000_000;

/// The first document of a text; an empty text is nil.
///
/// # Errors
/// Text that is no YAML, or has what JSON lacks.
pub fn parse(text: &str) -> Result<Value, Error> {
    check_characters(text)?;
    let mut reader = Reader::new(text);
    Ok(reader.document()?.unwrap_or(Value::Nil))
}

/// As [`parse`], but integers stay integers: what becomes a string in a Go struct shows all their digits.
///
/// # Errors
/// As for [`parse`].
pub fn parse_exact(text: &str) -> Result<Value, Error> {
    check_characters(text)?;
    let mut reader = Reader::new(text);
    reader.exact = true;
    Ok(reader.document()?.unwrap_or(Value::Nil))
}

/// The text in some bytes.
///
/// # Errors
/// What Go's reader says of bytes that are no UTF-8.
pub fn text(bytes: &[u8]) -> Result<&str, Error> {
    // What helm cuts into lines no longer has two bytes for each character.
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(yaml_error("incomplete UTF-16 character"));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let rest = &bytes[error.valid_up_to()..];
        let width = match rest.first() {
            Some(0xc0..=0xdf) => 2,
            Some(0xe0..=0xef) => 3,
            Some(0xf0..=0xf7) => 4,
            _ => return yaml_error("invalid leading UTF-8 octet"),
        };
        let trailing = |b: &u8| b & 0xc0 == 0x80;
        if rest.len() < width {
            return yaml_error("incomplete UTF-8 octet sequence");
        }
        if !rest[1..width].iter().all(trailing) {
            return yaml_error("invalid trailing UTF-8 octet");
        }
        let surrogate = rest[0] == 0xed && rest[1] >= 0xa0;
        if surrogate || rest[0] >= 0xf4 {
            return yaml_error("invalid Unicode character");
        }
        yaml_error("invalid length of a UTF-8 sequence")
    })
}

/// All documents of a text.
///
/// # Errors
/// As for [`parse`].
pub fn parse_documents(text: &str) -> Result<Vec<Value>, Error> {
    check_characters(text)?;
    let mut reader = Reader::new(text);
    let mut out = Vec::new();
    while let Some(document) = reader.document()? {
        out.push(document);
    }
    Ok(out)
}

/// The first document of a text, of which only `apiVersion`, `kind` and `metadata` are kept.
///
/// # Errors
/// As for [`parse`]: everything is checked.
pub fn parse_head(text: &str) -> Result<Value, Error> {
    check_characters(text)?;
    let mut reader = Reader::new(text);
    (reader.head, reader.exact) = (true, true);
    let found = reader.document();
    if reader.anchored {
        // Merges may bring keys of the head from elsewhere.
        return parse_exact(text);
    }
    Ok(found?.unwrap_or(Value::Nil))
}

fn check_characters(text: &str) -> Result<(), Error> {
    let allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    // Nearly all text is printable ASCII: look closer only where a byte is not.
    let suspicious = text
        .bytes()
        .any(|b| b < 0x20 && !matches!(b, b'\t' | b'\n' | b'\r') || b >= 0x7f);
    if suspicious && !text.chars().all(allowed) {
        return Err(yaml_error("control characters are not allowed"));
    }
    Ok(())
}

/// What is found only after the document is read: first what a tag or a merge makes impossible, then keys and then numbers
/// that JSON cannot hold.
enum Unfit {
    Value(Error),
    Key(Error),
    Number(Error),
}

struct Reader<'t> {
    scanner: Scanner<'t>,
    anchors: HashMap<&'t str, (Value, usize)>,
    handles: HashMap<String, String>,
    nodes: usize,
    documents: usize,
    /// Only the head of a document is wanted: the rest is checked, but not kept.
    head: bool,
    discarding: bool,
    anchored: bool,
    unfit: Option<Unfit>,
    /// Integers stay integers.
    exact: bool,
}

impl<'t> Reader<'t> {
    fn new(text: &'t str) -> Self {
        Reader {
            scanner: Scanner::new(text),
            anchors: HashMap::new(),
            handles: HashMap::new(),
            nodes: 0,
            documents: 0,
            head: false,
            discarding: false,
            anchored: false,
            unfit: None,
            exact: false,
        }
    }
    fn kind(&mut self) -> Result<&Kind<'t>, Error> {
        Ok(&self.scanner.peek()?.kind)
    }
    fn document(&mut self) -> Result<Option<Value>, Error> {
        self.anchors.clear();
        self.handles.clear();
        // Only after a document: before the first one, its end is no content.
        while self.documents > 0 && *self.kind()? == Kind::DocumentEnd {
            self.scanner.next()?;
        }
        if *self.kind()? == Kind::StreamEnd {
            return Ok(None);
        }
        let mut directives = false;
        while let Kind::Directive(tag) = self.kind()?.clone() {
            directives = true;
            if let Some((handle, prefix)) = tag {
                self.handles.insert(handle, prefix);
            }
            self.scanner.next()?;
        }
        let explicit = *self.kind()? == Kind::DocumentStart;
        if explicit {
            self.scanner.next()?;
        } else if directives || self.documents > 0 {
            let line = self.scanner.peek()?.line;
            return Err(yaml_error(placed(line, "did not find expected <document start>")));
        }
        self.documents += 1;
        let empty = explicit
            && matches!(
                self.kind()?,
                Kind::Directive(_) | Kind::DocumentStart | Kind::DocumentEnd | Kind::StreamEnd
            );
        let value = if empty {
            Value::Nil
        } else {
            self.node(true, false, 0)?
        };
        if *self.kind()? == Kind::DocumentEnd {
            self.scanner.next()?;
        }
        match self.unfit.take() {
            Some(Unfit::Value(error) | Unfit::Key(error) | Unfit::Number(error)) => Err(error),
            None => Ok(Some(value)),
        }
    }
    /// Notes the first value that cannot be.
    fn noted<T: Default>(&mut self, found: Result<T, Error>) -> T {
        found.unwrap_or_else(|error| {
            if !matches!(self.unfit, Some(Unfit::Value(_))) {
                self.unfit = Some(Unfit::Value(error));
            }
            T::default()
        })
    }
    /// As a key, any number is fit: it becomes a string.
    fn after_key(&mut self, before: Option<Unfit>) {
        if !matches!(self.unfit, Some(Unfit::Value(_))) || matches!(before, Some(Unfit::Value(_))) {
            self.unfit = before;
        }
    }
    /// Notes a number that JSON cannot hold.
    fn fit(&mut self, value: Value) -> Value {
        if let Value::Float(f) = value
            && !f.is_finite()
            && self.unfit.is_none()
        {
            let message = format!("json: unsupported value: {}", crate::value::gofmt::float(f));
            self.unfit = Some(Unfit::Number(Error { message }));
        }
        value
    }
    /// Notes what is no key of JSON.
    fn no_key(&mut self, key: Key, value: &Value) {
        if matches!(self.unfit, Some(Unfit::Value(_) | Unfit::Key(_))) {
            return;
        }
        let key = match key {
            Key::Large(n) => format!("uint64, key: {n:#x}"),
            _ => "%!s(<nil>), key: <nil>".to_owned(),
        };
        let shown = crate::value::gofmt::sprintf(b"%#v", std::slice::from_ref(value));
        let message = format!(
            "unsupported map key of type: {key}, value: {}",
            String::from_utf8_lossy(&shown).replace("map[string]", "map[interface {}]")
        );
        self.unfit = Some(Unfit::Key(Error { message }));
    }
    fn count(&mut self, nodes: usize) -> Result<(), Error> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES {
            Err(yaml_error("document contains excessive aliasing"))
        } else {
            Ok(())
        }
    }
    /// An error of the grammar, at the next token, or where the construct began.
    fn expected<T>(&mut self, began: usize, what: &str) -> Result<T, Error> {
        let line = self.scanner.peek()?.line;
        Err(yaml_error(placed(
            if line > 0 { line } else { began },
            &format!("did not find expected {what}"),
        )))
    }
    fn node(&mut self, block: bool, indentless: bool, depth: usize) -> Result<Value, Error> {
        if depth > MAX_DEPTH {
            return Err(yaml_error(format!("exceeded max depth of {MAX_DEPTH}")));
        }
        crate::value::deeper(|| self.node_within(block, indentless, depth))
    }
    fn node_within(&mut self, block: bool, indentless: bool, depth: usize) -> Result<Value, Error> {
        self.count(1)?;
        let before = self.nodes;
        let began = self.scanner.peek()?.line;
        if let Kind::Alias(name) = *self.kind()? {
            self.scanner.next()?;
            let Some((value, nodes)) = self.anchors.get(name).cloned() else {
                return Err(yaml_error(format!("unknown anchor '{name}' referenced")));
            };
            self.count(nodes)?;
            return Ok(value.deep_copy());
        }
        let (mut anchor, mut tag) = (None, None);
        loop {
            match self.kind()? {
                Kind::Anchor(name) if anchor.is_none() => anchor = Some(*name),
                Kind::Tag(handle, suffix) if tag.is_none() => {
                    let (handle, suffix) = (*handle, suffix.clone());
                    tag = Some(self.full_tag(handle, suffix)?);
                }
                _ => break,
            }
            self.anchored |= anchor.is_some();
            self.scanner.next()?;
        }
        let value = match self.kind()? {
            Kind::BlockEntry if indentless => self.sequence(Kind::BlockEnd, true, began, depth)?,
            Kind::Scalar(..) => match self.scanner.next()?.kind {
                // Only numbers without an end are errors, and only they begin like this.
                Kind::Scalar(text, plain)
                    if self.discarding
                        && tag.is_none()
                        && !(plain && text.trim_start_matches(['+', '-']).starts_with('.')) =>
                {
                    if text.is_empty() && plain {
                        Value::Nil
                    } else {
                        Value::Bool(true)
                    }
                }
                Kind::Scalar(text, plain) => {
                    let value = self.noted(scalar(tag.as_deref(), &text, plain, self.exact));
                    self.fit(value)
                }
                _ => Value::Nil,
            },
            Kind::FlowSequenceStart => self.flow_sequence(began, depth)?,
            Kind::FlowMappingStart => self.mapping(false, began, depth)?,
            Kind::BlockSequenceStart if block => {
                self.scanner.next()?;
                self.sequence(Kind::BlockEnd, false, began, depth)?
            }
            Kind::BlockMappingStart if block => self.mapping(true, began, depth)?,
            _ if anchor.is_some() || tag.is_some() => {
                self.noted(scalar(tag.as_deref(), "", true, self.exact))
            }
            _ => return self.expected(began, "node content"),
        };
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, (value.clone(), self.nodes - before));
        }
        Ok(value)
    }
    fn full_tag(&self, handle: &str, suffix: String) -> Result<String, Error> {
        match handle {
            "" => Ok(suffix),
            "!!" if !self.handles.contains_key("!!") => Ok(format!("tag:yaml.org,2002:{suffix}")),
            "!" if !self.handles.contains_key("!") => Ok(format!("!{suffix}")),
            handle => match self.handles.get(handle) {
                Some(prefix) => Ok(format!("{prefix}{suffix}")),
                None => Err(yaml_error("found undefined tag handle")),
            },
        }
    }
    fn sequence(
        &mut self,
        end: Kind<'t>,
        indentless: bool,
        began: usize,
        depth: usize,
    ) -> Result<Value, Error> {
        let mut items = Vec::new();
        loop {
            if *self.kind()? == Kind::BlockEntry {
                self.scanner.next()?;
                let empty = match self.kind()? {
                    Kind::BlockEntry | Kind::BlockEnd => true,
                    Kind::Key | Kind::Value => indentless,
                    _ => false,
                };
                let item = if empty {
                    Value::Nil
                } else {
                    self.node(true, false, depth + 1)?
                };
                if !self.discarding {
                    items.push(item);
                }
            } else if indentless {
                break;
            } else if *self.kind()? == end {
                self.scanner.next()?;
                break;
            } else {
                return self.expected(began, "'-' indicator");
            }
        }
        Ok(Value::list(items))
    }
    fn flow_sequence(&mut self, began: usize, depth: usize) -> Result<Value, Error> {
        self.scanner.next()?;
        let mut items = Vec::new();
        let mut first = true;
        loop {
            if !first && *self.kind()? != Kind::FlowSequenceEnd {
                if *self.kind()? != Kind::FlowEntry {
                    return self.expected(began, "',' or ']'");
                }
                self.scanner.next()?;
            }
            first = false;
            match self.kind()? {
                Kind::FlowSequenceEnd => {
                    self.scanner.next()?;
                    return Ok(Value::list(items));
                }
                Kind::Key => {
                    self.scanner.next()?;
                    let closes = |kind: &Kind<'_>| matches!(kind, Kind::FlowEntry | Kind::FlowSequenceEnd);
                    let unfit = self.unfit.take();
                    let merge = self.is_merge()?;
                    let name = match self.kind()? {
                        // helm's library passes over the token that shows that there is no key.
                        kind if *kind == Kind::Value || closes(kind) => {
                            self.scanner.next()?;
                            Key::Null
                        }
                        _ => self.key(false, depth)?,
                    };
                    self.after_key(unfit);
                    let mut value = Value::Nil;
                    if *self.kind()? == Kind::Value {
                        self.scanner.next()?;
                        if !closes(self.kind()?) {
                            value = self.node(false, false, depth + 1)?;
                        }
                    }
                    let mut entries = BTreeMap::new();
                    match name {
                        _ if merge => self.merge(&mut entries, value),
                        Key::Name(name) => {
                            entries.insert(name, value);
                        }
                        name => self.no_key(name, &value),
                    }
                    items.push(Value::Map(Map::new(entries)));
                }
                _ => items.push(self.node(false, false, depth + 1)?),
            }
        }
    }
    fn mapping(&mut self, block: bool, began: usize, depth: usize) -> Result<Value, Error> {
        self.scanner.next()?;
        let mut entries = BTreeMap::new();
        let mut first = true;
        let ends = |kind: &Kind<'_>| match kind {
            Kind::BlockEnd | Kind::Key => block,
            Kind::FlowMappingEnd | Kind::FlowEntry => !block,
            _ => false,
        };
        loop {
            if *self.kind()?
                == if block {
                    Kind::BlockEnd
                } else {
                    Kind::FlowMappingEnd
                }
            {
                self.scanner.next()?;
                break;
            }
            if !block && !first {
                if *self.kind()? != Kind::FlowEntry {
                    return self.expected(began, "',' or '}'");
                }
                self.scanner.next()?;
                if *self.kind()? == Kind::FlowMappingEnd {
                    continue;
                }
            }
            first = false;
            let has_key = *self.kind()? == Kind::Key;
            if has_key {
                self.scanner.next()?;
            } else if block {
                return self.expected(began, "key");
            }
            let merge = self.is_merge()?;
            // Keys are kept even then: some kinds of them are errors.
            let discarding = std::mem::take(&mut self.discarding);
            let unfit = self.unfit.take();
            let name = match self.kind()? {
                Kind::Value => Key::Null,
                kind if ends(kind) => Key::Null,
                _ => self.key(block, depth)?,
            };
            self.after_key(unfit);
            let wanted = !self.head
                || depth > 0
                || matches!(&name, Key::Name(name) if matches!(&**name, "apiVersion" | "kind" | "metadata"));
            self.discarding = discarding || !wanted;
            let mut value = Value::Nil;
            if (has_key || block) && *self.kind()? == Kind::Value {
                self.scanner.next()?;
                let empty = ends(self.kind()?) || block && *self.kind()? == Kind::Value;
                if !empty {
                    value = self.node(block, block, depth + 1)?;
                }
            }
            let dropped = std::mem::replace(&mut self.discarding, discarding);
            if !merge {
                match name {
                    Key::Name(name) if !dropped => {
                        entries.insert(name, value);
                    }
                    Key::Name(_) => {}
                    name => self.no_key(name, &value),
                }
                continue;
            }
            self.merge(&mut entries, value);
        }
        Ok(Value::Map(Map::new(entries)))
    }
    /// Whether the key that follows is `<<`; a tag that says so goes before it.
    fn is_merge(&mut self) -> Result<bool, Error> {
        let tagged = match self.kind()?.clone() {
            Kind::Tag(handle, suffix) => self.full_tag(handle, suffix)? == "tag:yaml.org,2002:merge",
            _ => false,
        };
        let kind = if tagged {
            &self.scanner.peek_second()?.kind
        } else {
            self.kind()?
        };
        let merge = matches!(kind, Kind::Scalar(text, plain) if text == "<<" && (*plain || tagged));
        if merge && tagged {
            self.scanner.next()?;
        }
        Ok(merge)
    }
    /// What is merged replaces what stands before it, and the first of several the others.
    fn merge(&mut self, entries: &mut BTreeMap<Arc<str>, Value>, value: Value) {
        self.anchored = true;
        let sources = match value {
            Value::List(list) => list.items.iter().rev().cloned().collect(),
            other => vec![other],
        };
        for source in sources {
            match source {
                Value::Map(source) => entries.extend(source.snapshot()),
                _ => self.noted(Err(yaml_error(
                    "map merge requires map or sequence of maps as the value",
                ))),
            }
        }
    }
    /// The key of a mapping.
    fn key(&mut self, block: bool, depth: usize) -> Result<Key, Error> {
        if !matches!(self.kind()?, Kind::Scalar(..)) {
            let name = self.node(block, block, depth + 1)?;
            return if name.is_nil() {
                Ok(Key::Null)
            } else {
                Ok(Key::Name(self.noted(key(&name))))
            };
        }
        self.count(1)?;
        let Kind::Scalar(text, plain) = self.scanner.next()?.kind else {
            return Ok(Key::Null);
        };
        Ok(match if plain { resolve(&text) } else { Scalar::Text } {
            Scalar::Null => Key::Null,
            Scalar::Int(n) => Key::Name(n.to_string().into()),
            Scalar::Uint(n) => Key::Large(n),
            Scalar::Bool(b) => Key::Name(if b { "true" } else { "false" }.into()),
            Scalar::Float(f) => Key::Name(float_key(f)),
            Scalar::Timestamp | Scalar::Text | Scalar::Merge => Key::Name(text.as_ref().into()),
        })
    }
}

/// A key as JSON has it: a string.
enum Key {
    Name(Arc<str>),
    /// None for JSON: nothing at all, and an integer beyond `i64`.
    Null,
    Large(u64),
}

/// A float as a key: Go's library writes it with the precision of a `float32`.
fn float_key(f: f64) -> Arc<str> {
    if f.is_nan() {
        return ".nan".into();
    }
    let f = f as f32;
    if f.is_infinite() {
        return if f > 0.0 { ".inf" } else { "-.inf" }.into();
    }
    crate::value::gofmt::format_g32(f).into()
}

/// Keys become strings, as JSON needs them.
fn key(key: &Value) -> Result<Arc<str>, Error> {
    Ok(match key {
        Value::Str(s) => s.clone(),
        Value::Bool(b) => b.to_string().into(),
        Value::Int(..) => crate::value::gofmt::text(key).into(),
        Value::Float(f) if f.fract() == 0.0 && f.abs() < 1e15 => format!("{f}").into(),
        Value::Float(f) => float_key(*f),
        other => {
            let shown = crate::value::gofmt::sprintf(b"%#v", std::slice::from_ref(other));
            return Err(yaml_error(format!(
                "invalid map key: {}",
                String::from_utf8_lossy(&shown).replace("map[string]", "map[interface {}]")
            )));
        }
    })
}

/// `exact`: integers stay integers.
fn scalar(tag: Option<&str>, text: &str, plain: bool, exact: bool) -> Result<Value, Error> {
    const PREFIX: &str = "tag:yaml.org,2002:";
    let short = tag.map(|t| t.strip_prefix(PREFIX).unwrap_or(t));
    let resolved = match short {
        None | Some("") if plain => resolve(text),
        Some(wanted @ ("null" | "bool" | "int" | "float" | "timestamp")) => {
            let found = resolve(text);
            let (fits, name) = match &found {
                Scalar::Null => (wanted == "null", "null"),
                Scalar::Bool(_) => (wanted == "bool", "bool"),
                Scalar::Int(_) | Scalar::Uint(_) => (matches!(wanted, "int" | "float"), "int"),
                Scalar::Float(_) => (wanted == "float", "float"),
                Scalar::Timestamp => (wanted == "timestamp", "timestamp"),
                Scalar::Text | Scalar::Merge => (false, "str"),
            };
            if !fits {
                return Err(yaml_error(format!(
                    "cannot decode !!{name} `{text}` as a !!{wanted}"
                )));
            }
            found
        }
        Some("binary") => {
            use base64::Engine;
            let clean = text.replace(['\r', '\n'], "");
            let bytes = base64::engine::general_purpose::STANDARD
                .decode(clean)
                .map_err(|_| yaml_error("!!binary value contains invalid base64 data"))?;
            // On its way through JSON, what is no UTF-8 is lost byte by byte.
            return Ok(Value::str(&*crate::value::as_text(&bytes)));
        }
        _ => Scalar::Text,
    };
    Ok(match resolved {
        Scalar::Null => Value::Nil,
        Scalar::Bool(b) => Value::Bool(b),
        Scalar::Int(n) if exact => Value::int64(n),
        Scalar::Uint(n) if exact => Value::Int(n as i64, IntKind::Uint64),
        Scalar::Int(n) => Value::Float(n as f64),
        Scalar::Uint(n) => Value::Float(n as f64),
        Scalar::Float(f) => Value::Float(f),
        Scalar::Timestamp | Scalar::Text | Scalar::Merge => Value::str(text),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_document_is_no_content_of_the_first() {
        let said = |text: &str| parse(text).map(|_| ()).map_err(|e| e.message);
        let expected = |line: &str| Err(format!("yaml: {line}did not find expected node content"));
        assert_eq!(said("\n...\n"), expected("line 1: "));
        assert_eq!(said("...\na: 1\n"), expected(""));
        for text in ["", "---\n...\n", "a: 1\n...\n", "a: 1\n...\n...\n---\nb: 1\n"] {
            assert!(said(text).is_ok() && parse_documents(text).is_ok(), "{text}");
        }
    }
}
