//! Ways that lead over several stages, and changes that nobody makes.

use async_trait::async_trait;

use crate::engine::{Engine, Way};
use crate::failure::Failure;
use crate::graph::Graph;
use crate::part::Key;
use crate::report::{Allowed, Known, Outcome, Report};
use crate::simulated::{ADDON, CLUSTER, FAULTS, Fault, GATEWAY, Sim, VPC, World};
use crate::tests::{made_in, plan_and_apply, texts, update};

/// A cluster of this version, its nodes and an add-on that follow it.
fn cluster(version: u32) -> Graph {
    let mut graph = Graph::new();
    let vpc = graph.part("vpc", Sim::<VPC>::default());
    let cluster = Sim::<CLUSTER> {
        name: Some("dev".into()),
        size: version,
        within: vec![vpc.made()],
        ..Sim::default()
    };
    let cluster = graph.part("cluster", cluster);
    let nodes = Sim::<GATEWAY> {
        size: version,
        within: vec![vpc.made(), cluster.ready()],
        ..Sim::default()
    };
    let nodes = graph.part("nodes", nodes);
    let addon = Sim::<ADDON> {
        name: Some("dns".into()),
        size: version,
        within: vec![cluster.ready(), nodes.ready()],
        ..Sim::default()
    };
    graph.part("addon", addon);
    graph
}

/// One version after the other, from what is there.
struct Upgrade(u32);

#[async_trait]
impl Way for Upgrade {
    async fn ahead(&self, _behind: usize, found: &Report) -> Result<Vec<Graph>, Failure> {
        let version = |key: &str| found.found.get(&Key::from(key))?.fields["size"].as_u64();
        // What lags behind is brought along first.
        let is = ["cluster", "nodes", "addon"]
            .into_iter()
            .filter_map(version)
            .min();
        let is = is.map_or(self.0, |is| is as u32).min(self.0);
        Ok((is + 1..self.0).chain([self.0]).map(cluster).collect())
    }
}

async fn upgrade(engine: &Engine, to: u32, known: &Known) -> Outcome {
    let known = engine
        .observe(Some(&cluster(to)), known)
        .await
        .report()
        .known()
        .of(&cluster(to));
    engine
        .follow(&Upgrade(to), &known, &Allowed::none(), &update("one"))
        .await
}

fn log(world: &World) -> String {
    world.with(|state| std::mem::take(&mut state.log).join("\n"))
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_goes_through_every_version() {
    let (world, known) = made_in(World::new(), &cluster(33)).await;
    log(&world);
    let outcome = upgrade(&world.engine(), 35, &known).await;
    assert!(outcome.is_done(), "{}", texts(&outcome));
    let one = "update cluster size\nupdate nodes size\nupdate addon size";
    assert_eq!(log(&world), [one, one].join("\n"));
    assert_eq!(outcome.report.objects, cluster(35).objects());
    assert!(!upgrade(&world.engine(), 35, &known).await.changed);
    // In one step it is not to be had.
    let (world, known) = made_in(World::new(), &cluster(33)).await;
    let outcome = plan_and_apply(&world.engine(), &cluster(33), &cluster(35), &known, Some("one")).await;
    assert!(
        texts(&outcome).contains("one version at a time"),
        "{}",
        texts(&outcome)
    );
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_goes_on_where_it_stands_after_every_fault_at_every_call() {
    let (origin, known) = made_in(World::hasty(), &cluster(33)).await;
    origin.rest().await;
    let mut cases = 0;
    for fault in FAULTS.into_iter().filter(|fault| *fault != Fault::MadeFails) {
        for at in 0.. {
            let case = format!("{fault:?} at call {at} of an upgrade");
            let mut world = origin.snapshot();
            log(&world);
            world.plan(at, fault);
            world
                .process(async |engine| upgrade(&engine, 35, &known).await)
                .await;
            if !world.with(|state| state.fired) {
                break;
            }
            cases += 1;
            world.with(|state| state.fault = None);
            world.restart();
            let outcome = upgrade(&world.engine(), 35, &known).await;
            assert!(outcome.is_done(), "{case}: {}", texts(&outcome));
            assert_eq!(outcome.report.objects, cluster(35).objects(), "{case}");
            let log = log(&world);
            let most = if fault == Fault::CrashBefore { 2 } else { 3 };
            assert!(
                log.matches("update cluster").count() <= most,
                "{case}: no step twice:\n{log}"
            );
        }
    }
    assert!(cases >= 6 * 8, "{cases}");
}

#[tokio::test(start_paused = true)]
async fn a_way_that_has_no_end_is_given_up() {
    struct Endless;
    #[async_trait]
    impl Way for Endless {
        async fn ahead(&self, _behind: usize, _found: &Report) -> Result<Vec<Graph>, Failure> {
            Ok(vec![cluster(33), cluster(33)])
        }
    }
    let (world, known) = made_in(World::new(), &cluster(33)).await;
    let outcome = world
        .engine()
        .follow(&Endless, &known, &Allowed::none(), &update("one"))
        .await;
    assert_eq!(outcome.errors[0].code, "EKB1315");
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_refused_before_anything_is_changed() {
    let (world, known) = made_in(World::new(), &cluster(33)).await;
    let after = cluster(32);
    let refused = after.foresee(&known).refused();
    assert_eq!(refused.len(), 1);
    let (key, sentence, refusal) = &refused[0];
    assert_eq!(
        (key.0.as_str(), sentence.as_str()),
        ("cluster", "size: is 33, should be 32")
    );
    assert_eq!(refusal.hint, "Declare 33 or more.");
    log(&world);
    let outcome = plan_and_apply(&world.engine(), &cluster(33), &after, &known, Some("one")).await;
    assert!(outcome.refused && log(&world).is_empty());
    let expected = "EKB1314: changing cluster: dev: size: is 33, should be 32: a cluster does not go back";
    assert!(texts(&outcome).starts_with(expected), "{}", texts(&outcome));
    // Where somebody else has moved it on, and that is left alone, nothing is refused.
    world.meddle("cluster", |thing| thing.set("size", 34.into()));
    let mut engine = world.engine();
    engine.ignore_drift = vec!["cluster: size".to_owned()];
    let outcome = plan_and_apply(&engine, &cluster(33), &cluster(33), &known, Some("one")).await;
    assert!(outcome.is_done() && !outcome.changed, "{}", texts(&outcome));
}
