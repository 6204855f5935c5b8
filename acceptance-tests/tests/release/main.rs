//! `ekb_release` as users have it: a chart in a cluster with the real API server.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod adoption;
mod beside;
mod changes;
mod cuts;
mod repositories;
mod secrets;

use std::path::Path;
use std::time::Duration;

use acceptance_tests::{Account, Kubernetes, Workspace, until};
use serde_json::{Value, json};

/// The chart `web` of this folder.
fn chart_folder() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/charts/web")
        .display()
        .to_string()
}

fn release(arguments: &str) -> String {
    format!(
        "resource \"ekb_release\" \"web\" {{\n  name    = \"web\"\n  cluster = \"main\"\n  chart   = \"{}\"\n{arguments}\n}}\n",
        chart_folder()
    )
}

/// A cluster with a control plane behind it, which the provider's identity may enter.
fn cluster(account: &Account) {
    let subnets = account.subnets();
    account.eks(
        "CreateCluster",
        &json!({
            "name": "main", "version": "1.35", "roleArn": format!("arn:aws:iam::{}:role/cluster", account.id()),
            "resourcesVpcConfig": {"subnetIds": subnets},
            "accessConfig": {"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": true},
        }),
    );
    account.advance(3600.0);
    until("the cluster", Duration::from_secs(120), || {
        account.eks("DescribeCluster", &json!({"name": "main"}))["cluster"]["status"] == "ACTIVE"
    });
    account.eks(
        "CreateNodegroup",
        &json!({
            "clusterName": "main", "nodegroupName": "nodes", "subnets": subnets, "instanceTypes": ["m7g.large"],
            "nodeRole": format!("arn:aws:iam::{}:role/node", account.id()), "amiType": "AL2023_ARM_64_STANDARD",
            "scalingConfig": {"minSize": 2, "maxSize": 2, "desiredSize": 2},
        }),
    );
    // What controllers do takes its own time.
    account.set_time_scale(20.0);
}

#[test]
fn a_chart_is_installed_updated_and_removed() {
    Workspace::with_clusters(Some(0), |workspace, account| {
        // Before there is a cluster the plan shows every object.
        let version = "kubernetes_version = \"1.35\"";
        workspace.write("main.tf", &release(version));
        let plan = workspace.plan().ok();
        let objects = planned(&plan.change("ekb_release.web").after);
        assert_eq!(
            objects,
            [
                "ConfigMap/web/web",
                "CustomResourceDefinition.apiextensions.k8s.io/widgets.web.test",
                "Deployment.apps/web/web",
                "Role.rbac.authorization.k8s.io/web/web",
                "RoleBinding.rbac.authorization.k8s.io/web/web",
                "Service/web/web",
                "ServiceAccount/web/web",
                "Widget.web.test/web/web",
                "deployed",
                "release",
            ]
        );

        cluster(account);
        workspace.apply().ok();
        workspace.plan().ok().assert_empty();
        let api = account.cluster("main");
        let map = api.get("/api/v1/namespaces/web/configmaps/web").unwrap();
        assert_eq!(map["data"]["greeting"], "hello");
        assert_eq!(map["metadata"]["labels"]["app.kubernetes.io/managed-by"], "Helm");
        assert!(api.get("/apis/web.test/v1/namespaces/web/widgets/web").is_some());
        assert_eq!(statuses(&api), ["deployed"]);
        let list = helm_json(&api, "web", &["list"]);
        assert_eq!(
            (&list[0]["name"], &list[0]["status"], &list[0]["chart"]),
            (&json!("web"), &json!("deployed"), &json!("web-1.0.0"))
        );
        let notes = api.helm("web", &["get", "notes", "web"]).ok();
        assert!(notes.stdout.contains("web greets with hello."), "{notes}");

        // An argument that changes one object, and one that adds another.
        workspace.write(
            "main.tf",
            &release(&format!(
                "{version}\nvalues = {{ greeting = \"bye\", debug = true }}"
            )),
        );
        workspace.apply().ok();
        workspace.plan().ok().assert_empty();
        let map = api.get("/api/v1/namespaces/web/configmaps/web").unwrap();
        assert_eq!(map["data"]["greeting"], "bye");
        assert!(api.get("/api/v1/namespaces/web/configmaps/web-debug").is_some());
        assert_eq!(statuses(&api), ["superseded", "deployed"]);

        // What somebody changes is shown and mended.
        api.merge(
            "/apis/apps/v1/namespaces/web/deployments/web",
            &json!({"spec": {"template": {"spec": {"serviceAccountName": "default"}}}}),
        )
        .unwrap();
        let said = workspace.plan().ok().run.output();
        assert!(said.contains("serviceAccountName"), "{said}");
        workspace.apply().ok();
        workspace.plan().ok().assert_empty();

        workspace.write("main.tf", &release(version));
        workspace.apply().ok();
        assert!(api.get("/api/v1/namespaces/web/configmaps/web-debug").is_none());
        // A definition stays, since with it all objects of it would go, and is taken up again.
        let said = workspace.destroy().ok().output();
        assert!(
            said.contains("widgets.web.test") && said.contains("delete_crds"),
            "{said}"
        );
        assert!(api.get("/api/v1/namespaces/web/configmaps/web").is_none());
        assert_eq!(statuses(&api), [""; 0]);
        let definition = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.web.test";
        assert!(api.get(definition).is_some());
        workspace.write("main.tf", &release("delete_crds = true"));
        workspace.apply().ok();
        workspace.plan().ok().assert_empty();
        workspace.destroy().ok();
        assert!(api.get(definition).is_none());
    });
}

