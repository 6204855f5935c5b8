//! The emulator's process.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

use crate::account::Account;
use crate::{http, tools};

/// A running AWS emulator. It ends when this is dropped, and also when this process ends without doing so: it watches the pipe
/// that is its standard input.
#[derive(Debug)]
pub struct Rig {
    url: String,
    process: Option<(Child, Option<ChildStdin>)>,
}

impl Rig {
    /// The emulator at `EKB_RIG_URL` where that is set, else one of this process's own, at AWS's pace.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start() -> Self {
        match std::env::var("EKB_RIG_URL") {
            Ok(url) => Self { url, process: None },
            Err(_) => Self::start_own(),
        }
    }

    /// A new emulator.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start_own() -> Self {
        Self::start_with(&[])
    }

    /// A new emulator with a real control plane behind each EKS cluster: see [`Account::cluster`].
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start_with_clusters() -> Self {
        Self::start_with(&["--clusters"])
    }

    fn start_with(options: &[&str]) -> Self {
        let mut process = Command::new(tools::tool_python())
            .args(["-m", "emulator"])
            .args(options)
            .current_dir(tools::here())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the emulator starts");
        let mut line = String::new();
        let stdout = process.stdout.take().expect("it was piped");
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("the emulator says its address");
        let hello: Value = serde_json::from_str(&line).expect("the emulator says its address in JSON");
        let url = hello["url"].as_str().expect("an address").to_owned();
        let stdin = process.stdin.take();
        Self {
            url,
            process: Some((process, stdin)),
        }
    }

    /// The one emulator of this test process, started when first asked for.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Rig> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// The one with control planes of this test process, started when first asked for (or that at `EKB_RIG_URL`, which must have been
    /// started with `--clusters`).
    pub fn shared_with_clusters() -> &'static Self {
        static SHARED: OnceLock<Rig> = OnceLock::new();
        SHARED.get_or_init(|| match std::env::var("EKB_RIG_URL") {
            Ok(url) => Self { url, process: None },
            Err(_) => Self::start_with_clusters(),
        })
    }

    /// Its address, for example `http://127.0.0.1:40123`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The id of the emulator's process, where it is this one's child.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(|(process, _)| process.id())
    }

    /// How long something takes in AWS seconds, by its name in the emulator's rows (`nat_gateway.available`).
    ///
    /// # Panics
    /// Where the table has no such name.
    #[must_use]
    pub fn latency(&self, name: &str) -> f64 {
        let table = http::request("GET", &format!("{}/_ekb/latency", self.url), None);
        table[name]
            .as_f64()
            .unwrap_or_else(|| panic!("no {name} in the emulator's rows"))
    }

    /// A new, empty account with credentials of its own. Its time runs [`Account::DEFAULT_SCALE`] times as fast as AWS's.
    ///
    /// # Panics
    /// When the emulator does not answer.
    #[must_use]
    pub fn account(&self) -> Account {
        Account::made(&self.url, None)
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if let Some((process, stdin)) = &mut self.process {
            drop(stdin.take());
            let _ended = process.wait();
        }
    }
}
