//! Carries templates out with Go's semantics: nil rules, references of maps, typed parameters of functions, errors
//! that name file, line, column and the node.

use std::fmt::Display;
use std::sync::Arc;

use super::methods;
use super::node::{
    Branch, BranchKind, Command, Expression, ExpressionKind, Literal, Number, Pipe, Source, Statement,
    StatementKind, Templates, Tree,
};
use crate::template::call::{Context, Function, Special, Type};
use crate::template::error::{ExecError, Failure};
use crate::value::object;
use crate::value::{Elem, IntKind, MapType, Value, deeper};

enum Flow {
    Break,
    Continue,
    Error(Box<ExecError>),
}

impl From<Box<ExecError>> for Flow {
    fn from(error: Box<ExecError>) -> Self {
        Flow::Error(error)
    }
}

type Result<T, E = Box<ExecError>> = std::result::Result<T, E>;

/// Deepest nesting of `{{template}}`, as in Go's executor it ends in an error instead of the process's stack.
const MAX_TEMPLATE_DEPTH: usize = 10_000;

/// Runs one template into `out`.
///
/// # Errors
/// The first failure.
pub fn execute(cx: &mut Context<'_>, tree: &Arc<Tree>, dot: Value, out: &mut Vec<u8>) -> Result<()> {
    let mut run = Run {
        cx,
        variables: vec![Variable {
            name: "$".into(),
            value: dot.clone(),
            held: false,
        }],
        source: &tree.source,
        name: &tree.name,
        at: At { pos: 0, node: &"" },
        held: false,
    };
    match deeper(|| run.statements(&dot, &tree.body, out)) {
        Ok(()) | Err(Flow::Break | Flow::Continue) => Ok(()),
        Err(Flow::Error(error)) => Err(error),
    }
}

#[derive(Clone, Copy)]
struct At<'t> {
    pos: usize,
    node: &'t dyn Display,
}

struct Run<'r, 'c, 't> {
    cx: &'r mut Context<'c>,
    variables: Vec<Variable>,
    source: &'t Source,
    name: &'t Arc<str>,
    at: At<'t>,
    /// Whether the dot came out of a list or map: Go then knows it as an interface only.
    held: bool,
}

/// A variable.
struct Variable {
    name: Arc<str>,
    value: Value,
    /// As [`Run::held`].
    held: bool,
}

/// The value that a command got from the one before it in its pipeline.
type Final = Option<Value>;

impl<'t> Run<'_, '_, 't> {
    fn error(&self, message: impl Into<String>) -> Box<ExecError> {
        self.error_caused(message, None)
    }
    fn error_caused(&self, message: impl Into<String>, cause: Option<Failure>) -> Box<ExecError> {
        let before = &self.source.text[..self.at.pos.min(self.source.text.len())];
        let column = before
            .rfind('\n')
            .map_or(before.len(), |newline| before.len() - newline - 1);
        Box::new(ExecError {
            file: self.source.name.clone(),
            line: 1 + before.bytes().filter(|b| *b == b'\n').count(),
            column,
            template: self.name.clone(),
            node: self.at.node.to_string(),
            message: message.into(),
            cause: cause.map(Box::new),
        })
    }
    fn fail<T>(&self, message: impl Into<String>) -> Result<T> {
        Err(self.error(message))
    }

