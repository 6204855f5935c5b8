//! Schemas as core sees them: read from the wire by [`load`](crate::load), never from the framework's own.

use std::collections::BTreeMap;

use framework::{Path, Type, Value};

/// All that a provider offers.
#[derive(Debug, Clone, Default)]
pub struct ProviderSchema {
    /// The provider block.
    pub provider: Schema,
    /// Managed resources by type.
    pub resources: BTreeMap<String, ResourceSchema>,
    /// Data sources by type.
    pub data_sources: BTreeMap<String, Schema>,
    /// Ephemeral resources by type.
    pub ephemeral_resources: BTreeMap<String, Schema>,
    /// List resources by type.
    pub list_resources: BTreeMap<String, Schema>,
    /// Actions by type.
    pub actions: BTreeMap<String, Schema>,
    /// Functions by name.
    pub functions: BTreeMap<String, Function>,
    /// Destroys are planned, too.
    pub plan_destroy: bool,
    /// States of other resources can be taken over.
    pub move_state: bool,
}

/// A schema: the version of the state's form, and the top block.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    /// Version of the state's form.
    pub version: i64,
    /// Attributes and blocks.
    pub block: Block,
}

/// A managed resource.
#[derive(Debug, Clone, Default)]
pub struct ResourceSchema {
    /// Its state and configuration.
    pub schema: Schema,
    /// Its identity, where it has one.
    pub identity: Option<Identity>,
}

/// What identifies a resource.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Version of its form.
    pub version: i64,
    /// Always an object.
    pub ty: Type,
}

/// Attributes and nested blocks.
#[derive(Debug, Clone, Default)]
pub struct Block {
    /// By name.
    pub attributes: BTreeMap<String, Attribute>,
    /// By name.
    pub blocks: BTreeMap<String, NestedBlock>,
}

/// An attribute.
#[derive(Debug, Clone)]
pub struct Attribute {
    /// Type, or attributes within.
    pub shape: Shape,
    /// Must be configured.
    pub required: bool,
    /// May be configured.
    pub optional: bool,
    /// May be chosen by the provider.
    pub computed: bool,
    /// Never in plan or state.
    pub write_only: bool,
}

/// What an attribute holds.
#[derive(Debug, Clone)]
pub enum Shape {
    /// A plain value.
    Plain(Type),
    /// Objects whose attributes have schemas of their own.
    Nested(Nesting, BTreeMap<String, Attribute>),
}

/// A nested block.
#[derive(Debug, Clone)]
pub struct NestedBlock {
    /// How many there may be.
    pub nesting: Nesting,
    /// What is in it.
    pub block: Block,
    /// Least number; 0 for any.
    pub min: i64,
    /// Greatest number; 0 for any.
    pub max: i64,
    /// The provider may add it.
    pub computed: bool,
}

/// How nested attributes or blocks are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nesting {
    /// One object, or null.
    Single,
    /// One object, always.
    Group,
    /// A list of objects.
    List,
    /// A set of objects.
    Set,
    /// A map of objects.
    Map,
}

impl Nesting {
    /// The type of a collection of these objects.
    pub fn of(self, object: Type) -> Type {
        match self {
            Self::Single | Self::Group => object,
            Self::List => Type::list(object),
            Self::Set => Type::set(object),
            Self::Map => Type::map(object),
        }
    }
}

/// A function.
#[derive(Debug, Clone)]
pub struct Function {
    /// In order.
    pub parameters: Vec<Parameter>,
    /// What takes all further arguments.
    pub variadic: Option<Parameter>,
    /// Type of the result.
    pub returns: Type,
}

/// A parameter.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// Name.
    pub name: String,
    /// Type.
    pub ty: Type,
    /// It takes null.
    pub null: bool,
    /// It takes unknown values.
    pub unknown: bool,
}

fn object(attributes: &BTreeMap<String, Attribute>) -> BTreeMap<String, Type> {
    attributes
        .iter()
        .map(|(name, a)| (name.clone(), a.ty()))
        .collect()
}

impl Attribute {
    /// The type of its values.
    pub fn ty(&self) -> Type {
        match &self.shape {
            Shape::Plain(ty) => ty.clone(),
            Shape::Nested(nesting, attributes) => nesting.of(Type::Object(object(attributes))),
        }
    }

    /// The provider alone sets it.
    pub fn only_computed(&self) -> bool {
        self.computed && !self.optional
    }
}

impl NestedBlock {
    /// The type of its value.
    pub fn ty(&self) -> Type {
        self.nesting.of(self.block.ty())
    }

    /// What stands for "no such block": null for a single one, else empty.
    pub fn absent(&self) -> Value {
        match self.nesting {
            Nesting::Single => Value::Null,
            Nesting::Group => self.block.absent(),
            Nesting::List => Value::list([]),
            Nesting::Set => Value::set(vec![]),
            Nesting::Map => Value::map::<String>([]),
        }
    }
}

impl Block {
    /// The object type of its values.
    pub fn ty(&self) -> Type {
        let mut all = object(&self.attributes);
        all.extend(self.blocks.iter().map(|(name, b)| (name.clone(), b.ty())));
        Type::Object(all)
    }

    /// The value of a block in which nothing is written.
    pub fn absent(&self) -> Value {
        let attributes = self.attributes.keys().map(|name| (name.clone(), Value::Null));
        let blocks = self.blocks.iter().map(|(name, b)| (name.clone(), b.absent()));
        Value::Object(attributes.chain(blocks).collect())
    }

    /// The paths of write-only attributes that are not null in the value, with their values.
    pub fn write_only_values(&self, value: &Value) -> Vec<(Path, Value)> {
        let mut out = Vec::new();
        write_only_block(self, value, &Path::root(), &mut out);
        out
    }
}

fn write_only_block(block: &Block, value: &Value, at: &Path, out: &mut Vec<(Path, Value)>) {
    write_only_attributes(&block.attributes, value, at, out);
    for (name, nested) in &block.blocks {
        each(
            nested.nesting,
            value.get(name),
            &at.attribute(name),
            &mut |value, at| {
                write_only_block(&nested.block, value, at, out);
            },
        );
    }
}

fn write_only_attributes(
    attributes: &BTreeMap<String, Attribute>,
    value: &Value,
    at: &Path,
    out: &mut Vec<(Path, Value)>,
) {
    for (name, attribute) in attributes {
        let (value, at) = (value.get(name), at.attribute(name));
        if attribute.write_only && !value.is_null() {
            out.push((at, value.clone()));
        } else if let Shape::Nested(nesting, inner) = &attribute.shape {
            each(*nesting, value, &at, &mut |value, at| {
                write_only_attributes(inner, value, at, out)
            });
        }
    }
}

/// The objects of a nested attribute or block, each with its path.
pub(crate) fn each(nesting: Nesting, value: &Value, at: &Path, visit: &mut impl FnMut(&Value, &Path)) {
    match (nesting, value) {
        (Nesting::Single | Nesting::Group, Value::Object(_)) => visit(value, at),
        (_, Value::List(all)) => all.iter().enumerate().for_each(|(i, v)| visit(v, &at.index(i))),
        (_, Value::Set(all)) => all.iter().for_each(|v| visit(v, &at.element())),
        (_, Value::Map(all)) => all.iter().for_each(|(k, v)| visit(v, &at.key(k))),
        _ => {}
    }
}
