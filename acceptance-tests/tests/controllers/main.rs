//! Controllers and node classes as users have them, in a cluster with the real API server.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use acceptance_tests::{Account, Kubernetes, Running, Stopwatch, Workspace, pause, tool};
use serde_json::{Value, json};

/// Karpenter's chart as it is published: its Go module has the definitions in another chart, between lines of a template.
fn chart() -> &'static str {
    static CHART: OnceLock<String> = OnceLock::new();
    CHART.get_or_init(|| {
        let from = tool("karpenter-charts").join("github.com/aws/karpenter-provider-aws");
        let chart = tempfile::tempdir().unwrap().keep().join("karpenter");
        copy(&from.join("karpenter"), &chart, &|text| text);
        let plain = |text: String| {
            let lines = text.lines().filter(|line| !line.contains("{{"));
            lines.map(|line| format!("{line}\n")).collect()
        };
        copy(&from.join("karpenter-crd/templates"), &chart.join("crds"), &plain);
        chart.display().to_string()
    })
}

fn copy(from: &Path, to: &Path, change: &dyn Fn(String) -> String) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to, change);
        } else if let Ok(text) = fs::read_to_string(entry.path()) {
            fs::write(to, change(text)).unwrap();
        }
    }
}

/// Karpenter with a node class, as a user writes them.
fn karpenter(arguments: &str) -> String {
    let chart = chart();
    format!(
        r#"resource "ekb_karpenter" "main" {{
  cluster            = "main"
  kubernetes_version = "1.35"
  chart              = "{chart}"
}}

resource "ekb_node_class" "general" {{
  cluster            = ekb_karpenter.main.cluster
  node_role          = ekb_karpenter.main.node_role_name
  kubernetes_version = "1.35"
  ami_alias          = "al2023@v20261101"
  class              = "general"
{arguments}
}}
"#,
    )
}

/// The keys of the planned objects.
fn planned(after: &Value) -> BTreeSet<String> {
    after["objects"].as_object().unwrap().keys().cloned().collect()
}

fn in_aws(account: &Account) -> BTreeSet<String> {
    let named = ["queue", "rule", "role"];
    let objects = account.objects().into_iter();
    let objects = objects.filter(|object| named.contains(&object.kind.as_str()));
    objects
        .filter(|object| object.name.contains("karpenter"))
        .map(|object| format!("{} {}", object.kind, object.name))
        .collect()
}

/// Says of Karpenter's objects what Karpenter would say.
fn is_ready(api: &Kubernetes, path: &str, apply: &Running) {
    let status = json!({"status": {"conditions": [{
        "type": "Ready", "status": "True", "reason": "Ready", "message": "", "lastTransitionTime": "2026-11-01T00:00:00Z",
    }]}});
    let watch = Stopwatch::start();
    while api.get(path).is_none() {
        let said = apply.so_far();
        assert!(watch.elapsed() < Duration::from_secs(60), "no {path}: {said}");
        pause(Duration::from_millis(200));
    }
    api.merge(&format!("{path}/status"), &status).unwrap();
}

const POOL: &str = "/apis/karpenter.sh/v1/nodepools/general";
const CLASS: &str = "/apis/karpenter.k8s.aws/v1/ec2nodeclasses/general";

