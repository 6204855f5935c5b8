//! What went wrong with one part, in a form that can be shown to a user.

use std::fmt;

/// How the engine treats a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Turned away for its rate; surely not applied. Tried again, slower.
    Throttled,
    /// Surely not applied (connection refused, service unavailable before the call was taken). Tried again.
    Transient,
    /// Perhaps applied: response lost, time-out, reset. Resolved by looking before anything is tried again.
    Unknown,
    /// Another operation or a dependency is in the way (`DependencyViolation`, `ResourceInUse`). Tried again for as
    /// long as the part may take.
    Busy,
    /// Not yet visible to the service called (role just made, subnet just made). Tried again for a short while.
    NotYet,
    /// The caller may not do this.
    Denied,
    /// The request can never succeed as it stands.
    Invalid,
    /// The name is taken, perhaps by an earlier attempt of ours: resolved by looking.
    Exists,
    /// The object is not there.
    NotFound,
    /// A limit of the account.
    Quota,
    /// The run was cancelled; nothing was begun.
    Cancelled,
    /// Waiting longer has no prospect; the text says why.
    Stuck,
    /// The wait was longer than the time-out allows.
    TimedOut,
    /// Everything else.
    Other,
}

/// A failure of one operation on one part.
///
/// Text never carries a secret: it is shown to users and logged.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Stable code for users' retry rules, for example `EKB1203`.
    pub code: &'static str,
    /// What was attempted: gerund, kind and id, for example `creating NAT gateway (eu-central-1a)`.
    pub doing: String,
    /// What the service said, for example `RequestLimitExceeded: Request limit exceeded.`.
    pub cause: String,
    /// The service's id of the request.
    pub request_id: Option<String>,
    /// What the user can do next; empty where nothing is known.
    pub hint: String,
    /// How the engine treats it.
    pub class: Class,
}

impl Failure {
    /// A failure with the code that its class has by default and no hint.
    pub fn new(class: Class, doing: impl Into<String>, cause: impl Into<String>) -> Self {
        let code = match class {
            Class::Throttled | Class::Transient => "EKB1001",
            Class::Unknown => "EKB1002",
            Class::Busy => "EKB1003",
            Class::NotYet => "EKB1004",
            Class::Denied => "EKB1005",
            Class::Invalid => "EKB1006",
            Class::NotFound => "EKB1007",
            Class::Quota => "EKB1008",
            Class::Cancelled => "EKB1009",
            Class::Stuck => "EKB1010",
            Class::TimedOut => "EKB1011",
            Class::Exists => "EKB1012",
            Class::Other => "EKB1000",
        };
        Self {
            code,
            doing: doing.into(),
            cause: cause.into(),
            request_id: None,
            hint: String::new(),
            class,
        }
    }

    /// The same with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// The same with a code of its own.
    #[must_use]
    pub fn code(mut self, code: &'static str) -> Self {
        self.code = code;
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.code, self.doing, self.cause)?;
        if let Some(id) = &self.request_id {
            write!(f, " (request id {id})")?;
        }
        if !self.hint.is_empty() {
            write!(f, ". {}", self.hint)?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}
