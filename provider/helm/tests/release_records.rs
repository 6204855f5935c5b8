//! Release records: helm v4.3.1 lists and shows what we wrote. A server on loopback stands in for the API server; it
//! knows Secrets only, which is all that these commands ask for.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod oracle;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::{Arc, Mutex};

use helm::chart::File;
use helm::release::{Record, Status};
use helm::{Chart, Release, Renderer};
use oracle::{HELM, corpus};
use serde_json::{Value, json};

fn record(revision: i64, status: Status, replicas: i64) -> Record {
    let chart = Chart::load(corpus().join("charts/hooks")).unwrap();
    let config = json!({"replicas": replicas});
    let rendered = Renderer::new(&chart, Release::new("demo", "ns"))
        .render(&config)
        .unwrap();
    Record {
        revision,
        status,
        description: format!("revision {revision}"),
        first_deployed: "2026-01-02T03:04:05Z".into(),
        last_deployed: format!("2026-01-0{revision}T03:04:05Z"),
        ..Record::planned(&rendered, &Release::new("demo", "ns"), config)
    }
}

/// Answers requests for Secrets until the test ends; remembers what was asked.
fn serve(secrets: Vec<Value>) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (secrets, log) = (secrets.clone(), log.clone());
            std::thread::spawn(move || {
                let mut stream = stream.unwrap();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                loop {
                    let mut first = String::new();
                    if reader.read_line(&mut first).unwrap_or(0) == 0 {
                        return;
                    }
                    let mut line = String::new();
                    while reader.read_line(&mut line).unwrap_or(0) > 2 {
                        line.clear();
                    }
                    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
                    log.lock().unwrap().push(path.clone());
                    let (path, query) = path.split_once('?').unwrap_or((&path, ""));
                    let (status, body) = answer(&secrets, path, query);
                    let body = body.to_string();
                    let head = format!(
                        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                        body.len()
                    );
                    let _ = stream
                        .write_all(head.as_bytes())
                        .and_then(|()| stream.write_all(body.as_bytes()));
                }
            });
        }
    });
    (port, asked)
}

fn answer(secrets: &[Value], path: &str, query: &str) -> (u16, Value) {
    if path == "/version" {
        return (200, json!({"major": "1", "minor": "34", "gitVersion": "v1.34.0"}));
    }
    if let Some(name) = path.strip_prefix("/api/v1/namespaces/ns/secrets/") {
        return match secrets.iter().find(|s| s["metadata"]["name"] == name) {
            Some(secret) => (200, secret.clone()),
            None => (
                404,
                json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}),
            ),
        };
    }
    if path == "/api/v1/namespaces/ns/secrets" {
        let query = query.replace("%3D", "=").replace("%2C", ",");
        let selector = query
            .split('&')
            .find_map(|p| p.strip_prefix("labelSelector="))
            .unwrap_or("");
        let fits = |secret: &&Value| {
            selector
                .split(',')
                .filter_map(|p| p.split_once('='))
                .all(|(k, v)| secret["metadata"]["labels"][k] == v)
        };
        let items: Vec<&Value> = secrets.iter().filter(fits).collect();
        return (
            200,
            json!({"kind": "SecretList", "apiVersion": "v1", "metadata": {}, "items": items}),
        );
    }
    (
        404,
        json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}),
    )
}

