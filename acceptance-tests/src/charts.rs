//! The charts of the platform's controllers (`tools/charts.py`), as folders, as archives, and from a server on loopback that is an
//! OCI registry and a repository.
//!
//! ```no_run
//! use acceptance_tests::charts;
//! let folder = charts::folder("keda");                     // a chart
//! let served = charts::served();
//! let repository = served.repository();                    // http://127.0.0.1:…/charts
//! let oci = format!("{}/karpenter", served.registry());    // oci://127.0.0.1:…/charts/karpenter
//! let authority = served.authority();                      // for who asks the registry: a file with this in SSL_CERT_FILE
//! ```

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

use crate::tools;

/// The chart's folder: `keda`, `karpenter`, `karpenter-crd`, `aws-load-balancer-controller`, `metrics-server`, `aws-ebs-csi-driver`,
/// `cert-manager`.
///
/// # Panics
/// Where there is no such chart.
#[must_use]
pub fn folder(name: &str) -> PathBuf {
    let folder = tools::tool("controller-charts").join(name);
    assert!(
        folder.is_dir(),
        "no chart {name}: tools/charts.py says which there are"
    );
    folder
}

/// The folder of an earlier version of `keda` or `karpenter`: the same but for a field of a definition (`initialCooldownPeriod` of
/// ScaledObjects, `terminationGracePeriod` of node pools). The registry and the repository have it too.
///
/// # Panics
/// Where there is none.
#[must_use]
pub fn earlier(name: &str) -> PathBuf {
    let folder = tools::tool("controller-charts")
        .with_file_name("earlier")
        .join(name);
    assert!(folder.is_dir(), "no earlier chart {name}");
    folder
}

/// The chart's archive (`.tgz`).
///
/// # Panics
/// Where there is no such chart.
#[must_use]
pub fn archive(name: &str) -> PathBuf {
    root().join(format!("charts/{name}-{}.tgz", version(name)))
}

/// The chart's version.
///
/// # Panics
/// Where there is no such chart.
#[must_use]
pub fn version(name: &str) -> String {
    text(&read(name, "tags/list")["tags"][0])
}

/// What the chart's archive hashes to, `sha256:…`.
///
/// # Panics
/// Where there is no such chart.
#[must_use]
pub fn digest(name: &str) -> String {
    let manifest = read(name, &format!("manifests/{}", version(name)));
    text(&manifest["layers"][0]["digest"])
}

fn root() -> PathBuf {
    tools::tool("controller-charts").with_file_name("served")
}

fn read(name: &str, path: &str) -> Value {
    let path = root().join("v2/charts").join(name).join(path);
    let content = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&content).expect("JSON")
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// A server of all charts, for as long as this process lives. It speaks HTTP and TLS on the same port: charts of a registry are
/// fetched with TLS only.
#[derive(Debug)]
pub struct Served {
    port: u16,
    authority: String,
}

/// The one of this test process, started when first asked for.
///
/// # Panics
/// Where no port can be had.
pub fn served() -> &'static Served {
    static SERVED: OnceLock<Served> = OnceLock::new();
    SERVED.get_or_init(|| Served::start(root()))
}

impl Served {
    /// Address before a chart's name, for example `oci://127.0.0.1:40123/charts`.
    #[must_use]
    pub fn registry(&self) -> String {
        format!("oci://127.0.0.1:{}/charts", self.port)
    }

    /// Address of the repository, for example `http://127.0.0.1:40123/charts`.
    #[must_use]
    pub fn repository(&self) -> String {
        format!("http://127.0.0.1:{}/charts", self.port)
    }

    /// The certificate (PEM) by which the registry is known: a file with it belongs into `SSL_CERT_FILE`.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    fn start(root: PathBuf) -> Self {
        let own = rcgen::generate_simple_self_signed(vec!["localhost".into(), "127.0.0.1".into()])
            .expect("a certificate");
        let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).expect("our own key");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions of TLS")
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], key)
            .expect("our own certificate");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let (root, config) = (Arc::new(root), Arc::new(config));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (root, config) = (Arc::clone(&root), Arc::clone(&config));
                // A client that goes away is its own affair.
                std::thread::spawn(move || serve(stream, &root, config).ok());
            }
        });
        Self {
            port,
            authority: own.cert.pem(),
        }
    }
}

/// TLS begins with this byte, HTTP with a letter.
const TLS_HANDSHAKE: u8 = 22;

fn serve(mut stream: TcpStream, root: &Path, config: Arc<ServerConfig>) -> std::io::Result<()> {
    let mut first = [0];
    stream.peek(&mut first)?;
    if first != [TLS_HANDSHAKE] {
        return answer(&mut stream, root);
    }
    let session = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = StreamOwned::new(session, stream);
    answer(&mut stream, root)?;
    stream.conn.send_close_notify();
    stream.flush()
}

/// One request, a file or nothing: what is asked of a registry and a repository by readers are files.
fn answer(stream: &mut (impl Read + Write), root: &Path) -> std::io::Result<()> {
    let mut reader = BufReader::new(&mut *stream);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut line = String::from("…");
    while !line.trim().is_empty() {
        line.clear();
        reader.read_line(&mut line)?;
    }
    let mut words = first.split_whitespace();
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = target.split('?').next().unwrap_or_default().trim_matches('/');
    let (status, kind, body) = file(root, path);
    let mut head = format!(
        "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n",
        body.len()
    );
    if let Some(digest) = path.rsplit('/').next().filter(|name| name.starts_with("sha256:")) {
        head.push_str(&format!("Docker-Content-Digest: {digest}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes())?;
    if method != "HEAD" {
        stream.write_all(&body)?;
    }
    stream.flush()
}

fn file(root: &Path, path: &str) -> (u16, &'static str, Vec<u8>) {
    let json = "application/json";
    let kind = match path {
        _ if path.contains("/manifests/") => "application/vnd.oci.image.manifest.v1+json",
        _ if path.ends_with("/tags/list") => json,
        _ => "application/octet-stream",
    };
    if path == "v2" {
        return (200, json, b"{}".to_vec());
    }
    let mut content = Vec::new();
    let opened = (!path.split('/').any(|part| part == ".."))
        .then(|| std::fs::File::open(root.join(path)))
        .and_then(Result::ok);
    match opened.map(|mut file| file.read_to_end(&mut content)) {
        Some(Ok(_)) => (200, kind, content),
        _ => (404, json, b"{\"errors\":[{\"code\":\"NOT_FOUND\"}]}".to_vec()),
    }
}
