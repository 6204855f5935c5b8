//! Blocks that the provider alone gives. Only hosts that allow them (Terraform 1.16 and newer) get any: others take the
//! number of blocks in the configuration, none, for a promise.

use proto::tfplugin6::ClientCapabilities;

use crate::schema::{Block, NestedBlock};
use crate::value::Value;

/// Whether the host allows them.
pub(crate) fn allowed(capabilities: Option<&ClientCapabilities>) -> bool {
    capabilities.is_some_and(|capabilities| capabilities.computed_blocks_allowed)
}

/// The value without any.
pub(crate) fn without(block: &Block, value: Value) -> Value {
    with(block, value, |nested| nested.nesting.nothing())
}

/// The value with the computed blocks of another one, which has them as they are to be.
pub(crate) fn of(block: &Block, value: Value, other: &Value) -> Value {
    with(block, value, |nested| match other.get(&nested.name) {
        Value::Null => nested.nesting.nothing(),
        other => other.clone(),
    })
}

/// The value with unknown ones, and how many they are.
pub(crate) fn unknown(block: &Block, value: Value, marked: &mut usize) -> Value {
    with(block, value, |_| {
        *marked += 1;
        Value::UNKNOWN
    })
}

/// The result of an apply: what was promised stands, where it was promised.
pub(crate) fn as_planned(block: &Block, planned: &Value, mut result: Value) -> Value {
    if let Value::Object(object) = &mut result {
        for nested in block.blocks.iter().filter(|nested| nested.computed) {
            let planned = planned.get(&nested.name);
            if !planned.is_unknown() {
                object.insert(nested.name.clone(), planned.clone());
            }
        }
    }
    result
}

fn with(block: &Block, mut value: Value, mut give: impl FnMut(&NestedBlock) -> Value) -> Value {
    if let Value::Object(object) = &mut value {
        for nested in block.blocks.iter().filter(|nested| nested.computed) {
            object.insert(nested.name.clone(), give(nested));
        }
    }
    value
}
