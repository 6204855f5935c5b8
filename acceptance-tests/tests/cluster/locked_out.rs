//! Secrets that appear nowhere, and an identity that has lost its way into the cluster: on a real control plane.

use acceptance_tests::{Account, Keys, Workspace};
use serde_json::json;

use crate::{ADDRESS, patient};

/// A session of a role that may do everything in AWS.
fn session(account: &Account) -> (String, Keys) {
    let role = json!({ "RoleName": "deploy", "Path": "/ci/", "AssumeRolePolicyDocument": "{}" });
    let role = account
        .call("iam", "us-east-1", "CreateRole", &role)
        .unwrap_or_else(|error| panic!("{error:?}"));
    let arn = role["Role"]["Arn"].as_str().unwrap_or_default().to_owned();
    let assume = json!({ "RoleArn": arn, "RoleSessionName": "run-7" });
    let made = account
        .call("sts", Account::REGION, "AssumeRole", &assume)
        .unwrap_or_else(|error| panic!("{error:?}"));
    let keys = serde_json::from_value(made["Credentials"].clone()).unwrap_or_else(|error| panic!("{error}"));
    (arn, keys)
}

#[test]
fn secrets_are_nowhere_and_a_lost_entry_comes_back() {
    Workspace::with_clusters(Some(2), |workspace, account| {
        let (principal, keys) = session(account);
        let token = keys.session_token.clone().unwrap_or_default();
        let log = workspace.path().join("trace.log");
        let workspace = Workspace::new(workspace.cli(), account)
            .env("TF_LOG", "TRACE")
            .env("TF_LOG_PATH", &log)
            .env("AWS_ACCESS_KEY_ID", &keys.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", &keys.secret_access_key)
            .env("AWS_SESSION_TOKEN", &token);
        workspace.write("main.tf", &patient(""));
        let plan = workspace.plan().ok().assert_changes();
        let mut said = vec![plan.json().to_string(), plan.run.output()];
        said.push(workspace.apply_plan(&plan).ok().output());
        let state = workspace.resource(ADDRESS).unwrap_or_default();
        assert_eq!(state["creator_principal_arn"], json!(principal), "{state}");
        said.push(state.to_string());

        // Somebody takes its entry away: what cannot be looked at keeps its value, and is not planned to be made again.
        let entry = json!({ "clusterName": "test", "principalArn": principal });
        let locked_out = |workspace: &Workspace| {
            account.eks("DeleteAccessEntry", &entry);
            acceptance_tests::until("the door shut", std::time::Duration::from_secs(60), || {
                workspace.plan_only(&[]).output().contains("EKB1132")
            });
        };
        locked_out(&workspace);
        let plan = workspace.plan().ok().assert_changes();
        said.push(plan.run.output());
        plan.run
            .clone()
            .says("EKB1132")
            .says("has no way into the cluster test")
            .says("aws eks create-access-entry --region eu-central-1 --cluster-name test --principal-arn ROLE_ARN")
            .says("AmazonEKSClusterAdminPolicy");
        let objects = plan.change(ADDRESS).after["objects"].clone();
        assert!(objects["storage_class"].is_string(), "{objects}");

        // The advice, to the letter.
        account.eks("CreateAccessEntry", &entry);
        account.eks(
            "AssociateAccessPolicy",
            &json!({
                "clusterName": "test", "principalArn": principal, "accessScope": { "type": "cluster" },
                "policyArn": "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy",
            }),
        );
        said.push(workspace.apply().ok().output());
        workspace.plan().ok().assert_empty();

        // Nobody helps: who may still make entries makes its own again.
        locked_out(&workspace);
        said.push(workspace.apply().ok().output());
        workspace.plan().ok().assert_empty();

        // Its role is deleted and made anew: to the cluster that is somebody else, until the entry is made anew too.
        let role = json!({ "RoleName": "deploy" });
        assert!(account.call("iam", "us-east-1", "DeleteRole", &role).is_ok());
        let (same, again) = session(account);
        assert_eq!(same, principal);
        let token_again = again.session_token.clone().unwrap_or_default();
        let workspace = workspace
            .env("AWS_ACCESS_KEY_ID", &again.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", &again.secret_access_key)
            .env("AWS_SESSION_TOKEN", &token_again);
        let plan = workspace.plan().ok().assert_changes();
        plan.run
            .clone()
            .says("EKB1132")
            .says("nobody: its principal was deleted and made anew");
        said.push(plan.run.output());
        said.push(workspace.apply_plan(&plan).ok().output());
        let plan = workspace.plan().ok();
        assert!(!plan.run.output().contains("EKB1132"), "{}", plan.run.output());
        plan.assert_empty();

        // A destroy needs no way in.
        locked_out(&workspace);
        said.push(workspace.destroy().ok().output());
        assert!(account.call("iam", "us-east-1", "DeleteRole", &role).is_ok());
        account.assert_empty();
        account.assert_understood();

        said.push(workspace.read("terraform.tfstate.backup").unwrap_or_default());
        let trace = std::fs::read_to_string(&log).unwrap_or_default();
        assert!(
            trace.contains("CreateCluster"),
            "the provider's own calls are in the log"
        );
        said.push(trace);
        let secrets = [
            keys.secret_access_key.as_str(),
            token.as_str(),
            again.secret_access_key.as_str(),
            token_again.as_str(),
            "k8s-aws-v1.",
            "X-Amz-Signature=",
            "X-Amz-Security-Token=",
        ];
        for text in &said {
            for secret in secrets {
                if let Some(at) = text.find(secret) {
                    let around: String = text[..at].chars().rev().take(300).collect();
                    panic!(
                        "{secret} stands behind: {}",
                        around.chars().rev().collect::<String>()
                    );
                }
            }
        }
    });
}
