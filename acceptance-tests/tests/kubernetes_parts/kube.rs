//! The smallest kind of part that Kubernetes objects are: what a provider's has to do too.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use acceptance_tests::{ApiError, ControlPlane};
use async_trait::async_trait;
use framework::Secret;
use reconcile::engine::Engine;
use reconcile::failure::{Class, Failure};
use reconcile::kinds::Kinds;
use reconcile::part::{
    Ask, Call, Condition, Deleted, Difference, FieldRule, Idempotence, Kind, KindTraits, Made, Object, Owner,
    Pace, Part, Remedy, Tags,
};
use serde::Serialize;
use serde_json::{Map, Value, json};

const MANAGER: &str = "ekb";
/// Ownership by label is for finding; whose an object is, annotations say: they hold any text of any length.
const OWNER_LABEL: &str = "ekb.io/owner";
const ANNOTATION: &str = "ekb.io/";

/// Kind of part, apiVersion, kind, path of the collection (`{}` is the namespace), order of deletion.
type Row = (&'static str, &'static str, &'static str, &'static str, u32);
pub const CONFIG: usize = 0;
pub const DEPLOYMENT: usize = 1;
pub const SECRET: usize = 2;
pub const DEFINITION: usize = 3;
pub const WIDGET: usize = 4;
pub const NAMESPACE: usize = 5;
const ROWS: [Row; 6] = [
    ("config", "v1", "ConfigMap", "/api/v1/namespaces/{}/configmaps", 1),
    (
        "deployment",
        "apps/v1",
        "Deployment",
        "/apis/apps/v1/namespaces/{}/deployments",
        0,
    ),
    ("secret", "v1", "Secret", "/api/v1/namespaces/{}/secrets", 1),
    (
        "definition",
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        2,
    ),
    (
        "widget",
        "ekb.test/v1",
        "Widget",
        "/apis/ekb.test/v1/namespaces/{}/widgets",
        0,
    ),
    ("namespace", "v1", "Namespace", "/api/v1/namespaces", 3),
];

/// An object: its top-level fields beside name and metadata are fields of the part.
#[derive(Debug, Clone, Serialize, Default)]
pub struct Manifest<const N: usize> {
    name: String,
    #[serde(flatten)]
    body: Map<String, Value>,
    /// Of a Secret: its only entry, which the state must not hold.
    #[serde(skip)]
    pub password: Option<Secret<String>>,
    pub password_version: Option<u32>,
}

impl<const N: usize> Part for Manifest<N> {
    const KIND: &'static str = ROWS[N].0;

    fn rule(field: &str) -> FieldRule {
        if field == "password_version" {
            FieldRule::AsApplied
        } else {
            FieldRule::Exact
        }
    }

    fn remedy(field: &str) -> Remedy {
        if field == "name" {
            Remedy::Replace
        } else {
            Remedy::Update
        }
    }
}

pub fn manifest<const N: usize>(name: &str, body: Value) -> Manifest<N> {
    let Value::Object(body) = body else {
        panic!("an object")
    };
    Manifest {
        name: name.to_owned(),
        body,
        ..Manifest::default()
    }
}

/// What is counted, and where the process is to die.
#[derive(Default)]
pub struct Counts {
    pub lists: usize,
    pub log: Vec<String>,
    pub dies_at: Option<usize>,
}

#[derive(Clone)]
pub struct Cluster {
    pub plane: &'static ControlPlane,
    pub namespace: String,
    pub counts: Arc<Mutex<Counts>>,
    pub death: Arc<tokio::sync::Notify>,
}

struct Kube<const N: usize>(Cluster);

fn failure(doing: String, error: ApiError) -> Failure {
    let class = match error.code {
        409 => Class::Exists,
        404 => Class::NotFound,
        403 => Class::Denied,
        422 | 400 => Class::Invalid,
        429 => Class::Throttled,
        500.. => Class::Transient,
        _ => Class::Other,
    };
    Failure::new(class, doing, error.to_string())
}

