//! What is refused at plan, each with the reason and the fix.

use std::collections::BTreeSet;

use framework::{Attr, Diagnostic, Diagnostics, Path};
use ipnet::Ipv4Net;

use aws::logs::RETENTION_DAYS;
use aws::partition::short_endpoint_service;

use super::graph::{flow_logs_role, prefix, public_zones};
use super::layout::{LayoutError, check_range, is_private, layout};
use super::model::Network;
use super::{endpoints, ranges, tiers};

/// Most characters of the name of an IAM role (AWS IAM CreateRole).
const ROLE_NAME: usize = 64;
/// Sizes of a subnet (AWS EC2 CreateSubnet).
const SUBNET_PREFIXES: std::ops::RangeInclusive<u8> = 16..=28;

/// Checks arguments by themselves and against each other; unknown ones are left for later.
pub fn check(network: &Network, out: &mut Diagnostics) {
    let range_is_good = check_cidr(network, out);
    check_zones(network, range_is_good, out);
    ranges::check(network, out);
    if let Attr::Known(subnets) = &network.subnets {
        check_explicit(subnets, ranges::all(network), out);
    }
    endpoints::check(network, out);
    tiers::check(network, out);
    check_nat(network, out);
    check_names(network, out);
    let services = network.interface_endpoints.known().into_iter().flatten();
    for service in services.filter(|service| service.starts_with("com.") || service.starts_with("cn.com.")) {
        let hint = match short_endpoint_service(service) {
            // The service of somebody else has no short name.
            _ if service.starts_with("com.amazonaws.vpce.") => {
                "Remove it: only services of AWS are reached so. An endpoint of another's service is a resource of its own, \
                 for example `aws_vpc_endpoint`."
                    .to_owned()
            }
            short => format!("Write what follows the region: `{}`.", short.unwrap_or("ecr.api")),
        };
        out.push(
            Diagnostic::error(
                "EKB2113",
                "Invalid service of an interface endpoint",
                format!("`{service}` is the full name of an endpoint's service."),
            )
            .hint(hint)
            .at(Path::from("interface_endpoints")),
        );
    }
    let days = network
        .flow_logs
        .known()
        .and_then(|logs| logs.retention_days.known());
    if let Some(days) = days.filter(|days| !RETENTION_DAYS.contains(days)) {
        let allowed = RETENTION_DAYS.map(|days| days.to_string()).join(", ");
        out.push(
            Diagnostic::error(
                "EKB2114",
                "Invalid retention of flow logs",
                format!("CloudWatch keeps logs for {allowed} days, not for {days}."),
            )
            .hint("Take one of these.")
            .at(Path::from("flow_logs.retention_days")),
        );
    }
    if let Some(destination) = network
        .flow_logs
        .known()
        .and_then(|logs| logs.destination.known())
        && destination != "cloudwatch"
        && let Some(why) = match bucket(destination) {
            None => Some(format!(
                "`{destination}` is neither `cloudwatch` nor the ARN of an S3 bucket."
            )),
            Some(bucket) => bucket_fault(bucket),
        }
    {
        out.push(
            Diagnostic::error("EKB2107", "Invalid destination of flow logs", why)
                .hint("Write `cloudwatch`, or for example `arn:aws:s3:::my-logs`.")
                .at(Path::from("flow_logs.destination")),
        );
    }
}

/// A retention says nothing to a bucket. Only the configuration tells whether it was given: the plan has the default. Not an
/// error, as Terraform 1.11 and OpenTofu write it into the configuration that they generate for an import.
pub fn warn_of_retention(config: &Network, out: &mut Diagnostics) {
    let Some(logs) = config.flow_logs.known() else {
        return;
    };
    let bucket = logs.destination.known().filter(|to| bucket(to).is_some());
    if let (Some(bucket), Attr::Known(_)) = (bucket, &logs.retention_days) {
        out.push(
            Diagnostic::warning(
                "EKB2115",
                "Retention of flow logs in a bucket",
                format!("The flow logs go to {bucket}: how long they stay is up to the bucket, not to `retention_days`."),
            )
            .hint("Remove `retention_days`, and give the bucket a lifecycle rule.")
            .at(Path::from("flow_logs.retention_days")),
        );
    }
}

