//! What plans look up for a cluster: versions and add-ons that EKS has, what it says of an upgrade, instance types, subnets.
//!
//! Nothing of it is in a table of ours: dates and versions are AWS's.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{Filter, LocationType, Subnet as Ec2Subnet, Vpc as Ec2Vpc};
use aws_sdk_eks::types;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use futures::future::try_join_all;
use reconcile::failure::{Class, Failure};
use reconcile::part::Condition;

use crate::client::Aws;
use crate::kind::{Api, Ec2, Place, pages};

/// IAM action of [`versions`].
pub const VERSIONS: &str = "eks:DescribeClusterVersions";
/// IAM action of [`addon_versions`].
pub const ADDON_VERSIONS: &str = "eks:DescribeAddonVersions";
/// IAM action of [`addon_schema`].
pub const ADDON_SCHEMA: &str = "eks:DescribeAddonConfiguration";
/// IAM actions of [`insights`].
pub const INSIGHTS: [&str; 2] = ["eks:ListInsights", "eks:DescribeInsight"];
/// IAM actions of [`refresh_insights`] and [`insights_refresh`]. The first one starts something, and changes nothing.
pub const INSIGHTS_REFRESH: [&str; 2] = ["eks:StartInsightsRefresh", "eks:DescribeInsightsRefresh"];
/// IAM action of [`instance_types`].
pub const INSTANCE_TYPES: &str = "ec2:DescribeInstanceTypes";
/// IAM action of [`offered`].
pub const OFFERED: &str = "ec2:DescribeInstanceTypeOfferings";
/// IAM action of [`subnets`].
pub const SUBNETS: &str = "ec2:DescribeSubnets";

/// IAM action of [`vpc_ranges`].
pub const VPCS: &str = "ec2:DescribeVpcs";

type Eks = Api<aws_sdk_eks::Client>;

/// A minor version of Kubernetes that EKS has, or had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// `1.34`.
    pub version: String,
    /// EKS takes it where nobody says one.
    pub is_default: bool,
    /// How far EKS supports it.
    pub support: Support,
    /// When EKS had it first, as `2025-10-02`; as all dates where AWS says it.
    pub released: Option<String>,
    /// The last day of standard support.
    pub standard_until: Option<String>,
    /// The last day of extended support.
    pub extended_until: Option<String>,
}

/// How far EKS supports a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// At the usual price.
    Standard,
    /// At a higher price.
    Extended,
    /// No longer.
    No,
}

/// All versions of Kubernetes that EKS knows, the newest first; no longer supported ones too.
///
/// # Errors
/// Where the call fails; IAM action [`VERSIONS`].
pub async fn versions(aws: &Aws, region: &str) -> Result<Vec<Version>, Failure> {
    let eks = at(
        aws,
        region,
        format!("looking for the versions of Kubernetes in {region}"),
    )
    .await?;
    let versions = pages(|next| async {
        let page = eks
            .read
            .describe_cluster_versions()
            .include_all(true)
            .max_results(100);
        let answer = eks.call(VERSIONS, page.set_next_token(next).send()).await?;
        Ok((answer.cluster_versions, answer.next_token))
    });
    let mut versions: Vec<Version> = versions.await?.into_iter().filter_map(version).collect();
    versions.sort_by_cached_key(|version| numbers(&version.version));
    versions.reverse();
    Ok(versions)
}

fn version(information: types::ClusterVersionInformation) -> Option<Version> {
    let status = information.version_status();
    Some(Version {
        is_default: information.default_version(),
        support: match status {
            Some(types::VersionStatus::StandardSupport) => Support::Standard,
            Some(types::VersionStatus::ExtendedSupport) => Support::Extended,
            _ => Support::No,
        },
        released: information.release_date().and_then(day),
        standard_until: information.end_of_standard_support_date().and_then(day),
        extended_until: information.end_of_extended_support_date().and_then(day),
        version: information.cluster_version?,
    })
}

