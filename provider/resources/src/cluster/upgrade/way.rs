//! The way from one version to another: the stages, seen from what is there, and what is asked before each.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws::eks::catalogue::{self, AddonVersion};
use framework::Attr;
use reconcile::clock::Clock;
use reconcile::failure::{Class, Failure};
use reconcile::graph::Graph;
use reconcile::part::{Condition, Key, key};
use reconcile::report::Report;

use super::super::model::Cluster;
use super::super::versions::{self, minor};
use super::super::{addons, graph, known_bad, nodes as system};
use super::insights::{self, Hop};
use super::nodes::Nodes;
use crate::platform::Platform;

/// Time between two questions whether an update has ended, and how long that is waited for: EKS takes minutes, seldom an hour.
const PAUSE: Duration = Duration::from_secs(20);
const LIMIT: Duration = Duration::from_secs(90 * 60);

/// The versions that are there, as minors.
struct There {
    control_plane: u32,
    /// Of the node groups the lowest and the highest.
    nodes: Option<(u32, u32)>,
    /// Nothing changes the control plane at present.
    is_settled: bool,
}

impl There {
    fn of(found: &Report) -> Option<Self> {
        let version = |key: &Key| minor(found.found.get(key)?.fields["version"].as_str()?);
        let cluster = Key::from("cluster");
        let groups = found.found.keys().filter(|key| key.0.starts_with("node_group/"));
        let versions: BTreeSet<u32> = groups.filter_map(version).collect();
        Some(Self {
            control_plane: version(&cluster)?,
            nodes: versions.first().copied().zip(versions.last().copied()),
            is_settled: found.found.get(&cluster)?.condition == Condition::Settled,
        })
    }
}

/// The stages before the target: one minor after the other, nodes that an interrupted upgrade left behind first. On the way back
/// support policy, nodes and add-ons that do not fit come before the control plane. What stands against the next stage is looked
/// for before it begins.
///
/// # Errors
/// What stands against the next stage.
pub async fn steps(context: &Platform, model: &Cluster, found: &Report) -> Result<Vec<Graph>, Failure> {
    let (Some(mut there), Some(to)) = (
        There::of(found),
        model.kubernetes_version.known().and_then(|to| minor(to)),
    ) else {
        return Ok(Vec::new());
    };
    if to != there.control_plane && !there.is_settled {
        there.control_plane = at_rest(context, model).await?.unwrap_or(there.control_plane);
    }
    let stages = if to < there.control_plane {
        back(context, model, found, &there, to).await?
    } else {
        up(context, model, found, &there, to).await?
    };
    let next = stages.first().cloned().or_else(|| graph::graph(model));
    if let Some(next) = next {
        let_go(context, model, found, &next).await?;
    }
    Ok(stages)
}

async fn up(
    context: &Platform,
    model: &Cluster,
    found: &Report,
    there: &There,
    to: u32,
) -> Result<Vec<Graph>, Failure> {
    let lowest = there
        .nodes
        .map_or(there.control_plane, |(lowest, _)| lowest.min(there.control_plane));
    if to > there.control_plane && lowest == there.control_plane {
        allow(
            context,
            model,
            there.control_plane,
            there.control_plane + 1,
            false,
        )
        .await?;
    }
    let mut stages = Vec::new();
    for between in lowest + 1..to {
        let (at, _) = at(context, model, found, between, None).await?;
        stages.extend(graph::graph(&at));
    }
    Ok(stages)
}

