//! Access entries: who may enter a cluster, and what with.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use aws_sdk_eks::types::{AccessScope, AccessScopeType};
use aws_smithy_types::DateTime;
use futures::future::try_join_all;
use futures::{join, try_join};
use reconcile::failure::{Class, Failure};
use reconcile::part::{
    Call, Deleted, Difference, Idempotence, KindTraits, Made, Object, Part, Tags, Target, Text,
};
use serde::{Serialize, Serializer};
use serde_json::json;

use super::{Cluster, Eks};
use crate::kind::{
    At, UnderParent, finished, gone, id_under, map_changes, of, outputs, pages, settled, usual,
};

/// An access entry with the access policies that are associated with it: one a principal and cluster.
#[derive(Debug, Clone, Serialize, Part)]
#[part(kind = "access_entry")]
pub struct AccessEntry {
    /// The cluster, ready.
    #[part(replace)]
    pub cluster: Target,
    /// The ARN of the IAM role or user, with its path (AWS EKS `CreateAccessEntry`). None: whoever makes the entry.
    #[part(replace)]
    pub principal: Option<Text>,
    /// `STANDARD`; for roles of machines `EC2_LINUX`, `EC2_WINDOWS`, `FARGATE_LINUX`, `EC2`, `HYBRID_LINUX`.
    #[part(replace)]
    #[serde(rename = "type")]
    pub access_type: String,
    /// Groups of Kubernetes that it belongs to; only of type `STANDARD`, and none that begins with `system:`.
    pub groups: BTreeSet<String>,
    /// Its name in Kubernetes; only of type `STANDARD`. None: what EKS chooses.
    pub username: Option<String>,
    /// Access policies by ARN, with the namespaces in which they hold: none means the whole cluster. Those of others go: who may
    /// enter is said in one place. Only of types `STANDARD` and `EC2`.
    pub policies: BTreeMap<String, BTreeSet<String>>,
    /// That its principal is still the one that it was made for.
    pub holder: Holder,
    /// Tags beside those of ownership.
    pub tags: Tags,
}

/// Whom an entry lets in. A role or user that was deleted and made anew under its name is another one to EKS, which does not say
/// so: its entry lets in nobody, and is made anew. Serialises as an entry's whose principal is the same.
#[derive(Debug, Clone, Copy, Default)]
pub struct Holder;

impl Serialize for Holder {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(SAME)
    }
}

const SAME: &str = "its principal";
const ANOTHER: &str = "nobody: its principal was deleted and made anew";

/// EKS makes entries for principals that are there: one that is older than its principal was made for another (AWS EKS
/// `AccessEntry`, `principalArn`). Where IAM does not say how old that is, it counts as the same. Dates of IAM are in seconds.
fn holder(entry_made: Option<&DateTime>, principal_made: Option<&DateTime>) -> &'static str {
    match (entry_made, principal_made) {
        (Some(entry), Some(principal)) if entry.secs() < principal.secs() => ANOTHER,
        _ => SAME,
    }
}

#[async_trait]
impl UnderParent for AccessEntry {
    type Client = aws_sdk_eks::Client;

