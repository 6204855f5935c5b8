//! Rendered text into documents: split, read, sorted; hooks, tests and CRDs apart.

use std::sync::Arc;

use serde_json::Value as Json;

use crate::chart::error::Error;
use crate::chart::{File, to_json};
use crate::text::yaml;
use crate::value::Value;

/// A document.
#[derive(Clone, Debug)]
pub struct Document {
    /// The template it comes from, as helm prints it.
    pub source: Arc<str>,
    /// Its text.
    pub text: String,
    /// `apiVersion`
    pub api_version: String,
    /// `kind`
    pub kind: String,
    /// `metadata.name`
    pub name: String,
    /// `metadata.namespace`, as written.
    pub namespace: Option<String>,
}

impl Document {
    /// A document from its text; none where that is no object.
    pub fn read(source: &str, text: &str) -> Option<Document> {
        let mut document = Document {
            source: source.into(),
            text: text.to_owned(),
            api_version: String::new(),
            kind: String::new(),
            name: String::new(),
            namespace: None,
        };
        let object = document.json().ok()?;
        let said = |value: &Json| value.as_str().map(str::to_owned);
        document.api_version = said(&object["apiVersion"])?;
        document.kind = said(&object["kind"])?;
        document.name = said(&object["metadata"]["name"])?;
        document.namespace = said(&object["metadata"]["namespace"]);
        Some(document)
    }
    /// The document as JSON.
    ///
    /// # Errors
    /// Text that is no YAML.
    pub fn json(&self) -> Result<Json, Error> {
        yaml::parse(&self.text)
            .map(|v| to_json(&v))
            .map_err(|e| Error::Document {
                template: self.source.to_string(),
                message: yaml::convert_error(&e),
            })
    }
    /// Group of `apiVersion`, empty for the core group.
    pub fn group(&self) -> &str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }
    /// Version of `apiVersion`.
    pub fn version(&self) -> &str {
        self.api_version
            .split_once('/')
            .map_or(&self.api_version, |(_, version)| version)
    }
}

/// A document that is applied at an event of the release's life.
#[derive(Clone, Debug)]
pub struct Hook {
    /// The document.
    pub document: Document,
    /// Events, such as `pre-install`.
    pub events: Vec<String>,
    /// Weight.
    pub weight: i64,
    /// When it is deleted, such as `hook-succeeded`.
    pub delete_policies: Vec<String>,
    /// When its output is logged.
    pub output_log_policies: Vec<String>,
}

impl Hook {
    /// Whether it runs only for `helm test`.
    pub fn is_test(&self) -> bool {
        !self.events.is_empty() && self.events.iter().all(|e| e == "test")
    }
}

/// Documents of a render.
#[derive(Clone, Debug, Default)]
pub struct Documents {
    /// Ordinary documents, in helm's order of installation.
    pub manifests: Vec<Document>,
    /// Hooks, tests not among them.
    pub hooks: Vec<Hook>,
    /// Hooks for `helm test`.
    pub tests: Vec<Hook>,
    /// All hooks, tests among them, in the order in which helm prints them.
    pub all_hooks: Vec<Hook>,
    /// Documents of `crds/`, in order of their files.
    pub crds: Vec<Document>,
}

const INSTALL_ORDER: [&str; 37] = [
    "PriorityClass",
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
    "MutatingWebhookConfiguration",
];

fn rank(kind: &str) -> usize {
    if kind == "ValidatingWebhookConfiguration" {
        return INSTALL_ORDER.len();
    }
    INSTALL_ORDER
        .iter()
        .position(|k| *k == kind)
        .unwrap_or(usize::MAX)
}

fn order(a: &str, b: &str) -> std::cmp::Ordering {
    let (x, y) = (rank(a), rank(b));
    if x == usize::MAX && y == usize::MAX {
        a.cmp(b)
    } else {
        x.cmp(&y)
    }
}

/// Splits a file at its `---` lines, as helm does: without regard to what YAML would say.
pub fn split(text: &str) -> Vec<&str> {
    let text = text.trim_start();
    let mut parts = Vec::new();
    let mut start = 0;
    let mut at = 0;
    let bytes = text.as_bytes();
    while let Some(offset) = memchr::memmem::find(&bytes[at..], b"---") {
        let found = at + offset;
        let at_line_start = found == 0 || bytes[found - 1] == b'\n';
        if !at_line_start {
            at = found + 1;
            continue;
        }
        parts.push(&text[start..found]);
        let after = text[found + 3..].trim_start();
        start = text.len() - after.len();
        at = start;
        if at >= bytes.len() {
            break;
        }
    }
    parts.push(&text[start..]);
    // What stands before a separator keeps its line ends: helm prints them, and literal blocks mean them.
    parts
        .into_iter()
        .map(str::trim_start)
        .filter(|p| !p.trim().is_empty())
        .collect()
}

struct Head {
    api_version: String,
    kind: String,
    name: String,
    namespace: Option<String>,
    annotations: Option<Vec<(Arc<str>, String)>>,
}

fn string_field(value: Option<Value>, path: &str) -> Result<String, String> {
    match value {
        None | Some(Value::Nil | Value::Invalid) => Ok(String::new()),
        Some(Value::Str(s)) => Ok(s.to_string()),
        // Go's reader makes strings of scalars where the field is one.
        Some(v @ (Value::Bool(_) | Value::Int(..) | Value::Float(_))) => Ok(crate::value::gofmt::text(&v)),
        Some(other) => Err(format!(
            "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {} into Go struct field .{path} of type string",
            if matches!(other, Value::List(_)) {
                "array"
            } else {
                "object"
            }
        )),
    }
}

