//! A simulated world for tests: kinds with timed states, tokens, names, references that forbid deletion, reads that lag
//! behind, and a fault at any mutating call.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use framework::Secret;
use serde::Serialize;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, Moment};
use crate::engine::Engine;
use crate::failure::{Class, Failure};
use crate::graph::{Graph, Handle};
use crate::kinds::Kinds;
use crate::part::*;

/// What a kind of the simulation is like.
pub struct Manner {
    pub kind: &'static str,
    pub idempotence: Idempotence,
    /// Seconds until it is usable.
    pub create: u64,
    /// Seconds until it is gone.
    pub delete: u64,
    /// Whether it stays listed as dead.
    pub lingers: bool,
    /// Whether `size` is set by a second call after the creating one.
    pub two_calls: bool,
    /// Whether it can carry no tags.
    pub untagged: bool,
    /// The kind of what it is found under, with which it goes.
    pub under: Option<&'static str>,
    pub deletion_order: u32,
}

const fn manner(kind: &'static str, idempotence: Idempotence, create: u64, delete: u64) -> Manner {
    Manner {
        kind,
        idempotence,
        create,
        delete,
        lingers: false,
        two_calls: false,
        untagged: false,
        under: None,
        deletion_order: 0,
    }
}

pub const VPC: usize = 0;
pub const SUBNET: usize = 1;
pub const ADDRESS: usize = 2;
pub const NAT: usize = 3;
pub const ROUTES: usize = 4;
pub const ROLE: usize = 5;
pub const CLUSTER: usize = 6;
pub const GATEWAY: usize = 7;
pub const POLICY: usize = 8;
pub const ADDON: usize = 9;
pub const OBJECT: usize = 10;
pub const MANNERS: [Manner; 11] = [
    Manner {
        two_calls: true,
        deletion_order: 9,
        ..manner("vpc", Idempotence::None, 2, 0)
    },
    Manner {
        deletion_order: 5,
        ..manner("subnet", Idempotence::None, 0, 0)
    },
    manner("address", Idempotence::None, 0, 0),
    Manner {
        lingers: true,
        ..manner("nat", Idempotence::Token, 100, 60)
    },
    Manner {
        two_calls: true,
        ..manner("routes", Idempotence::Token, 0, 0)
    },
    manner("role", Idempotence::NaturalKey, 0, 0),
    Manner {
        deletion_order: 5,
        ..manner("cluster", Idempotence::NaturalKey, 600, 300)
    },
    manner("gateway", Idempotence::None, 0, 0),
    Manner {
        untagged: true,
        ..manner("policy", Idempotence::NaturalKey, 0, 0)
    },
    Manner {
        under: Some("cluster"),
        ..manner("addon", Idempotence::NaturalKey, 30, 10)
    },
    Manner {
        under: Some("cluster"),
        two_calls: true,
        ..manner("object", Idempotence::NaturalKey, 0, 0)
    },
];

/// How long a new object may be missing from reads.
pub const INVISIBLE: Duration = Duration::from_secs(20);

/// A part of the simulation.
#[derive(Debug, Clone, Serialize, Default)]
pub struct Sim<const N: usize> {
    /// Its name, for kinds with names.
    pub name: Option<String>,
    /// Can be changed.
    pub size: u32,
    /// Cannot be changed.
    pub cidr: u32,
    /// What it lies in; cannot be changed.
    pub within: Vec<Ref>,
    /// What it points at; entries of others survive.
    pub routes: BTreeMap<String, Ref>,
    /// Never told by the service.
    #[serde(skip)]
    pub secret: Secret<String>,
    /// What stands for the secret; unknown to the service.
    pub secret_version: Option<u32>,
    /// A document with outputs of others in it.
    pub note: Value,
    pub tags: Tags,
}

impl<const N: usize> Part for Sim<N> {
    const KIND: &'static str = MANNERS[N].kind;

    fn rule(field: &str) -> FieldRule {
        match field {
            "routes" => FieldRule::OwnEntries,
            "secret_version" => FieldRule::AsApplied,
            _ => FieldRule::Exact,
        }
    }

    fn remedy(field: &str) -> Remedy {
        if matches!(field, "cidr" | "within" | "name") {
            Remedy::Replace
        } else {
            Remedy::Update
        }
    }

    fn is_later(field: &str) -> bool {
        N == ROUTES && field == "routes"
    }

    fn change(field: &str, is: &Value, should: &Value) -> Remedy {
        if N != CLUSTER || field != "size" || is.as_u64() <= should.as_u64() {
            return Self::remedy(field);
        }
        Remedy::Refuse(Refusal {
            why: "a cluster does not go back".into(),
            hint: format!("Declare {is} or more."),
        })
    }
}

