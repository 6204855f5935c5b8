//! A Kubernetes API of the tests' own: etcd and kube-apiserver, without controllers and nodes.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::{Value, json};
use ureq::http::Request;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::process::Running;
use crate::run::Run;
use crate::tools;
use crate::wait::{Stopwatch, pause};

/// Requests to a Kubernetes API, with one token.
#[derive(Debug, Clone)]
pub struct Kubernetes {
    url: String,
    ca: String,
    token: String,
    agent: ureq::Agent,
}

/// A running Kubernetes API: objects are kept, validated, defaulted and watched, but no controller acts on them and no pod
/// runs. Both programs end, and their folders go, when this is dropped and when this process ends without doing so. Requests go
/// as the administrator, who may do everything.
#[derive(Debug)]
pub struct ControlPlane {
    // In the order in which they end.
    server: Running,
    etcd: Running,
    etcd_folder: PathBuf,
    folder: PathBuf,
    api: Kubernetes,
    namespaces: AtomicUsize,
    took: Duration,
}

impl std::ops::Deref for ControlPlane {
    type Target = Kubernetes;

    fn deref(&self) -> &Kubernetes {
        &self.api
    }
}

/// A refusal of the API server: the `Status` that it answered.
#[derive(Debug, Clone)]
pub struct ApiError {
    /// HTTP status.
    pub code: u16,
    /// For example `NotFound`, `AlreadyExists`, `Invalid`.
    pub reason: String,
    /// What it says.
    pub message: String,
}

/// How long a start may take on a machine that is busy building; alone it takes a few seconds.
const START_LIMIT: Duration = Duration::from_secs(120);

impl Kubernetes {
    pub(crate) fn new(url: &str, ca: &str, token: &str) -> Self {
        Self {
            url: url.to_owned(),
            ca: ca.to_owned(),
            token: token.to_owned(),
            agent: agent(ca),
        }
    }

