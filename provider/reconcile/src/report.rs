//! What the engine is told from the state, and what it gives back for it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::compare;
use crate::failure::Failure;
use crate::graph::{Graph, without_nulls};
use crate::ownership::RootTags;
use crate::part::{FieldRule, Key, Object, Remedy};
use crate::shared_tags::IgnoredTags;

/// What the state says of the parts. All maps are by part.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Their ids.
    pub ids: BTreeMap<Key, String>,
    /// Their fields when they were last read or applied (`objects` of the state): of fields with foreign entries, the
    /// entries that are ours.
    pub objects: BTreeMap<Key, Value>,
    /// What services invented of them ([`Object::outputs`] and `arn`), for parts that cannot be looked at.
    pub outputs: BTreeMap<Key, BTreeMap<String, Value>>,
    /// Their kinds. Where missing, the graph says it, else the key's text up to `/`.
    pub kinds: BTreeMap<Key, String>,
    /// Their fields as the state's arguments have them, where all of them have been made: what differs from these is
    /// drift, and what differs in these is the user's wish.
    pub declared: BTreeMap<Key, Value>,
    /// Patterns of drift that is left alone ([`crate::engine::Engine::ignore_drift`]).
    pub ignore_drift: Vec<String>,
    /// The root, where no graph says it.
    pub root: Option<Key>,
    /// Whether things without our tags that lie where a part is meant are taken for it: import only.
    pub import: bool,
    /// Parts whose objects stay when they go, with the reason ([`Graph::keep`]). Who removes a declaration has to know it
    /// still, and so has whoever goes on with that.
    pub kept: BTreeMap<Key, String>,
}

impl Known {
    /// The same, with kinds and root of this graph (the one that follows from the state's arguments).
    #[must_use]
    pub fn of(mut self, graph: &Graph) -> Self {
        self.kinds.extend(graph.kinds());
        // With the user's tags, which `objects` does not show.
        self.declared = graph
            .iter()
            .map(|part| (part.key.clone(), without_nulls(&part.fields)))
            .collect();
        self.root = graph.root_key().cloned();
        self.keep_as(graph);
        self
    }

    /// Of what the graph declares, the graph alone says what is kept.
    pub(crate) fn keep_as(&mut self, graph: &Graph) {
        self.kept.retain(|key, _| graph.get(key).is_none());
        self.kept.extend(graph.kept().clone());
    }

    /// Forgets that tags were applied which are left alone now.
    pub(crate) fn ignore_tags(&mut self, ignored: &IgnoredTags) {
        for fields in self.objects.values_mut() {
            if let Some(tags) = fields.get_mut("tags").and_then(Value::as_object_mut) {
                tags.retain(|key, _| !ignored.contains(key));
            }
        }
    }
}

impl Known {
    /// Whether the part has been there, is gone, and is to be left so.
    pub fn is_left_out(&self, key: &Key) -> bool {
        self.declared.contains_key(key)
            && !self.ids.contains_key(key)
            && compare::is_part_ignored(key, &self.ignore_drift)
    }
}

/// How things are, for the state.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Per part that is there the fields that we own as they are, references as part keys, without nulls. A part that
    /// failed or is being deleted has an id and no entry here.
    pub objects: BTreeMap<Key, Value>,
    /// Their ids.
    pub ids: BTreeMap<Key, String>,
    /// Their ARNs, where they have one and it is known.
    pub arns: BTreeMap<Key, String>,
    /// Their kinds.
    pub kinds: BTreeMap<Key, String>,
    /// The objects themselves as observed, with ids: for computed attributes (the public IP of an address).
    pub found: BTreeMap<Key, Object>,
    /// Sentences on what is not as it should be. `part: field entry: missing`, `part: field: is X, should be Y`,
    /// `part: deleted outside`.
    pub drift: Vec<String>,
    /// Of the parts that are there, those whose objects stay when they go, with the reason.
    pub kept: BTreeMap<Key, String>,
    /// What could not be looked at, and the like.
    pub warnings: Vec<Failure>,
    /// Declared parts that belong to somebody else.
    pub foreign: Vec<Failure>,
    /// What the root's tags say; none where there is no root.
    pub root: Option<RootTags>,
    /// What was found with the root and says of nobody whose it is: import only.
    pub unclaimed: Vec<Unclaimed>,
    /// The ids of everything that a look has shown, whosever it is.
    pub present: BTreeSet<String>,
}

/// An object that carries no tags of ours and has the place of no part that is known.
#[derive(Debug, Clone)]
pub struct Unclaimed {
    /// The kind that found it.
    pub kind: &'static str,
    /// As observed, with ids.
    pub object: Object,
}

impl Report {
    /// This report as what the state says.
    pub fn known(&self) -> Known {
        let invented = |(key, object): (&Key, &Object)| (key.clone(), object.outputs.clone());
        Known {
            ids: self.ids.clone(),
            objects: self.objects.clone(),
            outputs: self.found.iter().map(invented).collect(),
            kinds: self.kinds.clone(),
            kept: self.kept.clone(),
            ..Known::default()
        }
    }