    const TRAITS: KindTraits = KindTraits {
        title: "access entry",
        deletion_order: 40,
        idempotence: Idempotence::NaturalKey,
        reads: &[
            "eks:ListAccessEntries",
            "eks:DescribeAccessEntry",
            "eks:ListAssociatedAccessPolicies",
            "iam:GetRole",
            "iam:GetUser",
        ],
        writes: &[
            "eks:CreateAccessEntry",
            "eks:UpdateAccessEntry",
            "eks:AssociateAccessPolicy",
            "eks:DisassociateAccessPolicy",
            "eks:DeleteAccessEntry",
            "eks:TagResource",
            "eks:UntagResource",
        ],
        ..usual(Self::KIND)
    };
    const MANY: &'static str = "access entries";
    const PARENT: &'static str = Cluster::KIND;
    const NAME: &'static str = "principal";
    const SAME: &'static [&'static str] = &["principal"];
    const LEFT_OPEN: &'static [&'static str] = &["principal", "username"];
    // Who destroys a cluster may need the way in until the end.
    const ENDS_WITH_PARENT: bool = true;

    fn parent(&self) -> &Target {
        &self.cluster
    }

    fn may_be_under(cluster: &Object) -> bool {
        cluster.fields["authentication_mode"] != "CONFIG_MAP"
    }

    async fn list(eks: &Eks, cluster: &str) -> Result<Vec<String>, Failure> {
        pages(|token| async {
            let list = eks.read.list_access_entries().cluster_name(cluster);
            let answer = eks.call("eks:ListAccessEntries", list.set_next_token(token).send());
            let answer = answer.await?;
            Ok((answer.access_entries, answer.next_token))
        })
        .await
    }

    async fn see(eks: &Eks, cluster: &str, principal: &str) -> Result<Option<Object>, Failure> {
        let describe = eks.read.describe_access_entry().cluster_name(cluster);
        let describe = describe.principal_arn(principal).send();
        let describe = eks.call("eks:DescribeAccessEntry", describe);
        let principal_made = async { Ok(principal_made(eks, principal).await) };
        let (answer, policies, principal_made) =
            try_join!(describe, policies(eks, cluster, principal), principal_made)?;
        Ok(answer.access_entry.map(|entry| {
            let access_type = entry.r#type.unwrap_or_else(|| STANDARD.to_owned());
            // What EKS gives to machines by itself is nobody's to declare (aws-controllers-k8s/community#2144).
            let is_standard = access_type == STANDARD;
            let groups = entry
                .kubernetes_groups
                .filter(|_| is_standard)
                .unwrap_or_default();
            let tags: Tags = entry.tags.unwrap_or_default().into_iter().collect();
            let fields = json!({
                "cluster": cluster,
                "principal": entry.principal_arn,
                "type": access_type,
                "groups": groups.into_iter().collect::<BTreeSet<_>>(),
                "username": entry.username.filter(|_| is_standard),
                "policies": policies,
                "holder": holder(entry.created_at.as_ref(), principal_made.as_ref()),
            });
            Object {
                arn: entry.access_entry_arn,
                tags,
                outputs: outputs([("principal", entry.principal_arn.clone())]),
                references: entry.principal_arn.into_iter().collect(),
                ..settled(fields)
            }
        }))
    }

    async fn make(&self, eks: &Eks, cluster: &str, call: &Call) -> Result<Made, Failure> {
        let principal = match &self.principal {
            Some(principal) => call.text(principal)?,
            None => eks.place.aws.caller(&eks.place.region, eks.doing()).await?,
        };
        let entry = At {
            parent: cluster,
            name: &principal,
        };
        let arn = match self.open(eks, entry, call.tags(&self.tags)).await {
            Err(failure) if failure.class == Class::Exists && self.principal.is_none() => {
                take_over(eks, entry, &call.tags(&self.tags), failure).await?
            }
            arn => arn?,
        };
        let associated = self.associate_all(eks, entry).await;
        Ok(finished(
            Made::settled(id_under(cluster, &principal))
                .arn(arn)
                .output("principal", principal.as_str()),
            associated,
        ))
    }

    async fn change(
        &self,
        eks: &Eks,
        entry: At<'_>,
        is: &Object,
        what: &[Difference],
        call: &Call,
    ) -> Result<(), Failure> {
        if of("holder", what).is_some() {
            // For the same name: whoever applies may be somebody else than the creator.
            gone(AccessEntry::unmake(eks, entry).await)?;
            let mut tags = is.tags.clone();
            tags.extend(call.tags(&self.tags));
            self.open(eks, entry, tags).await?;
            return self.associate_all(eks, entry).await;
        }
        if of("groups", what).is_some() || of("username", what).is_some() {
            let update = eks.write.update_access_entry().cluster_name(entry.parent);
            let update = update
                .principal_arn(entry.name)
                .set_kubernetes_groups(Some(self.groups.iter().cloned().collect()))
                .set_username(self.username.clone());
            eks.call("eks:UpdateAccessEntry", update.send()).await?;
        }
        if let Some(difference) = of("policies", what) {
            let (set, remove) = map_changes(difference);
            for (policy, _) in set {
                if let Some(within) = self.policies.get(policy) {
                    associate(eks, entry, policy, within).await?;
                }
            }
            for policy in remove {
                let eks = eks.to(format!("taking {policy} from access entry {}", is.id));
                let remove = eks.write.disassociate_access_policy().cluster_name(entry.parent);
                let remove = remove.principal_arn(entry.name).policy_arn(policy);
                gone(eks.call("eks:DisassociateAccessPolicy", remove.send()).await)?;
            }
        }
        Ok(())
    }

    async fn unmake(eks: &Eks, entry: At<'_>) -> Result<Deleted, Failure> {
        let delete = eks.write.delete_access_entry().cluster_name(entry.parent);
        let delete = delete.principal_arn(entry.name).send();
        eks.call("eks:DeleteAccessEntry", delete).await?;
        Ok(Deleted::Gone)
    }
}

