//! A registry and web server on loopback that speaks as much of the OCI distribution protocol as `helm push`,
//! `helm pull` and we need; and that can misbehave.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard};

use base64::Engine as _;
use sha2::Digest as _;

pub const USER: &str = "alice";
pub const IDENTITY: &str = "an+identity/token=";
pub const PASSWORD: &str = "s3cret:with/all";

/// What the server wants to be shown.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Auth {
    #[default]
    None,
    Basic,
    Token,
    /// A token for an identity token, which is posted.
    Identity,
}

/// How it misbehaves, for paths that contain the text.
#[derive(Clone)]
pub enum Fault {
    /// Bytes are not those that were stored.
    Corrupt,
    /// Bytes without end.
    Endless,
    /// A byte now and then.
    Slow,
    /// No answer.
    Silent,
    /// A status.
    Status(u16),
    /// Sends elsewhere.
    Redirect(String),
}

#[derive(Default)]
pub struct State {
    pub blobs: HashMap<String, Vec<u8>>,
    /// By repository and tag or digest.
    pub manifests: HashMap<(String, String), Vec<u8>>,
    /// Static files, by path.
    pub files: HashMap<String, Vec<u8>>,
    pub auth: Auth,
    pub fault: Option<(&'static str, Fault)>,
    /// Tags of a page; 0: all at once.
    pub page: usize,
    /// Method, path, and the `Authorization` it came with.
    pub log: Vec<(String, String, Option<String>)>,
    /// Headers and body of each request.
    pub said: Vec<String>,
    /// Whether each page of tags names another.
    pub endless_tags: bool,
}

pub struct Server {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
}

struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

fn answer(status: u16) -> Answer {
    Answer {
        status,
        headers: Vec::new(),
        body: Vec::new(),
    }
}

pub fn digest(bytes: &[u8]) -> String {
    let hex: String = sha2::Sha256::digest(bytes)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    format!("sha256:{hex}")
}

impl Server {
    pub fn start() -> Server {
        Self::listen(None)
    }
    /// A server that speaks TLS, and the certificate (PEM) of its authority.
    pub fn start_tls() -> (Server, String) {
        Self::start_with_clients(None)
    }
    /// The same; if a certificate is given, only for clients that have it.
    pub fn start_with_clients(client: Option<&rcgen::Certificate>) -> (Server, String) {
        let own = rcgen::generate_simple_self_signed(vec!["localhost".into(), "127.0.0.1".into()]).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = rustls::ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap();
        let config = match client {
            None => builder.with_no_client_auth(),
            Some(certificate) => {
                let mut roots = rustls::RootCertStore::empty();
                roots.add(certificate.der().clone()).unwrap();
                let verifier =
                    rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        }
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap();
        (Self::listen(Some(Arc::new(config))), own.cert.pem())
    }
    fn listen(tls: Option<Arc<rustls::ServerConfig>>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(mut stream), state, tls) = (stream, shared.clone(), tls.clone()) else {
                    continue;
                };
                // A client that goes away is its own affair.
                std::thread::spawn(move || match tls {
                    None => serve(&mut stream, &state, address).ok(),
                    Some(config) => {
                        let session = rustls::ServerConnection::new(config).unwrap();
                        let mut stream = rustls::StreamOwned::new(session, stream);
                        serve(&mut stream, &state, address).ok()?;
                        stream.conn.send_close_notify();
                        stream.flush().ok()
                    }
                });
            }
        });
        Server { address, state }
    }
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
    pub fn oci(&self, repository: &str) -> String {
        format!("oci://{}/{repository}", self.address)
    }
    /// Requests whose path contains the text.
    pub fn asked_for(&self, text: &str) -> usize {
        self.state()
            .log
            .iter()
            .filter(|(_, path, _)| path.contains(text))
            .count()
    }
}

fn serve(stream: &mut (impl Read + Write), state: &Mutex<State>, address: SocketAddr) -> std::io::Result<()> {
    let mut reader = BufReader::new(&mut *stream);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut words = first.split_whitespace();
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        let header: &mut String = headers.entry(name.to_ascii_lowercase()).or_default();
        if !header.is_empty() {
            header.push_str(", ");
        }
        header.push_str(value);
    }
    let mut body = Vec::new();
    if let Some(length) = headers.get("content-length") {
        body.resize(length.parse().unwrap_or(0), 0);
        reader.read_exact(&mut body)?;
    } else if headers.contains_key("transfer-encoding") {
        loop {
            let mut size = String::new();
            reader.read_line(&mut size)?;
            let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
            let mut chunk = vec![0; size + 2];
            reader.read_exact(&mut chunk)?;
            if size == 0 {
                break;
            }
            body.extend_from_slice(&chunk[..size]);
        }
    }
    let authorization = headers.get("authorization").cloned();
    let fault = {
        let mut state = state.lock().unwrap();
        state
            .said
            .push(format!("{headers:?} {}", String::from_utf8_lossy(&body)));
        state
            .log
            .push((method.to_owned(), target.to_owned(), authorization.clone()));
        state
            .fault
            .clone()
            .filter(|(on, _)| target.contains(on))
            .map(|(_, fault)| fault)
    };
    let mut corrupt = false;
    match fault {
        Some(Fault::Endless) => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
            loop {
                stream.write_all(&[0; 65536])?;
            }
        }
        Some(Fault::Slow) => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
            loop {
                stream.write_all(b"x")?;
                pause(50);
            }
        }
        Some(Fault::Silent) => {
            pause(5000);
            return Ok(());
        }
        Some(Fault::Status(status)) => return send(stream, method, answer(status)),
        Some(Fault::Redirect(to)) => {
            let mut moved = answer(307);
            moved.headers.push(("Location", to));
            return send(stream, method, moved);
        }
        Some(Fault::Corrupt) => corrupt = true,
        None => {}
    }
    let mut answer = {
        let mut state = state.lock().unwrap();
        handle(
            &mut state,
            method,
            target,
            authorization.as_deref(),
            body,
            address,
        )
    };
    if corrupt && let Some(byte) = answer.body.last_mut() {
        *byte ^= 1;
    }
    send(stream, method, answer)
}

