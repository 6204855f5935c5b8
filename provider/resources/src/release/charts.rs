//! Charts: fetched, and rendered for a release, once a process for equal arguments.

use std::cell::Cell;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use framework::{Attr, Diagnostic, Path, Secret, Type, Value};
use helm::remote::{Credentials, Loaded, Loader, Request, Settings, Source};
use helm::render::GeneratedLeaf;
use helm::{Capabilities, Document, Environment, Limits, Release, Rendered, Renderer};
use kubernetes::merge;
use serde_json::Value as Json;

use super::model::Installed;
use super::values;

/// A chart as a release renders it.
#[derive(Debug, Clone)]
pub struct Manifests {
    /// What the templates gave.
    pub rendered: Rendered,
    /// The user's values, those of files among them.
    pub values: Json,
    /// What was rendered: another chart, version or value is another text.
    pub digest: String,
    /// The values that the chart generates: other ones at every render.
    pub generated: Vec<GeneratedLeaf>,
    /// Those of them that follow from one random call, or from its certificates: they fit each other only. Known at apply.
    pub groups: Vec<Vec<GeneratedLeaf>>,
    /// Those that are made anew though their objects live, since something that shares them is gone.
    pub renewed: Vec<GeneratedLeaf>,
    /// What secret values make of it; none without any.
    pub secret: Option<WithSecrets>,
    /// The user's patches, by the keys of objects.
    pub overlay: Json,
    /// While some of the values are not known: for each document (definitions, then the others) the fields that follow from them.
    pub unknown: Option<Vec<BTreeSet<String>>>,
    /// Whether it is for an apply: what is generated is random then.
    pub is_random: bool,
}

/// Randomness by the number of the call: the same at every render, but for one call.
#[derive(Default)]
struct Numbered {
    other: Option<usize>,
    calls: Cell<usize>,
}

impl Environment for Numbered {
    fn random(&self, buffer: &mut [u8]) -> bool {
        let call = self.calls.replace(self.calls.get() + 1);
        let mut state = 2 * u64::try_from(call).unwrap_or_default() + u64::from(self.other == Some(call));
        for byte in buffer {
            // SplitMix64: any sequence would do.
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            *byte = mixed.to_be_bytes()[0];
        }
        true
    }
}

/// Most random calls of a chart that are told apart.
const CALLS: usize = 64;

/// Which generated values fit each other only: those that follow from one call, and those of certificates, which no sequence repeats.
fn groups(renderer: &Renderer<'_>, values: &Json) -> Result<Vec<Vec<GeneratedLeaf>>, helm::Error> {
    let render = |other: Option<usize>| {
        let environment = Numbered {
            other,
            ..Numbered::default()
        };
        let rendered = Renderer {
            chart: renderer.chart,
            release: renderer.release.clone(),
            capabilities: renderer.capabilities.clone(),
            environment: &environment,
            limits: Limits::default(),
            skip_schema: true,
            seed: 0,
        }
        .render(values)?;
        Ok::<_, helm::Error>((rendered, environment.calls.get()))
    };
    let (first, calls) = render(None)?;
    let always = apart(&first, &render(None)?.0);
    let mut all = Vec::new();
    for call in 0..calls.min(CALLS) {
        let mut leaves = apart(&first, &render(Some(call))?.0);
        leaves.retain(|leaf| !always.contains(leaf));
        all.push(leaves);
    }
    all.push(always);
    all.retain(|leaves| leaves.len() > 1);
    Ok(all)
}

/// The values in which two renders differ.
fn apart(one: &Rendered, other: &Rendered) -> Vec<GeneratedLeaf> {
    let pairs = one.documents.manifests.iter().zip(&other.documents.manifests);
    let mut all = Vec::new();
    for (one, other) in pairs.filter(|(one, other)| one.text != other.text) {
        let mut pointers = Vec::new();
        if let (Ok(is), Ok(was)) = (one.json(), other.json()) {
            // What differs in more than values is found by itself.
            let _ = same_form(&is, &was, "", &mut pointers);
        }
        all.extend(pointers.into_iter().map(|pointer| GeneratedLeaf {
            document: (one.kind.clone(), one.name.clone()),
            pointer,
        }));
    }
    all
}

