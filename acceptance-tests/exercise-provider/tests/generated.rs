//! Generated configurations of the exercise provider, driven by the conformance client: every rule of core, on a model with
//! an attribute of every kind, over the real wire.

#![allow(missing_docs, reason = "tests")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests: a panic is a failure"
)]

use conformance::generate::{Hints, samples};
use conformance::{Action, Core, Resource, Value, unless_refused};
use serde_json::json;

const BINARY: &str = env!("CARGO_BIN_EXE_terraform-provider-exercise");
const ITEM: &str = "exercise_item";

fn hints() -> Hints {
    let colours = || [json!("red"), json!("green")];
    Hints::new()
        .values("name", [json!("a"), json!("b")])
        .values("count_of", [json!(1), json!(7)])
        .values("keeping", [json!("cold"), json!("room_temperature")])
        .values("network", [json!("10.0.0.0/8")])
        .values("address", [json!("10.0.0.1")])
        .values("front.colour", colours())
        .values("cover.colour", colours())
        .values("cover.width", [json!(5)])
        .values("sides.colour", colours())
        .values("variants.colour", colours())
        .values("named.colour", colours())
        .values("timeouts.create", [json!("5m")])
        .values("timeouts.read", [json!("1h30m")])
        .values("timeouts.update", [json!("5m")])
        .values("timeouts.delete", [json!("90s")])
        .at_most_one(["network", "address"])
        .values("front.width", [json!(1), json!(2)])
        .values("sides.width", [json!(1), json!(2)])
        .values("variants.width", [json!(1), json!(2)])
        .values("named.width", [json!(3)])
        .values("password_wo_version", [json!(1), json!(2)])
        .never("misbehave")
        .never("event")
        .only(|config| config.get("password_wo").is_null() || !config.get("password_wo_version").is_null())
}

async fn core(folder: &tempfile::TempDir) -> Core {
    let core = Core::start(BINARY, &[]).await.unwrap();
    core.configure(&json!({"directory": folder.path().to_str().unwrap()}))
        .await
        .unwrap();
    core
}

#[tokio::test]
async fn any_sequence_of_configurations_converges() {
    let folder = tempfile::tempdir().unwrap();
    let core = core(&folder).await;
    let block = &core.schema().resources[ITEM].schema.block;
    let configs: Vec<_> = samples(&hints().configs(block), 80);
    let actions = core.converge_all(ITEM, &configs).await.unwrap();
    assert!(actions.len() > 60, "{} of 80 were applied", actions.len());
    for action in [Action::Create, Action::Update, Action::Replace] {
        assert!(actions.contains(&action), "{action} never happened");
    }
}

#[tokio::test]
async fn plans_with_unknown_values_keep_the_rules_and_their_word() {
    let folder = tempfile::tempdir().unwrap();
    let core = core(&folder).await;
    let block = &core.schema().resources[ITEM].schema.block;
    let mut item = Resource::new(ITEM);
    let first = core
        .config(ITEM, &json!({"name": "a", "sides": [{"colour": "red"}]}))
        .unwrap();
    core.converge(&mut item, &first).await.unwrap();
    let configs: Vec<_> = samples(&hints().unknown(25).configs(block), 80);
    let unknown = configs.iter().filter(|config| !config.is_wholly_known()).count();
    let planned = core.plan_all(&item, &configs).await.unwrap();
    assert!(
        unknown > 40 && planned > 80,
        "{unknown} unknown, {planned} planned"
    );
}

/// Import by id and by identity, data source, list, action, ephemeral resource and functions, over items that generated
/// configurations made.
#[tokio::test]
async fn everything_beside_resources_keeps_its_rules() {
    let folder = tempfile::tempdir().unwrap();
    let core = core(&folder).await;
    let block = &core.schema().resources[ITEM].schema.block;
    let identity = core.schema().resources[ITEM]
        .identity
        .as_ref()
        .unwrap()
        .ty
        .clone();
    let mut made = Vec::new();
    for (i, mut config) in samples(&hints().configs(block), 20).into_iter().enumerate() {
        // The last one is not among those that the list is asked for.
        let name = if i < 19 {
            format!("item-{i:02}")
        } else {
            "other".to_owned()
        };
        let Value::Object(arguments) = &mut config else {
            panic!("an object")
        };
        arguments.insert("name".to_owned(), name.as_str().into());
        let mut item = Resource::new(ITEM);
        let plan = core.converge(&mut item, &config).await;
        if unless_refused(plan, &config).unwrap().is_none() {
            continue;
        }
        for by_identity in [false, true] {
            let mut imported = Resource::new(ITEM);
            if by_identity {
                core.import_identity(&mut imported, &json!({ "name": name }))
                    .await
                    .unwrap();
            } else {
                core.import(&mut imported, &name).await.unwrap();
            }
            assert_eq!(imported.get("revision"), item.get("revision"));
        }
        let data = core.read_data(ITEM, &json!({ "name": name })).await.unwrap();
        assert_eq!(data.get("label").as_str(), item.get("label").as_str());
        let lines = core
            .invoke("exercise_stamp", &json!({ "item": name, "times": 3 }))
            .await
            .unwrap();
        assert_eq!(lines.len(), 3);
        made.push(item.current.unwrap().identity.unwrap().1);
    }
    assert!(made.len() > 15, "{} of 20 were made", made.len());
    made.retain(|identity| identity["name"] != "other");
    for limit in [3, 1000] {
        let listed = core
            .list(ITEM, &json!({ "prefix": "item-" }), limit)
            .await
            .unwrap();
        let listed: Vec<_> = listed
            .iter()
            .map(|one| one.identity.to_json(&identity).unwrap())
            .collect();
        assert_eq!(listed, made[..made.len().min(usize::try_from(limit).unwrap())]);
    }
    for seconds in [json!(null), json!(60)] {
        let mut token = core
            .open(
                "exercise_token",
                &json!({ "audience": "me", "renew_after": seconds }),
            )
            .await
            .unwrap();
        core.renew(&mut token).await.unwrap();
        core.close_ephemeral(token).await.unwrap();
    }
    let reversed = core.call_function("reverse", &[json!(["a", "b"])]).await.unwrap();
    assert_eq!(reversed.elements().len(), 2);
    for text in [json!(null), json!("e\u{301}")] {
        let arguments = [
            json!(true),
            json!(2),
            json!(0.1),
            text,
            json!(["a"]),
            json!([3, 1, 2]),
            json!({}),
            json!({ "x": 1 }),
            json!(null),
            json!("more"),
        ];
        core.call_function("describe", &arguments).await.unwrap();
    }
}
