//! Release records: helm v4.3.1 lists and shows what we wrote. A server on loopback stands in for the API server; it
//! knows Secrets only, which is all that these commands ask for.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod oracle;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::{Arc, Mutex};

use helm::release::{Record, Status, stored_chart, stored_hook, stored_manifest};
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
        name: "demo".into(),
        namespace: "ns".into(),
        revision,
        status,
        description: format!("revision {revision}"),
        first_deployed: "2026-01-02T03:04:05Z".into(),
        last_deployed: format!("2026-01-0{revision}T03:04:05Z"),
        config,
        chart: stored_chart(&rendered.chart),
        manifest: stored_manifest(&rendered.documents),
        hooks: rendered.documents.all_hooks.iter().map(stored_hook).collect(),
        notes: rendered.notes.unwrap_or_default(),
        apply_method: "ssa".into(),
        labels: Default::default(),
        other: Default::default(),
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