/// What goes wrong at one mutating call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The process dies before the call arrives.
    CrashBefore,
    /// The process dies and the call is carried out.
    CrashAfter,
    /// Carried out, the answer is lost.
    Lost,
    /// Not carried out, and the caller cannot know.
    Reset,
    /// Turned away ten times.
    Throttled,
    /// Unavailable three times.
    Unavailable,
    /// Refused for good.
    Fails,
    /// The run is cancelled while the call is under way.
    Cancel,
    /// What is made fails on its way to usable (no effect on other calls).
    MadeFails,
}

pub const FAULTS: [Fault; 9] = [
    Fault::CrashBefore,
    Fault::CrashAfter,
    Fault::Lost,
    Fault::Reset,
    Fault::Throttled,
    Fault::Unavailable,
    Fault::Fails,
    Fault::Cancel,
    Fault::MadeFails,
];

#[derive(Debug, Clone)]
pub struct Thing {
    pub kind: usize,
    pub id: String,
    pub fields: Map<String, Value>,
    pub tags: Tags,
    pub token: String,
    /// Not in reads.
    pub secret: String,
    request: Value,
    made: Moment,
    /// When it is usable.
    ready: Moment,
    pub fails: bool,
    /// When it is gone.
    pub ends: Option<Moment>,
    /// What reads show until when.
    stale: Option<(Map<String, Value>, Moment)>,
}

#[derive(Default, Clone)]
pub struct State {
    pub things: BTreeMap<String, Thing>,
    pub serial: u32,
    /// Mutating calls so far.
    pub calls: usize,
    pub log: Vec<String>,
    pub looks: usize,
    /// The fault and the number of the call that it hits.
    pub fault: Option<(usize, Fault)>,
    left: u32,
    pub fired: bool,
    /// The look at which the run is cancelled.
    pub cancel_at_look: Option<usize>,
    /// A create is cancelled when it looks at a NAT gateway that is pending.
    pub cancel_when_pending: bool,
    pub is_creating: bool,
    /// Calls that are refused for good, each time.
    pub refused: BTreeSet<String>,
    /// How long new and changed things are missing from reads.
    pub lag: Duration,
    /// A kind that may not be read any more after so many looks at anything.
    pub blind_from: Option<(usize, &'static str)>,
    /// Kinds that may not be read.
    pub blind: BTreeSet<&'static str>,
    /// Reads do not list what is dead.
    pub hides_dead: bool,
    /// Kinds that cannot be reached.
    pub unreachable: BTreeSet<&'static str>,
    /// Kinds whose objects end with what they are under.
    pub ending: BTreeSet<&'static str>,
    /// How long kinds take to answer that are slow.
    pub slow: BTreeMap<&'static str, Duration>,
    /// Kinds that do not answer.
    pub silent: BTreeSet<&'static str>,
    /// Objects of size 1 of these kinds are of no use yet.
    pub unready: BTreeSet<&'static str>,
    /// Kinds of which waiting has no prospect.
    pub stuck: BTreeSet<&'static str>,
    /// A call changes one entry of a document only.
    pub one_at_a_time: bool,
    /// Something of others is in every subnet.
    pub lodger: bool,
    /// Something of others is in the way of deleting a VPC until then; the class of failure says whether it may go by itself.
    pub others: Option<(Class, Moment)>,
    /// Creating calls under way now, and at most.
    busy: usize,
    pub busiest: usize,
}

#[derive(Clone)]
pub struct World {
    pub state: Arc<Mutex<State>>,
    pub clock: Clock,
    /// Cancelled when the process is to die.
    pub death: CancellationToken,
    pub cancel: CancellationToken,
    /// What takes seconds takes this part of them: fewer looks for the sweeps.
    haste: u32,
    /// How long kinds say that a new object may be missing from reads.
    pub invisible: Duration,
    /// Whether two subnets of one range cannot be.
    pub exclusive: bool,
    /// How long kinds say that a wait may be at most.
    pub limit: Duration,
}

enum Verdict {
    Go,
    GoThen(Option<Failure>),
    Refuse(Failure),
    Die { apply: bool },
}

impl World {
    pub fn new() -> Self {
        let clock = Clock::scaled(1.0).seeded(7);
        Self {
            state: Arc::default(),
            clock,
            death: CancellationToken::new(),
            cancel: CancellationToken::new(),
            haste: 1,
            invisible: INVISIBLE,
            exclusive: false,
            limit: Duration::from_secs(1800),
        }
    }

