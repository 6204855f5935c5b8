//! What is found under another part, or reached through it: looked at after it, and gone with it.

use std::time::Duration;

use async_trait::async_trait;

use crate::engine::{Engine, Way};
use crate::failure::Failure;
use crate::graph::Graph;
use crate::report::{Allowed, Change, Known, Report};
use crate::simulated::{self, ADDON, Fault, MANNERS, OBJECT, Sim, SimKind, World};
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

/// The engine of the world, for which `object` is a kind that is named at run time.
fn naming(world: &World) -> Engine {
    let mut engine = world.engine();
    let listed = MANNERS.map(|manner| manner.kind);
    let listed: Vec<&str> = listed.into_iter().filter(|kind| *kind != "object").collect();
    let world = world.clone();
    let objects = move |name: &str| (name == "object").then(|| SimKind::<OBJECT>(world.clone()));
    engine.kinds = engine.kinds.only(&listed).family(objects);
    engine
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_is_named_at_run_time_is_looked_at_where_a_graph_or_the_state_names_it() {
    let (with, without) = (housed("dev", 2), housed("dev", 0));
    let world = World::new();
    let looks = || world.with(|state| std::mem::take(&mut state.looks));
    let outcome = apply(&naming(&world), &without, &Known::default(), &create("one")).await;
    assert!(outcome.is_done(), "{}", texts(&outcome));
    let before = outcome.report.known().of(&without);
    looks();
    naming(&world).observe(Some(&without), &before).await;
    assert_eq!(looks(), 10, "nobody named it");
    // A graph names it, in a later stage even.
    let stages = [without.clone(), with.clone()];
    let outcome = naming(&world)
        .reconcile(&stages, &before, &Allowed::All, &update("one"))
        .await;
    assert!(outcome.is_done(), "{}", texts(&outcome));
    let known = outcome.report.known().of(&with);
    looks();
    let report = naming(&world).observe(Some(&with), &known).await.report();
    assert_eq!((report.drift.len(), report.ids.len(), looks()), (0, 5, 11));
    // Only the state knows it: by its kind, or by its key.
    let report = naming(&world).observe(Some(&without), &known).await.report();
    assert_eq!(report.drift.len(), 2, "{:?}", report.drift);
    let mut keys = known.clone();
    keys.kinds.retain(|key, _| !key.0.starts_with("object"));
    for known in [known, keys] {
        let world = world.snapshot();
        let outcome = apply(&naming(&world), &without, &known, &update("one")).await;
        assert!(outcome.is_done(), "{}", texts(&outcome));
        assert_eq!(outcome.report.ids.len(), 3);
        let left = world.picture();
        assert!(
            left.iter().all(|(part, _)| !part.starts_with("object")),
            "{left:?}"
        );
        let outcome = naming(&world).destroy(None, &known, Some("one")).await;
        assert!(
            outcome.is_done() && world.picture().is_empty(),
            "{}",
            texts(&outcome)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_a_later_stage_names_is_looked_at_before_anything_of_it_is_made() {
    /// What is ahead is known only when the first stage is behind.
    struct Later(Graph, Graph);
    #[async_trait]
    impl Way for Later {
        async fn ahead(&self, behind: usize, _: &Report) -> Result<Vec<Graph>, Failure> {
            let Self(first, target) = self;
            Ok(if behind == 0 {
                vec![first.clone(), first.clone()]
            } else {
                vec![target.clone()]
            })
        }
    }
    let (with, without) = (housed("dev", 1), housed("dev", 0));
    let (world, _) = made_in(World::new(), &with).await;
    world.with(|state| state.log.clear());
    // The state lost the object.
    let known = {
        let report = world
            .engine()
            .observe(Some(&without), &Known::default())
            .await
            .report();
        let mut known = report.known().of(&without);
        known.ids.remove(&"object/0".into());
        known
    };
    let way = Later(without, with.clone());
    let outcome = naming(&world)
        .follow(&way, &known, &Allowed::All, &update("one"))
        .await;
    assert!(outcome.is_done(), "{}", texts(&outcome));
    assert_eq!(outcome.report.objects, with.objects());
    let log = world.with(|state| state.log.join("\n"));
    assert!(!log.contains("create object"), "it was there: {log}");
}
