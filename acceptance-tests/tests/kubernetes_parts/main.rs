//! Parts that are Kubernetes objects (`provider/kubernetes`), on a real API server.
#![recursion_limit = "256"]
#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "tests"
)]

mod charts;
mod kube;
mod normal;
mod ready;

use std::time::Duration;

use acceptance_tests::Stopwatch;
use reconcile::clock::Clock;
use reconcile::graph::Graph;
use reconcile::ownership::Purpose;
use reconcile::part::key;
use reconcile::report::{Allowed, Known, Outcome};
use serde_json::{Value, json};

use kubernetes::Manifest;

use crate::kube::{
    CLASS, CONFIG, Cluster, DEFINITION, DEPLOYMENT, NAMESPACE, Rig, SECRET, WIDGET, definition,
};

fn create() -> Purpose {
    Purpose::Create {
        incarnation: "one".into(),
    }
}

fn update() -> Purpose {
    Purpose::Update {
        incarnation: Some("one".into()),
    }
}

fn texts(outcome: &Outcome) -> String {
    outcome
        .errors
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

#[track_caller]
fn ok(outcome: Outcome, graph: &Graph) -> Known {
    assert!(outcome.is_done(), "{}", texts(&outcome));
    outcome.report.known().of(graph)
}

fn config(value: &str) -> Value {
    json!({"data": {"key": value}})
}

fn deployment(image: &str) -> Value {
    json!({"spec": {
        "selector": {"matchLabels": {"app": "a"}},
        "template": {
            "metadata": {"labels": {"app": "a"}},
            "spec": {"containers": [{"name": "a", "image": image, "resources": {"limits": {"memory": "64Mi"}}}]},
        },
    }})
}

/// A root, and config maps and deployments by turns.
fn chart(cluster: &Cluster, parts: usize, image: &str) -> Graph {
    let mut graph = Graph::new();
    graph.part("root", cluster.manifest(CONFIG, "root", config("root")));
    for index in 0..parts / 2 {
        let name = format!("part-{index:03}");
        graph.part(
            key("config", &name),
            cluster.manifest(CONFIG, &name, config("value")),
        );
        graph.part(
            key("deployment", &name),
            cluster.manifest(DEPLOYMENT, &name, deployment(image)),
        );
    }
    graph
}

async fn apply(cluster: &Cluster, stages: &[Graph], known: &Known, purpose: &Purpose) -> Outcome {
    cluster
        .engine()
        .reconcile(stages, known, &Allowed::All, purpose)
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn three_hundred_are_made_left_alone_mended_and_removed() {
    let cluster = Cluster::new();
    let graph = chart(&cluster, 300, "app:1");
    let stages = [graph.clone()];
    // Killed in the middle, and taken up again.
    cluster.counts.lock().unwrap().dies_at = Some(120);
    let (nothing, purpose) = (Known::default(), create());
    tokio::select! {
        _ = apply(&cluster, &stages, &nothing, &purpose) => panic!("it dies"),
        () = cluster.death.notified() => {}
    }
    cluster.counts.lock().unwrap().dies_at = None;
    let before = cluster.log().len();
    assert!((120..140).contains(&before), "{before}");
    let watch = Stopwatch::start();
    let outcome = apply(&cluster, &stages, &Known::default(), &create()).await;
    assert_eq!(
        outcome.report.objects,
        graph.objects(),
        "the state shows what the plan showed"
    );
    let known = ok(outcome, &graph);
    let log = cluster.log();
    println!(
        "{} calls before the kill, {} after it in {:?}",
        before,
        log.len(),
        watch.elapsed()
    );
    assert!(before + log.len() <= 303 + 10, "nothing is made twice: {log:?}");

    let looks = || std::mem::take(&mut cluster.counts.lock().unwrap().looks);
    looks();
    let watch = Stopwatch::start();
    let report = cluster.engine().observe(Some(&graph), &known).await.report();
    println!("looked at in {:?}", watch.elapsed());
    assert_eq!(
        (report.drift.clone(), looks()),
        (Vec::new(), 7),
        "one look a kind"
    );
    assert!(graph.changes(&report.known()).is_empty());
    let outcome = apply(&cluster, &stages, &known, &update()).await;
    assert!(outcome.is_done() && !outcome.changed && cluster.log().is_empty());

    // Others set what is not declared, and change what is.
    let plane = cluster.plane;
    let one = cluster.path(DEPLOYMENT, "part-001");
    plane.merge(&one, &json!({"spec": {"replicas": 7}})).unwrap();
    plane
        .merge(
            &cluster.path(CONFIG, "part-002"),
            &json!({"data": {"key": "other", "more": "theirs"}}),
        )
        .unwrap();
    plane
        .merge(
            &cluster.path(CONFIG, "part-003"),
            &json!({"metadata": {"annotations": {"ekb.io/part": null}}}),
        )
        .unwrap();
    plane
        .request("DELETE", &cluster.path(CONFIG, "part-004"), None)
        .unwrap();
    let report = cluster.engine().observe(Some(&graph), &known).await.report();
    let drift = [
        "config/part-002: data key: is other, should be value",
        "config/part-003: tags ekb:part: missing",
        "config/part-004: deleted outside",
    ];
    assert_eq!(report.drift, drift);
    let outcome = apply(&cluster, &stages, &report.known().of(&graph), &update()).await;
    ok(outcome, &graph);
    let mut log = cluster.log();
    log.sort();
    assert_eq!(
        log,
        [
            "create config/part-004",
            "tag part-003",
            "update config/part-002 data"
        ]
    );
    let live = plane
        .request("GET", &cluster.path(CONFIG, "part-002"), None)
        .unwrap();
    assert_eq!(live["data"], json!({"key": "value", "more": "theirs"}));

    // Another image everywhere; the replicas are still theirs.
    let next = chart(&cluster, 300, "app:2");
    let outcome = apply(&cluster, std::slice::from_ref(&next), &known, &update()).await;
    let known = ok(outcome, &next);
    assert_eq!(cluster.log().len(), 150);
    let live = plane.request("GET", &one, None).unwrap();
    assert_eq!(live["spec"]["replicas"], 7);
    assert_eq!(
        live["spec"]["template"]["spec"]["containers"][0]["image"],
        "app:2"
    );

    let watch = Stopwatch::start();
    let outcome = cluster.engine().destroy(Some(&next), &known, Some("one")).await;
    assert!(
        outcome.is_done() && outcome.report.is_empty(),
        "{}",
        texts(&outcome)
    );
    println!("removed in {:?}", watch.elapsed());
    let log = cluster.log();
    let last = log
        .iter()
        .rposition(|line| line.starts_with("delete deployment"))
        .unwrap();
    let first = log
        .iter()
        .position(|line| line.starts_with("delete config"))
        .unwrap();
    assert!(last < first, "by the order of kinds");
    for path in [cluster.path(CONFIG, ""), cluster.path(DEPLOYMENT, "")] {
        assert_eq!(plane.request("GET", &path, None).unwrap()["items"], json!([]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_longer_declared_is_taken_away_and_what_is_not_ours_is_refused() {
    let cluster = Cluster::new();
    let with = |body: Value| {
        let mut graph = Graph::new();
        graph.part("root", cluster.manifest(CONFIG, "root", body));
        graph
    };
    let graph = with(json!({"data": {"a": "1", "b": "2"}}));
    let known = ok(
        apply(
            &cluster,
            std::slice::from_ref(&graph),
            &Known::default(),
            &create(),
        )
        .await,
        &graph,
    );
    cluster
        .plane
        .merge(&cluster.path(CONFIG, "root"), &json!({"data": {"c": "3"}}))
        .unwrap();
    let fewer = with(json!({"data": {"a": "1"}}));
    let report = cluster.engine().observe(Some(&fewer), &known).await.report();
    assert_eq!(report.drift, ["root: data b: is 2, should not be there"]);
    ok(
        apply(&cluster, std::slice::from_ref(&fewer), &known, &update()).await,
        &fewer,
    );
    let live = cluster
        .plane
        .request("GET", &cluster.path(CONFIG, "root"), None)
        .unwrap();
    assert_eq!(live["data"], json!({"a": "1", "c": "3"}));

    let mut more = fewer.clone();
    more.part("taken", cluster.manifest(CONFIG, "taken", config("value")));
    let theirs = json!({"metadata": {"name": "taken"}, "data": {"key": "theirs"}});
    cluster
        .plane
        .request("POST", &cluster.path(CONFIG, ""), Some(&theirs))
        .unwrap();
    cluster.log();
    let outcome = apply(&cluster, &[more], &known, &update()).await;
    assert!(
        outcome.refused && texts(&outcome).contains("taken exists and does not carry our tags"),
        "{}",
        texts(&outcome)
    );
    assert!(cluster.log().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_custom_resource_comes_in_the_stage_after_its_definition() {
    let cluster = Cluster::new();
    let mut first = Graph::new();
    first.part(
        "definition",
        cluster.manifest(DEFINITION, "widgets.ekb.test", definition()),
    );
    let mut second = first.clone();
    second.part(
        "widget",
        cluster.manifest(WIDGET, "one", json!({"spec": {"size": 1}})),
    );
    let stages = [first, second.clone()];
    let known = ok(
        apply(&cluster, &stages, &Known::default(), &create()).await,
        &second,
    );
    assert_eq!(known.objects[&"widget".into()]["spec"], json!({"size": 1}));
    let made = cluster.log();
    let made: Vec<&str> = made
        .iter()
        .filter(|line| line.starts_with("create"))
        .map(String::as_str)
        .collect();
    assert_eq!(
        made,
        ["create definition", "create widget"],
        "and not tried before it is served"
    );
    let again = apply(&cluster, &stages, &known, &update()).await;
    assert!(
        again.is_done() && !again.changed && again.report.drift.is_empty(),
        "{:?}",
        again.report.drift
    );
    let outcome = cluster.engine().destroy(Some(&second), &known, Some("one")).await;
    assert!(
        outcome.is_done() && outcome.report.is_empty(),
        "{}",
        texts(&outcome)
    );
    let log = cluster.log();
    let removed: Vec<&str> = log
        .iter()
        .filter(|line| line.starts_with("delete"))
        .map(String::as_str)
        .collect();
    assert_eq!(removed, ["delete widget", "delete definition"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_sent_when_its_version_changes() {
    let cluster = Cluster::new();
    let with = |version: u32| {
        let mut graph = Graph::new();
        graph.part("root", cluster.manifest(CONFIG, "root", config("root")));
        let secret = cluster.manifest(SECRET, "login", json!({"type": "Opaque"}));
        let password = json!({"stringData": {"password": format!("hunter{version}")}});
        graph.part("secret", secret.secret(version, password.to_string().into()));
        graph
    };
    let password = || {
        let live = cluster
            .plane
            .request("GET", &cluster.path(SECRET, "login"), None)
            .unwrap();
        live["data"]["password"].as_str().unwrap().to_owned()
    };
    let known = ok(
        apply(&cluster, &[with(1)], &Known::default(), &create()).await,
        &with(1),
    );
    assert_eq!(password(), "aHVudGVyMQ==");
    cluster.log();
    let outcome = apply(&cluster, &[with(2)], &known, &update()).await;
    assert!(!format!("{outcome:?}").contains("hunter") && !format!("{outcome:?}").contains("aHVudGVy"));
    let known = ok(outcome, &with(2));
    assert_eq!(cluster.log(), ["update secret secret_version"]);
    assert_eq!(password(), "aHVudGVyMg==");
    assert_eq!(
        known.objects[&"secret".into()],
        json!({
            "cluster": "rig", "apiVersion": "v1", "namespace": cluster.namespace, "name": "login", "type": "Opaque",
            "data": {"password": "(secret)"}, "secret_version": 2,
        })
    );
    let again = apply(&cluster, &[with(2)], &known, &update()).await;
    assert!(again.is_done() && !again.changed);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_hangs_on_a_finalizer_is_said_to_be_stuck_and_why() {
    let cluster = Cluster::new();
    // Five minutes of patience, in some seconds.
    let patient = || {
        let mut engine = cluster.engine();
        engine.clock = Clock::scaled(60.0);
        engine.timeout = Duration::from_secs(1200);
        engine
    };
    let mut graph = Graph::new();
    graph.part("root", cluster.manifest(CONFIG, "root", config("root")));
    graph.part("held", cluster.manifest(CONFIG, "held", config("value")));
    let name = format!("{}-more", cluster.namespace);
    graph.part("namespace", cluster.manifest(NAMESPACE, &name, json!({})));
    let known = ok(
        apply(
            &cluster,
            std::slice::from_ref(&graph),
            &Known::default(),
            &create(),
        )
        .await,
        &graph,
    );
    let held = cluster.path(CONFIG, "held");
    cluster
        .plane
        .merge(&held, &json!({"metadata": {"finalizers": ["ekb.test/hold"]}}))
        .unwrap();
    let watch = Stopwatch::start();
    let outcome = patient().destroy(Some(&graph), &known, Some("one")).await;
    let said = texts(&outcome);
    assert!(
        said.contains("held in the cluster rig: its finalizers [\"ekb.test/hold\"] are not taken away"),
        "{said}"
    );
    assert!(watch.elapsed() < Duration::from_secs(20), "{:?}", watch.elapsed());
    let known = outcome.report.known().of(&graph);
    assert!(known.ids.contains_key(&"held".into()) && !known.ids.contains_key(&"root".into()));
    // Once the finalizer is gone, the next destroy ends; a namespace waits for a controller, which nobody runs here.
    cluster
        .plane
        .merge(&held, &json!({"metadata": {"finalizers": null}}))
        .unwrap();
    let outcome = patient().destroy(Some(&graph), &known, Some("one")).await;
    let said = texts(&outcome);
    assert!(
        said.contains(&format!(
            "deleting Namespace {name} in the cluster rig: its finalizers [\"kubernetes\"]"
        )),
        "{said}"
    );
    let left: std::collections::BTreeMap<_, _> = outcome.report.ids;
    assert_eq!(left.into_keys().collect::<Vec<_>>(), ["namespace".into()]);
}

/// A StorageClass as a cluster declares it.
fn class(cluster: &Cluster, kind: &str, expands: bool) -> Manifest {
    let name = format!("{}-gp3", cluster.namespace);
    cluster.manifest(
        CLASS,
        &name,
        json!({
            "metadata": {"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
            "provisioner": "ebs.csi.aws.com",
            "parameters": {"type": kind, "encrypted": "true"},
            "volumeBindingMode": "WaitForFirstConsumer",
            "allowVolumeExpansion": expands,
        }),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_class_is_mended_in_place_or_made_again_where_the_api_does_not_change_it() {
    let cluster = Cluster::new();
    let with = |kind: &str, expands: bool| {
        let mut graph = Graph::new();
        graph.part(key("storage_class", "gp3"), class(&cluster, kind, expands));
        graph
    };
    let graph = with("gp3", true);
    let outcome = apply(
        &cluster,
        std::slice::from_ref(&graph),
        &Known::default(),
        &create(),
    )
    .await;
    assert_eq!(outcome.report.objects, graph.objects(), "defaults are not ours");
    let known = ok(outcome, &graph);
    let name = format!("{}-gp3", cluster.namespace);
    let uid = || cluster.get(CLASS, &name)["metadata"]["uid"].clone();
    let first = uid();
    assert_eq!(
        cluster.log(),
        ["create storage_class/gp3", "tag gp3"].map(|line| line.replace(" gp3", &format!(" {name}")))
    );

    // Somebody makes another class the default one; their own labels stay.
    let theirs = json!({"metadata": {
        "annotations": {"storageclass.kubernetes.io/is-default-class": "false"},
        "labels": {"theirs": "1"},
    }});
    cluster.merge(CLASS, &name, theirs);
    let report = cluster.engine().observe(Some(&graph), &known).await.report();
    let drift = "storage_class/gp3: metadata annotations storageclass.kubernetes.io/is-default-class: is false, should be true";
    assert_eq!(report.drift, [drift]);
    let graph = with("gp3", false);
    let known = ok(
        apply(&cluster, std::slice::from_ref(&graph), &known, &update()).await,
        &graph,
    );
    assert_eq!(
        cluster.log(),
        ["update storage_class/gp3 metadata allowVolumeExpansion"]
    );
    let live = cluster.get(CLASS, &name);
    assert_eq!(
        live["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"],
        "true"
    );
    assert_eq!(
        (
            &live["metadata"]["labels"]["theirs"],
            &live["allowVolumeExpansion"]
        ),
        (&json!("1"), &json!(false))
    );
    assert_eq!(uid(), first);

    let graph = with("io2", false);
    let known = ok(
        apply(&cluster, std::slice::from_ref(&graph), &known, &update()).await,
        &graph,
    );
    let log = cluster.log();
    assert_eq!(
        log[..2],
        ["delete storage_class/gp3", "create storage_class/gp3"],
        "{log:?}"
    );
    assert_ne!(uid(), first);
    let again = apply(&cluster, std::slice::from_ref(&graph), &known, &update()).await;
    assert!(again.is_done() && !again.changed);
    let outcome = cluster.engine().destroy(Some(&graph), &known, Some("one")).await;
    assert!(
        outcome.is_done() && outcome.report.is_empty(),
        "{}",
        texts(&outcome)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_api_writes_otherwise_or_adds_is_no_difference() {
    let cluster = Cluster::new();
    let mut graph = Graph::new();
    let body = json!({"spec": {
        "selector": {"matchLabels": {"app": "a"}},
        "template": {
            "metadata": {"labels": {"app": "a"}, "annotations": {}},
            "spec": {
                "containers": [{
                    "name": "a",
                    "image": "app:1",
                    "ports": [{"containerPort": 80}, {"containerPort": 53, "protocol": "UDP"}],
                    "env": [{"name": "AMOUNT", "value": "1000m"}, {"name": "FIELD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
                    "resources": {"requests": {"cpu": "1000m", "memory": "0.5Gi"}, "limits": {"cpu": 2}},
                    "readinessProbe": {"httpGet": {"path": "/", "port": 80}},
                }],
                "tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
                "volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1024Mi"}}],
                "topologySpreadConstraints": [{
                    "maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway",
                    "labelSelector": {"matchLabels": {"app": "a"}},
                }],
            },
        },
    }});
    graph.part("deployment", cluster.manifest(DEPLOYMENT, "a", body));
    let stages = [graph.clone()];
    let outcome = apply(&cluster, &stages, &Known::default(), &create()).await;
    assert_eq!(outcome.report.objects, graph.objects());
    let known = ok(outcome, &graph);
    let again = apply(&cluster, &stages, &known, &update()).await;
    assert!(again.is_done() && !again.changed, "{:?}", again.report.drift);
    // What is no quantity is compared as it is written.
    let path = "/spec/template/spec/containers/0/env/0";
    let live = cluster.get(DEPLOYMENT, "a");
    assert_eq!(live.pointer(path).unwrap()["value"], "1000m");
    assert_eq!(
        live.pointer("/spec/template/spec/containers/0/resources/requests/cpu")
            .unwrap(),
        "1"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_entry_is_told_how_to_get_one() {
    let token = "nobody".to_owned();
    let plane = Cluster::new().plane;
    let cluster = Cluster::entered_with(Rig { plane, token });
    let mut graph = Graph::new();
    graph.part("root", cluster.manifest(CONFIG, "root", config("root")));
    let outcome = apply(&cluster, &[graph], &Known::default(), &create()).await;
    let said = texts(&outcome);
    assert!(
        said.contains("EKB1132")
            && said.contains("401 Unauthorized")
            && said.contains("access entry in the cluster rig"),
        "{said}"
    );
    assert!(!said.contains("nobody") && cluster.log().is_empty());
}
