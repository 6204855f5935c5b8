//! Dates. Zones that the database does not know are taken for UTC, as Sprig does.

use super::{Context, Failure, Function, Outcome, Type, function, text};
use crate::value::Value;
use crate::value::gofmt;
use crate::value::object::{Object, object};
use crate::value::time::{Time, duration_text, parse_duration};
use Type::{Any, Str};

pub(super) const FUNCTIONS: &[Function] = &[
    function("now", &[], |cx, _| {
        let now = cx.now("now");
        Ok(object(Object::Time(Time {
            utc: false,
            ..Time::utc(now)
        })))
    }),
    function("date", &[Str, Any], |cx, a| {
        format(cx, "date", &text(&a[0]), &a[1], "")
    }),
    function("dateInZone", &[Str, Any, Str], |cx, a| {
        format(cx, "dateInZone", &text(&a[0]), &a[1], &text(&a[2]))
    }),
    function("date_in_zone", &[Str, Any, Str], |cx, a| {
        format(cx, "date_in_zone", &text(&a[0]), &a[1], &text(&a[2]))
    }),
    function("htmlDate", &[Any], |cx, a| {
        format(cx, "htmlDate", "2006-01-02", &a[0], "")
    }),
    function("htmlDateInZone", &[Any, Str], |cx, a| {
        format(cx, "htmlDateInZone", "2006-01-02", &a[0], &text(&a[1]))
    }),
    function("dateModify", &[Str, Type::Time], |_, a| {
        Ok(modify(a).unwrap_or_else(|_| a[1].clone()))
    }),
    function("date_modify", &[Str, Type::Time], |_, a| {
        Ok(modify(a).unwrap_or_else(|_| a[1].clone()))
    }),
    function("mustDateModify", &[Str, Type::Time], |_, a| modify(a)),
    function("must_date_modify", &[Str, Type::Time], |_, a| modify(a)),
    function("toDate", &[Str, Str], |_, a| {
        let time = Time::parse(&text(&a[0]), &text(&a[1])).unwrap_or_default();
        Ok(object(Object::Time(time)))
    }),
    function("mustToDate", &[Str, Str], |_, a| {
        Ok(object(Object::Time(
            Time::parse(&text(&a[0]), &text(&a[1])).map_err(Failure::new)?,
        )))
    }),
    function("unixEpoch", &[Type::Time], |_, a| {
        Ok(Value::str(time_of(&a[0]).unwrap_or_default().unix().to_string()))
    }),
    function("ago", &[Any], |cx, a| {
        let now = cx.now("ago");
        let then = match &a[0] {
            Value::Int(n, _) => i128::from(*n) * 1_000_000_000,
            other => time_of(other).map_or(now, |t| t.nanos),
        };
        let seconds = (now - then + 500_000_000).div_euclid(1_000_000_000);
        let nanos = seconds
            .saturating_mul(1_000_000_000)
            .clamp(i128::from(i64::MIN), i128::from(i64::MAX));
        Ok(Value::str(duration_text(i64::try_from(nanos).unwrap_or(0))))
    }),
    function("duration", &[Any], |_, a| {
        let seconds = match &a[0] {
            Value::Str(s) => s.parse().unwrap_or(0),
            Value::Int(n, crate::value::IntKind::Int64) => *n,
            _ => 0i64,
        };
        Ok(Value::str(duration_text(seconds.wrapping_mul(1_000_000_000))))
    }),
    function("durationRound", &[Any], duration_round),
    function("mustToDuration", &[Any], |_, a| match &a[0] {
        Value::Str(s) => text_duration(s),
        Value::Int(n, _) => match n.checked_mul(1_000_000_000) {
            Some(nanos) => Ok(object(Object::Duration(nanos))),
            None => Err(Failure::new(format!("duration seconds overflow: {n}"))),
        },
        Value::Float(f) => seconds(*f),
        Value::Object(o) if matches!(**o, Object::Duration(_)) => Ok(a[0].clone()),
        other => Err(Failure::new(format!(
            "unsupported duration type {}",
            other.type_name()
        ))),
    }),
];

