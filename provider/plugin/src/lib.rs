//! Floor 1: go-plugin handshake, mutual TLS, gRPC serving and logs to the host.
