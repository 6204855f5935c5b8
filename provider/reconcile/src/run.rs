//! A reconcile or destroy from begin to end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures::future::{join, join_all};

use crate::bring::{Pass, fought_over, refused};
use crate::compare;
use crate::delete::{Removal, order};
use crate::engine::{Engine, Way};
use crate::failure::{Class, Failure};
use crate::graph::{Graph, Node};
use crate::matching::{Found, Seen, is_owned};
use crate::observe::{Observation, Spot};
use crate::ownership::{
    Claim, Phase, Purpose, RootTags, belongs_to_another, check_schema, may_adopt, new_tags, taken_over,
};
use crate::part::{Condition, Key, Object, Remedy, Tags};
use crate::report::{Allowed, Known, Outcome, Report};
use crate::schedule::{Schedule, Stop};
use crate::wait::{Patience, Run, cancelled};

/// Longest time for saying on the root whose it is at the end of a create that failed.
const LAST_WORD: Duration = Duration::from_secs(30);
/// Most stages of one change.
const STAGES: usize = 100;
/// Most passes over one stage: a second mends what the services changed behind our back, a third is patience.
const PASSES: u32 = 3;

pub(crate) async fn reconcile(
    engine: &Engine,
    way: &dyn Way,
    known: &Known,
    allowed: &Allowed,
    purpose: &Purpose,
) -> Outcome {
    let refused = |report, errors| Outcome {
        report,
        errors,
        refused: true,
        ..Outcome::default()
    };
    let names = match stages(engine, way, 0, &Report::default()).await {
        Ok(stages) => stages,
        Err(faults) => return refused(Report::default(), faults),
    };
    let _guard = match own(engine).await {
        Ok(guard) => guard,
        Err(failure) => return refused(Report::default(), vec![failure]),
    };
    let mut observation = Observation::look(engine, &names, known).await;
    match stages(engine, way, 0, &observation.report()).await {
        Ok(stages) => observation.declare(stages),
        Err(faults) => return refused(observation.report(), faults),
    }
    let refusals = refusals(&observation, allowed, purpose);
    if !refusals.is_empty() {
        return refused(observation.report(), refusals);
    }
    let run = Run::new(observation);
    let obstacles = run
        .in_the_way(&run.sight(|sight| deletions(sight, allowed).removals))
        .await;
    if !obstacles.is_empty() {
        return Outcome {
            refused: true,
            ..run.outcome(obstacles)
        };
    }
    if let Err(failure) = run.take_over(purpose).await {
        // Without that nothing may be built on it, and no state but the one before may have it.
        return Outcome {
            refused: true,
            ..run.outcome(vec![(Key(String::new()), failure)])
        };
    }
    let mut errors = Vec::new();
    for behind in 1.. {
        errors = run.stage(allowed, purpose).await;
        // The last stays: the report is about it.
        if !errors.is_empty() || run.sight(|sight| sight.graphs.len() == 1) {
            break;
        }
        let report = run.sight(|sight| sight.report());
        match stages(engine, way, behind, &report).await {
            Ok(stages) if behind < STAGES => {
                run.sight(|sight| sight.declare(stages));
                run.look_at_new_kinds().await;
            }
            Ok(_) => {
                let cause = format!("there are still stages to go through after {behind}");
                let doing = format!("changing {}", engine.owner.resource);
                errors.push((
                    Key(String::new()),
                    Failure::new(Class::Other, doing, cause).code("EKB1315"),
                ));
            }
            Err(faults) => errors.extend(faults.into_iter().map(|fault| (Key(String::new()), fault))),
        }
        if !errors.is_empty() {
            break;
        }
    }
    let ending = if errors.is_empty() {
        run.finish(purpose).await
    } else {
        run.give_up(purpose).await
    };
    if let Err(failure) = ending {
        errors.push((Key(String::new()), failure));
    }
    run.outcome(errors)
}

/// The stages ahead, sound and wholly known; at least one.
async fn stages(
    engine: &Engine,
    way: &dyn Way,
    behind: usize,
    found: &Report,
) -> Result<Vec<Graph>, Vec<Failure>> {
    // What is ahead may be waited for (a look of the service's own).
    let stages = tokio::select! {
        stages = way.ahead(behind, found) => stages,
        () = engine.cancel.cancelled() => Err(cancelled("looking at what is ahead")),
    };
    let stages = stages.map_err(|failure| vec![failure])?;
    let checks = stages
        .iter()
        .flat_map(|graph| [graph.check(), graph.check_known()]);
    let faults: Vec<Failure> = checks.filter_map(Result::err).flatten().collect();
    if faults.is_empty() && !stages.is_empty() {
        Ok(stages)
    } else {
        Err(faults)
    }
}

