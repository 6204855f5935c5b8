//! What a resource should be: parts and the edges between them. Pure data, built at plan without any client.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use framework::Attr;
use indexmap::IndexMap;
use serde_json::Value;

use crate::failure::{Class, Failure};
use crate::part::{FieldRule, Key, Need, Part, Ref, Remedy, Tags};
use crate::reference;
use crate::shared_tags::{IgnoredTags, SharedTags};

/// Most characters of a part's key: it is the value of a tag.
const KEY_LENGTH: usize = 256;

/// Parts that belong together, with the edges that follow from their [`Ref`]s.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    parts: IndexMap<Key, Arc<Node>>,
    /// By kind the fields in which any part of it refers to others.
    referring: BTreeMap<&'static str, BTreeSet<String>>,
    root: Option<Key>,
    /// Beginnings of keys of which it is not known yet which parts there are.
    open: BTreeSet<String>,
    /// Parts whose objects stay when they are no longer declared, with the reason.
    kept: BTreeMap<Key, String>,
    /// Parts that take over what has their fixed name and is nobody's.
    taking_over: BTreeSet<Key>,
    faults: Vec<Failure>,
}

/// What is not known yet of a part's fields, at plan: collected while the part is built, with placeholders in their place.
///
/// ```
/// # use framework::Attr;
/// # use reconcile::graph::{Graph, Unknowns};
/// # #[derive(Debug, Clone, serde::Serialize)]
/// # struct LogGroup { name: String, retention_days: i64 }
/// # impl reconcile::part::Part for LogGroup { const KIND: &'static str = "log_group"; }
/// # let (mut graph, days) = (Graph::new(), Attr::Unknown);
/// let mut unknown = Unknowns::default();
/// let group = LogGroup { name: "logs".into(), retention_days: unknown.take("retention_days", &days, 14) };
/// graph.part_with("log_group", group, unknown);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Unknowns(BTreeSet<String>);

impl Unknowns {
    /// The value; where it is null or not known the placeholder, and where it is not known it is noted under the field (a
    /// JSON pointer without the slash at its beginning: `bucket`, `tags/Name`).
    pub fn take<T: Clone>(&mut self, field: &str, value: &Attr<T>, placeholder: T) -> T {
        match value {
            Attr::Known(value) => return value.clone(),
            Attr::Null => {}
            Attr::Unknown => self.note(field),
        }
        placeholder
    }

    /// Whether the field was noted as not known.
    pub fn has(&self, field: &str) -> bool {
        self.0.contains(field)
    }

    /// Notes that the field is not known.
    pub fn note(&mut self, field: &str) {
        self.0.insert(field.to_owned());
    }
}

/// A part of a graph as others refer to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handle(Key);

impl Handle {
    /// The part's key.
    pub fn key(&self) -> &Key {
        &self.0
    }

    /// A reference that needs the part to have an id.
    pub fn made(&self) -> Ref {
        Ref {
            key: self.0.clone(),
            need: Need::Made,
            output: None,
        }
    }

    /// A reference that needs the part to be usable.
    pub fn ready(&self) -> Ref {
        Ref {
            key: self.0.clone(),
            need: Need::Ready,
            output: None,
        }
    }
}

/// A declared part.
#[derive(Clone)]
pub(crate) struct Node {
    pub key: Key,
    pub kind: &'static str,
    /// The typed part, for its kind.
    pub part: Arc<dyn Any + Send + Sync>,
    /// Its fields with references as plain keys and outputs by name: comparable with what is observed.
    pub fields: Value,
    /// Its fields with references marked as such, for putting ids in their place.
    marked: Value,
    /// What it needs, and how far along.
    pub needs: BTreeMap<Key, Need>,
    /// The same for making it: without what may come later.
    pub first_needs: BTreeMap<Key, Need>,
    /// The parts referred to, by top-level field.
    pub referring: BTreeMap<String, BTreeSet<Key>>,
    /// What of others stands in its fields beside ids alone: outputs, and ids within texts.
    pub takes: Vec<Ref>,
    /// What of the fields is not known yet, as JSON pointers without the slash at their beginning.
    unknown: BTreeSet<String>,
    /// The tags of its own among those in the fields.
    own_tags: Tags,
    /// The tags that it carries beside its own.
    pub shared: Arc<SharedTags>,
    is_later: fn(&str) -> bool,
    /// [`Part::is_free_form`].
    pub is_free_form: bool,
    rule: fn(&str) -> FieldRule,
    mends: Arc<Mends>,
}

