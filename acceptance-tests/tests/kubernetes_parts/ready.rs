//! What is waited for, and what never changes, on a real API server; the tests say themselves what controllers would.

use std::time::Duration;

use acceptance_tests::Stopwatch;
use reconcile::clock::Clock;
use reconcile::engine::Engine;
use reconcile::graph::Graph;
use reconcile::part::key;
use reconcile::report::{Allowed, Known, Outcome};
use serde_json::{Value, json};

use crate::kube::Cluster;
use crate::{create, ok, texts, update};

/// Minutes in seconds.
fn hasty(cluster: &Cluster, timeout: u64) -> Engine {
    let mut engine = cluster.any();
    engine.clock = Clock::scaled(60.0);
    engine.timeout = Duration::from_secs(timeout);
    engine
}

fn web(cluster: &Cluster, image: &str) -> Graph {
    let mut graph = Graph::new();
    let object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {
        "replicas": 3, "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "a", "image": image}]}}}});
    graph.part("web", cluster.object(object));
    graph
}

async fn apply(engine: &Engine, graph: &Graph, known: &Known) -> Outcome {
    let purpose = if known.ids.is_empty() { create() } else { update() };
    let stages = std::slice::from_ref(graph);
    engine.reconcile(stages, known, &Allowed::All, &purpose).await
}

/// Until the engine waits.
async fn moment() {
    Clock::scaled(1.0).sleep(Duration::from_millis(1500)).await;
}

/// What the controller of Deployments says, of whatever generation: annotations make a new one too.
fn says(cluster: &Cluster, status: Value) {
    let path = format!("/apis/apps/v1/namespaces/{}/deployments/web", cluster.namespace);
    cluster
        .plane
        .merge(&format!("{path}/status"), &json!({"status": status}))
        .unwrap();
}

fn post(cluster: &Cluster, plural: &str, object: Value) {
    let path = format!("/api/v1/namespaces/{}/{plural}", cluster.namespace);
    cluster.plane.request("POST", &path, Some(&object)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_is_waited_for_and_its_pods_say_what_holds_it_up() {
    let cluster = Cluster::new();
    let graph = web(&cluster, "app:1");
    // Its controller is at work, and two of three pods come.
    let set = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "web-1", "labels": {"app": "web", "pod-template-hash": "1"}, "annotations": {"deployment.kubernetes.io/revision": "1"}},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "web", "pod-template-hash": "1"}}, "template": {"metadata": {"labels": {"app": "web", "pod-template-hash": "1"}}, "spec": {"containers": [{"name": "a", "image": "app:1"}]}}}});
    let sets = format!("/apis/apps/v1/namespaces/{}/replicasets", cluster.namespace);
    cluster.plane.request("POST", &sets, Some(&set)).unwrap();
    let pod = |name: &str, hash: &str| json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": "web", "pod-template-hash": hash}}, "spec": {"containers": [{"name": "a", "image": "app:1"}]}});
    post(
        &cluster,
        "serviceaccounts",
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}),
    );
    for (name, hash, reason) in [
        ("web-1-a", "1", "ImagePullBackOff"),
        ("web-0-a", "0", "CrashLoopBackOff"),
    ] {
        post(&cluster, "pods", pod(name, hash));
        let path = format!("/api/v1/namespaces/{}/pods/{name}/status", cluster.namespace);
        let status = json!({"status": {"phase": "Pending", "containerStatuses": [{"name": "a", "image": "app:1", "imageID": "", "ready": false, "restartCount": 50,
            "state": {"waiting": {"reason": reason, "message": "Back-off pulling image \"app:1\""}}}]}});
        cluster.plane.merge(&path, &status).unwrap();
    }
    let (engine, nothing) = (hasty(&cluster, 1200), Known::default());
    let status = |ready: u32| json!({"observedGeneration": 100, "replicas": 3, "updatedReplicas": 3, "readyReplicas": ready, "availableReplicas": ready, "unavailableReplicas": 3 - ready});
    let (outcome, ()) = tokio::join!(apply(&engine, &graph, &nothing), async {
        moment().await;
        let annotations = json!({"metadata": {"annotations": {"deployment.kubernetes.io/revision": "1"}}});
        cluster
            .plane
            .merge(
                &format!("/apis/apps/v1/namespaces/{}/deployments/web", cluster.namespace),
                &annotations,
            )
            .unwrap();
        says(&cluster, status(2));
    });
    let said = texts(&outcome);
    assert!(
        said.contains("EKB1139")
            && said.contains(
                "2 of 3 replicas ready; pod web-1-a: ImagePullBackOff: Back-off pulling image \"app:1\""
            ),
        "{said}"
    );
    assert!(
        !said.contains("web-0-a"),
        "pods of an earlier template say nothing of this one: {said}"
    );

    // Another image is what it needs: the change is not held up by what it waits for.
    let known = outcome.report.known().of(&graph);
    let report = engine.observe(Some(&graph), &known).await.report();
    assert!(report.drift.is_empty(), "{:?}", report.drift);
    let graph = web(&cluster, "app:2");
    let (outcome, ()) = tokio::join!(apply(&engine, &graph, &known), async {
        moment().await;
        says(&cluster, status(3));
    });
    ok(outcome, &graph);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_without_prospect_ends_at_once_and_a_time_out_says_what_was_waited_for() {
    let cluster = Cluster::new();
    let graph = web(&cluster, "app:1");
    let outcome = apply(&hasty(&cluster, 300), &graph, &Known::default()).await;
    let said = texts(&outcome);
    assert!(said.contains("its controller has not seen it yet"), "{said}");
    let known = outcome.report.known().of(&graph);
    says(
        &cluster,
        json!({"observedGeneration": 100, "conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "ReplicaSet \"web-1\" has timed out progressing."}]}),
    );
    let graph = web(&cluster, "app:1");
    let engine = hasty(&cluster, 1200);
    let watch = Stopwatch::start();
    let said = texts(&apply(&engine, &graph, &known).await);
    assert!(
        said.contains("ProgressDeadlineExceeded: ReplicaSet \"web-1\" has timed out progressing"),
        "{said}"
    );
    assert!(watch.elapsed() < Duration::from_secs(10));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_never_changes_is_made_again_or_refused() {
    let cluster = Cluster::new();
    let config = |value: &str, claim: &str| {
        let mut graph = Graph::new();
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "fixed"}, "data": {"a": value}, "immutable": true});
        graph.part("fixed", cluster.object(object));
        let set = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"}, "spec": {
            "serviceName": "db", "replicas": 0, "selector": {"matchLabels": {"app": "db"}},
            "template": {"metadata": {"labels": {"app": "db"}}, "spec": {"containers": [{"name": "a", "image": "app:1"}]}},
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": claim}}}}]}});
        graph.part("db", cluster.object(set).without_waiting());
        graph
    };
    let graph = config("1", "1Gi");
    let engine = cluster.any();
    let known = ok(apply(&engine, &graph, &Known::default()).await, &graph);
    let uid = || {
        cluster
            .plane
            .get(&format!(
                "/api/v1/namespaces/{}/configmaps/fixed",
                cluster.namespace
            ))
            .unwrap()["metadata"]["uid"]
            .clone()
    };
    let before = uid();
    let graph = config("2", "1Gi");
    let known = ok(apply(&engine, &graph, &known).await, &graph);
    assert_ne!(uid(), before);
    let graph = config("2", "2Gi");
    let outcome = apply(&engine, &graph, &known).await;
    let said = texts(&outcome);
    assert!(
        outcome.refused
            && said.contains("EKB1314")
            && said.contains("volumeClaimTemplates")
            && said.contains("--cascade=orphan"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_goes_only_with_all_that_is_in_it() {
    let cluster = Cluster::new();
    let name = format!("{}-shared", cluster.namespace);
    let mut graph = Graph::new();
    let namespace =
        cluster.wide(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}));
    let root = graph.part("namespace", namespace);
    let ours =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ours", "namespace": name}});
    graph.part(key("config", "ours"), cluster.object(ours).after(root.ready()));
    let engine = cluster.any();
    let known = ok(apply(&engine, &graph, &Known::default()).await, &graph);
    let path = |plural: &str| format!("/api/v1/namespaces/{name}/{plural}");
    let owner = cluster
        .plane
        .get(&format!("{}/ours", path("configmaps")))
        .unwrap()["metadata"]["uid"]
        .clone();
    let owned = json!({"metadata": {"name": "owned", "ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "ours", "uid": owner}]}});
    for (plural, object) in [
        ("configmaps", owned),
        ("configmaps", json!({"metadata": {"name": "kube-root-ca.crt"}})),
        ("serviceaccounts", json!({"metadata": {"name": "default"}})),
        ("configmaps", json!({"metadata": {"name": "theirs"}})),
    ] {
        cluster
            .plane
            .request("POST", &path(plural), Some(&object))
            .unwrap();
    }
    let outcome = engine.destroy(Some(&graph), &known, Some("one")).await;
    let said = texts(&outcome);
    assert!(
        outcome.refused && said.contains("EKB1141") && said.contains("objects in it: ConfigMap theirs"),
        "{said}"
    );
    assert!(
        cluster
            .plane
            .get(&format!("{}/ours", path("configmaps")))
            .is_some(),
        "nothing was deleted"
    );
    assert!(cluster.plane.delete(&format!("{}/theirs", path("configmaps"))));
    // It waits for its controller then, which nobody runs here.
    let said = texts(
        &hasty(&cluster, 1200)
            .destroy(Some(&graph), &known, Some("one"))
            .await,
    );
    assert!(said.contains("its finalizers [\"kubernetes\"]"), "{said}");
    assert!(
        cluster
            .plane
            .get(&format!("{}/ours", path("configmaps")))
            .is_none()
    );
}
