//! The parts of a release: its record, its objects, and the mark that all of them are as they should be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use framework::{Attr, Diagnostic, Path};
use helm::release::Record;
use helm::render::GeneratedLeaf;
use helm::{Document, Hook, Release};
use kubernetes::Manifest;
use reconcile::graph::{Graph, Handle, Unknowns};
use reconcile::part::{Key, Need, Ref, Target};
use reconcile::report::Report;
use serde_json::{Value, json};

use super::charts::Manifests;
use super::hook::{self, Phase, Run};
use super::model::Installed;
use super::record::{Deployed, Recorded, Revised};
use super::{UPDATE, adopt, overlay};

/// The part of the record: the root.
pub const RECORD: &str = "release";
/// The part that is made last.
pub const DEPLOYED: &str = "deployed";

/// In the version of secret values that are sent once more: no version of a user's is so high.
const RENEWED: u32 = 1 << 31;

/// The manager of fields that helm and we share, so that either can go on with what the other did.
const MANAGER: &str = "helm";

/// An object of the release.
pub(super) struct Piece {
    pub key: Key,
    group: String,
    kind: String,
    name: String,
    pub object: Value,
    /// The same with secret values, and their version, where these make it another.
    pub secret: Option<(u32, Value)>,
    /// Places of values that the chart generates.
    pub generated: Vec<String>,
    /// Fields that follow from values that are not known.
    unknown: BTreeSet<String>,
}

impl Piece {
    /// Of a document, as helm applies it: with its marks.
    ///
    /// # Errors
    /// Text that is no YAML.
    pub fn of(document: &Document, release: &str, namespace: &str) -> Result<Self, helm::Error> {
        let mut object = placed(document, namespace)?;
        let marks = json!({
            "labels": {"app.kubernetes.io/managed-by": "Helm"},
            "annotations": {"meta.helm.sh/release-name": release, "meta.helm.sh/release-namespace": namespace},
        });
        for (field, marks) in marks.as_object().into_iter().flatten() {
            let entries = &mut object["metadata"][field];
            if !entries.is_object() {
                *entries = json!({});
            }
            for (name, value) in marks.as_object().into_iter().flatten() {
                entries[name] = value.clone();
            }
        }
        Ok(Self {
            key: Manifest::new(Target::Id(String::new()), object.clone()).key(),
            group: document.group().to_owned(),
            kind: document.kind.clone(),
            name: document.name.clone(),
            object,
            secret: None,
            generated: Vec::new(),
            unknown: BTreeSet::new(),
        })
    }

    /// Has these values sent, though the object lives and they are generated.
    fn renew<'a>(&mut self, leaves: impl Iterator<Item = &'a GeneratedLeaf>) {
        for leaf in leaves {
            let (version, _) = self.secret.get_or_insert_with(|| (RENEWED, self.object.clone()));
            *version |= RENEWED;
            self.generated.retain(|place| *place != leaf.pointer);
            if let Some(value) = self.object.pointer_mut(&leaf.pointer) {
                *value = "(secret)".into();
            }
        }
    }

    /// Whether it runs something, so that others may wait for it.
    fn runs(&self) -> bool {
        matches!(
            (self.group.as_str(), self.kind.as_str()),
            ("apps", "Deployment" | "DaemonSet" | "StatefulSet")
        )
    }

    /// Whether the API server sends requests to pods because of it: before those run, it stands in everybody's way.
    fn needs_pods(&self) -> bool {
        matches!(
            self.kind.as_str(),
            "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration" | "APIService"
        )
    }

    fn is_definition(&self) -> bool {
        self.kind == "CustomResourceDefinition"
    }

    /// Of a definition, the group and kind that it defines.
    fn defines(&self) -> Option<(&str, &str)> {
        let spec = &self.object["spec"];
        Some((spec["group"].as_str()?, spec["names"]["kind"].as_str()?))
    }

    /// What its pods take of objects of the release, as kind and name: without it they do not start.
    fn takes(&self) -> BTreeSet<(String, String)> {
        let mut all = BTreeSet::new();
        if self.runs() || matches!(self.kind.as_str(), "Job" | "CronJob" | "Pod") {
            taken(&self.object["spec"], &mut all);
        }
        all
    }

    /// Of a binding, the service accounts that it gives rights.
    fn gives_rights_to(&self) -> Vec<&str> {
        if !matches!(self.kind.as_str(), "RoleBinding" | "ClusterRoleBinding") {
            return Vec::new();
        }
        let subjects = self.object["subjects"].as_array().into_iter().flatten();
        let subjects = subjects.filter(|subject| subject["kind"] == "ServiceAccount");
        subjects.filter_map(|subject| subject["name"].as_str()).collect()
    }
}