/// [`Part::mends`] of a part.
type Mends = dyn Fn(&str, Option<(&Value, &Value)>) -> Remedy + Send + Sync;

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("key", &self.key)
            .field("kind", &self.kind)
            .field("fields", &self.fields)
            .finish()
    }
}

impl Node {
    /// How the field is compared. Tags are always compared by entry: others put tags on our objects too.
    pub fn rule(&self, field: &str) -> FieldRule {
        if field == "tags" {
            FieldRule::OwnEntries
        } else {
            (self.rule)(field)
        }
    }

    /// The fields that cannot be read and are compared with what was applied.
    pub fn unreadable(&self) -> impl Iterator<Item = &String> {
        let fields = self.fields.as_object().into_iter().flatten();
        fields
            .map(|(field, _)| field)
            .filter(|field| self.rule(field) == FieldRule::AsApplied)
    }

    pub fn remedy(&self, field: &str) -> Remedy {
        if field == "tags" {
            Remedy::Update
        } else {
            (self.mends)(field, None)
        }
    }

    /// What mends this difference.
    pub fn change(&self, field: &str, is: &Value, should: &Value) -> Remedy {
        if field == "tags" {
            Remedy::Update
        } else {
            (self.mends)(field, Some((is, should)))
        }
    }

    /// Whether something of the field is not known yet.
    pub fn is_unknown(&self, field: &str) -> bool {
        self.unknown_fields().any(|unknown| unknown == field)
    }

    /// The fields of which something is not known yet.
    pub fn unknown_fields(&self) -> impl Iterator<Item = &str> {
        let top =
            |place: &'_ String| place.len() - place.split_once('/').map_or(0, |(_, rest)| rest.len() + 1);
        self.unknown.iter().map(move |place| &place[..top(place)])
    }

    /// Whether the tag is one of the part's own. What the user gave is never shown: it may be sensitive.
    pub fn is_own_tag(&self, key: &str) -> bool {
        self.own_tags.contains_key(key)
    }

    /// What is shown of fields: all but the user's tags, and without nulls.
    pub fn shown(&self, fields: &Value) -> Value {
        let mut shown = without_nulls(fields);
        if let Some(tags) = shown.get_mut("tags").and_then(Value::as_object_mut) {
            tags.retain(|key, _| self.is_own_tag(key));
        }
        shown
    }

    /// What is shown of the part; `None` while some of it is not known.
    fn shown_if_known(&self) -> Option<Value> {
        let is_shown = |place: &String| match place.strip_prefix("tags/") {
            Some(key) => self.is_own_tag(&unescaped(key)),
            None => true,
        };
        (!self.unknown.iter().any(is_shown)).then(|| self.shown(&self.fields))
    }

    /// Adds the shared tags to its own.
    fn share(&mut self, shared: &Arc<SharedTags>, unknown: &Attr<BTreeSet<String>>) {
        let Some(Value::Object(tags)) = self.fields.get("tags") else {
            return;
        };
        let own: Tags = tags
            .iter()
            .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
            .collect();
        let all = serde_json::json!(shared.with(&own));
        match unknown {
            // Even the name may be another.
            Attr::Unknown => {
                self.unknown.insert("tags".to_owned());
            }
            Attr::Known(keys) => {
                let replacing = keys.iter().filter(|key| shared.replaces(key, &own));
                self.unknown
                    .extend(replacing.map(|key| format!("tags/{}", escaped(key))));
            }
            Attr::Null => {}
        }
        self.own_tags = own
            .into_iter()
            .filter(|(key, _)| !shared.ignored.contains(key))
            .filter(|(key, _)| key != "Name" || !shared.tags.contains_key(key))
            .collect();
        self.fields["tags"] = all.clone();
        self.marked["tags"] = all;
        self.shared = Arc::clone(shared);
    }