#[test]
fn what_exists_stays_whichever_argument_is_unknown() {
    Workspace::with_clusters(Some(0), |workspace, account| {
        cluster(account);
        let consumer = "resource \"terraform_data\" \"consumer\" {\n  triggers_replace = [ekb_release.web.id, ekb_release.web.namespace]\n}\n";
        let with = |arguments: &str| format!("{}{consumer}", release(arguments));
        workspace.write("main.tf", &with(""));
        workspace.apply().ok();
        let arguments = [
            "values = { greeting = terraform_data.late.output }",
            "version = terraform_data.late.output",
            "kubernetes_version = \"1.${terraform_data.late.output}\"",
            "history_max = terraform_data.late.output",
            "api_versions = [terraform_data.late.output]",
            "values_files = [terraform_data.late.output]",
            "skip_crds = terraform_data.late.output == \"x\"",
            "delete_crds = terraform_data.late.output == \"x\"",
        ];
        for argument in arguments {
            let late = "resource \"terraform_data\" \"late\" {\n  input = \"35\"\n}\n";
            workspace.write("main.tf", &format!("{}{late}", with(argument)));
            let plan = workspace.plan().ok();
            assert_eq!(
                plan.action("ekb_release.web"),
                "update",
                "{argument}: {}",
                plan.run
            );
            assert_eq!(
                plan.action("terraform_data.consumer"),
                "no-op",
                "{argument}: {}",
                plan.run
            );
        }
        // It is applied as it was planned.
        let late = "resource \"terraform_data\" \"late\" {\n  input = \"bye\"\n}\n";
        let argument = "values = { greeting = terraform_data.late.output }";
        workspace.write("main.tf", &format!("{}{late}", with(argument)));
        workspace.apply().ok();
        workspace.plan().ok().assert_empty();
        let api = account.cluster("main");
        let map = api.get("/api/v1/namespaces/web/configmaps/web").unwrap();
        assert_eq!(map["data"]["greeting"], "bye");
        workspace.destroy().ok();
    });
}

