//! The protocol's messages and our types.

use proto::tfplugin6::{self as wire, attribute_path::Step as WireStep, attribute_path::step::Selector};

use crate::diagnostics::{Diagnostic, Diagnostics, Severity};
use crate::path::{Path, Step};
use crate::private::PrivateState;
use crate::value::{Type, Value, WireError};

/// A value of the type. Nothing at all is null.
pub(crate) fn read(value: Option<&wire::DynamicValue>, ty: &Type) -> Result<Value, Diagnostics> {
    let Some(value) = value else {
        return Ok(Value::Null);
    };
    let result = if !value.msgpack.is_empty() {
        Value::from_msgpack(&value.msgpack, ty)
    } else if !value.json.is_empty() {
        match serde_json::from_slice(&value.json) {
            Ok(json) => Value::from_json(&json, ty),
            Err(error) => Err(WireError {
                path: Path::root(),
                reason: error.to_string(),
            }),
        }
    } else {
        Ok(Value::Null)
    };
    result.map_err(|error| {
        Diagnostic::error(
            "F001",
            "Unreadable request",
            format!("A value from the host cannot be read: {error}."),
        )
        .at(error.path)
        .into()
    })
}

/// The same, of a message's field that is not needed any more: states may be large, and are not kept twice.
pub(crate) fn take(value: &mut Option<wire::DynamicValue>, ty: &Type) -> Result<Option<Value>, Diagnostics> {
    Ok(non_null(read(value.take().as_ref(), ty)?))
}

/// The value of the type in the protocol's form. What is none of the type becomes null with a message.
pub(crate) fn write(value: &Value, ty: &Type, diagnostics: &mut Diagnostics) -> Option<wire::DynamicValue> {
    let bytes = value.to_msgpack(ty).or_else(|error| {
        diagnostics.push(crate::rules::defect(
            &error.path,
            format!("a value of another type than the schema's: {}", error.reason),
        ));
        Value::Null.to_msgpack(ty)
    });
    Some(wire::DynamicValue {
        msgpack: bytes.unwrap_or_else(|_| vec![0xc0]),
        json: Vec::new(),
    })
}

/// Null as the protocol writes it.
pub(crate) fn null() -> Option<wire::DynamicValue> {
    Some(wire::DynamicValue {
        msgpack: vec![0xc0],
        json: Vec::new(),
    })
}

/// Private state from its bytes.
pub(crate) fn private(bytes: &[u8]) -> Result<PrivateState, Diagnostics> {
    PrivateState::from_wire(bytes)
        .map_err(|error| Diagnostic::error("F002", "Unreadable private state", error.to_string()).into())
}

pub(crate) fn diagnostics(all: Diagnostics) -> Vec<wire::Diagnostic> {
    all.into_iter().map(diagnostic).collect()
}

pub(crate) fn diagnostic(one: Diagnostic) -> wire::Diagnostic {
    use wire::diagnostic::Severity as Wire;
    let severity = match one.severity {
        Severity::Error => Wire::Error,
        Severity::Warning => Wire::Warning,
    };
    wire::Diagnostic {
        severity: severity.into(),
        summary: one.headline(),
        detail: detail(&one),
        attribute: path(&one.path),
    }
}

/// What is said, with the place where the host cannot show it: of what lies within an attribute it shows the whole resource.
fn detail(one: &Diagnostic) -> String {
    let body = one.body();
    if one.path.0.len() < 2 {
        return body;
    }
    format!("{body}\n\nAt `{}`.", one.path)
}

/// The path up to the first set; nothing for the whole.
pub(crate) fn path(path: &Path) -> Option<wire::AttributePath> {
    let steps: Vec<_> = path.addressable().0.into_iter().filter_map(step).collect();
    (!steps.is_empty()).then_some(wire::AttributePath { steps })
}

fn step(step: Step) -> Option<WireStep> {
    let selector = match step {
        Step::Attribute(name) => Selector::AttributeName(name),
        Step::Key(key) => Selector::ElementKeyString(key),
        Step::Index(index) => Selector::ElementKeyInt(i64::try_from(index).unwrap_or(i64::MAX)),
        Step::Element => return None,
    };
    Some(WireStep {
        selector: Some(selector),
    })
}

/// The value, or `None` for null.
pub(crate) fn non_null(value: Value) -> Option<Value> {
    (!value.is_null()).then_some(value)
}
