//! The data source `ekb_network`.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use framework::{Attr, Context, DataSource, Diagnostic, Diagnostics, Model};
use ipnet::Ipv4Net;
use reconcile::resource::find;

use super::NetworkResource;
use super::model::ByTier;
use crate::platform::Platform;

/// A network of the environment, whichever state or unit made it.
#[derive(Model, Debug, Clone, Default)]
pub struct NetworkData {
    /// Name within the environment. Default: the environment's name.
    #[attribute(optional, computed)]
    pub name: Attr<String>,
    /// AWS region. Default: the provider's.
    #[attribute(optional, computed)]
    pub region: Attr<String>,
    /// Id of the VPC.
    #[attribute(computed)]
    pub id: Attr<String>,
    /// ARN of the VPC.
    #[attribute(computed)]
    pub arn: Attr<String>,
    /// Id of the VPC.
    #[attribute(computed)]
    pub vpc_id: Attr<String>,
    /// IPv4 range of the VPC.
    #[attribute(computed)]
    pub cidr: Attr<Ipv4Net>,
    /// Further ranges of the VPC.
    #[attribute(computed)]
    pub secondary_cidrs: Attr<BTreeSet<Ipv4Net>>,
    /// Availability zones.
    #[attribute(computed)]
    pub availability_zones: Attr<Vec<String>>,
    /// Ids of the public subnets, in the order of their zones' names.
    #[attribute(computed)]
    pub public_subnet_ids: Attr<Vec<Attr<String>>>,
    /// Ids of the public subnets by zone.
    #[attribute(computed)]
    pub public_subnet_ids_by_zone: Attr<BTreeMap<String, Attr<String>>>,
    /// Ids of the private subnets, in the order of their zones' names.
    #[attribute(computed)]
    pub private_subnet_ids: Attr<Vec<Attr<String>>>,
    /// Ids of the private subnets by zone.
    #[attribute(computed)]
    pub private_subnet_ids_by_zone: Attr<BTreeMap<String, Attr<String>>>,
    /// Ranges of the public subnets by zone.
    #[attribute(computed)]
    pub public_subnets: Attr<BTreeMap<String, Attr<Ipv4Net>>>,
    /// Ranges of the private subnets by zone.
    #[attribute(computed)]
    pub private_subnets: Attr<BTreeMap<String, Attr<Ipv4Net>>>,
    /// Public addresses of the NAT gateways.
    #[attribute(computed)]
    pub nat_public_ips: Attr<Vec<Attr<String>>>,
    /// Public addresses of the NAT gateways by the zone they stand in.
    #[attribute(computed)]
    pub nat_public_ips_by_zone: Attr<BTreeMap<String, Attr<String>>>,
    /// Ids of the route tables of the private subnets by zone.
    #[attribute(computed)]
    pub private_route_table_ids_by_zone: Attr<BTreeMap<String, Attr<String>>>,
    /// Ids of the subnets of further private tiers by tier and zone.
    #[attribute(computed)]
    pub private_tier_subnet_ids: Attr<ByTier<String>>,
    /// Ranges of the subnets of further private tiers by tier and zone.
    #[attribute(computed)]
    pub private_tier_subnets: Attr<ByTier<Ipv4Net>>,
    /// Ids of the route tables of further private tiers by tier and zone.
    #[attribute(computed)]
    pub private_tier_route_table_ids: Attr<ByTier<String>>,
    /// Id of the VPC's default security group.
    #[attribute(computed)]
    pub default_security_group_id: Attr<String>,
    /// The AWS account it lies in.
    #[attribute(computed)]
    pub account_id: Attr<String>,
    /// `complete`, or `incomplete` where creating ended half way.
    #[attribute(computed)]
    pub status: Attr<String>,
    /// Ids of its parts.
    #[attribute(computed)]
    pub ids: Attr<BTreeMap<String, Attr<String>>>,
}

/// The data source `ekb_network`.
#[derive(Debug, Default)]
pub struct NetworkDataSource;

#[async_trait]
impl DataSource<Platform> for NetworkDataSource {
    type Model = NetworkData;

    const NAME: &'static str = "ekb_network";

    async fn read(
        &self,
        cx: &Context<Platform>,
        config: NetworkData,
        warnings: &mut Diagnostics,
    ) -> Result<NetworkData, Diagnostics> {
        let name = config.name.into_known();
        let (found, messages) = find(NetworkResource, cx, name.clone(), config.region.into_known()).await?;
        warnings.extend(messages);
        let Some(network) = found else {
            let environment = cx.configured()?.environment.clone().unwrap_or_default();
            let name = name.unwrap_or_else(|| environment.clone());
            return Err(Diagnostic::error(
                "EKB2111",
                "No such network",
                format!("The environment {environment} has no network {name}."),
            )
            .hint("Check `name`, and the provider's `environment` and `region`; or create it with a resource `ekb_network`.")
            .into());
        };
        let common = network.common;
        Ok(NetworkData {
            name: network.name,
            region: common.region,
            id: network.id,
            arn: network.arn,
            vpc_id: network.vpc_id,
            cidr: network.cidr,
            secondary_cidrs: network.secondary_cidrs,
            availability_zones: network.availability_zones,
            public_subnet_ids: network.public_subnet_ids,
            public_subnet_ids_by_zone: network.public_subnet_ids_by_zone,
            private_subnet_ids: network.private_subnet_ids,
            private_subnet_ids_by_zone: network.private_subnet_ids_by_zone,
            public_subnets: network.public_subnets,
            private_subnets: network.private_subnets,
            nat_public_ips: network.nat_public_ips,
            nat_public_ips_by_zone: network.nat_public_ips_by_zone,
            private_route_table_ids_by_zone: network.private_route_table_ids_by_zone,
            private_tier_subnet_ids: network.private_tier_subnet_ids,
            private_tier_subnets: network.private_tier_subnets,
            private_tier_route_table_ids: network.private_tier_route_table_ids,
            default_security_group_id: network.default_security_group_id,
            account_id: common.account_id,
            status: common.status,
            ids: common.ids,
        })
    }
}