/// By one minor: first everything but the control plane, then (the target) the control plane.
async fn back(
    context: &Platform,
    model: &Cluster,
    found: &Report,
    there: &There,
    to: u32,
) -> Result<Vec<Graph>, Failure> {
    let from = there.control_plane;
    if model.allow_rollback != Attr::Known(true) || to + 1 < from {
        let cause = format!("the cluster runs 1.{from}, and 1.{to} is declared");
        return Err(
            Failure::new(Class::Invalid, "looking at the Kubernetes version", cause)
                .code("EKB2221")
                .hint(format!(
                    "AWS, at the end of a version's support, or somebody else has upgraded it: write `kubernetes_version = \"1.{from}\"`."
                )),
        );
    }
    let (at, moves) = at(context, model, found, to, Some(from)).await?;
    let support = model.support.known().map(|support| support.to_uppercase());
    let has_support = found
        .found
        .get(&Key::from("cluster"))
        .is_some_and(|cluster| support.is_none_or(|support| cluster.fields["support"] == support.as_str()));
    let nodes_are_back = there.nodes.is_none_or(|(_, highest)| highest <= to);
    let is_prepared = has_support && nodes_are_back && !moves;
    allow(context, model, from, to, !is_prepared).await?;
    if is_prepared {
        return Ok(Vec::new());
    }
    let control_plane = format!("1.{from}");
    Ok(graph::graph_with(&at, Some(&control_plane)).into_iter().collect())
}

/// The minor of the control plane once nothing changes it any more: an update that is under way may be the very one, and what EKS's
/// insights say holds for what is there afterwards. None where that need not be waited for, since they are not asked.
async fn at_rest(context: &Platform, model: &Cluster) -> Result<Option<u32>, Failure> {
    let (Attr::Known(region), Attr::Known(cluster)) = (&model.common.region, &model.name) else {
        return Ok(None);
    };
    if model.force_insights == Attr::Known(true) {
        return Ok(None);
    }
    let clock = Clock::from_env();
    let until = clock.now() + LIMIT;
    loop {
        match catalogue::version_at_rest(&context.aws, region, cluster).await? {
            Some(version) => return Ok(minor(&version)),
            None if clock.now() > until => {
                let doing = format!("waiting for the update of cluster {cluster} that is under way");
                let minutes = LIMIT.as_secs() / 60;
                return Err(
                    Failure::new(Class::TimedOut, doing, format!("it has not ended in {minutes} minutes"))
                        .code("EKB2290")
                        .hint(format!("Look at `aws eks list-updates --region {region} --name {cluster}`, and apply again when it has ended.")),
                );
            }
            None => clock.sleep(PAUSE).await,
        }
    }
}

/// Asks EKS's insights before the control plane goes from one minor to another. `is_first`: what goes back before it is still
/// to do so.
async fn allow(
    context: &Platform,
    model: &Cluster,
    from: u32,
    to: u32,
    is_first: bool,
) -> Result<(), Failure> {
    let (Attr::Known(region), Attr::Known(cluster)) = (&model.common.region, &model.name) else {
        return Ok(());
    };
    if model.force_insights == Attr::Known(true) {
        return Ok(());
    }
    let hop = Hop {
        region,
        cluster,
        from: &format!("1.{from}"),
        to: &format!("1.{to}"),
    };
    insights::allow(context, &hop, is_first).await
}

/// Refuses to replace nodes of which a PodDisruptionBudget never lets go.
async fn let_go(context: &Platform, model: &Cluster, found: &Report, next: &Graph) -> Result<(), Failure> {
    let nodes = Nodes::of_report(found);
    let (Attr::Known(region), Attr::Known(name)) = (&model.common.region, &model.name) else {
        return Ok(());
    };
    if model.force_drain == Attr::Known(true) || !nodes.are_replaced_by(next) {
        return Ok(());
    }
    let cluster = context.clusters(region).get(name);
    match nodes.never_let_go(&cluster).await {
        Ok(held) if held.is_empty() => Ok(()),
        Ok(held) => {
            let doing = format!("replacing the system nodes of cluster {name}");
            Err(Failure::new(Class::Invalid, doing, held.join("; "))
                .code(super::nodes::HELD)
                .hint(super::nodes::HELD_HINT))
        }
        // Said at plan. EKS itself respects budgets.
        Err(failure) => {
            tracing::warn!(%failure, "could not look for PodDisruptionBudgets");
            Ok(())
        }
    }
}