    /// A world where things take a twentieth of their time.
    pub fn hasty() -> Self {
        Self {
            haste: 20,
            ..Self::new()
        }
    }

    fn takes(&self, seconds: u64) -> Duration {
        Duration::from_secs(seconds) / self.haste
    }

    pub fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap())
    }

    pub fn engine(&self) -> Engine {
        let kinds = Kinds::new()
            .with(SimKind::<VPC>(self.clone()))
            .with(SimKind::<SUBNET>(self.clone()))
            .with(SimKind::<ADDRESS>(self.clone()))
            .with(SimKind::<NAT>(self.clone()))
            .with(SimKind::<ROUTES>(self.clone()))
            .with(SimKind::<ROLE>(self.clone()))
            .with(SimKind::<CLUSTER>(self.clone()))
            .with(SimKind::<GATEWAY>(self.clone()))
            .with(SimKind::<POLICY>(self.clone()))
            .with(SimKind::<ADDON>(self.clone()))
            .with(SimKind::<OBJECT>(self.clone()));
        let mut engine = Engine::new(owner(), kinds);
        engine.clock = self.clock.clone();
        engine.cancel = self.cancel.clone();
        engine.schema = 1;
        engine.timeout = Duration::from_secs(4 * 3600);
        engine
    }

    /// A copy of the world as it is now, on the same clock.
    pub fn snapshot(&self) -> Self {
        let mut world = self.clone();
        world.state = Arc::new(Mutex::new(self.with(|state| state.clone())));
        world.restart();
        world
    }

    /// From here on it is another process.
    pub fn restart(&mut self) {
        self.death = CancellationToken::new();
        self.cancel = CancellationToken::new();
        // Calls that were under way died with it.
        self.with(|state| state.busy = 0);
    }

    /// Runs the work as a process that may die; none where it died. The next one is a new process.
    pub async fn process<T>(&mut self, work: impl AsyncFnOnce(Engine) -> T) -> Option<T> {
        self.restart();
        let death = self.death.clone();
        tokio::select! {
            biased;
            () = death.cancelled() => None,
            output = work(self.engine()) => Some(output),
        }
    }

    /// The next fault, counted from now.
    pub fn plan(&self, at: usize, fault: Fault) {
        self.with(|state| {
            state.fault = Some((state.calls + at, fault));
            state.fired = false;
            state.left = match fault {
                Fault::Throttled => 10,
                Fault::Unavailable => 3,
                _ => 1,
            };
        });
    }

    /// What every run keeps to: no mutating call is begun once it is cancelled.
    fn begin(&self) {
        assert!(
            !self.cancel.is_cancelled(),
            "a mutating call was begun after the run was cancelled"
        );
    }

    fn judge(&self, what: &str) -> Verdict {
        self.with(|state| {
            if state.refused.contains(what) {
                return Verdict::Refuse(Failure::new(Class::Quota, what, "no more of it (simulated)"));
            }
            let number = state.calls;
            let Some((at, fault)) = state.fault.filter(|(at, _)| number >= *at && state.left > 0) else {
                state.calls += 1;
                state.log.push(what.to_owned());
                return Verdict::Go;
            };
            state.fired = true;
            state.left -= 1;
            let refuse = |class, text: &str| Verdict::Refuse(Failure::new(class, what, text));
            // Calls that are turned away are not counted: the numbers are those of an undisturbed run.
            match fault {
                Fault::Throttled => return refuse(Class::Throttled, "Rate exceeded"),
                Fault::Unavailable => return refuse(Class::Transient, "Service unavailable"),
                Fault::Reset => return refuse(Class::Unknown, "connection reset"),
                Fault::Fails => return refuse(Class::Denied, "not allowed (simulated)"),
                Fault::CrashBefore => return Verdict::Die { apply: false },
                _ => {}
            }
            assert_eq!(number, at);
            state.calls += 1;
            state.log.push(what.to_owned());
            match fault {
                Fault::CrashAfter => Verdict::Die { apply: true },
                Fault::Lost => Verdict::GoThen(Some(Failure::new(Class::Unknown, what, "connection reset"))),
                _ => {
                    if fault == Fault::Cancel {
                        self.cancel.cancel();
                    }
                    Verdict::GoThen(None)
                }
            }
        })
    }

    async fn mutate<T>(
        &self,
        what: String,
        work: impl FnOnce(&mut State, Moment, bool) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.clock.sleep(Duration::from_millis(25)).await;
        let now = self.clock.now();
        match self.judge(&what) {
            Verdict::Go => self.with(|state| work(state, now, false)),
            Verdict::GoThen(failure) => {
                let fails =
                    self.with(|state| state.fault.is_some_and(|(_, fault)| fault == Fault::MadeFails));
                let answer = self.with(|state| work(state, now, fails))?;
                failure.map_or(Ok(answer), Err)
            }
            Verdict::Refuse(failure) => Err(failure),
            Verdict::Die { apply } => {
                if apply {
                    let _ = self.with(|state| work(state, now, false));
                }
                self.death.cancel();
                std::future::pending().await
            }
        }
    }

    /// What is there now, by part: kind, fields with keys in place of ids, condition, tags but those that differ each time.
    pub fn picture(&self) -> Vec<(String, Value)> {
        let now = self.clock.now();
        self.with(|state| {
            state.sweep(now);
            let keys: BTreeMap<String, String> =
                state.things.values().map(|thing| (thing.id.clone(), thing.tags.get("ekb:part").cloned().unwrap_or_default())).collect();
            let live = state.things.values().filter(|thing| thing.ends.is_none());
            let mut all: Vec<_> = live
                .map(|thing| {
                    let mut text = Value::Object(thing.fields.clone()).to_string();
                    for (id, key) in &keys {
                        text = text.replace(&format!("\"{id}\""), &format!("\"<{key}>\""));
                        text = text.replace(&format!("\"id {id}\""), &format!("\"id <{key}>\""));
                        text = text.replace(&format!("https://{id}.sim"), &format!("<url of {key}>"));
                    }
                    let fields: Value = serde_json::from_str(&text).unwrap();
                    let mut tags = thing.tags.clone();
                    for varying in ["ekb:made", "ekb:incarnation", "ekb:superseded"] {
                        tags.remove(varying);
                    }
                    let usable = thing.condition(now) == Condition::Settled;
                    let key = thing.tags.get("ekb:part").cloned().unwrap_or_else(|| MANNERS[thing.kind].kind.to_owned());
                    (key, json!({"kind": MANNERS[thing.kind].kind, "fields": fields, "tags": tags, "usable": usable, "secret": thing.secret}))
                })
                .collect();
            all.sort_by(|a, b| a.0.cmp(&b.0));
            all
        })
    }

    /// Lets everything settle and become visible.
    pub async fn rest(&self) {
        self.clock.sleep(Duration::from_secs(1200)).await;
    }

    /// Changes a thing from outside.
    pub fn meddle(&self, part: &str, work: impl FnOnce(&mut Thing)) {
        self.with(|state| {
            let thing = state
                .things
                .values_mut()
                .find(|thing| thing.ends.is_none() && thing.tags.get("ekb:part").is_some_and(|p| p == part));
            work(thing.unwrap());
        });
    }

    /// Removes a thing from outside.
    pub fn remove(&self, part: &str) {
        self.with(|state| {
            state
                .things
                .retain(|_, thing| thing.tags.get("ekb:part").is_none_or(|p| p != part))
        });
    }

    pub fn calls(&self) -> usize {
        self.with(|state| state.calls)
    }
}

