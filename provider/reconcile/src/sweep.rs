//! Every cut point × every fault: after a fault and another run the world is as after an undisturbed one.

use serde_json::Value;
use std::time::Duration;

use crate::graph::Graph;
use crate::housed::housed;
use crate::part::Key;
use crate::report::{Known, Outcome};
use crate::simulated::{FAULTS, Fault, ROLE, SUBNET, Sim, VPC, World};
use crate::taken::issued;
use crate::tests::{apply, create, made_in, network, plan_and_apply, texts};
use crate::waits::held;

/// How long reads lag behind: half of what kinds say is possible.
const LAG: Duration = Duration::from_secs(10);

/// Faults whose outcome depends on what reads show.
const LAGGING: [Fault; 4] = [Fault::CrashBefore, Fault::CrashAfter, Fault::Lost, Fault::Cancel];

/// Faults that a run gets over by itself.
fn is_harmless(fault: Fault) -> bool {
    matches!(
        fault,
        Fault::Lost | Fault::Reset | Fault::Throttled | Fault::Unavailable
    )
}

/// What a run says that met the fault; panics where that is not what a user should see.
fn judge(case: &str, fault: Fault, outcome: Option<&Outcome>) {
    match (fault, outcome) {
        (Fault::CrashBefore | Fault::CrashAfter, outcome) => {
            assert!(outcome.is_none(), "{case}: the process died")
        }
        (fault, Some(outcome)) if is_harmless(fault) => {
            assert!(outcome.is_done(), "{case}: {}", texts(outcome))
        }
        (Fault::Fails, Some(outcome)) => {
            assert!(
                texts(outcome).contains("not allowed (simulated)"),
                "{case}: {}",
                texts(outcome)
            );
            assert_eq!(outcome.errors.len(), 1, "{case}: {}", texts(outcome));
        }
        // Cancelled at the very last call it is done; what is made may not fail.
        (_, Some(_)) => {}
        (_, None) => panic!("{case}: died"),
    }
}

/// Goes on creating as a user would, until it is done; gives what the state knows.
pub async fn go_on(case: &str, world: &mut World, graph: &Graph) -> Known {
    world.with(|state| state.fault = None);
    let mut last = String::new();
    for attempt in 0..4 {
        let outcome = world
            .process(async |engine| {
                apply(
                    &engine,
                    graph,
                    &Known::default(),
                    &create(&format!("again-{attempt}")),
                )
                .await
            })
            .await
            .unwrap_or_else(|| panic!("{case}: died"));
        if outcome.is_done() {
            return outcome.report.known().of(graph);
        }
        last = texts(&outcome);
        match outcome.errors[0].code {
            // Complete, and no state knows it: the user imports it.
            "EKB1302" => {
                return world
                    .engine()
                    .observe(Some(graph), &Known::default())
                    .await
                    .report()
                    .known()
                    .of(graph);
            }
            // An earlier call was carried out and came to light only now.
            "EKB1308" => world.rest().await,
            _ => {}
        }
    }
    panic!("{case}: does not converge: {last}");
}

/// The world as expected, and nothing more to do.
pub async fn finish(
    case: &str,
    world: &mut World,
    graph: &Graph,
    known: Known,
    expected: &[(String, Value)],
) {
    world.restart();
    world.rest().await;
    // What an interrupted run left twice is removed by the next: one apply is granted for that.
    let outcome = plan_and_apply(&world.engine(), graph, graph, &known, None).await;
    assert!(outcome.is_done(), "{case}: {}", texts(&outcome));
    let known = outcome.report.known().of(graph);
    let picture = world.picture();
    assert!(picture == expected, "{case}: {picture:#?}");
    let calls = world.calls();
    let outcome = plan_and_apply(&world.engine(), graph, graph, &known, None).await;
    assert!(
        outcome.is_done() && world.calls() == calls,
        "{case}: a second apply changes nothing"
    );
    assert_eq!(outcome.report.drift, Vec::<String>::new(), "{case}");
    assert_eq!(outcome.report.objects, graph.objects(), "{case}");
}

async fn expected(graph: &Graph) -> Vec<(String, Value)> {
    let (world, _) = made_in(World::hasty(), graph).await;
    world.rest().await;
    world.picture()
}

