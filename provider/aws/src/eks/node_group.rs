//! Node groups that EKS manages.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use aws_sdk_eks::types::{
    self, AmiTypes, CapacityTypes, LaunchTemplateSpecification, NodegroupScalingConfig, NodegroupStatus,
    NodegroupUpdateConfig, TaintEffect, UpdateLabelsPayload, UpdateTaintsPayload,
};
use reconcile::failure::Failure;
use reconcile::part::{
    Call, Condition, Deleted, Difference, Idempotence, KindTraits, Made, Object, Part, Ref, Tags, Target,
    Text,
};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::{
    Cluster, Eks, Healthy, Of,
    access_entry::forget_earlier,
    ids,
    issues::{self, issues},
    until_well,
};
use crate::kind::{
    At, UnderParent, id_under, map_changes, no_answer, of, outputs, pace, pages, settled, usual,
};

/// A group of machines that join a cluster, in an Auto Scaling group of EKS's.
///
/// Most of what makes a machine cannot be changed (AWS EKS `UpdateNodegroupConfig`, `UpdateNodegroupVersion`): such a change needs
/// another group beside this one.
#[derive(Debug, Clone, Serialize, Part)]
#[part(kind = "node_group")]
pub struct NodeGroup {
    /// The cluster, ready.
    #[part(replace)]
    pub cluster: Target,
    /// What has to be there before it: the network plug-in, without which no machine is ready.
    #[part(not_compared)]
    pub after: Vec<Ref>,
    /// Its name, once in the cluster: at most 63 characters (AWS EKS `CreateNodegroup`).
    #[part(replace)]
    pub name: String,
    /// The ARN of the role of its machines.
    #[part(replace)]
    pub role_arn: Text,
    /// The subnets of its machines.
    #[part(unordered, replace)]
    pub subnets: Vec<Target>,
    /// Instance types, the preferred ones first; of one architecture, which the AMI type names.
    #[part(replace)]
    pub instance_types: Vec<String>,
    /// For example `AL2023_x86_64_STANDARD`.
    #[part(replace)]
    pub ami_type: String,
    /// `ON_DEMAND` or `SPOT`.
    #[part(replace)]
    pub capacity_type: String,
    /// The launch template of its machines: their disks, their metadata service. A group stays with its template or without.
    #[part(replace)]
    pub launch_template: Option<Ref>,
    /// The template's version: another one rolls all machines.
    pub launch_template_version: Option<Text>,
    /// The version of Kubernetes of its machines: that of the cluster, or an earlier one.
    pub version: String,
    /// The release of the AMI, for example `1.35.2-20261101`. None: what is the latest when EKS makes or upgrades the group.
    pub release_version: Option<String>,
    /// Fewest machines.
    pub min: i64,
    /// Most machines.
    pub max: i64,
    /// Machines at the beginning. Afterwards their number is an autoscaler's, or what somebody set by hand.
    #[part(not_compared)]
    pub desired: i64,
    /// Labels of its nodes.
    pub labels: BTreeMap<String, String>,
    /// Taints of its nodes.
    pub taints: BTreeSet<Taint>,
    /// How many machines an upgrade may take away at once.
    pub max_unavailable: Unavailable,
    /// An upgrade goes on though PodDisruptionBudgets do not allow it.
    #[part(not_compared)]
    pub force_drain: bool,
    /// That it is well.
    pub health: Healthy,
    /// Tags beside those of ownership: of the group, not of its machines.
    pub tags: Tags,
}

/// What keeps pods away that do not tolerate it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Taint {
    /// For example `CriticalAddonsOnly`.
    pub key: String,
    /// Its value; none: empty.
    pub value: Option<String>,
    /// `NO_SCHEDULE`, `PREFER_NO_SCHEDULE` or `NO_EXECUTE`.
    pub effect: String,
}

/// How many nodes may be away at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unavailable {
    /// So many: 1 to 100.
    Nodes(i32),
    /// So much of all: 1 to 100.
    Percent(i32),
}

