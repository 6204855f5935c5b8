//! What a cluster that is there means: its parts, where others built it, and the arguments that follow from them.

use std::collections::{BTreeMap, BTreeSet};

use aws::eks::inside::FORCE_DESTROY;
use aws::eks::{AccessEntry, Addon as EksAddon, NodeGroup};
use framework::Attr;
use reconcile::ownership::Phase;
use reconcile::part::{Condition, Key, Object, Part, key};
use reconcile::report::{Report, Unclaimed};
use serde_json::Value;

use super::graph::{self, Naming, access_policy};
use super::model::{Access, Addon, Cluster, Encryption, EndpointAccess, Logging, SystemNodes};
use super::{addons, nodes};

/// The levels of access, the widest first.
const LEVELS: [&str; 4] = ["admin", "edit", "admin_view", "view"];

/// The parts that objects without our tags stand for: access entries of people and programs. Those of machines come and go with their
/// node groups, and that of EKS's own role is EKS's.
pub fn recognise(report: &Report) -> Vec<(Key, &Unclaimed)> {
    let mut parts: BTreeMap<Key, &Unclaimed> = BTreeMap::new();
    for found in report
        .unclaimed
        .iter()
        .filter(|found| found.kind == AccessEntry::KIND)
    {
        let fields = &found.object.fields;
        let principal = fields["principal"].as_str().unwrap_or_default();
        if fields["type"] != "STANDARD" || principal.contains(":role/aws-service-role/") {
            continue;
        }
        let name = principal.rsplit('/').next().unwrap_or_default().to_lowercase();
        let free = (1..).map(|n| match n {
            1 => name.clone(),
            n => format!("{name}-{n}"),
        });
        let mut keys = free.map(|name| key("access_entry", name));
        let is_free = |key: &Key| !parts.contains_key(key) && !report.ids.contains_key(key);
        if let Some(key) = keys.find(is_free) {
            parts.insert(key, found);
        }
    }
    parts.into_iter().collect()
}

