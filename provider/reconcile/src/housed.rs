//! What is found under another part, or reached through it: looked at after it, and gone with it.

use std::time::Duration;

use crate::graph::Graph;
use crate::report::{Allowed, Change, Known};
use crate::simulated::{self, ADDON, Fault, OBJECT, Sim, World};
use crate::tests::{apply, create, made_in, plan_and_apply, texts, update};

/// A cluster of this name with an add-on and so many objects in it.
pub fn housed(cluster: &str, objects: usize) -> Graph {
    let mut graph = Graph::new();
    let (_, cluster) = simulated::cluster(&mut graph, cluster);
    let addon = graph.part(
        "addon",
        Sim::<ADDON> {
            name: Some("dns".into()),
            within: vec![cluster.ready()],
            ..Sim::default()
        },
    );
    for number in 0..objects {
        graph.part(
            crate::part::key("object", number),
            Sim::<OBJECT> {
                name: Some(format!("object-{number}")),
                size: 3,
                within: vec![cluster.ready(), addon.ready()],
                ..Sim::default()
            },
        );
    }
    graph
}

#[tokio::test(start_paused = true)]
async fn what_is_in_a_cluster_is_looked_at_when_the_cluster_was_found() {
    let graph = housed("dev", 2);
    let (world, known) = made_in(World::new(), &graph).await;
    // The simulated kinds insist on it that they are not asked without a cluster.
    let looks = world.with(|state| std::mem::take(&mut state.looks));
    let report = world.engine().observe(Some(&graph), &known).await.report();
    assert!(report.drift.is_empty() && looks > 0, "{:?}", report.drift);
    assert_eq!(
        report.ids.len(),
        5,
        "in one observation, whatever it is found under"
    );
    assert_eq!(
        world.with(|state| state.looks),
        11,
        "one batched look a kind, as ever"
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_in_a_known_cluster_waits_for_no_other_look() {
    let graph = housed("dev", 1);
    let (world, known) = made_in(World::new(), &graph).await;
    let second = Duration::from_secs(1);
    world.with(|state| _ = state.slow.insert("nat", second));
    let one_look_more = second + Duration::from_millis(50);
    let begun = world.clock.now();
    let report = world.engine().observe(Some(&graph), &known).await.report();
    assert_eq!((report.ids.len(), report.drift.len()), (4, 0));
    assert!(world.clock.now().since(begun) < one_look_more);
    // Whose a cluster is that no state knows hangs on what else is found.
    let begun = world.clock.now();
    world.engine().observe(Some(&graph), &Known::default()).await;
    assert!(world.clock.now().since(begun) >= one_look_more);
}

#[tokio::test(start_paused = true)]
async fn what_is_in_a_cluster_goes_with_it() {
    let graph = housed("dev", 1);
    let (world, known) = made_in(World::new(), &graph).await;
    world.rest().await;
    world.remove("cluster");
    let begun = world.clock.now();
    let report = world.engine().observe(Some(&graph), &known).await.report();
    let gone = ["addon", "cluster", "object/0"].map(|key| format!("{key}: deleted outside"));
    assert_eq!(report.drift, gone);
    let waited = world.clock.now().since(begun);
    assert!(
        waited < Duration::from_secs(60),
        "waited for once, not for each: {waited:?}"
    );
    let changes = graph.changes(&report.known().of(&graph));
    assert_eq!(changes.len(), 3);
    assert!(changes.values().all(|change| *change == Change::Create));
    let outcome = plan_and_apply(&world.engine(), &graph, &graph, &known, Some("one")).await;
    assert!(outcome.is_done(), "{}", texts(&outcome));
    assert_eq!(outcome.report.ids.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_reached_is_not_taken_for_absent() {
    let graph = housed("dev", 1);
    let (world, known) = made_in(World::new(), &graph).await;
    world.with(|state| _ = state.unreachable.insert("object"));
    let report = world.engine().observe(Some(&graph), &known).await.report();
    assert!(report.drift.is_empty(), "{:?}", report.drift);
    assert!(
        report.ids.contains_key(&"object/0".into()),
        "as the state knows it"
    );
    assert!(report.warnings[0].cause.contains("no route to the cluster"));
    let stages = std::slice::from_ref(&graph);
    let engine = world.engine();
    let outcome = engine
        .reconcile(stages, &known, &Allowed::none(), &update("one"))
        .await;
    assert!(outcome.is_done() && !outcome.changed, "{}", texts(&outcome));
    // The cluster itself is not to be seen: nor is what is in it.
    world.with(|state| {
        state.unreachable.clear();
        _ = state.blind.insert("cluster");
    });
    let report = world.engine().observe(Some(&graph), &known).await.report();
    assert_eq!((report.ids.len(), report.drift.len()), (4, 0));
}

#[tokio::test(start_paused = true)]
async fn nobody_goes_in_for_what_is_not_meant() {
    let (graph, with_one) = (housed("dev", 0), housed("dev", 1));
    let (world, known) = made_in(World::new(), &graph).await;
    world.with(|state| {
        state.ending.insert("object");
        state.unreachable.insert("object");
    });
    let import = Known {
        import: true,
        ..known.clone()
    };
    for (what, graph, known, is_asked) in [
        ("none is declared or known", &graph, &known, false),
        ("one is declared", &with_one, &known, true),
        ("there is no state", &graph, &Known::default(), true),
        ("an import", &graph, &import, true),
    ] {
        let report = world.engine().observe(Some(graph), known).await.report();
        assert_eq!(
            report.warnings.len() == 1,
            is_asked,
            "{what}: {:?}",
            report.warnings
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_ends_with_its_cluster_needs_no_way_in() {
    let graph = housed("dev", 2);
    for is_reached in [true, false] {
        let (world, known) = made_in(World::new(), &graph).await;
        world.with(|state| {
            state.log.clear();
            state.ending.insert("object");
            if !is_reached {
                state.unreachable.insert("object");
            }
        });
        let outcome = world.engine().destroy(Some(&graph), &known, Some("one")).await;
        assert!(outcome.is_done(), "{}", texts(&outcome));
        assert!(world.picture().is_empty() && outcome.report.ids.is_empty());
        let log = world.with(|state| state.log.join("\n"));
        assert!(
            log.contains("delete cluster") && !log.contains("delete object"),
            "{log}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_create_that_died_while_the_cluster_was_made_goes_on() {
    let graph = housed("dev", 1);
    let mut world = World::new();
    world.plan(2, Fault::CrashAfter);
    let died = world
        .process(async |engine| apply(&engine, &graph, &Known::default(), &create("one")).await)
        .await;
    assert!(died.is_none());
    world.restart();
    let outcome = apply(&world.engine(), &graph, &Known::default(), &create("two")).await;
    assert!(outcome.is_done(), "{}", texts(&outcome));
    let log = world.with(|state| state.log.join("\n"));
    assert_eq!(log.matches("create cluster").count(), 1, "{log}");
}

#[tokio::test(start_paused = true)]
async fn what_is_in_a_cluster_moves_to_the_next_one() {
    let (before, after) = (housed("dev", 1), housed("new", 2));
    let (world, known) = made_in(World::new(), &before).await;
    let outcome = plan_and_apply(&world.engine(), &before, &after, &known, Some("one")).await;
    assert!(outcome.is_done(), "{}", texts(&outcome));
    assert_eq!(outcome.report.objects, after.objects());
    let outcome = world
        .engine()
        .destroy(Some(&after), &outcome.report.known().of(&after), Some("one"))
        .await;
    assert!(
        outcome.is_done() && world.picture().is_empty(),
        "{}",
        texts(&outcome)
    );
}
