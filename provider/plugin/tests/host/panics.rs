//! Pitfall 22: a panic is a diagnostic of one call, and the end of nothing.

use crate::{PROVIDER, thing};
use plugin::client::{Client, Error, Start};
use proto::tfplugin6 as tf;

/// Calls every listed call with an empty request, and gives the summaries of what came back as diagnostics.
macro_rules! diagnostics {
    ($client:ident, $($rpc:ident($module:ident),)*) => {
        vec![$((
            stringify!($rpc),
            $client.provider.$rpc(tf::$module::Request::default()).await.unwrap().into_inner().diagnostics,
        ),)*]
    };
}

fn camel(rpc: &str) -> String {
    rpc.split('_')
        .map(|word| word[..1].to_uppercase() + &word[1..])
        .collect()
}

#[track_caller]
fn is_defect(rpc: &str, diagnostics: &[tf::Diagnostic]) {
    let [diagnostic] = diagnostics else {
        panic!("{rpc}: {diagnostics:?}")
    };
    assert_eq!(diagnostic.severity(), tf::diagnostic::Severity::Error);
    assert_eq!(
        diagnostic.summary,
        format!("Defect in the provider probe: {} panicked", camel(rpc))
    );
    assert!(
        diagnostic
            .detail
            .starts_with("the test asked for it (at provider/plugin/tests/"),
        "{diagnostic:?}"
    );
    assert!(
        diagnostic.detail.contains("terraform-provider-probe 1.2.3"),
        "{diagnostic:?}"
    );
}

#[tokio::test]
async fn each_call_answers_with_its_own_defect_and_the_process_lives() {
    let mut client = Client::spawn(PROVIDER, &[("PROBE_PANIC", "call")]).await.unwrap();
    let all = diagnostics!(
        client,
        get_metadata(get_metadata),
        get_provider_schema(get_provider_schema),
        validate_provider_config(validate_provider_config),
        validate_resource_config(validate_resource_config),
        validate_data_resource_config(validate_data_resource_config),
        upgrade_resource_state(upgrade_resource_state),
        get_resource_identity_schemas(get_resource_identity_schemas),
        upgrade_resource_identity(upgrade_resource_identity),
        configure_provider(configure_provider),
        read_resource(read_resource),
        plan_resource_change(plan_resource_change),
        apply_resource_change(apply_resource_change),
        import_resource_state(import_resource_state),
        move_resource_state(move_resource_state),
        read_data_source(read_data_source),
        generate_resource_config(generate_resource_config),
        validate_ephemeral_resource_config(validate_ephemeral_resource_config),
        open_ephemeral_resource(open_ephemeral_resource),
        renew_ephemeral_resource(renew_ephemeral_resource),
        close_ephemeral_resource(close_ephemeral_resource),
        validate_list_resource_config(validate_list_resource_config),
        get_functions(get_functions),
        validate_state_store_config(validate_state_store),
        configure_state_store(configure_state_store),
        lock_state(lock_state),
        unlock_state(unlock_state),
        get_states(get_states),
        delete_state(delete_state),
        plan_action(plan_action),
        validate_action_config(validate_action_config),
    );
    // With the six below: all 36.
    assert_eq!(all.len(), 30);
    for (rpc, diagnostics) in all {
        is_defect(rpc, &diagnostics);
    }

    let chunks = futures::stream::iter([tf::write_state_bytes::RequestChunk::default()]);
    let answer = client
        .provider
        .write_state_bytes(chunks)
        .await
        .unwrap()
        .into_inner();
    is_defect("write_state_bytes", &answer.diagnostics);
    let answer = client
        .provider
        .call_function(tf::call_function::Request::default())
        .await
        .unwrap()
        .into_inner();
    assert!(
        answer
            .error
            .unwrap()
            .text
            .contains("CallFunction panicked: the test asked for it")
    );
    let answer = client
        .provider
        .stop_provider(tf::stop_provider::Request {})
        .await
        .unwrap()
        .into_inner();
    assert!(answer.error.contains("StopProvider panicked"));
    for event in streams(&mut client).await {
        let [(rpc, diagnostics)] = &event[..] else {
            panic!("{event:?}")
        };
        is_defect(rpc, diagnostics);
    }

    let ended = client.close().await.unwrap();
    assert!(ended.status.success());
    // The host takes such a line for a crash.
    assert!(
        !ended.stderr.lines().any(|line| line.starts_with("panic: ")),
        "{}",
        ended.stderr
    );
}

