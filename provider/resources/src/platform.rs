//! What the configured provider gives its resources.

use async_trait::async_trait;
use aws::Aws;
use framework::Attr;
use reconcile::failure::{Class, Failure};
use reconcile::locks::Locks;
use reconcile::resource::{GivenTags, Surroundings};
use reconcile::shared_tags::IgnoredTags;

use crate::cluster_access::ClustersByRegion;

/// The configured provider.
#[derive(Debug)]
pub struct Platform {
    /// The environment; none where the provider block does not say.
    pub environment: Option<String>,
    /// AWS, connected at first use.
    pub aws: Aws,
    /// Tags of everything.
    pub default_tags: Attr<GivenTags>,
    /// Tags that are left alone.
    pub ignored_tags: IgnoredTags,
    /// The locks of the process.
    pub locks: Locks,
    /// The clusters that are entered.
    pub clusters: ClustersByRegion,
}

impl Platform {
    /// AWS alone.
    pub(crate) fn bare(aws: Aws) -> Self {
        Self {
            environment: None,
            aws,
            default_tags: Attr::default(),
            ignored_tags: IgnoredTags::default(),
            locks: Locks::default(),
            clusters: ClustersByRegion::default(),
        }
    }

    /// The Kubernetes clusters of a region. Calls nothing.
    pub fn clusters(&self, region: &str) -> kubernetes::Clusters {
        self.clusters.of(&self.aws, region)
    }
}

#[async_trait]
impl Surroundings for Platform {
    fn environment(&self) -> Option<&str> {
        self.environment.as_deref()
    }

    async fn region(&self) -> Result<String, Failure> {
        self.aws.connect().await?;
        self.aws.region().ok_or_else(|| {
            Failure::new(Class::Invalid, "looking for the region", "no region is given")
                .code("EKB2017")
                .hint("Set `region` in the provider block or in the resource, or the variable AWS_REGION.")
        })
    }

    fn check_region(&self, region: &str) -> Result<(), Failure> {
        self.aws.check_region(region)
    }

    async fn account(&self, region: Option<&str>) -> Result<String, Failure> {
        Ok(self.aws.account(region).await?.id)
    }

    fn default_tags(&self) -> &Attr<GivenTags> {
        &self.default_tags
    }

    fn ignored_tags(&self) -> &IgnoredTags {
        &self.ignored_tags
    }

    fn locks(&self) -> &Locks {
        &self.locks
    }
}
