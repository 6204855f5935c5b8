//! The three states of an attribute, and the Rust types that an attribute may have.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net};
use zeroize::Zeroize;

use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::path::Path;
use crate::schema::{Nesting, Shape};
use crate::secret::Secret;
use crate::value::{Number, Type, Value};

/// A set of distinct elements.
pub type Set<T> = BTreeSet<T>;

/// An attribute as Terraform gives it: not given, not known yet, or known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Attr<T> {
    /// Not given, or not there.
    #[default]
    Null,
    /// Not known before apply. A collection with an unknown element is unknown, unless its elements are `Attr` themselves.
    Unknown,
    /// Known.
    Known(T),
}

impl<T> Attr<T> {
    /// The value where it is known.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Null | Self::Unknown => None,
        }
    }

    /// The value where it is known, taken out.
    pub fn into_known(self) -> Option<T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Null | Self::Unknown => None,
        }
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Whether it is unknown.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }

    /// Whether it is known.
    pub fn is_known(&self) -> bool {
        matches!(self, Self::Known(_))
    }

    /// The same by reference.
    pub fn as_ref(&self) -> Attr<&T> {
        match self {
            Self::Null => Attr::Null,
            Self::Unknown => Attr::Unknown,
            Self::Known(value) => Attr::Known(value),
        }
    }

    /// A known value changed; null and unknown stay.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Attr<U> {
        match self {
            Self::Null => Attr::Null,
            Self::Unknown => Attr::Unknown,
            Self::Known(value) => Attr::Known(change(value)),
        }
    }

    /// The same with a value in place of null; unknown stays unknown.
    #[must_use]
    pub fn or(self, default: T) -> Self {
        if self.is_null() {
            Self::Known(default)
        } else {
            self
        }
    }

    /// The known value, or another where it is null *or unknown*.
    pub fn unwrap_or(self, other: T) -> T {
        self.into_known().unwrap_or(other)
    }

    /// The known value, or the type's default where it is null *or unknown*.
    pub fn unwrap_or_default(self) -> T
    where
        T: Default,
    {
        self.into_known().unwrap_or_default()
    }

    /// Null for `None`.
    pub fn from_option(value: Option<T>) -> Self {
        value.map_or(Self::Null, Self::Known)
    }
}

impl<T: Clone> Attr<&T> {
    /// The same with the value cloned.
    pub fn cloned(self) -> Attr<T> {
        self.map(T::clone)
    }
}

impl<T> From<T> for Attr<T> {
    fn from(value: T) -> Self {
        Self::Known(value)
    }
}

impl From<&str> for Attr<String> {
    fn from(value: &str) -> Self {
        Self::Known(value.to_owned())
    }
}

/// Why a value cannot be read as a Rust type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DecodeError {
    /// It, or a part of it that has no place for "unknown", is unknown.
    Unknown,
    /// The value at the path is null and the type has no place for that.
    Null(Path),
    /// It is wrong; the diagnostics carry the paths.
    Invalid(Diagnostics),
}

impl DecodeError {
    /// One wrong value.
    pub fn invalid(at: &Path, reason: impl Into<String>) -> Self {
        Self::Invalid(
            Diagnostic::error("F101", "Invalid value", reason)
                .at(at.clone())
                .into(),
        )
    }

    /// The same as messages to the user.
    pub fn into_diagnostics(self) -> Diagnostics {
        match self {
            Self::Unknown => Diagnostic::error(
                "F102",
                "Value not known",
                "A value is needed here that is known only after apply.",
            )
            .into(),
            Self::Null(at) => {
                Diagnostic::error("F103", "Null is not allowed", "This value must not be null.")
                    .at(at)
                    .into()
            }
            Self::Invalid(all) => all,
        }
    }
}

impl From<DecodeError> for Diagnostics {
    fn from(error: DecodeError) -> Self {
        error.into_diagnostics()
    }
}

/// A Rust type that an attribute may have: primitives, networks, collections, nested models, and own types
/// (see [`text_attribute!`](crate::text_attribute) and `#[derive(Choice)]`).
pub trait AttributeType: Clone + Send + Sync + 'static {
    /// The attribute's type, or its nested attributes.
    fn shape() -> Shape;

    /// All texts that are allowed, where there are only a few.
    fn choices() -> &'static [&'static str] {
        &[]
    }

    /// Reads the value that stands at the path.
    ///
    /// # Errors
    /// Where the value has no place in the type.
    fn decode(value: &Value, at: &Path) -> Result<Self, DecodeError>;

    /// Writes the value.
    fn encode(&self) -> Value;
}

/// The value is neither null nor unknown, or that as an error.
fn present<'a>(value: &'a Value, at: &Path) -> Result<&'a Value, DecodeError> {
    match value {
        Value::Null => Err(DecodeError::Null(at.clone())),
        Value::Unknown(_) => Err(DecodeError::Unknown),
        Value::Dynamic(inner) => present(&inner.1, at),
        known => Ok(known),
    }
}

