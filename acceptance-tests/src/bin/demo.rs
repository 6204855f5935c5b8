//! `make demo`: an environment's network, planned, applied, planned again, damaged, mended and destroyed by a real command line on
//! the AWS emulator; then a network with a cluster, whose control plane is a real one, and whose nodes are listed. Ends with exit
//! code 1 where anything is not as it should be.
#![expect(clippy::print_stdout, reason = "a demonstration prints")]

use acceptance_tests::{Account, Cli, Rig, Run, Workspace};
use serde_json::json;

const NETWORK: &str = include_str!("../../../examples/complete/network/main.tf");
const CLUSTER: &str = include_str!("../../../examples/complete/cluster/main.tf");
/// How the output of a command begins, after warnings.
const WORK: [&str; 5] = [
    "ekb_network",
    "ekb_cluster",
    "Terraform used",
    "OpenTofu used",
    "No changes",
];

fn main() {
    let cli = acceptance_tests::Cli::any();
    network(&cli);
    cluster(&cli);
    println!("\nNothing is left: neither in AWS nor running here.");
}

/// A workspace with the example in it, which has a provider block of its own; the emulator's address comes by the environment.
fn workspace(cli: &Cli, account: &Account, rig: &Rig, example: &str) -> Workspace {
    let workspace = Workspace::new(cli, account).env("AWS_ENDPOINT_URL", rig.url());
    workspace.remove("provider.tf");
    workspace.remove("terraform.tf");
    workspace.write("main.tf", example);
    workspace
}

fn network(cli: &Cli) {
    let rig = Rig::start();
    let account = rig.account();
    println!(
        "{} {} on an AWS emulator ({}), whose time runs {} times as fast.",
        cli.name,
        cli.version,
        rig.url(),
        account.time_scale()
    );
    let workspace = workspace(cli, &account, &rig, NETWORK);

    heading("The configuration: examples/complete/network/main.tf");
    println!("{}", NETWORK.trim());

    heading("1. Plan: everything that will be made, before anything exists");
    let plan = workspace.plan();
    show(&plan.run, 2, &WORK);
    in_aws(&account);

    heading("2. Apply of that plan");
    show(&workspace.apply_plan(&plan), 0, &WORK);
    in_aws(&account);

    heading("3. Plan again: nothing to do");
    show(&workspace.plan_only(&[]), 0, &WORK);

    heading("4. Somebody deletes a route by hand: the plan says so");
    delete_a_route(&account);
    let plan = workspace.plan();
    show(&plan.run, 2, &WORK);

    heading("5. Apply mends it");
    show(&workspace.apply_plan(&plan), 0, &WORK);

    heading("6. Destroy (its plan is not shown again)");
    show(&workspace.destroy(), 0, &["ekb_network.main: Destroying"]);
    in_aws(&account);
    account.assert_empty();
}

fn cluster(cli: &Cli) {
    heading("7. A network with a cluster: examples/complete/cluster/main.tf");
    println!("{}", CLUSTER.trim());
    println!(
        "\nBehind the emulated cluster runs a real control plane: etcd, kube-apiserver, controller manager, scheduler, the \
         authenticator of EKS, and kwok, which plays the nodes. The first time they are built from source, about ten minutes on two \
         cores; end this with Ctrl-C if the network was enough, what is built stays.\n"
    );
    let rig = Rig::start_with_clusters();
    let account = rig.account();
    let workspace = workspace(cli, &account, &rig, CLUSTER);

    heading("8. Plan, and apply of that plan");
    let plan = workspace.plan();
    show(&plan.run, 2, &WORK);
    show(&workspace.apply_plan(&plan), 0, &WORK);
    in_aws(&account);

    heading("9. Its nodes, as the Kubernetes API tells them");
    let nodes = account.cluster("demo").list("/api/v1/nodes");
    assert!(nodes.len() == 3, "{nodes:#?}");
    for node in nodes {
        let conditions = node["status"]["conditions"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let ready = conditions
            .iter()
            .any(|one| one["type"] == "Ready" && one["status"] == "True");
        assert!(ready, "{node:#}");
        let label = |name: &str| {
            node["metadata"]["labels"][name]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        println!(
            "{:<48} Ready  {:<16} {:<12} {}",
            node["metadata"]["name"].as_str().unwrap_or_default(),
            label("topology.kubernetes.io/zone"),
            label("node.kubernetes.io/instance-type"),
            node["status"]["nodeInfo"]["kubeletVersion"]
                .as_str()
                .unwrap_or_default()
        );
    }

    heading("10. Plan again: nothing to do; then destroy (its plan is not shown again)");
    show(&workspace.plan_only(&[]), 0, &WORK);
    show(&workspace.destroy(), 0, &["ekb_cluster.main: Destroying"]);
    in_aws(&account);
    account.assert_empty();
}

fn heading(text: &str) {
    println!("\n=== {text}\n");
}

/// Prints what a command printed, and ends the demonstration where its exit code is not the expected one. Left out is what stands
/// before `from`: that the provider is from no registry; and how to apply the plan by hand.
fn show(run: &Run, code: i32, from: &[&str]) {
    assert!(run.code == code, "{run}");
    let start = from.iter().filter_map(|begin| run.stdout.find(begin)).min();
    let text = &run.stdout[start.unwrap_or(0)..];
    let text = text.split("\n\u{2500}\u{2500}").next().unwrap_or(text);
    println!("{}\n({:.1} s)", text.trim(), run.took.as_secs_f64());
}

fn in_aws(account: &Account) {
    let counts = account.counts();
    let all: Vec<String> = counts
        .iter()
        .map(|(kind, count)| format!("{count} × {kind}"))
        .collect();
    let all = if all.is_empty() {
        "nothing".to_owned()
    } else {
        all.join(", ")
    };
    println!("In AWS: {all}");
}

fn delete_a_route(account: &Account) {
    let tables = account.ec2("DescribeRouteTables", &json!({}));
    let by_nat = |table: &serde_json::Value| {
        let routes = table["Routes"].as_array().cloned().unwrap_or_default();
        routes.iter().any(|route| route["NatGatewayId"].is_string())
    };
    let tables = tables["RouteTables"].as_array().cloned().unwrap_or_default();
    let table = tables.iter().find(|table| by_nat(table));
    let id = &table.unwrap_or_else(|| panic!("no route to a NAT gateway in {tables:?}"))["RouteTableId"];
    account.ec2(
        "DeleteRoute",
        &json!({ "RouteTableId": id, "DestinationCidrBlock": "0.0.0.0/0" }),
    );
    println!("DeleteRoute 0.0.0.0/0 of {id}\n");
}
