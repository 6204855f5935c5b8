//! Core's rules, checked on our own answers: a violation names the path and loses nothing, where core would only say that
//! the provider has a bug, and taint or forget the resource.

use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::path::{Here, Path};
use crate::schema::{Attribute, Block, NestedBlock, Nesting, Shape};
use crate::value::{Refinements, Value};

/// A violation as an error.
pub(crate) fn defect(path: &Path, text: impl AsRef<str>) -> Diagnostic {
    let place = if path.is_root() {
        String::new()
    } else {
        format!("`{path}`: ")
    };
    Diagnostic::error(
        "F401",
        "Defect of the provider",
        format!("{place}{}.", text.as_ref()),
    )
    .at(path.clone())
    .hint("This is a defect of the provider, not of the configuration. Please report it with this message.")
}

/// Rules P1 to P6 of a plan that is no destroy.
pub(crate) fn check_plan(block: &Block, prior: &Value, config: &Value, planned: &Value) -> Diagnostics {
    let mut out = Violations(Diagnostics::new());
    for wrong in planned.conformance(&block.ty()) {
        out.add(
            &wrong.path,
            format!("the planned value has the wrong type: {}", wrong.reason),
        );
    }
    if out.0.is_empty() {
        let planned = planned.clone().without_refinements();
        let config = config.clone().without_refinements();
        out.block(block, prior, &config, &planned, &Path::root());
    }
    out.0
}

struct Violations(Diagnostics);

impl Violations {
    fn add(&mut self, path: &Path, text: impl AsRef<str>) {
        self.0.push(defect(path, text));
    }

    fn block(&mut self, block: &Block, prior: &Value, config: &Value, planned: &Value, at: &Path) {
        for attribute in &block.attributes {
            let name = &attribute.name;
            self.attribute(
                attribute,
                prior.get(name),
                config.get(name),
                planned.get(name),
                &at.attribute(name),
            );
        }
        for nested in &block.blocks {
            let name = &nested.name;
            self.nested_block(
                nested,
                prior.get(name),
                config.get(name),
                planned.get(name),
                &at.attribute(name),
            );
        }
    }

    fn attribute(&mut self, a: &Attribute, prior: &Value, config: &Value, planned: &Value, at: &Path) {
        if a.write_only {
            if !planned.is_null() {
                self.add(at, "a write-only value was planned");
            }
            return;
        }
        if let Shape::Nested(nesting, inner) = &a.shape
            && !config.is_null()
            && !config.is_unknown()
        {
            return self.nested_attribute(*nesting, inner, prior, config, planned, at);
        }
        let as_configured = planned == config;
        let as_before = planned == prior && !prior.is_null() && !config.is_null();
        let ours = a.computed && (config.is_null() || !(a.optional || a.required));
        if !(as_configured || as_before || ours) {
            let what = if config.is_null() {
                "a value was planned for an argument that is not set"
            } else {
                "another value was planned than the configuration has"
            };
            self.add(at, what);
        }
    }

    /// The configuration is neither null nor unknown.
    fn nested_attribute(
        &mut self,
        nesting: Nesting,
        block: &Block,
        prior: &Value,
        config: &Value,
        planned: &Value,
        at: &Path,
    ) {
        match (nesting, config, planned) {
            (_, _, Value::Null) => self.add(at, "null was planned for an argument that is set"),
            (_, _, Value::Unknown(_)) => {
                self.add(at, "the whole is unknown in the plan, though the argument is set")
            }
            (Nesting::Single, _, _) => self.block(block, prior, config, planned, at),
            (Nesting::List, _, _) => self.list(block, prior, config, planned, at),
            (Nesting::Map, Value::Map(wanted), Value::Map(all)) => {
                if !wanted.keys().eq(all.keys()) {
                    return self.add(at, "the plan has other keys than the configuration");
                }
                for (key, config) in wanted {
                    self.object(block, prior.get(key), config, planned.get(key), &at.key(key));
                }
            }
            (Nesting::Set, _, _) => self.set(config, planned, at),
            _ => {}
        }
    }

