//! What others have in a cluster, and what programs in it have made of AWS: some of it keeps EKS from deleting the cluster, the rest
//! would be left behind and cost money.

use std::collections::BTreeSet;
use std::fmt;

use aws_sdk_ec2::types::{Instance, NetworkInterface, SecurityGroup};
use futures::future::try_join_all;
use futures::{join, try_join};
use reconcile::failure::{Class, Failure};
use reconcile::part::{Condition, Object, Tags};

use super::{AccessEntry, Eks, NodeGroup};
use crate::client::Aws;
use crate::ec2::maker;
use crate::failure::codes;
use crate::kind::{Ec2, Filters, Listed, Place, UnderParent, by, gone, id_under, pages};

/// The tag of a cluster whose deletion takes along what others have in it: a delete sees nothing of what is declared.
pub const FORCE_DESTROY: &str = "ForceDestroy";

/// Something in a cluster, or made from inside of it, that is not ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guest {
    /// What it is.
    pub what: What,
    /// Its name or id.
    pub name: String,
    /// Who made it, where its tags tell.
    pub maker: Option<String>,
}

/// What a guest is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// A managed node group.
    NodeGroup,
    /// A Fargate profile.
    FargateProfile,
    /// An instance that Karpenter made.
    KarpenterInstance,
    /// An instance of an Auto Scaling group of somebody's own.
    Instance,
    /// A load balancer of a Service or an Ingress.
    LoadBalancer,
}

impl What {
    /// Whether EKS refuses to delete the cluster for it (AWS EKS `DeleteCluster`).
    pub fn holds_the_cluster(self) -> bool {
        matches!(self, Self::NodeGroup | Self::FargateProfile)
    }

    /// Whether a deletion with [`FORCE_DESTROY`] takes it along. Auto Scaling groups would make their instances again, and a load
    /// balancer has the name by which the world outside knows a service.
    pub fn is_taken_along(self) -> bool {
        self.holds_the_cluster() || self == Self::KarpenterInstance
    }

    /// What to do with it by hand.
    pub fn advice(self) -> &'static str {
        match self {
            Self::NodeGroup | Self::FargateProfile => {
                "Node groups and Fargate profiles: whoever made them deletes them"
            }
            Self::KarpenterInstance => {
                "Instances of Karpenter: delete its node pools while it runs (kubectl delete nodepools --all), else terminate them"
            }
            Self::Instance => "Other instances: delete their Auto Scaling group",
            Self::LoadBalancer => {
                "Load balancers: delete Ingresses and Services of type LoadBalancer while their controller runs, else delete the \
                 load balancers and then their security groups"
            }
        }
    }
}

impl fmt::Display for Guest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.what {
            What::NodeGroup => "node group",
            What::FargateProfile => "Fargate profile",
            What::KarpenterInstance | What::Instance => "instance",
            What::LoadBalancer => "load balancer",
        };
        write!(out, "{what} {}", self.name)?;
        match &self.maker {
            Some(maker) => write!(out, " (of {maker})"),
            None => Ok(()),
        }
    }
}

/// What is in a cluster beside `ours` (ids of node groups: `cluster/name`), and the failures of looks that were not allowed or did not
/// come through.
pub async fn guests(
    aws: &Aws,
    region: &str,
    cluster: &str,
    ours: &BTreeSet<String>,
) -> (Vec<Guest>, Vec<Failure>) {
    look(&Place::new(aws, region), cluster, &|name: &str| {
        ours.contains(&id_under(cluster, name))
    })
    .await
}

/// The ARNs of the principals that have access entries.
///
/// # Errors
/// Where the call fails; IAM action `eks:ListAccessEntries`.
pub async fn principals(aws: &Aws, region: &str, cluster: &str) -> Result<Vec<String>, Failure> {
    let place = Place::new(aws, region);
    let eks: Eks = place
        .api(format!("listing the access entries of {cluster}"))
        .await?;
    AccessEntry::list(&eks, cluster).await
}

