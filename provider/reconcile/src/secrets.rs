//! Secrets that a service never tells: sent when their version changes, remembered when that succeeded, never shown.

use serde_json::json;

use crate::graph::Graph;
use crate::part::{Key, key};
use crate::report::{Allowed, Change, Known, Outcome};
use crate::simulated::{ADDRESS, Fault, Sim, VPC, World};
use crate::tests::{SECRET, apply, create, made_in, network, plan_and_apply, texts, update};

const UPDATE: &str = "update nat_address/a secret_version";

fn address() -> Key {
    key("nat_address", "a")
}

/// A network of an address with a secret, which nothing else follows from.
fn with_secret(version: u32) -> Graph {
    let mut graph = Graph::new();
    let secret = Sim::<ADDRESS> {
        secret: format!("{SECRET}{version}").into(),
        secret_version: Some(version),
        ..Default::default()
    };
    let vpc = graph.part("vpc", Sim::<VPC>::default());
    graph.part(address(), secret);
    graph.root(&vpc);
    graph
}

fn log(world: &World) -> Vec<String> {
    world.with(|state| std::mem::take(&mut state.log))
}

fn secret(world: &World) -> String {
    let mut secret = String::new();
    world.meddle(&address().0, |thing| secret.clone_from(&thing.secret));
    secret
}

/// What the state knows of the secret's version.
fn version(known: &Known) -> Option<u64> {
    known.objects.get(&address())?.get("secret_version")?.as_u64()
}

/// Core stores what an update returns, also a failed one.
fn stored(outcome: &Outcome, graph: &Graph) -> Known {
    outcome.report.known().of(graph)
}

#[tokio::test(start_paused = true)]
async fn another_version_is_planned_sent_once_and_remembered() {
    let (world, known) = made_in(World::new(), &with_secret(1)).await;
    assert_eq!((version(&known), secret(&world)), (Some(1), format!("{SECRET}1")));
    log(&world);
    assert!(with_secret(1).changes(&known).is_empty(), "nothing to plan");
    let after = with_secret(2);
    let planned = Change::Update(vec!["secret_version".to_owned()]);
    assert_eq!(after.changes(&known).remove(&address()), Some(planned));
    let outcome = plan_and_apply(&world.engine(), &with_secret(1), &after, &known, Some("one")).await;
    assert!(outcome.is_done(), "{}", texts(&outcome));
    assert_eq!(
        (log(&world), secret(&world)),
        (vec![UPDATE.to_owned()], format!("{SECRET}2"))
    );
    let known = stored(&outcome, &after);
    assert!(after.changes(&known).is_empty() && outcome.report.drift.is_empty());
    let again = plan_and_apply(&world.engine(), &after, &after, &known, Some("one")).await;
    assert!(again.is_done() && !again.changed, "{:?}", log(&world));
    // No version declared any more: nothing to send.
    let mut none = Graph::new();
    none.part("vpc", Sim::<VPC>::default());
    none.part(address(), Sim::<ADDRESS>::default());
    let outcome = plan_and_apply(&world.engine(), &after, &none, &known, Some("one")).await;
    assert!(outcome.is_done() && !outcome.changed, "{:?}", log(&world));
    assert_eq!(outcome.report.objects, none.objects());
}

#[tokio::test(start_paused = true)]
async fn a_version_whose_update_failed_is_not_remembered() {
    let (mut world, known) = made_in(World::new(), &with_secret(1)).await;
    let after = with_secret(2);
    world.plan(0, Fault::Fails);
    let failed = world
        .process(async |engine| plan_and_apply(&engine, &with_secret(1), &after, &known, Some("one")).await)
        .await
        .unwrap();
    assert!(!failed.is_done());
    let known = stored(&failed, &after);
    assert_eq!((version(&known), secret(&world)), (Some(1), format!("{SECRET}1")));
    // The next refresh, by the new arguments, says so.
    let report = world.engine().observe(Some(&after), &known).await.report();
    assert_eq!(report.drift, ["nat_address/a: secret_version: is 1, should be 2"]);
    world.with(|state| state.fault = None);
    let outcome = plan_and_apply(&world.engine(), &after, &after, &known, Some("one")).await;
    assert!(outcome.is_done(), "{}", texts(&outcome));
    assert_eq!(
        (version(&stored(&outcome, &after)), secret(&world)),
        (Some(2), format!("{SECRET}2"))
    );
}