pub(crate) async fn destroy(
    engine: &Engine,
    graph: Option<&Graph>,
    known: &Known,
    incarnation: Option<&str>,
) -> Outcome {
    let _guard = match own(engine).await {
        Ok(guard) => guard,
        Err(failure) => {
            return Outcome {
                errors: vec![failure],
                refused: true,
                ..Outcome::default()
            };
        }
    };
    let observation = engine.observe(graph, known).await;
    match may_destroy(&observation, incarnation) {
        Ok(true) => {}
        Ok(false) => {
            return Outcome {
                report: observation.report(),
                left: true,
                ..Outcome::default()
            };
        }
        Err(failure) => {
            return Outcome {
                report: observation.report(),
                errors: vec![failure],
                refused: true,
                ..Outcome::default()
            };
        }
    }
    let run = Run::new(observation);
    let obstacles = run.in_the_way(&run.sight(|sight| everything(sight))).await;
    if !obstacles.is_empty() {
        return Outcome {
            refused: true,
            ..run.outcome(obstacles)
        };
    }
    let mut errors = Vec::new();
    for _ in 0..PASSES {
        let removals = run.sight(|sight| everything(sight));
        if removals.is_empty() {
            break;
        }
        let schedule = Schedule::new([].into_iter(), &removals);
        errors = run.remove_all(&removals, &schedule).await;
        if !errors.is_empty() || engine.cancel.is_cancelled() {
            break;
        }
        // What became visible meanwhile goes too.
        let now = engine.clock.now();
        let looks = join_all(engine.kinds.iter().map(|(kind, _)| run.look(kind, now))).await;
        // Who may not look at a kind has been told so.
        let failed = looks.into_iter().filter_map(Result::err);
        errors = failed
            .filter(|failure| failure.class != Class::Denied)
            .map(|failure| (Key(String::new()), failure))
            .collect();
        if !errors.is_empty() {
            break;
        }
    }
    if errors.is_empty() && !engine.cancel.is_cancelled() {
        errors = run.sight(|sight| left_over(sight));
    }
    run.sight(|sight| foreign(sight))
        .into_iter()
        .for_each(|failure| run.warn(failure));
    run.outcome(errors)
}

/// What is still there after the last pass of a destroy.
fn left_over(sight: &Observation) -> Vec<(Key, Failure)> {
    let left = everything(sight).into_iter().map(|removal| {
        let (key, id) = (removal.found.key.clone(), &removal.found.object.id);
        let cause = format!("{id} is still there, though no call failed");
        let failure = Failure::new(Class::Other, format!("deleting {key}"), cause).code("EKB1320");
        (
            key,
            failure.hint("Something makes it again, or reads lag behind: destroy again."),
        )
    });
    left.collect()
}

/// What has the name or place of a part and is not ours: a destroy leaves it alone, and says so.
fn foreign(sight: &Observation) -> Vec<Failure> {
    let foreign = sight.picture.parts.values().filter_map(|seen| match seen {
        Seen::Foreign(failure) => Some(failure.clone()),
        _ => None,
    });
    foreign
        .map(|failure| failure.hint("It is left as it is: remove it by hand where nobody needs it."))
        .collect()
}

/// Runs of one owner exclude each other.
async fn own(engine: &Engine) -> Result<tokio::sync::OwnedMutexGuard<()>, Failure> {
    let owner = &engine.owner;
    let name = format!("owner {}/{}/{}", owner.environment, owner.region, owner.resource);
    tokio::select! {
        guard = engine.locks.lock(&name) => Ok(guard),
        () = engine.cancel.cancelled() => Err(crate::wait::cancelled(&format!("waiting for another change of {}", owner.resource))),
    }
}

/// Whether the state that knows `incarnation` may destroy what was found: `Ok(false)` means that a later create has taken
/// everything over, so nothing is to be done.
fn may_destroy(sight: &Observation, incarnation: Option<&str>) -> Result<bool, Failure> {
    let owner = &sight.engine.owner;
    let Some(key) = sight.root_key() else {
        return Ok(true);
    };
    let found = match sight.picture.parts.get(&key) {
        Some(Seen::Found(found)) => found,
        // Whose it is cannot be told.
        Some(Seen::Unseen(failure)) => return Err(failure.clone()),
        // Somebody has changed the tags of the root that this state knows.
        Some(Seen::Foreign(failure)) if sight.known.ids.contains_key(&key) => return Err(failure.clone()),
        // Gone, or never made: what is left is ours by its own tags.
        Some(Seen::Foreign(_) | Seen::Absent) | None => return Ok(true),
    };
    let (root, id) = (RootTags::read(&found.object.tags), &found.object.id);
    check_schema(owner, sight.engine.schema, &root)?;
    match root.claim(incarnation) {
        Claim::Holds => Ok(true),
        // With the root, a later create has taken over all that carries the owner's tags.
        Claim::Superseded | Claim::Outlived => Ok(false),
        // The root that this state knew is gone, or never was: that is another's.
        Claim::Stranger if sight.known.ids.get(&key) != Some(id) => Ok(false),
        Claim::Stranger => Err(belongs_to_another(owner, incarnation, &root, id)),
    }
}