/// The object of a document, in the release's namespace where it names none.
///
/// # Errors
/// Text that is no YAML.
pub(super) fn placed(document: &Document, namespace: &str) -> Result<Value, helm::Error> {
    let mut object = document.json()?;
    let metadata = &mut object["metadata"];
    let is_namespaced = kubernetes::is_namespaced(&document.api_version, &document.kind).unwrap_or(true);
    if is_namespaced && metadata["namespace"].as_str().is_none_or(str::is_empty) {
        metadata["namespace"] = namespace.into();
    }
    if !is_namespaced && let Some(metadata) = metadata.as_object_mut() {
        metadata.shift_remove("namespace");
    }
    Ok(object)
}

/// What a pod's specification names, wherever it stands.
fn taken(spec: &Value, all: &mut BTreeSet<(String, String)>) {
    let mut note = |kind: &str, name: &Value| {
        if let Some(name) = name.as_str() {
            all.insert((kind.to_owned(), name.to_owned()));
        }
    };
    if let Value::Object(fields) = spec {
        for (field, value) in fields {
            match field.as_str() {
                "serviceAccountName" => note("ServiceAccount", value),
                "secretName" => note("Secret", value),
                "secretRef" | "secretKeyRef" => note("Secret", &value["name"]),
                "configMapRef" | "configMapKeyRef" | "configMap" => note("ConfigMap", &value["name"]),
                "claimName" => note("PersistentVolumeClaim", value),
                _ => {}
            }
        }
    }
    match spec {
        Value::Object(fields) => fields.values().for_each(|value| taken(value, all)),
        Value::Array(list) => list.iter().for_each(|value| taken(value, all)),
        _ => {}
    }
}

/// The objects of the release, definitions first; what is wrong with one ends the plan.
fn pieces(model: &Installed, manifests: &Manifests) -> Result<Vec<Piece>, Refused> {
    let text = |of: &Attr<String>| of.known().cloned().unwrap_or_default();
    let (name, namespace) = (text(&model.name), text(&model.namespace));
    let documents = &manifests.rendered.documents;
    let mut all = Vec::new();
    for (at, document) in documents.crds.iter().chain(&documents.manifests).enumerate() {
        let mut piece = Piece::of(document, &name, &namespace)?;
        let secret = manifests
            .secret
            .as_ref()
            .zip(at.checked_sub(documents.crds.len()));
        if let Some((secret, index)) = secret.filter(|(secret, index)| secret.documents.contains(index)) {
            let with = &secret.rendered.documents.manifests[index];
            piece.secret = Some((secret.version, Piece::of(with, &name, &namespace)?.object));
        }
        let of_it = |leaf: &&GeneratedLeaf| leaf.document == (document.kind.clone(), document.name.clone());
        let leaves = manifests.generated.iter().filter(of_it);
        piece.generated = leaves.map(|leaf| leaf.pointer.clone()).collect();
        piece.renew(manifests.renewed.iter().filter(of_it));
        let unknown = manifests.unknown.as_ref().and_then(|unknown| unknown.get(at));
        piece.unknown = unknown.cloned().unwrap_or_default();
        all.push(piece);
    }
    for (key, operations) in manifests.overlay.as_object().into_iter().flatten() {
        let refused = |why: String| Refused("overlay", format!("{key}: {why}"));
        let named = all.iter_mut().find(|piece| piece.key.0 == *key);
        let piece = named.ok_or_else(|| refused("the chart has no such object".to_owned()))?;
        let with_secrets = piece.secret.as_mut().map(|(_, object)| object);
        for object in [&mut piece.object].into_iter().chain(with_secrets) {
            overlay::patch(object, operations).map_err(refused)?;
            let is = Manifest::new(Target::Id(String::new()), object.clone()).key();
            if is.0 != *key {
                return Err(refused(format!("a patch may not make {is} of it")));
            }
        }
    }
    Ok(all)
}

