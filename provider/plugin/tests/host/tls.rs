//! Pitfall 1: the client is authenticated, by a certificate that the usual verifiers refuse or never see.

use crate::PROVIDER;
use plugin::client::{Identity, Start, Started};
use proto::tfplugin6::get_provider_schema::Request;
use proto::tfplugin6::provider_client::ProviderClient;
use std::time::Duration;

async fn can_call(started: &Started, identity: Identity) -> bool {
    match started.dial(identity).await {
        Ok(channel) => ProviderClient::new(channel)
            .get_provider_schema(Request {})
            .await
            .is_ok(),
        Err(_) => false,
    }
}

#[tokio::test]
async fn only_the_announced_certificate_may_call() {
    let started = Start::new(PROVIDER)
        .env("TF_LOG_PROVIDER", "WARN")
        .start()
        .await
        .unwrap();
    assert!(
        !can_call(&started, Identity::Another).await,
        "somebody else's certificate was accepted"
    );
    assert!(
        !can_call(&started, Identity::Nobody).await,
        "no certificate was accepted"
    );
    assert!(!can_call(&started, Identity::Plain).await, "no TLS was accepted");
    assert!(
        can_call(&started, Identity::Announced).await,
        "the host itself was refused, after the others"
    );
    // Each for its own reason; a client may have tried more than once.
    let reasons = || {
        let logs = started.logs();
        let lines = logs
            .iter()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let refusals = lines.filter(|line| line["@message"] == "a client was refused");
        refusals
            .map(|line| line["error"].to_string())
            .collect::<std::collections::BTreeSet<_>>()
            .len()
    };
    crate::eventually("three kinds of refusal in the log", || reasons() == 3).await;
}

#[tokio::test]
async fn a_client_that_says_nothing_holds_up_nobody() {
    let started = Start::new(PROVIDER).start().await.unwrap();
    let _silent = tokio::net::UnixStream::connect(&started.line.address)
        .await
        .unwrap();
    crate::pause(Duration::from_millis(50)).await;
    assert!(can_call(&started, Identity::Announced).await);
}

#[tokio::test]
async fn without_an_announced_certificate_there_is_no_tls() {
    let started = Start::new(PROVIDER)
        .identity(Identity::Plain)
        .start()
        .await
        .unwrap();
    assert_eq!(
        (started.line.certificate.as_ref(), started.line.fields[5].as_str()),
        (None, "")
    );
    assert!(can_call(&started, Identity::Plain).await);
}

#[tokio::test]
async fn every_process_has_a_certificate_of_its_own() {
    let one = Start::new(PROVIDER).start().await.unwrap().line.certificate;
    let two = Start::new(PROVIDER).start().await.unwrap().line.certificate;
    assert_ne!(one, two);
}
