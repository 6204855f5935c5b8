//! What only AWS can tell is wrong: subnets, instance types, configurations of add-ons. Asked where they change, so that a plan
//! without changes asks nothing.

use std::collections::{BTreeMap, BTreeSet};

use aws::eks::catalogue::{self, SubnetFacts};
use framework::{Attr, Diagnostic, Diagnostics, Path};
use ipnet::Ipv4Net;

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
    let look = Look {
        context,
        region,
        prior,
        planned,
    };
    let is_network_new = look.is_new(|cluster| {
        let nodes = nodes::declared(cluster).map(|nodes| nodes.subnet_ids);
        (
            cluster.subnet_ids.clone(),
            cluster.vpc_id.clone(),
            cluster.service_cidr,
            nodes,
        )
    });
    let are_types_new = look.is_new(|cluster| {
        nodes::declared(cluster).map(|nodes| (nodes::instance_types(&nodes), nodes::ami_type(&nodes)))
    });
    if !is_network_new && !are_types_new {
        return look.check_addons(out).await;
    }
    if let Some(subnets) = look.subnets(out).await {
        if is_network_new {
            look.check_subnets(&subnets, out);
            look.check_service_range(&subnets, out).await;
        }
        look.check_instance_types(subnets.zones_of_nodes(), out).await;
    }
    look.check_addons(out).await;
}

struct Look<'a> {
    context: &'a Platform,
    region: &'a str,
    prior: Option<&'a Cluster>,
    planned: &'a Cluster,
}

/// The subnets that are declared and known, and those of before, as they are.
struct Subnets {
    control_plane: BTreeSet<String>,
    nodes: BTreeSet<String>,
    before: BTreeSet<String>,
    /// Whether all subnets of the control plane, and of the nodes, are known.
    is_complete: (bool, bool),
    facts: BTreeMap<String, SubnetFacts>,
}

impl Subnets {
    fn zones(&self, ids: &BTreeSet<String>) -> BTreeSet<String> {
        let facts = ids.iter().filter_map(|id| self.facts.get(id));
        facts.map(|facts| facts.zone.clone()).collect()
    }

    /// None while some are not known.
    fn zones_of_nodes(&self) -> Option<BTreeSet<String>> {
        self.is_complete.1.then(|| self.zones(&self.nodes))
    }

    /// Those of control plane and nodes, each with the argument that names it.
    fn named(&self) -> impl Iterator<Item = (&String, &SubnetFacts, Path)> {
        let of = |ids: &BTreeSet<String>, path: Path| {
            let ids: Vec<String> = ids.iter().cloned().collect();
            ids.into_iter().map(move |id| (id, path.clone()))
        };
        of(&self.control_plane, Path::from("subnet_ids"))
            .chain(of(&self.nodes, at_nodes("subnet_ids")))
            .filter_map(|(id, path)| {
                let (id, facts) = self.facts.get_key_value(&id)?;
                Some((id, facts, path))
            })
    }
}

fn at_nodes(argument: &str) -> Path {
    Path::from("system_nodes").attribute(argument)
}

fn list<'a>(words: impl IntoIterator<Item = &'a String>) -> String {
    let words: Vec<&str> = words.into_iter().map(String::as_str).collect();
    words.join(", ")
}

