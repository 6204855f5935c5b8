//! What `lifecycle`, old states and files do to a resource's handle.
#![allow(clippy::unwrap_used, reason = "a test stops where something is missing")]

use conformance::{Action, Core, Error, Resource};
use serde_json::json;
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_conformance-sound-provider");
const THING: &str = "exercise_thing";

async fn core(folder: &TempDir, kill: &str) -> Core {
    let folder = folder.path().to_str().unwrap();
    let core = Core::start(BINARY, &[("EXERCISE_DIR", folder), ("EXERCISE_KILL", kill)])
        .await
        .unwrap();
    core.configure(&json!({})).await.unwrap();
    core
}

fn things(folder: &TempDir) -> Vec<String> {
    let mut all: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    all.sort();
    all
}

#[tokio::test]
async fn create_before_destroy_keeps_the_old_one_until_it_is_destroyed() {
    let folder = tempfile::tempdir().unwrap();
    let sound = core(&folder, "0").await;
    let mut thing = Resource::new(THING);
    thing.lifecycle.create_before_destroy = true;
    let config = |name: &str| sound.config(THING, &json!({"name": name})).unwrap();
    sound.converge(&mut thing, &config("a")).await.unwrap();

    // A create changes the cloud twice; killed at the third change, which destroys the old one.
    let error = core(&folder, "3")
        .await
        .bring(&mut thing, &config("b"))
        .await
        .unwrap_err();
    assert!(error.died() && thing.died_in.is_some());
    assert_eq!((thing.get("id"), thing.deposed.len()), (&json!("t-b"), 1));
    assert_eq!(things(&folder), ["t-a.json", "t-b.json"]);

    let plan = sound.plan(&thing, &config("b")).await.unwrap();
    assert_eq!(
        (plan.action, plan.deposed, plan.is_empty()),
        (Action::NoOp, 1, false)
    );
    sound.converge(&mut thing, &config("b")).await.unwrap();
    assert_eq!(
        (thing.deposed.len(), things(&folder)),
        (0, vec!["t-b.json".to_owned()])
    );

    // Nothing new was made: the old one is the current one again.
    let error = core(&folder, "1")
        .await
        .bring(&mut thing, &config("c"))
        .await
        .unwrap_err();
    assert!(error.died());
    assert_eq!((thing.get("id"), thing.deposed.len()), (&json!("t-b"), 0));

    // A new one that failed half way is tainted, the old one waits beside it.
    let half = sound
        .config(THING, &json!({"name": "d", "note": "half"}))
        .unwrap();
    sound.bring(&mut thing, &half).await.unwrap_err();
    assert!(thing.is_tainted() && thing.deposed.len() == 1);
    sound.destroy(&mut thing, None).await.unwrap();
    assert!(thing.is_absent() && things(&folder).is_empty());
}

#[tokio::test]
async fn the_destroying_half_of_a_replacement_comes_first_else() {
    let folder = tempfile::tempdir().unwrap();
    let sound = core(&folder, "0").await;
    let mut thing = Resource::new(THING);
    sound
        .converge(&mut thing, &sound.config(THING, &json!({"name": "a"})).unwrap())
        .await
        .unwrap();
    let config = sound.config(THING, &json!({"name": "b"})).unwrap();
    // The first change destroys; the second, which makes the new one, is not reached.
    assert!(
        core(&folder, "2")
            .await
            .bring(&mut thing, &config)
            .await
            .unwrap_err()
            .died()
    );
    assert!(thing.is_absent() && things(&folder).is_empty());
    assert_eq!(
        sound.converge(&mut thing, &config).await.unwrap().action,
        Action::Create
    );
}

