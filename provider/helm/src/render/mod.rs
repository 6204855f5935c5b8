//! Rendering: a chart, values and what is known of cluster and release, to documents.

pub mod manifests;
pub mod schema;

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use serde_json::Value as Json;

use self::manifests::Documents;
use crate::chart::error::Error;
use crate::chart::values;
use crate::chart::{Chart, File, dependencies};
use crate::template::call::Context;
use crate::template::environment::{Asked, Environment, Limits};
use crate::template::exec;
use crate::template::node::Templates;
use crate::template::parser;
pub use crate::value::object::{Capabilities, KubeVersion};
use crate::value::object::{Object, object};
use crate::value::semver::{Constraint, Version};
use crate::value::{Map, MapType, Value};

/// The release for which a chart is rendered.
#[derive(Clone, Debug)]
pub struct Release {
    /// `.Release.Name`
    pub name: String,
    /// `.Release.Namespace`
    pub namespace: String,
    /// `.Release.Revision`
    pub revision: i64,
    /// `.Release.IsUpgrade`; else `.Release.IsInstall`.
    pub is_upgrade: bool,
}

impl Release {
    /// A first installation.
    pub fn new(name: impl Into<String>, namespace: impl Into<String>) -> Self {
        Release {
            name: name.into(),
            namespace: namespace.into(),
            revision: 1,
            is_upgrade: false,
        }
    }
}

/// Longest name of a release.
const MAX_RELEASE_NAME: usize = 53;

/// Names of releases are those of DNS subdomains.
///
/// # Errors
/// helm's words.
pub fn check_release_name(name: &str) -> Result<(), Error> {
    let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let label = |label: &str| {
        let ends = [label.bytes().next(), label.bytes().last()];
        ends.into_iter().all(|end| end.is_some_and(letter)) && label.bytes().all(|b| letter(b) || b == b'-')
    };
    let why = if name.is_empty() {
        "no name provided"
    } else if name.len() > MAX_RELEASE_NAME || !name.split('.').all(label) {
        "invalid release name, must match regex ^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$ and the length must not be longer than 53"
    } else {
        return Ok(());
    };
    let shown = crate::value::gofmt::quote(name);
    Err(Error::Values(format!(
        "release name check failed: release name {shown}: {why}"
    )))
}

/// The API versions that helm 4.3.1 assumes where it cannot ask a cluster.
const DEFAULT_API_VERSIONS: &str = "v1 admissionregistration.k8s.io/v1 admissionregistration.k8s.io/v1alpha1 admissionregistration.k8s.io/v1beta1 internal.apiserver.k8s.io/v1alpha1 apps/v1 apps/v1beta1 apps/v1beta2 authentication.k8s.io/v1 authentication.k8s.io/v1alpha1 authentication.k8s.io/v1beta1 authorization.k8s.io/v1 authorization.k8s.io/v1beta1 autoscaling/v1 autoscaling/v2 batch/v1 batch/v1beta1 certificates.k8s.io/v1 certificates.k8s.io/v1beta1 certificates.k8s.io/v1alpha1 coordination.k8s.io/v1alpha2 coordination.k8s.io/v1beta1 coordination.k8s.io/v1 discovery.k8s.io/v1 discovery.k8s.io/v1beta1 events.k8s.io/v1 events.k8s.io/v1beta1 extensions/v1beta1 flowcontrol.apiserver.k8s.io/v1 flowcontrol.apiserver.k8s.io/v1beta1 flowcontrol.apiserver.k8s.io/v1beta2 flowcontrol.apiserver.k8s.io/v1beta3 lifecycle.k8s.io/v1alpha1 networking.k8s.io/v1 networking.k8s.io/v1beta1 node.k8s.io/v1 node.k8s.io/v1alpha1 node.k8s.io/v1beta1 policy/v1 policy/v1beta1 rbac.authorization.k8s.io/v1 rbac.authorization.k8s.io/v1beta1 rbac.authorization.k8s.io/v1alpha1 resource.k8s.io/v1 resource.k8s.io/v1beta2 resource.k8s.io/v1beta1 resource.k8s.io/v1alpha3 scheduling.k8s.io/v1alpha3 scheduling.k8s.io/v1beta1 scheduling.k8s.io/v1 storage.k8s.io/v1beta1 storage.k8s.io/v1 storage.k8s.io/v1alpha1 storagemigration.k8s.io/v1 storagemigration.k8s.io/v1beta1 apiextensions.k8s.io/v1beta1 apiextensions.k8s.io/v1";

