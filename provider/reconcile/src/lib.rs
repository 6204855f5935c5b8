//! Floor 3: the engine that brings a graph of parts to what it should be.
//!
//! A resource is a [`graph::Graph`] of [parts](part::Part); a [`part::Kind`] knows how the parts of one kind are found,
//! made, changed and deleted, one attempt each. Everything else is the [`engine::Engine`]'s: order, waiting, trying
//! again, and losing nothing. It knows neither AWS nor Kubernetes.
//!
//! # One reconcile
//!
//! ```text
//! stages (graphs) ─┐
//! known (state) ───┤ observe   one batched look a kind, all at once: `observe`. Missing ids of the state are looked
//!                  │           for until `invisible_for` is over: they may be new.
//!                  ▼
//!               picture        `matching`: objects to parts by tags, else known id, else (import) structure; absent,
//!                  │           found, foreign, unseen. `duplicates`: which of several stands for a part.
//!                  ▼
//!               refusals       `run`: a foreign name, a complete root (create), another incarnation, what vanished
//!                  │           since the plan, what the plan did not allow: an error, and nothing is changed.
//!                  ▼
//!   ┌── for each stage of the way (`engine::Way`), until nothing differs ──────────────────────────────┐
//!   │  removals   `delete`: replaced, failed, undeclared, duplicates; users before what they use        │
//!   │  bring      `bring`, one future a part: wait for needs → create / update / wait → made → ready     │
//!   │  `schedule` is where they wait for each other; `wait` has the looks that all waiting parts of a    │
//!   │  kind share, retries by class of failure, cancel, the time limit; `compare` the differences.       │
//!   └───────────────────────────────────────────────────────────────────────────────────────────────────┘
//!                  ▼
//!               finish         the root's tags: phase `complete`, incarnation, whom it superseded
//!                  ▼
//!               outcome        all errors together, and a report that is complete also after errors and cancel
//! ```
//!
//! All of it is one future on one task: dropping it is a crash, and is tested as one. A part's failure stops only what
//! needs it. A destroy is observe, then removals of everything, then another look for what became visible meanwhile.
//!
//! # What is true between looks
//!
//! Reads lag behind, so [`observe::Observation`] keeps beside the answers: what was made or seen and may be missing
//! from reads (`standing`), what we deleted and reads may still show (`gone`, `leaving`), and which object was decided
//! on (`chosen`). The picture is made anew from these after every look.
//!
//! # Who gives way
//!
//! Something new is made before the old one goes, where both can be there. What is replaced, or cannot be there beside a
//! new part (`Kind::excludes`), goes first: where the service refuses to delete it because others of ours refer to it,
//! these are changed not to, and refer to the new one once it is made.
//!
//! # Known limits
//!
//! Two creates at once may make duplicates of parts before one of them ends with an error; the next apply removes them.

// The derive names this crate from outside; here it is the same.
#[cfg(test)]
extern crate self as reconcile;

mod bring;
pub mod clock;
mod compare;
mod delete;
mod duplicates;
pub mod ending;
pub mod engine;
pub mod failure;
pub mod foresight;
pub mod formerly;
pub mod graph;
#[cfg(test)]
mod housed;
pub mod inventory;
pub mod kinds;
pub mod locks;
mod matching;
pub mod observe;
pub mod ownership;
pub mod part;
pub mod progress;
#[cfg(test)]
mod properties;
mod reference;
pub mod report;
pub mod resource;
mod run;
mod schedule;
#[cfg(test)]
mod secrets;
pub mod shared_tags;
#[cfg(test)]
mod simulated;
#[cfg(test)]
mod size;
#[cfg(test)]
mod stages;
#[cfg(test)]
mod sweep;
#[cfg(test)]
mod taken;
#[cfg(test)]
mod tests;
mod token;
mod wait;
#[cfg(test)]
mod waits;
