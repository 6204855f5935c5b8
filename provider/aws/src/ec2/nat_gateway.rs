//! NAT gateways of one zone.

use async_trait::async_trait;
use aws_sdk_ec2::types::{self, ConnectivityType, ResourceType};
use reconcile::failure::Failure;
use reconcile::part::{
    Call, Condition, Deleted, Idempotence, KindTraits, Made, Object, Part, Ref, Tags, Target,
};
use serde::Serialize;
use serde_json::json;

use super::list::tags_of_new;
use crate::kind::{ByFilter, Ec2, made, outputs, pace, settled, some, usual};

/// A public NAT gateway in one zone.
#[derive(Debug, Clone, Serialize, Part)]
#[part(kind = "nat_gateway")]
pub struct NatGateway {
    /// The public subnet it stands in.
    #[part(replace)]
    pub subnet: Ref,
    /// Its address: ours, or one that the user has allocated.
    #[part(replace)]
    pub address: Target,
    /// The internet gateway of its VPC: without one AWS makes it fail.
    #[part(not_compared, replace)]
    pub gateway: Ref,
    /// Tags beside those of ownership.
    pub tags: Tags,
}

#[async_trait]
impl ByFilter for NatGateway {
    type Item = types::NatGateway;

    const TRAITS: KindTraits = KindTraits {
        title: "NAT gateway",
        deletion_order: 20,
        idempotence: Idempotence::Token,
        pace: pace(100, 60, 900),
        reads: &["ec2:DescribeNatGateways"],
        writes: &[
            "ec2:CreateNatGateway",
            "ec2:DeleteNatGateway",
            "ec2:CreateTags",
            "ec2:DeleteTags",
        ],
        ..usual(Self::KIND)
    };
    const SAME: &'static [&'static str] = &["subnet"];

    fn see(_: &Ec2, gateway: types::NatGateway) -> Option<Object> {
        let condition = condition(&gateway);
        let address = gateway
            .nat_gateway_addresses
            .unwrap_or_default()
            .into_iter()
            .next();
        let (allocation, public_ip) = address
            .map(|address| (address.allocation_id, address.public_ip))
            .unwrap_or_default();
        let fields = json!({ "subnet": gateway.subnet_id, "address": allocation });
        // What is dead uses nothing any more, though AWS goes on to say so.
        let references = match condition {
            Condition::Dead => Vec::new(),
            _ => some([gateway.subnet_id, gateway.vpc_id, allocation]),
        };
        let outputs = outputs([("public_ip", public_ip)]);
        Some(Object {
            condition,
            references,
            outputs,
            ..settled(fields)
        })
    }

    async fn make(&self, ec2: &Ec2, call: &Call) -> Result<Made, Failure> {
        let make = ec2
            .write
            .create_nat_gateway()
            .connectivity_type(ConnectivityType::Public)
            .subnet_id(call.id(&self.subnet)?)
            .allocation_id(call.target(&self.address)?)
            .client_token(&call.token)
            .tag_specifications(tags_of_new(ResourceType::Natgateway, &call.tags(&self.tags)));
        let answer = ec2.call("ec2:CreateNatGateway", make.send()).await?;
        made::<Self>(ec2, answer.nat_gateway, call)
    }

    async fn unmake(ec2: &Ec2, object: &Object) -> Result<Deleted, Failure> {
        let delete = ec2.write.delete_nat_gateway().nat_gateway_id(&object.id);
        ec2.call("ec2:DeleteNatGateway", delete.send()).await?;
        Ok(Deleted::Begun)
    }
}

fn condition(gateway: &types::NatGateway) -> Condition {
    match gateway.state().map(|state| state.as_str()) {
        Some("failed") => {
            let code = gateway.failure_code().unwrap_or("failed");
            let message = gateway.failure_message().unwrap_or("no reason given");
            Condition::Failed(format!("{code}: {message}"))
        }
        Some("deleting") => Condition::Deleting,
        // Listed for about an hour after.
        Some("deleted") => Condition::Dead,
        Some("available") => Condition::Settled,
        state => Condition::Changing(state.unwrap_or("pending").to_owned()),
    }
}