impl Cluster {
    pub fn new() -> Self {
        let plane = ControlPlane::shared();
        let namespace = plane.namespace().name().to_owned();
        Self {
            plane,
            namespace,
            counts: Arc::default(),
            death: Arc::default(),
        }
    }

    pub fn engine(&self) -> Engine {
        let owner = Owner {
            environment: "dev".into(),
            region: "eu-central-1".into(),
            resource: format!("release/{}", self.namespace),
        };
        let kinds = Kinds::new()
            .with(Kube::<CONFIG>(self.clone()))
            .with(Kube::<DEPLOYMENT>(self.clone()))
            .with(Kube::<SECRET>(self.clone()))
            .with(Kube::<DEFINITION>(self.clone()))
            .with(Kube::<WIDGET>(self.clone()))
            .with(Kube::<NAMESPACE>(self.clone()));
        let mut engine = Engine::new(owner, kinds);
        engine.timeout = Duration::from_secs(120);
        engine
    }

    pub fn path<const N: usize>(&self, name: &str) -> String {
        let collection = ROWS[N].3.replace("{}", &self.namespace);
        if name.is_empty() {
            collection
        } else {
            format!("{collection}/{name}")
        }
    }

    /// A request off the engine's task.
    async fn send(&self, method: &'static str, path: String, body: Option<Value>) -> Result<Value, ApiError> {
        let plane = self.plane;
        let sent = tokio::task::spawn_blocking(move || match method {
            "MERGE" => plane.merge(&path, &body.unwrap_or_default()),
            _ => plane.request(method, &path, body.as_ref()),
        });
        sent.await.expect("it does not panic")
    }

    /// The same for a changing call, which is logged, and at which the process may die: the call is carried out.
    async fn change(
        &self,
        what: String,
        method: &'static str,
        path: String,
        body: Option<Value>,
    ) -> Result<Value, Failure> {
        let dies = {
            let mut counts = self.counts.lock().unwrap();
            counts.log.push(what.clone());
            counts.dies_at.is_some_and(|at| counts.log.len() >= at)
        };
        let answer = self.send(method, path, body).await;
        if dies {
            self.death.notify_one();
            std::future::pending::<()>().await;
        }
        answer.map_err(|error| failure(what, error))
    }

    pub fn log(&self) -> Vec<String> {
        std::mem::take(&mut self.counts.lock().unwrap().log)
    }

    /// The object, its metadata and what of it is kept apart.
    fn applied<const N: usize>(&self, part: &Manifest<N>, tags: &Tags, owner: &Owner) -> Value {
        let annotations: Tags = tags
            .iter()
            .filter_map(|(k, v)| Some((annotation(k)?, v.clone())))
            .collect();
        let mut object = Value::Object(part.body.clone());
        object["apiVersion"] = ROWS[N].1.into();
        object["kind"] = ROWS[N].2.into();
        object["metadata"] =
            json!({"name": part.name, "labels": {OWNER_LABEL: label(owner)}, "annotations": annotations});
        if let Some(password) = &part.password {
            object["stringData"] = json!({"password": password.expose()});
        }
        object
    }
}

fn annotation(tag: &str) -> Option<String> {
    Some(format!("{ANNOTATION}{}", tag.strip_prefix("ekb:")?))
}

/// At most 63 letters, digits, `-`, `_`, `.`: enough to find by; two owners with one label are told apart by annotations.
fn label(owner: &Owner) -> String {
    let text = format!("{}.{}.{}", owner.environment, owner.region, owner.resource);
    let text: String = text
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    text[text.len().saturating_sub(63)..].trim_matches('-').to_owned()
}

