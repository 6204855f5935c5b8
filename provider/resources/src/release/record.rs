//! The record of a release, by which helm knows it: a Secret a revision. Two parts follow it: `release`, the root, made first
//! (`pending-install`, `pending-upgrade`), and `deployed`, made when all objects are as they should be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use futures::future::try_join_all;
use helm::Hook;
use helm::release::{Record, Status, timestamp};
use helm::render::GeneratedLeaf;
use kubernetes::{Cluster, Clusters, Finishes, UNFINISHED, Unfinished};
use reconcile::clock::Clock;
use reconcile::failure::{Class, Failure};
use reconcile::part::{
    Ask, Call, Condition, Deleted, Difference, Idempotence, Key, Kind, KindTraits, Made, Object, Pace, Part,
    Ref, Tags, Target,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::adopt;
use super::graph::Piece;
use super::hook::{self, MARK, Phase};
use super::model::Installed;

/// What is recorded of a revision.
#[derive(Debug, Clone, Serialize, Part)]
#[part(kind = "release.helm")]
pub struct Recorded {
    /// The cluster.
    #[part(replace)]
    pub cluster: Target,
    /// The namespace.
    #[part(replace)]
    pub namespace: String,
    /// The release's name.
    #[part(replace)]
    pub name: String,
    /// Name and version of the chart: `keda-2.20.2`.
    pub chart: String,
    /// What was rendered, of what, with which values: another one is another revision.
    pub content: String,
    /// Objects that revisions of helm's own brought since the last one of ours: they go.
    #[part(unordered)]
    pub added: Vec<String>,
    /// All of it; none where the part is what a state knows.
    #[serde(skip)]
    pub what: Option<Arc<Revised>>,
}

/// What a revision is made of.
#[derive(Debug)]
pub struct Revised {
    /// As helm has it.
    pub record: Record,
    /// The values in it that the chart generates.
    pub generated: Vec<GeneratedLeaf>,
    /// Arguments that helm does not record ([`adopt::arguments`]).
    pub arguments: Value,
    /// How many revisions are kept; 0: all.
    pub history_max: usize,
    /// How long a change may take: helm is taken to be at work on one that is younger.
    pub patience: Duration,
    /// The revision that it goes back to, where it does.
    pub back_to: Option<i64>,
}

/// That all objects of a revision are as they should be.
#[derive(Debug, Clone, Serialize, Part)]
#[part(kind = "deployed.helm")]
pub struct Deployed {
    /// The cluster.
    #[part(replace)]
    pub cluster: Target,
    /// The namespace.
    #[part(replace)]
    pub namespace: String,
    /// The release's name.
    #[part(replace)]
    pub name: String,
    /// As that of [`Recorded`].
    pub content: String,
    /// The objects.
    #[part(not_compared)]
    pub after: Vec<Ref>,
}

impl Recorded {
    fn revised(&self, place: &Place) -> Result<&Revised, Failure> {
        self.what.as_deref().ok_or_else(|| {
            let cause = "what it holds is not known (a defect of the provider)";
            Failure::new(Class::Other, place.doing("recording"), cause)
        })
    }
}

/// In an annotation of the Secret: what was rendered. helm's own revisions have none.
const CONTENT: &str = "release.ekb.io/content";
/// How the content of a revision begins that helm made.
pub const OF_HELM: &str = "revision ";
/// In another one: the arguments of ours that it was made with.
const ARGUMENTS: &str = "release.ekb.io/arguments";
/// A label of ours: the revision that it is. helm keeps labels, for its own next revisions too, and takes annotations away.
const REVISION: &str = "release.ekb.io/revision";
/// On a namespace that a release of ours made.
const MADE: &str = "release.ekb.io/made";
/// Whose an object is, annotations say: `ekb.io/part` is the tag `ekb:part`.
const TAG: &str = "ekb.io/";

/// Where a release is: its id is `cluster/namespace/name`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub cluster: String,
    pub namespace: String,
    pub name: String,
}

