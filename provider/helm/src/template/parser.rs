//! Tokens into trees, with Go's grammar and Go's wording of mistakes.

use std::sync::Arc;

use super::call::Function;
use super::lexer::{self, Kind, LexError, Token};
use super::node::{
    Branch, BranchKind, Command, Expression, ExpressionKind, Literal, Number, Pipe, Source, Statement,
    StatementKind, Tree,
};

/// How deep parentheses and blocks may nest: what is deeper would exhaust the stack of this parser.
const MAX_DEPTH: usize = 1_000;

/// A mistake in a template.
#[derive(Clone, Debug, thiserror::Error)]
#[error("template: {file}:{line}: {message}")]
pub struct ParseError {
    /// File.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: usize,
    /// Go's wording.
    pub message: String,
}

/// Finds a function by its name.
pub type Find = fn(&str) -> Option<&'static Function>;

/// Reads a file of templates: its own tree first, then those it defines, in their order. `find` knows the functions.
///
/// # Errors
/// The first mistake, as Go reports it.
pub fn parse(name: &Arc<str>, text: &Arc<str>, find: Find) -> Result<Vec<Tree>, ParseError> {
    let source = Source {
        name: name.clone(),
        text: text.clone(),
        foreign: false,
    };
    parse_source(source, find)
}

/// Code points that stand for the bytes of a file that are no UTF-8: `FOREIGN` and the byte.
const FOREIGN: u32 = 0x10_ff00;

/// A file as text that keeps its foreign bytes, for a [`Source`] that is marked as foreign.
pub(crate) fn foreign_text(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        let foreign = chunk.invalid().iter();
        out.extend(foreign.filter_map(|byte| char::from_u32(FOREIGN + u32::from(*byte))));
    }
    out
}

fn is_foreign(c: char) -> bool {
    u32::from(c) >= FOREIGN
}