fn mismatch(expected: &str, value: &Value, at: &Path) -> DecodeError {
    DecodeError::invalid(at, format!("Expected {expected}, got {}.", value.kind()))
}

impl<T: AttributeType> AttributeType for Attr<T> {
    fn shape() -> Shape {
        T::shape()
    }

    fn choices() -> &'static [&'static str] {
        T::choices()
    }

    fn decode(value: &Value, at: &Path) -> Result<Self, DecodeError> {
        if value.is_null() {
            return Ok(Self::Null);
        }
        if value.is_unknown() {
            return Ok(Self::Unknown);
        }
        match T::decode(value, at) {
            Ok(value) => Ok(Self::Known(value)),
            Err(DecodeError::Unknown) => Ok(Self::Unknown),
            Err(null @ DecodeError::Null(_)) => Err(DecodeError::Invalid(null.into_diagnostics())),
            Err(invalid) => Err(invalid),
        }
    }

    fn encode(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Unknown => Value::UNKNOWN,
            Self::Known(value) => value.encode(),
        }
    }
}

impl<T: AttributeType> AttributeType for Option<T> {
    fn shape() -> Shape {
        T::shape()
    }

    fn choices() -> &'static [&'static str] {
        T::choices()
    }

    fn decode(value: &Value, at: &Path) -> Result<Self, DecodeError> {
        if value.is_null() {
            Ok(None)
        } else {
            T::decode(value, at).map(Some)
        }
    }

    fn encode(&self) -> Value {
        self.as_ref().map_or(Value::Null, T::encode)
    }
}

impl<T: AttributeType> AttributeType for Box<T> {
    fn shape() -> Shape {
        T::shape()
    }

    fn decode(value: &Value, at: &Path) -> Result<Self, DecodeError> {
        T::decode(value, at).map(Self::new)
    }

    fn encode(&self) -> Value {
        T::encode(self)
    }
}

impl AttributeType for bool {
    fn shape() -> Shape {
        Shape::Plain(Type::Bool)
    }

    fn decode(value: &Value, at: &Path) -> Result<Self, DecodeError> {
        match present(value, at)? {
            Value::Bool(value) => Ok(*value),
            other => Err(mismatch("a bool", other, at)),
        }
    }

    fn encode(&self) -> Value {
        Value::Bool(*self)
    }
}

impl AttributeType for i64 {
    fn shape() -> Shape {
        Shape::Plain(Type::Number)
    }

    fn decode(value: &Value, at: &Path) -> Result<Self, DecodeError> {
        match present(value, at)? {
            Value::Number(number) => number.as_i64().ok_or_else(|| {
                DecodeError::invalid(
                    at,
                    format!("A whole number of at most 64 bits is needed, got {number}."),
                )
            }),
            other => Err(mismatch("a number", other, at)),
        }
    }

    fn encode(&self) -> Value {
        Value::from(*self)
    }
}

impl AttributeType for Number {
    fn shape() -> Shape {
        Shape::Plain(Type::Number)
    }

    fn decode(value: &Value, at: &Path) -> Result<Self, DecodeError> {
        match present(value, at)? {
            Value::Number(number) => Ok(number.clone()),
            other => Err(mismatch("a number", other, at)),
        }
    }

    fn encode(&self) -> Value {
        Value::Number(self.clone())
    }
}

impl AttributeType for String {
    fn shape() -> Shape {
        Shape::Plain(Type::String)
    }

    fn decode(value: &Value, at: &Path) -> Result<Self, DecodeError> {
        match present(value, at)? {
            Value::String(text) => Ok(text.to_string()),
            other => Err(mismatch("a string", other, at)),
        }
    }

    fn encode(&self) -> Value {
        Value::string(self)
    }
}

/// A value of any type, null and unknown among them: an attribute of type `dynamic`.
impl AttributeType for Value {
    fn shape() -> Shape {
        Shape::Plain(Type::Dynamic)
    }

    fn decode(value: &Value, _at: &Path) -> Result<Self, DecodeError> {
        Ok(value.clone())
    }

    fn encode(&self) -> Value {
        self.clone().into_dynamic()
    }
}

impl<T: AttributeType + Zeroize> AttributeType for Secret<T> {
    fn shape() -> Shape {
        T::shape()
    }

    fn decode(value: &Value, at: &Path) -> Result<Self, DecodeError> {
        T::decode(value, at).map(Self::new)
    }

    fn encode(&self) -> Value {
        self.expose().encode()
    }
}

/// Reads all elements, so that every wrong one is reported; null and unknown ones decide for the whole afterwards.
fn decode_all<'a, T: AttributeType>(
    elements: impl Iterator<Item = (&'a Value, Path)>,
) -> Result<Vec<T>, DecodeError> {
    let mut good = Vec::new();
    let mut wrong = Diagnostics::new();
    let mut unknown = false;
    for (value, at) in elements {
        match T::decode(value, &at) {
            Ok(value) => good.push(value),
            Err(DecodeError::Unknown) => unknown = true,
            Err(error) => wrong.extend(error.into_diagnostics()),
        }
    }
    match (wrong.is_empty(), unknown) {
        (false, _) => Err(DecodeError::Invalid(wrong)),
        (true, true) => Err(DecodeError::Unknown),
        (true, false) => Ok(good),
    }
}

