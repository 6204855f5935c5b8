//! EKS: parts made of a cluster and what is in it.

pub mod catalogue;
mod token;

use async_trait::async_trait;
use reconcile::failure::Failure;

use crate::client::Clients;
use crate::kind::{Client, Place};

pub use token::{ClusterEndpoint, ClusterToken};

#[async_trait]
impl Client for aws_sdk_eks::Client {
    async fn of(place: &Place) -> Result<Clients<Self>, Failure> {
        place.aws.eks(&place.region).await
    }
}
