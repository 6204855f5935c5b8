//! Charts from a registry and a repository on loopback. The real helm pushes, indexes and logs in; what it then renders
//! from there, we must render too.
#![cfg(feature = "remote")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod oracle;
mod registry;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use helm::remote::{Class, ConfigFiles, Credentials, Loaded, Loader, Request, Settings, Source};
use oracle::{HELM, Outcome};
use registry::{Auth, Fault, IDENTITY, PASSWORD, Server, USER};

/// helm with a home of its own.
struct Helm {
    home: tempfile::TempDir,
}

impl Helm {
    fn new() -> Helm {
        Helm {
            home: tempfile::tempdir().unwrap(),
        }
    }
    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }
    fn program(&self, program: &Path, arguments: &[&str]) -> Outcome {
        Outcome::of(
            Command::new(program)
                .args(arguments)
                .current_dir(self.home.path())
                .env_clear()
                .env("HOME", self.home.path())
                .env("PATH", format!("{}:/usr/bin:/bin", self.home.path().display())),
        )
    }
    /// Runs helm, which must succeed.
    fn run(&self, arguments: &[&str]) -> String {
        let out = self.program(&HELM, arguments);
        assert!(out.success, "helm {arguments:?}: {}", out.error);
        out.output
    }
    /// What `template` prints: helm's and ours.
    fn both(&self, arguments: &[&str]) -> [Outcome; 2] {
        let all: Vec<&str> = ["template", "rel"].iter().chain(arguments).copied().collect();
        [self.program(&HELM, &all), self.program(oracle::ours(), &all)]
    }
    /// Packs a chart `c` of a version, whose one document names that version. Returns the archive.
    fn package(&self, version: &str) -> PathBuf {
        let folder = self.path("c");
        std::fs::create_dir_all(folder.join("templates")).unwrap();
        std::fs::write(
            folder.join("Chart.yaml"),
            "apiVersion: v2\nname: c\nversion: 0.0.1\n",
        )
        .unwrap();
        std::fs::write(
            folder.join("templates/a.yaml"),
            "kind: ConfigMap\nmetadata: {name: {{ .Chart.Version | quote }}}\n",
        )
        .unwrap();
        self.run(&["package", "c", "--version", version]);
        self.path(&format!("c-{version}.tgz"))
    }
    /// Pushes versions with the real helm.
    fn push(&self, server: &Server, versions: &[&str]) {
        let auth = server.state().auth;
        for version in versions {
            let archive = self.package(version);
            let target = server.oci("charts");
            let mut arguments = vec!["push", archive.to_str().unwrap(), &target, "--plain-http"];
            if auth != Auth::None {
                arguments.extend(["--username", USER, "--password", PASSWORD]);
            }
            self.run(&arguments);
        }
        server.state().log.clear();
    }
    /// Makes a repository of versions with `helm repo index`.
    fn repository(&self, server: &Server, versions: &[&str], url: Option<&str>) {
        let folder = self.path("repository");
        std::fs::create_dir_all(&folder).unwrap();
        for version in versions {
            let archive = self.package(version);
            std::fs::rename(&archive, folder.join(archive.file_name().unwrap())).unwrap();
        }
        let mut arguments = vec!["repo", "index", "repository"];
        arguments.extend(url.iter().flat_map(|url| ["--url", url]));
        self.run(&arguments);
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let content = std::fs::read(&path).unwrap();
            server.state().files.insert(format!("/charts/{name}"), content);
        }
    }
}

fn settings() -> Settings {
    let mut settings = Settings::isolated();
    settings.plain_http = true;
    settings.limits.request = Duration::from_secs(2);
    settings
}

fn request(source: Source, version: &str) -> Request {
    let mut request = Request::new(source);
    request.version = (!version.is_empty()).then(|| version.to_owned());
    request
}

fn load(settings: Settings, request: &Request) -> Result<Loaded, helm::Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(Loader::new(settings).unwrap().load(request))
}