/// A version of an add-on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddonVersion {
    /// `v1.20.4-eksbuild.1`.
    pub version: String,
    /// EKS takes it for this minor where nobody says one.
    pub is_default: bool,
    /// What its nodes may be: `amd64`, `arm64`.
    pub architectures: Vec<String>,
}

/// The versions of the add-ons of these names that fit a minor version of Kubernetes (`1.34`), the newest first. A name that
/// EKS does not know, or has nothing of for that minor, has none.
///
/// # Errors
/// Where a call fails; IAM action [`ADDON_VERSIONS`].
pub async fn addon_versions(
    aws: &Aws,
    region: &str,
    names: &BTreeSet<String>,
    kubernetes: &str,
) -> Result<BTreeMap<String, Vec<AddonVersion>>, Failure> {
    let of_name = |name: String| async move {
        let doing = format!("looking for the versions of add-on {name} for Kubernetes {kubernetes}");
        let eks = at(aws, region, doing).await?;
        let addons = pages(|next| async {
            let page = eks
                .read
                .describe_addon_versions()
                .addon_name(&name)
                .kubernetes_version(kubernetes);
            let answer = eks.call(ADDON_VERSIONS, page.set_next_token(next).send()).await?;
            Ok((answer.addons, answer.next_token))
        });
        let addons = addons.await?.into_iter();
        let versions = addons.flat_map(|addon| addon.addon_versions.unwrap_or_default());
        let mut versions: Vec<AddonVersion> =
            versions.filter_map(|of| addon_version(of, kubernetes)).collect();
        versions.sort_by_cached_key(|version| numbers(&version.version));
        versions.reverse();
        Ok::<_, Failure>((name, versions))
    };
    Ok(try_join_all(names.iter().cloned().map(of_name))
        .await?
        .into_iter()
        .collect())
}

/// None where it does not fit: EKS's filter is for add-ons, not for their versions.
fn addon_version(information: types::AddonVersionInfo, kubernetes: &str) -> Option<AddonVersion> {
    let mut fitting = information.compatibilities().iter();
    let fits = fitting.find(|fits| fits.cluster_version() == Some(kubernetes))?;
    Some(AddonVersion {
        is_default: fits.default_version(),
        architectures: information.architecture().to_vec(),
        version: information.addon_version?,
    })
}

/// The JSON schema of `configurationValues` of a version of an add-on, as text; empty where it takes none.
///
/// # Errors
/// Where the call fails, also for a version that there is not; IAM action [`ADDON_SCHEMA`].
pub async fn addon_schema(aws: &Aws, region: &str, name: &str, version: &str) -> Result<String, Failure> {
    let doing = format!("looking for the configuration that add-on {name} {version} takes");
    let eks = at(aws, region, doing).await?;
    let describe = eks.read.describe_addon_configuration().addon_name(name);
    let answer = eks
        .call(ADDON_SCHEMA, describe.addon_version(version).send())
        .await?;
    Ok(answer.configuration_schema.unwrap_or_default())
}

/// What an insight is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Category {
    /// Whether the cluster can go to a later minor.
    Upgrade,
    /// Whether it can go back by one.
    Rollback,
}

/// What EKS found out about a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Insight {
    /// Its id.
    pub id: String,
    /// What was looked at, for example `Deprecated APIs removed in Kubernetes v1.32`.
    pub name: String,
    /// Whether it stands in the way.
    pub status: Status,
    /// The minor to which it applies: where the cluster comes to it, the finding stands in its way.
    pub kubernetes_version: String,
    /// Why it has that status.
    pub reason: String,
    /// What it means. As all that follows empty for one that passes.
    pub description: String,
    /// What AWS advises.
    pub recommendation: String,
    /// What was found: the address of a Kubernetes object or an ARN, and its own reason where there is one.
    pub resources: Vec<String>,
    /// Calls of APIs that go. They linger for 30 days after the last call (EKS user guide, "Cluster insights").
    pub deprecations: Vec<Deprecation>,
}

