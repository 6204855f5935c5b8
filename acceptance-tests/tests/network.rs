//! `ekb_network` through the real command lines, against the emulator: what users see, and what exists afterwards.

use acceptance_tests::{Account, Cli, Plan, Rig, Workspace};
use serde_json::Value;

const ADDRESS: &str = "ekb_network.main";

/// Runs the test on every command line that is there, each with an account of its own.
fn on_every_cli(test: impl Fn(&Workspace, &Account)) {
    for cli in Cli::all() {
        eprintln!("-- {} {}", cli.name, cli.version);
        let account = Rig::shared().account();
        let workspace = Workspace::new(&cli, &account);
        test(&workspace, &account);
    }
}

fn network(arguments: &str) -> String {
    format!("resource \"ekb_network\" \"main\" {{\n{arguments}\n}}\n")
}

fn write(workspace: &Workspace, arguments: &str) {
    workspace.write("main.tf", &network(arguments));
}

/// The last part of the paths that the plan does not know, without the address.
fn unknown(plan: &Plan) -> Vec<String> {
    plan.unknown()
        .iter()
        .map(|path| {
            path.trim_start_matches(ADDRESS)
                .trim_start_matches('.')
                .to_owned()
        })
        .collect()
}

fn strings(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

#[test]
fn create_update_of_each_argument_and_destroy() {
    on_every_cli(|workspace, account| {
        let cidr = "cidr = \"10.20.0.0/16\"\n";
        write(workspace, cidr);
        let plan = workspace.plan().ok().assert_changes();
        assert_eq!(plan.action(ADDRESS), "create");
        workspace.apply_plan(&plan).ok();
        workspace.plan().ok().assert_empty();
        let state = workspace.resource(ADDRESS).unwrap();
        assert_eq!(state["status"], "complete");
        assert_eq!(state["public_subnet_ids"].as_array().unwrap().len(), 3);
        assert_eq!(state["nat_public_ips"].as_array().unwrap().len(), 3);
        let vpc = account.ec2(
            "DescribeVpcs",
            &serde_json::json!({ "VpcIds": [state["vpc_id"]] }),
        );
        assert_eq!(vpc["Vpcs"][0]["CidrBlock"], "10.20.0.0/16");

        for (what, arguments) in [
            ("single NAT gateway", "nat_gateways = \"single\""),
            ("no NAT gateway", "nat_gateways = \"none\""),
            ("a NAT gateway per zone", ""),
            ("tags", "tags = { team = \"platform\", cost = \"42\" }"),
            ("fewer tags", "tags = { team = \"core\" }"),
            ("two zones", "zone_count = 2"),
            ("three zones", "zone_count = 3"),
            ("no S3 endpoint", "s3_endpoint = false"),
            (
                "interface endpoints",
                "interface_endpoints = [\"ecr.api\", \"ecr.dkr\"]",
            ),
            ("one interface endpoint", "interface_endpoints = [\"ecr.api\"]"),
            ("flow logs", "flow_logs = { destination = \"cloudwatch\" }"),
            (
                "flow logs kept longer",
                "flow_logs = { destination = \"cloudwatch\", retention_days = 30 }",
            ),
            ("another cluster", "cluster_name = \"other\""),
            ("time-outs", "timeouts {\n create = \"1h\"\n}"),
            ("as at first", ""),
        ] {
            eprintln!("   {what}");
            write(workspace, &format!("{cidr}{arguments}"));
            let plan = workspace.plan().ok();
            assert!(
                ["update", "no-op"].contains(&plan.action(ADDRESS).as_str()),
                "{what}: {}",
                plan.run.stdout
            );
            workspace.apply_plan(&plan).ok();
            workspace.plan().ok().assert_empty();
        }
        assert_eq!(
            workspace.resource(ADDRESS).unwrap()["vpc_id"],
            state["vpc_id"],
            "the VPC stayed"
        );

        workspace.destroy().ok();
        account.assert_empty();
        account.assert_understood();
    });
}

#[test]
fn only_what_aws_invents_is_unknown_at_the_first_plan() {
    on_every_cli(|workspace, _| {
        write(workspace, "cidr = \"10.20.0.0/16\"\nzone_count = 1");
        let plan = workspace.plan().ok();
        let mut expected = vec![
            "arn",
            "default_security_group_id",
            "id",
            "ids.default_security_group",
            "ids.internet_gateway",
            "ids.nat_address/eu-central-1a",
            "ids.nat_gateway/eu-central-1a",
            "ids.private_routes/eu-central-1a",
            "ids.private_subnet/eu-central-1a",
            "ids.public_routes",
            "ids.public_subnet/eu-central-1a",
            "ids.s3_endpoint",
            "ids.vpc",
            "incarnation",
            "nat_public_ips",
            "private_subnet_ids",
            "public_subnet_ids",
            "vpc_id",
        ];
        expected.sort_unstable();
        let mut found = unknown(&plan);
        found.sort();
        assert_eq!(found, expected);
        let after = plan.change(ADDRESS).after;
        assert_eq!(after["private_subnets"]["eu-central-1a"], "10.20.0.0/19");
        assert_eq!(strings(&after["availability_zones"]), ["eu-central-1a"]);
        let subnet: Value =
            serde_json::from_str(after["objects"]["private_subnet/eu-central-1a"].as_str().unwrap()).unwrap();
        assert_eq!(subnet["vpc"], "vpc");
        assert_eq!(subnet["tags"]["karpenter.sh/discovery"], "test");
    });
}

#[test]
fn a_destroy_is_not_blocked_by_a_refusal() {
    on_every_cli(|workspace, account| {
        write(workspace, "cidr = \"10.20.0.0/16\"\nnat_gateways = \"none\"");
        workspace.apply().ok();
        write(workspace, "cidr = \"10.20.0.0/29\"\nnat_gateways = \"none\"");
        let refused = workspace.plan().failed();
        assert!(format!("{refused}").contains("EKB2102"), "{}", refused.output());
        workspace.destroy().ok();
        account.assert_empty();
    });
}
