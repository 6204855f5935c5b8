//! Parts made of VPC objects, and what flow logs need.

mod address;
mod endpoint;
mod find;
mod flow_log;
mod held;
mod iam_role;
mod internet_gateway;
mod log_group;
mod nat_gateway;
mod obstacles;
mod route_table;
mod security_group;
mod subnet;
#[cfg(test)]
mod tests;
mod vpc;

use reconcile::kinds::Kinds;

use crate::client::Aws;
use find::Place;

pub use address::ElasticIp;
pub use endpoint::{GatewayEndpoint, InterfaceEndpoint};
pub use flow_log::FlowLog;
pub use held::Use;
pub use iam_role::IamRole;
pub use internet_gateway::InternetGateway;
pub use log_group::LogGroup;
pub use nat_gateway::NatGateway;
pub use route_table::RouteTable;
pub use security_group::{DefaultSecurityGroup, Rule, SecurityGroup};
pub use subnet::{Lodger, Subnet};
pub use vpc::Vpc;

/// The kinds of all parts of this module in one region.
pub fn kinds(aws: &Aws, region: &str) -> Kinds {
    let place = Place::new(aws, region);
    let groups = security_group::Groups::new(&place);
    let endpoints = endpoint::Endpoints::new(&place);
    let gateways = nat_gateway::Gateways::new(&place);
    Kinds::new()
        .with(vpc::Vpcs(place.clone()))
        .with(security_group::DefaultGroups(groups.clone()))
        .with(security_group::SecurityGroups(groups))
        .with(internet_gateway::InternetGateways(place.clone()))
        .with(subnet::Subnets(place.clone()))
        .with(address::Addresses::new(&place, &gateways))
        .with(nat_gateway::NatGateways(gateways))
        .with(route_table::RouteTables(place.clone()))
        .with(endpoint::GatewayEndpoints(endpoints.clone()))
        .with(endpoint::InterfaceEndpoints(endpoints))
        .with(flow_log::FlowLogs(place.clone()))
        .with(log_group::LogGroups(place.clone()))
        .with(iam_role::IamRoles(place))
}

/// Real time that usual EC2 objects take: seconds.
pub(crate) const QUICK: reconcile::part::Pace = pace(2, 2, 300);
/// How long a new EC2 object may be missing from reads.
pub(crate) const INVISIBLE: std::time::Duration = std::time::Duration::from_secs(30);

pub(crate) const fn pace(create: u64, delete: u64, limit: u64) -> reconcile::part::Pace {
    use std::time::Duration;
    reconcile::part::Pace {
        create: Duration::from_secs(create),
        delete: Duration::from_secs(delete),
        limit: Duration::from_secs(limit),
    }
}