/// An API that goes, and who calls it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deprecation {
    /// `/apis/flowcontrol.apiserver.k8s.io/v1beta3/flowschemas`.
    pub usage: String,
    /// What takes its place.
    pub replaced_with: String,
    /// The minor in which it is gone.
    pub stops_in: String,
    /// User agents of its callers.
    pub clients: Vec<String>,
}

/// Whether a finding stands in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// It does not.
    Passing,
    /// EKS could not tell.
    Unknown,
    /// It will, at a later minor than the next.
    Warning,
    /// It does, at the next minor.
    Error,
}

/// What EKS found out about the cluster, as of its last look; what does not pass with its details, the worst first.
///
/// # Errors
/// Where a call fails; IAM actions [`INSIGHTS`].
pub async fn insights(
    aws: &Aws,
    region: &str,
    cluster: &str,
    category: Category,
) -> Result<Vec<Insight>, Failure> {
    let eks = &at(
        aws,
        region,
        format!("looking at the insights of cluster {cluster}"),
    )
    .await?;
    let filter = types::InsightsFilter::builder().categories(match category {
        Category::Upgrade => types::Category::UpgradeReadiness,
        Category::Rollback => types::Category::RollbackReadiness,
    });
    let filter = filter.build();
    let insights = pages(|next| async {
        let page = eks
            .read
            .list_insights()
            .cluster_name(cluster)
            .filter(filter.clone());
        let answer = eks
            .call("eks:ListInsights", page.set_next_token(next).send())
            .await?;
        Ok((answer.insights, answer.next_token))
    });
    let whole = insights.await?.into_iter().map(|summary| async move {
        let id = summary.id.clone().unwrap_or_default();
        if status(summary.insight_status()) == Status::Passing || id.is_empty() {
            return Ok(of_summary(summary));
        }
        let describe = eks.read.describe_insight().cluster_name(cluster).id(&id).send();
        match eks.call("eks:DescribeInsight", describe).await {
            // A refresh has ended meanwhile. What was found is told all the same: it is looked at again before it matters.
            Err(failure) if failure.class == Class::NotFound => Ok(of_summary(summary)),
            answer => Ok::<_, Failure>(answer?.insight.map_or_else(|| of_summary(summary), of_insight)),
        }
    });
    let mut insights = try_join_all(whole).await?;
    insights.sort_by(|a, b| (b.status, &a.name).cmp(&(a.status, &b.name)));
    Ok(insights)
}

fn of_summary(summary: types::InsightSummary) -> Insight {
    Insight {
        status: status(summary.insight_status()),
        reason: reason(summary.insight_status()),
        id: summary.id.unwrap_or_default(),
        name: summary.name.unwrap_or_default(),
        kubernetes_version: summary.kubernetes_version.unwrap_or_default(),
        description: String::new(),
        recommendation: String::new(),
        resources: Vec::new(),
        deprecations: Vec::new(),
    }
}

fn of_insight(insight: types::Insight) -> Insight {
    let resource = |resource: &types::InsightResourceDetail| {
        let named = resource
            .kubernetes_resource_uri()
            .or(resource.arn())
            .unwrap_or_default();
        match reason(resource.insight_status()).as_str() {
            "" => named.to_owned(),
            reason => format!("{named} ({reason})"),
        }
    };
    let details = insight.category_specific_summary();
    let deprecations = details
        .into_iter()
        .flat_map(|details| details.deprecation_details());
    Insight {
        status: status(insight.insight_status()),
        reason: reason(insight.insight_status()),
        resources: insight.resources().iter().map(resource).collect(),
        deprecations: deprecations.map(deprecation).collect(),
        id: insight.id.unwrap_or_default(),
        name: insight.name.unwrap_or_default(),
        kubernetes_version: insight.kubernetes_version.unwrap_or_default(),
        description: insight.description.unwrap_or_default(),
        recommendation: insight.recommendation.unwrap_or_default(),
    }
}

