//! Values: defaults of charts and what the user gives, brought together.

use crate::chart::Chart;
use crate::error::Error;
use crate::value::{Map, Value};

/// The user's values with all defaults of a chart and its subcharts; a null of the user deletes a default.
///
/// # Errors
/// A subchart's values that are no map.
pub fn coalesce(chart: &Chart, user: &Value) -> Result<Value, Error> {
    let values = user.deep_copy();
    let values = match values {
        Value::Map(map) => map,
        _ => Map::new(Default::default()),
    };
    coalesce_chart(chart, &values, false)?;
    Ok(Value::Map(values))
}

/// The defaults of a chart and its subcharts, nulls kept.
///
/// # Errors
/// As for [`coalesce`].
pub fn merge(chart: &Chart) -> Result<Value, Error> {
    let values = Map::new(Default::default());
    coalesce_chart(chart, &values, true)?;
    Ok(Value::Map(values))
}

fn coalesce_chart(chart: &Chart, values: &Map, merging: bool) -> Result<(), Error> {
    if let Value::Map(defaults) = Value::from_json(&chart.values) {
        for (key, default) in defaults.snapshot() {
            match (values.get(&key), &default) {
                (None, Value::Nil) if !merging => {}
                (None, _) => values.set(key, if merging { default } else { without_nulls(&default) }),
                (Some(Value::Nil), _) if !merging => {
                    values.entries.borrow_mut().remove(&key);
                }
                (Some(Value::Map(inner)), Value::Map(default)) => {
                    // What is meant for a subchart keeps its nulls: they delete that chart's defaults.
                    let child = chart.dependencies.iter().any(|sub| sub.name() == &*key);
                    tables(&inner, default, merging || child);
                }
                _ => {}
            }
        }
    }
    for sub in &chart.dependencies {
        let inner = match values.get(sub.name()) {
            None | Some(Value::Nil) => {
                let inner = Map::new(Default::default());
                values.set(sub.name(), Value::Map(inner.clone()));
                inner
            }
            Some(Value::Map(inner)) => inner,
            Some(other) => {
                let shown = crate::gofmt::sprintf(b"%t", std::slice::from_ref(&other));
                return Err(Error::Values(format!(
                    "type mismatch on {}: {}",
                    sub.name(),
                    String::from_utf8_lossy(&shown)
                )));
            }
        };
        globals(&inner, values);
        coalesce_chart(sub, &inner, merging)?;
    }
    Ok(())
}

/// Hands the parent's globals down; the parent's win.
fn globals(sub: &Map, parent: &Map) {
    let target = match sub.get("global") {
        None => Map::new(Default::default()),
        Some(Value::Map(map)) => map,
        Some(_) => return,
    };
    let source = match parent.get("global") {
        None => Map::new(Default::default()),
        Some(Value::Map(map)) => map,
        Some(_) => return,
    };
    for (key, value) in source.snapshot() {
        match (&value, target.get(&key)) {
            (Value::Map(_), Some(Value::Map(own))) => {
                if let Value::Map(copy) = value.deep_copy() {
                    tables(&copy, &own, true);
                    target.set(key, Value::Map(copy));
                }
            }
            (Value::Map(_), None) => target.set(key, value.deep_copy()),
            (Value::Map(_), Some(_)) => {}
            (_, Some(Value::Map(_))) => {}
            _ => target.set(key, value),
        }
    }
    sub.set("global", Value::Map(target));
}

/// Fills `target` with what `source` has and it lacks.
fn tables(target: &Map, source: &Map, merging: bool) {
    for (key, default) in source.snapshot() {
        match (target.get(&key), &default) {
            (None, Value::Nil) if !merging => {}
            (None, _) => target.set(key, if merging { default } else { without_nulls(&default) }),
            (Some(Value::Nil), _) if !merging => {
                target.entries.borrow_mut().remove(&key);
            }
            (Some(Value::Map(inner)), Value::Map(default)) => tables(&inner, default, merging),
            _ => {}
        }
    }
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Map(map) => Value::map(
            map.snapshot()
                .into_iter()
                .filter(|(_, v)| !v.is_nil())
                .map(|(k, v)| (k, without_nulls(&v))),
        ),
        other => other.clone(),
    }
}

/// Fills `target` with what `source` has and it lacks; nulls count as values.
pub fn merge_tables(target: &Map, source: &Map) {
    tables(target, source, true);
}

/// Lays `over` on `base`: maps are merged, all else is replaced. This is how several files of values are combined.
pub fn overlay(base: &Map, over: &Map) {
    for (key, value) in over.snapshot() {
        match (base.get(&key), &value) {
            (Some(Value::Map(inner)), Value::Map(value)) => overlay(&inner, value),
            _ => base.set(key, value),
        }
    }
}

/// The value at a path of keys joined by dots.
pub fn at_path(values: &Value, path: &str) -> Option<Value> {
    let mut value = values.clone();
    for part in path.split('.') {
        let Value::Map(map) = &value else { return None };
        value = map.get(part)?;
    }
    Some(value)
}
