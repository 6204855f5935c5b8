//! Types of values and their JSON form, as it stands in schemas and beside dynamic values.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Value as Json, json};

/// The type of a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Type {
    /// `true` or `false`.
    Bool,
    /// A decimal number.
    Number,
    /// Text in NFC.
    String,
    /// Any type; the value brings its own.
    Dynamic,
    /// Elements in order.
    List(Box<Self>),
    /// Distinct elements without order.
    Set(Box<Self>),
    /// Elements by name.
    Map(Box<Self>),
    /// Attributes, each of its own type.
    Object(BTreeMap<String, Self>),
    /// Elements in order, each of its own type.
    Tuple(Vec<Self>),
}

/// The JSON is not that of a type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a type: {0}")]
pub struct NotAType(pub String);

impl Type {
    /// A list of the type.
    pub fn list(of: Self) -> Self {
        Self::List(Box::new(of))
    }

    /// A set of the type.
    pub fn set(of: Self) -> Self {
        Self::Set(Box::new(of))
    }

    /// A map of the type.
    pub fn map(of: Self) -> Self {
        Self::Map(Box::new(of))
    }

    /// An object of these attributes.
    pub fn object<N: Into<String>>(attributes: impl IntoIterator<Item = (N, Self)>) -> Self {
        Self::Object(
            attributes
                .into_iter()
                .map(|(name, ty)| (name.into(), ty))
                .collect(),
        )
    }

    /// The JSON form, for example `["list","string"]`.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Bool => json!("bool"),
            Self::Number => json!("number"),
            Self::String => json!("string"),
            Self::Dynamic => json!("dynamic"),
            Self::List(of) => json!(["list", of.to_json()]),
            Self::Set(of) => json!(["set", of.to_json()]),
            Self::Map(of) => json!(["map", of.to_json()]),
            Self::Object(attributes) => {
                let attributes: serde_json::Map<_, _> =
                    attributes.iter().map(|(n, t)| (n.clone(), t.to_json())).collect();
                json!(["object", attributes])
            }
            Self::Tuple(elements) => json!(["tuple", elements.iter().map(Self::to_json).collect::<Vec<_>>()]),
        }
    }

    /// The JSON form as bytes.
    pub fn to_json_bytes(&self) -> Vec<u8> {
        self.to_json().to_string().into_bytes()
    }

    /// Reads the JSON form. The third element of an object (names of optional attributes) is read over.
    ///
    /// # Errors
    /// Where the JSON is not that of a type.
    pub fn from_json(json: &Json) -> Result<Self, NotAType> {
        let wrong = || NotAType(json.to_string().chars().take(128).collect());
        match json {
            Json::String(name) => match name.as_str() {
                "bool" => Ok(Self::Bool),
                "number" => Ok(Self::Number),
                "string" => Ok(Self::String),
                "dynamic" => Ok(Self::Dynamic),
                _ => Err(wrong()),
            },
            Json::Array(parts) => {
                let (Some(Json::String(kind)), Some(of)) = (parts.first(), parts.get(1)) else {
                    return Err(wrong());
                };
                match (kind.as_str(), of, parts.len()) {
                    ("list", of, 2) => Ok(Self::list(Self::from_json(of)?)),
                    ("set", of, 2) => Ok(Self::set(Self::from_json(of)?)),
                    ("map", of, 2) => Ok(Self::map(Self::from_json(of)?)),
                    ("tuple", Json::Array(of), 2) => Ok(Self::Tuple(
                        of.iter().map(Self::from_json).collect::<Result<_, _>>()?,
                    )),
                    ("object", Json::Object(of), 2 | 3) => Ok(Self::Object(
                        of.iter()
                            .map(|(n, t)| Ok((n.clone(), Self::from_json(t)?)))
                            .collect::<Result<_, NotAType>>()?,
                    )),
                    _ => Err(wrong()),
                }
            }
            _ => Err(wrong()),
        }
    }

    /// Reads the JSON form from bytes.
    ///
    /// # Errors
    /// Where the bytes are not JSON or not that of a type.
    pub fn from_json_bytes(bytes: &[u8]) -> Result<Self, NotAType> {
        let json = serde_json::from_slice(bytes).map_err(|e| NotAType(e.to_string()))?;
        Self::from_json(&json)
    }

    /// Whether the type holds [`Type::Dynamic`] anywhere.
    pub fn has_dynamic(&self) -> bool {
        match self {
            Self::Dynamic => true,
            Self::Bool | Self::Number | Self::String => false,
            Self::List(of) | Self::Set(of) | Self::Map(of) => of.has_dynamic(),
            Self::Object(attributes) => attributes.values().any(Self::has_dynamic),
            Self::Tuple(elements) => elements.iter().any(Self::has_dynamic),
        }
    }
}

impl fmt::Display for Type {
    /// As in Terraform's language: `list(string)`, `object({a=number})`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("bool"),
            Self::Number => f.write_str("number"),
            Self::String => f.write_str("string"),
            Self::Dynamic => f.write_str("any"),
            Self::List(of) => write!(f, "list({of})"),
            Self::Set(of) => write!(f, "set({of})"),
            Self::Map(of) => write!(f, "map({of})"),
            Self::Object(attributes) => {
                let attributes: Vec<_> = attributes.iter().map(|(n, t)| format!("{n}={t}")).collect();
                write!(f, "object({{{}}})", attributes.join(", "))
            }
            Self::Tuple(elements) => {
                let elements: Vec<_> = elements.iter().map(Self::to_string).collect();
                write!(f, "tuple([{}])", elements.join(", "))
            }
        }
    }
}