/// Of a live object the fields that are declared, and those that our manager owns: so a field that somebody else set
/// is not ours, one that somebody else took over shows as it is, and one that is no longer declared shows as left over.
fn ours(live: &Value, declared: Option<&Value>, owned: Option<&Value>) -> Value {
    match live {
        Value::Object(map) => {
            let kept = map.iter().filter_map(|(name, value)| {
                let declared = declared.and_then(|declared| declared.get(name));
                let owned = owned.and_then(|owned| owned.get(format!("f:{name}")));
                (declared.is_some() || owned.is_some()).then(|| (name.clone(), ours(value, declared, owned)))
            });
            let whole = declared.is_none() && owned.and_then(Value::as_object).is_some_and(Map::is_empty);
            if whole {
                live.clone()
            } else {
                Value::Object(kept.collect())
            }
        }
        Value::Array(list) if list.iter().all(|entry| entry["name"].is_string()) => {
            let kept = list.iter().filter_map(|entry| {
                let is_it = |other: &&Value| other["name"] == entry["name"];
                let declared = declared
                    .and_then(Value::as_array)
                    .and_then(|all| all.iter().find(is_it));
                let name = format!("k:{}", json!({"name": entry["name"]}));
                let owned = owned.and_then(|owned| owned.get(name));
                (declared.is_some() || owned.is_some()).then(|| ours(entry, declared, owned))
            });
            Value::Array(kept.collect())
        }
        other => other.clone(),
    }
}

impl<const N: usize> Kube<N> {
    fn object(&self, live: &Value, declared: Option<&Value>) -> Object {
        let metadata = &live["metadata"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let name = text(&metadata["name"]);
        let mut managers = metadata["managedFields"].as_array().into_iter().flatten();
        let owned = managers.find(|entry| entry["manager"] == MANAGER && entry["operation"] == "Apply");
        let mut fields = ours(live, declared, owned.map(|entry| &entry["fieldsV1"]));
        for apart in ["metadata", "apiVersion", "kind", "status"] {
            fields.as_object_mut().unwrap().shift_remove(apart);
        }
        if N == SECRET {
            fields.as_object_mut().unwrap().shift_remove("data");
        }
        fields["name"] = name.clone().into();
        let annotations = metadata["annotations"].as_object().into_iter().flatten();
        let tags =
            annotations.filter_map(|(k, v)| Some((format!("ekb:{}", k.strip_prefix(ANNOTATION)?), text(v))));
        let is_established = live["status"]["conditions"].as_array().is_some_and(|all| {
            all.iter()
                .any(|one| one["type"] == "Established" && one["status"] == "True")
        });
        let condition = if metadata["deletionTimestamp"].is_string() {
            Condition::Deleting
        } else if N == DEFINITION && !is_established {
            Condition::Changing("not established".into())
        } else {
            Condition::Settled
        };
        let finalizers = [&metadata["finalizers"], &live["spec"]["finalizers"]];
        let finalizers: Vec<&Value> = finalizers
            .into_iter()
            .filter_map(Value::as_array)
            .flatten()
            .collect();
        Object {
            id: name,
            arn: None,
            condition,
            fields,
            tags: tags.collect(),
            references: Vec::new(),
            outputs: Default::default(),
            detail: json!({"finalizers": finalizers, "uid": metadata["uid"]}),
        }
    }
}

#[async_trait]
impl<const N: usize> Kind for Kube<N> {
    type Part = Manifest<N>;

    fn traits(&self) -> KindTraits {
        KindTraits {
            kind: ROWS[N].0,
            title: ROWS[N].2,
            deletion_order: ROWS[N].4,
            idempotence: Idempotence::NaturalKey,
            // Lists are consistent.
            invisible_for: Duration::ZERO,
            pace: Pace {
                create: Duration::ZERO,
                delete: Duration::ZERO,
                limit: Duration::from_secs(60),
            },
            reads: &[],
            writes: &[],
        }
    }

