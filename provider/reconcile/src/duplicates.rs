//! Several objects for one part, as calls that were perhaps carried out leave them: which one stands for it, and
//! whether the others can go.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::failure::{Class, Failure};
use crate::matching::{Found, Picture, Seen};
use crate::observe::{Observation, Spot};
use crate::ownership::made_at;
use crate::part::{Condition, Key};

/// A further object of a part.
pub(crate) struct Spare {
    pub found: Found,
    /// Nothing but further spares uses it.
    pub is_removable: bool,
}

impl Observation {
    /// Decides for every part which of the objects that claim to be it stands for it: one that lives, the one already
    /// decided on and used, one that is used, the one decided on, the one that the state knows, the oldest.
    pub(crate) fn choose(&mut self, mut claims: BTreeMap<Key, Vec<Found>>, picture: &mut Picture) {
        let users = Users::of(claims.values().flatten());
        let root = self.root_key();
        // In the order of declaration: what is built on a spare is likely to be one too.
        let declared = self.graphs.iter().flat_map(|graph| graph.keys());
        let mut keys: Vec<Key> = declared.chain(claims.keys()).cloned().collect();
        let mut once = BTreeSet::new();
        keys.retain(|key| once.insert(key.clone()));
        let mut spares: Vec<Found> = Vec::new();
        for key in keys {
            let Some(found) = claims.remove(&key) else {
                continue;
            };
            let is_fitting = |found: &Found| self.declared(&key).is_none_or(|part| part.kind == found.kind);
            let (mut candidates, misfits): (Vec<Found>, Vec<Found>) = found.into_iter().partition(is_fitting);
            let ended = candidates.iter().filter(|found| found.has_ended());
            let predecessors = ended.map(|found| found.object.id.clone());
            picture
                .predecessors
                .entry(key.clone())
                .or_default()
                .extend(predecessors);
            candidates.retain(|found| found.object.condition != Condition::Dead);
            candidates.sort_by_cached_key(|found| {
                let liveness = match found.object.condition {
                    Condition::Deleting => 2,
                    Condition::Failed(_) => 1,
                    _ => 0,
                };
                let chosen = self.chosen.get(&key) == Some(&found.spot());
                let on_spare = spares.iter().any(|spare| found.uses(spare));
                let known = self.known.ids.get(&key) == Some(&found.object.id);
                let uses = Reverse(found.object.references.len());
                let made = made_at(&found.object).to_owned();
                (
                    liveness,
                    // What another apply has built on stands, also against what we just made and nothing uses.
                    !(chosen && users.any(found)),
                    on_spare,
                    !users.any(found),
                    uses,
                    !chosen,
                    !known,
                    made,
                    found.object.id.clone(),
                )
            });
            let used = candidates
                .iter()
                .filter(|found| !found.has_ended() && users.any(found))
                .count();
            if used > 1 && root.as_ref() == Some(&key) {
                picture.conflict = Some(two_roots(&self.engine.owner.resource, &candidates));
            }
            let mut candidates = candidates.into_iter();
            if let Some(first) = candidates.next() {
                let tags = &first.object.tags;
                if tags.contains_key("ekb:phase") || tags.contains_key("ekb:incarnation") {
                    picture.root_by_tags = Some(key.clone());
                }
                if first.object.condition != Condition::Deleting {
                    self.chosen.insert(key.clone(), first.spot());
                }
                picture.parts.insert(key.clone(), Seen::Found(first));
            }
            spares.extend(
                candidates
                    .chain(misfits)
                    .filter(|found| found.object.condition != Condition::Dead),
            );
        }
        for found in &spares {
            let used = in_the_way(found, &spares, &users);
            let is_removable = found.object.condition != Condition::Deleting && used.is_none();
            picture.spares.push(Spare {
                found: found.clone(),
                is_removable,
            });
            picture.warnings.extend(used.filter(|_| !found.has_ended()));
        }
    }
}

/// Who of ours uses what, by id or ARN.
struct Users(BTreeMap<String, Vec<Spot>>);

impl Users {
    fn of<'a>(found: impl Iterator<Item = &'a Found>) -> Self {
        let mut users = Self(BTreeMap::new());
        for found in
            found.filter(|found| !matches!(found.object.condition, Condition::Dead | Condition::Deleting))
        {
            for name in &found.object.references {
                users.0.entry(name.clone()).or_default().push(found.spot());
            }
        }
        users
    }

    fn all<'a>(&'a self, found: &'a Found) -> impl Iterator<Item = &'a Spot> {
        let names = [Some(&found.object.id), found.object.arn.as_ref()];
        let users = names
            .into_iter()
            .flatten()
            .filter_map(|name| self.0.get(name))
            .flatten();
        users.filter(|(kind, id)| *kind != found.kind || *id != found.object.id)
    }

    fn any(&self, found: &Found) -> bool {
        self.all(found).next().is_some()
    }
}

/// A warning where something that stays uses the spare, directly or through other spares.
fn in_the_way(spare: &Found, spares: &[Found], users: &Users) -> Option<Failure> {
    let mut left = vec![spare];
    let mut seen = BTreeSet::new();
    while let Some(found) = left.pop() {
        for spot in users.all(found) {
            if !seen.insert(spot) {
                continue;
            }
            let user = spares
                .iter()
                .find(|spare| spare.kind == spot.0 && spare.object.id == spot.1);
            let Some(user) = user else {
                let cause = format!(
                    "there is a second object for it, {}, and {} uses it",
                    spare.object.id, spot.1
                );
                let hint = "It is left alone; remove by hand what uses it, then apply again.";
                let doing = format!("looking at {}", spare.key);
                return Some(
                    Failure::new(Class::Other, doing, cause)
                        .code("EKB1305")
                        .hint(hint),
                );
            };
            left.push(user);
        }
    }
    None
}

fn two_roots(resource: &str, roots: &[Found]) -> Failure {
    let ids: Vec<&str> = roots.iter().map(|found| found.object.id.as_str()).collect();
    let cause = format!("there are two of it, both in use: {}", ids.join(", "));
    let hint =
        "Remove by hand what was built on one of them, then apply again: the one without use is removed.";
    Failure::new(Class::Other, format!("looking at {resource}"), cause)
        .code("EKB1306")
        .hint(hint)
}
