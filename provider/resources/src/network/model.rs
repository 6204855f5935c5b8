//! What users write and see of `ekb_network`.

use std::collections::{BTreeMap, BTreeSet};

use framework::{Attr, Model, Timeouts};
use ipnet::Ipv4Net;
use reconcile::resource::{Common, Managed};

/// The network of an environment: a VPC with a public and a private subnet in each availability zone, internet and
/// NAT gateways, routes, and the tags that load balancers and Karpenter look for.
///
/// The subnets are computed from the VPC's range: one slot for each zone letter, so that a zone that comes or goes
/// moves nothing. See the function [`subnets`](../functions/subnets.md).
#[derive(Model, Managed, Debug, Clone, Default)]
pub struct Network {
    /// Name within the environment. Default: the environment's name.
    #[attribute(optional, computed, keep, replace, validate(pattern("^[a-z][a-z0-9-]*$"), length(1..=40)))]
    pub name: Attr<String>,
    /// IPv4 range of the VPC, /16 to /24, for example `10.20.0.0/16`: a private one (RFC 1918). Others are taken with a
    /// warning: shared ones (100.64.0.0/10, 198.18.0.0/15), and public ones that you own.
    #[attribute(required, replace)]
    pub cidr: Attr<Ipv4Net>,
    /// Further IPv4 ranges of the VPC, /16 to /28: for subnets that are given explicitly, in `subnets` and `private_tiers` or made
    /// elsewhere. AWS combines only some ranges (Amazon VPC user guide, "VPC CIDR blocks"), and at first allows four of them.
    #[attribute(optional)]
    pub secondary_cidrs: Attr<BTreeSet<Ipv4Net>>,
    /// Names of the availability zones. Default: those of `subnets`, else the first zones of the region that EKS can use,
    /// `zone_count` of them; looked up once and kept.
    #[attribute(optional, computed, conflicts("zone_count"))]
    pub availability_zones: Attr<Vec<String>>,
    /// How many availability zones to take where none are named, 1 to 6. Default 3.
    #[attribute(optional, conflicts("subnets"), validate(range(1..=6)))]
    pub zone_count: Attr<i64>,
    /// `per_zone` (a NAT gateway in every zone: survives the loss of a zone), `single` (one for all: cheaper), or
    /// `none` (private subnets reach only VPC endpoints).
    #[attribute(
        optional,
        computed,
        default = "per_zone",
        validate(one_of("per_zone", "single", "none"))
    )]
    pub nat_gateways: Attr<String>,
    /// Availability zone of the NAT gateway where there is a single one. Default: the first zone with a public subnet when it
    /// is made; kept for as long as the network has that zone, since another zone means another public address.
    #[attribute(optional, computed)]
    pub nat_zone: Attr<String>,
    /// Allocation ids (`eipalloc-…`) of Elastic IP addresses of yours for the NAT gateways, by zone: addresses that others allow
    /// already, and that stay when the network goes. Zones that are not named get an address of their own.
    #[attribute(optional, validate(pattern("^eipalloc-[0-9a-f]+$")))]
    pub nat_allocation_ids: Attr<BTreeMap<String, Attr<String>>>,
    /// Subnets by zone, where they shall not be computed.
    #[attribute(optional)]
    pub subnets: Attr<BTreeMap<String, Subnets>>,
    /// Further private subnets by the name of their tier, for example `database`: a subnet and a route table in each zone, in
    /// which neither Karpenter nor load balancers put anything.
    #[attribute(optional)]
    pub private_tiers: Attr<BTreeMap<String, PrivateTier>>,
    /// Name of the EKS cluster that will run here: value of the tag `karpenter.sh/discovery`. Default: the environment's name.
    #[attribute(optional, computed, validate(pattern("^[0-9A-Za-z][0-9A-Za-z_-]*$"), length(1..=100)))]
    pub cluster_name: Attr<String>,
    /// Whether S3 is reached by a gateway endpoint (free of charge) and not through the NAT gateways.
    #[attribute(optional, computed, default = true)]
    pub s3_endpoint: Attr<bool>,
    /// AWS services reached by an interface endpoint in every private subnet, for example `ecr.api`.
    #[attribute(optional, validate(pattern("^[a-z0-9-]+([.][a-z0-9-]+)*$")))]
    pub interface_endpoints: Attr<BTreeSet<String>>,
    /// Zones of the interface endpoint of a service, for services that AWS does not offer in all zones of the network, or to
    /// pay for fewer addresses. Services that are not named here have an address in every zone.
    #[attribute(optional)]
    pub interface_endpoint_zones: Attr<BTreeMap<String, Attr<BTreeSet<String>>>>,
    /// Flow logs of the VPC.
    #[attribute(optional)]
    pub flow_logs: Attr<FlowLogs>,

    /// Id of the VPC.
    #[attribute(computed, keep)]
    pub id: Attr<String>,
    /// ARN of the VPC.
    #[attribute(computed, keep)]
    pub arn: Attr<String>,
    /// Id of the VPC.
    #[attribute(computed, keep)]
    pub vpc_id: Attr<String>,
    /// Ids of the public subnets, in the order of their zones' names.
    #[attribute(computed, keep)]
    pub public_subnet_ids: Attr<Vec<Attr<String>>>,
    /// Ids of the public subnets by zone: what is made for each of them keeps its place when zones come and go.
    #[attribute(computed, keep)]
    pub public_subnet_ids_by_zone: Attr<BTreeMap<String, Attr<String>>>,
    /// Ids of the private subnets, in the order of their zones' names.
    #[attribute(computed, keep)]
    pub private_subnet_ids: Attr<Vec<Attr<String>>>,
    /// Ids of the private subnets by zone.
    #[attribute(computed, keep)]
    pub private_subnet_ids_by_zone: Attr<BTreeMap<String, Attr<String>>>,
    /// Ranges of the public subnets by zone.
    #[attribute(computed, keep)]
    pub public_subnets: Attr<BTreeMap<String, Attr<Ipv4Net>>>,
    /// Ranges of the private subnets by zone.
    #[attribute(computed, keep)]
    pub private_subnets: Attr<BTreeMap<String, Attr<Ipv4Net>>>,
    /// Public addresses of the NAT gateways, in the order of their zones' names: what others allow in their firewalls.
    #[attribute(computed, keep)]
    pub nat_public_ips: Attr<Vec<Attr<String>>>,
    /// Public addresses of the NAT gateways by the zone they stand in.
    #[attribute(computed, keep)]
    pub nat_public_ips_by_zone: Attr<BTreeMap<String, Attr<String>>>,
    /// Ids of the route tables of the private subnets by zone.
    #[attribute(computed, keep)]
    pub private_route_table_ids_by_zone: Attr<BTreeMap<String, Attr<String>>>,
    /// Ids of the subnets of `private_tiers` by tier and zone.
    #[attribute(computed, keep)]
    pub private_tier_subnet_ids: Attr<ByTier<String>>,
    /// Ranges of the subnets of `private_tiers` by tier and zone.
    #[attribute(computed, keep)]
    pub private_tier_subnets: Attr<ByTier<Ipv4Net>>,
    /// Ids of the route tables of `private_tiers` by tier and zone.
    #[attribute(computed, keep)]
    pub private_tier_route_table_ids: Attr<ByTier<String>>,
    /// Id of the VPC's default security group, which is kept closed.
    #[attribute(computed, keep)]
    pub default_security_group_id: Attr<String>,

    #[flatten]
    #[expect(missing_docs, reason = "its attributes have their own")]
    pub common: Common,
    /// How long operations may take. Defaults: create 30m, read 10m, update 30m, delete 30m.
    #[block]
    pub timeouts: Attr<Timeouts>,
}

