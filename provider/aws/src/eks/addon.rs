//! Add-ons of EKS.

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws_sdk_eks::types::{self, AddonPodIdentityAssociations, AddonStatus, ResolveConflicts};
use futures::future::try_join_all;
use reconcile::failure::{Class, Failure};
use reconcile::part::{
    Call, Condition, Deleted, Difference, Idempotence, KindTraits, Made, Object, Part, Ref, Tags, Target,
    Text,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Cluster, Eks, Healthy, Of,
    issues::{self, issues},
    until_well,
};
use crate::kind::{At, UnderParent, gone, id_under, no_answer, of, outputs, pace, pages, settled, usual};

/// An add-on: software in the cluster that EKS installs and keeps.
///
/// Where no node is there for its pods, EKS calls it DEGRADED though all of it is installed (hashicorp/terraform-provider-aws#44669):
/// it is made by then, and its `health` is what an apply waits for.
#[derive(Debug, Clone, Serialize, Part)]
#[part(kind = "addon")]
pub struct Addon {
    /// The cluster, ready.
    #[part(replace)]
    pub cluster: Target,
    /// What has to be there before it: the nodes that its pods run on.
    #[part(not_compared)]
    pub after: Vec<Ref>,
    /// Its name, for example `coredns`.
    #[part(replace)]
    pub name: String,
    /// Its version, for example `v1.12.4-eksbuild.1`: one that fits the cluster's (AWS EKS `DescribeAddonVersions`).
    pub version: String,
    /// Its configuration, of the form that AWS EKS `DescribeAddonConfiguration` says; an empty object: none.
    pub configuration: Value,
    /// The ARN of the role that its pods take by IRSA; none: by pod identity, or that of their node.
    pub service_account_role: Option<Text>,
    /// Roles by service account, for pod identity. They come and go with the add-on, and have no part of their own.
    pub pod_identity: BTreeMap<String, Text>,
    /// An update overwrites what others changed of the add-on's objects; else it leaves that alone. Making it always overwrites: a
    /// new cluster has objects of vpc-cni already (aws/amazon-network-policy-controller-k8s#200).
    #[part(not_compared)]
    pub overwrite: bool,
    /// That it is well.
    pub health: Healthy,
    /// Tags beside those of ownership.
    pub tags: Tags,
}

#[async_trait]
impl UnderParent for Addon {
    type Client = aws_sdk_eks::Client;

    const TRAITS: KindTraits = KindTraits {
        title: "add-on",
        deletion_order: 35,
        idempotence: Idempotence::NaturalKey,
        pace: pace(30, 20, 1200),
        reads: &[
            "eks:ListAddons",
            "eks:DescribeAddon",
            "eks:DescribePodIdentityAssociation",
            "eks:ListPodIdentityAssociations",
            "eks:DescribeUpdate",
        ],
        writes: &[
            "eks:CreateAddon",
            "eks:UpdateAddon",
            "eks:DeleteAddon",
            // What pod identity of an add-on takes (AWS EKS user guide, "Assign IAM roles to Amazon EKS add-ons").
            "eks:CreatePodIdentityAssociation",
            "eks:UpdatePodIdentityAssociation",
            "eks:DeletePodIdentityAssociation",
            "eks:TagResource",
            "eks:UntagResource",
        ],
        ..usual(Self::KIND)
    };
    const MANY: &'static str = "add-ons";
    const PARENT: &'static str = Cluster::KIND;

    fn parent(&self) -> &Target {
        &self.cluster
    }

    async fn list(eks: &Eks, cluster: &str) -> Result<Vec<String>, Failure> {
        pages(|token| async {
            let list = eks.read.list_addons().cluster_name(cluster);
            let answer = eks.call("eks:ListAddons", list.set_next_token(token).send());
            let answer = answer.await?;
            Ok((answer.addons, answer.next_token))
        })
        .await
    }

    async fn see(eks: &Eks, cluster: &str, name: &str) -> Result<Option<Object>, Failure> {
        let begun = eks.under_way(cluster, Of::Addon(name)).await?;
        let describe = eks.read.describe_addon().cluster_name(cluster);
        let answer = eks
            .call("eks:DescribeAddon", describe.addon_name(name).send())
            .await?;
        let Some(addon) = answer.addon else {
            return Ok(None);
        };
        let identity = pod_identity(
            eks,
            cluster,
            addon.pod_identity_associations.as_deref().unwrap_or_default(),
        );
        let identity = identity.await?;
        let failed = addon.status == Some(AddonStatus::UpdateFailed);
        let version = addon.addon_version.clone().filter(|_| !failed);
        let mut object = see(cluster, addon, &identity);
        eks.follow(begun, version.as_deref(), &mut object);
        Ok(Some(object))
    }

