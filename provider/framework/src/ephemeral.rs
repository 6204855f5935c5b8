//! Ephemeral resources: values that exist only while a run needs them, and are never stored.

use std::time::SystemTime;

use async_trait::async_trait;

use crate::context::Context;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::model::Model;
use crate::private::PrivateState;

/// A kind of ephemeral resource. Terraform and OpenTofu 1.11 and newer (Terraform 1.10).
#[async_trait]
pub trait EphemeralResource<C: Send + Sync + 'static>: Send + Sync + 'static {
    /// Arguments and results.
    type Model: Model;

    /// Full name, for example `ekb_token`.
    const NAME: &'static str;

    /// Checks a configuration, beyond what the schema says. No network; values may be unknown.
    fn validate(&self, _config: &Self::Model, _out: &mut Diagnostics) {}

    /// Opens it: the arguments as given (defaults applied) with every computed attribute filled in. Called only when all
    /// arguments are known.
    ///
    /// # Errors
    /// What the user is told. Warnings go with a successful answer.
    async fn open(
        &self,
        cx: &Context<C>,
        config: Self::Model,
        warnings: &mut Diagnostics,
    ) -> Result<Opened<Self::Model>, Diagnostics>;

    /// Keeps it usable. Called when the time that opening or renewing named has come. The values stay as they are.
    ///
    /// # Errors
    /// What the user is told.
    async fn renew(&self, _cx: &Context<C>, _private: PrivateState) -> Result<Renewed, Diagnostics> {
        Err(Diagnostic::error(
            "F210",
            "Renewal is not supported",
            format!("{} cannot be renewed.", Self::NAME),
        )
        .into())
    }

    /// Ends it.
    ///
    /// # Errors
    /// What the user is told.
    async fn close(&self, _cx: &Context<C>, _private: PrivateState) -> Result<(), Diagnostics> {
        Ok(())
    }
}

/// An open ephemeral resource.
#[derive(Debug, Clone)]
pub struct Opened<M> {
    /// Arguments and results.
    pub result: M,
    /// What renewing and closing need.
    pub private: PrivateState,
    /// When it has to be renewed, if it has to be.
    pub renew_at: Option<SystemTime>,
}

/// A renewed ephemeral resource.
#[derive(Debug, Clone)]
pub struct Renewed {
    /// What renewing again and closing need.
    pub private: PrivateState,
    /// When it has to be renewed again, if it has to be.
    pub renew_at: Option<SystemTime>,
}
