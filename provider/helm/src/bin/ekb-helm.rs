//! `ekb-helm template NAME CHART …`: what `helm template` prints, without helm.

use std::io::Write as _;
use std::process::ExitCode;

use helm::chart::load::Links;
use helm::set::Kind;
use helm::value::{Map, Value};
use helm::{Capabilities, Chart, Error, Process, Release, Renderer};
use serde_json::json;

const USAGE: &str = "ekb-helm template NAME CHART [-n NAMESPACE] [-f FILE]… [--set A=B]… [--set-string …] [--set-json …] \
[--set-file …] [--set-literal …] [--kube-version V] [--api-versions A]… [--include-crds] [--is-upgrade] [--no-hooks] \
[--skip-tests] [--skip-schema-validation] [--json] [--repo URL] [--version V] [--devel] [--username U] [--password P] \
[--pass-credentials] [--plain-http] [--ca-file FILE] [--cert-file FILE] [--key-file FILE] [--follow-links]\n\
CHART is a folder, a .tgz, a name in the repository of --repo, REPOSITORY/NAME, or an address with oci:// or https://";

#[derive(Default)]
struct Arguments {
    name: String,
    chart: String,
    namespace: Option<String>,
    files: Vec<String>,
    sets: Vec<(KindOrder, String)>,
    kube_version: Option<String>,
    api_versions: Vec<String>,
    include_crds: bool,
    is_upgrade: bool,
    no_hooks: bool,
    skip_tests: bool,
    skip_schema: bool,
    json: bool,
    links: Links,
    remote: Remote,
}

/// What says where the chart is fetched.
#[derive(Default)]
struct Remote {
    repository: Option<String>,
    version: Option<String>,
    devel: bool,
    username: Option<String>,
    password: Option<String>,
    pass_credentials: bool,
    plain_http: bool,
    ca_file: Option<String>,
    cert_file: Option<String>,
    key_file: Option<String>,
}

/// The order in which helm applies the kinds of `--set`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum KindOrder {
    Json,
    Typed,
    String,
    File,
    Literal,
}

fn arguments() -> Result<Arguments, String> {
    let mut out = Arguments::default();
    let mut words = std::env::args().skip(1);
    if words.next().as_deref() != Some("template") {
        return Err(format!("usage: {USAGE}"));
    }
    let mut positional = Vec::new();
    while let Some(word) = words.next() {
        let (flag, mut inline) = match word.split_once('=') {
            Some((flag, value)) if word.starts_with("--") => (flag.to_owned(), Some(value.to_owned())),
            _ => (word, None),
        };
        let mut value = || {
            inline
                .take()
                .or_else(|| words.next())
                .ok_or_else(|| format!("flag needs an argument: {flag}"))
        };
        match flag.as_str() {
            "-n" | "--namespace" => out.namespace = Some(value()?),
            "-f" | "--values" => out.files.extend(value()?.split(',').map(str::to_owned)),
            "--set" => out.sets.push((KindOrder::Typed, value()?)),
            "--set-string" => out.sets.push((KindOrder::String, value()?)),
            "--set-json" => out.sets.push((KindOrder::Json, value()?)),
            "--set-file" => out.sets.push((KindOrder::File, value()?)),
            "--set-literal" => out.sets.push((KindOrder::Literal, value()?)),
            "--kube-version" => out.kube_version = Some(value()?),
            "-a" | "--api-versions" => out.api_versions.extend(value()?.split(',').map(str::to_owned)),
            "--include-crds" => out.include_crds = true,
            "--is-upgrade" => out.is_upgrade = true,
            "--no-hooks" => out.no_hooks = true,
            "--skip-tests" => out.skip_tests = true,
            "--skip-schema-validation" => out.skip_schema = true,
            "--json" => out.json = true,
            "--follow-links" => out.links = Links::Anywhere,
            "--repo" => out.remote.repository = Some(value()?),
            "--version" => out.remote.version = Some(value()?),
            "--devel" => out.remote.devel = true,
            "--username" => out.remote.username = Some(value()?),
            "--password" => out.remote.password = Some(value()?),
            "--pass-credentials" => out.remote.pass_credentials = true,
            "--plain-http" => out.remote.plain_http = true,
            "--ca-file" => out.remote.ca_file = Some(value()?),
            "--cert-file" => out.remote.cert_file = Some(value()?),
            "--key-file" => out.remote.key_file = Some(value()?),
            flag if flag.starts_with('-') => return Err(format!("unknown flag: {flag}")),
            _ => positional.push(flag),
        }
    }
    let [name, chart] = <[String; 2]>::try_from(positional).map_err(|_| format!("usage: {USAGE}"))?;
    (out.name, out.chart) = (name, chart);
    Ok(out)
}

