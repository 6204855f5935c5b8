//! Methods of versions, times, durations and what belongs to them.

use super::Method;
use crate::template::call::Type;
use crate::text::json;
use crate::value::object::{Object, object};
use crate::value::semver::Version;
use crate::value::time::Time;
use crate::value::{IntKind, Value};
use Type::{Bytes, Duration, Int, Location, Str, Time as Moment, Version as Pointer};

fn unpack(value: &Value) -> &Object {
    match value {
        Value::Object(object) => object,
        _ => &Object::HelmVersion,
    }
}

/// The version of a receiver.
fn version(value: &Value) -> Version {
    match unpack(value) {
        Object::Version(v) | Object::VersionValue(v) => v.clone(),
        _ => Version::default(),
    }
}

/// The version of an argument, which may be nil.
fn pointer(value: &Value) -> Result<Version, String> {
    match value {
        Value::Object(_) => Ok(version(value)),
        _ => Err(super::NIL_POINTER.to_owned()),
    }
}

fn changed(value: Version) -> Result<Value, String> {
    Ok(object(Object::VersionValue(value)))
}

fn order(a: &Value, b: &Value) -> Result<std::cmp::Ordering, String> {
    Ok(version(a).order(&pointer(b)?))
}

fn part(value: &Value, index: usize) -> Result<Value, String> {
    Ok(Value::Int(version(value).numbers[index] as i64, IntKind::Uint64))
}

fn moment(value: &Value) -> Time {
    match unpack(value) {
        Object::Time(t) => *t,
        _ => Time::default(),
    }
}

fn nanos(value: &Value) -> i64 {
    unpack(value).integer()
}

fn int(n: impl Into<i64>) -> Result<Value, String> {
    Ok(Value::int(n.into()))
}

fn int64(n: i128) -> Result<Value, String> {
    // Go keeps the lower 64 bits.
    Ok(Value::int64(n as i64))
}

fn text(s: impl Into<std::sync::Arc<str>>) -> Result<Value, String> {
    Ok(Value::str(s))
}

fn time(t: Time) -> Result<Value, String> {
    Ok(object(Object::Time(t)))
}

fn duration(n: i128) -> Result<Value, String> {
    let limits = (i128::from(i64::MIN), i128::from(i64::MAX));
    Ok(object(Object::Duration(n.clamp(limits.0, limits.1) as i64)))
}

fn bytes(before: Option<&Value>, more: impl AsRef<[u8]>) -> Result<Value, String> {
    let before = match before {
        Some(Value::Bytes(bytes)) => bytes.as_ref(),
        _ => &[],
    };
    Ok(Value::Bytes([before, more.as_ref()].concat().into()))
}

/// `time.Duration.Round`: halves away from zero.
fn round(n: i64, to: i64) -> i128 {
    let (n, to) = (i128::from(n), i128::from(to));
    if to <= 0 {
        return n;
    }
    let rest = n % to;
    if rest.abs() * 2 < to {
        n - rest
    } else {
        n - rest + to * n.signum()
    }
}

/// A method by name.
pub(super) fn find(receiver: &Object, name: &str) -> Option<&'static Method> {
    match receiver {
        Object::Capabilities(_) if name == "Copy" => method!([], |v, _| Ok(v.clone())),
        Object::KubeVersion(_) => match name {
            "String" => method!([], |v, _| text(unpack(v).print())),
            "GitVersion" => method!([], |v, _| Ok(unpack(v).field("Version").unwrap_or_default())),
            _ => None,
        },
        Object::Version(_) => of_pointer(name).or_else(|| of_version(name)),
        Object::VersionValue(_) => of_version(name),
        Object::Time(_) => of_time(name),
        Object::Duration(_) => of_duration(name),
        Object::Month(_) | Object::Weekday(_) | Object::Location { .. } if name == "String" => {
            method!([], |v, _| text(unpack(v).print()))
        }
        _ => None,
    }
}

