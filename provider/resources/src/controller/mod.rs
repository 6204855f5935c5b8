//! Controllers: a Helm release with what it needs in AWS, as one resource each.
//!
//! | file | what |
//! |---|---|
//! | `model.rs` | arguments that all have |
//! | `identity.rs` | the IAM role, and how pods get it |
//! | `versions.rs` | which version goes with which Kubernetes |
//! | `keda.rs` | KEDA |
//! | `load_balancer.rs` | the AWS Load Balancer Controller |
//! | `karpenter/` | Karpenter, and what it may do |

use std::marker::PhantomData;
use std::time::Duration;

use async_trait::async_trait;
use framework::{Attr, AttributeType, Diagnostic, Diagnostics, Type, Value};
use kubernetes::Finishes;
use reconcile::failure::Failure;
use reconcile::graph::Graph;
use reconcile::kinds::Kinds;
use reconcile::part::{Key, Ref};
use reconcile::report::Report;
use reconcile::resource::{Declared, DefaultTimeouts, Managed, Outputs};

pub mod identity;
pub mod karpenter;
pub mod keda;
pub mod load_balancer;
pub mod model;
pub mod versions;

use crate::platform::Platform;
use crate::release::model::Installed;
use crate::release::{ReleaseResource, complete_version, graph, kinds_of_release, values};
use model::Installation;
use versions::Versions;

/// What is constant of a controller.
#[derive(Debug)]
pub struct Facts {
    /// The resource, for example `ekb_keda`.
    pub resource: &'static str,
    /// What users call it.
    pub title: &'static str,
    /// The usual name of its release.
    pub release: &'static str,
    /// The usual namespace.
    pub namespace: &'static str,
    /// Its chart, as for `ekb_release`.
    pub chart: &'static str,
    /// Where that is.
    pub repository: Option<&'static str>,
    /// Which version goes with which Kubernetes.
    pub versions: &'static Versions,
    /// What only it can finish: it stays until there is nothing of that any more.
    pub finishes: &'static [Finishes],
}

/// A controller: its model says what of it is special.
#[async_trait]
pub trait Controller: Managed {
    /// What is constant.
    const FACTS: Facts;

    /// The arguments that all have.
    fn installation(&self) -> &Installation;

    /// The same, to be changed.
    fn installation_mut(&mut self) -> &mut Installation;

    /// Values of the chart that follow from the arguments.
    fn values(&self) -> Value;

    /// Adds what there is in AWS, and gives what the objects have to come after; none while what all of it follows from is not known.
    fn parts(&self, _graph: &mut Graph) -> Option<Vec<Ref>> {
        Some(Vec::new())
    }

    /// As [`Declared::check`].
    fn check(&self, _out: &mut Diagnostics) {}

    /// Says what the cluster lacks that the controller needs: before it is made or changed.
    ///
    /// # Errors
    /// What it needs is not there.
    async fn needs(&self, _context: &Platform) -> Result<(), Diagnostic> {
        Ok(())
    }

    /// The kinds of what there is in AWS.
    fn kinds(_context: &Platform, _region: &str) -> Kinds {
        Kinds::new()
    }

    /// As [`Declared::outputs`], of what is special.
    fn outputs(&mut self, _from: &Outputs<'_>) {}
}

/// A controller as a resource.
#[derive(Debug)]
pub struct ControllerResource<C> {
    release: ReleaseResource,
    of: PhantomData<fn() -> C>,
}

impl<C> Default for ControllerResource<C> {
    fn default() -> Self {
        Self {
            release: ReleaseResource::default(),
            of: PhantomData,
        }
    }
}

impl<C> Clone for ControllerResource<C> {
    fn clone(&self) -> Self {
        Self {
            release: self.release.clone(),
            of: PhantomData,
        }
    }
}

/// The taint of the nodes on which controllers run.
const SYSTEM_TAINT: &str = "CriticalAddonsOnly";

/// Tolerations of a controller's pods: those for which Karpenter makes nodes must not wait for these.
pub fn tolerations() -> serde_json::Value {
    serde_json::json!([{ "key": SYSTEM_TAINT, "operator": "Exists" }])
}

/// References to Secrets by name, as pods have them.
pub fn pull_secrets(installation: &Installation) -> Value {
    match &installation.image_pull_secrets {
        Attr::Unknown => Value::Unknown(None),
        Attr::Null => Value::tuple([]),
        Attr::Known(names) => Value::tuple(
            names
                .iter()
                .map(|name| Value::object([("name", Value::string(name))])),
        ),
    }
}

/// An argument as a value of the chart.
pub fn argument<T: AttributeType>(of: &Attr<T>) -> Value {
    values::untyped(&of.encode(), &T::shape().ty())
}

/// Where images are pulled from in place of the usual registry, with this path there; none where that is the usual one.
pub fn images_from(installation: &Installation, path: &str) -> Option<Value> {
    let registry = &installation.image_registry;
    (!registry.is_null()).then(|| argument(&registry.clone().map(|registry| format!("{registry}{path}"))))
}

/// The release that the controller is.
fn installed<C: Controller>(model: &C) -> Installed {
    let installation = model.installation().clone();
    let given = match &installation.values {
        Attr::Known(value) => Attr::Known(values::untyped(value, &Type::Dynamic)),
        other => other.clone(),
    };
    Installed {
        name: installation.release_name,
        cluster: installation.cluster,
        namespace: installation.namespace,
        chart: installation.chart,
        repository: installation.repository,
        version: installation.version,
        digest: installation.digest,
        values: match given {
            Attr::Unknown => Attr::Unknown,
            Attr::Null => Attr::Known(model.values()),
            Attr::Known(given) => Attr::Known(values::over(model.values(), given)),
        },
        kubernetes_version: installation.kubernetes_version,
        skip_crds: Attr::Known(false),
        delete_crds: installation.delete_crds,
        history_max: Attr::Known(10),
        id: installation.id,
        chart_version: installation.chart_version,
        chart_digest: installation.chart_digest,
        app_version: installation.app_version,
        common: Managed::common(model).clone(),
        ..Installed::default()
    }
}

/// What was found of the release.
fn take_over<C: Controller>(model: &mut C, from: &Installed) {
    let installation = model.installation_mut();
    installation.kubernetes_version = from.kubernetes_version.clone();
    installation.chart_version = from.chart_version.clone();
    installation.chart_digest = from.chart_digest.clone();
    installation.app_version = from.app_version.clone();
}

const MINUTE: Duration = Duration::from_secs(60);

#[async_trait]
impl<C: Controller> Declared<Platform> for ControllerResource<C> {
    type Model = C;

