//! Bringing one part to what it should be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::clock::Moment;
use crate::compare;
use crate::delete::outlook;
use crate::failure::{Class, Failure};
use crate::graph::Node;
use crate::kinds::AnyKind;
use crate::matching::{Found, Seen};
use crate::observe::{Spot, Standing};
use crate::ownership::{KEPT, RootTags, made_at, made_tag, missing_tags, new_tags};
use crate::part::{
    Call, Condition, Difference, Idempotence, Key, KindTraits, Made, Object, Ref, Refusal, Remedy, Tags,
};
use crate::progress::Step;
use crate::reference;
use crate::schedule::{Progress, Schedule, Stop};
use crate::wait::{Patience, Rhythm, Run};

/// Most creating calls whose answers are dead objects.
const DEAD_ANSWERS: u32 = 10;
/// How often one part is changed in one pass without coming nearer to what it should be.
const ROUNDS: u32 = 6;
/// Shortest time that an update may take to show in reads.
const UPDATE_SHOWS: Duration = Duration::from_secs(10);

/// What the parts of one pass over a stage share.
pub(crate) struct Pass<'a> {
    pub schedule: &'a Schedule,
    /// Parts that are made again, with the object that goes.
    pub replaced: BTreeMap<Key, Spot>,
    /// Objects that have to go before a part can be made.
    pub excluded: BTreeMap<Key, BTreeSet<Spot>>,
    /// The root, and what a new one's tags say.
    pub root: Option<(Key, RootTags)>,
    /// Whether a root that somebody else makes at the same time is to be given way to.
    pub is_create: bool,
    /// Whether parts may have stood here before, under the same root: a token may then be that of a deleted one.
    pub is_resumed: bool,
}

/// Work on one part.
struct Work<'a> {
    run: &'a Run,
    pass: &'a Pass<'a>,
    part: &'a Arc<Node>,
    kind: &'a Arc<dyn AnyKind>,
    traits: &'a KindTraits,
    /// When this run made it.
    made: Option<Moment>,
    /// What the service said that it made, by the id.
    made_id: Option<String>,
    /// Ids that a token brought up again although they are gone.
    gone: BTreeSet<String>,
    /// When a look has confirmed the root that this run made.
    root_confirmed: bool,
    needs_met: bool,
    /// The last update: what it was to mend, and when.
    updated: Option<(Vec<Difference>, Moment)>,
    /// What the last update met that was there already.
    clash: Option<Failure>,
    rhythm: Option<Rhythm>,
    /// How often it was changed since fewest places differed, and how many these were.
    rounds: u32,
    fewest: usize,
    /// What it has let go of, so that it can be deleted.
    let_go: BTreeSet<Spot>,
}

impl Run {
    /// Brings the part to what it should be, and says how far it has come.
    pub async fn bring(&self, part: &Arc<Node>, pass: &Pass<'_>) -> Result<(), Stop> {
        let end = match &self.engine.kinds.get(part.kind) {
            Some(kind) => {
                let traits = kind.traits();
                let mut work = Work {
                    run: self,
                    pass,
                    part,
                    kind,
                    traits,
                    made: None,
                    made_id: None,
                    gone: BTreeSet::new(),
                    root_confirmed: false,
                    needs_met: false,
                    updated: None,
                    clash: None,
                    rhythm: None,
                    rounds: 0,
                    fewest: usize::MAX,
                    let_go: BTreeSet::new(),
                };
                work.go().await
            }
            None => Err(Failure::new(
                Class::Other,
                format!("making {}", part.key),
                "its kind is not known (a defect of the provider)",
            )
            .into()),
        };
        let failed = match &end {
            Err(Stop::Failed(failure)) => Some(failure),
            // Told of what it is behind.
            _ => None,
        };
        if failed.is_some() || end.is_ok() {
            self.engine.tell(&part.key, part.kind, &Step::end(failed));
        }
        pass.schedule.reached(
            &part.key,
            if end.is_ok() {
                Progress::Ready
            } else {
                Progress::Failed
            },
        );
        end
    }
}

