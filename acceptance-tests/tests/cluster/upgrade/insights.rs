//! What EKS's insights have against a version.

use acceptance_tests::{Fault, Workspace};
use serde_json::json;

use super::{at, made_at, says, versions};
use crate::ADDRESS;

const REMOVED: &str = "Deprecated APIs removed in Kubernetes v1.35";

/// At plan, when a step begins that was planned without them, between two steps, and when EKS refuses by itself.
#[test]
fn they_stand_against_a_step() {
    Workspace::standing(2, &made_at("1.34"), |workspace, account| {
        let error = json!([{
            "name": REMOVED, "description": "Calls of APIs that go.", "recommendation": "Move to v1.",
            "insightStatus": { "status": "ERROR", "reason": "An API is called that goes." },
            "categorySpecificSummary": { "deprecationDetails": [{
                "usage": "/apis/flowcontrol.apiserver.k8s.io/v1beta3/flowschemas", "replacedWith": "v1", "stopServingVersion": "1.35",
                "clientStats": [{ "userAgent": "old-controller", "numberOfRequestsLast30Days": 7 }],
            }] },
        }]);

        eprintln!("   at plan");
        account.insights("test", &error, false);
        workspace.write("main.tf", &at("1.36", ""));
        let all = [
            "EKB2223",
            REMOVED,
            "old-controller",
            "Move to v1",
            "30 days",
            "force_insights = true",
        ];
        says(workspace.plan().failed(), &all);

        eprintln!("   between plan and apply");
        account.insights("test", &json!([]), false);
        let plan = workspace.plan().ok();
        account.insights("test", &error, true);
        let all = ["EKB2223", "old-controller", "from version 1.34 to 1.35"];
        says(workspace.apply_plan(&plan).failed(), &all);
        assert!(versions(account).is_empty(), "{:#?}", account.mutations());
        workspace.plan().failed().says("EKB2223");

        eprintln!("   a later step");
        account.insights("test", &json!([]), false);
        let plan = workspace.plan().ok();
        let warning = json!([{
            "name": "Something of v1.36", "kubernetesVersion": "1.36",
            "insightStatus": { "status": "WARNING", "reason": "Not yet." },
        }]);
        account.insights("test", &warning, true);
        says(
            workspace.apply_plan(&plan).failed(),
            &["EKB2223", "from version 1.35 to 1.36"],
        );
        assert_eq!(versions(account), ["cluster 1.35", "nodes 1.35"]);
        let state = workspace.resource(ADDRESS).unwrap_or_default();
        assert_eq!(state["kubernetes_version"], "1.35", "it stands there");

        eprintln!("   EKS itself");
        account.insights("test", &json!([]), false);
        let refusal = "Upgrade readiness issues detected. See cluster insights.";
        account.fault(&Fault::error("InvalidStateException", 400, refusal).on("UpdateClusterVersion"));
        says(
            workspace.apply().failed(),
            &["EKB2223", refusal, "force_insights = true"],
        );
        account.clear_faults();

        eprintln!("   by force");
        account.insights("test", &warning, false);
        workspace.plan().failed().says("EKB2223");
        workspace.write("main.tf", &at("1.36", "force_insights = true"));
        let plan = workspace.plan().ok();
        account.clear_log();
        workspace.apply_plan(&plan).ok();
        let forced = "EKS is told to go on in spite of them";
        // Nobody answers at the cluster's address.
        let outside = "What runs in the cluster could not be looked at (EKB2241)";
        let all = ["Something of v1.36", "`force_insights` is true", forced, outside];
        says(plan.run, &all);
        assert_eq!(versions(account), ["cluster 1.36!", "nodes 1.36"]);
        workspace.plan().ok().assert_empty();
        account.assert_understood();
    });
}