/// A duration with units, or a number of seconds.
fn text_duration(source: &str) -> Outcome {
    let text = source.trim();
    if text.is_empty() {
        return Err(Failure::new("empty duration"));
    }
    if let Ok(nanos) = parse_duration(text) {
        return Ok(object(Object::Duration(nanos)));
    }
    // An underscore may stand between two digits.
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let apart = |(at, b): (usize, &u8)| *b != b'_' || at > 0 && digit(at - 1) && digit(at + 1);
    let plain = bytes.iter().enumerate().all(apart).then(|| text.replace('_', ""));
    match plain.unwrap_or_default().parse::<f64>() {
        // A number that is too large is none to Go; infinity by name is.
        Ok(number) if !number.is_infinite() || !text.contains(|c: char| c.is_ascii_digit()) => {
            seconds(number)
        }
        _ => Err(Failure::new(format!(
            "could not parse duration {}",
            gofmt::quote(source)
        ))),
    }
}

fn seconds(number: f64) -> Outcome {
    let shown = || gofmt::float(number);
    if !number.is_finite() {
        return Err(Failure::new(format!("invalid duration seconds: {}", shown())));
    }
    if number.abs() * 1e9 >= i64::MAX as f64 {
        return Err(Failure::new(format!("duration seconds overflow: {}", shown())));
    }
    Ok(object(Object::Duration(super::convert::whole(number * 1e9))))
}

fn time_of(value: &Value) -> Option<Time> {
    match value {
        Value::Object(o) => match &**o {
            Object::Time(time) => Some(*time),
            _ => None,
        },
        _ => None,
    }
}

/// An empty zone is UTC; our local time is UTC, too, so that a render does not depend on the machine.
fn format(cx: &mut Context<'_>, name: &'static str, layout: &str, value: &Value, zone: &str) -> Outcome {
    let time = match value {
        Value::Int(n, _) => Time::utc(i128::from(*n) * 1_000_000_000),
        other => match time_of(other) {
            Some(time) => Time::utc(time.nanos),
            None => Time::utc(cx.now(name)),
        },
    };
    let out = match time
        .in_zone(zone)
        .filter(|_| !matches!(zone, "" | "UTC" | "Local"))
    {
        Some((time, abbreviation)) => time.format_in(layout, &abbreviation),
        None => time.format(layout),
    };
    cx.room(out.len())?;
    Ok(Value::str(out))
}

fn modify(a: &[Value]) -> Outcome {
    let nanos = parse_duration(&text(&a[0])).map_err(Failure::new)?;
    let mut time = time_of(&a[1]).unwrap_or_default();
    time.nanos += i128::from(nanos);
    Ok(object(Object::Time(time)))
}

fn duration_round(cx: &mut Context<'_>, a: &[Value]) -> Outcome {
    let nanos = match &a[0] {
        Value::Str(s) => parse_duration(s).unwrap_or(0),
        Value::Int(n, crate::value::IntKind::Int64) => *n,
        other => match time_of(other) {
            Some(time) => i64::try_from(cx.now("durationRound") - time.nanos).unwrap_or(0),
            None => 0,
        },
    };
    let seconds = nanos.unsigned_abs() / 1_000_000_000;
    let units = [
        (31_536_000, "y"),
        (2_592_000, "mo"),
        (86_400, "d"),
        (3600, "h"),
        (60, "m"),
        (1, "s"),
    ];
    let shown = units
        .iter()
        .find(|(size, _)| nanos.unsigned_abs() > size * 1_000_000_000)
        .map(|(size, name)| format!("{}{name}", seconds / size));
    Ok(Value::str(shown.unwrap_or_else(|| "0s".into())))
}