/// The name of the bucket in its ARN, which may go on with a folder.
fn bucket(destination: &str) -> Option<&str> {
    let (partition, bucket) = destination.split_once(":s3:::")?;
    let name = bucket.split_once('/').map_or(bucket, |(name, _)| name);
    partition.starts_with("arn:aws").then_some(name)
}

/// Why no bucket can have this name (Amazon S3 user guide, "Bucket naming rules").
fn bucket_fault(name: &str) -> Option<String> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    if !(3..=63).contains(&name.len()) {
        Some(format!(
            "The bucket `{name}` has {} characters; names of buckets have 3 to 63.",
            name.len()
        ))
    } else if !name.chars().all(allowed) {
        Some(format!(
            "`{name}` is no name of a bucket: these have lower case letters, digits, `-` and `.`."
        ))
    } else {
        None
    }
}

fn check_cidr(network: &Network, out: &mut Diagnostics) -> bool {
    let Some(cidr) = network.cidr.known() else {
        return false;
    };
    let Err(error) = check_range(*cidr) else {
        if !is_private(*cidr) {
            out.push(
                Diagnostic::warning(
                    "EKB2120",
                    "Range that is not private",
                    format!(
                        "{cidr} is no part of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16 (RFC 1918). AWS allows it, but \
                         whoever else has these addresses cannot be reached from the network, and VPNs and peered networks \
                         may not route them."
                    ),
                )
                .hint("Keep it if the addresses are yours, or shared ones (100.64.0.0/10, 198.18.0.0/15) that nothing else \
                       here uses.")
                .at(Path::from("cidr")),
            );
        }
        return true;
    };
    let code = match error {
        LayoutError::HostBits { .. } => "EKB2101",
        LayoutError::Size(_) => "EKB2102",
        _ => "EKB2103",
    };
    out.extend([
        Diagnostic::error(code, "Invalid range of the network", format!("{error}.")).at(Path::from("cidr")),
    ]);
    false
}

fn check_zones(network: &Network, range_is_good: bool, out: &mut Diagnostics) {
    let Some(zones) = network.availability_zones.known() else {
        return;
    };
    let explicit = network.subnets.known();
    let at = || {
        Path::from(if explicit.is_some() {
            "subnets"
        } else {
            "availability_zones"
        })
    };
    if let Some(subnets) = explicit {
        let given: BTreeSet<&String> = zones.iter().collect();
        if !given.iter().copied().eq(subnets.keys()) {
            let keys: Vec<&str> = subnets.keys().map(String::as_str).collect();
            out.push(
                Diagnostic::error(
                    "EKB2119",
                    "Other zones than those of the subnets",
                    format!("`subnets` has the zones {}.", keys.join(", ")),
                )
                .hint("Leave `availability_zones` out: they follow from `subnets`.")
                .at(Path::from("availability_zones")),
            );
        }
    }
    let mut seen = BTreeSet::new();
    for zone in zones.iter().filter(|zone| !seen.insert(zone.as_str())) {
        out.push(
            Diagnostic::error(
                "EKB2104",
                "Zone given twice",
                format!("{zone} is given more than once."),
            )
            .hint("Name every zone once.")
            .at(at()),
        );
    }
    if zones.is_empty() {
        out.push(
            Diagnostic::error(
                "EKB2104",
                "No zones",
                "A network has at least one availability zone.",
            )
            .hint(if explicit.is_some() {
                "Give subnets by zone, or leave the argument out: they are computed."
            } else {
                "Name zones, or leave the argument out for the default of three."
            })
            .at(at()),
        );
    }
    if let (true, Attr::Null, Some(cidr)) = (range_is_good, &network.subnets, network.cidr.known()) {
        for zone in seen {
            if let Err(error) = layout(*cidr, [zone]) {
                out.extend([
                    Diagnostic::error("EKB2105", "Zone without subnets", format!("{error}.")).at(at()),
                ]);
            }
        }
    }
}

