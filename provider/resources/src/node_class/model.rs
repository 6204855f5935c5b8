//! What users write and see of `ekb_node_class`.

use std::collections::{BTreeMap, BTreeSet};

use framework::{Attr, Model, Timeouts};
use reconcile::resource::{Common, Managed};

use crate::cluster::model::Kubelet;

/// A class of nodes that Karpenter makes: which instances, with which image, disks and taints, and when they go again. It is a NodePool
/// and an EC2NodeClass of Karpenter.
///
/// What a `class` stands for is in the plan, and each of its choices can be another. A destroy waits until Karpenter has drained and
/// ended the nodes.
#[derive(Model, Managed, Debug, Clone, Default)]
pub struct NodeClass {
    /// Name of the NodePool, which its nodes have as label `karpenter.sh/nodepool`. Default: the class.
    #[attribute(
        optional,
        computed,
        keep,
        replace,
        validate(pattern("^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"), length(1..=63))
    )]
    pub name: Attr<String>,
    /// Name of the EKS cluster: `ekb_karpenter.main.cluster`.
    #[attribute(required, replace, validate(pattern("^[0-9A-Za-z][0-9A-Za-z_-]*$"), length(1..=100)))]
    pub cluster: Attr<String>,
    /// Name of the IAM role of the nodes: `ekb_karpenter.main.node_role_name`.
    #[attribute(required, validate(length(1..=64)))]
    pub node_role: Attr<String>,
    /// What the nodes are for. `general`: a mix of processors and memory; `compute`: more processors; `memory`: more memory; `database`: on
    /// demand, tainted `workload=database`, taken away only when empty; `gpu`: with NVIDIA graphics processors, tainted
    /// `nvidia.com/gpu`.
    #[attribute(required, validate(one_of("general", "compute", "memory", "database", "gpu")))]
    pub class: Attr<String>,
    /// `on-demand`, `spot`, or both: then Karpenter takes spot first, for its price. Default: both; of `database` `on-demand`.
    #[attribute(optional, computed, validate(one_of("on-demand", "spot")))]
    pub capacity_types: Attr<BTreeSet<String>>,
    /// Architectures of the nodes, `amd64` or `arm64`: those for which images of the pods are there. Default `amd64`.
    #[attribute(optional, computed, validate(one_of("amd64", "arm64")))]
    pub architectures: Attr<BTreeSet<String>>,
    /// Names of the zones of the nodes. Default: those of the subnets.
    #[attribute(optional)]
    pub zones: Attr<BTreeSet<String>>,
    /// What instances have to have, by label (`karpenter.k8s.aws/instance-family`): over those of the class and of the other arguments.
    #[attribute(optional)]
    pub requirements: Attr<BTreeMap<String, Requirement>>,
    /// Labels of the nodes, beside `workload` with the class.
    #[attribute(optional)]
    pub labels: Attr<BTreeMap<String, String>>,
    /// Taints of the nodes, by key. Default: those of the class; `{}`: none.
    #[attribute(optional)]
    pub taints: Attr<BTreeMap<String, Taint>>,
    /// Taints that a program on the node takes away when it is ready, by key.
    #[attribute(optional)]
    pub startup_taints: Attr<BTreeMap<String, Taint>>,
    /// How much all nodes may have together: quantities of `cpu`, `memory`, `nodes`, `nvidia.com/gpu`. Default `{ cpu = "1000" }`.
    #[attribute(optional)]
    pub limits: Attr<BTreeMap<String, String>>,
    /// Which class is asked first, where a pod fits several: 1 to 100, the greatest first.
    #[attribute(optional, validate(range(1..=100)))]
    pub weight: Attr<i64>,
    /// When nodes are taken away: `WhenEmptyOrUnderutilized`, `WhenEmpty` or `Balanced`. Default: the first; of `database` the second.
    #[attribute(
        optional,
        computed,
        validate(one_of("WhenEmptyOrUnderutilized", "WhenEmpty", "Balanced"))
    )]
    pub consolidation_policy: Attr<String>,
    /// How long a node is left alone before that, for example `5m`, or `Never`. Default `1m`; of `database` `10m`.
    #[attribute(optional, computed, validate(pattern("^(([0-9]+(s|m|h))+|Never)$")))]
    pub consolidate_after: Attr<String>,
    /// How many nodes may be taken away at a time, and when.
    #[attribute(optional)]
    pub budgets: Attr<Vec<Budget>>,
    /// How old a node gets, for example `720h`, or `Never`. Default `720h`; of `database` `Never`.
    #[attribute(optional, computed, validate(pattern("^(([0-9]+(s|m|h))+|Never)$")))]
    pub expire_after: Attr<String>,
    /// How long a node is drained before its pods are ended whatever protects them. Default `1h`; of `database` for ever.
    #[attribute(optional, computed, validate(pattern("^([0-9]+(s|m|h))+$")))]
    pub termination_grace_period: Attr<String>,
    /// The machine image, for example `al2023@v20261101` or `bottlerocket@1.50.0`; with `@latest` all nodes are replaced whenever AWS has a
    /// newer one. Default: the release of Amazon Linux 2023 that is the newest when the class is made, or changes its Kubernetes
    /// version.
    #[attribute(
        optional,
        computed,
        validate(pattern("^(al2023|bottlerocket|windows20[0-9]{2})@.+$"))
    )]
    pub ami_alias: Attr<String>,
    /// Minor version of Kubernetes, for example `ekb_cluster.main.kubernetes_version`: the image is that of this version.
    #[attribute(optional, computed, validate(pattern("^1\\.[0-9]+$")))]
    pub kubernetes_version: Attr<String>,
    /// Size of the disk in GiB. Default 50; of `gpu` 100.
    #[attribute(optional, computed, validate(range(8..=16384)))]
    pub disk_gib: Attr<i64>,
    /// ARN of the KMS key that encrypts the disk. Default: AWS's own.
    #[attribute(optional)]
    pub disk_kms_key_arn: Attr<String>,
    /// How far instance metadata goes: 1, to the node's own network alone, or 2, also to its pods.
    #[attribute(optional, computed, default = 1, validate(range(1..=64)))]
    pub metadata_hop_limit: Attr<i64>,
    /// Ids of the subnets of the nodes. Default: those with the tag `karpenter.sh/discovery` of the cluster, as `ekb_network` makes them.
    #[attribute(optional)]
    pub subnet_ids: Attr<BTreeSet<Attr<String>>>,
    /// Ids of the security groups of the nodes. Default: that of the cluster.
    #[attribute(optional)]
    pub security_group_ids: Attr<BTreeSet<Attr<String>>>,
    /// Tags of instances, disks and what else Karpenter makes. They are shown in the plan.
    #[attribute(optional)]
    pub instance_tags: Attr<BTreeMap<String, String>>,
    /// Settings of the kubelet. A change replaces the nodes.
    #[attribute(optional)]
    pub kubelet: Attr<Kubelet>,
    /// What instances run at their start, in the form of their image. A change replaces the nodes.
    #[attribute(optional)]
    pub user_data: Attr<String>,

    /// Id: `CLUSTER/NAME`.
    #[attribute(computed, keep)]
    pub id: Attr<String>,

    #[flatten]
    #[expect(missing_docs, reason = "its attributes have their own")]
    pub common: Common,
    /// How long operations may take. Defaults: create 10m, read 10m, update 10m, delete 60m.
    #[block]
    pub timeouts: Attr<Timeouts>,
}

