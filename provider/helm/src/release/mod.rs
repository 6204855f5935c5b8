//! helm's release records: the Secrets in which helm keeps what it installed. What we write, helm lists, shows and rolls
//! back; what helm wrote, we read.

pub mod size;

use std::collections::BTreeMap;
use std::io::{Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::{Map as JsonMap, Value as Json, json};

use crate::chart::error::Error;
use crate::chart::{Chart, Metadata};
use crate::render::manifests::{Document, Documents, Hook, split};
use crate::render::{Release, Rendered};

/// State of a release, as helm names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// `deployed`: the present revision.
    Deployed,
    /// `superseded`: replaced by a later revision.
    Superseded,
    /// `failed`
    Failed,
    /// `pending-install`
    PendingInstall,
    /// `pending-upgrade`
    PendingUpgrade,
    /// `pending-rollback`
    PendingRollback,
    /// `uninstalling`
    Uninstalling,
    /// `uninstalled`
    Uninstalled,
    /// `unknown`
    Unknown,
}

const STATES: [(Status, &str); 9] = [
    (Status::Deployed, "deployed"),
    (Status::Superseded, "superseded"),
    (Status::Failed, "failed"),
    (Status::PendingInstall, "pending-install"),
    (Status::PendingUpgrade, "pending-upgrade"),
    (Status::PendingRollback, "pending-rollback"),
    (Status::Uninstalling, "uninstalling"),
    (Status::Uninstalled, "uninstalled"),
    (Status::Unknown, "unknown"),
];

impl Status {
    /// helm's word.
    pub fn name(self) -> &'static str {
        STATES
            .iter()
            .find(|(status, _)| *status == self)
            .map_or("unknown", |(_, name)| name)
    }
    /// From helm's word.
    pub fn parse(name: &str) -> Status {
        STATES
            .iter()
            .find(|(_, n)| *n == name)
            .map_or(Status::Unknown, |(status, _)| *status)
    }
}

/// A release as helm records it.
#[derive(Clone, Debug)]
pub struct Record {
    /// Name of the release.
    pub name: String,
    /// Namespace.
    pub namespace: String,
    /// Revision, from 1.
    pub revision: i64,
    /// State.
    pub status: Status,
    /// What helm shows as description, such as `Install complete`.
    pub description: String,
    /// First installation, RFC 3339.
    pub first_deployed: String,
    /// This revision, RFC 3339.
    pub last_deployed: String,
    /// The user's values.
    pub config: Json,
    /// The chart as helm stores it: metadata, templates, values, files.
    pub chart: Json,
    /// All manifests, as one text.
    pub manifest: String,
    /// Hooks as helm stores them.
    pub hooks: Vec<Json>,
    /// Notes.
    pub notes: String,
    /// How the objects were applied, by which helm's next upgrade or rollback applies them: `ssa` on the server, `csa` by
    /// the client; empty as helm left it before version 4, which means `csa`.
    pub apply_method: String,
    /// The user's own labels of the Secret.
    pub labels: BTreeMap<String, String>,
    /// What else a record of helm holds: kept, so that writing back loses nothing.
    pub other: JsonMap<String, Json>,
}

/// Largest record that is read, after unpacking: a Secret holds one mebibyte, packed.
const MAX_RECORD: u64 = 64 << 20;

/// Labels of the Secret that are helm's own.
const OWN_LABELS: [&str; 6] = ["name", "owner", "status", "version", "createdAt", "modifiedAt"];

