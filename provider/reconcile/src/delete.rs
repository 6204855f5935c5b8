//! Deleting: what goes before what, and one object from the call until it is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;

use crate::failure::{Class, Failure};
use crate::graph::Graph;
use crate::kinds::AnyKind;
use crate::matching::{Found, Seen, is_owned};
use crate::observe::{Observation, Spot};
use crate::ownership::{KEPT, PREFIX, made_at, new_tags};
use crate::part::{Call, Condition, Deleted, Key, Need, Tags};
use crate::progress::Step;
use crate::report::{Kept, Why};
use crate::schedule::{Fate, Schedule, Stop};
use crate::shared_tags::SharedTags;
use crate::token::token;
use crate::wait::{Patience, Rhythm, Run};

/// An object that is to be deleted.
pub(crate) struct Removal {
    pub found: Found,
    /// Objects that go first.
    pub after: BTreeSet<Spot>,
    /// The order of its kind: what has to go before all of higher orders goes first.
    pub rank: u32,
    /// Whether it goes before all of higher orders.
    pub is_first: bool,
    /// Parts that have to be as declared first, since they use the object so far.
    pub after_parts: BTreeSet<Key>,
    /// Failing to delete it is worth a warning only: a duplicate that turns out to be in use.
    pub is_spare: bool,
    /// It cannot be deleted, since its kind could not be looked at.
    pub blind: Option<Failure>,
    /// It is not deleted but left to nobody, for this reason.
    pub kept: Option<String>,
}

impl Removal {
    pub fn of(found: Found) -> Self {
        Self {
            found,
            after: BTreeSet::new(),
            rank: 0,
            is_first: false,
            after_parts: BTreeSet::new(),
            is_spare: false,
            blind: None,
            kept: None,
        }
    }
}

/// How far a deleting call has come.
enum Removed {
    Begun,
    Gone,
    MayReturn(Duration),
}

/// How long between two looks whether something is made again by itself.
const RETURN: Duration = Duration::from_secs(10);

/// Puts the removals in order: users before what they use, as observed and as declared (backwards along the edges),
/// and what says nothing of what it uses by the order of kinds.
pub(crate) fn order(removals: &mut [Removal], graphs: &[Graph], sight: &Observation) {
    let declared = |key: &Key| graphs.iter().find_map(|graph| graph.get(key));
    let mut by_name: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut by_key: BTreeMap<&Key, Vec<usize>> = BTreeMap::new();
    for (at, removal) in removals.iter().enumerate() {
        by_key.entry(&removal.found.key).or_default().push(at);
        for name in removal.found.names() {
            by_name.entry(name).or_default().push(at);
        }
    }
    // Of each: what goes before it. An order that contradicts one that is already there would wait for ever.
    let mut before: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); removals.len()];
    let mut goes_first = |user: usize, used: &mut dyn Iterator<Item = usize>| {
        for used in used.collect::<BTreeSet<_>>() {
            if used != user && !reaches(&before, user, used) {
                before[used].insert(user);
            }
        }
    };
    for (user, removal) in removals.iter().enumerate() {
        let found = &removal.found;
        let references = found.object.references.iter();
        let referred = references.filter_map(|name| by_name.get(name.as_str())).flatten();
        let mut others = referred
            .copied()
            .filter(|used| removals[*used].found.spot() != found.spot());
        goes_first(user, &mut others);
    }
    // What is observed outweighs it: a cluster brings a security group along, which is a part that needs the cluster.
    for (user, removal) in removals.iter().enumerate() {
        let needs = declared(&removal.found.key)
            .into_iter()
            .flat_map(|part| part.needs.keys());
        let mut needed = needs.filter_map(|key| by_key.get(key)).flatten().copied();
        goes_first(user, &mut needed);
    }
    let spots: Vec<Spot> = removals.iter().map(|removal| removal.found.spot()).collect();
    let rank = |at: usize| {
        sight
            .engine
            .kinds
            .get(spots[at].0)
            .map_or(0, |kind| kind.traits().deletion_order)
    };
    let is_first: Vec<bool> = (0..removals.len())
        .map(|at| {
            let found = &removals[at].found;
            // That they lie in their parent is true of all of a kind, and says nothing of their order.
            let parent = sight.engine.kinds.get(found.kind).and_then(|kind| kind.parent());
            let is_parent = |at: &usize| parent == Some(removals[*at].found.kind);
            let is_silent = |name: &String| match by_name.get(name.as_str()) {
                Some(named) => named.iter().all(is_parent),
                None => parent.is_some(),
            };
            let needs_parent = |key: &Key| parent.is_some() && sight.kind_of(key) == parent;
            let says_nothing = found.object.references.iter().all(is_silent)
                && declared(&found.key).is_none_or(|part| part.needs.keys().all(needs_parent));
            // Where something of a higher order goes before it, it cannot go before that order.
            // What may stay without harm holds nobody up.
            !removals[at].is_spare
                && says_nothing
                && all_before(&before, at).all(|other| rank(other) <= rank(at))
        })
        .collect();
    let ranks: Vec<u32> = (0..removals.len()).map(rank).collect();
    for (at, removal) in removals.iter_mut().enumerate() {
        removal
            .after
            .extend(before[at].iter().map(|first| spots[*first].clone()));
        removal.rank = ranks[at];
        removal.is_first = is_first[at];
    }
}

