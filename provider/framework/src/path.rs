//! Where in a value: the path of an attribute.

use std::fmt;

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// An attribute or a block of an object.
    Attribute(String),
    /// An element of a map.
    Key(String),
    /// An element of a list or tuple.
    Index(usize),
    /// Some element of a set. The protocol cannot name it: a path sent to Terraform ends before it.
    Element,
}

/// The path of an attribute: `zones[0].cidr`, `tags["a"]`. Empty for the whole.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(pub Vec<Step>);

impl Path {
    /// The whole.
    pub fn root() -> Self {
        Self::default()
    }

    /// Whether it is the whole.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    fn with(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    /// The path of an attribute in it.
    #[must_use]
    pub fn attribute(&self, name: impl Into<String>) -> Self {
        self.with(Step::Attribute(name.into()))
    }

    /// The path of a map's element in it.
    #[must_use]
    pub fn key(&self, key: impl Into<String>) -> Self {
        self.with(Step::Key(key.into()))
    }

    /// The path of a list's element in it.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.with(Step::Index(index))
    }

    /// The path of some element of a set in it.
    #[must_use]
    pub fn element(&self) -> Self {
        self.with(Step::Element)
    }

    /// The path without its last step.
    #[must_use]
    pub fn parent(&self) -> Self {
        Self(
            self.0
                .split_last()
                .map_or_else(Vec::new, |(_, rest)| rest.to_vec()),
        )
    }

    /// Whether it is the other or lies within it.
    pub fn starts_with(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0)
    }

    /// The part that Terraform can be told: up to the first set.
    #[must_use]
    pub fn addressable(&self) -> Self {
        Self(
            self.0
                .iter()
                .take_while(|step| **step != Step::Element)
                .cloned()
                .collect(),
        )
    }
}

/// A path while a value is walked: on the stack, so that it costs nothing until something is wrong there.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Here<'a> {
    /// The whole.
    Root,
    /// An attribute.
    Attribute(&'a Self, &'a str),
    /// An element of a map.
    Key(&'a Self, &'a str),
    /// An element of a list or tuple.
    Index(&'a Self, usize),
    /// Some element of a set.
    Element(&'a Self),
    /// Something in what lies at a path.
    At(&'a Path),
}

impl<'a> Here<'a> {
    pub fn attribute(&'a self, name: &'a str) -> Self {
        Here::Attribute(self, name)
    }

    pub fn key(&'a self, key: &'a str) -> Self {
        Here::Key(self, key)
    }

    pub fn index(&'a self, index: usize) -> Self {
        Here::Index(self, index)
    }

    pub fn element(&'a self) -> Self {
        Here::Element(self)
    }

    pub fn to_path(self) -> Path {
        match self {
            Here::Root => Path::root(),
            Here::Attribute(parent, name) => parent.to_path().attribute(name),
            Here::Key(parent, key) => parent.to_path().key(key),
            Here::Index(parent, index) => parent.to_path().index(index),
            Here::Element(parent) => parent.to_path().element(),
            Here::At(path) => path.clone(),
        }
    }
}

impl From<&str> for Path {
    /// Attribute names joined by dots: `"flow_logs.destination"`.
    fn from(names: &str) -> Self {
        Self(
            names
                .split('.')
                .filter(|n| !n.is_empty())
                .map(|n| Step::Attribute(n.to_owned()))
                .collect(),
        )
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, step) in self.0.iter().enumerate() {
            match step {
                Step::Attribute(name) if i == 0 => write!(f, "{name}")?,
                Step::Attribute(name) => write!(f, ".{name}")?,
                Step::Key(key) => write!(f, "[{key:?}]")?,
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Element => write!(f, "[…]")?,
            }
        }
        Ok(())
    }
}
