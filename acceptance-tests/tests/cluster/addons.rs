//! Add-ons that are not well, belong to two, or are known to be bad.

use acceptance_tests::{Fault, Workspace};
use serde_json::json;

use crate::{ADDRESS, BARE, cluster, patient};

fn with(arguments: &str) -> String {
    patient(&format!("{BARE}\n{arguments}"))
}

/// One cluster for all of it, since making one is what takes time.
#[test]
fn an_add_on_that_is_not_well_stays_and_is_told() {
    Workspace::in_turn(2, |workspace, account| {
        // Nothing runs its pods: DEGRADED, which is told when the time-out is over, and kept.
        let empty = format!("{BARE}\nsystem_nodes = {{ min = 0, max = 2 }}");
        workspace.write("main.tf", &cluster(&empty));
        workspace
            .apply()
            .failed()
            .says("InsufficientNumberOfReplicas")
            .says("EKB1122");
        account.clear_log();
        workspace.write("main.tf", &with("system_nodes = { min = 2, max = 3 }"));
        workspace.apply().ok();
        let deleted = || {
            account
                .mutations()
                .iter()
                .any(|call| call.operation == "DeleteAddon")
        };
        assert!(!deleted());
        workspace.plan().ok().assert_empty();

        // EKS gives up on the update, and the add-on becomes well with its new version (hashicorp/terraform-provider-aws#49104).
        let pinned = |version: &str| {
            with(&format!(
                "system_nodes = {{ min = 2, max = 3 }}\naddons = {{ coredns = {{ version = \"{version}\" }} }}"
            ))
        };
        account
            .fault(&Fault::fail_later("InsufficientNumberOfReplicas", "It took too long.").on("UpdateAddon"));
        workspace.write("main.tf", &pinned("v1.13.2-eksbuild.4"));
        workspace.apply().ok();
        assert_eq!(account.faults_fired(), 1);
        account.clear_faults();
        workspace.plan().ok().assert_empty();

        // An update that really failed is told at once, and done by the next apply.
        account.fault(&Fault::fail_later("ConfigurationConflict", "It was not to be.").on("UpdateAddon"));
        workspace.write("main.tf", &pinned("v1.13.2-eksbuild.1"));
        workspace
            .apply()
            .failed()
            .says("ConfigurationConflict: It was not to be.");
        account.clear_faults();
        workspace.apply().ok();
        assert!(!deleted());

        // Known to be bad.
        let bad = "addons = { aws-ebs-csi-driver = { version = \"v1.51.0-eksbuild.1\" } }";
        workspace.write(
            "main.tf",
            &with(&format!("system_nodes = {{ min = 2, max = 3 }}\n{bad}")),
        );
        workspace.plan().failed().says("EKB2285");
        workspace.write("main.tf", &pinned("v1.13.2-eksbuild.1"));
        workspace.destroy().ok();
        account.assert_empty();
        account.assert_understood();
    });
}

/// A role by an association of its own, made by hand before: the add-on takes it over where it is the same role, and else it is told.
#[test]
fn an_association_made_by_hand_goes_over_to_the_add_on() {
    Workspace::standing(0, &patient(BARE), |workspace, account| {
        let role = format!("arn:aws:iam::{}:role/by-hand", account.id());
        workspace.write(
            "main.tf",
            &with("addons = { aws-ebs-csi-driver = { enabled = false } }"),
        );
        workspace.apply().ok();
        let by_hand = json!({"clusterName": "test", "namespace": "kube-system", "serviceAccount": "ebs-csi-controller-sa", "roleArn": role});
        account.eks("CreatePodIdentityAssociation", &by_hand);

        workspace.write("main.tf", &with(""));
        let run = workspace.apply().failed().says("ResourceInUseException");
        let said = run.output();
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            said.contains(&format!(
                "gives kube-system/ebs-csi-controller-sa the role {role}"
            )),
            "{said}"
        );

        workspace.write(
            "main.tf",
            &with(&format!(
                "addons = {{ aws-ebs-csi-driver = {{ role_arn = \"{role}\" }} }}"
            )),
        );
        workspace.apply().ok();
        workspace.plan().ok().assert_empty();
        let of = json!({"clusterName": "test", "namespace": "kube-system", "serviceAccount": "ebs-csi-controller-sa"});
        let there = account.eks("ListPodIdentityAssociations", &of);
        let there = there["associations"].as_array().cloned().unwrap_or_default();
        assert_eq!(there.len(), 1, "{there:?}");
        assert!(
            there[0]["ownerArn"]
                .as_str()
                .unwrap_or_default()
                .contains(":addon/test/aws-ebs-csi-driver/")
        );
        assert_eq!(
            workspace.resource(ADDRESS).unwrap_or_default()["role_arns"]["aws-ebs-csi-driver"],
            role
        );
        workspace.destroy().ok();
        account.assert_empty();
        account.assert_understood();
    });
}
