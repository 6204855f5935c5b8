//! The IAM policy that the provider prints for `ekb_network` is what it calls: no action less, none that is never needed.

use std::collections::BTreeSet;

use acceptance_tests::Account;
use serde_json::{Value as Json, json};

use crate::drift::{everything, fields, network, rounds};
use crate::with;

/// Actions that need no call of their name: AWS checks them within other calls.
const WITHIN_OTHERS: [&str; 3] = [
    // CreateFlowLogs to CloudWatch Logs and to S3 (Amazon VPC User Guide, "IAM role for publishing flow logs").
    "iam:PassRole",
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
];

/// Actions that this network never comes to need.
const RARE: [&str; 6] = [
    // Its role has policies of its own only; the kind serves roles that have managed ones, a boundary, machines.
    "iam:AttachRolePolicy",
    "iam:PutRolePermissionsBoundary",
    "iam:DeleteRolePermissionsBoundary",
    "iam:RemoveRoleFromInstanceProfile",
    // Interfaces that a deleted load balancer or cluster left behind (rig_aws, aws::ec2::tests).
    "ec2:DescribeNetworkInterfaces",
    "ec2:DeleteNetworkInterface",
];

/// The policy as printed: the actions of `Plan`, and all.
fn printed() -> (BTreeSet<String>, BTreeSet<String>) {
    let output = std::process::Command::new(acceptance_tests::provider_binary())
        .args(["iam-policy", "ekb_network"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let policy: Json = serde_json::from_slice(&output.stdout).unwrap();
    let actions = |statement: &Json| -> Vec<String> {
        let list = match &statement["Action"] {
            Json::Array(list) => list.clone(),
            one => vec![one.clone()],
        };
        list.iter()
            .map(|action| action.as_str().unwrap().to_owned())
            .collect()
    };
    let statements = policy["Statement"].as_array().unwrap();
    let plan = statements
        .iter()
        .find(|statement| statement["Sid"] == "Plan")
        .unwrap();
    (
        actions(plan).into_iter().collect(),
        statements.iter().flat_map(actions).collect(),
    )
}

/// The actions called since the last time.
fn called(account: &Account) -> BTreeSet<String> {
    let log = account.log();
    account.clear_log();
    log.iter()
        .map(|call| format!("{}:{}", call.service, call.operation))
        .collect()
}

#[test]
fn it_is_what_the_log_saw() {
    let (plan, all) = printed();
    let config = everything();
    let (session, world, made) = network(&config);
    let account = &world.account;
    let mut seen = called(account);

    let mut planning = BTreeSet::new();
    for round in rounds(&fields(&made)) {
        account.restore("made");
        for (key, field) in &round {
            world.change(key, field);
        }
        let mut resource = made.clone();
        called(account);
        let planned = session.plan(&mut resource, &config).unwrap();
        planning.extend(called(account));
        session.apply_plan(&mut resource, &planned).unwrap();
        seen.extend(called(account));
    }
    let mut resource = made;
    account.restore("made");
    // A subnet that others gave another table, and a policy that they gave the role.
    let table = world.id("public_routes");
    for association in world.associations(world.id("private_routes/eu-central-1a")) {
        let other = json!({ "AssociationId": association, "RouteTableId": table });
        account.ec2("ReplaceRouteTableAssociation", &other);
    }
    let policy = json!({ "RoleName": world.id("flow_log_role"), "PolicyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess" });
    world.other("iam", "AttachRolePolicy", policy);
    session.apply(&mut resource, &config).unwrap();
    session
        .apply(&mut resource, &with(&config, "tags", json!({})))
        .unwrap();
    let larger = with(&with(&config, "zone_count", json!(2)), "nat_gateways", "single");
    let without = json!({ "cidr": "10.20.0.0/16", "zone_count": 1, "nat_gateways": "none" });
    for next in [&larger, &with(&larger, "nat_gateways", "per_zone"), &without] {
        session.apply(&mut resource, next).unwrap();
    }
    session.destroy(&mut resource).unwrap();
    seen.extend(called(account));
    seen.extend(planning.iter().cloned());

    let more = |a: &BTreeSet<String>, b: &BTreeSet<String>| a.difference(b).cloned().collect::<Vec<_>>();
    assert_eq!(
        more(&planning, &plan),
        [""; 0],
        "planning calls more than `Plan` allows"
    );
    assert_eq!(
        more(&seen, &all),
        [""; 0],
        "more is called than the policy allows"
    );
    let exempt: BTreeSet<String> = [&WITHIN_OTHERS[..], &RARE[..]]
        .concat()
        .into_iter()
        .map(str::to_owned)
        .collect();
    assert_eq!(
        more(&more(&all, &seen).into_iter().collect(), &exempt),
        [""; 0],
        "the policy allows what is never called"
    );
    account.assert_empty();
}
