//! A version that somebody else has raised: AWS at the end of a version's support, or a person.

use framework::{Attr, Diagnostic, Diagnostics, Path};
use reconcile::part::Key;
use serde_json::Value;

use super::model::Cluster;
use super::versions::minor;

/// Refuses to take the cluster back to the declared version unless a way back is asked for: production would be rolled back by a line
/// that nobody has changed.
pub fn check(prior: &Cluster, planned: &Cluster, out: &mut Diagnostics) {
    let objects = prior.common.objects.known();
    let cluster = objects.and_then(|objects| objects.get(&Key::from("cluster").0)?.known());
    let cluster: Option<Value> = cluster.and_then(|text| serde_json::from_str(text).ok());
    let found = cluster.as_ref().and_then(|cluster| cluster["version"].as_str());
    let (Some(found), Attr::Known(declared)) = (found, &planned.kubernetes_version) else {
        return;
    };
    let before = prior
        .kubernetes_version
        .known()
        .and_then(|version| minor(version));
    let is_back = before > minor(declared) || planned.allow_rollback == Attr::Known(true);
    if is_back || minor(found) <= minor(declared) {
        return;
    }
    out.push(
        Diagnostic::error(
            "EKB2255",
            "The cluster has a later version",
            format!(
                "The cluster runs {found}, and {declared} is declared: AWS has upgraded it (as it does when the support of a version \
                 ends), or somebody else has."
            ),
        )
        .hint(format!(
            "Write `kubernetes_version = \"{found}\"`: system nodes and add-ons follow. To really go back set `allow_rollback = true`. To destroy \
             it as it is: `-refresh=false`."
        ))
        .at(Path::from("kubernetes_version")),
    );
}
