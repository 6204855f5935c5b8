//! What a user of core would see of a resource: a stand-in for core, a simulated world, and blows in any number and order.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use framework::{
    Attr, Configured, Context, Create, Delete, Diagnostic, Diagnostics, Marker, Model, Plan, PlanKind,
    PrivateState, Read, Resource, Timeouts, Update,
};
use serde_json::json;

use super::outputs::Remembered;
use super::{
    Baseline, Common, Declared, DefaultTimeouts, GivenTags, Managed, Outputs, Reconciled, Surroundings,
};
use crate::failure::Failure;
use crate::graph::Graph;
use crate::kinds::Kinds;
use crate::locks::Locks;
use crate::part::{Key, key};
use crate::report::{Known, Report};
use crate::shared_tags::IgnoredTags;
use crate::simulated::{ADDRESS, CLUSTER, Fault, NAT, ROUTES, SUBNET, Sim, VPC, World};

/// A small network.
#[derive(Model, Managed, Debug, Clone, Default)]
struct Network {
    /// Its name.
    #[attribute(optional, computed, keep, replace)]
    name: Attr<String>,
    /// What cannot be changed.
    #[attribute(required, replace)]
    range: Attr<i64>,
    /// What can.
    #[attribute(required)]
    size: Attr<i64>,
    /// Whether data may go.
    #[attribute(optional)]
    allow_data_loss: Attr<bool>,
    /// The root's id.
    #[attribute(computed, keep)]
    vpc_id: Attr<String>,
    #[flatten]
    common: Common,
    /// Time-outs.
    #[block]
    timeouts: Attr<Timeouts>,
}

struct Surround {
    world: OnceLock<World>,
    locks: Locks,
    tags: Attr<GivenTags>,
    ignored: IgnoredTags,
}

#[async_trait]
impl Surroundings for Surround {
    fn environment(&self) -> Option<&str> {
        Some("dev")
    }
    async fn region(&self) -> Result<String, Failure> {
        Ok("eu-central-1".into())
    }
    fn check_region(&self, _region: &str) -> Result<(), Failure> {
        Ok(())
    }
    async fn account(&self, _: Option<&str>) -> Result<String, Failure> {
        Ok("123456789012".into())
    }
    fn default_tags(&self) -> &Attr<GivenTags> {
        &self.tags
    }
    fn ignored_tags(&self) -> &IgnoredTags {
        &self.ignored
    }
    fn locks(&self) -> &Locks {
        &self.locks
    }
}

#[derive(Default)]
struct NetworkResource;

const HOUR: Duration = Duration::from_secs(3600);

fn graph(range: u32, size: u32) -> Graph {
    let mut graph = Graph::new();
    let vpc = graph.part(
        "vpc",
        Sim::<VPC> {
            cidr: range,
            size,
            ..Sim::default()
        },
    );
    let subnet = graph.part(
        key("subnet", "a"),
        Sim::<SUBNET> {
            within: vec![vpc.made()],
            ..Sim::default()
        },
    );
    let address = graph.part(key("address", "a"), Sim::<ADDRESS>::default());
    let nat = graph.part(
        key("nat", "a"),
        Sim::<NAT> {
            within: vec![subnet.made(), address.made()],
            ..Sim::default()
        },
    );
    graph.part(
        key("routes", "a"),
        Sim::<ROUTES> {
            within: vec![vpc.made()],
            routes: BTreeMap::from([("0.0.0.0/0".to_owned(), nat.ready())]),
            ..Sim::default()
        },
    );
    graph
}

#[async_trait]
impl Declared<Surround> for NetworkResource {
    type Model = Network;
    const NAME: &'static str = "sim_network";
    const TITLE: &'static str = "network";
    const TIMEOUTS: DefaultTimeouts = DefaultTimeouts {
        create: HOUR,
        read: HOUR,
        update: HOUR,
        delete: HOUR,
    };

