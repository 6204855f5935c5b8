//! A folder with a configuration of the exercise provider, and the command line that works on it.

#![allow(dead_code, reason = "not every test program uses all")]

use std::path::Path;
use std::process::Command;

use acceptance_tests::Cli;
use serde_json::Value as Json;

/// A folder with a configuration, and the provider's folder of items.
pub struct Workspace {
    pub cli: Cli,
    pub folder: tempfile::TempDir,
}

/// What a command printed, both streams, without colours.
pub struct Output {
    pub ok: bool,
    pub text: String,
}

pub const PREAMBLE: &str = r#"
terraform {
  required_providers {
    exercise = { source = "ekb/exercise" }
  }
}
provider "exercise" {
  directory = "./items"
}
"#;

impl Workspace {
    pub fn new(cli: &Cli, configuration: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("items")).unwrap();
        let binary = Path::new(env!("CARGO_BIN_EXE_terraform-provider-exercise"));
        let overrides = format!(
            "provider_installation {{\n  dev_overrides {{ \"ekb/exercise\" = \"{}\" }}\n  direct {{}}\n}}\n",
            binary.parent().unwrap().display()
        );
        std::fs::write(folder.path().join("cli.rc"), overrides).unwrap();
        let workspace = Self {
            cli: cli.clone(),
            folder,
        };
        workspace.write("preamble.tf", PREAMBLE);
        workspace.write("main.tf", configuration);
        workspace
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        let output = Command::new(&self.cli.program)
            .args(arguments)
            .current_dir(self.folder.path())
            .env("TF_CLI_CONFIG_FILE", self.folder.path().join("cli.rc"))
            .env("CHECKPOINT_DISABLE", "1")
            .env("TF_IN_AUTOMATION", "1")
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        let text = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        Output {
            ok: output.status.success(),
            text,
        }
    }

    /// A command that must succeed.
    pub fn must(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.ok, "{} {arguments:?}:\n{}", self.cli.name, output.text);
        assert!(!output.text.contains("Defect of the provider"), "{}", output.text);
        output.text
    }

    /// A command that must fail; its text, wrapped lines joined.
    pub fn must_fail(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(
            !output.ok,
            "{} {arguments:?} succeeded:\n{}",
            self.cli.name, output.text
        );
        joined(&output.text)
    }

    pub fn apply(&self) -> String {
        self.must(&["apply", "-auto-approve", "-no-color"])
    }

    /// The plan is empty.
    pub fn settled(&self) {
        let text = self.must(&["plan", "-no-color", "-detailed-exitcode"]);
        assert!(text.contains("No changes."), "{text}");
    }

    pub fn show(&self) -> Json {
        let text = self.must(&["show", "-json"]);
        serde_json::from_str(text.lines().find(|line| line.starts_with('{')).unwrap()).unwrap()
    }

    pub fn values(&self, address: &str) -> Json {
        let all = self.show();
        let resources = all["values"]["root_module"]["resources"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        resources
            .into_iter()
            .find(|r| r["address"] == address)
            .map(|r| r["values"].clone())
            .unwrap_or_default()
    }

    /// Whether the command line asks the provider for configurations; others derive them from states.
    pub fn generates(&self) -> bool {
        !self.cli.is_tofu() && self.at_least(14)
    }

    /// Version as (major, minor).
    pub fn at_least(&self, minor: u32) -> bool {
        self.cli
            .version
            .split('.')
            .nth(1)
            .and_then(|m| m.parse::<u32>().ok())
            .is_some_and(|m| m >= minor)
    }
}

pub fn joined(text: &str) -> String {
    text.replace(['│', '╷', '╵'], " ")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

pub fn everywhere(test: impl Fn(&Cli)) {
    for cli in Cli::all() {
        test(&cli);
    }
}
