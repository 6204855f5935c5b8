//! Security groups: the VPC's default one, which is closed, and those that we make.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_ec2::types::{IpPermission, IpRange, Ipv6Range, PrefixListId, ResourceType, UserIdGroupPair};
use ipnet::Ipv4Net;
use reconcile::failure::{Class, Failure};
use reconcile::part::{
    Ask, Call, Condition, Deleted, Difference, Idempotence, Kind, KindTraits, Made, Object, Part, Ref, Tags,
};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Value, json};

use super::find::{Filters, InVpc, Together, find, pages, tags, tags_of_new};
use super::held;
use crate::kind::{INVISIBLE, Place, QUICK, gone, object, pace, some, unfinished};

/// What a group lets in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rule {
    /// `tcp`, `udp`, `icmp`, or `-1` for all.
    pub protocol: String,
    /// First port; absent for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_port: Option<i32>,
    /// Last port; absent for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_port: Option<i32>,
    /// Where from: an IPv4 or IPv6 range, the id of a security group (`sg-…`) or of a prefix list (`pl-…`).
    pub source: String,
    /// What it is for: at most 255 of the characters that EC2 allows in descriptions.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
}

impl Rule {
    /// One TCP port, from an IPv4 range.
    pub fn tcp(port: u16, source: Ipv4Net, description: &str) -> Self {
        Self {
            protocol: "tcp".to_owned(),
            from_port: Some(port.into()),
            to_port: Some(port.into()),
            source: source.to_string(),
            description: description.to_owned(),
        }
    }

    fn permission(&self) -> IpPermission {
        let permission = IpPermission::builder()
            .ip_protocol(&self.protocol)
            .set_from_port(self.from_port)
            .set_to_port(self.to_port);
        let description = Some(self.description.clone()).filter(|text| !text.is_empty());
        let source = &self.source;
        if source.starts_with("sg-") {
            let pair = UserIdGroupPair::builder()
                .group_id(source)
                .set_description(description)
                .build();
            permission.user_id_group_pairs(pair).build()
        } else if source.starts_with("pl-") {
            let list = PrefixListId::builder()
                .prefix_list_id(source)
                .set_description(description)
                .build();
            permission.prefix_list_ids(list).build()
        } else if source.contains(':') {
            permission
                .ipv6_ranges(
                    Ipv6Range::builder()
                        .cidr_ipv6(source)
                        .set_description(description)
                        .build(),
                )
                .build()
        } else {
            permission
                .ip_ranges(
                    IpRange::builder()
                        .cidr_ip(source)
                        .set_description(description)
                        .build(),
                )
                .build()
        }
    }
}

/// The rules of an answer, one for each source.
fn rules(permissions: &[IpPermission]) -> Vec<Rule> {
    let mut rules = Vec::new();
    for permission in permissions {
        let mut add = |source: Option<&str>, description: Option<&str>| {
            rules.extend(source.map(|source| Rule {
                protocol: permission.ip_protocol().unwrap_or("-1").to_owned(),
                from_port: permission.from_port(),
                to_port: permission.to_port(),
                source: source.to_owned(),
                description: description.unwrap_or_default().to_owned(),
            }));
        };
        permission
            .ip_ranges()
            .iter()
            .for_each(|range| add(range.cidr_ip(), range.description()));
        permission
            .ipv6_ranges()
            .iter()
            .for_each(|range| add(range.cidr_ipv6(), range.description()));
        permission
            .prefix_list_ids()
            .iter()
            .for_each(|list| add(list.prefix_list_id(), list.description()));
        permission
            .user_id_group_pairs()
            .iter()
            .for_each(|pair| add(pair.group_id(), pair.description()));
    }
    rules.sort();
    rules
}

/// In the order in which AWS's answer is compared.
fn sorted<S: Serializer>(rules: &[Rule], serializer: S) -> Result<S::Ok, S::Error> {
    let mut rules = rules.to_vec();
    rules.sort();
    rules.serialize(serializer)
}

/// The default security group of a VPC: comes and goes with it, and lets nothing through.
#[derive(Debug, Clone, Serialize, Part)]
#[part(kind = "default_security_group")]
pub struct DefaultSecurityGroup {
    /// Its VPC.
    #[part(replace)]
    pub vpc: Ref,
    /// It has no rules.
    pub closed: bool,
    /// Tags beside those of ownership.
    pub tags: Tags,
}

