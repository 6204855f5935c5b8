//! Charts from elsewhere: OCI registries and HTTP repositories, with where they came from and a cache by digest.
//!
//! ```no_run
//! # async fn example() -> Result<(), helm::Error> {
//! use helm::remote::{Loader, Request, Settings, Source};
//! let loader = Loader::new(Settings::from_environment())?;
//! let mut request = Request::new(Source::parse("oci://ghcr.io/kedacore/charts/keda", None));
//! request.version = Some("2.x".into());
//! let loaded = loader.load(&request).await?;
//! println!("{} {}", loaded.provenance.version, loaded.provenance.digest);
//! # Ok(()) }
//! ```

mod cache;
mod credentials;
mod login;
mod oci;
mod repository;
mod web;

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use zeroize::Zeroizing;

pub use crate::chart::fetch::{Class, FetchFailure};
pub use cache::{Cache, digest};
pub use credentials::{ConfigFiles, Credentials};

use crate::chart::error::Error;
use crate::chart::load::Links;
use crate::chart::{self, Chart};
use crate::value::semver::{Constraint, Version};

/// Where a chart comes from.
#[derive(Clone, PartialEq, Eq)]
pub enum Source {
    /// A folder, or a `.tgz` file.
    Path(PathBuf),
    /// `oci://HOST/PATH/NAME`, which may end in `:TAG` or `@sha256:DIGEST`.
    Oci(String),
    /// A chart of a repository that has an `index.yaml`.
    Repository {
        /// URL of the folder in which `index.yaml` lies.
        url: String,
        /// Name of the chart.
        chart: String,
    },
    /// URL of a `.tgz`.
    Archive(String),
}

impl Source {
    /// What helm makes of the arguments `CHART` and `--repo`.
    pub fn parse(chart: &str, repository: Option<&str>) -> Source {
        let chart_owned = || chart.to_owned();
        match repository {
            _ if chart.starts_with("oci://") => Source::Oci(chart_owned()),
            Some(url) if url.starts_with("oci://") => {
                Source::Oci(format!("{}/{chart}", url.trim_end_matches('/')))
            }
            Some(url) => Source::Repository {
                url: url.to_owned(),
                chart: chart_owned(),
            },
            None if chart.starts_with("https://") || chart.starts_with("http://") => {
                Source::Archive(chart_owned())
            }
            None => Source::Path(chart.into()),
        }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Source::Path(path) => path.display().fmt(f),
            Source::Oci(reference) => f.write_str(&web::without_user(reference)),
            Source::Repository { url, chart } => {
                write!(f, "{}/{chart}", web::without_user(url).trim_end_matches('/'))
            }
            Source::Archive(url) => f.write_str(&web::without_user(url)),
        }
    }
}

/// Without the credentials that a URL may hold.
impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match self {
            Source::Path(_) => "Path",
            Source::Oci(_) => "Oci",
            Source::Repository { .. } => "Repository",
            Source::Archive(_) => "Archive",
        };
        f.debug_tuple(kind).field(&self.to_string()).finish()
    }
}

/// A chart that is wanted.
#[derive(Clone, Debug)]
pub struct Request {
    /// Where from.
    pub source: Source,
    /// Version or constraint; without, the newest release.
    pub version: Option<String>,
    /// Without a version, pre-releases count too.
    pub devel: bool,
    /// What the archive's bytes must hash to, `sha256:…`. If the cache holds them, nothing is asked of the network.
    pub digest: Option<String>,
    /// Whether links of a folder may lead out of it.
    pub links: Links,
}

impl Request {
    /// What is done, in a failure.
    fn doing(&self) -> String {
        match &self.version {
            Some(version) => format!("loading chart {}, version {version}", self.source),
            None => format!("loading chart {}", self.source),
        }
    }
    /// The newest release of a source.
    pub fn new(source: Source) -> Self {
        Request {
            source,
            version: None,
            devel: false,
            digest: None,
            links: Links::default(),
        }
    }
}

/// A chart, and where it came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Chart.
    pub chart: Chart,
    /// Where it came from.
    pub provenance: Provenance,
}

