//! The engine: observes, reconciles, destroys.

use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, Moment};
use crate::failure::Failure;
use crate::formerly::Formerly;
use crate::graph::Graph;
use crate::kinds::Kinds;
use crate::locks::Locks;
use crate::observe::Observation;
use crate::ownership::Purpose;
use crate::part::{Key, Owner};
use crate::progress::{Progress, Step};
use crate::report::{Allowed, Known, Outcome, Report};

/// The way to what shall be, by stages: where it cannot be reached in one step (an upgrade over several versions), or parts
/// of it can be declared only when others are there.
#[async_trait]
pub trait Way: Send + Sync {
    /// The stages ahead, seen from what is there when so many are behind. The last one is the target: it stays the same.
    /// Asked before anything is done (then with an empty report too, for the names to look for) and after each stage.
    ///
    /// # Errors
    /// What had to be looked up for it could not be: nothing more is done.
    async fn ahead(&self, behind: usize, found: &Report) -> Result<Vec<Graph>, Failure>;
}

/// Stages that are known beforehand.
struct Fixed<'a>(&'a [Graph]);

#[async_trait]
impl Way for Fixed<'_> {
    async fn ahead(&self, behind: usize, _found: &Report) -> Result<Vec<Graph>, Failure> {
        let last = self.0.len().saturating_sub(1);
        Ok(self.0[behind.min(last)..].to_vec())
    }
}

/// Brings the parts of one owner to what they should be. Cheap to make: one for each call of a resource.
#[derive(Clone)]
pub struct Engine {
    /// The kinds of parts that may belong to the owner.
    pub kinds: Kinds,
    /// Time.
    pub clock: Clock,
    /// Cancelled when the run is to end: no new mutating call is begun, waits end at once.
    pub cancel: CancellationToken,
    /// Locks of the process; runs of one owner exclude each other through it.
    pub locks: Locks,
    /// Whose parts.
    pub owner: Owner,
    /// Version of the resource's schema, written to the root; a root with a higher one is refused.
    pub schema: u32,
    /// Names that earlier versions gave.
    pub formerly: Formerly,
    /// Patterns of drift to leave alone: `part`, `part: field` or `part: field entry`, `*` for any text.
    pub ignore_drift: Vec<String>,
    /// Whether objects that have the fixed names of parts and carry nobody's tags are taken over.
    pub adopt: bool,
    /// Whether that goes for the root, and with it for the whole.
    pub adopts_whole: bool,
    /// Most mutating calls at a time.
    pub concurrency: usize,
    /// Longest time for the whole of an observation, reconcile or destroy.
    pub timeout: Duration,
    /// Whether the user asked for a longer time than usual: what a kind says of how long a wait may be at most then does
    /// not end it.
    pub is_patient: bool,
    /// Whom it tells how things go.
    pub progress: Progress,
    /// When the time of what is under way is over.
    pub deadline: Option<Moment>,
}

impl Engine {
    /// An engine with the clock of the environment, locks of its own, ten mutating calls at a time and an hour.
    pub fn new(owner: Owner, kinds: Kinds) -> Self {
        Self {
            kinds,
            clock: Clock::from_env(),
            cancel: CancellationToken::new(),
            locks: Locks::default(),
            owner,
            schema: 0,
            formerly: Formerly::default(),
            ignore_drift: Vec::new(),
            adopt: false,
            adopts_whole: false,
            concurrency: 10,
            timeout: Duration::from_secs(3600),
            is_patient: false,
            progress: Progress::from_env(),
            deadline: None,
        }
    }

    /// The same with its time running from now on, unless it runs already.
    pub(crate) fn begun(&self) -> Self {
        let deadline = self.deadline.unwrap_or_else(|| self.clock.now() + self.timeout);
        Self {
            deadline: Some(deadline),
            ..self.clone()
        }
    }

    /// When the time of what is under way is over.
    pub(crate) fn deadline(&self) -> Moment {
        self.deadline.unwrap_or_else(|| self.clock.now() + self.timeout)
    }

    /// Tells what becomes of a part.
    pub(crate) fn tell(&self, part: &Key, doing: &str, step: &Step) {
        self.progress
            .tell(&self.owner, part, doing, || self.clock.id(), step);
    }

    /// How long something may be waited for of which its kind says so much.
    pub(crate) fn limit(&self, kind: Duration) -> Duration {
        if self.is_patient { self.timeout } else { kind }
    }

    /// Looks at everything that the owner has, one batched look a kind, all kinds at once. Changes nothing.
    ///
    /// With a graph, its parts are also found by fixed names and, under a known root, by structure.
    pub async fn observe(&self, graph: Option<&Graph>, known: &Known) -> Observation {
        Observation::look(&self.begun(), graph.map_or(&[], std::slice::from_ref), known).await
    }

    /// Brings the owner's parts to what the last of the graphs says, through the others in order.
    ///
    /// Observes first. A graph is the whole target of its stage: what is in none of this and the later ones is
    /// deleted, as far as the plan allowed it. The outcome's report is complete also after errors and cancel.
    pub async fn reconcile(
        &self,
        stages: &[Graph],
        known: &Known,
        allowed: &Allowed,
        purpose: &Purpose,
    ) -> Outcome {
        self.follow(&Fixed(stages), known, allowed, purpose).await
    }

    /// The same where the stages follow from what is there.
    pub async fn follow(
        &self,
        way: &dyn Way,
        known: &Known,
        allowed: &Allowed,
        purpose: &Purpose,
    ) -> Outcome {
        crate::run::reconcile(&self.begun(), way, known, allowed, purpose).await
    }

    /// Deletes everything that the owner has.
    ///
    /// The graph (as it follows from the state) gives edges and fixed names; without it order follows from what is
    /// observed. `incarnation` is the state's: where a later create took everything over, all is left.
    pub async fn destroy(&self, graph: Option<&Graph>, known: &Known, incarnation: Option<&str>) -> Outcome {
        crate::run::destroy(&self.begun(), graph, known, incarnation).await
    }
}
