//! What others changed or deleted: left alone where the user says so, and mended with what hangs on it.

use acceptance_tests::{Account, Workspace, pause};
use serde_json::json;

use crate::{ADDRESS, cluster};

/// Others' tags on a part of each service, and others' values of two fields.
fn change(account: &Account) {
    let arn = account.eks("DescribeCluster", &json!({ "name": "test" }))["cluster"]["arn"].clone();
    let tags = json!({ "cost": "43", "Name": "theirs" });
    account.eks("TagResource", &json!({ "resourceArn": arn, "tags": tags }));
    let role = json!({ "RoleName": "test-node", "Tags": [{ "Key": "cost", "Value": "43" }, { "Key": "Name", "Value": "theirs" }] });
    account.call("iam", "us-east-1", "TagRole", &role).unwrap();
    let logs = |operation: &str, mut what: serde_json::Value| {
        what["logGroupName"] = json!("/aws/eks/test/cluster");
        account.call("logs", Account::REGION, operation, &what).unwrap();
    };
    logs("TagLogGroup", json!({ "tags": tags }));
    logs("PutRetentionPolicy", json!({ "retentionInDays": 7 }));
    let shift = json!({ "name": "test", "zonalShiftConfig": { "enabled": true } });
    account.eks("UpdateClusterConfig", &shift);
    account.advance(1200.0);
}

fn assert_theirs(account: &Account) {
    let cluster = account.eks("DescribeCluster", &json!({ "name": "test" }))["cluster"].clone();
    assert_eq!(cluster["zonalShiftConfig"]["enabled"], true, "{cluster}");
    let role = account
        .call(
            "iam",
            "us-east-1",
            "ListRoleTags",
            &json!({ "RoleName": "test-node" }),
        )
        .unwrap();
    let group = json!({ "logGroupName": "/aws/eks/test/cluster" });
    let group = account
        .call("logs", Account::REGION, "ListTagsLogGroup", &group)
        .unwrap();
    for tags in [&cluster["tags"], &role["Tags"], &group["tags"]] {
        let text = tags.to_string();
        assert!(text.contains("\"43\"") && text.contains("\"theirs\""), "{text}");
    }
}

/// The nodes and their role go; the entry that EKS made for the role stays, and will mean an earlier one.
fn forget_nodes(account: &Account, state: &serde_json::Value) {
    let role = format!("arn:aws:iam::{}:role/test-node", account.id());
    let entry = json!({ "clusterName": "test", "principalArn": role, "type": "EC2_LINUX" });
    account.eks("CreateAccessEntry", &entry);
    let ids = state["ids"].as_object().unwrap();
    let group = ids
        .iter()
        .find(|(key, _)| key.starts_with("node_group/"))
        .unwrap()
        .1;
    let group = group.as_str().unwrap().trim_start_matches("test/");
    account.eks(
        "DeleteNodegroup",
        &json!({ "clusterName": "test", "nodegroupName": group }),
    );
    let iam = |operation: &str, what: serde_json::Value| {
        account.call("iam", "us-east-1", operation, &what).unwrap()
    };
    let attached = iam("ListAttachedRolePolicies", json!({ "RoleName": "test-node" }));
    for policy in attached["AttachedPolicies"].as_array().unwrap() {
        iam(
            "DetachRolePolicy",
            json!({ "RoleName": "test-node", "PolicyArn": policy["PolicyArn"] }),
        );
    }
    iam("DeleteRole", json!({ "RoleName": "test-node" }));
    account.advance(1200.0);
    // Dates are in seconds.
    pause(std::time::Duration::from_millis(1100));
}

#[test]
fn what_others_changed_is_left_alone_once_the_user_says_so() {
    Workspace::in_turn(0, |workspace, account| {
        let write = |workspace: &Workspace, tags: &str, more: &str| {
            let arguments = format!("default_storage_class = false\ntags = {tags}\n{more}");
            workspace.write("main.tf", &cluster(&arguments));
        };
        let tags = "{ cost = \"42\", team = \"core\" }";
        write(workspace, tags, "");
        workspace.apply().ok();
        change(account);
        let plan = workspace.plan().ok().assert_changes();
        let said = plan.run.output();
        for what in ["retention_days", "zonal_shift", "tags Name"] {
            assert!(said.contains(what), "{what} in {said}");
        }

        let ignoring = Workspace::new(workspace.cli(), account)
            .provider_also("ignore_tags {\n keys = [\"cost\", \"Name\"]\n}");
        ignoring.write("terraform.tfstate", &workspace.read("terraform.tfstate").unwrap());
        let ignored =
            "ignore_drift = [\"log_group: retention_days\"]\nlifecycle {\n ignore_changes = [zonal_shift]\n}";
        // Declared still, taken away, and taken away together with a tag that is not ignored.
        for tags in [tags, "{ team = \"core\" }", "{}"] {
            write(&ignoring, tags, ignored);
            ignoring.apply().ok();
            assert_theirs(account);
            ignoring.plan().ok().assert_empty();
        }

        forget_nodes(account, &ignoring.resource(ADDRESS).unwrap());
        ignoring.apply().ok();
        ignoring.plan().ok().assert_empty();
        let left = account.eks("ListAccessEntries", &json!({ "clusterName": "test" }));
        assert!(!left.to_string().contains("test-node"), "{left}");
        ignoring.destroy().ok();
        account.assert_empty();
        account.assert_understood();
    });
}
