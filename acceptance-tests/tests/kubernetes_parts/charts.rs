//! What charts need of objects: kinds that are named at run time, content that is shown by digest, a manager that is shared.

use kubernetes::Manifest;
use reconcile::engine::Engine;
use reconcile::graph::Graph;
use reconcile::part::{Key, key};
use reconcile::report::{Allowed, Known, Outcome};
use serde_json::{Value, json};

use crate::kube::Cluster;
use crate::{create, ok, texts, update};

/// A definition of its own for each test, and an object of it.
fn gadgets(cluster: &Cluster) -> (String, Value, Value) {
    let group = format!("{}.ekb.test", cluster.namespace);
    let schema = json!({"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object", "properties": {
        "size": {"type": "integer", "minimum": 1.0},
        "note": {"type": "string", "description": "x".repeat(2000)},
    }}}}});
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("gadgets.{group}")},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": "Gadget", "plural": "gadgets"},
            "versions": [
                {"name": "v1beta1", "served": true, "storage": false, "schema": schema},
                {"name": "v1", "served": true, "storage": true, "schema": schema},
            ],
        },
    });
    let gadget = json!({
        "apiVersion": format!("{group}/v1beta1"),
        "kind": "Gadget",
        "metadata": {"name": "one"},
        "spec": {"size": 3},
    });
    (group, definition, gadget)
}

fn add(graph: &mut Graph, manifest: Manifest) -> Key {
    let key = manifest.key();
    graph.part(key.clone(), manifest);
    key
}

fn root(cluster: &Cluster) -> Graph {
    let mut graph = Graph::new();
    let object =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "root"}, "data": {"a": "1"}});
    graph.part("root", cluster.object(object));
    graph
}

async fn apply(engine: &Engine, graph: &Graph, known: &Known) -> Outcome {
    let purpose = if known.ids.is_empty() { create() } else { update() };
    let stages = std::slice::from_ref(graph);
    engine.reconcile(stages, known, &Allowed::All, &purpose).await
}

