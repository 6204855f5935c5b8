//! A reconcile or destroy from begin to end.
use crate::engine::Engine;
use crate::graph::Graph;
use crate::ownership::Purpose;
use crate::report::{Allowed, Known, Outcome};

pub(crate) async fn reconcile(
    engine: &Engine,
    stages: &[Graph],
    known: &Known,
    _: &Allowed,
    _: &Purpose,
) -> Outcome {
    let report = crate::observe::Observation::look(engine, stages, known)
        .await
        .report();
    Outcome {
        report,
        ..Outcome::default()
    }
}

pub(crate) async fn destroy(
    engine: &Engine,
    graph: Option<&Graph>,
    known: &Known,
    _: Option<&str>,
) -> Outcome {
    let report = engine.observe(graph, known).await.report();
    Outcome {
        report,
        ..Outcome::default()
    }
}
