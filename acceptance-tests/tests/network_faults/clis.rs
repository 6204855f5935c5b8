//! A few of it through each real command line.

use acceptance_tests::{Account, Cli, Fault, Rig, Workspace};

const ADDRESS: &str = "ekb_network.main";
const NETWORK: &str = "resource \"ekb_network\" \"main\" {\n cidr = \"10.20.0.0/16\"\n zone_count = 1\n nat_gateways = \"none\"\n}\n";

/// Runs the test on every command line at once, each with an account of its own.
fn on_every_cli(test: impl Fn(&Workspace, &Account) + Sync) {
    std::thread::scope(|scope| {
        for cli in Cli::all() {
            let test = &test;
            scope.spawn(move || {
                let account = Rig::shared().account();
                let workspace = Workspace::new(&cli, &account);
                workspace.write("main.tf", NETWORK);
                test(&workspace, &account);
            });
        }
    });
}

fn ids(account: &Account) -> Vec<String> {
    account.objects().into_iter().map(|object| object.id).collect()
}

#[test]
fn killed_in_create_update_and_destroy() {
    on_every_cli(|workspace, account| {
        for (fault, call) in [(Fault::kill_before(), 6), (Fault::kill_after(), 1)] {
            account.fault(&fault.mutating().nth(call));
            workspace.apply().failed();
            account.clear_faults();
        }
        let before = ids(account);
        workspace.apply().ok();
        let after = ids(account);
        assert!(
            before.iter().all(|id| after.contains(id)),
            "nothing that existed was destroyed"
        );
        workspace.plan().assert_empty();
        let counts = account.counts();

        workspace.write("main.tf", &NETWORK.replace("zone_count = 1", "zone_count = 2"));
        account.fault(&Fault::kill_after().mutating().nth(2));
        workspace.apply().failed();
        account.clear_faults();
        workspace.apply().ok();
        workspace.plan().assert_empty();
        assert_eq!(account.counts()["subnet"], 2 * counts["subnet"]);

        account.fault(&Fault::kill_after().mutating().nth(3));
        workspace.destroy().failed();
        account.clear_faults();
        workspace.destroy().ok();
        account.assert_empty();
    });
}

#[test]
fn killed_behind_the_very_last_call_of_create() {
    on_every_cli(|workspace, account| {
        account.snapshot("nothing");
        workspace.apply().ok();
        let calls = account.mutations().len();
        workspace.remove("terraform.tfstate");
        account.restore("nothing");
        account.fault(&Fault::kill_after().mutating().nth(calls));
        workspace.apply().failed();
        account.clear_faults();
        let refused = workspace.apply().failed();
        assert!(
            format!("{refused}").contains("import ADDRESS test/test"),
            "{refused}"
        );
        workspace.import(ADDRESS, "test/test").ok();
        workspace.apply().ok();
        workspace.plan().assert_empty();
        workspace.destroy().ok();
        account.assert_empty();
    });
}

#[test]
fn a_failed_create_is_continued_untainted_or_destroyed() {
    on_every_cli(|workspace, account| {
        account.fault(&Fault::deny().on("AttachInternetGateway").always());
        let failed = workspace.apply().failed();
        assert!(format!("{failed}").contains("untaint"), "{failed}");
        // Again, as where a quota is used up: the state now is that of another create than the one that began it.
        let failed = format!("{}", workspace.apply().failed());
        assert!(!failed.contains("belongs to another"), "{failed}");
        account.clear_faults();
        assert!(workspace.is_tainted(ADDRESS));
        account.snapshot("failed");
        let (state, before) = (workspace.read("terraform.tfstate").unwrap(), ids(account));
        let again = |main: &str| {
            account.restore("failed");
            workspace.write("terraform.tfstate", &state);
            workspace.write("main.tf", main);
        };
        let cbd = NETWORK.replace(
            "cidr =",
            "lifecycle {\n create_before_destroy = true\n }\n cidr =",
        );
        for main in [NETWORK, &cbd] {
            again(main);
            let plan = workspace.plan().ok();
            assert!(["replace", "create-before-destroy"].contains(&plan.action(ADDRESS).as_str()));
            assert!(plan.run.stdout.contains("is continued"), "{}", plan.run.stdout);
            workspace.apply_plan(&plan).ok();
            let after = ids(account);
            assert!(
                before.iter().all(|id| after.contains(id)),
                "destroyed what existed"
            );
            workspace.plan().assert_empty();
        }
        again(&NETWORK.replace("cidr =", "lifecycle {\n prevent_destroy = true\n }\n cidr ="));
        workspace.plan().failed();
        workspace.untaint(ADDRESS).ok();
        assert_eq!(workspace.plan().ok().action(ADDRESS), "update");
        workspace.apply().ok();
        workspace.plan().assert_empty();
        again(NETWORK);
        workspace.destroy().ok();
        account.assert_empty();
    });
}

