//! `ekb_release`: a Helm chart installed in a cluster.
//!
//! | file | what |
//! |---|---|
//! | `model.rs` | arguments and attributes |
//! | `charts.rs` | charts, fetched and rendered |
//! | `values.rs` | values laid over others, and those that are not known yet |
//! | `graph.rs` | the parts: record, objects, and what goes before what |
//! | `record.rs` | helm's records, as two kinds of parts |
//! | `hook.rs` | hooks, a part for each phase |

use std::time::Duration;

use async_trait::async_trait;
use framework::{Attr, Diagnostic, Diagnostics, Path};
use kubernetes::Finishes;
use reconcile::failure::Failure;
use reconcile::graph::Graph;
use reconcile::kinds::Kinds;
use reconcile::part::{Key, Ref};
use reconcile::report::Report;
use reconcile::resource::{Declared, DefaultTimeouts, Outputs};

pub mod charts;
pub mod graph;
pub mod hook;
pub mod model;
pub mod record;
pub mod values;

use crate::platform::Platform;
use charts::{Charts, Purpose};
use hook::Hooks;
use model::Installed;
use record::{Deployments, Releases};

/// The resource `ekb_release`.
#[derive(Debug, Default, Clone)]
pub struct ReleaseResource {
    charts: Charts,
}

const MINUTE: Duration = Duration::from_secs(60);

#[async_trait]
impl Declared<Platform> for ReleaseResource {
    type Model = Installed;

    const NAME: &'static str = "ekb_release";
    const TITLE: &'static str = "release";
    /// A release of this name may be in any cluster.
    const IS_FOUND: bool = false;
    const LOOKS_UP: &'static [&'static str] = &["eks:DescribeCluster"];
    const TIMEOUTS: DefaultTimeouts = DefaultTimeouts {
        create: MINUTE.saturating_mul(30),
        read: MINUTE.saturating_mul(10),
        update: MINUTE.saturating_mul(30),
        delete: MINUTE.saturating_mul(30),
    };

    fn check(&self, planned: &Installed, out: &mut Diagnostics) {
        if planned.common.tags.known().is_some_and(|tags| !tags.is_empty()) {
            out.push(
                Diagnostic::error(
                    "EKB2406",
                    "A release has no tags",
                    "Tags are those of AWS, and a release is made of Kubernetes objects.",
                )
                .hint("Give labels by the chart's `values`.")
                .at(Path::from("tags")),
            );
        }
    }

    async fn complete(
        &self,
        context: Option<&Platform>,
        config: &Installed,
        prior: Option<&Installed>,
        planned: &mut Installed,
        out: &mut Diagnostics,
    ) {
        if config.namespace.is_null() && !planned.namespace.is_known() {
            planned.namespace = planned.name.clone();
        }
        complete_version(context, config, prior, planned).await;
        let same = prior.filter(|prior| {
            (&prior.chart, &prior.repository, &prior.version, &prior.digest)
                == (
                    &planned.chart,
                    &planned.repository,
                    &planned.version,
                    &planned.digest,
                )
        });
        // The same version means the same bytes, unless it is a folder, which may have been edited.
        (planned.chart_digest, planned.chart_version) = match same {
            Some(prior) if !is_folder(planned) => (prior.chart_digest.clone(), prior.chart_version.clone()),
            _ => (Attr::Unknown, Attr::Unknown),
        };
        match self.find(planned, Purpose::Plan).await {
            // Which objects there will be, the state does not say.
            Ok(false) => planned.common.objects = Attr::Unknown,
            Ok(true) => {}
            Err(error) => out.push(error),
        }
    }

    async fn fetch(&self, context: &Platform, model: &mut Installed) -> Result<(), Diagnostic> {
        if !model.kubernetes_version.is_known() {
            let version = live_version(context, &model.common.region, &model.cluster)
                .await
                .map_err(|failure| failure.diagnostic())?;
            model.kubernetes_version = Attr::from_option(version);
        }
        self.find(model, Purpose::Apply).await.map(|_| ())
    }

    fn graph(&self, model: &Installed) -> Option<Graph> {
        let mut graph = Graph::new();
        self.add_to(&mut graph, model, &[])?;
        Some(graph)
    }

    fn kinds(&self, context: &Platform, region: &str) -> Kinds {
        kinds_of_release(context, region, &[])
    }

    fn outputs(&self, model: &mut Installed, from: &Outputs<'_>) {
        // It follows from the arguments: known also while values are not.
        model.id = match (&model.cluster, &model.namespace, &model.name) {
            (Attr::Known(cluster), Attr::Known(namespace), Attr::Known(name)) => {
                format!("{cluster}/{namespace}/{name}").into()
            }
            _ => from.id(graph::RECORD),
        };
    }

    fn root_key(&self) -> Key {
        Key::from(graph::RECORD)
    }

    fn adopt(&self, _model: &mut Installed, _report: &Report) {}
}

/// The kinds of a release's parts. It stays until there is nothing any more that only it finishes.
pub(crate) fn kinds_of_release(context: &Platform, region: &str, finishes: &'static [Finishes]) -> Kinds {
    let clusters = context.clusters(region);
    kubernetes::any_kind(&clusters, "cluster")
        .with(Releases::new(&clusters))
        .with(Deployments::new(&clusters, finishes))
        .with(Hooks::new(&clusters))
}

impl ReleaseResource {
    /// Adds the release's parts to a graph; its objects come after `first`.
    pub(crate) fn add_to(&self, graph: &mut Graph, model: &Installed, first: &[Ref]) -> Option<()> {
        match self.charts.rendered(model) {
            Some(manifests) => graph::add(graph, model, &manifests, first),
            // As the state knows it.
            None => graph::add_of_state(graph, model),
        }
    }

    /// The chart, rendered where all is known that it follows from: false where not.
    async fn find(&self, model: &mut Installed, purpose: Purpose) -> Result<bool, Diagnostic> {
        match self.charts.find(model, purpose).await? {
            Some(manifests) => graph::check(model, &manifests).map(|()| true),
            None => Ok(false),
        }
    }
}

fn is_folder(model: &Installed) -> bool {
    let chart = model.chart.known();
    model.repository.is_null() && chart.is_some_and(|chart| std::path::Path::new(chart).is_dir())
}

/// The minor version is that of the arguments, else that which the state knows, else the cluster's.
pub(crate) async fn complete_version(
    context: Option<&Platform>,
    config: &Installed,
    prior: Option<&Installed>,
    planned: &mut Installed,
) {
    if !config.kubernetes_version.is_null() {
        return;
    }
    if let Some(prior) = prior.filter(|prior| prior.kubernetes_version.is_known()) {
        planned.kubernetes_version = prior.kubernetes_version.clone();
        return;
    }
    let version = match context {
        // A cluster that is not there yet has none: known after apply.
        Some(context) => {
            let version = live_version(context, &planned.common.region, &planned.cluster).await;
            version.ok().flatten()
        }
        None => None,
    };
    planned.kubernetes_version = version.map_or(Attr::Unknown, Attr::Known);
}

/// The minor version of a cluster; none while it is not known which one.
///
/// # Errors
/// It cannot be asked.
pub(crate) async fn live_version(
    context: &Platform,
    region: &Attr<String>,
    cluster: &Attr<String>,
) -> Result<Option<String>, Failure> {
    let (Attr::Known(region), Attr::Known(cluster)) = (region, cluster) else {
        return Ok(None);
    };
    let cluster = context.clusters(region).get(cluster);
    let version = cluster.version().await?;
    Ok(Some(format!("{}.{}", version.major, version.minor)))
}