/// The cluster at another minor, with add-ons that fit it, and whether another version of an add-on is among them. On the way up:
/// those that are wanted in the end, else those that are there, else EKS's default; so a version that is given for the last
/// minor alone does not stand in the way of those before it. On the way back, while the control plane is still at `from`: those
/// that are there, else such as fit both.
async fn at(
    context: &Platform,
    model: &Cluster,
    found: &Report,
    to: u32,
    from: Option<u32>,
) -> Result<(Cluster, bool), Failure> {
    let mut model = model.clone();
    let names: BTreeSet<String> = addons::wanted(&model)
        .into_iter()
        .flatten()
        .map(|(name, _)| name)
        .collect();
    let region = model.common.region.known().cloned().unwrap_or_default();
    let version = format!("1.{to}");
    let fitting = catalogue::addon_versions(&context.aws, &region, &names, &version).await?;
    let before = match from {
        Some(from) => catalogue::addon_versions(&context.aws, &region, &names, &format!("1.{from}")).await?,
        None => BTreeMap::new(),
    };
    let mut versions = model.addon_versions.known().cloned().unwrap_or_default();
    let mut moves = false;
    for (name, fitting) in &fitting {
        let is = version_of(found, name);
        let wanted = versions.get(name).and_then(Attr::known).cloned();
        let chosen = match from {
            None => up_to(name, is.clone(), wanted, fitting),
            Some(_) => back_to(
                name,
                is.clone(),
                wanted,
                fitting,
                before.get(name).map_or(&[], Vec::as_slice),
            ),
        };
        moves |= is.is_some() && chosen != is;
        if let Some(chosen) = chosen {
            versions.insert(name.clone(), chosen.into());
        }
    }
    model.kubernetes_version = version.into();
    model.addon_versions = Attr::Known(versions);
    // A release of the image is of one minor, but for Bottlerocket.
    if from.is_none()
        && let Attr::Known(nodes) = &mut model.system_nodes
        && !system::ami_type(nodes)
            .known()
            .is_some_and(|ami| ami.starts_with("BOTTLEROCKET"))
    {
        nodes.release_version = Attr::Null;
    }
    Ok((model, moves))
}

fn up_to(
    addon: &str,
    is: Option<String>,
    wanted: Option<String>,
    fitting: &[AddonVersion],
) -> Option<String> {
    let fits = |version: &String| fitting.iter().any(|known| known.version == *version);
    wanted
        .filter(fits)
        .or(is.filter(fits))
        .or_else(|| versions::default(addon, fitting))
}

/// One that is known to be bad only where there is no other. One that fits neither stays until the control plane is back.
fn back_to(
    addon: &str,
    is: Option<String>,
    wanted: Option<String>,
    fitting: &[AddonVersion],
    before: &[AddonVersion],
) -> Option<String> {
    let fits = |version: &String| fitting.iter().any(|known| known.version == *version);
    let fits_both = |version: &String| fits(version) && before.iter().any(|known| known.version == *version);
    let both = || {
        fitting
            .iter()
            .map(|known| &known.version)
            .filter(|version| fits_both(version))
    };
    let newest = both().find(|version| !known_bad::is_broken(addon, version));
    let newest = newest.or_else(|| both().next());
    is.clone()
        .filter(fits)
        .or(wanted.filter(fits_both))
        .or(newest.cloned())
        .or(is)
}

/// The version that an add-on has.
fn version_of(found: &Report, addon: &str) -> Option<String> {
    let found = found.found.get(&key("addon", addon))?;
    found.fields["version"].as_str().map(str::to_owned)
}

