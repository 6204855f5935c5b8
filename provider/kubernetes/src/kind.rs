//! How objects of a type are found, applied and deleted: one implementation for all types.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::try_join_all;
use http::Method;
use reconcile::clock::Moment;
use reconcile::failure::{Class, Failure};
use reconcile::kinds::Kinds;
use reconcile::part::{
    Ask, Call, Condition, Deleted, Difference, Idempotence, Key, Kind, KindTraits, Made, Object, Owner, Pace,
    Tags,
};
use serde_json::{Map, Value, json};

use crate::access::Endpoint;
use crate::cluster::{Cluster, Clusters, Content, encoded};
use crate::digest;
use crate::disruption;
use crate::failure::codes;
use crate::inside::{self, Lodger};
use crate::manifest::{APART, MANAGER, Manifest, WAITS, merge};
use crate::owned::ours;
use crate::ready::{Ready, Reasons, ready, reasons};
use crate::types::{Discovered, Type};

/// Another manager under which we apply objects that another program shares.
const SHARED: &str = "helm";
/// The label by which our objects are found: a label has 63 characters at most, which suffices for that.
const OWNER_LABEL: &str = "ekb.io/owner";
/// Whose an object is, annotations say, which hold any text: `ekb.io/part` is the tag `ekb:part`.
const ANNOTATION: &str = "ekb.io/";
/// How long something may take before its pods are asked.
const FIRST_REASONS: Duration = Duration::from_secs(10);
/// How long finalizers may take before nobody seems to be at work on them: a load balancer takes minutes to go.
const FINALIZERS: Duration = Duration::from_secs(300);
/// How long nodes may be drained that what holds their pods never lets go, before that is told.
const DRAINING: Duration = Duration::from_secs(600);
/// The same of a namespace of which its controller says nothing: that always runs.
const SILENT: Duration = Duration::from_secs(60);

/// The kinds of these types (`apps/v1/Deployment`, `v1/ConfigMap`), whose objects live in clusters that are parts of the
/// kind `parent` or are named: its id is the cluster's name, its outputs `endpoint` and `certificate_authority` say where it
/// is.
pub fn kinds(clusters: &Clusters, parent: &'static str, types: &[&str]) -> Kinds {
    let all = types.iter().map(|of| Objects::new(clusters, parent, of));
    all.fold(Kinds::new(), Kinds::with)
}

/// The kinds of any type of objects, named at run time by what is declared or known (`Deployment.apps`), as for [`kinds`].
pub fn any_kind(clusters: &Clusters, parent: &'static str) -> Kinds {
    let clusters = clusters.clone();
    Kinds::new().family(move |name| Objects::named(&clusters, parent, name))
}

/// Objects of one type.
#[derive(Debug)]
pub struct Objects {
    clusters: Clusters,
    parent: &'static str,
    of: Type,
    propagation: &'static str,
    /// What held up objects when last asked, by id.
    reasons: Mutex<HashMap<String, (Duration, Reasons)>>,
    /// Since when namespaces have objects of other resources in them, by id.
    lodged: Mutex<HashMap<String, Moment>>,
}

/// How long objects of other resources in a namespace are waited for: these may be destroyed in the same run.
const LODGERS: Duration = Duration::from_secs(120);

/// How long what the pods said is good enough.
const REASONS_LAST: Duration = Duration::from_secs(5);

/// An object's place: its id is `cluster/name` or `cluster/namespace/name`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    cluster: String,
    namespace: Option<String>,
    name: String,
}

impl Place {
    fn of_id(id: &str) -> Self {
        let (cluster, rest) = id.split_once('/').unwrap_or_default();
        let (namespace, name) = match rest.split_once('/') {
            Some((namespace, name)) => (Some(namespace.to_owned()), name),
            None => (None, rest),
        };
        Self {
            cluster: cluster.to_owned(),
            namespace,
            name: name.to_owned(),
        }
    }

    fn id(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{}/{namespace}/{}", self.cluster, self.name),
            None => format!("{}/{}", self.cluster, self.name),
        }
    }
}

fn annotation(tag: &str) -> Option<String> {
    Some(format!("{ANNOTATION}{}", tag.strip_prefix("ekb:")?))
}

/// Two owners with one label are told apart by the annotations.
fn label(owner: &Owner) -> String {
    let text = format!("{}.{}.{}", owner.environment, owner.region, owner.resource);
    let one = |c: char| {
        if c.is_ascii_alphanumeric() || c == '.' {
            c
        } else {
            '-'
        }
    };
    let text: String = text.chars().map(one).collect();
    text[text.len().saturating_sub(63)..]
        .trim_matches(['-', '.'])
        .to_owned()
}

