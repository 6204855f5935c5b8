//! Whether the run that a call belongs to is to end, for kinds that wait before they send anything.
//!
//! The engine never drops a call that it has begun, since it may have been sent. What waits before that (for its turn under
//! a rate limit) asks here.

use std::future::Future;

use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, Moment};
use crate::failure::{Class, Failure};

tokio::task_local! {
    static RUN: Ending;
}

/// When a run is to end.
#[derive(Debug, Clone)]
pub struct Ending {
    /// Time.
    pub clock: Clock,
    /// Cancelled by the user.
    pub cancel: CancellationToken,
    /// The time-out of the resource.
    pub deadline: Moment,
}

impl Ending {
    /// Fails when the run is to end.
    ///
    /// # Errors
    /// Class `Cancelled` or `TimedOut`.
    pub fn go_on(&self, doing: &str) -> Result<(), Failure> {
        if self.cancel.is_cancelled() {
            return Err(Failure::new(Class::Cancelled, doing, "the run was cancelled")
                .hint("Run it again to continue."));
        }
        if self.clock.now() >= self.deadline {
            let hint = "Run it again to continue, or raise the time-out in the block `timeouts`.";
            return Err(
                Failure::new(Class::TimedOut, doing, "the time-out of the resource is over").hint(hint),
            );
        }
        Ok(())
    }

    /// The work, as part of the run.
    pub async fn scope<T>(&self, work: impl Future<Output = T>) -> T {
        RUN.scope(self.clone(), work).await
    }
}

/// What the wait gives, unless the run that this is part of is to end first. Outside of a run: what it gives.
///
/// # Errors
/// As for [`Ending::go_on`].
pub async fn or<T>(doing: &str, wait: impl Future<Output = T>) -> Result<T, Failure> {
    let Ok(run) = RUN.try_with(Clone::clone) else {
        return Ok(wait.await);
    };
    tokio::select! {
        biased;
        () = run.cancel.cancelled() => {}
        () = run.clock.sleep_until(run.deadline) => {}
        value = wait => return Ok(value),
    }
    Err(run
        .go_on(doing)
        .err()
        .unwrap_or_else(|| crate::wait::cancelled(doing)))
}
