//! The proposed new state: what core computes from prior state and configuration before it asks for a plan.

use std::collections::BTreeMap;

use framework::Value;

use crate::schema::{Attribute, Block, NestedBlock, Nesting, Shape};

type Attributes = BTreeMap<String, Attribute>;

/// Configuration, and for what is computed and not configured the prior value. Unknown stays unknown; nothing is made
/// unknown: that is the provider's work.
pub(crate) fn proposed(block: &Block, prior: &Value, config: &Value) -> Value {
    if config.is_null() || config.is_unknown() {
        return prior.clone();
    }
    // Nothing before is a block in which nothing was written.
    let empty;
    let prior = if prior.is_null() {
        empty = block.absent();
        &empty
    } else {
        prior
    };
    let mut object = attributes(&block.attributes, prior, config);
    for (name, nested) in &block.blocks {
        object.insert(
            name.clone(),
            nested_block(nested, part(prior, name), part(config, name)),
        );
    }
    Value::Object(object.into())
}

/// An attribute of a value that may be null or unknown as a whole.
pub(crate) fn part<'a>(value: &'a Value, name: &str) -> &'a Value {
    const UNKNOWN: &Value = &Value::UNKNOWN;
    if value.is_unknown() {
        UNKNOWN
    } else {
        value.get(name)
    }
}

fn attributes(schema: &Attributes, prior: &Value, config: &Value) -> BTreeMap<String, Value> {
    let one = |(name, a): (&String, &Attribute)| {
        (name.clone(), attribute(a, part(prior, name), part(config, name)))
    };
    schema.iter().map(one).collect()
}

fn attribute(a: &Attribute, prior: &Value, config: &Value) -> Value {
    match &a.shape {
        _ if a.computed && config.is_null() => match &a.shape {
            // Something in it can only have come from a configuration, which is gone.
            Shape::Nested(nesting, inner) if a.optional && was_configured(*nesting, inner, prior) => {
                Value::Null
            }
            _ => prior.clone(),
        },
        Shape::Nested(nesting, inner) => collection(
            *nesting,
            prior,
            config,
            &|p, c| valid_prior(inner, None, p, c),
            &|p, c| {
                if c.is_null() {
                    Value::Null
                } else {
                    Value::Object(attributes(inner, p, c).into())
                }
            },
        ),
        Shape::Plain(_) => config.clone(),
    }
}

fn nested_block(nested: &NestedBlock, prior: &Value, config: &Value) -> Value {
    if nested.nesting == Nesting::Group && !config.is_unknown() {
        return proposed(&nested.block, prior, config);
    }
    let block = &nested.block;
    let valid = |p: &Value, c: &Value| valid_prior(&block.attributes, Some(block), p, c);
    collection(nested.nesting, prior, config, &valid, &|p, c| {
        proposed(block, p, c)
    })
}

/// Lists by index, maps by key, sets by the first unused prior element that the configured one may have become.
fn collection(
    nesting: Nesting,
    prior: &Value,
    config: &Value,
    valid: &dyn Fn(&Value, &Value) -> bool,
    one: &dyn Fn(&Value, &Value) -> Value,
) -> Value {
    match (nesting, config) {
        (Nesting::Single | Nesting::Group, Value::Object(_)) => one(prior, config),
        (Nesting::List, Value::List(all)) => {
            let element =
                |(i, c): (usize, &Value)| prior.elements().get(i).map_or_else(|| c.clone(), |p| one(p, c));
            Value::List(all.iter().enumerate().map(element).collect())
        }
        (Nesting::Map, Value::Map(all)) => Value::Map(
            all.iter()
                .map(|(key, c)| (key.clone(), one(prior.get(key), c)))
                .collect(),
        ),
        (Nesting::Set, Value::Set(all)) => {
            let mut unused: Vec<&Value> = prior.elements().iter().collect();
            let element = |c: &Value| match unused.iter().position(|p| valid(p, c)) {
                Some(i) => one(unused.remove(i), c),
                None => one(&Value::Null, c),
            };
            Value::set(all.iter().map(element).collect())
        }
        (_, other) => other.clone(),
    }
}

/// Whether anything that is not computed has a value.
fn was_configured(nesting: Nesting, schema: &Attributes, prior: &Value) -> bool {
    let mut found = false;
    crate::schema::each(nesting, prior, &framework::Path::root(), &mut |object, _| {
        found |= schema.iter().any(|(name, a)| {
            let value = part(object, name);
            !value.is_null()
                && (!a.computed
                    || matches!(&a.shape, Shape::Nested(nesting, inner) if was_configured(*nesting, inner, value)))
        });
    });
    found
}

fn same(a: &Value, b: &Value) -> bool {
    a == b || a.clone().without_refinements() == b.clone().without_refinements()
}

/// Whether the prior element can have come from the configured one: only computed values were added.
fn valid_prior(schema: &Attributes, block: Option<&Block>, prior: &Value, config: &Value) -> bool {
    if same(prior, config) {
        return true;
    }
    if config.is_null() {
        return false;
    }
    let attribute = |(name, a): (&String, &Attribute)| {
        let (p, c) = (part(prior, name), part(config, name));
        same(p, c)
            || match &a.shape {
                Shape::Nested(Nesting::Set, _) | Shape::Plain(framework::Type::Set(_)) => false,
                Shape::Nested(nesting, inner) => {
                    within(*nesting, p, c, &|p, c| valid_prior(inner, None, p, c))
                }
                Shape::Plain(_) => a.computed && c.is_null(),
            }
    };
    let nested = |(name, nested): (&String, &NestedBlock)| {
        let (p, c) = (part(prior, name), part(config, name));
        let inner = &nested.block;
        same(p, c)
            || nested.nesting != Nesting::Set
                && within(nested.nesting, p, c, &|p, c| {
                    valid_prior(&inner.attributes, Some(inner), p, c)
                })
    };
    schema.iter().all(attribute) && block.is_none_or(|block| block.blocks.iter().all(nested))
}

/// Every prior object has its configured one.
fn within(nesting: Nesting, prior: &Value, config: &Value, one: &dyn Fn(&Value, &Value) -> bool) -> bool {
    match (nesting, prior) {
        (Nesting::Single | Nesting::Group, Value::Object(_)) => one(prior, config),
        (_, Value::List(all)) => all
            .iter()
            .enumerate()
            .all(|(i, p)| config.elements().get(i).is_some_and(|c| one(p, c))),
        (_, Value::Map(all)) => all
            .iter()
            .all(|(key, p)| matches!(config, Value::Map(c) if c.get(key).is_some_and(|c| one(p, c)))),
        _ => true,
    }
}
