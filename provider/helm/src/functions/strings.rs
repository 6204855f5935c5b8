//! Functions on strings.

use super::{Context, Failure, Function, Outcome, Type, function, int, strslice, strval, text, variadic};
use crate::value::gofmt;
use crate::value::{MapType, Value};
use Type::{Any, Int, Str};

pub(super) const FUNCTIONS: &[Function] = &[
    function("hello", &[], |_, _| Ok(Value::str("Hello!"))),
    function("trim", &[Str], |_, a| Ok(Value::str(text(&a[0]).trim()))),
    function("upper", &[Str], |_, a| Ok(Value::str(text(&a[0]).to_uppercase()))),
    function("lower", &[Str], |_, a| Ok(Value::str(text(&a[0]).to_lowercase()))),
    function("trimAll", &[Str, Str], trim_all),
    function("trimall", &[Str, Str], trim_all),
    function("trimSuffix", &[Str, Str], |_, a| {
        let s = text(&a[1]);
        Ok(Value::str(s.strip_suffix(&*text(&a[0])).unwrap_or(&s)))
    }),
    function("trimPrefix", &[Str, Str], |_, a| {
        let s = text(&a[1]);
        Ok(Value::str(s.strip_prefix(&*text(&a[0])).unwrap_or(&s)))
    }),
    function("contains", &[Str, Str], |_, a| {
        Ok(Value::Bool(text(&a[1]).contains(&*text(&a[0]))))
    }),
    function("hasPrefix", &[Str, Str], |_, a| {
        Ok(Value::Bool(text(&a[1]).starts_with(&*text(&a[0]))))
    }),
    function("hasSuffix", &[Str, Str], |_, a| {
        Ok(Value::Bool(text(&a[1]).ends_with(&*text(&a[0]))))
    }),
    variadic("quote", &[], Any, quote),
    variadic("squote", &[], Any, |_, a| {
        let parts: Vec<String> = a
            .iter()
            .filter(|v| !v.is_nil())
            .map(|v| format!("'{}'", gofmt::text(v)))
            .collect();
        Ok(Value::str(parts.join(" ")))
    }),
    variadic("cat", &[], Any, |_, a| {
        let parts: Vec<String> = a.iter().filter(|v| !v.is_nil()).map(gofmt::text).collect();
        Ok(Value::str(parts.join(" ")))
    }),
    function("indent", &[Int, Str], |cx, a| indent(cx, a, "")),
    function("nindent", &[Int, Str], |cx, a| indent(cx, a, "\n")),
    function("replace", &[Str, Str, Str], |cx, a| {
        let (old, new, s) = (text(&a[0]), text(&a[1]), text(&a[2]));
        let out = s.replace(&*old, &new);
        cx.room(out.len())?;
        Ok(Value::str(out))
    }),
    function("plural", &[Str, Str, Int], |_, a| {
        Ok(if int(&a[2]) == 1 {
            a[0].clone()
        } else {
            a[1].clone()
        })
    }),
    function("toString", &[Any], |_, a| Ok(Value::text(strval(&a[0])))),
    function("toStrings", &[Any], |_, a| Ok(Value::strings(strslice(&a[0])))),
    function("trunc", &[Int, Str], trunc),
    function("substr", &[Int, Int, Str], substr),
    function("repeat", &[Int, Str], |cx, a| {
        let count =
            usize::try_from(int(&a[0])).map_err(|_| Failure::new("strings: negative Repeat count"))?;
        let bytes = a[1].string_bytes().unwrap_or_default();
        cx.room(bytes.len().saturating_mul(count))?;
        Ok(Value::text(bytes.repeat(count)))
    }),
    function("split", &[Str, Str], |_, a| {
        let (separator, s) = (text(&a[0]), text(&a[1]));
        Ok(numbered(split(&s, &separator, -1)))
    }),
    function("splitn", &[Str, Int, Str], |_, a| {
        let (separator, s) = (text(&a[0]), text(&a[2]));
        Ok(numbered(split(&s, &separator, int(&a[1]))))
    }),
    function("splitList", &[Str, Str], |_, a| {
        Ok(Value::strings(split(&text(&a[1]), &text(&a[0]), -1)))
    }),
    function("join", &[Str, Any], |cx, a| {
        let out = strslice(&a[1]).join(&*text(&a[0]));
        cx.room(out.len())?;
        Ok(Value::str(out))
    }),
    function("nospace", &[Str], |_, a| {
        Ok(Value::str(
            latin(&a[0]).filter(|c| !c.is_whitespace()).collect::<String>(),
        ))
    }),
];