    /// The places (JSON pointers) at which it refers to that part.
    pub fn places_of(&self, key: &Key) -> Vec<String> {
        fn walk(value: &Value, at: &str, key: &Key, places: &mut Vec<String>) {
            match value {
                Value::String(text) if reference::alone(text).is_some_and(|named| named.key == *key) => {
                    places.push(at.to_owned())
                }
                Value::Object(map) => map.iter().for_each(|(name, value)| {
                    walk(value, &format!("{at}/{}", escaped(name)), key, places);
                }),
                Value::Array(list) => {
                    list.iter()
                        .enumerate()
                        .for_each(|(index, value)| walk(value, &format!("{at}/{index}"), key, places));
                }
                _ => {}
            }
        }
        let mut places = Vec::new();
        walk(&self.marked, "", key, &mut places);
        places
    }

    /// Its fields with what stands for references; what is not known keeps its name.
    pub fn resolved(&self, of: &dyn Fn(&Ref) -> Option<Value>) -> Value {
        reference::fill(&self.marked, of)
    }

    /// What of it the creating call says for certain: without what may come later.
    pub fn first(&self, mut fields: Value) -> Value {
        if let Some(fields) = fields.as_object_mut() {
            fields.retain(|field, _| !(self.is_later)(field));
        }
        fields
    }

    /// Fields as they are, with the outputs by name that stand where they are declared.
    pub fn name_outputs(&self, is: &Value, of: &dyn Fn(&Ref) -> Option<Value>) -> Value {
        if self.takes.is_empty() {
            is.clone()
        } else {
            reference::name_outputs(&self.marked, is, of)
        }
    }
}

impl Graph {
    /// An empty graph.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a part. The first is the root unless [`Graph::root`] names another.
    ///
    /// Mistakes (a key that is taken, a part that does not serialise) are told by [`Graph::check`].
    pub fn part<P: Part>(&mut self, key: impl Into<Key>, part: P) -> Handle {
        self.part_with(key, part, Unknowns::default())
    }

    /// Adds a part of which not everything is known yet.
    pub fn part_with<P: Part>(&mut self, key: impl Into<Key>, part: P, unknown: Unknowns) -> Handle {
        let key = key.into();
        let handle = Handle(key.clone());
        let marked = match serde_json::to_value(&part) {
            Ok(value @ Value::Object(_)) => value,
            Ok(other) => {
                return self.fault(
                    handle,
                    format!("it does not serialise as an object but as {other}"),
                );
            }
            Err(error) => return self.fault(handle, format!("it does not serialise: {error}")),
        };
        if self.parts.contains_key(&key) {
            return self.fault(handle, "its key is declared twice".to_owned());
        }
        if key.0.is_empty() || key.0.chars().count() > KEY_LENGTH {
            return self.fault(
                handle,
                format!("its key does not have 1 to {KEY_LENGTH} characters"),
            );
        }
        let (mut needs, mut first_needs) = (BTreeMap::new(), BTreeMap::new());
        let mut referring = BTreeMap::<String, BTreeSet<Key>>::new();
        let mut takes = Vec::new();
        for (field, value) in marked.as_object().into_iter().flatten() {
            for (named, is_alone) in reference::references(value) {
                let need = |needs: &mut BTreeMap<Key, Need>| {
                    let needed = needs.entry(named.key.clone()).or_insert(named.need);
                    *needed = named.need.max(*needed);
                };
                need(&mut needs);
                if !P::is_later(field) {
                    need(&mut first_needs);
                }
                referring
                    .entry(field.clone())
                    .or_default()
                    .insert(named.key.clone());
                if (named.output.is_some() || !is_alone) && !takes.contains(&named) {
                    takes.push(named);
                }
            }
        }
        let fields = reference::named(&marked);
        self.referring
            .entry(part.kind())
            .or_default()
            .extend(referring.keys().cloned());
        let own_tags = fields
            .get("tags")
            .and_then(Value::as_object)
            .into_iter()
            .flatten();
        let own_tags = own_tags.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
        let kind = part.kind();
        let part = Arc::new(part);
        let mending = Arc::clone(&part);
        let declared = Node {
            own_tags: own_tags.collect(),
            unknown: unknown.0,
            shared: Arc::default(),
            key: key.clone(),
            kind,
            part,
            fields,
            marked,
            needs,
            first_needs,
            is_later: P::is_later,
            is_free_form: P::is_free_form(),
            referring,
            takes,
            rule: P::rule,
            mends: Arc::new(move |field, values| mending.mends(field, values)),
        };
        self.root.get_or_insert_with(|| key.clone());
        self.parts.insert(key, Arc::new(declared));
        handle
    }