    /// A kubeconfig with which this token's bearer works in the namespace.
    fn kubeconfig_in(&self, namespace: &str) -> String {
        let authority = STANDARD.encode(&self.ca);
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "rig", "cluster": {"server": self.url, "certificate-authority-data": authority}}],
            "users": [{"name": "admin", "user": {"token": self.token}}],
            "contexts": [{"name": "rig", "context": {"cluster": "rig", "user": "admin", "namespace": namespace}}],
            "current-context": "rig",
        });
        config.to_string()
    }

    /// Runs helm v4.3.1 in this namespace.
    ///
    /// # Panics
    /// When it takes longer than two minutes.
    #[must_use]
    pub fn helm(&self, namespace: &str, arguments: &[&str]) -> Run {
        let home = tempfile::tempdir().expect("a temporary folder");
        let kubeconfig = home.path().join("kubeconfig");
        write(&kubeconfig, &self.kubeconfig_in(namespace));
        helm(home.path(), &kubeconfig, arguments)
    }

    /// The same API with another bearer token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self {
            token: token.to_owned(),
            ..self.clone()
        }
    }

    /// Its address, for example `https://127.0.0.1:40123`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The certificate of its authority, in PEM.
    #[must_use]
    pub fn ca(&self) -> &str {
        &self.ca
    }

    /// The bearer token.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Sends a request; `path` is for example `/api/v1/namespaces`.
    ///
    /// # Errors
    /// What the API server refuses.
    ///
    /// # Panics
    /// When the API server cannot be reached or answers in something other than JSON.
    pub fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, ApiError> {
        // Of the ways to patch, this is the one that is mostly used: server-side apply.
        let content = if method == "PATCH" {
            "application/apply-patch+yaml"
        } else {
            "application/json"
        };
        self.send(method, path, content, body)
    }

    /// Merges fields into an object (RFC 7386); null takes one away.
    ///
    /// # Errors
    /// What the API server refuses.
    pub fn merge(&self, path: &str, fields: &Value) -> Result<Value, ApiError> {
        self.send("PATCH", path, "application/merge-patch+json", Some(fields))
    }

    /// Deletes an object; whether it was there.
    ///
    /// # Panics
    /// On any refusal but `NotFound`.
    pub fn delete(&self, path: &str) -> bool {
        match self.request("DELETE", path, None) {
            Ok(_) => true,
            Err(error) if error.code == 404 => false,
            Err(error) => panic!("DELETE {path}: {error}"),
        }
    }

    /// An object, where it is there.
    ///
    /// # Panics
    /// On any refusal but `NotFound`.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<Value> {
        match self.request("GET", path, None) {
            Ok(object) => Some(object),
            Err(error) if error.code == 404 => None,
            Err(error) => panic!("GET {path}: {error}"),
        }
    }

    /// What a list has, for example that of `/api/v1/nodes`, in order of the names.
    ///
    /// # Panics
    /// When the API server refuses.
    #[must_use]
    pub fn list(&self, path: &str) -> Vec<Value> {
        match self.request("GET", path, None) {
            Ok(mut list) => serde_json::from_value(list["items"].take()).expect("a list has items"),
            Err(error) => panic!("GET {path}: {error}"),
        }
    }

    /// Sends a request as it is; the answer's status, headers and body.
    pub(crate) fn forward(
        &self,
        method: &str,
        target: &str,
        headers: &[(String, String)],
        body: &[u8],
    ) -> (u16, Vec<(String, String)>, Vec<u8>) {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{target}", self.url));
        for (name, value) in headers {
            if ["accept", "authorization", "content-type"].contains(&name.as_str()) {
                request = request.header(name, value);
            }
        }
        let request = request.body(body.to_vec()).expect("a request");
        let mut answer = self
            .agent
            .run(request)
            .unwrap_or_else(|error| panic!("{method} {target}: {error}"));
        let kept = ["content-type", "retry-after"];
        let headers = kept.iter().filter_map(|name| {
            let value = answer.headers().get(*name)?.to_str().ok()?;
            Some(((*name).to_owned(), value.to_owned()))
        });
        let headers = headers.collect();
        let body = answer.body_mut().with_config().limit(64 << 20).read_to_vec();
        (answer.status().as_u16(), headers, body.expect("a body"))
    }

    fn send(&self, method: &str, path: &str, content: &str, body: Option<&Value>) -> Result<Value, ApiError> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", content)
            .body(body.map(Value::to_string).unwrap_or_default())
            .expect("a request");
        let mut answer = self
            .agent
            .run(request)
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        let code = answer.status().as_u16();
        let text = answer.body_mut().read_to_string().expect("a text");
        let parsed = serde_json::from_str::<Value>(&text);
        if (200..300).contains(&code) {
            return Ok(parsed.unwrap_or_else(|error| panic!("{method} {path}: {code}: {error}: {text}")));
        }
        // Of a group that it does not know it says so in plain text.
        let status = parsed.unwrap_or_else(|_| json!({"message": text.trim()}));
        let field = |name: &str| status[name].as_str().unwrap_or_default().to_owned();
        Err(ApiError {
            code,
            reason: field("reason"),
            message: field("message"),
        })
    }

    fn is_ready(&self) -> bool {
        self.agent
            .get(format!("{}/readyz", self.url))
            // Whoever else has the port may never answer.
            .config()
            .timeout_global(Some(Duration::from_secs(2)))
            .build()
            .header("authorization", format!("Bearer {}", self.token))
            .call()
            .is_ok_and(|answer| answer.status() == 200)
    }
}

