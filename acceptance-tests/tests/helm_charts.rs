//! Charts that others wrote, rendered by helm v4.3.1 and by us: equal in every scenario.
#![allow(missing_docs, clippy::expect_used, reason = "tests")]

use std::path::Path;
use std::process::Command;

use acceptance_tests::{built, tool};
use serde_json::Value;

/// Those of Karpenter's Go modules: the charts of this version in full, and the packed ones of 63 older versions.
#[test]
fn karpenters_charts_are_rendered_as_helm_renders_them() {
    let charts = tool("karpenter-charts");
    let folder = tempfile::tempdir().expect("a folder");
    let report = folder.path().join("report.json");
    let done = Command::new(tool("venv"))
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("compare-charts/compare-charts"))
        .arg(charts.parent().expect("the tool's folder"))
        .arg("--helm")
        .arg(tool("helm"))
        .arg("--ekb")
        .arg(built("ekb-helm", "helm"))
        .arg("--json")
        .arg(&report)
        .output()
        .expect("compare-charts runs");
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(
        done.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&done.stderr)
    );

    let report = std::fs::read_to_string(report).expect("a report");
    let report: serde_json::Map<String, Value> = serde_json::from_str(&report).expect("JSON");
    let sum = |field: &str| -> u64 { report.values().filter_map(|chart| chart[field].as_u64()).sum() };
    eprintln!("{}", said.lines().last().unwrap_or_default());
    // Charts and helm are pinned: fewer scenarios would mean that something was passed over.
    assert_eq!(
        (report.len(), sum("scenarios"), sum("equal"), sum("documents")),
        (66, 257, 257, 3744)
    );
}