impl Place {
    /// Of the arguments, where they are known.
    pub fn of(model: &Installed) -> Option<Self> {
        Some(Self {
            cluster: model.cluster.known()?.clone(),
            namespace: model.namespace.known()?.clone(),
            name: model.name.known()?.clone(),
        })
    }

    fn of_id(id: &str) -> Self {
        let mut parts = id.splitn(3, '/').map(str::to_owned);
        let mut next = || parts.next().unwrap_or_default();
        Self {
            cluster: next(),
            namespace: next(),
            name: next(),
        }
    }

    fn of_fields(fields: &Value) -> Self {
        let text = |name: &str| fields[name].as_str().unwrap_or_default().to_owned();
        Self {
            cluster: text("cluster"),
            namespace: text("namespace"),
            name: text("name"),
        }
    }

    pub fn id(&self) -> String {
        format!("{}/{}/{}", self.cluster, self.namespace, self.name)
    }

    fn secrets(&self) -> String {
        format!("/api/v1/namespaces/{}/secrets", self.namespace)
    }

    fn doing(&self, what: &str) -> String {
        format!(
            "{what} the release {}/{} in the cluster {}",
            self.namespace, self.name, self.cluster
        )
    }
}

/// A revision that is recorded.
pub(super) struct Revision {
    pub number: i64,
    pub status: Status,
    secret: Value,
}

impl Revision {
    fn of(secret: Value) -> Option<Self> {
        let label = |name: &str| secret["metadata"]["labels"][name].as_str();
        Some(Self {
            number: label("version")?.parse().ok()?,
            status: Status::parse(label("status")?),
            secret,
        })
    }

    pub fn annotation(&self, name: &str) -> Option<String> {
        self.secret["metadata"]["annotations"][name]
            .as_str()
            .map(str::to_owned)
    }

    /// Whether helm made it, and nobody took it over.
    pub fn is_of_helm(&self) -> bool {
        self.annotation(CONTENT).is_none()
    }

    /// Whether it is one of ours, also where helm has written it since.
    fn is_ours(&self) -> bool {
        self.secret["metadata"]["labels"][REVISION] == self.number.to_string().as_str()
    }

    /// As helm has it.
    pub fn record(&self, place: &Place) -> Result<Record, Failure> {
        Record::from_secret(&self.secret).map_err(|error| self.unreadable(place, &error))
    }

    pub fn unreadable(&self, place: &Place, error: &helm::Error) -> Failure {
        let cause = format!("its revision {}: {error}", self.number);
        Failure::new(Class::Other, place.doing("reading"), cause)
    }

    /// The arguments that it was made with; null where helm made it.
    pub fn arguments(&self) -> Value {
        let text = self.annotation(ARGUMENTS);
        let said = text.and_then(|text| serde_json::from_str(&text).ok());
        said.unwrap_or_default()
    }

    /// For what this hook was run, where helm made the revision: it ran them all.
    pub fn hook_of_helm(
        &self,
        namespace: &str,
        is_it: impl Fn(&Value) -> bool,
        phase: Phase,
    ) -> Option<String> {
        if !self.is_of_helm() {
            return None;
        }
        let mut hooks = self.hooks(namespace).into_iter();
        let (_, hook) = hooks.find(|(object, hook)| phase.has(hook) && is_it(object))?;
        Some(phase.content(&hook, &self.content()).to_owned())
    }

    /// Its hooks, with their objects as they are made.
    pub fn hooks(&self, namespace: &str) -> Vec<(Value, Hook)> {
        let Ok(record) = Record::from_secret(&self.secret) else {
            return Vec::new();
        };
        let hooks = record.hooks.iter().filter_map(helm::release::hook);
        hooks
            .filter_map(|hook| Some((super::graph::placed(&hook.document, namespace).ok()?, hook)))
            .collect()
    }

    fn annotations(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.secret["metadata"]["annotations"]
            .as_object()
            .into_iter()
            .flatten()
    }

