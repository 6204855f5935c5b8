//! Writing: the layout of Go's emitters, which checksums in charts depend on to the byte.

use super::resolve::{Scalar, base60, resolve};
use crate::text::json;
use crate::value::gofmt;
use crate::value::object::{Object, file_bytes};
use crate::value::{Elem, MapType, Value, as_text, deeper};
use std::cmp::Ordering;
use std::sync::Arc;

/// Column after which plain and quoted scalars fold.
const WIDTH: usize = 80;
/// Longest key that is written as `key: value`.
const SIMPLE_KEY: usize = 128;
/// Deepest nesting: a dictionary can contain itself.
const MAX_DEPTH: usize = 10_000;

/// What helm's `toYaml` prints, with the final line end.
///
/// # Errors
/// Numbers that JSON lacks, nesting without end.
pub fn emit(value: &Value) -> Result<String, String> {
    let mut emitter = Emitter {
        out: String::new(),
        column: 0,
        pretty: false,
    };
    if check_characters(value, 0)? {
        let read = super::parse(&json::encode(value, true)?).map_err(|e| e.to_string())?;
        emitter.document(&read)?;
    } else {
        emitter.document(value)?;
    }
    Ok(emitter.out)
}

/// Go's library goes through JSON and reads that as YAML, which refuses some characters, and takes U+0085 (next line) for
/// a line end, which folds. Whether there is one: only then the detour is made here, too.
fn check_characters(value: &Value, depth: usize) -> Result<bool, String> {
    if depth > MAX_DEPTH {
        return Err("json: unsupported value: encountered a cycle".into());
    }
    let refused = |s: &str| {
        s.chars()
            .any(|c| matches!(c, '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}'))
    };
    let mut folds = false;
    match value {
        Value::Str(s) if !s.bytes().any(|b| b >= 0x7f) => {}
        Value::Str(s) if refused(s) => return Err("yaml: control characters are not allowed".into()),
        Value::Str(s) => folds = s.contains('\u{85}'),
        Value::List(list) => {
            for item in list.items.iter() {
                folds |= deeper(|| check_characters(item, depth + 1))?;
            }
        }
        Value::Map(map) => {
            for (key, item) in map.snapshot() {
                folds |= check_characters(&Value::Str(key), depth + 1)?;
                folds |= deeper(|| check_characters(&item, depth + 1))?;
            }
        }
        _ => {}
    }
    Ok(folds)
}

/// Entries in the order of their keys. Go's comparison can run in a circle, at which the library's sort would panic.
fn sorted(entries: Vec<(Arc<str>, Value)>, pretty: bool) -> Vec<(Arc<str>, Value)> {
    let mut out: Vec<(Arc<str>, Value)> = Vec::with_capacity(entries.len());
    for entry in entries {
        let at = out.partition_point(|(key, _)| key_order(key, &entry.0, pretty).is_le());
        out.insert(at, entry);
    }
    out
}

/// What helm's `toYamlPretty` prints: lists are indented under their keys, nothing folds.
pub fn emit_pretty(value: &Value) -> String {
    let mut emitter = Emitter {
        out: String::new(),
        column: 0,
        pretty: true,
    };
    match emitter.document(value) {
        Ok(()) => emitter.out,
        Err(_) => String::new(),
    }
}

