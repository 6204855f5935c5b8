//! Charts: fetched, and rendered for a release, once a process for equal arguments.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use framework::{Attr, Diagnostic, Path, Type, Value};
use helm::remote::{Loaded, Loader, Request, Settings, Source};
use helm::render::GeneratedLeaf;
use helm::{Capabilities, Release, Rendered, Renderer};
use serde_json::Value as Json;

use super::model::Installed;
use super::values;

/// A chart as a release renders it.
#[derive(Debug)]
pub struct Manifests {
    /// What the templates gave.
    pub rendered: Rendered,
    /// The user's values, those of files among them.
    pub values: Json,
    /// What was rendered: another chart, version or value is another text.
    pub digest: String,
    /// The values that the chart generates: other ones at every render.
    pub generated: Vec<GeneratedLeaf>,
    /// While some of the values are not known: for each document (definitions, then the others) the fields that follow from them.
    pub unknown: Option<Vec<BTreeSet<String>>>,
    /// Whether it is for an apply: what is generated is random then.
    is_random: bool,
}

/// What has been fetched and rendered so far. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Charts(Arc<All>);

#[derive(Debug, Default)]
struct All {
    loaded: Mutex<HashMap<String, Arc<Loaded>>>,
    rendered: Mutex<HashMap<String, Arc<Manifests>>>,
}

/// What a chart is rendered for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To be shown: the same every time.
    Plan,
    /// To be applied: what it generates is random.
    Apply,
}

/// What to do where a file is not found.
const IN_FOLDER: &str =
    "Paths are those of the working folder: write `${path.module}/…` for what lies beside the configuration.";

/// The arguments that say which chart it is, where all are known.
#[derive(Debug)]
struct Asked {
    source: Source,
    version: Option<String>,
    digest: Option<String>,
}

fn text(of: &Attr<String>) -> Option<Option<String>> {
    match of {
        Attr::Unknown => None,
        Attr::Null => Some(None),
        Attr::Known(text) => Some(Some(text.clone())),
    }
}

fn asked(model: &Installed) -> Option<Asked> {
    let chart = model.chart.known()?;
    let repository = text(&model.repository)?;
    Some(Asked {
        source: Source::parse(chart, repository.as_deref()),
        version: text(&model.version)?,
        digest: text(&model.digest)?,
    })
}

impl Charts {
    /// Gets the chart, and says in the model which it is; renders it where all is known that it follows from.
    ///
    /// # Errors
    /// The chart cannot be had, or cannot be rendered with these values.
    pub async fn find(
        &self,
        model: &mut Installed,
        purpose: Purpose,
    ) -> Result<Option<Arc<Manifests>>, Diagnostic> {
        let loaded = self.load(model).await?;
        let said = |of: fn(&Loaded) -> String| match &loaded {
            Some(loaded) => Attr::Known(of(loaded)),
            None => Attr::Unknown,
        };
        model.chart_name = said(|loaded| loaded.chart.metadata.name.clone());
        model.chart_version = said(|loaded| loaded.chart.metadata.version.clone());
        model.app_version = said(|loaded| loaded.chart.metadata.text("appVersion").to_owned());
        model.chart_digest = said(|loaded| loaded.provenance.digest.clone());
        let (Some(loaded), Some(arguments)) = (loaded, Arguments::of(model)?) else {
            return Ok(None);
        };
        let digest = arguments.digest(&loaded.provenance.digest);
        let is_random = purpose == Purpose::Apply;
        let there = lock(&self.0.rendered).get(&digest).cloned();
        if let Some(manifests) = there.filter(|manifests| manifests.is_random >= is_random) {
            return Ok(Some(manifests));
        }
        let manifests = match &arguments.other_values {
            None => Some(arguments.render(&loaded, &arguments.values, digest.clone(), is_random)?),
            Some(other) => arguments.render_with_unknowns(&loaded, other, &digest),
        };
        let manifests = manifests.map(Arc::new);
        if let Some(manifests) = &manifests {
            lock(&self.0.rendered).insert(digest, Arc::clone(manifests));
        }
        Ok(manifests)
    }