fn values(arguments: &Arguments) -> Result<Value, Error> {
    let all = Map::new(Default::default());
    for file in &arguments.files {
        let bytes = std::fs::read(file).map_err(|e| Error::Values(format!("open {file}: {e}")))?;
        let one = helm::values::read_bytes(&bytes)
            .map_err(|e| Error::Values(format!("failed to parse {file}: {e}")))?;
        helm::values::overlay(&all, &one);
    }
    let mut sets: Vec<_> = arguments.sets.iter().collect();
    sets.sort_by_key(|(kind, _)| *kind);
    for (kind, argument) in sets {
        let kind = match kind {
            KindOrder::Json => Kind::Json,
            KindOrder::Typed => Kind::Typed,
            KindOrder::String => Kind::String,
            KindOrder::File => Kind::File,
            KindOrder::Literal => Kind::Literal,
        };
        helm::set::apply(&all, argument, kind)?;
    }
    Ok(Value::Map(all))
}

/// The chart, and where it came from.
#[cfg(feature = "remote")]
fn load(arguments: &Arguments) -> Result<(Chart, serde_json::Value), Error> {
    use helm::remote::{Credentials, Loader, Request, Settings, Source};
    let remote = &arguments.remote;
    let outside = |what: &str, e: std::io::Error| Error::Values(format!("{what}: {e}"));
    let mut settings = Settings::from_environment();
    if remote.username.is_some() || remote.password.is_some() {
        let text = |option: &Option<String>| option.clone().unwrap_or_default();
        settings.credentials = Some(Credentials::basic(text(&remote.username), text(&remote.password)));
    }
    if let Some(file) = &remote.ca_file {
        settings
            .authorities
            .push(std::fs::read(file).map_err(|e| outside(file, e))?);
    }
    if remote.cert_file.is_some() != remote.key_file.is_some() {
        let why = "--cert-file and --key-file are given together, or not at all";
        return Err(Error::Values(why.to_owned()));
    }
    if let (Some(certificate), Some(key)) = (&remote.cert_file, &remote.key_file) {
        let mut identity = std::fs::read(certificate).map_err(|e| outside(certificate, e))?;
        identity.push(b'\n');
        identity.extend(std::fs::read(key).map_err(|e| outside(key, e))?);
        settings.identity = Some(identity.into());
    }
    settings.plain_http = remote.plain_http;
    settings.pass_credentials = remote.pass_credentials;
    let loader = Loader::new(settings)?;
    let mut source = Source::parse(&arguments.chart, remote.repository.as_deref());
    if let Source::Path(path) = &source
        && !path.exists()
    {
        source = loader.named_repository(&arguments.chart).unwrap_or(source);
    }
    let mut request = Request::new(source);
    request.version = remote.version.clone();
    request.devel = remote.devel;
    request.links = arguments.links;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| outside("tokio", e))?;
    let loaded = runtime.block_on(loader.load(&request))?;
    Ok((loaded.chart, json!(loaded.provenance)))
}