    fn root_key(&self) -> Key {
        "vpc".into()
    }
    fn graph(&self, model: &Network) -> Option<Graph> {
        let number = |attr: &Attr<i64>| u32::try_from(*attr.known()?).ok();
        Some(graph(number(&model.range)?, number(&model.size)?))
    }
    fn kinds(&self, context: &Surround, _region: &str) -> Kinds {
        context.world.get().unwrap().engine().kinds
    }
    fn outputs(&self, model: &mut Network, from: &Outputs<'_>) {
        model.vpc_id = from.id("vpc");
    }
    fn allows_data_loss(model: &Network) -> bool {
        model.allow_data_loss == Attr::Known(true)
    }
    fn adopt(&self, model: &mut Network, report: &Report) {
        let fields = report.objects.get(&Key::from("vpc"));
        let number = |name: &str| Attr::from_option(fields.and_then(|fields| fields.get(name)?.as_i64()));
        model.range = number("cidr");
        model.size = number("size");
    }
}

/// What core stores of an object.
#[derive(Debug, Clone)]
struct Instance {
    state: Network,
    tainted: bool,
}

/// Which half of an apply comes first: the destroy of deposed objects, or all else. Core does both at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    DeposedFirst,
    DeposedLast,
}

/// Core, with one resource.
struct Core {
    world: World,
    resource: Reconciled<NetworkResource>,
    config: Network,
    create_before_destroy: bool,
    order: Order,
    current: Option<Instance>,
    deposed: Vec<Instance>,
    /// A process died in a create, of which core then knows nothing.
    lost: bool,
    /// What was said last.
    said: Vec<Diagnostic>,
}

/// Why an operation ended.
#[derive(Debug)]
#[expect(dead_code, reason = "shown by failing tests")]
enum End {
    Failed(Vec<Diagnostic>),
    Died,
}

type Done = Result<(), End>;

impl Core {
    fn new(create_before_destroy: bool) -> Self {
        let config = Network {
            range: 1.into(),
            size: 1.into(),
            ..Network::default()
        };
        Self {
            world: World::hasty(),
            resource: Reconciled(NetworkResource),
            config,
            create_before_destroy,
            order: Order::DeposedLast,
            current: None,
            deposed: Vec::new(),
            lost: false,
            said: Vec::new(),
        }
    }

    /// A provider process.
    fn process(&mut self) -> Context<Surround> {
        self.world.restart();
        let surround = Arc::new(Surround {
            world: OnceLock::new(),
            locks: Locks::default(),
            tags: Attr::Null,
            ignored: IgnoredTags::default(),
        });
        let cx = Context::for_tests(Configured::Ready(Arc::clone(&surround)));
        self.world.cancel = cx.cancel().clone();
        let _new = surround.world.set(self.world.clone());
        cx
    }

    /// Runs a call, in which the process may die.
    async fn call<T>(world: &World, work: impl Future<Output = T>) -> Result<T, End> {
        let death = world.death.clone();
        tokio::select! {
            biased;
            () = death.cancelled() => Err(End::Died),
            output = work => Ok(output),
        }
    }

    fn said(&mut self, diagnostics: Diagnostics) -> Done {
        let is_failed = diagnostics.has_errors();
        let said: Vec<Diagnostic> = diagnostics.into_iter().collect();
        self.said.extend(said.iter().cloned());
        if is_failed { Err(End::Failed(said)) } else { Ok(()) }
    }

    async fn refresh(&mut self, cx: &Context<Surround>) -> Done {
        let all = std::mem::take(&mut self.deposed)
            .into_iter()
            .map(|one| (true, one));
        let all: Vec<_> = all.chain(self.current.take().map(|one| (false, one))).collect();
        let mut done = Ok(());
        for (is_deposed, one) in all {
            let asked = Read {
                state: one.state.clone(),
                private: PrivateState::new(),
                identity: None,
            };
            let answer = Self::call(&self.world, self.resource.read(cx, asked)).await;
            let (state, said) = match answer {
                Ok(answer) => (answer.state, self.said(answer.diagnostics)),
                Err(end) => (Some(one.state.clone()), Err(end)),
            };
            done = done.and(said);
            let state = if done.is_err() { Some(one.state) } else { state };
            let Some(state) = state else { continue };
            let one = Instance { state, ..one };
            if is_deposed {
                self.deposed.push(one);
            } else {
                self.current = Some(one);
            }
        }
        done
    }

