//! What keeps a subnet, security group or VPC in use: its network interfaces, and whose they probably are.

use std::fmt::Write as _;

use aws_sdk_ec2::types::NetworkInterface;
use reconcile::failure::{Class, Failure};

use super::find::{Place, pages};
use crate::Aws;
use crate::failure::codes;

/// Most interfaces that a message names.
const NAMED: usize = 5;

/// Whether an interface goes by itself once its owner has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Prospect {
    /// AWS removes it within minutes of its owner.
    Goes,
    /// Left over by the CNI of a node that is gone: nobody removes it.
    Leftover,
    /// It stays until somebody removes it or its owner.
    Stays,
}

/// Beginnings of descriptions: whose interface it is, and whether it goes with its owner.
const DESCRIPTIONS: &[(&str, &str, Prospect)] = &[
    ("ELB ", "a load balancer", Prospect::Goes),
    ("Interface for NAT Gateway", "a NAT gateway", Prospect::Goes),
    ("Amazon EKS", "an EKS cluster", Prospect::Goes),
    (
        "AWS Lambda VPC ENI",
        "a Lambda function (its interfaces go up to 40 minutes after it)",
        Prospect::Goes,
    ),
    ("VPC Endpoint Interface", "a VPC endpoint", Prospect::Goes),
    ("aws-K8S-", "the CNI of an EKS node", Prospect::Goes),
    ("RDSNetworkInterface", "an RDS database", Prospect::Stays),
    ("ElastiCache", "an ElastiCache cluster", Prospect::Stays),
    ("Amazon ElastiCache", "an ElastiCache cluster", Prospect::Stays),
    ("AmazonMQ", "an Amazon MQ broker", Prospect::Stays),
    ("Amazon MQ", "an Amazon MQ broker", Prospect::Stays),
    ("EFS mount target", "an EFS file system", Prospect::Stays),
    (
        "AWS created network interface for directory",
        "a directory",
        Prospect::Stays,
    ),
    ("Network interface for DBProxy", "an RDS proxy", Prospect::Stays),
    ("arn:aws:ecs", "an ECS task", Prospect::Goes),
];

fn judge(interface: &NetworkInterface) -> (String, Prospect) {
    let description = interface.description().unwrap_or_default();
    let free = interface
        .status()
        .is_some_and(|status| status.as_str() == "available");
    let of_cni = description.starts_with("aws-K8S-")
        || interface
            .tag_set()
            .iter()
            .any(|tag| tag.key() == Some("eks:eni:owner") && tag.value() == Some("amazon-vpc-cni"));
    if of_cni && free {
        return (
            "left over by the CNI of an EKS node".to_owned(),
            Prospect::Leftover,
        );
    }
    if let Some((_, owner, prospect)) = DESCRIPTIONS
        .iter()
        .find(|(start, ..)| description.starts_with(start))
    {
        return ((*owner).to_owned(), *prospect);
    }
    match interface
        .attachment()
        .and_then(|attachment| attachment.instance_id())
    {
        // It may be shutting down.
        Some(instance) => (format!("the instance {instance}"), Prospect::Goes),
        None if free => ("attached to nothing".to_owned(), Prospect::Stays),
        None => match interface.requester_id() {
            Some(requester) => (format!("made by {requester}"), Prospect::Stays),
            None => ("owner unknown".to_owned(), Prospect::Stays),
        },
    }
}

/// The failure of a deletion, with the network interfaces that are in its way; leftovers among them are deleted.
///
/// `filter` and `id` say where: `subnet-id`, `group-id`, `vpc-id`. Class `Busy` where waiting may help, else `Stuck`.
pub(crate) async fn explain(place: &Place, failure: Failure, filter: &str, id: &str) -> Failure {
    let interfaces = interfaces(place, filter, id).await;
    match interfaces {
        // Something else uses it, or the look is denied: what AWS said has to do.
        Err(_) => failure,
        Ok(interfaces) if interfaces.is_empty() => failure,
        Ok(interfaces) => {
            let judged: Vec<_> = interfaces
                .iter()
                .map(|interface| (interface, judge(interface)))
                .collect();
            for (interface, _) in judged
                .iter()
                .filter(|(_, (_, prospect))| *prospect == Prospect::Leftover)
            {
                remove(place, interface.network_interface_id().unwrap_or_default()).await;
            }
            told(failure, &judged)
        }
    }
}

async fn interfaces(place: &Place, filter: &str, id: &str) -> Result<Vec<NetworkInterface>, Failure> {
    let doing = format!("looking what uses {id}");
    let filters = vec![(filter.to_owned(), vec![id.to_owned()])];
    pages!(
        place,
        "ec2:DescribeNetworkInterfaces",
        doing.as_str(),
        describe_network_interfaces,
        set_filters,
        network_interfaces,
        filters
    )
}

/// A network interface that keeps a VPC or subnet in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// Its id: `eni-…`.
    pub interface: String,
    /// Its description, as whoever made it wrote it.
    pub description: String,
    /// Whose it probably is, for example `a load balancer`.
    pub owner: String,
}

