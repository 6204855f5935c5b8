//! What EC2 lists, and by which calls; tags and ARNs of its objects.

use async_trait::async_trait;
use aws_sdk_ec2::types::{
    Address, EgressOnlyInternetGateway, Filter, FlowLog, Instance, InternetGateway, NatGateway, NetworkAcl,
    NetworkInterface, ResourceType, RouteTable, SecurityGroup, Subnet, Tag, TagSpecification,
    TransitGatewayVpcAttachment, UnsuccessfulItem, Vpc, VpcEndpoint, VpcPeeringConnection, VpnGateway,
};
use reconcile::failure::Failure;
use reconcile::part::Tags;

use crate::client::Clients;
use crate::failure;
use crate::kind::{Client, Ec2, Filters, Listed, Place, pages};
use crate::partition::partition;

#[async_trait]
impl Client for aws_sdk_ec2::Client {
    async fn of(place: &Place) -> Result<Clients<Self>, Failure> {
        place.aws.ec2(&place.region).await
    }
}

/// A row: what is listed (as messages call it), by which call (its filters, most items a page, where its answer has them), its
/// id (and the filter for ids), its tags.
macro_rules! listed {
    ($($item:ident $many:literal, $action:literal $describe:ident $set_filters:ident $most:literal $items:ident,
       $id:ident $by_id:literal, $tags:ident;)+) => {$(
        #[async_trait]
        impl Listed for $item {
            const MANY: &'static str = $many;
            const BY_ID: &'static str = $by_id;

            fn id(&self) -> Option<&str> {
                self.$id()
            }

            fn all_tags(&self) -> Tags {
                tags(self.$tags())
            }

            async fn list(ec2: &Ec2, by: Filters) -> Result<Vec<Self>, Failure> {
                let by = filters(by);
                pages(|next| async {
                    let page = ec2.read.$describe().$set_filters(Some(by.clone())).max_results($most);
                    let answer = ec2.call($action, page.set_next_token(next).send()).await?;
                    Ok((answer.$items, answer.next_token))
                })
                .await
            }
        }
    )+};
}

#[rustfmt::skip]
listed! {
    EgressOnlyInternetGateway "egress-only internet gateways", "ec2:DescribeEgressOnlyInternetGateways"
        describe_egress_only_internet_gateways set_filters 255 egress_only_internet_gateways,
        egress_only_internet_gateway_id "egress-only-internet-gateway-id", tags;
    FlowLog "flow logs", "ec2:DescribeFlowLogs" describe_flow_logs set_filter 1000 flow_logs,
        flow_log_id "flow-log-id", tags;
    InternetGateway "internet gateways", "ec2:DescribeInternetGateways"
        describe_internet_gateways set_filters 1000 internet_gateways,
        internet_gateway_id "internet-gateway-id", tags;
    NatGateway "NAT gateways", "ec2:DescribeNatGateways" describe_nat_gateways set_filter 1000 nat_gateways,
        nat_gateway_id "nat-gateway-id", tags;
    NetworkAcl "network ACLs", "ec2:DescribeNetworkAcls" describe_network_acls set_filters 1000 network_acls,
        network_acl_id "network-acl-id", tags;
    NetworkInterface "network interfaces", "ec2:DescribeNetworkInterfaces"
        describe_network_interfaces set_filters 1000 network_interfaces,
        network_interface_id "network-interface-id", tag_set;
    RouteTable "route tables", "ec2:DescribeRouteTables" describe_route_tables set_filters 100 route_tables,
        route_table_id "route-table-id", tags;
    SecurityGroup "security groups", "ec2:DescribeSecurityGroups"
        describe_security_groups set_filters 1000 security_groups,
        group_id "group-id", tags;
    Subnet "subnets", "ec2:DescribeSubnets" describe_subnets set_filters 1000 subnets,
        subnet_id "subnet-id", tags;
    TransitGatewayVpcAttachment "transit gateway attachments", "ec2:DescribeTransitGatewayVpcAttachments"
        describe_transit_gateway_vpc_attachments set_filters 1000 transit_gateway_vpc_attachments,
        transit_gateway_attachment_id "transit-gateway-attachment-id", tags;
    Vpc "VPCs", "ec2:DescribeVpcs" describe_vpcs set_filters 1000 vpcs,
        vpc_id "vpc-id", tags;
    VpcEndpoint "VPC endpoints", "ec2:DescribeVpcEndpoints" describe_vpc_endpoints set_filters 1000 vpc_endpoints,
        vpc_endpoint_id "vpc-endpoint-id", tags;
    VpcPeeringConnection "VPC peering connections", "ec2:DescribeVpcPeeringConnections"
        describe_vpc_peering_connections set_filters 1000 vpc_peering_connections,
        vpc_peering_connection_id "vpc-peering-connection-id", tags;
}