/// The owner that tags name, where they do.
fn owner_of(tags: &Tags) -> Option<Owner> {
    let tag = |name: &str| tags.get(name).cloned();
    Some(Owner {
        environment: tag("ekb:environment")?,
        region: tag("ekb:region")?,
        resource: tag("ekb:resource")?,
    })
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

impl Objects {
    /// Objects of this type, as for [`kinds`].
    pub fn new(clusters: &Clusters, parent: &'static str, of: &str) -> Self {
        Self::of(clusters, parent, Type::parse(of))
    }

    /// Objects of the type of this name, as for [`any_kind`].
    pub fn named(clusters: &Clusters, parent: &'static str, name: &str) -> Option<Self> {
        Some(Self::of(clusters, parent, Type::of_name(name)?))
    }

    fn of(clusters: &Clusters, parent: &'static str, of: Type) -> Self {
        Self {
            clusters: clusters.clone(),
            parent,
            propagation: of.propagation(),
            of,
            reasons: Mutex::default(),
            lodged: Mutex::default(),
        }
    }

    /// The same, deleted without waiting until what they made is gone too (the pods of a Deployment).
    #[must_use]
    pub fn in_background(self) -> Self {
        Self {
            propagation: "Background",
            ..self
        }
    }

    fn is_namespaces(&self) -> bool {
        self.of.name() == "Namespace"
    }

    fn title(&self) -> &'static str {
        self.of.title()
    }

    fn doing(&self, what: &str, place: &Place) -> String {
        let namespace = place
            .namespace
            .as_ref()
            .map(|name| format!("{name}/"))
            .unwrap_or_default();
        format!(
            "{what} {} {namespace}{} in the cluster {}",
            self.title(),
            place.name,
            place.cluster
        )
    }

    async fn path(&self, cluster: &Cluster, of: &Type, place: &Place) -> Result<String, Failure> {
        let found = discovered(cluster, of).await?;
        Ok(format!(
            "{}/{}",
            of.path(&found, place.namespace.as_deref()),
            place.name
        ))
    }

    async fn live(&self, cluster: &Cluster, of: &Type, place: &Place) -> Result<Value, Failure> {
        let path = self.path(cluster, of, place).await?;
        cluster.get(&self.doing("looking at", place), &path).await
    }

    /// A changing request about one object.
    async fn change(
        &self,
        what: &str,
        request: (Method, Content, &str),
        of: &Type,
        place: &Place,
        body: &Value,
    ) -> Result<Value, Failure> {
        let (method, content, query) = request;
        let cluster = self.clusters.get(&place.cluster);
        let path = self
            .path(&cluster, of, place)
            .await
            .map_err(|failure| cluster.weigh(failure, true))?;
        let doing = self.doing(what, place);
        cluster
            .send(&doing, method, &format!("{path}{query}"), content, Some(body))
            .await
    }

    /// One apply of the object.
    async fn apply(
        &self,
        what: &str,
        part: &Manifest,
        place: &Place,
        query: &str,
        object: &Value,
    ) -> Result<Value, Failure> {
        let query = format!("?fieldManager={query}");
        let request = (Method::PATCH, Content::Apply, query.as_str());
        let applied = self.change(what, request, part.of(), place, object).await;
        applied.map_err(|failure| without_secrets(failure, part))
    }

    /// The object as it is applied: the manifest with what its references stand for, ours by label and annotations.
    fn applied(&self, part: &Manifest, tags: &Tags, call: &Call) -> Result<Value, Failure> {
        let mut object = part.object(call)?;
        let marks = marks(&call.owner, tags);
        merge(&mut object["metadata"], marks);
        Ok(object)
    }

    /// Says under our own name whose the object is, where it is applied under another one: whoever applies it under that without
    /// our marks would take them away.
    async fn mark(&self, part: &Manifest, place: &Place, tags: &Tags, call: &Call) -> Result<(), Failure> {
        let mut metadata = json!({"name": part.name});
        if let Some(namespace) = &part.namespace {
            metadata["namespace"] = namespace.as_str().into();
        }
        merge(&mut metadata, marks(&call.owner, tags));
        let object = json!({
            "apiVersion": part.of().api_version(),
            "kind": part.of().kind,
            "metadata": metadata,
        });
        let query = format!("{MANAGER}&force=true");
        self.apply("marking", part, place, &query, &object)
            .await
            .map(|_| ())
    }

    /// Says that what helm has of the object by updates is what it applied.
    async fn hand_over(&self, of: &Type, place: &Place) -> Result<(), Failure> {
        let cluster = self.clusters.get(&place.cluster);
        let live = self.live(&cluster, of, place).await?;
        let Some(managers) = handed_over(&live["metadata"]) else {
            return Ok(());
        };
        let version = &live["metadata"]["resourceVersion"];
        let body = json!({"metadata": {"managedFields": managers, "resourceVersion": version}});
        let request = (Method::PATCH, Content::Merge, "");
        self.change("taking over", request, of, place, &body)
            .await
            .map(|_| ())
    }

    fn place(&self, part: &Manifest, call: &Call) -> Result<Place, Failure> {
        Ok(Place {
            cluster: call.target(&part.cluster)?.to_owned(),
            namespace: part.namespace.clone(),
            name: part.name.clone(),
        })
    }

    /// The object as the engine sees it.
    fn object(&self, cluster: &str, version: &str, live: &Value, declared: Option<&Value>) -> Object {
        let metadata = &live["metadata"];
        let place = Place {
            cluster: cluster.to_owned(),
            namespace: metadata["namespace"].as_str().map(str::to_owned),
            name: text_of(&metadata["name"]),
        };
        let entry = our_entry(metadata);
        let owned = entry.map(|entry| &entry["fieldsV1"]);
        let mut found = ours(&digest::shown(&self.of, live.clone()), declared, owned);
        let is_scaled = is_scaled(metadata);
        if is_scaled && let Some(wanted) = declared.and_then(|declared| declared["spec"].get("replicas")) {
            // Whoever scales it has the last word.
            found["spec"]["replicas"] = wanted.clone();
        }
        let mut fields = Map::new();
        fields.insert("cluster".to_owned(), cluster.into());
        // In which version it was applied: the API gives it in any.
        let version = entry.map_or_else(|| version.into(), |entry| entry["apiVersion"].clone());
        fields.insert("apiVersion".to_owned(), version);
        if let Some(namespace) = &place.namespace {
            fields.insert("namespace".to_owned(), namespace.clone().into());
        }
        fields.insert("name".to_owned(), place.name.clone().into());
        let own = own_metadata(&found["metadata"], declared);
        if !own.is_empty() {
            fields.insert("metadata".to_owned(), own.into());
        }
        if let Value::Object(found) = &mut found {
            found.retain(|name, _| !APART.contains(&name.as_str()));
            fields.extend(std::mem::take(found));
        }
        let waits = declared.is_none_or(|declared| declared[WAITS] != false);
        let state = if waits { ready(&self.of, live) } else { Ready::Yes };
        let annotations = metadata["annotations"].as_object().into_iter().flatten();
        let tags = annotations.filter_map(|(name, value)| {
            Some((format!("ekb:{}", name.strip_prefix(ANNOTATION)?), text_of(value)))
        });
        let finalizers = [&metadata["finalizers"], &live["spec"]["finalizers"]];
        let finalizers: Vec<&Value> = finalizers
            .into_iter()
            .filter_map(Value::as_array)
            .flatten()
            .collect();
        Object {
            id: place.id(),
            arn: None,
            condition: condition(live, &state),
            fields: fields.into(),
            tags: tags.collect(),
            references: vec![cluster.to_owned()],
            outputs: BTreeMap::new(),
            detail: json!({
                "finalizers": finalizers,
                "uid": metadata["uid"],
                "is_marked": is_marked(metadata),
                "is_scaled": is_scaled,
                "never": matches!(state, Ready::Never(_)),
                "selector": live["spec"]["selector"]["matchLabels"],
                "revision": revision(live),
                "remaining": remaining(live),
                "objects": objects_of(&self.of, live),
                "is_told": live["status"]["conditions"].is_array(),
                "is_of_updates": handed_over(metadata).is_some(),
            }),
        }
    }

    /// The versions in which objects are looked at: those that are declared, else the one that the cluster prefers. None where it has
    /// no such type.
    async fn versions(&self, cluster: &Cluster, ask: &Ask) -> Result<Vec<Discovered>, Failure> {
        let declared = ask
            .declared
            .values()
            .filter_map(|fields| fields["apiVersion"].as_str());
        let declared: BTreeSet<&str> = declared.collect();
        let mut found = Vec::new();
        for version in declared {
            match discovered(cluster, &Type::of(version, &self.of.kind)).await {
                Err(failure) if failure.code == codes::NO_TYPE => {}
                other => found.push(other?),
            }
        }
        if found.is_empty() {
            match discovered(cluster, &self.of).await {
                // Its definition is not there yet: nor is any object.
                Err(failure) if failure.code == codes::NO_TYPE => {}
                other => found.push(other?),
            }
        }
        Ok(found)
    }

    /// What the pods of a workload and the events about it say holds it up.
    async fn reasons(&self, object: &Object, waited: Duration) -> Result<Reasons, Failure> {
        let place = Place::of_id(&object.id);
        let (cluster, doing) = (
            self.clusters.get(&place.cluster),
            self.doing("asking about", &place),
        );
        let Some(namespace) = &place.namespace else {
            return Ok(Reasons::default());
        };
        let text = |labels: &Value| {
            let labels = labels.as_object().into_iter().flatten();
            let labels = labels.filter_map(|(name, value)| Some(format!("{name}={}", value.as_str()?)));
            encoded(&labels.collect::<Vec<_>>().join(","))
        };
        let in_namespace = |root: &str, plural: &str| format!("{root}/namespaces/{namespace}/{plural}");
        let selector = text(&object.detail["selector"]);
        let mut pods = Vec::new();
        if !selector.is_empty() {
            let query = format!("&labelSelector={selector}");
            pods = cluster
                .list(&doing, &in_namespace("/api/v1", "pods"), &query)
                .await?;
            let mut newest = object.detail["revision"].as_str().map(str::to_owned);
            if self.of.kind == "Deployment" {
                let sets = in_namespace("/apis/apps/v1", "replicasets");
                let sets = cluster.list(&doing, &sets, &query).await?;
                let is_newest =
                    |set: &&Value| set["metadata"]["annotations"][REVISION].as_str() == newest.as_deref();
                let set = sets.iter().find(is_newest);
                // Without one yet, none of the pods is of this template.
                newest = Some(set.map_or_else(String::new, |set| {
                    text_of(&set["metadata"]["labels"]["pod-template-hash"])
                }));
            }
            // Pods of an earlier template say nothing of this one.
            if let Some(newest) = newest {
                let hashes = ["pod-template-hash", "controller-revision-hash"];
                pods.retain(|pod| {
                    hashes
                        .iter()
                        .any(|name| pod["metadata"]["labels"][name] == *newest)
                });
            }
        }
        let query = format!("&fieldSelector={}", encoded("type=Warning"));
        let events = cluster
            .list(&doing, &in_namespace("/api/v1", "events"), &query)
            .await?;
        Ok(reasons(&place.name, &pods, &events, waited))
    }

    /// Refuses to delete a namespace that has objects of others in it. Those of other resources of ours may go in the same run.
    async fn check_empty(
        &self,
        id: &str,
        owner: &Owner,
        ours: &BTreeSet<&str>,
        is_last: bool,
    ) -> Result<(), Failure> {
        let place = Place::of_id(id);
        let (cluster, doing) = (self.clusters.get(&place.cluster), self.doing("deleting", &place));
        let Ok(all) = inside::all_in(&cluster, &doing, &place.name).await else {
            return Ok(());
        };
        let mark = label(owner);
        let is_marked = |object: &Value| object["metadata"]["labels"][OWNER_LABEL] == *mark;
        let others = inside::of_others(&all, ours, &is_marked, is_last);
        self.none_of(&cluster, id, &others, "in it")
    }

    /// Refuses to delete a definition of which others have objects: all of them would go with it.
    async fn check_unused(&self, object: &Object, going: &BTreeSet<&str>) -> Result<(), Failure> {
        let place = Place::of_id(&object.id);
        let (cluster, doing) = (self.clusters.get(&place.cluster), self.doing("deleting", &place));
        let Some(path) = object.detail["objects"].as_str() else {
            return Ok(());
        };
        let Ok(all) = cluster.list(&doing, path, "").await else {
            return Ok(());
        };
        let left = all.iter().filter(|one| {
            let uid = one["metadata"]["uid"].as_str().unwrap_or_default();
            !going.contains(uid)
        });
        let others: Vec<Lodger> = left.map(Lodger::of).collect();
        self.none_of(&cluster, &object.id, &others, "of it")
    }

    /// Fails where there are any. Those of other resources of ours may go in the same run, and what is being deleted goes.
    fn none_of(&self, cluster: &Cluster, id: &str, others: &[Lodger], place: &str) -> Result<(), Failure> {
        if others.is_empty() {
            return Ok(());
        }
        let doing = self.doing("deleting", &Place::of_id(id));
        let may_go = others.iter().all(Lodger::may_go);
        let waited = {
            let mut lodged = self.lodged.lock().unwrap_or_else(PoisonError::into_inner);
            cluster
                .now()
                .since(*lodged.entry(id.to_owned()).or_insert(cluster.now()))
        };
        let is_waited_for = may_go && waited < LODGERS;
        let class = if is_waited_for {
            Class::Busy
        } else {
            Class::Invalid
        };
        let cause = format!("others have objects {place}: {}", inside::named(others));
        Err(Failure::new(class, doing, cause).code(codes::SHARED).hint(
            "Nothing of it was deleted. Remove these objects where nobody needs them, or move them, and run again.",
        ))
    }

    /// Of a pool of Karpenter's nodes that is going, what does not let its pods go, and whether that never does.
    async fn held_by_pods(&self, object: &Object) -> Option<(Vec<String>, bool)> {
        if self.of.name() != "NodePool.karpenter.sh" {
            return None;
        }
        let place = Place::of_id(&object.id);
        let cluster = self.clusters.get(&place.cluster);
        disruption::holding_pool(&cluster, &place.name).await.ok()
    }

    /// [`Objects::reasons`], asked now and then only.
    async fn reasons_lately(&self, object: &Object, waited: Duration) -> Reasons {
        let known = {
            let reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
            reasons.get(&object.id).cloned()
        };
        if let Some((at, known)) = known
            && waited.checked_sub(at).is_some_and(|since| since < REASONS_LAST)
        {
            return known;
        }
        let found = self.reasons(object, waited).await.unwrap_or_default();
        let mut reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        reasons.insert(object.id.clone(), (waited, found.clone()));
        found
    }

    /// All that is asked about in one cluster.
    async fn in_cluster(&self, name: &str, ask: &Ask) -> Result<Vec<Object>, Failure> {
        let cluster = self.clusters.get(name);
        let doing = format!("listing {} in the cluster {name}", self.title());
        let versions = self.versions(&cluster, ask).await?;
        let looks = versions
            .iter()
            .map(|version| self.in_version_of(&cluster, version, &versions, ask, &doing));
        Ok(try_join_all(looks).await?.into_iter().flatten().collect())
    }

    /// The same of those objects that are looked at in this version: as which they are declared, or in the first one.
    async fn in_version_of(
        &self,
        cluster: &Cluster,
        found: &Discovered,
        versions: &[Discovered],
        ask: &Ask,
        doing: &str,
    ) -> Result<Vec<Object>, Failure> {
        let name = cluster.name();
        let owners = ask.formerly.iter().map(|resource| Owner {
            resource: resource.clone(),
            ..ask.owner.clone()
        });
        let labels: BTreeSet<String> = owners
            .chain([ask.owner.clone()])
            .map(|owner| label(&owner))
            .collect();
        let selector: Vec<String> = labels.iter().cloned().collect();
        let selector = format!("{OWNER_LABEL} in ({})", selector.join(","));
        let query = format!("&labelSelector={}", encoded(&selector));
        let mut live = match cluster.list(doing, &self.of.path(found, None), &query).await {
            // What was known of the type holds no longer: it is gone, or has other versions.
            Err(failure) if failure.class == Class::NotFound => {
                let of = Type {
                    version: found.version.clone(),
                    ..self.of.clone()
                };
                cluster.forget(&of);
                return match discovered(cluster, &of).await {
                    Err(failure) if failure.code != codes::NO_TYPE => Err(failure),
                    Ok(_) if of.known().is_none() => Err(Failure {
                        class: Class::Transient,
                        ..failure
                    }),
                    _ => Ok(Vec::new()),
                };
            }
            other => other?,
        };
        // What is meant and is not among them may be there without our label: of somebody else, or from before.
        let declared = ask
            .declared
            .values()
            .map(|fields| (fields["namespace"].as_str(), text_of(&fields["name"])));
        let declared: Vec<(Option<String>, String)> = declared
            .map(|(namespace, name)| (namespace.map(str::to_owned), name))
            .collect();
        let known = ask
            .known
            .values()
            .map(|id| Place::of_id(id))
            .filter(|place| place.cluster == name);
        let meant: BTreeSet<(Option<String>, String)> = known
            .map(|place| (place.namespace, place.name))
            .chain(declared)
            .collect();
        let place = |object: &Value| {
            let metadata = &object["metadata"];
            (
                metadata["namespace"].as_str().map(str::to_owned),
                text_of(&metadata["name"]),
            )
        };
        let seen: BTreeSet<_> = live.iter().map(place).collect();
        let missing: BTreeSet<Option<&String>> = meant
            .iter()
            .filter(|meant| !seen.contains(meant))
            .map(|(namespace, _)| namespace.as_ref())
            .collect();
        let more = missing.into_iter().map(|namespace| {
            let path = self.of.path(found, namespace.map(String::as_str));
            async move { cluster.list(doing, &path, "").await }
        });
        let more = try_join_all(more).await?.into_iter().flatten();
        live.extend(more.filter(|object| !seen.contains(&place(object)) && meant.contains(&place(object))));
        let version = Type {
            version: found.version.clone(),
            ..self.of.clone()
        }
        .api_version();
        let objects = live.iter().filter_map(|live| {
            let is_ours = live["metadata"]["labels"][OWNER_LABEL]
                .as_str()
                .is_some_and(|is| labels.contains(is));
            let part = live["metadata"]["annotations"][format!("{ANNOTATION}part")].as_str();
            let by_part = part
                .filter(|_| is_ours)
                .and_then(|part| ask.declared.get(&Key::from(part)));
            let (namespace, name) = place(live);
            let by_name = || {
                ask.declared.values().find(|fields| {
                    fields["name"] == *name && fields["namespace"].as_str() == namespace.as_deref()
                })
            };
            let declared = by_part.or_else(by_name);
            let wanted = declared.and_then(|fields| fields["apiVersion"].as_str());
            let wanted = wanted.map(|wanted| Type::of(wanted, &self.of.kind).version);
            let wanted = versions.iter().find(|one| Some(&one.version) == wanted.as_ref());
            let is_here = wanted.or(versions.first()) == Some(found);
            // Lists do not repeat it for their items.
            is_here.then(|| self.object(cluster.name(), &version, live, declared))
        });
        Ok(objects.collect())
    }
}

