//! What an answer of the API server means, and the lack of one.

use std::error::Error;

use kube::core::Status;
use reconcile::failure::{Class, Failure};

/// Codes of failures.
pub(crate) mod codes {
    /// No way to the API.
    pub const UNREACHABLE: &str = "EKB1130";
    /// Somebody else answers there.
    pub const CERTIFICATE: &str = "EKB1131";
    /// The API knows nobody of this token.
    pub const UNAUTHORIZED: &str = "EKB1132";
    /// Whoever it is may not do this.
    pub const FORBIDDEN: &str = "EKB1133";
    /// A field belongs to another manager.
    pub const CONFLICT: &str = "EKB1134";
    /// A webhook of the cluster refuses or does not answer.
    pub const WEBHOOK: &str = "EKB1135";
    /// The cluster's version is too old.
    pub const VERSION: &str = "EKB1136";
    /// The cluster has no such type of objects.
    pub const NO_TYPE: &str = "EKB1137";
    /// The way there is written wrongly.
    pub const ROUTE: &str = "EKB1138";
    /// A namespace has objects of others in it, or a definition others of it.
    pub const SHARED: &str = "EKB1141";
    /// A controller has to finish objects before it goes.
    pub const UNFINISHED: &str = "EKB1142";
    /// Nodes are not drained: their pods are held.
    pub const HELD: &str = "EKB1143";
    /// An object will not be ready.
    pub const NOT_READY: &str = "EKB1139";
}

/// The failure that an answer says.
pub(crate) fn of_status(status: &Status, doing: String) -> Failure {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let mut cause = match (status.code, status.reason.as_str()) {
        (code, "" | "Failed to parse error data") => format!("{code}: {}", status.message),
        (code, reason) => format!("{code} {reason}: {}", status.message),
    };
    // Mostly the message has them already.
    for one in causes
        .clone()
        .filter(|one| !status.message.contains(&one.message))
    {
        cause = format!("{cause}; {}: {}", one.field, one.message);
    }
    let failure = |class| Failure::new(class, &doing, &cause);
    let is_of_webhook = status.message.contains("webhook");
    match (status.code, status.reason.as_str()) {
        (_, "AlreadyExists") => failure(Class::Exists),
        (409, _) if causes.clone().any(|one| one.reason == "FieldManagerConflict") => conflict(status, doing),
        // Of an update: the object changed in between, or another writer was faster. Looking again helps.
        (409, _) => failure(Class::Busy),
        (_, "NamespaceTerminating") => failure(Class::Busy),
        (401, _) => failure(Class::Denied).code(codes::UNAUTHORIZED),
        // A namespace that goes, or a quota, answer with it too.
        (403, _) if status.message.contains("because it is being terminated") => failure(Class::Busy),
        (403, _) if status.message.contains("exceeded quota") => failure(Class::Quota),
        (403, _) if is_of_webhook => failure(Class::Invalid)
            .code(codes::WEBHOOK)
            .hint("A webhook of the cluster refuses this: change what it names, or ask who runs it."),
        (403, _) => failure(Class::Denied).code(codes::FORBIDDEN),
        (404, _) => failure(Class::NotFound),
        (410, _) => failure(Class::Transient),
        (429, _) => failure(Class::Throttled),
        // The webhook could not be asked: its pods are not there yet, or not any more.
        (500, _) if is_of_webhook => failure(Class::Transient).code(codes::WEBHOOK).hint(
            "A webhook of the cluster does not answer: see that its pods run, or delete its configuration.",
        ),
        (400 | 422, _) if is_of_webhook => failure(Class::Invalid).code(codes::WEBHOOK),
        (400 | 405 | 406 | 413 | 415 | 422, _) => failure(Class::Invalid),
        // The server gave up on it, which says nothing of what it did.
        (504, _) | (500, "Timeout") => failure(Class::Unknown),
        (500, _) => failure(Class::Unknown),
        (502 | 503, _) => failure(Class::Transient),
        _ => failure(Class::Other),
    }
}

