//! OCI registries: manifests, tags and archives.

use reqwest::header::{HeaderMap, LINK};
use serde::Deserialize;

use super::{Archive, Credentials, Loader, Request, cache, choose, none_fits, web};
use crate::chart::fetch::{Class, FetchFailure};
use crate::value::semver::Version;

/// The kinds of manifest that may hold a chart.
const MANIFESTS: [&str; 2] = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];
/// What makes a manifest a chart's.
const CONFIG: &str = "application/vnd.cncf.helm.config.v1+json";
/// The archive; the second is what helm wrote before version 3.7.
const LAYERS: [&str; 2] = [
    "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
    "application/tar+gzip",
];
/// Most pages of tags that are turned.
const MAX_PAGES: usize = 100;

/// `oci://HOST/REPOSITORY[:TAG][@DIGEST]`, taken apart.
#[derive(Debug, PartialEq, Eq)]
struct Address {
    host: String,
    repository: String,
    tag: Option<String>,
    digest: Option<String>,
}

impl Address {
    fn parse(source: &str) -> Result<Address, FetchFailure> {
        let bad = |what: &str| {
            FetchFailure::new(Class::Invalid, format!("{:?} {what}", web::without_user(source)))
                .hint("write it as oci://HOST/PATH/CHART, with :TAG or @sha256:DIGEST if need be")
        };
        let rest = source.strip_prefix("oci://").unwrap_or(source);
        let (rest, digest) = match rest.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.to_owned())),
            None => (rest, None),
        };
        let (host, path) = rest
            .split_once('/')
            .filter(|(host, path)| !host.is_empty() && !path.is_empty())
            .ok_or_else(|| bad("names no repository"))?;
        let (repository, tag) = match path.split_once(':') {
            Some((repository, tag)) => (repository, Some(tag.to_owned())),
            None => (path, None),
        };
        let host_fine = host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b".-:[]_".contains(&b));
        let repository_fine = repository.split('/').all(|part| {
            let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
            part.bytes().all(|b| word(b) || b"._-".contains(&b))
                && part.bytes().next().is_some_and(word)
                && part.bytes().next_back().is_some_and(word)
        });
        let tag_fine = tag.as_ref().is_none_or(|t| tag_is_fine(t));
        if !host_fine || !repository_fine || !tag_fine {
            return Err(bad(
                "is no address of a chart: lower case letters, digits, and ._-/ in between",
            ));
        }
        if digest.as_ref().is_some_and(|d| !cache::is_digest(d)) {
            return Err(bad("has a digest that is not sha256: and 64 hexadecimal digits"));
        }
        Ok(Address {
            host: host.to_owned(),
            repository: repository.to_owned(),
            tag,
            digest,
        })
    }
    /// Where requests go: docker's registry has another name than its images have.
    fn endpoint(&self) -> &str {
        match self.host.as_str() {
            "docker.io" | "index.docker.io" => "registry-1.docker.io",
            host => host,
        }
    }
}

fn tag_is_fine(tag: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    !tag.is_empty()
        && tag.len() <= 128
        && tag.bytes().all(|b| word(b) || b".-".contains(&b))
        && tag.bytes().next().is_some_and(word)
}

/// A registry that has let us in, for one repository.
struct Session<'l> {
    loader: &'l Loader,
    /// `https://HOST/v2/REPOSITORY`
    base: String,
    credentials: Option<Credentials>,
}

impl Loader {
    /// `trusted`: whether the credentials of the settings are meant for this registry.
    pub(super) async fn oci(
        &self,
        source: &str,
        request: &Request,
        trusted: bool,
    ) -> Result<Archive, FetchFailure> {
        let address = Address::parse(source)?;
        let session = self.log_in(&address, trusted).await?;
        let (reference, wanted) = match (&address.digest, &address.tag) {
            (Some(digest), _) => (digest.clone(), Some(digest)),
            (None, Some(tag)) => (tag.clone(), None),
            (None, None) => (session.tag(request).await?, None),
        };
        let (manifest, manifest_digest) = session.manifest(&reference, wanted.map(String::as_str)).await?;
        let layer = chart_layer(&manifest, source)?;
        let location = format!("{}/blobs/{}", session.base, layer.digest);
        if !cache::is_digest(&layer.digest) {
            return Err(FetchFailure::new(
                Class::Invalid,
                format!(
                    "the manifest names its archive by {}, which is no sha256 digest",
                    layer.digest
                ),
            ));
        }
        let manifest_digest = Some(manifest_digest);
        if let Some(bytes) = self.cache.as_ref().and_then(|cache| cache.get(&layer.digest)) {
            return Ok(Archive {
                bytes,
                location,
                digest: layer.digest.clone(),
                manifest_digest,
                cached: true,
            });
        }
        let limit = self.settings.limits.archive;
        let bytes = session.get(&location, &[], limit).await?.body;
        let found = cache::digest(&bytes);
        if found != layer.digest {
            return Err(FetchFailure::new(
                Class::Corrupt,
                format!(
                    "{location} has the digest {found}, the manifest promises {}",
                    layer.digest
                ),
            )
            .hint("it was changed on its way, or the registry is damaged: do not use it"));
        }
        Ok(Archive {
            manifest_digest,
            ..self.keep(bytes, location)
        })
    }

