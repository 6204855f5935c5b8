//! Terraform's core without a CLI: drives any provider binary over gRPC (real handshake, mutual TLS with the host's kind
//! of certificate) and checks every answer against core's rules. Written from the rules, not with the framework's code
//! that checks its own answers; only values and their encodings are the framework's.
//!
//! ```no_run
//! use conformance::{Action, Core, Resource};
//! use serde_json::json;
//!
//! # async fn example() -> Result<(), conformance::Error> {
//! let core = Core::start("target/debug/terraform-provider-ekb", &[("AWS_ENDPOINT_URL", "http://127.0.0.1:5000")]).await?;
//! core.configure(&json!({"region": "eu-central-1", "environment": "test"})).await?;
//!
//! let mut network = Resource::new("ekb_network");
//! let config = core.config("ekb_network", &json!({"cidr": "10.20.0.0/16"}))?;
//! let plan = core.plan(&network, &config).await?;
//! assert_eq!(plan.action, Action::Create, "{plan}");
//! match core.apply(&mut network, &plan).await {
//!     // The rig killed it: a new process goes on with the same handle, which holds what core would have stored.
//!     Err(error) if error.died() => {
//!         let core = Core::start("target/debug/terraform-provider-ekb", &[]).await?;
//!         core.configure(&json!({})).await?;
//!         core.converge(&mut network, &config).await?;
//!     }
//!     other => drop(other?),
//! }
//! # Ok(()) }
//! ```
//!
//! - [`Core`] is a running provider. Its methods are what core does: `validate`, `plan`, `plan_replace`, `plan_destroy`,
//!   `apply`, `refresh`, `import`, `move_from`, `read_data`, `call_function`, `open`, `list`, `invoke`.
//! - [`Resource`] is a handle: what stands in the state, and `lifecycle`. It outlives processes.
//! - [`Error::Broken`] names each broken [`Rule`] with path and both values.
//! - [`generate`] makes configurations for any schema.

mod apply;
mod compatible;
mod config;
mod core;
mod drive;
mod error;
pub mod generate;
mod lifecycle;
mod load;
mod other;
mod plan;
mod plan_rules;
mod propose;
mod read;
mod resource;
mod rule;
pub mod schema;
mod show;
mod store;
mod walk;
mod wire;

pub use config::UNKNOWN;
pub use core::Core;
pub use drive::unless_refused;
pub use error::{Diagnostic, Error};
pub use other::{Ephemeral, Listed};
pub use plan::{Action, Plan};
pub use resource::{Instance, Lifecycle, Resource};
pub use rule::{Rule, Violation};
pub use show::value as show;

/// Values, as configurations and states hold them.
pub use framework::{Path, Type, Value};
