//! Floor 4: the way into a cluster, and the kind of parts made of Kubernetes objects.
//!
//! | file | what |
//! |---|---|
//! | `access.rs` | what floor 5 gives: where a cluster is, and tokens for it |
//! | `cluster.rs` | the connection to a cluster, one a process, and requests |
//! | `bearer.rs` | the token of each request, renewed |
//! | `failure.rs` | what an answer of the API server means |
//! | `manifest.rs` | an object as a part |
//! | `kind.rs` | how such parts are found, applied and deleted |
//! | `digest.rs` | what of an object is shown: Secrets, long texts and schemas by digest |
//! | `inside.rs` | what is in a namespace, and whose it is |
//! | `disruption.rs` | what does not let pods off their nodes |
//! | `duplicates.rs` | entries of one name, which server-side apply refuses |
//! | `types.rs` | types of objects: their paths, the order in which they go |
//! | `fixed.rs` | what of an object never changes |
//! | `ready.rs` | whether an object is ready, and what it waits for |
//! | `owned.rs` | what of a live object is ours |
//! | `unfinished.rs` | what only a controller can finish |
//! | `others.rs` | what of it others took over |
//! | `quantity.rs` | `1000m` is `1` |

mod access;
mod bearer;
mod cluster;
mod digest;
pub mod disruption;
mod duplicates;
mod failure;
mod fixed;
mod inside;
mod kind;
mod manifest;
mod others;
mod owned;
mod quantity;
mod ready;
mod types;
mod unfinished;

pub use access::{Access, Endpoint, Route, Token};
pub use cluster::{Answer, Cluster, Clusters, Version, authority_in_base64};
pub use duplicates::{duplicates, last_wins};
pub use failure::codes::UNFINISHED;
pub use kind::{Objects, any_kind, kinds};
pub use manifest::{Manifest, merge};
pub use others::{Foreign, fields_of_others};
pub use types::is_namespaced;
pub use unfinished::{Finishes, Unfinished};

#[cfg(test)]
mod tests;
