//! The words of the engine: parts, their kinds, and what is observed of them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use crate::failure::Failure;
use crate::reference;
use crate::shared_tags::SharedTags;

/// Derives [`Part`] from the struct: `#[part(kind = "subnet")]`, and on fields `#[part(replace)]`, `#[part(own_entries)]`, ….
pub use reconcile_derive::Part;

/// Tags of an object: key to value.
pub type Tags = BTreeMap<String, String>;

/// The name of a part within its owner, stable for ever: `vpc`, `nat_gateway/eu-central-1a`.
///
/// It is the value of the tag `ekb:part` (at most 256 characters).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key(pub String);

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<String> for Key {
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// The key `kind/position`.
pub fn key(kind: &str, position: impl fmt::Display) -> Key {
    Key(format!("{kind}/{position}"))
}

/// How far along a needed part has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Need {
    /// It has an id.
    Made,
    /// It is usable.
    Ready,
}

impl Need {
    /// The word under which a reference is written.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Made => "made",
            Self::Ready => "ready",
        }
    }

    pub(crate) fn of(word: &str) -> Self {
        if word == Self::Made.word() {
            Self::Made
        } else {
            Self::Ready
        }
    }
}

/// A field that stands for another part: an edge of the graph.
///
/// Alone it is the part's id. With [`Ref::output`] it is something else that the service invents, and can also stand inside
/// of a [`Text`] or a JSON document, in names of entries too: `format!("{}:sub", cluster.ready().output("oidc_issuer"))`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ref {
    /// The part meant.
    pub key: Key,
    /// How far along it has to be before the part that holds this reference is made or updated.
    pub need: Need,
    /// What of it is meant, by its name in [`Object::outputs`], or `arn`; none: its id.
    pub output: Option<String>,
}

impl Ref {
    /// The output of this name in place of the id.
    #[must_use]
    pub fn output(self, name: &str) -> Self {
        Self {
            output: Some(name.to_owned()),
            ..self
        }
    }

    /// The part's ARN in place of the id.
    #[must_use]
    pub fn arn(self) -> Self {
        self.output("arn")
    }
}

impl Serialize for Ref {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A text with outputs of other parts in it. A kind gets what stands there from [`Call::text`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize)]
pub struct Text(String);

impl<T: fmt::Display> From<T> for Text {
    fn from(text: T) -> Self {
        Self(text.to_string())
    }
}

/// A field that stands for another part, or for something made elsewhere that the user names by its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Target {
    /// A part of the same graph.
    Part(Ref),
    /// The id of something that is not ours.
    Id(String),
}

impl From<Ref> for Target {
    fn from(part: Ref) -> Self {
        Self::Part(part)
    }
}

/// Which entries of a field are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldRule {
    /// The whole value: what is not declared does not belong there.
    Exact,
    /// The whole value of a list whose order says nothing.
    Unordered,
    /// Of an object (map) or a list, only the entries that are declared, or were when last applied: foreign ones survive.
    OwnEntries,
    /// Given at creation and not readable afterwards: shown, never compared.
    NotCompared,
    /// Not readable: compared with what was last applied to this object, as the state says. The version of a secret is
    /// such a field: another one is a difference, and is remembered only once the creating call or an update with it
    /// succeeded. Of an object of which nothing is remembered (found again after a crash, adopted, imported) every value
    /// differs, so that the secret is sent again: what mends it must bear being repeated, and be [`Remedy::Update`]. The
    /// secret has to travel in the creating call itself, never in a second call of [`Kind::create`].
    AsApplied,
}

/// What mends a difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remedy {
    /// A call on the object as it is.
    Update,
    /// Delete and make again.
    Replace,
    /// Nothing that we would do: the plan ends with an error.
    Refuse(Refusal),
}

/// Why a change is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Why, for example `AWS EKS does not go back to an earlier version`.
    pub why: String,
    /// What the user can do.
    pub hint: String,
}

