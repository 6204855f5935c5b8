//! What the API writes otherwise or adds is no difference: applied, read back, equal, for every built-in kind and for custom resources.

use std::path::Path;

use reconcile::graph::Graph;
use reconcile::part::key;
use reconcile::report::{Allowed, Known};
use serde_json::{Map, Value, json};

use crate::kube::Cluster;
use crate::{create, ok, texts, update};

/// A pod with what the API completes, writes otherwise, or leaves out.
fn pod_spec() -> Value {
    json!({
        "restartPolicy": "Always",
        "hostNetwork": false,
        "nodeSelector": {},
        "securityContext": {"runAsNonRoot": true, "fsGroup": 0, "sysctls": []},
        "terminationGracePeriodSeconds": 30,
        "initContainers": [{"name": "init", "image": "init:1", "command": [], "args": ["a"]}],
        "containers": [{
            "name": "a",
            "image": "app:1",
            "imagePullPolicy": "IfNotPresent",
            "ports": [{"name": "http", "containerPort": 80}, {"name": "dns", "containerPort": 53, "protocol": "UDP"}, {"containerPort": 54}],
            "env": [
                {"name": "EMPTY", "value": ""},
                {"name": "FIELD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k", "optional": false}}},
                {"name": "LIMIT", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "0"}}},
            ],
            "envFrom": [{"configMapRef": {"name": "c"}}],
            "resources": {"requests": {"cpu": "1000m", "memory": "0.5Gi"}, "limits": {"cpu": 2, "memory": "1024Mi"}},
            "livenessProbe": {"httpGet": {"path": "/", "port": "http", "scheme": "HTTP"}, "initialDelaySeconds": 0, "periodSeconds": 10},
            "readinessProbe": {"tcpSocket": {"port": 80}},
            "startupProbe": {"exec": {"command": ["true"]}},
            "lifecycle": {"preStop": {"exec": {"command": ["sleep", "1"]}}},
            "securityContext": {"privileged": false, "capabilities": {"drop": ["ALL"], "add": []}, "allowPrivilegeEscalation": false},
            "volumeMounts": [{"name": "v", "mountPath": "/a", "readOnly": false}, {"name": "v", "mountPath": "/b", "subPath": ""}],
        }],
        "tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}, {"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}],
        "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100,
            "podAffinityTerm": {"topologyKey": "zone", "labelSelector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["a"]}]}}}]}},
        "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": {"matchLabels": {"app": "a"}}}],
        "volumes": [
            {"name": "v", "emptyDir": {}},
            {"name": "sized", "emptyDir": {"sizeLimit": "1024Mi", "medium": ""}},
            {"name": "config", "configMap": {"name": "c", "items": [{"key": "a", "path": "b"}]}},
            {"name": "secret", "secret": {"secretName": "s", "optional": true}},
            {"name": "projected", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}, {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}}]}},
            {"name": "host", "hostPath": {"path": "/x", "type": ""}},
        ],
        "hostAliases": [{"ip": "127.0.0.1", "hostnames": ["a"]}],
        "imagePullSecrets": [],
    })
}

fn template() -> Value {
    json!({"metadata": {"creationTimestamp": null, "labels": {"app": "a"}, "annotations": {}}, "spec": pod_spec()})
}

