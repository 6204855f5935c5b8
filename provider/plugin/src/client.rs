//! The host's side of the protocol, for tests and benchmarks: starts a provider binary as Terraform does, with the same
//! cookie, P-521 client certificate and pinned server certificate, and speaks to it.
//!
//! ```no_run
//! # async fn example() -> Result<(), plugin::client::Error> {
//! let mut client = plugin::client::Client::spawn("target/debug/terraform-provider-ekb", &[]).await?;
//! let schema = client.provider.get_provider_schema(proto::tfplugin6::get_provider_schema::Request {}).await;
//! let ended = client.close().await?;
//! assert!(!ended.killed);
//! # Ok(()) }
//! ```

use crate::handshake::{COOKIE_NAME, COOKIE_VALUE};
use crate::listen::RemovedOnDrop;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use hyper_util::rt::TokioIo;
use proto::plugin::grpc_controller_client::GrpcControllerClient;
use proto::tfplugin6::provider_client::ProviderClient;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::Child;
use tokio_rustls::TlsConnector;
use tonic::transport::Channel;

/// Largest message either way, in bytes, as hosts have it.
const LARGEST_MESSAGE: usize = i32::MAX as usize;
/// How long a provider may take to print the handshake line: what go-plugin allows.
const START: Duration = Duration::from_secs(60);
/// How long a provider may take to end after it was asked to: what go-plugin allows before it kills.
const END: Duration = Duration::from_secs(2);

/// Why a provider could not be started or spoken to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The process could not be started or watched.
    #[error("process: {0}")]
    Process(#[from] std::io::Error),
    /// The process ended, or a minute passed, before there was a whole line. Holds what it wrote to stderr.
    #[error("no handshake line; stderr:\n{0}")]
    NoHandshake(String),
    /// The first line on stdout is not a handshake, or one that this client does not speak.
    #[error("not a handshake line: {0:?}")]
    Handshake(String),
    /// The client certificate could not be made.
    #[error("client certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// TLS could not be set up.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The connection was refused, for example as TLS did not accept the certificate.
    #[error("connection: {0}")]
    Connection(#[from] tonic::transport::Error),
}

/// Which certificate the client announces, and which it presents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Identity {
    /// The announced one, as every host does.
    #[default]
    Announced,
    /// One made the same way, by somebody else.
    Another,
    /// None at all.
    Nobody,
    /// No TLS: nothing is announced (`TF_DISABLE_PLUGIN_TLS`).
    Plain,
}

/// How to start a provider.
#[derive(Clone, Debug)]
pub struct Start {
    binary: PathBuf,
    environment: Vec<(OsString, OsString)>,
    identity: Identity,
}

impl Start {
    /// As Terraform does it. The environment of this process is inherited, without `TF_LOG*` and `PLUGIN_*`.
    pub fn new(binary: impl Into<PathBuf>) -> Self {
        let environment = [
            (COOKIE_NAME, COOKIE_VALUE),
            ("PLUGIN_MIN_PORT", "10000"),
            ("PLUGIN_MAX_PORT", "25000"),
            ("PLUGIN_PROTOCOL_VERSIONS", "5,6"),
        ];
        let environment = environment
            .map(|(name, value)| (name.into(), value.into()))
            .to_vec();
        Self {
            binary: binary.into(),
            environment,
            identity: Identity::default(),
        }
    }

