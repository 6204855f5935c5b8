//! YAML 1.1 into tokens: indentation, simple keys, scalars, with the wording and line numbers of Go's library.

use std::borrow::Cow;
use std::collections::VecDeque;

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind<'t> {
    StreamEnd,
    Directive(Option<(String, String)>),
    DocumentStart,
    DocumentEnd,
    BlockSequenceStart,
    BlockMappingStart,
    BlockEnd,
    FlowSequenceStart,
    FlowSequenceEnd,
    FlowMappingStart,
    FlowMappingEnd,
    BlockEntry,
    FlowEntry,
    Key,
    Value,
    Alias(&'t str),
    Anchor(&'t str),
    Tag(&'t str, String),
    Scalar(Cow<'t, str>, bool),
}

/// A token and the line it starts on, from 0.
#[derive(Clone, Debug)]
pub(super) struct Token<'t> {
    pub kind: Kind<'t>,
    pub line: usize,
}

#[derive(Clone, Copy)]
struct SimpleKey {
    required: bool,
    number: usize,
    at: usize,
    line: usize,
    column: usize,
}

/// Deepest nesting of blocks and brackets.
const MAX_DEPTH: usize = 1000;

pub(super) struct Scanner<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    line: usize,
    column: usize,
    tokens: VecDeque<Token<'t>>,
    taken: usize,
    indents: Vec<isize>,
    indent: isize,
    allowed: bool,
    keys: Vec<Option<SimpleKey>>,
    ended: bool,
    /// Whether the first token may be given out as it is.
    ready: bool,
}

type Result<T, E = String> = std::result::Result<T, E>;

/// The message with the line as Go's library counts it.
pub(super) fn placed(line: usize, message: &str) -> String {
    if line > 0 {
        format!("line {line}: {message}")
    } else {
        message.to_owned()
    }
}

impl<'t> Scanner<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Scanner {
            text,
            bytes: text.as_bytes(),
            at: 0,
            line: 0,
            column: 0,
            tokens: VecDeque::new(),
            taken: 0,
            indents: Vec::new(),
            indent: -1,
            allowed: true,
            keys: vec![None],
            ended: false,
            ready: false,
        }
    }
    /// The next token, left where it is.
    pub(super) fn peek(&mut self) -> Result<&Token<'t>> {
        if !self.ready {
            self.fill()?;
            self.ready = true;
        }
        self.tokens.front().ok_or_else(|| "unexpected end".to_owned())
    }
    /// The next token, taken.
    pub(super) fn next(&mut self) -> Result<Token<'t>> {
        if !self.ready {
            self.fill()?;
        }
        self.ready = false;
        self.taken += 1;
        self.tokens.pop_front().ok_or_else(|| "unexpected end".to_owned())
    }
    /// The token after the next one.
    pub(super) fn peek_second(&mut self) -> Result<&Token<'t>> {
        while self.tokens.len() < 2 {
            self.fetch()?;
        }
        Ok(&self.tokens[1])
    }
    fn fill(&mut self) -> Result<()> {
        loop {
            if !self.tokens.is_empty() {
                self.drop_stale_keys()?;
                // A token that may yet become a key has to wait for its colon.
                if !self.keys.iter().flatten().any(|key| key.number == self.taken) {
                    return Ok(());
                }
            }
            if self.ended {
                if self.tokens.is_empty() {
                    self.push(Kind::StreamEnd);
                }
                return Ok(());
            }
            self.fetch()?;
        }
    }
    fn fail<T>(&self, message: &str) -> Result<T> {
        Err(placed(if self.line == 0 { 0 } else { self.line + 1 }, message))
    }
    fn flow(&self) -> bool {
        self.keys.len() > 1
    }
    fn byte(&self, offset: usize) -> u8 {
        self.bytes.get(self.at + offset).copied().unwrap_or(0)
    }
    fn end(&self) -> bool {
        self.at >= self.bytes.len()
    }
    /// Length of a line break here: `\n`, `\r`, `\r\n`, NEL, LS or PS.
    fn break_at(&self, at: usize) -> usize {
        match self.bytes.get(at) {
            Some(b'\n') => 1,
            Some(b'\r') => 1 + usize::from(self.bytes.get(at + 1) == Some(&b'\n')),
            Some(0xc2) if self.bytes.get(at + 1) == Some(&0x85) => 2,
            Some(0xe2)
                if self.bytes.get(at + 1) == Some(&0x80)
                    && matches!(self.bytes.get(at + 2), Some(0xa8 | 0xa9)) =>
            {
                3
            }
            _ => 0,
        }
    }
    fn is_break(&self) -> bool {
        self.break_at(self.at) > 0
    }
    fn blank(&self) -> bool {
        matches!(self.byte(0), b' ' | b'\t')
    }
    fn blank_or_end(&self, offset: usize) -> bool {
        let at = self.at + offset;
        at >= self.bytes.len() || matches!(self.bytes[at], b' ' | b'\t') || self.break_at(at) > 0
    }
    fn skip(&mut self) {
        let byte = self.byte(0);
        let width = match byte {
            0..0x80 => 1,
            0x80..0xe0 => 2,
            0xe0..0xf0 => 3,
            _ => 4,
        };
        self.at = (self.at + width).min(self.bytes.len());
        self.column += 1;
    }
    /// Skips characters that can only be part of a word.
    fn skip_word(&mut self) {
        let rest = &self.bytes[self.at..];
        let length = rest
            .iter()
            .position(|c| {
                !matches!(c, b'!'..=b'~')
                    || matches!(c, b':' | b'#' | b',' | b'?' | b'[' | b']' | b'{' | b'}')
            })
            .unwrap_or(rest.len());
        self.at += length;
        self.column += length;
    }
    /// Skips what is left of a line.
    fn skip_content(&mut self) {
        let rest = &self.bytes[self.at..];
        let length = rest
            .iter()
            .position(|c| !matches!(c, b'\t' | b' '..=b'~'))
            .unwrap_or(rest.len());
        self.at += length;
        self.column += length;
        while !self.end() && !self.is_break() {
            self.skip();
        }
    }
    fn skip_line(&mut self) {
        self.at += self.break_at(self.at);
        self.column = 0;
        self.line += 1;
    }
    fn read_line(&mut self, out: &mut String) {
        match self.break_at(self.at) {
            3 => out.push_str(&self.text[self.at..self.at + 3]),
            0 => return,
            _ => out.push('\n'),
        }
        self.skip_line();
    }
    fn push(&mut self, kind: Kind<'t>) {
        self.tokens.push_back(Token {
            kind,
            line: self.line,
        });
    }
    fn skip_and_push(&mut self, kind: Kind<'t>, count: usize) {
        self.push(kind);
        for _ in 0..count {
            self.skip();
        }
    }

    fn fetch(&mut self) -> Result<()> {
        self.skip_to_token();
        self.drop_stale_keys()?;
        self.unroll(isize::try_from(self.column).unwrap_or(isize::MAX));
        if self.end() {
            if self.column != 0 {
                self.column = 0;
                self.line += 1;
            }
            self.unroll(-1);
            self.remove_key()?;
            self.allowed = false;
            self.push(Kind::StreamEnd);
            self.ended = true;
            return Ok(());
        }
        let c = self.byte(0);
        if self.column == 0 {
            if c == b'%' {
                self.unroll(-1);
                self.remove_key()?;
                self.allowed = false;
                return self.directive();
            }
            for (mark, kind) in [("---", Kind::DocumentStart), ("...", Kind::DocumentEnd)] {
                if self.document_mark(mark) {
                    self.unroll(-1);
                    self.remove_key()?;
                    self.allowed = false;
                    self.skip_and_push(kind, 3);
                    return Ok(());
                }
            }
        }
        match c {
            b'[' => self.flow_start(Kind::FlowSequenceStart),
            b'{' => self.flow_start(Kind::FlowMappingStart),
            b']' => self.flow_end(Kind::FlowSequenceEnd),
            b'}' => self.flow_end(Kind::FlowMappingEnd),
            b',' => {
                self.remove_key()?;
                self.allowed = true;
                self.skip_and_push(Kind::FlowEntry, 1);
                Ok(())
            }
            b'-' if self.blank_or_end(1) => {
                if !self.flow() {
                    if !self.allowed {
                        return self.fail("block sequence entries are not allowed in this context");
                    }
                    self.roll(self.column, None, Kind::BlockSequenceStart)?;
                }
                self.remove_key()?;
                self.allowed = true;
                self.skip_and_push(Kind::BlockEntry, 1);
                Ok(())
            }
            b'?' if self.flow() || self.blank_or_end(1) => {
                if !self.flow() {
                    if !self.allowed {
                        return self.fail("mapping keys are not allowed in this context");
                    }
                    self.roll(self.column, None, Kind::BlockMappingStart)?;
                }
                self.remove_key()?;
                self.allowed = !self.flow();
                self.skip_and_push(Kind::Key, 1);
                Ok(())
            }
            b':' if self.flow() || self.blank_or_end(1) => self.value(),
            b'*' | b'&' => {
                self.save_key()?;
                self.allowed = false;
                self.anchor(c == b'*')
            }
            b'!' => {
                self.save_key()?;
                self.allowed = false;
                self.tag()
            }
            b'|' | b'>' if !self.flow() => {
                self.remove_key()?;
                self.allowed = true;
                self.block_scalar(c == b'|')
            }
            b'\'' | b'"' => {
                self.save_key()?;
                self.allowed = false;
                self.flow_scalar(c == b'\'')
            }
            _ => {
                let indicator = matches!(
                    c,
                    b'-' | b'?'
                        | b':'
                        | b','
                        | b'['
                        | b']'
                        | b'{'
                        | b'}'
                        | b'#'
                        | b'&'
                        | b'*'
                        | b'!'
                        | b'|'
                        | b'>'
                        | b'\''
                        | b'"'
                        | b'%'
                        | b'@'
                        | b'`'
                );
                let plain = !(indicator || self.blank_or_end(0))
                    || c == b'-' && !matches!(self.byte(1), b' ' | b'\t')
                    || !self.flow() && matches!(c, b'?' | b':') && !self.blank_or_end(1);
                if !plain {
                    return self.fail("found character that cannot start any token");
                }
                self.save_key()?;
                self.allowed = false;
                self.plain()
            }
        }
    }
    fn document_mark(&self, mark: &str) -> bool {
        self.column == 0 && self.bytes[self.at..].starts_with(mark.as_bytes()) && self.blank_or_end(3)
    }
    fn skip_to_token(&mut self) {
        loop {
            while self.byte(0) == b' ' || (self.flow() || !self.allowed) && self.byte(0) == b'\t' {
                self.skip();
            }
            if self.byte(0) == b'#' {
                while !self.end() && !self.is_break() {
                    self.skip();
                }
            }
            if self.end() || !self.is_break() {
                return;
            }
            self.skip_line();
            if !self.flow() {
                self.allowed = true;
            }
        }
    }

    fn drop_stale_keys(&mut self) -> Result<()> {
        for index in 0..self.keys.len() {
            if let Some(key) = self.keys[index].filter(|key| key.line < self.line || key.at + 1024 < self.at)
            {
                if key.required {
                    return self.fail("could not find expected ':'");
                }
                self.keys[index] = None;
            }
        }
        Ok(())
    }
    fn save_key(&mut self) -> Result<()> {
        let required = !self.flow() && self.indent == isize::try_from(self.column).unwrap_or(isize::MAX);
        if self.allowed {
            self.remove_key()?;
            let number = self.taken + self.tokens.len();
            let key = SimpleKey {
                required,
                number,
                at: self.at,
                line: self.line,
                column: self.column,
            };
            if let Some(last) = self.keys.last_mut() {
                *last = Some(key);
            }
        }
        Ok(())
    }
    fn remove_key(&mut self) -> Result<()> {
        if self
            .keys
            .last()
            .copied()
            .flatten()
            .is_some_and(|key| key.required)
        {
            return self.fail("could not find expected ':'");
        }
        if let Some(last) = self.keys.last_mut() {
            *last = None;
        }
        Ok(())
    }
    /// Opens a block where the column lies deeper than the present indentation.
    fn roll(&mut self, column: usize, number: Option<(usize, usize)>, kind: Kind<'t>) -> Result<()> {
        if self.flow() {
            return Ok(());
        }
        let column = isize::try_from(column).unwrap_or(isize::MAX);
        if self.indent < column {
            self.indents.push(self.indent);
            self.indent = column;
            if self.indents.len() > MAX_DEPTH {
                return Err(format!("exceeded max depth of {MAX_DEPTH}"));
            }
            match number {
                Some((number, line)) => self.tokens.insert(number - self.taken, Token { kind, line }),
                None => self.push(kind),
            }
        }
        Ok(())
    }
    fn unroll(&mut self, column: isize) {
        if self.flow() {
            return;
        }
        while self.indent > column {
            self.push(Kind::BlockEnd);
            self.indent = self.indents.pop().unwrap_or(-1);
        }
    }
    fn flow_start(&mut self, kind: Kind<'t>) -> Result<()> {
        self.save_key()?;
        self.keys.push(None);
        if self.keys.len() > MAX_DEPTH {
            return Err(format!("exceeded max depth of {MAX_DEPTH}"));
        }
        self.allowed = true;
        self.skip_and_push(kind, 1);
        Ok(())
    }
    fn flow_end(&mut self, kind: Kind<'t>) -> Result<()> {
        self.remove_key()?;
        if self.keys.len() > 1 {
            self.keys.pop();
        }
        self.allowed = false;
        self.skip_and_push(kind, 1);
        Ok(())
    }
    fn value(&mut self) -> Result<()> {
        if let Some(key) = self.keys.last_mut().and_then(Option::take) {
            self.tokens.insert(
                key.number - self.taken,
                Token {
                    kind: Kind::Key,
                    line: key.line,
                },
            );
            self.roll(key.column, Some((key.number, key.line)), Kind::BlockMappingStart)?;
            self.allowed = false;
        } else {
            if !self.flow() {
                if !self.allowed {
                    return self.fail("mapping values are not allowed in this context");
                }
                self.roll(self.column, None, Kind::BlockMappingStart)?;
            }
            self.allowed = !self.flow();
        }
        self.skip_and_push(Kind::Value, 1);
        Ok(())
    }

    fn directive(&mut self) -> Result<()> {
        let rest = &self.text[self.at..];
        let end = rest.find(['\n', '\r']).unwrap_or(rest.len());
        let mut words = rest[..end]
            .split([' ', '\t'])
            .filter(|w| !w.is_empty())
            .take_while(|w| !w.starts_with('#'));
        let directive = match words.next() {
            Some("%YAML") => {
                if words.next() != Some("1.1") {
                    return Err("found incompatible YAML document".into());
                }
                None
            }
            Some("%TAG") => match (words.next(), words.next()) {
                (Some(handle), Some(prefix)) => Some((handle.to_owned(), prefix.to_owned())),
                _ => return self.fail("did not find expected whitespace"),
            },
            Some(word)
                if !word[1..]
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)) =>
            {
                return self.fail("found unexpected non-alphabetical character");
            }
            _ => return self.fail("found unknown directive name"),
        };
        self.push(Kind::Directive(directive));
        while !self.end() && !self.is_break() {
            self.skip();
        }
        Ok(())
    }
    fn anchor(&mut self, alias: bool) -> Result<()> {
        let line = self.line;
        self.skip();
        let start = self.at;
        while matches!(self.byte(0), b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'-') {
            self.skip();
        }
        let ends = self.blank_or_end(0)
            || matches!(
                self.byte(0),
                b'?' | b':' | b',' | b']' | b'}' | b'%' | b'@' | b'`'
            );
        if self.at == start || !ends {
            return self.fail("did not find expected alphabetic or numeric character");
        }
        let name = &self.text[start..self.at];
        self.tokens.push_back(Token {
            kind: if alias {
                Kind::Alias(name)
            } else {
                Kind::Anchor(name)
            },
            line,
        });
        Ok(())
    }
    fn tag(&mut self) -> Result<()> {
        let line = self.line;
        let start = self.at;
        self.skip();
        let (handle, suffix) = if self.byte(0) == b'<' {
            self.skip();
            let suffix = self.tag_uri()?;
            if self.byte(0) != b'>' {
                return self.fail("did not find the expected '>'");
            }
            self.skip();
            ("", suffix)
        } else {
            while self.byte(0).is_ascii_alphanumeric() || matches!(self.byte(0), b'_' | b'-') {
                self.skip();
            }
            let word = &self.text[start + 1..self.at];
            if self.byte(0) == b'!' {
                self.skip();
                let handle = &self.text[start..self.at];
                (handle, self.tag_uri()?)
            } else {
                ("!", word.to_owned() + &self.tag_rest()?)
            }
        };
        if !self.blank_or_end(0) {
            return self.fail("did not find expected whitespace or line break");
        }
        self.tokens.push_back(Token {
            kind: Kind::Tag(handle, suffix),
            line,
        });
        Ok(())
    }

    /// The address of a tag.
    fn tag_uri(&mut self) -> Result<String> {
        let uri = self.tag_rest()?;
        if uri.is_empty() {
            return self.fail("did not find expected tag URI");
        }
        Ok(uri)
    }
    /// What may be in a tag. Brackets and commas belong to it in a flow, too.
    fn tag_rest(&mut self) -> Result<String> {
        let mut out = Vec::new();
        loop {
            match self.byte(0) {
                b'%' => {
                    let digit = |byte: u8| char::from(byte).to_digit(16);
                    let (Some(high), Some(low)) = (digit(self.byte(1)), digit(self.byte(2))) else {
                        return self.fail("did not find URI escaped octet");
                    };
                    out.push((high * 16 + low) as u8);
                    self.skip();
                    self.skip();
                }
                byte if byte.is_ascii_alphanumeric() || b";/?:@&=+$,.!~*'()[]_-".contains(&byte) => {
                    out.push(byte)
                }
                _ => break,
            }
            self.skip();
        }
        match String::from_utf8(out) {
            Ok(out) => Ok(out),
            Err(_) => self.fail("found an incorrect leading UTF-8 octet"),
        }
    }

    fn block_scalar(&mut self, literal: bool) -> Result<()> {
        let line = self.line;
        self.skip();
        let (mut chomping, mut increment) = (0, 0);
        for _ in 0..2 {
            match self.byte(0) {
                b'+' if chomping == 0 => chomping = 1,
                b'-' if chomping == 0 => chomping = -1,
                b'0' if increment == 0 => return self.fail("found an indentation indicator equal to 0"),
                digit @ b'1'..=b'9' if increment == 0 => increment = isize::from(digit - b'0'),
                _ => continue,
            }
            self.skip();
        }
        while self.blank() {
            self.skip();
        }
        if self.byte(0) == b'#' {
            while !self.end() && !self.is_break() {
                self.skip();
            }
        }
        if !self.end() && !self.is_break() {
            return self.fail("did not find expected comment or line break");
        }
        if self.is_break() {
            self.skip_line();
        }
        let mut indent = if increment > 0 {
            self.indent.max(0) + increment
        } else {
            0
        };
        let (mut out, mut leading, mut trailing) = (String::new(), String::new(), String::new());
        let mut leading_blank = false;
        self.block_breaks(&mut indent, &mut trailing)?;
        while isize::try_from(self.column).unwrap_or(0) == indent && !self.end() {
            let blank = self.blank();
            if !literal && leading.starts_with('\n') && !leading_blank && !blank {
                if trailing.is_empty() {
                    out.push(' ');
                }
            } else {
                out.push_str(&leading);
            }
            leading.clear();
            out.push_str(&trailing);
            trailing.clear();
            leading_blank = self.blank();
            let from = self.at;
            self.skip_content();
            out.push_str(&self.text[from..self.at]);
            self.read_line(&mut leading);
            self.block_breaks(&mut indent, &mut trailing)?;
        }
        if chomping != -1 {
            out.push_str(&leading);
        }
        if chomping == 1 {
            out.push_str(&trailing);
        }
        self.tokens.push_back(Token {
            kind: Kind::Scalar(Cow::Owned(out), false),
            line,
        });
        Ok(())
    }
    fn block_breaks(&mut self, indent: &mut isize, breaks: &mut String) -> Result<()> {
        let mut most = 0;
        loop {
            let inside = |column: usize| *indent == 0 || isize::try_from(column).unwrap_or(0) < *indent;
            while inside(self.column) && self.byte(0) == b' ' {
                self.skip();
            }
            most = most.max(isize::try_from(self.column).unwrap_or(0));
            if inside(self.column) && self.byte(0) == b'\t' {
                return self.fail("found a tab character where an indentation space is expected");
            }
            if !self.is_break() {
                break;
            }
            self.read_line(breaks);
        }
        if *indent == 0 {
            *indent = most.max(self.indent + 1).max(1);
        }
        Ok(())
    }

    fn flow_scalar(&mut self, single: bool) -> Result<()> {
        let line = self.line;
        self.skip();
        let mut out = String::new();
        let quote = if single { b'\'' } else { b'"' };
        loop {
            if self.document_mark("---") || self.document_mark("...") {
                return self.fail("found unexpected document indicator");
            }
            if self.end() {
                return self.fail("found unexpected end of stream");
            }
            let mut leading_blanks = false;
            while !self.blank_or_end(0) {
                let c = self.byte(0);
                if single && c == b'\'' && self.byte(1) == b'\'' {
                    out.push('\'');
                    self.skip();
                    self.skip();
                } else if c == quote {
                    break;
                } else if !single && c == b'\\' && self.break_at(self.at + 1) > 0 {
                    self.skip();
                    self.skip_line();
                    leading_blanks = true;
                    break;
                } else if !single && c == b'\\' {
                    self.escape(&mut out)?;
                } else {
                    let from = self.at;
                    self.skip();
                    out.push_str(&self.text[from..self.at]);
                }
            }
            if self.byte(0) == quote && !self.end() {
                break;
            }
            let (mut spaces, mut first, mut more) = (String::new(), String::new(), String::new());
            while !self.end() && (self.blank() || self.is_break()) {
                if self.blank() {
                    if !leading_blanks {
                        spaces.push(self.byte(0) as char);
                    }
                    self.skip();
                } else if leading_blanks {
                    self.read_line(&mut more);
                } else {
                    spaces.clear();
                    self.read_line(&mut first);
                    leading_blanks = true;
                }
            }
            fold(&mut out, leading_blanks, &spaces, &first, &more);
        }
        self.skip();
        self.tokens.push_back(Token {
            kind: Kind::Scalar(Cow::Owned(out), false),
            line,
        });
        Ok(())
    }
    fn escape(&mut self, out: &mut String) -> Result<()> {
        let (c, length) = match self.byte(1) {
            b'0' => ('\0', 0),
            b'a' => ('\x07', 0),
            b'b' => ('\x08', 0),
            b't' | b'\t' => ('\t', 0),
            b'n' => ('\n', 0),
            b'v' => ('\x0b', 0),
            b'f' => ('\x0c', 0),
            b'r' => ('\r', 0),
            b'e' => ('\x1b', 0),
            b' ' => (' ', 0),
            b'"' => ('"', 0),
            b'\'' => ('\'', 0),
            b'\\' => ('\\', 0),
            b'N' => ('\u{85}', 0),
            b'_' => ('\u{a0}', 0),
            b'L' => ('\u{2028}', 0),
            b'P' => ('\u{2029}', 0),
            b'x' => ('\0', 2),
            b'u' => ('\0', 4),
            b'U' => ('\0', 8),
            _ => return self.fail("found unknown escape character"),
        };
        self.skip();
        self.skip();
        if length == 0 {
            out.push(c);
            return Ok(());
        }
        let Some(code) = self
            .bytes
            .get(self.at..self.at + length)
            .filter(|hex| hex.iter().all(u8::is_ascii_hexdigit))
            .and_then(|hex| u32::from_str_radix(std::str::from_utf8(hex).unwrap_or_default(), 16).ok())
        else {
            return self.fail("did not find expected hexdecimal number");
        };
        let Some(c) = char::from_u32(code) else {
            return self.fail("found invalid Unicode character escape code");
        };
        out.push(c);
        for _ in 0..length {
            self.skip();
        }
        Ok(())
    }
    fn plain(&mut self) -> Result<()> {
        let line = self.line;
        let indent = self.indent + 1;
        let start = self.at;
        let mut end = self.at;
        // The text is borrowed while it stays on one line.
        let mut folded: Option<String> = None;
        let (mut leading_blanks, mut spaces, mut first, mut more) =
            (false, String::new(), String::new(), String::new());
        loop {
            if self.document_mark("---") || self.document_mark("...") || self.byte(0) == b'#' {
                break;
            }
            let from = self.at;
            loop {
                self.skip_word();
                if self.blank_or_end(0) {
                    break;
                }
                let c = self.byte(0);
                if c == b':' && self.blank_or_end(1)
                    || self.flow() && matches!(c, b',' | b'?' | b'[' | b']' | b'{' | b'}')
                {
                    break;
                }
                self.skip();
            }
            if self.at > from {
                if leading_blanks || !spaces.is_empty() {
                    if leading_blanks || folded.is_some() {
                        let out = folded.get_or_insert_with(|| self.text[start..end].to_owned());
                        fold(out, leading_blanks, &spaces, &first, &more);
                    }
                    leading_blanks = false;
                    spaces.clear();
                    first.clear();
                    more.clear();
                }
                if let Some(out) = &mut folded {
                    out.push_str(&self.text[from..self.at]);
                }
                end = self.at;
            }
            if self.end() || !(self.blank() || self.is_break()) {
                break;
            }
            while !self.end() && (self.blank() || self.is_break()) {
                if self.blank() {
                    if leading_blanks
                        && isize::try_from(self.column).unwrap_or(0) < indent
                        && self.byte(0) == b'\t'
                    {
                        return self.fail("found a tab character that violates indentation");
                    }
                    if !leading_blanks {
                        spaces.push(self.byte(0) as char);
                    }
                    self.skip();
                } else if leading_blanks {
                    self.read_line(&mut more);
                } else {
                    spaces.clear();
                    self.read_line(&mut first);
                    leading_blanks = true;
                }
            }
            if !self.flow() && isize::try_from(self.column).unwrap_or(0) < indent {
                break;
            }
        }
        if leading_blanks {
            self.allowed = true;
        }
        let value = match folded {
            Some(text) => Cow::Owned(text),
            None => Cow::Borrowed(&self.text[start..end]),
        };
        self.tokens.push_back(Token {
            kind: Kind::Scalar(value, true),
            line,
        });
        Ok(())
    }
}

/// Joins lines: one break is a space, more are themselves without the first.
fn fold(out: &mut String, leading_blanks: bool, spaces: &str, first: &str, more: &str) {
    if !leading_blanks {
        out.push_str(spaces);
    } else if first.starts_with('\n') {
        if more.is_empty() {
            out.push(' ');
        } else {
            out.push_str(more);
        }
    } else {
        out.push_str(first);
        out.push_str(more);
    }
}