/// What of others has no place in a cluster of ours, for the user.
pub fn left_alone(report: &Report) -> Vec<String> {
    let name = |found: &Unclaimed| {
        found.object.fields["name"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let said = report.unclaimed.iter().filter_map(|found| match found.kind {
        NodeGroup::KIND => Some(format!(
            "node group {}: it stays with whoever made it; the apply makes the system nodes beside it",
            name(found)
        )),
        EksAddon::KIND => Some(format!("add-on {}: `addons` would take it over", name(found))),
        _ => None,
    });
    said.collect()
}

/// Sets the arguments from what is there; those that are as they are by default stay out.
pub fn adopt(model: &mut Cluster, report: &Report) {
    let Some(cluster) = report.found.get(&Key::from("cluster")) else {
        return;
    };
    let (Attr::Known(name), Attr::Known(region)) = (model.name.clone(), model.common.region.clone()) else {
        return;
    };
    let found = Found {
        report,
        naming: Naming {
            cluster: &name,
            region: &region,
        },
        cluster,
    };
    let fields = &cluster.fields;
    let text = |field: &str| fields[field].as_str().map(str::to_owned);
    let account = cluster.arn.as_deref().and_then(|arn| arn.split(':').nth(4));
    model.common.account_id = Attr::from_option(account.map(str::to_owned));
    model.kubernetes_version = Attr::from_option(text("version"));
    let vpc = cluster.outputs.get("vpc_id").and_then(Value::as_str);
    model.vpc_id = Attr::from_option(vpc.map(str::to_owned));
    model.subnet_ids = Attr::Known(texts(&fields["subnets"]).into_iter().map(Attr::Known).collect());
    let groups = texts(&fields["security_groups"]);
    model.security_group_ids = unless(
        Some(groups.into_iter().map(Attr::Known).collect()),
        &BTreeSet::new(),
    );
    model.endpoint_access = Attr::Known(if fields["endpoint_public"] == true {
        let cidrs = texts(&fields["public_cidrs"]).into_iter();
        EndpointAccess {
            public_cidrs: Attr::Known(cidrs.filter_map(|cidr| cidr.parse().ok()).collect()),
            private_only: Attr::Null,
        }
    } else {
        EndpointAccess {
            public_cidrs: Attr::Null,
            private_only: Attr::Known(true),
        }
    });
    read_fields(model, fields);
    model.service_cidr = Attr::from_option(text("service_cidr").and_then(|range| range.parse().ok()));
    // What aws-auth says would stop to count at the last step, which is the user's.
    let mode = text("authentication_mode").map(|mode| match mode.as_str() {
        "API" => mode,
        _ => "API_AND_CONFIG_MAP".to_owned(),
    });
    model.authentication_mode = Attr::from_option(mode);
    let forced = cluster
        .tags
        .get(FORCE_DESTROY)
        .is_some_and(|value| value == "true");
    model.force_destroy = Attr::from_option(forced.then_some(true));
    model.encryption = found.encryption();
    model.logging = found.logging();
    model.access = found.access();
    model.creator_access =
        Attr::Known(!found.is_whole() || report.ids.contains_key(&Key::from(graph::CREATOR)));
    found.roles(model);
    model.system_nodes = found.system_nodes();
    found.addons(model);
    let has_class = report.ids.contains_key(&Key::from("storage_class"));
    // Where nobody could look, ours has what it has by default, and of others' nothing is promised.
    let is_seen = found.was_sought("storage_class") && report.warnings.is_empty();
    let is_ours = cluster.tags.contains_key("ekb:part");
    model.default_storage_class = Attr::Known(has_class || (is_ours && !(is_seen && found.is_whole())));
}

/// Arguments that are one field of the cluster. Where the user leaves its drift alone, the field is as it was applied.
pub fn read_arguments(model: &mut Cluster, report: &Report) -> bool {
    let Some(fields) = report.objects.get(&Key::from("cluster")) else {
        return false;
    };
    let arguments = |model: &Cluster| {
        (
            model.support.clone(),
            model.control_plane_tier.clone(),
            model.zonal_shift,
            model.deletion_protection,
        )
    };
    let before = arguments(model);
    read_fields(model, fields);
    before != arguments(model)
}

fn read_fields(model: &mut Cluster, fields: &Value) {
    if let Some(support) = fields["support"].as_str() {
        model.support = support.to_lowercase().into();
    }
    if let Some(tier) = fields["tier"].as_str() {
        model.control_plane_tier = tier.to_owned().into();
    }
    for (argument, field) in [
        (&mut model.zonal_shift, "zonal_shift"),
        (&mut model.deletion_protection, "deletion_protection"),
    ] {
        if let Some(is) = fields[field].as_bool() {
            *argument = Attr::Known(is);
        }
    }
}

/// A cluster with what was found of it.
struct Found<'a> {
    report: &'a Report,
    naming: Naming<'a>,
    cluster: &'a Object,
}

impl Found<'_> {
    fn part(&self, key: &str) -> Option<&Object> {
        self.report.found.get(&Key::from(key))
    }

    /// Whether a part was looked for: what has a fixed name is found once the graph declares it.
    fn was_sought(&self, key: &str) -> bool {
        self.report.kinds.contains_key(&Key::from(key))
    }

    /// Whether what is missing is so on purpose: not where a create has ended half way.
    fn is_whole(&self) -> bool {
        let root = self.report.root.as_ref();
        root.is_none_or(|root| root.phase != Some(Phase::Making))
    }

    fn encryption(&self) -> Attr<Encryption> {
        let ours = self.report.arns.get(&Key::from("encryption_key"));
        match self.cluster.fields["encryption_key"].as_str() {
            None if self.is_whole() => Attr::Known(Encryption {
                enabled: Attr::Known(false),
                kms_key_arn: Attr::Null,
            }),
            Some(arn) if self.was_sought("encryption_key") && ours.is_none_or(|ours| ours != arn) => {
                Attr::Known(Encryption {
                    enabled: Attr::Null,
                    kms_key_arn: arn.to_owned().into(),
                })
            }
            _ => Attr::Null,
        }
    }

    fn logging(&self) -> Attr<Logging> {
        let types = texts(&self.cluster.fields["logging"]);
        let days = self
            .part("log_group")
            .and_then(|group| group.fields["retention_days"].as_i64());
        let logging = Logging {
            types: unless(Some(types), &graph::log_types()),
            retention_days: unless(days, &graph::RETENTION_DAYS),
            retain_logs: Attr::Null,
        };
        let is_default = logging.types.is_null() && logging.retention_days.is_null();
        Attr::from_option((!is_default).then_some(logging))
    }

    fn access(&self) -> Attr<BTreeMap<String, Access>> {
        let entries = self.report.found.iter().filter_map(|(key, entry)| {
            let name = key.0.strip_prefix("access_entry/")?;
            (key.0 != graph::CREATOR).then(|| (name.to_owned(), access(&entry.fields, self.naming.region)))
        });
        let entries: BTreeMap<String, Access> = entries.collect();
        Attr::from_option((!entries.is_empty()).then_some(entries))
    }

    /// The ARN of a role that is given: one of another name than ours has, or that is not ours.
    fn given(&self, arn: &str, component: &str, part: &str) -> Attr<String> {
        let is_named = arn.rsplit('/').next() == Some(&self.naming.of(component));
        let is_ours = is_named && (self.part(part).is_some() || !self.was_sought(part));
        Attr::from_option((!is_ours).then(|| arn.to_owned()))
    }

    fn roles(&self, model: &mut Cluster) {
        let role = self.cluster.fields["role_arn"].as_str().unwrap_or_default();
        model.cluster_role_arn = self.given(role, "cluster", "cluster_role");
        let group = self.group();
        let of_nodes = group.and_then(|group| group.fields["role_arn"].as_str());
        model.node_role_arn = of_nodes.map_or(Attr::Null, |arn| self.given(arn, "node", "node_role"));
        // The path of our roles, which their names are looked for without.
        let ours = [
            (role, &model.cluster_role_arn),
            (of_nodes.unwrap_or_default(), &model.node_role_arn),
        ];
        let ours = ours.into_iter().filter(|(_, given)| given.is_null());
        let mut paths = ours.filter_map(|(arn, _)| path(arn));
        model.role_path = Attr::from_option(paths.next());
        let mut bounds = ["cluster_role", "node_role"]
            .into_iter()
            .filter_map(|part| self.part(part)?.fields["permissions_boundary"].as_str());
        model.role_permissions_boundary = Attr::from_option(bounds.next().map(str::to_owned));
    }

    /// The system nodes' group.
    fn group(&self) -> Option<&Object> {
        let mut parts = self.report.found.iter();
        let is_there =
            |group: &Object| matches!(group.condition, Condition::Settled | Condition::Changing(_));
        let group = parts.find(|(key, group)| key.0.starts_with("node_group/system-") && is_there(group));
        group.map(|(_, group)| group)
    }

    fn system_nodes(&self) -> Attr<SystemNodes> {
        let Some(group) = self.group() else {
            return Attr::Null;
        };
        let fields = &group.fields;
        let number = |field: &str| fields[field].as_i64();
        let ami = fields["ami_type"].as_str().unwrap_or_default();
        let is_arm = ami.to_uppercase().contains("ARM_64") || ami.to_uppercase().contains("ARM64");
        let architecture = if is_arm { "arm64" } else { "x86_64" };
        let plain = SystemNodes {
            architecture: architecture.to_owned().into(),
            ..SystemNodes::default()
        };
        let or_default = |value: Attr<_>| value.into_known().unwrap_or_default();
        let types: BTreeSet<String> = texts(&fields["instance_types"]);
        let types_by_default: Vec<String> = nodes::instance_types(&plain).into_known().unwrap_or_default();
        let min = number("min").unwrap_or(nodes::DEFAULT_MIN);
        let subnets: BTreeSet<String> = texts(&fields["subnets"]);
        let is_elsewhere = subnets != texts(&self.cluster.fields["subnets"]);
        let subnets = subnets.into_iter().map(Attr::Known).collect();
        let taints = fields["taints"].as_array().into_iter().flatten();
        let is_tainted = taints.into_iter().any(|taint| taint["key"] == nodes::TAINT);
        let labels: BTreeMap<String, String> =
            serde_json::from_value(fields["labels"].clone()).unwrap_or_default();
        let template = self
            .part("launch_template")
            .map(|template| &template.fields["disks"]);
        let disk =
            template.and_then(|disks| disks[nodes::device(fields["ami_type"].as_str())]["gib"].as_i64());
        let attached = self
            .part("node_role")
            .map(|role| texts(&role.fields["managed_policies"]));
        let mut policies = attached.unwrap_or_default();
        for policy in nodes::POLICIES {
            policies.remove(&self.naming.managed(policy));
        }
        let found = SystemNodes {
            instance_types: unless(Some(types), &types_by_default.into_iter().collect()),
            architecture: unless(Some(architecture.to_owned()), &"arm64".to_owned()),
            ami_type: unless(Some(ami.to_owned()), &or_default(nodes::ami_type(&plain))),
            release_version: Attr::Null,
            capacity_type: unless(
                fields["capacity_type"].as_str().map(str::to_lowercase),
                &"on_demand".to_owned(),
            ),
            min: unless(Some(min), &nodes::DEFAULT_MIN),
            max: unless(number("max"), &(min + 1)),
            desired: Attr::Null,
            disk_gib: unless(disk, &nodes::DISK_GIB),
            labels: unless(Some(labels), &BTreeMap::new()),
            only_system_pods: unless(Some(is_tainted), &true),
            subnet_ids: Attr::from_option(is_elsewhere.then_some(subnets)),
            policies: unless(Some(policies), &BTreeSet::new()),
            max_unavailable: unless(number("max_unavailable"), &1),
            // They stand in user data, which is not taken apart: the plan shows it as a difference.
            kubelet: Attr::Null,
        };
        Attr::from_option((found != SystemNodes::default()).then_some(found))
    }

    /// Add-ons, with the versions that they have: a later default of EKS is no reason to update them.
    fn addons(&self, model: &mut Cluster) {
        let (mut given, mut versions) = (BTreeMap::new(), BTreeMap::new());
        for (key, addon) in &self.report.found {
            let Some(name) = key.0.strip_prefix("addon/") else {
                continue;
            };
            let version = addon.fields["version"].as_str().map(str::to_owned);
            versions.insert(name.to_owned(), Attr::from_option(version));
            let addon = self.addon(name, &addon.fields);
            let is_default =
                addon.configuration.is_null() && addon.role_arn.is_null() && addon.role_by.is_null();
            if !is_default || !addons::is_default(name) {
                given.insert(name.to_owned(), addon);
            }
        }
        for name in addons::defaults() {
            let is_missing = self.was_sought(&format!("addon/{name}")) && !versions.contains_key(name);
            if is_missing && self.is_whole() {
                let without = Addon {
                    enabled: Attr::Known(false),
                    ..Addon::default()
                };
                given.insert(name.to_owned(), without);
            }
        }
        model.addons = Attr::from_option((!given.is_empty()).then_some(given));
        model.addon_versions = Attr::Known(versions);
    }

    fn addon(&self, name: &str, fields: &Value) -> Addon {
        let users = addons::users_configuration(name, &fields["configuration"]);
        let is_said = users.as_object().is_some_and(|users| !users.is_empty());
        let account = fields["service_account_role"].as_str();
        let mut pods = fields["pod_identity"].as_object().into_iter().flatten();
        let role = account.or_else(|| pods.next()?.1.as_str());
        let role_arn = match (addons::component(name), role) {
            (Some(component), Some(role)) => self.given(role, component, &format!("addon_role/{name}")),
            (None, Some(role)) => role.to_owned().into(),
            (_, None) => Attr::Null,
        };
        let is_irsa = account.is_some() && addons::component(name).is_some();
        Addon {
            configuration: Attr::from_option(is_said.then(|| users.to_string())),
            role_arn,
            role_by: Attr::from_option(is_irsa.then(|| "irsa".to_owned())),
            ..Addon::default()
        }
    }
}

