//! What kinds of all services share.
//!
//! Three shapes carry what is the same for most of them, so that a kind says only how it is seen, made, changed and unmade:
//! [`ByFilter`] (EC2), [`ByName`] (IAM roles, log groups, EKS clusters) and [`UnderParent`] (what is in an EKS cluster).

mod api;
mod by_filter;
mod by_name;
mod under_parent;
mod under_way;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use reconcile::failure::{Class, Failure};
use reconcile::part::{
    Ask, Call, Condition, Difference, Idempotence, Key, KindTraits, Made, Object, Pace, Tags,
};
use serde_json::{Map, Value, json};

use crate::client::Aws;

pub(crate) use api::{Api, Client, pages};
use by_filter::Looks;
pub(crate) use by_filter::{ByFilter, Ec2, Filters, InVpc, Listed, by, by_filter, find, made, seen};
pub(crate) use by_name::{ByName, by_name};
pub(crate) use under_parent::{At, TagsByArn, UnderParent, id_under, under_parent};
pub(crate) use under_way::{Operation, UnderWay, hopeless};

/// Where parts of a kind are made: a region of the configured AWS.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) aws: Aws,
    pub(crate) region: Arc<str>,
    pub(crate) under_way: UnderWay,
    looks: Looks,
}

impl Place {
    pub(crate) fn new(aws: &Aws, region: &str) -> Self {
        Self {
            aws: aws.in_region(region),
            region: region.into(),
            under_way: UnderWay::default(),
            looks: Looks::default(),
        }
    }
}

/// The facts that most kinds share: nothing makes a creating call repeatable, and all is quick.
pub(crate) const fn usual(kind: &'static str) -> KindTraits {
    KindTraits {
        kind,
        title: "",
        deletion_order: 50,
        idempotence: Idempotence::None,
        invisible_for: INVISIBLE,
        pace: QUICK,
        reads: &[],
        writes: &[],
    }
}

/// A usable object of these fields, without anything else; id and tags are added by the shape ([`observed`]).
pub(crate) fn settled(fields: Value) -> Object {
    Object {
        id: String::new(),
        arn: None,
        condition: Condition::Settled,
        fields,
        tags: Tags::new(),
        references: Vec::new(),
        outputs: BTreeMap::new(),
        detail: Value::Null,
    }
}

/// The object with its id, and its tags among the fields but for those of ownership.
pub(crate) fn observed(id: String, mut object: Object) -> Object {
    let own = object.tags.iter().filter(|(key, _)| !key.starts_with("ekb:"));
    object.fields["tags"] = json!(own.collect::<BTreeMap<_, _>>());
    Object { id, ..object }
}

/// Whether an object that lacks our tags is the declared one: it has the same in these fields. Without fields none is.
pub(crate) fn is_same(fields: &[&str], declared: &Value, object: &Object) -> bool {
    let of = |all: &Value, field: &str| all.get(field).cloned().unwrap_or_default();
    let same = |field: &&str| of(declared, field) == of(&object.fields, field);
    !fields.is_empty() && fields.iter().all(same)
}

/// Outputs of an object: those that there are, by name.
pub(crate) fn outputs<const N: usize>(named: [(&str, Option<String>); N]) -> BTreeMap<String, Value> {
    let there = named
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.into())));
    there.collect()
}

/// The parts that an answer gives, without those that are absent.
pub(crate) fn some<T>(parts: impl IntoIterator<Item = Option<T>>) -> Vec<T> {
    parts.into_iter().flatten().collect()
}

/// What was made, after the calls that finish it: where they failed, the engine looks and mends.
pub(crate) fn finished(made: Made, finish: Result<(), Failure>) -> Made {
    let Err(failure) = finish else { return made };
    tracing::debug!(%failure, "made, but not finished");
    let condition = Condition::Changing("being set up".into());
    Made { condition, ..made }
}

/// AWS said yes and nothing else: only looking tells.
pub(crate) fn no_answer(call: &Call) -> Failure {
    Failure::new(
        Class::Unknown,
        format!("creating {}", call.key),
        "AWS answered without the object",
    )
    .code(crate::failure::codes::NO_ANSWER)
}

/// Not there is as good as removed.
pub(crate) fn gone<T>(result: Result<T, Failure>) -> Result<(), Failure> {
    match result {
        Err(failure) if failure.class != Class::NotFound => Err(failure),
        _ => Ok(()),
    }
}

/// The id that an entry of a difference stands for: entries are part keys, or ids where no part is known.
pub(crate) fn id_of<'a>(entry: &'a str, call: &'a Call) -> &'a str {
    call.ids.get(&Key(entry.to_owned())).map_or(entry, String::as_str)
}

/// Entries of a list in a difference, as ids: those to add and those to remove.
pub(crate) fn list_changes<'a>(difference: &'a Difference, call: &'a Call) -> (Vec<&'a str>, Vec<&'a str>) {
    let entries = |value: &'a Value| -> Vec<&'a str> {
        value
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(|entry| id_of(entry, call))
            .collect()
    };
    let (is, should) = (entries(&difference.is), entries(&difference.should));
    let add = should.iter().filter(|id| !is.contains(id)).copied().collect();
    let remove = is.iter().filter(|id| !should.contains(id)).copied().collect();
    (add, remove)
}

/// Entries of a map in a difference: those to set, and the names of those to remove.
pub(crate) fn map_changes(difference: &Difference) -> (Vec<(&String, &Value)>, Vec<&String>) {
    let Difference { is, should, .. } = difference;
    let set = should.as_object().into_iter().flatten();
    let set = set.filter(|(name, value)| is.get(name) != Some(value));
    let remove = is.as_object().into_iter().flat_map(Map::keys);
    (
        set.collect(),
        remove.filter(|name| should.get(name).is_none()).collect(),
    )
}

/// The difference in this field.
pub(crate) fn of<'a>(field: &str, differences: &'a [Difference]) -> Option<&'a Difference> {
    differences.iter().find(|difference| difference.field == field)
}

/// The fixed names to look for: of what is declared and of what is known (their ids are names).
fn names(ask: &Ask) -> BTreeSet<String> {
    let declared = ask
        .declared
        .values()
        .filter_map(|fields| fields["name"].as_str())
        .map(str::to_owned);
    declared.chain(ask.known.values().cloned()).collect()
}

/// Real time that usual objects take, in seconds.
pub(crate) const QUICK: Pace = pace(2, 2, 300);
/// How long a new object may be missing from reads.
pub(crate) const INVISIBLE: Duration = Duration::from_secs(30);

pub(crate) const fn pace(create: u64, delete: u64, limit: u64) -> Pace {
    Pace {
        create: Duration::from_secs(create),
        delete: Duration::from_secs(delete),
        limit: Duration::from_secs(limit),
    }
}
