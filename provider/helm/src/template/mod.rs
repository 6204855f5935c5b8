//! Go's template language: reading it and carrying it out.

pub mod exec;
pub mod lexer;
pub mod node;
pub mod parser;
