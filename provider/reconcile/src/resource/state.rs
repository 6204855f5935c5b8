//! The state after an apply.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use framework::{Applied, Attr, Diagnostic, PrivateState};

use super::messages::{kept, warnings};
use super::outputs::{Outputs, Remembered};
use super::{Declared, Managed, REMEMBERED, Reconciled, Surroundings};
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
        let common = Managed::common_mut(model);
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
        before: Before<D::Model>,
        mut private: PrivateState,
        outcome: Outcome,
        incarnation: Option<String>,
    ) -> Applied<D::Model>
    where
        D: Declared<C>,
    {
        let mut messages = warnings(&outcome.report.warnings);
        messages.extend(outcome.kept.iter().map(kept));
        let mut remembered = super::remembered::<C, D>(&private);
        if outcome.is_done() {
            remembered.forget_tags();
            let objects = Managed::common(&state).objects.clone();
            self.fill(&mut state, &outcome.report, &remembered);
            private.set_json(REMEMBERED, &remembered.after(&outcome.report));
            let common = Managed::common_mut(&mut state);
            // What the plan promised; the next refresh says where reality disagrees.
            common.objects = objects;
            common.drift = Attr::Known(Vec::new());
            common.status = Status::Complete.attr();
            if let Some(incarnation) = incarnation {
                common.incarnation = incarnation.into();
            }
            return Applied::done(state, private).with(messages);
        }
        messages.extend(outcome.errors.iter().map(Failure::diagnostic));
        if outcome.refused {
            // Nothing was changed: nothing is to be remembered that was not before.
            return Applied::failed(before.into_state(), private, messages);
        }
        self.fill(&mut state, &outcome.report, &remembered);
        self.0.reached(&mut state, &outcome.report);
        if let Some(prior) = before.state() {
            // Of tags that are taken away some may still be there.
            let tags = Managed::common(prior).tags_all.known();
            remembered.leave_tags(tags.into_iter().flat_map(BTreeMap::keys));
        }
        private.set_json(REMEMBERED, &remembered.after(&outcome.report));
        let is_create = !matches!(before, Before::Updated(_));
        let common = Managed::common_mut(&mut state);
        common.status = match &before {
            Before::Updated(prior) => Managed::common(prior).status.clone(),
            Before::Nothing | Before::Continued(_) => Status::Incomplete.attr(),
        };
        if let Some(incarnation) = incarnation {
            common.incarnation = incarnation.into();
        }
        if is_create {
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

/// How far a resource has come, as its state says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// Made, and not begun to be destroyed.
    Complete,
    /// Creating ended half way: the next apply continues.
    Incomplete,
    /// Destroying what was complete ended half way.
    Destroying,
}

impl Status {
    const ALL: [Self; 3] = [Self::Complete, Self::Incomplete, Self::Destroying];

    fn text(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Incomplete => "incomplete",
            Self::Destroying => "destroying",
        }
    }

    pub(super) fn attr(self) -> Attr<String> {
        self.text().into()
    }

    /// What the state says; what says nothing counts as complete.
    pub(super) fn of<C: Surroundings, D: Declared<C>>(state: &D::Model) -> Self {
        let text = Managed::common(state).status.known();
        let said = text.and_then(|text| Self::ALL.into_iter().find(|status| status.text() == text));
        said.unwrap_or(Self::Complete)
    }

    /// After a destroy that changed something and ended half way. What was incomplete can still be continued.
    pub(super) fn destroyed_in_part(self) -> Self {
        match self {
            Self::Complete | Self::Destroying => Self::Destroying,
            Self::Incomplete => Self::Incomplete,
        }
    }
}

/// What core knew before a create or an update.
pub(super) enum Before<M> {
    /// Nothing.
    Nothing,
    /// A create that ended half way, with this state, which core has forgotten since: the destroying half of what it
    /// takes for a replacement has said that it is gone.
    Continued(M),
    /// This.
    Updated(M),
}

impl<M> Before<M> {
    pub(super) fn state(&self) -> Option<&M> {
        match self {
            Self::Nothing => None,
            Self::Continued(state) | Self::Updated(state) => Some(state),
        }
    }

    /// The state to go back to.
    pub(super) fn into_state(self) -> Option<M> {
        match self {
            Self::Nothing => None,
            Self::Continued(state) | Self::Updated(state) => Some(state),
        }
    }
}

/// States that destroying halves have left in this run for the creating halves that follow in the same process: by place.
pub(super) struct Handover<M>(Mutex<BTreeMap<String, M>>);

impl<M> Default for Handover<M> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<M> Handover<M> {
    fn all(&self) -> MutexGuard<'_, BTreeMap<String, M>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn leave(&self, place: String, state: M) {
        self.all().insert(place, state);
    }

    pub(super) fn has(&self, place: &str) -> bool {
        self.all().contains_key(place)
    }

    pub(super) fn take(&self, place: &str) -> Option<M> {
        self.all().remove(place)
    }
}

fn texts<'a>(
    objects: impl Iterator<Item = (&'a Key, &'a serde_json::Value)>,
) -> BTreeMap<String, Attr<String>> {
    objects
        .map(|(key, fields)| (key.0.clone(), fields.to_string().into()))
        .collect()
}
