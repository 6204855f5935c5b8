//! Matching what was found to parts: by tags, then by known id, then (import only) by structure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::duplicates::Spare;
use crate::failure::{Class, Failure};
use crate::graph::Node;
use crate::observe::{Observation, Spot, Standing};
use crate::ownership::{KEPT, PREFIX, RESOURCE, RootTags, Whose, made_at};
use crate::part::{Condition, FieldRule, Idempotence, Key, Object, Owner, Ref, Remedy, Tags};

/// Everything that was found, matched to parts.
#[derive(Default)]
pub(crate) struct Picture {
    /// Every part that is declared, known or found.
    pub parts: BTreeMap<Key, Seen>,
    /// Further objects of parts: duplicates, and what is on its way to gone beside a new one.
    pub spares: Vec<Spare>,
    /// Ids of dead, failed and leaving objects by part: a client token that names them gives a new object.
    pub predecessors: BTreeMap<Key, BTreeSet<String>>,
    /// Parts by id and ARN of the objects that stand for them; objects of several kinds may have one id.
    names: BTreeMap<String, BTreeSet<Key>>,
    /// What has the place or name of a declared part and is not ours.
    foreign: BTreeMap<Key, Failure>,
    pub root: Option<RootTags>,
    /// The part whose object has a root's tags.
    pub root_by_tags: Option<Key>,
    /// Two roots in use: nothing may be built on either.
    pub conflict: Option<Failure>,
    pub warnings: Vec<Failure>,
    /// What carries no tags of ours and was not matched: import only.
    pub unclaimed: Vec<(&'static str, Arc<Object>)>,
}

/// One of the four answers of observing a part.
#[derive(Debug, Clone)]
pub(crate) enum Seen {
    Absent,
    Found(Found),
    Foreign(Failure),
    Unseen(Failure),
}

/// An object of ours.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub key: Key,
    pub kind: &'static str,
    pub object: Arc<Object>,
}

impl Found {
    pub fn spot(&self) -> Spot {
        (self.kind, self.object.id.clone())
    }

    /// What others may call it.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        [Some(&self.object.id), self.object.arn.as_ref()]
            .into_iter()
            .flatten()
            .map(String::as_str)
    }

    fn is_named(&self, name: &str) -> bool {
        self.object.id == name || self.object.arn.as_deref() == Some(name)
    }

    pub fn has_ended(&self) -> bool {
        matches!(
            self.object.condition,
            Condition::Dead | Condition::Deleting | Condition::Failed(_)
        )
    }

    /// Whether it uses the other.
    pub fn uses(&self, other: &Found) -> bool {
        let is_other = self.kind != other.kind || self.object.id != other.object.id;
        is_other && self.object.references.iter().any(|name| other.is_named(name))
    }
}

impl Observation {
    /// Makes the picture of the answers so far.
    pub(crate) fn sort_out(&mut self) {
        let mut picture = Picture::default();
        let mut claims: BTreeMap<Key, Vec<Found>> = BTreeMap::new();
        let mut unsaid = Vec::new();
        let mut others = Vec::new();
        let known: BTreeMap<(&str, &str), &Key> = self
            .known
            .ids
            .iter()
            .filter_map(|(key, id)| Some(((self.kind_of(key)?, id.as_str()), key)))
            .collect();
        for (kind, object) in self.present() {
            let by_id = known.get(&(kind, object.id.as_str())).map(|key| (*key).clone());
            match self.whose(&object.tags) {
                Whose::Ours(key) => claims
                    .entry(key.clone())
                    .or_default()
                    .push(Found { key, kind, object }),
                Whose::Unsaid => match by_id.or_else(|| self.standing_key(kind, &object)) {
                    Some(key) => claims
                        .entry(key.clone())
                        .or_default()
                        .push(Found { key, kind, object }),
                    None => unsaid.push((kind, object)),
                },
                Whose::Others(text) => others.push((kind, object, text, by_id)),
            }
        }
        self.match_by_structure(&mut claims, &mut unsaid);
        self.match_by_name(&mut claims, &mut unsaid);
        self.note_standing(&claims);

        self.choose(claims, &mut picture);
        let root = self.root_key();
        picture.foreign = self.foreign(&unsaid, &others);
        let declared = self.graphs.iter().flat_map(|graph| graph.keys());
        let keys: BTreeSet<Key> = declared.chain(self.known.ids.keys()).cloned().collect();
        for key in keys {
            let seen = self.unclaimed(&key, picture.foreign.get(&key));
            picture.parts.entry(key).or_insert(seen);
        }
        if let Some(Seen::Found(found)) = root
            .or(picture.root_by_tags.clone())
            .and_then(|key| picture.parts.get(&key))
        {
            picture.root = Some(RootTags::read(&found.object.tags));
        }
        for (key, seen) in &picture.parts {
            let names = match seen {
                Seen::Found(found) if found.object.condition != Condition::Deleting => {
                    found.names().collect()
                }
                Seen::Unseen(_) => self.known.ids.get(key).map(String::as_str).into_iter().collect(),
                _ => Vec::new(),
            };
            for name in names {
                picture
                    .names
                    .entry(name.to_owned())
                    .or_default()
                    .insert(key.clone());
            }
        }
        if self.known.import {
            picture.unclaimed = unsaid;
        }
        self.picture = picture;
    }