impl Default for Capabilities {
    fn default() -> Self {
        Capabilities {
            kube_version: KubeVersion {
                version: "v1.37.0".into(),
                major: "1".into(),
                minor: "37".into(),
            },
            api_versions: Arc::new(DEFAULT_API_VERSIONS.split(' ').map(str::to_owned).collect()),
        }
    }
}

impl Capabilities {
    /// The capabilities that follow from a declared version of Kubernetes and further API versions.
    ///
    /// # Errors
    /// What is no version.
    pub fn declared(kube_version: &str, extra_api_versions: &[String]) -> Result<Capabilities, Error> {
        let kube_version = KubeVersion::parse(kube_version)
            .map_err(|e| Error::Values(format!("invalid kube version '{kube_version}': {e}")))?;
        let mut api_versions = Capabilities::default().api_versions;
        Arc::make_mut(&mut api_versions).extend(extra_api_versions.iter().cloned());
        Ok(Capabilities {
            kube_version,
            api_versions,
        })
    }
}

/// What a render yields.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// Documents, in helm's order of installation; hooks, CRDs and notes apart.
    pub documents: Documents,
    /// Notes of `NOTES.txt`.
    pub notes: Option<String>,
    /// The values that the templates saw.
    pub values: Json,
    /// What was asked of the world.
    pub asked: Asked,
    /// Files of `crds/`, with the path that helm prints.
    pub crd_files: Vec<(String, File)>,
    /// The chart with its enabled subcharts, under their aliases, with the values that they export: what a release record
    /// keeps.
    pub chart: Chart,
}

/// A render about to happen.
pub struct Renderer<'r> {
    /// Chart.
    pub chart: &'r Chart,
    /// Release.
    pub release: Release,
    /// The cluster.
    pub capabilities: Capabilities,
    /// The world.
    pub environment: &'r dyn Environment,
    /// Limits.
    pub limits: Limits,
    /// Do not check `values.schema.json`.
    pub skip_schema: bool,
    /// Where the fixed sequence begins that stands in for randomness the environment does not give.
    pub seed: u64,
}

/// A leaf that is generated anew at every render: in which document, and where, as a JSON pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeneratedLeaf {
    /// Kind and name of the document.
    pub document: (String, String),
    /// JSON pointer; empty where the whole document is.
    pub pointer: String,
}

