//! Changes of arguments.

use acceptance_tests::Workspace;

use crate::{ADDRESS, cluster};

#[test]
fn arguments_are_updated_in_place() {
    Workspace::in_turn(0, |workspace, account| {
        let none = "default_storage_class = false";
        workspace.write("main.tf", &cluster(none));
        workspace.apply().ok();
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
            ("as at first", ""),
        ] {
            eprintln!("   {what}");
            workspace.write("main.tf", &cluster(&format!("{none}\n{arguments}")));
            let plan = workspace.plan().ok();
            assert_eq!(plan.action(ADDRESS), "update", "{what}: {}", plan.run.stdout);
            workspace.apply_plan(&plan).ok();
            workspace.plan().ok().assert_empty();
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
