//! Folders and archives that are not what they seem: helm reads them, and so do we where that is safe.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
#![cfg(unix)]

mod oracle;

use oracle::{HELM, Outcome, template};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

fn theirs(chart: &Path) -> Outcome {
    template(&HELM, chart, &[])
}

fn ours(chart: &Path, arguments: &[&str]) -> Outcome {
    template(oracle::ours(), chart, arguments)
}

const CHART: &str = "apiVersion: v2\nname: c\nversion: 1.0.0\n";
/// Shows every file of the chart and its content.
const SHOW: &str = "kind: x\nfiles:\n{{- range $path, $content := .Files.Glob \"**\" }}\n  {{ $path }}: {{ toString $content | quote }}\n{{- end }}\n";

/// A chart in a folder of its own, beside which others can lie.
fn chart() -> (tempfile::TempDir, PathBuf) {
    let work = tempfile::tempdir().unwrap();
    let folder = work.path().join("c");
    std::fs::create_dir_all(folder.join("templates")).unwrap();
    std::fs::create_dir_all(folder.join("conf")).unwrap();
    std::fs::write(folder.join("Chart.yaml"), CHART).unwrap();
    std::fs::write(folder.join("conf/a.txt"), "a").unwrap();
    std::fs::write(folder.join("templates/show.yaml"), SHOW).unwrap();
    (work, folder)
}

#[test]
fn links_inside_of_a_chart_are_followed_as_helm_follows_them() {
    let (_work, folder) = chart();
    symlink("conf/a.txt", folder.join("b.txt")).unwrap();
    symlink("conf", folder.join("more")).unwrap();
    symlink("../conf/a.txt", folder.join("conf/c.txt")).unwrap();
    symlink(
        folder.join("templates/show.yaml"),
        folder.join("templates/again.yaml"),
    )
    .unwrap();
    let (a, b) = (theirs(&folder), ours(&folder, &[]));
    assert!(
        a.success && a.output.contains("more/c.txt"),
        "{} {}",
        a.output,
        a.error
    );
    assert_eq!(a.output, b.output, "{}", b.error);
}

#[test]
fn links_that_lead_out_of_a_chart_are_refused_unless_allowed() {
    for target in ["../secret", "../outside"] {
        let (work, folder) = chart();
        std::fs::write(work.path().join("secret"), "s3cret").unwrap();
        std::fs::create_dir(work.path().join("outside")).unwrap();
        std::fs::write(work.path().join("outside/file"), "s3cret").unwrap();
        symlink(format!("../{target}"), folder.join("conf/link")).unwrap();
        let refused = ours(&folder, &[]);
        assert!(!refused.success);
        assert!(
            refused.error.contains("conf/link") && refused.error.contains("out of the chart"),
            "{}",
            refused.error
        );
        let (a, b) = (theirs(&folder), ours(&folder, &["--follow-links"]));
        assert!(a.success && a.output.contains("s3cret"), "{}", a.error);
        assert_eq!(a.output, b.output, "{}", b.error);
        // What .helmignore leaves out may lead anywhere.
        std::fs::write(folder.join(".helmignore"), "conf/link\n").unwrap();
        let (a, b) = (theirs(&folder), ours(&folder, &[]));
        assert!(b.success, "{}", b.error);
        assert_eq!(a.output, b.output);
    }
}

#[test]
fn links_without_end_or_target_are_errors() {
    let (_work, folder) = chart();
    symlink("..", folder.join("conf/loop")).unwrap();
    let refused = ours(&folder, &[]);
    assert!(
        !refused.success && refused.error.contains("conf/loop"),
        "{}",
        refused.error
    );
    let (_work, folder) = chart();
    symlink("nowhere", folder.join("conf/dangling")).unwrap();
    let (a, b) = (theirs(&folder), ours(&folder, &[]));
    assert!(!a.success && !b.success, "{} {}", a.error, b.error);
    assert!(b.error.contains("conf/dangling"), "{}", b.error);
    // Links that multiply: 2^24 ways to the end.
    let (_work, folder) = chart();
    for level in 0..24 {
        let inner = folder.join(format!("d{level}"));
        std::fs::create_dir(&inner).unwrap();
        symlink(format!("../d{}", level + 1), inner.join("a")).unwrap();
        symlink(format!("../d{}", level + 1), inner.join("b")).unwrap();
    }
    std::fs::create_dir(folder.join("d24")).unwrap();
    let refused = ours(&folder, &[]);
    assert!(
        !refused.success && refused.error.contains("files"),
        "{}",
        refused.error
    );
}