impl<'r> Renderer<'r> {
    /// A render with the defaults of `helm template`.
    pub fn new(chart: &'r Chart, release: Release) -> Self {
        Renderer {
            chart,
            release,
            capabilities: Capabilities::default(),
            environment: &crate::template::environment::Still,
            limits: Limits::default(),
            skip_schema: false,
            seed: 0,
        }
    }
    /// Renders.
    ///
    /// # Errors
    /// What helm fails with, or a limit that was exceeded.
    pub fn render(&self, user: &Json) -> Result<Rendered, Error> {
        self.render_values(&Value::from_json(user))
    }
    /// Renders values that keep their Go types: integers of `--set` are `int64`, those of files `float64`.
    ///
    /// # Errors
    /// As for [`Renderer::render`].
    pub fn render_values(&self, user: &Value) -> Result<Rendered, Error> {
        let files = self.files(user)?;
        let documents = manifests::sort(files.files)?;
        let crds = files.chart.crds();
        Ok(Rendered {
            documents: Documents {
                crds: manifests::crds(&crds),
                ..documents
            },
            notes: files.notes,
            values: files.values,
            asked: files.asked,
            crd_files: crds,
            chart: files.chart,
        })
    }
    /// The leaves that are generated (keys, certificates, random passwords, and what is computed from them): those in
    /// which a render with another seed differs. Empty without a second render where nothing random was asked for.
    ///
    /// # Errors
    /// As for [`Renderer::render`].
    pub fn generated_leaves(&self, user: &Json, first: &Rendered) -> Result<Vec<GeneratedLeaf>, Error> {
        if first.asked.random.is_empty() && first.asked.time.is_empty() {
            return Ok(Vec::new());
        }
        let again = Renderer {
            chart: self.chart,
            release: self.release.clone(),
            capabilities: self.capabilities.clone(),
            environment: self.environment,
            limits: Limits::default(),
            skip_schema: true,
            seed: self.seed.wrapping_add(0x9e37_79b9),
        };
        let second = again.render(user)?;
        let mut out = Vec::new();
        for (a, b) in first.documents.manifests.iter().zip(&second.documents.manifests) {
            if a.text != b.text {
                let mut pointers = Vec::new();
                differing(&a.json()?, &b.json()?, &mut String::new(), &mut pointers);
                out.extend(pointers.into_iter().map(|pointer| GeneratedLeaf {
                    document: (a.kind.clone(), a.name.clone()),
                    pointer,
                }));
            }
        }
        Ok(out)
    }
    /// Renders the files, without taking their documents apart.
    ///
    /// # Errors
    /// As for [`Renderer::render`].
    pub fn files(&self, user: &Value) -> Result<Files, Error> {
        let chart = self.chart;
        check_release_name(&self.release.name)?;
        if chart.metadata.is_library() {
            return Err(Error::Chart("library charts are not installable".into()));
        }
        let missing = dependencies::missing(chart);
        if !missing.is_empty() {
            return Err(Error::Chart(format!(
                "an error occurred while checking for chart dependencies. You may need to run 'helm dependency build' to fetch missing dependencies: found in Chart.yaml, but missing in charts/ directory: {}",
                missing.join(", ")
            )));
        }
        let chart = dependencies::process(chart, user)
            .map_err(|e| Error::Chart(format!("chart dependencies processing failed: {e}")))?;
        self.check_kube_version(&chart)?;
        let all = values::coalesce(&chart.defaults(), user)?;
        if !self.skip_schema {
            schema::check(&chart, &all)?;
        }
        let json = crate::chart::to_json(&all);
        let all = match all {
            Value::Map(map) => Value::Map(map.with_type(MapType::Values)),
            other => other,
        };
        let mut files = Vec::new();
        let release = Value::map([
            ("Name", Value::str(self.release.name.as_str())),
            ("Namespace", Value::str(self.release.namespace.as_str())),
            ("IsUpgrade", Value::Bool(self.release.is_upgrade)),
            ("IsInstall", Value::Bool(!self.release.is_upgrade)),
            ("Revision", Value::int(self.release.revision)),
            ("Service", Value::str("Helm")),
        ]);
        let capabilities = object(Object::Capabilities(self.capabilities.clone()));
        scopes(&chart, &all, true, &release, &capabilities, &mut files);
        // Of several files of one name (of two charts of one name, say) the last counts.
        let mut names = HashSet::new();
        let mut files: Vec<Scoped> = files.into_iter().rev().collect();
        files.retain(|file| names.insert(file.name.clone()));
        let (outputs, asked) = self.execute(&mut files)?;
        let notes_path = format!("{}/templates/NOTES.txt", chart.name());
        let mut notes = None;
        let mut rendered = Vec::with_capacity(outputs.len());
        for (name, text) in outputs {
            if name.ends_with("NOTES.txt") {
                if *name == *notes_path {
                    notes = Some(text);
                }
            } else {
                rendered.push((name, text));
            }
        }
        Ok(Files {
            files: rendered,
            notes,
            values: json,
            asked,
            chart,
        })
    }
    fn check_kube_version(&self, chart: &Chart) -> Result<(), Error> {
        let wanted = chart.metadata.text("kubeVersion");
        if wanted.is_empty() {
            return Ok(());
        }
        // What a distribution adds would make it a pre-release.
        let KubeVersion { version, .. } = &self.capabilities.kube_version;
        let found = Version::parse(self.capabilities.kube_version.normalized());
        let fits = Constraint::parse(wanted).is_ok_and(|c| found.is_some_and(|v| c.allows(&v)));
        if fits {
            return Ok(());
        }
        Err(Error::Chart(format!(
            "chart requires kubeVersion: {wanted} which is incompatible with Kubernetes {version}"
        )))
    }
    fn execute(&self, files: &mut [Scoped]) -> Result<(Outputs, Asked), Error> {
        // Deeper files are read first, so that what a parent defines replaces what its subcharts define.
        files.sort_by(|a, b| {
            let depth = |name: &str| name.matches('/').count();
            depth(&b.name)
                .cmp(&depth(&a.name))
                .then_with(|| b.name.cmp(&a.name))
        });
        let mut templates = Templates::new();
        for file in files.iter() {
            let trees = file.chart.templates[file.index]
                .trees(&file.name)
                .map_err(Error::Parse)?;
            for tree in trees {
                if !(parser::is_empty(&tree.body) && templates.contains_key(&tree.name)) {
                    templates.insert(tree.name.clone(), tree);
                }
            }
        }
        let asked = RefCell::new(Asked {
            sequence: self.seed,
            ..Asked::default()
        });
        let templates = Rc::new(templates);
        let mut context = Context {
            templates: templates.clone(),
            environment: self.environment,
            asked: &asked,
            limits: &self.limits,
            spent: 0,
            depth: 0,
            including: HashMap::new(),
        };
        let mut outputs = Vec::with_capacity(files.len());
        for file in files.iter() {
            let base = file.name.rsplit('/').next().unwrap_or_default();
            if base.starts_with('_') {
                continue;
            }
            let Some(tree) = templates.get(&file.name) else {
                continue;
            };
            file.scope.set(
                "Template",
                Value::Map(
                    match Value::map([
                        ("Name", Value::Str(file.name.clone())),
                        ("BasePath", Value::str(file.base_path.as_str())),
                    ]) {
                        Value::Map(map) => map.with_type(MapType::Values),
                        _ => Map::new(Default::default()),
                    },
                ),
            );
            let mut out = Vec::with_capacity(tree.source.text.len() * 2);
            exec::execute(
                &mut context,
                tree,
                Value::Map(file.scope.with_type(MapType::Values)),
                &mut out,
            )
            .map_err(Error::Execution)?;
            let out = exec::without_no_value(out);
            outputs.push((file.name.clone(), out));
        }
        drop(context);
        outputs.sort_by(|a, b| a.0.cmp(&b.0));
        let outputs = outputs
            .into_iter()
            .map(|(name, out)| Ok((name.clone(), as_text(&name, out)?)));
        Ok((outputs.collect::<Result<_, Error>>()?, asked.into_inner()))
    }
}

