//! How objects of a type are found, applied and deleted: one implementation for all types.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::try_join_all;
use http::Method;
use reconcile::failure::{Class, Failure};
use reconcile::kinds::Kinds;
use reconcile::part::{
    Ask, Call, Condition, Deleted, Difference, Idempotence, Key, Kind, KindTraits, Made, Object, Owner, Pace,
    Tags,
};
use serde_json::{Map, Value, json};

use crate::access::Endpoint;
use crate::cluster::{Cluster, Clusters, Content, encoded};
use crate::failure::codes;
use crate::manifest::{APART, Manifest};
use crate::owned::ours;
use crate::types::{Discovered, Type};

/// Our name as a manager of fields.
const MANAGER: &str = "ekb";
/// The label by which our objects are found: a label has 63 characters at most, which suffices for that.
const OWNER_LABEL: &str = "ekb.io/owner";
/// Whose an object is, annotations say, which hold any text: `ekb.io/part` is the tag `ekb:part`.
const ANNOTATION: &str = "ekb.io/";
/// How long finalizers may take before nobody seems to be at work on them.
const FINALIZERS: Duration = Duration::from_secs(60);

/// The kinds of these types (`apps/v1/Deployment`, `v1/ConfigMap`), whose objects live in clusters that are parts of the
/// kind `parent` or are named: its id is the cluster's name, its outputs `endpoint` and `certificate_authority` say where it
/// is.
pub fn kinds(clusters: &Clusters, parent: &'static str, types: &[&str]) -> Kinds {
    let all = types.iter().map(|of| Objects::new(clusters, parent, of));
    all.fold(Kinds::new(), Kinds::with)
}

/// Objects of one type.
#[derive(Debug)]
pub struct Objects {
    clusters: Clusters,
    parent: &'static str,
    of: Type,
    propagation: &'static str,
}

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

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

