//! Schemas: what a model's attributes and blocks are.

mod check;
mod wire;

use std::collections::BTreeMap;

use crate::attr::AttributeType;
use crate::validate::{Relation, Validator};
use crate::value::{Shared, Type, Value};

pub use check::defects;

/// How nested attributes or blocks are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nesting {
    /// One object.
    Single,
    /// A list of objects.
    List,
    /// A set of objects.
    Set,
    /// A map of objects.
    Map,
}

impl Nesting {
    /// The value of blocks of which there is none: null only where there is at most one.
    pub(crate) fn nothing(self) -> Value {
        match self {
            Self::Single => Value::Null,
            Self::List => Value::List(Shared::default()),
            Self::Set => Value::Set(Shared::default()),
            Self::Map => Value::Map(Shared::default()),
        }
    }
}

/// What an attribute holds.
#[derive(Debug, Clone)]
pub enum Shape {
    /// A value of a plain type.
    Plain(Type),
    /// Objects whose attributes have schemas of their own.
    Nested(Nesting, Box<Block>),
}

impl Shape {
    /// The type of its values.
    pub fn ty(&self) -> Type {
        match self {
            Self::Plain(ty) => ty.clone(),
            Self::Nested(nesting, block) => match nesting {
                Nesting::Single => block.ty(),
                Nesting::List => Type::list(block.ty()),
                Nesting::Set => Type::set(block.ty()),
                Nesting::Map => Type::map(block.ty()),
            },
        }
    }

    /// The shape of a collection of these: a collection of objects has nested attributes.
    pub(crate) fn collection(self, nesting: Nesting) -> Self {
        match (self, nesting) {
            (Self::Nested(Nesting::Single, block), nesting) => Self::Nested(nesting, block),
            (other, Nesting::Set) => Self::Plain(Type::set(other.ty())),
            (other, Nesting::Map) => Self::Plain(Type::map(other.ty())),
            (other, _) => Self::Plain(Type::list(other.ty())),
        }
    }
}

/// A schema: the version of the state's form, and the top block.
#[derive(Debug, Clone)]
pub struct Schema {
    /// Version of the state's form.
    pub version: i64,
    /// Attributes and blocks.
    pub block: Block,
}

/// Attributes and nested blocks.
#[derive(Debug, Clone, Default)]
pub struct Block {
    /// Attributes in declared order.
    pub attributes: Vec<Attribute>,
    /// Nested blocks in declared order.
    pub blocks: Vec<NestedBlock>,
    /// Markdown.
    pub description: String,
    /// Why not to use it any more.
    pub deprecated: Option<String>,
}

/// A nested block.
#[derive(Debug, Clone)]
pub struct NestedBlock {
    /// Name.
    pub name: String,
    /// How many there may be.
    pub nesting: Nesting,
    /// What is in it.
    pub block: Block,
    /// Relations to its siblings.
    pub relations: Vec<Relation>,
    /// Least number of blocks of a list or set.
    pub min: i64,
    /// Greatest number of blocks of a list or set; 0 for any.
    pub max: i64,
    /// The provider alone gives them: top level of resources, computed attributes only. Hosts that do not allow it
    /// (Terraform before 1.16, OpenTofu) get none, so what matters belongs in a nested attribute.
    pub computed: bool,
}

/// An attribute.
#[derive(Debug, Clone)]
pub struct Attribute {
    /// Name.
    pub name: String,
    /// Type or nested attributes.
    pub shape: Shape,
    /// Markdown.
    pub description: String,
    /// Users must give it.
    pub required: bool,
    /// Users may give it.
    pub optional: bool,
    /// The provider may give it.
    pub computed: bool,
    /// Shown as `(sensitive value)`.
    pub sensitive: bool,
    /// Never stored in plan or state.
    pub write_only: bool,
    /// A change replaces the resource.
    pub replace: bool,
    /// Where not configured, an update keeps the prior value instead of "known after apply".
    pub keep: bool,
    /// Why not to use it any more.
    pub deprecated: Option<String>,
    /// Value where none is configured.
    pub default: Option<Value>,
    /// The texts allowed, where the type has only a few.
    pub choices: &'static [&'static str],
    /// Checks of its value.
    pub validators: Vec<Validator>,
    /// Relations to its siblings.
    pub relations: Vec<Relation>,
    /// Identity only: may be left out at import.
    pub optional_for_import: bool,
}

impl Attribute {
    /// An attribute of a Rust type, so far neither required nor optional nor computed.
    pub fn of<T: AttributeType>(name: &str, description: &str) -> Self {
        Self {
            name: name.to_owned(),
            shape: T::shape(),
            description: description.to_owned(),
            required: false,
            optional: false,
            computed: false,
            sensitive: false,
            write_only: false,
            replace: false,
            keep: false,
            deprecated: None,
            default: None,
            choices: T::choices(),
            validators: Vec::new(),
            relations: Vec::new(),
            optional_for_import: false,
        }
    }

    /// Sets the default: a value of the attribute's type, or a list in place of a set.
    pub fn set_default(&mut self, value: Value) {
        self.default = Some(match (value, self.shape.ty()) {
            (Value::List(all), Type::Set(_)) => Value::set(all.into_inner()),
            (value, Type::Dynamic) => value.into_dynamic(),
            (value, _) => value,
        });
    }
}

impl NestedBlock {
    /// A block of a Rust type: a model, or a list, set or map of models.
    pub fn of<T: AttributeType>(name: &str, description: &str) -> Self {
        let (nesting, mut block) = match T::shape() {
            Shape::Nested(nesting, block) => (nesting, *block),
            // Reported by `defects`: a block without nesting has no meaning.
            Shape::Plain(_) => (Nesting::Map, Block::default()),
        };
        if !description.is_empty() {
            block.description = description.to_owned();
        }
        Self {
            name: name.to_owned(),
            nesting,
            block,
            relations: Vec::new(),
            min: 0,
            max: 0,
            computed: false,
        }
    }

    /// The type of the block's value.
    pub fn ty(&self) -> Type {
        Shape::Nested(self.nesting, Box::new(self.block.clone())).ty()
    }
}

impl Block {
    /// The object type of its values.
    pub fn ty(&self) -> Type {
        let attributes = self.attributes.iter().map(|a| (a.name.clone(), a.shape.ty()));
        let blocks = self.blocks.iter().map(|b| (b.name.clone(), b.ty()));
        Type::Object(attributes.chain(blocks).collect::<BTreeMap<_, _>>())
    }

    /// The attribute of that name.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|a| a.name == name)
    }

    /// The block of that name.
    pub fn nested(&self, name: &str) -> Option<&NestedBlock> {
        self.blocks.iter().find(|b| b.name == name)
    }

    /// Adds the attributes and blocks of another.
    pub fn merge(&mut self, other: Self) {
        self.attributes.extend(other.attributes);
        self.blocks.extend(other.blocks);
    }
}
