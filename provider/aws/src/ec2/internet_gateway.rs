//! The internet gateway of a VPC; its attachment is a field.

use async_trait::async_trait;
use aws_sdk_ec2::types::{self, ResourceType};
use reconcile::failure::{Class, Failure};
use reconcile::part::{Call, Condition, Deleted, Difference, KindTraits, Made, Object, Part, Ref, Tags};
use serde::Serialize;
use serde_json::json;

use super::held;
use super::list::tags_of_new;
use crate::kind::{ByFilter, Ec2, InVpc, finished, gone, made, settled, some, usual};

/// An internet gateway, attached.
#[derive(Debug, Clone, Serialize, Part)]
#[part(kind = "internet_gateway")]
pub struct InternetGateway {
    /// The VPC that it is attached to.
    pub vpc: Ref,
    /// Tags beside those of ownership.
    pub tags: Tags,
}

#[async_trait]
impl ByFilter for InternetGateway {
    type Item = types::InternetGateway;

    const TRAITS: KindTraits = KindTraits {
        title: "internet gateway",
        deletion_order: 80,
        reads: &["ec2:DescribeInternetGateways"],
        writes: &[
            "ec2:CreateInternetGateway",
            "ec2:AttachInternetGateway",
            "ec2:DetachInternetGateway",
            "ec2:DeleteInternetGateway",
            "ec2:CreateTags",
            "ec2:DeleteTags",
        ],
        ..usual(Self::KIND)
    };
    const IN_VPC: InVpc = InVpc::Attached("attachment.vpc-id");
    const SAME: &'static [&'static str] = &["vpc"];

    fn see(ec2: &Ec2, gateway: types::InternetGateway) -> Option<Object> {
        let attachment = gateway.attachments().first();
        let vpc = attachment
            .and_then(|attachment| attachment.vpc_id())
            .map(str::to_owned);
        // EC2 says `available` here where its model says `attached`.
        let condition = match attachment
            .and_then(|attachment| attachment.state())
            .map(|state| state.as_str())
        {
            Some(state @ ("attaching" | "detaching")) => Condition::Changing(state.to_owned()),
            _ => Condition::Settled,
        };
        let arn = ec2.arn(
            gateway.owner_id(),
            "internet-gateway",
            gateway.internet_gateway_id(),
        );
        let fields = json!({ "vpc": vpc });
        Some(Object {
            arn,
            condition,
            references: some([vpc]),
            ..settled(fields)
        })
    }

    async fn make(&self, ec2: &Ec2, call: &Call) -> Result<Made, Failure> {
        let vpc = call.id(&self.vpc)?;
        let tags = tags_of_new(ResourceType::InternetGateway, &call.tags(&self.tags));
        let make = ec2.write.create_internet_gateway().tag_specifications(tags);
        let answer = ec2.call("ec2:CreateInternetGateway", make.send()).await?;
        let made = made::<Self>(ec2, answer.internet_gateway, call)?;
        let attached = attach(ec2, &made.id, vpc).await;
        Ok(finished(made, attached))
    }

    async fn change(&self, ec2: &Ec2, is: &Object, _: &[Difference], call: &Call) -> Result<(), Failure> {
        let vpc = call.id(&self.vpc)?;
        match is.references.first() {
            Some(attached) if attached == vpc => return Ok(()),
            Some(other) => gone(detach(ec2, &is.id, other).await)?,
            None => {}
        }
        attach(ec2, &is.id, vpc).await
    }

    async fn unmake(ec2: &Ec2, object: &Object) -> Result<Deleted, Failure> {
        if let Some(vpc) = object.references.first() {
            let detached = detach(ec2, &object.id, vpc).await;
            gone(held::explain(ec2, detached, held::Within::Public, vpc, object).await)?;
        }
        let delete = ec2
            .write
            .delete_internet_gateway()
            .internet_gateway_id(&object.id);
        ec2.call("ec2:DeleteInternetGateway", delete.send()).await?;
        Ok(Deleted::Gone)
    }
}

async fn attach(ec2: &Ec2, id: &str, vpc: &str) -> Result<(), Failure> {
    let ec2 = ec2.to(format!("attaching internet gateway {id} to {vpc}"));
    let attach = ec2
        .write
        .attach_internet_gateway()
        .internet_gateway_id(id)
        .vpc_id(vpc);
    match ec2.call("ec2:AttachInternetGateway", attach.send()).await {
        // EC2 has no code of its own for a VPC that has another gateway.
        Err(failure) if failure.cause.contains("already has an internet gateway attached") => Err(Failure {
            class: Class::Exists,
            ..failure
        }),
        other => other.map(|_| ()),
    }
}

async fn detach(ec2: &Ec2, id: &str, vpc: &str) -> Result<(), Failure> {
    let ec2 = ec2.to(format!("detaching internet gateway {id} from {vpc}"));
    let detach = ec2
        .write
        .detach_internet_gateway()
        .internet_gateway_id(id)
        .vpc_id(vpc);
    ec2.call("ec2:DetachInternetGateway", detach.send()).await?;
    Ok(())
}
