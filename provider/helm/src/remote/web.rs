//! HTTP requests with limits of size and time, and failures that say where and what to do.

use std::error::Error as _;

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap};
use reqwest::{StatusCode, redirect};

use super::{Credentials, Limits, Settings};
use crate::chart::fetch::{Class, FetchFailure};

/// What a server is told of us.
pub(super) const USER_AGENT: &str = concat!("ekb-helm/", env!("CARGO_PKG_VERSION"));

/// What helps where no connection comes about.
pub(super) const CONNECTING: &str = "check the address, the network and the proxy settings";

/// A client.
pub(super) struct Web {
    client: reqwest::Client,
    /// Follows no redirect: what is posted would be sent on with it, to whatever host.
    posting: reqwest::Client,
    limits: Limits,
}

/// What was got.
pub(super) struct Got {
    pub body: Vec<u8>,
    pub headers: HeaderMap,
}

impl Web {
    pub fn new(settings: &Settings) -> Result<Web, FetchFailure> {
        let bad = |e: reqwest::Error| {
            FetchFailure::new(
                Class::Invalid,
                format!("the HTTP client cannot be set up: {}", causes(&e)),
            )
        };
        let mut authorities = Vec::new();
        for pem in &settings.authorities {
            authorities.extend(reqwest::Certificate::from_pem_bundle(pem).map_err(bad)?);
        }
        let identity = settings.identity.as_ref();
        let identity = identity.map(|pem| reqwest::Identity::from_pem(pem));
        let identity = identity.transpose().map_err(bad)?;
        let builder = || {
            let mut builder = reqwest::Client::builder();
            if let Some(identity) = &identity {
                builder = builder.identity(identity.clone());
            }
            builder
                .user_agent(USER_AGENT)
                // A URL's query may be a secret.
                .referer(false)
                .connect_timeout(settings.limits.connect)
                .read_timeout(settings.limits.idle)
                .timeout(settings.limits.request)
                .tls_certs_merge(authorities.clone())
        };
        let client = builder()
            .redirect(redirect::Policy::custom(|attempt| {
                let downgrade = attempt.url().scheme() != "https"
                    && attempt
                        .previous()
                        .first()
                        .is_some_and(|first| first.scheme() == "https");
                if downgrade {
                    attempt.error("the server redirects from https to http")
                } else if attempt.previous().len() > 10 {
                    attempt.error("the server redirects more than ten times")
                } else {
                    attempt.follow()
                }
            }))
            .build()
            .map_err(bad)?;
        let posting = builder().redirect(redirect::Policy::none());
        Ok(Web {
            client,
            posting: posting.build().map_err(bad)?,
            limits: settings.limits.clone(),
        })
    }

    /// Gets at most `limit` bytes.
    pub async fn get(
        &self,
        url: &str,
        credentials: Option<&Credentials>,
        accept: &[&str],
        limit: u64,
    ) -> Result<Got, FetchFailure> {
        let at = without_user(url);
        let mut request = match reqwest::Url::parse(url) {
            // Those of the URL would be sent, too.
            Ok(mut parsed) if credentials.is_some() => {
                strip_user(&mut parsed);
                self.client.get(parsed)
            }
            _ => self.client.get(url),
        };
        if !accept.is_empty() {
            request = request.header(ACCEPT, accept.join(", "));
        }
        request = match credentials {
            Some(Credentials::Basic { username, password }) => {
                request.basic_auth(username, Some(password.as_str()))
            }
            Some(Credentials::Token(token)) => request.bearer_auth(token.as_str()),
            // It is only good for a token.
            Some(Credentials::Identity(_)) | None => request,
        };
        self.answer(&at, request, credentials, limit).await
    }

    /// What a server says to somebody without credentials: nothing is wrong with a refusal.
    pub async fn ask(&self, url: &str) -> Result<(StatusCode, HeaderMap), FetchFailure> {
        let at = without_user(url);
        let response = self.client.get(url).send().await;
        let response = response.map_err(|e| self.unanswered(&at, &e))?;
        match response.status() {
            status if status.is_success() || status == StatusCode::UNAUTHORIZED => {
                Ok((status, response.headers().clone()))
            }
            status => Err(refused(&at, status, None)),
        }
    }

