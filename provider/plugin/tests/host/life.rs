//! What the process does while it serves, and how it ends.

use crate::{PROVIDER, eventually, pause, signal, thing};
use plugin::client::{Client, Start};
use proto::plugin::grpc_broker_client::GrpcBrokerClient;
use proto::plugin::grpc_stdio_client::GrpcStdioClient;
use proto::tfplugin6 as tf;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

fn slow() -> tf::read_data_source::Request {
    tf::read_data_source::Request {
        type_name: "probe_slow".into(),
        config: Some(thing("x")),
        ..Default::default()
    }
}

async fn works(client: &mut Client) {
    client
        .provider
        .get_provider_schema(tf::get_provider_schema::Request {})
        .await
        .unwrap();
}

/// Pitfall 3: a host waits two seconds for the process to end, several times in each plan.
#[tokio::test]
async fn it_ends_at_once_when_asked_also_with_everything_open() {
    let mut client = Client::spawn(PROVIDER, &[("TF_LOG", "INFO")]).await.unwrap();
    let mut stdio = GrpcStdioClient::new(client.channel.clone())
        .stream_stdio(())
        .await
        .unwrap()
        .into_inner();
    let mut broker = GrpcBrokerClient::new(client.channel.clone());
    let _broker = broker
        .start_stream(futures::stream::pending())
        .await
        .unwrap()
        .into_inner();
    let mut provider = client.provider.clone();
    let running = tokio::spawn(async move { provider.read_data_source(slow()).await });
    works(&mut client).await;
    let socket = client.line.address.clone();
    let ended = client.close().await.unwrap();
    assert!(ended.status.success() && !ended.killed, "{ended:?}");
    assert!(ended.took < Duration::from_millis(500), "{:?}", ended.took);
    assert!(!std::path::Path::new(&socket).exists());
    assert!(
        stdio.message().await.is_ok_and(|message| message.is_none()),
        "stdio neither spoke nor broke"
    );
    assert!(
        running.await.unwrap().is_err(),
        "the call that still ran was given up"
    );
}

/// Pitfall 3: Ctrl-C reaches the whole foreground group, but the host drives the stop: it asks, and waits for answers.
#[tokio::test]
async fn an_interrupt_is_the_hosts_business() {
    let mut client = Client::spawn(PROVIDER, &[("TF_LOG", "INFO")]).await.unwrap();
    let mut provider = client.provider.clone();
    let running = tokio::spawn(async move { provider.read_data_source(slow()).await });
    while !client
        .logs()
        .iter()
        .any(|line| line.contains("waiting for the stop"))
    {
        pause(Duration::from_millis(5)).await;
    }
    for _ in 0..3 {
        signal("INT", &client.pid().unwrap().to_string());
    }
    pause(Duration::from_millis(100)).await;
    assert!(!running.is_finished(), "the interrupt ended a call");
    client
        .provider
        .stop_provider(tf::stop_provider::Request {})
        .await
        .unwrap();
    assert_eq!(
        running.await.unwrap().unwrap().into_inner().state,
        Some(thing("x"))
    );
    // A stop ends what runs, not the service.
    works(&mut client).await;
    assert!(client.close().await.unwrap().status.success());
}

/// Pitfall 2: tonic's own limit is 4 MiB.
#[tokio::test]
async fn large_messages_pass_both_ways() {
    let mut client = Client::spawn(PROVIDER, &[]).await.unwrap();
    let json = vec![b' '; 40 << 20];
    let raw_state = Some(tf::RawState {
        json: json.clone(),
        ..Default::default()
    });
    let request = tf::upgrade_resource_state::Request {
        raw_state,
        ..Default::default()
    };
    let answer = client
        .provider
        .upgrade_resource_state(request)
        .await
        .unwrap()
        .into_inner();
    assert!(answer.upgraded_state.unwrap().json == json);
}

#[tokio::test]
async fn its_health_can_be_asked() {
    let client = Client::spawn(PROVIDER, &[]).await.unwrap();
    let request = tonic_health::pb::HealthCheckRequest {
        service: "plugin".into(),
    };
    let answer = HealthClient::new(client.channel.clone())
        .check(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answer.status(), ServingStatus::Serving);
}

/// A process with the cookie whose stdout is ours to close, and its handshake line.
fn start(arguments: &[&str]) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut command = Command::new(PROVIDER);
    if arguments.is_empty() {
        command.env(
            "TF_PLUGIN_MAGIC_COOKIE",
            "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2",
        );
    }
    let mut child = command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    (child, stdout)
}

#[tokio::test]
async fn it_does_not_outlive_a_host_that_was_killed() {
    let (mut child, mut stdout) = start(&[]);
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    let socket = line.split('|').nth(3).unwrap().to_owned();
    let connection = tokio::net::UnixStream::connect(&socket).await.unwrap();
    drop(stdout);
    pause(Duration::from_millis(700)).await;
    assert!(
        child.try_wait().unwrap().is_none(),
        "it ended although a client was connected"
    );
    drop(connection);
    eventually("the process ends", || child.try_wait().unwrap().is_some()).await;
    assert!(!std::path::Path::new(&socket).exists());
}

#[tokio::test]
async fn debug_mode_serves_whoever_attaches_until_it_is_interrupted() {
    for name in ["INT", "TERM"] {
        let (mut child, mut stdout) = start(&["-debug"]);
        let mut line = String::new();
        while !line.contains("export") {
            line.clear();
            assert_ne!(
                stdout.read_line(&mut line).unwrap(),
                0,
                "no line to paste into a shell"
            );
        }
        let variable = line.split('\'').nth(1).unwrap();
        // Attaching again and again, as each run of a host does.
        for _ in 0..2 {
            let mut client = Client::reattach(variable, "ekb/probe").await.unwrap();
            works(&mut client).await;
            assert!(
                client.close().await.is_err(),
                "an attached process is not the client's to end"
            );
        }
        let socket = Client::reattach(variable, "ekb/probe")
            .await
            .unwrap()
            .line
            .address;
        signal(name, &child.id().to_string());
        eventually("the process ends", || child.try_wait().unwrap().is_some()).await;
        assert!(child.wait().unwrap().success() && !std::path::Path::new(&socket).exists());
    }
}

#[tokio::test]
async fn two_processes_serve_side_by_side() {
    let (one, two) = tokio::join!(Start::new(PROVIDER).spawn(), Start::new(PROVIDER).spawn());
    let (mut one, mut two) = (one.unwrap(), two.unwrap());
    works(&mut one).await;
    works(&mut two).await;
    one.close().await.unwrap();
    works(&mut two).await;
}
