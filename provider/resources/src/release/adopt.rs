//! What records say of arguments and parts: import, and the takeover of what helm installed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use framework::Attr;
use helm::release::{Record, Status, hook as stored_hook};
use helm::render::GeneratedLeaf;
use helm::{Document, Hook};
use reconcile::failure::Failure;
use reconcile::graph::{Graph, Handle, Unknowns};
use reconcile::part::{Ref, Target};
use reconcile::resource::Managed;
use serde_json::{Map, Value as Json, json};

use super::charts::{self, Manifests};
use super::graph::{DEPLOYED, HookParts, Piece, RECORD, keep, objects};
use super::hook::Phase;
use super::model::Installed;
use super::record::{Deployed, Place, Recorded, Revised, Revision, revisions};
use super::values::from_json;
use super::{is_folder, live_version, overlay};
use crate::platform::Platform;

/// The arguments that helm's record does not hold, for who imports the release. URLs without who logs in.
pub fn arguments(model: &Installed, manifests: &Manifests) -> Json {
    let secret = manifests.secret.as_ref();
    let text = |of: &Attr<String>| of.known().map(|text| charts::without_user(text));
    json!({
        "chart": text(&model.chart),
        "repository": text(&model.repository),
        "version": text(&model.version),
        "chart_digest": text(&model.chart_digest),
        "kubernetes_version": text(&model.kubernetes_version),
        "api_versions": model.api_versions.known(),
        "skip_crds": model.skip_crds.known(),
        "delete_crds": model.delete_crds.known(),
        "history_max": model.history_max.known(),
        "tests": model.tests.known(),
        "atomic": model.atomic.known(),
        "values_wo_version": model.values_wo_version.known(),
        "values_wo": secret.map(|secret| &secret.places),
        "hidden": secret.map(|secret| leaves(&secret.leaves)),
        "generated": leaves(&manifests.generated),
        "overlay": manifests.overlay,
    })
}

/// Sets the arguments, and the parts as a state would know them, to what the records say.
///
/// # Errors
/// They cannot be looked at, or not be read.
pub async fn complete(context: &Platform, model: &mut Installed) -> Result<(), Failure> {
    let (Attr::Known(region), Some(place)) = (Managed::common(model).region.clone(), Place::of(model)) else {
        return Ok(());
    };
    let cluster = context.clusters(&region).get(&place.cluster);
    let revisions = revisions(&cluster, &place).await?;
    let Some(latest) = revisions.last() else {
        return Ok(());
    };
    let record = latest.record(&place)?;
    recall(model, &latest.arguments(), &record);
    if !model.kubernetes_version.is_known() {
        model.kubernetes_version =
            Attr::from_option(live_version(context, &Attr::Known(region), &model.cluster).await?);
    }
    // Of a change that failed, what was there before it, too.
    let deployed = revisions.iter().rev().find(|one| one.status == Status::Deployed);
    let deployed = deployed.filter(|one| one.number != latest.number);
    let mut records = vec![(record, latest.arguments())];
    if let Some(one) = deployed {
        records.push((one.record(&place)?, one.arguments()));
    }
    let graph = parts(&place, &latest.content(), &records, None);
    model.common.objects = graph.map_err(|error| latest.unreadable(&place, &error))?.shown();
    Ok(())
}

/// The parts of what was deployed before a change that failed; none where nothing of ours was.
pub async fn before(context: &Platform, model: &Installed) -> Option<Graph> {
    let (Attr::Known(region), Some(place)) = (Managed::common(model).region.clone(), Place::of(model)) else {
        return None;
    };
    let cluster = context.clusters(&region).get(&place.cluster);
    let revisions = revisions(&cluster, &place).await.ok()?;
    let latest = revisions
        .last()
        .filter(|latest| latest.status == Status::PendingUpgrade)?;
    let deployed = revisions.iter().rev().find(|one| one.status == Status::Deployed);
    let deployed = deployed.filter(|one| !one.is_of_helm() && one.number < latest.number)?;
    let (record, arguments) = (deployed.record(&place).ok()?, deployed.arguments());
    let what = Revised {
        record: record.clone(),
        generated: Vec::new(),
        arguments: arguments.clone(),
        history_max: usize::try_from(model.history_max.unwrap_or(10)).unwrap_or_default(),
        patience: Duration::ZERO,
        back_to: Some(deployed.number),
    };
    let records = [(record, arguments)];
    let mut graph = parts(&place, &deployed.content(), &records, Some(what)).ok()?;
    for piece in pieces(&place, &records).ok()? {
        keep(&mut graph, model, &piece.key, &piece.object);
    }
    Some(graph)
}

