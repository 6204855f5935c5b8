//! How far parts have come, and waiting for each other.

use std::collections::BTreeMap;

use futures::future::select_all;
use tokio::sync::watch;

use crate::delete::Removal;
use crate::failure::Failure;
use crate::observe::Spot;
use crate::part::{Key, Need};

/// How far a part has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Progress {
    Waiting,
    /// It has the id that it will keep.
    Made,
    /// It is usable and as declared.
    Ready,
    /// It failed, or what it needs did.
    Failed,
}

fn is_enough(progress: Progress, need: Need) -> bool {
    match need {
        Need::Made => matches!(progress, Progress::Made | Progress::Ready),
        Need::Ready => progress == Progress::Ready,
    }
}

/// What became of an object that is to be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Pending,
    /// The service refuses to delete it for as long as something refers to it.
    Held,
    Gone,
    Stays,
}

impl Fate {
    fn is_decided(self) -> bool {
        matches!(self, Self::Gone | Self::Stays)
    }
}

/// Why work on a part ended.
#[derive(Debug)]
pub(crate) enum Stop {
    /// It failed.
    Failed(Failure),
    /// Something else failed first; that is what is reported.
    Behind,
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Parts by how far they have come, and objects by what became of them.
pub(crate) struct Schedule {
    parts: BTreeMap<Key, watch::Sender<Progress>>,
    objects: BTreeMap<Spot, watch::Sender<Fate>>,
    /// Of each order of kinds: what of it goes before all of higher orders.
    orders: BTreeMap<u32, watch::Sender<Order>>,
    order_of: BTreeMap<Spot, u32>,
}

/// How far the objects of one order have come.
#[derive(Debug, Clone, Copy, Default)]
struct Order {
    pending: usize,
    stay: bool,
}

impl Schedule {
    pub fn new(parts: impl Iterator<Item = Key>, removals: &[Removal]) -> Self {
        let firsts = removals.iter().filter(|removal| removal.is_first);
        let order_of: BTreeMap<Spot, u32> = firsts
            .map(|removal| (removal.found.spot(), removal.rank))
            .collect();
        let mut orders: BTreeMap<u32, Order> = BTreeMap::new();
        for rank in order_of.values() {
            orders.entry(*rank).or_default().pending += 1;
        }
        Self {
            parts: parts
                .map(|key| (key, watch::Sender::new(Progress::Waiting)))
                .collect(),
            objects: removals
                .iter()
                .map(|removal| (removal.found.spot(), watch::Sender::new(Fate::Pending)))
                .collect(),
            orders: orders
                .into_iter()
                .map(|(rank, order)| (rank, watch::Sender::new(order)))
                .collect(),
            order_of,
        }
    }

    /// Says how far the part has come; it never goes back.
    pub fn reached(&self, key: &Key, progress: Progress) {
        if let Some(part) = self.parts.get(key) {
            part.send_if_modified(|now| {
                let further = progress > *now;
                *now = progress.max(*now);
                further
            });
        }
    }

    /// Whether the part has the id that it will keep.
    pub fn is_made(&self, key: &Key) -> bool {
        self.parts
            .get(key)
            .is_none_or(|part| is_enough(*part.borrow(), Need::Made))
    }

    /// Whether the part is as far; an unknown part counts as being there.
    pub fn has_reached(&self, key: &Key, need: Need) -> bool {
        self.parts
            .get(key)
            .is_none_or(|part| is_enough(*part.borrow(), need))
    }

    pub fn ended(&self, spot: &Spot, fate: Fate) {
        if let Some(object) = self.objects.get(spot) {
            object.send_replace(fate);
        }
        if let Some(order) = self.order_of.get(spot).and_then(|rank| self.orders.get(rank)) {
            order.send_modify(|order| {
                order.pending = order.pending.saturating_sub(1);
                order.stay |= fate != Fate::Gone;
            });
        }
    }

    /// Waits until the part is as far; an unknown part counts as being there.
    pub async fn until(&self, key: &Key, need: Need) -> Result<(), Stop> {
        let Some(part) = self.parts.get(key) else {
            return Ok(());
        };
        let mut part = part.subscribe();
        let ended = |progress: &Progress| *progress == Progress::Failed || is_enough(*progress, need);
        match part.wait_for(ended).await {
            Ok(progress) if *progress != Progress::Failed => Ok(()),
            _ => Err(Stop::Behind),
        }
    }

    /// Says that the service does not delete the object yet.
    pub fn held_up(&self, spot: &Spot) {
        if let Some(object) = self.objects.get(spot) {
            object.send_if_modified(|fate| {
                let was_pending = *fate == Fate::Pending;
                if was_pending {
                    *fate = Fate::Held;
                }
                was_pending
            });
        }
    }

    /// The objects that are to be deleted and are not gone yet.
    pub fn going(&self) -> impl Iterator<Item = &Spot> {
        let going = self
            .objects
            .iter()
            .filter(|(_, fate)| !fate.borrow().is_decided());
        going.map(|(spot, _)| spot)
    }

    /// The first of these objects that the service refuses to delete; waits for ever where there is none.
    pub async fn first_held(&self, spots: impl Iterator<Item = &Spot>) -> Spot {
        let held = spots
            .filter_map(|spot| Some((spot.clone(), self.objects.get(spot)?.subscribe())))
            .map(|(spot, mut object)| {
                Box::pin(async move {
                    if object.wait_for(|fate| *fate == Fate::Held).await.is_err() {
                        std::future::pending::<()>().await;
                    }
                    spot
                })
            });
        let held: Vec<_> = held.collect();
        if held.is_empty() {
            return std::future::pending().await;
        }
        select_all(held).await.0
    }

    /// Waits until the object is gone; one that nobody deletes counts as gone.
    pub async fn until_gone(&self, spot: &Spot) -> Result<(), Stop> {
        let Some(object) = self.objects.get(spot) else {
            return Ok(());
        };
        let mut object = object.subscribe();
        match object.wait_for(|fate| fate.is_decided()).await {
            Ok(fate) if *fate == Fate::Gone => Ok(()),
            _ => Err(Stop::Behind),
        }
    }

    /// Waits until all is gone that goes before this order of kinds.
    pub async fn until_order(&self, rank: u32) -> Result<(), Stop> {
        for order in self.orders.range(..rank).map(|(_, order)| order) {
            let mut order = order.subscribe();
            match order.wait_for(|order| order.stay || order.pending == 0).await {
                Ok(order) if !order.stay => {}
                _ => return Err(Stop::Behind),
            }
        }
        Ok(())
    }
}