enum Entry<'e> {
    File(&'e str, &'e [u8]),
    Link(&'e str, &'e str, tar::EntryType),
}

fn pack(path: &Path, entries: &[Entry<'_>]) {
    let packer =
        flate2::write::GzEncoder::new(std::fs::File::create(path).unwrap(), flate2::Compression::fast());
    let mut archive = tar::Builder::new(packer);
    for entry in entries {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        let (name, data) = match entry {
            Entry::File(name, data) => (*name, *data),
            Entry::Link(name, target, kind) => {
                header.set_entry_type(*kind);
                header.set_link_name(target).unwrap();
                (*name, &b""[..])
            }
        };
        header.set_size(data.len() as u64);
        // Set by hand: the library refuses the paths that a hostile archive has.
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        archive.append(&header, data).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap().flush().unwrap();
}

#[test]
fn links_of_an_archive_lead_nowhere() {
    let work = tempfile::tempdir().unwrap();
    let secret = work.path().join("secret");
    std::fs::write(&secret, "s3cret").unwrap();
    for kind in [tar::EntryType::Symlink, tar::EntryType::Link] {
        for target in [secret.to_str().unwrap(), "../secret", "Chart.yaml"] {
            let path = work.path().join("c-1.0.0.tgz");
            pack(
                &path,
                &[
                    Entry::File("c/Chart.yaml", CHART.as_bytes()),
                    Entry::File("c/templates/show.yaml", SHOW.as_bytes()),
                    Entry::Link("c/conf/link", target, kind),
                    Entry::File("c/conf/z.txt", b"z"),
                ],
            );
            let (a, b) = (theirs(&path), ours(&path, &[]));
            assert!(
                a.success && !a.output.contains("s3cret"),
                "{} {}",
                a.output,
                a.error
            );
            assert_eq!(a.output, b.output, "{target}: {}", b.error);
        }
    }
}

#[test]
fn archives_that_helm_refuses_are_refused() {
    let work = tempfile::tempdir().unwrap();
    let path = work.path().join("c-1.0.0.tgz");
    let large = vec![0u8; 100 << 20];
    let chart = || Entry::File("c/Chart.yaml", CHART.as_bytes());
    let cases: Vec<(&str, Vec<Entry<'_>>)> = vec![
        ("parent", vec![chart(), Entry::File("c/../../etc/x", b"x")]),
        ("no folder", vec![Entry::File("Chart.yaml", CHART.as_bytes())]),
        ("drive", vec![chart(), Entry::File("c/c:/x", b"x")]),
        ("backslash", vec![chart(), Entry::File("c\\..\\..\\x", b"x")]),
        ("large", vec![chart(), Entry::File("c/large", &large)]),
        ("nothing", vec![]),
        ("no chart", vec![Entry::File("c/x", b"x")]),
        ("sub", vec![chart(), Entry::File("c/charts/s.tgz", b"no archive")]),
    ];
    for (what, entries) in cases {
        pack(&path, &entries);
        let (a, b) = (theirs(&path), ours(&path, &[]));
        assert!(!a.success, "{what}: helm refuses");
        assert!(!b.success, "{what}: we refuse");
        assert!(!b.error.contains("panicked"), "{what}: {}", b.error);
    }
}

/// On the stack of a thread, which is what tests run on.
#[test]
fn nesting_is_read_written_and_freed() {
    use helm::text::{json, toml, yaml};

    let nested = |depth: usize, open: &str, close: &str| open.repeat(depth) + &close.repeat(depth);
    for (open, close) in [("[", "]"), ("{a: ", "}"), ("- ", "")] {
        let value = yaml::parse(&nested(900, open, close)).unwrap();
        drop(helm::chart::to_json(&value));
        assert!(yaml::parse(&nested(1_100, open, close)).is_err());
    }
    let value = json::decode(&nested(10_000, "[", "]")).unwrap();
    let written = json::encode(&value, true).unwrap();
    assert_eq!(written, nested(10_000, "[", "]"));
    assert!(yaml::emit(&value).is_ok());
    let dictionary = helm::value::Map::new(Default::default());
    dictionary.set("a", helm::value::Value::Map(dictionary.clone()));
    let endless = helm::value::Value::Map(dictionary.clone());
    assert!(json::pretty(&endless).is_err() && yaml::emit(&endless).is_err());
    assert!(toml::encode(&endless).is_err());
    dictionary.set("a", helm::value::Value::Nil);
}