    fn fault(&mut self, handle: Handle, cause: String) -> Handle {
        self.faults.push(defect(&handle.0, cause));
        handle
    }

    /// Says that it is not known yet which parts there are whose keys begin so: some may come, and those that are there
    /// may go. What is declared all the same is there.
    pub fn open(&mut self, beginning: &str) {
        self.open.insert(beginning.to_owned());
    }

    /// Says that the object of this part stays when the part is no longer declared, or all is destroyed: it loses the
    /// tags of ownership, and only one says who let it go (`ekb:kept`). A later graph of the same owner that keeps the part
    /// too takes it back; any other one where it may adopt. A part that is replaced is deleted all the same.
    pub fn keep(&mut self, key: impl Into<Key>, reason: impl Into<String>) {
        self.kept.insert(key.into(), reason.into());
    }

    /// Says that this part takes over what has its fixed name and carries nobody's tags, without the user's `adopt`: what a
    /// service makes by itself under a name that it prescribes.
    pub fn take_over(&mut self, key: impl Into<Key>) {
        self.taking_over.insert(key.into());
    }

    /// Whether the part takes over what has its fixed name.
    pub(crate) fn takes_over(&self, key: &Key) -> bool {
        self.taking_over.contains(key)
    }

    /// The parts that are kept, with the reason.
    pub(crate) fn kept(&self) -> &BTreeMap<Key, String> {
        &self.kept
    }

    /// Whether a part of this key may come or stay though it is not declared.
    pub fn is_open_at(&self, key: &Key) -> bool {
        self.open.iter().any(|open| key.0.starts_with(open))
    }

    /// Whether parts may come or stay whose keys begin so, though they are not declared.
    pub(crate) fn is_open_below(&self, beginning: &str) -> bool {
        self.open
            .iter()
            .any(|open| open.starts_with(beginning) || beginning.starts_with(open))
    }

    /// Gives all parts that have tags these beside their own. Null ones are none; unknown ones are known later.
    pub fn share_tags(&mut self, tags: &Attr<BTreeMap<String, Attr<String>>>, ignored: &IgnoredTags) {
        let tags = tags.as_ref().map(|tags| {
            let left = |(key, value): &(&String, &Attr<String>)| !value.is_null() && !ignored.contains(key);
            tags.iter().filter(left).collect::<BTreeMap<_, _>>()
        });
        let unknown = tags.as_ref().map(|tags| {
            let unknown = tags.iter().filter(|(_, value)| value.is_unknown());
            unknown.map(|(key, _)| (*key).clone()).collect()
        });
        let tags = tags.into_known().unwrap_or_default();
        let shared = Arc::new(SharedTags {
            tags: tags
                .into_iter()
                .map(|(key, value)| (key.clone(), value.clone().unwrap_or_default()))
                .collect(),
            ignored: ignored.clone(),
        });
        for part in self.parts.values_mut() {
            Arc::make_mut(part).share(&shared, &unknown);
        }
    }

