//! The IAM policy that a resource needs, from what its parts say they call.

use std::collections::BTreeSet;

use aws::Aws;
use aws::settings::Settings;
use reconcile::resource::Declared;
use serde_json::{Value, json};

use crate::platform::Platform;
use crate::registry::{self, Visitor};

/// What every resource asks: whose credentials these are.
const ALWAYS: &str = "sts:GetCallerIdentity";

/// The IAM policy with which all of these resources can be planned (statement `Plan` alone) and applied. Actions that
/// pass a role say to which service, as a condition.
///
/// # Errors
/// The names that are no resource of this provider.
pub fn policy(resources: &[&str]) -> Result<Value, String> {
    let mut needs = Needs {
        of: resources,
        reads: BTreeSet::from([ALWAYS]),
        writes: BTreeSet::new(),
    };
    let there = registry::names();
    if let Some(other) = resources.iter().find(|name| !there.contains(*name)) {
        return Err(format!(
            "there is no resource {other}; there are: {}",
            there.join(", ")
        ));
    }
    registry::visit(&mut needs);
    let Needs { reads, writes, .. } = needs;
    let (passes, writes): (Vec<&str>, Vec<&str>) =
        writes.into_iter().partition(|action| action.contains(' '));
    let mut statements = vec![
        json!({ "Sid": "Plan", "Effect": "Allow", "Action": reads, "Resource": "*" }),
        json!({ "Sid": "Apply", "Effect": "Allow", "Action": writes, "Resource": "*" }),
    ];
    let services: Vec<&str> = passes
        .iter()
        .filter_map(|action| action.split_once(" to "))
        .map(|(_, to)| to)
        .collect();
    if !services.is_empty() {
        statements.push(json!({
            "Sid": "PassRole", "Effect": "Allow", "Action": "iam:PassRole", "Resource": "*",
            "Condition": { "StringEquals": { "iam:PassedToService": services } },
        }));
    }
    Ok(json!({ "Version": "2012-10-17", "Statement": statements }))
}

/// IAM actions of some resources.
struct Needs<'a> {
    of: &'a [&'a str],
    reads: BTreeSet<&'static str>,
    writes: BTreeSet<&'static str>,
}

impl Visitor for Needs<'_> {
    fn visit<D: Declared<Platform> + Clone>(&mut self, resource: D) {
        if !self.of.contains(&D::NAME) {
            return;
        }
        // Kinds say what they call without calling anything.
        let nowhere = Platform::bare(Aws::new(Settings::default()));
        self.reads.extend(D::LOOKS_UP);
        for traits in resource.kinds(&nowhere, "us-east-1").traits() {
            self.reads.extend(traits.reads);
            self.writes.extend(traits.writes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plan_only_reads_and_roles_are_passed_to_named_services() {
        let policy = policy(&registry::names()).unwrap();
        let statement = |index: usize| &policy["Statement"][index];
        let reads = |action: &Value| {
            let (_, call) = action.as_str().unwrap().split_once(':').unwrap();
            ["Describe", "Get", "List"]
                .iter()
                .any(|verb| call.starts_with(verb))
        };
        assert!(
            statement(0)["Action"].as_array().unwrap().iter().all(reads),
            "{policy}"
        );
        assert!(
            statement(1)["Action"]
                .as_array()
                .unwrap()
                .contains(&json!("ec2:CreateVpc"))
        );
        assert_eq!(
            statement(2)["Condition"]["StringEquals"]["iam:PassedToService"],
            json!(["pods.eks.amazonaws.com", "vpc-flow-logs.amazonaws.com"])
        );
        assert!(super::policy(&["aws_vpc"]).unwrap_err().contains("ekb_network"));
    }
}
