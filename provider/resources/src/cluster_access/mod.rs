//! The way into a cluster: what EKS says of it, and tokens for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use aws::Aws;
use framework::{Attr, Diagnostics};
use kubernetes::{Access, Clusters, Endpoint, Route, Token};
use reconcile::failure::Failure;
use reconcile::resource::Surroundings;

use crate::platform::Platform;
use route::KubernetesBlock;

pub mod kubeconfig;
pub mod route;
pub mod token;
pub mod versions;

/// The region that is given, else the provider's.
pub(crate) async fn region(platform: &Platform, given: &Attr<String>) -> Result<String, Diagnostics> {
    let told = |failure: Failure| Diagnostics::from(failure.diagnostic());
    let region = match given.known() {
        Some(region) => region.clone(),
        None => platform.region().await.map_err(told)?,
    };
    platform.check_region(&region).map_err(told)?;
    Ok(region)
}

/// The clusters of each region, with their connections: one for all resources of a provider block.
#[derive(Debug, Default)]
pub struct ClustersByRegion {
    ways: Arc<[KubernetesBlock]>,
    regions: Mutex<HashMap<String, Clusters>>,
}

impl ClustersByRegion {
    /// Those that are reached in these ways.
    pub(crate) fn reached(ways: Vec<KubernetesBlock>) -> Self {
        Self {
            ways: ways.into(),
            regions: Mutex::default(),
        }
    }

    /// The clusters of the region. Calls nothing.
    pub(crate) fn of(&self, aws: &Aws, region: &str) -> Clusters {
        let mut regions = self.regions.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || {
            Clusters::new(Eks {
                aws: aws.clone(),
                region: region.to_owned(),
                ways: Arc::clone(&self.ways),
            })
        };
        regions.entry(region.to_owned()).or_insert_with(make).clone()
    }
}

/// EKS in one region.
struct Eks {
    aws: Aws,
    region: String,
    ways: Arc<[KubernetesBlock]>,
}

#[async_trait]
impl Access for Eks {
    async fn endpoint(&self, cluster: &str) -> Result<Endpoint, Failure> {
        let found = self.aws.cluster_endpoint(&self.region, cluster).await?;
        Ok(Endpoint {
            url: found.url,
            certificate_authority: found.certificate_authority,
        })
    }

    async fn token(&self, cluster: &str) -> Result<Token, Failure> {
        let token = self.aws.cluster_token(&self.region, cluster).await?;
        Ok(Token {
            text: token.text.reveal().to_owned().into(),
            valid_for: token.valid_for,
        })
    }

    /// The provider block's proxy is for clusters too, unless they have one of their own.
    fn route(&self, cluster: &str) -> Route {
        let route = route::route(&self.ways, cluster);
        if route.proxy.is_some() {
            return route;
        }
        let settings = self.aws.settings();
        let proxy = settings.https_proxy.as_ref().or(settings.http_proxy.as_ref());
        Route {
            proxy: proxy.map(|proxy| proxy.reveal().to_owned().into()),
            no_proxy: settings.no_proxy.clone(),
            ..route
        }
    }

    fn how_to_enter(&self, cluster: &str) -> String {
        let region = &self.region;
        format!(
            "The provider's AWS identity has no way into the cluster {cluster}, or may not do this there: see it by `aws sts get-caller-identity` and the cluster's entries by `aws eks list-access-entries --region {region} --cluster-name {cluster}`. Whoever may still change it gives it one: `aws eks create-access-entry --region {region} --cluster-name {cluster} --principal-arn ROLE_ARN`, and `aws eks associate-access-policy` with AmazonEKSClusterAdminPolicy"
        )
    }
}
