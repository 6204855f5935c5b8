//! `ekb_keda`: scales Deployments by what they do.

use async_trait::async_trait;
use framework::{Attr, Diagnostic, Model, Path, Timeouts, Value};
use kubernetes::Finishes;
use reconcile::failure::{Class, Failure};
use reconcile::resource::{Common, Managed};
use serde_json::json;

use super::model::Installation;
use super::versions::{Line, Versions};
use super::{Controller, Facts, argument, images_from, pull_secrets, tolerations};
use crate::platform::Platform;
use crate::release::values::{from_json, over};

/// KEDA, which scales workloads by CPU, memory and events: operator, metrics adapter and admission webhooks.
///
/// Scaling by CPU and memory needs the metrics server, which `ekb_cluster` has as an add-on. A destroy waits for objects that only KEDA
/// can finish.
#[derive(Model, Managed, Debug, Clone, Default)]
pub struct Keda {
    /// Name among the controllers of the environment. Default: the cluster's.
    #[attribute(optional, computed, keep, replace, validate(length(1..=100)))]
    pub name: Attr<String>,
    /// How many pods the operator has; one of them is at work.
    #[attribute(optional, computed, default = 2, validate(range(1..=10)))]
    pub replicas: Attr<i64>,
    #[flatten]
    #[expect(missing_docs, reason = "its attributes have their own")]
    pub installation: Installation,
    #[flatten]
    #[expect(missing_docs, reason = "its attributes have their own")]
    pub common: Common,
    /// How long operations may take. Defaults: create 30m, read 10m, update 30m, delete 30m.
    #[block]
    pub timeouts: Attr<Timeouts>,
}

static VERSIONS: Versions = Versions {
    lines: &[
        Line {
            minor: (2, 21),
            newest: "2.21.0",
            works_from: 23,
            works_until: None,
            tested: (34, 36),
        },
        Line {
            minor: (2, 20),
            newest: "2.20.2",
            works_from: 23,
            works_until: None,
            tested: (33, 35),
        },
    ],
    source: "keda.sh/docs, \"Cluster\", Kubernetes compatibility, 2026-08",
};

/// By which pods' CPU and memory are known (Kubernetes, "Resource metrics pipeline").
const METRICS: &str = "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io";
/// The add-on of EKS that brings it.
const METRICS_SERVER: &str = "metrics-server";

#[async_trait]
impl Controller for Keda {
    const FACTS: Facts = Facts {
        resource: "ekb_keda",
        title: "KEDA",
        release: "keda",
        namespace: "keda",
        chart: "keda",
        repository: Some("https://kedacore.github.io/charts"),
        versions: &VERSIONS,
        finishes: &[
            Finishes {
                of: "keda.sh/v1alpha1/ScaledObject",
                finalizers: &["finalizer.keda.sh"],
            },
            Finishes {
                of: "keda.sh/v1alpha1/ScaledJob",
                finalizers: &["finalizer.keda.sh"],
            },
            Finishes {
                of: "keda.sh/v1alpha1/TriggerAuthentication",
                finalizers: &["finalizer.keda.sh"],
            },
            Finishes {
                of: "keda.sh/v1alpha1/ClusterTriggerAuthentication",
                finalizers: &["finalizer.keda.sh"],
            },
        ],
    };

    fn installation(&self) -> &Installation {
        &self.installation
    }

    fn installation_mut(&mut self) -> &mut Installation {
        &mut self.installation
    }

    /// Without the metrics server KEDA scales nothing by CPU and memory, and says so in the events of an HPA alone.
    async fn needs(&self, context: &Platform) -> Result<(), Diagnostic> {
        let (Attr::Known(region), Attr::Known(cluster)) = (&self.common.region, &self.installation.cluster)
        else {
            return Ok(());
        };
        let connection = context.clusters(region).get(cluster);
        let doing = format!("looking for the metrics server in the cluster {cluster}");
        let is_missing = |failure: &Failure| failure.class == Class::NotFound;
        // An add-on that is being made has not registered itself yet.
        let looked = connection.get(&doing, METRICS).await;
        if !looked.as_ref().is_err_and(is_missing)
            || aws::eks::catalogue::has_addon(&context.aws, region, cluster, METRICS_SERVER)
                .await
                .ok()
                != Some(false)
        {
            return Ok(());
        }
        let why = format!(
            "The cluster {cluster} has no metrics server, without which KEDA knows nothing of CPU and memory."
        );
        Err(
            Diagnostic::error("EKB2437", "KEDA needs the metrics server", why)
                .hint("Leave the add-on `metrics-server` of `ekb_cluster` on, or install its chart before (`cluster = ekb_release.metrics_server.cluster`).")
                .at(Path::from("cluster")),
        )
    }

    fn values(&self) -> Value {
        let plain = from_json(&json!({
            // Charts before 2.20 have one for all.
            "tolerations": tolerations(),
            "operator": { "tolerations": tolerations() },
            "metricsServer": { "tolerations": tolerations() },
            "webhooks": { "tolerations": tolerations() },
        }));
        let arguments = Value::object([
            ("clusterName", argument(&self.installation.cluster)),
            (
                "operator",
                Value::object([("replicaCount", argument(&self.replicas))]),
            ),
            ("imagePullSecrets", pull_secrets(&self.installation)),
        ]);
        let all = over(plain, arguments);
        match images_from(&self.installation, "") {
            None => all,
            Some(from) => {
                let image = Value::object([("image", Value::object([("registry", from)]))]);
                over(all, Value::object([("global", image)]))
            }
        }
    }
}