#[test]
fn two_interruptions_and_a_destroy_leave_nothing() {
    Workspace::with_clusters(Some(1), |workspace, account| {
        cluster(account);
        let api = account.cluster("main");
        // More than the nodes hold: it is waited for.
        workspace.write(
            "main.tf",
            &release("delete_crds = true\nvalues = { replicas = 500 }"),
        );
        let arguments = ["apply", "-no-color", "-auto-approve"];
        let deployment = "/apis/apps/v1/namespaces/web/deployments/web";
        let mut running = workspace.start(&arguments);
        until("the Deployment", Duration::from_secs(60), || {
            api.get(deployment).is_some()
        });
        running.kill();
        let _ = running.wait(Duration::from_secs(60));
        let first = api.get(deployment).unwrap();
        assert_eq!(statuses(&api), ["pending-install"]);

        let mut running = workspace.start(&arguments);
        until("the apply goes on", Duration::from_secs(60), || {
            running.so_far().contains("Still creating")
        });
        running.interrupt();
        let run = running.wait(Duration::from_secs(60)).failed();
        assert_eq!(
            api.get(deployment).unwrap()["metadata"]["uid"],
            first["metadata"]["uid"],
            "{run}"
        );
        assert_eq!(statuses(&api), ["pending-install"], "one revision");
        workspace.destroy().ok();
        for left in ["configmaps/web", "serviceaccounts/web", "services/web"] {
            assert!(
                api.get(&format!("/api/v1/namespaces/web/{left}")).is_none(),
                "{left}"
            );
        }
        assert!(api.get(deployment).is_none());
        assert!(
            api.get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.web.test")
                .is_none()
        );
        assert_eq!(statuses(&api), [""; 0]);
    });
}

#[test]
fn mistakes_are_refused_at_plan() {
    Workspace::in_turn(2, |workspace, _account| {
        let version = "kubernetes_version = \"1.35\"";
        let of = |chart: &str, arguments: &str| {
            release(&format!("{version}\n{arguments}")).replace(&chart_folder(), chart)
        };
        let own = chart_folder();
        let cases = [
            (of("/nowhere/chart", ""), "EKB2401", "${path.module}"),
            (
                of(&own, "values = { replicas = \"two\" }"),
                "EKB2402",
                "got string, want integer",
            ),
            (of(&own, "values = [1]"), "EKB2403", "name = value"),
            (
                of(&own, "values_files = [\"nowhere.yaml\"]"),
                "EKB2404",
                "${path.module}",
            ),
            (of(&own, "tags = { a = \"b\" }"), "EKB2406", "labels"),
        ];
        for (text, code, words) in cases {
            workspace.write("main.tf", &text);
            workspace.plan().failed().says(code).says(words);
        }
        workspace.write("main.tf", &of(&own, "values = { greeting = \"hi\" }"));
        workspace.plan().ok();
    });
}

#[test]
fn generated_values_are_made_once_and_kept() {
    Workspace::with_clusters(Some(2), |workspace, account| {
        cluster(account);
        let with = |values: &str| release(&format!("values = {{ generated = true, {values} }}"));
        workspace.write("main.tf", &with(""));
        let plan = workspace.plan().ok();
        assert!(plan.run.output().contains("(generated)"), "{}", plan.run);
        workspace.apply_plan(&plan).ok();
        let api = account.cluster("main");
        let secret = |name: &str| {
            let path = format!("/api/v1/namespaces/web/secrets/{name}");
            api.get(&path).unwrap()["data"].clone()
        };
        let (first, pair) = (secret("web-password"), secret("web-tls"));
        assert_ne!(first["plain"], first["packed"]);
        for _ in 0..2 {
            workspace.plan().ok().assert_empty();
        }
        let state = workspace.read("terraform.tfstate").unwrap();
        for value in first
            .as_object()
            .unwrap()
            .values()
            .chain(pair.as_object().unwrap().values())
        {
            assert!(!state.contains(value.as_str().unwrap()), "{value}");
        }

        // What else changes of the object takes nothing of it along.
        workspace.write("main.tf", &with("greeting = \"bye\""));
        workspace.apply().ok();
        let second = secret("web-password");
        assert_ne!(second["fixed"], first["fixed"]);
        assert_eq!(
            (&second["plain"], &second["packed"]),
            (&first["plain"], &first["packed"])
        );
        assert_eq!(secret("web-tls"), pair);
        workspace.plan().ok().assert_empty();

        // Only what is gone is made anew.
        api.delete("/api/v1/namespaces/web/secrets/web-tls");
        workspace.apply().ok();
        assert_ne!(secret("web-tls")["tls.key"], pair["tls.key"]);
        assert_eq!(secret("web-password"), second);
        // And what has to fit it, though it was there.
        let trusted =
            || api.get("/api/v1/namespaces/web/configmaps/web-trust").unwrap()["data"]["ca"].clone();
        let certificate = secret("web-tls")["tls.crt"].clone();
        assert_eq!(trusted(), certificate);
        workspace.plan().ok().assert_empty();
        workspace.destroy().ok();
    });
}