fn access(fields: &Value, region: &str) -> Access {
    let policies = fields["policies"].as_object();
    let mut arns: BTreeSet<String> = policies
        .into_iter()
        .flatten()
        .map(|(arn, _)| arn.clone())
        .collect();
    let namespaces = policies.and_then(|policies| policies.values().next()).map(texts);
    let level = LEVELS
        .into_iter()
        .find(|level| arns.remove(&access_policy(region, level)));
    let principal = fields["principal"].as_str().unwrap_or_default();
    let given = |name: &&str| *name != principal && !name.contains("{{");
    Access {
        principal_arn: principal.to_owned().into(),
        level: Attr::from_option(level.map(str::to_owned)),
        namespaces: unless(namespaces, &BTreeSet::new()),
        policies: unless(Some(arns), &BTreeSet::new()),
        groups: unless(Some(texts(&fields["groups"])), &BTreeSet::new()),
        username: Attr::from_option(fields["username"].as_str().filter(given).map(str::to_owned)),
        kind: unless(fields["type"].as_str().map(str::to_owned), &"STANDARD".to_owned()),
    }
}

/// The path of a role: `/a/b/` of `arn:aws:iam::123456789012:role/a/b/name`; none where it has none.
fn path(arn: &str) -> Option<String> {
    let (_, name) = arn.split_once(":role/")?;
    let (path, _) = name.rsplit_once('/')?;
    Some(format!("/{path}/"))
}

