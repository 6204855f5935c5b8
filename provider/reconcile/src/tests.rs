//! What a user would see of the engine, in a simulated world on paused time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;
use tokio::join;

use crate::engine::Engine;
use crate::failure::Class;
use crate::graph::Graph;
use crate::locks::Locks;
use crate::ownership::{Phase, Purpose};
use crate::part::{Condition, Key, Owner, Tags, key};
use crate::report::{Allowed, Change, Kept, Known, Outcome, Why};
use crate::simulated::{
    ADDRESS, CLUSTER, Fault, GATEWAY, MANNERS, NAT, ROLE, ROUTES, SUBNET, Sim, VPC, World, owner,
};

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

/// The beginning of every secret; nothing but the calls may show it.
pub const SECRET: &str = "hunter";

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
        let address = Sim::<ADDRESS> {
            secret: format!("{SECRET}{size}").into(),
            secret_version: Some(size),
            ..Sim::default()
        };
        let address = graph.part(key("nat_address", zone), address);
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

/// A world with the graph made in it, and what its state knows.
pub async fn made_in(world: World, graph: &Graph) -> (World, Known) {
    let outcome = apply(&world.engine(), graph, &Known::default(), &create("one")).await;
    assert!(outcome.is_done(), "{}", texts(&outcome));
    (world, outcome.report.known().of(graph))
}

async fn made(graph: &Graph) -> (World, Known) {
    made_in(World::new(), graph).await
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
        2 * MANNERS.iter().filter(|manner| manner.under.is_none()).count(),
        "one look a kind for the refresh, one for the apply; none under a cluster that is not there"
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

/// Refreshes the state with the graph that follows from it.
async fn refresh(world: &World, graph: &Graph, known: &Known) -> crate::report::Report {
    world.engine().observe(Some(graph), known).await.report()
}

fn codes(outcome: &Outcome) -> Vec<&'static str> {
    outcome.errors.iter().map(|failure| failure.code).collect()
}

#[tokio::test(start_paused = true)]
async fn what_is_changed_outside_is_said_in_words_and_mended() {
    let graph = network(&["a", "b"], 1);
    let (world, known) = made(&graph).await;
    world.rest().await;
    let expected = world.picture();
    world.meddle("vpc", |thing| thing.set("size", json!(9)));
    world.meddle("private_routes/a", |thing| {
        thing.set("routes", json!({"10.0.0.0/8": "peering-1"}))
    });
    world.meddle("private_routes/b", |thing| {
        thing.set("routes", json!({"0.0.0.0/0": "gateway-x"}))
    });
    world.meddle("public_subnet/a", |thing| {
        thing.tags.remove("Name");
        thing.tags.remove("ekb:part");
        thing.tags.insert("theirs".into(), "yes".into());
    });
    world.remove("nat_gateway/b");
    let report = refresh(&world, &graph, &known).await;
    let drift = [
        "nat_gateway/b: deleted outside",
        "private_routes/a: routes 0.0.0.0/0: missing",
        "private_routes/b: routes 0.0.0.0/0: is gateway-x, should be nat_gateway/b",
        "public_subnet/a: tags Name: missing",
        "public_subnet/a: tags ekb:part: missing",
        "vpc: size: is 9, should be 1",
    ];
    assert_eq!(report.drift, drift);
    assert!(
        !report.objects.contains_key(&"nat_gateway/b".into()),
        "a missing part has no entry"
    );
    let changes = graph.changes(&report.known().of(&graph));
    assert_eq!(changes[&"nat_gateway/b".into()], Change::Create);
    assert_eq!(changes[&"vpc".into()], Change::Update(vec!["size".into()]));
    assert!(!changes.contains_key(&"gateway".into()));
    let outcome = plan_and_apply(&world.engine(), &graph, &graph, &known, Some("one")).await;
    assert!(
        outcome.is_done() && outcome.report.drift.is_empty(),
        "{}",
        texts(&outcome)
    );
    world.rest().await;
    world.meddle("public_subnet/a", |thing| {
        assert_eq!(thing.tags.remove("theirs").as_deref(), Some("yes"))
    });
    world.meddle("private_routes/a", |thing| {
        assert_eq!(
            thing.fields["routes"]
                .as_object_mut()
                .unwrap()
                .shift_remove("10.0.0.0/8"),
            Some(json!("peering-1"))
        );
    });
    assert_eq!(world.picture(), expected, "mended, and what is theirs survived");
}

#[tokio::test(start_paused = true)]
async fn drift_that_is_ignored_is_neither_said_nor_mended() {
    let graph = network(&["a"], 1);
    let (world, known) = made(&graph).await;
    world.meddle("vpc", |thing| thing.set("size", json!(9)));
    world.meddle("private_routes/a", |thing| thing.set("routes", json!({})));
    let mut engine = world.engine();
    engine.ignore_drift = vec!["vpc: size".into(), "private_routes/*: routes 0*".into()];
    let report = engine.observe(Some(&graph), &known).await.report();
    assert_eq!(report.drift, Vec::<String>::new());
    assert_eq!(report.objects, graph.objects());
    let outcome = plan_and_apply(&engine, &graph, &graph, &known, Some("one")).await;
    assert!(outcome.is_done() && !outcome.changed);
    // What the user asks for is no drift.
    let outcome = plan_and_apply(&engine, &graph, &network(&["a"], 2), &known, Some("one")).await;
    assert!(outcome.is_done(), "{}", texts(&outcome));
    world.meddle("vpc", |thing| assert_eq!(thing.fields["size"], 2));
}

