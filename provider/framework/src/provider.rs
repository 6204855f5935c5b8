//! The provider: its configuration and what it offers.

use async_trait::async_trait;

use crate::action::Action;
use crate::context::{Configured, HostInfo};
use crate::data_source::DataSource;
use crate::diagnostics::Diagnostics;
use crate::ephemeral::EphemeralResource;
use crate::erased::{AnyAction, AnyDataSource, AnyEphemeral, AnyFunction, AnyList, AnyResource, Erased};
use crate::function::Function;
use crate::list::ListResource;
use crate::model::Model;
use crate::resource::Resource;
use std::sync::Arc;

/// A provider.
#[async_trait]
pub trait Provider: Send + Sync + 'static {
    /// The arguments of the provider block.
    type Config: Model;
    /// What its resources need: clients, settings. Made once by [`Provider::configure`].
    type Context: Send + Sync + 'static;

    /// Checks a configuration, beyond what the schema says. No network; values may be unknown.
    fn validate(&self, _config: &Self::Config, _out: &mut Diagnostics) {}

    /// Makes the context. Values may be unknown at plan: where one that is needed is, the answer is
    /// [`Configured::Unknown`], and resources that need the context say so.
    ///
    /// # Errors
    /// What the user is told. Warnings go with a successful answer.
    async fn configure(
        &self,
        config: Self::Config,
        host: &HostInfo,
        warnings: &mut Diagnostics,
    ) -> Result<Configured<Self::Context>, Diagnostics>;

    /// Everything that it offers.
    fn offers(&self) -> Offers<Self::Context>;
}

/// What a provider offers.
///
/// ```ignore
/// Offers::new().resource(Network::default()).data_source(FindNetwork).function(Subnets)
/// ```
pub struct Offers<C> {
    pub(crate) resources: Vec<Box<dyn AnyResource<C>>>,
    pub(crate) data_sources: Vec<Box<dyn AnyDataSource<C>>>,
    pub(crate) functions: Vec<Box<dyn AnyFunction>>,
    pub(crate) ephemerals: Vec<Box<dyn AnyEphemeral<C>>>,
    pub(crate) lists: Vec<Arc<dyn AnyList<C>>>,
    pub(crate) actions: Vec<Arc<dyn AnyAction<C>>>,
}

impl<C: Send + Sync + 'static> Default for Offers<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C: Send + Sync + 'static> Offers<C> {
    /// Nothing.
    pub fn new() -> Self {
        Self {
            resources: Vec::new(),
            data_sources: Vec::new(),
            functions: Vec::new(),
            ephemerals: Vec::new(),
            lists: Vec::new(),
            actions: Vec::new(),
        }
    }

    /// And a resource.
    #[must_use]
    pub fn resource<R: Resource<C>>(mut self, resource: R) -> Self {
        self.resources.push(Box::new(Erased(resource)));
        self
    }

    /// And a data source.
    #[must_use]
    pub fn data_source<D: DataSource<C>>(mut self, data_source: D) -> Self {
        self.data_sources.push(Box::new(Erased(data_source)));
        self
    }

    /// And a function.
    #[must_use]
    pub fn function<F: Function>(mut self, function: F) -> Self {
        self.functions.push(Box::new(Erased(function)));
        self
    }

    /// And an ephemeral resource.
    #[must_use]
    pub fn ephemeral_resource<E: EphemeralResource<C>>(mut self, ephemeral: E) -> Self {
        self.ephemerals.push(Box::new(Erased(ephemeral)));
        self
    }

    /// And a list resource.
    #[must_use]
    pub fn list_resource<L: ListResource<C>>(mut self, list: L) -> Self {
        self.lists.push(Arc::new(Erased(list)));
        self
    }

    /// And an action.
    #[must_use]
    pub fn action<A: Action<C>>(mut self, action: A) -> Self {
        self.actions.push(Arc::new(Erased(action)));
        self
    }
}