    async fn load(&self, model: &Installed) -> Result<Option<Arc<Loaded>>, Diagnostic> {
        let Some(Asked {
            source,
            version,
            digest,
        }) = asked(model)
        else {
            return Ok(None);
        };
        // What was planned is what is applied, and what was resolved once stays, though there are newer ones by now.
        let resolved = model.chart_digest.known().zip(model.chart_version.known());
        let (version, digest) = match resolved {
            Some((bytes, found)) => (Some(found.clone()), digest.or_else(|| Some(bytes.clone()))),
            None => (version, digest),
        };
        let is_folder = matches!(&source, Source::Path(path) if path.is_dir());
        let key = format!("{source}\n{version:?}\n{digest:?}");
        // Of a folder each look counts: it may have been edited since.
        if !is_folder && let Some(loaded) = lock(&self.0.loaded).get(&key) {
            return Ok(Some(Arc::clone(loaded)));
        }
        // Of registries and repositories the failure itself says what to do.
        let hint = match &source {
            Source::Path(_) => IN_FOLDER,
            _ => "",
        };
        let refused = |error: helm::Error| {
            let chart = model.chart.known().map_or("", String::as_str);
            Diagnostic::error(
                "EKB2401",
                "The chart cannot be had",
                format!(
                    "Loading the chart {chart}: {}.",
                    error.to_string().trim_end_matches('.')
                ),
            )
            .hint(hint)
            .at(Path::from("chart"))
        };
        let mut request = Request::new(source);
        (request.version, request.digest) = (version, digest);
        let loader = Loader::new(Settings::from_environment()).map_err(refused)?;
        let loaded = Arc::new(loader.load(&request).await.map_err(refused)?);
        lock(&self.0.loaded).insert(key, Arc::clone(&loaded));
        Ok(Some(loaded))
    }

    /// What the release renders to, where it was rendered before.
    pub fn rendered(&self, model: &Installed) -> Option<Arc<Manifests>> {
        let arguments = Arguments::of(model).ok().flatten()?;
        let chart = model.chart_digest.known()?;
        lock(&self.0.rendered).get(&arguments.digest(chart)).cloned()
    }
}

fn lock<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a render follows from beside the chart.
struct Arguments {
    name: String,
    namespace: String,
    kubernetes_version: String,
    api_versions: Vec<String>,
    skip_crds: bool,
    values: Json,
    /// While some of the values are not known: the same with other placeholders in their place.
    other_values: Option<Json>,
}

impl Arguments {
    fn of(model: &Installed) -> Result<Option<Self>, Diagnostic> {
        let api_versions = match &model.api_versions {
            Attr::Unknown => return Ok(None),
            other => other.clone().unwrap_or_default(),
        };
        let (Attr::Known(name), Attr::Known(namespace), Attr::Known(version), Attr::Known(skip_crds)) = (
            &model.name,
            &model.namespace,
            &model.kubernetes_version,
            &model.skip_crds,
        ) else {
            return Ok(None);
        };
        let Some((values, other_values)) = user_values(model)? else {
            return Ok(None);
        };
        Ok(Some(Self {
            name: name.clone(),
            namespace: namespace.clone(),
            kubernetes_version: version.clone(),
            api_versions: api_versions.into_iter().collect(),
            skip_crds: *skip_crds,
            values,
            other_values,
        }))
    }

    fn digest(&self, chart: &str) -> String {
        let all = serde_json::json!([
            chart,
            self.name,
            self.namespace,
            self.kubernetes_version,
            self.api_versions,
            self.skip_crds,
            self.values,
            self.other_values
        ]);
        helm::remote::digest(all.to_string().as_bytes())
    }

    /// Rendered with one placeholder and with another for what is not known: what differs follows from that. None where that decides
    /// which objects there are, or where the chart cannot do with a placeholder.
    fn render_with_unknowns(&self, loaded: &Loaded, other: &Json, digest: &str) -> Option<Manifests> {
        let render = |values| self.render(loaded, values, digest.to_owned(), false).ok();
        let (mut one, other) = (render(&self.values)?, render(other)?);
        one.unknown = Some(differing_fields(&one.rendered, &other.rendered)?);
        Some(one)
    }

    fn render(
        &self,
        loaded: &Loaded,
        values: &Json,
        digest: String,
        is_random: bool,
    ) -> Result<Manifests, Diagnostic> {
        let refused = |at: &str, error: &helm::Error| {
            Diagnostic::error(
                "EKB2402",
                "The chart cannot be rendered",
                format!(
                    "{} {}: {error}",
                    loaded.provenance.name, loaded.provenance.version
                ),
            )
            .at(Path::from(at))
        };
        let mut renderer = Renderer::new(&loaded.chart, Release::new(&self.name, &self.namespace));
        renderer.capabilities = Capabilities::declared(&self.kubernetes_version, &self.api_versions)
            .map_err(|error| refused("kubernetes_version", &error))?;
        if is_random {
            renderer.environment = &helm::Process;
        }
        let mut rendered = renderer
            .render(values)
            .map_err(|error| refused("values", &error))?;
        let generated = renderer
            .generated_leaves(values, &rendered)
            .map_err(|error| refused("values", &error))?;
        if self.skip_crds {
            rendered.documents.crds.clear();
        }
        Ok(Manifests {
            rendered,
            values: values.clone(),
            digest,
            generated,
            unknown: None,
            is_random,
        })
    }
}

