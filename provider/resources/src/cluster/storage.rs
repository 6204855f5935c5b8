//! The default StorageClass.

use kubernetes::Manifest;
use reconcile::graph::Handle;
use reconcile::part::Target;
use serde_json::json;

/// Type of objects.
pub const STORAGE_CLASS: &str = "storage.k8s.io/v1/StorageClass";

/// The class `gp3`: encrypted volumes that can grow, made where their pod is. EKS makes none since 1.30.
/// `entries`: whoever makes it enters by one of them.
pub fn default_class<'a>(cluster: &Handle, entries: impl Iterator<Item = &'a Handle>) -> Manifest {
    let manifest = json!({
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": "gp3",
            "annotations": { "storageclass.kubernetes.io/is-default-class": "true" },
        },
        "provisioner": "ebs.csi.aws.com",
        "parameters": { "type": "gp3", "encrypted": "true" },
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "WaitForFirstConsumer",
        "allowVolumeExpansion": true,
    });
    let class = Manifest::new(Target::Part(cluster.ready()), manifest);
    entries.fold(class, |class, entry| class.after(entry.ready()))
}