/// Which argument is refused, and why.
struct Refused(&'static str, String);

impl From<helm::Error> for Refused {
    fn from(error: helm::Error) -> Self {
        Self("chart", error.to_string())
    }
}

/// Says what is wrong with the objects, before anything is made.
///
/// # Errors
/// Documents that are no objects, or two of one name.
pub fn check(model: &Installed, manifests: &Manifests) -> Result<(), Diagnostic> {
    let refused = |why: String| {
        Diagnostic::error("EKB2405", "The chart's objects cannot be applied", why).at(Path::from("chart"))
    };
    let mut seen = BTreeSet::new();
    let pieces = pieces(model, manifests);
    for piece in pieces.map_err(|Refused(at, why)| refused(format!("{why}.")).at(Path::from(at)))? {
        if piece.kind.is_empty() || piece.name.is_empty() {
            return Err(refused(
                "A document has no `kind`, or no `metadata.name`.".to_owned(),
            ));
        }
        let is_named = |place: &String| {
            place.is_empty()
                || ["/metadata/name", "/metadata/namespace", "/kind", "/apiVersion"].contains(&place.as_str())
        };
        if piece.generated.iter().any(is_named) {
            let why = "is another object at every render: its name, or all of it, is random.";
            return Err(refused(format!("{} {why}", piece.key)));
        }
        if !seen.insert(piece.key.clone()) {
            return Err(refused(format!("{} is rendered twice.", piece.key)));
        }
    }
    record(model, manifests)
        .check_size()
        .map_err(|error| refused(format!("{error}.")))
}

fn record(model: &Installed, manifests: &Manifests) -> Record {
    let text = |of: &Attr<String>| of.known().cloned().unwrap_or_default();
    let release = Release::new(text(&model.name), text(&model.namespace));
    let (rendered, values) = manifests.real();
    Record::planned(rendered, &release, values.clone())
}

/// Adds the parts of what was rendered. Objects come after `first`.
pub fn add(graph: &mut Graph, model: &Installed, manifests: &Manifests, first: &[Ref]) -> Option<()> {
    let (Attr::Known(cluster), Attr::Known(name), Attr::Known(namespace)) =
        (&model.cluster, &model.name, &model.namespace)
    else {
        return None;
    };
    let cluster = || Target::Id(cluster.clone());
    let record = record(model, manifests);
    // Not the text of the manifests, in which generated values stand.
    let content = manifests.digest.clone();
    let mut unknown = Unknowns::default();
    if manifests.unknown.is_some() {
        unknown.note("content");
    }
    let root = graph.part_with(
        RECORD,
        Recorded {
            cluster: cluster(),
            namespace: namespace.clone(),
            name: name.clone(),
            chart: format!(
                "{}-{}",
                manifests.rendered.chart.metadata.name, manifests.rendered.chart.metadata.version
            ),
            content: content.clone(),
            added: Vec::new(),
            what: Some(Arc::new(Revised {
                record,
                generated: manifests.generated.clone(),
                arguments: adopt::arguments(model, manifests),
                history_max: usize::try_from(model.history_max.unwrap_or(10)).unwrap_or_default(),
                patience: model.timeouts.update(UPDATE),
                back_to: None,
            })),
        },
        unknown.clone(),
    );
    graph.root(&root);
    let pieces = pieces(model, manifests).ok()?;
    let mut hooks = HookParts {
        hooks: &manifests.real().0.documents.hooks,
        cluster: &cluster,
        namespace,
        release: name,
        content: &content,
        unknown: &unknown,
    };
    let made = [vec![root.ready()], first.to_vec()].concat();
    let after_end = hooks.run(graph, Phase::AfterEnd, &made);
    let before = hooks.run(graph, Phase::Before, &[made.clone(), after_end.clone()].concat());
    let handles = objects(graph, &pieces, &[made, after_end, before].concat(), &cluster);
    let mut all: Vec<Ref> = vec![root.ready()];
    all.extend(handles.iter().map(Handle::ready));
    all.extend(hooks.run(graph, Phase::After, &all));
    let deployed = graph.part_with(
        DEPLOYED,
        Deployed {
            cluster: cluster(),
            namespace: namespace.clone(),
            name: name.clone(),
            content: content.clone(),
            after: all,
        },
        unknown.clone(),
    );
    hooks.run(graph, Phase::BeforeEnd, &[deployed.ready()]);
    if model.tests == Attr::Known(true) {
        let tests = &manifests.real().0.documents.tests;
        HookParts {
            hooks: tests,
            ..hooks
        }
        .run(graph, Phase::Test, &[deployed.ready()]);
    }
    for piece in &pieces {
        if piece.is_definition() {
            // An earlier installation left it, as helm does.
            graph.take_over(piece.key.clone());
        }
        keep(graph, model, &piece.key, &piece.object);
    }
    Some(())
}

/// The same where something is gone that shares generated values with what lives: these are made anew, too (a certificate and the
/// webhooks that trust it). None where nothing is.
pub fn renewed(model: &Installed, manifests: &Manifests, found: &Report) -> Option<Manifests> {
    let pieces = pieces(model, manifests).ok()?;
    let is_there = |leaf: &GeneratedLeaf| {
        let of_it = |piece: &&Piece| (&piece.kind, &piece.name) == (&leaf.document.0, &leaf.document.1);
        let piece = pieces.iter().find(of_it);
        piece.is_some_and(|piece| found.objects.contains_key(&piece.key))
    };
    let broken = manifests
        .groups
        .iter()
        .filter(|group| !group.iter().all(is_there));
    let renewed: Vec<GeneratedLeaf> = broken.flatten().filter(|leaf| is_there(leaf)).cloned().collect();
    if renewed.is_empty() {
        return None;
    }
    Some(Manifests {
        renewed,
        ..manifests.clone()
    })
}

/// Says of an object whether it outlives the release.
pub(super) fn keep(graph: &mut Graph, model: &Installed, key: &Key, object: &Value) {
    let policy = object["metadata"]["annotations"]["helm.sh/resource-policy"].as_str();
    if policy.is_some_and(|policy| policy.trim() == "keep") {
        graph.keep(key.clone(), "the chart says so (helm.sh/resource-policy: keep)");
    } else if key.0.starts_with("CustomResourceDefinition.") && model.delete_crds != Attr::Known(true) {
        let why = "with a definition all objects of it would go (`delete_crds`)";
        graph.keep(key.clone(), why);
    }
}

/// Adds the parts that the state knows and the graph does not have: to look at them, and to delete them without the chart.
pub fn add_of_state(graph: &mut Graph, model: &Installed) -> Option<()> {
    let objects = model.common.objects.known()?;
    for (key, fields) in objects {
        let fields: Value = serde_json::from_str(fields.known()?).ok()?;
        let text = |name: &str| fields[name].as_str().unwrap_or_default().to_owned();
        let cluster = || Target::Id(text("cluster"));
        let list = |name: &str| -> Vec<String> {
            let texts = fields[name].as_array().into_iter().flatten();
            texts.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let after = || -> Vec<Ref> {
            let keys = list("after").into_iter();
            keys.map(|key| Ref {
                key: Key(key),
                need: Need::Ready,
                output: None,
            })
            .collect()
        };
        let key = Key(key.clone());
        if graph.fields(&key).is_some() {
            continue;
        }
        if model.common.ids.is_null() {
            // An import: what helm made carries no marks.
            graph.take_over(key.clone());
        }
        if key.0 == RECORD {
            let part = Recorded {
                cluster: cluster(),
                namespace: text("namespace"),
                name: text("name"),
                chart: text("chart"),
                content: text("content"),
                added: Vec::new(),
                what: None,
            };
            let root = graph.part(key, part);
            graph.root(&root);
        } else if key.0 == DEPLOYED {
            let part = Deployed {
                cluster: cluster(),
                namespace: text("namespace"),
                name: text("name"),
                content: text("content"),
                after: after(),
            };
            graph.part(key, part);
        } else if key.0.starts_with("hook/") {
            let part = Run {
                cluster: cluster(),
                namespace: text("namespace"),
                release: text("release"),
                object: text("object"),
                phase: Phase::ALL
                    .into_iter()
                    .find(|phase| phase.to_string() == text("phase"))?,
                content: text("content"),
                after: after(),
                what: None,
            };
            graph.part(key, part);
        } else {
            let (kind, _) = key.0.split_once('/')?;
            let manifest = Manifest::from_fields(kind, &fields)?.manager(MANAGER);
            let manifest = after().into_iter().fold(manifest, Manifest::after);
            keep(graph, model, &key, &fields);
            graph.part(key, manifest);
        }
    }
    Some(())
}

/// The chart's hooks as parts.
pub(super) struct HookParts<'a, C> {
    pub hooks: &'a [Hook],
    pub cluster: &'a C,
    pub namespace: &'a str,
    pub release: &'a str,
    pub content: &'a str,
    pub unknown: &'a Unknowns,
}

impl<C: Fn() -> Target> HookParts<'_, C> {
    /// The hooks of the phase, one after the other by weight: what has to wait for them. One that an upgrade does not run again holds up
    /// nobody, so that each waits for all before it, and whoever comes after for all of them.
    pub fn run(&mut self, graph: &mut Graph, phase: Phase, after: &[Ref]) -> Vec<Ref> {
        let mut hooks: Vec<&Hook> = self.hooks.iter().filter(|hook| phase.has(hook)).collect();
        // As helm orders them.
        hooks.sort_by(|a, b| (a.weight, &a.document.name).cmp(&(b.weight, &b.document.name)));
        let mut after = after.to_vec();
        let first = after.len();
        for hook in hooks {
            let Ok(manifest) = placed(&hook.document, self.namespace) else {
                continue;
            };
            let Document { kind, name, .. } = &hook.document;
            let unknown = if phase.runs_again(hook) {
                self.unknown.clone()
            } else {
                Unknowns::default()
            };
            let handle = graph.part_with(
                Key(format!("hook/{phase}/{kind}/{name}")),
                Run {
                    cluster: (self.cluster)(),
                    namespace: self.namespace.to_owned(),
                    release: self.release.to_owned(),
                    object: hook::object_text(&manifest),
                    phase,
                    content: phase.content(hook, self.content).to_owned(),
                    after: after.clone(),
                    what: Some(Arc::new((manifest, hook.clone()))),
                },
                unknown,
            );
            after.push(handle.ready());
        }
        after.split_off(first)
    }
}