#[tokio::test]
async fn prevent_destroy_and_ignore_changes() {
    let folder = tempfile::tempdir().unwrap();
    let core = core(&folder, "0").await;
    let mut thing = Resource::new(THING);
    thing.lifecycle.prevent_destroy = true;
    thing.lifecycle.ignore_changes = vec!["note".to_owned()];
    let config = |json| core.config(THING, &json).unwrap();
    core.converge(&mut thing, &config(json!({"name": "a", "note": "one"})))
        .await
        .unwrap();
    let plan = core
        .plan(&thing, &config(json!({"name": "a", "note": "two"})))
        .await
        .unwrap();
    assert_eq!(plan.action, Action::NoOp, "{plan}");
    let plan = core
        .plan(&thing, &config(json!({"name": "a", "note": "two", "size": 2})))
        .await
        .unwrap();
    let changed: Vec<_> = plan.changes().iter().map(|(path, ..)| path.to_string()).collect();
    assert!(
        plan.action == Action::Update && changed.contains(&"size".to_owned()),
        "{plan}"
    );
    assert!(!changed.contains(&"note".to_owned()), "{plan}");
    let error = core
        .plan(&thing, &config(json!({"name": "b"})))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Prevented(_)));
    assert!(matches!(
        core.destroy(&mut thing, None).await.unwrap_err(),
        Error::Prevented(_)
    ));
    assert_eq!(things(&folder), ["t-a.json"]);
}

#[tokio::test]
async fn a_handle_survives_as_text_and_in_an_old_form() {
    let folder = tempfile::tempdir().unwrap();
    let core = core(&folder, "0").await;
    let config = core
        .config(THING, &json!({"name": "a", "anything": {"k": [1, "x"]}}))
        .unwrap();
    let mut thing = Resource::new(THING);
    core.converge(&mut thing, &config).await.unwrap();
    let text = serde_json::to_string(&thing).unwrap();
    let read: Resource = serde_json::from_str(&text).unwrap();
    assert_eq!(read, thing);
    assert!(core.plan(&read, &config).await.unwrap().is_empty());

    // Version 0 called the name "title".
    let mut old = thing.current.clone().unwrap().attributes;
    old["title"] = old["name"].take();
    old.as_object_mut().unwrap().remove("name");
    let mut old = Resource::stored(THING, 0, old);
    core.converge(&mut old, &config).await.unwrap();
    assert_eq!(
        (old.get("name"), old.current.as_ref().unwrap().schema_version),
        (&json!("a"), 1)
    );
    let newer = Resource::stored(THING, 2, json!({}));
    assert!(matches!(
        core.plan(&newer, &config).await.unwrap_err(),
        Error::Failed { .. }
    ));
}

#[tokio::test]
async fn import_and_state_rm() {
    let folder = tempfile::tempdir().unwrap();
    let core = core(&folder, "0").await;
    let config = core.config(THING, &json!({"name": "a"})).unwrap();
    let mut thing = Resource::new(THING);
    core.converge(&mut thing, &config).await.unwrap();
    thing.forget();
    assert!(thing.is_absent());
    assert!(matches!(
        core.import(&mut thing, "nothing").await.unwrap_err(),
        Error::Failed { .. }
    ));
    core.import(&mut thing, "t-a").await.unwrap();
    assert!(core.plan(&thing, &config).await.unwrap().is_empty());
    assert!(
        core.import(&mut thing, "t-a").await.is_err(),
        "it is there already"
    );
    std::fs::remove_file(folder.path().join("t-a.json")).unwrap();
    core.refresh(&mut thing).await.unwrap();
    assert!(thing.is_absent());
}

#[tokio::test]
async fn what_was_unknown_is_known_at_apply() {
    let folder = tempfile::tempdir().unwrap();
    let core = core(&folder, "0").await;
    let mut thing = Resource::new(THING);
    let early = core
        .config(
            THING,
            &json!({"name": "a", "note": "$unknown", "ports": "$unknown"}),
        )
        .unwrap();
    let plan = core.plan(&thing, &early).await.unwrap();
    assert!(matches!(
        core.apply(&mut thing, &plan).await.unwrap_err(),
        Error::Misuse(_)
    ));
    let known = core
        .config(
            THING,
            &json!({"name": "a", "note": "n", "ports": [{"number": 1}]}),
        )
        .unwrap();
    core.apply_known(&mut thing, &plan, &known).await.unwrap();
    assert_eq!(
        (thing.get("note"), &thing.get("ports")[0]["rule_id"]),
        (&json!("n"), &json!("r-0"))
    );
    // What was known must not change between plan and apply.
    let plan = core.plan(&thing, &known).await.unwrap();
    let mut other = Resource::new(THING);
    let moved = core.config(THING, &json!({"name": "z"})).unwrap();
    let fresh = core.plan(&other, &early).await.unwrap();
    assert!(
        core.apply_known(&mut other, &fresh, &moved)
            .await
            .unwrap_err()
            .broke(conformance::Rule::P11)
    );
    assert!(plan.is_empty() && other.is_absent());
}