/// Where a chart came from, and what exactly it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Provenance {
    /// What was asked for.
    pub source: String,
    /// Where its bytes lie: a path or URL, without credentials.
    pub location: String,
    /// Name in its `Chart.yaml`.
    pub name: String,
    /// Version in its `Chart.yaml`.
    pub version: String,
    /// `sha256:…` of the archive; of a folder, of the names and contents of its files.
    pub digest: String,
    /// `sha256:…` of the manifest, for a chart of an OCI registry.
    pub manifest_digest: Option<String>,
    /// Whether the archive was in the cache already.
    pub cached: bool,
}

/// How charts are loaded.
#[derive(Clone)]
pub struct Settings {
    /// Folder of the cache; none, no cache.
    pub cache: Option<PathBuf>,
    /// Bytes that the cache may hold: what was not used for longest is removed.
    pub cache_limit: u64,
    /// Credentials for every registry and repository that is asked; they win over configuration files.
    pub credentials: Option<Credentials>,
    /// Configuration files of helm and docker, in which credentials are looked up.
    pub config_files: ConfigFiles,
    /// Send a repository's credentials also to another host, if its index points there.
    pub pass_credentials: bool,
    /// Speak HTTP with OCI registries.
    pub plain_http: bool,
    /// Certificates (PEM) of authorities to trust besides the system's.
    pub authorities: Vec<Vec<u8>>,
    /// Certificate with its chain, and its private key, both PEM: with what we show ourselves to servers that ask for it.
    pub identity: Option<Zeroizing<Vec<u8>>>,
    /// Limits.
    pub limits: Limits,
}

/// Without the private key.
impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("cache", &self.cache)
            .field("credentials", &self.credentials)
            .field("config_files", &self.config_files)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// How large and how slow what is fetched may be.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of an archive.
    pub archive: u64,
    /// Bytes of an `index.yaml`.
    pub index: u64,
    /// Bytes of a manifest or of a page of tags.
    pub manifest: u64,
    /// Time until a connection stands.
    pub connect: Duration,
    /// Time without a byte.
    pub idle: Duration,
    /// Time of one request.
    pub request: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            archive: chart::archive::MAX_TOTAL,
            index: 128 << 20,
            manifest: 4 << 20,
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(30),
            request: Duration::from_secs(300),
        }
    }
}

impl Settings {
    /// No cache, no credentials, no configuration files.
    pub fn isolated() -> Self {
        Settings {
            cache: None,
            cache_limit: 1 << 30,
            credentials: None,
            config_files: ConfigFiles::default(),
            pass_credentials: false,
            plain_http: false,
            authorities: Vec::new(),
            identity: None,
            limits: Limits::default(),
        }
    }
    /// The user's cache, and the configuration files where helm and docker have them.
    pub fn from_environment() -> Self {
        Settings {
            cache: Cache::default_folder(),
            config_files: ConfigFiles::from_environment(),
            ..Settings::isolated()
        }
    }
}

/// Loads charts. Cheap to keep and to share; needs a tokio runtime.
pub struct Loader {
    settings: Settings,
    web: web::Web,
    cache: Option<Cache>,
}

/// Bytes of an archive on their way.
struct Archive {
    bytes: Vec<u8>,
    location: String,
    digest: String,
    manifest_digest: Option<String>,
    cached: bool,
}

