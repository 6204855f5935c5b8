//! Arithmetic.

use super::convert::{to_float, to_int64};
use super::{Context, Failure, Function, Outcome, Type, function, int, variadic};
use crate::value::{Elem, IntKind, List, Value};
use Type::{Any, Int};

pub(super) const FUNCTIONS: &[Function] = &[
    function("add1", &[Any], |_, a| {
        Ok(Value::int64(to_int64(&a[0]).wrapping_add(1)))
    }),
    variadic("add", &[], Any, |_, a| {
        Ok(Value::int64(
            a.iter().fold(0, |sum, v| sum.wrapping_add(to_int64(v))),
        ))
    }),
    function("sub", &[Any, Any], |_, a| {
        Ok(Value::int64(to_int64(&a[0]).wrapping_sub(to_int64(&a[1]))))
    }),
    function("div", &[Any, Any], |_, a| divide(&a[0], &a[1], i64::wrapping_div)),
    function("mod", &[Any, Any], |_, a| divide(&a[0], &a[1], i64::wrapping_rem)),
    variadic("mul", &[Any], Any, |_, a| {
        Ok(Value::int64(
            a[1..]
                .iter()
                .fold(to_int64(&a[0]), |p, v| p.wrapping_mul(to_int64(v))),
        ))
    }),
    function("add1f", &[Any], |_, a| {
        Ok(decimal(&[a[0].clone(), Value::int(1)], |x, y| x + y))
    }),
    variadic("addf", &[], Any, |_, a| {
        let all: Vec<Value> = std::iter::once(Value::int(0)).chain(a.iter().cloned()).collect();
        Ok(decimal(&all, |x, y| x + y))
    }),
    variadic("subf", &[Any], Any, |_, a| Ok(decimal(a, |x, y| x - y))),
    variadic("mulf", &[Any], Any, |_, a| Ok(decimal(a, |x, y| x * y))),
    variadic("divf", &[Any], Any, |_, a| {
        if a[1..].iter().any(|v| to_float(v) == 0.0) {
            return Err("decimal division by 0".into());
        }
        // The quotient is kept to sixteen places.
        let mut values = a.iter().map(to_float);
        let first = values.next().unwrap_or(0.0);
        let quotient = |x: f64, y: f64| format!("{:.16}", x / y).parse().unwrap_or(x / y);
        Ok(Value::Float(values.fold(first, quotient)))
    }),
    variadic("max", &[Any], Any, |_, a| {
        Ok(Value::int64(a.iter().map(to_int64).max().unwrap_or(0)))
    }),
    variadic("biggest", &[Any], Any, |_, a| {
        Ok(Value::int64(a.iter().map(to_int64).max().unwrap_or(0)))
    }),
    variadic("min", &[Any], Any, |_, a| {
        Ok(Value::int64(a.iter().map(to_int64).min().unwrap_or(0)))
    }),
    variadic("maxf", &[Any], Any, |_, a| {
        Ok(Value::Float(
            a.iter().map(to_float).fold(f64::NEG_INFINITY, f64::max),
        ))
    }),
    variadic("minf", &[Any], Any, |_, a| {
        Ok(Value::Float(a.iter().map(to_float).fold(f64::INFINITY, f64::min)))
    }),
    function("ceil", &[Any], |_, a| Ok(Value::Float(to_float(&a[0]).ceil()))),
    function("floor", &[Any], |_, a| Ok(Value::Float(to_float(&a[0]).floor()))),
    variadic("round", &[Any, Int], Type::Float, round),
    function("until", &[Int], |cx, a| {
        let count = int(&a[0]);
        steps(cx, 0, count, if count < 0 { -1 } else { 1 })
    }),
    function("untilStep", &[Int, Int, Int], |cx, a| {
        steps(cx, int(&a[0]), int(&a[1]), int(&a[2]))
    }),
    variadic("seq", &[], Int, seq),
    function("randInt", &[Int, Int], |cx, a| {
        let (from, to) = (int(&a[0]), int(&a[1]));
        if to <= from {
            return Err("invalid argument to Intn".into());
        }
        Ok(Value::int(from + cx.below("randInt", (to - from) as u64) as i64))
    }),
];