fn deprecation(detail: &types::DeprecationDetail) -> Deprecation {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let clients = detail.client_stats().iter();
    Deprecation {
        usage: text(detail.usage()),
        replaced_with: text(detail.replaced_with()),
        stops_in: text(detail.stop_serving_version()),
        clients: clients.map(|client| text(client.user_agent())).collect(),
    }
}

fn status(status: Option<&types::InsightStatus>) -> Status {
    match status.and_then(|status| status.status()) {
        Some(types::InsightStatusValue::Passing) => Status::Passing,
        Some(types::InsightStatusValue::Warning) => Status::Warning,
        Some(types::InsightStatusValue::Error) => Status::Error,
        _ => Status::Unknown,
    }
}

fn reason(status: Option<&types::InsightStatus>) -> String {
    status
        .and_then(|status| status.reason())
        .unwrap_or_default()
        .to_owned()
}

/// How a new look of EKS's at a cluster is getting on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refresh {
    /// It takes some minutes.
    InProgress,
    /// The insights are new.
    Completed,
    /// It came to nothing, for this reason.
    Failed(String),
}

impl Refresh {
    fn of(status: Option<&types::InsightsRefreshStatus>, message: Option<String>) -> Self {
        match status {
            Some(types::InsightsRefreshStatus::InProgress) => Self::InProgress,
            Some(types::InsightsRefreshStatus::Completed) => Self::Completed,
            _ => Self::Failed(message.unwrap_or_default()),
        }
    }
}

/// Has EKS look at the cluster anew; else it does so once a day (EKS user guide, "Cluster insights"). While one is under way,
/// this says so and starts none.
///
/// # Errors
/// Where the call fails; IAM action `eks:StartInsightsRefresh`.
pub async fn refresh_insights(aws: &Aws, region: &str, cluster: &str) -> Result<Refresh, Failure> {
    let eks = at(
        aws,
        region,
        format!("refreshing the insights of cluster {cluster}"),
    )
    .await?;
    let start = eks.write.start_insights_refresh().cluster_name(cluster).send();
    let answer = eks.call("eks:StartInsightsRefresh", start).await?;
    Ok(Refresh::of(answer.status(), answer.message.clone()))
}

/// How the last refresh of the cluster's insights is getting on.
///
/// # Errors
/// Where the call fails; IAM action `eks:DescribeInsightsRefresh`.
pub async fn insights_refresh(aws: &Aws, region: &str, cluster: &str) -> Result<Refresh, Failure> {
    let eks = at(
        aws,
        region,
        format!("refreshing the insights of cluster {cluster}"),
    )
    .await?;
    let describe = eks.read.describe_insights_refresh().cluster_name(cluster).send();
    let answer = eks.call("eks:DescribeInsightsRefresh", describe).await?;
    Ok(Refresh::of(answer.status(), answer.message.clone()))
}

/// The IAM action of [`has_addon`].
pub const ADDON: &str = "eks:DescribeAddon";

/// Whether the cluster has the add-on, in whatever state.
///
/// # Errors
/// Where the call fails; IAM action [`ADDON`].
pub async fn has_addon(aws: &Aws, region: &str, cluster: &str, name: &str) -> Result<bool, Failure> {
    let doing = format!("looking for the add-on {name} of the cluster {cluster}");
    let eks: Eks = Place::new(aws, region).api(doing).await?;
    let describe = eks.read.describe_addon().cluster_name(cluster).addon_name(name);
    match eks.call(ADDON, describe.send()).await {
        Err(failure) if failure.class == Class::NotFound => Ok(false),
        other => other.map(|_| true),
    }
}

