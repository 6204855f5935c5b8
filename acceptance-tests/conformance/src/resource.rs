//! A resource instance as core remembers it.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// The handle of a resource instance: what stands in the state file, and its `lifecycle` settings.
///
/// It belongs to no process: keep it, clone it, write it to a file, go on with another [`Core`](crate::Core).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Resource {
    /// Its address: tells instances of one run apart. A clone is the same instance.
    pub address: String,
    /// Its type.
    pub type_name: String,
    /// The object; `None` where core knows of none.
    pub current: Option<Instance>,
    /// Objects replaced with `create_before_destroy` whose destroy has not succeeded yet.
    pub deposed: Vec<Instance>,
    /// Settings.
    pub lifecycle: Lifecycle,
    /// The call in which the process died, until an operation of this resource succeeds.
    pub died_in: Option<String>,
    /// What the last refresh answered beside "gone": core gives that to the next plan.
    #[serde(skip)]
    pub(crate) gone: Option<Gone>,
}

/// Private data and identity of an object that a refresh found gone.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Gone {
    pub private: Vec<u8>,
    pub identity: Option<framework::Value>,
}

/// The `lifecycle` block.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifecycle {
    /// A replacement is made before what it replaces is destroyed.
    pub create_before_destroy: bool,
    /// A plan that would destroy is an error.
    pub prevent_destroy: bool,
    /// Top attributes whose configuration is taken from the prior state.
    pub ignore_changes: Vec<String>,
}

/// An object as core stores it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    /// Version of the state's form.
    pub schema_version: i64,
    /// The state in its natural JSON.
    pub attributes: Json,
    /// The provider's own data.
    pub private: Vec<u8>,
    /// The identity: version and JSON.
    pub identity: Option<(i64, Json)>,
    /// It is to be replaced.
    pub tainted: bool,
}

impl Resource {
    /// One of which nothing exists yet.
    pub fn new(type_name: impl Into<String>) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let type_name = type_name.into();
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        Self {
            address: format!("{type_name}.resource{number}"),
            type_name,
            current: None,
            deposed: Vec::new(),
            lifecycle: Lifecycle::default(),
            died_in: None,
            gone: None,
        }
    }

    /// One that an older (or newer) version of the provider wrote.
    pub fn stored(type_name: impl Into<String>, schema_version: i64, attributes: Json) -> Self {
        let current = Instance {
            schema_version,
            attributes,
            private: Vec::new(),
            identity: None,
            tainted: false,
        };
        Self {
            current: Some(current),
            ..Self::new(type_name)
        }
    }

    /// Whether core knows of no object at all.
    pub fn is_absent(&self) -> bool {
        self.current.is_none() && self.deposed.is_empty()
    }

    /// The stored value of a top attribute; null where there is none.
    pub fn get(&self, attribute: &str) -> &Json {
        self.current
            .as_ref()
            .map_or(&Json::Null, |instance| &instance.attributes[attribute])
    }

    /// Whether the object is tainted.
    pub fn is_tainted(&self) -> bool {
        self.current.as_ref().is_some_and(|instance| instance.tainted)
    }

    /// `terraform taint`.
    pub fn taint(&mut self) {
        self.set_tainted(true);
    }

    /// `terraform untaint`.
    pub fn untaint(&mut self) {
        self.set_tainted(false);
    }

    fn set_tainted(&mut self, tainted: bool) {
        if let Some(instance) = &mut self.current {
            instance.tainted = tainted;
        }
    }

    /// `terraform state rm`: core forgets it, nothing is destroyed.
    pub fn forget(&mut self) {
        self.current = None;
        self.deposed.clear();
    }
}
