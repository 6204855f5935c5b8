//! Destroying: what stands against it, what is left behind, and what is cleared away.

use acceptance_tests::{Account, Workspace};
use serde_json::{Value, json};

use crate::{ADDRESS, BARE, patient as cluster};

/// The ids of the private subnets in the state.
fn subnets(workspace: &Workspace) -> Vec<String> {
    let network = workspace.resource("ekb_network.main").unwrap();
    serde_json::from_value(network["private_subnet_ids"].clone()).unwrap()
}

fn others_move_in(account: &Account, subnets: &[String]) {
    let role = format!("arn:aws:iam::{}:role/theirs", account.id());
    account.eks(
        "CreateNodegroup",
        &json!({"clusterName": "test", "nodegroupName": "legacy", "subnets": subnets, "nodeRole": role,
            "tags": {"alpha.eksctl.io/nodegroup-name": "legacy"}}),
    );
    account.eks("CreateFargateProfile",
        &json!({"clusterName": "test", "fargateProfileName": "batch", "podExecutionRoleArn": role, "subnets": subnets,
            "selectors": [{"namespace": "batch"}]}),
    );
}

#[test]
fn what_others_have_in_it_is_named_before_anything_is_deleted() {
    Workspace::standing(0, &cluster(BARE), |workspace, account| {
        let subnets = subnets(workspace);
        let vpc = workspace.resource("ekb_network.main").unwrap()["vpc_id"].clone();
        others_move_in(account, &subnets);
        let tagged = |resource: &str, tags: Value| json!([{"ResourceType": resource, "Tags": tags}]);
        let instances = account.ec2(
            "RunInstances",
            &json!({"ImageId": "ami-12345678", "MinCount": 1, "MaxCount": 1, "SubnetId": subnets[0], "TagSpecifications":
                tagged("instance", json!([{"Key": "karpenter.sh/nodepool", "Value": "web"},
                    {"Key": "kubernetes.io/cluster/test", "Value": "owned"}]))}),
        );
        let instance = instances["Instances"][0]["InstanceId"]
            .as_str()
            .unwrap()
            .to_owned();
        let group = account.ec2(
            "CreateSecurityGroup",
            &json!({"GroupName": "k8s-shop", "Description": "of the load balancer", "VpcId": vpc, "TagSpecifications":
                tagged("security-group", json!([{"Key": "elbv2.k8s.aws/cluster", "Value": "test"}]))}),
        );
        let group = group["GroupId"].as_str().unwrap();
        let balancer =
            account.foreign_interface_with(&subnets[0], "interface", "ELB app/k8s-shop-web/0123", &[group]);

        let refused = workspace.plan_with(&["-destroy"]).failed();
        let said = refused.says("EKB2250").says("EKB2251").output();
        for named in [
            "node group legacy (of eksctl)",
            "Fargate profile batch",
            &instance,
            "node pool web",
            "k8s-shop-web",
        ] {
            assert!(said.contains(named), "{named}: {said}");
        }

        // What only programs in it have made is looked at once more by the apply, which refuses.
        let (name, theirs) = (
            json!({"clusterName": "test", "nodegroupName": "legacy"}),
            json!({"clusterName": "test",
            "fargateProfileName": "batch"}),
        );
        account.eks("DeleteNodegroup", &name);
        account.eks("DeleteFargateProfile", &theirs);
        account.advance(600.0);
        account.clear_log();
        let plan = workspace.plan_with(&["-destroy"]).ok();
        let refused = workspace.apply_plan(&plan).failed();
        let said = refused.says("k8s-shop-web").says("Nothing was deleted").output();
        assert!(said.contains(&instance), "{said}");
        assert!(account.mutations().is_empty(), "{:#?}", account.mutations());

        // By force: first said, then done. The load balancer stays.
        others_move_in(account, &subnets);
        workspace.write("main.tf", &cluster(&format!("{BARE}\nforce_destroy = true")));
        workspace.apply().ok();
        let plan = workspace.plan_with(&["-destroy", "-target", ADDRESS]).ok();
        let said = plan.run.output();
        assert!(said.contains("EKB2252") && said.contains("These stay"), "{said}");
        workspace.apply_plan(&plan).ok();
        let kinds: Vec<String> = account.objects().into_iter().map(|object| object.kind).collect();
        for gone in ["cluster", "nodegroup", "fargate_profile", "instance", "iam_role"] {
            assert!(!kinds.iter().any(|kind| kind == gone), "{gone}: {kinds:?}");
        }
        account.remove_foreign_interface(&balancer);
        account.ec2("DeleteSecurityGroup", &json!({"GroupId": group}));
        workspace.destroy().ok();
        account.assert_empty();
        account.assert_understood();
    });
}

