//! The connection to a cluster: one a process, shared by all resources, made at the first request.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Method, Request, Uri};
use hyper_util::client::proxy::matcher::Matcher;
use kube::client::ClientBuilder;
use kube::{Client, Config};
use reconcile::clock::{Clock, Moment};
use reconcile::failure::{Class, Failure};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use serde_json::Value;
use tokio::sync::{Mutex as AsyncMutex, OnceCell};

use crate::access::{Access, Endpoint, Route};
use crate::bearer::Bearer;
use crate::failure::{codes, of_error, unreachable};
use crate::manifest::MANAGER;
use crate::types::{Discovered, Type};

/// As long as the AWS clients wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// An answer that takes longer is taken for lost. Webhooks may take 30 s at most, and mostly have 10.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How long an access entry made a moment ago may not count yet.
const ENTRY_SHOWS: Duration = Duration::from_secs(120);
/// The oldest minor of Kubernetes that is served: the oldest that EKS has in extended support, and some more.
const OLDEST_MINOR: u32 = 28;

/// The clusters that one provider block and region reach. Cheap to clone; nothing is asked before the first request.
#[derive(Clone)]
pub struct Clusters(Arc<All>);

struct All {
    access: Arc<dyn Access>,
    /// Tokens, certificates and connections live in real time, however fast the engine's clock runs in a rig.
    clock: Clock,
    clusters: Mutex<HashMap<String, Cluster>>,
}

/// One cluster. Cheap to clone.
#[derive(Clone)]
pub struct Cluster(Arc<Inner>);

struct Inner {
    name: String,
    access: Arc<dyn Access>,
    clock: Clock,
    bearer: Bearer,
    connection: AsyncMutex<Option<Connection>>,
    version: OnceCell<Version>,
    types: Mutex<HashMap<Type, Discovered>>,
    standing: Mutex<Standing>,
}

/// How changes fared.
#[derive(Default)]
struct Standing {
    /// Whether one was taken.
    is_in: bool,
    /// Since when they are refused for want of rights.
    refused: Option<Moment>,
}

#[derive(Clone)]
struct Connection {
    endpoint: Endpoint,
    host: String,
    client: Client,
}

/// What a request is answered with.
pub type Answer = Result<Value, Failure>;

/// A version of Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// `1`.
    pub major: u32,
    /// For example `35`.
    pub minor: u32,
    /// For example `v1.35.2-eks-0123456`.
    pub full: String,
}

/// How a request's body is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    Json,
    Apply,
    Merge,
}

impl Clusters {
    /// The clusters that this is the way into.
    pub fn new(access: impl Access) -> Self {
        Self(Arc::new(All {
            access: Arc::new(access),
            clock: Clock::scaled(1.0),
            clusters: Mutex::default(),
        }))
    }

    /// The cluster of this name, whether or not there is one.
    pub fn get(&self, name: &str) -> Cluster {
        let All {
            access,
            clock,
            clusters,
        } = &*self.0;
        let mut clusters = clusters.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || Cluster::new(name, Arc::clone(access), clock.clone());
        clusters.entry(name.to_owned()).or_insert_with(make).clone()
    }
}

impl fmt::Debug for Clusters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clusters")
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cluster").field(&self.0.name).finish()
    }
}

