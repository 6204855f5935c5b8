//! The real helm, which decides, and our program with the same arguments.
#![allow(dead_code, reason = "no test uses all of it")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex};

pub fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

/// helm, fetched once.
pub static HELM: LazyLock<PathBuf> = LazyLock::new(|| {
    let out = Command::new(corpus().join("fetch-helm"))
        .output()
        .expect("python3 runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    PathBuf::from(String::from_utf8_lossy(&out.stdout).trim())
});

/// Our program.
pub fn ours() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_ekb-helm"))
}

/// What a program printed.
#[derive(Debug, PartialEq)]
pub struct Outcome {
    pub success: bool,
    pub output: String,
    pub error: String,
}

impl Outcome {
    /// Runs a command to its end.
    pub fn of(command: &mut Command) -> Outcome {
        let out = command.output().expect("the program runs");
        Outcome {
            success: out.status.success(),
            // What is no text is compared byte by byte, and an empty line is not nothing.
            output: String::from_utf8(out.stdout).unwrap_or_else(|e| format!("{:?}", e.as_bytes())),
            error: String::from_utf8_lossy(&out.stderr).into_owned(),
        }
    }
}

/// `template rel CHART -n ns …`, without anything of the user. Errors are on one line, without helm's advice.
pub fn template(program: &Path, chart: &Path, arguments: &[&str]) -> Outcome {
    let mut out = Outcome::of(
        Command::new(program)
            .args(["template", "rel"])
            .arg(chart)
            .args(["-n", "ns"])
            .args(arguments)
            .env_clear()
            .env("HOME", std::env::temp_dir()),
    );
    let error = out
        .error
        .replace("Use --debug flag to render out invalid YAML", "");
    let mut lines: Vec<&str> = error.lines().filter(|l| !l.starts_with("level=")).collect();
    if error.contains("don't meet the specifications") {
        // Violations come in no order of their own.
        lines.sort_unstable();
    }
    out.error = lines.join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
    out
}

/// Writes a chart `c`.
pub fn write_chart(folder: &Path, values: &str, templates: &[(String, String)]) {
    let write =
        |name: &str, text: &str| std::fs::write(folder.join(name), text).expect("the folder can be written");
    std::fs::create_dir_all(folder.join("templates")).expect("the folder can be written");
    write(
        "Chart.yaml",
        "apiVersion: v2\nname: c\nversion: 1.2.3\nappVersion: \"4\"\n",
    );
    write("values.yaml", values);
    for (name, text) in templates {
        write(&format!("templates/{name}"), text);
    }
}

/// Runs jobs on a few threads and gathers what each complains about.
pub fn gather<T: Sync>(jobs: &[T], job: impl Fn(&T) -> Option<String> + Sync) -> Vec<String> {
    let next = Mutex::new(0);
    let findings = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let index = {
                        let mut next = next.lock().expect("no job panics with the lock");
                        *next += 1;
                        *next - 1
                    };
                    let Some(one) = jobs.get(index) else { break };
                    if let Some(finding) = job(one) {
                        findings
                            .lock()
                            .expect("no job panics with the lock")
                            .push(finding);
                    }
                }
            });
        }
    });
    findings.into_inner().expect("no job panics with the lock")
}
