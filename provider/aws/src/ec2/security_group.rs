//! Security groups: the VPC's default one, which is closed, and those that we make.

use async_trait::async_trait;
use aws_sdk_ec2::types::{
    self, IpPermission, IpRange, Ipv6Range, PrefixListId, ResourceType, UserIdGroupPair,
};
use ipnet::Ipv4Net;
use reconcile::failure::{Class, Failure};
use reconcile::part::{Call, Deleted, Difference, Idempotence, KindTraits, Made, Object, Part, Ref, Tags};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::json;

use super::held;
use super::list::tags_of_new;
use crate::failure::codes;
use crate::kind::{ByFilter, Ec2, InVpc, by, finished, gone, no_answer, pace, settled, some, usual};

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
        let description = Some(self.description.clone()).filter(|text| !text.is_empty());
        let source = &self.source;
        let permission = IpPermission::builder()
            .ip_protocol(&self.protocol)
            .set_from_port(self.from_port)
            .set_to_port(self.to_port);
        let permission = if source.starts_with("sg-") {
            let pair = UserIdGroupPair::builder().group_id(source);
            permission.user_id_group_pairs(pair.set_description(description).build())
        } else if source.starts_with("pl-") {
            let list = PrefixListId::builder().prefix_list_id(source);
            permission.prefix_list_ids(list.set_description(description).build())
        } else if source.contains(':') {
            let range = Ipv6Range::builder().cidr_ipv6(source);
            permission.ipv6_ranges(range.set_description(description).build())
        } else {
            let range = IpRange::builder().cidr_ip(source);
            permission.ip_ranges(range.set_description(description).build())
        };
        permission.build()
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
        for range in permission.ip_ranges() {
            add(range.cidr_ip(), range.description());
        }
        for range in permission.ipv6_ranges() {
            add(range.cidr_ipv6(), range.description());
        }
        for list in permission.prefix_list_ids() {
            add(list.prefix_list_id(), list.description());
        }
        for pair in permission.user_id_group_pairs() {
            add(pair.group_id(), pair.description());
        }
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

/// The security group that EKS makes for a cluster, and for the nodes that bring none of their own. It is EKS's: only tags are
/// ours. It goes with the cluster; where it is left behind, it is deleted.
#[derive(Debug, Clone, Serialize, Part)]
#[part(kind = "cluster_security_group")]
pub struct ClusterSecurityGroup {
    /// Its id, which the cluster says.
    #[part(replace)]
    pub group: Ref,
    /// Tags beside those of ownership.
    pub tags: Tags,
}

const DEFAULT: &str = "default";

/// EKS names its groups `eks-cluster-sg-CLUSTER-ID` (EKS user guide, "View Amazon EKS security group requirements").
fn is_of_eks(group: &types::SecurityGroup) -> bool {
    group
        .group_name()
        .is_some_and(|name| name.starts_with("eks-cluster-sg-"))
}

#[async_trait]
impl ByFilter for DefaultSecurityGroup {
    type Item = types::SecurityGroup;

    const TRAITS: KindTraits = KindTraits {
        title: "default security group",
        deletion_order: 85,
        // There is one, and making it means finding it.
        idempotence: Idempotence::NaturalKey,
        reads: &["ec2:DescribeSecurityGroups"],
        writes: &[
            "ec2:RevokeSecurityGroupIngress",
            "ec2:RevokeSecurityGroupEgress",
            "ec2:CreateTags",
            "ec2:DeleteTags",
        ],
        ..usual(Self::KIND)
    };
    const SAME: &'static [&'static str] = &["vpc"];

    fn see(ec2: &Ec2, group: types::SecurityGroup) -> Option<Object> {
        let closed = group.ip_permissions().is_empty() && group.ip_permissions_egress().is_empty();
        let fields = json!({ "vpc": group.vpc_id, "closed": closed });
        let is_default = group.group_name() == Some(DEFAULT);
        let (arn, references) = (arn(ec2, &group), some([group.vpc_id]));
        is_default.then(|| Object {
            arn,
            references,
            ..settled(fields)
        })
    }

    async fn make(&self, ec2: &Ec2, call: &Call) -> Result<Made, Failure> {
        let group = of_vpc(ec2, call.id(&self.vpc)?).await?;
        let made = Made::settled(group.group_id().unwrap_or_default()).arn(arn(ec2, &group));
        ec2.tag(&made.id, &call.tags(&self.tags), &[]).await?;
        let closed = self.close(ec2, &group).await;
        Ok(finished(made, closed))
    }

    async fn change(&self, ec2: &Ec2, _: &Object, _: &[Difference], call: &Call) -> Result<(), Failure> {
        // The rules as they are now: an observed object holds only that there are some.
        self.close(ec2, &of_vpc(ec2, call.id(&self.vpc)?).await?).await
    }

    async fn unmake(_: &Ec2, _: &Object) -> Result<Deleted, Failure> {
        // Goes with the VPC.
        Ok(Deleted::Gone)
    }
}

