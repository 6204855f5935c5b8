//! JSON as Go writes and reads it.

use crate::value::gofmt;
use crate::value::{Elem, MapType, Value, deeper};

/// Deepest nesting: a dictionary can contain itself.
const MAX_DEPTH: usize = 10_000;

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
    // What has no end is found before it is indented.
    encode(value, true)?;
    let mut out = String::new();
    write(&mut out, value, true, Some(0), 0)?;
    Ok(out)
}

/// `json.Unmarshal` into an `interface {}`.
///
/// # Errors
/// What is wrong with the text.
pub fn decode(text: &str) -> Result<Value, String> {
    match decode_partly(text)? {
        (value, None) => Ok(value),
        (_, Some(error)) => Err(error),
    }
}

/// As [`decode`], but numbers that are too large are zero, and the first of them is told beside the value.
///
/// # Errors
/// What is no JSON.
pub fn decode_partly(text: &str) -> Result<(Value, Option<String>), String> {
    let mut scanner = Scanner::new(text);
    let value = scanner.value(0);
    let read = value.and_then(|value| match scanner.expect(&[], "after top-level value") {
        Err(Stop::End) => Ok(value),
        Err(stop) => Err(stop),
        Ok(_) => Err(Stop::End),
    });
    Ok((said(read)?, scanner.too_large))
}

/// The value with which a text begins, and what follows it.
///
/// # Errors
/// As for [`decode`].
pub fn decode_first(text: &str) -> Result<(Value, &str), String> {
    let mut scanner = Scanner::new(text);
    let value = scanner.value(0);
    let value = said(value)?;
    if let Some(error) = scanner.too_large {
        return Err(error);
    }
    Ok((value, &text[text.len() - scanner.bytes.len()..]))
}

/// Why a text ends before its value does.
enum Stop<'t> {
    /// A character that does not belong there, and what follows it.
    At(&'t [u8], String),
    Escape(&'t [u8]),
    Depth,
    End,
}

/// The value, or what Go says of a text that is no JSON: the character at which it gave up, and what it was looking for.
fn said<T>(read: Result<T, Stop<'_>>) -> Result<T, String> {
    read.map_err(|stop| match stop {
        Stop::At(rest, why) => {
            let c = rest
                .utf8_chunks()
                .next()
                .and_then(|chunk| chunk.valid().chars().next());
            let c = c.unwrap_or(char::REPLACEMENT_CHARACTER).to_string();
            format!(
                "invalid character {} {why}",
                gofmt::quote_bytes(c.as_bytes(), '\'')
            )
        }
        Stop::Escape(bytes) => {
            let shown = match std::str::from_utf8(bytes) {
                Ok(text) if !text.chars().any(|c| c.is_control() || c == '`') => format!("`{text}`"),
                _ => gofmt::quote_bytes(bytes, '"'),
            };
            format!("invalid escape sequence {shown} in string")
        }
        Stop::Depth => "exceeded max depth".into(),
        Stop::End => "unexpected end of JSON input".into(),
    })
}

/// Reads only as far as the first mistake.
struct Scanner<'t> {
    text: &'t str,
    /// What is not read.
    bytes: &'t [u8],
    /// Keys and indices that lead to the value which is read.
    path: Vec<String>,
    /// What is said of the first number that is too large, when all else is well.
    too_large: Option<String>,
}