/// The version of a cluster (`1.34`); none while something changes the cluster.
///
/// # Errors
/// Where the call fails; IAM action `eks:DescribeCluster`.
pub async fn version_at_rest(aws: &Aws, region: &str, cluster: &str) -> Result<Option<String>, Failure> {
    let eks = at(aws, region, format!("looking at EKS cluster {cluster}")).await?;
    let describe = eks.read.describe_cluster().name(cluster).send();
    let answer = eks.call("eks:DescribeCluster", describe).await?;
    let cluster = answer.cluster;
    Ok(cluster.and_then(|cluster| {
        let version = cluster.version.clone();
        let is_changing = matches!(super::cluster::see(cluster).condition, Condition::Changing(_));
        version.filter(|_| !is_changing)
    }))
}

/// A managed node group, whosever it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Kubernetes version of its nodes: `1.34`.
    pub version: String,
}

/// The managed node groups of a cluster but for those of these names, by name.
///
/// # Errors
/// Where a call fails; IAM actions `eks:ListNodegroups` and `eks:DescribeNodegroup`.
pub async fn other_groups(
    aws: &Aws,
    region: &str,
    cluster: &str,
    ours: &BTreeSet<String>,
) -> Result<Vec<Group>, Failure> {
    let eks = &at(
        aws,
        region,
        format!("looking for the node groups of cluster {cluster}"),
    )
    .await?;
    let names = pages(|next| async {
        let page = eks.read.list_nodegroups().cluster_name(cluster);
        let answer = eks
            .call("eks:ListNodegroups", page.set_next_token(next).send())
            .await?;
        Ok((answer.nodegroups, answer.next_token))
    });
    let others = names.await?.into_iter().filter(|name| !ours.contains(name));
    let others = others.map(|name| async move {
        let describe = eks.read.describe_nodegroup().cluster_name(cluster);
        let describe = describe.nodegroup_name(&name).send();
        match eks.call("eks:DescribeNodegroup", describe).await {
            Err(failure) if failure.class == Class::NotFound => Ok(None),
            answer => Ok::<_, Failure>(answer?.nodegroup.map(|group| Group {
                version: group.version.unwrap_or_default(),
                name,
            })),
        }
    });
    let mut others: Vec<Group> = try_join_all(others).await?.into_iter().flatten().collect();
    others.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(others)
}

/// A change of a cluster's version that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionChange {
    /// The version that it led to: `1.35`.
    pub to: String,
    /// Whether it was a rollback.
    pub is_rollback: bool,
    /// When it began.
    pub at: std::time::SystemTime,
}

/// IAM actions of [`last_version_change`].
pub const UPDATES: [&str; 2] = ["eks:ListUpdates", "eks:DescribeUpdate"];

/// The last change of the cluster's version that succeeded; none where it has the version that it was made with.
///
/// # Errors
/// Where a call fails; IAM actions [`UPDATES`].
pub async fn last_version_change(
    aws: &Aws,
    region: &str,
    cluster: &str,
) -> Result<Option<VersionChange>, Failure> {
    let eks = &at(
        aws,
        region,
        format!("looking for the last upgrade of cluster {cluster}"),
    )
    .await?;
    let ids = pages(|next| async {
        let page = eks.read.list_updates().name(cluster).set_next_token(next).send();
        let answer = eks.call("eks:ListUpdates", page).await?;
        Ok((answer.update_ids, answer.next_token))
    });
    let updates = ids.await?.into_iter().map(|id| async move {
        let describe = eks.read.describe_update().name(cluster).update_id(id).send();
        match eks.call("eks:DescribeUpdate", describe).await {
            Err(failure) if failure.class == Class::NotFound => Ok(None),
            answer => Ok::<_, Failure>(answer?.update.and_then(version_change)),
        }
    });
    let changes = try_join_all(updates).await?.into_iter().flatten();
    Ok(changes.max_by_key(|change| change.at))
}

fn version_change(update: types::Update) -> Option<VersionChange> {
    let is_rollback = match update.r#type()? {
        types::UpdateType::VersionUpdate => false,
        types::UpdateType::VersionRollback => true,
        _ => return None,
    };
    let is_over = update.status() == Some(&types::UpdateStatus::Successful);
    let version = |param: &&types::UpdateParam| param.r#type() == Some(&types::UpdateParamType::Version);
    let to = update.params().iter().find(version)?.value()?.to_owned();
    let at = std::time::SystemTime::try_from(*update.created_at()?).ok()?;
    is_over.then_some(VersionChange { to, is_rollback, at })
}

