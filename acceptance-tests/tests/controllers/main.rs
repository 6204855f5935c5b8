//! Controllers and node classes as users have them, in a cluster with the real API server.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod platform;

use std::collections::BTreeSet;
use std::time::Duration;

use acceptance_tests::{Account, Fault, Kubernetes, Running, Stopwatch, Workspace, charts, pause};
use serde_json::{Value, json};

/// AWS's time runs twenty times as fast as that of the programs, which a busy machine delays.
const PATIENT: &str = "  timeouts {\n    create = \"10h\"\n    delete = \"10h\"\n  }\n";

/// Karpenter with a node class, as a user writes them.
fn karpenter(arguments: &str) -> String {
    let chart = charts::folder("karpenter").display().to_string();
    format!(
        r#"resource "ekb_karpenter" "main" {{
  cluster            = "main"
  kubernetes_version = "1.35"
  chart              = "{chart}"
{PATIENT}}}

resource "ekb_node_class" "general" {{
  cluster            = ekb_karpenter.main.cluster
  node_role          = ekb_karpenter.main.node_role_name
  kubernetes_version = "1.35"
  ami_alias          = "al2023@v20261101"
  class              = "general"
{arguments}
{PATIENT}}}
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

/// A pod on a node of the database class that a budget never lets go; its pool waits for Karpenter to drain it.
fn held_pod(api: &Kubernetes) {
    let pool = POOL.replace("general", "database");
    let held = json!({"metadata": {"finalizers": ["karpenter.sh/termination"]}});
    api.merge(&pool, &held).unwrap();
    let post = |path: &str, object: Value| drop(api.request("POST", path, Some(&object)).unwrap());
    post(
        "/api/v1/nodes",
        json!({
            "apiVersion": "v1", "kind": "Node", "metadata": {"name": "database-1", "labels": {"karpenter.sh/nodepool": "database"}},
        }),
    );
    post(
        "/api/v1/namespaces/default/pods",
        json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "db-0", "labels": {"app": "db"}},
            "spec": {"nodeName": "database-1", "containers": [{"name": "db", "image": "db"}], "tolerations": [{"operator": "Exists"}]},
        }),
    );
    post(
        "/apis/policy/v1/namespaces/default/poddisruptionbudgets",
        json!({
            "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "db"},
            "spec": {"maxUnavailable": 0, "selector": {"matchLabels": {"app": "db"}}},
        }),
    );
}

const POOL: &str = "/apis/karpenter.sh/v1/nodepools/general";
const CLASS: &str = "/apis/karpenter.k8s.aws/v1/ec2nodeclasses/general";

#[test]
fn karpenter_and_its_nodes_are_made_with_all_they_need_and_leave_nothing() {
    Workspace::with_clusters(Some(0), |workspace, account| {
        // All of it is in the plan before there is a cluster.
        let database = karpenter("").replace("general", "database");
        let database = database.split_once("resource \"ekb_node_class\"").unwrap().1;
        let all = format!("{}resource \"ekb_node_class\"{database}", karpenter(""));
        workspace.write("main.tf", &all);
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
        for path in [CLASS, POOL] {
            is_ready(&api, path, &running);
            is_ready(&api, &path.replace("general", "database"), &running);
        }
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

        // A drain that never ends is told: at the plan of the destroy, and by its error.
        held_pod(&api);
        let said = workspace.destroy().failed();
        said.says("EKB2436")
            .says("EKB1143")
            .says("PodDisruptionBudget default/db")
            .says("db-0");
        let free = json!({"metadata": {"finalizers": null}});
        api.merge(&POOL.replace("general", "database"), &free).unwrap();

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
        api.merge("/apis/karpenter.sh/v1/nodeclaims/by-hand", &free)
            .unwrap();
        api.delete("/apis/karpenter.sh/v1/nodeclaims/by-hand");
        // And what Karpenter made of AWS goes with it, though nobody is there to take it away.
        let iam = |operation: &str, parameters: Value| {
            account
                .call("iam", Account::REGION, operation, &parameters)
                .unwrap();
        };
        let profile = json!({"InstanceProfileName": "main_1", "Path": "/karpenter/eu-central-1/main/1/"});
        iam("CreateInstanceProfile", profile);
        let role = json!({"InstanceProfileName": "main_1", "RoleName": "main-karpenter-node"});
        iam("AddRoleToInstanceProfile", role);
        let tags = json!([{"ResourceType": "launch-template", "Tags": [{"Key": "karpenter.k8s.aws/cluster", "Value": "main"}]}]);
        account.ec2("CreateLaunchTemplate", &json!({
            "LaunchTemplateName": "karpenter.k8s.aws/1", "LaunchTemplateData": {"InstanceType": "m7g.large"}, "TagSpecifications": tags,
        }));
        workspace.destroy().ok();
        assert_eq!(in_aws(account), BTreeSet::new());
        let counts = account.counts();
        assert_eq!(
            (counts.get("instance_profile"), counts.get("launch_template")),
            (None, None)
        );
        assert!(
            api.get("/apis/apps/v1/namespaces/kube-system/deployments/karpenter")
                .is_none()
        );
    });
}

