//! Values, paths and plans as text.

use std::fmt;

use framework::{Path, Value};

use crate::plan::{Action, Plan};

/// A path, `(whole)` for the root.
pub(crate) fn path(path: &Path) -> String {
    if path.is_root() {
        "(whole)".to_owned()
    } else {
        path.to_string()
    }
}

/// A value in one line, close to how it is written in configurations.
pub fn value(value: &Value) -> String {
    let list = |all: &[Value]| all.iter().map(self::value).collect::<Vec<_>>().join(", ");
    match value {
        Value::Null => "null".to_owned(),
        Value::Unknown(None) => "(known after apply)".to_owned(),
        Value::Unknown(Some(known)) => format!("(known after apply, {known:?})"),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => format!("{text:?}"),
        Value::List(all) | Value::Tuple(all) => format!("[{}]", list(all)),
        Value::Set(all) => format!("set[{}]", list(all)),
        Value::Map(all) | Value::Object(all) => {
            let all: Vec<_> = all
                .iter()
                .map(|(k, v)| format!("{k} = {}", self::value(v)))
                .collect();
            format!("{{{}}}", all.join(", "))
        }
        Value::Dynamic(inner) => self::value(&inner.1),
    }
}

/// Where two values differ: path, before, after. Sets differ as a whole.
pub(crate) fn differences(before: &Value, after: &Value, at: &Path, out: &mut Vec<(Path, Value, Value)>) {
    match (before, after) {
        (b, a) if b == a => {}
        (Value::Object(b), Value::Object(a)) => {
            for name in b.keys().chain(a.keys().filter(|name| !b.contains_key(*name))) {
                differences(before.get(name), after.get(name), &at.attribute(name), out);
            }
        }
        (Value::Map(b), Value::Map(a)) => {
            for key in b.keys().chain(a.keys().filter(|key| !b.contains_key(*key))) {
                differences(before.get(key), after.get(key), &at.key(key), out);
            }
        }
        (Value::List(b), Value::List(a)) | (Value::Tuple(b), Value::Tuple(a)) => {
            for i in 0..b.len().max(a.len()) {
                let element = |all: &[Value]| all.get(i).cloned().unwrap_or(Value::Null);
                differences(&element(b), &element(a), &at.index(i), out);
            }
        }
        (b, a) => out.push((at.clone(), b.clone(), a.clone())),
    }
}

/// The paths of everything unknown.
pub(crate) fn unknowns(value: &Value, at: &Path, out: &mut Vec<Path>) {
    match value {
        Value::Unknown(_) => out.push(at.clone()),
        Value::Object(all) => all.iter().for_each(|(n, v)| unknowns(v, &at.attribute(n), out)),
        Value::Map(all) => all.iter().for_each(|(k, v)| unknowns(v, &at.key(k), out)),
        Value::List(all) | Value::Tuple(all) => {
            all.iter()
                .enumerate()
                .for_each(|(i, v)| unknowns(v, &at.index(i), out));
        }
        Value::Set(all) => all.iter().for_each(|v| unknowns(v, &at.element(), out)),
        Value::Dynamic(inner) => unknowns(&inner.1, at, out),
        _ => {}
    }
}

impl fmt::Display for Plan {
    /// The action, what changes, and what forces replacement.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {}", self.action, self.type_name)?;
        if self.action == Action::Delete {
            return Ok(());
        }
        for (path, before, after) in self.changes() {
            let forces = self.replace.iter().any(|r| path.starts_with(r));
            let forces = if forces { " # forces replacement" } else { "" };
            writeln!(f, "  {path}: {} -> {}{forces}", value(&before), value(&after))?;
        }
        for diagnostic in &self.warnings {
            writeln!(f, "  {diagnostic}")?;
        }
        Ok(())
    }
}
