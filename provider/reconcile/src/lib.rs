//! Floor 3: the engine that brings a graph of parts to what it should be.

mod bring;
pub mod clock;
mod compare;
mod delete;
mod duplicates;
pub mod engine;
pub mod failure;
pub mod graph;
pub mod kinds;
pub mod locks;
mod matching;
pub mod observe;
pub mod ownership;
pub mod part;
#[cfg(test)]
mod properties;
pub mod report;
pub mod resource;
mod run;
mod schedule;
#[cfg(test)]
mod simulated;
#[cfg(test)]
mod sweep;
#[cfg(test)]
mod tests;
mod token;
mod wait;