#[tokio::test(start_paused = true)]
async fn drift_that_was_seen_can_still_be_ignored() {
    let graph = network(&["a"], 1);
    let (world, known) = made(&graph).await;
    world.meddle("vpc", |thing| thing.set("size", json!(9)));
    world.remove("private_subnet/a");
    let report = refresh(&world, &graph, &known).await;
    assert_eq!(report.drift.len(), 2, "{:?}", report.drift);
    let mut engine = world.engine();
    engine.ignore_drift = vec!["vpc: size".into(), "private_subnet/*".into()];
    let mut known = report.known().of(&graph);
    known.ignore_drift = engine.ignore_drift.clone();
    assert_eq!(graph.changes(&known), BTreeMap::new());
    let reconcile = async |graph: &Graph, known: &Known| {
        let allowed = Allowed::of(&graph.changes(known));
        engine
            .reconcile(std::slice::from_ref(graph), known, &allowed, &update("one"))
            .await
    };
    let outcome = reconcile(&graph, &known).await;
    assert!(outcome.is_done() && !outcome.changed, "{}", texts(&outcome));
    let report = engine.observe(Some(&graph), &known).await.report();
    assert_eq!(report.drift, Vec::<String>::new());
    // What the user asks for is no drift, and a part that is replaced is not left out.
    let wanted = network(&["a"], 2);
    assert!(reconcile(&wanted, &known).await.is_done());
    world.meddle("vpc", |thing| assert_eq!(thing.fields["size"], 2));
    assert_eq!(world.picture().len(), graph.keys().count() - 1);

    let idle = [
        "vpc: sise",
        "nat/*",
        "vpc: size",
        "*: tags Name",
        "private_routes/*: routes 0*",
    ];
    let idle: Vec<String> = idle.map(str::to_owned).into();
    assert_eq!(
        graph.idle_patterns(&idle).collect::<Vec<_>>(),
        ["vpc: sise", "nat/*"]
    );
}

#[tokio::test(start_paused = true)]
async fn what_fails_or_goes_after_the_plan_is_not_replaced_without_consent() {
    let graph = network(&["a"], 1);
    for is_failed in [true, false] {
        let (world, known) = made(&graph).await;
        let calls = world.calls();
        let soon = world.clock.now() + Duration::from_secs(600);
        world.meddle("nat_gateway/a", |thing| {
            if is_failed {
                thing.fails = true;
            } else {
                thing.ends = Some(soon);
            }
        });
        let reconcile = async |allowed: Allowed| {
            world
                .engine()
                .reconcile(std::slice::from_ref(&graph), &known, &allowed, &update("one"))
                .await
        };
        let outcome = reconcile(Allowed::none()).await;
        assert!(outcome.refused && world.calls() == calls, "{}", texts(&outcome));
        assert_eq!(codes(&outcome), ["EKB1307"]);
        let consent = BTreeSet::from(["nat_gateway/a".into()]);
        let outcome = reconcile(Allowed::Only(consent)).await;
        assert!(outcome.is_done(), "{}", texts(&outcome));
    }
}

#[tokio::test(start_paused = true)]
async fn what_has_a_fixed_name_and_is_nobodys_is_adopted_on_request() {
    let named = |size: u32| {
        let mut graph = Graph::new();
        graph.part("vpc", Sim::<VPC>::default());
        graph.part(
            "role",
            Sim::<ROLE> {
                name: Some("dev-role".into()),
                size,
                ..Sim::default()
            },
        );
        graph
    };
    let (world, known) = made(&named(1)).await;
    world.remove("vpc");
    let apply_with = async |adopt: bool| {
        let mut engine = world.engine();
        engine.adopt = adopt;
        apply(&engine, &named(2), &Known::default(), &create("two")).await
    };
    // Another's.
    world.meddle("role", |thing| {
        _ = thing.tags.insert("ekb:environment".into(), "prod".into())
    });
    let outcome = apply_with(true).await;
    assert!(
        outcome.refused && codes(&outcome) == ["EKB1304"],
        "{}",
        texts(&outcome)
    );
    assert!(!texts(&outcome).contains("adopt"), "{}", texts(&outcome));
    // Nobody's.
    world.with(|state| state.things.values_mut().for_each(|thing| thing.tags.clear()));
    let outcome = apply_with(false).await;
    assert!(
        outcome.refused && codes(&outcome) == ["EKB1304"],
        "{}",
        texts(&outcome)
    );
    assert!(
        outcome.errors[0].hint.contains("`adopt = true`"),
        "{:?}",
        outcome.errors
    );
    let outcome = world
        .engine()
        .destroy(Some(&named(1)), &Known::default(), None)
        .await;
    assert!(outcome.is_done());
    let warnings: Vec<&str> = outcome
        .report
        .warnings
        .iter()
        .map(|warning| warning.cause.as_str())
        .collect();
    assert_eq!(warnings, ["role dev-role exists and does not carry our tags"]);
    let outcome = apply_with(true).await;
    assert!(outcome.is_done(), "{}", texts(&outcome));
    assert_eq!(outcome.report.ids[&"role".into()], known.ids[&"role".into()]);
    world.meddle("role", |thing| assert_eq!(thing.fields["size"], 2));
    let known = outcome.report.known().of(&named(2));
    assert!(
        world
            .engine()
            .destroy(Some(&named(2)), &known, Some("two"))
            .await
            .is_done()
    );
    assert_eq!(world.picture(), Vec::new());
}

