//! Clusters.

use std::collections::BTreeSet;

use async_trait::async_trait;
use aws_sdk_eks::types::{
    self, AuthenticationMode, ClusterStatus, ControlPlaneScalingConfig, CreateAccessConfigRequest,
    EncryptionConfig, KubernetesNetworkConfigRequest, LogSetup, LogType, Logging, Provider,
    ProvisionedControlPlaneTier, SupportType, UpdateAccessConfigRequest, UpgradePolicyRequest,
    VpcConfigRequest, ZonalShiftConfigRequest,
};
use reconcile::failure::{Class, Failure};
use reconcile::part::{
    Call, Condition, Deleted, Difference, Idempotence, KindTraits, Loss, Made, Object, Part, Ref, Remedy,
    Tags, Target, Text,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Eks, Of, ids, inside, is_open,
    issues::{self, issues},
    refused,
};
use crate::failure::codes;
use crate::kind::{ByName, no_answer, of, outputs, pace, pages, settled, usual};

/// A cluster: the control plane. Whoever makes it gets no access by that, and it comes without add-ons: both are parts of their
/// own.
///
/// EKS carries out one update at a time, and takes one kind of change in a call: so do we, one after the other.
#[derive(Debug, Clone, Serialize, Part)]
#[part(kind = "cluster")]
pub struct Cluster {
    /// Its name, once in account and region: at most 100 characters (AWS EKS `CreateCluster`).
    #[part(replace)]
    pub name: String,
    /// Version of Kubernetes, for example `1.35`. EKS goes up one minor at a time, and back by one within seven days (AWS EKS
    /// `UpdateClusterVersion`): whoever wants more declares stages.
    #[part(change = another_version)]
    pub version: String,
    /// The ARN of the role that EKS uses; it cannot be changed.
    #[part(change = another_role)]
    pub role_arn: Text,
    /// Subnets with interfaces of the control plane: at least two, in zones that stay the same (AWS EKS `UpdateClusterConfig`).
    #[part(unordered)]
    pub subnets: Vec<Target>,
    /// Security groups of these interfaces beside the one that EKS makes: at most four.
    #[part(unordered)]
    pub security_groups: Vec<Target>,
    /// The API server is reached within the VPC.
    pub endpoint_private: bool,
    /// The API server is reached from the internet.
    pub endpoint_public: bool,
    /// Who reaches it from the internet; none where nobody does.
    pub public_cidrs: BTreeSet<String>,
    /// Addresses of services, from /24 to /12, private and outside of the VPC; it cannot be changed.
    #[part(change = another_service_range)]
    pub service_cidr: String,
    /// Logs of the control plane that go to CloudWatch: `api`, `audit`, `authenticator`, `controllerManager`, `scheduler`.
    pub logging: BTreeSet<String>,
    /// The ARN of the KMS key for Secrets. It can be added, and then neither changed nor removed.
    #[part(change = another_key)]
    pub encryption_key: Option<Text>,
    /// `API`, `API_AND_CONFIG_MAP` or `CONFIG_MAP`; only towards `API`.
    #[part(change = another_mode)]
    pub authentication_mode: String,
    /// `STANDARD` (AWS upgrades at the end of standard support) or `EXTENDED` (it costs more from then on).
    pub support: String,
    /// Provisioned size of the control plane: `standard`, `tier-xl`, `tier-2xl`, `tier-4xl` or `tier-8xl`.
    pub tier: String,
    /// Traffic is led away from a zone in trouble (ARC zonal shift).
    pub zonal_shift: bool,
    /// It cannot be deleted.
    pub deletion_protection: bool,
    /// Upgrades go on though insights stand against them.
    #[part(not_compared)]
    pub force_upgrade: bool,
    /// What has to be there before it: its log group, which EKS would make without a retention.
    #[part(not_compared)]
    pub after: Vec<Ref>,
    /// Tags beside those of ownership.
    pub tags: Tags,
}

/// Minor of `1.35`.
fn minor(version: &Value) -> Option<i64> {
    version.as_str()?.strip_prefix("1.")?.parse().ok()
}

