//! Configurations for any resource schema, as proptest strategies.
//!
//! ```no_run
//! # async fn example(core: conformance::Core) -> Result<(), conformance::Error> {
//! use conformance::generate::{Hints, samples};
//! use serde_json::json;
//!
//! let hints = Hints::new()
//!     .values("cidr", [json!("10.20.0.0/16"), json!("10.21.0.0/20")])
//!     .at_most_one(["availability_zones", "zone_count", "subnets"])
//!     .never("region")
//!     .unknown(10);
//! for config in samples(&hints.configs(&core.schema().resources["ekb_network"].schema.block), 50) {
//!     // Refused with a message, or a plan that keeps every rule.
//!     match core.plan(&conformance::Resource::new("ekb_network"), &config).await {
//!         Err(error @ conformance::Error::Failed { .. }) => drop(error),
//!         other => drop(other?),
//!     }
//! }
//! # Ok(()) }
//! ```

use std::collections::BTreeMap;
use std::rc::Rc;

use framework::{Path, Type, Value};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::Value as Json;

use crate::config::read_value;
use crate::schema::{Attribute, Block, NestedBlock, Nesting, Shape};

/// A strategy that makes values.
pub type Values = BoxedStrategy<Value>;
type Condition = Rc<dyn Fn(&Value) -> bool>;

/// What a schema does not say: which values a provider takes. Paths are names joined by dots, without indices and keys:
/// `rules.port`.
#[derive(Clone, Default)]
pub struct Hints {
    values: BTreeMap<String, Vec<Json>>,
    never: Vec<String>,
    always: Vec<String>,
    exclusive: Vec<Vec<String>>,
    conditions: Vec<Condition>,
    unknown: u32,
}

impl std::fmt::Debug for Hints {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            values,
            never,
            always,
            exclusive,
            unknown,
            conditions,
        } = self;
        f.debug_struct("Hints")
            .field("values", values)
            .field("never", never)
            .field("always", always)
            .field("exclusive", exclusive)
            .field("unknown", unknown)
            .field("conditions", &conditions.len())
            .finish()
    }
}

impl Hints {
    /// None: every value of its type will do.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// At the path stands one of these values (JSON, whole values also for collections and nested attributes).
    #[must_use]
    pub fn values(mut self, path: &str, values: impl IntoIterator<Item = Json>) -> Self {
        self.values.insert(path.to_owned(), values.into_iter().collect());
        self
    }

    /// What is optional at the path is never set.
    #[must_use]
    pub fn never(mut self, path: &str) -> Self {
        self.never.push(path.to_owned());
        self
    }

    /// What is optional at the path is always set.
    #[must_use]
    pub fn always(mut self, path: &str) -> Self {
        self.always.push(path.to_owned());
        self
    }

    /// Of these top attributes at most one is set.
    #[must_use]
    pub fn at_most_one<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.exclusive
            .push(names.into_iter().map(str::to_owned).collect());
        self
    }

    /// Only configurations for which this holds. It should hold for most: others are thrown away.
    #[must_use]
    pub fn only(mut self, condition: impl Fn(&Value) -> bool + 'static) -> Self {
        self.conditions.push(Rc::new(condition));
        self
    }

    /// So many of a hundred values are unknown. 0 without this: only such configurations can be applied.
    #[must_use]
    pub fn unknown(mut self, percent: u32) -> Self {
        self.unknown = percent.min(100);
        self
    }

    /// Configurations for the schema that core itself would let a user write.
    pub fn configs(&self, block: &Block) -> Values {
        let (hints, conditions) = (self.clone(), self.conditions.clone());
        let exclusive = (0..self.exclusive.len())
            .map(|_| any::<prop::sample::Index>())
            .collect::<Vec<_>>();
        (self.block(block, &Path::root()), exclusive)
            .prop_map(move |(config, picks)| hints.exclude(config, &picks))
            .prop_filter("a condition of the hints", move |config| {
                conditions.iter().all(|c| c(config))
            })
            .boxed()
    }

    /// Leaves one of each exclusive group.
    fn exclude(&self, config: Value, picks: &[prop::sample::Index]) -> Value {
        let Value::Object(mut object) = config else {
            return config;
        };
        for (names, pick) in self.exclusive.iter().zip(picks) {
            let set: Vec<_> = names
                .iter()
                .filter(|name| object.get(*name).is_some_and(|v| !v.is_null()))
                .collect();
            if set.len() < 2 {
                continue;
            }
            let kept = *pick.get(&set);
            for name in set.into_iter().filter(|name| *name != kept) {
                object.insert(name.clone(), Value::Null);
            }
        }
        Value::Object(object)
    }

    fn block(&self, block: &Block, at: &Path) -> Values {
        let mut members = self.attributes(&block.attributes, at);
        for (name, nested) in &block.blocks {
            members.push((name.clone(), self.nested_block(nested, &at.attribute(name))));
        }
        object(members)
    }

    fn attributes(&self, all: &BTreeMap<String, Attribute>, at: &Path) -> Vec<(String, Values)> {
        all.iter()
            .map(|(name, a)| (name.clone(), self.attribute(a, &at.attribute(name))))
            .collect()
    }

    fn attribute(&self, a: &Attribute, at: &Path) -> Values {
        let path = at.to_string();
        let never = !a.required && self.never.contains(&path);
        if a.only_computed() || never {
            return Just(Value::Null).boxed();
        }
        let known = match (self.values.get(&path), &a.shape) {
            (Some(all), _) => chosen(all, &a.ty(), at),
            (None, Shape::Plain(ty)) => plain(ty, self.unknown),
            (None, Shape::Nested(nesting, inner)) => {
                collection(*nesting, object(self.attributes(inner, at)), (0, 0))
            }
        };
        let value = unknown(known, self.unknown);
        if a.required || self.always.contains(&path) {
            value
        } else {
            prop_oneof![Just(Value::Null), value].boxed()
        }
    }

    fn nested_block(&self, nested: &NestedBlock, at: &Path) -> Values {
        if nested.min == 0 && self.never.contains(&at.to_string()) {
            return Just(nested.absent()).boxed();
        }
        let inner = self.block(&nested.block, at);
        match nested.nesting {
            Nesting::Single if nested.min == 0 => prop_oneof![Just(Value::Null), inner].boxed(),
            nesting => collection(nesting, inner, (nested.min, nested.max)),
        }
    }
}

