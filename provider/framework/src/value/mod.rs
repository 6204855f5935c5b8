//! Values as Terraform knows them: null, unknown, or known and of a type.

mod json;
mod msgpack;
mod number;
mod shared;
mod types;

use std::collections::BTreeMap;
use std::sync::Arc;

use unicode_normalization::UnicodeNormalization;

pub use number::{NotANumber, Number};
pub use shared::Shared;
pub use types::{NotAType, Type};

use crate::path::{Here, Path};

/// A value. Its type is known from where it stands; only [`Value::Dynamic`] brings its own.
///
/// Equality is Terraform's: sets have no order, numbers are numbers and not texts, text is compared in NFC.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// Not given.
    Null,
    /// Not known before apply, perhaps with what is known about it.
    Unknown(Option<Box<Refinements>>),
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// Text; made by [`Value::string`], which normalises. Shared, as states may hold much of it and are cloned often.
    String(Arc<str>),
    /// Elements in order.
    List(Shared<Vec<Self>>),
    /// Distinct elements; made by [`Value::set`], which puts them in canonical order.
    Set(Shared<Vec<Self>>),
    /// Elements by name.
    Map(Shared<BTreeMap<String, Self>>),
    /// Attributes.
    Object(Shared<BTreeMap<String, Self>>),
    /// Elements, each of its own type.
    Tuple(Shared<Vec<Self>>),
    /// A value in a place of type `dynamic`, with its type.
    Dynamic(Box<(Type, Self)>),
}

/// What is known about an unknown value.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Refinements {
    /// It will not be null.
    pub not_null: bool,
    /// It will begin with this text.
    pub prefix: Option<String>,
    /// Lower bound of a number, and whether the bound itself is allowed.
    pub lower: Option<(Number, bool)>,
    /// Upper bound of a number, and whether the bound itself is allowed.
    pub upper: Option<(Number, bool)>,
    /// Least number of elements.
    pub min_length: Option<u64>,
    /// Greatest number of elements.
    pub max_length: Option<u64>,
}

/// A value that cannot be read or written as its type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {reason}", path = if path.is_root() { "value".to_owned() } else { path.to_string() })]
pub struct WireError {
    /// Where in the value.
    pub path: Path,
    /// What is wrong.
    pub reason: String,
}

impl WireError {
    pub(crate) fn new(path: &Here<'_>, reason: impl Into<String>) -> Self {
        Self {
            path: path.to_path(),
            reason: reason.into(),
        }
    }
}

/// Deepest nesting of a value that is read: far above what people write, far below the stack.
pub(crate) const MAX_DEPTH: usize = 100;

fn is_nfc(text: &str) -> bool {
    text.is_ascii() || unicode_normalization::is_nfc(text)
}

/// Text in Unicode's normal form C, as Terraform's core compares it.
pub fn nfc(text: &str) -> String {
    if is_nfc(text) {
        text.to_owned()
    } else {
        text.nfc().collect()
    }
}

impl Value {
    /// An unknown value about which nothing is known.
    pub const UNKNOWN: Self = Self::Unknown(None);

    /// Text, normalised.
    pub fn string(text: impl AsRef<str>) -> Self {
        let text = text.as_ref();
        Self::String(if is_nfc(text) {
            text.into()
        } else {
            nfc(text).into()
        })
    }

    /// A set: duplicates go, unknown elements stay (two unknowns may turn out different).
    pub fn set(mut elements: Vec<Self>) -> Self {
        elements.sort();
        elements.dedup_by(|a, b| a == b && a.is_wholly_known());
        Self::Set(elements.into())
    }

    /// A list of these elements.
    pub fn list(elements: impl IntoIterator<Item = Self>) -> Self {
        Self::List(elements.into_iter().collect())
    }

    /// A tuple of these elements.
    pub fn tuple(elements: impl IntoIterator<Item = Self>) -> Self {
        Self::Tuple(elements.into_iter().collect())
    }