fn another_version(is: &Value, should: &Value) -> Remedy {
    match (minor(is), minor(should)) {
        (Some(is), Some(should)) if should < is - 1 => refused(
            "EKS goes back by one minor at most",
            "Declare the version that the cluster has, or the one before it.",
        ),
        _ => Remedy::Update,
    }
}

fn another_role(_: &Value, should: &Value) -> Remedy {
    if is_open(should) {
        return Remedy::Update;
    }
    refused(
        "EKS keeps the role that a cluster was made with",
        "Declare that role; another one needs another cluster.",
    )
}

fn another_service_range(_: &Value, _: &Value) -> Remedy {
    refused(
        "EKS keeps the service range that a cluster was made with",
        "Declare that range; another one needs another cluster.",
    )
}

fn another_key(is: &Value, should: &Value) -> Remedy {
    if is.is_null() || is_open(should) {
        return Remedy::Update;
    }
    refused(
        "EKS keeps the key of the Secrets once there is one",
        "Declare it as it was: another key, or none, needs another cluster.",
    )
}

const MODES: [&str; 3] = ["CONFIG_MAP", "API_AND_CONFIG_MAP", "API"];

/// How far the mode is on its way.
fn step(mode: &Value) -> Option<usize> {
    MODES.iter().position(|known| mode == *known)
}

fn another_mode(is: &Value, should: &Value) -> Remedy {
    if step(is) <= step(should) {
        return Remedy::Update;
    }
    refused(
        "EKS does not go back to an earlier way of authentication",
        "Declare the mode that the cluster has, or a later one.",
    )
}

#[async_trait]
impl ByName for Cluster {
    type Client = aws_sdk_eks::Client;

    const TRAITS: KindTraits = KindTraits {
        title: "EKS cluster",
        deletion_order: 60,
        idempotence: Idempotence::NaturalKey,
        pace: pace(540, 150, 3600),
        reads: &[
            "eks:DescribeCluster",
            "eks:ListClusters",
            "eks:DescribeUpdate",
            "eks:ListNodegroups",
            "eks:DescribeNodegroup",
            "eks:ListFargateProfiles",
            "ec2:DescribeInstances",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeNetworkInterfaces",
        ],
        writes: &[
            "eks:CreateCluster",
            "eks:UpdateClusterConfig",
            "eks:UpdateClusterVersion",
            // Before each change of the version; it changes nothing, and only an apply needs it.
            "eks:StartInsightsRefresh",
            "eks:AssociateEncryptionConfig",
            "eks:DeleteCluster",
            "eks:DeleteNodegroup",
            "eks:DeleteFargateProfile",
            "ec2:TerminateInstances",
            "eks:TagResource",
            "eks:UntagResource",
        ],
        ..usual(Self::KIND)
    };
    const LOSS: Loss = Loss::Thing("everything that runs in it");

    fn name(&self) -> &str {
        &self.name
    }

    async fn all(eks: &Eks) -> Result<Vec<String>, Failure> {
        pages(|token| async {
            let list = eks.read.list_clusters().set_next_token(token).send();
            let answer = eks.call("eks:ListClusters", list).await?;
            Ok((answer.clusters, answer.next_token))
        })
        .await
    }

    async fn see(eks: &Eks, name: &str) -> Result<Option<Object>, Failure> {
        let begun = eks.under_way(name, Of::Cluster).await?;
        let Some(cluster) = describe(eks, name).await? else {
            return Ok(None);
        };
        let version = cluster.version.clone();
        let mut object = see(cluster);
        eks.follow(begun, version.as_deref(), &mut object);
        Ok(Some(object))
    }

