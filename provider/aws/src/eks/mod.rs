//! EKS: parts made of a cluster and what is in it.

mod token;

pub use token::{ClusterEndpoint, ClusterToken};
