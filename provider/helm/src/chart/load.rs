//! Loading: from a folder, from an archive, from a list of files.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};

use super::{Chart, File, Metadata, TemplateFile, archive, as_string, decode, ignore::Ignore, to_json};
use crate::chart::error::Error;
use crate::chart::values;
use crate::text::yaml;
use crate::value::Value;

/// Deepest nesting of charts in charts.
const MAX_DEPTH: usize = 16;
/// Deepest nesting of folders.
const MAX_FOLDERS: usize = 32;
/// Most files and folders of a folder.
const MAX_FILES: usize = 20_000;

impl Chart {
    /// Loads a folder or a `.tgz` file. Links that lead out of the folder are refused.
    ///
    /// # Errors
    /// What helm would refuse, or what is larger than allowed.
    pub fn load(path: impl AsRef<Path>) -> Result<Chart, Error> {
        Chart::load_with(path, Links::Inside)
    }
    /// Loads a folder or a `.tgz` file.
    ///
    /// # Errors
    /// As for [`Chart::load`].
    pub fn load_with(path: impl AsRef<Path>, links: Links) -> Result<Chart, Error> {
        Chart::from_files(files(path.as_ref(), links)?.0)
    }
    /// Loads a `.tgz` from memory.
    ///
    /// # Errors
    /// As for [`Chart::load`].
    pub fn from_archive(bytes: &[u8]) -> Result<Chart, Error> {
        unpack(bytes, archive::MAX_NESTED)
    }
    /// Loads a chart from its files, whose names are relative to it.
    ///
    /// # Errors
    /// As for [`Chart::load`].
    pub fn from_files(files: Vec<File>) -> Result<Chart, Error> {
        from_files(files, 0, &mut archive::MAX_NESTED.clone())
    }
}

/// The files of a folder or `.tgz`, and for a `.tgz` its bytes.
fn files(path: &Path, links: Links) -> Result<(Vec<File>, Option<Vec<u8>>), Error> {
    let meta = std::fs::metadata(path).map_err(|_| {
        Error::Chart(format!(
            "path {} not found",
            crate::value::gofmt::quote(&path.display().to_string())
        ))
    })?;
    if meta.is_dir() {
        return Ok((folder(path, links)?, None));
    }
    let bytes = std::fs::read(path).map_err(|e| Error::Chart(format!("{}: {e}", path.display())))?;
    Ok((
        archive::files(&bytes, &mut archive::MAX_NESTED.clone())?,
        Some(bytes),
    ))
}

/// The files of a folder or `.tgz`, and their digest (`sha256:…`): of the archive's bytes, or of the names and contents
/// of a folder's files.
///
/// # Errors
/// As for [`Chart::load`].
pub fn read(path: &Path, links: Links) -> Result<(Vec<File>, String), Error> {
    let (files, bytes) = files(path, links)?;
    let mut hash = Sha256::new();
    match bytes {
        Some(bytes) => hash.update(bytes),
        None => {
            for file in &files {
                for part in [file.name.as_bytes(), &file.data] {
                    // Lengths keep `ab` + `c` apart from `a` + `bc`.
                    hash.update((part.len() as u64).to_le_bytes());
                    hash.update(part);
                }
            }
        }
    }
    let digest = hash
        .finalize()
        .iter()
        .fold(String::from("sha256:"), |mut out, byte| {
            let _ = write!(out, "{byte:02x}");
            out
        });
    Ok((files, digest))
}

/// Reads `Chart.yaml` and its kin.
fn parse(file: &File, shape: &decode::Shape) -> Result<Value, Error> {
    yaml::text(&file.data)
        .and_then(yaml::parse_exact)
        .map_err(|e| yaml::convert_error(&e))
        .and_then(|value| decode::check(&value, shape).map(|()| value))
        .map_err(|e| Error::Chart(format!("cannot load {}: {e}", file.name)))
}

/// The API version of a chart says which helm reads it.
fn check_api_version(chart_file: &Value) -> Result<(), Error> {
    let given = match chart_file {
        Value::Map(map) => map.get("apiVersion").unwrap_or_default(),
        _ => Value::Nil,
    };
    match as_string(&given).as_str() {
        "" | "v1" | "v2" => Ok(()),
        "v3" => Err(Error::Chart("invalid chart apiVersion".into())),
        _ => Err(Error::Chart("unsupported chart version".into())),
    }
}

