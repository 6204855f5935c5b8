//! The ranges of the VPC: the first one, and further ones.

use std::collections::BTreeSet;

use framework::{Attr, Diagnostic, Diagnostics, Path};
use ipnet::Ipv4Net;

use super::layout::{LayoutError, reserved};
use super::model::Network;
use crate::platform::Platform;

const ARGUMENT: &str = "secondary_cidrs";

/// All ranges; `None` while they are not known.
pub fn all(model: &Network) -> Option<Vec<Ipv4Net>> {
    let further: Vec<Ipv4Net> = match &model.secondary_cidrs {
        Attr::Null => Vec::new(),
        Attr::Unknown => return None,
        Attr::Known(further) => further.iter().copied().collect(),
    };
    Some([*model.cidr.known()?].into_iter().chain(further).collect())
}

/// Ranges as a message names them.
pub fn text(ranges: &[Ipv4Net]) -> String {
    let texts: Vec<String> = ranges.iter().map(Ipv4Net::to_string).collect();
    texts.join(", ")
}

/// The blocks that AWS tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Block {
    Ten,
    OneSevenTwo,
    OneNineTwo,
    /// 198.19.0.0/16.
    Benchmark,
    /// 100.64.0.0/10, and public ones.
    Other,
}

fn block(net: Ipv4Net) -> Block {
    match net.addr().octets() {
        [10, ..] => Block::Ten,
        [172, 16..=31, ..] => Block::OneSevenTwo,
        [192, 168, ..] => Block::OneNineTwo,
        [198, 19, ..] => Block::Benchmark,
        _ => Block::Other,
    }
}

/// Why AWS does not take the range beside the first one (Amazon VPC user guide, "IPv4 CIDR block association restrictions").
fn restriction(first: Ipv4Net, others: &[Ipv4Net], net: Ipv4Net) -> Option<String> {
    let is_private = |block| matches!(block, Block::Ten | Block::OneSevenTwo | Block::OneNineTwo);
    let (of_first, of_net) = (block(first), block(net));
    if of_net == Block::Benchmark && of_first != Block::Benchmark {
        return Some(format!("198.19.0.0/16 cannot be combined with {first}"));
    }
    if is_private(of_net) && of_net != of_first {
        return Some(format!(
            "only private ranges (RFC 1918) of the same block as {first} can be added to it"
        ));
    }
    match net.addr().octets() {
        [172, 31, ..] => Some("AWS takes no part of 172.31.0.0/16 as a further range".to_owned()),
        [10, 0, ..] => {
            let is_low = |net: &&Ipv4Net| matches!(net.addr().octets(), [10, 0 | 1, ..]);
            let mut low = [&first].into_iter().chain(others).filter(is_low);
            low.next()
                .map(|low| format!("AWS takes no part of 10.0.0.0/16 beside {low}"))
        }
        _ => None,
    }
}

/// Refuses what AWS would.
pub fn check(model: &Network, out: &mut Diagnostics) {
    let (Attr::Known(first), Attr::Known(further)) = (model.cidr, &model.secondary_cidrs) else {
        return;
    };
    let mut before: Vec<Ipv4Net> = Vec::new();
    for net in further {
        let mut refuse = |text: String, hint: &str| {
            out.push(
                Diagnostic::error("EKB2122", "Invalid further range", text)
                    .hint(hint)
                    .at(Path::from(ARGUMENT)),
            );
        };
        let whole = net.trunc();
        let overlapped = |others: &[Ipv4Net]| {
            others
                .iter()
                .find(|o| o.contains(&whole) || whole.contains(*o))
                .copied()
        };
        if !(16..=28).contains(&net.prefix_len()) {
            refuse(
                format!("{net} is a /{}; AWS allows /16 to /28.", net.prefix_len()),
                "Write several smaller ranges for a larger one.",
            );
        } else if let Some(reserved) = reserved(whole) {
            refuse(
                format!("{}.", LayoutError::Reserved(*net, reserved)),
                "Take another range.",
            );
        } else if whole != *net {
            refuse(format!("{net} has host bits set."), &format!("Write {whole}."));
        } else if let Some(other) = overlapped(&[first]).or_else(|| overlapped(&before)) {
            refuse(
                format!("{net} overlaps {other}."),
                "Give every range addresses of its own.",
            );
        } else if let Some(why) = restriction(first, &before, whole) {
            refuse(
                format!("{net} cannot be added: {why}."),
                "Take a part of the same private block, or of 100.64.0.0/10.",
            );
        }
        before.push(whole);
    }
}

/// Refuses to take away a range in which others have subnets: looked up only where a range goes. Subnets of ours that stay
/// are refused for themselves.
pub async fn look_up(
    context: Option<&Platform>,
    prior: Option<&Network>,
    planned: &Network,
    out: &mut Diagnostics,
) {
    let (Some(context), Some(prior), Some(ranges)) = (context, prior, all(planned)) else {
        return;
    };
    let before = prior.secondary_cidrs.known().cloned().unwrap_or_default();
    let going: Vec<Ipv4Net> = before
        .into_iter()
        .filter(|range| !ranges.contains(range))
        .collect();
    let (Attr::Known(vpc), Attr::Known(region), false) =
        (&prior.vpc_id, &prior.common.region, going.is_empty())
    else {
        return;
    };
    // With another first range all of it goes, and is in the way for itself.
    if prior.cidr != planned.cidr {
        return;
    }
    let ours: BTreeSet<&String> = prior
        .common
        .ids
        .known()
        .into_iter()
        .flatten()
        .filter_map(|(_, id)| id.known())
        .collect();
    // Who may not look is told by the apply.
    let mut lodgers = context
        .aws
        .subnets_in(region, vpc, &going)
        .await
        .unwrap_or_default();
    lodgers.retain(|lodger| !ours.contains(&lodger.id));
    if lodgers.is_empty() {
        return;
    }
    let names = lodgers.iter().map(|lodger| {
        let name = if lodger.name.is_empty() {
            String::new()
        } else {
            format!(" \"{}\"", lodger.name)
        };
        format!("{}{name} ({})", lodger.id, lodger.cidr)
    });
    out.push(
        Diagnostic::error(
            "EKB2126",
            "Range in use",
            format!(
                "{} cannot be taken from {vpc}: in it lie subnets that are not this network's: {}.",
                text(&going),
                names.collect::<Vec<_>>().join(", ")
            ),
        )
        .hint("Remove these subnets first, or leave the range in `secondary_cidrs`.")
        .at(Path::from(ARGUMENT)),
    );
}
