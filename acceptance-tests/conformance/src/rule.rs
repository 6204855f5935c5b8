//! The rules that core checks, and what is reported where one is broken.

use std::fmt;

use framework::{Path, Value};

use crate::show;

macro_rules! rules {
    ($($name:ident $text:literal;)*) => {
        /// A rule. The letters: **S** schema, **P** plan, **A** apply, **R** read, **D** data source, **I** import,
        /// **U** upgrade and move, **F** function, **E** ephemeral resource, **L** list resource, **C** action,
        /// **X** every answer. (A7 of the facts, what core keeps after an error, is no rule that
        /// an answer can break: see [`Core::apply`](crate::Core::apply).)
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule { $(#[doc = $text] $name,)* }

        impl Rule {
            /// All rules, in order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// What the rule asks for.
            pub fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

rules! {
    S1 "an attribute is required, optional or computed, and required alone";
    S2 "an attribute has either a type or a nested type, and it is valid";
    S3 "a deprecation message stands only at what is deprecated";
    S4 "names are distinct and well-formed";
    S5 "a block's nesting mode and its numbers of items fit together";
    S6 "a set holds neither dynamic types nor write-only attributes";
    S7 "everything inside a computed block is computed, and it has no least number";
    S8 "versions are not negative";
    S9 "an attribute of an identity is required or optional for import, and no map, set or object";
    S10 "functions and parameters have identifiers as names, distinct within a function, and valid types";
    S11 "there is a schema of the provider itself";
    S12 "a list resource and an identity belong to a managed resource of that name";
    S13 "metadata, functions and schema say the same";
    P1 "null is planned exactly where the configuration is null";
    P2 "the planned state is of the schema's type";
    P3 "write-only attributes are planned null";
    P4 "a planned value is the configured, the prior, or (computed and not configured) the provider's to choose";
    P5 "nested attributes have as many elements, and the same keys, as are configured";
    P6 "blocks are as many, with the same keys, as are configured, and never null or unknown themselves";
    P7 "paths that require replacement exist";
    P8 "a planned identity is of its type, and known unless something new is made";
    P9 "nothing is deferred where that is not allowed";
    P10 "the exceptions for the legacy type system are not claimed";
    P11 "the plan at apply keeps the action and every known value of the plan";
    A1 "the state after apply is of the schema's type";
    A2 "nothing is unknown after apply";
    A3 "every known planned value is the one after apply, and unknown ones keep their promises";
    A4 "null after apply exactly where a deletion was planned";
    A5 "write-only attributes are null after apply";
    A6 "the identity after apply is of its type and known";
    A8 "private state is handed on while the object lives";
    R1 "the state read is of the schema's type";
    R2 "nothing is unknown after a read";
    R3 "write-only attributes are null after a read";
    R4 "the identity read is of its type and known";
    R5 "nothing is deferred where that is not allowed";
    D1 "a data source gives an object";
    D2 "the object of a data source is of the schema's type";
    D3 "nothing in the object of a data source is unknown";
    I1 "an import gives exactly one object, not null";
    I2 "an imported object is of the type asked for";
    I3 "write-only attributes of an imported object are null";
    U1 "an upgraded or moved state is an object of the schema's type";
    U2 "nothing in an upgraded or moved state is unknown";
    U3 "write-only attributes are null after upgrade and move";
    U4 "an upgraded identity is of its type and known";
    F1 "a function gives a value of its return type, or an error";
    F2 "a function gives the same for the same arguments";
    E1 "the result of an ephemeral resource agrees with its configuration as a plan would";
    E2 "nothing in the result of an ephemeral resource is unknown";
    L1 "a listed object has an identity of its type";
    L2 "no more objects are listed than asked for";
    L3 "a listed object that was asked for is of its resource's type";
    C1 "an action's events say something, and the last one that it has completed";
    X1 "a diagnostic is an error or a warning";
    X2 "the steps of a path say where they lead";
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?} ({})", self.text())
    }
}

/// A rule that an answer breaks.
#[derive(Debug, Clone, PartialEq)]
pub struct Violation {
    /// Which.
    pub rule: Rule,
    /// Where in the value, or in the schema.
    pub path: Path,
    /// What is wrong.
    pub reason: String,
    /// What the rule asks for: the configured value in a plan, the planned one after apply.
    pub expected: Option<Value>,
    /// What the provider answered.
    pub actual: Option<Value>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rule, path, reason, ..
        } = self;
        write!(f, "{rule:?} at {}: {reason}", show::path(path))?;
        if let Some(value) = &self.expected {
            write!(f, "\n  expected: {}", show::value(value))?;
        }
        if let Some(value) = &self.actual {
            write!(f, "\n  answered: {}", show::value(value))?;
        }
        write!(f, "\n  rule: {}", rule.text())
    }
}

/// Violations in the making.
#[derive(Debug, Default)]
pub(crate) struct Found(pub Vec<Violation>);

impl Found {
    pub fn add(&mut self, rule: Rule, path: &Path, reason: impl Into<String>) {
        self.0.push(Violation {
            rule,
            path: path.clone(),
            reason: reason.into(),
            expected: None,
            actual: None,
        });
    }

    pub fn values(
        &mut self,
        rule: Rule,
        path: &Path,
        reason: impl Into<String>,
        expected: &Value,
        actual: &Value,
    ) {
        self.0.push(Violation {
            rule,
            path: path.clone(),
            reason: reason.into(),
            expected: Some(expected.clone()),
            actual: Some(actual.clone()),
        });
    }

    pub fn actual(&mut self, rule: Rule, path: &Path, reason: impl Into<String>, actual: &Value) {
        self.0.push(Violation {
            rule,
            path: path.clone(),
            reason: reason.into(),
            expected: None,
            actual: Some(actual.clone()),
        });
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