/// Refuses NAT gateways where none can stand.
fn check_nat(network: &Network, out: &mut Diagnostics) {
    let Some(public) = public_zones(network) else {
        return;
    };
    let mode = network.nat_gateways.known().map(String::as_str);
    if public.is_empty() && matches!(mode, Some("per_zone" | "single")) {
        out.push(
            Diagnostic::error(
                "EKB2116",
                "No place for a NAT gateway",
                "A NAT gateway stands in a public subnet, and no zone has one.",
            )
            .hint("Write `nat_gateways = \"none\"`, or give a zone of `subnets` a `public` range.")
            .at(Path::from("nat_gateways")),
        );
        return;
    }
    if let (Some(zone), Some(mode)) = (network.nat_zone.known(), mode) {
        let why = if mode != "single" {
            format!("`nat_zone` says where a single NAT gateway stands; `nat_gateways` is `{mode}`.")
        } else if !public.contains(zone) {
            format!("{zone} is no zone of this network with a public subnet.")
        } else {
            String::new()
        };
        if !why.is_empty() {
            let hint = if mode == "single" {
                format!("Zones with a public subnet: {}.", public.join(", "))
            } else {
                "Remove `nat_zone`, or write `nat_gateways = \"single\"`.".to_owned()
            };
            let refusal = Diagnostic::error("EKB2117", "Zone without a NAT gateway", why).hint(hint);
            out.push(refusal.at(Path::from("nat_zone")));
        }
    }
    let mut given: Vec<(&String, &String)> = Vec::new();
    for (zone, id) in network.nat_allocation_ids.known().into_iter().flatten() {
        let at = || Path::from("nat_allocation_ids").key(zone.clone());
        let is_single =
            mode == Some("single") && network.nat_zone.known().is_some_and(|single| single != zone);
        if mode == Some("none") || is_single || !public.contains(zone) {
            out.push(
                Diagnostic::error(
                    "EKB2118",
                    "Address without a NAT gateway",
                    format!("There is no NAT gateway in {zone} to take this address."),
                )
                .hint("Name only zones in which a NAT gateway stands.")
                .at(at()),
            );
        }
        let Some(id) = id.known() else { continue };
        if let Some((other, _)) = given.iter().find(|(_, other)| *other == id) {
            out.push(
                Diagnostic::error(
                    "EKB2118",
                    "Address given twice",
                    format!("{id} is given for {other} too; an address serves one NAT gateway."),
                )
                .hint("Allocate another one, or leave the zone out: it then gets an address of its own.")
                .at(at()),
            );
        }
        given.push((zone, id));
    }
}

fn check_explicit(
    subnets: &std::collections::BTreeMap<String, super::model::Subnets>,
    ranges: Option<Vec<Ipv4Net>>,
    out: &mut Diagnostics,
) {
    let part_of = ranges
        .as_ref()
        .map_or_else(|| "the network's range".to_owned(), |ranges| ranges::text(ranges));
    let mut all: Vec<(String, Ipv4Net)> = Vec::new();
    for (zone, pair) in subnets {
        for (which, net) in [("public", &pair.public), ("private", &pair.private)] {
            let Some(net) = net.known() else { continue };
            let given = net;
            let name = format!("the {which} subnet of {zone}");
            let at = Path::from("subnets").key(zone.clone()).attribute(which);
            let mut refuse = |text: String, hint: String| {
                out.push(
                    Diagnostic::error("EKB2106", "Invalid subnet", text)
                        .hint(hint)
                        .at(at.clone()),
                );
            };
            if !SUBNET_PREFIXES.contains(&net.prefix_len()) {
                refuse(
                    format!(
                        "{net}, {name}, is a /{}; AWS allows /16 to /28.",
                        net.prefix_len()
                    ),
                    format!("Choose a part of {part_of} of such a size."),
                );
                continue;
            }
            let lies_in = |range: &Ipv4Net| range.contains(net);
            if ranges.as_ref().is_some_and(|ranges| !ranges.iter().any(lies_in)) {
                refuse(
                    format!("{net}, {name}, lies outside the network's range {part_of}."),
                    format!("Choose a part of {part_of}."),
                );
                continue;
            }
            let net = &net.trunc();
            if let Some((other, their)) = all.iter().find(|(_, o)| o.contains(net) || net.contains(o)) {
                refuse(
                    format!("{net}, {name}, overlaps {their}, {other}."),
                    "Give every subnet a range of its own.".to_owned(),
                );
            } else if given != net {
                refuse(
                    format!("{given}, {name}, has host bits set."),
                    format!("Write {net}."),
                );
            }
            all.push((name, *net));
        }
    }
}

