//! Import: of clusters of ours, whose arguments follow from what is there, and of clusters that others built.

use acceptance_tests::{Account, Workspace};
use serde_json::{Value, json};

use crate::{ADDRESS, BARE, cluster, patient};

/// Arguments that are not as they are by default.
const ARGUMENTS: &str = r#"
  support = "standard"
  zonal_shift = true
  service_cidr = "10.100.0.0/16"
  role_path = "/platform/"
  logging = { types = ["audit"], retention_days = 90 }
  access = {
    ops  = { principal_arn = "arn:aws:iam::123456789012:role/ops/admin", level = "admin" }
    shop = { principal_arn = "arn:aws:iam::123456789012:role/shop", level = "edit", namespaces = ["shop"] }
  }
  system_nodes = {
    instance_types = ["m7i.large"]
    architecture = "x86_64"
    min = 3
    max = 6
    disk_gib = 80
    labels = { pool = "system" }
    only_system_pods = false
  }
  addons = {
    snapshot-controller = { enabled = false }
    coredns = { configuration = jsonencode({ replicaCount = 3 }) }
    vpc-cni = { role_by = "irsa" }
  }
  tags = { team = "platform" }
"#;

#[test]
fn a_cluster_of_ours_is_imported_with_its_arguments() {
    Workspace::with_clusters(Some(2), |workspace, account| {
        workspace.write("main.tf", &patient(ARGUMENTS));
        workspace.apply().ok();
        // An import has no time-outs of its own.
        account.set_time_scale(10.0);
        workspace.write("main.tf", &cluster(ARGUMENTS));
        workspace.apply().ok();
        let before = workspace.resource(ADDRESS).unwrap();
        for id in ["test/test", "test", before["arn"].as_str().unwrap()] {
            workspace.state_rm(ADDRESS).ok();
            workspace.import(ADDRESS, id).ok();
            let after = workspace.resource(ADDRESS).unwrap();
            let is_same = |name: &&String| {
                !["timeouts", "addons", "support_ends", "role_arns"].contains(&name.as_str())
            };
            for name in before.as_object().unwrap().keys().filter(is_same) {
                assert_eq!(after[name], before[name], "{name} after import of {id}");
            }
            workspace.plan().ok().assert_empty();
        }
        // The configuration that is generated says the same.
        workspace.state_rm(ADDRESS).ok();
        let network = cluster("");
        let network = network.split("resource \"ekb_cluster\"").next().unwrap();
        workspace.write(
            "main.tf",
            &format!("{network}import {{\n  to = {ADDRESS}\n  id = \"test\"\n}}\n"),
        );
        let run = workspace.plan_only(&["-generate-config-out=generated.tf"]);
        let generated = workspace.read("generated.tf").unwrap_or_default();
        let plan = workspace.plan().ok();
        assert_eq!(
            plan.change(ADDRESS).action(),
            "no-op",
            "{generated}\n{run}\n{}",
            plan.run
        );
        workspace.apply().ok();
        account.set_time_scale(60.0);
        // What was generated names the network by its ids.
        let plan = workspace.plan_with(&["-destroy", "-target", ADDRESS]).ok();
        workspace.apply_plan(&plan).ok();
        workspace.destroy().ok();
        account.assert_empty();
        account.assert_understood();
    });
}

#[test]
fn a_version_that_aws_raised_is_an_error_and_no_way_back() {
    Workspace::standing(2, &patient(BARE), |workspace, account| {
        let at = |version: &str| {
            patient(BARE).replace(
                "kubernetes_version = \"1.35\"",
                &format!("kubernetes_version = \"{version}\""),
            )
        };
        account.eks(
            "UpdateClusterVersion",
            &json!({"name": "test", "version": "1.36"}),
        );
        account.advance(1000.0);
        account.clear_log();
        workspace
            .plan()
            .failed()
            .says("EKB2221")
            .says("kubernetes_version = \"1.36\"");
        assert!(account.mutations().is_empty());
        workspace.write("main.tf", &at("1.36"));
        workspace.apply().ok();
        workspace.plan().ok().assert_empty();
        let state = workspace.resource(ADDRESS).unwrap();
        assert!(state["objects"].to_string().contains("1.36"), "{state}");
        workspace.destroy().ok();
        account.assert_empty();
    });
}