/// Leaves as an annotation has them: kind and name of the document, and the place.
fn leaves(all: &[GeneratedLeaf]) -> Json {
    let one = |leaf: &GeneratedLeaf| json!([leaf.document.0, leaf.document.1, leaf.pointer]);
    all.iter().map(one).collect()
}

fn recall(model: &mut Installed, said: &Json, record: &Record) {
    let text = |name: &str| Attr::from_option(said[name].as_str().map(str::to_owned));
    let flag = |name: &str| said[name].as_bool().unwrap_or_default();
    let metadata = &record.chart["metadata"];
    let of_chart = |name: &str| Attr::from_option(metadata[name].as_str().map(str::to_owned));
    (model.chart_name, model.chart_version) = (of_chart("name"), of_chart("version"));
    model.app_version = metadata["appVersion"].as_str().unwrap_or_default().into();
    if said.is_object() {
        (model.chart, model.repository) = (text("chart"), text("repository"));
        (model.version, model.chart_digest) = (text("version"), text("chart_digest"));
        model.kubernetes_version = text("kubernetes_version");
    } else {
        // Where it came from helm does not note.
        model.chart = model.chart_name.clone();
        model.version = model.chart_version.clone();
    }
    if is_folder(model) {
        model.version = text("version");
    }
    let versions = said["api_versions"].as_array();
    let versions = versions.map(|all| all.iter().filter_map(|one| one.as_str().map(str::to_owned)));
    model.api_versions = Attr::from_option(versions.map(Iterator::collect::<BTreeSet<String>>));
    model.skip_crds = flag("skip_crds").into();
    (model.tests, model.atomic) = (flag("tests").into(), flag("atomic").into());
    model.delete_crds = flag("delete_crds").into();
    model.history_max = said["history_max"].as_i64().unwrap_or(10).into();
    model.notes = charts::notes(&record.notes);
    model.hosts = charts::hosts(&record.documents()).into();
    model.values_wo_version = Attr::from_option(said["values_wo_version"].as_i64());
    let mut config = record.config.clone();
    for place in said["values_wo"].as_array().into_iter().flatten() {
        take_out(&mut config, place.as_str().unwrap_or_default());
    }
    model.overlay = Attr::from_option(said["overlay"].is_object().then(|| from_json(&said["overlay"])));
    let is_empty = config.as_object().is_none_or(Map::is_empty);
    model.values = Attr::from_option((!is_empty).then(|| from_json(&config)));
}

/// Takes what is at the place (a JSON pointer) out of values, and what is empty then around it.
fn take_out(values: &mut Json, place: &str) {
    let Some((around, name)) = place.rsplit_once('/') else {
        return;
    };
    let name = name.replace("~1", "/").replace("~0", "~");
    let Some(Json::Object(map)) = values.pointer_mut(around) else {
        return;
    };
    map.shift_remove(&name);
    if map.is_empty() {
        take_out(values, around);
    }
}

/// The objects that the records hold, with the arguments that these were made with, the first one before the others.
fn pieces(place: &Place, records: &[(Record, Json)]) -> Result<Vec<Piece>, helm::Error> {
    let mut pieces: Vec<Piece> = Vec::new();
    for (record, said) in records {
        // Definitions of the folder `crds` another installation may have too: of helm's they are taken over when they are applied.
        let is_ours = said.is_object() && said["skip_crds"] != true;
        let definitions = record.definitions().into_iter().filter(|_| is_ours);
        for document in &definitions.chain(record.documents()).collect::<Vec<_>>() {
            let piece = piece(document, place, said)?;
            if pieces.iter().all(|other| other.key != piece.key) {
                pieces.push(piece);
            }
        }
    }
    Ok(pieces)
}

fn piece(document: &Document, place: &Place, said: &Json) -> Result<Piece, helm::Error> {
    let mut piece = Piece::of(document, &place.name, &place.namespace)?;
    // What cannot be patched any more stays as the chart has it.
    let _ = overlay::patch(&mut piece.object, &said["overlay"][&piece.key.0]);
    let places = |field: &str| -> Vec<String> {
        let all = said[field].as_array().into_iter().flatten();
        let of_it = all.filter(|leaf| leaf[0] == document.kind.as_str() && leaf[1] == document.name.as_str());
        of_it
            .filter_map(|leaf| leaf[2].as_str().map(str::to_owned))
            .collect()
    };
    piece.generated = places("generated");
    let hidden = places("hidden");
    if !hidden.is_empty() {
        let version = said["values_wo_version"]
            .as_u64()
            .and_then(|version| version.try_into().ok());
        piece.secret = Some((version.unwrap_or_default(), piece.object.clone()));
        for place in hidden {
            if let Some(value) = piece.object.pointer_mut(&place) {
                *value = "(secret)".into();
            }
        }
    }
    Ok(piece)
}