/// What a part should be: a plain struct whose serde fields are the fields that we own.
///
/// A secret is a field that serde skips, of type [`framework::Secret`], with its version beside it in a field compared by
/// [`FieldRule::AsApplied`]: the kind finds the secret in the typed part that [`Kind::create`] and [`Kind::update`] are
/// given, and fields, state, reports and logs know the version only.
///
/// A field `tags` (of type [`Tags`]) holds the tags that users see (`Name`, theirs, discovery tags); it is compared as
/// [`FieldRule::OwnEntries`] and mended by [`Kind::tag`], never by [`Kind::update`].
pub trait Part: Serialize + Clone + fmt::Debug + Send + Sync + 'static {
    /// The kind's name, for example `nat_gateway`.
    const KIND: &'static str;

    /// The kind of this very part, where one type serves kinds that are named at run time (objects of Kubernetes).
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    /// How the field is compared.
    fn rule(_field: &str) -> FieldRule {
        FieldRule::Exact
    }

    /// What mends a difference in the field, whatever the values; where they matter, what they call for at worst.
    fn remedy(_field: &str) -> Remedy {
        Remedy::Update
    }

    /// Whether the field is completed by [`Kind::update`] where what it refers to is not there yet when the part is made:
    /// then only the other fields hold up the creation (a route to a gateway that takes its time). [`Call::has`] tells
    /// [`Kind::create`] what is there. Never in the creating call itself, whose token does not know of it.
    fn is_later(_field: &str) -> bool {
        false
    }

    /// Whether its fields are no fixed list (a manifest): one that was applied and is declared no longer is taken away.
    fn is_free_form() -> bool {
        false
    }

    /// What mends this difference: where it depends on the values (a version that only goes up). References are part keys.
    fn change(field: &str, _is: &Value, _should: &Value) -> Remedy {
        Self::remedy(field)
    }

    /// The same for this very part; `values` is what is and what should be, where these are known.
    fn mends(&self, field: &str, values: Option<(&Value, &Value)>) -> Remedy {
        match values {
            Some((is, should)) => Self::change(field, is, should),
            None => Self::remedy(field),
        }
    }
}

/// How a creating call may be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Idempotence {
    /// It carries a client token ([`Call::token`]): the same call again gives the same object.
    Token,
    /// A name that exists once: a second call says that it exists.
    NaturalKey,
    /// Neither: after an unknown outcome only looking tells.
    None,
}

/// How long things take, in real time; the clock scales it.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Usual time from the creating call to usable; looks are sparse before it and dense around it.
    pub create: Duration,
    /// Usual time from the deleting call to gone.
    pub delete: Duration,
    /// Longest wait for either, where the resource's time-out allows more.
    pub limit: Duration,
}

/// Constant facts about a kind.
#[derive(Debug, Clone)]
pub struct KindTraits {
    /// The kind's name, equal to its part's [`Part::kind`].
    pub kind: &'static str,
    /// What users call it in messages, for example `NAT gateway`.
    pub title: &'static str,
    /// Among objects without known references, the lower is deleted first.
    pub deletion_order: u32,
    /// How a creating call may be repeated.
    pub idempotence: Idempotence,
    /// How long a new object may be missing from reads.
    pub invisible_for: Duration,
    /// How long things take.
    pub pace: Pace,
    /// IAM actions that [`Kind::observe`] needs.
    pub reads: &'static [&'static str],
    /// IAM actions that the other methods need.
    pub writes: &'static [&'static str],
}

/// The condition of an observed object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Usable.
    Settled,
    /// On its way to usable; the text is the service's word for it.
    Changing(String),
    /// There, and not yet of use: it can be changed, and what differs is mended first, since that may be what it needs (another
    /// image). Then it is waited for; the text says for what. No drift: it comes and goes without anybody's doing.
    Unready(String),
    /// Failed for good, with the service's reason: it is replaced.
    Failed(String),
    /// On its way to gone.
    Deleting,
    /// Gone, though the service still lists it (a deleted NAT gateway): counts as a predecessor, never as the part.
    Dead,
}

