//! Models: plain structs that are declared once and give schema, decoding and encoding.

use std::collections::BTreeMap;

use crate::attr::{AttributeType, DecodeError};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::path::Path;
use crate::schema::{Block, Nesting, Shape};
use crate::value::{Shared, Value};

/// A struct of attributes and blocks, made by `#[derive(Model)]`.
///
/// Fields of a resource's model are `Attr<…>`, so that null and unknown stay apart from zero. A field of a plain type
/// makes the whole struct undecodable while its value is unknown.
pub trait Model: AttributeType {
    /// Attributes and blocks, with their descriptions.
    fn block() -> Block;
}

/// Nothing at all: the configuration of what has none, the identity of a resource without.
impl Model for () {
    fn block() -> Block {
        Block::default()
    }
}

impl AttributeType for () {
    fn shape() -> Shape {
        Shape::Nested(Nesting::Single, Box::default())
    }

    fn decode(_value: &Value, _at: &Path) -> Result<Self, DecodeError> {
        Ok(())
    }

    fn encode(&self) -> Value {
        Value::Object(Shared::default())
    }
}

/// Reads the fields of a model, collecting every error. Used by the derive.
#[derive(Debug)]
pub struct Fields<'a> {
    value: &'a Value,
    object: &'a BTreeMap<String, Value>,
    at: &'a Path,
    wrong: Diagnostics,
    unknown: bool,
}

impl<'a> Fields<'a> {
    /// Begins with the object at the path.
    ///
    /// # Errors
    /// Where the value is null, unknown or no object.
    pub fn new(value: &'a Value, at: &'a Path) -> Result<Self, DecodeError> {
        match value {
            Value::Null => Err(DecodeError::Null(at.clone())),
            Value::Unknown(_) => Err(DecodeError::Unknown),
            Value::Object(object) | Value::Map(object) => Ok(Self {
                value,
                object,
                at,
                wrong: Diagnostics::new(),
                unknown: false,
            }),
            other => Err(DecodeError::invalid(
                at,
                format!("Expected an object, got {}.", other.kind()),
            )),
        }
    }

    /// The field of that name; `None` where it is wrong or has no place for "unknown".
    pub fn take<T: AttributeType>(&mut self, name: &str) -> Option<T> {
        let result = T::decode(
            self.object.get(name).unwrap_or(&Value::Null),
            &self.at.attribute(name),
        );
        self.keep(result)
    }

    /// The field of that name, whose value must not be shown, not even where it is wrong.
    pub fn take_hidden<T: AttributeType>(&mut self, name: &str) -> Option<T> {
        let at = self.at.attribute(name);
        let result = T::decode(self.object.get(name).unwrap_or(&Value::Null), &at);
        let hidden = |error| match error {
            DecodeError::Invalid(all) if all.has_errors() => {
                let place = |d: &Diagnostic| {
                    Diagnostic::error(
                        "F101",
                        "Invalid value",
                        "The value (not shown) has no place here.",
                    )
                    .at(d.path.clone())
                };
                DecodeError::Invalid(all.iter().map(place).collect())
            }
            other => other,
        };
        self.keep(result.map_err(hidden))
    }

    /// The fields of a flattened model.
    pub fn flatten<T: AttributeType>(&mut self) -> Option<T> {
        let result = T::decode(self.value, self.at);
        self.keep(result)
    }

    fn keep<T>(&mut self, result: Result<T, DecodeError>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(DecodeError::Unknown) => {
                self.unknown = true;
                None
            }
            Err(error) => {
                self.wrong.extend(error.into_diagnostics());
                None
            }
        }
    }

    /// Whether all fields could be read.
    ///
    /// # Errors
    /// All that went wrong.
    pub fn finish(self) -> Result<(), DecodeError> {
        match (self.wrong.is_empty(), self.unknown) {
            (false, _) => Err(DecodeError::Invalid(self.wrong)),
            (true, true) => Err(DecodeError::Unknown),
            (true, false) => Ok(()),
        }
    }
}

/// Adds the attributes of a flattened model. Used by the derive.
pub fn merge_objects(into: &mut BTreeMap<String, Value>, value: Value) {
    if let Value::Object(more) = value {
        into.extend(more);
    }
}

/// The value of a block: a list or set of blocks is never null on the wire. Used by the derive.
pub fn encode_block<T: AttributeType>(field: &T) -> Value {
    match (field.encode(), T::shape()) {
        (Value::Null, Shape::Nested(nesting, _)) => nesting.nothing(),
        (value, _) => value,
    }
}
