//! Back to the version before.

use acceptance_tests::Workspace;
use serde_json::json;

use super::{at, changes, says};

/// From 1.33, which is in extended support, to 1.34 and back; and what is refused.
#[test]
fn it_goes_back_by_one_in_the_order_of_eks() {
    Workspace::in_turn(0, |workspace, account| {
        workspace.write("main.tf", &at("1.33", ""));
        workspace.apply().ok();

        eprintln!("   a pin for the last minor alone");
        let pinned = "support = \"standard\"\naddons = { coredns = { version = \"v1.13.1-eksbuild.1\" } }";
        workspace.write("main.tf", &at("1.34", pinned));
        let plan = workspace.plan().ok();
        workspace.apply_plan(&plan).ok();
        let dates = "until 2026-12-02, with extended support until 2027-12-02";
        says(plan.run, &[dates, "costs 0.10 in place of 0.60"]);
        workspace.plan().ok().assert_empty();

        eprintln!("   raised by AWS");
        account.put(
            "eks",
            "cluster",
            "test",
            &json!({ "version": "1.35" }),
            &json!([]),
        );
        for arguments in ["", "\nallow_rollback = true"] {
            workspace.write("main.tf", &at("1.34", &format!("{pinned}{arguments}")));
            says(
                workspace.plan().failed(),
                &["EKB2221", "Write `kubernetes_version = \"1.35\"`"],
            );
        }
        account.put(
            "eks",
            "cluster",
            "test",
            &json!({ "version": "1.34" }),
            &json!([]),
        );

        eprintln!("   refused");
        workspace.write("main.tf", &at("1.32", "allow_rollback = true"));
        workspace.plan().failed().says("by one minor at most");
        workspace.write("main.tf", &at("1.33", ""));
        workspace.plan().failed().says("allow_rollback = true");
        workspace.write(
            "main.tf",
            &at("1.33", "allow_rollback = true\nsupport = \"standard\""),
        );
        workspace.plan().failed().says("EKB2203");
        let finding = |name: &str| {
            json!([{
                "name": name, "category": "ROLLBACK_READINESS", "kubernetesVersion": "1.33",
                "insightStatus": { "status": "ERROR", "reason": "Something uses it." },
            }])
        };
        workspace.write("main.tf", &at("1.33", "allow_rollback = true"));
        account.insights("test", &finding("API usage compatibility"), false);
        workspace.plan().failed().says("EKB2223");

        eprintln!("   back");
        account.insights("test", &finding("Kubelet version skew"), false);
        let plan = workspace.plan().ok();
        account.insights("test", &json!([]), false);
        account.clear_log();
        workspace.apply_plan(&plan).ok();
        says(plan.run, &["EKB2204", "Kubelet version skew"]);
        let done = changes(account);
        let last = done.len() - 1;
        let position = |what: &str| done.iter().position(|one| one == what).unwrap_or(usize::MAX);
        assert_eq!(position("config"), 0, "{done:?}");
        assert!(
            position("nodes 1.33") < last && position("addon coredns") < last,
            "{done:?}"
        );
        assert!(position("addon kube-proxy") < last, "{done:?}");
        let cluster = position("cluster 1.33");
        assert!(
            cluster > position("nodes 1.33") && cluster > position("addon kube-proxy"),
            "{done:?}"
        );
        workspace.plan().ok().assert_empty();

        eprintln!("   no further");
        workspace.write("main.tf", &at("1.32", "allow_rollback = true"));
        workspace.plan().failed().says("EKB2244");
        account.assert_understood();
    });
}