    fn list(&mut self, block: &Block, prior: &Value, config: &Value, planned: &Value, at: &Path) {
        let (wanted, all) = (config.elements(), planned.elements());
        if wanted.len() != all.len() {
            return self.add(
                at,
                format!(
                    "the plan has {} elements, the configuration {}",
                    all.len(),
                    wanted.len()
                ),
            );
        }
        for (i, (config, planned)) in wanted.iter().zip(all).enumerate() {
            let prior = prior.elements().get(i).unwrap_or(&Value::Null);
            self.object(block, prior, config, planned, &at.index(i));
        }
    }

    /// An element of a nested attribute or block.
    fn object(&mut self, block: &Block, prior: &Value, config: &Value, planned: &Value, at: &Path) {
        match (config, planned) {
            (Value::Object(_), Value::Object(_)) => self.block(block, prior, config, planned, at),
            _ if config == planned => {}
            _ => self.add(at, "the planned element is not the configured one"),
        }
    }

    fn nested_block(
        &mut self,
        nested: &NestedBlock,
        prior: &Value,
        config: &Value,
        planned: &Value,
        at: &Path,
    ) {
        if nested.computed && crate::validate::is_empty(config) {
            return;
        }
        if config.is_unknown() {
            if !planned.is_unknown() {
                self.add(
                    at,
                    "a block that is unknown in the configuration must stay unknown in the plan",
                );
            }
            return;
        }
        match (nested.nesting, planned) {
            (_, Value::Unknown(_)) => self.add(at, "a block was planned as unknown"),
            (Nesting::Single, _) => match (config, planned) {
                (Value::Null, Value::Null) => {}
                (Value::Null, _) => self.add(at, "a block was planned that is not configured"),
                (_, Value::Null) => self.add(at, "a configured block is missing in the plan"),
                _ => self.block(&nested.block, prior, config, planned, at),
            },
            (_, Value::Null) => self.add(at, "blocks were planned as null"),
            (Nesting::List, _) => self.list(&nested.block, prior, config, planned, at),
            (Nesting::Map, _) => {
                self.nested_attribute(Nesting::Map, &nested.block, prior, config, planned, at)
            }
            (Nesting::Set, _) => self.set(config, planned, at),
        }
    }

    fn set(&mut self, config: &Value, planned: &Value, at: &Path) {
        let (wanted, count) = (config.elements().len(), planned.elements().len());
        if count > wanted {
            self.add(at, "the plan has more elements than the configuration");
        } else if count < wanted && planned.is_wholly_known() {
            let text =
                "Two elements are the same once defaults are applied, and a set has each element once.";
            self.0.push(
                Diagnostic::error("F307", "Equal elements", text)
                    .hint("Remove one of them.")
                    .at(at.clone()),
            );
        }
    }
}

/// Rule A3: what is wrong with the result as a result of the plan.
pub(crate) fn incompatible(planned: &Value, actual: &Value, at: &Path) -> Vec<(Path, &'static str)> {
    let mut out = Vec::new();
    compare(planned, actual, &Here::At(at), &mut out);
    out
}

