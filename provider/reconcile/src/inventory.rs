//! What there is of a type: lists find by tags what no state knows.

use std::collections::BTreeMap;

use futures::future::join_all;

use crate::engine::Engine;
use crate::failure::Failure;
use crate::observe::ask_kind;
use crate::ownership::{Phase, RootTags, Whose};
use crate::part::{Ask, Condition, Key, Owner};

/// Something that is there, whichever state or interrupted run made it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Present {
    /// Id of its root object; none where an interrupted run left only other parts.
    pub root: Option<String>,
    /// How far its creation has come, by the root's tags.
    pub phase: Option<Phase>,
}

impl Present {
    /// Whether its creation has ended well.
    pub fn is_complete(&self) -> bool {
        self.root.is_some() && self.phase != Some(Phase::Making)
    }
}

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    /// By name within the environment.
    pub present: BTreeMap<String, Present>,
    /// Kinds that could not be looked at: what has only such parts is missing.
    pub blind: Vec<Failure>,
}

impl Engine {
    /// Finds all owners of the type in the engine's environment and region: one look a kind, all at once. The name in
    /// the engine's owner does not matter. What is being deleted does not count; parts without tags are not found.
    pub async fn inventory(&self, root: &Key) -> Inventory {
        let of_type = self.owner.resource.split('/').next().unwrap_or_default();
        let ask = Ask {
            formerly: self.formerly.types().map(|of| format!("{of}/*")).collect(),
            owner: Owner {
                resource: format!("{of_type}/*"),
                ..self.owner.clone()
            },
            known: BTreeMap::new(),
            declared: BTreeMap::new(),
            root: None,
            parents: Vec::new(),
        };
        let engine = self.begun();
        // What is found under another is not there without that.
        let kinds = self.kinds.iter().map(|(kind, _)| kind);
        let kinds = kinds.filter(|kind| self.kinds.parent(kind).is_none());
        let looks = kinds.map(|kind| ask_kind(&engine, kind, &ask));
        let mut inventory = Inventory::default();
        for answer in join_all(looks).await {
            let objects = match answer {
                Ok(objects) => objects,
                Err(failure) => {
                    inventory.blind.push(failure);
                    continue;
                }
            };
            let there = objects
                .into_iter()
                .filter(|object| !matches!(object.condition, Condition::Dead | Condition::Deleting));
            for object in there {
                let Some((of, name)) = object
                    .tags
                    .get(crate::ownership::RESOURCE)
                    .and_then(|resource| resource.split_once('/'))
                else {
                    continue;
                };
                let owner = Owner {
                    resource: format!("{of}/{name}"),
                    ..self.owner.clone()
                };
                let Whose::Ours(key) = owner.whose(&object.tags) else {
                    continue;
                };
                let key = self.formerly.key(key);
                let present = inventory.present.entry(name.to_owned()).or_default();
                if key == *root {
                    present.phase = RootTags::read(&object.tags).phase;
                    present.root = Some(object.id);
                }
            }
        }
        inventory
    }
}
