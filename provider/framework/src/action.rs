//! Actions: things to do that leave no state.

use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::context::Context;
use crate::diagnostics::Diagnostics;
use crate::model::Model;

/// A kind of action. Terraform 1.14 and newer.
#[async_trait]
pub trait Action<C: Send + Sync + 'static>: Send + Sync + 'static {
    /// Arguments.
    type Config: Model;

    /// Full name, for example `ekb_restart`.
    const NAME: &'static str;

    /// Checks a configuration, beyond what the schema says. No network; values may be unknown.
    fn validate(&self, _config: &Self::Config, _out: &mut Diagnostics) {}

    /// Says at plan what stands in the way. Values may be unknown.
    async fn plan(&self, _cx: &Context<C>, _config: &Self::Config, _out: &mut Diagnostics) {}

    /// Does it.
    ///
    /// # Errors
    /// What the user is told. Warnings go with success.
    async fn invoke(
        &self,
        cx: &Context<C>,
        config: Self::Config,
        progress: &Progress,
        warnings: &mut Diagnostics,
    ) -> Result<(), Diagnostics>;
}

/// Where an action says how far it is.
#[derive(Debug)]
pub struct Progress(pub(crate) mpsc::UnboundedSender<String>);

impl Progress {
    /// Shows a line to the user.
    pub fn say(&self, text: impl Into<String>) {
        // Nobody listening is no reason to stop.
        let _ = self.0.send(text.into());
    }
}
