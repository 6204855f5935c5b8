//! From the start of the process to the line on stdout.

use crate::PROVIDER;
use plugin::client::{Error, Start};
use std::process::{Command, Output, Stdio};

/// Runs the binary without the cookie, as a human does.
fn by_hand(arguments: &[&str]) -> Output {
    Command::new(PROVIDER)
        .args(arguments)
        .env_remove("TF_PLUGIN_MAGIC_COOKIE")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[test]
fn a_human_reads_what_this_is_and_how_to_use_it() {
    let output = by_hand(&[]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    for part in [
        "This is a plugin",
        "required_providers",
        "source  = \"ekb/probe\"",
        "dev_overrides",
    ] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
}

#[test]
fn a_wrong_cookie_is_none() {
    let output = Command::new(PROVIDER)
        .env("TF_PLUGIN_MAGIC_COOKIE", "wrong")
        .output()
        .unwrap();
    assert_eq!((output.status.code(), output.stdout), (Some(1), vec![]));
}

#[test]
fn help_and_version_are_answers_not_errors() {
    for flag in ["-version", "--version"] {
        let output = by_hand(&[flag]);
        assert!(output.status.success());
        assert_eq!(
            String::from_utf8(output.stdout).unwrap(),
            "terraform-provider-probe 1.2.3 (plugin protocol 6)\n"
        );
    }
    let output = by_hand(&["--help"]);
    assert!(output.status.success() && output.stderr.is_empty());
    assert!(
        String::from_utf8(output.stdout)
            .unwrap()
            .contains("TF_REATTACH_PROVIDERS")
    );
}

/// Pitfall 6: hosts list the versions in random order.
#[tokio::test]
async fn version_6_is_spoken_whatever_the_order_of_the_offer() {
    for offer in ["5,6", "6,5", "6", "", "5"] {
        let started = Start::new(PROVIDER)
            .env("PLUGIN_PROTOCOL_VERSIONS", offer)
            .start()
            .await
            .unwrap();
        assert_eq!(started.line.protocol, 6, "offered: {offer:?}");
    }
}

#[tokio::test]
async fn the_line_is_what_hosts_parse() {
    let line = Start::new(PROVIDER).start().await.unwrap().line;
    assert_eq!(
        (line.fields.len(), line.fields[0].as_str(), line.network.as_str()),
        (6, "1", "unix")
    );
    assert!(
        !line.fields[5].contains('='),
        "hosts decode base64 without padding: {}",
        line.fields[5]
    );
    assert!(line.certificate.unwrap().len() > 50);

    let line = Start::new(PROVIDER)
        .env("PLUGIN_MULTIPLEX_GRPC", "true")
        .start()
        .await
        .unwrap()
        .line;
    assert_eq!(
        line.fields[6..],
        ["false"],
        "a host that asks for multiplexing reads a seventh field"
    );
}

#[tokio::test]
async fn the_socket_is_where_the_host_wants_it_and_gone_afterwards() {
    for variable in ["PLUGIN_UNIX_SOCKET_DIR", "TMPDIR"] {
        let directory = tempfile::tempdir().unwrap();
        let client = Start::new(PROVIDER)
            .env(variable, directory.path())
            .spawn()
            .await
            .unwrap();
        assert!(
            client
                .line
                .address
                .starts_with(directory.path().to_str().unwrap()),
            "{}",
            client.line.address
        );
        client.close().await.unwrap();
        assert_eq!(
            std::fs::read_dir(directory.path()).unwrap().count(),
            0,
            "{variable}"
        );
    }
}

#[tokio::test]
async fn what_prevents_serving_is_said_and_nothing_is_printed() {
    for (variable, value, words) in [
        ("PLUGIN_UNIX_SOCKET_DIR", "/nowhere", "/nowhere/plugin"),
        (
            "PLUGIN_CLIENT_CERT",
            "nonsense",
            "PLUGIN_CLIENT_CERT holds no certificate",
        ),
    ] {
        match Start::new(PROVIDER).env(variable, value).start().await {
            Err(Error::NoHandshake(stderr)) => assert!(stderr.contains(words), "{stderr}"),
            other => panic!("{variable}: {other:?}"),
        }
    }
}
