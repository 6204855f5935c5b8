//! `ekb_cluster`: the Kubernetes cluster of an environment.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use aws::partition::{partition, role_arn};
use framework::{Attr, Diagnostics};
use reconcile::failure::Failure;
use reconcile::graph::Graph;
use reconcile::kinds::Kinds;
use reconcile::part::Key;
use reconcile::report::{Report, Unclaimed};
use reconcile::resource::{Declared, DefaultTimeouts, Outputs};

pub mod addons;
pub mod adopt;
pub mod aws_auth;
pub mod checks;
pub mod conflicts;
pub mod destroy;
pub mod graph;
pub mod known_bad;
pub mod kubelet;
pub mod lookups;
pub mod model;
pub mod nodes;
pub mod services;
pub mod storage;
pub mod upgrade;
pub mod versions;
pub mod workloads;

use crate::platform::Platform;
use model::Cluster;

/// The resource `ekb_cluster`.
#[derive(Debug, Default, Clone, Copy)]
pub struct ClusterResource;

const MINUTE: Duration = Duration::from_secs(60);

#[async_trait]
impl Declared<Platform> for ClusterResource {
    type Model = Cluster;

    const NAME: &'static str = "ekb_cluster";
    const TITLE: &'static str = "cluster";
    const LOOKS_UP: &'static [&'static str] = &[
        aws::eks::catalogue::VERSIONS,
        aws::eks::catalogue::ADDON_VERSIONS,
        aws::eks::catalogue::ADDON_SCHEMA,
        aws::eks::catalogue::SUBNETS,
        aws::eks::catalogue::VPCS,
        aws::eks::catalogue::INSTANCE_TYPES,
        aws::eks::catalogue::OFFERED,
        "eks:ListInsights",
        "eks:DescribeInsight",
        "eks:DescribeInsightsRefresh",
        "eks:ListUpdates",
    ];
    const TIMEOUTS: DefaultTimeouts = DefaultTimeouts {
        create: MINUTE.saturating_mul(60),
        read: MINUTE.saturating_mul(10),
        update: MINUTE.saturating_mul(180),
        delete: MINUTE.saturating_mul(60),
    };

    fn check(&self, planned: &Cluster, out: &mut Diagnostics) {
        checks::check(planned, out);
    }

    async fn complete(
        &self,
        context: Option<&Platform>,
        config: &Cluster,
        prior: Option<&Cluster>,
        planned: &mut Cluster,
        out: &mut Diagnostics,
    ) {
        if config.authentication_mode.is_null() && !planned.authentication_mode.is_known() {
            planned.authentication_mode = "API".into();
        }
        let versions = versions::complete(context, prior, planned, out).await;
        known_bad::check(prior, planned, out);
        checks::say_private(prior, planned, out);
        if let Some(prior) = prior {
            checks::check_change(prior, planned, out);
            upgrade::check(context, prior, planned, &versions, out).await;
            aws_auth::check(context, prior, planned, out).await;
            nodes::say_replacement(prior, planned, out);
            conflicts::check(context, prior, planned, out).await;
        }
        lookups::check(context, prior, planned, out).await;
        foresee_names(planned);
    }

    fn graph(&self, model: &Cluster) -> Option<Graph> {
        graph::graph(model)
    }

    /// One minor after the other; what an interrupted upgrade left behind is brought along first.
    async fn steps(
        &self,
        context: &Platform,
        model: &Cluster,
        found: &Report,
    ) -> Result<Vec<Graph>, Failure> {
        upgrade::steps(context, model, found).await
    }

    async fn explain(&self, context: &Platform, model: &Cluster, failure: Failure) -> Failure {
        let failure = upgrade::explain(context, model, failure).await;
        workloads::explain(context, model, failure).await
    }

    /// An upgrade that ended between two minors goes on from there, and nothing else is taken for it.
    fn reached(&self, model: &mut Cluster, report: &Report) {
        let cluster = report.found.get(&Key::from("cluster"));
        if let Some(version) = cluster.and_then(|cluster| cluster.fields["version"].as_str()) {
            let version = version.to_owned().into();
            if model.kubernetes_version != version {
                // What was looked up for the version that was planned.
                (model.addon_versions, model.support_ends) = (Attr::Null, Attr::Null);
                model.kubernetes_version = version;
            }
        }
    }

    fn kinds(&self, context: &Platform, region: &str) -> Kinds {
        use aws::{ec2, eks, iam, kms, logs};
        ec2::kinds(&context.aws, region)
            .and(iam::kinds(&context.aws, region))
            .and(kms::kinds(&context.aws, region))
            .and(logs::kinds(&context.aws, region))
            .and(eks::kinds(&context.aws, region))
            .only(&[
                "access_entry",
                "addon",
                "cluster",
                "cluster_security_group",
                "iam_role",
                "kms_key",
                "launch_template",
                "log_group",
                "node_group",
                "oidc_provider",
            ])
            .and(kubernetes::kinds(
                &context.clusters(region),
                "cluster",
                &[storage::STORAGE_CLASS],
            ))
    }

    fn outputs(&self, model: &mut Cluster, from: &Outputs<'_>) {
        model.id = from.id("cluster");
        model.endpoint = from.output("cluster", "endpoint");
        model.certificate_authority = from.output("cluster", "certificate_authority");
        model.oidc_issuer = from.output("cluster", "oidc_issuer");
        model.oidc_provider_arn = from.arn("oidc_provider");
        model.cluster_security_group_id = from.output("cluster", "cluster_security_group_id");
        model.platform_version = from.output("cluster", "platform_version");
        model.creator_principal_arn = from.output(graph::CREATOR, "principal");
        if model.vpc_id.is_null() || model.vpc_id.is_unknown() {
            model.vpc_id = from.output("cluster", "vpc_id");
        }
        let given = |encryption: &model::Encryption| encryption.kms_key_arn.clone();
        model.encryption_key_arn = match model.encryption.known().map(given) {
            Some(given) if !given.is_null() => given,
            _ => from.arn("encryption_key"),
        };
        // A data source, and an import, have no plan that says them.
        foresee_names(model);
    }

    async fn check_destroy(&self, context: Option<&Platform>, prior: &Cluster, out: &mut Diagnostics) {
        destroy::check(context, prior, out).await;
    }

    fn root_key(&self) -> Key {
        "cluster".into()
    }

    fn root_named(&self, name: &str) -> Option<String> {
        Some(name.to_owned())
    }

    fn of_arn(&self, arn: &str) -> Option<(String, String)> {
        let mut parts = arn.splitn(6, ':').skip(2);
        let (service, region, _account, resource) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let name = resource.strip_prefix("cluster/").filter(|_| service == "eks")?;
        Some((region.to_owned(), name.to_owned()))
    }

    fn recognise<'a>(&self, report: &'a Report) -> Vec<(Key, &'a Unclaimed)> {
        adopt::recognise(report)
    }

    fn left_alone(&self, report: &Report) -> Vec<String> {
        adopt::left_alone(report)
    }

    fn read_arguments(&self, model: &mut Cluster, report: &Report) -> bool {
        adopt::read_arguments(model, report)
    }

    fn adopt(&self, model: &mut Cluster, report: &Report) {
        adopt::adopt(model, report);
    }

    /// Whoever imports what others built may have access by an entry of theirs already: EKS takes one for a principal.
    async fn complete_import(
        &self,
        context: &Platform,
        model: &mut Cluster,
        report: &Report,
    ) -> Result<(), Failure> {
        // What a plan looks up once for a version: without it the first plan would have something to change.
        versions::complete_support(Some(context), None, model, &mut Diagnostics::new()).await;
        let is_open = model.creator_access == Attr::Known(true);
        if !is_open || report.ids.contains_key(&Key::from(graph::CREATOR)) {
            return Ok(());
        }
        let (Attr::Known(entries), Attr::Known(region)) = (&model.access, &model.common.region) else {
            return Ok(());
        };
        let Ok(caller) = context
            .aws
            .caller(region, "looking whose credentials these are")
            .await
        else {
            return Ok(());
        };
        let caller = Attr::Known(caller);
        if entries.values().any(|entry| entry.principal_arn == caller) {
            model.creator_access = Attr::Known(false);
        }
        Ok(())
    }
}

