//! Cut points: an operation of a resource is disturbed at its n-th mutating call, and has to come to the same end.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, OnceLock};

use conformance::Resource;
use serde_json::{Value as Json, json};

use crate::account::Account;
use crate::fault::Fault;
use crate::rig::Rig;
use crate::session::Session;
use crate::standing::{id_in, resource_in};

/// What is disturbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// From nothing to `before`.
    Create,
    /// From `before` to `after`.
    Update,
    /// From `after` back to `before`: parts go.
    Shrink,
    /// From `after` to nothing.
    Destroy,
    /// A destroy, disturbed, after which the user wants it back.
    DestroyThenApply,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Create,
        Self::Update,
        Self::Shrink,
        Self::Destroy,
        Self::DestroyThenApply,
    ];
}

/// What happens at the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Blow {
    /// SIGKILL, not applied.
    KillBefore,
    /// SIGKILL, applied.
    KillAfter,
    /// Applied, no answer.
    Lose,
    /// Throttled ten times.
    Throttle,
    /// The connection is reset, not applied.
    Reset,
    /// The service's own 5xx, three times.
    ServerError,
    /// Refused for good: the operation ends with an error.
    Deny,
}

impl Blow {
    /// Those that pass by themselves, and those that kill.
    pub const ALL: [Self; 6] = [
        Self::KillBefore,
        Self::KillAfter,
        Self::Lose,
        Self::Throttle,
        Self::Reset,
        Self::ServerError,
    ];
    /// Those that an operation does not survive.
    pub const ENDING: [Self; 3] = [Self::KillBefore, Self::KillAfter, Self::Deny];

    fn fault(self) -> Fault {
        match self {
            Self::KillBefore => Fault::kill_before(),
            Self::KillAfter => Fault::kill_after(),
            Self::Lose => Fault::lose_response(),
            Self::Throttle => Fault::throttle().times(10),
            Self::Reset => Fault::reset(),
            Self::ServerError => Fault::server_error().times(3),
            Self::Deny => Fault::deny(),
        }
    }

    /// Whether the operation does not survive it.
    #[must_use]
    pub fn kills(self) -> bool {
        matches!(self, Self::KillBefore | Self::KillAfter)
    }
}

/// A resource in two forms, between which it is brought.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// What it is called in reports.
    pub name: &'static str,
    /// The resource's type.
    pub type_name: &'static str,
    /// Its arguments at first.
    pub before: Json,
    /// Its arguments after the update.
    pub after: Json,
    /// What an import of it takes.
    pub import: &'static str,
    /// Makes what it stands on, which others made, and gives arguments that name it.
    pub ground: fn(&Account) -> Json,
}

impl Scenario {
    /// A small network that changes in all ways at once.
    #[must_use]
    pub fn network() -> Self {
        Self {
            name: "network",
            type_name: "ekb_network",
            before: json!({ "cidr": "10.20.0.0/16", "zone_count": 1, "nat_gateways": "single", "timeouts": Self::patient() }),
            after: json!({
                "cidr": "10.20.0.0/16", "zone_count": 2, "nat_gateways": "per_zone", "tags": { "team": "core" },
                "interface_endpoints": ["ecr.api"], "timeouts": Self::patient(),
            }),
            import: "test/test",
            ground: |_| json!({}),
        }
    }

    /// A cluster that changes in several ways at once, in subnets of somebody else.
    #[must_use]
    pub fn cluster() -> Self {
        let open = json!({ "public_cidrs": ["0.0.0.0/0"] });
        Self {
            name: "cluster",
            type_name: "ekb_cluster",
            before: json!({
                "kubernetes_version": "1.35", "endpoint_access": open, "default_storage_class": false,
                "addons": { "metrics-server": { "enabled": false } }, "timeouts": Self::patient(),
            }),
            after: json!({
                "kubernetes_version": "1.35", "endpoint_access": open, "default_storage_class": false, "zonal_shift": true,
                "tags": { "team": "core" }, "logging": { "types": ["audit"], "retention_days": 90 },
                "addons": { "snapshot-controller": { "enabled": false } }, "timeouts": Self::patient(),
                "access": { "view": { "principal_arn": "arn:aws:iam::123456789012:role/view", "level": "view" } },
                "system_nodes": { "labels": { "pool": "system" }, "disk_gib": 100, "max": 5 },
            }),
            import: "test/test",
            ground: |account| {
                let vpc = account.ec2("CreateVpc", &json!({ "CidrBlock": "10.20.0.0/16" }));
                let subnet = |(zone, range): (&str, &str)| {
                    let subnet =
                        json!({ "VpcId": vpc["Vpc"]["VpcId"], "CidrBlock": range, "AvailabilityZone": zone });
                    account.ec2("CreateSubnet", &subnet)["Subnet"]["SubnetId"].clone()
                };
                let zones = [
                    ("eu-central-1a", "10.20.0.0/20"),
                    ("eu-central-1b", "10.20.16.0/20"),
                ];
                json!({ "subnet_ids": zones.map(subnet) })
            },
        }
    }

