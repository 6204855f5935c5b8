//! Values that are never shown and do not stay in memory.

use std::fmt;

use zeroize::Zeroize;

use crate::attr::{AttributeType, DecodeError};
use crate::path::Path;
use crate::schema::Shape;
use crate::value::Value;

/// A value that prints as `(secret)` and is overwritten when dropped.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Takes the value.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, for the call that needs it.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl<T: Zeroize> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

/// A value of any type that prints as `(secret)`: an attribute of type `dynamic`.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(Value);

impl SecretValue {
    /// The value, for the call that needs it.
    pub fn expose(&self) -> &Value {
        &self.0
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl AttributeType for SecretValue {
    fn shape() -> Shape {
        Value::shape()
    }

    fn decode(value: &Value, at: &Path) -> Result<Self, DecodeError> {
        Value::decode(value, at).map(Self)
    }

    fn encode(&self) -> Value {
        self.0.encode()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_text_hides_the_value() {
        assert_eq!(format!("{:?}", Secret::new("hunter2".to_owned())), "(secret)");
    }
}