/// Rendered files, before their documents are taken apart.
pub struct Files {
    /// Name and text, sorted by name.
    pub files: Vec<(Arc<str>, String)>,
    /// Notes of the chart itself.
    pub notes: Option<String>,
    /// The values that the templates saw.
    pub values: Json,
    /// What was asked of the world.
    pub asked: Asked,
    /// The chart with its enabled subcharts.
    pub chart: Chart,
}

/// Pointers of the leaves in which two values differ.
fn differing(a: &Json, b: &Json, path: &mut String, out: &mut Vec<String>) {
    let length = path.len();
    match (a, b) {
        (Json::Object(x), Json::Object(y)) if x.len() == y.len() && x.keys().all(|k| y.contains_key(k)) => {
            for (key, value) in x {
                path.push('/');
                path.push_str(&key.replace('~', "~0").replace('/', "~1"));
                differing(value, &y[key], path, out);
                path.truncate(length);
            }
        }
        (Json::Array(x), Json::Array(y)) if x.len() == y.len() => {
            for (index, (value, other)) in x.iter().zip(y).enumerate() {
                path.push_str(&format!("/{index}"));
                differing(value, other, path, out);
                path.truncate(length);
            }
        }
        (a, b) if a != b => out.push(path.clone()),
        _ => {}
    }
}

/// What a template printed. Only notes may have bytes that are no UTF-8.
fn as_text(name: &Arc<str>, out: Vec<u8>) -> Result<String, Error> {
    match String::from_utf8(out) {
        Ok(text) => Ok(text),
        Err(error) if name.ends_with("NOTES.txt") => {
            Ok(String::from_utf8_lossy(error.as_bytes()).into_owned())
        }
        Err(error) => match crate::text::yaml::text(error.as_bytes()) {
            Ok(text) => Ok(text.to_owned()),
            Err(why) => Err(Error::Document {
                template: name.to_string(),
                message: crate::text::yaml::convert_error(&why),
            }),
        },
    }
}

struct Scoped {
    name: Arc<str>,
    chart: Chart,
    index: usize,
    scope: Map,
    base_path: String,
}

/// Rendered files: name and text.
type Outputs = Vec<(Arc<str>, String)>;