impl Serialize for Unavailable {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nodes(nodes) => serializer.serialize_i32(*nodes),
            Self::Percent(percent) => serializer.collect_str(&format_args!("{percent}%")),
        }
    }
}

#[async_trait]
impl UnderParent for NodeGroup {
    type Client = aws_sdk_eks::Client;

    const TRAITS: KindTraits = KindTraits {
        title: "node group",
        deletion_order: 30,
        idempotence: Idempotence::NaturalKey,
        pace: pace(150, 180, 3600),
        reads: &[
            "eks:ListNodegroups",
            "eks:DescribeNodegroup",
            "eks:DescribeUpdate",
            "eks:DescribeAccessEntry",
        ],
        writes: &[
            "eks:CreateNodegroup",
            "eks:UpdateNodegroupConfig",
            "eks:UpdateNodegroupVersion",
            "eks:DeleteNodegroup",
            "eks:DeleteAccessEntry",
            "eks:TagResource",
            "eks:UntagResource",
        ],
        ..usual(Self::KIND)
    };
    const MANY: &'static str = "node groups";
    const PARENT: &'static str = Cluster::KIND;
    const LEFT_OPEN: &'static [&'static str] = &["release_version"];

    fn parent(&self) -> &Target {
        &self.cluster
    }

    async fn list(eks: &Eks, cluster: &str) -> Result<Vec<String>, Failure> {
        pages(|token| async {
            let list = eks.read.list_nodegroups().cluster_name(cluster);
            let list = list.set_next_token(token).send();
            let answer = eks.call("eks:ListNodegroups", list).await?;
            Ok((answer.nodegroups, answer.next_token))
        })
        .await
    }

    async fn see(eks: &Eks, cluster: &str, name: &str) -> Result<Option<Object>, Failure> {
        let begun = eks.under_way(cluster, Of::NodeGroup(name)).await?;
        let describe = eks.read.describe_nodegroup().cluster_name(cluster);
        let describe = describe.nodegroup_name(name).send();
        let answer = eks.call("eks:DescribeNodegroup", describe).await?;
        let Some(group) = answer.nodegroup else {
            return Ok(None);
        };
        let mut object = see(cluster, group);
        eks.follow(begun, None, &mut object);
        Ok(Some(object))
    }

    async fn make(&self, eks: &Eks, cluster: &str, call: &Call) -> Result<Made, Failure> {
        let template = match &self.launch_template {
            Some(template) => Some(self.template(call.id(template)?, call)?),
            None => None,
        };
        let role = call.text(&self.role_arn)?;
        forget_earlier(eks, cluster, &role).await?;
        let make = eks
            .write
            .create_nodegroup()
            .cluster_name(cluster)
            .nodegroup_name(&self.name)
            .node_role(role)
            .set_subnets(Some(ids(&self.subnets, call)?))
            .set_instance_types(Some(self.instance_types.clone()))
            .ami_type(AmiTypes::from(self.ami_type.as_str()))
            .capacity_type(CapacityTypes::from(self.capacity_type.as_str()))
            .set_launch_template(template)
            .version(&self.version)
            .set_release_version(self.release_version.clone())
            .scaling_config(self.scaling(self.desired))
            .set_labels(Some(self.labels.clone().into_iter().collect()))
            .set_taints(Some(self.taints.iter().map(Taint::as_asked).collect()))
            .update_config(self.unavailable())
            .set_tags(Some(call.tags(&self.tags).into_iter().collect()));
        let answer = eks.call("eks:CreateNodegroup", make.send()).await?;
        let group = answer.nodegroup.ok_or_else(|| no_answer(call))?;
        let made = see(cluster, group);
        Ok(Made::new(id_under(cluster, &self.name), made.condition).arn(made.arn))
    }

    /// EKS changes a group one call after the other: first how many machines there may be and how many may be away, then what they
    /// are.
    async fn change(
        &self,
        eks: &Eks,
        group: At<'_>,
        is: &Object,
        what: &[Difference],
        call: &Call,
    ) -> Result<(), Failure> {
        let differs = |fields: &[&str]| fields.iter().any(|field| of(field, what).is_some());
        let update = if differs(&["min", "max", "labels", "taints", "max_unavailable"]) {
            let update = eks.write.update_nodegroup_config();
            let update = update.cluster_name(group.parent).nodegroup_name(group.name);
            let now = is.detail["desired"].as_i64().unwrap_or(self.desired);
            let update = update
                .set_scaling_config(differs(&["min", "max"]).then(|| self.scaling(now)))
                .set_update_config(differs(&["max_unavailable"]).then(|| self.unavailable()))
                .set_labels(of("labels", what).map(labels))
                .set_taints(of("taints", what).map(|difference| self.taints_of(difference)));
            eks.call("eks:UpdateNodegroupConfig", update.send()).await?.update
        } else if differs(&["version", "release_version", "launch_template_version"]) {
            let template = match &self.launch_template {
                Some(template) => Some(self.template(call.id(template)?, call)?),
                None => None,
            };
            let update = eks.write.update_nodegroup_version();
            let update = update.cluster_name(group.parent).nodegroup_name(group.name);
            let update = update
                .version(&self.version)
                .set_release_version(self.release_version.clone())
                .set_launch_template(template)
                .force(self.force_drain);
            eks.call("eks:UpdateNodegroupVersion", update.send())
                .await?
                .update
        } else {
            return until_well::<Self>(eks, group).await;
        };
        eks.began(&is.id, update, None);
        Ok(())
    }

    async fn unmake(eks: &Eks, group: At<'_>) -> Result<Deleted, Failure> {
        let delete = eks.write.delete_nodegroup().cluster_name(group.parent);
        let delete = delete.nodegroup_name(group.name).send();
        eks.call("eks:DeleteNodegroup", delete).await?;
        Ok(Deleted::Begun)
    }
}