/// What speaks against changing anything at all.
fn refusals(sight: &Observation, allowed: &Allowed, purpose: &Purpose) -> Vec<Failure> {
    let owner = &sight.engine.owner;
    let mut refusals: Vec<Failure> = sight.picture.conflict.iter().cloned().collect();
    let root_key = sight.root_key();
    match root_key.as_ref().and_then(|key| sight.picture.parts.get(key)) {
        Some(Seen::Found(found)) => {
            let root = RootTags::read(&found.object.tags);
            let id = &found.object.id;
            let may = check_schema(owner, sight.engine.schema, &root).and_then(|()| match purpose {
                Purpose::Create { .. } if found.object.condition == Condition::Deleting => Ok(()),
                Purpose::Create { .. } if sight.is_adopted(found) => Ok(()),
                Purpose::Create { incarnation } => may_adopt(owner, incarnation, &root, id),
                Purpose::Update { incarnation } => match root.claim(incarnation.as_deref()) {
                    Claim::Holds => Ok(()),
                    Claim::Superseded => Err(taken_over(owner, id)),
                    Claim::Outlived | Claim::Stranger => {
                        Err(belongs_to_another(owner, incarnation.as_deref(), &root, id))
                    }
                },
            });
            refusals.extend(may.err());
        }
        // Whose it is cannot be told; or it is somebody else's, with all that hangs on it.
        Some(Seen::Unseen(failure) | Seen::Foreign(failure)) => refusals.push(failure.clone()),
        _ => {}
    }
    if !refusals.is_empty() {
        return refusals;
    }
    for (key, seen) in &sight.picture.parts {
        let declared = sight.declared(key).is_some();
        match seen {
            Seen::Foreign(failure) => refusals.push(failure.clone()),
            Seen::Absent if sight.is_left_out(key) => {}
            Seen::Absent if declared && matches!(purpose, Purpose::Update { .. }) => {
                if let Some(id) = sight
                    .known
                    .ids
                    .get(key)
                    .filter(|_| sight.known.objects.contains_key(key))
                {
                    let cause = format!("{id} was there when this was planned and is gone");
                    let failure =
                        Failure::new(Class::NotFound, format!("looking at {key}"), cause).code("EKB1310");
                    refusals.push(failure.hint("Nothing was changed. Plan and apply again: the plan will show that it is made again."));
                }
            }
            _ => {}
        }
    }
    let nothing = |_: &Key| false;
    for part in sight.graphs.first().into_iter().flat_map(Graph::iter) {
        let Some(Seen::Found(found)) = sight.picture.parts.get(&part.key) else {
            continue;
        };
        let differing = sight.differences(part, &found.object, &nothing);
        refusals.extend(differing.iter().filter_map(|differing| {
            let doing = format!("changing {}", part.key);
            Some(refused(doing, &found.object.id, differing, differing.refusal()?))
        }));
    }
    for (key, (found, sentence)) in replacements(sight).into_iter().chain(leaving(sight)) {
        let is_root = root_key.as_ref() == Some(&key);
        if !is_owned(&found.object) && sight.carries_tags(found.kind) && !sight.known.ids.contains_key(&key) {
            let cause = format!(
                "{} has this name and cannot be taken over: {sentence}",
                found.object.id
            );
            let failure = Failure::new(Class::Exists, format!("looking at {key}"), cause).code("EKB1321");
            refusals.push(failure.hint("It is not touched. Remove it, or choose another name."));
            continue;
        }
        let create = matches!(purpose, Purpose::Create { .. });
        let is_settled = matches!(found.object.condition, Condition::Settled | Condition::Unready(_));
        if allowed.allows(&key) && !(is_root && create && is_settled) {
            continue;
        }
        let cause = format!(
            "{} has to be deleted and made again ({sentence}), which the plan did not show",
            found.object.id
        );
        let hint = if is_root && create {
            "Nothing was changed. A replacement that creates first (`create_before_destroy`, here or on something that \
             depends on this) is not possible, since there is one of it by name: remove that setting, or choose another name."
        } else {
            "Nothing was changed. Plan and apply again: the plan will show it."
        };
        refusals.push(
            Failure::new(Class::Invalid, format!("changing {key}"), cause)
                .code("EKB1307")
                .hint(hint),
        );
    }
    refusals
}

/// Declared parts whose object is being deleted by somebody else: they will have to be made again.
fn leaving(sight: &Observation) -> BTreeMap<Key, (Found, String)> {
    let parts = sight.picture.parts.iter().filter_map(|(key, seen)| match seen {
        Seen::Found(found)
            if found.object.condition == Condition::Deleting && sight.declared(key).is_some() =>
        {
            Some((key.clone(), (found.clone(), "it is being deleted".to_owned())))
        }
        _ => None,
    });
    parts.collect()
}

