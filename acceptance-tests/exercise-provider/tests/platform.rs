//! What the engine offers to resources, as users of the command lines see it: outputs between parts, what is found under
//! another part, ways over several stages, changes that are refused, names of earlier versions.

#![allow(missing_docs, reason = "tests")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests: a panic is a failure"
)]

use serde_json::{Value as Json, json};

use support::{Workspace, everywhere, joined};

mod support;

const ADDRESS: &str = "exercise_platform.main";

fn declare(workspace: &Workspace, arguments: &str) {
    let text = format!(
        "resource \"exercise_platform\" \"main\" {{\n{arguments}\n}}\n\
         resource \"terraform_data\" \"user\" {{\n  triggers_replace = [exercise_platform.main.issuer]\n}}\n"
    );
    workspace.write("main.tf", &text);
}

fn object(workspace: &Workspace, file: &str) -> Json {
    serde_json::from_str(&workspace.read(&format!("items/cloud/{file}.json"))).unwrap_or_default()
}

/// The calls since the last time.
fn calls(workspace: &Workspace) -> Vec<String> {
    let calls = workspace.read("items/cloud/calls.log");
    workspace.write("items/cloud/calls.log", "");
    calls.lines().map(str::to_owned).collect()
}

#[test]
fn outputs_stages_and_what_is_refused() {
    everywhere(|cli| {
        let workspace = Workspace::new(cli, "");
        declare(&workspace, "version = 33\naddons = [\"dns\"]");
        // Known at plan: by name, since the issuer is not there yet.
        let plan = workspace.must(&["plan", "-no-color"]);
        assert!(
            plan.contains("${cluster.issuer}:aud") && plan.contains("${cluster.arn}"),
            "{plan}"
        );
        workspace.apply();
        let trust = json!({"Federated": "arn:exercise:cluster/dev", "issuer.example/dev:aud": "sts"});
        assert_eq!(object(&workspace, "role.dev-pods")["fields"]["trust"], trust);
        assert_eq!(workspace.values(ADDRESS)["issuer"], "issuer.example/dev");
        workspace.settled();
        calls(&workspace);

        // One version after the other, cluster before add-ons; interrupted, it goes on where it stands.
        declare(&workspace, "version = 35\naddons = [\"dns\"]");
        workspace.write("items/cloud/refused", "update addon dns\n");
        let failed = workspace.must_fail(&["apply", "-auto-approve", "-no-color"]);
        assert!(failed.contains("the test refuses it"), "{failed}");
        assert_eq!(calls(&workspace), ["update cluster dev"]);
        workspace.write("items/cloud/refused", "");
        workspace.apply();
        let rest = ["update addon dns", "update cluster dev", "update addon dns"];
        assert_eq!(calls(&workspace), rest);
        workspace.settled();

        // Back is refused before anything is changed, and the hint works.
        declare(&workspace, "version = 34\naddons = [\"dns\"]");
        let refused = workspace.must_fail(&["plan", "-no-color"]);
        let why = "cluster: version: is 35, should be 34: a cluster does not go back to an earlier version.";
        assert!(refused.contains("EKB2047") && refused.contains(why), "{refused}");
        assert!(
            refused.contains("Declare version 35 or a later one."),
            "{refused}"
        );
        declare(&workspace, "version = 35\naddons = [\"dns\"]");
        workspace.settled();

        // Another cluster has another issuer: who uses it follows, and data goes only where that is allowed.
        let other = "version = 35\naddons = [\"dns\"]\ncluster = \"blue\"";
        declare(&workspace, other);
        let refused = workspace.must_fail(&["plan", "-no-color"]);
        assert!(
            refused.contains("EKB2046") && refused.contains("What runs in it is lost"),
            "{refused}"
        );
        declare(&workspace, &format!("{other}\nallow_data_loss = true"));
        let plan = workspace.must(&["plan", "-no-color"]);
        assert!(
            plan.contains("EKB2045") && plan.contains("terraform_data.user must be replaced"),
            "{plan}"
        );
        workspace.apply();
        let trust = &object(&workspace, "role.dev-pods")["fields"]["trust"];
        assert_eq!(trust["issuer.example/blue:aud"], "sts");
        assert_eq!(object(&workspace, "addon.dns")["fields"]["cluster"], "blue");
        workspace.settled();
        workspace.must(&["destroy", "-auto-approve", "-no-color"]);
        assert_eq!(object(&workspace, "cluster.blue"), Json::Null);
    });
}

