//! Our own charts, rendered by helm v4.3.1 and by us: documents must be equal to the byte, errors must be errors at the
//! same place with the same words.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod oracle;

use std::path::{Path, PathBuf};

use helm::{Chart, Release, Renderer, functions};
use oracle::{HELM, corpus, gather, ours, template as run, write_chart};

fn charts(folder: &Path, out: &mut Vec<PathBuf>) {
    if folder.join("Chart.yaml").exists() {
        out.push(folder.to_owned());
        return;
    }
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    names.sort();
    names.iter().filter(|p| p.is_dir()).for_each(|p| charts(p, out));
}

#[test]
fn charts_render_as_helm_renders_them() {
    let mut folders = Vec::new();
    charts(&corpus().join("charts"), &mut folders);
    let mut jobs: Vec<(PathBuf, Vec<String>)> = Vec::new();
    for folder in folders {
        jobs.push((folder.clone(), Vec::new()));
        for line in std::fs::read_to_string(folder.join("scenarios.txt"))
            .unwrap_or_default()
            .lines()
        {
            jobs.push((folder.clone(), line.split(' ').map(str::to_owned).collect()));
        }
    }
    assert!(jobs.len() > 80, "the corpus is there");
    let ours = ours();
    let findings = gather(&jobs, |(chart, arguments)| {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let (a, b) = (run(&HELM, chart, &arguments), run(ours, chart, &arguments));
        (a != b).then(|| format!("{} {arguments:?}\n  helm {a:#?}\n  ours {b:#?}", chart.display()))
    });
    assert!(
        findings.is_empty(),
        "{} of {} differ:\n{}",
        findings.len(),
        jobs.len(),
        findings.join("\n")
    );
    println!("{} renders of corpus charts equal", jobs.len());
}

fn template(expression: &str) -> String {
    format!("kind: x\nv: |-\n  {{{{ {expression} }}}}\n")
}

fn expressions() -> Vec<String> {
    let text = std::fs::read_to_string(corpus().join("expressions/all.txt")).unwrap();
    text.lines()
        .filter(|l| !l.trim().is_empty())
        .map(str::to_owned)
        .collect()
}