/// The failure, and what it says.
fn failure(settings: Settings, request: &Request) -> (Class, String) {
    match load(settings, request) {
        Err(helm::Error::Fetch(failure)) => (failure.class, failure.to_string()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_helm_pushes_is_loaded_with_its_provenance() {
    for auth in [Auth::None, Auth::Basic, Auth::Token] {
        let (helm, server) = (Helm::new(), Server::start());
        server.state().auth = auth;
        helm.push(&server, &["1.2.3"]);
        let archive = std::fs::read(helm.path("c-1.2.3.tgz")).unwrap();
        let mut settings = settings();
        if auth != Auth::None {
            settings.credentials = Some(Credentials::basic(USER, PASSWORD));
        }
        let source = Source::parse(&server.oci("charts/c"), None);
        let loaded = load(settings, &request(source, "1.2.3")).unwrap();
        let provenance = loaded.provenance;
        assert_eq!(
            (provenance.name.as_str(), provenance.version.as_str()),
            ("c", "1.2.3")
        );
        assert_eq!(provenance.source, server.oci("charts/c"));
        assert_eq!(provenance.digest, registry::digest(&archive));
        let manifest = &server.state().manifests[&("charts/c".into(), "1.2.3".into())];
        assert_eq!(provenance.manifest_digest, Some(registry::digest(manifest)));
        assert!(
            provenance.location.ends_with(&provenance.digest),
            "{}",
            provenance.location
        );
        assert!(!provenance.cached);
    }
}

const VERSIONS: [&str; 7] = [
    "0.9.0",
    "1.0.0",
    "1.2.0",
    "1.2.3+b1",
    "1.10.0",
    "2.0.0-rc.1",
    "2.0.0-alpha",
];
const CONSTRAINTS: [&str; 14] = [
    "",
    "1.2.0",
    "1.2",
    "~1.2",
    "^1.0",
    ">=1.2 <1.10",
    "<1",
    "2.0.0-rc.1",
    ">=2.0.0-0",
    "v1.0.0",
    "1.2.3+b1",
    "3.x",
    "nonsense",
    "*",
];

#[test]
fn a_version_of_a_registry_is_the_one_that_helm_takes() {
    let (helm, server) = (Helm::new(), Server::start());
    helm.push(&server, &VERSIONS);
    server.state().page = 3;
    let chart = server.oci("charts/c");
    for constraint in CONSTRAINTS {
        for devel in [&[][..], &["--devel"]] {
            let mut arguments = vec![chart.as_str(), "--plain-http"];
            if !constraint.is_empty() {
                arguments.extend(["--version", constraint]);
            }
            arguments.extend(devel);
            let [theirs, ours] = helm.both(&arguments);
            assert_eq!(
                (theirs.success, &theirs.output),
                (ours.success, &ours.output),
                "{arguments:?}: {} / {}",
                theirs.error,
                ours.error
            );
        }
    }
}

#[test]
fn a_version_of_a_repository_is_the_one_that_helm_takes() {
    let (helm, server) = (Helm::new(), Server::start());
    helm.repository(&server, &VERSIONS, None);
    let url = format!("{}/charts", server.url());
    for constraint in CONSTRAINTS {
        for devel in [&[][..], &["--devel"]] {
            let mut arguments = vec!["c", "--repo", url.as_str()];
            if !constraint.is_empty() {
                arguments.extend(["--version", constraint]);
            }
            arguments.extend(devel);
            let [theirs, ours] = helm.both(&arguments);
            assert_eq!(
                (theirs.success, &theirs.output),
                (ours.success, &ours.output),
                "{arguments:?}: {} / {}",
                theirs.error,
                ours.error
            );
        }
    }
    let [theirs, ours] = helm.both(&[&format!("{url}/c-1.2.0.tgz")]);
    assert!(theirs.success, "{}", theirs.error);
    assert_eq!(
        theirs.output, ours.output,
        "an archive by its URL: {}",
        ours.error
    );
}

#[test]
fn a_repository_is_asked_with_credentials_and_its_promises_are_checked() {
    let (helm, server) = (Helm::new(), Server::start());
    server.state().auth = Auth::Basic;
    helm.repository(&server, &["1.0.0"], None);
    let source = || Source::Repository {
        url: format!("{}/charts", server.url()),
        chart: "c".into(),
    };
    let (class, text) = failure(settings(), &request(source(), "1.0.0"));
    assert_eq!(class, Class::Denied, "{text}");
    assert!(
        text.contains("/charts/index.yaml answered 401") && text.contains("user name and password"),
        "{text}"
    );
    let mut known = settings();
    known.credentials = Some(Credentials::basic(USER, PASSWORD));
    let loaded = load(known.clone(), &request(source(), "")).unwrap();
    assert_eq!(
        loaded.provenance.location,
        format!("{}/charts/c-1.0.0.tgz", server.url())
    );
    let (class, text) = failure(known.clone(), &request(source(), "^2"));
    assert_eq!(class, Class::NotFound, "{text}");
    assert!(
        text.contains("fits ^2") && text.contains("the newest are 1.0.0"),
        "{text}"
    );
    server.state().fault = Some((".tgz", Fault::Corrupt));
    let (class, text) = failure(known.clone(), &request(source(), ""));
    assert_eq!(class, Class::Corrupt, "{text}");
    server.state().fault = None;
    server
        .state()
        .files
        .insert("/charts/index.yaml".into(), b"- no\n- index\n".to_vec());
    let (class, text) = failure(known, &request(source(), ""));
    assert_eq!(class, Class::Invalid, "{text}");
    assert!(!text.contains(PASSWORD));
}

#[test]
fn credentials_do_not_leave_their_host() {
    let (helm, server, other) = (Helm::new(), Server::start(), Server::start());
    // An index that points elsewhere.
    helm.repository(&other, &["1.0.0"], Some(&format!("{}/charts", other.url())));
    server.state().files = std::mem::take(&mut other.state().files);
    other.state().files = server.state().files.clone();
    let mut known = settings();
    known.credentials = Some(Credentials::basic(USER, PASSWORD));
    let source = Source::Repository {
        url: format!("{}/charts", server.url()),
        chart: "c".into(),
    };
    load(known.clone(), &request(source.clone(), "")).unwrap();
    assert!(
        server
            .state()
            .log
            .iter()
            .all(|(_, _, authorization)| authorization.is_some())
    );
    assert_eq!(other.asked_for("c-1.0.0.tgz"), 1);
    assert!(
        other
            .state()
            .log
            .iter()
            .all(|(_, _, authorization)| authorization.is_none())
    );
    known.pass_credentials = true;
    load(known.clone(), &request(source, "")).unwrap();
    assert!(
        other
            .state()
            .log
            .iter()
            .any(|(_, _, authorization)| authorization.is_some())
    );
    // A registry that redirects to where its blobs lie.
    helm.push(&server, &["1.0.0"]);
    let digest = registry::digest(&std::fs::read(helm.path("c-1.0.0.tgz")).unwrap());
    other
        .state()
        .files
        .insert("/blob".into(), std::fs::read(helm.path("c-1.0.0.tgz")).unwrap());
    other.state().log.clear();
    // Another name of the same address is another host.
    let target = format!("http://localhost:{}/blob", other.address.port());
    server.state().fault = Some(("/blobs/", Fault::Redirect(target)));
    known.pass_credentials = false;
    let loaded = load(known, &request(Source::Oci(server.oci("charts/c")), "1.0.0")).unwrap();
    assert_eq!(loaded.provenance.digest, digest);
    assert_eq!(other.asked_for("/blob"), 1);
    assert!(
        other
            .state()
            .log
            .iter()
            .all(|(_, _, authorization)| authorization.is_none())
    );
}

#[test]
fn an_index_that_names_a_registry_does_not_get_it_credentials() {
    let (helm, server, other) = (Helm::new(), Server::start(), Server::start());
    other.state().auth = Auth::Basic;
    helm.push(&other, &["1.0.0"]);
    other.state().auth = Auth::None;
    let index = |to: &Server| {
        let url = to.oci("charts/c:1.0.0");
        format!("apiVersion: v1\nentries: {{c: [{{name: c, version: 1.0.0, urls: ['{url}']}}]}}\n")
    };
    let lists = |server: &Server, to: &Server| {
        let content = index(to).into_bytes();
        server.state().files.insert("/charts/index.yaml".into(), content);
        let url = format!("{}/charts", server.url());
        let chart = "c".into();
        request(Source::Repository { url, chart }, "1.0.0")
    };
    let shown = |server: &Server| {
        server
            .state()
            .log
            .iter()
            .any(|(_, path, a)| path.contains("/v2/") && a.is_some())
    };
    let mut known = settings();
    known.credentials = Some(Credentials::basic(USER, PASSWORD));
    load(known.clone(), &lists(&server, &other)).unwrap();
    assert!(other.asked_for("/manifests/") > 0 && !shown(&other));
    load(known.clone(), &lists(&other, &other)).unwrap();
    assert!(shown(&other), "the same host");
    other.state().log.clear();
    known.pass_credentials = true;
    load(known, &lists(&server, &other)).unwrap();
    assert!(shown(&other), "the user wants it");
}

#[test]
fn what_is_posted_and_a_query_are_not_sent_on() {
    let (helm, server, other) = (Helm::new(), Server::start(), Server::start());
    helm.push(&server, &["1.0.0"]);
    server.state().auth = Auth::Identity;
    let identity = serde_json::json!({"auths": {&server.address.to_string(): {"auth": "YWxpY2U6", "identitytoken": IDENTITY}}});
    std::fs::write(helm.path("docker.json"), identity.to_string()).unwrap();
    let mut known = settings();
    known.config_files.registries = vec![helm.path("docker.json")];
    let target = format!("{}/token", other.url());
    server.state().fault = Some(("/token", Fault::Redirect(target)));
    let (class, text) = failure(known, &request(Source::Oci(server.oci("charts/c")), "1.0.0"));
    assert_eq!(class, Class::Denied, "{text}");
    assert!(text.contains("307"), "{text}");
    assert_eq!(other.state().log.len(), 0, "the identity token went elsewhere");

    server.state().auth = Auth::None;
    helm.repository(&server, &["1.0.0"], None);
    other.state().files = server.state().files.clone();
    let target = format!("{}/charts/index.yaml", other.url());
    server.state().fault = Some(("/charts/index.yaml", Fault::Redirect(target)));
    let url = format!("{}/charts?key=secret-query", server.url());
    let chart = "c".into();
    load(settings(), &request(Source::Repository { url, chart }, "1.0.0")).unwrap();
    assert_eq!(other.asked_for("index.yaml"), 1);
    let said = other.state().said.concat();
    assert!(!said.contains("secret-query"), "{said}");
}

#[test]
fn credentials_are_shown_once() {
    let (helm, server) = (Helm::new(), Server::start());
    helm.repository(&server, &["1.0.0"], None);
    server.state().auth = Auth::Basic;
    let url = format!("http://someone:else@{}/charts", server.address);
    let mut known = settings();
    known.credentials = Some(Credentials::basic(USER, PASSWORD));
    let chart = "c".into();
    load(known, &request(Source::Repository { url, chart }, "1.0.0")).unwrap();
    for (_, path, authorization) in &server.state().log {
        assert_eq!(
            authorization.as_ref().unwrap().matches("Basic").count(),
            1,
            "{path}"
        );
    }
}

#[test]
fn pages_of_tags_have_an_end() {
    let (helm, server) = (Helm::new(), Server::start());
    helm.push(&server, &["1.0.0"]);
    server.state().endless_tags = true;
    let wanted = request(Source::Oci(server.oci("charts/c")), "1.x");
    let (class, text) = failure(settings(), &wanted);
    assert_eq!(class, Class::TooLarge, "{text}");
    assert!(
        text.contains("100 pages of tags") && text.contains("exact version"),
        "{text}"
    );
    let mut tight = settings();
    tight.limits.manifest = 1000;
    let (class, text) = failure(tight, &wanted);
    assert_eq!(class, Class::TooLarge, "{text}");
    assert!(text.contains("more than 1000 bytes of tags"), "{text}");
    let mut short = settings();
    short.limits.request = Duration::from_millis(5);
    let (class, text) = failure(short, &wanted);
    assert_eq!(class, Class::TimedOut, "{text}");
}

#[test]
fn a_certificate_without_its_key_is_refused() {
    let helm = Helm::new();
    for option in ["--cert-file", "--key-file"] {
        let out = helm.program(oracle::ours(), &["template", "rel", "c", option, "nowhere"]);
        assert!(
            !out.success && out.error.contains("given together"),
            "{}",
            out.error
        );
    }
}

#[test]
fn what_is_refused_says_where_and_what_to_do() {
    let (helm, server) = (Helm::new(), Server::start());
    helm.push(&server, &["1.0.0"]);
    let source = || Source::Oci(server.oci("charts/c"));
    let host = server.address.to_string();
    for auth in [Auth::Basic, Auth::Token] {
        server.state().auth = auth;
        let (class, text) = failure(settings(), &request(source(), "1.0.0"));
        assert_eq!(class, Class::Denied, "{text}");
        assert!(text.contains(&host) && text.contains("log in with"), "{text}");
        let mut wrong = settings();
        wrong.credentials = Some(Credentials::basic(USER, "not-the-password"));
        let (class, text) = failure(wrong, &request(source(), "1.0.0"));
        assert_eq!(class, Class::Denied, "{text}");
        assert!(!text.contains("not-the-password"), "{text}");
    }
    server.state().auth = Auth::None;
    let (class, text) = failure(settings(), &request(source(), "9.9.9"));
    assert_eq!(class, Class::NotFound, "{text}");
    assert!(
        text.contains("version 9.9.9") && text.contains("answered 404"),
        "{text}"
    );
    let (class, text) = failure(settings(), &request(source(), ">=9"));
    assert_eq!(class, Class::NotFound, "{text}");
    assert!(text.contains("the newest are 1.0.0"), "{text}");
    let (class, text) = failure(
        settings(),
        &request(Source::Oci("oci://127.0.0.1:1/x/y".into()), "1.0.0"),
    );
    assert_eq!(class, Class::Unreachable, "{text}");
    assert!(text.contains("127.0.0.1:1") && text.contains("refused"), "{text}");
    // An image is no chart.
    let manifest = serde_json::json!({"schemaVersion": 2, "layers": [],
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": "sha256:0", "size": 1}});
    let key = ("charts/image".to_owned(), "1.0.0".to_owned());
    server
        .state()
        .manifests
        .insert(key, manifest.to_string().into_bytes());
    let (class, text) = failure(
        settings(),
        &request(Source::Oci(server.oci("charts/image")), "1.0.0"),
    );
    assert_eq!(class, Class::Invalid, "{text}");
    assert!(text.contains("holds no chart"), "{text}");
    // TLS where there is none.
    let mut secure = settings();
    secure.plain_http = false;
    let (class, text) = failure(secure, &request(source(), "1.0.0"));
    assert_eq!(class, Class::Unreachable, "{text}");
    assert!(text.contains("plain HTTP"), "{text}");
}

#[test]
fn a_server_can_neither_fill_memory_nor_hold_us() {
    let (helm, server) = (Helm::new(), Server::start());
    helm.push(&server, &["1.0.0"]);
    helm.repository(&server, &["1.0.0"], None);
    let oci = || request(Source::Oci(server.oci("charts/c")), "1.0.0");
    let listed = || request(Source::Oci(server.oci("charts/c")), "1.x");
    let repository = || {
        let url = format!("{}/charts", server.url());
        request(
            Source::Repository {
                url,
                chart: "c".into(),
            },
            "1.0.0",
        )
    };
    let mut tight = settings();
    tight.limits.archive = 1 << 20;
    tight.limits.index = 1 << 20;
    for (on, wanted) in [
        ("/blobs/", oci()),
        ("/manifests/", oci()),
        ("/tags/", listed()),
        ("index.yaml", repository()),
        (".tgz", repository()),
    ] {
        server.state().fault = Some((on, Fault::Endless));
        let (class, text) = failure(tight.clone(), &wanted);
        assert_eq!(class, Class::TooLarge, "{on}: {text}");
        server.state().fault = Some((on, Fault::Slow));
        let (class, text) = failure(tight.clone(), &wanted);
        assert_eq!(class, Class::TimedOut, "{on}: {text}");
        server.state().fault = Some((on, Fault::Status(503)));
        let (class, text) = failure(tight.clone(), &wanted);
        assert_eq!(class, Class::Unreachable, "{on}: {text}");
        assert!(text.contains("try again"), "{text}");
    }
    tight.limits.idle = Duration::from_millis(300);
    for on in ["/v2/", "/token"] {
        server.state().auth = if on == "/token" { Auth::Token } else { Auth::None };
        server.state().fault = Some((on, Fault::Silent));
        let (class, text) = failure(tight.clone(), &oci());
        assert_eq!(class, Class::TimedOut, "{on}: {text}");
    }
    server.state().auth = Auth::None;
    for on in ["/blobs/", "/manifests/"] {
        server.state().fault = Some((on, Fault::Corrupt));
        let mut kept = settings();
        kept.cache = Some(helm.path("cache"));
        let (class, text) = failure(kept, &oci());
        assert_eq!(class, Class::Corrupt, "{on}: {text}");
        assert!(!helm.path("cache").exists(), "what is wrong is not kept");
    }
}

#[test]
fn a_private_authority_is_trusted_only_when_it_is_named() {
    let helm = Helm::new();
    let (server, authority) = Server::start_tls();
    std::fs::write(helm.path("ca.pem"), &authority).unwrap();
    let archive = helm.package("1.0.0");
    helm.run(&[
        "push",
        archive.to_str().unwrap(),
        &server.oci("charts"),
        "--ca-file",
        "ca.pem",
    ]);
    let content = std::fs::read(&archive).unwrap();
    server.state().files.insert("/c.tgz".into(), content);
    let mut settings = settings();
    settings.plain_http = false;
    let sources = [
        Source::Oci(server.oci("charts/c")),
        Source::Archive(format!("https://{}/c.tgz", server.address)),
    ];
    for source in &sources {
        let (class, text) = failure(settings.clone(), &request(source.clone(), "1.0.0"));
        assert_eq!(class, Class::Unreachable, "{text}");
        assert!(
            text.contains("certificate") && text.contains("authority"),
            "{text}"
        );
        assert!(!text.contains("plain HTTP"), "it has TLS: {text}");
    }
    settings.authorities = vec![authority.into_bytes()];
    for source in sources {
        let loaded = load(settings.clone(), &request(source, "1.0.0")).unwrap();
        assert_eq!(loaded.provenance.version, "1.0.0");
    }
    // Not from encrypted to plain.
    let plain = Server::start();
    plain.state().files = server.state().files.clone();
    server.state().fault = Some(("/c.tgz", Fault::Redirect(format!("{}/c.tgz", plain.url()))));
    let moved = Source::Archive(format!("https://{}/c.tgz", server.address));
    let (_, text) = failure(settings, &request(moved, ""));
    assert!(text.contains("redirects from https to http"), "{text}");
}

#[test]
fn a_server_that_asks_who_we_are_is_shown_our_certificate() {
    let helm = Helm::new();
    let own = rcgen::generate_simple_self_signed(vec!["somebody".into()]).unwrap();
    let (server, authority) = Server::start_with_clients(Some(&own.cert));
    std::fs::write(helm.path("ca.pem"), &authority).unwrap();
    std::fs::write(helm.path("cert.pem"), own.cert.pem()).unwrap();
    std::fs::write(helm.path("key.pem"), own.signing_key.serialize_pem()).unwrap();
    let archive = helm.package("1.0.0");
    let identity = [
        "--ca-file",
        "ca.pem",
        "--cert-file",
        "cert.pem",
        "--key-file",
        "key.pem",
    ];
    let target = server.oci("charts");
    let push = [["push", archive.to_str().unwrap(), &target].as_slice(), &identity].concat();
    helm.run(&push);
    let content = std::fs::read(&archive).unwrap();
    server.state().files.insert("/c.tgz".into(), content);
    for chart in [
        server.oci("charts/c"),
        format!("https://{}/c.tgz", server.address),
    ] {
        let [theirs, ours] = helm.both(&[[chart.as_str()].as_slice(), &identity].concat());
        assert!(theirs.success && ours.success, "{} {}", theirs.error, ours.error);
        assert_eq!(theirs.output, ours.output);
        let [theirs, ours] = helm.both(&[&chart, "--ca-file", "ca.pem"]);
        assert!(
            !theirs.success && !ours.success,
            "{} {}",
            theirs.output,
            ours.output
        );
    }
}

#[test]
fn a_cached_chart_is_not_fetched_again() {
    let (helm, server) = (Helm::new(), Server::start());
    helm.push(&server, &["1.0.0"]);
    helm.repository(&server, &["1.0.0"], None);
    let cache = tempfile::tempdir().unwrap();
    let mut cached = settings();
    cached.cache = Some(cache.path().to_owned());
    let oci = request(Source::Oci(server.oci("charts/c")), "1.0.0");
    let first = load(cached.clone(), &oci).unwrap().provenance;
    let second = load(cached.clone(), &oci).unwrap().provenance;
    assert_eq!((first.cached, second.cached), (false, true));
    assert_eq!(
        (&first.digest, &first.manifest_digest),
        (&second.digest, &second.manifest_digest)
    );
    assert_eq!(server.asked_for("/blobs/"), 1);
    // A damaged file of the cache is not believed.
    let file = cache.path().join("sha256").join(&first.digest["sha256:".len()..]);
    std::fs::write(&file, b"something else").unwrap();
    assert!(!load(cached.clone(), &oci).unwrap().provenance.cached);
    assert_eq!(server.asked_for("/blobs/"), 2);
    // With its digest, nothing at all is asked; by another way it is the same archive.
    server.state().log.clear();
    let mut pinned = oci.clone();
    pinned.digest = Some(first.digest.clone());
    assert!(load(cached.clone(), &pinned).unwrap().provenance.cached);
    assert!(server.state().log.is_empty());
    pinned.digest = Some(format!("sha256:{}", "0".repeat(64)));
    let (class, text) = failure(cached.clone(), &pinned);
    assert_eq!(class, Class::Corrupt, "{text}");
    // By digest in the address.
    let manifest = first.manifest_digest.unwrap();
    let by_digest = request(Source::Oci(server.oci(&format!("charts/c@{manifest}"))), "");
    assert_eq!(
        load(cached.clone(), &by_digest).unwrap().provenance.digest,
        first.digest
    );
    let other = registry::digest(b"another");
    let tampered = ("charts/c".to_owned(), other.clone());
    let bytes = server.state().manifests[&("charts/c".to_owned(), manifest)].clone();
    server.state().manifests.insert(tampered, bytes);
    let moved = request(Source::Oci(server.oci(&format!("charts/c@{other}"))), "");
    assert_eq!(failure(cached.clone(), &moved).0, Class::Corrupt);
    // A repository names the digest in its index.
    let cache = tempfile::tempdir().unwrap();
    cached.cache = Some(cache.path().to_owned());
    let url = format!("{}/charts", server.url());
    let repository = request(
        Source::Repository {
            url,
            chart: "c".into(),
        },
        "",
    );
    assert!(!load(cached.clone(), &repository).unwrap().provenance.cached);
    assert!(load(cached, &repository).unwrap().provenance.cached);
    assert_eq!(server.asked_for(".tgz"), 1);
}

#[test]
fn credentials_are_found_where_helm_and_docker_keep_them() {
    let (helm, server) = (Helm::new(), Server::start());
    server.state().auth = Auth::Token;
    helm.push(&server, &["1.0.0"]);
    helm.repository(&server, &["1.0.0"], None);
    let host = server.address.to_string();
    let chart = server.oci("charts/c");
    let mut with = settings();
    let oci = request(Source::Oci(chart.clone()), "1.0.0");
    // helm registry login
    helm.run(&[
        "registry",
        "login",
        &host,
        "--plain-http",
        "--username",
        USER,
        "--password",
        PASSWORD,
    ]);
    with.config_files = ConfigFiles {
        registries: vec![
            helm.path("nowhere"),
            helm.path(".config/helm/registry/config.json"),
        ],
        repositories: None,
    };
    load(with.clone(), &oci).unwrap();
    let [theirs, ours] = helm.both(&[&chart, "--plain-http"]);
    assert!(theirs.success && ours.success, "{} {}", theirs.error, ours.error);
    assert_eq!(theirs.output, ours.output, "the command finds the file by itself");
    // docker login with a helper that keeps an identity token
    server.state().auth = Auth::Identity;
    let identity = serde_json::json!({"auths": {&host: {"auth": "YWxpY2U6", "identitytoken": IDENTITY}}});
    std::fs::create_dir_all(helm.path(".docker")).unwrap();
    std::fs::write(helm.path(".docker/config.json"), identity.to_string()).unwrap();
    with.config_files.registries = vec![helm.path(".docker/config.json")];
    load(with.clone(), &oci).unwrap();
    std::fs::rename(
        helm.path(".config/helm/registry/config.json"),
        helm.path("login.json"),
    )
    .unwrap();
    let [theirs, ours] = helm.both(&[&chart, "--plain-http"]);
    assert!(theirs.success && ours.success, "{} {}", theirs.error, ours.error);
    assert_eq!(theirs.output, ours.output);
    std::fs::rename(
        helm.path("login.json"),
        helm.path(".config/helm/registry/config.json"),
    )
    .unwrap();
    std::fs::remove_dir_all(helm.path(".docker")).unwrap();
    server.state().auth = Auth::Token;
    // docker login, old password
    let old = serde_json::json!({"auths": {&host: {"username": USER, "password": "old"}}});
    std::fs::write(helm.path("docker.json"), old.to_string()).unwrap();
    with.config_files.registries = vec![helm.path("docker.json")];
    let (class, text) = failure(with.clone(), &oci);
    assert_eq!(class, Class::Denied);
    assert!(
        text.contains("docker.json") && text.contains("log in again"),
        "{text}"
    );
    // A credential helper.
    let helper = serde_json::json!({"credHelpers": {&host: "test"}});
    std::fs::create_dir_all(helm.path(".docker")).unwrap();
    std::fs::write(helm.path(".docker/config.json"), helper.to_string()).unwrap();
    std::fs::remove_file(helm.path(".config/helm/registry/config.json")).unwrap();
    let script = format!(
        "#!/bin/sh\ncat >/dev/null\necho '{{\"Username\": \"{USER}\", \"Secret\": \"{PASSWORD}\"}}'\n"
    );
    let program = helm.path("docker-credential-test");
    std::fs::write(&program, script).unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let [theirs, ours] = helm.both(&[&chart, "--plain-http"]);
    assert!(theirs.success && ours.success, "{} {}", theirs.error, ours.error);
    // helm repo add
    server.state().auth = Auth::Basic;
    let url = format!("{}/charts", server.url());
    helm.run(&[
        "repo",
        "add",
        "mine",
        &url,
        "--username",
        USER,
        "--password",
        PASSWORD,
    ]);
    let [theirs, ours] = helm.both(&["mine/c"]);
    assert!(theirs.success && ours.success, "{} {}", theirs.error, ours.error);
    assert_eq!(theirs.output, ours.output);
}

#[test]
fn a_folder_has_a_digest_that_follows_its_content() {
    let helm = Helm::new();
    let archive = helm.package("1.0.0");
    let of = |path: &Path| {
        load(settings(), &Request::new(Source::Path(path.to_owned())))
            .unwrap()
            .provenance
            .digest
    };
    assert_eq!(of(&archive), registry::digest(&std::fs::read(&archive).unwrap()));
    let before = of(&helm.path("c"));
    assert_eq!(before, of(&helm.path("c")));
    std::fs::write(helm.path("c/values.yaml"), "a: 1\n").unwrap();
    assert_ne!(before, of(&helm.path("c")));
}