impl Aws {
    /// What has network interfaces in the VPC, our own NAT gateways and endpoints among them.
    ///
    /// # Errors
    /// Where the call fails; IAM action `ec2:DescribeNetworkInterfaces`.
    pub async fn vpc_in_use_by(&self, region: &str, vpc: &str) -> Result<Vec<Use>, Failure> {
        uses(&Place::new(self, region), "vpc-id", vpc).await
    }

    /// The same of one subnet.
    ///
    /// # Errors
    /// As for [`Aws::vpc_in_use_by`].
    pub async fn subnet_in_use_by(&self, region: &str, subnet: &str) -> Result<Vec<Use>, Failure> {
        uses(&Place::new(self, region), "subnet-id", subnet).await
    }
}

async fn uses(place: &Place, filter: &str, id: &str) -> Result<Vec<Use>, Failure> {
    let described = |interface: NetworkInterface| Use {
        owner: judge(&interface).0,
        interface: interface.network_interface_id.unwrap_or_default(),
        description: interface.description.unwrap_or_default(),
    };
    Ok(interfaces(place, filter, id)
        .await?
        .into_iter()
        .map(described)
        .collect())
}

async fn remove(place: &Place, id: &str) {
    let Ok(ec2) = place.ec2().await else { return };
    let delete = ec2
        .write
        .delete_network_interface()
        .network_interface_id(id)
        .send();
    let doing = format!("deleting the left-over network interface {id}");
    // The next attempt to delete what it is in will tell.
    if place
        .aws
        .call("ec2:DeleteNetworkInterface", doing, delete)
        .await
        .is_ok()
    {
        tracing::info!(id, "deleted a network interface that the CNI left over");
    }
}

fn told(mut failure: Failure, judged: &[(&NetworkInterface, (String, Prospect))]) -> Failure {
    let mut text = String::new();
    for (interface, (owner, _)) in judged.iter().take(NAMED) {
        let id = interface.network_interface_id().unwrap_or_default();
        let description = interface.description().unwrap_or_default();
        let separator = if text.is_empty() { "" } else { ", " };
        // Writing to a String cannot fail.
        let _ = write!(text, "{separator}{id} (\"{description}\", {owner})");
    }
    if judged.len() > NAMED {
        let _ = write!(text, " and {} more", judged.len() - NAMED);
    }
    failure.cause = format!(
        "{}. Network interfaces in the way: {text}",
        failure.cause.trim_end_matches('.')
    );
    if judged
        .iter()
        .any(|(_, (_, prospect))| *prospect == Prospect::Stays)
    {
        failure.class = Class::Stuck;
    }
    failure
        .code(codes::HELD)
        .hint("Remove what the interfaces belong to (or the interfaces themselves), then run again")
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::{NetworkInterfaceStatus, Tag};

    use super::*;

    fn interface(description: &str, status: NetworkInterfaceStatus) -> NetworkInterface {
        NetworkInterface::builder()
            .network_interface_id("eni-1")
            .description(description)
            .status(status)
            .build()
    }

    #[test]
    fn owners_are_told_by_description() {
        use NetworkInterfaceStatus::{Available, InUse};
        let of = |description, status| judge(&interface(description, status));
        assert_eq!(
            of("ELB app/k8s-web/50dc6c495c0c9188", InUse),
            ("a load balancer".into(), Prospect::Goes)
        );
        assert_eq!(
            of("Amazon EKS staging", InUse),
            ("an EKS cluster".into(), Prospect::Goes)
        );
        assert_eq!(of("aws-K8S-i-0123", InUse).1, Prospect::Goes);
        assert_eq!(of("aws-K8S-i-0123", Available).1, Prospect::Leftover);
        assert_eq!(
            of("RDSNetworkInterface", InUse),
            ("an RDS database".into(), Prospect::Stays)
        );
        assert_eq!(of("mine", Available).1, Prospect::Stays);
        let tagged = NetworkInterface::builder()
            .status(Available)
            .tag_set(
                Tag::builder()
                    .key("eks:eni:owner")
                    .value("amazon-vpc-cni")
                    .build(),
            )
            .build();
        assert_eq!(judge(&tagged).1, Prospect::Leftover);
    }

    #[test]
    fn the_error_names_the_interface_and_its_probable_owner() {
        let busy = || {
            Failure::new(
                Class::Busy,
                "deleting subnet subnet-1",
                "DependencyViolation: has dependencies",
            )
        };
        let balancer = interface("ELB app/web/1", NetworkInterfaceStatus::InUse);
        let failure = told(busy(), &[(&balancer, judge(&balancer))]);
        assert_eq!(failure.class, Class::Busy);
        assert_eq!(
            failure.cause,
            "DependencyViolation: has dependencies. Network interfaces in the way: eni-1 (\"ELB app/web/1\", a load balancer)"
        );
        let strange = interface("mine", NetworkInterfaceStatus::Available);
        assert_eq!(told(busy(), &[(&strange, judge(&strange))]).class, Class::Stuck);
    }
}