impl Loader {
    /// A loader.
    ///
    /// # Errors
    /// Certificates that cannot be read.
    pub fn new(settings: Settings) -> Result<Loader, Error> {
        let web = web::Web::new(&settings).map_err(Error::fetch)?;
        let cache = settings
            .cache
            .clone()
            .map(|folder| Cache::new(folder, settings.cache_limit));
        Ok(Loader { settings, web, cache })
    }
    /// Loads a chart.
    ///
    /// # Errors
    /// [`Error::Fetch`] where it cannot be had, [`Error::Chart`] where it is none.
    pub async fn load(&self, request: &Request) -> Result<Loaded, Error> {
        if let Source::Path(path) = &request.source {
            return folder_or_file(path, request);
        }
        let archive = match self.cached(request) {
            Some(archive) => archive,
            None => match &request.source {
                Source::Oci(reference) => self.oci(reference, request, true).await,
                Source::Repository { url, chart } => self.repository(url, chart, request).await,
                Source::Archive(url) => self.archive(url).await,
                Source::Path(_) => return Err(Error::Chart(format!("path {} not found", request.source))),
            }
            .map_err(|failure| Error::fetch(failure.doing(request.doing())))?,
        };
        check_digest(request, &archive.digest).map_err(|f| Error::fetch(f.doing(request.doing())))?;
        let chart = Chart::from_archive(&archive.bytes)?;
        let provenance = Provenance {
            source: request.source.to_string(),
            location: archive.location,
            name: chart.metadata.name.clone(),
            version: chart.metadata.version.clone(),
            digest: archive.digest,
            manifest_digest: archive.manifest_digest,
            cached: archive.cached,
        };
        Ok(Loaded { chart, provenance })
    }
    /// The archive that the request names by digest, if the cache holds it.
    fn cached(&self, request: &Request) -> Option<Archive> {
        let digest = request.digest.as_ref()?;
        Some(Archive {
            bytes: self.cache.as_ref()?.get(digest)?,
            location: request.source.to_string(),
            digest: digest.clone(),
            manifest_digest: None,
            cached: true,
        })
    }
    async fn archive(&self, url: &str) -> Result<Archive, FetchFailure> {
        let credentials = self.settings.credentials.clone();
        let bytes = self
            .web
            .get(url, credentials.as_ref(), &[], self.settings.limits.archive)
            .await?
            .body;
        Ok(self.keep(bytes, web::without_user(url)))
    }
    /// Puts bytes that came from the network into the cache.
    fn keep(&self, bytes: Vec<u8>, location: String) -> Archive {
        if let Some(cache) = &self.cache {
            cache.put(&bytes);
        }
        Archive {
            digest: cache::digest(&bytes),
            bytes,
            location,
            manifest_digest: None,
            cached: false,
        }
    }
}

fn folder_or_file(path: &std::path::Path, request: &Request) -> Result<Loaded, Error> {
    let (files, digest) = chart::load::read(path, request.links)?;
    check_digest(request, &digest).map_err(|f| Error::fetch(f.doing(request.doing())))?;
    let chart = Chart::from_files(files)?;
    let provenance = Provenance {
        source: request.source.to_string(),
        location: path.display().to_string(),
        name: chart.metadata.name.clone(),
        version: chart.metadata.version.clone(),
        digest,
        manifest_digest: None,
        cached: false,
    };
    Ok(Loaded { chart, provenance })
}

fn check_digest(request: &Request, found: &str) -> Result<(), FetchFailure> {
    match &request.digest {
        Some(wanted) if wanted != found => Err(FetchFailure::new(
            Class::Corrupt,
            format!("its digest is {found}, not {wanted}"),
        )
        .hint("the chart was changed since its digest was taken: look at what changed, then take the new digest")),
        _ => Ok(()),
    }
}

/// The version that helm would take of those there are: an exact one, else the highest that fits.
fn choose<'v>(versions: &[&'v str], request: &Request) -> Result<Option<&'v str>, FetchFailure> {
    let wanted = request.version.as_deref().unwrap_or_default();
    if let Some(exact) = versions.iter().find(|v| **v == wanted) {
        return Ok(Some(exact));
    }
    let constraint = match (wanted, request.devel) {
        ("", true) => ">0.0.0-0",
        ("", false) => "*",
        (wanted, _) => wanted,
    };
    let constraint = Constraint::parse(constraint).map_err(|e| {
        FetchFailure::new(Class::Invalid, format!("the version cannot be understood: {e}"))
            .hint("write a version such as 1.2.3, or a constraint such as ~1.2 or >=1.2 <2")
    })?;
    Ok(versions
        .iter()
        .filter_map(|v| Some((Version::parse(v)?, *v)))
        .filter(|(version, _)| constraint.allows(version))
        .max_by(|(a, _), (b, _)| a.order(b))
        .map(|(_, original)| original))
}

/// What to say when nothing fits: what there is.
fn none_fits(versions: &[&str], request: &Request, whose: &str) -> FetchFailure {
    let mut parsed: Vec<_> = versions.iter().filter_map(|v| Version::parse(v)).collect();
    parsed.sort_by(|a, b| b.order(a));
    let newest: Vec<&str> = parsed.iter().take(5).map(|v| v.original.as_str()).collect();
    let wanted = request.version.as_deref().unwrap_or("a release");
    let failure = FetchFailure::new(
        Class::NotFound,
        format!("no version of {whose} fits {wanted} ({} there)", versions.len()),
    );
    match newest.as_slice() {
        [] => failure.hint("check the name and the address"),
        newest => failure.hint(format!("the newest are {}", newest.join(", "))),
    }
}
