//! EC2: parts made of VPC objects.

mod address;
mod endpoint;
mod flow_log;
mod held;
pub mod images;
mod internet_gateway;
mod launch_template;
mod list;
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
use crate::kind::{Place, by_filter};

pub use address::ElasticIp;
pub use endpoint::{GatewayEndpoint, InterfaceEndpoint};
pub use flow_log::FlowLog;
pub use held::Use;
pub use internet_gateway::InternetGateway;
pub use launch_template::{Disk, LaunchTemplate};
pub use nat_gateway::NatGateway;
pub(crate) use obstacles::maker;
pub use route_table::RouteTable;
pub use security_group::{ClusterSecurityGroup, DefaultSecurityGroup, Rule, SecurityGroup};
pub use subnet::{Lodger, Subnet};
pub use vpc::Vpc;

/// The kinds of its parts in one region.
pub fn kinds(aws: &Aws, region: &str) -> Kinds {
    let place = &Place::new(aws, region);
    Kinds::new()
        .with(by_filter::<Vpc>(place))
        .with(by_filter::<DefaultSecurityGroup>(place))
        .with(by_filter::<SecurityGroup>(place))
        .with(by_filter::<InternetGateway>(place))
        .with(by_filter::<Subnet>(place))
        .with(by_filter::<ElasticIp>(place))
        .with(by_filter::<NatGateway>(place))
        .with(by_filter::<RouteTable>(place))
        .with(by_filter::<GatewayEndpoint>(place))
        .with(by_filter::<InterfaceEndpoint>(place))
        .with(by_filter::<FlowLog>(place))
        .with(by_filter::<LaunchTemplate>(place))
        .with(by_filter::<ClusterSecurityGroup>(place))
}