/// Labels and annotations of ours, without those of ownership.
fn own_metadata(metadata: &Value, declared: Option<&Value>) -> Map<String, Value> {
    let mut own = Map::new();
    for name in ["labels", "annotations"] {
        let is_declared = declared.is_some_and(|fields| fields["metadata"].get(name).is_some());
        if let Some(Value::Object(entries)) = metadata.get(name) {
            let mut entries = entries.clone();
            entries.retain(|name, _| name != OWNER_LABEL && !name.starts_with(ANNOTATION));
            if !entries.is_empty() || is_declared {
                own.insert(name.to_owned(), entries.into());
            }
        }
    }
    own
}

/// Label and annotations that say whose an object is.
fn marks(owner: &Owner, tags: &Tags) -> Value {
    let annotations: Map<String, Value> = tags
        .iter()
        .filter_map(|(tag, value)| Some((annotation(tag)?, value.clone().into())))
        .collect();
    json!({"labels": {OWNER_LABEL: label(owner)}, "annotations": annotations})
}

/// What our manager has of the object: where it says no more than whose it is, what was applied under the shared name.
fn our_entry(metadata: &Value) -> Option<&Value> {
    let find = |manager: &str| {
        let mut entries = metadata["managedFields"].as_array().into_iter().flatten();
        entries.find(|entry| {
            entry["manager"] == manager && entry["operation"] == "Apply" && entry["subresource"].is_null()
        })
    };
    let own = find(MANAGER);
    let is_all = own.is_some_and(|entry| has_more_than_marks(&entry["fieldsV1"]));
    if is_all { own } else { find(SHARED).or(own) }
}

