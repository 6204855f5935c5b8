//! `values.schema.json`: of the chart and of its subcharts.

use std::fmt::Write as _;

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
    Err(Error::Schema(format!("values don't meet the specifications of the schema(s) in the following chart(s):\n{problems}")))
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

fn violations(schema: &[u8], values: &Json) -> Result<Vec<String>, Error> {
    let schema: Json = serde_json::from_slice(schema)
        .map_err(|e| Error::Schema(format!("values.schema.json is no JSON: {e}")))?;
    let validator = jsonschema::validator_for(&schema).map_err(|e| Error::Schema(format!("invalid schema: {e}")))?;
    Ok(validator
        .iter_errors(values)
        .map(|e| {
            let path = e.instance_path().to_string();
            format!("at '{path}': {e}")
        })
        .collect())
}
