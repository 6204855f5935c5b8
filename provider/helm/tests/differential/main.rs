//! Generated templates and values against the oracle. A batch by default; `HELM_FUZZ_ROUNDS=n` runs n batches,
//! `HELM_FUZZ_SEED` begins elsewhere. What is found becomes a line or a chart of the corpus.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod expressions;
#[path = "../oracle/mod.rs"]
mod oracle;
mod structures;

use std::collections::BTreeMap;
use std::path::Path;

use helm::{Chart, Release, Renderer};
use oracle::{HELM, Outcome, template, write_chart};

/// A sequence of choices that follows from its seed.
struct Generator(u64);

impl Generator {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

/// Whether helm's and our messages must be the same where both refuse.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Messages {
    Any,
    Same,
}

fn run(program: &Path, chart: &Path) -> Outcome {
    let mut out = template(program, chart, &[]);
    // Which of several comes first, and how its value is shown, is up to Go's maps.
    if let Some(known) = out.error.find("unsupported map key of type") {
        out.error.truncate(known);
        out.error.truncate(out.error.trim_end().len());
    }
    out
}

/// Runs the batches: a batch is values, and templates which see those values and nothing of each other.
fn batches(
    mut batch: impl FnMut(&mut Generator) -> Vec<(String, Vec<String>)>,
    messages: Messages,
    at_least: usize,
) {
    let number = |name: &str, default: u64| {
        std::env::var(name)
            .ok()
            .and_then(|v| v.parse().ok())
            .unwrap_or(default)
    };
    let seed = number("HELM_FUZZ_SEED", 1);
    let mut findings = Vec::new();
    let mut compared = 0;
    for round in 0..number("HELM_FUZZ_ROUNDS", 1) {
        let mut generator = Generator(seed.wrapping_add(round).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        for (values, templates) in batch(&mut generator) {
            compared += compare(&values, templates, messages, &mut findings);
        }
    }
    assert!(
        findings.is_empty(),
        "{} of {compared} differ:\n{}",
        findings.len(),
        findings.join("\n")
    );
    assert!(compared > at_least, "only {compared} were compared");
}

fn compare(values: &str, templates: Vec<String>, messages: Messages, findings: &mut Vec<String>) -> usize {
    let (helm, ours) = (&*HELM, oracle::ours());
    let work = tempfile::tempdir().unwrap();
    let (mut fine, mut failing) = (Vec::new(), Vec::new());
    let mut compared = 0;
    for (index, text) in templates.into_iter().enumerate() {
        let folder = work.path().join(format!("e{index}"));
        write_chart(&folder, values, &[("t.yaml".into(), text.clone())]);
        let chart = Chart::load(&folder);
        let rendered = chart.and_then(|chart| {
            Renderer::new(&chart, Release::new("rel", "ns")).render(&serde_json::json!({}))
        });
        match rendered {
            Ok(_) => fine.push((format!("t{index:03}.yaml"), text)),
            Err(_) => failing.push((folder, text)),
        }
    }
    if !fine.is_empty() {
        compared += compare_together(values, &fine, &work.path().join("together"), findings);
    }
    // Failures: a sample, since each costs a process.
    for (folder, text) in failing.iter().take(30) {
        compared += 1;
        let (a, b) = (run(helm, folder), run(ours, folder));
        if a.success {
            findings.push(format!("we refuse, helm does not: {text}: {}", b.error));
        } else if messages == Messages::Same && a.error != b.error && !a.error.contains("common.Capabilities")
        {
            findings.push(format!(
                "other message: {text}:\n  helm {}\n  ours {}",
                a.error, b.error
            ));
        }
    }
    compared
}

/// Templates that we can render, in one chart, so that helm is started once.
fn compare_together(
    values: &str,
    fine: &[(String, String)],
    together: &Path,
    findings: &mut Vec<String>,
) -> usize {
    let (helm, ours) = (&*HELM, oracle::ours());
    write_chart(together, values, fine);
    let (mut a, b) = (run(helm, together), run(ours, together));
    // helm stops at the first failure: what fails for it alone is taken out.
    for _ in 0..20 {
        if a.success {
            break;
        }
        let Some((name, text)) = fine.iter().find(|(name, _)| a.error.contains(name.as_str())) else {
            findings.push(format!("helm refuses, we do not: {values}: {}", a.error));
            break;
        };
        findings.push(format!("helm refuses, we do not: {text} {}", a.error));
        std::fs::remove_file(together.join("templates").join(name)).unwrap();
        a = run(helm, together);
    }
    let parts = |text: &str| {
        text.split("---\n# Source: c/templates/")
            .skip(1)
            .filter_map(|p| p.split_once('\n'))
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .collect::<BTreeMap<_, _>>()
    };
    let (a, b) = (parts(&a.output), parts(&b.output));
    for (name, theirs) in &a {
        // Go prints the address of the capabilities, a new one every time.
        if b.get(name) != Some(theirs) && !theirs.contains("Capabilities:0x") {
            let text = fine.iter().find(|(n, _)| n == name).map_or("", |(_, t)| t);
            findings.push(format!("{values}\n{text}  helm {theirs}  ours {:?}", b.get(name)));
        }
    }
    a.len()
}

#[test]
fn generated_expressions_mean_what_they_mean_to_helm() {
    let batch = |generator: &mut Generator| {
        let templates = (0..400).map(|_| {
            let expression = generator.call(2);
            format!("kind: x\nv: {{{{ {expression} | toJson | quote }}}}\n")
        });
        vec![(expressions::VALUES.to_owned(), templates.collect())]
    };
    batches(batch, Messages::Any, 100);
}

#[test]
fn generated_structures_mean_what_they_mean_to_helm() {
    let batch = |generator: &mut Generator| {
        let templates = (0..300).map(|index| generator.file(index)).collect();
        vec![(structures::VALUES.to_owned(), templates)]
    };
    batches(batch, Messages::Same, 150);
}

#[test]
fn generated_values_are_read_as_helm_reads_them() {
    let batch = |generator: &mut Generator| {
        let shown = [
            ".Values",
            "(toYaml .Values)",
            "(toYamlPretty .Values)",
            "(print .Values)",
        ];
        let mut template = String::from("kind: x\n");
        for (index, what) in shown.iter().enumerate() {
            template += &format!("v{index}: {{{{ {what} | toJson | quote }}}}\n");
        }
        let values = (0..40).map(|_| (generator.values(), vec![template.clone()]));
        values.collect()
    };
    batches(batch, Messages::Same, 30);
}
