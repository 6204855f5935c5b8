//! Generated configurations against the sound provider: whatever is written, the provider refuses it with a message or
//! keeps every rule.
#![allow(clippy::unwrap_used, reason = "a test stops where something is missing")]

use conformance::generate::{Hints, samples};
use conformance::{Action, Core, Resource, unless_refused};
use serde_json::json;

const BINARY: &str = env!("CARGO_BIN_EXE_conformance-sound-provider");
const THING: &str = "exercise_thing";

fn hints() -> Hints {
    Hints::new()
        .values("name", [json!("a"), json!("b")])
        .values("size", [json!(1), json!(3)])
        .values("note", [json!("one"), json!("two\nlines"), json!("e\u{301}")])
        .values("main.number", [json!(1), json!(80)])
        .values("ports.number", [json!(443)])
        .values("spare.number", [json!(8080)])
        .values("named.number", [json!(22)])
        .values("disk.size", [json!(10), json!(20)])
}

async fn core(folder: &tempfile::TempDir) -> Core {
    let core = Core::start(BINARY, &[("EXERCISE_DIR", folder.path().to_str().unwrap())])
        .await
        .unwrap();
    core.configure(&json!({})).await.unwrap();
    core
}

#[tokio::test]
async fn any_sequence_of_configurations_converges() {
    let folder = tempfile::tempdir().unwrap();
    let core = core(&folder).await;
    let block = &core.schema().resources[THING].schema.block;
    let configs: Vec<_> = samples(&hints().configs(block), 60);
    let actions = core.converge_all(THING, &configs).await.unwrap();
    assert_eq!(actions.len(), 60);
    for action in [Action::Create, Action::Update, Action::Replace] {
        assert!(actions.contains(&action), "{action} never happened");
    }
}

#[tokio::test]
async fn plans_with_unknown_values_keep_the_rules_and_their_word() {
    let folder = tempfile::tempdir().unwrap();
    let core = core(&folder).await;
    let block = &core.schema().resources[THING].schema.block;
    let mut thing = Resource::new(THING);
    core.converge(
        &mut thing,
        &core
            .config(THING, &json!({"name": "a", "ports": [{"number": 1}]}))
            .unwrap(),
    )
    .await
    .unwrap();
    let configs: Vec<_> = samples(&hints().unknown(25).configs(block), 60);
    let unknown = configs.iter().filter(|config| !config.is_wholly_known()).count();
    let planned = core.plan_all(&thing, &configs).await.unwrap();
    assert!(unknown > 40 && planned > 80, "{unknown} {planned}");
}

#[tokio::test]
async fn values_without_hints_are_refused_or_fine() {
    let folder = tempfile::tempdir().unwrap();
    let core = core(&folder).await;
    let block = &core.schema().resources[THING].schema.block;
    let resource = Resource::new(THING);
    for config in samples(&Hints::new().unknown(5).configs(block), 100) {
        unless_refused(core.plan(&resource, &config).await, &config).unwrap();
    }
}

#[tokio::test]
async fn hints_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let core = core(&folder).await;
    let block = &core.schema().resources[THING].schema.block;
    let hints = hints()
        .at_most_one(["note", "size", "zone"])
        .never("doors")
        .always("on")
        .only(|c| c.get("name") == &"a".into());
    let all = samples(&hints.configs(block), 100);
    assert_eq!(all.len(), 100);
    for config in &all {
        let set = ["note", "size", "zone"]
            .iter()
            .filter(|name| !config.get(name).is_null())
            .count();
        assert!(set <= 1 && config.get("doors").is_null() && !config.get("on").is_null());
        assert_eq!(config.get("name"), &"a".into());
        assert!(config.get("id").is_null(), "the provider alone sets it");
    }
    assert!(all.iter().any(|c| !c.get("note").is_null()) && all.iter().any(|c| !c.get("zone").is_null()));
}