    async fn make(&self, eks: &Eks, call: &Call) -> Result<Made, Failure> {
        let network = VpcConfigRequest::builder()
            .set_subnet_ids(Some(ids(&self.subnets, call)?))
            .set_security_group_ids(Some(ids(&self.security_groups, call)?))
            .endpoint_private_access(self.endpoint_private)
            .endpoint_public_access(self.endpoint_public)
            .set_public_access_cidrs(list(&self.public_cidrs).filter(|_| self.endpoint_public));
        let services = KubernetesNetworkConfigRequest::builder().service_ipv4_cidr(&self.service_cidr);
        let access = CreateAccessConfigRequest::builder()
            .authentication_mode(AuthenticationMode::from(self.authentication_mode.as_str()))
            .bootstrap_cluster_creator_admin_permissions(false);
        let key = self
            .encryption_key
            .as_ref()
            .map(|key| call.text(key))
            .transpose()?;
        let make = eks
            .write
            .create_cluster()
            .name(&self.name)
            .version(&self.version)
            .role_arn(call.text(&self.role_arn)?)
            .resources_vpc_config(network.build())
            .kubernetes_network_config(services.build())
            .logging(self.logs())
            .access_config(access.build())
            .set_encryption_config(key.map(|key| vec![encryption(key)]))
            .bootstrap_self_managed_addons(false)
            .upgrade_policy(self.policy())
            .zonal_shift_config(
                ZonalShiftConfigRequest::builder()
                    .enabled(self.zonal_shift)
                    .build(),
            )
            .control_plane_scaling_config(self.size())
            .deletion_protection(self.deletion_protection)
            .set_tags(Some(call.tags(&self.tags).into_iter().collect()));
        let answer = eks.call("eks:CreateCluster", make.send()).await?;
        let made = answer.cluster.map(see).ok_or_else(|| no_answer(call))?;
        Ok(Made::new(&self.name, made.condition).arn(made.arn))
    }

    async fn change(&self, eks: &Eks, is: &Object, what: &[Difference], call: &Call) -> Result<(), Failure> {
        let (name, differs) = (&self.name, |field: &str| of(field, what).is_some());
        let config = eks.write.update_cluster_config().name(name);
        let network = VpcConfigRequest::builder();
        // A cluster whose version is out of standard support gets the standard policy after its upgrade only, and has to get the
        // extended one before.
        let leaves_extended = differs("support") && self.support == "STANDARD";
        let config = if differs("support") && !leaves_extended {
            config.upgrade_policy(self.policy())
        } else if differs("encryption_key")
            && let Some(key) = &self.encryption_key
        {
            let key = encryption(call.text(key)?);
            let add = eks.write.associate_encryption_config().cluster_name(name);
            let add = add.encryption_config(key).send();
            let answer = eks.call("eks:AssociateEncryptionConfig", add).await?;
            eks.began(name, answer.update, None);
            return Ok(());
        } else if let Some(mode) = of("authentication_mode", what) {
            // One step at a time.
            let next = step(&mode.is).and_then(|step| MODES.get(step + 1));
            let mode = next.copied().unwrap_or(&self.authentication_mode);
            let mode =
                UpdateAccessConfigRequest::builder().authentication_mode(AuthenticationMode::from(mode));
            config.access_config(mode.build())
        } else if ["endpoint_private", "endpoint_public", "public_cidrs"]
            .into_iter()
            .any(differs)
        {
            let network = network
                .endpoint_private_access(self.endpoint_private)
                .endpoint_public_access(self.endpoint_public)
                .set_public_access_cidrs(list(&self.public_cidrs).filter(|_| self.endpoint_public));
            config.resources_vpc_config(network.build())
        } else if differs("subnets") {
            let subnets = ids(&self.subnets, call)?;
            config.resources_vpc_config(network.set_subnet_ids(Some(subnets)).build())
        } else if differs("security_groups") {
            let groups = ids(&self.security_groups, call)?;
            config.resources_vpc_config(network.set_security_group_ids(Some(groups)).build())
        } else if differs("logging") {
            config.logging(self.logs())
        } else if differs("zonal_shift") {
            config.zonal_shift_config(
                ZonalShiftConfigRequest::builder()
                    .enabled(self.zonal_shift)
                    .build(),
            )
        } else if differs("tier") {
            config.control_plane_scaling_config(self.size())
        } else if differs("deletion_protection") {
            config.deletion_protection(self.deletion_protection)
        } else if differs("version") {
            let update = eks
                .write
                .update_cluster_version()
                .name(name)
                .version(&self.version);
            let update = update.force(self.force_upgrade);
            let eks = eks.to(format!(
                "bringing EKS cluster {name} from version {} to {}",
                is.fields["version"].as_str().unwrap_or_default(),
                self.version
            ));
            let answer = eks.call("eks:UpdateClusterVersion", update.send()).await?;
            eks.began(name, answer.update, None);
            return Ok(());
        } else if leaves_extended {
            config.upgrade_policy(self.policy())
        } else {
            return Ok(());
        };
        let answer = eks.call("eks:UpdateClusterConfig", config.send()).await?;
        eks.began(name, answer.update, None);
        Ok(())
    }