/// For each document the fields that differ; none where there are other documents in the other one.
fn differing_fields(one: &Rendered, other: &Rendered) -> Option<Vec<BTreeSet<String>>> {
    let hooks = |rendered: &Rendered| {
        let hooks = rendered.documents.hooks.iter();
        hooks
            .map(|hook| (hook.document.kind.clone(), hook.document.name.clone()))
            .collect::<Vec<_>>()
    };
    let all = |rendered: &Rendered| -> Option<Vec<Json>> {
        let documents = rendered
            .documents
            .crds
            .iter()
            .chain(&rendered.documents.manifests);
        documents.map(|document| document.json().ok()).collect()
    };
    let (documents, others) = (all(one)?, all(other)?);
    let named = |object: &Json| {
        let own = &object["metadata"];
        [
            object["apiVersion"].clone(),
            object["kind"].clone(),
            own["namespace"].clone(),
            own["name"].clone(),
        ]
    };
    let is_same = documents.len() == others.len()
        && documents.iter().map(named).eq(others.iter().map(named))
        && hooks(one) == hooks(other);
    let fields = |(one, other): (&Json, &Json)| {
        let names = [one, other].into_iter().filter_map(Json::as_object).flatten();
        let names = names
            .map(|(name, _)| name)
            .filter(|name| one.get(name) != other.get(name));
        names.cloned().collect()
    };
    is_same.then(|| documents.iter().zip(&others).map(fields).collect())
}

/// The user's values, and where some of them are not known the same with other placeholders in their place; `None` while not even
/// their form is known.
fn user_values(model: &Installed) -> Result<Option<(Json, Option<Json>)>, Diagnostic> {
    let value = match &model.values {
        Attr::Unknown => return Ok(None),
        Attr::Null => return Ok(all_values(model, Json::Null)?.map(|all| (all, None))),
        Attr::Known(value) => value,
    };
    if value.is_wholly_known() {
        return Ok(all_values(model, json(value)?)?.map(|all| (all, None)));
    }
    let value = values::untyped(value, &Type::Dynamic);
    let with = |other| values::with_placeholders(&value, other);
    let (Some(one), Some(other)) = (with(false), with(true)) else {
        return Ok(None);
    };
    let (one, other) = (all_values(model, json(&one)?)?, all_values(model, json(&other)?)?);
    Ok(one.zip(other).map(|(one, other)| (one, Some(other))))
}

/// `own` over the values of files; `None` while it is not known which these are.
fn all_values(model: &Installed, own: Json) -> Result<Option<Json>, Diagnostic> {
    if !own.is_object() && !own.is_null() {
        return Err(Diagnostic::error(
            "EKB2403",
            "Values are no object",
            "Values of a chart are an object: names with values.",
        )
        .hint("Write `values = { name = value }`.")
        .at(Path::from("values")));
    }
    let files = match &model.values_files {
        Attr::Unknown => return Ok(None),
        Attr::Null => &Vec::new(),
        Attr::Known(files) => files,
    };
    let mut all = Json::Object(serde_json::Map::new());
    for (index, file) in files.iter().enumerate() {
        let refused = |error: String| {
            Diagnostic::error(
                "EKB2404",
                "A file of values cannot be read",
                format!("{file}: {error}."),
            )
            .hint(IN_FOLDER)
            .at(Path::from("values_files").index(index))
        };
        let bytes = std::fs::read(file).map_err(|error| refused(error.to_string()))?;
        let values = helm::values::read_bytes(&bytes).map_err(refused)?;
        overlay(&mut all, helm::chart::to_json(&helm::value::Value::Map(values)));
    }
    if own.is_object() {
        overlay(&mut all, own);
    }
    Ok(Some(all))
}

/// Lays values over others, as helm does with several files.
fn overlay(base: &mut Json, over: Json) {
    match (base, over) {
        (Json::Object(base), Json::Object(over)) => {
            for (key, value) in over {
                overlay(base.entry(key).or_insert(Json::Null), value);
            }
        }
        (base, over) => *base = over,
    }
}

fn json(value: &Value) -> Result<Json, Diagnostic> {
    if let Value::Dynamic(inner) = value {
        return json(&inner.1);
    }
    value.to_json(&value.infer_type()).map_err(|error| {
        Diagnostic::error("EKB2403", "Values cannot be read", format!("{error}.")).at(Path::from("values"))
    })
}