/// An object of each built-in kind; `@@` in a name is the test's.
fn built_in() -> Vec<Value> {
    let selector = json!({"matchLabels": {"app": "a"}});
    let of = |api_version: &str, kind: &str, fields: Value| {
        let mut object = json!({"apiVersion": api_version, "kind": kind, "metadata": {
            "name": "@@-one", "creationTimestamp": null, "labels": {"app.kubernetes.io/name": "a"}, "annotations": {"note": "", "long": "y".repeat(1500)}}});
        object
            .as_object_mut()
            .unwrap()
            .extend(fields.as_object().cloned().unwrap_or_default());
        object
    };
    let rules = json!([{"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get", "list"]}, {"nonResourceURLs": [], "apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": [], "verbs": ["*"]}]);
    let account = json!([{"kind": "ServiceAccount", "name": "a", "namespace": "b"}]);
    let hook = |name: &str| {
        json!({"name": name, "admissionReviewVersions": ["v1"], "sideEffects": "None", "failurePolicy": "Ignore", "timeoutSeconds": 10,
        "clientConfig": {"service": {"name": "a", "namespace": "b", "path": "/x"}, "caBundle": ""},
        "rules": [{"apiGroups": ["ekb.test"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["widgets"], "scope": "*"}], "namespaceSelector": {}, "objectSelector": {"matchLabels": {"a": "b"}}})
    };
    vec![
        of(
            "v1",
            "ConfigMap",
            json!({"data": {"a": "1", "empty": "", "long": "x".repeat(3000)}, "binaryData": {"b": "AAEC"}}),
        ),
        of(
            "v1",
            "Secret",
            json!({"stringData": {"a": "1", "empty": ""}, "data": {"b": "eA=="}, "type": "Opaque"}),
        ),
        of(
            "v1",
            "Secret",
            json!({"metadata": {"name": "@@-tls"}, "data": {"tls.crt": "", "tls.key": ""}, "type": "kubernetes.io/tls", "immutable": false}),
        ),
        of(
            "v1",
            "ServiceAccount",
            json!({"automountServiceAccountToken": false, "imagePullSecrets": [{"name": "a"}], "secrets": []}),
        ),
        of(
            "v1",
            "Service",
            json!({"spec": {"type": "ClusterIP", "selector": {"app": "a"}, "sessionAffinity": "None",
            "ports": [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}, {"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "tcp", "port": 53}]}, "status": {"loadBalancer": {}}}),
        ),
        of(
            "v1",
            "Service",
            json!({"metadata": {"name": "@@-headless"}, "spec": {"clusterIP": "None", "publishNotReadyAddresses": true, "ports": [{"port": 80}], "selector": {"app": "a"}}}),
        ),
        of(
            "v1",
            "Service",
            json!({"metadata": {"name": "@@-node"}, "spec": {"type": "NodePort", "externalTrafficPolicy": "Cluster", "ports": [{"port": 80, "targetPort": 8080}]}}),
        ),
        of(
            "v1",
            "Service",
            json!({"metadata": {"name": "@@-name"}, "spec": {"type": "ExternalName", "externalName": "a.example"}}),
        ),
        of(
            "v1",
            "PersistentVolumeClaim",
            json!({"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1024Mi"}}, "storageClassName": "", "volumeMode": "Filesystem"}}),
        ),
        of(
            "v1",
            "PersistentVolume",
            json!({"spec": {"capacity": {"storage": "0.5Gi"}, "accessModes": ["ReadWriteOnce"], "persistentVolumeReclaimPolicy": "Retain", "hostPath": {"path": "/x"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}]}}}}),
        ),
        of(
            "v1",
            "LimitRange",
            json!({"spec": {"limits": [{"type": "Container", "default": {"cpu": "1000m"}, "defaultRequest": {"cpu": "0.1"}, "max": {"memory": "4096Mi"}}]}}),
        ),
        of(
            "v1",
            "ResourceQuota",
            json!({"spec": {"hard": {"pods": 1000, "requests.cpu": "100000m", "requests.storage": "1Ti"}}, "status": {}}),
        ),
        of("v1", "PodTemplate", json!({"template": template()})),
        of(
            "v1",
            "ReplicationController",
            json!({"spec": {"replicas": 0, "selector": {"app": "a"}, "template": template()}}),
        ),
        of(
            "v1",
            "Endpoints",
            json!({"subsets": [{"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 80, "name": "http"}]}]}),
        ),
        of(
            "apps/v1",
            "Deployment",
            json!({"spec": {"replicas": 0, "revisionHistoryLimit": 10, "paused": false, "selector": selector, "template": template(),
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}}}}),
        ),
        of(
            "apps/v1",
            "StatefulSet",
            json!({"spec": {"replicas": 0, "serviceName": "a", "selector": selector, "template": template(), "podManagementPolicy": "OrderedReady",
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
            "volumeClaimTemplates": [{"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data", "creationTimestamp": null, "labels": {}}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "8192Mi"}}}}]}}),
        ),
        of(
            "apps/v1",
            "DaemonSet",
            json!({"spec": {"selector": selector, "template": template(), "updateStrategy": {"rollingUpdate": {"maxUnavailable": 1}}}}),
        ),
        of(
            "apps/v1",
            "ReplicaSet",
            json!({"spec": {"replicas": 0, "selector": selector, "template": template()}}),
        ),
        of(
            "batch/v1",
            "Job",
            json!({"spec": {"backoffLimit": 0, "ttlSecondsAfterFinished": 0, "suspend": true, "template": {"metadata": {"labels": {}}, "spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "b"}]}}}}),
        ),
        of(
            "batch/v1",
            "CronJob",
            json!({"spec": {"schedule": "0 0 * * *", "suspend": false, "startingDeadlineSeconds": 0, "jobTemplate": {"metadata": {"creationTimestamp": null}, "spec": {"template": {"spec": {"restartPolicy": "OnFailure", "containers": [{"name": "a", "image": "b"}]}}}}}}),
        ),
        of(
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            json!({"spec": {"minReplicas": 1, "maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "a"},
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}},
                {"type": "External", "external": {"metric": {"name": "q", "selector": {"matchLabels": {"a": "b"}}}, "target": {"type": "AverageValue", "averageValue": "1000m"}}}],
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 0, "policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}]}}}}),
        ),
        of(
            "autoscaling/v1",
            "HorizontalPodAutoscaler",
            json!({"metadata": {"name": "@@-old"}, "spec": {"maxReplicas": 3, "targetCPUUtilizationPercentage": 80, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "b"}}}),
        ),
        of(
            "policy/v1",
            "PodDisruptionBudget",
            json!({"spec": {"maxUnavailable": "50%", "selector": selector}}),
        ),
        of(
            "networking.k8s.io/v1",
            "Ingress",
            json!({"spec": {"ingressClassName": "alb", "tls": [{"hosts": ["a.example"], "secretName": "a"}],
            "rules": [{"host": "a.example", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "a", "port": {"number": 80}}}}]}}]}, "status": {"loadBalancer": {}}}),
        ),
        of(
            "networking.k8s.io/v1",
            "NetworkPolicy",
            json!({"spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": [{}], "egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": []}}], "ports": [{"port": 53, "protocol": "UDP"}, {"port": "http"}]}]}}),
        ),
        of(
            "networking.k8s.io/v1",
            "IngressClass",
            json!({"spec": {"controller": "ekb.test/one", "parameters": {"apiGroup": "ekb.test", "kind": "P", "name": "a", "scope": "Cluster"}}}),
        ),
        of(
            "coordination.k8s.io/v1",
            "Lease",
            json!({"spec": {"holderIdentity": "a", "leaseDurationSeconds": 15}}),
        ),
        of(
            "discovery.k8s.io/v1",
            "EndpointSlice",
            json!({"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": true}}], "ports": [{"name": "", "port": 80, "protocol": "TCP"}]}),
        ),
        of(
            "node.k8s.io/v1",
            "RuntimeClass",
            json!({"handler": "runc", "overhead": {"podFixed": {"memory": "0.5Gi"}}, "scheduling": {"nodeSelector": {"a": "b"}, "tolerations": [{"operator": "Exists"}]}}),
        ),
        of(
            "scheduling.k8s.io/v1",
            "PriorityClass",
            json!({"value": 0, "globalDefault": false, "description": ""}),
        ),
        of("rbac.authorization.k8s.io/v1", "Role", json!({"rules": rules})),
        of(
            "rbac.authorization.k8s.io/v1",
            "RoleBinding",
            json!({"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "a"}, "subjects": account}),
        ),
        of(
            "rbac.authorization.k8s.io/v1",
            "ClusterRole",
            json!({"rules": rules, "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"nothing": "here"}}]}}),
        ),
        of(
            "rbac.authorization.k8s.io/v1",
            "ClusterRoleBinding",
            json!({"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "a"}, "subjects": [{"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": "g"}]}),
        ),
        of(
            "storage.k8s.io/v1",
            "StorageClass",
            json!({"provisioner": "ebs.csi.aws.com", "parameters": {"type": "gp3"}, "volumeBindingMode": "WaitForFirstConsumer", "allowVolumeExpansion": false, "mountOptions": []}),
        ),
        of(
            "storage.k8s.io/v1",
            "CSIDriver",
            json!({"spec": {"attachRequired": true, "podInfoOnMount": false, "fsGroupPolicy": "File", "tokenRequests": [{"audience": "a", "expirationSeconds": 3600}]}}),
        ),
        of(
            "admissionregistration.k8s.io/v1",
            "ValidatingWebhookConfiguration",
            json!({"webhooks": [hook("one.ekb.test"), hook("two.ekb.test")]}),
        ),
        of(
            "admissionregistration.k8s.io/v1",
            "MutatingWebhookConfiguration",
            json!({"webhooks": [hook("one.ekb.test")]}),
        ),
        of(
            "admissionregistration.k8s.io/v1",
            "ValidatingAdmissionPolicy",
            json!({"spec": {"failurePolicy": "Ignore", "matchConstraints": {"resourceRules": [{"apiGroups": ["ekb.test"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["widgets"]}]}, "validations": [{"expression": "true"}]}}),
        ),
        of(
            "admissionregistration.k8s.io/v1",
            "ValidatingAdmissionPolicyBinding",
            json!({"spec": {"policyName": "@@-one", "validationActions": ["Deny"], "matchResources": {"namespaceSelector": {"matchLabels": {"a": "b"}}}}}),
        ),
        of(
            "apiregistration.k8s.io/v1",
            "APIService",
            json!({"metadata": {"name": "v1.@@.ekb.test"}, "spec": {"group": "@@.ekb.test", "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 100, "insecureSkipTLSVerify": true, "service": {"name": "a", "namespace": "b", "port": 443}}}),
        ),
        of(
            "flowcontrol.apiserver.k8s.io/v1",
            "FlowSchema",
            json!({"spec": {"priorityLevelConfiguration": {"name": "exempt"}, "matchingPrecedence": 9000, "distinguisherMethod": {"type": "ByUser"}, "rules": [{"subjects": [{"kind": "User", "user": {"name": "nobody"}}], "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": ["/nothing"]}]}]}}),
        ),
    ]
}

/// Kinds without a namespace among them.
const WIDE: [&str; 16] = [
    "PersistentVolume",
    "IngressClass",
    "RuntimeClass",
    "PriorityClass",
    "ClusterRole",
    "ClusterRoleBinding",
    "StorageClass",
    "CSIDriver",
    "ValidatingWebhookConfiguration",
    "MutatingWebhookConfiguration",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "APIService",
    "FlowSchema",
    "CustomResourceDefinition",
    "Namespace",
];

fn with_name(value: &Value, name: &str) -> Value {
    serde_json::from_str(&value.to_string().replace("@@", name)).expect("it is JSON still")
}

/// Applies all of it, and says what then differs from what was declared.
async fn differences(cluster: &Cluster, graph: &Graph, known: &Known) -> (Vec<String>, Known) {
    let purpose = if known.ids.is_empty() { create() } else { update() };
    let stages = std::slice::from_ref(graph);
    let outcome = cluster
        .any()
        .reconcile(stages, known, &Allowed::All, &purpose)
        .await;
    assert!(outcome.is_done(), "{}", texts(&outcome));
    let expected = graph.objects();
    let differ = expected
        .iter()
        .filter(|(key, fields)| outcome.report.objects.get(key) != Some(fields));
    let mut found: Vec<String> = differ
        .map(|(key, fields)| {
            format!(
                "{key}: {} is {}",
                fields,
                outcome.report.objects.get(key).cloned().unwrap_or_default()
            )
        })
        .collect();
    let known = ok(outcome, graph);
    let again = cluster
        .any()
        .reconcile(stages, &known, &Allowed::All, &update())
        .await;
    found.extend(again.report.drift.clone());
    assert!(again.is_done() && !again.changed, "{found:?}");
    (found, known)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_built_in_kind_reads_back_as_it_was_applied() {
    let cluster = Cluster::new();
    let mut graph = Graph::new();
    for object in built_in() {
        let object = with_name(&object, &cluster.namespace);
        let kind = object["kind"].as_str().unwrap().to_owned();
        let manifest = if WIDE.contains(&kind.as_str()) {
            cluster.wide(object)
        } else {
            cluster.object(object)
        };
        graph.part(manifest.key(), manifest.without_waiting());
    }
    let (found, known) = differences(&cluster, &graph, &Known::default()).await;
    assert_eq!(found, Vec::<String>::new());
    assert!(known.ids.len() > 40, "{}", known.ids.len());
    // Nothing protects volumes from pods here, since no controller runs.
    let unprotected = json!({"metadata": {"finalizers": null}});
    let name = &cluster.namespace;
    for path in [
        format!("/api/v1/namespaces/{name}/persistentvolumeclaims/{name}-one"),
        format!("/api/v1/persistentvolumes/{name}-one"),
    ] {
        cluster.plane.merge(&path, &unprotected).unwrap();
    }
    let outcome = cluster.any().destroy(Some(&graph), &known, Some("one")).await;
    let left: Vec<_> = outcome.report.ids.keys().collect();
    assert!(outcome.is_done(), "{} {left:?}", texts(&outcome));
}

/// A value that the schema allows, with what is required and, where `all`, what is simple.
fn sample(schema: &Value, all: bool) -> Value {
    if let Some(first) = schema["enum"].as_array().and_then(|all| all.first()) {
        return first.clone();
    }
    if let Some(default) = schema.get("default") {
        return default.clone();
    }
    match schema["type"].as_str() {
        Some("object") => {
            let required: Vec<&str> = schema["required"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            let properties = schema["properties"].as_object().into_iter().flatten();
            let is_simple = |of: &Value| {
                matches!(of["type"].as_str(), Some("boolean" | "integer"))
                    && of.get("x-kubernetes-validations").is_none()
                    || of["x-kubernetes-int-or-string"] == true && of.get("pattern").is_none()
            };
            let wanted =
                properties.filter(|(name, of)| required.contains(&name.as_str()) || all && is_simple(of));
            Value::Object(
                wanted
                    .map(|(name, of)| (name.clone(), sample(of, all)))
                    .collect::<Map<_, _>>(),
            )
        }
        Some("array") => {
            let least = schema["minItems"].as_u64().unwrap_or(1).max(1);
            (0..least).map(|_| sample(&schema["items"], all)).collect()
        }
        Some("boolean") => false.into(),
        Some("integer" | "number") => schema["minimum"].as_i64().unwrap_or(1).into(),
        Some("string") => match schema["format"].as_str() {
            Some("date-time") => "2026-01-01T00:00:00Z".into(),
            Some("byte") => "eA==".into(),
            _ => "a".into(),
        },
        _ if schema["x-kubernetes-int-or-string"] == true => "10%".into(),
        _ => json!({}),
    }
}

/// The definitions in the folder and below.
fn definitions(folder: &Path, found: &mut Vec<Value>) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            definitions(&path, found);
        } else if path.extension().is_some_and(|end| end == "yaml" || end == "yml") {
            let text = std::fs::read_to_string(&path).expect("a text");
            let all = helm::yaml::parse_documents(&text).expect("YAML");
            let all = all.iter().map(helm::chart::to_json);
            found.extend(all.filter(|object| object["kind"] == "CustomResourceDefinition"));
        }
    }
}

/// `EKB_TEST_CRDS` names a folder of definitions (those of the platform's controllers); without it only one of our own is looked at.
#[tokio::test(flavor = "multi_thread")]
async fn custom_resources_and_their_definitions_read_back_as_they_were_applied() {
    let cluster = Cluster::new();
    let mut all = Vec::new();
    if let Some(folder) = std::env::var_os("EKB_TEST_CRDS") {
        definitions(Path::new(&folder), &mut all);
    }
    all.push(json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "parts.own.ekb.test", "creationTimestamp": null},
        "spec": {"group": "own.ekb.test", "scope": "Namespaced", "preserveUnknownFields": false, "names": {"kind": "Part", "plural": "parts", "shortNames": []},
            "versions": [{"name": "v1", "served": true, "storage": true, "additionalPrinterColumns": [], "subresources": {"status": {}}, "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                "spec": {"type": "object", "required": ["ports", "amount"], "properties": {
                    "amount": {"x-kubernetes-int-or-string": true, "anyOf": [{"type": "integer"}, {"type": "string"}]},
                    "defaulted": {"type": "object", "default": {}, "properties": {"a": {"type": "integer", "default": 3}}},
                    "ports": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["port", "protocol"], "items": {"type": "object", "required": ["port"],
                        "properties": {"port": {"type": "integer"}, "protocol": {"type": "string", "default": "TCP"}}}},
                    "set": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
                }}}}}}]},
        "status": {"conditions": [], "acceptedNames": {"kind": "", "plural": ""}, "storedVersions": []},
    }));
    let mut graph = Graph::new();
    for object in &all {
        let manifest = cluster.wide(object.clone());
        graph.part(manifest.key(), manifest);
    }
    let (found, known) = differences(&cluster, &graph, &Known::default()).await;
    assert_eq!(found, Vec::<String>::new());
    let shown: usize = known
        .objects
        .values()
        .map(|fields| fields.to_string().len())
        .sum();
    let applied: usize = all.iter().map(|object| object.to_string().len()).sum();
    println!("{} definitions of {applied} bytes show in {shown}", all.len());

    let (mut with, mut refused) = (graph.clone(), Vec::new());
    for definition in &all {
        let spec = &definition["spec"];
        let versions = spec["versions"].as_array().expect("versions");
        let version = versions
            .iter()
            .find(|one| one["storage"] == true)
            .expect("one is stored");
        let (group, name) = (spec["group"].as_str().unwrap(), version["name"].as_str().unwrap());
        let plural = spec["names"]["plural"].as_str().unwrap();
        let is_wide = spec["scope"] == "Cluster";
        let namespace = if is_wide {
            String::new()
        } else {
            format!("/namespaces/{}", cluster.namespace)
        };
        let path = format!("/apis/{group}/{name}{namespace}/{plural}?dryRun=All");
        let schema = &version["schema"]["openAPIV3Schema"];
        let object = [true, false].map(|all| {
            let mut object = json!({"apiVersion": format!("{group}/{name}"), "kind": spec["names"]["kind"], "metadata": {"name": "one"}});
            for (field, of) in schema["properties"].as_object().into_iter().flatten() {
                if !matches!(field.as_str(), "apiVersion" | "kind" | "metadata" | "status") {
                    object[field.as_str()] = sample(of, all);
                }
            }
            object
        });
        let tried = object
            .into_iter()
            .map(|object| (cluster.plane.request("POST", &path, Some(&object)), object));
        let tried: Vec<_> = tried.collect();
        match tried.iter().find(|(answer, _)| answer.is_ok()) {
            Some((_, object)) => {
                let manifest = if is_wide {
                    cluster.wide(object.clone())
                } else {
                    cluster.object(object.clone())
                };
                with.part(key(manifest.kind_name(), "one"), manifest.without_waiting());
            }
            None => refused.push(format!(
                "{plural}.{group}: {}",
                tried[1].0.as_ref().expect_err("refused").message
            )),
        }
    }
    println!(
        "{} of {} have an object; refused: {refused:#?}",
        all.len() - refused.len(),
        all.len()
    );
    let (found, known) = differences(&cluster, &with, &known).await;
    assert_eq!(found, Vec::<String>::new());
    let outcome = cluster.any().destroy(Some(&with), &known, Some("one")).await;
    assert!(
        outcome.is_done() && outcome.report.is_empty(),
        "{}",
        texts(&outcome)
    );
}
