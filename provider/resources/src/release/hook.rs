//! Hooks of a chart: objects that are made at a point of the release's life, and mostly do something once.
//!
//! A hook is a part for each phase that it names: before the objects of the release, after them, before they go, or to try them. Whether it is an
//! installation or an upgrade, the latest record says (`pending-install`). That a hook was run for what was rendered, an annotation of
//! that record says, since the object itself may be deleted when it is done.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::future::try_join_all;
use helm::Hook;
use helm::release::Status;
use kubernetes::{Cluster, Clusters};
use reconcile::failure::{Class, Failure};
use reconcile::part::{
    Ask, Call, Condition, Deleted, Difference, Kind, KindTraits, Made, Object, Part, Ref, Tags, Target,
};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::record::{Place, Revision, living, revisions, secret_path, traits};

/// When a hook is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Before the objects are made or changed.
    Before,
    /// When they are as they should be.
    After,
    /// Before they go.
    BeforeEnd,
    /// When they are gone.
    AfterEnd,
    /// When the release is deployed, to try it.
    Test,
}

impl Phase {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Before,
        Self::After,
        Self::BeforeEnd,
        Self::AfterEnd,
        Self::Test,
    ];

    /// The events of an installation and of an upgrade; of an end both are the same.
    fn events(self) -> (&'static str, &'static str) {
        match self {
            Self::Before => ("pre-install", "pre-upgrade"),
            Self::After => ("post-install", "post-upgrade"),
            Self::BeforeEnd => ("pre-delete", "pre-delete"),
            Self::AfterEnd => ("post-delete", "post-delete"),
            Self::Test => ("test", "test"),
        }
    }

    /// Whether the hook is run in this phase, whenever.
    pub fn has(self, hook: &Hook) -> bool {
        let (install, upgrade) = self.events();
        hook.events
            .iter()
            .any(|event| event == install || event == upgrade)
    }

    /// Whether an upgrade runs the hook again.
    pub fn runs_again(self, hook: &Hook) -> bool {
        let (_, upgrade) = self.events();
        !self.is_end() && hook.events.iter().any(|event| event == upgrade)
    }

    /// What a hook is run for, where the release's content is this.
    pub fn content<'a>(self, hook: &Hook, content: &'a str) -> &'a str {
        if self.runs_again(hook) { content } else { ONCE }
    }

    fn is_end(self) -> bool {
        matches!(self, Self::BeforeEnd | Self::AfterEnd)
    }

    fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.to_string() == text)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Before => "before",
            Self::After => "after",
            Self::BeforeEnd => "before_end",
            Self::AfterEnd => "after_end",
            Self::Test => "test",
        })
    }
}

impl Serialize for Phase {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A hook in one of its phases.
#[derive(Debug, Clone, Serialize, Part)]
#[part(kind = "hook.helm")]
pub struct Run {
    /// The cluster.
    #[part(replace)]
    pub cluster: Target,
    /// The release's namespace.
    #[part(replace)]
    pub namespace: String,
    /// The release.
    #[part(replace)]
    pub release: String,
    /// API version, kind, namespace and name of the object: `batch/v1/Job/web/migrate`; without a namespace that is empty.
    #[part(replace)]
    pub object: String,
    /// When it is run.
    #[part(replace)]
    pub phase: Phase,
    /// What it was run for: the release's content, where an upgrade runs it again.
    pub content: String,
    /// What has to be so far before.
    #[part(not_compared)]
    pub after: Vec<Ref>,
    /// The object, in its namespace, with events and policies; none where the part is what a state knows.
    #[serde(skip)]
    pub what: Option<Arc<(Value, Hook)>>,
}

/// On a record, for each hook what it was run for.
pub const MARK: &str = "hook.ekb.io/";
/// On a hook's object: what it runs for.
const FOR: &str = "hook.ekb.io/for";
/// What a hook of an end runs for.
const END: &str = "end";
/// How much of the log of a hook that failed an error has.
const LOG_LINES: usize = 20;
const LOG_BYTES: usize = 4096;
/// The content of a hook that no upgrade runs again.
pub const ONCE: &str = "once";

/// Where a hook is: the id is made of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct At {
    place: Place,
    phase: String,
    api_version: String,
    kind: String,
    namespace: String,
    name: String,
}

