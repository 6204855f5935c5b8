//! The data source `ekb_release`: what helm says of a release, whoever made it.

use std::collections::BTreeSet;

use async_trait::async_trait;
use framework::{Attr, Context, DataSource, Diagnostic, Diagnostics, Model, Path};
use reconcile::failure::{Class, Failure};

use super::charts;
use super::record::{Place, living, revisions};
use crate::cluster_access;
use crate::platform::Platform;

/// What helm says of a release in a cluster, whoever installed it.
#[derive(Model, Debug, Clone)]
pub struct ReleaseLooked {
    /// Name of the release.
    #[attribute(required)]
    pub name: Attr<String>,
    /// Name of the EKS cluster.
    #[attribute(required)]
    pub cluster: Attr<String>,
    /// Namespace of the release. Default: the release's name.
    #[attribute(optional)]
    pub namespace: Attr<String>,
    /// AWS region of the cluster. Default: that of the provider.
    #[attribute(optional)]
    pub region: Attr<String>,
    /// Its id, which imports it: `CLUSTER/NAMESPACE/NAME`.
    #[attribute(computed)]
    pub id: Attr<String>,
    /// The latest revision in helm's history.
    #[attribute(computed)]
    pub revision: Attr<i64>,
    /// What helm says of that revision: `deployed`, `failed`, `pending-upgrade`, ….
    #[attribute(computed)]
    pub release_status: Attr<String>,
    /// Name of the chart.
    #[attribute(computed)]
    pub chart_name: Attr<String>,
    /// Version of the chart.
    #[attribute(computed)]
    pub chart_version: Attr<String>,
    /// Version of what the chart installs.
    #[attribute(computed)]
    pub app_version: Attr<String>,
    /// What the chart says to who installs it.
    #[attribute(computed)]
    pub notes: Attr<String>,
    /// Host names of its Ingresses and routes.
    #[attribute(computed)]
    pub hosts: Attr<BTreeSet<String>>,
}

/// The data source `ekb_release`.
pub struct ReleaseData;

#[async_trait]
impl DataSource<Platform> for ReleaseData {
    type Model = ReleaseLooked;

    const NAME: &'static str = "ekb_release";

    async fn read(
        &self,
        cx: &Context<Platform>,
        config: ReleaseLooked,
        _warnings: &mut Diagnostics,
    ) -> Result<ReleaseLooked, Diagnostics> {
        let platform = cx.configured()?;
        let region = cluster_access::region(platform, &config.region).await?;
        let (Attr::Known(cluster), Attr::Known(name)) = (&config.cluster, &config.name) else {
            return Ok(config);
        };
        let place = Place {
            cluster: cluster.clone(),
            namespace: config.namespace.known().unwrap_or(name).clone(),
            name: name.clone(),
        };
        let told = |failure: Failure| Diagnostics::from(failure.diagnostic());
        let revisions = match revisions(&platform.clusters(&region).get(cluster), &place).await {
            Err(failure) if failure.class == Class::NotFound => Vec::new(),
            other => other.map_err(told)?,
        };
        let Some(latest) = living(&revisions) else {
            let place = format!("{}/{name} in the cluster {cluster}", place.namespace);
            let none = Diagnostic::error(
                "EKB2410",
                "No such release",
                format!("There is no release {place}."),
            );
            let hint = "Check `name`, `namespace`, `cluster` and the region; `helm list -A` shows all.";
            return Err(none.hint(hint).at(Path::from("name")).into());
        };
        let record = latest.record(&place).map_err(told)?;
        let metadata = &record.chart["metadata"];
        let text = |name: &str| Attr::from_option(metadata[name].as_str().map(str::to_owned));
        Ok(ReleaseLooked {
            id: place.id().into(),
            namespace: place.namespace.into(),
            revision: latest.number.into(),
            release_status: latest.status.name().into(),
            chart_name: text("name"),
            chart_version: text("version"),
            app_version: text("appVersion"),
            notes: charts::notes(&record.notes),
            hosts: charts::hosts(&record.documents()).into(),
            ..config
        })
    }
}
