//! The Terraform and OpenTofu command lines that are there.

use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

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

/// A command line that there is, or that can be made.
enum Candidate {
    /// It is there.
    There(Cli),
    /// A tool of `tools/tools.py`, by name and version, made when it is first used.
    Tool(&'static str, &'static str),
}

impl Candidate {
    /// All, in the order of preference: what costs nothing first. Nothing is made by asking.
    fn all() -> Vec<Self> {
        static ON_PATH: LazyLock<Option<Cli>> = LazyLock::new(Cli::on_path);
        let chosen = std::env::var("EKB_CLIS").ok();
        let wanted = |name: &str| {
            chosen
                .as_ref()
                .is_none_or(|list| list.split(',').any(|one| one.trim() == name))
        };
        let mut all: Vec<Self> = ON_PATH.iter().cloned().map(Self::There).collect();
        for (name, version) in [("terraform-1.15", "1.15.5"), ("tofu", "1.12.6")] {
            if !all.iter().any(|other| other.name() == name) {
                all.push(Self::Tool(name, version));
            }
        }
        all.retain(|candidate| wanted(candidate.name()));
        assert!(
            !all.is_empty(),
            "EKB_CLIS={} names no command line that is there",
            chosen.unwrap_or_default()
        );
        all
    }

    fn name(&self) -> &str {
        match self {
            Self::There(cli) => &cli.name,
            Self::Tool(name, _) => name,
        }
    }

    fn get(self) -> Cli {
        match self {
            Self::There(cli) => cli,
            Self::Tool(name, version) => Cli {
                name: name.into(),
                program: tools::tool(name),
                version: version.into(),
            },
        }
    }
}

impl Cli {
    /// Every command line that is there: `terraform` from PATH (1.11.4 on the machines we know), Terraform 1.15.5, OpenTofu
    /// 1.12.6. `EKB_CLIS=tofu,terraform-1.15` picks some.
    ///
    /// # Panics
    /// When `EKB_CLIS` names one that is not there, or a tool cannot be made.
    #[must_use]
    pub fn all() -> Vec<Self> {
        Candidate::all().into_iter().map(Candidate::get).collect()
    }

    /// The one of this name, if it is there. No other is made for it.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let found = Candidate::all().into_iter().find(|one| one.name() == name);
        found.map(Candidate::get)
    }

    /// One command line, for what needs only one: `terraform` from PATH, else one that is made in seconds.
    #[must_use]
    pub fn any() -> Self {
        Candidate::all().swap_remove(0).get()
    }

    /// The n-th, in turn: spreads many cases over what is there.
    #[must_use]
    pub fn in_turn(n: usize) -> Self {
        let mut all = Candidate::all();
        let index = n % all.len();
        all.swap_remove(index).get()
    }

    /// Whether this is OpenTofu.
    #[must_use]
    pub fn is_tofu(&self) -> bool {
        self.name == "tofu"
    }

    /// The provider as this command line calls it in states.
    #[must_use]
    pub fn address_of_provider(&self) -> &'static str {
        if self.is_tofu() {
            "registry.opentofu.org/ekb/ekb"
        } else {
            "registry.terraform.io/ekb/ekb"
        }
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
