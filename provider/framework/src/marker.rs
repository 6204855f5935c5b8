//! The marker that a plan leaves for the apply: what kind of plan it was.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::model::Model;
use crate::private::PrivateState;
use crate::schema::Block;
use crate::value::Value;

/// Where in the private state the marker lies.
const KEY: &str = ".marker";
/// Where the plan of a replacement keeps the private state of what it replaces, for the destroying half.
const REPLACED: &str = ".replaced";

/// What kind of plan led to an apply.
///
/// Terraform gives the planned private state of a *create* plan also to the destroying half of a replacement, which is
/// how that half can tell a tainted resource that will be continued from a genuine replacement.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Marker {
    /// No plan of this framework is known.
    #[default]
    None,
    /// A create; also that of a tainted resource.
    Create {
        /// The planned values of all attributes that force replacement, by name; `null` in place of unknown ones.
        force_new: BTreeMap<String, Option<Json>>,
    },
    /// An update in place, or the first plan call of a replacement.
    Update,
    /// The creating half of a genuine replacement.
    Replace,
    /// A destroy.
    Destroy,
}

impl Marker {
    /// The marker of a create with the planned value. What the create itself has to find out says nothing of the place.
    pub(crate) fn create(block: &Block, config: &Value, planned: &Value) -> Self {
        let mut force_new = force_new(block, planned);
        force_new.retain(|name, value| value.is_some() || !config.get(name).is_null());
        Self::Create { force_new }
    }

    /// Whether this is the create plan of something that takes the very place of the prior state: all values that force
    /// replacement are known and equal. The destroying half then belongs to a resource that is tainted, not replaced.
    pub fn same_place<M: Model>(&self, prior: &M) -> bool {
        match self {
            Self::Create { force_new: planned } => {
                let prior = force_new(&M::block(), &prior.encode());
                planned
                    .iter()
                    .all(|(name, value)| value.is_some() && prior.get(name) == Some(value))
            }
            _ => false,
        }
    }

    pub(crate) fn of(private: &PrivateState) -> Self {
        private.get_json(KEY).unwrap_or_default()
    }

    pub(crate) fn put(&self, private: &mut PrivateState) {
        private.set_json(KEY, self);
    }
}

/// Keeps the private state of what is replaced beside that of the new resource.
pub(crate) fn put_replaced(private: &mut PrivateState, replaced: PrivateState) {
    private.set(REPLACED, replaced.without_own().to_wire());
}

/// The private state for the destroying half: that of what is replaced where the plan kept it.
pub(crate) fn replaced(private: &PrivateState) -> PrivateState {
    match private.get(REPLACED) {
        Some(bytes) => PrivateState::from_wire(bytes).unwrap_or_default(),
        None => private.clone().without_own(),
    }
}

fn force_new(block: &Block, value: &Value) -> BTreeMap<String, Option<Json>> {
    let attributes = block.attributes.iter().filter(|a| a.replace && !a.write_only);
    attributes
        .map(|a| {
            let value = value.get(&a.name);
            let json = if value.is_wholly_known() {
                value.to_json(&a.shape.ty()).ok()
            } else {
                None
            };
            (a.name.clone(), json)
        })
        .collect()
}
