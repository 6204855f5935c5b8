//! What others have in a VPC of ours, or make of it: AWS refuses to delete the VPC, a subnet or a group for it.
//!
//! Amazon VPC user guide, "Delete your VPC": instances, load balancers and whatever else has network interfaces, gateways,
//! endpoints, peerings, and all subnets, groups, tables and ACLs beside the default ones go first.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::NetworkInterface;
use futures::join;
use reconcile::failure::{Class, Failure};
use reconcile::part::{Object, Tags};

use super::find::{Filters, filters, pages, tags};
use super::held::{self, Prospect};
use crate::failure::codes;
use crate::kind::Place;

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
fn maker(tags: &Tags, name: &str) -> Option<(String, String)> {
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

/// Something of others with these tags, unless it is ours.
fn obstacle(
    what: &'static str,
    id: Option<String>,
    about: Option<String>,
    tags: Tags,
    ours: &Ours<'_>,
) -> Option<Obstacle> {
    let id = id?;
    if ours.have(&id, &tags) {
        return None;
    }
    let about = about
        .filter(|text| !text.is_empty())
        .or_else(|| tags.get("Name").cloned())
        .unwrap_or_default();
    let (who, next) = maker(&tags, &about).unwrap_or_else(|| {
        let tagged: Vec<_> = tags.iter().filter(|(key, _)| *key != "Name").take(3).collect();
        let who = tagged
            .iter()
            .map(|(key, value)| format!("{key} = {value}"))
            .collect::<Vec<_>>()
            .join(", ");
        (who, format!("Delete the {what} {id}, or what made it"))
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

/// One look for things of a kind: those of its items that are somebody else's. A look that is denied finds nothing, since
/// AWS refuses the deletion later anyhow.
macro_rules! look {
    ($place:expr, $action:literal, $call:ident, $set_filters:ident, $items:ident, $filters:expr, $size:literal, $each:expr) => {{
        let found: Result<Vec<_>, Failure> = async {
            pages!($place, $action, "looking what is in the way", $call, $set_filters, $items, $filters, $size)
        }
        .await;
        match found {
            Ok(items) => items.into_iter().filter_map($each).collect::<Vec<Obstacle>>(),
            Err(failure) => {
                tracing::debug!(%failure, "could not look what is in the way");
                Vec::new()
            }
        }
    }};
}

fn by(name: &str, value: &str) -> Filters {
    vec![(name.to_owned(), vec![value.to_owned()])]
}

/// Network interfaces of others in a VPC or subnet, or with a group. Ours are those of our NAT gateways and endpoints.
pub(crate) async fn interfaces(place: &Place, filter: &str, id: &str, ours: &Ours<'_>) -> Vec<Obstacle> {
    match held::interfaces(place, filter, id).await {
        Ok(found) => found
            .into_iter()
            .filter_map(|interface| of_interface(interface, ours))
            .collect(),
        Err(failure) => {
            tracing::debug!(%failure, "could not look what is in the way");
            Vec::new()
        }
    }
}

fn of_interface(interface: NetworkInterface, ours: &Ours<'_>) -> Option<Obstacle> {
    let (who, prospect) = held::judge(&interface);
    let description = interface.description.unwrap_or_default();
    if ours.are_in(&description) {
        return None;
    }
    let public = interface
        .association
        .and_then(|association| association.public_ip);
    let tags = tags(interface.tag_set);
    let (who, next) = match maker(&tags, &description) {
        Some((maker, next)) if prospect != Prospect::Leftover => (format!("{who}, of {maker}"), next),
        _ => (
            who,
            "Remove what the interfaces belong to (or the interfaces themselves), then run again".to_owned(),
        ),
    };
    let mut found = obstacle(
        "network interface",
        interface.network_interface_id,
        Some(description),
        tags,
        ours,
    )?;
    let is_public = public.is_some();
    found.who = match public {
        Some(address) => format!("{who}, public address {address}"),
        None => who,
    };
    found.is_public = is_public;
    (found.next, found.prospect) = (next, prospect);
    Some(found)
}

/// Groups of others whose rules refer to one of these groups.
pub(crate) async fn rules(place: &Place, groups: &[&str], ours: &Ours<'_>) -> Vec<Obstacle> {
    if groups.is_empty() {
        return Vec::new();
    }
    let values: Vec<String> = groups.iter().map(|group| (*group).to_owned()).collect();
    let look = |filter: &'static str| {
        let filters = vec![(filter.to_owned(), values.clone())];
        async move {
            look!(
                place,
                "ec2:DescribeSecurityGroups",
                describe_security_groups,
                set_filters,
                security_groups,
                filters,
                1000,
                |group| {
                    if groups.contains(&group.group_id()?) {
                        return None;
                    }
                    let found = obstacle(
                        "security group",
                        group.group_id,
                        group.group_name,
                        tags(group.tags),
                        ours,
                    )?;
                    let next = format!(
                        "Remove the rules of {} that refer to {}",
                        found.id,
                        groups.join(" or ")
                    );
                    Some(Obstacle {
                        what: "rules of the security group",
                        next,
                        ..found
                    })
                }
            )
        }
    };
    let (mut found, egress) = join!(
        look("ip-permission.group-id"),
        look("egress.ip-permission.group-id")
    );
    found.extend(egress);
    found
}

/// Instances that are not on their way to gone.
async fn instances(place: &Place, vpc: &str, ours: &Ours<'_>) -> Vec<Obstacle> {
    let mut filters = by("vpc-id", vpc);
    let alive = ["pending", "running", "stopping", "stopped"]
        .map(str::to_owned)
        .to_vec();
    filters.push(("instance-state-name".to_owned(), alive));
    let found: Result<Vec<_>, Failure> = async {
        pages!(
            place,
            "ec2:DescribeInstances",
            "looking what is in the way",
            describe_instances,
            set_filters,
            reservations,
            filters
        )
    }
    .await;
    let reservations = found.unwrap_or_default();
    let instances = reservations
        .into_iter()
        .flat_map(|reservation| reservation.instances.unwrap_or_default());
    instances
        .filter_map(|instance| obstacle("instance", instance.instance_id, None, tags(instance.tags), ours))
        .collect()
}

async fn vpn_gateways(place: &Place, vpc: &str, ours: &Ours<'_>) -> Vec<Obstacle> {
    let Ok(ec2) = place.ec2().await else {
        return Vec::new();
    };
    let mut by = by("attachment.vpc-id", vpc);
    by.push((
        "attachment.state".to_owned(),
        vec!["attaching".to_owned(), "attached".to_owned()],
    ));
    let describe = ec2
        .read
        .describe_vpn_gateways()
        .set_filters(Some(filters(by)))
        .send();
    let answer = place
        .aws
        .call("ec2:DescribeVpnGateways", "looking what is in the way", describe)
        .await;
    let found = answer
        .ok()
        .and_then(|answer| answer.vpn_gateways)
        .unwrap_or_default();
    found
        .into_iter()
        .filter_map(|gateway| {
            let found = obstacle(
                "VPN gateway",
                gateway.vpn_gateway_id,
                None,
                tags(gateway.tags),
                ours,
            )?;
            let next = format!(
                "Detach it (aws ec2 detach-vpn-gateway --vpn-gateway-id {} --vpc-id {vpc})",
                found.id
            );
            Some(Obstacle { next, ..found })
        })
        .collect()
}

/// All that others have in the VPC, or attached to it.
pub(crate) async fn in_vpc(place: &Place, vpc: &str, ours: &Ours<'_>) -> Vec<Obstacle> {
    let of = |filter: &str| by(filter, vpc);
    let is_over = |state: Option<&str>| {
        state.is_some_and(|state| {
            [
                "deleting",
                "deleted",
                "failed",
                "failing",
                "rejected",
                "rejecting",
                "expired",
            ]
            .contains(&state)
        })
    };
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
        interfaces(place, "vpc-id", vpc, ours),
        instances(place, vpc, ours),
        async {
            look!(
                place,
                "ec2:DescribeSecurityGroups",
                describe_security_groups,
                set_filters,
                security_groups,
                of("vpc-id"),
                1000,
                |group| {
                    let is_default = group.group_name() == Some("default");
                    obstacle(
                        "security group",
                        group.group_id,
                        group.group_name,
                        tags(group.tags),
                        ours,
                    )
                    .filter(|_| !is_default)
                }
            )
        },
        rules(place, &groups, ours),
        async {
            look!(
                place,
                "ec2:DescribeSubnets",
                describe_subnets,
                set_filters,
                subnets,
                of("vpc-id"),
                1000,
                |subnet| { obstacle("subnet", subnet.subnet_id, None, tags(subnet.tags), ours) }
            )
        },
        async {
            look!(
                place,
                "ec2:DescribeRouteTables",
                describe_route_tables,
                set_filters,
                route_tables,
                of("vpc-id"),
                100,
                |table| {
                    let is_main = table
                        .associations()
                        .iter()
                        .any(|association| association.main() == Some(true));
                    obstacle("route table", table.route_table_id, None, tags(table.tags), ours)
                        .filter(|_| !is_main)
                }
            )
        },
        async {
            look!(
                place,
                "ec2:DescribeNetworkAcls",
                describe_network_acls,
                set_filters,
                network_acls,
                of("vpc-id"),
                1000,
                |acl| {
                    let is_default = acl.is_default() == Some(true);
                    obstacle("network ACL", acl.network_acl_id, None, tags(acl.tags), ours)
                        .filter(|_| !is_default)
                }
            )
        },
        async {
            look!(
                place,
                "ec2:DescribeInternetGateways",
                describe_internet_gateways,
                set_filters,
                internet_gateways,
                of("attachment.vpc-id"),
                1000,
                |gateway| {
                    obstacle(
                        "internet gateway",
                        gateway.internet_gateway_id,
                        None,
                        tags(gateway.tags),
                        ours,
                    )
                }
            )
        },
        async {
            look!(
                place,
                "ec2:DescribeEgressOnlyInternetGateways",
                describe_egress_only_internet_gateways,
                set_filters,
                egress_only_internet_gateways,
                Vec::new(),
                255,
                |gateway| {
                    // They have no filter for the VPC.
                    let is_here = gateway
                        .attachments()
                        .iter()
                        .any(|attachment| attachment.vpc_id() == Some(vpc));
                    obstacle(
                        "egress-only internet gateway",
                        gateway.egress_only_internet_gateway_id,
                        None,
                        tags(gateway.tags),
                        ours,
                    )
                    .filter(|_| is_here)
                }
            )
        },
        async {
            look!(
                place,
                "ec2:DescribeNatGateways",
                describe_nat_gateways,
                set_filter,
                nat_gateways,
                of("vpc-id"),
                1000,
                |gateway| {
                    let over = is_over(gateway.state().map(|state| state.as_str()));
                    obstacle(
                        "NAT gateway",
                        gateway.nat_gateway_id,
                        None,
                        tags(gateway.tags),
                        ours,
                    )
                    .filter(|_| !over)
                }
            )
        },
        async {
            look!(
                place,
                "ec2:DescribeVpcEndpoints",
                describe_vpc_endpoints,
                set_filters,
                vpc_endpoints,
                of("vpc-id"),
                1000,
                |endpoint| {
                    let over = is_over(
                        endpoint
                            .state()
                            .map(|state| state.as_str().to_lowercase())
                            .as_deref(),
                    );
                    obstacle(
                        "VPC endpoint",
                        endpoint.vpc_endpoint_id,
                        endpoint.service_name,
                        tags(endpoint.tags),
                        ours,
                    )
                    .filter(|_| !over)
                }
            )
        },
        vpn_gateways(place, vpc, ours),
    );
    let (requested, accepted, transit) = join!(
        peerings(place, of("requester-vpc-info.vpc-id"), ours),
        peerings(place, of("accepter-vpc-info.vpc-id"), ours),
        async {
            look!(
                place,
                "ec2:DescribeTransitGatewayVpcAttachments",
                describe_transit_gateway_vpc_attachments,
                set_filters,
                transit_gateway_vpc_attachments,
                of("vpc-id"),
                1000,
                |attachment| {
                    let over = is_over(attachment.state().map(|state| state.as_str()));
                    obstacle(
                        "transit gateway attachment",
                        attachment.transit_gateway_attachment_id,
                        attachment.transit_gateway_id,
                        tags(attachment.tags),
                        ours,
                    )
                    .filter(|_| !over)
                }
            )
        },
    );
    // An instance stands for its interfaces, an endpoint and a gateway for theirs.
    let owners: Vec<&Obstacle> = instances
        .iter()
        .chain(&nats)
        .chain(&endpoints)
        .chain(&transit)
        .collect();
    interfaces.retain(|interface| {
        !owners
            .iter()
            .any(|owner| interface.about.contains(&owner.id) || interface.who.contains(&owner.id))
    });
    let all = [
        instances,
        interfaces,
        nats,
        endpoints,
        transit,
        vpn,
        requested,
        accepted,
        egress,
        gateways,
        security_groups,
        rules,
        subnets,
        tables,
        acls,
    ];
    all.into_iter().flatten().collect()
}

async fn peerings(place: &Place, filters: Filters, ours: &Ours<'_>) -> Vec<Obstacle> {
    let over = ["deleting", "deleted", "rejected", "failed", "expired"];
    look!(
        place,
        "ec2:DescribeVpcPeeringConnections",
        describe_vpc_peering_connections,
        set_filters,
        vpc_peering_connections,
        filters,
        1000,
        |peering| {
            let state = peering
                .status()
                .and_then(|status| status.code())
                .map(|code| code.as_str().to_owned());
            let is_over = state.is_some_and(|state| over.contains(&state.as_str()));
            obstacle(
                "VPC peering connection",
                peering.vpc_peering_connection_id,
                None,
                tags(peering.tags),
                ours,
            )
            .filter(|_| !is_over)
        }
    )
}

/// What is in the way of deleting the VPC and all of ours in it; none where nothing is.
pub(crate) async fn before(place: &Place, vpc: &Object, going: &[&Object]) -> Option<Failure> {
    let ours = Ours::new(vpc, going);
    let mut found = in_vpc(place, &vpc.id, &ours).await;
    found.retain(|found| found.prospect != Prospect::Leftover);
    if found.is_empty() {
        return None;
    }
    let doing = format!("looking what is in the way of deleting VPC {}", vpc.id);
    let cause = "others have things in it, so that AWS would refuse to delete it: nothing was deleted";
    Some(told(Failure::new(Class::Busy, doing, cause), &found))
}

/// What others have in a subnet that goes while its VPC stays; none where nothing is.
pub(crate) async fn before_subnet(place: &Place, subnet: &Object, ours: &[&Object]) -> Option<Failure> {
    let ours = Ours::new(subnet, ours);
    let mut found = interfaces(place, "subnet-id", &subnet.id, &ours).await;
    found.retain(|found| found.prospect != Prospect::Leftover);
    if found.is_empty() {
        return None;
    }
    let doing = format!("looking what is in the way of deleting subnet {}", subnet.id);
    let cause = "others have things in it, so that AWS would refuse to delete it: nothing was changed";
    Some(told(Failure::new(Class::Busy, doing, cause), &found))
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
    use super::*;

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
        let plain = obstacle(
            "security group",
            Some("sg-9".into()),
            Some("web".into()),
            tagged(&[("team", "shop")]),
            &Ours::default(),
        )
        .unwrap();
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
            arn: None,
            condition: reconcile::part::Condition::Settled,
            fields: serde_json::Value::Null,
            tags,
            references: Vec::new(),
            detail: serde_json::Value::Null,
            outputs: std::collections::BTreeMap::new(),
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
