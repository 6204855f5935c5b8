//! Changes of the Kubernetes version, and of whatever else replaces the system nodes: what is said and refused at plan, the way
//! there, and what is asked before each of its stages.
//!
//! | file | what |
//! |---|---|
//! | `mod.rs` | what is said and refused at plan |
//! | `way.rs` | the stages, seen from what is there, and what is asked before each |
//! | `insights.rs` | what EKS's insights have against a version |
//! | `groups.rs` | node groups of others, which stay behind |
//! | `rollback.rs` | whether EKS still takes the version back |
//! | `controllers.rs` | controllers in the cluster that are too old for a version |

use aws::eks::catalogue::{Support, Version};
use framework::{Attr, Diagnostic, Diagnostics, Path};
use reconcile::failure::Failure;

use super::graph;
use super::model::Cluster;
use super::versions::{PRICE, minor};
use crate::platform::Platform;
use insights::Hop;
use nodes::Nodes;

mod controllers;
mod groups;
mod insights;
mod nodes;
mod rollback;
mod way;

pub use way::{explain, steps};

/// Checks a change of the version, and of what else replaces nodes, and says what it will do. `versions`: those that EKS has,
/// where they were looked up.
pub async fn check(
    context: Option<&Platform>,
    prior: &Cluster,
    planned: &Cluster,
    versions: &[Version],
    out: &mut Diagnostics,
) {
    let change = change(prior, planned, versions, out);
    let (Some(context), Attr::Known(region), Attr::Known(cluster)) =
        (context, &planned.common.region, &planned.name)
    else {
        return;
    };
    let nodes = Nodes::of_state(prior);
    let hop = change.as_ref().map(|(from, to)| Hop {
        region,
        cluster,
        from,
        to,
    });
    if let Some(hop) = &hop {
        insights::check(context, hop, planned, out).await;
        groups::check(context, hop, &nodes.names(), out).await;
        if hop.is_back() {
            rollback::check(context, hop, out).await;
        }
    }
    let are_replaced = graph::graph(planned).is_some_and(|target| nodes.are_replaced_by(&target));
    if are_replaced && planned.force_drain == Attr::Known(true) {
        out.push(
            Diagnostic::warning(
                "EKB2246",
                "Nodes are drained by force",
                "System nodes are replaced, and pods leave them whatever their PodDisruptionBudgets say (`force` of AWS EKS \
                 UpdateNodegroupVersion).",
            )
            .hint("`force_drain` is true: remove it afterwards.")
            .at(Path::from("force_drain")),
        );
    }
    let inside = context.clusters(region).get(cluster);
    if let Err(failure) = look_inside(&inside, hop.as_ref(), &nodes, are_replaced, planned, out).await {
        out.push(Diagnostic {
            code: "EKB2241".into(),
            summary: "What runs in the cluster could not be looked at".to_owned(),
            detail: format!(
                "Whether a PodDisruptionBudget or a controller stands against the change is not known. {}",
                failure.diagnostic().detail
            ),
            ..failure.warning()
        });
    }
}

/// What in the cluster stands against it: controllers that are too old, budgets that let no node go.
async fn look_inside(
    cluster: &kubernetes::Cluster,
    hop: Option<&Hop<'_>>,
    nodes: &Nodes,
    are_replaced: bool,
    planned: &Cluster,
    out: &mut Diagnostics,
) -> Result<(), Failure> {
    if let Some(hop) = hop.filter(|hop| !hop.is_back()) {
        controllers::check(cluster, hop.to, planned, out).await?;
    }
    if !are_replaced {
        return Ok(());
    }
    let held = nodes.never_let_go(cluster).await?;
    if !held.is_empty() {
        let summary = "PodDisruptionBudgets do not let nodes go";
        let held = Diagnostic::warning(nodes::HELD, summary, held.join("\n"));
        out.push(if planned.force_drain == Attr::Known(true) {
            held
        } else {
            held.hint(nodes::HELD_HINT)
        });
    }
    Ok(())
}

/// The change of the control plane's version that the plan makes, from what is there; with what is said of it.
fn change(
    prior: &Cluster,
    planned: &Cluster,
    versions: &[Version],
    out: &mut Diagnostics,
) -> Option<(String, String)> {
    let to = planned.kubernetes_version.known()?;
    let declared = prior.kubernetes_version.known();
    let from = &nodes::control_plane(prior).or(declared.cloned())?;
    let (is, should) = (minor(from)?, minor(to)?);
    if is == should {
        return None;
    }
    let at = || Path::from("kubernetes_version");
    let is_back = should < is;
    if is_back {
        let is_raised = declared.and_then(|declared| minor(declared)) < Some(is);
        let write = format!("Write `kubernetes_version = \"{from}\"`.");
        let (why, hint) = if is_raised {
            (
                format!(
                    "The cluster runs {from}, and {to} is declared: AWS, which does so at the end of a version's support, or somebody \
                     else has upgraded it."
                ),
                format!(
                    "{write} Who wants to go back nevertheless applies that first, and then {to} with `allow_rollback = true`."
                ),
            )
        } else if should + 1 < is {
            (
                format!("The cluster runs {from}; EKS takes it back by one minor at most, not to {to}."),
                write,
            )
        } else if planned.allow_rollback != Attr::Known(true) {
            (
                format!("The cluster runs {from}, and {to} is declared."),
                format!(
                    "{write} To go back really (within seven days of an upgrade, EKS UpdateClusterVersion) set `allow_rollback = true`."
                ),
            )
        } else {
            (String::new(), String::new())
        };
        if !why.is_empty() {
            out.push(
                Diagnostic::error("EKB2221", "Kubernetes version goes back", why)
                    .hint(hint)
                    .at(at()),
            );
            return None;
        }
    }
    let hops: Vec<String> = if is_back {
        vec![from.clone(), to.clone()]
    } else {
        (is..=should).map(|minor| format!("1.{minor}")).collect()
    };
    let mut said = vec![if is_back {
        format!(
            "{}: system nodes and add-ons that do not fit {to} go back first, then the control plane. System nodes are replaced one after \
             the other. What is stored in the cluster stays.",
            hops.join(" \u{2192} ")
        )
    } else {
        format!(
            "{}: at each step control plane, then system nodes, then add-ons. System nodes are replaced one after the other.",
            hops.join(" \u{2192} ")
        )
    }];
    said.extend(support(from, to, versions));
    if planned.force_insights == Attr::Known(true) {
        said.push("`force_insights`: EKS's insights are not asked again, and EKS is told to go on in spite of them.".to_owned());
    }
    out.push(
        Diagnostic::warning("EKB2222", "The Kubernetes version changes", said.join(" "))
            .hint("An interrupted change goes on with the next apply.")
            .at(at()),
    );
    Some((from.clone(), to.clone()))
}

/// How long AWS supports the versions, and what that costs.
fn support(from: &str, to: &str, versions: &[Version]) -> Vec<String> {
    let of = |name: &str| versions.iter().find(|version| version.version == name);
    let mut said = Vec::new();
    if let Some(Version {
        standard_until: Some(standard),
        extended_until: Some(extended),
        ..
    }) = of(to)
    {
        said.push(format!(
            "AWS supports {to} until {standard}, with extended support until {extended}."
        ));
    }
    if let (Some(before), Some(after)) = (of(from), of(to))
        && before.support != Support::Standard
        && after.support == Support::Standard
    {
        said.push(format!(
            "The control plane then costs {} in place of {} US dollars an hour.",
            PRICE.0, PRICE.1
        ));
    }
    said
}