    /// Posts a form, and gets at most `limit` bytes.
    pub async fn post_form(&self, url: &str, form: String, limit: u64) -> Result<Got, FetchFailure> {
        let request = self
            .posting
            .post(url)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form);
        self.answer(&without_user(url), request, None, limit).await
    }

    async fn answer(
        &self,
        at: &str,
        request: reqwest::RequestBuilder,
        credentials: Option<&Credentials>,
        limit: u64,
    ) -> Result<Got, FetchFailure> {
        let mut response = request.send().await.map_err(|e| self.unanswered(at, &e))?;
        let status = response.status();
        if !status.is_success() {
            return Err(refused(at, status, credentials));
        }
        let too_large = || FetchFailure::new(Class::TooLarge, format!("{at} is larger than {limit} bytes"));
        if response.content_length().is_some_and(|length| length > limit) {
            return Err(too_large());
        }
        let headers = response.headers().clone();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.unanswered(at, &e))? {
            if (body.len() + chunk.len()) as u64 > limit {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Got { body, headers })
    }

    fn unanswered(&self, at: &str, error: &reqwest::Error) -> FetchFailure {
        if error.is_timeout() {
            let limits = &self.limits;
            return FetchFailure::new(
                Class::TimedOut,
                format!(
                    "{at} did not answer in time ({} s to connect, {} s without a byte, {} s in all)",
                    limits.connect.as_secs_f32(),
                    limits.idle.as_secs_f32(),
                    limits.request.as_secs_f32()
                ),
            );
        }
        if error.is_builder() {
            return FetchFailure::new(Class::Invalid, format!("{at:?} is no URL that can be asked"));
        }
        let cause = causes(error);
        let failure = FetchFailure::new(Class::Unreachable, format!("{at} cannot be reached: {cause}"));
        if let Some(hint) = hint_for_certificates(&cause) {
            failure.hint(hint)
        } else if error.is_connect() {
            failure.hint(CONNECTING)
        } else {
            failure
        }
    }
}

/// What helps against a certificate that is not trusted.
fn hint_for_certificates(cause: &str) -> Option<&'static str> {
    cause
        .to_ascii_lowercase()
        .contains("certificate")
        .then_some("if its certificate comes of a private authority, name that authority's file")
}

/// What a status that is no success means.
fn refused(at: &str, status: StatusCode, credentials: Option<&Credentials>) -> FetchFailure {
    let cause = format!("{at} answered {status}");
    match status.as_u16() {
        401 | 403 => {
            let hint = match credentials {
                Some(_) => "the credentials are refused, or do not allow this",
                None => "credentials are needed: give a user name and password, or log in with helm",
            };
            FetchFailure::new(Class::Denied, cause).hint(hint)
        }
        404 | 410 => FetchFailure::new(Class::NotFound, cause).hint("check the name and the address"),
        408 | 429 | 500.. => FetchFailure::new(Class::Unreachable, cause).hint("try again later"),
        _ => FetchFailure::new(Class::Invalid, cause),
    }
}

/// The innermost causes say what is wrong, the outermost only that something is.
fn causes(error: &reqwest::Error) -> String {
    let mut out = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if out.last() != Some(&text) {
            out.push(text);
        }
        next = cause.source();
    }
    match out.last() {
        Some(innermost) => innermost.clone(),
        // Its own text would repeat the URL.
        None => without_url(error),
    }
}

fn without_url(error: &reqwest::Error) -> String {
    let text = error.to_string();
    match error.url() {
        Some(url) => text.replace(&format!(" for url ({url})"), ""),
        None => text,
    }
}

/// A URL without user name, password and query, which may hold a signature: for people to read.
pub(super) fn without_user(url: &str) -> String {
    if let Some(address) = url.strip_prefix("oci://") {
        let digest = address
            .rfind("@sha256:")
            .filter(|at| !address[*at..].contains('/'));
        let (name, digest) = address.split_at(digest.unwrap_or(address.len()));
        return format!("oci://{}{digest}", behind_last_at(name));
    }
    match reqwest::Url::parse(url) {
        Ok(mut parsed) if parsed.has_host() => {
            strip_user(&mut parsed);
            parsed.set_query(None);
            parsed.to_string()
        }
        // A password with a slash, for one.
        _ => {
            let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
            let separator = if scheme.is_empty() { "" } else { "://" };
            let rest = behind_last_at(rest);
            let rest = rest.split_once('?').map_or(rest, |(rest, _)| rest);
            format!("{scheme}{separator}{rest}")
        }
    }
}

fn behind_last_at(text: &str) -> &str {
    text.rsplit_once('@').map_or(text, |(_, rest)| rest)
}

fn strip_user(url: &mut reqwest::Url) {
    // Both fail only for URLs that cannot have them.
    let _ = url.set_username("");
    let _ = url.set_password(None);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_read_holds_no_secret() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let addressed = format!("oci://bob:s/ec@ret@host:5000/a/b@{digest}");
        for (url, shown) in [
            ("https://bob:secret@host/a?key=secret", "https://host/a"),
            ("https://bob:s/ecret@host/a?key=secret", "https://host/a"),
            ("https://bob:s/ec@ret@host:x/a", "https://host:x/a"),
            ("bob:s/ecret@host", "host"),
            ("oci://bob:secret@host/a:1.0.0", "oci://host/a:1.0.0"),
            ("oci://bob:secret@host", "oci://host"),
            (addressed.as_str(), &format!("oci://host:5000/a/b@{digest}")),
            ("https://host/a", "https://host/a"),
        ] {
            assert_eq!(without_user(url), shown);
            for source in [
                super::super::Source::parse(url, None),
                super::super::Source::parse("c", Some(url)),
            ] {
                // What has no scheme is a path.
                if url.contains("://") {
                    let said = format!(
                        "{source} {source:?} {:?}",
                        super::super::Request::new(source.clone())
                    );
                    assert!(!said.contains("ecret") && !said.contains("ec@ret"), "{said}");
                }
            }
        }
    }
}