    async fn plan(
        &mut self,
        cx: &Context<Surround>,
        kind: PlanKind,
        prior: Option<Network>,
    ) -> Result<(Network, bool), End> {
        let mut planned = prior.clone().unwrap_or_default();
        if prior.is_none() {
            planned.vpc_id = Attr::Unknown;
        }
        planned.range = self.config.range;
        planned.size = self.config.size;
        let is_moved = prior.as_ref().is_some_and(|prior| prior.range != planned.range);
        let mut plan = Plan {
            kind,
            config: Some(self.config.clone()),
            prior,
            planned: Some(planned),
            changed: true,
            replace: is_moved.then(|| "range".into()).into_iter().collect(),
            private: PrivateState::new(),
            diagnostics: Diagnostics::new(),
        };
        Self::call(&self.world, self.resource.plan(cx, &mut plan)).await?;
        self.said(plan.diagnostics)?;
        Ok((plan.planned.unwrap(), is_moved))
    }

    fn marker(planned: &Network) -> Marker {
        let text = |attr: &Attr<String>| attr.known().map(|text| json!(text));
        let range = planned.range.known().map(|range| json!(range));
        Marker::Create {
            force_new: [
                ("name", text(&planned.name)),
                ("region", text(&planned.common.region)),
                ("range", range),
            ]
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
        }
    }

    /// `apply`, or `apply -replace`.
    async fn apply_with(&mut self, is_forced: bool) -> Done {
        self.said.clear();
        let cx = self.process();
        self.refresh(&cx).await?;
        let prior = self
            .current
            .clone()
            .filter(|one| !one.tainted)
            .map(|one| one.state);
        let kind = if prior.is_some() {
            PlanKind::Update
        } else {
            PlanKind::Create
        };
        let (planned, is_moved) = self.plan(&cx, kind, prior.clone()).await?;
        let is_replaced = is_forced || is_moved;
        let marker = if prior.is_some() && is_replaced {
            self.plan(&cx, PlanKind::Replace, None).await?;
            Marker::Replace
        } else {
            Self::marker(&planned)
        };
        let cx = self.process();
        if self.order == Order::DeposedFirst {
            self.destroy_deposed(&cx).await?;
        }
        match (prior, is_replaced) {
            (Some(prior), false) => self.update(&cx, prior).await?,
            _ => {
                let replaced = self.current.take();
                if self.create_before_destroy {
                    let is_replacement = replaced.is_some();
                    self.deposed.extend(replaced);
                    let done = self.create(&cx, &marker).await;
                    if done.is_err() && self.current.is_none() && is_replacement {
                        self.current = self.deposed.pop();
                    }
                    done?;
                } else {
                    self.delete(&cx, replaced, marker.clone(), false).await?;
                    self.create(&cx, &marker).await?;
                }
            }
        }
        self.destroy_deposed(&cx).await
    }

    async fn apply(&mut self) -> Done {
        self.apply_with(false).await
    }

    async fn create(&mut self, cx: &Context<Surround>, marker: &Marker) -> Done {
        let (planned, _) = self.plan(cx, PlanKind::Create, None).await?;
        let request = Create {
            config: self.config.clone(),
            planned,
            private: PrivateState::new(),
            marker: marker.clone(),
        };
        self.world.with(|state| state.is_creating = true);
        let answer = Self::call(&self.world, self.resource.create(cx, request)).await;
        self.world.with(|state| state.is_creating = false);
        let answer = match answer {
            Ok(answer) => answer,
            Err(end) => {
                self.lost = true;
                return Err(end);
            }
        };
        let tainted = answer.diagnostics.has_errors();
        self.current = answer.state.map(|state| Instance { state, tainted });
        self.said(answer.diagnostics)
    }