    fn statements(&mut self, dot: &Value, body: &'t [Statement], out: &mut Vec<u8>) -> Result<(), Flow> {
        for statement in body {
            self.at = At {
                pos: statement.pos,
                node: statement,
            };
            match &statement.kind {
                StatementKind::Text(text) => {
                    out.extend_from_slice(text.as_bytes());
                    self.cx
                        .spend(text.len())
                        .map_err(|f| self.error(f.message.clone()))?;
                }
                StatementKind::Bytes(bytes) => {
                    out.extend_from_slice(bytes);
                    self.cx
                        .spend(bytes.len())
                        .map_err(|f| self.error(f.message.clone()))?;
                }
                StatementKind::Action(pipe) => {
                    let value = self.pipeline(dot, pipe)?;
                    if pipe.variables.is_empty() {
                        self.at = At {
                            pos: statement.pos,
                            node: statement,
                        };
                        self.print(&value, out)?;
                    }
                }
                StatementKind::Branch(branch) if branch.kind == BranchKind::Range => {
                    self.range(dot, branch, out)?
                }
                StatementKind::Branch(branch) => {
                    let mark = self.variables.len();
                    let value = self.pipeline(dot, &branch.pipe)?;
                    let result = if value.truth() {
                        let with = branch.kind == BranchKind::With;
                        let held = self.held;
                        self.held &= !with;
                        let dot = if with { &value } else { dot };
                        let result = deeper(|| self.statements(dot, &branch.body, out));
                        self.held = held;
                        result
                    } else if let Some(otherwise) = &branch.otherwise {
                        deeper(|| self.statements(dot, otherwise, out))
                    } else {
                        Ok(())
                    };
                    self.variables.truncate(mark);
                    result?;
                }
                StatementKind::Template { name, pipe } => self.template(dot, name, pipe.as_ref(), out)?,
                StatementKind::Break => return Err(Flow::Break),
                StatementKind::Continue => return Err(Flow::Continue),
            }
        }
        Ok(())
    }
    fn print(&mut self, value: &Value, out: &mut Vec<u8>) -> Result<()> {
        let before = out.len();
        if value.is_nil() {
            out.extend_from_slice(b"<no value>");
        } else if let Some(shown) = object::capabilities_text(value) {
            out.extend_from_slice(&shown.as_bytes()[1..]);
        } else {
            crate::value::gofmt::append_value(out, value);
        }
        self.cx
            .spend(out.len() - before)
            .map_err(|f| self.error(f.message.clone()))
    }
    fn template(
        &mut self,
        dot: &Value,
        name: &'t Arc<str>,
        pipe: Option<&'t Pipe>,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let Some(tree) = self.cx.templates.get(name).cloned() else {
            return self.fail(format!(
                "template {} not defined",
                crate::value::gofmt::quote(name)
            ));
        };
        if self.cx.depth >= MAX_TEMPLATE_DEPTH {
            return self.fail(format!("exceeded maximum template depth ({MAX_TEMPLATE_DEPTH})"));
        }
        let dot = match pipe {
            Some(pipe) => self.pipeline(dot, pipe)?,
            None => Value::Invalid,
        };
        self.cx.depth += 1;
        let result = execute(self.cx, &tree, dot, out);
        self.cx.depth -= 1;
        result
    }
    fn range(&mut self, dot: &Value, branch: &'t Branch, out: &mut Vec<u8>) -> Result<(), Flow> {
        let mark = self.variables.len();
        let value = self.pipeline(dot, &branch.pipe)?;
        let inner = self.variables.len();
        let mut count = 0usize;
        // What a list of strings or numbers holds is known as that.
        let held = match &value {
            Value::List(list) => matches!(list.elem, Elem::Any | Elem::NilAny),
            Value::Map(map) => matches!(map.ty, MapType::Any | MapType::NilAny | MapType::Values),
            _ => false,
        };
        let mut step = |run: &mut Self, key: Value, item: Value| -> Result<bool, Flow> {
            count += 1;
            run.cx.spend(1).map_err(|f| run.error(f.message.clone()))?;
            run.loop_variables(&branch.pipe, mark, key, &item, held)?;
            let around = std::mem::replace(&mut run.held, held);
            let result = deeper(|| run.statements(&item, &branch.body, out));
            run.held = around;
            run.variables.truncate(inner);
            match result {
                Ok(()) | Err(Flow::Continue) => Ok(true),
                Err(Flow::Break) => Ok(false),
                Err(error) => Err(error),
            }
        };
        match &value {
            Value::List(_) | Value::Bytes(_) => {
                for (index, item) in value.items().unwrap_or_default().iter().enumerate() {
                    if !step(self, Value::int(index as i64), item.clone())? {
                        break;
                    }
                }
            }
            Value::Map(map) => {
                for (key, item) in map.snapshot() {
                    let item = if map.ty == MapType::Files {
                        object::file_bytes(&item)
                    } else {
                        item
                    };
                    if !step(self, Value::Str(key), item)? {
                        break;
                    }
                }
            }
            Value::Int(n, kind) => {
                if branch.pipe.variables.len() > 1 {
                    return Err(self
                        .error(format!("can't use {n} to iterate over more than one variable"))
                        .into());
                }
                for index in 0..*n {
                    let item = Value::Int(index, *kind);
                    if !step(self, item.clone(), item)? {
                        break;
                    }
                }
            }
            Value::Invalid | Value::Nil => {}
            other => {
                return Err(self
                    .error(format!(
                        "range can't iterate over {}",
                        crate::value::gofmt::text(other)
                    ))
                    .into());
            }
        }
        let result = match &branch.otherwise {
            Some(otherwise) if count == 0 => self.statements(dot, otherwise, out),
            _ => Ok(()),
        };
        self.variables.truncate(mark);
        result
    }
    /// Variables of a range: declared ones were pushed by its pipeline, assigned ones live further out.
    fn loop_variables(
        &mut self,
        pipe: &'t Pipe,
        mark: usize,
        key: Value,
        item: &Value,
        held: bool,
    ) -> Result<()> {
        let mut values = match pipe.variables.len() {
            0 => return Ok(()),
            1 => vec![item.clone()],
            _ => vec![key, item.clone()],
        };
        for (index, name) in pipe.variables.iter().enumerate() {
            let value = std::mem::take(&mut values[index]);
            let held = held && index + 1 == pipe.variables.len();
            if pipe.assigns {
                self.assign(name, value, held)?;
            } else {
                let variable = &mut self.variables[mark + index];
                (variable.value, variable.held) = (value, held);
            }
        }
        Ok(())
    }
    fn assign(&mut self, name: &str, value: Value, held: bool) -> Result<()> {
        match self.variables.iter_mut().rev().find(|v| *v.name == *name) {
            Some(variable) => (variable.value, variable.held) = (value, held),
            None => return self.fail(format!("undefined variable: {name}")),
        }
        Ok(())
    }
    fn variable(&self, name: &str) -> Result<&Variable> {
        match self.variables.iter().rev().find(|v| *v.name == *name) {
            Some(variable) => Ok(variable),
            None => self.fail(format!("undefined variable: {name}")),
        }
    }

    fn pipeline(&mut self, dot: &Value, pipe: &'t Pipe) -> Result<Value> {
        self.at = At {
            pos: pipe.pos,
            node: pipe,
        };
        let mut value: Final = None;
        for command in &pipe.commands {
            value = Some(self.command(dot, command, value)?.dug());
        }
        let value = value.unwrap_or_default();
        for name in &pipe.variables {
            if pipe.assigns {
                self.assign(name, value.clone(), false)?;
            } else {
                self.variables.push(Variable {
                    name: name.clone(),
                    value: value.clone(),
                    held: false,
                });
            }
        }
        Ok(value)
    }
    fn command(&mut self, dot: &Value, command: &'t Command, last: Final) -> Result<Value> {
        let first = &command.operands[0];
        let arguments = &command.operands;
        match &first.kind {
            ExpressionKind::Field(names) => {
                self.mark(first);
                return self.fields(dot, (dot.clone(), self.held), first, names, arguments, last);
            }
            ExpressionKind::Chain(inner, names) => {
                return self.chain(dot, first, inner, names, arguments, last);
            }
            ExpressionKind::Function(function) => {
                let at = At {
                    pos: command.pos,
                    node: command,
                };
                return self.call(dot, function, first, at, arguments, last);
            }
            ExpressionKind::Pipe(pipe) => {
                self.not_a_function(arguments, &last)?;
                return deeper(|| self.pipeline(dot, pipe));
            }
            ExpressionKind::Variable(names) => {
                return self.variable_fields(dot, first, names, arguments, last);
            }
            _ => {}
        }
        self.mark(first);
        self.not_a_function(arguments, &last)?;
        match &first.kind {
            ExpressionKind::Bool(b) => Ok(Value::Bool(*b)),
            ExpressionKind::Dot => Ok(dot.clone()),
            ExpressionKind::Nil => self.fail("nil is not a command"),
            ExpressionKind::Number(number) => self.constant(number),
            ExpressionKind::String(_, literal) => Ok(string(literal)),
            _ => self.fail(format!(
                "can't evaluate command {}",
                crate::value::gofmt::quote(&first.to_string())
            )),
        }
    }
    fn mark(&mut self, expression: &'t Expression) {
        self.at = At {
            pos: expression.pos,
            node: expression,
        };
    }
    fn not_a_function(&self, arguments: &[Expression], last: &Final) -> Result<()> {
        if arguments.len() > 1 || last.is_some() {
            // Go prints a pipeline without its parentheses here.
            let shown = match &arguments[0].kind {
                ExpressionKind::Pipe(pipe) => pipe.to_string(),
                _ => arguments[0].to_string(),
            };
            return self.fail(format!("can't give argument to non-function {shown}"));
        }
        Ok(())
    }
    fn constant(&self, number: &Number) -> Result<Value> {
        let hexadecimal = number.text.len() > 2 && number.text.to_ascii_lowercase().starts_with("0x");
        match number {
            Number {
                float: Some(f), text, ..
            } if !hexadecimal && text.contains(['.', 'e', 'E', 'p', 'P']) => Ok(Value::Float(*f)),
            Number { int: Some(n), .. } => Ok(Value::int(*n)),
            Number {
                float: Some(f),
                uint: None,
                ..
            } => Ok(Value::Float(*f)),
            _ => self.fail(format!("{} overflows int", number.text)),
        }
    }
    fn chain(
        &mut self,
        dot: &Value,
        node: &'t Expression,
        inner: &'t Expression,
        names: &'t [Arc<str>],
        arguments: &'t [Expression],
        last: Final,
    ) -> Result<Value> {
        self.mark(node);
        if matches!(inner.kind, ExpressionKind::Nil) {
            return self.fail(format!("indirection through explicit nil in {node}"));
        }
        let value = self.argument(dot, inner, Type::Reflect)?;
        self.fields(dot, (value, false), node, names, arguments, last)
    }
    fn variable_fields(
        &mut self,
        dot: &Value,
        node: &'t Expression,
        names: &'t [Arc<str>],
        arguments: &'t [Expression],
        last: Final,
    ) -> Result<Value> {
        self.mark(node);
        let Variable { value, held, .. } = self.variable(&names[0])?;
        let (value, held) = (value.clone(), *held);
        if names.len() == 1 {
            self.not_a_function(arguments, &last)?;
            return Ok(value);
        }
        self.fields(dot, (value, held), node, &names[1..], arguments, last)
    }
    fn fields(
        &mut self,
        dot: &Value,
        (mut value, mut held): (Value, bool),
        node: &'t Expression,
        names: &'t [Arc<str>],
        arguments: &'t [Expression],
        last: Final,
    ) -> Result<Value> {
        for (index, name) in names.iter().enumerate() {
            let is_last = index + 1 == names.len();
            let (arguments, last) = if is_last {
                (arguments, last.clone())
            } else {
                (&arguments[..0], None)
            };
            // What a map holds is known to Go as an interface only.
            let from_map = matches!(value, Value::Map(_));
            value = self.field(dot, value, node, name, arguments, last, held)?;
            held = from_map;
        }
        Ok(value)
    }
    #[expect(clippy::too_many_arguments, reason = "the state of one evaluation step")]
    /// One field: a method, a key of a map, a field of a struct. The first of `arguments` is the node itself.
    fn field(
        &mut self,
        dot: &Value,
        receiver: Value,
        node: &'t Expression,
        name: &Arc<str>,
        arguments: &'t [Expression],
        last: Final,
        held: bool,
    ) -> Result<Value> {
        let has_arguments = arguments.len() > 1 || last.is_some();
        if let Some(method) = methods::method(&receiver, name) {
            let mut values = Vec::with_capacity(2);
            let count = arguments.len().saturating_sub(1) + usize::from(last.is_some());
            if count != method.parameters.len() {
                return self.fail(format!(
                    "wrong number of args for {name}: want {} got {count}",
                    method.parameters.len()
                ));
            }
            for (argument, ty) in arguments.iter().skip(1).zip(method.parameters) {
                values.push(self.argument(dot, argument, *ty)?);
            }
            if let Some(last) = last {
                let ty = method.parameters[values.len()];
                values.push(self.typed(last, ty)?);
            }
            self.cx.note_api_version(&receiver, values.first());
            return match (method.run)(&receiver, &values) {
                Ok(value) => Ok(value),
                Err(message) => {
                    self.mark(node);
                    let said = format!("error calling {name}: {message}");
                    // helm tells a call that failed in one line.
                    Err(self.error_caused(said, Some(Failure::new(message))))
                }
            };
        }
        if let Some(why) = methods::no_method(&receiver, name) {
            return self.fail(why);
        }
        match &receiver {
            Value::Invalid => Ok(Value::Invalid),
            Value::Nil => self.fail(format!("nil pointer evaluating interface {{}}.{name}")),
            Value::Map(map) => {
                if has_arguments {
                    return self.fail(format!("{name} is not a method but has arguments"));
                }
                let value = map.get(name);
                Ok(match map.ty {
                    MapType::Str | MapType::NilStr => value.unwrap_or_else(|| Value::str("")),
                    MapType::Files => value.map_or(Value::Bytes(Arc::from([])), |v| object::file_bytes(&v)),
                    _ => value.unwrap_or(Value::Nil),
                })
            }
            Value::Object(object) => match object.field(name) {
                Some(_) if has_arguments => {
                    self.fail(format!("{name} has arguments but cannot be invoked as function"))
                }
                Some(value) => Ok(value),
                None => {
                    let ty = if held {
                        "interface {}"
                    } else {
                        object::pointer_type(&receiver)
                    };
                    self.fail(format!("can't evaluate field {name} in type {ty}"))
                }
            },
            other => {
                let ty = if held {
                    "interface {}"
                } else {
                    object::pointer_type(other)
                };
                self.fail(format!("can't evaluate field {name} in type {ty}"))
            }
        }
    }

    fn call(
        &mut self,
        dot: &Value,
        function: &'static Function,
        node: &'t Expression,
        whole: At<'t>,
        arguments: &'t [Expression],
        last: Final,
    ) -> Result<Value> {
        self.mark(node);
        let arguments = if arguments.is_empty() {
            arguments
        } else {
            &arguments[1..]
        };
        let count = arguments.len() + usize::from(last.is_some());
        let fixed = function.parameters.len();
        if function.variadic.is_some() {
            if count < fixed {
                return self.fail(format!(
                    "wrong number of args for {}: want at least {fixed} got {count}",
                    function.name
                ));
            }
        } else if count != fixed {
            return self.fail(format!(
                "wrong number of args for {}: want {fixed} got {count}",
                function.name
            ));
        }
        if let Special::And | Special::Or = function.special {
            let stop = function.special == Special::Or;
            let mut value = Value::Invalid;
            for argument in arguments {
                value = self.argument(dot, argument, Type::Reflect)?;
                if value.truth() == stop {
                    return Ok(value);
                }
            }
            return Ok(last.unwrap_or(value));
        }
        let mut values: Vec<Value> = Vec::with_capacity(count);
        let type_at = |index: usize| {
            function
                .parameters
                .get(index)
                .copied()
                .or(function.variadic)
                .unwrap_or(Type::Any)
        };
        for (index, argument) in arguments.iter().enumerate() {
            let value = self.argument(dot, argument, type_at(index))?;
            values.push(value);
        }
        if let Some(last) = last {
            let value = self.typed(last, type_at(values.len()))?;
            values.push(value);
        }
        self.cx.spend(1).map_err(|f| self.error(f.message.clone()))?;
        match (function.run)(self.cx, &values) {
            Ok(value) => {
                let size = value.string_bytes().map_or(0, <[u8]>::len);
                self.cx
                    .room(size)
                    .and_then(|()| self.cx.spend(size / 16))
                    .map_err(|f| self.error(f.message.clone()))?;
                Ok(value)
            }
            Err(failure) => {
                self.at = whole;
                let message = format!("error calling {}: {}", function.name, failure.message);
                Err(self.error_caused(message, Some(failure)))
            }
        }
    }
    fn argument(&mut self, dot: &Value, node: &'t Expression, ty: Type) -> Result<Value> {
        self.mark(node);
        match &node.kind {
            ExpressionKind::Dot => self.typed(dot.clone(), ty),
            ExpressionKind::Nil => {
                if !ty.nilable() {
                    return self.fail(format!("cannot assign nil to {}", ty.name()));
                }
                Ok(if ty == Type::Reflect {
                    Value::Invalid
                } else {
                    ty.zero()
                })
            }
            ExpressionKind::Field(names) => {
                let receiver = (dot.clone(), self.held);
                let value = self.fields(dot, receiver, node, names, std::slice::from_ref(node), None)?;
                self.typed(value, ty)
            }
            ExpressionKind::Variable(names) => {
                let value = self.variable_fields(dot, node, names, &[], None);
                self.typed(value?, ty)
            }
            ExpressionKind::Pipe(pipe) => {
                let value = deeper(|| self.pipeline(dot, pipe))?;
                self.typed(value, ty)
            }
            ExpressionKind::Function(function) => {
                let whole = At { pos: node.pos, node };
                let value = self.call(dot, function, node, whole, &[], None)?;
                self.typed(value, ty)
            }
            ExpressionKind::Chain(inner, names) => {
                let value = self.chain(dot, node, inner, names, &[], None)?;
                self.typed(value, ty)
            }
            ExpressionKind::Bool(b) => match ty {
                Type::Bool | Type::Any | Type::Reflect => Ok(Value::Bool(*b)),
                _ => self.literal_mismatch(node, ty),
            },
            ExpressionKind::String(_, literal) => match ty {
                Type::Str | Type::Any | Type::Reflect => Ok(string(literal)),
                _ => self.literal_mismatch(node, ty),
            },
            ExpressionKind::Number(number) => match (ty, number.int, number.float) {
                (Type::Any | Type::Reflect, _, _) => self.constant(number),
                (Type::Int, Some(n), _) => Ok(Value::int(n)),
                (Type::Int64, Some(n), _) => Ok(Value::int64(n)),
                (Type::Duration, Some(n), _) => Ok(object::object(object::Object::Duration(n))),
                (Type::Uint32, Some(n), _) if u32::try_from(n).is_ok() => Ok(Value::Int(n, IntKind::Uint32)),
                (Type::Float, _, Some(f)) => Ok(Value::Float(f)),
                _ => self.literal_mismatch(node, ty),
            },
        }
    }
    fn literal_mismatch<T>(&self, node: &Expression, ty: Type) -> Result<T> {
        match ty {
            Type::Bool => self.fail(format!("expected bool; found {node}")),
            Type::Str => self.fail(format!("expected string; found {node}")),
            Type::Int | Type::Int64 | Type::Duration => self.fail(format!("expected integer; found {node}")),
            Type::Uint32 => self.fail(format!("expected unsigned integer; found {node}")),
            Type::Float => self.fail(format!("expected float; found {node}")),
            _ => self.fail(format!("can't handle {node} for arg of type {}", ty.name())),
        }
    }
    /// Checks a value against a parameter's type.
    fn typed(&self, value: Value, ty: Type) -> Result<Value> {
        match (&value, ty) {
            (_, Type::Reflect) => Ok(value),
            (_, Type::Any) => Ok(value.stored()),
            (Value::Invalid, ty) if ty.nilable() => Ok(ty.zero()),
            (Value::Invalid, ty) => self.fail(format!("invalid value; expected {}", ty.name())),
            (value, ty) if ty.accepts(value) => Ok(value.clone()),
            (value, ty) => self.fail(format!(
                "wrong type for value; expected {}; got {}",
                ty.name(),
                object::pointer_type(value)
            )),
        }
    }
}

fn string(literal: &Literal) -> Value {
    match literal {
        Literal::Text(text) => Value::Str(text.clone()),
        Literal::Bytes(bytes) => Value::Raw(bytes.clone()),
    }
}

/// A tree by name, for callers outside of this module.
pub fn find(templates: &Templates, name: &str) -> Option<Arc<Tree>> {
    templates.get(name).cloned()
}

/// What Go prints for missing values is taken out at the end.
pub(crate) fn without_no_value(out: Vec<u8>) -> Vec<u8> {
    const MARK: &[u8] = b"<no value>";
    if memchr::memmem::find(&out, MARK).is_none() {
        return out;
    }
    let mut clean = Vec::with_capacity(out.len());
    let mut rest: &[u8] = &out;
    while let Some(at) = memchr::memmem::find(rest, MARK) {
        clean.extend_from_slice(&rest[..at]);
        rest = &rest[at + MARK.len()..];
    }
    clean.extend_from_slice(rest);
    clean
}
