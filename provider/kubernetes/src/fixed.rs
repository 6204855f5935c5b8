//! What the API never changes of an object: it is made again where nothing is lost by that, else the change is refused.

use reconcile::part::{Refusal, Remedy};
use serde_json::{Map, Value};

use crate::quantity;
use crate::types::Type;

/// What of a field of a type cannot be changed.
enum Fixed {
    /// All of the field.
    All,
    /// These places in it.
    These(&'static [&'static str]),
    /// All but these places in it.
    AllBut(&'static [&'static str]),
}

use Fixed::{All, AllBut, These};

/// Rows of group, kind, field (Kubernetes `pkg/apis/*/validation`, `Validate…Update`).
#[rustfmt::skip]
const ROWS: &[(&str, &str, &str, Fixed)] = &[
    ("", "Secret", "type", All),
    ("", "Service", "spec", These(&["clusterIP", "ipFamilies", "healthCheckNodePort", "loadBalancerClass"])),
    ("", "Pod", "spec", AllBut(&["activeDeadlineSeconds", "containers", "initContainers", "ephemeralContainers", "tolerations", "terminationGracePeriodSeconds", "schedulingGates"])),
    ("", "ReplicationController", "spec", These(&["selector"])),
    ("apps", "Deployment", "spec", These(&["selector"])),
    ("apps", "DaemonSet", "spec", These(&["selector"])),
    ("apps", "ReplicaSet", "spec", These(&["selector"])),
    ("apps", "StatefulSet", "spec", AllBut(&["replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit", "persistentVolumeClaimRetentionPolicy", "minReadySeconds"])),
    ("batch", "Job", "spec", AllBut(&["parallelism", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished", "suspend"])),
    ("rbac.authorization.k8s.io", "RoleBinding", "roleRef", All),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding", "roleRef", All),
    ("storage.k8s.io", "StorageClass", "provisioner", All),
    ("storage.k8s.io", "StorageClass", "parameters", All),
    ("storage.k8s.io", "StorageClass", "reclaimPolicy", All),
    ("storage.k8s.io", "StorageClass", "volumeBindingMode", All),
    ("storage.k8s.io", "CSIDriver", "spec", These(&["attachRequired", "fsGroupPolicy", "volumeLifecycleModes"])),
    ("storage.k8s.io", "VolumeAttributesClass", "driverName", All),
    ("storage.k8s.io", "VolumeAttributesClass", "parameters", All),
    ("networking.k8s.io", "IngressClass", "spec", These(&["controller"])),
    ("scheduling.k8s.io", "PriorityClass", "value", All),
    ("scheduling.k8s.io", "PriorityClass", "preemptionPolicy", All),
    ("node.k8s.io", "RuntimeClass", "handler", All),
    ("discovery.k8s.io", "EndpointSlice", "addressType", All),
    ("resource.k8s.io", "ResourceClaim", "spec", All),
    ("resource.k8s.io", "ResourceClaimTemplate", "spec", All),
];

/// What mends a change of the field; `values` is what is and what should be, where these are known.
pub(crate) fn remedy(
    of: &Type,
    part: &Map<String, Value>,
    field: &str,
    values: Option<(&Value, &Value)>,
) -> Remedy {
    match (of.group.as_str(), of.kind.as_str(), field, values) {
        ("", "PersistentVolumeClaim", "spec", Some((is, should))) => return of_claim(is, should),
        ("", "PersistentVolume", "spec", Some((is, should)))
            if differs(is, should, "csi") || differs(is, should, "nodeAffinity") =>
        {
            return refuse(
                "a PersistentVolume keeps its storage and place",
                "Declare another volume under another name.",
            );
        }
        ("apiextensions.k8s.io", "CustomResourceDefinition", "spec", Some((is, should)))
            if differs(is, should, "scope") || differs(is, should, "group") =>
        {
            return refuse(
                "a definition keeps its scope and group, and all objects of it would go with it",
                "Delete the definition by hand where nobody needs its objects; then apply again.",
            );
        }
        // The API takes no change of what is declared immutable, but for labels and annotations.
        ("", "ConfigMap" | "Secret", "data" | "binaryData" | "immutable", _)
            if part.get("immutable").is_some_and(|on| on == true) =>
        {
            return Remedy::Replace;
        }
        _ => {}
    }
    let mut rows = ROWS
        .iter()
        .filter(|row| row.0 == of.group && row.1 == of.kind && row.2 == field);
    let Some((_, _, _, fixed)) = rows.next() else {
        return Remedy::Update;
    };
    let changed = match (fixed, values) {
        (All, _) => Some(field.to_owned()),
        // Which place changes is not known: most changes are of others.
        (_, None) => None,
        (These(places), Some((is, should))) => {
            let mut places = places.iter().filter(|place| differs(is, should, place));
            places.next().map(|place| (*place).to_owned())
        }
        (AllBut(places), Some((is, should))) => {
            let names = [is, should].map(Value::as_object).into_iter().flatten();
            let mut names = names
                .flat_map(Map::keys)
                .filter(|name| !places.contains(&name.as_str()));
            names.find(|name| differs(is, should, name)).cloned()
        }
    };
    let Some(changed) = changed else {
        return Remedy::Update;
    };
    if of.kind == "StatefulSet" && has_claims(values) {
        return refuse(
            &format!("a StatefulSet keeps its {changed}, and its volumes hold data"),
            "Delete the set and leave its pods and claims (kubectl delete statefulset NAME --cascade=orphan), and apply again: the \
             new set takes them over. Or take the change back.",
        );
    }
    Remedy::Replace
}

fn refuse(why: &str, hint: &str) -> Remedy {
    Remedy::Refuse(Refusal {
        why: why.to_owned(),
        hint: hint.to_owned(),
    })
}

/// Where one of the two says nothing, the API's default stands, or the object is of others.
fn differs(is: &Value, should: &Value, name: &str) -> bool {
    let (is, should) = (is.get(name), should.get(name));
    is != should && is.is_some() && should.is_some()
        || matches!(name, "selector" | "volumeClaimTemplates" | "template") && is != should
}

fn has_claims(values: Option<(&Value, &Value)>) -> bool {
    values.is_some_and(|(is, _)| {
        is["volumeClaimTemplates"]
            .as_array()
            .is_some_and(|list| !list.is_empty())
    })
}

/// A claim may grow.
fn of_claim(is: &Value, should: &Value) -> Remedy {
    let size = |spec: &Value| spec["resources"]["requests"]["storage"].clone();
    let without = |spec: &Value| {
        let mut spec = spec.clone();
        if let Some(fields) = spec.as_object_mut() {
            fields.shift_remove("resources");
            fields.shift_remove("volumeAttributesClassName");
        }
        spec
    };
    if without(is) != without(should) {
        return refuse(
            "a claim keeps what it is of, and its volume holds data",
            "Declare another claim under another name, move the data there, and then take this one away.",
        );
    }
    if quantity::is_less(&size(should), &size(is)) {
        return refuse(
            "a volume does not shrink",
            "Give at least the size that there is.",
        );
    }
    Remedy::Update
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn change(of: &str, field: &str, is: Value, should: Value) -> Remedy {
        remedy(&Type::parse(of), &Map::new(), field, Some((&is, &should)))
    }

    #[test]
    fn what_the_api_never_changes_is_made_again_where_nothing_is_lost() {
        let one = |label: &str, replicas: u32| json!({"selector": {"matchLabels": {"app": label}}, "replicas": replicas});
        let deployment = "apps/v1/Deployment";
        assert_eq!(
            change(deployment, "spec", one("a", 1), one("b", 1)),
            Remedy::Replace
        );
        assert_eq!(
            change(deployment, "spec", one("a", 1), one("a", 2)),
            Remedy::Update
        );
        let job = |image: &str, deadline: u32| json!({"template": {"spec": {"image": image}}, "activeDeadlineSeconds": deadline});
        assert_eq!(
            change("batch/v1/Job", "spec", job("a", 1), job("b", 1)),
            Remedy::Replace
        );
        assert_eq!(
            change("batch/v1/Job", "spec", job("a", 1), job("a", 2)),
            Remedy::Update
        );
        let service = |ip: &str| json!({"clusterIP": ip, "ports": [{"port": 80}]});
        assert_eq!(
            change("v1/Service", "spec", service("10.0.0.1"), service("None")),
            Remedy::Replace
        );
        let silent = json!({"ports": [{"port": 80}]});
        assert_eq!(
            change("v1/Service", "spec", service("10.0.0.1"), silent),
            Remedy::Update,
            "left to the API"
        );
        let class = json!({"controller": "a"});
        assert_eq!(
            change(
                "networking.k8s.io/v1/IngressClass",
                "spec",
                class,
                json!({"controller": "b"})
            ),
            Remedy::Replace
        );
        let fixed = json!({"immutable": true});
        let of = Type::parse("v1/ConfigMap");
        assert_eq!(
            remedy(&of, fixed.as_object().unwrap(), "data", None),
            Remedy::Replace
        );
        assert_eq!(remedy(&of, &Map::new(), "data", None), Remedy::Update);
        let class = Type::parse("storage.k8s.io/v1/StorageClass");
        assert_eq!(remedy(&class, &Map::new(), "provisioner", None), Remedy::Replace);
        assert_eq!(
            remedy(&class, &Map::new(), "allowVolumeExpansion", None),
            Remedy::Update
        );
    }

    #[test]
    fn where_data_hangs_on_it_the_change_is_refused() {
        let set = |service: &str, size: &str| json!({"serviceName": service, "replicas": 1, "volumeClaimTemplates": [{"spec": {"resources": {"requests": {"storage": size}}}}]});
        let of = "apps/v1/StatefulSet";
        let Remedy::Refuse(refusal) = change(of, "spec", set("a", "1Gi"), set("a", "2Gi")) else {
            panic!("refused")
        };
        assert!(refusal.why.contains("volumeClaimTemplates") && refusal.hint.contains("--cascade=orphan"));
        assert!(matches!(
            change(of, "spec", set("a", "1Gi"), set("b", "1Gi")),
            Remedy::Refuse(_)
        ));
        let plain = |service: &str| json!({"serviceName": service, "replicas": 1});
        assert_eq!(
            change(of, "spec", plain("a"), plain("b")),
            Remedy::Replace,
            "it holds nothing"
        );
        let claim = |size: &str, class: &str| json!({"storageClassName": class, "resources": {"requests": {"storage": size}}});
        let of = "v1/PersistentVolumeClaim";
        assert_eq!(
            change(of, "spec", claim("1Gi", "a"), claim("2Gi", "a")),
            Remedy::Update
        );
        assert!(matches!(
            change(of, "spec", claim("2Gi", "a"), claim("1Gi", "a")),
            Remedy::Refuse(_)
        ));
        assert!(matches!(
            change(of, "spec", claim("1Gi", "a"), claim("1Gi", "b")),
            Remedy::Refuse(_)
        ));
    }
}
