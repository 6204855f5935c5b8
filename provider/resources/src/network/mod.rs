//! `ekb_network`: the network of an environment.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use aws::ec2::{
    DefaultSecurityGroup, ElasticIp, FlowLog, GatewayEndpoint, InterfaceEndpoint, InternetGateway,
    NatGateway, RouteTable, SecurityGroup, Subnet, Vpc,
};
use aws::iam::IamRole;
use aws::logs::LogGroup;
use framework::{Attr, Diagnostic, Diagnostics, Path};
use ipnet::Ipv4Net;
use reconcile::graph::Graph;
use reconcile::kinds::Kinds;
use reconcile::part::{Key, Part, key};
use reconcile::report::{Report, Unclaimed};
use reconcile::resource::{Declared, DefaultTimeouts, Outputs};

pub mod addresses;
pub mod adopt;
pub mod checks;
pub mod endpoints;
pub mod functions;
pub mod graph;
pub mod layout;
pub mod model;
pub mod ranges;
pub mod tiers;

use crate::platform::Platform;
use model::Network;

/// How many zones a network has where the user says nothing: what quorums need.
const DEFAULT_ZONES: usize = 3;

/// The kinds of its parts: no other is looked at, or is in its IAM policy.
const KINDS: &[&str] = &[
    Vpc::KIND,
    DefaultSecurityGroup::KIND,
    SecurityGroup::KIND,
    InternetGateway::KIND,
    Subnet::KIND,
    ElasticIp::KIND,
    NatGateway::KIND,
    RouteTable::KIND,
    GatewayEndpoint::KIND,
    InterfaceEndpoint::KIND,
    FlowLog::KIND,
    IamRole::KIND,
    LogGroup::KIND,
];

/// The resource `ekb_network`.
#[derive(Debug, Default, Clone, Copy)]
pub struct NetworkResource;

#[async_trait]
impl Declared<Platform> for NetworkResource {
    type Model = Network;

    const NAME: &'static str = "ekb_network";
    const TITLE: &'static str = "network";
    const LOOKS_UP: &'static [&'static str] = &[
        "ec2:DescribeAvailabilityZones",
        "ec2:DescribeVpcEndpointServices",
        "ec2:DescribeAddresses",
        "ec2:DescribeSubnets",
    ];
    const TIMEOUTS: DefaultTimeouts = DefaultTimeouts {
        create: Duration::from_secs(30 * 60),
        read: Duration::from_secs(10 * 60),
        update: Duration::from_secs(30 * 60),
        delete: Duration::from_secs(30 * 60),
    };

    fn check(&self, planned: &Network, out: &mut Diagnostics) {
        checks::check(planned, out);
    }

    async fn complete(
        &self,
        context: Option<&Platform>,
        config: &Network,
        prior: Option<&Network>,
        planned: &mut Network,
        out: &mut Diagnostics,
    ) {
        if config.cluster_name.is_null() {
            planned.cluster_name = match prior {
                Some(prior) if prior.cluster_name.is_known() => prior.cluster_name.clone(),
                _ => planned.common.environment.clone(),
            };
        }
        checks::warn_of_retention(config, out);
        self.complete_zones(context, config, prior, planned, out).await;
        complete_nat(config, prior, planned);
        addresses::look_up(context, prior, planned, out).await;
        endpoints::look_up(context, prior, planned, out).await;
        ranges::check_removal(context, prior, planned, out).await;
        let zones = graph::zones(planned);
        let nets = |which: fn(&graph::ZoneNets) -> Attr<Ipv4Net>| match &zones {
            Some(zones) => Attr::Known(
                zones
                    .iter()
                    .map(|(zone, nets)| (zone.clone(), which(nets)))
                    .collect(),
            ),
            None => Attr::Unknown,
        };
        planned.public_subnets = nets(|nets| nets.public).map(|nets: BTreeMap<String, Attr<Ipv4Net>>| {
            nets.into_iter().filter(|(_, net)| !net.is_null()).collect()
        });
        planned.private_subnets = nets(|nets| nets.private);
        planned.private_tier_subnets = tiers::ranges(planned);
    }

    fn graph(&self, model: &Network) -> Option<Graph> {
        graph::graph(model)
    }

    fn kinds(&self, context: &Platform, region: &str) -> Kinds {
        aws::ec2::kinds(&context.aws, region)
            .and(aws::iam::kinds(&context.aws, region))
            .and(aws::logs::kinds(&context.aws, region))
            .only(KINDS)
    }

    fn outputs(&self, model: &mut Network, from: &Outputs<'_>) {
        let id = |key: Key| from.id(key);
        // Of an address that the user gave the gateway tells; ours stays when its gateway is made anew.
        let given = model.nat_allocation_ids.clone();
        let public_ip = |gateway: Key| {
            let zone = gateway.0.trim_start_matches("nat_gateway/");
            let is_given = given.known().is_some_and(|given| given.contains_key(zone));
            if is_given || given.is_unknown() {
                from.output(gateway, "public_ip")
            } else {
                from.output(key("nat_address", zone), "public_ip")
            }
        };
        model.id = from.id("vpc");
        model.vpc_id = from.id("vpc");
        model.arn = from.arn("vpc");
        model.default_security_group_id = from.id("default_security_group");
        model.public_subnet_ids = from.list("public_subnet", id);
        model.public_subnet_ids_by_zone = from.map("public_subnet", id);
        model.private_subnet_ids = from.list("private_subnet", id);
        model.private_subnet_ids_by_zone = from.map("private_subnet", id);
        model.nat_public_ips = from.list("nat_gateway", public_ip);
        model.nat_public_ips_by_zone = from.map("nat_gateway", public_ip);
        model.private_route_table_ids_by_zone = from.map("private_routes", id);
        model.private_tier_subnet_ids = tiers::by_tier(from.map(tiers::SUBNET, id));
        model.private_tier_route_table_ids = tiers::by_tier(from.map(tiers::ROUTES, id));
    }

    fn on_replace(&self, prior: &Network, out: &mut Diagnostics) {
        let id = prior.vpc_id.known().map_or("it", String::as_str);
        out.push(Diagnostic::warning(
            "EKB2110",
            "The network will be replaced",
            format!(
                "The VPC {id} is destroyed and made anew: everything that stands in it (cluster, nodes, databases, load \
                 balancers) has to go first, and its NAT gateways get other public addresses."
            ),
        )
        .at(Path::from("cidr")));
    }

    fn is_root_id(&self, text: &str) -> bool {
        text.starts_with("vpc-")
    }

    fn root_key(&self) -> Key {
        Key::from("vpc")
    }

    fn recognise<'a>(&self, report: &'a Report) -> Vec<(Key, &'a Unclaimed)> {
        adopt::recognise(report)
    }

    fn left_alone(&self, report: &Report) -> Vec<String> {
        adopt::left_alone(report)
    }

    fn read_arguments(&self, model: &mut Network, report: &Report) -> bool {
        let (Attr::Known(logs), Some(days)) = (&mut model.flow_logs, adopt::retention_days(report)) else {
            return false;
        };
        let days = Attr::Known(days);
        std::mem::replace(&mut logs.retention_days, days) != days
    }

    fn adopt(&self, model: &mut Network, report: &Report) {
        adopt::adopt(model, report);
    }
}

