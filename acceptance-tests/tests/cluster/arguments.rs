//! Each argument unknown, and each changed, while all the others are set: what exists stays, and what follows from it is known.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use acceptance_tests::cuts::is_sweep;
use acceptance_tests::unknowns::{spots, unsettled};
use acceptance_tests::{Account, Rig, Session, Standing};
use conformance::{Action, Core, Plan, Resource};
use serde_json::{Value as Json, json};

use crate::{Ground, ground, with};

fn role(name: &str) -> String {
    format!("arn:aws:iam::111122223333:role/{name}")
}

/// Every argument but those that stand in place of others of these.
fn all(ground: &Ground) -> Json {
    json!({
        "name": "main", "kubernetes_version": "1.35", "vpc_id": ground.vpc, "subnet_ids": ground.subnets,
        "endpoint_access": { "public_cidrs": ["203.0.113.0/24", "198.51.100.0/24"] }, "encryption": { "enabled": true },
        "logging": { "types": ["api", "audit"], "retention_days": 30, "retain_logs": false },
        "access": {
            "core": { "principal_arn": role("core"), "level": "admin", "groups": ["core"], "username": "core" },
            "shop": { "principal_arn": role("shop"), "level": "edit", "namespaces": ["shop", "cart"],
                "policies": ["arn:aws:eks::aws:cluster-access-policy/AmazonEKSSecretReaderPolicy"], "kind": "STANDARD" },
        },
        "creator_access": true, "security_group_ids": [ground.groups[0]], "authentication_mode": "API", "force_destroy": false,
        "system_nodes": {
            "instance_types": ["t4g.large", "t4g.xlarge"], "architecture": "arm64", "ami_type": "AL2023_ARM_64_STANDARD",
            "release_version": "1.35.0-20261101", "capacity_type": "on_demand", "min": 2, "max": 4, "desired": 3, "disk_gib": 60,
            "labels": { "pool": "system" }, "only_system_pods": true, "subnet_ids": ground.subnets,
            "policies": ["arn:aws:iam::aws:policy/ReadOnlyAccess"], "max_unavailable": 1,
            "kubelet": { "max_pods": 58, "system_reserved": { "cpu": "100m" }, "cluster_dns": ["172.20.0.10"] },
        },
        "addons": {
            "coredns": { "enabled": true, "resolve_conflicts": "preserve", "version": "v1.13.1-eksbuild.1", "configuration": json!({ "replicaCount": 3 }).to_string() },
            "vpc-cni": { "role_by": "pod_identity" },
            "aws-ebs-csi-driver": { "role_arn": role("ebs"), "role_by": "irsa" },
        },
        "default_storage_class": false, "support": "extended", "control_plane_tier": "standard", "zonal_shift": false,
        "deletion_protection": false, "service_cidr": "172.20.0.0/16", "role_path": "/eks/",
        "role_permissions_boundary": "arn:aws:iam::111122223333:policy/bounds", "allow_rollback": false, "force_insights": false,
        "force_drain": false, "region": Account::REGION, "tags": { "team": "core" }, "ignore_drift": ["log_group: tags"], "adopt": false,
        "timeouts": acceptance_tests::cuts::Scenario::patient(),
    })
}

/// A change of arguments, and the parts that may be made anew by it.
struct Change {
    what: &'static str,
    changes: Json,
    anew: &'static [&'static str],
}

/// `base`, with members of nested objects changed; null takes one away.
fn nested(base: &Json, argument: &str, members: Json) -> Json {
    let mut value = base[argument].clone();
    for (name, member) in members.as_object().cloned().unwrap_or_default() {
        match (member.is_null(), value.as_object_mut()) {
            (true, Some(value)) => drop(value.remove(&name)),
            (false, Some(value)) => drop(value.insert(name, member)),
            _ => {}
        }
    }
    json!({ argument: value })
}