fn their_role(account: &Account, name: &str, service: &str) -> String {
    let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": service},
        "Action": "sts:AssumeRole"}]});
    let made = account.call(
        "iam",
        "us-east-1",
        "CreateRole",
        &json!({"RoleName": name, "AssumeRolePolicyDocument": trust.to_string()}),
    );
    made.unwrap()["Role"]["Arn"].as_str().unwrap().to_owned()
}

/// Clusters as other tools build them: by eksctl (node groups with launch templates, who enters says aws-auth), by terraform-aws-eks
/// (a key and groups of its own, access entries), at the console.
fn built_by_others(account: &Account, subnets: &[String], vpc: &Value) {
    let role = |name: &str, service: &str| their_role(account, name, service);
    let role_of = |cluster: &str| role(&format!("{cluster}-ServiceRole"), "eks.amazonaws.com");
    let config = |more: Value| {
        let mut config =
            json!({"subnetIds": subnets, "endpointPublicAccess": true, "endpointPrivateAccess": true});
        config
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        config
    };
    let create = |name: &str, more: Value| {
        let mut cluster = json!({"name": name, "version": "1.35", "roleArn": role_of(name), "resourcesVpcConfig": config(json!({}))});
        cluster
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        account.eks("CreateCluster", &cluster);
    };
    create(
        "eksctl",
        json!({"accessConfig": {"authenticationMode": "CONFIG_MAP"}, "tags": {"alpha.eksctl.io/cluster-name": "eksctl"}}),
    );
    let group = account.ec2(
        "CreateSecurityGroup",
        &json!({"GroupName": "module-cluster", "Description": "EKS cluster security group", "VpcId": vpc}),
    );
    let key = account
        .call(
            "kms",
            Account::REGION,
            "CreateKey",
            &json!({"Description": "module"}),
        )
        .unwrap();
    let (key, own) = (
        &key["KeyMetadata"]["Arn"],
        config(json!({"securityGroupIds": [group["GroupId"]]})),
    );
    create(
        "module",
        json!({"accessConfig": {"authenticationMode": "API_AND_CONFIG_MAP"}, "resourcesVpcConfig": own,
            "encryptionConfig": [{"resources": ["secrets"], "provider": {"keyArn": key}}],
            "logging": {"clusterLogging": [{"types": ["api", "audit"], "enabled": true}]}}),
    );
    let public = json!({"subnetIds": subnets, "endpointPublicAccess": true, "endpointPrivateAccess": false});
    create(
        "console",
        json!({"accessConfig": {"authenticationMode": "API"}, "resourcesVpcConfig": public}),
    );
    account.advance(1000.0);

    let nodes = role("eksctl-NodeInstanceRole", "ec2.amazonaws.com");
    for name in ["workers-a", "workers-b"] {
        let template = account.ec2(
            "CreateLaunchTemplate",
            &json!({"LaunchTemplateName": name, "LaunchTemplateData": {"InstanceType": "m7i.large"}}),
        );
        let template = &template["LaunchTemplate"]["LaunchTemplateId"];
        account.eks(
            "CreateNodegroup",
            &json!({"clusterName": "eksctl", "nodegroupName": name, "subnets": subnets, "nodeRole": nodes,
                "launchTemplate": {"id": template, "version": "1"}}),
        );
    }
    let ops = role("ops", "ec2.amazonaws.com");
    account.eks(
        "CreateAccessEntry",
        &json!({"clusterName": "module", "principalArn": ops}),
    );
    account.advance(60.0);
    account.eks(
        "AssociateAccessPolicy",
        &json!({"clusterName": "module", "principalArn": ops, "accessScope": {"type": "cluster"},
            "policyArn": "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"}),
    );
    // Whoever imports it has access already.
    let rig = format!("arn:aws:iam::{}:user/rig", account.id());
    account.eks(
        "CreateAccessEntry",
        &json!({"clusterName": "console", "principalArn": rig}),
    );
    for name in ["vpc-cni", "kube-proxy", "coredns"] {
        account.eks(
            "CreateAddon",
            &json!({"clusterName": "console", "addonName": name, "resolveConflicts": "OVERWRITE"}),
        );
    }
    account.advance(600.0);
}

