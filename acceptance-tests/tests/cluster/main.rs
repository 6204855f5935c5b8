//! `ekb_cluster` through the real command lines, against the emulator: what users see, and what exists afterwards.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail by panicking, as the tests do"
)]

mod addons;
mod arguments;
mod connection;
mod demands;
mod destroy;
mod drift;
mod found;
mod import;
mod locked_out;
mod others;
mod refusals;
mod resume;
mod update;
mod upgrade;

use acceptance_tests::cuts::{Scenario, sweep_every};
use acceptance_tests::{Account, Workspace, token_to_file};
use serde_json::{Value, json};

const ADDRESS: &str = "ekb_cluster.main";
/// Without what is inside the cluster: `patient(BARE)` is made once for all tests that begin with it.
const BARE: &str = "default_storage_class = false";
const CLASS: &str = "/apis/storage.k8s.io/v1/storageclasses/gp3";

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
    /// Security groups.
    groups: [Value; 2],
}

fn ground(account: &Account) -> Ground {
    let vpc = |range: &str| account.ec2("CreateVpc", &json!({ "CidrBlock": range }))["Vpc"]["VpcId"].clone();
    let (own, other) = (vpc("10.20.0.0/16"), vpc("10.30.0.0/16"));
    let subnet = |vpc: &Value, zone: &str, range: &str| {
        let subnet = json!({ "VpcId": vpc, "CidrBlock": range, "AvailabilityZone": zone });
        account.ec2("CreateSubnet", &subnet)["Subnet"]["SubnetId"].clone()
    };
    let (a, b, c) = ("eu-central-1a", "eu-central-1b", "eu-central-1c");
    let first = subnet(&own, a, "10.20.0.0/20");
    // In the order of their ids, which messages take.
    let second = loop {
        let id = subnet(&own, b, "10.20.16.0/20");
        if id.as_str() > first.as_str() {
            break id;
        }
        account.ec2("DeleteSubnet", &json!({ "SubnetId": id }));
    };
    Ground {
        subnets: [first, second],
        beside: subnet(&own, b, "10.20.32.0/20"),
        third: subnet(&own, c, "10.20.48.0/20"),
        foreign: subnet(&other, c, "10.30.0.0/20"),
        groups: ["one", "two"].map(|name| {
            let group = json!({ "GroupName": name, "Description": name, "VpcId": own });
            account.ec2("CreateSecurityGroup", &group)["GroupId"].clone()
        }),
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

/// The same with time for a machine that is busy: scaled time does not wait.
fn patient(arguments: &str) -> String {
    let timeouts = "  timeouts {\n    create = \"20h\"\n    read = \"20h\"\n    update = \"20h\"\n    delete = \"20h\"\n  }\n";
    let network = format!("nat_gateways = \"none\"\n{timeouts}");
    cluster(&format!("{arguments}\n{timeouts}")).replacen("nat_gateways = \"none\"\n", &network, 1)
}

#[test]
fn a_network_and_a_cluster_from_nothing_in_one_apply() {
    Workspace::with_clusters(None, |workspace, account| {
        workspace.write(
            "main.tf",
            &format!("{}{}", cluster(""), token_to_file("ekb_cluster.main.id")),
        );
        let plan = workspace.plan().ok().assert_changes();
        let after = plan.change(ADDRESS).after;
        let id = account.id();
        assert_eq!(
            after["arn"],
            format!("arn:aws:eks:eu-central-1:{id}:cluster/test")
        );
        let role = |name: &str| Value::from(format!("arn:aws:iam::{id}:role/test-{name}"));
        assert_eq!(
            after["role_arns"],
            json!({
                "cluster": role("cluster"), "node": role("node"), "vpc-cni": role("vpc-cni"),
                "aws-ebs-csi-driver": role("ebs-csi"),
            })
        );
        workspace.apply_plan(&plan).ok();
        workspace.plan().ok().assert_empty();
        let state = workspace.resource(ADDRESS).unwrap_or_default();
        assert_eq!(state["status"], "complete");
        assert_eq!(state["drift"], Value::Array(Vec::new()));

        // Who made it comes in, by the token; who has no entry stays outside.
        let token = workspace.read("token.txt").unwrap();
        let kubernetes = account.cluster("test").with_token(token.lines().next().unwrap());
        let nodes = kubernetes.list("/api/v1/nodes");
        assert_eq!(nodes.len(), 2, "{nodes:#?}");
        let is_ready = |node: &Value| {
            let conditions = node["status"]["conditions"].as_array();
            conditions.is_some_and(|all| {
                all.iter()
                    .any(|one| one["type"] == "Ready" && one["status"] == "True")
            })
        };
        assert!(nodes.iter().all(is_ready), "{nodes:#?}");
        let class = kubernetes.get(CLASS).unwrap();
        assert_eq!(class["provisioner"], "ebs.csi.aws.com");
        let user = json!({"UserName": "stranger"});
        let iam = |operation: &str| account.call("iam", "us-east-1", operation, &user).unwrap();
        iam("CreateUser");
        let keys = serde_json::from_value(iam("CreateAccessKey")["AccessKey"].clone()).unwrap();
        let stranger = account.cluster_token("test", &keys);
        let refused = account
            .cluster("test")
            .with_token(&stranger)
            .request("GET", "/api/v1/nodes", None);
        assert_eq!(refused.map_err(|error| error.code), Err(401));
        let key = json!({"UserName": "stranger", "AccessKeyId": keys.access_key_id});
        account.call("iam", "us-east-1", "DeleteAccessKey", &key).unwrap();
        iam("DeleteUser");

        workspace.destroy().ok();
        account.assert_empty();
        account.assert_understood();
    });
}

#[test]
fn drift_in_the_cluster_is_seen_and_mended() {
    Workspace::with_clusters(Some(0), |workspace, account| {
        workspace.write("main.tf", &patient(""));
        workspace.apply().ok();
        let by_hand =
            json!({"metadata": {"annotations": {"storageclass.kubernetes.io/is-default-class": "false"}}});
        account.cluster("test").merge(CLASS, &by_hand).unwrap();
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
    });
}

/// A sample of the kinds of calls of all operations; what happens there goes round. Each kind of part for itself meets every call and
/// blow in `kinds`.
#[test]
fn mutating_calls_may_go_wrong() {
    let tally = sweep_every(&Scenario::cluster(), false, 7);
    tally.report("cluster, a sample of the kinds of calls");
    tally.assert_good();
}
