//! Why a chart could not be had: what was done, what went wrong, what helps.

/// What kind of failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Class {
    /// No answer, or the server's own failure: may work later.
    Unreachable,
    /// It took too long.
    TimedOut,
    /// Credentials are missing or refused.
    Denied,
    /// No such chart or version.
    NotFound,
    /// Larger than allowed.
    TooLarge,
    /// Not the bytes that were promised.
    Corrupt,
    /// The request or the answer makes no sense.
    Invalid,
}

/// A chart could not be had.
#[derive(Clone, Debug)]
pub struct FetchFailure {
    /// Kind.
    pub class: Class,
    /// What was done.
    pub doing: String,
    /// What went wrong.
    pub cause: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl std::fmt::Display for FetchFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.doing, self.cause)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for FetchFailure {}

impl FetchFailure {
    pub(crate) fn new(class: Class, cause: impl Into<String>) -> Self {
        FetchFailure {
            class,
            doing: String::new(),
            cause: cause.into(),
            hint: None,
        }
    }
    pub(crate) fn doing(mut self, doing: String) -> Self {
        self.doing = doing;
        self
    }
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
