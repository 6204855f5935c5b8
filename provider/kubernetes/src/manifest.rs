//! An object of Kubernetes as a part: its fields are those of the manifest.

use framework::Secret;
use reconcile::part::{FieldRule, Part, Ref, Remedy, Target};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

use crate::types::Type;

/// An object of any type, in a cluster.
///
/// References to other parts may stand anywhere in it. What is compared are the fields that it says and those that were said
/// before, never what the API or others add.
#[derive(Debug, Clone)]
pub struct Manifest {
    of: Type,
    /// The cluster: its part, or its name.
    pub(crate) cluster: Target,
    pub(crate) namespace: Option<String>,
    pub(crate) name: String,
    /// Of its metadata, labels and annotations.
    metadata: Map<String, Value>,
    /// All fields but `apiVersion`, `kind`, `metadata` and `status`.
    body: Map<String, Value>,
    pub(crate) secret: Option<Secret<String>>,
    secret_version: Option<u32>,
    after: Vec<Ref>,
}

impl Manifest {
    /// The object as a manifest says it. What a manifest lacks (`apiVersion`, a name), the API server refuses.
    pub fn new(cluster: Target, object: Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let of = Type {
            api_version: text(&object["apiVersion"]),
            kind: text(&object["kind"]),
        };
        let said = &object["metadata"];
        let labels = ["labels", "annotations"].into_iter();
        let labels = labels.filter_map(|name| Some((name.to_owned(), said.get(name)?.clone())));
        let (name, namespace) = (text(&said["name"]), said["namespace"].as_str().map(str::to_owned));
        let metadata = labels.collect();
        let mut body = match object {
            Value::Object(body) => body,
            _ => Map::new(),
        };
        body.retain(|name, _| !APART.contains(&name.as_str()));
        Self {
            of,
            cluster,
            namespace,
            name,
            metadata,
            body,
            secret: None,
            secret_version: None,
            after: Vec::new(),
        }
    }

    /// Fields that are merged into the object and shown nowhere, as JSON (`{"stringData": {…}}`): sent when the version is
    /// another than the last one.
    #[must_use]
    pub fn secret(mut self, version: u32, fields: Secret<String>) -> Self {
        (self.secret, self.secret_version) = (Some(fields), Some(version));
        self
    }

    /// The same, made only after this part: what lets us in, or serves the type.
    #[must_use]
    pub fn after(mut self, part: Ref) -> Self {
        self.after.push(part);
        self
    }

    /// The manifest, with references in it, without the secret.
    pub(crate) fn object(&self) -> Value {
        let mut metadata = self.metadata.clone();
        metadata.insert("name".to_owned(), self.name.clone().into());
        if let Some(namespace) = &self.namespace {
            metadata.insert("namespace".to_owned(), namespace.clone().into());
        }
        let mut object = Map::new();
        object.insert("apiVersion".to_owned(), self.of.api_version.clone().into());
        object.insert("kind".to_owned(), self.of.kind.clone().into());
        object.insert("metadata".to_owned(), metadata.into());
        object.extend(self.body.clone());
        object.into()
    }
}

/// Fields of an object that are not among those of the part.
pub(crate) const APART: [&str; 4] = ["apiVersion", "kind", "metadata", "status"];

/// The field that says which secret was sent.
const SECRET_VERSION: &str = "secret_version";

impl Serialize for Manifest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_map(None)?;
        fields.serialize_entry("cluster", &self.cluster)?;
        if let Some(namespace) = &self.namespace {
            fields.serialize_entry("namespace", namespace)?;
        }
        fields.serialize_entry("name", &self.name)?;
        if !self.metadata.is_empty() {
            fields.serialize_entry("metadata", &self.metadata)?;
        }
        for (name, value) in &self.body {
            fields.serialize_entry(name, value)?;
        }
        if let Some(version) = &self.secret_version {
            fields.serialize_entry(SECRET_VERSION, version)?;
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
            "after" => FieldRule::NotCompared,
            _ => FieldRule::Exact,
        }
    }

    fn mends(&self, field: &str, _values: Option<(&Value, &Value)>) -> Remedy {
        if matches!(field, "cluster" | "namespace" | "name") || self.of.is_fixed(field) {
            Remedy::Replace
        } else {
            Remedy::Update
        }
    }
}