impl At {
    fn of(part: &Run, call: &Call) -> Result<Self, Failure> {
        let place = Place {
            cluster: call.target(&part.cluster)?.to_owned(),
            namespace: part.namespace.clone(),
            name: part.release.clone(),
        };
        let unknown = || {
            Failure::new(
                Class::Other,
                "running a hook",
                "it names no object (a defect of the provider)",
            )
        };
        Self::within(place, &part.phase.to_string(), &part.object).ok_or_else(unknown)
    }

    fn of_object(manifest: &Value, phase: &str) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Self {
            place: Place::default(),
            phase: phase.to_owned(),
            api_version: text(&manifest["apiVersion"]),
            kind: text(&manifest["kind"]),
            namespace: text(&manifest["metadata"]["namespace"]),
            name: text(&manifest["metadata"]["name"]),
        }
    }

    /// Of the release, the phase, and API version, kind, namespace and name in one text.
    fn within(place: Place, phase: &str, object: &str) -> Option<Self> {
        let mut parts = object.rsplitn(4, '/').map(str::to_owned);
        let (name, namespace, kind) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self {
            place,
            phase: phase.to_owned(),
            api_version: parts.next()?,
            kind,
            namespace,
            name,
        })
    }

    fn of_id(id: &str) -> Option<Self> {
        let mut parts = id.splitn(5, '/');
        let mut next = || parts.next();
        let place = Place {
            cluster: next()?.to_owned(),
            namespace: next()?.to_owned(),
            name: next()?.to_owned(),
        };
        Self::within(place, next()?, next()?)
    }

    fn of_fields(fields: &Value) -> Option<Self> {
        let text = |name: &str| fields[name].as_str();
        let place = Place {
            cluster: text("cluster")?.to_owned(),
            namespace: text("namespace")?.to_owned(),
            name: text("release")?.to_owned(),
        };
        Self::within(place, text("phase")?, text("object")?)
    }

    fn id(&self) -> String {
        format!("{}/{}/{}", self.place.id(), self.phase, self.object())
    }

    /// The object as the fields say it.
    fn object(&self) -> String {
        format!(
            "{}/{}/{}/{}",
            self.api_version, self.kind, self.namespace, self.name
        )
    }

    fn mark(&self) -> String {
        let digest = helm::remote::digest(format!("{}/{}", self.phase, self.object()).as_bytes());
        let digest = digest.trim_start_matches("sha256:");
        format!("{MARK}{}", &digest[..16])
    }

    fn is_end(&self) -> bool {
        Phase::named(&self.phase).is_some_and(Phase::is_end)
    }

    fn doing(&self, what: &str) -> String {
        format!(
            "{what} the hook {}/{} of the release {}/{} in the cluster {}",
            self.kind, self.name, self.place.namespace, self.place.name, self.place.cluster
        )
    }

    async fn path(&self, cluster: &Cluster) -> Result<String, Failure> {
        let namespace = Some(self.namespace.as_str()).filter(|name| !name.is_empty());
        cluster
            .path(&self.api_version, &self.kind, namespace, &self.name)
            .await
    }

    /// The object, where there is one.
    async fn live(&self, cluster: &Cluster) -> Result<Option<Value>, Failure> {
        match cluster
            .get(&self.doing("looking at"), &self.path(cluster).await?)
            .await
        {
            Err(failure) if failure.class == Class::NotFound => Ok(None),
            other => other.map(Some),
        }
    }

    async fn remove(&self, cluster: &Cluster) -> Result<(), Failure> {
        let options = json!({"propagationPolicy": "Background"});
        let path = self.path(cluster).await?;
        match cluster.delete(&self.doing("deleting"), &path, &options).await {
            Err(failure) if failure.class == Class::NotFound => Ok(()),
            other => other.map(|_| ()),
        }
    }
}

/// How far a hook's object has come.
enum Fate {
    Running(String),
    Done,
    Failed(String),
}