impl Work<'_> {
    async fn go(&mut self) -> Result<(), Stop> {
        let key = &self.part.key;
        if let Some(old) = self.pass.replaced.get(key) {
            self.pass.schedule.until_gone(old).await?;
        }
        for old in self.pass.excluded.get(key).into_iter().flatten() {
            self.pass.schedule.until_gone(old).await?;
        }
        loop {
            let seen = self
                .run
                .sight(|sight| sight.picture.parts.get(key).cloned())
                .unwrap_or(Seen::Absent);
            let found = match seen {
                Seen::Foreign(failure) => return Err(failure.into()),
                // Not to be seen, but known: taken as it was; the warning is given already.
                Seen::Unseen(_) if self.run.sight(|sight| sight.is_known_as_declared(self.part)) => {
                    return Ok(());
                }
                Seen::Unseen(failure) => return Err(failure.into()),
                Seen::Absent if self.made.is_some() => {
                    // A token may be that of an object which a destroy deleted, and the answer need not tell (a route
                    // table has no state): with its id in the token it is another.
                    if let Some(id) = self.made_id.take().filter(|id| !self.gone.contains(id))
                        && self.traits.idempotence == Idempotence::Token
                        && self.gone.len() < DEAD_ANSWERS as usize
                    {
                        self.gone.insert(id);
                        self.made = None;
                        self.rhythm = None;
                        continue;
                    }
                    let cause = "it was made and is gone again: something outside removed it";
                    return Err(Failure::new(Class::Other, self.doing("waiting for"), cause).into());
                }
                Seen::Absent if self.run.sight(|sight| sight.is_left_out(key)) => return Ok(()),
                Seen::Absent => {
                    self.meet_first_needs().await?;
                    self.create().await?;
                    continue;
                }
                Seen::Found(found) => found,
            };
            match &found.object.condition {
                Condition::Deleting | Condition::Dead => self.run.remove(&found, false, &|| {}).await?,
                Condition::Failed(reason) => return Err(self.failed(&found, reason).into()),
                Condition::Changing(_) => {
                    self.pass.schedule.reached(key, self.progress_when_found(&found));
                    self.look("waiting for", &found).await?;
                }
                _ if self.is_doubtful(&found) => self.look("waiting for", &found).await?,
                _ if self.made.is_some() && self.is_root() && !self.root_confirmed => {
                    self.look("waiting for", &found).await?;
                    self.give_way(&found).await?;
                }
                condition => {
                    self.pass.schedule.reached(key, self.progress_when_found(&found));
                    if self.settle(&found).await? {
                        if *condition == Condition::Settled {
                            return Ok(());
                        }
                        self.look("waiting for", &found).await?;
                    }
                }
            }
        }
    }

    /// Whether it may be the answer to a token of a part that is gone: until a look shows it, nothing is built on it.
    fn is_doubtful(&self, found: &Found) -> bool {
        let Some(made) = self
            .made
            .filter(|_| self.pass.is_resumed && self.made_id.is_some())
        else {
            return false;
        };
        let seen = |standing: &Standing| standing.seen > made;
        self.traits.idempotence == Idempotence::Token
            && !self
                .run
                .sight(|sight| sight.standing.get(&found.spot()).is_some_and(seen))
    }

    /// The root that this run made is not built on before a look has shown that it is the only one.
    fn progress_when_found(&self, found: &Found) -> Progress {
        if self.is_doubtful(found) || (self.made.is_some() && self.is_root() && !self.root_confirmed) {
            Progress::Waiting
        } else {
            Progress::Made
        }
    }

    fn is_root(&self) -> bool {
        self.pass.is_create
            && self
                .pass
                .root
                .as_ref()
                .is_some_and(|(root, _)| *root == self.part.key)
    }

    fn doing(&self, verb: &str) -> String {
        format!("{verb} {} ({})", self.traits.title, self.part.key)
    }

    /// Waits for what making it takes; what may come later is waited for when it is there.
    async fn meet_first_needs(&mut self) -> Result<(), Stop> {
        if self.part.first_needs == self.part.needs {
            return self.meet_needs().await;
        }
        for (key, need) in &self.part.first_needs {
            self.pass.schedule.until(key, *need).await?;
        }
        Ok(())
    }

    /// Whether what it refers to is as far as it has to be.
    fn is_met(&self, key: &Key) -> bool {
        let needed = self.part.needs.get(key);
        self.needs_met || needed.is_none_or(|need| self.pass.schedule.has_reached(key, *need))
    }

    async fn meet_needs(&mut self) -> Result<(), Stop> {
        if !self.needs_met {
            for (key, need) in &self.part.needs {
                self.pass.schedule.until(key, *need).await?;
            }
            for named in &self.part.takes {
                self.until_told(named).await?;
            }
            self.needs_met = true;
        }
        Ok(())
    }

    /// Looks until the part tells the output; that of what cannot be seen is known from the state, or not at all.
    async fn until_told(&self, named: &Ref) -> Result<(), Failure> {
        let Some(name) = &named.output else { return Ok(()) };
        let is_told = || self.run.sight(|sight| sight.output(&named.key, name).is_some());
        let Some(kind) = self.run.sight(|sight| sight.kind_of(&named.key)) else {
            return Ok(());
        };
        let doing = self.doing("making");
        let now = self.run.engine.clock.now();
        let limit = self.traits.invisible_for.max(UPDATE_SHOWS);
        let mut rhythm = Rhythm::new(self.run, Some(now), Duration::ZERO, limit);
        while !is_told() {
            if let Err(failure) = rhythm.look(self.run, kind, &doing).await {
                if failure.class != Class::TimedOut {
                    return Err(failure);
                }
                let cause = format!("{} does not tell its {name}", named.key);
                return Err(Failure::new(Class::Other, doing, cause).code("EKB1313").hint(
                    "Apply again; where it stays so, this is a defect of the provider: please report it.",
                ));
            }
        }
        Ok(())
    }

    fn failed(&self, found: &Found, reason: &str) -> Failure {
        Failure::new(
            Class::Other,
            self.doing("making"),
            format!("{} failed: {reason}", found.object.id),
        )
        .hint("The next apply deletes it and makes it again.")
    }

    async fn look(&mut self, verb: &str, found: &Found) -> Result<(), Failure> {
        let doing = self.doing(verb);
        let (run, pace) = (self.run, self.traits.pace);
        let begun = self.updated.as_ref().map(|(_, at)| *at).or(self.made);
        let rhythm = self
            .rhythm
            .get_or_insert_with(|| Rhythm::new(run, begun, pace.create, pace.limit));
        let object = (&self.part.key, &*found.object);
        run.look_again(self.kind, object, &doing, rhythm, false).await?;
        let waited = rhythm.waited(run);
        outlook(self.kind.outlook(&found.object, waited).await)
    }

    /// The differences as they are now; what is going to be replaced counts as having no id.
    fn differences(&self, object: &Object) -> Vec<compare::Differing> {
        self.run.sight(|sight| {
            // The id may be the same again (a name), so what tells is whether it was made again.
            let is_replaced =
                |key: &Key| self.pass.replaced.contains_key(key) && !self.pass.schedule.is_made(key);
            sight.differences(self.part, object, &is_replaced)
        })
    }

    /// Mends what differs; true where nothing does.
    async fn settle(&mut self, found: &Found) -> Result<bool, Stop> {
        let object = &found.object;
        let differing = self.differences(object);
        let missing = if self.kind.carries_tags() {
            missing_tags(&self.run.engine.owner, &self.part.key, object)
        } else {
            Vec::new()
        };
        // It was kept when its part went, and is taken back.
        let is_back = object.tags.contains_key(KEPT);
        if differing.is_empty() && missing.is_empty() && !is_back {
            if self.needs_met || self.part.takes.is_empty() {
                return Ok(true);
            }
            // What it takes of others may be another value once they are what they should be.
            self.meet_needs().await?;
            return Ok(false);
        }
        if !self.needs_met {
            let (pass, mut holds) = (self.pass, self.holds(object));
            tokio::select! {
                biased;
                // What it refers to may have another id by then.
                end = self.meet_needs() => end?,
                held = pass.schedule.first_held(holds.keys()) => {
                    let what = holds.remove(&held).unwrap_or_default();
                    self.let_go(found, held, &what).await?;
                }
            }
            return Ok(false);
        }
        if let Some((found, refusal)) = differing.iter().find_map(|found| Some((found, found.refusal()?))) {
            return Err(refused(self.doing("changing"), &object.id, found, refusal).into());
        }
        if let Some(replacing) = differing
            .iter()
            .find(|found| found.difference.remedy == Remedy::Replace)
        {
            let sentences = replacing.sentences();
            let cause = format!(
                "{} can be changed only by making it again: {sentences}",
                object.id
            );
            let hint = "Plan and apply again: the plan will show it.";
            return Err(Failure::new(Class::Invalid, self.doing("changing"), cause)
                .code("EKB1307")
                .hint(hint)
                .into());
        }
        let mut what: Vec<Difference> = differing.iter().map(|found| found.difference.clone()).collect();
        if let Some((before, at)) = &self.updated
            && *before == what
        {
            let shows = self.traits.invisible_for.max(UPDATE_SHOWS);
            if self.run.engine.clock.now().since(*at) > shows {
                let sentences: Vec<String> = differing
                    .iter()
                    .flat_map(|found| &found.leaves)
                    .map(compare::Leaf::sentence)
                    .collect();
                let cause = format!(
                    "the change was accepted and does not show: {}",
                    sentences.join("; ")
                );
                let unseen = Failure::new(Class::Other, self.doing("changing"), cause).code("EKB1309");
                return Err(self.clash.take().unwrap_or(unseen).into());
            }
            self.look("changing", found).await?;
            return Ok(false);
        }
        let doing = self.doing("changing");
        let differ = differing.iter().map(|found| found.leaves.len()).sum();
        // A service may take one change after the other.
        if differ < self.fewest {
            (self.fewest, self.rounds) = (differ, 0);
        }
        self.rounds += 1;
        if self.rounds > ROUNDS {
            return Err(fought_over(&self.part.key, &doing, &differing).into());
        }
        let all = what.clone();
        let taken = self.run.sight(|sight| sight.taken(self.part));
        for difference in what.iter_mut().filter(|_| !taken.is_empty()) {
            difference.is = reference::fill_names(&difference.is, &taken);
            difference.should = reference::fill_names(&difference.should, &taken);
        }
        let mut set: Tags = missing
            .into_iter()
            .map(|(name, _, should)| (name, should))
            .collect();
        let mut remove: Vec<String> = is_back.then(|| KEPT.to_owned()).into_iter().collect();
        what.retain(|difference| {
            if difference.field != "tags" {
                return true;
            }
            let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let entries = |value: &Value| value.as_object().cloned().unwrap_or_default();
            let (is, should) = (entries(&difference.is), entries(&difference.should));
            set.extend(
                should
                    .iter()
                    .filter(|(k, v)| is.get(*k) != Some(v))
                    .map(|(k, v)| (k.clone(), text(v))),
            );
            remove.extend(is.keys().filter(|k| !should.contains_key(*k)).cloned());
            false
        });
        if !set.is_empty() || !remove.is_empty() {
            self.attempts(&doing, || self.kind.tag(&object.id, &set, &remove))
                .await?;
        }
        if !what.is_empty() {
            let call = self.call(&BTreeSet::new(), None, &what);
            let update = || self.kind.update(self.part, object, &what, &call);
            self.clash = match self.attempts(&doing, update).await {
                // An earlier try whose answer was lost did it, or another apply: what is left to do, a look shows.
                Err(failure) if failure.class == Class::Exists => Some(failure),
                done => {
                    done?;
                    let spot = (self.part.kind, object.id.clone());
                    let fields = all.iter().map(|what| (&what.field, &what.should));
                    self.run
                        .sight(|sight| sight.note_applied(self.part, spot, fields));
                    None
                }
            };
        }
        let now = self.run.engine.clock.now();
        self.updated = Some((all, now));
        self.rhythm = None;
        // An answer that began before the change says nothing.
        match self.run.look(self.part.kind, now).await {
            Err(failure) if matches!(failure.class, Class::Cancelled | Class::Denied) => Err(failure.into()),
            _ => Ok(false),
        }
    }

    /// The same call until it is done: what it sets, it may set twice.
    async fn attempts<T, F: Future<Output = Result<T, Failure>>>(
        &self,
        doing: &str,
        work: impl Fn() -> F,
    ) -> Result<T, Failure> {
        let mut patience = Patience::new(self.run, self.traits.pace.limit);
        loop {
            match self
                .run
                .locked_call(&self.part.key, self.lock(), doing, work())
                .await
            {
                Ok(done) => return Ok(done),
                Err(failure) => patience.again(self.run, failure).await?,
            }
        }
    }

    /// What it refers to in lists and maps that can be changed and that is to be deleted: with the changes that let go.
    fn holds(&self, object: &Object) -> BTreeMap<Spot, Vec<Difference>> {
        let mut holds = BTreeMap::new();
        for spot in self
            .pass
            .schedule
            .going()
            .filter(|spot| !self.let_go.contains(*spot))
        {
            let fields = self.part.fields.as_object().into_iter().flatten();
            let changes: Vec<Difference> = fields
                .filter(|(field, _)| self.part.remedy(field) == Remedy::Update)
                .filter_map(|(field, _)| {
                    let is = object.fields.get(field)?;
                    let should = without(is, &spot.1)?;
                    Some(Difference {
                        field: field.clone(),
                        is: is.clone(),
                        should,
                        remedy: Remedy::Update,
                    })
                })
                .collect();
            if !changes.is_empty() {
                holds.insert(spot.clone(), changes);
            }
        }
        holds
    }

    /// Lets go of what cannot be deleted for as long as this refers to it; what comes in its place, it joins later.
    async fn let_go(&mut self, found: &Found, held: Spot, what: &[Difference]) -> Result<(), Failure> {
        let doing = self.doing("letting go of what is to be deleted in");
        let call = self.call(&BTreeSet::new(), None, what);
        let update = || self.kind.update(self.part, &found.object, what, &call);
        match self.attempts(&doing, update).await {
            // An earlier try whose answer was lost did it.
            Err(failure) if matches!(failure.class, Class::Exists | Class::NotFound) => {}
            done => done?,
        }
        self.let_go.insert(held);
        self.run.look(self.part.kind, self.run.engine.clock.now()).await
    }

    /// The name of the lock for a changing call.
    fn lock(&self) -> Option<String> {
        let fields = self
            .run
            .sight(|sight| self.part.resolved(&|named| sight.value(named)));
        self.kind.lock(&fields)
    }

    /// What a mutating call is given. Where the service knows no token, `made` is put into the tags: the request then
    /// differs each time, which a token would not allow.
    fn call(&self, predecessors: &BTreeSet<String>, made: Option<String>, what: &[Difference]) -> Call {
        let named = what
            .iter()
            .flat_map(|what| texts(&what.is).into_iter().chain(texts(&what.should)));
        let named: Vec<Key> = named.map(Key::from).collect();
        let (ids, taken) = self.run.sight(|sight| {
            (
                sight.ids(self.part.needs.keys().chain(&named)),
                sight.taken(self.part),
            )
        });
        let ids = ids.into_iter().filter(|(key, _)| self.is_met(key)).collect();
        let mut outputs = BTreeMap::<Key, BTreeMap<String, Value>>::new();
        for (named, value) in taken.into_iter().filter(|(named, _)| self.is_met(&named.key)) {
            if let Some(name) = named.output {
                outputs.entry(named.key).or_default().insert(name, value);
            }
        }
        let owner = &self.run.engine.owner;
        let root = self
            .pass
            .root
            .as_ref()
            .filter(|(root, _)| *root == self.part.key)
            .map(|(_, tags)| tags);
        let mut ownership = new_tags(owner, &self.part.key, root);
        let mut call = Call {
            key: self.part.key.clone(),
            owner: owner.clone(),
            ownership: Tags::new(),
            shared: (*self.part.shared).clone(),
            token: String::new(),
            ids,
            outputs,
        };
        let fields = self.part.first(self.part.resolved(&|named| call.known(named)));
        call.token = crate::token::token(owner, &self.part.key, &fields, &ownership, predecessors);
        ownership.extend(made.map(made_tag));
        call.ownership = ownership;
        call
    }

    /// Makes the part: afterwards it is seen.
    async fn create(&mut self) -> Result<(), Failure> {
        let key = &self.part.key;
        let doing = self.doing("creating");
        let mut predecessors = self
            .run
            .sight(|sight| sight.picture.predecessors.get(key).cloned())
            .unwrap_or_default();
        predecessors.extend(self.gone.iter().cloned());
        let mut patience = Patience::new(self.run, self.traits.pace.limit);
        let mut dead = 0;
        loop {
            let made_id = (self.traits.idempotence != Idempotence::Token).then(|| self.run.engine.clock.id());
            let call = self.call(&predecessors, made_id, &[]);
            let begun = self.run.engine.clock.now();
            let create = self.kind.create(self.part, &call);
            let failure = match self
                .run
                .locked_call(&self.part.key, self.lock(), &doing, create)
                .await
            {
                Ok(made) => {
                    let is_dead = matches!(made.condition, Condition::Dead | Condition::Deleting)
                        || predecessors.contains(&made.id);
                    if !is_dead {
                        self.note_made(made, &call);
                        return Ok(());
                    }
                    // The token is one of an object that was deleted: with its id in the token it is another.
                    dead += 1;
                    if dead > DEAD_ANSWERS {
                        let cause = format!(
                            "the service answers with deleted objects only, the last was {}",
                            made.id
                        );
                        return Err(Failure::new(Class::Other, doing, cause));
                    }
                    predecessors.insert(made.id);
                    continue;
                }
                Err(failure) => failure,
            };
            match failure.class {
                // With the token the call can be repeated as it is; without, it may have been applied.
                Class::Unknown if self.traits.idempotence == Idempotence::Token => {
                    patience.again(self.run, failure).await?
                }
                Class::Unknown => {
                    if self.appears(begun).await? {
                        return Ok(());
                    }
                    patience.again(self.run, failure).await?;
                }
                Class::Exists => {
                    if self.appears(begun).await? {
                        return Ok(());
                    }
                    return Err(failure);
                }
                _ => patience.again(self.run, failure).await?,
            }
        }
    }

    /// Looks for what a call may have made, for as long as reads may miss it.
    async fn appears(&mut self, begun: Moment) -> Result<bool, Failure> {
        let doing = self.doing("looking for");
        let clock = &self.run.engine.clock;
        let mut pause = Duration::from_millis(500);
        loop {
            let at = clock.now();
            // A look that fails says nothing about absence: it does not count.
            match self.run.look(self.part.kind, at).await {
                Ok(()) => {
                    match self
                        .run
                        .sight(|sight| sight.picture.parts.get(&self.part.key).cloned())
                    {
                        Some(Seen::Found(_)) => {
                            self.made = Some(begun);
                            return Ok(true);
                        }
                        Some(Seen::Foreign(failure)) => return Err(failure),
                        _ => {}
                    }
                    if at.since(begun) >= self.traits.invisible_for {
                        return Ok(false);
                    }
                }
                Err(failure) if matches!(failure.class, Class::Cancelled | Class::Denied) => {
                    return Err(failure);
                }
                Err(_) => {}
            }
            // A look just after the time is over settles it.
            let over = begun + self.traits.invisible_for;
            let next = clock.now() + pause;
            self.run
                .pause_until(if clock.now() < over { next.min(over) } else { next }, &doing)
                .await?;
            pause = (pause * 2).min(Duration::from_secs(10));
        }
    }

    fn note_made(&mut self, made: Made, call: &Call) {
        let now = self.run.engine.clock.now();
        self.made = Some(now);
        self.made_id = Some(made.id.clone());
        self.rhythm = None;
        let mut tags = call.ownership.clone();
        if let Some(own) = self.part.fields.get("tags").and_then(Value::as_object) {
            tags.extend(
                own.iter()
                    .filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned()))),
            );
        }
        let object = Object {
            references: self
                .part
                .needs
                .keys()
                .filter_map(|key| call.ids.get(key).cloned())
                .collect(),
            id: made.id,
            arn: made.arn,
            // What comes later is not there yet, whatever the answer says.
            condition: match made.condition {
                Condition::Settled if !self.part.needs.keys().all(|key| self.is_met(key)) => {
                    Condition::Changing("incomplete".to_owned())
                }
                condition => condition,
            },
            fields: self.part.resolved(&|named| call.known(named)),
            tags,
            outputs: made.outputs,
            detail: Value::Null,
        };
        let key = self.part.key.clone();
        let kind = self.part.kind;
        let spot = (kind, object.id.clone());
        let object = Arc::new(object);
        self.run.sight(|sight| {
            sight.gone.remove(&spot);
            sight.leaving.remove(&spot);
            let fields = self.part.fields.as_object().into_iter().flatten();
            sight.note_applied(self.part, spot.clone(), fields);
            sight.chosen.insert(key.clone(), spot.clone());
            sight.standing.insert(
                spot,
                Standing {
                    key: key.clone(),
                    object: Some(Arc::clone(&object)),
                    seen: now,
                },
            );
            sight.appears(Found { key, kind, object });
        });
    }

    /// Two creates at once may both have made a root: the younger gives way before anything is built on it.
    async fn give_way(&mut self, found: &Found) -> Result<(), Failure> {
        let key = &self.part.key;
        let ours = self.pass.root.as_ref().and_then(|(_, root)| root.at_work());
        if RootTags::read(&found.object.tags).at_work() != ours {
            let cause = format!("another apply made {} at the same time", found.object.id);
            let failure = Failure::new(Class::Exists, self.doing("creating"), cause).code("EKB1308");
            return Err(failure.hint("It is left alone. Apply again when no other apply runs."));
        }
        let other = self.run.sight(|sight| {
            let mut spares = sight.picture.spares.iter().map(|spare| &spare.found);
            spares
                .find(|other| {
                    other.key == *key && other.kind == found.kind && is_older(&other.object, &found.object)
                })
                .cloned()
        });
        let Some(other) = other else {
            self.root_confirmed = true;
            return Ok(());
        };
        self.run.remove(found, false, &|| {}).await?;
        let cause = format!(
            "another one, {}, was made at the same time or by an interrupted run, and is older",
            other.object.id
        );
        Err(Failure::new(Class::Exists, self.doing("creating"), cause)
            .code("EKB1308")
            .hint("The one just made was removed again. Apply again when no other apply runs."))
    }
}

