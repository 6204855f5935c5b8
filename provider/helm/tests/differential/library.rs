//! helm's own library, asked about many charts by one process, and our renderer asked the same.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use helm::chart::File;
use helm::set::Kind;
use helm::value::{Map, Value};
use helm::{Chart, Error, Release, Renderer};

use crate::charts::Case;

/// Files by name, or why the chart is refused.
pub type Rendered = Result<BTreeMap<String, String>, String>;

/// The error of a chart with whose values helm does not end.
const CRASHED: &str = "crashed";

/// What our renderer makes of a case.
pub fn ours(case: &Case) -> Rendered {
    let values = || -> Result<_, Error> {
        let all = Map::new(Default::default());
        for (number, text) in case.values.iter().enumerate() {
            let one = helm::values::read(text)
                .map_err(|e| Error::Values(format!("failed to parse v{number}.yaml: {e}")))?;
            helm::values::overlay(&all, &one);
        }
        for (arguments, kind) in [
            (&case.set_json, Kind::Json),
            (&case.set, Kind::Typed),
            (&case.set_string, Kind::String),
            (&case.set_file, Kind::File),
            (&case.set_literal, Kind::Literal),
        ] {
            for argument in arguments {
                helm::set::apply(&all, argument, kind)?;
            }
        }
        Ok(Value::Map(all))
    };
    let render = || {
        let values = values()?;
        let files = case.files.iter().map(|(name, text)| File {
            name: name.as_str().into(),
            data: text.as_bytes().into(),
        });
        let chart = Chart::from_files(files.collect())?;
        Renderer::new(&chart, Release::new("rel", "ns")).files(&values)
    };
    match render() {
        Ok(files) => Ok(files
            .files
            .into_iter()
            .map(|(name, text)| (name.to_string(), text))
            .collect()),
        Err(e) if e.to_string().contains("values contain themselves") => Err(CRASHED.to_owned()),
        Err(e) => Err(e.to_string().trim_end().to_owned()),
    }
}

/// helm's library.
pub struct Library {
    process: Child,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Library {
    /// Starts it; builds it where it is not in the cache.
    pub fn start() -> Library {
        let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../acceptance-tests/tools/tools.py");
        let mut make = Command::new("python3");
        let out = make.arg(tools).args(["path", "helm-renders"]).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let mut process = Command::new(String::from_utf8_lossy(&out.stdout).trim())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // It prints its stack when that has no end.
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let answers = BufReader::new(process.stdout.take().unwrap()).lines();
        Library { process, answers }
    }
    /// What it makes of a case.
    pub fn render(&mut self, case: &Case) -> Rendered {
        #[derive(serde::Deserialize)]
        struct Answer {
            #[serde(default)]
            rendered: BTreeMap<String, String>,
            #[serde(default)]
            error: String,
        }
        let question = serde_json::to_string(case).unwrap() + "\n";
        let stdin = self.process.stdin.as_mut().unwrap();
        stdin.write_all(question.as_bytes()).unwrap();
        let Some(answer) = self.answers.next() else {
            *self = Library::start();
            return Err(CRASHED.to_owned());
        };
        let answer: Answer = serde_json::from_str(&answer.unwrap()).unwrap();
        if answer.error.is_empty() {
            Ok(answer.rendered)
        } else {
            Err(answer.error.trim_end().to_owned())
        }
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}
