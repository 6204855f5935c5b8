//! An object of Kubernetes as a part: its fields are those of the manifest.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use framework::Secret;
use reconcile::failure::{Class, Failure};
use reconcile::part::{Call, FieldRule, Part, Ref, Remedy, Target};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

use crate::digest::{self, GENERATED};
use crate::fixed;
use crate::types::Type;

/// Our name as a manager of fields.
pub(crate) const MANAGER: &str = "ekb";

/// An object of any type, in a cluster.
///
/// References to other parts may stand anywhere in it but in values of Secrets. What is compared are the fields that it says
/// and those that were said before, never what the API or others add. Values of Secrets, long texts and schemas of definitions are
/// fields by their digests.
#[derive(Debug, Clone)]
pub struct Manifest {
    of: Type,
    /// The cluster: its part, or its name.
    pub(crate) cluster: Target,
    pub(crate) namespace: Option<String>,
    pub(crate) name: String,
    /// Its fields, and of its metadata labels and annotations, as they are shown.
    shown: Map<String, Value>,
    /// What is applied, as JSON; none where it was made of fields.
    content: Option<Secret<String>>,
    pub(crate) secret_version: Option<u32>,
    pub(crate) manager: &'static str,
    pub(crate) waits: bool,
    /// Places (JSON pointers) of values that are made once and then kept as they live.
    generated: Vec<String>,
    after: Vec<Ref>,
}

impl Manifest {
    /// The object as a manifest says it. What a manifest lacks (`apiVersion`, a name), the API server refuses.
    pub fn new(cluster: Target, object: Value) -> Self {
        let object = without_nulls(object);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let of = Type::of(&text(&object["apiVersion"]), &text(&object["kind"]));
        let said = &object["metadata"];
        Self {
            cluster,
            namespace: said["namespace"].as_str().map(str::to_owned),
            name: text(&said["name"]),
            shown: shown(&of, object.clone()),
            of,
            content: Some(object.to_string().into()),
            secret_version: None,
            manager: MANAGER,
            waits: true,
            generated: Vec::new(),
            after: Vec::new(),
        }
    }

    /// The object that a state knows by these fields, of this kind (`Deployment.apps`): to find, compare and delete it. It cannot be
    /// applied. None where that is no kind of objects.
    pub fn from_fields(kind: &str, fields: &Value) -> Option<Self> {
        let of = Type::of_name(kind)?;
        let text = |name: &str| fields[name].as_str().map(str::to_owned);
        let mut shown = fields.as_object()?.clone();
        shown.retain(|name, _| !OWN.contains(&name.as_str()));
        let version = text("apiVersion").map(|version| Type::of(&version, &of.kind));
        Some(Self {
            of: version.unwrap_or(of),
            cluster: Target::Id(text("cluster")?),
            namespace: text("namespace"),
            name: text("name")?,
            shown,
            content: None,
            secret_version: fields[SECRET_VERSION]
                .as_u64()
                .and_then(|version| version.try_into().ok()),
            manager: MANAGER,
            waits: fields[WAITS] != false,
            generated: Vec::new(),
            after: Vec::new(),
        })
    }

    /// Fields that are merged into the object and shown nowhere, as JSON (`{"stringData": {…}}`): sent when the version is
    /// another than the last one.
    #[must_use]
    pub fn secret(self, version: u32, fields: Secret<String>) -> Self {
        let mut object = self.parsed();
        if let Ok(fields) = serde_json::from_str(fields.expose()) {
            merge(&mut object, fields);
        }
        self.with_secrets(version, object.to_string().into())
    }

    /// The same object with secret values in place of others: what differs is shown nowhere, and sent when the version is another
    /// than the last one.
    #[must_use]
    pub fn with_secrets(mut self, version: u32, object: Secret<String>) -> Self {
        let secret: Value = serde_json::from_str(object.expose()).unwrap_or_default();
        let secret = without_nulls(secret);
        let mut plain = self.parsed();
        // What only the other one has differs too.
        fill_up(&mut plain, &secret);
        let hidden = digest::hidden_where_they_differ(&in_order_of(&secret, plain), &secret);
        self.shown = shown(&self.of, hidden);
        self.content = Some(secret.to_string().into());
        self.secret_version = Some(version);
        self
    }

    /// The same, with values at these places (JSON pointers) that were generated for it: they are shown nowhere, are applied where the
    /// object is made, and stay as they are for as long as it lives.
    #[must_use]
    pub fn generated(mut self, places: Vec<String>) -> Self {
        for place in &places {
            if let Some(shown) = in_data(place).and_then(|place| at_mut(&mut self.shown, &place)) {
                *shown = GENERATED.into();
            } else if let Some(shown) = at_mut(&mut self.shown, place) {
                *shown = GENERATED.into();
            }
        }
        self.generated = places;
        self
    }

