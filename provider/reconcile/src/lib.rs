//! Floor 3: the engine that brings a graph of parts to what it should be.

pub mod clock;
mod compare;
pub mod engine;
pub mod failure;
pub mod graph;
pub mod kinds;
pub mod locks;
mod matching;
pub mod observe;
pub mod ownership;
pub mod part;
pub mod report;
pub mod resource;
mod run;
