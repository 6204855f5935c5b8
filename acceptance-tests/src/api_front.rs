//! A front of a Kubernetes API that disturbs calls: plain HTTP on loopback, in this process.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use crate::control_plane::Kubernetes;
use crate::cuts::Blow;

/// A call that changes something, as the API server answered it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiChange {
    /// `POST`, `PATCH` or `DELETE`.
    pub method: String,
    /// Its path, without the query.
    pub path: String,
    /// What the API server answered; none where it never saw the call.
    pub status: Option<u16>,
}

#[derive(Debug, Default)]
struct Rules {
    /// At which changing call from now on, from 1, what happens, and how often yet.
    blow: Option<(usize, Blow, usize)>,
    changes: Vec<ApiChange>,
    /// Called where the calling process would die.
    death: Option<Arc<tokio::sync::Notify>>,
    /// Which reads are answered here (what is in their path), and with what.
    answers: Vec<(String, String)>,
}

/// The front; it serves until the process ends.
#[derive(Debug, Clone)]
pub struct ApiFront {
    url: String,
    rules: Arc<Mutex<Rules>>,
}

impl ApiFront {
    /// Begins to serve.
    ///
    /// # Panics
    /// Where no port of loopback is free.
    #[must_use]
    pub fn of(api: &Kubernetes) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let rules: Arc<Mutex<Rules>> = Arc::default();
        let (api, served) = (api.clone(), Arc::clone(&rules));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (api, rules) = (api.clone(), Arc::clone(&served));
                std::thread::spawn(move || serve(&stream, &api, &rules));
            }
        });
        Self { url, rules }
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Disturbs the n-th changing call from now on, counted from 1. A blow that kills notifies whoever plays the process.
    pub fn disturb(&self, n: usize, blow: Blow) -> Arc<tokio::sync::Notify> {
        let death = Arc::new(tokio::sync::Notify::new());
        let times = match blow {
            Blow::Throttle => 3,
            Blow::ServerError => 2,
            _ => 1,
        };
        let mut rules = lock(&self.rules);
        rules.blow = Some((n, blow, times));
        rules.changes.clear();
        rules.death = Some(Arc::clone(&death));
        drop(rules);
        death
    }

    /// Answers reads with this in their path in place of the API server, which has no logs of pods that never ran.
    pub fn answer(&self, part: &str, text: &str) {
        lock(&self.rules).answers.push((part.to_owned(), text.to_owned()));
    }

    /// Disturbs nothing from now on.
    pub fn calm(&self) {
        lock(&self.rules).blow = None;
    }

    /// The changing calls so far.
    #[must_use]
    pub fn changes(&self) -> Vec<ApiChange> {
        lock(&self.rules).changes.clone()
    }
}

fn lock(rules: &Mutex<Rules>) -> std::sync::MutexGuard<'_, Rules> {
    rules.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is done with a call.
enum Deed {
    Pass,
    Lose,
    Die {
        before: bool,
        who: Arc<tokio::sync::Notify>,
    },
    Answer(u16, &'static str),
    Close,
}

fn serve(stream: &TcpStream, api: &Kubernetes, rules: &Mutex<Rules>) {
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    while let Some(call) = read(&mut reader) {
        let is_change = call.method != "GET";
        let deed = if is_change { judge(rules) } else { Deed::Pass };
        let own = lock(rules)
            .answers
            .iter()
            .find(|(part, _)| call.target.contains(part))
            .cloned();
        let pass = || {
            let answer = api.forward(&call.method, &call.target, &call.headers, &call.body);
            if is_change {
                note(rules, &call, Some(answer.0));
            }
            answer
        };
        let (status, headers, body) = match (deed, own) {
            (Deed::Pass, Some((_, text))) if !is_change => (200, Vec::new(), text.into_bytes()),
            (deed, _) => match deed {
                Deed::Pass => pass(),
                Deed::Answer(status, reason) => {
                    note(rules, &call, None);
                    let body = format!(
                        "{{\"kind\":\"Status\",\"status\":\"Failure\",\"code\":{status},\"reason\":\"{reason}\",\"message\":\"a blow\"}}"
                    );
                    (
                        status,
                        vec![("retry-after".to_owned(), "1".to_owned())],
                        body.into_bytes(),
                    )
                }
                Deed::Lose => {
                    pass();
                    return;
                }
                Deed::Close => {
                    note(rules, &call, None);
                    return;
                }
                Deed::Die { before, who } => {
                    if before {
                        note(rules, &call, None);
                    } else {
                        pass();
                    }
                    who.notify_one();
                    return;
                }
            },
        };
        let mut head = format!("HTTP/1.1 {status} Answer\r\ncontent-length: {}\r\n", body.len());
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let all = [head.as_bytes(), b"\r\n", &body].concat();
        if writer.write_all(&all).is_err() {
            return;
        }
    }
}

fn judge(rules: &Mutex<Rules>) -> Deed {
    let mut rules = lock(rules);
    let at = rules.changes.len() + 1;
    let Some((n, blow, times)) = rules.blow else {
        return Deed::Pass;
    };
    if at < n || times == 0 {
        return Deed::Pass;
    }
    rules.blow = Some((n, blow, times - 1));
    let who = rules.death.clone().unwrap_or_default();
    match blow {
        Blow::KillBefore => Deed::Die { before: true, who },
        Blow::KillAfter => Deed::Die { before: false, who },
        Blow::Lose => Deed::Lose,
        Blow::Reset => Deed::Close,
        Blow::Throttle => Deed::Answer(429, "TooManyRequests"),
        Blow::ServerError => Deed::Answer(500, "InternalError"),
        Blow::Deny => Deed::Answer(403, "Forbidden"),
    }
}

fn note(rules: &Mutex<Rules>, call: &Call, status: Option<u16>) {
    lock(rules).changes.push(ApiChange {
        method: call.method.clone(),
        path: call.target.split('?').next().unwrap_or_default().to_owned(),
        status,
    });
}

struct Call {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

fn read(reader: &mut impl BufRead) -> Option<Call> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, target) = (words.next()?, words.next()?);
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length
        .and_then(|(_, length)| length.parse().ok())
        .unwrap_or_default();
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Call {
        method,
        target,
        headers,
        body,
    })
}