impl NodeGroup {
    fn template(&self, id: &str, call: &Call) -> Result<LaunchTemplateSpecification, Failure> {
        let version = self.launch_template_version.as_ref();
        let version = version.map(|version| call.text(version)).transpose()?;
        let template = LaunchTemplateSpecification::builder().id(id);
        Ok(template.set_version(version).build())
    }

    /// The number of machines has to lie between the others.
    fn scaling(&self, desired: i64) -> NodegroupScalingConfig {
        let number = |of: i64| i32::try_from(of).unwrap_or(i32::MAX);
        NodegroupScalingConfig::builder()
            .min_size(number(self.min))
            .max_size(number(self.max))
            .desired_size(number(desired.max(self.min).min(self.max)))
            .build()
    }

    fn unavailable(&self) -> NodegroupUpdateConfig {
        let config = NodegroupUpdateConfig::builder();
        match self.max_unavailable {
            Unavailable::Nodes(nodes) => config.max_unavailable(nodes),
            Unavailable::Percent(percent) => config.max_unavailable_percentage(percent),
        }
        .build()
    }

    /// EKS takes taints to set and taints to remove, by key and effect.
    fn taints_of(&self, difference: &Difference) -> UpdateTaintsPayload {
        let is = difference.is.as_array().into_iter().flatten().map(Taint::read);
        let stays = |gone: &Taint| {
            let same = |taint: &Taint| taint.key == gone.key && taint.effect == gone.effect;
            self.taints.iter().any(same)
        };
        let gone: Vec<Taint> = is.filter(|taint| !stays(taint)).collect();
        let payload = |taints: Vec<types::Taint>| (!taints.is_empty()).then_some(taints);
        UpdateTaintsPayload::builder()
            .set_add_or_update_taints(payload(self.taints.iter().map(Taint::as_asked).collect()))
            .set_remove_taints(payload(gone.iter().map(Taint::as_asked).collect()))
            .build()
    }
}

impl Taint {
    fn as_asked(&self) -> types::Taint {
        types::Taint::builder()
            .key(&self.key)
            .set_value(self.value.clone())
            .effect(TaintEffect::from(self.effect.as_str()))
            .build()
    }

