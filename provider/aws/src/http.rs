//! The HTTP client that all AWS clients share: trust, proxy, time-outs and the user agent.

use std::cell::Cell;
use std::collections::HashMap;
use std::env;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::{SharedHttpClient, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextMut,
    BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use reconcile::failure::{Class, Failure};
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, pem::PemObject};

use crate::limiter::Limiter;
use crate::settings::{Secret, Settings};

/// An HTTP client as the settings ask for. Opens nothing.
///
/// # Errors
/// Where a setting cannot be used: unreadable CA bundle, malformed proxy.
pub(crate) fn client(settings: &Settings) -> Result<SharedHttpClient, Failure> {
    if settings.insecure {
        return Err(unusable("insecure", "certificates are always checked by this provider")
            .hint("Set custom_ca_bundle (or AWS_CA_BUNDLE) to the PEM file of the authority that signed the endpoint's certificate"));
    }
    let tls = TlsContext::builder()
        .with_trust_store(trust(settings)?)
        .build()
        .map_err(|error| unusable("custom_ca_bundle", error.to_string()))?;
    let proxy = proxy(settings)?;
    type Limits = (Option<Duration>, Option<Duration>);
    let connectors: Mutex<HashMap<Limits, SharedHttpConnector>> = Mutex::default();
    Ok(http_client_fn(move |limits, components| {
        // One pool of connections for all clients: they ask with the same time-outs.
        let mut connectors = connectors.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (limits.connect_timeout(), limits.read_timeout());
        let connector = connectors.entry(key).or_insert_with(|| {
            let mut builder = Connector::builder()
                .connector_settings(limits.clone())
                .proxy_config(proxy.clone())
                .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
                .tls_context(tls.clone());
            builder.set_sleep_impl(components.sleep_impl());
            SharedHttpConnector::new(builder.build())
        });
        connector.clone()
    }))
}