    /// Whether some of its values are kept as they live.
    pub(crate) fn keeps(&self) -> bool {
        !self.generated.is_empty()
    }

    /// Puts into the object that is about to be applied what the live one has of generated values.
    pub(crate) fn keep(&self, object: &mut Value, live: &Value) {
        for place in &self.generated {
            let place = in_data(place).unwrap_or_else(|| place.clone());
            if let (Some(value), Some(is)) = (object.pointer_mut(&place), live.pointer(&place)) {
                *value = is.clone();
            }
        }
    }

    /// The same, applied under another name than ours, which another program shares (`helm`). Whose the object is, is said under ours.
    #[must_use]
    pub fn manager(self, manager: &'static str) -> Self {
        Self { manager, ..self }
    }

    /// The same, good enough as soon as it is there.
    #[must_use]
    pub fn without_waiting(self) -> Self {
        Self { waits: false, ..self }
    }

    /// The same, made only after this part: what lets us in, or serves the type.
    #[must_use]
    pub fn after(mut self, part: Ref) -> Self {
        self.after.push(part);
        self
    }

    /// The name of its type as a kind of parts: `Deployment.apps`.
    pub fn kind_name(&self) -> &'static str {
        self.of.name()
    }

    /// Its key among the parts of a resource that holds objects of any kind: `Deployment.apps/namespace/name`.
    pub fn key(&self) -> reconcile::part::Key {
        let namespace = self.namespace.as_ref();
        let namespace = namespace.map(|name| format!("{name}/")).unwrap_or_default();
        reconcile::part::key(self.of.name(), format!("{namespace}{}", self.name))
    }

    pub(crate) fn of(&self) -> &Type {
        &self.of
    }

    fn parsed(&self) -> Value {
        let content = self.content.as_ref();
        let content = content.and_then(|content| serde_json::from_str(content.expose()).ok());
        content.unwrap_or_default()
    }

    /// The object as it is applied: with what references stand for.
    pub(crate) fn object(&self, call: &Call) -> Result<Value, Failure> {
        let Some(content) = &self.content else {
            let doing = format!("making {} {}", self.of.kind, self.name);
            let cause = "what it holds is not known (a defect of the provider)";
            return Err(Failure::new(Class::Other, doing, cause));
        };
        let object: Value = serde_json::from_str(content.expose()).unwrap_or_default();
        let mut object = call.document(&object)?;
        if let Some(fields) = object.as_object_mut() {
            fields.shift_remove("status");
        }
        let own = &mut object["metadata"];
        if let Some(own) = own.as_object_mut() {
            own.retain(|name, _| !SET_BY_API.contains(&name.as_str()));
        }
        if self.of.name() == "Secret" {
            encode(&mut object);
        }
        Ok(object)
    }

    /// What must not be read in messages.
    pub(crate) fn secrets(&self) -> Vec<String> {
        fn leaves(shown: Option<&Value>, value: &Value, found: &mut Vec<String>) {
            match value {
                Value::String(text) if text.len() > 2 && shown != Some(value) => found.push(text.clone()),
                Value::Array(list) => list.iter().enumerate().for_each(|(at, value)| {
                    leaves(shown.and_then(|shown| shown.get(at)), value, found);
                }),
                Value::Object(map) => map.iter().for_each(|(name, value)| {
                    leaves(shown.and_then(|shown| shown.get(name)), value, found);
                }),
                _ => {}
            }
        }
        let is_plain = self.secret_version.is_none() && self.of.name() != "Secret";
        let mut object = if is_plain { Value::Null } else { self.parsed() };
        let mut texts = Vec::new();
        if let Some(fields) = object.as_object_mut() {
            fields.retain(|name, _| !APART.contains(&name.as_str()));
            for (name, value) in fields {
                leaves(self.shown.get(name), value, &mut texts);
            }
        }
        let decoded: Vec<String> = texts
            .iter()
            .filter_map(|text| String::from_utf8(STANDARD.decode(text).ok()?).ok())
            .collect();
        texts.extend(decoded.into_iter().filter(|text| text.len() > 2));
        texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
        texts
    }
}

/// `stringData` into `data`: the API does it too, and then forgets whose the entries are.
fn encode(object: &mut Value) {
    let Some(fields) = object.as_object_mut() else {
        return;
    };
    if let Some(Value::Object(plain)) = fields.shift_remove("stringData") {
        let data = fields.entry("data").or_insert_with(|| Value::Object(Map::new()));
        for (name, value) in plain {
            let value = value
                .as_str()
                .map_or(value.clone(), |text| STANDARD.encode(text).into());
            if let Some(data) = data.as_object_mut() {
                data.insert(name, value);
            }
        }
    }
}

