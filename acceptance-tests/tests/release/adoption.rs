//! What helm installed, and what no state knows any more, is taken over.

use acceptance_tests::{Kubernetes, Workspace};
use serde_json::{Value, json};

use crate::{chart_folder, cluster, helm_json, statuses_in};

/// A release `web` in the namespace `n`, as the resource `n`.
fn release(n: &str, arguments: &str) -> String {
    format!(
        "resource \"ekb_release\" \"{n}\" {{\n  name = \"web\"\n  cluster = \"main\"\n  namespace = \"{n}\"\n  chart = \"{}\"\n\
         {arguments}\n}}\n",
        chart_folder()
    )
}

fn install(api: &Kubernetes, namespace: &str, more: &[&str]) {
    let folder = chart_folder();
    let arguments = [
        "install",
        "web",
        &folder,
        "--create-namespace",
        "--set",
        "replicas=1",
    ];
    api.helm(namespace, &[&arguments[..], more].concat()).ok();
}

/// What must not change when somebody else takes over: pods, hooks' objects, what was generated.
fn lasting(api: &Kubernetes, namespace: &str) -> Vec<Value> {
    let mut all = Vec::new();
    for path in [
        format!("/api/v1/namespaces/{namespace}/pods"),
        format!("/apis/batch/v1/namespaces/{namespace}/jobs"),
    ] {
        all.extend(api.list(&path).iter().map(|one| one["metadata"]["uid"].clone()));
    }
    for secret in api.list(&format!("/api/v1/namespaces/{namespace}/secrets")) {
        if secret["type"] != "helm.sh/release.v1" {
            all.push(secret["data"].clone());
        }
    }
    let deployment = format!("/apis/apps/v1/namespaces/{namespace}/deployments/web");
    // Not its generation, which counts changes of annotations too.
    all.push(api.get(&deployment).unwrap()["spec"].clone());
    all
}

/// The managers of an object's fields, and how they came to have them.
fn managers(object: &Value) -> Vec<String> {
    let entries = object["metadata"]["managedFields"].as_array().unwrap();
    let named = |entry: &Value| {
        let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        format!("{} {}{}", text("manager"), text("operation"), text("subresource"))
    };
    entries.iter().map(named).collect()
}

#[test]
fn what_helm_installed_is_imported_and_taken_over() {
    Workspace::with_clusters(Some(2), |workspace, account| {
        cluster(account);
        let api = account.cluster("main");
        install(&api, "a", &["--set", "hooks=true,generated=true"]);
        install(&api, "b", &["--server-side=false", "--skip-crds"]);
        let before = ["a", "b"].map(|n| lasting(&api, n));
        let deployment = |n: &str| {
            api.get(&format!("/apis/apps/v1/namespaces/{n}/deployments/web"))
                .unwrap()
        };
        assert!(managers(&deployment("b")).contains(&"helm Update".to_owned()));

        let values = "values = { replicas = 1, hooks = true, generated = true }";
        let both = |of_b: &str| {
            let of_b = format!("skip_crds = true\nvalues = {{ replicas = 1{of_b} }}");
            format!("{}{}", release("a", values), release("b", &of_b))
        };
        workspace.write("main.tf", &both(""));
        workspace.import("ekb_release.a", "main/a/web").ok();
        workspace.import("ekb_release.b", "main/b/web").ok();
        let plan = workspace.plan().ok();
        for n in ["a", "b"] {
            let change = plan.change(&format!("ekb_release.{n}"));
            assert_eq!(change.action(), "update", "{}", plan.run);
            assert_eq!(change.before["values"], change.after["values"], "{}", plan.run);
            let objects = |of: &Value| of["objects"].as_object().unwrap().clone();
            let (is, should) = (objects(&change.before), objects(&change.after));
            for (key, fields) in &should {
                let is_told = ["release", "deployed"].contains(&key.as_str()) || key.contains("hook/");
                let is_new = key.contains("web.test") || fields.to_string().contains("(generated)");
                assert!(
                    is_told || is_new || is.get(key) == Some(fields),
                    "{key}: {}",
                    plan.run
                );
            }
            assert!(is.keys().all(|key| should.contains_key(key)), "{}", plan.run);
        }
        workspace.apply_plan(&plan).ok();
        workspace.plan().ok().assert_empty();
        assert_eq!(["a", "b"].map(|n| lasting(&api, n)), before);
        for n in ["a", "b"] {
            let managers = managers(&deployment(n));
            assert!(!managers.contains(&"helm Update".to_owned()), "{managers:?}");
            assert!(managers.contains(&"helm Apply".to_owned()), "{managers:?}");
            let history = helm_json(&api, n, &["history", "web"]);
            assert_eq!(history.as_array().unwrap().len(), 1, "{history}");
            assert_eq!(history[0]["description"], "Install complete");
        }

        // What is declared otherwise is an upgrade; what is left out of the chart goes, though it came by a client's apply.
        workspace.write("main.tf", &both(", greeting = \"bye\", labelled = false"));
        workspace.apply().ok();
        workspace.plan().ok().assert_empty();
        let map = api.get("/api/v1/namespaces/b/configmaps/web").unwrap();
        assert_eq!(map["data"]["greeting"], "bye");
        assert!(deployment("b")["metadata"]["labels"].get("app").is_none());
        assert_eq!(statuses_in(&api, "b"), ["superseded", "deployed"]);
        let history = helm_json(&api, "b", &["history", "web"]);
        assert_eq!(history[1]["description"], "Upgrade complete");
        workspace.destroy().ok();
        for n in ["a", "b"] {
            assert!(
                api.get(&format!("/api/v1/namespaces/{n}/configmaps/web"))
                    .is_none()
            );
            assert_eq!(statuses_in(&api, n), [""; 0]);
        }
    });
}

