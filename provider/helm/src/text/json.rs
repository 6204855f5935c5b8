//! JSON as Go writes and reads it.

use crate::value::gofmt;
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
    let read = |text: &str| serde_json::from_str::<serde_json::Value>(text);
    let json = read(text).or_else(|error| match syntax_error(text) {
        Some(why) => Err(why),
        None => read(&without_lone_surrogates(text)).map_err(|_| error.to_string()),
    })?;
    Ok(Value::from_json(&json))
}

/// What Go says of a text that is no JSON: the character at which it gave up, and what it was looking for.
fn syntax_error(text: &str) -> Option<String> {
    let mut scanner = Scanner {
        bytes: text.as_bytes(),
        done: false,
    };
    let read = scanner
        .value(0)
        .and_then(|()| scanner.expect(&[], "after top-level value").map(|_| ()));
    match read {
        Err(Stop::At(rest, why)) => {
            let c = rest
                .utf8_chunks()
                .next()
                .and_then(|chunk| chunk.valid().chars().next());
            let c = c.unwrap_or(char::REPLACEMENT_CHARACTER).to_string();
            Some(format!(
                "invalid character {} {why}",
                gofmt::quote_bytes(c.as_bytes(), '\'')
            ))
        }
        Err(Stop::Escape(bytes)) => {
            let shown = match std::str::from_utf8(bytes) {
                Ok(text) if !text.chars().any(|c| c.is_control() || c == '`') => format!("`{text}`"),
                _ => gofmt::quote_bytes(bytes, '"'),
            };
            Some(format!("invalid escape sequence {shown} in string"))
        }
        Err(Stop::Depth) => Some("exceeded max depth".into()),
        Err(Stop::End) if !scanner.done => Some("unexpected end of JSON input".into()),
        Ok(()) | Err(Stop::End) => None,
    }
}

/// Halves of surrogate pairs, which Go reads as U+FFFD.
fn without_lone_surrogates(text: &str) -> String {
    let half = |text: &str| {
        let digits = text.strip_prefix("\\u")?.get(..4)?;
        u32::from_str_radix(digits, 16).ok()
    };
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let pair = matches!(half(rest), Some(0xd800..=0xdbff))
            && rest
                .get(6..)
                .and_then(half)
                .is_some_and(|n| (0xdc00..=0xdfff).contains(&n));
        let length = match half(rest) {
            _ if pair => 12,
            Some(0xd800..=0xdfff) => {
                out.push_str("\\ufffd");
                rest = &rest[6..];
                continue;
            }
            _ => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
        };
        out.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    out + rest
}

/// Why a text ends before its value does.
enum Stop<'t> {
    /// A character that does not belong there, and what follows it.
    At(&'t [u8], String),
    Escape(&'t [u8]),
    Depth,
    End,
}

/// Reads only as far as the first mistake.
struct Scanner<'t> {
    bytes: &'t [u8],
    /// Whether the value is read, and nothing may follow.
    done: bool,
}

impl<'t> Scanner<'t> {
    fn next(&mut self) -> Result<u8, Stop<'t>> {
        let (first, rest) = self.bytes.split_first().ok_or(Stop::End)?;
        self.bytes = rest;
        Ok(*first)
    }
    fn peek(&self) -> Option<u8> {
        self.bytes.first().copied()
    }
    /// One of some characters, after blanks.
    fn expect(&mut self, wanted: &[u8], why: &str) -> Result<u8, Stop<'t>> {
        self.done = wanted.is_empty();
        loop {
            let here = self.bytes;
            match self.next()? {
                b' ' | b'\t' | b'\r' | b'\n' => {}
                byte if wanted.contains(&byte) => return Ok(byte),
                _ => return Err(Stop::At(here, why.to_owned())),
            }
        }
    }
    fn value(&mut self, depth: usize) -> Result<(), Stop<'t>> {
        if depth > 10_000 {
            return Err(Stop::Depth);
        }
        let first = self.expect(b"{[\"-0123456789tfn", "looking for beginning of value")?;
        match first {
            b'{' => crate::value::deeper(|| self.object(depth)),
            b'[' => crate::value::deeper(|| self.array(depth)),
            b'"' => self.string(),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            b'n' => self.word("null"),
            first => self.number(first),
        }
    }
    fn object(&mut self, depth: usize) -> Result<(), Stop<'t>> {
        let looking = "looking for beginning of object key string";
        let mut start = self.expect(b"\"}", looking)?;
        while start == b'"' {
            self.string()?;
            self.expect(b":", "after object key")?;
            self.value(depth + 1)?;
            if self.expect(b",}", "after object key:value pair")? == b'}' {
                break;
            }
            start = self.expect(b"\"", looking)?;
        }
        Ok(())
    }
    fn array(&mut self, depth: usize) -> Result<(), Stop<'t>> {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.next()?;
        }
        if self.peek() == Some(b']') {
            return self.next().map(|_| ());
        }
        loop {
            self.value(depth + 1)?;
            if self.expect(b",]", "after array element")? == b']' {
                return Ok(());
            }
        }
    }
    fn string(&mut self) -> Result<(), Stop<'t>> {
        loop {
            let here = self.bytes;
            match self.next()? {
                b'"' => return Ok(()),
                b'\\' => match self.next()? {
                    b'b' | b'f' | b'n' | b'r' | b't' | b'\\' | b'/' | b'"' => {}
                    b'u' => {
                        let digits = &self.bytes[..self.bytes.len().min(4)];
                        if !digits.iter().all(u8::is_ascii_hexdigit) {
                            return Err(Stop::Escape(&here[..2 + digits.len()]));
                        }
                        self.bytes = self.bytes.get(4..).ok_or(Stop::End)?;
                    }
                    _ => return Err(Stop::Escape(&here[..2])),
                },
                byte if byte < 0x20 => return Err(Stop::At(here, "in string".into())),
                _ => {}
            }
        }
    }
    fn word(&mut self, word: &str) -> Result<(), Stop<'t>> {
        for wanted in word.bytes().skip(1) {
            let here = self.bytes;
            if self.next()? != wanted {
                let why = format!("in literal {word} (expecting '{}')", char::from(wanted));
                return Err(Stop::At(here, why));
            }
        }
        Ok(())
    }
    fn number(&mut self, mut first: u8) -> Result<(), Stop<'t>> {
        if first == b'-' {
            first = self.digit()?;
        }
        if first != b'0' {
            self.digits();
        }
        if self.peek() == Some(b'.') {
            self.next()?;
            self.digit()?;
            self.digits();
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.next()?;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.next()?;
            }
            self.digit()?;
            self.digits();
        }
        Ok(())
    }
    fn digit(&mut self) -> Result<u8, Stop<'t>> {
        let here = self.bytes;
        match self.next()? {
            byte if byte.is_ascii_digit() => Ok(byte),
            _ => Err(Stop::At(here, "in numeric literal".into())),
        }
    }
    fn digits(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.bytes = &self.bytes[1..];
        }
    }
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
                let nil = map.ty == crate::value::MapType::NilStr;
                out.push_str(if nil { "null" } else { "{}" });
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
                    crate::value::object::file_bytes(item)
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