impl Fate {
    /// helm waits for Jobs and Pods; all else is done when it is there.
    fn of(live: &Value) -> Self {
        let status = &live["status"];
        let has = |condition: &str| {
            let mut all = status["conditions"].as_array().into_iter().flatten();
            let one = all.find(|one| one["type"] == condition && one["status"] == "True");
            one.map(|one| {
                let text = |field: &str| one[field].as_str().unwrap_or_default();
                format!("{}: {}", text("reason"), text("message"))
            })
        };
        match live["kind"].as_str() {
            Some("Job") => match (has("Complete"), has("Failed")) {
                (Some(_), _) => Self::Done,
                (_, Some(why)) => Self::Failed(why),
                _ => Self::Running(format!(
                    "{} pods active",
                    status["active"].as_i64().unwrap_or_default()
                )),
            },
            Some("Pod") => match status["phase"].as_str() {
                Some("Succeeded") => Self::Done,
                Some("Failed") => {
                    Self::Failed(status["message"].as_str().unwrap_or("its pod failed").to_owned())
                }
                other => Self::Running(other.unwrap_or("Pending").to_owned()),
            },
            _ => Self::Done,
        }
    }
}

/// The object as a field of a part.
pub fn object_text(manifest: &Value) -> String {
    At::of_object(manifest, "").object()
}

/// What a live object of ours runs for.
fn runs_for(live: &Value) -> Option<&str> {
    live["metadata"]["annotations"][FOR].as_str()
}

/// What a record says of hooks that were run for this content.
pub(super) fn marks(hooks: &[(Value, Hook)], content: &str) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for (object, hook) in hooks {
        for phase in Phase::ALL.into_iter().filter(|phase| phase.has(hook)) {
            let mark = At::of_object(object, &phase.to_string()).mark();
            all.insert(mark, phase.content(hook, content).to_owned());
        }
    }
    all
}

/// Deletes a hook's object where one of ours is left.
pub(super) async fn clear_away(cluster: &Cluster, place: &Place, object: &Value) -> Result<(), Failure> {
    let at = At {
        place: place.clone(),
        ..At::of_object(object, "")
    };
    if at
        .live(cluster)
        .await?
        .is_some_and(|live| runs_for(&live).is_some())
    {
        at.remove(cluster).await?;
    }
    Ok(())
}

/// The kind of [`Run`].
#[derive(Debug)]
pub struct Hooks {
    clusters: Clusters,
}

impl Hooks {
    /// Hooks of releases in these clusters.
    pub fn new(clusters: &Clusters) -> Self {
        Self {
            clusters: clusters.clone(),
        }
    }

    /// `latest`: the latest record of its release.
    async fn see(&self, at: &At, latest: &Revision) -> Result<Option<Object>, Failure> {
        let cluster = self.clusters.get(&at.place.cluster);
        let of_helm = || {
            let is_it = |object: &Value| At::of_object(object, "").object() == at.object();
            latest.hook_of_helm(&at.place.namespace, is_it, Phase::named(&at.phase)?)
        };
        let mark = latest.annotation(&at.mark()).or_else(of_helm);
        let live = at.live(&cluster).await?.filter(|live| runs_for(live).is_some());
        let mut detail = Value::Null;
        let fate = match &live {
            Some(live) => Some((runs_for(live), self.told(at, live, Fate::of(live)).await)),
            None => None,
        };
        let (condition, content) = match (fate, mark) {
            (Some((Some(END), fate)), Some(_)) if at.is_end() => match fate {
                Fate::Done => return Ok(None),
                Fate::Failed(why) => {
                    detail = json!({"failed": why});
                    (Condition::Deleting, String::new())
                }
                Fate::Running(_) => (Condition::Deleting, String::new()),
            },
            (Some((runs_for, fate)), mark) if runs_for != mark.as_deref() => match fate {
                Fate::Running(word) => (Condition::Changing(word), String::new()),
                Fate::Failed(why) => (Condition::Failed(why), String::new()),
                Fate::Done => (Condition::Settled, String::new()),
            },
            (_, Some(mark)) => (Condition::Settled, mark),
            (_, None) => return Ok(None),
        };
        Ok(Some(Object {
            id: at.id(),
            arn: None,
            condition,
            fields: json!({
                "cluster": at.place.cluster,
                "namespace": at.place.namespace,
                "release": at.place.name,
                "object": at.object(),
                "phase": at.phase,
                "content": content,
            }),
            tags: Tags::new(),
            references: vec![at.place.id(), at.place.cluster.clone()],
            outputs: BTreeMap::new(),
            detail,
        }))
    }

    /// The same fate, where it failed with what its pod said last.
    async fn told(&self, at: &At, live: &Value, fate: Fate) -> Fate {
        let Fate::Failed(why) = fate else {
            return fate;
        };
        match self.last_words(at, live).await {
            Some(words) => Fate::Failed(format!("{why}; its log ends with:\n{words}")),
            None => Fate::Failed(why),
        }
    }

