//! Looking: what is there, matched to parts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use serde_json::{Map, Value};

use crate::clock::Moment;
use crate::compare;
use crate::engine::Engine;
use crate::failure::{Class, Failure};
use crate::graph::{Graph, Node};
use crate::matching::{Picture, Seen};
use crate::ownership::{missing_tags, without_ownership};
use crate::part::{Ask, Condition, Key, Object, Ref};
use crate::report::{Known, Report, Unclaimed, undeclared_view};

/// Longest time that one look is tried again after being throttled and the like.
const LOOK_LIMIT: Duration = Duration::from_secs(60);

/// An object's kind and id: ids of different kinds may be equal (names).
pub(crate) type Spot = (&'static str, String);

/// What was found of an owner's parts.
pub struct Observation {
    pub(crate) engine: Engine,
    pub(crate) known: Known,
    /// The target by stages; the first is the one being worked on.
    pub(crate) graphs: Vec<Graph>,
    /// The last answer of each kind.
    pub(crate) answers: BTreeMap<&'static str, Answer>,
    /// Kinds that could not be looked at.
    pub(crate) blind: BTreeMap<&'static str, Failure>,
    /// What is there though a read may miss it, since reads lag behind.
    pub(crate) standing: BTreeMap<Spot, Standing>,
    /// What we deleted, with its time-ordered id (a name may be taken again): a read that still shows it is stale.
    pub(crate) gone: BTreeMap<Spot, String>,
    /// What we began to delete.
    pub(crate) leaving: BTreeSet<Spot>,
    /// What was kept when its part went: it is nobody's now.
    pub(crate) let_be: BTreeSet<Spot>,
    /// What was applied to an object as far as we know, for fields that cannot be read.
    pub(crate) applied: BTreeMap<Spot, Value>,
    /// The object that stands for a part in this run, once decided.
    pub(crate) chosen: BTreeMap<Key, Spot>,
    /// All of it, matched to parts.
    pub(crate) picture: Picture,
}

pub(crate) struct Answer {
    pub objects: Vec<Arc<Object>>,
    ids: BTreeSet<String>,
    /// When the look began.
    pub at: Moment,
}

impl Answer {
    /// Whether it says that this object is dead.
    pub(crate) fn has_dead(&self, id: &str) -> bool {
        let is_it = |object: &&Arc<Object>| object.id == id && object.condition == Condition::Dead;
        self.lists(id) && self.objects.iter().any(|object| is_it(&object))
    }

    pub(crate) fn lists(&self, id: &str) -> bool {
        self.ids.contains(id)
    }
}

pub(crate) struct Standing {
    pub key: Key,
    /// As last seen or as made; none where only its id is known, from the state.
    pub object: Option<Arc<Object>>,
    /// When it was last seen, or made.
    pub seen: Moment,
}

impl Observation {
    pub(crate) async fn look(engine: &Engine, graphs: &[Graph], known: &Known) -> Self {
        let mut observation = Self::blank(engine, graphs, known);
        let asked_root = observation.root_id();
        let every: Vec<&'static str> = engine.kinds.iter().map(|(name, _)| name).collect();
        observation.look_at(&every).await;
        // Under a root that was found only now there may be more to find; where nothing is known, of what has no tags.
        let again: Vec<&'static str> = every
            .iter()
            .filter(|kind| !known.ids.is_empty() || !observation.carries_tags(kind))
            .copied()
            .collect();
        if let Some(found) = observation
            .root_id()
            .filter(|_| asked_root.is_none() && !again.is_empty())
        {
            tracing::debug!(root = found, "looking again under the root");
            observation.look_at(&again).await;
        }
        // A known id that is missing may have been made a moment ago: it counts as absent only after a while.
        let mut pause = Duration::from_secs(1);
        loop {
            let awaited = observation.awaited();
            if awaited.is_empty() || engine.cancel.is_cancelled() {
                return observation;
            }
            tokio::select! {
                () = engine.clock.sleep(pause) => {}
                () = engine.cancel.cancelled() => return observation,
                // What is not seen by then stays as the state has it.
                () = engine.clock.sleep_until(engine.deadline()) => return observation,
            }
            pause = (pause * 2).min(Duration::from_secs(10));
            observation.look_at(&awaited).await;
        }
    }

    fn blank(engine: &Engine, graphs: &[Graph], known: &Known) -> Self {
        let mut observation = Self {
            engine: engine.clone(),
            known: {
                let mut known = known.clone();
                graphs.iter().for_each(|graph| known.keep_as(graph));
                known
            },
            graphs: graphs.to_vec(),
            answers: BTreeMap::new(),
            blind: BTreeMap::new(),
            standing: BTreeMap::new(),
            gone: BTreeMap::new(),
            leaving: BTreeSet::new(),
            let_be: BTreeSet::new(),
            applied: BTreeMap::new(),
            chosen: BTreeMap::new(),
            picture: Picture::default(),
        };
        observation.name_kinds();
        let now = engine.clock.now();
        for (key, id) in &known.ids {
            if let Some(kind) = observation.kind_of(key) {
                let standing = Standing {
                    key: key.clone(),
                    object: None,
                    seen: now,
                };
                observation.standing.insert((kind, id.clone()), standing);
                if let Some(fields) = known.objects.get(key) {
                    observation.applied.insert((kind, id.clone()), fields.clone());
                }
            }
        }
        observation
    }

    /// Makes the kinds that are named by the declared parts: all that there are is looked at.
    fn name_kinds(&self) {
        for part in self.graphs.iter().flat_map(Graph::iter) {
            self.engine.kinds.name(part.kind);
        }
    }

    /// Kinds of which there is no answer yet.
    pub(crate) fn unasked(&self) -> Vec<&'static str> {
        let kinds = self.engine.kinds.iter().map(|(kind, _)| kind);
        kinds
            .filter(|kind| !self.answers.contains_key(kind) && !self.blind.contains_key(kind))
            .collect()
    }

    /// Looks at the kinds and at all that is found under them: parents first.
    async fn look_at(&mut self, kinds: &[&'static str]) {
        let mut left: BTreeSet<&'static str> = kinds.iter().copied().collect();
        loop {
            let under = self.engine.kinds.iter().map(|(kind, _)| kind);
            let under = under
                .filter(|kind| self.parent_in(&left, kind))
                .collect::<Vec<_>>();
            let before = left.len();
            left.extend(under);
            if left.len() == before {
                break;
            }
        }
        let engine = self.engine.clone();
        let mut looks = FuturesUnordered::new();
        let mut under_way = BTreeSet::new();
        loop {
            let ready: Vec<(&'static str, Prospect)> = left
                .iter()
                .filter_map(|kind| Some((*kind, self.prospect_now(kind, &left, &under_way)?)))
                .collect();
            for (kind, prospect) in ready {
                left.remove(kind);
                under_way.insert(kind);
                let engine = &engine;
                looks.push(async move {
                    let at = engine.clock.now();
                    (kind, at, prospect.look(engine, kind).await)
                });
            }
            let Some((kind, at, answer)) = looks.next().await else {
                return;
            };
            under_way.remove(kind);
            self.take(kind, at, answer);
            if under_way.is_empty() {
                self.sort_out();
            }
        }
    }

    /// The prospect of a kind that can be asked already: whose parents are, or are not, where they are said to be. `left` will be
    /// asked later, `under_way` are being asked.
    fn prospect_now(
        &self,
        kind: &'static str,
        left: &BTreeSet<&'static str>,
        under_way: &BTreeSet<&'static str>,
    ) -> Option<Prospect> {
        let parent = self.engine.kinds.parent(kind).filter(|parent| *parent != kind);
        match parent {
            _ if self.is_pointless(kind) => Some(Prospect::Nothing),
            Some(parent) if left.contains(parent) || under_way.contains(parent) => None,
            Some(parent) if !under_way.is_empty() => self.under_known(kind, parent),
            _ => Some(self.prospect(kind)),
        }
    }

    /// What to ask a kind as soon as its parents have answered, before all else has: where they are those that the state knows and
    /// ours, or there are none. Otherwise whose they are hangs on what is found of other kinds.
    fn under_known(&self, kind: &str, parent: &str) -> Option<Prospect> {
        let answer = self.answers.get(parent)?;
        let known = self
            .known
            .ids
            .iter()
            .filter(|(key, _)| self.kind_of(key) == Some(parent));
        let known: BTreeSet<&String> = known.map(|(_, id)| id).collect();
        let is_as_known = |object: &Arc<Object>| {
            known.contains(&object.id)
                && !matches!(object.condition, Condition::Dead | Condition::Deleting)
                && self.is_ours(&object.tags)
        };
        if known.is_empty() && answer.objects.is_empty() {
            return Some(Prospect::Nothing);
        }
        let is_all = answer.objects.len() == known.len() && answer.objects.iter().all(is_as_known);
        is_all.then(|| {
            Prospect::Ask(Ask {
                parents: answer.objects.clone(),
                ..self.ask(kind)
            })
        })
    }

    /// Whether nobody need be asked ([`Kind::only_where_meant`]).
    fn is_pointless(&self, kind: &str) -> bool {
        let kinds = &self.engine.kinds;
        let has_state = !self.known.ids.is_empty() && !self.known.import;
        if !has_state || !kinds.get(kind).is_some_and(|kind| kind.only_where_meant()) {
            return false;
        }
        let ask = self.ask(kind);
        ask.known.is_empty() && ask.declared.is_empty()
    }

    fn parent_in(&self, kinds: &BTreeSet<&'static str>, kind: &str) -> bool {
        let parent = self.engine.kinds.parent(kind);
        parent.is_some_and(|parent| parent != kind && kinds.contains(parent))
    }

    /// What can be said of a kind before it is asked.
    pub(crate) fn prospect(&self, kind: &str) -> Prospect {
        let mut ask = self.ask(kind);
        let Some(parent) = self.engine.kinds.parent(kind) else {
            return Prospect::Ask(ask);
        };
        if self.is_pointless(kind) {
            return Prospect::Nothing;
        }
        let found = self.picture.parts.values().filter_map(|seen| match seen {
            Seen::Found(found) => Some(found),
            _ => None,
        });
        let spares = self.picture.spares.iter().map(|spare| &spare.found);
        let parents = found.chain(spares).filter(|found| found.kind == parent);
        let parents =
            parents.filter(|found| !matches!(found.object.condition, Condition::Dead | Condition::Deleting));
        ask.parents = parents.map(|found| Arc::clone(&found.object)).collect();
        match self.blind.get(parent) {
            _ if !ask.parents.is_empty() => Prospect::Ask(ask),
            Some(failure) if !self.answers.contains_key(parent) => Prospect::Blind(failure.clone()),
            _ => Prospect::Nothing,
        }
    }

    /// Notes an answer; [`Observation::sort_out`] makes something of it.
    pub(crate) fn take(
        &mut self,
        kind: &'static str,
        at: Moment,
        answer: Result<Option<Vec<Object>>, Failure>,
    ) {
        match answer {
            Ok(objects) => {
                self.blind.remove(kind);
                if objects.is_none() {
                    // Gone with what it was in, however lately it was seen.
                    self.standing
                        .retain(|(of, _), standing| *of != kind || standing.object.is_none());
                }
                let objects = objects.unwrap_or_default();
                self.answers.insert(
                    kind,
                    Answer {
                        ids: objects.iter().map(|object| object.id.clone()).collect(),
                        objects: objects.into_iter().map(Arc::new).collect(),
                        at,
                    },
                );
            }
            Err(failure) => {
                self.blind.insert(kind, failure);
            }
        }
    }

    /// Whether it is left alone that a part which was there is gone.
    fn is_ignored(&self, key: &Key) -> bool {
        self.known.declared.contains_key(key) && compare::is_part_ignored(key, &self.engine.ignore_drift)
    }

    /// The same where the state knows already that it is gone: it is not made again.
    pub(crate) fn is_left_out(&self, key: &Key) -> bool {
        !self.known.ids.contains_key(key) && self.is_ignored(key)
    }

    /// What to ask a kind.
    pub(crate) fn ask(&self, kind: &str) -> Ask {
        let mut ask = Ask {
            formerly: self.engine.formerly.resources(&self.engine.owner),
            owner: self.engine.owner.clone(),
            known: BTreeMap::new(),
            declared: BTreeMap::new(),
            root: self.root_id(),
            parents: Vec::new(),
        };
        for ((of, id), standing) in &self.standing {
            if *of == kind
                && (standing.object.is_none()
                    || self.chosen.get(&standing.key).is_none_or(|spot| spot.1 == *id))
            {
                ask.known.insert(standing.key.clone(), id.clone());
            }
        }
        for (key, fields) in &self.known.objects {
            if self.kind_of(key) == Some(kind) {
                ask.declared.insert(key.clone(), fields.clone());
            }
        }
        for part in self
            .graphs
            .iter()
            .rev()
            .flat_map(Graph::iter)
            .filter(|part| part.kind == kind)
        {
            ask.declared.insert(part.key.clone(), part.fields.clone());
        }
        ask
    }

    /// The declared part of this key: of this stage, else of the next that has it.
    pub(crate) fn declared(&self, key: &Key) -> Option<&Arc<Node>> {
        self.graphs.iter().find_map(|graph| graph.get(key))
    }

    pub(crate) fn kind_of(&self, key: &Key) -> Option<&'static str> {
        if let Some(part) = self.declared(key) {
            return Some(part.kind);
        }
        let by_prefix = || key.0.split('/').next().unwrap_or_default();
        let name = self.known.kinds.get(key).map_or_else(by_prefix, String::as_str);
        self.engine.kinds.name(name)
    }

    /// The key of the root: the graph says it, else the tags that only a root has.
    pub(crate) fn root_key(&self) -> Option<Key> {
        let declared = self
            .graphs
            .last()
            .and_then(Graph::root_key)
            .or(self.known.root.as_ref());
        declared.cloned().or_else(|| self.picture.root_by_tags.clone())
    }

    pub(crate) fn root_id(&self) -> Option<String> {
        let root = self.root_key()?;
        self.id(&root).or_else(|| self.known.ids.get(&root).cloned())
    }

    /// The id of the object that stands for the part.
    pub(crate) fn id(&self, key: &Key) -> Option<String> {
        match self.picture.parts.get(key)? {
            Seen::Found(found) => Some(found.object.id.clone()),
            Seen::Unseen(_) => self.known.ids.get(key).cloned(),
            Seen::Absent | Seen::Foreign(_) => None,
        }
    }

    /// Why parts of this one's kind could not be looked at, if so.
    pub(crate) fn blind_at(&self, key: &Key) -> Option<&Failure> {
        self.blind.get(self.kind_of(key)?)
    }

    /// What the part's object is called by this name; none while it is not known.
    pub(crate) fn output(&self, key: &Key, name: &str) -> Option<Value> {
        match self.picture.parts.get(key)? {
            Seen::Found(found) if name == "arn" => found.object.arn.clone().map(Value::String),
            Seen::Found(found) => found.object.outputs.get(name).cloned(),
            Seen::Unseen(_) => self.known.outputs.get(key)?.get(name).cloned(),
            Seen::Absent | Seen::Foreign(_) => None,
        }
    }

    /// What a reference stands for; none while it is not known.
    pub(crate) fn value(&self, named: &Ref) -> Option<Value> {
        match &named.output {
            None => self.id(&named.key).map(Value::String),
            Some(name) => self.output(&named.key, name),
        }
    }

    /// What the part takes of others, as far as it is known.
    pub(crate) fn taken(&self, part: &Node) -> Vec<(Ref, Value)> {
        let taken = part.takes.iter();
        taken
            .filter_map(|named| Some((named.clone(), self.value(named)?)))
            .collect()
    }

    pub(crate) fn ids<'a>(&self, keys: impl Iterator<Item = &'a Key>) -> BTreeMap<Key, String> {
        keys.filter_map(|key| Some((key.clone(), self.id(key)?)))
            .collect()
    }

    /// Kinds with ids of the state that no look has shown so far.
    fn awaited(&self) -> Vec<&'static str> {
        // What a look shows and is not ours (any more) will not become ours by waiting.
        let is_listed = |kind: &str, id: &str| self.answers.get(kind).is_some_and(|answer| answer.lists(id));
        let missing = self.standing.iter().filter(|((kind, id), standing)| {
            standing.object.is_none()
                && !self.chosen.contains_key(&standing.key)
                && !self.blind.contains_key(kind)
                && !is_listed(kind, id)
                && !matches!(self.prospect(kind), Prospect::Nothing)
        });
        missing
            .map(|((kind, _), _)| *kind)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect()
    }

    /// The differences of a part that was found, from what the graph says. `replaced` parts count as having no id.
    pub(crate) fn differences(
        &self,
        part: &Node,
        object: &Object,
        replaced: &dyn Fn(&Key) -> bool,
    ) -> Vec<compare::Differing> {
        let is = self.as_it_is(part, object, replaced);
        let later: Vec<&Node> = self
            .graphs
            .iter()
            .skip(1)
            .filter_map(|graph| graph.get(&part.key))
            .map(|part| &**part)
            .collect();
        let applied = self.known.objects.get(&part.key);
        compare::differences_from(
            part,
            &is,
            applied,
            self.known.declared.get(&part.key).or(applied),
            &later,
            &self.engine.ignore_drift,
        )
    }

    /// The fields of a part's object: references as keys, and what cannot be read as it was last applied.
    fn as_it_is(&self, part: &Node, object: &Object, replaced: &dyn Fn(&Key) -> bool) -> Value {
        let known = |named: &Ref| self.value(named).filter(|_| !replaced(&named.key));
        let is = part.name_outputs(&object.fields, &known);
        let mut is = self.keyed(part.kind, Some(part), &is, replaced);
        let applied = self.applied.get(&(part.kind, object.id.clone()));
        for field in part.unreadable() {
            if let Some(fields) = is.as_object_mut() {
                let value = applied.and_then(|applied| applied.get(field));
                fields.insert(field.clone(), value.cloned().unwrap_or_default());
            }
        }
        is
    }

    /// Whether the state knows the part as it is declared now: nothing is to be done, as far as one can know unseen.
    pub(crate) fn is_known_as_declared(&self, part: &Node) -> bool {
        let objects = &self.known.objects;
        self.known.ids.contains_key(&part.key)
            && objects.get(&part.key).is_some_and(|is| {
                compare::differences(part, is, Some(is), &[], &self.engine.ignore_drift).is_empty()
            })
    }

    /// Notes that these fields were applied to the object.
    pub(crate) fn note_applied<'a>(
        &mut self,
        part: &Node,
        spot: Spot,
        fields: impl Iterator<Item = (&'a String, &'a Value)>,
    ) {
        let unreadable: BTreeSet<&String> = part.unreadable().collect();
        let applied = self
            .applied
            .entry(spot)
            .or_insert_with(|| Value::Object(Map::new()));
        for (field, value) in fields.filter(|(field, _)| unreadable.contains(field)) {
            applied[field.as_str()] = value.clone();
        }
    }

    /// Compares with other graphs what was seen.
    pub(crate) fn declare(&mut self, stages: Vec<Graph>) {
        self.graphs = stages;
        self.name_kinds();
        self.sort_out();
    }

    /// How things are, for the state.
    pub fn report(&self) -> Report {
        let mut report = Report {
            warnings: self.blind.values().cloned().collect(),
            present: self
                .answers
                .values()
                .flat_map(|answer| answer.ids.iter().cloned())
                .collect(),
            ..Report::default()
        };
        let nothing = |_: &Key| false;
        for (key, seen) in &self.picture.parts {
            let known = self.known.ids.contains_key(key);
            let part = self.graphs.last().and_then(|graph| graph.get(key));
            let applied = self.known.objects.get(key);
            if let Some(kind) = self.kind_of(key) {
                report.kinds.insert(key.clone(), kind.to_owned());
            }
            match seen {
                Seen::Absent if self.is_ignored(key) => {}
                Seen::Absent if known => report.drift.push(format!("{key}: deleted outside")),
                Seen::Absent if part.is_some() => report.drift.push(format!("{key}: missing")),
                Seen::Absent => {}
                Seen::Foreign(failure) => report.foreign.push(failure.clone()),
                Seen::Unseen(_) => {
                    report
                        .ids
                        .extend(self.known.ids.get(key).map(|id| (key.clone(), id.clone())));
                    let shown = |fields: &Value| match part {
                        Some(part) => part.shown(fields),
                        None => without_tags(fields.clone()),
                    };
                    report.objects.extend(
                        applied
                            .filter(|_| known)
                            .map(|fields| (key.clone(), shown(fields))),
                    );
                }
                Seen::Found(found) => {
                    let object = &*found.object;
                    report.kinds.insert(key.clone(), found.kind.to_owned());
                    let fields = match part {
                        Some(part) => {
                            let is = without_ownership(self.as_it_is(part, object, &nothing));
                            let declared = self.known.declared.get(key).or(applied);
                            part.shown(&compare::view(
                                part,
                                &is,
                                applied,
                                declared,
                                &self.engine.ignore_drift,
                            ))
                        }
                        None => {
                            let is = self.keyed(found.kind, None, &object.fields, &nothing);
                            let is = undeclared_view(&without_ownership(is));
                            if self.graphs.is_empty() {
                                is
                            } else {
                                without_tags(is)
                            }
                        }
                    };
                    // What failed or is on its way to gone is not there for a plan: it will be made again.
                    if !found.has_ended() {
                        report.objects.insert(key.clone(), fields);
                    }
                    report.ids.insert(key.clone(), object.id.clone());
                    report
                        .arns
                        .extend(object.arn.clone().map(|arn| (key.clone(), arn)));
                    report.found.insert(key.clone(), object.clone());
                    match &object.condition {
                        Condition::Failed(reason) => report.drift.push(format!("{key}: failed: {reason}")),
                        Condition::Deleting => report.drift.push(format!("{key}: being deleted")),
                        _ => {}
                    }
                    let Some(part) = part else {
                        if !self.graphs.is_empty() {
                            report
                                .drift
                                .push(format!("{key}: no longer declared, still there ({})", object.id));
                        }
                        continue;
                    };
                    for found in self.differences(part, object, &nothing) {
                        report.drift.extend(
                            found
                                .leaves
                                .iter()
                                .map(|leaf| format!("{key}: {}", leaf.sentence())),
                        );
                    }
                    if self.carries_tags(found.kind) {
                        for (name, is, should) in missing_tags(&self.engine.owner, key, object) {
                            report.drift.push(match is {
                                None => format!("{key}: tags {name}: missing"),
                                Some(is) => format!("{key}: tags {name}: is {is}, should be {should}"),
                            });
                        }
                    }
                }
            }
        }
        for spare in self.picture.spares.iter().filter(|spare| spare.is_removable) {
            report.drift.push(format!(
                "{}: there is a second one, {}, of an interrupted run",
                spare.found.key, spare.found.object.id
            ));
        }
        report.kept = self.known.kept.clone();
        report.kept.retain(|key, _| report.ids.contains_key(key));
        report.warnings.extend(self.picture.warnings.iter().cloned());
        report.root = self.picture.root.clone();
        let unclaimed = self.picture.unclaimed.iter();
        report.unclaimed = unclaimed
            .map(|(kind, object)| Unclaimed {
                kind,
                object: (**object).clone(),
            })
            .collect();
        report
    }

    pub(crate) fn carries_tags(&self, kind: &str) -> bool {
        self.engine
            .kinds
            .get(kind)
            .is_some_and(|kind| kind.carries_tags())
    }
}

