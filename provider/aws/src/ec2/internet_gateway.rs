//! The internet gateway of a VPC; its attachment is a field.

use async_trait::async_trait;
use aws_sdk_ec2::types::ResourceType;
use reconcile::failure::{Class, Failure};
use reconcile::part::{
    Ask, Call, Condition, Deleted, Difference, Idempotence, Kind, KindTraits, Made, Object, Part, Ref, Tags,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::find::{Filters, InVpc, find, pages, tags, tags_of_new};
use super::held;
use crate::kind::{INVISIBLE, Place, QUICK, no_answer, object, unfinished};

/// An internet gateway, attached.
#[derive(Debug, Clone, Serialize, Part)]
#[part(kind = "internet_gateway")]
pub struct InternetGateway {
    /// The VPC that it is attached to.
    pub vpc: Ref,
    /// Tags beside those of ownership.
    pub tags: Tags,
}

pub(crate) struct InternetGateways(pub(crate) Place);

impl InternetGateways {
    async fn describe(&self, filters: Filters) -> Result<Vec<aws_sdk_ec2::types::InternetGateway>, Failure> {
        pages!(
            &self.0,
            "ec2:DescribeInternetGateways",
            "looking for internet gateways",
            describe_internet_gateways,
            set_filters,
            internet_gateways,
            filters
        )
    }

    async fn attach(&self, id: &str, vpc: &str) -> Result<(), Failure> {
        let ec2 = self.0.ec2().await?;
        let attach = ec2
            .write
            .attach_internet_gateway()
            .internet_gateway_id(id)
            .vpc_id(vpc)
            .send();
        let doing = format!("attaching internet gateway {id} to {vpc}");
        match self.0.aws.call("ec2:AttachInternetGateway", doing, attach).await {
            // EC2 has no code of its own for a VPC that has another gateway.
            Err(failure) if failure.cause.contains("already has an internet gateway attached") => {
                Err(Failure {
                    class: Class::Exists,
                    ..failure
                })
            }
            other => other.map(|_| ()),
        }
    }

    async fn detach(&self, id: &str, vpc: &str) -> Result<(), Failure> {
        let ec2 = self.0.ec2().await?;
        let detach = ec2
            .write
            .detach_internet_gateway()
            .internet_gateway_id(id)
            .vpc_id(vpc)
            .send();
        let doing = format!("detaching internet gateway {id} from {vpc}");
        match self.0.aws.call("ec2:DetachInternetGateway", doing, detach).await {
            Err(failure) if failure.class == Class::NotFound => Ok(()),
            other => other.map(|_| ()),
        }
    }

    fn object(&self, gateway: aws_sdk_ec2::types::InternetGateway) -> Option<Object> {
        let id = gateway.internet_gateway_id?;
        let attachment = gateway.attachments.unwrap_or_default().into_iter().next();
        let vpc = attachment
            .as_ref()
            .and_then(|attachment| attachment.vpc_id.clone());
        // EC2 says `available` here where its model says `attached`.
        let condition = match attachment
            .and_then(|attachment| attachment.state)
            .as_ref()
            .map(|state| state.as_str())
        {
            Some(state @ ("attaching" | "detaching")) => Condition::Changing(state.to_owned()),
            _ => Condition::Settled,
        };
        let arn = self.0.arn(gateway.owner_id.as_deref(), "internet-gateway", &id);
        let references = vpc.iter().cloned().collect();
        Some(Object {
            arn,
            ..object(
                id,
                condition,
                json!({ "vpc": vpc }),
                tags(gateway.tags),
                references,
            )
        })
    }
}

#[async_trait]
impl Kind for InternetGateways {
    type Part = InternetGateway;

    fn traits(&self) -> KindTraits {
        KindTraits {
            kind: InternetGateway::KIND,
            title: "internet gateway",
            deletion_order: 80,
            idempotence: Idempotence::None,
            invisible_for: INVISIBLE,
            pace: QUICK,
            reads: &["ec2:DescribeInternetGateways"],
            writes: &[
                "ec2:CreateInternetGateway",
                "ec2:AttachInternetGateway",
                "ec2:DetachInternetGateway",
                "ec2:DeleteInternetGateway",
                "ec2:CreateTags",
                "ec2:DeleteTags",
            ],
        }
    }

    fn stands_for(&self, declared: &Value, object: &Object) -> bool {
        declared.get("vpc") == object.fields.get("vpc")
    }

    async fn observe(&self, ask: &Ask) -> Result<Vec<Object>, Failure> {
        let in_vpc = InVpc::Attached("attachment.vpc-id");
        let found = find(
            ask,
            "internet-gateway-id",
            in_vpc,
            aws_sdk_ec2::types::InternetGateway::internet_gateway_id,
            |f| self.describe(f),
        )
        .await?;
        Ok(found
            .into_iter()
            .filter_map(|gateway| self.object(gateway))
            .collect())
    }

    async fn create(&self, part: &InternetGateway, call: &Call) -> Result<Made, Failure> {
        let vpc = call.id(&part.vpc)?;
        let ec2 = self.0.ec2().await?;
        let make = ec2
            .write
            .create_internet_gateway()
            .tag_specifications(tags_of_new(ResourceType::InternetGateway, &call.tags(&part.tags)))
            .send();
        let doing = format!("creating internet gateway ({})", call.key);
        let answer = self.0.aws.call("ec2:CreateInternetGateway", doing, make).await?;
        let made = answer
            .internet_gateway
            .and_then(|gateway| self.object(gateway))
            .ok_or_else(|| no_answer(call))?;
        let attached = self.attach(&made.id, vpc).await;
        Ok(Made::new(made.id, unfinished(attached, Condition::Settled)).arn(made.arn))
    }

    async fn update(
        &self,
        part: &InternetGateway,
        is: &Object,
        _: &[Difference],
        call: &Call,
    ) -> Result<(), Failure> {
        let vpc = call.id(&part.vpc)?;
        match is.references.first() {
            Some(attached) if attached == vpc => return Ok(()),
            Some(other) => self.detach(&is.id, other).await?,
            None => {}
        }
        self.attach(&is.id, vpc).await
    }

    async fn tag(&self, id: &str, set: &Tags, remove: &[String]) -> Result<(), Failure> {
        self.0.tag(id, set, remove).await
    }

    async fn delete(&self, object: &Object, _: &Call) -> Result<Deleted, Failure> {
        if let Some(vpc) = object.references.first() {
            match self.detach(&object.id, vpc).await {
                Err(failure) if failure.class == Class::Busy => {
                    let within = held::Within::Public;
                    return Err(held::explain(&self.0, failure, within, vpc, object).await);
                }
                other => other?,
            }
        }
        let ec2 = self.0.ec2().await?;
        let delete = ec2
            .write
            .delete_internet_gateway()
            .internet_gateway_id(&object.id)
            .send();
        let doing = format!("deleting internet gateway {}", object.id);
        self.0
            .aws
            .call("ec2:DeleteInternetGateway", doing, delete)
            .await
            .map(|_| Deleted::Gone)
    }
}