    async fn update(&mut self, cx: &Context<Surround>, prior: Network) -> Done {
        let (planned, _) = self.plan(cx, PlanKind::Update, Some(prior.clone())).await?;
        let request = Update {
            config: self.config.clone(),
            prior,
            planned,
            private: PrivateState::new(),
            marker: Marker::Update,
        };
        let answer = Self::call(&self.world, self.resource.update(cx, request)).await?;
        if let Some(state) = answer.state {
            self.current = Some(Instance {
                state,
                tainted: false,
            });
        }
        self.said(answer.diagnostics)
    }

    async fn delete(
        &mut self,
        cx: &Context<Surround>,
        one: Option<Instance>,
        marker: Marker,
        is_deposed: bool,
    ) -> Done {
        let Some(one) = one else { return Ok(()) };
        let request = Delete {
            prior: one.state.clone(),
            private: PrivateState::new(),
            marker,
        };
        let answer = Self::call(&self.world, self.resource.delete(cx, request)).await;
        let (left, said) = match answer {
            Ok(answer) => {
                let is_failed = answer.diagnostics.has_errors();
                let left = answer.state.or(is_failed.then(|| one.state.clone()));
                (left, self.said(answer.diagnostics))
            }
            Err(end) => (Some(one.state.clone()), Err(end)),
        };
        let left = left.map(|state| Instance { state, ..one });
        if is_deposed {
            self.deposed.extend(left);
        } else {
            self.current = left;
        }
        said
    }

    async fn destroy_deposed(&mut self, cx: &Context<Surround>) -> Done {
        let mut done = Ok(());
        for one in std::mem::take(&mut self.deposed) {
            if matches!(done, Err(End::Died)) {
                self.deposed.push(one);
                continue;
            }
            done = done.and(self.delete(cx, Some(one), Marker::Destroy, true).await);
        }
        done
    }

    async fn destroy(&mut self) -> Done {
        self.said.clear();
        let cx = self.process();
        self.refresh(&cx).await?;
        let cx = self.process();
        if self.order == Order::DeposedFirst {
            self.destroy_deposed(&cx).await?;
        }
        let current = self.current.take();
        self.delete(&cx, current, Marker::Destroy, false).await?;
        self.destroy_deposed(&cx).await
    }

    /// The import that the error about a complete one that no state knows asks for.
    async fn import(&mut self) -> Done {
        let cx = self.process();
        let import = self
            .resource
            .import(&cx, framework::Import::Id("dev/dev".to_owned()))
            .await;
        let asked = Read {
            state: import.state.unwrap(),
            private: import.private,
            identity: None,
        };
        let answer = Self::call(&self.world, self.resource.read(&cx, asked)).await?;
        self.current = answer.state.map(|state| Instance {
            state,
            tainted: false,
        });
        self.lost = false;
        self.said(answer.diagnostics)
    }

    /// Another one, which goes on from here in a world of its own.
    fn fork(&self) -> Self {
        Self {
            world: self.world.snapshot(),
            resource: Reconciled(NetworkResource),
            config: self.config.clone(),
            current: self.current.clone(),
            deposed: self.deposed.clone(),
            said: Vec::new(),
            ..*self
        }
    }

    fn untaint(&mut self) {
        if let Some(current) = &mut self.current {
            current.tainted = false;
        }
    }

    fn taint(&mut self) {
        if let Some(current) = &mut self.current {
            current.tainted = true;
        }
    }

    fn texts(&self) -> String {
        let text = |one: &Diagnostic| {
            format!(
                "{:?} {} {}: {} {}",
                one.severity, one.code, one.summary, one.detail, one.hint
            )
        };
        self.said.iter().map(text).collect::<Vec<_>>().join("\n")
    }

    fn has_said(&self, code: &str) -> bool {
        self.said.iter().any(|one| one.code == code)
    }

    /// The resource knows nothing, and nothing is there.
    fn assert_nothing(&self, case: &str) {
        assert_eq!(self.world.picture(), Vec::new(), "{case}: {}", self.texts());
        assert!(self.current.is_none() && self.deposed.is_empty(), "{case}");
    }