    /// What was rendered; of a revision that helm made nothing of ours.
    pub fn content(&self) -> String {
        self.annotation(CONTENT).unwrap_or_else(|| {
            let said =
                Record::from_secret(&self.secret).map_or_else(|_| String::new(), |one| one.description);
            let status = match self.status {
                Status::Deployed => String::new(),
                other => format!("{}: ", other.name()),
            };
            format!("{OF_HELM}{} of helm ({status}{said})", self.number)
        })
    }

    /// Whether a change of the release seems to be under way.
    fn is_pending(&self) -> bool {
        use Status::{PendingInstall, PendingRollback, PendingUpgrade};
        matches!(self.status, PendingInstall | PendingRollback | PendingUpgrade)
    }

    /// How long ago it was written.
    fn age(&self) -> Duration {
        let label = |name: &str| {
            self.secret["metadata"]["labels"][name]
                .as_str()?
                .parse::<i64>()
                .ok()
        };
        let written = label("modifiedAt").max(label("createdAt")).unwrap_or_default();
        let age = seconds(Clock::from_env().wall()) - written;
        Duration::from_secs(age.try_into().unwrap_or_default())
    }

    /// The objects of its manifest, by their keys.
    fn objects(&self, place: &Place) -> Result<BTreeMap<Key, Value>, Failure> {
        let record = self.record(place)?;
        objects(&record, place).map_err(|error| self.unreadable(place, &error))
    }

    fn tags(&self) -> Tags {
        self.annotations()
            .filter_map(|(name, value)| {
                let tag = name.strip_prefix(TAG)?;
                Some((format!("ekb:{tag}"), value.as_str()?.to_owned()))
            })
            .collect()
    }
}

/// The objects of a record's manifest, by their keys.
fn objects(record: &Record, place: &Place) -> Result<BTreeMap<Key, Value>, helm::Error> {
    let documents = record.documents();
    let pieces = documents
        .iter()
        .map(|document| Piece::of(document, &place.name, &place.namespace));
    pieces
        .map(|piece| piece.map(|piece| (piece.key, piece.object)))
        .collect()
}

/// What the last revision holds that helm made, and neither the last one of ours nor this record.
fn added(
    place: &Place,
    revisions: &[Revision],
    should: Option<&Record>,
) -> Result<BTreeMap<Key, Value>, Failure> {
    let Some(latest) = revisions.last().filter(|latest| latest.is_of_helm()) else {
        return Ok(BTreeMap::new());
    };
    let mut all = latest.objects(place)?;
    if let Some(ours) = revisions.iter().rev().find(|one| one.is_ours()) {
        let ours = ours.objects(place)?;
        all.retain(|key, _| !ours.contains_key(key));
    } else if should.is_none() {
        // All of it is to be taken over: an import has it among its parts.
        all.clear();
    }
    if let Some(should) = should {
        let should = objects(should, place).map_err(|error| latest.unreadable(place, &error))?;
        all.retain(|key, _| !should.contains_key(key));
    }
    // Of definitions the objects would go, too.
    let stays = |object: &Value| {
        let policy = object["metadata"]["annotations"]["helm.sh/resource-policy"].as_str();
        policy.is_some_and(|policy| policy.trim() == "keep") || object["kind"] == "CustomResourceDefinition"
    };
    all.retain(|_, object| !stays(object));
    Ok(all)
}

/// The latest revision of a release that is there: of one that helm uninstalled only the history is.
pub(super) fn living(revisions: &[Revision]) -> Option<&Revision> {
    let latest = revisions.last();
    latest.filter(|latest| latest.status != Status::Uninstalled)
}

/// Whose the release is: the latest revision that says so, since helm's own say nothing.
fn owner(revisions: &[Revision]) -> Tags {
    let tags = revisions.iter().rev().map(Revision::tags);
    tags.into_iter().find(|tags| !tags.is_empty()).unwrap_or_default()
}