/// The other way.
fn foreign_bytes(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for c in text.chars() {
        match u8::try_from(u32::from(c).wrapping_sub(FOREIGN)) {
            Ok(byte) => out.push(byte),
            Err(_) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out
}

/// As [`parse`].
///
/// # Errors
/// As for [`parse`].
pub(crate) fn parse_source(source: Source, find: Find) -> Result<Vec<Tree>, ParseError> {
    let source = Arc::new(source);
    let (name, text) = (&source.name.clone(), &source.text.clone());
    let (tokens, error) = lexer::tokens(text);
    let mut parser = Parser {
        find,
        source,
        tokens,
        error,
        at: 0,
        furthest: 0,
        variables: vec!["$".into()],
        ranges: 0,
        depth: 0,
        action_line: 0,
        trees: Vec::new(),
    };
    let body = parser.file()?;
    let own = Tree {
        name: name.clone(),
        source: parser.source.clone(),
        body,
    };
    let mut trees = vec![own];
    trees.append(&mut parser.trees);
    Ok(trees)
}

/// Whether a tree prints nothing but white space: then it does not replace an earlier one of its name.
pub fn is_empty(body: &[Statement]) -> bool {
    body.iter()
        .all(|s| matches!(&s.kind, StatementKind::Text(text) if text.trim().is_empty()))
}

struct Parser {
    find: Find,
    source: Arc<Source>,
    tokens: Vec<Token>,
    error: Option<LexError>,
    at: usize,
    furthest: usize,
    variables: Vec<Arc<str>>,
    ranges: usize,
    depth: usize,
    action_line: usize,
    trees: Vec<Tree>,
}

type Result<T, E = ParseError> = std::result::Result<T, E>;

/// What ended a list of statements.
#[derive(PartialEq)]
enum Ending {
    End,
    Else,
}

impl Ending {
    fn text(&self) -> &'static str {
        match self {
            Ending::End => "{{end}}",
            Ending::Else => "{{else}}",
        }
    }
}

impl Parser {
    fn fail<T>(&self, message: impl Into<String>) -> Result<T> {
        let line = self.tokens[self.furthest].line;
        let line = match &self.error {
            Some(error) if self.furthest + 1 == self.tokens.len() => error.line,
            _ => line,
        };
        Err(ParseError {
            file: self.source.name.clone(),
            line,
            message: message.into(),
        })
    }
    fn peek(&mut self) -> Token {
        self.furthest = self.furthest.max(self.at);
        self.tokens[self.at].clone()
    }
    fn next(&mut self) -> Token {
        let token = self.peek();
        if self.at + 1 < self.tokens.len() {
            self.at += 1;
        }
        token
    }
    fn peek_solid(&mut self) -> Token {
        while self.peek().kind == Kind::Space {
            self.at += 1;
        }
        self.peek()
    }
    fn next_solid(&mut self) -> Token {
        self.peek_solid();
        self.next()
    }
    fn text(&self, token: &Token) -> &str {
        &self.source.text[token.span.clone()]
    }
    fn keyword(&self, token: &Token) -> Option<&str> {
        let text = self.text(token);
        (token.kind == Kind::Identifier
            && matches!(
                text,
                "block"
                    | "break"
                    | "continue"
                    | "define"
                    | "else"
                    | "end"
                    | "if"
                    | "range"
                    | "nil"
                    | "template"
                    | "with"
            ))
        .then_some(text)
    }
    fn is_error(&self, token: &Token) -> bool {
        token.kind == Kind::Eof && self.error.is_some()
    }
    fn unexpected<T>(&self, token: &Token, context: &str) -> Result<T> {
        if let (true, Some(error)) = (self.is_error(token), &self.error) {
            let mut extra = String::new();
            if self.action_line != 0 && self.action_line != error.line {
                extra = format!(" in action started at {}:{}", self.source.name, self.action_line);
                if error.message.ends_with(" action") {
                    extra = extra[" in action".len()..].to_owned();
                }
            }
            return self.fail(format!("{}{extra}", error.message));
        }
        let text = self.text(token);
        let shown = if token.kind == Kind::Eof {
            "EOF".to_owned()
        } else if self.keyword(token).is_some() {
            format!("<{text}>")
        } else if token.kind == Kind::Dot {
            "<.>".to_owned()
        } else if text.len() > 10 {
            format!(
                "{}...",
                crate::value::gofmt::quote(&text.chars().take(10).collect::<String>())
            )
        } else {
            crate::value::gofmt::quote(text)
        };
        self.fail(format!("unexpected {shown} in {context}"))
    }
    fn expect(&mut self, kind: Kind, context: &str) -> Result<Token> {
        let token = self.next_solid();
        if token.kind == kind {
            Ok(token)
        } else {
            self.unexpected(&token, context)
        }
    }
    fn unquote(&self, token: &Token) -> Result<(Arc<str>, Literal)> {
        let text = self.text(token);
        let Some(bytes) = crate::value::gofmt::unquote(text) else {
            return self.fail("invalid syntax");
        };
        let bytes = match String::from_utf8(bytes) {
            Ok(read) if self.source.foreign && text.starts_with('`') => foreign_bytes(&read),
            Ok(read) if self.source.foreign => read.replace(is_foreign, "\u{fffd}").into_bytes(),
            Ok(read) => read.into_bytes(),
            Err(error) => error.into_bytes(),
        };
        let literal = match String::from_utf8(bytes) {
            Ok(text) => Literal::Text(text.into()),
            Err(error) => Literal::Bytes(error.into_bytes().into()),
        };
        Ok((text.into(), literal))
    }
    fn name(&mut self, token: &Token, context: &str) -> Result<Arc<str>> {
        if !matches!(token.kind, Kind::String | Kind::RawString) {
            return self.unexpected(token, context);
        }
        match self.unquote(token)?.1 {
            Literal::Text(name) => Ok(name),
            Literal::Bytes(bytes) => Ok(String::from_utf8_lossy(&bytes).into()),
        }
    }

    fn file(&mut self) -> Result<Vec<Statement>> {
        let mut body = Vec::new();
        loop {
            let token = self.peek();
            if token.kind == Kind::Eof && !self.is_error(&token) {
                return Ok(body);
            }
            if token.kind == Kind::LeftDelim {
                let before = self.at;
                self.next();
                let word = self.next_solid();
                if self.keyword(&word) == Some("define") {
                    self.definition()?;
                    continue;
                }
                self.at = before;
            }
            match self.statement()? {
                Ok(statement) => body.push(statement),
                Err(ending) => return self.fail(format!("unexpected {}", ending.text())),
            }
        }
    }
    fn definition(&mut self) -> Result<()> {
        let context = "define clause";
        let token = self.next_solid();
        let name = self.name(&token, context)?;
        self.expect(Kind::RightDelim, context)?;
        self.tree(name, context)
    }
    /// The body of a `define` or `block`: own variables, own loops.
    fn tree(&mut self, name: Arc<str>, context: &str) -> Result<()> {
        let variables = std::mem::replace(&mut self.variables, vec!["$".into()]);
        let ranges = std::mem::take(&mut self.ranges);
        let (body, ending) = self.statements()?;
        if ending != Ending::End {
            return self.fail(format!("unexpected {} in {context}", ending.text()));
        }
        self.variables = variables;
        self.ranges = ranges;
        let tree = Tree {
            name,
            source: self.source.clone(),
            body,
        };
        match self.trees.iter_mut().find(|t| t.name == tree.name) {
            None => self.trees.push(tree),
            Some(earlier) if is_empty(&earlier.body) => *earlier = tree,
            Some(_) if is_empty(&tree.body) => {}
            Some(_) => {
                return self.fail(format!(
                    "template: multiple definition of template {}",
                    crate::value::gofmt::quote(&tree.name)
                ));
            }
        }
        Ok(())
    }
    fn statements(&mut self) -> Result<(Vec<Statement>, Ending)> {
        let mut body = Vec::new();
        loop {
            let token = self.peek_solid();
            if token.kind == Kind::Eof && !self.is_error(&token) {
                return self.fail("unexpected EOF");
            }
            match self.statement()? {
                Ok(statement) => body.push(statement),
                Err(ending) => return Ok((body, ending)),
            }
        }
    }
    fn statement(&mut self) -> Result<Result<Statement, Ending>> {
        let token = self.next_solid();
        match token.kind {
            Kind::Text => {
                let text = self.text(&token);
                let kind = if self.source.foreign {
                    StatementKind::Bytes(foreign_bytes(text).into())
                } else {
                    StatementKind::Text(text.into())
                };
                Ok(Ok(Statement {
                    pos: token.span.start,
                    kind,
                }))
            }
            Kind::LeftDelim => {
                self.action_line = token.line;
                self.depth += 1;
                if self.depth > MAX_DEPTH {
                    return self.fail("blocks are nested too deeply");
                }
                let statement = crate::value::deeper(|| self.action());
                self.depth -= 1;
                self.action_line = 0;
                statement
            }
            _ => self.unexpected(&token, "input"),
        }
    }
    fn action(&mut self) -> Result<Result<Statement, Ending>> {
        let token = self.peek_solid();
        let before = self.at;
        self.next();
        let pos = token.span.start;
        let statement = |kind| Ok(Ok(Statement { pos, kind }));
        match self.keyword(&token).unwrap_or("") {
            "end" => {
                self.expect(Kind::RightDelim, "end")?;
                Ok(Err(Ending::End))
            }
            "else" => {
                let next = self.peek_solid();
                if !matches!(self.keyword(&next), Some("if" | "with")) {
                    self.expect(Kind::RightDelim, "else")?;
                }
                Ok(Err(Ending::Else))
            }
            "if" => self.branch(BranchKind::If).map(Ok),
            "with" => self.branch(BranchKind::With).map(Ok),
            "range" => self.branch(BranchKind::Range).map(Ok),
            word @ ("break" | "continue") => {
                let (kind, word) = match word {
                    "break" => (StatementKind::Break, "{{break}}"),
                    _ => (StatementKind::Continue, "{{continue}}"),
                };
                let after = self.next_solid();
                if after.kind != Kind::RightDelim {
                    return self.unexpected(&after, word);
                }
                if self.ranges == 0 {
                    return self.fail(format!("{word} outside {{{{range}}}}"));
                }
                statement(kind)
            }
            "template" => {
                let context = "template clause";
                let token = self.next_solid();
                let name = self.name(&token, context)?;
                let pipe = if self.peek_solid().kind == Kind::RightDelim {
                    self.next();
                    None
                } else {
                    Some(self.pipeline(context, Kind::RightDelim)?)
                };
                Ok(Ok(Statement {
                    pos: token.span.start,
                    kind: StatementKind::Template { name, pipe },
                }))
            }
            "block" => {
                let context = "block clause";
                let token = self.next_solid();
                let name = self.name(&token, context)?;
                let pipe = self.pipeline(context, Kind::RightDelim)?;
                self.tree(name.clone(), context)?;
                Ok(Ok(Statement {
                    pos: token.span.start,
                    kind: StatementKind::Template {
                        name,
                        pipe: Some(pipe),
                    },
                }))
            }
            _ => {
                self.at = before;
                let pipe = self.pipeline("command", Kind::RightDelim)?;
                Ok(Ok(Statement {
                    pos,
                    kind: StatementKind::Action(pipe),
                }))
            }
        }
    }
    fn branch(&mut self, kind: BranchKind) -> Result<Statement> {
        let context = match kind {
            BranchKind::If => "if",
            BranchKind::With => "with",
            BranchKind::Range => "range",
        };
        let scope = self.variables.len();
        let pipe = self.pipeline(context, Kind::RightDelim)?;
        if kind == BranchKind::Range {
            self.ranges += 1;
        }
        let (body, ending) = self.statements()?;
        if kind == BranchKind::Range {
            self.ranges -= 1;
        }
        let mut otherwise = None;
        if ending == Ending::Else {
            let token = self.peek();
            let chained = self.keyword(&token) == Some(context) && kind != BranchKind::Range;
            if chained {
                self.next();
                self.depth += 1;
                if self.depth > MAX_DEPTH {
                    return self.fail("blocks are nested too deeply");
                }
                otherwise = Some(vec![crate::value::deeper(|| self.branch(kind))?]);
                self.depth -= 1;
            } else {
                let (body, ending) = self.statements()?;
                if ending != Ending::End {
                    return self.fail(format!("expected end; found {}", ending.text()));
                }
                otherwise = Some(body);
            }
        }
        self.variables.truncate(scope);
        Ok(Statement {
            pos: pipe.pos,
            kind: StatementKind::Branch(Branch {
                kind,
                pipe,
                body,
                otherwise,
            }),
        })
    }

    fn pipeline(&mut self, context: &str, end: Kind) -> Result<Pipe> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.fail("parentheses are nested too deeply");
        }
        let pos = self.peek_solid().span.start;
        let mut pipe = Pipe {
            pos,
            assigns: false,
            variables: Vec::new(),
            commands: Vec::new(),
        };
        self.declarations(&mut pipe, context)?;
        loop {
            let token = self.peek_solid();
            match token.kind {
                kind if kind == end => {
                    self.next();
                    break;
                }
                _ if matches!(self.keyword(&token), Some(word) if word != "nil") => {
                    self.next();
                    return self.unexpected(&token, context);
                }
                Kind::Bool
                | Kind::Char
                | Kind::Dot
                | Kind::Field
                | Kind::Identifier
                | Kind::Number
                | Kind::RawString
                | Kind::String
                | Kind::Variable
                | Kind::LeftParen => pipe.commands.push(self.command()?),
                _ => {
                    self.next();
                    return self.unexpected(&token, context);
                }
            }
        }
        self.depth -= 1;
        if pipe.commands.is_empty() {
            return self.fail(format!("missing value for {context}"));
        }
        for (index, command) in pipe.commands.iter().enumerate().skip(1) {
            if matches!(
                command.operands[0].kind,
                ExpressionKind::Bool(_)
                    | ExpressionKind::Dot
                    | ExpressionKind::Nil
                    | ExpressionKind::Number(_)
                    | ExpressionKind::String(..)
            ) {
                return self.fail(format!("non executable command in pipeline stage {}", index + 1));
            }
        }
        Ok(pipe)
    }
    fn declarations(&mut self, pipe: &mut Pipe, context: &str) -> Result<()> {
        loop {
            let variable = self.peek_solid();
            if variable.kind != Kind::Variable {
                return Ok(());
            }
            let before = self.at;
            self.next();
            let next = self.peek_solid();
            let name: Arc<str> = self.text(&variable).into();
            match next.kind {
                Kind::Assign | Kind::Declare => {
                    pipe.assigns = next.kind == Kind::Assign;
                    self.next();
                    pipe.variables.push(name.clone());
                    self.variables.push(name);
                    return Ok(());
                }
                Kind::Punctuation if self.text(&next) == "," => {
                    self.next();
                    pipe.variables.push(name.clone());
                    self.variables.push(name);
                    if context == "range" && pipe.variables.len() < 2 {
                        if matches!(
                            self.peek_solid().kind,
                            Kind::Variable | Kind::RightDelim | Kind::RightParen
                        ) {
                            continue;
                        }
                        return self.fail("range can only initialize variables");
                    }
                    return self.fail(format!("too many declarations in {context}"));
                }
                _ => {
                    self.at = before;
                    return Ok(());
                }
            }
        }
    }
    fn command(&mut self) -> Result<Command> {
        let pos = self.peek_solid().span.start;
        let mut operands = Vec::new();
        loop {
            self.peek_solid();
            if let Some(operand) = self.operand()? {
                operands.push(operand);
            }
            let token = self.peek();
            if matches!(token.kind, Kind::RightDelim | Kind::RightParen) {
                break;
            }
            self.next();
            match token.kind {
                Kind::Space => {}
                Kind::Pipe => break,
                _ => return self.unexpected(&token, "operand"),
            }
        }
        if operands.is_empty() {
            self.fail("empty command")
        } else {
            Ok(Command { pos, operands })
        }
    }
    fn operand(&mut self) -> Result<Option<Expression>> {
        let Some(mut term) = self.term()? else {
            return Ok(None);
        };
        let first = self.peek();
        if first.kind != Kind::Field {
            return Ok(Some(term));
        }
        let mut names = Vec::new();
        loop {
            let token = self.peek();
            if token.kind != Kind::Field {
                break;
            }
            names.push(Arc::from(&self.text(&token)[1..]));
            self.next();
        }
        match &mut term.kind {
            ExpressionKind::Field(fields) | ExpressionKind::Variable(fields) => {
                fields.append(&mut names);
                term.pos = first.span.start;
            }
            ExpressionKind::Bool(_)
            | ExpressionKind::String(..)
            | ExpressionKind::Number(_)
            | ExpressionKind::Nil
            | ExpressionKind::Dot => {
                return self.fail(format!(
                    "unexpected . after term {}",
                    crate::value::gofmt::quote(&term.to_string())
                ));
            }
            _ => {
                term = Expression {
                    pos: first.span.start,
                    kind: ExpressionKind::Chain(Box::new(term), names),
                };
            }
        }
        Ok(Some(term))
    }
    fn term(&mut self) -> Result<Option<Expression>> {
        let token = self.peek_solid();
        let before = self.at;
        self.next();
        let pos = token.span.start;
        let text = self.text(&token);
        let kind = match token.kind {
            Kind::Identifier if text == "nil" => ExpressionKind::Nil,
            Kind::Identifier if self.keyword(&token).is_none() => match (self.find)(text) {
                Some(function) => ExpressionKind::Function(function),
                None => {
                    return self.fail(format!(
                        "function {} not defined",
                        crate::value::gofmt::quote(text)
                    ));
                }
            },
            Kind::Dot => ExpressionKind::Dot,
            Kind::Variable => {
                if !self.variables.iter().any(|v| **v == *text) {
                    return self.fail(format!("undefined variable {}", crate::value::gofmt::quote(text)));
                }
                ExpressionKind::Variable(vec![text.into()])
            }
            Kind::Field => ExpressionKind::Field(vec![text[1..].into()]),
            Kind::Bool => ExpressionKind::Bool(text == "true"),
            Kind::Char | Kind::Number => match number(text, token.kind == Kind::Char) {
                Ok(number) => ExpressionKind::Number(number),
                Err(message) => return self.fail(message),
            },
            Kind::LeftParen => {
                let pipe =
                    crate::value::deeper(|| self.pipeline("parenthesized pipeline", Kind::RightParen))?;
                ExpressionKind::Pipe(Box::new(pipe))
            }
            Kind::String | Kind::RawString => {
                let (quoted, meaning) = self.unquote(&token)?;
                ExpressionKind::String(quoted, meaning)
            }
            _ => {
                self.at = before;
                return Ok(None);
            }
        };
        Ok(Some(Expression { pos, kind }))
    }
}

