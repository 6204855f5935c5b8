//! IAM: parts made of its objects.

pub(crate) mod role;

use reconcile::kinds::Kinds;

use crate::client::Aws;
use crate::kind::Place;

pub use role::IamRole;

/// The kinds of its parts in one region.
pub fn kinds(aws: &Aws, region: &str) -> Kinds {
    Kinds::new().with(role::IamRoles(Place::new(aws, region)))
}
