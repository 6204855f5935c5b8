//! Functions on dictionaries, which are references: `set`, `unset` and the merges change the caller's.

use super::convert::empty;
use super::{Context, Failure, Function, Outcome, Type, function, text, variadic};
use crate::value::{Map, MapType, Value};
use Type::{Any, Map as MapParameter, Str};
use std::sync::Arc;

pub(super) const FUNCTIONS: &[Function] = &[
    variadic("dict", &[], Any, |_, a| {
        Ok(Value::map(a.chunks(2).map(|pair| {
            (
                super::strval_text(&pair[0]),
                pair.get(1).cloned().unwrap_or_else(|| Value::str("")),
            )
        })))
    }),
    function("get", &[MapParameter, Str], |_, a| {
        Ok(map(&a[0])?.get(&text(&a[1])).unwrap_or_else(|| Value::str("")))
    }),
    function("set", &[MapParameter, Str, Any], |_, a| {
        map(&a[0])?.set(&*text(&a[1]), a[2].clone());
        Ok(plain(&a[0]))
    }),
    function("unset", &[MapParameter, Str], |_, a| {
        map(&a[0])?.entries.borrow_mut().remove(&*text(&a[1]));
        Ok(plain(&a[0]))
    }),
    function("hasKey", &[MapParameter, Str], |_, a| {
        Ok(Value::Bool(
            map(&a[0])?.entries.borrow().contains_key(&*text(&a[1])),
        ))
    }),
    variadic("pluck", &[Str], MapParameter, |_, a| {
        let key = text(&a[0]);
        Ok(Value::list(
            a[1..].iter().filter_map(|m| map(m).ok()?.get(&key)).collect(),
        ))
    }),
    variadic("keys", &[], MapParameter, |_, a| {
        let mut keys: Vec<Arc<str>> = Vec::new();
        for m in a {
            keys.extend(map(m)?.entries.borrow().keys().cloned());
        }
        Ok(Value::strings(keys))
    }),
    function("values", &[MapParameter], |_, a| {
        Ok(Value::list(
            map(&a[0])?.entries.borrow().values().cloned().collect(),
        ))
    }),
    variadic("pick", &[MapParameter], Str, |_, a| {
        let source = map(&a[0])?;
        Ok(Value::map(a[1..].iter().filter_map(|k| {
            let key: Arc<str> = text(k).into();
            source.get(&key).map(|v| (key, v))
        })))
    }),
    variadic("omit", &[MapParameter], Str, |_, a| {
        let left_out: Vec<_> = a[1..].iter().map(text).collect();
        Ok(Value::map(
            map(&a[0])?
                .snapshot()
                .into_iter()
                .filter(|(k, _)| !left_out.iter().any(|o| **o == **k)),
        ))
    }),
    variadic("merge", &[MapParameter], MapParameter, |cx, a| {
        merge_all(cx, a, false)
    }),
    variadic("mustMerge", &[MapParameter], MapParameter, |cx, a| {
        merge_all(cx, a, false)
    }),
    variadic("mergeOverwrite", &[MapParameter], MapParameter, |cx, a| {
        merge_all(cx, a, true)
    }),
    variadic("mustMergeOverwrite", &[MapParameter], MapParameter, |cx, a| {
        merge_all(cx, a, true)
    }),
    variadic("dig", &[], Any, dig),
    function("deepCopy", &[Any], deep_copy),
    function("mustDeepCopy", &[Any], |cx, a| {
        if a[0].is_nil() {
            return Err("reflect: call of reflect.Value.Type on zero Value".into());
        }
        deep_copy(cx, a)
    }),
];

fn map(value: &Value) -> Result<&Map, Failure> {
    match value {
        Value::Map(map) => Ok(map),
        _ => Err(Failure::new("a map is needed")),
    }
}

/// What a function declared to return `map[string]interface {}` gives back of a map of another name.
fn plain(value: &Value) -> Value {
    match value {
        Value::Map(map) => Value::Map(map.with_type(MapType::Any)),
        other => other.clone(),
    }
}

fn merge_all(cx: &mut Context<'_>, a: &[Value], overwrite: bool) -> Outcome {
    let target = map(&a[0])?;
    for source in &a[1..] {
        merge(cx, target, map(source)?, overwrite, 0)?;
    }
    Ok(plain(&a[0]))
}

/// Deepest nesting that a merge follows: a dictionary can contain itself.
const MAX_DEPTH: usize = 500;

fn merge(
    cx: &mut Context<'_>,
    target: &Map,
    source: &Map,
    overwrite: bool,
    depth: usize,
) -> Result<(), Failure> {
    if std::rc::Rc::ptr_eq(&target.entries, &source.entries) {
        return Ok(());
    }
    if depth > MAX_DEPTH {
        return Err("the dictionaries are nested too deeply".into());
    }
    for (key, value) in source.snapshot() {
        cx.spend(1)?;
        let present = target.get(&key);
        match (&present, &value) {
            (_, Value::Nil) => {
                if overwrite {
                    target.set(key, Value::Nil);
                }
            }
            (Some(Value::Map(inner)), Value::Map(value)) if !inner.is_empty() || !value.is_empty() => {
                merge(cx, inner, value, overwrite, depth + 1)?;
            }
            (Some(present), _) if !overwrite && !empty(present) => {}
            _ => target.set(key, value),
        }
    }
    Ok(())
}

fn dig(_: &mut Context<'_>, a: &[Value]) -> Outcome {
    let [keys @ .., default, dict] = a else {
        return Err("dig needs at least three arguments".into());
    };
    if keys.is_empty() {
        return Err("dig needs at least three arguments".into());
    }
    let mut value = dict.clone();
    for (index, key) in keys.iter().enumerate() {
        let Value::Map(
            map @ Map {
                ty: MapType::Any | MapType::NilAny,
                ..
            },
        ) = &value
        else {
            return Err(conversion(&value, "map[string]interface {}"));
        };
        let Value::Str(key) = key else {
            return Err(conversion(key, "string"));
        };
        match map.get(key) {
            None => return Ok(default.clone()),
            Some(found) if index + 1 == keys.len() => return Ok(found),
            Some(found) => value = found,
        }
    }
    Ok(value)
}

fn conversion(value: &Value, wanted: &str) -> Failure {
    Failure::new(if value.is_nil() {
        format!("interface conversion: interface {{}} is nil, not {wanted}")
    } else {
        format!(
            "interface conversion: interface {{}} is {}, not {wanted}",
            crate::value::object::pointer_type(value)
        )
    })
}

fn deep_copy(_: &mut Context<'_>, a: &[Value]) -> Outcome {
    if a[0].is_nil() {
        return Err(super::lists::nil_dereference());
    }
    Ok(a[0].deep_copy())
}
