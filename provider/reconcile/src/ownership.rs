//! Whose an object is: the tags `ekb:*`, and what the root's say about the whole.

use serde_json::Value;

use crate::failure::{Class, Failure};
use crate::part::{Key, Object, Owner, Tags};

/// Prefix of the tags that are the engine's.
pub const PREFIX: &str = "ekb:";
const ENVIRONMENT: &str = "ekb:environment";
const REGION: &str = "ekb:region";
pub(crate) const RESOURCE: &str = "ekb:resource";
const PART: &str = "ekb:part";
/// Of what was kept when its part went: who let it go. It stands alone, so that the object is nobody's.
pub(crate) const KEPT: &str = "ekb:kept";
/// Time-ordered id of the creating call, for kinds whose creating call may be sent twice.
const MADE: &str = "ekb:made";
const INCARNATION: &str = "ekb:incarnation";
const PHASE: &str = "ekb:phase";
const SUPERSEDED: &str = "ekb:superseded";
const SCHEMA: &str = "ekb:schema";
/// Most characters of a tag's value.
const TAG_LENGTH: usize = 256;
/// Between the incarnations of a tag: allowed in tag values of every service.
const SEPARATOR: char = ' ';
/// In `ekb:superseded`, in place of incarnations that do not fit: all those made between the ones beside it.
const GAP: &str = "..";

/// How far a create has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Under way, or ended half way.
    Making,
    /// Done.
    Complete,
}

/// What the root's tags say.
///
/// A creation may take several creates, each with an incarnation and, where it ended with an answer, with a state that
/// knows it. A create that goes on with another's work first writes itself into `workers`. At its end, well or not, it
/// becomes `incarnation` and all before it are `superseded`: its state is now the one that has everything. Where it is
/// killed before, the state of the one before it still has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RootTags {
    /// The create that it belongs to: the last one that has said how it ended; none before the first has.
    pub incarnation: Option<String>,
    /// How far that has come.
    pub phase: Option<Phase>,
    /// While it is being made: creates that have gone on since, oldest first; the last one is at work, those before it
    /// were killed, or could not say how they ended.
    pub workers: Vec<String>,
    /// Incarnations whose parts it has taken over, oldest first.
    pub superseded: Vec<String>,
    /// The version of the schema of the provider that wrote it.
    pub schema: Option<u32>,
}

/// What a state is to a root: what it may do with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// It is this state's: it may change and destroy it.
    Holds,
    /// A later create has taken everything over, and its state has it: nothing is to be done.
    Superseded,
    /// The root was made by a later create: what this state knew is gone, or was taken over with it.
    Outlived,
    /// It belongs to a creation that this state has no part in.
    Stranger,
}

impl RootTags {
    pub(crate) fn read(tags: &Tags) -> Self {
        let list = |text: &str| -> Vec<String> { text.split(SEPARATOR).map(str::to_owned).collect() };
        // `making`, `making <worker> …` or `complete`.
        let (phase, workers) = match tags.get(PHASE) {
            None => (None, Vec::new()),
            Some(text) => match text.split_once(SEPARATOR) {
                Some(("making", workers)) => (Some(Phase::Making), list(workers)),
                _ if text == "making" => (Some(Phase::Making), Vec::new()),
                _ => (Some(Phase::Complete), Vec::new()),
            },
        };
        Self {
            incarnation: tags.get(INCARNATION).cloned(),
            phase,
            workers,
            superseded: tags.get(SUPERSEDED).map(|text| list(text)).unwrap_or_default(),
            schema: tags.get(SCHEMA).and_then(|text| text.parse().ok()),
        }
    }

    pub(crate) fn tags(&self) -> Tags {
        let mut tags = Tags::new();
        if let Some(incarnation) = &self.incarnation {
            tags.insert(INCARNATION.to_owned(), incarnation.clone());
        }
        let phase = match self.phase {
            Some(Phase::Making) => {
                let mut words = vec!["making".to_owned()];
                words.extend(self.workers.iter().cloned());
                // The oldest, which were killed, give way.
                while join(&words).len() > TAG_LENGTH {
                    words.remove(1);
                }
                Some(join(&words))
            }
            Some(Phase::Complete) => Some("complete".to_owned()),
            None => None,
        };
        tags.extend(phase.map(|phase| (PHASE.to_owned(), phase)));
        if !self.superseded.is_empty() {
            tags.insert(SUPERSEDED.to_owned(), join(&abridged(&self.superseded)));
        }
        if let Some(schema) = self.schema {
            tags.insert(SCHEMA.to_owned(), schema.to_string());
        }
        tags
    }

