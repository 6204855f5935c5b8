//! The kinds of the provider on the API server of the tests, watched: what they are asked, and where the process dies.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use acceptance_tests::ControlPlane;
use async_trait::async_trait;
use kubernetes::{Access, Clusters, Endpoint, Manifest, Objects, Token};
use reconcile::engine::Engine;
use reconcile::failure::Failure;
use reconcile::kinds::Kinds;
use reconcile::part::{Ask, Call, Deleted, Difference, Kind, KindTraits, Made, Object, Owner, Tags, Target};
use serde_json::{Value, json};

/// Types of objects, with the path of their collection (`{}` is the namespace).
const TYPES: [(&str, &str); 7] = [
    ("v1/ConfigMap", "/api/v1/namespaces/{}/configmaps"),
    ("apps/v1/Deployment", "/apis/apps/v1/namespaces/{}/deployments"),
    ("v1/Secret", "/api/v1/namespaces/{}/secrets"),
    (
        "apiextensions.k8s.io/v1/CustomResourceDefinition",
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    ),
    ("ekb.test/v1/Widget", "/apis/ekb.test/v1/namespaces/{}/widgets"),
    ("v1/Namespace", "/api/v1/namespaces"),
    (
        "storage.k8s.io/v1/StorageClass",
        "/apis/storage.k8s.io/v1/storageclasses",
    ),
];
pub const CONFIG: usize = 0;
pub const DEPLOYMENT: usize = 1;
pub const SECRET: usize = 2;
pub const DEFINITION: usize = 3;
pub const WIDGET: usize = 4;
pub const NAMESPACE: usize = 5;
pub const CLASS: usize = 6;

/// The name of the cluster.
const RIG: &str = "rig";

/// What is counted, and where the process is to die.
#[derive(Default)]
pub struct Counts {
    pub looks: usize,
    pub log: Vec<String>,
    pub dies_at: Option<usize>,
}

#[derive(Clone)]
pub struct Cluster {
    pub plane: &'static ControlPlane,
    pub namespace: String,
    pub counts: Arc<Mutex<Counts>>,
    pub death: Arc<tokio::sync::Notify>,
    pub clusters: Clusters,
}

/// The way into the tests' API server, as its administrator or as somebody with another token.
pub struct Rig {
    pub plane: &'static ControlPlane,
    pub token: String,
}

#[async_trait]
impl Access for Rig {
    async fn endpoint(&self, _cluster: &str) -> Result<Endpoint, Failure> {
        Ok(Endpoint {
            url: self.plane.url().to_owned(),
            certificate_authority: self.plane.ca().to_owned(),
        })
    }

    async fn token(&self, _cluster: &str) -> Result<Token, Failure> {
        Ok(Token {
            text: self.token.clone().into(),
            valid_for: Duration::from_secs(900),
        })
    }
}

impl Cluster {
    pub fn new() -> Self {
        let plane = ControlPlane::shared();
        let token = plane.token().to_owned();
        Self::entered_with(Rig { plane, token })
    }

    pub fn entered_with(rig: Rig) -> Self {
        Self {
            plane: rig.plane,
            namespace: rig.plane.namespace().name().to_owned(),
            counts: Arc::default(),
            death: Arc::default(),
            clusters: Clusters::new(rig),
        }
    }

    pub fn engine(&self) -> Engine {
        let owner = Owner {
            environment: "dev".into(),
            region: "eu-central-1".into(),
            resource: format!("release/{}", self.namespace),
        };
        let watched = |(of, _): &(&str, &str)| Watched {
            // Nothing collects what an object made: no controller runs here.
            objects: Objects::new(&self.clusters, "cluster", of).in_background(),
            counts: Arc::clone(&self.counts),
            death: Arc::clone(&self.death),
        };
        let kinds = TYPES.iter().map(watched).fold(Kinds::new(), Kinds::with);
        let mut engine = Engine::new(owner, kinds);
        engine.timeout = Duration::from_secs(120);
        engine
    }

    /// An object of the type, in the namespace of the test.
    pub fn manifest(&self, of: usize, name: &str, mut body: Value) -> Manifest {
        let (api_version, kind) = TYPES[of].0.rsplit_once('/').expect("a type");
        body["apiVersion"] = api_version.into();
        body["kind"] = kind.into();
        body["metadata"]["name"] = name.into();
        if TYPES[of].1.contains("{}") {
            body["metadata"]["namespace"] = self.namespace.as_str().into();
        }
        let manifest = Manifest::new(Target::Id(RIG.to_owned()), body);
        // No controller runs here, so no Deployment is ever ready.
        if of == DEPLOYMENT {
            manifest.without_waiting()
        } else {
            manifest
        }
    }