#[test]
fn helm_lists_and_shows_what_we_wrote() {
    let records = [record(1, Status::Superseded, 1), record(2, Status::Deployed, 2)];
    let (port, asked) = serve(records.iter().map(|r| r.secret(1_700_000_000).unwrap()).collect());
    let work = tempfile::tempdir().unwrap();
    let config = work.path().join("kubeconfig");
    std::fs::write(
        &config,
        json!({"apiVersion": "v1", "kind": "Config", "current-context": "t",
            "clusters": [{"name": "t", "cluster": {"server": format!("http://127.0.0.1:{port}")}}],
            "users": [{"name": "t", "user": {}}],
            "contexts": [{"name": "t", "context": {"cluster": "t", "user": "t", "namespace": "ns"}}]})
        .to_string(),
    )
    .unwrap();
    let run = |arguments: &[&str]| {
        let out = Command::new(&*HELM)
            .args(arguments)
            .args(["-n", "ns", "--kubeconfig"])
            .arg(&config)
            .env_clear()
            .env("HOME", work.path())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        assert!(
            out.status.success(),
            "{arguments:?}: {} {:?}",
            String::from_utf8_lossy(&out.stderr),
            asked.lock().unwrap()
        );
        text
    };
    let listed: Value = serde_json::from_str(&run(&["list", "-o", "json"])).unwrap();
    assert_eq!(listed[0]["name"], "demo");
    assert_eq!(listed[0]["revision"], "2");
    assert_eq!(listed[0]["status"], "deployed");
    assert_eq!(listed[0]["chart"], "hooks-1.0.0");
    assert_eq!(listed[0]["app_version"], "2.5");
    let history: Value = serde_json::from_str(&run(&["history", "demo", "-o", "json"])).unwrap();
    assert_eq!(history.as_array().unwrap().len(), 2);
    assert_eq!(history[0]["status"], "superseded");
    assert_eq!(history[1]["description"], "revision 2");
    let values: Value = serde_json::from_str(&run(&["get", "values", "demo", "-o", "json"])).unwrap();
    assert_eq!(values, json!({"replicas": 2}));
    assert_eq!(
        run(&["get", "manifest", "demo"]).trim(),
        records[1].manifest.trim()
    );
    assert!(run(&["get", "hooks", "demo"]).contains("name: pre"));
    assert_eq!(run(&["get", "notes", "demo"]).trim(), "NOTES:\nHello demo");
    let metadata: Value = serde_json::from_str(&run(&["get", "metadata", "demo", "-o", "json"])).unwrap();
    assert_eq!(metadata["version"], "1.0.0");
}

#[test]
fn what_is_written_is_read_again() {
    let record = record(3, Status::Failed, 1);
    let read = Record::decode(&record.encode().unwrap()).unwrap();
    assert_eq!(
        (read.name.as_str(), read.namespace.as_str(), read.revision),
        ("demo", "ns", 3)
    );
    assert_eq!(read.status, Status::Failed);
    assert_eq!(read.manifest, record.manifest);
    assert_eq!(read.config, record.config);
    assert_eq!(read.hooks.len(), record.hooks.len());
    assert_eq!(read.notes, "Hello demo\n");
    assert!(
        Record::decode("bm9wZQ==").is_err(),
        "what is no record is refused"
    );
}

/// Text that does not pack well.
fn noise(bytes: usize) -> String {
    let mut state = 1u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        char::from(b'!' + ((state >> 33) % 90) as u8)
    };
    (0..bytes).map(|_| next()).collect()
}

fn planned(files: &[(&str, String)], config: Value) -> Record {
    let mut all = vec![(
        "Chart.yaml",
        "apiVersion: v2\nname: c\nversion: 1.0.0\n".to_owned(),
    )];
    all.extend(files.iter().cloned());
    let files = all.into_iter().map(|(name, text)| File {
        name: name.into(),
        data: text.into_bytes().into(),
    });
    let chart = Chart::from_files(files.collect()).unwrap();
    let release = Release::new("big", "ns");
    let rendered = Renderer::new(&chart, release.clone()).render(&config).unwrap();
    Record::planned(&rendered, &release, config)
}

#[test]
fn a_record_that_no_secret_holds_is_refused_at_plan() {
    let small = planned(&[("extra.txt", noise(100_000))], json!({}));
    small.check_size().unwrap();

    let error = planned(
        &[("extra.txt", noise(1_200_000)), ("other.txt", noise(2000))],
        json!({}),
    )
    .check_size()
    .unwrap_err()
    .to_string();
    for said in [
        "the release record of big has ",
        "a Secret holds 1048576, 16384 of them",
        "bytes: file of the chart extra.txt\n",
        "bytes: file of the chart other.txt\n",
        ".helmignore",
    ] {
        assert!(error.contains(said), "{said}: {error}");
    }

    let template = "kind: ConfigMap\nmetadata: {name: boards}\ndata: {{ .Values | toJson }}\n".to_owned();
    let large = planned(
        &[("templates/a.yaml", template.clone())],
        json!({"boards": noise(400_000), "more": noise(300_000)}),
    );
    let error = large.check_size().unwrap_err().to_string();
    for said in [
        "rendered object ConfigMap boards (c/templates/a.yaml)",
        "given: values",
    ] {
        assert!(error.contains(said), "{said}: {error}");
    }
    assert!(large.secret(0).is_err());

    // What would only just fit is refused too: the state that a failed install leaves must fit.
    let text = |bytes| planned(&[("extra.txt", noise(bytes))], json!({}));
    let (mut fits, mut refused) = (100_000, 1_200_000);
    while refused - fits > 1000 {
        let middle = (fits + refused) / 2;
        if text(middle).check_size().is_ok() {
            fits = middle;
        } else {
            refused = middle;
        }
    }
    text(refused).secret(0).unwrap();
}