/// Of what is not declared cannot be told which tags are the user's, who may not want to see them.
fn without_tags(mut fields: Value) -> Value {
    if let Some(fields) = fields.as_object_mut() {
        fields.shift_remove("tags");
    }
    fields
}

/// The time-out is over before a look came to its end; what it met on its way says more.
fn too_late(last: Option<Failure>, kind: &str) -> Failure {
    let cause = match &last {
        Some(failure) => format!(
            "the time-out of the resource is over; the last answer was {}",
            failure.cause
        ),
        None => "the time-out of the resource is over, and there was no answer".to_owned(),
    };
    Failure {
        request_id: last.and_then(|failure| failure.request_id),
        ..Failure::new(Class::TimedOut, format!("looking at {kind}"), cause)
            .hint("Run it again, or raise the time-out in the block `timeouts` (`read` for refreshing and planning).")
    }
}

/// What can be said of a kind before it is asked.
pub(crate) enum Prospect {
    Ask(Ask),
    /// What it is found under is not there.
    Nothing,
    /// What it is found under could not be looked at.
    Blind(Failure),
}

impl Prospect {
    /// The objects; none where there is nothing to look under.
    pub(crate) async fn look(self, engine: &Engine, kind: &str) -> Result<Option<Vec<Object>>, Failure> {
        match self {
            Self::Ask(ask) => ask_kind(engine, kind, &ask).await.map(Some),
            Self::Nothing => Ok(None),
            Self::Blind(failure) => Err(failure),
        }
    }
}

