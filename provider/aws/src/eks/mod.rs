//! EKS: parts made of a cluster and what is in it.

mod access_entry;
mod addon;
pub mod catalogue;
mod cluster;
pub mod inside;
mod issues;
mod node_group;
mod pod_identity;
#[cfg(test)]
mod tests;
mod token;

use async_trait::async_trait;
use aws_sdk_eks::types::{Update, UpdateStatus};
use reconcile::failure::{Class, Failure};
use reconcile::kinds::Kinds;
use reconcile::part::{Call, Condition, Object, Refusal, Remedy, Tags, Target};
use serde_json::Value;

use crate::client::{Aws, Clients};
use crate::failure::codes;
use crate::kind::{
    Api, At, Client, Operation, Place, TagsByArn, UnderParent, by_name, hopeless, id_under, under_parent,
};

pub use access_entry::{AccessEntry, Holder};
pub use addon::Addon;
pub use cluster::Cluster;
pub use issues::Healthy;
pub use node_group::{NodeGroup, Taint, Unavailable};
pub use pod_identity::PodIdentityAssociation;
pub use token::{ClusterEndpoint, ClusterToken};

/// EKS, and what is being done there.
type Eks = Api<aws_sdk_eks::Client>;

#[async_trait]
impl Client for aws_sdk_eks::Client {
    async fn of(place: &Place) -> Result<Clients<Self>, Failure> {
        place.aws.eks(&place.region).await
    }
}

#[async_trait]
impl TagsByArn for aws_sdk_eks::Client {
    async fn tag(eks: &Eks, arn: &str, tags: &Tags) -> Result<(), Failure> {
        let tags = tags.clone().into_iter().collect();
        let tag = eks.write.tag_resource().resource_arn(arn).set_tags(Some(tags));
        eks.call("eks:TagResource", tag.send()).await?;
        Ok(())
    }

    async fn untag(eks: &Eks, arn: &str, tags: &[String]) -> Result<(), Failure> {
        let untag = eks.write.untag_resource().resource_arn(arn);
        let untag = untag.set_tag_keys(Some(tags.to_vec()));
        eks.call("eks:UntagResource", untag.send()).await?;
        Ok(())
    }
}

/// The kinds of its parts in one region.
pub fn kinds(aws: &Aws, region: &str) -> Kinds {
    let place = &Place::new(aws, region);
    Kinds::new()
        .with(by_name::<Cluster>(place))
        .with(under_parent::<AccessEntry>(place))
        .with(under_parent::<NodeGroup>(place))
        .with(under_parent::<Addon>(place))
}

/// The kinds of what programs in a cluster need of EKS, of which the cluster is no part of the graph but named.
pub fn kinds_in_named_clusters(aws: &Aws, region: &str) -> Kinds {
    let place = &Place::new(aws, region);
    Kinds::new()
        .with(under_parent::<AccessEntry>(place))
        .with(under_parent::<PodIdentityAssociation>(place))
}

/// Whose update it is.
#[derive(Debug, Clone, Copy)]
enum Of<'a> {
    Cluster,
    NodeGroup(&'a str),
    Addon(&'a str),
}

/// An update that this process began, as EKS says it stands.
struct Begun {
    operation: Operation,
    update: Option<Update>,
}

impl Eks {
    /// Notes an update of the object that has just begun. `aim` is the version that it shall have afterwards.
    fn began(&self, object: &str, update: Option<Update>, aim: Option<&str>) {
        let operation = update.and_then(|update| update.id).map(|id| Operation {
            id,
            aim: aim.map(str::to_owned),
        });
        self.place.under_way.note(object, operation);
    }

    /// How the update that this process began is getting on. It is asked before the object is looked at: what is over by then shows
    /// in the object.
    async fn under_way(&self, cluster: &str, of: Of<'_>) -> Result<Option<Begun>, Failure> {
        let id = match of {
            Of::Cluster => cluster.to_owned(),
            Of::NodeGroup(name) | Of::Addon(name) => id_under(cluster, name),
        };
        let Some(operation) = self.place.under_way.of(&id) else {
            return Ok(None);
        };
        let describe = self.read.describe_update().name(cluster).update_id(&operation.id);
        let describe = match of {
            Of::Cluster => describe,
            Of::NodeGroup(name) => describe.nodegroup_name(name),
            Of::Addon(name) => describe.addon_name(name),
        };
        let update = match self.call("eks:DescribeUpdate", describe.send()).await {
            // Updates are forgotten with what they changed.
            Err(failure) if failure.class == Class::NotFound => None,
            answer => answer?.update,
        };
        Ok(Some(Begun { operation, update }))
    }

    /// The object is changing until the update is over, and one that failed is told with its reason. `version` is what the object has
    /// now.
    fn follow(&self, begun: Option<Begun>, version: Option<&str>, object: &mut Object) {
        let Some(Begun { operation, update }) = begun else {
            return;
        };
        let status = update.as_ref().and_then(|update| update.status.clone());
        match status {
            Some(UpdateStatus::InProgress) if object.condition == Condition::Settled => {
                object.condition = Condition::Changing("UPDATING".to_owned());
            }
            Some(UpdateStatus::InProgress) => {}
            // hashicorp/terraform-provider-aws#49104: EKS gives up waiting, and what it changed is as it should be.
            Some(UpdateStatus::Failed) if operation.aim.is_some() && operation.aim.as_deref() == version => {
                self.place.under_way.note(&object.id, None);
            }
            Some(status @ (UpdateStatus::Failed | UpdateStatus::Cancelled)) => {
                let errors = update.and_then(|update| update.errors).unwrap_or_default();
                let errors = errors.into_iter().map(|error| {
                    let code = error.error_code.map(|code| code.as_str().to_owned());
                    let mut message = error.error_message.unwrap_or_default();
                    if let Some(ids) = error.resource_ids.filter(|ids| !ids.is_empty()) {
                        message = format!("{} ({})", message.trim_end_matches('.'), ids.join(", "));
                    }
                    (code.unwrap_or_default(), message)
                });
                let told = issues::told(&status.as_str().to_lowercase(), &errors.collect());
                let why = format!("update {} {told}", operation.id);
                hopeless(
                    object,
                    &why,
                    "Mend that and apply again: the update is begun anew.",
                );
            }
            _ => self.place.under_way.note(&object.id, None),
        }
    }
}

/// Whether the object is well by now; where not, it is asked again for as long as it may take.
async fn until_well<P: UnderParent<Client = aws_sdk_eks::Client>>(
    eks: &Eks,
    at: At<'_>,
) -> Result<(), Failure> {
    let object = P::see(eks, at.parent, at.name).await?;
    let health = object
        .as_ref()
        .and_then(|object| object.fields["health"].as_str());
    match health {
        None | Some(issues::WELL) => Ok(()),
        Some(words) => {
            let id = id_under(at.parent, at.name);
            let doing = format!("waiting for {} {id}", P::TRAITS.title);
            Err(Failure::new(Class::Busy, doing, words)
                .code(codes::UNWELL)
                .hint("It is kept as it is: mend that and apply again."))
        }
    }
}

fn ids(targets: &[Target], call: &Call) -> Result<Vec<String>, Failure> {
    let ids = targets.iter().map(|target| Ok(call.target(target)?.to_owned()));
    ids.collect()
}

/// A change that AWS does not make, and we would not make a new object for.
fn refused(why: &str, hint: &str) -> Remedy {
    Remedy::Refuse(Refusal {
        why: why.to_owned(),
        hint: hint.to_owned(),
    })
}

/// Whether the value hangs on what is not made (any more): then it says nothing about a change yet.
fn is_open(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.contains("${"))
}