/// Declared parts whose object has to be deleted and made again: failed ones, those with a difference that cannot be
/// mended, and what refers to such a part in a field that cannot be changed. With the reason.
fn replacements(sight: &Observation) -> BTreeMap<Key, (Found, String)> {
    let mut replaced: BTreeMap<Key, (Found, String)> = BTreeMap::new();
    loop {
        let before = replaced.len();
        let keys: BTreeSet<Key> = replaced.keys().cloned().collect();
        for (key, seen) in &sight.picture.parts {
            let (Some(part), Seen::Found(found), false) = (
                sight.graphs.first().and_then(|graph| graph.get(key)),
                seen,
                keys.contains(key),
            ) else {
                continue;
            };
            let why = match &found.object.condition {
                Condition::Failed(reason) => Some(format!("it failed: {reason}")),
                Condition::Settled | Condition::Unready(_) => sight
                    .differences(part, &found.object, &|key| keys.contains(key))
                    .iter()
                    .find(|found| found.difference.remedy == Remedy::Replace)
                    .map(|found| {
                        found
                            .leaves
                            .first()
                            .map(compare::Leaf::sentence)
                            .unwrap_or_default()
                    }),
                _ => None,
            };
            if let Some(why) = why {
                replaced.insert(key.clone(), (found.clone(), why));
            }
        }
        if replaced.len() == before {
            return replaced;
        }
    }
}

/// What a destroy removes: all of ours, and in their place in the order parts that could not be looked at.
fn everything(sight: &Observation) -> Vec<Removal> {
    let mut removals = Vec::new();
    for (key, seen) in &sight.picture.parts {
        match seen {
            Seen::Found(found) => removals.push(Removal {
                kept: sight.known.kept.get(key).cloned(),
                ..Removal::of(found.clone())
            }),
            Seen::Unseen(failure) => {
                let (Some(id), Some(kind)) = (sight.known.ids.get(key), sight.kind_of(key)) else {
                    continue;
                };
                let object = Object {
                    id: id.clone(),
                    arn: None,
                    condition: Condition::Settled,
                    fields: serde_json::Value::Null,
                    tags: BTreeMap::new(),
                    references: Vec::new(),
                    outputs: BTreeMap::new(),
                    detail: serde_json::Value::Null,
                };
                let found = Found {
                    key: key.clone(),
                    kind,
                    object: object.into(),
                };
                removals.push(Removal {
                    blind: Some(failure.clone()),
                    ..Removal::of(found)
                });
            }
            Seen::Absent | Seen::Foreign(_) => {}
        }
    }
    removals.extend(
        sight
            .picture
            .spares
            .iter()
            .map(|spare| Removal::of(spare.found.clone())),
    );
    // What ends with what it lies in need not be reached.
    let leaving: BTreeSet<&str> = removals
        .iter()
        .filter(|removal| removal.kept.is_none() && removal.blind.is_none())
        .map(|removal| removal.found.kind)
        .collect();
    let kinds = &sight.engine.kinds;
    removals.retain(|removal| {
        let kind = removal.found.kind;
        let ends = kinds.get(kind).is_some_and(|kind| kind.ends_with_parent());
        !(ends && kinds.parent(kind).is_some_and(|parent| leaving.contains(parent)))
    });
    order(&mut removals, &sight.graphs, sight);
    removals
}