    /// The end of the log of the hook's last pod; none where nobody keeps it.
    async fn last_words(&self, at: &At, live: &Value) -> Option<String> {
        let cluster = self.clusters.get(&at.place.cluster);
        let doing = at.doing("reading the log of");
        let pods = format!("/api/v1/namespaces/{}/pods", at.namespace);
        let pod = if live["kind"] == "Pod" {
            live.clone()
        } else {
            let query = format!("&labelSelector=batch.kubernetes.io%2Fjob-name%3D{}", at.name);
            let mut all = cluster.list(&doing, &pods, &query).await.ok()?;
            all.sort_by_key(|pod| pod["metadata"]["creationTimestamp"].as_str().map(str::to_owned));
            all.pop()?
        };
        let name = pod["metadata"]["name"].as_str()?;
        let container = pod["spec"]["containers"][0]["name"].as_str()?;
        let path =
            format!("{pods}/{name}/log?container={container}&tailLines={LOG_LINES}&limitBytes={LOG_BYTES}");
        let words = cluster.text(&doing, &path).await.ok()?;
        Some(words.trim_end().to_owned()).filter(|words| !words.is_empty())
    }

    /// Says in the record that the hook was run.
    async fn mark(&self, at: &At, latest: &Revision, content: &str) -> Result<(), Failure> {
        let cluster = self.clusters.get(&at.place.cluster);
        let body = json!({"metadata": {"annotations": {at.mark(): content}}});
        let path = secret_path(&at.place, latest);
        cluster.merge(&at.doing("recording"), &path, &body).await?;
        Ok(())
    }

    /// Makes the object; one that is there from before goes first, where the chart does not say otherwise. True where it is done then.
    async fn start(&self, at: &At, manifest: &Value, hook: &Hook, content: &str) -> Result<bool, Failure> {
        let cluster = self.clusters.get(&at.place.cluster);
        if let Some(live) = at.live(&cluster).await? {
            let is_this = runs_for(&live) == Some(content) && live["metadata"]["deletionTimestamp"].is_null();
            if is_this && !matches!(Fate::of(&live), Fate::Failed(_)) {
                return Ok(matches!(Fate::of(&live), Fate::Done));
            }
            let goes = hook.delete_policies.is_empty()
                || hook
                    .delete_policies
                    .iter()
                    .any(|policy| policy == "before-hook-creation");
            if !goes && runs_for(&live).is_none() {
                let cause = "an object of its name is there, and the chart does not say that it goes (helm.sh/hook-delete-policy)";
                return Err(Failure::new(Class::Invalid, at.doing("running"), cause)
                    .hint("Delete it, or give the hook the policy before-hook-creation."));
            }
            at.remove(&cluster).await?;
            return Err(Failure::new(
                Class::Busy,
                at.doing("running"),
                "the one from before is still there",
            ));
        }
        let mut object = manifest.clone();
        object["metadata"]["annotations"][FOR] = content.into();
        let path = at.path(&cluster).await?;
        let collection = path
            .rsplit_once('/')
            .map_or(path.as_str(), |(collection, _)| collection);
        let made = cluster.create(&at.doing("running"), collection, &object).await?;
        Ok(matches!(Fate::of(&made), Fate::Done))
    }

    /// After it is done: noted, and taken away where the chart says so.
    async fn finish(&self, part: &Run, hook: &Hook, at: &At, latest: &Revision) -> Result<(), Failure> {
        if hook
            .delete_policies
            .iter()
            .any(|policy| policy == "hook-succeeded")
        {
            at.remove(&self.clusters.get(&at.place.cluster)).await?;
        }
        self.mark(at, latest, &part.content).await
    }

    /// Runs it, where it is due; true where nothing more is to be waited for.
    async fn run(&self, part: &Run, at: &At) -> Result<bool, Failure> {
        let cluster = self.clusters.get(&at.place.cluster);
        let Some(latest) = revisions(&cluster, &at.place).await?.pop() else {
            return Err(Failure::new(
                Class::NotYet,
                at.doing("running"),
                "its release is not recorded",
            ));
        };
        let (install, upgrade) = part.phase.events();
        let event = match latest.status {
            Status::PendingInstall => Some(install),
            Status::PendingUpgrade => Some(upgrade),
            _ if part.phase == Phase::Test => Some(install),
            // No change of the release is under way: helm ran it.
            _ => None,
        };
        let event = event.filter(|_| !part.phase.is_end());
        let is_due = |hook: &Hook| event.is_some_and(|event| hook.events.iter().any(|one| one == event));
        let due = part.what.as_deref().filter(|(_, hook)| is_due(hook));
        let Some((manifest, hook)) = due else {
            self.mark(at, &latest, &part.content).await?;
            return Ok(true);
        };
        let is_done = self.start(at, manifest, hook, &part.content).await?;
        if is_done {
            self.finish(part, hook, at, &latest).await?;
        }
        Ok(is_done)
    }

