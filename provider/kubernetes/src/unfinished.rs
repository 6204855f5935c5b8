//! Objects that others made and that only one controller can finish: without it they, and what they stand for, would stay for ever.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::future::try_join_all;
use reconcile::clock::Moment;
use reconcile::failure::{Class, Failure};
use serde_json::Value;

use crate::cluster::Cluster;
use crate::failure::codes;
use crate::inside::{self, Lodger};
use crate::types::Type;

/// Objects of a type, as long as they have a finalizer of the controller.
#[derive(Debug, Clone, Copy)]
pub struct Finishes {
    /// The type: `keda.sh/v1alpha1/ScaledObject`.
    pub of: &'static str,
    /// How the names of the controller's finalizers begin.
    pub finalizers: &'static [&'static str],
}

/// How long objects of other resources of ours are waited for that are not being deleted yet: they may be, in the same run.
const NOT_YET_LEAVING: Duration = Duration::from_secs(120);
/// How long the controller may take for what is being deleted: load balancers and nodes go in minutes.
const LEAVING: Duration = Duration::from_secs(900);

/// What a controller has to finish before it goes.
#[derive(Debug, Default)]
pub struct Unfinished {
    all: &'static [Finishes],
    /// Since when it is waited for, by cluster.
    since: Mutex<HashMap<String, Moment>>,
}

impl Unfinished {
    /// Objects of these types.
    pub fn new(all: &'static [Finishes]) -> Self {
        Self {
            all,
            since: Mutex::default(),
        }
    }

    /// Fails while there is any: with class `Busy` as long as they may go by themselves or in the same run.
    ///
    /// # Errors
    /// As said, with the objects' names (`EKB1142`).
    pub async fn check(&self, cluster: &Cluster, doing: &str) -> Result<(), Failure> {
        let looks = self.all.iter().map(|one| unfinished(cluster, doing, one));
        let left: Vec<Lodger> = try_join_all(looks).await?.into_iter().flatten().collect();
        if left.is_empty() {
            return Ok(());
        }
        let waited = {
            let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
            let since = since.entry(cluster.name().to_owned());
            cluster.now().since(*since.or_insert(cluster.now()))
        };
        let all_leave = left.iter().all(|one| one.is_leaving);
        let limit = match () {
            () if all_leave => LEAVING,
            () if left.iter().all(Lodger::may_go) => NOT_YET_LEAVING,
            () => Duration::ZERO,
        };
        let class = if waited < limit {
            Class::Busy
        } else {
            Class::Invalid
        };
        let cause = format!("only it can finish what others made: {}", inside::named(&left));
        let hint = if all_leave {
            "They are being deleted, and it does not take its finalizers away: see its pods and its role. Where it is gone for good, \
             take the finalizers away by hand, and delete in AWS what they stood for."
        } else {
            "Delete them, or the resources that made them, while it still runs; then run again."
        };
        Err(Failure::new(class, doing, cause)
            .code(codes::UNFINISHED)
            .hint(hint))
    }
}

/// Those of one type.
async fn unfinished(cluster: &Cluster, doing: &str, one: &Finishes) -> Result<Vec<Lodger>, Failure> {
    let of = Type::parse(one.of);
    let objects = match cluster.list_all(doing, &of).await {
        // The cluster is gone, or has no such type any more.
        Err(failure) if failure.class == Class::NotFound || failure.code == codes::NO_TYPE => Vec::new(),
        other => other?,
    };
    let is_unfinished = |object: &&Value| {
        let finalizers = object["metadata"]["finalizers"].as_array().into_iter().flatten();
        let mut finalizers = finalizers.filter_map(Value::as_str);
        finalizers.any(|name| one.finalizers.iter().any(|of| name.starts_with(of)))
    };
    let left = objects.iter().filter(is_unfinished);
    Ok(left
        .map(|object| Lodger {
            kind: of.kind.clone(),
            ..Lodger::of(object)
        })
        .collect())
}