struct Emitter {
    out: String,
    column: usize,
    pretty: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Style {
    Plain,
    Single,
    Double,
    Literal,
}

struct Analysis {
    multiline: bool,
    plain: bool,
    single: bool,
    block: bool,
}

impl Emitter {
    fn document(&mut self, value: &Value) -> Result<(), String> {
        match layout(value, self.pretty) {
            Layout::Mapping => self.mapping(value, 0, 0),
            Layout::Sequence => self.sequence(value, 0, 0),
            Layout::Scalar => {
                self.scalar(value, 2, false)?;
                self.finish();
                Ok(())
            }
        }
    }
    fn newline(&mut self) {
        self.out.push('\n');
        self.column = 0;
    }
    fn indent(&mut self, indent: usize) {
        if self.column > 0 {
            self.newline();
        }
        self.out.extend(std::iter::repeat_n(' ', indent));
        self.column = indent;
    }
    fn put(&mut self, text: &str) {
        self.out.push_str(text);
        self.column += text.chars().count();
    }
    fn put_char(&mut self, c: char) {
        self.out.push(c);
        self.column += 1;
    }
    /// Entries of a mapping, in their order.
    fn entries(&self, value: &Value) -> Vec<(Arc<str>, Value)> {
        match value {
            Value::Map(map) if map.ty == MapType::Files => {
                let bytes = |(key, item): (Arc<str>, Value)| (key, file_bytes(&item));
                sorted(map.snapshot().into_iter().map(bytes).collect(), self.pretty)
            }
            Value::Map(map) => sorted(map.snapshot(), self.pretty),
            // The newer emitter writes a struct as it is, the older one what JSON makes of it.
            Value::Object(object) if self.pretty => {
                let fields = object.go_fields().unwrap_or_default().into_iter();
                fields
                    .map(|(name, item)| (name.to_lowercase().into(), item))
                    .collect()
            }
            Value::Object(object) => self.entries(&object.json()),
            _ => Vec::new(),
        }
    }
    /// Entries of a mapping; the cursor stands where the first key goes.
    fn mapping(&mut self, value: &Value, indent: usize, depth: usize) -> Result<(), String> {
        if depth > MAX_DEPTH {
            return Err("json: unsupported value: encountered a cycle".into());
        }
        for (index, (key, item)) in self.entries(value).iter().enumerate() {
            if index > 0 {
                self.indent(indent);
            }
            let analysis = analyze(key, self.pretty);
            let simple = !analysis.multiline && key.len() <= SIMPLE_KEY;
            if simple {
                self.text(key, indent + 2, true);
                self.put(":");
            } else {
                self.put("? ");
                self.text(key, indent + 2, false);
                self.indent(indent);
                self.put(":");
            }
            self.entry(item, indent, simple, depth)?;
        }
        self.finish();
        Ok(())
    }
    fn finish(&mut self) {
        if self.column > 0 {
            self.newline();
        }
    }
    /// The value of a key.
    fn entry(&mut self, item: &Value, indent: usize, simple: bool, depth: usize) -> Result<(), String> {
        match layout(item, self.pretty) {
            Layout::Mapping => {
                if simple {
                    self.indent(indent + 2);
                } else {
                    self.put(" ");
                }
                deeper(|| self.mapping(item, indent + 2, depth + 1))
            }
            Layout::Sequence => {
                let inner = if self.pretty || !simple {
                    indent + 2
                } else {
                    indent
                };
                if simple {
                    self.indent(inner);
                } else {
                    self.put(" ");
                }
                deeper(|| self.sequence(item, inner, depth + 1))
            }
            Layout::Scalar => {
                self.put(" ");
                self.scalar(item, indent + 2, false)
            }
        }
    }
    /// Items of a sequence; the cursor stands where the first dash goes.
    fn sequence(&mut self, value: &Value, indent: usize, depth: usize) -> Result<(), String> {
        if depth > MAX_DEPTH {
            return Err("json: unsupported value: encountered a cycle".into());
        }
        for (index, item) in value.items().unwrap_or_default().iter().enumerate() {
            if index > 0 {
                self.indent(indent);
            }
            self.put("- ");
            match layout(item, self.pretty) {
                Layout::Mapping => deeper(|| self.mapping(item, indent + 2, depth + 1))?,
                Layout::Sequence => deeper(|| self.sequence(item, indent + 2, depth + 1))?,
                Layout::Scalar => self.scalar(item, indent + 2, false)?,
            }
        }
        self.finish();
        Ok(())
    }
    fn scalar(&mut self, value: &Value, indent: usize, key: bool) -> Result<(), String> {
        match value {
            Value::Invalid | Value::Nil => self.put("null"),
            Value::Bool(b) => self.put(if *b { "true" } else { "false" }),
            Value::Int(..) => self.put(&gofmt::text(value)),
            Value::Float(f) => {
                let text = if self.pretty { pretty_float(*f) } else { float(*f)? };
                self.put(&text);
            }
            Value::Str(s) => self.text(s, indent, key),
            Value::Raw(b) if self.pretty => {
                use base64::Engine;
                self.put("!!binary ");
                let text = base64::engine::general_purpose::STANDARD.encode(b);
                let lines: Vec<&[u8]> = text.as_bytes().chunks(70).collect();
                self.text(&String::from_utf8_lossy(&lines.join(&b'\n')), indent, key);
            }
            Value::Raw(b) => self.text(&as_text(b), indent, key),
            Value::Bytes(_) if self.pretty => self.put("[]"),
            Value::Bytes(b) => {
                use base64::Engine;
                self.text(&base64::engine::general_purpose::STANDARD.encode(b), indent, key);
            }
            Value::List(list) if matches!(list.elem, Elem::NilAny | Elem::NilStr) && !self.pretty => {
                self.put("null");
            }
            Value::List(_) => self.put("[]"),
            Value::Map(map) if matches!(map.ty, MapType::NilStr | MapType::NilAny) && !self.pretty => {
                self.put("null");
            }
            Value::Map(_) => self.put("{}"),
            Value::Object(object) if self.pretty && matches!(**object, Object::Time(_)) => {
                self.put(&json_text(object));
            }
            Value::Object(object) if self.pretty && matches!(**object, Object::Duration(_)) => {
                self.text(&object.print(), indent, key);
            }
            Value::Object(object) => match object.json() {
                Value::Map(_) => self.put("{}"),
                json => self.scalar(&json, indent, key)?,
            },
        }
        Ok(())
    }
    fn text(&mut self, s: &str, indent: usize, key: bool) {
        match style(s, key, self.pretty) {
            Style::Plain => self.plain(s, indent, key),
            Style::Single => self.single(s, indent, key),
            Style::Double => self.double(s, indent, key),
            Style::Literal => self.literal(s, indent),
        }
    }
    fn folds(&self, key: bool) -> bool {
        !key && !self.pretty && self.column > WIDTH
    }
    fn plain(&mut self, s: &str, indent: usize, key: bool) {
        let mut spaces = false;
        let mut chars = s.chars().peekable();
        while let Some(c) = chars.next() {
            if c == ' ' {
                if !spaces && self.folds(key) && chars.peek() != Some(&' ') {
                    self.indent(indent);
                } else {
                    self.put_char(' ');
                }
                spaces = true;
            } else {
                self.put_char(c);
                spaces = false;
            }
        }
    }
    fn single(&mut self, s: &str, indent: usize, key: bool) {
        self.put_char('\'');
        let mut spaces = false;
        let mut breaks = false;
        let last = s.len().saturating_sub(1);
        let mut chars = s.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            if c == ' ' {
                let followed = chars.peek().is_some_and(|(_, c)| *c == ' ');
                if !spaces && self.folds(key) && at > 0 && at < last && !followed {
                    self.indent(indent);
                } else {
                    self.put_char(' ');
                }
                spaces = true;
            } else if is_break(c) {
                if !breaks && c == '\n' {
                    self.newline();
                }
                self.line_break(c);
                breaks = true;
            } else {
                if breaks {
                    self.indent(indent);
                }
                self.put_char(c);
                if c == '\'' {
                    self.put_char('\'');
                }
                spaces = false;
                breaks = false;
            }
        }
        self.put_char('\'');
    }
    fn double(&mut self, s: &str, indent: usize, key: bool) {
        self.put_char('"');
        let mut spaces = false;
        let last = s.len().saturating_sub(1);
        // Go looks for the mark of the byte order at the text's beginning, whichever character it is about to write.
        let marked = s.starts_with('\u{feff}');
        let mut chars = s.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            if marked || !printable(c) || is_break(c) || c == '"' || c == '\\' {
                let escape = match c {
                    '\0' => "\\0".to_owned(),
                    '\x07' => "\\a".to_owned(),
                    '\x08' => "\\b".to_owned(),
                    '\t' => "\\t".to_owned(),
                    '\n' => "\\n".to_owned(),
                    '\x0b' => "\\v".to_owned(),
                    '\x0c' => "\\f".to_owned(),
                    '\r' => "\\r".to_owned(),
                    '\x1b' => "\\e".to_owned(),
                    '"' => "\\\"".to_owned(),
                    '\\' => "\\\\".to_owned(),
                    '\u{85}' => "\\N".to_owned(),
                    '\u{a0}' => "\\_".to_owned(),
                    '\u{2028}' => "\\L".to_owned(),
                    '\u{2029}' => "\\P".to_owned(),
                    c if (c as u32) <= 0xff => format!("\\x{:02X}", c as u32),
                    c if (c as u32) <= 0xffff => format!("\\u{:04X}", c as u32),
                    c => format!("\\U{:08X}", c as u32),
                };
                self.put(&escape);
                spaces = false;
            } else if c == ' ' {
                if !spaces && self.folds(key) && at > 0 && at < last {
                    self.indent(indent);
                    if chars.peek().is_some_and(|(_, c)| *c == ' ') {
                        self.put_char('\\');
                    }
                } else {
                    self.put_char(' ');
                }
                spaces = true;
            } else {
                self.put_char(c);
                spaces = false;
            }
        }
        self.put_char('"');
    }
    fn literal(&mut self, s: &str, indent: usize) {
        self.put_char('|');
        if s.starts_with(|c| c == ' ' || is_break(c)) {
            self.put("2");
        }
        let mut from_the_end = s.chars().rev();
        match (
            from_the_end.next().map(is_break),
            from_the_end.next().map(is_break),
        ) {
            (Some(false), _) => self.put_char('-'),
            (Some(true), None | Some(true)) => self.put_char('+'),
            _ => {}
        }
        self.newline();
        for line in s.split_inclusive(is_break) {
            let text = line.trim_end_matches(is_break);
            if !text.is_empty() {
                self.indent(indent);
                self.put(text);
            }
            if let Some(c) = line[text.len()..].chars().next() {
                self.line_break(c);
            }
        }
    }
    /// A line end of the text. Go's emitter takes Unicode's other ones for the end of the line too, also where it is then
    /// not read back the same.
    fn line_break(&mut self, c: char) {
        self.out.push(c);
        self.column = 0;
    }
}

