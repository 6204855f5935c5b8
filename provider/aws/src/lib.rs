//! Floor 4: AWS configuration, clients, errors and the parts made of AWS objects.
//!
//! Nothing of the AWS SDK shows outside of this crate.

mod client;
mod credentials;
pub mod ec2;
pub mod eks;
mod endpoint_services;
mod errors;
pub mod events;
mod failure;
mod http;
pub mod iam;
pub mod karpenter;
mod kind;
pub mod kms;
mod limiter;
pub mod logs;
pub mod partition;
#[cfg(test)]
mod played;
pub mod services;
pub mod settings;
pub mod sqs;
mod zones;

pub use client::{Account, Aws};
pub use failure::codes;
pub use settings::Settings;
pub use zones::Zone;
