//! What users write and see of `ekb_cluster`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use framework::{Attr, Model, Timeouts};
use ipnet::Ipv4Net;
use reconcile::resource::{Common, Managed};

/// The Kubernetes cluster of an environment: EKS with its roles, encryption key, log group and OIDC provider, the access of
/// people and programs, the nodes that run the system's own pods, the add-ons, and a default StorageClass.
///
/// Everything else that runs in the cluster runs on nodes that Karpenter makes. The system nodes are tainted for add-ons and
/// controllers alone.
#[derive(Model, Managed, Debug, Clone, Default)]
pub struct Cluster {
    /// Name of the cluster. Default: the environment's name. What is made beside it is called `<name>-<component>`.
    #[attribute(optional, computed, keep, replace, validate(pattern("^[0-9A-Za-z][0-9A-Za-z_-]*$"), length(1..=100)))]
    pub name: Attr<String>,
    /// Kubernetes version, as minor: `1.35`. A later one upgrades in place, a minor at a time: control plane, system nodes,
    /// add-ons.
    #[attribute(required, validate(pattern("^1[.][0-9]+$")))]
    pub kubernetes_version: Attr<String>,
    /// Id of the VPC; the subnets have to lie in it. Default: that of the subnets.
    #[attribute(optional, computed, keep)]
    pub vpc_id: Attr<String>,
    /// Ids of the subnets of the control plane's interfaces and of the system nodes: private ones, in two zones at least.
    #[attribute(required)]
    pub subnet_ids: Attr<BTreeSet<Attr<String>>>,
    /// Ids of further security groups of the control plane's interfaces, beside the one that EKS makes: at most four.
    #[attribute(optional, validate(length(0..=4)))]
    pub security_group_ids: Attr<BTreeSet<Attr<String>>>,
    /// Who reaches the Kubernetes API. Inside the VPC it is always reached privately; say here whether also from outside.
    #[attribute(optional)]
    pub endpoint_access: Attr<EndpointAccess>,
    /// Encryption of Secrets by a KMS key, which is on unless `enabled = false`. It can be added later, and never taken away.
    #[attribute(optional)]
    pub encryption: Attr<Encryption>,
    /// Logs of the control plane.
    #[attribute(optional)]
    pub logging: Attr<Logging>,
    /// Whether access entries alone let in (`API`), or also the ConfigMap `aws-auth` (`API_AND_CONFIG_MAP`). Default `API`; of a cluster
    /// that was imported with `aws-auth` the latter. There is no way back from `API`.
    #[attribute(optional, computed, keep, validate(one_of("API", "API_AND_CONFIG_MAP")))]
    pub authentication_mode: Attr<String>,
    /// Who enters the cluster, by names of your choice. The identity that creates the cluster has access as administrator
    /// beside them.
    #[attribute(optional)]
    pub access: Attr<BTreeMap<String, Access>>,
    /// Whether the identity that creates the cluster has an access entry as administrator. False where `access` names it.
    #[attribute(optional, computed, default = true)]
    pub creator_access: Attr<bool>,
    /// The nodes that run the system's own pods.
    #[attribute(optional)]
    pub system_nodes: Attr<SystemNodes>,
    /// EKS add-ons by name. On by default: `vpc-cni`, `kube-proxy`, `coredns`, `eks-pod-identity-agent`,
    /// `aws-ebs-csi-driver`, `metrics-server` and `snapshot-controller`.
    #[attribute(optional)]
    pub addons: Attr<BTreeMap<String, Addon>>,
    /// Whether there is a default StorageClass `gp3`: encrypted volumes that can grow, in the zone of their pod.
    #[attribute(optional, computed, default = true)]
    pub default_storage_class: Attr<bool>,
    /// `standard` (AWS upgrades the cluster when standard support of its version ends) or `extended` (the version stays for
    /// another year, at a higher price).
    #[attribute(
        optional,
        computed,
        default = "extended",
        validate(one_of("standard", "extended"))
    )]
    pub support: Attr<String>,
    /// Capacity of the control plane: `standard`, or one that is paid for: `tier-xl`, `tier-2xl`, `tier-4xl`, `tier-8xl`.
    #[attribute(
        optional,
        computed,
        default = "standard",
        validate(one_of("standard", "tier-xl", "tier-2xl", "tier-4xl", "tier-8xl"))
    )]
    pub control_plane_tier: Attr<String>,
    /// Whether AWS may shift traffic away from an impaired zone (ARC zonal shift).
    #[attribute(optional, computed, default = false)]
    pub zonal_shift: Attr<bool>,
    /// Whether the cluster is kept from being destroyed. To destroy it set this to false and apply first.
    #[attribute(optional, computed, default = false)]
    pub deletion_protection: Attr<bool>,
    /// Range of the addresses of Services, /12 to /24 of a private range, apart from the VPC's. Cannot be changed.
    #[attribute(optional, computed, keep, default = "172.20.0.0/16")]
    pub service_cidr: Attr<Ipv4Net>,
    /// Path of the roles that are made.
    #[attribute(optional, validate(pattern("^/([!-~]+/)?$")))]
    pub role_path: Attr<String>,
    /// ARN of the policy that bounds the permissions of the roles that are made.
    #[attribute(optional, validate(pattern("^arn:aws[a-z-]*:iam::[0-9]{12}:policy/.+$")))]
    pub role_permissions_boundary: Attr<String>,
    /// ARN of the cluster's role. Default: one is made.
    #[attribute(optional, validate(pattern("^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$")))]
    pub cluster_role_arn: Attr<String>,
    /// ARN of the role of the system nodes. Default: one is made.
    #[attribute(optional, validate(pattern("^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$")))]
    pub node_role_arn: Attr<String>,
    /// Whether the version may go back by one minor, within seven days of an upgrade (EKS version rollback). What AWS upgraded by itself
    /// does not go back by this.
    #[attribute(optional)]
    pub allow_rollback: Attr<bool>,
    /// Whether the version changes although EKS's insights, or controllers in the cluster that are too old for it, stand against
    /// it. EKS is then told so too (`force` of AWS EKS UpdateClusterVersion).
    #[attribute(optional)]
    pub force_insights: Attr<bool>,
    /// Whether nodes are replaced although PodDisruptionBudgets do not let their pods go (`force` of AWS EKS
    /// UpdateNodegroupVersion).
    #[attribute(optional)]
    pub force_drain: Attr<bool>,
    /// Whether a destroy goes on although others have something in the cluster: it then deletes their node groups and Fargate
    /// profiles and the instances of Karpenter with the cluster. Load balancers stay, as the world knows them by their names. A destroy
    /// sees only what was applied: set it, apply, then destroy.
    #[attribute(optional)]
    pub force_destroy: Attr<bool>,

    /// Name of the cluster.
    #[attribute(computed, keep)]
    pub id: Attr<String>,
    /// ARN of the cluster.
    #[attribute(computed, keep)]
    pub arn: Attr<String>,
    /// URL of the Kubernetes API.
    #[attribute(computed, keep)]
    pub endpoint: Attr<String>,
    /// Certificate of the authority that the Kubernetes API's certificate is from: PEM in base64.
    #[attribute(computed, keep)]
    pub certificate_authority: Attr<String>,
    /// URL of the issuer of the tokens of ServiceAccounts.
    #[attribute(computed, keep)]
    pub oidc_issuer: Attr<String>,
    /// ARN of the IAM OIDC provider of that issuer.
    #[attribute(computed, keep)]
    pub oidc_provider_arn: Attr<String>,
    /// Id of the security group that EKS makes for control plane and nodes.
    #[attribute(computed, keep)]
    pub cluster_security_group_id: Attr<String>,
    /// ARN of the KMS key that encrypts Secrets.
    #[attribute(computed, keep)]
    pub encryption_key_arn: Attr<String>,
    /// ARN of the identity that created the cluster, which has access as administrator.
    #[attribute(computed, keep)]
    pub creator_principal_arn: Attr<String>,
    /// ARNs of the roles, made or given, by component: `cluster`, `node`, and the add-ons that have one.
    #[attribute(computed, keep)]
    pub role_arns: Attr<BTreeMap<String, Attr<String>>>,
    /// Versions of the add-ons: those that are given, else EKS's default for the cluster's version, looked up once for a version.
    #[attribute(computed, keep)]
    pub addon_versions: Attr<BTreeMap<String, Attr<String>>>,
    /// EKS's version of the control plane's platform.
    #[attribute(computed)]
    pub platform_version: Attr<String>,
    /// When AWS's support of the version ends, by `support`: a date.
    #[attribute(computed, keep)]
    pub support_ends: Attr<String>,

    #[flatten]
    #[expect(missing_docs, reason = "its attributes have their own")]
    pub common: Common,
    /// How long operations may take. Defaults: create 60m, read 10m, update 180m, delete 60m.
    #[block]
    pub timeouts: Attr<Timeouts>,
}