    /// Destroys it, which has to do it at once; where a process died in a create and core knows nothing of it, an apply or
    /// an import comes first; where it died at its very end, that is said.
    async fn destroys_all(&mut self, case: &str) {
        self.world.with(|state| state.fault = None);
        if self.lost && self.current.is_none() && !self.world.picture().is_empty() {
            self.comes_right(case).await;
        }
        let mut done = self.destroy().await;
        if self.lost && self.has_said("EKB2030") {
            self.import().await.unwrap();
            done = self.destroy().await;
        }
        assert!(done.is_ok(), "{case}: destroy: {done:?}");
        self.assert_nothing(case);
    }

    /// Applies it, which has to do it at once but for what only an import can do; then there is one object a part.
    async fn comes_right(&mut self, case: &str) {
        self.world.with(|state| state.fault = None);
        let mut done = self.apply().await;
        if done.is_err() && self.lost && self.has_said("EKB1302") {
            self.import().await.unwrap();
            done = self.apply().await;
        }
        assert!(done.is_ok(), "{case}: apply: {done:?}");
        self.lost = false;
        let parts = self.resource.0.graph(&self.config).unwrap().keys().count();
        let picture = self.world.picture();
        assert_eq!(picture.len(), parts, "{case}: one object a part: {picture:#?}");
        let current = self.current.as_ref().unwrap();
        assert!(self.deposed.is_empty() && !current.tainted, "{case}");
        assert_eq!(
            current.state.common.status.known().map(String::as_str),
            Some("complete"),
            "{case}"
        );
        let calls = self.world.calls();
        self.world.rest().await;
        let done = self.apply().await;
        assert!(done.is_ok(), "{case}: the second apply: {done:?}");
        assert_eq!(
            self.world.calls(),
            calls,
            "{case}: the second apply changes nothing: {}",
            self.texts()
        );
        for code in ["EKB2021", "EKB2028", "EKB2029"] {
            assert!(!self.has_said(code), "{case}: {}", self.texts());
        }
    }
}

/// What strikes an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blow {
    /// At the n-th mutating call.
    Call(usize, Fault),
    /// The user's Ctrl-C at the n-th look.
    Cancel(usize),
}

impl Blow {
    /// Lets it strike from now on.
    fn order(self, world: &World) {
        match self {
            Self::Call(at, fault) => world.plan(at, fault),
            Self::Cancel(at) => world.with(|state| {
                state.cancel_at_look = Some(state.looks + at);
                state.fired = false;
            }),
        }
    }

    /// Whether it has struck; then all is well again.
    fn end(world: &World) -> bool {
        world.with(|state| {
            state.fault = None;
            state.cancel_at_look = None;
            state.fired
        })
    }
}

/// Faults that end an operation.
const ENDING: [Fault; 5] = [
    Fault::CrashBefore,
    Fault::CrashAfter,
    Fault::Fails,
    Fault::Cancel,
    Fault::MadeFails,
];

const MODES: [(bool, Order); 3] = [
    (false, Order::DeposedLast),
    (true, Order::DeposedFirst),
    (true, Order::DeposedLast),
];

fn core((create_before_destroy, order): (bool, Order)) -> Core {
    Core {
        order,
        ..Core::new(create_before_destroy)
    }
}

#[tokio::test(start_paused = true)]
async fn a_network_is_made_changed_and_destroyed() {
    let mut core = Core::new(false);
    core.comes_right("made").await;
    core.config.size = 2.into();
    core.comes_right("changed").await;
    core.config.range = 2.into();
    core.comes_right("replaced").await;
    core.taint();
    core.comes_right("tainted").await;
    core.destroys_all("all").await;
}