    fn read(taint: &Value) -> Self {
        let text = |name: &str| taint[name].as_str().map(str::to_owned);
        Self {
            key: text("key").unwrap_or_default(),
            value: text("value"),
            effect: text("effect").unwrap_or_default(),
        }
    }
}

fn labels(difference: &Difference) -> UpdateLabelsPayload {
    let (set, gone) = map_changes(difference);
    let set = set.into_iter();
    let set = set.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()));
    let (set, gone): (Vec<_>, Vec<String>) = (set.collect(), gone.into_iter().cloned().collect());
    UpdateLabelsPayload::builder()
        .set_add_or_update_labels((!set.is_empty()).then(|| set.into_iter().collect()))
        .set_remove_labels((!gone.is_empty()).then_some(gone))
        .build()
}

pub(super) fn see(cluster: &str, group: types::Nodegroup) -> Object {
    let issues = issues!(group.health.and_then(|health| health.issues));
    let status = group
        .status
        .as_ref()
        .map_or("", NodegroupStatus::as_str)
        .to_owned();
    let told = || issues::told(&status, &issues);
    let (condition, health) = match status.as_str() {
        "ACTIVE" => (Condition::Settled, issues::WELL.to_owned()),
        // It can be changed, which may be what mends it.
        "DEGRADED" => (Condition::Settled, told()),
        "DELETING" => (Condition::Deleting, issues::WELL.to_owned()),
        "CREATE_FAILED" | "DELETE_FAILED" => (Condition::Failed(told()), issues::WELL.to_owned()),
        _ => (Condition::Changing(status.clone()), issues::WELL.to_owned()),
    };
    let scaling = group
        .scaling_config
        .unwrap_or_else(|| NodegroupScalingConfig::builder().build());
    let unavailable = group
        .update_config
        .and_then(|config| match config.max_unavailable_percentage {
            Some(percent) => Some(Unavailable::Percent(percent)),
            None => config.max_unavailable.map(Unavailable::Nodes),
        });
    let taints = group.taints.unwrap_or_default().into_iter().map(|taint| Taint {
        key: taint.key.unwrap_or_default(),
        value: taint.value.filter(|value| !value.is_empty()),
        effect: taint
            .effect
            .map(|effect| effect.as_str().to_owned())
            .unwrap_or_default(),
    });
    let template = group.launch_template;
    let subnets = group.subnets.unwrap_or_default();
    let template_id = template.as_ref().and_then(|template| template.id.clone());
    let scaled = group
        .resources
        .and_then(|resources| resources.auto_scaling_groups);
    let scaled = scaled.into_iter().flatten().filter_map(|group| group.name).next();
    let fields = json!({
        "cluster": cluster,
        "name": group.nodegroup_name,
        "role_arn": group.node_role.clone(),
        "subnets": subnets.clone(),
        "instance_types": group.instance_types.unwrap_or_default(),
        "ami_type": group.ami_type.as_ref().map(AmiTypes::as_str),
        "capacity_type": group.capacity_type.as_ref().map(CapacityTypes::as_str),
        "launch_template": template_id.clone(),
        "launch_template_version": template.and_then(|template| template.version),
        "version": group.version.clone(),
        "release_version": group.release_version.clone(),
        "min": scaling.min_size,
        "max": scaling.max_size,
        "labels": group.labels.unwrap_or_default(),
        "taints": taints.collect::<BTreeSet<_>>(),
        "max_unavailable": unavailable,
        "health": health,
    });
    let references = [group.node_role, template_id].into_iter().flatten();
    Object {
        arn: group.nodegroup_arn,
        condition,
        tags: group.tags.unwrap_or_default().into_iter().collect(),
        references: references.chain(subnets).collect(),
        outputs: outputs([
            ("version", group.version),
            ("release_version", group.release_version),
            ("auto_scaling_group", scaled),
        ]),
        detail: json!({ "desired": scaling.desired_size }),
        ..settled(fields)
    }
}
