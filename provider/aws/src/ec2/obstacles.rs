//! What others have in a VPC of ours, or make of it: AWS refuses to delete the VPC, a subnet or a group for it.
//!
//! Amazon VPC user guide, "Delete your VPC": instances, load balancers and whatever else has network interfaces, gateways,
//! endpoints, peerings, and all subnets, groups, tables and ACLs beside the default ones go first.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{
    EgressOnlyInternetGateway, Instance, InternetGateway, NatGateway, NetworkAcl, NetworkInterface,
    RouteTable, SecurityGroup, Subnet, TransitGatewayVpcAttachment, VpcEndpoint, VpcPeeringConnection,
    VpnGateway,
};
use futures::join;
use reconcile::failure::{Class, Failure};
use reconcile::part::{Object, Tags};

use super::held::{self, Prospect};
use crate::failure::codes;
use crate::kind::{Ec2, Filters, Listed, by};

/// Most things that a message names.
const NAMED: usize = 12;

/// Something of others.
#[derive(Debug, Clone)]
pub(crate) struct Obstacle {
    what: &'static str,
    pub(crate) id: String,
    /// Its name or description.
    about: String,
    /// Whose it probably is.
    who: String,
    /// What removes it.
    next: String,
    pub(crate) prospect: Prospect,
    pub(crate) is_public: bool,
}

/// What is ours, and goes too.
#[derive(Debug, Default)]
pub(crate) struct Ours<'a> {
    ids: BTreeSet<&'a str>,
    /// Ownership tags of the VPC.
    owner: Vec<(&'a str, &'a str)>,
}

const OWNER: [&str; 3] = ["ekb:environment", "ekb:region", "ekb:resource"];

