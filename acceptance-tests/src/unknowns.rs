//! Every way in which an argument may be unknown, from the schema.

use conformance::schema::{Attribute, Block, Nesting, Shape};
use conformance::{Plan, Value};
use serde_json::Value as Json;

/// Stands for an unknown value in a configuration.
pub use conformance::UNKNOWN;

/// A configuration of which one thing is not known.
#[derive(Debug, Clone)]
pub struct Spot {
    /// What: `logging`, `logging.types`, `logging.types[…]` (an element), `addons[…].version`.
    pub name: String,
    /// The whole configuration.
    pub config: Json,
}

impl Spot {
    /// The top argument.
    #[must_use]
    pub fn argument(&self) -> &str {
        self.name.split(['.', '[']).next().unwrap_or_default()
    }
}

/// `base` with each argument unknown that it sets: as a whole, an element of it, one more element, an attribute in it; and each
/// one that it does not set, as a whole.
#[must_use]
pub fn spots(block: &Block, base: &Json) -> Vec<Spot> {
    let mut found = Vec::new();
    for (name, attribute) in settable(&block.attributes) {
        let mut values = Vec::new();
        of(name, attribute, &base[name], &mut values);
        found.extend(values.into_iter().map(|(spot, value)| {
            let mut config = base.clone();
            config[name] = value;
            Spot { name: spot, config }
        }));
    }
    found
}

fn settable<'a, I>(attributes: I) -> impl Iterator<Item = (&'a String, &'a Attribute)>
where
    I: IntoIterator<Item = (&'a String, &'a Attribute)>,
{
    attributes
        .into_iter()
        .filter(|(_, attribute)| attribute.optional || attribute.required)
}

/// The values of an attribute with something unknown in them, by name.
fn of(name: &str, attribute: &Attribute, value: &Json, found: &mut Vec<(String, Json)>) {
    found.push((name.to_owned(), UNKNOWN.into()));
    let element = format!("{name}[…]");
    match value {
        Json::Array(elements) => {
            let mut one = elements.clone();
            if let Some(last) = one.last_mut() {
                *last = UNKNOWN.into();
                found.push((element, one.into()));
            }
            let more = elements.iter().cloned().chain([UNKNOWN.into()]);
            found.push((format!("{name}[+]"), more.collect()));
        }
        Json::Object(members) => match &attribute.shape {
            Shape::Nested(Nesting::Single | Nesting::Group, inner) => {
                within(name, inner, value, found);
            }
            _ => {
                let first = members.keys().next().cloned().unwrap_or_default();
                let replaced = |key: &str, new: Json| {
                    let mut all = value.clone();
                    all[key] = new;
                    all
                };
                found.push((element.clone(), replaced(&first, UNKNOWN.into())));
                found.push((format!("{name}[+]"), replaced("later", UNKNOWN.into())));
                if let Shape::Nested(_, inner) = &attribute.shape {
                    let mut values = Vec::new();
                    within(&element, inner, &value[&first], &mut values);
                    found.extend(
                        values
                            .into_iter()
                            .map(|(spot, new)| (spot, replaced(&first, new))),
                    );
                }
            }
        },
        _ => {}
    }
}

fn within<'a>(
    name: &str,
    attributes: impl IntoIterator<Item = (&'a String, &'a Attribute)>,
    object: &Json,
    found: &mut Vec<(String, Json)>,
) {
    for (one, attribute) in settable(attributes) {
        let mut values = Vec::new();
        of(&format!("{name}.{one}"), attribute, &object[one], &mut values);
        found.extend(values.into_iter().map(|(spot, new)| {
            let mut object = object.clone();
            object[one] = new;
            (spot, object)
        }));
    }
}

/// What a plan would make unknown, or change, of what the provider computes: `endpoint`, `role_arns[node]`. Whoever refers to it
/// would change with it. What was null or not there before is not named.
#[must_use]
pub fn unsettled(block: &Block, plan: &Plan) -> Vec<String> {
    let (Some(prior), Some(planned)) = (&plan.prior, &plan.planned) else {
        return Vec::new();
    };
    let computed = block
        .attributes
        .iter()
        .filter(|(_, attribute)| attribute.computed);
    let mut found = Vec::new();
    for (name, _) in computed {
        let (before, after) = (prior.get(name), planned.get(name));
        if before == after || before.is_null() {
            continue;
        }
        match (before, after) {
            (Value::Map(before), Value::Map(after)) => {
                let gone = before
                    .iter()
                    .filter(|(key, value)| after.get(*key) != Some(*value));
                found.extend(gone.map(|(key, _)| format!("{name}[{key}]")));
            }
            _ => found.push(name.clone()),
        }
    }
    found
}
