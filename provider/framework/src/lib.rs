//! Floor 2: values, schemas, plan rules and resources as traits. Knows nothing of EKB, could serve any provider.
//!
//! A resource is a [`Model`] (a plain struct with `#[derive(Model)]`) and an implementation of [`Resource`]; a
//! [`Provider`] offers resources, data sources and functions; [`Server`] speaks the protocol.

// The derives write `::framework`, also where they are used in this crate.
extern crate self as framework;

pub mod action;
pub mod attr;
pub mod context;
pub mod data_source;
pub mod diagnostics;
pub mod ephemeral;
mod erased;
pub mod function;
pub mod list;
pub mod marker;
pub mod model;
pub mod path;
mod plan;
pub mod private;
pub mod provider;
pub mod resource;
mod rules;
pub mod schema;
pub mod secret;
pub mod server;
pub mod timeouts;
pub mod validate;
pub mod value;
mod walk;

pub use framework_derive::{Arguments, Choice, Model};

pub use action::{Action, Progress};
pub use attr::{Attr, AttributeType, DecodeError, Set};
pub use context::{Configured, Context, HostInfo};
pub use data_source::DataSource;
pub use diagnostics::{Diagnostic, Diagnostics, Severity};
pub use ephemeral::{EphemeralResource, Opened, Renewed};
pub use function::{Function, FunctionError};
pub use list::{ListResource, Listed, Listing};
pub use marker::Marker;
pub use model::Model;
pub use path::Path;
/// What a provider says of itself.
pub use plugin::About;
pub use private::PrivateState;
pub use provider::{Offers, Provider};
pub use resource::{Applied, Create, Delete, Import, MoveSource, Plan, PlanKind, Read, Resource, Update};
pub use secret::Secret;
pub use server::{Server, serve};
pub use timeouts::Timeouts;
pub use value::{Number, Type, Value};
