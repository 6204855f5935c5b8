//! What templates call: functions with typed parameters, and what such a function can reach.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::environment::{Asked, Environment, Limits};
use super::error::Failure;
use super::node::SharedTemplates;
use crate::value::object::Object;
use crate::value::{Elem, IntKind, List, Map, MapType, Value};

/// The static type of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// `interface {}`
    Any,
    /// `reflect.Value`: a builtin that sees missing values.
    Reflect,
    /// `string`
    Str,
    /// `int`
    Int,
    /// `int64`
    Int64,
    /// `uint32`
    Uint32,
    /// `float64`
    Float,
    /// `bool`
    Bool,
    /// `map[string]interface {}`
    Map,
    /// `[]interface {}`
    List,
    /// `time.Time`
    Time,
    /// `time.Duration`
    Duration,
    /// `*time.Location`
    Location,
    /// `*semver.Version`
    Version,
    /// `[]uint8`
    Bytes,
    /// `sprig.certificate`
    Certificate,
    /// `io.Writer`, of which templates have none.
    Writer,
}

impl Type {
    /// As Go prints it.
    pub fn name(self) -> &'static str {
        match self {
            Type::Any => "interface {}",
            Type::Reflect => "reflect.Value",
            Type::Str => "string",
            Type::Int => "int",
            Type::Int64 => "int64",
            Type::Uint32 => "uint32",
            Type::Float => "float64",
            Type::Bool => "bool",
            Type::Map => "map[string]interface {}",
            Type::List => "[]interface {}",
            Type::Time => "time.Time",
            Type::Duration => "time.Duration",
            Type::Location => "*time.Location",
            Type::Version => "*semver.Version",
            Type::Bytes => "[]uint8",
            Type::Certificate => "sprig.certificate",
            Type::Writer => "io.Writer",
        }
    }
    /// Whether nil is a value of it.
    pub fn nilable(self) -> bool {
        matches!(
            self,
            Type::Any
                | Type::Reflect
                | Type::Map
                | Type::List
                | Type::Location
                | Type::Version
                | Type::Bytes
                | Type::Writer
        )
    }
    /// What nil becomes.
    pub fn zero(self) -> Value {
        match self {
            Type::Map => Value::Map(Map::new(Default::default())),
            Type::List => Value::list(Vec::new()),
            Type::Bytes => Value::Bytes([].into()),
            _ => Value::Nil,
        }
    }
    /// Whether a value may be given as it is.
    pub fn accepts(self, value: &Value) -> bool {
        match self {
            Type::Any | Type::Reflect => true,
            Type::Str => matches!(value, Value::Str(_) | Value::Raw(_)),
            Type::Int => matches!(value, Value::Int(_, IntKind::Int)),
            Type::Int64 => matches!(value, Value::Int(_, IntKind::Int64)),
            Type::Uint32 => matches!(value, Value::Int(_, IntKind::Uint32)),
            Type::Float => matches!(value, Value::Float(_)),
            Type::Bool => matches!(value, Value::Bool(_)),
            Type::Map => {
                matches!(value, Value::Map(m) if matches!(m.ty, MapType::Any | MapType::NilAny | MapType::Values))
            }
            Type::List => matches!(
                value,
                Value::List(List {
                    elem: Elem::Any | Elem::NilAny,
                    ..
                })
            ),
            Type::Time => matches!(value, Value::Object(o) if matches!(**o, Object::Time(_))),
            Type::Duration => matches!(value, Value::Object(o) if matches!(**o, Object::Duration(_))),
            Type::Location => matches!(value, Value::Object(o) if matches!(**o, Object::Location { .. })),
            Type::Version => matches!(value, Value::Object(o) if matches!(**o, Object::Version(_))),
            Type::Bytes => matches!(value, Value::Bytes(_)),
            Type::Writer => false,
            Type::Certificate => {
                matches!(value, Value::Object(o) if matches!(**o, Object::Certificate { .. }))
            }
        }
    }
}

