//! `ekb_cluster` through the real command lines, against the emulator: what users see, and what exists afterwards.

mod addons;
mod connection;
mod demands;
mod found;
mod update;
mod upgrade;

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

/// A third of the kinds of calls of all operations; what happens there goes round.
#[test]
fn mutating_calls_may_go_wrong() {
    let tally = sweep_every(&Scenario::cluster(), false, 3);
    tally.report("cluster, a third of the kinds of calls");
    tally.assert_good();
}