impl AccessEntry {
    /// Makes the entry, without policies. Gives its ARN.
    async fn open(&self, eks: &Eks, entry: At<'_>, tags: Tags) -> Result<Option<String>, Failure> {
        let make = eks
            .write
            .create_access_entry()
            .cluster_name(entry.parent)
            .principal_arn(entry.name)
            .r#type(&self.access_type)
            .set_kubernetes_groups((!self.groups.is_empty()).then(|| self.groups.iter().cloned().collect()))
            .set_username(self.username.clone())
            .set_tags(Some(tags.into_iter().collect()));
        let answer = eks.call("eks:CreateAccessEntry", make.send()).await?;
        Ok(answer.access_entry.and_then(|entry| entry.access_entry_arn))
    }

    async fn associate_all(&self, eks: &Eks, entry: At<'_>) -> Result<(), Failure> {
        let all = self
            .policies
            .iter()
            .map(|(policy, within)| associate(eks, entry, policy, within));
        try_join_all(all).await.map(|_| ())
    }
}

const STANDARD: &str = "STANDARD";

/// When a role or user of this account was made; none where IAM does not say it.
async fn principal_made(eks: &Eks, principal: &str) -> Option<DateTime> {
    let aws = &eks.place.aws;
    let own = aws.account(Some(&eks.place.region)).await.ok()?.id;
    let (_, resource) = principal.split_once(":iam::")?;
    let resource = resource.strip_prefix(&own)?.strip_prefix(':')?;
    let name = resource.rsplit('/').next()?;
    let iam = aws.iam(&eks.place.region).await.ok()?.read;
    let doing = format!("looking who {principal} is");
    let (arn, made) = if resource.starts_with("role/") {
        let get = iam.get_role().role_name(name).send();
        let role = aws.call("iam:GetRole", doing, get).await.ok()?.role?;
        (role.arn, role.create_date)
    } else {
        let get = iam.get_user().user_name(name).send();
        let user = aws.call("iam:GetUser", doing, get).await.ok()?.user?;
        (user.arn, user.create_date)
    };
    (arn == principal).then_some(made)
}