/// The revisions of a release, the latest last.
pub(super) async fn revisions(cluster: &Cluster, place: &Place) -> Result<Vec<Revision>, Failure> {
    let query = format!("&labelSelector=owner%3Dhelm%2Cname%3D{}", place.name);
    let secrets = cluster
        .list(&place.doing("looking at"), &place.secrets(), &query)
        .await?;
    let mut all: Vec<Revision> = secrets.into_iter().filter_map(Revision::of).collect();
    all.sort_by_key(|revision| revision.number);
    Ok(all)
}

/// What both kinds share.
#[derive(Debug, Clone)]
struct Records {
    clusters: Clusters,
}

impl Records {
    /// The releases that are asked about, with their revisions.
    async fn look(&self, ask: &Ask) -> Result<Vec<(Place, Vec<Revision>)>, Failure> {
        let known = ask.known.values().map(|id| Place::of_id(id));
        let places: BTreeSet<Place> = known.chain(ask.declared.values().map(Place::of_fields)).collect();
        let looks = places.into_iter().map(|place| async move {
            let cluster = self.clusters.get(&place.cluster);
            match revisions(&cluster, &place).await {
                // There is no such cluster: nor anything in it.
                Err(failure) if failure.class == Class::NotFound => Ok((place, Vec::new())),
                other => Ok((place, other?)),
            }
        });
        try_join_all(looks).await
    }

    fn at(&self, cluster: &str) -> Cluster {
        self.clusters.get(cluster)
    }
}

fn place(cluster: &Target, namespace: &str, name: &str, call: &Call) -> Result<Place, Failure> {
    Ok(Place {
        cluster: call.target(cluster)?.to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    })
}

