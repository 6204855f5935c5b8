//! The parts of a network, and how they hang together.

use std::collections::{BTreeMap, BTreeSet};

use aws::ec2::{
    DefaultSecurityGroup, ElasticIp, FlowLog, GatewayEndpoint, InterfaceEndpoint, InternetGateway,
    NatGateway, RouteTable, SecurityGroup, Subnet, Vpc,
};
use aws::iam::IamRole;
use aws::logs::LogGroup;
use aws::partition::{gateway_endpoint_service, interface_endpoint_service, principal};
use framework::Attr;
use ipnet::Ipv4Net;
use reconcile::graph::{Graph, Handle, Unknowns};
use reconcile::part::{Key, Tags, Target, key};

use super::layout::{ZoneSubnets, layout};
use super::model::{Network, Subnets};
use super::{endpoints, tiers};

/// Everywhere.
pub(super) const ANYWHERE: &str = "0.0.0.0/0";

/// The tag by which Karpenter finds subnets.
pub const DISCOVERY: &str = "karpenter.sh/discovery";

/// The same as a place in the fields of a part.
const DISCOVERY_FIELD: &str = "tags/karpenter.sh~1discovery";

/// The ranges of the subnets of a zone.
#[derive(Debug, Clone)]
pub struct ZoneNets {
    /// The public one's; null where there is none.
    pub public: Attr<Ipv4Net>,
    /// The private one's.
    pub private: Attr<Ipv4Net>,
}

/// The subnets of each zone; `None` while the zones are not known, or are wrong (the checks say what).
pub fn zones(model: &Network) -> Option<BTreeMap<String, ZoneNets>> {
    match &model.subnets {
        Attr::Unknown => None,
        Attr::Known(explicit) => explicit
            .iter()
            .map(|(zone, Subnets { public, private })| {
                let nets = ZoneNets {
                    public: *public,
                    private: *private,
                };
                (!private.is_null()).then(|| (zone.clone(), nets))
            })
            .collect(),
        Attr::Null => {
            let zones = model.availability_zones.known()?;
            let Attr::Known(cidr) = model.cidr else {
                let unknown = ZoneNets {
                    public: Attr::Unknown,
                    private: Attr::Unknown,
                };
                return Some(zones.iter().map(|zone| (zone.clone(), unknown.clone())).collect());
            };
            let nets = |subnets: ZoneSubnets| ZoneNets {
                public: subnets.public.into(),
                private: subnets.private.into(),
            };
            let computed = layout(cidr, zones.iter().map(String::as_str)).ok()?;
            Some(
                computed
                    .into_iter()
                    .map(|(zone, subnets)| (zone, nets(subnets)))
                    .collect(),
            )
        }
    }
}

/// What names begin with: the environment, and the network's name where it is another. Neither has a dot, so that those of
/// `prod` and `blue` are no others' (`prod-blue`): names of roles and log groups are those of the whole account.
pub fn prefix(environment: &str, name: &str) -> String {
    if environment == name {
        environment.to_owned()
    } else {
        format!("{environment}.{name}")
    }
}

/// The name of the log group of flow logs.
pub fn log_group(prefix: &str) -> String {
    format!("/ekb/{prefix}/flow-logs")
}

/// The name of the role that writes flow logs. With the region, since roles are global and networks are not.
pub fn flow_logs_role(prefix: &str, region: &str) -> String {
    format!("{prefix}-flow-logs-{region}")
}

/// Gives parts their tags.
pub(super) struct Tagger<'a> {
    prefix: &'a str,
}

impl Tagger<'_> {
    /// `Name`, and those that other programs look for.
    pub(super) fn tags(&self, what: &str, discovery: &[(&str, &str)]) -> Tags {
        let name = if what.is_empty() {
            self.prefix.to_owned()
        } else {
            format!("{}-{what}", self.prefix)
        };
        let mut tags = Tags::from([("Name".to_owned(), name)]);
        tags.extend(discovery.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
        tags
    }
}

/// The zones with a public subnet; `None` while the zones are not known.
pub fn public_zones(model: &Network) -> Option<Vec<String>> {
    let zones = zones(model)?.into_iter();
    let public = zones.filter(|(_, nets)| !nets.public.is_null());
    Some(public.map(|(zone, _)| zone).collect())
}

