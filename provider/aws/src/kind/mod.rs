//! What kinds of all services share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use reconcile::failure::{Class, Failure};
use reconcile::part::{Ask, Call, Condition, Difference, Key, Object, Pace, Tags};
use serde_json::Value;

use crate::client::Aws;

/// Where parts of a kind are made: a region of the configured AWS.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) aws: Aws,
    pub(crate) region: Arc<str>,
}

impl Place {
    pub(crate) fn new(aws: &Aws, region: &str) -> Self {
        Self {
            aws: aws.in_region(region),
            region: region.into(),
        }
    }
}

/// An observed object, with its tags among the fields but for those of ownership.
pub(crate) fn object(
    id: String,
    condition: Condition,
    mut fields: Value,
    tags: Tags,
    references: Vec<String>,
) -> Object {
    let own: BTreeMap<&String, &String> = tags.iter().filter(|(key, _)| !key.starts_with("ekb:")).collect();
    fields["tags"] = serde_json::json!(own);
    Object {
        id,
        arn: None,
        condition,
        fields,
        tags,
        references,
        outputs: BTreeMap::new(),
        detail: Value::Null,
    }
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

/// The condition of a new object after the calls that finish it: where they failed, the engine looks and mends.
pub(crate) fn unfinished(finish: Result<(), Failure>, condition: Condition) -> Condition {
    match finish {
        Ok(()) => condition,
        Err(failure) => {
            tracing::debug!(%failure, "made, but not finished");
            Condition::Changing("being set up".into())
        }
    }
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
pub(crate) fn gone(result: Result<(), Failure>) -> Result<(), Failure> {
    match result {
        Err(failure) if failure.class == Class::NotFound => Ok(()),
        other => other,
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

/// The fixed names to look for: of what is declared and of what is known (their ids are names).
pub(crate) fn names(ask: &Ask) -> BTreeSet<String> {
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