fn trust(settings: &Settings) -> Result<TrustStore, Failure> {
    let path = settings
        .custom_ca_bundle
        .clone()
        .or_else(|| variable("AWS_CA_BUNDLE"));
    let Some(path) = path else {
        return Ok(TrustStore::default());
    };
    let problem = |what: String| {
        unusable("custom_ca_bundle", format!("{path}: {what}"))
            .hint("Name a file of PEM certificates in custom_ca_bundle or AWS_CA_BUNDLE")
    };
    let pem = std::fs::read(&path).map_err(|error| problem(error.to_string()))?;
    // The HTTP client panics on what it cannot read, so it is read here first.
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| problem(error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| problem(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(problem("no certificate in it".to_owned()));
    }
    Ok(TrustStore::empty().with_pem_certificate(pem))
}

/// AWS's endpoints are reached by HTTPS, so its proxy decides; an `http_proxy` alone serves both, as in the AWS provider.
fn proxy(settings: &Settings) -> Result<ProxyConfig, Failure> {
    let Some(url) = settings.https_proxy.as_ref().or(settings.http_proxy.as_ref()) else {
        return Ok(ProxyConfig::from_env());
    };
    // The error would quote the URL, which may hold a password.
    let config = ProxyConfig::all(url.reveal())
        .map_err(|_| unusable("https_proxy", "not a URL").hint("Write it as http://host:port"))?;
    let config = match user_and_password(url) {
        Some((user, password)) => config.with_basic_auth(user, password),
        None => config,
    };
    let exceptions = settings
        .no_proxy
        .clone()
        .or_else(|| variable("NO_PROXY"))
        .or_else(|| variable("no_proxy"));
    Ok(match exceptions {
        Some(exceptions) => config.no_proxy(exceptions),
        None => config,
    })
}

fn user_and_password(url: &Secret) -> Option<(&str, &str)> {
    let (_, rest) = url.reveal().split_once("://")?;
    let (credentials, _) = rest.split('/').next()?.rsplit_once('@')?;
    credentials.split_once(':')
}

fn unusable(setting: &str, cause: impl Into<String>) -> Failure {
    Failure::new(
        Class::Invalid,
        format!("reading the provider's argument {setting}"),
        cause,
    )
    .code("EKB1107")
}

/// A variable of the environment, unless empty.
pub(crate) fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// The call that runs in a task.
pub(crate) struct Sending {
    attempts: Cell<u32>,
    limiter: Option<Limiter>,
}

impl Sending {
    pub(crate) fn new(limiter: Option<Limiter>) -> Self {
        Self {
            attempts: Cell::new(0),
            limiter,
        }
    }
}

tokio::task_local! {
    /// Set around each call; clients of credential providers run outside of one.
    pub(crate) static SENDING: Sending;
}

/// How often the call of this task was sent.
pub(crate) fn attempts() -> u32 {
    SENDING.try_with(|sending| sending.attempts.get()).unwrap_or(0)
}

/// Counts attempts, tells the limiter of throttled ones, and sets the user agent that AWS's partner programme asks of a provider.
#[derive(Debug, Clone)]
pub(crate) struct Sender {
    agent: Arc<str>,
}

impl Sender {
    pub(crate) fn new(settings: &Settings) -> Self {
        let agent = user_agent(
            settings.terraform_version.as_deref(),
            variable("TF_APPEND_USER_AGENT"),
        );
        Self { agent: agent.into() }
    }
}

fn user_agent(terraform: Option<&str>, append: Option<String>) -> String {
    let provider = env!("CARGO_PKG_VERSION");
    let terraform = terraform.unwrap_or("unknown");
    let mut agent = format!(
        "APN/1.0 HashiCorp/1.0 Terraform/{terraform} (+https://www.terraform.io) terraform-provider-ekb/{provider}"
    );
    if let Some(append) = append {
        agent.push(' ');
        agent.push_str(append.trim());
    }
    agent
}

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for Sender {
    fn name(&self) -> &'static str {
        "Sender"
    }

    fn read_before_attempt(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let _ = SENDING.try_with(|sending| sending.attempts.set(sending.attempts.get() + 1));
        Ok(())
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // EC2 and IAM throttle with 503, others with 429.
        if matches!(context.response().status().as_u16(), 429 | 503) {
            let _ = SENDING.try_with(|sending| sending.limiter.as_ref().map(Limiter::throttled));
        }
        Ok(())
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // After signing: the signature leaves this header out, since proxies change it.
        let headers = context.request_mut().headers_mut();
        let agent = match headers.get("user-agent") {
            Some(sdk) => format!("{} {sdk}", self.agent),
            None => self.agent.to_string(),
        };
        headers.try_insert("user-agent", agent)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_agent_names_terraform_and_the_provider() {
        let agent = user_agent(Some("1.15.5"), Some(" ci/7 ".to_owned()));
        assert!(
            agent.starts_with("APN/1.0 HashiCorp/1.0 Terraform/1.15.5 "),
            "{agent}"
        );
        assert!(
            agent.contains(concat!(" terraform-provider-ekb/", env!("CARGO_PKG_VERSION"))),
            "{agent}"
        );
        assert!(agent.ends_with(" ci/7"), "{agent}");
    }

    #[test]
    fn an_unusable_ca_bundle_is_an_error_and_no_panic() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = "-----BEGIN CERTIFICATE-----\nbm90IGEgY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n";
        std::fs::write(file.path(), text).unwrap();
        let bundle = Some(file.path().to_str().unwrap().to_owned());
        let failure = client(&Settings {
            custom_ca_bundle: bundle,
            ..Default::default()
        })
        .unwrap_err();
        assert_eq!(failure.code, "EKB1107");
        assert!(failure.hint.contains("custom_ca_bundle"), "{failure}");
    }

    #[test]
    fn a_malformed_proxy_is_refused_without_showing_it() {
        let proxy = Some("http://user:hunter2@pro xy".into());
        let failure = client(&Settings {
            https_proxy: proxy,
            ..Default::default()
        })
        .unwrap_err();
        assert!(!failure.to_string().contains("hunter2"), "{failure}");
    }
}