impl Record {
    /// The first record of a release that is about to be installed, times left empty.
    pub fn planned(rendered: &Rendered, release: &Release, config: Json) -> Record {
        Record {
            name: release.name.clone(),
            namespace: release.namespace.clone(),
            revision: release.revision,
            status: Status::PendingInstall,
            description: "Initial install underway".into(),
            first_deployed: String::new(),
            last_deployed: String::new(),
            config,
            chart: stored_chart(&rendered.chart),
            manifest: stored_manifest(&rendered.documents),
            hooks: rendered.documents.all_hooks.iter().map(stored_hook).collect(),
            notes: rendered.notes.clone().unwrap_or_default(),
            apply_method: "ssa".into(),
            labels: BTreeMap::new(),
            other: JsonMap::new(),
        }
    }
    /// Name of the Secret: `sh.helm.release.v1.NAME.vREVISION`.
    pub fn secret_name(&self) -> String {
        format!("sh.helm.release.v1.{}.v{}", self.name, self.revision)
    }
    /// Labels of the Secret: the user's, and those by which helm finds it. `modified` is seconds since 1970.
    pub fn secret_labels(&self, modified: i64) -> BTreeMap<String, String> {
        let own = [
            ("name", self.name.clone()),
            ("owner", "helm".to_owned()),
            ("status", self.status.name().to_owned()),
            ("version", self.revision.to_string()),
            ("modifiedAt", modified.to_string()),
        ];
        let mut labels = self.labels.clone();
        labels.extend(own.map(|(key, value)| (key.to_owned(), value)));
        labels
    }
    /// The whole Secret, ready to be applied. `modified` is seconds since 1970.
    ///
    /// # Errors
    /// When the record cannot be packed, or is larger than a Secret may be.
    pub fn secret(&self, modified: i64) -> Result<Json, Error> {
        let release = self.encode()?;
        self.check_bytes(release.len(), size::LIMIT)?;
        Ok(json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": self.secret_name(), "namespace": self.namespace, "labels": self.secret_labels(modified)},
            "type": "helm.sh/release.v1",
            "data": {"release": STANDARD.encode(release)},
        }))
    }
    /// Reads a Secret.
    ///
    /// # Errors
    /// What is no release record, or is too large.
    pub fn from_secret(secret: &Json) -> Result<Record, Error> {
        let data = secret["data"]["release"].as_str().unwrap_or_default();
        let text = STANDARD.decode(data).unwrap_or_default();
        let mut record = Record::decode(&String::from_utf8_lossy(&text))?;
        record.labels = secret["metadata"]["labels"]
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(key, _)| !OWN_LABELS.contains(&key.as_str()))
            .map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()))
            .collect();
        Ok(record)
    }
    /// The value of the Secret's key `release`, before Kubernetes' own base64.
    ///
    /// # Errors
    /// When the record cannot be packed.
    pub fn encode(&self) -> Result<String, Error> {
        let mut release = self.other.clone();
        let info = release.entry("info").or_insert_with(|| json!({}));
        info["first_deployed"] = json!(self.first_deployed);
        info["last_deployed"] = json!(self.last_deployed);
        info["description"] = json!(self.description);
        info["status"] = json!(self.status.name());
        if let Some(info) = info.as_object_mut() {
            info.remove("notes");
        }
        if !self.notes.is_empty() {
            info["notes"] = json!(self.notes);
        }
        for (key, value) in [
            ("name", json!(self.name)),
            ("chart", self.chart.clone()),
            ("config", self.config.clone()),
            ("manifest", json!(self.manifest)),
            ("hooks", json!(self.hooks)),
            ("version", json!(self.revision)),
            ("namespace", json!(self.namespace)),
            ("apply_method", json!(self.apply_method)),
        ] {
            // helm leaves out what is empty.
            if !is_empty(&value) {
                release.insert(key.to_owned(), value);
            }
        }
        packed(Json::Object(release).to_string().as_bytes())
    }
    /// The objects of its manifest, in their order.
    pub fn documents(&self) -> Vec<Document> {
        let read = |part: &str| {
            let source = part
                .strip_prefix("# Source: ")
                .and_then(|rest| rest.lines().next());
            Document::read(source.unwrap_or_default(), part)
        };
        split(&self.manifest).into_iter().filter_map(read).collect()
    }
    /// The definitions in the folder `crds` of its chart; those of subcharts no record holds.
    pub fn definitions(&self) -> Vec<Document> {
        let text = |file: &Json, name: &str| file[name].as_str().unwrap_or_default().to_owned();
        let files = self.chart["files"].as_array().into_iter().flatten();
        let files = files.filter(|file| text(file, "name").starts_with("crds/"));
        let mut all = Vec::new();
        for file in files {
            let bytes = STANDARD.decode(text(file, "data")).unwrap_or_default();
            let content = String::from_utf8_lossy(&bytes);
            let parts = split(&content).into_iter();
            all.extend(parts.filter_map(|part| Document::read(&text(file, "name"), part)));
        }
        all
    }
    /// Reads the value of the Secret's key `release`, after Kubernetes' own base64.
    ///
    /// # Errors
    /// What is no release record, or is too large.
    pub fn decode(text: &str) -> Result<Record, Error> {
        let bad = |what: String| Error::Outside(format!("the release record cannot be read: {what}"));
        let mut bytes = STANDARD.decode(text.trim()).map_err(|e| bad(e.to_string()))?;
        // Ancient records were not packed.
        if bytes.starts_with(&[0x1f, 0x8b, 0x08]) {
            let mut plain = Vec::new();
            GzDecoder::new(&bytes[..])
                .take(MAX_RECORD + 1)
                .read_to_end(&mut plain)
                .map_err(|e| bad(e.to_string()))?;
            if plain.len() as u64 > MAX_RECORD {
                return Err(bad(format!("it is larger than {MAX_RECORD} bytes")));
            }
            bytes = plain;
        }
        let Json::Object(mut release) = serde_json::from_slice(&bytes).map_err(|e| bad(e.to_string()))?
        else {
            return Err(bad("it is no object".into()));
        };
        let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
        let mut take = |key: &str| release.remove(key).unwrap_or(Json::Null);
        let (name, namespace, manifest) = (
            text(&take("name")),
            text(&take("namespace")),
            text(&take("manifest")),
        );
        let (chart, config, revision) = (
            take("chart"),
            take("config"),
            take("version").as_i64().unwrap_or(0),
        );
        let apply_method = text(&take("apply_method"));
        let hooks = match take("hooks") {
            Json::Array(hooks) => hooks,
            _ => Vec::new(),
        };
        let info = release.get("info").cloned().unwrap_or_default();
        Ok(Record {
            name,
            namespace,
            revision,
            status: Status::parse(&text(&info["status"])),
            description: text(&info["description"]),
            first_deployed: text(&info["first_deployed"]),
            last_deployed: text(&info["last_deployed"]),
            config,
            chart,
            manifest,
            hooks,
            notes: text(&info["notes"]),
            apply_method,
            labels: BTreeMap::new(),
            other: release,
        })
    }
}