fn has_more_than_marks(fields: &Value) -> bool {
    let mark = |name: &str| {
        name == "." || name == format!("f:{OWNER_LABEL}") || name.starts_with(&format!("f:{ANNOTATION}"))
    };
    let names = |value: &Value| {
        value
            .as_object()
            .map(|map| map.keys().cloned().collect::<Vec<_>>())
    };
    let own = &fields["f:metadata"];
    let of_metadata = |name: &String| {
        let is_marks = name == "f:labels" || name == "f:annotations";
        let all = names(&own[name.as_str()]).unwrap_or_default();
        !is_marks || !all.iter().all(|name| mark(name))
    };
    names(fields)
        .unwrap_or_default()
        .iter()
        .any(|name| name != "f:metadata")
        || names(own).unwrap_or_default().iter().any(of_metadata)
}

/// The managers of the object where what helm, or the provider that runs it, has by plain updates is what helm applied: only then does
/// an apply without a field take it away. None where there is nothing to move.
fn handed_over(metadata: &Value) -> Option<Value> {
    let entries = metadata["managedFields"].as_array()?;
    let is_shared = |entry: &&Value| {
        let manager = entry["manager"].as_str().unwrap_or_default();
        (manager == SHARED || manager.starts_with("terraform-provider-helm"))
            && entry["subresource"].is_null()
    };
    if !entries
        .iter()
        .filter(is_shared)
        .any(|entry| entry["operation"] == "Update")
    {
        return None;
    }
    let mut applied =
        json!({"manager": SHARED, "operation": "Apply", "fieldsType": "FieldsV1", "fieldsV1": {}});
    for entry in entries.iter().filter(is_shared) {
        for name in ["apiVersion", "time"] {
            applied[name] = entry[name].clone();
        }
        merge(&mut applied["fieldsV1"], entry["fieldsV1"].clone());
    }
    let others = entries.iter().filter(|entry| !is_shared(entry)).cloned();
    Some(others.chain([applied]).collect())
}