/// The chart rendered with the user's secret values, where all else is rendered with something that stands for them.
#[derive(Clone)]
pub struct WithSecrets {
    /// What the templates gave.
    pub rendered: Rendered,
    /// The values, the secret ones among them.
    pub values: Json,
    /// Their version.
    pub version: u32,
    /// Where in the values the secret ones are.
    pub places: Vec<String>,
    /// Which of the documents have other values than without them.
    pub documents: BTreeSet<usize>,
    /// Which values these are.
    pub leaves: Vec<GeneratedLeaf>,
    /// Other secrets have another one. It leaves no process.
    digest: String,
}

impl fmt::Debug for WithSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// What has been fetched and rendered so far. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Charts(Arc<All>);

#[derive(Debug, Default)]
struct All {
    loaded: Mutex<HashMap<String, Arc<Loaded>>>,
    /// By what is known of the arguments without secret values.
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

/// What a chart says to who installs it; none where it says nothing.
pub fn notes(text: &str) -> Attr<String> {
    Attr::from_option(Some(text.trim_end().to_owned()).filter(|text| !text.is_empty()))
}

/// The host names of Ingresses and routes among the objects.
pub fn hosts(documents: &[Document]) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for document in documents {
        let is_route = document.group() == "gateway.networking.k8s.io" && document.kind.ends_with("Route");
        if document.kind != "Ingress" && !is_route {
            continue;
        }
        let spec = document.json().unwrap_or_default()["spec"].take();
        let list = |value: &Json| value.as_array().cloned().unwrap_or_default();
        let mut found = list(&spec["hostnames"]);
        found.extend(
            list(&spec["rules"])
                .into_iter()
                .map(|mut rule| rule["host"].take()),
        );
        found.extend(list(&spec["tls"]).iter().flat_map(|tls| list(&tls["hosts"])));
        all.extend(found.iter().filter_map(Json::as_str).map(str::to_owned));
    }
    all
}

