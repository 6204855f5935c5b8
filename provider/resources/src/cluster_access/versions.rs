//! The data source `ekb_kubernetes_versions`.

use async_trait::async_trait;
use aws::eks::catalogue::{self, Support};
use framework::{Attr, Context, DataSource, Diagnostics, Model};
use reconcile::failure::Failure;

use crate::platform::Platform;

/// The versions of Kubernetes that EKS has in a region, the newest first, with the dates until which it supports them.
#[derive(Model, Debug, Clone)]
pub struct KubernetesVersions {
    /// AWS region. Default: that of the provider.
    #[attribute(optional)]
    pub region: Attr<String>,
    /// The versions, those past all support among them.
    #[attribute(computed)]
    pub versions: Attr<Vec<KubernetesVersion>>,
    /// The version that EKS takes where none is given.
    #[attribute(computed)]
    pub default: Attr<String>,
    /// The newest version.
    #[attribute(computed)]
    pub latest: Attr<String>,
}

/// A version of Kubernetes.
#[derive(Model, Debug, Clone)]
pub struct KubernetesVersion {
    /// For example `1.35`.
    #[attribute(computed)]
    pub version: Attr<String>,
    /// `standard`, `extended` (at a higher price) or `none`.
    #[attribute(computed)]
    pub support: Attr<String>,
    /// When EKS had it first, as `2026-01-28`.
    #[attribute(computed)]
    pub released: Attr<String>,
    /// The last day of standard support.
    #[attribute(computed)]
    pub standard_support_ends: Attr<String>,
    /// The last day of extended support.
    #[attribute(computed)]
    pub extended_support_ends: Attr<String>,
}

/// The data source `ekb_kubernetes_versions`.
pub struct KubernetesVersionsData;

#[async_trait]
impl DataSource<Platform> for KubernetesVersionsData {
    type Model = KubernetesVersions;

    const NAME: &'static str = "ekb_kubernetes_versions";

    async fn read(
        &self,
        cx: &Context<Platform>,
        config: KubernetesVersions,
        _warnings: &mut Diagnostics,
    ) -> Result<KubernetesVersions, Diagnostics> {
        let platform = cx.configured()?;
        let region = super::region(platform, &config.region).await?;
        let told = |failure: Failure| Diagnostics::from(failure.diagnostic());
        let found = catalogue::versions(&platform.aws, &region).await.map_err(told)?;
        let default = found.iter().find(|version| version.is_default);
        let name = |version: &catalogue::Version| version.version.clone();
        Ok(KubernetesVersions {
            default: Attr::from_option(default.map(name)),
            latest: Attr::from_option(found.first().map(name)),
            versions: Attr::Known(found.into_iter().map(KubernetesVersion::from).collect()),
            ..config
        })
    }
}

impl From<catalogue::Version> for KubernetesVersion {
    fn from(version: catalogue::Version) -> Self {
        let support = match version.support {
            Support::Standard => "standard",
            Support::Extended => "extended",
            Support::No => "none",
        };
        Self {
            version: Attr::Known(version.version),
            support: Attr::Known(support.to_owned()),
            released: Attr::from_option(version.released),
            standard_support_ends: Attr::from_option(version.standard_until),
            extended_support_ends: Attr::from_option(version.extended_until),
        }
    }
}
