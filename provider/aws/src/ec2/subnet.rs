//! Subnets.

use async_trait::async_trait;
use aws_sdk_ec2::types::{self, AttributeBooleanValue, ResourceType};
use ipnet::Ipv4Net;
use reconcile::failure::Failure;
use reconcile::part::{
    Call, Condition, Deleted, Difference, Idempotence, KindTraits, Made, Object, Part, Ref, Tags,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::list::tags_of_new;
use super::{held, obstacles};
use crate::client::Aws;
use crate::kind::{ByFilter, Ec2, Place, by, finished, made, pace, settled, some, usual};

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

#[async_trait]
impl ByFilter for Subnet {
    type Item = types::Subnet;

    const TRAITS: KindTraits = KindTraits {
        title: "subnet",
        deletion_order: 70,
        // Its range within its VPC.
        idempotence: Idempotence::NaturalKey,
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
        ..usual(Self::KIND)
    };
    const SAME: &'static [&'static str] = &["zone", "cidr"];

    fn see(_: &Ec2, subnet: types::Subnet) -> Option<Object> {
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
        let (arn, references) = (subnet.subnet_arn, some([subnet.vpc_id]));
        Some(Object {
            arn,
            condition,
            references,
            ..settled(fields)
        })
    }

    async fn make(&self, ec2: &Ec2, call: &Call) -> Result<Made, Failure> {
        let make = ec2
            .write
            .create_subnet()
            .vpc_id(call.id(&self.vpc)?)
            .availability_zone(&self.zone)
            .cidr_block(self.cidr.to_string())
            .tag_specifications(tags_of_new(ResourceType::Subnet, &call.tags(&self.tags)));
        let answer = ec2.call("ec2:CreateSubnet", make.send()).await?;
        let made = made::<Self>(ec2, answer.subnet, call)?;
        let set = if self.public_ips {
            set_public_ips(ec2, &made.id, true).await
        } else {
            Ok(())
        };
        Ok(finished(made, set))
    }

    async fn change(&self, ec2: &Ec2, is: &Object, _: &[Difference], _: &Call) -> Result<(), Failure> {
        set_public_ips(ec2, &is.id, self.public_ips).await
    }

    async fn unmake(ec2: &Ec2, object: &Object) -> Result<Deleted, Failure> {
        let delete = ec2.write.delete_subnet().subnet_id(&object.id);
        let deleted = ec2.call("ec2:DeleteSubnet", delete.send()).await;
        held::explain(ec2, deleted, held::Within::Subnet, &object.id, object).await
    }

    fn excludes(declared: &Value, object: &Object) -> bool {
        let range = |fields: &Value| fields.get("cidr")?.as_str()?.parse::<Ipv4Net>().ok();
        match (range(declared), range(&object.fields)) {
            (Some(new), Some(old)) => new.contains(&old) || old.contains(&new),
            _ => false,
        }
    }

    async fn in_the_way(ec2: &Ec2, it: &Object, going: &[&Object], ours: &[&Object]) -> Result<(), Failure> {
        // With its VPC, that has looked at everything.
        if going.iter().any(|other| it.references.contains(&other.id)) {
            return Ok(());
        }
        obstacles::before_subnet(ec2, it, ours).await
    }
}

async fn set_public_ips(ec2: &Ec2, id: &str, public: bool) -> Result<(), Failure> {
    let value = AttributeBooleanValue::builder().value(public).build();
    let modify = ec2
        .write
        .modify_subnet_attribute()
        .subnet_id(id)
        .map_public_ip_on_launch(value);
    ec2.call("ec2:ModifySubnetAttribute", modify.send()).await?;
    Ok(())
}

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
        let ec2: Ec2 = Place::new(self, region).api("looking for subnets").await?;
        let all: Vec<types::Subnet> = ec2.list(by("vpc-id", vpc)).await?;
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