#[tokio::test(start_paused = true)]
async fn after_a_kill_it_is_sent_again() {
    for fault in [Fault::CrashBefore, Fault::CrashAfter] {
        let (mut world, known) = made_in(World::new(), &with_secret(1)).await;
        let after = with_secret(2);
        log(&world);
        world.plan(0, fault);
        let died = world
            .process(async |engine| {
                plan_and_apply(&engine, &with_secret(1), &after, &known, Some("one")).await
            })
            .await;
        assert!(died.is_none(), "the state is as before");
        world.restart();
        let outcome = plan_and_apply(&world.engine(), &with_secret(1), &after, &known, Some("one")).await;
        assert!(outcome.is_done(), "{}", texts(&outcome));
        assert_eq!(log(&world).last().unwrap(), UPDATE, "{fault:?}");
        assert_eq!(
            (version(&stored(&outcome, &after)), secret(&world)),
            (Some(2), format!("{SECRET}2"))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn where_no_version_is_known_it_is_sent() {
    // A lost state, imported again.
    let graph = with_secret(1);
    let (world, _) = made_in(World::new(), &graph).await;
    let imported = world
        .engine()
        .observe(Some(&graph), &Known::default())
        .await
        .report();
    assert_eq!(imported.drift, ["nat_address/a: secret_version: missing"]);
    let known = imported.known().of(&graph);
    log(&world);
    let outcome = plan_and_apply(&world.engine(), &graph, &graph, &known, Some("one")).await;
    assert!(outcome.is_done(), "{}", texts(&outcome));
    assert_eq!(log(&world), [UPDATE]);
    // A create that goes on with what a killed one left: the user may have chosen another secret since.
    let mut world = World::new();
    world.plan(2, Fault::CrashBefore);
    let died = world
        .process(async |engine| apply(&engine, &graph, &Known::default(), &create("one")).await)
        .await;
    assert!(died.is_none());
    world.restart();
    let other = with_secret(7);
    let outcome = apply(&world.engine(), &other, &Known::default(), &create("two")).await;
    assert!(outcome.is_done(), "{}", texts(&outcome));
    assert_eq!(
        (version(&stored(&outcome, &other)), secret(&world)),
        (Some(7), format!("{SECRET}7"))
    );
}

#[tokio::test(start_paused = true)]
async fn another_object_in_its_place_gets_the_secret_too() {
    let graph = with_secret(1);
    let (world, known) = made_in(World::new(), &graph).await;
    world.meddle(&address().0, |thing| thing.secret.clear());
    let moved = world.with(|state| {
        let (id, mut thing) = state
            .things
            .iter()
            .find(|(id, _)| id.starts_with("address"))
            .map(|(id, thing)| (id.clone(), thing.clone()))
            .unwrap();
        state.things.remove(&id);
        thing.id = "address-99".into();
        state.things.insert("address-99".into(), thing);
        id
    });
    assert_ne!(moved, "address-99");
    let outcome = plan_and_apply(&world.engine(), &graph, &graph, &known, Some("one")).await;
    assert!(outcome.is_done(), "{}", texts(&outcome));
    assert_eq!(secret(&world), format!("{SECRET}1"));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_looked_at_is_not_said_to_be_changed() {
    let (world, known) = made_in(World::new(), &with_secret(1)).await;
    world.with(|state| _ = state.blind.insert("address"));
    let after = with_secret(2);
    let reconcile = async |graph| {
        world
            .engine()
            .reconcile(&[graph], &known, &Allowed::none(), &update("one"))
            .await
    };
    assert!(reconcile(with_secret(1)).await.is_done(), "left as it was");
    let outcome = reconcile(after.clone()).await;
    assert!(
        texts(&outcome).contains("not allowed to read"),
        "{}",
        texts(&outcome)
    );
    assert_eq!(version(&stored(&outcome, &after)), Some(1));
}

#[tokio::test(start_paused = true)]
async fn nothing_shows_the_secret() {
    let (before, after) = (network(&["a"], 1), network(&["a"], 2));
    let (mut world, known) = made_in(World::new(), &before).await;
    // With drift, differences, a failure, and everything that an outcome has.
    world.meddle("vpc", |thing| thing.set("size", json!(9)));
    let report = world.engine().observe(Some(&after), &known).await.report();
    world.plan(0, Fault::Fails);
    let failed = world
        .process(async |engine| plan_and_apply(&engine, &before, &after, &known, Some("one")).await)
        .await
        .unwrap();
    world.with(|state| state.fault = None);
    let outcome = plan_and_apply(&world.engine(), &before, &after, &known, Some("one")).await;
    assert!(!failed.is_done() && outcome.is_done() && !report.drift.is_empty());
    let part = after.get(&address()).unwrap();
    let typed = part
        .part
        .downcast_ref::<crate::simulated::Sim<{ crate::simulated::ADDRESS }>>()
        .unwrap();
    assert!(typed.secret.expose().starts_with(SECRET), "the kind has it");
    let shown = format!(
        "{after:#?}{part:#?}{typed:#?}{}{:#?}{report:#?}{failed:#?}{outcome:#?}{}{}",
        json!(after.objects()),
        after.changes(&known),
        texts(&failed),
        log(&world).join("\n"),
    );
    assert!(shown.contains("secret_version") && shown.contains("(secret)"));
    assert!(!shown.contains(SECRET), "{shown}");
}
