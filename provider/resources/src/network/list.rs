//! The list resource `ekb_network`.

use async_trait::async_trait;
use framework::{Attr, Context, Diagnostics, ListResource, Listing, Model};
use reconcile::resource::{Identity, Reconciled, list};

use super::NetworkResource;
use super::model::Network;
use crate::platform::Platform;

/// The networks of the environment in one region, whichever state made them: also what an interrupted run left and no
/// state knows.
#[derive(Model, Debug, Clone, Default)]
pub struct NetworkListConfig {
    /// AWS region. Default: the provider's.
    #[attribute(optional)]
    pub region: Attr<String>,
    /// Only those that are `complete`, or only those that are `incomplete`: creating them was interrupted.
    #[attribute(optional, validate(one_of("complete", "incomplete")))]
    pub status: Attr<String>,
}

/// The list resource `ekb_network`.
#[derive(Debug, Default)]
pub struct NetworkList;

#[async_trait]
impl ListResource<Platform> for NetworkList {
    type Config = NetworkListConfig;
    type Resource = Reconciled<NetworkResource>;

    async fn list(
        &self,
        cx: &Context<Platform>,
        config: NetworkListConfig,
        found: &mut Listing<Network, Identity>,
    ) -> Result<(), Diagnostics> {
        let status = config.status.into_known();
        let wanted = |is: &str| status.as_ref().is_none_or(|status| status == is);
        list(NetworkResource, cx, config.region.into_known(), wanted, found).await
    }
}
