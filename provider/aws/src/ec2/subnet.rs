//! Subnets.

use async_trait::async_trait;
use aws_sdk_ec2::types::{AttributeBooleanValue, ResourceType};
use ipnet::Ipv4Net;
use reconcile::failure::{Class, Failure};
use reconcile::part::{
    Ask, Call, Condition, Deleted, Difference, Idempotence, Kind, KindTraits, Made, Object, Part, Ref, Tags,
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::client::Aws;

use super::find::{Filters, InVpc, find, pages, tags, tags_of_new};
use super::{held, obstacles};
use crate::kind::{INVISIBLE, Place, no_answer, object, pace, some, unfinished};

/// A subnet.
#[derive(Debug, Clone, Serialize, Part)]
#[part(kind = "subnet")]
pub struct Subnet {
    /// The VPC it lies in.
    #[part(replace)]
    pub vpc: Ref,
    /// Name of its availability zone.
    #[part(replace)]
    pub zone: String,
    /// Its range, /16 to /28 (AWS EC2 `CreateSubnet`).
    #[part(replace)]
    pub cidr: Ipv4Net,
    /// Instances get public addresses.
    pub public_ips: bool,
    /// Tags beside those of ownership.
    pub tags: Tags,
}

pub(crate) struct Subnets(pub(crate) Place);

/// A subnet as a message names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lodger {
    /// Its id.
    pub id: String,
    /// Its range.
    pub cidr: Ipv4Net,
    /// Its tag `Name`; empty where it has none.
    pub name: String,
}

impl Aws {
    /// The subnets of the VPC that lie in one of the ranges.
    ///
    /// # Errors
    /// Where the call fails; IAM action `ec2:DescribeSubnets`.
    pub async fn subnets_in(
        &self,
        region: &str,
        vpc: &str,
        ranges: &[Ipv4Net],
    ) -> Result<Vec<Lodger>, Failure> {
        let in_vpc = vec![("vpc-id".to_owned(), vec![vpc.to_owned()])];
        let all = Subnets(Place::new(self, region)).describe(in_vpc).await?;
        let lodgers = all.into_iter().filter_map(|subnet| {
            let cidr: Ipv4Net = subnet.cidr_block()?.parse().ok()?;
            let mut named = subnet.tags().iter().filter(|tag| tag.key() == Some("Name"));
            let name = named.next().and_then(|tag| tag.value()).unwrap_or_default();
            let is_there = ranges.iter().any(|range| range.contains(&cidr));
            is_there.then(|| Lodger {
                id: subnet.subnet_id().unwrap_or_default().to_owned(),
                cidr,
                name: name.to_owned(),
            })
        });
        Ok(lodgers.collect())
    }
}

impl Subnets {
    async fn describe(&self, filters: Filters) -> Result<Vec<aws_sdk_ec2::types::Subnet>, Failure> {
        pages!(
            &self.0,
            "ec2:DescribeSubnets",
            "looking for subnets",
            describe_subnets,
            set_filters,
            subnets,
            filters
        )
    }

    async fn set_public_ips(&self, id: &str, public: bool) -> Result<(), Failure> {
        let ec2 = self.0.ec2().await?;
        let value = AttributeBooleanValue::builder().value(public).build();
        let modify = ec2
            .write
            .modify_subnet_attribute()
            .subnet_id(id)
            .map_public_ip_on_launch(value)
            .send();
        self.0
            .aws
            .call(
                "ec2:ModifySubnetAttribute",
                format!("changing subnet {id}"),
                modify,
            )
            .await
            .map(|_| ())
    }

    fn object(subnet: aws_sdk_ec2::types::Subnet) -> Option<Object> {
        let condition = match subnet.state.as_ref().map(|state| state.as_str()) {
            Some("pending") => Condition::Changing("pending".into()),
            Some(state @ ("failed" | "failed-insufficient-capacity")) => Condition::Failed(state.to_owned()),
            _ => Condition::Settled,
        };
        let fields = json!({
            "vpc": subnet.vpc_id,
            "zone": subnet.availability_zone,
            "cidr": subnet.cidr_block,
            "public_ips": subnet.map_public_ip_on_launch.unwrap_or_default(),
        });
        let references = some([subnet.vpc_id]);
        Some(Object {
            arn: subnet.subnet_arn,
            ..object(
                subnet.subnet_id?,
                condition,
                fields,
                tags(subnet.tags),
                references,
            )
        })
    }
}