/// A VPC and a cluster of this name in it.
pub fn cluster(graph: &mut Graph, name: &str) -> (Handle, Handle) {
    let vpc = graph.part("vpc", Sim::<VPC>::default());
    let cluster = Sim::<CLUSTER> {
        name: Some(name.into()),
        within: vec![vpc.made()],
        ..Sim::default()
    };
    let cluster = graph.part("cluster", cluster);
    (vpc, cluster)
}

pub fn owner() -> Owner {
    Owner {
        environment: "dev".into(),
        region: "eu-central-1".into(),
        resource: "network/main".into(),
    }
}

impl State {
    fn sweep(&mut self, now: Moment) {
        self.things.retain(|_, thing| {
            thing
                .ends
                .is_none_or(|ends| ends > now || MANNERS[thing.kind].lingers)
        });
        let clusters: BTreeSet<String> = self
            .things
            .values()
            .filter(|thing| thing.kind == CLUSTER)
            .map(|thing| thing.id.clone())
            .collect();
        self.things.retain(|_, thing| {
            let is_within = |id: &Value| clusters.contains(id.as_str().unwrap_or_default());
            MANNERS[thing.kind].under.is_none()
                || thing.fields["within"]
                    .as_array()
                    .is_some_and(|within| within.iter().any(is_within))
        });
    }
}

impl Thing {
    fn condition(&self, now: Moment) -> Condition {
        match self.ends {
            Some(ends) if ends <= now => return Condition::Dead,
            Some(_) => return Condition::Deleting,
            None => {}
        }
        if now < self.ready {
            Condition::Changing("pending".into())
        } else if self.fails {
            Condition::Failed("simulated: could not be made".into())
        } else {
            Condition::Settled
        }
    }