pub(super) fn traits(kind: &'static str, title: &'static str, deletion_order: u32) -> KindTraits {
    KindTraits {
        kind,
        title,
        deletion_order,
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

/// The kind of [`Recorded`].
#[derive(Debug)]
pub struct Releases(Records);

impl Releases {
    /// Releases in these clusters.
    pub fn new(clusters: &Clusters) -> Self {
        Self(Records {
            clusters: clusters.clone(),
        })
    }

    /// Writes a revision.
    async fn write(&self, place: &Place, record: &Record, annotations: Value) -> Result<(), Failure> {
        let now = Clock::from_env().wall();
        let record = Record {
            last_deployed: timestamp(now),
            first_deployed: match record.first_deployed.as_str() {
                "" => timestamp(now),
                first => first.to_owned(),
            },
            labels: [(REVISION.to_owned(), record.revision.to_string())].into(),
            ..record.clone()
        };
        let mut secret = record
            .secret(seconds(now))
            .map_err(|error| Failure::new(Class::Invalid, place.doing("recording"), error.to_string()))?;
        secret["metadata"]["annotations"] = annotations;
        let doing = place.doing("recording");
        self.0
            .at(&place.cluster)
            .create(&doing, &place.secrets(), &secret)
            .await?;
        Ok(())
    }
}

/// Since 1970, as helm's label `modifiedAt` has it.
fn seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or_default()
}

fn annotated(tags: &Tags, content: &str, arguments: &Value) -> Value {
    let mut all: serde_json::Map<String, Value> = tags
        .iter()
        .filter_map(|(tag, value)| {
            Some((
                format!("{TAG}{}", tag.strip_prefix("ekb:")?),
                value.clone().into(),
            ))
        })
        .collect();
    all.insert(CONTENT.to_owned(), content.into());
    all.insert(ARGUMENTS.to_owned(), arguments.to_string().into());
    all.into()
}

#[async_trait]
impl Kind for Releases {
    type Part = Recorded;

    fn traits(&self) -> KindTraits {
        traits(Recorded::KIND, "release", 10)
    }

    /// Nobody begins in a namespace while it is found to be empty.
    fn lock(&self, fields: &Value) -> Option<String> {
        let text = |name: &str| fields[name].as_str().unwrap_or_default();
        Some(format!("namespace {}/{}", text("cluster"), text("namespace")))
    }

    fn stands_for(&self, declared: &Value, object: &Object) -> bool {
        Place::of_fields(declared) == Place::of_fields(&object.fields)
    }

    async fn observe(&self, ask: &Ask) -> Result<Vec<Object>, Failure> {
        let releases = self.0.look(ask).await?;
        let mut objects = Vec::new();
        for (place, revisions) in &releases {
            let Some(latest) = living(revisions) else {
                continue;
            };
            let added = added(place, revisions, None)?;
            let record = latest.record(place)?;
            objects.push(Object {
                id: place.id(),
                arn: None,
                condition: Condition::Settled,
                fields: json!({
                    "cluster": place.cluster,
                    "namespace": place.namespace,
                    "name": place.name,
                    "chart": adopt::chart_of(&record),
                    "content": latest.content(),
                    "added": added.keys().collect::<Vec<_>>(),
                }),
                tags: owner(revisions),
                references: vec![place.cluster.clone()],
                outputs: outputs(latest),
                detail: json!({"first_deployed": record.first_deployed}),
            });
        }
        Ok(objects)
    }

    async fn create(&self, part: &Recorded, call: &Call) -> Result<Made, Failure> {
        let place = place(&part.cluster, &part.namespace, &part.name, call)?;
        let cluster = self.0.at(&place.cluster);
        let namespace = json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": place.namespace, "annotations": {MADE: place.name}},
        });
        let doing = format!(
            "making the namespace {} in the cluster {}",
            place.namespace, place.cluster
        );
        match cluster.create(&doing, "/api/v1/namespaces", &namespace).await {
            Err(failure) if failure.class == Class::Exists => {
                let path = format!("/api/v1/namespaces/{}", place.namespace);
                let live = cluster.get(&doing, &path).await.unwrap_or_default();
                if live["metadata"]["deletionTimestamp"].is_string() {
                    return Err(Failure::new(
                        Class::Busy,
                        doing,
                        "the one from before is being deleted",
                    ));
                }
            }
            // Who may not make namespaces may be given one.
            Err(failure) if failure.class == Class::Denied => {}
            other => drop(other?),
        }
        let what = part.revised(&place)?;
        let annotations = annotated(&call.ownership, &part.content, &what.arguments);
        // The history of one that helm uninstalled goes on.
        let before = revisions(&cluster, &place).await?;
        let record = Record {
            revision: before.last().map_or(1, |last| last.number + 1),
            ..what.record.clone()
        };
        self.write(&place, &record, annotations).await?;
        let made = Made::settled(place.id()).output("revision", record.revision);
        Ok(made.output("status", record.status.name()))
    }

    async fn update(&self, part: &Recorded, is: &Object, _: &[Difference], _: &Call) -> Result<(), Failure> {
        let place = Place::of_id(&is.id);
        let cluster = self.0.at(&place.cluster);
        let revisions = revisions(&cluster, &place).await?;
        let what = part.revised(&place)?;
        let latest = revisions.last();
        let mut annotations = annotated(&owner(&revisions), &part.content, &what.arguments);
        if let Some(latest) = latest
            && adopt::is_as_recorded(latest, &place, &what.record, &what.generated)
        {
            // What helm installed is what is declared: its history goes on, and its hooks were run.
            for (mark, content) in hook::marks(&latest.hooks(&place.namespace), &part.content) {
                annotations[mark] = content.into();
            }
            let labels = json!({REVISION: latest.number.to_string()});
            let body = json!({"metadata": {"annotations": annotations, "labels": labels}});
            let path = secret_path(&place, latest);
            cluster.merge(&place.doing("taking over"), &path, &body).await?;
            return Ok(());
        }
        if let Some(latest) = latest.filter(|latest| latest.is_of_helm() && latest.is_pending())
            && latest.age() < what.patience
        {
            return Err(at_work(&place, latest, what.patience));
        }
        for object in added(&place, &revisions, Some(&what.record))?.values() {
            remove_object(&cluster, &place, object).await?;
        }
        let (status, description) = match what.back_to {
            Some(number) => (Status::PendingRollback, format!("Rollback to {number}")),
            None => (Status::PendingUpgrade, "Preparing upgrade".to_owned()),
        };
        let record = Record {
            revision: latest.map_or(1, |latest| latest.number + 1),
            status,
            description,
            first_deployed: is.detail["first_deployed"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            ..what.record.clone()
        };
        // For what hooks were run last: those of its own revisions helm ran.
        if let Some(latest) = latest {
            if latest.is_of_helm() {
                for (mark, content) in hook::marks(&latest.hooks(&place.namespace), &latest.content()) {
                    annotations[mark] = content.into();
                }
            }
            for (name, value) in latest.annotations().filter(|(name, _)| name.starts_with(MARK)) {
                annotations[name] = value.clone();
            }
        }
        self.write(&place, &record, annotations).await?;
        // The oldest go, never the one that is deployed.
        let many = (revisions.len() + 1).saturating_sub(what.history_max);
        let old = revisions.iter().filter(|old| old.status != Status::Deployed);
        for old in old.take(if what.history_max == 0 { 0 } else { many }) {
            remove(&cluster, &place, old).await?;
        }
        Ok(())
    }

    async fn tag(&self, id: &str, set: &Tags, remove: &[String]) -> Result<(), Failure> {
        let place = Place::of_id(id);
        let cluster = self.0.at(&place.cluster);
        let revisions = revisions(&cluster, &place).await?;
        let Some(latest) = revisions.last() else {
            return Ok(());
        };
        let name = |tag: &str| Some(format!("{TAG}{}", tag.strip_prefix("ekb:")?));
        // What an earlier revision says goes on to the latest, which helm may have made.
        let before = owner(&revisions);
        let set = before
            .iter()
            .filter(|(tag, _)| !set.contains_key(*tag))
            .chain(set)
            .filter_map(|(tag, value)| Some((name(tag)?, Value::from(value.as_str()))));
        let removed = remove.iter().filter_map(|tag| Some((name(tag)?, Value::Null)));
        let annotations: serde_json::Map<String, Value> = set.chain(removed).collect();
        let path = secret_path(&place, latest);
        let body = json!({"metadata": {"annotations": annotations}});
        cluster.merge(&place.doing("marking"), &path, &body).await?;
        Ok(())
    }

    async fn delete(&self, object: &Object, _: &Call) -> Result<Deleted, Failure> {
        let place = Place::of_id(&object.id);
        let cluster = self.0.at(&place.cluster);
        let latest = revisions(&cluster, &place).await?.pop();
        for (object, _) in latest.iter().flat_map(|latest| latest.hooks(&place.namespace)) {
            hook::clear_away(&cluster, &place, &object).await?;
        }
        // The latest goes last: it says whose the release is, should this be interrupted.
        let mut revisions = revisions(&cluster, &place).await?;
        let latest = revisions.pop();
        for revision in &revisions {
            remove(&cluster, &place, revision).await?;
        }
        let Some(latest) = latest else {
            return Ok(Deleted::Gone);
        };
        let doing = format!(
            "deleting the namespace {} in the cluster {}",
            place.namespace, place.cluster
        );
        let ours = latest.secret["metadata"]["uid"].as_str().into_iter().collect();
        // The namespace that a release made goes with the last one in it, and takes the record along.
        match cluster.end_namespace(&doing, &place.namespace, MADE, &ours).await {
            Ok(true) => return Ok(Deleted::Begun),
            // Who may not look at or delete namespaces leaves it.
            Err(failure) if !matches!(failure.class, Class::Denied | Class::NotFound) => return Err(failure),
            Ok(false) | Err(_) => {}
        }
        remove(&cluster, &place, &latest).await?;
        Ok(Deleted::Gone)
    }
}

