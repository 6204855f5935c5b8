//! Upgrades and replacements of nodes on a real control plane, with real drains.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use acceptance_tests::{Account, Fault, Kubernetes, Workspace, pause, until};
use serde_json::{Value, json};

use super::{says, versions, with_class};
use crate::ADDRESS;

const MINUTE: Duration = Duration::from_secs(60);
const BUDGET: &str = "/apis/policy/v1/namespaces/default/poddisruptionbudgets/db";
const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";

/// Pods `app: db` on system nodes; with a selector of nodes where they find none.
fn deployment(api: &Kubernetes, name: &str, replicas: u32, nowhere: bool) {
    let selector = if nowhere {
        json!({ "no": "where" })
    } else {
        json!({})
    };
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": name },
        "spec": {
            "replicas": replicas, "selector": { "matchLabels": { "of": name } },
            "template": {
                "metadata": { "labels": { "app": "db", "of": name } },
                "spec": {
                    "containers": [{ "name": "db", "image": "db" }], "nodeSelector": selector,
                    "tolerations": [{ "key": "CriticalAddonsOnly", "operator": "Exists" }],
                },
            },
        },
    });
    api.request("POST", DEPLOYMENTS, Some(&deployment)).unwrap();
    if !nowhere {
        until("the pods", MINUTE, || {
            api.get(&format!("{DEPLOYMENTS}/{name}"))
                .is_some_and(|found| found["status"]["readyReplicas"] == replicas)
        });
    }
}

/// The budget of these pods, once it has been counted.
fn budget(api: &Kubernetes, available: u32, allowed: u32) {
    let budget = json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": { "name": "db" },
        "spec": { "minAvailable": available, "selector": { "matchLabels": { "app": "db" } } },
    });
    if api.get(BUDGET).is_some() {
        api.merge(BUDGET, &json!({ "spec": budget["spec"] })).unwrap();
    } else {
        let (budgets, _) = BUDGET.rsplit_once('/').unwrap();
        api.request("POST", budgets, Some(&budget)).unwrap();
    }
    until("the budget", MINUTE, || {
        let found = api.get(BUDGET).unwrap_or_default();
        found["status"]["observedGeneration"] == found["metadata"]["generation"]
            && found["status"]["disruptionsAllowed"] == allowed
    });
}

fn ready(api: &Kubernetes) -> Vec<String> {
    let nodes = api.list("/api/v1/nodes").into_iter().filter(|node| {
        let mut conditions = node["status"]["conditions"].as_array().into_iter().flatten();
        conditions.any(|one| one["type"] == "Ready" && one["status"] == "True")
    });
    nodes
        .filter_map(|node| Some(node["status"]["nodeInfo"]["kubeletVersion"].as_str()?.to_owned()))
        .collect()
}

fn assert_nodes(api: &Kubernetes, version: &str) {
    let nodes = ready(api);
    assert!(
        nodes.len() == 2 && nodes.iter().all(|node| node.starts_with(version)),
        "{nodes:?}"
    );
}

/// While this works, the fewest ready nodes that were seen.
fn fewest<T>(api: &Kubernetes, work: impl FnOnce() -> T) -> (usize, T) {
    let (fewest, is_over) = (AtomicUsize::new(usize::MAX), AtomicBool::new(false));
    let result = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                fewest.fetch_min(ready(api).len(), Ordering::Relaxed);
                pause(Duration::from_millis(200));
            }
        });
        let result = work();
        is_over.store(true, Ordering::Relaxed);
        result
    });
    (fewest.into_inner(), result)
}

/// Applies with the provider killed at these calls, one after the other, and then once more.
fn interrupted(workspace: &Workspace, account: &Account, faults: impl IntoIterator<Item = Fault>) {
    for fault in faults {
        account.fault(&fault);
        let _killed = workspace.apply().failed();
        assert_eq!(account.faults_fired(), 1, "{fault:?}");
        account.clear_faults();
    }
    workspace.apply().ok();
}

fn ends(account: &Account, workspace: &Workspace) {
    workspace.plan().ok().assert_empty();
    account.assert_understood();
}