#[tokio::test(flavor = "multi_thread")]
async fn kinds_follow_from_the_chart_and_from_the_state() {
    let cluster = Cluster::new();
    let (group, definition, gadget) = gadgets(&cluster);
    let mut graph = root(&cluster);
    let definition = cluster.wide(definition);
    let defined = graph.part(definition.key(), definition);
    let one = add(&mut graph, cluster.object(gadget.clone()).after(defined.ready()));
    assert_eq!(
        one,
        key(&format!("Gadget.{group}"), format!("{}/one", cluster.namespace))
    );
    let outcome = apply(&cluster.any(), &graph, &Known::default()).await;
    assert_eq!(
        outcome.report.objects,
        graph.objects(),
        "the state shows what the plan showed"
    );
    let known = ok(outcome, &graph);
    assert!(known.objects[&one].to_string().len() < 200);
    let again = apply(&cluster.any(), &graph, &known).await;
    assert!(again.is_done() && !again.changed, "{:?}", again.report.drift);

    // Another version is a change of the object that is there.
    let mut newer = root(&cluster);
    newer.part(defined.key().clone(), cluster.wide(gadgets(&cluster).1));
    let mut object = gadget;
    object["apiVersion"] = format!("{group}/v1").into();
    add(&mut newer, cluster.object(object));
    let changes = newer.changes(&known);
    assert_eq!(
        changes.into_keys().collect::<Vec<_>>(),
        std::slice::from_ref(&one)
    );
    let uid = || {
        cluster.plane.list(&format!(
            "/apis/{group}/v1/namespaces/{}/gadgets",
            cluster.namespace
        ))[0]["metadata"]["uid"]
            .clone()
    };
    let before = uid();
    let outcome = apply(&cluster.any(), &newer, &known).await;
    let known = ok(outcome, &newer);
    assert_eq!(known.objects[&one]["apiVersion"], format!("{group}/v1"));
    assert_eq!(uid(), before);
    let again = apply(&cluster.any(), &newer, &known).await;
    assert!(again.is_done() && !again.changed, "{:?}", again.report.drift);

    // What only the state knows: a graph for refresh and destroy follows from its fields.
    let mut from_state = Graph::new();
    for (key, fields) in &known.objects {
        let part = Manifest::from_fields(&known.kinds[key], fields).expect("an object");
        from_state.part(key.clone(), part);
    }
    assert_eq!(from_state.objects(), known.objects);
    let report = cluster.any().observe(Some(&from_state), &known).await.report();
    assert_eq!((report.drift, report.ids.len()), (Vec::new(), 3));
    // A kind that no declaration names any more is found and deleted; in the version that the API prefers.
    let fewer = {
        let mut graph = root(&cluster);
        graph.part(defined.key().clone(), cluster.wide(gadgets(&cluster).1));
        graph
    };
    let outcome = apply(&cluster.any(), &fewer, &known).await;
    let known = ok(outcome, &fewer);
    assert_eq!(known.ids.len(), 2);
    // Objects of others would go with their definition.
    let path = format!("/apis/{group}/v1/namespaces/{}/gadgets", cluster.namespace);
    let theirs =
        json!({"apiVersion": format!("{group}/v1"), "kind": "Gadget", "metadata": {"name": "theirs"}});
    cluster.plane.request("POST", &path, Some(&theirs)).unwrap();
    let outcome = cluster.any().destroy(None, &known, Some("one")).await;
    let said = texts(&outcome);
    let named = format!("others have objects of it: Gadget {}/theirs", cluster.namespace);
    assert!(
        outcome.refused && said.contains("EKB1141") && said.contains(&named),
        "{said}"
    );
    assert!(cluster.plane.delete(&format!("{path}/theirs")));
    let outcome = cluster.any().destroy(None, &known, Some("one")).await;
    assert!(
        outcome.is_done() && outcome.report.is_empty(),
        "{}",
        texts(&outcome)
    );
    assert_eq!(
        cluster.plane.get(&format!(
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gadgets.{group}"
        )),
        None
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_and_long_texts_are_compared_by_digest() {
    let cluster = Cluster::new();
    let long = format!("# dashboard\n{}", "x".repeat(5000));
    let chart = |password: &str, line: &str| {
        let mut graph = root(&cluster);
        add(
            &mut graph,
            cluster.object(
                json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"},
            "data": {"user": "YWRtaW4="}, "stringData": {"password": password}}),
            ),
        );
        add(
            &mut graph,
            cluster.object(
                json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "long"},
            "data": {"text": format!("{long}{line}"), "short": "1"}}),
            ),
        );
        graph
    };
    let graph = chart("hunter1", "");
    let outcome = apply(&cluster.any(), &graph, &Known::default()).await;
    assert_eq!(outcome.report.objects, graph.objects());
    assert!(!format!("{outcome:?} {graph:?}").contains("hunter"));
    let known = ok(outcome, &graph);
    let path = |plural: &str, name: &str| format!("/api/v1/namespaces/{}/{plural}/{name}", cluster.namespace);
    let secret = || cluster.plane.get(&path("secrets", "login")).unwrap()["data"].clone();
    assert_eq!(secret(), json!({"user": "YWRtaW4=", "password": "aHVudGVyMQ=="}));
    let shown =
        known.objects[&key("ConfigMap", format!("{}/long", cluster.namespace))]["data"]["text"].clone();
    assert!(
        shown.as_str().unwrap().ends_with("(5012 bytes, # dashboard)"),
        "{shown}"
    );
    let again = apply(&cluster.any(), &graph, &known).await;
    assert!(again.is_done() && !again.changed, "{:?}", again.report.drift);

    // What others change shows by digest, and is mended.
    cluster
        .plane
        .merge(
            &path("secrets", "login"),
            &json!({"data": {"password": "b3RoZXJz"}}),
        )
        .unwrap();
    let report = cluster.any().observe(Some(&graph), &known).await.report();
    assert_eq!(report.drift.len(), 1);
    assert!(
        report.drift[0].contains("data password: is sha256:") && !report.drift[0].contains("b3RoZXJz"),
        "{:?}",
        report.drift
    );
    let graph = chart("hunter2", "more");
    let outcome = apply(&cluster.any(), &graph, &report.known().of(&graph)).await;
    let known = ok(outcome, &graph);
    assert_eq!(secret()["password"], "aHVudGVyMg==");
    // An entry that the chart has no longer goes.
    let mut fewer = root(&cluster);
    add(&mut fewer, cluster.object(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"}, "data": {"user": "YWRtaW4="}})));
    add(
        &mut fewer,
        cluster.object(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "long"}})),
    );
    ok(apply(&cluster.any(), &fewer, &known).await, &fewer);
    assert_eq!(secret(), json!({"user": "YWRtaW4="}));
    let live = cluster.plane.get(&path("configmaps", "long")).unwrap();
    assert_eq!(live.get("data"), None, "a field that is declared no longer");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_depends_on_secret_values_is_hidden_and_sent_with_their_version() {
    let cluster = Cluster::new();
    let config = |value: &str, version: u32| {
        let object = |value: &str| {
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "namespace": cluster.namespace},
            "data": {"plain": "1", "url": format!("https://{value}@db")}})
        };
        let mut graph = root(&cluster);
        let part = cluster.object(object("(secret)"));
        add(
            &mut graph,
            part.with_secrets(version, object(value).to_string().into()),
        );
        graph
    };
    let graph = config("hunter1", 1);
    let known = ok(apply(&cluster.any(), &graph, &Known::default()).await, &graph);
    let key = key("ConfigMap", format!("{}/settings", cluster.namespace));
    assert_eq!(
        known.objects[&key]["data"],
        json!({"plain": "1", "url": "(secret)"})
    );
    let live = || {
        cluster
            .plane
            .get(&format!(
                "/api/v1/namespaces/{}/configmaps/settings",
                cluster.namespace
            ))
            .unwrap()["data"]["url"]
            .clone()
    };
    assert_eq!(live(), "https://hunter1@db");
    let again = apply(&cluster.any(), &config("hunter2", 1), &known).await;
    assert!(again.is_done() && !again.changed, "the version is the same");
    let graph = config("hunter2", 2);
    ok(apply(&cluster.any(), &graph, &known).await, &graph);
    assert_eq!(live(), "https://hunter2@db");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_helm_applies_beside_us_keeps_our_marks() {
    let cluster = Cluster::new();
    let chart = |image: &str| {
        let mut graph = root(&cluster);
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "shared"}, "data": {"image": image, "same": "1"}});
        add(&mut graph, cluster.object(object).manager("helm"));
        graph
    };
    let graph = chart("a");
    let known = ok(apply(&cluster.any(), &graph, &Known::default()).await, &graph);
    let path = format!("/api/v1/namespaces/{}/configmaps/shared", cluster.namespace);
    let live = || cluster.plane.get(&path).unwrap();
    let managers = |live: &Value| {
        let all = live["metadata"]["managedFields"].as_array().unwrap();
        let mut all: Vec<_> = all
            .iter()
            .map(|one| format!("{} {}", one["manager"], one["operation"]).replace('"', ""))
            .collect();
        all.sort();
        all
    };
    assert_eq!(managers(&live()), ["ekb Apply", "helm Apply"]);
    // helm upgrades: without our marks, and it has all fields.
    let theirs = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "shared"}, "data": {"image": "b", "same": "1"}});
    let query = format!("{path}?fieldManager=helm");
    cluster.plane.request("PATCH", &query, Some(&theirs)).unwrap();
    assert!(
        live()["metadata"]["labels"]["ekb.io/owner"].is_string(),
        "{}",
        live()
    );
    let report = cluster.any().observe(Some(&graph), &known).await.report();
    let name = format!("ConfigMap/{}/shared", cluster.namespace);
    assert_eq!(report.drift, [format!("{name}: data image: is b, should be a")]);
    let known = ok(apply(&cluster.any(), &graph, &known).await, &graph);
    assert_eq!(
        (live()["data"]["image"].clone(), managers(&live())),
        (json!("a"), vec!["ekb Apply".to_owned(), "helm Apply".to_owned()])
    );
    // What lost our marks is still ours where the state knows it.
    let unmarked = json!({"metadata": {"labels": {"ekb.io/owner": null}, "annotations": {"ekb.io/part": null, "ekb.io/environment": null, "ekb.io/region": null, "ekb.io/resource": null}}});
    cluster.plane.merge(&path, &unmarked).unwrap();
    let graph = chart("c");
    ok(apply(&cluster.any(), &graph, &known).await, &graph);
    assert!(live()["metadata"]["labels"]["ekb.io/owner"].is_string());
    assert_eq!(live()["data"]["image"], "c");
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_an_autoscaler_sets_are_left_to_it() {
    let cluster = Cluster::new();
    let web = |image: &str| {
        let mut graph = root(&cluster);
        let object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {
            "replicas": 2, "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "a", "image": image}]}}}});
        add(&mut graph, cluster.object(object).without_waiting());
        graph
    };
    let graph = web("app:1");
    let known = ok(apply(&cluster.any(), &graph, &Known::default()).await, &graph);
    let path = format!("/apis/apps/v1/namespaces/{}/deployments/web", cluster.namespace);
    cluster
        .plane
        .merge(&format!("{path}/scale"), &json!({"spec": {"replicas": 5}}))
        .unwrap();
    let report = cluster.any().observe(Some(&graph), &known).await.report();
    assert!(report.drift.is_empty(), "{:?}", report.drift);
    let graph = web("app:2");
    ok(apply(&cluster.any(), &graph, &known).await, &graph);
    let spec = cluster.plane.get(&path).unwrap()["spec"].clone();
    assert_eq!(
        (
            &spec["replicas"],
            &spec["template"]["spec"]["containers"][0]["image"]
        ),
        (&json!(5), &json!("app:2"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_helm_had_by_updates_is_taken_over_with_its_fields() {
    let cluster = Cluster::new();
    let chart = |image: &str| {
        let mut graph = root(&cluster);
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "old"}, "data": {"image": image}});
        add(&mut graph, cluster.object(object).manager("helm"));
        graph
    };
    let path = format!("/api/v1/namespaces/{}/configmaps", cluster.namespace);
    let old = json!({"metadata": {"name": "old"}, "data": {"image": "a", "gone": "1"}});
    cluster
        .plane
        .request("POST", &format!("{path}?fieldManager=helm"), Some(&old))
        .unwrap();
    let engine = Engine {
        adopt: true,
        ..cluster.any()
    };
    let graph = chart("a");
    let known = ok(apply(&engine, &graph, &Known::default()).await, &graph);
    let graph = chart("b");
    ok(apply(&engine, &graph, &known).await, &graph);
    let live = cluster.plane.get(&format!("{path}/old")).unwrap();
    assert_eq!(live["data"], json!({"image": "b"}), "{live}");
}