/// How the private subnets reach the internet.
enum Nats {
    /// Through the gateway of their zone, else the first; none where there are none.
    Known(BTreeMap<String, Handle>),
    /// It is not known yet.
    Unknown,
}

/// The parts; `None` while what all of them follow from is not known.
///
/// What is not known of the rest is noted where it is used: on the field, or as what may come and go.
pub fn graph(model: &Network) -> Option<Graph> {
    let cidr: Ipv4Net = *model.cidr.known()?;
    let common = &model.common;
    let region = common.region.known()?;
    let prefix = prefix(common.environment.known()?, model.name.known()?);
    let tagger = Tagger { prefix: &prefix };
    let named = |what: &str, more: &[(&str, &str)]| tagger.tags(what, more);
    let zones = match zones(model) {
        Some(zones) => Some(zones),
        // Wrong rather than not known: the checks say what.
        None if !model.subnets.is_unknown() && !model.availability_zones.is_unknown() => return None,
        None => None,
    };

    let mut graph = Graph::new();
    let mut unknown = Unknowns::default();
    let secondary = unknown.take("secondary_cidrs", &model.secondary_cidrs, BTreeSet::new());
    let vpc = graph.part_with(
        "vpc",
        Vpc {
            cidr,
            secondary_cidrs: secondary.iter().copied().collect(),
            dns_support: true,
            dns_hostnames: true,
            tags: named("", &[]),
        },
        unknown,
    );
    graph.part(
        "default_security_group",
        DefaultSecurityGroup {
            vpc: vpc.made(),
            closed: true,
            tags: named("default-closed", &[]),
        },
    );
    // Without public subnets nothing leads out. Computed subnets are always there.
    let is_public = match &zones {
        Some(zones) => zones.values().any(|nets| !nets.public.is_null()),
        None => !model.subnets.is_unknown(),
    };
    let gateway = is_public.then(|| {
        graph.part(
            "internet_gateway",
            InternetGateway {
                vpc: vpc.made(),
                tags: named("", &[]),
            },
        )
    });
    if zones.is_none() {
        if gateway.is_none() {
            graph.open("internet_gateway");
            graph.open("public_routes");
        }
        for kind in [
            "public_subnet",
            "private_subnet",
            "nat_address",
            "nat_gateway",
            "private_routes",
        ] {
            graph.open(&format!("{kind}/"));
        }
    }

    let mut public = BTreeMap::new();
    let mut private = Vec::new();
    for (zone, nets) in zones.iter().flatten() {
        if !nets.public.is_null() {
            let mut unknown = Unknowns::default();
            let subnet = Subnet {
                vpc: vpc.made(),
                zone: zone.clone(),
                cidr: unknown.take("cidr", &nets.public, cidr),
                public_ips: true,
                tags: named(&format!("public-{zone}"), &[("kubernetes.io/role/elb", "1")]),
            };
            let subnet = graph.part_with(key("public_subnet", zone), subnet, unknown);
            public.insert(zone.clone(), subnet);
        }
        let mut unknown = Unknowns::default();
        let cluster = unknown.take(DISCOVERY_FIELD, &model.cluster_name, String::new());
        let subnet = Subnet {
            vpc: vpc.made(),
            zone: zone.clone(),
            cidr: unknown.take("cidr", &nets.private, cidr),
            public_ips: false,
            tags: named(
                &format!("private-{zone}"),
                &[("kubernetes.io/role/internal-elb", "1"), (DISCOVERY, &cluster)],
            ),
        };
        private.push(graph.part_with(key("private_subnet", zone), subnet, unknown));
    }
    // What holds a list of subnets does not know it before the zones are known.
    let of_zones = |field: &str| {
        let mut unknown = Unknowns::default();
        if zones.is_none() {
            unknown.note(field);
        }
        unknown
    };

    if let Some(gateway) = &gateway {
        graph.part_with(
            "public_routes",
            RouteTable {
                vpc: vpc.made(),
                subnets: public.values().map(Handle::made).collect(),
                routes: BTreeMap::from([(ANYWHERE.to_owned(), gateway.ready())]),
                tags: named("public", &[]),
            },
            of_zones("subnets"),
        );
    }

    let nats = nats(model, &mut graph, gateway.as_ref(), &public, &tagger);
    let zones: Vec<&String> = zones.iter().flat_map(BTreeMap::keys).collect();
    let mut tables = Vec::new();
    let mut ways_out = tiers::WaysOut::default();
    for (zone, subnet) in zones.iter().zip(&private) {
        let mut unknown = Unknowns::default();
        let nat = match &nats {
            // Its own zone's, else the first.
            Nats::Known(nats) => nats.get(*zone).or(nats.values().next()),
            Nats::Unknown => {
                unknown.note("routes");
                None
            }
        };
        ways_out.insert((*zone).clone(), nat.cloned());
        let table = RouteTable {
            vpc: vpc.made(),
            subnets: vec![subnet.made()],
            routes: nat
                .map(|nat| (ANYWHERE.to_owned(), nat.ready()))
                .into_iter()
                .collect(),
            tags: named(&format!("private-{zone}"), &[]),
        };
        tables.push(graph.part_with(key("private_routes", zone), table, unknown));
    }

    let ways_out = (matches!(nats, Nats::Known(_)) && !zones.is_empty()).then_some(ways_out);
    tables.extend(tiers::parts(model, &mut graph, &vpc, &tagger, ways_out.as_ref()));

    let mut tables_unknown = of_zones("route_tables");
    if !tiers::are_known(model) {
        tables_unknown.note("route_tables");
    }
    match model.s3_endpoint {
        Attr::Unknown => graph.open("s3_endpoint"),
        Attr::Known(true) => drop(graph.part_with(
            "s3_endpoint",
            GatewayEndpoint {
                vpc: vpc.made(),
                service: gateway_endpoint_service(region, "s3"),
                route_tables: tables.iter().map(|table| table.made()).collect(),
                tags: named("s3", &[]),
            },
            tables_unknown,
        )),
        _ => {}
    }
    let endpoints = match &model.interface_endpoints {
        Attr::Unknown => {
            graph.open("endpoint_security_group");
            graph.open("interface_endpoint/");
            Default::default()
        }
        other => other.known().cloned().unwrap_or_default(),
    };
    if !endpoints.is_empty() {
        let ranges = [cidr].into_iter().chain(secondary);
        let mut unknown = Unknowns::default();
        if model.secondary_cidrs.is_unknown() {
            unknown.note("ingress");
        }
        let group = graph.part_with(
            "endpoint_security_group",
            SecurityGroup {
                vpc: vpc.made(),
                name: format!("{prefix}-endpoints"),
                description: "HTTPS from the VPC to its interface endpoints".to_owned(),
                ingress: ranges
                    .map(|range| aws::ec2::Rule::tcp(443, range, "HTTPS from the VPC"))
                    .collect(),
                tags: named("endpoints", &[]),
            },
            unknown,
        );
        for service in endpoints {
            let mut unknown = of_zones("subnets");
            let chosen = endpoints::zones_of(model, &service);
            if chosen.is_unknown() {
                unknown.note("subnets");
            }
            let is_chosen = |zone: &String| chosen.known().is_none_or(|chosen| chosen.contains(zone));
            let subnets = zones.iter().zip(&private).filter(|(zone, _)| is_chosen(zone));
            graph.part_with(
                key("interface_endpoint", &service),
                InterfaceEndpoint {
                    vpc: vpc.made(),
                    service: interface_endpoint_service(region, &service),
                    subnets: subnets.map(|(_, subnet)| subnet.made()).collect(),
                    security_groups: vec![group.made()],
                    private_dns: true,
                    tags: named(&service, &[]),
                },
                unknown,
            );
        }
    }
    flow_logs(model, &mut graph, &vpc, &tagger, region);
    Some(graph)
}

