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

/// Refuses to take away a range in which subnets are to stay: this network's own, which the arguments tell, and those of
/// others, which are looked for only where a range goes.
pub async fn check_removal(
    context: Option<&Platform>,
    prior: Option<&Network>,
    planned: &Network,
    out: &mut Diagnostics,
) {
    let (Some(prior), Some(ranges)) = (prior, all(planned)) else {
        return;
    };
    let before = prior.secondary_cidrs.known().cloned().unwrap_or_default();
    let going: Vec<Ipv4Net> = before
        .into_iter()
        .filter(|range| !ranges.contains(range))
        .collect();
    // With another first range all of it goes, and is in the way for itself.
    if going.is_empty() || prior.cidr != planned.cidr {
        return;
    }
    let goes = |net: &Ipv4Net| {
        let holds = |range: &Ipv4Net| range.contains(net);
        going.iter().any(holds) && !ranges.iter().any(holds)
    };
    let mut staying: Vec<String> = super::tiers::all_subnets(planned)
        .into_iter()
        .filter(|(_, net)| goes(net))
        .map(|(name, net)| format!("{name} ({net})"))
        .collect();
    if let (Some(context), Attr::Known(vpc), Attr::Known(region)) =
        (context, &prior.vpc_id, &prior.common.region)
    {
        let ids = prior.common.ids.known().into_iter().flatten();
        let ours: BTreeSet<&String> = ids.filter_map(|(_, id)| id.known()).collect();
        // Who may not look is told by the apply.
        let lodgers = context
            .aws
            .subnets_in(region, vpc, &going)
            .await
            .unwrap_or_default();
        let others = lodgers.iter().filter(|lodger| !ours.contains(&lodger.id));
        staying.extend(others.map(|lodger| {
            let name = if lodger.name.is_empty() {
                String::new()
            } else {
                format!(" \"{}\"", lodger.name)
            };
            format!(
                "{}{name} ({}), which is not this network's",
                lodger.id, lodger.cidr
            )
        }));
    }
    if staying.is_empty() {
        return;
    }
    out.push(
        Diagnostic::error(
            "EKB2126",
            "Range in use",
            format!(
                "{} cannot be taken away: in it lie {}.",
                text(&going),
                staying.join(", ")
            ),
        )
        .hint("Remove these subnets, or leave the range in `secondary_cidrs`.")
        .at(Path::from(ARGUMENT)),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusals(first: &str, further: &[&str]) -> Vec<String> {
        let network = Network {
            cidr: Attr::Known(first.parse().unwrap()),
            secondary_cidrs: Attr::Known(further.iter().map(|net| net.parse().unwrap()).collect()),
            ..Network::default()
        };
        let mut out = Diagnostics::new();
        check(&network, &mut out);
        out.into_iter()
            .map(|refusal| format!("{} {}", refusal.detail, refusal.hint))
            .collect()
    }

    #[test]
    fn ranges_that_aws_combines() {
        for (first, further) in [
            (
                "10.20.0.0/16",
                vec![
                    "10.21.0.0/16",
                    "10.0.0.0/24",
                    "100.64.0.0/16",
                    "52.94.0.0/20",
                    "10.99.0.0/28",
                ],
            ),
            ("10.0.0.0/16", vec!["10.1.0.0/16", "100.64.0.0/16"]),
            ("172.20.0.0/16", vec!["172.21.0.0/16"]),
            ("192.168.0.0/20", vec!["192.168.16.0/20"]),
            ("198.19.0.0/20", vec!["198.19.16.0/20", "100.64.0.0/16"]),
            ("100.64.0.0/16", vec!["100.65.0.0/16"]),
        ] {
            assert_eq!(refusals(first, &further), [""; 0], "{first} {further:?}");
        }
    }

    #[test]
    fn ranges_that_it_does_not() {
        for (first, further, says) in [
            ("10.20.0.0/16", "10.20.128.0/20", "overlaps 10.20.0.0/16"),
            ("10.20.0.0/16", "10.0.0.0/15", "allows /16 to /28"),
            ("10.20.0.0/16", "10.21.0.0/29", "allows /16 to /28"),
            ("10.20.0.0/16", "10.21.0.1/24", "Write 10.21.0.0/24."),
            ("10.20.0.0/16", "169.254.0.0/20", "refuses"),
            ("10.20.0.0/16", "172.20.0.0/16", "of the same block"),
            ("172.20.0.0/16", "192.168.0.0/20", "of the same block"),
            ("172.20.0.0/16", "172.31.0.0/20", "172.31.0.0/16"),
            ("100.64.0.0/16", "10.0.0.0/20", "of the same block"),
            ("198.19.0.0/20", "10.7.0.0/20", "of the same block"),
            ("10.20.0.0/16", "198.19.0.0/20", "198.19.0.0/16 cannot"),
            (
                "10.1.0.0/16",
                "10.0.0.0/20",
                "no part of 10.0.0.0/16 beside 10.1.0.0/16",
            ),
        ] {
            let said = refusals(first, &[further]);
            assert!(
                said.len() == 1 && said[0].contains(says),
                "{first} {further}: {said:?}"
            );
        }
        assert_eq!(
            refusals("10.20.0.0/16", &["10.30.0.0/16", "10.30.1.0/24"]).len(),
            1
        );
    }
}
