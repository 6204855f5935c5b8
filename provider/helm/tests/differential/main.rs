//! Generated templates and values against the oracle. A batch by default; `HELM_FUZZ_ROUNDS=n` runs n batches,
//! `HELM_FUZZ_SEED` begins elsewhere. What is found becomes a line or a chart of the corpus.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod charts;
mod expressions;
mod library;
#[path = "../oracle/mod.rs"]
mod oracle;
mod sets;
mod structures;
mod written;

use std::collections::BTreeMap;
use std::path::Path;

use charts::Case;
use helm::{Chart, Release, Renderer};
use library::{Library, Rendered};
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

fn setting(name: &str, default: u64) -> u64 {
    let set = std::env::var(name).ok();
    set.and_then(|v| v.parse().ok()).unwrap_or(default)
}

/// Runs the batches: a batch is values, and templates which see those values and nothing of each other.
fn batches(
    mut batch: impl FnMut(&mut Generator) -> Vec<(String, Vec<String>)>,
    messages: Messages,
    at_least: usize,
) {
    let seed = setting("HELM_FUZZ_SEED", 1);
    let mut findings = Vec::new();
    let mut compared = 0;
    for round in 0..setting("HELM_FUZZ_ROUNDS", 1) {
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

/// Paths and texts, the user's values, the chart whose values are shown, and those values.
type Small = (
    &'static [(&'static str, &'static str)],
    &'static [&'static str],
    &'static str,
    &'static str,
);

/// The smallest charts of what was once otherwise.
const SMALLEST: [Small; 13] = [
    // A null of a chart that declares its dependencies deletes in the chart for which it is meant.
    (
        &[
            ("Chart.yaml", "dependencies: [{name: s, version: '*'}]"),
            ("charts/s/Chart.yaml", ""),
            ("charts/s/values.yaml", "t: {sc: {runAsUser: null}}"),
            ("charts/s/charts/t/Chart.yaml", ""),
            (
                "charts/s/charts/t/values.yaml",
                "sc: {runAsUser: 472, fsGroup: 1}",
            ),
        ],
        &[],
        "charts/s/charts/t/",
        r#"{"global":{},"sc":{"fsGroup":1}}"#,
    ),
    // Elsewhere it stays as soon as the user gives that chart a value.
    (
        &[
            ("Chart.yaml", "dependencies: [{name: s, version: '*'}]"),
            ("charts/s/Chart.yaml", ""),
            ("charts/s/values.yaml", "m: {x: null, k: 1}"),
        ],
        &["s: {q: 1}"],
        "charts/s/",
        r#"{"global":{},"m":{"k":1,"x":null},"q":1}"#,
    ),
    (
        &[
            ("Chart.yaml", "dependencies: [{name: s, version: '*'}]"),
            ("values.yaml", "global: {q: {w: null}}"),
            ("charts/s/Chart.yaml", ""),
            ("charts/s/values.yaml", "global: {q: {w: 1}}"),
        ],
        &["s: {q: 1}"],
        "charts/s/",
        r#"{"global":{"q":{}},"q":1}"#,
    ),
    // What a chart declares is decided before the globals of charts further out.
    (
        &[
            ("Chart.yaml", ""),
            ("values.yaml", "global: {a: {}}"),
            ("charts/s/Chart.yaml", "dependencies: [{name: t, version: '*'}]"),
            ("charts/s/charts/t/Chart.yaml", ""),
            ("charts/s/charts/t/values.yaml", "global: {a: 1}"),
        ],
        &[],
        "charts/s/charts/t/",
        r#"{"global":{"a":1}}"#,
    ),
    // A null in both is not deleted.
    (
        &[
            ("Chart.yaml", ""),
            ("values.yaml", "s: {c: {c: {b: null}}}"),
            ("charts/s/Chart.yaml", ""),
            ("charts/s/values.yaml", "c: {c: {b: null}}"),
        ],
        &["s: {}"],
        "charts/s/",
        r#"{"c":{"c":{"b":null}},"global":{}}"#,
    ),
    // Maps in global maps are shared: what one subchart adds, the next one sees.
    (
        &[
            ("Chart.yaml", ""),
            ("values.yaml", "global: {a: {b: {}}}"),
            ("charts/s/Chart.yaml", ""),
            ("charts/s/values.yaml", "global: {a: {b: {of: s}}}"),
            ("charts/t/Chart.yaml", ""),
        ],
        &[],
        "charts/t/",
        r#"{"global":{"a":{"b":{"of":"s"}}}}"#,
    ),
    // Beneath a chart that declares nothing, nothing is decided.
    (
        &[
            ("Chart.yaml", ""),
            (
                "charts/s/Chart.yaml",
                "dependencies: [{name: t, version: '*', alias: u, condition: off}]",
            ),
            ("charts/s/values.yaml", "off: false"),
            ("charts/s/charts/t/Chart.yaml", ""),
        ],
        &[],
        "charts/s/charts/t/",
        r#"{"global":{}}"#,
    ),
    // Documents are laid one on the other; a null in a later one deletes.
    (
        &[
            ("Chart.yaml", ""),
            (
                "values.yaml",
                "a: {x: 1, y: 2}\nb: 1\n--- # more\na: {y: null, z: 3}\nb: null\n---\n",
            ),
        ],
        &[],
        "",
        r#"{"a":{"x":1,"z":3}}"#,
    ),
    (
        &[
            ("Chart.yaml", ""),
            ("charts/s/Chart.yaml", ""),
            ("charts/s/values.yaml", "---\na: 1\n---\nb: 2\n"),
        ],
        &["s: {b: 3}\n---\ns: {a: null}\n---\n# nothing"],
        "charts/s/",
        r#"{"b":3,"global":{}}"#,
    ),
    (
        &[("Chart.yaml", ""), ("values.yaml", "a: 1\n---\n[1]\n")],
        &[],
        "",
        "cannot load values.yaml: cannot unmarshal yaml document: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into Go value of type map[string]interface {}",
    ),
    (
        &[("Chart.yaml", "")],
        &["a: 1\n--- b: 2\n"],
        "",
        "failed to parse v0.yaml: error reading yaml document: invalid Yaml document separator: b: 2",
    ),
    // A later file does not change what an anchor of an earlier one shares.
    (
        &[("Chart.yaml", "")],
        &["a: &x {k: 1}\nb: *x", "a: {k: 2}"],
        "",
        r#"{"a":{"k":2},"b":{"k":1}}"#,
    ),
    // A map that an import puts into itself. helm ends with its stack.
    (
        &[
            (
                "Chart.yaml",
                "dependencies: [{name: s, version: '*', import-values: [{child: a, parent: .}, {child: a, parent: x}]}]",
            ),
            ("charts/s/Chart.yaml", ""),
            ("charts/s/values.yaml", "a: {x: {}}"),
        ],
        &[],
        "",
        "crashed",
    ),
];

fn smallest() -> impl Iterator<Item = (Case, String, &'static str)> {
    SMALLEST.iter().map(|(files, values, chart, shown)| {
        let mut case = Case {
            values: values.iter().map(|v| (*v).to_owned()).collect(),
            ..Case::default()
        };
        for (path, text) in *files {
            let mut text = (*text).to_owned();
            if let Some(folder) = path.strip_suffix("Chart.yaml") {
                let name = folder
                    .trim_end_matches('/')
                    .rsplit('/')
                    .next()
                    .filter(|name| !name.is_empty());
                text = format!(
                    "apiVersion: v2\nname: {}\nversion: 1.0.0\n{text}\n",
                    name.unwrap_or("c")
                );
                let template = "kind: x\nv: {{ .Values | toJson | quote }}\n".to_owned();
                case.files.insert(format!("{folder}templates/a.yaml"), template);
            }
            case.files.insert((*path).to_owned(), text);
        }
        (case, format!("c/{chart}templates/a.yaml"), *shown)
    })
}

#[test]
fn nulls_globals_and_documents_of_the_smallest_charts() {
    for (case, file, expected) in smallest() {
        let found = library::ours(&case).map(|files| files[&file].clone());
        let expected = if expected.starts_with('{') {
            Ok(format!("kind: x\nv: {expected:?}\n"))
        } else {
            Err(expected.to_owned())
        };
        assert_eq!(found, expected, "{case:#?}");
    }
}

/// A generator that begins at a number.
fn numbered(number: u64) -> Generator {
    Generator(number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// Cases for the command line: 60 a round.
fn sample(generate: fn(&mut Generator) -> Case) -> Vec<Case> {
    let seeds = 60 * setting("HELM_FUZZ_SEED", 1)
        ..60 * (setting("HELM_FUZZ_SEED", 1) + setting("HELM_FUZZ_ROUNDS", 1));
    seeds.map(|seed| generate(&mut numbered(seed))).collect()
}

/// The command line, for a sample.
#[test]
fn generated_charts_in_charts_are_rendered_as_helm_renders_them() {
    by_command_line(
        smallest()
            .map(|(case, ..)| case)
            .chain(sample(Generator::case))
            .collect(),
    );
}

#[test]
fn generated_arguments_of_set_are_read_as_helm_reads_them() {
    by_command_line(sample(Generator::arguments));
}

#[test]
fn generated_scalars_are_read_as_helm_reads_them() {
    by_command_line(sample(Generator::scalars));
}

#[test]
fn generated_manifests_are_read_as_helm_reads_them() {
    by_command_line(sample(Generator::manifest));
}

#[test]
fn generated_values_are_written_as_helm_writes_them() {
    by_command_line(sample(Generator::writers));
}

fn by_command_line(cases: Vec<Case>) {
    let findings = oracle::gather(&cases, |case| {
        let work = tempfile::tempdir().unwrap();
        let arguments = case.write(work.path());
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let chart = work.path().join("c");
        let asked = |program: &Path| {
            let mut outcome = template(program, &chart, &arguments);
            outcome.error = unworded(&outcome.error);
            outcome
        };
        let ours = asked(oracle::ours());
        // Where helm takes Go's maps in whatever order, one of its answers is enough.
        let mut theirs = (0..4).map(|_| asked(&HELM));
        let equal = |theirs: &Outcome| {
            *theirs == ours
                || theirs.error.contains("stack overflow") && ours.error.contains("contain themselves")
        };
        (!theirs.any(|theirs| equal(&theirs))).then(|| {
            format!(
                "{case:#?}\nhelm {:#?}\nours {ours:#?}",
                template(&HELM, &chart, &arguments)
            )
        })
    });
    assert!(
        findings.is_empty(),
        "{} differ:\n{}",
        findings.len(),
        findings.join("\n")
    );
}

/// 10,000 charts; run by `make sweep`.
#[test]
#[ignore = "the library of helm takes minutes to build"]
fn generated_charts_in_charts_are_what_the_library_makes_of_them() {
    by_library(Generator::case);
}

#[test]
#[ignore = "the library of helm takes minutes to build"]
fn generated_arguments_of_set_are_what_the_library_makes_of_them() {
    by_library(Generator::arguments);
}

#[test]
#[ignore = "the library of helm takes minutes to build"]
fn generated_scalars_are_what_the_library_reads() {
    by_library(Generator::scalars);
}

#[test]
#[ignore = "the library of helm takes minutes to build"]
fn generated_values_are_what_the_library_writes() {
    by_library(Generator::writers);
}

/// An error without the words for a text that is no YAML: which of several mistakes is told is not compared.
fn unworded(error: &str) -> String {
    let at = error.find("YAML to JSON: yaml: ").unwrap_or(error.len());
    error[..at].to_owned()
}

/// Where renders differ, and what the first differing line is called.
fn differing_lines(
    theirs: &BTreeMap<String, String>,
    ours: &BTreeMap<String, String>,
) -> (String, [String; 2]) {
    let mut found = String::new();
    let mut kind = [String::new(), String::new()];
    let empty = String::new();
    for name in theirs
        .keys()
        .chain(ours.keys().filter(|name| !theirs.contains_key(*name)))
    {
        let [theirs, ours] = [theirs, ours].map(|files| files.get(name).unwrap_or(&empty));
        let length = theirs.lines().count().max(ours.lines().count());
        let lines = |text: &str| {
            text.lines()
                .map(str::to_owned)
                .chain(std::iter::repeat(String::new()))
                .take(length)
                .collect::<Vec<_>>()
        };
        for (theirs, ours) in lines(theirs)
            .iter()
            .zip(&lines(ours))
            .filter(|(theirs, ours)| theirs != ours)
        {
            if found.is_empty() {
                kind[0] = theirs.split(':').next().unwrap_or_default().to_owned();
            }
            found += &format!("{name}\nhelm {theirs}\nours {ours}\n");
        }
    }
    (found, kind)
}

fn by_library(generate: fn(&mut Generator) -> Case) {
    let (seed, wanted) = (setting("HELM_FUZZ_SEED", 1), setting("HELM_FUZZ_CHARTS", 10_000));
    let mut library = Library::start();
    let (mut compared, mut refused, mut random, mut differing) = (0u64, 0, 0, 0);
    // How many, and the smallest, by what both sides say.
    let mut findings: BTreeMap<[String; 2], (usize, String)> = BTreeMap::new();
    let mut index = seed * 1_000_000;
    while compared < wanted {
        let case = generate(&mut numbered(index));
        index += 1;
        let theirs = library.render(&case);
        let mistake = |rendered: Rendered| rendered.map_err(|e| unworded(&e));
        let (theirs, ours) = (mistake(theirs), mistake(library::ours(&case)));
        // Where helm takes Go's maps in whatever order, it is no oracle.
        if ours != theirs && (0..8).any(|_| mistake(library.render(&case)) != theirs) {
            random += 1;
            continue;
        }
        compared += 1;
        refused += usize::from(theirs.is_err());
        if ours != theirs {
            differing += 1;
            let start = |text: &str| text.chars().take(60).collect();
            let (mut found, kind) = match (&theirs, &ours) {
                (Ok(theirs), Ok(ours)) => differing_lines(theirs, ours),
                (theirs, ours) => {
                    let said = [theirs, ours].map(|r| r.as_ref().err().map_or("rendered", String::as_str));
                    (format!("helm {}\nours {}\n", said[0], said[1]), said.map(start))
                }
            };
            found += &serde_json::to_string_pretty(&case).unwrap();
            let (count, smallest) = findings.entry(kind).or_default();
            *count += 1;
            if *count == 1 || found.len() < smallest.len() {
                *smallest = found;
            }
        }
    }
    eprintln!("{compared} charts compared, {refused} of them refused by helm; {random} are random to helm");
    for (kind, (count, smallest)) in &findings {
        eprintln!("{count} times {kind:?}: {smallest}");
    }
    assert!(findings.is_empty(), "{differing} of {compared} differ");
}