/// Functions that the executor treats apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Special {
    /// An ordinary function.
    No,
    /// `and`: stops at the first false one.
    And,
    /// `or`: stops at the first true one.
    Or,
}

/// What a function yields.
pub type Outcome = Result<Value, Failure>;
pub(crate) type Run = fn(&mut Context<'_>, &[Value]) -> Outcome;

/// A function of the template language.
pub struct Function {
    /// Name.
    pub name: &'static str,
    /// Types of its fixed parameters.
    pub parameters: &'static [Type],
    /// Type of any further ones.
    pub variadic: Option<Type>,
    /// How the executor treats it.
    pub special: Special,
    /// What it does.
    pub run: Run,
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// What a running template can reach.
pub struct Context<'c> {
    /// Templates that can be called.
    pub templates: SharedTemplates,
    /// The outer world: time, randomness, the cluster.
    pub environment: &'c dyn Environment,
    /// What was asked of it.
    pub asked: &'c RefCell<Asked>,
    /// Limits.
    pub limits: &'c Limits,
    /// Output and work so far.
    pub spent: usize,
    /// Nesting of `{{template}}`, `include` and `tpl`.
    pub depth: usize,
    /// Calls of `include` under way, by template.
    pub including: HashMap<Rc<str>, usize>,
}

impl Context<'_> {
    /// Counts work: bytes written, function calls, turns of loops.
    ///
    /// # Errors
    /// When a limit is exceeded.
    pub fn spend(&mut self, amount: usize) -> Result<(), Failure> {
        self.spent = self.spent.saturating_add(amount);
        if self.spent > self.limits.work {
            return Err(Failure::new(format!(
                "the template does more work than allowed ({} units)",
                self.limits.work
            )));
        }
        if self.limits.due(self.spent) && self.environment.expired() {
            self.limits.expire();
        }
        if self.limits.deadline_passed(self.spent) {
            return Err(Failure::new("the template runs for longer than allowed"));
        }
        Ok(())
    }
    /// Notes that an API version is looked for, if the list is that of the capabilities.
    pub(crate) fn note_api_version(&self, list: &Value, wanted: Option<&Value>) {
        if let (
            Value::List(List {
                elem: Elem::VersionSet,
                ..
            }),
            Some(Value::Str(wanted)),
        ) = (list, wanted)
        {
            Asked::note(&mut self.asked.borrow_mut().api_versions, wanted);
        }
    }
    /// Random bytes for a function, noted as its.
    pub(crate) fn random(&mut self, name: &'static str, length: usize) -> Vec<u8> {
        let mut asked = self.asked.borrow_mut();
        Asked::note(&mut asked.random, name);
        let mut bytes = vec![0; length];
        if !self.environment.random(&mut bytes) {
            for byte in &mut bytes {
                // A fixed linear sequence: material for a render that shall be repeatable, not for secrets.
                asked.sequence = asked
                    .sequence
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                *byte = (asked.sequence >> 33) as u8;
            }
        }
        bytes
    }
    /// A random number below a bound.
    pub(crate) fn below(&mut self, name: &'static str, bound: u64) -> u64 {
        let bytes = self.random(name, 8);
        let n = bytes.iter().fold(0u64, |n, b| n << 8 | u64::from(*b));
        n % bound.max(1)
    }
    /// The present, noted as asked by a function.
    pub(crate) fn now(&mut self, name: &'static str) -> i128 {
        Asked::note(&mut self.asked.borrow_mut().time, name);
        self.environment.now().unwrap_or(0)
    }
    /// Refuses results that would fill the memory.
    ///
    /// # Errors
    /// When `length` is more than a single value may have.
    pub fn room(&self, length: usize) -> Result<(), Failure> {
        if length > self.limits.value {
            return Err(Failure::new(format!(
                "a value of {length} bytes is larger than allowed ({})",
                self.limits.value
            )));
        }
        Ok(())
    }
}