/// Who reaches the Kubernetes API from outside of the VPC.
#[derive(Model, Debug, Clone)]
pub struct EndpointAccess {
    /// IPv4 ranges that reach the public endpoint. `0.0.0.0/0` opens it to everybody who has access.
    #[attribute(optional)]
    pub public_cidrs: Attr<BTreeSet<Ipv4Net>>,
    /// True where there is no public endpoint: who applies then has to be in the VPC, or connected with it.
    #[attribute(optional)]
    pub private_only: Attr<bool>,
}

/// Encryption of Secrets.
#[derive(Model, Debug, Clone)]
pub struct Encryption {
    /// Whether Secrets are encrypted by a KMS key of the account. Default true.
    #[attribute(optional)]
    pub enabled: Attr<bool>,
    /// ARN of the key. Default: one is made.
    #[attribute(
        optional,
        validate(pattern("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/.+$"))
    )]
    pub kms_key_arn: Attr<String>,
}

/// Logs of the control plane.
#[derive(Model, Debug, Clone)]
pub struct Logging {
    /// Which: `api`, `audit`, `authenticator`, `controllerManager`, `scheduler`. Default: the first three.
    #[attribute(
        optional,
        validate(one_of("api", "audit", "authenticator", "controllerManager", "scheduler"))
    )]
    pub types: Attr<BTreeSet<String>>,
    /// How many days they are kept (AWS CloudWatch Logs PutRetentionPolicy). Default 30.
    #[attribute(optional)]
    pub retention_days: Attr<i64>,
    /// Whether the log group stays when the cluster goes.
    #[attribute(optional)]
    pub retain_logs: Attr<bool>,
}

