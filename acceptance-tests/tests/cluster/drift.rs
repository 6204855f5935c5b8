//! Every managed field of every part changed from outside, and every part deleted: shown, mended, or left alone where the user
//! says so.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use acceptance_tests::cuts::Tally;
use acceptance_tests::drift::{Field, as_many, fields, kind_of, mend, names, play, rounds};
use acceptance_tests::{Account, Rig, Session, Standing};
use conformance::{Action, Resource};
use serde_json::{Value as Json, json};

use crate::{Ground, config, ground, with};

/// A cluster that has parts of all kinds, and content in all fields.
fn everything(ground: &Ground) -> Json {
    let mut all = config(ground);
    let more = json!({
        "role_permissions_boundary": "arn:aws:iam::111122223333:policy/bounds", "tags": { "team": "core" }, "endpoint_access": { "public_cidrs": ["203.0.113.0/24"] }, "logging": { "types": ["api", "audit"] },
        "access": {
            "core": { "principal_arn": "arn:aws:iam::111122223333:role/core", "level": "edit", "namespaces": ["shop"], "groups": ["core"],
                "username": "core" },
        },
        "system_nodes": { "labels": { "pool": "system" }, "max": 4 },
        "addons": { "vpc-cni": { "role_by": "irsa" }, "coredns": { "configuration": json!({ "replicaCount": 3 }).to_string() } },
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        all[name] = value.clone();
    }
    all
}

/// Fields that nobody can change on an object that exists.
const FIXED: [(&str, &[&str]); 9] = [
    (
        "cluster",
        &[
            "name",
            "role_arn",
            "service_cidr",
            "encryption_key",
            "authentication_mode",
        ],
    ),
    ("cluster_security_group", &["group"]),
    ("oidc_provider", &["url"]),
    ("access_entry", &["cluster", "principal", "type"]),
    (
        "node_group",
        &[
            "cluster",
            "name",
            "role_arn",
            "subnets",
            "instance_types",
            "ami_type",
            "capacity_type",
            "launch_template",
        ],
    ),
    ("launch_template", &["name"]),
    ("addon", &["cluster", "name"]),
    ("log_group", &["name"]),
    ("role", &["name", "path"]),
];

/// What says how things are done, or how they begin.
const NOT_COMPARED: [&str; 5] = ["after", "desired", "force_drain", "force_upgrade", "overwrite"];

/// What has a test of its own, or nothing that could be missing.
const ELSEWHERE: [(&str, &[&str]); 5] = [
    // `upgrade.rs`: a version that somebody raised is refused, not taken back.
    ("cluster", &["version"]),
    (
        "node_group",
        &["version", "release_version", "health", "launch_template_version"],
    ),
    ("addon", &["health"]),
    // The contract (`kinds`), and `locked_out.rs`.
    ("access_entry", &["holder"]),
    // They have none.
    ("role", &["policies"]),
];

/// Roles have one kind and many places.
fn place_of(key: &str) -> &str {
    match kind_of(key) {
        "cluster_role" | "node_role" | "addon_role" => "role",
        kind => kind,
    }
}

fn changeable(resource: &Resource) -> Vec<Field> {
    let is_in = |table: &[(&str, &[&str])], key: &str, field: &str| {
        table
            .iter()
            .any(|(place, fields)| *place == place_of(key) && fields.contains(&field))
    };
    fields(resource, |key, field, _| {
        NOT_COMPARED.contains(&field) || is_in(&FIXED, key, field) || is_in(&ELSEWHERE, key, field)
    })
}

struct World {
    account: Account,
    ground: &'static Ground,
    ids: Json,
}

impl World {
    fn id(&self, key: &str) -> &str {
        self.ids[key].as_str().unwrap_or_else(|| panic!("no id of {key}"))
    }

    fn name(&self, key: &str) -> &str {
        let id = self.id(key);
        id.split_once('/').map_or(id, |(_, name)| name)
    }

    fn call(&self, service: &str, operation: &str, params: Json) -> Json {
        let region = if service == "iam" {
            "us-east-1"
        } else {
            Account::REGION
        };
        self.account
            .call(service, region, operation, &params)
            .unwrap_or_else(|e| panic!("{operation} {params}: {e:?}"))
    }

    fn update_cluster(&self, mut what: Json) {
        what["name"] = json!("test");
        self.call("eks", "UpdateClusterConfig", what);
    }

    fn update_nodes(&self, key: &str, mut what: Json) {
        what["clusterName"] = json!("test");
        what["nodegroupName"] = json!(self.name(key));
        self.call("eks", "UpdateNodegroupConfig", what);
    }

    fn update_addon(&self, key: &str, mut what: Json) {
        what["clusterName"] = json!("test");
        what["addonName"] = json!(self.name(key));
        self.call("eks", "UpdateAddon", what);
    }

    /// A new version of the launch template, which becomes its default.
    fn template(&self, key: &str, data: Json) {
        let id = self.id(key);
        let made = self.call(
            "ec2",
            "CreateLaunchTemplateVersion",
            json!({ "LaunchTemplateId": id, "SourceVersion": "1", "LaunchTemplateData": data }),
        );
        let version = made["LaunchTemplateVersion"]["VersionNumber"].to_string();
        self.call(
            "ec2",
            "ModifyLaunchTemplate",
            json!({ "LaunchTemplateId": id, "DefaultVersion": version }),
        );
    }

    fn entry(&self, key: &str) -> Json {
        let principal = self.name(key);
        json!({ "clusterName": "test", "principalArn": principal })
    }

    fn policy(&self, key: &str) -> String {
        let listed = self.call("eks", "ListAssociatedAccessPolicies", self.entry(key));
        listed["associatedAccessPolicies"][0]["policyArn"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// The ARN of an object of EKS, for its tags.
    fn arn(&self, key: &str) -> Json {
        let name = self.name(key);
        match kind_of(key) {
            "cluster" => {
                self.call("eks", "DescribeCluster", json!({ "name": "test" }))["cluster"]["arn"].clone()
            }
            "node_group" => {
                let group = json!({ "clusterName": "test", "nodegroupName": name });
                self.call("eks", "DescribeNodegroup", group)["nodegroup"]["nodegroupArn"].clone()
            }
            "addon" => {
                let addon = json!({ "clusterName": "test", "addonName": name });
                self.call("eks", "DescribeAddon", addon)["addon"]["addonArn"].clone()
            }
            _ => self.call("eks", "DescribeAccessEntry", self.entry(key))["accessEntry"]["accessEntryArn"]
                .clone(),
        }
    }

    fn untag(&self, key: &str) {
        let id = self.id(key);
        match place_of(key) {
            "role" => drop(self.call("iam", "UntagRole", json!({ "RoleName": id, "TagKeys": ["team"] }))),
            "oidc_provider" => {
                let untag = json!({ "OpenIDConnectProviderArn": id, "TagKeys": ["team"] });
                self.call("iam", "UntagOpenIDConnectProvider", untag);
            }
            "encryption_key" => {
                self.call(
                    "kms",
                    "UntagResource",
                    json!({ "KeyId": id, "TagKeys": ["team"] }),
                );
            }
            "log_group" => {
                self.call(
                    "logs",
                    "UntagLogGroup",
                    json!({ "logGroupName": id, "tags": ["team"] }),
                );
            }
            "cluster_security_group" | "launch_template" => {
                let tags = json!({ "Resources": [id], "Tags": [{ "Key": "team", "Value": "theirs" }] });
                self.call("ec2", "CreateTags", tags);
            }
            _ => {
                let untag = json!({ "resourceArn": self.arn(key), "tagKeys": ["team"] });
                self.call("eks", "UntagResource", untag);
            }
        }
    }

    /// Changes the field of the part from outside. `false`: the table does not know how.
    fn change(&self, key: &str, field: &str) -> bool {
        let id = self.id(key);
        match (place_of(key), field) {
            (_, "tags") => self.untag(key),
            ("role", "description") => {
                self.call(
                    "iam",
                    "UpdateRole",
                    json!({ "RoleName": id, "Description": "theirs" }),
                );
            }
            ("role", "trust") => {
                let policy = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Principal": { "Service":
                    "lambda.amazonaws.com" }, "Action": "sts:AssumeRole" }] });
                let change = json!({ "RoleName": id, "PolicyDocument": policy.to_string() });
                self.call("iam", "UpdateAssumeRolePolicy", change);
            }
            ("role", "managed_policies") => {
                let attached = self.call("iam", "ListAttachedRolePolicies", json!({ "RoleName": id }));
                let arn = &attached["AttachedPolicies"][0]["PolicyArn"];
                self.call(
                    "iam",
                    "DetachRolePolicy",
                    json!({ "RoleName": id, "PolicyArn": arn }),
                );
            }
            ("role", "permissions_boundary") => {
                let bound = json!({ "RoleName": id, "PermissionsBoundary": "arn:aws:iam::aws:policy/ReadOnlyAccess" });
                self.call("iam", "PutRolePermissionsBoundary", bound);
            }
            ("encryption_key", "alias") => {
                self.call("kms", "DeleteAlias", json!({ "AliasName": "alias/test-eks" }));
            }
            ("encryption_key", "description") => {
                self.call(
                    "kms",
                    "UpdateKeyDescription",
                    json!({ "KeyId": id, "Description": "theirs" }),
                );
            }
            ("encryption_key", "enabled") => {
                self.call("kms", "DisableKey", json!({ "KeyId": id }));
            }
            ("encryption_key", "rotation") => {
                self.call("kms", "DisableKeyRotation", json!({ "KeyId": id }));
            }
            ("encryption_key", "deletion_window_days") => {
                let untag = json!({ "KeyId": id, "TagKeys": ["DeletionWindowDays"] });
                self.call("kms", "UntagResource", untag);
            }
            ("log_group", "retention_days") => {
                self.call("logs", "DeleteRetentionPolicy", json!({ "logGroupName": id }));
            }
            ("cluster", "subnets") => {
                let subnets = [&self.ground.subnets[0], &self.ground.beside];
                self.update_cluster(json!({ "resourcesVpcConfig": { "subnetIds": subnets } }));
            }
            ("cluster", "security_groups") => {
                let group = json!({ "GroupName": "theirs", "Description": "theirs", "VpcId": self.ground.vpc });
                let group = self.call("ec2", "CreateSecurityGroup", group);
                self.update_cluster(
                    json!({ "resourcesVpcConfig": { "securityGroupIds": [group["GroupId"]] } }),
                );
            }
            ("cluster", "endpoint_private") => {
                self.update_cluster(json!({ "resourcesVpcConfig": { "endpointPrivateAccess": false } }));
            }
            ("cluster", "endpoint_public") => {
                self.update_cluster(json!({ "resourcesVpcConfig": { "endpointPublicAccess": false } }));
            }
            ("cluster", "public_cidrs") => {
                self.update_cluster(json!({ "resourcesVpcConfig": { "publicAccessCidrs": ["0.0.0.0/0"] } }));
            }
            ("cluster", "logging") => {
                self.update_cluster(
                    json!({ "logging": { "clusterLogging": [{ "types": ["api", "audit", "authenticator",
                    "controllerManager", "scheduler"], "enabled": false }] } }),
                );
            }
            ("cluster", "support") => {
                self.update_cluster(json!({ "upgradePolicy": { "supportType": "STANDARD" } }))
            }
            ("cluster", "tier") => {
                self.update_cluster(json!({ "controlPlaneScalingConfig": { "tier": "tier-xl" } }));
            }
            ("cluster", "zonal_shift") => {
                self.update_cluster(json!({ "zonalShiftConfig": { "enabled": true } }))
            }
            ("cluster", "deletion_protection") => self.update_cluster(json!({ "deletionProtection": true })),
            ("oidc_provider", "client_ids") => {
                let remove = json!({ "OpenIDConnectProviderArn": id, "ClientID": "sts.amazonaws.com" });
                self.call("iam", "RemoveClientIDFromOpenIDConnectProvider", remove);
            }
            ("access_entry", "groups") => {
                let mut entry = self.entry(key);
                entry["kubernetesGroups"] = json!(["theirs"]);
                self.call("eks", "UpdateAccessEntry", entry);
            }
            ("access_entry", "username") => {
                let mut entry = self.entry(key);
                entry["username"] = json!("theirs");
                self.call("eks", "UpdateAccessEntry", entry);
            }
            ("access_entry", "policies") => {
                let mut entry = self.entry(key);
                entry["policyArn"] = json!(self.policy(key));
                self.call("eks", "DisassociateAccessPolicy", entry);
            }
            ("node_group", "min") => {
                self.update_nodes(
                    key,
                    json!({ "scalingConfig": { "minSize": 1, "maxSize": 4, "desiredSize": 2 } }),
                );
            }
            ("node_group", "max") => {
                self.update_nodes(
                    key,
                    json!({ "scalingConfig": { "minSize": 2, "maxSize": 9, "desiredSize": 2 } }),
                );
            }
            ("node_group", "labels") => {
                self.update_nodes(
                    key,
                    json!({ "labels": { "addOrUpdateLabels": { "theirs": "1" }, "removeLabels": ["pool"] } }),
                );
            }
            ("node_group", "taints") => {
                let taint = json!([{ "key": "CriticalAddonsOnly", "effect": "NO_SCHEDULE" }]);
                self.update_nodes(key, json!({ "taints": { "removeTaints": taint } }));
            }
            ("node_group", "max_unavailable") => {
                self.update_nodes(key, json!({ "updateConfig": { "maxUnavailable": 2 } }));
            }
            ("launch_template", "disks") => self.template(
                key,
                json!({ "BlockDeviceMappings": [{ "DeviceName": "/dev/xvda", "Ebs": {
                "VolumeSize": 200, "VolumeType": "gp3", "Encrypted": true, "DeleteOnTermination": true } }] }),
            ),
            ("launch_template", "imdsv2_only") => {
                self.template(
                    key,
                    json!({ "MetadataOptions": { "HttpTokens": "optional", "HttpPutResponseHopLimit": 1 } }),
                );
            }
            ("launch_template", "hop_limit") => {
                self.template(
                    key,
                    json!({ "MetadataOptions": { "HttpTokens": "required", "HttpPutResponseHopLimit": 2 } }),
                );
            }
            ("launch_template", "user_data") => self.template(key, json!({ "UserData": "ZWNobyBoaQo=" })),
            ("launch_template", "instance_tags") => {
                let tags = json!([{ "ResourceType": "instance", "Tags": [{ "Key": "Name", "Value": "theirs" }] }]);
                self.template(key, json!({ "TagSpecifications": tags }));
            }
            ("addon", "version") => {
                let name = self.name(key);
                let of = json!({ "addonName": name, "kubernetesVersion": "1.35" });
                let versions =
                    self.call("eks", "DescribeAddonVersions", of)["addons"][0]["addonVersions"].clone();
                let addon = self.call(
                    "eks",
                    "DescribeAddon",
                    json!({ "clusterName": "test", "addonName": name }),
                );
                let mut versions = versions
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|one| &one["addonVersion"]);
                let other = versions.find(|version| **version != addon["addon"]["addonVersion"]);
                self.update_addon(key, json!({ "addonVersion": other }));
            }
            ("addon", "configuration") => {
                let resources = json!({ "resources": { "limits": { "memory": "1Gi" } } });
                let configuration = match self.name(key) {
                    "aws-ebs-csi-driver" => json!({ "controller": resources }),
                    _ => resources,
                };
                self.update_addon(key, json!({ "configurationValues": configuration.to_string() }));
            }
            ("addon", "service_account_role") => {
                self.update_addon(
                    key,
                    json!({ "serviceAccountRoleArn": "arn:aws:iam::111122223333:role/theirs" }),
                );
            }
            ("addon", "pod_identity") => {
                let account = format!("{}-theirs", self.name(key));
                let role = json!([{ "serviceAccount": account, "roleArn": "arn:aws:iam::111122223333:role/theirs" }]);
                self.update_addon(key, json!({ "podIdentityAssociations": role }));
            }
            _ => return false,
        }
        self.account.advance(1200.0);
        true
    }

    /// Deletes the part from outside, and first what AWS wants gone before.
    fn delete(&self, key: &str) {
        let id = self.id(key);
        match place_of(key) {
            "role" => {
                let attached = self.call("iam", "ListAttachedRolePolicies", json!({ "RoleName": id }));
                for policy in attached["AttachedPolicies"].as_array().into_iter().flatten() {
                    let detach = json!({ "RoleName": id, "PolicyArn": policy["PolicyArn"] });
                    self.call("iam", "DetachRolePolicy", detach);
                }
                self.call("iam", "DeleteRole", json!({ "RoleName": id }));
            }
            "oidc_provider" => {
                let delete = json!({ "OpenIDConnectProviderArn": id });
                self.call("iam", "DeleteOpenIDConnectProvider", delete);
            }
            "encryption_key" => {
                let delete = json!({ "KeyId": id, "PendingWindowInDays": 7 });
                self.call("kms", "ScheduleKeyDeletion", delete);
            }
            "log_group" => drop(self.call("logs", "DeleteLogGroup", json!({ "logGroupName": id }))),
            "access_entry" => drop(self.call("eks", "DeleteAccessEntry", self.entry(key))),
            "launch_template" => {
                self.call("ec2", "DeleteLaunchTemplate", json!({ "LaunchTemplateId": id }));
            }
            "addon" => {
                let addon = json!({ "clusterName": "test", "addonName": self.name(key) });
                self.call("eks", "DeleteAddon", addon);
            }
            "node_group" => {
                let group = json!({ "clusterName": "test", "nodegroupName": self.name(key) });
                self.call("eks", "DeleteNodegroup", group);
            }
            other => panic!("how is a {other} deleted?"),
        }
        self.account.advance(1200.0);
    }
}

