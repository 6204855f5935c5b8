//! Types of objects: where the API has them, and in which order they go.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// A type of objects.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Type {
    /// Empty for the core.
    pub group: String,
    /// For example `v1`; empty where it is not known: the API says which one it prefers.
    pub version: String,
    /// For example `Deployment`.
    pub kind: String,
}

/// How the API has a type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Discovered {
    pub version: String,
    pub plural: String,
    pub is_namespaced: bool,
}

/// A type that every cluster has: so nobody has to ask where it is.
struct Row {
    group: &'static str,
    kind: &'static str,
    version: &'static str,
    plural: &'static str,
    is_namespaced: bool,
    /// Others live in objects of it, or need them: it goes after them.
    order: u32,
    /// Whether it leaves nothing behind when its cluster goes.
    is_of_cluster: bool,
    /// Whether a deletion ends with what the object made (its pods).
    goes_last: bool,
}

/// Deletion goes in this order: objects of foreign types are finished by their controllers, which run with their permissions and
/// are asked through webhooks.
mod order {
    pub const FOREIGN: u32 = 0;
    pub const ASKED: u32 = 1;
    pub const RUNS: u32 = 2;
    pub const HELD: u32 = 3;
    pub const WIDE: u32 = 4;
    pub const DEFINITION: u32 = 5;
    pub const NAMESPACE: u32 = 6;
}

const ROW: Row = Row {
    group: "",
    kind: "",
    version: "v1",
    plural: "",
    is_namespaced: true,
    order: order::HELD,
    is_of_cluster: false,
    goes_last: false,
};

/// An object that runs something.
const RUNS: Row = Row {
    group: "apps",
    order: order::RUNS,
    goes_last: true,
    ..ROW
};

/// An object of the whole cluster.
const WIDE: Row = Row {
    is_namespaced: false,
    order: order::WIDE,
    ..ROW
};

/// An object by which the API asks others.
const ASKED: Row = Row {
    group: "admissionregistration.k8s.io",
    order: order::ASKED,
    ..WIDE
};

