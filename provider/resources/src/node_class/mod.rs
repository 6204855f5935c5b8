//! `ekb_node_class`: which nodes Karpenter makes.
//!
//! | file | what |
//! |---|---|
//! | `model.rs` | arguments and attributes |
//! | `classes.rs` | what a class stands for |
//! | `graph.rs` | the NodePool and the EC2NodeClass |
//! | `checks.rs` | what can never become a node |

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use framework::{Attr, Diagnostic, Diagnostics};
use kubernetes::disruption;
use reconcile::graph::Graph;
use reconcile::kinds::Kinds;
use reconcile::part::Key;
use reconcile::report::Report;
use reconcile::resource::{Declared, DefaultTimeouts, Managed, Outputs};

pub mod checks;
pub mod classes;
pub mod graph;
pub mod model;

use crate::platform::Platform;
use crate::release::{live_version, minor_version};
use classes::class;
use model::NodeClass;

/// The resource `ekb_node_class`.
#[derive(Debug, Default, Clone, Copy)]
pub struct NodeClassResource;

const MINUTE: Duration = Duration::from_secs(60);

#[async_trait]
impl Declared<Platform> for NodeClassResource {
    type Model = NodeClass;

    const NAME: &'static str = "ekb_node_class";
    const TITLE: &'static str = "node class";
    /// A class of this name may be in any cluster.
    const IS_FOUND: bool = false;
    const LOOKS_UP: &'static [&'static str] = &["eks:DescribeCluster", aws::ec2::images::IMAGES];
    const TIMEOUTS: DefaultTimeouts = DefaultTimeouts {
        create: MINUTE.saturating_mul(10),
        read: MINUTE.saturating_mul(10),
        update: MINUTE.saturating_mul(10),
        delete: MINUTE.saturating_mul(60),
    };

    fn check(&self, planned: &NodeClass, out: &mut Diagnostics) {
        checks::check(planned, out);
    }

    async fn complete(
        &self,
        context: Option<&Platform>,
        config: &NodeClass,
        prior: Option<&NodeClass>,
        planned: &mut NodeClass,
        out: &mut Diagnostics,
    ) {
        if config.name.is_null() {
            planned.name = prior.map_or(&planned.class, |prior| &prior.name).clone();
        }
        defaults(config, planned);
        complete_image(context, config, prior, planned, out).await;
    }

    async fn fetch(
        &self,
        context: &Platform,
        _config: &NodeClass,
        model: &mut NodeClass,
    ) -> Result<(), Diagnostic> {
        if !model.kubernetes_version.is_known() {
            let version = live_version(context, &Managed::common(model).region, &model.cluster).await;
            let version = version.map_err(|failure| failure.diagnostic())?;
            model.kubernetes_version = Attr::from_option(version);
        }
        if !model.ami_alias.is_known() {
            let found = newest_image(context, model).await;
            model.ami_alias = Attr::Known(found.map_err(|failure| failure.diagnostic())?);
        }
        Ok(())
    }

    fn graph(&self, model: &NodeClass) -> Option<Graph> {
        graph::graph(model)
    }

    fn kinds(&self, context: &Platform, region: &str) -> Kinds {
        kubernetes::kinds(
            &context.clusters(region),
            "cluster",
            &[graph::NODE_POOL, graph::EC2_NODE_CLASS],
        )
    }

    fn outputs(&self, model: &mut NodeClass, from: &Outputs<'_>) {
        model.id = match (&model.cluster, &model.name) {
            (Attr::Known(cluster), Attr::Known(name)) => format!("{cluster}/{name}").into(),
            _ => from.id(graph::POOL),
        };
    }

    /// A drain that never ends is known before it begins.
    async fn check_destroy(&self, context: Option<&Platform>, prior: &NodeClass, out: &mut Diagnostics) {
        let (Some(context), Attr::Known(region), Attr::Known(cluster), Attr::Known(name)) =
            (context, &prior.common.region, &prior.cluster, &prior.name)
        else {
            return;
        };
        let cluster = context.clusters(region).get(cluster);
        let held = disruption::never_met(&cluster, &disruption::of_pool(name)).await;
        let Some(held) = held.ok().filter(|held| !held.is_empty()) else {
            return;
        };
        let ends = match &prior.termination_grace_period {
            Attr::Known(grace) => {
                format!("The drain ends after {grace} (`termination_grace_period`), whatever they say.")
            }
            _ => {
                "Loosen the budget, or give its pods more replicas, before the nodes are drained.".to_owned()
            }
        };
        let summary = "PodDisruptionBudgets do not let nodes go";
        out.push(Diagnostic::warning("EKB2436", summary, held.join("\n")).hint(ends));
    }

    fn root_key(&self) -> Key {
        Key::from(graph::CLASS)
    }

    fn adopt(&self, _model: &mut NodeClass, _report: &Report) {}
}