fn changes(base: &Json, ground: &Ground) -> Vec<Change> {
    let change = |what, changes| Change {
        what,
        changes,
        anew: &[],
    };
    let anew = |what, changes, anew| Change { what, changes, anew };
    let nodes = |members: Json| nested(base, "system_nodes", members);
    let access = |members: Json| nested(base, "access", members);
    let addons = |members: Json| nested(base, "addons", members);
    let (a, b) = (&ground.subnets[0], &ground.subnets[1]);
    // Another group takes the place of one that cannot be changed so.
    let group = &["node_group"];
    vec![
        change(
            "kubernetes_version",
            json!({ "kubernetes_version": "1.36", "addons": addons(json!({ "coredns": {} }))["addons"],
            "system_nodes": nodes(json!({ "release_version": null }))["system_nodes"] }),
        ),
        change("subnet_ids", json!({ "subnet_ids": [a, ground.beside] })),
        change("subnet_ids more", json!({ "subnet_ids": [a, b, ground.beside] })),
        change(
            "endpoint_access",
            json!({ "endpoint_access": { "public_cidrs": ["203.0.113.0/24"] } }),
        ),
        change(
            "endpoint_access private",
            json!({ "endpoint_access": { "private_only": true } }),
        ),
        change(
            "logging types",
            nested(base, "logging", json!({ "types": ["scheduler"] })),
        ),
        change("logging nothing", nested(base, "logging", json!({ "types": [] }))),
        change(
            "logging days",
            nested(base, "logging", json!({ "retention_days": 90 })),
        ),
        change(
            "logging retain",
            nested(base, "logging", json!({ "retain_logs": true })),
        ),
        change(
            "access more",
            access(json!({ "view": { "principal_arn": role("view"), "level": "admin_view" } })),
        ),
        change("access less", access(json!({ "core": null }))),
        change(
            "access level",
            access(
                json!({ "core": { "principal_arn": role("core"), "level": "view", "groups": ["core"], "username": "core" } }),
            ),
        ),
        change(
            "access groups and name",
            access(
                json!({ "core": { "principal_arn": role("core"), "level": "admin", "groups": ["ops"], "username": "ops" } }),
            ),
        ),
        change(
            "access namespaces",
            access(
                json!({ "shop": { "principal_arn": role("shop"), "level": "edit", "namespaces": ["shop"] } }),
            ),
        ),
        change(
            "access everywhere",
            access(json!({ "shop": { "principal_arn": role("shop"), "level": "edit" } })),
        ),
        anew(
            "access principal",
            access(
                json!({ "core": { "principal_arn": role("ops"), "level": "admin", "groups": ["core"], "username": "core" } }),
            ),
            &["access_entry/core"],
        ),
        // Made anew; its id is its principal's name.
        change(
            "access kind",
            access(json!({ "shop": { "principal_arn": role("shop"), "kind": "EC2_LINUX" } })),
        ),
        change("creator_access", json!({ "creator_access": false })),
        anew(
            "nodes types",
            nodes(json!({ "instance_types": ["m6g.large"] })),
            group,
        ),
        anew(
            "nodes architecture",
            nodes(
                json!({ "instance_types": ["t3.large"], "architecture": "x86_64", "ami_type": null, "release_version": null }),
            ),
            group,
        ),
        anew(
            "nodes image",
            nodes(json!({ "ami_type": "BOTTLEROCKET_ARM_64", "release_version": null })),
            group,
        ),
        anew("nodes capacity", nodes(json!({ "capacity_type": "spot" })), group),
        anew(
            "nodes subnets",
            nodes(json!({ "subnet_ids": [ground.third] })),
            group,
        ),
        change(
            "nodes release",
            nodes(json!({ "release_version": "1.35.1-20261120" })),
        ),
        change("nodes number", nodes(json!({ "min": 3, "max": 6 }))),
        change("nodes desired", nodes(json!({ "desired": 4 }))),
        change("nodes disk", nodes(json!({ "disk_gib": 100 }))),
        change(
            "nodes labels",
            nodes(json!({ "labels": { "pool": "core", "zone": "any" } })),
        ),
        change("nodes without labels", nodes(json!({ "labels": null }))),
        change("nodes taint", nodes(json!({ "only_system_pods": false }))),
        change(
            "nodes policies",
            nodes(json!({ "policies": ["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"] })),
        ),
        change("nodes unavailable", nodes(json!({ "max_unavailable": 2 }))),
        change(
            "addons less",
            addons(json!({ "metrics-server": { "enabled": false } })),
        ),
        change(
            "addons version",
            addons(json!({ "coredns": { "version": "v1.13.2-eksbuild.4" } })),
        ),
        change(
            "addons configuration",
            addons(json!({ "coredns": { "configuration": json!({ "replicaCount": 2 }).to_string() } })),
        ),
        change(
            "addons by irsa",
            addons(json!({ "vpc-cni": { "role_by": "irsa" } })),
        ),
        change(
            "addons role",
            addons(json!({ "vpc-cni": { "role_arn": role("cni") } })),
        ),
        change("addons own role", addons(json!({ "aws-ebs-csi-driver": {} }))),
        change("support", json!({ "support": "standard" })),
        change("control_plane_tier", json!({ "control_plane_tier": "tier-xl" })),
        change("zonal_shift", json!({ "zonal_shift": true })),
        change("deletion_protection", json!({ "deletion_protection": true })),
        change(
            "role_permissions_boundary",
            json!({ "role_permissions_boundary": "arn:aws:iam::111122223333:policy/other" }),
        ),
        change(
            "security_group_ids",
            json!({ "security_group_ids": [ground.groups[1]] }),
        ),
        change(
            "security_group_ids more",
            json!({ "security_group_ids": ground.groups }),
        ),
        change("security_group_ids none", json!({ "security_group_ids": null })),
        change("force_destroy", json!({ "force_destroy": true })),
        change(
            "nodes kubelet",
            nodes(json!({ "kubelet": { "max_pods": 60, "cpu_cfs_quota": false } })),
        ),
        change("nodes without kubelet", nodes(json!({ "kubelet": null }))),
        change(
            "addons conflicts",
            addons(json!({ "coredns": { "resolve_conflicts": "overwrite" } })),
        ),
        change("allow_rollback", json!({ "allow_rollback": true })),
        change("force_insights", json!({ "force_insights": true })),
        change("force_drain", json!({ "force_drain": true })),
        change("tags", json!({ "tags": { "team": "data", "cost": "7" } })),
        change("ignore_drift", json!({ "ignore_drift": null })),
        change("adopt", json!({ "adopt": true })),
        change("timeouts", json!({ "timeouts": { "create": "21h" } })),
    ]
}

