//! Types of objects: where the API has them, and what of them never changes.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// A type of objects, as a manifest names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Type {
    /// For example `apps/v1`, `v1`.
    pub api_version: String,
    /// For example `Deployment`.
    pub kind: String,
}

/// How the API has a type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Discovered {
    pub plural: String,
    pub is_namespaced: bool,
}

/// A type that every cluster has: so nobody has to ask where it is.
struct Row {
    group: &'static str,
    kind: &'static str,
    plural: &'static str,
    is_namespaced: bool,
    /// Others live in objects of it, or need them: it goes after them.
    order: u32,
    /// Fields that the API never changes: another value is another object.
    fixed: &'static [&'static str],
    /// Whether it leaves nothing behind when its cluster goes.
    is_of_cluster: bool,
    /// Whether a deletion ends with what the object made (its pods).
    goes_last: bool,
}

const ROW: Row = Row {
    group: "",
    kind: "",
    plural: "",
    is_namespaced: true,
    order: 1,
    fixed: &[],
    is_of_cluster: false,
    goes_last: false,
};

/// An object that runs something.
const RUNS: Row = Row {
    group: "apps",
    order: 0,
    goes_last: true,
    ..ROW
};

/// An object of the whole cluster.
const WIDE: Row = Row {
    is_namespaced: false,
    order: 2,
    ..ROW
};

#[rustfmt::skip]
const ROWS: &[Row] = &[
    Row { kind: "ConfigMap", plural: "configmaps", ..ROW },
    Row { kind: "Secret", plural: "secrets", fixed: &["type"], ..ROW },
    Row { kind: "Service", plural: "services", ..ROW },
    Row { kind: "ServiceAccount", plural: "serviceaccounts", ..ROW },
    Row { kind: "Namespace", plural: "namespaces", order: 3, ..WIDE },
    Row { kind: "Deployment", plural: "deployments", ..RUNS },
    Row { kind: "DaemonSet", plural: "daemonsets", ..RUNS },
    Row { kind: "StatefulSet", plural: "statefulsets", ..RUNS },
    Row { group: "batch", kind: "Job", plural: "jobs", ..RUNS },
    Row { group: "batch", kind: "CronJob", plural: "cronjobs", ..RUNS },
    Row { group: "policy", kind: "PodDisruptionBudget", plural: "poddisruptionbudgets", ..ROW },
    Row { group: "rbac.authorization.k8s.io", kind: "Role", plural: "roles", ..ROW },
    Row { group: "rbac.authorization.k8s.io", kind: "RoleBinding", plural: "rolebindings", fixed: &["roleRef"], ..ROW },
    Row { group: "rbac.authorization.k8s.io", kind: "ClusterRole", plural: "clusterroles", ..WIDE },
    Row { group: "rbac.authorization.k8s.io", kind: "ClusterRoleBinding", plural: "clusterrolebindings", fixed: &["roleRef"], ..WIDE },
    // Kubernetes ValidateStorageClassUpdate.
    Row { group: "storage.k8s.io", kind: "StorageClass", plural: "storageclasses", fixed: &["provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"], is_of_cluster: true, ..WIDE },
    Row { group: "apiextensions.k8s.io", kind: "CustomResourceDefinition", plural: "customresourcedefinitions", ..WIDE },
];

impl Type {
    /// `apps/v1/Deployment`, `v1/ConfigMap`.
    pub(crate) fn parse(text: &str) -> Self {
        let (api_version, kind) = text.rsplit_once('/').unwrap_or(("v1", text));
        Self {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
        }
    }

    fn group(&self) -> &str {
        self.api_version.rsplit_once('/').map_or("", |(group, _)| group)
    }

    fn row(&self) -> Option<&'static Row> {
        ROWS.iter()
            .find(|row| row.group == self.group() && row.kind == self.kind)
    }

    /// How the API has it, where no cluster has to be asked.
    pub(crate) fn known(&self) -> Option<Discovered> {
        let row = self.row()?;
        Some(Discovered {
            plural: row.plural.to_owned(),
            is_namespaced: row.is_namespaced,
        })
    }

    /// Its name as a kind of parts: `StorageClass.storage.k8s.io`. The version says nothing of which objects there are.
    pub(crate) fn name(&self) -> &'static str {
        let group = self.group();
        let dot = if group.is_empty() { "" } else { "." };
        interned(&format!("{}{dot}{group}", self.kind))
    }

    /// The kind alone.
    pub(crate) fn title(&self) -> &'static str {
        interned(&self.kind)
    }

    pub(crate) fn order(&self) -> u32 {
        // Objects of foreign types mostly run something too, by their controller.
        self.row().map_or(0, |row| row.order)
    }

    /// Whether another value of the field makes another object.
    pub(crate) fn is_fixed(&self, field: &str) -> bool {
        self.row().is_some_and(|row| row.fixed.contains(&field))
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
        let root = if self.group().is_empty() { "api" } else { "apis" };
        let namespace = namespace
            .filter(|_| found.is_namespaced)
            .map(|name| format!("/namespaces/{name}"));
        format!(
            "/{root}/{}{}/{}",
            self.api_version,
            namespace.unwrap_or_default(),
            found.plural
        )
    }
}

/// Whether objects of the type lie in namespaces; none of a type that not every cluster has.
pub fn is_namespaced(api_version: &str, kind: &str) -> Option<bool> {
    let of = Type {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
    };
    of.known().map(|known| known.is_namespaced)
}

/// The name of the type as a kind of parts: `Deployment.apps`, `ConfigMap`.
pub fn kind_name(api_version: &str, kind: &str) -> &'static str {
    let of = Type {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
    };
    of.name()
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
        assert!(class.is_fixed("provisioner") && !class.is_fixed("allowVolumeExpansion"));
        let config = Type::parse("v1/ConfigMap");
        assert_eq!((config.name(), config.title()), ("ConfigMap", "ConfigMap"));
        let found = config.known().unwrap();
        assert_eq!(config.path(&found, Some("x")), "/api/v1/namespaces/x/configmaps");
        assert_eq!(config.path(&found, None), "/api/v1/configmaps");
        assert!(std::ptr::eq(config.name(), Type::parse("v1/ConfigMap").name()));
        let foreign = Type::parse("ekb.test/v1/Widget");
        assert!(foreign.known().is_none() && foreign.order() == 0);
    }
}