/// How a value is laid out.
enum Layout {
    Mapping,
    Sequence,
    Scalar,
}

fn layout(value: &Value, pretty: bool) -> Layout {
    match value {
        Value::Map(map) if !map.is_empty() => Layout::Mapping,
        Value::Object(object) if object.go_fields().is_some() => Layout::Mapping,
        Value::List(list) if !list.items.is_empty() => Layout::Sequence,
        // The newer emitter knows no text of bytes.
        Value::Bytes(bytes) if pretty && !bytes.is_empty() => Layout::Sequence,
        _ => Layout::Scalar,
    }
}

fn style(s: &str, key: bool, pretty: bool) -> Style {
    let analysis = analyze(s, pretty);
    let wanted = if s.contains('\n') {
        Style::Literal
    } else if matches!(resolve(s), Scalar::Text | Scalar::Merge) && !base60(s) && !(pretty && signed_octal(s))
    {
        Style::Plain
    } else {
        Style::Double
    };
    match wanted {
        Style::Literal if analysis.block && !key => Style::Literal,
        Style::Plain if analysis.plain => Style::Plain,
        Style::Plain if analysis.single => Style::Single,
        _ => Style::Double,
    }
}

/// `0o-7`: the newer emitter takes it for a number.
fn signed_octal(s: &str) -> bool {
    let plain = s.replace('_', "");
    let digits = plain.strip_prefix("0o").or_else(|| plain.strip_prefix("-0o"));
    digits.is_some_and(|digits| i64::from_str_radix(digits, 8).is_ok())
}