    /// An engine for which kinds are named by what is declared or known, as a release's are.
    pub fn any(&self) -> Engine {
        let clusters = self.clusters.clone();
        let of = move |name: &str| Some(Objects::named(&clusters, "cluster", name)?.in_background());
        Engine {
            kinds: Kinds::new().family(of),
            ..self.engine()
        }
    }

    /// An object as a chart has it, in the namespace of the test where none is named.
    pub fn object(&self, mut object: Value) -> Manifest {
        if object["metadata"].get("namespace").is_none() {
            object["metadata"]["namespace"] = self.namespace.as_str().into();
        }
        Manifest::new(Target::Id(RIG.to_owned()), object)
    }

    /// An object of the whole cluster.
    pub fn wide(&self, object: Value) -> Manifest {
        Manifest::new(Target::Id(RIG.to_owned()), object)
    }

    pub fn path(&self, of: usize, name: &str) -> String {
        let collection = TYPES[of].1.replace("{}", &self.namespace);
        if name.is_empty() {
            collection
        } else {
            format!("{collection}/{name}")
        }
    }

    pub fn get(&self, of: usize, name: &str) -> Value {
        self.plane
            .request("GET", &self.path(of, name), None)
            .expect("it is there")
    }

    pub fn merge(&self, of: usize, name: &str, fields: Value) {
        self.plane
            .merge(&self.path(of, name), &fields)
            .expect("it is merged");
    }

    pub fn log(&self) -> Vec<String> {
        std::mem::take(&mut self.counts.lock().unwrap().log)
    }
}

/// The kind of the provider, and what it is asked.
struct Watched {
    objects: Objects,
    counts: Arc<Mutex<Counts>>,
    death: Arc<tokio::sync::Notify>,
}

impl Watched {
    /// A changing call, at which the process may die: the call is carried out.
    async fn change<T>(
        &self,
        what: String,
        call: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let dies = {
            let mut counts = self.counts.lock().unwrap();
            counts.log.push(what);
            counts.dies_at.is_some_and(|at| counts.log.len() >= at)
        };
        let answer = call.await;
        if dies {
            self.death.notify_one();
            std::future::pending::<()>().await;
        }
        answer
    }
}

#[async_trait]
impl Kind for Watched {
    type Part = Manifest;

    fn traits(&self) -> KindTraits {
        self.objects.traits()
    }

    fn parent(&self) -> Option<&'static str> {
        self.objects.parent()
    }

    fn stands_for(&self, declared: &Value, object: &Object) -> bool {
        self.objects.stands_for(declared, object)
    }

    async fn observe(&self, ask: &Ask) -> Result<Vec<Object>, Failure> {
        self.counts.lock().unwrap().looks += 1;
        self.objects.observe(ask).await
    }

    async fn create(&self, part: &Manifest, call: &Call) -> Result<Made, Failure> {
        self.change(format!("create {}", call.key), self.objects.create(part, call))
            .await
    }

    async fn update(
        &self,
        part: &Manifest,
        is: &Object,
        what: &[Difference],
        call: &Call,
    ) -> Result<(), Failure> {
        let fields: Vec<&str> = what.iter().map(|what| what.field.as_str()).collect();
        let doing = format!("update {} {}", call.key, fields.join(" "));
        self.change(doing, self.objects.update(part, is, what, call))
            .await
    }

    async fn tag(&self, id: &str, set: &Tags, remove: &[String]) -> Result<(), Failure> {
        let name = id.rsplit('/').next().unwrap_or_default();
        self.change(format!("tag {name}"), self.objects.tag(id, set, remove))
            .await
    }

    async fn delete(&self, object: &Object, call: &Call) -> Result<Deleted, Failure> {
        self.change(format!("delete {}", call.key), self.objects.delete(object, call))
            .await
    }

    async fn held_up_by(&self, object: &Object, waited: Duration) -> Option<String> {
        self.objects.held_up_by(object, waited).await
    }

    async fn outlook(&self, object: &Object, waited: Duration) -> Result<(), Failure> {
        self.objects.outlook(object, waited).await
    }
}

/// The definition of widgets.
pub fn definition() -> Value {
    let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
    json!({"spec": {
        "group": "ekb.test",
        "scope": "Namespaced",
        "names": {"kind": "Widget", "listKind": "WidgetList", "plural": "widgets", "singular": "widget"},
        "versions": [{"name": "v1", "served": true, "storage": true, "schema": schema}],
    }})
}
