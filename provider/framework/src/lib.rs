//! Floor 2: values, schemas, plan rules and resources as traits. Knows nothing of EKB, could serve any provider.
//!
//! A resource is a [`Model`] (a plain struct with `#[derive(Model)]`) and an implementation of [`Resource`]; a
//! [`Provider`] offers resources, data sources, functions and more; [`serve`] is all that its `main` does.
//!
//! # A resource from nothing
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use framework::{
//!     Applied, Attr, Configured, Context, Create, Delete, Diagnostic, Diagnostics, HostInfo, Model, Offers, Plan, Provider,
//!     Read, Resource, Update,
//! };
//!
//! /// A note on the pinboard.
//! #[derive(Debug, Clone, Model)]
//! struct Note {
//!     /// Where it hangs.
//!     #[attribute(required, replace, validate(one_of("kitchen", "hall")))]
//!     place: Attr<String>,
//!     /// What it says.
//!     #[attribute(default = "…", validate(length(1..=80)))]
//!     text: Attr<String>,
//!     /// Its number.
//!     #[attribute(computed, keep)]
//!     id: Attr<i64>,
//!     /// Place and text in one.
//!     #[attribute(computed)]
//!     summary: Attr<String>,
//! }
//!
//! /// What calls need: here the pinboard's API.
//! struct Pinboard;
//!
//! impl Pinboard {
//!     async fn pin(&self, place: &str, text: &str) -> Result<i64, String> {
//!         if text == place { Err("nonsense".to_owned()) } else { Ok(7) }
//!     }
//! }
//!
//! struct Notes;
//!
//! #[async_trait::async_trait]
//! impl Resource<Pinboard> for Notes {
//!     type Model = Note;
//!     type Identity = ();
//!
//!     const NAME: &'static str = "pinboard_note";
//!
//!     // What can be known at plan is set here; the rest stays "known after apply".
//!     async fn plan(&self, _cx: &Context<Pinboard>, plan: &mut Plan<Note>) {
//!         let Some(planned) = &mut plan.planned else { return };
//!         if let (Attr::Known(place), Attr::Known(text)) = (&planned.place, &planned.text) {
//!             planned.summary = Attr::Known(format!("{place}: {text}"));
//!         }
//!     }
//!
//!     async fn create(&self, cx: &Context<Pinboard>, request: Create<Note>) -> Applied<Note> {
//!         let mut note = request.planned;
//!         let (place, text) = (note.place.clone().unwrap_or_default(), note.text.clone().unwrap_or_default());
//!         let pinned = match cx.configured() {
//!             Ok(pinboard) => pinboard.pin(&place, &text).await.map_err(|error| {
//!                 Diagnostic::error("PIN001", "Note not pinned", error).at("text").hint("Write something else.")
//!             }),
//!             Err(error) => Err(error),
//!         };
//!         match pinned {
//!             Ok(id) => {
//!                 note.id = Attr::Known(id);
//!                 Applied::done(note, request.private)
//!             }
//!             // Nothing was made. What was made goes back together with the error: `Some(note)`.
//!             Err(error) => Applied::failed(None, request.private, error),
//!         }
//!     }
//!
//!     async fn read(&self, _cx: &Context<Pinboard>, request: Read<Note, ()>) -> Applied<Note> {
//!         Applied::done(request.state, request.private)
//!     }
//!
//!     async fn update(&self, _cx: &Context<Pinboard>, request: Update<Note>) -> Applied<Note> {
//!         Applied::done(request.planned, request.private)
//!     }
//!
//!     async fn delete(&self, _cx: &Context<Pinboard>, _request: Delete<Note>) -> Applied<Note> {
//!         Applied::gone()
//!     }
//! }
//!
//! struct PinboardProvider;
//!
//! #[async_trait::async_trait]
//! impl Provider for PinboardProvider {
//!     type Config = ();
//!     type Context = Pinboard;
//!
//!     async fn configure(
//!         &self,
//!         _config: (),
//!         _host: &HostInfo,
//!         _warnings: &mut Diagnostics,
//!     ) -> Result<Configured<Pinboard>, Diagnostics> {
//!         Ok(Arc::new(Pinboard).into())
//!     }
//!
//!     fn offers(&self) -> Offers<Pinboard> {
//!         Offers::new().resource(Notes)
//!     }
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     framework::serve(
//!         framework::About {
//!             name: "pinboard",
//!             version: "0.1.0",
//!             address: "example.com/me/pinboard",
//!             summary: "Notes on a pinboard.",
//!             crates: &["pinboard", "framework"],
//!         },
//!         PinboardProvider,
//!     )
//! }
//! ```
//!
//! # What the framework does for it
//!
//! - The order of a plan: defaults, write-only values out, "known after apply" for what is computed where anything changes
//!   (not for `keep`), paths that replace, then the resource's own step. A plan without changes stays one.
//! - Core's rules are checked on our own answers; a violation names the path and loses no state ([`Marker`] says what kind
//!   of plan led to an apply).
//! - Diagnostics have stable codes; those of the framework begin with `F`.

// The derives write `::framework`, also where they are used in this crate.
extern crate self as framework;

pub mod action;
pub mod attr;
mod computed_blocks;
pub mod context;
pub mod data_source;
pub mod diagnostics;
pub mod ephemeral;
mod erased;
pub mod function;
mod generate;
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
pub use resource::{
    Applied, Create, Delete, Import, MoveSource, Plan, PlanKind, Read, Resource, Update, no_upgrade,
};
pub use secret::{Secret, SecretValue};
pub use server::{Server, serve};
pub use timeouts::Timeouts;
pub use value::{Number, Shared, Type, Value};
