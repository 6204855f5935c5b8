//! What every call of a resource is given: the configured provider, the host, and the means to stop.

use std::any::{Any, TypeId};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::diagnostics::Diagnostic;
use crate::path::Path;

/// What is known of the program that started the provider.
#[derive(Debug, Clone, Default)]
pub struct HostInfo {
    /// Version of Terraform or OpenTofu, for example `1.15.5`; empty before the provider is configured.
    pub terraform_version: String,
    /// Write-only attributes are understood (Terraform and OpenTofu 1.11 and newer).
    pub write_only_allowed: bool,
}

/// What configuring the provider gave.
#[derive(Debug)]
pub enum Configured<C> {
    /// Ready for calls.
    Ready(Arc<C>),
    /// What is needed is not known yet (at plan, where the configuration depends on what is still to be made).
    Unknown,
}

impl<C> From<Arc<C>> for Configured<C> {
    fn from(context: Arc<C>) -> Self {
        Self::Ready(context)
    }
}

impl<C> Clone for Configured<C> {
    fn clone(&self) -> Self {
        match self {
            Self::Ready(context) => Self::Ready(Arc::clone(context)),
            Self::Unknown => Self::Unknown,
        }
    }
}

/// The provider's condition at the time of a call.
#[derive(Debug)]
pub struct Context<C> {
    pub(crate) configured: Option<Configured<C>>,
    pub(crate) unknown: Vec<Path>,
    pub(crate) host: HostInfo,
    pub(crate) cancel: CancellationToken,
    pub(crate) scratch: Arc<Scratch>,
}

impl<C> Clone for Context<C> {
    fn clone(&self) -> Self {
        Self {
            configured: self.configured.clone(),
            unknown: self.unknown.clone(),
            host: self.host.clone(),
            cancel: self.cancel.clone(),
            scratch: Arc::clone(&self.scratch),
        }
    }
}

impl<C> Context<C> {
    /// A context outside of any server, for tests of resources.
    pub fn for_tests(configured: Configured<C>) -> Self {
        Self {
            configured: Some(configured),
            unknown: Vec::new(),
            host: HostInfo::default(),
            cancel: CancellationToken::new(),
            scratch: Arc::default(),
        }
    }

    /// What configuring the provider gave.
    ///
    /// # Errors
    /// Where the provider is not configured, or its configuration is not known yet. A plan must survive the latter:
    /// a resource that needs the context only for what users can wait for asks [`Context::ready`] instead.
    pub fn configured(&self) -> Result<&Arc<C>, Diagnostic> {
        match &self.configured {
            Some(Configured::Ready(context)) => Ok(context),
            Some(Configured::Unknown) => {
                let names: Vec<_> = self.unknown.iter().map(|path| format!("`{path}`")).collect();
                let which = if names.is_empty() {
                    String::new()
                } else {
                    format!(" ({})", names.join(", "))
                };
                Err(Diagnostic::error(
                    "F202",
                    "The provider's configuration is not known yet",
                    format!("This operation needs arguments of the provider that are known only after apply{which}."),
                )
                .hint("Apply what they depend on first, for example with `-target`."))
            }
            None => Err(Diagnostic::error(
                "F201",
                "The provider is not configured",
                "The host called this operation before it configured the provider.",
            )),
        }
    }

    /// The context where the provider is configured with known values.
    pub fn ready(&self) -> Option<&Arc<C>> {
        match &self.configured {
            Some(Configured::Ready(context)) => Some(context),
            _ => None,
        }
    }

    /// The host.
    pub fn host(&self) -> &HostInfo {
        &self.host
    }

    /// Cancelled when the user interrupts the run: nothing new is begun, waits end, the partial state is returned.
    pub fn cancel(&self) -> &CancellationToken {
        &self.cancel
    }

    /// Something of this type, made by `Default` when first asked for, shared by all calls until the provider is
    /// configured again. For what has to be known across resources of one run.
    pub fn scratch<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        self.scratch.get()
    }

    /// Notes that a plan call claims a name for itself. `false` where another call claimed it already: two resources
    /// of one name. Call it once per plan, for [`PlanKind::Create`](crate::PlanKind) and `Update`; the second call of a
    /// replacement and a destroy claim nothing.
    pub fn claim(&self, name: &str) -> bool {
        let claims = self.scratch::<Mutex<HashSet<String>>>();
        let mut claims = claims.lock().unwrap_or_else(PoisonError::into_inner);
        claims.insert(name.to_owned())
    }
}

/// Things by type, made when first asked for.
#[derive(Debug, Default)]
pub(crate) struct Scratch(Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>);

impl Scratch {
    fn get<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        let mut things = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let thing = things
            .entry(TypeId::of::<T>())
            .or_insert_with(|| Arc::new(T::default()));
        Arc::clone(thing).downcast().unwrap_or_default()
    }
}
