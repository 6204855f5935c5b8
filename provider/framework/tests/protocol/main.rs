//! The framework through the protocol's service, in process: what core sees of a provider made with it.

#![allow(missing_docs, reason = "tests")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests: a panic is a failure"
)]

mod apply;
mod computed;
mod core;
mod declared;
mod extras;
mod generated;
mod plan;
mod robust;
mod service;
mod thing;
