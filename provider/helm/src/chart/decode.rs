//! What Go's decoder refuses of `Chart.yaml` and its kin: values of other types than their fields.

use crate::value::Value;

/// The type of a field.
pub(super) enum Shape {
    /// A string; numbers and booleans become one.
    Text,
    Bool,
    Any,
    /// A list, and how Go names its type.
    List(&'static Shape, &'static str),
    /// `map[string]string`
    Texts,
    /// A struct: how Go names it, and its fields. Go does not regard the case of their names.
    Struct(&'static str, &'static [(&'static str, Shape)]),
}
use Shape::{Any, Bool, List, Struct, Text, Texts};

const STRINGS: &str = "[]string";

const DEPENDENCY: Shape = Struct(
    "v2.Dependency",
    &[
        ("name", Text),
        ("version", Text),
        ("repository", Text),
        ("condition", Text),
        ("tags", List(&Text, STRINGS)),
        ("enabled", Bool),
        ("import-values", List(&Any, "[]interface {}")),
        ("alias", Text),
    ],
);

const DEPENDENCIES: Shape = List(&DEPENDENCY, "[]*v2.Dependency");

/// `Chart.yaml`
pub(super) const CHART: Shape = Struct(
    "v2.Metadata",
    &[
        ("name", Text),
        ("home", Text),
        ("sources", List(&Text, STRINGS)),
        ("version", Text),
        ("description", Text),
        ("keywords", List(&Text, STRINGS)),
        (
            "maintainers",
            List(
                &Struct("v2.Maintainer", &[("name", Text), ("email", Text), ("url", Text)]),
                "[]*v2.Maintainer",
            ),
        ),
        ("icon", Text),
        ("apiVersion", Text),
        ("condition", Text),
        ("tags", Text),
        ("appVersion", Text),
        ("deprecated", Bool),
        ("annotations", Texts),
        ("kubeVersion", Text),
        ("dependencies", DEPENDENCIES),
        ("type", Text),
    ],
);

/// `Chart.lock` and `requirements.lock`
pub(super) const LOCK: Shape = Struct(
    "v2.Lock",
    &[
        ("digest", Text),
        ("generated", Any),
        ("dependencies", DEPENDENCIES),
    ],
);

/// Checks a value that was read.
///
/// # Errors
/// Go's words.
pub(super) fn check(value: &Value, shape: &Shape) -> Result<(), String> {
    let mut path = String::new();
    match (value, shape) {
        (Value::Map(_) | Value::Nil | Value::Invalid, _) => within(value, shape, &mut path, false),
        (_, Struct(name, _)) => Err(mismatch(value, &format!("Go value of type {name}"))),
        _ => Ok(()),
    }
}

fn mismatch(value: &Value, target: &str) -> String {
    let kind = match value {
        Value::Bool(_) => "bool",
        Value::Int(..) | Value::Float(_) => "number",
        Value::List(_) => "array",
        Value::Map(_) => "object",
        _ => "string",
    };
    format!("error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {kind} into {target}")
}

fn within(value: &Value, shape: &Shape, path: &mut String, element: bool) -> Result<(), String> {
    let refused = |ty: &str| {
        let field = if element { "" } else { "Go struct field " };
        Err(mismatch(value, &format!("{field}{path} of type {ty}")))
    };
    let length = path.len();
    match (value, shape) {
        (Value::Nil | Value::Invalid, _) | (_, Any) => Ok(()),
        (Value::Str(_) | Value::Raw(_) | Value::Bool(_) | Value::Int(..) | Value::Float(_), Text) => Ok(()),
        (Value::Bool(_), Bool) => Ok(()),
        (Value::List(list), List(inner, _)) => {
            for (index, item) in list.items.iter().enumerate() {
                path.push_str(&format!(".{index}"));
                within(item, inner, path, true)?;
                path.truncate(length);
            }
            Ok(())
        }
        (Value::Map(map), Texts) => {
            for (key, item) in map.snapshot() {
                path.push_str(&format!(".{key}"));
                within(&item, &Text, path, false)?;
                path.truncate(length);
            }
            Ok(())
        }
        (Value::Map(map), Struct(_, fields)) => {
            for (key, item) in map.snapshot() {
                let field = fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(&key));
                let Some((_, inner)) = field else { continue };
                path.push_str(&format!(".{key}"));
                within(&item, inner, path, false)?;
                path.truncate(length);
            }
            Ok(())
        }
        (_, Text) => refused("string"),
        (_, Bool) => refused("bool"),
        (_, Texts) => refused("map[string]string"),
        (_, List(_, ty) | Struct(ty, _)) => refused(ty),
    }
}
