//! Changes that fail are taken back; what values do not reach is patched; a namespace goes with the last release in it.

use acceptance_tests::Workspace;
use serde_json::json;

use crate::{cluster, helm_json, release, statuses};

#[test]
fn a_change_that_fails_is_taken_back() {
    Workspace::with_clusters(Some(1), |workspace, account| {
        cluster(account);
        let api = account.cluster("main");
        let with = |values: &str| {
            let more = "atomic = true\ntimeouts {\n  update = \"90s\"\n}";
            workspace.write(
                "main.tf",
                &release(&format!("values = {{ generated = true, {values} }}\n{more}")),
            );
        };
        with("replicas = 1");
        workspace.apply().ok();
        let secret =
            || api.get("/api/v1/namespaces/web/secrets/web-password").unwrap()["data"]["plain"].clone();
        let first = secret();
        // More pods than the nodes hold.
        with("replicas = 9, greeting = \"bye\", debug = true");
        let run = workspace.apply().failed().says("EKB2053");
        let deployment = api.get("/apis/apps/v1/namespaces/web/deployments/web").unwrap();
        assert_eq!(deployment["spec"]["replicas"], 1, "{run}");
        let map = |name: &str| api.get(&format!("/api/v1/namespaces/web/configmaps/{name}"));
        assert_eq!(map("web").unwrap()["data"]["greeting"], "hello");
        assert!(map("web-debug").is_none());
        assert_eq!(secret(), first, "what is generated stays");
        assert_eq!(statuses(&api), ["superseded", "failed", "deployed"]);
        assert_eq!(
            helm_json(&api, "web", &["history", "web"])[2]["description"],
            "Rollback to 1"
        );
        assert_eq!(workspace.plan().ok().action("ekb_release.web"), "update");
        with("replicas = 1");
        workspace.plan().ok().assert_empty();
        workspace.destroy().ok();
    });
}

#[test]
fn objects_are_patched_and_a_namespace_goes_with_its_last_release() {
    Workspace::with_clusters(Some(2), |workspace, account| {
        cluster(account);
        let api = account.cluster("main");
        let patch = |key: &str, operation: &str| {
            let values = "values = { replicas = 1 }";
            let overlay = format!("overlay = {{ \"{key}\" = [{operation}] }}");
            workspace.write("main.tf", &release(&format!("{values}\n{overlay}")));
        };
        patch(
            "Deployment.apps/web/other",
            "{ op = \"remove\", path = \"/spec/replicas\" }",
        );
        workspace.plan().failed().says("EKB2405").says("no such object");
        let patience = "{ op = \"add\", path = \"/spec/minReadySeconds\", value = 1 }";
        patch("Deployment.apps/web/web", patience);
        let plan = workspace.plan().ok();
        let objects = plan.change("ekb_release.web").after["objects"].clone();
        assert!(
            objects["Deployment.apps/web/web"]
                .to_string()
                .contains("minReadySeconds"),
            "{}",
            plan.run
        );
        workspace.apply_plan(&plan).ok();
        workspace.plan().ok().assert_empty();
        let deployment = "/apis/apps/v1/namespaces/web/deployments/web";
        assert_eq!(api.get(deployment).unwrap()["spec"]["minReadySeconds"], 1);

        // The state is lost: the patch is an argument that an import finds.
        workspace.state_rm("ekb_release.web").ok();
        workspace.import("ekb_release.web", "main/web/web").ok();
        workspace.plan().ok().assert_empty();

        // Somebody else is in the namespace: it stays until they are gone.
        let other = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "theirs"}});
        api.request("POST", "/api/v1/namespaces/web/configmaps", Some(&other))
            .unwrap();
        workspace.destroy().ok();
        let namespace = || api.get("/api/v1/namespaces/web");
        assert!(namespace().is_some_and(|one| one["metadata"]["deletionTimestamp"].is_null()));
        assert!(api.get("/api/v1/namespaces/web/configmaps/theirs").is_some());
        api.delete("/api/v1/namespaces/web/configmaps/theirs");
        workspace.apply().ok();
        workspace.destroy().ok();
        assert!(namespace().is_none_or(|one| one["metadata"]["deletionTimestamp"].is_string()));
        // At once again: the one that is going is waited for.
        workspace.apply().ok();
        assert!(namespace().is_some());
        workspace.destroy().ok();
    });
}