fn of_pointer(name: &str) -> Option<&'static Method> {
    match name {
        "Original" => method!([], |v, _| text(version(v).original)),
        "Compare" => method!([Pointer], |v, a| int(order(v, &a[0])? as i64)),
        "Equal" => method!([Pointer], |v, a| Ok(Value::Bool(match &a[0] {
            Value::Object(_) => order(v, &a[0])?.is_eq(),
            _ => false,
        }))),
        "LessThan" => method!([Pointer], |v, a| Ok(Value::Bool(order(v, &a[0])?.is_lt()))),
        "LessThanEqual" => method!([Pointer], |v, a| Ok(Value::Bool(order(v, &a[0])?.is_le()))),
        "GreaterThan" => method!([Pointer], |v, a| Ok(Value::Bool(order(v, &a[0])?.is_gt()))),
        "GreaterThanEqual" => method!([Pointer], |v, a| Ok(Value::Bool(order(v, &a[0])?.is_ge()))),
        _ => None,
    }
}

fn of_version(name: &str) -> Option<&'static Method> {
    match name {
        "Major" => method!([], |v, _| part(v, 0)),
        "Minor" => method!([], |v, _| part(v, 1)),
        "Patch" => method!([], |v, _| part(v, 2)),
        "Prerelease" => method!([], |v, _| text(version(v).pre)),
        "Metadata" => method!([], |v, _| text(version(v).build)),
        "String" => method!([], |v, _| text(version(v).canonical())),
        "Value" => method!([], |v, _| text(version(v).canonical())),
        "MarshalText" => method!([], |v, _| bytes(None, version(v).canonical())),
        "MarshalJSON" => method!([], |v, _| bytes(
            None,
            json::encode(&Value::str(version(v).canonical()), true)?
        )),
        "IncMajor" => method!([], |v, _| changed(version(v).incremented(0))),
        "IncMinor" => method!([], |v, _| changed(version(v).incremented(1))),
        "IncPatch" => method!([], |v, _| changed(version(v).incremented(2))),
        "SetPrerelease" => method!([Str], |v, a| changed(
            version(v).with_pre(a[0].as_str().unwrap_or("_"))?
        )),
        "SetMetadata" => method!([Str], |v, a| changed(
            version(v).with_build(a[0].as_str().unwrap_or("_"))?
        )),
        _ => None,
    }
}

