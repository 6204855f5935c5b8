//! The rig itself: command lines and workspaces. No provider is needed.
#![allow(missing_docs, reason = "tests")]

use std::time::Duration;

use acceptance_tests::{Cli, Rig, Workspace, until};

const CONFIG: &str = r#"
resource "terraform_data" "thing" {
  input = var.input
}
variable "input" { default = "one" }
output "input" { value = terraform_data.thing.output }
"#;

#[test]
fn every_cli_plans_applies_shows_and_destroys() {
    let account = Rig::shared().account();
    for cli in Cli::all() {
        let workspace = Workspace::bare(&cli, &account);
        workspace.write("main.tf", CONFIG);
        workspace.validate().ok();

        let plan = workspace.plan().assert_changes();
        assert_eq!(plan.action("terraform_data.thing"), "create", "{}", cli.name);
        assert_eq!(
            plan.unknown(),
            ["terraform_data.thing.id", "terraform_data.thing.output"],
            "{}",
            cli.name
        );
        assert_eq!(
            workspace.apply_plan(&plan).ok().counts(),
            Some((1, 0, 0)),
            "{}",
            cli.name
        );
        workspace.plan().assert_empty();

        assert_eq!(workspace.outputs()["input"], "one");
        assert_eq!(
            workspace.resource("terraform_data.thing").expect("in the state")["input"],
            "one"
        );
        assert!(!workspace.is_tainted("terraform_data.thing"));
        workspace.taint("terraform_data.thing").ok();
        assert!(workspace.is_tainted("terraform_data.thing"), "{}", cli.name);
        assert_eq!(workspace.plan().action("terraform_data.thing"), "replace");
        workspace.untaint("terraform_data.thing").ok();
        workspace.plan().assert_empty();

        let changed = workspace.plan_with(&["-var=input=two"]).assert_changes();
        assert_eq!(changed.action("terraform_data.thing"), "update");
        assert_eq!(workspace.destroy().ok().counts(), Some((0, 0, 1)), "{}", cli.name);
    }
}

#[test]
fn arguments_streams_and_exit_codes_are_those_of_a_command_line() {
    let account = Rig::shared().account();
    for cli in Cli::all() {
        let workspace = Workspace::bare(&cli, &account).env("TF_VAR_word", "from the environment");
        workspace.write(
            "inner/main.tf",
            "variable \"word\" {}\noutput \"word\" { value = var.word }\n",
        );
        let run = workspace
            .run(&["-chdir=inner", "apply", "-auto-approve", "-no-color"])
            .ok();
        assert!(
            run.stdout.contains("from the environment") && run.stderr.is_empty(),
            "{}: {run}",
            cli.name
        );
        assert!(workspace.read("inner/terraform.tfstate").is_some());
        assert_eq!(
            workspace
                .run(&["-chdir=inner", "plan", "-detailed-exitcode", "-var=word=other"])
                .code,
            2,
            "{}",
            cli.name
        );
        let run = workspace.run(&["-chdir=absent", "plan"]);
        assert!(run.code == 1 && !run.stderr.is_empty(), "{}: {run}", cli.name);
        assert!(
            workspace.run(&["version"]).ok().stdout.contains(&cli.version),
            "{}",
            cli.name
        );
    }
}

#[test]
fn a_failing_command_gives_its_errors_and_warnings() {
    let account = Rig::shared().account();
    for cli in Cli::all() {
        let workspace = Workspace::bare(&cli, &account);
        workspace.write(
            "main.tf",
            "variable \"v\" { default = 1 }\ncheck \"c\" {\n  assert {\n    condition     = var.v == 2\n    error_message = \"look out\"\n  }\n}\n\
             resource \"terraform_data\" \"a\" {\n  lifecycle {\n    precondition {\n      condition     = var.v == 2\n      error_message = \"not like this\"\n    }\n  }\n}\n",
        );
        let run = workspace.plan().failed().says("not like this");
        assert_eq!(run.errors().len(), 1, "{run}");
        assert_eq!(run.errors()[0].summary, "Resource precondition failed");
        assert!(run.errors()[0].detail.contains("not like this"));
        assert_eq!(run.warnings().len(), 1, "{run}");
        assert!(run.warnings()[0].detail.contains("look out"));
    }
}

#[test]
fn an_interrupt_reaches_the_cli_as_ctrl_c_does() {
    let account = Rig::shared().account();
    for cli in Cli::all() {
        let workspace = Workspace::bare(&cli, &account);
        // The signal goes to the whole group: a command that it ends fails the apply before the command line says that it was
        // interrupted.
        workspace.write(
            "main.tf",
            "resource \"terraform_data\" \"slow\" {\n  provisioner \"local-exec\" {\n    command = \"trap '' INT; exec sleep 60\"\n  }\n}\n",
        );
        let mut running = workspace.start(&["apply", "-no-color", "-auto-approve"]);
        until("the provisioner", Duration::from_secs(20), || {
            running.so_far().contains("Executing")
        });
        running.interrupt();
        let run = running.wait(Duration::from_secs(20)).failed();
        assert!(run.output().contains("Interrupt received"), "{}: {run}", cli.name);
    }
}

#[test]
fn a_dropped_command_is_gone_with_its_children() {
    let account = Rig::shared().account();
    let workspace = Workspace::bare(&Cli::any(), &account);
    let mark = workspace.path().join("mark");
    workspace.write(
        "main.tf",
        "resource \"terraform_data\" \"slow\" {\n  provisioner \"local-exec\" {\n    command = \"echo $$ > mark; exec sleep 60\"\n  }\n}\n",
    );
    let running = workspace.start(&["apply", "-no-color", "-auto-approve"]);
    until("the provisioner", Duration::from_secs(20), || {
        std::fs::read_to_string(&mark).is_ok_and(|text| text.ends_with('\n'))
    });
    let process = std::fs::read_to_string(&mark).expect("written").trim().to_owned();
    assert!(std::path::Path::new("/proc").join(&process).exists());
    drop(running);
    until("the end of the grandchild", Duration::from_secs(5), || {
        let status = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        status.is_empty() || status.contains(") Z ")
    });
}