#[test]
fn one_name_twice_and_an_address_renamed_with_moved() {
    on_every_cli(|workspace, account| {
        workspace.apply().ok();
        let before = ids(account);
        let renamed = NETWORK.replace("\"main\"", "\"other\"");
        workspace.write("main.tf", &format!("{NETWORK}{renamed}"));
        let twice = workspace.plan().failed();
        assert!(format!("{twice}").contains("moved"), "{twice}");
        assert_eq!(ids(account), before);
        workspace.write(
            "main.tf",
            &format!("moved {{\n from = ekb_network.main\n to = ekb_network.other\n}}\n{renamed}"),
        );
        workspace.apply().ok();
        workspace.plan().assert_empty();
        assert_eq!(ids(account), before);
    });
}

#[test]
fn an_address_renamed_without_moved_asks_for_it() {
    on_every_cli(|workspace, account| {
        workspace.apply().ok();
        let before = ids(account);
        workspace.write("main.tf", &NETWORK.replace("\"main\"", "\"other\""));
        let refused = workspace.plan().failed();
        assert!(format!("{refused}").contains("moved"), "{refused}");
        assert_eq!(ids(account), before);
    });
}

#[test]
fn plans_in_json_are_equal() {
    on_every_cli(|workspace, _| {
        let plan = || {
            let mut json = workspace.plan().ok().json().clone();
            json.as_object_mut().unwrap().remove("timestamp");
            json.to_string()
        };
        let first = plan();
        for _ in 1..5 {
            assert_eq!(plan(), first);
        }
    });
}

#[test]
fn an_argument_that_is_one_field_of_aws_shows_as_such_and_can_be_ignored() {
    on_every_cli(|workspace, account| {
        let config = |lifecycle: &str| {
            let logs = " flow_logs = { destination = \"cloudwatch\", retention_days = 14 }\n";
            workspace.write(
                "main.tf",
                &NETWORK.replace("}\n", &format!("{logs}{lifecycle}}}\n")),
            );
        };
        let days = |days: i64| {
            let params =
                serde_json::json!({ "logGroupName": "/ekb/test/flow-logs", "retentionInDays": days });
            account
                .call("logs", Account::REGION, "PutRetentionPolicy", &params)
                .unwrap();
        };
        let is_days = |days: i64| {
            let found = account
                .call(
                    "logs",
                    Account::REGION,
                    "DescribeLogGroups",
                    &serde_json::json!({}),
                )
                .unwrap();
            assert_eq!(found["logGroups"][0]["retentionInDays"], days);
        };
        config("");
        workspace.apply().ok();
        days(90);
        let plan = workspace.plan();
        let change = plan.change(ADDRESS);
        assert_eq!(change.before["flow_logs"]["retention_days"], 90, "{plan:?}");
        assert_eq!(change.after["flow_logs"]["retention_days"], 14, "{plan:?}");
        config(" lifecycle {\n  ignore_changes = [flow_logs.retention_days]\n }\n");
        workspace.plan().assert_empty();
        config(" tags = { a = \"1\" }\n lifecycle {\n  ignore_changes = [flow_logs.retention_days]\n }\n");
        workspace.apply().ok();
        is_days(90);
        config(" tags = { a = \"1\" }\n");
        workspace.apply().ok();
        is_days(14);
        workspace.plan().assert_empty();
        workspace.destroy().ok();
        account.assert_empty();
    });
}

#[test]
fn it_is_imported_by_identity() {
    on_every_cli(|workspace, account| {
        // Terraform knows it since 1.12; OpenTofu does not yet.
        if workspace.cli().name != "terraform-1.15" {
            return;
        }
        let named = NETWORK.replace("zone_count = 1", "availability_zones = [\"eu-central-1a\"]");
        workspace.write("main.tf", &named);
        workspace.apply().ok();
        workspace.remove("terraform.tfstate");
        let before = ids(account);
        let block = "import {\n  to = ekb_network.main\n  identity = { environment = \"test\", name = \"test\" }\n}\n";
        workspace.write("import.tf", block);
        let plan = workspace.plan();
        assert_eq!(plan.action(ADDRESS), "no-op", "{}", plan.run.stdout);
        workspace.apply().ok();
        workspace.remove("import.tf");
        workspace.plan().assert_empty();
        assert_eq!(ids(account), before);
        workspace.destroy().ok();
        account.assert_empty();
    });
}

#[test]
fn a_read_only_attribute_is_no_argument() {
    on_every_cli(|workspace, _| {
        workspace.write("main.tf", &NETWORK.replace("}\n", " id = \"x\"\n}\n"));
        let refused = workspace.validate().failed();
        assert!(format!("{refused}").contains("F314"), "{refused}");
    });
}