/// Whether `to` has to go before `from` already.
fn reaches(before: &[BTreeSet<usize>], from: usize, to: usize) -> bool {
    from == to || all_before(before, from).any(|at| at == to)
}

/// All that has to go before it.
fn all_before(before: &[BTreeSet<usize>], from: usize) -> impl Iterator<Item = usize> {
    let mut seen = BTreeSet::new();
    let mut left: Vec<usize> = before[from].iter().copied().collect();
    std::iter::from_fn(move || {
        while let Some(at) = left.pop() {
            if seen.insert(at) {
                left.extend(&before[at]);
                return Some(at);
            }
        }
        None
    })
}

impl Run {
    /// Deletes all of them, as much at once as their order allows.
    pub async fn remove_all(&self, removals: &[Removal], schedule: &Schedule) -> Vec<(Key, Failure)> {
        let ends = join_all(removals.iter().map(|removal| async move {
            let end = self.remove_in_turn(removal, schedule).await;
            let spot = removal.found.spot();
            schedule.ended(&spot, if end.is_ok() { Fate::Gone } else { Fate::Stays });
            (removal, end)
        }));
        let (mut errors, mut spares, mut is_behind) = (Vec::new(), Vec::new(), false);
        for (removal, end) in ends.await {
            match end {
                Ok(()) => {}
                Err(Stop::Behind) => is_behind = true,
                Err(Stop::Failed(failure)) => {
                    let is_harmless = removal.is_spare && failure.class != Class::Cancelled;
                    let list = if is_harmless { &mut spares } else { &mut errors };
                    list.push((removal.found.key.clone(), failure));
                }
            }
        }
        // A duplicate that stays does no harm, unless something else stays for it that nothing else accounts for.
        if is_behind && errors.is_empty() {
            return spares;
        }
        spares.into_iter().for_each(|(_, failure)| self.warn(failure));
        errors
    }

    async fn remove_in_turn(&self, removal: &Removal, schedule: &Schedule) -> Result<(), Stop> {
        if let Some(failure) = &removal.blind {
            return Err(failure.clone().into());
        }
        for spot in &removal.after {
            schedule.until_gone(spot).await?;
        }
        schedule.until_order(removal.rank).await?;
        for key in &removal.after_parts {
            schedule.until(key, Need::Ready).await?;
        }
        if let Some(reason) = &removal.kept {
            return Ok(self.let_be(&removal.found, reason).await?);
        }
        let spot = removal.found.spot();
        let held = || schedule.held_up(&spot);
        Ok(self.remove(&removal.found, removal.is_spare, &held).await?)
    }

    /// Leaves the object to nobody: its tags of ownership go, one says who let it go.
    async fn let_be(&self, found: &Found, reason: &str) -> Result<(), Failure> {
        let Some(kind) = self.engine.kinds.get(found.kind) else {
            return Ok(());
        };
        let object = &found.object;
        let title = kind.traits().title;
        let doing = format!("leaving {title} {} ({}) to nobody", object.id, found.key);
        if kind.carries_tags() {
            let set = Tags::from([(KEPT.to_owned(), self.engine.owner.kept_tag())]);
            let ours = object.tags.keys().filter(|name| name.starts_with(PREFIX));
            let remove: Vec<String> = ours.filter(|name| *name != KEPT).cloned().collect();
            let mut patience = Patience::new(self, kind.traits().pace.limit);
            while let Err(failure) = self.call(&doing, kind.tag(&object.id, &set, &remove)).await {
                if failure.class == Class::NotFound {
                    self.gone(found);
                    return Ok(());
                }
                patience.again(self, failure).await?;
            }
        }
        self.keep(Kept {
            key: found.key.clone(),
            id: object.id.clone(),
            why: Why::Kept(reason.to_owned()),
        });
        self.sight(|sight| sight.let_be.insert(found.spot()));
        self.gone(found);
        self.engine.tell(&found.key, &doing, &Step::Done);
        Ok(())
    }

