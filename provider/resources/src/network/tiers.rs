//! Further tiers of private subnets, for example for databases: a subnet and a route table in each zone.

use std::collections::{BTreeMap, BTreeSet};

use aws::ec2::{RouteTable, Subnet};
use framework::{Attr, Diagnostic, Diagnostics, Path};
use ipnet::Ipv4Net;
use reconcile::graph::{Graph, Handle, Unknowns};
use reconcile::part::key;
use reconcile::report::Report;

use super::graph::{ANYWHERE, Tagger, zones};
use super::layout::tier_subnet;
use super::model::{ByTier, Network, PrivateTier};
use super::{fields, positions};

/// What the keys of their subnets begin with: `tier_subnet/database/eu-central-1a`.
pub const SUBNET: &str = "tier_subnet";
/// What the keys of their route tables begin with.
pub const ROUTES: &str = "tier_routes";

/// The NAT gateway that a zone's private routes lead to, by zone.
pub type WaysOut = BTreeMap<String, Option<Handle>>;

/// Whether it is known which subnets there are.
pub fn are_known(model: &Network) -> bool {
    match &model.private_tiers {
        Attr::Null => true,
        Attr::Unknown => false,
        Attr::Known(tiers) => {
            tiers.is_empty() || declared(model).is_some_and(|tiers| tiers.values().all(Option::is_some))
        }
    }
}

/// The range of each zone's subnet.
type Ranges = BTreeMap<String, Attr<Ipv4Net>>;

/// The ranges of each tier by zone; of a tier `None` while its zones are not known. `None` while the tiers are not.
fn declared(model: &Network) -> Option<BTreeMap<&String, Option<Ranges>>> {
    let tiers = match &model.private_tiers {
        Attr::Null => return Some(BTreeMap::new()),
        Attr::Unknown => return None,
        Attr::Known(tiers) => tiers,
    };
    let zones = zones(model);
    let of = |tier: &PrivateTier| match &tier.subnets {
        Attr::Unknown => None,
        Attr::Known(subnets) => Some(subnets.clone()),
        Attr::Null => Some(
            zones
                .as_ref()?
                .keys()
                .map(|zone| (zone.clone(), computed(model, tier, zone)))
                .collect(),
        ),
    };
    Some(tiers.iter().map(|(name, tier)| (name, of(tier))).collect())
}

/// The computed range; null where there is no room, which the checks refuse.
fn computed(model: &Network, tier: &PrivateTier, zone: &str) -> Attr<Ipv4Net> {
    match (&model.cidr, slot(tier)) {
        (Attr::Known(cidr), Some(slot)) => Attr::from_option(tier_subnet(*cidr, slot, zone)),
        _ => Attr::Unknown,
    }
}

/// The tier's place; none while it is not known.
fn slot(tier: &PrivateTier) -> Option<u32> {
    match tier.slot {
        Attr::Null => Some(0),
        Attr::Unknown => None,
        Attr::Known(slot) => u32::try_from(slot).ok(),
    }
}

/// The ranges as an attribute.
pub fn ranges(model: &Network) -> Attr<ByTier<Ipv4Net>> {
    let tiers = declared(model).and_then(|tiers| {
        tiers
            .into_iter()
            .map(|(name, nets)| Some((name.clone(), nets?)))
            .collect()
    });
    tiers.map_or(Attr::Unknown, Attr::Known)
}

/// The subnets whose ranges are known, as messages name them.
pub fn all_subnets(model: &Network) -> Vec<(String, Ipv4Net)> {
    let mut subnets = of_zones(&zones(model));
    for (tier, nets) in declared(model).unwrap_or_default() {
        let nets = nets.into_iter().flatten();
        let known = nets.filter_map(|(zone, net)| Some((zone, net.into_known()?)));
        subnets.extend(known.map(|(zone, net)| (format!("the subnet of the tier {tier} in {zone}"), net)));
    }
    subnets
}

/// The public and private subnets of the zones.
fn of_zones(zones: &Option<BTreeMap<String, super::graph::ZoneNets>>) -> Vec<(String, Ipv4Net)> {
    zones
        .iter()
        .flatten()
        .flat_map(|(zone, nets)| [("public", zone, nets.public), ("private", zone, nets.private)])
        .filter_map(|(which, zone, net)| Some((format!("the {which} subnet of {zone}"), net.into_known()?)))
        .collect()
}

