//! Loading: from a folder, from an archive, from a list of files.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value as Json;

use super::{Chart, File, Metadata, TemplateFile, archive, ignore::Ignore, to_json};
use crate::error::Error;
use crate::value::Value;
use crate::yaml;

/// Deepest nesting of charts in charts.
const MAX_DEPTH: usize = 16;
/// Most files of a folder.
const MAX_FILES: usize = 20_000;

impl Chart {
    /// Loads a folder or a `.tgz` file.
    ///
    /// # Errors
    /// What helm would refuse, or what is larger than allowed.
    pub fn load(path: impl AsRef<Path>) -> Result<Chart, Error> {
        let path = path.as_ref();
        let meta = std::fs::metadata(path).map_err(|_| {
            Error::Chart(format!(
                "path {} not found",
                crate::gofmt::quote(&path.display().to_string())
            ))
        })?;
        if meta.is_dir() {
            return Chart::from_files(folder(path)?);
        }
        let bytes = std::fs::read(path).map_err(|e| Error::Chart(format!("{}: {e}", path.display())))?;
        Chart::from_archive(&bytes)
    }
    /// Loads a `.tgz` from memory.
    ///
    /// # Errors
    /// As for [`Chart::load`].
    pub fn from_archive(bytes: &[u8]) -> Result<Chart, Error> {
        Chart::from_files(archive::files(bytes)?)
    }
    /// Loads a chart from its files, whose names are relative to it.
    ///
    /// # Errors
    /// As for [`Chart::load`].
    pub fn from_files(files: Vec<File>) -> Result<Chart, Error> {
        from_files(files, 0)
    }
}

fn text(file: &File) -> String {
    String::from_utf8_lossy(&file.data).into_owned()
}

fn parse(file: &File) -> Result<Value, Error> {
    yaml::parse(&text(file))
        .map_err(|e| Error::Chart(format!("cannot load {}: {}", file.name, yaml::convert_error(&e))))
}

fn from_files(files: Vec<File>, depth: usize) -> Result<Chart, Error> {
    if depth > MAX_DEPTH {
        return Err(Error::Chart("charts are nested too deeply".into()));
    }
    let chart_file = files
        .iter()
        .find(|f| &*f.name == "Chart.yaml")
        .ok_or_else(|| Error::Chart("Chart.yaml file is missing".into()))?;
    let mut metadata = Metadata::from_value(&parse(chart_file)?);
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
    };
    let (mut templates, mut others) = (Vec::new(), Vec::new());
    let mut packed: BTreeMap<String, Vec<File>> = BTreeMap::new();
    for file in files {
        let name: &str = &file.name;
        match name {
            "Chart.yaml" => {}
            "Chart.lock" => chart.lock = Some(Arc::new(to_json(&parse(&file)?))),
            "values.yaml" => {
                let source = text(&file);
                chart.values = Arc::new(first_document(&file, &source)?);
                chart.values_text = source.into();
            }
            "values.schema.json" => chart.schema = Some(file.data.clone()),
            "requirements.yaml" => {
                if let Value::Map(map) = parse(&file)? {
                    chart.metadata.dependencies = super::dependencies_of(map.get("dependencies"));
                }
                others.push(file);
            }
            _ if name.starts_with("templates/") => {
                templates.push(TemplateFile::new(file.name.clone(), text(&file)));
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
            from_files(archive::files(&file.data).map_err(inside)?, depth + 1).map_err(inside)?
        } else {
            if files.iter().any(|f| f.name.as_ref() == name) {
                continue;
            }
            from_files(files, depth + 1).map_err(inside)?
        };
        chart.dependencies.push(dependency);
    }
    chart.templates = Arc::new(templates);
    chart.files = Arc::new(others);
    chart.validate()?;
    Ok(chart)
}

/// The documents of `values.yaml` merged, as helm reads several.
fn first_document(file: &File, source: &str) -> Result<Json, Error> {
    let value = yaml::parse(source).map_err(|e| {
        Error::Chart(format!(
            "cannot load {}: cannot unmarshal yaml document: {}",
            file.name,
            yaml::convert_error(&e)
        ))
    })?;
    match value {
        Value::Map(_) => Ok(to_json(&value)),
        Value::Nil | Value::Invalid => Ok(Json::Object(Default::default())),
        _ => Err(Error::Chart(format!(
            "cannot load {}: cannot unmarshal yaml document: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
            file.name,
            match value {
                Value::List(_) => "array",
                Value::Bool(_) => "bool",
                Value::Float(_) => "number",
                _ => "string",
            }
        ))),
    }
}

/// The files of a folder that `.helmignore` leaves in. Links are followed, as helm does: charts keep definitions beside
/// them this way, and a folder is its author's. Loops end at the limit of depth. Archives have no links (see `archive`).
fn folder(root: &Path) -> Result<Vec<File>, Error> {
    let ignore = match std::fs::read_to_string(root.join(".helmignore")) {
        Ok(text) => Ignore::parse(&text)?,
        Err(_) => Ignore::parse("")?,
    };
    let mut out = Vec::new();
    let mut total = 0;
    walk(root, "", &ignore, 0, &mut total, &mut out)?;
    Ok(out)
}

fn walk(
    folder: &Path,
    prefix: &str,
    ignore: &Ignore,
    depth: usize,
    total: &mut u64,
    out: &mut Vec<File>,
) -> Result<(), Error> {
    let bad = |e: std::io::Error| Error::Chart(format!("{}: {e}", folder.display()));
    if depth > 32 {
        return Err(Error::Chart("folders are nested too deeply".into()));
    }
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .map_err(bad)?
        .collect::<Result<Vec<_>, _>>()
        .map_err(bad)?;
    names.sort_by_key(std::fs::DirEntry::file_name);
    for entry in names {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if prefix.is_empty() {
            name
        } else {
            format!("{prefix}/{name}")
        };
        let meta = std::fs::metadata(entry.path()).map_err(bad)?;
        if ignore.ignores(&path, meta.is_dir()) {
            continue;
        }
        if meta.is_dir() {
            walk(&entry.path(), &path, ignore, depth + 1, total, out)?;
        } else if meta.is_file() {
            *total += meta.len();
            if meta.len() > archive::MAX_FILE || *total > archive::MAX_TOTAL || out.len() >= MAX_FILES {
                return Err(Error::Chart(format!(
                    "chart file {} is larger than the maximum file size {}",
                    crate::gofmt::quote(&path),
                    archive::MAX_FILE
                )));
            }
            let data = std::fs::read(entry.path()).map_err(bad)?;
            let data = data
                .strip_prefix(b"\xef\xbb\xbf")
                .map_or(data.clone(), <[u8]>::to_vec);
            out.push(File {
                name: path.into(),
                data: data.into(),
            });
        } else {
            return Err(Error::Chart(format!(
                "cannot load irregular file {path} as it has file mode type bits set"
            )));
        }
    }
    Ok(())
}