    /// Whether nothing is there: no part found, and none that could not be looked at but was known.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

/// What became of a reconcile or destroy.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// How things are now; complete also after errors.
    pub report: Report,
    /// Everything that went wrong, in the order of the parts' keys.
    pub errors: Vec<Failure>,
    /// Nothing was changed: the errors came before any change.
    pub refused: bool,
    /// Whether any changing call was begun.
    pub changed: bool,
    /// Everything was left on purpose: a later create has taken the parts over (destroy only).
    pub left: bool,
    /// What remains on purpose.
    pub kept: Vec<Kept>,
}

impl Outcome {
    /// Whether all went well.
    pub fn is_done(&self) -> bool {
        self.errors.is_empty()
    }
}

/// Something that remains after a deletion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The part.
    pub key: Key,
    /// The id of what remains: the object's, or its final snapshot's.
    pub id: String,
    /// Why.
    pub why: Why,
}

/// Why something remains after a deletion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// Kept on purpose, for this reason.
    Kept(String),
    /// It is the final snapshot.
    FinalSnapshot,
}

/// What an apply would do to a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Make it.
    Create,
    /// Change these fields in place.
    Update(Vec<String>),
    /// Delete it and make it again, because of these fields; none: it failed, or is being deleted.
    Replace(Vec<String>),
    /// Delete it.
    Delete,
}

impl Graph {
    /// What an apply would do for certain to parts that are as `known` says: pure, for plan. Parts without change are left
    /// out, and what is not known yet is taken for unchanged.
    pub fn changes(&self, known: &Known) -> BTreeMap<Key, Change> {
        let mut changes = BTreeMap::new();
        let mut replaced = BTreeSet::new();
        // A replaced part has a new id, so whatever refers to it differs too: until nothing is added.
        loop {
            let before = replaced.len();
            for part in self.iter() {
                let Some(is) = known.objects.get(&part.key) else {
                    if known.is_left_out(&part.key) {
                        continue;
                    }
                    if known.ids.contains_key(&part.key) {
                        // It failed, or is being deleted.
                        replaced.insert(part.key.clone());
                        changes.insert(part.key.clone(), Change::Replace(Vec::new()));
                    } else {
                        changes.insert(part.key.clone(), Change::Create);
                    }
                    continue;
                };
                let mut fields = Vec::new();
                let mut replace = false;
                let declared = known.declared.get(&part.key).or(Some(is));
                let ignore = &known.ignore_drift;
                let differing = compare::differences_from(part, is, Some(is), declared, &[], ignore);
                for found in differing
                    .into_iter()
                    .filter(|found| !part.is_unknown(&found.difference.field))
                {
                    replace |= found.difference.remedy == Remedy::Replace;
                    fields.push(found.difference.field);
                }
                for (field, keys) in &part.referring {
                    let is_compared = part.rule(field) != FieldRule::NotCompared && !part.is_unknown(field);
                    if is_compared && !fields.contains(field) && keys.iter().any(|key| replaced.contains(key))
                    {
                        replace |= part.remedy(field) == Remedy::Replace;
                        fields.push(field.clone());
                    }
                }
                if replace {
                    replaced.insert(part.key.clone());
                    changes.insert(part.key.clone(), Change::Replace(fields));
                } else if !fields.is_empty() {
                    changes.insert(part.key.clone(), Change::Update(fields));
                }
            }
            if replaced.len() == before {
                break;
            }
        }
        let is_gone = |key: &&Key| self.get(key).is_none() && !self.is_open_at(key);
        for key in known.ids.keys().filter(is_gone) {
            changes.insert(key.clone(), Change::Delete);
        }
        changes
    }

    /// Patterns of drift that can match nothing of these parts.
    pub fn idle_patterns<'a>(&'a self, patterns: &'a [String]) -> impl Iterator<Item = &'a String> {
        patterns
            .iter()
            .filter(|pattern| !compare::could_match(pattern, self.iter()))
    }
}

/// What a plan allowed an apply to delete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allowed {
    /// Anything of ours (create: what a half-made one left).
    All,
    /// These parts may be deleted, or deleted and made again.
    Only(BTreeSet<Key>),
}

impl Allowed {
    /// Nothing.
    pub fn none() -> Self {
        Self::Only(BTreeSet::new())
    }

    /// What the changes of a plan say.
    pub fn of(changes: &BTreeMap<Key, Change>) -> Self {
        let destructive = |change: &Change| matches!(change, Change::Replace(_) | Change::Delete);
        Self::Only(
            changes
                .iter()
                .filter(|(_, change)| destructive(change))
                .map(|(key, _)| key.clone())
                .collect(),
        )
    }

    pub(crate) fn allows(&self, key: &Key) -> bool {
        match self {
            Self::All => true,
            Self::Only(keys) => keys.contains(key),
        }
    }
}

/// The part of an object that the state shows where nothing is declared for it: all but tags of ownership.
pub(crate) fn undeclared_view(fields: &Value) -> Value {
    without_nulls(fields)
}