/// The same error in every apply, as a quota that is used up; or the user's Ctrl-C while the gateway is pending.
#[tokio::test(start_paused = true)]
async fn creates_that_fail_again_and_again_are_destroyed_or_go_on() {
    for mode in MODES {
        for times in [1, 2, 3, 8] {
            for is_cancelled in [false, true] {
                let case = format!("{mode:?}, {times} times, cancelled {is_cancelled}");
                let mut core = core(mode);
                core.world = World::new();
                for time in 0..times {
                    if is_cancelled {
                        core.world.with(|state| state.cancel_when_pending = true);
                    } else {
                        core.world
                            .with(|state| state.refused.insert("create nat/a".to_owned()));
                    }
                    let done = core.apply().await;
                    assert!(matches!(done, Err(End::Failed(_))), "{case}, {time}: {done:?}");
                    assert!(
                        !core.has_said("EKB1303") && !core.has_said("EKB2021"),
                        "{case}: {}",
                        core.texts()
                    );
                    core.world.with(|state| state.refused.clear());
                    core.world.with(|state| state.cancel_when_pending = false);
                }
                let ids: Vec<String> = core.world.with(|state| state.things.keys().cloned().collect());
                assert!(ids.len() >= 3, "{case}: {ids:?}");
                let mut other = core.fork();
                other.destroys_all(&case).await;
                core.comes_right(&case).await;
                let now: Vec<String> = core.world.with(|state| state.things.keys().cloned().collect());
                assert!(
                    ids.iter().all(|id| now.contains(id)),
                    "{case}: nothing that exists is destroyed: {ids:?} {now:?}"
                );
                core.destroys_all(&case).await;
                // EKB2020's other advice.
                let mut core = other;
                core.world
                    .with(|state| state.refused.insert("create nat/a".to_owned()));
                for _ in 0..times {
                    assert!(core.apply().await.is_err());
                }
                core.world.with(|state| state.refused.clear());
                core.untaint();
                core.comes_right(&format!("{case}, untainted")).await;
                core.destroys_all(&case).await;
            }
        }
    }
}

/// A continued create that ends before it has looked at anything.
#[tokio::test(start_paused = true)]
async fn a_create_that_is_continued_is_never_forgotten() {
    for mode in MODES {
        for at in 0..60 {
            let case = format!("{mode:?}, cancelled at look {at}");
            let mut core = core(mode);
            core.world
                .with(|state| state.refused.insert("create nat/a".to_owned()));
            assert!(core.apply().await.is_err());
            core.world.with(|state| state.refused.clear());
            Blow::Cancel(at).order(&core.world);
            let done = core.apply().await;
            let is_struck = Blow::end(&core.world);
            if !is_struck || done.is_ok() {
                assert!(done.is_ok(), "{case}: {done:?}");
                assert!(at > 10, "{case}");
                break;
            }
            assert!(core.current.is_some(), "{case}: forgotten: {}", core.texts());
            core.destroys_all(&case).await;
        }
        // Not allowed to look at roots at the moment.
        let mut core = core(mode);
        core.world
            .with(|state| state.refused.insert("create nat/a".to_owned()));
        assert!(core.apply().await.is_err());
        core.world.with(|state| {
            state.refused.clear();
            state.blind.insert("vpc");
        });
        assert!(core.apply().await.is_err());
        assert!(core.current.is_some(), "{mode:?}: forgotten: {}", core.texts());
        assert!(core.destroy().await.is_err(), "whose it is cannot be told");
        assert!(core.current.is_some(), "{mode:?}: forgotten: {}", core.texts());
        core.world.with(|state| state.blind.clear());
        core.destroys_all("seen again").await;
    }
}

/// Whether all cases are to be run, and not a sample: `EKB_SWEEP=1`.
fn all() -> bool {
    std::env::var("EKB_SWEEP").is_ok_and(|value| value == "1")
}

/// How many mutating calls the first apply of a core makes.
async fn calls_of(core: &Core) -> usize {
    let mut core = core.fork();
    let before = core.world.calls();
    core.apply().await.unwrap();
    core.world.calls() - before
}

