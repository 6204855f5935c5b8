//! The kinds of parts that an engine knows, without their types.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use crate::failure::{Class, Failure};
use crate::graph::Node;
use crate::part::{Ask, Call, Deleted, Difference, Idempotence, Kind, KindTraits, Loss, Made, Object, Tags};

/// The kinds of parts that an engine knows. Cheap to clone.
#[derive(Clone, Default)]
pub struct Kinds {
    listed: BTreeMap<&'static str, Arc<dyn AnyKind>>,
    families: Vec<Family>,
    /// Those of the families that a graph or a state has named so far.
    named: Arc<Mutex<BTreeMap<&'static str, Arc<dyn AnyKind>>>>,
}

/// Makes the kind of a name, where it knows one.
type Family = Arc<dyn Fn(&str) -> Option<Arc<dyn AnyKind>> + Send + Sync>;

impl Kinds {
    /// No kinds.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with this kind.
    #[must_use]
    pub fn with<K: Kind>(mut self, kind: K) -> Self {
        let traits = kind.traits();
        self.listed.insert(traits.kind, Arc::new(Erased { kind, traits }));
        self
    }

    /// The same with kinds that are named at run time, by the parts of a graph or by a state (types of Kubernetes objects):
    /// only those that are named are looked at. `of` says which kind has a name, which is that kind's own.
    #[must_use]
    pub fn family<K: Kind>(mut self, of: impl Fn(&str) -> Option<K> + Send + Sync + 'static) -> Self {
        let erased = move |name: &str| {
            let kind = of(name)?;
            let traits = kind.traits();
            Some(Arc::new(Erased { kind, traits }) as Arc<dyn AnyKind>)
        };
        self.families.push(Arc::new(erased));
        self
    }

    /// The same with those kinds.
    #[must_use]
    pub fn and(mut self, others: Kinds) -> Self {
        self.listed.extend(others.listed);
        self.families.extend(others.families);
        self
    }

    /// Only those of these names.
    #[must_use]
    pub fn only(&self, names: &[&str]) -> Self {
        let named = names.iter().filter_map(|name| self.get(name));
        Self::of(named)
    }

    /// Those of these kinds whose objects have fixed names in the account, and not only in what they lie in.
    pub(crate) fn named(&self, of: &BTreeSet<&str>) -> Self {
        let is_named = |kind: &Arc<dyn AnyKind>| {
            // Whose something without tags is, hangs on what it lies in.
            let is_somewhere = kind.parent().is_some() || !kind.carries_tags();
            kind.traits().idempotence == Idempotence::NaturalKey && !is_somewhere
        };
        Self::of(of.iter().filter_map(|name| self.get(name)).filter(is_named))
    }

    fn of(kinds: impl Iterator<Item = Arc<dyn AnyKind>>) -> Self {
        Self {
            listed: kinds.map(|kind| (kind.traits().kind, kind)).collect(),
            ..Self::default()
        }
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.listed.is_empty() && self.families.is_empty()
    }

    /// The constant facts of every kind, for the IAM policy and the documentation.
    pub fn traits(&self) -> impl Iterator<Item = &KindTraits> {
        self.listed.values().map(|kind| kind.traits())
    }

    /// Of families those that were named.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, Arc<dyn AnyKind>)> {
        let named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        let all: BTreeMap<_, _> = named.iter().chain(&self.listed).collect();
        let all: Vec<_> = all
            .into_iter()
            .map(|(name, kind)| (*name, Arc::clone(kind)))
            .collect();
        all.into_iter()
    }

    /// The kind that is looked at before this one.
    pub(crate) fn parent(&self, name: &str) -> Option<&'static str> {
        self.name(self.get(name)?.parent()?)
    }

    /// The name as the kind has it, where there is such a kind.
    pub(crate) fn name(&self, name: &str) -> Option<&'static str> {
        self.get(name).map(|kind| kind.traits().kind)
    }

    pub(crate) fn get(&self, name: &str) -> Option<Arc<dyn AnyKind>> {
        if let Some(kind) = self.listed.get(name) {
            return Some(Arc::clone(kind));
        }
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kind) = named.get(name) {
            return Some(Arc::clone(kind));
        }
        let kind = self.families.iter().find_map(|family| family(name))?;
        named.insert(kind.traits().kind, Arc::clone(&kind));
        Some(kind)
    }
}

