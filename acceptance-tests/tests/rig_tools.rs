//! The rig itself: tools are made once, whole, however many ask at the same time.
#![allow(missing_docs, reason = "tests")]

use std::path::Path;
use std::process::{Command, Stdio};

const SCRIPT: &str = "
import sys, time, pathlib
sys.path.insert(0, sys.argv[1])
import tools
def make(folder, final):
    (folder / 'program').write_text('half')
    time.sleep(0.5)
    (folder / 'program').write_text('whole')
    with open(tools.CACHE / 'made', 'a') as log: log.write('x')
path = tools.Tool('dummy', '1', 'program', 'recipe', make).ensure()
print(path.read_text())
";

#[test]
fn a_tool_is_made_once_and_never_seen_half_made() {
    let cache = tempfile::tempdir().expect("a folder");
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools");
    let children: Vec<_> = (0..4)
        .map(|_| {
            Command::new("python3")
                .args(["-c", SCRIPT])
                .arg(&tools)
                .env("EKB_CACHE", cache.path())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .expect("python3 runs")
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "whole");
    }
    let made = std::fs::read_to_string(cache.path().join("tools/made")).expect("the log of the recipe");
    assert_eq!(made, "x", "made once");
}

#[test]
fn a_failed_recipe_leaves_nothing_and_is_tried_again() {
    let cache = tempfile::tempdir().expect("a folder");
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools");
    let run = |make: &str| {
        let script = format!(
            "import sys; sys.path.insert(0, sys.argv[1]); import tools\n\
             def make(folder, final):\n    {make}\n\
             tools.Tool('dummy', '1', 'program', 'recipe', make).ensure()"
        );
        let mut command = Command::new("python3");
        command
            .args(["-c", &script])
            .arg(&tools)
            .env("EKB_CACHE", cache.path());
        command
            .stderr(Stdio::null())
            .status()
            .expect("python3 runs")
            .success()
    };
    assert!(!run("(folder / 'program').write_text(''); tools.run(['false'])"));
    let left: Vec<_> = std::fs::read_dir(cache.path().join("tools"))
        .expect("the cache")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.contains("dummy-1"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(run("(folder / 'program').write_text('')"));
}
