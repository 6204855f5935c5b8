//! `ekb_release`: a Helm chart installed in a cluster.
//!
//! | file | what |
//! |---|---|
//! | `model.rs` | arguments and attributes |
//! | `charts.rs` | charts, fetched and rendered |
//! | `values.rs` | values laid over others, and those that are not known yet |
//! | `graph.rs` | the parts: record, objects, and what goes before what |
//! | `record.rs` | helm's records, as two kinds of parts |
//! | `overlay.rs` | patches of the user's |
//! | `data.rs` | the data source |
//! | `adopt.rs` | what records say of arguments and parts: import, takeover |
//! | `hook.rs` | hooks, a part for each phase |

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use framework::{Attr, Diagnostic, Diagnostics, Path};
use helm::release::Status;
use kubernetes::Finishes;
use reconcile::failure::Failure;
use reconcile::graph::Graph;
use reconcile::kinds::Kinds;
use reconcile::part::{Key, Part as _, Ref};
use reconcile::report::Report;
use reconcile::resource::{Declared, DefaultTimeouts, Outputs};
use serde_json::Value;

pub mod adopt;
pub mod charts;
pub mod data;
pub mod graph;
pub mod hook;
pub mod model;
pub mod overlay;
pub mod record;
pub mod values;

use crate::platform::Platform;
use charts::{Charts, Manifests, Purpose};
use hook::Hooks;
use model::Installed;
use record::{Deployments, Place, Recorded, Releases};

/// The resource `ekb_release`.
#[derive(Debug, Default, Clone)]
pub struct ReleaseResource {
    charts: Charts,
}

const MINUTE: Duration = Duration::from_secs(60);
/// How long a change may take.
const UPDATE: Duration = Duration::from_secs(30 * 60);

#[async_trait]
impl Declared<Platform> for ReleaseResource {
    type Model = Installed;

    const NAME: &'static str = "ekb_release";
    const TITLE: &'static str = "release";
    /// A release of this name may be in any cluster.
    const IS_FOUND: bool = false;
    const ADOPTS_WHOLE: bool = true;
    const ROOT_KIND: Option<&'static str> = Some(Recorded::KIND);
    const NAMED_AS: &'static str = "CLUSTER/NAMESPACE/NAME";
    const LOOKS_UP: &'static [&'static str] = &["eks:DescribeCluster"];
    const TIMEOUTS: DefaultTimeouts = DefaultTimeouts {
        create: MINUTE.saturating_mul(30),
        read: MINUTE.saturating_mul(10),
        update: UPDATE,
        delete: MINUTE.saturating_mul(30),
    };

    /// There may be releases of one name in other clusters and namespaces.
    fn named(&self, model: &Installed) -> Attr<String> {
        match Place::of(model) {
            Some(place) => place.id().into(),
            None => Attr::Unknown,
        }
    }

    fn name_it(&self, model: &mut Installed, text: &str) -> bool {
        let parts: Vec<&str> = text.split('/').collect();
        let [cluster, namespace, name] = parts[..] else {
            return false;
        };
        (model.cluster, model.namespace, model.name) = (cluster.into(), namespace.into(), name.into());
        parts.iter().all(|part| !part.is_empty())
    }

    fn root_named(&self, name: &str) -> Option<String> {
        Some(name.to_owned())
    }

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
        self.complete_chart(config, prior, planned, out).await;
    }

    async fn fetch(
        &self,
        context: &Platform,
        config: &Installed,
        model: &mut Installed,
    ) -> Result<(), Diagnostic> {
        if !model.kubernetes_version.is_known() {
            let version = live_version(context, &model.common.region, &model.cluster)
                .await
                .map_err(|failure| failure.diagnostic())?;
            model.kubernetes_version = Attr::from_option(version);
        }
        self.find(model, config, Purpose::Apply).await.map(|_| ())
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
        model.id = match Place::of(model) {
            Some(place) => place.id().into(),
            None => from.id(graph::RECORD),
        };
        if from.is_found() {
            let deployed: Attr<i64> = from.output(graph::DEPLOYED, "revision");
            model.revision = from.output(graph::RECORD, "revision");
            model.release_status = if deployed == model.revision {
                // The record was looked at before all was done.
                from.output(graph::DEPLOYED, "status")
            } else {
                from.output(graph::RECORD, "status")
            };
        }
    }

    async fn steps(
        &self,
        _context: &Platform,
        model: &Installed,
        found: &Report,
    ) -> Result<Vec<Graph>, Failure> {
        Ok(self
            .renewed(Graph::new(), model, found, &[])
            .into_iter()
            .collect())
    }

    async fn fall_back(&self, context: &Platform, planned: &Installed) -> Option<Graph> {
        if planned.atomic != Attr::Known(true) {
            return None;
        }
        adopt::before(context, planned).await
    }

    fn root_key(&self) -> Key {
        Key::from(graph::RECORD)
    }

    fn adopt(&self, _model: &mut Installed, _report: &Report) {}

    async fn complete_import(
        &self,
        context: &Platform,
        model: &mut Installed,
        _report: &Report,
    ) -> Result<(), Failure> {
        adopt::complete(context, model).await
    }
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

    /// The graph with the release's parts, where some of what it generates has to be made anew ([`graph::renewed`]).
    pub(crate) fn renewed(
        &self,
        mut graph: Graph,
        model: &Installed,
        found: &Report,
        first: &[Ref],
    ) -> Option<Graph> {
        let manifests = graph::renewed(model, &*self.charts.rendered(model)?, found)?;
        graph::add(&mut graph, model, &manifests, first).map(|()| graph)
    }

    /// What follows from the chart, when it is known for which version of Kubernetes it is rendered.
    pub(crate) async fn complete_chart(
        &self,
        config: &Installed,
        prior: Option<&Installed>,
        planned: &mut Installed,
        out: &mut Diagnostics,
    ) {
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
            Some(prior) if !is_folder(planned) && prior.chart_digest.is_known() => {
                (prior.chart_digest.clone(), prior.chart_version.clone())
            }
            _ => (Attr::Unknown, Attr::Unknown),
        };
        (planned.revision, planned.notes, planned.hosts) = (Attr::Unknown, Attr::Unknown, Attr::Unknown);
        planned.release_status = Status::Deployed.name().into();
        match self.find(planned, config, Purpose::Plan).await {
            // Which objects there will be, the state does not say.
            Ok(None) => planned.common.objects = Attr::Unknown,
            Ok(Some(manifests)) => {
                let Some(prior) = prior else { return };
                let recorded = recorded(prior);
                if recorded["content"] == manifests.digest.as_str() && prior.revision.is_known() {
                    (planned.revision, planned.notes) = (prior.revision, prior.notes.clone());
                }
                say_what_helm_did(prior, &recorded, out);
            }
            Err(error) => out.push(error),
        }
    }

    /// The chart, rendered where its form is known.
    async fn find(
        &self,
        model: &mut Installed,
        given: &Installed,
        purpose: Purpose,
    ) -> Result<Option<Arc<Manifests>>, Diagnostic> {
        let Some(manifests) = self.charts.find(model, given, purpose).await? else {
            return Ok(None);
        };
        graph::check(model, &manifests)?;
        if manifests.unknown.is_some() {
            return Ok(Some(manifests));
        }
        if model.notes.is_unknown() {
            model.notes = charts::notes(manifests.rendered.notes.as_deref().unwrap_or_default());
        }
        if model.hosts.is_unknown() {
            model.hosts = charts::hosts(&manifests.rendered.documents.manifests).into();
        }
        Ok(Some(manifests))
    }
}