impl ControlPlane {
    /// A new one, ready to be used.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::start_on(free_port)
    }

    fn start_on(mut port: impl FnMut() -> u16) -> Self {
        let watch = Stopwatch::start();
        // Two supervisors, two folders: each removes its own.
        let etcd_folder = new_folder("etcd");
        let socket = format!("unix://{}", etcd_folder.join("client").display());
        let etcd = start_etcd(&etcd_folder, &socket);
        // The port was free a moment ago: whoever takes it in between costs another attempt.
        for _ in 0..3 {
            let folder = new_folder("apiserver");
            let files = Files::write(&folder);
            let port = port();
            let api = Kubernetes::new(&format!("https://127.0.0.1:{port}"), &files.ca, &files.token);
            let server = start_server(&folder, &socket, port);
            while watch.elapsed() < START_LIMIT && !server.has_ended() {
                if api.is_ready() {
                    let plane = Self {
                        server,
                        etcd,
                        etcd_folder,
                        folder,
                        api,
                        namespaces: AtomicUsize::new(0),
                        took: watch.elapsed(),
                    };
                    plane.write_kubeconfig("default");
                    return plane;
                }
                pause(Duration::from_millis(50));
            }
            let said = server.so_far();
            assert!(
                said.contains("address already in use"),
                "kube-apiserver is not ready after {:?}:\n{said}\netcd:\n{}",
                watch.elapsed(),
                etcd.so_far()
            );
        }
        panic!("no free port for kube-apiserver");
    }

    /// The one of this test process, started when first asked for. Each test takes a [`ControlPlane::namespace`] of its own.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<ControlPlane> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// How long it took from the start to ready.
    #[must_use]
    pub fn took(&self) -> Duration {
        self.took
    }

    /// A kubeconfig file with which everything is allowed, in the namespace `default`.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.join("default.kubeconfig")
    }

    /// The folders of its files; they go with it.
    #[must_use]
    pub fn folders(&self) -> [&Path; 2] {
        [&self.folder, &self.etcd_folder]
    }

    /// The ids of the supervisors' processes.
    #[must_use]
    pub fn pids(&self) -> [u32; 2] {
        [self.server.pid(), self.etcd.pid()]
    }

    /// What kube-apiserver has logged until now.
    #[must_use]
    pub fn log(&self) -> String {
        self.server.so_far()
    }

    /// A new, empty namespace.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn namespace(&self) -> Namespace<'_> {
        let name = format!("test-{}", self.namespaces.fetch_add(1, Ordering::Relaxed) + 1);
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        self.request("POST", "/api/v1/namespaces", Some(&object))
            .unwrap_or_else(|error| panic!("the namespace {name}: {error}"));
        Namespace {
            kubeconfig: self.write_kubeconfig(&name),
            control_plane: self,
            name,
        }
    }

    fn write_kubeconfig(&self, namespace: &str) -> PathBuf {
        let path = self.folder.join(format!("{namespace}.kubeconfig"));
        write(&path, &self.kubeconfig_in(namespace));
        path
    }
}

fn helm(home: &Path, kubeconfig: &Path, arguments: &[&str]) -> Run {
    static HELM: OnceLock<PathBuf> = OnceLock::new();
    let environment =
        [("HOME", home), ("KUBECONFIG", kubeconfig)].map(|(name, value)| (name.into(), value.into()));
    let helm = HELM.get_or_init(|| tools::tool("helm"));
    Running::start(helm, arguments, home, &environment).wait(Duration::from_secs(120))
}

/// A namespace of one test.
#[derive(Debug)]
pub struct Namespace<'c> {
    control_plane: &'c ControlPlane,
    name: String,
    kubeconfig: PathBuf,
}

impl Namespace<'_> {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A kubeconfig file with which everything is allowed, in this namespace.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Makes an object; `kind` is its plural, with group and version outside of the core: `secrets`, `apps/v1/deployments`.
    ///
    /// # Errors
    /// What the API server refuses.
    pub fn create(&self, kind: &str, object: &Value) -> Result<Value, ApiError> {
        self.control_plane.request("POST", &self.path(kind), Some(object))
    }

    /// An object, where it is there.
    ///
    /// # Panics
    /// On any refusal but `NotFound`.
    #[must_use]
    pub fn get(&self, kind: &str, name: &str) -> Option<Value> {
        self.control_plane.get(&format!("{}/{name}", self.path(kind)))
    }

    /// All objects of a kind, in order of their names.
    ///
    /// # Panics
    /// When the API server refuses.
    #[must_use]
    pub fn list(&self, kind: &str) -> Vec<Value> {
        self.control_plane.list(&self.path(kind))
    }

    /// Replaces an object.
    ///
    /// # Errors
    /// What the API server refuses.
    pub fn replace(&self, kind: &str, name: &str, object: &Value) -> Result<Value, ApiError> {
        let path = format!("{}/{name}", self.path(kind));
        self.control_plane.request("PUT", &path, Some(object))
    }

    /// Server-side apply as the field manager `manager`; the object's name is in its metadata.
    ///
    /// # Errors
    /// What the API server refuses, conflicts with other managers among it.
    ///
    /// # Panics
    /// Where the object has no name.
    pub fn apply(&self, kind: &str, manager: &str, object: &Value) -> Result<Value, ApiError> {
        let name = object["metadata"]["name"].as_str().expect("a name");
        let path = format!("{}/{name}?fieldManager={manager}", self.path(kind));
        self.control_plane.request("PATCH", &path, Some(object))
    }

    /// Deletes an object.
    ///
    /// # Errors
    /// What the API server refuses.
    pub fn delete(&self, kind: &str, name: &str) -> Result<Value, ApiError> {
        let path = format!("{}/{name}", self.path(kind));
        self.control_plane.request("DELETE", &path, None)
    }

    /// Runs helm v4.3.1 in this namespace.
    ///
    /// # Panics
    /// When it takes longer than two minutes.
    #[must_use]
    pub fn helm(&self, arguments: &[&str]) -> Run {
        helm(&self.control_plane.folder, &self.kubeconfig, arguments)
    }

    fn path(&self, kind: &str) -> String {
        match kind.rsplit_once('/') {
            None => format!("/api/v1/namespaces/{}/{kind}", self.name),
            Some((group, kind)) => format!("/apis/{group}/namespaces/{}/{kind}", self.name),
        }
    }
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}: {}", self.code, self.reason, self.message)
    }
}

