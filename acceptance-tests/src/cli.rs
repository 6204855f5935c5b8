//! The Terraform and OpenTofu command lines that are there.

use std::path::PathBuf;
use std::process::Command;

use crate::tools;

/// A command line that the provider is tested with.
#[derive(Debug, Clone)]
pub struct Cli {
    /// `terraform-1.11`, `terraform-1.15` or `tofu`.
    pub name: String,
    /// The program.
    pub program: PathBuf,
    /// For example `1.15.5`.
    pub version: String,
}

impl Cli {
    /// Every command line that is there: `terraform` from PATH (1.11.4 on the machines we know), Terraform 1.15.5, OpenTofu
    /// 1.12.6. `EKB_CLIS=tofu,terraform-1.15` picks some.
    ///
    /// # Panics
    /// When `EKB_CLIS` names one that is not there, or a tool cannot be made.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let chosen = std::env::var("EKB_CLIS").ok();
        let wanted = |name: &str| {
            chosen
                .as_ref()
                .is_none_or(|list| list.split(',').any(|one| one.trim() == name))
        };
        let mut all = Vec::new();
        if let Some(found) = Self::on_path().filter(|found| wanted(&found.name)) {
            all.push(found);
        }
        for (name, version) in [("terraform-1.15", "1.15.5"), ("tofu", "1.12.6")] {
            if wanted(name) && !all.iter().any(|other| other.name == name) {
                all.push(Self {
                    name: name.into(),
                    program: tools::tool(name),
                    version: version.into(),
                });
            }
        }
        assert!(
            !all.is_empty(),
            "EKB_CLIS={} names no command line that is there",
            chosen.unwrap_or_default()
        );
        all
    }

    /// The one of this name, if it is there.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|cli| cli.name == name)
    }

    /// One command line, for tests of which one is enough.
    #[must_use]
    pub fn any() -> Self {
        Self::all().swap_remove(0)
    }

    /// The n-th, in turn: spreads many cases over what is there.
    #[must_use]
    pub fn in_turn(n: usize) -> Self {
        let mut all = Self::all();
        let index = n % all.len();
        all.swap_remove(index)
    }

    /// Whether this is OpenTofu.
    #[must_use]
    pub fn is_tofu(&self) -> bool {
        self.name == "tofu"
    }

    fn on_path() -> Option<Self> {
        let output = Command::new("terraform")
            .args(["version", "-json"])
            .env_remove("TF_CLI_CONFIG_FILE")
            .env("CHECKPOINT_DISABLE", "1")
            .output()
            .ok()?;
        let said: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
        let version = said["terraform_version"].as_str()?.to_owned();
        let minor: Vec<&str> = version.split('.').take(2).collect();
        Some(Self {
            name: format!("terraform-{}", minor.join(".")),
            program: "terraform".into(),
            version,
        })
    }
}