    /// What the state that knows this incarnation is to it.
    pub fn claim(&self, incarnation: Option<&str>) -> Claim {
        let (Some(ours), Some(theirs)) = (incarnation, self.incarnation.as_deref()) else {
            // What others built, or a create made that was killed.
            return Claim::Holds;
        };
        if ours == theirs || self.workers.iter().any(|worker| worker == ours) {
            return Claim::Holds;
        }
        // Incarnations sort by the time of their making.
        let is_listed = self.superseded.iter().any(|listed| listed == ours);
        let is_between = self
            .superseded
            .windows(3)
            .any(|around| around[1] == GAP && around[0].as_str() < ours && ours < around[2].as_str());
        let maker = self.superseded.first().map_or(theirs, String::as_str);
        if is_listed || is_between {
            Claim::Superseded
        } else if ours < maker {
            Claim::Outlived
        } else {
            Claim::Stranger
        }
    }

    /// The create that is at work, or was the last to be.
    pub(crate) fn at_work(&self) -> Option<&str> {
        self.workers
            .last()
            .or(self.incarnation.as_ref())
            .map(String::as_str)
    }

    /// The same with this create at work.
    pub(crate) fn taken_up_by(&self, incarnation: &str) -> Self {
        let mut root = self.clone();
        if self.at_work() != Some(incarnation) {
            root.workers.retain(|worker| worker != incarnation);
            root.workers.push(incarnation.to_owned());
        }
        root
    }

    /// The same once the state of this create has everything.
    pub(crate) fn handed_to(&self, incarnation: &str) -> Self {
        let mut root = self.clone();
        let before = root.incarnation.replace(incarnation.to_owned());
        let earlier = before.into_iter().chain(root.workers.drain(..));
        for earlier in earlier.collect::<Vec<_>>() {
            if !root.superseded.contains(&earlier) {
                root.superseded.push(earlier);
            }
        }
        root.superseded.retain(|listed| listed != incarnation);
        root
    }
}

fn join(words: &[String]) -> String {
    words.join(&SEPARATOR.to_string())
}

/// What fits into a tag: the first and the newest, with a gap between.
fn abridged(superseded: &[String]) -> Vec<String> {
    let mut words = superseded.to_vec();
    while join(&words).len() > TAG_LENGTH && words.len() > 3 {
        if words[1] == GAP {
            words.remove(2);
        } else {
            words[1] = GAP.to_owned();
        }
    }
    words
}

/// Why a reconcile is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// A create makes what is missing and takes over what a create that ended half way left.
    Create {
        /// Its incarnation: a new one, or that of the state which it goes on with.
        incarnation: String,
    },
    /// An update of what the state knows.
    Update {
        /// The state's incarnation; none where the state has none (then the root's stays, or stays missing).
        incarnation: Option<String>,
    },
}

/// Whose an object is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// Ours, this part.
    Ours(Key),
    /// It says nothing, or not enough to say whose.
    Unsaid,
    /// Somebody else's; the text names them.
    Others(String),
}

impl Owner {
    /// The tags that every part of this owner carries.
    pub(crate) fn tags(&self, key: &Key) -> Tags {
        [
            (ENVIRONMENT, &self.environment),
            (REGION, &self.region),
            (RESOURCE, &self.resource),
            (PART, &key.0),
        ]
        .map(|(name, value)| (name.to_owned(), value.clone()))
        .into()
    }

