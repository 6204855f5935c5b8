//! What EKS says of things that are not well: issue code, cause, next step.
//!
//! Codes: AWS EKS `NodegroupIssueCode`, `AddonIssueCode`, `ClusterIssueCode`, and `ErrorCode` of updates. Causes and steps are from
//! the EKS user guide ("Troubleshoot problems with Amazon EKS clusters and nodes") and the API reference (`Issue`, `AddonIssue`).

use serde::{Serialize, Serializer};

/// Of a part that shall be well: what is not is a difference in words.
///
/// An object that is DEGRADED or whose update failed is not made anew: it often heals by itself, or by the next change. So its
/// health is a field like others: shown as drift, and waited for by an apply.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Healthy;

/// How a healthy object's field reads.
pub(crate) const WELL: &str = "ACTIVE";

impl Serialize for Healthy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(WELL)
    }
}

/// Code and message of each issue.
pub(crate) type Issues = Vec<(String, String)>;

/// The issues as EKS gives them: of clusters, node groups and add-ons in types of their own.
macro_rules! issues {
    ($issues:expr) => {{
        let issues = $issues.unwrap_or_default().into_iter().map(|issue| {
            let code = issue.code.map(|code| code.as_str().to_owned());
            (code.unwrap_or_default(), issue.message.unwrap_or_default())
        });
        issues.collect::<$crate::eks::issues::Issues>()
    }};
}
pub(crate) use issues;

/// A status with its issues in words: with cause and next step where they are known.
pub(crate) fn told(status: &str, issues: &Issues) -> String {
    if issues.is_empty() {
        return format!("{status}, and EKS says no more");
    }
    format!("{status}: {}", each(issues).join("; "))
}

/// Each issue in words.
pub(crate) fn each(issues: &Issues) -> Vec<String> {
    issues
        .iter()
        .map(|(code, message)| issue(code, message))
        .collect()
}

/// One issue in words.
fn issue(code: &str, message: &str) -> String {
    let message = message.trim().trim_end_matches('.');
    let said = if message.is_empty() {
        code.to_owned()
    } else {
        format!("{code}: {message}")
    };
    match next(code) {
        "" => said,
        next => format!("{said}. {next}"),
    }
}