    /// The same cluster, which is upgraded by a minor, and goes back.
    #[must_use]
    pub fn upgrade() -> Self {
        let cluster = Self::cluster();
        let mut before = cluster.before.clone();
        before["allow_rollback"] = true.into();
        let mut after = before.clone();
        after["kubernetes_version"] = "1.36".into();
        Self {
            name: "upgrade",
            before,
            after,
            ..cluster
        }
    }

    /// The same on its ground in this account.
    fn on_ground(&self, account: &Account) -> Self {
        let given = (self.ground)(account);
        let with = |arguments: &Json| {
            let mut arguments = arguments.clone();
            for (name, value) in given.as_object().into_iter().flatten() {
                arguments[name] = value.clone();
            }
            arguments
        };
        Self {
            before: with(&self.before),
            after: with(&self.after),
            ..self.clone()
        }
    }

    /// Time-outs that a busy machine does not reach, fast as the rig's time runs.
    #[must_use]
    pub fn patient() -> Json {
        json!({ "create": "20h", "read": "20h", "update": "20h", "delete": "20h" })
    }
}

/// One disturbed operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Case {
    /// What is disturbed.
    pub operation: Operation,
    /// At which mutating call, from 1.
    pub call: usize,
    /// What happens there.
    pub blow: Blow,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}, call {}, {:?}", self.operation, self.call, self.blow)
    }
}

/// Two blows in a row: a create is disturbed, and so is the apply that continues it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair {
    /// The call of the first apply, from 1, and what happens there.
    pub first: (usize, Blow),
    /// The same of the second apply.
    pub second: (usize, Blow),
    /// What the user does next.
    pub then: Next,
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, second) = (self.first, self.second);
        write!(
            f,
            "call {}, {:?}; then call {}, {:?}; then {:?}",
            first.0, first.1, second.0, second.1, self.then
        )
    }
}

/// What a user does after blows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Next {
    /// Apply again.
    Apply,
    /// Destroy.
    Destroy,
}

/// How a sweep went.
#[derive(Debug, Default)]
pub struct Tally {
    /// Cases that ran.
    pub cases: usize,
    /// What went wrong, one text a case.
    pub failures: Vec<String>,
}

impl Tally {
    /// Counts a case.
    pub fn count(&mut self, what: impl fmt::Display, result: Result<(), String>) {
        self.cases += 1;
        if let Err(why) = result {
            self.failures.push(format!("{what}: {why}"));
        }
    }

    /// Takes in what another counted.
    pub fn add(&mut self, other: Self) {
        self.cases += other.cases;
        self.failures.extend(other.failures);
    }

    /// Writes the counts into the file that `EKB_SWEEP_RESULT` names, beside those of other sweeps, and on stderr.
    ///
    /// # Panics
    /// Where the file cannot be written.
    pub fn report(&self, name: &str) {
        static FILE: Mutex<()> = Mutex::new(());
        eprintln!("{name}: {} cases, {} failures", self.cases, self.failures.len());
        let Some(path) = std::env::var_os("EKB_SWEEP_RESULT") else {
            return;
        };
        let _one_at_a_time = FILE.lock();
        let mut all: Json = std::fs::read_to_string(&path)
            .ok()
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_else(|| json!({}));
        all[name] = json!({ "cases": self.cases, "failures": self.failures });
        std::fs::write(path, format!("{all:#}\n")).expect("the result can be written");
    }

    /// Panics with all that went wrong, and where nothing ran.
    ///
    /// # Panics
    /// See above.
    #[track_caller]
    pub fn assert_good(&self) {
        assert!(self.cases > 0, "no cases");
        assert!(
            self.failures.is_empty(),
            "{} of {} cases failed:\n\n{}",
            self.failures.len(),
            self.cases,
            self.failures.join("\n\n")
        );
    }
}

/// The ids of everything that exists.
fn ids(account: &Account) -> BTreeSet<String> {
    account.objects().into_iter().map(|object| object.id).collect()
}

