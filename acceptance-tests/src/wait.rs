//! Real time: the only place of this crate that waits or looks at the clock.
#![expect(clippy::disallowed_methods, reason = "the rig waits for real programs")]

use std::time::{Duration, Instant};

/// Waits.
pub fn pause(duration: Duration) {
    std::thread::sleep(duration);
}

/// Looks every 20 ms until the answer is yes; panics with `what` after `limit`.
pub fn until(what: &str, limit: Duration, mut yes: impl FnMut() -> bool) {
    let watch = Stopwatch::start();
    while !yes() {
        assert!(watch.elapsed() < limit, "waited {limit:?} in vain for: {what}");
        pause(Duration::from_millis(20));
    }
}

/// Measures real time.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Begins to measure.
    #[must_use]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Real time since the start.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}