    /// The hook as the record has it, with its object.
    async fn recorded(&self, at: &At) -> Result<Option<(Value, Hook)>, Failure> {
        let cluster = self.clusters.get(&at.place.cluster);
        let Some(latest) = revisions(&cluster, &at.place).await?.pop() else {
            return Ok(None);
        };
        let hooks = latest.hooks(&at.place.namespace);
        Ok(hooks
            .into_iter()
            .find(|(object, _)| At::of_object(object, &at.phase).object() == at.object()))
    }
}

#[async_trait]
impl Kind for Hooks {
    type Part = Run;

    fn traits(&self) -> KindTraits {
        traits(Run::KIND, "hook", 5)
    }

    fn stands_for(&self, declared: &Value, object: &Object) -> bool {
        ["cluster", "namespace", "release", "object", "phase"]
            .iter()
            .all(|field| declared.get(field) == object.fields.get(field))
    }

    /// It belongs to whoever owns the release.
    fn carries_tags(&self) -> bool {
        false
    }

    async fn observe(&self, ask: &Ask) -> Result<Vec<Object>, Failure> {
        let known = ask.known.values().filter_map(|id| At::of_id(id));
        let declared = ask.declared.values().filter_map(At::of_fields);
        let all: BTreeSet<At> = known.chain(declared).collect();
        let places: BTreeSet<&Place> = all.iter().map(|at| &at.place).collect();
        let mut objects = Vec::new();
        for place in places {
            let revisions = match revisions(&self.clusters.get(&place.cluster), place).await {
                Err(failure) if failure.class == Class::NotFound => continue,
                other => other?,
            };
            let Some(latest) = living(&revisions) else {
                continue;
            };
            let of_it = all.iter().filter(|at| at.place == *place);
            let looks = of_it.map(|at| self.see(at, latest));
            objects.extend(try_join_all(looks).await?.into_iter().flatten());
        }
        Ok(objects)
    }

    async fn create(&self, part: &Run, call: &Call) -> Result<Made, Failure> {
        let at = At::of(part, call)?;
        Ok(if self.run(part, &at).await? {
            Made::settled(at.id())
        } else {
            Made::changing(at.id(), "running")
        })
    }

    async fn update(&self, part: &Run, _: &Object, _: &[Difference], call: &Call) -> Result<(), Failure> {
        let at = At::of(part, call)?;
        self.run(part, &at).await.map(|_| ())
    }

    async fn tag(&self, _: &str, _: &Tags, _: &[String]) -> Result<(), Failure> {
        Ok(())
    }

    /// A hook of the release's end is run now; of all others the object goes.
    async fn delete(&self, object: &Object, _: &Call) -> Result<Deleted, Failure> {
        let Some(at) = At::of_id(&object.id) else {
            return Ok(Deleted::Gone);
        };
        let cluster = self.clusters.get(&at.place.cluster);
        if !at.is_end() {
            if at
                .live(&cluster)
                .await?
                .is_some_and(|live| runs_for(&live).is_some())
            {
                at.remove(&cluster).await?;
            }
            return Ok(Deleted::Gone);
        }
        let Some((manifest, hook)) = self.recorded(&at).await? else {
            return Ok(Deleted::Gone);
        };
        Ok(if self.start(&at, &manifest, &hook, END).await? {
            Deleted::Gone
        } else {
            Deleted::Begun
        })
    }

    async fn outlook(&self, object: &Object, _: std::time::Duration) -> Result<(), Failure> {
        match (object.detail["failed"].as_str(), At::of_id(&object.id)) {
            (Some(why), Some(at)) => Err(Failure::new(Class::Stuck, at.doing("running"), why)
                .hint("See its pods and their logs (kubectl logs). The next destroy runs it again.")),
            _ => Ok(()),
        }
    }
}