fn outputs(revision: &Revision) -> BTreeMap<String, Value> {
    let outputs = [
        ("revision", json!(revision.number)),
        ("status", json!(revision.status.name())),
    ];
    outputs.map(|(name, value)| (name.to_owned(), value)).into()
}

fn at_work(place: &Place, latest: &Revision, patience: Duration) -> Failure {
    let cause = format!(
        "helm seems to be at work on it: revision {} is {} since {} s",
        latest.number,
        latest.status.name(),
        latest.age().as_secs()
    );
    let hint = format!(
        "Wait until it is done (`helm history {} -n {}`). Where it was killed, apply again when that is {} s ago (`timeouts`, \
         `update`): it is repaired then; or run `helm rollback`.",
        place.name,
        place.namespace,
        patience.as_secs()
    );
    Failure::new(Class::Invalid, place.doing("changing"), cause)
        .code("EKB2409")
        .hint(hint)
}

/// Deletes an object that belongs to the release and to nobody else.
async fn remove_object(cluster: &Cluster, place: &Place, object: &Value) -> Result<(), Failure> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let metadata = &object["metadata"];
    let (kind, name) = (text(&object["kind"]), text(&metadata["name"]));
    let doing = place.doing(&format!("deleting {kind} {name}, which helm added, of"));
    let namespace = metadata["namespace"].as_str();
    let path = cluster
        .path(&text(&object["apiVersion"]), &kind, namespace, &name)
        .await?;
    let live = match cluster.get(&doing, &path).await {
        Err(failure) if failure.class == Class::NotFound => return Ok(()),
        other => other?,
    };
    let annotations = &live["metadata"]["annotations"];
    let is_of_it = annotations["meta.helm.sh/release-name"] == place.name.as_str()
        && annotations["meta.helm.sh/release-namespace"] == place.namespace.as_str();
    if !is_of_it {
        return Ok(());
    }
    let body = json!({"preconditions": {"uid": live["metadata"]["uid"]}, "propagationPolicy": "Background"});
    match cluster.delete(&doing, &path, &body).await {
        Err(failure) if failure.class == Class::NotFound => Ok(()),
        other => other.map(|_| ()),
    }
}