impl std::error::Error for ApiError {}

/// What kube-apiserver reads: its certificate, the key that signs the tokens of service accounts, the users.
struct Files {
    ca: String,
    token: String,
}

impl Files {
    fn write(folder: &Path) -> Self {
        let key = || KeyPair::generate().expect("a key");
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, key()).expect("a certificate");
        let (server_key, accounts_key) = (key(), key());
        let names = ["127.0.0.1", "localhost", "kubernetes.default.svc"].map(str::to_owned);
        let server = CertificateParams::new(names)
            .and_then(|server| server.signed_by(&server_key, &authority))
            .expect("a certificate");
        // A new key is as good as any random text.
        let token: String = key()
            .public_key_raw()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        for (name, content) in [
            ("ca.crt", authority.pem()),
            ("server.crt", server.pem()),
            ("server.key", server_key.serialize_pem()),
            ("accounts.key", accounts_key.serialize_pem()),
            ("accounts.pub", accounts_key.public_key_pem()),
            ("tokens.csv", format!("{token},admin,admin,system:masters\n")),
        ] {
            write(&folder.join(name), &content);
        }
        Self {
            ca: authority.pem(),
            token,
        }
    }
}

fn start_etcd(folder: &Path, socket: &str) -> Running {
    Running::start_owning(
        &tools::tool("etcd"),
        &[
            "--data-dir=data",
            &format!("--listen-client-urls={socket}"),
            &format!("--advertise-client-urls={socket}"),
            // It insists on an address for peers that will never come.
            "--listen-peer-urls=http://127.0.0.1:0",
            // Nothing of it outlives the test: what a crash of the machine would lose does not matter.
            "--unsafe-no-fsync",
            "--log-level=warn",
        ],
        folder,
    )
}

fn start_server(folder: &Path, etcd: &str, port: u16) -> Running {
    Running::start_owning(
        &tools::tool("kube-apiserver"),
        &[
            &format!("--etcd-servers={etcd}"),
            "--bind-address=127.0.0.1",
            &format!("--secure-port={port}"),
            "--advertise-address=127.0.0.1",
            // It would refuse to publish a loopback address as the endpoint of `kubernetes.default`.
            "--endpoint-reconciler-type=none",
            "--service-cluster-ip-range=10.0.0.0/16",
            "--tls-cert-file=server.crt",
            "--tls-private-key-file=server.key",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-account-signing-key-file=accounts.key",
            "--service-account-key-file=accounts.pub",
            "--token-auth-file=tokens.csv",
            "--authorization-mode=RBAC",
            "--allow-privileged=true",
        ],
        folder,
    )
}

fn agent(ca: &str) -> ureq::Agent {
    let ca = Certificate::from_pem(ca.as_bytes()).expect("our own certificate");
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&[ca]))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .build();
    ureq::Agent::config_builder()
        .tls_config(tls)
        .proxy(None)
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(60)))
        .build()
        .into()
}

/// A folder that stays until a supervisor removes it. Its path is short: a socket's may have 107 bytes.
fn new_folder(name: &str) -> PathBuf {
    tempfile::Builder::new()
        .prefix(&format!("ekb-{name}-"))
        .tempdir()
        .expect("a folder")
        .keep()
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
        .port()
}

fn write(path: &Path, content: &str) {
    std::fs::write(path, content).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_somebody_took_costs_another_attempt() {
        let taken = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let mut ports = [taken.local_addr().expect("a port").port(), free_port()].into_iter();
        let plane = ControlPlane::start_on(|| ports.next().expect("two attempts are enough"));
        assert!(plane.request("GET", "/version", None).is_ok());
    }
}