impl Run {
    /// What of others stands against these deletions: looked for before anything is deleted, and waited for where it may
    /// go by itself.
    async fn in_the_way(&self, removals: &[Removal]) -> Vec<(Key, Failure)> {
        if removals.is_empty() {
            return Vec::new();
        }
        let all = self.sight(|sight| everything(sight));
        let objects = |removals: &'_ [Removal]| {
            let objects = removals.iter().map(|removal| Arc::clone(&removal.found.object));
            objects.collect::<Vec<_>>()
        };
        let (going, ours) = (objects(removals), objects(&all));
        let going: Vec<&Object> = going.iter().map(|object| &**object).collect();
        let ours: Vec<&Object> = ours.iter().map(|object| &**object).collect();
        let (going, ours) = (&going, &ours);
        let looks = removals.iter().map(|removal| async move {
            let found = &removal.found;
            let kind = self.engine.kinds.get(found.kind)?;
            let mut patience = Patience::new(self, kind.traits().pace.limit);
            loop {
                let failure = kind.in_the_way(&found.object, going, ours).await.err()?;
                if let Err(end) = patience.again(self, failure).await {
                    return Some((found.key.clone(), end));
                }
            }
        });
        join_all(looks).await.into_iter().flatten().collect()
    }

    /// Brings everything to what the stage's graph says.
    async fn stage(&self, allowed: &Allowed, purpose: &Purpose) -> Vec<(Key, Failure)> {
        let mut before = Vec::new();
        for _ in 0..PASSES {
            let errors = self.pass(allowed, purpose).await;
            if errors.is_empty() && self.sight(|sight| sight.amiss()).is_none() {
                return errors;
            }
            if !errors.is_empty() && !self.may_pass_again(&before, &errors, purpose).await {
                return errors;
            }
            before = errors;
        }
        if let (true, Some((key, differing))) = (before.is_empty(), self.sight(|sight| sight.amiss())) {
            let failure = if differing.is_empty() {
                Failure::new(
                    Class::Other,
                    format!("bringing {key} to what it should be"),
                    "it is still missing, though no call failed",
                )
                .code("EKB1312")
                .hint("Plan again: it shows what is left to do.")
            } else {
                fought_over(&key, &format!("bringing {key} to what it should be"), &differing)
            };
            before.push((key, failure));
        }
        before
    }

    /// Whether errors may come of another create of the same thing, which this one has taken over from and which does
    /// not know yet: what it took away or made is looked at, and made again.
    async fn may_pass_again(
        &self,
        before: &[(Key, Failure)],
        errors: &[(Key, Failure)],
        purpose: &Purpose,
    ) -> bool {
        let is_clash = |(_, failure): &(Key, Failure)| {
            matches!(failure.class, Class::Exists | Class::NotFound | Class::NotYet)
        };
        let is_same = |(key, failure): &(Key, Failure)| {
            before
                .iter()
                .any(|(other, earlier)| other == key && earlier.cause == failure.cause)
        };
        if !matches!(purpose, Purpose::Create { .. })
            || !errors.iter().all(is_clash)
            || errors.iter().all(is_same)
        {
            return false;
        }
        let now = self.engine.clock.now();
        let looks = self.engine.kinds.iter().map(|(kind, _)| self.look(kind, now));
        join_all(looks).await.iter().all(Result::is_ok) && self.check_ours(purpose).is_ok()
    }

    async fn pass(&self, allowed: &Allowed, purpose: &Purpose) -> Vec<(Key, Failure)> {
        let (graph, deletions) = self.sight(|sight| (sight.graphs[0].clone(), deletions(sight, allowed)));
        let Deletions {
            removals,
            excluded,
            replaced,
        } = deletions;
        for (key, (found, why)) in &replaced {
            if let Condition::Failed(_) = &found.object.condition {
                let cause = format!("{} is deleted and made again: {why}", found.object.id);
                self.warn(Failure::new(Class::Other, format!("looking at {key}"), cause).code("EKB1311"));
            }
        }
        let schedule = Schedule::new(graph.keys().cloned(), &removals);
        let root = graph
            .root_key()
            .map(|key| (key.clone(), self.tags_of_new_root(key, purpose)));
        let pass = Pass {
            schedule: &schedule,
            replaced: replaced
                .into_iter()
                .map(|(key, (found, _))| (key, found.spot()))
                .collect(),
            excluded,
            root,
            is_create: matches!(purpose, Purpose::Create { .. }),
            is_resumed: self.sight(|sight| sight.root_id().is_some()),
        };
        let pass = &pass;
        let bringing = join_all(graph.iter().map(|part| async move {
            match self.bring(part, pass).await {
                Err(Stop::Failed(failure)) => Some((part.key.clone(), failure)),
                Ok(()) | Err(Stop::Behind) => None,
            }
        }));
        let (brought, mut errors) = join(bringing, self.remove_all(&removals, &schedule)).await;
        errors.extend(brought.into_iter().flatten());
        if errors.is_empty() {
            self.look_at_the_unseen(&graph).await;
        }
        errors
    }

    /// What a root that is made now says. One that takes the place of another keeps what that said. Whose a new one is
    /// is said only when the create has ended: were it killed, the state before, if there is one, has all of it.
    fn tags_of_new_root(&self, key: &Key, purpose: &Purpose) -> RootTags {
        let old = self.sight(|sight| sight.found(key));
        let old = old
            .map(|old| RootTags::read(&old.object.tags))
            .unwrap_or_default();
        let root = match purpose {
            Purpose::Create { incarnation } => RootTags {
                phase: Some(Phase::Making),
                ..old.taken_up_by(incarnation)
            },
            Purpose::Update { incarnation } => RootTags {
                incarnation: old.incarnation.clone().or_else(|| incarnation.clone()),
                phase: old.phase.or(Some(Phase::Complete)),
                ..old
            },
        };
        RootTags {
            schema: Some(self.engine.schema),
            ..root
        }
    }

    /// Looks at what was made and never looked at, since the answer of its creating call sufficed.
    async fn look_at_the_unseen(&self, graph: &Graph) {
        let kinds = self.sight(|sight| {
            let unseen = |part: &&Arc<Node>| {
                sight
                    .chosen
                    .get(&part.key)
                    .and_then(|spot| sight.standing.get(spot))
                    .is_some_and(|standing| {
                        standing.object.is_some()
                            && sight
                                .answers
                                .get(part.kind)
                                .is_none_or(|answer| answer.at < standing.seen)
                    })
            };
            graph
                .iter()
                .filter(unseen)
                .map(|part| part.kind)
                .collect::<BTreeSet<_>>()
        });
        let now = self.engine.clock.now();
        join_all(kinds.into_iter().map(|kind| self.look(kind, now))).await;
    }

    /// The last act: says on the root that all is done, and whose it is.
    async fn finish(&self, purpose: &Purpose) -> Result<(), Failure> {
        let doing = format!("completing {}", self.engine.owner.resource);
        let Some(mut found) = self.root() else {
            return Ok(());
        };
        if let Purpose::Create { .. } = purpose {
            // Somebody else may have completed it meanwhile.
            self.look(found.kind, self.engine.clock.now()).await?;
            self.check_ours(purpose)?;
            found = self.root().unwrap_or(found);
        }
        let is = RootTags::read(&found.object.tags);
        let should = RootTags {
            phase: Some(Phase::Complete),
            schema: Some(self.engine.schema),
            ..match purpose {
                Purpose::Create { incarnation }
                | Purpose::Update {
                    incarnation: Some(incarnation),
                } => is.handed_to(incarnation),
                Purpose::Update { incarnation: None } => is.clone(),
            }
        };
        if should == is {
            return Ok(());
        }
        self.tag_root(&found, &should, &doing).await
    }

    /// The root, where it is there and carries tags.
    fn root(&self) -> Option<Found> {
        self.sight(|sight| {
            let root = sight.found(&sight.root_key()?)?;
            sight.carries_tags(root.kind).then_some(root)
        })
    }

    /// After errors of a create: whether another one, at the same time, is what it failed for. Where not, the root says
    /// from now on that this create's state has everything.
    async fn give_up(&self, purpose: &Purpose) -> Result<(), Failure> {
        let (Purpose::Create { incarnation }, Some(root)) = (purpose, self.root()) else {
            return Ok(());
        };
        // Only a look that succeeds says anything beyond the errors there are.
        if !self.engine.cancel.is_cancelled() && self.look(root.kind, self.engine.clock.now()).await.is_ok() {
            self.check_ours(purpose)?;
        }
        let Some(root) = self.root().filter(|root| !root.has_ended()) else {
            return Ok(());
        };
        let is = RootTags::read(&root.object.tags);
        let should = is.handed_to(incarnation);
        let is_ours = is.at_work() == Some(incarnation);
        let Some(kind) = self
            .engine
            .kinds
            .get(root.kind)
            .filter(|_| is_ours && should != is)
        else {
            return Ok(());
        };
        // Also after a cancel: this one call is quick, and without it the state before would believe that all is its own.
        // Where it fails, both may go on.
        let tags = should.tags();
        let said = kind.tag(&root.object.id, &tags, &[]);
        match self.engine.clock.timeout(LAST_WORD, said).await {
            Ok(Ok(())) => self.sight(|sight| sight.retag(&root.spot(), &tags)),
            Ok(Err(failure)) => tracing::warn!(%failure, "could not say whose it is now"),
            Err(_) => tracing::warn!("could not say in time whose it is now"),
        }
        Ok(())
    }

    /// Refuses a create whose root, as last seen, another create has completed or works on.
    fn check_ours(&self, purpose: &Purpose) -> Result<(), Failure> {
        let (Purpose::Create { incarnation }, Some(root)) = (purpose, self.root()) else {
            return Ok(());
        };
        let now = RootTags::read(&root.object.tags);
        if now.at_work() == Some(incarnation) {
            return Ok(());
        }
        let doing = format!("completing {}", self.engine.owner.resource);
        let cause = format!(
            "another apply has taken {} over or completed it at the same time",
            root.object.id
        );
        let hint = format!(
            "Apply again when no other apply runs. {}.",
            self.engine.owner.import_hint()
        );
        Err(Failure::new(Class::Exists, doing, cause)
            .code("EKB1308")
            .hint(hint))
    }

    /// Says on a root that another create began who works on it now, so that that one, if it is still running, does not
    /// believe at its end that all is its own.
    async fn take_over(&self, purpose: &Purpose) -> Result<(), Failure> {
        let doing = format!("taking over {}", self.engine.owner.resource);
        let Some(found) = self.root().filter(|found| !found.has_ended()) else {
            return Ok(());
        };
        let is = RootTags::read(&found.object.tags);
        if let Purpose::Create { incarnation } = purpose
            && self.sight(|sight| sight.is_adopted(&found))
        {
            // From here on it is ours: what is killed now is gone on with.
            let root = RootTags {
                phase: Some(Phase::Making),
                schema: Some(self.engine.schema),
                ..is.taken_up_by(incarnation)
            };
            let tags = new_tags(&self.engine.owner, &found.key, Some(&root));
            return self.tag_with(&found, tags, &doing).await;
        }
        if is.phase != Some(Phase::Making) {
            return Ok(());
        }
        let should = match purpose {
            Purpose::Create { incarnation } => is.taken_up_by(incarnation),
            // Its state is there: the create of that could not say how it ended.
            Purpose::Update {
                incarnation: Some(incarnation),
            } => is.handed_to(incarnation),
            Purpose::Update { incarnation: None } => return Ok(()),
        };
        if should == is {
            return Ok(());
        }
        self.tag_root(&found, &should, &doing).await
    }

    async fn tag_root(&self, found: &Found, should: &RootTags, doing: &str) -> Result<(), Failure> {
        self.tag_with(found, should.tags(), doing).await
    }

    async fn tag_with(&self, found: &Found, tags: Tags, doing: &str) -> Result<(), Failure> {
        let Some(kind) = self.engine.kinds.get(found.kind) else {
            return Ok(());
        };
        let mut patience = Patience::new(self, kind.traits().pace.limit);
        while let Err(failure) = self.call(doing, kind.tag(&found.object.id, &tags, &[])).await {
            patience.again(self, failure).await?;
        }
        self.sight(|sight| sight.retag(&found.spot(), &tags));
        Ok(())
    }

    fn outcome(self, errors: Vec<(Key, Failure)>) -> Outcome {
        let changed = self.has_changed();
        let mut report = self.sight(|sight| sight.report());
        report
            .warnings
            .extend(self.warnings.into_inner().unwrap_or_else(PoisonError::into_inner));
        let kept = self.kept.into_inner().unwrap_or_else(PoisonError::into_inner);
        Outcome {
            report,
            errors: in_order(errors),
            kept,
            changed,
            ..Outcome::default()
        }
    }
}

