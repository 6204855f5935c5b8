//! Why a template, or what it called, failed.

use std::fmt::Display;
use std::sync::Arc;

/// Where and why a template failed. `Display` prints Go's one-line form; the error of a chart makes helm's of it.
#[derive(Debug, Clone)]
pub struct ExecError {
    /// File of the failing node.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: usize,
    /// Byte in the line, from 0.
    pub column: usize,
    /// Name of the template that was carried out.
    pub template: Arc<str>,
    /// The node, as Go prints it.
    pub node: String,
    /// What is wrong; what failed in a template that was called stands in the cause alone.
    pub message: String,
    /// The failure inside of a called function.
    pub cause: Option<Box<Failure>>,
}

impl Display for ExecError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut error = Some(self);
        while let Some(at) = error {
            write!(
                f,
                "template: {}:{}:{}: executing {} at <{}>: {}",
                at.file,
                at.line,
                at.column,
                crate::value::gofmt::quote(&at.template),
                at.node,
                at.message
            )?;
            error = at.inner();
        }
        Ok(())
    }
}

impl std::error::Error for ExecError {}

impl ExecError {
    /// Whether the chart's author wanted the failure (`fail`, `required`).
    pub fn deliberate(&self) -> bool {
        self.cause.as_ref().is_some_and(|cause| cause.deliberate)
    }
    /// The message of the innermost failure.
    pub fn innermost(&self) -> &str {
        let mut error = self;
        while let Some(inner) = error.inner() {
            error = inner;
        }
        error
            .cause
            .as_ref()
            .map_or(&error.message, |cause| &cause.message)
    }
    /// The failure in a template that was called.
    pub fn inner(&self) -> Option<&ExecError> {
        self.cause.as_ref()?.inner.as_deref()
    }
}

/// Why a function failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Go's message, without that of the failure in a template that the function ran.
    pub message: String,
    /// `fail` and `required`: helm reports these apart.
    pub deliberate: bool,
    /// The failure in a template that the function ran.
    pub inner: Option<Box<ExecError>>,
}

impl Failure {
    /// An ordinary failure.
    pub fn new(message: impl Into<String>) -> Self {
        Failure {
            message: message.into(),
            deliberate: false,
            inner: None,
        }
    }
}

impl Drop for Failure {
    /// One after the other: templates may include each other more deeply than the stack is.
    fn drop(&mut self) {
        let mut inner = self.inner.take();
        while let Some(mut error) = inner {
            inner = error.cause.as_mut().and_then(|cause| cause.inner.take());
        }
    }
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Failure::new(message)
    }
}
impl From<&str> for Failure {
    fn from(message: &str) -> Self {
        Failure::new(message)
    }
}