impl Cluster {
    fn new(name: &str, access: Arc<dyn Access>, clock: Clock) -> Self {
        Self(Arc::new(Inner {
            name: name.to_owned(),
            bearer: Bearer::new(Arc::clone(&access), name, clock.clone()),
            access,
            clock,
            connection: AsyncMutex::default(),
            version: OnceCell::new(),
            types: Mutex::default(),
            standing: Mutex::default(),
        }))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Says where it is, which then need not be asked. Another place than before means another cluster of its name.
    ///
    /// # Errors
    /// Where the endpoint or the way there is written wrongly.
    pub async fn is_at(&self, endpoint: &Endpoint) -> Result<(), Failure> {
        let mut connection = self.0.connection.lock().await;
        if connection
            .as_ref()
            .is_none_or(|known| known.endpoint != *endpoint)
        {
            *connection = Some(self.connect(endpoint.clone())?);
        }
        Ok(())
    }

    async fn connection(&self) -> Result<Connection, Failure> {
        let mut connection = self.0.connection.lock().await;
        if let Some(connection) = connection.as_ref() {
            return Ok(connection.clone());
        }
        let endpoint = self.0.access.endpoint(&self.0.name).await?;
        Ok(connection.insert(self.connect(endpoint)?).clone())
    }

    /// A client. Opens nothing.
    fn connect(&self, endpoint: Endpoint) -> Result<Connection, Failure> {
        let route = self.0.access.route(&self.0.name);
        let wrong = |what: &str, cause: String| {
            let doing = format!("finding the way into the cluster {}", self.0.name);
            Failure::new(Class::Invalid, doing, format!("{what}: {cause}")).code(codes::ROUTE)
        };
        let own: Uri = endpoint
            .url
            .parse()
            .map_err(|error| wrong(&endpoint.url, format!("{error}")))?;
        let url: Uri = match &route.address {
            Some(address) => address
                .parse()
                .map_err(|error| wrong(address, format!("{error}")))?,
            None => own.clone(),
        };
        let host = url.authority().map(ToString::to_string).unwrap_or_default();
        // Through a tunnel the certificate is that of the cluster all the same.
        let by_own_name = || own.host().filter(|_| route.address.is_some()).map(str::to_owned);
        let mut config = Config::new(url.clone());
        config.tls_server_name = route.tls_server_name.clone().or_else(by_own_name);
        config.root_cert = Some(
            certificates(&endpoint.certificate_authority)
                .map_err(|error| wrong("certificate_authority", error))?,
        );
        config.proxy_url = proxy(&route, &url).map_err(|error| wrong("the proxy's address", error))?;
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        // The engine knows what may be sent again.
        config.default_retry = false;
        let client = ClientBuilder::try_from(config)
            .map_err(|error| wrong("its certificate", error.to_string()))?
            .with_layer(&self.0.bearer)
            .build();
        Ok(Connection {
            endpoint,
            host,
            client,
        })
    }

    /// Now, in real time.
    pub(crate) fn now(&self) -> Moment {
        self.0.clock.now()
    }

    /// Its version, asked once a process.
    ///
    /// # Errors
    /// As for [`Cluster::get`].
    pub async fn version(&self) -> Result<&Version, Failure> {
        let ask = || async {
            let doing = format!("asking the cluster {} for its version", self.0.name);
            let answer = self.get(&doing, "/version").await?;
            let number = |name: &str| {
                // EKS wrote `21+` once.
                let digits = answer[name].as_str().unwrap_or_default().trim_end_matches('+');
                digits.parse().unwrap_or_default()
            };
            Ok(Version {
                major: number("major"),
                minor: number("minor"),
                full: answer["gitVersion"].as_str().unwrap_or_default().to_owned(),
            })
        };
        self.0.version.get_or_try_init(ask).await
    }

    /// Refuses to change a cluster that is older than what this provider was made for.
    pub(crate) async fn check_version(&self) -> Result<(), Failure> {
        let version = self
            .version()
            .await
            .map_err(|failure| self.weigh(failure, true))?;
        if version.major == 1 && version.minor < OLDEST_MINOR {
            let doing = format!("entering the cluster {}", self.0.name);
            let cause = format!(
                "it runs Kubernetes {}, and this provider needs 1.{OLDEST_MINOR} or newer",
                version.full
            );
            return Err(Failure::new(Class::Invalid, doing, cause)
                .code(codes::VERSION)
                .hint("Upgrade the cluster first"));
        }
        Ok(())
    }

    /// The path of an object, for example of `apps/v1`, `Deployment`.
    ///
    /// # Errors
    /// As for [`Cluster::get`]; the cluster has no such type (`EKB1137`).
    pub async fn path(
        &self,
        api_version: &str,
        kind: &str,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<String, Failure> {
        let of = Type::of(api_version, kind);
        let found = match of.known() {
            Some(known) => known,
            None => self.discover(&of).await?,
        };
        Ok(format!("{}/{name}", of.path(&found, namespace)))
    }

    /// What is at the path, for example `/api/v1/nodes?limit=500`.
    ///
    /// # Errors
    /// What the API server refuses; no way to it (`EKB1130`).
    pub async fn get(&self, doing: &str, path: &str) -> Answer {
        self.send(doing, Method::GET, path, Content::Json, None).await
    }

    /// All that the collection at the path has, page by page. `query` begins with `&`.
    ///
    /// # Errors
    /// As for [`Cluster::get`].
    pub async fn list(&self, doing: &str, path: &str, query: &str) -> Result<Vec<Value>, Failure> {
        let mut items = Vec::new();
        let mut next = String::new();
        loop {
            let mut page = self.get(doing, &format!("{path}?limit=500{query}{next}")).await?;
            if let Value::Array(found) = page["items"].take() {
                items.extend(found);
            }
            match page["metadata"]["continue"].as_str() {
                Some(token) if !token.is_empty() => next = format!("&continue={}", encoded(token)),
                _ => return Ok(items),
            }
        }
    }

    /// All objects of the type.
    pub(crate) async fn list_all(&self, doing: &str, of: &Type) -> Result<Vec<Value>, Failure> {
        let found = match of.known() {
            Some(known) => known,
            None => self.discover(of).await?,
        };
        self.list(doing, &of.path(&found, None), "").await
    }

    /// Makes an object in the collection at the path.
    ///
    /// # Errors
    /// As for [`Cluster::get`]; `Exists` where there is one of its name.
    pub async fn create(&self, doing: &str, path: &str, object: &Value) -> Answer {
        let path = format!("{path}?fieldManager={MANAGER}");
        self.send(doing, Method::POST, &path, Content::Json, Some(object))
            .await
    }

    /// Changes these fields of the object at the path; null takes one away.
    ///
    /// # Errors
    /// As for [`Cluster::get`].
    pub async fn merge(&self, doing: &str, path: &str, fields: &Value) -> Answer {
        let path = format!("{path}?fieldManager={MANAGER}");
        self.send(doing, Method::PATCH, &path, Content::Merge, Some(fields))
            .await
    }

    /// Deletes the object at the path. `options`: those of the API, such as `preconditions`.
    ///
    /// # Errors
    /// As for [`Cluster::get`].
    pub async fn delete(&self, doing: &str, path: &str, options: &Value) -> Answer {
        self.send(doing, Method::DELETE, path, Content::Json, Some(options))
            .await
    }

    /// What is at the path, which is no JSON: the log of a pod.
    ///
    /// # Errors
    /// As for [`Cluster::get`].
    pub async fn text(&self, doing: &str, path: &str) -> Result<String, Failure> {
        self.exchange(doing, Method::GET, path, Content::Json, None).await
    }

    /// One attempt at a request. What it sends and is answered is never logged.
    pub(crate) async fn send(
        &self,
        doing: &str,
        method: Method,
        path: &str,
        content: Content,
        body: Option<&Value>,
    ) -> Answer {
        let text = self.exchange(doing, method, path, content, body).await?;
        // Its text may be a Secret's.
        serde_json::from_str(&text)
            .map_err(|_| Failure::new(Class::Transient, doing, format!("{path}: the answer is not JSON")))
    }

    async fn exchange(
        &self,
        doing: &str,
        method: Method,
        path: &str,
        content: Content,
        body: Option<&Value>,
    ) -> Result<String, Failure> {
        let Connection { host, client, .. } = self.connection().await?;
        let is_write = method != Method::GET;
        let began = self.0.clock.now();
        let mut answer = self
            .attempt(&client, &host, doing, &method, path, content, body)
            .await;
        // Its end may have come sooner than it said; one of a moment ago would be refused as well.
        if is_unauthorized(&answer) && self.0.bearer.refused().await {
            answer = self
                .attempt(&client, &host, doing, &method, path, content, body)
                .await;
        }
        let (cluster, ms) = (&self.0.name, self.0.clock.now().since(began).as_millis());
        let place = path.split('?').next().unwrap_or_default();
        match &answer {
            Ok(_) => tracing::debug!(cluster, %method, path = place, ms, "Kubernetes call"),
            Err(failure) => {
                tracing::debug!(cluster, %method, path = place, ms, code = failure.code, "Kubernetes call failed")
            }
        }
        if is_write && answer.is_ok() {
            self.0
                .standing
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .is_in = true;
        }
        answer.map_err(|failure| self.weigh(failure, is_write))
    }

    #[expect(clippy::too_many_arguments, reason = "a request has many sides")]
    async fn attempt(
        &self,
        client: &Client,
        host: &str,
        doing: &str,
        method: &Method,
        path: &str,
        content: Content,
        body: Option<&Value>,
    ) -> Result<String, Failure> {
        let is_write = *method != Method::GET;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("accept", "application/json")
            .header("content-type", content.mime())
            .body(body.map(|body| body.to_string().into_bytes()).unwrap_or_default())
            .map_err(|error| Failure::new(Class::Other, doing, format!("{path}: {error}")))?;
        match self
            .0
            .clock
            .timeout(REQUEST_TIMEOUT, client.request_text(request))
            .await
        {
            Ok(Ok(text)) => Ok(text),
            Ok(Err(error)) => Err(of_error(error, doing.to_owned(), &self.0.name, host, is_write)),
            Err(_) => {
                let cause = format!("no answer within {} seconds", REQUEST_TIMEOUT.as_secs());
                if is_write {
                    return Err(Failure::new(Class::Unknown, doing, format!("{host}: {cause}")));
                }
                Err(unreachable(
                    &self.0.name,
                    host,
                    doing.to_owned(),
                    &format!("{cause}, timed out"),
                ))
            }
        }
    }

    /// What a refusal for want of rights means: an access entry that was made a moment ago may not count yet. Where changes
    /// were taken before, or for two minutes not, it is no matter of time.
    pub(crate) fn weigh(&self, failure: Failure, is_write: bool) -> Failure {
        if !matches!(failure.code, codes::UNAUTHORIZED | codes::FORBIDDEN) {
            return failure;
        }
        let failure = failure.hint(self.0.access.how_to_enter(&self.0.name));
        let now = self.0.clock.now();
        let mut standing = self.0.standing.lock().unwrap_or_else(PoisonError::into_inner);
        if is_write && !standing.is_in {
            standing.refused.get_or_insert(now);
        }
        let is_new = |since: Moment| !standing.is_in && now.since(since) < ENTRY_SHOWS;
        if standing.refused.is_some_and(is_new) {
            return Failure {
                class: Class::NotYet,
                ..failure
            };
        }
        failure
    }

    /// What is known of a type whose path no table says; of a version that is not named, in the one that the API prefers.
    pub(crate) async fn discover(&self, of: &Type) -> Result<Discovered, Failure> {
        if let Some(found) = self.known_type(of) {
            return Ok(found);
        }
        let doing = format!("looking for {} in the cluster {}", of.kind, self.0.name);
        let found = |answer: Answer| match answer {
            Err(failure) if failure.class == Class::NotFound => Ok(Value::Null),
            other => other,
        };
        let mut versions = vec![of.version.clone()];
        if of.version.is_empty() {
            let group = found(self.get(&doing, &format!("/apis/{}", of.group)).await)?;
            let all = group["versions"].as_array().into_iter().flatten();
            let all = [&group["preferredVersion"]].into_iter().chain(all);
            versions = all
                .filter_map(|one| one["version"].as_str().map(str::to_owned))
                .collect();
            if of.group.is_empty() {
                versions.push("v1".to_owned());
            }
        }
        for version in versions {
            let one = Type {
                version: version.clone(),
                ..of.clone()
            };
            let root = if of.group.is_empty() { "api" } else { "apis" };
            let list = found(self.get(&doing, &format!("/{root}/{}", one.api_version())).await)?;
            let mut types = self.0.types.lock().unwrap_or_else(PoisonError::into_inner);
            for resource in list["resources"].as_array().into_iter().flatten() {
                let (name, kind) = (&resource["name"], resource["kind"].as_str().unwrap_or_default());
                let Some(plural) = name.as_str().filter(|name| !name.contains('/')) else {
                    continue;
                };
                let found = Discovered {
                    version: version.clone(),
                    plural: plural.to_owned(),
                    is_namespaced: resource["namespaced"] == true,
                };
                if kind == of.kind {
                    types.insert(of.clone(), found.clone());
                }
                let kind = kind.to_owned();
                types.insert(Type { kind, ..one.clone() }, found);
            }
            drop(types);
            if let Some(found) = self.known_type(of) {
                return Ok(found);
            }
        }
        let cause = format!("the cluster has no {} of {}", of.kind, of.api_version());
        let brought = crate::types::brought_by(&of.group);
        Err(Failure::new(Class::NotFound, &doing, cause)
            .code(codes::NO_TYPE)
            .hint(format!(
                "Its definition (CustomResourceDefinition) has to be there first: {brought}."
            )))
    }

    /// What was known of the types of this group is asked again.
    pub(crate) fn forget(&self, of: &Type) {
        let mut types = self.0.types.lock().unwrap_or_else(PoisonError::into_inner);
        types.retain(|known, _| known.group != of.group);
    }

    fn known_type(&self, of: &Type) -> Option<Discovered> {
        let types = self.0.types.lock().unwrap_or_else(PoisonError::into_inner);
        types.get(of).cloned()
    }
}

fn is_unauthorized(answer: &Result<String, Failure>) -> bool {
    answer
        .as_ref()
        .is_err_and(|failure| failure.code == codes::UNAUTHORIZED)
}

impl Content {
    fn mime(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Apply => "application/apply-patch+yaml",
            Self::Merge => "application/merge-patch+json",
        }
    }
}

/// Percent-encoded for a query.
pub(crate) fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// The certificates of an authority in PEM.
fn pem(authority: &str) -> Result<Vec<u8>, String> {
    if authority.trim_start().starts_with("-----BEGIN") {
        return Ok(authority.as_bytes().to_vec());
    }
    STANDARD
        .decode(authority.trim())
        .map_err(|error| format!("neither PEM nor base64: {error}"))
}

/// The certificates of an authority, given in PEM or base64 of it, in base64 of PEM, as a kubeconfig has them.
///
/// # Errors
/// What is wrong with them.
pub fn authority_in_base64(authority: &str) -> Result<String, String> {
    let pem = pem(authority)?;
    if !pem.trim_ascii_start().starts_with(b"-----BEGIN") {
        return Err("no certificate in it".to_owned());
    }
    Ok(STANDARD.encode(pem))
}

/// The certificates in DER.
fn certificates(authority: &str) -> Result<Vec<Vec<u8>>, String> {
    let pem = pem(authority)?;
    let all = CertificateDer::pem_slice_iter(&pem).map(|one| one.map(|one| one.to_vec()));
    match all.collect::<Result<Vec<_>, _>>() {
        Ok(all) if all.is_empty() => Err("no certificate in it".to_owned()),
        other => other.map_err(|error| error.to_string()),
    }
}

/// The proxy that the route or the environment names for this address. Never shown: it may hold a password.
fn proxy(route: &Route, url: &Uri) -> Result<Option<Uri>, String> {
    let variable = |names: &[&str]| {
        let values = names.iter().filter_map(|name| std::env::var(name).ok());
        values.into_iter().find(|value| !value.is_empty())
    };
    let of_scheme: &[&str] = match url.scheme_str() {
        Some("http") => &["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"],
        _ => &["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"],
    };
    let given = route.proxy.as_ref().map(|proxy| proxy.expose().clone());
    let Some(proxy) = given.or_else(|| variable(of_scheme)) else {
        return Ok(None);
    };
    let exceptions = route
        .no_proxy
        .clone()
        .or_else(|| variable(&["NO_PROXY", "no_proxy"]));
    // Of the matcher only what it says of exceptions: a proxy that it cannot read, it would pass over.
    let matcher = Matcher::builder()
        .all("http://proxy")
        .no(exceptions.unwrap_or_default())
        .build();
    if matcher.intercept(url).is_none() {
        return Ok(None);
    }
    let proxy = if proxy.contains("://") {
        proxy
    } else {
        format!("http://{proxy}")
    };
    let proxy: Uri = proxy
        .parse()
        .map_err(|_| "not a URL: write it as http://host:port".to_owned())?;
    if !matches!(proxy.scheme_str(), Some("http" | "https" | "socks5")) {
        return Err("its scheme is none of http, https, socks5".to_owned());
    }
    Ok(Some(proxy))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(proxy: &str, no_proxy: &str) -> Route {
        Route {
            proxy: Some(proxy.to_owned().into()),
            no_proxy: Some(no_proxy.to_owned()),
            ..Route::default()
        }
    }

    #[test]
    fn a_proxy_serves_all_but_its_exceptions() {
        let url: Uri = "https://abc.gr7.eu-central-1.eks.amazonaws.com".parse().unwrap();
        let through =
            |no_proxy: &str| proxy(&route("http://user:p%40ss@proxy:3128", no_proxy), &url).unwrap();
        assert_eq!(
            through("localhost").unwrap().to_string(),
            "http://user:p%40ss@proxy:3128/"
        );
        assert_eq!(through(".eks.amazonaws.com,10.0.0.0/8"), None);
        assert_eq!(through("*"), None);
        let bare = proxy(&route("proxy:3128", ""), &url).unwrap().unwrap();
        assert_eq!(bare.to_string(), "http://proxy:3128/");
        let error = proxy(&route("http://user:hunter2@pro xy", ""), &url);
        assert!(
            error.is_err() && !format!("{error:?}").contains("hunter2"),
            "{error:?}"
        );
    }

    #[test]
    fn an_authority_is_pem_or_base64_of_it() {
        let pem = rcgen::generate_simple_self_signed(["a".to_owned()])
            .unwrap()
            .cert
            .pem();
        let der = certificates(&pem).unwrap();
        assert_eq!(der.len(), 1);
        assert_eq!(certificates(&STANDARD.encode(&pem)).unwrap(), der);
        assert!(certificates("").is_err() && certificates("bm90aGluZw==").is_err());
    }
}
