//! The binary `terraform-provider-ekb`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let about = plugin::About {
        name: "ekb",
        version: env!("CARGO_PKG_VERSION"),
        address: "registry.terraform.io/ekb/ekb",
        summary: "Declares the EKB platform on AWS: network, cluster, services and data.",
        crates: &["plugin", "framework", "reconcile", "aws", "resources"],
    };
    plugin::run(about, |_host| framework::Server::new(resources::provider::Ekb))
}
