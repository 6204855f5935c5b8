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
/// Time-ordered id of the creating call, for kinds whose creating call may be sent twice.
const MADE: &str = "ekb:made";
const INCARNATION: &str = "ekb:incarnation";
const PHASE: &str = "ekb:phase";
const SUPERSEDED: &str = "ekb:superseded";
const SCHEMA: &str = "ekb:schema";
/// Most characters of a tag's value.
const TAG_LENGTH: usize = 256;
/// Between the incarnations of `ekb:superseded`: allowed in tag values of every service.
const SEPARATOR: char = ' ';

/// How far a create has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Under way, or ended half way.
    Making,
    /// Done.
    Complete,
}

/// What the root's tags say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RootTags {
    /// The create that it belongs to.
    pub incarnation: Option<String>,
    /// How far that has come.
    pub phase: Option<Phase>,
    /// While it is being made: the create at work, where that is not the one that began it.
    pub worker: Option<String>,
    /// Incarnations whose parts it has taken over, oldest first.
    pub superseded: Vec<String>,
    /// The version of the schema of the provider that wrote it.
    pub schema: Option<u32>,
}

impl RootTags {
    pub(crate) fn read(tags: &Tags) -> Self {
        // `making`, `making <incarnation>` or `complete`.
        let phase = tags.get(PHASE).map(|text| match text.split_once(SEPARATOR) {
            Some(("making", worker)) => (Phase::Making, Some(worker.to_owned())),
            _ if text == "making" => (Phase::Making, None),
            _ => (Phase::Complete, None),
        });
        let (phase, worker) = phase.map_or((None, None), |(phase, worker)| (Some(phase), worker));
        Self {
            incarnation: tags.get(INCARNATION).cloned(),
            phase,
            worker,
            superseded: tags
                .get(SUPERSEDED)
                .map(|text| text.split(SEPARATOR).map(str::to_owned).collect())
                .unwrap_or_default(),
            schema: tags.get(SCHEMA).and_then(|text| text.parse().ok()),
        }
    }

    pub(crate) fn tags(&self) -> Tags {
        let mut tags = Tags::new();
        if let Some(incarnation) = &self.incarnation {
            tags.insert(INCARNATION.to_owned(), incarnation.clone());
        }
        match (self.phase, &self.worker) {
            (Some(Phase::Making), Some(worker)) => {
                tags.insert(PHASE.to_owned(), format!("making{SEPARATOR}{worker}"));
            }
            (Some(Phase::Making), None) => _ = tags.insert(PHASE.to_owned(), "making".to_owned()),
            (Some(Phase::Complete), _) => _ = tags.insert(PHASE.to_owned(), "complete".to_owned()),
            (None, _) => {}
        }
        if !self.superseded.is_empty() {
            // The newest that fit: the oldest belong to deposed objects that are long gone.
            let mut text = String::new();
            for incarnation in self.superseded.iter().rev() {
                if text.len() + 1 + incarnation.len() > TAG_LENGTH {
                    break;
                }
                text = if text.is_empty() {
                    incarnation.clone()
                } else {
                    format!("{incarnation}{SEPARATOR}{text}")
                };
            }
            tags.insert(SUPERSEDED.to_owned(), text);
        }
        if let Some(schema) = self.schema {
            tags.insert(SCHEMA.to_owned(), schema.to_string());
        }
        tags
    }
}

/// Why a reconcile is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// A create draws an incarnation. It makes what is missing and takes over what a create that ended half way left.
    Create {
        /// The new incarnation.
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

/// Whether a create may take over the root that it found.
pub(crate) fn may_adopt(owner: &Owner, root: &RootTags, id: &str) -> Result<(), Failure> {
    if root.phase == Some(Phase::Making) {
        return Ok(());
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
        "{}. Or choose another name. If this is a replacement, take `create_before_destroy` \
         away, here or on what depends on it: two of one name cannot exist at a time.",
        owner.import_hint()
    )))
}

/// Whether the state that knows `incarnation` may change or destroy this root: `Ok(false)` means that a later create
/// has taken everything over, so nothing is to be done.
pub(crate) fn may_change(
    owner: &Owner,
    incarnation: Option<&str>,
    root: &RootTags,
    id: &str,
) -> Result<bool, Failure> {
    match (incarnation, root.incarnation.as_deref()) {
        (None, _) | (_, None) => Ok(true),
        (Some(ours), Some(theirs)) if ours == theirs => Ok(true),
        (Some(ours), _) if root.superseded.iter().any(|incarnation| incarnation == ours) => Ok(false),
        (Some(ours), Some(theirs)) => Err(Failure::new(
            Class::Exists,
            format!("looking at {}", owner.resource),
            format!("{id} belongs to another creation of it ({theirs}) than this state knows ({ours})"),
        )
        .code("EKB1303")
        .hint(format!(
            "Remove it from this state (terraform state rm ADDRESS). {}.",
            owner.import_hint()
        ))),
    }
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

    #[test]
    fn root_tags_survive_the_way_through_tags() {
        let root = RootTags {
            incarnation: Some("b".into()),
            phase: Some(Phase::Making),
            worker: Some("c".into()),
            superseded: vec!["x".into(), "a".into()],
            schema: Some(3),
        };
        assert_eq!(RootTags::read(&root.tags()), root);
        let many = RootTags {
            superseded: (0..20).map(|n| format!("{n:036}")).collect(),
            ..RootTags::default()
        };
        let text = &many.tags()[SUPERSEDED];
        assert!(
            text.len() <= TAG_LENGTH && text.ends_with("19"),
            "the newest stay: {text}"
        );
    }

    #[test]
    fn only_its_own_state_may_destroy() {
        let root = RootTags {
            incarnation: Some("b".into()),
            superseded: vec!["a".into()],
            ..RootTags::default()
        };
        let may = |incarnation| may_change(&owner(), Some(incarnation), &root, "vpc-1").map_err(|f| f.code);
        assert_eq!(may("b"), Ok(true));
        assert_eq!(may("a"), Ok(false), "superseded: a later create took it over");
        assert_eq!(may("c"), Err("EKB1303"));
    }
}
