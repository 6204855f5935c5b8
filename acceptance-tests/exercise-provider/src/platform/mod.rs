//! `exercise_platform`: the smallest resource that uses all that the engine offers. In an earlier version it was
//! `exercise_stack`, its argument `version` was `release`, and its add-ons `extension/…`.

use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::time::Duration;

use async_trait::async_trait;
use framework::{Attr, Diagnostics, Model, Timeouts};
use reconcile::failure::Failure;
use reconcile::formerly::Formerly;
use reconcile::graph::{Graph, Unknowns};
use reconcile::kinds::Kinds;
use reconcile::locks::Locks;
use reconcile::part::{Key, Tags, key};
use reconcile::report::Report;
use reconcile::resource::{Common, Declared, DefaultTimeouts, GivenTags, Managed, Outputs, Surroundings};
use reconcile::shared_tags::IgnoredTags;
use serde_json::{Value as Json, json};

use crate::store::Store;
use cloud::{Cloud, Files};
use parts::{Addon, Cluster, Role};

mod cloud;
mod parts;

/// A cluster with add-ons, and a role that trusts it.
#[derive(Model, Managed, Debug, Clone, Default)]
pub struct Platform {
    /// Its name.
    #[attribute(optional, computed, keep, replace)]
    pub name: Attr<String>,
    /// Version of the cluster and its add-ons.
    #[attribute(required)]
    pub version: Attr<i64>,
    /// Names of add-ons.
    #[attribute(optional)]
    pub addons: Attr<BTreeSet<String>>,
    /// Whether what runs in the cluster may go.
    #[attribute(optional)]
    pub allow_data_loss: Attr<bool>,
    /// Another name for the cluster.
    #[attribute(optional)]
    pub cluster: Attr<String>,
    /// Who issues its tokens.
    #[attribute(computed, keep)]
    pub issuer: Attr<String>,
    /// What every resource has.
    #[flatten]
    pub common: Common,
    /// Time-outs.
    #[block]
    pub timeouts: Attr<Timeouts>,
}

/// The resource `exercise_platform`.
#[derive(Debug, Clone, Copy)]
pub struct PlatformResource;

const MINUTE: Duration = Duration::from_secs(60);

#[async_trait]
impl Declared<Store> for PlatformResource {
    type Model = Platform;

    const NAME: &'static str = "exercise_platform";
    const TITLE: &'static str = "platform";
    const VERSION: i64 = 1;
    const FORMERLY: Formerly = Formerly {
        names: &["exercise_stack"],
        parts: &[("extension", "addon")],
    };
    const TIMEOUTS: DefaultTimeouts = DefaultTimeouts {
        create: MINUTE,
        read: MINUTE,
        update: MINUTE,
        delete: MINUTE,
    };

    fn root_key(&self) -> Key {
        "cluster".into()
    }

    fn upgrade(&self, _version: i64, mut state: Json) -> Result<Json, Diagnostics> {
        state["version"] = state["release"].take();
        Ok(state)
    }

    fn graph(&self, model: &Platform) -> Option<Graph> {
        let mut unknown = Unknowns::default();
        let version = unknown.take("version", &model.version, 0);
        let environment = model.common.environment.known()?;
        let name = match &model.cluster {
            Attr::Known(name) => name.clone(),
            _ => environment.clone(),
        };
        let mut graph = Graph::new();
        let cluster = Cluster {
            name: name.clone(),
            version,
            tags: Tags::new(),
        };
        let cluster = graph.part_with("cluster", cluster, unknown.clone());
        let issuer = cluster.ready().output("issuer");
        let role = Role {
            name: format!("{environment}-pods"),
            trust: json!({"Federated": cluster.ready().arn(), format!("{issuer}:aud"): "sts"}),
            tags: Tags::new(),
        };
        graph.part("role", role);
        for addon in model.addons.known().into_iter().flatten() {
            let part = Addon {
                name: addon.clone(),
                cluster: cluster.ready(),
                version,
                tags: Tags::new(),
            };
            graph.part_with(key("addon", addon), part, unknown.clone());
        }
        Some(graph)
    }

    /// One version after the other; what an interrupted upgrade left behind is brought along first.
    async fn steps(&self, _context: &Store, model: &Platform, found: &Report) -> Result<Vec<Graph>, Failure> {
        let versions = found
            .found
            .values()
            .filter_map(|object| object.fields["version"].as_i64());
        let (Some(is), Some(to)) = (versions.min(), model.version.known()) else {
            return Ok(Vec::new());
        };
        let step = |version| {
            self.graph(&Platform {
                version: Attr::Known(version),
                ..model.clone()
            })
        };
        Ok((is + 1..*to).filter_map(step).collect())
    }

    fn kinds(&self, context: &Store, _region: &str) -> Kinds {
        let cloud = Cloud(context.directory.join("cloud"));
        Kinds::new()
            .with(Files::<Cluster>(cloud.clone(), PhantomData))
            .with(Files::<Role>(cloud.clone(), PhantomData))
            .with(Files::<Addon>(cloud, PhantomData))
    }

    fn outputs(&self, model: &mut Platform, from: &Outputs<'_>) {
        model.issuer = from.output("cluster", "issuer");
    }

    fn allows_data_loss(model: &Platform) -> bool {
        model.allow_data_loss == Attr::Known(true)
    }

    fn adopt(&self, model: &mut Platform, report: &Report) {
        let cluster = report.objects.get(&Key::from("cluster"));
        model.version = Attr::from_option(cluster.and_then(|cluster| cluster["version"].as_i64()));
        let addons = report.ids.keys().filter_map(|key| key.0.strip_prefix("addon/"));
        let addons: BTreeSet<String> = addons.map(str::to_owned).collect();
        model.addons = Attr::from_option((!addons.is_empty()).then_some(addons));
    }
}

#[async_trait]
impl Surroundings for Store {
    fn environment(&self) -> Option<&str> {
        Some("dev")
    }

    async fn region(&self) -> Result<String, Failure> {
        Ok("here".to_owned())
    }

    fn check_region(&self, _region: &str) -> Result<(), Failure> {
        Ok(())
    }

    async fn account(&self, _region: Option<&str>) -> Result<String, Failure> {
        Ok("one".to_owned())
    }

    fn default_tags(&self) -> &Attr<GivenTags> {
        &self.default_tags
    }

    fn ignored_tags(&self) -> &IgnoredTags {
        &self.ignored_tags
    }

    fn locks(&self) -> &Locks {
        &self.locks
    }
}
