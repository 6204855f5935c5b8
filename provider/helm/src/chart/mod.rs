//! Charts: loaded from folders and archives, with their dependencies.

pub mod archive;
mod decode;
pub mod dependencies;
pub mod error;
pub mod fetch;
pub mod ignore;
pub mod load;
pub mod record;
pub mod set;
pub mod values;

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use serde_json::{Map as JsonMap, Value as Json};

use crate::chart::error::Error;
use crate::chart::values::Defaults;
use crate::functions;
use crate::template::node::Tree;
use crate::template::parser::ParseError;
use crate::value::{MapType, Value, deeper};

/// A chart with its subcharts. Cloning is cheap: contents are shared.
#[derive(Clone, Debug)]
pub struct Chart {
    /// `Chart.yaml`, as JSON.
    pub metadata: Metadata,
    /// `values.yaml`, as JSON (an object).
    pub values: Arc<Json>,
    /// `values.yaml` as text.
    pub values_text: Arc<str>,
    /// `values.schema.json`.
    pub schema: Option<Arc<[u8]>>,
    /// Files of `templates/`.
    pub templates: Arc<Vec<TemplateFile>>,
    /// All other files, among them `crds/`.
    pub files: Arc<Vec<File>>,
    /// `Chart.lock`, as JSON.
    pub lock: Option<Arc<Json>>,
    /// Subcharts.
    pub dependencies: Vec<Chart>,
    /// Where helm says that the chart lies, `c/charts/sub`; empty before [`dependencies::process`].
    pub path: String,
}

/// A file of a chart.
#[derive(Clone, Debug)]
pub struct File {
    /// Path in the chart.
    pub name: Arc<str>,
    /// Content.
    pub data: Arc<[u8]>,
}

/// The trees of a file, or what is wrong with it.
type Parsed = Result<Vec<Arc<Tree>>, ParseError>;

/// A file of `templates/`, parsed when first needed.
#[derive(Debug)]
pub struct TemplateFile {
    /// Path in the chart.
    pub name: Arc<str>,
    /// Content; code points of a file that is no UTF-8 stand for its bytes.
    pub text: Arc<str>,
    /// The content of a file that is no UTF-8.
    foreign: Option<Arc<[u8]>>,
    parsed: OnceLock<(Arc<str>, Parsed)>,
}

impl TemplateFile {
    /// A file that is not parsed yet.
    pub fn new(name: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        TemplateFile {
            name: name.into(),
            text: text.into(),
            foreign: None,
            parsed: OnceLock::new(),
        }
    }
    /// A file with this content.
    pub fn from_bytes(name: impl Into<Arc<str>>, data: &Arc<[u8]>) -> Self {
        match std::str::from_utf8(data) {
            Ok(text) => TemplateFile::new(name, text),
            Err(_) => TemplateFile {
                foreign: Some(data.clone()),
                ..TemplateFile::new(name, crate::template::parser::foreign_text(data))
            },
        }
    }
    /// Its content.
    pub fn data(&self) -> &[u8] {
        self.foreign.as_deref().unwrap_or(self.text.as_bytes())
    }
    /// The trees of the file under its full name.
    pub(crate) fn trees(&self, full_name: &Arc<str>) -> Parsed {
        let parse = || {
            let source = crate::template::node::Source {
                name: full_name.clone(),
                text: self.text.clone(),
                foreign: self.foreign.is_some(),
            };
            crate::template::parser::parse_source(source, functions::find)
                .map(|trees| trees.into_iter().map(Arc::new).collect())
        };
        let (name, trees) = self.parsed.get_or_init(|| (full_name.clone(), parse()));
        if name == full_name { trees.clone() } else { parse() }
    }
}

