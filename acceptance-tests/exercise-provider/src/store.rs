//! Items as files.

use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;

use framework::{Attr, AttributeType as _, Diagnostic, Model as _, Path, Value};
use reconcile::locks::Locks;
use reconcile::resource::GivenTags;
use reconcile::shared_tags::IgnoredTags;

use crate::item::Item;

/// A directory of items.
#[derive(Debug)]
pub struct Store {
    pub directory: PathBuf,
    pub default_label: String,
    pub default_tags: Attr<GivenTags>,
    pub ignored_tags: IgnoredTags,
    pub locks: Locks,
}

impl Store {
    fn file(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.json"))
    }

    fn failed(name: &str, error: &dyn std::fmt::Display) -> Diagnostic {
        Diagnostic::error(
            "EX002",
            "The item's file cannot be used",
            format!("Item `{name}`: {error}."),
        )
    }

    /// The item of that name; `None` where there is none.
    pub fn get(&self, name: &str) -> Result<Option<Item>, Diagnostic> {
        let failed = |error: &dyn std::fmt::Display| Self::failed(name, error);
        let bytes = match std::fs::read(self.file(name)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(&error)),
        };
        let json = serde_json::from_slice(&bytes).map_err(|error| failed(&error))?;
        let value = Value::from_json(&json, &Item::block().ty()).map_err(|error| failed(&error))?;
        Item::decode(&value, &Path::root())
            .map(Some)
            .map_err(|error| failed(&error.into_diagnostics()))
    }

    /// Writes the item.
    pub fn put(&self, item: &Item) -> Result<(), Diagnostic> {
        let name = item.name.known().cloned().unwrap_or_default();
        let failed = |error: &dyn std::fmt::Display| Self::failed(&name, error);
        let json = item
            .encode()
            .to_json(&Item::block().ty())
            .map_err(|error| failed(&error))?;
        std::fs::write(self.file(&name), json.to_string()).map_err(|error| failed(&error))
    }

    /// Removes the item; that it is gone already is no error.
    pub fn remove(&self, name: &str) -> Result<(), Diagnostic> {
        match std::fs::remove_file(self.file(name)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(Self::failed(name, &error)),
            _ => Ok(()),
        }
    }

    /// Appends a line to the log of what happened.
    pub fn note(&self, line: &str) -> Result<(), Diagnostic> {
        let file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.directory.join("events.log"));
        file.and_then(|mut file| writeln!(file, "{line}"))
            .map_err(|error| Self::failed("*", &error))
    }

    /// The names of all items, sorted.
    pub fn names(&self) -> Result<Vec<String>, Diagnostic> {
        let entries = std::fs::read_dir(&self.directory).map_err(|error| Self::failed("*", &error))?;
        let names = entries.flatten().filter_map(|entry| {
            entry
                .file_name()
                .to_str()?
                .strip_suffix(".json")
                .map(str::to_owned)
        });
        let mut names: Vec<_> = names.collect();
        names.sort();
        Ok(names)
    }
}
