//! The binary `terraform-provider-ekb`.

use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some("iam-policy") {
        return iam_policy(arguments.collect());
    }
    let about = plugin::About {
        name: "ekb",
        version: env!("CARGO_PKG_VERSION"),
        address: "registry.terraform.io/ekb/ekb",
        summary: "Declares the EKB platform on AWS: network, cluster, services and data.",
        crates: &[
            "plugin",
            "framework",
            "reconcile",
            "aws",
            "kubernetes",
            "helm",
            "resources",
        ],
    };
    plugin::run(about, |_host| framework::Server::new(resources::provider::Ekb))
}

/// `terraform-provider-ekb iam-policy [RESOURCE…]`: the IAM policy that these resources need, by default all.
fn iam_policy(names: Vec<String>) -> ExitCode {
    let names: Vec<&str> = if names.is_empty() {
        resources::registry::names()
    } else {
        names.iter().map(String::as_str).collect()
    };
    let (text, code) = match resources::policy::policy(&names) {
        Ok(policy) => (format!("{policy:#}\n"), ExitCode::SUCCESS),
        Err(error) => (format!("{error}\n"), ExitCode::FAILURE),
    };
    // Nobody is left to be told where standard output is closed.
    let _ = std::io::stdout().write_all(text.as_bytes());
    code
}
