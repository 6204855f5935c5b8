//! We ask as the real core asks: the same configurations through `terraform` and through this crate lead to the same
//! requests, in the same order, with the same values and private data.

use std::path::Path;
use std::process::Command;

use conformance::generate::{Hints, samples};
use conformance::{Core, Resource, Type, Value};
use prost::Message as _;
use proto::tfplugin6 as pb;
use serde_json::{Value as Json, json};
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_conformance-broken-provider");
const THING: &str = "exercise_thing";

/// One request, readable: the call, and its values by name.
type Asked = (String, Vec<(&'static str, String)>);

fn recorded(file: &Path, ty: &Type) -> Vec<Asked> {
    let value = |value: &Option<pb::DynamicValue>| {
        let bytes = value.as_ref().map(|v| v.msgpack.as_slice()).unwrap_or(&[0xc0]);
        conformance::show(&Value::from_msgpack(bytes, ty).unwrap())
    };
    let private = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let one = |line: &str| {
        let (call, hex) = line.split_once(' ').unwrap();
        let bytes: Vec<u8> = (0..hex.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap())
            .collect();
        let parts = match call {
            "read" => {
                let r = pb::read_resource::Request::decode(bytes.as_slice()).unwrap();
                vec![
                    ("state", value(&r.current_state)),
                    ("private", private(&r.private)),
                ]
            }
            "plan" => {
                let r = pb::plan_resource_change::Request::decode(bytes.as_slice()).unwrap();
                vec![
                    ("prior", value(&r.prior_state)),
                    ("proposed", value(&r.proposed_new_state)),
                    ("config", value(&r.config)),
                    ("private", private(&r.prior_private)),
                ]
            }
            _ => {
                let r = pb::apply_resource_change::Request::decode(bytes.as_slice()).unwrap();
                vec![
                    ("prior", value(&r.prior_state)),
                    ("planned", value(&r.planned_state)),
                    ("config", value(&r.config)),
                    ("private", private(&r.planned_private)),
                ]
            }
        };
        (call.to_owned(), parts)
    };
    text.lines().map(one).collect()
}

/// A configuration in Terraform's JSON syntax.
fn json(value: &Value) -> Json {
    match value {
        Value::Null | Value::Unknown(_) => Json::Null,
        Value::Bool(value) => json!(value),
        Value::Number(number) => serde_json::from_str(&number.to_string()).unwrap(),
        Value::String(text) => json!(text.replace("${", "$${").replace("%{", "%%{")),
        Value::List(all) | Value::Set(all) | Value::Tuple(all) => all.iter().map(json).collect(),
        Value::Map(all) | Value::Object(all) => {
            let all: serde_json::Map<_, _> = all
                .iter()
                .filter(|(_, v)| !v.is_null())
                .map(|(k, v)| (k.clone(), json(v)))
                .collect();
            Json::Object(all)
        }
        Value::Dynamic(inner) => json(&inner.1),
    }
}

fn terraform(folder: &Path, command: &str, cloud: &Path, record: &Path) -> bool {
    let output = Command::new("terraform")
        .args([command, "-auto-approve", "-no-color"])
        .current_dir(folder)
        .env("TF_CLI_CONFIG_FILE", folder.join("cli.tfrc"))
        .env("CHECKPOINT_DISABLE", "1")
        .env("EXERCISE_DIR", cloud)
        .env("RECORD", record)
        .output()
        .unwrap();
    if !output.status.success() {
        eprintln!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    output.status.success()
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[tokio::test]
async fn requests_are_those_of_the_real_core() {
    let (here, theirs, ours) = (folder(), folder(), folder());
    let (their_record, our_record) = (here.path().join("theirs"), here.path().join("ours"));
    std::fs::copy(BINARY, here.path().join("terraform-provider-exercise")).unwrap();
    let overrides = format!(
        "provider_installation {{\n dev_overrides {{ \"ekb/exercise\" = {:?} }}\n direct {{}}\n}}\n",
        here.path()
    );
    std::fs::write(here.path().join("cli.tfrc"), overrides).unwrap();

    let environment = [
        ("EXERCISE_DIR", ours.path().to_str().unwrap()),
        ("RECORD", our_record.to_str().unwrap()),
    ];
    let core = Core::start(BINARY, &environment).await.unwrap();
    core.configure(&json!({})).await.unwrap();
    let block = &core.schema().resources[THING].schema.block;
    let ty = block.ty();
    let hints = Hints::new()
        .values("name", [json!("a"), json!("a"), json!("b")])
        .values("size", [json!(1), json!(3)])
        .values("note", [json!("one"), json!("half"), json!("e\u{301}")])
        .values("main.number", [json!(1), json!(80)])
        .values("ports.number", [json!(443), json!(22)])
        .values("named.number", [json!(22)])
        .values("disk.size", [json!(10), json!(20)]);
    let mut thing = Resource::new(THING);
    let mut configs = samples(&hints.configs(block), 10);
    // Back to what was there before: a plan without changes.
    configs.push(configs[9].clone());
    for config in &configs {
        let mut resource = json(config);
        // A provider from an override needs its address.
        let required = json!({"required_providers": {"exercise": {"source": "ekb/exercise"}}});
        let file = json!({"terraform": required, "resource": {THING: {"it": resource.take()}}});
        std::fs::write(here.path().join("main.tf.json"), file.to_string()).unwrap();
        let done = terraform(here.path(), "apply", theirs.path(), &their_record);
        let result = core.bring(&mut thing, config).await;
        assert_eq!(done, result.is_ok(), "{result:?}");
    }
    assert!(terraform(here.path(), "destroy", theirs.path(), &their_record));
    core.destroy(&mut thing, configs.last()).await.unwrap();

    let (theirs, ours) = (recorded(&their_record, &ty), recorded(&our_record, &ty));
    let calls = |all: &[Asked]| all.iter().map(|(call, _)| call.clone()).collect::<Vec<_>>();
    for (i, (their, our)) in theirs.iter().zip(&ours).enumerate() {
        assert_eq!(their, our, "request {i}");
    }
    assert_eq!(calls(&theirs), calls(&ours));
    assert!(theirs.len() > 30, "{}", theirs.len());
}