    /// Whether it forbids to delete what has this id: what lies within does; a route to a NAT gateway does not.
    fn holds(&self, id: &str, kind: usize) -> bool {
        let field = |name: &str| self.fields.get(name).unwrap_or(&Value::Null);
        let within = field("within").as_array().into_iter().flatten();
        let routes = field("routes").as_object().into_iter().flat_map(Map::values);
        within
            .chain(routes.filter(|_| kind != NAT))
            .any(|used| used == id)
    }

    fn strings(&self) -> Vec<String> {
        fn walk(value: &Value, out: &mut Vec<String>) {
            match value {
                Value::String(text) => out.push(text.clone()),
                Value::Array(list) => list.iter().for_each(|value| walk(value, out)),
                Value::Object(map) => map.values().for_each(|value| walk(value, out)),
                _ => {}
            }
        }
        let mut out = Vec::new();
        for field in ["within", "routes"] {
            walk(self.fields.get(field).unwrap_or(&Value::Null), &mut out);
        }
        out
    }

    fn object(&self, now: Moment) -> Object {
        let fields = match &self.stale {
            Some((fields, until)) if *until > now => fields.clone(),
            _ => self.fields.clone(),
        };
        let mut fields = Value::Object(fields);
        fields["tags"] = json!(self.tags);
        let id = self.id.clone();
        Object {
            id,
            arn: None,
            condition: self.condition(now),
            fields,
            tags: self.tags.clone(),
            references: self.strings(),
            outputs: BTreeMap::from([
                ("serial".to_owned(), json!(self.id.rsplit('-').next())),
                ("url".to_owned(), json!(format!("https://{}.sim", self.id))),
                // What an update changes.
                ("version".to_owned(), self.fields["size"].clone()),
            ]),
            detail: Value::Null,
        }
    }

    pub fn set(&mut self, field: &str, value: Value) {
        self.fields.insert(field.to_owned(), value);
    }
}

pub struct SimKind<const N: usize>(pub World);

fn resolve<const N: usize>(part: &Sim<N>, call: &Call) -> Result<Map<String, Value>, Failure> {
    let within = part
        .within
        .iter()
        .map(|part| call.id(part))
        .collect::<Result<Vec<_>, _>>()?;
    let is_now = |(_, part): &(&String, &Ref)| !Sim::<N>::is_later("routes") || call.has(part);
    let routes = part
        .routes
        .iter()
        .filter(is_now)
        .map(|(k, part)| Ok((k.clone(), json!(call.id(part)?))))
        .collect::<Result<Map<_, _>, Failure>>()?;
    let mut fields = Map::new();
    fields.insert("name".into(), json!(part.name));
    fields.insert("size".into(), json!(part.size));
    fields.insert("cidr".into(), json!(part.cidr));
    fields.insert("within".into(), json!(within));
    fields.insert("routes".into(), Value::Object(routes));
    fields.insert("note".into(), call.document(&part.note)?);
    Ok(fields)
}

/// What is pointed at has to be there, and a NAT gateway or cluster usable.
fn check(state: &State, fields: &Map<String, Value>, now: Moment) -> Result<(), Failure> {
    let probe = Thing {
        kind: 0,
        id: String::new(),
        fields: fields.clone(),
        tags: Tags::new(),
        token: String::new(),
        secret: String::new(),
        request: Value::Null,
        made: now,
        ready: now,
        fails: false,
        ends: None,
        stale: None,
    };
    for id in probe.strings() {
        let usable = state.things.get(&id).is_some_and(|thing| {
            let condition = thing.condition(now);
            condition == Condition::Settled
                || (!matches!(thing.kind, NAT | CLUSTER) && matches!(condition, Condition::Changing(_)))
        });
        if !usable {
            return Err(Failure::new(
                Class::Invalid,
                "using",
                format!("{id} is not usable"),
            ));
        }
    }
    Ok(())
}

#[async_trait]
impl<const N: usize> Kind for SimKind<N> {
    type Part = Sim<N>;

    fn traits(&self) -> KindTraits {
        let manner = &MANNERS[N];
        KindTraits {
            kind: manner.kind,
            title: manner.kind,
            deletion_order: manner.deletion_order,
            idempotence: manner.idempotence,
            invisible_for: self.0.invisible,
            pace: Pace {
                create: self.0.takes(manner.create),
                delete: self.0.takes(manner.delete),
                limit: self.0.limit,
            },
            reads: &[],
            writes: &[],
        }
    }

