//! `terraform query` and generated configurations for `ekb_network`: what exists is found, and can be taken over.
#![expect(
    clippy::expect_used,
    reason = "helpers of tests fail by panicking, as the tests do"
)]

use acceptance_tests::{Account, Cli, Fault, Rig, Workspace};

const ADDRESS: &str = "ekb_network.main";

fn network(arguments: &str) -> String {
    format!("resource \"ekb_network\" \"main\" {{\n{arguments}\n}}\n")
}

fn list(arguments: &str) -> String {
    format!("list \"ekb_network\" \"all\" {{\n  provider = ekb\n{arguments}\n}}\n")
}

/// A command line that has `query`.
fn workspace() -> (Workspace, Account) {
    let cli = Cli::named("terraform-1.15").expect("only Terraform 1.14 and newer has query");
    let account = Rig::shared().account();
    (Workspace::new(&cli, &account), account)
}

fn query(workspace: &Workspace, arguments: &str) -> String {
    workspace.write("all.tfquery.hcl", &list(arguments));
    workspace.run(&["query", "-no-color"]).ok().stdout
}

/// A network of this name in the account, and no state of it.
fn leave(workspace: &Workspace, name: &str, arguments: &str, interrupted_at: Option<usize>) {
    workspace.write("main.tf", &network(&format!("name = \"{name}\"\n{arguments}")));
    match interrupted_at {
        Some(call) => {
            workspace
                .account()
                .fault(&Fault::kill_before().mutating().nth(call));
            workspace.apply().failed();
            workspace.account().clear_faults();
        }
        None => {
            workspace.apply().ok();
        }
    }
    workspace.remove("terraform.tfstate");
    workspace.remove("main.tf");
}

const SMALL: &str = "cidr = \"10.20.0.0/16\"\nzone_count = 1\nnat_gateways = \"none\"";

#[test]
fn query_lists_what_exists_and_what_an_interrupted_run_left() {
    let (w, _account) = workspace();
    leave(&w, "whole", SMALL, None);
    leave(&w, "half", SMALL, Some(4));
    let text = query(&w, "");
    assert!(text.contains("name=whole,region=eu-central-1"), "{text}");
    assert!(text.contains("name=half,region=eu-central-1"), "{text}");
    assert!(
        text.contains(" half vpc-") && text.contains(" incomplete"),
        "{text}"
    );
    assert!(
        text.contains("EKB2024") && text.contains("Import it as test/half"),
        "{text}"
    );

    let text = query(&w, "config {\n  status = \"complete\"\n}");
    assert!(text.contains("whole") && !text.contains("half"), "{text}");
    let text = query(&w, "limit = 1");
    assert!(
        text.contains("half") && !text.contains("whole"),
        "sorted by name: {text}"
    );
    let text = query(&w, "config {\n  region = \"eu-west-1\"\n}");
    assert!(
        !text.contains("half") && !text.contains("whole"),
        "another region: {text}"
    );
    w.write("all.tfquery.hcl", &list("config {\n  region = \"nowhere\"\n}"));
    let refused = w.run(&["query", "-no-color"]).failed();
    assert!(format!("{refused}").contains("nowhere"), "{refused}");
}

#[test]
fn what_an_interrupted_run_left_is_imported_from_the_query_and_completed() {
    let (w, account) = workspace();
    leave(&w, "half", SMALL, Some(8));
    w.write("all.tfquery.hcl", &list("config {\n  status = \"incomplete\"\n}"));
    w.run(&["query", "-no-color", "-generate-config-out=found.tf"])
        .ok();
    w.remove("all.tfquery.hcl");
    let found = w.read("found.tf").expect("a configuration was generated");
    let applied = w.apply().ok();
    assert!(applied.stdout.contains("1 imported"), "{found}\n{applied}");
    w.plan().assert_empty();
    w.destroy().ok();
    account.assert_empty();
}

/// The arguments of a network that differs from the defaults in everything.
const RICH: &str = r#"
cidr                = "10.20.0.0/16"
nat_gateways        = "single"
cluster_name        = "blue"
s3_endpoint         = false
interface_endpoints = ["ecr.api", "ecr.dkr"]
flow_logs           = { destination = "cloudwatch", retention_days = 30 }
tags                = { team = "platform" }
subnets = {
  eu-central-1a = { public = "10.20.1.0/24", private = "10.20.16.0/20" }
  eu-central-1b = { public = "10.20.2.0/24", private = "10.20.32.0/20" }
}
"#;

/// Terraform 1.14 and newer asks the provider; the others derive the configuration from the state and keep arguments
/// that exclude each other: there the explicit subnets are left out.
#[test]
fn a_generated_configuration_is_valid_and_plans_no_change() {
    for cli in Cli::all() {
        let account = Rig::shared().account();
        let w = Workspace::new(&cli, &account);
        let asks_the_provider = cli.name == "terraform-1.15";
        let arguments = match RICH.split_once("subnets = ") {
            Some((before, _)) if !asks_the_provider => before,
            _ => RICH,
        };
        leave(&w, "rich", arguments, None);
        w.write(
            "main.tf",
            &format!("import {{\n  to = {ADDRESS}\n  id = \"test/rich\"\n}}\n"),
        );
        let plan = w.plan_only(&["-generate-config-out=generated.tf"]);
        let generated = w.read("generated.tf").unwrap_or_default();
        assert!(
            plan.stdout
                .contains("1 to import, 0 to add, 0 to change, 0 to destroy"),
            "{}\n{generated}\n{plan}",
            cli.name
        );
        w.validate().ok();
        let applied = w.apply().ok();
        assert!(
            applied
                .stdout
                .contains("1 imported, 0 added, 0 changed, 0 destroyed"),
            "{applied}"
        );
        w.plan().assert_empty();
    }
}