/// Arguments that may be taken away for themselves, and what is made anew by it.
const REMOVED: [(&str, &[&str]); 19] = [
    ("vpc_id", &[]),
    ("encryption", &[]),
    ("logging", &[]),
    ("access", &[]),
    ("creator_access", &[]),
    ("system_nodes", &["node_group"]),
    ("addons", &[]),
    ("support", &[]),
    ("control_plane_tier", &[]),
    ("zonal_shift", &[]),
    ("deletion_protection", &[]),
    ("service_cidr", &[]),
    ("role_permissions_boundary", &[]),
    ("region", &[]),
    ("tags", &[]),
    ("ignore_drift", &[]),
    ("adopt", &[]),
    ("allow_rollback", &[]),
    ("timeouts", &[]),
];

/// Arguments of which another value is another cluster.
const REPLACED: [&str; 2] = ["name", "region"];
/// What others refuse to change (`refusals.rs`), needs a control plane, or makes roles anew.
const ELSEWHERE: [&str; 5] = [
    "authentication_mode",
    "cluster_role_arn",
    "node_role_arn",
    "role_path",
    "default_storage_class",
];

fn ids(resource: &Resource) -> BTreeMap<String, String> {
    let ids = serde_json::to_value(resource.get("ids")).unwrap();
    serde_json::from_value(ids).unwrap()
}

fn made() -> (Session, &'static Ground, &'static Json, Resource) {
    static MADE: LazyLock<(Standing, Ground)> = LazyLock::new(|| {
        let account = Rig::shared().account();
        let ground = ground(&account);
        (Standing::set("ekb_cluster", &account, all(&ground)), ground)
    });
    let (session, resource) = MADE.0.copy();
    (session, &MADE.1, &MADE.0.config, resource)
}

/// What may follow from an argument that is not known; the beginnings of names. All else stays.
fn may_follow(spot: &str) -> Vec<&str> {
    let argument = spot.split(['.', '[']).next().unwrap();
    let mut all = vec!["ids", "objects", argument];
    all.extend(match spot {
        "addons" => &["addon_versions", "role_arns"][..],
        spot if spot.starts_with("addons[…]") => &["addon_versions[coredns]"],
        "cluster_role_arn" => &["role_arns[cluster]"],
        "node_role_arn" => &["role_arns[node]"],
        "role_path" => &["role_arns"],
        "kubernetes_version" => &["addon_versions", "support_ends"],
        "support" => &["support_ends"],
        "tags" | "tags[…]" | "tags[+]" => &["tags_all", "default_tags"],
        spot if spot.starts_with("encryption") => &["encryption_key_arn"],
        _ => &[],
    });
    all
}