#[test]
fn hooks_are_run_when_they_are_due() {
    Workspace::with_clusters(Some(1), |workspace, account| {
        cluster(account);
        let with = |values: &str| release(&format!("values = {{ hooks = true, {values} }}"));
        workspace.write("main.tf", &with(""));
        let plan = workspace.plan().ok();
        let hooks = planned(&plan.change("ekb_release.web").after);
        let hooks: Vec<&String> = hooks.iter().filter(|key| key.starts_with("hook/")).collect();
        assert_eq!(
            hooks,
            [
                "hook/before/ConfigMap/web-before",
                "hook/before/Job/web-migrate",
                "hook/before_end/Job/web-goodbye",
            ]
        );
        workspace.apply().ok();
        workspace.plan().ok().assert_empty();
        let api = account.cluster("main");
        let job = |name: &str| api.get(&format!("/apis/batch/v1/namespaces/web/jobs/{name}"));
        let first = job("web-migrate").unwrap();
        assert_eq!(first["status"]["succeeded"], 1, "{first}");
        assert!(job("web-goodbye").is_none(), "that is for the end");
        // The Deployment came after it.
        let deployment = api.get("/apis/apps/v1/namespaces/web/deployments/web").unwrap();
        let of = |object: &Value| {
            object["metadata"]["creationTimestamp"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        assert!(of(&deployment) >= of(&first));

        // Drift that is mended is no upgrade: nothing is run again. An upgrade is.
        api.delete("/api/v1/namespaces/web/configmaps/web");
        workspace.apply().ok();
        let uid = |object: &Value| object["metadata"]["uid"].clone();
        assert_eq!(uid(&job("web-migrate").unwrap()), uid(&first));
        workspace.write("main.tf", &with("greeting = \"bye\""));
        workspace.apply().ok();
        let second = job("web-migrate").unwrap();
        assert_ne!(uid(&second), uid(&first));
        assert_eq!(
            second["spec"]["template"]["spec"]["containers"][0]["args"][0],
            "bye"
        );
        workspace.plan().ok().assert_empty();

        workspace.destroy().ok();
        assert_eq!(api.list("/apis/batch/v1/namespaces/web/jobs").len(), 0);
        assert!(api.get("/api/v1/namespaces/web/configmaps/web-before").is_none());
    });
}

/// The keys of the planned objects.
fn planned(after: &Value) -> Vec<String> {
    let mut keys: Vec<String> = after["objects"].as_object().unwrap().keys().cloned().collect();
    keys.sort();
    keys
}

/// What helm says of its releases.
fn helm_json(api: &Kubernetes, namespace: &str, arguments: &[&str]) -> Value {
    let run = api.helm(namespace, &[arguments, &["-o", "json"]].concat()).ok();
    serde_json::from_str(&run.stdout).unwrap()
}

/// The states of helm's records, the oldest first.
fn statuses(api: &Kubernetes) -> Vec<String> {
    statuses_in(api, "web")
}

fn statuses_in(api: &Kubernetes, namespace: &str) -> Vec<String> {
    let path = format!("/api/v1/namespaces/{namespace}/secrets?labelSelector=owner%3Dhelm");
    let mut all = api.list(&path);
    all.sort_by_key(|secret| secret["metadata"]["name"].as_str().unwrap().to_owned());
    let label = |secret: &Value| {
        secret["metadata"]["labels"]["status"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    all.iter().map(label).collect()
}