#[async_trait]
impl Listed for Address {
    const MANY: &'static str = "addresses";
    const BY_ID: &'static str = "allocation-id";

    fn id(&self) -> Option<&str> {
        self.allocation_id()
    }

    fn all_tags(&self) -> Tags {
        tags(self.tags())
    }

    // The call knows no pages.
    async fn list(ec2: &Ec2, by: Filters) -> Result<Vec<Self>, Failure> {
        let call = ec2
            .read
            .describe_addresses()
            .set_filters(Some(filters(by)))
            .send();
        let answer = ec2.call("ec2:DescribeAddresses", call).await?;
        Ok(answer.addresses.unwrap_or_default())
    }
}

#[async_trait]
impl Listed for VpnGateway {
    const MANY: &'static str = "VPN gateways";
    const BY_ID: &'static str = "vpn-gateway-id";

    fn id(&self) -> Option<&str> {
        self.vpn_gateway_id()
    }

    fn all_tags(&self) -> Tags {
        tags(self.tags())
    }

    // The call knows no pages.
    async fn list(ec2: &Ec2, by: Filters) -> Result<Vec<Self>, Failure> {
        let call = ec2
            .read
            .describe_vpn_gateways()
            .set_filters(Some(filters(by)))
            .send();
        let answer = ec2.call("ec2:DescribeVpnGateways", call).await?;
        Ok(answer.vpn_gateways.unwrap_or_default())
    }
}

#[async_trait]
impl Listed for Instance {
    const MANY: &'static str = "instances";
    const BY_ID: &'static str = "instance-id";

    fn id(&self) -> Option<&str> {
        self.instance_id()
    }

    fn all_tags(&self) -> Tags {
        tags(self.tags())
    }

    // They come by the reservations that they were started with.
    async fn list(ec2: &Ec2, by: Filters) -> Result<Vec<Self>, Failure> {
        let by = filters(by);
        let reservations = pages(|next| async {
            let page = ec2
                .read
                .describe_instances()
                .set_filters(Some(by.clone()))
                .max_results(1000);
            let answer = ec2
                .call("ec2:DescribeInstances", page.set_next_token(next).send())
                .await?;
            Ok((answer.reservations, answer.next_token))
        });
        let reservations = reservations.await?.into_iter();
        Ok(reservations
            .flat_map(|reservation| reservation.instances.unwrap_or_default())
            .collect())
    }
}

pub(super) fn filters(by: Filters) -> Vec<Filter> {
    let filter = |(name, values)| Filter::builder().name(name).set_values(Some(values)).build();
    by.into_iter().map(filter).collect()
}

impl Ec2 {
    /// ARN of an EC2 object, where its owner is known.
    pub(crate) fn arn(&self, owner: Option<&str>, what: &str, id: Option<&str>) -> Option<String> {
        let (owner, id, region) = (owner.filter(|owner| !owner.is_empty())?, id?, &self.place.region);
        Some(format!(
            "arn:{}:ec2:{region}:{owner}:{what}/{id}",
            partition(region)
        ))
    }

    /// Sets and removes tags of an EC2 object.
    pub(crate) async fn tag(&self, id: &str, set: &Tags, remove: &[String]) -> Result<(), Failure> {
        if !set.is_empty() {
            let call = self
                .write
                .create_tags()
                .resources(id)
                .set_tags(Some(tag_list(set)));
            self.call("ec2:CreateTags", call.send()).await?;
        }
        if !remove.is_empty() {
            let tags = remove.iter().map(|key| Tag::builder().key(key).build()).collect();
            let call = self.write.delete_tags().resources(id).set_tags(Some(tags));
            self.call("ec2:DeleteTags", call.send()).await?;
        }
        Ok(())
    }

    /// The failure inside of an answer that is no error.
    pub(crate) fn check(&self, action: &str, unsuccessful: &[UnsuccessfulItem]) -> Result<(), Failure> {
        let Some(error) = unsuccessful.first().and_then(|item| item.error()) else {
            return Ok(());
        };
        let (code, message) = (
            error.code().unwrap_or_default(),
            error.message().unwrap_or_default(),
        );
        Err(failure::of_item(action, self.doing(), code, message))
    }
}

pub(super) fn tag_list(tags: &Tags) -> Vec<Tag> {
    let tag = |(key, value)| Tag::builder().key(key).value(value).build();
    tags.iter().map(tag).collect()
}

/// Tags for the creating call.
pub(crate) fn tags_of_new(kind: ResourceType, tags: &Tags) -> TagSpecification {
    TagSpecification::builder()
        .resource_type(kind)
        .set_tags(Some(tag_list(tags)))
        .build()
}

/// Tags of an answer.
pub(super) fn tags(list: &[Tag]) -> Tags {
    let pair = |tag: &Tag| Some((tag.key.clone()?, tag.value.clone().unwrap_or_default()));
    list.iter().filter_map(pair).collect()
}
