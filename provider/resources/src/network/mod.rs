//! The network of an environment.

pub mod layout;