/// [`Kind`] without the type of its part.
#[async_trait]
pub(crate) trait AnyKind: Send + Sync {
    fn traits(&self) -> &KindTraits;
    fn stands_for(&self, declared: &Value, object: &Object) -> bool;
    fn excludes(&self, declared: &Value, object: &Object) -> bool;
    fn lock(&self, fields: &Value) -> Option<String>;
    fn loss(&self) -> Loss;
    fn carries_tags(&self) -> bool;
    fn parent(&self) -> Option<&'static str>;
    fn ends_with_parent(&self) -> bool;
    fn only_where_meant(&self) -> bool;
    async fn observe(&self, ask: &Ask) -> Result<Vec<Object>, Failure>;
    async fn outlook(&self, object: &Object, waited: Duration) -> Result<(), Failure>;
    async fn held_up_by(&self, object: &Object, waited: Duration) -> Option<String>;
    async fn in_the_way(&self, object: &Object, going: &[&Object], ours: &[&Object]) -> Result<(), Failure>;
    async fn create(&self, part: &Node, call: &Call) -> Result<Made, Failure>;
    async fn update(&self, part: &Node, is: &Object, what: &[Difference], call: &Call)
    -> Result<(), Failure>;
    async fn tag(&self, id: &str, set: &Tags, remove: &[String]) -> Result<(), Failure>;
    async fn delete(&self, object: &Object, call: &Call) -> Result<Deleted, Failure>;
}

struct Erased<K> {
    kind: K,
    traits: KindTraits,
}

impl<K: Kind> Erased<K> {
    fn typed<'a>(&self, part: &'a Node) -> Result<&'a K::Part, Failure> {
        part.part.downcast_ref().ok_or_else(|| {
            let cause = format!(
                "two types of parts share the kind {} (a defect of the provider)",
                part.kind
            );
            Failure::new(Class::Other, format!("making {}", part.key), cause)
        })
    }
}

#[async_trait]
impl<K: Kind> AnyKind for Erased<K> {
    fn traits(&self) -> &KindTraits {
        &self.traits
    }

    fn stands_for(&self, declared: &Value, object: &Object) -> bool {
        self.kind.stands_for(declared, object)
    }

    fn excludes(&self, declared: &Value, object: &Object) -> bool {
        self.kind.excludes(declared, object)
    }

    fn lock(&self, fields: &Value) -> Option<String> {
        self.kind.lock(fields)
    }

    fn loss(&self) -> Loss {
        self.kind.loss()
    }

    fn carries_tags(&self) -> bool {
        self.kind.carries_tags()
    }

    fn parent(&self) -> Option<&'static str> {
        self.kind.parent()
    }

    fn ends_with_parent(&self) -> bool {
        self.kind.ends_with_parent()
    }

    fn only_where_meant(&self) -> bool {
        self.kind.only_where_meant()
    }

    async fn observe(&self, ask: &Ask) -> Result<Vec<Object>, Failure> {
        self.kind.observe(ask).await
    }

    async fn in_the_way(&self, object: &Object, going: &[&Object], ours: &[&Object]) -> Result<(), Failure> {
        self.kind.in_the_way(object, going, ours).await
    }

    async fn held_up_by(&self, object: &Object, waited: Duration) -> Option<String> {
        self.kind.held_up_by(object, waited).await
    }

    async fn outlook(&self, object: &Object, waited: Duration) -> Result<(), Failure> {
        self.kind.outlook(object, waited).await
    }

    async fn create(&self, part: &Node, call: &Call) -> Result<Made, Failure> {
        self.kind.create(self.typed(part)?, call).await
    }

    async fn update(
        &self,
        part: &Node,
        is: &Object,
        what: &[Difference],
        call: &Call,
    ) -> Result<(), Failure> {
        self.kind.update(self.typed(part)?, is, what, call).await
    }

    async fn tag(&self, id: &str, set: &Tags, remove: &[String]) -> Result<(), Failure> {
        self.kind.tag(id, set, remove).await
    }

    async fn delete(&self, object: &Object, call: &Call) -> Result<Deleted, Failure> {
        self.kind.delete(object, call).await
    }
}
