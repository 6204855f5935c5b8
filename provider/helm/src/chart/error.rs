//! What can go wrong with a chart, in helm's words.

use std::fmt::Write as _;

use crate::template::error::{ExecError, Failure};
use crate::template::parser::ParseError;

/// Why a chart could not be loaded or rendered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The chart itself is not in order.
    #[error("{0}")]
    Chart(String),
    /// The values are not in order.
    #[error("{0}")]
    Values(String),
    /// The values do not fit the chart's schema.
    #[error("{0}")]
    Schema(String),
    /// A template cannot be read.
    #[error("parse error at ({}:{}): {}", .0.file, .0.line, last_part(&.0.message))]
    Parse(ParseError),
    /// A template failed.
    #[error("{}", execution(.0))]
    Execution(Box<ExecError>),
    /// A rendered document is no YAML.
    #[error("YAML parse error on {template}: {message}")]
    Document {
        /// The template.
        template: String,
        /// What is wrong.
        message: String,
    },
    /// A chart cannot be had from its registry or repository.
    #[cfg(feature = "remote")]
    #[error("{0}")]
    Fetch(Box<crate::chart::fetch::FetchFailure>),
    /// A release record does not fit into a Secret.
    #[error("{0}")]
    RecordTooLarge(Box<crate::chart::record::TooLarge>),
    /// Something outside: a release record.
    #[error("{0}")]
    Outside(String),
}

#[cfg(feature = "remote")]
impl Error {
    pub(crate) fn fetch(failure: crate::chart::fetch::FetchFailure) -> Error {
        Error::Fetch(Box::new(failure))
    }
}

/// helm shows what stands after the last colon.
fn last_part(message: &str) -> &str {
    message.rsplit(": ").next().unwrap_or(message)
}

/// helm prints a trace where it can take the message apart, and Go's message where it cannot.
fn execution(error: &ExecError) -> String {
    if error.deliberate() {
        return format!(
            "execution error at ({}:{}:{}): {}",
            error.file,
            error.line,
            error.column,
            error.innermost()
        );
    }
    trace(error).unwrap_or_else(|| error.to_string())
}

fn trace(error: &ExecError) -> Option<String> {
    let mut out = String::new();
    let mut error = error;
    loop {
        let _ = write!(
            out,
            "{}:{}:{}\n  executing {} at <{}>:\n    ",
            error.file,
            error.line,
            error.column,
            crate::value::gofmt::quote(&error.template),
            error.node
        );
        match &error.cause {
            None => {
                out.push_str(&error.message);
                out.push('\n');
                return Some(out);
            }
            Some(cause) if error.message.starts_with("error calling include: ") => {
                out.push_str("error calling include:\n");
                match &**cause {
                    Failure {
                        inner: Some(inner), ..
                    } => error = inner,
                    cause if cause.message.starts_with("template: no template ") => {
                        out.push_str(&cause.message);
                        out.push('\n');
                        return Some(out);
                    }
                    _ => return None,
                }
            }
            Some(_) => return None,
        }
    }
}