/// A time, which the newer emitter does not quote.
fn json_text(object: &Object) -> String {
    gofmt::text(&object.json())
}

fn is_break(c: char) -> bool {
    matches!(c, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}') && c != '\u{feff}'
}

fn analyze(s: &str, pretty: bool) -> Analysis {
    if s.is_empty() {
        return Analysis {
            multiline: false,
            plain: true,
            single: true,
            block: false,
        };
    }
    let mut indicators = s.starts_with("---") || s.starts_with("...");
    let (mut breaks, mut special, mut tabs) = (false, false, false);
    let (mut leading, mut trailing_space, mut trailing_break, mut break_space, mut space_break) =
        (false, false, false, false, false);
    let (mut previous_space, mut previous_break) = (false, false);
    let mut after_blank = true;
    let blank = |c: char| c == ' ' || c == '\t' || is_break(c);
    let mut chars = s.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|(_, c)| *c);
        let before_blank = next.is_none_or(blank);
        indicators |= match c {
            '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@'
            | '`'
                if at == 0 =>
            {
                true
            }
            '?' | '-' if at == 0 => before_blank,
            ':' => before_blank,
            '#' => after_blank,
            _ => false,
        };
        // The newer emitter leaves a tab in a literal block.
        tabs |= c == '\t';
        special |= !(printable(c) || pretty && c == '\t');
        if c == ' ' {
            leading |= at == 0;
            trailing_space |= next.is_none();
            break_space |= previous_break;
            (previous_space, previous_break) = (true, false);
        } else if is_break(c) {
            breaks = true;
            leading |= at == 0;
            trailing_break |= next.is_none();
            space_break |= previous_space;
            (previous_space, previous_break) = (false, true);
        } else {
            (previous_space, previous_break) = (false, false);
        }
        after_blank = blank(c);
    }
    Analysis {
        multiline: breaks,
        plain: !(leading
            || trailing_space
            || trailing_break
            || break_space
            || space_break
            || special
            || breaks
            || tabs
            || indicators),
        single: !(break_space || space_break || special || tabs),
        block: !(trailing_space || space_break || special),
    }
}

