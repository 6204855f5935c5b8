//! Which addresses each subnet gets: one slot per zone letter, so that adding or removing a zone moves nothing.
//!
//! The VPC's range is cut into eighths. Eighths 0 to 5 are the private subnets of the zones `a` to `f`; the last quarter
//! begins with the small public ones. The last eighth holds up to four further tiers, a quarter each, with eight slots for
//! zones; what lies between is free. A /16 gives private /19 and public /22, a /20 gives
//! /23 and /26 (further tiers /24 and /28); nothing is smaller than /28 (AWS EC2 CreateSubnet).

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use thiserror::Error;

/// The subnets of one zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ZoneSubnets {
    /// Large: nodes, pods, data.
    pub private: Ipv4Net,
    /// Small: load balancers and NAT gateways.
    pub public: Ipv4Net,
}

/// Why a range cannot be cut.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LayoutError {
    /// Bits behind the prefix are set.
    #[error("{given} has host bits set. The network is {network}: write that")]
    HostBits {
        /// As written.
        given: Ipv4Net,
        /// What was probably meant.
        network: Ipv4Net,
    },
    /// Larger than AWS allows, or too small to cut.
    #[error("{0} is a /{prefix}; a network's range is /16 to /24 (AWS EC2 CreateVpc takes at most a /16, and below /24 the subnets would be too small)", prefix = .0.prefix_len())]
    Size(Ipv4Net),
    /// Addresses that no network can have.
    #[error(
        "{0} lies in {1}, which AWS EC2 CreateVpc refuses. Use a part of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16 (RFC 1918)"
    )]
    Reserved(Ipv4Net, Ipv4Net),
    /// No slot for the zone's letter.
    #[error("zone {zone} has no slot in {cidr}: its letter must be one of {letters}{}", if .cidr.prefix_len() == 24 { ". A /23 or larger has room for a to f" } else { "" })]
    NoSlot {
        /// The zone's name.
        zone: String,
        /// The range.
        cidr: Ipv4Net,
        /// The letters that have a slot.
        letters: &'static str,
    },
}

/// Private ranges (RFC 1918).
const PRIVATE: [(Ipv4Addr, u8); 3] = [
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
];

/// This network, loopback, link-local, multicast and reserved: no VPC can have them (AWS EC2 `CreateVpc`).
const RESERVED: [(Ipv4Addr, u8); 4] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(224, 0, 0, 0), 3),
];

/// The one of the ranges that the range is a part of.
fn within(cidr: Ipv4Net, ranges: &[(Ipv4Addr, u8)]) -> Option<Ipv4Net> {
    let mut ranges = ranges
        .iter()
        .filter_map(|(address, length)| Ipv4Net::new(*address, *length).ok());
    ranges.find(|range| range.contains(&cidr))
}

/// Whether the range is nobody's in the internet (RFC 1918). AWS takes others too: shared ones (100.64.0.0/10,
/// 198.18.0.0/15), and public ones, for their owners.
pub fn is_private(cidr: Ipv4Net) -> bool {
    within(cidr, &PRIVATE).is_some()
}

/// The reserved range that the range is a part of.
pub fn reserved(cidr: Ipv4Net) -> Option<Ipv4Net> {
    within(cidr, &RESERVED)
}

/// Checks a VPC's range by itself. What a message suggests passes the other checks.
///
/// # Errors
/// The reason, with what to do.
pub fn check_range(cidr: Ipv4Net) -> Result<(), LayoutError> {
    if !(16..=24).contains(&cidr.prefix_len()) {
        return Err(LayoutError::Size(cidr));
    }
    if let Some(reserved) = reserved(cidr) {
        return Err(LayoutError::Reserved(cidr, reserved));
    }
    if cidr.addr() != cidr.network() {
        return Err(LayoutError::HostBits {
            given: cidr,
            network: cidr.trunc(),
        });
    }
    Ok(())
}

/// The slot of a zone: 0 for `eu-central-1a`, 5 for `us-east-1f`.
fn slot(zone: &str) -> Option<u32> {
    let mut end = zone.chars().rev();
    let letter = end.next()?;
    // `us-west-2-lax-1a` is a local zone: its letter says nothing about a region's zones.
    let region_part = zone.split('-').count() == 3 && end.next()?.is_ascii_digit();
    (region_part && ('a'..='f').contains(&letter)).then(|| u32::from(letter) - u32::from('a'))
}

/// The `index`th subnet of the given length, counted from `base`.
fn nth(base: u32, length: u8, index: u32) -> Option<Ipv4Net> {
    let size = 1u32.checked_shl(32 - u32::from(length))?;
    Ipv4Net::new(
        Ipv4Addr::from(base.checked_add(index.checked_mul(size)?)?),
        length,
    )
    .ok()
}

