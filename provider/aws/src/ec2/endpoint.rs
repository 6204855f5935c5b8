//! VPC endpoints: gateways for S3 and DynamoDB, interfaces for other services.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_ec2::types::{ResourceType, VpcEndpointType};
use reconcile::failure::Failure;
use reconcile::part::{
    Ask, Call, Condition, Deleted, Difference, Idempotence, Kind, KindTraits, Made, Object, Part, Ref, Tags,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::find::{Filters, InVpc, Together, find, pages, tags, tags_of_new};
use crate::failure;
use crate::kind::{INVISIBLE, Place, QUICK, list_changes, no_answer, object, pace, some};

/// A gateway endpoint: routes to S3 or DynamoDB that leave out NAT gateways.
#[derive(Debug, Clone, Serialize, Part)]
#[part(kind = "gateway_endpoint")]
pub struct GatewayEndpoint {
    /// The VPC it serves.
    #[part(replace)]
    pub vpc: Ref,
    /// The service's name, for example `com.amazonaws.eu-central-1.s3`.
    #[part(replace)]
    pub service: String,
    /// The route tables that get its route.
    #[part(own_entries)]
    pub route_tables: Vec<Ref>,
    /// Tags beside those of ownership.
    pub tags: Tags,
}

/// An interface endpoint: addresses of a service within the VPC.
#[derive(Debug, Clone, Serialize, Part)]
#[part(kind = "interface_endpoint")]
pub struct InterfaceEndpoint {
    /// The VPC it serves.
    #[part(replace)]
    pub vpc: Ref,
    /// The service's name, for example `com.amazonaws.eu-central-1.ecr.api`.
    #[part(replace)]
    pub service: String,
    /// The subnets with an address of it: one a zone.
    #[part(own_entries)]
    pub subnets: Vec<Ref>,
    /// What may reach it.
    #[part(own_entries)]
    pub security_groups: Vec<Ref>,
    /// The service's usual name resolves to it.
    pub private_dns: bool,
    /// Tags beside those of ownership.
    pub tags: Tags,
}

/// VPC endpoints as AWS lists them, whichever kind asks.
#[derive(Clone)]
pub(crate) struct Endpoints {
    place: Place,
    together: Together<aws_sdk_ec2::types::VpcEndpoint>,
}

impl Endpoints {
    pub(crate) fn new(place: &Place) -> Self {
        Self {
            place: place.clone(),
            together: Together::new(),
        }
    }

    async fn describe(&self, filters: Filters) -> Result<Vec<aws_sdk_ec2::types::VpcEndpoint>, Failure> {
        let place = self.place.clone();
        let look = self.together.look(filters, |filters| async move {
            pages!(
                &place,
                "ec2:DescribeVpcEndpoints",
                "looking for VPC endpoints",
                describe_vpc_endpoints,
                set_filters,
                vpc_endpoints,
                filters
            )
        });
        Ok(Arc::unwrap_or_clone(look.await?))
    }

    async fn observe(&self, ask: &Ask, of: &VpcEndpointType) -> Result<Vec<Object>, Failure> {
        let in_vpc = InVpc::All("vpc-id");
        let found = find(
            ask,
            "vpc-endpoint-id",
            in_vpc,
            aws_sdk_ec2::types::VpcEndpoint::vpc_endpoint_id,
            |f| self.describe(f),
        )
        .await?;
        let found = found
            .into_iter()
            .filter(|endpoint| endpoint.vpc_endpoint_type() == Some(of));
        Ok(found.filter_map(|endpoint| self.object(endpoint)).collect())
    }

    fn object(&self, endpoint: aws_sdk_ec2::types::VpcEndpoint) -> Option<Object> {
        let id = endpoint.vpc_endpoint_id.clone()?;
        // The model says `Available`, EC2 says `available`.
        let state = endpoint
            .state()
            .map(|state| state.as_str().to_lowercase())
            .unwrap_or_default();
        let condition = match state.as_str() {
            "available" => Condition::Settled,
            "deleting" => Condition::Deleting,
            "deleted" => Condition::Dead,
            "failed" | "rejected" | "expired" => {
                let reason = endpoint
                    .last_error()
                    .and_then(|error| error.message())
                    .unwrap_or("no reason given");
                Condition::Failed(format!("{state}: {reason}"))
            }
            _ => Condition::Changing(state.clone()),
        };
        let sorted = |list: Option<Vec<String>>| {
            let mut list = list.unwrap_or_default();
            list.sort();
            list
        };
        let tables = sorted(endpoint.route_table_ids);
        let subnets = sorted(endpoint.subnet_ids);
        let groups = endpoint
            .groups
            .unwrap_or_default()
            .into_iter()
            .filter_map(|group| group.group_id)
            .collect();
        let groups = sorted(Some(groups));
        let references = some([endpoint.vpc_id.clone()])
            .into_iter()
            .chain(tables.clone())
            .chain(subnets.clone());
        let references = references.chain(groups.clone()).collect();
        let fields = if endpoint.vpc_endpoint_type == Some(VpcEndpointType::Gateway) {
            json!({ "vpc": endpoint.vpc_id, "service": endpoint.service_name, "route_tables": tables })
        } else {
            json!({
                "vpc": endpoint.vpc_id,
                "service": endpoint.service_name,
                "subnets": subnets,
                "security_groups": groups,
                "private_dns": endpoint.private_dns_enabled.unwrap_or_default(),
            })
        };
        let arn = self.place.arn(endpoint.owner_id.as_deref(), "vpc-endpoint", &id);
        Some(Object {
            arn,
            ..object(id, condition, fields, tags(endpoint.tags), references)
        })
    }

    async fn create(
        &self,
        make: aws_sdk_ec2::operation::create_vpc_endpoint::builders::CreateVpcEndpointFluentBuilder,
        call: &Call,
        own: &Tags,
    ) -> Result<Made, Failure> {
        let make = make
            .client_token(&call.token)
            .tag_specifications(tags_of_new(ResourceType::VpcEndpoint, &call.tags(own)))
            .send();
        let doing = format!("creating VPC endpoint ({})", call.key);
        let answer = self.place.aws.call("ec2:CreateVpcEndpoint", doing, make).await?;
        let made = answer
            .vpc_endpoint
            .and_then(|endpoint| self.object(endpoint))
            .ok_or_else(|| no_answer(call))?;
        let condition = match made.condition {
            Condition::Deleting => Condition::Dead,
            other => other,
        };
        Ok(Made::new(made.id, condition).arn(made.arn))
    }

    async fn modify(
        &self,
        id: &str,
        modify: aws_sdk_ec2::operation::modify_vpc_endpoint::builders::ModifyVpcEndpointFluentBuilder,
    ) -> Result<(), Failure> {
        let doing = format!("changing VPC endpoint {id}");
        self.place
            .aws
            .call("ec2:ModifyVpcEndpoint", doing, modify.vpc_endpoint_id(id).send())
            .await
            .map(|_| ())
    }

    async fn delete(&self, id: &str, at_once: bool) -> Result<Deleted, Failure> {
        let ec2 = self.place.ec2().await?;
        let doing = format!("deleting VPC endpoint {id}");
        let delete = ec2.write.delete_vpc_endpoints().vpc_endpoint_ids(id).send();
        let answer = self
            .place
            .aws
            .call("ec2:DeleteVpcEndpoints", doing.as_str(), delete)
            .await?;
        match answer.unsuccessful().first().and_then(|item| item.error()) {
            Some(error) => {
                let (code, message) = (
                    error.code().unwrap_or_default(),
                    error.message().unwrap_or_default(),
                );
                Err(failure::of_item("ec2:DeleteVpcEndpoints", &doing, code, message))
            }
            None if at_once => Ok(Deleted::Gone),
            None => Ok(Deleted::Begun),
        }
    }
}

const READS: &[&str] = &["ec2:DescribeVpcEndpoints"];
const WRITES: &[&str] = &[
    "ec2:CreateVpcEndpoint",
    "ec2:ModifyVpcEndpoint",
    "ec2:DeleteVpcEndpoints",
    "ec2:CreateTags",
    "ec2:DeleteTags",
];

fn serves_the_same(declared: &Value, object: &Object) -> bool {
    ["vpc", "service"]
        .iter()
        .all(|field| declared.get(field) == object.fields.get(field))
}

pub(crate) struct GatewayEndpoints(pub(crate) Endpoints);

#[async_trait]
impl Kind for GatewayEndpoints {
    type Part = GatewayEndpoint;

    fn traits(&self) -> KindTraits {
        KindTraits {
            kind: GatewayEndpoint::KIND,
            title: "gateway endpoint",
            deletion_order: 15,
            idempotence: Idempotence::Token,
            invisible_for: INVISIBLE,
            pace: QUICK,
            reads: READS,
            writes: WRITES,
        }
    }

    fn stands_for(&self, declared: &Value, object: &Object) -> bool {
        serves_the_same(declared, object)
    }

    async fn observe(&self, ask: &Ask) -> Result<Vec<Object>, Failure> {
        self.0.observe(ask, &VpcEndpointType::Gateway).await
    }

    async fn create(&self, part: &GatewayEndpoint, call: &Call) -> Result<Made, Failure> {
        let mut make = self
            .0
            .place
            .ec2()
            .await?
            .write
            .create_vpc_endpoint()
            .vpc_endpoint_type(VpcEndpointType::Gateway)
            .vpc_id(call.id(&part.vpc)?)
            .service_name(&part.service);
        for table in &part.route_tables {
            make = make.route_table_ids(call.id(table)?);
        }
        self.0.create(make, call, &part.tags).await
    }

    async fn update(
        &self,
        _: &GatewayEndpoint,
        is: &Object,
        differences: &[Difference],
        call: &Call,
    ) -> Result<(), Failure> {
        let mut modify = self.0.place.ec2().await?.write.modify_vpc_endpoint();
        for difference in differences
            .iter()
            .filter(|difference| difference.field == "route_tables")
        {
            let (add, remove) = list_changes(difference, call);
            for table in add {
                modify = modify.add_route_table_ids(table);
            }
            for table in remove {
                modify = modify.remove_route_table_ids(table);
            }
        }
        self.0.modify(&is.id, modify).await
    }

    async fn tag(&self, id: &str, set: &Tags, remove: &[String]) -> Result<(), Failure> {
        self.0.place.tag(id, set, remove).await
    }

    async fn delete(&self, object: &Object, _: &Call) -> Result<Deleted, Failure> {
        self.0.delete(&object.id, true).await
    }
}

pub(crate) struct InterfaceEndpoints(pub(crate) Endpoints);

#[async_trait]
impl Kind for InterfaceEndpoints {
    type Part = InterfaceEndpoint;

    fn traits(&self) -> KindTraits {
        KindTraits {
            kind: InterfaceEndpoint::KIND,
            title: "interface endpoint",
            deletion_order: 15,
            idempotence: Idempotence::Token,
            invisible_for: INVISIBLE,
            pace: pace(60, 90, 900),
            reads: READS,
            writes: WRITES,
        }
    }

    fn stands_for(&self, declared: &Value, object: &Object) -> bool {
        serves_the_same(declared, object)
    }

    async fn observe(&self, ask: &Ask) -> Result<Vec<Object>, Failure> {
        self.0.observe(ask, &VpcEndpointType::Interface).await
    }

    async fn create(&self, part: &InterfaceEndpoint, call: &Call) -> Result<Made, Failure> {
        let mut make = self
            .0
            .place
            .ec2()
            .await?
            .write
            .create_vpc_endpoint()
            .vpc_endpoint_type(VpcEndpointType::Interface)
            .vpc_id(call.id(&part.vpc)?)
            .service_name(&part.service)
            .private_dns_enabled(part.private_dns);
        for subnet in &part.subnets {
            make = make.subnet_ids(call.id(subnet)?);
        }
        for group in &part.security_groups {
            make = make.security_group_ids(call.id(group)?);
        }
        self.0.create(make, call, &part.tags).await
    }

    async fn update(
        &self,
        part: &InterfaceEndpoint,
        is: &Object,
        differences: &[Difference],
        call: &Call,
    ) -> Result<(), Failure> {
        let mut modify = self.0.place.ec2().await?.write.modify_vpc_endpoint();
        for difference in differences {
            let (add, remove) = list_changes(difference, call);
            match difference.field.as_str() {
                "private_dns" => modify = modify.private_dns_enabled(part.private_dns),
                "subnets" => {
                    modify = add
                        .into_iter()
                        .fold(modify, |modify, id| modify.add_subnet_ids(id));
                    modify = remove
                        .into_iter()
                        .fold(modify, |modify, id| modify.remove_subnet_ids(id));
                }
                "security_groups" => {
                    modify = add
                        .into_iter()
                        .fold(modify, |modify, id| modify.add_security_group_ids(id));
                    modify = remove
                        .into_iter()
                        .fold(modify, |modify, id| modify.remove_security_group_ids(id));
                }
                _ => {}
            }
        }
        self.0.modify(&is.id, modify).await
    }

    async fn tag(&self, id: &str, set: &Tags, remove: &[String]) -> Result<(), Failure> {
        self.0.place.tag(id, set, remove).await
    }

    async fn delete(&self, object: &Object, _: &Call) -> Result<Deleted, Failure> {
        self.0.delete(&object.id, false).await
    }
}