    pub(crate) fn whose(&self, tags: &Tags) -> Whose {
        let mut said = 0;
        for (name, ours) in [
            (ENVIRONMENT, &self.environment),
            (REGION, &self.region),
            (RESOURCE, &self.resource),
        ] {
            match tags.get(name) {
                Some(value) if value != ours => {
                    let text = |name| tags.get(name).map_or("?", String::as_str);
                    let (environment, region, resource) = (text(ENVIRONMENT), text(REGION), text(RESOURCE));
                    return Whose::Others(format!("{resource} of environment {environment} in {region}"));
                }
                Some(_) => said += 1,
                None => {}
            }
        }
        match tags.get(PART) {
            Some(part) if said == 3 => Whose::Ours(Key(part.clone())),
            _ => Whose::Unsaid,
        }
    }

    /// What the tag [`KEPT`] says of what this owner let go.
    pub(crate) fn kept_tag(&self) -> String {
        format!("{}/{}/{}", self.environment, self.region, self.resource)
    }

    /// What `import` takes: `environment/name`.
    pub(crate) fn import_id(&self) -> String {
        let name = self
            .resource
            .split_once('/')
            .map_or(self.resource.as_str(), |(_, name)| name);
        format!("{}/{name}", self.environment)
    }

    pub(crate) fn import_hint(&self) -> String {
        format!("To manage it here: terraform import ADDRESS {}", self.import_id())
    }
}

pub(crate) fn made_tag(id: String) -> (String, String) {
    (MADE.to_owned(), id)
}

/// The time-ordered id of the call that made the object; objects without one count as older than any.
pub(crate) fn made_at(object: &Object) -> &str {
    object.tags.get(MADE).map_or("", String::as_str)
}

/// The tags of a new part: whose it is and, on the root, what that says about the whole.
pub(crate) fn new_tags(owner: &Owner, key: &Key, root: Option<&RootTags>) -> Tags {
    let mut tags = owner.tags(key);
    if let Some(root) = root {
        tags.extend(root.tags());
    }
    tags
}

/// The ownership tags that are missing or wrong: name, what is there, what should be.
pub(crate) fn missing_tags(
    owner: &Owner,
    key: &Key,
    object: &Object,
) -> Vec<(String, Option<String>, String)> {
    owner
        .tags(key)
        .into_iter()
        .filter(|(name, value)| object.tags.get(name) != Some(value))
        .map(|(name, value)| (name.clone(), object.tags.get(&name).cloned(), value))
        .collect()
}

/// The user's tags among the fields, without those of the engine.
pub(crate) fn without_ownership(mut fields: Value) -> Value {
    if let Some(tags) = fields.get_mut("tags").and_then(Value::as_object_mut) {
        tags.retain(|name, _| !name.starts_with(PREFIX));
    }
    fields
}

/// Refuses a root that a newer provider wrote.
pub(crate) fn check_schema(owner: &Owner, ours: u32, root: &RootTags) -> Result<(), Failure> {
    match root.schema {
        Some(theirs) if theirs > ours => Err(Failure::new(
            Class::Invalid,
            format!("looking at {}", owner.resource),
            format!("it was last written by a newer version of this provider (schema {theirs}, this one knows {ours})"),
        )
        .code("EKB1301")
        .hint("Use that version of the provider, or a newer one.")),
        _ => Ok(()),
    }
}

/// Whether a create may take over the root that it found: one that is being made, or its own.
pub(crate) fn may_adopt(owner: &Owner, incarnation: &str, root: &RootTags, id: &str) -> Result<(), Failure> {
    let is_ours = root.incarnation.as_deref() == Some(incarnation);
    match root.claim(Some(incarnation)) {
        _ if root.phase == Some(Phase::Making) || is_ours => return Ok(()),
        Claim::Superseded => return Err(taken_over(owner, id)),
        Claim::Holds | Claim::Outlived | Claim::Stranger => {}
    }
    Err(Failure::new(
        Class::Exists,
        format!("creating {}", owner.resource),
        format!(
            "it exists already, complete, in environment {} ({id}), and this state does not know it",
            owner.environment
        ),
    )
    .code("EKB1302")
    .hint(format!(
        "{} (after `terraform state rm ADDRESS`, where an older one is known there). Or choose another name. If this is a \
         replacement, take `create_before_destroy` away, here or on what depends on it: two of one name cannot exist at a \
         time.",
        owner.import_hint()
    )))
}

