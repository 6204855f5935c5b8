//! Functions: pure, typed, and callable before the provider is configured.

use crate::attr::AttributeType;
use crate::path::Path;
use crate::value::{Type, Value};

/// A function `provider::<name>::<function>`.
pub trait Function: Send + Sync + 'static {
    /// Its parameters in order, by `#[derive(Arguments)]`.
    type Arguments: Arguments;
    /// What it gives.
    type Return: AttributeType;

    /// Name, without prefix.
    const NAME: &'static str;
    /// One line.
    const SUMMARY: &'static str;
    /// Markdown.
    const DESCRIPTION: &'static str = "";
    /// Why not to use it any more.
    const DEPRECATED: &'static str = "";

    /// The result. Must depend on nothing but the arguments: Terraform compares results of equal calls.
    ///
    /// # Errors
    /// What the user is told, with the argument where one is at fault.
    fn call(&self, arguments: Self::Arguments) -> Result<Self::Return, FunctionError>;
}

/// What a function's caller is told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct FunctionError {
    /// The message.
    pub text: String,
    /// The argument at fault, from 0; each value of a variadic parameter counts.
    pub argument: Option<usize>,
}

impl FunctionError {
    /// An error that concerns no single argument.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            argument: None,
        }
    }

    /// An error of one argument.
    pub fn of_argument(argument: usize, text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            argument: Some(argument),
        }
    }
}

/// A parameter of a function.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// Name.
    pub name: String,
    /// Type.
    pub ty: Type,
    /// Markdown.
    pub description: String,
    /// Null is passed on instead of refused.
    pub allow_null: bool,
    /// Unknown is passed on; otherwise Terraform does not call the function and takes the result for unknown.
    pub allow_unknown: bool,
}

/// The parameters of a function, made by `#[derive(Arguments)]` from a struct with one field per parameter. A field
/// `Option<T>` accepts null, `Attr<T>` null and unknown; a last field with `#[argument(variadic)]` is a `Vec<T>`.
pub trait Arguments: Sized {
    /// Parameters in order.
    fn parameters() -> Vec<Parameter>;

    /// The parameter that takes all further values.
    fn variadic() -> Option<Parameter>;

    /// Reads the values of a call.
    ///
    /// # Errors
    /// The first argument that has no place in its type.
    fn decode(values: &[Value]) -> Result<Self, FunctionError>;
}

impl Parameter {
    /// A parameter of a Rust type. Used by the derive.
    pub fn of<T: AttributeType>(name: &str, description: &str) -> Self {
        Self {
            name: name.to_owned(),
            ty: T::shape().ty(),
            description: description.to_owned(),
            allow_null: T::decode(&Value::Null, &Path::root()).is_ok(),
            allow_unknown: T::decode(&Value::UNKNOWN, &Path::root()).is_ok(),
        }
    }
}

/// Reads one argument. Used by the derive.
///
/// # Errors
/// Where the value has no place in the type, or there is none.
pub fn decode_argument<T: AttributeType>(values: &[Value], index: usize) -> Result<T, FunctionError> {
    let value = values
        .get(index)
        .ok_or_else(|| FunctionError::new("too few arguments"))?;
    T::decode(value, &Path::root()).map_err(|error| {
        let text: Vec<_> = error.into_diagnostics().into_iter().map(|d| d.body()).collect();
        FunctionError::of_argument(index, text.join("\n"))
    })
}
