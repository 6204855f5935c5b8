//! The exercise provider under every command line that is there: what the framework promises, as users see it.

#![allow(missing_docs, reason = "tests")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests: a panic is a failure"
)]

use serde_json::Value as Json;

use support::{PREAMBLE, Workspace, everywhere, joined};

mod support;

const EVERYTHING: &str = r#"
variable "name" { default = "one" }
variable "count_of" { default = 3 }
variable "word" { default = "a" }
resource "exercise_item" "one" {
  name     = var.name
  count_of = var.count_of
  weight   = 0.1234567890123456789012345
  network  = "10.20.0.0/16"
  words    = [var.word, "b"]
  labels   = { a = "1", é = "é" }
  anything = { deep = [1, "two", null] }
  front    = { colour = "red" }
  sides    = [{ colour = "green" }, { colour = "blue", width = 4 }]
  variants = [{ colour = "green" }, { colour = "blue", width = 4 }]
  named    = { left = { colour = "red" } }
  password = "hunter2"
  sticker {
    text = "x"
    layer { thickness = 0.5 }
    layer {}
  }
  sticker { text = "y" }
  badge { thickness = 2 }
  badge {}
  timeouts { create = "5m" }
}
resource "exercise_item" "two" {
  name   = "two"
  words  = [exercise_item.one.revision, "n"]
  groups = [exercise_item.one.id]
  label  = "label-${exercise_item.one.revision}"
}
data "exercise_item" "one" {
  name = exercise_item.one.name
}
output "found" { value = data.exercise_item.one.revision }
"#;

#[test]
fn every_kind_of_attribute_is_made_changed_replaced_and_removed() {
    everywhere(|cli| {
        let w = Workspace::new(cli, EVERYTHING);
        w.must(&["validate", "-no-color"]);
        w.apply();
        w.settled();
        assert_eq!(
            w.values("exercise_item.one")["weight"].to_string(),
            "0.1234567890123456789012345"
        );

        let text = w.must(&[
            "apply",
            "-auto-approve",
            "-no-color",
            "-var",
            "count_of=4",
            "-var",
            "word=z",
        ]);
        assert!(text.contains("0 added, 2 changed, 0 destroyed"), "{text}");
        let again = w.must(&["plan", "-no-color", "-var", "count_of=4", "-var", "word=z"]);
        assert!(again.contains("No changes."), "{again}");

        let text = w.must(&["apply", "-auto-approve", "-no-color", "-var", "name=other"]);
        assert!(text.contains("1 added, 1 changed, 1 destroyed"), "{text}");
        let again = w.must(&["plan", "-no-color", "-var", "name=other"]);
        assert!(again.contains("No changes."), "{again}");

        // What someone else changed shows as drift, and the plan mends it.
        let file = w.read("items/other.json");
        w.write(
            "items/other.json",
            &file.replace("\"count_of\":3", "\"count_of\":9"),
        );
        let text = w.must(&["plan", "-no-color", "-var", "name=other"]);
        assert!(text.contains("count_of") && text.contains("9 -> 3"), "{text}");

        w.must(&["destroy", "-auto-approve", "-no-color", "-var", "name=other"]);
        assert_eq!(w.read("items/other.json"), "", "the file is gone");
    });
}

#[test]
fn a_saved_plan_applies_as_shown() {
    everywhere(|cli| {
        let w = Workspace::new(cli, EVERYTHING);
        for variables in [vec![], vec!["-var", "count_of=5"], vec!["-var", "name=other"]] {
            let mut arguments = vec!["plan", "-no-color", "-out=saved"];
            arguments.extend(variables);
            w.must(&arguments);
            w.must(&["apply", "-no-color", "saved"]);
        }
    });
}

