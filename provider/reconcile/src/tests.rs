//! What a user would see of the engine, in a simulated world on paused time.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::engine::Engine;
use crate::graph::Graph;
use crate::ownership::{Phase, Purpose};
use crate::part::{Key, Tags, key};
use crate::report::{Allowed, Change, Known, Outcome};
use crate::simulated::{ADDRESS, CLUSTER, Fault, GATEWAY, NAT, ROLE, ROUTES, SUBNET, Sim, VPC, World};

pub fn create(incarnation: &str) -> Purpose {
    Purpose::Create {
        incarnation: incarnation.into(),
    }
}

pub fn update(incarnation: &str) -> Purpose {
    Purpose::Update {
        incarnation: Some(incarnation.into()),
    }
}

/// A network: per zone a public and a private subnet, an address, a NAT gateway and routes through it.
pub fn network(zones: &[&str], size: u32) -> Graph {
    let mut graph = Graph::new();
    let tags = Tags::from([("Name".to_owned(), format!("dev-{size}"))]);
    let vpc = graph.part(
        "vpc",
        Sim::<VPC> {
            size,
            tags: tags.clone(),
            ..Sim::default()
        },
    );
    let gateway = graph.part(
        "gateway",
        Sim::<GATEWAY> {
            within: vec![vpc.made()],
            ..Sim::default()
        },
    );
    let routes = BTreeMap::from([("0.0.0.0/0".to_owned(), gateway.made())]);
    graph.part(
        "public_routes",
        Sim::<ROUTES> {
            within: vec![vpc.made()],
            routes,
            ..Sim::default()
        },
    );
    for (index, zone) in zones.iter().enumerate() {
        let index = index as u32;
        let public = graph.part(
            key("public_subnet", zone),
            Sim::<SUBNET> {
                within: vec![vpc.made()],
                cidr: index,
                tags: tags.clone(),
                ..Sim::default()
            },
        );
        graph.part(
            key("private_subnet", zone),
            Sim::<SUBNET> {
                within: vec![vpc.made()],
                cidr: 10 + index,
                ..Sim::default()
            },
        );
        let address = graph.part(key("nat_address", zone), Sim::<ADDRESS>::default());
        let nat = graph.part(
            key("nat_gateway", zone),
            Sim::<NAT> {
                within: vec![public.made(), address.made()],
                ..Sim::default()
            },
        );
        let routes = BTreeMap::from([("0.0.0.0/0".to_owned(), nat.ready())]);
        graph.part(
            key("private_routes", zone),
            Sim::<ROUTES> {
                within: vec![vpc.made()],
                routes,
                size,
                ..Sim::default()
            },
        );
    }
    graph
}

pub async fn apply(engine: &Engine, graph: &Graph, known: &Known, purpose: &Purpose) -> Outcome {
    engine
        .reconcile(std::slice::from_ref(graph), known, &Allowed::All, purpose)
        .await
}

/// What terraform does for a resource in its state: refresh (by the state's arguments), plan, apply. Without an
/// incarnation, that of the root is taken, as import does.
pub async fn plan_and_apply(
    engine: &Engine,
    before: &Graph,
    after: &Graph,
    known: &Known,
    incarnation: Option<&str>,
) -> Outcome {
    let report = engine.observe(Some(before), known).await.report();
    let incarnation = incarnation
        .map(str::to_owned)
        .or_else(|| report.root.clone()?.incarnation);
    let known = report.known().of(before);
    let allowed = Allowed::of(&after.changes(&known));
    engine
        .reconcile(
            std::slice::from_ref(after),
            &known,
            &allowed,
            &Purpose::Update { incarnation },
        )
        .await
}

pub fn texts(outcome: &Outcome) -> String {
    outcome
        .errors
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

/// A world with the network in it, and what its state knows.
pub async fn made(graph: &Graph) -> (World, Known) {
    let world = World::new();
    let outcome = apply(&world.engine(), graph, &Known::default(), &create("one")).await;
    assert!(outcome.is_done(), "{}", texts(&outcome));
    (world, outcome.report.known().of(graph))
}

#[tokio::test(start_paused = true)]
async fn a_network_is_made_kept_changed_and_destroyed() {
    let graph = network(&["a", "b", "c"], 1);
    let world = World::new();
    let begun = world.clock.now();
    let outcome = apply(&world.engine(), &graph, &Known::default(), &create("one")).await;
    assert!(outcome.is_done(), "{}", texts(&outcome));
    let took = world.clock.now().since(begun).as_secs_f64();
    // VPC 2 s, then NAT gateway 100 s: the rest is calls of 50 ms.
    println!(
        "created in {took} s, {} looks, {} calls",
        world.with(|state| state.looks),
        world.calls()
    );
    assert!(took / 102.0 <= 1.03, "{took}");
    assert_eq!(
        outcome.report.objects,
        graph.objects(),
        "the state shows what the plan showed"
    );
    assert_eq!(outcome.report.drift, Vec::<String>::new());
    let root = outcome.report.root.clone().unwrap();
    assert_eq!(
        (root.phase, root.incarnation.as_deref(), root.schema),
        (Some(Phase::Complete), Some("one"), Some(1))
    );
    assert_eq!(world.picture().len(), graph.keys().count());

    let known = outcome.report.known().of(&graph);
    let (calls, looks) = (world.calls(), world.with(|state| state.looks));
    let again = plan_and_apply(&world.engine(), &graph, &graph, &known, Some("one")).await;
    assert!(again.is_done() && !again.changed);
    assert_eq!(world.calls(), calls, "nothing to do: no mutating call");
    assert_eq!(
        world.with(|state| state.looks) - looks,
        16,
        "one look a kind for the refresh, one for the apply"
    );

    // Two zones fewer, and another size.
    let smaller = network(&["a"], 2);
    let outcome = plan_and_apply(&world.engine(), &graph, &smaller, &known, Some("one")).await;
    assert!(outcome.is_done(), "{}", texts(&outcome));
    assert_eq!(outcome.report.objects, smaller.objects());
    assert_eq!(world.picture().len(), smaller.keys().count());

    let known = outcome.report.known().of(&smaller);
    let outcome = world.engine().destroy(Some(&smaller), &known, Some("one")).await;
    assert!(outcome.is_done(), "{}", texts(&outcome));
    assert!(outcome.report.is_empty());
    assert_eq!(world.picture(), Vec::new());
}
