//! One HTTP request to the rig: JSON in, JSON out, over loopback.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// Sends a request to `url` (`http://127.0.0.1:PORT/path`); panics on anything but an answer of 200.
pub(crate) fn request(method: &str, url: &str, body: Option<&Value>) -> Value {
    match attempt(method, url, body) {
        Ok((200, text)) => serde_json::from_str(&text).expect("the rig answers in JSON"),
        Ok((status, text)) => panic!("{method} {url}: {status}: {}", text.replace("\\n", "\n")),
        Err(error) => panic!("{method} {url}: {error}"),
    }
}

fn attempt(method: &str, url: &str, body: Option<&Value>) -> std::io::Result<(u16, String)> {
    let rest = url.strip_prefix("http://").unwrap_or(url);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(Duration::from_secs(120)))?;
    let body = body.map(Value::to_string).unwrap_or_default();
    write!(
        stream,
        "{method} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, text) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .unwrap_or(0);
    Ok((status, text.to_owned()))
}