/// Some configurations, the same in every run.
pub fn samples(configs: &Values, count: usize) -> Vec<Value> {
    let mut runner = TestRunner::deterministic();
    let mut one = || configs.new_tree(&mut runner).ok().map(|tree| tree.current());
    (0..count).filter_map(|_| one()).collect()
}

fn object(members: Vec<(String, Values)>) -> Values {
    let (names, values): (Vec<_>, Vec<_>) = members.into_iter().unzip();
    values
        .prop_map(move |values| Value::Object(names.iter().cloned().zip(values).collect()))
        .boxed()
}

fn collection(nesting: Nesting, one: Values, (min, max): (i64, i64)) -> Values {
    let least = usize::try_from(min).unwrap_or(0);
    let most = match usize::try_from(max) {
        Ok(0) | Err(_) => least.max(3),
        Ok(max) => max.min(least.max(3)),
    };
    let several = prop::collection::vec(one.clone(), least..=most);
    match nesting {
        Nesting::Single | Nesting::Group => one,
        Nesting::List => several.prop_map(Value::list).boxed(),
        Nesting::Set => several.prop_map(Value::set).boxed(),
        Nesting::Map => prop::collection::btree_map(key(), one, 0..=3)
            .prop_map(Value::map)
            .boxed(),
    }
}

fn unknown(known: Values, percent: u32) -> Values {
    match percent {
        0 => known,
        percent => prop_oneof![100 - percent.min(99) => known, percent => Just(Value::UNKNOWN)].boxed(),
    }
}

/// One of the given values; those that are none of the type are a mistake of the hints, and shown as text that no
/// provider takes.
fn chosen(all: &[Json], ty: &Type, at: &Path) -> Values {
    let read =
        |json: &Json| read_value(json, ty, at).unwrap_or_else(|e| Value::from(format!("wrong hint: {e}")));
    prop::sample::select(all.iter().map(read).collect::<Vec<_>>()).boxed()
}

/// A word of so many letters. (A pattern would be read anew for every word.)
fn word(most: usize) -> BoxedStrategy<String> {
    prop::collection::vec(prop::char::range('a', 'z'), 1..=most)
        .prop_map(String::from_iter)
        .boxed()
}

fn key() -> BoxedStrategy<String> {
    word(3)
}

/// Short words, empty text, and text that needs care: other scripts, composed letters, markup, quotes, lines.
fn text() -> Values {
    let odd = [
        "",
        " ",
        "é",
        "日本語",
        "${x}",
        "%{if}",
        "\"quoted\"",
        "a\nb",
        "<&>",
        "0",
        "true",
        "null",
        "a.b/c:d",
    ];
    prop_oneof![3 => word(8).prop_map(Value::from), 1 => prop::sample::select(odd.to_vec()).prop_map(Value::from)].boxed()
}

fn number() -> Values {
    let odd = [
        "0.1",
        "-1.5",
        "9007199254740993",
        "18446744073709551615",
        "1e21",
        "0.30000000000000004",
    ];
    let odd = odd
        .iter()
        .filter_map(|text| text.parse::<framework::Number>().ok())
        .map(Value::from)
        .collect::<Vec<_>>();
    prop_oneof![3 => (-3_i64..20).prop_map(Value::from), 1 => prop::sample::select(odd)].boxed()
}

/// Any value of a type. Within collections some are unknown where that is asked for, none is null.
fn plain(ty: &Type, percent: u32) -> Values {
    let inner = |ty: &Type| unknown(plain(ty, percent), percent);
    match ty {
        Type::Bool => any::<bool>().prop_map(Value::from).boxed(),
        Type::Number => number(),
        Type::String => text(),
        Type::Dynamic => {
            let leaf = prop_oneof![any::<bool>().prop_map(Value::from), number(), text()];
            let tuple = prop::collection::vec(leaf.clone(), 0..3).prop_map(Value::tuple);
            let object = prop::collection::btree_map(key(), leaf.clone(), 0..3).prop_map(Value::object);
            prop_oneof![2 => leaf, 1 => tuple, 1 => object]
                .prop_map(Value::into_dynamic)
                .boxed()
        }
        Type::List(of) => collection(Nesting::List, inner(of), (0, 0)),
        Type::Set(of) => collection(Nesting::Set, inner(of), (0, 0)),
        Type::Map(of) => collection(Nesting::Map, inner(of), (0, 0)),
        Type::Object(all) => object(all.iter().map(|(name, ty)| (name.clone(), inner(ty))).collect()),
        Type::Tuple(all) => all
            .iter()
            .map(inner)
            .collect::<Vec<_>>()
            .prop_map(Value::tuple)
            .boxed(),
    }
}