/// A time as records write it: RFC 3339 with nanoseconds, in UTC.
pub fn timestamp(time: std::time::SystemTime) -> String {
    jiff::Timestamp::try_from(time).map_or_else(|_| String::new(), |time| format!("{time:.9}"))
}

/// Bytes as a record holds them: compressed, in base64.
fn packed(bytes: &[u8]) -> Result<String, Error> {
    let bad = |e: std::io::Error| Error::Outside(format!("cannot pack the release record: {e}"));
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    packer.write_all(bytes).map_err(bad)?;
    Ok(STANDARD.encode(packer.finish().map_err(bad)?))
}

/// All manifests as helm stores them: one text.
pub fn stored_manifest(documents: &Documents) -> String {
    let mut out = String::new();
    for document in &documents.manifests {
        out.push_str(&format!(
            "---\n# Source: {}\n{}\n",
            document.source, document.text
        ));
    }
    out
}

/// A chart as helm stores it in a record: as it was rendered ([`Rendered::chart`]), without its subcharts.
pub fn stored_chart(chart: &Chart) -> Json {
    let files = |files: Vec<(&str, &[u8])>| -> Json {
        files
            .into_iter()
            .map(|(name, data)| json!({"name": name, "data": STANDARD.encode(data)}))
            .collect()
    };
    json!({
        "metadata": stored_metadata(&chart.metadata),
        "lock": chart.lock.as_deref(),
        "templates": files(chart.templates.iter().map(|f| (&*f.name, f.data())).collect()),
        "values": &*chart.values,
        "schema": chart.schema.as_ref().map(|s| STANDARD.encode(s)),
        "files": files(chart.files.iter().map(|f| (&*f.name, &*f.data)).collect()),
    })
}

fn stored_metadata(metadata: &Metadata) -> Json {
    let mut out = JsonMap::new();
    for (key, value) in &metadata.strings {
        if value.as_str().is_some_and(|s| !s.is_empty()) {
            out.insert(key.clone(), value.clone());
        }
    }
    let mut put = |key: &str, value: Json| {
        if !is_empty(&value) {
            out.insert(key.to_owned(), value);
        }
    };
    put("keywords", json!(metadata.keywords));
    put("sources", json!(metadata.sources));
    put(
        "maintainers",
        metadata.maintainers.iter().map(without_empty).collect(),
    );
    put("annotations", Json::Object(metadata.annotations.clone()));
    let dependencies = metadata.dependencies.iter().flatten().map(|dependency| {
        let mut stored = without_empty(&json!({
            "name": dependency.name,
            "version": dependency.version,
            "condition": dependency.condition,
            "tags": dependency.tags,
            "enabled": dependency.enabled,
            "import-values": dependency.import_values,
            "alias": dependency.alias,
        }));
        stored["repository"] = json!(dependency.repository);
        stored
    });
    put("dependencies", dependencies.collect());
    if metadata.deprecated {
        out.insert("deprecated".into(), Json::Bool(true));
    }
    Json::Object(out)
}

/// An object without its empty fields, which helm does not write.
fn without_empty(object: &Json) -> Json {
    let fields = object.as_object().into_iter().flatten();
    Json::Object(
        fields
            .filter(|(_, value)| !is_empty(value))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
    )
}

fn is_empty(value: &Json) -> bool {
    match value {
        Json::Null | Json::Bool(false) => true,
        Json::String(text) => text.is_empty(),
        Json::Array(items) => items.is_empty(),
        Json::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

/// A hook that helm stored; none where it lacks its object.
pub fn hook(stored: &Json) -> Option<Hook> {
    let text = |name: &str| stored[name].as_str().unwrap_or_default().to_owned();
    let list = |name: &str| -> Vec<String> {
        let all = stored[name].as_array().into_iter().flatten();
        all.filter_map(|one| one.as_str().map(str::to_owned)).collect()
    };
    Some(Hook {
        document: Document::read(&text("path"), &text("manifest"))?,
        events: list("events"),
        weight: stored["weight"].as_i64().unwrap_or_default(),
        delete_policies: list("delete_policies"),
        output_log_policies: list("output_log_policies"),
    })
}

/// A hook as helm stores it.
pub fn stored_hook(hook: &Hook) -> Json {
    let mut out = json!({
        "name": hook.document.name,
        "kind": hook.document.kind,
        "path": &*hook.document.source,
        "manifest": hook.document.text,
        "events": hook.events,
        "last_run": {"phase": ""},
    });
    if hook.weight != 0 {
        out["weight"] = json!(hook.weight);
    }
    if !hook.delete_policies.is_empty() {
        out["delete_policies"] = json!(hook.delete_policies);
    }
    if !hook.output_log_policies.is_empty() {
        out["output_log_policies"] = json!(hook.output_log_policies);
    }
    out
}
