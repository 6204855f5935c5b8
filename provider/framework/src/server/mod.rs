//! The protocol's service over a [`Provider`].

mod catalog;
mod ephemeral;
mod functions;
mod lookup;
mod provider;
mod resource;
mod service;
mod state;
mod streams;
pub(crate) mod wire;

use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use tokio_util::sync::CancellationToken;

use crate::context::{Configured, Context, HostInfo, Scratch};
use crate::path::Path;
use crate::provider::Provider;
use catalog::Catalog;

/// All that a provider's `main` does: answers a human, or shakes hands with the host and serves until it is done.
pub fn serve<P: Provider>(about: plugin::About, provider: P) -> std::process::ExitCode {
    plugin::run(about, |_host| Server::new(provider))
}

/// A provider as the protocol's service: give it to `tonic`, or call its methods in process.
///
/// Nothing is built before the first call that needs it, no call needs another one before it, and every failure is a
/// diagnostic in the answer.
pub struct Server<P: Provider> {
    provider: P,
    catalog: OnceLock<Catalog<P::Context>>,
    condition: RwLock<Condition<P::Context>>,
}

/// What changes while a server runs.
struct Condition<C> {
    configured: Option<Configured<C>>,
    unknown: Vec<Path>,
    host: HostInfo,
    cancel: CancellationToken,
    scratch: Arc<Scratch>,
}

impl<P: Provider> Server<P> {
    /// A server that is not yet configured.
    pub fn new(provider: P) -> Self {
        let condition = Condition {
            configured: None,
            unknown: Vec::new(),
            host: HostInfo::default(),
            cancel: CancellationToken::new(),
            scratch: Arc::default(),
        };
        Self {
            provider,
            catalog: OnceLock::new(),
            condition: RwLock::new(condition),
        }
    }

    fn catalog(&self) -> &Catalog<P::Context> {
        self.catalog.get_or_init(|| Catalog::new::<P>(&self.provider))
    }

    /// The condition at this moment, for one call.
    fn context(&self) -> Context<P::Context> {
        let condition = self.condition.read().unwrap_or_else(PoisonError::into_inner);
        Context {
            configured: condition.configured.clone(),
            unknown: condition.unknown.clone(),
            host: condition.host.clone(),
            cancel: condition.cancel.clone(),
            scratch: Arc::clone(&condition.scratch),
        }
    }

    /// Cancels what is under way. Later calls find themselves cancelled too, until the provider is configured again
    /// (which only a host that keeps the process for several runs does).
    fn stop(&self) {
        self.condition
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .cancel
            .cancel();
    }
}