#[tokio::test(start_paused = true)]
async fn create_survives_every_fault_at_every_call() {
    sweep_create(Duration::ZERO, &FAULTS, &network(&["a", "b"], 1), 15).await;
}

#[tokio::test(start_paused = true)]
async fn create_survives_faults_while_reads_lag_behind() {
    sweep_create(LAG, &LAGGING, &network(&["a", "b"], 1), 15).await;
}

async fn sweep_create(lag: Duration, faults: &[Fault], graph: &Graph, least: usize) {
    let expected = expected(graph).await;
    let mut cases = 0;
    for &fault in faults {
        for at in 0.. {
            let case = format!("{fault:?} at call {at} of create, lag {lag:?}");
            let mut world = World::hasty();
            world.with(|state| state.lag = lag);
            world.plan(at, fault);
            let outcome = world
                .process(async |engine| apply(&engine, graph, &Known::default(), &create("one")).await)
                .await;
            if !world.with(|state| state.fired) {
                break;
            }
            cases += 1;
            judge(&case, fault, outcome.as_ref());
            let before = world.with(|state| state.log.len());
            let known = match outcome {
                Some(outcome) if outcome.is_done() => outcome.report.known().of(graph),
                _ => go_on(&case, &mut world, graph).await,
            };
            if lag.is_zero() && fault != Fault::MadeFails {
                let log = world.with(|state| state.log[before..].join("\n"));
                assert!(
                    !log.contains("delete"),
                    "{case}: nothing that exists is destroyed:\n{log}"
                );
            }
            finish(&case, &mut world, graph, known, &expected).await;
        }
    }
    println!("{cases} cases");
    assert!(cases > least * faults.len(), "{cases}");
}

