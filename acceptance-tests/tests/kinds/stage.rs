//! An account with one part and what it needs, in which the engine is at work with and without faults.

use std::collections::BTreeMap;

use acceptance_tests::cuts::is_sweep;
use acceptance_tests::{Account, Fault, LoggedCall, Object, Rig};
use aws::Aws;
use aws::settings::{RetryMode, Settings};
use reconcile::clock::Clock;
use reconcile::engine::Engine;
use reconcile::graph::Graph;
use reconcile::kinds::Kinds;
use reconcile::ownership::Purpose;
use reconcile::part::{Key, KindTraits, Owner};
use reconcile::report::{Allowed, Known, Outcome, Report};
use tokio::runtime::Runtime;

use crate::table::{Row, SUBJECT};

/// What an apply shall do to the part.
pub struct Act<'a> {
    name: String,
    graph: &'a Graph,
    /// The object stays the same.
    in_place: bool,
    /// The plan says that the object goes.
    allowed: Allowed,
    /// Played with faults too.
    is_swept: bool,
}

impl<'a> Act<'a> {
    pub fn new(name: &str, graph: &'a Graph) -> Self {
        Self {
            name: name.to_owned(),
            graph,
            in_place: false,
            allowed: Allowed::none(),
            is_swept: true,
        }
    }

    pub fn in_place(self) -> Self {
        Self {
            in_place: true,
            ..self
        }
    }

    pub fn replacing(self) -> Self {
        Self {
            allowed: Allowed::Only([SUBJECT.into()].into()),
            ..self
        }
    }

    /// Without faults.
    pub fn calmly(self) -> Self {
        Self {
            is_swept: false,
            ..self
        }
    }
}

/// How things are at some point, and what the state then says.
struct Point {
    known: Known,
    counts: BTreeMap<String, usize>,
}

pub struct Stage {
    kind: &'static str,
    traits: KindTraits,
    account: Account,
    runtime: Runtime,
    engine: Engine,
    points: BTreeMap<String, Point>,
    cases: usize,
    /// Which of the faults that are much the same is next.
    turn: usize,
    wrong: Vec<String>,
}

type Checked = Result<(), String>;

/// Looks that a kind does without where they are denied: it says less then.
const WITHOUT: [(&str, &str); 2] = [("access_entry", "iam:GetRole"), ("access_entry", "iam:GetUser")];

