//! Floor 5: the ekb_* resources, data sources and functions.

pub mod cluster;
pub mod cluster_access;
pub mod controller;
pub mod network;
pub mod node_class;
pub mod platform;
pub mod policy;
pub mod provider;
pub mod registry;
pub mod release;
