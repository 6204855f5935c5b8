//! How the engine's own work grows with the number of parts: `cargo test -p reconcile size -- --ignored --nocapture`.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::graph::Graph;
use crate::part::key;
use crate::report::Known;
use crate::simulated::{ROUTES, SUBNET, Sim, VPC, World};
use crate::tests::{apply, create, plan_and_apply, texts, update};

/// A VPC, and subnets and routes by turns, as a chart has hundreds of objects.
fn wide(parts: u32) -> Graph {
    let mut graph = Graph::new();
    let vpc = graph.part("vpc", Sim::<VPC>::default());
    for index in 0..parts / 2 {
        let subnet = Sim::<SUBNET> {
            within: vec![vpc.made()],
            cidr: index,
            ..Sim::default()
        };
        let subnet = graph.part(key("subnet", format!("{index:05}")), subnet);
        let routes = BTreeMap::from([("0.0.0.0/0".to_owned(), subnet.made())]);
        graph.part(
            key("routes", format!("{index:05}")),
            Sim::<ROUTES> {
                within: vec![vpc.made()],
                routes,
                ..Sim::default()
            },
        );
    }
    graph
}

#[tokio::test(start_paused = true)]
#[ignore = "figures"]
#[expect(clippy::disallowed_methods, reason = "real time is what is measured")]
async fn size() {
    println!("parts  check  create  refresh  no change  refill  destroy (s)");
    let mut rows: Vec<Vec<f64>> = Vec::new();
    for parts in [250, 500, 1000, 2000] {
        let graph = wide(parts);
        let world = World::new();
        let mut figures = Vec::new();
        let mut last = Instant::now();
        let mut lap = || {
            figures.push(last.elapsed().as_secs_f64());
            last = Instant::now();
        };
        graph.check().unwrap();
        lap();
        let outcome = apply(&world.engine(), &graph, &Known::default(), &create("one")).await;
        assert!(outcome.is_done(), "{}", texts(&outcome));
        lap();
        let known = outcome.report.known().of(&graph);
        let report = world.engine().observe(Some(&graph), &known).await.report();
        assert!(report.drift.is_empty() && graph.changes(&known).is_empty());
        lap();
        let outcome = plan_and_apply(&world.engine(), &graph, &graph, &known, Some("one")).await;
        assert!(outcome.is_done() && !outcome.changed);
        lap();
        // Half of it is gone, as after a kill in the middle.
        world.with(|state| state.things.retain(|id, _| !id.starts_with("routes")));
        let left = world
            .engine()
            .observe(Some(&graph), &Known::default())
            .await
            .report()
            .known()
            .of(&graph);
        let outcome = apply(&world.engine(), &graph, &left, &update("one")).await;
        assert!(outcome.is_done(), "{}", texts(&outcome));
        lap();
        let known = outcome.report.known().of(&graph);
        let outcome = world.engine().destroy(Some(&graph), &known, Some("one")).await;
        assert!(outcome.is_done(), "{}", texts(&outcome));
        lap();
        rows.push(figures.clone());
        let figures: Vec<String> = figures.iter().map(|seconds| format!("{seconds:7.2}")).collect();
        let (looks, calls) = world.with(|state| (state.looks, state.calls));
        println!("{parts:5} {} {looks} looks, {calls} calls", figures.join("  "));
    }
    // Four times as many parts: linear is 4, quadratic 16.
    for (column, what) in [(2, "refresh"), (3, "no change"), (5, "destroy")] {
        let growth = rows[3][column] / rows[1][column];
        println!("{what}: 500 to 2000 parts take {growth:.1} times as long");
        assert!(column == 5 || growth < 9.0, "{what}: {growth}");
    }
}