#[cfg(not(feature = "remote"))]
fn load(arguments: &Arguments) -> Result<(Chart, serde_json::Value), Error> {
    Ok((
        Chart::load_with(&arguments.chart, arguments.links)?,
        serde_json::Value::Null,
    ))
}

fn run(arguments: &Arguments) -> Result<Vec<u8>, Error> {
    let (chart, provenance) = load(arguments)?;
    let user = values(arguments)?;
    let namespace = arguments.namespace.clone().unwrap_or_else(|| "default".into());
    let mut renderer = Renderer::new(&chart, Release::new(&arguments.name, namespace));
    renderer.release.is_upgrade = arguments.is_upgrade;
    let process = Process;
    renderer.environment = &process;
    renderer.skip_schema = arguments.skip_schema;
    renderer.capabilities = match &arguments.kube_version {
        Some(version) => Capabilities::declared(version, &arguments.api_versions)?,
        None => {
            let default = Capabilities::default();
            Capabilities::declared(&default.kube_version.version, &arguments.api_versions)?
        }
    };
    let rendered = renderer.render_values(&user)?;
    if arguments.json {
        return typed(&rendered, &provenance).map(String::into_bytes);
    }
    let mut out = Vec::new();
    let print = |out: &mut Vec<u8>, source: &str, text: &[u8]| {
        out.extend(format!("---\n# Source: {source}\n").bytes());
        out.extend(text);
        out.push(b'\n');
    };
    if arguments.include_crds {
        for (source, file) in &rendered.crd_files {
            print(&mut out, source, &file.data);
        }
    }
    for document in &rendered.documents.manifests {
        print(&mut out, &document.source, document.text.as_bytes());
    }
    let trimmed = std::str::from_utf8(&out).map_or_else(|_| out.trim_ascii(), |text| text.trim().as_bytes());
    out = [trimmed, b"\n"].concat();
    if !arguments.no_hooks {
        for hook in &rendered.documents.all_hooks {
            let test = hook.events.iter().any(|event| event == "test");
            if !(arguments.skip_tests && test) {
                print(&mut out, &hook.document.source, hook.document.text.as_bytes());
            }
        }
    }
    Ok(out)
}

fn typed(rendered: &helm::Rendered, provenance: &serde_json::Value) -> Result<String, Error> {
    let document = |d: &helm::Document| -> Result<serde_json::Value, Error> {
        Ok(
            json!({"source": &*d.source, "group": d.group(), "version": d.version(), "kind": d.kind,
            "namespace": d.namespace, "name": d.name, "object": d.json()?}),
        )
    };
    let hook = |h: &helm::Hook| -> Result<serde_json::Value, Error> {
        Ok(
            json!({"document": document(&h.document)?, "events": h.events, "weight": h.weight,
            "delete_policies": h.delete_policies}),
        )
    };
    let all = &rendered.documents;
    let result = json!({
        "manifests": all.manifests.iter().map(document).collect::<Result<Vec<_>, _>>()?,
        "hooks": all.hooks.iter().map(hook).collect::<Result<Vec<_>, _>>()?,
        "tests": all.tests.iter().map(hook).collect::<Result<Vec<_>, _>>()?,
        "crds": all.crds.iter().map(document).collect::<Result<Vec<_>, _>>()?,
        "notes": rendered.notes,
        "chart": provenance,
        "asked": {"lookups": rendered.asked.lookups,
            "api_versions": rendered.asked.api_versions, "random": rendered.asked.random, "time": rendered.asked.time},
    });
    Ok(format!("{result:#}\n"))
}

fn main() -> ExitCode {
    let outcome = arguments().and_then(|arguments| run(&arguments).map_err(|e| e.to_string()));
    match outcome {
        Ok(out) => match std::io::stdout().lock().write_all(&out) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        Err(error) => {
            let mut stderr = std::io::stderr().lock();
            // Nothing can be done where even this fails.
            let _ = writeln!(stderr, "Error: {error}");
            ExitCode::FAILURE
        }
    }
}
