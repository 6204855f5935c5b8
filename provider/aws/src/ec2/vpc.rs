//! The VPC: root of a network.

use std::collections::BTreeSet;

use async_trait::async_trait;
use aws_sdk_ec2::operation::modify_vpc_attribute::builders::ModifyVpcAttributeFluentBuilder;
use aws_sdk_ec2::types::{self, AttributeBooleanValue, ResourceType, VpcAttributeName};
use futures::future::try_join_all;
use futures::try_join;
use ipnet::Ipv4Net;
use reconcile::failure::{Class, Failure};
use reconcile::part::{Ask, Call, Condition, Deleted, Difference, KindTraits, Made, Object, Part, Tags};
use serde::Serialize;
use serde_json::{Value, json};

use super::list::tags_of_new;
use super::{held, obstacles};
use crate::kind::{ByFilter, Ec2, InVpc, by, find, finished, made, of, seen, settled, usual};

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

#[async_trait]
impl ByFilter for Vpc {
    type Item = types::Vpc;

    const TRAITS: KindTraits = KindTraits {
        title: "VPC",
        deletion_order: 90,
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
        ..usual(Self::KIND)
    };
    const IN_VPC: InVpc = InVpc::None;

    // Without the attributes that `find` adds.
    fn see(ec2: &Ec2, vpc: types::Vpc) -> Option<Object> {
        let further = further_ranges(&vpc);
        let moving = further.iter().find(|range| range.state.ends_with("ing"));
        let condition = match (vpc.state().map(|state| state.as_str()), moving) {
            (Some("pending"), _) => Condition::Changing("pending".into()),
            (_, Some(range)) => Condition::Changing(format!("{} is {}", range.cidr, range.state)),
            _ => Condition::Settled,
        };
        let there = further.iter().filter(|range| range.state == "associated");
        let secondary: BTreeSet<&String> = there.map(|range| &range.cidr).collect();
        let fields = json!({ "cidr": vpc.cidr_block, "secondary_cidrs": secondary });
        let arn = ec2.arn(vpc.owner_id(), "vpc", vpc.vpc_id());
        Some(Object {
            arn,
            condition,
            ..settled(fields)
        })
    }