    async fn make(&self, eks: &Eks, cluster: &str, call: &Call) -> Result<Made, Failure> {
        let role = self.service_account_role.as_ref().map(|role| call.text(role));
        let make = eks
            .write
            .create_addon()
            .cluster_name(cluster)
            .addon_name(&self.name)
            .addon_version(&self.version)
            .set_configuration_values(Some(self.configuration(call)?).filter(|text| text != NOTHING))
            .set_service_account_role_arn(role.transpose()?)
            .set_pod_identity_associations(Some(self.identities(call)?).filter(|all| !all.is_empty()))
            .resolve_conflicts(ResolveConflicts::Overwrite)
            .set_tags(Some(call.tags(&self.tags).into_iter().collect()));
        let answer = match eks.call("eks:CreateAddon", make.send()).await {
            Err(failure) => return Err(self.take_over(eks, cluster, call, failure).await),
            Ok(answer) => answer,
        };
        let made = answer.addon.ok_or_else(|| no_answer(call))?;
        let made = see(cluster, made, &BTreeMap::new());
        // Whether it is well shows later.
        let condition = match made.condition {
            Condition::Settled => Condition::Changing("CREATING".to_owned()),
            other => other,
        };
        Ok(Made::new(id_under(cluster, &self.name), condition).arn(made.arn))
    }

    async fn change(
        &self,
        eks: &Eks,
        addon: At<'_>,
        is: &Object,
        what: &[Difference],
        call: &Call,
    ) -> Result<(), Failure> {
        let has_failed = is.fields["health"]
            .as_str()
            .is_some_and(|health| health.starts_with("UPDATE_FAILED"));
        if what.iter().all(|difference| difference.field == "health") && !has_failed {
            return until_well::<Self>(eks, addon).await;
        }
        // Without one the add-on's pods have the role of their node again (AWS EKS `UpdateAddon`).
        let role = self
            .service_account_role
            .as_ref()
            .map(|role| call.text(role))
            .transpose()?;
        let conflicts = if self.overwrite {
            ResolveConflicts::Overwrite
        } else {
            ResolveConflicts::Preserve
        };
        let identities = of("pod_identity", what).map(|_| self.identities(call));
        let update = eks
            .write
            .update_addon()
            .cluster_name(addon.parent)
            .addon_name(addon.name)
            .addon_version(&self.version)
            .configuration_values(self.configuration(call)?)
            .set_service_account_role_arn(role)
            .set_pod_identity_associations(identities.transpose()?)
            .resolve_conflicts(conflicts);
        let answer = match eks.call("eks:UpdateAddon", update.send()).await {
            Err(failure) => return Err(self.take_over(eks, addon.parent, call, failure).await),
            Ok(answer) => answer,
        };
        eks.began(&is.id, answer.update, Some(&self.version));
        Ok(())
    }

    async fn unmake(eks: &Eks, addon: At<'_>) -> Result<Deleted, Failure> {
        let delete = eks.write.delete_addon().cluster_name(addon.parent);
        eks.call("eks:DeleteAddon", delete.addon_name(addon.name).send())
            .await?;
        Ok(Deleted::Begun)
    }
}

/// Where the pods of add-ons run that have roles here.
const NAMESPACE: &str = "kube-system";

/// The text of no configuration.
const NOTHING: &str = "{}";

impl Addon {
    fn configuration(&self, call: &Call) -> Result<String, Failure> {
        Ok(call.document(&self.configuration)?.to_string())
    }

    fn identities(&self, call: &Call) -> Result<Vec<AddonPodIdentityAssociations>, Failure> {
        let mut identities = Vec::new();
        for (account, role) in &self.pod_identity {
            let identity = AddonPodIdentityAssociations::builder().service_account(account);
            // With both given it can be built.
            identities.extend(identity.role_arn(call.text(role)?).build());
        }
        Ok(identities)
    }
}

/// What EKS says where a service account of the add-on has a role by an association of its own.
const ASSOCIATED: &str = "association already exists";

impl Addon {
    /// Whoever gave a service account of the add-on the very role that it shall have meant the same: that association goes, and the add-on
    /// makes its own at the next attempt. Any other is told (cloudposse/terraform-aws-eks-cluster#252).
    async fn take_over(&self, eks: &Eks, cluster: &str, call: &Call, failure: Failure) -> Failure {
        if !failure.cause.to_lowercase().contains(ASSOCIATED) {
            return failure;
        }
        match self.free_accounts(eks, cluster, call).await {
            Ok(others) if others.is_empty() => Failure {
                class: Class::Busy,
                ..failure
            },
            Ok(others) => Failure {
                cause: format!("{}: {}", failure.cause, others.join("; ")),
                ..failure
            },
            Err(other) => other,
        }
    }