/// The fields of the part that the object is.
fn shown(of: &Type, object: Value) -> Map<String, Value> {
    let metadata = own_metadata(&object["metadata"]);
    let Value::Object(mut body) = digest::of_texts(&digest::shown(of, object)) else {
        return Map::new();
    };
    body.retain(|name, _| !APART.contains(&name.as_str()));
    let mut fields = Map::new();
    if !metadata.is_empty() {
        fields.insert("metadata".to_owned(), digest::of_texts(&metadata.into()));
    }
    fields.extend(body);
    fields
}

fn own_metadata(metadata: &Value) -> Map<String, Value> {
    let labels = ["labels", "annotations"].into_iter();
    labels
        .filter_map(|name| Some((name.to_owned(), metadata.get(name)?.clone())))
        .collect()
}

/// What says nothing, as templates leave it (`annotations:`).
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let map = map.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(map.map(|(name, value)| (name, without_nulls(value))).collect())
        }
        Value::Array(list) => list.into_iter().map(without_nulls).collect(),
        other => other,
    }
}

/// Puts fields into an object, at any depth.
pub fn merge(into: &mut Value, fields: Value) {
    match (into, fields) {
        (Value::Object(into), Value::Object(fields)) => {
            for (name, value) in fields {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, value) => *into = value,
    }
}

/// Puts nothing where only the other has something.
fn fill_up(into: &mut Value, other: &Value) {
    if let (Value::Object(into), Value::Object(other)) = (&mut *into, other) {
        for (name, other) in other {
            let empty = || {
                if other.is_object() {
                    Value::Object(Map::new())
                } else {
                    Value::Null
                }
            };
            fill_up(into.entry(name.clone()).or_insert_with(empty), other);
        }
    }
}

/// The same with its names in the order of the other.
fn in_order_of(other: &Value, value: Value) -> Value {
    match (other, value) {
        (Value::Object(other), Value::Object(mut value)) => {
            let mut map = Map::new();
            for (name, other) in other {
                if let Some(value) = value.shift_remove(name) {
                    map.insert(name.clone(), in_order_of(other, value));
                }
            }
            map.extend(value);
            Value::Object(map)
        }
        (Value::Array(other), Value::Array(value)) if other.len() == value.len() => {
            let pairs = other.iter().zip(value);
            pairs.map(|(other, value)| in_order_of(other, value)).collect()
        }
        (_, value) => value,
    }
}

/// Fields of an object that are not among those of the part.
pub(crate) const APART: [&str; 4] = ["apiVersion", "kind", "metadata", "status"];
/// Of its metadata, what the API sets, and manifests that were read back hold.
const SET_BY_API: [&str; 6] = [
    "creationTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// Where the API has what was given in `stringData`.
fn in_data(place: &str) -> Option<String> {
    Some(format!("/data{}", place.strip_prefix("/stringData")?))
}

fn at_mut<'a>(fields: &'a mut Map<String, Value>, place: &str) -> Option<&'a mut Value> {
    let (name, rest) = match place.strip_prefix('/')?.split_once('/') {
        Some((name, rest)) => (name, format!("/{rest}")),
        None => (place.strip_prefix('/')?, String::new()),
    };
    fields.get_mut(name)?.pointer_mut(&rest)
}

/// The field that says which secret was sent.
pub(crate) const SECRET_VERSION: &str = "secret_version";
/// The field that says that nothing is waited for.
pub(crate) const WAITS: &str = "waits";
/// Fields of the part that are none of the object's body.
const OWN: [&str; 7] = [
    "cluster",
    "apiVersion",
    "namespace",
    "name",
    SECRET_VERSION,
    WAITS,
    "after",
];

impl Serialize for Manifest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_map(None)?;
        fields.serialize_entry("cluster", &self.cluster)?;
        fields.serialize_entry("apiVersion", &self.of.api_version())?;
        if let Some(namespace) = &self.namespace {
            fields.serialize_entry("namespace", namespace)?;
        }
        fields.serialize_entry("name", &self.name)?;
        for (name, value) in &self.shown {
            fields.serialize_entry(name, value)?;
        }
        if let Some(version) = &self.secret_version {
            fields.serialize_entry(SECRET_VERSION, version)?;
        }
        if !self.waits {
            fields.serialize_entry(WAITS, &false)?;
        }
        if !self.after.is_empty() {
            fields.serialize_entry("after", &self.after)?;
        }
        fields.end()
    }
}

impl Part for Manifest {
    const KIND: &'static str = "manifest";

    fn kind(&self) -> &'static str {
        self.of.name()
    }

    fn rule(field: &str) -> FieldRule {
        match field {
            SECRET_VERSION => FieldRule::AsApplied,
            "after" | WAITS => FieldRule::NotCompared,
            _ => FieldRule::Exact,
        }
    }

    fn is_free_form() -> bool {
        true
    }

    fn mends(&self, field: &str, values: Option<(&Value, &Value)>) -> Remedy {
        if matches!(field, "cluster" | "namespace" | "name") {
            Remedy::Replace
        } else {
            fixed::remedy(&self.of, &self.shown, field, values)
        }
    }
}
