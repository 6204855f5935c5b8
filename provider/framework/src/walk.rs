//! Walks over values along their schema.

use crate::schema::{Attribute, Block, Nesting, Shape};
use crate::value::Value;

/// Changes every attribute of a value that has a schema of its own, beside what the configuration has in its place.
///
/// The function gets the attribute, its value in the configuration, and its value; where it gives `Some`, that is the
/// new value and the walk does not go into it. Elements of sets have the configuration's element that they were made of.
pub(crate) fn change(
    block: &Block,
    config: &Value,
    value: Value,
    visit: &mut impl FnMut(&Attribute, &Value, &Value) -> Option<Value>,
) -> Value {
    let Value::Object(mut object) = value else {
        return value;
    };
    for attribute in &block.attributes {
        let Some(old) = object.remove(&attribute.name) else {
            continue;
        };
        let config = config.get(&attribute.name);
        let new = match visit(attribute, config, &old) {
            Some(new) => new,
            None => match &attribute.shape {
                Shape::Plain(_) => old,
                Shape::Nested(nesting, inner) => change_nested(*nesting, inner, config, old, visit),
            },
        };
        object.insert(attribute.name.clone(), new);
    }
    for nested in &block.blocks {
        if let Some(old) = object.remove(&nested.name) {
            let new = change_nested(
                nested.nesting,
                &nested.block,
                config.get(&nested.name),
                old,
                visit,
            );
            object.insert(nested.name.clone(), new);
        }
    }
    Value::Object(object)
}

fn change_nested(
    nesting: Nesting,
    block: &Block,
    config: &Value,
    value: Value,
    visit: &mut impl FnMut(&Attribute, &Value, &Value) -> Option<Value>,
) -> Value {
    match (nesting, value) {
        (Nesting::Single, value @ Value::Object(_)) => change(block, config, value, visit),
        (Nesting::Set, Value::Set(all)) => match config {
            Value::Set(wanted) => Value::set(
                pairs(block, wanted, &all)
                    .into_iter()
                    .map(|(config, value)| change(block, config, value, visit))
                    .collect(),
            ),
            _ => Value::Set(all),
        },
        (_, Value::List(all)) => {
            let null = Value::Null;
            let one = |(i, value)| change(block, config.elements().get(i).unwrap_or(&null), value, visit);
            Value::List(all.into_iter().enumerate().map(one).collect())
        }
        (_, Value::Map(all)) => {
            let one = |(key, value): (String, Value)| {
                let new = change(block, config.get(&key), value, visit);
                (key, new)
            };
            Value::Map(all.into_iter().map(one).collect())
        }
        (_, other) => other,
    }
}

/// The elements of a planned set beside the configuration's elements that they were made of. Elements have no place to be
/// told by, and two may differ only in what one of them leaves open: what gives more chooses first. Core may have taken two
/// for one; what finds no element of its own shares one, so that none is lost.
fn pairs<'a>(block: &Block, wanted: &'a [Value], planned: &[Value]) -> Vec<(&'a Value, Value)> {
    let mut order: Vec<&Value> = wanted.iter().collect();
    order.sort_by_key(|config| std::cmp::Reverse(weight(config)));
    let mut left: Vec<&Value> = planned.iter().collect();
    let mut pair = |config| {
        let own = left
            .iter()
            .position(|value| made_of(block, config, value))
            .map(|i| left.remove(i));
        let value = own.or_else(|| planned.iter().find(|value| made_of(block, config, value)));
        (config, value.unwrap_or(config).clone())
    };
    order.into_iter().map(&mut pair).collect()
}

/// The element of a configuration that a planned element was made of: of several the one that gives most.
pub(crate) fn origin<'a>(block: &Block, config: &'a Value, value: &Value) -> &'a Value {
    let all = config
        .elements()
        .iter()
        .filter(|config| made_of(block, config, value));
    all.max_by_key(|config| weight(config)).unwrap_or(&Value::Null)
}

/// How much a configuration gives.
fn weight(config: &Value) -> usize {
    let mut count = 0;
    config.any(&mut |value| {
        count += usize::from(!value.is_null());
        false
    });
    count
}