/// Access of an IAM principal.
#[derive(Model, Debug, Clone)]
pub struct Access {
    /// ARN of the role or user, with its path.
    #[attribute(required)]
    pub principal_arn: Attr<String>,
    /// `admin` (all), `edit`, `view` (neither Secrets nor custom resources), or `admin_view` (reads everything, Secrets too: what
    /// roles that only plan need). None where `policies` or `groups` say what it may do.
    #[attribute(optional, validate(one_of("admin", "edit", "view", "admin_view")))]
    pub level: Attr<String>,
    /// Namespaces that it is for. Default: the whole cluster.
    #[attribute(optional)]
    pub namespaces: Attr<BTreeSet<String>>,
    /// ARNs of further access policies of EKS, for the same namespaces.
    #[attribute(
        optional,
        validate(pattern("^arn:aws[a-z-]*:eks::aws:cluster-access-policy/.+$"))
    )]
    pub policies: Attr<BTreeSet<String>>,
    /// Kubernetes groups, for roles and bindings of your own.
    #[attribute(optional)]
    pub groups: Attr<BTreeSet<String>>,
    /// Name in Kubernetes. Default: EKS's, from the ARN.
    #[attribute(optional)]
    pub username: Attr<String>,
    /// `STANDARD`, or what nodes that are made elsewhere need: `EC2_LINUX`, `EC2_WINDOWS`, `FARGATE_LINUX`, `HYBRID_LINUX`.
    /// Default `STANDARD`.
    #[attribute(
        optional,
        validate(one_of("STANDARD", "EC2_LINUX", "EC2_WINDOWS", "FARGATE_LINUX", "HYBRID_LINUX"))
    )]
    pub kind: Attr<String>,
}