/// Cuts the range for the zones.
///
/// # Errors
/// Where the range cannot be cut, or a zone has no slot.
pub fn layout<'a>(
    cidr: Ipv4Net,
    zones: impl IntoIterator<Item = &'a str>,
) -> Result<BTreeMap<String, ZoneSubnets>, LayoutError> {
    check_range(cidr)?;
    let base = u32::from(cidr.network());
    let eighth = 1u32 << (29 - u32::from(cidr.prefix_len()));
    let public_length = (cidr.prefix_len() + 6).min(28);
    let letters = if cidr.prefix_len() == 24 {
        "a to d"
    } else {
        "a to f"
    };
    zones
        .into_iter()
        .map(|zone| {
            let no_slot = || LayoutError::NoSlot {
                zone: zone.to_owned(),
                cidr,
                letters,
            };
            let slot = slot(zone).ok_or_else(no_slot)?;
            let private = nth(base, cidr.prefix_len() + 3, slot).ok_or_else(no_slot)?;
            let public = nth(base + 6 * eighth, public_length, slot)
                .filter(|subnet| cidr.contains(subnet))
                .ok_or_else(no_slot)?;
            Ok((zone.to_owned(), ZoneSubnets { private, public }))
        })
        .collect()
}

/// How many further tiers there is room for.
pub const TIERS: u32 = 4;

/// The subnet of a further tier: of the slot (0 to 3), in the zone; `None` where there is no room.
pub fn tier_subnet(cidr: Ipv4Net, slot: u32, zone: &str) -> Option<Ipv4Net> {
    let length = cidr.prefix_len() + 8;
    let place = 28 * 8 + slot * 8 + self::slot(zone)?;
    (length <= 28 && slot < TIERS).then(|| nth(u32::from(cidr.network()), length, place))?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> Ipv4Net {
        text.parse().unwrap()
    }

    #[test]
    fn a_16_gives_large_private_and_small_public_subnets() {
        let got = layout(
            net("10.20.0.0/16"),
            ["eu-central-1a", "eu-central-1b", "eu-central-1c"],
        )
        .unwrap();
        let text: Vec<_> = got
            .iter()
            .map(|(zone, s)| format!("{zone} {} {}", s.private, s.public))
            .collect();
        assert_eq!(
            text,
            [
                "eu-central-1a 10.20.0.0/19 10.20.192.0/22",
                "eu-central-1b 10.20.32.0/19 10.20.196.0/22",
                "eu-central-1c 10.20.64.0/19 10.20.200.0/22",
            ]
        );
    }

    #[test]
    fn a_zone_keeps_its_subnets_whatever_the_others_are() {
        let alone = layout(net("10.0.0.0/20"), ["us-east-1d"]).unwrap();
        let among = layout(net("10.0.0.0/20"), ["us-east-1f", "us-east-1d", "us-east-1a"]).unwrap();
        assert_eq!(alone["us-east-1d"], among["us-east-1d"]);
    }

    #[test]
    fn no_two_subnets_overlap_in_any_size() {
        for prefix in 16..=24 {
            let cidr = Ipv4Net::new(Ipv4Addr::new(10, 0, 0, 0), prefix).unwrap();
            let letters: &[char] = if prefix == 24 {
                &['a', 'b', 'c', 'd']
            } else {
                &['a', 'b', 'c', 'd', 'e', 'f']
            };
            let zones: Vec<_> = letters.iter().map(|l| format!("eu-west-1{l}")).collect();
            let got = layout(cidr, zones.iter().map(String::as_str)).unwrap();
            let mut all: Vec<_> = got.values().flat_map(|s| [s.private, s.public]).collect();
            all.extend(
                (0..4).flat_map(|slot| zones.iter().filter_map(move |zone| tier_subnet(cidr, slot, zone))),
            );
            assert_eq!(all.len(), letters.len() * if prefix <= 20 { 6 } else { 2 });
            for (i, a) in all.iter().enumerate() {
                assert!(cidr.contains(a) && a.prefix_len() <= 28, "{a} in {cidr}");
                for b in &all[i + 1..] {
                    assert!(!a.contains(b) && !b.contains(a), "{a} and {b} of {cidr}");
                }
            }
        }
    }

    #[test]
    fn shared_and_public_ranges_are_cut_too() {
        for cidr in ["100.64.0.0/16", "198.18.0.0/16", "52.94.0.0/20"] {
            assert_eq!(check_range(net(cidr)), Ok(()), "{cidr}");
            assert!(!is_private(net(cidr)), "{cidr}");
        }
        assert!(is_private(net("172.31.0.0/16")));
    }

    #[test]
    fn a_range_that_a_message_suggests_is_not_refused() {
        for prefix in 1..=32 {
            let given = Ipv4Net::new(Ipv4Addr::new(10, 45, 77, 13), prefix).unwrap();
            if let Err(LayoutError::HostBits { network, .. }) = check_range(given) {
                assert_eq!(check_range(network), Ok(()), "{given}");
            }
        }
    }

    #[test]
    fn what_cannot_be_cut_says_why() {
        let say = |cidr: &str, zone: &str| layout(net(cidr), [zone]).unwrap_err().to_string();
        assert!(say("10.20.0.1/16", "eu-west-1a").contains("write that"));
        assert!(say("10.0.0.0/15", "eu-west-1a").contains("/16 to /24"));
        assert!(say("10.0.0.0/25", "eu-west-1a").contains("/16 to /24"));
        assert!(say("10.45.0.0/15", "eu-west-1a").contains("/16 to /24"));
        assert!(say("169.254.8.1/20", "eu-west-1a").contains("169.254.0.0/16"));
        assert!(say("240.0.0.0/16", "eu-west-1a").contains("224.0.0.0/3"));
        assert!(say("10.0.0.0/24", "us-east-1e").contains("A /23 or larger"));
        assert!(say("10.0.0.0/16", "us-west-2-lax-1a").contains("no slot"));
    }
}