/// An object as it was observed.
#[derive(Debug, Clone)]
pub struct Object {
    /// The service's id, for example `nat-0123`; where the service has none, the name or ARN.
    pub id: String,
    /// Its ARN where it has one.
    pub arn: Option<String>,
    /// Its condition.
    pub condition: Condition,
    /// The fields of the kind's part as they are, with ids where the part has [`Ref`]s, and *all* tags but `ekb:*` in `tags`.
    pub fields: Value,
    /// All its tags, `ekb:*` among them. Empty where the kind carries none.
    pub tags: Tags,
    /// Ids of the objects it uses (a subnet's VPC; an interface's subnet and groups): they are deleted after it.
    pub references: Vec<String>,
    /// What the service invents beside the id and others need, by name (an address's public IP, an endpoint): for the
    /// attributes of the resource, and for the fields of other parts ([`Ref::output`]). It stays the same for as long as the
    /// object lives; what an update changes (a version) is for other parts alone.
    pub outputs: BTreeMap<String, Value>,
    /// What the kind wants to remember for update and delete (association ids, …). Never shown.
    pub detail: Value,
}

/// Who owns parts: the value of the ownership tags.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Owner {
    /// The environment, prefix of every name.
    pub environment: String,
    /// The region of the resource.
    pub region: String,
    /// Type and name: `network/main`.
    pub resource: String,
}

/// What [`Kind::observe`] is asked.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Names of resources whose things are this owner's too: those of earlier versions.
    pub formerly: Vec<String>,
    /// Objects whose tags name this owner (a `resource` that ends in `/*` means every name, for lists) …
    pub owner: Owner,
    /// … or whose ids are known from state, by part …
    pub known: BTreeMap<Key, String>,
    /// … or that the declared parts of this kind would be found by (fixed names), by part: the declared fields.
    pub declared: BTreeMap<Key, Value>,
    /// … or that lie in the root object (structural search for import and for things that carry no tag of ours).
    pub root: Option<String>,
    /// The objects of [`Kind::parent`] under which to look: at least one where the kind has a parent.
    pub parents: Vec<Arc<Object>>,
}

/// What a creating, changing or deleting call is given.
#[derive(Debug, Clone)]
pub struct Call {
    /// The part's key.
    pub key: Key,
    /// Who owns the part.
    pub owner: Owner,
    /// Ownership tags, to be put into the creating call beside the part's own `tags`.
    pub ownership: Tags,
    /// The tags that all parts carry beside their own, and what is left alone.
    pub shared: SharedTags,
    /// Client token, at most 64 ASCII characters.
    pub token: String,
    /// Ids of the parts that it refers to, as declared and in the differences that an update is to mend.
    pub ids: BTreeMap<Key, String>,
    /// Outputs that it refers to, by part.
    pub outputs: BTreeMap<Key, BTreeMap<String, Value>>,
}

impl Call {
    /// The id of the part that the reference names.
    ///
    /// # Errors
    /// Where that part is not made: an error in the graph.
    pub fn id(&self, part: &Ref) -> Result<&str, Failure> {
        self.ids
            .get(&part.key)
            .map(String::as_str)
            .ok_or_else(|| self.unresolved(part, "that part has no id yet"))
    }

    /// What the reference stands for, of whatever type.
    ///
    /// # Errors
    /// As for [`Call::id`].
    pub fn value(&self, part: &Ref) -> Result<Value, Failure> {
        self.known(part)
            .ok_or_else(|| self.unresolved(part, "that part does not say it yet"))
    }

    /// The text with what stands for its references.
    ///
    /// # Errors
    /// As for [`Call::id`].
    pub fn text(&self, text: &Text) -> Result<String, Failure> {
        match self.document(&Value::String(text.0.clone()))? {
            Value::String(text) => Ok(text),
            other => Ok(other.to_string()),
        }
    }

    /// The JSON document with what stands for its references.
    ///
    /// # Errors
    /// As for [`Call::id`].
    pub fn document(&self, document: &Value) -> Result<Value, Failure> {
        for (part, _) in reference::references(document) {
            self.value(&part)?;
        }
        Ok(reference::fill(document, &|part| self.known(part)))
    }