impl<'a> Ours<'a> {
    pub(crate) fn new(vpc: &'a Object, going: &'a [&'a Object]) -> Self {
        let owner = OWNER.map(|key| Some((key, vpc.tags.get(key)?.as_str())));
        Self {
            ids: going.iter().map(|object| object.id.as_str()).collect(),
            owner: owner.into_iter().collect::<Option<_>>().unwrap_or_default(),
        }
    }

    fn have(&self, id: &str, tags: &Tags) -> bool {
        let is_tag = |(key, value): &(&str, &str)| tags.get(*key).is_some_and(|theirs| theirs == value);
        self.ids.contains(id) || (!self.owner.is_empty() && self.owner.iter().all(is_tag))
    }

    /// Whether a description names one of ours: `Interface for NAT Gateway nat-0123`.
    fn are_in(&self, description: &str) -> bool {
        let is_end = |letter: char| !letter.is_ascii_alphanumeric() && letter != '-';
        description.split(is_end).any(|word| self.ids.contains(word))
    }
}

/// Who made something, by its tags and name: whose it is, and what removes it.
pub(crate) fn maker(tags: &Tags, name: &str) -> Option<(String, String)> {
    let tag = |key: &str| tags.get(key).map(String::as_str);
    let begins = |prefix: &str| tags.keys().find_map(|key| key.strip_prefix(prefix));
    let made = |who: String, next: String| Some((who, next));
    if let (Some(resource), Some(environment)) = (tag("ekb:resource"), tag("ekb:environment")) {
        return made(
            format!("{resource} of the environment {environment}"),
            format!(
                "Destroy ekb_{} of the environment {environment} first",
                resource.replacen('/', " ", 1)
            ),
        );
    }
    if let Some(cluster) = tag("elbv2.k8s.aws/cluster") {
        return made(
            format!("the AWS Load Balancer Controller of the cluster {cluster}"),
            format!(
                "Delete the Ingresses and the Services of type LoadBalancer of the cluster {cluster} while its controller \
                 runs; where the cluster is gone, delete the load balancers and then the security groups tagged \
                 elbv2.k8s.aws/cluster = {cluster}"
            ),
        );
    }
    if let Some(pool) = tag("karpenter.sh/nodepool") {
        return made(
            format!("Karpenter, for its node pool {pool}"),
            format!(
                "Delete the node pool (kubectl delete nodepool {pool}) and wait until its instances are gone; where \
                     the cluster is gone, terminate them"
            ),
        );
    }
    if let Some(group) = tag("eks:nodegroup-name") {
        let cluster = tag("eks:cluster-name").unwrap_or("its cluster");
        return made(
            format!("the node group {group} of the EKS cluster {cluster}"),
            format!("Delete the node group {group} of {cluster}"),
        );
    }
    let of_eks = tag("aws:eks:cluster-name").or_else(|| name.strip_prefix("eks-cluster-sg-"));
    if let Some(cluster) = of_eks {
        return made(
            format!("the EKS cluster {cluster}"),
            format!("Delete the EKS cluster {cluster} first; where it is gone, delete what it left over"),
        );
    }
    if name.starts_with("aws-K8S-") || tag("eks:eni:owner").is_some() {
        return made(
            "the CNI of an EKS node".into(),
            "Delete the cluster's nodes first; where they are gone, delete the interfaces aws-K8S-*".into(),
        );
    }
    if let Some(stack) = tag("aws:cloudformation:stack-name") {
        return made(
            format!("the CloudFormation stack {stack}"),
            format!("Delete the stack {stack}"),
        );
    }
    if let Some(cluster) = begins("kubernetes.io/cluster/") {
        return made(
            format!("the cluster {cluster}"),
            format!(
                "Delete what the cluster {cluster} made (its Services of type LoadBalancer, its nodes) first"
            ),
        );
    }
    None
}

/// Something of others, unless it is ours. `about` is its name or description, else its tag `Name` is.
fn obstacle<T: Listed>(what: &'static str, it: &T, about: Option<&str>, ours: &Ours<'_>) -> Option<Obstacle> {
    let (id, tags) = (it.id()?.to_owned(), it.all_tags());
    if ours.have(&id, &tags) {
        return None;
    }
    let about = about.filter(|text| !text.is_empty()).map(str::to_owned);
    let about = about.or_else(|| tags.get("Name").cloned()).unwrap_or_default();
    let (who, next) = maker(&tags, &about).unwrap_or_else(|| {
        let tagged = tags.iter().filter(|(key, _)| *key != "Name").take(3);
        let tagged: Vec<String> = tagged.map(|(key, value)| format!("{key} = {value}")).collect();
        (
            tagged.join(", "),
            format!("Delete the {what} {id}, or what made it"),
        )
    });
    Some(Obstacle {
        what,
        id,
        about,
        who,
        next,
        prospect: Prospect::Stays,
        is_public: false,
    })
}

/// Those that `of` takes for somebody else's of what the filters let through. A look that is denied finds nothing, since AWS
/// refuses the deletion later anyhow.
async fn look<T: Listed>(ec2: &Ec2, filters: Filters, of: impl Fn(T) -> Option<Obstacle>) -> Vec<Obstacle> {
    match ec2.list(filters).await {
        Ok(items) => items.into_iter().filter_map(of).collect(),
        Err(failure) => {
            tracing::debug!(%failure, "could not look what is in the way");
            Vec::new()
        }
    }
}

/// Network interfaces of others in a VPC or subnet, or with a group. Ours are those of our NAT gateways and endpoints.
pub(crate) async fn interfaces(ec2: &Ec2, filter: &str, id: &str, ours: &Ours<'_>) -> Vec<Obstacle> {
    look(ec2, by(filter, id), |interface| of_interface(interface, ours)).await
}

fn of_interface(interface: NetworkInterface, ours: &Ours<'_>) -> Option<Obstacle> {
    let (who, prospect) = held::judge(&interface);
    let description = interface.description().unwrap_or_default();
    if ours.are_in(description) {
        return None;
    }
    let (who, next) = match maker(&interface.all_tags(), description) {
        Some((maker, next)) if prospect != Prospect::Leftover => (format!("{who}, of {maker}"), next),
        _ => (
            who,
            "Remove what the interfaces belong to (or the interfaces themselves), then run again".to_owned(),
        ),
    };
    let public = interface
        .association()
        .and_then(|association| association.public_ip());
    let who = match public {
        Some(address) => format!("{who}, public address {address}"),
        None => who,
    };
    let found = obstacle("network interface", &interface, Some(description), ours)?;
    Some(Obstacle {
        who,
        next,
        prospect,
        is_public: public.is_some(),
        ..found
    })
}

/// Groups of others whose rules refer to one of these groups.
pub(crate) async fn rules(ec2: &Ec2, groups: &[&str], ours: &Ours<'_>) -> Vec<Obstacle> {
    if groups.is_empty() {
        return Vec::new();
    }
    let values: Vec<String> = groups.iter().map(|group| (*group).to_owned()).collect();
    let look = |filter: &str| {
        look(
            ec2,
            vec![(filter.to_owned(), values.clone())],
            |group: SecurityGroup| {
                if groups.contains(&group.group_id()?) {
                    return None;
                }
                let found = obstacle("rules of the security group", &group, group.group_name(), ours)?;
                let next = format!(
                    "Remove the rules of {} that refer to {}",
                    found.id,
                    groups.join(" or ")
                );
                Some(Obstacle { next, ..found })
            },
        )
    };
    let (mut found, egress) = join!(
        look("ip-permission.group-id"),
        look("egress.ip-permission.group-id")
    );
    found.extend(egress);
    found
}

/// Whether something with this state no longer counts.
fn is_over(state: Option<&str>) -> bool {
    let over = [
        "deleting",
        "deleted",
        "failed",
        "failing",
        "rejected",
        "rejecting",
        "expired",
    ];
    // The model says `Deleted` of endpoints, EC2 says `deleted`.
    state.is_some_and(|state| over.contains(&state.to_lowercase().as_str()))
}

async fn peerings(ec2: &Ec2, filter: &str, vpc: &str, ours: &Ours<'_>) -> Vec<Obstacle> {
    look(ec2, by(filter, vpc), |peering: VpcPeeringConnection| {
        let code = peering.status().and_then(|status| status.code());
        let found = obstacle("VPC peering connection", &peering, None, ours);
        found.filter(|_| !is_over(code.map(|code| code.as_str())))
    })
    .await
}

/// All that others have in the VPC, or attached to it.
pub(crate) async fn in_vpc(ec2: &Ec2, vpc: &str, ours: &Ours<'_>) -> Vec<Obstacle> {
    let of = |filter: &str| by(filter, vpc);
    let also = |filter: &str, name: &str, values: &[&str]| {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        [of(filter), vec![(name.to_owned(), values)]].concat()
    };
    let running = also(
        "vpc-id",
        "instance-state-name",
        &["pending", "running", "stopping", "stopped"],
    );
    let attached = also(
        "attachment.vpc-id",
        "attachment.state",
        &["attaching", "attached"],
    );
    let groups: Vec<&str> = ours
        .ids
        .iter()
        .copied()
        .filter(|id| id.starts_with("sg-"))
        .collect();
    let (
        mut interfaces,
        instances,
        security_groups,
        rules,
        subnets,
        tables,
        acls,
        gateways,
        egress,
        nats,
        endpoints,
        vpn,
    ) = join!(
        interfaces(ec2, "vpc-id", vpc, ours),
        look(ec2, running, |it: Instance| obstacle("instance", &it, None, ours)),
        look(ec2, of("vpc-id"), |it: SecurityGroup| {
            let found = obstacle("security group", &it, it.group_name(), ours);
            found.filter(|_| it.group_name() != Some("default"))
        }),
        rules(ec2, &groups, ours),
        look(ec2, of("vpc-id"), |it: Subnet| obstacle(
            "subnet", &it, None, ours
        )),
        look(ec2, of("vpc-id"), |it: RouteTable| {
            let is_main = it
                .associations()
                .iter()
                .any(|association| association.main() == Some(true));
            obstacle("route table", &it, None, ours).filter(|_| !is_main)
        }),
        look(ec2, of("vpc-id"), |it: NetworkAcl| {
            obstacle("network ACL", &it, None, ours).filter(|_| it.is_default() != Some(true))
        }),
        look(ec2, of("attachment.vpc-id"), |it: InternetGateway| {
            obstacle("internet gateway", &it, None, ours)
        }),
        look(ec2, Filters::new(), |it: EgressOnlyInternetGateway| {
            // They have no filter for the VPC.
            let is_here = it
                .attachments()
                .iter()
                .any(|attachment| attachment.vpc_id() == Some(vpc));
            obstacle("egress-only internet gateway", &it, None, ours).filter(|_| is_here)
        }),
        look(ec2, of("vpc-id"), |it: NatGateway| {
            let found = obstacle("NAT gateway", &it, None, ours);
            found.filter(|_| !is_over(it.state().map(|state| state.as_str())))
        }),
        look(ec2, of("vpc-id"), |it: VpcEndpoint| {
            let found = obstacle("VPC endpoint", &it, it.service_name(), ours);
            found.filter(|_| !is_over(it.state().map(|state| state.as_str())))
        }),
        look(ec2, attached, |it: VpnGateway| {
            let found = obstacle("VPN gateway", &it, None, ours)?;
            let detach = "aws ec2 detach-vpn-gateway --vpn-gateway-id";
            let next = format!("Detach it ({detach} {} --vpc-id {vpc})", found.id);
            Some(Obstacle { next, ..found })
        }),
    );
    let (requested, accepted, transit) = join!(
        peerings(ec2, "requester-vpc-info.vpc-id", vpc, ours),
        peerings(ec2, "accepter-vpc-info.vpc-id", vpc, ours),
        look(ec2, of("vpc-id"), |it: TransitGatewayVpcAttachment| {
            let found = obstacle("transit gateway attachment", &it, it.transit_gateway_id(), ours);
            found.filter(|_| !is_over(it.state().map(|state| state.as_str())))
        }),
    );
    // An instance stands for its interfaces, an endpoint and a gateway for theirs.
    let owners = [&instances, &nats, &endpoints, &transit];
    let owners: Vec<&Obstacle> = owners.into_iter().flatten().collect();
    interfaces.retain(|interface| {
        let names =
            |owner: &&Obstacle| interface.about.contains(&owner.id) || interface.who.contains(&owner.id);
        !owners.iter().any(names)
    });
    let mut all = [
        instances, interfaces, nats, endpoints, transit, vpn, requested, accepted,
    ]
    .concat();
    all.extend([egress, gateways, security_groups, rules, subnets, tables, acls].concat());
    all
}

/// Fails where something is in the way of deleting the VPC and all of ours in it.
pub(crate) async fn before(ec2: &Ec2, vpc: &Object, going: &[&Object]) -> Result<(), Failure> {
    let found = in_vpc(ec2, &vpc.id, &Ours::new(vpc, going)).await;
    refused(found, &format!("VPC {}", vpc.id), "deleted")
}

/// Fails where others have something in a subnet that goes while its VPC stays.
pub(crate) async fn before_subnet(ec2: &Ec2, subnet: &Object, ours: &[&Object]) -> Result<(), Failure> {
    let found = interfaces(ec2, "subnet-id", &subnet.id, &Ours::new(subnet, ours)).await;
    refused(found, &format!("subnet {}", subnet.id), "changed")
}

fn refused(mut found: Vec<Obstacle>, what: &str, undone: &str) -> Result<(), Failure> {
    found.retain(|found| found.prospect != Prospect::Leftover);
    if found.is_empty() {
        return Ok(());
    }
    let doing = format!("looking what is in the way of deleting {what}");
    let cause =
        format!("others have things in it, so that AWS would refuse to delete it: nothing was {undone}");
    Err(told(Failure::new(Class::Busy, doing, cause), &found))
}

/// The failure with what is in the way. Class `Stuck` where something of it stays until somebody removes it.
pub(crate) fn told(mut failure: Failure, found: &[Obstacle]) -> Failure {
    if found.is_empty() {
        return failure;
    }
    let told = |found: &Obstacle| {
        let about = [
            Some(format!("\"{}\"", found.about)).filter(|text| text.len() > 2),
            Some(found.who.clone()),
        ];
        let about: Vec<String> = about
            .into_iter()
            .flatten()
            .filter(|text| !text.is_empty())
            .collect();
        let about = if about.is_empty() {
            String::new()
        } else {
            format!(" ({})", about.join(", "))
        };
        format!("{} {}{about}", found.what, found.id)
    };
    let mut text = found.iter().take(NAMED).map(told).collect::<Vec<_>>().join(", ");
    if found.len() > NAMED {
        text.push_str(&format!(" and {} more", found.len() - NAMED));
    }
    failure.cause = format!("{}. In the way: {text}", failure.cause.trim_end_matches('.'));
    if found.iter().any(|found| found.prospect == Prospect::Stays) {
        failure.class = Class::Stuck;
    }
    let mut steps: Vec<&str> = Vec::new();
    for found in found.iter().take(NAMED) {
        if !steps.contains(&found.next.as_str()) {
            steps.push(&found.next);
        }
    }
    failure.code(codes::HELD).hint(steps.join(". "))
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::Tag;

    use super::*;
    use crate::kind::settled;

    fn tagged(pairs: &[(&str, &str)]) -> Tags {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn who_made_it_is_told_by_tags_and_what_to_do_with_it() {
        let cases = [
            (
                &[("elbv2.k8s.aws/cluster", "staging")][..],
                "k8s-traffic-staging-1",
                "Load Balancer Controller of the cluster staging",
                "Ingresses",
            ),
            (
                &[("karpenter.sh/nodepool", "general")],
                "",
                "Karpenter",
                "kubectl delete nodepool general",
            ),
            (
                &[("aws:eks:cluster-name", "staging")],
                "eks-cluster-sg-staging-1",
                "the EKS cluster staging",
                "Delete the EKS cluster",
            ),
            (
                &[("eks:nodegroup-name", "system"), ("eks:cluster-name", "staging")],
                "",
                "node group system",
                "Delete the node group",
            ),
            (
                &[("ekb:resource", "cluster/main"), ("ekb:environment", "prod")],
                "",
                "cluster/main of the environment prod",
                "Destroy ekb_cluster main",
            ),
            (
                &[("aws:cloudformation:stack-name", "eksctl-x")],
                "",
                "stack eksctl-x",
                "Delete the stack",
            ),
            (
                &[("kubernetes.io/cluster/old", "owned")],
                "",
                "the cluster old",
                "Services of type LoadBalancer",
            ),
            (&[], "aws-K8S-i-0123", "CNI", "aws-K8S-*"),
        ];
        for (tags, name, who, next) in cases {
            let (is, does) = maker(&tagged(tags), name).unwrap();
            assert!(is.contains(who) && does.contains(next), "{is}: {does}");
        }
        let tag = Tag::builder().key("team").value("shop").build();
        let web = SecurityGroup::builder().group_id("sg-9").tags(tag).build();
        let plain = obstacle("security group", &web, Some("web"), &Ours::default()).unwrap();
        let failure = told(
            Failure::new(Class::Busy, "deleting VPC vpc-1", "DependencyViolation: x."),
            &[plain],
        );
        assert_eq!(
            failure.to_string(),
            "EKB1121: deleting VPC vpc-1: DependencyViolation: x. In the way: security group sg-9 (\"web\", team = shop). \
             Delete the security group sg-9, or what made it"
        );
        assert_eq!(failure.class, Class::Stuck);
    }

    #[test]
    fn what_is_ours_is_known_by_id_by_tags_and_by_description() {
        let owner = [
            ("ekb:environment", "staging"),
            ("ekb:region", "eu-central-1"),
            ("ekb:resource", "network/main"),
        ];
        let object = |id: &str, tags: Tags| Object {
            id: id.to_owned(),
            tags,
            ..settled(serde_json::Value::Null)
        };
        let (vpc, nat) = (object("vpc-1", tagged(&owner)), object("nat-1", Tags::new()));
        let going = [&vpc, &nat];
        let ours = Ours::new(&vpc, &going);
        assert!(ours.have("nat-1", &Tags::new()) && ours.have("subnet-7", &tagged(&owner)));
        assert!(!ours.have(
            "subnet-8",
            &tagged(&[
                ("ekb:environment", "staging"),
                ("ekb:region", "eu-central-1"),
                ("ekb:resource", "network/other")
            ])
        ));
        assert!(
            ours.are_in("Interface for NAT Gateway nat-1")
                && !ours.are_in("Interface for NAT Gateway nat-12")
        );
        // A VPC without our tags has nothing that is ours by tags.
        assert!(!Ours::new(&nat, &going).have("subnet-8", &Tags::new()));
    }
}
