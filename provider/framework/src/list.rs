//! List resources: what of a kind exists, for `terraform query`.

use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::context::Context;
use crate::diagnostics::Diagnostics;
use crate::model::Model;
use crate::resource::Resource;
use crate::value::Value;

/// The list of what exists of a resource's kind. Terraform 1.14 and newer.
///
/// It has the name of the resource, which must have an identity.
#[async_trait]
pub trait ListResource<C: Send + Sync + 'static>: Send + Sync + 'static {
    /// What narrows the list down.
    type Config: Model;
    /// The resource that is listed.
    type Resource: Resource<C>;

    /// Checks a configuration, beyond what the schema says. No network; values may be unknown.
    fn validate(&self, _config: &Self::Config, _out: &mut Diagnostics) {}

    /// Finds all, and sends each as soon as it is found.
    ///
    /// # Errors
    /// What ended the search.
    async fn list(
        &self,
        cx: &Context<C>,
        config: Self::Config,
        found: &mut Listing<ModelOf<Self::Resource, C>, IdentityOf<Self::Resource, C>>,
    ) -> Result<(), Diagnostics>;
}

/// The model of a resource.
pub type ModelOf<R, C> = <R as Resource<C>>::Model;
/// The identity of a resource.
pub type IdentityOf<R, C> = <R as Resource<C>>::Identity;

/// One thing that was found.
#[derive(Debug, Clone)]
pub struct Listed<M, I> {
    /// What users know it by.
    pub display_name: String,
    /// Its identity, by which it can be imported.
    pub identity: I,
    /// Its state, needed where [`Listing::include_resource`] says so.
    pub resource: Option<M>,
    /// Warnings about it.
    pub warnings: Diagnostics,
}

/// Where found things go.
#[derive(Debug)]
pub struct Listing<M, I> {
    pub(crate) sender: mpsc::Sender<Listed<Value, Value>>,
    pub(crate) left: u64,
    pub(crate) include_resource: bool,
    pub(crate) types: std::marker::PhantomData<fn() -> (M, I)>,
}

impl<M: Model, I: Model> Listing<M, I> {
    /// Whether the states are asked for too.
    pub fn include_resource(&self) -> bool {
        self.include_resource
    }

    /// Sends one. `false` when no more are wanted: the limit is reached, or nobody reads any more.
    pub async fn send(&mut self, one: Listed<M, I>) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        let include = self.include_resource;
        let one = Listed {
            display_name: one.display_name,
            identity: one.identity.encode(),
            resource: one.resource.filter(|_| include).map(|resource| resource.encode()),
            warnings: one.warnings,
        };
        self.sender.send(one).await.is_ok() && self.left > 0
    }
}
