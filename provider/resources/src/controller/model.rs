//! What all controllers have in common as users see it.

use std::collections::BTreeSet;

use framework::{Attr, Model, Value};

/// The installation of a controller: chart, version, values.
#[derive(Model, Debug, Clone, Default)]
pub struct Installation {
    /// Name of the EKS cluster, for example `ekb_cluster.main.name`. What needs this controller takes it from here
    /// (`cluster = ekb_keda.main.cluster`), so that Terraform knows the order.
    #[attribute(required, replace, validate(pattern("^[0-9A-Za-z][0-9A-Za-z_-]*$"), length(1..=100)))]
    pub cluster: Attr<String>,
    /// Namespace of the controller, made where it is missing.
    #[attribute(
        optional,
        computed,
        keep,
        replace,
        validate(pattern("^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"), length(1..=63))
    )]
    pub namespace: Attr<String>,
    /// Name of the Helm release, where it is another one than usual.
    #[attribute(
        optional,
        computed,
        keep,
        replace,
        validate(pattern("^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"), length(1..=53))
    )]
    pub release_name: Attr<String>,
    /// Version of the chart. Default: the newest that is tested with the cluster's minor version, and then kept as long as it is.
    #[attribute(optional, computed)]
    pub version: Attr<String>,
    /// The chart, where it is not the controller's own: a folder, an archive (`.tgz`), `oci://HOST/PATH/NAME`, or the name of a chart
    /// in `repository`.
    #[attribute(optional, computed)]
    pub chart: Attr<String>,
    /// URL of the repository in which the chart is, for example that of a mirror: `https://…` or `oci://…`.
    #[attribute(optional, computed)]
    pub repository: Attr<String>,
    /// What the chart's archive must hash to, `sha256:…`: other bytes are refused.
    #[attribute(optional, validate(pattern("^sha256:[0-9a-f]{64}$")))]
    pub digest: Attr<String>,
    /// Values for the chart, over those that follow from the other arguments.
    #[attribute(optional)]
    pub values: Attr<Value>,
    /// Registry from which images are pulled in place of the usual one, for example that of a mirror.
    #[attribute(optional)]
    pub image_registry: Attr<String>,
    /// Names of Secrets, in the controller's namespace, with which images are pulled.
    #[attribute(optional)]
    pub image_pull_secrets: Attr<BTreeSet<String>>,
    /// Minor version of Kubernetes, for example `ekb_cluster.main.kubernetes_version`. Default: that of the cluster; where there is no
    /// cluster yet, what follows from it is known after apply.
    #[attribute(optional, computed, validate(pattern("^1\\.[0-9]+$")))]
    pub kubernetes_version: Attr<String>,
    /// Whether the controller's definitions of custom resources go with it, and all objects of them with these.
    #[attribute(optional, computed, default = false)]
    pub delete_crds: Attr<bool>,

    /// Id of the controller: `CLUSTER/NAMESPACE/RELEASE`.
    #[attribute(computed, keep)]
    pub id: Attr<String>,
    /// Version of the chart that is installed.
    #[attribute(computed)]
    pub chart_version: Attr<String>,
    /// Digest of the chart's archive (`sha256:…`); of a folder, of the names and contents of its files.
    #[attribute(computed)]
    pub chart_digest: Attr<String>,
    /// Version of the controller.
    #[attribute(computed)]
    pub app_version: Attr<String>,
}

/// The IAM role of a controller, and how its pods get it.
#[derive(Model, Debug, Clone, Default)]
pub struct RoleArguments {
    /// ARN of the controller's role. Default: one is made, with what the controller's version needs.
    #[attribute(optional, validate(pattern("^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$")))]
    pub role_arn: Attr<String>,
    /// ARN of the cluster's OIDC provider (`ekb_cluster.main.oidc_provider_arn`), where the pods shall get their role by it (IRSA) in place
    /// of pod identity.
    #[attribute(
        optional,
        validate(pattern("^arn:aws[a-z-]*:iam::[0-9]{12}:oidc-provider/.+$"))
    )]
    pub oidc_provider_arn: Attr<String>,
    /// Path of the role that is made.
    #[attribute(optional, validate(pattern("^/([!-~]+/)?$")))]
    pub role_path: Attr<String>,
    /// ARN of the policy that bounds the permissions of the role that is made.
    #[attribute(optional, validate(pattern("^arn:aws[a-z-]*:iam::[0-9]{12}:policy/.+$")))]
    pub role_permissions_boundary: Attr<String>,
}
