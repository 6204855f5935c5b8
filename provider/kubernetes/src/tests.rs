//! The connection, played by a server of a few lines.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use http::Method;
use reconcile::failure::{Class, Failure};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::access::{Access, Endpoint, Route, Token};
use crate::cluster::{Clusters, Content};
use crate::failure::{codes, of_status};

const CANARY: &str = "k8s-aws-v1.canary";

/// The way to an address, and how often a token was asked for.
#[derive(Clone)]
struct Way {
    url: String,
    route: Route,
    tokens: Arc<AtomicUsize>,
}

impl Way {
    fn to(url: String) -> Self {
        Self {
            url,
            route: Route {
                no_proxy: Some("*".to_owned()),
                ..Route::default()
            },
            tokens: Arc::default(),
        }
    }
}

#[async_trait]
impl Access for Way {
    async fn endpoint(&self, _cluster: &str) -> Result<Endpoint, Failure> {
        let authority = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        Ok(Endpoint {
            url: self.url.clone(),
            certificate_authority: authority.cert.pem(),
        })
    }

    async fn token(&self, _cluster: &str) -> Result<Token, Failure> {
        let count = self.tokens.fetch_add(1, Ordering::Relaxed);
        Ok(Token {
            text: format!("{CANARY}{count}").into(),
            valid_for: Duration::from_secs(900),
        })
    }

    fn route(&self, _cluster: &str) -> Route {
        self.route.clone()
    }
}

/// A server that answers one request after the other, and what it was asked.
async fn server(answers: Vec<(u16, serde_json::Value)>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let heard = Arc::clone(&asked);
    tokio::spawn(async move {
        for (status, answer) in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut text = Vec::new();
            let mut buffer = [0; 4096];
            loop {
                let count = stream.read(&mut buffer).await.unwrap();
                text.extend_from_slice(&buffer[..count]);
                let so_far = String::from_utf8_lossy(&text).to_lowercase();
                let Some((head, body)) = so_far.split_once("\r\n\r\n") else {
                    continue;
                };
                let length = head
                    .split("content-length: ")
                    .nth(1)
                    .and_then(|rest| rest.lines().next());
                if body.len() >= length.and_then(|length| length.parse().ok()).unwrap_or(0) {
                    break;
                }
            }
            heard
                .lock()
                .unwrap()
                .push(String::from_utf8_lossy(&text).into_owned());
            let answer = answer.to_string();
            let head = format!(
                "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                answer.len()
            );
            stream
                .write_all(format!("{head}{answer}").as_bytes())
                .await
                .unwrap();
        }
    });
    (url, asked)
}