/// Whether there are NAT gateways, and in which zone a single one stands: resolved once and kept.
fn complete_nat(config: &Network, prior: Option<&Network>, planned: &mut Network) {
    let public = graph::public_zones(planned);
    if config.nat_gateways.is_null() && public.as_ref().is_some_and(Vec::is_empty) {
        planned.nat_gateways = "none".into();
    }
    if !config.nat_zone.is_null() {
        return;
    }
    planned.nat_zone = match planned.nat_gateways.known().map(String::as_str) {
        None => Attr::Unknown,
        Some("single") => match public {
            None => Attr::Unknown,
            Some(zones) => {
                let before = prior
                    .and_then(single_nat_zone)
                    .filter(|zone| zones.contains(zone));
                Attr::from_option(before.or_else(|| zones.into_iter().next()))
            }
        },
        Some(_) => Attr::Null,
    };
}

/// Where a NAT gateway of this state stands; of several the first.
fn single_nat_zone(state: &Network) -> Option<String> {
    let ids = state.common.ids.known();
    let mut parts = ids.into_iter().flat_map(BTreeMap::keys);
    let made = parts.find_map(|part| part.strip_prefix("nat_gateway/").map(str::to_owned));
    state.nat_zone.known().cloned().or(made)
}

impl NetworkResource {
    /// Which zones: the given ones, else those of the state, else the first that EKS can use.
    async fn complete_zones(
        &self,
        context: Option<&Platform>,
        config: &Network,
        prior: Option<&Network>,
        planned: &mut Network,
        out: &mut Diagnostics,
    ) {
        let before = prior
            .and_then(|prior| prior.availability_zones.known())
            .cloned()
            .unwrap_or_default();
        let given = match (&config.availability_zones, &config.subnets) {
            (Attr::Unknown, _) | (_, Attr::Unknown) => {
                planned.availability_zones = Attr::Unknown;
                return;
            }
            (Attr::Known(zones), _) => Some(zones.clone()),
            (Attr::Null, Attr::Known(subnets)) => Some(subnets.keys().cloned().collect()),
            (Attr::Null, Attr::Null) => None,
        };
        let wanted = match (&given, &config.zone_count) {
            (Some(zones), _) => zones.len(),
            (None, Attr::Unknown) => {
                planned.availability_zones = Attr::Unknown;
                return;
            }
            // Without a count the zones of the state stay, however many they are.
            (None, Attr::Null) if !before.is_empty() => before.len(),
            (None, count) => count
                .known()
                .and_then(|n| usize::try_from(*n).ok())
                .unwrap_or(DEFAULT_ZONES),
        };
        let mut zones = given
            .clone()
            .unwrap_or_else(|| before.iter().take(wanted).cloned().collect());
        let new = zones.len() < wanted || zones.iter().any(|zone| !before.contains(zone));
        let (Some(context), Attr::Known(region), true) = (context, &planned.common.region, new) else {
            planned.availability_zones = if zones.len() < wanted {
                Attr::Unknown
            } else {
                Attr::Known(zones)
            };
            return;
        };
        let there = match context.aws.zones(region).await {
            Ok(there) => there,
            Err(failure) => {
                out.extend([failure.diagnostic()]);
                return;
            }
        };
        let usable: Vec<&str> = there
            .iter()
            .filter(|zone| zone.usable())
            .map(|zone| zone.name.as_str())
            .collect();
        let at = if config.subnets.is_known() {
            "subnets"
        } else {
            "availability_zones"
        };
        for zone in zones
            .iter()
            .filter(|zone| !before.contains(zone) && !usable.contains(&zone.as_str()))
        {
            let why = match there.iter().find(|z| z.name == *zone || z.id == *zone) {
                None => format!("There is no zone {zone} in {region}."),
                Some(z) if z.id == *zone => {
                    format!(
                        "{zone} is the id of a zone; in this account its name is {}.",
                        z.name
                    )
                }
                Some(z) => format!("{zone} ({}) cannot be used: {}.", z.id, z.why_not()),
            };
            out.push(
                Diagnostic::error("EKB2109", "Zone cannot be used", why)
                    .hint(format!(
                        "Zones of {region} that EKS can use: {}.",
                        usable.join(", ")
                    ))
                    .at(Path::from(at)),
            );
        }
        zones.extend(
            usable
                .iter()
                .filter(|zone| !before.iter().any(|b| b == *zone))
                .map(|zone| (*zone).to_owned())
                .take(wanted.saturating_sub(zones.len()))
                .collect::<Vec<_>>(),
        );
        if zones.len() < wanted {
            out.push(
                Diagnostic::error(
                    "EKB2109",
                    "Not enough zones",
                    format!(
                        "{wanted} zones are wanted; {region} has {} that EKS can use: {}.",
                        usable.len(),
                        usable.join(", ")
                    ),
                )
                .hint(format!("Set `zone_count` to {} or less.", usable.len()))
                .at(Path::from("zone_count")),
            );
        }
        planned.availability_zones = Attr::Known(zones);
    }
}

