//! `ekb_network` disturbed: nothing is lost, nothing is left behind. `sweep.rs` is the whole product of what runs here in part.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail by panicking, as the tests do"
)]

mod arguments;
mod clis;
mod drift;
mod policy;
mod resume;
mod states;

use acceptance_tests::cuts::{Every, Scenario, sweep_every, sweep_pairs};
use acceptance_tests::{Account, Rig, Session};
use conformance::Resource;
use serde_json::{Value as Json, json};

/// A small network.
fn config() -> Json {
    json!({ "cidr": "10.20.0.0/16", "zone_count": 1 })
}

/// The configuration with another argument.
fn with(config: &Json, argument: &str, value: impl Into<Json>) -> Json {
    let mut config = config.clone();
    config[argument] = value.into();
    config
}

/// A small network that is complete.
fn made() -> (Session, Account, Resource) {
    let account = Rig::shared().account();
    let session = Session::new(&account);
    let mut resource = Resource::new("ekb_network");
    session.apply(&mut resource, &config()).unwrap();
    (session, account, resource)
}

/// A third of the kinds of calls of all operations; what happens there goes round. Each kind of part for itself meets every call and
/// blow in `kinds`; this is what they do to each other.
#[test]
fn mutating_calls_may_go_wrong() {
    let tally = sweep_every(&Scenario::network(), false, 3);
    tally.report("network, a third of the kinds of calls");
    tally.assert_good();
}

/// A sample of two blows in a row.
#[test]
fn a_create_may_go_wrong_twice() {
    // Fifteen has nothing in common with the number of blows: each of them comes first and second.
    let every = Every {
        branch: 15,
        call: 1000,
    };
    let tally = sweep_pairs(&Scenario::network(), every);
    tally.report("network, a sample of two blows");
    tally.assert_good();
}
