//! Waiting and calling within one run: time limits, cancel, retries, and looks that many waiting parts share.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use tokio::sync::Semaphore;

use crate::clock::Moment;
use crate::ending::Ending;
use crate::engine::Engine;
use crate::failure::{Class, Failure};
use crate::kinds::AnyKind;
use crate::observe::Observation;
use crate::part::{Key, Object};
use crate::progress::{Reminder, Step};
use crate::report::Kept;

/// Shortest time between two looks of one part.
const STEP: Duration = Duration::from_millis(250);
/// Longest time that a call is tried again because the services do not see yet what was just made.
const NOT_YET_LIMIT: Duration = Duration::from_secs(180);
/// Longest time that a call is tried again for throttling and the like, where the part's own limit is shorter.
const TRANSIENT_LIMIT: Duration = Duration::from_secs(600);

/// One reconcile or destroy.
pub(crate) struct Run {
    pub engine: Engine,
    deadline: Moment,
    permits: Semaphore,
    sight: Mutex<Observation>,
    /// When the last look at a kind began.
    looks: Mutex<BTreeMap<&'static str, Arc<tokio::sync::Mutex<Option<Moment>>>>>,
    changed: AtomicBool,
    pub kept: Mutex<Vec<Kept>>,
    pub warnings: Mutex<Vec<Failure>>,
}

impl Run {
    pub fn new(observation: Observation) -> Self {
        let engine = observation.engine.begun();
        Self {
            deadline: engine.deadline(),
            permits: Semaphore::new(engine.concurrency.max(1)),
            looks: Mutex::default(),
            sight: Mutex::new(observation),
            engine,
            changed: AtomicBool::new(false),
            kept: Mutex::default(),
            warnings: Mutex::default(),
        }
    }

