//! What a network that is there means: its parts, where others built it, and the arguments that follow from them.

use std::collections::{BTreeMap, BTreeSet};

use aws::ec2::{FlowLog, GatewayEndpoint, InterfaceEndpoint, NatGateway, RouteTable, Subnet};
use framework::Attr;
use ipnet::Ipv4Net;
use reconcile::part::{Key, Part, key};
use reconcile::report::{Report, Unclaimed};

use super::graph::{DISCOVERY, flow_log_key};
use super::layout::layout;
use super::model::{FlowLogs, Network, Subnets};
use super::{positions, ranges};
use aws::partition::short_endpoint_service;

/// The parts that objects without our tags stand for: of each zone its first public and private subnet, the NAT
/// gateways of those, the endpoints, and flow logs to a bucket (those to a log group have other names than ours). A subnet is public where it gives public addresses or its routes lead to an
/// internet gateway.
pub fn recognise(report: &Report) -> Vec<(Key, &Unclaimed)> {
    let of_kind = |kind: &'static str| report.unclaimed.iter().filter(move |found| found.kind == kind);
    let text =
        |found: &Unclaimed, field: &str| found.object.fields[field].as_str().unwrap_or_default().to_owned();
    let leads_out = |subnet: &str| {
        of_kind(RouteTable::KIND).any(|table| {
            let fields = &table.object.fields;
            let subnets = fields["subnets"].as_array().into_iter().flatten();
            let mut targets = fields["routes"].as_object().into_iter().flatten();
            subnets.into_iter().any(|id| id == subnet)
                && targets.any(|(_, target)| target.as_str().is_some_and(|id| id.starts_with("igw-")))
        })
    };
    let mut subnets: Vec<&Unclaimed> = of_kind(Subnet::KIND).collect();
    subnets.sort_by_key(|found| text(found, "cidr").parse::<Ipv4Net>().ok());
    let mut parts: BTreeMap<Key, &Unclaimed> = BTreeMap::new();
    for subnet in subnets {
        let public = subnet.object.fields["public_ips"] == true || leads_out(&subnet.object.id);
        let kind = if public { "public_subnet" } else { "private_subnet" };
        parts.entry(key(kind, text(subnet, "zone"))).or_insert(subnet);
    }
    let zones: BTreeMap<&str, String> = parts
        .values()
        .map(|subnet| (subnet.object.id.as_str(), text(subnet, "zone")))
        .collect();
    let gateways = of_kind(NatGateway::KIND).filter_map(|gateway| {
        let zone = zones.get(text(gateway, "subnet").as_str())?;
        Some((key("nat_gateway", zone), gateway))
    });
    let service = |found: &Unclaimed| {
        short_endpoint_service(&text(found, "service"))
            .unwrap_or_default()
            .to_owned()
    };
    let endpoints =
        of_kind(InterfaceEndpoint::KIND).map(|found| (key("interface_endpoint", service(found)), found));
    let s3 = of_kind(GatewayEndpoint::KIND)
        .filter(|found| service(found) == "s3")
        .map(|found| (Key::from("s3_endpoint"), found));
    let logs = of_kind(FlowLog::KIND).filter_map(|found| {
        let bucket = found.object.fields["bucket"].as_str()?;
        Some((flow_log_key(bucket), found))
    });
    let more: Vec<_> = gateways.chain(endpoints).chain(s3).chain(logs.take(1)).collect();
    parts.into_iter().chain(more).collect()
}

/// What of others has no place in a network of ours, and what an apply does beside it, for the user.
pub fn left_alone(report: &Report) -> Vec<String> {
    let text =
        |found: &Unclaimed, field: &str| found.object.fields[field].as_str().unwrap_or_default().to_owned();
    let mut said = Vec::new();
    for found in &report.unclaimed {
        let why = match found.kind {
            Subnet::KIND => format!(
                "subnet {} ({} in {}): there is another one of its sort in the zone, and only one is the network's",
                found.object.id,
                text(found, "cidr"),
                text(found, "zone")
            ),
            NatGateway::KIND => format!(
                "NAT gateway {}: it stands in none of the network's subnets",
                found.object.id
            ),
            FlowLog::KIND => format!(
                "flow log {}: it writes to the log group {}, which has another name than the network's; `flow_logs` makes one \
                 beside it",
                found.object.id,
                text(found, "log_group")
            ),
            GatewayEndpoint::KIND | InterfaceEndpoint::KIND => {
                format!("VPC endpoint {} for {}", found.object.id, text(found, "service"))
            }
            _ => continue,
        };
        said.push(why);
    }
    let zones: BTreeMap<&str, &str> = report
        .found
        .iter()
        .filter_map(|(key, subnet)| Some((subnet.id.as_str(), key.0.strip_prefix("private_subnet/")?)))
        .collect();
    for (key, table) in &report.found {
        let Some(zone) = key.0.strip_prefix("private_routes/") else {
            continue;
        };
        let subnets = table.fields["subnets"].as_array().into_iter().flatten();
        let others: Vec<&str> = subnets
            .filter_map(|subnet| zones.get(subnet.as_str()?).copied())
            .filter(|other| *other != zone)
            .collect();
        if !others.is_empty() {
            said.push(format!(
                "route table {} serves several zones: it stays that of {zone}, and the apply makes one for each of {}",
                table.id,
                others.join(", ")
            ));
        }
    }
    let has_endpoints = !positions(report, "interface_endpoint").is_empty();
    if has_endpoints && !report.ids.contains_key(&Key::from("endpoint_security_group")) {
        said.push(
            "security groups of the interface endpoints: they stay, and the apply adds one that lets the VPC in".to_owned(),
        );
    }
    said
}

