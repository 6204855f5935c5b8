//! `ekb_cluster` through the real command lines, against the emulator: what users see, and what exists afterwards.

use acceptance_tests::Workspace;
use acceptance_tests::cuts::{Scenario, sweep_every};
use serde_json::Value;

const ADDRESS: &str = "ekb_cluster.main";

/// A network and a cluster in it.
fn cluster(arguments: &str) -> String {
    format!(
        "resource \"ekb_network\" \"main\" {{\n  cidr = \"10.20.0.0/16\"\n  zone_count = 2\n  nat_gateways = \"none\"\n}}\n\
         resource \"ekb_cluster\" \"main\" {{\n  kubernetes_version = \"1.35\"\n  vpc_id = ekb_network.main.vpc_id\n  \
         subnet_ids = ekb_network.main.private_subnet_ids\n  endpoint_access = {{ public_cidrs = [\"0.0.0.0/0\"] }}\n{arguments}\n}}\n"
    )
}

#[test]
fn a_network_and_a_cluster_from_nothing_in_one_apply() {
    Workspace::on_every_cli(|workspace, account| {
        workspace.write("main.tf", &cluster("default_storage_class = false"));
        let plan = workspace.plan().ok().assert_changes();
        let after = plan.change(ADDRESS).after;
        let account_id = after["account_id"].as_str().unwrap_or_default().to_owned();
        assert_eq!(
            after["arn"],
            format!("arn:aws:eks:eu-central-1:{account_id}:cluster/test")
        );
        assert_eq!(
            after["role_arns"]["vpc-cni"],
            format!("arn:aws:iam::{account_id}:role/test-vpc-cni")
        );
        workspace.apply_plan(&plan).ok();
        workspace.plan().ok().assert_empty();
        let state = workspace.resource(ADDRESS).unwrap_or_default();
        assert_eq!(state["status"], "complete");
        assert_eq!(state["drift"], Value::Array(Vec::new()));
        workspace.destroy().ok();
        account.assert_empty();
        account.assert_understood();
    });
}

#[test]
fn whoever_made_it_gets_in_and_nodes_are_ready() {
    Workspace::with_clusters(Some(0), |workspace, account| {
        workspace.write("main.tf", &cluster(""));
        let plan = workspace.plan().ok().assert_changes();
        workspace.apply_plan(&plan).ok();
        workspace.plan().ok().assert_empty();
        let kubernetes = account.cluster("test");
        let class = kubernetes
            .get("/apis/storage.k8s.io/v1/storageclasses/gp3")
            .unwrap();
        assert_eq!(class["provisioner"], "ebs.csi.aws.com");
        let nodes = kubernetes.list("/api/v1/nodes");
        assert_eq!(nodes.len(), 2, "{nodes:#?}");
        // By hand: drift in the cluster.
        kubernetes
            .merge(
                "/apis/storage.k8s.io/v1/storageclasses/gp3",
                &serde_json::json!({"metadata": {"annotations": {"storageclass.kubernetes.io/is-default-class": "false"}}}),
            )
            .unwrap();
        let plan = workspace.plan().ok().assert_changes();
        assert!(
            plan.run.output().contains("storage_class"),
            "{}",
            plan.run.output()
        );
        workspace.apply_plan(&plan).ok();
        workspace.plan().ok().assert_empty();
        workspace.destroy().ok();
        account.assert_empty();
        account.assert_understood();
    });
}

#[test]
fn each_argument_is_updated_in_place() {
    Workspace::in_turn(0, |workspace, account| {
        let none = "default_storage_class = false";
        workspace.write("main.tf", &cluster(none));
        workspace.apply().ok();
        let before = workspace.resource(ADDRESS).unwrap_or_default();
        for (what, arguments) in [
            ("tags", "tags = { team = \"platform\" }"),
            ("support", "support = \"standard\""),
            ("tier", "control_plane_tier = \"tier-xl\""),
            ("zonal shift", "zonal_shift = true"),
            ("protection", "deletion_protection = true"),
            ("no protection", ""),
            (
                "logging",
                "logging = { types = [\"audit\"], retention_days = 90 }",
            ),
            (
                "access",
                "access = { view = { principal_arn = \"arn:aws:iam::123456789012:role/view\", level = \"view\" } }",
            ),
            (
                "access to a namespace",
                "access = { view = { principal_arn = \"arn:aws:iam::123456789012:role/view\", level = \"edit\", namespaces = [\"shop\"] } }",
            ),
            ("more nodes", "system_nodes = { min = 3, max = 5 }"),
            ("larger disks", "system_nodes = { disk_gib = 100 }"),
            (
                "labels and no taint",
                "system_nodes = { labels = { pool = \"system\" }, only_system_pods = false }",
            ),
            (
                "an add-on less",
                "addons = { snapshot-controller = { enabled = false } }",
            ),
            (
                "an add-on's configuration",
                "addons = { coredns = { configuration = jsonencode({ replicaCount = 3 }) } }",
            ),
            ("irsa", "addons = { vpc-cni = { role_by = \"irsa\" } }"),
            ("as at first", ""),
        ] {
            eprintln!("   {what}");
            workspace.write("main.tf", &cluster(&format!("{none}\n{arguments}")));
            let plan = workspace.plan().ok();
            assert_eq!(plan.action(ADDRESS), "update", "{what}: {}", plan.run.stdout);
            workspace.apply_plan(&plan).ok();
            workspace.plan().ok().assert_empty();
        }
        assert_eq!(
            workspace.resource(ADDRESS).unwrap_or_default()["arn"],
            before["arn"]
        );
        workspace.destroy().ok();
        account.assert_empty();
        account.assert_understood();
    });
}

#[test]
fn it_is_upgraded_a_minor_at_a_time() {
    Workspace::in_turn(1, |workspace, account| {
        let at = |version: &str| {
            cluster("default_storage_class = false").replace(
                "kubernetes_version = \"1.35\"",
                &format!("kubernetes_version = \"{version}\""),
            )
        };
        workspace.write("main.tf", &at("1.34"));
        workspace.apply().ok();
        account.clear_log();
        workspace.write("main.tf", &at("1.36"));
        let plan = workspace.plan().ok();
        assert_eq!(plan.action(ADDRESS), "update", "{}", plan.run.stdout);
        assert!(
            plan.run.output().contains("1.34 → 1.35 → 1.36"),
            "{}",
            plan.run.output()
        );
        workspace.apply_plan(&plan).ok();
        workspace.plan().ok().assert_empty();
        let steps: Vec<String> = account
            .mutations()
            .into_iter()
            .map(|call| call.operation)
            .filter(|operation| {
                ["UpdateClusterVersion", "UpdateNodegroupVersion"].contains(&operation.as_str())
            })
            .collect();
        let hop = ["UpdateClusterVersion", "UpdateNodegroupVersion"];
        assert_eq!(steps, [hop, hop].concat());
        // Back is another thing.
        workspace.write("main.tf", &at("1.35"));
        workspace.plan().failed().says("EKB2221");
        workspace.write("main.tf", &at("1.36"));
        workspace.destroy().ok();
        account.assert_empty();
    });
}

/// A third of the kinds of calls of all operations; what happens there goes round.
#[test]
fn mutating_calls_may_go_wrong() {
    let tally = sweep_every(&Scenario::cluster(), false, 3);
    tally.report("cluster, a third of the kinds of calls");
    tally.assert_good();
}
