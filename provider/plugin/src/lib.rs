//! Floor 1: everything between a Terraform or OpenTofu process and the calls of the provider protocol: go-plugin's
//! handshake, mutual TLS, gRPC serving, logs to the host, and a guard that turns panics into diagnostics.
//!
//! A provider's `main` is one call, `plugin::run(about, |host| provider)`, where `provider` implements the generated
//! trait [`proto::tfplugin6::provider_server::Provider`].
//!
//! [`run`] takes care of the rest, and prints what a human needs who starts the binary by hand.

mod cli;
#[cfg(feature = "client")]
pub mod client;
mod guard;
mod handshake;
mod listen;
mod logs;
mod serve;
mod services;
mod tls;

pub use serve::{Host, run};

/// What the binary says of itself: to humans in `--help` and `--version`, to hosts in logs and diagnostics.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// The provider's type, the last part of its address: `ekb`. It names the binary (`terraform-provider-ekb`), the
    /// prefix of its resources and the variable `TF_LOG_PROVIDER_EKB`.
    pub name: &'static str,
    /// Version without a leading `v`: `0.1.0`.
    pub version: &'static str,
    /// Source address: `registry.terraform.io/ekb/ekb`, or without the registry's host.
    pub address: &'static str,
    /// One sentence on what the provider is for.
    pub summary: &'static str,
    /// Crates whose log events go to the host at the level asked for. All others are capped at warnings: what HTTP
    /// and TLS libraries log at debug and trace holds request bodies and signatures.
    pub crates: &'static [&'static str],
}

impl About {
    /// The address as configurations write it: `ekb/ekb` for what lives in the default registry.
    fn source(&self) -> &'static str {
        self.address
            .strip_prefix("registry.terraform.io/")
            .unwrap_or(self.address)
    }
}
