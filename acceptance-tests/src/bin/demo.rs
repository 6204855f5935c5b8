//! `make demo`: an environment's network, planned, applied, planned again and destroyed by a real command line on the
//! AWS emulator. Ends with exit code 1 where anything is not as it should be.
#![expect(clippy::print_stdout, reason = "a demonstration prints")]

use acceptance_tests::{Cli, Rig, Run, Workspace};

const EXAMPLE: &str = include_str!("../../../examples/complete/network/main.tf");

fn main() {
    let rig = Rig::start();
    let account = rig.account();
    let cli = Cli::any();
    println!(
        "{} {}, with an AWS emulator at {} whose time runs {} times as fast.\n",
        cli.name,
        cli.version,
        rig.url(),
        account.time_scale()
    );
    println!("--- examples/complete/network/main.tf\n{EXAMPLE}");
    // The example has a provider block of its own; the emulator's address comes by the environment.
    let workspace = Workspace::new(&cli, &account).env("AWS_ENDPOINT_URL", rig.url());
    workspace.remove("provider.tf");
    workspace.remove("terraform.tf");
    workspace.write("main.tf", EXAMPLE);

    step(&cli, &workspace.plan_only(&[]), 2);
    println!("    in AWS: {:?}\n", account.counts());
    step(&cli, &workspace.apply(), 0);
    println!("    in AWS: {:?}\n", account.counts());
    step(&cli, &workspace.plan_only(&[]), 0);
    step(&cli, &workspace.destroy(), 0);
    println!("    in AWS: {:?}", account.counts());
    account.assert_empty();
    println!("\nNothing is left: neither in AWS nor running here.");
}

/// Prints what a command printed, and ends the demonstration where its exit code is not the expected one.
fn step(cli: &Cli, run: &Run, code: i32) {
    let command = run.arguments.first().map_or("", String::as_str);
    println!(
        "--- {} {command} ({:.1} s)\n{}",
        cli.name,
        run.took.as_secs_f64(),
        run.stdout.trim()
    );
    assert!(run.code == code, "{run}");
}
