//! How a registry lets us in: what it asks for when it is asked without credentials decides what it gets.

use std::path::Path;

use reqwest::StatusCode;
use reqwest::header::WWW_AUTHENTICATE;

use super::web::{self, Got};
use super::{Credentials, Loader};
use crate::chart::fetch::{Class, FetchFailure};

/// Where a registry hands out tokens.
struct Realm {
    url: reqwest::Url,
    service: Option<String>,
}

impl Loader {
    /// With what the contents of a repository are asked for. `registry` is `https://HOST/v2/`.
    ///
    /// `origin`: the file that the credentials come from.
    pub(super) async fn let_in(
        &self,
        registry: &str,
        repository: &str,
        credentials: Option<Credentials>,
        origin: Option<&Path>,
    ) -> Result<Option<Credentials>, FetchFailure> {
        if let Some(Credentials::Token(_)) = credentials {
            return Ok(credentials);
        }
        let limit = self.settings.limits.manifest;
        let (status, headers) = self.web.ask(registry).await?;
        let challenges = headers.get_all(WWW_AUTHENTICATE).iter();
        let bearer = challenges.filter_map(|c| c.to_str().ok()).find(|c| {
            let scheme = c.split(' ').next().unwrap_or_default();
            scheme.eq_ignore_ascii_case("bearer")
        });
        let (StatusCode::UNAUTHORIZED, Some(challenge)) = (status, bearer) else {
            return Ok(credentials);
        };
        let Realm { mut url, service } = realm(challenge, registry)?;
        let mut parameters = vec![("scope", format!("repository:{repository}:pull"))];
        parameters.extend(service.map(|service| ("service", service)));
        let answer = if let Some(Credentials::Identity(token)) = &credentials {
            parameters.push(("grant_type", "refresh_token".into()));
            parameters.push(("client_id", web::USER_AGENT.into()));
            let mut form = url.clone();
            form.set_query(None);
            form.query_pairs_mut()
                .extend_pairs(&parameters)
                .append_pair("refresh_token", token);
            let form = form.query().unwrap_or_default().to_owned();
            self.web.post_form(url.as_str(), form, limit).await
        } else {
            url.query_pairs_mut().extend_pairs(&parameters);
            self.web.get(url.as_str(), credentials.as_ref(), &[], limit).await
        };
        let answer = answer.map_err(|failure| refused(failure, registry, origin, credentials.is_some()))?;
        token(&answer).map(Some).ok_or_else(|| {
            let at = web::without_user(url.as_str());
            FetchFailure::new(Class::Invalid, format!("the answer of {at} holds no token"))
        })
    }
}

/// `Bearer realm="https://…",service="…"`, taken apart.
fn realm(challenge: &str, registry: &str) -> Result<Realm, FetchFailure> {
    let parameter = |name: &str| {
        let at = challenge.to_ascii_lowercase().find(&format!("{name}=\""))? + name.len() + 2;
        challenge[at..].split('"').next().map(str::to_owned)
    };
    let bad = |what: &str| FetchFailure::new(Class::Invalid, format!("registry {registry} {what}"));
    let url = parameter("realm").and_then(|url| reqwest::Url::parse(&url).ok());
    let url = url.ok_or_else(|| bad("does not say where its tokens are"))?;
    // The credentials go there.
    if url.scheme() != "https" && !registry.starts_with("http://") {
        return Err(bad("has its tokens fetched without TLS"));
    }
    let service = parameter("service");
    Ok(Realm { url, service })
}

fn token(answer: &Got) -> Option<Credentials> {
    let json: serde_json::Value = serde_json::from_slice(&answer.body).ok()?;
    let text = json["token"].as_str().or_else(|| json["access_token"].as_str())?;
    Some(Credentials::token(text))
}

/// A login that failed, with what helps.
fn refused(
    failure: FetchFailure,
    registry: &str,
    origin: Option<&Path>,
    had_credentials: bool,
) -> FetchFailure {
    // Some answer a wrong password with 400.
    if !matches!(failure.class, Class::Denied | Class::Invalid) {
        return failure;
    }
    let host = registry.split('/').nth(2).unwrap_or(registry);
    let hint = match origin {
        Some(file) => format!(
            "the credentials come from {}: if they are old, log in again or log out",
            file.display()
        ),
        None if had_credentials => "check the user name and the password".to_owned(),
        None => format!("log in with `helm registry login {host}`, or give a user name and password"),
    };
    FetchFailure::new(
        Class::Denied,
        format!("registry {host} refuses the login: {}", failure.cause),
    )
    .hint(hint)
}