/// What all guests of these sorts are to do, a sentence a sort.
pub fn advice<'a>(guests: impl IntoIterator<Item = &'a Guest>) -> String {
    let sorts: BTreeSet<What> = guests.into_iter().map(|guest| guest.what).collect();
    let sentences: BTreeSet<&str> = sorts.into_iter().map(What::advice).collect();
    sentences.into_iter().collect::<Vec<_>>().join(". ")
}

/// Fails where something is in the way of the deletion of the cluster, or would be left behind by it, unless its tag says that it
/// goes or stays all the same.
pub(super) async fn before(eks: &Eks, cluster: &Object, ours: &[&Object]) -> Result<(), Failure> {
    if is_forced(&cluster.tags) {
        return Ok(());
    }
    let ours: BTreeSet<&str> = ours.iter().map(|object| object.id.as_str()).collect();
    let is_ours = |name: &str| ours.contains(id_under(&cluster.id, name).as_str());
    // Who cannot look finds nothing: EKS will refuse.
    let (found, _) = look(&eks.place, &cluster.id, &is_ours).await;
    if found.is_empty() {
        return Ok(());
    }
    let named: Vec<String> = found.iter().map(ToString::to_string).collect();
    // What programs made goes some minutes after what they made it for: the looks' patience with what is made is as good here.
    let class = if found.iter().any(|guest| guest.what.holds_the_cluster()) {
        Class::Invalid
    } else {
        Class::NotYet
    };
    let cause = format!(
        "others have in it, or it would leave behind: {}",
        named.join("; ")
    );
    let failure = Failure::new(class, format!("deleting EKS cluster {}", cluster.id), cause);
    Err(failure.code(codes::BUSY).hint(format!(
        "{}. Or set `force_destroy = true`, apply, and destroy again. Nothing was deleted.",
        advice(&found)
    )))
}

/// Whether the deletion takes along what others have in it.
pub(super) fn is_forced(tags: &Tags) -> bool {
    tags.get(FORCE_DESTROY).is_some_and(|value| value == "true")
}

/// Deletes what others have in a cluster that goes, which has nothing of ours any more. Class `Busy` until all of it is gone.
pub(super) async fn take_along(eks: &Eks, cluster: &str) -> Result<(), Failure> {
    let (found, failures) = look(&eks.place, cluster, &|_| false).await;
    if let Some(failure) = failures.into_iter().next() {
        return Err(failure);
    }
    let goes: Vec<&Guest> = found.iter().filter(|guest| guest.what.is_taken_along()).collect();
    if goes.is_empty() {
        return Ok(());
    }
    let mut instances = Vec::new();
    for guest in &goes {
        let eks = eks.to(format!("deleting {guest} of {cluster}"));
        match guest.what {
            What::NodeGroup => {
                let delete = eks.write.delete_nodegroup().cluster_name(cluster);
                let delete = delete.nodegroup_name(&guest.name).send();
                begun(eks.call("eks:DeleteNodegroup", delete).await)?;
            }
            What::FargateProfile => {
                let delete = eks.write.delete_fargate_profile().cluster_name(cluster);
                let delete = delete.fargate_profile_name(&guest.name).send();
                begun(eks.call("eks:DeleteFargateProfile", delete).await)?;
            }
            What::KarpenterInstance => instances.push(guest.name.clone()),
            What::Instance | What::LoadBalancer => {}
        }
    }
    if !instances.is_empty() {
        let ec2: Ec2 = eks
            .place
            .api(format!("terminating Karpenter's instances of {cluster}"))
            .await?;
        let terminate = ec2.write.terminate_instances().set_instance_ids(Some(instances));
        gone(ec2.call("ec2:TerminateInstances", terminate.send()).await)?;
    }
    let named: Vec<String> = goes.iter().map(ToString::to_string).collect();
    let cause = format!("{} is being deleted with it", named.join("; "));
    Err(Failure::new(Class::Busy, eks.doing(), cause).code(codes::BUSY))
}