#[test]
fn what_eks_and_the_cni_leave_behind_is_cleared_away() {
    Workspace::standing(1, &cluster(BARE), |workspace, account| {
        // The CNI of nodes with a group of their own.
        let own = account.ec2(
            "CreateNetworkInterface",
            &json!({"SubnetId": subnets(workspace)[1], "Description": "aws-K8S-i-0123", "TagSpecifications": [{
                "ResourceType": "network-interface", "Tags": [{"Key": "cluster.k8s.amazonaws.com/name", "Value": "test"},
                    {"Key": "eks:eni:owner", "Value": "amazon-vpc-cni"}]}]}),
        );
        account.clear_log();
        let plan = workspace.plan_with(&["-destroy", "-target", ADDRESS]).ok();
        workspace.apply_plan(&plan).ok();
        let log = account.mutations();
        let calls = |operation: &str| {
            log.iter()
                .filter(|call| call.operation == operation && call.applied)
                .count()
        };
        let own = own["NetworkInterface"]["NetworkInterfaceId"].as_str().unwrap();
        let interfaces = account
            .objects()
            .into_iter()
            .filter(|object| object.kind == "network_interface");
        assert_eq!(interfaces.count(), 0, "{own}");
        assert_eq!(calls("DeleteNetworkInterface"), 2);
        let of_logs = account.log().into_iter().filter(|call| call.service == "logs");
        let of_logs: Vec<_> = of_logs
            .map(|call| (call.operation, call.time, call.error))
            .collect();
        assert_eq!(calls("DeleteLogGroup"), 2, "EKS makes it again: {of_logs:#?}");
        assert_eq!(calls("DeleteAccessEntry"), 0, "the way in ends with the cluster");
        let at = |operation: &str| log.iter().find(|call| call.operation == operation).unwrap().time;
        assert!(
            at("ScheduleKeyDeletion") > at("DeleteCluster") + 100.0,
            "the key outlives the cluster"
        );
        workspace.destroy().ok();
        account.assert_empty();
        account.assert_understood();
    });
}

#[test]
fn logs_that_are_kept_stay_and_the_destroy_says_so() {
    Workspace::standing(2, &cluster(BARE), |workspace, account| {
        workspace.write(
            "main.tf",
            &cluster(&format!("{BARE}\nlogging = {{ retain_logs = true }}")),
        );
        workspace.apply().ok();
        let plan = workspace.plan_with(&["-destroy"]).ok();
        assert!(plan.run.output().contains("retain_logs"), "{}", plan.run.output());
        let run = workspace.apply_plan(&plan).ok();
        let said = run.output();
        assert!(
            said.contains("/aws/eks/test/cluster") && said.contains("retain_logs"),
            "{said}"
        );
        let left: Vec<String> = account.objects().into_iter().map(|object| object.kind).collect();
        assert_eq!(left, ["log_group"]);
        // Whoever keeps it takes it back.
        workspace.apply().ok();
        workspace.plan().ok().assert_empty();
        workspace.write("main.tf", &cluster(BARE));
        workspace.apply().ok();
        workspace.destroy().ok();
        account.assert_empty();
    });
}

/// Without control planes the emulator's clusters have an address that nobody reaches.
#[test]
fn it_goes_though_nobody_reaches_its_api() {
    Workspace::in_turn(1, |workspace, account| {
        let both = format!("{BARE}\nauthentication_mode = \"API_AND_CONFIG_MAP\"");
        workspace.write("main.tf", &cluster(&both));
        workspace.apply().ok();
        // Whom aws-auth lets in is not known: the step after which it does not count is not taken.
        workspace.write(
            "main.tf",
            &cluster(BARE).replace(
                "endpoint_access",
                "authentication_mode = \"API\"\n  endpoint_access",
            ),
        );
        workspace.plan().failed().says("EKB2253");
        workspace.write("main.tf", &cluster(&both.replace(BARE, "")));
        workspace.apply().failed().says("storage_class");
        workspace.destroy().ok();
        account.assert_empty();
        account.assert_understood();
    });
}

