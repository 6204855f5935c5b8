//! Outputs of one part in the fields of another.

use serde_json::json;

use crate::graph::Graph;
use crate::part::{Key, Ref};
use crate::report::{Allowed, Change, Known};
use crate::simulated::{self, GATEWAY, ROLE, Sim, VPC, World};
use crate::tests::{apply, create, made_in, plan_and_apply, texts, update};

/// A cluster of this name, a template of this size, a role that trusts the cluster's issuer, and a group of nodes that
/// follows the template.
pub fn issued(cluster: &str, size: u32) -> Graph {
    let mut graph = Graph::new();
    let (vpc, cluster) = simulated::cluster(&mut graph, cluster);
    let template = graph.part(
        "template",
        Sim::<GATEWAY> {
            size,
            within: vec![vpc.made()],
            ..Sim::default()
        },
    );
    let issuer = cluster.ready().output("url");
    let trust = json!({ format!("{issuer}:sub"): "system:x", "Federated": [issuer, "b"] });
    graph.part("role", role("dev-role", trust));
    let version: Ref = template.ready().output("version");
    graph.part("nodes", role("dev-nodes", json!({ "version": version })));
    graph
}

fn role(name: &str, note: serde_json::Value) -> Sim<ROLE> {
    Sim {
        name: Some(name.into()),
        note,
        ..Sim::default()
    }
}

fn note(world: &World, part: &str) -> serde_json::Value {
    let mut note = json!(null);
    world.meddle(part, |thing| note = thing.fields["note"].clone());
    note
}

#[tokio::test(start_paused = true)]
async fn a_plan_names_what_is_not_known_and_an_apply_puts_it_in() {
    let graph = issued("dev", 1);
    let trust = json!({"${cluster.url}:sub": "system:x", "Federated": ["${cluster.url}", "b"]});
    assert_eq!(graph.objects()[&Key::from("role")]["note"], trust);
    let (world, known) = made_in(World::new(), &graph).await;
    let real = json!({"https://dev.sim:sub": "system:x", "Federated": ["https://dev.sim", "b"]});
    assert_eq!(note(&world, "role"), real);
    assert_eq!(note(&world, "nodes"), json!({"version": 1}), "a number stays one");
    assert_eq!(known.objects[&Key::from("role")]["note"], trust);
    assert!(graph.changes(&known).is_empty());
    let (calls, outcome) = (
        world.calls(),
        plan_and_apply(&world.engine(), &graph, &graph, &known, Some("one")).await,
    );
    assert!(outcome.is_done() && world.calls() == calls && outcome.report.drift.is_empty());
}

#[tokio::test(start_paused = true)]
async fn who_takes_an_output_follows_it() {
    let (before, after) = (issued("dev", 1), issued("new", 2));
    let (world, known) = made_in(World::new(), &before).await;
    let changes = after.changes(&known);
    let field = |name: &str| vec![name.to_owned()];
    assert_eq!(changes[&"cluster".into()], Change::Replace(field("name")));
    assert_eq!(changes[&"role".into()], Change::Update(field("note")));
    let calls = world.calls();
    let outcome = plan_and_apply(&world.engine(), &before, &after, &known, Some("one")).await;
    assert!(outcome.is_done(), "{}", texts(&outcome));
    assert!(note(&world, "role").get("https://new.sim:sub").is_some());
    assert_eq!(note(&world, "nodes"), json!({"version": 2}));
    let log = world.with(|state| state.log[calls..].join("\n"));
    let expected =
        "update template size\ndelete cluster\nupdate nodes note\ncreate cluster\nupdate role note";
    assert_eq!(log, expected, "each once, after what it takes");
}

#[tokio::test(start_paused = true)]
async fn drift_is_said_with_the_name() {
    let graph = issued("dev", 1);
    let (world, known) = made_in(World::new(), &graph).await;
    world.meddle("role", |thing| {
        thing.set("note", json!({"https://dev.sim:sub": "y", "Federated": []}))
    });
    let report = world.engine().observe(Some(&graph), &known).await.report();
    let expected = [
        "role: note ${cluster.url}:sub: is y, should be system:x",
        r#"role: note Federated: is [], should be ["${cluster.url}","b"]"#,
    ];
    assert_eq!(report.drift, expected);
    let outcome = plan_and_apply(&world.engine(), &graph, &graph, &known, Some("one")).await;
    assert!(outcome.is_done(), "{}", texts(&outcome));
    let real = json!({"https://dev.sim:sub": "system:x", "Federated": ["https://dev.sim", "b"]});
    assert_eq!(note(&world, "role"), real);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_looked_at_still_tells_what_is_remembered() {
    let graph = issued("dev", 1);
    let (world, known) = made_in(World::new(), &graph).await;
    world.with(|state| _ = state.blind.insert("cluster"));
    world.meddle("role", |thing| thing.set("note", json!({})));
    let stages = std::slice::from_ref(&graph);
    let engine = world.engine();
    let outcome = engine
        .reconcile(stages, &known, &Allowed::none(), &update("one"))
        .await;
    assert!(outcome.is_done(), "{}", texts(&outcome));
    assert!(note(&world, "role").get("https://dev.sim:sub").is_some());
}

#[tokio::test(start_paused = true)]
async fn an_output_that_is_never_told_ends_the_wait() {
    let mut graph = Graph::new();
    let vpc = graph.part("vpc", Sim::<VPC>::default());
    graph.part("role", role("dev", json!({ "x": vpc.made().output("nonsense") })));
    let world = World::new();
    let outcome = apply(&world.engine(), &graph, &Known::default(), &create("one")).await;
    let said = texts(&outcome);
    assert!(said.contains("vpc does not tell its nonsense"), "{said}");
    assert_eq!(outcome.errors[0].code, "EKB1313");
}
