//! Functions on lists.

use std::rc::Rc;

use super::convert::{empty, to_int64};
use super::{Context, Failure, Function, Outcome, Type, function, int, strslice, variadic};
use crate::value::object::pointer_type;
use crate::value::{Elem, List, Value};
use Type::{Any, Int};

pub(super) const FUNCTIONS: &[Function] = &[
    variadic("list", &[], Any, |_, a| Ok(Value::list(a.to_vec()))),
    variadic("tuple", &[], Any, |_, a| Ok(Value::list(a.to_vec()))),
    function("first", &[Any], first),
    function("mustFirst", &[Any], first),
    function("last", &[Any], last),
    function("mustLast", &[Any], last),
    function("rest", &[Any], rest),
    function("mustRest", &[Any], rest),
    function("initial", &[Any], initial),
    function("mustInitial", &[Any], initial),
    function("append", &[Any, Any], append),
    function("mustAppend", &[Any, Any], append),
    function("push", &[Any, Any], append),
    function("mustPush", &[Any, Any], append),
    function("prepend", &[Any, Any], prepend),
    function("mustPrepend", &[Any, Any], prepend),
    variadic("concat", &[], Any, concat),
    function("reverse", &[Any], reverse),
    function("mustReverse", &[Any], reverse),
    function("uniq", &[Any], uniq),
    function("mustUniq", &[Any], uniq),
    variadic("without", &[Any], Any, without),
    variadic("mustWithout", &[Any], Any, without),
    function("compact", &[Any], compact),
    function("mustCompact", &[Any], compact),
    function("has", &[Any, Any], has),
    function("mustHas", &[Any, Any], has),
    variadic("slice", &[Any], Any, slice),
    variadic("mustSlice", &[Any], Any, slice),
    function("chunk", &[Int, Any], chunk),
    function("mustChunk", &[Int, Any], chunk),
    function("sortAlpha", &[Any], |_, a| {
        let mut items = match &a[0] {
            Value::List(_) | Value::Bytes(_) => strslice(&a[0]),
            other => return Ok(Value::strings([super::strval_text(other)])),
        };
        items.sort();
        Ok(Value::strings(items))
    }),
];

fn items(value: &Value, refused: &str) -> Result<Rc<crate::value::Items>, Failure> {
    value.items().ok_or_else(|| {
        let ty = if value.is_nil() {
            None
        } else {
            Some(pointer_type(value))
        };
        // Sprig asks a nil for its kind before it can say so.
        ty.map_or_else(nil_dereference, |_| {
            Failure::new(format!("{refused} on type {}", value.kind()))
        })
    })
}

pub(super) fn nil_dereference() -> Failure {
    Failure::new("runtime error: invalid memory address or nil pointer dereference")
}

