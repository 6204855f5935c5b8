//! What Karpenter's controller may do in AWS, by its version.

use std::collections::BTreeMap;

use aws::partition::partition;
use serde_json::{Value, json};

/// Whose Karpenter it is.
#[derive(Debug)]
pub struct Scope<'a> {
    /// The region.
    pub region: &'a str,
    /// The account.
    pub account: &'a str,
    /// The cluster.
    pub cluster: &'a str,
    /// The ARN of the role of its nodes.
    pub node_role_arn: &'a str,
    /// The ARN of the queue of interruptions.
    pub queue_arn: &'a str,
    /// The minor of its version: of 1.14 the 14.
    pub minor: u32,
}

impl Scope<'_> {
    fn arn(&self, of: &str) -> String {
        format!("arn:{}:{of}", partition(self.region))
    }

    /// ARNs of everything of these types in the region.
    fn of_ec2(&self, types: &[&str]) -> Vec<String> {
        let one = |of: &&str| self.arn(&format!("ec2:{}:*:{of}/*", self.region));
        types.iter().map(one).collect()
    }

    /// That the tags of `place` (`aws:RequestTag`, `aws:ResourceTag`) are those of this cluster's things.
    fn is_ours(&self, place: &str) -> Value {
        json!({ (format!("{place}/kubernetes.io/cluster/{}", self.cluster)): "owned" })
    }

    fn cluster_arn(&self) -> String {
        self.arn(&format!(
            "eks:{}:{}:cluster/{}",
            self.region, self.account, self.cluster
        ))
    }
}

/// Inline policies by name: together below the 10,240 characters that a role takes (Karpenter, cloudformation.yaml of the getting
/// started guide, 1.14; what came with which version: Karpenter, upgrade guide).
pub fn policies(scope: &Scope<'_>) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    let mut policy = |name: &str, statements: Vec<Value>| {
        all.insert(
            name.to_owned(),
            json!({ "Version": "2012-10-17", "Statement": statements }),
        );
    };
    policy("nodes", nodes(scope));
    policy("instance-profiles", instance_profiles(scope));
    policy("looks", looks(scope));
    policy(
        "interruptions",
        vec![json!({
            "Effect": "Allow",
            "Action": ["sqs:DeleteMessage", "sqs:GetQueueUrl", "sqs:ReceiveMessage"],
            "Resource": scope.queue_arn,
        })],
    );
    all
}

const NODE_POOL: &str = "karpenter.sh/nodepool";
const CLUSTER_NAME: &str = "eks:eks-cluster-name";

fn nodes(scope: &Scope<'_>) -> Vec<Value> {
    let owned = [
        "fleet",
        "instance",
        "volume",
        "network-interface",
        "launch-template",
        "spot-instances-request",
    ];
    let mut given = vec!["security-group", "subnet", "capacity-reservation"];
    if scope.minor >= 11 {
        given.push("placement-group");
    }
    let images = ["image", "snapshot"].map(|of| scope.arn(&format!("ec2:{}::{of}/*", scope.region)));
    let given = [images.to_vec(), scope.of_ec2(&given)].concat();
    let launch = json!(["ec2:RunInstances", "ec2:CreateFleet"]);
    let there = json!({
        "StringEquals": scope.is_ours("aws:ResourceTag"),
        "StringLike": { (format!("aws:ResourceTag/{NODE_POOL}")): "*" },
    });
    let mut asked = scope.is_ours("aws:RequestTag");
    asked[format!("aws:RequestTag/{CLUSTER_NAME}")] = scope.cluster.into();
    let of_a_pool = json!({ (format!("aws:RequestTag/{NODE_POOL}")): "*" });
    let mut tagged = asked.clone();
    tagged["ec2:CreateAction"] = json!(["RunInstances", "CreateFleet", "CreateLaunchTemplate"]);
    let mut retagged = there.clone();
    retagged["StringEqualsIfExists"] = json!({ (format!("aws:RequestTag/{CLUSTER_NAME}")): scope.cluster });
    retagged["ForAllValues:StringEquals"] =
        json!({ "aws:TagKeys": [CLUSTER_NAME, "karpenter.sh/nodeclaim", "Name"] });
    vec![
        json!({ "Effect": "Allow", "Action": launch, "Resource": given }),
        json!({
            "Effect": "Allow",
            "Action": launch,
            "Resource": scope.of_ec2(&["launch-template"]),
            "Condition": there,
        }),
        json!({
            "Effect": "Allow",
            "Action": ["ec2:RunInstances", "ec2:CreateFleet", "ec2:CreateLaunchTemplate"],
            "Resource": scope.of_ec2(&owned),
            "Condition": { "StringEquals": asked, "StringLike": of_a_pool },
        }),
        json!({
            "Effect": "Allow",
            "Action": "ec2:CreateTags",
            "Resource": scope.of_ec2(&owned),
            "Condition": { "StringEquals": tagged, "StringLike": of_a_pool },
        }),
        json!({
            "Effect": "Allow",
            "Action": "ec2:CreateTags",
            "Resource": scope.of_ec2(&["instance"]),
            "Condition": retagged,
        }),
        json!({
            "Effect": "Allow",
            "Action": ["ec2:TerminateInstances", "ec2:DeleteLaunchTemplate"],
            "Resource": scope.of_ec2(&["instance", "launch-template"]),
            "Condition": there,
        }),
        // EC2 makes its role for spot instances where the account has none, on behalf of whoever asks for the first of them (EC2 user
        // guide, "Service-linked role for Spot Instance requests").
        json!({
            "Effect": "Allow",
            "Action": "iam:CreateServiceLinkedRole",
            "Resource": "*",
            "Condition": { "StringEquals": { "iam:AWSServiceName": "spot.amazonaws.com" } },
        }),
    ]
}