impl DefaultSecurityGroup {
    async fn close(&self, ec2: &Ec2, group: &types::SecurityGroup) -> Result<(), Failure> {
        let id = group.group_id().unwrap_or_default();
        let egress = group.ip_permissions_egress();
        if self.closed {
            revoke(ec2, id, group.ip_permissions().to_vec()).await?;
        }
        if self.closed && !egress.is_empty() {
            let ec2 = ec2.to(format!("removing rules of security group {id}"));
            let call = ec2.write.revoke_security_group_egress().group_id(id);
            let call = call.set_ip_permissions(Some(egress.to_vec())).send();
            gone(ec2.call("ec2:RevokeSecurityGroupEgress", call).await)?;
        }
        Ok(())
    }
}

async fn of_vpc(ec2: &Ec2, vpc: &str) -> Result<types::SecurityGroup, Failure> {
    let default = [by("vpc-id", vpc), by("group-name", DEFAULT)].concat();
    let found: Vec<types::SecurityGroup> = ec2.list(default).await?;
    found.into_iter().next().ok_or_else(|| {
        // Made with the VPC, a moment ago.
        let doing = format!("looking for the default security group of {vpc}");
        Failure::new(Class::NotYet, doing, "none is visible yet").code(codes::NOT_YET)
    })
}

#[async_trait]
impl ByFilter for SecurityGroup {
    type Item = types::SecurityGroup;

    const TRAITS: KindTraits = KindTraits {
        title: "security group",
        deletion_order: 60,
        idempotence: Idempotence::NaturalKey,
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
        ..usual(Self::KIND)
    };
    const SAME: &'static [&'static str] = &["vpc", "name"];

    fn see(ec2: &Ec2, group: types::SecurityGroup) -> Option<Object> {
        if group.group_name() == Some(DEFAULT) || is_of_eks(&group) {
            return None;
        }
        let fields = json!({
            "vpc": group.vpc_id,
            "name": group.group_name,
            "description": group.description,
            "ingress": rules(group.ip_permissions()),
        });
        let pairs = group
            .ip_permissions()
            .iter()
            .flat_map(IpPermission::user_id_group_pairs);
        // A rule that names the group itself is no obstacle.
        let others = pairs.filter(|pair| pair.group_id() != group.group_id());
        let others = others.map(|pair| pair.group_id.clone());
        let references = some(others.chain([group.vpc_id.clone()]));
        Some(Object {
            arn: arn(ec2, &group),
            references,
            ..settled(fields)
        })
    }

    async fn make(&self, ec2: &Ec2, call: &Call) -> Result<Made, Failure> {
        let make = ec2
            .write
            .create_security_group()
            .vpc_id(call.id(&self.vpc)?)
            .group_name(&self.name)
            .description(&self.description)
            .tag_specifications(tags_of_new(ResourceType::SecurityGroup, &call.tags(&self.tags)));
        let answer = ec2.call("ec2:CreateSecurityGroup", make.send()).await?;
        let id = answer.group_id.ok_or_else(|| no_answer(call))?;
        let authorized = authorize(ec2, &id, &self.ingress).await;
        Ok(finished(
            Made::settled(id).arn(answer.security_group_arn),
            authorized,
        ))
    }

    async fn change(&self, ec2: &Ec2, is: &Object, _: &[Difference], _: &Call) -> Result<(), Failure> {
        let there: Vec<Rule> = serde_json::from_value(is.fields["ingress"].clone()).unwrap_or_default();
        let missing: Vec<Rule> = self
            .ingress
            .iter()
            .filter(|rule| !there.contains(rule))
            .cloned()
            .collect();
        let surplus = there.iter().filter(|rule| !self.ingress.contains(rule));
        // Surplus first: a rule with another description counts as the same for AWS.
        revoke(ec2, &is.id, surplus.map(Rule::permission).collect()).await?;
        authorize(ec2, &is.id, &missing).await
    }

    async fn unmake(ec2: &Ec2, object: &Object) -> Result<Deleted, Failure> {
        let delete = ec2.write.delete_security_group().group_id(&object.id);
        let deleted = ec2.call("ec2:DeleteSecurityGroup", delete.send()).await;
        held::explain(ec2, deleted, held::Within::Group, &object.id, object).await
    }
}

