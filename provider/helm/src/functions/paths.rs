//! Functions on paths: always with slashes.

use super::{Function, Type, function, text};
use crate::value::Value;
use Type::Str;

pub(super) const FUNCTIONS: &[Function] = &[
    function("base", &[Str], |_, a| Ok(Value::str(base(&text(&a[0]))))),
    function("osBase", &[Str], |_, a| Ok(Value::str(base(&text(&a[0]))))),
    function("dir", &[Str], |_, a| Ok(Value::str(dir(&text(&a[0]))))),
    function("osDir", &[Str], |_, a| Ok(Value::str(dir(&text(&a[0]))))),
    function("clean", &[Str], |_, a| Ok(Value::str(clean(&text(&a[0]))))),
    function("osClean", &[Str], |_, a| Ok(Value::str(clean(&text(&a[0]))))),
    function("ext", &[Str], |_, a| Ok(Value::str(ext(&text(&a[0]))))),
    function("osExt", &[Str], |_, a| Ok(Value::str(ext(&text(&a[0]))))),
    function("isAbs", &[Str], |_, a| {
        Ok(Value::Bool(text(&a[0]).starts_with('/')))
    }),
    function("osIsAbs", &[Str], |_, a| {
        Ok(Value::Bool(text(&a[0]).starts_with('/')))
    }),
];

fn base(path: &str) -> &str {
    if path.is_empty() {
        return ".";
    }
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() {
        return "/";
    }
    trimmed.rsplit('/').next().unwrap_or(trimmed)
}

fn dir(path: &str) -> String {
    clean(path.rfind('/').map_or("", |at| &path[..=at]))
}

fn ext(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rfind('.').map_or("", |at| &name[at..])
}

/// The shortest equivalent path.
pub(crate) fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                if parts.last().is_some_and(|p| *p != "..") {
                    parts.pop();
                } else if !rooted {
                    parts.push("..");
                }
            }
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".into(),
        (false, false) => joined,
    }
}
