//! The functions `describe` (every kind of parameter) and `reverse`.

use std::collections::BTreeMap;

use framework::{Arguments, Attr, AttributeType, Function, FunctionError, Model, Number, Set, Value};

/// A point.
#[derive(Debug, Clone, Model)]
pub struct Point {
    /// Across.
    #[attribute(required)]
    pub x: Attr<Number>,
    /// Up.
    #[attribute(optional)]
    pub y: Attr<Number>,
}

#[derive(Arguments)]
pub struct DescribeArguments {
    /// A bool.
    flag: bool,
    /// A whole number.
    count: i64,
    /// Any number.
    number: Number,
    /// A text, or null.
    text: Option<String>,
    /// A list.
    list: Vec<String>,
    /// A set.
    set: Set<i64>,
    /// A map.
    map: BTreeMap<String, bool>,
    /// An object.
    object: Point,
    /// Anything.
    anything: Attr<Value>,
    /// More of anything.
    #[argument(variadic)]
    rest: Vec<Value>,
}

/// Takes every kind of parameter.
pub struct Describe;

impl Function for Describe {
    type Arguments = DescribeArguments;
    type Return = String;

    const NAME: &'static str = "describe";
    const SUMMARY: &'static str = "Describes values of every type.";

    fn call(&self, a: DescribeArguments) -> Result<String, FunctionError> {
        if a.count < 0 {
            return Err(FunctionError::of_argument(1, "count must not be negative"));
        }
        let point = |n: &Attr<Number>| n.known().map_or("none".to_owned(), ToString::to_string);
        Ok(format!(
            "{} {} {} {:?} {:?} {:?} {:?} ({}, {}) {} +{}",
            a.flag,
            a.count,
            a.number,
            a.text,
            a.list,
            a.set,
            a.map,
            point(&a.object.x),
            point(&a.object.y),
            a.anything.encode().infer_type(),
            a.rest.len(),
        ))
    }
}

#[derive(Arguments)]
pub struct ReverseArguments {
    /// The list.
    list: Vec<String>,
}

/// Reverses a list of texts.
pub struct Reverse;

impl Function for Reverse {
    type Arguments = ReverseArguments;
    type Return = Vec<String>;

    const NAME: &'static str = "reverse";
    const SUMMARY: &'static str = "Reverses a list.";

    fn call(&self, mut arguments: ReverseArguments) -> Result<Vec<String>, FunctionError> {
        arguments.list.reverse();
        Ok(arguments.list)
    }
}
