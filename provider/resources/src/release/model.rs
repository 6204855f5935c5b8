//! What users write and see of `ekb_release`.

use std::collections::BTreeSet;

use framework::{Attr, Model, Timeouts, Value};
use reconcile::resource::{Common, Managed};

/// A Helm chart installed in a cluster: its objects, and the record by which `helm list`, `get` and `history` see the release.
///
/// The chart is rendered by the provider, at plan already: `objects` shows each object, also while the cluster does not exist
/// yet.
#[derive(Model, Managed, Debug, Clone, Default)]
pub struct Installed {
    /// Name of the release, at most 53 characters: lower case letters, digits and hyphens.
    #[attribute(required, replace, validate(pattern("^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"), length(1..=53)))]
    pub name: Attr<String>,
    /// Name of the EKS cluster, for example `ekb_cluster.main.name`.
    #[attribute(required, replace, validate(pattern("^[0-9A-Za-z][0-9A-Za-z_-]*$"), length(1..=100)))]
    pub cluster: Attr<String>,
    /// Namespace of the release, made where it is missing. Default: the release's name.
    #[attribute(
        optional,
        computed,
        keep,
        replace,
        validate(pattern("^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"), length(1..=63))
    )]
    pub namespace: Attr<String>,
    /// The chart: a folder, an archive (`.tgz`, a path or an URL), `oci://HOST/PATH/NAME`, or the name of a chart in `repository`.
    /// Paths are those of the working folder: write `${path.module}/charts/NAME`.
    #[attribute(required)]
    pub chart: Attr<String>,
    /// URL of the repository in which the chart is: `https://…` or `oci://…`.
    #[attribute(optional)]
    pub repository: Attr<String>,
    /// Version of the chart, or a constraint such as `~1.2`. Default: its newest release when the release is made; kept then.
    #[attribute(optional)]
    pub version: Attr<String>,
    /// What the chart's archive must hash to, `sha256:…`: other bytes are refused.
    #[attribute(optional, validate(pattern("^sha256:[0-9a-f]{64}$")))]
    pub digest: Attr<String>,
    /// Values for the chart, of any form. What the chart's `values.schema.json` does not allow is refused at plan.
    #[attribute(optional)]
    pub values: Attr<Value>,
    /// Files of values (YAML), the later ones over the earlier, `values` over all of them.
    #[attribute(optional)]
    pub values_files: Attr<Vec<String>>,
    /// Minor version of Kubernetes for which the chart is rendered, for example `1.35` (`ekb_cluster.main.kubernetes_version`).
    /// Default: that of the cluster, asked when the release is made; where there is no cluster yet, what follows from it is
    /// known after apply.
    #[attribute(optional, computed, validate(pattern("^1\\.[0-9]+$")))]
    pub kubernetes_version: Attr<String>,
    /// API versions that the chart may count on beside those of Kubernetes, for example `monitoring.coreos.com/v1`.
    #[attribute(optional)]
    pub api_versions: Attr<BTreeSet<String>>,
    /// Whether the definitions in the chart's folder `crds` are left out. They are upgraded otherwise, which helm itself does not do.
    #[attribute(optional, computed, default = false)]
    pub skip_crds: Attr<bool>,
    /// Whether definitions of custom resources go with the release, and all objects of them with these. They stay otherwise.
    #[attribute(optional, computed, default = false)]
    pub delete_crds: Attr<bool>,
    /// How many revisions are kept for `helm history` and `helm rollback`; 0: all.
    #[attribute(optional, computed, default = 10, validate(range(0..=1000)))]
    pub history_max: Attr<i64>,

    /// Id of the release: `CLUSTER/NAMESPACE/NAME`.
    #[attribute(computed, keep)]
    pub id: Attr<String>,
    /// Name of the chart, as its `Chart.yaml` says.
    #[attribute(computed)]
    pub chart_name: Attr<String>,
    /// Version of the chart.
    #[attribute(computed)]
    pub chart_version: Attr<String>,
    /// Digest of the chart's archive (`sha256:…`); of a folder, of the names and contents of its files.
    #[attribute(computed)]
    pub chart_digest: Attr<String>,
    /// Version of what the chart installs.
    #[attribute(computed)]
    pub app_version: Attr<String>,

    #[flatten]
    #[expect(missing_docs, reason = "its attributes have their own")]
    pub common: Common,
    /// How long operations may take. Defaults: create 30m, read 10m, update 30m, delete 30m.
    #[block]
    pub timeouts: Attr<Timeouts>,
}
