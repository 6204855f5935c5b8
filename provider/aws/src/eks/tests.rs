//! What follows from values alone; the rest is the contract (`acceptance-tests/tests/kinds`).

use aws_sdk_eks::types::{self, ClusterStatus, NodegroupStatus};
use reconcile::part::{Condition, Part, Remedy};
use serde_json::json;

use super::*;

fn change<P: Part>(field: &str, is: impl Into<Value>, should: impl Into<Value>) -> &'static str {
    match P::change(field, &is.into(), &should.into()) {
        Remedy::Update => "update",
        Remedy::Replace => "replace",
        Remedy::Refuse(refusal) => {
            assert!(!refusal.why.is_empty() && !refusal.hint.is_empty());
            "refuse"
        }
    }
}

#[test]
fn a_cluster_changes_as_eks_lets_it() {
    for (field, is, should, expected) in [
        ("version", json!("1.33"), json!("1.35"), "update"),
        ("version", json!("1.35"), json!("1.34"), "update"),
        ("version", json!("1.35"), json!("1.33"), "refuse"),
        ("role_arn", json!("arn:a"), json!("arn:b"), "refuse"),
        // The role is to be made again: its ARN will be the same.
        ("role_arn", json!("arn:a"), json!("${role/cluster.arn}"), "update"),
        (
            "service_cidr",
            json!("172.20.0.0/16"),
            json!("10.100.0.0/16"),
            "refuse",
        ),
        ("encryption_key", Value::Null, json!("arn:key"), "update"),
        ("encryption_key", json!("arn:key"), json!("arn:other"), "refuse"),
        ("encryption_key", json!("arn:key"), Value::Null, "refuse"),
        ("authentication_mode", json!("CONFIG_MAP"), json!("API"), "update"),
        (
            "authentication_mode",
            json!("API"),
            json!("API_AND_CONFIG_MAP"),
            "refuse",
        ),
        ("name", json!("a"), json!("b"), "replace"),
    ] {
        assert_eq!(
            change::<Cluster>(field, is.clone(), should.clone()),
            expected,
            "{field}: {is} to {should}"
        );
    }
}

#[test]
fn why_a_cluster_failed_is_said_with_the_next_step() {
    let issue = types::ClusterIssue::builder()
        .code(types::ClusterIssueCode::KmsKeyDisabled)
        .message("The key is disabled.");
    let health = types::ClusterHealth::builder().issues(issue.build()).build();
    let seen = |status| {
        cluster::see(
            types::Cluster::builder()
                .name("a")
                .status(status)
                .health(health.clone())
                .build(),
        )
    };
    let Condition::Failed(why) = seen(ClusterStatus::Failed).condition else {
        panic!("it has failed");
    };
    assert!(
        why.contains("KmsKeyDisabled: The key is disabled. ") && why.contains("enable it again"),
        "{why}"
    );
    let living = seen(ClusterStatus::Active);
    assert_eq!(living.condition, Condition::Settled, "it goes on while it can");
    assert!(
        living.detail["issues"][0]
            .as_str()
            .is_some_and(|text| text.contains("enable it again"))
    );
}

#[test]
fn an_unwell_node_group_is_kept_and_a_failed_one_is_not() {
    let issue = types::Issue::builder().code(types::NodegroupIssueCode::AsgInstanceLaunchFailures);
    let health = types::NodegroupHealth::builder()
        .issues(issue.message("No capacity").build())
        .build();
    let group = |status| {
        types::Nodegroup::builder()
            .nodegroup_name("a")
            .status(status)
            .health(health.clone())
    };
    let seen = |status| node_group::see("one", group(status).build());
    let unwell = seen(NodegroupStatus::Degraded);
    assert_eq!(unwell.condition, Condition::Settled);
    let words = unwell.fields["health"].as_str().unwrap();
    assert!(
        words.starts_with("DEGRADED: AsgInstanceLaunchFailures: No capacity. "),
        "{words}"
    );
    assert_eq!(seen(NodegroupStatus::Active).fields["health"], json!(Healthy));
    for failed in [NodegroupStatus::CreateFailed, NodegroupStatus::DeleteFailed] {
        assert!(matches!(seen(failed).condition, Condition::Failed(why) if why.contains("No capacity")));
    }
}
