//! What the floor above gives: where a cluster is, how to get there, and who one is there.

use std::time::Duration;

use async_trait::async_trait;
use framework::Secret;
use reconcile::failure::Failure;

/// Where a cluster's API is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its address, for example `https://0123.gr7.eu-central-1.eks.amazonaws.com`.
    pub url: String,
    /// Certificates of the authority that signed its own: PEM, or as EKS gives them, base64 of PEM.
    pub certificate_authority: String,
}

/// How to get there, where that is not the straight way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Route {
    /// Address in place of the endpoint's, for example that of a tunnel: `https://localhost:8443`. The certificate is still
    /// that of the endpoint's host.
    pub address: Option<String>,
    /// The name in the certificate, in place of the endpoint's host.
    pub tls_server_name: Option<String>,
    /// Address of a proxy, in place of `HTTPS_PROXY` and its like.
    pub proxy: Option<Secret<String>>,
    /// Hosts that are reached without a proxy, in place of `NO_PROXY`.
    pub no_proxy: Option<String>,
}

/// A bearer token.
#[derive(Debug, Clone)]
pub struct Token {
    /// The token.
    pub text: Secret<String>,
    /// How long the API server takes it, from now on.
    pub valid_for: Duration,
}

/// How clusters of one kind are entered.
#[async_trait]
pub trait Access: Send + Sync + 'static {
    /// Where the cluster of this name is. Asked once for a connection.
    ///
    /// # Errors
    /// There is none (`NotFound`), it has no endpoint yet (`NotYet`), or it could not be asked.
    async fn endpoint(&self, cluster: &str) -> Result<Endpoint, Failure>;

    /// A fresh token for it. Asked again before one is no longer valid.
    ///
    /// # Errors
    /// There are no credentials, or they are refused.
    async fn token(&self, cluster: &str) -> Result<Token, Failure>;

    /// How to get there: straight by default, or as the environment's proxy says.
    fn route(&self, _cluster: &str) -> Route {
        Route::default()
    }

    /// What the user can do where the API takes the token for nobody's, or for somebody's who may not do this.
    fn how_to_enter(&self, cluster: &str) -> String {
        format!("Give this identity an access entry in the cluster {cluster}.")
    }
}