    /// Sets a variable, also one of those that are set anyway.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Presents another certificate than the announced one, or none.
    #[must_use]
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = identity;
        self
    }

    /// Starts the process and connects.
    pub async fn spawn(self) -> Result<Client, Error> {
        self.start().await?.connect().await
    }

    /// Starts the process and reads its handshake line, without connecting.
    pub async fn start(self) -> Result<Started, Error> {
        let (announced, another) = (Certificate::new()?, Certificate::new()?);
        let mut command = tokio::process::Command::new(&self.binary);
        for (name, _) in std::env::vars_os() {
            if name
                .to_str()
                .is_some_and(|name| name.starts_with("TF_LOG") || name.starts_with("PLUGIN_"))
            {
                command.env_remove(name);
            }
        }
        if self.identity != Identity::Plain {
            command.env("PLUGIN_CLIENT_CERT", &announced.pem);
        }
        command
            .envs(self.environment)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        #[expect(clippy::disallowed_methods, reason = "measures a real process")]
        let began = std::time::Instant::now();
        let mut process = command.kill_on_drop(true).spawn()?;
        let logs = Logs::follow(process.stderr.take());
        let mut stdout = BufReader::new(
            process
                .stdout
                .take()
                .ok_or_else(|| std::io::Error::other("no stdout"))?,
        );
        let mut line = String::new();
        #[expect(clippy::disallowed_methods, reason = "bounds the start of a real process")]
        let read = tokio::time::timeout(START, stdout.read_line(&mut line)).await;
        let handshake = began.elapsed();
        if !matches!(read, Ok(Ok(_)) if line.ends_with('\n')) {
            let _ = process.kill().await;
            return Err(Error::NoHandshake(logs.whole().await));
        }
        // Like a host: keeps reading, so that the process sees an open pipe for as long as we live.
        let stdout = Logs::follow(Some(stdout));
        let line = Handshake::parse(&line)?;
        let socket = RemovedOnDrop((line.network == "unix").then(|| PathBuf::from(&line.address)));
        Ok(Started {
            process,
            line,
            identity: self.identity,
            announced,
            another,
            logs,
            stdout,
            handshake,
            socket,
        })
    }
}

/// The handshake line in its parts.
#[derive(Clone, Debug)]
pub struct Handshake {
    /// Version of the provider protocol.
    pub protocol: u32,
    /// `unix` or `tcp`.
    pub network: String,
    /// Path of the socket, or `address:port`.
    pub address: String,
    /// The server's certificate as DER; `None` without TLS.
    pub certificate: Option<Vec<u8>>,
    /// All fields as they came.
    pub fields: Vec<String>,
}

impl Handshake {
    fn parse(line: &str) -> Result<Self, Error> {
        let error = || Error::Handshake(line.to_owned());
        let fields: Vec<_> = line.trim().split('|').map(str::to_owned).collect();
        let [core, protocol, network, address, "grpc", certificate, ..] =
            fields.iter().map(String::as_str).collect::<Vec<_>>()[..]
        else {
            return Err(error());
        };
        if core != "1" {
            return Err(error());
        }
        let certificate = match certificate {
            "" => None,
            text => Some(STANDARD_NO_PAD.decode(text).map_err(|_| error())?),
        };
        let protocol = protocol.parse().map_err(|_| error())?;
        Ok(Self {
            protocol,
            network: network.to_owned(),
            address: address.to_owned(),
            certificate,
            fields,
        })
    }
}

/// A provider that printed its handshake line and waits for its host.
#[derive(Debug)]
pub struct Started {
    process: Child,
    /// What it printed.
    pub line: Handshake,
    identity: Identity,
    announced: Certificate,
    another: Certificate,
    logs: Logs,
    stdout: Logs,
    /// From starting the process to its handshake line.
    pub handshake: Duration,
    socket: RemovedOnDrop,
}

impl Started {
    /// Connects as the host that started the process, and keeps the process.
    pub async fn connect(self) -> Result<Client, Error> {
        let channel = self.dial(self.identity).await?;
        let Self {
            line,
            handshake,
            process,
            logs,
            stdout,
            socket,
            ..
        } = self;
        let provider = provider(channel.clone());
        Ok(Client {
            provider,
            channel,
            line,
            handshake,
            process: Some(process),
            logs,
            stdout,
            _socket: socket,
        })
    }

    /// Connects as somebody. With TLS 1.3 a refusal may show only in the first call.
    pub async fn dial(&self, identity: Identity) -> Result<Channel, Error> {
        let certificate = match identity {
            Identity::Announced => Some(&self.announced),
            Identity::Another => Some(&self.another),
            Identity::Nobody | Identity::Plain => None,
        };
        let server = self
            .line
            .certificate
            .as_ref()
            .filter(|_| identity != Identity::Plain);
        let tls = server.map(|server| tls(server, certificate)).transpose()?;
        channel(&self.line.network, &self.line.address, tls).await
    }

