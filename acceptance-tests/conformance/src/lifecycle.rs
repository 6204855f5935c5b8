//! What a user does in one command, as one call.

use framework::Value;

use crate::core::Core;
use crate::error::{Diagnostic, Error};
use crate::plan::Plan;
use crate::resource::Resource;

impl Core {
    /// `terraform apply`: refreshes, plans, applies. Gives the plan that was applied.
    ///
    /// # Errors
    /// Broken rules, errors of the provider, its death.
    pub async fn bring(&self, resource: &mut Resource, config: &Value) -> Result<Plan, Error> {
        self.refresh(resource).await?;
        let plan = self.plan(resource, config).await?;
        self.apply(resource, &plan).await?;
        Ok(plan)
    }

    /// [`Core::bring`], after which a refresh and a plan find nothing to do.
    ///
    /// # Errors
    /// As [`Core::bring`]; [`Error::Misuse`] with the plan where it is not empty.
    pub async fn converge(&self, resource: &mut Resource, config: &Value) -> Result<Plan, Error> {
        let plan = self.bring(resource, config).await?;
        self.refresh(resource).await?;
        let next = self.plan(resource, config).await?;
        if next.is_empty() {
            Ok(plan)
        } else {
            Err(Error::Misuse(format!(
                "the plan after an apply is not empty: {next}"
            )))
        }
    }

    /// `terraform destroy`: refreshes, plans the configuration as core does first (what refuses that plan blocks the
    /// destroy), then plans and applies the destroy. Without a configuration: the resource was taken out of it.
    ///
    /// # Errors
    /// Broken rules, errors of the provider, its death.
    pub async fn destroy(
        &self,
        resource: &mut Resource,
        config: Option<&Value>,
    ) -> Result<Vec<Diagnostic>, Error> {
        self.refresh(resource).await?;
        if let Some(config) = config {
            self.plan(resource, config).await?;
        }
        let plan = self.plan_destroy(resource).await?;
        self.apply(resource, &plan).await
    }
}