/// One look at a kind, tried again while it is throttled and the like.
pub(crate) async fn ask_kind(engine: &Engine, name: &str, ask: &Ask) -> Result<Vec<Object>, Failure> {
    let Some(kind) = engine.kinds.get(name) else {
        return Err(Failure::new(
            Class::Other,
            format!("looking at {name}"),
            "no such kind (a defect of the provider)",
        ));
    };
    let begun = engine.clock.now();
    let mut pause = Duration::from_millis(500);
    let mut last = None;
    loop {
        if engine.cancel.is_cancelled() {
            return Err(Failure::new(
                Class::Cancelled,
                format!("looking at {name}"),
                "the run was cancelled",
            ));
        }
        let failure = tokio::select! {
            biased;
            answer = kind.observe(ask) => match answer {
                Ok(objects) => return Ok(objects),
                Err(failure) => failure,
            },
            () = engine.cancel.cancelled() => continue,
            () = engine.clock.sleep_until(engine.deadline()) => return Err(too_late(last, name)),
        };
        // A read that may or may not have been carried out can be repeated.
        let again = matches!(
            failure.class,
            Class::Throttled | Class::Transient | Class::Unknown | Class::NotYet | Class::Busy
        );
        if !again || engine.clock.now().since(begun) > LOOK_LIMIT {
            return Err(failure);
        }
        last = Some(failure);
        tokio::select! {
            () = engine.clock.sleep(engine.clock.jitter(pause)) => {}
            () = engine.cancel.cancelled() => {}
            () = engine.clock.sleep_until(engine.deadline()) => {}
        }
        pause = (pause * 2).min(Duration::from_secs(10));
    }
}