    /// Whether the tags say that an object is ours.
    pub(crate) fn is_ours(&self, tags: &Tags) -> bool {
        matches!(self.whose(tags), Whose::Ours(_))
    }

    /// Whose an object is, by names of this version or of earlier ones.
    fn whose(&self, tags: &Tags) -> Whose {
        let (owner, formerly) = (&self.engine.owner, &self.engine.formerly);
        let mut former = formerly.resources(owner).into_iter();
        let whose = match former.find(|name| tags.get(RESOURCE) == Some(name)) {
            Some(resource) => Owner {
                resource,
                ..owner.clone()
            }
            .whose(tags),
            None => owner.whose(tags),
        };
        match whose {
            Whose::Ours(key) => Whose::Ours(formerly.key(key)),
            other => other,
        }
    }

    /// Puts an object that was just made into the picture.
    ///
    /// As [`Observation::sort_out`] would, which is too much for each of hundreds; it is left to that where there is
    /// more to say than that an absent part is there.
    pub(crate) fn appears(&mut self, found: Found) {
        let key = found.key.clone();
        let is_plain = self.is_plain(&key) && !found.has_ended();
        if !is_plain || !matches!(self.picture.parts.get(&key), None | Some(Seen::Absent)) {
            return self.sort_out();
        }
        for name in found.names() {
            self.picture
                .names
                .entry(name.to_owned())
                .or_default()
                .insert(key.clone());
        }
        self.picture.parts.insert(key, Seen::Found(found));
        #[cfg(test)]
        self.check_picture();
    }

    /// Notes that an object is on its way to gone.
    pub(crate) fn leaves(&mut self, found: &Found) {
        self.leaving.insert(found.spot());
        let Some(mut stood) = self.take_out(found) else {
            return self.sort_out();
        };
        Arc::make_mut(&mut stood.object).condition = Condition::Deleting;
        let predecessors = self.picture.predecessors.entry(found.key.clone()).or_default();
        predecessors.insert(found.object.id.clone());
        self.picture.parts.insert(found.key.clone(), Seen::Found(stood));
        #[cfg(test)]
        self.check_picture();
    }

    /// Takes an object that is gone out of the picture: the counterpart of [`Observation::appears`].
    pub(crate) fn disappears(&mut self, found: &Found) {
        if self.take_out(found).is_none() {
            return self.sort_out();
        }
        let key = &found.key;
        let answer = self.answers.get(found.kind);
        if !answer.is_some_and(|answer| answer.has_dead(&found.object.id))
            && let Some(predecessors) = self.picture.predecessors.get_mut(key)
        {
            predecessors.remove(&found.object.id);
        }
        if self.declared(key).is_some() || self.known.ids.contains_key(key) {
            let seen = self.unclaimed(key, self.picture.foreign.get(key));
            self.picture.parts.insert(key.clone(), seen);
        }
        #[cfg(test)]
        self.check_picture();
    }

