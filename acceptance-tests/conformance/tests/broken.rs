//! Every rule is detected: a provider with one defect is caught by the rule that it breaks.
#![allow(clippy::unwrap_used, reason = "a test stops where something is missing")]

use conformance::{Core, Error, Resource, Rule};
use serde_json::json;
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_conformance-broken-provider");
const THING: &str = "exercise_thing";

/// Rule, and after the dot the way in which the provider breaks it.
const SWITCHES: &[&str] = &[
    "S1.neither",
    "S1.both",
    "S1.computed",
    "S2.neither",
    "S2.both",
    "S2.type",
    "S2.nesting",
    "S3",
    "S4.twice",
    "S4.clash",
    "S4.name",
    "S5.mode",
    "S5.single",
    "S5.list",
    "S5.negative",
    "S5.map",
    "S5.group",
    "S6.dynamic",
    "S6.writeonly",
    "S6.block",
    "S7.attribute",
    "S7.min",
    "S8.schema",
    "S8.identity",
    "S9.neither",
    "S9.type",
    "S10.name",
    "S10.twice",
    "S10.type",
    "S10.return",
    "S11",
    "S12.list",
    "S12.identity",
    "S13.metadata",
    "S13.functions",
    "P1.null",
    "P1.destroy",
    "P2.type",
    "P2.missing",
    "P3",
    "P4.other",
    "P4.extra",
    "P4.unknown",
    "P4.single",
    "P4.list",
    "P4.map",
    "P4.block",
    "P5.count",
    "P5.null",
    "P5.unknown",
    "P5.key",
    "P5.set",
    "P6.count",
    "P6.null",
    "P6.unknown",
    "P6.element",
    "P7",
    "P8.type",
    "P8.unknown",
    "P8.destroy",
    "P9",
    "P10",
    "P11.value",
    "P11.action",
    "A1.type",
    "A2",
    "A3.value",
    "A3.gone",
    "A3.come",
    "A3.list",
    "A3.map",
    "A3.set",
    "A3.grown",
    "A3.block",
    "A3.nested",
    "A3.dynamic",
    "A3.promise",
    "A4.create",
    "A4.delete",
    "A5",
    "A6.unknown",
    "A6.type",
    "A8.plan",
    "A8.apply",
    "A8.read",
    "R1",
    "R2",
    "R3",
    "R4",
    "R5",
    "D1",
    "D2",
    "D3",
    "I1.none",
    "I1.two",
    "I1.null",
    "I2.name",
    "I2.type",
    "I3",
    "U1.null",
    "U1.type",
    "U2",
    "U3",
    "U4",
    "F1.none",
    "F1.type",
    "F2",
    "E1.value",
    "E1.type",
    "E2",
    "L1.none",
    "L1.unknown",
    "L2",
    "L3.none",
    "L3.type",
    "C1.empty",
    "C1.end",
    "X1",
    "X2",
];

async fn start(folder: &TempDir, switch: &str) -> Result<Core, Error> {
    let folder = folder.path().to_str().unwrap();
    let core = Core::start(BINARY, &[("EXERCISE_DIR", folder), ("BREAK", switch)]).await?;
    core.configure(&json!({})).await?;
    Ok(core)
}

fn full() -> serde_json::Value {
    json!({
        "name": "a", "note": "n", "words": ["x"], "labels": {"k": "v"}, "anything": "any", "main": {"number": 1},
        "ports": [{"number": 2}], "named": {"p": {"number": 4}},
        "doors": [{"colour": "red"}, {"colour": "blue"}], "password_wo": "secret", "disk": [{"size": 1}],
    })
}

