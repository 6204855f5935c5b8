//! The whole product: every mutating call × everything that can happen there. Runs only with `EKB_SWEEP=1` (`make sweep`);
//! `EKB_SWEEP_RESULT` names a file for the counts as JSON.

use acceptance_tests::cuts::{Scenario, sweep};
use serde_json::json;

/// Whether sweeps are wanted; says so where not.
fn wanted() -> bool {
    let wanted = std::env::var("EKB_SWEEP").is_ok_and(|value| value == "1");
    if !wanted {
        eprintln!("not run: set EKB_SWEEP=1");
    }
    wanted
}

#[test]
fn network() {
    if !wanted() {
        return;
    }
    let tally = sweep(&Scenario::network(), |_| true);
    tally.report("network");
    tally.assert_good();
}

#[test]
fn network_with_everything() {
    if !wanted() {
        return;
    }
    let tally = sweep(
        &Scenario {
            name: "network with everything",
            before: json!({ "cidr": "10.20.0.0/16", "zone_count": 2, "nat_gateways": "single", "timeouts": Scenario::patient() }),
            after: json!({
                "cidr": "10.20.0.0/16", "zone_count": 3, "s3_endpoint": false, "tags": { "team": "core" },
                "interface_endpoints": ["ecr.api", "sts"], "flow_logs": { "destination": "cloudwatch" },
                "timeouts": Scenario::patient(),
            }),
            ..Scenario::network()
        },
        |_| true,
    );
    tally.report("network with everything");
    tally.assert_good();
}