/// NAT gateways with their addresses.
fn nats(
    model: &Network,
    graph: &mut Graph,
    gateway: Option<&Handle>,
    public: &BTreeMap<String, Handle>,
    tagger: &Tagger<'_>,
) -> Nats {
    let zone = match (model.nat_gateways.known().map(String::as_str), &model.nat_zone) {
        (Some("per_zone"), _) => None,
        (Some("single"), Attr::Known(zone)) => Some(zone),
        (Some("single"), Attr::Null) => public.keys().next(),
        (None, _) | (Some("single"), Attr::Unknown) => {
            graph.open("nat_address/");
            graph.open("nat_gateway/");
            return Nats::Unknown;
        }
        (Some(_), _) => return Nats::Known(BTreeMap::new()),
    };
    let Some(gateway) = gateway else {
        return Nats::Known(BTreeMap::new());
    };
    let nothing = BTreeMap::new();
    let given = model.nat_allocation_ids.known().unwrap_or(&nothing);
    let mut nats = BTreeMap::new();
    for (name, subnet) in public
        .iter()
        .filter(|(name, _)| zone.is_none_or(|zone| zone == *name))
    {
        let tags = tagger.tags(name, &[]);
        let mut unknown = Unknowns::default();
        let address = match given.get(name).unwrap_or(&Attr::Null) {
            Attr::Known(id) => Target::Id(id.clone()),
            Attr::Null if !model.nat_allocation_ids.is_unknown() => {
                let address = ElasticIp { tags: tags.clone() };
                Target::Part(graph.part(key("nat_address", name), address).made())
            }
            // Whether it needs an address of ours is not known either.
            _ => {
                unknown.note("address");
                graph.open(&format!("nat_address/{name}"));
                Target::Id(String::new())
            }
        };
        let nat = NatGateway {
            subnet: subnet.made(),
            address,
            gateway: gateway.ready(),
            tags,
        };
        nats.insert(
            name.clone(),
            graph.part_with(key("nat_gateway", name), nat, unknown),
        );
    }
    Nats::Known(nats)
}