impl Objects {
    /// Objects of this type, as for [`kinds`].
    pub fn new(clusters: &Clusters, parent: &'static str, of: &str) -> Self {
        Self {
            clusters: clusters.clone(),
            parent,
            propagation: Type::parse(of).propagation(),
            of: Type::parse(of),
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

    async fn discovered(&self, cluster: &Cluster) -> Result<Discovered, Failure> {
        match self.of.known() {
            Some(known) => Ok(known),
            None => cluster.discover(&self.of).await,
        }
    }

    async fn path(&self, cluster: &Cluster, place: &Place) -> Result<String, Failure> {
        let found = self.discovered(cluster).await?;
        Ok(format!(
            "{}/{}",
            self.of.path(&found, place.namespace.as_deref()),
            place.name
        ))
    }

    /// A changing request about one object.
    async fn change(
        &self,
        what: &str,
        method: Method,
        place: &Place,
        query: &str,
        content: Content,
        body: &Value,
    ) -> Result<Value, Failure> {
        let cluster = self.clusters.get(&place.cluster);
        let path = self
            .path(&cluster, place)
            .await
            .map_err(|failure| cluster.weigh(failure, true))?;
        let doing = self.doing(what, place);
        cluster
            .send(&doing, method, &format!("{path}{query}"), content, Some(body))
            .await
    }

    /// The object as it is applied: the manifest with what its references stand for, ours by label and annotations.
    fn applied(&self, part: &Manifest, tags: &Tags, call: &Call) -> Result<Value, Failure> {
        let mut object = call.document(&part.object())?;
        if let Some(secret) = &part.secret {
            let secret: Value = serde_json::from_str(secret.expose()).map_err(|_| {
                let doing = format!("making {} {}", self.title(), part.name);
                Failure::new(
                    Class::Other,
                    doing,
                    "its secret is not JSON (a defect of the provider)",
                )
            })?;
            merge(&mut object, secret);
        }
        let annotations: Map<String, Value> = tags
            .iter()
            .filter_map(|(tag, value)| Some((annotation(tag)?, value.clone().into())))
            .collect();
        merge(
            &mut object["metadata"],
            json!({"labels": {OWNER_LABEL: label(&call.owner)}, "annotations": annotations}),
        );
        Ok(object)
    }

    fn place(&self, part: &Manifest, call: &Call) -> Result<Place, Failure> {
        Ok(Place {
            cluster: call.target(&part.cluster)?.to_owned(),
            namespace: part.namespace.clone(),
            name: part.name.clone(),
        })
    }

    /// The object as the engine sees it.
    fn object(&self, cluster: &str, live: &Value, declared: Option<&Value>) -> Object {
        let metadata = &live["metadata"];
        let place = Place {
            cluster: cluster.to_owned(),
            namespace: metadata["namespace"].as_str().map(str::to_owned),
            name: text(&metadata["name"]),
        };
        let mut managers = metadata["managedFields"].as_array().into_iter().flatten();
        let owned = managers.find(|entry| {
            entry["manager"] == MANAGER && entry["operation"] == "Apply" && entry["subresource"].is_null()
        });
        let mut found = ours(live, declared, owned.map(|entry| &entry["fieldsV1"]));
        let mut fields = Map::new();
        fields.insert("cluster".to_owned(), cluster.into());
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
            // Whatever is in it is for nobody's eyes.
            if self.title() == "Secret" {
                found.retain(|name, _| name != "data" && name != "stringData");
            }
            fields.extend(std::mem::take(found));
        }
        let annotations = metadata["annotations"].as_object().into_iter().flatten();
        let tags = annotations.filter_map(|(name, value)| {
            Some((format!("ekb:{}", name.strip_prefix(ANNOTATION)?), text(value)))
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
            condition: self.condition(live),
            fields: fields.into(),
            tags: tags.collect(),
            references: vec![cluster.to_owned()],
            outputs: BTreeMap::new(),
            detail: json!({"finalizers": finalizers, "uid": metadata["uid"]}),
        }
    }

    fn condition(&self, live: &Value) -> Condition {
        let has = |condition: &str| {
            let mut all = live["status"]["conditions"].as_array().into_iter().flatten();
            all.any(|one| one["type"] == condition && one["status"] == "True")
        };
        if live["metadata"]["deletionTimestamp"].is_string() {
            Condition::Deleting
        } else if self.title() == "CustomResourceDefinition" && !has("Established") {
            Condition::Changing("not established".to_owned())
        } else {
            Condition::Settled
        }
    }

    /// All that is asked about in one cluster.
    async fn in_cluster(&self, name: &str, ask: &Ask) -> Result<Vec<Object>, Failure> {
        let cluster = self.clusters.get(name);
        let doing = format!("listing {} in the cluster {name}", self.title());
        let found = match self.discovered(&cluster).await {
            // Its definition is not there yet: nor is any object.
            Err(failure) if failure.code == codes::NO_TYPE => return Ok(Vec::new()),
            other => other?,
        };
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
        let mut live = match cluster.list(&doing, &self.of.path(&found, None), &query).await {
            // Of a group that it does not know any more.
            Err(failure) if failure.class == Class::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        // What is meant and is not among them may be there without our label: of somebody else, or from before.
        let declared = ask
            .declared
            .values()
            .map(|fields| (fields["namespace"].as_str(), text(&fields["name"])));
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
                text(&metadata["name"]),
            )
        };
        let seen: BTreeSet<_> = live.iter().map(place).collect();
        let missing: BTreeSet<Option<&String>> = meant
            .iter()
            .filter(|meant| !seen.contains(meant))
            .map(|(namespace, _)| namespace.as_ref())
            .collect();
        let more = missing.into_iter().map(|namespace| {
            let path = self.of.path(&found, namespace.map(String::as_str));
            let (cluster, doing) = (&cluster, &doing);
            async move { cluster.list(doing, &path, "").await }
        });
        let more = try_join_all(more).await?.into_iter().flatten();
        live.extend(more.filter(|object| !seen.contains(&place(object)) && meant.contains(&place(object))));
        let objects = live.iter().map(|live| {
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
            self.object(cluster.name(), live, by_part.or_else(by_name))
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

/// Puts fields into an object, at any depth.
fn merge(into: &mut Value, fields: Value) {
    match (into, fields) {
        (Value::Object(into), Value::Object(fields)) => {
            for (name, value) in fields {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, value) => *into = value,
    }
}

/// What a failure says, without the part's secrets: the API server quotes values that it refuses.
fn without_secrets(mut failure: Failure, part: &Manifest) -> Failure {
    fn leaves(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::String(text) if text.len() > 2 => found.push(text.clone()),
            Value::Array(list) => list.iter().for_each(|value| leaves(value, found)),
            Value::Object(map) => map.values().for_each(|value| leaves(value, found)),
            _ => {}
        }
    }
    if let Some(secret) = &part.secret
        && let Ok(secret) = serde_json::from_str(secret.expose())
    {
        let mut texts = Vec::new();
        leaves(&secret, &mut texts);
        for text in texts {
            failure.cause = failure.cause.replace(&text, "(secret)");
        }
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
                limit: Duration::from_secs(600),
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
            names.extend(ask.declared.values().map(|fields| text(&fields["cluster"])));
        }
        let looks = names.iter().map(|name| self.in_cluster(name, ask));
        Ok(try_join_all(looks).await?.into_iter().flatten().collect())
    }

    async fn create(&self, part: &Manifest, call: &Call) -> Result<Made, Failure> {
        let place = self.place(part, call)?;
        self.clusters.get(&place.cluster).check_version().await?;
        let object = self.applied(part, &call.ownership, call)?;
        let query = format!("?fieldManager={MANAGER}");
        let made = self
            .change("creating", Method::PATCH, &place, &query, Content::Apply, &object)
            .await;
        let made = made.map_err(|failure| match failure.class {
            // Its definition, or its namespace, was made a moment ago.
            Class::NotFound => Failure {
                class: Class::NotYet,
                ..failure
            },
            _ => without_secrets(failure, part),
        })?;
        Ok(Made::new(place.id(), self.condition(&made)))
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
        let object = self.applied(part, &is.tags, call)?;
        let apply = async |query: String| {
            let applied = self
                .change("updating", Method::PATCH, &place, &query, Content::Apply, &object)
                .await;
            applied.map_err(|failure| without_secrets(failure, part))
        };
        match apply(format!("?fieldManager={MANAGER}")).await {
            Err(failure) if failure.code == codes::CONFLICT => {
                tracing::info!(part = %call.key, conflict = failure.cause, "taking fields over from another manager");
                apply(format!("?fieldManager={MANAGER}&force=true"))
                    .await
                    .map(|_| ())
            }
            other => other.map(|_| ()),
        }
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
        } else if remove.iter().any(|tag| tag == "ekb:resource") {
            metadata["labels"] = json!({OWNER_LABEL: null});
        }
        let (place, query) = (Place::of_id(id), format!("?fieldManager={MANAGER}"));
        let body = json!({"metadata": metadata});
        self.change("tagging", Method::PATCH, &place, &query, Content::Merge, &body)
            .await
            .map(|_| ())
    }

    async fn delete(&self, object: &Object, _call: &Call) -> Result<Deleted, Failure> {
        // Only this very object, not one of its name that somebody made since.
        let body = json!({
            "preconditions": {"uid": object.detail["uid"]},
            "propagationPolicy": self.propagation,
        });
        let place = Place::of_id(&object.id);
        let answer = self
            .change("deleting", Method::DELETE, &place, "", Content::Json, &body)
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
        if object.condition == Condition::Deleting && is_held && waited > FINALIZERS {
            let doing = self.doing("deleting", &Place::of_id(&object.id));
            let cause = format!("its finalizers {finalizers} are not taken away: nothing is at work on them");
            return Err(Failure::new(Class::Stuck, doing, cause).hint(
                "See whether the controller that set them still runs; without it, take them away by hand",
            ));
        }
        Ok(())
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
}
