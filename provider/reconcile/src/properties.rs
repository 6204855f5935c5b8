//! Properties over random graphs: whatever goes wrong, another run ends where an undisturbed one does.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::graph::{Graph, Handle};
use crate::part::{Ref, Tags, key};
use crate::report::Known;
use crate::simulated::{
    ADDRESS, CLUSTER, FAULTS, Fault, GATEWAY, NAT, POLICY, ROLE, ROUTES, SUBNET, Sim, VPC, World,
};
use crate::sweep::{finish, go_on};
use crate::tests::{apply, create, made_in, plan_and_apply, texts};

/// One part of a random graph; indices are taken modulo what is there.
#[derive(Debug, Clone)]
struct Plot {
    kind: usize,
    within: Vec<(usize, bool)>,
    routes: Vec<usize>,
    size: u32,
    cidr: u32,
    tag: Option<u32>,
    /// Whether the changed graph still has it, and what it changes.
    stays: bool,
    grows: bool,
    moves: bool,
}

fn plot() -> impl Strategy<Value = Plot> {
    let edges = prop::collection::vec((0..8usize, any::<bool>()), 0..3);
    let routes = prop::collection::vec(0..8usize, 0..2);
    let values = (0..3u32, 0..2u32, prop::option::of(0..2u32));
    let change = (
        prop::bool::weighted(0.8),
        any::<bool>(),
        prop::bool::weighted(0.2),
    );
    (0..POLICY, edges, routes, values, change).prop_map(
        |(kind, within, routes, (size, cidr, tag), (stays, grows, moves))| Plot {
            kind,
            within,
            routes,
            size,
            cidr,
            tag,
            stays,
            grows,
            moves,
        },
    )
}

/// What it says of what it points at: outputs that stay, and such as an update changes.
fn note(routes: &BTreeMap<String, Ref>) -> Value {
    let said = routes.values().map(|nat| {
        let (url, version) = (nat.clone().output("url"), nat.clone().output("version"));
        (format!("at {url}"), json!([version, format!("id {nat}")]))
    });
    Value::Object(said.collect())
}

/// The graph as it is first, or changed.
fn build(plots: &[Plot], changed: bool) -> Graph {
    let mut graph = Graph::new();
    let mut made: Vec<(usize, Handle)> = vec![(VPC, graph.part("root", Sim::<VPC>::default()))];
    for (index, plot) in plots.iter().enumerate() {
        if changed && !plot.stays {
            continue;
        }
        let pick = |at: usize| &made[at % made.len()];
        // What takes long has to be ready for use; others may be used when they are made.
        let within = plot.within.iter().map(|(at, ready)| {
            let (kind, handle) = pick(*at);
            if *ready || matches!(*kind, NAT | CLUSTER) {
                handle.ready()
            } else {
                handle.made()
            }
        });
        let within: Vec<Ref> = within.fold(Vec::new(), |mut all, one| {
            if !all.iter().any(|other: &Ref| other.key == one.key) {
                all.push(one);
            }
            all
        });
        let routes = plot
            .routes
            .iter()
            .map(|at| pick(*at))
            .filter(|(kind, _)| *kind == NAT);
        let routes: BTreeMap<String, Ref> = routes
            .enumerate()
            .map(|(n, (_, nat))| (format!("10.{n}.0.0/16"), nat.ready()))
            .collect();
        let size = plot.size + u32::from(changed && plot.grows);
        let cidr = plot.cidr + u32::from(changed && plot.moves);
        let tags: Tags = plot
            .tag
            .iter()
            .map(|tag| ("Name".to_owned(), format!("{tag}-{size}")))
            .collect();
        let kind = plot.kind;
        let note = note(&routes);
        let (secret, secret_version) = (format!("hunter{size}").into(), Some(size));
        let name = matches!(kind, ROLE | CLUSTER).then(|| format!("dev-{index}"));
        let key = key("part", index);
        macro_rules! part {
            ($($kind:ident)*) => {
                match kind {
                    $($kind => graph.part(key, Sim::<$kind> { name, size, cidr, within, routes, secret, secret_version, note, tags }),)*
                    other => unreachable!("no kind {other}"),
                }
            };
        }
        let handle = part!(VPC SUBNET ADDRESS NAT ROUTES ROLE CLUSTER GATEWAY);
        made.push((kind, handle));
    }
    graph
}

fn on_paused_time<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(work)
}

/// More for a longer search: `PROPTEST_CASES=2000 cargo test -p reconcile`.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_graph_survives_any_fault(
        plots in prop::collection::vec(plot(), 1..8),
        faults in prop::array::uniform3((0..20usize, 0..FAULTS.len())),
        lags in any::<bool>(),
    ) {
        on_paused_time(async {
            let (before, after) = (build(&plots, false), build(&plots, true));
            prop_assert!(before.check().is_ok() && after.check().is_ok());
            let picture = async |graph: &Graph| {
                let (world, _) = made_in(World::hasty(), graph).await;
                world.rest().await;
                world.picture()
            };
            let [on_create, on_update, on_destroy] = faults.map(|(at, fault)| (at, FAULTS[fault]));
            let mut world = World::hasty();
            if lags {
                world.with(|state| state.lag = Duration::from_secs(10));
            }

            let case = format!("create, {on_create:?}");
            world.plan(on_create.0, on_create.1);
            let outcome =
                world.process(async |engine| apply(&engine, &before, &Known::default(), &create("one")).await).await;
            let known = match outcome {
                Some(outcome) if outcome.is_done() => outcome.report.known().of(&before),
                outcome => {
                    // A second root may come to light after its first parts, as the engine says; not so when all is seen.
                    if outcome.is_none() {
                        world.rest().await;
                    }
                    go_on(&case, &mut world, &before).await
                }
            };
            finish(&case, &mut world, &before, known.clone(), &picture(&before).await).await;

            let case = format!("update, {on_update:?}");
            let mut known = world.engine().observe(Some(&before), &known).await.report().known().of(&before);
            world.plan(on_update.0, on_update.1);
            let outcome = world.process(async |engine| plan_and_apply(&engine, &before, &after, &known, None).await).await;
            world.with(|state| state.fault = None);
            if let Some(outcome) = outcome {
                let harmless = matches!(on_update.1, Fault::Lost | Fault::Reset | Fault::Throttled | Fault::Unavailable);
                prop_assert!(outcome.is_done() || !harmless, "{case}: {}", texts(&outcome));
                known = outcome.report.known().of(&after);
                world.restart();
                world.rest().await;
                known = world.engine().observe(Some(&after), &known).await.report().known().of(&after);
            }
            let outcome =
                world.process(async |engine| plan_and_apply(&engine, &before, &after, &known, None).await).await.unwrap();
            prop_assert!(outcome.is_done(), "{case}: {}", texts(&outcome));
            known = outcome.report.known().of(&after);
            finish(&case, &mut world, &after, known.clone(), &picture(&after).await).await;

            let case = format!("destroy, {on_destroy:?}");
            world.plan(on_destroy.0, on_destroy.1);
            world.process(async |engine| engine.destroy(Some(&after), &known, None).await).await;
            world.with(|state| state.fault = None);
            // Also without what the state knows: by tags alone, in the order that references say.
            let outcome =
                world.process(async |engine| engine.destroy(None, &Known::default(), None).await).await.unwrap();
            prop_assert!(outcome.is_done(), "{case}: {}", texts(&outcome));
            prop_assert_eq!(world.picture(), Vec::new(), "{}", case);
            Ok(())
        })?;
    }
}