fn made(more: impl Fn(Json) -> Json) -> (Session, World, Resource, Json) {
    static MADE: LazyLock<(Standing, Ground)> = LazyLock::new(|| {
        let account = Rig::shared().account();
        let ground = ground(&account);
        (
            Standing::set("ekb_cluster", &account, everything(&ground)),
            ground,
        )
    });
    let (standing, ground) = &*MADE;
    let (session, mut resource) = standing.copy();
    let (account, config) = (session.account().clone(), more(standing.config.clone()));
    if config != standing.config {
        session.apply(&mut resource, &config).unwrap();
        session.expect_empty(&mut resource, &config).unwrap();
        account.snapshot("made");
    }
    let ids = resource.get("ids").clone();
    (session, World { account, ground, ids }, resource, config)
}

#[test]
fn every_field_changed_outside_is_shown_and_mended() {
    let (session, world, made, config) = made(|config| config);
    let counts = world.account.counts();
    let rounds = rounds(&changeable(&made), |_, _| false);
    let tally = play(
        &world.account,
        rounds,
        |key, field| world.change(key, field),
        |round| {
            mend(&session, &mut made.clone(), &config, &names(round))?;
            // Of security groups there are more: a round put one there for a field.
            as_many(&world.account, &counts, &["security_group"])
        },
    );
    tally.report("drift of fields of a cluster");
    tally.assert_good();
}