/// All that is logged, at every level and by every crate.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn status(code: u16, reason: &str, message: &str) -> serde_json::Value {
    json!({"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message})
}

#[tokio::test]
async fn the_token_is_sent_and_told_to_nobody() {
    let log = Log::default();
    let to = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || to.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let (url, asked) = server(vec![
        (
            200,
            json!({"major": "1", "minor": "35+", "gitVersion": "v1.35.2"}),
        ),
        (
            403,
            status(403, "Forbidden", "nodes is forbidden: User \"x\" cannot list"),
        ),
        (500, status(500, "InternalError", "an error")),
        (200, json!("not to be logged")),
    ])
    .await;
    let way = Way::to(url);
    let clusters = Clusters::new(way.clone());
    let cluster = clusters.get("main");
    assert_eq!(cluster.version().await.unwrap().minor, 35);
    let refused = cluster.get("listing nodes", "/api/v1/nodes").await.unwrap_err();
    assert_eq!((refused.class, refused.code), (Class::Denied, codes::FORBIDDEN));
    let broken = cluster.get("listing nodes", "/api/v1/nodes").await.unwrap_err();
    cluster.get("reading", "/api/v1/secrets/x").await.unwrap();
    let asked = asked.lock().unwrap();
    assert_eq!(asked.len(), 4);
    assert!(
        asked
            .iter()
            .all(|text| text.contains(&format!("authorization: Bearer {CANARY}0"))),
        "{asked:?}"
    );
    assert_eq!(way.tokens.load(Ordering::Relaxed), 1, "one token serves all");
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(
        log.contains("Kubernetes call") && log.contains("TRACE"),
        "it is recorded: {log}"
    );
    for text in [
        log,
        format!("{refused} {broken} {cluster:?} {clusters:?} {refused:?}"),
    ] {
        assert!(
            !text.contains("canary") && !text.contains("not to be logged"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn an_entry_made_a_moment_ago_is_waited_for_but_not_where_changes_were_taken() {
    let (url, _) = server(vec![
        (401, status(401, "Unauthorized", "Unauthorized")),
        (403, status(403, "Forbidden", "cannot patch")),
        (403, status(403, "Forbidden", "cannot list")),
        (200, json!({})),
        (403, status(403, "Forbidden", "cannot patch")),
    ])
    .await;
    let clusters = Clusters::new(Way::to(url));
    let cluster = clusters.get("main");
    let body = json!({});
    let change = || cluster.send("applying", Method::PATCH, "/x", Content::Apply, Some(&body));
    let denied = change().await.unwrap_err();
    assert_eq!((denied.class, denied.code), (Class::NotYet, codes::UNAUTHORIZED));
    assert!(denied.hint.contains("access entry"), "{denied}");
    assert_eq!(change().await.unwrap_err().class, Class::NotYet);
    assert_eq!(
        cluster.get("looking", "/x").await.unwrap_err().class,
        Class::NotYet
    );
    change().await.unwrap();
    assert_eq!(change().await.unwrap_err().class, Class::Denied);
}

#[tokio::test]
async fn an_api_that_does_not_answer_is_told_within_seconds() {
    // It takes connections and says nothing.
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let cluster = Clusters::new(Way::to(url.clone())).get("main");
    let clock = reconcile::clock::Clock::scaled(1.0);
    let began = clock.now();
    let failure = cluster.get("listing nodes", "/api/v1/nodes").await.unwrap_err();
    assert!(clock.now().since(began) < Duration::from_secs(9));
    assert_eq!(
        (failure.class, failure.code),
        (Class::Other, codes::UNREACHABLE),
        "{failure}"
    );
    let host = url.trim_start_matches("https://");
    let expected = format!("the cluster main exists, its API is unreachable from here ({host})");
    assert!(failure.to_string().contains(&expected), "{failure}");
    // Nobody listens: the server may be starting.
    drop(listener);
    let failure = cluster.get("listing nodes", "/api/v1/nodes").await.unwrap_err();
    assert_eq!(
        (failure.class, failure.code),
        (Class::NotYet, codes::UNREACHABLE),
        "{failure}"
    );
}

#[tokio::test]
async fn a_tunnel_is_taken_in_place_of_the_endpoint() {
    let (url, asked) = server(vec![(200, json!({}))]).await;
    let mut way = Way::to("https://abc.eks.amazonaws.com".to_owned());
    way.route.address = Some(url);
    let clusters = Clusters::new(way);
    clusters.get("main").get("reading", "/x").await.unwrap();
    assert!(asked.lock().unwrap()[0].starts_with("GET /x "));
}

#[tokio::test]
async fn a_proxy_that_cannot_be_used_is_refused_without_showing_it() {
    let mut way = Way::to("https://abc.eks.amazonaws.com".to_owned());
    way.route.proxy = Some("ftp://user:hunter2@proxy:1".to_owned().into());
    way.route.no_proxy = Some("localhost".to_owned());
    let failure = Clusters::new(way)
        .get("main")
        .get("reading", "/x")
        .await
        .unwrap_err();
    assert_eq!(
        (failure.class, failure.code),
        (Class::Invalid, codes::ROUTE),
        "{failure}"
    );
    assert!(
        failure.to_string().contains("none of http, https, socks5"),
        "{failure}"
    );
    assert!(!failure.to_string().contains("hunter2"), "{failure}");
}

#[test]
fn answers_have_classes() {
    let class = |code: u16, reason: &str, message: &str| {
        let status = serde_json::from_value(status(code, reason, message)).unwrap();
        let failure = of_status(&status, "applying".to_owned());
        (failure.class, failure.code)
    };
    let webhook = "Internal error occurred: failed calling webhook \"x.y\": no endpoints";
    let expected = [
        (409, "AlreadyExists", "x", Class::Exists, "EKB1012"),
        (
            409,
            "Conflict",
            "the object has been modified",
            Class::Busy,
            "EKB1003",
        ),
        (404, "NotFound", "x", Class::NotFound, "EKB1007"),
        (422, "Invalid", "x", Class::Invalid, "EKB1006"),
        (403, "Forbidden", "x", Class::Denied, codes::FORBIDDEN),
        (403, "Forbidden", "exceeded quota: q", Class::Quota, "EKB1008"),
        (401, "Unauthorized", "x", Class::Denied, codes::UNAUTHORIZED),
        (429, "TooManyRequests", "x", Class::Throttled, "EKB1001"),
        (500, "InternalError", webhook, Class::Transient, codes::WEBHOOK),
        (500, "InternalError", "x", Class::Unknown, "EKB1002"),
        (
            403,
            "",
            "admission webhook \"x\" denied the request: no",
            Class::Invalid,
            codes::WEBHOOK,
        ),
        (504, "Timeout", "x", Class::Unknown, "EKB1002"),
        (503, "ServiceUnavailable", "x", Class::Transient, "EKB1001"),
    ];
    for (code, reason, message, expected, name) in expected {
        assert_eq!(
            class(code, reason, message),
            (expected, name),
            "{code} {reason} {message}"
        );
    }
}

#[test]
fn a_conflict_names_the_manager_and_its_fields() {
    let mut conflict = status(
        409,
        "Conflict",
        "Apply failed with 1 conflict: conflict with \"kubectl-edit\" using v1: .data.key",
    );
    conflict["details"] = json!({"causes": [
        {"reason": "FieldManagerConflict", "message": "conflict with \"kubectl-edit\" using v1", "field": ".data.key"},
    ]});
    let failure = of_status(
        &serde_json::from_value(conflict).unwrap(),
        "creating ConfigMap a".to_owned(),
    );
    assert_eq!((failure.class, failure.code), (Class::Exists, codes::CONFLICT));
    assert!(
        failure.to_string().contains("data.key belongs to kubectl-edit"),
        "{failure}"
    );
}
