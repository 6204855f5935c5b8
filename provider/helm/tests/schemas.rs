//! `values.schema.json`, valid or not, with values that fit or not: what helm says of them, and what we say.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod oracle;

use std::collections::BTreeMap;
use std::path::Path;

use oracle::{HELM, corpus, ours, write_chart};

/// What a program says of each subchart. Lines are sorted: properties come in the order of Go's maps, that is in none.
fn complaints(program: &Path, chart: &Path) -> BTreeMap<String, Vec<String>> {
    let out = oracle::Outcome::of(
        std::process::Command::new(program)
            .args(["template", "rel"])
            .arg(chart)
            .env_clear()
            .env("HOME", std::env::temp_dir()),
    );
    let mut all = BTreeMap::new();
    // A subchart's name may follow what is said of the one before without a line end.
    let mut parts = out.error.split("chart-");
    assert!(
        parts.next().unwrap().contains("don't meet the specifications"),
        "{}",
        out.error
    );
    for part in parts {
        let (name, said) = part.split_once(":\n").unwrap();
        let mut lines: Vec<String> = said.trim_end().lines().map(in_order).collect();
        lines.sort_unstable();
        all.insert(name.to_owned(), lines);
    }
    all
}

/// A line with the names of properties in order.
fn in_order(line: &str) -> String {
    let Some((at, names)) = line.split_once("additional properties ") else {
        return line.to_owned();
    };
    let mut names: Vec<&str> = names.trim_end_matches(" not allowed").split(", ").collect();
    names.sort_unstable();
    format!("{at}additional properties {}", names.join(", "))
}

/// Each line of the corpus is a schema and values, and becomes a subchart of one chart, so that helm has to be started once.
#[test]
fn schemas_refuse_what_helm_refuses() {
    let text = std::fs::read_to_string(corpus().join("schemas.txt")).unwrap();
    let work = tempfile::tempdir().unwrap();
    write_chart(work.path(), "", &[]);
    let cases: Vec<(&str, &str)> = text.lines().map(|line| line.split_once('\t').unwrap()).collect();
    for (index, (schema, values)) in cases.iter().enumerate() {
        let folder = work.path().join(format!("charts/chart-{index:03}"));
        write_chart(&folder, values, &[]);
        let name = format!("apiVersion: v2\nname: chart-{index:03}\nversion: 1.0.0\n");
        std::fs::write(folder.join("Chart.yaml"), name).unwrap();
        std::fs::write(folder.join("values.schema.json"), schema).unwrap();
    }
    let (theirs, ours) = (complaints(&HELM, work.path()), complaints(ours(), work.path()));
    let mut findings = String::new();
    for (index, (schema, values)) in cases.iter().enumerate() {
        let name = format!("{index:03}");
        let (a, b) = (theirs.get(&name), ours.get(&name));
        if a != b {
            findings += &format!("{schema} <- {values}\n  helm {a:#?}\n  ours {b:#?}\n");
        }
    }
    assert!(findings.is_empty(), "{findings}");
    assert!(
        cases.len() > 400 && theirs.len() > 300,
        "{} {}",
        cases.len(),
        theirs.len()
    );
    println!("{} schemas equal, {} of them refuse", cases.len(), theirs.len());
}

/// A few lines of schema can be work for years; it must end with an error.
#[test]
fn a_schema_without_end_is_refused() {
    let work = tempfile::tempdir().unwrap();
    write_chart(work.path(), "a: 1\n", &[]);
    let level = |n: usize| {
        format!(
            "\"d{n}\": {{\"allOf\": [{{\"$ref\": \"#/$defs/d{0}\"}}, {{\"$ref\": \"#/$defs/d{0}\"}}]}}",
            n + 1
        )
    };
    let levels: Vec<String> = (0..60).map(level).collect();
    let schema = format!(
        "{{\"$ref\": \"#/$defs/d0\", \"$defs\": {{{}, \"d60\": true}}}}",
        levels.join(", ")
    );
    std::fs::write(work.path().join("values.schema.json"), schema).unwrap();
    let out = oracle::template(ours(), work.path(), &[]);
    assert!(
        !out.success && out.error.contains("takes too many steps"),
        "{}",
        out.error
    );
}

/// helm would fetch it, and so needs a connection to render. What the chart says itself is still checked.
#[test]
fn what_a_schema_refers_to_elsewhere_is_not_checked() {
    let work = tempfile::tempdir().unwrap();
    write_chart(work.path(), "a: 1\nb: 2\n", &[("a.yaml".into(), "a: b\n".into())]);
    let schema = r#"{"properties": {"a": {"$ref": "https://127.0.0.1:1/x.json#/definitions/a"}, "b": {"type": "number"}}}"#;
    std::fs::write(work.path().join("values.schema.json"), schema).unwrap();
    let out = oracle::template(ours(), work.path(), &[]);
    assert!(out.success, "{}", out.error);
    let out = oracle::template(ours(), work.path(), &["--set", "b=x"]);
    assert!(
        out.error.contains("at '/b': got string, want number"),
        "{}",
        out.error
    );
    let helms = oracle::template(&HELM, work.path(), &[]);
    assert!(helms.error.contains("failing loading"), "{}", helms.error);
}
