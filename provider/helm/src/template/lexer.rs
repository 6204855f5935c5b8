//! Text of a template into tokens, with Go's rules for trimming and for what an action may contain.

use std::ops::Range;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text outside of actions, already trimmed.
    Text,
    /// `{{`
    LeftDelim,
    /// `}}`
    RightDelim,
    /// White space inside of an action.
    Space,
    /// A function or keyword.
    Identifier,
    /// `.name`
    Field,
    /// `$` or `$name`
    Variable,
    /// `.`
    Dot,
    /// `true`, `false`
    Bool,
    /// A number.
    Number,
    /// `'c'`
    Char,
    /// `"quoted"`
    String,
    /// `` `raw` ``
    RawString,
    /// `|`
    Pipe,
    /// `:=`
    Declare,
    /// `=`
    Assign,
    /// `(`
    LeftParen,
    /// `)`
    RightParen,
    /// Any other printable ASCII, such as a comma.
    Punctuation,
    /// End of the text.
    Eof,
}

/// A token: its kind, where it lies in the source, and on which line it starts.
#[derive(Clone, Debug)]
pub struct Token {
    /// Kind.
    pub kind: Kind,
    /// Bytes of the source.
    pub span: Range<usize>,
    /// Line, from 1.
    pub line: usize,
}

/// What is wrong, and on which line.
#[derive(Clone, Debug)]
pub struct LexError {
    /// Line, from 1.
    pub line: usize,
    /// Go's wording.
    pub message: String,
}

struct Lexer<'a> {
    source: &'a str,
    at: usize,
    line: usize,
    depth: usize,
    tokens: Vec<Token>,
}

/// All tokens of a template, an end token last. An error ends the list: what stands before it is parsed first, since
/// an earlier mistake is the one to report.
pub fn tokens(source: &str) -> (Vec<Token>, Option<LexError>) {
    let mut lexer = Lexer {
        source,
        at: 0,
        line: 1,
        depth: 0,
        tokens: Vec::new(),
    };
    let error = lexer.run().err();
    let end = Token {
        kind: Kind::Eof,
        span: lexer.at..lexer.at,
        line: lexer.line,
    };
    lexer.tokens.push(end);
    (lexer.tokens, error)
}

fn space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

