//! Whom a role lets in: trust policies.

use std::fmt::Display;

use serde_json::{Value, json};

use crate::partition::principal;

/// Pods, by EKS Pod Identity (EKS user guide, "Create IAM role for an EKS Pod Identity").
pub fn by_pod_identity(region: &str) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "Service": principal("pods.eks", region) },
            "Action": ["sts:AssumeRole", "sts:TagSession"],
        }],
    })
}

/// Pods of a service account (`namespace:name`), by the OIDC provider of their cluster: its ARN, and its issuer without the scheme
/// (EKS user guide, "IAM roles for service accounts").
pub fn by_oidc(provider_arn: impl Display, host: impl Display, account: &str, region: &str) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "Federated": provider_arn.to_string() },
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": { "StringEquals": {
                (format!("{host}:aud")): principal("sts", region),
                (format!("{host}:sub")): format!("system:serviceaccount:{account}"),
            } },
        }],
    })
}
