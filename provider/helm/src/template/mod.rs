//! Go's template language: reading it and carrying it out.

pub mod call;
pub mod environment;
pub mod error;
pub mod exec;
pub mod glob;
pub mod lexer;
pub mod methods;
pub mod node;
pub mod parser;