    /// Deletes one object and waits until it is gone. `held` is told when the service refuses for now.
    pub async fn remove(
        &self,
        found: &Found,
        is_spare: bool,
        held: &(dyn Fn() + Sync),
    ) -> Result<(), Failure> {
        let Some(kind) = self.engine.kinds.get(found.kind) else {
            return Ok(());
        };
        let doing = format!(
            "deleting {} {} ({})",
            kind.traits().title,
            found.object.id,
            found.key
        );
        let begun = self.engine.clock.now();
        let removed = if found.object.condition == Condition::Deleting {
            Removed::Begun
        } else {
            self.begin_removal(&kind, found, is_spare, held, &doing).await?
        };
        if let Removed::Begun = removed {
            self.sight(|sight| sight.leaves(found));
            let pace = kind.traits().pace;
            let mut rhythm = Rhythm::new(self, Some(begun), pace.delete, pace.limit);
            let mut object = Arc::clone(&found.object);
            loop {
                self.look_again(&kind, (&found.key, &object), &doing, &mut rhythm, true)
                    .await?;
                let Some(found) = self.sight(|sight| sight.find(found)) else {
                    break;
                };
                if let Condition::Failed(reason) = &found.object.condition {
                    return Err(Failure::new(Class::Other, doing, reason.clone()));
                }
                outlook(kind.outlook(&found.object, rhythm.waited(self)).await)?;
                object = found.object;
            }
        }
        self.gone(found);
        if let Removed::MayReturn(within) = removed {
            self.keep_away(&kind, found, within, &doing).await;
        }
        self.engine.tell(&found.key, &doing, &Step::Done);
        Ok(())
    }

    /// Looks for a while whether the object is made again by nobody's will, and deletes it then. What ends that is a warning at most:
    /// the object itself is gone.
    async fn keep_away(&self, kind: &Arc<dyn AnyKind>, found: &Found, within: Duration, doing: &str) {
        let until = self.engine.clock.now() + within;
        loop {
            let now = self.engine.clock.now();
            let again = match self.look(found.kind, now).await {
                Ok(()) => self.sight(|sight| sight.made_again(found)),
                Err(_) => None,
            };
            if let Some(again) = again {
                let call = self.removing(&again);
                let deleted = self.call(doing, kind.delete(&again.object, &call)).await;
                match deleted {
                    Err(failure) if failure.class != Class::NotFound => self.warn(failure),
                    _ => tracing::info!(id = again.object.id, "deleted what was made again by itself"),
                }
            }
            let next = until.min(now + RETURN);
            if now >= until || self.pause_until(next, doing).await.is_err() {
                return;
            }
        }
    }

    /// What a deleting call is told.
    fn removing(&self, found: &Found) -> Call {
        let (owner, key) = (&self.engine.owner, &found.key);
        let request = serde_json::json!({"delete": found.object.id});
        Call {
            key: key.clone(),
            owner: owner.clone(),
            ownership: new_tags(owner, key, None),
            shared: SharedTags::default(),
            token: token(owner, key, &request, &Tags::new(), &BTreeSet::new()),
            ids: self.sight(|sight| {
                let needs = sight.declared(key).map(|part| &part.needs);
                sight.ids(needs.into_iter().flat_map(BTreeMap::keys))
            }),
            outputs: BTreeMap::new(),
        }
    }

    /// The deleting call, until it is taken.
    async fn begin_removal(
        &self,
        kind: &Arc<dyn AnyKind>,
        found: &Found,
        is_spare: bool,
        held: &(dyn Fn() + Sync),
        doing: &str,
    ) -> Result<Removed, Failure> {
        let (object, key) = (&found.object, &found.key);
        let call = self.removing(found);
        let mut patience = Patience::new(self, kind.traits().pace.limit);
        loop {
            let lock = kind.lock(&object.fields);
            let failure = match self
                .locked_call(key, lock, doing, kind.delete(object, &call))
                .await
            {
                Ok(Deleted::Gone) => return Ok(Removed::Gone),
                Ok(Deleted::Begun) => return Ok(Removed::Begun),
                Ok(Deleted::MayReturn(within)) => return Ok(Removed::MayReturn(within)),
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
                Class::Busy => {
                    held();
                    patience.again(self, failure).await?;
                }
                Class::Unknown => {
                    patience.again(self, failure).await?;
                    if self.look(found.kind, self.engine.clock.now()).await.is_ok() {
                        match self.sight(|sight| sight.find(found)) {
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
            if sight.chosen.get(&found.key) == Some(spot) {
                sight.chosen.remove(&found.key);
            }
            sight.disappears(found);
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
    /// What has the object's place again by the last look, and is nobody's.
    fn made_again(&self, found: &Found) -> Option<Found> {
        let objects = &self.answers.get(found.kind)?.objects;
        let again = objects.iter().find(|object| object.id == found.object.id)?;
        let is_it = !is_owned(again) && again.condition != Condition::Dead;
        is_it.then(|| Found {
            object: Arc::clone(again),
            ..found.clone()
        })
    }

    /// The object that stands for the part.
    pub(crate) fn found(&self, key: &Key) -> Option<Found> {
        match self.picture.parts.get(key) {
            Some(Seen::Found(found)) => Some(found.clone()),
            _ => None,
        }
    }

    /// The object as it is now, unless it is dead or gone.
    pub(crate) fn find(&self, found: &Found) -> Option<Found> {
        let spares = self.picture.spares.iter().map(|spare| spare.found.clone());
        let all = self.found(&found.key).into_iter().chain(spares);
        all.into_iter()
            .find(|now| now.kind == found.kind && now.object.id == found.object.id)
    }
}
