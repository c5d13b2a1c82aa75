//! The lines of `expect` blocks: a number was found, does it hold?
//!
//! NaN and infinity never hold, whatever the comparison says. A failed line is not a fault: it is told to the world,
//! and the run goes on.

use super::super::ctx::{Ctx, Expectation};
use super::super::error::Result;
use super::super::format::{float, format_value, significant};
use super::super::table::Builtin;
use super::super::value::Value;
use super::{Args, scalar};
use crate::base::axis::Axis;
use std::cmp::Ordering;

pub const TABLE: &[Builtin] = &[Builtin { name: "expect_value", run: expect_value }];

/// What came of one line.
struct Verdict {
    held: bool,
    /// As in `share = 0.13, expected 0.12 +- 0.02`: the part after `share`.
    words: String,
    /// Of a line that does not hold.
    off: Option<f64>,
}

/// expect_value(; number, op, words of the script, found, a, b)
fn expect_value(ctx: &mut Ctx, _: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("expect_value", values, 6)?;
    let (number, op, shown, found) = (args.int(0)?, args.str(1)?, args.str(2)?, args.value(3));
    let number = usize::try_from(number).map_err(|_| args.fault("was given a negative number of a line"))?;
    let tolerance = if matches!(op, "~" | "apart") { Some(tolerance(&args)?) } else { None };
    let Verdict { held, words, off } = match tolerance.filter(|_| op == "apart") {
        Some(tolerance) => apart(number_of(&args, 3, found)?, tolerance),
        None => judge(&args, op, found)?,
    };
    let (found, shown) = (scalar(found), format!("{shown} {words}"));
    ctx.world.expectation(Expectation { number, held, found, shown, off, tolerance });
    Ok(Vec::new())
}

fn judge(args: &Args, op: &str, found: &Value) -> Result<Verdict> {
    let (a, b) = (args.value(4), args.value(5));
    let expected = match op {
        "~" => format!("{} +- {}", plain(a)?, plain(b)?),
        "in" => format!("in {} .. {}", plain(a)?, plain(b)?),
        "in=" => format!("in {} ..= {}", plain(a)?, plain(b)?),
        "==" => plain(a)?,
        _ => format!("{op} {}", plain(a)?),
    };
    if let Some(x) = scalar(found).filter(|x| !x.is_finite()) {
        let words = format!(
            "= {}, expected {expected} ({} never holds)",
            float(x),
            if x.is_nan() { "NaN" } else { "infinity" }
        );
        return Ok(Verdict { held: false, words, off: None });
    }
    let held = holds(args, op, found)?;
    let off = if held { None } else { off(args, op, found)? };
    Ok(Verdict { held, words: format!("= {}, expected {expected}", found_shown(args, op, found, held)?), off })
}

/// How far a number that does not hold is from the nearest one that would, or from the center of a tolerance.
fn off(args: &Args, op: &str, found: &Value) -> Result<Option<f64>> {
    if matches!((found, op), (Value::Bool(_) | Value::Str(_), _) | (_, "!=")) {
        return Ok(None);
    }
    let (Some(x), Some(a)) = (scalar(found), scalar(args.value(4))) else { return Ok(None) };
    let by = match (op, scalar(args.value(5))) {
        ("in" | "in=", Some(b)) => {
            if x < a {
                a - x
            } else {
                x - b
            }
        }
        _ => (x - a).abs(),
    };
    // At the open end of a range, or where less is wanted, nothing is said.
    Ok(Some(by).filter(|by| by.is_finite() && *by > 0.0))
}

/// Six digits say enough, unless they would tell another story than the number itself.
fn found_shown(args: &Args, op: &str, found: &Value, held: bool) -> Result<String> {
    let (Value::F32(_) | Value::F64(_), Some(x)) = (found, scalar(found)) else {
        return plain(found);
    };
    let short = significant(x, 6);
    let rounded = Value::F64(short.parse().unwrap_or(x));
    let same = |other: &Value| compare(found, other) == compare(&rounded, other);
    let same = same(args.value(4)) && same(args.value(5)) && holds(args, op, &rounded)? == held;
    if same { Ok(short) } else { plain(found) }
}

/// A number without a decimal point that it does not need; a string in quotes.
fn plain(value: &Value) -> Result<String> {
    match value {
        Value::Str(text) => Ok(format!("\"{}\"", text.escape_debug())),
        Value::F32(_) | Value::F64(_) => {
            let text = format_value(value, "")?;
            Ok(text.strip_suffix(".0").unwrap_or(&text).to_string())
        }
        _ => format_value(value, ""),
    }
}

fn holds(args: &Args, op: &str, found: &Value) -> Result<bool> {
    let (a, b) = (args.value(4), args.value(5));
    let order = |other: &Value, number: usize| {
        compare(found, other).ok_or_else(|| args.wrong(number, "a value like the one found"))
    };
    Ok(match op {
        "~" => {
            let (x, center, tolerance) = (number_of(args, 3, found)?, args.float(4)?, tolerance(args)?);
            (x - center).abs() <= tolerance
        }
        "in" => order(a, 4)? != Ordering::Less && order(b, 5)? == Ordering::Less,
        "in=" => order(a, 4)? != Ordering::Less && order(b, 5)? != Ordering::Greater,
        "==" => order(a, 4)? == Ordering::Equal,
        "!=" => order(a, 4)? != Ordering::Equal,
        "<" => order(a, 4)? == Ordering::Less,
        "<=" => order(a, 4)? != Ordering::Greater,
        ">" => order(a, 4)? == Ordering::Greater,
        ">=" => order(a, 4)? != Ordering::Less,
        _ => return Err(args.fault(format!("knows no comparison `{op}`"))),
    })
}

fn number_of(args: &Args, place: usize, value: &Value) -> Result<f64> {
    scalar(value).ok_or_else(|| args.wrong(place, "a number"))
}

fn tolerance(args: &Args) -> Result<f64> {
    let tolerance = args.float(5)?;
    if tolerance >= 0.0 && tolerance.is_finite() {
        return Ok(tolerance);
    }
    Err(args.senseless(format!("has a tolerance of {}", float(tolerance))))
}

/// Integers are compared as integers, exactly.
fn compare(found: &Value, other: &Value) -> Option<Ordering> {
    match (found, other) {
        (Value::Int(x), Value::Int(y)) => Some(x.cmp(y)),
        (Value::Bool(x), Value::Bool(y)) => Some(x.cmp(y)),
        (Value::Str(x), Value::Str(y)) => Some(x.cmp(y)),
        _ => scalar(found)?.partial_cmp(&scalar(other)?),
    }
}

/// A claim about every element of a tensor, by its largest difference from what is claimed.
fn apart(largest: f64, tolerance: f64) -> Verdict {
    let held = largest <= tolerance;
    let far = if largest.is_nan() { "NaN".to_string() } else { significant(largest, 6) };
    let off = Some(largest).filter(|_| !held && largest.is_finite());
    Verdict { held, words: format!("is at most {far} away, expected {}", significant(tolerance, 6)), off }
}
