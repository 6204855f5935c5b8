//! SQS: parts made of its objects.

mod queue;

use async_trait::async_trait;
use reconcile::failure::Failure;
use reconcile::kinds::Kinds;

use crate::client::{Aws, Clients};
use crate::kind::{Client, Place, by_name};

pub use queue::Queue;

#[async_trait]
impl Client for aws_sdk_sqs::Client {
    async fn of(place: &Place) -> Result<Clients<Self>, Failure> {
        place.aws.sqs(&place.region).await
    }
}

/// The kinds of its parts in one region.
pub fn kinds(aws: &Aws, region: &str) -> Kinds {
    Kinds::new().with(by_name::<Queue>(&Place::new(aws, region)))
}
