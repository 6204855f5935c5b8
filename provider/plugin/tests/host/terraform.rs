//! The real host, where it is installed: a Go client with go-plugin's own P-521 certificate.

use crate::{PROVIDER, pause, signal};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

/// A folder with a configuration and a CLI configuration that points to the test provider.
struct Workspace(tempfile::TempDir);

impl Workspace {
    /// `None` where there is no terraform.
    fn new(resources: &str) -> Option<Self> {
        let there = Command::new("terraform")
            .arg("version")
            .output()
            .is_ok_and(|output| output.status.success());
        if !there {
            println!("skipped: no terraform on this machine");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let provider =
            "terraform {\n  required_providers {\n    probe = { source = \"ekb/probe\" }\n  }\n}\n";
        std::fs::write(folder.path().join("main.tf"), format!("{provider}{resources}\n")).unwrap();
        std::fs::create_dir(folder.path().join("bin")).unwrap();
        std::os::unix::fs::symlink(PROVIDER, folder.path().join("bin/terraform-provider-probe")).unwrap();
        let bin = folder.path().join("bin");
        let rc = format!(
            "provider_installation {{\n  dev_overrides {{ \"ekb/probe\" = \"{}\" }}\n  direct {{}}\n}}\n",
            bin.display()
        );
        std::fs::write(folder.path().join("rc"), rc).unwrap();
        Some(Self(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new("terraform");
        command
            .args(arguments.split(' '))
            .current_dir(self.path())
            .env("TF_CLI_CONFIG_FILE", self.path().join("rc"))
            .env("TF_IN_AUTOMATION", "1")
            .env("CHECKPOINT_DISABLE", "1")
            .env("TMPDIR", self.path())
            .env_remove("TF_LOG");
        command
    }

    /// Both streams of a run, and whether it went well.
    #[track_caller]
    fn run(&self, arguments: &str, environment: &[(&str, &str)]) -> (bool, String) {
        let Output {
            status,
            stdout,
            stderr,
        } = self
            .command(arguments)
            .envs(environment.iter().copied())
            .output()
            .unwrap();
        (
            status.success(),
            String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr),
        )
    }
}

#[test]
fn terraform_applies_plans_nothing_and_destroys() {
    let resources =
        "resource \"probe_thing\" \"a\" { text = \"hello\" }\ndata \"probe_echo\" \"b\" { text = \"x\" }";
    let Some(workspace) = Workspace::new(resources) else {
        return;
    };
    let log = workspace.path().join("log");
    let (ok, text) = workspace.run(
        "apply -auto-approve -no-color",
        &[("TF_LOG", "DEBUG"), ("TF_LOG_PATH", log.to_str().unwrap())],
    );
    assert!(ok && text.contains("Resources: 1 added"), "{text}");
    let log = std::fs::read_to_string(log).unwrap();
    assert!(
        log.contains("[INFO]  provider.terraform-provider-probe: the schema was asked for"),
        "levels are lost"
    );
    assert!(log.contains("configuring client automatic mTLS") && !log.contains("failed to exit gracefully"));
    assert!(!log.contains("a client was refused"));
    for environment in [&[][..], &[("TF_DISABLE_PLUGIN_TLS", "1")][..]] {
        let (ok, text) = workspace.run("plan -no-color -detailed-exitcode", environment);
        assert!(ok && text.contains("No changes"), "{text}");
    }
    let (ok, text) = workspace.run("destroy -auto-approve -no-color", &[]);
    assert!(ok && text.contains("1 destroyed"), "{text}");
    let left: Vec<_> = std::fs::read_dir(workspace.path())
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
        .filter(|name| name.starts_with("plugin"))
        .collect();
    assert!(left.is_empty(), "sockets left behind: {left:?}");
}

#[test]
fn terraform_shows_a_panic_as_an_error_of_its_resource() {
    let Some(workspace) = Workspace::new("resource \"probe_panic\" \"a\" { text = \"hello\" }") else {
        return;
    };
    let (ok, text) = workspace.run("plan -no-color", &[]);
    assert!(
        !ok && text.contains("Error: Defect in the provider probe: PlanResourceChange panicked"),
        "{text}"
    );
    assert!(
        text.contains("with probe_panic.a") && text.contains("this resource always does"),
        "{text}"
    );
    assert!(!text.contains("plugin crashed"), "{text}");
}

/// Pitfall 3 as a user does it: Ctrl-C reaches terraform and the provider.
#[tokio::test]
async fn terraform_stops_the_provider_on_ctrl_c() {
    let Some(workspace) = Workspace::new("data \"probe_slow\" \"a\" { text = \"x\" }") else {
        return;
    };
    let log = workspace.path().join("log");
    let mut terraform = workspace
        .command("plan -no-color")
        .env("TF_LOG_PROVIDER", "INFO")
        .env("TF_LOG_PATH", &log)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap();
    while !std::fs::read_to_string(&log).is_ok_and(|log| log.contains("waiting for the stop")) {
        pause(Duration::from_millis(10)).await;
    }
    signal("INT", &format!("-{}", terraform.id()));
    crate::eventually("terraform ends", || terraform.try_wait().unwrap().is_some()).await;
    let log = std::fs::read_to_string(&log).unwrap();
    assert!(
        !log.contains("failed to exit gracefully") && !log.contains("Plugin did not respond"),
        "{log}"
    );
}
