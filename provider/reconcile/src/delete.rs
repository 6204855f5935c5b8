//! Deleting: what goes before what, and one object from the call until it is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::future::join_all;

use crate::failure::{Class, Failure};
use crate::graph::Graph;
use crate::kinds::AnyKind;
use crate::matching::{Found, Seen};
use crate::observe::{Observation, Spot};
use crate::ownership::{made_at, new_tags};
use crate::part::{Call, Condition, Deleted, Key, Stage, Tags};
use crate::report::{Kept, Why};
use crate::schedule::{Fate, Schedule, Stop};
use crate::token::token;
use crate::wait::{Patience, Rhythm, Run};

/// An object that is to be deleted.
pub(crate) struct Removal {
    pub found: Found,
    /// Objects that go first.
    pub after: BTreeSet<Spot>,
    /// Parts that have to be as declared first, since they use the object so far.
    pub after_parts: BTreeSet<Key>,
    /// Failing to delete it is worth a warning only: a duplicate that turns out to be in use.
    pub is_spare: bool,
    /// It cannot be deleted, since its kind could not be looked at.
    pub blind: Option<Failure>,
}

impl Removal {
    pub fn of(found: Found) -> Self {
        Self {
            found,
            after: BTreeSet::new(),
            after_parts: BTreeSet::new(),
            is_spare: false,
            blind: None,
        }
    }
}

/// How far a deleting call has come.
#[derive(PartialEq, Eq)]
enum Removed {
    Begun,
    Gone,
}

/// Puts the removals in order: users before what they use, as observed and as declared (backwards along the edges),
/// and what says nothing of what it uses by the order of kinds.
pub(crate) fn order(removals: &mut [Removal], graphs: &[Graph], sight: &Observation) {
    let mut uses: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    let needs = |key: &Key| {
        graphs
            .iter()
            .find_map(|graph| graph.get(key))
            .map(|part| &part.needs)
    };
    for (a, user) in removals.iter().enumerate() {
        for (b, used) in removals.iter().enumerate().filter(|(b, _)| *b != a) {
            let declared = needs(&user.found.key).is_some_and(|needs| needs.contains_key(&used.found.key));
            if (declared && user.found.key != used.found.key) || user.found.uses(&used.found) {
                uses.entry(a).or_default().insert(b);
            }
        }
    }
    let rank = |removal: &Removal| {
        sight
            .engine
            .kinds
            .get(removal.found.kind)
            .map_or(0, |kind| kind.traits().deletion_order)
    };
    let mut goes_before: Vec<(usize, usize)> = uses
        .iter()
        .flat_map(|(user, used)| used.iter().map(|used| (*user, *used)))
        .collect();
    for (a, first) in removals.iter().enumerate() {
        let says_nothing = first.found.object.references.is_empty()
            && needs(&first.found.key).is_none_or(BTreeMap::is_empty);
        for (b, then) in removals.iter().enumerate().filter(|_| says_nothing) {
            if rank(first) < rank(then) {
                goes_before.push((a, b));
            }
        }
    }
    // An order that contradicts one that is already there would wait for ever.
    let mut before: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for (a, b) in goes_before {
        if !reaches(&before, a, b) {
            before.entry(b).or_default().insert(a);
        }
    }
    let spots: Vec<Spot> = removals.iter().map(|removal| removal.found.spot()).collect();
    for (b, firsts) in before {
        removals[b]
            .after
            .extend(firsts.into_iter().map(|a| spots[a].clone()));
    }
}

/// Whether `to` has to go before `from` already.
fn reaches(before: &BTreeMap<usize, BTreeSet<usize>>, from: usize, to: usize) -> bool {
    let mut seen = BTreeSet::new();
    let mut left = vec![from];
    while let Some(at) = left.pop() {
        if at == to {
            return true;
        }
        if seen.insert(at) {
            left.extend(before.get(&at).into_iter().flatten());
        }
    }
    false
}

impl Run {
    /// Deletes all of them, as much at once as their order allows.
    pub async fn remove_all(&self, removals: &[Removal], schedule: &Schedule) -> Vec<(Key, Failure)> {
        let ends = join_all(removals.iter().map(|removal| async move {
            let end = self.remove_in_turn(removal, schedule).await;
            let spot = removal.found.spot();
            schedule.ended(&spot, if end.is_ok() { Fate::Gone } else { Fate::Stays });
            match end {
                Err(Stop::Failed(failure)) if removal.is_spare && failure.class != Class::Cancelled => {
                    self.warn(failure);
                    None
                }
                Err(Stop::Failed(failure)) => Some((removal.found.key.clone(), failure)),
                Ok(()) | Err(Stop::Behind) => None,
            }
        }));
        ends.await.into_iter().flatten().collect()
    }

    async fn remove_in_turn(&self, removal: &Removal, schedule: &Schedule) -> Result<(), Stop> {
        if let Some(failure) = &removal.blind {
            return Err(failure.clone().into());
        }
        for spot in &removal.after {
            schedule.until_gone(spot).await?;
        }
        for key in &removal.after_parts {
            schedule.until(key, Stage::Ready).await?;
        }
        Ok(self.remove(&removal.found, removal.is_spare).await?)
    }

