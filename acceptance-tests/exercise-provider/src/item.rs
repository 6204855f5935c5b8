//! The resource `exercise_item`.

use std::collections::BTreeMap;

use async_trait::async_trait;
use framework::{
    Applied, Attr, Choice, Context, Create, Delete, Diagnostic, Diagnostics, Import, Model, MoveSource,
    Number, Plan, PrivateState, Read, Resource, Secret, Set, Timeouts, Update, Value,
};
use ipnet::Ipv4Net;
use serde_json::Value as Json;

use crate::store::Store;

/// How an item is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum Keeping {
    Cold,
    RoomTemperature,
}

/// One side of an item.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Model)]
pub struct Side {
    /// Colour.
    #[attribute(required, validate(one_of("red", "green", "blue")))]
    pub colour: Attr<String>,
    /// Width.
    #[attribute(default = 1)]
    pub width: Attr<i64>,
    /// Given by the store.
    #[attribute(computed, keep)]
    pub mark: Attr<String>,
}

/// Something that an item wears.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Model)]
pub struct Sticker {
    /// What is written on it.
    #[attribute(required)]
    pub text: Attr<String>,
    /// Given by the store.
    #[attribute(computed)]
    pub position: Attr<String>,
    /// Layers.
    #[block]
    pub layer: Attr<Vec<Layer>>,
}

/// Something that was done to an item.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Model)]
pub struct Event {
    /// The revision that came of it.
    #[attribute(computed)]
    pub revision: Attr<i64>,
}

/// A layer of a sticker.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Model)]
pub struct Layer {
    /// Thickness.
    #[attribute(optional)]
    pub thickness: Attr<Number>,
}

/// An item: a file in the provider's directory.
///
/// It has an attribute of every kind.
#[derive(Debug, Clone, Default, Model)]
pub struct Item {
    /// Name; the file is called so.
    #[attribute(required, replace, validate(length(1..=40), pattern("[a-z0-9-]+")))]
    pub name: Attr<String>,
    /// Whether it is switched on.
    #[attribute(default = true)]
    pub enabled: Attr<bool>,
    /// How many.
    #[attribute(default = 1, validate(range(1..=100)))]
    pub count_of: Attr<i64>,
    /// Any number, exactly.
    #[attribute(optional)]
    pub weight: Attr<Number>,
    /// Label; the provider's where not set.
    #[attribute(optional, computed, keep)]
    pub label: Attr<String>,
    /// How it is kept.
    #[attribute(default = "room_temperature")]
    pub keeping: Attr<Keeping>,
    /// A network.
    #[attribute(optional, validate(cidr), conflicts("address"))]
    pub network: Attr<Ipv4Net>,
    /// An address.
    #[attribute(optional)]
    pub address: Attr<std::net::Ipv4Addr>,
    /// Names in order.
    #[attribute(optional)]
    pub words: Attr<Vec<String>>,
    /// Names without order.
    #[attribute(default = ["base"])]
    pub groups: Attr<Set<String>>,
    /// Names by key.
    #[attribute(optional)]
    pub labels: Attr<BTreeMap<String, String>>,
    /// Anything.
    #[attribute(optional)]
    pub anything: Attr<Value>,
    /// One side.
    #[attribute(optional)]
    pub front: Attr<Side>,
    /// Sides in order.
    #[attribute(optional)]
    pub sides: Attr<Vec<Side>>,
    /// Sides without order.
    #[attribute(optional)]
    pub variants: Attr<Set<Side>>,
    /// Sides by name.
    #[attribute(optional)]
    pub named: Attr<BTreeMap<String, Side>>,
    /// Its cover; the store's where not set, and kept then.
    #[attribute(optional, computed, keep)]
    pub cover: Attr<Side>,
    /// A password that is stored.
    #[attribute(optional, sensitive)]
    pub password: Attr<Secret<String>>,
    /// A password that is never stored.
    #[attribute(optional, write_only, required_with("password_wo_version"))]
    pub password_wo: Attr<Secret<String>>,
    /// Change it together with `password_wo`.
    #[attribute(optional)]
    pub password_wo_version: Attr<i64>,
    /// What it was called.
    #[attribute(optional, deprecated = "Use `name`.")]
    pub title: Attr<String>,
    /// `refuse`: creating fails half way; `stray`: the result differs from the plan.
    #[attribute(optional)]
    pub misbehave: Attr<String>,
    /// Stickers in order.
    #[block]
    pub sticker: Attr<Vec<Sticker>>,
    /// Badges without order.
    #[block]
    pub badge: Attr<Set<Layer>>,
    /// What was done to it, in order. Only Terraform 1.16 and newer shows it.
    #[block(computed)]
    pub event: Attr<Vec<Event>>,
    /// How long operations may take.
    #[block]
    pub timeouts: Attr<Timeouts>,
    /// Id.
    #[attribute(computed, keep)]
    pub id: Attr<String>,
    /// How often it was written.
    #[attribute(computed)]
    pub revision: Attr<i64>,
    /// Length of the password that is never stored.
    #[attribute(computed)]
    pub password_length: Attr<i64>,
    /// What was found to differ.
    #[attribute(computed, keep)]
    pub drift: Attr<Vec<String>>,
}

