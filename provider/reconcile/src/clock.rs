//! Time: the only place that reads a clock or sleeps.
//!
//! Code says durations in real time. The clock may run faster (`EKB_TIME_SCALE=100`: a wait of 100 s lasts 1 s) for
//! rigs whose simulated services do too, and stands on tokio's time, so that tests under `tokio::time::pause` run
//! ten-minute waits in milliseconds.

use std::future::Future;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::ops::Add;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A point in time: what has passed since the clock was made, in unscaled time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(Duration);

impl Moment {
    /// Time from `earlier` to here; zero where that is later.
    pub fn since(self, earlier: Moment) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// The first multiple of `step` that lies at least `ahead` after this.
    pub(crate) fn to_grid(self, step: Duration, ahead: Duration) -> Moment {
        let (at, step) = ((self.0 + ahead).as_nanos(), step.as_nanos().max(1));
        let nanos = at.div_ceil(step) * step;
        Moment(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }
}

impl Add<Duration> for Moment {
    type Output = Moment;

    fn add(self, duration: Duration) -> Moment {
        Moment(self.0.saturating_add(duration))
    }
}

/// The time was over before the work was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elapsed;

/// A clock, cheap to clone.
#[derive(Debug, Clone)]
pub struct Clock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    origin: tokio::time::Instant,
    scale: f64,
    random: AtomicU64,
}

impl Clock {
    /// A clock that runs `scale` times as fast as the wall's (1: as fast).
    #[expect(clippy::disallowed_methods, reason = "this module is where time comes from")]
    pub fn scaled(scale: f64) -> Self {
        let scale = if scale.is_finite() && scale > 0.0 {
            scale
        } else {
            1.0
        };
        let random = AtomicU64::new(RandomState::new().build_hasher().finish());
        Self(Arc::new(Inner {
            origin: tokio::time::Instant::now(),
            scale,
            random,
        }))
    }

    /// A clock as fast as the environment variable `EKB_TIME_SCALE` says; without it, as fast as the wall's.
    pub fn from_env() -> Self {
        Self::scaled(
            std::env::var("EKB_TIME_SCALE")
                .ok()
                .and_then(|text| text.parse().ok())
                .unwrap_or(1.0),
        )
    }

    /// The same with a fixed sequence for [`Clock::jitter`], for tests that can be repeated.
    #[must_use]
    pub fn seeded(self, seed: u64) -> Self {
        self.0.random.store(seed, Ordering::Relaxed);
        self
    }

    /// Now.
    #[expect(clippy::disallowed_methods, reason = "this module is where time comes from")]
    pub fn now(&self) -> Moment {
        Moment(
            tokio::time::Instant::now()
                .duration_since(self.0.origin)
                .mul_f64(self.0.scale),
        )
    }

    /// Sleeps.
    #[expect(clippy::disallowed_methods, reason = "this module is where time comes from")]
    pub async fn sleep(&self, duration: Duration) {
        // Callers that mean "for ever" pass large durations: tokio's timer has an end.
        let real = duration
            .div_f64(self.0.scale)
            .min(Duration::from_secs(365 * 24 * 3600));
        tokio::time::sleep(real).await;
    }

    /// Sleeps until then; not at all where it has passed.
    pub async fn sleep_until(&self, moment: Moment) {
        let left = moment.since(self.now());
        if !left.is_zero() {
            self.sleep(left).await;
        }
    }

    /// The work's output, where it comes in time.
    ///
    /// # Errors
    /// The time was over first; the work is dropped.
    pub async fn timeout<F: Future>(&self, duration: Duration, work: F) -> Result<F::Output, Elapsed> {
        tokio::select! {
            biased;
            output = work => Ok(output),
            () = self.sleep(duration) => Err(Elapsed),
        }
    }

    /// A duration between zero and `most`, evenly spread (full jitter).
    pub fn jitter(&self, most: Duration) -> Duration {
        // SplitMix64: good enough to spread retries, and no dependency.
        let mut x = self.0.random.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^= x >> 31;
        most.mul_f64((x >> 11) as f64 / (1u64 << 53) as f64)
    }

    /// The wall's time, never scaled: for signatures and for what others read.
    #[expect(clippy::disallowed_methods, reason = "this module is where time comes from")]
    pub fn wall(&self) -> std::time::SystemTime {
        std::time::SystemTime::now()
    }

    /// A new id whose text sorts by the time of its making (UUID version 7), on the wall's clock.
    pub fn id(&self) -> String {
        uuid::Uuid::now_v7().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_fast_clock_says_real_time() {
        let clock = Clock::scaled(100.0);
        clock.sleep(Duration::from_secs(100)).await;
        let passed = clock.now().since(Moment(Duration::ZERO));
        assert!((100.0..100.5).contains(&passed.as_secs_f64()), "{passed:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_timeout_ends_the_work() {
        let clock = Clock::scaled(1.0);
        let second = Duration::from_secs(1);
        assert_eq!(clock.timeout(second, clock.sleep(2 * second)).await, Err(Elapsed));
        assert_eq!(clock.timeout(2 * second, clock.sleep(second)).await, Ok(()));
    }

    #[test]
    fn ids_sort_by_time() {
        let clock = Clock::scaled(1.0);
        let ids: Vec<_> = (0..1000).map(|_| clock.id()).collect();
        assert!(ids.is_sorted());
    }
}
