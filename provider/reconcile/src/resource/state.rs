//! The state after an apply.

use std::collections::BTreeMap;

use framework::{Applied, Attr, Diagnostic, Diagnostics, PrivateState};

use super::messages::kept;
use super::outputs::{Outputs, Remembered};
use super::{Declared, REMEMBERED, Reconciled, Surroundings};
use crate::failure::Failure;
use crate::part::Key;
use crate::report::{Outcome, Report};

impl<D> Reconciled<D> {
    /// Puts what is there into the state.
    pub(super) fn fill<C: Surroundings>(&self, model: &mut D::Model, report: &Report, remembered: &Remembered)
    where
        D: Declared<C>,
    {
        self.0.outputs(model, &Outputs::found(report, remembered));
        let common = D::common_mut(model);
        common.ids = Attr::Known(
            report
                .ids
                .iter()
                .map(|(key, id)| (key.0.clone(), Attr::Known(id.clone())))
                .collect(),
        );
        common.objects = Attr::Known(texts(report.objects.iter()));
        common.drift = Attr::Known(report.drift.clone());
    }

    /// State and messages after a create or an update.
    pub(super) fn applied<C: Surroundings>(
        &self,
        mut state: D::Model,
        prior: Option<D::Model>,
        mut private: PrivateState,
        outcome: Outcome,
        incarnation: Option<String>,
    ) -> Applied<D::Model>
    where
        D: Declared<C>,
    {
        let create = prior.is_none();
        let mut messages: Diagnostics = outcome.report.warnings.iter().map(Failure::warning).collect();
        messages.extend(outcome.kept.iter().map(kept));
        let mut remembered = super::remembered(&private);
        if outcome.is_done() {
            remembered.forget_tags();
            let objects = D::common(&state).objects.clone();
            self.fill(&mut state, &outcome.report, &remembered);
            private.set_json(REMEMBERED, &remembered.after(&outcome.report));
            let common = D::common_mut(&mut state);
            // What the plan promised; the next refresh says where reality disagrees.
            common.objects = objects;
            common.drift = Attr::Known(Vec::new());
            common.status = "complete".into();
            if let Some(incarnation) = incarnation {
                common.incarnation = incarnation.into();
            }
            return Applied::done(state, private).with(messages);
        }
        messages.extend(outcome.errors.iter().map(Failure::diagnostic));
        if outcome.refused {
            // Nothing was changed: nothing is to be remembered that was not before.
            return Applied::failed(prior, private, messages);
        }
        self.fill(&mut state, &outcome.report, &remembered);
        if let Some(prior) = &prior {
            // Of tags that are taken away some may still be there.
            remembered.leave_tags(
                D::common(prior)
                    .tags_all
                    .known()
                    .into_iter()
                    .flat_map(BTreeMap::keys),
            );
        }
        private.set_json(REMEMBERED, &remembered.after(&outcome.report));
        let status = prior.as_ref().map_or(Attr::Known("incomplete".to_owned()), |p| {
            D::common(p).status.clone()
        });
        let common = D::common_mut(&mut state);
        common.status = status;
        if let Some(incarnation) = incarnation {
            common.incarnation = incarnation.into();
        }
        if create {
            messages.push(Diagnostic::warning(
                "EKB2020",
                format!("The {} is incomplete", D::TITLE),
                "What was made so far is kept in the state.",
            )
            .hint(
                "Apply again to continue. The plan will speak of a replacement, but nothing that exists is destroyed. \
                 With `terraform untaint ADDRESS` first, the plan is a plain update (this also helps under \
                 prevent_destroy).",
            ));
        }
        Applied::failed(Some(state), private, messages)
    }
}

fn texts<'a>(
    objects: impl Iterator<Item = (&'a Key, &'a serde_json::Value)>,
) -> BTreeMap<String, Attr<String>> {
    objects
        .map(|(key, fields)| (key.0.clone(), fields.to_string().into()))
        .collect()
}
