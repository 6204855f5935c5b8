//! What organisations and EKS demand of a cluster.

use acceptance_tests::{Fault, Workspace};

use crate::{ADDRESS, cluster};

/// Accounts whose policies deny what is made without a tag, an entry of machines, the range of Services: in one cluster.
#[test]
fn what_organisations_and_eks_demand_is_met() {
    Workspace::in_turn(1, |workspace, account| {
        let nodes = |more: &str| {
            cluster(&format!(
                "default_storage_class = false\naccess = {{ machines = {{ principal_arn = \"arn:aws:iam::{}:role/machines\", kind = \"EC2_LINUX\" {more} }} }}",
                account.id()
            ))
        };
        // Everything that may be born with tags is (gruntwork-io/terragrunt, dynamodb-lock-table-tags).
        account.fault(&Fault::deny().on("Create*").untagged("cost").always());
        workspace.write("main.tf", &nodes(""));
        workspace.apply().failed().says("EKB1108");
        assert!(account.faults_fired() > 0);
        let tagged = workspace.read("provider.tf").unwrap_or_default();
        let tags = "provider \"ekb\" {\n  default_tags {\n    tags = { cost = \"platform\" }\n  }\n";
        workspace.write("provider.tf", &tagged.replacen("provider \"ekb\" {\n", tags, 1));
        account.clear_faults();
        account.fault(&Fault::deny().on("Create*").untagged("cost").always());
        account.clear_log();
        workspace.apply().ok();
        assert_eq!(account.faults_fired(), 0);
        account.clear_faults();

        // The range of Services is always said: EKS would choose one that may be a peer's.
        let calls = account.mutations();
        let create = calls.iter().find(|call| call.operation == "CreateCluster");
        let network = create
            .map(|call| call.params["kubernetesNetworkConfig"].clone())
            .unwrap_or_default();
        assert_eq!(network["serviceIpv4Cidr"], "172.20.0.0/16");

        // EKS gives entries of machines groups of its own, and takes no others (aws-controllers-k8s/community#2144).
        workspace.plan().ok().assert_empty();
        workspace.write("main.tf", &nodes(", groups = [\"mine\"]"));
        workspace.plan().failed().says("EKB2215");
        let elsewhere = nodes("").replace(
            "default_storage_class = false",
            "default_storage_class = false\nservice_cidr = \"172.21.0.0/16\"",
        );
        workspace.write("main.tf", &elsewhere);
        let refused = workspace.plan().failed();
        assert!(refused.output().contains("service_cidr"), "{refused}");
        workspace.write("main.tf", &nodes(""));
        assert_eq!(
            workspace.resource(ADDRESS).unwrap_or_default()["service_cidr"],
            "172.20.0.0/16"
        );
        workspace.destroy().ok();
        account.assert_empty();
        account.assert_understood();
    });
}