#[test]
fn import_by_id_gives_a_state_without_differences() {
    everywhere(|cli| {
        let w = Workspace::new(
            cli,
            "resource \"exercise_item\" \"one\" {\n  name = \"one\"\n  words = [\"a\"]\n}\n",
        );
        w.apply();
        w.must(&["state", "rm", "exercise_item.one"]);
        w.must(&["import", "-no-color", "exercise_item.one", "item/one"]);
        w.settled();
        let text = w.must_fail(&["import", "-no-color", "exercise_item.missing", "missing"]);
        assert!(text.contains("exercise_item.missing"), "{text}");
        w.must(&["state", "rm", "exercise_item.one"]);
        w.write(
            "import.tf",
            "import {\n  to = exercise_item.one\n  id = \"one\"\n}\n",
        );
        let text = w.apply();
        assert!(text.contains("1 imported, 0 added, 0 changed"), "{text}");
    });
}

#[test]
fn import_by_identity() {
    everywhere(|cli| {
        let w = Workspace::new(cli, "resource \"exercise_item\" \"one\" {\n  name = \"one\"\n}\n");
        if !w.at_least(12) {
            return;
        }
        w.apply();
        w.must(&["state", "rm", "exercise_item.one"]);
        w.write(
            "import.tf",
            "import {\n  to = exercise_item.one\n  identity = { name = \"one\" }\n}\n",
        );
        let text = w.apply();
        assert!(text.contains("1 imported, 0 added, 0 changed"), "{text}");
        w.settled();
    });
}

/// OpenTofu 1.12.6 fails where the identity of something new has an unknown part.
#[test]
fn an_identity_that_is_known_only_after_apply() {
    everywhere(|cli| {
        let w = Workspace::new(
            cli,
            "resource \"terraform_data\" \"n\" {\n  input = \"one\"\n}\nresource \"exercise_item\" \"one\" {\n  name = terraform_data.n.output\n}\n",
        );
        w.apply();
        w.settled();
        if w.at_least(12) {
            let state: Json = serde_json::from_str(&w.read("terraform.tfstate")).unwrap();
            let instances = state["resources"]
                .as_array()
                .unwrap()
                .iter()
                .map(|r| &r["instances"][0]);
            let identities: Vec<_> = instances.map(|i| i["identity"]["name"].clone()).collect();
            assert!(identities.contains(&Json::from("one")), "{state:#}");
        }
    });
}

#[test]
fn an_identity_of_an_older_version_is_upgraded_and_of_a_newer_one_refused() {
    everywhere(|cli| {
        let w = Workspace::new(cli, "resource \"exercise_item\" \"one\" {\n  name = \"one\"\n}\n");
        if !w.at_least(12) {
            return;
        }
        w.apply();
        let state: Json = serde_json::from_str(&w.read("terraform.tfstate")).unwrap();
        let with = |version: u64, identity: Json| {
            let mut state = state.clone();
            state["serial"] = Json::from(100);
            let instance = &mut state["resources"][0]["instances"][0];
            instance["identity_schema_version"] = Json::from(version);
            instance["identity"] = identity;
            w.write("terraform.tfstate", &state.to_string());
        };
        for (version, identity) in [
            (0, serde_json::json!({ "title": "one" })),
            (1, serde_json::json!({ "name": "items/one", "realm": null })),
        ] {
            with(version, identity);
            w.settled();
            w.must(&["apply", "-auto-approve", "-no-color", "-refresh-only"]);
            // Without a change of values nothing is written; a change takes the new form along.
            w.write(
                "main.tf",
                "resource \"exercise_item\" \"one\" {\n  name = \"one\"\n  words = [\"x\"]\n}\n",
            );
            w.apply();
            let after: Json = serde_json::from_str(&w.read("terraform.tfstate")).unwrap();
            let instance = &after["resources"][0]["instances"][0];
            assert_eq!(
                (
                    &instance["identity_schema_version"],
                    &instance["identity"]["name"]
                ),
                (&2.into(), &"one".into())
            );
            w.write(
                "main.tf",
                "resource \"exercise_item\" \"one\" {\n  name = \"one\"\n}\n",
            );
            w.apply();
        }
        with(9, serde_json::json!({ "name": "one" }));
        let text = w.must_fail(&["plan", "-no-color"]);
        assert!(text.contains("newer"), "{text}");
    });
}

