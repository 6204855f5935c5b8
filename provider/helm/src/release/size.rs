//! How large a release record is, and what makes it so: known from what was rendered, before anything is installed.

use std::fmt::Write as _;

use serde_json::Value as Json;

use super::{Record, packed};
use crate::chart::error::Error;
use crate::chart::record::RESERVE;
pub use crate::chart::record::{LIMIT, Part, PartKind, TooLarge};

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
    if let Ok(object) = crate::text::yaml::parse(text) {
        let at = |path: &str| crate::chart::values::at_path(&object, path);
        for part in [at("kind"), at("metadata.name")].into_iter().flatten() {
            let _ = write!(name, "{} ", crate::value::gofmt::text(&part));
        }
    }
    format!("{name}({source})")
}
