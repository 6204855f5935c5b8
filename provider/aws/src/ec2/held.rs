//! What keeps a subnet, security group or VPC in use: its network interfaces, and whose they probably are.

use aws_sdk_ec2::types::NetworkInterface;
use futures::future::join_all;
use futures::join;
use reconcile::failure::{Class, Failure};
use reconcile::part::{Deleted, Object};

use super::obstacles::{self, Ours};
use crate::Aws;
use crate::kind::{Ec2, Place, by};

/// Whether something goes by itself once its owner has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prospect {
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

pub(crate) fn judge(interface: &NetworkInterface) -> (String, Prospect) {
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

/// Where something in the way of a deletion is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Within {
    Subnet,
    /// What has this group, and rules that refer to it.
    Group,
    Vpc,
    /// What has a public address in the VPC: its internet gateway cannot be detached.
    Public,
}

/// What became of deleting the object; where it is in use, the failure names what is in its way, and left-over interfaces among
/// that are deleted. `id` is that of the subnet, group or VPC. Class `Busy` where waiting may help, else `Stuck`.
pub(crate) async fn explain<T>(
    ec2: &Ec2,
    deleted: Result<T, Failure>,
    within: Within,
    id: &str,
    object: &Object,
) -> Result<Deleted, Failure> {
    let failure = match deleted {
        Err(failure) if failure.class == Class::Busy => failure,
        other => return other.map(|_| Deleted::Gone),
    };
    let going = [object];
    let ours = Ours::new(object, &going);
    let interfaces = |filter: &'static str| obstacles::interfaces(ec2, filter, id, &ours);
    // A look that fails tells nothing: what AWS said has to do.
    let found = match within {
        Within::Vpc => obstacles::in_vpc(ec2, id, &ours).await,
        Within::Subnet => interfaces("subnet-id").await,
        Within::Group => {
            let groups = [id];
            let rules = obstacles::rules(ec2, &groups, &ours);
            let (mut found, rules) = join!(interfaces("group-id"), rules);
            found.extend(rules);
            found
        }
        Within::Public => {
            let mut found = interfaces("vpc-id").await;
            found.retain(|found| found.is_public);
            found
        }
    };
    for left in found.iter().filter(|found| found.prospect == Prospect::Leftover) {
        remove(ec2, &left.id).await;
    }
    Err(obstacles::told(failure, &found))
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
    let ec2: Ec2 = place.api(format!("looking what uses {id}")).await?;
    let described = |interface: NetworkInterface| Use {
        owner: judge(&interface).0,
        interface: interface.network_interface_id.unwrap_or_default(),
        description: interface.description.unwrap_or_default(),
    };
    Ok(ec2
        .list(by(filter, id))
        .await?
        .into_iter()
        .map(described)
        .collect())
}

/// Deletes the interfaces that the CNI of a cluster's nodes has left in whatever subnet, with whatever group. A look that fails finds
/// nothing: whoever deletes the subnet finds them too.
pub(crate) async fn remove_leftovers(ec2: &Ec2, cluster: &str) {
    let filters = [
        by("tag:cluster.k8s.amazonaws.com/name", cluster),
        by("status", "available"),
    ];
    let found = ec2.list::<NetworkInterface>(filters.concat()).await;
    let left = found.unwrap_or_default().into_iter();
    let left = left.filter(|interface| judge(interface).1 == Prospect::Leftover);
    join_all(
        left.filter_map(|interface| interface.network_interface_id)
            .map(|id| async move {
                remove(ec2, &id).await;
            }),
    )
    .await;
}

async fn remove(ec2: &Ec2, id: &str) {
    let ec2 = ec2.to(format!("deleting the left-over network interface {id}"));
    let delete = ec2.write.delete_network_interface().network_interface_id(id);
    // The next attempt to delete what it is in will tell.
    if ec2
        .call("ec2:DeleteNetworkInterface", delete.send())
        .await
        .is_ok()
    {
        tracing::info!(id, "deleted a network interface that the CNI left over");
    }
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
}
