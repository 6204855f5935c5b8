//! The record of a release, by which helm knows it: a Secret a revision. Two parts follow it: `release`, the root, made first
//! (`pending-install`, `pending-upgrade`), and `deployed`, made when all objects are as they should be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use futures::future::try_join_all;
use helm::Hook;
use helm::release::{Record, Status, timestamp};
use kubernetes::{Cluster, Clusters, Finishes, UNFINISHED, Unfinished};
use reconcile::clock::Clock;
use reconcile::failure::{Class, Failure};
use reconcile::part::{
    Ask, Call, Condition, Deleted, Difference, Idempotence, Kind, KindTraits, Made, Object, Pace, Part, Ref,
    Tags, Target,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::hook::{self, MARK};

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
    /// All of it; none where the part is what a state knows.
    #[serde(skip)]
    pub record: Option<Arc<Record>>,
    /// How many revisions are kept; 0: all.
    #[serde(skip)]
    pub history_max: usize,
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
    fn record(&self, place: &Place) -> Result<Record, Failure> {
        let record = self.record.as_deref().cloned();
        record.ok_or_else(|| {
            let cause = "what it holds is not known (a defect of the provider)";
            Failure::new(Class::Other, place.doing("recording"), cause)
        })
    }
}

/// In an annotation of the Secret: what was rendered. helm's own revisions have none.
const CONTENT: &str = "release.ekb.io/content";
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
    number: i64,
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
    fn content(&self) -> String {
        match self.secret["metadata"]["annotations"][CONTENT].as_str() {
            Some(content) => content.to_owned(),
            None => format!("revision {} of helm", self.number),
        }
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

fn annotated(tags: &Tags, content: &str) -> Value {
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
    all.into()
}

#[async_trait]
impl Kind for Releases {
    type Part = Recorded;

    fn traits(&self) -> KindTraits {
        traits(Recorded::KIND, "release", 10)
    }

    fn stands_for(&self, declared: &Value, object: &Object) -> bool {
        Place::of_fields(declared) == Place::of_fields(&object.fields)
    }

    async fn observe(&self, ask: &Ask) -> Result<Vec<Object>, Failure> {
        let releases = self.0.look(ask).await?;
        let object = |(place, revisions): &(Place, Vec<Revision>)| {
            let latest = revisions.last()?;
            // helm's own revisions say nothing of whose it is.
            let tags = revisions.iter().rev().map(Revision::tags);
            let tags = tags.into_iter().find(|tags| !tags.is_empty());
            let record = Record::from_secret(&latest.secret).ok()?;
            let metadata = &record.chart["metadata"];
            let text = |name: &str| metadata[name].as_str().unwrap_or_default().to_owned();
            Some(Object {
                id: place.id(),
                arn: None,
                condition: Condition::Settled,
                fields: json!({
                    "cluster": place.cluster,
                    "namespace": place.namespace,
                    "name": place.name,
                    "chart": format!("{}-{}", text("name"), text("version")),
                    "content": latest.content(),
                }),
                tags: tags.unwrap_or_default(),
                references: vec![place.cluster.clone()],
                outputs: BTreeMap::new(),
                detail: json!({"first_deployed": record.first_deployed}),
            })
        };
        Ok(releases.iter().filter_map(object).collect())
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
            Err(failure) if failure.class == Class::Exists => {}
            // Who may not make namespaces may be given one.
            Err(failure) if failure.class == Class::Denied => {}
            other => drop(other?),
        }
        self.write(
            &place,
            &part.record(&place)?,
            annotated(&call.ownership, &part.content),
        )
        .await?;
        Ok(Made::settled(place.id()))
    }

    async fn update(&self, part: &Recorded, is: &Object, _: &[Difference], _: &Call) -> Result<(), Failure> {
        let place = Place::of_id(&is.id);
        let cluster = self.0.at(&place.cluster);
        let revisions = revisions(&cluster, &place).await?;
        let number = revisions.last().map_or(1, |latest| latest.number + 1);
        let record = Record {
            revision: number,
            status: Status::PendingUpgrade,
            description: "Preparing upgrade".into(),
            first_deployed: is.detail["first_deployed"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            ..part.record(&place)?
        };
        let mut annotations = annotated(&is.tags, &part.content);
        // For what hooks were run last.
        for (name, value) in revisions.last().into_iter().flat_map(Revision::annotations) {
            if name.starts_with(MARK) {
                annotations[name] = value.clone();
            }
        }
        self.write(&place, &record, annotations).await?;
        // The oldest go, never the one that is deployed.
        let many = (revisions.len() + 1).saturating_sub(part.history_max);
        let old = revisions.iter().filter(|old| old.status != Status::Deployed);
        for old in old.take(if part.history_max == 0 { 0 } else { many }) {
            remove(&cluster, &place, old).await?;
        }
        Ok(())
    }

    async fn tag(&self, id: &str, set: &Tags, remove: &[String]) -> Result<(), Failure> {
        let place = Place::of_id(id);
        let cluster = self.0.at(&place.cluster);
        let Some(latest) = revisions(&cluster, &place).await?.pop() else {
            return Ok(());
        };
        let name = |tag: &str| Some(format!("{TAG}{}", tag.strip_prefix("ekb:")?));
        let set = set
            .iter()
            .filter_map(|(tag, value)| Some((name(tag)?, Value::from(value.as_str()))));
        let removed = remove.iter().filter_map(|tag| Some((name(tag)?, Value::Null)));
        let annotations: serde_json::Map<String, Value> = set.chain(removed).collect();
        let path = secret_path(&place, &latest);
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
        for revision in revisions(&cluster, &place).await? {
            remove(&cluster, &place, &revision).await?;
        }
        Ok(Deleted::Gone)
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
        let before = revisions.iter().filter(|old| old.status == Status::Deployed);
        for old in before {
            let said =
                Record::from_secret(&old.secret).map_or_else(|_| String::new(), |record| record.description);
            self.restate(&cluster, place, old, Status::Superseded, &said)
                .await?;
        }
        if let Some(latest) = latest.filter(|latest| latest.status != Status::Deployed) {
            let why = if latest.number == 1 {
                "Install complete"
            } else {
                "Upgrade complete"
            };
            self.restate(&cluster, place, &latest, Status::Deployed, why)
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
        let unreadable =
            |error: helm::Error| Failure::new(Class::Other, place.doing("recording"), error.to_string());
        let mut record = Record::from_secret(&revision.secret).map_err(unreadable)?;
        record.status = status;
        record.description = description.to_owned();
        let secret = record
            .secret(seconds(Clock::from_env().wall()))
            .map_err(unreadable)?;
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
            Some(Object {
                id: place.id(),
                arn: None,
                condition: Condition::Settled,
                fields: json!({
                    "cluster": place.cluster,
                    "namespace": place.namespace,
                    "name": place.name,
                    "content": deployed.content(),
                }),
                tags: Tags::new(),
                references: vec![place.id(), place.cluster.clone()],
                outputs: BTreeMap::new(),
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
