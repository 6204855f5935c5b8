//! VPC endpoints: gateways for S3 and DynamoDB, interfaces for other services.

use async_trait::async_trait;
use aws_sdk_ec2::operation::create_vpc_endpoint::builders::CreateVpcEndpointFluentBuilder;
use aws_sdk_ec2::operation::modify_vpc_endpoint::builders::ModifyVpcEndpointFluentBuilder;
use aws_sdk_ec2::types::{ResourceType, VpcEndpoint, VpcEndpointType};
use reconcile::failure::Failure;
use reconcile::part::{
    Call, Condition, Deleted, Difference, Idempotence, KindTraits, Made, Object, Part, Ref, Tags,
};
use serde::Serialize;
use serde_json::json;

use super::list::tags_of_new;
use crate::kind::{ByFilter, Ec2, list_changes, made, of, pace, settled, some, usual};

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

const USUAL: KindTraits = KindTraits {
    deletion_order: 15,
    idempotence: Idempotence::Token,
    reads: &["ec2:DescribeVpcEndpoints"],
    writes: &[
        "ec2:CreateVpcEndpoint",
        "ec2:ModifyVpcEndpoint",
        "ec2:DeleteVpcEndpoints",
        "ec2:CreateTags",
        "ec2:DeleteTags",
    ],
    ..usual("")
};
const SAME: &[&str] = &["vpc", "service"];

#[async_trait]
impl ByFilter for GatewayEndpoint {
    type Item = VpcEndpoint;

    const TRAITS: KindTraits = KindTraits {
        kind: Self::KIND,
        title: "gateway endpoint",
        ..USUAL
    };
    const SAME: &'static [&'static str] = SAME;

    fn see(ec2: &Ec2, endpoint: VpcEndpoint) -> Option<Object> {
        see(ec2, &VpcEndpointType::Gateway, endpoint)
    }

    async fn make(&self, ec2: &Ec2, call: &Call) -> Result<Made, Failure> {
        let make = ec2.write.create_vpc_endpoint().service_name(&self.service);
        let tables = ids(&self.route_tables, call)?;
        let make = make.vpc_id(call.id(&self.vpc)?).set_route_table_ids(Some(tables));
        make_of::<Self>(ec2, VpcEndpointType::Gateway, make, call, &self.tags).await
    }

    async fn change(&self, ec2: &Ec2, is: &Object, what: &[Difference], call: &Call) -> Result<(), Failure> {
        let (add, remove) = changes("route_tables", what, call);
        let modify = ec2.write.modify_vpc_endpoint();
        let modify = modify
            .set_add_route_table_ids(add)
            .set_remove_route_table_ids(remove);
        change(ec2, &is.id, modify).await
    }

    async fn unmake(ec2: &Ec2, object: &Object) -> Result<Deleted, Failure> {
        unmake(ec2, &object.id).await?;
        Ok(Deleted::Gone)
    }
}

#[async_trait]
impl ByFilter for InterfaceEndpoint {
    type Item = VpcEndpoint;

    const TRAITS: KindTraits = KindTraits {
        kind: Self::KIND,
        title: "interface endpoint",
        pace: pace(60, 90, 900),
        ..USUAL
    };
    const SAME: &'static [&'static str] = SAME;

    fn see(ec2: &Ec2, endpoint: VpcEndpoint) -> Option<Object> {
        see(ec2, &VpcEndpointType::Interface, endpoint)
    }

    async fn make(&self, ec2: &Ec2, call: &Call) -> Result<Made, Failure> {
        let (subnets, groups) = (ids(&self.subnets, call)?, ids(&self.security_groups, call)?);
        let make = ec2
            .write
            .create_vpc_endpoint()
            .vpc_id(call.id(&self.vpc)?)
            .service_name(&self.service)
            .private_dns_enabled(self.private_dns)
            .set_subnet_ids(Some(subnets))
            .set_security_group_ids(Some(groups));
        make_of::<Self>(ec2, VpcEndpointType::Interface, make, call, &self.tags).await
    }

    async fn change(&self, ec2: &Ec2, is: &Object, what: &[Difference], call: &Call) -> Result<(), Failure> {
        let (add_subnets, remove_subnets) = changes("subnets", what, call);
        let (add_groups, remove_groups) = changes("security_groups", what, call);
        let modify = ec2
            .write
            .modify_vpc_endpoint()
            .set_private_dns_enabled(of("private_dns", what).map(|_| self.private_dns))
            .set_add_subnet_ids(add_subnets)
            .set_remove_subnet_ids(remove_subnets)
            .set_add_security_group_ids(add_groups)
            .set_remove_security_group_ids(remove_groups);
        change(ec2, &is.id, modify).await
    }

    async fn unmake(ec2: &Ec2, object: &Object) -> Result<Deleted, Failure> {
        unmake(ec2, &object.id).await?;
        Ok(Deleted::Begun)
    }
}