    /// Deletes associations by hand that say the same as the add-on, and gives the others in words.
    async fn free_accounts(&self, eks: &Eks, cluster: &str, call: &Call) -> Result<Vec<String>, Failure> {
        let mut others = Vec::new();
        for (account, role) in &self.pod_identity {
            let listed = pages(|token| async {
                let list = eks.read.list_pod_identity_associations().cluster_name(cluster);
                let list = list.namespace(NAMESPACE).service_account(account);
                let list = list.set_next_token(token).send();
                let answer = eks.call("eks:ListPodIdentityAssociations", list).await?;
                Ok((answer.associations, answer.next_token))
            });
            for id in listed.await?.into_iter().filter_map(|one| one.association_id) {
                let describe = eks.read.describe_pod_identity_association();
                let describe = describe.cluster_name(cluster).association_id(&id).send();
                let answer = eks.call("eks:DescribePodIdentityAssociation", describe).await?;
                let Some(found) = answer.association else { continue };
                let is_by_hand = found.owner_arn.is_none()
                    && !found
                        .tags
                        .iter()
                        .flatten()
                        .any(|(key, _)| key.starts_with("ekb:"));
                if is_by_hand && found.role_arn.as_deref() == Some(call.text(role)?.as_str()) {
                    let delete = eks.write.delete_pod_identity_association();
                    let delete = delete.cluster_name(cluster).association_id(&id).send();
                    gone(eks.call("eks:DeletePodIdentityAssociation", delete).await)?;
                } else {
                    let role = found.role_arn.unwrap_or_default();
                    others.push(format!("{id} gives {NAMESPACE}/{account} the role {role}"));
                }
            }
        }
        Ok(others)
    }
}

/// Roles by service account, of associations by their ARNs.
async fn pod_identity(
    eks: &Eks,
    cluster: &str,
    arns: &[String],
) -> Result<BTreeMap<String, String>, Failure> {
    let all = arns
        .iter()
        .filter_map(|arn| arn.rsplit_once('/'))
        .map(|(_, id)| async move {
            let describe = eks.read.describe_pod_identity_association().cluster_name(cluster);
            let describe = describe.association_id(id).send();
            let answer = eks.call("eks:DescribePodIdentityAssociation", describe).await?;
            let pair = answer
                .association
                .and_then(|found| Some((found.service_account?, found.role_arn?)));
            Ok::<_, Failure>(pair)
        });
    Ok(try_join_all(all).await?.into_iter().flatten().collect())
}

/// A configuration as the user or AWS wrote it: JSON, which has one form here, or YAML, which is left as it is.
fn configuration(text: Option<String>) -> Value {
    let text = text.unwrap_or_default();
    if text.trim().is_empty() {
        return json!({});
    }
    serde_json::from_str(&text).unwrap_or(Value::String(text))
}

fn see(cluster: &str, addon: types::Addon, identity: &BTreeMap<String, String>) -> Object {
    let issues = issues!(addon.health.and_then(|health| health.issues));
    let status = addon.status.as_ref().map_or("", AddonStatus::as_str).to_owned();
    let told = || issues::told(&status, &issues);
    let (condition, health) = match status.as_str() {
        "ACTIVE" => (Condition::Settled, issues::WELL.to_owned()),
        // It is there, and can be changed, which may be what mends it.
        "DEGRADED" | "UPDATE_FAILED" => (Condition::Settled, told()),
        "DELETING" => (Condition::Deleting, issues::WELL.to_owned()),
        "CREATE_FAILED" | "DELETE_FAILED" => (Condition::Failed(told()), issues::WELL.to_owned()),
        _ => (Condition::Changing(status.clone()), issues::WELL.to_owned()),
    };
    let role = addon.service_account_role_arn.filter(|role| !role.is_empty());
    let fields = json!({
        "cluster": cluster,
        "name": addon.addon_name,
        "version": addon.addon_version.clone(),
        "configuration": configuration(addon.configuration_values),
        "service_account_role": role.clone(),
        "pod_identity": identity,
        "health": health,
    });
    Object {
        arn: addon.addon_arn,
        condition,
        tags: addon.tags.unwrap_or_default().into_iter().collect(),
        references: role.into_iter().chain(identity.values().cloned()).collect(),
        outputs: outputs([("version", addon.addon_version)]),
        ..settled(fields)
    }
}
