//! What users write and see of `ekb_release`.

use std::collections::BTreeSet;

use framework::{Attr, Model, Secret, SecretValue, Timeouts, Value};
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
    /// User name for the registry or repository. Default: what `helm registry login`, `docker login` and `helm repo add` left.
    #[attribute(optional, required_with("repository_password_wo"))]
    pub repository_username: Attr<String>,
    /// Its password or token; it is kept nowhere. For ECR the user is `AWS`, and the token may come from an ephemeral resource
    /// (`aws_ecr_authorization_token`).
    #[attribute(optional, write_only, required_with("repository_username"))]
    pub repository_password_wo: Attr<Secret<String>>,
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
    /// Secret values, laid over all others: neither in plans nor in the state. What follows from them is sent when
    /// `values_wo_version` is another than before, and shows as `(secret)`. They may change values of objects, and not which objects,
    /// names and fields there are. helm's record of the release, a Secret in the cluster, holds them, as it holds all values.
    #[attribute(optional, write_only, required_with("values_wo_version"))]
    pub values_wo: Attr<SecretValue>,
    /// Version of `values_wo`: raise it when these change.
    #[attribute(optional, required_with("values_wo"), validate(range(0..=2147483647)))]
    pub values_wo_version: Attr<i64>,
    /// Patches of the chart's objects (JSON Patch), for what its values do not reach: by the object's key in `objects`, for example
    /// `{ "Deployment.apps/web/web" = [{ op = "add", path = "/spec/minReadySeconds", value = 5 }] }`.
    #[attribute(optional)]
    pub overlay: Attr<Value>,
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
    /// Whether a change that fails is taken back: what was deployed before is applied again, as a revision of its own. A first
    /// installation that fails stays as it is, and the next apply continues it.
    #[attribute(optional, computed, default = false)]
    pub atomic: Attr<bool>,
    /// Whether the chart's tests are run (`helm test`) when it is installed and when it changes: one that fails is an error.
    #[attribute(optional, computed, default = false)]
    pub tests: Attr<bool>,
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
    /// The revision in helm's history: each change of chart or values makes another one.
    #[attribute(computed)]
    pub revision: Attr<i64>,
    /// What helm says of it: `deployed`; `pending-install` or `pending-upgrade` where an apply ended half way.
    #[attribute(computed)]
    pub release_status: Attr<String>,
    /// What the chart says to who installs it (`NOTES.txt`).
    #[attribute(computed)]
    pub notes: Attr<String>,
    /// Host names of its Ingresses and routes.
    #[attribute(computed)]
    pub hosts: Attr<BTreeSet<String>>,

    #[flatten]
    #[expect(missing_docs, reason = "its attributes have their own")]
    pub common: Common,
    /// How long operations may take. Defaults: create 30m, read 10m, update 30m, delete 30m.
    #[block]
    pub timeouts: Attr<Timeouts>,
}