fn of_time(name: &str) -> Option<&'static Method> {
    match name {
        "Unix" => method!([], |v, _| Ok(Value::int64(moment(v).unix()))),
        "UnixMilli" => method!([], |v, _| int64(moment(v).nanos.div_euclid(1_000_000))),
        "UnixMicro" => method!([], |v, _| int64(moment(v).nanos.div_euclid(1_000))),
        "UnixNano" => method!([], |v, _| int64(moment(v).nanos)),
        "Year" => method!([], |v, _| int(moment(v).civil().year)),
        "Month" => method!([], |v, _| Ok(object(Object::Month(moment(v).civil().month)))),
        "Day" => method!([], |v, _| int(moment(v).civil().day)),
        "Hour" => method!([], |v, _| int(moment(v).civil().hour)),
        "Minute" => method!([], |v, _| int(moment(v).civil().minute)),
        "Second" => method!([], |v, _| int(moment(v).civil().second)),
        "Nanosecond" => method!([], |v, _| int(moment(v).civil().nano)),
        "YearDay" => method!([], |v, _| int(moment(v).civil().year_day)),
        "Weekday" => method!([], |v, _| Ok(object(Object::Weekday(moment(v).civil().weekday)))),
        "IsZero" => method!([], |v, _| Ok(Value::Bool(moment(v).is_zero()))),
        // Only UTC and fixed zones can be had.
        "IsDST" => method!([], |_, _| Ok(Value::Bool(false))),
        "String" => method!([], |v, _| text(moment(v).to_string())),
        "GoString" => method!([], |v, _| text(moment(v).go_string())),
        "Format" => method!([Str], |v, a| text(
            moment(v).format(a[0].as_str().unwrap_or_default())
        )),
        "AppendFormat" => method!([Bytes, Str], |v, a| {
            bytes(Some(&a[0]), moment(v).format(a[1].as_str().unwrap_or_default()))
        }),
        "AppendText" => method!([Bytes], |v, a| bytes(Some(&a[0]), moment(v).rfc3339())),
        "AppendBinary" => method!([Bytes], |v, a| bytes(Some(&a[0]), moment(v).binary())),
        "MarshalText" => method!([], |v, _| bytes(None, moment(v).rfc3339())),
        "MarshalJSON" => method!([], |v, _| bytes(None, format!("\"{}\"", moment(v).rfc3339()))),
        "MarshalBinary" | "GobEncode" => method!([], |v, _| bytes(None, moment(v).binary())),
        "UTC" => method!([], |v, _| time(Time::utc(moment(v).nanos))),
        "Local" => method!([], |v, _| time(Time {
            utc: false,
            ..Time::utc(moment(v).nanos)
        })),
        "In" => method!([Location], |v, a| match a[0] {
            Value::Object(ref o) => match **o {
                Object::Location { offset, utc } => time(Time {
                    offset,
                    utc,
                    ..moment(v)
                }),
                _ => Ok(v.clone()),
            },
            _ => Err("time: missing Location in call to Time.In".into()),
        }),
        "Location" => method!([], |v, _| {
            let Time { offset, utc, .. } = moment(v);
            Ok(object(Object::Location { offset, utc }))
        }),
        "After" => method!([Moment], |v, a| Ok(Value::Bool(
            moment(v).nanos > moment(&a[0]).nanos
        ))),
        "Before" => method!([Moment], |v, a| Ok(Value::Bool(
            moment(v).nanos < moment(&a[0]).nanos
        ))),
        "Equal" => method!([Moment], |v, a| Ok(Value::Bool(
            moment(v).nanos == moment(&a[0]).nanos
        ))),
        "Compare" => method!([Moment], |v, a| {
            int(moment(v).nanos.cmp(&moment(&a[0]).nanos) as i64)
        }),
        "Sub" => method!([Moment], |v, a| duration(moment(v).nanos - moment(&a[0]).nanos)),
        "Add" => method!([Duration], |v, a| time(Time {
            nanos: moment(v).nanos + i128::from(nanos(&a[0])),
            ..moment(v)
        })),
        "AddDate" => method!([Int, Int, Int], |v, a| {
            let number = |index: usize| if let Value::Int(n, _) = a[index] { n } else { 0 };
            time(moment(v).add_date(number(0), number(1), number(2)))
        }),
        "Truncate" => method!([Duration], |v, a| time(moment(v).truncate(nanos(&a[0])))),
        "Round" => method!([Duration], |v, a| time(moment(v).round(nanos(&a[0])))),
        _ => None,
    }
}

fn of_duration(name: &str) -> Option<&'static Method> {
    /// Whole and fraction apart, as Go does, so that the last digit is the same.
    fn parts(n: i64, unit: i64) -> Result<Value, String> {
        Ok(Value::Float((n / unit) as f64 + (n % unit) as f64 / unit as f64))
    }
    match name {
        "String" => method!([], |v, _| text(unpack(v).print())),
        "Nanoseconds" => method!([], |v, _| Ok(Value::int64(nanos(v)))),
        "Microseconds" => method!([], |v, _| Ok(Value::int64(nanos(v) / 1_000))),
        "Milliseconds" => method!([], |v, _| Ok(Value::int64(nanos(v) / 1_000_000))),
        "Seconds" => method!([], |v, _| parts(nanos(v), 1_000_000_000)),
        "Minutes" => method!([], |v, _| parts(nanos(v), 60_000_000_000)),
        "Hours" => method!([], |v, _| parts(nanos(v), 3_600_000_000_000)),
        "Abs" => method!([], |v, _| duration(i128::from(nanos(v)).abs())),
        "Truncate" => method!([Duration], |v, a| {
            let (n, to) = (nanos(v), nanos(&a[0]));
            duration(i128::from(if to <= 0 { n } else { n - n % to }))
        }),
        "Round" => method!([Duration], |v, a| duration(round(nanos(v), nanos(&a[0])))),
        _ => None,
    }
}