/// Whether our own manager says whose the object is.
fn is_marked(metadata: &Value) -> bool {
    let mut entries = metadata["managedFields"].as_array().into_iter().flatten();
    let label = format!("f:{OWNER_LABEL}");
    entries.any(|entry| {
        entry["manager"] == MANAGER && entry["fieldsV1"]["f:metadata"]["f:labels"].get(&label).is_some()
    })
}

/// Whether its replicas were last written by whoever scales it (an autoscaler).
fn is_scaled(metadata: &Value) -> bool {
    let mut entries = metadata["managedFields"].as_array().into_iter().flatten();
    entries.any(|entry| {
        entry["subresource"] == "scale" && entry["fieldsV1"]["f:spec"].get("f:replicas").is_some()
    })
}

/// Where the objects of a definition are.
fn objects_of(of: &Type, live: &Value) -> Option<String> {
    let spec = &live["spec"];
    let mut versions = spec["versions"].as_array().into_iter().flatten();
    let stored = versions.find(|one| one["storage"] == true)?["name"].as_str()?;
    let (group, plural) = (spec["group"].as_str()?, spec["names"]["plural"].as_str()?);
    (of.kind == "CustomResourceDefinition").then(|| format!("/apis/{group}/{stored}/{plural}"))
}

/// What still has to go of a namespace that is being deleted, as its controller says.
fn remaining(live: &Value) -> String {
    let said = live["status"]["conditions"].as_array().into_iter().flatten();
    let said = said.filter(|one| {
        one["status"] == "True"
            && one["type"]
                .as_str()
                .is_some_and(|name| name.starts_with("Namespace"))
    });
    let texts: Vec<&str> = said.filter_map(|one| one["message"].as_str()).collect();
    texts.join("; ")
}

