//! Rules P1 and P3 to P6: what core calls an invalid plan.

use std::collections::BTreeMap;

use framework::{Path, Value};

use crate::propose::part;
use crate::rule::{Found, Rule};
use crate::schema::{Attribute, Block, NestedBlock, Nesting, Shape};

/// The three values that are compared at a place.
#[derive(Clone, Copy)]
struct Three<'a> {
    prior: &'a Value,
    config: &'a Value,
    planned: &'a Value,
}

const NULL: &Value = &Value::Null;

impl<'a> Three<'a> {
    fn part(self, name: &str) -> Three<'a> {
        Three {
            prior: part(self.prior, name),
            config: part(self.config, name),
            planned: part(self.planned, name),
        }
    }

    fn index(self, i: usize, planned: &'a Value) -> Three<'a> {
        let element = |value: &'a Value| match value {
            Value::Unknown(_) => value,
            other => other.elements().get(i).unwrap_or(NULL),
        };
        Three {
            prior: element(self.prior),
            config: element(self.config),
            planned,
        }
    }
}

/// Whether two values are equal but for what is known about their unknown parts.
fn same(a: &Value, b: &Value) -> bool {
    a == b || a.clone().without_refinements() == b.clone().without_refinements()
}

/// Checks a planned state that conforms to the schema.
pub(crate) fn check(block: &Block, prior: &Value, config: &Value, planned: &Value, found: &mut Found) {
    for (path, value) in block.write_only_values(planned) {
        found.values(
            Rule::P3,
            &path,
            "a write-only attribute has a planned value",
            NULL,
            &value,
        );
    }
    objects(
        block,
        Three {
            prior,
            config,
            planned,
        },
        &Path::root(),
        found,
    );
}

fn presence(three: Three<'_>, rule: Rule, at: &Path, found: &mut Found) -> bool {
    let Three { config, planned, .. } = three;
    match (config.is_null(), planned.is_null()) {
        (false, true) => found.values(
            rule,
            at,
            "planned for absence, though configured",
            config,
            planned,
        ),
        (true, false) => found.values(
            rule,
            at,
            "planned for existence, though not configured",
            config,
            planned,
        ),
        (true, true) => {}
        (false, false) => return true,
    }
    false
}

fn objects(block: &Block, three: Three<'_>, at: &Path, found: &mut Found) {
    if !presence(three, Rule::P1, at, found) {
        return;
    }
    attributes(&block.attributes, three, at, found);
    for (name, nested) in &block.blocks {
        blocks(nested, three.part(name), &at.attribute(name), found);
    }
}

fn blocks(nested: &NestedBlock, three: Three<'_>, at: &Path, found: &mut Found) {
    let Three { config, planned, .. } = three;
    let mut wrong = |reason: String| found.values(Rule::P6, at, reason, config, planned);
    if nested.nesting != Nesting::Single && planned.is_null() {
        return wrong("blocks are planned null; none is empty".to_owned());
    }
    if planned == config {
        return;
    }
    if config.is_unknown() {
        return wrong("how many there are is unknown, and must stay so".to_owned());
    }
    if config.is_null() && nested.computed {
        return;
    }
    if planned.is_unknown() {
        return wrong("unknown as a whole; only values within may be".to_owned());
    }
    match (nested.nesting, config, planned) {
        (Nesting::Single | Nesting::Group, ..) => objects(&nested.block, three, at, found),
        (Nesting::Set, _, planned) => {
            if planned.elements().iter().any(Value::is_unknown) {
                wrong("an unknown block; only values within may be".to_owned());
            }
        }
        (_, Value::Map(c), Value::Map(p)) => {
            for key in c.keys().filter(|key| !p.contains_key(*key)) {
                wrong(format!("the block {key:?} is configured and not planned"));
            }
            for (key, value) in p {
                let at = at.key(key);
                if !c.contains_key(key) {
                    found.values(Rule::P6, &at, "a block that is not configured", NULL, value);
                } else if value.is_unknown() {
                    found.values(
                        Rule::P6,
                        &at,
                        "an unknown block; only values within may be",
                        &c[key],
                        value,
                    );
                } else {
                    objects(&nested.block, three.part(key), &at, found);
                }
            }
        }
        (_, config, planned) => {
            let (c, p) = (config.elements(), planned.elements());
            if c.len() != p.len() {
                return wrong(format!(
                    "{} blocks are planned, {} are configured",
                    p.len(),
                    c.len()
                ));
            }
            for (i, value) in p.iter().enumerate() {
                let at = at.index(i);
                if value.is_unknown() {
                    found.values(
                        Rule::P6,
                        &at,
                        "an unknown block; only values within may be",
                        &c[i],
                        value,
                    );
                } else {
                    objects(&nested.block, three.index(i, value), &at, found);
                }
            }
        }
    }
}