/// What a pass deletes.
struct Deletions {
    removals: Vec<Removal>,
    /// By part that is to be made, the objects of others that go first.
    excluded: BTreeMap<Key, BTreeSet<Spot>>,
    /// Parts that are made again, with the reason.
    replaced: BTreeMap<Key, (Found, String)>,
}

fn deletions(sight: &Observation, allowed: &Allowed) -> Deletions {
    let mut replaced = replacements(sight);
    // What turned out so only now, of what was there before, is left to the next plan.
    replaced.retain(|key, _| allowed.allows(key) || !sight.known.ids.contains_key(key));
    let (removals, excluded) = removals(sight, &replaced, allowed);
    Deletions {
        removals,
        excluded,
        replaced,
    }
}

/// What a pass removes, and what of it goes before which part is made: what is replaced, what is no longer declared (as far as allowed), and duplicates.
fn removals(
    sight: &Observation,
    replaced: &BTreeMap<Key, (Found, String)>,
    allowed: &Allowed,
) -> (Vec<Removal>, BTreeMap<Key, BTreeSet<Spot>>) {
    let mut removals: Vec<Removal> = replaced
        .values()
        .map(|(found, _)| Removal::of(found.clone()))
        .collect();
    let mut going: BTreeSet<Spot> = removals.iter().map(|removal| removal.found.spot()).collect();
    for (key, seen) in &sight.picture.parts {
        if let Seen::Found(found) = seen
            && sight.declared(key).is_none()
            && allowed.allows(key)
        {
            removals.push(Removal {
                kept: sight.known.kept.get(key).cloned(),
                ..Removal::of(found.clone())
            });
        }
    }
    for spare in &sight.picture.spares {
        if spare.is_removable {
            removals.push(Removal {
                is_spare: true,
                ..Removal::of(spare.found.clone())
            });
        }
    }
    order(&mut removals, &sight.graphs, sight);
    let excluded = exclusions(sight, replaced, &removals);
    going.extend(excluded.values().flatten().cloned());
    // What an object waits for that goes before a new one must not wait for a part that may need that: the service's refusal
    // (busy) decides there.
    let at: BTreeMap<Spot, usize> = removals
        .iter()
        .enumerate()
        .map(|(at, removal)| (removal.found.spot(), at))
        .collect();
    let mut urgent = going.clone();
    let mut left: Vec<Spot> = going.into_iter().collect();
    let mut highest = 0;
    while let Some(spot) = left.pop() {
        let Some(removal) = at.get(&spot).map(|at| &removals[*at]) else {
            continue;
        };
        let lower = removals
            .iter()
            .filter(|first| first.is_first && (highest..removal.rank).contains(&first.rank));
        let firsts = lower
            .map(|first| first.found.spot())
            .chain(removal.after.iter().cloned());
        left.extend(firsts.filter(|spot| urgent.insert(spot.clone())));
        highest = highest.max(removal.rank);
    }
    let mut users: BTreeMap<&str, Vec<&Found>> = BTreeMap::new();
    for seen in sight.picture.parts.values() {
        if let Seen::Found(found) = seen
            && !at.contains_key(&found.spot())
        {
            for name in &found.object.references {
                users.entry(name).or_default().push(found);
            }
        }
    }
    // What takes the place of something that is no longer declared: the old one stays where the new one is refused.
    let mut coming: BTreeMap<&str, Vec<&Key>> = BTreeMap::new();
    for part in sight.graphs.first().into_iter().flat_map(Graph::iter) {
        if sight.found(&part.key).is_none_or(|found| found.has_ended()) {
            coming.entry(part.kind).or_default().push(&part.key);
        }
    }
    for removal in removals
        .iter_mut()
        .filter(|removal| !urgent.contains(&removal.found.spot()))
    {
        let users = removal.found.names().filter_map(|name| users.get(name)).flatten();
        let others = users
            .filter(|user| user.uses(&removal.found))
            .map(|user| user.key.clone());
        removal.after_parts = others.collect();
        if !removal.is_spare && sight.declared(&removal.found.key).is_none() {
            let instead = coming.get(removal.found.kind).into_iter().flatten();
            removal.after_parts.extend(instead.map(|key| (*key).clone()));
        }
    }
    (removals, excluded)
}