fn alphanumeric(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        &self.source[self.at..]
    }
    fn byte(&self, offset: usize) -> u8 {
        self.source.as_bytes().get(self.at + offset).copied().unwrap_or(0)
    }
    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }
    fn error<T>(&self, message: impl Into<String>) -> Result<T, LexError> {
        Err(LexError {
            line: self.line,
            message: message.into(),
        })
    }
    /// Takes what lies up to `end` as a token.
    fn emit(&mut self, kind: Kind, end: usize) {
        self.tokens.push(Token {
            kind,
            span: self.at..end,
            line: self.line,
        });
        self.skip_to(end);
    }
    fn skip_to(&mut self, end: usize) {
        self.line += self.source.as_bytes()[self.at..end]
            .iter()
            .filter(|b| **b == b'\n')
            .count();
        self.at = end;
    }

    fn run(&mut self) -> Result<(), LexError> {
        loop {
            let Some(offset) = self.rest().find("{{") else {
                if self.at < self.source.len() {
                    self.emit(Kind::Text, self.source.len());
                }
                return Ok(());
            };
            let open = self.at + offset;
            let trims = self.trims_left(open);
            let mut end = open;
            if trims {
                let bytes = self.source.as_bytes();
                while end > self.at && space(bytes[end - 1]) {
                    end -= 1;
                }
            }
            if end > self.at {
                self.emit(Kind::Text, end);
            }
            self.skip_to(open);
            let body = open + 2 + if trims { 2 } else { 0 };
            if self.source[body..].starts_with("/*") {
                self.comment(body)?;
                continue;
            }
            // A marker leaves its space in the action, where it separates nothing.
            self.emit(Kind::LeftDelim, body);
            self.depth = 0;
            self.action()?;
        }
    }
    /// `{{- ` with a space after the dash.
    fn trims_left(&self, open: usize) -> bool {
        let bytes = self.source.as_bytes();
        bytes.get(open + 2) == Some(&b'-') && bytes.get(open + 3).is_some_and(|b| space(*b))
    }
    fn trim_following(&mut self) {
        let mut end = self.at;
        while self.source.as_bytes().get(end).is_some_and(|b| space(*b)) {
            end += 1;
        }
        self.skip_to(end);
    }
    fn comment(&mut self, body: usize) -> Result<(), LexError> {
        let Some(length) = self.source[body..].find("*/") else {
            return self.error("unclosed comment");
        };
        let begun = self.line + self.source[self.at..body].matches('\n').count();
        self.skip_to(body + length + 2);
        match self.right_delim() {
            Some((length, trims)) => {
                self.skip_to(self.at + length);
                if trims {
                    self.trim_following();
                }
                Ok(())
            }
            None => Err(LexError {
                line: begun,
                message: "comment ends before closing delimiter".into(),
            }),
        }
    }
    /// Length of a closing delimiter here, and whether it trims what follows.
    fn right_delim(&self) -> Option<(usize, bool)> {
        if space(self.byte(0)) && self.byte(1) == b'-' && self.source[self.at + 2..].starts_with("}}") {
            return Some((4, true));
        }
        self.rest().starts_with("}}").then_some((2, false))
    }

    fn action(&mut self) -> Result<(), LexError> {
        loop {
            if let Some((length, trims)) = self.right_delim() {
                if self.depth > 0 {
                    return self.error("unclosed left paren");
                }
                // The token is the delimiter alone; the marker before it counts as nothing.
                let start = self.at + length - 2;
                self.skip_to(start);
                self.emit(Kind::RightDelim, start + 2);
                if trims {
                    self.trim_following();
                }
                return Ok(());
            }
            let Some(c) = self.peek() else {
                return self.error("unclosed action");
            };
            match c {
                ' ' | '\t' | '\r' | '\n' => self.spaces(),
                '=' => self.emit(Kind::Assign, self.at + 1),
                ':' => {
                    if self.byte(1) != b'=' {
                        return self.error("expected :=");
                    }
                    self.emit(Kind::Declare, self.at + 2);
                }
                '|' => self.emit(Kind::Pipe, self.at + 1),
                '"' => self.quoted()?,
                '`' => self.raw()?,
                '$' => self.variable()?,
                '\'' => self.char_constant()?,
                '.' if !self.byte(1).is_ascii_digit() => self.field()?,
                '.' | '+' | '-' | '0'..='9' => self.number()?,
                '(' => {
                    self.depth += 1;
                    self.emit(Kind::LeftParen, self.at + 1);
                }
                ')' => {
                    if self.depth == 0 {
                        return self.error("unexpected right paren");
                    }
                    self.depth -= 1;
                    self.emit(Kind::RightParen, self.at + 1);
                }
                c if alphanumeric(c) => self.identifier()?,
                c if c.is_ascii() && !c.is_ascii_control() => self.emit(Kind::Punctuation, self.at + 1),
                c => return self.error(format!("unrecognized character in action: {}", code_point(c))),
            }
        }
    }
    /// Spaces; the last one is left alone where it belongs to ` -}}`.
    fn spaces(&mut self) {
        let mut end = self.at;
        let bytes = self.source.as_bytes();
        while bytes.get(end).is_some_and(|b| space(*b)) {
            end += 1;
        }
        if self.source[end..].starts_with("-}}") {
            end -= 1;
            if end == self.at {
                return;
            }
        }
        self.emit(Kind::Space, end);
    }
    fn word_end(&self, from: usize) -> usize {
        self.source[from..]
            .char_indices()
            .find(|(_, c)| !alphanumeric(*c))
            .map_or(self.source.len(), |(i, _)| from + i)
    }
    /// What may follow a word: a space, the end, or one of `.,|:)(` or the closing delimiter.
    fn terminated(&self, end: usize) -> Result<(), LexError> {
        let rest = &self.source[end..];
        match rest.chars().next() {
            None | Some(' ' | '\t' | '\r' | '\n' | '.' | ',' | '|' | ':' | ')' | '(') => Ok(()),
            Some(_) if rest.starts_with("}}") => Ok(()),
            Some(c) => self.error(format!("bad character {}", code_point(c))),
        }
    }
    fn identifier(&mut self) -> Result<(), LexError> {
        let end = self.word_end(self.at);
        self.terminated(end)?;
        let kind = match &self.source[self.at..end] {
            "true" | "false" => Kind::Bool,
            _ => Kind::Identifier,
        };
        self.emit(kind, end);
        Ok(())
    }
    fn field(&mut self) -> Result<(), LexError> {
        let end = self.word_end(self.at + 1);
        if end == self.at + 1 && self.terminated(end).is_ok() {
            self.emit(Kind::Dot, end);
            return Ok(());
        }
        self.terminated(end)?;
        self.emit(Kind::Field, end);
        Ok(())
    }
    fn variable(&mut self) -> Result<(), LexError> {
        let end = self.word_end(self.at + 1);
        self.terminated(end)?;
        self.emit(Kind::Variable, end);
        Ok(())
    }
    fn quoted(&mut self) -> Result<(), LexError> {
        let mut end = self.at + 1;
        let bytes = self.source.as_bytes();
        loop {
            match bytes.get(end) {
                Some(b'\\') if !matches!(bytes.get(end + 1), None | Some(b'\n')) => end += 2,
                None | Some(b'\n' | b'\\') => return self.error("unterminated quoted string"),
                Some(b'"') => break,
                _ => end += 1,
            }
        }
        self.emit(Kind::String, end + 1);
        Ok(())
    }
    fn raw(&mut self) -> Result<(), LexError> {
        match self.source[self.at + 1..].find('`') {
            Some(length) => {
                self.emit(Kind::RawString, self.at + length + 2);
                Ok(())
            }
            None => self.error("unterminated raw quoted string"),
        }
    }
    fn char_constant(&mut self) -> Result<(), LexError> {
        let bytes = self.source.as_bytes();
        let mut end = self.at + 1;
        loop {
            match bytes.get(end) {
                Some(b'\\') if !matches!(bytes.get(end + 1), None | Some(b'\n')) => end += 2,
                None | Some(b'\n' | b'\\') => return self.error("unterminated character constant"),
                Some(b'\'') => break,
                _ => end += 1,
            }
        }
        self.emit(Kind::Char, end + 1);
        Ok(())
    }
    fn number(&mut self) -> Result<(), LexError> {
        let bytes = self.source.as_bytes();
        let mut end = self.at;
        let accept = |end: &mut usize, set: &[u8]| {
            let fits = bytes.get(*end).is_some_and(|b| set.contains(b));
            if fits {
                *end += 1;
            }
            fits
        };
        let run = |end: &mut usize, set: &[u8]| while accept(end, set) {};
        accept(&mut end, b"+-");
        let mut digits: &[u8] = b"0123456789_";
        if accept(&mut end, b"0") {
            if accept(&mut end, b"xX") {
                digits = b"0123456789abcdefABCDEF_";
            } else if accept(&mut end, b"oO") {
                digits = b"01234567_";
            } else if accept(&mut end, b"bB") {
                digits = b"01_";
            }
        }
        run(&mut end, digits);
        if accept(&mut end, b".") {
            run(&mut end, digits);
        }
        if digits.len() == 11 && accept(&mut end, b"eE") {
            accept(&mut end, b"+-");
            run(&mut end, b"0123456789_");
        }
        if digits.len() == 23 && accept(&mut end, b"pP") {
            accept(&mut end, b"+-");
            run(&mut end, b"0123456789_");
        }
        accept(&mut end, b"i");
        if let Some(c) = self.source[end..].chars().next().filter(|c| alphanumeric(*c)) {
            let text = &self.source[self.at..end + c.len_utf8()];
            return self.error(format!("bad number syntax: {}", crate::value::gofmt::quote(text)));
        }
        self.emit(Kind::Number, end);
        Ok(())
    }
}

/// Go's `%#U`.
fn code_point(c: char) -> String {
    format!("U+{:04X} '{c}'", c as u32)
}