#[async_trait]
impl Kind for Subnets {
    type Part = Subnet;

    fn traits(&self) -> KindTraits {
        KindTraits {
            kind: Subnet::KIND,
            title: "subnet",
            deletion_order: 70,
            // Its range within its VPC.
            idempotence: Idempotence::NaturalKey,
            invisible_for: INVISIBLE,
            // Interfaces of a load balancer or a cluster that was deleted a moment ago take minutes to go.
            pace: pace(4, 2, 600),
            reads: &["ec2:DescribeSubnets"],
            writes: &[
                "ec2:CreateSubnet",
                "ec2:ModifySubnetAttribute",
                "ec2:DeleteSubnet",
                "ec2:DescribeNetworkInterfaces",
                "ec2:DeleteNetworkInterface",
                "ec2:CreateTags",
                "ec2:DeleteTags",
            ],
        }
    }

    fn stands_for(&self, declared: &Value, object: &Object) -> bool {
        ["zone", "cidr"]
            .iter()
            .all(|field| declared.get(field) == object.fields.get(field))
    }

    fn excludes(&self, declared: &Value, object: &Object) -> bool {
        let range = |fields: &Value| fields.get("cidr")?.as_str()?.parse::<Ipv4Net>().ok();
        match (range(declared), range(&object.fields)) {
            (Some(new), Some(old)) => new.contains(&old) || old.contains(&new),
            _ => false,
        }
    }

    async fn in_the_way(&self, subnet: &Object, going: &[&Object], ours: &[&Object]) -> Result<(), Failure> {
        // With its VPC, that has looked at everything.
        if going.iter().any(|other| subnet.references.contains(&other.id)) {
            return Ok(());
        }
        obstacles::before_subnet(&self.0, subnet, ours)
            .await
            .map_or(Ok(()), Err)
    }

    async fn observe(&self, ask: &Ask) -> Result<Vec<Object>, Failure> {
        let found = find(
            ask,
            "subnet-id",
            InVpc::All("vpc-id"),
            aws_sdk_ec2::types::Subnet::subnet_id,
            |f| self.describe(f),
        )
        .await?;
        Ok(found.into_iter().filter_map(Self::object).collect())
    }

    async fn create(&self, part: &Subnet, call: &Call) -> Result<Made, Failure> {
        let ec2 = self.0.ec2().await?;
        let make = ec2
            .write
            .create_subnet()
            .vpc_id(call.id(&part.vpc)?)
            .availability_zone(&part.zone)
            .cidr_block(part.cidr.to_string())
            .tag_specifications(tags_of_new(ResourceType::Subnet, &call.tags(&part.tags)))
            .send();
        let answer = self
            .0
            .aws
            .call(
                "ec2:CreateSubnet",
                format!("creating subnet ({})", call.key),
                make,
            )
            .await?;
        let made = answer
            .subnet
            .and_then(Self::object)
            .ok_or_else(|| no_answer(call))?;
        let set = if part.public_ips {
            self.set_public_ips(&made.id, true).await
        } else {
            Ok(())
        };
        Ok(Made::new(made.id, unfinished(set, made.condition)).arn(made.arn))
    }

    async fn update(&self, part: &Subnet, is: &Object, _: &[Difference], _: &Call) -> Result<(), Failure> {
        self.set_public_ips(&is.id, part.public_ips).await
    }

    async fn tag(&self, id: &str, set: &Tags, remove: &[String]) -> Result<(), Failure> {
        self.0.tag(id, set, remove).await
    }

    async fn delete(&self, object: &Object, _: &Call) -> Result<Deleted, Failure> {
        let ec2 = self.0.ec2().await?;
        let delete = ec2.write.delete_subnet().subnet_id(&object.id).send();
        match self
            .0
            .aws
            .call(
                "ec2:DeleteSubnet",
                format!("deleting subnet {}", object.id),
                delete,
            )
            .await
        {
            Err(failure) if failure.class == Class::Busy => {
                Err(held::explain(&self.0, failure, held::Within::Subnet, &object.id, object).await)
            }
            other => other.map(|_| Deleted::Gone),
        }
    }
}