    async fn tag(eks: &Eks, name: &str, tags: &Tags) -> Result<(), Failure> {
        eks.tag(&arn(eks, name).await?, tags).await
    }

    async fn untag(eks: &Eks, name: &str, tags: &[String]) -> Result<(), Failure> {
        eks.untag(&arn(eks, name).await?, tags).await
    }

    async fn unmake(eks: &Eks, object: &Object) -> Result<Deleted, Failure> {
        if inside::is_forced(&object.tags) {
            inside::take_along(eks, &object.id).await?;
        }
        let delete = eks.write.delete_cluster().name(&object.id);
        eks.call("eks:DeleteCluster", delete.send()).await?;
        Ok(Deleted::Begun)
    }

    fn lock(name: &str) -> Option<String> {
        Some(format!("EKS cluster {name}"))
    }

    async fn in_the_way(eks: &Eks, it: &Object, _: &[&Object], ours: &[&Object]) -> Result<(), Failure> {
        let doing = format!("deleting EKS cluster {}", it.id);
        if it.fields["deletion_protection"] == true {
            return Err(
                Failure::new(Class::Invalid, doing, "its deletion protection is on")
                    .code(codes::INVALID)
                    .hint("Set it to false, apply, then destroy. Nothing was deleted."),
            );
        }
        inside::before(eks, it, ours).await
    }
}

impl Cluster {
    /// Each type of log is on or off; what is not said stays as it is.
    fn logs(&self) -> Logging {
        let (on, off): (Vec<LogType>, Vec<LogType>) = LogType::values()
            .iter()
            .map(|name| LogType::from(*name))
            .partition(|kind| self.logging.contains(kind.as_str()));
        let setup = |types: Vec<LogType>, enabled| {
            let setup = LogSetup::builder()
                .set_types(Some(types.clone()))
                .enabled(enabled);
            (!types.is_empty()).then(|| setup.build())
        };
        let setups = [setup(on, true), setup(off, false)].into_iter().flatten();
        Logging::builder()
            .set_cluster_logging(Some(setups.collect()))
            .build()
    }

    fn policy(&self) -> UpgradePolicyRequest {
        UpgradePolicyRequest::builder()
            .support_type(SupportType::from(self.support.as_str()))
            .build()
    }

    fn size(&self) -> ControlPlaneScalingConfig {
        ControlPlaneScalingConfig::builder()
            .tier(ProvisionedControlPlaneTier::from(self.tier.as_str()))
            .build()
    }
}

#[expect(
    deprecated,
    reason = "EKS encrypts everything by now; older APIs want it said of Secrets, and take nothing else"
)]
fn encryption(key: String) -> EncryptionConfig {
    EncryptionConfig::builder()
        .resources("secrets")
        .provider(Provider::builder().key_arn(key).build())
        .build()
}

fn list(values: &BTreeSet<String>) -> Option<Vec<String>> {
    Some(values.iter().cloned().collect())
}

async fn describe(eks: &Eks, name: &str) -> Result<Option<types::Cluster>, Failure> {
    let describe = eks.read.describe_cluster().name(name);
    Ok(eks.call("eks:DescribeCluster", describe.send()).await?.cluster)
}

/// Its ARN, as tags want it.
async fn arn(eks: &Eks, name: &str) -> Result<String, Failure> {
    let cluster = describe(eks, name).await?;
    cluster
        .and_then(|cluster| cluster.arn)
        .ok_or_else(|| Failure::new(Class::NotFound, eks.doing(), "it is gone").code(codes::NOT_FOUND))
}