/// A deletion that is under way already, or over, is as good as begun.
fn begun<T>(answer: Result<T, Failure>) -> Result<(), Failure> {
    match answer {
        Err(failure) if failure.class == Class::Busy => Ok(()),
        other => gone(other),
    }
}

/// All that is there, as far as it may be looked at.
async fn look(
    place: &Place,
    cluster: &str,
    is_ours: &(dyn Fn(&str) -> bool + Sync),
) -> (Vec<Guest>, Vec<Failure>) {
    let (groups, profiles, instances, balancers) = join!(
        node_groups(place, cluster, is_ours),
        fargate_profiles(place, cluster),
        instances(place, cluster),
        load_balancers(place, cluster)
    );
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for looked in [groups, profiles, instances, balancers] {
        match looked {
            Ok(guests) => found.extend(guests),
            // The cluster is gone.
            Err(failure) if failure.class == Class::NotFound => {}
            Err(failure) => failures.push(failure),
        }
    }
    (found, failures)
}

async fn node_groups(
    place: &Place,
    cluster: &str,
    is_ours: &(dyn Fn(&str) -> bool + Sync),
) -> Result<Vec<Guest>, Failure> {
    let eks: Eks = place.api(format!("listing the node groups of {cluster}")).await?;
    let names = NodeGroup::list(&eks, cluster).await?;
    let theirs = names.into_iter().filter(|name| !is_ours(name));
    let seen = theirs.map(|name| {
        let eks = &eks;
        async move {
            let object = match NodeGroup::see(eks, cluster, &name).await {
                Err(failure) if failure.class == Class::NotFound => None,
                seen => seen?,
            };
            let stays = object.filter(|group| group.condition != Condition::Deleting);
            Ok::<_, Failure>(stays.map(|group| guest(What::NodeGroup, name, &group.tags)))
        }
    });
    Ok(try_join_all(seen).await?.into_iter().flatten().collect())
}

async fn fargate_profiles(place: &Place, cluster: &str) -> Result<Vec<Guest>, Failure> {
    let eks: Eks = place
        .api(format!("listing the Fargate profiles of {cluster}"))
        .await?;
    let names = pages(|token| async {
        let list = eks.read.list_fargate_profiles().cluster_name(cluster);
        let list = list.set_next_token(token).send();
        let answer = eks.call("eks:ListFargateProfiles", list).await?;
        Ok((answer.fargate_profile_names, answer.next_token))
    });
    let guests = names.await?.into_iter();
    Ok(guests
        .map(|name| guest(What::FargateProfile, name, &Tags::new()))
        .collect())
}

/// Instances of nobody's managed node group: those of Karpenter, and those of Auto Scaling groups.
async fn instances(place: &Place, cluster: &str) -> Result<Vec<Guest>, Failure> {
    let ec2: Ec2 = place.api(format!("listing the instances of {cluster}")).await?;
    let alive = ["pending", "running", "stopping", "stopped"].map(str::to_owned);
    let filters = [
        owned_by(cluster),
        vec![("instance-state-name".to_owned(), alive.into())],
    ];
    let found: Vec<Instance> = ec2.list(filters.concat()).await?;
    let guests = found.into_iter().filter_map(|instance| {
        let tags = instance.all_tags();
        if tags.contains_key("eks:nodegroup-name") {
            return None;
        }
        let what = if tags.contains_key("karpenter.sh/nodepool") {
            What::KarpenterInstance
        } else {
            What::Instance
        };
        Some(guest(what, instance.instance_id?, &tags))
    });
    Ok(guests.collect())
}