/// A security group; what goes out is left as AWS makes it: everything.
#[derive(Debug, Clone, Serialize, Part)]
#[part(kind = "security_group")]
pub struct SecurityGroup {
    /// Its VPC.
    #[part(replace)]
    pub vpc: Ref,
    /// Its name, once in the VPC: at most 255 characters, not beginning with `sg-`.
    #[part(replace)]
    pub name: String,
    /// What it is for; cannot be changed.
    #[part(replace)]
    pub description: String,
    /// What it lets in.
    #[serde(serialize_with = "sorted")]
    pub ingress: Vec<Rule>,
    /// Tags beside those of ownership.
    pub tags: Tags,
}

/// Security groups as AWS lists them, whichever kind asks.
#[derive(Clone)]
pub(crate) struct Groups {
    place: Place,
    together: Together<aws_sdk_ec2::types::SecurityGroup>,
}

impl Groups {
    pub(crate) fn new(place: &Place) -> Self {
        Self {
            place: place.clone(),
            together: Together::new(),
        }
    }

    async fn describe(&self, filters: Filters) -> Result<Vec<aws_sdk_ec2::types::SecurityGroup>, Failure> {
        let place = self.place.clone();
        let look = self.together.look(filters, |filters| async move {
            pages!(
                &place,
                "ec2:DescribeSecurityGroups",
                "looking for security groups",
                describe_security_groups,
                set_filters,
                security_groups,
                filters
            )
        });
        Ok(Arc::unwrap_or_clone(look.await?))
    }

    async fn find(
        &self,
        ask: &Ask,
    ) -> Result<impl Iterator<Item = aws_sdk_ec2::types::SecurityGroup>, Failure> {
        let found = find(
            ask,
            "group-id",
            InVpc::All("vpc-id"),
            aws_sdk_ec2::types::SecurityGroup::group_id,
            |f| self.describe(f),
        )
        .await?;
        Ok(found.into_iter())
    }

    async fn authorize(&self, id: &str, rules: &[Rule]) -> Result<(), Failure> {
        if rules.is_empty() {
            return Ok(());
        }
        let ec2 = self.place.ec2().await?;
        let permissions = rules.iter().map(Rule::permission).collect();
        let call = ec2
            .write
            .authorize_security_group_ingress()
            .group_id(id)
            .set_ip_permissions(Some(permissions))
            .send();
        let doing = format!("adding rules to security group {id}");
        // All or nothing: where one is there already (InvalidPermission.Duplicate), the next look says which are missing.
        self.place
            .aws
            .call("ec2:AuthorizeSecurityGroupIngress", doing, call)
            .await
            .map(|_| ())
    }

    async fn revoke(&self, id: &str, permissions: Vec<IpPermission>) -> Result<(), Failure> {
        if permissions.is_empty() {
            return Ok(());
        }
        let ec2 = self.place.ec2().await?;
        let call = ec2
            .write
            .revoke_security_group_ingress()
            .group_id(id)
            .set_ip_permissions(Some(permissions))
            .send();
        let doing = format!("removing rules of security group {id}");
        gone(
            self.place
                .aws
                .call("ec2:RevokeSecurityGroupIngress", doing, call)
                .await
                .map(|_| ()),
        )
    }

    async fn revoke_egress(&self, id: &str, permissions: Vec<IpPermission>) -> Result<(), Failure> {
        if permissions.is_empty() {
            return Ok(());
        }
        let ec2 = self.place.ec2().await?;
        let call = ec2
            .write
            .revoke_security_group_egress()
            .group_id(id)
            .set_ip_permissions(Some(permissions))
            .send();
        let doing = format!("removing rules of security group {id}");
        gone(
            self.place
                .aws
                .call("ec2:RevokeSecurityGroupEgress", doing, call)
                .await
                .map(|_| ()),
        )
    }

    fn arn(&self, group: &aws_sdk_ec2::types::SecurityGroup) -> Option<String> {
        let arn = group.security_group_arn().map(str::to_owned);
        arn.or_else(|| {
            self.place
                .arn(group.owner_id(), "security-group", group.group_id()?)
        })
    }
}

const DEFAULT: &str = "default";

pub(crate) struct DefaultGroups(pub(crate) Groups);