pub(super) fn see(cluster: types::Cluster) -> Object {
    let issues = issues!(cluster.health.and_then(|health| health.issues));
    let status = cluster
        .status
        .as_ref()
        .map_or("", ClusterStatus::as_str)
        .to_owned();
    let condition = match status.as_str() {
        "ACTIVE" => Condition::Settled,
        "DELETING" => Condition::Deleting,
        "FAILED" => Condition::Failed(issues::told("FAILED", &issues)),
        _ => Condition::Changing(status.clone()),
    };
    let network = cluster.resources_vpc_config;
    let network = network.unwrap_or_else(|| types::VpcConfigResponse::builder().build());
    let set = |values: Option<Vec<String>>| values.unwrap_or_default().into_iter().collect::<BTreeSet<_>>();
    let is_public = network.endpoint_public_access;
    let cidrs = set(network.public_access_cidrs.filter(|_| is_public));
    let setups = cluster.logging.and_then(|logging| logging.cluster_logging);
    let on = setups
        .into_iter()
        .flatten()
        .filter(|setup| setup.enabled == Some(true));
    let on = on.flat_map(|setup| setup.types.unwrap_or_default());
    let on: BTreeSet<String> = on.map(|kind| kind.as_str().to_owned()).collect();
    let keys = cluster.encryption_config.into_iter().flatten();
    let key = keys.filter_map(|config| config.provider?.key_arn).next();
    let mode = cluster
        .access_config
        .and_then(|access| access.authentication_mode);
    let support = cluster.upgrade_policy.and_then(|policy| policy.support_type);
    let tier = cluster
        .control_plane_scaling_config
        .and_then(|config| config.tier);
    let issuer = cluster.identity.and_then(|identity| identity.oidc?.issuer);
    let (subnets, groups) = (
        network.subnet_ids.unwrap_or_default(),
        network.security_group_ids.unwrap_or_default(),
    );
    let fields = json!({
        "name": cluster.name,
        "version": cluster.version,
        "role_arn": cluster.role_arn,
        "subnets": subnets,
        "security_groups": groups,
        "endpoint_private": network.endpoint_private_access,
        "endpoint_public": is_public,
        "public_cidrs": cidrs,
        "service_cidr": cluster.kubernetes_network_config.and_then(|config| config.service_ipv4_cidr),
        "logging": on,
        "encryption_key": key,
        // What the service does not say is what it does by itself.
        "authentication_mode": mode.as_ref().map_or("CONFIG_MAP", AuthenticationMode::as_str),
        "support": support.as_ref().map_or("EXTENDED", SupportType::as_str),
        "tier": tier.as_ref().map_or("standard", ProvisionedControlPlaneTier::as_str),
        "zonal_shift": cluster.zonal_shift_config.and_then(|config| config.enabled).unwrap_or_default(),
        "deletion_protection": cluster.deletion_protection.unwrap_or_default(),
    });
    // EKS's own group goes with the cluster, or after it.
    let references = [
        network.vpc_id.clone(),
        network.cluster_security_group_id.clone(),
        cluster.role_arn,
        key,
    ]
    .into_iter()
    .flatten();
    Object {
        arn: cluster.arn,
        condition,
        tags: cluster.tags.unwrap_or_default().into_iter().collect(),
        references: references.chain(subnets).chain(groups).collect(),
        outputs: outputs([
            ("endpoint", cluster.endpoint),
            (
                "certificate_authority",
                cluster.certificate_authority.and_then(|authority| authority.data),
            ),
            (
                "oidc_host",
                issuer
                    .as_ref()
                    .map(|issuer| issuer.trim_start_matches("https://").to_owned()),
            ),
            ("oidc_issuer", issuer),
            ("cluster_security_group_id", network.cluster_security_group_id),
            ("vpc_id", network.vpc_id),
            ("version", cluster.version),
            ("platform_version", cluster.platform_version),
            ("status", Some(status)),
        ]),
        detail: json!({ "issues": issues::each(&issues) }),
        ..settled(fields)
    }
}
