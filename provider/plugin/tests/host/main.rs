//! The test provider's binary as a host sees it. Tests name the pitfall of plugin-protocol that they guard against.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

#[cfg(unix)]
mod handshake;
#[cfg(unix)]
mod life;
#[cfg(unix)]
mod logs;
#[cfg(unix)]
mod panics;
#[cfg(unix)]
mod terraform;
#[cfg(unix)]
mod tls;

use proto::tfplugin6 as tf;
use std::time::Duration;

/// The test provider.
const PROVIDER: &str = env!("CARGO_BIN_EXE_plugin-test-provider");

/// A string in an object of the attribute `text`, as msgpack.
fn thing(text: &str) -> tf::DynamicValue {
    let mut msgpack = b"\x81\xa4text".to_vec();
    msgpack.push(0xa0 | u8::try_from(text.len()).unwrap());
    msgpack.extend(text.as_bytes());
    tf::DynamicValue {
        msgpack,
        json: vec![],
    }
}

async fn pause(time: Duration) {
    #[expect(clippy::disallowed_methods, reason = "waits for real processes")]
    tokio::time::sleep(time).await;
}

/// Waits until something is so, for two seconds at most.
async fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    for _ in 0..200 {
        if so() {
            return;
        }
        pause(Duration::from_millis(10)).await;
    }
    panic!("not within two seconds: {what}");
}

/// Sends a signal (`INT`) to a process, or with a minus before the id to a group.
fn signal(name: &str, pid: &str) {
    let status = std::process::Command::new("kill")
        .args(["-s", name, "--", pid])
        .status()
        .unwrap();
    assert!(status.success());
}