/// How long flow logs are kept; none where there is no group of ours, or where it keeps them for ever.
pub fn retention_days(report: &Report) -> Option<i64> {
    report
        .objects
        .get(&Key::from("flow_log_group"))?
        .get("retention_days")?
        .as_i64()
}

/// Sets the arguments from what is there.
pub fn adopt(model: &mut Network, report: &Report) {
    let field = |key: &str, name: &str| Some(report.objects.get(&Key::from(key))?.get(name)?.clone());
    let text = |key: &str, name: &str| field(key, name).and_then(|value| value.as_str().map(str::to_owned));

    model.cidr = Attr::from_option(text("vpc", "cidr").and_then(|cidr| cidr.parse().ok()));
    let secondary: BTreeSet<Ipv4Net> = field("vpc", "secondary_cidrs")
        .and_then(|ranges| serde_json::from_value(ranges).ok())
        .unwrap_or_default();
    model.secondary_cidrs = Attr::from_option((!secondary.is_empty()).then_some(secondary));
    let public = ranges(report, "public_subnet");
    let private = ranges(report, "private_subnet");
    let mut zones: Vec<String> = public.keys().chain(private.keys()).cloned().collect();
    zones.sort();
    zones.dedup();
    let computed = model
        .cidr
        .known()
        .and_then(|cidr| layout(*cidr, zones.iter().map(String::as_str)).ok());
    let as_computed = computed.is_some_and(|computed| {
        computed.iter().all(|(zone, nets)| {
            public.get(zone) == Some(&nets.public) && private.get(zone) == Some(&nets.private)
        })
    });
    if !as_computed {
        let pair = |zone: &String| Subnets {
            public: Attr::from_option(public.get(zone).copied()),
            private: Attr::from_option(private.get(zone).copied()),
        };
        model.subnets = Attr::Known(zones.iter().map(|zone| (zone.clone(), pair(zone))).collect());
    }
    let nats = positions(report, "nat_gateway").len();
    model.nat_gateways = match nats {
        0 => "none",
        1 if zones.len() > 1 => "single",
        _ => "per_zone",
    }
    .into();
    // Those of others are taken over with their gateways; ours has one of its own where the user gave none.
    let given = positions(report, "nat_gateway").into_iter().filter_map(|zone| {
        let gateway = report.found.get(&key("nat_gateway", &zone))?;
        let is_ours = gateway.tags.contains_key("ekb:part");
        let is_given = is_ours && !report.ids.contains_key(&key("nat_address", &zone));
        let address = gateway.fields["address"].as_str().filter(|_| is_given)?;
        Some((zone, address.to_owned().into()))
    });
    let given: BTreeMap<_, _> = given.collect();
    model.nat_allocation_ids = Attr::from_option((!given.is_empty()).then_some(given));
    model.private_tiers = super::tiers::adopt(model, &zones, report);
    model.interface_endpoint_zones = super::endpoints::adopt(&zones, report);
    model.nat_zone = match positions(report, "nat_gateway").as_slice() {
        [zone] if zones.len() > 1 => zone.clone().into(),
        _ => Attr::Null,
    };
    model.availability_zones = Attr::Known(zones);
    let known = |nets: BTreeMap<String, Ipv4Net>| {
        Attr::Known(nets.into_iter().map(|(zone, net)| (zone, net.into())).collect())
    };
    model.public_subnets = known(public);
    model.private_subnets = known(private);
    model.private_tier_subnets = super::tiers::ranges(model);
    model.s3_endpoint = Attr::Known(report.ids.contains_key(&Key::from("s3_endpoint")));
    let endpoints = positions(report, "interface_endpoint");
    model.interface_endpoints = if endpoints.is_empty() {
        Attr::Null
    } else {
        Attr::Known(endpoints.into_iter().collect())
    };
    model.flow_logs = if let Some(log) = positions(report, "flow_log").first() {
        let days = retention_days(report);
        Attr::Known(FlowLogs {
            destination: text(&format!("flow_log/{log}"), "bucket")
                .unwrap_or_else(|| "cloudwatch".to_owned())
                .into(),
            retention_days: Attr::from_option(days.or(Some(14))),
            retain_logs: Attr::Null,
        })
    } else {
        Attr::Null
    };
    let mut objects = report.found.values();
    let discovery = objects.find_map(|object| object.tags.get(DISCOVERY).cloned());
    model.cluster_name = Attr::from_option(discovery.or_else(|| model.common.environment.known().cloned()));
}
