//! Floor 4: AWS configuration, clients, errors and the parts made of AWS objects.
//!
//! Nothing of the AWS SDK shows outside of this crate.

mod client;
mod credentials;
mod endpoint_services;
mod errors;
mod failure;
mod http;
mod limiter;
pub mod network;
pub mod partition;
#[cfg(test)]
mod played;
pub mod services;
pub mod settings;
mod zones;

pub use client::{Account, Aws};
pub use failure::codes;
pub use settings::Settings;
pub use zones::Zone;