fn is_older(other: &Object, ours: &Object) -> bool {
    !matches!(other.condition, Condition::Dead | Condition::Deleting) && made_at(other) < made_at(ours)
}

/// A change that is not made.
pub(crate) fn refused(doing: String, id: &str, found: &compare::Differing, refusal: &Refusal) -> Failure {
    let cause = format!("{id}: {}: {}", found.sentences(), refusal.why);
    Failure::new(Class::Invalid, doing, cause)
        .code("EKB1314")
        .hint(&refusal.hint)
}

/// Something else changes it back, again and again.
pub(crate) fn fought_over(key: &Key, doing: &str, differing: &[compare::Differing]) -> Failure {
    let leaves = differing.iter().flat_map(|found| &found.leaves);
    let sentences: Vec<String> = leaves.map(compare::Leaf::sentence).collect();
    let cause = format!(
        "it was changed several times, and each time something else changes it back: {}",
        sentences.join("; ")
    );
    let fields: BTreeSet<&str> = differing
        .iter()
        .map(|found| found.difference.field.as_str())
        .collect();
    let patterns: Vec<String> = fields.iter().map(|field| format!("\"{key}: {field}\"")).collect();
    Failure::new(Class::Stuck, doing, cause)
        .code("EKB1340")
        .hint(format!(
            "Find out who changes it (CloudTrail, or the managers of its fields) and let only one of them do it; or leave it to the \
             other: ignore_drift = [{}].",
            patterns.join(", ")
        ))
}

/// The list or map without the entries that are this id; none where there is no such entry.
fn without(value: &Value, id: &str) -> Option<Value> {
    match value {
        Value::Array(list) if list.iter().any(|entry| entry == id) => {
            Some(list.iter().filter(|entry| *entry != id).cloned().collect())
        }
        Value::Object(map) if map.values().any(|entry| entry == id) => {
            let left = map.iter().filter(|(_, entry)| *entry != id);
            Some(Value::Object(left.map(|(k, v)| (k.clone(), v.clone())).collect()))
        }
        _ => None,
    }
}

/// All texts in the value, among which may be keys of parts.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(list) => list.iter().flat_map(texts).collect(),
        Value::Object(map) => map
            .iter()
            .flat_map(|(name, value)| [vec![name.as_str()], texts(value)])
            .flatten()
            .collect(),
        _ => Vec::new(),
    }
}