/// Fields that another manager has, and means to be otherwise.
fn conflict(status: &Status, doing: String) -> Failure {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let fields = causes.map(|one| {
        // `conflict with "kubectl-edit" using v1`
        let manager = one.message.split('"').nth(1).unwrap_or("another manager");
        format!("{} belongs to {manager}", one.field.trim_start_matches('.'))
    });
    let fields: Vec<String> = fields.collect();
    Failure::new(
        Class::Exists,
        doing,
        format!("409 Conflict: {}", fields.join(", ")),
    )
    .code(codes::CONFLICT)
    .hint("Take the field out of one of the two declarations, or delete the object that the other one made.")
}

/// The failure of a request without an answer. `is_write`: whether it may have changed something.
pub(crate) fn of_error(
    error: kube::Error,
    doing: String,
    cluster: &str,
    host: &str,
    is_write: bool,
) -> Failure {
    let error: Box<dyn Error + Send + Sync> = match error {
        kube::Error::Api(status) => return of_status(&status, doing),
        kube::Error::Service(error) => match error.downcast::<Failure>() {
            // Of the token.
            Ok(failure) => {
                return Failure {
                    doing: format!("{doing}: {}", failure.doing),
                    ..*failure
                };
            }
            Err(error) => error,
        },
        other => Box::new(other),
    };
    let cause = texts(&*error);
    if let Some(problem) = certificate_problem(&*error) {
        return Failure::new(Class::Other, doing, format!("{host}: {problem}"))
            .code(codes::CERTIFICATE)
            .hint(format!(
                "Whoever answers at {host} is not the cluster {cluster}: a proxy or tunnel in between has to pass TLS through, and a TLS server name has to be that of the cluster's own endpoint"
            ));
    }
    if is_of_connecting(&*error) {
        return unreachable(cluster, host, doing, &cause);
    }
    let class = if is_write {
        Class::Unknown
    } else {
        Class::Transient
    };
    Failure::new(class, doing, format!("no answer from {host}: {cause}"))
}

/// There is no way to the API.
pub(crate) fn unreachable(cluster: &str, host: &str, doing: String, cause: &str) -> Failure {
    // Nobody answers at a private address from outside: trying again is of no use. A name that is not known yet, or a
    // server that is not up again yet, may come.
    let is_silent =
        cause.contains("timed out") || cause.contains("unreachable") || cause.contains("deadline");
    let class = if is_silent { Class::Other } else { Class::NotYet };
    let cause = format!("the cluster {cluster} exists, its API is unreachable from here ({host}): {cause}");
    Failure::new(class, doing, cause).code(codes::UNREACHABLE).hint(
        "Nothing of it is lost. Run again from a place that reaches it: inside the VPC or over a VPN; or say the way in a block `kubernetes` of the provider (`host` of a tunnel, `proxy_url`); or allow this place's address at the cluster's public endpoint",
    )
}

fn chain<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'e (dyn Error + 'static)| (*error).source())
}

/// The whole chain, each text once.
fn texts(error: &(dyn Error + 'static)) -> String {
    let mut texts: Vec<String> = Vec::new();
    for text in chain(error).map(ToString::to_string) {
        if texts.last().is_none_or(|last| !last.ends_with(&text)) {
            texts.push(text);
        }
    }
    texts.join(": ")
}

fn certificate_problem(error: &(dyn Error + 'static)) -> Option<String> {
    chain(error)
        .map(ToString::to_string)
        .find(|text| text.contains("certificate"))
}

/// Whether no request was sent.
fn is_of_connecting(error: &(dyn Error + 'static)) -> bool {
    use hyper_util::client::legacy;
    chain(error).any(|error| {
        error
            .downcast_ref::<legacy::Error>()
            .is_some_and(legacy::Error::is_connect)
    })
}
