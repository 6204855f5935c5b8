//! The parts of a network, and how they hang together.

use std::collections::BTreeMap;

use aws::network::{
    DefaultSecurityGroup, ElasticIp, FlowLog, GatewayEndpoint, IamRole, InterfaceEndpoint, InternetGateway,
    LogGroup, NatGateway, RouteTable, SecurityGroup, Subnet, Vpc,
};
use framework::Attr;
use ipnet::Ipv4Net;
use reconcile::graph::{Graph, Handle};
use reconcile::part::{Tags, key};

use super::layout::{ZoneSubnets, layout};
use super::model::{Network, Subnets};

/// Everywhere.
const ANYWHERE: &str = "0.0.0.0/0";

/// The subnets of each zone; `None` while they cannot be known, or are wrong (the checks say what).
pub fn zones(model: &Network) -> Option<BTreeMap<String, ZoneSubnets>> {
    match &model.subnets {
        Attr::Unknown => None,
        Attr::Known(explicit) => explicit
            .iter()
            .map(|(zone, Subnets { public, private })| {
                Some((
                    zone.clone(),
                    ZoneSubnets {
                        public: *public.known()?,
                        private: *private.known()?,
                    },
                ))
            })
            .collect(),
        Attr::Null => {
            let zones = model.availability_zones.known()?;
            layout(*model.cidr.known()?, zones.iter().map(String::as_str)).ok()
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

/// The full name of the service of an endpoint, for example `com.amazonaws.eu-central-1.ecr.api`.
fn endpoint_service(region: &str, service: &str) -> String {
    format!("com.amazonaws.{region}.{service}")
}

/// What follows the region in the full name; services have dots too.
pub fn short_service(full: &str) -> Option<&str> {
    full.splitn(4, '.').nth(3)
}

/// Gives parts their tags.
struct Tagger<'a> {
    prefix: &'a str,
    tags_all: &'a BTreeMap<String, String>,
}

impl Tagger<'_> {
    /// `Name`, the user's tags, and those that other programs look for, which the user cannot change.
    fn tags(&self, what: &str, discovery: &[(&str, &str)]) -> Tags {
        let name = if what.is_empty() {
            self.prefix.to_owned()
        } else {
            format!("{}-{what}", self.prefix)
        };
        let mut tags = Tags::from([("Name".to_owned(), name)]);
        tags.extend(self.tags_all.clone());
        tags.extend(discovery.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
        tags
    }
}

/// The parts; `None` while something that they follow from is unknown.
pub fn graph(model: &Network) -> Option<Graph> {
    let cidr: Ipv4Net = *model.cidr.known()?;
    let zones = zones(model)?;
    let common = &model.common;
    let region = common.region.known()?;
    let prefix = prefix(common.environment.known()?, model.name.known()?);
    let cluster = model.cluster_name.known()?;
    let tags_all = common.tags_all.known()?;
    let tagger = Tagger {
        prefix: &prefix,
        tags_all,
    };
    let named = |what: &str, more: &[(&str, &str)]| tagger.tags(what, more);

    let mut graph = Graph::new();
    let vpc = graph.part(
        "vpc",
        Vpc {
            cidr,
            dns_support: true,
            dns_hostnames: true,
            tags: named("", &[]),
        },
    );
    graph.part(
        "default_security_group",
        DefaultSecurityGroup {
            vpc: vpc.made(),
            closed: true,
            tags: named("default-closed", &[]),
        },
    );
    let gateway = graph.part(
        "internet_gateway",
        InternetGateway {
            vpc: vpc.made(),
            tags: named("", &[]),
        },
    );

    let mut public = Vec::new();
    let mut private = Vec::new();
    for (zone, subnets) in &zones {
        public.push(graph.part(
            key("public_subnet", zone),
            Subnet {
                vpc: vpc.made(),
                zone: zone.clone(),
                cidr: subnets.public,
                public_ips: true,
                tags: named(&format!("public-{zone}"), &[("kubernetes.io/role/elb", "1")]),
            },
        ));
        private.push(graph.part(
            key("private_subnet", zone),
            Subnet {
                vpc: vpc.made(),
                zone: zone.clone(),
                cidr: subnets.private,
                public_ips: false,
                tags: named(
                    &format!("private-{zone}"),
                    &[
                        ("kubernetes.io/role/internal-elb", "1"),
                        ("karpenter.sh/discovery", cluster),
                    ],
                ),
            },
        ));
    }

    graph.part(
        "public_routes",
        RouteTable {
            vpc: vpc.made(),
            subnets: public.iter().map(|subnet| subnet.made()).collect(),
            routes: BTreeMap::from([(ANYWHERE.to_owned(), gateway.ready())]),
            tags: named("public", &[]),
        },
    );

    let with_nat = match model.nat_gateways.known()?.as_str() {
        "per_zone" => zones.len(),
        "single" => 1,
        _ => 0,
    };
    let mut nats = Vec::new();
    for (zone, subnet) in zones.keys().zip(&public).take(with_nat) {
        let tags = named(zone, &[]);
        let address = graph.part(key("nat_address", zone), ElasticIp { tags: tags.clone() });
        let nat = NatGateway {
            subnet: subnet.made(),
            address: address.made(),
            gateway: gateway.ready(),
            tags,
        };
        nats.push(graph.part(key("nat_gateway", zone), nat));
    }
    let mut tables = Vec::new();
    for (index, (zone, subnet)) in zones.keys().zip(&private).enumerate() {
        // Its own zone's, else the only one.
        let nat = nats.get(index).or(nats.first());
        tables.push(
            graph.part(
                key("private_routes", zone),
                RouteTable {
                    vpc: vpc.made(),
                    subnets: vec![subnet.made()],
                    routes: nat
                        .map(|nat| (ANYWHERE.to_owned(), nat.ready()))
                        .into_iter()
                        .collect(),
                    tags: named(&format!("private-{zone}"), &[]),
                },
            ),
        );
    }

    if *model.s3_endpoint.known()? {
        graph.part(
            "s3_endpoint",
            GatewayEndpoint {
                vpc: vpc.made(),
                service: endpoint_service(region, "s3"),
                route_tables: tables.iter().map(|table| table.made()).collect(),
                tags: named("s3", &[]),
            },
        );
    }
    let endpoints = match &model.interface_endpoints {
        Attr::Unknown => return None,
        other => other.known().cloned().unwrap_or_default(),
    };
    if !endpoints.is_empty() {
        let group = graph.part(
            "endpoint_security_group",
            SecurityGroup {
                vpc: vpc.made(),
                name: format!("{prefix}-endpoints"),
                description: "HTTPS from the VPC to its interface endpoints".to_owned(),
                ingress: vec![aws::network::Rule::tcp(443, cidr, "HTTPS from the VPC")],
                tags: named("endpoints", &[]),
            },
        );
        for service in endpoints {
            graph.part(
                key("interface_endpoint", &service),
                InterfaceEndpoint {
                    vpc: vpc.made(),
                    service: endpoint_service(region, &service),
                    subnets: private.iter().map(|subnet| subnet.made()).collect(),
                    security_groups: vec![group.made()],
                    private_dns: true,
                    tags: named(&service, &[]),
                },
            );
        }
    }
    flow_logs(model, &mut graph, &vpc, &tagger, region)?;
    Some(graph)
}

fn flow_logs(
    model: &Network,
    graph: &mut Graph,
    vpc: &Handle,
    tagger: &Tagger<'_>,
    region: &str,
) -> Option<()> {
    let prefix = tagger.prefix;
    let logs = match &model.flow_logs {
        Attr::Unknown => return None,
        Attr::Null => return Some(()),
        Attr::Known(logs) => logs,
    };
    let destination = logs.destination.known()?;
    let tags = tagger.tags("flow-logs", &[]);
    let part = if destination == "cloudwatch" {
        let group = graph.part(
            "flow_log_group",
            LogGroup {
                name: log_group(prefix),
                retention_days: *logs.retention_days.known()?,
                tags: tags.clone(),
            },
        );
        let role = graph.part(
            "flow_log_role",
            IamRole::for_service(
                flow_logs_role(prefix, region),
                "vpc-flow-logs.amazonaws.com",
                tags.clone(),
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
        FlowLog {
            vpc: vpc.made(),
            bucket: None,
            log_group: Some(group.ready()),
            role: Some(role.ready()),
            tags,
        }
    } else {
        FlowLog {
            vpc: vpc.made(),
            bucket: Some(destination.clone()),
            log_group: None,
            role: None,
            tags,
        }
    };
    graph.part("flow_log", part);
    Some(())
}