/// The nodes that run the system's own pods.
#[derive(Model, Debug, Clone, Default, PartialEq)]
pub struct SystemNodes {
    /// Instance types, all of one architecture. Default `["t4g.large"]` or, for x86_64, `["t3.large"]`.
    #[attribute(optional)]
    pub instance_types: Attr<BTreeSet<String>>,
    /// `arm64` or `x86_64`. Default `arm64`.
    #[attribute(optional, validate(one_of("arm64", "x86_64")))]
    pub architecture: Attr<String>,
    /// EKS's type of the machine image. Default: Amazon Linux 2023 of the architecture.
    #[attribute(optional)]
    pub ami_type: Attr<String>,
    /// Release of the machine image, for example `1.35.0-20261101`. Default: the latest when the nodes are made or change their
    /// version.
    #[attribute(optional)]
    pub release_version: Attr<String>,
    /// `on_demand` or `spot`. Default `on_demand`.
    #[attribute(optional, validate(one_of("on_demand", "spot")))]
    pub capacity_type: Attr<String>,
    /// Fewest nodes. Default 2.
    #[attribute(optional, validate(range(0..=450)))]
    pub min: Attr<i64>,
    /// Most nodes. Default: one more than `min`.
    #[attribute(optional, validate(range(1..=450)))]
    pub max: Attr<i64>,
    /// How many there are at first. What changes it later is left alone. Default: `min`.
    #[attribute(optional, validate(range(0..=450)))]
    pub desired: Attr<i64>,
    /// Size of their disk in GiB. Default 50.
    #[attribute(optional, validate(range(8..=16384)))]
    pub disk_gib: Attr<i64>,
    /// Labels of the nodes.
    #[attribute(optional)]
    pub labels: Attr<BTreeMap<String, String>>,
    /// Whether only add-ons and controllers run on them (taint `CriticalAddonsOnly`). Default true.
    #[attribute(optional)]
    pub only_system_pods: Attr<bool>,
    /// Subnets, where they shall not be those of the control plane.
    #[attribute(optional)]
    pub subnet_ids: Attr<BTreeSet<Attr<String>>>,
    /// ARNs of further policies of their role.
    #[attribute(optional)]
    pub policies: Attr<BTreeSet<String>>,
    /// How many nodes are replaced at a time. Default 1.
    #[attribute(optional, validate(range(1..=100)))]
    pub max_unavailable: Attr<i64>,
    /// Settings of their kubelet, for images of Amazon Linux 2023 and Bottlerocket. A change replaces the nodes.
    #[attribute(optional)]
    pub kubelet: Attr<Kubelet>,
}