fn number(text: &str, character: bool) -> Result<Number, String> {
    let mut number = Number {
        text: text.into(),
        int: None,
        uint: None,
        float: None,
        character,
    };
    if character {
        let inner =
            crate::value::gofmt::unquote(&format!("\"{}\"", text[1..text.len() - 1].replace("\\'", "'")));
        let text = inner
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .unwrap_or_default();
        let mut chars = text.chars();
        let (Some(c), None) = (chars.next(), chars.next()) else {
            return Err(format!("malformed character constant: {}", number.text));
        };
        number.int = Some(i64::from(c as u32));
        number.uint = Some(u64::from(c as u32));
        number.float = Some(f64::from(c as u32));
        return Ok(number);
    }
    let (int, uint) = crate::value::gofmt::integer(text);
    (number.int, number.uint) = (int, uint);
    if let Some(int) = int {
        number.float = Some(int as f64);
    } else if let Some(uint) = uint {
        number.float = Some(uint as f64);
    } else if let Some(float) = crate::value::gofmt::parse_float(text) {
        if !text.contains(['.', 'e', 'E', 'p', 'P']) {
            return Err(format!("integer overflow: {}", crate::value::gofmt::quote(text)));
        }
        number.float = Some(float);
        if float.fract() == 0.0 && float.abs() < 9.2e18 {
            number.int = Some(float as i64);
            number.uint = (float >= 0.0).then_some(float as u64);
        }
    } else {
        return Err(format!(
            "illegal number syntax: {}",
            crate::value::gofmt::quote(text)
        ));
    }
    Ok(number)
}