/// Cause and next step.
fn next(code: &str) -> &'static str {
    match code {
        "AccessDenied" => {
            "The role of the cluster or of the nodes may not do what is needed, or its access entry is missing: look at the policies \
             of both roles, and at the access entry of the node role"
        }
        "AddonPermissionFailure" => {
            "The role of the add-on lacks permissions that its pods need: compare its policy with the add-on's documentation"
        }
        "AddonSubscriptionNeeded" => {
            "The add-on comes from AWS Marketplace and needs a subscription of this account"
        }
        "AdmissionRequestDenied" => {
            "An admission webhook or policy in the cluster turns the add-on's objects away: the message names it"
        }
        "AmiIdNotFound" => {
            "The AMI of the launch template does not exist here (any more): give a release that does"
        }
        "AsgInstanceLaunchFailures" => {
            "EC2 could not launch instances: often no capacity of that type in these zones, a quota of vCPUs, or a launch template that \
             does not fit. The activity of the Auto Scaling group says which. Give further instance types or zones"
        }
        "AutoScalingGroupNotFound" => {
            "Somebody deleted the Auto Scaling group of the node group: it cannot be mended, only made anew"
        }
        "AutoScalingGroupInvalidConfiguration" => {
            "Somebody changed the Auto Scaling group by hand: undo that, or make the node group anew"
        }
        "AutoScalingGroupInstanceRefreshActive" => {
            "An instance refresh that somebody began is at work on the Auto Scaling group: wait for it, or cancel it"
        }
        "AutoScalingGroupOptInRequired" => {
            "The account may not use this instance type or AMI without a subscription"
        }
        "AutoScalingGroupRateLimitExceeded" | "IamThrottling" => {
            "AWS turned calls away for their rate: it passes"
        }
        "ClusterUnreachable" => {
            "EKS cannot reach the cluster's API server: look at its security groups, its subnets, and webhooks that do not answer"
        }
        "ConfigurationConflict" => {
            "Somebody else has set what the add-on sets: keep it by putting it into the add-on's configuration, or have it overwritten"
        }
        "Ec2InstanceTypeDoesNotExist" => "There is no such instance type in this region",
        "Ec2LaunchTemplateDeletionFailure" | "Ec2SecurityGroupDeletionFailure" => {
            "Something else uses it still: look at the message, and delete it by hand"
        }
        "Ec2LaunchTemplateInvalidConfiguration" => {
            "The launch template does not fit a node group: the message says what (AWS EKS user guide, launch templates)"
        }
        "Ec2LaunchTemplateNotFound" | "SourceEc2LaunchTemplateNotFound" => {
            "Somebody deleted the launch template: the node group has to be made anew"
        }
        "Ec2LaunchTemplateMaxLimitExceeded" | "Ec2LaunchTemplateVersionMaxLimitExceeded" => {
            "The quota of launch templates or of their versions is used up: delete old ones"
        }
        "Ec2LaunchTemplateVersionMismatch" => {
            "Somebody changed the Auto Scaling group to another version of the launch template: set it back to the one that EKS made"
        }
        "Ec2SecurityGroupNotFound" => {
            "Somebody deleted a security group that is in use here: make it again, or leave it out"
        }
        "Ec2SubnetInvalidConfiguration" | "Ec2SubnetMissingIpv6Assignment" => {
            "A subnet does not give its machines the addresses that they need: the message names it"
        }
        "Ec2SubnetNotFound" => {
            "Somebody deleted a subnet that is in use here: a node group without it has to be made anew"
        }
        "Ec2SubnetListTooLong" => "There are too many subnets: give fewer",
        "Ec2ServiceNotSubscribed" => "The account is not subscribed to EC2",
        "IamInstanceProfileNotFound" | "IamNodeRoleNotFound" | "IamRoleNotFound" => {
            "Somebody deleted the role or its instance profile: apply again, which makes it anew"
        }
        "IamLimitExceeded" | "LimitExceeded" | "InstanceLimitExceeded" | "ResourceLimitExceeded" => {
            "A quota of the account is used up: raise it in Service Quotas, or use less"
        }
        "InsufficientFreeAddresses" | "IpNotAvailable" => {
            "The subnets have no free addresses: free some, or give further subnets (an upgrade needs up to five)"
        }
        "InsufficientNumberOfReplicas" => {
            "Its pods do not run: no node is there for them, a taint keeps them away, or they crash (kubectl -n kube-system get pods)"
        }
        "InternalFailure" => "AWS failed: apply again later",
        "K8sResourceNotFound" => {
            "Somebody deleted a Kubernetes object of the add-on: an update with OVERWRITE makes it again"
        }
        "KmsGrantRevoked" => {
            "Somebody revoked the grant by which EKS uses the key: there is no way back, AWS support may help"
        }
        "KmsKeyDisabled" => "The key of the secrets is disabled: enable it again",
        "KmsKeyMarkedForDeletion" => {
            "The key of the secrets will be deleted, and then the cluster is lost: cancel the deletion now (aws kms cancel-key-deletion)"
        }
        "KmsKeyNotFound" => "The key of the secrets is gone: the cluster cannot be saved",
        "KubernetesLabelInvalid" => "A label of the node group is none that Kubernetes takes",
        "NodeCreationFailure" => {
            "Instances run and did not join the cluster: often no way to the cluster's endpoint, no access entry for the node role, user \
             data that fails, or no network plug-in (vpc-cni). The system log of an instance says which"
        }
        "NodeTerminationFailure" => {
            "Instances could not be ended: look at the Auto Scaling group, and at what protects instances"
        }
        "PodEvictionFailure" => {
            "Pods could not be moved off a node in time: a PodDisruptionBudget does not allow it, or a pod does not end. Loosen the budget, \
             or force the drain"
        }
        "StsRegionalEndpointDisabled" => "STS is switched off for this region in the account's settings",
        "UnsupportedAddonModification" => "EKS cannot change that of the add-on: undo the change",
        "UnsupportedVersion" => "EKS does not know this version (any more)",
        "ResourceNotFound" => "Something that the cluster uses was deleted: the message names it",
        "OperationNotPermitted" => "EKS does not do this with the cluster as it is",
        "VpcNotFound" | "VpcIdNotFound" => "Somebody deleted the VPC",
        "SubnetNotFound" => "Somebody deleted a subnet of the cluster",
        "SecurityGroupNotFound" => "Somebody deleted a security group of the cluster",
        "EniLimitReached" => "The quota of network interfaces is used up",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_eks::types::{AddonIssueCode, ClusterIssueCode, NodegroupIssueCode};

    use super::*;

    #[test]
    fn an_issue_says_cause_and_next_step() {
        let issues = [(
            "NodeCreationFailure",
            "Instances failed to join the kubernetes cluster.",
        )];
        let told = told(
            "CREATE_FAILED",
            &issues
                .map(|(code, message)| (code.to_owned(), message.to_owned()))
                .into(),
        );
        assert!(
            told.starts_with("CREATE_FAILED: NodeCreationFailure: Instances failed to join the kubernetes cluster. Instances run"),
            "{told}"
        );
        assert_eq!(
            super::told("DEGRADED", &Vec::new()),
            "DEGRADED, and EKS says no more"
        );
        assert_eq!(issue("NewCode", ""), "NewCode");
    }

    #[test]
    fn every_code_of_eks_has_a_next_step() {
        let codes = NodegroupIssueCode::values().iter();
        let codes = codes
            .chain(AddonIssueCode::values())
            .chain(ClusterIssueCode::values());
        let silent: Vec<&&str> = codes
            .filter(|code| **code != "Other" && **code != "Unknown" && next(code).is_empty())
            .collect();
        assert!(silent.is_empty(), "{silent:?}");
    }
}