    pub(crate) fn known(&self, part: &Ref) -> Option<Value> {
        match &part.output {
            None => self.ids.get(&part.key).cloned().map(Value::String),
            Some(name) => self.outputs.get(&part.key)?.get(name).cloned(),
        }
    }

    fn unresolved(&self, part: &Ref, why: &str) -> Failure {
        let output = part.output.as_ref().map(|name| format!(".{name}"));
        let doing = format!(
            "resolving {}{} for {}",
            part.key,
            output.unwrap_or_default(),
            self.key
        );
        Failure::new(
            crate::failure::Class::Other,
            doing,
            format!("{why} (a defect of the provider)"),
        )
    }

    /// Whether what the reference names is as far as it has to be; only in fields that may come later it may not be.
    pub fn has(&self, part: &Ref) -> bool {
        self.known(part).is_some()
    }

    /// The id of what is meant.
    ///
    /// # Errors
    /// As for [`Call::id`].
    pub fn target<'a>(&'a self, target: &'a Target) -> Result<&'a str, Failure> {
        match target {
            Target::Part(part) => self.id(part),
            Target::Id(id) => Ok(id),
        }
    }

    /// All tags of a new object: its own, the shared ones, and those of ownership.
    pub fn tags(&self, own: &Tags) -> Tags {
        let mut all = self.shared.with(own);
        all.extend(self.ownership.clone());
        all
    }
}

/// The answer of a creating call.
#[derive(Debug, Clone)]
pub struct Made {
    /// The id of the new object.
    pub id: String,
    /// Its ARN, where the answer gives one.
    pub arn: Option<String>,
    /// Its condition as the answer gives it. `Settled` saves the engine a look, so it means: every declared field is as
    /// it should be. Where another call is needed (attributes, routes), say `Changing`: the engine then looks, and mends
    /// what differs by [`Kind::update`]. `Dead` (an old token) makes the engine call again with another token.
    pub condition: Condition,
    /// What the answer tells of [`Object::outputs`]; where others refer to more, the engine looks.
    pub outputs: BTreeMap<String, Value>,
}

impl Made {
    /// An object of this id and condition, of which the answer tells nothing else.
    pub fn new(id: impl Into<String>, condition: Condition) -> Self {
        Self {
            id: id.into(),
            arn: None,
            condition,
            outputs: BTreeMap::new(),
        }
    }

    /// An object that is all that it should be.
    pub fn settled(id: impl Into<String>) -> Self {
        Self::new(id, Condition::Settled)
    }

    /// An object on its way there.
    pub fn changing(id: impl Into<String>, word: impl Into<String>) -> Self {
        Self::new(id, Condition::Changing(word.into()))
    }

    /// The same with its ARN.
    #[must_use]
    pub fn arn(self, arn: Option<impl Into<String>>) -> Self {
        Self {
            arn: arn.map(Into::into),
            ..self
        }
    }

    /// The same with something else that the service invented.
    #[must_use]
    pub fn output(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.outputs.insert(name.to_owned(), value.into());
        self
    }
}

/// The answer of a deleting call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deleted {
    /// Gone.
    Gone,
    /// Begun; the engine looks until it is gone.
    Begun,
    /// Kept on purpose, for this reason: reported to the user.
    Kept(String),
    /// A final snapshot of this id was made and stays.
    FinalSnapshot(String),
    /// Gone, but for so long the service may make it again by itself, without our tags: it is looked for and deleted again.
    MayReturn(Duration),
}

/// What is lost for good when an object is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// Nothing: another one is as good.
    Nothing,
    /// Something that others may rely on, for example `its public address`: the plan says so.
    Thing(&'static str),
    /// Data, for example `its records`: refused unless the user allows it.
    Data(&'static str),
}

/// One field that is not what it should be.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The field, for example `routes`.
    pub field: String,
    /// As it is, references as part keys; of a field compared by [`FieldRule::OwnEntries`] only entries of ours, so an
    /// entry that is here and not in `should` is to be removed, and foreign ones are in neither.
    pub is: Value,
    /// As it should be, references as part keys ([`Call::ids`] has their ids).
    pub should: Value,
    /// What mends it.
    pub remedy: Remedy,
}