/// The objects: definitions before what they define, what pods take before the pods, and what needs running pods last.
pub(super) fn objects(
    graph: &mut Graph,
    pieces: &[Piece],
    first: &[Ref],
    cluster: &impl Fn() -> Target,
) -> Vec<Handle> {
    let defined: BTreeMap<(&str, &str), &Key> = pieces
        .iter()
        .filter_map(|piece| Some((piece.defines()?, &piece.key)))
        .collect();
    let mut handles: BTreeMap<&Key, Handle> = BTreeMap::new();
    // Each rank refers to lower ones only.
    let rank = |piece: &Piece| -> u8 {
        let is_custom = defined.contains_key(&(piece.group.as_str(), piece.kind.as_str()));
        match () {
            () if piece.is_definition() => 0,
            () if piece.needs_pods() => 3,
            () if is_custom => 4,
            () if piece.runs() || matches!(piece.kind.as_str(), "Job" | "CronJob" | "Pod") => 2,
            () => 1,
        }
    };
    let mut sorted: Vec<&Piece> = pieces.iter().collect();
    sorted.sort_by_key(|piece| rank(piece));
    for piece in &sorted {
        let mut manifest = Manifest::new(cluster(), piece.object.clone()).manager(MANAGER);
        if let Some((version, object)) = &piece.secret {
            manifest = manifest.with_secrets(*version, object.to_string().into());
        }
        manifest = manifest.generated(piece.generated.clone());
        for part in first {
            manifest = manifest.after(part.clone());
        }
        let takes = piece.takes();
        for other in sorted.iter().filter(|other| rank(other) < rank(piece)) {
            let is_named = takes.contains(&(other.kind.clone(), other.name.clone()));
            let gives_rights = other
                .gives_rights_to()
                .iter()
                .any(|account| takes.contains(&("ServiceAccount".to_owned(), (*account).to_owned())));
            let is_definition = other.defines() == Some((piece.group.as_str(), piece.kind.as_str()));
            let waits_for_pods = rank(piece) >= 3 && other.runs();
            if (is_named || gives_rights || is_definition || waits_for_pods)
                && let Some(handle) = handles.get(&other.key)
            {
                manifest = manifest.after(handle.ready());
            }
        }
        let mut unknown = Unknowns::default();
        piece.unknown.iter().for_each(|field| unknown.note(field));
        handles.insert(&piece.key, graph.part_with(piece.key.clone(), manifest, unknown));
    }
    handles.into_values().collect()
}
