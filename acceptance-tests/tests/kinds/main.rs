//! The contract of every kind, alone on the emulator: it is seen, made, changed field by field, tagged and unmade, also where
//! calls go wrong. A new kind gets all of this by a row in `table.rs`.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod stage;
mod table;

use std::collections::BTreeSet;
use std::sync::Mutex;

use acceptance_tests::Stopwatch;
use reconcile::part::{FieldRule, Remedy};
use reconcile::report::{Allowed, Change};
use stage::{Act, Stage};
use table::{Row, SUBJECT, rows};

/// So many kinds at once: most of the time is AWS's, not the machine's.
const AT_ONCE: usize = 6;

#[test]
fn every_kind_keeps_the_contract() {
    let watch = Stopwatch::start();
    let (rows, told) = (Mutex::new(rows().into_iter()), Mutex::new(Vec::new()));
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
    let nowhere = aws::Aws::new(aws::Settings::default());
    let kinds = resources::registry::kinds(&nowhere, "eu-central-1");
    let there: BTreeSet<&str> = kinds.traits().map(|traits| traits.kind).collect();
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

/// All of one kind: how many cases, and what was wrong in which.
fn contract(row: &Row) -> (usize, Vec<String>) {
    let mut stage = Stage::set(row);
    let (needs, sample) = (row.needs(), row.graph(None));
    let create = Act::new("create", &sample);
    stage.play(&create, "needs", "made");

    // Who lost the state finds it again, by tags or by name.
    stage.case("found again", |stage| {
        stage.unchanging(&sample, "needs", |stage| stage.restore("made"))?;
        stage.unchanging(&sample, "made", |stage| stage.restore("made"))
    });
    stage.looks_denied(&sample);

    for field in &row.fields {
        let other = row.graph(field.outside.is_none().then_some(field.name));
        let name = format!("another {}", field.name);
        if let Some((operation, parameters)) = field.outside {
            let id = stage.id("made");
            stage.outside("made", &format!("{name} outside"), operation, &parameters(&id));
            stage.play(
                &Act::new(&name, &sample).in_place(),
                &format!("{name} outside"),
                &name,
            );
            continue;
        }
        let change = other.changes(stage.known("made")).remove(&SUBJECT.into());
        let says = |is: &dyn Fn(&[String]) -> bool, fields: &[String]| is(fields).then_some(());
        let has = |fields: &[String]| fields.iter().any(|changed| changed == field.name);
        let fits = match (&change, field.rule, &field.remedy) {
            (None, FieldRule::NotCompared, _) => Some(()),
            (Some(Change::Update(fields)), _, Remedy::Update) => says(&has, fields),
            (Some(Change::Replace(fields)), _, Remedy::Replace) => says(&has, fields),
            _ => None,
        };
        stage.case(&name, |_| fits.ok_or(format!("the plan says {change:?}")));
        match change {
            Some(Change::Update(_)) => {
                stage.play(&Act::new(&name, &other).in_place(), "made", &name);
                stage.play(
                    &Act::new(&format!("{name} and back"), &sample).in_place().calmly(),
                    &name,
                    "back",
                );
            }
            Some(Change::Replace(_)) if !row.stays => {
                stage.case(&format!("{name}, not planned"), |stage| {
                    stage.refused(&other, "made", field.name)
                });
                stage.play(&Act::new(&name, &other).replacing().calmly(), "made", &name);
            }
            _ => {}
        }
    }
    if !row.stays {
        let delete = Act::new("delete", &needs).replacing();
        stage.play(&delete, "made", "deleted");
        stage.case("delete what is gone", |stage| {
            stage.unchanging_as(&needs, &Allowed::All, "made", |stage| stage.restore("deleted"))
        });
    }
    stage.end()
}