impl Stage {
    /// An account in which there is what the part of the row needs: the point `needs`.
    pub fn set(row: &Row) -> Self {
        let account = Rig::shared().account();
        let every = kinds(&account);
        let (needs, stand_ins) = row.needs();
        let (of_needs, traits) = (needs.kinds(), |kind: &str| {
            every.traits().find(|traits| traits.kind == kind).unwrap().clone()
        });
        let names: Vec<&str> = of_needs.values().map(String::as_str).chain([row.kind]).collect();
        let owner = Owner {
            environment: "test".into(),
            region: Account::REGION.into(),
            resource: "contract/main".into(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        if let Some((service, operation, parameters)) = &row.others {
            let made = account.call(service, Account::REGION, operation, parameters);
            made.unwrap();
        }
        let (engine, report) = runtime.block_on(async {
            let mut engine = Engine::new(owner, every.only(&names));
            engine.clock = Clock::scaled(account.time_scale());
            let create = Purpose::Create {
                incarnation: "one".into(),
            };
            let (graphs, nothing) = (std::slice::from_ref(&needs), Known::default());
            let made = engine.reconcile(graphs, &nothing, &Allowed::All, &create).await;
            assert!(made.is_done(), "what {} needs: {:?}", row.kind, made.errors);
            let known = made.report.known().of(&needs);
            let report = engine.observe(Some(&needs), &known).await.report();
            (engine, report)
        });
        // From now on only the kind itself calls AWS.
        let mut alone = every.only(&[row.kind]);
        for (kind, stand_in) in stand_ins.into_iter().filter(|(kind, _)| *kind != row.kind) {
            let found = report.found.iter().filter(|(key, _)| of_needs[*key] == kind);
            let objects = found.map(|(_, object)| object.clone()).collect();
            alone = stand_in(alone, traits(kind), objects);
        }
        let mut stage = Self {
            kind: row.kind,
            traits: traits(row.kind),
            account,
            runtime,
            engine: Engine {
                kinds: alone,
                ..engine
            },
            points: BTreeMap::new(),
            cases: 0,
            turn: 0,
            wrong: Vec::new(),
        };
        stage.remember("needs", &needs, &report);
        stage
    }

    /// Applies undisturbed from one point to the other; then with every fault at every changing call. Says whether that point
    /// was reached.
    pub fn play(&mut self, act: &Act<'_>, from: &str, to: &str) -> bool {
        let mut calls = Vec::new();
        let name = act.name.clone();
        self.case(&name, |stage| {
            let outcome = stage.apply(act, from);
            calls = stage.account.mutations();
            is_done(&outcome)?;
            stage.is_as_declared(act, from)?;
            stage.remember(to, act.graph, &outcome.report);
            stage.unchanging(act.graph, to, |_| {})
        });
        let is_reached = self.points.contains_key(to);
        if !act.is_swept || !is_reached {
            return is_reached;
        }
        for (nth, call) in calls.iter().enumerate() {
            for (what, fault) in self.passing() {
                self.case(&format!("{name}, {} {what}", call.operation), |stage| {
                    stage.account.fault(&fault.mutating().nth(nth + 1));
                    stage.survives(act, from, to)
                });
            }
            self.case(&format!("{name}, {} denied", call.operation), |stage| {
                stage.account.fault(&Fault::deny().on(&call.operation).always());
                stage.denied(act, from, to, call)
            });
        }
        true
    }

    /// Faults that pass by themselves: the lost answer, and one of the others in turn; in a sweep all.
    fn passing(&mut self) -> Vec<(&'static str, Fault)> {
        let lost = ("done and not answered", Fault::lose_response());
        let mut others = vec![
            ("throttled", Fault::throttle()),
            ("fails", Fault::server_error()),
            ("not answered", Fault::reset()),
        ];
        if !is_sweep() {
            self.turn += 1;
            others = vec![others.swap_remove(self.turn % others.len())];
        }
        others.push(lost);
        others
    }

    /// What passes by itself is survived at once.
    fn survives(&mut self, act: &Act<'_>, from: &str, to: &str) -> Checked {
        let outcome = self.apply(act, from);
        if self.account.faults_fired() == 0 {
            return Err("the fault did not fire".into());
        }
        self.account.clear_faults();
        is_done(&outcome)?;
        self.is_as(act, from, &outcome.report)?;
        self.counts_as(to)
    }

    /// What is denied is told in full, and done once it is allowed.
    fn denied(&mut self, act: &Act<'_>, from: &str, to: &str, call: &LoggedCall) -> Checked {
        let outcome = self.apply(act, from);
        self.account.clear_faults();
        let refused: Vec<LoggedCall> = self
            .account
            .log()
            .into_iter()
            .filter(|met| !met.faults.is_empty())
            .collect();
        let Some(met) = refused.last() else {
            return Err("the fault did not fire".into());
        };
        let told: Vec<String> = outcome.errors.iter().map(ToString::to_string).collect();
        let id = outcome.report.ids.get(&Key::from(SUBJECT));
        let action = format!("{}:{}", call.service, call.operation);
        let is_told = |text: &String| {
            let names_it = text.contains(SUBJECT) || id.is_some_and(|id| text.contains(id.as_str()));
            let code = met.error.as_deref().unwrap_or("no code");
            names_it
                && text.contains(code)
                && text.contains(&action)
                && refused.iter().any(|met| text.contains(&met.request_id))
        };
        if !told.iter().any(is_told) {
            return Err(format!(
                "object, action, code and request id are not all in {told:#?}"
            ));
        }
        let with = |known: Known, of: Known| Known {
            ids: known.ids,
            objects: known.objects,
            ..of
        };
        let known = with(outcome.report.known(), self.points[from].known.clone());
        // As core does before the next apply: what was to be made anew may be gone.
        let look = self.engine.observe(Some(act.graph), &known);
        let seen = self.runtime.block_on(look).report();
        let known = with(seen.known(), known);
        let outcome = self.reconcile(act.graph, &act.allowed, &known);
        is_done(&outcome)?;
        self.is_as(act, from, &outcome.report)?;
        self.counts_as(to)
    }

    /// What the service takes and fails to do later is told in full, and done by the next apply.
    pub fn fails_first(&mut self, graph: &Graph, from: &str, operation: &str, code: &str) -> Checked {
        self.restore(from);
        self.account
            .fault(&Fault::fail_later(code, "It was not to be.").on(operation));
        let known = self.points[from].known.clone();
        let outcome = self.reconcile(graph, &Allowed::none(), &known);
        let told: Vec<String> = outcome.errors.iter().map(ToString::to_string).collect();
        let is_told = |text: &String| {
            text.contains(&format!("{code}: It was not to be. ")) && text.contains("apply again")
        };
        if !told.iter().any(is_told) {
            return Err(format!("the reason and the next step are not in {told:#?}"));
        }
        is_done(&self.reconcile(graph, &Allowed::none(), &known))
    }

    /// Whoever dies behind the creating call leaves what can be found: the owner's tags are in that call.
    pub fn tags_are_in_the_first_call(&mut self, act: &Act<'_>, from: &str) {
        self.case("tags", |stage| {
            stage.apply(act, from);
            let calls = stage.account.mutations();
            let said = calls
                .first()
                .map(|call| call.params.to_string())
                .unwrap_or_default();
            match said.contains("ekb:part") && said.contains("Purpose") {
                true => Ok(()),
                false => Err(format!("they are not in the creating call: {said}")),
            }
        });
    }

    /// Each look denied: nothing is taken for absent.
    pub fn looks_denied(&mut self, sample: &Graph) {
        for action in self.traits.reads {
            let (_, operation) = action.split_once(':').unwrap();
            self.case(&format!("{operation} denied"), |stage| {
                stage.restore("made");
                stage.account.fault(&Fault::deny().on(operation).always());
                let report = stage.observe(sample, "made");
                let warned = report
                    .warnings
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>();
                if stage.account.faults_fired() == 0 {
                    // Asked only where others are imported.
                    return Ok(());
                }
                if WITHOUT.contains(&(stage.kind, *action)) {
                    return match warned.is_empty() && report.drift.is_empty() {
                        true => Ok(()),
                        false => Err(format!("warnings {warned:?}, drift {:?}", report.drift)),
                    };
                }
                if !warned.iter().any(|text| text.contains(action)) || !report.drift.is_empty() {
                    return Err(format!("warnings {warned:?}, drift {:?}", report.drift));
                }
                if report.ids != stage.points["made"].known.ids {
                    return Err(format!("known afterwards: {:?}", report.ids));
                }
                stage.account.clear_log();
                let outcome = stage.reconcile(sample, &Allowed::none(), &stage.points["needs"].known.clone());
                match stage.account.mutations().is_empty() && !outcome.is_done() {
                    true => Ok(()),
                    false => Err(format!("made blindly: {:?}", outcome.errors)),
                }
            });
            self.case(&format!("{operation} throttled"), |stage| {
                stage.restore("made");
                stage.account.fault(&Fault::throttle().on(operation));
                let report = stage.observe(sample, "made");
                match report.warnings.is_empty() && report.drift.is_empty() {
                    true => Ok(()),
                    false => Err(format!(
                        "warnings {:?}, drift {:?}",
                        report.warnings, report.drift
                    )),
                }
            });
        }
    }

    /// A replacement that the plan did not say is refused, with the field that forces it, before anything is changed.
    pub fn refused(&mut self, graph: &Graph, from: &str, field: &str) -> Checked {
        self.restore(from);
        let outcome = self.reconcile(graph, &Allowed::none(), &self.points[from].known.clone());
        let told = outcome
            .errors
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("; ");
        let is_told = told.contains(SUBJECT) && told.contains(field);
        match outcome.refused && is_told && self.account.mutations().is_empty() {
            true => Ok(()),
            false => Err(format!("refused: {}; {told}", outcome.refused)),
        }
    }

    /// Applying changes nothing.
    pub fn unchanging(&mut self, graph: &Graph, state: &str, before: impl FnOnce(&mut Self)) -> Checked {
        self.unchanging_as(graph, &Allowed::none(), state, before)
    }

    pub fn unchanging_as(
        &mut self,
        graph: &Graph,
        allowed: &Allowed,
        state: &str,
        before: impl FnOnce(&mut Self),
    ) -> Checked {
        before(self);
        self.account.clear_log();
        let outcome = self.reconcile(graph, allowed, &self.points[state].known.clone());
        is_done(&outcome)?;
        let changing = self.account.mutations();
        match changing.is_empty() {
            true => Ok(()),
            false => Err(format!("applied again it calls {:?}", operations(&changing))),
        }
    }

    /// Somebody changes the object.
    pub fn outside(&mut self, from: &str, to: &str, change: fn(&Account, &str)) {
        self.restore(from);
        change(&self.account, &self.id(from));
        let point = &self.points[from];
        let point = Point {
            known: point.known.clone(),
            counts: point.counts.clone(),
        };
        self.account.snapshot(&slug(to));
        self.points.insert(to.to_owned(), point);
    }

    /// What the state says at the point.
    pub fn known(&self, point: &str) -> &Known {
        &self.points[point].known
    }

    /// The object's id at the point.
    pub fn id(&self, point: &str) -> String {
        self.points[point].known.ids[&Key::from(SUBJECT)].clone()
    }

    pub fn restore(&mut self, point: &str) {
        self.account.clear_faults();
        self.account.restore(&slug(point));
        self.account.clear_log();
    }

    /// One case of the contract.
    pub fn case(&mut self, name: &str, check: impl FnOnce(&mut Self) -> Checked) {
        self.cases += 1;
        if let Err(why) = check(self) {
            self.wrong.push(format!("{}, {name}: {why}", self.kind));
        }
        self.account.clear_faults();
    }

    /// How many cases there were, and what was wrong.
    pub fn end(self) -> (usize, Vec<String>) {
        let calls = self.account.log();
        let beyond = calls.iter().filter_map(|call| call.emulator_error.as_ref());
        let wrong = self
            .wrong
            .into_iter()
            .chain(beyond.map(|error| format!("the emulator cannot do it: {error}")));
        let ended = (self.cases, wrong.collect());
        self.account.forget();
        ended
    }

    fn apply(&mut self, act: &Act<'_>, from: &str) -> Outcome {
        // A fault that was ordered stays.
        self.account.restore(&slug(from));
        self.account.clear_log();
        self.reconcile(act.graph, &act.allowed, &self.points[from].known.clone())
    }

    fn reconcile(&self, graph: &Graph, allowed: &Allowed, known: &Known) -> Outcome {
        let purpose = Purpose::Update {
            incarnation: Some("one".into()),
        };
        let work = self
            .engine
            .reconcile(std::slice::from_ref(graph), known, allowed, &purpose);
        self.runtime.block_on(work)
    }

    fn observe(&self, graph: &Graph, state: &str) -> Report {
        let look = self.engine.observe(Some(graph), &self.points[state].known);
        self.runtime.block_on(look).report()
    }

    fn remember(&mut self, name: &str, graph: &Graph, report: &Report) {
        self.account.snapshot(&slug(name));
        let (known, counts) = (report.known().of(graph), self.counts());
        self.points.insert(name.to_owned(), Point { known, counts });
    }

    /// What is there is what is declared, also for whoever knows nothing but the tags and the names.
    fn is_as_declared(&self, act: &Act<'_>, from: &str) -> Checked {
        let nothing = Known::default();
        let look = self.engine.observe(Some(act.graph), &nothing);
        let report = self.runtime.block_on(look).report();
        self.is_as(act, from, &report)?;
        let is_subject = |object: &Object| object.tags.get("ekb:part").is_some_and(|part| part == SUBJECT);
        let tagged: Vec<Object> = self.account.objects().into_iter().filter(is_subject).collect();
        // What has no listing of its own (a VPC's default group) is not among them.
        match (report.drift.is_empty(), tagged.len()) {
            (true, 0 | 1) => Ok(()),
            _ => Err(format!("drift {:?}, {tagged:#?}", report.drift)),
        }
    }

    /// What the report says is what is declared; the object is the one that it was, where that is meant.
    fn is_as(&self, act: &Act<'_>, from: &str, report: &Report) -> Checked {
        if !report.warnings.is_empty() || !report.foreign.is_empty() {
            return Err(format!(
                "warnings {:?}, foreign {:?}",
                report.warnings, report.foreign
            ));
        }
        if report.objects != act.graph.objects() {
            return Err(format!(
                "is {:?}\nshould be {:?}",
                report.objects,
                act.graph.objects()
            ));
        }
        let key = Key::from(SUBJECT);
        let (before, after) = (self.points[from].known.ids.get(&key), report.ids.get(&key));
        match act.in_place && before != after {
            true => Err(format!("{before:?} became {after:?}")),
            false => Ok(()),
        }
    }

    /// What is there when what was deleted is gone from the listing too.
    fn counts(&self) -> BTreeMap<String, usize> {
        self.account.advance(120.0);
        self.account.counts()
    }

    fn counts_as(&self, point: &str) -> Checked {
        let (is, should) = (self.counts(), &self.points[point].counts);
        if is == *should {
            Ok(())
        } else {
            Err(format!("there are {is:?}; undisturbed: {should:?}"))
        }
    }
}

fn is_done(outcome: &Outcome) -> Checked {
    let told: Vec<String> = outcome.errors.iter().map(ToString::to_string).collect();
    if told.is_empty() {
        Ok(())
    } else {
        Err(told.join("; "))
    }
}

fn operations(calls: &[LoggedCall]) -> Vec<&str> {
    calls.iter().map(|call| call.operation.as_str()).collect()
}

/// A name for a snapshot.
fn slug(name: &str) -> String {
    name.replace(' ', "-")
}

/// The kinds of all resources, in the account.
fn kinds(account: &Account) -> Kinds {
    every(&aws_of(account))
}

/// AWS as the account has it.
pub fn aws_of(account: &Account) -> Aws {
    let endpoint =
        |service: &aws::services::Service| (service.endpoints[0].to_owned(), account.url().to_owned());
    let settings = Settings {
        region: Some(Account::REGION.into()),
        access_key: Some(account.access_key().into()),
        secret_key: Some(account.secret_key().into()),
        endpoints: aws::services::SERVICES.iter().map(endpoint).collect(),
        // The limiter's clock is that of the environment: real time.
        retry_mode: Some(RetryMode::Standard),
        skip_metadata_api_check: true,
        ..Settings::default()
    };
    Aws::new(settings)
}

/// The kinds of all resources.
pub fn every(aws: &Aws) -> Kinds {
    resources::registry::kinds(aws, Account::REGION)
}
