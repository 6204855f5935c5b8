//! The whole product: every mutating call × everything that can happen there. Runs only with `EKB_SWEEP=1` (`make sweep`);
//! `EKB_SWEEP_RESULT` names a file for the counts as JSON.

use acceptance_tests::cuts::{Every, Operation, Scenario, is_sweep, sweep, sweep_of, sweep_pairs};
use serde_json::json;

/// Whether sweeps are wanted; says so where not.
fn wanted() -> bool {
    if !is_sweep() {
        eprintln!("not run: set EKB_SWEEP=1");
    }
    is_sweep()
}

#[test]
fn network() {
    if !wanted() {
        return;
    }
    let tally = sweep(&Scenario::network(), true);
    tally.report("network");
    tally.assert_good();
}

/// The kinds of parts that `network` does not have, and one that goes.
#[test]
fn network_with_logs() {
    if !wanted() {
        return;
    }
    let tally = sweep(
        &Scenario {
            name: "network with logs",
            before: json!({ "cidr": "10.20.0.0/16", "zone_count": 1, "nat_gateways": "none", "timeouts": Scenario::patient() }),
            after: json!({
                "cidr": "10.20.0.0/16", "zone_count": 1, "nat_gateways": "none", "s3_endpoint": false,
                "flow_logs": { "destination": "cloudwatch" }, "timeouts": Scenario::patient(),
            }),
            ..Scenario::network()
        },
        true,
    );
    tally.report("network with logs");
    tally.assert_good();
}

/// Two blows in a row.
#[test]
fn network_struck_twice() {
    if !wanted() {
        return;
    }
    // All of them are some 5,700; every fifth call of each branch, at another place in each, takes a fifth of the time.
    let tally = sweep_pairs(&Scenario::network(), Every { branch: 1, call: 5 });
    tally.report("network, two blows");
    tally.assert_good();
}

#[test]
fn cluster() {
    if !wanted() {
        return;
    }
    let tally = sweep(&Scenario::cluster(), true);
    tally.report("cluster");
    tally.assert_good();
}

/// By a minor, and back.
#[test]
fn cluster_upgrade() {
    if !wanted() {
        return;
    }
    let operations = [Operation::Update, Operation::Shrink];
    let tally = sweep_of(&Scenario::upgrade(), &operations, true, 1);
    tally.report("cluster, upgrade and rollback");
    tally.assert_good();
}