/// The fields of the record, as the state has them.
fn recorded(state: &Installed) -> Value {
    let objects = state.common.objects.known();
    let fields = objects.and_then(|objects| objects.get(graph::RECORD)?.known());
    let fields = fields.and_then(|fields| serde_json::from_str(fields).ok());
    fields.unwrap_or_default()
}

/// Says that helm changed a release of ours, and what becomes of that.
fn say_what_helm_did(prior: &Installed, recorded: &Value, out: &mut Diagnostics) {
    let content = recorded["content"].as_str().unwrap_or_default();
    let (Some(id), true) = (prior.id.known(), prior.common.incarnation.is_known()) else {
        return;
    };
    if !content.starts_with(record::OF_HELM) {
        return;
    }
    let added = recorded["added"].as_array().into_iter().flatten();
    let added: Vec<&str> = added.filter_map(Value::as_str).collect();
    let mut detail =
        format!("{id} is at {content}. The apply answers with a revision of what is declared here.");
    if !added.is_empty() {
        detail = format!("{detail} What helm added goes: {}.", added.join(", "));
    }
    let warning = Diagnostic::warning("EKB2408", "helm changed the release", detail);
    out.push(warning.hint("Declare what is to stay of it: chart, version and values."));
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
    if config.kubernetes_version.is_null() {
        let prior = prior.map(|prior| &prior.kubernetes_version);
        let (region, cluster) = (&planned.common.region, &planned.cluster);
        planned.kubernetes_version = minor_version(context, region, cluster, prior).await;
    }
}

/// The minor version where none is given: that which the state knows, else the cluster's. A cluster that is not there yet has none: known
/// after apply.
pub(crate) async fn minor_version(
    context: Option<&Platform>,
    region: &Attr<String>,
    cluster: &Attr<String>,
    prior: Option<&Attr<String>>,
) -> Attr<String> {
    if let Some(prior) = prior.filter(|prior| prior.is_known()) {
        return prior.clone();
    }
    let Some(context) = context else {
        return Attr::Unknown;
    };
    let version = live_version(context, region, cluster).await;
    version.ok().flatten().map_or(Attr::Unknown, Attr::Known)
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
