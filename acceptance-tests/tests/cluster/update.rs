//! Changes of arguments.

use acceptance_tests::{Account, Workspace};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::{ADDRESS, BARE, patient};

/// The user data of the newest version of the nodes' launch template.
fn user_data(account: &Account) -> String {
    let versions = account.ec2(
        "DescribeLaunchTemplateVersions",
        &json!({"LaunchTemplateName": "test-system", "Versions": ["$Latest"]}),
    );
    let data = &versions["LaunchTemplateVersions"][0]["LaunchTemplateData"]["UserData"];
    let bytes = STANDARD
        .decode(data.as_str().unwrap_or_default())
        .unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn arguments_are_updated_in_place() {
    Workspace::standing(0, &patient(BARE), |workspace, account| {
        let before = workspace.resource(ADDRESS).unwrap_or_default();
        // One at a time, and all of them: `arguments.rs`.
        for (what, arguments) in [
            (
                "several",
                "tags = { team = \"platform\" }\nsupport = \"standard\"\ndeletion_protection = true\n\
                 logging = { types = [\"audit\"], retention_days = 90 }\n\
                 access = { view = { principal_arn = \"arn:aws:iam::123456789012:role/view\", level = \"view\" } }\n\
                 system_nodes = { min = 3, max = 5, disk_gib = 100, labels = { pool = \"system\" } }\n\
                 addons = { snapshot-controller = { enabled = false }, vpc-cni = { role_by = \"irsa\" } }",
            ),
            (
                "kubelet",
                "system_nodes = { kubelet = { max_pods = 58, system_reserved = { cpu = \"100m\" } } }",
            ),
            ("as at first", ""),
        ] {
            eprintln!("   {what}");
            workspace.write("main.tf", &patient(&format!("{BARE}\n{arguments}")));
            let plan = workspace.plan().ok();
            assert_eq!(plan.action(ADDRESS), "update", "{what}: {}", plan.run.stdout);
            // New settings are for new nodes.
            plan.run.clone().says("EKB2282");
            workspace.apply_plan(&plan).ok();
            let plan = workspace.plan().ok();
            plan.assert_empty();
            // Nobody answers at the cluster's address; and nothing in it is meant.
            let said = plan.run.output();
            assert!(!said.contains("EKB1138"), "{said}");
            if what == "kubelet" {
                assert!(
                    user_data(account).contains("      maxPods: 58\n"),
                    "{}",
                    user_data(account)
                );
            }
        }
        assert_eq!(
            workspace.resource(ADDRESS).unwrap_or_default()["arn"],
            before["arn"]
        );
        workspace.destroy().ok();
        account.assert_empty();
        account.assert_understood();
    });
}