/// The bytes of a string, each taken for a character: the library behind helm's functions knows no UTF-8 here.
pub(super) fn latin(value: &Value) -> impl Iterator<Item = char> + '_ {
    value
        .string_bytes()
        .unwrap_or_default()
        .iter()
        .map(|b| char::from(*b))
}

fn trim_all(_: &mut Context<'_>, a: &[Value]) -> Outcome {
    let cut = text(&a[0]).into_owned();
    Ok(Value::str(text(&a[1]).trim_matches(|c| cut.contains(c))))
}

fn quote(_: &mut Context<'_>, a: &[Value]) -> Outcome {
    let parts: Vec<String> = a
        .iter()
        .filter(|v| !v.is_nil())
        .map(|v| gofmt::quote_bytes(&strval(v), '"'))
        .collect();
    Ok(Value::str(parts.join(" ")))
}

fn indent(cx: &mut Context<'_>, a: &[Value], before: &str) -> Outcome {
    let count = usize::try_from(int(&a[0])).map_err(|_| Failure::new("strings: negative Repeat count"))?;
    cx.room(count)?;
    let pad = " ".repeat(count);
    let source = a[1].string_bytes().unwrap_or_default();
    let lines = source.iter().filter(|b| **b == b'\n').count() + 1;
    cx.room(source.len().saturating_add(lines.saturating_mul(count)))?;
    let mut out = Vec::with_capacity(source.len() + lines * count + 1);
    out.extend_from_slice(before.as_bytes());
    for (index, line) in source.split(|b| *b == b'\n').enumerate() {
        if index > 0 {
            out.push(b'\n');
        }
        out.extend_from_slice(pad.as_bytes());
        out.extend_from_slice(line);
    }
    Ok(Value::text(out))
}

fn trunc(_: &mut Context<'_>, a: &[Value]) -> Outcome {
    let bytes = a[1].string_bytes().unwrap_or_default();
    let count = int(&a[0]);
    let length = bytes.len() as i64;
    let cut = if count < 0 && length + count > 0 {
        &bytes[(length + count) as usize..]
    } else if count >= 0 && length > count {
        &bytes[..count as usize]
    } else {
        return Ok(a[1].clone());
    };
    Ok(Value::text(cut.to_vec()))
}

fn substr(_: &mut Context<'_>, a: &[Value]) -> Outcome {
    let bytes = a[2].string_bytes().unwrap_or_default();
    let (start, end, length) = (int(&a[0]), int(&a[1]), bytes.len() as i64);
    let (from, to) = if start < 0 {
        (0, end)
    } else if end < 0 || end > length {
        (start, length)
    } else {
        (start, end)
    };
    if to < 0 {
        return Err(Failure::new(format!(
            "runtime error: slice bounds out of range [:{to}]"
        )));
    }
    if to > length {
        return Err(Failure::new(format!(
            "runtime error: slice bounds out of range [:{to}] with length {length}"
        )));
    }
    if from > to {
        return Err(Failure::new(if to == length && from > length {
            format!("runtime error: slice bounds out of range [{from}:{length}]")
        } else {
            format!("runtime error: slice bounds out of range [{from}:{to}]")
        }));
    }
    Ok(Value::text(bytes[from as usize..to as usize].to_vec()))
}

/// `strings.SplitN`.
pub(super) fn split(text: &str, separator: &str, count: i64) -> Vec<String> {
    if count == 0 {
        return Vec::new();
    }
    if separator.is_empty() {
        let chars: Vec<char> = text.chars().collect();
        let limit = if count < 0 {
            chars.len()
        } else {
            chars.len().min(count as usize)
        };
        let mut parts: Vec<String> = chars.iter().take(limit).map(char::to_string).collect();
        if let Some(last) = parts.last_mut() {
            last.extend(&chars[limit..]);
        }
        return parts;
    }
    if count < 0 {
        text.split(separator).map(str::to_owned).collect()
    } else {
        text.splitn(count as usize, separator)
            .map(str::to_owned)
            .collect()
    }
}

fn numbered(parts: Vec<String>) -> Value {
    let map = Value::map(
        parts
            .into_iter()
            .enumerate()
            .map(|(i, s)| (format!("_{i}"), Value::str(s))),
    );
    match map {
        Value::Map(map) => Value::Map(map.with_type(MapType::Str)),
        other => other,
    }
}