/// What a failure means, where the insights or the cluster itself say more.
pub async fn explain(context: &Platform, model: &Cluster, failure: Failure) -> Failure {
    let (Attr::Known(region), Attr::Known(cluster), Attr::Known(to)) =
        (&model.common.region, &model.name, &model.kubernetes_version)
    else {
        return failure;
    };
    // EKS's own refusal; ours has no request.
    if failure.code == insights::CODE && failure.request_id.is_some() {
        let is_back = failure.cause.to_lowercase().contains("rollback");
        let from = minor(to).map_or(0, |to| if is_back { to + 1 } else { to });
        let hop = Hop {
            region,
            cluster,
            from: &format!("1.{from}"),
            to,
        };
        return insights::explain(context, &hop, failure).await;
    }
    if failure.cause.contains("PodEvictionFailure") {
        let groups = graph::graph(model)
            .as_ref()
            .map(Nodes::of_graph)
            .unwrap_or_default();
        let connection = context.clusters(region).get(cluster);
        let held = groups.held(&connection).await;
        if let Ok(held) = held
            && !held.is_empty()
        {
            return Failure {
                cause: format!("{}. {}", failure.cause.trim_end_matches('.'), held.join("; ")),
                hint: format!("{} Then apply again.", super::nodes::HELD_HINT),
                ..failure
            };
        }
    }
    failure
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(versions: &[&str]) -> Vec<AddonVersion> {
        let of = |(n, version): (usize, &&str)| AddonVersion {
            version: (*version).to_owned(),
            is_default: n == 1,
            architectures: Vec::new(),
        };
        versions.iter().enumerate().map(of).collect()
    }

    #[test]
    fn an_add_on_changes_no_more_often_than_it_has_to() {
        let fitting = known(&["v3", "v2", "v1"]);
        let up = |is: &str, wanted: &str| {
            up_to("coredns", Some(is.into()), Some(wanted.into()), &fitting).unwrap()
        };
        assert_eq!(up("v1", "v3"), "v3", "what it shall have in the end fits already");
        assert_eq!(
            up("v1", "v9"),
            "v1",
            "a pin for the last minor stands in nobody's way"
        );
        assert_eq!(up("v0", "v9"), "v2", "EKS's default");
    }

    #[test]
    fn none_that_is_known_to_be_bad_is_taken_on_the_way() {
        let ebs = "aws-ebs-csi-driver";
        let fitting = known(&["v1.52.1-eksbuild.1", "v1.51.0-eksbuild.1", "v1.49.2-eksbuild.1"]);
        assert_eq!(up_to(ebs, None, None, &fitting).unwrap(), "v1.52.1-eksbuild.1");
        assert_eq!(
            up_to("other", None, None, &fitting).unwrap(),
            "v1.51.0-eksbuild.1"
        );
        let (fitting, is) = (&fitting[1..], Some("v1.55.0-eksbuild.1".to_owned()));
        assert_eq!(
            back_to(ebs, is, None, fitting, fitting).unwrap(),
            "v1.49.2-eksbuild.1"
        );
        let bad = &fitting[..1];
        assert_eq!(
            up_to(ebs, None, None, bad).unwrap(),
            "v1.51.0-eksbuild.1",
            "there is no other"
        );
    }

    #[test]
    fn on_the_way_back_add_ons_fit_both_minors() {
        let (fitting, before) = (known(&["v3", "v2", "v1"]), known(&["v5", "v4", "v3", "v2"]));
        let back = |is: &str, wanted: &str| {
            back_to("coredns", Some(is.into()), Some(wanted.into()), &fitting, &before).unwrap()
        };
        assert_eq!(back("v3", "v2"), "v3", "it fits, and stays");
        assert_eq!(back("v5", "v2"), "v2");
        assert_eq!(
            back("v5", "v1"),
            "v3",
            "what is wanted does not fit the control plane yet"
        );
        assert_eq!(
            back_to("coredns", Some("v5".into()), None, &known(&["v1"]), &before).unwrap(),
            "v5"
        );
    }
}