fn attributes(all: &BTreeMap<String, Attribute>, three: Three<'_>, at: &Path, found: &mut Found) {
    for (name, a) in all {
        attribute(a, three.part(name), &at.attribute(name), found);
    }
}

fn attribute(a: &Attribute, three: Three<'_>, at: &Path, found: &mut Found) {
    let Three {
        prior,
        config,
        planned,
    } = three;
    let taken_over = same(planned, prior) && !prior.is_null() && !config.is_null();
    // P3 has its own check.
    if same(planned, config) || taken_over || a.write_only {
        return;
    }
    if a.only_computed() || (config.is_null() && a.computed) {
        return;
    }
    if config.is_null() {
        return found.values(
            Rule::P4,
            at,
            "a value for what is neither configured nor computed",
            config,
            planned,
        );
    }
    match &a.shape {
        Shape::Nested(nesting, inner) => nested(*nesting, inner, three, at, found),
        Shape::Plain(_) if prior.is_null() => {
            found.values(Rule::P4, at, "another value than configured", config, planned);
        }
        Shape::Plain(_) => found.values(
            Rule::P4,
            at,
            "neither the configured nor the prior value",
            config,
            planned,
        ),
    }
}

fn nested(
    nesting: Nesting,
    inner: &BTreeMap<String, Attribute>,
    three: Three<'_>,
    at: &Path,
    found: &mut Found,
) {
    let Three { config, planned, .. } = three;
    if !presence(three, Rule::P5, at, found) {
        return;
    }
    if planned.is_unknown() {
        return found.values(
            Rule::P5,
            at,
            "unknown as a whole, though configured",
            config,
            planned,
        );
    }
    let count = |found: &mut Found| {
        found.values(
            Rule::P5,
            at,
            "another number of elements than configured",
            config,
            planned,
        )
    };
    match (nesting, config, planned) {
        (Nesting::Single | Nesting::Group, ..) => attributes(inner, three, at, found),
        (Nesting::Set, _, planned) => {
            let ((least, most), (c_least, c_most)) = (set_length(planned), set_length(config));
            if c_least == c_most && !(least..=most).contains(&c_least) {
                count(found);
            }
        }
        (_, Value::List(c), Value::List(p)) if c.len() == p.len() => {
            for (i, value) in p.iter().enumerate() {
                attributes(inner, three.index(i, value), &at.index(i), found);
            }
        }
        (_, Value::Map(c), Value::Map(p)) if c.len() == p.len() => {
            for (key, value) in p {
                let at = at.key(key);
                if c.contains_key(key) {
                    attributes(inner, three.part(key), &at, found);
                } else {
                    found.values(Rule::P5, &at, "a key that is not configured", NULL, value);
                }
            }
        }
        _ => count(found),
    }
}

/// How many elements a set may turn out to have: unknown ones may become equal to others.
fn set_length(value: &Value) -> (usize, usize) {
    match value {
        Value::Unknown(_) => (0, usize::MAX),
        known if known.is_wholly_known() => (known.elements().len(), known.elements().len()),
        other => (1, other.elements().len()),
    }
}