    /// What the process wrote to stderr so far, line by line.
    pub fn logs(&self) -> Vec<String> {
        self.logs.lines()
    }
}

/// A connection to a provider. Where it started the process, that is killed when this is dropped.
#[derive(Debug)]
pub struct Client {
    /// The provider's calls.
    pub provider: ProviderClient<Channel>,
    /// The connection, for other services.
    pub channel: Channel,
    /// What the process printed; of an attached one only network and address are known.
    pub line: Handshake,
    /// From starting the process to its handshake line; zero for an attached one.
    pub handshake: Duration,
    process: Option<Child>,
    logs: Logs,
    stdout: Logs,
    // A process that is killed leaves its socket behind.
    _socket: RemovedOnDrop,
}

/// How a process ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Its exit status.
    pub status: ExitStatus,
    /// It did not end by itself within two seconds.
    pub killed: bool,
    /// From asking it to end until it had.
    pub took: Duration,
    /// All it wrote to stderr.
    pub stderr: String,
    /// All it wrote to stdout after the handshake line.
    pub stdout: String,
}

impl Client {
    /// Starts `binary` with these variables added to the environment, and connects.
    pub async fn spawn(binary: impl AsRef<Path>, environment: &[(&str, &str)]) -> Result<Self, Error> {
        let start = Start::new(binary.as_ref());
        environment
            .iter()
            .fold(start, |start, (name, value)| start.env(name, value))
            .spawn()
            .await
    }

    /// Connects to a process that serves already, as `TF_REATTACH_PROVIDERS` (its value) says for the provider
    /// `address`. Such a process is neither asked to end nor killed.
    pub async fn reattach(variable: &str, address: &str) -> Result<Self, Error> {
        let value: serde_json::Value =
            serde_json::from_str(variable).map_err(|_| Error::Handshake(variable.to_owned()))?;
        let (network, place) = (
            &value[address]["Addr"]["Network"],
            &value[address]["Addr"]["String"],
        );
        let (Some(network), Some(place)) = (network.as_str(), place.as_str()) else {
            return Err(Error::Handshake(variable.to_owned()));
        };
        let line = Handshake {
            protocol: value[address]["ProtocolVersion"]
                .as_u64()
                .and_then(|v| v.try_into().ok())
                .unwrap_or(5),
            network: network.to_owned(),
            address: place.to_owned(),
            certificate: None,
            fields: vec![],
        };
        let channel = channel(network, place, None).await?;
        let provider = provider(channel.clone());
        let (logs, stdout) = (Logs::default(), Logs::default());
        Ok(Self {
            provider,
            channel,
            line,
            handshake: Duration::ZERO,
            process: None,
            logs,
            stdout,
            _socket: RemovedOnDrop(None),
        })
    }

    /// The process's id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().and_then(Child::id)
    }

    /// What the process wrote to stderr so far, line by line.
    pub fn logs(&self) -> Vec<String> {
        self.logs.lines()
    }

    /// What the process wrote to stdout after its handshake line: a host drops it, and there should be nothing.
    pub fn stdout(&self) -> Vec<String> {
        self.stdout.lines()
    }

    /// Ends the process as hosts do: asks it by the controller service, closes the connection, waits two seconds, kills.
    ///
    /// # Errors
    /// [`Error::Process`] for an attached process, which is not ours to end.
    pub async fn close(self) -> Result<Ended, Error> {
        let Self {
            provider,
            channel,
            process,
            logs,
            stdout,
            ..
        } = self;
        let mut process = process.ok_or_else(|| std::io::Error::other("the process is not ours"))?;
        #[expect(clippy::disallowed_methods, reason = "measures a real process")]
        let began = std::time::Instant::now();
        // Hosts ignore whether this works, too.
        let _ = GrpcControllerClient::new(channel)
            .shutdown(proto::plugin::Empty {})
            .await;
        drop(provider);
        #[expect(clippy::disallowed_methods, reason = "bounds the end of a real process")]
        let waited = tokio::time::timeout(END, process.wait()).await;
        let killed = waited.is_err();
        if killed {
            process.start_kill()?;
        }
        let (status, took) = (process.wait().await?, began.elapsed());
        Ok(Ended {
            status,
            killed,
            took,
            stderr: logs.whole().await,
            stdout: stdout.whole().await,
        })
    }
}

