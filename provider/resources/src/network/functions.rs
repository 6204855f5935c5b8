//! The function `provider::ekb::subnets`.

use std::collections::BTreeMap;

use framework::{Arguments, Function, FunctionError, Model};
use ipnet::Ipv4Net;

use super::layout::{TIERS, layout, tier_subnet};

/// Cuts a VPC's range into the subnets that `ekb_network` makes of it.
pub struct SubnetsFunction;

/// The arguments of `subnets`.
#[derive(Arguments)]
pub struct SubnetsArguments {
    /// Range of the VPC, /16 to /24, for example `10.20.0.0/16`.
    pub cidr: Ipv4Net,
    /// Names of the availability zones, for example `eu-central-1a`.
    pub zones: Vec<String>,
}

/// The result of `subnets`.
#[derive(Model, Debug, Clone)]
pub struct SubnetsResult {
    /// Ranges of the private subnets by zone.
    #[attribute(computed)]
    pub private: BTreeMap<String, Ipv4Net>,
    /// Ranges of the public subnets by zone.
    #[attribute(computed)]
    pub public: BTreeMap<String, Ipv4Net>,
    /// Ranges of further private tiers by zone, in the order of their `slot`: `private_tiers[0]` is that of a tier without one.
    /// Empty where the range has no room for them.
    #[attribute(computed)]
    pub private_tiers: Vec<BTreeMap<String, Ipv4Net>>,
}

impl Function for SubnetsFunction {
    type Arguments = SubnetsArguments;
    type Return = SubnetsResult;

    const NAME: &'static str = "subnets";
    const SUMMARY: &'static str = "Subnets of a network by zone";
    const DESCRIPTION: &'static str = "Cuts a VPC's range into the public and private subnets, and those of further \
        private tiers, that `ekb_network` makes of it: one slot for each zone letter (a to f), so that a zone that comes or goes moves nothing.";

    fn call(&self, arguments: SubnetsArguments) -> Result<SubnetsResult, FunctionError> {
        let layout = layout(arguments.cidr, arguments.zones.iter().map(String::as_str)).map_err(|error| {
            let argument = usize::from(matches!(error, super::layout::LayoutError::NoSlot { .. }));
            FunctionError::of_argument(argument, format!("{error}."))
        })?;
        Ok(SubnetsResult {
            private: layout
                .iter()
                .map(|(zone, subnets)| (zone.clone(), subnets.private))
                .collect(),
            public: layout
                .iter()
                .map(|(zone, subnets)| (zone.clone(), subnets.public))
                .collect(),
            private_tiers: (0..TIERS)
                .map(|slot| {
                    let zones = layout.keys();
                    zones
                        .filter_map(|zone| Some((zone.clone(), tier_subnet(arguments.cidr, slot, zone)?)))
                        .collect::<BTreeMap<_, _>>()
                })
                .filter(|tier| !tier.is_empty())
                .collect(),
        })
    }
}
