//! A create that failed half way, and failures of AWS: what users read, and that the next apply goes on without another cluster.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use acceptance_tests::cuts::{Every, Scenario, is_sweep, sweep_pairs};
use acceptance_tests::{Account, Fault, Rig, Session, Standing};
use conformance::{Action, Resource};
use serde_json::{Value as Json, json};

use crate::{config, ground, with};

struct Stage {
    session: Session,
    account: Account,
    config: Json,
    /// What somebody else has there.
    ground: BTreeMap<String, usize>,
}

fn stage() -> Stage {
    let account = Rig::shared().account();
    let config = config(&ground(&account));
    Stage {
        session: Session::new(&account),
        config,
        ground: account.counts(),
        account,
    }
}

/// Without interfaces: a node group that goes leaves some of the CNI, which a destroy removes.
fn counts(account: &Account) -> BTreeMap<String, usize> {
    let mut counts = account.counts();
    counts.remove("network_interface");
    counts
}

/// A cluster that nothing disturbed.
fn undisturbed() -> &'static Standing {
    static MADE: LazyLock<Standing> = LazyLock::new(|| {
        let stage = stage();
        Standing::set("ekb_cluster", &stage.account, stage.config)
    });
    &MADE
}

/// Calls that delete what is there.
fn deletions(account: &Account) -> Vec<String> {
    let calls = account.mutations().into_iter().map(|call| call.operation);
    calls.filter(|call| call.starts_with("Delete")).collect()
}

impl Stage {
    /// A create that this fault ends: what the user reads.
    fn failed(&self, fault: &Fault) -> (Resource, String) {
        let mut resource = Resource::new("ekb_cluster");
        self.account.fault(fault);
        let error = self
            .session
            .apply(&mut resource, &self.config)
            .expect_err("it cannot end well")
            .to_string();
        self.account.clear_faults();
        assert!(
            resource.is_tainted(),
            "core taints what a failed create leaves: {error}"
        );
        self.account.clear_log();
        (resource, error)
    }

    /// The next apply goes on: nothing of these is deleted, and all is there.
    fn goes_on(&self, mut resource: Resource, replaced: &[&str]) {
        self.session.apply(&mut resource, &self.config).unwrap();
        let mut gone = deletions(&self.account);
        gone.sort();
        gone.dedup();
        assert_eq!(gone, replaced);
        self.session.expect_empty(&mut resource, &self.config).unwrap();
        assert_eq!(counts(&self.account), counts(undisturbed().account()));
    }

    fn destroyed(&self, mut resource: Resource) {
        self.session.destroy(&mut resource).unwrap();
        assert_eq!(self.account.counts(), self.ground);
    }
}

#[test]
fn a_failed_create_goes_on_or_is_destroyed() {
    let stage = stage();
    let (resource, error) = stage.failed(&Fault::deny().on("CreateNodegroup").always());
    for said in [
        "CreateNodegroup",
        "Apply again to continue",
        "nothing that exists is destroyed",
    ] {
        assert!(error.contains(said), "{said} is not in: {error}");
    }
    stage.account.snapshot("failed");
    stage.goes_on(resource.clone(), &[]);
    stage.account.restore("failed");
    stage.destroyed(resource);
}

/// A node group that comes to nothing is explained, and replaced by the next apply; the cluster stays.
#[test]
fn a_failed_node_group_is_explained_and_replaced() {
    let stage = stage();
    let (resource, error) = stage.failed(
        &Fault::fail_later(
            "AsgInstanceLaunchFailures",
            "Could not launch On-Demand Instances. VcpuLimitExceeded",
        )
        .on("CreateNodegroup"),
    );
    for said in [
        "AsgInstanceLaunchFailures",
        "VcpuLimitExceeded",
        "a quota of vCPUs",
        "Apply again",
    ] {
        assert!(error.contains(said), "{said} is not in: {error}");
    }
    stage.account.snapshot("failed");
    stage.goes_on(resource.clone(), &["DeleteNodegroup"]);
    stage.account.restore("failed");
    stage.destroyed(resource);
}

/// A cluster that comes to nothing is explained; only then another one is made.
#[test]
fn a_failed_cluster_is_explained_and_made_again() {
    let stage = stage();
    let (resource, error) = stage.failed(
        &Fault::fail_later("ResourceLimitExceeded", "no addresses in the subnets").on("CreateCluster"),
    );
    for said in ["ResourceLimitExceeded", "no addresses in the subnets"] {
        assert!(error.contains(said), "{said} is not in: {error}");
    }
    stage.account.snapshot("failed");
    stage.goes_on(resource.clone(), &["DeleteCluster"]);
    stage.account.restore("failed");
    stage.destroyed(resource);
}

/// What is not well is shown, waited for and explained; it is never deleted for it.
#[test]
fn what_is_degraded_is_waited_for_and_never_deleted() {
    let (session, mut resource) = undisturbed().copy();
    let (account, config) = (session.account(), &undisturbed().config);
    let group = resource.get("ids").as_object().unwrap().iter();
    let group = group.filter(|(key, _)| key.starts_with("node_group/"));
    let group = group
        .filter_map(|(_, id)| Some(id.as_str()?.split_once('/')?.1.to_owned()))
        .next()
        .unwrap();
    let degraded = |kind: &str, name: &str, code: &str, chain: &Json| {
        let issue = json!({ "code": code, "message": "so it is", "resourceIds": [] });
        account.put(
            "eks",
            kind,
            name,
            &json!({ "health": { "issues": [issue] } }),
            chain,
        );
    };
    let hurried = with(config, "timeouts", json!({ "update": "5m" }));
    for (kind, name, code, next) in [
        (
            "addon",
            "coredns",
            "InsufficientNumberOfReplicas",
            "Its pods do not run",
        ),
        (
            "nodegroup",
            &group,
            "NodeCreationFailure",
            "did not join the cluster",
        ),
    ] {
        degraded(kind, name, code, &json!(["DEGRADED"]));
        let plan = session.plan(&mut resource, config).unwrap();
        assert_eq!(plan.action, Action::Update, "{plan}");
        assert!(plan.to_string().contains(code), "{plan}");
        // It heals by itself.
        degraded(kind, name, code, &json!(["DEGRADED", 600, "ACTIVE"]));
        account.clear_log();
        session.apply_plan(&mut resource, &plan).unwrap();
        session.expect_empty(&mut resource, config).unwrap();
        // It does not.
        degraded(kind, name, code, &json!(["DEGRADED"]));
        let error = session
            .apply(&mut resource, &hurried)
            .expect_err("it is not well");
        let error = error.to_string();
        assert!(error.contains(code) && error.contains(next), "{error}");
        assert!(!resource.is_tainted());
        assert_eq!(deletions(account), [""; 0]);
        account.put("eks", kind, name, &json!({}), &json!(["ACTIVE"]));
        session.apply(&mut resource, config).unwrap();
        session.expect_empty(&mut resource, config).unwrap();
    }
}

/// A sample of two blows in a row, followed by an apply or a destroy.
#[test]
fn a_create_may_go_wrong_twice() {
    // It has nothing in common with the number of blows: each of them comes first and second.
    let every = Every {
        branch: if is_sweep() { 1 } else { 131 },
        call: if is_sweep() { 9 } else { 1000 },
    };
    let tally = sweep_pairs(&Scenario::cluster(), every);
    tally.report("cluster, a sample of two blows");
    tally.assert_good();
}