/// Load balancers by their security groups and interfaces, which carry the cluster's name: the service has no filter for tags.
async fn load_balancers(place: &Place, cluster: &str) -> Result<Vec<Guest>, Failure> {
    let ec2: Ec2 = place
        .api(format!("listing the load balancers of {cluster}"))
        .await?;
    let (new, old) = try_join!(
        ec2.list::<SecurityGroup>(by("tag:elbv2.k8s.aws/cluster", cluster)),
        ec2.list::<SecurityGroup>(owned_by(cluster))
    )?;
    let groups: Vec<SecurityGroup> = new.into_iter().chain(old).collect();
    let ids: BTreeSet<String> = groups.iter().filter_map(|group| group.group_id.clone()).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let filter = vec![("group-id".to_owned(), ids.into_iter().collect())];
    let interfaces: Vec<NetworkInterface> = ec2.list(filter).await?;
    let names: BTreeSet<String> = interfaces
        .iter()
        .filter_map(|interface| balancer(interface.description()?))
        .collect();
    let guests = names.into_iter();
    Ok(guests
        .map(|name| guest(What::LoadBalancer, name, &Tags::new()))
        .collect())
}

/// The load balancer of an interface: `ELB app/k8s-shop/0123`, `ELB net/k8s-shop/0123`, `ELB a0123` of a classic one.
fn balancer(description: &str) -> Option<String> {
    let name = description.strip_prefix("ELB ")?;
    let mut parts = name.split('/');
    match (parts.next(), parts.next()) {
        (Some("app" | "net" | "gwy"), Some(name)) => Some(name.to_owned()),
        (Some(name), None) => Some(name.to_owned()),
        _ => None,
    }
}

fn owned_by(cluster: &str) -> Filters {
    by(&format!("tag:kubernetes.io/cluster/{cluster}"), "owned")
}

fn guest(what: What, name: String, tags: &Tags) -> Guest {
    // That something is of this cluster is known.
    let told: Tags = tags
        .iter()
        .filter(|(key, _)| !key.starts_with("kubernetes.io/cluster/") && !key.starts_with("eks:"))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let maker = maker(&told, "").map(|(maker, _)| maker);
    let group = || {
        let group = tags.get("aws:autoscaling:groupName")?;
        Some(format!("the Auto Scaling group {group}"))
    };
    let eksctl = || {
        tags.get("alpha.eksctl.io/nodegroup-name")
            .map(|_| "eksctl".to_owned())
    };
    Guest {
        what,
        name,
        maker: maker.or_else(group).or_else(eksctl),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_balancers_are_named_by_their_interfaces() {
        assert_eq!(balancer("ELB app/k8s-shop/0123"), Some("k8s-shop".into()));
        assert_eq!(balancer("ELB net/k8s-mail/0123"), Some("k8s-mail".into()));
        assert_eq!(balancer("ELB a0123"), Some("a0123".into()));
        assert_eq!(balancer("Amazon EKS test"), None);
    }

    #[test]
    fn a_guest_is_told_with_who_made_it() {
        let tags = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter();
            pairs
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect()
        };
        for (what, found, told) in [
            (
                What::KarpenterInstance,
                tags(&[
                    ("karpenter.sh/nodepool", "web"),
                    ("kubernetes.io/cluster/prod", "owned"),
                ]),
                "instance it (of Karpenter, for its node pool web)",
            ),
            (
                What::NodeGroup,
                tags(&[("aws:cloudformation:stack-name", "eksctl-prod")]),
                "node group it (of the CloudFormation stack eksctl-prod)",
            ),
            (
                What::Instance,
                tags(&[
                    ("aws:autoscaling:groupName", "workers"),
                    ("kubernetes.io/cluster/prod", "owned"),
                ]),
                "instance it (of the Auto Scaling group workers)",
            ),
            (What::FargateProfile, tags(&[]), "Fargate profile it"),
        ] {
            assert_eq!(guest(what, "it".to_owned(), &found).to_string(), told);
        }
    }
}
