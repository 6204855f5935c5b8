//! A cluster that exists is found: by its data source, by `terraform query`, by its identity.

use acceptance_tests::{Cli, Rig, Workspace};

use crate::cluster;

#[test]
fn what_exists_is_found_by_name_query_and_identity() {
    let Some(cli) = Cli::named("terraform-1.15") else {
        panic!("only Terraform 1.14 and newer has query");
    };
    let account = Rig::shared_with_clusters().account();
    account.set_time_scale(40.0);
    let maker = Workspace::new(&cli, &account);
    maker.write("main.tf", &cluster(""));
    maker.apply().ok();

    // Another unit, with a state of its own.
    let other = Workspace::new(&cli, &account);
    other.write(
        "main.tf",
        "data \"ekb_cluster\" \"main\" {}\n\
         output \"found\" {\n  value = [data.ekb_cluster.main.arn, data.ekb_cluster.main.kubernetes_version, data.ekb_cluster.main.status]\n}\n\
         output \"roles\" {\n  value = data.ekb_cluster.main.role_arns\n}\n",
    );
    other.apply().ok();
    let outputs = other.outputs();
    let arn = format!("arn:aws:eks:eu-central-1:{}:cluster/test", account.id());
    assert_eq!(
        outputs["found"],
        serde_json::json!([arn, "1.35", "complete"]),
        "{outputs}"
    );
    other.write(
        "main.tf",
        "data \"ekb_cluster\" \"main\" {\n  name = \"elsewhere\"\n}\n",
    );
    other.plan().failed().says("EKB2111");
    other.remove("main.tf");

    other.write(
        "all.tfquery.hcl",
        "list \"ekb_cluster\" \"all\" {\n  provider = ekb\n}\n",
    );
    let query = other.run(&["query", "-no-color"]).ok().stdout;
    assert!(query.contains("name=test,region=eu-central-1"), "{query}");
    other.remove("all.tfquery.hcl");
    other.remove("terraform.tfstate");

    // By identity; the arguments are those with which it was made.
    let import = "import {\n  to = ekb_cluster.main\n  identity = {\n    environment = \"test\"\n    name        = \"test\"\n  }\n}\n";
    let declared = maker.read("main.tf").unwrap_or_default();
    other.write("main.tf", &declared);
    other.write(
        "import.tf",
        &format!("{import}import {{\n  to = ekb_network.main\n  identity = {{\n    environment = \"test\"\n    name        = \"test\"\n  }}\n}}\n"),
    );
    let run = other.apply().ok();
    assert!(run.stdout.contains("2 imported"), "{run}");
    assert!(
        !account
            .mutations()
            .iter()
            .any(|call| call.operation.starts_with("Delete")),
        "{run}"
    );
    other.plan().ok().assert_empty();
    other.destroy().ok();
    account.assert_empty();
    account.assert_understood();
}
