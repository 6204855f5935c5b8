//! Interface endpoints: in which zones each of them has an address.

use std::collections::{BTreeMap, BTreeSet};

use framework::{Attr, Diagnostic, Diagnostics, Path};
use reconcile::report::Report;

use super::graph::zones;
use super::model::Network;
use super::{fields, positions};
use crate::platform::Platform;

const SERVICES: &str = "interface_endpoints";
const ZONES: &str = "interface_endpoint_zones";

/// The zones chosen for the service's endpoint; null where it has an address in every zone.
pub fn zones_of(model: &Network, service: &str) -> Attr<BTreeSet<String>> {
    match &model.interface_endpoint_zones {
        Attr::Null => Attr::Null,
        Attr::Unknown => Attr::Unknown,
        Attr::Known(chosen) => chosen.get(service).cloned().unwrap_or(Attr::Null),
    }
}

/// Each service with each zone in which its endpoint has an address, as far as it is known.
fn places(model: &Network) -> BTreeSet<(String, String)> {
    let zones = zones(model).unwrap_or_default();
    let mut places = BTreeSet::new();
    for service in model.interface_endpoints.known().into_iter().flatten() {
        let chosen = match zones_of(model, service) {
            Attr::Unknown => continue,
            Attr::Null => zones.keys().cloned().collect(),
            Attr::Known(chosen) => chosen,
        };
        places.extend(chosen.into_iter().map(|zone| (service.clone(), zone)));
    }
    places
}

/// Refuses what cannot be.
pub fn check(model: &Network, out: &mut Diagnostics) {
    let services = model.interface_endpoints.known();
    let there = zones(model);
    for (service, chosen) in model.interface_endpoint_zones.known().into_iter().flatten() {
        let mut refuse = |text: String, hint: String| {
            out.push(
                Diagnostic::error("EKB2124", "Invalid zones of an interface endpoint", text)
                    .hint(hint)
                    .at(Path::from(ZONES).key(service.clone())),
            );
        };
        let is_there = services.is_some_and(|services| services.contains(service));
        if !is_there && !model.interface_endpoints.is_unknown() {
            refuse(
                format!("There is no interface endpoint for `{service}`."),
                format!("Add it to `{SERVICES}`, or remove it here."),
            );
            continue;
        }
        let Attr::Known(chosen) = chosen else { continue };
        if chosen.is_empty() {
            refuse(
                format!("The endpoint of `{service}` would have no address."),
                format!("Name zones, or remove `{service}` here and from `{SERVICES}`."),
            );
        }
        let Some(there) = &there else { continue };
        let there: Vec<&str> = there.keys().map(String::as_str).collect();
        let outside: Vec<&str> = chosen
            .iter()
            .map(String::as_str)
            .filter(|zone| !there.contains(zone))
            .collect();
        if !outside.is_empty() {
            refuse(
                format!("The network has no zone {}.", outside.join(", ")),
                format!("Take some of its zones: {}.", there.join(", ")),
            );
        }
    }
}

/// Refuses zones in which AWS does not offer a service. What the state has already is not looked up again.
pub async fn look_up(
    context: Option<&Platform>,
    prior: Option<&Network>,
    planned: &Network,
    out: &mut Diagnostics,
) {
    let before = prior.map(places).unwrap_or_default();
    let mut new: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (service, zone) in places(planned)
        .into_iter()
        .filter(|place| !before.contains(place))
    {
        new.entry(service).or_default().insert(zone);
    }
    // Full names are refused for themselves.
    new.retain(|service, _| !service.starts_with("com.") && !service.starts_with("cn.com."));
    let (Some(context), Attr::Known(region), false) = (context, &planned.common.region, new.is_empty())
    else {
        return;
    };
    let offered = match context
        .aws
        .endpoint_zones(region, &new.keys().cloned().collect())
        .await
    {
        Ok(offered) => offered,
        // The apply may do all the same: AWS says there what it does not offer.
        Err(failure) => {
            return out.push(failure.warning());
        }
    };
    let network: BTreeSet<String> = zones(planned).unwrap_or_default().into_keys().collect();
    for (service, wanted) in new {
        let Some(offered) = offered.get(&service) else {
            out.push(
                Diagnostic::error(
                    "EKB2123",
                    "No such interface endpoint",
                    format!("AWS offers no interface endpoint for `{service}` in {region}."),
                )
                .hint(format!(
                    "Remove it, or look for its name: aws ec2 describe-vpc-endpoint-services --region {region}"
                ))
                .at(Path::from(SERVICES)),
            );
            continue;
        };
        let missing: Vec<&str> = wanted.difference(offered).map(String::as_str).collect();
        if missing.is_empty() {
            continue;
        }
        let usable: Vec<String> = network
            .intersection(offered)
            .map(|zone| format!("\"{zone}\""))
            .collect();
        let all: Vec<&str> = offered.iter().map(String::as_str).collect();
        let at = if zones_of(planned, &service).is_known() {
            Path::from(ZONES).key(service.clone())
        } else {
            Path::from(SERVICES)
        };
        out.push(
            Diagnostic::error(
                "EKB2125",
                "Interface endpoint that a zone does not have",
                format!(
                    "AWS does not offer `{service}` in {}, only in {}.",
                    missing.join(", "),
                    all.join(", ")
                ),
            )
            .hint(if usable.is_empty() {
                format!("Remove `{service}`: no zone of the network has it.")
            } else {
                format!(
                    "Write `{ZONES} = {{ \"{service}\" = [{}] }}`: the other zones reach it there.",
                    usable.join(", ")
                )
            })
            .at(at),
        );
    }
}

/// The zones of those endpoints that have no address in some zone.
pub fn adopt(network: &[String], report: &Report) -> Attr<BTreeMap<String, Attr<BTreeSet<String>>>> {
    let chosen = positions(report, "interface_endpoint")
        .into_iter()
        .filter_map(|service| {
            let subnets = fields(report, "interface_endpoint", &service)?
                .get("subnets")?
                .as_array()?;
            let zone = |subnet: &serde_json::Value| {
                Some(subnet.as_str()?.strip_prefix("private_subnet/")?.to_owned())
            };
            let zones: BTreeSet<String> = subnets.iter().filter_map(zone).collect();
            let is_partial = !zones.is_empty() && zones.len() < network.len();
            is_partial.then_some((service, Attr::Known(zones)))
        });
    let chosen: BTreeMap<_, _> = chosen.collect();
    Attr::from_option((!chosen.is_empty()).then_some(chosen))
}
