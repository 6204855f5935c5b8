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
//!
//! The modules are layers: each imports only from those before it (`tests/layers.rs`), so that one can begin to read at the
//! first.

// What templates work on, with Go's types and printing.
pub mod value;

// Readers and writers: JSON, YAML, TOML.
pub mod text;

// The template language: read, and carried out; what a template may ask of the world.
pub mod template;

// The functions of templates.
pub mod functions;

// Charts loaded, their dependencies decided, values brought together; errors.
pub mod chart;

// Charts rendered, their values checked, documents taken apart.
pub mod render;

// What helm keeps of a release.
pub mod release;

// Charts from registries and repositories.
#[cfg(feature = "remote")]
pub mod remote;

pub use chart::error::Error;
pub use chart::{Chart, set, values};
pub use render::manifests::{Document, Documents, Hook};
pub use render::schema::check_json;
pub use render::{Capabilities, KubeVersion, Release, Rendered, Renderer};
pub use template::environment::{Asked, Environment, Limits, Process, Still};
pub use text::yaml;
