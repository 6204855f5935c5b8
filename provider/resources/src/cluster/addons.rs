//! The add-ons: which there are, their configuration, and their roles.

use std::collections::BTreeMap;

use aws::eks::{Addon as EksAddon, Healthy};
use aws::iam::{IamRole, trust};
use framework::Attr;
use reconcile::graph::{Graph, Handle, Unknowns};
use reconcile::part::{Ref, Tags, Text, key};
use serde_json::{Map, Value, json};

use super::graph::{Naming, made_role};
use super::model::{Addon, Cluster};

/// When an add-on is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Without it no node becomes ready.
    BeforeNodes,
    /// It runs on the system nodes.
    WithNodes,
}

/// What we know of an add-on.
struct Known {
    name: &'static str,
    when: When,
    /// The component's name in that of its role, the ServiceAccount in kube-system, the policy of AWS.
    role: Option<(&'static str, &'static str, &'static str)>,
}

/// The add-ons that are on by default (EKS user guide, "AWS add-ons" and "Community add-ons").
const DEFAULT: [Known; 7] = [
    Known {
        name: "vpc-cni",
        when: When::BeforeNodes,
        role: Some(("vpc-cni", "aws-node", "AmazonEKS_CNI_Policy")),
    },
    Known {
        name: "kube-proxy",
        when: When::BeforeNodes,
        role: None,
    },
    Known {
        name: "eks-pod-identity-agent",
        when: When::BeforeNodes,
        role: None,
    },
    Known {
        name: "coredns",
        when: When::WithNodes,
        role: None,
    },
    Known {
        name: "aws-ebs-csi-driver",
        when: When::WithNodes,
        // Volumes of this cluster alone are touched (aws-ebs-csi-driver, docs/example-iam-policy.json).
        role: Some(("ebs-csi", "ebs-csi-controller-sa", "AmazonEBSCSIDriverPolicyV2")),
    },
    Known {
        name: "metrics-server",
        when: When::WithNodes,
        role: None,
    },
    Known {
        name: "snapshot-controller",
        when: When::WithNodes,
        role: None,
    },
];

fn known(name: &str) -> Option<&'static Known> {
    DEFAULT.iter().find(|known| known.name == name)
}

/// The names of the add-ons that are on by default.
pub fn defaults() -> impl Iterator<Item = &'static str> {
    DEFAULT.iter().map(|known| known.name)
}

/// Whether the add-on is on by default.
pub fn is_default(name: &str) -> bool {
    known(name).is_some()
}

/// The component in the name of the role that is made for the add-on; none where it needs no role.
pub fn component(addon: &str) -> Option<&'static str> {
    known(addon)?.role.map(|(component, _, _)| component)
}

/// What is configured unless the user does: pods tolerate the taint of the system nodes.
fn default_configuration(name: &str) -> Value {
    let tolerate = json!([{ "key": super::nodes::TAINT, "operator": "Exists" }]);
    match name {
        "coredns" | "metrics-server" | "snapshot-controller" => json!({ "tolerations": tolerate }),
        "aws-ebs-csi-driver" => json!({ "controller": { "tolerations": tolerate } }),
        _ => json!({}),
    }
}

/// The user's configuration over ours: objects entry by entry, all else as the user has it.
fn merged(ours: Value, users: Value) -> Value {
    match (ours, users) {
        (Value::Object(mut ours), Value::Object(users)) => {
            for (name, value) in users {
                let below = ours.remove(&name).unwrap_or_else(|| Value::Object(Map::new()));
                let value = if value.is_object() && below.is_object() {
                    merged(below, value)
                } else {
                    value
                };
                ours.insert(name, value);
            }
            Value::Object(ours)
        }
        (_, users) => users,
    }
}

/// What a user has said beyond what we configure, for the configuration to be as it was found: names in order, as `jsonencode` writes
/// them.
pub fn users_configuration(name: &str, found: &Value) -> Value {
    fn beyond(ours: &Value, found: &Value) -> Value {
        let Value::Object(found) = found else {
            return found.clone();
        };
        let mut names: Vec<&String> = found.keys().filter(|name| ours[*name] != found[*name]).collect();
        names.sort();
        let entry = |name: &String| (name.clone(), beyond(&ours[name], &found[name]));
        names.into_iter().map(entry).collect()
    }
    beyond(&default_configuration(name), found)
}

/// The whole configuration; `None` where the user's is no JSON object (the checks say so).
pub fn configuration(name: &str, given: &Attr<String>) -> Option<Value> {
    let ours = default_configuration(name);
    match given {
        Attr::Known(text) => match serde_json::from_str(text) {
            Ok(users @ Value::Object(_)) => Some(merged(ours, users)),
            _ => None,
        },
        _ => Some(ours),
    }
}

/// Whether the pods of an add-on tolerate the taint of the system nodes; `None` where the add-on's configuration does not say, or
/// its pods run everywhere.
pub fn tolerates(name: &str, configuration: &Value) -> Option<bool> {
    let pods = match name {
        "coredns" | "metrics-server" | "snapshot-controller" => configuration,
        "aws-ebs-csi-driver" => &configuration["controller"],
        _ => return None,
    };
    let tolerates = |toleration: &Value| {
        let text = |name: &str| toleration[name].as_str().unwrap_or_default();
        let exists = text("operator") == "Exists";
        (text("key") == super::nodes::TAINT || text("key").is_empty() && exists)
            && (exists || text("value") == "true")
            && matches!(text("effect"), "" | "NoSchedule")
    };
    Some(pods["tolerations"].as_array()?.iter().any(tolerates))
}