/// What `Chart.yaml` says.
#[derive(Clone, Debug, Default)]
pub struct Metadata {
    /// Name; an alias replaces it.
    pub name: String,
    /// Version.
    pub version: String,
    /// Everything that is a string, by the key of `Chart.yaml`.
    pub strings: JsonMap<String, Json>,
    /// `dependencies`; a chart without them is treated otherwise than one with an empty list.
    pub dependencies: Option<Vec<Dependency>>,
    /// `annotations`.
    pub annotations: JsonMap<String, Json>,
    /// Whether there are `annotations`, though none: `{}`.
    pub(crate) has_annotations: bool,
    /// `keywords`.
    pub keywords: Vec<String>,
    /// `sources`.
    pub sources: Vec<String>,
    /// `maintainers`: objects with name, email, url.
    pub maintainers: Vec<Json>,
    /// `deprecated`
    pub deprecated: bool,
}

/// An entry of `dependencies`.
#[derive(Clone, Debug, Default)]
pub struct Dependency {
    /// Name of the chart.
    pub name: String,
    /// Version constraint.
    pub version: String,
    /// Where it comes from.
    pub repository: String,
    /// Paths of values, the first boolean of which decides.
    pub condition: String,
    /// Tags.
    pub tags: Vec<String>,
    /// Whether it is rendered.
    pub enabled: bool,
    /// `import-values`.
    pub import_values: Vec<Json>,
    /// The name it gets.
    pub alias: String,
}

/// Keys of `Chart.yaml` that hold a string.
const STRINGS: [&str; 11] = [
    "name",
    "home",
    "version",
    "description",
    "icon",
    "apiVersion",
    "condition",
    "tags",
    "appVersion",
    "kubeVersion",
    "type",
];

/// A value as Go puts it into a string field.
fn as_string(value: &Value) -> String {
    match value {
        Value::Nil | Value::Invalid => String::new(),
        other => crate::value::gofmt::text(other),
    }
}

/// What helm shows of a text of `Chart.yaml`: on one line, printable.
fn one_line(value: Option<Value>) -> String {
    let text = value.map(|v| as_string(&v)).unwrap_or_default();
    let shown = |c: char| match c {
        c if c.is_whitespace() => Some(' '),
        c if crate::value::gofmt::printable(c) => Some(c),
        _ => None,
    };
    text.chars().filter_map(shown).collect()
}

fn strings(value: Option<Value>) -> Vec<String> {
    value
        .and_then(|v| v.items())
        .map(|items| items.iter().map(as_string).collect())
        .unwrap_or_default()
}

fn lines(value: Option<Value>) -> Vec<String> {
    let items = value.and_then(|v| v.items()).unwrap_or_default();
    items.iter().map(|item| one_line(Some(item.clone()))).collect()
}

impl Metadata {
    fn from_value(value: &Value) -> Metadata {
        let get = |key: &str| match value {
            Value::Map(map) => map.get(key),
            _ => None,
        };
        let text = |key: &str| one_line(get(key));
        let mut out = Metadata {
            name: text("name"),
            version: get("version").map(|v| as_string(&v)).unwrap_or_default(),
            ..Metadata::default()
        };
        for key in STRINGS {
            out.strings.insert(key.to_owned(), Json::String(text(key)));
        }
        out.strings.insert("version".into(), out.version.as_str().into());
        out.keywords = lines(get("keywords"));
        out.sources = lines(get("sources"));
        out.deprecated = get("deprecated").is_some_and(|v| v.truth());
        if let Some(Value::Map(map)) = get("annotations") {
            out.has_annotations = true;
            out.annotations = map
                .snapshot()
                .into_iter()
                .map(|(k, v)| (k.to_string(), as_string(&v).into()))
                .collect();
        }
        for maintainer in get("maintainers")
            .and_then(|v| v.items())
            .unwrap_or_default()
            .iter()
        {
            if let Value::Map(map) = maintainer {
                let field = |key: &str| Json::String(one_line(map.get(key)));
                out.maintainers.push(
                    serde_json::json!({"name": field("name"), "email": field("email"), "url": field("url")}),
                );
            }
        }
        out.dependencies = dependencies_of(get("dependencies"));
        out
    }
    /// A string of `Chart.yaml`, empty where there is none.
    pub fn text(&self, key: &str) -> &str {
        self.strings.get(key).and_then(Json::as_str).unwrap_or_default()
    }
    /// Whether it is a library: nothing of it is rendered by itself.
    pub fn is_library(&self) -> bool {
        self.text("type").eq_ignore_ascii_case("library")
    }
}

