//! Changes of the Kubernetes version.

use acceptance_tests::Workspace;

use crate::{ADDRESS, cluster};

#[test]
fn it_is_upgraded_a_minor_at_a_time() {
    Workspace::in_turn(1, |workspace, account| {
        let at = |version: &str| {
            cluster("default_storage_class = false").replace(
                "kubernetes_version = \"1.35\"",
                &format!("kubernetes_version = \"{version}\""),
            )
        };
        workspace.write("main.tf", &at("1.34"));
        workspace.apply().ok();
        account.clear_log();
        workspace.write("main.tf", &at("1.36"));
        let plan = workspace.plan().ok();
        assert_eq!(plan.action(ADDRESS), "update", "{}", plan.run.stdout);
        assert!(
            plan.run.output().contains("1.34 → 1.35 → 1.36"),
            "{}",
            plan.run.output()
        );
        workspace.apply_plan(&plan).ok();
        workspace.plan().ok().assert_empty();
        let steps: Vec<String> = account
            .mutations()
            .into_iter()
            .map(|call| call.operation)
            .filter(|operation| {
                ["UpdateClusterVersion", "UpdateNodegroupVersion"].contains(&operation.as_str())
            })
            .collect();
        let hop = ["UpdateClusterVersion", "UpdateNodegroupVersion"];
        assert_eq!(steps, [hop, hop].concat());
        // Back is another thing.
        workspace.write("main.tf", &at("1.35"));
        workspace.plan().failed().says("EKB2221");
        workspace.write("main.tf", &at("1.36"));
        workspace.destroy().ok();
        account.assert_empty();
    });
}