/// The add-ons that are wanted, by name; `None` while it is not known which.
pub fn wanted(model: &Cluster) -> Option<BTreeMap<String, Addon>> {
    let given = match &model.addons {
        Attr::Unknown => return None,
        Attr::Null => BTreeMap::new(),
        Attr::Known(given) => given.clone(),
    };
    let mut wanted: BTreeMap<String, Addon> = DEFAULT
        .iter()
        .map(|known| (known.name.to_owned(), Addon::default()))
        .collect();
    wanted.extend(given);
    wanted.retain(|_, addon| addon.enabled != Attr::Known(false));
    Some(wanted)
}

/// Adds the add-ons of this time. `after`: what has to be there first. Gives what can be waited for.
pub fn add_ons(
    graph: &mut Graph,
    model: &Cluster,
    naming: &Naming<'_>,
    cluster: &Handle,
    issuer: &Handle,
    when: When,
    after: &[Ref],
) -> Vec<Ref> {
    let Some(wanted) = wanted(model) else {
        graph.open("addon/");
        graph.open("addon_role/");
        return Vec::new();
    };
    let mut made = Vec::new();
    for (name, addon) in &wanted {
        let known = known(name);
        if known.map_or(When::WithNodes, |known| known.when) != when {
            continue;
        }
        if addon.enabled.is_unknown() {
            graph.open(&format!("addon/{name}"));
            graph.open(&format!("addon_role/{name}"));
            continue;
        }
        let mut unknown = Unknowns::default();
        let (mut pod_identity, mut service_account_role) = (BTreeMap::new(), None);
        if let Some((component, account, policy)) = known.and_then(|known| known.role) {
            let is_irsa = addon.role_by == Attr::Known("irsa".to_owned());
            let arn = match &addon.role_arn {
                Attr::Known(arn) => Some(Text::from(arn)),
                Attr::Unknown => {
                    graph.open(&format!("addon_role/{name}"));
                    None
                }
                Attr::Null => {
                    let role = IamRole {
                        trust: if is_irsa {
                            let host = cluster.ready().output("oidc_host");
                            let account = format!("kube-system:{account}");
                            trust::by_oidc(issuer.ready().arn(), host, &account, naming.region)
                        } else {
                            trust::by_pod_identity(naming.region)
                        },
                        ..IamRole::for_service(naming.of(component), "", naming.tags(component))
                    }
                    .attach(naming.managed(policy));
                    let role = made_role(graph, model, &format!("addon_role/{name}"), role);
                    Some(Text::from(role.ready().arn()))
                }
            };
            if arn.is_none() || addon.role_by.is_unknown() {
                unknown.note("pod_identity");
                unknown.note("service_account_role");
            }
            match arn {
                Some(arn) if is_irsa => service_account_role = Some(arn),
                Some(arn) => drop(pod_identity.insert(account.to_owned(), arn)),
                None => {}
            }
        } else if let Attr::Known(arn) = &addon.role_arn {
            // Whose ServiceAccount it is only the add-on knows.
            service_account_role = Some(Text::from(arn));
        } else if addon.role_arn.is_unknown() {
            unknown.note("service_account_role");
        }
        let version = match &model.addon_versions {
            Attr::Known(versions) => versions.get(name).cloned().unwrap_or(Attr::Unknown),
            _ => Attr::Unknown,
        };
        if addon.configuration.is_unknown() {
            unknown.note("configuration");
        }
        let part = EksAddon {
            cluster: cluster.ready().into(),
            name: name.clone(),
            version: unknown.take("version", &version, String::new()),
            configuration: configuration(name, &addon.configuration).unwrap_or_default(),
            service_account_role,
            pod_identity,
            overwrite: addon.resolve_conflicts == Attr::Known("overwrite".to_owned()),
            health: Healthy,
            after: after.to_vec(),
            tags: Tags::new(),
        };
        made.push(graph.part_with(key("addon", name), part, unknown).made());
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_users_configure_is_found_again() {
        for (users, name) in [
            (json!({}), "coredns"),
            (json!({ "replicaCount": 3 }), "coredns"),
            (
                json!({ "controller": { "loggingFormat": "json" } }),
                "aws-ebs-csi-driver",
            ),
            (json!({ "tolerations": [] }), "metrics-server"),
            (json!({ "env": { "B": "2", "A": "1" } }), "vpc-cni"),
        ] {
            let whole = configuration(name, &Attr::Known(users.to_string())).unwrap();
            assert_eq!(users_configuration(name, &whole), users, "{name}");
        }
        let text = users_configuration("vpc-cni", &json!({ "b": 1, "a": { "d": 2, "c": 3 } })).to_string();
        assert_eq!(text, r#"{"a":{"c":3,"d":2},"b":1}"#);
    }
}