pub(super) fn secret_path(place: &Place, revision: &Revision) -> String {
    let name = revision.secret["metadata"]["name"].as_str().unwrap_or_default();
    format!("{}/{name}", place.secrets())
}

async fn remove(cluster: &Cluster, place: &Place, revision: &Revision) -> Result<(), Failure> {
    let removed = cluster
        .delete(
            &place.doing("deleting a revision of"),
            &secret_path(place, revision),
            &json!({}),
        )
        .await;
    match removed {
        Err(failure) if failure.class == Class::NotFound => Ok(()),
        other => other.map(|_| ()),
    }
}

/// The kind of [`Deployed`].
#[derive(Debug)]
pub struct Deployments(Records, Unfinished);

impl Deployments {
    /// Those of releases in these clusters. They stay until there are no such objects any more.
    pub fn new(clusters: &Clusters, finishes: &'static [Finishes]) -> Self {
        let records = Records {
            clusters: clusters.clone(),
        };
        Self(records, Unfinished::new(finishes))
    }

    async fn check_unfinished(&self, id: &str) -> Result<(), Failure> {
        let place = Place::of_id(id);
        self.1
            .check(&self.0.at(&place.cluster), &place.doing("removing"))
            .await
    }

    /// Says in the records that the latest revision is deployed, and no other.
    async fn mark(&self, place: &Place) -> Result<(), Failure> {
        let cluster = self.0.at(&place.cluster);
        let mut revisions = revisions(&cluster, place).await?;
        let latest = revisions.pop();
        for old in &revisions {
            let status = match old.status {
                Status::Deployed => Status::Superseded,
                // Whoever began it did not come to its end.
                _ if old.is_pending() => Status::Failed,
                _ => continue,
            };
            let said = old
                .record(place)
                .map_or_else(|_| String::new(), |record| record.description);
            self.restate(&cluster, place, old, status, &said).await?;
        }
        if let Some(latest) = latest.filter(|latest| latest.status != Status::Deployed) {
            let why = match latest.status {
                Status::PendingInstall => "Install complete".to_owned(),
                Status::PendingRollback => latest.record(place)?.description,
                _ => "Upgrade complete".to_owned(),
            };
            self.restate(&cluster, place, &latest, Status::Deployed, &why)
                .await?;
        }
        Ok(())
    }

