//! How large a release record is, and what makes it so: known from what was rendered, before anything is installed.

use std::fmt::Write as _;

use serde_json::Value as Json;

use super::{Record, packed};
use crate::error::Error;

/// Most bytes that a Secret holds: Kubernetes refuses more (`MaxSecretSize`).
pub const LIMIT: usize = 1 << 20;

/// What may still come to a record after it was measured: its state, times, and why it failed.
const RESERVE: usize = 16 << 10;

/// Parts that are named.
const SHOWN: usize = 5;

/// A record that does not fit into its Secret.
#[derive(Debug)]
pub struct TooLarge {
    /// Name of the release.
    pub release: String,
    /// Bytes of the record, packed and encoded as the Secret holds it.
    pub bytes: usize,
    /// What it consists of, the largest first.
    pub parts: Vec<Part>,
}

/// A part of a record.
#[derive(Debug, PartialEq, Eq)]
pub struct Part {
    /// What it is.
    pub kind: PartKind,
    /// Its name: the path of a file, kind and name of an object.
    pub name: String,
    /// Bytes, packed and encoded alone.
    pub bytes: usize,
}

/// What a part of a record is; it decides what can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartKind {
    /// A file of the chart that is no template.
    File,
    /// A template of the chart.
    Template,
    /// A rendered object or hook.
    Object,
    /// The chart's values, its schema, or its notes.
    Chart,
    /// The user's values.
    Values,
}

impl std::fmt::Display for TooLarge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "the release record of {} has {} bytes packed, a Secret holds {LIMIT}, {RESERVE} of them for what is only known after the install. The largest parts, each packed alone:",
            self.release, self.bytes
        )?;
        for part in self.parts.iter().take(SHOWN) {
            let what = match part.kind {
                PartKind::File => "file of the chart",
                PartKind::Template => "template of the chart",
                PartKind::Object => "rendered object",
                PartKind::Chart => "of the chart:",
                PartKind::Values => "given:",
            };
            write!(f, "\n  {} bytes: {what} {}", part.bytes, part.name)?;
        }
        let advice = match self.parts.first().map(|part| part.kind) {
            Some(PartKind::File) => {
                "let .helmignore leave out files that the chart does not need, or package the chart without them"
            }
            Some(PartKind::Object) => {
                "turn off by values what is not needed, or install part of the objects (custom resource definitions, dashboards) by a chart of their own"
            }
            Some(PartKind::Values) => {
                "give large texts by a ConfigMap or Secret of their own instead of by values"
            }
            _ => "split the chart, or shorten its templates and values",
        };
        write!(f, "\nWhat helps: {advice}.")
    }
}

impl Record {
    /// Whether the record will fit into its Secret, also once its state has changed: to be asked at plan, before anything is
    /// installed.
    ///
    /// # Errors
    /// [`Error::RecordTooLarge`], with what makes it large.
    pub fn check_size(&self) -> Result<(), Error> {
        self.check_bytes(self.encode()?.len(), LIMIT - RESERVE)
    }
    /// Whether so many bytes are allowed.
    pub(super) fn check_bytes(&self, bytes: usize, limit: usize) -> Result<(), Error> {
        if bytes <= limit {
            return Ok(());
        }
        Err(Error::RecordTooLarge(Box::new(TooLarge {
            release: self.name.clone(),
            bytes,
            parts: self.parts()?,
        })))
    }
    fn parts(&self) -> Result<Vec<Part>, Error> {
        let mut parts = Vec::new();
        let mut add = |kind, name: &str, bytes: &[u8]| -> Result<(), Error> {
            parts.push(Part {
                kind,
                name: name.to_owned(),
                bytes: packed(bytes)?.len(),
            });
            Ok(())
        };
        for (key, kind) in [("templates", PartKind::Template), ("files", PartKind::File)] {
            for file in self.chart[key].as_array().into_iter().flatten() {
                let text = |key: &str| file[key].as_str().unwrap_or_default();
                add(kind, text("name"), text("data").as_bytes())?;
            }
        }
        let json = |value: &Json| value.to_string().into_bytes();
        add(PartKind::Chart, "values.yaml", &json(&self.chart["values"]))?;
        add(
            PartKind::Chart,
            "values.schema.json",
            &json(&self.chart["schema"]),
        )?;
        add(PartKind::Chart, "notes", self.notes.as_bytes())?;
        add(PartKind::Values, "values", &json(&self.config))?;
        for document in self.manifest.split("---\n# Source: ").skip(1) {
            add(PartKind::Object, &object_name(document), document.as_bytes())?;
        }
        for hook in &self.hooks {
            let name = format!(
                "{} {} (hook)",
                hook["kind"].as_str().unwrap_or_default(),
                hook["name"].as_str().unwrap_or_default()
            );
            add(PartKind::Object, &name, &json(hook))?;
        }
        parts.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.name.cmp(&b.name)));
        Ok(parts)
    }
}

/// Kind, name and template of a document of the manifest, whose first line is the template.
fn object_name(document: &str) -> String {
    let (source, text) = document.split_once('\n').unwrap_or((document, ""));
    let mut name = String::new();
    if let Ok(object) = crate::yaml::parse(text) {
        let at = |path: &str| crate::values::at_path(&object, path);
        for part in [at("kind"), at("metadata.name")].into_iter().flatten() {
            let _ = write!(name, "{} ", crate::gofmt::text(&part));
        }
    }
    format!("{name}({source})")
}