/// Whether the element of a planned set can have come from the configuration's element: they agree in everything that
/// the configuration gives.
fn made_of(block: &Block, config: &Value, value: &Value) -> bool {
    if config == value {
        return true;
    }
    let (Value::Object(_), Value::Object(_)) = (config, value) else {
        return false;
    };
    block.attributes.iter().all(|attribute| {
        let (config, value) = (config.get(&attribute.name), value.get(&attribute.name));
        match &attribute.shape {
            _ if config.is_null() && (attribute.computed || attribute.write_only) => true,
            _ if attribute.write_only => true,
            Shape::Nested(nesting, inner) => nested_made_of(*nesting, inner, config, value),
            Shape::Plain(_) => config == value,
        }
    }) && block.blocks.iter().all(|nested| {
        nested_made_of(
            nested.nesting,
            &nested.block,
            config.get(&nested.name),
            value.get(&nested.name),
        )
    })
}

fn nested_made_of(nesting: Nesting, block: &Block, config: &Value, value: &Value) -> bool {
    match (nesting, config, value) {
        (Nesting::Single, config @ Value::Object(_), value) => made_of(block, config, value),
        (Nesting::Set, Value::Set(config), Value::Set(values)) => {
            config.len() == values.len() && config.iter().all(|c| values.iter().any(|v| made_of(block, c, v)))
        }
        (_, Value::List(config), Value::List(values)) => {
            config.len() == values.len() && config.iter().zip(values).all(|(c, v)| made_of(block, c, v))
        }
        (_, Value::Map(config), Value::Map(values)) => {
            config.len() == values.len()
                && config
                    .iter()
                    .all(|(k, c)| values.get(k).is_some_and(|v| made_of(block, c, v)))
        }
        _ => config == value,
    }
}

/// The value with null in place of everything that is never stored.
pub(crate) fn without_write_only(block: &Block, value: Value) -> Value {
    // The elements of sets cannot hold write-only attributes, so that the configuration does not matter.
    change(block, &Value::Null, value, &mut |attribute, _, _| {
        attribute.write_only.then_some(Value::Null)
    })
}

/// The value with the schema's defaults where the configuration gives nothing.
pub(crate) fn with_defaults(block: &Block, config: &Value, value: Value) -> Value {
    change(
        block,
        config,
        value,
        &mut |attribute, config, _| match &attribute.default {
            Some(default) if config.is_null() => Some(default.clone()),
            _ => None,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Attr, Model, Set};

    /// A side.
    #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Model)]
    struct Side {
        /// Colour.
        #[attribute(required)]
        colour: Attr<String>,
        /// Width.
        #[attribute(default = 1)]
        width: Attr<i64>,
        /// Given by the service.
        #[attribute(computed, keep)]
        mark: Attr<String>,
    }

    /// Sides.
    #[derive(Debug, Clone, Model)]
    struct Sides {
        /// Sides.
        #[attribute(optional)]
        sides: Attr<Set<Side>>,
    }

    fn sides(all: &[(Option<i64>, Option<&str>)]) -> Value {
        let side = |(width, mark): &(Option<i64>, Option<&str>)| {
            Value::object([
                ("colour", Value::string("red")),
                ("width", width.map_or(Value::Null, Value::from)),
                ("mark", mark.map_or(Value::Null, Value::string)),
            ])
        };
        Value::object([("sides", Value::set(all.iter().map(side).collect()))])
    }

    #[test]
    fn an_element_keeps_what_is_its_own_beside_one_that_leaves_more_open() {
        let config = sides(&[(Some(2), None), (None, None)]);
        // Core's proposal took marks over from the prior elements.
        let proposed = sides(&[(Some(2), Some("a")), (Some(3), Some("b"))]);
        let planned = with_defaults(&Sides::block(), &config, proposed);
        assert_eq!(planned, sides(&[(Some(2), Some("a")), (Some(1), Some("b"))]));
    }

    #[test]
    fn an_element_that_core_took_for_another_is_not_lost() {
        let config = sides(&[(Some(2), None), (None, None)]);
        let planned = with_defaults(&Sides::block(), &config, sides(&[(Some(2), Some("a"))]));
        assert_eq!(planned, sides(&[(Some(2), Some("a")), (Some(1), Some("a"))]));
    }
}
