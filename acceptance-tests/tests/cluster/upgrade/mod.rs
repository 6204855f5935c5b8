//! Changes of the Kubernetes version.

mod busy;
mod drain;
mod insights;
mod rollback;

use acceptance_tests::{Account, Run, Workspace};

use crate::{ADDRESS, BARE, cluster, patient};

/// A network and a cluster of this version in it, without anything in the cluster itself.
fn at(version: &str, arguments: &str) -> String {
    versioned(version, &format!("default_storage_class = false\n{arguments}"))
}

/// The same, which is made once for all tests that begin with it, on a machine as busy as may be.
fn made_at(version: &str) -> String {
    patient(BARE).replace(
        "kubernetes_version = \"1.35\"",
        &format!("kubernetes_version = \"{version}\""),
    )
}

/// The same with the default StorageClass; and a busy machine takes its time to start what is behind a cluster.
fn with_class(version: &str, arguments: &str) -> String {
    let patient = "timeouts {\n    create = \"20h\"\n    update = \"20h\"\n  }";
    versioned(version, &format!("{arguments}\n{patient}"))
}

fn versioned(version: &str, arguments: &str) -> String {
    cluster(arguments).replace(
        "kubernetes_version = \"1.35\"",
        &format!("kubernetes_version = \"{version}\""),
    )
}

/// Panics unless the output says all of this.
#[track_caller]
fn says(run: Run, parts: &[&str]) -> Run {
    parts.iter().fold(run, |run, part| run.says(part))
}

/// The changes of versions since the log was cleared: `cluster 1.35`, `nodes 1.35`; with `!` where they are forced.
fn versions(account: &Account) -> Vec<String> {
    let mut changes = changes(account);
    changes.retain(|change| change.starts_with("cluster ") || change.starts_with("nodes "));
    changes
}

/// The same with those of add-ons (`addon coredns`) and of the cluster's configuration (`config`).
fn changes(account: &Account) -> Vec<String> {
    let calls = account.mutations().into_iter().filter(|call| call.applied);
    let changes = calls.filter_map(|call| {
        let text = |name: &str| call.params[name].as_str().unwrap_or_default().to_owned();
        let change = match call.operation.as_str() {
            "UpdateClusterVersion" => format!("cluster {}", text("version")),
            "UpdateNodegroupVersion" => format!("nodes {}", text("version")),
            "UpdateAddon" => format!("addon {}", text("addonName")),
            "UpdateClusterConfig" => "config".to_owned(),
            _ => return None,
        };
        let force = if call.params["force"] == true { "!" } else { "" };
        Some(format!("{change}{force}"))
    });
    changes.collect()
}

#[test]
fn it_is_upgraded_a_minor_at_a_time() {
    Workspace::standing(1, &made_at("1.34"), |workspace, account| {
        workspace.write("main.tf", &at("1.36", ""));
        let plan = workspace.plan().ok();
        assert_eq!(plan.action(ADDRESS), "update", "{}", plan.run.stdout);
        assert!(
            plan.run.output().contains("1.34 → 1.35 → 1.36"),
            "{}",
            plan.run.output()
        );
        workspace.apply_plan(&plan).ok();
        workspace.plan().ok().assert_empty();
        assert_eq!(
            versions(account),
            ["cluster 1.35", "nodes 1.35", "cluster 1.36", "nodes 1.36"]
        );
        // Back is another thing.
        workspace.write("main.tf", &at("1.35", ""));
        workspace.plan().failed().says("EKB2221");
        workspace.write("main.tf", &at("1.36", ""));
        workspace.destroy().ok();
        account.assert_empty();
    });
}