/// By which its newest pods are known.
fn revision(live: &Value) -> Value {
    match &live["status"]["updateRevision"] {
        Value::Null => live["metadata"]["annotations"][REVISION].clone(),
        revision => revision.clone(),
    }
}

/// The number of a Deployment's template, on its newest ReplicaSet too.
const REVISION: &str = "deployment.kubernetes.io/revision";

fn condition(live: &Value, state: &Ready) -> Condition {
    if live["metadata"]["deletionTimestamp"].is_string() {
        return Condition::Deleting;
    }
    match state {
        Ready::Yes => Condition::Settled,
        Ready::Waiting(text) | Ready::Never(text) => Condition::Unready(text.clone()),
    }
}

async fn discovered(cluster: &Cluster, of: &Type) -> Result<Discovered, Failure> {
    match of.known() {
        Some(known) => Ok(known),
        None => cluster.discover(of).await,
    }
}

/// What a failure says, without the part's secrets: the API server quotes values that it refuses.
fn without_secrets(mut failure: Failure, part: &Manifest) -> Failure {
    for text in part.secrets() {
        failure.cause = failure.cause.replace(&text, "(secret)");
    }
    failure
}

#[async_trait]
impl Kind for Objects {
    type Part = Manifest;

    fn traits(&self) -> KindTraits {
        KindTraits {
            kind: self.of.name(),
            title: self.title(),
            deletion_order: self.of.order(),
            idempotence: Idempotence::NaturalKey,
            // The API reads its own writes.
            invisible_for: Duration::ZERO,
            pace: Pace {
                create: Duration::ZERO,
                delete: Duration::ZERO,
                limit: Duration::from_secs(1200),
            },
            reads: &[],
            writes: &[],
        }
    }