    async fn observe(&self, ask: &Ask) -> Result<Vec<Object>, Failure> {
        let world = &self.0;
        let slow = world.with(|state| state.slow.get(MANNERS[N].kind).copied());
        world.clock.sleep(slow.unwrap_or(Duration::from_millis(25))).await;
        if world.with(|state| state.silent.contains(MANNERS[N].kind)) {
            std::future::pending::<()>().await;
        }
        let now = world.clock.now();
        let objects = world.with(|state| {
            state.looks += 1;
            if state.cancel_at_look.is_some_and(|at| state.looks > at) {
                state.fired = true;
                world.cancel.cancel();
            }
            state.sweep(now);
            let mut things = state.things.values();
            let is_pending = things
                .any(|thing| thing.kind == NAT && matches!(thing.condition(now), Condition::Changing(_)));
            if state.cancel_when_pending && state.is_creating && is_pending {
                world.cancel.cancel();
            }
            let kind = MANNERS[N].kind;
            let looks = state.looks;
            if state.blind.contains(kind) || state.blind_from.is_some_and(|(at, of)| of == kind && looks > at)
            {
                return Err(Failure::new(
                    Class::Denied,
                    format!("listing {kind}"),
                    "not allowed to read",
                ));
            }
            if state.unreachable.contains(kind) {
                return Err(Failure::new(
                    Class::Transient,
                    format!("listing {kind}"),
                    "no route to the cluster",
                ));
            }
            assert_eq!(
                MANNERS[N].under.is_some(),
                !ask.parents.is_empty(),
                "asked without what it is under"
            );
            let lag = state.lag;
            let asked = |thing: &&Thing| {
                let usable = |parent: &Arc<Object>| {
                    parent.condition == Condition::Settled && thing.strings().contains(&parent.id)
                };
                if MANNERS[N].under.is_some() && !ask.parents.iter().any(usable) {
                    return false;
                }
                let tagged = ask.owner.tags(&"".into()).iter().all(|(k, v)| {
                    let is = thing.tags.get(k);
                    let begins = |start| is.is_some_and(|is| is.starts_with(start));
                    k == "ekb:part" || is == Some(v) || v.strip_suffix('*').is_some_and(begins)
                });
                let known = || ask.known.values().any(|id| *id == thing.id);
                let name = thing.fields.get("name").filter(|name| !name.is_null());
                let named =
                    || name.is_some() && ask.declared.values().any(|fields| fields.get("name") == name);
                // There is one network in this world.
                let within = ask.root.is_some();
                thing.kind == N
                    && (tagged || within || known() || named())
                    && now.since(thing.made) >= lag
                    && !(state.hides_dead && thing.condition(now) == Condition::Dead)
            };
            let is_unready = state.unready.contains(kind);
            let object = |thing: &Thing| {
                let mut object = thing.object(now);
                if is_unready && object.condition == Condition::Settled && object.fields["size"] == 1 {
                    object.condition = Condition::Unready("0 of 1 ready".to_owned());
                }
                object
            };
            Ok(state.things.values().filter(asked).map(object).collect())
        });
        world.clock.sleep(Duration::from_millis(25)).await;
        objects
    }

    async fn create(&self, part: &Sim<N>, call: &Call) -> Result<Made, Failure> {
        let world = &self.0;
        world.begin();
        world.with(|state| {
            state.busy += 1;
            state.busiest = state.busiest.max(state.busy);
        });
        let mut fields = resolve(part, call)?;
        let manner = &MANNERS[N];
        let tags = if manner.untagged {
            Tags::new()
        } else {
            call.tags(&part.tags)
        };
        // What may come later is no part of the creating call.
        let mut first = fields.clone();
        first.retain(|field, _| !Sim::<N>::is_later(field));
        let request = json!([first, tags]);
        let made = world.mutate(format!("create {}", call.key), |state, now, fails| {
            state.sweep(now);
            if manner.idempotence == Idempotence::Token
                && let Some(thing) = state.things.values().find(|thing| thing.token == call.token)
            {
                if thing.request != request {
                    return Err(Failure::new(
                        Class::Invalid,
                        "creating",
                        "IdempotentParameterMismatch",
                    ));
                }
                // Kinds whose dead ones are not listed do not say in the answer either that it is dead (route tables).
                let condition = if state.hides_dead && thing.condition(now) == Condition::Dead {
                    Condition::Settled
                } else {
                    thing.condition(now)
                };
                return Ok(Made::new(&thing.id, condition));
            }
            let mut live = state.things.values().filter(|thing| thing.kind == N);
            if part.name.is_some() && live.any(|thing| thing.fields.get("name") == Some(&json!(part.name))) {
                return Err(Failure::new(
                    Class::Exists,
                    format!("creating {}", call.key),
                    "the name is taken",
                ));
            }
            let is_same = |thing: &Thing| {
                thing.kind == N && thing.ends.is_none() && thing.fields["cidr"] == fields["cidr"]
            };
            if N == SUBNET && world.exclusive && state.things.values().any(is_same) {
                let text = "the range conflicts with another subnet's";
                return Err(Failure::new(
                    Class::Invalid,
                    format!("creating {}", call.key),
                    text,
                ));
            }
            check(state, &fields, now)?;
            state.serial += 1;
            // Kinds with names have the name as their id.
            let id = part.name.clone().map_or_else(
                || format!("{}-{}", manner.kind, state.serial),
                |name| name.clone(),
            );
            if manner.two_calls {
                fields.insert("size".into(), json!(0));
                fields.insert("routes".into(), json!({}));
            }
            let (token, kind) = (call.token.clone(), N);
            let thing = Thing {
                kind,
                id: id.clone(),
                fields,
                tags,
                token,
                secret: part.secret.expose().clone(),
                request,
                made: now,
                ready: now + world.takes(manner.create),
                fails,
                ends: None,
                stale: None,
            };
            let done = !manner.two_calls && thing.condition(now) == Condition::Settled;
            let condition = if done {
                Condition::Settled
            } else {
                Condition::Changing("pending".into())
            };
            state.things.insert(id.clone(), thing);
            Ok(Made::new(id, condition))
        });
        let made = made.await;
        world.with(|state| state.busy -= 1);
        let made = made?;
        world.clock.sleep(Duration::from_millis(25)).await;
        Ok(made)
    }

