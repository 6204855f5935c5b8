//! The ephemeral resource `ekb_cluster_token`.

use async_trait::async_trait;
use framework::{Attr, Context, Diagnostics, EphemeralResource, Model, Opened, PrivateState, Secret};
use reconcile::failure::{Class, Failure};

use crate::platform::Platform;

/// A token for the API of an EKS cluster, for the `kubernetes` and `helm` providers: made when it is needed, valid for 15
/// minutes, and never stored.
///
/// It is for whoever the provider's AWS credentials are; the cluster decides by its access entries what that identity may do.
/// Needs the IAM action `eks:DescribeCluster`.
#[derive(Model, Debug, Clone)]
pub struct ClusterToken {
    /// Name of the cluster. Of one that this configuration makes: `ekb_cluster.main.id`, which is known when it is there, not
    /// `ekb_cluster.main.name`, which is known before.
    #[attribute(required, validate(length(1..=100)))]
    pub name: Attr<String>,
    /// AWS region of the cluster. Default: that of the provider.
    #[attribute(optional)]
    pub region: Attr<String>,
    /// The token.
    #[attribute(computed, sensitive)]
    pub token: Attr<Secret<String>>,
    /// Address of the cluster's API.
    #[attribute(computed)]
    pub endpoint: Attr<String>,
    /// Certificates of the authority that signed the API's own, in PEM.
    #[attribute(computed)]
    pub certificate_authority: Attr<String>,
    /// When the cluster takes the token no longer (RFC 3339).
    #[attribute(computed)]
    pub expires_at: Attr<String>,
}

/// The ephemeral resource `ekb_cluster_token`.
pub struct ClusterTokenResource;

#[async_trait]
impl EphemeralResource<Platform> for ClusterTokenResource {
    type Model = ClusterToken;

    const NAME: &'static str = "ekb_cluster_token";

    async fn open(
        &self,
        cx: &Context<Platform>,
        config: ClusterToken,
        _warnings: &mut Diagnostics,
    ) -> Result<Opened<ClusterToken>, Diagnostics> {
        let platform = cx.configured()?;
        let name = config.name.known().cloned().unwrap_or_default();
        let told = |mut failure: Failure| {
            if failure.class == Class::NotFound {
                failure = failure.hint(
                    "Is the name right, and the region? Where this configuration makes the cluster, write `name = ekb_cluster.….id`, \
                     which is known when the cluster is there: then the token waits for it",
                );
            }
            Diagnostics::from(failure.diagnostic())
        };
        let region = super::region(platform, &config.region).await?;
        let found = platform
            .aws
            .cluster_endpoint(&region, &name)
            .await
            .map_err(told)?;
        let token = platform.aws.cluster_token(&region, &name).await.map_err(told)?;
        let result = ClusterToken {
            token: Attr::Known(token.text.reveal().to_owned().into()),
            endpoint: Attr::Known(found.url),
            certificate_authority: Attr::Known(found.certificate_authority),
            expires_at: Attr::Known(token.expires_at()),
            ..config
        };
        Ok(Opened {
            result,
            private: PrivateState::new(),
            // Core keeps the values that it has: a new token would reach nobody.
            renew_at: None,
        })
    }
}