    /// An object of these attributes.
    pub fn object<N: Into<String>>(attributes: impl IntoIterator<Item = (N, Self)>) -> Self {
        Self::Object(
            attributes
                .into_iter()
                .map(|(name, value)| (name.into(), value))
                .collect(),
        )
    }

    /// A map of these elements.
    pub fn map<N: Into<String>>(elements: impl IntoIterator<Item = (N, Self)>) -> Self {
        Self::Map(
            elements
                .into_iter()
                .map(|(name, value)| (name.into(), value))
                .collect(),
        )
    }

    /// Whether it is null; a typed null in a dynamic place counts.
    pub fn is_null(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Dynamic(inner) => inner.1.is_null(),
            _ => false,
        }
    }

    /// Whether the value itself (not a part of it) is unknown.
    pub fn is_unknown(&self) -> bool {
        match self {
            Self::Unknown(_) => true,
            Self::Dynamic(inner) => inner.1.is_unknown(),
            _ => false,
        }
    }

    /// Whether nothing in it is unknown.
    pub fn is_wholly_known(&self) -> bool {
        !self.any(&mut Self::is_unknown)
    }

    /// Whether the value or anything in it satisfies the question.
    pub fn any(&self, question: &mut impl FnMut(&Self) -> bool) -> bool {
        question(self)
            || match self {
                Self::List(all) | Self::Set(all) | Self::Tuple(all) => all.iter().any(|v| v.any(question)),
                Self::Map(all) | Self::Object(all) => all.values().any(|v| v.any(question)),
                Self::Dynamic(inner) => inner.1.any(question),
                _ => false,
            }
    }

    /// The same with every leaf (null, unknown, primitive) replaced by what the function gives.
    #[must_use]
    pub fn map_leaves(self, change: &mut impl FnMut(Self) -> Self) -> Self {
        match self {
            Self::List(all) => Self::List(all.into_iter().map(|v| v.map_leaves(change)).collect()),
            Self::Set(all) => Self::set(all.into_iter().map(|v| v.map_leaves(change)).collect()),
            Self::Tuple(all) => Self::Tuple(all.into_iter().map(|v| v.map_leaves(change)).collect()),
            Self::Map(all) => Self::Map(all.into_iter().map(|(n, v)| (n, v.map_leaves(change))).collect()),
            Self::Object(all) => {
                Self::Object(all.into_iter().map(|(n, v)| (n, v.map_leaves(change))).collect())
            }
            Self::Dynamic(inner) => {
                let (ty, value) = *inner;
                Self::Dynamic(Box::new((ty, value.map_leaves(change))))
            }
            leaf => change(leaf),
        }
    }

    /// The same without what is known about its unknown parts.
    #[must_use]
    pub fn without_refinements(self) -> Self {
        if self.is_wholly_known() {
            return self;
        }
        self.map_leaves(&mut |leaf| if leaf.is_unknown() { Self::UNKNOWN } else { leaf })
    }

    /// The same with null for every unknown part.
    #[must_use]
    pub fn unknown_as_null(self) -> Self {
        if self.is_wholly_known() {
            return self;
        }
        self.map_leaves(&mut |leaf| if leaf.is_unknown() { Self::Null } else { leaf })
    }

    /// The attribute of an object, null where there is none or the value is no object.
    pub fn get(&self, name: &str) -> &Self {
        match self {
            Self::Object(all) | Self::Map(all) => all.get(name).unwrap_or(&Self::Null),
            _ => &Self::Null,
        }
    }

    /// What a list, set or tuple holds; empty for everything else.
    pub fn elements(&self) -> &[Self] {
        match self {
            Self::List(all) | Self::Set(all) | Self::Tuple(all) => all,
            _ => &[],
        }
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            Self::Dynamic(inner) => inner.1.as_str(),
            _ => None,
        }
    }

    /// The type that a value in a dynamic place is taken to have. Collections take the type of their first element.
    pub fn infer_type(&self) -> Type {
        match self {
            Self::Null | Self::Unknown(_) => Type::Dynamic,
            Self::Bool(_) => Type::Bool,
            Self::Number(_) => Type::Number,
            Self::String(_) => Type::String,
            Self::List(all) => Type::list(all.first().map_or(Type::Dynamic, Self::infer_type)),
            Self::Set(all) => Type::set(all.first().map_or(Type::Dynamic, Self::infer_type)),
            Self::Map(all) => Type::map(all.values().next().map_or(Type::Dynamic, Self::infer_type)),
            Self::Object(all) => Type::Object(all.iter().map(|(n, v)| (n.clone(), v.infer_type())).collect()),
            Self::Tuple(all) => Type::Tuple(all.iter().map(Self::infer_type).collect()),
            Self::Dynamic(inner) => inner.0.clone(),
        }
    }

    /// A value for a place of type `dynamic`, with its inferred type.
    #[must_use]
    pub fn into_dynamic(self) -> Self {
        match self {
            Self::Null | Self::Unknown(_) | Self::Dynamic(_) => self,
            other => Self::Dynamic(Box::new((other.infer_type(), other))),
        }
    }

    /// What is wrong with the value as one of the type; nothing where it conforms.
    pub fn conformance(&self, ty: &Type) -> Vec<WireError> {
        let mut out = Vec::new();
        self.conform(ty, &Here::Root, &mut out);
        out
    }

    fn conform(&self, ty: &Type, at: &Here<'_>, out: &mut Vec<WireError>) {
        match (self, ty) {
            (Self::Null | Self::Unknown(_), _)
            | (Self::Bool(_), Type::Bool)
            | (Self::Number(_), Type::Number)
            | (Self::String(_), Type::String) => {}
            (Self::Dynamic(inner), Type::Dynamic) => inner.1.conform(&inner.0, at, out),
            (Self::List(all), Type::List(of)) => {
                all.iter()
                    .enumerate()
                    .for_each(|(i, v)| v.conform(of, &at.index(i), out));
            }
            (Self::Set(all), Type::Set(of)) => all.iter().for_each(|v| v.conform(of, &at.element(), out)),
            (Self::Map(all), Type::Map(of)) => all.iter().for_each(|(n, v)| v.conform(of, &at.key(n), out)),
            (Self::Tuple(all), Type::Tuple(of)) if all.len() == of.len() => {
                all.iter()
                    .zip(of)
                    .enumerate()
                    .for_each(|(i, (v, t))| v.conform(t, &at.index(i), out));
            }
            (Self::Object(all), Type::Object(of)) => {
                for (name, ty) in of {
                    match all.get(name) {
                        Some(value) => value.conform(ty, &at.attribute(name), out),
                        None => out.push(WireError::new(&at.attribute(name), "missing")),
                    }
                }
                let foreign = all.keys().filter(|name| !of.contains_key(*name));
                out.extend(foreign.map(|name| WireError::new(&at.attribute(name), "not in the schema")));
            }
            _ => out.push(WireError::new(at, format!("{ty} expected, got {}", self.kind()))),
        }
    }

    /// A word for what the value is.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Unknown(_) => "an unknown value",
            Self::Bool(_) => "a bool",
            Self::Number(_) => "a number",
            Self::String(_) => "a string",
            Self::List(_) => "a list",
            Self::Set(_) => "a set",
            Self::Map(_) => "a map",
            Self::Object(_) => "an object",
            Self::Tuple(_) => "a tuple",
            Self::Dynamic(_) => "a dynamic value",
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Number(value.into())
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::string(value)
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::string(value)
    }
}

impl From<Number> for Value {
    fn from(value: Number) -> Self {
        Self::Number(value)
    }
}

#[cfg(test)]
pub(crate) mod tests;
