//! Floor 4: Helm charts loaded and rendered in Rust, equal to helm v4.3.1, without a helm binary.
//!
//! ```no_run
//! use helm::{Chart, Release, Renderer};
//! let chart = Chart::load("charts/keda")?;
//! let rendered = Renderer::new(&chart, Release::new("keda", "keda")).render(&serde_json::json!({"replicas": 2}))?;
//! for document in &rendered.documents.manifests {
//!     println!("{} {}/{}", document.source, document.kind, document.name);
//! }
//! # Ok::<(), helm::Error>(())
//! ```

pub mod chart;
pub mod environment;
pub mod error;
pub mod functions;
pub mod gofmt;
pub mod json;
pub mod manifests;
pub mod object;
pub mod release;
#[cfg(feature = "remote")]
pub mod remote;
pub mod render;
pub mod schema;
pub mod set;
pub mod template;
pub mod time;
pub mod toml;
pub mod value;
pub mod values;
pub mod yaml;

pub use chart::Chart;
pub use environment::{Asked, Environment, Limits, Process, Still};
pub use error::Error;
pub use manifests::{Document, Documents, Hook};
pub use render::{Capabilities, KubeVersion, Release, Rendered, Renderer};
