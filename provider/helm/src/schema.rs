//! `values.schema.json`: of the chart and of its subcharts.

use std::fmt::Write as _;

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use serde_json::Value as Json;

use crate::chart::{Chart, to_json};
use crate::error::Error;
use crate::value::Value;

/// Checks values against the schemas of a chart and its subcharts.
///
/// # Errors
/// Everything that does not fit, with the path of the value.
pub fn check(chart: &Chart, values: &Value) -> Result<(), Error> {
    let mut problems = String::new();
    check_chart(chart, values, &mut problems)?;
    if problems.is_empty() {
        return Ok(());
    }
    Err(Error::Schema(format!(
        "values don't meet the specifications of the schema(s) in the following chart(s):\n{problems}"
    )))
}

fn check_chart(chart: &Chart, values: &Value, problems: &mut String) -> Result<(), Error> {
    if let Some(schema) = &chart.schema {
        let found = violations(schema, &to_json(values))?;
        if !found.is_empty() {
            let _ = writeln!(problems, "{}:", chart.name());
            for problem in found {
                let _ = writeln!(problems, "- {problem}");
            }
        }
    }
    for sub in &chart.dependencies {
        let inner = match values {
            Value::Map(map) => map.get(sub.name()).unwrap_or_default(),
            _ => Value::Invalid,
        };
        if matches!(inner, Value::Map(_)) {
            check_chart(sub, &inner, problems)?;
        }
    }
    Ok(())
}

/// The violation in the words of helm's validator, where it is one of the common ones.
fn described(error: &ValidationError<'_>, values: &Json) -> String {
    use ValidationErrorKind as Kind;
    let instance = values
        .pointer(&error.instance_path().to_string())
        .unwrap_or(&Json::Null);
    let length = || match instance {
        Json::String(s) => s.chars().count(),
        Json::Array(items) => items.len(),
        Json::Object(entries) => entries.len(),
        _ => 0,
    };
    let quoted = |names: &[String]| {
        names
            .iter()
            .map(|n| format!("'{n}'"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    match error.kind() {
        Kind::Type { kind } => {
            let wanted = match kind {
                TypeKind::Single(one) => one.to_string(),
                TypeKind::Multiple(many) => many
                    .iter()
                    .map(|t| t.to_string())
                    .collect::<Vec<_>>()
                    .join(" or "),
            };
            format!("got {}, want {wanted}", type_name(instance))
        }
        Kind::Required { property } => {
            format!("missing property '{}'", property.as_str().unwrap_or_default())
        }
        Kind::Minimum { limit } => format!("minimum: got {}, want {}", grouped(instance), grouped(limit)),
        Kind::Maximum { limit } => format!("maximum: got {}, want {}", grouped(instance), grouped(limit)),
        Kind::ExclusiveMinimum { limit } => {
            format!(
                "exclusiveMinimum: got {}, want {}",
                grouped(instance),
                grouped(limit)
            )
        }
        Kind::ExclusiveMaximum { limit } => {
            format!(
                "exclusiveMaximum: got {}, want {}",
                grouped(instance),
                grouped(limit)
            )
        }
        Kind::MinLength { limit } => format!("minLength: got {}, want {limit}", length()),
        Kind::MaxLength { limit } => format!("maxLength: got {}, want {limit}", length()),
        Kind::MinItems { limit } => format!("minItems: got {}, want {limit}", length()),
        Kind::MaxItems { limit } => format!("maxItems: got {}, want {limit}", length()),
        Kind::MinProperties { limit } => format!("minProperties: got {}, want {limit}", length()),
        Kind::MaxProperties { limit } => format!("maxProperties: got {}, want {limit}", length()),
        Kind::Pattern { pattern } => {
            format!(
                "'{}' does not match pattern '{pattern}'",
                instance.as_str().unwrap_or_default()
            )
        }
        Kind::AdditionalProperties { unexpected } if unexpected.len() == 1 => {
            format!("additional properties {} not allowed", quoted(unexpected))
        }
        Kind::AdditionalProperties { unexpected } => {
            format!("additional properties {} not allowed", quoted(unexpected))
        }
        Kind::Constant { expected_value } => format!("value must be {}", shown(expected_value)),
        Kind::Enum { options } => {
            let options: Vec<String> = options
                .as_array()
                .map(|o| o.iter().map(shown).collect())
                .unwrap_or_default();
            format!("value must be one of {}", options.join(", "))
        }
        _ => error.to_string(),
    }
}

fn shown(value: &Json) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), |s| format!("'{s}'"))
}

fn type_name(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(_) => "number",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    }
}

/// A number with commas between its thousands.
fn grouped(value: &Json) -> String {
    let text = value.to_string();
    let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |d| ("-", d));
    let (whole, fraction) = digits
        .split_once('.')
        .map_or((digits, None), |(w, f)| (w, Some(f)));
    let mut out = String::from(sign);
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

fn violations(schema: &[u8], values: &Json) -> Result<Vec<String>, Error> {
    let schema: Json = serde_json::from_slice(schema)
        .map_err(|e| Error::Schema(format!("values.schema.json is no JSON: {e}")))?;
    let validator =
        jsonschema::validator_for(&schema).map_err(|e| Error::Schema(format!("invalid schema: {e}")))?;
    Ok(validator
        .iter_errors(values)
        .map(|e| {
            let path = e.instance_path().to_string();
            format!("at '{path}': {}", described(&e, values))
        })
        .collect())
}