    fn parent(&self) -> Option<&'static str> {
        Some(self.parent)
    }

    fn ends_with_parent(&self) -> bool {
        self.of.is_of_cluster()
    }

    fn only_where_meant(&self) -> bool {
        self.ends_with_parent()
    }

    fn stands_for(&self, declared: &Value, object: &Object) -> bool {
        ["namespace", "name"]
            .iter()
            .all(|field| declared.get(field) == object.fields.get(field))
    }

    async fn observe(&self, ask: &Ask) -> Result<Vec<Object>, Failure> {
        let mut names = BTreeSet::new();
        for parent in &ask.parents {
            let output = |name: &str| Some(parent.outputs.get(name)?.as_str()?.to_owned());
            let endpoint = output("endpoint").zip(output("certificate_authority"));
            let Some((url, certificate_authority)) = endpoint.filter(|(url, _)| !url.is_empty()) else {
                // It is being made: there is nothing in it.
                continue;
            };
            let endpoint = Endpoint {
                url,
                certificate_authority,
            };
            self.clusters.get(&parent.id).is_at(&endpoint).await?;
            names.insert(parent.id.clone());
        }
        // No part of the graph: clusters that are named.
        if ask.parents.is_empty() {
            names.extend(ask.known.values().map(|id| Place::of_id(id).cluster));
            names.extend(ask.declared.values().map(|fields| text_of(&fields["cluster"])));
        }
        let looks = names.iter().map(|name| self.in_cluster(name, ask));
        Ok(try_join_all(looks).await?.into_iter().flatten().collect())
    }

    async fn create(&self, part: &Manifest, call: &Call) -> Result<Made, Failure> {
        let place = self.place(part, call)?;
        self.clusters.get(&place.cluster).check_version().await?;
        let object = self.applied(part, &call.ownership, call)?;
        let made = self.apply("creating", part, &place, part.manager, &object).await;
        let made = made.map_err(|failure| match failure.class {
            // Its definition, or its namespace, was made a moment ago.
            Class::NotFound => Failure {
                class: Class::NotYet,
                ..failure
            },
            _ => failure,
        })?;
        if part.manager != MANAGER {
            self.mark(part, &place, &call.ownership, call).await?;
        }
        let state = if part.waits {
            ready(&self.of, &made)
        } else {
            Ready::Yes
        };
        Ok(Made::new(place.id(), condition(&made, &state)))
    }

    async fn update(
        &self,
        part: &Manifest,
        is: &Object,
        _: &[Difference],
        call: &Call,
    ) -> Result<(), Failure> {
        let place = Place::of_id(&is.id);
        // What an apply leaves out is taken away: also annotations that `tag` has set since.
        let mut object = self.applied(part, &is.tags, call)?;
        if part.keeps() {
            let cluster = self.clusters.get(&place.cluster);
            let live = self.live(&cluster, part.of(), &place).await?;
            part.keep(&mut object, &live);
        }
        if is.detail["is_scaled"] == true
            && let Some(spec) = object["spec"].as_object_mut()
        {
            spec.shift_remove("replicas");
        }
        if part.manager == SHARED && is.detail["is_of_updates"] == true {
            self.hand_over(part.of(), &place).await?;
        }
        match self.apply("updating", part, &place, part.manager, &object).await {
            Err(failure) if failure.code == codes::CONFLICT => {
                tracing::info!(part = %call.key, conflict = failure.cause, "taking fields over from another manager");
                let query = format!("{}&force=true", part.manager);
                self.apply("updating", part, &place, &query, &object).await?;
            }
            other => _ = other?,
        }
        if part.manager != MANAGER && is.detail["is_marked"] != true {
            self.mark(part, &place, &is.tags, call).await?;
        }
        Ok(())
    }

    async fn tag(&self, id: &str, set: &Tags, remove: &[String]) -> Result<(), Failure> {
        let set_all = set.iter().map(|(tag, value)| (tag, Value::from(value.as_str())));
        let all = set_all.chain(remove.iter().map(|tag| (tag, Value::Null)));
        let annotations: Map<String, Value> = all
            .filter_map(|(tag, value)| Some((annotation(tag)?, value)))
            .collect();
        let mut metadata = json!({"annotations": annotations});
        if let Some(owner) = owner_of(set) {
            metadata["labels"] = json!({OWNER_LABEL: label(&owner)});
            // It is taken over: what helm has of it by updates, too.
            let cluster = self.clusters.get(&Place::of_id(id).cluster);
            let live = self.live(&cluster, &self.of, &Place::of_id(id)).await?;
            if let Some(managers) = handed_over(&live["metadata"]) {
                metadata["managedFields"] = managers;
                metadata["resourceVersion"] = live["metadata"]["resourceVersion"].clone();
            }
        } else if remove.iter().any(|tag| tag == "ekb:resource") {
            metadata["labels"] = json!({OWNER_LABEL: null});
        }
        let (place, query) = (Place::of_id(id), format!("?fieldManager={MANAGER}"));
        let body = json!({"metadata": metadata});
        let request = (Method::PATCH, Content::Merge, query.as_str());
        self.change("tagging", request, &self.of, &place, &body)
            .await
            .map(|_| ())
    }

    async fn in_the_way(&self, object: &Object, going: &[&Object], ours: &[&Object]) -> Result<(), Failure> {
        let uids = going.iter().filter_map(|one| one.detail["uid"].as_str());
        self.check_unused(object, &uids.collect()).await?;
        let Some(owner) = owner_of(&object.tags).filter(|_| self.is_namespaces()) else {
            return Ok(());
        };
        let uids = ours.iter().filter_map(|one| one.detail["uid"].as_str()).collect();
        self.check_empty(&object.id, &owner, &uids, false).await
    }

    fn lock(&self, fields: &Value) -> Option<String> {
        let (cluster, name) = (text_of(&fields["cluster"]), text_of(&fields["name"]));
        self.is_namespaces()
            .then(|| format!("namespace {cluster}/{name}"))
    }

    async fn delete(&self, object: &Object, call: &Call) -> Result<Deleted, Failure> {
        // Somebody may have put something there since.
        self.check_unused(object, &BTreeSet::new()).await?;
        if self.is_namespaces() {
            self.check_empty(&object.id, &call.owner, &BTreeSet::new(), true)
                .await?;
        }
        // Only this very object, not one of its name that somebody made since.
        let body = json!({
            "preconditions": {"uid": object.detail["uid"]},
            "propagationPolicy": self.propagation,
        });
        let place = Place::of_id(&object.id);
        let answer = self
            .change(
                "deleting",
                (Method::DELETE, Content::Json, ""),
                &self.of,
                &place,
                &body,
            )
            .await?;
        // An object that stays until its finalizers are gone is answered as it is.
        Ok(if answer["kind"] == "Status" {
            Deleted::Gone
        } else {
            Deleted::Begun
        })
    }

    async fn outlook(&self, object: &Object, waited: Duration) -> Result<(), Failure> {
        let finalizers = &object.detail["finalizers"];
        let is_held = finalizers.as_array().is_some_and(|all| !all.is_empty());
        let remaining = object.detail["remaining"].as_str().unwrap_or_default();
        let mut held = finalizers
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        // Pods and nodes end in their own time: whoever waits for them is at work.
        let is_at_work = held.any(|name| name == "foregroundDeletion" || name.starts_with("karpenter"))
            || !remaining.is_empty() && !remaining.contains("finalizers");
        let limit = if self.is_namespaces() && object.detail["is_told"] != true {
            SILENT
        } else {
            FINALIZERS
        };
        if object.condition == Condition::Deleting && is_held && !is_at_work && waited > limit {
            let doing = self.doing("deleting", &Place::of_id(&object.id));
            let mut cause =
                format!("its finalizers {finalizers} are not taken away: nothing is at work on them");
            if !remaining.is_empty() {
                cause = format!("{cause}; {remaining}");
            }
            return Err(Failure::new(Class::Stuck, doing, cause).hint(
                "See whether the controller that set them still runs; without it, take them away by hand",
            ));
        }
        let grace = object
            .fields
            .pointer("/spec/template/spec/terminationGracePeriod");
        if object.condition == Condition::Deleting
            && waited > DRAINING
            && grace.is_none()
            && let Some((held, true)) = self.held_by_pods(object).await
        {
            let doing = self.doing("draining the nodes of", &Place::of_id(&object.id));
            return Err(Failure::new(Class::Stuck, doing, held.join("; "))
                .code(codes::HELD)
                .hint("Loosen the budget, or end these pods; then run again. A `termination_grace_period` ends such a wait by itself."));
        }
        let Condition::Unready(text) = &object.condition else {
            return Ok(());
        };
        let mut why = text.clone();
        let mut is_hopeless = object.detail["never"] == true;
        if !is_hopeless && waited > FIRST_REASONS {
            if let Some(hopeless) = self.reasons_lately(object, waited).await.hopeless {
                why = format!("{why}; {hopeless}");
                is_hopeless = true;
            }
        } else if is_hopeless {
            why = self.held_up_by(object, waited).await.unwrap_or(why);
        }
        if !is_hopeless {
            return Ok(());
        }
        let doing = self.doing("waiting for", &Place::of_id(&object.id));
        Err(Failure::new(Class::Stuck, doing, why)
            .code(codes::NOT_READY)
            .hint("Mend what it names, and apply again; the object stays as it is."))
    }

    async fn held_up_by(&self, object: &Object, waited: Duration) -> Option<String> {
        if object.condition == Condition::Deleting {
            let held = self.held_by_pods(object).await.map(|(held, _)| held);
            return held.filter(|held| !held.is_empty()).map(|held| held.join("; "));
        }
        let Condition::Unready(text) = &object.condition else {
            return None;
        };
        let texts = self.reasons_lately(object, waited).await.texts;
        let all: Vec<String> = [text.clone()].into_iter().chain(texts).collect();
        Some(all.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_fits_and_ends_well() {
        let owner = |resource: &str| Owner {
            environment: "dev".into(),
            region: "eu-central-1".into(),
            resource: resource.into(),
        };
        assert_eq!(label(&owner("cluster/main")), "dev.eu-central-1.cluster-main");
        let long = label(&owner(&format!("cluster/{}", "x".repeat(80))));
        assert_eq!(long.len(), 63);
    }

    #[test]
    fn an_id_is_a_place() {
        for id in ["main/gp3", "main/kube-system/coredns"] {
            assert_eq!(Place::of_id(id).id(), id);
        }
    }

    #[test]
    fn what_helm_has_by_updates_is_handed_over_to_what_it_applies() {
        let entry = |manager: &str, operation: &str, fields: Value| json!({"manager": manager, "operation": operation, "apiVersion": "v1", "fieldsV1": fields});
        let metadata = |entries: &[Value]| json!({"managedFields": entries});
        let other = entry("kubectl-edit", "Update", json!({"f:data": {"f:c": {}}}));
        let applied = entry(SHARED, "Apply", json!({"f:data": {"f:a": {}}}));
        assert_eq!(handed_over(&metadata(&[other.clone(), applied.clone()])), None);
        let updated = entry(
            "terraform-provider-helm_v3.0.2_x5",
            "Update",
            json!({"f:data": {"f:b": {}}}),
        );
        let moved = handed_over(&metadata(&[updated, other.clone(), applied])).unwrap();
        assert_eq!(moved[0], other);
        assert_eq!(moved[1]["fieldsV1"], json!({"f:data": {"f:a": {}, "f:b": {}}}));
        assert_eq!(
            (moved.as_array().unwrap().len(), &moved[1]["operation"]),
            (2, &json!("Apply"))
        );
    }

    #[test]
    fn an_object_was_applied_by_whoever_has_more_than_marks() {
        let entry = |manager: &str, fields: Value| json!({"manager": manager, "operation": "Apply", "fieldsV1": fields});
        let marks = json!({"f:metadata": {"f:labels": {"f:ekb.io/owner": {}}, "f:annotations": {".": {}, "f:ekb.io/part": {}}}});
        let all = json!({"f:metadata": {"f:labels": {"f:ekb.io/owner": {}}}, "f:data": {"f:a": {}}});
        let of = |entries: &[Value]| {
            our_entry(&json!({"managedFields": entries})).map(|entry| text_of(&entry["manager"]))
        };
        assert_eq!(
            of(&[entry("ekb", all.clone()), entry("helm", all.clone())]).unwrap(),
            "ekb"
        );
        assert_eq!(
            of(&[entry("ekb", marks.clone()), entry("helm", all)]).unwrap(),
            "helm"
        );
        assert_eq!(of(&[entry("ekb", marks)]).unwrap(), "ekb");
        assert_eq!(of(&[]), None);
    }
}
