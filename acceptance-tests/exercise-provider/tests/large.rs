//! Large states over the real wire: nothing fails, and the provider's memory stays a small multiple.
//!
//! The messages are larger than the state: a plan of a change has prior state, proposal and configuration, 600 MiB for a
//! state of 200 MiB, which Go providers would refuse (256 MiB). `EKB_LARGE_MIB=200` and `EKB_LARGE_PIECES=…` set size
//! and number of texts; the default is large enough for what no limit of 256 MiB would let through.
//!
//! Measured on 2026-11-24 (debug build, two busy cores): peak of the provider's resident memory for the whole sequence,
//! create, refresh, update, refresh, with the exercise provider's own copies for its file. With `MALLOC_ARENA_MAX=1` the first
//! line is 2.4 GiB: the rest is what glibc's allocator keeps for each thread.
//!
//! | state | texts | largest request | peak |
//! |---|---|---|---|
//! | 200 MiB | 2,000 | 600 MiB | 4.3 GiB |
//! | 207 MiB | 500,000 | 622 MiB | 5.2 GiB |
//! | 226 MiB | 2,000,000 | 680 MiB | 8.2 GiB |

#![allow(missing_docs, reason = "tests")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests: a panic is a failure"
)]

use framework::{Type, Value};
use plugin::client::Client;
use prost::Message as _;
use proto::tfplugin6 as pb;
use serde_json::json;

const BINARY: &str = env!("CARGO_BIN_EXE_terraform-provider-exercise");

fn pack(value: &Value, ty: &Type) -> Option<pb::DynamicValue> {
    let msgpack = value.to_msgpack(ty).unwrap();
    Some(pb::DynamicValue {
        msgpack,
        json: Vec::new(),
    })
}

/// Peak of the resident memory of the process, in MiB.
fn peak(pid: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.trim()
        .trim_end_matches(" kB")
        .trim()
        .parse::<usize>()
        .unwrap()
        / 1024
}

fn fine(diagnostics: &[pb::Diagnostic]) {
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
}

#[tokio::test]
async fn a_large_state_is_planned_applied_and_read() {
    let number = |name: &str, default| std::env::var(name).map_or(default, |n| n.parse().unwrap());
    let (wanted, pieces) = (
        number("EKB_LARGE_MIB", 90) << 20,
        number("EKB_LARGE_PIECES", 2_000),
    );
    let folder = tempfile::tempdir().unwrap();
    let client = Client::spawn(BINARY, &[]).await.unwrap();
    let pid = client.pid().unwrap();
    let mut provider = client.provider.clone();
    let start = peak(pid);

    let directory = json!({ "directory": folder.path(), "default_label": null });
    let config_ty = Type::Object(
        [("directory", Type::String), ("default_label", Type::String)]
            .map(|(n, t)| (n.to_owned(), t))
            .into(),
    );
    let request = pb::configure_provider::Request {
        terraform_version: "1.15.5".to_owned(),
        config: pack(&Value::from_json(&directory, &config_ty).unwrap(), &config_ty),
        client_capabilities: None,
    };
    fine(
        &provider
            .configure_provider(request)
            .await
            .unwrap()
            .into_inner()
            .diagnostics,
    );

    let core = conformance::Core::start(BINARY, &[]).await.unwrap();
    let ty = core.schema().resources["exercise_item"].schema.block.ty();
    core.close().await.unwrap();
    let piece = "x".repeat(wanted / pieces);
    let labels: serde_json::Map<_, _> = (0..pieces)
        .map(|i| (format!("key-{i:08}"), json!(piece)))
        .collect();
    let mut config = json!({ "name": "large", "labels": labels, "sticker": [], "badge": [], "event": [] });
    let mut state: Option<pb::DynamicValue> = None;
    let mut largest = 0;
    for count in [1, 2] {
        config["count_of"] = json!(count);
        let config = pack(&filled(&config, &ty), &ty);
        let type_name = "exercise_item".to_owned();
        let request = pb::plan_resource_change::Request {
            type_name: type_name.clone(),
            prior_state: state.clone(),
            proposed_new_state: config.clone(),
            config: config.clone(),
            ..Default::default()
        };
        largest = largest.max(request.encoded_len());
        let planned = provider.plan_resource_change(request).await.unwrap().into_inner();
        fine(&planned.diagnostics);
        let request = pb::apply_resource_change::Request {
            type_name: type_name.clone(),
            prior_state: state.take(),
            planned_state: planned.planned_state,
            config,
            planned_private: planned.planned_private,
            ..Default::default()
        };
        let applied = provider
            .apply_resource_change(request)
            .await
            .unwrap()
            .into_inner();
        fine(&applied.diagnostics);
        let request = pb::read_resource::Request {
            type_name,
            current_state: applied.new_state.clone(),
            ..Default::default()
        };
        let read = provider.read_resource(request).await.unwrap().into_inner();
        fine(&read.diagnostics);
        assert!(
            read.new_state == applied.new_state,
            "the refresh changed something"
        );
        state = applied.new_state;
    }
    let size = state.unwrap().msgpack.len();
    eprintln!(
        "{pieces} pieces: state {} MiB, largest request {} MiB, peak {} MiB over {start}",
        size >> 20,
        largest >> 20,
        peak(pid)
    );
    assert!(size > wanted && largest > 3 * wanted);
    client.close().await.unwrap();
}

/// The object with null for what is not there.
fn filled(json: &serde_json::Value, ty: &Type) -> Value {
    let Type::Object(of) = ty else { panic!("an object") };
    let mut json = json.clone();
    let all = json.as_object_mut().unwrap();
    for name in of.keys() {
        all.entry(name.clone()).or_insert(serde_json::Value::Null);
    }
    Value::from_json(&json, ty).unwrap()
}
