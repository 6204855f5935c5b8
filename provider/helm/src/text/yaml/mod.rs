//! YAML 1.1 as Go's libraries read and write it.

mod emit;
mod parse;
mod resolve;
mod scan;

pub use emit::{emit, emit_pretty};
pub use parse::{Error, convert_error, parse, parse_documents, parse_exact, parse_head, text};