impl DefaultGroups {
    fn object(&self, group: aws_sdk_ec2::types::SecurityGroup) -> Option<Object> {
        let arn = self.0.arn(&group);
        let closed = group.ip_permissions().is_empty() && group.ip_permissions_egress().is_empty();
        let fields = json!({ "vpc": group.vpc_id, "closed": closed });
        let references = some([group.vpc_id]);
        Some(Object {
            arn,
            ..object(
                group.group_id?,
                Condition::Settled,
                fields,
                tags(group.tags),
                references,
            )
        })
    }

    async fn of_vpc(&self, vpc: &str) -> Result<aws_sdk_ec2::types::SecurityGroup, Failure> {
        let filter = |name: &str, value: &str| (name.to_owned(), vec![value.to_owned()]);
        let found = self
            .0
            .describe(vec![filter("vpc-id", vpc), filter("group-name", DEFAULT)])
            .await?;
        found.into_iter().next().ok_or_else(|| {
            // Made with the VPC, a moment ago.
            Failure::new(
                Class::NotYet,
                format!("looking for the default security group of {vpc}"),
                "none is visible yet",
            )
            .code(crate::failure::codes::NOT_YET)
        })
    }

    async fn close(&self, group: &aws_sdk_ec2::types::SecurityGroup) -> Result<(), Failure> {
        let id = group.group_id().unwrap_or_default();
        self.0.revoke(id, group.ip_permissions().to_vec()).await?;
        self.0
            .revoke_egress(id, group.ip_permissions_egress().to_vec())
            .await
    }
}

#[async_trait]
impl Kind for DefaultGroups {
    type Part = DefaultSecurityGroup;

    fn traits(&self) -> KindTraits {
        KindTraits {
            kind: DefaultSecurityGroup::KIND,
            title: "default security group",
            deletion_order: 85,
            // There is one, and making it means finding it.
            idempotence: Idempotence::NaturalKey,
            invisible_for: INVISIBLE,
            pace: QUICK,
            reads: &["ec2:DescribeSecurityGroups"],
            writes: &[
                "ec2:RevokeSecurityGroupIngress",
                "ec2:RevokeSecurityGroupEgress",
                "ec2:CreateTags",
                "ec2:DeleteTags",
            ],
        }
    }

    fn stands_for(&self, declared: &Value, object: &Object) -> bool {
        declared.get("vpc") == object.fields.get("vpc")
    }

    async fn observe(&self, ask: &Ask) -> Result<Vec<Object>, Failure> {
        let defaults = self
            .0
            .find(ask)
            .await?
            .filter(|group| group.group_name() == Some(DEFAULT));
        Ok(defaults.filter_map(|group| self.object(group)).collect())
    }

    async fn create(&self, part: &DefaultSecurityGroup, call: &Call) -> Result<Made, Failure> {
        let group = self.of_vpc(call.id(&part.vpc)?).await?;
        let id = group.group_id().unwrap_or_default();
        self.0.place.tag(id, &call.tags(&part.tags), &[]).await?;
        let closed = if part.closed {
            self.close(&group).await
        } else {
            Ok(())
        };
        let condition = unfinished(closed, Condition::Settled);
        Ok(Made::new(id, condition).arn(self.0.arn(&group)))
    }

    async fn update(
        &self,
        part: &DefaultSecurityGroup,
        _: &Object,
        _: &[Difference],
        call: &Call,
    ) -> Result<(), Failure> {
        // The rules as they are now: an observed object holds only that there are some.
        let group = self.of_vpc(call.id(&part.vpc)?).await?;
        if part.closed {
            self.close(&group).await
        } else {
            Ok(())
        }
    }

    async fn tag(&self, id: &str, set: &Tags, remove: &[String]) -> Result<(), Failure> {
        self.0.place.tag(id, set, remove).await
    }

    async fn delete(&self, _: &Object, _: &Call) -> Result<Deleted, Failure> {
        // Goes with the VPC.
        Ok(Deleted::Gone)
    }
}

pub(crate) struct SecurityGroups(pub(crate) Groups);

impl SecurityGroups {
    fn object(&self, group: aws_sdk_ec2::types::SecurityGroup) -> Option<Object> {
        let arn = self.0.arn(&group);
        let pairs = group
            .ip_permissions()
            .iter()
            .flat_map(|permission| permission.user_id_group_pairs());
        let others: Vec<Option<String>> = pairs.map(|pair| pair.group_id().map(str::to_owned)).collect();
        let ingress = rules(group.ip_permissions());
        let fields = json!({
            "vpc": group.vpc_id,
            "name": group.group_name,
            "description": group.description,
            "ingress": ingress,
        });
        // A rule that names the group itself is no obstacle.
        let others = others.into_iter().filter(|other| *other != group.group_id);
        let references = some(others.chain([group.vpc_id]));
        Some(Object {
            arn,
            ..object(
                group.group_id?,
                Condition::Settled,
                fields,
                tags(group.tags),
                references,
            )
        })
    }
}

