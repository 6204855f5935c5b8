//! The VPC: root of a network.

use std::collections::BTreeSet;

use async_trait::async_trait;
use aws_sdk_ec2::types::{AttributeBooleanValue, ResourceType, VpcAttributeName};
use futures::future::try_join_all;
use futures::try_join;
use ipnet::Ipv4Net;
use reconcile::failure::{Class, Failure};
use reconcile::part::{
    Ask, Call, Condition, Deleted, Difference, Idempotence, Kind, KindTraits, Made, Object, Part, Tags,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::find::{Filters, InVpc, find, pages, tags, tags_of_new};
use super::{held, obstacles};
use crate::kind::{INVISIBLE, Place, QUICK, no_answer, object, unfinished};

/// A VPC.
#[derive(Debug, Clone, Serialize, Part)]
#[part(kind = "vpc")]
pub struct Vpc {
    /// Its range, /16 to /28 (AWS EC2 `CreateVpc`).
    #[part(replace)]
    pub cidr: Ipv4Net,
    /// Further ranges, /16 to /28, beside those that others add (AWS EC2 `AssociateVpcCidrBlock`).
    #[part(own_entries)]
    pub secondary_cidrs: Vec<Ipv4Net>,
    /// Amazon's DNS server answers.
    pub dns_support: bool,
    /// Instances get DNS names; interface endpoints with private names and EKS need it.
    pub dns_hostnames: bool,
    /// Tags beside those of ownership.
    pub tags: Tags,
}

pub(crate) struct Vpcs(pub(crate) Place);

type Attributes = (Option<bool>, Option<bool>);

/// The tag `Name` among declared fields.
fn name_tag(fields: &serde_json::Value) -> Option<&str> {
    fields.pointer("/tags/Name")?.as_str()
}

impl Vpcs {
    async fn describe(&self, filters: Filters) -> Result<Vec<aws_sdk_ec2::types::Vpc>, Failure> {
        pages!(
            &self.0,
            "ec2:DescribeVpcs",
            "looking for VPCs",
            describe_vpcs,
            set_filters,
            vpcs,
            filters
        )
    }

    /// VPCs that have the name of the declared one and are not ours: where one stands, none is made beside it.
    async fn namesakes(&self, ask: &Ask) -> Result<Vec<aws_sdk_ec2::types::Vpc>, Failure> {
        let names: Vec<String> = ask
            .declared
            .values()
            .filter_map(name_tag)
            .map(str::to_owned)
            .collect();
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let mut found = self.describe(vec![("tag:Name".to_owned(), names)]).await?;
        let is_of_another =
            |vpc: &aws_sdk_ec2::types::Vpc| vpc.tags().iter().any(|tag| tag.key() == Some("ekb:resource"));
        found.retain(|vpc| !is_of_another(vpc));
        Ok(found)
    }

    async fn attributes(&self, id: &str) -> Result<Attributes, Failure> {
        let ec2 = self.0.ec2().await?;
        let ask = |attribute| {
            let call = ec2
                .read
                .describe_vpc_attribute()
                .vpc_id(id)
                .attribute(attribute)
                .send();
            self.0
                .aws
                .call("ec2:DescribeVpcAttribute", format!("looking at VPC {id}"), call)
        };
        let (support, hostnames) = try_join!(
            ask(VpcAttributeName::EnableDnsSupport),
            ask(VpcAttributeName::EnableDnsHostnames)
        )?;
        Ok((
            support.enable_dns_support.and_then(|attribute| attribute.value),
            hostnames
                .enable_dns_hostnames
                .and_then(|attribute| attribute.value),
        ))
    }

    fn object(&self, vpc: aws_sdk_ec2::types::Vpc, (support, hostnames): Attributes) -> Option<Object> {
        let further = further_ranges(&vpc);
        let id = vpc.vpc_id?;
        let moving = further.iter().find(|range| range.state.ends_with("ing"));
        let condition = match (vpc.state.as_ref().map(|state| state.as_str()), moving) {
            (Some("pending"), _) => Condition::Changing("pending".into()),
            (_, Some(range)) => Condition::Changing(format!("{} is {}", range.cidr, range.state)),
            _ => Condition::Settled,
        };
        let arn = self.0.arn(vpc.owner_id.as_deref(), "vpc", &id);
        let there = further.into_iter().filter(|range| range.state == "associated");
        let secondary: BTreeSet<String> = there.map(|range| range.cidr).collect();
        let fields = json!({
            "cidr": vpc.cidr_block,
            "secondary_cidrs": secondary,
            "dns_support": support,
            "dns_hostnames": hostnames,
        });
        Some(Object {
            arn,
            ..object(id, condition, fields, tags(vpc.tags), Vec::new())
        })
    }

    /// One call an attribute: AWS takes no two.
    async fn set(&self, id: &str, support: Option<bool>, hostnames: Option<bool>) -> Result<(), Failure> {
        let ec2 = self.0.ec2().await?;
        let value = |value: bool| AttributeBooleanValue::builder().value(value).build();
        let modify = |call: aws_sdk_ec2::operation::modify_vpc_attribute::builders::ModifyVpcAttributeFluentBuilder| {
            self.0.aws.call("ec2:ModifyVpcAttribute", format!("changing VPC {id}"), call.vpc_id(id).send())
        };
        // Host names need support.
        if let Some(support) = support {
            modify(
                ec2.write
                    .modify_vpc_attribute()
                    .enable_dns_support(value(support)),
            )
            .await?;
        }
        if let Some(hostnames) = hostnames {
            modify(
                ec2.write
                    .modify_vpc_attribute()
                    .enable_dns_hostnames(value(hostnames)),
            )
            .await?;
        }
        Ok(())
    }
}

/// A range of a VPC beside its first one.
struct Range {
    cidr: String,
    association: String,
    /// `associating`, `associated`, `disassociating`, `failing`, `failed`; gone ones are left out.
    state: String,
}

fn further_ranges(vpc: &aws_sdk_ec2::types::Vpc) -> Vec<Range> {
    let ranges = vpc.cidr_block_association_set().iter().filter_map(|range| {
        let state = range.cidr_block_state().and_then(|state| state.state())?.as_str();
        let cidr = range.cidr_block()?;
        (Some(cidr) != vpc.cidr_block() && state != "disassociated").then(|| Range {
            cidr: cidr.to_owned(),
            association: range.association_id().unwrap_or_default().to_owned(),
            state: state.to_owned(),
        })
    });
    ranges.collect()
}

impl Vpcs {
    async fn add_range(&self, id: &str, cidr: &str) -> Result<(), Failure> {
        let ec2 = self.0.ec2().await?;
        let add = ec2.write.associate_vpc_cidr_block().vpc_id(id).cidr_block(cidr);
        let doing = format!("adding the range {cidr} to VPC {id}");
        let added = self
            .0
            .aws
            .call("ec2:AssociateVpcCidrBlock", doing, add.send())
            .await;
        added.map(|_| ())
    }

    /// Adds before it takes away: subnets may move from one range to another. What is so already is left: what stands in
    /// the way of a range that goes (its subnets) makes all of this be tried again.
    async fn set_ranges(&self, id: &str, difference: &Difference) -> Result<(), Failure> {
        let vpcs = self
            .describe(vec![("vpc-id".to_owned(), vec![id.to_owned()])])
            .await?;
        let there: Vec<Range> = vpcs.first().map(further_ranges).unwrap_or_default();
        let ranges = |value: &Value| -> BTreeSet<String> {
            let list = value.as_array().into_iter().flatten();
            list.filter_map(|cidr| Some(cidr.as_str()?.to_owned())).collect()
        };
        let (is, should) = (ranges(&difference.is), ranges(&difference.should));
        for cidr in &should {
            if !there
                .iter()
                .any(|range| range.cidr == *cidr && range.state != "failed")
            {
                self.add_range(id, cidr).await?;
            }
        }
        let ec2 = self.0.ec2().await?;
        let goes = |range: &&Range| is.contains(&range.cidr) && !should.contains(&range.cidr);
        for range in there
            .iter()
            .filter(goes)
            .filter(|range| range.state != "disassociating")
        {
            let remove = ec2
                .write
                .disassociate_vpc_cidr_block()
                .association_id(&range.association);
            let doing = format!("taking the range {} from VPC {id}", range.cidr);
            self.0
                .aws
                .call("ec2:DisassociateVpcCidrBlock", doing, remove.send())
                .await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Kind for Vpcs {
    type Part = Vpc;

    fn traits(&self) -> KindTraits {
        KindTraits {
            kind: Vpc::KIND,
            title: "VPC",
            deletion_order: 90,
            idempotence: Idempotence::None,
            invisible_for: INVISIBLE,
            pace: QUICK,
            reads: &["ec2:DescribeVpcs", "ec2:DescribeVpcAttribute"],
            writes: &[
                "ec2:CreateVpc",
                "ec2:ModifyVpcAttribute",
                "ec2:AssociateVpcCidrBlock",
                "ec2:DisassociateVpcCidrBlock",
                "ec2:DeleteVpc",
                "ec2:CreateTags",
                "ec2:DeleteTags",
                // What is in the way of a deletion.
                "ec2:DescribeNetworkInterfaces",
                "ec2:DeleteNetworkInterface",
                "ec2:DescribeInstances",
                "ec2:DescribeSecurityGroups",
                "ec2:DescribeSubnets",
                "ec2:DescribeRouteTables",
                "ec2:DescribeNetworkAcls",
                "ec2:DescribeInternetGateways",
                "ec2:DescribeEgressOnlyInternetGateways",
                "ec2:DescribeNatGateways",
                "ec2:DescribeVpcEndpoints",
                "ec2:DescribeVpnGateways",
                "ec2:DescribeVpcPeeringConnections",
                "ec2:DescribeTransitGatewayVpcAttachments",
            ],
        }
    }

    async fn in_the_way(&self, vpc: &Object, going: &[&Object], _: &[&Object]) -> Result<(), Failure> {
        obstacles::before(&self.0, vpc, going).await.map_or(Ok(()), Err)
    }

    async fn observe(&self, ask: &Ask) -> Result<Vec<Object>, Failure> {
        // The root may be one that carries no tag of ours yet (import): looked for beside the known ids.
        let mut ask = ask.clone();
        if let Some(root) = ask.root.take() {
            ask.known.insert("".into(), root);
        }
        let mut found = find(
            &ask,
            "vpc-id",
            InVpc::None,
            aws_sdk_ec2::types::Vpc::vpc_id,
            |filters| self.describe(filters),
        )
        .await?;
        if found.is_empty() {
            found = self.namesakes(&ask).await?;
        }
        let attributes = try_join_all(found.iter().map(|vpc| async {
            match self.attributes(vpc.vpc_id().unwrap_or_default()).await {
                // Deleted between the two looks.
                Err(failure) if failure.class == Class::NotFound => Ok(None),
                other => other.map(Some),
            }
        }))
        .await?;
        let pairs = found.into_iter().zip(attributes);
        Ok(pairs
            .filter_map(|(vpc, attributes)| self.object(vpc, attributes?))
            .collect())
    }

    fn stands_for(&self, declared: &serde_json::Value, object: &Object) -> bool {
        name_tag(declared).is_some_and(|name| object.tags.get("Name").is_some_and(|theirs| theirs == name))
    }

    async fn create(&self, part: &Vpc, call: &Call) -> Result<Made, Failure> {
        let ec2 = self.0.ec2().await?;
        let make = ec2
            .write
            .create_vpc()
            .cidr_block(part.cidr.to_string())
            .tag_specifications(tags_of_new(ResourceType::Vpc, &call.tags(&part.tags)))
            .send();
        let answer = self
            .0
            .aws
            .call("ec2:CreateVpc", format!("creating VPC ({})", call.key), make)
            .await?;
        let vpc = answer.vpc.ok_or_else(|| no_answer(call))?;
        let id = vpc.vpc_id.ok_or_else(|| no_answer(call))?;
        // As AWS makes them: support on, names off.
        let set = async {
            self.set(
                &id,
                (!part.dns_support).then_some(false),
                part.dns_hostnames.then_some(true),
            )
            .await?;
            for cidr in &part.secondary_cidrs {
                self.add_range(&id, &cidr.to_string()).await?;
            }
            Ok(())
        };
        let set = set.await;
        // A range is there a moment later.
        let condition = if part.secondary_cidrs.is_empty() {
            Condition::Settled
        } else {
            Condition::Changing("associating".into())
        };
        let arn = self.0.arn(vpc.owner_id.as_deref(), "vpc", &id);
        Ok(Made::new(id, unfinished(set, condition)).arn(arn))
    }

    async fn update(
        &self,
        part: &Vpc,
        is: &Object,
        differences: &[Difference],
        _: &Call,
    ) -> Result<(), Failure> {
        let ranges = differences
            .iter()
            .find(|difference| difference.field == "secondary_cidrs");
        if let Some(difference) = ranges {
            self.set_ranges(&is.id, difference).await?;
        }
        let differs = |field: &str| differences.iter().any(|difference| difference.field == field);
        self.set(
            &is.id,
            differs("dns_support").then_some(part.dns_support),
            differs("dns_hostnames").then_some(part.dns_hostnames),
        )
        .await
    }

    async fn tag(&self, id: &str, set: &Tags, remove: &[String]) -> Result<(), Failure> {
        self.0.tag(id, set, remove).await
    }

    async fn delete(&self, object: &Object, _: &Call) -> Result<Deleted, Failure> {
        let ec2 = self.0.ec2().await?;
        let doing = format!("deleting VPC {}", object.id);
        let deleted = self
            .0
            .aws
            .call(
                "ec2:DeleteVpc",
                doing,
                ec2.write.delete_vpc().vpc_id(&object.id).send(),
            )
            .await;
        match deleted {
            Err(failure) if failure.class == Class::Busy => {
                Err(held::explain(&self.0, failure, held::Within::Vpc, &object.id, object).await)
            }
            other => other.map(|_| Deleted::Gone),
        }
    }
}