#[test]
fn what_exists_stays_whichever_argument_is_unknown() {
    Workspace::with_clusters(Some(1), |workspace, account| {
        account.small_cluster();
        let whole = karpenter("");
        let (controller, class) = whole.split_once("resource \"ekb_node_class\"").unwrap();
        let consumers = "resource \"terraform_data\" \"of_controller\" {\n  triggers_replace = [ekb_karpenter.main.id, \
                         ekb_karpenter.main.cluster, ekb_karpenter.main.namespace]\n}\n\
                         resource \"terraform_data\" \"of_class\" {\n  triggers_replace = [ekb_node_class.general.id, \
                         ekb_node_class.general.name]\n}\n";
        let late = "resource \"terraform_data\" \"late\" {\n  input = \"35\"\n}\n";
        let with = |of_controller: &str, of_class: &str| {
            let late = if of_controller.is_empty() && of_class.is_empty() {
                ""
            } else {
                late
            };
            let of = |text: &str, arguments: &str| text.replacen("\n", &format!("\n{arguments}\n"), 1);
            let both = [
                of(controller, of_controller),
                format!("resource \"ekb_node_class\"{}", of(class, of_class)),
            ];
            [&both.concat(), consumers, late].concat()
        };
        workspace.write("main.tf", &with("", ""));
        let running = workspace.start(&["apply", "-no-color", "-auto-approve"]);
        for path in [CLASS, POOL] {
            is_ready(&account.cluster("main"), path, &running);
        }
        running.wait(Duration::from_secs(240)).ok();
        let late = "terraform_data.late.output";
        let of_controller = [
            "replicas = LATE == \"\" ? 1 : 2",
            "values = { logLevel = LATE }",
            "image_registry = LATE",
            "image_pull_secrets = [LATE]",
            "delete_crds = LATE == \"x\"",
            "role_permissions_boundary = \"arn:aws:iam::123456789012:policy/${LATE}\"",
            "node_role_arn = \"arn:aws:iam::123456789012:role/${LATE}\"",
            "role_arn = \"arn:aws:iam::123456789012:role/${LATE}\"",
        ];
        let of_class = [
            "zones = [LATE]",
            "labels = { a = LATE }",
            "taints = { a = { value = LATE } }",
            "limits = { cpu = LATE }",
            "weight = LATE",
            "disk_gib = LATE",
            "budgets = [{ nodes = LATE }]",
            "subnet_ids = [LATE]",
            "requirements = { a = { values = [LATE] } }",
            "instance_tags = { a = LATE }",
            "expire_after = \"${LATE}h\"",
            "user_data = LATE",
        ];
        let cases = of_controller.map(|one| (one, "")).into_iter();
        for (one, other) in cases.chain(of_class.map(|one| ("", one))) {
            let text = |argument: &str| argument.replace("LATE", late);
            workspace.write("main.tf", &with(&text(one), &text(other)));
            let plan = workspace.plan().ok();
            for address in ["ekb_karpenter.main", "ekb_node_class.general"] {
                let action = plan.action(address);
                assert!(
                    ["update", "no-op"].contains(&action.as_str()),
                    "{one}{other}: {address}: {action}: {}",
                    plan.run
                );
            }
            for address in ["terraform_data.of_controller", "terraform_data.of_class"] {
                assert_eq!(
                    plan.action(address),
                    "no-op",
                    "{one}{other}: {address}: {}",
                    plan.run
                );
            }
        }
        workspace.write("main.tf", &with("", ""));
        workspace.destroy().ok();
    });
}