/// What cannot be there together: by part that is to be made, the objects of others that go first.
fn exclusions(
    sight: &Observation,
    replaced: &BTreeMap<Key, (Found, String)>,
    removals: &[Removal],
) -> BTreeMap<Key, BTreeSet<Spot>> {
    let mut by_kind: BTreeMap<&str, Vec<&Found>> = BTreeMap::new();
    // A duplicate may stay: the service then says what it excludes.
    for removal in removals.iter().filter(|removal| !removal.is_spare) {
        by_kind
            .entry(removal.found.kind)
            .or_default()
            .push(&removal.found);
    }
    let parts = sight.graphs.first().into_iter().flat_map(Graph::iter);
    let is_made = |part: &&Arc<Node>| sight.found(&part.key).is_none_or(|found| found.has_ended());
    let made = parts.filter(|part| replaced.contains_key(&part.key) || is_made(part));
    let excluded = made.filter_map(|part| {
        let kind = sight.engine.kinds.get(part.kind)?;
        let others = by_kind
            .get(part.kind)?
            .iter()
            .filter(|other| other.key != part.key);
        let first = others.filter(|other| kind.excludes(&part.fields, &other.object));
        Some((part.key.clone(), first.map(|other| other.spot()).collect()))
    });
    excluded.collect()
}

