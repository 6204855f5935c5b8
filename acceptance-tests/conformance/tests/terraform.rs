//! We ask as the real core asks: the same configurations through `terraform` and through this crate lead to the same
//! requests, in the same order, with the same values and private data.
//!
//! `CONFORMANCE_CLI` names another binary than `terraform` from `PATH`: also Terraform 1.15.5 and OpenTofu 1.12.6 were compared.

#![allow(clippy::unwrap_used, reason = "a test stops where something is missing")]

use std::path::{Path, PathBuf};
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
    let identity = |data: &Option<pb::ResourceIdentityData>| {
        let ty = Type::object([("id", Type::String)]);
        let data = data.as_ref().and_then(|data| data.identity_data.as_ref());
        data.map_or("none".to_owned(), |v| {
            conformance::show(&Value::from_msgpack(&v.msgpack, &ty).unwrap())
        })
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
                    ("identity", identity(&r.current_identity)),
                ]
            }
            "plan" => {
                let r = pb::plan_resource_change::Request::decode(bytes.as_slice()).unwrap();
                vec![
                    ("prior", value(&r.prior_state)),
                    ("proposed", value(&r.proposed_new_state)),
                    ("config", value(&r.config)),
                    ("private", private(&r.prior_private)),
                    ("identity", identity(&r.prior_identity)),
                ]
            }
            _ => {
                let r = pb::apply_resource_change::Request::decode(bytes.as_slice()).unwrap();
                vec![
                    ("prior", value(&r.prior_state)),
                    ("planned", value(&r.planned_state)),
                    ("config", value(&r.config)),
                    ("private", private(&r.planned_private)),
                    ("identity", identity(&r.planned_identity)),
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

/// The real core: `terraform` from `PATH`, or what `CONFORMANCE_CLI` names.
fn cli() -> Command {
    Command::new(std::env::var_os("CONFORMANCE_CLI").unwrap_or_else(|| "terraform".into()))
}

/// Whether it is OpenTofu, and whether identities are compared: Terraform has them from 1.12. OpenTofu has them, too, but
/// gives none to the second plan of a replacement; we do as Terraform.
fn about_cli() -> (bool, bool) {
    let output = cli().arg("version").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let minor = text.split(" v1.").nth(1).unwrap().split('.').next().unwrap();
    let opentofu = text.contains("OpenTofu v");
    (opentofu, !opentofu && minor.parse::<u32>().unwrap() >= 12)
}

/// What both sides are told.
struct Step {
    config: Value,
    /// See `EXERCISE_KILL`.
    kill: i64,
}

/// The same steps through `terraform`, and through this crate; then a destroy.
struct Both {
    folder: TempDir,
    clouds: [TempDir; 2],
    create_before_destroy: bool,
    ty: Type,
    /// See [`about_cli`].
    identities: bool,
    opentofu: bool,
}

impl Both {
    async fn new(create_before_destroy: bool) -> Self {
        let (opentofu, identities) = about_cli();
        let [folder, theirs, ours] = std::array::from_fn(|_| tempfile::tempdir().unwrap());
        std::fs::copy(BINARY, folder.path().join("terraform-provider-exercise")).unwrap();
        let overrides = format!("dev_overrides {{ \"ekb/exercise\" = {:?} }}", folder.path());
        let overrides = format!("provider_installation {{\n {overrides}\n direct {{}}\n}}\n");
        std::fs::write(folder.path().join("cli.tfrc"), overrides).unwrap();
        Self {
            folder,
            clouds: [theirs, ours],
            create_before_destroy,
            identities,
            opentofu,
            ty: Core::start(BINARY, &[]).await.unwrap().schema().resources[THING]
                .schema
                .block
                .ty(),
        }
    }

    fn record(&self, side: usize) -> PathBuf {
        self.folder.path().join(format!("record-{side}"))
    }

    fn environment(&self, side: usize, kill: i64) -> [(&'static str, String); 4] {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        [
            ("EXERCISE_DIR", text(self.clouds[side].path())),
            ("RECORD", text(&self.record(side))),
            ("EXERCISE_KILL", kill.to_string()),
            ("BREAK", if self.opentofu { "opentofu" } else { "" }.to_owned()),
        ]
    }

    fn terraform(&self, command: &str, kill: i64) -> bool {
        let output = cli()
            .args([command, "-auto-approve", "-no-color"])
            .current_dir(self.folder.path())
            .env("TF_CLI_CONFIG_FILE", self.folder.path().join("cli.tfrc"))
            .env("CHECKPOINT_DISABLE", "1")
            .envs(self.environment(0, kill))
            .output()
            .unwrap();
        output.status.success()
    }

    fn write(&self, config: &Value) {
        let mut resource = json(config);
        resource["lifecycle"] = json!({"create_before_destroy": self.create_before_destroy});
        let required = json!({"required_providers": {"exercise": {"source": "ekb/exercise"}}});
        let file = json!({"terraform": required, "resource": {THING: {"it": resource}}});
        std::fs::write(self.folder.path().join("main.tf.json"), file.to_string()).unwrap();
    }

    async fn core(&self, kill: i64) -> Core {
        let environment = self.environment(1, kill);
        let environment = environment
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        let core = Core::start(BINARY, &environment).await.unwrap();
        core.configure(&json!({})).await.unwrap();
        core
    }

    /// Both sides do the steps; the requests are the same.
    ///
    /// Core reads and plans deposed objects beside the current one, in no order: so with `create_before_destroy` the
    /// requests of a step are compared without order.
    async fn compare(&self, steps: &[Step]) -> usize {
        let mut count = 0;
        let mut thing = Resource::new(THING);
        thing.lifecycle.create_before_destroy = self.create_before_destroy;
        for Step { config, kill } in steps {
            self.write(config);
            let theirs = self.terraform("apply", *kill);
            let ours = self.core(*kill).await.bring(&mut thing, config).await;
            assert_eq!(theirs, ours.is_ok(), "{ours:?}");
            count += self.same_requests(config);
        }
        assert!(self.terraform("destroy", 0));
        let core = self.core(0).await;
        core.destroy(&mut thing, steps.last().map(|step| &step.config))
            .await
            .unwrap();
        count + self.same_requests(&Value::Null)
    }

    /// Compares what both sides asked since the last time.
    fn same_requests(&self, config: &Value) -> usize {
        let [mut theirs, mut ours] = [0, 1].map(|side| {
            let all = recorded(&self.record(side), &self.ty);
            drop(std::fs::remove_file(self.record(side)));
            all
        });
        if !self.identities {
            let forget = |(_, parts): &mut Asked| parts.retain(|(name, _)| *name != "identity");
            theirs.iter_mut().chain(&mut ours).for_each(forget);
        }
        if self.create_before_destroy {
            theirs.sort();
            ours.sort();
        }
        let shown = conformance::show(config);
        for (i, (their, our)) in theirs.iter().zip(&ours).enumerate() {
            assert_eq!(their, our, "request {i} of {shown}: terraform's and ours");
        }
        assert_eq!(theirs.len(), ours.len(), "{shown}");
        ours.len()
    }
}

#[tokio::test]
async fn generated_configurations() {
    let both = Both::new(false).await;
    let core = both.core(0).await;
    let hints = Hints::new()
        .values("name", [json!("a"), json!("a"), json!("b")])
        .values("size", [json!(1), json!(3)])
        .values("note", [json!("one"), json!("half"), json!("e\u{301}")])
        .values("main.number", [json!(1), json!(80)])
        .values("spare.number", [json!(1), json!(80)])
        .values("ports.number", [json!(443), json!(22)])
        .values("named.number", [json!(22)])
        .values("doors.colour", [json!("red"), json!("blue")])
        .values("disk.size", [json!(10), json!(20)]);
    let mut configs = samples(&hints.configs(&core.schema().resources[THING].schema.block), 12);
    // Back to what was there before: a plan without changes.
    configs.push(configs[11].clone());
    let steps: Vec<_> = configs
        .into_iter()
        .map(|config| Step { config, kill: 0 })
        .collect();
    let asked = both.compare(&steps).await;
    assert!(asked > 40, "{asked}");
}

/// Failing and dying in every phase: what the real core keeps shows in its next requests.
#[tokio::test]
async fn failures_and_kills() {
    for create_before_destroy in [false, true] {
        let both = Both::new(create_before_destroy).await;
        let core = both.core(0).await;
        let step = |config: Json, kill: i64| Step {
            config: core.config(THING, &config).unwrap(),
            kill,
        };
        let steps = [
            step(json!({"name": "a"}), 1),
            step(json!({"name": "a"}), -1),
            step(json!({"name": "a", "note": "half"}), 0),
            step(json!({"name": "a"}), 1),
            step(json!({"name": "a"}), 0),
            step(json!({"name": "a", "size": 2}), 1),
            step(json!({"name": "a", "size": 3}), -1),
            step(json!({"name": "a", "size": 3}), 0),
            step(json!({"name": "b"}), 1),
            step(json!({"name": "b"}), 2),
            step(json!({"name": "b"}), 0),
            step(json!({"name": "c"}), 3),
            step(json!({"name": "c"}), 0),
            step(json!({"name": "d", "note": "half"}), 0),
            step(json!({"name": "d", "size": 2}), 0),
        ];
        both.compare(&steps).await;
    }
}