    /// Deletes one object and waits until it is gone.
    pub async fn remove(&self, found: &Found, is_spare: bool) -> Result<(), Failure> {
        let Some(kind) = self.engine.kinds.get(found.kind) else {
            return Ok(());
        };
        let doing = format!(
            "deleting {} {} ({})",
            kind.traits().title,
            found.object.id,
            found.key
        );
        let spot = found.spot();
        let begun = self.engine.clock.now();
        let _guard = match kind.lock(&found.object.fields) {
            Some(name) => Some(self.lock(&name, &doing).await?),
            None => None,
        };
        let is_leaving = found.object.condition == Condition::Deleting;
        if is_leaving || self.begin_removal(kind, found, is_spare, &doing).await? == Removed::Begun {
            self.sight(|sight| sight.leaving.insert(spot.clone()));
            let pace = kind.traits().pace;
            let mut rhythm = Rhythm::new(self, Some(begun), pace.delete, pace.limit);
            loop {
                rhythm.look(self, found.kind, &doing).await?;
                let Some(found) = self.sight(|sight| sight.find(&spot)) else {
                    break;
                };
                if let Condition::Failed(reason) = &found.object.condition {
                    return Err(Failure::new(Class::Other, doing, reason.clone()));
                }
                outlook(kind.outlook(&found.object).await)?;
            }
        }
        self.gone(found);
        Ok(())
    }

    /// The deleting call, until it is taken.
    async fn begin_removal(
        &self,
        kind: &Arc<dyn AnyKind>,
        found: &Found,
        is_spare: bool,
        doing: &str,
    ) -> Result<Removed, Failure> {
        let object = &found.object;
        let (owner, key) = (&self.engine.owner, &found.key);
        let request = serde_json::json!({"delete": object.id});
        let call = Call {
            key: key.clone(),
            owner: owner.clone(),
            ownership: new_tags(owner, key, None),
            token: token(owner, key, &request, &Tags::new(), &BTreeSet::new()),
            ids: self.sight(|sight| sight.ids()),
        };
        let mut patience = Patience::new(self, kind.traits().pace.limit);
        loop {
            let failure = match self.call(doing, kind.delete(object, &call)).await {
                Ok(Deleted::Gone) => return Ok(Removed::Gone),
                Ok(Deleted::Begun) => return Ok(Removed::Begun),
                Ok(Deleted::Kept(reason)) => {
                    self.keep(Kept {
                        key: key.clone(),
                        id: object.id.clone(),
                        why: Why::Kept(reason),
                    });
                    return Ok(Removed::Gone);
                }
                Ok(Deleted::FinalSnapshot(id)) => {
                    self.keep(Kept {
                        key: key.clone(),
                        id,
                        why: Why::FinalSnapshot,
                    });
                    return Ok(Removed::Begun);
                }
                Err(failure) => failure,
            };
            match failure.class {
                Class::NotFound => return Ok(Removed::Gone),
                Class::Busy if is_spare => return Err(failure),
                Class::Unknown => {
                    patience.again(self, failure).await?;
                    if self.look(found.kind, self.engine.clock.now()).await.is_ok() {
                        match self.sight(|sight| sight.find(&found.spot())) {
                            None => return Ok(Removed::Gone),
                            Some(found) if found.object.condition == Condition::Deleting => {
                                return Ok(Removed::Begun);
                            }
                            Some(_) => {}
                        }
                    }
                }
                _ => patience.again(self, failure).await?,
            }
        }
    }

    /// Notes that the object is gone, whatever reads still say.
    fn gone(&self, found: &Found) {
        let spot = &found.spot();
        self.sight(|sight| {
            sight.gone.insert(spot.clone(), made_at(&found.object).to_owned());
            sight.leaving.remove(spot);
            sight.standing.remove(spot);
            sight.applied.remove(spot);
            sight.chosen.retain(|_, chosen| chosen != spot);
            sight.sort_out();
        });
    }
}

/// Only a hopeless outlook counts.
pub(crate) fn outlook(answer: Result<(), Failure>) -> Result<(), Failure> {
    match answer {
        Err(failure) if failure.class == Class::Stuck => Err(failure),
        _ => Ok(()),
    }
}

impl Observation {
    /// The object that stands for the part.
    pub(crate) fn found(&self, key: &Key) -> Option<Found> {
        match self.picture.parts.get(key) {
            Some(Seen::Found(found)) => Some(found.clone()),
            _ => None,
        }
    }

    /// The object of ours at this spot, unless it is dead or gone.
    pub(crate) fn find(&self, spot: &Spot) -> Option<Found> {
        let parts = self.picture.parts.values().filter_map(|seen| match seen {
            Seen::Found(found) => Some(found),
            _ => None,
        });
        parts
            .chain(self.picture.spares.iter().map(|spare| &spare.found))
            .find(|found| found.spot() == *spot)
            .cloned()
    }
}
