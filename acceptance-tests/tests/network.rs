//! `ekb_network` through the real command lines, against the emulator: what users see, and what exists afterwards.

use acceptance_tests::{Account, Cli, Fault, Plan, Rig, Workspace};
use serde_json::Value;

const ADDRESS: &str = "ekb_network.main";

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
    Workspace::on_every_cli(|workspace, account| {
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
            (
                "one interface endpoint in one zone, and a further range",
                "interface_endpoints = [\"ecr.api\"]\ninterface_endpoint_zones = { \"ecr.api\" = [\"eu-central-1b\"] }\n\
                 secondary_cidrs = [\"100.64.0.0/16\"]",
            ),
            ("flow logs", "flow_logs = { destination = \"cloudwatch\" }"),
            (
                "flow logs kept longer",
                "flow_logs = { destination = \"cloudwatch\", retention_days = 30 }",
            ),
            (
                "further tiers",
                "private_tiers = { database = {}, vault = { slot = 1, nat_route = false } }",
            ),
            ("a tier less", "private_tiers = { vault = { slot = 1 } }"),
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
    Workspace::in_turn(0, |workspace, _| {
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
            "nat_public_ips[0]",
            "nat_public_ips_by_zone.eu-central-1a",
            "private_route_table_ids_by_zone.eu-central-1a",
            "private_subnet_ids[0]",
            "private_subnet_ids_by_zone.eu-central-1a",
            "public_subnet_ids[0]",
            "public_subnet_ids_by_zone.eu-central-1a",
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
    Workspace::in_turn(1, |workspace, account| {
        write(workspace, "cidr = \"10.20.0.0/16\"\nnat_gateways = \"none\"");
        workspace.apply().ok();
        // As if an older version had allowed it: what plan refuses today is in the state already.
        let state = workspace
            .read("terraform.tfstate")
            .unwrap()
            .replace("10.20.0.0/16", "127.20.0.0/16");
        workspace.write("terraform.tfstate", &state);
        write(workspace, "cidr = \"127.20.0.0/16\"\nnat_gateways = \"none\"");
        workspace.destroy().ok();
        account.assert_empty();
    });
}

/// The errors and warnings of a command, as users see them, for snapshots.
fn messages(workspace: &Workspace, run: &acceptance_tests::Run) -> String {
    let found = run.diagnostics();
    let text: Vec<String> = found
        .iter()
        .filter(|d| d.summary != "Provider development overrides are in effect")
        .map(|d| format!("{}: {}\n{}", d.severity, d.summary, d.detail))
        .collect();
    acceptance_tests::Normaliser::of(workspace).apply(&text.join("\n\n"))
}

#[test]
fn mistakes_are_refused_at_plan_before_anything_is_made() {
    Workspace::in_turn(2, |workspace, account| {
        let cases = [
            ("host bits", "cidr = \"10.20.0.1/16\""),
            ("too large", "cidr = \"10.0.0.0/12\""),
            ("too small", "cidr = \"10.20.0.0/26\""),
            ("reserved range", "cidr = \"127.0.0.0/16\""),
            (
                "no slot",
                "cidr = \"10.20.0.0/24\"\navailability_zones = [\"us-east-1e\"]\nregion = \"us-east-1\"",
            ),
            (
                "zone of another region",
                "cidr = \"10.20.0.0/16\"\navailability_zones = [\"eu-west-1a\"]",
            ),
            (
                "zone twice",
                "cidr = \"10.20.0.0/16\"\navailability_zones = [\"eu-central-1a\", \"eu-central-1a\"]",
            ),
            ("too many zones", "cidr = \"10.20.0.0/16\"\nzone_count = 6"),
            (
                "zone EKS cannot use",
                "cidr = \"10.20.0.0/16\"\navailability_zones = [\"us-east-1e\", \"us-east-1a\"]\nregion = \"us-east-1\"",
            ),
            (
                "overlap",
                "cidr = \"10.20.0.0/16\"\nsubnets = {\n \"eu-central-1a\" = { public = \"10.20.0.0/24\", private = \"10.20.0.0/20\" }\n}",
            ),
            (
                "outside",
                "cidr = \"10.20.0.0/16\"\nsubnets = {\n \"eu-central-1a\" = { public = \"10.20.0.0/24\", private = \"10.30.0.0/20\" }\n}",
            ),
            (
                "reserved tag",
                "cidr = \"10.20.0.0/16\"\ntags = { \"ekb:part\" = \"x\" }",
            ),
            (
                "many tags",
                "cidr = \"10.20.0.0/16\"\ntags = { for n in range(60) : \"tag-${n}\" => \"x\" }",
            ),
            ("NAT mode", "cidr = \"10.20.0.0/16\"\nnat_gateways = \"two\""),
            (
                "destination",
                "cidr = \"10.20.0.0/16\"\nflow_logs = { destination = \"kafka\" }",
            ),
            (
                "two ways",
                "cidr = \"10.20.0.0/16\"\nzone_count = 2\navailability_zones = [\"eu-central-1a\"]",
            ),
            (
                "no such address",
                "cidr = \"10.20.0.0/16\"\nnat_allocation_ids = {\n \"eu-central-1a\" = \"eipalloc-0123456789abcdef0\"\n}",
            ),
            (
                "no such bucket",
                "cidr = \"10.20.0.0/16\"\nflow_logs = {\n  destination = \"arn:aws:s3:::ab\"\n}",
            ),
            (
                "no such region",
                "cidr = \"10.20.0.0/16\"\nregion = \"eu-middle-1\"",
            ),
        ];
        let mut text = String::new();
        for (what, arguments) in cases {
            write(workspace, arguments);
            let refused = workspace.plan().failed();
            text.push_str(&format!("## {what}\n{}\n\n", messages(workspace, &refused)));
        }
        insta::assert_snapshot!(format!("refusals_{}", workspace.cli().name), text);
        assert_eq!(account.mutations().len(), 0, "nothing was made");
    });
}

#[test]
fn wrong_credentials_say_what_to_do() {
    Workspace::in_turn(0, |workspace, account| {
        write(workspace, "cidr = \"10.20.0.0/16\"");
        let mut text = String::new();
        let mut case = |what: &str, workspace: &Workspace| {
            let run = workspace.plan().failed();
            text.push_str(&format!("## {what}\n{}\n\n", messages(workspace, &run)));
        };
        let fresh = || Workspace::new(workspace.cli(), account);
        let config = network("cidr = \"10.20.0.0/16\"");
        let with = |workspace: Workspace| {
            workspace.write("main.tf", &config);
            workspace
        };
        case(
            "none",
            &with(
                fresh()
                    .without_env("AWS_ACCESS_KEY_ID")
                    .without_env("AWS_SECRET_ACCESS_KEY"),
            ),
        );
        account.fault(
            &acceptance_tests::Fault::error(
                "ExpiredToken",
                403,
                "The security token included in the request is expired",
            )
            .on("GetCallerIdentity")
            .always(),
        );
        case("expired", &with(fresh()));
        account.clear_faults();
        account.fault(
            &acceptance_tests::Fault::error(
                "InvalidClientTokenId",
                403,
                "The security token included in the request is invalid.",
            )
            .on("GetCallerIdentity")
            .always(),
        );
        case("invalid", &with(fresh()));
        account.clear_faults();
        case(
            "forbidden account",
            &with(fresh().provider_also(&format!("forbidden_account_ids = [\"{}\"]", account.id()))),
        );
        case(
            "not an allowed account",
            &with(fresh().provider_also("allowed_account_ids = [\"123456789012\"]")),
        );
        case(
            "no environment",
            &with(fresh().provider(&format!(
                "region = \"eu-central-1\"\nendpoints {{\n ec2 = \"{0}\"\n sts = \"{0}\"\n}}",
                account.url()
            ))),
        );
        insta::assert_snapshot!(format!("credentials_{}", workspace.cli().name), text);
    });
}

#[test]
fn nothing_is_called_in_validate_and_an_unknown_provider_configuration_is_survived() {
    Workspace::on_every_cli(|workspace, account| {
        write(workspace, "cidr = \"10.20.0.0/16\"");
        workspace.validate().ok();
        assert_eq!(account.log().len(), 0);

        let unknown = Workspace::new(workspace.cli(), account)
            .provider(&format!("environment = terraform_data.name.output\nregion = \"eu-central-1\"\nendpoints {{\n ec2 = \"{0}\"\n sts = \"{0}\"\n}}", account.url()));
        unknown.write(
            "main.tf",
            &format!(
                "resource \"terraform_data\" \"name\" {{\n input = \"later\"\n}}\n{}",
                network("cidr = \"10.20.0.0/16\"\nnat_gateways = \"none\"")
            ),
        );
        let plan = unknown.plan().ok();
        assert_eq!(plan.action(ADDRESS), "create");
        unknown.apply().ok();
        assert_eq!(unknown.resource(ADDRESS).unwrap()["environment"], "later");
        unknown.plan().ok().assert_empty();
        unknown.destroy().ok();
        account.assert_empty();
    });
}

#[test]
fn interrupted_in_a_wait_it_ends_at_once_keeps_its_state_and_goes_on() {
    Workspace::on_every_cli(|workspace, account| {
        // NAT gateways take 100 s of AWS time: 25 s here.
        account.set_time_scale(4.0);
        write(workspace, "cidr = \"10.20.0.0/16\"");
        let mut running = workspace.start(&["apply", "-no-color", "-auto-approve"]);
        acceptance_tests::until(
            "the NAT gateways are made",
            std::time::Duration::from_secs(60),
            || account.counts().get("nat_gateway").is_some_and(|n| *n == 3),
        );
        acceptance_tests::pause(std::time::Duration::from_millis(500));
        running.interrupt();
        let watch = acceptance_tests::Stopwatch::start();
        let run = running.wait(std::time::Duration::from_secs(60)).failed();
        let took = watch.elapsed();
        assert!(took < std::time::Duration::from_secs(2), "took {took:?}: {run}");
        let state = workspace.resource(ADDRESS).expect("the state is kept");
        assert_eq!(state["status"], "incomplete");
        let before: Vec<String> = account.objects().iter().map(|object| object.id.clone()).collect();

        // A second time, while the create that goes on waits for them.
        account.clear_log();
        let mut running = workspace.start(&["apply", "-no-color", "-auto-approve"]);
        acceptance_tests::until("the create waits", std::time::Duration::from_secs(60), || {
            let looks = account.log().into_iter();
            looks
                .filter(|call| call.operation == "DescribeNatGateways")
                .count()
                > 3
        });
        running.interrupt();
        let run = running.wait(std::time::Duration::from_secs(60)).failed();
        assert!(!format!("{run}").contains("EKB1303"), "{run}");
        account.set_time_scale(200.0);
        account.snapshot("twice");
        let twice = workspace.read("terraform.tfstate").expect("the state is kept");
        workspace.destroy().ok();
        account.assert_empty();

        account.restore("twice");
        workspace.write("terraform.tfstate", &twice);
        account.clear_log();
        let run = workspace.apply().ok();
        assert!(!format!("{run}").contains("EKB2021"), "{run}");
        let deleted: Vec<_> = account
            .mutations()
            .into_iter()
            .filter(|call| call.operation.starts_with("Delete"))
            .collect();
        assert!(
            deleted.is_empty(),
            "nothing that exists is destroyed: {deleted:?}"
        );
        let after: Vec<String> = account.objects().iter().map(|object| object.id.clone()).collect();
        assert!(
            before.iter().all(|id| after.contains(id)),
            "everything made before the interrupt is still there"
        );
        workspace.plan().ok().assert_empty();
        workspace.destroy().ok();
        account.assert_empty();
    });
}

#[test]
fn credentials_appear_nowhere() {
    Workspace::in_turn(1, |workspace, account| {
        let log = workspace.path().join("trace.log");
        let workspace = Workspace::new(workspace.cli(), account)
            .env("TF_LOG", "TRACE")
            .env("TF_LOG_PATH", &log)
            .provider_also(&format!(
                "access_key = \"{}\"\nsecret_key = \"{}\"\ntoken = \"tok-1f2e3d4c5b6a\"",
                account.access_key(),
                account.secret_key()
            ));
        write(&workspace, "cidr = \"10.20.0.0/16\"\nnat_gateways = \"none\"");
        let plan = workspace.plan().ok();
        let apply = workspace.apply_plan(&plan).ok();
        account.fault(&acceptance_tests::Fault::deny().on("DescribeSubnets").always());
        let denied = workspace.plan();
        account.clear_faults();
        let destroy = workspace.destroy().ok();
        let trace = std::fs::read_to_string(&log).unwrap();
        assert!(
            trace.contains("CreateVpc"),
            "the provider's own calls are in the log"
        );
        // Terraform itself logs the configuration of nobody's provider; what it prints of ours is checked too.
        let state = workspace.read("terraform.tfstate.backup").unwrap_or_default();
        for (what, text) in [
            ("log", trace),
            ("state", state),
            ("plan", plan.json()["planned_values"].to_string()),
            ("apply", format!("{apply}")),
            ("denied plan", format!("{}", denied.run)),
            ("destroy", format!("{destroy}")),
        ] {
            for secret in [account.secret_key(), "tok-1f2e3d4c5b6a"] {
                assert!(!text.contains(secret), "{what} holds {secret}");
            }
        }
    });
}

#[test]
fn what_was_changed_or_deleted_outside_shows_and_is_mended() {
    Workspace::in_turn(2, |workspace, account| {
        write(workspace, "cidr = \"10.20.0.0/16\"\nnat_gateways = \"single\"");
        workspace.apply().ok();
        let state = workspace.resource(ADDRESS).unwrap();
        let id = |key: &str| {
            state["ids"][key]
                .as_str()
                .unwrap_or_else(|| panic!("no {key}"))
                .to_owned()
        };

        let table = id("private_routes/eu-central-1a");
        account.ec2(
            "DeleteRoute",
            &serde_json::json!({ "RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0" }),
        );
        account.ec2("ModifySubnetAttribute", &serde_json::json!({ "SubnetId": id("public_subnet/eu-central-1b"), "MapPublicIpOnLaunch": { "Value": false } }));
        account.ec2("DeleteTags", &serde_json::json!({ "Resources": [id("private_subnet/eu-central-1c")], "Tags": [{ "Key": "karpenter.sh/discovery" }] }));
        account.ec2(
            "DeleteVpcEndpoints",
            &serde_json::json!({ "VpcEndpointIds": [id("s3_endpoint")] }),
        );
        // A foreign route and a foreign tag are none of our business.
        account.ec2("CreateRoute", &serde_json::json!({ "RouteTableId": id("public_routes"), "DestinationCidrBlock": "192.168.0.0/16", "GatewayId": id("internet_gateway") }));
        account.ec2("CreateTags", &serde_json::json!({ "Resources": [state["vpc_id"]], "Tags": [{ "Key": "theirs", "Value": "1" }] }));
        account.advance(600.0);

        let plan = workspace.plan().ok().assert_changes();
        assert_eq!(plan.action(ADDRESS), "update");
        let drift = plan.change(ADDRESS).before["drift"].clone();
        let text = strings(&drift).join("\n");
        for expected in [
            "private_routes/eu-central-1a: routes",
            "public_subnet/eu-central-1b: public_ips",
            "private_subnet/eu-central-1c: tags",
            "s3_endpoint",
        ] {
            assert!(text.contains(expected), "{expected} is not in:\n{text}");
        }
        assert!(!text.contains("192.168") && !text.contains("theirs"), "{text}");
        workspace.apply_plan(&plan).ok();
        workspace.plan().ok().assert_empty();
        let routes = account.ec2(
            "DescribeRouteTables",
            &serde_json::json!({ "RouteTableIds": [id("public_routes")] }),
        );
        assert!(
            routes.to_string().contains("192.168.0.0/16"),
            "the foreign route survived"
        );
        workspace.destroy().ok();
        account.assert_empty();
    });
}

#[test]
fn imported_by_name_and_by_the_id_of_its_vpc() {
    Workspace::on_every_cli(|workspace, account| {
        write(
            workspace,
            "cidr = \"10.20.0.0/16\"\nnat_gateways = \"single\"\ntags = { team = \"platform\" }",
        );
        workspace.apply().ok();
        let before = workspace.resource(ADDRESS).unwrap();
        for id in ["test/test", before["vpc_id"].as_str().unwrap()] {
            workspace.state_rm(ADDRESS).ok();
            // Without its state it is an error that says how to get it back, not a second network.
            let refused = workspace.apply().failed();
            assert!(format!("{refused}").contains("import"), "{refused}");
            // What could be looked at only in part gives no state: a plan would take the rest for gone.
            let looks = [
                ("DescribeSubnets", 1),
                ("DescribeVpcs", 2),
                ("DescribeSubnets", 2),
            ];
            // By its name there are fewer.
            let many = if id == "test/test" { 1 } else { looks.len() };
            for (operation, nth) in looks.into_iter().take(many) {
                account.fault(&Fault::deny().on(operation).nth(nth).always());
                let imported = workspace.import(ADDRESS, id).failed().to_string();
                account.clear_faults();
                assert!(imported.contains("import it again"), "{imported}");
                assert!(workspace.resource(ADDRESS).is_none(), "{operation} {nth}");
            }
            workspace.import(ADDRESS, id).ok();
            let after = workspace.resource(ADDRESS).unwrap();
            for name in [
                "vpc_id",
                "cidr",
                "ids",
                "objects",
                "availability_zones",
                "incarnation",
                "nat_public_ips",
                "tags",
            ] {
                assert_eq!(after[name], before[name], "{name} after import of {id}");
            }
            workspace.plan().ok().assert_empty();
        }
        workspace.destroy().ok();
        account.assert_empty();
    });
}

#[test]
fn the_data_source_and_the_function_agree_with_the_resource() {
    Workspace::in_turn(0, |workspace, account| {
        write(
            workspace,
            "cidr = \"10.20.0.0/16\"\nnat_gateways = \"none\"\nprivate_tiers = { database = { slot = 1 } }",
        );
        workspace.apply().ok();
        workspace.write("more.tf", "output \"tier\" { value = provider::ekb::subnets(\"10.20.0.0/16\", [\"eu-central-1a\", \"eu-central-1b\", \"eu-central-1c\"]).private_tiers[1] }\ndata \"ekb_network\" \"main\" {}\noutput \"found\" { value = data.ekb_network.main.vpc_id }\noutput \"computed\" { value = provider::ekb::subnets(\"10.20.0.0/16\", [\"eu-central-1a\", \"eu-central-1b\", \"eu-central-1c\"]).private }\n");
        workspace.apply().ok();
        let (outputs, state) = (workspace.outputs(), workspace.resource(ADDRESS).unwrap());
        assert_eq!(outputs["found"], state["vpc_id"]);
        assert_eq!(outputs["computed"], state["private_subnets"]);
        assert_eq!(outputs["tier"], state["private_tier_subnets"]["database"]);
        workspace.write(
            "more.tf",
            "data \"ekb_network\" \"other\" {\n name = \"other\"\n}\n",
        );
        let missing = workspace.plan().failed();
        assert!(format!("{missing}").contains("EKB2111"), "{missing}");
        workspace.remove("more.tf");
        workspace.destroy().ok();
        account.assert_empty();
    });
}

#[test]
fn what_others_have_in_a_network_is_said_before_anything_is_destroyed() {
    Workspace::in_turn(1, |workspace, account| {
        let arguments = "cidr = \"10.20.0.0/16\"\nnat_gateways = \"single\"\ninterface_endpoints = [\"sts\"]";
        write(workspace, arguments);
        workspace.apply().ok();
        let state = workspace.resource(ADDRESS).unwrap();
        let (vpc, ids) = (&state["vpc_id"], &state["ids"]);
        let made = |operation: &str, params: &serde_json::Value, path: &str| {
            account
                .ec2(operation, params)
                .pointer(path)
                .unwrap()
                .as_str()
                .unwrap()
                .to_owned()
        };

        // What may go by itself is waited for, for a while.
        let subnet = ids["private_subnet/eu-central-1b"].as_str().unwrap();
        let interface = account.foreign_interface(subnet, "lambda", "AWS Lambda VPC ENI-report-1234");
        let before = account.counts();
        let text = format!("{}", Workspace::destroy(workspace).failed());
        assert!(
            text.contains(&interface) && text.contains("Lambda") && text.contains("EKB1121"),
            "{text}"
        );
        assert_eq!(account.counts(), before, "nothing was torn down");
        // The same where only its zone goes.
        let less = format!("{arguments}\navailability_zones = [\"eu-central-1a\", \"eu-central-1c\"]");
        write(workspace, &less);
        let text = workspace.apply().failed().to_string();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            text.contains(&interface) && text.contains("nothing was changed"),
            "{text}"
        );
        assert_eq!(account.counts(), before, "nothing was torn down");
        write(workspace, arguments);
        account.remove_foreign_interface(&interface);

        let in_vpc = |more: serde_json::Value| {
            let mut params = serde_json::json!({ "VpcId": vpc });
            params
                .as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            params
        };
        let none = serde_json::json!({});
        let tags = serde_json::json!([{ "ResourceType": "security-group", "Tags": [{ "Key": "elbv2.k8s.aws/cluster", "Value": "staging" }] }]);
        let group = made(
            "CreateSecurityGroup",
            &in_vpc(
                serde_json::json!({ "GroupName": "k8s-traffic", "Description": "theirs", "TagSpecifications": tags }),
            ),
            "/GroupId",
        );
        let rule = serde_json::json!([{ "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "UserIdGroupPairs": [{ "GroupId": ids["endpoint_security_group"] }] }]);
        account.ec2(
            "AuthorizeSecurityGroupIngress",
            &serde_json::json!({ "GroupId": group, "IpPermissions": rule }),
        );
        let acl = made(
            "CreateNetworkAcl",
            &in_vpc(none.clone()),
            "/NetworkAcl/NetworkAclId",
        );
        let theirs = made(
            "CreateSubnet",
            &in_vpc(serde_json::json!({ "CidrBlock": "10.20.255.240/28" })),
            "/Subnet/SubnetId",
        );
        let table = made(
            "CreateRouteTable",
            &in_vpc(none.clone()),
            "/RouteTable/RouteTableId",
        );
        let egress = made(
            "CreateEgressOnlyInternetGateway",
            &in_vpc(none.clone()),
            "/EgressOnlyInternetGateway/EgressOnlyInternetGatewayId",
        );
        let endpoint = made(
            "CreateVpcEndpoint",
            &in_vpc(serde_json::json!({ "ServiceName": "com.amazonaws.eu-central-1.dynamodb" })),
            "/VpcEndpoint/VpcEndpointId",
        );
        let vpn = made(
            "CreateVpnGateway",
            &serde_json::json!({ "Type": "ipsec.1" }),
            "/VpnGateway/VpnGatewayId",
        );
        account.ec2(
            "AttachVpnGateway",
            &in_vpc(serde_json::json!({ "VpnGatewayId": vpn })),
        );
        let other = made(
            "CreateVpc",
            &serde_json::json!({ "CidrBlock": "10.99.0.0/16" }),
            "/Vpc/VpcId",
        );
        let peering = made(
            "CreateVpcPeeringConnection",
            &in_vpc(serde_json::json!({ "PeerVpcId": other })),
            "/VpcPeeringConnection/VpcPeeringConnectionId",
        );
        account.ec2(
            "AcceptVpcPeeringConnection",
            &serde_json::json!({ "VpcPeeringConnectionId": peering }),
        );

        let before = account.counts();
        // The command lines break lines anywhere.
        let text = Workspace::destroy(workspace).failed().to_string();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for id in [&group, &acl, &theirs, &table, &egress, &endpoint, &vpn, &peering] {
            assert!(text.contains(id.as_str()), "{id} is missing in {text}");
        }
        // Once in the list, once in the advice.
        assert_eq!(text.matches(peering.as_str()).count(), 2, "{text}");
        assert!(
            text.contains("Ingresses") && text.contains("nothing was deleted"),
            "{text}"
        );
        assert_eq!(account.counts(), before, "nothing was torn down");

        for (operation, params) in [
            (
                "DeleteVpcPeeringConnection",
                serde_json::json!({ "VpcPeeringConnectionId": peering }),
            ),
            ("DeleteVpc", serde_json::json!({ "VpcId": other })),
            (
                "DetachVpnGateway",
                in_vpc(serde_json::json!({ "VpnGatewayId": vpn })),
            ),
            ("DeleteVpnGateway", serde_json::json!({ "VpnGatewayId": vpn })),
            (
                "DeleteVpcEndpoints",
                serde_json::json!({ "VpcEndpointIds": [endpoint] }),
            ),
            (
                "DeleteEgressOnlyInternetGateway",
                serde_json::json!({ "EgressOnlyInternetGatewayId": egress }),
            ),
            ("DeleteRouteTable", serde_json::json!({ "RouteTableId": table })),
            ("DeleteSubnet", serde_json::json!({ "SubnetId": theirs })),
            ("DeleteNetworkAcl", serde_json::json!({ "NetworkAclId": acl })),
            ("DeleteSecurityGroup", serde_json::json!({ "GroupId": group })),
        ] {
            account.ec2(operation, &params);
        }
        workspace.destroy().ok();
        account.assert_empty();
    });
}

/// What a plan must not do by the way: another address, another gateway, endless refusals.
#[test]
fn nat_gateways_stay_and_zones_may_be_private_only() {
    let cli = Cli::any();
    let account = Rig::shared().account();
    let workspace = Workspace::new(&cli, &account);
    let zones = |zones: &str| {
        format!("cidr = \"10.20.0.0/16\"\nnat_gateways = \"single\"\navailability_zones = [{zones}]")
    };
    write(&workspace, &zones("\"eu-central-1b\""));
    workspace.apply().ok();
    let address = workspace.resource(ADDRESS).unwrap()["nat_public_ips"].clone();
    // Another zone comes before it in the alphabet: the gateway stays.
    write(&workspace, &zones("\"eu-central-1a\", \"eu-central-1b\""));
    workspace.apply().ok();
    let state = workspace.resource(ADDRESS).unwrap();
    assert_eq!(state["nat_public_ips"], address, "the address that others allow");
    assert_eq!(state["nat_zone"], "eu-central-1b");
    // By wish it moves, and an address of the user's own is taken and survives.
    let own = account.ec2("AllocateAddress", &serde_json::json!({ "Domain": "vpc" }));
    let (id, ip) = (own["AllocationId"].as_str().unwrap(), own["PublicIp"].clone());
    let moved = format!(
        "{}\nnat_zone = \"eu-central-1a\"\nnat_allocation_ids = {{ \"eu-central-1a\" = \"{id}\" }}",
        zones("\"eu-central-1a\", \"eu-central-1b\"")
    );
    write(&workspace, &moved);
    // As long as somebody else has the address, the plan says so; it is taken from there.
    let subnet = state["private_subnet_ids"][0].as_str().unwrap();
    let ec2 = |operation: &str, arguments: serde_json::Value| account.ec2(operation, &arguments);
    let made = ec2(
        "CreateNetworkInterface",
        serde_json::json!({ "SubnetId": subnet }),
    );
    let interface = made["NetworkInterface"]["NetworkInterfaceId"].as_str().unwrap();
    let use_of_it = ec2(
        "AssociateAddress",
        serde_json::json!({ "AllocationId": id, "NetworkInterfaceId": interface }),
    );
    workspace.plan().ok().run.says("EKB2128").says(interface);
    ec2(
        "DisassociateAddress",
        serde_json::json!({ "AssociationId": use_of_it["AssociationId"] }),
    );
    ec2(
        "DeleteNetworkInterface",
        serde_json::json!({ "NetworkInterfaceId": interface }),
    );
    let plan = workspace.plan().ok();
    assert!(!plan.run.output().contains("EKB2128"), "{}", plan.run.output());
    assert!(plan.run.stdout.contains("public address"), "{}", plan.run.stdout);
    workspace.apply().ok();
    workspace.plan().ok().assert_empty();
    assert_eq!(workspace.resource(ADDRESS).unwrap()["nat_public_ips"][0], ip);
    workspace.destroy().ok();
    let addresses = account.ec2("DescribeAddresses", &serde_json::json!({}));
    assert_eq!(
        addresses["Addresses"].as_array().unwrap().len(),
        1,
        "the user's own"
    );
    account.ec2("ReleaseAddress", &serde_json::json!({ "AllocationId": id }));

    // A zone without a public subnet goes out through another's gateway.
    write(
        &workspace,
        "cidr = \"10.20.0.0/16\"\nsubnets = {\n\"eu-central-1a\" = { public = \"10.20.1.0/24\", private = \"10.20.11.0/24\" }\n\
         \"eu-central-1b\" = { private = \"10.20.12.0/24\" }\n}",
    );
    workspace.apply().ok();
    workspace.plan().ok().assert_empty();
    let state = workspace.resource(ADDRESS).unwrap();
    assert_eq!(state["public_subnet_ids"].as_array().unwrap().len(), 1);
    assert_eq!(state["nat_public_ips"].as_array().unwrap().len(), 1);
    // Nothing public at all: nothing leads out. The endpoint lets go of the subnet that moves.
    let private = |range: &str| {
        format!(
            "cidr = \"10.20.0.0/16\"\ninterface_endpoints = [\"sts\"]\nsubnets = {{ \"eu-central-1a\" = {{ private = \"{range}\" }} }}"
        )
    };
    write(&workspace, &private("10.20.11.0/24"));
    workspace.apply().ok();
    workspace.plan().ok().assert_empty();
    assert!(
        !account.counts().contains_key("internet_gateway"),
        "{:?}",
        account.counts()
    );
    write(&workspace, &private("10.20.21.0/24"));
    workspace.apply().ok();
    workspace.plan().ok().assert_empty();
    workspace.destroy().ok();
    account.assert_empty();
}

#[test]
fn flow_logs_that_are_refused_leave_the_old_ones() {
    let cli = Cli::any();
    let account = Rig::shared().account();
    let workspace = Workspace::new(&cli, &account);
    let to = |destination: &str| {
        format!(
            "cidr = \"10.20.0.0/16\"\nzone_count = 1\nnat_gateways = \"none\"\nflow_logs = {{ destination = \"{destination}\" }}"
        )
    };
    // An earlier installation left a log group: the plan says so, and it is taken over on request.
    account
        .call(
            "logs",
            Account::REGION,
            "CreateLogGroup",
            &serde_json::json!({ "logGroupName": "/ekb/test/flow-logs" }),
        )
        .unwrap();
    write(&workspace, &to("cloudwatch"));
    let plan = workspace.plan().ok();
    assert!(plan.run.stdout.contains("EKB2033"), "{}", plan.run);
    let adopting = |arguments: String| write(&workspace, &format!("{arguments}\nadopt = true"));
    adopting(to("cloudwatch"));
    let plan = workspace.plan().ok();
    assert!(!plan.run.stdout.contains("EKB2033"), "{}", plan.run);
    workspace.apply().ok();
    workspace.plan().ok().assert_empty();
    // Drift that was seen is left alone from the plan on that says so.
    let retention = serde_json::json!({ "logGroupName": "/ekb/test/flow-logs", "retentionInDays": 90 });
    account
        .call("logs", Account::REGION, "PutRetentionPolicy", &retention)
        .unwrap();
    let vpc = workspace.resource(ADDRESS).unwrap()["vpc_id"].clone();
    let tag = serde_json::json!({ "VpcId": vpc, "EnableDnsHostnames": { "Value": false } });
    account.ec2("ModifyVpcAttribute", &tag);
    workspace.refresh().ok();
    workspace.plan().ok().assert_changes();
    adopting(format!(
        "{}\nignore_drift = [\"vpc: dns_hostnames\", \"flow_log_group: retention_days\"]",
        to("cloudwatch").replace("\"cloudwatch\" }", "\"cloudwatch\", retention_days = 90 }")
    ));
    workspace.apply().ok();
    workspace.plan().ok().assert_empty();
    let attribute = serde_json::json!({ "VpcId": vpc, "Attribute": "enableDnsHostnames" });
    assert_eq!(
        account.ec2("DescribeVpcAttribute", &attribute)["EnableDnsHostnames"]["Value"],
        false
    );
    adopting(to("cloudwatch"));
    workspace.apply().ok();
    let bucket = serde_json::json!({ "Bucket": "logs", "CreateBucketConfiguration": { "LocationConstraint": Account::REGION } });
    account
        .call("s3", Account::REGION, "CreateBucket", &bucket)
        .unwrap();
    account.fault(&Fault::deny().on("CreateFlowLogs"));
    write(&workspace, &to("arn:aws:s3:::logs"));
    workspace.apply().failed();
    let counts = account.counts();
    assert_eq!(
        (counts["flow_log"], counts["log_group"]),
        (1, 1),
        "the old one still writes: {counts:?}"
    );
    account.clear_faults();
    workspace.apply().ok();
    workspace.plan().ok().assert_empty();
    // A destroy that ends half way says so in the state.
    account.fault(&Fault::deny().on("DeleteVpc"));
    let _refused = workspace.destroy().failed();
    assert_eq!(workspace.resource(ADDRESS).unwrap()["status"], "destroying");
    account.clear_faults();
    workspace.destroy().ok();
    account.assert_empty();
}