#[async_trait]
impl ByFilter for ClusterSecurityGroup {
    type Item = types::SecurityGroup;

    const TRAITS: KindTraits = KindTraits {
        title: "security group of the cluster",
        deletion_order: 60,
        // There is one, and making it means tagging it.
        idempotence: Idempotence::NaturalKey,
        pace: SecurityGroup::TRAITS.pace,
        reads: &["ec2:DescribeSecurityGroups"],
        writes: &[
            "ec2:DeleteSecurityGroup",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DeleteNetworkInterface",
            "ec2:CreateTags",
            "ec2:DeleteTags",
        ],
        ..usual(Self::KIND)
    };
    const IN_VPC: InVpc = InVpc::None;
    const SAME: &'static [&'static str] = &["group"];

    fn see(ec2: &Ec2, group: types::SecurityGroup) -> Option<Object> {
        is_of_eks(&group).then(|| Object {
            arn: arn(ec2, &group),
            references: some([group.vpc_id]),
            ..settled(json!({ "group": group.group_id }))
        })
    }

    async fn make(&self, ec2: &Ec2, call: &Call) -> Result<Made, Failure> {
        let group = call.value(&self.group)?;
        let id = group.as_str().unwrap_or_default();
        ec2.tag(id, &call.tags(&self.tags), &[]).await?;
        Ok(Made::settled(id))
    }

    async fn unmake(ec2: &Ec2, object: &Object) -> Result<Deleted, Failure> {
        // The cluster has gone before it, since it refers to it, and its nodes before that.
        if let Some(cluster) = object.tags.get("aws:eks:cluster-name") {
            held::remove_leftovers(ec2, cluster).await;
        }
        SecurityGroup::unmake(ec2, object).await
    }
}

async fn authorize(ec2: &Ec2, id: &str, rules: &[Rule]) -> Result<(), Failure> {
    if rules.is_empty() {
        return Ok(());
    }
    let ec2 = ec2.to(format!("adding rules to security group {id}"));
    let permissions = rules.iter().map(Rule::permission).collect();
    let call = ec2.write.authorize_security_group_ingress().group_id(id);
    let call = call.set_ip_permissions(Some(permissions)).send();
    // All or nothing: where one is there already (InvalidPermission.Duplicate), the next look says which are missing.
    ec2.call("ec2:AuthorizeSecurityGroupIngress", call).await?;
    Ok(())
}

async fn revoke(ec2: &Ec2, id: &str, permissions: Vec<IpPermission>) -> Result<(), Failure> {
    if permissions.is_empty() {
        return Ok(());
    }
    let ec2 = ec2.to(format!("removing rules of security group {id}"));
    let call = ec2.write.revoke_security_group_ingress().group_id(id);
    let call = call.set_ip_permissions(Some(permissions)).send();
    gone(ec2.call("ec2:RevokeSecurityGroupIngress", call).await)
}

fn arn(ec2: &Ec2, group: &types::SecurityGroup) -> Option<String> {
    let arn = group.security_group_arn().map(str::to_owned);
    arn.or_else(|| ec2.arn(group.owner_id(), "security-group", group.group_id()))
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