#[test]
fn what_exists_stays_whichever_argument_is_unknown() {
    let (session, _, base, resource) = made();
    let mut wrong = Vec::new();
    session
        .with(async |core: &Core| {
            let block = core.schema().resources["ekb_cluster"].schema.block.clone();
            let spots = spots(&block, base);
            assert!(spots.len() > 80, "{}", spots.len());
            for spot in spots {
                let config = core.config("ekb_cluster", &spot.config)?;
                let plan = match core.plan(&resource, &config).await {
                    Ok(plan) => plan,
                    Err(error) => {
                        wrong.push(format!("{}: {error}", spot.name));
                        continue;
                    }
                };
                let is_replaced = ["name", "region"].contains(&spot.argument());
                if (plan.action == Action::Replace) != is_replaced {
                    wrong.push(format!("{}: {}", spot.name, plan.action));
                    continue;
                }
                if is_replaced {
                    continue;
                }
                let allowed = may_follow(&spot.name);
                let mut unexpected = unsettled(&block, &plan);
                unexpected.retain(|one| !allowed.iter().any(|may| one.starts_with(may)));
                if !unexpected.is_empty() {
                    wrong.push(format!("{}: {}", spot.name, unexpected.join(", ")));
                }
            }
            Ok(())
        })
        .unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is changed of the nodes in place, and what makes a new group, at once; in a sweep each for itself.
fn nodes_at_once(base: &Json, all: Vec<Change>) -> Vec<Change> {
    if is_sweep() {
        return all;
    }
    let is_joined = |change: &Change| {
        change.what.starts_with("nodes ")
            && !["nodes architecture", "nodes image"].contains(&change.what)
            && !change.what.starts_with("nodes without")
    };
    let (joined, mut rest): (Vec<Change>, Vec<Change>) = all.into_iter().partition(is_joined);
    for (what, is_anew) in [("nodes in place", false), ("nodes anew", true)] {
        let mut nodes = base["system_nodes"].clone();
        let of_kind = joined.iter().filter(|change| change.anew.is_empty() != is_anew);
        for change in of_kind {
            let members = change.changes["system_nodes"].as_object().into_iter().flatten();
            for (name, value) in members {
                if *value != base["system_nodes"][name] {
                    nodes[name] = value.clone();
                }
            }
        }
        rest.push(Change {
            what,
            changes: json!({ "system_nodes": nodes }),
            anew: if is_anew { &["node_group"] } else { &[] },
        });
    }
    rest
}

/// Changes of different arguments at once; in a sweep each for itself.
fn rounds(all: Vec<Change>) -> Vec<Vec<Change>> {
    let arguments = |change: &Change| -> BTreeSet<String> {
        let changes = change.changes.as_object();
        changes
            .into_iter()
            .flatten()
            .map(|(name, _)| name.clone())
            .collect()
    };
    let mut rounds: Vec<Vec<Change>> = Vec::new();
    for change in all {
        let own = arguments(&change);
        let has_room = |round: &&mut Vec<Change>| {
            !is_sweep() && round.iter().all(|other| arguments(other).is_disjoint(&own))
        };
        match rounds.iter_mut().find(has_room) {
            Some(round) => round.push(change),
            None => rounds.push(vec![change]),
        }
    }
    rounds
}

#[test]
fn each_argument_changes_while_all_the_others_are_set() {
    let (session, ground, base, resource) = made();
    let account = session.account().clone();
    account.snapshot("all");
    let before = ids(&resource);
    let removals = REMOVED.map(|(argument, anew)| Change {
        what: argument,
        changes: json!({ argument: null }),
        anew,
    });
    let all: Vec<Change> = changes(base, ground).into_iter().chain(removals).collect();
    let changed: BTreeSet<String> = all
        .iter()
        .flat_map(|change| change.changes.as_object().into_iter().flatten())
        .map(|(name, _)| name.clone())
        .collect();
    let mut wrong = Vec::new();
    for round in rounds(nodes_at_once(base, all)) {
        let what: Vec<&str> = round.iter().map(|change| change.what).collect();
        let what = what.join(", ");
        let config = round
            .iter()
            .flat_map(|change| change.changes.as_object().into_iter().flatten())
            .fold(base.clone(), |config, (name, value)| {
                with(&config, name, value.clone())
            });
        account.restore("all");
        let mut resource = resource.clone();
        let result = session
            .apply(&mut resource, &config)
            .map_err(|error| error.to_string())
            .and_then(|plan: Plan| match plan.action {
                Action::Replace | Action::Create | Action::Delete => Err(format!("{plan}")),
                _ => session.expect_empty(&mut resource, &config),
            });
        if let Err(why) = result {
            wrong.push(format!("{what}: {why}"));
            continue;
        }
        let anew: Vec<&str> = round.iter().flat_map(|change| change.anew).copied().collect();
        let is_of = |key: &str, part: &str| key == part || key.starts_with(&format!("{part}/"));
        let now = ids(&resource);
        let is_other = |(key, id): &(&String, &String)| now.get(*key).is_none_or(|now| now != *id);
        for (key, id) in before.iter().filter(is_other) {
            let may_go = !now.contains_key(key) || anew.iter().any(|part| is_of(key, part));
            if !may_go {
                wrong.push(format!("{what}: {key} was {id}"));
            }
        }
        for part in anew {
            if !before.iter().filter(is_other).any(|(key, _)| is_of(key, part)) {
                wrong.push(format!("{what}: {part} was not made anew"));
            }
        }
        account.assert_understood();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));

    let arguments = session
        .with(async |core: &Core| {
            let attributes = &core.schema().resources["ekb_cluster"].schema.block.attributes;
            let given = attributes.iter().filter(|(_, one)| one.optional || one.required);
            Ok(given.map(|(name, _)| name.clone()).collect::<Vec<_>>())
        })
        .unwrap();
    for name in arguments {
        assert!(
            changed.contains(&name)
                || REPLACED.contains(&name.as_str())
                || ELSEWHERE.contains(&name.as_str()),
            "{name} has no change here"
        );
    }
}