/// The ARNs that follow from names.
fn foresee_names(planned: &mut Cluster) {
    let common = &planned.common;
    let (Attr::Known(region), Attr::Known(account), Attr::Known(name)) =
        (&common.region, &common.account_id, &planned.name)
    else {
        return;
    };
    let partition = partition(region);
    planned.arn = format!("arn:{partition}:eks:{region}:{account}:cluster/{name}").into();
    let path = planned.role_path.clone().or("/".to_owned());
    let role = |component: &str| {
        path.clone()
            .map(|path| role_arn(region, account, &path, &format!("{name}-{component}")))
    };
    let given_or = |given: &Attr<String>, component: &str| match given {
        Attr::Null => role(component),
        given => given.clone(),
    };
    let mut arns = BTreeMap::from([
        (
            "cluster".to_owned(),
            given_or(&planned.cluster_role_arn, "cluster"),
        ),
        ("node".to_owned(), given_or(&planned.node_role_arn, "node")),
    ]);
    let Some(wanted) = addons::wanted(planned) else {
        planned.role_arns = Attr::Unknown;
        return;
    };
    for (name, addon) in &wanted {
        match (addons::component(name), &addon.role_arn) {
            (Some(component), given) => drop(arns.insert(name.clone(), given_or(given, component))),
            (None, Attr::Null) => {}
            (None, given) => drop(arns.insert(name.clone(), given.clone())),
        }
    }
    planned.role_arns = Attr::Known(arns);
}
