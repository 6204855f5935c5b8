//! The parts of a platform: each uses something that the engine offers.

use std::collections::BTreeMap;

use reconcile::part::{Difference, Loss, Part, Ref, Refusal, Remedy, Tags};
use serde::Serialize;
use serde_json::{Value, json};

/// What the cloud of files has to know of a part.
pub trait CloudPart: Part {
    /// The kind under which it is found.
    const PARENT: Option<&'static str> = None;
    /// What goes with it.
    const LOSS: Loss = Loss::Nothing;

    /// What the service invents.
    fn outputs(_name: &str) -> BTreeMap<String, Value> {
        BTreeMap::new()
    }

    /// Whether the service takes the change.
    fn allows(_change: &Difference) -> Result<(), &'static str> {
        Ok(())
    }
}

/// Holds data, and goes up one version at a time.
#[derive(Debug, Clone, Serialize, Part)]
#[part(kind = "cluster")]
pub struct Cluster {
    #[part(replace)]
    pub name: String,
    #[part(change = only_up)]
    pub version: i64,
    pub tags: Tags,
}

fn only_up(is: &Value, should: &Value) -> Remedy {
    if is.as_i64() <= should.as_i64() {
        return Remedy::Update;
    }
    Remedy::Refuse(Refusal {
        why: "a cluster does not go back to an earlier version".to_owned(),
        hint: format!("Declare version {is} or a later one."),
    })
}

impl CloudPart for Cluster {
    const LOSS: Loss = Loss::Data("what runs in it");

    fn outputs(name: &str) -> BTreeMap<String, Value> {
        BTreeMap::from([("issuer".to_owned(), json!(format!("issuer.example/{name}")))])
    }

    fn allows(change: &Difference) -> Result<(), &'static str> {
        let number = |value: &Value| value.as_i64().unwrap_or_default();
        if number(&change.should) > number(&change.is) + 1 {
            return Err("one version at a time");
        }
        Ok(())
    }
}

/// Trusts a cluster's issuer, which is not known before that is made.
#[derive(Debug, Clone, Serialize, Part)]
#[part(kind = "role")]
pub struct Role {
    #[part(replace)]
    pub name: String,
    pub trust: Value,
    pub tags: Tags,
}

impl CloudPart for Role {}

/// Is listed under a cluster.
#[derive(Debug, Clone, Serialize, Part)]
#[part(kind = "addon")]
pub struct Addon {
    #[part(replace)]
    pub name: String,
    #[part(replace)]
    pub cluster: Ref,
    pub version: i64,
    pub tags: Tags,
}

impl CloudPart for Addon {
    const PARENT: Option<&'static str> = Some("cluster");
}