/// What an instance's label has to be.
#[derive(Model, Debug, Clone, PartialEq)]
pub struct Requirement {
    /// `In` (default), `NotIn`, `Exists`, `DoesNotExist`, `Gt`, `Lt`, `Gte` or `Lte`.
    #[attribute(
        optional,
        validate(one_of("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt", "Gte", "Lte"))
    )]
    pub operator: Attr<String>,
    /// The values.
    #[attribute(optional)]
    pub values: Attr<BTreeSet<String>>,
    /// How many different values there have to be to choose from, 1 to 50.
    #[attribute(optional, validate(range(1..=50)))]
    pub min_values: Attr<i64>,
}

/// What keeps pods away that do not tolerate it.
#[derive(Model, Debug, Clone, PartialEq)]
pub struct Taint {
    /// Its value.
    #[attribute(optional)]
    pub value: Attr<String>,
    /// `NoSchedule` (default), `PreferNoSchedule` or `NoExecute`.
    #[attribute(optional, validate(one_of("NoSchedule", "PreferNoSchedule", "NoExecute")))]
    pub effect: Attr<String>,
}

/// How many nodes may be taken away at a time.
#[derive(Model, Debug, Clone, PartialEq)]
pub struct Budget {
    /// A number, or a part of all: `1`, `10%`.
    #[attribute(required, validate(pattern("^((100|[0-9]{1,2})%|[0-9]+)$")))]
    pub nodes: Attr<String>,
    /// For which reasons: `Underutilized`, `Empty`, `Drifted`. Default: all.
    #[attribute(optional, validate(one_of("Underutilized", "Empty", "Drifted")))]
    pub reasons: Attr<BTreeSet<String>>,
    /// When it begins, as cron has it, in UTC: `0 9 * * mon-fri`. Together with `duration`; default: always.
    #[attribute(optional)]
    pub schedule: Attr<String>,
    /// How long it lasts then: `8h`.
    #[attribute(optional, validate(pattern("^((([0-9]+(h|m))|([0-9]+h[0-9]+m))(0s)?)$")))]
    pub duration: Attr<String>,
}