/// An entry of `maintainers` or `dependencies` that is nothing is refused.
fn check_nodes(chart_file: &Value) -> Result<(), Error> {
    let Value::Map(map) = chart_file else {
        return Ok(());
    };
    for key in ["maintainers", "dependencies"] {
        let items = map.get(key).and_then(|v| v.items()).unwrap_or_default();
        if items.iter().any(Value::is_nil) {
            let why = format!("validation: {key} must not contain empty or null nodes");
            return Err(Error::Chart(why));
        }
    }
    Ok(())
}

/// `budget`: how many bytes the archives in it may still unpack to.
fn from_files(files: Vec<File>, depth: usize, budget: &mut u64) -> Result<Chart, Error> {
    if depth > MAX_DEPTH {
        return Err(Error::Chart("charts are nested too deeply".into()));
    }
    let chart_file = files
        .iter()
        .find(|f| &*f.name == "Chart.yaml")
        .ok_or_else(|| Error::Chart("Chart.yaml file is missing".into()))?;
    let read = parse(chart_file, &decode::CHART)?;
    check_api_version(&read)?;
    check_nodes(&read)?;
    let mut metadata = Metadata::from_value(&read);
    let first = metadata.text("apiVersion").is_empty();
    if first {
        metadata
            .strings
            .insert("apiVersion".into(), Json::String("v1".into()));
    }
    let mut chart = Chart {
        metadata,
        values: Arc::new(Json::Object(Default::default())),
        values_text: "".into(),
        schema: None,
        templates: Arc::default(),
        files: Arc::default(),
        lock: None,
        dependencies: Vec::new(),
        path: String::new(),
    };
    // Only charts of version v1 have their requirements in files of their own.
    let old = chart.metadata.text("apiVersion") == "v1";
    let (mut templates, mut others) = (Vec::new(), Vec::new());
    let mut packed: BTreeMap<String, Vec<File>> = BTreeMap::new();
    for file in files {
        let name: &str = &file.name;
        match name {
            "Chart.yaml" => {}
            "Chart.lock" => chart.lock = Some(Arc::new(to_json(&parse(&file, &decode::LOCK)?))),
            "values.yaml" => {
                let values = values::read_bytes(&file.data)
                    .map_err(|e| Error::Chart(format!("cannot load {}: {e}", file.name)))?;
                chart.values = Arc::new(to_json(&Value::Map(values)));
                chart.values_text = String::from_utf8_lossy(&file.data).into();
            }
            "values.schema.json" => chart.schema = Some(file.data.clone()),
            "requirements.yaml" => {
                if let Value::Map(map) = parse(&file, &decode::CHART)? {
                    chart.metadata.dependencies = super::dependencies_of(map.get("dependencies"));
                }
                if old {
                    others.push(file);
                }
            }
            "requirements.lock" => {
                let lock = parse(&file, &decode::LOCK)?;
                chart.lock.get_or_insert_with(|| Arc::new(to_json(&lock)));
                if old {
                    others.push(file);
                }
            }
            _ if name.starts_with("templates/") => {
                templates.push(TemplateFile::from_bytes(file.name.clone(), &file.data));
            }
            _ if name.starts_with("charts/") => {
                let inner = &name["charts/".len()..];
                if inner.ends_with(".prov") {
                    others.push(file);
                    continue;
                }
                let (folder, rest) = inner.split_once('/').unwrap_or((inner, inner));
                let entry = File {
                    name: rest.into(),
                    data: file.data.clone(),
                };
                packed.entry(folder.to_owned()).or_default().push(entry);
            }
            _ => others.push(file),
        }
    }
    chart.validate()?;
    for (name, files) in packed {
        if name.starts_with(['_', '.']) {
            continue;
        }
        let inside = |e: Error| {
            Error::Chart(format!(
                "error unpacking subchart {name} in {}: {e}",
                chart.metadata.name
            ))
        };
        let dependency = if name.ends_with(".tgz") {
            let Some(file) = files.iter().find(|f| *f.name == *name) else {
                return Err(Error::Chart(format!(
                    "error unpacking subchart tar in {}: expected {name}",
                    chart.metadata.name
                )));
            };
            from_files(
                archive::files(&file.data, budget).map_err(inside)?,
                depth + 1,
                budget,
            )
            .map_err(inside)?
        } else {
            from_files(files, depth + 1, budget).map_err(inside)?
        };
        chart.dependencies.push(dependency);
    }
    chart.templates = Arc::new(templates);
    chart.files = Arc::new(others);
    Ok(chart)
}