/// Each stream's messages, as the call's name and the diagnostics in it.
async fn streams(client: &mut Client) -> [Vec<(&'static str, Vec<tf::Diagnostic>)>; 3] {
    let mut events = [vec![], vec![], vec![]];
    let mut list = client
        .provider
        .list_resource(tf::list_resource::Request::default())
        .await
        .unwrap()
        .into_inner();
    while let Some(event) = list.message().await.unwrap() {
        events[0].push(("list_resource", event.diagnostic));
    }
    let mut read = client
        .provider
        .read_state_bytes(tf::read_state_bytes::Request::default())
        .await
        .unwrap()
        .into_inner();
    while let Some(event) = read.message().await.unwrap() {
        events[1].push(("read_state_bytes", event.diagnostics));
    }
    let mut invoke = client
        .provider
        .invoke_action(tf::invoke_action::Request::default())
        .await
        .unwrap()
        .into_inner();
    while let Some(event) = invoke.message().await.unwrap() {
        use tf::invoke_action::event::Type;
        events[2].push((
            "invoke_action",
            match event.r#type.expect("hosts panic on an event without content") {
                Type::Progress(_) => vec![],
                Type::Completed(completed) => completed.diagnostics,
            },
        ));
    }
    events
}

#[tokio::test]
async fn a_stream_that_panics_half_way_ends_with_the_defect() {
    let mut client = Client::spawn(PROVIDER, &[("PROBE_PANIC", "late")]).await.unwrap();
    for events in streams(&mut client).await {
        let [(_, first), (rpc, last)] = &events[..] else {
            panic!("{events:?}")
        };
        assert!(first.is_empty());
        is_defect(rpc, last);
    }
}

#[tokio::test]
async fn nothing_known_is_forgotten() {
    let mut client = Client::spawn(PROVIDER, &[("PROBE_PANIC", "call")]).await.unwrap();
    let identity = || {
        Some(tf::ResourceIdentityData {
            identity_data: Some(thing("identity")),
        })
    };
    let answer = client
        .provider
        .read_resource(tf::read_resource::Request {
            current_state: Some(thing("state")),
            private: b"private".to_vec(),
            current_identity: identity(),
            ..Default::default()
        })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (answer.new_state, answer.new_identity),
        (Some(thing("state")), identity())
    );
    assert_eq!(answer.private, b"private");

    let apply = |prior_state| tf::apply_resource_change::Request {
        prior_state: Some(prior_state),
        planned_state: Some(thing("planned")),
        planned_private: b"planned".to_vec(),
        planned_identity: identity(),
        ..Default::default()
    };
    let answer = client
        .provider
        .apply_resource_change(apply(thing("prior")))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (answer.new_state, answer.new_identity),
        (Some(thing("prior")), identity())
    );
    assert_eq!(answer.private, b"planned");

    // Of a create the planned identity may be unknown, and an unknown one in an answer is one more error.
    let null = tf::DynamicValue {
        msgpack: vec![0xc0],
        json: vec![],
    };
    let answer = client
        .provider
        .apply_resource_change(apply(null.clone()))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((answer.new_state, answer.new_identity), (Some(null), None));
}

#[tokio::test]
async fn a_panic_in_a_task_is_an_error_in_the_log_not_a_crash() {
    let mut client = Client::spawn(PROVIDER, &[("PROBE_PANIC", "task"), ("TF_LOG", "ERROR")])
        .await
        .unwrap();
    client
        .provider
        .get_provider_schema(tf::get_provider_schema::Request {})
        .await
        .unwrap();
    let stderr = client.close().await.unwrap().stderr;
    let line: serde_json::Value = serde_json::from_str(stderr.trim()).expect(&stderr);
    assert_eq!(line["@message"], "panic: the test asked for it");
    assert!(line["place"].as_str().unwrap().contains("provider.rs:"), "{line}");
}

/// The host shows the user what follows "panic: " at the start of a line.
#[tokio::test]
async fn what_does_end_the_process_is_reported_as_a_crash() {
    let started = Start::new(PROVIDER).env("PROBE_PANIC", "start").start().await;
    let logs = match started {
        Ok(started) => {
            crate::eventually("a crash report", || started.logs().len() > 2).await;
            started.logs().join("\n")
        }
        Err(Error::NoHandshake(stderr)) => stderr,
        Err(other) => panic!("{other:?}"),
    };
    assert!(
        logs.starts_with("panic: ") && logs.contains("the test asked for it"),
        "{logs}"
    );
    assert!(
        logs.contains("terraform-provider-probe 1.2.3, provider/plugin/tests/"),
        "{logs}"
    );
}
