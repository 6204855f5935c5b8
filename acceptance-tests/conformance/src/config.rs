//! Configurations: from JSON, and what core itself refuses in them.

use std::collections::BTreeMap;

use framework::{Path, Type, Value};
use serde_json::Value as Json;

use crate::error::Error;
use crate::schema::{Attribute, Block, NestedBlock, Nesting, Shape, each};

/// Stands for an unknown value.
pub const UNKNOWN: &str = "$unknown";

/// Reads and checks a configuration.
pub(crate) fn read(block: &Block, json: &Json) -> Result<Value, Error> {
    let value = read_block(block, json, &Path::root()).map_err(Error::Misuse)?;
    check(block, &value)?;
    Ok(value)
}

/// What core would not let a user write.
pub(crate) fn check(block: &Block, value: &Value) -> Result<(), Error> {
    let mut wrong: Vec<_> = value
        .conformance(&block.ty())
        .iter()
        .map(ToString::to_string)
        .collect();
    if wrong.is_empty() {
        check_block(block, value, &Path::root(), &mut wrong);
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(Error::Misuse(wrong.join("\n")))
    }
}

fn check_block(block: &Block, value: &Value, at: &Path, wrong: &mut Vec<String>) {
    check_attributes(&block.attributes, value, at, wrong);
    for (name, nested) in &block.blocks {
        let (value, at) = (value.get(name), at.attribute(name));
        let count = match value {
            Value::Unknown(_) => continue,
            Value::Object(_) => 1,
            other => i64::try_from(other.elements().len()).unwrap_or(i64::MAX),
        };
        if count < nested.min || (nested.max != 0 && count > nested.max) {
            wrong.push(format!(
                "{at}: {count} blocks, {} to {} are allowed",
                nested.min, nested.max
            ));
        }
        if nested.nesting != Nesting::Single && value.is_null() {
            wrong.push(format!("{at}: blocks are empty, never null"));
        }
        each(nested.nesting, value, &at, &mut |v, at| {
            check_block(&nested.block, v, at, wrong)
        });
    }
}

fn check_attributes(all: &BTreeMap<String, Attribute>, value: &Value, at: &Path, wrong: &mut Vec<String>) {
    if value.is_unknown() {
        return;
    }
    for (name, attribute) in all {
        let (value, at) = (value.get(name), at.attribute(name));
        if attribute.required && value.is_null() {
            wrong.push(format!("{at}: required"));
        }
        if attribute.only_computed() && !value.is_null() {
            wrong.push(format!("{at}: not settable, the provider decides it"));
        }
        if let Shape::Nested(nesting, inner) = &attribute.shape {
            each(*nesting, value, &at, &mut |v, at| {
                check_attributes(inner, v, at, wrong)
            });
        }
    }
}

fn members<'a>(json: &'a Json, at: &Path) -> Result<&'a serde_json::Map<String, Json>, String> {
    json.as_object()
        .ok_or_else(|| format!("{at}: an object is expected, got {json}"))
}

fn foreign(
    json: &serde_json::Map<String, Json>,
    mut known: impl FnMut(&str) -> bool,
    at: &Path,
) -> Result<(), String> {
    match json.keys().find(|name| !known(name)) {
        Some(name) => Err(format!("{}: not in the schema", at.attribute(name))),
        None => Ok(()),
    }
}

fn read_block(block: &Block, json: &Json, at: &Path) -> Result<Value, String> {
    let json = members(json, at)?;
    foreign(
        json,
        |name| block.attributes.contains_key(name) || block.blocks.contains_key(name),
        at,
    )?;
    let mut object = BTreeMap::new();
    for (name, a) in &block.attributes {
        let value = read_value(
            json.get(name).unwrap_or(&Json::Null),
            &a.ty(),
            &at.attribute(name),
        )?;
        object.insert(name.clone(), value);
    }
    for (name, nested) in &block.blocks {
        let value = match json.get(name) {
            None | Some(Json::Null) => nested.absent(),
            Some(json) => read_nested(nested, json, &at.attribute(name))?,
        };
        object.insert(name.clone(), value);
    }
    Ok(Value::Object(object.into()))
}