/// The parts that the records hold; `what` is recorded of them where they are to be applied.
fn parts(
    place: &Place,
    content: &str,
    records: &[(Record, Json)],
    what: Option<Revised>,
) -> Result<Graph, helm::Error> {
    let (namespace, release) = (&place.namespace, &place.name);
    let pieces = pieces(place, records)?;
    let record = &records[0].0;
    let hooks: Vec<Hook> = hooks(record).collect();
    let cluster = || Target::Id(place.cluster.clone());
    let mut graph = Graph::new();
    let root = graph.part(
        RECORD,
        Recorded {
            cluster: cluster(),
            namespace: namespace.clone(),
            name: release.clone(),
            chart: chart_of(record),
            content: content.to_owned(),
            added: Vec::new(),
            what: what.map(Arc::new),
        },
    );
    let mut hooks = HookParts {
        hooks: &hooks,
        cluster: &cluster,
        namespace,
        release,
        content,
        unknown: &Unknowns::default(),
    };
    let made = vec![root.ready()];
    let after_end = hooks.run(&mut graph, Phase::AfterEnd, &made);
    let first = [made, after_end].concat();
    let before = hooks.run(&mut graph, Phase::Before, &first);
    let handles = objects(&mut graph, &pieces, &[first, before].concat(), &cluster);
    let mut all: Vec<Ref> = vec![root.ready()];
    all.extend(handles.iter().map(Handle::ready));
    all.extend(hooks.run(&mut graph, Phase::After, &all));
    let deployed = graph.part(
        DEPLOYED,
        Deployed {
            cluster: cluster(),
            namespace: namespace.clone(),
            name: release.clone(),
            content: content.to_owned(),
            after: all,
        },
    );
    hooks.run(&mut graph, Phase::BeforeEnd, &[deployed.ready()]);
    Ok(graph)
}

/// Name and version of a record's chart: `keda-2.20.2`.
pub fn chart_of(record: &Record) -> String {
    let text = |name: &str| record.chart["metadata"][name].as_str().unwrap_or_default();
    format!("{}-{}", text("name"), text("version"))
}

/// The hooks of a record but those that `helm test` runs.
fn hooks(record: &Record) -> impl Iterator<Item = Hook> {
    let hooks = record.hooks.iter().filter_map(stored_hook);
    hooks.filter(|hook| !hook.is_test())
}

/// Whether one record says what another says, but for values that the chart generates: the same chart with the same values gave the
/// same objects.
fn says_the_same(is: &Record, should: &Record, generated: &[GeneratedLeaf]) -> bool {
    let values = |record: &Record| record.config.as_object().cloned().unwrap_or_default();
    let content = |document: &Document| {
        let mut object = document.json().unwrap_or_default();
        let of_it = |leaf: &&GeneratedLeaf| leaf.document == (document.kind.clone(), document.name.clone());
        for leaf in generated.iter().filter(of_it) {
            if let Some(value) = object.pointer_mut(&leaf.pointer) {
                *value = Json::Null;
            }
        }
        let name = [&document.api_version, &document.kind, &document.name].map(Clone::clone);
        ((name, document.namespace.clone()), object)
    };
    let objects = |record: &Record| -> BTreeMap<_, _> { record.documents().iter().map(content).collect() };
    let all_hooks = |record: &Record| -> BTreeMap<_, _> {
        let hooks = hooks(record).map(|hook| {
            let (name, object) = content(&hook.document);
            // helm notes what it took for granted.
            let policies = match hook.delete_policies {
                none if none.is_empty() => vec!["before-hook-creation".to_owned()],
                some => some,
            };
            (name, (object, hook.events, hook.weight, policies))
        });
        hooks.collect()
    };
    chart_of(is) == chart_of(should)
        && values(is) == values(should)
        && objects(is) == objects(should)
        && all_hooks(is) == all_hooks(should)
}

/// A revision that was taken over as it is.
pub(super) fn is_as_recorded(
    latest: &Revision,
    place: &Place,
    should: &Record,
    generated: &[GeneratedLeaf],
) -> bool {
    latest.is_of_helm()
        && latest.status == Status::Deployed
        && latest
            .record(place)
            .is_ok_and(|is| says_the_same(&is, should, generated))
}