/// A chart or an URL without who logs in.
pub fn without_user(text: &str) -> String {
    Source::parse(text, None).to_string()
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
    /// Gets the chart, and says in the model which it is; renders it where all is known that it follows from. Write-only arguments
    /// are those of `given`, the configuration.
    ///
    /// # Errors
    /// The chart cannot be had, or cannot be rendered with these values.
    pub async fn find(
        &self,
        model: &mut Installed,
        given: &Installed,
        purpose: Purpose,
    ) -> Result<Option<Arc<Manifests>>, Diagnostic> {
        let loaded = self.load(model, &given.repository_password_wo).await?;
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
        let secret = given.values_wo.as_ref().map(|secret| secret.expose().clone());
        let Some(secret) = object_of(&secret, "values_wo")? else {
            return Ok(None);
        };
        let secret = Some(secret).filter(|secret| !secret.is_null());
        let key = arguments.digest(&loaded.provenance.digest);
        let is_random = purpose == Purpose::Apply;
        let digest_of = |secret: &Json| helm::remote::digest(secret.to_string().as_bytes());
        let of_secret = secret.as_ref().map(digest_of);
        let there = lock(&self.0.rendered).get(&key).cloned();
        let there = there.filter(|manifests| {
            let known = manifests.secret.as_ref().map(|secret| &secret.digest);
            manifests.is_random >= is_random && known == of_secret.as_ref()
        });
        if let Some(manifests) = there {
            return Ok(Some(manifests));
        }
        let content = match &secret {
            Some(secret) => helm::remote::digest(format!("{key} {}", masked(secret)).as_bytes()),
            None => key.clone(),
        };
        let render = |values| arguments.render(&loaded, values, secret.as_ref(), &content, is_random);
        let manifests = match &arguments.other_values {
            None => Some(render(&arguments.values)?),
            Some(other) => with_unknowns(render(&arguments.values), render(other)),
        };
        let manifests = manifests.map(Arc::new);
        if let Some(manifests) = &manifests {
            lock(&self.0.rendered).insert(key, Arc::clone(manifests));
        }
        Ok(manifests)
    }

    async fn load(
        &self,
        model: &Installed,
        password: &Attr<Secret<String>>,
    ) -> Result<Option<Arc<Loaded>>, Diagnostic> {
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
        let mut settings = Settings::from_environment();
        if is_loopback(&source) {
            // Nobody is on the way.
            settings.plain_http = true;
        }
        settings.credentials = match (&model.repository_username, password) {
            (Attr::Unknown, _) | (_, Attr::Unknown) => return Ok(None),
            (Attr::Known(user), Attr::Known(password)) => {
                Some(Credentials::basic(user, password.expose().as_str()))
            }
            _ => None,
        };
        let mut request = Request::new(source);
        (request.version, request.digest) = (version, digest);
        let loader = Loader::new(settings).map_err(refused)?;
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

/// Whether it is a registry on this machine.
fn is_loopback(source: &Source) -> bool {
    let Source::Oci(reference) = source else {
        return false;
    };
    let host = reference.trim_start_matches("oci://").split('/').next();
    let host = host.and_then(|host| host.split(':').next()).unwrap_or_default();
    host == "localhost" || host.starts_with("127.")
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
    secret_version: Option<i64>,
    overlay: Json,
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
        let Some(overlay) = object_of(&model.overlay, "overlay")? else {
            return Ok(None);
        };
        if model.values_wo_version.is_unknown() {
            return Ok(None);
        }
        Ok(Some(Self {
            secret_version: model.values_wo_version.known().copied(),
            overlay,
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
            self.other_values,
            self.secret_version,
            self.overlay,
        ]);
        helm::remote::digest(all.to_string().as_bytes())
    }

    fn render(
        &self,
        loaded: &Loaded,
        public: &Json,
        secret: Option<&Json>,
        digest: &str,
        is_random: bool,
    ) -> Result<Manifests, Diagnostic> {
        let refused = |at: &str, error: String| {
            let of = &loaded.provenance;
            let detail = format!("{} {}: {error}", of.name, of.version);
            Diagnostic::error("EKB2402", "The chart cannot be rendered", detail).at(Path::from(at))
        };
        let mut values = public.clone();
        if let Some(secret) = secret {
            merge(&mut values, masked(secret));
        }
        let mut renderer = Renderer::new(&loaded.chart, Release::new(&self.name, &self.namespace));
        renderer.capabilities = Capabilities::declared(&self.kubernetes_version, &self.api_versions)
            .map_err(|error| refused("kubernetes_version", error.to_string()))?;
        // What stands for secret values is nothing that a schema has to allow.
        renderer.skip_schema = secret.is_some();
        if is_random && secret.is_none() {
            renderer.environment = &helm::Process;
        }
        let failed = |error: helm::Error| refused("values", error.to_string());
        let mut rendered = renderer.render(&values).map_err(failed)?;
        let generated = renderer.generated_leaves(&values, &rendered);
        let generated = generated.map_err(failed)?;
        let groups = if is_random && generated.len() > 1 {
            groups(&renderer, &values).map_err(failed)?
        } else {
            Vec::new()
        };
        let secret = match secret {
            Some(secret) => {
                let mut values = public.clone();
                merge(&mut values, secret.clone());
                let failed = |error: String| refused("values_wo", without(&error, secret));
                renderer.skip_schema = false;
                let render = |renderer: &Renderer<'_>| {
                    let rendered = renderer.render(&values);
                    rendered.map_err(|error| failed(error.to_string()))
                };
                let mut with = render(&renderer)?;
                let (documents, leaves) = differing(&rendered, &with).map_err(|place| {
                    Diagnostic::error(
                        "EKB2411",
                        "Secret values change more than values",
                        format!("With `values_wo` the chart has other objects or fields: {place}."),
                    )
                    .hint("Give in `values` what switches parts of the chart on and off, and in `values_wo` only what is secret.")
                    .at(Path::from("values_wo"))
                })?;
                if is_random {
                    renderer.environment = &helm::Process;
                    with = render(&renderer)?;
                }
                if self.skip_crds {
                    with.documents.crds.clear();
                }
                Some(WithSecrets {
                    rendered: with,
                    version: self
                        .secret_version
                        .and_then(|version| version.try_into().ok())
                        .unwrap_or_default(),
                    places: places(secret),
                    documents,
                    leaves,
                    digest: helm::remote::digest(secret.to_string().as_bytes()),
                    values,
                })
            }
            None => None,
        };
        if self.skip_crds {
            rendered.documents.crds.clear();
        }
        Ok(Manifests {
            rendered,
            values,
            digest: digest.to_owned(),
            generated,
            groups,
            renewed: Vec::new(),
            secret,
            overlay: self.overlay.clone(),
            unknown: None,
            is_random,
        })
    }
}

impl Manifests {
    /// What is applied and recorded, with the values that it was rendered with.
    pub fn real(&self) -> (&Rendered, &Json) {
        match &self.secret {
            Some(secret) => (&secret.rendered, &secret.values),
            None => (&self.rendered, &self.values),
        }
    }
}

/// Something of the same form that is no secret: texts stay texts that say something, or nothing.
fn masked(secret: &Json) -> Json {
    match secret {
        Json::Object(map) => {
            let map = map.iter().map(|(name, value)| (name.clone(), masked(value)));
            Json::Object(map.collect())
        }
        Json::Array(list) => list.iter().map(masked).collect(),
        Json::String(text) if !text.is_empty() => "(secret)".into(),
        Json::Number(_) => 0.into(),
        Json::Bool(_) => false.into(),
        other => other.clone(),
    }
}

/// The places of the leaves, as JSON pointers.
fn places(value: &Json) -> Vec<String> {
    fn walk(value: &Json, at: &str, all: &mut Vec<String>) {
        match value {
            Json::Object(map) => map.iter().for_each(|(name, value)| {
                let name = name.replace('~', "~0").replace('/', "~1");
                walk(value, &format!("{at}/{name}"), all);
            }),
            _ => all.push(at.to_owned()),
        }
    }
    let mut all = Vec::new();
    walk(value, "", &mut all);
    all
}

/// A message without the texts of secret values.
fn without(message: &str, secret: &Json) -> String {
    match secret {
        Json::Object(map) => map
            .values()
            .fold(message.to_owned(), |text, value| without(&text, value)),
        Json::Array(list) => list
            .iter()
            .fold(message.to_owned(), |text, value| without(&text, value)),
        Json::String(text) if text.len() > 2 => message.replace(text.as_str(), "(secret)"),
        Json::Number(number) if number.to_string().len() > 2 => {
            message.replace(&number.to_string(), "(secret)")
        }
        _ => message.to_owned(),
    }
}

/// Which documents have other values, and which these are; fails with the first place where there is more to it.
fn differing(plain: &Rendered, with: &Rendered) -> Result<(BTreeSet<usize>, Vec<GeneratedLeaf>), String> {
    let name = |document: &Document| format!("{}/{}", document.kind, document.name);
    let of = |rendered: &Rendered| -> Vec<String> {
        let hooks = rendered.documents.all_hooks.iter().map(|hook| &hook.document);
        rendered
            .documents
            .manifests
            .iter()
            .chain(hooks)
            .map(name)
            .collect()
    };
    let (names, others) = (of(plain), of(with));
    if let Some(one) = others.iter().find(|one| !names.contains(one)) {
        return Err(format!("{one} is there only with them"));
    }
    if let Some(one) = names.iter().find(|one| !others.contains(one)) {
        return Err(format!("{one} is there only without them"));
    }
    if names != others {
        return Err("their order is another".to_owned());
    }
    let (mut all, mut leaves) = (BTreeSet::new(), Vec::new());
    let pairs = plain.documents.manifests.iter().zip(&with.documents.manifests);
    for (index, (plain, with)) in pairs
        .enumerate()
        .filter(|(_, (plain, with))| plain.text != with.text)
    {
        let read = |document: &Document| document.json().map_err(|error| error.to_string());
        let mut pointers = Vec::new();
        same_form(&read(plain)?, &read(with)?, "", &mut pointers)
            .map_err(|why| format!("{} {why}", name(plain)))?;
        leaves.extend(pointers.into_iter().map(|pointer| GeneratedLeaf {
            document: (plain.kind.clone(), plain.name.clone()),
            pointer,
        }));
        all.insert(index);
    }
    Ok((all, leaves))
}

/// Collects the places (JSON pointers) where values differ; fails where more than values does.
fn same_form(plain: &Json, with: &Json, at: &str, differing: &mut Vec<String>) -> Result<(), String> {
    const FIXED: [&str; 4] = ["/apiVersion", "/kind", "/metadata/name", "/metadata/namespace"];
    match (plain, with) {
        (Json::Object(plain), Json::Object(with)) => {
            for name in plain.keys().chain(with.keys()) {
                let at = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
                match (plain.get(name), with.get(name)) {
                    (Some(plain), Some(with)) => same_form(plain, with, &at, differing)?,
                    _ => return Err(format!("{at}: it is there with or without them only")),
                }
            }
            Ok(())
        }
        (Json::Array(plain), Json::Array(with)) if plain.len() == with.len() => {
            let mut pairs = plain.iter().zip(with).enumerate();
            pairs.try_for_each(|(index, (plain, with))| {
                same_form(plain, with, &format!("{at}/{index}"), differing)
            })
        }
        (Json::Object(_) | Json::Array(_), _) | (_, Json::Object(_) | Json::Array(_)) => {
            Err(format!("{at}: its form is another"))
        }
        (plain, with) if plain == with => Ok(()),
        _ if FIXED.contains(&at) => Err(format!("{at}: it is another")),
        _ => {
            if !differing.iter().any(|place| place == at) {
                differing.push(at.to_owned());
            }
            Ok(())
        }
    }
}

/// Rendered with one placeholder and with another for what is not known: what differs follows from that. None where that decides
/// which objects there are, or where the chart cannot do with a placeholder.
fn with_unknowns(
    one: Result<Manifests, Diagnostic>,
    other: Result<Manifests, Diagnostic>,
) -> Option<Manifests> {
    let (mut one, other) = (one.ok()?, other.ok()?);
    one.unknown = Some(differing_fields(&one.rendered, &other.rendered)?);
    Some(one)
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
        return Ok(all_values(model, json(value, "values")?)?.map(|all| (all, None)));
    }
    let value = values::untyped(value, &Type::Dynamic);
    let with = |other| values::with_placeholders(&value, other);
    let (Some(one), Some(other)) = (with(false), with(true)) else {
        return Ok(None);
    };
    let (one, other) = (
        all_values(model, json(&one, "values")?)?,
        all_values(model, json(&other, "values")?)?,
    );
    Ok(one.zip(other).map(|(one, other)| (one, Some(other))))
}