/// Whether everything runs of what is sampled otherwise: `EKB_SWEEP=1`, as in `make sweep`.
#[must_use]
pub fn is_sweep() -> bool {
    std::env::var("EKB_SWEEP").is_ok_and(|value| value == "1")
}

/// A form of the resource that was reached undisturbed: what core knows, and what exists.
struct Form {
    snapshot: &'static str,
    resource: Resource,
    counts: BTreeMap<String, usize>,
    ids: BTreeSet<String>,
}

/// A scenario played undisturbed in an account of its own, with snapshots to start cases from.
pub struct Stage {
    scenario: Scenario,
    session: Session,
    account: Account,
    nothing: Form,
    before: Form,
    after: Form,
    /// What each operation calls, in order.
    calls: BTreeMap<Operation, Vec<String>>,
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts: BTreeMap<_, _> = self
            .calls
            .iter()
            .map(|(operation, calls)| (operation, calls.len()))
            .collect();
        write!(f, "{} {counts:?}", self.scenario.name)
    }
}

impl Stage {
    /// Plays it once in a test process, and copies what came of it, each time into another account.
    ///
    /// # Panics
    /// Where it does not work undisturbed.
    #[must_use]
    pub fn of(scenario: &Scenario) -> Self {
        type Known = Mutex<BTreeMap<String, Arc<OnceLock<Stage>>>>;
        static KNOWN: LazyLock<Known> = LazyLock::new(Mutex::default);
        let forms = format!("{} {} {}", scenario.name, scenario.before, scenario.after);
        // The map is locked only for a look: who needs another one does not wait for this.
        let place = {
            let mut known = KNOWN.lock().expect("no panic while looking");
            Arc::clone(known.entry(forms).or_default())
        };
        place.get_or_init(|| Self::set(scenario)).copy()
    }

    fn copy(&self) -> Self {
        let account = self.account.copy(self.nothing.snapshot);
        let form = |form: &Form| Form {
            snapshot: form.snapshot,
            resource: resource_in(&form.resource, &self.account, &account),
            counts: form.counts.clone(),
            ids: (form.ids.iter().map(|id| id_in(id, &self.account, &account))).collect(),
        };
        Self {
            scenario: self.scenario.clone(),
            session: Session::new(&account),
            nothing: form(&self.nothing),
            before: form(&self.before),
            after: form(&self.after),
            calls: self.calls.clone(),
            account,
        }
    }