pub(crate) fn dependencies_of(value: Option<Value>) -> Option<Vec<Dependency>> {
    let mut out = Vec::new();
    for entry in value?.items()?.iter() {
        let Value::Map(map) = entry else { continue };
        let text = |key: &str| map.get(key).map(|v| as_string(&v)).unwrap_or_default();
        out.push(Dependency {
            name: text("name"),
            version: text("version"),
            repository: text("repository"),
            condition: text("condition"),
            tags: strings(map.get("tags")),
            enabled: map.get("enabled").is_some_and(|v| v.truth()),
            import_values: map
                .get("import-values")
                .and_then(|v| v.items())
                .map(|items| items.iter().map(to_json).collect())
                .unwrap_or_default(),
            alias: text("alias"),
        });
    }
    Some(out)
}

/// A value as JSON; what JSON lacks becomes null.
pub fn to_json(value: &Value) -> Json {
    match value {
        Value::Bool(b) => Json::Bool(*b),
        Value::Int(n, _) => Json::from(*n),
        // Only a float can be minus nothing.
        Value::Float(f) if f.fract() == 0.0 && f.abs() < 9e15 && f.to_bits() != (-0.0f64).to_bits() => {
            Json::from(*f as i64)
        }
        Value::Float(f) => serde_json::Number::from_f64(*f).map_or(Json::Null, Json::Number),
        Value::Str(s) => Json::String(s.to_string()),
        Value::Raw(b) => Json::String(String::from_utf8_lossy(b).into_owned()),
        Value::List(_) | Value::Bytes(_) => {
            let items = value.items().unwrap_or_default();
            Json::Array(deeper(|| items.iter().map(to_json).collect()))
        }
        Value::Map(map) => {
            let entries = map.snapshot();
            let entries = entries.iter().map(|(k, v)| (k.to_string(), to_json(v)));
            Json::Object(deeper(|| entries.collect()))
        }
        Value::Object(object) => to_json(&object.json()),
        Value::Invalid | Value::Nil => Json::Null,
    }
}

/// An entry of `import-values`: helm has made a `map[string]string` of those that it carried out.
fn import_value(entry: &Json) -> Value {
    let carried_out = |entries: &JsonMap<String, Json>| {
        entries.len() == 2
            && ["child", "parent"]
                .iter()
                .all(|key| entries.get(*key).is_some_and(Json::is_string))
    };
    match (Value::from_json(entry), entry) {
        (Value::Map(map), Json::Object(entries)) if carried_out(entries) => {
            Value::Map(map.with_type(MapType::Str))
        }
        (value, _) => value,
    }
}

