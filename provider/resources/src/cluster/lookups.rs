//! What only AWS can tell is wrong: subnets, instance types, configurations of add-ons. Asked where they change, so that a plan
//! without changes asks nothing.

use std::collections::BTreeSet;

use aws::eks::catalogue;
use framework::{Attr, Diagnostic, Diagnostics, Path};

use super::graph::ids;
use super::model::Cluster;
use super::{addons, nodes};
use crate::platform::Platform;

/// Looks, and refuses.
pub async fn check(
    context: Option<&Platform>,
    prior: Option<&Cluster>,
    planned: &Cluster,
    out: &mut Diagnostics,
) {
    let (Some(context), Attr::Known(region)) = (context, &planned.common.region) else {
        return;
    };
    let zones = check_subnets(context, region, prior, planned, out).await;
    check_instance_types(context, region, prior, planned, zones.as_ref(), out).await;
    check_configurations(context, region, prior, planned, out).await;
}

/// The zones of the nodes' subnets, where they were looked up.
async fn check_subnets(
    context: &Platform,
    region: &str,
    prior: Option<&Cluster>,
    planned: &Cluster,
    out: &mut Diagnostics,
) -> Option<BTreeSet<String>> {
    let (wanted, is_unknown) = ids(&planned.subnet_ids);
    if is_unknown || wanted.is_empty() || prior.is_some_and(|prior| prior.subnet_ids == planned.subnet_ids) {
        return None;
    }
    let mut all = wanted.clone();
    if let Some(prior) = prior {
        all.extend(ids(&prior.subnet_ids).0);
    }
    let at = || Path::from("subnet_ids");
    let found = match catalogue::subnets(&context.aws, region, &all).await {
        Ok(found) => found,
        Err(failure) => {
            out.push(failure.warning());
            return None;
        }
    };
    if let Some(missing) = wanted.iter().find(|id| !found.contains_key(*id)) {
        out.push(
            Diagnostic::error(
                "EKB2231",
                "No such subnet",
                format!("There is no subnet {missing} in {region}."),
            )
            .hint("Give the ids of private subnets, for example `ekb_network.main.private_subnet_ids`.")
            .at(at()),
        );
        return None;
    }
    let facts: Vec<_> = wanted
        .iter()
        .filter_map(|id| Some((id, found.get(id)?)))
        .collect();
    if let Some(vpc) = planned.vpc_id.known()
        && let Some((id, facts)) = facts.iter().find(|(_, facts)| facts.vpc != *vpc)
    {
        out.push(
            Diagnostic::error(
                "EKB2232",
                "Subnet of another VPC",
                format!("{id} lies in {}, not in {vpc}.", facts.vpc),
            )
            .hint("Give subnets of one VPC.")
            .at(at()),
        );
    }
    let zones_of = |ids: &BTreeSet<String>| -> BTreeSet<String> {
        ids.iter()
            .filter_map(|id| Some(found.get(id)?.zone.clone()))
            .collect()
    };
    let zones = zones_of(&wanted);
    let list = |zones: &BTreeSet<String>| zones.iter().cloned().collect::<Vec<_>>().join(", ");
    if zones.len() < 2 {
        out.push(
            Diagnostic::error(
                "EKB2233",
                "Subnets in one zone",
                format!(
                    "All subnets lie in {}; EKS wants subnets in two zones at least (AWS EKS CreateCluster).",
                    list(&zones)
                ),
            )
            .hint("Add a subnet in another zone.")
            .at(at()),
        );
    }
    if let Some(prior) = prior {
        let before = zones_of(&ids(&prior.subnet_ids).0);
        if !before.is_empty() && before != zones {
            out.push(
                Diagnostic::error(
                    "EKB2234",
                    "Other zones for the control plane",
                    format!(
                        "The control plane's subnets lie in {}, the new ones in {}: EKS keeps the zones that a cluster was made with \
                         (AWS EKS UpdateClusterConfig).",
                        list(&before),
                        list(&zones)
                    ),
                )
                .hint("Keep a subnet in each of these zones; for nodes elsewhere set `system_nodes.subnet_ids`.")
                .at(at()),
            );
        }
    }
    if let Attr::Known(services) = planned.service_cidr
        && let Some((id, facts)) = facts.iter().find(|(_, facts)| {
            let range: Result<ipnet::Ipv4Net, _> = facts.cidr.parse();
            range
                .is_ok_and(|range| range.contains(&services.network()) || services.contains(&range.network()))
        })
    {
        out.push(
            Diagnostic::error(
                "EKB2235",
                "Range of Services overlaps with a subnet",
                format!("{services} and {id} ({}) overlap: nodes would not reach one of them.", facts.cidr),
            )
            .hint("Take another `service_cidr`, for example 10.100.0.0/16 or 172.20.0.0/16; it cannot be changed later.")
            .at(Path::from("service_cidr")),
        );
    }
    Some(zones)
}

