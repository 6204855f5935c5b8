//! Values: defaults of charts and what the user gives, brought together as helm does it, with its nulls and with the maps
//! that it shares.
//!
//! A null deletes only in [`coalesce`], and only what stands at its place in the defaults beneath it. [`merge`] keeps nulls,
//! so that they can still delete when the result is coalesced as the defaults of a chart.

use crate::chart::error::Error;
use crate::text::yaml;
use crate::value::{List, Map, Value, deeper};

/// The default values of a chart and of the charts in it.
#[derive(Debug)]
pub struct Defaults {
    /// The name of the chart: the key of its values in those of its parent.
    pub name: String,
    /// Its own values, a map. Never changed: what is made of them is a copy.
    pub values: Value,
    /// The charts in it.
    pub subcharts: Vec<Defaults>,
}

/// Deepest nesting of values: deeper ones contain themselves, for no file can say them.
const MAX_DEPTH: usize = 20_000;
/// Most values that a chart has, with all in it.
const MAX_VALUES: usize = 20_000_000;

/// What becomes of nulls.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Nulls {
    /// They delete the default at their place, and are no defaults themselves.
    Delete,
    /// They are values like others.
    Keep,
}

/// The user's values with all defaults of a chart and its subcharts; a null of the user deletes a default.
///
/// # Errors
/// A subchart's values that are no map.
pub fn coalesce(defaults: &Defaults, user: &Value) -> Result<Value, Error> {
    let values = match unshared(user)? {
        Value::Map(map) => map,
        _ => Map::new(Default::default()),
    };
    chart(defaults, &values, Nulls::Delete)?;
    Ok(Value::Map(values))
}

/// The defaults of a chart and its subcharts, nulls kept.
///
/// # Errors
/// As for [`coalesce`].
pub fn merge(defaults: &Defaults) -> Result<Map, Error> {
    let values = Map::new(Default::default());
    chart(defaults, &values, Nulls::Keep)?;
    Ok(values)
}

fn chart(defaults: &Defaults, values: &Map, nulls: Nulls) -> Result<(), Error> {
    own(defaults, values, nulls)?;
    for sub in &defaults.subcharts {
        let inner = match values.get(&sub.name) {
            None => {
                let inner = Map::new(Default::default());
                values.set(sub.name.as_str(), Value::Map(inner.clone()));
                inner
            }
            Some(Value::Map(inner)) => inner,
            Some(other) => {
                let shown = crate::value::gofmt::sprintf(b"%t", std::slice::from_ref(&other));
                return Err(Error::Values(format!(
                    "type mismatch on {}: {}",
                    sub.name,
                    String::from_utf8_lossy(&shown)
                )));
            }
        };
        globals(&inner, values)?;
        chart(sub, &inner, nulls)?;
    }
    Ok(())
}

