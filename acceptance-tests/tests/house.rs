//! The rules of the house that no compiler checks: who may import whom, and that nothing is built twice.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::process::Command;

/// Every crate of ours with its floor.
const FLOORS: &[(&str, u8)] = &[
    ("proto", 0),
    ("plugin", 1),
    ("framework-derive", 1),
    ("framework", 2),
    ("reconcile-derive", 2),
    ("reconcile", 3),
    ("aws", 4),
    ("kubernetes", 4),
    ("helm", 4),
    ("resources", 5),
    ("terraform-provider-ekb", 6),
    ("conformance", 7),
    ("acceptance-tests", 8),
    ("terraform-provider-exercise", 9),
];

fn floor(name: &str) -> Option<u8> {
    FLOORS.iter().find(|(n, _)| *n == name).map(|(_, floor)| *floor)
}

fn packages() -> Vec<serde_json::Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version=1", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

#[test]
fn a_crate_imports_only_from_floors_beneath_it() {
    let mut wrong = Vec::new();
    for package in packages() {
        let name = package["name"].as_str().unwrap();
        let own = floor(name).unwrap_or_else(|| panic!("{name} has no floor: add it to FLOORS"));
        for dependency in package["dependencies"].as_array().unwrap() {
            let on = dependency["name"].as_str().unwrap();
            if let Some(other) = floor(on).filter(|_| dependency["path"].is_string() && on != name)
                && other >= own
            {
                wrong.push(format!("{name} (floor {own}) imports {on} (floor {other})"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn only_the_aws_crate_sees_the_sdk() {
    for package in packages().iter().filter(|p| p["name"] != "aws") {
        for dependency in package["dependencies"].as_array().unwrap() {
            let on = dependency["name"].as_str().unwrap();
            assert!(
                !on.starts_with("aws-") || on.starts_with("aws-lc"),
                "{} imports {on}",
                package["name"]
            );
        }
    }
}

/// Every dependency with its features, as cargo would build it.
fn features(edges: &[&str]) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--workspace", "--offline", "--no-dedupe"])
        .args(["--prefix=none", "--format={p} {f}"])
        .args(edges)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// `make demo` builds without tests, `make test` with them: were a feature asked for by tests only, the AWS SDK would be built twice.
#[test]
fn tests_ask_for_no_feature_that_the_programs_are_built_without() {
    let (with, without) = (features(&[]), features(&["--edges=no-dev"]));
    let other: Vec<_> = without.difference(&with).collect();
    assert!(
        other.is_empty(),
        "other features without tests: {other:#?}; declare them in [dependencies] of acceptance-tests"
    );
}