impl<T: AttributeType> AttributeType for Vec<T> {
    fn shape() -> Shape {
        T::shape().collection(Nesting::List)
    }

    fn choices() -> &'static [&'static str] {
        T::choices()
    }

    fn decode(value: &Value, at: &Path) -> Result<Self, DecodeError> {
        match present(value, at)? {
            Value::List(all) | Value::Set(all) | Value::Tuple(all) => {
                decode_all(all.iter().enumerate().map(|(i, v)| (v, at.index(i))))
            }
            other => Err(mismatch("a list", other, at)),
        }
    }

    fn encode(&self) -> Value {
        Value::List(self.iter().map(T::encode).collect())
    }
}

impl<T: AttributeType + Ord> AttributeType for BTreeSet<T> {
    fn shape() -> Shape {
        T::shape().collection(Nesting::Set)
    }

    fn choices() -> &'static [&'static str] {
        T::choices()
    }

    fn decode(value: &Value, at: &Path) -> Result<Self, DecodeError> {
        match present(value, at)? {
            Value::List(all) | Value::Set(all) | Value::Tuple(all) => {
                decode_all(all.iter().map(|v| (v, at.element()))).map(|all| all.into_iter().collect())
            }
            other => Err(mismatch("a set", other, at)),
        }
    }

    fn encode(&self) -> Value {
        Value::set(self.iter().map(T::encode).collect())
    }
}

impl<T: AttributeType> AttributeType for BTreeMap<String, T> {
    fn shape() -> Shape {
        T::shape().collection(Nesting::Map)
    }

    fn decode(value: &Value, at: &Path) -> Result<Self, DecodeError> {
        match present(value, at)? {
            Value::Map(all) | Value::Object(all) => {
                let values = decode_all(all.iter().map(|(k, v)| (v, at.key(k))))?;
                Ok(all.keys().cloned().zip(values).collect())
            }
            other => Err(mismatch("a map", other, at)),
        }
    }

    fn encode(&self) -> Value {
        Value::Map(self.iter().map(|(k, v)| (k.clone(), v.encode())).collect())
    }
}

/// Makes types with `FromStr` and `Display` attributes of type string.
///
/// `Display` of what was parsed must give the text back, or a text that the type's author accepts as the same: what
/// users wrote stays in the plan as long as the resource does not change the attribute.
///
/// ```
/// # use framework::text_attribute;
/// #[derive(Debug, Clone, PartialEq)]
/// pub struct Port(u16);
/// impl std::str::FromStr for Port {
///     type Err = std::num::ParseIntError;
///     fn from_str(text: &str) -> Result<Self, Self::Err> { text.parse().map(Self) }
/// }
/// impl std::fmt::Display for Port {
///     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { self.0.fmt(f) }
/// }
/// text_attribute!(Port, "a port number, for example `443`");
/// ```
#[macro_export]
macro_rules! text_attribute {
    ($ty:ty, $expected:literal) => {
        $crate::text_attribute!($ty, $expected, |text: &str| text.parse::<$ty>());
    };
    ($ty:ty, $expected:literal, $parse:expr) => {
        impl $crate::AttributeType for $ty {
            fn shape() -> $crate::schema::Shape {
                $crate::schema::Shape::Plain($crate::Type::String)
            }

            fn decode(value: &$crate::Value, at: &$crate::Path) -> Result<Self, $crate::DecodeError> {
                let text = <String as $crate::AttributeType>::decode(value, at)?;
                $parse(&text).map_err(|error| {
                    $crate::DecodeError::invalid(
                        at,
                        format!("Expected {}, got `{text}`: {error}.", $expected),
                    )
                })
            }

            fn encode(&self) -> $crate::Value {
                $crate::Value::string(self.to_string())
            }
        }
    };
}

text_attribute!(
    Ipv4Net,
    "an IPv4 network in CIDR notation, for example `10.20.0.0/16`",
    network
);
text_attribute!(
    IpNet,
    "an IP network in CIDR notation, for example `10.20.0.0/16`",
    network
);
text_attribute!(std::net::Ipv4Addr, "an IPv4 address, for example `10.20.0.1`");
text_attribute!(std::net::IpAddr, "an IP address, for example `10.20.0.1`");

/// `ipnet` takes `010.0.0.0/8`, which others read as octal.
fn network<T: FromStr>(text: &str) -> Result<T, String>
where
    T::Err: std::fmt::Display,
{
    let address = text.split_once('/').map_or(text, |(address, _)| address);
    address
        .parse::<std::net::IpAddr>()
        .map_err(|error| error.to_string())?;
    text.parse().map_err(|error: T::Err| error.to_string())
}