#[test]
fn the_step_after_which_aws_auth_does_not_count_locks_nobody_out() {
    Workspace::with_clusters(Some(1), |workspace, account| {
        let mode = |more: &str| cluster(&format!("authentication_mode = {more}"));
        workspace.write("main.tf", &mode("\"API_AND_CONFIG_MAP\""));
        workspace.apply().ok();
        let role = "arn:aws:iam::123456789012:role/deployers";
        let roles = format!("- rolearn: {role}\n  groups: [system:masters]\n");
        let map = json!({"metadata": {"name": "aws-auth"}, "data": {"mapRoles": roles}});
        let maps = "/api/v1/namespaces/kube-system/configmaps";
        account.cluster("test").request("POST", maps, Some(&map)).unwrap();
        workspace.write("main.tf", &mode("\"API\""));
        workspace.plan().failed().says("EKB2254").says("role/deployers");
        let entry = format!(
            "\"API\"\naccess = {{ deployers = {{ principal_arn = \"{role}\", level = \"admin\" }} }}"
        );
        workspace.write("main.tf", &mode(&entry));
        workspace.apply().ok();
        workspace.plan().ok().assert_empty();
        // There is no way back.
        workspace.write(
            "main.tf",
            &mode(&entry.replace("\"API\"", "\"API_AND_CONFIG_MAP\"")),
        );
        workspace.plan().failed().says("EKB2047");
        workspace.write("main.tf", &mode(&entry));

        // A network load balancer without a security group: the cluster alone says whose it is.
        let service =
            json!({"metadata": {"name": "web"}, "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}});
        let services = "/api/v1/namespaces/default/services";
        let kubernetes = account.cluster("test");
        kubernetes.request("POST", services, Some(&service)).unwrap();
        let address = "k8s-default-web-5c1d-0a1b.elb.eu-central-1.amazonaws.com";
        let status = json!({"status": {"loadBalancer": {"ingress": [{"hostname": address}]}}});
        kubernetes
            .merge(&format!("{services}/web/status"), &status)
            .unwrap();
        let plan = workspace.plan_with(&["-destroy"]).ok();
        plan.run
            .says("EKB2291")
            .says("load balancer k8s-default-web-5c1d (of the Service default/web)");
        workspace.destroy().ok();
        account.assert_empty();
        account.assert_understood();
    });
}

#[test]
fn a_key_that_waits_for_its_deletion_is_rescued_while_its_cluster_lives_and_left_behind_with_it() {
    Workspace::standing(0, &cluster(BARE), |workspace, account| {
        let state = workspace.resource(ADDRESS).unwrap();
        let key = state["ids"]["encryption_key"].clone();
        let kms = |operation: &str, params: Value| {
            account.call("kms", Account::REGION, operation, &params).unwrap()
        };
        let schedule = || {
            kms(
                "ScheduleKeyDeletion",
                json!({"KeyId": key, "PendingWindowInDays": 7}),
            )
        };
        schedule();
        let plan = workspace.plan().ok().assert_changes();
        let said = plan.run.output();
        assert!(said.contains("encryption_key"), "{said}");
        workspace.apply_plan(&plan).ok();
        workspace.plan().ok().assert_empty();

        // It is no obstacle to a destroy.
        schedule();
        workspace.destroy().ok();
        account.assert_empty();

        // Its alias is still there, and dead to a create.
        workspace.apply().ok();
        let again = workspace.resource(ADDRESS).unwrap();
        assert_ne!(again["ids"]["encryption_key"], key);
        workspace.plan().ok().assert_empty();
        workspace.destroy().ok();
        account.assert_empty();
    });
}

/// And the log group of an earlier cluster is taken over.
#[test]
fn encryption_is_added_in_place_and_then_stays() {
    Workspace::in_turn(1, |workspace, account| {
        let name = json!({"logGroupName": "/aws/eks/test/cluster"});
        account
            .call("logs", Account::REGION, "CreateLogGroup", &name)
            .unwrap();
        let with = |encryption: &str| cluster(&format!("{BARE}\n{encryption}"));
        workspace.write("main.tf", &with("encryption = { enabled = false }"));
        workspace.apply().ok();
        workspace.plan().ok().assert_empty();
        account.clear_log();
        workspace.write("main.tf", &with(""));
        workspace.apply().ok();
        workspace.plan().ok().assert_empty();
        let updates = account
            .mutations()
            .into_iter()
            .filter(|call| call.service == "eks");
        let updates: Vec<String> = updates.map(|call| call.operation).collect();
        assert_eq!(updates, ["AssociateEncryptionConfig"]);
        account.clear_log();
        let other = format!(
            "arn:aws:kms:{}:{}:key/00000000-0000-4000-8000-000000000000",
            Account::REGION,
            account.id()
        );
        for other in ["enabled = false".to_owned(), format!("kms_key_arn = \"{other}\"")] {
            workspace.write("main.tf", &with(&format!("encryption = {{ {other} }}")));
            workspace.plan().failed().says("EKB2047");
        }
        assert!(account.mutations().is_empty());
        workspace.write("main.tf", &with(""));
        workspace.destroy().ok();
        account.assert_empty();
    });
}
