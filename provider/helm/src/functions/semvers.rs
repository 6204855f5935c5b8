//! Functions of semantic versions.

use super::{Context, Failure, Function, Outcome, Type, function, text};
use crate::value::Value;
use crate::value::object::Object;
use crate::value::semver::{Constraint, Version};
use Type::Str;
use std::rc::Rc;

pub(super) const FUNCTIONS: &[Function] = &[
    function("semver", &[Str], |_, a| {
        let version = Version::parse(&text(&a[0])).ok_or_else(|| Failure::new("invalid semantic version"))?;
        Ok(Value::Object(Rc::new(Object::Version(version))))
    }),
    function("semverCompare", &[Str, Str], compare),
];

fn compare(_: &mut Context<'_>, a: &[Value]) -> Outcome {
    let constraint = Constraint::parse(&text(&a[0])).map_err(Failure::new)?;
    let version = Version::parse(&text(&a[1])).ok_or_else(|| Failure::new("invalid semantic version"))?;
    Ok(Value::Bool(constraint.allows(&version)))
}
