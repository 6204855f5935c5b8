//! What a long apply is at: lines of information in the log, and events for whoever watches.
//!
//! The plugin protocol has no channel for it, so the environment variable `EKB_PROGRESS` names where events go: a file
//! (JSON, a line each, appended) or `unix:PATH`, a socket that somebody listens on. Nothing waits for a watcher: what
//! cannot be written at once is dropped.

use std::fs::OpenOptions;
use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use serde::Serialize;

use crate::failure::Failure;
use crate::part::{Key, Owner};

/// The environment variable that names the file or socket.
pub const VARIABLE: &str = "EKB_PROGRESS";

/// How often a wait is told again.
const EVERY: Duration = Duration::from_secs(30);

/// Where a part has come to.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Step {
    /// A call that makes, changes or deletes something is begun.
    Calling,
    /// It takes its time.
    Waiting {
        /// Seconds so far.
        waited: u64,
        /// Seconds that it usually takes.
        usual: u64,
        /// How many parts wait for this one.
        behind: usize,
    },
    /// It is as it should be, or gone where it should be gone.
    Done,
    /// It failed.
    Failed {
        /// Why, in the service's words.
        cause: String,
    },
}

/// An event as it is written.
#[derive(Serialize)]
struct Event<'a> {
    /// A time-ordered id (UUID version 7): its beginning is the time.
    id: String,
    environment: &'a str,
    region: &'a str,
    resource: &'a str,
    part: &'a Key,
    doing: &'a str,
    #[serde(flatten)]
    step: &'a Step,
}

/// Tells how things go. Cheap to clone.
#[derive(Clone, Default)]
pub struct Progress(Option<Arc<Mutex<Box<dyn Write + Send>>>>);

impl Progress {
    /// To where the environment says, opened once in a process; nowhere but the log without it.
    pub fn from_env() -> Self {
        static OPENED: OnceLock<Progress> = OnceLock::new();
        OPENED.get_or_init(Self::opened).clone()
    }

    fn opened() -> Self {
        let Some(place) = std::env::var_os(VARIABLE).filter(|place| !place.is_empty()) else {
            return Self::default();
        };
        match open(&place) {
            Ok(sink) => Self::to(sink),
            Err(error) => {
                tracing::warn!(%error, ?place, "{VARIABLE} cannot be opened: no progress is written");
                Self::default()
            }
        }
    }

    /// To this.
    pub fn to(sink: impl Write + Send + 'static) -> Self {
        Self(Some(Arc::new(Mutex::new(Box::new(sink)))))
    }

    /// Tells a step.
    pub(crate) fn tell(
        &self,
        owner: &Owner,
        part: &Key,
        doing: &str,
        id: impl FnOnce() -> String,
        step: &Step,
    ) {
        match step {
            Step::Waiting {
                waited,
                usual,
                behind,
            } => {
                tracing::info!("{}", sentence(doing, *waited, *usual, *behind));
            }
            // The call itself says so.
            Step::Calling | Step::Done => {}
            Step::Failed { cause } => tracing::debug!(doing, cause, "failed"),
        }
        let Some(sink) = &self.0 else { return };
        let event = Event {
            id: id(),
            environment: &owner.environment,
            region: &owner.region,
            resource: &owner.resource,
            part,
            doing,
            step,
        };
        if let Ok(mut line) = serde_json::to_vec(&event) {
            line.push(b'\n');
            // One write a line: processes that share the file do not mix theirs. A watcher that is gone hurts nobody.
            let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(error) = sink.write_all(&line).and_then(|()| sink.flush()) {
                tracing::debug!(%error, "progress could not be written");
            }
        }
    }
}

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Progress").field(&self.0.is_some()).finish()
    }
}

fn open(place: &std::ffi::OsStr) -> std::io::Result<Box<dyn Write + Send>> {
    #[cfg(unix)]
    if let Some(path) = place.to_str().and_then(|place| place.strip_prefix("unix:")) {
        let socket = std::os::unix::net::UnixStream::connect(path)?;
        socket.set_nonblocking(true)?;
        return Ok(Box::new(socket));
    }
    Ok(Box::new(
        OpenOptions::new().create(true).append(true).open(place)?,
    ))
}

/// `waiting for NAT gateway (nat_gateway/a): 1 of usually 2 min, 3 parts after it`
fn sentence(doing: &str, waited: u64, usual: u64, behind: usize) -> String {
    let time = if usual >= 120 {
        format!("{} of usually {} min", waited / 60, usual.div_ceil(60))
    } else {
        format!("{waited} of usually {usual} s")
    };
    match behind {
        0 => format!("{doing}: {time}"),
        1 => format!("{doing}: {time}, 1 part after it"),
        n => format!("{doing}: {time}, {n} parts after it"),
    }
}

impl Step {
    /// How something ended.
    pub(crate) fn end(failure: Option<&Failure>) -> Self {
        match failure {
            None => Self::Done,
            Some(failure) => Self::Failed {
                cause: failure.cause.clone(),
            },
        }
    }
}

/// When a wait is to be told again.
#[derive(Debug, Default)]
pub(crate) struct Reminder(Option<Duration>);

impl Reminder {
    /// Whether it would be time, having waited so long.
    pub fn would_be_due(&self, waited: Duration) -> bool {
        self.0.is_none_or(|last| waited >= last + EVERY)
    }

    /// Whether it is time, having waited so long.
    pub fn is_due(&mut self, waited: Duration) -> bool {
        let is_due = self.would_be_due(waited);
        if is_due {
            self.0 = Some(waited);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_a_line_of_json() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let progress = Progress::to(file.reopen().unwrap());
        let owner = Owner {
            environment: "prod".to_owned(),
            region: "eu-central-1".to_owned(),
            resource: "network/main".to_owned(),
        };
        let step = Step::Waiting {
            waited: 61,
            usual: 100,
            behind: 3,
        };
        let (part, doing) = (Key::from("nat_gateway/a"), "waiting for NAT gateway");
        progress.tell(&owner, &part, doing, || "0190".to_owned(), &step);
        progress.tell(&owner, &part, doing, || "0191".to_owned(), &Step::Done);
        let text = std::fs::read_to_string(file.path()).unwrap();
        let lines: Vec<serde_json::Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(
            lines[0],
            serde_json::json!({
                "id": "0190", "environment": "prod", "region": "eu-central-1", "resource": "network/main",
                "part": "nat_gateway/a", "doing": "waiting for NAT gateway",
                "event": "waiting", "waited": 61, "usual": 100, "behind": 3
            })
        );
        assert_eq!(lines[1]["event"], "done");
    }

    #[test]
    fn a_wait_says_how_long_it_usually_is() {
        let doing = "waiting for EKS cluster";
        assert_eq!(
            sentence(doing, 430, 540, 3),
            "waiting for EKS cluster: 7 of usually 9 min, 3 parts after it"
        );
        assert_eq!(
            sentence(doing, 10, 100, 0),
            "waiting for EKS cluster: 10 of usually 100 s"
        );
    }

    #[test]
    fn a_wait_is_told_now_and_then() {
        let mut reminder = Reminder::default();
        let told: Vec<u64> = (0..100)
            .filter(|second| reminder.is_due(Duration::from_secs(*second)))
            .collect();
        assert_eq!(told, [0, 30, 60, 90]);
    }
}
