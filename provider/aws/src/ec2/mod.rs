//! EC2: parts made of VPC objects.

mod address;
mod endpoint;
mod find;
mod flow_log;
mod held;
mod internet_gateway;
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
use crate::kind::Place;

pub use address::ElasticIp;
pub use endpoint::{GatewayEndpoint, InterfaceEndpoint};
pub use flow_log::FlowLog;
pub use held::Use;
pub use internet_gateway::InternetGateway;
pub use nat_gateway::NatGateway;
pub use route_table::RouteTable;
pub use security_group::{DefaultSecurityGroup, Rule, SecurityGroup};
pub use subnet::{Lodger, Subnet};
pub use vpc::Vpc;

/// The kinds of parts of a network in one region.
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
        .with(flow_log::FlowLogs(place))
}