/// What belongs to `tier/zone`, by tier and then by zone.
pub fn by_tier<T>(flat: Attr<BTreeMap<String, Attr<T>>>) -> Attr<ByTier<T>> {
    flat.map(|flat| {
        let mut tiers = ByTier::new();
        for (position, value) in flat {
            if let Some((tier, zone)) = position.split_once('/') {
                tiers
                    .entry(tier.to_owned())
                    .or_default()
                    .insert(zone.to_owned(), value);
            }
        }
        tiers
    })
}

/// Adds the parts; gives the route tables. Without ways out it is not known yet where NAT gateways stand.
pub(super) fn parts(
    model: &Network,
    graph: &mut Graph,
    vpc: &Handle,
    tagger: &Tagger<'_>,
    ways_out: Option<&WaysOut>,
) -> Vec<Handle> {
    let Some(tiers) = declared(model) else {
        graph.open(&format!("{SUBNET}/"));
        graph.open(&format!("{ROUTES}/"));
        return Vec::new();
    };
    let mut tables = Vec::new();
    for (name, nets) in tiers {
        let Some(nets) = nets else {
            graph.open(&format!("{SUBNET}/{name}/"));
            graph.open(&format!("{ROUTES}/{name}/"));
            continue;
        };
        let nat_route = model
            .private_tiers
            .known()
            .and_then(|tiers| tiers.get(name))
            .map_or(Attr::Null, |tier| tier.nat_route);
        for (zone, net) in nets.iter().filter(|(_, net)| !net.is_null()) {
            let place = format!("{name}/{zone}");
            let tags = tagger.tags(&format!("{name}-{zone}"), &[]);
            let mut unknown = Unknowns::default();
            let Attr::Known(cidr) = model.cidr else { continue };
            let subnet = Subnet {
                vpc: vpc.made(),
                zone: zone.clone(),
                cidr: unknown.take("cidr", net, cidr),
                public_ips: false,
                tags: tags.clone(),
            };
            let subnet = graph.part_with(key(SUBNET, &place), subnet, unknown);
            let mut unknown = Unknowns::default();
            let way_out = match (nat_route, ways_out) {
                (Attr::Known(false), _) => None,
                (Attr::Unknown, _) | (_, None) => {
                    unknown.note("routes");
                    None
                }
                (_, Some(ways)) => ways.get(zone).and_then(Option::as_ref),
            };
            let table = RouteTable {
                vpc: vpc.made(),
                subnets: vec![subnet.made()],
                routes: way_out
                    .map(|nat| (ANYWHERE.to_owned(), nat.ready()))
                    .into_iter()
                    .collect(),
                tags,
            };
            tables.push(graph.part_with(key(ROUTES, &place), table, unknown));
        }
    }
    tables
}

