//! What Karpenter makes in AWS: instances, launch templates and instance profiles. Karpenter takes them away itself; where it cannot
//! any more (its cluster is gone, or its finalizers were taken away by hand) they would stay, and cost money.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_ec2::types::{Filter, Instance};
use reconcile::failure::{Class, Failure};
use reconcile::kinds::Kinds;
use reconcile::part::{
    Ask, Call, Deleted, Difference, Idempotence, Kind, KindTraits, Made, Object, Part, Ref, Tags,
};
use serde::Serialize;
use serde_json::json;

use crate::client::Aws;
use crate::kind::{Ec2, Place, gone, pace, pages, settled, usual};

/// That nothing is left of what Karpenter made for a cluster. It makes nothing; it goes when all of that is gone, and takes away what
/// is left.
#[derive(Debug, Clone, Serialize, Part)]
#[part(kind = "leftovers.karpenter")]
pub struct Leftovers {
    /// The cluster.
    #[part(replace)]
    pub cluster: String,
    /// What they still need: it goes later.
    #[part(not_compared)]
    pub after: Vec<Ref>,
}

/// The kinds of its parts in one region.
pub fn kinds(aws: &Aws, region: &str) -> Kinds {
    Kinds::new().with(All {
        place: Place::new(aws, region),
        over: Mutex::default(),
    })
}

/// The kind of [`Leftovers`]. Its objects are the state's: nothing in AWS stands for one.
struct All {
    place: Place,
    /// Made or taken away by this process: true for those that are there.
    over: Mutex<BTreeMap<String, bool>>,
}

const TITLE: &str = "what Karpenter made";

impl All {
    fn note(&self, cluster: &str, is_there: bool) {
        let mut over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        over.insert(cluster.to_owned(), is_there);
    }

    async fn ec2(&self, cluster: &str) -> Result<Ec2, Failure> {
        self.place
            .api(format!("taking away {TITLE} for the cluster {cluster}"))
            .await
    }

    /// True where there were any.
    async fn terminate(&self, cluster: &str) -> Result<bool, Failure> {
        let ec2 = self.ec2(cluster).await?;
        let alive = ["pending", "running", "stopping", "stopped", "shutting-down"].map(str::to_owned);
        let by = vec![
            (
                format!("tag:kubernetes.io/cluster/{cluster}"),
                vec!["owned".to_owned()],
            ),
            ("tag-key".to_owned(), vec!["karpenter.sh/nodepool".to_owned()]),
            ("instance-state-name".to_owned(), alive.into()),
        ];
        let found: Vec<Instance> = ec2.list(by).await?;
        let is_going = |instance: &Instance| {
            let state = instance.state().and_then(|state| state.name());
            state.is_some_and(|name| name.as_str() == "shutting-down")
        };
        let ids: Vec<String> = found
            .iter()
            .filter(|instance| !is_going(instance))
            .filter_map(|instance| instance.instance_id.clone())
            .collect();
        if !ids.is_empty() {
            tracing::warn!(?ids, "terminating instances that Karpenter left");
            let terminate = ec2.write.terminate_instances().set_instance_ids(Some(ids));
            gone(ec2.call("ec2:TerminateInstances", terminate.send()).await)?;
        }
        Ok(!found.is_empty())
    }

    async fn delete_templates(&self, cluster: &str) -> Result<(), Failure> {
        let ec2 = self.ec2(cluster).await?;
        let by_tag = Filter::builder()
            .name("tag:karpenter.k8s.aws/cluster")
            .values(cluster)
            .build();
        let templates = pages(|token| async {
            let list = ec2.read.describe_launch_templates().filters(by_tag.clone());
            let list = list.set_next_token(token).send();
            let answer = ec2.call("ec2:DescribeLaunchTemplates", list).await?;
            Ok((answer.launch_templates, answer.next_token))
        });
        for id in templates
            .await?
            .into_iter()
            .filter_map(|template| template.launch_template_id)
        {
            let delete = ec2.write.delete_launch_template().launch_template_id(id).send();
            gone(ec2.call("ec2:DeleteLaunchTemplate", delete).await)?;
        }
        Ok(())
    }