#[tokio::test(start_paused = true)]
async fn two_blows_in_a_row_lose_nothing() {
    let (mut cases, mut tried) = (0, 0);
    for mode in MODES {
        let fresh = core(mode);
        let calls = calls_of(&fresh).await;
        for first in ENDING {
            for at in 0..calls {
                let mut struck = fresh.fork();
                Blow::Call(at, first).order(&struck.world);
                let done = struck.apply().await;
                assert!(Blow::end(&struck.world), "{first:?} at {at}");
                if done.is_ok() {
                    continue;
                }
                for second in ENDING {
                    for then in 0.. {
                        tried += 1;
                        if !all() && tried % 7 != 0 {
                            // Beyond the last call nothing is struck.
                            if then > calls {
                                break;
                            }
                            continue;
                        }
                        let case = format!("{mode:?}: {first:?} at call {at}, {second:?} at call {then}");
                        let mut again = struck.fork();
                        Blow::Call(then, second).order(&again.world);
                        let _done = again.apply().await;
                        if !Blow::end(&again.world) {
                            break;
                        }
                        cases += 1;
                        let mut other = again.fork();
                        other.destroys_all(&case).await;
                        again.comes_right(&case).await;
                        again.destroys_all(&case).await;
                    }
                }
            }
        }
    }
    println!("{cases} cases");
    assert!(cases > if all() { 1000 } else { 40 }, "{cases}");
}

/// Anything in any order.
#[tokio::test(start_paused = true)]
async fn whatever_happens_nothing_is_lost_and_nothing_is_double() {
    let mut random = 0x2545_F491_4F6C_DD1Du64;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random >> 33).unwrap() % below
    };
    for number in 0..if all() { 1000 } else { 100 } {
        let mut core = core(MODES[next(MODES.len())]);
        let mut story = format!("story {number}, {:?}", (core.create_before_destroy, core.order));
        for _ in 0..2 + next(8) {
            let blow = match next(3) {
                0 => None,
                1 => Some(Blow::Cancel(next(60))),
                _ => Some(Blow::Call(next(10), ENDING[next(ENDING.len())])),
            };
            if let Some(blow) = blow {
                blow.order(&core.world);
            }
            let what = next(10);
            let done = match what {
                0..5 => core.apply().await,
                5 => core.destroy().await,
                6 => core.apply_with(true).await,
                7 => {
                    core.untaint();
                    core.apply().await
                }
                8 => {
                    core.taint();
                    core.apply().await
                }
                _ => {
                    core.create_before_destroy = !core.create_before_destroy;
                    core.apply().await
                }
            };
            Blow::end(&core.world);
            story.push_str(&format!("\n{what} under {blow:?}: {done:?}"));
        }
        let mut other = core.fork();
        other.destroys_all(&story).await;
        core.create_before_destroy = false;
        core.comes_right(&story).await;
        core.destroys_all(&story).await;
    }
}

/// The codes and texts of what a plan says of the parts that go: nothing of the state's is declared but a network, and a
/// cluster where `cluster` is given.
fn said_of_going(cluster: Option<Sim<CLUSTER>>, allowed: bool) -> Vec<(String, String)> {
    let mut core = Core::new(false);
    let cx = core.process();
    let mut after = graph(1, 1);
    let ids = after.keys().map(|key| (key.clone(), format!("id-{key}")));
    let more = ["cluster/x", "address/b"].map(|key| (Key::from(key), format!("id-{key}")));
    let known = Known {
        ids: ids.chain(more).collect(),
        objects: after.objects(),
        ..Known::default()
    };
    if let Some(cluster) = cluster {
        after.part(key("cluster", "x"), cluster);
    }
    let baseline = Baseline {
        known,
        remembered: Remembered::default(),
    };
    let mut planned = Network {
        allow_data_loss: allowed.into(),
        ..Network::default()
    };
    planned.common.region = "eu-central-1".into();
    let context = cx.ready().map(|context| &**context);
    let mut out = Diagnostics::new();
    core.resource
        .say_what_goes(context, &after, &baseline, &planned, &mut out);
    out.into_iter()
        .map(|one| (one.code.to_string(), one.detail))
        .collect()
}