/// An instance type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceType {
    /// What its processors run: `x86_64`, `arm64`, (old types) `i386`.
    pub architectures: Vec<String>,
    /// Its virtual processors.
    pub vcpus: i32,
    /// Its memory in MiB.
    pub memory_mib: i64,
}

/// The instance types of these names in the region. One that is not there is left out.
///
/// # Errors
/// Where the call fails; IAM action [`INSTANCE_TYPES`].
pub async fn instance_types(
    aws: &Aws,
    region: &str,
    names: &BTreeSet<String>,
) -> Result<BTreeMap<String, InstanceType>, Failure> {
    if names.is_empty() {
        return Ok(BTreeMap::new());
    }
    let ec2: Ec2 = Place::new(aws, region)
        .api(format!("looking for instance types of {region}"))
        .await?;
    // By a filter: a list of names gives an error for one that there is not.
    let by_name = filter("instance-type", names);
    let types = pages(|next| async {
        let page = ec2.read.describe_instance_types().filters(by_name.clone());
        let answer = ec2.call(INSTANCE_TYPES, page.set_next_token(next).send()).await?;
        Ok((answer.instance_types, answer.next_token))
    });
    let of = |found: aws_sdk_ec2::types::InstanceTypeInfo| {
        let processor = found.processor_info();
        let architectures = processor
            .into_iter()
            .flat_map(|info| info.supported_architectures());
        let instance_type = InstanceType {
            architectures: architectures.map(|name| name.as_str().to_owned()).collect(),
            vcpus: found
                .v_cpu_info()
                .and_then(|info| info.default_v_cpus())
                .unwrap_or_default(),
            memory_mib: found
                .memory_info()
                .and_then(|info| info.size_in_mib())
                .unwrap_or_default(),
        };
        Some((found.instance_type?.as_str().to_owned(), instance_type))
    };
    Ok(types.await?.into_iter().filter_map(of).collect())
}

/// In which of these zones (by name) EC2 offers these instance types. A type that is offered in none of them is left out.
///
/// # Errors
/// Where the call fails; IAM action [`OFFERED`].
pub async fn offered(
    aws: &Aws,
    region: &str,
    types: &BTreeSet<String>,
    zones: &BTreeSet<String>,
) -> Result<BTreeMap<String, BTreeSet<String>>, Failure> {
    if types.is_empty() || zones.is_empty() {
        return Ok(BTreeMap::new());
    }
    let doing = format!("looking where {region} offers instance types");
    let ec2: Ec2 = Place::new(aws, region).api(doing).await?;
    let filters = [filter("instance-type", types), filter("location", zones)];
    let offerings = pages(|next| async {
        let page = ec2.read.describe_instance_type_offerings();
        let page = page
            .location_type(LocationType::AvailabilityZone)
            .set_filters(Some(filters.to_vec()));
        let answer = ec2.call(OFFERED, page.set_next_token(next).send()).await?;
        Ok((answer.instance_type_offerings, answer.next_token))
    });
    let mut offered: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for offering in offerings.await? {
        if let (Some(name), Some(zone)) = (offering.instance_type, offering.location) {
            offered.entry(name.as_str().to_owned()).or_default().insert(zone);
        }
    }
    Ok(offered)
}

/// Where a subnet lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubnetFacts {
    /// The name of its zone.
    pub zone: String,
    /// The id of its zone.
    pub zone_id: String,
    /// Its VPC.
    pub vpc: String,
    /// Its range.
    pub cidr: String,
    /// Addresses that nothing has yet.
    pub free_addresses: i32,
}

