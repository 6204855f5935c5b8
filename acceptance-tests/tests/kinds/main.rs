//! The contract of every kind, alone on the emulator: it is seen, made, changed field by field, tagged and unmade, also where
//! calls go wrong. A new kind gets all of this by a row in `table.rs`.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod catalogue;
mod stage;
mod stand_in;
mod table;

use std::collections::BTreeSet;
use std::sync::Mutex;

use acceptance_tests::Stopwatch;
use reconcile::graph::Graph;
use reconcile::part::{FieldRule, Remedy};
use reconcile::report::{Allowed, Change, Known};
use stage::{Act, Stage};
use table::{Field, Row, SUBJECT, rows};

/// So many kinds at once: most of the time is AWS's, not the machine's.
const AT_ONCE: usize = 6;

#[test]
fn every_kind_keeps_the_contract() {
    let watch = Stopwatch::start();
    // Some alone, while one works on them: `EKB_KINDS=iam_role,kms_key`.
    let only = std::env::var("EKB_KINDS").ok();
    let is_meant = |row: &Row| {
        only.as_ref()
            .is_none_or(|only| only.split(',').any(|kind| kind == row.kind))
    };
    let rows: Vec<Row> = rows().into_iter().filter(is_meant).collect();
    let (rows, told) = (Mutex::new(rows.into_iter()), Mutex::new(Vec::new()));
    let work = || {
        loop {
            let Some(row) = rows.lock().unwrap().next() else {
                return;
            };
            let watch = Stopwatch::start();
            let (cases, wrong) = contract(&row);
            eprintln!("{:24} {cases:3} cases in {:.1?}", row.kind, watch.elapsed());
            told.lock().unwrap().push((cases, wrong));
        }
    };
    std::thread::scope(|scope| (0..AT_ONCE).for_each(|_| drop(scope.spawn(work))));
    let told = told.into_inner().unwrap();
    let cases: usize = told.iter().map(|(cases, _)| cases).sum();
    eprintln!("{cases} cases in {:.1?}", watch.elapsed());
    let wrong: Vec<String> = told.into_iter().flat_map(|(_, wrong)| wrong).collect();
    assert!(
        wrong.is_empty(),
        "{} of {cases} cases:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn every_kind_and_every_field_has_a_row() {
    let kinds = stage::every(&aws::Aws::new(aws::Settings::default()));
    // Kubernetes objects have tests of their own (`kubernetes_parts`).
    let elsewhere = |kind: &&str| !kind.contains('.');
    let there: BTreeSet<&str> = kinds
        .traits()
        .map(|traits| traits.kind)
        .filter(elsewhere)
        .collect();
    let rows = rows();
    let told: BTreeSet<&str> = rows.iter().map(|row| row.kind).collect();
    assert_eq!(
        there.difference(&told).collect::<Vec<_>>(),
        [&""; 0],
        "kinds without a row"
    );
    for row in &rows {
        let declared: BTreeSet<&str> = row.declared.iter().map(String::as_str).collect();
        let changed: BTreeSet<&str> = row.fields.iter().map(|field| field.name).collect();
        assert_eq!(declared, changed, "{}: fields with another value", row.kind);
    }
}

#[test]
fn an_update_that_fails_is_told_with_its_reason() {
    for (kind, field, operation, code) in [
        (
            "cluster",
            "logging",
            "UpdateClusterConfig",
            "InsufficientFreeAddresses",
        ),
        (
            "node_group",
            "version",
            "UpdateNodegroupVersion",
            "PodEvictionFailure",
        ),
        ("addon", "version", "UpdateAddon", "AdmissionRequestDenied"),
    ] {
        let row = rows().into_iter().find(|row| row.kind == kind).unwrap();
        let mut stage = Stage::set(&row);
        let (sample, other) = (row.graph(None), row.graph(Some(field)));
        assert!(
            stage.play(&Act::new("create", &sample).calmly(), "needs", "made"),
            "{kind}"
        );
        stage.case("an update that fails", |stage| {
            stage.fails_first(&other, "made", operation, code)
        });
        assert_eq!(stage.end().1, [""; 0]);
    }
}

/// All of one kind: how many cases, and what was wrong in which.
fn contract(row: &Row) -> (usize, Vec<String>) {
    let mut stage = Stage::set(row);
    let ((needs, _), sample) = (row.needs(), row.graph(None));
    let create = Act::new("create", &sample);
    if !stage.play(&create, "needs", "made") {
        return stage.end();
    }
    stage.tags_are_in_the_first_call(&create, "needs");
    // Who lost the state finds it again, by tags or by name.
    stage.case("found again", |stage| {
        stage.unchanging(&sample, "needs", |stage| stage.restore("made"))?;
        stage.unchanging(&sample, "made", |stage| stage.restore("made"))
    });
    stage.looks_denied(&sample);
    for field in &row.fields {
        match field.outside {
            Some(change) => {
                let before = format!("another {}", field.name);
                stage.outside("made", &before, change);
                let act = Act::new(&format!("{} as it was", field.name), &sample);
                stage.play(&act.in_place(), &before, "mended");
            }
            None => another_value(&mut stage, row, field, &sample),
        }
    }
    let delete = Act::new("delete", &needs).replacing();
    if !row.stays && stage.play(&delete, "made", "deleted") {
        stage.case("delete what is gone", |stage| {
            stage.unchanging_as(&needs, &Allowed::All, "made", |stage| stage.restore("deleted"))
        });
    }
    stage.end()
}

/// The field declared with another value: the plan says what becomes of it, and the apply does that.
fn another_value(stage: &mut Stage, row: &Row, field: &Field, sample: &Graph) {
    let (name, other) = (format!("another {}", field.name), row.graph(Some(field.name)));
    if is_refused(&other, stage.known("made"), field) {
        return stage.case(&format!("{name} refused"), |stage| {
            stage.refused(&other, "made", field.name)
        });
    }
    let change = other.changes(stage.known("made")).remove(&SUBJECT.into());
    let has = |fields: &[String]| fields.iter().any(|changed| changed == field.name);
    let is_said = match (&change, &field.remedy) {
        (None, _) => field.rule == FieldRule::NotCompared,
        (Some(Change::Update(fields)), Remedy::Update) => has(fields),
        (Some(Change::Replace(fields)), Remedy::Replace) => has(fields),
        _ => false,
    };
    let says = format!("the plan says {change:?}");
    stage.case(&name, |_| if is_said { Ok(()) } else { Err(says) });
    match change {
        Some(Change::Update(_)) => {
            let (back, act) = (format!("{name} and back"), Act::new(&name, &other).in_place());
            if !stage.play(&act, "made", &name) {
                return;
            }
            if is_refused(sample, stage.known(&name), field) {
                return stage.case(&format!("{back} refused"), |stage| {
                    stage.refused(sample, &name, field.name)
                });
            }
            stage.play(&Act::new(&back, sample).in_place().calmly(), &name, &back);
        }
        Some(Change::Replace(_)) if !row.stays => {
            let unplanned = format!("{name}, not planned");
            stage.case(&unplanned, |stage| stage.refused(&other, "made", field.name));
            stage.play(&Act::new(&name, &other).replacing().calmly(), "made", &name);
        }
        _ => {}
    }
}

/// Whether the plan ends with an error for this field.
fn is_refused(graph: &Graph, known: &Known, field: &Field) -> bool {
    let refused = graph.foresee(known).refused();
    refused.iter().any(|(_, said, _)| said.starts_with(field.name))
}