/// Everything that a provider can be asked.
async fn everything(switch: &str) -> Result<(), Error> {
    let folder = tempfile::tempdir().unwrap();
    let core = start(&folder, switch).await?;
    assert_eq!(
        core.call_function("join", &[json!("-"), json!("a"), json!("b")])
            .await?
            .as_str(),
        Some("a-b")
    );
    core.read_data("exercise_letters", &json!({"text": "abc"}))
        .await?;
    let mut token = core.open("exercise_token", &json!({"length": 8})).await?;
    core.renew(&mut token).await?;
    core.close_ephemeral(token).await?;
    assert_eq!(core.list(THING, &json!({}), 2).await?.len(), 2);
    assert_eq!(core.invoke("exercise_shout", &json!({})).await?, ["hey"]);

    let mut thing = Resource::new(THING);
    core.converge(&mut thing, &core.config(THING, &full())?).await?;
    let mut config = full();
    config["size"] = json!(2);
    core.converge(&mut thing, &core.config(THING, &config)?).await?;
    let mut again = Resource::new(THING);
    core.import(&mut again, "t-a").await?;
    let mut again = Resource::new(THING);
    core.import_identity(&mut again, &json!({"id": "t-a"})).await?;
    config["name"] = json!("b");
    core.converge(&mut thing, &core.config(THING, &config)?).await?;
    core.destroy(&mut thing, None).await?;
    assert!(thing.is_absent());
    Ok(())
}

#[tokio::test]
async fn without_a_defect_nothing_is_wrong() {
    everything("").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_broken_rule_is_caught() {
    let mut wrong = Vec::new();
    for switch in SWITCHES {
        let rule = switch.split('.').next().unwrap();
        match everything(switch).await {
            Err(error)
                if error.violations().iter().all(|v| format!("{:?}", v.rule) == rule)
                    && !error.violations().is_empty() => {}
            Err(error) => wrong.push(format!("{switch}: {error}")),
            Ok(()) => wrong.push(format!("{switch}: not caught")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn every_rule_has_a_defect() {
    for rule in Rule::ALL {
        let name = format!("{rule:?}");
        assert!(
            SWITCHES.iter().any(|s| s.split('.').next() == Some(&name)),
            "{rule} is broken by no switch"
        );
    }
}

#[tokio::test]
async fn a_violation_names_rule_path_and_both_values() {
    let error = everything("P4.list").await.unwrap_err().to_string();
    for part in [
        "PlanResourceChange breaks core's rules",
        "P4 at ports[0].number",
        "expected: 2",
        "answered: 9",
    ] {
        assert!(error.contains(part), "{part:?} is missing in: {error}");
    }
}

#[tokio::test]
async fn a_rule_can_be_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let mut core = start(&folder, "A8.read").await.unwrap();
    core.allow(Rule::A8);
    let config = core.config(THING, &full()).unwrap();
    core.converge(&mut Resource::new(THING), &config).await.unwrap();
}

/// What core keeps after an error (A7), and after an answer that it cannot use.
#[tokio::test]
async fn after_an_error_core_keeps_what_it_can() {
    async fn after(switch: &str) -> (Resource, Resource, Error) {
        let folder = tempfile::tempdir().unwrap();
        let sound = start(&folder, "").await.unwrap();
        let broken = start(&folder, switch).await.unwrap();
        let mut thing = Resource::new(THING);
        let config = broken.config(THING, &full()).unwrap();
        if switch.ends_with("create") || switch.starts_with("A1") {
            let error = broken.bring(&mut thing, &config).await.unwrap_err();
            return (Resource::new(THING), thing, error);
        }
        sound.converge(&mut thing, &config).await.unwrap();
        let before = thing.clone();
        if switch.ends_with("delete") {
            let error = broken.destroy(&mut thing, None).await.unwrap_err();
            return (before, thing, error);
        }
        let mut config = full();
        config["size"] = json!(2);
        let config = broken.config(THING, &config).unwrap();
        let error = broken.bring(&mut thing, &config).await.unwrap_err();
        (before, thing, error)
    }
    let (_, thing, error) = after("A7.create").await;
    assert!(thing.is_absent() && matches!(error, Error::Failed { .. }));
    let (before, thing, _) = after("A7.update").await;
    assert_eq!(before.current, thing.current);
    let (before, thing, _) = after("A7.delete").await;
    assert_eq!(before.current, thing.current);
    let (_, thing, _) = after("A7.partial").await;
    assert!(thing.get("revision") == 77 && !thing.is_tainted());
    // What is of no type cannot be stored: the object is lost.
    let (_, thing, error) = after("A1.type").await;
    assert!(thing.is_absent() && error.broke(Rule::A1));
    let (before, thing, error) = after("A4.delete").await;
    assert!(error.broke(Rule::A4));
    assert_eq!(before.get("id"), thing.get("id"));
}
