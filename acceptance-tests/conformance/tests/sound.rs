//! A correct provider passes, whatever is done with it.
#![allow(clippy::unwrap_used, reason = "a test stops where something is missing")]

use conformance::{Action, Core, Error, Resource, Rule};
use serde_json::json;
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_conformance-sound-provider");
const THING: &str = "exercise_thing";

async fn core(folder: &TempDir, kill: &str) -> Core {
    let folder = folder.path().to_str().unwrap();
    let core = Core::start(BINARY, &[("EXERCISE_DIR", folder), ("EXERCISE_KILL", kill)])
        .await
        .unwrap();
    assert!(core.configure(&json!({})).await.unwrap().is_empty());
    core
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[tokio::test]
async fn a_life_from_create_to_destroy() {
    let folder = folder();
    let core = core(&folder, "0").await;
    let mut thing = Resource::new(THING);
    let config = json!({
        "name": "a", "note": "n", "words": ["x", "y"], "labels": {"k": "v"}, "anything": {"deep": [1, true]},
        "main": {"number": 1}, "ports": [{"number": 2}, {"number": 3, "action": "deny"}],
        "named": {"p": {"number": 4}}, "doors": [{"colour": "red"}, {"colour": "blue", "locked": true}],
        "password_wo": "secret", "disk": [{"size": 1}, {"size": 2}],
    });
    let config = core.config(THING, &config).unwrap();
    let plan = core.plan(&thing, &config).await.unwrap();
    assert_eq!(plan.action, Action::Create);
    let unknown: Vec<_> = plan.unknown().iter().map(ToString::to_string).collect();
    assert!(unknown.contains(&"ports[1].rule_id".to_owned()), "{unknown:?}");
    assert!(
        plan.to_string().contains("  id: null -> (known after apply)\n"),
        "{plan}"
    );
    core.apply(&mut thing, &plan).await.unwrap();
    assert_eq!(thing.get("zone"), "zone-a");
    assert_eq!(thing.get("password_wo"), &json!(null));
    assert_eq!(
        core.converge(&mut thing, &config).await.unwrap().action,
        Action::NoOp
    );

    let config = core
        .config(THING, &json!({"name": "a", "size": 3, "ports": [{"number": 2}]}))
        .unwrap();
    let plan = core.converge(&mut thing, &config).await.unwrap();
    assert_eq!(plan.action, Action::Update, "{plan}");
    assert_eq!(thing.get("revision"), 2);

    let config = core.config(THING, &json!({"name": "b"})).unwrap();
    let plan = core.converge(&mut thing, &config).await.unwrap();
    assert_eq!(plan.action, Action::Replace);
    assert!(
        plan.to_string()
            .contains("name: \"a\" -> \"b\" # forces replacement"),
        "{plan}"
    );
    assert!(!folder.path().join("t-a.json").exists());

    core.destroy(&mut thing, None).await.unwrap();
    assert!(thing.is_absent());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    assert!(!core.close().await.unwrap().killed);
}

#[tokio::test]
async fn plans_of_the_same_thing_are_byte_equal() {
    let folder = folder();
    let (one, two) = (core(&folder, "0").await, core(&folder, "0").await);
    let thing = Resource::new(THING);
    let config = one
        .config(
            THING,
            &json!({"name": "a", "doors": [{"colour": "x"}, {"colour": "y"}]}),
        )
        .unwrap();
    let (a, b) = (
        one.plan(&thing, &config).await.unwrap(),
        two.plan(&thing, &config).await.unwrap(),
    );
    assert_eq!(a.bytes(), b.bytes());
    let other = one.config(THING, &json!({"name": "b"})).unwrap();
    assert_ne!(a.bytes(), one.plan(&thing, &other).await.unwrap().bytes());
}

#[tokio::test]
async fn errors_of_the_provider_are_told_from_broken_rules() {
    let folder = folder();
    let core = core(&folder, "0").await;
    let config = core
        .config(THING, &json!({"name": "a", "note": "forbidden"}))
        .unwrap();
    let error = core.plan(&Resource::new(THING), &config).await.unwrap_err();
    assert!(
        matches!(
            &error,
            Error::Failed {
                call: "ValidateResourceConfig",
                ..
            }
        ),
        "{error}"
    );
    assert!(
        error.diagnostics()[0].summary.contains("Forbidden note"),
        "{error}"
    );
    assert!(error.violations().is_empty() && !error.broke(Rule::P4));
    for (wrong, because) in [
        (json!({}), "name: required"),
        (json!({"name": "a", "id": "x"}), "id: not settable"),
        (json!({"name": "a", "colour": "x"}), "colour: not in the schema"),
        (json!({"name": "a", "disk": [{}]}), "disk[0].size: required"),
        (json!({"name": "a", "size": "x"}), "size: number expected"),
    ] {
        let error = core.config(THING, &wrong).unwrap_err().to_string();
        assert!(error.contains(because), "{wrong}: {error}");
    }
}

#[tokio::test]
async fn a_create_that_fails_half_way_is_tainted_and_replaced() {
    let folder = folder();
    let core = core(&folder, "0").await;
    let mut thing = Resource::new(THING);
    let half = core.config(THING, &json!({"name": "a", "note": "half"})).unwrap();
    let error = core.bring(&mut thing, &half).await.unwrap_err();
    assert!(error.diagnostics()[0].summary.contains("Half made"), "{error}");
    assert!(thing.is_tainted() && thing.get("id") == "t-a" && thing.died_in.is_none());
    let config = core.config(THING, &json!({"name": "a"})).unwrap();
    let plan = core.converge(&mut thing, &config).await.unwrap();
    assert_eq!(plan.action, Action::Replace);
    assert!(!thing.is_tainted());
    thing.taint();
    thing.untaint();
    assert_eq!(core.plan(&thing, &config).await.unwrap().action, Action::NoOp);
    assert_eq!(
        core.plan_replace(&thing, &config).await.unwrap().action,
        Action::Replace
    );
}

#[tokio::test]
async fn after_a_kill_the_handle_holds_what_core_would_have_stored() {
    let folder = folder();
    let mut thing = Resource::new(THING);
    let dying = core(&folder, "1").await;
    let config = dying.config(THING, &json!({"name": "a"})).unwrap();
    let error = dying.bring(&mut thing, &config).await.unwrap_err();
    assert!(error.died(), "{error}");
    assert_eq!(
        (thing.died_in.as_deref(), thing.is_absent()),
        (Some("ApplyResourceChange"), true)
    );
    assert!(!folder.path().join("t-a.json").exists());

    // Right after the change: the cloud has it, the state has not.
    let error = core(&folder, "-1")
        .await
        .bring(&mut thing, &config)
        .await
        .unwrap_err();
    assert!(error.died() && thing.is_absent() && folder.path().join("t-a.json").exists());

    let sound = core(&folder, "0").await;
    sound.converge(&mut thing, &config).await.unwrap();
    assert_eq!(thing.died_in, None);
    let before = thing.clone();

    // An update: the prior state stays, without private data and identity.
    let dying = core(&folder, "-1").await;
    let update = dying.config(THING, &json!({"name": "a", "size": 2})).unwrap();
    assert!(dying.bring(&mut thing, &update).await.unwrap_err().died());
    let (kept, had) = (thing.current.clone().unwrap(), before.current.unwrap());
    assert_eq!(
        (&kept.attributes, kept.private.len(), &kept.identity),
        (&had.attributes, 0, &None)
    );
    assert!(!had.private.is_empty() && had.identity.is_some());

    // A destroy: everything stays.
    sound.converge(&mut thing, &update).await.unwrap();
    let before = thing.current.clone();
    assert!(
        core(&folder, "-1")
            .await
            .destroy(&mut thing, None)
            .await
            .unwrap_err()
            .died()
    );
    assert_eq!(thing.current, before);
    sound.destroy(&mut thing, None).await.unwrap();
    assert!(thing.is_absent());
}
