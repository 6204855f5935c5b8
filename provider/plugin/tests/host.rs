//! The binary as a host sees it.
use plugin::client::Client;

const PROVIDER: &str = env!("CARGO_BIN_EXE_plugin-test-provider");

#[tokio::test]
async fn smoke() {
    let mut client = Client::spawn(PROVIDER, &[]).await.unwrap();
    client
        .provider
        .get_provider_schema(proto::tfplugin6::get_provider_schema::Request {})
        .await
        .unwrap();
    println!("{:?}", client.handshake);
    println!("{:?}", client.close().await.unwrap());
}