/// A chart from an archive, that may unpack to so many bytes.
pub(super) fn unpack(bytes: &[u8], mut budget: u64) -> Result<Chart, Error> {
    from_files(archive::files(bytes, &mut budget)?, 0, &mut budget)
}

/// Whether links of a folder may lead out of it. Those of an archive never do: they are empty files, as to helm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Links {
    /// A link that leads out is refused: a chart from elsewhere could otherwise read any file of ours.
    #[default]
    Inside,
    /// All are followed, as helm does: for charts whose authors keep what they share beside them.
    Anywhere,
}

/// The files of a folder that `.helmignore` leaves in.
fn folder(root: &Path, links: Links) -> Result<Vec<File>, Error> {
    let path = root.join(".helmignore");
    let ignore = match std::fs::read(&path) {
        Ok(rules) => Ignore::parse(&String::from_utf8_lossy(&archive::without_mark(rules)))?,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ignore::parse("")?,
        Err(e) => return Err(unreadable(&path, &e)),
    };
    let root = root.canonicalize().map_err(|e| unreadable(root, &e))?;
    let mut walk = Walk {
        ignore,
        links,
        within: vec![root.clone()],
        total: 0,
        entries: 0,
        files: Vec::new(),
    };
    walk.folder(&root, "")?;
    Ok(walk.files)
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    Error::Chart(format!("{}: {error}", path.display()))
}

struct Walk {
    ignore: Ignore,
    links: Links,
    /// The folders around us, resolved; the first is the chart.
    within: Vec<PathBuf>,
    total: u64,
    entries: usize,
    files: Vec<File>,
}

impl Walk {
    fn folder(&mut self, folder: &Path, prefix: &str) -> Result<(), Error> {
        if self.within.len() > MAX_FOLDERS {
            return Err(Error::Chart("folders are nested too deeply".into()));
        }
        let bad = |e: std::io::Error| unreadable(folder, &e);
        let mut names: Vec<_> = std::fs::read_dir(folder)
            .map_err(bad)?
            .collect::<Result<Vec<_>, _>>()
            .map_err(bad)?;
        names.sort_by_key(std::fs::DirEntry::file_name);
        for entry in names {
            self.entries += 1;
            if self.entries > MAX_FILES {
                return Err(Error::Chart(format!("the chart has more than {MAX_FILES} files")));
            }
            let name = entry.file_name().to_string_lossy().into_owned();
            let name = if prefix.is_empty() {
                name
            } else {
                format!("{prefix}/{name}")
            };
            let path = entry.path();
            let meta = std::fs::metadata(&path).map_err(|e| unreadable(&path, &e))?;
            if self.ignore.ignores(&name, meta.is_dir()) {
                continue;
            }
            let path = self.resolved(path, &name, entry.file_type().map_err(bad)?.is_symlink())?;
            if meta.is_dir() {
                if self.within.contains(&path) {
                    return Err(Error::Chart(format!(
                        "chart file {} is a symbolic link to a folder around it",
                        crate::value::gofmt::quote(&name)
                    )));
                }
                self.within.push(path.clone());
                self.folder(&path, &name)?;
                self.within.pop();
            } else if meta.is_file() {
                self.file(&path, &name, meta.len())?;
            } else {
                return Err(Error::Chart(format!(
                    "cannot load irregular file {name} as it has file mode type bits set"
                )));
            }
        }
        Ok(())
    }

    /// What a link leads to, if it may.
    fn resolved(&self, path: PathBuf, name: &str, is_link: bool) -> Result<PathBuf, Error> {
        if !is_link {
            return Ok(path);
        }
        let target = path.canonicalize().map_err(|e| unreadable(&path, &e))?;
        if self.links == Links::Inside && !target.starts_with(&self.within[0]) {
            return Err(Error::Chart(format!(
                "chart file {} is a symbolic link that leads out of the chart, to {}: copy what it leads to, or allow it",
                crate::value::gofmt::quote(name),
                target.display()
            )));
        }
        Ok(target)
    }

    fn file(&mut self, path: &Path, name: &str, length: u64) -> Result<(), Error> {
        self.total += length;
        if self.total > archive::MAX_TOTAL {
            return Err(Error::Chart(format!(
                "the chart is larger than the maximum size {}",
                archive::MAX_TOTAL
            )));
        }
        let data = std::fs::read(path).map_err(|e| unreadable(path, &e))?;
        self.files.push(File {
            name: name.into(),
            data: archive::without_mark(data).into(),
        });
        Ok(())
    }
}
