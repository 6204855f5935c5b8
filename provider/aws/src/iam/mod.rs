//! IAM: parts made of its objects.

mod oidc_provider;
pub(crate) mod role;
pub mod trust;

use async_trait::async_trait;
use reconcile::failure::Failure;
use reconcile::kinds::Kinds;

use crate::client::{Aws, Clients};
use crate::kind::{Client, Place, by_name};

use oidc_provider::OidcProviders;

pub use oidc_provider::OidcProvider;
pub use role::IamRole;

#[async_trait]
impl Client for aws_sdk_iam::Client {
    async fn of(place: &Place) -> Result<Clients<Self>, Failure> {
        place.aws.iam(&place.region).await
    }
}

/// The kinds of its parts in one region.
pub fn kinds(aws: &Aws, region: &str) -> Kinds {
    let place = Place::new(aws, region);
    Kinds::new()
        .with(by_name::<IamRole>(&place))
        .with(OidcProviders(place))
}