    /// Works with what is seen. Never holds it over an await.
    pub fn sight<T>(&self, work: impl FnOnce(&mut Observation) -> T) -> T {
        work(&mut self.sight.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn warn(&self, failure: Failure) {
        self.warnings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(failure);
    }

    pub fn keep(&self, kept: Kept) {
        self.kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(kept);
    }

    /// Whether any mutating call was begun.
    pub fn has_changed(&self) -> bool {
        self.changed.load(Ordering::Relaxed)
    }

    /// Fails when the run is to end.
    pub fn go_on(&self, doing: &str) -> Result<(), Failure> {
        self.ending().go_on(doing)
    }

    fn ending(&self) -> Ending {
        Ending {
            clock: self.engine.clock.clone(),
            cancel: self.engine.cancel.clone(),
            deadline: self.deadline,
        }
    }

    /// Sleeps until then; fails at once when the run is to end.
    pub async fn pause_until(&self, moment: Moment, doing: &str) -> Result<(), Failure> {
        tokio::select! {
            () = self.engine.clock.sleep_until(moment.min(self.deadline)) => {}
            () = self.engine.cancel.cancelled() => {}
        }
        self.go_on(doing)
    }

    /// One mutating call, begun only when there is room and the run is not to end, then always awaited.
    pub async fn call<T>(
        &self,
        doing: &str,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let permit = tokio::select! {
            permit = self.permits.acquire() => permit,
            () = self.engine.cancel.cancelled() => return Err(self.go_on(doing).err().unwrap_or_else(|| cancelled(doing))),
        };
        self.go_on(doing)?;
        self.changed.store(true, Ordering::Relaxed);
        tracing::debug!(doing, "calling");
        let answer = self.ending().scope(work).await;
        drop(permit);
        if let Err(failure) = &answer {
            tracing::debug!(doing, %failure, "failed");
        }
        answer
    }

    /// The same under the lock of this name. Held for the one call only: whoever holds a lock waits for nothing but the
    /// service's answer, so that no order of parts can end in a deadlock. An operation that goes on after the call was
    /// taken, the service itself protects (busy).
    pub async fn locked_call<T>(
        &self,
        part: &Key,
        lock: Option<String>,
        doing: &str,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let _guard = match lock {
            Some(name) => Some(self.lock(&name, doing).await?),
            None => None,
        };
        self.engine.tell(part, doing, &Step::Calling);
        self.call(doing, work).await
    }

    /// Waits for the next look at a part's object. Now and then, and where the time is over, it is said what holds the object up.
    pub async fn look_again(
        &self,
        kind: &Arc<dyn AnyKind>,
        (key, object): (&Key, &Object),
        doing: &str,
        rhythm: &mut Rhythm,
        is_leaving: bool,
    ) -> Result<(), Failure> {
        let waited = rhythm.waited(self);
        let held_up_by = || kind.held_up_by(object, waited);
        if rhythm.is_told(self) {
            let what = held_up_by().await.map(|what| format!("{doing}: {what}"));
            self.tell_waiting(key, what.as_deref().unwrap_or(doing), rhythm, is_leaving);
        }
        match rhythm.look(self, kind.traits().kind, doing).await {
            Err(failure) if failure.class == Class::TimedOut => {
                let what = held_up_by()
                    .await
                    .map(|what| format!("{}: {what}", failure.cause));
                Err(Failure {
                    cause: what.unwrap_or(failure.cause),
                    ..failure
                })
            }
            other => other,
        }
    }

    /// Tells of a wait, now and then.
    fn tell_waiting(&self, part: &Key, doing: &str, rhythm: &mut Rhythm, is_leaving: bool) {
        let waited = rhythm.waited(self);
        if rhythm.reminder.is_due(waited) {
            let behind = if is_leaving {
                0
            } else {
                self.sight(|sight| sight.graphs.first().map_or(0, |graph| graph.behind(part)))
            };
            let step = Step::Waiting {
                waited: waited.as_secs(),
                usual: rhythm.usual.as_secs(),
                behind,
            };
            self.engine.tell(part, doing, &step);
        }
    }

    /// The lock of this name, unless the run is to end first.
    async fn lock(&self, name: &str, doing: &str) -> Result<tokio::sync::OwnedMutexGuard<()>, Failure> {
        tokio::select! {
            guard = self.engine.locks.lock(name) => Ok(guard),
            () = self.engine.cancel.cancelled() => Err(cancelled(doing)),
            () = self.engine.clock.sleep_until(self.deadline) => Err(self.go_on(doing).err().unwrap_or_else(|| cancelled(doing))),
        }
    }

    /// Looks at kinds that a later stage has named.
    pub async fn look_at_new_kinds(&self) {
        let (kinds, now) = (self.sight(|sight| sight.unasked()), self.engine.clock.now());
        join_all(kinds.into_iter().map(|kind| self.look(kind, now))).await;
    }

    /// A look at the kind that began not before this moment: another's where there is one, else a new one.
    pub async fn look(&self, kind: &'static str, not_before: Moment) -> Result<(), Failure> {
        if self.engine.kinds.name(kind).is_none() {
            return Ok(());
        }
        let last = {
            let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(looks.entry(kind).or_default())
        };
        let mut last = last.lock().await;
        if last.is_some_and(|at| at >= not_before) {
            return Ok(());
        }
        let prospect = self.sight(|sight| sight.prospect(kind));
        let at = self.engine.clock.now();
        let answer = prospect.look(&self.engine, kind).await;
        let failure = answer.as_ref().err().cloned();
        if failure.is_none() {
            *last = Some(at);
        }
        // A look that fails in the middle of a run leaves what was known.
        self.sight(|sight| {
            if answer.is_ok() || !sight.answers.contains_key(kind) {
                sight.take(kind, at, answer);
                sight.sort_out();
            }
        });
        failure.map_or(Ok(()), Err)
    }
}

pub(crate) fn cancelled(doing: &str) -> Failure {
    Failure::new(Class::Cancelled, doing, "the run was cancelled").hint("Run it again to continue.")
}

/// The rhythm of looks at something that takes its time: sparse before its usual time and dense around it.
pub(crate) struct Rhythm {
    begun: Moment,
    usual: Duration,
    limit: Duration,
    first: bool,
    reminder: Reminder,
}

impl Rhythm {
    /// `begun` none: something found under way, of which it is not known how long it has been: dense at once.
    pub fn new(run: &Run, begun: Option<Moment>, usual: Duration, limit: Duration) -> Self {
        let now = run.engine.clock.now();
        let usual = if begun.is_some() {
            usual
        } else {
            usual.min(Duration::from_secs(60)) / 60
        };
        Self {
            begun: begun.unwrap_or(now),
            usual,
            limit: run.engine.limit(limit),
            first: true,
            reminder: Reminder::default(),
        }
    }

    /// How long it has been.
    pub fn waited(&self, run: &Run) -> Duration {
        run.engine.clock.now().since(self.begun)
    }

    /// Whether it is time to tell of the wait.
    pub fn is_told(&self, run: &Run) -> bool {
        self.reminder.would_be_due(self.waited(run))
    }

    /// Waits until the next look is due, looks, and says whether the time is over.
    ///
    /// Looks lie on a grid of time, so that all parts of a kind that wait together share one look.
    pub async fn look(&mut self, run: &Run, kind: &'static str, doing: &str) -> Result<(), Failure> {
        let now = run.engine.clock.now();
        let passed = now.since(self.begun);
        if passed > self.limit {
            let minutes = self.limit.as_secs().div_ceil(60);
            return Err(Failure::new(
                Class::TimedOut,
                doing,
                format!("not done after {minutes} minutes"),
            ));
        }
        let dense = (self.usual.max(passed) / 150).clamp(STEP, Duration::from_secs(10));
        let near = self.usual.mul_f64(0.9);
        let due = if self.first && self.usual <= Duration::from_secs(1) {
            now
        } else if passed < near {
            now.to_grid(STEP, passed.max(STEP).min(near.saturating_sub(passed)))
        } else {
            now.to_grid(dense, dense / 2)
        };
        self.first = false;
        run.pause_until(due, doing).await?;
        match run.look(kind, due).await {
            Err(failure) if failure.class != Class::Cancelled && failure.class != Class::Denied => {
                tracing::debug!(doing, %failure, "could not look; looking again");
                Ok(())
            }
            other => other,
        }
    }
}

/// Trying again, slower each time, with full jitter.
pub(crate) struct Patience {
    /// When a failure of a class first came.
    since: HashMap<Class, Moment>,
    /// What the last try failed with.
    last: Option<Failure>,
    tries: u32,
    limit: Duration,
}

impl Patience {
    /// `limit`: how long something may be in the way.
    pub fn new(run: &Run, limit: Duration) -> Self {
        Self {
            since: HashMap::new(),
            last: None,
            tries: 0,
            limit: run.engine.limit(limit),
        }
    }

    /// Waits before the next try.
    ///
    /// # Errors
    /// The failure itself, where trying again has no prospect or took too long already; cancel and time-out.
    pub async fn again(&mut self, run: &Run, failure: Failure) -> Result<(), Failure> {
        let (limit, most) = match failure.class {
            Class::Throttled | Class::Transient | Class::Unknown => (self.limit.max(TRANSIENT_LIMIT), 20),
            Class::NotYet => (NOT_YET_LIMIT, 5),
            Class::Busy => (self.limit, 10),
            Class::TimedOut => {
                return Err(self
                    .last
                    .take()
                    .map_or(failure.clone(), |last| ended(last, failure)));
            }
            _ => return Err(failure),
        };
        self.last = Some(failure.clone());
        let now = run.engine.clock.now();
        // An hour of throttling says nothing about how long something just made stays invisible.
        if now.since(*self.since.entry(failure.class).or_insert(now)) > limit {
            return Err(failure);
        }
        let most = Duration::from_secs(most)
            .min(Duration::from_millis(500) * 2u32.saturating_pow(self.tries.min(10)));
        self.tries += 1;
        let pause = STEP / 5 + run.engine.clock.jitter(most);
        match run.pause_until(now + pause, &failure.doing).await {
            Err(end) if end.class == Class::TimedOut => Err(ended(failure, end)),
            other => other,
        }
    }
}

/// What stood in the way says more than that the time is over.
fn ended(failure: Failure, end: Failure) -> Failure {
    let hint = format!("{}. {}", failure.hint.trim_end_matches('.'), end.hint);
    Failure {
        hint: hint.trim_start_matches(". ").to_owned(),
        ..failure
    }
}
