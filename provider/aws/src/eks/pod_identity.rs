//! Roles of pods by pod identity, where no add-on has them.

use async_trait::async_trait;
use reconcile::failure::Failure;
use reconcile::part::{
    Call, Deleted, Difference, Idempotence, KindTraits, Made, Object, Part, Tags, Target, Text,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Cluster, Eks};
use crate::kind::{At, UnderParent, gone, id_under, no_answer, pages, settled, usual};

/// Which role the pods of a service account have. One that belongs to an add-on is a field of that.
#[derive(Debug, Clone, Serialize, Part)]
#[part(kind = "pod_identity_association")]
pub struct PodIdentityAssociation {
    /// The cluster.
    #[part(replace)]
    pub cluster: Target,
    /// The namespace of the service account.
    #[part(replace)]
    pub namespace: String,
    /// The service account: one association each (AWS EKS `CreatePodIdentityAssociation`). It need not exist yet.
    #[part(replace)]
    pub service_account: String,
    /// The ARN of the role, which trusts `pods.eks.amazonaws.com`. Running pods keep the role that they began with.
    pub role_arn: Text,
    /// Tags beside those of ownership.
    pub tags: Tags,
}

#[async_trait]
impl UnderParent for PodIdentityAssociation {
    type Client = aws_sdk_eks::Client;

    const TRAITS: KindTraits = KindTraits {
        title: "pod identity association",
        deletion_order: 32,
        idempotence: Idempotence::NaturalKey,
        reads: &[
            "eks:ListPodIdentityAssociations",
            "eks:DescribePodIdentityAssociation",
        ],
        writes: &[
            "eks:CreatePodIdentityAssociation",
            "eks:UpdatePodIdentityAssociation",
            "eks:DeletePodIdentityAssociation",
            "iam:PassRole to pods.eks.amazonaws.com",
            "eks:TagResource",
            "eks:UntagResource",
        ],
        ..usual(Self::KIND)
    };
    const MANY: &'static str = "pod identity associations";
    const PARENT: &'static str = Cluster::KIND;
    const SAME: &'static [&'static str] = &["namespace", "service_account"];

    fn parent(&self) -> &Target {
        &self.cluster
    }

    /// EKS knows it by an id that it invents: `namespace/service account` is what is there once.
    fn name_of(declared: &Value) -> Option<String> {
        Some(format!(
            "{}/{}",
            declared["namespace"].as_str()?,
            declared["service_account"].as_str()?
        ))
    }

    /// Those that are declared or known are asked for by name: a cluster may have 1,000, and each says its tags only when it is asked.
    async fn list(_: &Eks, _: &str) -> Result<Vec<String>, Failure> {
        Ok(Vec::new())
    }

    async fn see(eks: &Eks, cluster: &str, name: &str) -> Result<Option<Object>, Failure> {
        let Some(id) = id(eks, cluster, name).await? else {
            return Ok(None);
        };
        let describe = eks.read.describe_pod_identity_association();
        let describe = describe.cluster_name(cluster).association_id(id).send();
        let answer = eks.call("eks:DescribePodIdentityAssociation", describe).await?;
        Ok(answer.association.map(|association| Object {
            arn: association.association_arn,
            tags: association.tags.unwrap_or_default().into_iter().collect(),
            references: association.role_arn.iter().cloned().collect(),
            ..settled(json!({
                "cluster": cluster,
                "namespace": association.namespace,
                "service_account": association.service_account,
                "role_arn": association.role_arn,
            }))
        }))
    }

    async fn make(&self, eks: &Eks, cluster: &str, call: &Call) -> Result<Made, Failure> {
        let make = eks
            .write
            .create_pod_identity_association()
            .cluster_name(cluster)
            .namespace(&self.namespace)
            .service_account(&self.service_account)
            .role_arn(call.text(&self.role_arn)?)
            .client_request_token(&call.token)
            .set_tags(Some(call.tags(&self.tags).into_iter().collect()));
        let answer = eks.call("eks:CreatePodIdentityAssociation", make.send()).await?;
        let made = answer.association.ok_or_else(|| no_answer(call))?;
        let name = format!("{}/{}", self.namespace, self.service_account);
        Ok(Made::settled(id_under(cluster, &name)).arn(made.association_arn))
    }

    async fn change(
        &self,
        eks: &Eks,
        at: At<'_>,
        _: &Object,
        _: &[Difference],
        call: &Call,
    ) -> Result<(), Failure> {
        let Some(id) = id(eks, at.parent, at.name).await? else {
            return Ok(());
        };
        let update = eks.write.update_pod_identity_association();
        let update = update.cluster_name(at.parent).association_id(id);
        let update = update.role_arn(call.text(&self.role_arn)?).send();
        eks.call("eks:UpdatePodIdentityAssociation", update).await?;
        Ok(())
    }

    async fn unmake(eks: &Eks, at: At<'_>) -> Result<Deleted, Failure> {
        if let Some(id) = id(eks, at.parent, at.name).await? {
            let delete = eks.write.delete_pod_identity_association();
            let delete = delete.cluster_name(at.parent).association_id(id).send();
            gone(eks.call("eks:DeletePodIdentityAssociation", delete).await)?;
        }
        Ok(Deleted::Gone)
    }
}

/// The id of the association of a service account (`namespace/name`).
async fn id(eks: &Eks, cluster: &str, account: &str) -> Result<Option<String>, Failure> {
    let (namespace, name) = account.split_once('/').unwrap_or_default();
    let listed = pages(|token| async {
        let list = eks.read.list_pod_identity_associations().cluster_name(cluster);
        let list = list.namespace(namespace).service_account(name);
        let list = list.set_next_token(token).send();
        let answer = eks.call("eks:ListPodIdentityAssociations", list).await?;
        Ok((answer.associations, answer.next_token))
    });
    Ok(listed
        .await?
        .into_iter()
        .find_map(|association| association.association_id))
}