    /// Makes this part the root: it carries the tags that say whose the whole is and how far it has come.
    pub fn root(&mut self, part: &Handle) {
        self.root = Some(part.0.clone());
    }

    /// The key of the root; none where the graph is empty.
    pub fn root_key(&self) -> Option<&Key> {
        self.root.as_ref()
    }

    /// The keys of all parts, in the order of their declaration.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.parts.keys()
    }

    /// The kind of each part.
    pub fn kinds(&self) -> BTreeMap<Key, String> {
        self.parts
            .values()
            .map(|part| (part.key.clone(), part.kind.to_owned()))
            .collect()
    }

    /// What shall be: per part the fields that we own, references as keys, without nulls and the user's tags.
    pub fn objects(&self) -> BTreeMap<Key, Value> {
        self.parts
            .values()
            .map(|part| (part.key.clone(), part.shown(&part.fields)))
            .collect()
    }

    /// The same as a plan shows it: texts, unknown where some of it is not known yet.
    pub fn shown(&self) -> Attr<BTreeMap<String, Attr<String>>> {
        if !self.open.is_empty() {
            return Attr::Unknown;
        }
        let shown = |part: &Arc<Node>| match part.shown_if_known() {
            Some(fields) => Attr::Known(fields.to_string()),
            None => Attr::Unknown,
        };
        let parts = self.parts.values();
        Attr::Known(parts.map(|part| (part.key.0.clone(), shown(part))).collect())
    }

    /// Whether everything is known, as acting on it needs.
    ///
    /// # Errors
    /// A defect of the provider for each part that is not wholly known.
    pub(crate) fn check_known(&self) -> Result<(), Vec<Failure>> {
        let unknown = self.parts.values().filter_map(|part| {
            let places: Vec<&str> = part.unknown.iter().map(String::as_str).collect();
            (!places.is_empty())
                .then(|| defect(&part.key, format!("it is not known yet: {}", places.join(", "))))
        });
        let open = self.open.iter().map(|open| {
            defect(
                &Key::from(format!("{open}*")),
                "it is not known yet which there are".to_owned(),
            )
        });
        let faults: Vec<Failure> = unknown.chain(open).collect();
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    /// Whether the graph is sound.
    ///
    /// # Errors
    /// Keys declared twice or too long, references to parts that are not declared, cycles: defects of the provider.
    pub fn check(&self) -> Result<(), Vec<Failure>> {
        let mut faults = self.faults.clone();
        for part in self.parts.values() {
            for needed in part
                .needs
                .keys()
                .filter(|needed| !self.parts.contains_key(*needed))
            {
                faults.push(defect(
                    &part.key,
                    format!("it refers to {needed}, which is not declared"),
                ));
            }
        }
        // Kahn's algorithm: what is left when nothing more can be taken lies on a cycle or behind one.
        let mut left: BTreeMap<&Key, &Arc<Node>> = self.parts.iter().collect();
        loop {
            let free: Vec<&Key> = left
                .iter()
                .filter(|(_, part)| !part.needs.keys().any(|needed| left.contains_key(needed)))
                .map(|(key, _)| *key)
                .collect();
            if free.is_empty() {
                break;
            }
            for key in free {
                left.remove(key);
            }
        }
        if let Some(key) = left.keys().next() {
            let names: Vec<&str> = left.keys().map(|key| key.0.as_str()).collect();
            faults.push(defect(
                key,
                format!("parts need each other in a circle, among: {}", names.join(", ")),
            ));
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    /// The fields in which parts of the kind refer to others; none where no part of the kind is declared.
    pub(crate) fn referring(&self, kind: &str) -> Option<&BTreeSet<String>> {
        self.referring.get(kind)
    }

    /// How many parts need this one, directly or not.
    pub(crate) fn behind(&self, key: &Key) -> usize {
        let mut behind = BTreeSet::from([key]);
        loop {
            let before = behind.len();
            let needing = self
                .parts
                .values()
                .filter(|part| part.needs.keys().any(|needed| behind.contains(needed)));
            let needing: Vec<&Key> = needing.map(|part| &part.key).collect();
            behind.extend(needing);
            if behind.len() == before {
                return before - 1;
            }
        }
    }

    pub(crate) fn get(&self, key: &Key) -> Option<&Arc<Node>> {
        self.parts.get(key)
    }

    /// The fields of a part, references as its users see them: keys.
    pub fn fields(&self, key: &Key) -> Option<&Value> {
        self.get(key).map(|part| &part.fields)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Node>> {
        self.parts.values()
    }
}

/// A key as a step of a JSON pointer.
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn unescaped(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
}

fn defect(key: &Key, cause: String) -> Failure {
    Failure::new(Class::Other, format!("declaring {key}"), cause)
        .code("EKB1201")
        .hint("This is a defect of the provider: please report it.")
}

/// The value without members that are null: absent and null are the same to us.
pub fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.iter()
                .filter(|(_, v)| !v.is_null())
                .map(|(k, v)| (k.clone(), without_nulls(v)))
                .collect(),
        ),
        Value::Array(list) => Value::Array(list.iter().map(without_nulls).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde::Serialize;
    use serde_json::json;

    use super::*;
    use crate::part::key;

    #[derive(Debug, Clone, Serialize)]
    struct Routes {
        vpc: Ref,
        routes: BTreeMap<String, Ref>,
        note: Option<String>,
    }

    impl Part for Routes {
        const KIND: &'static str = "routes";
    }

    #[derive(Debug, Clone, Serialize)]
    struct Simple {}

    impl Part for Simple {
        const KIND: &'static str = "simple";
    }

    fn routes(vpc: Ref, nat: Ref) -> Routes {
        Routes {
            vpc,
            routes: BTreeMap::from([("0.0.0.0/0".to_owned(), nat)]),
            note: None,
        }
    }

    #[test]
    fn references_become_edges_and_plain_keys() {
        let mut graph = Graph::new();
        let vpc = graph.part("vpc", Simple {});
        let nat = graph.part(key("nat", "a"), Simple {});
        graph.part("routes", routes(vpc.made(), nat.ready()));
        graph.check().unwrap();
        assert_eq!(graph.root_key(), Some(&Key::from("vpc")));
        assert_eq!(
            graph.objects()[&Key::from("routes")],
            json!({"vpc": "vpc", "routes": {"0.0.0.0/0": "nat/a"}}),
            "what a plan shows"
        );
        let part = graph.get(&Key::from("routes")).unwrap();
        let needs = BTreeMap::from([(Key::from("vpc"), Need::Made), (Key::from("nat/a"), Need::Ready)]);
        assert_eq!(part.needs, needs);
        let id = |named: &Ref| (named.key.0 == "vpc").then(|| json!("vpc-1"));
        assert_eq!(part.resolved(&id)["vpc"], "vpc-1");
    }

    #[test]
    fn mistakes_are_told() {
        let mut graph = Graph::new();
        graph.part("a", Simple {});
        graph.part("a", Simple {});
        graph.part(
            "b",
            routes(Handle("nowhere".into()).made(), Handle("c".into()).made()),
        );
        graph.part("c", routes(Handle("b".into()).made(), Handle("a".into()).made()));
        graph.part("x".repeat(257), Simple {});
        let text: Vec<String> = graph
            .check()
            .unwrap_err()
            .iter()
            .map(|fault| fault.cause.clone())
            .collect();
        let text = text.join("\n");
        assert!(text.contains("declared twice"), "{text}");
        assert!(text.contains("nowhere, which is not declared"), "{text}");
        assert!(text.contains("in a circle, among: b, c"), "{text}");
        assert!(text.contains("256 characters"), "{text}");
    }
}