/// No command line that is here allows computed blocks: none has them in its state, and nothing differs for it.
#[test]
fn computed_blocks_are_for_hosts_that_allow_them() {
    everywhere(|cli| {
        let item = "resource \"exercise_item\" \"one\" {\n  name = \"one\"\n}\n";
        let w = Workspace::new(cli, item);
        w.apply();
        w.settled();
        assert!(
            w.read("items/one.json").contains("\"event\":[{\"revision\":1}]"),
            "{}",
            w.read("items/one.json")
        );
        assert_eq!(w.values("exercise_item.one")["event"], serde_json::json!([]));
        w.must(&["state", "rm", "exercise_item.one"]);
        w.must(&["import", "-no-color", "exercise_item.one", "one"]);
        assert_eq!(w.values("exercise_item.one")["event"], serde_json::json!([]));
        w.settled();
        w.write("main.tf", &item.replace("}", "  event {}\n}"));
        let text = w.must_fail(&["validate", "-no-color"]);
        assert!(text.contains("The provider alone gives these blocks."), "{text}");
    });
}

#[test]
fn a_computed_nested_attribute_is_kept_where_it_is_not_configured() {
    everywhere(|cli| {
        let item = |arguments: &str| {
            format!("resource \"exercise_item\" \"one\" {{\n  name = \"one\"\n{arguments}}}\n")
        };
        let w = Workspace::new(cli, &item(""));
        w.apply();
        w.settled();
        let cover = w.values("exercise_item.one")["cover"].clone();
        assert_eq!(cover["colour"], "blue", "the store's");
        w.write("main.tf", &item("  words = [\"x\"]\n"));
        let text = w.must(&["plan", "-no-color"]);
        assert!(text.contains("words") && !text.contains("cover"), "{text}");
        w.apply();
        w.write("main.tf", &item("  cover = { colour = \"red\" }\n"));
        w.apply();
        w.settled();
        // Taken away, it stays as it was.
        w.write("main.tf", &item(""));
        w.settled();
        assert_eq!(w.values("exercise_item.one")["cover"]["colour"], "red");
    });
}

/// Every kind of argument that a state can tell: all but the write-only, the sensitive and what only the user knows.
#[test]
fn a_configuration_is_generated_from_what_exists() {
    everywhere(|cli| {
        let told = EVERYTHING
            .replace("  timeouts { create = \"5m\" }\n", "")
            .replace(
                "  password = \"hunter2\"\n",
                "  password_wo = \"hunter2\"\n  password_wo_version = null\n",
            );
        let w = Workspace::new(
            cli,
            &told.replace("password_wo_version = null", "password_wo_version = 1"),
        );
        w.apply();
        let items = [("one", "items/one.json"), ("two", "items/two.json")];
        for (name, file) in items {
            w.must(&["state", "rm", &format!("exercise_item.{name}")]);
            // A service would not tell the version of a secret.
            w.write(
                file,
                &w.read(file)
                    .replace("\"password_wo_version\":1", "\"password_wo_version\":null"),
            );
        }
        let import = |(name, _)| format!("import {{\n  to = exercise_item.{name}\n  id = \"{name}\"\n}}\n");
        w.write("main.tf", &items.map(import).concat());
        w.must(&["plan", "-no-color", "-generate-config-out=generated.tf"]);
        let generated = w.read("generated.tf");
        w.must(&["validate", "-no-color"]);
        let text = w.apply();
        assert!(
            text.contains("2 imported, 0 added, 0 changed"),
            "{generated}\n{text}"
        );
        w.settled();
        if w.generates() {
            let unset = |name: &str| {
                let line = generated.lines().find(|line| line.trim().starts_with(name));
                assert!(
                    line.is_none_or(|line| line.ends_with("= null")),
                    "{name} is as it is by default: {generated}"
                );
            };
            ["enabled", "keeping", "mark", "revision"]
                .into_iter()
                .for_each(unset);
        }
    });
}