fn texts(list: &Value) -> BTreeSet<String> {
    let list = list.as_array().into_iter().flatten();
    list.filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

/// The value, unless it is what stands there by default.
fn unless<T: PartialEq>(value: Option<T>, default: &T) -> Attr<T> {
    Attr::from_option(value.filter(|value| value != default))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn access_is_told_by_its_policies() {
        let arn = |policy: &str| format!("arn:aws:eks::aws:cluster-access-policy/{policy}");
        let principal = "arn:aws:iam::123456789012:role/ops/ci";
        let found = access(
            &json!({ "principal": principal, "type": "STANDARD", "groups": [],
                "username": "arn:aws:sts::123456789012:assumed-role/ci/{{SessionName}}",
                "policies": { (arn("AmazonEKSEditPolicy")): ["shop"], (arn("Own")): ["shop"] } }),
            "eu-central-1",
        );
        assert_eq!(found.level, Attr::Known("edit".into()));
        assert_eq!(found.namespaces, Attr::Known(["shop".to_owned()].into()));
        assert_eq!(found.policies, Attr::Known([arn("Own")].into()));
        assert!(found.username.is_null() && found.kind.is_null() && found.groups.is_null());
        assert_eq!(path(principal), Some("/ops/".into()));
        assert_eq!(path("arn:aws:iam::123456789012:role/ci"), None);
    }
}