fn first(_: &mut Context<'_>, a: &[Value]) -> Outcome {
    Ok(items(&a[0], "Cannot find first")?
        .first()
        .cloned()
        .unwrap_or(Value::Nil))
}
fn last(_: &mut Context<'_>, a: &[Value]) -> Outcome {
    Ok(items(&a[0], "Cannot find last")?
        .last()
        .cloned()
        .unwrap_or(Value::Nil))
}
fn rest(_: &mut Context<'_>, a: &[Value]) -> Outcome {
    let items = items(&a[0], "Cannot find rest")?;
    Ok(items.get(1..).map_or_else(
        || Value::nil_list(Elem::NilAny),
        |rest| Value::list(rest.to_vec()),
    ))
}
fn initial(_: &mut Context<'_>, a: &[Value]) -> Outcome {
    let items = items(&a[0], "Cannot find initial")?;
    Ok(items.split_last().map_or_else(
        || Value::nil_list(Elem::NilAny),
        |(_, rest)| Value::list(rest.to_vec()),
    ))
}
fn append(_: &mut Context<'_>, a: &[Value]) -> Outcome {
    let mut items = items(&a[0], "Cannot push")?.to_vec();
    items.push(a[1].clone());
    Ok(Value::list(items))
}
fn prepend(_: &mut Context<'_>, a: &[Value]) -> Outcome {
    let mut all = vec![a[1].clone()];
    all.extend(items(&a[0], "Cannot prepend")?.iter().cloned());
    Ok(Value::list(all))
}
fn concat(cx: &mut Context<'_>, a: &[Value]) -> Outcome {
    if a.is_empty() {
        return Ok(Value::nil_list(Elem::NilAny));
    }
    let mut all = Vec::new();
    for list in a {
        all.extend(
            items(list, "Cannot concat type")
                .map_err(|f| {
                    if list.is_nil() {
                        f
                    } else {
                        Failure::new(format!("Cannot concat type {} as list", list.kind()))
                    }
                })?
                .iter()
                .cloned(),
        );
        cx.room(all.len().saturating_mul(16))?;
    }
    Ok(Value::list(all))
}
fn reverse(_: &mut Context<'_>, a: &[Value]) -> Outcome {
    Ok(Value::list(
        items(&a[0], "Cannot find reverse")?
            .iter()
            .rev()
            .cloned()
            .collect(),
    ))
}
fn uniq(cx: &mut Context<'_>, a: &[Value]) -> Outcome {
    let mut out: Vec<Value> = Vec::new();
    for item in items(&a[0], "Cannot find uniq")?.iter() {
        cx.spend(out.len())?;
        if !out.iter().any(|o| o.deep_equal(item)) {
            out.push(item.clone());
        }
    }
    Ok(Value::list(out))
}
fn without(cx: &mut Context<'_>, a: &[Value]) -> Outcome {
    let items = items(&a[0], "Cannot find without")?;
    cx.spend(items.len().saturating_mul(a.len()))?;
    Ok(Value::list(
        items
            .iter()
            .filter(|item| !a[1..].iter().any(|o| o.deep_equal(item)))
            .cloned()
            .collect(),
    ))
}
fn compact(_: &mut Context<'_>, a: &[Value]) -> Outcome {
    Ok(Value::list(
        items(&a[0], "Cannot compact")?
            .iter()
            .filter(|v| !empty(v))
            .cloned()
            .collect(),
    ))
}
fn has(cx: &mut Context<'_>, a: &[Value]) -> Outcome {
    cx.note_api_version(&a[1], Some(&a[0]));
    if a[1].is_nil() {
        return Ok(Value::Bool(false));
    }
    Ok(Value::Bool(
        items(&a[1], "Cannot find has")?
            .iter()
            .any(|item| item.deep_equal(&a[0])),
    ))
}
fn slice(_: &mut Context<'_>, a: &[Value]) -> Outcome {
    let Value::List(List { items, elem }) = &a[0] else {
        if a[0].is_nil() {
            return Err(nil_dereference());
        }
        return Err(Failure::new(format!(
            "list should be type of slice or array but {}",
            a[0].kind()
        )));
    };
    if items.is_empty() {
        return Ok(Value::Nil);
    }
    let length = items.len() as i64;
    let from = a.get(1).map_or(0, to_int64);
    let to = a.get(2).map_or(length, to_int64);
    if from < 0 || to < from || to > length {
        return Err("reflect.Value.Slice: slice index out of bounds".into());
    }
    let part = items[from as usize..to as usize].to_vec();
    Ok(Value::List(List {
        elem: *elem,
        items: crate::value::Items::new(part),
    }))
}
fn chunk(_: &mut Context<'_>, a: &[Value]) -> Outcome {
    let items = items(&a[1], "Cannot chunk type").map_err(|f| {
        if a[1].is_nil() {
            f
        } else {
            Failure::new(format!("Cannot chunk type {}", a[1].kind()))
        }
    })?;
    let Some(size) = usize::try_from(int(&a[0])).ok().filter(|n| *n > 0) else {
        return Err("runtime error: makeslice: len out of range".into());
    };
    let chunks = items
        .chunks(size)
        .map(|chunk| Value::list(chunk.to_vec()))
        .collect();
    Ok(Value::List(List {
        elem: Elem::List,
        items: crate::value::Items::new(chunks),
    }))
}