/// The keys `kind/…` in the report, in order.
fn of_kind<'a>(report: &'a Report, kind: &'a str) -> impl Iterator<Item = &'a Key> {
    report
        .ids
        .keys()
        .filter(move |k| k.0.strip_prefix(kind).is_some_and(|rest| rest.starts_with('/')))
}

/// What follows the kind in the keys `kind/…`.
fn positions(report: &Report, kind: &str) -> Vec<String> {
    of_kind(report, kind)
        .filter_map(|key| Some(key.0.split_once('/')?.1.to_owned()))
        .collect()
}

/// The fields of the part `kind/position`.
fn fields<'a>(report: &'a Report, kind: &str, position: &str) -> Option<&'a serde_json::Value> {
    report.objects.get(&key(kind, position))
}

/// The ranges of the subnets `kind/…` by zone.
fn ranges(report: &Report, kind: &str) -> BTreeMap<String, Ipv4Net> {
    let range = |zone: &String| fields(report, kind, zone)?.get("cidr")?.as_str()?.parse().ok();
    positions(report, kind)
        .into_iter()
        .filter_map(|zone| Some((zone.clone(), range(&zone)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use aws::{Aws, Settings};
    use model::FlowLogs;

    use super::*;

    #[test]
    fn it_has_the_kinds_that_it_uses_and_no_others() {
        let mut network = Network {
            cidr: Attr::Known("10.20.0.0/16".parse().unwrap()),
            name: "main".into(),
            availability_zones: Attr::Known(vec!["eu-west-1a".into()]),
            nat_gateways: "per_zone".into(),
            cluster_name: "main".into(),
            s3_endpoint: Attr::Known(true),
            interface_endpoints: Attr::Known(BTreeSet::from(["sts".to_owned()])),
            flow_logs: Attr::Known(FlowLogs {
                destination: "cloudwatch".into(),
                retention_days: Attr::Known(14),
                retain_logs: Attr::Null,
            }),
            ..Network::default()
        };
        network.common.environment = "main".into();
        network.common.region = "eu-west-1".into();
        let used = NetworkResource.graph(&network).unwrap().kinds();
        let used: BTreeSet<String> = used.into_values().collect();
        let platform = Platform::bare(Aws::new(Settings::default()));
        let has = NetworkResource.kinds(&platform, "eu-west-1");
        let has: BTreeSet<String> = has.traits().map(|traits| traits.kind.to_owned()).collect();
        assert_eq!(has, used);
    }
}