#[tokio::test(start_paused = true)]
async fn what_the_plan_did_not_show_is_an_error_before_any_change() {
    let graph = network(&["a"], 1);
    let (world, known) = made(&graph).await;
    let calls = world.calls();
    let reconcile = async |known: &Known, allowed: Allowed| {
        let outcome = world
            .engine()
            .reconcile(std::slice::from_ref(&graph), known, &allowed, &update("one"))
            .await;
        assert!(
            outcome.refused && !outcome.changed && world.calls() == calls,
            "{}",
            texts(&outcome)
        );
        outcome
    };
    world.meddle("public_subnet/a", |thing| thing.set("cidr", json!(99)));
    let outcome = reconcile(&known, Allowed::none()).await;
    assert!(
        texts(&outcome).contains("cidr: is 99, should be 0"),
        "{}",
        texts(&outcome)
    );
    assert_eq!(
        codes(&outcome),
        ["EKB1307", "EKB1307"],
        "the subnet, and the NAT gateway within it"
    );
    world.meddle("public_subnet/a", |thing| thing.set("cidr", json!(0)));
    world.remove("gateway");
    let outcome = reconcile(&known, Allowed::All).await;
    assert_eq!(codes(&outcome), ["EKB1310"]);
    assert!(
        texts(&outcome).contains("was there when this was planned and is gone"),
        "{}",
        texts(&outcome)
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_not_ours_is_never_touched() {
    let graph = network(&["a"], 1);
    let (world, _) = made(&graph).await;
    let calls = world.calls();
    // Complete, and this state does not know it.
    let outcome = apply(&world.engine(), &graph, &Known::default(), &create("two")).await;
    assert!(outcome.refused);
    assert_eq!(codes(&outcome), ["EKB1302"]);
    assert!(
        outcome.errors[0]
            .hint
            .contains("terraform import ADDRESS dev/main"),
        "{}",
        texts(&outcome)
    );
    // Names are taken: by another resource, by another region's, by nobody known.
    let mut named = Graph::new();
    named.part(
        "role",
        Sim::<ROLE> {
            name: Some("dev-role".into()),
            ..Sim::default()
        },
    );
    let mut other = world.engine();
    other.owner = Owner {
        region: "eu-west-1".into(),
        resource: "cluster/x".into(),
        ..owner()
    };
    assert!(
        apply(&other, &named, &Known::default(), &create("x"))
            .await
            .is_done()
    );
    let mut engine = world.engine();
    engine.owner.resource = "cluster/x".into();
    let outcome = apply(&engine, &named, &Known::default(), &create("y")).await;
    assert_eq!(codes(&outcome), ["EKB1304"]);
    assert!(
        texts(&outcome).contains("role dev-role belongs to cluster/x of environment dev in eu-west-1"),
        "{}",
        texts(&outcome)
    );
    world.meddle("role", |thing| thing.tags.clear());
    let outcome = apply(&engine, &named, &Known::default(), &create("y")).await;
    assert!(
        texts(&outcome).contains("exists and does not carry our tags"),
        "{}",
        texts(&outcome)
    );
    assert!(
        engine
            .destroy(Some(&named), &Known::default(), None)
            .await
            .is_done()
    );
    assert_eq!(world.calls(), calls + 2, "one role and its completion");
}

#[tokio::test(start_paused = true)]
async fn the_inventory_tells_what_no_state_knows() {
    let (mut world, _) = made(&network(&["a"], 1)).await;
    let named = |name: &str| Owner {
        resource: format!("network/{name}"),
        ..owner()
    };
    world.plan(3, Fault::CrashAfter);
    let died = world
        .process(async |mut engine| {
            engine.owner = named("half");
            apply(&engine, &network(&["a"], 1), &Known::default(), &create("two")).await
        })
        .await;
    assert!(died.is_none());
    world.restart();
    let mut other = world.engine();
    other.owner.resource = "cluster/x".into();
    let mut role = Graph::new();
    role.part("role", Sim::<ROLE>::default());
    assert!(
        apply(&other, &role, &Known::default(), &create("x"))
            .await
            .is_done()
    );

    let inventory = world.engine().inventory(&"vpc".into()).await;
    let found: Vec<_> = inventory
        .present
        .iter()
        .map(|(name, present)| (name.as_str(), present.is_complete(), present.root.is_some()))
        .collect();
    assert_eq!(found, [("half", false, true), ("main", true, true)]);
    let mut elsewhere = world.engine();
    elsewhere.owner.region = "eu-west-1".into();
    assert!(elsewhere.inventory(&"vpc".into()).await.present.is_empty());

    // Without the right to see roots nothing is called complete.
    world.with(|state| state.blind.insert("vpc"));
    let inventory = world.engine().inventory(&"vpc".into()).await;
    assert_eq!(inventory.blind.len(), 1);
    assert!(inventory.present.values().all(|present| !present.is_complete()));
}

#[tokio::test(start_paused = true)]
async fn a_create_takes_over_what_a_half_made_one_left_and_says_so_on_the_root() {
    let graph = network(&["a"], 1);
    let mut world = World::new();
    world.plan(6, Fault::Fails);
    let outcome = world
        .process(async |engine| apply(&engine, &graph, &Known::default(), &create("one")).await)
        .await
        .unwrap();
    assert!(!outcome.is_done() && !outcome.report.is_empty());
    let root = outcome.report.root.clone().unwrap();
    assert_eq!(
        (root.phase, root.incarnation.as_deref()),
        (Some(Phase::Making), Some("one"))
    );
    world.with(|state| state.fault = None);
    let first: BTreeSet<String> = outcome.report.ids.values().cloned().collect();
    let outcome = world
        .process(async |engine| apply(&engine, &graph, &Known::default(), &create("two")).await)
        .await
        .unwrap();
    assert!(outcome.is_done(), "{}", texts(&outcome));
    assert!(
        first
            .iter()
            .all(|id| outcome.report.ids.values().any(|now| now == id)),
        "nothing was made again"
    );
    let root = outcome.report.root.clone().unwrap();
    assert_eq!(
        (root.phase, root.incarnation.as_deref()),
        (Some(Phase::Complete), Some("two"))
    );
    assert_eq!(root.superseded, ["one"]);
    // The deposed object's own destroy leaves everything; a stranger's is refused.
    let known = outcome.report.known().of(&graph);
    let calls = world.calls();
    assert!(
        world
            .engine()
            .destroy(Some(&graph), &known, Some("one"))
            .await
            .left
    );
    assert_eq!(
        codes(&world.engine().destroy(Some(&graph), &known, Some("three")).await),
        ["EKB1303"]
    );
    assert_eq!(
        codes(&apply(&world.engine(), &graph, &known, &update("three")).await),
        ["EKB1303"]
    );
    let mut older = world.engine();
    older.schema = 0;
    assert_eq!(
        codes(&older.destroy(Some(&graph), &known, Some("two")).await),
        ["EKB1301"]
    );
    assert_eq!(world.calls(), calls);
    assert!(
        world
            .engine()
            .destroy(Some(&graph), &known, Some("two"))
            .await
            .is_done()
    );
    assert_eq!(world.picture(), Vec::new());
}

#[tokio::test(start_paused = true)]
async fn a_create_never_replaces_the_root() {
    let graph = network(&["a"], 1);
    let mut world = World::new();
    world.plan(6, Fault::Fails);
    world
        .process(async |engine| apply(&engine, &graph, &Known::default(), &create("one")).await)
        .await
        .unwrap();
    world.with(|state| state.fault = None);
    let mut other = Graph::new();
    other.part(
        "vpc",
        Sim::<VPC> {
            cidr: 7,
            ..Sim::default()
        },
    );
    let calls = world.calls();
    let outcome = apply(&world.engine(), &other, &Known::default(), &create("two")).await;
    assert!(outcome.refused && world.calls() == calls);
    assert!(
        texts(&outcome).contains("create_before_destroy"),
        "{}",
        texts(&outcome)
    );
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_looked_at_counts_as_it_was() {
    let graph = network(&["a"], 1);
    let (world, known) = made(&graph).await;
    world.with(|state| state.blind.insert("nat"));
    let report = refresh(&world, &graph, &known).await;
    assert_eq!(
        (&report.objects, &report.ids),
        (&known.objects, &known.ids),
        "the last known values"
    );
    assert_eq!(report.drift, Vec::<String>::new());
    assert_eq!(report.warnings.len(), 1);
    assert!(
        report.warnings[0]
            .to_string()
            .contains("listing nat: not allowed to read"),
        "{}",
        report.warnings[0]
    );
    let outcome = plan_and_apply(&world.engine(), &graph, &graph, &known, Some("one")).await;
    assert!(outcome.is_done() && !outcome.changed, "{}", texts(&outcome));
    // It is not made where it is not known whether it is there.
    let more = network(&["a", "b"], 1);
    let outcome = plan_and_apply(&world.engine(), &graph, &more, &known, Some("one")).await;
    assert_eq!(codes(&outcome), ["EKB1005"], "{}", texts(&outcome));
    assert!(
        outcome.report.ids.contains_key(&"private_subnet/b".into()),
        "siblings are made"
    );
    // A destroy removes what it may and keeps what it cannot know to be free.
    let outcome = world
        .engine()
        .destroy(Some(&more), &outcome.report.known().of(&more), Some("one"))
        .await;
    assert_eq!(codes(&outcome), ["EKB1005"], "{}", texts(&outcome));
    let left: Vec<&str> = outcome.report.ids.keys().map(|key| key.0.as_str()).collect();
    let expected = [
        "nat_address/a",
        "nat_gateway/a",
        "private_subnet/a",
        "private_subnet/b",
        "public_subnet/a",
        "public_subnet/b",
        "vpc",
    ];
    assert_eq!(left, expected);
    world.with(|state| state.blind.clear());
    let outcome = world
        .engine()
        .destroy(Some(&more), &outcome.report.known().of(&more), Some("one"))
        .await;
    assert!(outcome.is_done(), "{}", texts(&outcome));
    assert_eq!(world.picture(), Vec::new());
}

#[tokio::test(start_paused = true)]
async fn cancel_ends_a_wait_at_once_with_the_partial_state() {
    let graph = network(&["a"], 1);
    let world = World::new();
    let engine = world.engine();
    let clock = world.clock.clone();
    let stop = async {
        clock.sleep(Duration::from_secs(50)).await;
        engine.cancel.cancel();
        clock.now()
    };
    let nothing = Known::default();
    let purpose = create("one");
    let (outcome, cancelled) = join!(apply(&engine, &graph, &nothing, &purpose), stop);
    assert!(world.clock.now().since(cancelled) < Duration::from_secs(1));
    assert_eq!(codes(&outcome), ["EKB1009"], "said once: {}", texts(&outcome));
    assert!(outcome.report.ids.contains_key(&"nat_gateway/a".into()));
}

#[tokio::test(start_paused = true)]
async fn a_time_out_says_what_was_waited_for() {
    let graph = network(&["a"], 1);
    let world = World::new();
    let mut engine = world.engine();
    engine.timeout = Duration::from_secs(60);
    let outcome = apply(&engine, &graph, &Known::default(), &create("one")).await;
    assert_eq!(codes(&outcome), ["EKB1011"]);
    assert!(
        texts(&outcome).contains("waiting for nat (nat_gateway/a)"),
        "{}",
        texts(&outcome)
    );
    assert!(outcome.report.ids.contains_key(&"nat_gateway/a".into()));
}

#[tokio::test(start_paused = true)]
async fn a_hopeless_wait_ends_early() {
    let graph = network(&["a"], 1);
    let world = World::new();
    world.with(|state| state.stuck.insert("nat"));
    let begun = world.clock.now();
    let outcome = apply(&world.engine(), &graph, &Known::default(), &create("one")).await;
    assert!(
        texts(&outcome).contains("no address is left in the subnet"),
        "{}",
        texts(&outcome)
    );
    assert!(world.clock.now().since(begun) < Duration::from_secs(60));
}

#[tokio::test(start_paused = true)]
async fn what_failed_is_made_again_with_its_reason_reported() {
    let graph = network(&["a"], 1);
    let mut world = World::new();
    world.plan(0, Fault::MadeFails);
    // The fault hits the first thing that is made: the VPC.
    let outcome = world
        .process(async |engine| apply(&engine, &graph, &Known::default(), &create("one")).await)
        .await
        .unwrap();
    assert!(
        texts(&outcome).contains("vpc-1 failed: simulated: could not be made"),
        "{}",
        texts(&outcome)
    );
    world.with(|state| state.fault = None);
    let outcome = apply(&world.engine(), &graph, &Known::default(), &create("two")).await;
    assert!(outcome.is_done(), "{}", texts(&outcome));
    let warnings: Vec<String> = outcome.report.warnings.iter().map(ToString::to_string).collect();
    assert!(
        warnings
            .join("")
            .contains("vpc-1 is deleted and made again: it failed: simulated"),
        "{warnings:?}"
    );
    assert_eq!(world.picture().len(), graph.keys().count());
}

#[tokio::test(start_paused = true)]
async fn a_token_that_answers_with_a_dead_object_is_not_used_again() {
    let graph = network(&["a"], 1);
    let (world, known) = made(&graph).await;
    for hides_dead in [false, true, true] {
        world.with(|state| state.hides_dead = hides_dead);
        let now = world.clock.now();
        world.meddle("nat_gateway/a", |thing| thing.ends = Some(now));
        let outcome = plan_and_apply(&world.engine(), &graph, &graph, &known, Some("one")).await;
        assert!(outcome.is_done(), "{}", texts(&outcome));
        assert_eq!(
            outcome.report.found[&"nat_gateway/a".into()].condition,
            Condition::Settled
        );
    }
}

/// Puts a second object for the part into the world, younger than the first; gives its id.
fn double(world: &World, part: &str) -> String {
    let id = format!("{part}-double");
    let mut copy = None;
    world.meddle(part, |thing| copy = Some(thing.clone()));
    let mut copy = copy.unwrap();
    copy.id = id.clone();
    copy.tags.insert("ekb:made".into(), "zzz".into());
    world.with(|state| state.things.insert(id.clone(), copy));
    id
}

#[tokio::test(start_paused = true)]
async fn of_two_objects_the_one_in_use_stays() {
    let graph = network(&["a"], 1);
    let (world, known) = made(&graph).await;
    let expected = world.picture();
    for part in ["vpc", "gateway", "nat_address/a", "public_subnet/a"] {
        let id = double(&world, part);
        let report = refresh(&world, &graph, &known).await;
        assert_eq!(
            report.drift,
            [format!(
                "{part}: there is a second one, {id}, of an interrupted run"
            )]
        );
        let outcome = plan_and_apply(&world.engine(), &graph, &graph, &known, Some("one")).await;
        assert!(
            outcome.is_done() && outcome.report.drift.is_empty(),
            "{}",
            texts(&outcome)
        );
        assert_eq!(outcome.report.ids, known.ids);
        assert_eq!(world.picture(), expected);
    }
    // Something uses the second root: nothing is built on either.
    let id = double(&world, "vpc");
    let subnet = double(&world, "private_subnet/a");
    world.with(|state| state.things.get_mut(&subnet).unwrap().set("within", json!([id])));
    let calls = world.calls();
    let outcome = plan_and_apply(&world.engine(), &graph, &graph, &known, Some("one")).await;
    assert_eq!(codes(&outcome), ["EKB1306"]);
    assert_eq!(world.calls(), calls);
}

#[tokio::test(start_paused = true)]
async fn of_two_creates_at_once_one_ends_with_a_clear_error() {
    for delay in 0..160u64 {
        let graph = network(&["a"], 1);
        let world = World::new();
        let (one, two) = (world.engine(), world.engine());
        let nothing = Known::default();
        let (first, second) = (create("one"), create("two"));
        let late = async {
            world.clock.sleep(Duration::from_millis(delay * 25)).await;
            apply(&two, &graph, &nothing, &second).await
        };
        let (a, b) = join!(apply(&one, &graph, &nothing, &first), late);
        let done = [&a, &b].iter().filter(|outcome| outcome.is_done()).count();
        assert_eq!(done, 1, "{delay}: one succeeds\n{}\n{}", texts(&a), texts(&b));
        let loser = if a.is_done() { b } else { a };
        let told = |code: &&str| ["EKB1302", "EKB1303", "EKB1307", "EKB1308"].contains(code);
        assert!(codes(&loser).iter().any(told), "{delay}: {}", texts(&loser));
        // A later apply by the winner brings order.
        world.rest().await;
        let report = refresh(&world, &graph, &nothing).await;
        let root = report.root.clone().unwrap();
        let outcome = if root.phase == Some(Phase::Complete) {
            plan_and_apply(&world.engine(), &graph, &graph, &report.known(), None).await
        } else {
            apply(&world.engine(), &graph, &nothing, &create("three")).await
        };
        assert!(outcome.is_done(), "{delay}: {}", texts(&outcome));
        assert_eq!(
            world.picture().len(),
            graph.keys().count(),
            "{delay}: one object a part"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn runs_of_one_owner_exclude_each_other() {
    let graph = network(&["a"], 1);
    let world = World::new();
    let (mut one, mut two) = (world.engine(), world.engine());
    one.locks = Locks::default();
    two.locks = one.locks.clone();
    let nothing = Known::default();
    let (first, second) = (create("one"), create("two"));
    let (a, b) = join!(
        apply(&one, &graph, &nothing, &first),
        apply(&two, &graph, &nothing, &second)
    );
    assert!(a.is_done());
    assert_eq!(
        codes(&b),
        ["EKB1302"],
        "it begins when the first is done, and finds it complete"
    );
}

#[tokio::test(start_paused = true)]
async fn stages_are_gone_through_in_order_and_not_again() {
    let cluster = |sizes: [u32; 2]| {
        let mut graph = Graph::new();
        let plane = graph.part(
            "cluster",
            Sim::<CLUSTER> {
                name: Some("dev".into()),
                size: sizes[0],
                ..Sim::default()
            },
        );
        graph.part(
            "nodes",
            Sim::<SUBNET> {
                within: vec![plane.ready()],
                size: sizes[1],
                ..Sim::default()
            },
        );
        graph
    };
    let before = cluster([33, 33]);
    let (world, known) = made(&before).await;
    let stages = [cluster([34, 34]), cluster([35, 35])];
    let log = || world.with(|state| std::mem::take(&mut state.log));
    let reconcile = async || {
        world
            .engine()
            .reconcile(&stages, &known, &Allowed::none(), &update("one"))
            .await
    };
    log();
    assert!(reconcile().await.is_done());
    assert_eq!(
        log(),
        [
            "update cluster size",
            "update nodes size",
            "update cluster size",
            "update nodes size"
        ]
    );
    assert!(
        !reconcile().await.changed,
        "what is as the last stage wants it stays"
    );
    world.meddle("nodes", |thing| thing.set("size", json!(34)));
    assert!(reconcile().await.is_done());
    assert_eq!(log(), ["update nodes size"]);
    // A stage may add parts; what a later stage has is not deleted by an earlier one.
    let mut more = cluster([35, 35]);
    more.part(
        "role",
        Sim::<ROLE> {
            name: Some("dev-role".into()),
            ..Sim::default()
        },
    );
    let stages = [cluster([35, 35]), more];
    for _ in 0..2 {
        let outcome = world
            .engine()
            .reconcile(&stages, &known, &Allowed::All, &update("one"))
            .await;
        assert!(outcome.is_done(), "{}", texts(&outcome));
        assert!(outcome.report.ids.contains_key(&"role".into()));
    }
    assert_eq!(log(), ["create role"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_is_reported() {
    let graph = network(&["a"], 1);
    let (world, known) = made(&graph).await;
    world.meddle("nat_address/a", |thing| {
        _ = thing.tags.insert("keep".into(), String::new())
    });
    world.meddle("private_subnet/a", |thing| {
        _ = thing.tags.insert("snapshot".into(), String::new())
    });
    let outcome = world.engine().destroy(Some(&graph), &known, Some("one")).await;
    assert!(
        outcome.is_done() && outcome.report.is_empty(),
        "{}",
        texts(&outcome)
    );
    let (address, subnet) = (
        &known.ids[&"nat_address/a".into()],
        &known.ids[&"private_subnet/a".into()],
    );
    let kept = [
        Kept {
            key: "private_subnet/a".into(),
            id: format!("snapshot-of-{subnet}"),
            why: Why::FinalSnapshot,
        },
        Kept {
            key: "nat_address/a".into(),
            id: address.clone(),
            why: Why::Kept("it is marked to be kept".into()),
        },
    ];
    assert!(
        kept.iter().all(|kept| outcome.kept.contains(kept)) && outcome.kept.len() == 2,
        "{:?}",
        outcome.kept
    );
}

#[tokio::test(start_paused = true)]
async fn what_waits_together_shares_its_looks_and_calls_are_limited() {
    let looks = async |zones: &[&str]| {
        let (world, _) = made(&network(zones, 1)).await;
        (world.with(|state| state.looks), world.with(|state| state.busiest))
    };
    let (one, _) = looks(&["a"]).await;
    let (six, busiest) = looks(&["a", "b", "c", "d", "e", "f"]).await;
    assert!(six <= one + 10, "{one} looks for one zone, {six} for six");
    assert!((6..=10).contains(&busiest), "{busiest} calls at a time");
}

#[tokio::test(start_paused = true)]
async fn what_says_nothing_of_what_it_uses_goes_by_the_order_of_kinds() {
    let mut graph = Graph::new();
    graph.part("vpc", Sim::<VPC>::default());
    let named = |name: &str| Some(name.to_owned());
    for index in 0..3 {
        let name = format!("role-{index}");
        graph.part(
            key("role", index),
            Sim::<ROLE> {
                name: named(&name),
                ..Sim::default()
            },
        );
    }
    graph.part(
        "lone",
        Sim::<CLUSTER> {
            name: named("lone"),
            ..Sim::default()
        },
    );
    // Its role is of a lower order, and goes after it all the same.
    let role = graph.part(
        "its-role",
        Sim::<ROLE> {
            name: named("its"),
            ..Sim::default()
        },
    );
    graph.part(
        "cluster",
        Sim::<CLUSTER> {
            name: named("dev"),
            within: vec![role.made()],
            ..Sim::default()
        },
    );
    let (world, known) = made(&graph).await;
    // What is in the way stays, and so does what goes after it.
    world.plan(0, Fault::Fails);
    let outcome = world.engine().destroy(Some(&graph), &known, Some("one")).await;
    let log = world.with(|state| std::mem::take(&mut state.log));
    assert!(
        !outcome.is_done() && !log.iter().any(|line| line == "delete vpc"),
        "{log:?}"
    );
    let (world, known) = made(&graph).await;
    let outcome = world.engine().destroy(Some(&graph), &known, Some("one")).await;
    let log = world.with(|state| std::mem::take(&mut state.log));
    let at = |line: &str| log.iter().position(|entry| entry == line).unwrap();
    assert!(
        outcome.is_done() && at("delete role/2") < at("delete lone"),
        "{log:?}"
    );
    assert!(
        at("delete cluster") < at("delete its-role") && at("delete lone") < at("delete vpc"),
        "{log:?}"
    );
    assert_eq!(world.picture(), Vec::new());
}

#[tokio::test(start_paused = true)]
async fn what_a_part_brings_along_goes_after_it_though_it_is_declared_to_need_it() {
    let named = |name: &str| Some(name.to_owned());
    let mut graph = Graph::new();
    graph.part("vpc", Sim::<VPC>::default());
    let cluster = graph.part(
        "cluster",
        Sim::<CLUSTER> {
            name: named("dev"),
            ..Sim::default()
        },
    );
    graph.part(
        "a-group",
        Sim::<ROLE> {
            name: named("group"),
            note: cluster.ready().output("url").to_string().into(),
            ..Sim::default()
        },
    );
    let (world, known) = made(&graph).await;
    let [cluster, group] = ["cluster", "a-group"].map(|key| known.ids[&Key::from(key)].clone());
    world.with(|state| {
        let cluster = state.things.get_mut(&cluster).unwrap();
        cluster.set("routes", serde_json::json!({ "its own": group }));
    });
    let outcome = world.engine().destroy(Some(&graph), &known, Some("one")).await;
    let log = world.with(|state| std::mem::take(&mut state.log));
    let at = |line: &str| log.iter().position(|entry| entry == line).unwrap();
    assert!(outcome.is_done(), "{}", texts(&outcome));
    assert!(at("delete cluster") < at("delete a-group"), "{log:?}");
    assert_eq!(world.picture(), Vec::new());
}

#[tokio::test(start_paused = true)]
async fn kinds_whose_objects_show_at_once_wait_for_nothing() {
    let graph = network(&["a"], 1);
    let mut world = World::new();
    world.invisible = Duration::ZERO;
    let (world, known) = made_in(world, &graph).await;
    world.remove("private_subnet/a");
    let begun = world.clock.now();
    assert_eq!(
        refresh(&world, &graph, &known).await.drift,
        ["private_subnet/a: deleted outside"]
    );
    assert!(world.clock.now().since(begun) < Duration::from_secs(1));
}

/// Zones by the ranges of their public subnets, each with a NAT gateway, and one route table through the first of them.
fn ranges(zones: &[(&str, u32)]) -> Graph {
    let mut graph = Graph::new();
    let vpc = graph.part("vpc", Sim::<VPC>::default());
    let mut routes = BTreeMap::new();
    for (zone, cidr) in zones {
        let within = vec![vpc.made()];
        let subnet = graph.part(
            key("subnet", zone),
            Sim::<SUBNET> {
                within,
                cidr: *cidr,
                ..Sim::default()
            },
        );
        let nat = graph.part(
            key("nat", zone),
            Sim::<NAT> {
                within: vec![subnet.made()],
                ..Sim::default()
            },
        );
        routes.entry("0.0.0.0/0".to_owned()).or_insert(nat.ready());
    }
    graph.part(
        "routes",
        Sim::<ROUTES> {
            within: vec![vpc.made()],
            routes,
            ..Sim::default()
        },
    );
    graph
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_there_together_goes_before_the_new_one_is_made() {
    let cases = [
        ("moved to another zone", ranges(&[("a", 1)]), ranges(&[("b", 1)])),
        (
            "swapped",
            ranges(&[("a", 1), ("b", 2)]),
            ranges(&[("a", 2), ("b", 1)]),
        ),
        (
            "passed on",
            ranges(&[("a", 1), ("b", 2)]),
            ranges(&[("b", 1), ("c", 2)]),
        ),
    ];
    for (case, before, after) in cases {
        let mut world = World::new();
        world.exclusive = true;
        let (world, known) = made_in(world, &before).await;
        world.rest().await;
        let outcome = plan_and_apply(&world.engine(), &before, &after, &known, Some("one")).await;
        assert!(outcome.is_done(), "{case}: {}", texts(&outcome));
        assert_eq!(outcome.report.objects, after.objects(), "{case}");
        let known = outcome.report.known().of(&after);
        let again = plan_and_apply(&world.engine(), &after, &after, &known, Some("one")).await;
        assert!(again.is_done() && !again.changed, "{case}");
    }
}

/// A duplicate that somebody else uses stays, with a warning, and holds up nothing; what cannot go because of it is an error.
#[tokio::test(start_paused = true)]
async fn a_duplicate_that_stays_is_never_taken_for_done() {
    let (before, after) = (network(&["a", "b"], 1), network(&["a"], 1));
    let (world, known) = made(&before).await;
    let spare = double(&world, "nat_address/a");
    let foreign = double(&world, "nat_gateway/a");
    world.with(|state| {
        let foreign = state.things.get_mut(&foreign).unwrap();
        foreign.tags.clear();
        foreign.set("within", json!([spare]));
    });
    let outcome = plan_and_apply(&world.engine(), &before, &after, &known, Some("one")).await;
    assert!(outcome.is_done(), "{}", texts(&outcome));
    assert!(!world.picture().iter().any(|(key, _)| key.ends_with("/b")));
    assert!(world.with(|state| state.things.contains_key(&spare)));
    assert!(
        outcome
            .report
            .warnings
            .iter()
            .any(|said| said.doing.contains("nat_address/a"))
    );

    // The spare itself uses what is to go.
    let (world, known) = made(&before).await;
    let spare = double(&world, "nat_gateway/a");
    let subnet = known.ids[&"public_subnet/b".into()].clone();
    let user = double(&world, "private_routes/a");
    world.with(|state| {
        state
            .things
            .get_mut(&spare)
            .unwrap()
            .set("within", json!([subnet]));
        let user = state.things.get_mut(&user).unwrap();
        user.tags.clear();
        user.set("within", json!([spare]));
    });
    let outcome = plan_and_apply(&world.engine(), &before, &after, &known, Some("one")).await;
    assert!(world.with(|state| state.things.contains_key(&subnet)));
    assert!(!outcome.is_done(), "something that was to go is there");
}

/// What a chart with hundreds of objects will be: made, left alone, taken up after a crash, changed in one place, removed.
#[tokio::test(start_paused = true)]
async fn hundreds_of_parts() {
    let wide = |changed: u32| {
        let mut graph = Graph::new();
        let vpc = graph.part("vpc", Sim::<VPC>::default());
        for index in 0..250_u32 {
            let subnet = Sim::<SUBNET> {
                within: vec![vpc.made()],
                cidr: index,
                size: if index == 7 { changed } else { 1 },
                ..Sim::default()
            };
            let subnet = graph.part(key("subnet", format!("{index:03}")), subnet);
            let routes = BTreeMap::from([("0.0.0.0/0".to_owned(), subnet.made())]);
            let table = Sim::<ROUTES> {
                within: vec![vpc.made()],
                routes,
                ..Sim::default()
            };
            graph.part(key("routes", format!("{index:03}")), table);
        }
        graph
    };
    let mut world = World::new();
    world.plan(300, Fault::CrashAfter);
    let graph = wide(1);
    let died = world
        .process(async |engine| apply(&engine, &graph, &Known::default(), &create("one")).await)
        .await;
    assert!(died.is_none(), "killed in the middle");
    let outcome = world
        .process(async |engine| apply(&engine, &graph, &Known::default(), &create("two")).await)
        .await
        .unwrap();
    assert!(outcome.is_done(), "{}", texts(&outcome));
    assert_eq!(
        (outcome.report.ids.len(), world.with(|state| state.things.len())),
        (501, 501)
    );
    assert!(world.with(|state| state.busiest) <= 10, "calls at a time");
    let known = Known {
        root: graph.root_key().cloned(),
        ..outcome.report.known()
    };
    let calls = world.calls();
    let looks = world.with(|state| state.looks);
    let outcome = apply(&world.engine(), &wide(2), &known, &update("two")).await;
    assert!(outcome.is_done(), "{}", texts(&outcome));
    assert_eq!(world.calls(), calls + 1, "one part was changed");
    let looks = world.with(|state| state.looks) - looks;
    assert!(looks <= 30, "looks are a kind's, not a part's: {looks}");
    let outcome = world.engine().destroy(Some(&graph), &known, Some("two")).await;
    assert!(outcome.is_done(), "{}", texts(&outcome));
    assert_eq!(world.with(|state| state.things.len()), 0);
}

#[tokio::test(start_paused = true)]
async fn what_others_built_is_imported_by_its_structure() {
    let graph = network(&["a", "b"], 1);
    let (world, made) = made(&graph).await;
    world.with(|state| state.things.values_mut().for_each(|thing| thing.tags.clear()));
    let known = Known {
        ids: BTreeMap::from([("vpc".into(), made.ids[&"vpc".into()].clone())]),
        import: true,
        ..Known::default()
    };
    let report = refresh(&world, &graph, &known.of(&graph)).await;
    assert_eq!(report.ids, made.ids);
    assert_eq!(
        report.objects,
        graph
            .objects()
            .into_iter()
            .map(|(key, mut fields)| {
                // Tags are all that differs, and secrets of which nobody knows the version.
                fields["tags"] = report.objects[&key]["tags"].clone();
                fields.as_object_mut().unwrap().shift_remove("secret_version");
                (key, fields)
            })
            .collect()
    );
    assert!(
        report
            .drift
            .iter()
            .all(|sentence| sentence.contains(": tags ") || sentence.ends_with(": secret_version: missing")),
        "{:#?}",
        report.drift
    );
    let outcome = plan_and_apply(
        &world.engine(),
        &graph,
        &graph,
        &report.known().of(&graph),
        Some("new"),
    )
    .await;
    assert!(
        outcome.is_done() && outcome.report.drift.is_empty(),
        "{}",
        texts(&outcome)
    );
    let root = outcome.report.root.clone().unwrap();
    assert_eq!(
        (root.phase, root.incarnation.as_deref()),
        (Some(Phase::Complete), Some("new"))
    );
    let log = world.with(|state| state.log.join(" "));
    assert!(!log.contains("delete"), "{log}");
}

#[tokio::test(start_paused = true)]
async fn what_others_built_is_imported_by_what_a_part_invented() {
    let mut graph = Graph::new();
    let vpc = graph.part("vpc", Sim::<VPC>::default());
    graph.part(
        "address",
        Sim::<ADDRESS> {
            note: vpc.ready().output("url").to_string().into(),
            ..Sim::default()
        },
    );
    let (world, made) = made(&graph).await;
    world.with(|state| state.things.values_mut().for_each(|thing| thing.tags.clear()));
    let known = Known {
        ids: BTreeMap::from([("vpc".into(), made.ids[&"vpc".into()].clone())]),
        import: true,
        ..Known::default()
    };
    let report = refresh(&world, &graph, &known.of(&graph)).await;
    assert_eq!(report.ids, made.ids);
}

#[tokio::test(start_paused = true)]
async fn what_was_just_made_and_is_missing_from_reads_is_not_gone() {
    let graph = network(&["a"], 1);
    let (world, known) = made(&graph).await;
    // The routes were made a moment ago, by another process.
    world.with(|state| state.lag = Duration::from_secs(10));
    let report = refresh(&world, &graph, &known).await;
    assert_eq!(report.drift, Vec::<String>::new());
    assert_eq!(report.ids, known.ids);
    // What stays missing is gone.
    world.rest().await;
    world.remove("private_routes/a");
    let report = refresh(&world, &graph, &known).await;
    assert_eq!(report.drift, ["private_routes/a: deleted outside"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_in_the_way_of_a_destroy_is_said_before_anything_is_deleted() {
    let graph = network(&["a"], 1);
    let mut world = World::new();
    let outcome = apply(&world.engine(), &graph, &Known::default(), &create("one")).await;
    let known = outcome.report.known().of(&graph);
    let (calls, there) = (world.calls(), world.picture());

    // What stays ends it at once, what may go by itself after a while, a cancel in between.
    for (class, cancelled) in [(Class::Stuck, false), (Class::Busy, false), (Class::Busy, true)] {
        let until = world.clock.now() + Duration::from_secs(3600);
        world.with(|state| state.others = Some((class, until)));
        let begun = world.clock.now();
        let engine = world.engine();
        let destroy = engine.destroy(Some(&graph), &known, Some("one"));
        let cancel = async {
            world.clock.sleep_until(begun + Duration::from_secs(20)).await;
            if cancelled {
                world.cancel.cancel();
            }
        };
        let (outcome, ()) = join!(destroy, cancel);
        let is = if cancelled { Class::Cancelled } else { class };
        assert_eq!(
            outcome.errors.iter().map(|error| error.class).collect::<Vec<_>>(),
            [is]
        );
        assert!(outcome.refused && !outcome.changed && outcome.report.root.is_some());
        assert_eq!(
            (world.calls(), world.picture()),
            (calls, there.clone()),
            "{class:?}"
        );
        world.restart();
    }

    // It goes: so does the rest.
    let until = world.clock.now() + Duration::from_secs(60);
    world.with(|state| state.others = Some((Class::Busy, until)));
    let outcome = world.engine().destroy(Some(&graph), &known, Some("one")).await;
    assert!(outcome.is_done(), "{}", texts(&outcome));
    assert!(world.picture().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_in_the_way_of_an_update_is_said_before_anything_is_changed() {
    let (before, after) = (network(&["a", "b"], 1), network(&["a"], 2));
    let (world, known) = made(&before).await;
    world.with(|state| state.lodger = true);
    let calls = world.calls();
    let outcome = plan_and_apply(&world.engine(), &before, &after, &known, Some("one")).await;
    assert!(
        texts(&outcome).contains("an interface of others"),
        "{}",
        texts(&outcome)
    );
    assert!(outcome.refused && world.calls() == calls, "nothing is torn down");
    world.with(|state| state.lodger = false);
    let outcome = plan_and_apply(&world.engine(), &before, &after, &known, Some("one")).await;
    assert!(outcome.is_done(), "{}", texts(&outcome));
}