    /// Takes the object out of parts and names, where nothing else depends on it.
    fn take_out(&mut self, found: &Found) -> Option<Found> {
        let stood = self
            .found(&found.key)
            .filter(|stood| stood.spot() == found.spot() && made_at(&stood.object) == made_at(&found.object));
        let stood = stood.filter(|_| self.is_plain(&found.key))?;
        for name in stood.names() {
            if let Some(keys) = self.picture.names.get_mut(name) {
                keys.remove(&found.key);
            }
        }
        self.picture.parts.remove(&found.key);
        Some(stood)
    }

    /// Whether nothing but the part itself depends on which object stands for it.
    fn is_plain(&self, key: &Key) -> bool {
        let picture = &self.picture;
        picture.spares.is_empty()
            && self.root_key().as_ref() != Some(key)
            && picture.root_by_tags.as_ref() != Some(key)
    }

    /// Small pictures are compared with what sorting everything out gives: now and then, since that takes its time.
    #[cfg(test)]
    fn check_picture(&mut self) {
        use std::sync::atomic::{AtomicUsize, Ordering};
        static CHECKS: AtomicUsize = AtomicUsize::new(0);
        let number = CHECKS.fetch_add(1, Ordering::Relaxed);
        if self.picture.parts.len() < 50 && (number < 10_000 || number.is_multiple_of(16)) {
            let said = |picture: &Picture| {
                let mut names = picture.names.clone();
                names.retain(|_, keys| !keys.is_empty());
                let mut predecessors = picture.predecessors.clone();
                predecessors.retain(|_, ids| !ids.is_empty());
                format!(
                    "{:#?}\n{names:#?}\n{predecessors:#?}\n{:?}",
                    picture.parts, picture.root
                )
            };
            let before = said(&self.picture);
            self.sort_out();
            assert_eq!(before, said(&self.picture));
        }
    }

    /// All objects as far as we know: what the answers say, corrected by what they cannot know yet.
    fn present(&self) -> Vec<(&'static str, Arc<Object>)> {
        let mut present = Vec::new();
        let mut seen = BTreeSet::new();
        for (kind, answer) in &self.answers {
            for object in &answer.objects {
                let spot = (*kind, object.id.clone());
                if self.let_be.contains(&spot) {
                    continue;
                }
                let dead = object.condition == Condition::Dead;
                // The look began before this was made: it shows a predecessor of the same name.
                let newer = self
                    .standing
                    .get(&spot)
                    .filter(|standing| standing.seen > answer.at);
                if let Some(made) = newer.and_then(|standing| standing.object.as_ref()) {
                    present.push((*kind, Arc::clone(made)));
                    seen.insert(spot);
                    continue;
                }
                if self.gone.get(&spot).is_some_and(|made| made == made_at(object)) && !dead {
                    continue;
                }
                if self.leaving.contains(&spot) && !dead && object.condition != Condition::Deleting {
                    let object = Object {
                        condition: Condition::Deleting,
                        ..(**object).clone()
                    };
                    present.push((*kind, Arc::new(object)));
                } else {
                    present.push((*kind, Arc::clone(object)));
                }
                seen.insert(spot);
            }
        }
        for (spot, standing) in &self.standing {
            if let Some(object) = standing
                .object
                .as_ref()
                .filter(|_| !seen.contains(spot) && self.stands(spot, standing))
            {
                present.push((spot.0, Arc::clone(object)));
            }
        }
        present
    }

    /// Whether something that the last look did not show may still be there.
    fn stands(&self, spot: &Spot, standing: &Standing) -> bool {
        if self.gone.contains_key(spot) || self.leaving.contains(spot) {
            return false;
        }
        if standing
            .object
            .as_ref()
            .is_some_and(|object| matches!(object.condition, Condition::Deleting | Condition::Dead))
        {
            return false;
        }
        let invisible = self
            .engine
            .kinds
            .get(spot.0)
            .map(|kind| kind.traits().invisible_for)
            .unwrap_or_default();
        self.answers
            .get(spot.0)
            // A look that began before cannot show it, however soon new objects show.
            .is_none_or(|answer| answer.at < standing.seen || answer.at.since(standing.seen) < invisible)
    }