/// By two minors with a finding, an old controller and a budget in the way, then without, with an interruption in each phase; then
/// back by one.
#[test]
fn an_upgrade_by_two_minors_and_back_by_one() {
    Workspace::with_clusters(Some(1), |workspace, account| {
        workspace.write("main.tf", &with_class("1.34", ""));
        workspace.apply().ok();
        let api = &account.cluster("test");
        deployment(api, "db", 2, false);
        budget(api, 2, 0);
        let karpenter = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "karpenter" },
            "spec": {
                "replicas": 0, "selector": { "matchLabels": { "app": "karpenter" } },
                "template": {
                    "metadata": { "labels": { "app": "karpenter" } },
                    "spec": { "containers": [{ "name": "controller", "image": "public.ecr.aws/karpenter/controller:1.9.0" }] },
                },
            },
        });
        api.request("POST", DEPLOYMENTS, Some(&karpenter)).unwrap();
        account.clear_log();

        eprintln!("   a finding, a controller, a budget");
        account.insights("test", &json!([{ "name": "Deprecated APIs" }]), false);
        workspace.write("main.tf", &with_class("1.36", ""));
        let old = "Upgrade Karpenter (default/karpenter, version 1.9.0) to at least 1.13 first";
        says(workspace.plan().failed(), &["EKB2223", "EKB2242", old]);
        account.insights("test", &json!([]), false);
        assert!(api.delete(&format!("{DEPLOYMENTS}/karpenter")));
        let held = "PodDisruptionBudget default/db (`minAvailable` is 2 of 2 pods) does not let go of db-";
        let plan = workspace.plan().ok();
        says(
            workspace.apply_plan(&plan).failed(),
            &["EKB2240", held, " on ip-10-20-"],
        );
        says(plan.run, &["EKB2240", held]);
        assert!(versions(account).is_empty(), "{:?}", versions(account));

        eprintln!("   free, with interruptions");
        budget(api, 1, 1);
        let kills = [
            Fault::kill_after().on("UpdateClusterVersion"),
            Fault::kill_before().on("UpdateNodegroupVersion"),
            Fault::kill_after().on("UpdateNodegroupVersion"),
            Fault::kill_after().on("UpdateAddon"),
        ];
        interrupted(workspace, account, kills);
        assert_eq!(
            versions(account),
            ["cluster 1.35", "nodes 1.35", "cluster 1.36", "nodes 1.36"]
        );
        assert_nodes(api, "v1.36.");
        ends(account, workspace);

        eprintln!("   back");
        account.clear_log();
        workspace.write("main.tf", &with_class("1.35", "allow_rollback = true"));
        let kills = [
            Fault::kill_after().on("UpdateNodegroupVersion"),
            Fault::kill_before().on("UpdateClusterVersion"),
        ];
        interrupted(workspace, account, kills);
        assert_eq!(versions(account), ["nodes 1.35", "cluster 1.35"]);
        assert_nodes(api, "v1.35.");
        ends(account, workspace);
        account.clone().forget();
    });
}

/// What cannot be changed of a node group, and a drain that fails.
#[test]
fn nodes_are_replaced_beside_the_old_ones() {
    Workspace::with_clusters(Some(2), |workspace, account| {
        workspace.write("main.tf", &with_class("1.35", ""));
        workspace.apply().ok();
        let api = &account.cluster("test");

        eprintln!("   another instance type");
        workspace.write(
            "main.tf",
            &with_class("1.35", "system_nodes = { instance_types = [\"t4g.xlarge\"] }"),
        );
        let kills = [
            Fault::kill_after().on("CreateNodegroup"),
            Fault::kill_before().on("DeleteNodegroup"),
        ];
        let (fewest, ()) = fewest(api, || interrupted(workspace, account, kills));
        assert!(fewest >= 2, "{fewest} ready nodes");
        until("the old nodes' end", MINUTE, || ready(api).len() == 2);
        let nodes = api.list("/api/v1/nodes");
        let is_new =
            |node: &Value| node["metadata"]["labels"]["node.kubernetes.io/instance-type"] == "t4g.xlarge";
        assert!(nodes.iter().all(is_new), "{nodes:#?}");
        ends(account, workspace);

        eprintln!("   a budget that cannot be met for now");
        deployment(api, "db", 1, false);
        deployment(api, "nowhere", 1, true);
        budget(api, 1, 0);
        let larger = |more: &str| {
            let nodes = "system_nodes = { instance_types = [\"t4g.xlarge\"], disk_gib = 80 }";
            with_class("1.35", &format!("{nodes}\n{more}"))
        };
        workspace.write("main.tf", &larger(""));
        let held = "PodDisruptionBudget default/db (1 of its 2 pods are healthy, 1 have to be) does not let go of db-";
        says(
            workspace.apply().failed(),
            &["PodEvictionFailure", held, " on ip-10-20-", "force_drain"],
        );

        eprintln!("   by force");
        workspace.write("main.tf", &larger("force_drain = true"));
        account.clear_log();
        let plan = workspace.plan().ok();
        workspace.apply_plan(&plan).ok();
        says(plan.run, &["EKB2246", "Nodes are drained by force"]);
        assert_eq!(versions(account), ["nodes 1.35!"]);
        assert_eq!(
            workspace.resource(ADDRESS).unwrap_or_default()["kubernetes_version"],
            "1.35"
        );
        ends(account, workspace);
        account.clone().forget();
    });
}