/// What identifies an item.
#[derive(Debug, Clone, Model)]
pub struct ItemIdentity {
    /// Name.
    #[attribute(required)]
    pub name: Attr<String>,
    /// Nothing depends on it.
    #[attribute(optional)]
    pub realm: Attr<String>,
}

pub struct Items;

fn fill(attr: &mut Attr<String>, value: impl Into<String>) {
    if !attr.is_known() {
        *attr = Attr::Known(value.into());
    }
}

/// What the store makes of a planned item.
fn written(mut item: Item, password: &Attr<Secret<String>>, revision: i64) -> Item {
    let name = item.name.known().cloned().unwrap_or_default();
    fill(&mut item.id, format!("item/{name}"));
    item.revision = Attr::Known(revision);
    item.password_length = match password {
        Attr::Known(password) => Attr::Known(password.expose().len() as i64),
        _ if item.password_length.is_unknown() => Attr::Null,
        _ => item.password_length,
    };
    let mark = |side: &mut Side| fill(&mut side.mark, "marked");
    if let Attr::Known(side) = &mut item.front {
        mark(side);
    }
    if !item.cover.is_known() {
        item.cover = Attr::Known(Side {
            colour: "blue".into(),
            width: 2.into(),
            ..Side::default()
        });
    }
    if let Attr::Known(side) = &mut item.cover {
        mark(side);
    }
    if let Attr::Known(sides) = &mut item.sides {
        sides.iter_mut().for_each(mark);
    }
    if let Attr::Known(sides) = &mut item.named {
        sides.values_mut().for_each(mark);
    }
    if let Attr::Known(sides) = &mut item.variants {
        let all = std::mem::take(sides).into_iter().map(|mut side| {
            mark(&mut side);
            side
        });
        *sides = all.collect();
    }
    if let Attr::Known(stickers) = &mut item.sticker {
        stickers
            .iter_mut()
            .enumerate()
            .for_each(|(i, sticker)| fill(&mut sticker.position, i.to_string()));
    }
    let event = |revision| Event {
        revision: Attr::Known(revision),
    };
    item.event = Attr::Known((1..=revision).map(event).collect());
    item.drift = Attr::Known(Vec::new());
    item
}

#[async_trait]
impl Resource<Store> for Items {
    type Model = Item;
    type Identity = ItemIdentity;

    const NAME: &'static str = "exercise_item";
    const VERSION: i64 = 1;
    const IDENTITY_VERSION: i64 = 2;

    async fn plan(&self, cx: &Context<Store>, plan: &mut Plan<Item>) {
        let (Some(planned), Some(config)) = (&mut plan.planned, &plan.config) else {
            return;
        };
        // Unknown because nothing is configured; what is configured and unknown stays.
        if let (Attr::Unknown, Attr::Null, Some(store)) = (&planned.label, &config.label, cx.ready()) {
            planned.label = Attr::Known(store.default_label.clone());
        }
        if let Attr::Known(name) = &planned.name {
            planned.id = Attr::Known(format!("item/{name}"));
        }
        planned.drift = Attr::Known(Vec::new());
    }