#[test]
fn ephemeral_values_reach_write_only_arguments_and_no_file() {
    everywhere(|cli| {
        let w = Workspace::new(
            cli,
            r#"
ephemeral "exercise_token" "t" { audience = "me" }
resource "exercise_item" "one" {
  name                = "one"
  password_wo         = ephemeral.exercise_token.t.value
  password_wo_version = 1
}
"#,
        );
        w.apply();
        w.settled();
        assert_eq!(
            w.values("exercise_item.one")["password_length"],
            12,
            "it reached the create"
        );
        for file in ["terraform.tfstate", "items/one.json"] {
            assert!(!w.read(file).contains("token-for-me"), "{file} holds the secret");
        }
        let events = w.read("items/events.log");
        let count = |word| events.lines().filter(|line| line.starts_with(word)).count();
        assert!(
            count("opened") > 0 && count("opened") == count("closed"),
            "{events}"
        );
    });
}

#[test]
fn functions_take_every_kind_of_value() {
    everywhere(|cli| {
        let w = Workspace::new(
            cli,
            r#"
output "described" {
  value = provider::exercise::describe(true, 2, 0.10, null, ["a"], [3, 1, 2], { k = true }, { x = 1, y = null }, { a = 1 }, 1, "x")
}
output "reversed" { value = provider::exercise::reverse(["a", "b"]) }
"#,
        );
        let text = w.apply();
        let expected = r#"true 2 0.1 None [\"a\"] {1, 2, 3} {\"k\": true} (1, none) object({a=number}) +2"#;
        assert!(text.contains(expected), "{text}");
        w.write("main.tf", "output \"x\" { value = provider::exercise::describe(true, -2, 1, \"\", [], [], {}, { x = 1, y = 2 }, 1) }\n");
        let text = w.must_fail(&["plan", "-no-color"]);
        assert!(
            text.contains("\"count\"") && text.contains("count must not be negative"),
            "the argument is named: {text}"
        );
    });
}

#[test]
fn refusals_name_the_argument_and_come_together() {
    everywhere(|cli| {
        let w = Workspace::new(
            cli,
            r#"
resource "exercise_item" "one" {
  name     = "Bad Name"
  count_of = 1000
  network  = "10.20.0.1/16"
  address  = "10.0.0.1"
  keeping  = "warm"
  sides    = [{ colour = "pink" }]
  named    = { left = { colour = null } }
  timeouts {
    create = "soon"
    update = "0s"
  }
}
"#,
        );
        let text = w.must_fail(&["validate", "-no-color"]);
        for expected in [
            "Must be text of the form `[a-z0-9-]+`, got `Bad Name`.",
            "Must be a number from 1 to 100, got 1000.",
            "Must be a network in CIDR notation without host bits, for example `10.20.0.0/16`, got `10.20.0.1/16`.",
            "`network` and `address` exclude each other.",
            "Must be one of `cold`, `room_temperature`, got `warm`.",
            "Must be one of `red`, `green`, `blue`, got `pink`.",
            "Expected a duration, for example `30m` or `1h30m`, got `soon`",
            "An operation needs some time; leave the argument out for the default.",
            "This argument is required; it is null.",
            "Invalid value (F301)",
        ] {
            assert!(
                text.contains(expected),
                "{}: {expected}\nis not in\n{text}",
                w.cli.name
            );
        }
    });
}

#[test]
fn a_create_that_fails_half_way_leaves_a_tainted_thing_and_never_a_bug_report() {
    everywhere(|cli| {
        let w = Workspace::new(
            cli,
            "resource \"exercise_item\" \"one\" {\n  name = \"one\"\n  misbehave = \"refuse\"\n}\n",
        );
        let text = w.must_fail(&["apply", "-auto-approve", "-no-color"]);
        assert!(
            text.contains("Refused half way (EX004)") && text.contains("Apply again."),
            "{text}"
        );
        assert!(
            w.read("terraform.tfstate").contains("tainted"),
            "kept and tainted"
        );
        w.write(
            "main.tf",
            "resource \"exercise_item\" \"one\" {\n  name = \"one\"\n}\n",
        );
        let text = w.apply();
        assert!(text.contains("1 added, 0 changed, 1 destroyed"), "{text}");
        w.settled();
    });
}