    async fn update(
        &self,
        part: &Sim<N>,
        is: &Object,
        differences: &[Difference],
        call: &Call,
    ) -> Result<(), Failure> {
        self.0.begin();
        let (id, world) = (is.id.clone(), &self.0);
        for difference in differences {
            let field = &difference.field;
            let number = |value: &Value| value.as_u64().unwrap_or_default();
            if N == CLUSTER && field == "size" && number(&difference.should) > number(&difference.is) + 1 {
                return Err(Failure::new(Class::Invalid, "updating", "one version at a time"));
            }
            // As declared, or what is left before something is deleted.
            let should = match (field.as_str(), difference.should.as_object()) {
                ("routes", Some(routes)) => {
                    let id = |key: &Value| {
                        let key = key.as_str().unwrap_or_default();
                        json!(call.ids.get(&key.into()).map_or(key, String::as_str))
                    };
                    Value::Object(routes.iter().map(|(k, v)| (k.clone(), id(v))).collect())
                }
                ("note", Some(wanted)) if world.with(|state| state.one_at_a_time) => {
                    let mut next = difference.is.as_object().cloned().unwrap_or_default();
                    let other = wanted.iter().find(|(name, value)| next.get(*name) != Some(value));
                    next.extend(other.map(|(name, value)| (name.clone(), value.clone())));
                    Value::Object(next)
                }
                _ => difference.should.clone(),
            };
            let fields = Map::from_iter([(field.clone(), should)]);
            world
                .mutate(format!("update {} {field}", call.key), |state, now, _| {
                    check(state, &fields, now)?;
                    let lag = state.lag;
                    let thing = state
                        .things
                        .get_mut(&id)
                        .ok_or_else(|| Failure::new(Class::NotFound, "updating", id.clone()))?;
                    thing.stale = Some((thing.fields.clone(), now + lag));
                    if field == "routes" {
                        let routes = thing.fields.entry("routes").or_insert_with(|| json!({}));
                        for name in difference
                            .is
                            .as_object()
                            .into_iter()
                            .flatten()
                            .map(|(name, _)| name)
                        {
                            routes.as_object_mut().unwrap().shift_remove(name);
                        }
                        for (name, value) in fields["routes"].as_object().into_iter().flatten() {
                            // As AWS has it for rules and associations: a lost answer's second try is refused.
                            if routes.get(name).is_some() {
                                return Err(Failure::new(
                                    Class::Exists,
                                    "updating",
                                    format!("{name} is there"),
                                ));
                            }
                            routes[name] = value.clone();
                        }
                    } else if field == "secret_version" {
                        thing.secret = part.secret.expose().clone();
                    } else {
                        thing.fields.insert(field.clone(), fields[field].clone());
                    }
                    Ok(())
                })
                .await?;
        }
        Ok(())
    }