/// The key of the flow log to this destination: another destination is another log, which is made before the old one goes.
pub fn flow_log_key(destination: &str) -> Key {
    key(
        "flow_log",
        destination
            .split_once(":::")
            .map_or(destination, |(_, bucket)| bucket),
    )
}

fn flow_logs(model: &Network, graph: &mut Graph, vpc: &Handle, tagger: &Tagger<'_>, region: &str) {
    let logs = match &model.flow_logs {
        Attr::Unknown => return graph.open("flow_log"),
        Attr::Null => return,
        Attr::Known(logs) => logs,
    };
    let prefix = tagger.prefix;
    let tags = tagger.tags("flow-logs", &[]);
    if logs.retain_logs == Attr::Known(true) {
        graph.keep(
            "flow_log_group",
            "`retain_logs` is true. Its tag `ekb:kept` says whose it was; with `retain_logs` or `adopt = true` a network of this \
             name takes it back",
        );
    }
    let unknown = Unknowns::default();
    let mut part = FlowLog {
        vpc: vpc.made(),
        bucket: None,
        log_group: None,
        role: None,
        tags: tags.clone(),
    };
    match &logs.destination {
        Attr::Known(destination) if destination == "cloudwatch" => {
            let mut unknown = Unknowns::default();
            let group = LogGroup {
                name: log_group(prefix),
                retention_days: unknown.take("retention_days", &logs.retention_days, 14),
                tags: tags.clone(),
            };
            let group = graph.part_with("flow_log_group", group, unknown);
            let role = graph.part(
                "flow_log_role",
                IamRole::for_service(
                    flow_logs_role(prefix, region),
                    &principal("vpc-flow-logs", region),
                    tags,
                )
                .allow(
                    "write",
                    &[
                        "logs:CreateLogStream",
                        "logs:PutLogEvents",
                        "logs:DescribeLogGroups",
                        "logs:DescribeLogStreams",
                    ],
                    &["*"],
                ),
            );
            part.log_group = Some(group.ready());
            part.role = Some(role.ready());
        }
        Attr::Known(bucket) => part.bucket = Some(bucket.clone()),
        // Whether it needs a group and a role is not known either.
        _ => {
            graph.open("flow_log_group");
            graph.open("flow_log_role");
        }
    }
    match &logs.destination {
        Attr::Known(destination) => drop(graph.part_with(flow_log_key(destination), part, unknown)),
        _ => graph.open("flow_log/"),
    }
}