fn see(ec2: &Ec2, of: &VpcEndpointType, endpoint: VpcEndpoint) -> Option<Object> {
    if endpoint.vpc_endpoint_type() != Some(of) {
        return None;
    }
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
            let reason = endpoint.last_error().and_then(|error| error.message());
            Condition::Failed(format!("{state}: {}", reason.unwrap_or("no reason given")))
        }
        _ => Condition::Changing(state),
    };
    let arn = ec2.arn(endpoint.owner_id(), "vpc-endpoint", endpoint.vpc_endpoint_id());
    let sorted = |mut list: Vec<String>| {
        list.sort();
        list
    };
    let tables = sorted(endpoint.route_table_ids.unwrap_or_default());
    let subnets = sorted(endpoint.subnet_ids.unwrap_or_default());
    let groups = endpoint.groups.unwrap_or_default().into_iter();
    let groups = sorted(groups.filter_map(|group| group.group_id).collect());
    let mut fields = json!({ "vpc": endpoint.vpc_id, "service": endpoint.service_name });
    if *of == VpcEndpointType::Gateway {
        fields["route_tables"] = json!(tables);
    } else {
        fields["subnets"] = json!(subnets);
        fields["security_groups"] = json!(groups);
        fields["private_dns"] = json!(endpoint.private_dns_enabled.unwrap_or_default());
    }
    let references = [some([endpoint.vpc_id]), tables, subnets, groups].concat();
    Some(Object {
        arn,
        condition,
        references,
        ..settled(fields)
    })
}

fn ids(parts: &[Ref], call: &Call) -> Result<Vec<String>, Failure> {
    parts.iter().map(|part| Ok(call.id(part)?.to_owned())).collect()
}

async fn make_of<P: ByFilter<Item = VpcEndpoint>>(
    ec2: &Ec2,
    of: VpcEndpointType,
    make: CreateVpcEndpointFluentBuilder,
    call: &Call,
    own: &Tags,
) -> Result<Made, Failure> {
    let make = make
        .vpc_endpoint_type(of)
        .client_token(&call.token)
        .tag_specifications(tags_of_new(ResourceType::VpcEndpoint, &call.tags(own)));
    let answer = ec2.call("ec2:CreateVpcEndpoint", make.send()).await?;
    made::<P>(ec2, answer.vpc_endpoint, call)
}

/// Ids to add to a list and to remove from it.
type Changes = (Option<Vec<String>>, Option<Vec<String>>);

fn changes(field: &str, what: &[Difference], call: &Call) -> Changes {
    let Some(difference) = of(field, what) else {
        return (None, None);
    };
    let owned = |ids: Vec<&str>| Some(ids.into_iter().map(str::to_owned).collect());
    let (add, remove) = list_changes(difference, call);
    (owned(add), owned(remove))
}

async fn change(ec2: &Ec2, id: &str, modify: ModifyVpcEndpointFluentBuilder) -> Result<(), Failure> {
    ec2.call("ec2:ModifyVpcEndpoint", modify.vpc_endpoint_id(id).send())
        .await?;
    Ok(())
}

async fn unmake(ec2: &Ec2, id: &str) -> Result<(), Failure> {
    let delete = ec2.write.delete_vpc_endpoints().vpc_endpoint_ids(id);
    let answer = ec2.call("ec2:DeleteVpcEndpoints", delete.send()).await?;
    ec2.check("ec2:DeleteVpcEndpoints", answer.unsuccessful())
}