/// Expressions that we can render go into one chart, so that helm has to be started once; the others fail one by one.
#[test]
fn expressions_mean_what_they_mean_to_helm() {
    let values = std::fs::read_to_string(corpus().join("expressions/values.yaml")).unwrap();
    let work = tempfile::tempdir().unwrap();
    let ours = ours();
    let (mut fine, mut failing) = (Vec::new(), Vec::new());
    for (index, expression) in expressions().into_iter().enumerate() {
        let folder = work.path().join(format!("e{index}"));
        write_chart(&folder, &values, &[("t.yaml".into(), template(&expression))]);
        let chart = Chart::load(&folder).unwrap();
        // Values are changed by some: each must see them as they are.
        let alone = Renderer::new(&chart, Release::new("rel", "ns")).render(&serde_json::json!({}));
        let mutates = ["set ", "unset ", "merge", "define", "block", "template"]
            .iter()
            .any(|w| expression.contains(w));
        if alone.is_ok() && !mutates {
            fine.push((index, expression));
        } else {
            failing.push((folder, expression));
        }
    }
    assert!(
        fine.len() > 500 && failing.len() > 100,
        "{} and {}",
        fine.len(),
        failing.len()
    );
    let together = work.path().join("together");
    let templates: Vec<_> = fine
        .iter()
        .map(|(i, e)| (format!("t{i:04}.yaml"), template(e)))
        .collect();
    write_chart(&together, &values, &templates);
    let (a, b) = (run(&HELM, &together, &[]), run(ours, &together, &[]));
    assert!(a.success, "{}", a.error);
    let split = |text: &str| {
        text.split("---\n# Source: ")
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let (a, b) = (split(&a.output), split(&b.output));
    assert_eq!(a.len(), b.len());
    let known: Vec<String> = expressions();
    let different: Vec<String> = a
        .iter()
        .zip(&b)
        .filter(|(a, b)| a != b)
        // What the template's own name shows up in differs by design of this test only in its number.
        .map(|(a, b)| format!("helm {a}\nours {b}"))
        .collect();
    assert!(
        different.is_empty(),
        "{} of {} differ:\n{}",
        different.len(),
        known.len(),
        different.join("\n")
    );
    let findings = gather(&failing, |(folder, expression)| {
        let (a, b) = (run(&HELM, folder, &[]), run(ours, folder, &[]));
        (a != b).then(|| format!("{expression}\n  helm {a:?}\n  ours {b:?}"))
    });
    assert!(
        findings.is_empty(),
        "{} differ:\n{}",
        findings.len(),
        findings.join("\n")
    );
    println!("{} expressions equal", known.len());
}

#[test]
fn every_function_of_helm_is_there_and_covered() {
    let names = functions::names();
    // helm knows every one of ours: it parses a template that names them all.
    let work = tempfile::tempdir().unwrap();
    let all: String = names
        .iter()
        .map(|n| format!("{{{{ if false }}}}{{{{ {n} }}}}{{{{ end }}}}\n"))
        .collect();
    write_chart(work.path(), "", &[("t.yaml".into(), all)]);
    let a = run(&HELM, work.path(), &[]);
    assert!(a.success, "{}", a.error);
    // And the corpus uses every one.
    let mut text = expressions().join("\n");
    let mut folders = Vec::new();
    charts(&corpus().join("charts"), &mut folders);
    for folder in folders {
        // A chart may have no templates: git keeps no empty folder.
        for entry in std::fs::read_dir(folder.join("templates")).into_iter().flatten() {
            text.push_str(&std::fs::read_to_string(entry.unwrap().path()).unwrap_or_default());
        }
    }
    let words: std::collections::HashSet<&str> =
        text.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let missing: Vec<_> = names.iter().filter(|n| !words.contains(**n)).collect();
    assert!(
        missing.is_empty(),
        "{} of {} functions are not in the corpus: {missing:?}",
        missing.len(),
        names.len()
    );
    println!("{} functions of helm, all covered", names.len());
}

#[test]
fn a_hostile_chart_gets_an_error() {
    let cases = [
        (
            "endless recursion",
            "{{ define \"a\" }}{{ include \"a\" . }}{{ end }}{{ include \"a\" . }}",
        ),
        (
            "endless tpl",
            "{{ define \"a\" }}{{ tpl \"{{ include \\\"a\\\" . }}\" . }}{{ end }}{{ include \"a\" . }}",
        ),
        (
            "endless template",
            "{{ define \"a\" }}{{ template \"a\" . }}{{ end }}{{ template \"a\" . }}",
        ),
        ("a huge string", "{{ repeat 2000000000 \"x\" }}"),
        (
            "growing strings",
            "{{ $s := \"xxxxxxxxxx\" }}{{ range until 100 }}{{ $s = print $s $s }}{{ end }}",
        ),
        ("a huge list", "{{ until 2000000000 | len }}"),
        (
            "a long loop",
            "{{ range until 5000000 }}{{ range until 5000000 }}{{ end }}{{ end }}",
        ),
        (
            "a dictionary in itself",
            "{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ toJson $d | len }}{{ mustToJson $d }}",
        ),
        (
            "a dictionary in itself as YAML",
            "{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ mustToYaml $d }}",
        ),
        (
            "nested parentheses",
            &format!("{{{{ {}1{} }}}}", "(".repeat(20_000), ")".repeat(20_000)),
        ),
        (
            "a bomb of aliases",
            "{{ fail (fromYaml \"a: &a [x,x,x,x,x,x,x,x,x,x]\\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\\ng: [*f,*f,*f,*f,*f,*f,*f,*f,*f,*f]\").Error }}",
        ),
    ];
    for (what, text) in cases {
        let work = tempfile::tempdir().unwrap();
        write_chart(work.path(), "", &[("t.yaml".into(), text.to_owned())]);
        let chart = Chart::load(work.path()).unwrap();
        let rendered = Renderer::new(&chart, Release::new("rel", "ns")).render(&serde_json::json!({}));
        assert!(rendered.is_err(), "{what} is refused");
    }
}

/// A packed chart with a packed subchart, made here so that the repository holds no archives.
#[test]
fn packed_charts_render_as_helm_renders_them() {
    let work = tempfile::tempdir().unwrap();
    let pack = |folder: &Path, name: &str, to: &Path| {
        let packer =
            flate2::write::GzEncoder::new(std::fs::File::create(to).unwrap(), flate2::Compression::fast());
        let mut archive = tar::Builder::new(packer);
        archive.append_dir_all(name, folder).unwrap();
        archive.into_inner().unwrap().finish().unwrap();
    };
    let top = work.path().join("top");
    write_chart(
        &top,
        "",
        &[("a.yaml".into(), "kind: q\nx: {{ .Values.tpl.name }}\n".into())],
    );
    std::fs::create_dir_all(top.join("charts")).unwrap();
    std::fs::write(
        top.join("Chart.yaml"),
        "apiVersion: v2\nname: top\nversion: 1.0.0\ndependencies: [{name: tpl, version: 1.x.x, repository: \"https://x\"}]\n",
    )
    .unwrap();
    pack(
        &corpus().join("charts/tpl"),
        "tpl",
        &top.join("charts/tpl-1.0.0.tgz"),
    );
    let packed = work.path().join("top-1.0.0.tgz");
    pack(&top, "top", &packed);
    let ours = ours();
    for chart in [&top, &packed] {
        let (a, b) = (run(&HELM, chart, &[]), run(ours, chart, &[]));
        assert!(
            a.success && a.output.contains("charts/tpl/templates/a.yaml"),
            "{a:?}"
        );
        assert_eq!(a, b);
    }
}
