//! What the plan of a destroy says, and refuses.

use std::collections::{BTreeMap, BTreeSet};

use aws::eks::inside::{self, Guest};
use framework::{Attr, Diagnostic, Diagnostics};
use futures::join;

use super::model::Cluster;
use super::services;
use crate::platform::Platform;

/// Names what stands against the destroy, or would stay behind. What programs in the cluster made is a warning yet: what this run
/// destroys before the cluster (charts, node pools) may take it along; what is there still before anything is deleted, the apply
/// refuses.
pub async fn check(context: Option<&Platform>, prior: &Cluster, out: &mut Diagnostics) {
    let (Attr::Known(name), Attr::Known(region)) = (&prior.name, &prior.common.region) else {
        return;
    };
    if prior.deletion_protection == Attr::Known(true) {
        out.push(
            Diagnostic::error(
                "EKB2230",
                "The cluster is protected",
                format!("`deletion_protection` is true: the cluster {name} is not destroyed."),
            )
            .hint("Set it to false, apply, then destroy."),
        );
    }
    let Some(context) = context else { return };
    let ids = prior.common.ids.known().into_iter().flat_map(BTreeMap::values);
    let ours: BTreeSet<String> = ids.filter_map(|id| id.known().cloned()).collect();
    let connection = context.clusters(region).get(name);
    let ((guests, failures), of_services) = join!(
        inside::guests(&context.aws, region, name, &ours),
        services::load_balancers(&connection)
    );
    match of_services {
        Ok(of_services) => say_of_services(name, &guests, &of_services, out),
        // A destroy needs no way in.
        Err(failure) => tracing::debug!(%failure, "what Services have was not seen"),
    }
    for failure in failures {
        out.push(failure.warning());
    }
    if guests.is_empty() {
        return;
    }
    if prior.force_destroy == Attr::Known(true) {
        out.push(forced(name, &guests));
        return;
    }
    let (holding, left): (Vec<&Guest>, Vec<&Guest>) =
        guests.iter().partition(|guest| guest.what.holds_the_cluster());
    let force = "Or set `force_destroy = true`, apply, then destroy: it deletes node groups, Fargate profiles and Karpenter's \
                 instances with the cluster, and leaves the rest.";
    if !holding.is_empty() {
        out.push(
            Diagnostic::error(
                "EKB2250",
                "Others have things in the cluster",
                format!(
                    "EKS does not delete the cluster {name} while these are there:\n{}",
                    list(&holding)
                ),
            )
            .hint(format!(
                "{}. Those of this configuration go first with `terraform destroy -target=ADDRESS`. {force}",
                inside::advice(holding.iter().copied())
            )),
        );
    }
    if !left.is_empty() {
        out.push(
            Diagnostic::warning(
                "EKB2251",
                "The cluster would leave things behind",
                format!(
                    "Programs in the cluster {name} have made these. What is there still when it is the cluster's turn keeps it from \
                     being destroyed:\n{}",
                    list(&left)
                ),
            )
            .hint(format!("{}. {force}", inside::advice(left.iter().copied()))),
        );
    }
}

/// Load balancers that only the cluster knows to be its own: the apply, which asks AWS alone, does not hold them against the destroy.
fn say_of_services(name: &str, guests: &[Guest], of_services: &[Guest], out: &mut Diagnostics) {
    let is_new = |guest: &&Guest| guests.iter().all(|known| known.name != guest.name);
    let new: Vec<&Guest> = of_services.iter().filter(is_new).collect();
    if new.is_empty() {
        return;
    }
    out.push(
        Diagnostic::warning(
            "EKB2291",
            "The cluster would leave load balancers behind",
            format!(
                "Services in the cluster {name} say that these are theirs. AWS does not tell, so that the destroy goes on while they are \
                 there:\n{}",
                list(&new)
            ),
        )
        .hint(format!("{}.", inside::advice(new.iter().copied()))),
    );
}

/// What `force_destroy` does, said in the plan.
fn forced(name: &str, guests: &[Guest]) -> Diagnostic {
    let (goes, stays): (Vec<&Guest>, Vec<&Guest>) =
        guests.iter().partition(|guest| guest.what.is_taken_along());
    let mut detail = String::new();
    if !goes.is_empty() {
        detail = format!(
            "`force_destroy` is true. With the cluster {name} go:\n{}",
            list(&goes)
        );
    }
    if !stays.is_empty() {
        let begin = if goes.is_empty() {
            "`force_destroy` is true. "
        } else {
            "\n"
        };
        detail += &format!(
            "{begin}These stay, and nothing manages them any more:\n{}",
            list(&stays)
        );
    }
    let warning = Diagnostic::warning("EKB2252", "What others have in the cluster goes too", detail);
    if stays.is_empty() {
        return warning;
    }
    warning.hint(format!("{}.", inside::advice(stays.iter().copied())))
}

fn list(guests: &[&Guest]) -> String {
    let lines: Vec<String> = guests.iter().map(|guest| format!("- {guest}")).collect();
    lines.join("\n")
}
