//! What a service carries out in the background and answers for separately (updates of EKS): remembered by who began it, so
//! that one that failed is told with its reason. A later process asks again for what it wants, and meets the failure itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use reconcile::failure::{Class, Failure};
use reconcile::part::{Condition, Object};
use serde_json::json;

/// An operation in the background.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Operation {
    /// The service's id of it.
    pub(crate) id: String,
    /// What tells that it reached its aim, though it says that it failed: a version.
    pub(crate) aim: Option<String>,
}

/// The operations that this process began, by the id of the object that they change.
#[derive(Debug, Clone, Default)]
pub(crate) struct UnderWay(Arc<Mutex<BTreeMap<String, Operation>>>);

impl UnderWay {
    /// Notes that this operation on the object has begun, in place of an earlier one; none: that it is over.
    pub(crate) fn note(&self, object: &str, operation: Option<Operation>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match operation {
            Some(operation) => all.insert(object.to_owned(), operation),
            None => all.remove(object),
        };
    }

    /// The last operation on the object of which not all has been told.
    pub(crate) fn of(&self, object: &str) -> Option<Operation> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(object).cloned()
    }

    /// Ends the wait for an object that is [`hopeless`] (see [`reconcile::part::Kind::outlook`]): that is told once, and what comes
    /// then begins anew.
    pub(crate) fn outlook(&self, title: &str, object: &Object) -> Result<(), Failure> {
        let said = |at: usize| object.detail.get(STUCK)?.get(at)?.as_str();
        let Some(why) = said(0) else { return Ok(()) };
        self.note(&object.id, None);
        let doing = format!("changing {title} {}", object.id);
        Err(Failure::new(Class::Stuck, doing, why).hint(said(1).unwrap_or_default()))
    }
}

/// Under this name an object's `detail` keeps why waiting for it has no prospect.
const STUCK: &str = "stuck";

/// Notes that waiting for the object has no prospect, and what to do next: an apply that waits ends with it.
pub(crate) fn hopeless(object: &mut Object, why: &str, next: &str) {
    object.condition = Condition::Changing("failed".to_owned());
    if !object.detail.is_object() {
        object.detail = json!({});
    }
    object.detail[STUCK] = json!([why, next]);
}
