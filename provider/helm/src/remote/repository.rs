//! HTTP repositories: a folder with an `index.yaml` that lists charts, their versions and where they lie.

use reqwest::Url;

use super::{Archive, Credentials, Loader, Request, choose, none_fits, web};
use crate::chart::fetch::{Class, FetchFailure};
use crate::text::yaml;
use crate::value::{Map, Value};

/// A version that an index lists.
struct Entry {
    version: String,
    url: String,
    digest: String,
}

impl Loader {
    pub(super) async fn repository(
        &self,
        url: &str,
        chart: &str,
        request: &Request,
    ) -> Result<Archive, FetchFailure> {
        let invalid = |what: String| FetchFailure::new(Class::Invalid, what);
        let base = Url::parse(url).map_err(|e| {
            invalid(format!("{:?} is no URL: {e}", web::without_user(url)))
                .hint("write it as https://HOST/PATH")
        })?;
        let (credentials, pass) = self.credentials_of_repository(&base);
        let index_url = in_folder(&base, "index.yaml").map_err(invalid)?;
        let limits = &self.settings.limits;
        let index = self
            .web
            .get(index_url.as_str(), credentials.as_ref(), &[], limits.index)
            .await?;
        let listed = entries(&index.body, chart).map_err(|what| {
            invalid(format!(
                "{} is no index of charts: {what}",
                web::without_user(index_url.as_str())
            ))
        })?;
        let versions: Vec<&str> = listed.iter().map(|e| e.version.as_str()).collect();
        let chosen = choose(&versions, request)?;
        let entry = chosen
            .and_then(|version| listed.iter().find(|e| e.version == version))
            .ok_or_else(|| {
                none_fits(
                    &versions,
                    request,
                    &format!("{chart} in {}", web::without_user(url)),
                )
            })?;
        if entry.url.starts_with("oci://") {
            let host = entry.url.trim_start_matches("oci://").split('/').next();
            let port = base.port().map(|port| format!(":{port}")).unwrap_or_default();
            let same = host == base.host_str().map(|host| format!("{host}{port}")).as_deref();
            return self.oci(&entry.url, request, pass || same).await;
        }
        let location = match Url::parse(&entry.url) {
            Ok(absolute) => absolute,
            Err(_) => in_folder(&base, &entry.url).map_err(invalid)?,
        };
        let digest = normal_digest(&entry.digest);
        if let Some(digest) = &digest
            && let Some(bytes) = self.cache.as_ref().and_then(|cache| cache.get(digest))
        {
            return Ok(Archive {
                bytes,
                location: web::without_user(location.as_str()),
                digest: digest.clone(),
                manifest_digest: None,
                cached: true,
            });
        }
        let trusted = pass || location.origin() == base.origin();
        let bytes = self
            .web
            .get(
                location.as_str(),
                credentials.as_ref().filter(|_| trusted),
                &[],
                limits.archive,
            )
            .await?
            .body;
        let found = super::cache::digest(&bytes);
        if let Some(promised) = digest
            && promised != found
        {
            return Err(FetchFailure::new(
                Class::Corrupt,
                format!(
                    "{} has the digest {found}, the index promises {promised}",
                    web::without_user(location.as_str())
                ),
            )
            .hint("the archive was changed after it was listed, or on its way: do not use it"));
        }
        Ok(self.keep(bytes, web::without_user(location.as_str())))
    }

    /// Credentials: those given, those of the URL, those that helm has for it. And whether other hosts get them too.
    fn credentials_of_repository(&self, url: &Url) -> (Option<Credentials>, bool) {
        let pass = self.settings.pass_credentials;
        if let Some(given) = &self.settings.credentials {
            return (Some(given.clone()), pass);
        }
        if !url.username().is_empty() {
            let decode = |s: &str| String::from_utf8_lossy(&percent_decoded(s)).into_owned();
            let password = decode(url.password().unwrap_or_default());
            return (Some(Credentials::basic(decode(url.username()), password)), pass);
        }
        let wanted = url.as_str().trim_end_matches('/');
        self.settings
            .config_files
            .repositories()
            .into_iter()
            .find(|r| r.url.trim_end_matches('/') == wanted)
            .map_or((None, pass), |r| (r.credentials, pass || r.pass_credentials))
    }

    /// What a name such as `eks/karpenter` means, if the user gave a repository the name `eks`.
    pub fn named_repository(&self, chart: &str) -> Option<super::Source> {
        let (name, chart) = chart.split_once('/')?;
        let found = self
            .settings
            .config_files
            .repositories()
            .into_iter()
            .find(|r| r.name == name)?;
        if found.url.starts_with("oci://") {
            return Some(super::Source::Oci(format!("{}/{chart}", found.url)));
        }
        Some(super::Source::Repository {
            url: found.url,
            chart: chart.to_owned(),
        })
    }
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let hex = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten()
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(hex.unwrap_or(bytes[at]));
        at += if hex.is_some() { 3 } else { 1 };
    }
    out
}

/// A file of the folder that a URL names, whether or not it ends in a slash. A query stays: it may be what admits us.
fn in_folder(base: &Url, file: &str) -> Result<Url, String> {
    let mut folder = base.clone();
    if !folder.path().ends_with('/') {
        folder.set_path(&format!("{}/", base.path()));
    }
    let mut url = folder.join(file).map_err(|e| {
        format!(
            "the index lists {file:?}, which is no URL: {e}",
            file = web::without_user(file)
        )
    })?;
    if url.query().is_none() && url.origin() == base.origin() {
        url.set_query(base.query());
    }
    Ok(url)
}

/// The entries of a chart, in the order of the index.
fn entries(index: &[u8], chart: &str) -> Result<Vec<Entry>, String> {
    let text = std::str::from_utf8(index).map_err(|e| e.to_string())?;
    let Value::Map(index) = yaml::parse(text).map_err(|e| yaml::convert_error(&e))? else {
        return Err("it is no mapping".into());
    };
    let Some(Value::Map(charts)) = index.get("entries") else {
        return Err("it has no entries".into());
    };
    let listed = charts.get(chart).and_then(|v| v.items()).unwrap_or_default();
    let text = |entry: &Map, key: &str| match entry.get(key) {
        Some(Value::Str(s)) => s.to_string(),
        _ => String::new(),
    };
    Ok(listed
        .iter()
        .filter_map(|entry| {
            let Value::Map(entry) = entry else { return None };
            let urls = entry.get("urls").and_then(|v| v.items())?;
            let Some(Value::Str(url)) = urls.iter().next() else {
                return None;
            };
            Some(Entry {
                version: text(entry, "version"),
                url: url.to_string(),
                digest: text(entry, "digest"),
            })
        })
        .collect())
}

/// helm writes digests bare, others with their kind before. Of what is no sha256 nothing is promised.
fn normal_digest(digest: &str) -> Option<String> {
    let hex = digest
        .strip_prefix("sha256:")
        .unwrap_or(digest)
        .to_ascii_lowercase();
    let fine = hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit());
    fine.then(|| format!("sha256:{hex}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_stays_on_its_host() {
        let base = Url::parse("https://host/charts?key=secret").unwrap();
        let at = |file: &str| in_folder(&base, file).unwrap().to_string();
        assert_eq!(at("c.tgz"), "https://host/charts/c.tgz?key=secret");
        assert_eq!(at("c.tgz?a=b"), "https://host/charts/c.tgz?a=b");
        assert_eq!(at("//evil/c.tgz"), "https://evil/c.tgz");
        assert_eq!(at("https://host:444/c.tgz"), "https://host:444/c.tgz");
    }
}