    /// The part of an object that was made in this run and has lost its tags since.
    fn standing_key(&self, kind: &'static str, object: &Object) -> Option<Key> {
        let standing = self.standing.get(&(kind, object.id.clone()))?;
        standing.object.as_ref().map(|_| standing.key.clone())
    }

    fn note_standing(&mut self, claims: &BTreeMap<Key, Vec<Found>>) {
        let mut fresh = Vec::new();
        for found in claims.values().flatten() {
            let Some(answer) = self.answers.get(found.kind) else {
                continue;
            };
            if answer.lists(&found.object.id) {
                let object = Some(Arc::clone(&found.object));
                fresh.push((
                    found.spot(),
                    Standing {
                        key: found.key.clone(),
                        object,
                        seen: answer.at,
                    },
                ));
            }
        }
        for (spot, mut standing) in fresh {
            if let Some(before) = self.standing.get(&spot) {
                standing.seen = standing.seen.max(before.seen);
            }
            if standing
                .object
                .as_ref()
                .is_some_and(|object| object.condition != Condition::Dead)
            {
                self.gone.remove(&spot);
            }
            self.standing.insert(spot, standing);
        }
        let dropped: Vec<Spot> = self
            .standing
            .iter()
            .filter(|(spot, standing)| !self.stands(spot, standing))
            .map(|(spot, _)| spot.clone())
            .collect();
        for spot in dropped {
            if !self
                .answers
                .get(spot.0)
                .is_some_and(|answer| answer.lists(&spot.1))
            {
                if self.chosen.get(&self.standing[&spot].key) == Some(&spot) {
                    self.chosen.remove(&self.standing[&spot].key);
                }
                self.standing.remove(&spot);
            }
        }
    }

