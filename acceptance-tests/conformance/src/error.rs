//! Why an operation did not do what was asked.

use std::fmt;

use framework::Path;

use crate::rule::{Rule, Violation};

/// A message of the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// An error; else a warning.
    pub error: bool,
    /// First line.
    pub summary: String,
    /// The rest.
    pub detail: String,
    /// What it is about.
    pub path: Option<Path>,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.error { "error: " } else { "warning: " })?;
        f.write_str(&self.summary)?;
        if let Some(path) = &self.path {
            write!(f, " @ {path}")?;
        }
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        Ok(())
    }
}

/// Why an operation did not do what was asked. The resource's handle then holds what core would have stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The answer breaks core's rules: a bug in the provider.
    #[error("{call} breaks core's rules:\n{}", lines(violations))]
    Broken {
        /// The call.
        call: &'static str,
        /// At least one.
        violations: Vec<Violation>,
        /// What the provider said beside it.
        diagnostics: Vec<Diagnostic>,
    },
    /// The provider answered with errors.
    #[error("{call} failed:\n{}", lines(diagnostics))]
    Failed {
        /// The call.
        call: &'static str,
        /// At least one error, and the warnings beside it.
        diagnostics: Vec<Diagnostic>,
    },
    /// The process ended, or the connection broke, during the call.
    #[error("the provider died in {call}: {status}\n{}", log.join("\n"))]
    Died {
        /// The call.
        call: &'static str,
        /// What the transport said.
        status: String,
        /// What the process wrote to stderr.
        log: Vec<String>,
    },
    /// The provider refused the call itself, for example as it does not know it.
    #[error("{call}: {status}")]
    Status {
        /// The call.
        call: &'static str,
        /// The refusal.
        status: Box<tonic::Status>,
    },
    /// The provider could not be started.
    #[error(transparent)]
    Start(#[from] plugin::client::Error),
    /// `lifecycle.prevent_destroy` is set, and the plan would destroy.
    #[error("prevent_destroy: {0} would be destroyed")]
    Prevented(String),
    /// What was asked for makes no sense: an unknown type, a configuration that core itself would refuse.
    #[error("{0}")]
    Misuse(String),
}

impl Error {
    /// The rules that were broken.
    pub fn violations(&self) -> &[Violation] {
        match self {
            Self::Broken { violations, .. } => violations,
            _ => &[],
        }
    }

    /// Whether this rule was broken.
    pub fn broke(&self, rule: Rule) -> bool {
        self.violations().iter().any(|v| v.rule == rule)
    }

    /// What the provider said.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        match self {
            Self::Broken { diagnostics, .. } | Self::Failed { diagnostics, .. } => diagnostics,
            _ => &[],
        }
    }

    /// Whether the process died in the call.
    pub fn died(&self) -> bool {
        matches!(self, Self::Died { .. })
    }
}

fn lines(all: &[impl fmt::Display]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