fn compare(planned: &Value, actual: &Value, at: &Here<'_>, out: &mut Vec<(Path, &'static str)>) {
    match (planned, actual) {
        (Value::Unknown(refinements), actual) => {
            if refinements.as_ref().is_some_and(|r| !allows(r, actual)) {
                out.push((at.to_path(), "the result is outside of what the plan promised"));
            }
        }
        (Value::Dynamic(planned), Value::Dynamic(actual)) => compare(&planned.1, &actual.1, at, out),
        (Value::Dynamic(planned), actual) => compare(&planned.1, actual, at, out),
        (planned, Value::Dynamic(actual)) => compare(planned, &actual.1, at, out),
        (Value::Null, Value::Null) => {}
        (Value::Null, _) => out.push((at.to_path(), "null was planned, there is a value")),
        (_, Value::Null) => out.push((at.to_path(), "a value was planned, there is null")),
        (Value::Object(planned), Value::Object(actual)) => {
            for (name, planned) in planned {
                compare(
                    planned,
                    actual.get(name).unwrap_or(&Value::Null),
                    &at.attribute(name),
                    out,
                );
            }
        }
        (Value::Map(planned), Value::Map(actual)) => {
            for (key, planned) in planned {
                match actual.get(key) {
                    Some(actual) => compare(planned, actual, &at.key(key), out),
                    None => out.push((at.key(key).to_path(), "an element was planned that is missing")),
                }
            }
            let more = actual.keys().filter(|key| !planned.contains_key(*key));
            out.extend(more.map(|key| (at.key(key).to_path(), "there is an element that was not planned")));
        }
        (Value::List(planned), Value::List(actual)) | (Value::Tuple(planned), Value::Tuple(actual)) => {
            if planned.len() != actual.len() {
                return out.push((at.to_path(), "there are more or fewer elements than planned"));
            }
            planned
                .iter()
                .zip(actual)
                .enumerate()
                .for_each(|(i, (p, a))| compare(p, a, &at.index(i), out));
        }
        (Value::Set(planned), Value::Set(actual)) => {
            let fits = |p: &Value, a: &Value| {
                let mut wrong = Vec::new();
                compare(p, a, at, &mut wrong);
                wrong.is_empty()
            };
            if actual.len() > planned.len() {
                out.push((at.to_path(), "there are more elements than planned"));
            } else if !planned.iter().all(|p| actual.iter().any(|a| fits(p, a))) {
                out.push((at.to_path(), "an element was planned that is missing"));
            } else if !actual.iter().all(|a| planned.iter().any(|p| fits(p, a))) {
                out.push((at.to_path(), "there is an element that was not planned"));
            }
        }
        (planned, actual) => {
            if planned != actual {
                out.push((at.to_path(), "the result is another than planned"));
            }
        }
    }
}

/// Whether the value is within what is known about an unknown one.
fn allows(r: &Refinements, value: &Value) -> bool {
    let length = match value {
        Value::List(all) | Value::Set(all) => Some(all.len() as u64),
        Value::Map(all) => Some(all.len() as u64),
        _ => None,
    };
    !(r.not_null && value.is_null())
        && r.prefix
            .as_ref()
            .is_none_or(|prefix| value.as_str().is_none_or(|text| text.starts_with(prefix)))
        && length.is_none_or(|n| {
            r.min_length.is_none_or(|least| n >= least) && r.max_length.is_none_or(|most| n <= most)
        })
        && match value {
            Value::Number(n) => {
                r.lower
                    .as_ref()
                    .is_none_or(|(bound, inclusive)| n > bound || (*inclusive && n == bound))
                    && r.upper
                        .as_ref()
                        .is_none_or(|(bound, inclusive)| n < bound || (*inclusive && n == bound))
            }
            _ => true,
        }
}

/// The paths of everything unknown.
pub(crate) fn unknown_paths(value: &Value) -> Vec<Path> {
    let mut out = Vec::new();
    collect_unknown(value, &Here::Root, &mut out);
    out
}

fn collect_unknown(value: &Value, at: &Here<'_>, out: &mut Vec<Path>) {
    match value {
        Value::Unknown(_) => out.push(at.to_path()),
        Value::Object(all) => all
            .iter()
            .for_each(|(n, v)| collect_unknown(v, &at.attribute(n), out)),
        Value::Map(all) => all.iter().for_each(|(k, v)| collect_unknown(v, &at.key(k), out)),
        Value::List(all) | Value::Tuple(all) => all
            .iter()
            .enumerate()
            .for_each(|(i, v)| collect_unknown(v, &at.index(i), out)),
        Value::Set(all) => all.iter().for_each(|v| collect_unknown(v, &at.element(), out)),
        Value::Dynamic(inner) => collect_unknown(&inner.1, at, out),
        _ => {}
    }
}

/// The result with the plan's values where the two contradict each other.
pub(crate) fn follow_plan(planned: &Value, actual: Value) -> Value {
    match (planned, actual) {
        (planned, actual) if incompatible(planned, &actual, &Path::root()).is_empty() => actual,
        (Value::Object(planned), Value::Object(mut actual)) => Value::Object(
            planned
                .iter()
                .map(|(name, planned)| {
                    (
                        name.clone(),
                        follow_plan(planned, actual.remove(name).unwrap_or(Value::Null)),
                    )
                })
                .collect(),
        ),
        (planned, _) => planned.clone().unknown_as_null(),
    }
}