#[rustfmt::skip]
const ROWS: &[Row] = &[
    Row { kind: "ConfigMap", plural: "configmaps", ..ROW },
    Row { kind: "Secret", plural: "secrets", ..ROW },
    Row { kind: "Service", plural: "services", ..ROW },
    Row { kind: "ServiceAccount", plural: "serviceaccounts", ..ROW },
    Row { kind: "Namespace", plural: "namespaces", order: order::NAMESPACE, ..WIDE },
    Row { kind: "PersistentVolumeClaim", plural: "persistentvolumeclaims", ..ROW },
    Row { kind: "PersistentVolume", plural: "persistentvolumes", ..WIDE },
    Row { kind: "Pod", plural: "pods", order: order::RUNS, ..ROW },
    Row { kind: "PodTemplate", plural: "podtemplates", ..ROW },
    Row { group: "", kind: "ReplicationController", plural: "replicationcontrollers", ..RUNS },
    Row { kind: "Endpoints", plural: "endpoints", ..ROW },
    Row { kind: "LimitRange", plural: "limitranges", ..ROW },
    Row { kind: "ResourceQuota", plural: "resourcequotas", ..ROW },
    Row { kind: "Deployment", plural: "deployments", ..RUNS },
    Row { kind: "DaemonSet", plural: "daemonsets", ..RUNS },
    Row { kind: "StatefulSet", plural: "statefulsets", ..RUNS },
    Row { kind: "ReplicaSet", plural: "replicasets", ..RUNS },
    Row { group: "batch", kind: "Job", plural: "jobs", ..RUNS },
    Row { group: "batch", kind: "CronJob", plural: "cronjobs", ..RUNS },
    Row { group: "autoscaling", kind: "HorizontalPodAutoscaler", version: "v2", plural: "horizontalpodautoscalers", ..ROW },
    Row { group: "policy", kind: "PodDisruptionBudget", plural: "poddisruptionbudgets", ..ROW },
    Row { group: "networking.k8s.io", kind: "Ingress", plural: "ingresses", order: order::FOREIGN, ..ROW },
    Row { group: "networking.k8s.io", kind: "NetworkPolicy", plural: "networkpolicies", ..ROW },
    Row { group: "networking.k8s.io", kind: "IngressClass", plural: "ingressclasses", ..WIDE },
    Row { group: "coordination.k8s.io", kind: "Lease", plural: "leases", ..ROW },
    Row { group: "discovery.k8s.io", kind: "EndpointSlice", plural: "endpointslices", ..ROW },
    Row { group: "node.k8s.io", kind: "RuntimeClass", plural: "runtimeclasses", ..WIDE },
    Row { group: "scheduling.k8s.io", kind: "PriorityClass", plural: "priorityclasses", ..WIDE },
    Row { group: "rbac.authorization.k8s.io", kind: "Role", plural: "roles", ..ROW },
    Row { group: "rbac.authorization.k8s.io", kind: "RoleBinding", plural: "rolebindings", ..ROW },
    Row { group: "rbac.authorization.k8s.io", kind: "ClusterRole", plural: "clusterroles", ..WIDE },
    Row { group: "rbac.authorization.k8s.io", kind: "ClusterRoleBinding", plural: "clusterrolebindings", ..WIDE },
    Row { group: "storage.k8s.io", kind: "StorageClass", plural: "storageclasses", is_of_cluster: true, ..WIDE },
    Row { group: "storage.k8s.io", kind: "CSIDriver", plural: "csidrivers", ..WIDE },
    Row { kind: "ValidatingWebhookConfiguration", plural: "validatingwebhookconfigurations", ..ASKED },
    Row { kind: "MutatingWebhookConfiguration", plural: "mutatingwebhookconfigurations", ..ASKED },
    Row { kind: "ValidatingAdmissionPolicy", plural: "validatingadmissionpolicies", ..ASKED },
    Row { kind: "ValidatingAdmissionPolicyBinding", plural: "validatingadmissionpolicybindings", ..ASKED },
    Row { group: "apiregistration.k8s.io", kind: "APIService", plural: "apiservices", ..ASKED },
    Row { group: "apiextensions.k8s.io", kind: "CustomResourceDefinition", plural: "customresourcedefinitions", order: order::DEFINITION, ..WIDE },
];

impl Type {
    /// `apps/v1/Deployment`, `v1/ConfigMap`.
    pub(crate) fn parse(text: &str) -> Self {
        let (api_version, kind) = text.rsplit_once('/').unwrap_or(("v1", text));
        Self::of(api_version, kind)
    }

    /// As a manifest names it: `apps/v1` and `Deployment`.
    pub(crate) fn of(api_version: &str, kind: &str) -> Self {
        let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
        Self {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: kind.to_owned(),
        }
    }

