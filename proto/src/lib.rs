//! Floor 0: the wire. tfplugin6 and go-plugin messages and services, generated at build from `proto/*.proto`.

/// Terraform's provider protocol, 6.11: messages, [`provider_server`](tfplugin6::provider_server) and
/// [`provider_client`](tfplugin6::provider_client).
#[allow(
    missing_docs,
    clippy::all,
    rust_2018_idioms,
    reason = "generated from tfplugin6.proto; the protocol's own documentation describes it"
)]
pub mod tfplugin6 {
    tonic::include_proto!("tfplugin6");
}

/// go-plugin's services beside the provider: controller, stdio and broker, both client and server.
#[allow(
    missing_docs,
    clippy::all,
    rust_2018_idioms,
    reason = "generated from plugin.proto"
)]
pub mod plugin {
    tonic::include_proto!("plugin");
}

#[cfg(test)]
mod tests;