#[expect(clippy::disallowed_methods, reason = "a server that is slow")]
fn pause(milliseconds: u64) {
    std::thread::sleep(std::time::Duration::from_millis(milliseconds));
}

fn send(stream: &mut impl Write, method: &str, answer: Answer) -> std::io::Result<()> {
    let mut head = format!(
        "HTTP/1.1 {} X\r\nConnection: close\r\nContent-Length: {}\r\n",
        answer.status,
        answer.body.len()
    );
    for (name, value) in answer.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(head.as_bytes())?;
    stream.write_all(b"\r\n")?;
    if method != "HEAD" {
        stream.write_all(&answer.body)?;
    }
    stream.flush()
}

fn handle(
    state: &mut State,
    method: &str,
    target: &str,
    authorization: Option<&str>,
    body: Vec<u8>,
    address: SocketAddr,
) -> Answer {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let basic = format!(
        "Basic {}",
        base64::engine::general_purpose::STANDARD.encode(format!("{USER}:{PASSWORD}"))
    );
    let admitted = match state.auth {
        Auth::None => true,
        Auth::Basic => authorization == Some(&basic),
        Auth::Token if path == "/token" => authorization == Some(&basic),
        Auth::Identity if path == "/token" => {
            let form = String::from_utf8_lossy(&body);
            let part = |part: &str| form.split('&').any(|one| one == part);
            method == "POST"
                && part("grant_type=refresh_token")
                && part("service=test")
                && part("refresh_token=an%2Bidentity%2Ftoken%3D")
        }
        Auth::Token | Auth::Identity => authorization == Some("Bearer a-token"),
    };
    if !admitted {
        let mut refused = answer(401);
        let challenge = match state.auth {
            Auth::Token | Auth::Identity if path != "/token" => {
                format!(
                    "Bearer realm=\"http://{address}/token\",service=\"test\",scope=\"repository:x:pull,push\""
                )
            }
            _ => "Basic realm=\"test\"".to_owned(),
        };
        refused.headers.push(("WWW-Authenticate", challenge));
        refused.body = b"{\"errors\":[{\"code\":\"UNAUTHORIZED\",\"message\":\"who are you\"}]}".to_vec();
        return refused;
    }
    let mut fine = answer(200);
    if path == "/token" {
        fine.body = b"{\"access_token\":\"a-token\",\"token\":\"a-token\",\"expires_in\":300}".to_vec();
        return fine;
    }
    let Some(rest) = path.strip_prefix("/v2/") else {
        return match state.files.get(path) {
            Some(bytes) => {
                fine.body.clone_from(bytes);
                fine
            }
            None => answer(404),
        };
    };
    if rest.is_empty() {
        return fine;
    }
    if let Some((repository, reference)) = rest.split_once("/manifests/") {
        let key = (repository.to_owned(), reference.to_owned());
        if method == "PUT" {
            let digest = digest(&body);
            state
                .manifests
                .insert((key.0.clone(), digest.clone()), body.clone());
            state.manifests.insert(key, body);
            let mut made = answer(201);
            made.headers.push(("Docker-Content-Digest", digest));
            return made;
        }
        return match state.manifests.get(&key) {
            Some(bytes) => {
                fine.headers.push(("Docker-Content-Digest", digest(bytes)));
                fine.headers.push((
                    "Content-Type",
                    "application/vnd.oci.image.manifest.v1+json".into(),
                ));
                fine.body.clone_from(bytes);
                fine
            }
            None => answer(404),
        };
    }
    if let Some(repository) = rest.strip_suffix("/tags/list") {
        let mut tags: Vec<&String> = state
            .manifests
            .keys()
            .filter(|(r, tag)| r == repository && !tag.starts_with("sha256:"))
            .map(|(_, tag)| tag)
            .collect();
        tags.sort();
        if tags.is_empty() {
            return answer(404);
        }
        if state.endless_tags {
            let next = format!("</v2/{repository}/tags/list?{}>; rel=\"next\"", state.log.len());
            fine.headers.push(("Link", next));
        } else if state.page > 0 {
            let last = query.strip_prefix("last=").unwrap_or_default();
            tags.retain(|t| t.as_str() > last);
            if tags.len() > state.page {
                tags.truncate(state.page);
                let next = format!(
                    "</v2/{repository}/tags/list?last={}>; rel=\"next\"",
                    tags[tags.len() - 1]
                );
                fine.headers.push(("Link", next));
            }
        }
        fine.body = serde_json::json!({"name": repository, "tags": tags})
            .to_string()
            .into_bytes();
        return fine;
    }
    if let Some((repository, _)) = rest.split_once("/blobs/uploads") {
        if method == "POST" {
            let mut accepted = answer(202);
            accepted
                .headers
                .push(("Location", format!("/v2/{repository}/blobs/uploads/1")));
            return accepted;
        }
        let digest = digest(&body);
        assert!(
            query.contains(&digest.replace(':', "%3A")) || query.contains(&digest),
            "{query}"
        );
        state.blobs.insert(digest, body);
        return answer(201);
    }
    let digest = rest.rsplit('/').next().unwrap_or_default();
    match state.blobs.get(digest) {
        Some(bytes) => {
            fine.headers.push(("Docker-Content-Digest", digest.to_owned()));
            fine.body.clone_from(bytes);
            fine
        }
        None => answer(404),
    }
}