/// What the templates of a chart and of its subcharts see as their dot.
fn scopes(
    chart: &Chart,
    all: &Value,
    root: bool,
    release: &Value,
    capabilities: &Value,
    out: &mut Vec<Scoped>,
) -> Value {
    let files = chart
        .files
        .iter()
        .map(|f| (f.name.clone(), Value::text(f.data.to_vec())));
    let files = match Value::map(files) {
        Value::Map(map) => Value::Map(map.with_type(MapType::Files)),
        other => other,
    };
    let subcharts = Map::new(Default::default());
    let scope = match Value::map([
        ("Chart", chart.template_value(root)),
        ("Files", files),
        ("Release", release.clone()),
        ("Capabilities", capabilities.clone()),
        ("Values", all.clone()),
        ("Subcharts", Value::Map(subcharts.clone())),
    ]) {
        Value::Map(map) => map,
        _ => Map::new(Default::default()),
    };
    for sub in &chart.dependencies {
        let inner = match values::at_path(all, sub.name()) {
            Some(Value::Map(inner)) => inner,
            _ => Map::new(Default::default()),
        };
        let inner = Value::Map(inner.with_type(MapType::Values));
        let value = scopes(sub, &inner, false, release, capabilities, out);
        subcharts.set(sub.name(), value);
    }
    let library = chart.metadata.is_library();
    for (index, file) in chart.templates.iter().enumerate() {
        let base = file.name.rsplit('/').next().unwrap_or_default();
        // A library gives only its definitions.
        if library && !base.starts_with('_') {
            continue;
        }
        out.push(Scoped {
            name: format!("{}/{}", chart.path, file.name).into(),
            chart: chart.clone(),
            index,
            scope: scope.clone(),
            base_path: format!("{}/templates", chart.path),
        });
    }
    Value::Map(scope)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::File;

    fn chart(template: &str) -> Chart {
        let file = |name: &str, text: &str| File {
            name: name.into(),
            data: text.as_bytes().into(),
        };
        Chart::from_files(vec![
            file("Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n"),
            file("templates/a.yaml", template),
        ])
        .unwrap()
    }

    #[test]
    fn a_render_without_an_environment_is_repeatable_and_tells_what_was_generated() {
        let chart = chart(
            "kind: Secret\nmetadata: {name: s}\ndata:\n  fixed: a\n  pass/word: {{ randAlphaNum 12 }}\n  list: [x, {{ uuidv4 }}]\n",
        );
        let renderer = Renderer::new(&chart, Release::new("r", "ns"));
        let user = serde_json::json!({});
        let (a, b) = (renderer.render(&user).unwrap(), renderer.render(&user).unwrap());
        assert_eq!(
            a.documents.manifests[0].text, b.documents.manifests[0].text,
            "nothing flickers"
        );
        assert_eq!(a.asked.random, ["randAlphaNum", "uuidv4"]);
        let leaves = renderer.generated_leaves(&user, &a).unwrap();
        let pointers: Vec<&str> = leaves.iter().map(|l| l.pointer.as_str()).collect();
        assert_eq!(pointers, ["/data/list/1", "/data/pass~1word"]);
        assert_eq!(leaves[0].document, ("Secret".into(), "s".into()));
    }

    #[test]
    fn what_is_asked_of_the_capabilities_is_recorded() {
        let chart = chart(
            "kind: x\n{{ $c := .Capabilities.APIVersions }}a: {{ .Capabilities.APIVersions.Has \"policy/v1\" }}\n\
             b: {{ $c.Has \"example.com/v1/Thing\" }}\nc: {{ $c | has \"apps/v1\" }}\n\
             {{ if false }}{{ $c.Has \"never/v1\" }}{{ end }}d: {{ list \"x/v1\" | has \"x/v1\" }}\n",
        );
        let rendered = Renderer::new(&chart, Release::new("r", "ns"))
            .render(&serde_json::json!({}))
            .unwrap();
        assert_eq!(
            rendered.documents.manifests[0].text,
            "kind: x\na: true\nb: false\nc: true\nd: true\n"
        );
        assert_eq!(
            rendered.asked.api_versions,
            ["apps/v1", "example.com/v1/Thing", "policy/v1"]
        );
    }

    #[test]
    fn a_lookup_is_answered_by_the_caller_and_recorded() {
        struct Cluster;
        impl Environment for Cluster {
            fn lookup(&self, _: &str, kind: &str, _: &str, name: &str) -> Result<Option<Json>, String> {
                Ok((kind == "Secret").then(|| serde_json::json!({"data": {"key": format!("{name}-key")}})))
            }
        }
        let chart = chart(
            "kind: x\nv: {{ (lookup \"v1\" \"Secret\" \"ns\" \"tls\").data.key }}\nw: {{ lookup \"v1\" \"Pod\" \"\" \"\" | len }}\n",
        );
        let mut renderer = Renderer::new(&chart, Release::new("r", "ns"));
        renderer.environment = &Cluster;
        let rendered = renderer.render(&serde_json::json!({})).unwrap();
        assert_eq!(
            rendered.documents.manifests[0].text,
            "kind: x\nv: tls-key\nw: 0\n"
        );
        assert_eq!(
            rendered.asked.lookups[0],
            ["v1", "Secret", "ns", "tls"].map(String::from)
        );
    }
}