/// Deletes the entry of a role of machines that is for an earlier role of its name: EKS keeps it when node groups and role go, and
/// makes one with a node group only where there is none (terraform-aws-modules/terraform-aws-eks#3329). One that is declared is
/// mended as itself.
pub(super) async fn forget_earlier(eks: &Eks, cluster: &str, role: &str) -> Result<(), Failure> {
    let describe = eks.read.describe_access_entry().cluster_name(cluster);
    let describe = describe.principal_arn(role).send();
    let (found, role_made) = join!(
        eks.call("eks:DescribeAccessEntry", describe),
        principal_made(eks, role)
    );
    // Where entries do not count there is none.
    let Some(entry) = found.ok().and_then(|answer| answer.access_entry) else {
        return Ok(());
    };
    let is_declared = entry.tags().is_some_and(|tags| tags.contains_key("ekb:part"));
    let is_stale = holder(entry.created_at(), role_made.as_ref()) == ANOTHER;
    if is_stale && !is_declared && entry.r#type() != Some(STANDARD) {
        let at = At {
            parent: cluster,
            name: role,
        };
        gone(AccessEntry::unmake(eks, at).await)?;
    }
    Ok(())
}

/// The entry that the caller has already, where it is nobody's: EKS has one for a principal, and who it is shows no sooner. Gives its ARN.
async fn take_over(
    eks: &Eks,
    entry: At<'_>,
    tags: &Tags,
    exists: Failure,
) -> Result<Option<String>, Failure> {
    let Some(found) = AccessEntry::see(eks, entry.parent, entry.name).await? else {
        return Err(exists);
    };
    if found.tags.keys().any(|key| key.starts_with("ekb:")) {
        return Err(exists.hint("Where `access` names whoever applies, set `creator_access = false`."));
    }
    if let Some(arn) = found.arn.as_ref().filter(|_| found.fields["type"] == STANDARD) {
        eks.tag(arn, tags).await?;
        return Ok(found.arn);
    }
    Err(exists)
}

/// The policies that are associated, with the namespaces in which they hold.
async fn policies(
    eks: &Eks,
    cluster: &str,
    principal: &str,
) -> Result<BTreeMap<String, BTreeSet<String>>, Failure> {
    let associated = pages(|token| async {
        let list = eks.read.list_associated_access_policies().cluster_name(cluster);
        let list = list.principal_arn(principal).set_next_token(token);
        let answer = eks.call("eks:ListAssociatedAccessPolicies", list.send()).await?;
        Ok((answer.associated_access_policies, answer.next_token))
    });
    let associated = associated.await?.into_iter().filter_map(|associated| {
        let scope = associated.access_scope.and_then(|scope| scope.namespaces);
        Some((
            associated.policy_arn?,
            scope.unwrap_or_default().into_iter().collect(),
        ))
    });
    Ok(associated.collect())
}

/// Associates the policy, or gives it another scope.
async fn associate(eks: &Eks, entry: At<'_>, policy: &str, within: &BTreeSet<String>) -> Result<(), Failure> {
    let eks = eks.to(format!(
        "associating {policy} with access entry {}",
        id_under(entry.parent, entry.name)
    ));
    let scope = AccessScope::builder();
    let scope = if within.is_empty() {
        scope.r#type(AccessScopeType::Cluster)
    } else {
        let scope = scope.r#type(AccessScopeType::Namespace);
        scope.set_namespaces(Some(within.iter().cloned().collect()))
    };
    let associate = eks.write.associate_access_policy().cluster_name(entry.parent);
    let associate = associate.principal_arn(entry.name).policy_arn(policy);
    let associate = associate.access_scope(scope.build()).send();
    eks.call("eks:AssociateAccessPolicy", associate).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_that_is_older_than_its_principal_is_for_another() {
        let [early, late] = [1000, 1001].map(DateTime::from_secs);
        let same_second = DateTime::from_millis(1_000_900);
        assert_eq!(holder(Some(&early), Some(&late)), ANOTHER);
        assert_eq!(holder(Some(&late), Some(&early)), SAME);
        assert_eq!(holder(Some(&early), Some(&same_second)), SAME);
        assert_eq!(holder(Some(&early), None), SAME, "not to be looked at");
        assert_eq!(holder(None, Some(&late)), SAME);
        assert_eq!(serde_json::to_value(Holder).unwrap(), SAME);
    }
}