    async fn restate(
        &self,
        cluster: &Cluster,
        place: &Place,
        revision: &Revision,
        status: Status,
        description: &str,
    ) -> Result<(), Failure> {
        let doing = place.doing("recording");
        let mut record = revision.record(place)?;
        record.status = status;
        record.description = description.to_owned();
        let secret = record
            .secret(seconds(Clock::from_env().wall()))
            .map_err(|error| revision.unreadable(place, &error))?;
        let body = json!({"metadata": {"labels": secret["metadata"]["labels"]}, "data": secret["data"]});
        cluster
            .merge(&doing, &secret_path(place, revision), &body)
            .await?;
        Ok(())
    }
}

#[async_trait]
impl Kind for Deployments {
    type Part = Deployed;

    fn traits(&self) -> KindTraits {
        traits(Deployed::KIND, "mark that a release is deployed", 0)
    }

    fn stands_for(&self, declared: &Value, object: &Object) -> bool {
        Place::of_fields(declared) == Place::of_fields(&object.fields)
    }

    /// It belongs to whoever owns the release.
    fn carries_tags(&self) -> bool {
        false
    }

    async fn observe(&self, ask: &Ask) -> Result<Vec<Object>, Failure> {
        let releases = self.0.look(ask).await?;
        let object = |(place, revisions): &(Place, Vec<Revision>)| {
            let mut latest_first = revisions.iter().rev();
            let deployed = latest_first.find(|one| one.status == Status::Deployed)?;
            let mut content = deployed.content();
            if let Some(latest) = revisions.last().filter(|latest| latest.number != deployed.number) {
                // It may say the same as this one: it is not deployed all the same.
                content = format!("{content}, before revision {}", latest.number);
            }
            Some(Object {
                id: place.id(),
                arn: None,
                condition: Condition::Settled,
                fields: json!({
                    "cluster": place.cluster,
                    "namespace": place.namespace,
                    "name": place.name,
                    "content": content,
                }),
                tags: Tags::new(),
                references: vec![place.id(), place.cluster.clone()],
                outputs: outputs(deployed),
                detail: Value::Null,
            })
        };
        Ok(releases.iter().filter_map(object).collect())
    }

    async fn create(&self, part: &Deployed, call: &Call) -> Result<Made, Failure> {
        let place = place(&part.cluster, &part.namespace, &part.name, call)?;
        self.mark(&place).await?;
        Ok(Made::settled(place.id()))
    }

    async fn update(&self, _: &Deployed, is: &Object, _: &[Difference], _: &Call) -> Result<(), Failure> {
        self.mark(&Place::of_id(&is.id)).await
    }

    async fn tag(&self, _: &str, _: &Tags, _: &[String]) -> Result<(), Failure> {
        Ok(())
    }

    async fn in_the_way(&self, object: &Object, _: &[&Object], _: &[&Object]) -> Result<(), Failure> {
        match self.check_unfinished(&object.id).await {
            Err(failure) if failure.code == UNFINISHED => Err(failure),
            // Whoever cannot look now is told when it goes.
            _ => Ok(()),
        }
    }

    /// What helm says while it takes a release away. It goes with the record.
    async fn delete(&self, object: &Object, _: &Call) -> Result<Deleted, Failure> {
        self.check_unfinished(&object.id).await?;
        let place = Place::of_id(&object.id);
        let cluster = self.0.at(&place.cluster);
        for revision in revisions(&cluster, &place).await? {
            if revision.status == Status::Deployed {
                self.restate(
                    &cluster,
                    &place,
                    &revision,
                    Status::Uninstalling,
                    "Deletion in progress",
                )
                .await?;
            }
        }
        Ok(Deleted::Gone)
    }
}
