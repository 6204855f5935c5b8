//! `ekb_cluster` through the real command lines, against the emulator: what users see, and what exists afterwards.

mod arguments;
mod drift;
mod locked_out;
mod refusals;
mod resume;
mod update;
mod upgrade;

use acceptance_tests::cuts::{Scenario, sweep_every};
use acceptance_tests::{Account, Workspace};
use serde_json::{Value, json};

const ADDRESS: &str = "ekb_cluster.main";

/// A VPC of somebody else's, 10.20.0.0/16.
struct Ground {
    vpc: Value,
    /// In two zones.
    subnets: [Value; 2],
    /// In the zone of the second of them.
    beside: Value,
    /// In a third zone.
    third: Value,
    /// In another VPC.
    foreign: Value,
}

fn ground(account: &Account) -> Ground {
    let vpc = |range: &str| account.ec2("CreateVpc", &json!({ "CidrBlock": range }))["Vpc"]["VpcId"].clone();
    let (own, other) = (vpc("10.20.0.0/16"), vpc("10.30.0.0/16"));
    let subnet = |vpc: &Value, zone: &str, range: &str| {
        let subnet = json!({ "VpcId": vpc, "CidrBlock": range, "AvailabilityZone": zone });
        account.ec2("CreateSubnet", &subnet)["Subnet"]["SubnetId"].clone()
    };
    let (a, b, c) = ("eu-central-1a", "eu-central-1b", "eu-central-1c");
    Ground {
        subnets: [subnet(&own, a, "10.20.0.0/20"), subnet(&own, b, "10.20.16.0/20")],
        beside: subnet(&own, b, "10.20.32.0/20"),
        third: subnet(&own, c, "10.20.48.0/20"),
        foreign: subnet(&other, c, "10.30.0.0/20"),
        vpc: own,
    }
}

/// A cluster on it, without anything inside.
fn config(ground: &Ground) -> Value {
    json!({
        "kubernetes_version": "1.35", "subnet_ids": ground.subnets, "endpoint_access": { "public_cidrs": ["0.0.0.0/0"] },
        "default_storage_class": false, "timeouts": Scenario::patient(),
    })
}

/// The configuration with another argument; null takes it away.
fn with(config: &Value, argument: &str, value: impl Into<Value>) -> Value {
    let mut config = config.clone();
    config[argument] = value.into();
    config
}

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