    /// Takes over what has the fixed name of a declared part and carries nobody's tags: where that is allowed, or this owner
    /// kept it and would keep it again.
    fn match_by_name(
        &self,
        claims: &mut BTreeMap<Key, Vec<Found>>,
        unsaid: &mut Vec<(&'static str, Arc<Object>)>,
    ) {
        unsaid.retain(|(kind, object)| {
            let part = self.named(kind, object).filter(|part| {
                let is_kept = || {
                    object.tags.get(KEPT) == Some(&self.engine.owner.kept_tag())
                        && self.known.kept.contains_key(&part.key)
                };
                !is_owned(object)
                    && (self.engine.adopt || self.takes_over(&part.key) || is_kept())
                    && !claims.contains_key(&part.key)
                    && !matches!(object.condition, Condition::Dead | Condition::Deleting)
            });
            let Some(key) = part.map(|part| part.key.clone()) else {
                return true;
            };
            let object = Arc::clone(object);
            claims.insert(key.clone(), vec![Found { key, kind, object }]);
            false
        });
    }

    fn takes_over(&self, key: &Key) -> bool {
        self.graphs.iter().any(|graph| graph.takes_over(key))
    }

    /// The declared part whose fixed name the object has.
    fn named(&self, kind: &str, object: &Object) -> Option<&Arc<Node>> {
        let any_kind = self.engine.kinds.get(kind)?;
        let mut parts = self.graphs.iter().flat_map(|graph| graph.iter());
        let is_named = any_kind.traits().idempotence == Idempotence::NaturalKey;
        parts.find(|part| is_named && part.kind == kind && any_kind.stands_for(&part.fields, object))
    }

    /// Takes over what carries no tags of ours but lies where a declared part is meant: at import; and always of kinds
    /// without tags, which belong to whoever owns what they lie in.
    fn match_by_structure(
        &self,
        claims: &mut BTreeMap<Key, Vec<Found>>,
        unsaid: &mut Vec<(&'static str, Arc<Object>)>,
    ) {
        loop {
            let mut matched: Option<(usize, Key)> = None;
            'search: for (at, (kind, object)) in unsaid.iter().enumerate() {
                if !self.known.import && self.carries_tags(kind) {
                    continue;
                }
                let inside = |found: &Found| object.references.iter().any(|name| found.is_named(name));
                let inside = claims.values().flatten().any(inside);
                for part in self.graphs.iter().flat_map(|graph| graph.iter()) {
                    if part.kind != *kind || claims.contains_key(&part.key) {
                        continue;
                    }
                    let named = self.is_referred_to(part, object, claims) && can_stay(part, object);
                    // What a part of ours invented names it as well as its id does.
                    let is = part.name_outputs(&object.fields, &|named| output_of(claims, named));
                    let inside = inside || is != object.fields;
                    let same = || {
                        let names = names_of(claims.values().filter_map(|found| found.first()));
                        let fields = replace(&is, &|text| names.get(text));
                        let keyed = Object {
                            fields,
                            ..(**object).clone()
                        };
                        self.engine
                            .kinds
                            .get(kind)
                            .is_some_and(|kind| kind.stands_for(&part.fields, &keyed))
                    };
                    if named || (inside && same()) {
                        matched = Some((at, part.key.clone()));
                        break 'search;
                    }
                }
            }
            let Some((at, key)) = matched else { return };
            let (kind, object) = unsaid.remove(at);
            claims.insert(key.clone(), vec![Found { key, kind, object }]);
        }
    }

    /// Whether a part that was found has the object's id where its declaration refers to this part.
    fn is_referred_to(&self, part: &Node, object: &Object, claims: &BTreeMap<Key, Vec<Found>>) -> bool {
        claims.iter().any(|(key, found)| {
            let (Some(user), Some(found)) = (self.declared(key), found.first()) else {
                return false;
            };
            user.places_of(&part.key).iter().any(|place| {
                let value = found.object.fields.pointer(place).and_then(Value::as_str);
                value.is_some_and(|name| object.id == name || object.arn.as_deref() == Some(name))
            })
        })
    }

    /// Objects that have the place or name of a declared part and are not ours.
    fn foreign(
        &self,
        unsaid: &[(&'static str, Arc<Object>)],
        others: &[(&'static str, Arc<Object>, String, Option<Key>)],
    ) -> BTreeMap<Key, Failure> {
        let mut foreign = BTreeMap::new();
        let unsaid = unsaid.iter().map(|(kind, object)| (*kind, object, None, None));
        let others = others
            .iter()
            .map(|(kind, object, text, key)| (*kind, object, Some(text), key.clone()));
        for (kind, object, whose, key) in unsaid.chain(others) {
            if matches!(object.condition, Condition::Dead | Condition::Deleting) {
                continue;
            }
            let Some(any_kind) = self.engine.kinds.get(kind) else {
                continue;
            };
            let same = |part: &&Arc<Node>| part.kind == kind && any_kind.stands_for(&part.fields, object);
            let meant = self
                .graphs
                .iter()
                .flat_map(|graph| graph.iter())
                .find(same)
                .map(|part| part.key.clone());
            let Some(key) = key.or(meant) else { continue };
            let title = any_kind.traits().title;
            let cause = match whose {
                Some(whose) => format!("{title} {} belongs to {whose}", object.id),
                None if object.tags.contains_key(KEPT) => {
                    format!(
                        "{title} {} was kept when what it belonged to went (tag {KEPT}); a resource of the same name takes it \
                         back by itself where it is to be kept there too",
                        object.id
                    )
                }
                None => format!("{title} {} exists and does not carry our tags", object.id),
            };
            // The root's own id is what an import can take; a name that nobody's tags claim, an apply.
            let advice = if whose.is_some() {
                "Choose another name, or remove it where it is not needed.".to_owned()
            } else if self.root_key().as_ref() == Some(&key) {
                let adopt = if self.engine.adopts_whole && !is_owned(object) {
                    ", or set `adopt = true`"
                } else {
                    ""
                };
                format!(
                    "To manage it here: terraform import ADDRESS {}{adopt}. Or remove or rename it.",
                    object.id
                )
            } else if self.named(kind, object).is_some() && !is_owned(object) {
                "Where nobody needs it otherwise, set `adopt = true` to take it over as it is; it is then destroyed with the \
                 rest. Or remove it, or choose another name."
                    .to_owned()
            } else {
                "Remove or rename it.".to_owned()
            };
            let failure = Failure::new(Class::Exists, looking_at(&key), cause)
                .code("EKB1304")
                .hint(format!("It is not touched. {advice}"));
            foreign.insert(key, failure);
        }
        foreign
    }

    /// What to say of a part that no object stands for.
    fn unclaimed(&self, key: &Key, foreign: Option<&Failure>) -> Seen {
        if let Some(failure) = foreign {
            return Seen::Foreign(failure.clone());
        }
        let blind = match self.kind_of(key) {
            Some(kind) if self.answers.contains_key(kind) => None,
            Some(kind) => self.blind.get(kind),
            None => self.blind.values().next(),
        };
        blind.map_or(Seen::Absent, |failure| Seen::Unseen(failure.clone()))
    }

    /// The fields with part keys in place of ids. Only fields in which declared parts of the kind refer to others are
    /// touched, since a name may be an id and a plain text elsewhere; all where none is declared.
    pub(crate) fn keyed(
        &self,
        kind: &str,
        part: Option<&Node>,
        fields: &Value,
        replaced: &dyn Fn(&Key) -> bool,
    ) -> Value {
        let referring: Vec<&BTreeSet<String>> = self
            .graphs
            .iter()
            .filter_map(|graph| graph.referring(kind))
            .collect();
        let Some(map) = fields.as_object() else {
            return fields.clone();
        };
        let replaced_fields = map.iter().map(|(field, value)| {
            let is_plain = !referring.is_empty() && !referring.iter().any(|fields| fields.contains(field));
            if field == "tags" || is_plain {
                return (field.clone(), value.clone());
            }
            // The parts that this field refers to go first: the name of another kind's object may be the same.
            let own = part
                .and_then(|part| part.referring.get(field))
                .into_iter()
                .flatten();
            let own = own.filter_map(|key| match self.picture.parts.get(key) {
                Some(Seen::Found(found)) if !replaced(key) => Some(found),
                _ => None,
            });
            let first = names_of(own);
            let name = |text: &str| {
                let all = || self.picture.names.get(text).and_then(BTreeSet::last);
                let key = first.get(text).or_else(all);
                key.filter(|key| !replaced(key))
            };
            (field.clone(), replace(value, &name))
        });
        Value::Object(replaced_fields.collect())
    }
}

/// Whether the object can become the part without being made anew: others may rely on what they built. Fields that refer
/// to parts are left out: they are why it was looked at.
fn can_stay(part: &Node, object: &Object) -> bool {
    let fields = part.fields.as_object().into_iter().flatten();
    let mut fixed = fields.filter(|(field, _)| {
        part.remedy(field) == Remedy::Replace
            && part.rule(field) != FieldRule::NotCompared
            && !part.referring.contains_key(*field)
    });
    fixed.all(|(field, value)| object.fields.get(field).unwrap_or(&Value::Null) == value)
}

/// What is done when a part is looked at, in words.
pub(crate) fn looking_at(key: &Key) -> String {
    format!("looking at {key}")
}

/// Whether tags of ownership say anything of whose it is. What was kept is nobody's.
pub(crate) fn is_owned(object: &Object) -> bool {
    let mut names = object.tags.keys();
    names.any(|name| name.starts_with(PREFIX) && name != KEPT)
}

/// What a part that was found invented beside its id.
fn output_of(claims: &BTreeMap<Key, Vec<Found>>, named: &Ref) -> Option<Value> {
    let found = claims.get(&named.key)?.first()?;
    match named.output.as_deref()? {
        "arn" => found.object.arn.clone().map(Value::String),
        name => found.object.outputs.get(name).cloned(),
    }
}

/// The keys of parts by id and by ARN.
fn names_of<'a>(found: impl Iterator<Item = &'a Found>) -> BTreeMap<String, Key> {
    let mut names = BTreeMap::new();
    for found in found {
        names.insert(found.object.id.clone(), found.key.clone());
        if let Some(arn) = &found.object.arn {
            names.insert(arn.clone(), found.key.clone());
        }
    }
    names
}

fn replace<'a>(value: &Value, key: &impl Fn(&str) -> Option<&'a Key>) -> Value {
    match value {
        Value::String(text) => key(text).map_or_else(|| value.clone(), |key| Value::String(key.0.clone())),
        Value::Array(list) => Value::Array(list.iter().map(|value| replace(value, key)).collect()),
        Value::Object(map) => Value::Object(map.iter().map(|(k, v)| (k.clone(), replace(v, key))).collect()),
        other => other.clone(),
    }
}
