//! The rates of calls: one for each service and region, its reading and its changing operations apart, as AWS counts
//! them. Throttling lowers a rate, success raises it.
//!
//! The SDK has such a limiter too (retry mode adaptive), but it starts from the rate of the last half second: a first
//! throttled call of a process stops everything for ten seconds and more.
//!
//! Calls take turns in the order in which they ask. A resource has only so many calls under way at a time
//! (`Engine::concurrency`), so one with hundreds of parts holds up the others by no more than these.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reconcile::clock::{Clock, Moment};
use reconcile::ending;
use reconcile::failure::Failure;

use crate::services::{Scope, Service};

/// Never slower.
const SLOWEST: f64 = 1.0;
/// At this many times the service's usual rate there is no limit any more.
const FREE: f64 = 2.0;
/// What was throttled at once counts once.
const ONE_BURST: Duration = Duration::from_secs(1);
const GROWTH: f64 = 1.05;

/// All limiters of one configuration.
#[derive(Debug)]
pub(crate) struct Limiters {
    clock: Clock,
    by_place: Mutex<HashMap<Place, Limiter>>,
}

/// Service, region (empty where the account's calls are counted together), and whether the calls change something.
type Place = (&'static str, String, bool);

impl Limiters {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            by_place: Mutex::default(),
        }
    }

    /// The limiter of calls of the service in the region.
    pub(crate) fn of(&self, service: &'static Service, region: &str, changes: bool) -> Limiter {
        let region = match service.scope {
            Scope::Region => region.to_owned(),
            Scope::Account => String::new(),
        };
        let mut all = self.by_place.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Limiter::new(self.clock.clone(), service.rates[usize::from(changes)]);
        all.entry((service.name, region, changes))
            .or_insert_with(new)
            .clone()
    }
}

/// Cheap to clone; all clones are one limiter.
#[derive(Debug, Clone)]
pub(crate) struct Limiter {
    clock: Clock,
    /// Calls per second after the first throttled one, twice over.
    usual: f64,
    state: Arc<Mutex<Option<Limit>>>,
    /// Held by the call whose turn is next: the others queue behind it.
    queue: Arc<tokio::sync::Mutex<()>>,
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
    fn new(clock: Clock, usual: f64) -> Self {
        Self {
            clock,
            usual,
            state: Arc::default(),
            queue: Arc::default(),
        }
    }

    /// Waits for this call's turn: not at all while nothing was throttled. A call that is given up while it waits leaves
    /// the queue and takes no turn.
    ///
    /// # Errors
    /// Where the run that the call belongs to is to end first; nothing was sent.
    pub(crate) async fn turn(&self, doing: &str) -> Result<(), Failure> {
        if self.next().is_none() {
            return Ok(());
        }
        ending::or(doing, async {
            let _first = self.queue.lock().await;
            if let Some(next) = self.next() {
                self.clock.sleep_until(next).await;
            }
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(limit) = state.as_mut() {
                limit.next = self.clock.now() + Duration::from_secs_f64(1.0 / limit.rate);
            }
        })
        .await
    }

    /// When the next call may be sent; none where there is no limit.
    fn next(&self) -> Option<Moment> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.as_ref().map(|limit| limit.next)
    }

    pub(crate) fn throttled(&self) {
        let now = self.clock.now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let rate = match state.as_ref() {
            Some(limit) if now.since(limit.throttled) < ONE_BURST => return,
            Some(limit) => limit.rate,
            None => self.usual,
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
            if limit.rate > FREE * self.usual {
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
    use crate::services::find;

    #[tokio::test]
    async fn throttling_slows_all_calls_down_and_success_frees_them_again() {
        // A second lasts a millisecond.
        let clock = Clock::scaled(1000.0);
        let limiter = Limiter::new(clock.clone(), 20.0);
        let began = clock.now();
        for _ in 0..100 {
            limiter.turn("calling").await.unwrap();
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
            limiter.turn("calling").await.unwrap();
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

    #[tokio::test]
    async fn one_service_throttled_slows_no_other_and_reads_are_no_writes() {
        let limiters = Limiters::new(Clock::scaled(1000.0));
        let of = |name, region, changes| limiters.of(find(name).unwrap(), region, changes);
        of("ec2", "eu-central-1", true).throttled();
        assert_eq!(
            of("ec2", "eu-central-1", true).rate(),
            Some(2.5),
            "5 a second, halved"
        );
        for (name, region, changes) in [
            ("ec2", "eu-central-1", false),
            ("ec2", "us-east-1", true),
            ("eks", "eu-central-1", true),
        ] {
            assert_eq!(
                of(name, region, changes).rate(),
                None,
                "{name} {region} {changes}"
            );
        }
        of("iam", "eu-central-1", true).throttled();
        assert!(
            of("iam", "us-east-1", true).rate().is_some(),
            "IAM is one for all regions"
        );
    }

    #[tokio::test]
    async fn who_gives_up_waiting_takes_no_turn() {
        let clock = Clock::scaled(1000.0);
        let limiter = Limiter::new(clock.clone(), 2.0);
        limiter.throttled();
        limiter.turn("calling").await.unwrap();
        for _ in 0..100 {
            let turn = limiter.turn("calling");
            futures::pin_mut!(turn);
            assert!(futures::poll!(turn).is_pending());
        }
        let began = clock.now();
        limiter.turn("calling").await.unwrap();
        assert!(
            clock.now().since(began) < Duration::from_secs(10),
            "behind nobody"
        );
    }

    #[tokio::test]
    async fn a_run_that_is_to_end_waits_for_no_turn() {
        let clock = Clock::from_env();
        let limiter = Limiter::new(clock.clone(), 2.0);
        limiter.throttled();
        limiter.turn("calling").await.unwrap();
        let cancel = tokio_util::sync::CancellationToken::new();
        cancel.cancel();
        let deadline = clock.now() + Duration::from_secs(3600);
        let end = ending::Ending {
            clock,
            cancel,
            deadline,
        };
        let failure = end.scope(limiter.turn("calling")).await.unwrap_err();
        assert_eq!(failure.class, reconcile::failure::Class::Cancelled);
    }
}
