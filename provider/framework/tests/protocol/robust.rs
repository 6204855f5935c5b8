//! Requests as no sane host sends them: mutated, concurrent, very large.

use std::sync::Arc;

use framework::{Model as _, Value};
use futures::StreamExt as _;
use proptest::prelude::*;
use prost::Message;
use proto::tfplugin6 as pb;
use proto::tfplugin6::provider_server::Provider as _;
use serde_json::json;
use tonic::Request;

use crate::core::{Core, Instance, NAME, config, has_errors, pack, ty};
use crate::extras::{Filter, Restart, Token};

/// One request of each kind that carries values, as bytes; the number picks the kind.
fn valid(kind: usize) -> Vec<u8> {
    let thing = config(json!({
        "name": "a", "rules": [{"port": 80}], "doors": [{"colour": "red"}], "labels": {"k": "$unknown"}, "anything": "x",
        "disk": [{"size": 1}], "timeouts": {"create": "5m"}, "networks": ["10.0.0.0/8"],
    }));
    let value = pack(&thing, &ty());
    let name = || NAME.to_owned();
    let raw = || {
        Some(pb::RawState {
            json: br#"{"name": "a", "rules": [{"port": 80}]}"#.to_vec(),
            ..Default::default()
        })
    };
    let private = br#"{".marker":"eyJraW5kIjoidXBkYXRlIn0=","a":"aGVsbG8="}"#.to_vec();
    match kind {
        0 => pb::plan_resource_change::Request {
            type_name: name(),
            prior_state: value.clone(),
            proposed_new_state: value.clone(),
            config: value,
            prior_private: private,
            ..Default::default()
        }
        .encode_to_vec(),
        1 => pb::apply_resource_change::Request {
            type_name: name(),
            prior_state: None,
            planned_state: value.clone(),
            config: value,
            planned_private: private,
            ..Default::default()
        }
        .encode_to_vec(),
        2 => pb::read_resource::Request {
            type_name: name(),
            current_state: value,
            private,
            ..Default::default()
        }
        .encode_to_vec(),
        3 => pb::validate_resource_config::Request {
            type_name: name(),
            config: value,
            client_capabilities: None,
        }
        .encode_to_vec(),
        4 => pb::upgrade_resource_state::Request {
            type_name: name(),
            version: 2,
            raw_state: raw(),
        }
        .encode_to_vec(),
        5 => pb::move_resource_state::Request {
            source_type_name: "other_thing".to_owned(),
            source_state: raw(),
            target_type_name: name(),
            ..Default::default()
        }
        .encode_to_vec(),
        6 => pb::generate_resource_config::Request {
            type_name: name(),
            state: value,
        }
        .encode_to_vec(),
        7 => pb::import_resource_state::Request {
            type_name: name(),
            id: "t-1".to_owned(),
            ..Default::default()
        }
        .encode_to_vec(),
        8 => pb::call_function::Request {
            name: "join".to_owned(),
            arguments: vec![pack(&Value::string(","), &framework::Type::String).unwrap(); 3],
        }
        .encode_to_vec(),
        9 => pb::upgrade_resource_identity::Request {
            type_name: name(),
            version: 0,
            raw_identity: Some(pb::RawState {
                json: br#"{"id":"t"}"#.to_vec(),
                ..Default::default()
            }),
        }
        .encode_to_vec(),
        10 => pb::configure_provider::Request {
            config: Some(pb::DynamicValue {
                msgpack: vec![0xc0],
                json: Vec::new(),
            }),
            ..Default::default()
        }
        .encode_to_vec(),
        11 => pb::open_ephemeral_resource::Request {
            type_name: "test_token".to_owned(),
            config: pack(
                &Value::object([
                    ("audience", Value::string("me")),
                    ("seconds", Value::Null),
                    ("token", Value::Null),
                ]),
                &Token::block().ty(),
            ),
            client_capabilities: None,
        }
        .encode_to_vec(),
        12 => pb::list_resource::Request {
            type_name: name(),
            config: pack(&Value::object([("many", Value::Null)]), &Filter::block().ty()),
            include_resource_object: true,
            limit: 2,
        }
        .encode_to_vec(),
        13 => pb::invoke_action::Request {
            action_type: "test_restart".to_owned(),
            config: pack(
                &Value::object([("target", Value::string("x")), ("times", Value::Null)]),
                &Restart::block().ty(),
            ),
            ..Default::default()
        }
        .encode_to_vec(),
        // Without arguments.
        _ => Vec::new(),
    }
}
/// Kinds that are mutated: whatever comes of it, the test's provider answers in no time.
const KINDS: usize = 10;
/// All kinds; the last ones ask for schemas and the end.
const ALL: usize = 17;