impl Chart {
    /// Its name, or the alias under which its parent knows it.
    pub fn name(&self) -> &str {
        &self.metadata.name
    }
    /// The defaults of the chart and of the charts in it.
    pub fn defaults(&self) -> Defaults {
        Defaults {
            name: self.name().to_owned(),
            values: Value::from_json(&self.values),
            subcharts: self.dependencies.iter().map(Chart::defaults).collect(),
        }
    }
    /// Files of `crds/`, of this chart and then of its subcharts, with the path that helm prints.
    pub fn crds(&self) -> Vec<(String, File)> {
        let mut out = Vec::new();
        self.collect_crds(&mut out);
        out
    }
    fn collect_crds(&self, out: &mut Vec<(String, File)>) {
        for file in self.files.iter() {
            let yaml = [".yaml", ".yml", ".json"]
                .iter()
                .any(|end| file.name.ends_with(end));
            if file.name.starts_with("crds/") && yaml {
                out.push((format!("{}/{}", self.path, file.name), file.clone()));
            }
        }
        for dependency in &self.dependencies {
            dependency.collect_crds(out);
        }
    }
    /// `.Chart`, as templates see it.
    pub(crate) fn template_value(&self, root: bool) -> Value {
        let m = &self.metadata;
        let text = |key: &str| Value::str(m.text(key));
        let list = |items: &[String]| Value::strings(items.iter().map(String::as_str));
        let dependencies = m.dependencies.iter().flatten().map(|d| {
            Value::map([
                ("Name", Value::str(d.name.as_str())),
                ("Version", Value::str(d.version.as_str())),
                ("Repository", Value::str(d.repository.as_str())),
                ("Condition", Value::str(d.condition.as_str())),
                ("Tags", list(&d.tags)),
                ("Enabled", Value::Bool(d.enabled)),
                (
                    "ImportValues",
                    Value::list(d.import_values.iter().map(import_value).collect()),
                ),
                ("Alias", Value::str(d.alias.as_str())),
            ])
        });
        let maintainers = m.maintainers.iter().map(|x| {
            let field = |key: &str| Value::str(x[key].as_str().unwrap_or_default());
            Value::map([
                ("Name", field("name")),
                ("Email", field("email")),
                ("URL", field("url")),
            ])
        });
        let annotations = Value::map(
            m.annotations
                .iter()
                .map(|(k, v)| (k.as_str(), Value::str(v.as_str().unwrap_or_default()))),
        );
        Value::map([
            ("Name", Value::str(m.name.as_str())),
            ("Home", text("home")),
            ("Sources", list(&m.sources)),
            ("Version", text("version")),
            ("Description", text("description")),
            ("Keywords", list(&m.keywords)),
            ("Maintainers", Value::list(maintainers.collect())),
            ("Icon", text("icon")),
            ("APIVersion", text("apiVersion")),
            ("Condition", text("condition")),
            ("Tags", text("tags")),
            ("AppVersion", text("appVersion")),
            ("Deprecated", Value::Bool(m.deprecated)),
            (
                "Annotations",
                match annotations {
                    Value::Map(map) if !m.has_annotations => Value::Map(map.with_type(MapType::NilStr)),
                    Value::Map(map) => Value::Map(map.with_type(MapType::Str)),
                    other => other,
                },
            ),
            ("KubeVersion", text("kubeVersion")),
            ("Dependencies", Value::list(dependencies.collect())),
            ("Type", text("type")),
            ("IsRoot", Value::Bool(root)),
        ])
    }
    /// Checks what must hold of every chart.
    pub(crate) fn validate(&self) -> Result<(), Error> {
        let missing = |what: &str| Err(Error::Chart(format!("validation: chart.metadata.{what}")));
        if self.metadata.text("apiVersion").is_empty() {
            return missing("apiVersion is required");
        }
        if self.name().is_empty() {
            return missing("name is required");
        }
        if matches!(self.name(), "." | "..") {
            return missing(&format!(
                "name {} is not allowed",
                crate::value::gofmt::quote(self.name())
            ));
        }
        if self.name().contains('/') {
            return missing(&format!(
                "name {} is invalid",
                crate::value::gofmt::quote(self.name())
            ));
        }
        if self.metadata.version.is_empty() {
            return missing("version is required");
        }
        if crate::value::semver::Version::parse(&self.metadata.version).is_none() {
            return missing(&format!(
                "version {} is invalid",
                crate::value::gofmt::quote(&self.metadata.version)
            ));
        }
        if !matches!(self.metadata.text("type"), "" | "application" | "library") {
            return missing("type must be application or library");
        }
        let mut names = HashSet::new();
        for dependency in self.metadata.dependencies.iter().flatten() {
            let name = match dependency.alias.as_str() {
                "" => &dependency.name,
                alias => alias,
            };
            if !names.insert(name) {
                return Err(Error::Chart(format!(
                    "validation: more than one dependency with name or alias {}",
                    crate::value::gofmt::quote(name)
                )));
            }
        }
        Ok(())
    }
}