/// The subnets of these ids. One that is not there is left out.
///
/// # Errors
/// Where the call fails; IAM action [`SUBNETS`].
pub async fn subnets(
    aws: &Aws,
    region: &str,
    ids: &BTreeSet<String>,
) -> Result<BTreeMap<String, SubnetFacts>, Failure> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let ec2: Ec2 = Place::new(aws, region).api("looking for subnets").await?;
    let by_id = vec![("subnet-id".to_owned(), ids.iter().cloned().collect())];
    let of = |found: Ec2Subnet| {
        let facts = SubnetFacts {
            zone: found.availability_zone.unwrap_or_default(),
            zone_id: found.availability_zone_id.unwrap_or_default(),
            vpc: found.vpc_id.unwrap_or_default(),
            cidr: found.cidr_block.unwrap_or_default(),
            free_addresses: found.available_ip_address_count.unwrap_or_default(),
        };
        Some((found.subnet_id?, facts))
    };
    Ok(ec2
        .list::<Ec2Subnet>(by_id)
        .await?
        .into_iter()
        .filter_map(of)
        .collect())
}

/// The IPv4 ranges of a VPC; none where it is not there.
///
/// # Errors
/// Where the call fails; IAM action [`VPCS`].
pub async fn vpc_ranges(aws: &Aws, region: &str, vpc: &str) -> Result<Vec<String>, Failure> {
    let doing = format!("looking for the ranges of VPC {vpc}");
    let ec2: Ec2 = Place::new(aws, region).api(doing).await?;
    let found = ec2
        .list::<Ec2Vpc>(vec![("vpc-id".to_owned(), vec![vpc.to_owned()])])
        .await?;
    let ranges = found.iter().flat_map(Ec2Vpc::cidr_block_association_set);
    Ok(ranges
        .filter_map(|range| range.cidr_block().map(str::to_owned))
        .collect())
}

async fn at(aws: &Aws, region: &str, doing: String) -> Result<Eks, Failure> {
    Place::new(aws, region).api(doing).await
}

fn filter(name: &str, values: &BTreeSet<String>) -> Filter {
    let values = values.iter().cloned().collect();
    Filter::builder().name(name).set_values(Some(values)).build()
}

/// The day of a date, as `2026-12-02`.
fn day(date: &DateTime) -> Option<String> {
    let text = date.fmt(Format::DateTime).ok()?;
    text.get(..10).map(str::to_owned)
}

/// The numbers in a version, which order it: `v1.20.4-eksbuild.1` is 1, 20, 4, 1.
fn numbers(version: &str) -> Vec<u64> {
    let words = version.split(|letter: char| !letter.is_ascii_digit());
    words.filter_map(|word| word.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use aws_sdk_eks::types::{AddonVersionInfo, Compatibility};

    use super::*;

    #[test]
    fn versions_are_ordered_by_their_numbers() {
        let mut versions = ["v1.9.3-eksbuild.10", "v1.20.4-eksbuild.1", "v1.9.3-eksbuild.3"];
        versions.sort_by_cached_key(|version| numbers(version));
        assert_eq!(
            versions,
            ["v1.9.3-eksbuild.3", "v1.9.3-eksbuild.10", "v1.20.4-eksbuild.1"]
        );
        assert!(numbers("1.9") < numbers("1.10"));
    }

    #[test]
    fn a_version_of_an_add_on_counts_where_it_fits_the_minor() {
        let fits = |version, default| {
            let fits = Compatibility::builder()
                .cluster_version(version)
                .default_version(default);
            fits.build()
        };
        let information = AddonVersionInfo::builder()
            .addon_version("v1.20.4-eksbuild.1")
            .compatibilities(fits("1.34", true))
            .compatibilities(fits("1.33", false))
            .build();
        let is_default = |kubernetes| addon_version(information.clone(), kubernetes).map(|of| of.is_default);
        assert_eq!(
            [is_default("1.34"), is_default("1.33"), is_default("1.32")],
            [Some(true), Some(false), None]
        );
    }
}