/// Fills `values` with the chart's own defaults.
fn own(defaults: &Defaults, values: &Map, nulls: Nulls) -> Result<(), Error> {
    let Value::Map(own) = unshared(&defaults.values)? else {
        return Ok(());
    };
    for (key, default) in own.snapshot() {
        match (values.get(&key), &default) {
            (None, Value::Nil) if nulls == Nulls::Delete => {}
            (None, _) => {
                if nulls == Nulls::Delete {
                    remove_nulls(&default);
                }
                values.set(key, default);
            }
            (Some(Value::Nil), _) if nulls == Nulls::Delete => remove(values, &key),
            (Some(Value::Map(inner)), Value::Map(default)) => {
                // Nulls in what is meant for a subchart are still to delete that chart's defaults.
                let for_subchart = defaults.subcharts.iter().any(|sub| sub.name == *key);
                let nulls = if for_subchart { Nulls::Keep } else { nulls };
                if nulls == Nulls::Delete {
                    remove_nulls(&Value::Map(default.clone()));
                }
                tables(&inner, default, nulls, 0)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Hands the parent's globals down; the parent's win. Maps in the parent's global maps are shared, not copied: what a
/// subchart's defaults add to them, the parent and the subcharts after it see too.
fn globals(sub: &Map, parent: &Map) -> Result<(), Error> {
    let global = |values: &Map| match values.get("global") {
        None => Some(Map::new(Default::default())),
        Some(Value::Map(map)) => Some(map),
        Some(_) => None,
    };
    let (Some(target), Some(source)) = (global(sub), global(parent)) else {
        return Ok(());
    };
    for (key, value) in source.snapshot() {
        match (&value, target.get(&key)) {
            (Value::Map(map), own) => {
                let copy = Map::new(map.entries.borrow().clone());
                match own {
                    None => {}
                    Some(Value::Map(own)) => tables(&copy, &own, Nulls::Keep, 0)?,
                    Some(_) => continue,
                }
                target.set(key, Value::Map(copy));
            }
            (_, Some(Value::Map(_))) => {}
            _ => target.set(key, value),
        }
    }
    sub.set("global", Value::Map(target));
    Ok(())
}

/// Fills `target` with what `source` has and it lacks. Maps move over as they are, and nulls of `target` are written into
/// `source`: both are seen where one of the maps is used again.
fn tables(target: &Map, source: &Map, nulls: Nulls, depth: usize) -> Result<(), Error> {
    if depth > MAX_DEPTH {
        return Err(endless());
    }
    let had = source.snapshot();
    for (key, value) in target.snapshot() {
        if value.is_nil() {
            source.set(key, Value::Nil);
        }
    }
    for (key, default) in source.snapshot() {
        match (target.get(&key), &default) {
            (None, _) => target.set(key, default),
            (Some(Value::Nil), _)
                if nulls == Nulls::Delete && had.iter().any(|(k, v)| *k == key && !v.is_nil()) =>
            {
                remove(target, &key);
            }
            (Some(Value::Map(inner)), Value::Map(default)) => {
                deeper(|| tables(&inner, default, nulls, depth + 1))?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Fills `target` with what `source` has and it lacks; nulls count as values. May change `source`, and shares its maps.
///
/// # Errors
/// Maps that contain themselves.
pub fn merge_tables(target: &Map, source: &Map) -> Result<(), Error> {
    tables(target, source, Nulls::Keep, 0)
}

fn remove(map: &Map, key: &str) {
    map.entries.borrow_mut().remove(key);
}

fn remove_nulls(value: &Value) {
    if let Value::Map(map) = value {
        map.entries.borrow_mut().retain(|_, value| !value.is_nil());
        for (_, value) in map.snapshot() {
            deeper(|| remove_nulls(&value));
        }
    }
}

/// A copy in which no map occurs twice.
///
/// # Errors
/// Values that contain themselves, or so many copies of one map that they have no end for us.
pub fn unshared(value: &Value) -> Result<Value, Error> {
    copy(value, 0, &mut MAX_VALUES.clone())
}

fn copy(value: &Value, depth: usize, left: &mut usize) -> Result<Value, Error> {
    *left = left.checked_sub(1).ok_or_else(endless)?;
    if depth > MAX_DEPTH {
        return Err(endless());
    }
    match value {
        Value::Map(map) => {
            let out = Map::new(Default::default());
            for (key, value) in map.snapshot() {
                out.set(key, deeper(|| copy(&value, depth + 1, left))?);
            }
            Ok(Value::Map(out.with_type(map.ty)))
        }
        Value::List(list) => {
            let items = list.items.iter();
            let items = items.map(|item| deeper(|| copy(item, depth + 1, left)));
            Ok(Value::List(List {
                elem: list.elem,
                ..List::any(items.collect::<Result<_, _>>()?)
            }))
        }
        other => Ok(other.clone()),
    }
}

/// helm does not end either, or ends with its stack.
fn endless() -> Error {
    Error::Values(
        "values contain themselves: `import-values` puts a map of a subchart into that map; import another part, or to another place".into(),
    )
}

/// Reads a file of values, as `-f` names them and as a chart's `values.yaml`: its documents are laid one on the other.
///
/// # Errors
/// What helm says of a document that cannot be read or is no map.
pub fn read(text: &str) -> Result<Map, String> {
    let all = Map::new(Default::default());
    for document in documents(text)? {
        let refused = |why: &str| format!("cannot unmarshal yaml document: {why}");
        match yaml::parse(&document).map_err(|e| refused(&yaml::convert_error(&e)))? {
            Value::Map(map) => {
                let Value::Map(map) = unshared(&Value::Map(map)).map_err(|e| refused(&e.to_string()))? else {
                    continue;
                };
                overlay(&all, &map);
            }
            Value::Nil | Value::Invalid => {}
            other => {
                let kind = match other {
                    Value::List(_) => "array",
                    Value::Bool(_) => "bool",
                    Value::Float(_) => "number",
                    _ => "string",
                };
                return Err(refused(&format!(
                    "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}"
                )));
            }
        }
    }
    Ok(all)
}

/// As [`read`], from a file's bytes.
///
/// # Errors
/// As for [`read`], and of bytes that are no UTF-8.
pub fn read_bytes(bytes: &[u8]) -> Result<Map, String> {
    let text = yaml::text(bytes);
    read(text.map_err(|e| format!("cannot unmarshal yaml document: {}", yaml::convert_error(&e)))?)
}

/// The documents of a file. Only blanks and a comment may follow `---`, and such a line ends a document wherever it stands,
/// even in a text.
fn documents(text: &str) -> Result<Vec<String>, String> {
    let mut out = vec![String::new()];
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("---") {
            let rest = rest.trim();
            if !rest.is_empty() && !rest.starts_with('#') {
                return Err(format!(
                    "error reading yaml document: invalid Yaml document separator: {rest}"
                ));
            }
            out.push(String::new());
        } else if let Some(document) = out.last_mut() {
            document.push_str(line);
            document.push('\n');
        }
    }
    Ok(out)
}

/// Lays `over` on `base`: maps are merged, all else is replaced. This is how several files of values are combined, none of
/// which shares a map (see [`read`]).
pub fn overlay(base: &Map, over: &Map) {
    for (key, value) in over.snapshot() {
        match (base.get(&key), &value) {
            (Some(Value::Map(inner)), Value::Map(value)) => deeper(|| overlay(&inner, value)),
            _ => base.set(key, value),
        }
    }
}

/// The value at a path of keys joined by dots.
#[must_use]
pub fn at_path(values: &Value, path: &str) -> Option<Value> {
    let mut value = values.clone();
    for part in path.split('.') {
        let Value::Map(map) = &value else { return None };
        value = map.get(part)?;
    }
    Some(value)
}