/// Refuses what cannot be.
pub fn check(model: &Network, out: &mut Diagnostics) {
    let Attr::Known(tiers) = &model.private_tiers else {
        return;
    };
    let mut refuse = |at: Path, text: String, hint: String| {
        out.push(
            Diagnostic::error("EKB2121", "Invalid tier of private subnets", text)
                .hint(hint)
                .at(at),
        );
    };
    let zones = zones(model);
    let ranges = super::ranges::all(model);
    let mut taken: BTreeMap<u32, &String> = BTreeMap::new();
    let used: BTreeSet<u32> = tiers
        .values()
        .filter(|tier| tier.subnets.is_null())
        .filter_map(slot)
        .collect();
    let slots_differ = used.len() == tiers.values().filter(|tier| tier.subnets.is_null()).count();
    let has_room = model.cidr.known().is_some_and(|cidr| cidr.prefix_len() <= 20);
    let mut nets = of_zones(&zones);
    for (name, tier) in tiers {
        let at = || Path::from("private_tiers").key(name.clone());
        let is_name = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.len() <= 20
            && name
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if !is_name || ["public", "private"].contains(&name.as_str()) {
            refuse(
                at(),
                format!("`{name}` cannot be the name of a tier."),
                "Take small letters, digits and hyphens, a letter first, at most 20; not `public` or `private`.".to_owned(),
            );
        }
        if tier.subnets.is_null()
            && let Some(slot) = slot(tier)
        {
            if let Some(other) = taken.insert(slot, name) {
                let hint = match (0..4).find(|slot| !used.contains(slot)) {
                    Some(free) => format!("Write `slot = {free}` here."),
                    None => "Give one of them `subnets`.".to_owned(),
                };
                refuse(
                    at().attribute("slot"),
                    format!("The tiers {other} and {name} have the same slot {slot}."),
                    hint,
                );
            }
            if let (Attr::Known(cidr), false) = (model.cidr, has_room) {
                refuse(
                    at(),
                    format!("{cidr} has no room for computed subnets of a tier."),
                    "Give it `subnets` by zone.".to_owned(),
                );
            }
        }
        for (zone, net) in tier.subnets.known().into_iter().flatten() {
            let at = || at().attribute("subnets").key(zone.clone());
            if let Some(zones) = zones.as_ref().filter(|zones| !zones.contains_key(zone)) {
                let there: Vec<&str> = zones.keys().map(String::as_str).collect();
                refuse(
                    at(),
                    format!("The network has no zone {zone}."),
                    format!("Take one of its zones: {}.", there.join(", ")),
                );
            }
            let (Attr::Known(net), Some(ranges)) = (net, &ranges) else {
                continue;
            };
            let whole = net.trunc();
            if !ranges.iter().any(|range| range.contains(&whole)) || whole.prefix_len() > 28 {
                let cidr = super::ranges::text(ranges);
                refuse(
                    at(),
                    format!("{net} is no part of {cidr} of /28 or larger."),
                    format!("Choose such a part of {cidr}."),
                );
            } else if let Some((other, their)) =
                nets.iter().find(|(_, o)| o.contains(&whole) || whole.contains(o))
            {
                refuse(
                    at(),
                    format!("{net} overlaps {their}, {other}."),
                    "Give every subnet a range of its own.".to_owned(),
                );
            } else if whole != *net {
                refuse(
                    at(),
                    format!("{net} has host bits set."),
                    format!("Write {whole}."),
                );
            }
            nets.push((format!("the subnet of the tier {name} in {zone}"), whole));
        }
        // What has the same slot overlaps as a whole: that is said already.
        if tier.subnets.is_null() && slots_differ {
            for zone in zones.iter().flat_map(BTreeMap::keys) {
                let net = match computed(model, tier, zone) {
                    Attr::Known(net) => net,
                    Attr::Null if has_room => {
                        refuse(
                            at(),
                            format!("The zone {zone} has no place among computed subnets."),
                            "Give the tier `subnets` by zone.".to_owned(),
                        );
                        continue;
                    }
                    _ => continue,
                };
                if let Some((other, their)) = nets.iter().find(|(_, o)| o.contains(&net) || net.contains(o)) {
                    refuse(
                        at(),
                        format!("{net}, its computed subnet in {zone}, overlaps {their}, {other}."),
                        "Take another `slot`, or give it `subnets`.".to_owned(),
                    );
                }
                nets.push((format!("the subnet of the tier {name} in {zone}"), net));
            }
        }
    }
}