#[test]
fn two_kills_and_a_destroy_leave_nothing() {
    Workspace::with_clusters(Some(0), |workspace, account| {
        account.small_cluster();
        let whole = karpenter("");
        let (controller, _) = whole.split_once("resource \"ekb_node_class\"").unwrap();
        workspace.write("main.tf", controller);
        for (fault, service, operation) in [
            (Fault::kill_before(), "sqs", "CreateQueue"),
            (Fault::kill_after(), "events", "PutRule"),
            (Fault::lose_response(), "events", "PutTargets"),
        ] {
            account.fault(&fault.service(service).on(operation));
            let _ = workspace.apply();
        }
        assert_eq!(account.faults_fired(), 3);
        // The third went on to the end.
        workspace.plan().ok().assert_empty();
        let rules = in_aws(account)
            .into_iter()
            .filter(|object| object.starts_with("rule"));
        assert_eq!(rules.count(), 5);
        account.fault(&Fault::kill_after().service("sqs").on("DeleteQueue"));
        let _ = workspace.destroy();
        account.fault(&Fault::kill_before().service("iam").on("DeleteRole"));
        let _ = workspace.destroy();
        workspace.destroy().ok();
        assert_eq!(in_aws(account), BTreeSet::new());
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

#[test]
fn keda_and_the_load_balancer_controller_hold_what_only_they_can_finish() {
    Workspace::with_clusters(Some(2), |workspace, account| {
        account.run_controllers(&["keda", "load-balancer-controller", "metrics-server"]);
        account.small_cluster();
        let vpc = account.ec2("DescribeVpcs", &json!({}))["Vpcs"][0]["VpcId"]
            .as_str()
            .unwrap()
            .to_owned();
        let controller = |resource: &str, chart: &str, more: &str| {
            let chart = charts::folder(chart);
            format!(
                "resource \"{resource}\" \"main\" {{\n  cluster = \"main\"\n  chart   = \"{}\"\n{more}{PATIENT}}}\n",
                chart.display()
            )
        };
        let both = [
            controller("ekb_keda", "keda", ""),
            controller(
                "ekb_load_balancer_controller",
                "aws-load-balancer-controller",
                &format!("  vpc_id = \"{vpc}\"\n"),
            ),
        ];
        // What KEDA counts on is asked for.
        workspace.write("main.tf", &both[0]);
        workspace
            .apply()
            .failed()
            .says("EKB2437")
            .says("ekb_release.metrics_server.cluster");
        let metrics = format!(
            "resource \"ekb_release\" \"metrics_server\" {{\n  name = \"metrics-server\"\n  namespace = \"kube-system\"\n  \
             cluster = \"main\"\n  chart = \"{}\"\n{PATIENT}}}\n",
            charts::folder("metrics-server").display()
        );
        let [keda, balancers] = both;
        let keda = keda.replace("\"main\"\n  chart", "ekb_release.metrics_server.cluster\n  chart");
        workspace.write("main.tf", &[metrics, keda, balancers].concat());
        workspace.apply().ok();
        workspace.plan().ok().assert_empty();
        let api = account.cluster("main");
        let role = json!({"RoleName": "main-load-balancer-controller"});
        account.call("iam", Account::REGION, "GetRole", &role).unwrap();
        let running: BTreeSet<String> = account
            .controllers("main")
            .into_iter()
            .map(|one| one.program)
            .collect();
        assert!(running.len() >= 4, "{running:?}");

        let scaled = json!({
            "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": "shop"},
            "spec": {"scaleTargetRef": {"name": "shop"}, "triggers": [{"type": "cron", "metadata": {
                "timezone": "UTC", "start": "0 0 * * *", "end": "1 0 * * *", "desiredReplicas": "2",
            }}]},
        });
        let path = "/apis/keda.sh/v1alpha1/namespaces/default/scaledobjects";
        api.request("POST", path, Some(&scaled)).unwrap();
        let one = format!("{path}/shop");
        acceptance_tests::until("KEDA's finalizer", Duration::from_secs(60), || {
            api.get(&one)
                .is_some_and(|live| live["metadata"]["finalizers"].is_array())
        });
        workspace
            .destroy()
            .failed()
            .says("EKB1142")
            .says("ScaledObject default/shop");
        assert!(
            api.get("/apis/apps/v1/namespaces/keda/deployments/keda-operator")
                .is_some()
        );
        assert!(api.delete(&one));
        workspace.destroy().ok();
        assert!(
            api.get("/apis/apps/v1/namespaces/keda/deployments/keda-operator")
                .is_none()
        );
        account
            .call("iam", Account::REGION, "GetRole", &role)
            .unwrap_err();
    });
}