/// By part; that the run was cancelled or its time over is said once.
fn in_order(mut errors: Vec<(Key, Failure)>) -> Vec<Failure> {
    errors.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut said = BTreeSet::new();
    let errors = errors.into_iter().map(|(_, failure)| failure);
    errors
        .filter(|failure| failure.class != Class::Cancelled || said.insert("cancelled"))
        .collect()
}

impl Observation {
    /// Whether the root is what others built, and the user wants it taken over as it is.
    fn is_adopted(&self, root: &Found) -> bool {
        self.engine.adopt && self.engine.adopts_whole && !is_owned(&root.object)
    }

    /// Why the object of a declared part would have to be deleted and made again, if it would.
    pub(crate) fn replaces(&self, key: &Key) -> Option<String> {
        replacements(self).remove(key).map(|(_, why)| why)
    }

    /// The first declared part of the stage that differs, with the differences; none of them where it is not there.
    fn amiss(&self) -> Option<(Key, Vec<compare::Differing>)> {
        let nothing = |_: &Key| false;
        self.graphs.first()?.iter().find_map(|part| {
            let differing = match self.picture.parts.get(&part.key) {
                Some(Seen::Found(found)) => self.differences(part, &found.object, &nothing),
                Some(Seen::Unseen(_)) => return None,
                _ if self.is_left_out(&part.key) => return None,
                _ => return Some((part.key.clone(), Vec::new())),
            };
            (!differing.is_empty()).then(|| (part.key.clone(), differing))
        })
    }

    /// Notes tags that were set, since reads may lag behind.
    fn retag(&mut self, spot: &Spot, tags: &Tags) {
        let set = |object: &Arc<Object>| {
            let mut object = (**object).clone();
            object.tags.extend(tags.clone());
            Arc::new(object)
        };
        if let Some(answer) = self.answers.get_mut(spot.0) {
            for object in answer.objects.iter_mut().filter(|object| object.id == spot.1) {
                *object = set(object);
            }
        }
        if let Some(standing) = self.standing.get_mut(spot) {
            standing.object = standing.object.as_ref().map(set);
        }
        self.sort_out();
    }
}