#[tokio::test(start_paused = true)]
async fn a_create_that_failed_is_destroyed_completely() {
    let graph = network(&["a", "b"], 1);
    for fault in [Fault::Fails, Fault::Cancel, Fault::MadeFails] {
        for at in 0.. {
            let case = format!("{fault:?} at call {at} of create");
            let mut world = World::hasty();
            world.plan(at, fault);
            let outcome = world
                .process(async |engine| apply(&engine, &graph, &Known::default(), &create("one")).await)
                .await
                .unwrap();
            if !world.with(|state| state.fired) {
                break;
            }
            world.with(|state| state.fault = None);
            let known = outcome.report.known().of(&graph);
            let outcome = world
                .process(async |engine| engine.destroy(Some(&graph), &known, Some("one")).await)
                .await
                .unwrap();
            assert!(outcome.is_done(), "{case}: {}", texts(&outcome));
            assert_eq!(world.picture(), Vec::new(), "{case}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn update_survives_every_fault_at_every_call() {
    sweep_update(Duration::ZERO, &FAULTS, &networks(), 15).await;
}

#[tokio::test(start_paused = true)]
async fn update_survives_faults_while_reads_lag_behind() {
    sweep_update(LAG, &LAGGING, &networks(), 15).await;
}

/// A network whose zones and sizes change.
fn networks() -> (Graph, Graph) {
    (network(&["a", "b"], 1), network(&["b", "c"], 2))
}

/// Outputs of one part in the fields of another.
#[tokio::test(start_paused = true)]
async fn what_is_taken_survives_every_fault_at_every_call() {
    let graphs = (issued("dev", 1), issued("new", 2));
    sweep_create(Duration::ZERO, &FAULTS, &graphs.0, 3).await;
    sweep_create(LAG, &LAGGING, &graphs.0, 3).await;
    sweep_update(Duration::ZERO, &FAULTS, &graphs, 3).await;
    sweep_update(LAG, &LAGGING, &graphs, 3).await;
}

/// What is found under another part, which is replaced.
#[tokio::test(start_paused = true)]
async fn what_is_in_another_survives_every_fault_at_every_call() {
    let graphs = (housed("dev", 1), housed("new", 2));
    sweep_create(Duration::ZERO, &FAULTS, &graphs.0, 3).await;
    sweep_create(LAG, &LAGGING, &graphs.0, 3).await;
    sweep_update(Duration::ZERO, &FAULTS, &graphs, 3).await;
    sweep_update(LAG, &LAGGING, &graphs, 3).await;
    sweep_destroy(&graphs.1, 30).await;
}

/// What is replaced while others refer to it, and what cannot carry tags.
#[tokio::test(start_paused = true)]
async fn letting_go_survives_every_fault_at_every_call() {
    let graphs = (held(1, &["a"]), held(2, &["b"]));
    sweep_update(Duration::ZERO, &FAULTS, &graphs, 2).await;
    sweep_update(LAG, &LAGGING, &graphs, 2).await;
}

#[tokio::test(start_paused = true)]
async fn parts_without_tags_are_found_again_after_every_fault() {
    sweep_create(Duration::ZERO, &FAULTS, &held(1, &["a", "b"]), 3).await;
    sweep_create(LAG, &LAGGING, &held(1, &["a", "b"]), 3).await;
}

async fn sweep_update(lag: Duration, faults: &[Fault], (before, after): &(Graph, Graph), least: usize) {
    let expected = expected(after).await;
    let (origin, origin_known) = made_in(World::hasty(), before).await;
    origin.rest().await;
    let mut cases = 0;
    for &fault in faults {
        for at in 0.. {
            let case = format!("{fault:?} at call {at} of update, lag {lag:?}");
            let (mut world, mut known) = (origin.snapshot(), origin_known.clone());
            world.with(|state| state.lag = lag);
            world.plan(at, fault);
            let outcome = world
                .process(async |engine| plan_and_apply(&engine, before, after, &known, Some("one")).await)
                .await;
            if !world.with(|state| state.fired) {
                assert!(outcome.is_some_and(|outcome| outcome.is_done()), "{case}");
                break;
            }
            cases += 1;
            judge(&case, fault, outcome.as_ref());
            world.with(|state| state.fault = None);
            if let Some(outcome) = outcome {
                // Core stores what an update that failed returns: the new arguments, and what is known now.
                known = outcome.report.known().of(after);
                world.restart();
                world.rest().await;
                known = world
                    .engine()
                    .observe(Some(after), &known)
                    .await
                    .report()
                    .known()
                    .of(after);
            }
            let outcome = world
                .process(async |engine| plan_and_apply(&engine, before, after, &known, Some("one")).await)
                .await
                .unwrap();
            assert!(outcome.is_done(), "{case}: {}", texts(&outcome));
            finish(
                &case,
                &mut world,
                after,
                outcome.report.known().of(after),
                &expected,
            )
            .await;
        }
    }
    println!("{cases} cases");
    assert!(cases > least * faults.len(), "{cases}");
}

#[tokio::test(start_paused = true)]
async fn destroy_survives_every_fault_at_every_call() {
    sweep_destroy(&network(&["a", "b"], 1), 100).await;
}

async fn sweep_destroy(graph: &Graph, least: usize) {
    let (origin, origin_known) = made_in(World::hasty(), graph).await;
    let mut cases = 0;
    for fault in FAULTS {
        for at in 0.. {
            let case = format!("{fault:?} at call {at} of destroy");
            let (mut world, mut known) = (origin.snapshot(), origin_known.clone());
            world.plan(at, fault);
            let outcome = world
                .process(async |engine| engine.destroy(Some(graph), &known, Some("one")).await)
                .await;
            if !world.with(|state| state.fired) {
                break;
            }
            cases += 1;
            judge(&case, fault, outcome.as_ref());
            if let Some(outcome) = outcome {
                let ids: Vec<Key> = outcome.report.ids.keys().cloned().collect();
                assert_eq!(
                    ids.is_empty(),
                    world.picture().is_empty(),
                    "{case}: the state knows what is left: {ids:?}"
                );
                known = outcome.report.known().of(graph);
            }
            world.with(|state| state.fault = None);
            let outcome = world
                .process(async |engine| engine.destroy(Some(graph), &known, Some("one")).await)
                .await
                .unwrap();
            assert!(outcome.is_done(), "{case}: {}", texts(&outcome));
            assert_eq!(world.picture(), Vec::new(), "{case}");
        }
    }
    println!("{cases} cases");
    assert!(cases > least, "{cases}");
}

/// A VPC, and in the first stage of its life a role that stays when it goes.
fn with_kept(is_declared: bool) -> Graph {
    let mut graph = Graph::new();
    let vpc = graph.part("vpc", Sim::<VPC>::default());
    graph.part(
        "subnet",
        Sim::<SUBNET> {
            within: vec![vpc.made()],
            ..Sim::default()
        },
    );
    if is_declared {
        let role = Sim::<ROLE> {
            name: Some("logs".into()),
            ..Sim::default()
        };
        graph.part("logs", role);
        graph.keep("logs", "it shall stay");
    }
    graph
}

/// The tags by which it says whose it is, of the role that was kept.
fn kept_tags(world: &World) -> Vec<(String, String)> {
    world.with(|state| {
        let tags = &state.things["logs"].tags;
        let own = tags.iter().filter(|(name, _)| name.starts_with("ekb:"));
        own.map(|(name, value)| (name.clone(), value.clone())).collect()
    })
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_survives_every_fault_at_every_call() {
    let (with, without) = (with_kept(true), with_kept(false));
    let left = [("ekb:kept".to_owned(), "dev/eu-central-1/network/main".to_owned())];
    let (origin, origin_known) = made_in(World::hasty(), &with).await;
    let mut cases = 0;
    for fault in FAULTS {
        for (is_destroy, at) in (0..2).flat_map(|at| [(false, at), (true, at)]).chain([(true, 2)]) {
            let case = format!("{fault:?} at call {at}, destroy {is_destroy}");
            let (mut world, mut known) = (origin.snapshot(), origin_known.clone());
            world.plan(at, fault);
            // The state that a failed update leaves has the new arguments: what is kept it knows all the same.
            let mut before = with.clone();
            let mut outcome = None;
            for _ in 0..2 {
                outcome = world
                    .process(async |engine| {
                        if is_destroy {
                            engine.destroy(Some(&before), &known, Some("one")).await
                        } else {
                            plan_and_apply(&engine, &before, &without, &known, Some("one")).await
                        }
                    })
                    .await;
                cases += usize::from(world.with(|state| state.fired));
                world.with(|state| state.fault = None);
                match &outcome {
                    Some(outcome) if outcome.is_done() => break,
                    Some(outcome) if !is_destroy => {
                        before = without.clone();
                        known = outcome.report.known().of(&without);
                    }
                    Some(outcome) => known = outcome.report.known().of(&with),
                    None => {}
                }
            }
            let outcome = outcome.unwrap_or_else(|| panic!("{case}: died twice"));
            assert!(outcome.is_done(), "{case}: {}", texts(&outcome));
            assert!(!outcome.report.ids.contains_key(&"logs".into()), "{case}");
            assert_eq!(kept_tags(&world), left, "{case}");
            let parts = world.picture().len();
            assert_eq!(parts, if is_destroy { 1 } else { 3 }, "{case}");

            // Whoever keeps it again takes it back; whoever does not, not.
            let mut other = Graph::new();
            other.part("vpc", Sim::<VPC>::default());
            let name = Some("logs".into());
            other.part(
                "logs",
                Sim::<ROLE> {
                    name,
                    ..Sim::default()
                },
            );
            if is_destroy {
                world.restart();
                let refused = apply(&world.engine(), &other, &Known::default(), &create("two")).await;
                assert!(
                    refused.refused && texts(&refused).contains("ekb:kept"),
                    "{case}: {}",
                    texts(&refused)
                );
                world.plan(at, fault);
                let outcome = world
                    .process(async |engine| apply(&engine, &with, &Known::default(), &create("two")).await)
                    .await;
                world.with(|state| state.fault = None);
                if outcome.is_none_or(|outcome| !outcome.is_done()) {
                    go_on(&case, &mut world, &with).await;
                }
                assert!(
                    kept_tags(&world).iter().any(|(name, _)| name == "ekb:part")
                        && !kept_tags(&world).iter().any(|(name, _)| name == "ekb:kept"),
                    "{case}: {:?}",
                    kept_tags(&world)
                );
            }
        }
    }
    assert!(cases > 3 * FAULTS.len(), "{cases}");
}