    async fn create(&self, cx: &Context<Store>, request: Create<Item>) -> Applied<Item> {
        let store = match cx.configured() {
            Ok(store) => store,
            Err(error) => return Applied::failed(None, request.private, error),
        };
        let name = request.planned.name.known().cloned().unwrap_or_default();
        if !matches!(store.get(&name), Ok(None)) {
            let text = format!("There is an item `{name}` already.");
            return Applied::failed(
                None,
                request.private,
                Diagnostic::error("EX003", "Item exists", text).at("name"),
            );
        }
        let misbehave = request.planned.misbehave.known().cloned();
        let mut item = written(request.planned, &request.config.password_wo, 1);
        let mut private = request.private;
        private.set("writer", "create");
        if let Err(error) = store.put(&item) {
            return Applied::failed(None, private, error);
        }
        match misbehave.as_deref() {
            Some("refuse") => {
                let error = Diagnostic::error(
                    "EX004",
                    "Refused half way",
                    "The file was written, then something failed.",
                );
                Applied::failed(Some(item), private, error.hint("Apply again."))
            }
            Some("stray") => {
                item.count_of = Attr::Known(77);
                item.revision = Attr::Unknown;
                Applied::done(item, private)
            }
            _ => Applied::done(item, private),
        }
    }

    async fn read(&self, cx: &Context<Store>, request: Read<Item, ItemIdentity>) -> Applied<Item> {
        let looked = cx
            .configured()
            .and_then(|store| store.get(request.state.name.known().map_or("", String::as_str)));
        match looked {
            Ok(Some(mut item)) => {
                if item.count_of != request.state.count_of && request.state.count_of.is_known() {
                    item.drift = Attr::Known(vec!["count_of: changed by someone else".to_owned()]);
                }
                Applied::done(
                    Item {
                        timeouts: request.state.timeouts,
                        ..item
                    },
                    request.private,
                )
            }
            Ok(None) => Applied::gone(),
            Err(error) => Applied::failed(Some(request.state), request.private, error),
        }
    }

    async fn update(&self, cx: &Context<Store>, request: Update<Item>) -> Applied<Item> {
        let store = match cx.configured() {
            Ok(store) => store,
            Err(error) => return Applied::failed(Some(request.prior), request.private, error),
        };
        let stray = request.planned.misbehave.known().is_some_and(|m| m == "stray");
        let revision = request.prior.revision.unwrap_or(0) + 1;
        let mut item = written(request.planned, &request.config.password_wo, revision);
        if let Err(error) = store.put(&item) {
            return Applied::failed(Some(request.prior), request.private, error);
        }
        if stray {
            item.count_of = Attr::Known(77);
        }
        let mut private = request.private;
        private.set("writer", "update");
        Applied::done(item, private)
    }

    async fn delete(&self, cx: &Context<Store>, request: Delete<Item>) -> Applied<Item> {
        let name = request.prior.name.known().cloned().unwrap_or_default();
        match cx.configured().and_then(|store| store.remove(&name)) {
            Ok(()) => Applied::gone(),
            Err(error) => Applied::failed(Some(request.prior), request.private, error),
        }
    }

    async fn import(&self, cx: &Context<Store>, from: Import<ItemIdentity>) -> Applied<Item> {
        let name = match from {
            Import::Id(id) => id.trim_start_matches("item/").to_owned(),
            Import::Identity(identity) => identity.name.unwrap_or_default(),
        };
        match cx.configured().and_then(|store| store.get(&name)) {
            Ok(Some(item)) => Applied::done(item, PrivateState::new()),
            Ok(None) => Applied::gone(),
            Err(error) => Applied::failed(None, PrivateState::new(), error),
        }
    }

    fn identity(&self, state: &Item) -> Option<ItemIdentity> {
        Some(ItemIdentity {
            name: state.name.clone(),
            realm: Attr::Null,
        })
    }

    fn upgrade(&self, _version: i64, mut state: Json) -> Result<Json, Diagnostics> {
        // Version 0 had the label under another name.
        state["label"] = state["caption"].take();
        Ok(state)
    }

    fn upgrade_identity(&self, version: i64, mut identity: Json) -> Result<Json, Diagnostics> {
        match version {
            // Version 0 had another word for the name.
            0 => identity["name"] = identity["title"].take(),
            // Version 1 had the folder in it.
            _ => {
                let name = identity["name"].as_str().unwrap_or_default().to_owned();
                identity["name"] = name.trim_start_matches("items/").into();
            }
        }
        Ok(identity)
    }

    fn move_from(&self, source: &MoveSource) -> Option<Applied<Item>> {
        let name = source.state["id"]
            .as_str()
            .filter(|_| source.type_name == "terraform_data")?;
        let item = Item {
            name: Attr::from(format!("moved-{}", &name[..8.min(name.len())])),
            ..Item::default()
        };
        Some(Applied::done(item, PrivateState::new()))
    }
}
