//! Charts from an OCI registry and an HTTP repository that ask who one is.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use acceptance_tests::{ControlPlane, Workspace};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::chart_folder;

const USER: &str = "robot";
const PASSWORD: &str = "correct-horse";

/// What there is by path, with its type; for those who log in.
type Files = HashMap<String, (&'static str, Vec<u8>)>;

/// Serves the files; its address.
fn serve(files: Files) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let files = Arc::new(files);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let files = Arc::clone(&files);
            std::thread::spawn(move || answer(&stream, &files));
        }
    });
    address
}

fn answer(mut stream: &TcpStream, files: &Files) {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let login = format!("Basic {}", BASE64_STANDARD.encode(format!("{USER}:{PASSWORD}")));
    while let Some(first) = lines.next() {
        let headers: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
        let is_known = headers.iter().any(|header| header.ends_with(&login));
        let path = first.split_whitespace().nth(1).unwrap_or_default();
        let nothing = Vec::new();
        let (status, kind, body) = match files.get(path) {
            _ if !is_known => ("401 Unauthorized", "text/plain", &nothing),
            Some((kind, body)) => ("200 OK", *kind, body),
            None => ("404 Not Found", "text/plain", &nothing),
        };
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\nwww-authenticate: Basic realm=\"charts\"\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let is_head = first.starts_with("HEAD");
        let body = if is_head { &[][..] } else { body };
        if stream.write_all(&[head.as_bytes(), body].concat()).is_err() {
            return;
        }
    }
}

/// The chart `web` as an archive.
fn archive() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().display().to_string();
    let namespace = ControlPlane::shared().namespace();
    namespace.helm(&["package", &chart_folder(), "-d", &out]).ok();
    std::fs::read(folder.path().join("web-1.0.0.tgz")).unwrap()
}

#[test]
fn charts_come_from_registries_and_repositories_that_ask_who_one_is() {
    let archive = archive();
    let digest = |bytes: &[u8]| helm::remote::digest(bytes);
    let config = b"{\"name\":\"web\",\"version\":\"1.0.0\",\"apiVersion\":\"v2\"}".to_vec();
    let layer =
        |kind: &str, bytes: &[u8]| json!({"mediaType": kind, "digest": digest(bytes), "size": bytes.len()});
    let manifest = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": layer("application/vnd.cncf.helm.config.v1+json", &config),
        "layers": [layer("application/vnd.cncf.helm.chart.content.v1.tar+gzip", &archive)],
    });
    let index = "apiVersion: v1\nentries:\n  web:\n    - {apiVersion: v2, name: web, version: 1.0.0, urls: [web-1.0.0.tgz]}\n";
    let bytes = "application/octet-stream";
    let files = Files::from([
        (
            "/charts/index.yaml".to_owned(),
            ("text/yaml", index.as_bytes().to_vec()),
        ),
        ("/charts/web-1.0.0.tgz".to_owned(), (bytes, archive.clone())),
        ("/v2/".to_owned(), ("application/json", b"{}".to_vec())),
        (
            "/v2/team/web/tags/list".to_owned(),
            (
                "application/json",
                b"{\"name\":\"team/web\",\"tags\":[\"1.0.0\"]}".to_vec(),
            ),
        ),
        (
            "/v2/team/web/manifests/1.0.0".to_owned(),
            (
                "application/vnd.oci.image.manifest.v1+json",
                manifest.to_string().into_bytes(),
            ),
        ),
        (
            format!("/v2/team/web/blobs/{}", digest(&archive)),
            (bytes, archive.clone()),
        ),
        (
            format!("/v2/team/web/blobs/{}", digest(&config)),
            (bytes, config.clone()),
        ),
    ]);
    let host = serve(files);
    Workspace::in_turn(0, |workspace, _account| {
        let write = |chart: &str, password: &str| {
            workspace.write("main.tf", &format!(
                "resource \"ekb_release\" \"web\" {{\n  name = \"web\"\n  cluster = \"main\"\n  kubernetes_version = \"1.35\"\n  {chart}\n  \
                 repository_username = \"{USER}\"\n  repository_password_wo = \"{password}\"\n}}\n"
            ));
        };
        let sources = [
            format!("chart = \"web\"\n  repository = \"http://{host}/charts\""),
            format!("chart = \"oci://{host}/team/web\""),
        ];
        for source in &sources {
            write(source, "wrong-horse");
            let told = workspace.plan().failed().says("EKB2401").to_string();
            assert!(!told.contains("wrong-horse"), "{told}");
            write(source, PASSWORD);
            let plan = workspace.plan().ok();
            let after = plan.change("ekb_release.web").after;
            assert_eq!(after["chart_version"], "1.0.0");
            assert_eq!(after["chart_digest"], json!(digest(&archive)));
            assert!(after["objects"].get("Service/web/web").is_some(), "{}", plan.run);
            assert_eq!(after["repository_password_wo"], Value::Null);
            assert!(!format!("{}{}", plan.json()["resource_changes"], plan.run).contains(PASSWORD));
        }
    });
}