    /// Plays it once.
    ///
    /// # Panics
    /// Where it does not work undisturbed.
    #[must_use]
    pub fn set(scenario: &Scenario) -> Self {
        let account = Rig::shared().account();
        let scenario = &scenario.on_ground(&account);
        let session = Session::new(&account);
        let mut resource = Resource::new(scenario.type_name);
        let mut calls: BTreeMap<Operation, Vec<String>> = BTreeMap::new();
        let form = |snapshot: &'static str, resource: &Resource| {
            account.snapshot(snapshot);
            Form {
                snapshot,
                resource: resource.clone(),
                counts: account.counts(),
                ids: ids(&account),
            }
        };
        let mut step = |operation, resource: &mut Resource, config: Option<&Json>| {
            account.clear_log();
            match config {
                Some(config) => session.apply(resource, config).map(drop),
                None => session.destroy(resource),
            }
            .unwrap_or_else(|e| panic!("{} undisturbed, {operation:?}: {e}", scenario.name));
            let made = account.mutations();
            calls.insert(operation, made.into_iter().map(|call| call.operation).collect());
            if let Some(config) = config {
                session
                    .expect_empty(resource, config)
                    .unwrap_or_else(|e| panic!("{} undisturbed, {operation:?}: {e}", scenario.name));
            }
        };
        let nothing = form("nothing", &resource);
        step(Operation::Create, &mut resource, Some(&scenario.before));
        let before = form("before", &resource);
        step(Operation::Update, &mut resource, Some(&scenario.after));
        let after = form("after", &resource);
        step(Operation::Destroy, &mut resource.clone(), None);
        account.restore("after");
        step(Operation::Shrink, &mut resource, Some(&scenario.before));
        calls.insert(Operation::DestroyThenApply, calls[&Operation::Destroy].clone());
        account.assert_understood();
        assert_eq!(account.counts(), before.counts, "there and back again");
        Self {
            scenario: scenario.clone(),
            session,
            account,
            nothing,
            before,
            after,
            calls,
        }
    }

    /// The cases of all operations, mutating calls and blows.
    fn cases(&self) -> impl Iterator<Item = Case> {
        self.calls.iter().flat_map(|(operation, calls)| {
            let points = (1..=calls.len()).flat_map(|call| Blow::ALL.map(|blow| (call, blow)));
            points.map(|(call, blow)| Case {
                operation: *operation,
                call,
                blow,
            })
        })
    }

    /// Some of them: in each operation one call of each kind, once; what happens there goes round, beginning with another blow
    /// in each operation.
    fn sample(&self) -> BTreeSet<Case> {
        let calls = self.calls.keys().flat_map(|operation| {
            let kinds = self.kinds_of_calls(*operation);
            kinds.into_iter().enumerate().map(move |(n, call)| Case {
                operation: *operation,
                call,
                blow: Blow::ALL[(n + *operation as usize) % Blow::ALL.len()],
            })
        });
        calls.collect()
    }

    /// Runs one case.
    ///
    /// # Errors
    /// What is not as it has to be.
    pub fn play(&self, case: Case) -> Result<(), String> {
        let (Scenario { before, after, .. }, account) = (&self.scenario, &self.account);
        let (from, to, config) = match case.operation {
            Operation::Create => (&self.nothing, &self.before, Some(before)),
            Operation::Update => (&self.before, &self.after, Some(after)),
            Operation::Shrink => (&self.after, &self.before, Some(before)),
            Operation::Destroy => (&self.after, &self.nothing, None),
            Operation::DestroyThenApply => (&self.after, &self.after, Some(after)),
        };
        account.clear_faults();
        account.restore(from.snapshot);
        // Trying again takes real time: on a busy machine ten times is longer than AWS's patience on a fast clock.
        let tries = matches!(case.blow, Blow::Throttle | Blow::ServerError);
        account.set_time_scale(if tries { 40.0 } else { Account::DEFAULT_SCALE });
        account.clear_log();
        let mut resource = from.resource.clone();
        account.fault(&case.blow.fault().mutating().nth(case.call));
        let disturbed = match (case.operation, config) {
            (Operation::Destroy | Operation::DestroyThenApply, _) | (_, None) => {
                self.session.destroy(&mut resource)
            }
            (_, Some(config)) => self.session.apply(&mut resource, config).map(drop),
        };
        if account.faults_fired() == 0 {
            return Err(format!("the fault did not fire: {disturbed:?}"));
        }
        account.clear_faults();
        match &disturbed {
            Err(error) if case.blow.kills() && !error.died() => {
                return Err(format!("it was to be killed: {error}"));
            }
            Ok(()) if case.blow.kills() => return Err("it was to be killed".to_owned()),
            // What passes by itself is survived at once.
            Err(error) if !case.blow.kills() => return Err(format!("not survived: {error}")),
            _ => {}
        }
        let existed = ids(account);
        account.clear_log();
        match config {
            None => self
                .session
                .destroy(&mut resource)
                .map_err(|e| format!("the next destroy: {e}"))?,
            Some(config) => {
                let last = case.call == self.calls[&case.operation].len();
                if case.operation == Operation::Create && case.blow == Blow::KillAfter && last {
                    self.complete_but_unknown(&mut resource, config)?;
                } else {
                    self.session
                        .apply(&mut resource, config)
                        .map_err(|e| format!("the next apply: {e}"))?;
                }
                self.session.expect_empty(&mut resource, config)?;
                if resource.get("status") != "complete" {
                    return Err(format!("status {}", resource.get("status")));
                }
            }
        }
        if matches!(case.operation, Operation::Create | Operation::Update) {
            let exists = ids(account);
            // What the arguments take away goes undisturbed too.
            let meant: BTreeSet<_> = from.ids.difference(&to.ids).collect();
            let gone: Vec<_> = existed
                .difference(&exists)
                .filter(|id| !meant.contains(id))
                .collect();
            if !gone.is_empty() {
                return Err(format!("destroyed what existed: {gone:?}"));
            }
        }
        let counts = account.counts();
        if counts != to.counts {
            return Err(format!("exists: {counts:?}; undisturbed: {:?}", to.counts));
        }
        if let Some(call) = account.log().iter().find(|call| call.emulator_error.is_some()) {
            return Err(format!("the emulator cannot do {call:?}"));
        }
        Ok(())
    }

    /// One call of each kind of the operation, from 1: the first of its kind and, of what comes last, the last.
    fn kinds_of_calls(&self, operation: Operation) -> Vec<usize> {
        let all = &self.calls[&operation];
        let mut seen = BTreeSet::new();
        let is_first = |(_, name): &(usize, &String)| seen.insert((*name).clone());
        let mut calls: Vec<usize> = (all.iter().enumerate())
            .filter(is_first)
            .map(|(at, _)| at + 1)
            .collect();
        if !calls.contains(&all.len()) {
            calls.push(all.len());
        }
        calls
    }

    /// Runs one pair of blows; `false` where the second apply makes fewer calls, so that nothing struck it.
    ///
    /// # Errors
    /// What is not as it has to be.
    pub fn play_pair(&self, pair: Pair) -> Result<bool, String> {
        let (account, config) = (&self.account, &self.scenario.before);
        account.clear_faults();
        account.restore(self.nothing.snapshot);
        account.set_time_scale(Account::DEFAULT_SCALE);
        account.clear_log();
        let mut resource = self.nothing.resource.clone();
        let mut said = Vec::new();
        for (call, blow) in [pair.first, pair.second] {
            account.fault(&blow.fault().mutating().nth(call));
            let disturbed = self.session.apply(&mut resource, config);
            let is_struck = account.faults_fired() > 0;
            account.clear_faults();
            if !is_struck {
                return Ok(false);
            }
            said.push(disturbed.map_or_else(|error| error.to_string(), |_| "done".to_owned()));
        }
        let told = |what: String| format!("{what}\nthe blows: {said:#?}");
        let is_unknown = resource.is_absent() && account.counts() != self.nothing.counts;
        if pair.then == Next::Apply || is_unknown {
            self.go_on(&mut resource, config).map_err(told)?;
            self.session.expect_empty(&mut resource, config).map_err(told)?;
            let counts = account.counts();
            if counts != self.before.counts || resource.get("status") != "complete" {
                return Err(told(format!(
                    "exists: {counts:?}; undisturbed: {:?}",
                    self.before.counts
                )));
            }
        }
        if pair.then == Next::Destroy {
            (self.session.destroy(&mut resource)).map_err(|e| told(format!("the destroy: {e}")))?;
            let counts = account.counts();
            if counts != self.nothing.counts || !resource.is_absent() {
                return Err(told(format!("left: {counts:?}")));
            }
        }
        Ok(true)
    }

    /// Applies; where a process died behind the very last call of a create, the import comes first that the error asks for.
    fn go_on(&self, resource: &mut Resource, config: &Json) -> Result<(), String> {
        let Err(error) = self.session.apply(resource, config) else {
            return Ok(());
        };
        let asks = format!("import ADDRESS {}", self.scenario.import);
        if resource.current.is_some() || !error.to_string().contains(&asks) {
            return Err(format!("the next apply: {error}"));
        }
        self.import(resource)?;
        let applied = self.session.apply(resource, config);
        applied
            .map(drop)
            .map_err(|e| format!("the apply after the import: {e}"))
    }

    fn import(&self, resource: &mut Resource) -> Result<(), String> {
        // An import has no block with time-outs, and no patience with a busy machine where time runs fast.
        self.account.set_time_scale(40.0);
        let imported = self.session.import(resource, self.scenario.import);
        self.account.set_time_scale(Account::DEFAULT_SCALE);
        imported.map_err(|e| format!("import: {e}"))
    }

    /// A create was killed behind its very last call: what is there is complete, and nobody's state knows it. The error
    /// says how to import it.
    fn complete_but_unknown(&self, resource: &mut Resource, config: &Json) -> Result<(), String> {
        let before = self.account.objects();
        match self.session.apply(resource, config) {
            Ok(_) => return Err("a complete resource without state was taken over silently".to_owned()),
            Err(error) => {
                let text = error.to_string();
                if !text.contains(&format!("import ADDRESS {}", self.scenario.import)) {
                    return Err(format!("no import line: {text}"));
                }
            }
        }
        if resource.current.is_some() {
            return Err("an error about what is not ours left a state".to_owned());
        }
        if self.account.objects() != before {
            return Err("the refused apply changed something".to_owned());
        }
        self.import(resource)?;
        // Only what an import cannot know may be left to an apply (time-outs, counts), and it makes nothing.
        self.session
            .apply(resource, config)
            .map_err(|e| format!("the apply after the import: {e}"))?;
        if self.account.objects() != before {
            return Err("the apply after the import changed what exists".to_owned());
        }
        Ok(())
    }
}

