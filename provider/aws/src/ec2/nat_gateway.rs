//! NAT gateways of one zone.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_ec2::types::{ConnectivityType, ResourceType};
use reconcile::failure::Failure;
use reconcile::part::{
    Ask, Call, Condition, Deleted, Difference, Idempotence, Kind, KindTraits, Made, Object, Part, Ref, Tags,
    Target,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::find::{Filters, InVpc, Together, find, pages, tags, tags_of_new};
use crate::kind::{INVISIBLE, Place, no_answer, object, outputs, pace, some};

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

/// NAT gateways as AWS lists them: asked for by their own kind, and by addresses to know which are in a VPC.
#[derive(Clone)]
pub(crate) struct Gateways {
    pub(crate) place: Place,
    together: Together<aws_sdk_ec2::types::NatGateway>,
}

impl Gateways {
    pub(crate) fn new(place: &Place) -> Self {
        Self {
            place: place.clone(),
            together: Together::new(),
        }
    }

    pub(crate) async fn describe(
        &self,
        filters: Filters,
    ) -> Result<Vec<aws_sdk_ec2::types::NatGateway>, Failure> {
        let place = self.place.clone();
        let look = self.together.look(filters, |filters| async move {
            pages!(
                &place,
                "ec2:DescribeNatGateways",
                "looking for NAT gateways",
                describe_nat_gateways,
                set_filter,
                nat_gateways,
                filters
            )
        });
        Ok(Arc::unwrap_or_clone(look.await?))
    }
}

pub(crate) struct NatGateways(pub(crate) Gateways);

fn condition(gateway: &aws_sdk_ec2::types::NatGateway) -> Condition {
    match gateway.state().map(|state| state.as_str()) {
        Some("failed") => {
            let code = gateway.failure_code().unwrap_or("failed");
            Condition::Failed(format!(
                "{code}: {}",
                gateway.failure_message().unwrap_or("no reason given")
            ))
        }
        Some("deleting") => Condition::Deleting,
        // Listed for about an hour after.
        Some("deleted") => Condition::Dead,
        Some("available") => Condition::Settled,
        state => Condition::Changing(state.unwrap_or("pending").to_owned()),
    }
}

impl NatGateways {
    fn object(gateway: aws_sdk_ec2::types::NatGateway) -> Option<Object> {
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
        Some(Object {
            outputs: outputs([("public_ip", public_ip)]),
            ..object(
                gateway.nat_gateway_id?,
                condition,
                fields,
                tags(gateway.tags),
                references,
            )
        })
    }
}

#[async_trait]
impl Kind for NatGateways {
    type Part = NatGateway;

    fn traits(&self) -> KindTraits {
        KindTraits {
            kind: NatGateway::KIND,
            title: "NAT gateway",
            deletion_order: 20,
            idempotence: Idempotence::Token,
            invisible_for: INVISIBLE,
            pace: pace(100, 60, 900),
            reads: &["ec2:DescribeNatGateways"],
            writes: &[
                "ec2:CreateNatGateway",
                "ec2:DeleteNatGateway",
                "ec2:CreateTags",
                "ec2:DeleteTags",
            ],
        }
    }

    fn stands_for(&self, declared: &Value, object: &Object) -> bool {
        declared.get("subnet") == object.fields.get("subnet")
    }

    async fn observe(&self, ask: &Ask) -> Result<Vec<Object>, Failure> {
        let in_vpc = InVpc::All("vpc-id");
        let found = find(
            ask,
            "nat-gateway-id",
            in_vpc,
            aws_sdk_ec2::types::NatGateway::nat_gateway_id,
            |f| self.0.describe(f),
        )
        .await?;
        Ok(found.into_iter().filter_map(Self::object).collect())
    }

    async fn create(&self, part: &NatGateway, call: &Call) -> Result<Made, Failure> {
        let place = &self.0.place;
        let ec2 = place.ec2().await?;
        let make = ec2
            .write
            .create_nat_gateway()
            .connectivity_type(ConnectivityType::Public)
            .subnet_id(call.id(&part.subnet)?)
            .allocation_id(call.target(&part.address)?)
            .client_token(&call.token)
            .tag_specifications(tags_of_new(ResourceType::Natgateway, &call.tags(&part.tags)))
            .send();
        let doing = format!("creating NAT gateway ({})", call.key);
        let answer = place.aws.call("ec2:CreateNatGateway", doing, make).await?;
        let made = answer
            .nat_gateway
            .and_then(Self::object)
            .ok_or_else(|| no_answer(call))?;
        // An old token gives the gateway of then, though it be gone.
        let condition = match made.condition {
            Condition::Deleting => Condition::Dead,
            other => other,
        };
        Ok(Made::new(made.id, condition))
    }

    async fn update(&self, _: &NatGateway, _: &Object, _: &[Difference], _: &Call) -> Result<(), Failure> {
        Ok(())
    }

    async fn tag(&self, id: &str, set: &Tags, remove: &[String]) -> Result<(), Failure> {
        self.0.place.tag(id, set, remove).await
    }

    async fn delete(&self, object: &Object, _: &Call) -> Result<Deleted, Failure> {
        let place = &self.0.place;
        let ec2 = place.ec2().await?;
        let delete = ec2.write.delete_nat_gateway().nat_gateway_id(&object.id).send();
        let doing = format!("deleting NAT gateway {}", object.id);
        place
            .aws
            .call("ec2:DeleteNatGateway", doing, delete)
            .await
            .map(|_| Deleted::Begun)
    }
}
