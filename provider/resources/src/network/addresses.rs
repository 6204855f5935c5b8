//! Addresses of the user's for NAT gateways.

use std::collections::{BTreeMap, BTreeSet};

use framework::{Attr, Diagnostic, Diagnostics, Path};

use super::model::Network;
use crate::platform::Platform;

const ARGUMENT: &str = "nat_allocation_ids";

/// Refuses addresses that there are not. AWS says so when most of the network stands. What the state has already is not looked
/// up again.
pub async fn look_up(
    context: Option<&Platform>,
    prior: Option<&Network>,
    planned: &Network,
    out: &mut Diagnostics,
) {
    let before: BTreeMap<&str, &str> = prior.map(given).unwrap_or_default();
    let stays: BTreeSet<&str> = before.into_values().collect();
    let new: BTreeMap<&str, &str> = given(planned)
        .into_iter()
        .filter(|(_, id)| !stays.contains(id))
        .collect();
    let (Some(context), Attr::Known(region), false) = (context, &planned.common.region, new.is_empty())
    else {
        return;
    };
    let there = match context
        .aws
        .addresses(region, &new.values().copied().collect())
        .await
    {
        Ok(there) => there,
        // The apply may do all the same: AWS says there what is wrong.
        Err(failure) => {
            return out.push(failure.warning());
        }
    };
    for (zone, id) in new {
        let at = Path::from(ARGUMENT).key(zone);
        match there.get(id).map(String::as_str) {
            None => out.push(
                Diagnostic::error(
                    "EKB2127",
                    "No such address",
                    format!("There is no elastic IP address {id} in {region}."),
                )
                .hint(format!(
                    "Take one of those there are: aws ec2 describe-addresses --region {region}. Or leave {zone} out: its NAT \
                     gateway then gets an address of its own."
                ))
                .at(at),
            ),
            Some("") => {}
            // What has it may let go of it in the same apply.
            Some(user) => out.push(
                Diagnostic::warning(
                    "EKB2128",
                    "Address in use",
                    format!(
                        "{id} belongs to {user} at the moment. Unless that is the NAT gateway of {zone}, which an interrupted \
                         apply has made, AWS refuses the NAT gateway for as long as that is so."
                    ),
                )
                .hint("Where it is something else: take it from there, or name another address.")
                .at(at),
            ),
        }
    }
}

/// The ids by zone, as far as they are known.
fn given(model: &Network) -> BTreeMap<&str, &str> {
    let all = model.nat_allocation_ids.known().into_iter().flatten();
    all.filter_map(|(zone, id)| Some((zone.as_str(), id.known()?.as_str())))
        .collect()
}