    /// The type of this name ([`Type::name`]), where it is one.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        let (kind, group) = name.split_once('.').unwrap_or((name, ""));
        let is_kind = kind.starts_with(|c: char| c.is_ascii_uppercase());
        let is_plain = kind.chars().all(|c| c.is_ascii_alphanumeric()) && !group.contains('/');
        let of = Self::of(&format!("{group}/"), kind);
        let version = of.row().map(|row| row.version.to_owned());
        (is_kind && is_plain).then(|| Self {
            version: version.unwrap_or_default(),
            ..of
        })
    }

    /// For example `apps/v1`, `v1`.
    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    fn row(&self) -> Option<&'static Row> {
        ROWS.iter()
            .find(|row| row.group == self.group && row.kind == self.kind)
    }

    /// How the API has it, where no cluster has to be asked.
    pub(crate) fn known(&self) -> Option<Discovered> {
        let row = self.row().filter(|row| row.version == self.version)?;
        Some(Discovered {
            version: self.version.clone(),
            plural: row.plural.to_owned(),
            is_namespaced: row.is_namespaced,
        })
    }

    /// Its name as a kind of parts: `StorageClass.storage.k8s.io`. The version says nothing of which objects there are.
    pub(crate) fn name(&self) -> &'static str {
        let dot = if self.group.is_empty() { "" } else { "." };
        interned(&format!("{}{dot}{}", self.kind, self.group))
    }

    /// The kind alone.
    pub(crate) fn title(&self) -> &'static str {
        interned(&self.kind)
    }

    pub(crate) fn order(&self) -> u32 {
        self.row().map_or(order::FOREIGN, |row| row.order)
    }

    /// Whether nothing of it is left when its cluster goes.
    pub(crate) fn is_of_cluster(&self) -> bool {
        self.row().is_some_and(|row| row.is_of_cluster)
    }

    /// How what an object made goes with it.
    pub(crate) fn propagation(&self) -> &'static str {
        if self.row().is_some_and(|row| row.goes_last) {
            "Foreground"
        } else {
            "Background"
        }
    }

    /// The path of the collection; of all namespaces where none is named.
    pub(crate) fn path(&self, found: &Discovered, namespace: Option<&str>) -> String {
        let root = if self.group.is_empty() { "api" } else { "apis" };
        let group = if self.group.is_empty() {
            String::new()
        } else {
            format!("/{}", self.group)
        };
        let namespace = namespace
            .filter(|_| found.is_namespaced)
            .map(|name| format!("/namespaces/{name}"));
        format!(
            "/{root}{group}/{}{}/{}",
            found.version,
            namespace.unwrap_or_default(),
            found.plural
        )
    }
}

/// What brings the definitions of a group, in words.
pub(crate) fn brought_by(group: &str) -> &'static str {
    match group {
        "karpenter.sh" | "karpenter.k8s.aws" => "`ekb_karpenter` brings it",
        "keda.sh" | "eventing.keda.sh" => "`ekb_keda` brings it",
        "elbv2.k8s.aws" => "`ekb_load_balancer_controller` brings it",
        _ => "the chart or resource that brings it has to be applied before, or in the same run",
    }
}

/// The text for as long as the process runs: there are as many as types.
fn interned(text: &str) -> &'static str {
    static TEXTS: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut texts = TEXTS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = texts.get(text) {
        return known;
    }
    let new: &'static str = Box::leak(text.to_owned().into_boxed_str());
    texts.insert(new);
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_has_a_name_and_a_path() {
        let class = Type::parse("storage.k8s.io/v1/StorageClass");
        assert_eq!(class.name(), "StorageClass.storage.k8s.io");
        assert_eq!(
            class.path(&class.known().unwrap(), Some("x")),
            "/apis/storage.k8s.io/v1/storageclasses"
        );
        assert_eq!(Type::of_name(class.name()), Some(class));
        let config = Type::parse("v1/ConfigMap");
        assert_eq!((config.name(), config.title()), ("ConfigMap", "ConfigMap"));
        let found = config.known().unwrap();
        assert_eq!(config.path(&found, Some("x")), "/api/v1/namespaces/x/configmaps");
        assert_eq!(config.path(&found, None), "/api/v1/configmaps");
        assert!(std::ptr::eq(config.name(), Type::parse("v1/ConfigMap").name()));
        let foreign = Type::parse("ekb.test/v1/Widget");
        assert!(foreign.known().is_none() && foreign.order() == 0);
        let named = Type::of_name("Widget.ekb.test").unwrap();
        assert_eq!((named.name(), named.version.as_str()), (foreign.name(), ""));
        assert_eq!(Type::of_name("Deployment.apps").unwrap().api_version(), "apps/v1");
        assert!(
            ["storage_class", "cluster", "record/x", ""]
                .map(Type::of_name)
                .iter()
                .all(Option::is_none)
        );
    }
}