/// What a process wrote to a pipe, collected as it comes.
#[derive(Clone, Debug, Default)]
struct Logs(Arc<Mutex<Collected>>);

#[derive(Debug, Default)]
struct Collected {
    text: String,
    ended: Arc<tokio::sync::Notify>,
}

impl Logs {
    fn follow(pipe: Option<impl tokio::io::AsyncRead + Send + Unpin + 'static>) -> Self {
        let logs = Self::default();
        let (sink, ended) = (logs.clone(), logs.lock().ended.clone());
        tokio::spawn(async move {
            let mut buffer = vec![0; 64 * 1024];
            if let Some(mut pipe) = pipe {
                while let Ok(read @ 1..) = pipe.read(&mut buffer).await {
                    sink.lock()
                        .text
                        .push_str(&String::from_utf8_lossy(&buffer[..read]));
                }
            }
            ended.notify_one();
        });
        logs
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Collected> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn lines(&self) -> Vec<String> {
        self.lock().text.lines().map(str::to_owned).collect()
    }

    /// Everything, once the process has ended.
    async fn whole(&self) -> String {
        let ended = self.lock().ended.clone();
        ended.notified().await;
        self.lock().text.clone()
    }
}

/// A client certificate as go-plugin makes it: P-521, self-signed, an authority, for `localhost`.
#[derive(Debug)]
struct Certificate {
    pem: String,
    der: CertificateDer<'static>,
    key: Vec<u8>,
}

impl Certificate {
    fn new() -> Result<Self, rcgen::Error> {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512)?;
        let mut params = CertificateParams::new(vec!["localhost".to_owned()])?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "localhost");
        params
            .distinguished_name
            .push(DnType::OrganizationName, "HashiCorp");
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ClientAuth,
            ExtendedKeyUsagePurpose::ServerAuth,
        ];
        params.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::KeyEncipherment,
            KeyUsagePurpose::KeyAgreement,
            KeyUsagePurpose::KeyCertSign,
        ];
        let certificate = params.self_signed(&key)?;
        Ok(Self {
            pem: certificate.pem(),
            der: certificate.into(),
            key: key.serialize_der(),
        })
    }
}

/// As Go's TLS client does it: the server's certificate is the only root, and is verified for `localhost`.
fn tls(server: &[u8], identity: Option<&Certificate>) -> Result<TlsConnector, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(server.to_vec()))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(Certificate { der, key, .. }) => {
            builder.with_client_auth_cert(vec![der.clone()], PrivatePkcs8KeyDer::from(key.clone()).into())?
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

async fn channel(network: &str, address: &str, tls: Option<TlsConnector>) -> Result<Channel, Error> {
    let (unix, address) = (network == "unix", address.to_owned());
    let connector = tower::service_fn(move |_: tonic::transport::Uri| {
        let (address, tls) = (address.clone(), tls.clone());
        async move {
            let stream: Box<dyn Duplex> = if unix {
                #[cfg(unix)]
                {
                    Box::new(tokio::net::UnixStream::connect(&address).await?)
                }
                #[cfg(not(unix))]
                return Err(std::io::Error::other(format!("no unix sockets here: {address}")));
            } else {
                Box::new(tokio::net::TcpStream::connect(&address).await?)
            };
            Ok::<_, std::io::Error>(TokioIo::new(match tls {
                None => stream,
                Some(tls) => {
                    let name = ServerName::try_from("localhost").map_err(std::io::Error::other)?;
                    Box::new(tls.connect(name, stream).await?)
                }
            }))
        }
    });
    // The address is not looked at: the connector knows where to go.
    Ok(tonic::transport::Endpoint::from_static("http://localhost")
        .connect_with_connector(connector)
        .await?)
}

trait Duplex: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static {}
impl<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static> Duplex for T {}

fn provider(channel: Channel) -> ProviderClient<Channel> {
    ProviderClient::new(channel)
        .max_decoding_message_size(LARGEST_MESSAGE)
        .max_encoding_message_size(LARGEST_MESSAGE)
}
