//! The protocol's messages and our types.

use framework::path::Step;
use framework::{Path, Type, Value};
use proto::tfplugin6::{self as pb, attribute_path::step::Selector};

use crate::error::{Diagnostic, Error};
use crate::rule::{Found, Rule};

/// A value as core sends it.
pub(crate) fn pack(value: &Value, ty: &Type) -> Result<Option<pb::DynamicValue>, Error> {
    let msgpack = value
        .to_msgpack(ty)
        .map_err(|e| Error::Misuse(format!("no value of the type: {e}")))?;
    Ok(Some(pb::DynamicValue {
        msgpack,
        json: Vec::new(),
    }))
}

/// An answered value; nothing at all is null. What cannot be read as the type breaks the rule.
pub(crate) fn unpack(
    value: Option<&pb::DynamicValue>,
    ty: &Type,
    rule: Rule,
    found: &mut Found,
) -> Option<Value> {
    let Some(value) = value else {
        return Some(Value::Null);
    };
    let read = if !value.msgpack.is_empty() {
        strict(&value.msgpack, ty)
            .and_then(|()| Value::from_msgpack(&value.msgpack, ty).map_err(|e| (e.path, e.reason)))
    } else if !value.json.is_empty() {
        serde_json::from_slice(&value.json)
            .map_err(|e| (Path::root(), e.to_string()))
            .and_then(|json| Value::from_json(&json, ty).map_err(|e| (e.path, e.reason)))
    } else {
        Ok(Value::Null)
    };
    match read {
        Ok(value) => Some(value),
        Err((path, reason)) => {
            found.add(rule, &path, format!("not of the type: {reason}"));
            None
        }
    }
}

/// Core's decoder wants every attribute of an object; that of [`Value`] takes a missing one for null.
fn strict(bytes: &[u8], ty: &Type) -> Result<(), (Path, String)> {
    fn whole(value: &rmpv::Value, ty: &Type, at: &Path) -> Result<(), (Path, String)> {
        match (value, ty) {
            (rmpv::Value::Map(all), Type::Object(of)) => {
                let member = |name: &str| {
                    all.iter()
                        .find(|(key, _)| key.as_str() == Some(name))
                        .map(|(_, v)| v)
                };
                of.iter().try_for_each(|(name, ty)| {
                    let at = at.attribute(name);
                    member(name)
                        .map_or_else(|| Err((at.clone(), "missing".to_owned())), |v| whole(v, ty, &at))
                })
            }
            (rmpv::Value::Map(all), Type::Map(of)) => all
                .iter()
                .try_for_each(|(key, v)| whole(v, of, &at.key(key.as_str().unwrap_or_default()))),
            (rmpv::Value::Array(all), Type::List(of)) => all
                .iter()
                .enumerate()
                .try_for_each(|(i, v)| whole(v, of, &at.index(i))),
            (rmpv::Value::Array(all), Type::Set(of)) => {
                all.iter().try_for_each(|v| whole(v, of, &at.element()))
            }
            _ => Ok(()),
        }
    }
    let value = rmpv::decode::read_value(&mut &*bytes).map_err(|e| (Path::root(), e.to_string()))?;
    whole(&value, ty, &Path::root())
}

/// An identity as core sends it.
pub(crate) fn pack_identity(
    value: Option<&Value>,
    ty: Option<&Type>,
) -> Result<Option<pb::ResourceIdentityData>, Error> {
    match (value, ty) {
        (Some(value), Some(ty)) => Ok(Some(pb::ResourceIdentityData {
            identity_data: pack(value, ty)?,
        })),
        _ => Ok(None),
    }
}

/// An answered identity, checked. `known`: nothing in it may be unknown.
pub(crate) fn unpack_identity(
    data: Option<&pb::ResourceIdentityData>,
    ty: Option<&Type>,
    rule: Rule,
    known: bool,
    found: &mut Found,
) -> Option<Value> {
    let data = data?.identity_data.as_ref()?;
    let at = Path::root().attribute("(identity)");
    let Some(ty) = ty else {
        found.add(rule, &at, "an identity, though there is no schema for it");
        return None;
    };
    let mut inner = Found::default();
    let value = unpack(Some(data), ty, rule, &mut inner).filter(|value| !value.is_null());
    for mut violation in inner.0 {
        violation.path = Path(at.0.iter().chain(&violation.path.0).cloned().collect());
        found.0.push(violation);
    }
    if let Some(value) = value.as_ref().filter(|value| known && !value.is_wholly_known()) {
        found.actual(rule, &at, "something is unknown", value);
    }
    value
}

/// A path; what has no selector breaks a rule.
pub(crate) fn path(path: &pb::AttributePath, found: &mut Found) -> Path {
    let mut out = Path::root();
    for step in &path.steps {
        match &step.selector {
            Some(Selector::AttributeName(name)) => out.0.push(Step::Attribute(name.clone())),
            Some(Selector::ElementKeyString(key)) => out.0.push(Step::Key(key.clone())),
            Some(Selector::ElementKeyInt(i)) => {
                out.0.push(Step::Index(usize::try_from(*i).unwrap_or(usize::MAX)))
            }
            None => {
                found.add(Rule::X2, &out, "a step without selector");
                break;
            }
        }
    }
    out
}

/// Messages; one without severity breaks a rule.
pub(crate) fn diagnostics(all: &[pb::Diagnostic], found: &mut Found) -> Vec<Diagnostic> {
    use pb::diagnostic::Severity;
    all.iter()
        .map(|d| {
            let path = d.attribute.as_ref().map(|p| path(p, found));
            if d.severity() == Severity::Invalid {
                found.add(Rule::X1, &Path::root(), format!("{:?} is neither", d.summary));
            }
            Diagnostic {
                error: d.severity() == Severity::Error,
                summary: d.summary.clone(),
                detail: d.detail.clone(),
                path,
            }
        })
        .collect()
}

/// Follows a path; `None` where it leads nowhere. What lies in something unknown is unknown.
pub(crate) fn follow<'a>(value: &'a Value, path: &Path) -> Option<&'a Value> {
    const UNKNOWN: &Value = &Value::UNKNOWN;
    path.0.iter().try_fold(value, |value, step| match (value, step) {
        (Value::Unknown(_), _) => Some(UNKNOWN),
        (Value::Object(all) | Value::Map(all), Step::Attribute(name) | Step::Key(name)) => all.get(name),
        (Value::List(all) | Value::Tuple(all), Step::Index(i)) => all.get(*i),
        (Value::Dynamic(inner), step) => match (&inner.1, step) {
            (Value::Object(all) | Value::Map(all), Step::Attribute(name) | Step::Key(name)) => all.get(name),
            (Value::List(all) | Value::Tuple(all), Step::Index(i)) => all.get(*i),
            _ => None,
        },
        _ => None,
    })
}
