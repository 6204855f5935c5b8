//! The tree of a template. Positions are byte offsets into its source; printing gives Go's spelling of a node.

use std::collections::HashMap;
use std::fmt::{self, Display, Formatter};
use std::rc::Rc;
use std::sync::Arc;

use crate::template::call::Function;

/// A parsed template: `{{define}}`d, or a whole file.
#[derive(Debug)]
pub struct Tree {
    /// Its name.
    pub name: Arc<str>,
    /// The file it stands in.
    pub source: Arc<Source>,
    /// Its statements.
    pub body: Vec<Statement>,
}

/// A file of templates.
#[derive(Debug)]
pub struct Source {
    /// Its name, as errors say it.
    pub name: Arc<str>,
    /// Its text.
    pub text: Arc<str>,
    /// Whether code points in it stand for bytes that are no UTF-8.
    pub foreign: bool,
}

/// A statement.
#[derive(Debug)]
pub struct Statement {
    /// Byte offset.
    pub pos: usize,
    /// What it does.
    pub kind: StatementKind,
}

/// Kinds of statements.
#[derive(Debug)]
pub enum StatementKind {
    /// Text to copy.
    Text(Arc<str>),
    /// Text that is no UTF-8.
    Bytes(Arc<[u8]>),
    /// `{{ pipeline }}`
    Action(Pipe),
    /// `{{ if }}`, `{{ with }}` or `{{ range }}`.
    Branch(Branch),
    /// `{{ template "name" pipeline }}`
    Template {
        /// Name of the template.
        name: Arc<str>,
        /// Its dot.
        pipe: Option<Pipe>,
    },
    /// `{{ break }}`
    Break,
    /// `{{ continue }}`
    Continue,
}

/// Which of the three branching statements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BranchKind {
    /// `if`
    If,
    /// `with`
    With,
    /// `range`
    Range,
}

/// A branching statement.
#[derive(Debug)]
pub struct Branch {
    /// Which one.
    pub kind: BranchKind,
    /// Condition or what is ranged over.
    pub pipe: Pipe,
    /// Body.
    pub body: Vec<Statement>,
    /// `{{ else }}` part.
    pub otherwise: Option<Vec<Statement>>,
}

/// A pipeline.
#[derive(Debug)]
pub struct Pipe {
    /// Byte offset.
    pub pos: usize,
    /// `=` instead of `:=`.
    pub assigns: bool,
    /// Variables that are declared or assigned.
    pub variables: Vec<Arc<str>>,
    /// Commands, each fed by the one before.
    pub commands: Vec<Command>,
}

/// A command: an operand with arguments.
#[derive(Debug)]
pub struct Command {
    /// Byte offset.
    pub pos: usize,
    /// Operands; never empty.
    pub operands: Vec<Expression>,
}

/// An operand.
#[derive(Debug)]
pub struct Expression {
    /// Byte offset.
    pub pos: usize,
    /// What it is.
    pub kind: ExpressionKind,
}

/// Kinds of operands.
#[derive(Debug)]
pub enum ExpressionKind {
    /// `.`
    Dot,
    /// `nil`
    Nil,
    /// `true`, `false`
    Bool(bool),
    /// A number or character.
    Number(Number),
    /// A string: as written, and what it means.
    String(Arc<str>, Literal),
    /// `.a.b`
    Field(Vec<Arc<str>>),
    /// `$x.a.b`; the first name is the variable's.
    Variable(Vec<Arc<str>>),
    /// A function.
    Function(&'static Function),
    /// `( pipeline )`
    Pipe(Box<Pipe>),
    /// `(…).a.b`
    Chain(Box<Expression>, Vec<Arc<str>>),
}

/// What a string constant means: text, or bytes that are not UTF-8.
#[derive(Debug)]
pub enum Literal {
    /// Text.
    Text(Arc<str>),
    /// Bytes.
    Bytes(Arc<[u8]>),
}

/// A numeric constant.
#[derive(Debug)]
pub struct Number {
    /// As written.
    pub text: Arc<str>,
    /// As an integer, if it is one.
    pub int: Option<i64>,
    /// As an unsigned integer, if it is one.
    pub uint: Option<u64>,
    /// As a float, if it is one.
    pub float: Option<f64>,
    /// A character constant.
    pub character: bool,
}

impl Display for Pipe {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if !self.variables.is_empty() {
            f.write_str(&self.variables.join(", "))?;
            f.write_str(if self.assigns { " = " } else { " := " })?;
        }
        for (index, command) in self.commands.iter().enumerate() {
            if index > 0 {
                f.write_str(" | ")?;
            }
            command.fmt(f)?;
        }
        Ok(())
    }
}

impl Display for Command {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (index, operand) in self.operands.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            operand.fmt(f)?;
        }
        Ok(())
    }
}

impl Display for Expression {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ExpressionKind::Dot => f.write_str("."),
            ExpressionKind::Nil => f.write_str("nil"),
            ExpressionKind::Bool(b) => b.fmt(f),
            ExpressionKind::Number(n) => f.write_str(&n.text),
            ExpressionKind::String(quoted, _) => f.write_str(quoted),
            ExpressionKind::Field(names) => names.iter().try_for_each(|name| write!(f, ".{name}")),
            ExpressionKind::Variable(names) => f.write_str(&names.join(".")),
            ExpressionKind::Function(function) => f.write_str(function.name),
            ExpressionKind::Pipe(pipe) => write!(f, "({pipe})"),
            ExpressionKind::Chain(inner, names) => {
                inner.fmt(f)?;
                names.iter().try_for_each(|name| write!(f, ".{name}"))
            }
        }
    }
}

impl Display for Statement {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.kind {
            StatementKind::Text(text) => f.write_str(&crate::value::gofmt::quote(text)),
            StatementKind::Bytes(bytes) => f.write_str(&crate::value::gofmt::quote_bytes(bytes, '"')),
            StatementKind::Action(pipe) => write!(f, "{{{{{pipe}}}}}"),
            StatementKind::Branch(branch) => {
                let word = match branch.kind {
                    BranchKind::If => "if",
                    BranchKind::With => "with",
                    BranchKind::Range => "range",
                };
                write!(f, "{{{{{word} {}}}}}", branch.pipe)?;
                branch.body.iter().try_for_each(|s| s.fmt(f))?;
                if let Some(otherwise) = &branch.otherwise {
                    f.write_str("{{else}}")?;
                    otherwise.iter().try_for_each(|s| s.fmt(f))?;
                }
                f.write_str("{{end}}")
            }
            StatementKind::Template { name, pipe } => {
                write!(f, "{{{{template {}", crate::value::gofmt::quote(name))?;
                if let Some(pipe) = pipe {
                    write!(f, " {pipe}")?;
                }
                f.write_str("}}")
            }
            StatementKind::Break => f.write_str("{{break}}"),
            StatementKind::Continue => f.write_str("{{continue}}"),
        }
    }
}

/// The templates that can call each other, by name.
pub type Templates = HashMap<Arc<str>, Arc<Tree>>;

/// A set of templates that a `tpl` may add to without touching the caller's.
pub type SharedTemplates = Rc<Templates>;