/// What the class stands for, where nothing else is given.
fn defaults(config: &NodeClass, planned: &mut NodeClass) {
    let of = planned.class.known().and_then(|name| class(name));
    fn set<T: Clone>(config: &Attr<T>, planned: &mut Attr<T>, value: Option<T>, is_known: bool) {
        if config.is_null() {
            *planned = if is_known {
                Attr::from_option(value)
            } else {
                Attr::Unknown
            };
        }
    }
    let is_known = of.is_some();
    let text = |value: Option<&str>| value.map(str::to_owned);
    let types = of.map(|of| {
        of.capacity_types
            .iter()
            .map(|one| (*one).to_owned())
            .collect::<BTreeSet<_>>()
    });
    set(
        &config.capacity_types,
        &mut planned.capacity_types,
        types,
        is_known,
    );
    let amd64 = Some(BTreeSet::from(["amd64".to_owned()]));
    set(&config.architectures, &mut planned.architectures, amd64, true);
    let policy = text(of.map(|of| of.consolidation_policy));
    set(
        &config.consolidation_policy,
        &mut planned.consolidation_policy,
        policy,
        is_known,
    );
    let after = text(of.map(|of| of.consolidate_after));
    set(
        &config.consolidate_after,
        &mut planned.consolidate_after,
        after,
        is_known,
    );
    let expire = text(of.map(|of| of.expire_after));
    set(&config.expire_after, &mut planned.expire_after, expire, is_known);
    let grace = text(of.and_then(|of| of.termination_grace_period));
    set(
        &config.termination_grace_period,
        &mut planned.termination_grace_period,
        grace,
        is_known,
    );
    set(
        &config.disk_gib,
        &mut planned.disk_gib,
        of.map(|of| of.disk_gib),
        is_known,
    );
}

/// The image is pinned: the newest of the minor version when that is new, and then kept.
async fn complete_image(
    context: Option<&Platform>,
    config: &NodeClass,
    prior: Option<&NodeClass>,
    planned: &mut NodeClass,
    out: &mut Diagnostics,
) {
    if config.kubernetes_version.is_null() {
        let known = prior.map(|prior| &prior.kubernetes_version);
        let (region, cluster) = (&planned.common.region, &planned.cluster);
        planned.kubernetes_version = minor_version(context, region, cluster, known).await;
    }
    if !config.ami_alias.is_null() {
        return;
    }
    let same = prior.filter(|prior| {
        prior.kubernetes_version == planned.kubernetes_version && prior.architectures == planned.architectures
    });
    if let Some(prior) = same.filter(|prior| prior.ami_alias.is_known()) {
        planned.ami_alias = prior.ami_alias.clone();
        return;
    }
    planned.ami_alias = Attr::Unknown;
    if let Some(context) = context.filter(|_| planned.kubernetes_version.is_known()) {
        match newest_image(context, planned).await {
            Ok(alias) => planned.ami_alias = Attr::Known(alias),
            Err(failure) => out.push(failure.diagnostic()),
        }
    }
}

async fn newest_image(context: &Platform, model: &NodeClass) -> Result<String, reconcile::failure::Failure> {
    let known = |of: &Attr<String>| of.known().cloned().unwrap_or_default();
    let (region, version) = (
        known(&Managed::common(model).region),
        known(&model.kubernetes_version),
    );
    let architectures = model.architectures.clone().unwrap_or_default();
    let release = aws::ec2::images::newest_release(&context.aws, &region, &version, &architectures).await?;
    Ok(format!("al2023@{release}"))
}