/// The tiers that are there; those of others have no names.
pub fn adopt(model: &Network, zones: &[String], report: &Report) -> Attr<BTreeMap<String, PrivateTier>> {
    let mut tiers: BTreeMap<String, BTreeMap<String, Ipv4Net>> = BTreeMap::new();
    let mut with_route: BTreeSet<String> = BTreeSet::new();
    for position in positions(report, SUBNET) {
        let Some((tier, zone)) = position.split_once('/') else {
            continue;
        };
        let net =
            fields(report, SUBNET, &position).and_then(|fields| fields.get("cidr")?.as_str()?.parse().ok());
        if let Some(net) = net {
            tiers
                .entry(tier.to_owned())
                .or_default()
                .insert(zone.to_owned(), net);
        }
        if fields(report, ROUTES, &position).is_some_and(|fields| fields["routes"].get(ANYWHERE).is_some()) {
            with_route.insert(tier.to_owned());
        }
    }
    if tiers.is_empty() {
        return Attr::Null;
    }
    let has_nat = !positions(report, "nat_gateway").is_empty();
    let of = |(name, nets): (String, BTreeMap<String, Ipv4Net>)| {
        let as_slot = |slot: &u32| {
            let cidr = model.cidr.known();
            nets.len() == zones.len()
                && nets.iter().all(|(zone, net)| {
                    zones.contains(zone)
                        && cidr.and_then(|cidr| tier_subnet(*cidr, *slot, zone)) == Some(*net)
                })
        };
        let slot = (0..4u32).find(as_slot);
        let tier = PrivateTier {
            slot: Attr::from_option(slot.map(i64::from)),
            nat_route: if has_nat && !with_route.contains(&name) {
                Attr::Known(false)
            } else {
                Attr::Null
            },
            subnets: if slot.is_some() {
                Attr::Null
            } else {
                Attr::Known(nets.into_iter().map(|(zone, net)| (zone, net.into())).collect())
            },
        };
        (name, tier)
    };
    Attr::Known(tiers.into_iter().map(of).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::graph::graph;

    fn tier(slot: i64) -> PrivateTier {
        PrivateTier {
            slot: slot.into(),
            subnets: Attr::Null,
            nat_route: Attr::Null,
        }
    }

    fn network(cidr: &str, tiers: &[(&str, PrivateTier)]) -> Network {
        let tiers = tiers
            .iter()
            .map(|(name, tier)| ((*name).to_owned(), tier.clone()));
        let zones = ["eu-west-1a", "eu-west-1b"].map(str::to_owned);
        let mut network = Network {
            cidr: Attr::Known(cidr.parse().unwrap()),
            name: "main".into(),
            nat_gateways: "single".into(),
            nat_zone: "eu-west-1a".into(),
            s3_endpoint: Attr::Known(true),
            cluster_name: "main".into(),
            availability_zones: Attr::Known(zones.into()),
            private_tiers: Attr::Known(tiers.collect()),
            ..Network::default()
        };
        network.common.environment = "main".into();
        network.common.region = "eu-west-1".into();
        network
    }

    fn refusals(network: &Network) -> Vec<String> {
        let mut out = Diagnostics::new();
        check(network, &mut out);
        out.into_iter()
            .map(|d| format!("{} {}", d.path, d.hint))
            .collect()
    }

    #[test]
    fn a_tier_has_a_subnet_and_a_route_table_in_each_zone() {
        let isolated = PrivateTier {
            nat_route: Attr::Known(false),
            ..tier(3)
        };
        let network = network("10.20.0.0/16", &[("database", tier(0)), ("vault", isolated)]);
        assert_eq!(refusals(&network), [""; 0]);
        let objects = graph(&network).unwrap().objects();
        let field = |key: &str, field: &str| objects[&key.into()][field].to_string();
        assert_eq!(
            field("tier_subnet/database/eu-west-1a", "cidr"),
            "\"10.20.224.0/24\""
        );
        assert_eq!(
            field("tier_subnet/vault/eu-west-1b", "cidr"),
            "\"10.20.249.0/24\""
        );
        assert_eq!(
            field("tier_routes/database/eu-west-1b", "routes"),
            r#"{"0.0.0.0/0":"nat_gateway/eu-west-1a"}"#
        );
        assert_eq!(field("tier_routes/vault/eu-west-1b", "routes"), "{}");
        assert!(field("s3_endpoint", "route_tables").contains("tier_routes/vault/eu-west-1a"));
    }

    #[test]
    fn each_mistake_has_its_place_and_a_way_out() {
        let explicit = |net: &str| PrivateTier {
            slot: Attr::Null,
            subnets: Attr::Known([("eu-west-1a".to_owned(), Attr::Known(net.parse().unwrap()))].into()),
            nat_route: Attr::Null,
        };
        let say = |cidr: &str, tiers: &[(&str, PrivateTier)]| refusals(&network(cidr, tiers)).join("; ");
        assert_eq!(
            say("10.20.0.0/16", &[("cache", tier(0)), ("data", tier(0))]),
            "private_tiers[\"data\"].slot Write `slot = 1` here."
        );
        assert!(say("10.20.0.0/22", &[("data", tier(0))]).contains("Give it `subnets`"));
        assert!(say("10.20.0.0/16", &[("Data", tier(0))]).contains("small letters"));
        assert_eq!(say("10.20.0.0/22", &[("data", explicit("10.20.3.240/28"))]), "");
        for (net, says) in [
            ("10.20.0.0/24", "a range of its own"),
            ("10.21.0.0/24", "Choose such a part"),
            ("10.20.255.1/24", "Write 10.20.255.0/24."),
        ] {
            assert!(
                say("10.20.0.0/16", &[("data", explicit(net))]).contains(says),
                "{net}"
            );
        }
        let both = [("data", explicit("10.20.224.0/24")), ("more", tier(0))];
        assert!(say("10.20.0.0/16", &both).contains("Take another `slot`"));
    }

    #[test]
    fn what_is_there_gives_the_tiers_back() {
        let isolated = PrivateTier {
            nat_route: Attr::Known(false),
            ..tier(2)
        };
        let network = network("10.20.0.0/16", &[("database", tier(0)), ("vault", isolated)]);
        let objects = graph(&network).unwrap().objects();
        let ids = objects.keys().map(|key| (key.clone(), key.0.clone())).collect();
        let report = Report {
            objects,
            ids,
            ..Report::default()
        };
        let zones = network.availability_zones.known().unwrap();
        let found = adopt(&network, zones, &report).into_known().unwrap();
        assert_eq!(found["database"].slot, Attr::Known(0));
        assert_eq!(found["database"].nat_route, Attr::Null);
        assert_eq!(found["vault"].slot, Attr::Known(2));
        assert_eq!(found["vault"].nat_route, Attr::Known(false));
    }
}
