//! Rule A3 (and P11): what was planned is what comes out; only what was unknown may be anything, within its promises.

use framework::value::Refinements;
use framework::{Path, Type, Value};

use crate::propose::part;
use crate::rule::{Found, Rule};
use crate::schema::{Block, NestedBlock, Nesting};

/// Checks what came out against what was planned. Both conform to the schema.
pub(crate) fn check(rule: Rule, block: &Block, planned: &Value, actual: &Value, found: &mut Found) {
    Check { rule, found }.object(block, planned, actual, &Path::root());
}

struct Check<'a> {
    rule: Rule,
    found: &'a mut Found,
}

impl Check<'_> {
    fn wrong(&mut self, at: &Path, reason: &str, planned: &Value, actual: &Value) {
        self.found.values(self.rule, at, reason, planned, actual);
    }

    fn object(&mut self, block: &Block, planned: &Value, actual: &Value, at: &Path) {
        match (planned.is_null(), actual.is_null()) {
            (true, true) => return,
            (true, false) => return self.wrong(at, "was absent, now present", planned, actual),
            (false, true) => return self.wrong(at, "was present, now absent", planned, actual),
            (false, false) => {}
        }
        for (name, attribute) in &block.attributes {
            self.value(
                &attribute.ty(),
                part(planned, name),
                part(actual, name),
                &at.attribute(name),
            );
        }
        for (name, nested) in &block.blocks {
            self.block(
                nested,
                part(planned, name),
                part(actual, name),
                &at.attribute(name),
            );
        }
    }

    fn block(&mut self, nested: &NestedBlock, planned: &Value, actual: &Value, at: &Path) {
        if nested.computed && nested.nesting != Nesting::Single && actual.is_null() {
            return self.wrong(at, "null; no blocks are empty", planned, actual);
        }
        if nested.computed && planned.is_unknown() {
            return self.value(&nested.ty(), planned, actual, at);
        }
        match (nested.nesting, planned, actual) {
            // The place of an unknown block may stay empty.
            (Nesting::Single | Nesting::Group, Value::Unknown(_), Value::Null) => {}
            (Nesting::Single | Nesting::Group, ..) => self.object(&nested.block, planned, actual, at),
            (Nesting::Set, Value::Set(p), Value::Set(a)) => {
                self.set(p, a, planned, actual, at, &|inner, p, a| {
                    inner.object(&nested.block, p, a, &Path::root())
                });
            }
            (_, Value::Map(p), Value::Map(a)) => {
                if p.len() != a.len() {
                    return self.wrong(at, "the number of blocks changed", planned, actual);
                }
                for (key, p) in p {
                    match a.get(key) {
                        Some(a) => self.object(&nested.block, p, a, &at.key(key)),
                        None => self.wrong(&at.key(key), "the block has vanished", p, &Value::Null),
                    }
                }
            }
            (_, Value::List(p), Value::List(a)) => {
                if p.len() != a.len() {
                    return self.wrong(at, "the number of blocks changed", planned, actual);
                }
                for (i, (p, a)) in p.iter().zip(a).enumerate() {
                    self.object(&nested.block, p, a, &at.index(i));
                }
            }
            _ => {}
        }
    }

    fn value(&mut self, ty: &Type, planned: &Value, actual: &Value, at: &Path) {
        match (ty, planned, actual) {
            // An untyped null or unknown promises nothing at all.
            (Type::Dynamic, Value::Unknown(None) | Value::Null, _) => {}
            (Type::Dynamic, Value::Dynamic(p), Value::Dynamic(a)) => {
                if p.0 == a.0 {
                    self.value(&p.0, &p.1, &a.1, at);
                } else {
                    self.wrong(at, &format!("was of type {}, now {}", p.0, a.0), planned, actual);
                }
            }
            (_, Value::Unknown(refinements), _) => {
                if let Some(broken) = refinements.as_deref().and_then(|r| broken_promise(r, actual)) {
                    self.wrong(
                        at,
                        &format!("breaks what the plan promised of it: {broken}"),
                        planned,
                        actual,
                    );
                }
            }
            (_, Value::Null, Value::Null) => {}
            (_, Value::Null, _) => self.wrong(at, "was null, now has a value", planned, actual),
            (_, _, Value::Null) => self.wrong(at, "had a value, now null", planned, actual),
            (_, _, Value::Unknown(_)) => self.wrong(at, "was known, now unknown", planned, actual),
            (Type::List(of), Value::List(p), Value::List(a)) => {
                self.elements(p, a, at, |_| of);
            }
            (Type::Tuple(of), Value::Tuple(p), Value::Tuple(a)) => {
                self.elements(p, a, at, |i| of.get(i).unwrap_or(&Type::Dynamic));
            }
            (Type::Map(of), Value::Map(p), Value::Map(a)) => {
                for (key, p) in p {
                    match a.get(key) {
                        Some(a) => self.value(of, p, a, &at.key(key)),
                        None => self.wrong(&at.key(key), "the element has vanished", p, &Value::Null),
                    }
                }
                for (key, a) in a.iter().filter(|(key, _)| !p.contains_key(*key)) {
                    self.wrong(&at.key(key), "a new element has appeared", &Value::Null, a);
                }
            }
            (Type::Object(of), Value::Object(_), Value::Object(_)) => {
                for (name, ty) in of {
                    self.value(ty, planned.get(name), actual.get(name), &at.attribute(name));
                }
            }
            (Type::Set(of), Value::Set(p), Value::Set(a)) => {
                self.set(p, a, planned, actual, at, &|inner, p, a| {
                    inner.value(of, p, a, &Path::root())
                });
            }
            (_, p, a) if p == a => {}
            _ => self.wrong(at, "another value than planned", planned, actual),
        }
    }

    fn elements<'t>(
        &mut self,
        planned: &[Value],
        actual: &[Value],
        at: &Path,
        ty: impl Fn(usize) -> &'t Type,
    ) {
        for i in 0..planned.len().max(actual.len()) {
            let at = at.index(i);
            match (planned.get(i), actual.get(i)) {
                (Some(p), Some(a)) => self.value(ty(i), p, a, &at),
                (Some(p), None) => self.wrong(&at, "the element has vanished", p, &Value::Null),
                (None, Some(a)) => self.wrong(&at, "a new element has appeared", &Value::Null, a),
                (None, None) => {}
            }
        }
    }

    /// Elements of sets have no names: each has to have a counterpart on the other side, and there may not be more.
    fn set(
        &mut self,
        planned: &[Value],
        actual: &[Value],
        whole_planned: &Value,
        whole_actual: &Value,
        at: &Path,
        compare: &dyn Fn(&mut Check<'_>, &Value, &Value),
    ) {
        let fits = |p: &Value, a: &Value| {
            let mut found = Found::default();
            compare(
                &mut Check {
                    rule: self.rule,
                    found: &mut found,
                },
                p,
                a,
            );
            found.is_empty()
        };
        let lonely = |one: &Value, others: &[Value], fits: &dyn Fn(&Value, &Value) -> bool| {
            !others.iter().any(|o| fits(one, o))
        };
        let vanished: Vec<_> = planned.iter().filter(|p| lonely(p, actual, &fits)).collect();
        let appeared: Vec<_> = actual
            .iter()
            .filter(|a| lonely(a, planned, &|a, p| fits(p, a)))
            .collect();
        let inside = at.element();
        for p in &vanished {
            self.wrong(
                &inside,
                "a planned element of a set has no counterpart",
                p,
                whole_actual,
            );
        }
        for a in appeared.iter().filter(|_| vanished.is_empty()) {
            self.wrong(
                &inside,
                "an element of a set that was not planned",
                whole_planned,
                a,
            );
        }
        if actual.len() > planned.len() {
            self.wrong(
                at,
                "the set has more elements than planned",
                whole_planned,
                whole_actual,
            );
        }
    }
}

fn broken_promise(promise: &Refinements, actual: &Value) -> Option<String> {
    let length = match actual {
        Value::Null => return promise.not_null.then(|| "not null".to_owned()),
        Value::List(all) | Value::Set(all) | Value::Tuple(all) => Some(all.len() as u64),
        Value::Map(all) => Some(all.len() as u64),
        _ => None,
    };
    if let (Some(prefix), Value::String(text)) = (&promise.prefix, actual)
        && !text.starts_with(prefix.as_str())
    {
        return Some(format!("it begins with {prefix:?}"));
    }
    if let Value::Number(n) = actual {
        if let Some((bound, inclusive)) = &promise.lower
            && (n < bound || (n == bound && !inclusive))
        {
            return Some(format!("it is at least {bound}"));
        }
        if let Some((bound, inclusive)) = &promise.upper
            && (n > bound || (n == bound && !inclusive))
        {
            return Some(format!("it is at most {bound}"));
        }
    }
    let length = length?;
    if promise.min_length.is_some_and(|least| length < least)
        || promise.max_length.is_some_and(|most| length > most)
    {
        return Some("its number of elements".to_owned());
    }
    None
}
