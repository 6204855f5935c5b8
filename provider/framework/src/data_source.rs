//! Data sources: the trait that their authors implement.

use async_trait::async_trait;

use crate::context::Context;
use crate::diagnostics::Diagnostics;
use crate::model::Model;

/// Something that is only looked up.
#[async_trait]
pub trait DataSource<C: Send + Sync + 'static>: Send + Sync + 'static {
    /// Arguments and results.
    type Model: Model;

    /// Full name, for example `ekb_network`.
    const NAME: &'static str;

    /// Checks a configuration, beyond what the schema says. No network; values may be unknown.
    fn validate(&self, _config: &Self::Model, _out: &mut Diagnostics) {}

    /// Looks it up: the arguments as given (defaults applied) with every computed attribute filled in. Called only when
    /// all arguments are known.
    ///
    /// # Errors
    /// What the user is told. Warnings go with a successful answer.
    async fn read(
        &self,
        cx: &Context<C>,
        config: Self::Model,
        warnings: &mut Diagnostics,
    ) -> Result<Self::Model, Diagnostics>;
}