impl<'t> Scanner<'t> {
    fn new(text: &'t str) -> Self {
        Scanner {
            text,
            bytes: text.as_bytes(),
            path: Vec::new(),
            too_large: None,
        }
    }
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
        loop {
            let here = self.bytes;
            match self.next()? {
                b' ' | b'\t' | b'\r' | b'\n' => {}
                byte if wanted.contains(&byte) => return Ok(byte),
                _ => return Err(Stop::At(here, why.to_owned())),
            }
        }
    }
    fn value(&mut self, depth: usize) -> Result<Value, Stop<'t>> {
        if depth > 10_000 {
            return Err(Stop::Depth);
        }
        let first = self.expect(b"{[\"-0123456789tfn", "looking for beginning of value")?;
        match first {
            b'{' => crate::value::deeper(|| self.object(depth)),
            b'[' => crate::value::deeper(|| self.array(depth)),
            b'"' => Ok(Value::str(self.string()?)),
            b't' => self.word("true", Value::Bool(true)),
            b'f' => self.word("false", Value::Bool(false)),
            b'n' => self.word("null", Value::Nil),
            first => self.number(first),
        }
    }
    fn object(&mut self, depth: usize) -> Result<Value, Stop<'t>> {
        let looking = "looking for beginning of object key string";
        let mut entries = Vec::new();
        let mut start = self.expect(b"\"}", looking)?;
        while start == b'"' {
            let key = self.string()?;
            self.expect(b":", "after object key")?;
            self.path.push(key.replace('~', "~0").replace('/', "~1"));
            entries.push((key, self.value(depth + 1)?));
            self.path.pop();
            if self.expect(b",}", "after object key:value pair")? == b'}' {
                break;
            }
            start = self.expect(b"\"", looking)?;
        }
        Ok(Value::map(entries))
    }
    fn array(&mut self, depth: usize) -> Result<Value, Stop<'t>> {
        let mut items = Vec::new();
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.next()?;
        }
        if self.peek() == Some(b']') {
            self.next()?;
            return Ok(Value::list(items));
        }
        loop {
            self.path.push(items.len().to_string());
            items.push(self.value(depth + 1)?);
            self.path.pop();
            if self.expect(b",]", "after array element")? == b']' {
                return Ok(Value::list(items));
            }
        }
    }
    fn string(&mut self) -> Result<String, Stop<'t>> {
        let mut out = Vec::new();
        loop {
            let here = self.bytes;
            match self.next()? {
                b'"' => return Ok(String::from_utf8_lossy(&out).into_owned()),
                b'\\' => match self.next()? {
                    byte @ (b'\\' | b'/' | b'"') => out.push(byte),
                    b'b' => out.push(8),
                    b'f' => out.push(12),
                    b'n' => out.push(b'\n'),
                    b'r' => out.push(b'\r'),
                    b't' => out.push(b'\t'),
                    b'u' => {
                        let mut code = self.unit(here)?;
                        if (0xd800..0xdc00).contains(&code) && self.bytes.starts_with(b"\\u") {
                            // Half of a pair without the other is U+FFFD, and the next escape stands for itself.
                            let (here, after) = (self.bytes, &self.bytes[2..]);
                            self.bytes = after;
                            match self.unit(here)? {
                                low @ 0xdc00..0xe000 => {
                                    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00)
                                }
                                _ => self.bytes = here,
                            }
                        }
                        let c = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
                        out.extend(c.to_string().bytes());
                    }
                    _ => return Err(Stop::Escape(&here[..2])),
                },
                byte if byte < 0x20 => return Err(Stop::At(here, "in string".into())),
                byte => out.push(byte),
            }
        }
    }
    /// The four digits of an escape that begins with the bytes given.
    fn unit(&mut self, escape: &'t [u8]) -> Result<u32, Stop<'t>> {
        let digits = &self.bytes[..self.bytes.len().min(4)];
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(Stop::Escape(&escape[..2 + digits.len()]));
        }
        self.bytes = self.bytes.get(4..).ok_or(Stop::End)?;
        let value = |byte: &u8| char::from(*byte).to_digit(16).unwrap_or(0);
        Ok(digits.iter().fold(0, |sum, digit| sum * 16 + value(digit)))
    }
    fn word(&mut self, word: &str, value: Value) -> Result<Value, Stop<'t>> {
        for wanted in word.bytes().skip(1) {
            let here = self.bytes;
            if self.next()? != wanted {
                let why = format!("in literal {word} (expecting '{}')", char::from(wanted));
                return Err(Stop::At(here, why));
            }
        }
        Ok(value)
    }
    fn number(&mut self, mut first: u8) -> Result<Value, Stop<'t>> {
        let start = self.text.len() - self.bytes.len() - 1;
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
        let number = &self.text[start..self.text.len() - self.bytes.len()];
        let value: f64 = number.parse().unwrap_or(f64::INFINITY);
        if value.is_infinite() {
            let path: String = self.path.iter().map(|part| format!(".{part}")).collect();
            let into = match self.path.last() {
                None => "Go value".to_owned(),
                Some(index) if index.bytes().all(|b| b.is_ascii_digit()) => path,
                Some(_) => format!("Go struct field {path}"),
            };
            let error = format!("json: cannot unmarshal number {number} into {into} of type float64");
            self.too_large.get_or_insert(error);
            return Ok(Value::Float(0.0));
        }
        Ok(Value::Float(value))
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
    Ok(gofmt::decimal(f))
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
        Value::Str(s) => string(out, s.as_bytes(), html),
        Value::Raw(b) => string(out, b, html),
        Value::Bytes(b) => {
            use base64::Engine;
            string(
                out,
                base64::engine::general_purpose::STANDARD.encode(b).as_bytes(),
                html,
            );
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
                deeper(|| write(out, item, html, inner, depth + 1))?;
            }
            newline(out, indent);
            out.push(']');
        }
        Value::Map(map) => {
            if map.is_empty() {
                let nil = matches!(map.ty, MapType::NilStr | MapType::NilAny);
                out.push_str(if nil { "null" } else { "{}" });
                return Ok(());
            }
            out.push('{');
            let files = map.ty == MapType::Files;
            for (index, (key, item)) in map.snapshot().iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                newline(out, inner);
                string(out, key.as_bytes(), html);
                out.push_str(if indent.is_some() { ": " } else { ":" });
                let bytes = if files {
                    crate::value::object::file_bytes(item)
                } else {
                    item.clone()
                };
                deeper(|| write(out, &bytes, html, inner, depth + 1))?;
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
                    string(out, key.as_bytes(), html);
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

fn string(out: &mut String, text: &[u8], html: bool) {
    out.push('"');
    characters(out, &crate::value::as_text(text), html);
    out.push('"');
}

fn characters(out: &mut String, text: &str, html: bool) {
    for c in text.chars() {
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
}