/// Core would say "Provider produced inconsistent result after apply" and taint what was made.
#[test]
fn a_result_other_than_planned_is_our_own_message_and_taints_nothing() {
    everywhere(|cli| {
        let w = Workspace::new(
            cli,
            "resource \"exercise_item\" \"one\" {\n  name = \"one\"\n  misbehave = \"stray\"\n}\n",
        );
        let output = w.run(&["apply", "-auto-approve", "-no-color"]);
        let text = joined(&output.text);
        assert!(
            output.ok && text.contains("Warning: Defect of the provider (F401)"),
            "{text}"
        );
        assert!(
            text.contains("`count_of`: the result is another than planned."),
            "{text}"
        );
        assert!(
            !text.contains("produced") && !w.read("terraform.tfstate").contains("tainted"),
            "{text}"
        );
        w.settled();
        w.write("main.tf", "resource \"exercise_item\" \"one\" {\n  name = \"one\"\n  count_of = 5\n  misbehave = \"stray\"\n}\n");
        let text = w.must_fail(&["apply", "-auto-approve", "-no-color"]);
        assert!(
            text.contains("Error: Defect of the provider (F401)") && !text.contains("produced"),
            "{text}"
        );
    });
}

#[test]
fn a_provider_whose_configuration_is_not_known_yet_still_plans() {
    everywhere(|cli| {
        let w = Workspace::new(cli, "");
        let provider = PREAMBLE.replace("\"./items\"", "terraform_data.folder.output");
        w.write("preamble.tf", &provider);
        w.write(
            "main.tf",
            "resource \"terraform_data\" \"folder\" {\n  input = \"./items\"\n}\nresource \"exercise_item\" \"one\" {\n  name = \"one\"\n}\n",
        );
        let text = w.must(&["plan", "-no-color"]);
        assert!(text.contains("2 to add"), "{text}");
        w.apply();
        w.settled();

        // What exists already is not refreshed then, and says so.
        let main = w.read("main.tf");
        w.write(
            "main.tf",
            &main.replace(
                "input = \"./items\"",
                "triggers_replace = 1\n  input = \"./items\"",
            ),
        );
        let text = joined(&w.must(&["plan", "-no-color"]));
        assert!(text.contains("Not refreshed (F211)"), "{text}");
        assert!(text.contains("1 to add, 0 to change, 1 to destroy"), "{text}");
    });
}

#[test]
fn a_state_of_an_older_version_is_upgraded_and_of_a_newer_one_refused() {
    everywhere(|cli| {
        let w = Workspace::new(
            cli,
            "resource \"exercise_item\" \"one\" {\n  name = \"one\"\n  label = \"old\"\n}\n",
        );
        w.apply();
        let state: Json = serde_json::from_str(&w.read("terraform.tfstate")).unwrap();
        let with = |version: u64, change: &dyn Fn(&mut Json)| {
            let mut state = state.clone();
            state["serial"] = Json::from(100);
            let instance = &mut state["resources"][0]["instances"][0];
            instance["schema_version"] = Json::from(version);
            change(&mut instance["attributes"]);
            w.write("terraform.tfstate", &state.to_string());
        };
        with(0, &|attributes| {
            let label = attributes["label"].take();
            attributes["caption"] = label;
            attributes.as_object_mut().unwrap().remove("label");
            attributes["long_gone"] = Json::from(1);
        });
        w.settled();
        with(9, &|_| {});
        let text = w.must_fail(&["plan", "-no-color"]);
        // Terraform itself refuses before it asks the provider; either says what is the matter.
        assert!(text.contains("newer"), "{text}");
    });
}

#[test]
fn a_resource_of_another_type_moves_in() {
    everywhere(|cli| {
        let w = Workspace::new(cli, "resource \"terraform_data\" \"x\" {}\n");
        w.apply();
        let id = w.values("terraform_data.x")["id"].as_str().unwrap()[..8].to_owned();
        w.write("items/moved.json", "{}");
        w.write(
            &format!("items/moved-{id}.json"),
            &format!("{{\"name\": \"moved-{id}\", \"id\": \"item/moved-{id}\", \"revision\": 1}}"),
        );
        let text = format!(
            "moved {{\n  from = terraform_data.x\n  to = exercise_item.x\n}}\nresource \"exercise_item\" \"x\" {{\n  name = \"moved-{id}\"\n}}\n"
        );
        w.write("main.tf", &text);
        let text = w.must(&["plan", "-no-color"]);
        assert!(
            text.contains("moved from terraform_data.x")
                && text.contains("0 to add, 1 to change, 0 to destroy"),
            "{text}"
        );
    });
}