fn head(text: &str) -> Result<Head, String> {
    let value = yaml::parse_head(text).map_err(|e| yaml::convert_error(&e))?;
    let mut head = Head {
        api_version: String::new(),
        kind: String::new(),
        name: String::new(),
        namespace: None,
        annotations: None,
    };
    let unmarshal = |what: &str, target: &str| {
        format!(
            "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {what} into Go {target}"
        )
    };
    let kind_of = |v: &Value| match v {
        Value::Bool(_) => "bool",
        Value::Int(..) | Value::Float(_) => "number",
        Value::List(_) => "array",
        Value::Map(_) => "object",
        _ => "string",
    };
    let map = match &value {
        Value::Nil | Value::Invalid => return Ok(head),
        Value::Map(map) => map,
        other => return Err(unmarshal(kind_of(other), "value of type util.SimpleHead")),
    };
    head.api_version = string_field(map.get("apiVersion"), "apiVersion")?;
    head.kind = string_field(map.get("kind"), "kind")?;
    match map.get("metadata") {
        None | Some(Value::Nil) => {}
        Some(Value::Map(metadata)) => {
            head.name = string_field(metadata.get("name"), "metadata.name")?;
            head.namespace = metadata
                .get("namespace")
                .and_then(|v| v.as_str().map(str::to_owned));
            match metadata.get("annotations") {
                None | Some(Value::Nil) => {}
                Some(Value::Map(annotations)) => {
                    let mut list = Vec::new();
                    for (key, value) in annotations.snapshot() {
                        let text = string_field(Some(value), &format!("metadata.annotations.{key}"))?;
                        list.push((key, text));
                    }
                    head.annotations = Some(list);
                }
                Some(other) => {
                    return Err(unmarshal(
                        kind_of(&other),
                        "struct field .metadata.annotations of type map[string]string",
                    ));
                }
            }
        }
        Some(other) => {
            return Err(unmarshal(
                kind_of(&other),
                "struct field .metadata of type struct { Name string \"json:\\\"name\\\"\"; Annotations map[string]string \"json:\\\"annotations\\\"\" }",
            ));
        }
    }
    Ok(head)
}

fn list(text: &str) -> Vec<String> {
    text.split(',')
        .map(|s| s.trim().to_lowercase())
        .filter(|s| !s.is_empty())
        .collect()
}

const EVENTS: [&str; 10] = [
    "pre-install",
    "post-install",
    "pre-delete",
    "post-delete",
    "pre-upgrade",
    "post-upgrade",
    "pre-rollback",
    "post-rollback",
    "test",
    "test-success",
];

/// Documents of rendered files, in order.
///
/// # Errors
/// The first document that is no YAML, or whose head has other types than it must.
pub(crate) fn sort(files: Vec<(Arc<str>, String)>) -> Result<Documents, Error> {
    let mut out = Documents::default();
    for (source, text) in files {
        if text.trim().is_empty() {
            continue;
        }
        for part in split(&text) {
            let head = head(part).map_err(|message| Error::Document {
                template: source.to_string(),
                message,
            })?;
            let document = Document {
                source: source.clone(),
                text: part.to_owned(),
                api_version: head.api_version,
                kind: head.kind,
                name: head.name,
                namespace: head.namespace,
            };
            let annotation = |key: &str| {
                head.annotations
                    .as_ref()?
                    .iter()
                    .find(|(k, _)| &**k == key)
                    .map(|(_, v)| v.as_str())
            };
            let Some(events) = annotation("helm.sh/hook") else {
                out.manifests.push(document);
                continue;
            };
            let mut known = true;
            let mut hook_events = Vec::new();
            for event in list(events) {
                if EVENTS.contains(&event.as_str()) {
                    hook_events.push(if event == "test-success" {
                        "test".to_owned()
                    } else {
                        event
                    });
                } else {
                    known = false;
                }
            }
            // A hook at an unknown event is nothing at all.
            if !known || hook_events.is_empty() {
                continue;
            }
            out.all_hooks.push(Hook {
                document,
                events: hook_events,
                weight: annotation("helm.sh/hook-weight")
                    .and_then(|w| w.parse().ok())
                    .unwrap_or(0),
                delete_policies: annotation("helm.sh/hook-delete-policy")
                    .map(list)
                    .unwrap_or_default(),
                output_log_policies: annotation("helm.sh/hook-output-log-policy")
                    .map(list)
                    .unwrap_or_default(),
            });
        }
    }
    out.manifests.sort_by(|a, b| order(&a.kind, &b.kind));
    out.all_hooks
        .sort_by(|a, b| order(&a.document.kind, &b.document.kind));
    let (tests, hooks) = out.all_hooks.iter().cloned().partition(Hook::is_test);
    out.tests = tests;
    out.hooks = hooks;
    Ok(out)
}

/// Documents of CRD files.
pub(crate) fn crds(files: &[(String, File)]) -> Vec<Document> {
    let mut out = Vec::new();
    for (source, file) in files {
        let text = String::from_utf8_lossy(&file.data);
        for part in split(&text) {
            let Ok(head) = head(part) else { continue };
            out.push(Document {
                source: source.as_str().into(),
                text: part.to_owned(),
                api_version: head.api_version,
                kind: head.kind,
                name: head.name,
                namespace: head.namespace,
            });
        }
    }
    out
}