    async fn log_in(&self, address: &Address, trusted: bool) -> Result<Session<'_>, FetchFailure> {
        let given = self.settings.credentials.as_ref().filter(|_| trusted);
        let (mut credentials, mut origin) = (given.cloned(), None);
        if credentials.is_none() {
            let (files, host) = (self.settings.config_files.clone(), address.host.clone());
            // A credential helper is a program, which may take its time.
            let found = tokio::task::spawn_blocking(move || files.registry(&host)).await;
            if let Some((found, file)) = found.unwrap_or(Ok(None))? {
                (credentials, origin) = (Some(found), Some(file));
            }
        }
        let scheme = if self.settings.plain_http { "http" } else { "https" };
        let host = address.endpoint();
        let base = format!("{scheme}://{host}/v2/{}", address.repository);
        let registry = format!("{scheme}://{host}/v2/");
        let credentials = self
            .let_in(&registry, &address.repository, credentials, origin.as_deref())
            .await
            .map_err(|failure| match failure.hint.as_deref() {
                Some(web::CONNECTING) if scheme == "https" => plain_http_hint(failure),
                _ => failure,
            })?;
        Ok(Session {
            loader: self,
            base,
            credentials,
        })
    }
}

/// A registry on a private network often has no TLS.
fn plain_http_hint(mut failure: FetchFailure) -> FetchFailure {
    let hint = failure.hint.take();
    let plain = "a registry without TLS needs plain HTTP";
    failure.hint(hint.map_or_else(|| plain.to_owned(), |hint| format!("{hint}; {plain}")))
}

/// A manifest, as far as it matters to charts.
#[derive(Deserialize)]
struct Manifest {
    config: Descriptor,
    layers: Vec<Descriptor>,
}

/// What a manifest says of a blob.
#[derive(Deserialize)]
struct Descriptor {
    #[serde(rename = "mediaType")]
    media_type: String,
    digest: String,
}