fn read_nested(nested: &NestedBlock, json: &Json, at: &Path) -> Result<Value, String> {
    let block = &nested.block;
    let list = |all: &[Json]| -> Result<Vec<Value>, String> {
        all.iter()
            .enumerate()
            .map(|(i, json)| read_block(block, json, &at.index(i)))
            .collect()
    };
    match (nested.nesting, json) {
        (_, Json::String(text)) if text == UNKNOWN => Ok(Value::UNKNOWN),
        (Nesting::List, Json::Array(all)) => list(all).map(Value::list),
        (Nesting::Set, Json::Array(all)) => list(all).map(Value::set),
        (Nesting::Map, Json::Object(all)) => {
            let all: Result<_, String> = all
                .iter()
                .map(|(key, json)| Ok((key.clone(), read_block(block, json, &at.key(key))?)))
                .collect();
            all.map(Value::Map)
        }
        (Nesting::Single | Nesting::Group, json) => read_block(block, json, at),
        (_, other) => Err(format!("{at}: blocks are expected, got {other}")),
    }
}

/// A value of the type from JSON, in which [`UNKNOWN`] stands for an unknown one.
pub(crate) fn read_value(json: &Json, ty: &Type, at: &Path) -> Result<Value, String> {
    match (json, ty) {
        (Json::Null, _) => Ok(Value::Null),
        (Json::String(text), _) if text == UNKNOWN => Ok(Value::UNKNOWN),
        (json, Type::Dynamic) => natural(json, at).map(Value::into_dynamic),
        (Json::Array(all), Type::List(of)) => elements(all, |_| of, at).map(Value::list),
        (Json::Array(all), Type::Set(of)) => elements(all, |_| of, at).map(Value::set),
        (Json::Array(all), Type::Tuple(of)) if all.len() == of.len() => {
            elements(all, |i| &of[i], at).map(Value::tuple)
        }
        (Json::Object(all), Type::Map(of)) => {
            let all: Result<_, String> = all
                .iter()
                .map(|(key, json)| Ok((key.clone(), read_value(json, of, &at.key(key))?)))
                .collect();
            all.map(Value::Map)
        }
        (Json::Object(all), Type::Object(of)) => {
            foreign(all, |name| of.contains_key(name), at)?;
            let one = |(name, ty): (&String, &Type)| {
                let json = all.get(name).unwrap_or(&Json::Null);
                Ok((name.clone(), read_value(json, ty, &at.attribute(name))?))
            };
            of.iter()
                .map(one)
                .collect::<Result<_, String>>()
                .map(Value::Object)
        }
        (json, ty) => Value::from_json(json, ty).map_err(|e| format!("{at}: {}", e.reason)),
    }
}

fn elements<'a>(all: &[Json], ty: impl Fn(usize) -> &'a Type, at: &Path) -> Result<Vec<Value>, String> {
    all.iter()
        .enumerate()
        .map(|(i, json)| read_value(json, ty(i), &at.index(i)))
        .collect()
}

/// JSON in a dynamic place, as the expression that it would be in a configuration: tuples and objects.
fn natural(json: &Json, at: &Path) -> Result<Value, String> {
    Ok(match json {
        Json::Null => Value::Null,
        Json::String(text) if text == UNKNOWN => Value::UNKNOWN,
        Json::Bool(value) => (*value).into(),
        Json::String(text) => text.as_str().into(),
        Json::Number(_) => Value::from_json(json, &Type::Number).map_err(|e| format!("{at}: {e}"))?,
        Json::Array(all) => {
            let all: Result<_, _> = all
                .iter()
                .enumerate()
                .map(|(i, json)| natural(json, &at.index(i)))
                .collect();
            Value::Tuple(all?)
        }
        Json::Object(all) => {
            let all: Result<_, String> = all
                .iter()
                .map(|(k, json)| Ok((k.clone(), natural(json, &at.attribute(k))?)))
                .collect();
            Value::Object(all?)
        }
    })
}