/// A value by tier and zone.
pub type ByTier<T> = BTreeMap<String, BTreeMap<String, Attr<T>>>;

/// A further tier of private subnets.
#[derive(Model, Debug, Clone)]
pub struct PrivateTier {
    /// Where its computed subnets lie, 0 to 3, each number for one tier: a /24 in each zone of a /16, at the end of the
    /// range. So a tier that comes or goes moves no other. Default 0. A range of /20 or larger has room for them.
    #[attribute(optional, validate(range(0..=3)))]
    pub slot: Attr<i64>,
    /// Ranges of its subnets by zone, where they shall not be computed.
    #[attribute(optional)]
    pub subnets: Attr<BTreeMap<String, Attr<Ipv4Net>>>,
    /// Whether its routes lead to a NAT gateway, as those of the other private subnets do. Default true.
    #[attribute(optional)]
    pub nat_route: Attr<bool>,
}

/// Explicit subnets of a zone.
#[derive(Model, Debug, Clone)]
pub struct Subnets {
    /// Range of the public subnet. Without one the zone is private only: its way out is the NAT gateway of another zone, and
    /// where no zone has one there are neither internet gateway nor NAT gateways.
    #[attribute(optional)]
    pub public: Attr<Ipv4Net>,
    /// Range of the private subnet.
    #[attribute(required)]
    pub private: Attr<Ipv4Net>,
}

/// Flow logs of the VPC.
#[derive(Model, Debug, Clone)]
pub struct FlowLogs {
    /// `cloudwatch` for a log group of our own, or the ARN of an S3 bucket.
    #[attribute(required)]
    pub destination: Attr<String>,
    /// How many days CloudWatch keeps them (a bucket has rules of its own): 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827,
    /// 2192, 2557, 2922, 3288 or 3653.
    #[attribute(optional, computed, default = 14)]
    pub retention_days: Attr<i64>,
    /// Whether the log group, with its history, stays when flow logs are removed or go elsewhere, or the network is destroyed.
    /// Nobody owns it then. A network of the same name takes it back where this is true there too, or with `adopt = true`.
    /// What counts is what was applied last: to have it deleted, apply `false` first.
    #[attribute(optional)]
    pub retain_logs: Attr<bool>,
}