#[test]
fn what_is_there_is_refused_adopted_and_found_again() {
    Workspace::with_clusters(Some(1), |workspace, account| {
        cluster(account);
        let api = account.cluster("main");
        install(&api, "a", &["--set", "greeting=hi"]);
        let before = lasting(&api, "a");
        let values = "values = { replicas = 1, greeting = \"hi\" }";
        workspace.write("main.tf", &release("a", values));
        let run = workspace.plan().ok().run.says("EKB2033");
        assert_eq!(run.warnings().len(), 1, "{run}");
        let run = workspace
            .apply()
            .failed()
            .says("terraform import ADDRESS main/a/web")
            .says("adopt = true");
        assert_eq!(run.errors().len(), 1, "{run}");
        assert_eq!(lasting(&api, "a"), before);

        workspace.write("main.tf", &release("a", &format!("{values}\nadopt = true")));
        let told = workspace.plan().ok().run.output();
        assert!(told.contains("EKB2052"), "{told}");
        workspace.apply().ok();
        workspace.plan().ok().assert_empty();
        assert_eq!(lasting(&api, "a"), before);
        assert_eq!(statuses_in(&api, "a"), ["deployed"]);

        // The state is lost: nobody else takes it, and an import knows all of it, by its identity too.
        workspace.state_rm("ekb_release.a").ok();
        workspace
            .apply()
            .failed()
            .says("EKB1302")
            .says("import ADDRESS test/main/a/web");
        workspace.remove("main.tf");
        workspace.write(
            "import.tf",
            "import {\n  to = ekb_release.a\n  id = \"test/main/a/web\"\n}\n",
        );
        let run = workspace.plan_only(&["-generate-config-out=generated.tf"]);
        let generated = workspace.read("generated.tf").unwrap_or_default();
        assert!(generated.contains("greeting"), "{run}");
        let plan = workspace.plan().ok();
        assert_eq!(plan.action("ekb_release.a"), "no-op", "{generated}{}", plan.run);
        workspace.apply().ok();
        workspace.remove("import.tf");
        workspace.plan().ok().assert_empty();
        assert_eq!(lasting(&api, "a"), before);
        let state = workspace.resource("ekb_release.a").unwrap();
        assert_eq!(state["values"]["value"]["greeting"], json!("hi"));
        workspace.run(&["plan", "-no-color", "-destroy"]).ok();
        workspace.destroy().ok();
        assert_eq!(statuses_in(&api, "a"), [""; 0]);
    });
}