/// A later create has taken over what this state knows.
pub(crate) fn taken_over(owner: &Owner, id: &str) -> Failure {
    Failure::new(
        Class::Exists,
        format!("changing {}", owner.resource),
        format!("a later creation has taken {id} over"),
    )
    .code("EKB1303")
    .hint("Remove it from this state (terraform state rm ADDRESS).")
}

/// Another creation's root, of which this state knows nothing.
pub(crate) fn belongs_to_another(
    owner: &Owner,
    incarnation: Option<&str>,
    root: &RootTags,
    id: &str,
) -> Failure {
    let text = |incarnation: Option<&str>| incarnation.unwrap_or("?").to_owned();
    Failure::new(
        Class::Exists,
        format!("looking at {}", owner.resource),
        format!(
            "{id} belongs to another creation of it ({}) than this state knows ({})",
            text(root.incarnation.as_deref()),
            text(incarnation)
        ),
    )
    .code("EKB1303")
    .hint(format!(
        "Remove it from this state (terraform state rm ADDRESS). {}.",
        owner.import_hint()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner() -> Owner {
        Owner {
            environment: "dev".into(),
            region: "eu-central-1".into(),
            resource: "network/main".into(),
        }
    }

    #[test]
    fn tags_say_whose_it_is() {
        let mut tags = owner().tags(&"vpc".into());
        assert_eq!(owner().whose(&tags), Whose::Ours("vpc".into()));
        tags.remove(PART);
        assert_eq!(owner().whose(&tags), Whose::Unsaid);
        tags.insert(REGION.into(), "eu-west-1".into());
        let Whose::Others(text) = owner().whose(&tags) else {
            panic!("another region's is foreign")
        };
        assert_eq!(text, "network/main of environment dev in eu-west-1");
    }

    fn incarnations(count: u32) -> Vec<String> {
        (0..count).map(|n| format!("{n:036}")).collect()
    }

    #[test]
    fn root_tags_survive_the_way_through_tags() {
        let root = RootTags {
            incarnation: Some("b".into()),
            phase: Some(Phase::Making),
            workers: vec!["c".into(), "d".into()],
            superseded: vec!["x".into(), "a".into()],
            schema: Some(3),
        };
        assert_eq!(RootTags::read(&root.tags()), root);
    }

    #[test]
    fn however_many_creates_it_takes_their_states_stay_superseded() {
        let all = incarnations(40);
        let mut root = RootTags {
            incarnation: Some(all[0].clone()),
            phase: Some(Phase::Making),
            ..RootTags::default()
        };
        for incarnation in &all[1..] {
            let begun = root.taken_up_by(incarnation);
            assert_eq!(begun.claim(Some(incarnation)), Claim::Holds);
            root = RootTags::read(&begun.handed_to(incarnation).tags());
            assert!(
                root.tags().values().all(|value| value.len() <= TAG_LENGTH),
                "{root:?}"
            );
        }
        let claim = |incarnation: &str| root.claim(Some(incarnation));
        assert_eq!(claim(&all[39]), Claim::Holds);
        for earlier in &all[..39] {
            assert_eq!(claim(earlier), Claim::Superseded, "{earlier} in {root:?}");
        }
        assert_eq!(claim("zz"), Claim::Stranger);
        assert_eq!(claim("-"), Claim::Outlived);
    }

    #[test]
    fn creates_that_are_killed_leave_it_to_the_state_before_them() {
        let all = incarnations(40);
        let mut root = RootTags {
            incarnation: Some(all[0].clone()),
            phase: Some(Phase::Making),
            ..RootTags::default()
        };
        for incarnation in &all[1..] {
            root = RootTags::read(&root.taken_up_by(incarnation).tags());
            assert_eq!(root.at_work(), Some(incarnation.as_str()));
            assert_eq!(root.claim(Some(&all[0])), Claim::Holds);
            assert_eq!(root.claim(Some(incarnation)), Claim::Holds);
            assert!(
                root.tags().values().all(|value| value.len() <= TAG_LENGTH),
                "{root:?}"
            );
        }
        let root = root.handed_to(&all[39]);
        assert_eq!(root.claim(Some(&all[0])), Claim::Superseded);
    }
}