#[test]
fn clusters_that_others_built_are_taken_over_as_they_are() {
    Workspace::in_turn(1, |workspace, account| {
        let network = patient("");
        let network = network.split("resource \"ekb_cluster\"").next().unwrap();
        workspace.write("main.tf", network);
        workspace.apply().ok();
        let state = workspace.resource("ekb_network.main").unwrap();
        let subnets: Vec<String> = serde_json::from_value(state["private_subnet_ids"].clone()).unwrap();
        built_by_others(account, &subnets, &state["vpc_id"]);
        let theirs = account.objects();
        account.set_time_scale(10.0);
        let names = ["eksctl", "module", "console"];
        let import = |name: &&str| {
            let arn = format!("arn:aws:eks:{}:{}:cluster/{name}", Account::REGION, account.id());
            format!("import {{\n  to = ekb_cluster.{name}\n  id = \"{arn}\"\n}}\n")
        };
        let imports: String = names.iter().map(import).collect();
        workspace.write("main.tf", &format!("{network}{imports}"));
        let run = workspace.plan_only(&["-generate-config-out=generated.tf"]);
        let generated = workspace.read("generated.tf").unwrap_or_default();
        assert!(matches!(run.code, 0 | 2), "{generated}\n{run}");
        let plan = workspace.plan().ok();
        let said = plan.run.to_string();
        let text = said.split_whitespace().collect::<Vec<_>>().join(" ");
        for name in names {
            let change = plan.change(&format!("ekb_cluster.{name}"));
            assert_eq!(change.action(), "update", "{name}: {generated}\n{said}");
            let (before, after) = (&change.before["objects"], &change.after["objects"]);
            let gone: Vec<_> = before
                .as_object()
                .unwrap()
                .keys()
                .filter(|key| after[*key].is_null())
                .collect();
            assert!(gone.is_empty(), "{name}: {gone:?} go: {said}");
            // What of the control plane changes is no more than what has to.
            let drift: Vec<String> = serde_json::from_value(change.before["drift"].clone()).unwrap();
            let of_cluster = drift
                .iter()
                .filter(|one| one.starts_with("cluster: ") && !one.starts_with("cluster: tags"));
            let expected: &[&str] = match name {
                "eksctl" => &["cluster: authentication_mode: is CONFIG_MAP, should be API_AND_CONFIG_MAP"],
                "module" => &[],
                _ => &["cluster: endpoint_private: is false, should be true"],
            };
            assert_eq!(of_cluster.collect::<Vec<_>>(), expected, "{name}: {drift:#?}");
        }
        assert!(!said.contains("EKB2045"), "something of others goes: {said}");
        for what in ["node group workers-a", "node group workers-b"] {
            assert!(text.contains(what), "{what}: {text}");
        }
        let roles =
            |name: &str| plan.change(&format!("ekb_cluster.{name}")).after["cluster_role_arn"].clone();
        assert!(
            roles("eksctl")
                .as_str()
                .unwrap()
                .ends_with("role/eksctl-ServiceRole"),
            "{}",
            roles("eksctl")
        );
        account.set_time_scale(30.0);
        workspace.apply().ok();
        workspace.plan().ok().assert_empty();
        let now = account.objects();
        let left: Vec<_> = theirs
            .iter()
            .filter(|object| !now.iter().any(|one| one.id == object.id))
            .collect();
        assert!(left.is_empty(), "{left:#?}");
        account.assert_understood();
    });
}
