//! Starts a provider, checks its schema, and says what it offers: `cargo run -p conformance --example offers -- BINARY`.
#![expect(clippy::print_stdout, reason = "a program for people")]

use std::process::ExitCode;

use conformance::Core;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, conformance::Error> {
    let Some(binary) = std::env::args_os().nth(1) else {
        eprintln!("Which binary?");
        return Ok(ExitCode::from(2));
    };
    let (core, violations) = Core::start_anyhow(std::path::Path::new(&binary), &[]).await?;
    let schema = core.schema();
    for (name, resource) in &schema.resources {
        println!(
            "resource {name}, version {}, identity: {}",
            resource.schema.version,
            resource.identity.is_some()
        );
    }
    for (kind, all) in [
        ("data", &schema.data_sources),
        ("ephemeral", &schema.ephemeral_resources),
        ("list", &schema.list_resources),
        ("action", &schema.actions),
    ] {
        all.keys().for_each(|name| println!("{kind} {name}"));
    }
    schema
        .functions
        .keys()
        .for_each(|name| println!("function {name}"));
    violations.iter().for_each(|violation| println!("{violation}"));
    core.close().await?;
    Ok(if violations.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