#[test]
fn every_field_is_left_alone_where_the_user_says_so() {
    let (session, world, made, config) = made(|config| with(&config, "ignore_drift", json!(["*"])));
    let rounds = rounds(&changeable(&made), |_, _| false);
    let tally = play(
        &world.account,
        rounds,
        |key, field| world.change(key, field),
        |_| session.expect_empty(&mut made.clone(), &config),
    );
    tally.report("ignored drift of fields of a cluster");
    tally.assert_good();
}

#[test]
fn every_part_deleted_outside_is_shown_and_made_again() {
    let (session, world, made, config) = made(|config| config);
    let before = world.account.counts();
    let keys: BTreeSet<String> = world.ids.as_object().unwrap().keys().cloned().collect();
    let mut tally = Tally::default();
    let mut rounds: Vec<Vec<&String>> = Vec::new();
    // What EKS makes with the cluster goes with it.
    for key in keys
        .iter()
        .filter(|key| !["cluster", "cluster_security_group"].contains(&key.as_str()))
    {
        let has_room = |round: &&mut Vec<&String>| {
            !acceptance_tests::cuts::is_sweep() && round.iter().all(|other| place_of(other) != place_of(key))
        };
        match rounds.iter_mut().find(has_room) {
            Some(round) => round.push(key),
            None => rounds.push(vec![key]),
        }
    }
    for round in rounds {
        world.account.restore("made");
        for key in &round {
            world.delete(key);
        }
        let mut resource = made.clone();
        let names: Vec<&str> = round.iter().map(|key| key.as_str()).collect();
        // A node group that goes leaves interfaces of the CNI, which a destroy removes.
        let mended = mend(&session, &mut resource, &config, &names)
            .and_then(|()| as_many(&world.account, &before, &["network_interface"]));
        for key in round {
            tally.count(key, mended.clone());
        }
    }
    tally.report("parts of a cluster deleted outside");
    tally.assert_good();
}

/// An autoscaler, or somebody by hand, says how many nodes there are: that is no drift, and no change sets it back.
#[test]
fn the_number_of_nodes_is_left_alone() {
    let (session, world, mut resource, config) = made(|config| config);
    let group = world
        .ids
        .as_object()
        .unwrap()
        .keys()
        .find(|key| kind_of(key) == "node_group")
        .unwrap();
    world.update_nodes(
        group,
        json!({ "scalingConfig": { "minSize": 2, "maxSize": 4, "desiredSize": 4 } }),
    );
    world.account.advance(1200.0);
    session.expect_empty(&mut resource, &config).unwrap();
    let more = with(&config, "system_nodes", json!({ "max": 6 }));
    let plan = session.apply(&mut resource, &more).unwrap();
    assert_eq!(plan.action, Action::Update);
    let group = json!({ "clusterName": "test", "nodegroupName": world.name(group) });
    let is = world.call("eks", "DescribeNodegroup", group);
    assert_eq!(is["nodegroup"]["scalingConfig"]["desiredSize"], 4);
}
