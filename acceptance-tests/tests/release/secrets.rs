//! Secret values: sent by version, shown nowhere.

use acceptance_tests::Workspace;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use crate::{cluster, helm_json, release, statuses};

#[test]
fn secret_values_are_sent_by_version_and_shown_nowhere() {
    Workspace::with_clusters(Some(2), |workspace, account| {
        cluster(account);
        let with = |token: &str, version: i64, more: &str| {
            let secret =
                format!("values_wo = {{ token = \"{token}\"{more} }}\nvalues_wo_version = {version}");
            workspace.write(
                "main.tf",
                &release(&format!("values = {{ replicas = 1 }}\n{secret}")),
            );
        };
        with("hunter2-first", 1, "");
        let plan = workspace.plan().ok();
        assert!(plan.run.output().contains("(secret)"), "{}", plan.run);
        let mut told = format!("{}{}", plan.json()["resource_changes"], plan.run);
        told += &workspace.apply_plan(&plan).ok().to_string();
        workspace.plan().ok().assert_empty();
        let api = account.cluster("main");
        let token = || {
            let data = api.get("/api/v1/namespaces/web/secrets/web-token").unwrap()["data"]["token"].clone();
            String::from_utf8(BASE64_STANDARD.decode(data.as_str().unwrap()).unwrap()).unwrap()
        };
        let deployment = "/apis/apps/v1/namespaces/web/deployments/web";
        let generation = || api.get(deployment).unwrap()["spec"]["template"].clone();
        assert_eq!(token(), "hunter2-first");
        let first = generation();
        assert_eq!(
            helm_json(&api, "web", &["get", "values", "web"])["token"],
            "hunter2-first"
        );

        // Another secret of the same version is not sent.
        with("hunter2-second", 1, "");
        workspace.plan().ok().assert_empty();
        with("hunter2-second", 2, "");
        let plan = workspace.plan().ok();
        assert_eq!(plan.action("ekb_release.web"), "update");
        told += &format!("{}{}", plan.json()["resource_changes"], plan.run);
        told += &workspace.apply_plan(&plan).ok().to_string();
        workspace.plan().ok().assert_empty();
        assert_eq!(token(), "hunter2-second");
        assert_ne!(generation(), first, "its digest in the template is another");
        assert_eq!(statuses(&api), ["superseded", "deployed"]);
        told += &workspace.read("terraform.tfstate").unwrap();

        // Only values may be secret; what the API or a schema says of one is not repeated.
        with("hunter2-second", 3, ", debug = true");
        told += &workspace
            .plan()
            .failed()
            .says("EKB2411")
            .says("web-debug")
            .to_string();
        with("hunter2-second", 3, ", greeting = 12345678");
        told += &workspace.plan().failed().says("EKB2402").to_string();
        // The line of the configuration at which an error is, core shows.
        let lines = told.lines().filter(|line| !line.contains("values_wo = "));
        let told = lines.collect::<Vec<_>>().join("\n");
        for secret in ["hunter2", "12345678"] {
            let at = told
                .find(secret)
                .map(|at| told[at.saturating_sub(200)..at + 20].to_owned());
            assert_eq!(at, None, "{secret}");
        }

        // An import does not take them into the state.
        with("hunter2-second", 2, "");
        workspace.state_rm("ekb_release.web").ok();
        workspace.import("ekb_release.web", "main/web/web").ok();
        assert!(!workspace.read("terraform.tfstate").unwrap().contains("hunter2"));
        let state = workspace.resource("ekb_release.web").unwrap();
        assert_eq!(state["values"]["value"], json!({"replicas": 1}));
        workspace.apply().ok();
        workspace.plan().ok().assert_empty();
        workspace.destroy().ok();
    });
}