/// Calls the service with the bytes, where they are a message at all.
async fn call(core: &Core, kind: usize, bytes: &[u8]) {
    macro_rules! call {
        ($method:ident) => {
            if let Ok(request) = Message::decode(bytes) {
                // Whatever it is: an answer, never a failed call and never a panic.
                core.server.$method(Request::new(request)).await.unwrap();
            }
        };
    }
    macro_rules! stream {
        ($method:ident) => {
            if let Ok(request) = Message::decode(bytes) {
                let events = core
                    .server
                    .$method(Request::new(request))
                    .await
                    .unwrap()
                    .into_inner();
                let events: Vec<_> = events.collect().await;
                assert!(!events.is_empty() && events.iter().all(Result::is_ok));
            }
        };
    }
    match kind {
        0 => call!(plan_resource_change),
        1 => call!(apply_resource_change),
        2 => call!(read_resource),
        3 => call!(validate_resource_config),
        4 => call!(upgrade_resource_state),
        5 => call!(move_resource_state),
        6 => call!(generate_resource_config),
        7 => call!(import_resource_state),
        8 => call!(call_function),
        9 => call!(upgrade_resource_identity),
        10 => call!(configure_provider),
        11 => call!(open_ephemeral_resource),
        12 => stream!(list_resource),
        13 => stream!(invoke_action),
        14 => call!(get_provider_schema),
        15 => call!(get_metadata),
        _ => call!(stop_provider),
    }
}

fn cases() -> u32 {
    std::env::var("FRAMEWORK_FUZZ_CASES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(1000)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    /// Pitfall 22, from the other side: there is nothing to catch.
    #[test]
    fn a_mutated_request_gets_an_answer(kind in 0..KINDS, changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..6)) {
        let mut bytes = valid(kind);
        for (place, byte, how) in changes {
            let place = place.index(bytes.len().max(1));
            match how {
                0 if place < bytes.len() => bytes[place] = byte,
                1 if place < bytes.len() => { bytes.remove(place); }
                _ => bytes.insert(place, byte),
            }
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async { call(&Core::new().await, kind, &bytes).await });
    }
}

#[tokio::test]
async fn the_unmutated_requests_are_fine() {
    let core = Core::new().await;
    for kind in 0..KINDS {
        call(&core, kind, &valid(kind)).await;
    }
    assert_eq!(
        *core.world.log.lock().unwrap(),
        ["create"],
        "the mutations begin with requests that reach the resource"
    );
}

/// No host does this. None of it needs another call before it, nothing hangs, and the end of one run is not the end of
/// the process.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_before_configure_after_stop_and_in_any_order_get_an_answer() {
    let (stopped, configured) = (Core::new().await, Core::new().await);
    call(&stopped, ALL - 1, &[]).await;
    for core in [Core::unconfigured(), stopped, configured] {
        let core = Arc::new(core);
        for kind in (0..ALL).chain((0..ALL).rev()) {
            call(&core, kind, &valid(kind)).await;
        }
        let at_once = (0..4 * ALL).map(|i| {
            let core = Arc::clone(&core);
            tokio::spawn(async move { call(&core, i * 7 % ALL, &valid(i * 7 % ALL)).await })
        });
        futures::future::try_join_all(at_once.collect::<Vec<_>>())
            .await
            .unwrap();
        // A host that goes on with the process configures it again, and all is well.
        assert_eq!(core.configure(json!({})).await, Vec::<String>::new());
        core.bring(&Instance::default(), json!({"name": "a"})).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_run_at_the_same_time() {
    let core = Arc::new(Core::new().await);
    let all = (0..64).map(|i| {
        let core = Arc::clone(&core);
        tokio::spawn(async move {
            if i % 8 == 0 {
                assert_eq!(core.configure(json!({})).await, Vec::<String>::new());
            }
            let after = core
                .bring(&Instance::default(), json!({"name": "a", "size": i % 5 + 1}))
                .await;
            let destroy = core.plan(&after, None).await;
            assert!(!has_errors(&core.apply(&after, &destroy).await.1));
        })
    });
    futures::future::try_join_all(all.collect::<Vec<_>>())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_large_state_passes_through() {
    let core = Core::new().await;
    let labels = |count: usize| {
        (0..count)
            .map(|i| (format!("key-{i}"), json!("x".repeat(100))))
            .collect::<serde_json::Map<_, _>>()
    };
    let after = core
        .bring(
            &Instance::default(),
            json!({"name": "a", "labels": labels(20_000)}),
        )
        .await;
    assert!(pack(after.state.as_ref().unwrap(), &ty()).unwrap().msgpack.len() > 2_000_000);
    let (refreshed, said) = core.refresh(&after).await;
    assert_eq!((refreshed.state, said), (after.state, vec![]));
}
