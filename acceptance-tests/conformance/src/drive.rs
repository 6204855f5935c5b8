//! What generated configurations are put through: refusals are fine, broken rules are not.

use framework::Value;

use crate::core::Core;
use crate::error::Error;
use crate::plan::Action;
use crate::resource::Resource;
use crate::show;

/// The answer; none where the provider refused the configuration with an error of its own.
///
/// # Errors
/// Everything else, in words and with the configuration.
pub fn unless_refused<T>(answer: Result<T, Error>, config: &Value) -> Result<Option<T>, String> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(Error::Failed { .. }) => Ok(None),
        Err(error) => Err(format!("{error}\nwith {}", show::value(config))),
    }
}

impl Core {
    /// Brings one resource to each of the configurations in turn, then destroys it: every step is refreshed, planned, planned
    /// again, applied, refreshed, and its last plan must be empty. Gives what was done for those that were not refused.
    ///
    /// # Errors
    /// The first that is no refusal, in words.
    pub async fn converge_all(&self, type_name: &str, configs: &[Value]) -> Result<Vec<Action>, String> {
        let (mut resource, mut actions) = (Resource::new(type_name), Vec::new());
        for config in configs {
            let plan = self.converge(&mut resource, config).await;
            actions.extend(unless_refused(plan, config)?.map(|plan| plan.action));
        }
        let destroyed = self.destroy(&mut resource, None).await;
        destroyed.map_err(|error| format!("destroy: {error}"))?;
        Ok(actions)
    }

    /// Plans each of the configurations, which may have unknown values, for the resource and for a new one. Gives how many
    /// plans were not refused.
    ///
    /// # Errors
    /// The first that is no refusal, in words.
    pub async fn plan_all(&self, resource: &Resource, configs: &[Value]) -> Result<usize, String> {
        let mut planned = 0;
        for config in configs {
            for resource in [resource, &Resource::new(&resource.type_name)] {
                let plan = self.plan(resource, config).await;
                planned += usize::from(unless_refused(plan, config)?.is_some());
            }
        }
        Ok(planned)
    }
}