#[async_trait]
impl Kind for SecurityGroups {
    type Part = SecurityGroup;

    fn traits(&self) -> KindTraits {
        KindTraits {
            kind: SecurityGroup::KIND,
            title: "security group",
            deletion_order: 60,
            idempotence: Idempotence::NaturalKey,
            invisible_for: INVISIBLE,
            pace: pace(2, 2, 600),
            reads: &["ec2:DescribeSecurityGroups"],
            writes: &[
                "ec2:CreateSecurityGroup",
                "ec2:AuthorizeSecurityGroupIngress",
                "ec2:RevokeSecurityGroupIngress",
                "ec2:DeleteSecurityGroup",
                "ec2:DescribeNetworkInterfaces",
                "ec2:DeleteNetworkInterface",
                "ec2:CreateTags",
                "ec2:DeleteTags",
            ],
        }
    }

    fn stands_for(&self, declared: &Value, object: &Object) -> bool {
        ["vpc", "name"]
            .iter()
            .all(|field| declared.get(field) == object.fields.get(field))
    }

    async fn observe(&self, ask: &Ask) -> Result<Vec<Object>, Failure> {
        let groups = self
            .0
            .find(ask)
            .await?
            .filter(|group| group.group_name() != Some(DEFAULT));
        Ok(groups.filter_map(|group| self.object(group)).collect())
    }

    async fn create(&self, part: &SecurityGroup, call: &Call) -> Result<Made, Failure> {
        let ec2 = self.0.place.ec2().await?;
        let make = ec2
            .write
            .create_security_group()
            .vpc_id(call.id(&part.vpc)?)
            .group_name(&part.name)
            .description(&part.description)
            .tag_specifications(tags_of_new(ResourceType::SecurityGroup, &call.tags(&part.tags)))
            .send();
        let doing = format!("creating security group {} ({})", part.name, call.key);
        let answer = self
            .0
            .place
            .aws
            .call("ec2:CreateSecurityGroup", doing, make)
            .await?;
        let id = answer.group_id.unwrap_or_default();
        let authorized = self.0.authorize(&id, &part.ingress).await;
        Ok(Made::new(id, unfinished(authorized, Condition::Settled)).arn(answer.security_group_arn))
    }

    async fn update(
        &self,
        part: &SecurityGroup,
        is: &Object,
        _: &[Difference],
        _: &Call,
    ) -> Result<(), Failure> {
        let there: Vec<Rule> = serde_json::from_value(is.fields["ingress"].clone()).unwrap_or_default();
        let missing: Vec<Rule> = part
            .ingress
            .iter()
            .filter(|rule| !there.contains(rule))
            .cloned()
            .collect();
        let surplus = there
            .iter()
            .filter(|rule| !part.ingress.contains(rule))
            .map(Rule::permission)
            .collect();
        // Surplus first: a rule with another description counts as the same for AWS.
        self.0.revoke(&is.id, surplus).await?;
        self.0.authorize(&is.id, &missing).await
    }

    async fn tag(&self, id: &str, set: &Tags, remove: &[String]) -> Result<(), Failure> {
        self.0.place.tag(id, set, remove).await
    }

    async fn delete(&self, object: &Object, _: &Call) -> Result<Deleted, Failure> {
        let place = &self.0.place;
        let ec2 = place.ec2().await?;
        let delete = ec2.write.delete_security_group().group_id(&object.id).send();
        let doing = format!("deleting security group {}", object.id);
        match place.aws.call("ec2:DeleteSecurityGroup", doing, delete).await {
            Err(failure) if failure.class == Class::Busy => {
                Err(held::explain(place, failure, held::Within::Group, &object.id, object).await)
            }
            other => other.map(|_| Deleted::Gone),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_survives_the_way_to_aws_and_back() {
        for source in ["10.0.0.0/16", "fd00::/8", "sg-0123", "pl-0123"] {
            let rule = Rule {
                source: source.into(),
                ..Rule::tcp(443, "10.0.0.0/16".parse().unwrap(), "HTTPS")
            };
            assert_eq!(rules(&[rule.permission()]), [rule]);
        }
    }
}
