//! What waits for what: letting go before something is deleted, new before old, fights, locks, and time-outs.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::join;

use crate::failure::{Class, Failure};
use crate::graph::Graph;
use crate::observe::Observation;
use crate::part::key;
use crate::progress::Progress;
use crate::report::Known;
use crate::simulated::{CLUSTER, Fault, NAT, POLICY, ROLE, ROUTES, SUBNET, Sim, VPC, World};
use crate::tests::{apply, create, made_in, network, plan_and_apply, texts, update};
use crate::wait::{Patience, Run};

const SECOND: Duration = Duration::from_secs(1);

/// A VPC with a subnet of this range a zone, an endpoint in all of them, and a role with a policy that carries no tags.
pub fn held(range: u32, zones: &[&str]) -> Graph {
    let mut graph = Graph::new();
    let vpc = graph.part("vpc", Sim::<VPC>::default());
    let subnets = zones.iter().enumerate().map(|(index, zone)| {
        let subnet = Sim::<SUBNET> {
            within: vec![vpc.made()],
            cidr: range + 10 * index as u32,
            ..Sim::default()
        };
        ((*zone).to_owned(), graph.part(key("subnet", zone), subnet).made())
    });
    let routes = subnets.collect();
    graph.part(
        "endpoint",
        Sim::<ROUTES> {
            within: vec![vpc.made()],
            routes,
            ..Sim::default()
        },
    );
    let role = graph.part(
        "role",
        Sim::<ROLE> {
            name: Some("dev-role".into()),
            within: vec![vpc.made()],
            ..Sim::default()
        },
    );
    graph.part(
        "policy",
        Sim::<POLICY> {
            name: Some("admin".into()),
            within: vec![role.made()],
            ..Sim::default()
        },
    );
    graph
}

#[tokio::test(start_paused = true)]
async fn what_is_replaced_is_let_go_of_first() {
    let (before, after) = (held(1, &["a"]), held(2, &["a"]));
    let (world, known) = made_in(World::new(), &before).await;
    let calls = world.calls();
    let outcome = plan_and_apply(&world.engine(), &before, &after, &known, Some("one")).await;
    assert!(outcome.is_done(), "{}", texts(&outcome));
    let log = world.with(|state| state.log[calls..].join("\n"));
    assert_eq!(
        log,
        "delete subnet/a\nupdate endpoint routes\ndelete subnet/a\ncreate subnet/a\nupdate endpoint routes",
        "refused first, then let go of"
    );
}

#[tokio::test(start_paused = true)]
async fn what_excludes_a_new_part_is_let_go_of_first() {
    let (before, after) = (held(1, &["a"]), held(1, &["b"]));
    let mut world = World::new();
    world.exclusive = true;
    let (world, known) = made_in(world, &before).await;
    let outcome = plan_and_apply(&world.engine(), &before, &after, &known, Some("one")).await;
    assert!(outcome.is_done(), "{}", texts(&outcome));
    assert_eq!(outcome.report.objects, after.objects());
}

/// A VPC, and logs of it to these places.
fn logs(places: &[&str]) -> Graph {
    let mut graph = Graph::new();
    let vpc = graph.part("vpc", Sim::<VPC>::default());
    for place in places {
        let log = Sim::<ROUTES> {
            within: vec![vpc.made()],
            ..Sim::default()
        };
        graph.part(key("log", place), log);
    }
    graph
}

#[tokio::test(start_paused = true)]
async fn the_old_one_goes_when_the_new_one_stands() {
    let (before, after) = (logs(&["old"]), logs(&["new"]));
    let (world, known) = made_in(World::new(), &before).await;
    let calls = world.calls();
    world.plan(0, Fault::Fails);
    let outcome = plan_and_apply(&world.engine(), &before, &after, &known, Some("one")).await;
    assert!(texts(&outcome).contains("not allowed"), "{}", texts(&outcome));
    assert!(
        outcome.report.ids.contains_key(&key("log", "old")),
        "the old one is still there"
    );
    world.with(|state| state.fault = None);
    let outcome = plan_and_apply(
        &world.engine(),
        &before,
        &after,
        &outcome.report.known(),
        Some("one"),
    )
    .await;
    assert!(outcome.is_done(), "{}", texts(&outcome));
    let log = world.with(|state| state.log[calls..].join("\n"));
    assert_eq!(log, "create log/new\ndelete log/old");
}

#[tokio::test(start_paused = true)]
async fn what_takes_many_steps_is_no_fight() {
    let noted = |note| {
        let mut graph = Graph::new();
        let vpc = Sim::<VPC> {
            note,
            ..Sim::default()
        };
        graph.part("vpc", vpc);
        graph
    };
    let steps: Vec<String> = (0..20).map(|step| format!("step {step}")).collect();
    let note = |value: u32| Value::Object(steps.iter().map(|step| (step.clone(), json!(value))).collect());
    let (before, wanted) = (noted(note(1)), noted(note(2)));
    let (world, known) = made_in(World::new(), &before).await;
    world.with(|state| state.one_at_a_time = true);
    let outcome = apply(&world.engine(), &wanted, &known, &update("one")).await;
    assert!(outcome.is_done(), "{}", texts(&outcome));
}

