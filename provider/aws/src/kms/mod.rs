//! KMS: parts made of its objects.

mod key;

use async_trait::async_trait;
use reconcile::failure::Failure;
use reconcile::kinds::Kinds;

use crate::client::{Aws, Clients};
use crate::kind::{Client, Place};

use key::Keys;

pub use key::Key;

#[async_trait]
impl Client for aws_sdk_kms::Client {
    async fn of(place: &Place) -> Result<Clients<Self>, Failure> {
        place.aws.kms(&place.region).await
    }
}

/// The kinds of its parts in one region.
pub fn kinds(aws: &Aws, region: &str) -> Kinds {
    Kinds::new().with(Keys(Place::new(aws, region)))
}