#[test]
fn karpenter_and_its_nodes_are_made_with_all_they_need_and_leave_nothing() {
    Workspace::with_clusters(Some(0), |workspace, account| {
        // All of it is in the plan before there is a cluster.
        workspace.write("main.tf", &karpenter(""));
        let plan = workspace.plan().ok();
        let objects = planned(&plan.change("ekb_karpenter.main").after);
        for key in [
            "role",
            "pod_identity",
            "node_role",
            "node_access",
            "queue",
            "rule/spot",
            "Deployment.apps/kube-system/karpenter",
            "CustomResourceDefinition.apiextensions.k8s.io/nodepools.karpenter.sh",
        ] {
            assert!(objects.contains(key), "{key} of {objects:#?}");
        }
        let classes = planned(&plan.change("ekb_node_class.general").after);
        assert_eq!(classes, BTreeSet::from(["class", "pool"].map(str::to_owned)));

        account.small_cluster();
        let api = account.cluster("main");
        let running = workspace.start(&["apply", "-no-color", "-auto-approve"]);
        is_ready(&api, CLASS, &running);
        is_ready(&api, POOL, &running);
        running.wait(Duration::from_secs(240)).ok();
        workspace.plan().ok().assert_empty();
        let expected = [
            "rule main-karpenter-capacity",
            "rule main-karpenter-health",
            "rule main-karpenter-rebalance",
            "rule main-karpenter-spot",
            "rule main-karpenter-state",
            "queue main-karpenter",
            "role main-karpenter",
            "role main-karpenter-node",
        ];
        assert_eq!(in_aws(account), expected.map(str::to_owned).into());
        let listed = account.eks("ListPodIdentityAssociations", &json!({"clusterName": "main"}));
        assert_eq!(listed["associations"][0]["serviceAccount"], "karpenter");
        let entry = json!({"clusterName": "main", "principalArn": format!("arn:aws:iam::{}:role/main-karpenter-node", account.id())});
        assert_eq!(
            account.eks("DescribeAccessEntry", &entry)["accessEntry"]["type"],
            "EC2_LINUX"
        );
        let pool = api.get(POOL).unwrap();
        assert_eq!(
            pool["spec"]["template"]["spec"]["nodeClassRef"]["name"],
            "general"
        );
        assert_eq!(api.get(CLASS).unwrap()["spec"]["role"], "main-karpenter-node");

        // What only Karpenter can finish holds it: a node that somebody else made.
        let claim = json!({
            "apiVersion": "karpenter.sh/v1", "kind": "NodeClaim",
            "metadata": {"name": "by-hand", "finalizers": ["karpenter.sh/termination"]},
            "spec": {"nodeClassRef": {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "general"}, "requirements": []},
        });
        api.request("POST", "/apis/karpenter.sh/v1/nodeclaims", Some(&claim))
            .unwrap();
        let said = workspace.destroy().failed();
        said.says("EKB1142").says("NodeClaim by-hand");
        assert!(
            api.get("/apis/apps/v1/namespaces/kube-system/deployments/karpenter")
                .is_some()
        );
        let free = json!({"metadata": {"finalizers": null}});
        api.merge("/apis/karpenter.sh/v1/nodeclaims/by-hand", &free)
            .unwrap();
        api.delete("/apis/karpenter.sh/v1/nodeclaims/by-hand");
        workspace.destroy().ok();
        assert_eq!(in_aws(account), BTreeSet::new());
        assert!(
            api.get("/apis/apps/v1/namespaces/kube-system/deployments/karpenter")
                .is_none()
        );
    });
}

#[test]
fn what_can_never_be_a_node_is_refused_at_plan() {
    Workspace::in_turn(1, |workspace, _account| {
        let cases = [
            (
                "requirements = { a = { operator = \"Gt\", values = [\"x\"] } }",
                "EKB2434",
            ),
            (
                "requirements = { a = { values = [\"x\"], min_values = 2 } }",
                "min_values",
            ),
            ("limits = { cpu = \"0\" }", "too small for one node"),
            (
                "labels = { \"karpenter.sh/nodepool\" = \"x\" }",
                "Karpenter's own",
            ),
            (
                "budgets = [{ nodes = \"1\", schedule = \"@daily\" }]",
                "`schedule` and `duration`",
            ),
        ];
        for (arguments, words) in cases {
            workspace.write("main.tf", &karpenter(arguments));
            workspace.plan().failed().says(words);
        }
        let long = karpenter("").replace("\"main\"\n  kube", &format!("\"{}\"\n  kube", "x".repeat(42)));
        workspace.write("main.tf", &long);
        workspace.plan().failed().says("EKB2433");
        let old = karpenter("").replace(
            "chart              =",
            "version = \"1.8.0\"\n  repository = \"oci://example.com\"\n  #",
        );
        workspace.write("main.tf", &old);
        workspace.plan().failed().says("EKB2431").says("1.14.1");
    });
}