/// How many stages play at once.
const STAGES: usize = 3;

/// Plays the cases of all operations, cut points and blows, or a sample of them, on several stages at once.
///
/// # Panics
/// Where the scenario does not work undisturbed.
pub fn sweep(scenario: &Scenario, is_whole: bool) -> Tally {
    sweep_every(scenario, is_whole, 1)
}

/// The same of every n-th case: of a sample that takes too long.
///
/// # Panics
/// Where the scenario does not work undisturbed.
pub fn sweep_every(scenario: &Scenario, is_whole: bool, nth: usize) -> Tally {
    sweep_of(scenario, &Operation::ALL, is_whole, nth)
}

/// The same of these operations alone.
///
/// # Panics
/// Where the scenario does not work undisturbed.
pub fn sweep_of(scenario: &Scenario, operations: &[Operation], is_whole: bool, nth: usize) -> Tally {
    let total = Mutex::new(Tally::default());
    std::thread::scope(|scope| {
        for stage_number in 0..STAGES {
            let total = &total;
            scope.spawn(move || {
                let stage = Stage::of(scenario);
                if stage_number == 0 {
                    eprintln!("{stage:?}");
                }
                let sample = stage.sample();
                let mine = stage
                    .cases()
                    .filter(|case| operations.contains(&case.operation))
                    .filter(|case| is_whole || sample.contains(case))
                    .step_by(nth)
                    .skip(stage_number)
                    .step_by(STAGES);
                for case in mine {
                    let result = stage.play(case);
                    if let Err(why) = &result {
                        eprintln!("FAILED {} {case}: {why}", scenario.name);
                    }
                    if let Ok(mut total) = total.lock() {
                        total.count(format!("{} {case}", scenario.name), result);
                        if total.cases % 50 == 0 {
                            eprintln!("{}: {} cases so far", scenario.name, total.cases);
                        }
                    }
                }
                stage.account.forget();
            });
        }
    });
    total.into_inner().unwrap_or_default()
}