    async fn observe(&self, ask: &Ask) -> Result<Vec<Object>, Failure> {
        self.0.counts.lock().unwrap().lists += 1;
        let doing = format!("listing {}", ROWS[N].2);
        let list = match self.0.send("GET", self.0.path::<N>(""), None).await {
            Ok(list) => list,
            // Its definition is not there yet: nor is any object.
            Err(error) if error.code == 404 => return Ok(Vec::new()),
            Err(error) => return Err(failure(doing, error)),
        };
        let label = label(&ask.owner);
        let found = list["items"].as_array().into_iter().flatten().filter_map(|live| {
            let name = &live["metadata"]["name"];
            let part = live["metadata"]["annotations"][format!("{ANNOTATION}part")].as_str();
            let mut declared = ask.declared.iter();
            let declared = match part.and_then(|part| ask.declared.get(&part.into())) {
                Some(fields) => Some(fields),
                None => declared
                    .find(|(_, fields)| fields["name"] == *name)
                    .map(|(_, fields)| fields),
            };
            let is_known = ask.known.values().any(|id| name == id);
            let is_ours = live["metadata"]["labels"][OWNER_LABEL] == label;
            (is_ours || is_known || declared.is_some()).then(|| self.object(live, declared))
        });
        Ok(found.collect())
    }

    async fn create(&self, part: &Manifest<N>, call: &Call) -> Result<Made, Failure> {
        let object = self.0.applied(part, &call.ownership, &call.owner);
        let path = format!("{}?fieldManager={MANAGER}", self.0.path::<N>(&part.name));
        let made = self
            .0
            .change(format!("create {}", call.key), "PATCH", path, Some(object))
            .await;
        let made = made.map_err(|failure| match failure.class {
            // Its definition was made a moment ago.
            Class::NotFound => Failure {
                class: Class::NotYet,
                ..failure
            },
            _ => failure,
        })?;
        Ok(Made::new(&part.name, self.object(&made, None).condition))
    }

    async fn update(
        &self,
        part: &Manifest<N>,
        is: &Object,
        what: &[Difference],
        call: &Call,
    ) -> Result<(), Failure> {
        // What an apply leaves out is taken away: also what `tag` has set since.
        let object = self.0.applied(part, &is.tags, &call.owner);
        let fields: Vec<&str> = what.iter().map(|what| what.field.as_str()).collect();
        let path = format!(
            "{}?fieldManager={MANAGER}&force=true",
            self.0.path::<N>(&part.name)
        );
        let doing = format!("update {} {}", call.key, fields.join(" "));
        self.0
            .change(doing, "PATCH", path, Some(object))
            .await
            .map(|_| ())
    }

    async fn tag(&self, id: &str, set: &Tags, remove: &[String]) -> Result<(), Failure> {
        let set = set.iter().map(|(k, v)| (k, Value::from(v.as_str())));
        let all = set.chain(remove.iter().map(|k| (k, Value::Null)));
        let annotations: Map<String, Value> = all.filter_map(|(k, v)| Some((annotation(k)?, v))).collect();
        let path = format!("{}?fieldManager={MANAGER}", self.0.path::<N>(id));
        let body = json!({"metadata": {"annotations": annotations}});
        self.0
            .change(format!("tag {id}"), "MERGE", path, Some(body))
            .await
            .map(|_| ())
    }

    async fn delete(&self, object: &Object, call: &Call) -> Result<Deleted, Failure> {
        // Only this very object, not one of its name that somebody made since.
        let body = json!({"preconditions": {"uid": object.detail["uid"]}});
        let path = self.0.path::<N>(&object.id);
        let answer = self
            .0
            .change(format!("delete {}", call.key), "DELETE", path, Some(body))
            .await?;
        Ok(if answer["kind"] == "Status" {
            Deleted::Gone
        } else {
            Deleted::Begun
        })
    }

    async fn outlook(&self, object: &Object, waited: Duration) -> Result<(), Failure> {
        let held = object.detail["finalizers"]
            .as_array()
            .is_some_and(|all| !all.is_empty());
        if object.condition == Condition::Deleting && held && waited > Duration::from_secs(2) {
            let cause = format!(
                "its finalizers {} are not taken away: nothing is at work on them",
                object.detail["finalizers"]
            );
            return Err(Failure::new(
                Class::Stuck,
                format!("deleting {} {}", ROWS[N].2, object.id),
                cause,
            ));
        }
        Ok(())
    }
}