    const NAME: &'static str = C::FACTS.resource;
    const TITLE: &'static str = C::FACTS.title;
    /// It may be in any cluster.
    const IS_FOUND: bool = false;
    const LOOKS_UP: &'static [&'static str] = &["eks:DescribeCluster", aws::eks::catalogue::ADDON];
    const TIMEOUTS: DefaultTimeouts = DefaultTimeouts {
        create: MINUTE.saturating_mul(30),
        read: MINUTE.saturating_mul(10),
        update: MINUTE.saturating_mul(30),
        delete: MINUTE.saturating_mul(30),
    };

    fn check(&self, planned: &C, out: &mut Diagnostics) {
        C::FACTS
            .versions
            .check(C::FACTS.title, planned.installation(), out);
        planned.check(out);
    }

    async fn complete(
        &self,
        context: Option<&Platform>,
        config: &C,
        prior: Option<&C>,
        planned: &mut C,
        out: &mut Diagnostics,
    ) {
        // One in each cluster.
        if config.name().is_null() {
            *planned.name_mut() = match prior {
                Some(prior) => prior.name().clone(),
                None => planned.installation().cluster.clone(),
            };
        }
        defaults::<C>(config.installation(), planned.installation_mut());
        let (config_installed, prior_installed) = (installed(config), prior.map(installed));
        let mut release = installed(planned);
        complete_version(context, &config_installed, prior_installed.as_ref(), &mut release).await;
        planned.installation_mut().kubernetes_version = release.kubernetes_version;
        let prior = prior.map(C::installation);
        C::FACTS
            .versions
            .complete(config.installation(), prior, planned.installation_mut());
        let mut release = installed(planned);
        self.release
            .complete_chart(&config_installed, prior_installed.as_ref(), &mut release, out)
            .await;
        take_over(planned, &release);
        Managed::common_mut(planned).objects = release.common.objects;
    }

    async fn fetch(&self, context: &Platform, config: &C, model: &mut C) -> Result<(), Diagnostic> {
        model.needs(context).await?;
        let mut release = installed(model);
        self.release
            .fetch(context, &installed(config), &mut release)
            .await?;
        take_over(model, &release);
        Ok(())
    }

    fn graph(&self, model: &C) -> Option<Graph> {
        let mut graph = Graph::new();
        let first = model.parts(&mut graph)?;
        self.release.add_to(&mut graph, &installed(model), &first)?;
        Some(graph)
    }

    async fn steps(&self, _context: &Platform, model: &C, found: &Report) -> Result<Vec<Graph>, Failure> {
        let mut graph = Graph::new();
        let first = model.parts(&mut graph);
        let step = first.and_then(|first| self.release.renewed(graph, &installed(model), found, &first));
        Ok(step.into_iter().collect())
    }

    fn kinds(&self, context: &Platform, region: &str) -> Kinds {
        kinds_of_release(context, region, C::FACTS.finishes).and(C::kinds(context, region))
    }

    fn outputs(&self, model: &mut C, from: &Outputs<'_>) {
        let mut release = installed(model);
        self.release.outputs(&mut release, from);
        model.installation_mut().id = release.id;
        model.outputs(from);
    }

    fn root_key(&self) -> Key {
        Key::from(graph::RECORD)
    }

    fn adopt(&self, _model: &mut C, _report: &Report) {}
}

/// What is not given is as usual.
fn defaults<C: Controller>(config: &Installation, planned: &mut Installation) {
    let usual = |planned: &mut Attr<String>, value: &str| {
        if !planned.is_known() {
            *planned = Attr::Known(value.to_owned());
        }
    };
    if config.namespace.is_null() {
        usual(&mut planned.namespace, C::FACTS.namespace);
    }
    if config.release_name.is_null() {
        usual(&mut planned.release_name, C::FACTS.release);
    }
    // A chart of another place brings its own.
    let usual_place = || Attr::from_option(C::FACTS.repository.map(str::to_owned));
    match (config.chart.is_null(), config.repository.is_null()) {
        (true, true) => {
            planned.chart = Attr::Known(C::FACTS.chart.to_owned());
            planned.repository = usual_place();
        }
        (true, false) => {
            let (_, name) = C::FACTS.chart.rsplit_once('/').unwrap_or(("", C::FACTS.chart));
            planned.chart = Attr::Known(name.to_owned());
        }
        (false, true) => planned.repository = Attr::Null,
        (false, false) => {}
    }
}