#[test]
fn what_goes_is_said_and_data_goes_only_where_the_user_allows_it() {
    let address =
        "- address/b (address id-address/b) is deleted: it is no longer declared. Its address is lost.";
    let removed =
        "- cluster/x (cluster id-cluster/x) is deleted: it is no longer declared. Its history is lost.";
    let failed = "- cluster/x (cluster id-cluster/x) is deleted and made anew: it failed, or is being deleted. Its history is lost.";
    let both = |code: &str, text: &str| (code.to_owned(), text.to_owned());
    assert_eq!(
        said_of_going(None, false),
        [both("EKB2045", address), both("EKB2046", removed)]
    );
    assert_eq!(
        said_of_going(None, true),
        [both("EKB2045", &format!("{address}\n{removed}"))]
    );
    let again = Some(Sim::<CLUSTER>::default());
    assert_eq!(
        said_of_going(again.clone(), false)[1],
        both("EKB2046", failed),
        "also what failed"
    );
    assert_eq!(said_of_going(again, true).len(), 1);
}

#[test]
fn null_tags_give_way_to_defaults_and_unknown_ones_make_only_themselves_unknown() {
    let of = |pairs: &[(&str, Attr<String>)]| -> GivenTags {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.clone()))
            .collect()
    };
    let context = Surround {
        world: OnceLock::new(),
        locks: Locks::default(),
        tags: Attr::Known(of(&[("a", "1".into()), ("b", "2".into()), ("c", "3".into())])),
        ignored: IgnoredTags {
            keys: vec!["a".to_owned()],
            ..IgnoredTags::default()
        },
    };
    let all = |own: &[(&str, Attr<String>)]| super::plan::all_tags(Some(&context), &Attr::Known(of(own)));
    let (defaults, tags) = all(&[
        ("b", Attr::Null),
        ("c", "4".into()),
        ("d", Attr::Null),
        ("e", Attr::Unknown),
    ]);
    assert_eq!(defaults, Attr::Known(of(&[("b", "2".into())])));
    let expected = [
        ("b", "2".into()),
        ("c", "4".into()),
        ("d", Attr::Null),
        ("e", Attr::Unknown),
    ];
    assert_eq!(tags, Attr::Known(of(&expected)));
    let (defaults, tags) = all(&[("c", Attr::Unknown)]);
    assert_eq!(
        defaults,
        Attr::Unknown,
        "c may be null, and then the default stands"
    );
    assert_eq!(tags, Attr::Known(of(&[("b", "2".into()), ("c", Attr::Unknown)])));
    let unknown = super::plan::all_tags(Some(&context), &Attr::Unknown);
    assert_eq!(unknown, (Attr::Unknown, Attr::Unknown));
    assert_eq!(
        super::plan::all_tags::<Surround>(None, &Attr::Null),
        (Attr::Unknown, Attr::Unknown)
    );
}

/// An import that could look at a part only would make a state of it which a plan believes: the rest is gone, or different.
#[tokio::test(start_paused = true)]
async fn an_import_that_cannot_look_at_everything_fails() {
    let mut core = Core::new(false);
    core.apply().await.unwrap();
    for kind in ["vpc", "subnet", "routes"] {
        for from_look in [0, 3, 7] {
            let cx = core.process();
            let id = framework::Import::Id("dev/dev".to_owned());
            let stub = core.resource.import(&cx, id).await;
            core.world.with(|state| {
                state.looks = 0;
                state.blind_from = Some((from_look, kind));
            });
            let request = Read {
                state: stub.state.clone().unwrap(),
                private: stub.private.clone(),
                identity: None,
            };
            let read = core.resource.read(&cx, request).await;
            let said = format!("{:?}", read.diagnostics);
            let was_blind = core
                .world
                .with(|state| state.blind_from.take().is_some_and(|(at, _)| state.looks > at));
            assert_eq!(
                read.diagnostics.has_errors(),
                was_blind,
                "{kind} {from_look}: {said}"
            );
            assert!(
                !was_blind || said.contains("import it again") || said.contains("not allowed"),
                "{said}"
            );
        }
    }
}
