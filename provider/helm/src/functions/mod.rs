//! The functions of helm's templates: Go's builtins, Sprig's, and helm's own. Each declares its parameters' types, so
//! that the executor refuses what Go would refuse, in Go's words.

mod builtin;
mod certificates;
mod convert;
mod crypto;
mod dates;
mod dicts;
pub(crate) mod encoding;
mod helm;
mod lists;
mod math;
mod paths;
pub(crate) mod regexes;
pub mod semvers;
mod strings;
mod words;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

pub(crate) use paths::clean as clean_path;

use crate::template::call::{Context, Function, Outcome, Run, Special, Type};
use crate::template::error::Failure;
use crate::value::Value;

const fn function(name: &'static str, parameters: &'static [Type], run: Run) -> Function {
    Function {
        name,
        parameters,
        variadic: None,
        special: Special::No,
        run,
    }
}

const fn variadic(name: &'static str, parameters: &'static [Type], rest: Type, run: Run) -> Function {
    Function {
        name,
        parameters,
        variadic: Some(rest),
        special: Special::No,
        run,
    }
}

static TABLE: LazyLock<HashMap<&'static str, &'static Function>> = LazyLock::new(|| {
    let mut table = HashMap::new();
    // Later ones replace earlier ones, as helm's map replaces Go's builtins (`slice`).
    for group in [
        builtin::FUNCTIONS,
        strings::FUNCTIONS,
        words::FUNCTIONS,
        lists::FUNCTIONS,
        dicts::FUNCTIONS,
        math::FUNCTIONS,
        convert::FUNCTIONS,
        encoding::FUNCTIONS,
        paths::FUNCTIONS,
        regexes::FUNCTIONS,
        semvers::FUNCTIONS,
        dates::FUNCTIONS,
        crypto::FUNCTIONS,
        certificates::FUNCTIONS,
        helm::FUNCTIONS,
    ] {
        for function in group {
            table.insert(function.name, function);
        }
    }
    table
});

/// A function by name.
pub fn find(name: &str) -> Option<&'static Function> {
    TABLE.get(name).copied()
}

/// The names of all functions, sorted.
pub fn names() -> Vec<&'static str> {
    let mut names: Vec<_> = TABLE.keys().copied().collect();
    names.sort_unstable();
    names
}

/// Text of a string argument.
fn text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Str(s) => Cow::Borrowed(s),
        Value::Raw(b) => String::from_utf8_lossy(b),
        other => Cow::Owned(crate::value::gofmt::text(other)),
    }
}
/// An `int` argument.
fn int(value: &Value) -> i64 {
    if let Value::Int(n, _) = value { *n } else { 0 }
}
/// Sprig's way to make a string of anything.
fn strval(value: &Value) -> Vec<u8> {
    match value {
        Value::Bytes(bytes) => bytes.to_vec(),
        other => crate::value::gofmt::bytes(other),
    }
}
fn strval_text(value: &Value) -> String {
    match value {
        Value::Str(s) => s.to_string(),
        other => String::from_utf8_lossy(&strval(other)).into_owned(),
    }
}
/// Sprig's way to make strings of a list: nil elements are left out.
fn strslice(value: &Value) -> Vec<String> {
    match value {
        Value::Nil | Value::Invalid => Vec::new(),
        Value::List(list) => list
            .items
            .iter()
            .filter(|v| !v.is_nil())
            .map(strval_text)
            .collect(),
        Value::Bytes(bytes) => bytes.iter().map(u8::to_string).collect(),
        other => vec![strval_text(other)],
    }
}
