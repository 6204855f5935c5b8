//! Floor 3: the engine that brings a graph of parts to what it should be.

pub mod failure;
pub mod part;