impl Session<'_> {
    async fn get(&self, url: &str, accept: &[&str], limit: u64) -> Result<web::Got, FetchFailure> {
        self.loader
            .web
            .get(url, self.credentials.as_ref(), accept, limit)
            .await
    }

    /// The tag that the request means.
    async fn tag(&self, request: &Request) -> Result<String, FetchFailure> {
        // What reads as a version is a tag, even `1.2`, which as a constraint would mean more: so helm has it.
        if let Some(version) = request.version.as_deref().filter(|v| Version::parse(v).is_some()) {
            return Ok(version.replace('+', "_"));
        }
        let tags = self.tags().await?;
        // A tag cannot have a plus sign: helm writes an underscore.
        let versions: Vec<String> = tags.iter().map(|tag| tag.replace('_', "+")).collect();
        let versions: Vec<&str> = versions.iter().map(String::as_str).collect();
        match choose(&versions, request)? {
            Some(version) => Ok(version.replace('+', "_")),
            None => Err(none_fits(&versions, request, &self.base)),
        }
    }

    /// All tags: pages of a list share the limits of one answer.
    async fn tags(&self) -> Result<Vec<String>, FetchFailure> {
        let limits = &self.loader.settings.limits;
        #[expect(
            clippy::disallowed_methods,
            reason = "the limit of requests; nothing is tried again"
        )]
        let all = tokio::time::timeout(limits.request, self.pages_of_tags(limits.manifest)).await;
        all.map_err(|_| {
            let seconds = limits.request.as_secs_f32();
            FetchFailure::new(
                Class::TimedOut,
                format!(
                    "the tags of {} were not there in time ({seconds} s in all)",
                    self.base
                ),
            )
        })?
    }

    async fn pages_of_tags(&self, limit: u64) -> Result<Vec<String>, FetchFailure> {
        let mut out = Vec::new();
        let mut left = limit;
        let too_much = |what: String| {
            FetchFailure::new(
                Class::TooLarge,
                format!("{} has more than {what} of tags", self.base),
            )
            .hint("name an exact version")
        };
        let mut next = Some(format!("{}/tags/list", self.base));
        for _ in 0..MAX_PAGES {
            let Some(url) = next else { return Ok(out) };
            let page = self.get(&url, &[], left).await;
            let page = page.map_err(|failure| match failure.class {
                Class::TooLarge => too_much(format!("{limit} bytes")),
                _ => failure,
            })?;
            left -= page.body.len() as u64;
            let parsed: serde_json::Value = serde_json::from_slice(&page.body)
                .map_err(|e| FetchFailure::new(Class::Invalid, format!("{url} is no list of tags: {e}")))?;
            let tags = parsed["tags"].as_array().into_iter().flatten();
            out.extend(
                tags.filter_map(|t| t.as_str())
                    .filter(|t| tag_is_fine(t))
                    .map(str::to_owned),
            );
            next = next_page(&url, &page.headers);
        }
        match next {
            None => Ok(out),
            Some(_) => Err(too_much(format!("{MAX_PAGES} pages"))),
        }
    }

    /// The manifest and its digest.
    async fn manifest(
        &self,
        reference: &str,
        wanted: Option<&str>,
    ) -> Result<(Manifest, String), FetchFailure> {
        let url = format!("{}/manifests/{reference}", self.base);
        let limit = self.loader.settings.limits.manifest;
        let got = self.get(&url, &MANIFESTS, limit).await?;
        let digest = cache::digest(&got.body);
        let said = got
            .headers
            .get("docker-content-digest")
            .and_then(|v| v.to_str().ok())
            .filter(|d| cache::is_digest(d));
        for promised in wanted.into_iter().chain(said) {
            if promised != digest {
                return Err(FetchFailure::new(
                    Class::Corrupt,
                    format!("{url} has the digest {digest}, not {promised}"),
                )
                .hint("it was changed on its way, or the registry is damaged: do not use it"));
            }
        }
        let manifest = serde_json::from_slice(&got.body).map_err(|e| {
            FetchFailure::new(Class::Invalid, format!("{url} is no manifest of a chart: {e}"))
                .hint("the address may be that of an image")
        })?;
        Ok((manifest, digest))
    }
}

/// The next page of a list, if the registry names one, on the same host.
fn next_page(url: &str, headers: &HeaderMap) -> Option<String> {
    let link = headers.get(LINK)?.to_str().ok()?;
    let (target, rest) = link.strip_prefix('<')?.split_once('>')?;
    if !rest.contains("next") {
        return None;
    }
    let here = reqwest::Url::parse(url).ok()?;
    let there = here.join(target).ok()?;
    (there.origin() == here.origin()).then(|| there.to_string())
}

fn chart_layer<'m>(manifest: &'m Manifest, source: &str) -> Result<&'m Descriptor, FetchFailure> {
    let no_chart = |what: String| {
        FetchFailure::new(Class::Invalid, format!("{source} holds no chart: {what}"))
            .hint("charts are pushed with `helm push`")
    };
    if manifest.config.media_type != CONFIG {
        return Err(no_chart(format!(
            "its configuration is {}",
            manifest.config.media_type
        )));
    }
    manifest
        .layers
        .iter()
        .find(|layer| LAYERS.contains(&layer.media_type.as_str()))
        .ok_or_else(|| no_chart("no layer is an archive of a chart".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart_and_checked() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let full = Address::parse(&format!("oci://127.0.0.1:5000/a/b:1.2.3_x@{digest}")).unwrap();
        assert_eq!(
            (full.host.as_str(), full.repository.as_str()),
            ("127.0.0.1:5000", "a/b")
        );
        assert_eq!(
            (full.tag.as_deref(), full.digest.as_deref()),
            (Some("1.2.3_x"), Some(digest.as_str()))
        );
        for bad in [
            "oci://host",
            "oci://host/",
            "oci:///a",
            "oci://host/../x",
            "oci://host/A",
            "oci://host/a//b",
            "oci://host/a:",
            "oci://host/a:x/y",
            "oci://ho st/a",
            "oci://user@host/a",
            "oci://host/a@sha256:12",
            "oci://host/a?b",
        ] {
            assert!(Address::parse(bad).is_err(), "{bad}");
        }
    }
}