    /// Since version 1.7 they have a path of their own (Karpenter, upgrade guide).
    async fn delete_profiles(&self, cluster: &str) -> Result<(), Failure> {
        let doing = format!("taking away {TITLE} for the cluster {cluster}");
        let iam: crate::kind::Api<aws_sdk_iam::Client> = self.place.api(doing).await?;
        let path = format!("/karpenter/{}/{cluster}/", self.place.region);
        let profiles = pages(|marker| async {
            let list = iam.read.list_instance_profiles().path_prefix(&path);
            let list = list.set_marker(marker).send();
            let answer = iam.call("iam:ListInstanceProfiles", list).await?;
            Ok((Some(answer.instance_profiles), answer.marker))
        });
        for profile in profiles.await? {
            let name = &profile.instance_profile_name;
            for role in &profile.roles {
                let remove = iam.write.remove_role_from_instance_profile();
                let remove = remove
                    .instance_profile_name(name)
                    .role_name(&role.role_name)
                    .send();
                gone(iam.call("iam:RemoveRoleFromInstanceProfile", remove).await)?;
            }
            let delete = iam
                .write
                .delete_instance_profile()
                .instance_profile_name(name)
                .send();
            gone(iam.call("iam:DeleteInstanceProfile", delete).await)?;
        }
        Ok(())
    }
}

#[async_trait]
impl Kind for All {
    type Part = Leftovers;

    fn traits(&self) -> KindTraits {
        KindTraits {
            title: TITLE,
            deletion_order: 60,
            idempotence: Idempotence::NaturalKey,
            // Nothing is made that a look could miss.
            invisible_for: Duration::ZERO,
            pace: pace(0, 60, 900),
            reads: &[],
            writes: &[
                "ec2:DescribeInstances",
                "ec2:TerminateInstances",
                "ec2:DescribeLaunchTemplates",
                "ec2:DeleteLaunchTemplate",
                "iam:ListInstanceProfiles",
                "iam:RemoveRoleFromInstanceProfile",
                "iam:DeleteInstanceProfile",
            ],
            ..usual(Leftovers::KIND)
        }
    }

    fn stands_for(&self, declared: &serde_json::Value, object: &Object) -> bool {
        declared["cluster"] == object.fields["cluster"]
    }

    fn carries_tags(&self) -> bool {
        false
    }

    async fn observe(&self, ask: &Ask) -> Result<Vec<Object>, Failure> {
        let over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        let made = over.iter().filter(|(_, is_there)| **is_there);
        let known: BTreeSet<&String> = ask.known.values().chain(made.map(|(id, _)| id)).collect();
        let there = known.into_iter().filter(|id| over.get(*id) != Some(&false));
        Ok(there
            .map(|cluster| Object {
                id: cluster.clone(),
                references: ask.root.iter().cloned().collect(),
                ..settled(json!({ "cluster": cluster }))
            })
            .collect())
    }

    async fn create(&self, part: &Leftovers, _: &Call) -> Result<Made, Failure> {
        self.note(&part.cluster, true);
        Ok(Made::settled(&part.cluster))
    }

    async fn update(&self, _: &Leftovers, _: &Object, _: &[Difference], _: &Call) -> Result<(), Failure> {
        Ok(())
    }

    async fn tag(&self, _: &str, _: &Tags, _: &[String]) -> Result<(), Failure> {
        Ok(())
    }

    async fn delete(&self, object: &Object, _: &Call) -> Result<Deleted, Failure> {
        let cluster = &object.id;
        if self.terminate(cluster).await? {
            let doing = format!("taking away {TITLE} for the cluster {cluster}");
            return Err(Failure::new(Class::Busy, doing, "its instances are ending"));
        }
        self.delete_templates(cluster).await?;
        self.delete_profiles(cluster).await?;
        self.note(cluster, false);
        Ok(Deleted::Gone)
    }
}