/// Settings of the kubelet, named as in Karpenter's EC2NodeClass. Default of each: what EKS's image has.
#[derive(Model, Debug, Clone, Default, PartialEq)]
pub struct Kubelet {
    /// Most pods of a node.
    #[attribute(optional, validate(range(1..)))]
    pub max_pods: Attr<i64>,
    /// Most pods of a node for each of its cores; never more than `max_pods`. Not with Bottlerocket.
    #[attribute(optional, validate(range(0..)))]
    pub pods_per_core: Attr<i64>,
    /// What is set apart for the system: `cpu`, `memory`, `ephemeral-storage`, `pid`.
    #[attribute(optional, validate(pattern("^[0-9]+([.][0-9]+)?(m|k|[KMGTPE]i|[MGTPE])?$")))]
    pub system_reserved: Attr<BTreeMap<String, String>>,
    /// What is set apart for kubelet and container runtime: `cpu`, `memory`, `ephemeral-storage`, `pid`.
    #[attribute(optional, validate(pattern("^[0-9]+([.][0-9]+)?(m|k|[KMGTPE]i|[MGTPE])?$")))]
    pub kube_reserved: Attr<BTreeMap<String, String>>,
    /// Thresholds at which pods are evicted at once, by signal (`memory.available`, `nodefs.available`, `nodefs.inodesFree`,
    /// `imagefs.available`, `imagefs.inodesFree`, `pid.available`): a quantity or a percentage. Signals that are not given
    /// keep the thresholds of EKS's images.
    #[attribute(optional, validate(pattern("^[0-9]+([.][0-9]+)?(%|m|k|[KMGTPE]i|[MGTPE])?$")))]
    pub eviction_hard: Attr<BTreeMap<String, String>>,
    /// Thresholds at which pods are evicted after a grace period, by signal.
    #[attribute(optional, validate(pattern("^[0-9]+([.][0-9]+)?(%|m|k|[KMGTPE]i|[MGTPE])?$")))]
    pub eviction_soft: Attr<BTreeMap<String, String>>,
    /// How long a threshold of `eviction_soft` is passed before pods are evicted, by signal: for example `90s`.
    #[attribute(optional, validate(pattern("^([0-9]+([.][0-9]+)?(ms|s|m|h))+$")))]
    pub eviction_soft_grace_period: Attr<BTreeMap<String, String>>,
    /// Most seconds that pods which are evicted softly have to end.
    #[attribute(optional, validate(range(0..)))]
    pub eviction_max_pod_grace_period: Attr<i64>,
    /// Percentage of the disk from which on images that nothing uses are removed.
    #[attribute(optional, validate(range(0..=100)))]
    pub image_gc_high_threshold_percent: Attr<i64>,
    /// Percentage of the disk down to which they are removed.
    #[attribute(optional, validate(range(0..=100)))]
    pub image_gc_low_threshold_percent: Attr<i64>,
    /// Whether CPU limits of containers are enforced by quotas.
    #[attribute(optional)]
    pub cpu_cfs_quota: Attr<bool>,
    /// IP addresses of the DNS servers of pods.
    #[attribute(optional)]
    pub cluster_dns: Attr<Vec<IpAddr>>,
}

/// An add-on.
#[derive(Model, Debug, Clone, Default)]
pub struct Addon {
    /// Whether it is there. Default true; to leave out one that is on by default, false.
    #[attribute(optional)]
    pub enabled: Attr<bool>,
    /// Its version. Default: EKS's default for the cluster's version, looked up once for a version.
    #[attribute(optional)]
    pub version: Attr<String>,
    /// Its configuration as JSON (`jsonencode(…)`), checked against the add-on's schema. What is not said here is as the provider
    /// configures it: pods of add-ons tolerate the taint of the system nodes.
    #[attribute(optional)]
    pub configuration: Attr<String>,
    /// What an update does with fields of its objects that others changed: `preserve` leaves them, `overwrite` takes them back. Default
    /// `preserve`. Installing it always overwrites.
    #[attribute(optional, validate(one_of("preserve", "overwrite")))]
    pub resolve_conflicts: Attr<String>,
    /// ARN of the role that its pods assume. Default: of `vpc-cni` and `aws-ebs-csi-driver` one is made.
    #[attribute(optional)]
    pub role_arn: Attr<String>,
    /// How its pods come by the role: `pod_identity` or `irsa`. Default `pod_identity`.
    #[attribute(optional, validate(one_of("pod_identity", "irsa")))]
    pub role_by: Attr<String>,
}
