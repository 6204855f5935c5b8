//! Walks: core plans and applies in processes of their own, each configured anew. A provider may rely on it that one
//! configured process plans a resource only once. Here one process serves all walks, and is configured again for each.

use std::collections::BTreeSet;

use proto::tfplugin6::configure_provider;

use crate::core::Core;
use crate::error::{Diagnostic, Error};
use crate::resource::Resource;

/// What is to be done in a walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Walk {
    /// Before a plan, in the same walk.
    #[default]
    Refresh,
    Plan,
    Apply,
}

/// The walk that is under way.
#[derive(Debug, Default)]
pub(crate) struct Run {
    request: Option<configure_provider::Request>,
    applying: bool,
    /// Addresses that were planned or applied in it.
    done: BTreeSet<String>,
}

impl Run {
    pub fn configured(&mut self, request: configure_provider::Request) {
        *self = Self {
            request: Some(request),
            ..Self::default()
        };
    }

    /// Whether this belongs to another walk than the one under way.
    fn is_next(&self, walk: Walk, address: &str) -> bool {
        (walk == Walk::Apply) != self.applying || self.done.contains(address)
    }
}

impl Core {
    /// Begins another walk where what follows cannot be in the one under way: an apply after a plan, the reverse, or
    /// the same resource again. Different resources are planned, and applied, in one.
    pub(crate) async fn walk(&self, walk: Walk, resource: &Resource) -> Result<(), Error> {
        let mut run = self.run.lock().await;
        if run.is_next(walk, &resource.address) {
            run.applying = walk == Walk::Apply;
            run.done.clear();
            if let Some(request) = run.request.clone() {
                self.configure_again(request).await?;
            }
        }
        if walk != Walk::Refresh {
            run.done.insert(resource.address.clone());
        }
        Ok(())
    }

    pub(crate) async fn configure_again(
        &self,
        request: configure_provider::Request,
    ) -> Result<Vec<Diagnostic>, Error> {
        let answer = self.rpc().configure_provider(request).await;
        let answer = self.answer("ConfigureProvider", answer)?;
        self.said("ConfigureProvider", &answer.diagnostics)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_planned_and_applied_once_in_a_walk_and_different_ones_together() {
        let mut run = Run::default();
        assert!(!run.is_next(Walk::Refresh, "a") && !run.is_next(Walk::Plan, "a"));
        run.done.insert("a".to_owned());
        assert!(run.is_next(Walk::Plan, "a") && run.is_next(Walk::Refresh, "a"));
        assert!(!run.is_next(Walk::Plan, "b"), "two of one configuration");
        assert!(run.is_next(Walk::Apply, "a") && run.is_next(Walk::Apply, "b"));
        run.applying = true;
        run.done.clear();
        assert!(!run.is_next(Walk::Apply, "a") && run.is_next(Walk::Refresh, "a"));
    }
}
