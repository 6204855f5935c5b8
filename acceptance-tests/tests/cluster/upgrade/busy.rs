//! Updates that EKS is busy with, or has paused.

use acceptance_tests::{Fault, Workspace};
use serde_json::json;

use super::{at, made_at, says, versions};
use crate::ADDRESS;

const PAUSED: &str = "Updates in the cell are disabled";

fn paused() -> Fault {
    Fault::error("ServiceUnavailableException", 503, PAUSED).on("UpdateClusterVersion")
}

#[test]
fn an_update_in_progress_is_waited_for_and_a_pause_is_outlasted() {
    Workspace::standing(1, &made_at("1.34"), |workspace, account| {
        eprintln!("   somebody else's node group");
        let subnets = workspace.resource(ADDRESS).unwrap_or_default()["subnet_ids"].clone();
        let group = json!({
            "clusterName": "test", "nodegroupName": "batch", "subnets": subnets, "version": "1.34",
            "nodeRole": format!("arn:aws:iam::{}:role/batch", account.id()),
        });
        account.eks("CreateNodegroup", &group);
        workspace.write("main.tf", &at("1.36", ""));
        says(
            workspace.plan().failed(),
            &["EKB2243", "batch (1.34)", "kubernetes_version = \"1.35\""],
        );
        workspace.write("main.tf", &at("1.35", ""));
        says(
            workspace.plan().ok().run,
            &["EKB2243", "Node groups of others stay behind", "batch (1.34)"],
        );
        account.eks(
            "DeleteNodegroup",
            &json!({ "clusterName": "test", "nodegroupName": "batch" }),
        );
        account.advance(200.0);

        eprintln!("   somebody else's update, behind which insights stand against ours");
        workspace.write("main.tf", &at("1.35", ""));
        let plan = workspace.plan().ok();
        let error = json!([{
            "name": "Something of v1.35", "insightStatus": { "status": "ERROR", "reason": "Not yet." },
        }]);
        account.insights("test", &error, true);
        account.put(
            "eks",
            "cluster",
            "test",
            &json!({}),
            &json!(["UPDATING", 100_000, "ACTIVE"]),
        );
        account.clear_log();
        let refused = std::thread::scope(|scope| {
            // It ends when the apply has seen it: then it looks what is in the cluster.
            scope.spawn(|| {
                let is_seen = || account.log().iter().any(|call| call.operation == "DescribeAddon");
                acceptance_tests::until("a look into it", std::time::Duration::from_secs(60), is_seen);
                account.advance(100_000.0);
            });
            workspace.apply_plan(&plan).failed()
        });
        says(
            refused,
            &["EKB2223", "Something of v1.35", "from version 1.34 to 1.35"],
        );
        assert_eq!(versions(account), Vec::<String>::new());
        account.insights("test", &json!([]), false);

        eprintln!("   somebody else's update, and six refusals");
        let other = json!({ "name": "test", "logging": { "clusterLogging": [{ "types": ["scheduler"], "enabled": true }] } });
        account.eks("UpdateClusterConfig", &other);
        account.fault(&paused().times(6));
        workspace.write("main.tf", &at("1.35", ""));
        workspace.apply().ok();
        assert_eq!(account.faults_fired(), 6);
        assert_eq!(versions(account), ["cluster 1.35", "nodes 1.35"]);
        account.clear_faults();

        eprintln!("   killed when it has begun");
        account.clear_log();
        workspace.write("main.tf", &at("1.36", ""));
        account.fault(&Fault::kill_after().on("UpdateClusterVersion"));
        let _killed = workspace.apply().failed();
        account.clear_faults();
        workspace.apply().ok();
        assert_eq!(
            versions(account),
            ["cluster 1.36", "nodes 1.36"],
            "one update, which the second run waits for"
        );
        workspace.plan().ok().assert_empty();
        account.assert_understood();
    });
}

#[test]
fn a_pause_without_end_is_said() {
    Workspace::standing(2, &made_at("1.34"), |workspace, account| {
        account.fault(&paused().always());
        workspace.write("main.tf", &at("1.35", "timeouts {\n update = \"20m\"\n }"));
        let words = "AWS has paused updates of EKS clusters here";
        says(workspace.apply().failed(), &[PAUSED, words]);
        assert_eq!(versions(account), Vec::<String>::new());
    });
}