impl Look<'_> {
    fn is_new<T: PartialEq>(&self, of: impl Fn(&Cluster) -> T) -> bool {
        self.prior.is_none_or(|prior| of(prior) != of(self.planned))
    }

    /// `None` where there is nothing to look at, or something is wrong that makes looking further useless.
    async fn subnets(&self, out: &mut Diagnostics) -> Option<Subnets> {
        let (control_plane, is_open) = ids(&self.planned.subnet_ids);
        let own = nodes::declared(self.planned).map_or(Attr::Unknown, |nodes| nodes.subnet_ids);
        let (nodes, are_nodes_open) = match &own {
            Attr::Null => (control_plane.clone(), is_open),
            own => ids(own),
        };
        let before = self
            .prior
            .map_or_else(BTreeSet::new, |prior| ids(&prior.subnet_ids).0);
        let all = control_plane.iter().chain(&nodes).chain(&before);
        let facts = match catalogue::subnets(&self.context.aws, self.region, &all.cloned().collect()).await {
            Ok(facts) => facts,
            Err(failure) => {
                out.push(failure.warning());
                return None;
            }
        };
        let missing = |ids: &BTreeSet<String>| ids.iter().find(|id| !facts.contains_key(*id)).cloned();
        let missing = missing(&control_plane)
            .map(|id| (id, Path::from("subnet_ids")))
            .or(missing(&nodes).map(|id| (id, at_nodes("subnet_ids"))));
        if let Some((missing, at)) = missing {
            out.push(
                Diagnostic::error(
                    "EKB2231",
                    "No such subnet",
                    format!("There is no subnet {missing} in {}.", self.region),
                )
                .hint("Give the ids of private subnets, for example `ekb_network.main.private_subnet_ids`.")
                .at(at),
            );
            return None;
        }
        Some(Subnets {
            control_plane,
            nodes,
            before,
            is_complete: (!is_open, !are_nodes_open),
            facts,
        })
    }

    fn check_subnets(&self, subnets: &Subnets, out: &mut Diagnostics) {
        let first = subnets.control_plane.first().and_then(|id| subnets.facts.get(id));
        let vpc = self.planned.vpc_id.known().or(first.map(|facts| &facts.vpc));
        if let Some(vpc) = vpc
            && let Some((id, facts, at)) = subnets.named().find(|(_, facts, _)| facts.vpc != *vpc)
        {
            out.push(
                Diagnostic::error(
                    "EKB2232",
                    "Subnet of another VPC",
                    format!("{id} lies in {}, not in {vpc}.", facts.vpc),
                )
                .hint("Give subnets of one VPC, and as `vpc_id` that VPC or nothing.")
                .at(at),
            );
        }
        let zones = subnets.zones(&subnets.control_plane);
        if subnets.is_complete.0 && zones.len() < 2 {
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
                .at(Path::from("subnet_ids")),
            );
        } else if let Some(of_nodes) = subnets.zones_of_nodes().filter(|zones| zones.len() == 1) {
            out.push(
                Diagnostic::warning(
                    "EKB2218",
                    "System nodes in one zone",
                    format!(
                        "All subnets of the system nodes lie in {}: with it the add-ons stop, and what depends on them.",
                        list(&of_nodes)
                    ),
                )
                .hint("Add a subnet in another zone.")
                .at(at_nodes("subnet_ids")),
            );
        }
        let before = subnets.zones(&subnets.before);
        if subnets.is_complete.0 && !before.is_empty() && before != zones {
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
                .hint(
                    "Name subnets in just these zones; for nodes elsewhere set `system_nodes.subnet_ids`.",
                )
                .at(Path::from("subnet_ids")),
            );
        }
    }

    /// With the whole VPC at first, and later with what is new.
    async fn check_service_range(&self, subnets: &Subnets, out: &mut Diagnostics) {
        let Attr::Known(services) = self.planned.service_cidr else {
            return;
        };
        let overlaps = |range: &str| {
            let range: Option<Ipv4Net> = range.parse().ok();
            range.is_some_and(|range| range.contains(&services) || services.contains(&range))
        };
        let vpc = subnets.named().map(|(_, facts, _)| facts.vpc.clone()).next();
        let of_vpc = match &vpc {
            Some(vpc) if self.prior.is_none() => {
                match catalogue::vpc_ranges(&self.context.aws, self.region, vpc).await {
                    Ok(ranges) => ranges,
                    Err(failure) => {
                        out.push(failure.warning());
                        Vec::new()
                    }
                }
            }
            _ => Vec::new(),
        };
        let mut of_subnets = subnets.named();
        let what = of_subnets
            .find(|(_, facts, _)| overlaps(&facts.cidr))
            .map(|(id, facts, _)| format!("the range {} of {id}", facts.cidr))
            .or_else(|| {
                let range = of_vpc.iter().find(|range| overlaps(range))?;
                Some(format!("the range {range} of {}", vpc.as_deref()?))
            });
        let Some(what) = what else {
            return;
        };
        let taken: Vec<&str> = of_vpc
            .iter()
            .map(String::as_str)
            .chain(subnets.named().map(|(_, facts, _)| facts.cidr.as_str()))
            .collect();
        let is_free = |candidate: &&str| {
            let candidate: Option<Ipv4Net> = candidate.parse().ok();
            candidate.is_some_and(|candidate| {
                taken
                    .iter()
                    .filter_map(|range| range.parse::<Ipv4Net>().ok())
                    .all(|range| !range.contains(&candidate) && !candidate.contains(&range))
            })
        };
        let candidates = ["172.20.0.0/16", "10.100.0.0/16", "192.168.0.0/16"];
        let free = candidates.iter().find(|candidate| is_free(candidate));
        let example = free.map_or_else(String::new, |free| format!(", for example {free}"));
        out.push(
            Diagnostic::error(
                "EKB2235",
                "Range of Services overlaps with the VPC",
                format!("{services} overlaps with {what}: nodes would not reach one of them."),
            )
            .hint(format!(
                "Take another `service_cidr`{example}; it cannot be changed later."
            ))
            .at(Path::from("service_cidr")),
        );
    }

    /// `zones`: those that nodes come to stand in, where they are known.
    async fn check_instance_types(&self, zones: Option<BTreeSet<String>>, out: &mut Diagnostics) {
        let Some(declared) = nodes::declared(self.planned) else {
            return;
        };
        let (Attr::Known(types), Attr::Known(ami)) =
            (nodes::instance_types(&declared), nodes::ami_type(&declared))
        else {
            return;
        };
        let types: BTreeSet<String> = types.into_iter().collect();
        let at = || at_nodes("instance_types");
        let found = match catalogue::instance_types(&self.context.aws, self.region, &types).await {
            Ok(found) => found,
            Err(failure) => return out.push(failure.warning()),
        };
        if let Some(missing) = types.iter().find(|name| !found.contains_key(*name)) {
            return out.push(
                Diagnostic::error(
                    "EKB2236",
                    "No such instance type",
                    format!("EC2 has no instance type {missing} in {}.", self.region),
                )
                .hint(format!(
                    "Take one of those that `aws ec2 describe-instance-type-offerings --region {}` lists.",
                    self.region
                ))
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
            let of_type = list(&facts.architectures);
            let hint = if declared.ami_type.is_null() {
                format!(
                    "Set `system_nodes.architecture` to `{of_type}`, or take instance types of {architecture}."
                )
            } else {
                format!("Take an `ami_type` of {of_type} or none, or instance types of {architecture}.")
            };
            return out.push(
                Diagnostic::error(
                    "EKB2237",
                    "Instance type of another architecture",
                    format!("{name} is {of_type}, the image {ami} is for {architecture}."),
                )
                .hint(hint)
                .at(at()),
            );
        }
        let Some(zones) = zones else {
            return;
        };
        match catalogue::offered(&self.context.aws, self.region, &types, &zones).await {
            Ok(offered) => {
                let nowhere = |zone: &&String| !offered.values().any(|zones| zones.contains(*zone));
                if let Some(zone) = zones.iter().find(nowhere) {
                    out.push(
                        Diagnostic::error(
                            "EKB2238",
                            "Instance type that is not offered",
                            format!("EC2 offers none of {} in {zone}.", list(&types)),
                        )
                        .hint("Add an instance type that is offered there, or set `system_nodes.subnet_ids` to subnets elsewhere.")
                        .at(at()),
                    );
                }
            }
            Err(failure) => out.push(failure.warning()),
        }
    }

    async fn check_addons(&self, out: &mut Diagnostics) {
        let refused = self.check_pins(out).await;
        check_configurations(self.context, self.region, self.prior, self.planned, &refused, out).await;
    }

    /// Versions of add-ons that are given, against those that EKS has for the version of Kubernetes. Gives the add-ons whose
    /// version is refused.
    async fn check_pins(&self, out: &mut Diagnostics) -> BTreeSet<String> {
        let mut refused = BTreeSet::new();
        let Attr::Known(kubernetes) = &self.planned.kubernetes_version else {
            return refused;
        };
        let pins = |cluster: &Cluster| -> BTreeMap<String, String> {
            let wanted = addons::wanted(cluster).unwrap_or_default().into_iter();
            wanted
                .filter_map(|(name, addon)| Some((name, addon.version.known()?.clone())))
                .collect()
        };
        let same = self
            .prior
            .filter(|prior| prior.kubernetes_version == self.planned.kubernetes_version);
        let before = same.map(pins).unwrap_or_default();
        let mut new = pins(self.planned);
        new.retain(|name, version| before.get(name) != Some(version));
        let names = new.keys().cloned().collect();
        let found = match catalogue::addon_versions(&self.context.aws, self.region, &names, kubernetes).await
        {
            Ok(found) => found,
            Err(failure) => {
                out.push(failure.warning());
                return refused;
            }
        };
        for (name, version) in new {
            let versions = found.get(&name).map_or(&[][..], Vec::as_slice);
            if versions.iter().any(|one| one.version == version) {
                continue;
            }
            let have: Vec<&str> = versions.iter().map(|one| one.version.as_str()).collect();
            let hint = if have.is_empty() {
                format!(
                    "Leave the add-on out: remove `{name}`, or set `{name} = {{ enabled = false }}` where it is on by default."
                )
            } else {
                format!(
                    "Remove `version` to take EKS's default, or take one of: {}.",
                    have.join(", ")
                )
            };
            out.push(
                Diagnostic::error(
                    "EKB2273",
                    "Version of an add-on that does not fit",
                    format!("EKS has no version {version} of the add-on {name} for Kubernetes {kubernetes}."),
                )
                .hint(hint)
                .at(Path::from("addons").key(&name).attribute("version")),
            );
            refused.insert(name);
        }
        refused
    }
}

/// Configurations against the schema of the add-on's version (AWS EKS DescribeAddonConfiguration): what is wrong in them hangs an
/// update for twenty minutes.
async fn check_configurations(
    context: &Platform,
    region: &str,
    prior: Option<&Cluster>,
    planned: &Cluster,
    refused: &BTreeSet<String>,
    out: &mut Diagnostics,
) {
    let Attr::Known(versions) = &planned.addon_versions else {
        return;
    };
    for (name, addon) in planned.addons.known().into_iter().flatten() {
        let (Attr::Known(_), Some(Attr::Known(version))) = (&addon.configuration, versions.get(name)) else {
            continue;
        };
        if refused.contains(name) {
            continue;
        }
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