    async fn tag(&self, id: &str, set: &Tags, remove: &[String]) -> Result<(), Failure> {
        // Whose the root is at the end is said also after a cancel.
        if !set.contains_key("ekb:incarnation") {
            self.0.begin();
        }
        let tagging = |state: &mut State, _, _| {
            let thing = state
                .things
                .get_mut(id)
                .ok_or_else(|| Failure::new(Class::NotFound, "tagging", id))?;
            thing.tags.extend(set.clone());
            thing.tags.retain(|name, _| !remove.contains(name));
            Ok(())
        };
        self.0.mutate(format!("tag {id}"), tagging).await
    }

    async fn outlook(&self, object: &Object, _waited: Duration) -> Result<(), Failure> {
        let stuck = self.0.with(|state| state.stuck.contains(MANNERS[N].kind));
        let failure = || {
            Failure::new(
                Class::Stuck,
                format!("waiting for {}", object.id),
                "no address is left in the subnet",
            )
        };
        if stuck { Err(failure()) } else { Ok(()) }
    }

    async fn in_the_way(&self, object: &Object, going: &[&Object], ours: &[&Object]) -> Result<(), Failure> {
        assert!(going.iter().any(|other| other.id == object.id) && ours.len() >= going.len());
        if N == SUBNET && self.0.with(|state| state.lodger) {
            return Err(Failure::new(
                Class::Stuck,
                format!("deleting {}", object.id),
                "an interface of others is in it",
            ));
        }
        match self.0.with(|state| state.others) {
            Some((class, until)) if N == VPC && self.0.clock.now() < until => Err(Failure::new(
                class,
                format!("deleting {}", object.id),
                "a load balancer is in it",
            )),
            _ => Ok(()),
        }
    }

    fn loss(&self) -> Loss {
        match N {
            ADDRESS => Loss::Thing("its address"),
            CLUSTER => Loss::Data("its history"),
            _ => Loss::Nothing,
        }
    }

    fn carries_tags(&self) -> bool {
        !MANNERS[N].untagged
    }

    fn parent(&self) -> Option<&'static str> {
        MANNERS[N].under
    }

    fn ends_with_parent(&self) -> bool {
        self.0.with(|state| state.ending.contains(MANNERS[N].kind))
    }

    fn only_where_meant(&self) -> bool {
        self.ends_with_parent()
    }

    fn lock(&self, fields: &Value) -> Option<String> {
        (N == CLUSTER).then(|| format!("cluster {}", fields["name"]))
    }

    fn excludes(&self, declared: &Value, object: &Object) -> bool {
        N == SUBNET && declared["cidr"] == object.fields["cidr"]
    }

    fn stands_for(&self, declared: &Value, object: &Object) -> bool {
        let equal = |field| declared.get(field) == object.fields.get(field);
        match N {
            SUBNET => equal("cidr") && equal("within"),
            POLICY => equal("name") && equal("within"),
            ROLE | CLUSTER | ADDON | OBJECT => equal("name"),
            GATEWAY => equal("within"),
            ADDRESS => declared["note"].is_string() && equal("note"),
            ROUTES => equal("routes") && equal("within"),
            // Its address is found by it.
            NAT => declared["within"][0] == object.fields["within"][0],
            _ => false,
        }
    }

    async fn delete(&self, object: &Object, call: &Call) -> Result<Deleted, Failure> {
        self.0.begin();
        let deleting = |state: &mut State, now, _| {
            state.sweep(now);
            let users = state
                .things
                .values()
                .filter(|thing| thing.ends.is_none_or(|ends| ends > now) && thing.holds(&object.id, N))
                .filter(|thing| !state.ending.contains(MANNERS[thing.kind].kind));
            let users: Vec<&str> = users.map(|thing| thing.id.as_str()).collect();
            if !users.is_empty() {
                let cause = format!("{} is used by {}", object.id, users.join(", "));
                return Err(Failure::new(Class::Busy, format!("deleting {}", call.key), cause));
            }
            let thing = state
                .things
                .get_mut(&object.id)
                .filter(|thing| thing.ends.is_none_or(|ends| ends > now));
            let thing = thing.ok_or_else(|| Failure::new(Class::NotFound, "deleting", object.id.clone()))?;
            if thing.tags.contains_key("keep") {
                return Ok(Deleted::Kept("it is marked to be kept".into()));
            }
            if thing.tags.contains_key("snapshot") {
                thing.ends = Some(now + Duration::from_secs(60));
                return Ok(Deleted::FinalSnapshot(format!("snapshot-of-{}", object.id)));
            }
            thing.ends = thing.ends.or(Some(now + self.0.takes(MANNERS[N].delete)));
            Ok(if MANNERS[N].delete == 0 {
                Deleted::Gone
            } else {
                Deleted::Begun
            })
        };
        self.0.mutate(format!("delete {}", call.key), deleting).await
    }
}