fn instance_profiles(scope: &Scope<'_>) -> Vec<Value> {
    let all = scope.arn(&format!("iam::{}:instance-profile/*", scope.account));
    let region = |place: &str| {
        (
            format!("{place}/topology.kubernetes.io/region"),
            Value::from(scope.region),
        )
    };
    let class = |place: &str| {
        (
            format!("{place}/karpenter.k8s.aws/ec2nodeclass"),
            Value::from("*"),
        )
    };
    let asked = "aws:RequestTag";
    let there = "aws:ResourceTag";
    let equal = |places: &[&str]| -> Value {
        let mut all = serde_json::Map::new();
        for place in places {
            all.extend(scope.is_ours(place).as_object().cloned().unwrap_or_default());
            all.extend([region(place)]);
            if *place == asked {
                all.insert(format!("{place}/{CLUSTER_NAME}"), scope.cluster.into());
            }
        }
        all.into()
    };
    let like = |places: &[&str]| -> Value {
        places
            .iter()
            .map(|place| class(place))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let condition = |places: &[&str]| json!({ "StringEquals": equal(places), "StringLike": like(places) });
    vec![
        json!({
            "Effect": "Allow",
            "Action": "iam:PassRole",
            "Resource": scope.node_role_arn,
            "Condition": { "StringEquals": {
                "iam:PassedToService": ["ec2.amazonaws.com", "ec2.amazonaws.com.cn"],
            } },
        }),
        json!({
            "Effect": "Allow",
            "Action": "iam:CreateInstanceProfile",
            "Resource": all,
            "Condition": condition(&[asked]),
        }),
        json!({
            "Effect": "Allow",
            "Action": "iam:TagInstanceProfile",
            "Resource": all,
            "Condition": condition(&[asked, there]),
        }),
        json!({
            "Effect": "Allow",
            "Action": [
                "iam:AddRoleToInstanceProfile",
                "iam:RemoveRoleFromInstanceProfile",
                "iam:DeleteInstanceProfile",
            ],
            "Resource": all,
            "Condition": condition(&[there]),
        }),
    ]
}

fn looks(scope: &Scope<'_>) -> Vec<Value> {
    let mut regional = vec![
        "CapacityReservations",
        "Images",
        "Instances",
        "InstanceTypeOfferings",
        "InstanceTypes",
        "LaunchTemplates",
        "SecurityGroups",
        "SpotPriceHistory",
        "Subnets",
    ];
    if scope.minor >= 11 {
        regional.push("PlacementGroups");
    }
    if scope.minor >= 12 {
        regional.push("InstanceStatus");
    }
    let regional: Vec<String> = regional.iter().map(|of| format!("ec2:Describe{of}")).collect();
    // Without these on everything a node class never goes (aws/karpenter-provider-aws#8501, #9185).
    let mut anywhere = vec!["pricing:GetProducts", "iam:GetInstanceProfile"];
    if scope.minor >= 7 {
        anywhere.push("iam:ListInstanceProfiles");
    }
    let mut all = vec![
        json!({
            "Effect": "Allow",
            "Action": regional,
            "Resource": "*",
            "Condition": { "StringEquals": { "aws:RequestedRegion": scope.region } },
        }),
        json!({ "Effect": "Allow", "Action": anywhere, "Resource": "*" }),
        json!({
            "Effect": "Allow",
            "Action": "ssm:GetParameter",
            "Resource": scope.arn(&format!("ssm:{}::parameter/aws/service/*", scope.region)),
        }),
        json!({ "Effect": "Allow", "Action": "eks:DescribeCluster", "Resource": scope.cluster_arn() }),
    ];
    if scope.minor >= 12 {
        all.push(json!({
            "Effect": "Allow",
            "Action": "arc-zonal-shift:GetManagedResource",
            "Resource": "*",
            "Condition": { "StringEquals": { "arc-zonal-shift:ResourceIdentifier": scope.cluster_arn() } },
        }));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(cluster: &str, minor: u32) -> BTreeMap<String, Value> {
        policies(&Scope {
            region: "ap-southeast-2",
            account: "123456789012",
            cluster,
            node_role_arn: &format!("arn:aws:iam::123456789012:role/{cluster}-karpenter-node"),
            queue_arn: &format!("arn:aws:sqs:ap-southeast-2:123456789012:{cluster}-karpenter"),
            minor,
        })
    }

    /// IAM quotas: all inline policies of a role have 10,240 characters, without white space.
    #[test]
    fn the_policies_fit_a_role_also_with_the_longest_name() {
        let longest = "x".repeat(super::super::LONGEST_CLUSTER);
        let size: usize = of(&longest, 14)
            .values()
            .map(|policy| policy.to_string().len())
            .sum();
        assert!(size < 10_240, "{size}");
    }

    #[test]
    fn a_policy_follows_the_version() {
        let has = |minor: u32, action: &str| {
            let all: String = of("main", minor).values().map(Value::to_string).collect();
            all.contains(action)
        };
        for (action, since) in [
            ("iam:ListInstanceProfiles", 7),
            ("ec2:DescribePlacementGroups", 11),
            ("ec2:DescribeInstanceStatus", 12),
            ("arc-zonal-shift:GetManagedResource", 12),
        ] {
            assert!(has(since, action) && !has(since - 1, action), "{action}");
        }
    }
}