fn check_names(network: &Network, out: &mut Diagnostics) {
    let common = &network.common;
    let (Some(environment), Some(region), Some(name)) = (
        common.environment.known(),
        common.region.known(),
        network.name.known(),
    ) else {
        return;
    };
    let role = flow_logs_role(&prefix(environment, name), region);
    if network.flow_logs.is_known() && role.len() > ROLE_NAME {
        out.push(
            Diagnostic::error(
                "EKB2108",
                "Name too long",
                format!(
                    "The IAM role {role} would have {} characters; AWS allows {ROLE_NAME}.",
                    role.len()
                ),
            )
            .hint(format!(
                "Shorten {} by {} characters.",
                if environment == name {
                    "the provider's `environment`"
                } else {
                    "`name`, or the provider's `environment` and `name` together,"
                },
                role.len() - ROLE_NAME
            ))
            .at(Path::from("name")),
        );
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::network::model::{FlowLogs, Subnets};

    fn network() -> Network {
        let mut network = Network {
            cidr: Attr::Known("10.20.0.0/16".parse().unwrap()),
            ..Network::default()
        };
        network.common.environment = "staging".into();
        network.common.region = "eu-west-1".into();
        network.name = "main".into();
        network
    }

    fn codes(network: &Network) -> Vec<String> {
        let mut out = Diagnostics::new();
        check(network, &mut out);
        out.into_iter()
            .map(|d| format!("{} {}", d.code, d.path))
            .collect()
    }

    #[test]
    fn a_good_network_is_not_refused() {
        assert_eq!(codes(&network()), [""; 0]);
    }

    #[test]
    fn each_mistake_has_its_code_and_place() {
        for (cidr, code) in [
            ("10.20.0.1/16", "EKB2101 cidr"),
            ("10.0.0.0/12", "EKB2102 cidr"),
            ("10.0.0.0/28", "EKB2102 cidr"),
            ("127.0.0.0/16", "EKB2103 cidr"),
            ("10.45.0.0/15", "EKB2102 cidr"),
            ("9.0.0.0/16", "EKB2120 cidr"),
            ("100.64.0.0/16", "EKB2120 cidr"),
        ] {
            let wrong = Network {
                cidr: Attr::Known(cidr.parse().unwrap()),
                ..network()
            };
            assert_eq!(codes(&wrong), [code], "{cidr}");
        }
        let zones = |zones: &[&str]| Attr::Known(zones.iter().map(|z| (*z).to_owned()).collect());
        let twice = Network {
            availability_zones: zones(&["eu-west-1a", "eu-west-1a"]),
            ..network()
        };
        assert_eq!(codes(&twice), ["EKB2104 availability_zones"]);
        let local = Network {
            availability_zones: zones(&["us-west-2-lax-1a"]),
            ..network()
        };
        assert_eq!(codes(&local), ["EKB2105 availability_zones"]);

        let pair = |public: &str, private: &str| Subnets {
            public: Attr::Known(public.parse().unwrap()),
            private: Attr::Known(private.parse().unwrap()),
        };
        let explicit = |pairs: &[Subnets]| {
            let zones = ["eu-west-1a", "eu-west-1b"].map(str::to_owned);
            let subnets: BTreeMap<_, _> = zones.into_iter().zip(pairs.iter().cloned()).collect();
            codes(&Network {
                subnets: Attr::Known(subnets),
                ..network()
            })
        };
        assert_eq!(explicit(&[pair("10.20.0.0/24", "10.20.1.0/24")]), [""; 0]);
        assert_eq!(
            explicit(&[pair("10.20.0.0/24", "10.21.1.0/24")]),
            ["EKB2106 subnets[\"eu-west-1a\"].private"]
        );
        assert_eq!(
            explicit(&[pair("10.20.0.0/24", "10.20.0.0/25")]),
            ["EKB2106 subnets[\"eu-west-1a\"].private"]
        );
        assert_eq!(
            explicit(&[pair("10.20.0.0/29", "10.20.1.0/24")]),
            ["EKB2106 subnets[\"eu-west-1a\"].public"]
        );

        // Another size, outside and overlapping say more than host bits: what is suggested must not be refused next.
        for (private, says) in [
            ("10.20.1.7/24", "Write 10.20.1.0/24."),
            ("10.20.0.7/25", "Give every subnet a range of its own."),
            ("10.20.1.7/29", "Choose a part of 10.20.0.0/16 of such a size."),
            ("10.21.1.7/24", "Choose a part of 10.20.0.0/16."),
        ] {
            let wrong = Network {
                subnets: Attr::Known([("eu-west-1a".to_owned(), pair("10.20.0.0/24", private))].into()),
                ..network()
            };
            let mut out = Diagnostics::new();
            check(&wrong, &mut out);
            let hints: Vec<String> = out.into_iter().map(|d| d.hint.into_string()).collect();
            assert_eq!(hints, [says], "{private}");
        }

        let none = Network {
            availability_zones: zones(&[]),
            subnets: Attr::Known(BTreeMap::new()),
            ..network()
        };
        assert_eq!(codes(&none), ["EKB2104 subnets"]);

        let logs = FlowLogs {
            destination: "kinesis".into(),
            retention_days: Attr::Known(14),
            retain_logs: Attr::Null,
        };
        assert_eq!(
            codes(&Network {
                flow_logs: Attr::Known(logs),
                ..network()
            }),
            ["EKB2107 flow_logs.destination"]
        );
        let logs = FlowLogs {
            destination: "cloudwatch".into(),
            retention_days: Attr::Known(14),
            retain_logs: Attr::Null,
        };
        let long = Network {
            name: "x".repeat(60).as_str().into(),
            flow_logs: Attr::Known(logs),
            ..network()
        };
        assert_eq!(codes(&long), ["EKB2108 name"]);
        let logs = |destination: &str, retention_days| Network {
            flow_logs: Attr::Known(FlowLogs {
                destination: destination.into(),
                retention_days,
                retain_logs: Attr::Null,
            }),
            ..network()
        };
        let warned = |config: &Network| {
            let mut out = Diagnostics::new();
            warn_of_retention(config, &mut out);
            out.into_iter().count()
        };
        assert_eq!(warned(&logs("arn:aws:s3:::logs", Attr::Known(14))), 1);
        assert_eq!(warned(&logs("arn:aws:s3:::logs", Attr::Null)), 0);
        assert_eq!(warned(&logs("cloudwatch", Attr::Known(14))), 0);
        let logs = FlowLogs {
            destination: "arn:aws:s3:::".into(),
            retention_days: Attr::Known(15),
            retain_logs: Attr::Null,
        };
        let wrong = Network {
            flow_logs: Attr::Known(logs),
            interface_endpoints: Attr::Known(["com.amazonaws.eu-west-1.sts".to_owned()].into()),
            ..network()
        };
        assert_eq!(
            codes(&wrong),
            [
                "EKB2113 interface_endpoints",
                "EKB2114 flow_logs.retention_days",
                "EKB2107 flow_logs.destination"
            ]
        );
    }
}