/// How parts of one kind are found, made, changed and deleted. Holds its client; is shared by all calls.
///
/// Every method makes one attempt: waiting, trying again, time-outs, concurrency and order are the engine's.
#[async_trait]
pub trait Kind: Send + Sync + 'static {
    /// The declaration of a part of this kind.
    type Part: Part;

    /// Constant facts.
    fn traits(&self) -> KindTraits;

    /// One batched look at everything of this kind that [`Ask`] names. An empty answer means absent.
    ///
    /// # Errors
    /// *Could not look*: never to be taken for absent.
    async fn observe(&self, ask: &Ask) -> Result<Vec<Object>, Failure>;

    /// Makes the part, with tags and client token in the creating call.
    ///
    /// # Errors
    /// The failure's class tells the engine what to do.
    async fn create(&self, part: &Self::Part, call: &Call) -> Result<Made, Failure>;

    /// Mends the differences (all of remedy `Update`, none of them `tags`). Of lists and maps of references only what the
    /// differences say: before a part is deleted, those who refer to it are changed not to, while the part as declared may
    /// refer to what is not made yet.
    ///
    /// # Errors
    /// As for [`Kind::create`].
    async fn update(
        &self,
        part: &Self::Part,
        is: &Object,
        differences: &[Difference],
        call: &Call,
    ) -> Result<(), Failure>;

    /// Sets and removes tags.
    ///
    /// # Errors
    /// As for [`Kind::create`].
    async fn tag(&self, id: &str, set: &Tags, remove: &[String]) -> Result<(), Failure>;

    /// Deletes the object, whether or not a part is declared for it.
    ///
    /// # Errors
    /// As for [`Kind::create`]; `NotFound` counts as gone.
    async fn delete(&self, object: &Object, call: &Call) -> Result<Deleted, Failure>;

    /// Asked before a run that deletes objects changes anything: what of others will keep this object, or another of `going`
    /// (all that the run deletes), from being deleted. `ours` is all that is there of ours. The default finds nothing.
    ///
    /// # Errors
    /// What is in the way: of class `Busy` where it may go by itself (it is waited for, as long as the kind's pace allows),
    /// else the run ends with it and nothing is changed. Whoever cannot look says `Ok`.
    async fn in_the_way(
        &self,
        _object: &Object,
        _going: &[&Object],
        _ours: &[&Object],
    ) -> Result<(), Failure> {
        Ok(())
    }

    /// Whether an object that lacks our tags is the one that the declared fields mean: by default where both have the
    /// same `name`. Kinds without names override it for import (a subnet by its zone and CIDR).
    ///
    /// References are part keys in `declared` and, at import, in `object.fields` too. At import an object that matches is
    /// taken over where it uses a part of ours (its `references`); else it is foreign: the part fails, untouched.
    fn stands_for(&self, declared: &Value, object: &Object) -> bool {
        declared
            .get("name")
            .is_some_and(|name| name.is_string() && object.fields.get("name") == Some(name))
    }

    /// Whether a part of these fields (references as keys) cannot be made while this object of ours, of the same kind and
    /// another part, is there: where that is to be deleted, it goes first (a subnet whose range overlaps).
    fn excludes(&self, _declared: &Value, _object: &Object) -> bool {
        false
    }

    /// The name of a lock that every changing call holds while it is made, across all resources of the process (one call
    /// on an EKS cluster at a time, whoever makes it). `fields` holds ids for references.
    fn lock(&self, _fields: &Value) -> Option<String> {
        None
    }

    /// What is lost for good when an object of this kind is deleted, though the part be made again.
    fn loss(&self) -> Loss {
        Loss::Nothing
    }

    /// The kind of the part under which objects of this kind are listed (the add-ons of a cluster), or through which they are
    /// reached (what lives in it). It is looked at first, in the same observation: where nothing of it is there, or only what
    /// is being deleted, nothing of this kind is there either and [`Kind::observe`] is not asked; where it could not be looked
    /// at, this could not either. One that is being made may not be able to answer yet: then nothing is there, which is no
    /// failure; one that merely cannot be reached is a failure.
    fn parent(&self) -> Option<&'static str> {
        None
    }

    /// Whether objects of this kind end with the object of [`Kind::parent`] that they lie in, and leave nothing behind: where that
    /// is destroyed, they are not deleted first, which needs a way to them (the API of a cluster may be out of reach).
    fn ends_with_parent(&self) -> bool {
        false
    }

    /// Whether a look takes a way in that not everybody has (the API of a cluster). Where none is declared then, and the state knows
    /// other parts and none of these, nobody is asked. What a killed run has left without anybody's knowing stays so until its
    /// parent goes: only for kinds for which that is little ([`Kind::ends_with_parent`]).
    fn only_where_meant(&self) -> bool {
        false
    }

    /// Whether objects of this kind carry tags. Where not, one belongs to whoever owns what it lies in (its `references`),
    /// and is the part that [`Kind::stands_for`] says: [`Kind::observe`] lists what lies in the root.
    fn carries_tags(&self) -> bool {
        true
    }

    /// What the object waits for, in words, for long waits and for errors: by default what its condition says.
    async fn held_up_by(&self, object: &Object, _waited: Duration) -> Option<String> {
        match &object.condition {
            Condition::Unready(text) => Some(text.clone()),
            _ => None,
        }
    }

    /// Asked now and then while the engine waits for the object, for so long already: an error of class `Stuck` ends a
    /// hopeless wait early. What may still resolve itself (a finalizer that a controller is at work on) is left some time.
    ///
    /// # Errors
    /// Class `Stuck`, with the reason; others are ignored.
    async fn outlook(&self, _object: &Object, _waited: Duration) -> Result<(), Failure> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, Serialize, Part)]
    #[part(kind = "volume")]
    struct Volume {
        #[part(replace)]
        zone: String,
        size: i64,
        #[part(own_entries)]
        users: Vec<String>,
        #[part(as_applied)]
        #[serde(rename = "password_version")]
        version: Option<u32>,
        #[part(not_compared, replace)]
        snapshot: Option<String>,
        #[part(change = only_grows)]
        gigabytes: i64,
        #[part(own_entries, later)]
        mounts: Vec<String>,
        #[part(unordered, replace)]
        zones: Vec<String>,
        #[serde(skip)]
        #[expect(dead_code, reason = "a field that takes no part")]
        password: String,
        tags: Tags,
    }

    fn only_grows(is: &Value, should: &Value) -> Remedy {
        if is.as_i64() <= should.as_i64() {
            return Remedy::Update;
        }
        Remedy::Refuse(Refusal {
            why: "it cannot shrink".into(),
            hint: "Give at least what there is.".into(),
        })
    }

    #[test]
    fn what_mends_a_change_may_depend_on_the_values() {
        let change = |is: i64, should: i64| Volume::change("gigabytes", &is.into(), &should.into());
        assert_eq!(change(1, 2), Remedy::Update);
        assert!(matches!(change(2, 1), Remedy::Refuse(_)));
        assert_eq!(Volume::change("zone", &"a".into(), &"b".into()), Remedy::Replace);
    }

    #[test]
    fn a_part_reads_as_its_struct() {
        assert_eq!(Volume::KIND, "volume");
        let said: Vec<(&str, FieldRule, Remedy)> = [
            "zone",
            "size",
            "users",
            "password_version",
            "snapshot",
            "zones",
            "tags",
        ]
        .map(|field| (field, Volume::rule(field), Volume::remedy(field)))
        .to_vec();
        assert!(Volume::is_later("mounts") && !Volume::is_later("users"));
        let expected = [
            ("zone", FieldRule::Exact, Remedy::Replace),
            ("size", FieldRule::Exact, Remedy::Update),
            ("users", FieldRule::OwnEntries, Remedy::Update),
            ("password_version", FieldRule::AsApplied, Remedy::Update),
            ("snapshot", FieldRule::NotCompared, Remedy::Replace),
            ("zones", FieldRule::Unordered, Remedy::Replace),
            ("tags", FieldRule::Exact, Remedy::Update),
        ];
        assert_eq!(said, expected);
    }
}
