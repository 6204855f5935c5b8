//! The configuration that would give a state: for `import` blocks and `terraform query` with `-generate-config-out`.

use std::collections::BTreeMap;

use crate::computed_blocks;
use crate::schema::{Attribute, Block, Nesting, Shape};
use crate::validate::{Relation, is_empty};
use crate::value::Value;

/// What users may set, and is not as it is without being set. Of arguments that exclude each other one is left, and what
/// needs an argument that is not there goes too (a version of a write-only one, which no state has).
pub(crate) fn configuration(block: &Block, state: &Value) -> Value {
    let Value::Object(state) = state else {
        return state.clone();
    };
    let of = |name: &str| state.get(name).unwrap_or(&Value::Null);
    let attributes = block
        .attributes
        .iter()
        .map(|attribute| (attribute.name.clone(), argument(attribute, of(&attribute.name))));
    let blocks = block.blocks.iter().map(|nested| {
        (
            nested.name.clone(),
            inner(nested.nesting, &nested.block, of(&nested.name)),
        )
    });
    let mut config: BTreeMap<String, Value> = attributes.chain(blocks).collect();
    exclude(block, &mut config);
    while let Some(alone) = alone(block, &config) {
        clear(block, &mut config, &alone);
    }
    computed_blocks::without(block, Value::Object(config.into()))
}

fn argument(attribute: &Attribute, state: &Value) -> Value {
    let settable = (attribute.required || attribute.optional) && !attribute.write_only;
    let follows =
        attribute.default.as_ref() == Some(state) || (attribute.computed && attribute.deprecated.is_some());
    match &attribute.shape {
        _ if !settable || follows => Value::Null,
        Shape::Plain(_) => state.clone(),
        Shape::Nested(nesting, block) => inner(*nesting, block, state),
    }
}

fn inner(nesting: Nesting, block: &Block, state: &Value) -> Value {
    let one = |value: &Value| configuration(block, value);
    match (nesting, state) {
        (_, Value::List(all)) => Value::List(all.iter().map(one).collect()),
        (_, Value::Set(all)) => Value::set(all.iter().map(one).collect()),
        (_, Value::Map(all)) => {
            Value::Map(all.iter().map(|(key, value)| (key.clone(), one(value))).collect())
        }
        (_, other) => one(other),
    }
}

fn relations(block: &Block) -> impl Iterator<Item = (&String, &[Relation])> {
    let attributes = block.attributes.iter().map(|a| (&a.name, a.relations.as_slice()));
    attributes.chain(block.blocks.iter().map(|b| (&b.name, b.relations.as_slice())))
}

/// Of arguments that exclude each other the first stays; before all others one that is not computed (a computed one may
/// follow from it) and not deprecated.
fn exclude(block: &Block, config: &mut BTreeMap<String, Value>) {
    let second_rate = |name: &str| {
        let attribute = block.attribute(name);
        attribute.is_some_and(|attribute| attribute.computed || attribute.deprecated.is_some())
    };
    let excluding = relations(block).flat_map(|(name, relations)| {
        relations.iter().filter_map(move |relation| match relation {
            Relation::Conflicts(other) => Some(vec![name, other]),
            Relation::ExactlyOneOf(others) => Some(std::iter::once(name).chain(others).collect()),
            Relation::RequiredWith(_) => None,
        })
    });
    for mut group in excluding {
        group.retain(|name| config.get(*name).is_some_and(|value| !is_empty(value)));
        let first = group
            .iter()
            .position(|name| !second_rate(name))
            .unwrap_or_default();
        let stays = group.get(first).copied();
        for name in group.into_iter().filter(|name| Some(*name) != stays) {
            clear(block, config, name);
        }
    }
}

/// Takes an argument away: a block is empty then, an attribute null.
fn clear(block: &Block, config: &mut BTreeMap<String, Value>, name: &str) {
    let nothing = block.nested(name).map(|nested| nested.nesting.nothing());
    config.insert(name.to_owned(), nothing.unwrap_or(Value::Null));
}

/// An argument that needs another one that is not there.
fn alone(block: &Block, config: &BTreeMap<String, Value>) -> Option<String> {
    let given = |name: &String| config.get(name).is_some_and(|value| !is_empty(value));
    let needs = |relation: &Relation| matches!(relation, Relation::RequiredWith(other) if !given(other));
    let found = relations(block).find(|(name, relations)| given(name) && relations.iter().any(needs));
    found.map(|(name, _)| name.clone())
}
