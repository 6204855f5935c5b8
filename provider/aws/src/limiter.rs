//! One rate for all calls of a provider block, which throttling lowers and success raises.
//!
//! The SDK has such a limiter too (retry mode adaptive), but it starts from the rate of the last half second: a first
//! throttled call of a process stops everything for ten seconds and more.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reconcile::clock::{Clock, Moment};

/// Calls per second after the first throttled one, twice over: AWS refills most buckets at 20 a second.
const USUAL: f64 = 20.0;
/// Never slower.
const SLOWEST: f64 = 1.0;
/// From here on there is no limit.
const FREE: f64 = 40.0;
/// What was throttled at once counts once.
const ONE_BURST: Duration = Duration::from_secs(1);
const GROWTH: f64 = 1.05;

/// Cheap to clone; all clones are one limiter.
#[derive(Debug, Clone)]
pub(crate) struct Limiter {
    clock: Clock,
    state: Arc<Mutex<Option<Limit>>>,
}

#[derive(Debug)]
struct Limit {
    /// Calls per second.
    rate: f64,
    /// When the next call may be sent.
    next: Moment,
    /// When AWS last throttled.
    throttled: Moment,
}

impl Limiter {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            state: Arc::default(),
        }
    }

    /// Waits for this call's turn: not at all while nothing was throttled.
    pub(crate) async fn turn(&self) {
        let now = self.clock.now();
        let turn = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(limit) = state.as_mut() else { return };
            let turn = limit.next.max(now);
            limit.next = turn + Duration::from_secs_f64(1.0 / limit.rate);
            turn
        };
        if turn > now {
            self.clock.sleep_until(turn).await;
        }
    }

    pub(crate) fn throttled(&self) {
        let now = self.clock.now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let rate = match state.as_ref() {
            Some(limit) if now.since(limit.throttled) < ONE_BURST => return,
            Some(limit) => limit.rate,
            None => USUAL,
        };
        let next = state.as_ref().map_or(now, |limit| limit.next);
        *state = Some(Limit {
            rate: (rate / 2.0).max(SLOWEST),
            next,
            throttled: now,
        });
    }

    pub(crate) fn succeeded(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(limit) = state.as_mut() {
            limit.rate *= GROWTH;
            if limit.rate > FREE {
                *state = None;
            }
        }
    }

    #[cfg(test)]
    fn rate(&self) -> Option<f64> {
        self.state.lock().unwrap().as_ref().map(|limit| limit.rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn throttling_slows_all_calls_down_and_success_frees_them_again() {
        // A second lasts a millisecond.
        let clock = Clock::scaled(1000.0);
        let limiter = Limiter::new(clock.clone());
        let began = clock.now();
        for _ in 0..100 {
            limiter.turn().await;
        }
        assert!(
            clock.now().since(began) < Duration::from_secs(5),
            "nothing was throttled, nothing waits"
        );

        limiter.throttled();
        limiter.throttled();
        assert_eq!(limiter.rate(), Some(10.0), "one burst counts once");
        let began = clock.now();
        for _ in 0..50 {
            limiter.turn().await;
        }
        assert!(
            clock.now().since(began) > Duration::from_millis(4500),
            "fifty calls at ten a second"
        );

        for _ in 0..50 {
            limiter.succeeded();
        }
        assert_eq!(limiter.rate(), None);
    }
}