/// `own` over the values of files; `None` while it is not known which these are.
fn all_values(model: &Installed, own: Json) -> Result<Option<Json>, Diagnostic> {
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
        merge(&mut all, helm::chart::to_json(&helm::value::Value::Map(values)));
    }
    if own.is_object() {
        merge(&mut all, own);
    }
    Ok(Some(all))
}

/// The object that an argument is, null where it is not given; `None` while some of it is not known.
fn object_of(argument: &Attr<Value>, at: &str) -> Result<Option<Json>, Diagnostic> {
    match argument {
        Attr::Null => Ok(Some(Json::Null)),
        Attr::Known(value) if value.is_wholly_known() => json(value, at).map(Some),
        Attr::Unknown | Attr::Known(_) => Ok(None),
    }
}

fn json(value: &Value, at: &str) -> Result<Json, Diagnostic> {
    if let Value::Dynamic(inner) = value {
        return json(&inner.1, at);
    }
    let json = value.to_json(&value.infer_type()).map_err(|error| {
        Diagnostic::error("EKB2403", "Values cannot be read", format!("{error}.")).at(Path::from(at))
    })?;
    if !json.is_object() && !json.is_null() {
        return Err(Diagnostic::error(
            "EKB2403",
            "Values are no object",
            "Values of a chart are an object: names with values.",
        )
        .hint(format!("Write `{at} = {{ name = value }}`."))
        .at(Path::from(at)));
    }
    Ok(json)
}