async fn check_instance_types(
    context: &Platform,
    region: &str,
    prior: Option<&Cluster>,
    planned: &Cluster,
    zones: Option<&BTreeSet<String>>,
    out: &mut Diagnostics,
) {
    let Some(declared) = nodes::declared(planned) else {
        return;
    };
    let (Attr::Known(types), Attr::Known(ami)) =
        (nodes::instance_types(&declared), nodes::ami_type(&declared))
    else {
        return;
    };
    let same = |prior: &Cluster| {
        nodes::declared(prior).is_some_and(|before| {
            nodes::instance_types(&before).known() == Some(&types)
                && nodes::ami_type(&before).known() == Some(&ami)
        })
    };
    if prior.is_some_and(same) {
        return;
    }
    let types: BTreeSet<String> = types.into_iter().collect();
    let at = || Path::from("system_nodes").attribute("instance_types");
    let found = match catalogue::instance_types(&context.aws, region, &types).await {
        Ok(found) => found,
        Err(failure) => return out.push(failure.warning()),
    };
    if let Some(missing) = types.iter().find(|name| !found.contains_key(*name)) {
        return out.push(
            Diagnostic::error(
                "EKB2236",
                "No such instance type",
                format!("EC2 has no instance type {missing} in {region}."),
            )
            .hint("Look at `aws ec2 describe-instance-type-offerings`.")
            .at(at()),
        );
    }
    let architecture = if ami.contains("ARM_64") || ami.contains("_arm64") {
        "arm64"
    } else {
        "x86_64"
    };
    let wrong = found
        .iter()
        .find(|(_, facts)| !facts.architectures.iter().any(|one| one == architecture));
    if let Some((name, facts)) = wrong {
        return out.push(
            Diagnostic::error(
                "EKB2237",
                "Instance type of another architecture",
                format!(
                    "{name} is {}, the image {ami} is for {architecture}.",
                    facts.architectures.join(", ")
                ),
            )
            .hint("Set `system_nodes.architecture`, or take other instance types.")
            .at(at()),
        );
    }
    let Some(zones) = zones.filter(|_| declared.subnet_ids.is_null()) else {
        return;
    };
    match catalogue::offered(&context.aws, region, &types, zones).await {
        Ok(offered) => {
            let nowhere = |zone: &&String| !offered.values().any(|zones| zones.contains(*zone));
            if let Some(zone) = zones.iter().find(nowhere) {
                out.push(
                    Diagnostic::error(
                        "EKB2238",
                        "Instance type that is not offered",
                        format!("EC2 offers none of {} in {zone}.", types.iter().cloned().collect::<Vec<_>>().join(", ")),
                    )
                    .hint("Add an instance type that is offered there, or set `system_nodes.subnet_ids` to subnets elsewhere.")
                    .at(at()),
                );
            }
        }
        Err(failure) => out.push(failure.warning()),
    }
}

/// Configurations against the schema of the add-on's version (AWS EKS DescribeAddonConfiguration): what is wrong in them hangs an
/// update for twenty minutes.
async fn check_configurations(
    context: &Platform,
    region: &str,
    prior: Option<&Cluster>,
    planned: &Cluster,
    out: &mut Diagnostics,
) {
    let Attr::Known(versions) = &planned.addon_versions else {
        return;
    };
    for (name, addon) in planned.addons.known().into_iter().flatten() {
        let (Attr::Known(_), Some(Attr::Known(version))) = (&addon.configuration, versions.get(name)) else {
            continue;
        };
        let before = prior.filter(|prior| {
            let given = prior.addons.known().and_then(|addons| addons.get(name));
            let version = prior
                .addon_versions
                .known()
                .and_then(|versions| versions.get(name));
            given.is_some_and(|given| given.configuration == addon.configuration)
                && version == versions.get(name)
        });
        let Some(configuration) =
            addons::configuration(name, &addon.configuration).filter(|_| before.is_none())
        else {
            continue;
        };
        match catalogue::addon_schema(&context.aws, region, name, version).await {
            Ok(schema) if schema.is_empty() => {}
            Ok(schema) => {
                if let Err(problems) = helm::check_json(&schema, &configuration) {
                    out.push(
                        Diagnostic::error(
                            "EKB2239",
                            "Configuration that an add-on does not take",
                            format!("The configuration of {name} {version} does not fit its schema:\n{}", problems.trim_end()),
                        )
                        .hint(format!(
                            "Look at `aws eks describe-addon-configuration --addon-name {name} --addon-version {version}`."
                        ))
                        .at(Path::from("addons").key(name).attribute("configuration")),
                    );
                }
            }
            Err(failure) => out.push(failure.warning()),
        }
    }
}
