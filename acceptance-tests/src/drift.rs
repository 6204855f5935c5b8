//! Drift, field by field: which fields of which parts there are to change from outside, in rounds, and that an apply mends them.

use std::collections::BTreeMap;

use conformance::{Action, Resource};
use serde_json::Value as Json;

use crate::account::Account;
use crate::cuts::{Tally, is_sweep};
use crate::session::Session;

/// Part and field.
pub type Field = (String, String);

/// The kind of a part, from its key.
#[must_use]
pub fn kind_of(key: &str) -> &str {
    key.split_once('/').map_or(key, |(kind, _)| kind)
}

/// All fields of all parts, as `objects` shows them, but those that are left out.
///
/// # Panics
/// Where the resource has no `objects`.
#[must_use]
pub fn fields(resource: &Resource, is_left_out: impl Fn(&str, &str, &Json) -> bool) -> Vec<Field> {
    let mut all = Vec::new();
    for (key, text) in resource.get("objects").as_object().expect("objects") {
        let object: Json = serde_json::from_str(text.as_str().expect("a text")).expect("JSON");
        for (field, value) in object.as_object().expect("an object") {
            if !is_left_out(key, field, value) {
                all.push((key.clone(), field.clone()));
            }
        }
    }
    all
}

/// The fields in rounds, of which each changes at most one field of a part; in a sweep each field for itself. What changes a field
/// by taking other parts along has a round of its own.
#[must_use]
pub fn rounds(fields: &[Field], is_alone: impl Fn(&str, &str) -> bool) -> Vec<Vec<Field>> {
    let is_alone = |(key, field): &Field| is_sweep() || is_alone(key, field);
    let mut rounds: Vec<Vec<Field>> = Vec::new();
    for one in fields {
        let has_room =
            |round: &&mut Vec<Field>| !round.iter().any(|other| other.0 == one.0 || is_alone(other));
        match rounds.iter_mut().find(has_room).filter(|_| !is_alone(one)) {
            Some(round) => round.push(one.clone()),
            None => rounds.push(vec![one.clone()]),
        }
    }
    rounds
}

/// A plan shows these names, its apply mends what they are, and the plan after it is empty.
///
/// # Errors
/// What is not so.
pub fn mend(session: &Session, resource: &mut Resource, config: &Json, names: &[&str]) -> Result<(), String> {
    let plan = session
        .plan(resource, config)
        .map_err(|error| format!("plan: {error}"))?;
    let text = plan.to_string();
    if plan.action != Action::Update {
        return Err(format!("the plan is {}: {text}", plan.action));
    }
    if let Some(name) = names.iter().find(|name| !text.contains(**name)) {
        return Err(format!("{name} is not shown: {text}"));
    }
    session
        .apply_plan(resource, &plan)
        .map_err(|error| format!("apply: {error}"))?;
    session.expect_empty(resource, config)
}

/// Plays rounds, each from the account's snapshot `made`: their fields are changed from outside, and what the check then says counts for
/// each of them.
///
/// # Panics
/// Where nobody knows how to change a field (`change` is false).
pub fn play(
    account: &Account,
    rounds: Vec<Vec<Field>>,
    change: impl Fn(&str, &str) -> bool,
    check: impl Fn(&[Field]) -> Result<(), String>,
) -> Tally {
    let mut tally = Tally::default();
    for round in rounds {
        account.restore("made");
        for (key, field) in &round {
            assert!(change(key, field), "how is {field} of {key} changed?");
        }
        let result = check(&round);
        for (key, field) in round {
            tally.count(format!("{key}: {field}"), result.clone());
        }
    }
    tally
}

/// What a plan has to name of a round: its parts and fields.
#[must_use]
pub fn names(round: &[Field]) -> Vec<&str> {
    let names = round
        .iter()
        .flat_map(|(key, field)| [key.as_str(), field.as_str()]);
    names.collect()
}

/// That as many objects of each kind exist as before, but of kinds that are left out.
///
/// # Errors
/// Both counts.
pub fn as_many(account: &Account, before: &BTreeMap<String, usize>, left_out: &[&str]) -> Result<(), String> {
    let counted = |counts: &BTreeMap<String, usize>| {
        let mut counts = counts.clone();
        counts.retain(|kind, _| !left_out.contains(&kind.as_str()));
        counts
    };
    let (before, now) = (counted(before), counted(&account.counts()));
    if now == before {
        Ok(())
    } else {
        Err(format!("exists: {now:?}; before: {before:?}"))
    }
}