/// A number after its way through JSON: whole ones lose their fraction.
fn float(f: f64) -> Result<String, String> {
    let text = json::number(f)?;
    Ok(match resolve(&text) {
        Scalar::Int(n) => n.to_string(),
        Scalar::Uint(n) => n.to_string(),
        _ => gofmt::format_g(f, 6),
    })
}

fn pretty_float(f: f64) -> String {
    if f.is_nan() {
        ".nan".into()
    } else if f.is_infinite() {
        if f > 0.0 { ".inf".into() } else { "-.inf".into() }
    } else {
        gofmt::format_g(f, 6)
    }
}

/// The order of keys: letters after other characters, numbers by their value.
fn key_order(a: &str, b: &str, pretty: bool) -> Ordering {
    if a == b {
        Ordering::Equal
    } else if key_less(a, b, pretty) {
        Ordering::Less
    } else {
        Ordering::Greater
    }
}

fn key_less(a: &str, b: &str, pretty: bool) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut digits = false;
    for i in 0..a.len().min(b.len()) {
        if a[i] == b[i] {
            digits = a[i].is_ascii_digit();
            continue;
        }
        let (letter_a, letter_b) = (a[i].is_alphabetic(), b[i].is_alphabetic());
        if letter_a && letter_b {
            return a[i] < b[i];
        }
        if letter_a || letter_b {
            return if digits && pretty { letter_a } else { letter_b };
        }
        let (mut an, mut bn) = (0i64, 0i64);
        if a[i] == '0' || b[i] == '0' {
            for c in a[..i].iter().rev().take_while(|c| c.is_ascii_digit()) {
                if *c != '0' {
                    (an, bn) = (1, 1);
                    break;
                }
            }
        }
        let value = |chars: &[char], start: i64| {
            let mut n = start;
            let mut end = i;
            while let Some(digit) = chars.get(end).and_then(|c| c.to_digit(10)) {
                n = n.wrapping_mul(10).wrapping_add(i64::from(digit));
                end += 1;
            }
            (n, end)
        };
        let ((an, ai), (bn, bi)) = (value(&a, an), value(&b, bn));
        if an != bn {
            return an < bn;
        }
        if ai != bi {
            return ai < bi;
        }
        return a[i] < b[i];
    }
    a.len() < b.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_go_orders_in_a_circle_do_not_panic() {
        let names = [
            "1a", "2", "12", "a1", "a", "A", "_", "-", "é1", "10b", "01", "1", "b-2", "b_10",
        ];
        let keys = (0..400).map(|n| (format!("{}{}", names[n % 14], names[n * 7 % 13]), Value::Nil));
        let map = Value::map(
            keys.collect::<Vec<_>>()
                .iter()
                .map(|(k, v)| (k.as_str(), v.clone())),
        );
        assert!(emit(&map).is_ok());
        assert!(!emit_pretty(&map).is_empty());
    }
}
