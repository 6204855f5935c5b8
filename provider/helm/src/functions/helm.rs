//! helm's own functions: `include`, `tpl`, `lookup` and the resolution of host names.

use std::rc::Rc;
use std::sync::Arc;

use super::{Context, Failure, Function, Outcome, Type, function, text};
use crate::template::{exec, parser};
use crate::value::gofmt;
use crate::value::{Map, Value};
use Type::{Any, Str};

pub(super) const FUNCTIONS: &[Function] = &[
    function("include", &[Str, Any], include),
    function("tpl", &[Str, Any], tpl),
    function("lookup", &[Str, Str, Str, Str], lookup),
    function("getHostByName", &[Str], |_, _| Ok(Value::str(""))),
];

/// How often one template may include itself.
const MAX_INCLUDES: usize = 1000;

fn include(cx: &mut Context<'_>, a: &[Value]) -> Outcome {
    let name = text(&a[0]);
    let key: Rc<str> = (&*name).into();
    let count = cx.including.entry(key.clone()).or_insert(0);
    if *count > MAX_INCLUDES {
        return Err(Failure::new(format!(
            "rendering template has a nested reference name: {name}: unable to execute template"
        )));
    }
    *count += 1;
    let result = match cx.templates.get(&*name).cloned() {
        None => Err(Failure::new(format!(
            "template: no template {} associated with template \"gotpl\"",
            gofmt::quote(&name)
        ))),
        Some(tree) => deeper(cx, |cx| {
            let mut out = Vec::new();
            run(cx, &tree, a[1].clone(), &mut out)?;
            Ok(Value::text(out))
        }),
    };
    if let Some(count) = cx.including.get_mut(&key) {
        *count -= 1;
    }
    result
}

fn deeper<T>(
    cx: &mut Context<'_>,
    run: impl FnOnce(&mut Context<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    if cx.depth >= cx.limits.depth {
        return Err(Failure::new(format!(
            "templates are nested more deeply than allowed ({})",
            cx.limits.depth
        )));
    }
    cx.depth += 1;
    let result = run(cx);
    cx.depth -= 1;
    result
}

fn run(
    cx: &mut Context<'_>,
    tree: &Arc<crate::template::node::Tree>,
    dot: Value,
    out: &mut Vec<u8>,
) -> Result<(), Failure> {
    exec::execute(cx, tree, dot.dug(), out).map_err(|error| Failure {
        message: String::new(),
        deliberate: error.deliberate(),
        inner: Some(error),
    })?;
    cx.room(out.len())
}

fn tpl(cx: &mut Context<'_>, a: &[Value]) -> Outcome {
    let source: Arc<str> = text(&a[0]).into_owned().into();
    let context = a[1].clone();
    if !source.contains("{{") {
        return Ok(Value::Str(source));
    }
    cx.spend(source.len())?;
    // Template and definitions live in a copy of the set: what `tpl` defines is gone after it.
    let name: Arc<str> = TPL_NAME.into();
    let trees = parser::parse(&name, &source, super::find).map_err(|error| {
        Failure::new(format!(
            "cannot parse template {}: {error}",
            gofmt::quote(&source)
        ))
    })?;
    let mut set = (*cx.templates).clone();
    let mut own = None;
    for (index, tree) in trees.into_iter().enumerate() {
        let tree = Arc::new(tree);
        if index == 0 {
            own = Some(tree.clone());
        }
        if !(parser::is_empty(&tree.body) && set.contains_key(&tree.name)) {
            set.insert(tree.name.clone(), tree);
        }
    }
    let Some(tree) = own else {
        return Ok(Value::str(""));
    };
    let outer = std::mem::replace(&mut cx.templates, Rc::new(set));
    let result = deeper(cx, |cx| {
        let mut out = Vec::new();
        run(cx, &tree, context, &mut out).map_err(|mut f| {
            let shown = gofmt::quote(&source);
            f.message = format!("error during tpl function execution for {shown}: {}", f.message);
            f
        })?;
        // Missing values print nothing inside of `tpl`.
        Ok(Value::text(exec::without_no_value(out)))
    });
    cx.templates = outer;
    result
}

/// The name under which helm parses what is given to `tpl`.
const TPL_NAME: &str = "gotpl";

fn lookup(cx: &mut Context<'_>, a: &[Value]) -> Outcome {
    let [version, kind, namespace, name] = [0, 1, 2, 3].map(|i| text(&a[i]).into_owned());
    let found = cx
        .environment
        .lookup(&version, &kind, &namespace, &name)
        .map_err(Failure::new)?;
    cx.asked
        .borrow_mut()
        .lookups
        .push([version, kind, namespace, name]);
    Ok(found.map_or_else(
        || Value::Map(Map::new(Default::default())),
        |json| Value::from_json(&json),
    ))
}
