//! What reaches stderr and stdout.

use crate::PROVIDER;
use plugin::client::{Client, Ended};
use proto::tfplugin6::get_provider_schema::Request;
use serde_json::Value;

/// One call and the end.
async fn call(environment: &[(&str, &str)]) -> Ended {
    let mut client = Client::spawn(PROVIDER, environment).await.unwrap();
    client.provider.get_provider_schema(Request {}).await.unwrap();
    client.close().await.unwrap()
}

#[tokio::test]
async fn nothing_is_logged_unless_asked_for() {
    assert_eq!(call(&[]).await.stderr, "");
    assert_eq!(
        call(&[("TF_LOG", "TRACE"), ("TF_LOG_PROVIDER_PROBE", "OFF")])
            .await
            .stderr,
        ""
    );
}

/// Pitfall 4, at the level at which most is said.
#[tokio::test]
async fn nothing_follows_the_handshake_line_on_stdout() {
    assert_eq!(call(&[("TF_LOG", "TRACE")]).await.stdout, "");
}

/// Pitfall 5: what is not exactly hclog's form loses its level.
#[tokio::test]
async fn every_line_is_one_that_the_host_understands() {
    let stderr = call(&[("TF_LOG", "JSON")]).await.stderr;
    let lines: Vec<Value> = stderr
        .lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect();
    for line in &lines {
        let timestamp = line["@timestamp"].as_str().unwrap();
        assert_eq!(
            (timestamp.len(), &timestamp[19..20], &timestamp[26..]),
            (27, ".", "Z")
        );
        assert!(["trace", "debug", "info", "warn", "error"].contains(&line["@level"].as_str().unwrap()));
    }
    let line = lines
        .iter()
        .find(|line| line["@message"] == "the schema was asked for")
        .unwrap();
    assert_eq!(
        (&line["@level"], &line["@module"]),
        (&"info".into(), &"probe.plugin_test_provider".into())
    );
    assert_eq!(
        (&line["tf_rpc"], &line["debug"]),
        (&"GetProviderSchema".into(), &false.into())
    );
}
