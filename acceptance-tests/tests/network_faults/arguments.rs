//! Each argument changed, and taken away, while all the others are set.

use std::collections::BTreeMap;

use acceptance_tests::{Account, Rig, Session};
use conformance::{Action, Resource};
use serde_json::{Value as Json, json};

/// A change, and the kinds of the parts that may be made anew by it.
struct Change {
    argument: &'static str,
    /// What else has to be said along with it.
    changes: Json,
    anew: &'static [&'static str],
}

fn change(argument: &'static str, changes: Json, anew: &'static [&'static str]) -> Change {
    Change {
        argument,
        changes,
        anew,
    }
}

/// Every argument but those that exclude others of these.
fn all(address: &str) -> Json {
    json!({
        "name": "main", "cidr": "10.20.0.0/16", "secondary_cidrs": ["100.64.0.0/16"],
        "availability_zones": ["eu-central-1a", "eu-central-1b"], "nat_gateways": "single", "nat_zone": "eu-central-1a",
        "nat_allocation_ids": { "eu-central-1a": address }, "private_tiers": { "database": { "slot": 1, "nat_route": true } },
        "cluster_name": "main", "s3_endpoint": true, "interface_endpoints": ["sts", "ecr.api"],
        "interface_endpoint_zones": { "sts": ["eu-central-1a"] },
        "flow_logs": { "destination": "cloudwatch", "retention_days": 30, "retain_logs": false },
        "region": Account::REGION, "tags": { "team": "core" }, "ignore_drift": ["vpc: tags"], "adopt": false,
        "timeouts": acceptance_tests::cuts::Scenario::patient(),
    })
}

fn changes(other_address: &str) -> Vec<Change> {
    let tier = |tier: Json| json!({ "private_tiers": { "database": tier } });
    let logs = |destination: &str, days: i64, retain: bool| {
        let days = (destination == "cloudwatch").then_some(days);
        json!({ "flow_logs": { "destination": destination, "retention_days": days, "retain_logs": retain } })
    };
    vec![
        change(
            "secondary_cidrs",
            json!({ "secondary_cidrs": ["100.65.0.0/16"] }),
            &[],
        ),
        change(
            "secondary_cidrs",
            json!({ "secondary_cidrs": ["100.64.0.0/16", "100.65.0.0/16"] }),
            &[],
        ),
        change(
            "availability_zones",
            json!({ "availability_zones": ["eu-central-1a", "eu-central-1c"] }),
            &[],
        ),
        change(
            "availability_zones",
            json!({ "availability_zones": ["eu-central-1a"] }),
            &[],
        ),
        change(
            "nat_gateways",
            json!({ "nat_gateways": "per_zone", "nat_zone": null }),
            &[],
        ),
        change(
            "nat_gateways",
            json!({ "nat_gateways": "none", "nat_zone": null, "nat_allocation_ids": null }),
            &[],
        ),
        change(
            "nat_zone",
            json!({ "nat_zone": "eu-central-1b", "nat_allocation_ids": null }),
            &[],
        ),
        change(
            "nat_allocation_ids",
            json!({ "nat_allocation_ids": { "eu-central-1a": other_address } }),
            &["nat_gateway"],
        ),
        change(
            "private_tiers",
            tier(json!({ "slot": 2, "nat_route": true })),
            &["tier_subnet"],
        ),
        change(
            "private_tiers",
            tier(json!({ "slot": 1, "nat_route": false })),
            &[],
        ),
        change(
            "private_tiers",
            json!({ "private_tiers": { "cache": { "slot": 0 }, "database": { "slot": 1 } } }),
            &[],
        ),
        change("cluster_name", json!({ "cluster_name": "other" }), &[]),
        change("s3_endpoint", json!({ "s3_endpoint": false }), &[]),
        change(
            "interface_endpoints",
            json!({ "interface_endpoints": ["sts", "ec2"] }),
            &[],
        ),
        change(
            "interface_endpoint_zones",
            json!({ "interface_endpoint_zones": { "ecr.api": ["eu-central-1b"] } }),
            &[],
        ),
        change("flow_logs", logs("cloudwatch", 7, false), &[]),
        change("flow_logs", logs("cloudwatch", 30, true), &[]),
        change(
            "flow_logs",
            logs("arn:aws:s3:::flow-logs", 0, false),
            &["flow_log"],
        ),
        change("tags", json!({ "tags": { "team": "data", "cost": "7" } }), &[]),
        change("ignore_drift", json!({ "ignore_drift": [] }), &[]),
        change("adopt", json!({ "adopt": true }), &[]),
        change("timeouts", json!({ "timeouts": { "create": "21h" } }), &[]),
    ]
}

/// Arguments that may be taken away for themselves.
const REMOVED: [(&str, &[&str]); 14] = [
    ("secondary_cidrs", &[]),
    ("availability_zones", &[]),
    ("nat_zone", &[]),
    ("nat_allocation_ids", &["nat_gateway"]),
    ("private_tiers", &[]),
    ("cluster_name", &[]),
    ("s3_endpoint", &[]),
    ("interface_endpoint_zones", &[]),
    ("flow_logs", &[]),
    ("region", &[]),
    ("tags", &[]),
    ("ignore_drift", &[]),
    ("adopt", &[]),
    ("timeouts", &[]),
];

/// Arguments of which another value is another network.
const REPLACED: [&str; 3] = ["name", "cidr", "region"];
/// Arguments that exclude some of the above: `network_plans` has them.
const ELSEWHERE: [&str; 2] = ["zone_count", "subnets"];

fn ids(resource: &Resource) -> BTreeMap<String, String> {
    let ids = serde_json::to_value(resource.get("ids")).unwrap();
    serde_json::from_value(ids).unwrap()
}

#[test]
fn each_argument_changes_while_all_the_others_are_set() {
    let account = Rig::shared().account();
    let session = Session::new(&account);
    let allocate = || {
        let address = account.ec2("AllocateAddress", &json!({ "Domain": "vpc" }));
        address["AllocationId"].as_str().unwrap().to_owned()
    };
    let (address, other) = (allocate(), allocate());
    let bucket = json!({ "Bucket": "flow-logs", "CreateBucketConfiguration": { "LocationConstraint": Account::REGION } });
    account
        .call("s3", Account::REGION, "CreateBucket", &bucket)
        .unwrap();
    let base = all(&address);
    let mut resource = Resource::new("ekb_network");
    session.apply(&mut resource, &base).unwrap();
    session.expect_empty(&mut resource, &base).unwrap();
    account.snapshot("all");
    let before = ids(&resource);

    let removals = REMOVED.map(|(argument, anew)| change(argument, json!({ argument: null }), anew));
    let changes: Vec<Change> = changes(&other).into_iter().chain(removals).collect();
    let mut wrong = Vec::new();
    for Change {
        argument,
        changes,
        anew,
    } in &changes
    {
        let mut config = base.clone();
        for (name, value) in changes.as_object().unwrap() {
            config[name] = value.clone();
        }
        account.restore("all");
        let mut resource = resource.clone();
        let result = session
            .apply(&mut resource, &config)
            .map_err(|error| error.to_string())
            .and_then(|plan| match plan.action {
                Action::Replace | Action::Create | Action::Delete => Err(format!("{plan}")),
                _ => session.expect_empty(&mut resource, &config),
            });
        if let Err(why) = result {
            wrong.push(format!("{argument}: {changes}: {why}"));
            continue;
        }
        for (key, id) in ids(&resource) {
            let stays = before.get(&key).is_none_or(|before| *before == id);
            let kind = key.split('/').next().unwrap_or_default();
            if stays == anew.contains(&kind) && before.contains_key(&key) {
                wrong.push(format!("{argument}: {changes}: {key} was {}", before[&key]));
            }
        }
        account.assert_understood();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));

    let known: Vec<&str> = changes.iter().map(|change| change.argument).collect();
    let arguments = session
        .with(async |core| {
            let attributes = &core.schema().resources["ekb_network"].schema.block.attributes;
            let given = attributes.iter().filter(|(_, one)| one.optional || one.required);
            Ok(given.map(|(name, _)| name.clone()).collect::<Vec<_>>())
        })
        .unwrap();
    for argument in arguments {
        let name = argument.as_str();
        assert!(
            known.contains(&name) || REPLACED.contains(&name) || ELSEWHERE.contains(&name),
            "{name} has no change here"
        );
    }
}