#[test]
fn what_is_in_a_cluster_goes_with_it_and_is_not_absent_where_it_cannot_be_reached() {
    everywhere(|cli| {
        let workspace = Workspace::new(cli, "");
        declare(&workspace, "version = 33\naddons = [\"dns\", \"net\"]");
        workspace.apply();
        workspace.write("items/cloud/unreachable.addon", "");
        let plan = joined(&workspace.must(&["plan", "-no-color", "-detailed-exitcode"]));
        assert!(plan.contains("there is no route to the cluster"), "{plan}");
        assert!(plan.contains("No changes."), "{plan}");
        std::fs::remove_file(workspace.folder.path().join("items/cloud/unreachable.addon")).unwrap();
        workspace.settled();
        // Gone with all that was in it: the next apply makes it again, the add-ons too.
        for file in ["cluster.dev", "addon.dns", "addon.net"] {
            std::fs::remove_file(workspace.folder.path().join(format!("items/cloud/{file}.json"))).unwrap();
        }
        calls(&workspace);
        workspace.apply();
        let made = calls(&workspace);
        assert!(made.contains(&"create cluster dev".to_owned()), "{made:?}");
        assert!(made.contains(&"create addon net".to_owned()), "{made:?}");
        workspace.settled();
        workspace.must(&["destroy", "-auto-approve", "-no-color"]);
    });
}

#[test]
fn what_an_earlier_version_of_the_provider_made_is_kept() {
    everywhere(|cli| {
        let workspace = Workspace::new(cli, "");
        declare(&workspace, "version = 33\naddons = [\"dns\"]");
        workspace.apply();
        // As the earlier version would have left it.
        let state: String = workspace.read("terraform.tfstate");
        let mut state: Json = serde_json::from_str(&state).unwrap();
        for resource in state["resources"].as_array_mut().unwrap() {
            if resource["type"] != "exercise_platform" {
                continue;
            }
            resource["type"] = json!("exercise_stack");
            let instance = &mut resource["instances"][0];
            instance["schema_version"] = json!(0);
            instance.as_object_mut().unwrap().remove("identity");
            instance
                .as_object_mut()
                .unwrap()
                .remove("identity_schema_version");
            let attributes = instance["attributes"].as_object_mut().unwrap();
            let version = attributes.remove("version").unwrap();
            attributes.insert("release".into(), version);
            for field in ["ids", "objects"] {
                let entries = attributes[field].as_object_mut().unwrap();
                let addon = entries.remove("addon/dns").unwrap();
                entries.insert("extension/dns".into(), addon);
            }
        }
        let mut user = state["resources"].as_array().unwrap().iter();
        user.find(|resource| resource["type"] == "terraform_data")
            .unwrap();
        workspace.write("terraform.tfstate", &state.to_string());
        for file in ["cluster.dev", "role.dev-pods", "addon.dns"] {
            let mut of = object(&workspace, file);
            of["tags"]["ekb:resource"] = json!("stack/dev");
            if file == "addon.dns" {
                of["tags"]["ekb:part"] = json!("extension/dns");
            }
            workspace.write(&format!("items/cloud/{file}.json"), &of.to_string());
        }
        calls(&workspace);
        let moved = "moved {\n  from = exercise_stack.main\n  to = exercise_platform.main\n}\n";
        workspace.write("moved.tf", moved);
        let plan = workspace.must(&["plan", "-no-color"]);
        assert!(plan.contains("moved from exercise_stack.main"), "{plan}");
        assert!(plan.contains("0 to add, 1 to change, 0 to destroy"), "{plan}");
        workspace.apply();
        let calls = calls(&workspace);
        assert!(calls.iter().all(|call| call.starts_with("tag ")), "{calls:?}");
        assert_eq!(object(&workspace, "addon.dns")["tags"]["ekb:part"], "addon/dns");
        assert_eq!(
            object(&workspace, "cluster.dev")["tags"]["ekb:resource"],
            "platform/dev"
        );
        workspace.settled();
        workspace.must(&["destroy", "-auto-approve", "-no-color"]);
        assert_eq!(object(&workspace, "addon.dns"), Json::Null);
    });
}