/// Which pairs of blows are played: every n-th branch (what happens first, and by what), and in it every n-th call
/// of the apply that continues.
#[derive(Debug, Clone, Copy)]
pub struct Every {
    /// Of the branches.
    pub branch: usize,
    /// Of the calls.
    pub call: usize,
}

/// So many mutating calls the second apply makes at least, wherever the first one ended but at its end.
const SECOND_CALLS: usize = 8;

/// Plays pairs of blows: first at one call of each kind of the create, whatever ends it there; then at every call
/// of the apply that continues it, whatever ends or disturbs that; then a destroy, and an apply.
///
/// # Panics
/// Where the scenario does not work undisturbed.
pub fn sweep_pairs(scenario: &Scenario, every: Every) -> Tally {
    let total = Mutex::new(Tally::default());
    std::thread::scope(|scope| {
        for stage_number in 0..STAGES {
            let total = &total;
            scope.spawn(move || {
                let stage = Stage::of(scenario);
                let calls = stage.kinds_of_calls(Operation::Create);
                let firsts = calls
                    .iter()
                    .flat_map(|call| Blow::ENDING.map(|blow| (*call, blow)));
                let seconds = [Blow::KillBefore, Blow::KillAfter, Blow::Deny, Blow::Lose];
                let branches = firsts.flat_map(|first| {
                    let of = move |second| [Next::Apply, Next::Destroy].map(|then| (first, second, then));
                    seconds.into_iter().flat_map(of)
                });
                let mine = branches
                    .step_by(every.branch)
                    .enumerate()
                    .skip(stage_number)
                    .step_by(STAGES);
                for (number, (first, blow, then)) in mine {
                    // The calls differ from branch to branch, so that a sample meets all of them. A branch without such a call
                    // would be played in vain.
                    let begin = number % every.call.min(SECOND_CALLS);
                    for call in (1..=1000).skip(begin).step_by(every.call) {
                        let pair = Pair {
                            first,
                            second: (call, blow),
                            then,
                        };
                        let result = match stage.play_pair(pair) {
                            Ok(true) => Ok(()),
                            Ok(false) => break,
                            Err(why) => Err(why),
                        };
                        if let Err(why) = &result {
                            eprintln!("FAILED {} {pair}: {why}", scenario.name);
                        }
                        if let Ok(mut total) = total.lock() {
                            total.count(format!("{} {pair}", scenario.name), result);
                            if total.cases % 50 == 0 {
                                eprintln!("{}: {} pairs so far", scenario.name, total.cases);
                            }
                        }
                    }
                }
                stage.account.forget();
            });
        }
    });
    total.into_inner().unwrap_or_default()
}