#[test]
fn terraform_test_runs_on_it() {
    everywhere(|cli| {
        let w = Workspace::new(cli, EVERYTHING);
        w.write(
            "all.tftest.hcl",
            r#"
run "made" {
  assert {
    condition     = exercise_item.one.revision == 1 && exercise_item.one.id == "item/one"
    error_message = "not as planned"
  }
}
run "changed" {
  variables { count_of = 7 }
  assert {
    condition     = exercise_item.one.revision == 2
    error_message = "not changed in place"
  }
}
"#,
        );
        let text = w.must(&["test", "-no-color"]);
        assert!(text.contains("2 passed, 0 failed"), "{text}");
    });
}

#[test]
fn query_lists_what_exists() {
    everywhere(|cli| {
        let w = Workspace::new(
            cli,
            "resource \"exercise_item\" \"all\" {\n  for_each = toset([\"a1\", \"a2\", \"b1\"])\n  name = each.key\n}\n",
        );
        if cli.is_tofu() || !w.at_least(14) {
            return;
        }
        w.apply();
        w.write(
            "items.tfquery.hcl",
            "list \"exercise_item\" \"some\" {\n  provider = exercise\n  include_resource = true\n  config {\n    prefix = \"a\"\n  }\n}\n",
        );
        let text = w.must(&["query", "-no-color"]);
        assert!(
            text.contains("Item a1") && text.contains("Item a2") && !text.contains("b1"),
            "{text}"
        );
        w.must(&["query", "-no-color", "-generate-config-out=found.tf"]);
        assert!(
            w.read("found.tf").contains("identity = {"),
            "{}",
            w.read("found.tf")
        );
    });
}

#[test]
fn actions_run_and_say_how_far_they_are() {
    everywhere(|cli| {
        let w = Workspace::new(
            cli,
            r#"
resource "exercise_item" "one" {
  name = "one"
  lifecycle {
    action_trigger {
      events  = [after_create]
      actions = [action.exercise_stamp.it]
    }
  }
}
action "exercise_stamp" "it" {
  config {
    item  = "one"
    times = 2
  }
}
"#,
        );
        if cli.is_tofu() || !w.at_least(14) {
            return;
        }
        let text = w.apply();
        assert!(
            text.contains("stamp 1 on one") && text.contains("stamp 2 on one"),
            "{text}"
        );
        assert_eq!(w.read("items/events.log"), "stamped one\nstamped one\n");
        let text = w.must(&[
            "apply",
            "-auto-approve",
            "-no-color",
            "-invoke=action.exercise_stamp.it",
        ]);
        assert!(text.contains("stamp 2 on one"), "{text}");
    });
}

#[test]
fn the_readme_names_every_test_and_no_other() {
    let code = [
        include_str!("clis.rs"),
        include_str!("generated.rs"),
        include_str!("large.rs"),
        include_str!("platform.rs"),
    ]
    .concat();
    let names = |line: &str| {
        line.split("fn ")
            .nth(1)
            .and_then(|rest| rest.split('(').next())
            .map(str::to_owned)
    };
    let lines: Vec<&str> = code.lines().collect();
    let tests = lines
        .windows(2)
        .filter(|two| matches!(two[0], "#[test]" | "#[tokio::test]"));
    let mut tests: Vec<String> = tests.filter_map(|two| names(two[1])).collect();
    tests.retain(|name| name != "the_readme_names_every_test_and_no_other");
    tests.sort();
    let readme = include_str!("../README.md");
    let rows = readme
        .lines()
        .take_while(|line| !line.starts_with("## Which"))
        .filter(|line| line.starts_with("| "));
    let cells = rows.filter_map(|row| row.trim_end_matches(" |").rsplit(" | ").next());
    let mut named: Vec<String> = cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .map(str::to_owned)
        .collect();
    named.sort();
    assert_eq!(named, tests);
}