#[tokio::test(start_paused = true)]
async fn a_fight_ends_with_both_values_named() {
    let graph = held(1, &["a"]);
    let (world, known) = made_in(World::new(), &graph).await;
    let mut wanted = Graph::new();
    wanted.part(
        "vpc",
        Sim::<VPC> {
            size: 7,
            ..Sim::default()
        },
    );
    let other = async {
        for size in 100.. {
            world.meddle("vpc", |thing| thing.set("size", json!(size)));
            world.clock.sleep(Duration::from_millis(10)).await;
        }
    };
    let (engine, purpose) = (world.engine(), update("one"));
    let mine = apply(&engine, &wanted, &known, &purpose);
    let begun = world.clock.now();
    let outcome = tokio::select! {
        outcome = mine => outcome,
        () = other => unreachable!(),
    };
    assert!(
        world.clock.now().since(begun) < 60 * SECOND,
        "not until the time-out"
    );
    let said = texts(&outcome);
    assert!(
        said.contains("EKB1340") && said.contains("should be 7") && said.contains("size: is 1"),
        "{said:?}"
    );
    assert!(said.contains(r#"ignore_drift = ["vpc: size"]"#), "{said}");
}

fn cluster(size: u32) -> Graph {
    let mut graph = Graph::new();
    let cluster = Sim::<CLUSTER> {
        name: Some("dev".into()),
        size,
        ..Sim::default()
    };
    graph.part("cluster", cluster);
    graph
}

#[tokio::test(start_paused = true)]
async fn what_is_changed_may_be_deleted_by_somebody_else_meanwhile() {
    let (world, known) = made_in(World::new(), &cluster(1)).await;
    let (engine, graph, purpose) = (world.engine(), cluster(2), update("one"));
    let meddle = async {
        while world.with(|state| state.log.last().is_none_or(|call| !call.starts_with("update"))) {
            world.clock.sleep(Duration::from_millis(1)).await;
        }
        let ends = world.clock.now() + 300 * SECOND;
        world.meddle("cluster", |thing| {
            thing.set("size", json!(1));
            thing.ends = Some(ends);
        });
    };
    let begun = world.clock.now();
    let (outcome, ()) = join!(apply(&engine, &graph, &known, &purpose), meddle);
    assert!(
        world.clock.now().since(begun) < 3600 * SECOND,
        "its lock is not waited for"
    );
    assert!(outcome.is_done(), "{}", texts(&outcome));
}

#[tokio::test(start_paused = true)]
async fn a_look_ends_when_the_time_out_is_over() {
    let graph = held(1, &["a"]);
    let (world, known) = made_in(World::new(), &graph).await;
    world.with(|state| state.silent = BTreeSet::from(["subnet"]));
    let mut engine = world.engine();
    engine.timeout = 5 * SECOND;
    let begun = world.clock.now();
    let report = engine.observe(Some(&graph), &known).await.report();
    assert!(world.clock.now().since(begun) < 6 * SECOND);
    assert_eq!(report.warnings.len(), 1);
    assert_eq!(report.warnings[0].class, Class::TimedOut);
    assert!(
        report.warnings[0].hint.contains("`read`"),
        "{}",
        report.warnings[0]
    );
    assert_eq!(report.ids, known.ids, "what is not seen stays as it was");
}

fn nat() -> Graph {
    let mut graph = Graph::new();
    graph.part("nat", Sim::<NAT>::default());
    graph
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_more_time_gets_it() {
    for is_patient in [false, true] {
        let mut world = World::new();
        world.limit = 50 * SECOND;
        let mut engine = world.engine();
        engine.is_patient = is_patient;
        let outcome = apply(&engine, &nat(), &Known::default(), &create("one")).await;
        assert_eq!(outcome.is_done(), is_patient, "{}", texts(&outcome));
    }
}

#[tokio::test(start_paused = true)]
async fn each_kind_of_failure_has_its_own_time() {
    let world = World::new();
    let engine = world.engine();
    let graphs = [nat()];
    let run = Run::new(Observation::look(&engine, &graphs, &Known::default()).await);
    let mut patience = Patience::new(&run, 60 * SECOND);
    let failure = |class| Failure::new(class, "making a broker", "no");
    let begun = world.clock.now();
    while world.clock.now().since(begun) < 300 * SECOND {
        patience.again(&run, failure(Class::Throttled)).await.unwrap();
    }
    patience
        .again(&run, failure(Class::NotYet))
        .await
        .expect("its time begins now");
    world.clock.sleep(200 * SECOND).await;
    patience.again(&run, failure(Class::NotYet)).await.unwrap_err();
    // That the time is over says less than what stood in the way before.
    let over = Failure::new(Class::TimedOut, "making a broker", "the time is over").hint("Run it again.");
    let said = patience.again(&run, over).await.unwrap_err();
    assert_eq!((&*said.cause, &*said.hint), ("no", "Run it again."));
}

/// Two clusters, each changed in two ways that wait for each other's lock, come to an end whoever is first.
#[tokio::test(start_paused = true)]
async fn locks_are_held_for_one_call_only() {
    let (world, known) = made_in(World::new(), &cluster(1)).await;
    let engine = world.engine();
    let name = format!("cluster {}", json!("dev"));
    let guard = engine.locks.lock(&name).await;
    let (graph, purpose) = (cluster(2), update("one"));
    let release = async {
        world.clock.sleep(30 * SECOND).await;
        drop(guard);
    };
    let (outcome, ()) = join!(apply(&engine, &graph, &known, &purpose), release);
    assert!(outcome.is_done(), "{}", texts(&outcome));
    engine
        .clock
        .timeout(SECOND, engine.locks.lock(&name))
        .await
        .expect("nobody holds it");
}

#[tokio::test(start_paused = true)]
async fn a_watcher_is_told_what_is_waited_for() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let world = World::new();
    let mut engine = world.engine();
    engine.progress = Progress::to(file.reopen().unwrap());
    let outcome = apply(&engine, &network(&["a"], 1), &Known::default(), &create("one")).await;
    assert!(outcome.is_done(), "{}", texts(&outcome));
    let text = std::fs::read_to_string(file.path()).unwrap();
    let events: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of_nat: Vec<&serde_json::Value> = events
        .iter()
        .filter(|event| event["part"] == "nat_gateway/a")
        .collect();
    let said: Vec<&str> = of_nat
        .iter()
        .filter_map(|event| event["event"].as_str())
        .collect();
    assert_eq!(
        said,
        ["calling", "waiting", "waiting", "waiting", "waiting", "done"],
        "{text}"
    );
    let waiting = of_nat[1];
    assert_eq!(waiting["usual"], 100, "as its kind says");
    assert_eq!(waiting["behind"], 1, "its private routes");
}

/// What can be completed later does not hold up those who wait for it.
#[tokio::test(start_paused = true)]
async fn what_may_come_later_holds_up_nobody() {
    let mut graph = Graph::new();
    let vpc = graph.part("vpc", Sim::<VPC>::default());
    let nat = Sim::<NAT> {
        within: vec![vpc.made()],
        ..Sim::default()
    };
    let nat = graph.part("nat", nat);
    let routes = Sim::<ROUTES> {
        within: vec![vpc.made()],
        routes: BTreeMap::from([("0.0.0.0/0".to_owned(), nat.ready())]),
        ..Sim::default()
    };
    let routes = graph.part("routes", routes);
    let endpoint = Sim::<NAT> {
        within: vec![vpc.made(), routes.made()],
        ..Sim::default()
    };
    graph.part("endpoint", endpoint);
    let world = World::new();
    let begun = world.clock.now();
    let outcome = apply(&world.engine(), &graph, &Known::default(), &create("one")).await;
    assert!(outcome.is_done(), "{}", texts(&outcome));
    let log = world.with(|state| state.log.clone());
    let at = |call: &str| log.iter().position(|said| said == call).unwrap();
    assert!(at("create endpoint") < at("update routes routes"), "{log:?}");
    let took = world.clock.now().since(begun);
    assert!(
        took < SECOND * 120,
        "both waits at once, not one after the other: {took:?}"
    );
    let known = outcome.report.known().of(&graph);
    assert_eq!(outcome.report.objects, graph.objects());
    let again = plan_and_apply(&world.engine(), &graph, &graph, &known, Some("one")).await;
    assert!(again.is_done() && !again.changed);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_of_use_yet_is_waited_for_and_mended_without_waiting() {
    let gateway = |size: u32| {
        let mut graph = Graph::new();
        let part = Sim::<ROUTES> {
            size,
            ..Sim::default()
        };
        let made = graph.part("routes", part);
        let after = Sim::<ROLE> {
            name: Some("after".into()),
            within: vec![made.ready()],
            ..Sim::default()
        };
        graph.part("role", after);
        graph
    };
    let world = World::new();
    world.with(|state| _ = state.unready.insert("routes"));
    let outcome = apply(&world.engine(), &gateway(1), &Known::default(), &create("one")).await;
    let said = texts(&outcome);
    assert!(said.contains("not done after 30 minutes: 0 of 1 ready"), "{said}");
    assert!(
        !outcome.report.ids.contains_key(&"role".into()),
        "who needs it ready waits"
    );
    // It is no drift, and what an apply changes may be what it waits for.
    let known = outcome.report.known().of(&gateway(1));
    let report = world.engine().observe(Some(&gateway(1)), &known).await.report();
    assert_eq!(report.drift, ["role: missing"]);
    let begun = world.clock.now();
    let outcome = apply(&world.engine(), &gateway(2), &known, &update("one")).await;
    assert!(outcome.is_done(), "{}", texts(&outcome));
    assert!(world.clock.now().since(begun) < Duration::from_secs(60));
}
