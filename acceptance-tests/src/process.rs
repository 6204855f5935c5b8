//! Programs under the supervisor: nothing outlives the test.

use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::run::Run;
use crate::tools;
use crate::wait::Stopwatch;

/// A program that is running. When this is dropped, the program and its children are killed.
#[derive(Debug)]
pub struct Running {
    child: Child,
    leash: Option<ChildStdin>,
    stdout: Collected,
    stderr: Collected,
    arguments: Vec<String>,
    watch: Stopwatch,
}

/// Runs a program in a folder: for what may be read later.
#[derive(Debug, Clone)]
pub(crate) struct Reader {
    /// The program.
    pub program: PathBuf,
    /// The folder.
    pub folder: PathBuf,
    /// Its environment, and nothing else.
    pub environment: Vec<(OsString, OsString)>,
    /// How long it may take.
    pub limit: Duration,
}

impl Reader {
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        Running::start(&self.program, arguments, &self.folder, &self.environment)
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.start(arguments).wait(self.limit)
    }
}

/// Output as it comes in.
#[derive(Debug)]
struct Collected {
    text: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Collected {
    fn from(mut stream: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&text);
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(length @ 1..) = stream.read(&mut buffer) {
                into.lock()
                    .expect("no panic while reading")
                    .extend_from_slice(&buffer[..length]);
            }
        });
        Self {
            text,
            reader: Some(reader),
        }
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().expect("no panic while reading")).into_owned()
    }

    fn finish(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            let _joined = reader.join();
        }
        self.so_far()
    }
}

impl Running {
    /// Starts a program in `folder` with exactly this environment.
    pub(crate) fn start(
        program: &Path,
        arguments: &[&str],
        folder: &Path,
        environment: &[(OsString, OsString)],
    ) -> Self {
        Self::supervised(&[], program, arguments, folder, environment)
    }

    /// The same for a program that owns its folder: the folder is removed when the program ends, even where this process
    /// was killed before.
    pub(crate) fn start_owning(program: &Path, arguments: &[&str], folder: &Path) -> Self {
        let remove = [OsStr::new("--remove"), folder.as_os_str()];
        Self::supervised(&remove, program, arguments, folder, &[])
    }

    fn supervised(
        orders: &[&OsStr],
        program: &Path,
        arguments: &[&str],
        folder: &Path,
        environment: &[(OsString, OsString)],
    ) -> Self {
        let mut child = Command::new(tools::tool_python())
            .args(["-IS"])
            .arg(tools::here().join("src/supervise.py"))
            .args(orders)
            .arg(program)
            .args(arguments)
            .current_dir(folder)
            .env_clear()
            .envs(environment.iter().cloned())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the supervisor starts");
        let stdout = Collected::from(child.stdout.take().expect("piped"));
        let stderr = Collected::from(child.stderr.take().expect("piped"));
        let leash = child.stdin.take();
        let arguments = arguments.iter().map(ToString::to_string).collect();
        Self {
            child,
            leash,
            stdout,
            stderr,
            arguments,
            watch: Stopwatch::start(),
        }
    }

    /// What it has printed until now, standard output and error.
    #[must_use]
    pub fn so_far(&self) -> String {
        format!("{}{}", self.stdout.so_far(), self.stderr.so_far())
    }

    /// Whether the program and its children have ended by themselves.
    pub(crate) fn has_ended(&self) -> bool {
        let ended = |stream: &Collected| stream.reader.as_ref().is_none_or(JoinHandle::is_finished);
        ended(&self.stdout) && ended(&self.stderr)
    }

    /// The id of the supervisor's process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ctrl-C: SIGINT to the program and its children.
    pub fn interrupt(&mut self) {
        self.order(b"i");
    }

    /// SIGKILL to the program and its children.
    pub fn kill(&mut self) {
        self.order(b"k");
    }

    fn order(&mut self, order: &[u8]) {
        if let Some(leash) = &mut self.leash {
            let _sent = leash.write_all(order).and_then(|()| leash.flush());
        }
    }

    /// Waits for the end; panics (and kills) after `limit`.
    ///
    /// # Panics
    /// See above.
    #[must_use]
    pub fn wait(mut self, limit: Duration) -> Run {
        let (done, ended) = mpsc::channel();
        // The pipes close when the whole group is gone: reading to their end is waiting for it.
        let (mut stdout, mut stderr) = (self.stdout.reader.take(), self.stderr.reader.take());
        std::thread::spawn(move || {
            for reader in [stdout.take(), stderr.take()].into_iter().flatten() {
                let _joined = reader.join();
            }
            let _sent = done.send(());
        });
        if ended.recv_timeout(limit).is_err() {
            self.kill();
            panic!(
                "{:?} took longer than {limit:?}:\n{}",
                self.arguments,
                self.so_far()
            );
        }
        let status = self.child.wait().expect("the supervisor ends");
        Run {
            arguments: std::mem::take(&mut self.arguments),
            code: status.code().unwrap_or(-1),
            stdout: self.stdout.finish(),
            stderr: self.stderr.finish(),
            took: self.watch.elapsed(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Its end of the pipe closed, the supervisor kills the group and ends.
        drop(self.leash.take());
        let _ended = self.child.wait();
    }
}