fn divide(a: &Value, b: &Value, operation: fn(i64, i64) -> i64) -> Outcome {
    let divisor = to_int64(b);
    if divisor == 0 {
        return Err("runtime error: integer divide by zero".into());
    }
    Ok(Value::int64(operation(to_int64(a), divisor)))
}

/// Arithmetic as exact decimals would give it, for operands of usual size: the shortest decimal of the result to
/// sixteen digits, which absorbs the error of binary fractions.
fn decimal(values: &[Value], operation: fn(f64, f64) -> f64) -> Value {
    let mut values = values.iter().map(to_float);
    let mut result = values.next().unwrap_or(0.0);
    for value in values {
        result = operation(result, value);
        let rounded: f64 = format!("{result:.15e}").parse().unwrap_or(result);
        let coarse: f64 = format!("{result:.14e}").parse().unwrap_or(result);
        result = if (rounded - coarse).abs() <= coarse.abs() * 4.0 * f64::EPSILON {
            coarse
        } else {
            result
        };
    }
    Value::Float(result)
}

fn round(_: &mut Context<'_>, a: &[Value]) -> Outcome {
    let on = match a.get(2) {
        Some(Value::Float(f)) => *f,
        _ => 0.5,
    };
    let value = to_float(&a[0]);
    let power = 10f64.powi(i32::try_from(int(&a[1])).unwrap_or(0));
    let digit = power * value;
    let fraction = digit % 1.0;
    let rounded = if value >= 0.0 && fraction >= on {
        digit.ceil()
    } else {
        digit.floor()
    };
    Ok(Value::Float(rounded / power))
}

/// Longest list that a counting function makes.
const MAX_STEPS: u64 = 1_000_000;

fn numbers(cx: &mut Context<'_>, start: i64, stop: i64, step: i64) -> Result<Vec<i64>, Failure> {
    let mut out = Vec::new();
    if stop < start && step >= 0 || stop >= start && step <= 0 {
        return Ok(out);
    }
    let count = start.abs_diff(stop) / step.unsigned_abs();
    if count > MAX_STEPS {
        return Err("the list is longer than allowed".into());
    }
    cx.spend(usize::try_from(count).unwrap_or(usize::MAX))?;
    let mut n = start;
    while if step > 0 { n < stop } else { n > stop } {
        out.push(n);
        let Some(next) = n.checked_add(step) else { break };
        n = next;
    }
    Ok(out)
}

fn steps(cx: &mut Context<'_>, start: i64, stop: i64, step: i64) -> Outcome {
    let items = numbers(cx, start, stop, step)?
        .into_iter()
        .map(|n| Value::Int(n, IntKind::Int))
        .collect();
    Ok(Value::List(List {
        elem: Elem::Int,
        items: crate::value::Items::new(items),
    }))
}

fn seq(cx: &mut Context<'_>, a: &[Value]) -> Outcome {
    let direction = |from: i64, to: i64| if to < from { -1 } else { 1 };
    let list = match a {
        [end] => {
            let end = int(end);
            let step = direction(1, end);
            numbers(cx, 1, end.wrapping_add(step), step)?
        }
        [start, end] => {
            let (start, end) = (int(start), int(end));
            let step = direction(start, end);
            numbers(cx, start, end.wrapping_add(step), step)?
        }
        [start, step, end] => {
            let (start, step, end) = (int(start), int(step), int(end));
            if end < start && step > 0 {
                Vec::new()
            } else {
                numbers(cx, start, end.wrapping_add(direction(start, end)), step)?
            }
        }
        _ => Vec::new(),
    };
    Ok(Value::str(
        list.iter().map(i64::to_string).collect::<Vec<_>>().join(" "),
    ))
}
