//! CloudWatch Logs: parts made of its objects.

pub(crate) mod group;

use reconcile::kinds::Kinds;

use crate::client::Aws;
use crate::kind::Place;

pub use group::LogGroup;

/// The kinds of its parts in one region.
pub fn kinds(aws: &Aws, region: &str) -> Kinds {
    Kinds::new().with(group::LogGroups(Place::new(aws, region)))
}