    async fn find(ec2: &Ec2, ask: &Ask) -> Result<Vec<Object>, Failure> {
        // The root may be one that carries no tag of ours yet (import): looked for beside the known ids.
        let mut ask = ask.clone();
        if let Some(root) = ask.root.take() {
            ask.known.insert("".into(), root);
        }
        let mut found = find(ec2, &ask, Self::IN_VPC).await?;
        if found.is_empty() {
            found = namesakes(ec2, &ask).await?;
        }
        let found = found.into_iter().filter_map(|vpc| seen::<Self>(ec2, vpc));
        let found = found.map(|vpc| async move {
            match attributes(ec2, &vpc.id).await {
                // Deleted between the two looks.
                Err(failure) if failure.class == Class::NotFound => Ok(None),
                other => other.map(|attributes| Some(with(vpc, attributes))),
            }
        });
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    fn stands_for(declared: &Value, object: &Object) -> bool {
        name_tag(declared).is_some_and(|name| object.tags.get("Name").is_some_and(|theirs| theirs == name))
    }

    async fn make(&self, ec2: &Ec2, call: &Call) -> Result<Made, Failure> {
        let tags = tags_of_new(ResourceType::Vpc, &call.tags(&self.tags));
        let make = ec2
            .write
            .create_vpc()
            .cidr_block(self.cidr.to_string())
            .tag_specifications(tags);
        let answer = ec2.call("ec2:CreateVpc", make.send()).await?;
        let made = made::<Self>(ec2, answer.vpc, call)?;
        // As AWS makes them: support on, names off.
        let set = async {
            let (support, hostnames) = (
                (!self.dns_support).then_some(false),
                self.dns_hostnames.then_some(true),
            );
            set_attributes(ec2, &made.id, support, hostnames).await?;
            for cidr in &self.secondary_cidrs {
                add_range(ec2, &made.id, &cidr.to_string()).await?;
            }
            Ok(())
        };
        let set = set.await;
        // Usable at once, though pending; a range is there a moment later.
        let condition = match self.secondary_cidrs.is_empty() {
            true => Condition::Settled,
            false => Condition::Changing("associating".into()),
        };
        Ok(finished(Made { condition, ..made }, set))
    }

    async fn change(&self, ec2: &Ec2, is: &Object, what: &[Difference], _: &Call) -> Result<(), Failure> {
        if let Some(difference) = of("secondary_cidrs", what) {
            set_ranges(ec2, &is.id, difference).await?;
        }
        let support = of("dns_support", what).map(|_| self.dns_support);
        let hostnames = of("dns_hostnames", what).map(|_| self.dns_hostnames);
        set_attributes(ec2, &is.id, support, hostnames).await
    }

    async fn unmake(ec2: &Ec2, object: &Object) -> Result<Deleted, Failure> {
        let delete = ec2.write.delete_vpc().vpc_id(&object.id);
        let deleted = ec2.call("ec2:DeleteVpc", delete.send()).await;
        held::explain(ec2, deleted, held::Within::Vpc, &object.id, object).await
    }

    async fn in_the_way(ec2: &Ec2, it: &Object, going: &[&Object], _: &[&Object]) -> Result<(), Failure> {
        obstacles::before(ec2, it, going).await
    }
}

/// The tag `Name` among declared fields.
fn name_tag(fields: &Value) -> Option<&str> {
    fields.pointer("/tags/Name")?.as_str()
}

/// VPCs that have the name of the declared one and are not ours: where one stands, none is made beside it.
async fn namesakes(ec2: &Ec2, ask: &Ask) -> Result<Vec<types::Vpc>, Failure> {
    let names: Vec<String> = ask
        .declared
        .values()
        .filter_map(name_tag)
        .map(str::to_owned)
        .collect();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let mut found: Vec<types::Vpc> = ec2.list(vec![("tag:Name".to_owned(), names)]).await?;
    let is_of_another = |vpc: &types::Vpc| vpc.tags().iter().any(|tag| tag.key() == Some("ekb:resource"));
    found.retain(|vpc| !is_of_another(vpc));
    Ok(found)
}

/// DNS support and host names, where AWS tells them.
type Attributes = (Option<bool>, Option<bool>);

fn with(mut vpc: Object, (support, hostnames): Attributes) -> Object {
    vpc.fields["dns_support"] = json!(support);
    vpc.fields["dns_hostnames"] = json!(hostnames);
    vpc
}

async fn attributes(ec2: &Ec2, id: &str) -> Result<Attributes, Failure> {
    let ec2 = ec2.to(format!("looking at VPC {id}"));
    let ask = |attribute| {
        let call = ec2.read.describe_vpc_attribute().vpc_id(id).attribute(attribute);
        ec2.call("ec2:DescribeVpcAttribute", call.send())
    };
    let (support, hostnames) = try_join!(
        ask(VpcAttributeName::EnableDnsSupport),
        ask(VpcAttributeName::EnableDnsHostnames)
    )?;
    let value = |attribute: Option<AttributeBooleanValue>| attribute.and_then(|attribute| attribute.value);
    Ok((
        value(support.enable_dns_support),
        value(hostnames.enable_dns_hostnames),
    ))
}

/// One call an attribute: AWS takes no two.
async fn set_attributes(
    ec2: &Ec2,
    id: &str,
    support: Option<bool>,
    hostnames: Option<bool>,
) -> Result<(), Failure> {
    let ec2 = ec2.to(format!("changing VPC {id}"));
    let value = |value: bool| AttributeBooleanValue::builder().value(value).build();
    let modify =
        |call: ModifyVpcAttributeFluentBuilder| ec2.call("ec2:ModifyVpcAttribute", call.vpc_id(id).send());
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

/// A range of a VPC beside its first one.
struct Range {
    cidr: String,
    association: String,
    /// `associating`, `associated`, `disassociating`, `failing`, `failed`; gone ones are left out.
    state: String,
}

fn further_ranges(vpc: &types::Vpc) -> Vec<Range> {
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

async fn add_range(ec2: &Ec2, id: &str, cidr: &str) -> Result<(), Failure> {
    let ec2 = ec2.to(format!("adding the range {cidr} to VPC {id}"));
    let add = ec2.write.associate_vpc_cidr_block().vpc_id(id).cidr_block(cidr);
    ec2.call("ec2:AssociateVpcCidrBlock", add.send()).await?;
    Ok(())
}

/// Adds before it takes away: subnets may move from one range to another. What is so already is left: what stands in
/// the way of a range that goes (its subnets) makes all of this be tried again.
async fn set_ranges(ec2: &Ec2, id: &str, difference: &Difference) -> Result<(), Failure> {
    let vpcs: Vec<types::Vpc> = ec2.list(by("vpc-id", id)).await?;
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
            add_range(ec2, id, cidr).await?;
        }
    }
    let goes = |range: &&Range| is.contains(&range.cidr) && !should.contains(&range.cidr);
    for range in there
        .iter()
        .filter(goes)
        .filter(|range| range.state != "disassociating")
    {
        let ec2 = ec2.to(format!("taking the range {} from VPC {id}", range.cidr));
        let remove = ec2
            .write
            .disassociate_vpc_cidr_block()
            .association_id(&range.association);
        ec2.call("ec2:DisassociateVpcCidrBlock", remove.send()).await?;
    }
    Ok(())
}
