//! The rig, and the tests with real programs.
//!
//! ```no_run
//! use acceptance_tests::{Cli, Rig, Workspace};
//! let account = Rig::shared().account();
//! for cli in Cli::all() {
//!     let workspace = Workspace::new(&cli, &account);
//!     workspace.write("main.tf", r#"resource "ekb_network" "main" { cidr = "10.20.0.0/16" }"#);
//!     workspace.apply().ok();
//!     workspace.plan().assert_empty();
//!     workspace.destroy().ok();
//!     account.assert_empty();
//! }
//! ```
//!
//! A test harness: what cannot go on panics, so that the test fails where it stands, with all that was printed.
#![expect(clippy::expect_used, reason = "a test harness fails by panicking")]

mod account;
mod api_front;
pub mod charts;
mod cli;
mod control_plane;
pub mod cuts;
pub mod drift;
mod fault;
mod http;
mod normalise;
mod plan;
mod process;
mod rig;
mod run;
pub mod session;
pub mod standing;
mod tools;
pub mod unknowns;
mod wait;
mod workspace;

pub use account::{Account, AwsError, ControllerProgram, Keys, LoggedCall, Object};
pub use api_front::{ApiChange, ApiFront};
pub use cli::Cli;
pub use control_plane::{ApiError, ControlPlane, Kubernetes, Namespace};
pub use fault::Fault;
pub use normalise::{Normaliser, normalise};
pub use plan::{Change, Plan};
pub use process::Running;
pub use rig::Rig;
pub use run::{Diagnostic, Run};
pub use session::Session;
pub use standing::Standing;
pub use tools::{built, provider_binary, tool};
pub use wait::{Stopwatch, pause, until};
pub use workspace::{Workspace, token_to_file};
