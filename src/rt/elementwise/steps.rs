//! One operation over a run of elements: a tight loop for each operation and type.
//!
//! This is the meaning of `ScalarOp` on elements; compiled kernels must give the same bits. On floats `div` is
//! floor(x / y) and `rem` the exact remainder with the divisor's sign. `min` is `if x < y { x } else { y }`, or x
//! where x is NaN; `max` likewise with `>`.

use super::cells::{Slice, SliceMut};
use crate::base::ops::{DType, ScalarOp};
use crate::rt::error::{Error, Result, code};
use crate::rt::simd;

/// Does the operation take operands of these types?
pub fn accepts(op: ScalarOp, types: &[DType]) -> bool {
    use ScalarOp::*;
    let same = types.iter().all(|it| it == &types[0]);
    let (float, number) = (matches!(types[0], DType::F32 | DType::F64), types[0] != DType::Bool);
    match op {
        Add | Sub | Mul | IntDiv | Rem | Pow | Neg | Abs | Sign | Floor | Min | Max => same && number,
        Div | Sqrt | Exp | Log | Tanh | Erf | Sin | Cos => same && float,
        Eq | Ne | Lt | Le | Gt | Ge => same,
        And | Or | Not => same && types[0] == DType::Bool,
        Where => types[0] == DType::Bool && types[1] == types[2],
        Cast(_) => true,
    }
}

/// Applies `op` to all elements; operands beyond its arity are ignored. All runs have one length.
pub fn apply(op: ScalarOp, args: [Slice; 3], out: SliceMut) -> Result<()> {
    use ScalarOp::*;
    match (op, args, out) {
        (Eq | Ne | Lt | Le | Gt | Ge, [Slice::F32(a), Slice::F32(b), _], SliceMut::Bool(o)) => compare(op, a, b, o),
        (Eq | Ne | Lt | Le | Gt | Ge, [Slice::F64(a), Slice::F64(b), _], SliceMut::Bool(o)) => compare(op, a, b, o),
        (Eq | Ne | Lt | Le | Gt | Ge, [Slice::I64(a), Slice::I64(b), _], SliceMut::Bool(o)) => compare(op, a, b, o),
        (Eq | Ne | Lt | Le | Gt | Ge, [Slice::Bool(a), Slice::Bool(b), _], SliceMut::Bool(o)) => compare(op, a, b, o),
        (And, [Slice::Bool(a), Slice::Bool(b), _], SliceMut::Bool(o)) => zip(a, b, o, |x, y| x & y),
        (Or, [Slice::Bool(a), Slice::Bool(b), _], SliceMut::Bool(o)) => zip(a, b, o, |x, y| x | y),
        (Not, [Slice::Bool(a), ..], SliceMut::Bool(o)) => map(a, o, |x| x ^ 1),
        (Where, [Slice::Bool(c), Slice::F32(a), Slice::F32(b)], SliceMut::F32(o)) => select(c, a, b, o),
        (Where, [Slice::Bool(c), Slice::F64(a), Slice::F64(b)], SliceMut::F64(o)) => select(c, a, b, o),
        (Where, [Slice::Bool(c), Slice::I64(a), Slice::I64(b)], SliceMut::I64(o)) => select(c, a, b, o),
        (Where, [Slice::Bool(c), Slice::Bool(a), Slice::Bool(b)], SliceMut::Bool(o)) => select(c, a, b, o),
        (Cast(_), [from, ..], to) => return cast(from, to),
        (_, [Slice::F32(a), Slice::F32(b), _], SliceMut::F32(o)) => float_f32(op, a, b, o),
        (_, [Slice::F64(a), Slice::F64(b), _], SliceMut::F64(o)) => float_f64(op, a, b, o),
        (_, [Slice::I64(a), Slice::I64(b), _], SliceMut::I64(o)) => return integer(op, a, b, o),
        _ => return Err(Error::new(code::INTERNAL, format!("`{}` of these types does not exist", op.name()))),
    }
    Ok(())
}

#[inline(always)]
fn map<T: Copy, U>(a: &[T], out: &mut [U], f: impl Fn(T) -> U) {
    for (out, &x) in out.iter_mut().zip(a) {
        *out = f(x);
    }
}

#[inline(always)]
fn zip<T: Copy, U>(a: &[T], b: &[T], out: &mut [U], f: impl Fn(T, T) -> U) {
    for ((out, &x), &y) in out.iter_mut().zip(a).zip(b) {
        *out = f(x, y);
    }
}

fn select<T: Copy>(condition: &[u8], a: &[T], b: &[T], out: &mut [T]) {
    for (((out, &c), &x), &y) in out.iter_mut().zip(condition).zip(a).zip(b) {
        *out = if c != 0 { x } else { y };
    }
}

fn compare<T: Copy + PartialOrd>(op: ScalarOp, a: &[T], b: &[T], out: &mut [u8]) {
    match op {
        ScalarOp::Eq => zip(a, b, out, |x, y| (x == y) as u8),
        ScalarOp::Ne => zip(a, b, out, |x, y| (x != y) as u8),
        ScalarOp::Lt => zip(a, b, out, |x, y| (x < y) as u8),
        ScalarOp::Le => zip(a, b, out, |x, y| (x <= y) as u8),
        ScalarOp::Gt => zip(a, b, out, |x, y| (x > y) as u8),
        _ => zip(a, b, out, |x, y| (x >= y) as u8),
    }
}

macro_rules! float {
    ($name:ident, $type:ty, $tile:path, $pow:path, $rem:path) => {
        fn $name(op: ScalarOp, a: &[$type], b: &[$type], out: &mut [$type]) {
            match op {
                ScalarOp::Add => zip(a, b, out, |x, y| x + y),
                ScalarOp::Sub => zip(a, b, out, |x, y| x - y),
                ScalarOp::Mul => zip(a, b, out, |x, y| x * y),
                ScalarOp::Div => zip(a, b, out, |x, y| x / y),
                ScalarOp::IntDiv => zip(a, b, out, |x, y| (x / y).floor()),
                ScalarOp::Rem => zip(a, b, out, $rem),
                ScalarOp::Pow => zip(a, b, out, $pow),
                ScalarOp::Neg => map(a, out, |x| -x),
                ScalarOp::Abs => map(a, out, |x| x.abs()),
                ScalarOp::Sign => map(a, out, |x| {
                    if x > 0.0 {
                        1.0
                    } else if x < 0.0 {
                        -1.0
                    } else {
                        x
                    }
                }),
                ScalarOp::Floor => map(a, out, |x| x.floor()),
                ScalarOp::Sqrt => map(a, out, |x| x.sqrt()),
                ScalarOp::Min => zip(a, b, out, |x, y| if x < y || x.is_nan() { x } else { y }),
                ScalarOp::Max => zip(a, b, out, |x, y| if x > y || x.is_nan() { x } else { y }),
                _ => {
                    out.copy_from_slice(a);
                    $tile(op, out);
                }
            }
        }
    };
}
float!(float_f32, f32, simd::tile_f32, simd::pow_f32, simd::rem_f32);
float!(float_f64, f64, simd::tile_f64, simd::pow_f64, simd::rem_f64);

fn integer(op: ScalarOp, a: &[i64], b: &[i64], out: &mut [i64]) -> Result<()> {
    match op {
        ScalarOp::Sign => map(a, out, i64::signum),
        ScalarOp::Floor => out.copy_from_slice(a),
        ScalarOp::Min => zip(a, b, out, i64::min),
        ScalarOp::Max => zip(a, b, out, i64::max),
        ScalarOp::Add => return checked(op, a, b, out, i64::overflowing_add),
        ScalarOp::Sub => return checked(op, a, b, out, i64::overflowing_sub),
        ScalarOp::Mul => return checked(op, a, b, out, i64::overflowing_mul),
        ScalarOp::Neg => return checked(op, a, b, out, |x, _| x.overflowing_neg()),
        ScalarOp::Abs => return checked(op, a, b, out, |x, _| x.overflowing_abs()),
        ScalarOp::IntDiv => return checked(op, a, b, out, |x, y| flag(floor_div(x, y))),
        ScalarOp::Rem => return checked(op, a, b, out, |x, y| flag(floor_rem(x, y))),
        _ => return checked(op, a, b, out, |x, y| flag(u32::try_from(y).ok().and_then(|y| x.checked_pow(y)))),
    }
    Ok(())
}

fn flag(value: Option<i64>) -> (i64, bool) {
    (value.unwrap_or(0), value.is_none())
}

fn floor_div(x: i64, y: i64) -> Option<i64> {
    let quotient = x.checked_div(y)?;
    Some(if x % y != 0 && (x < 0) != (y < 0) { quotient - 1 } else { quotient })
}

fn floor_rem(x: i64, y: i64) -> Option<i64> {
    if y == -1 {
        // The remainder exists even where the quotient does not fit.
        return Some(0);
    }
    let rest = x.checked_rem(y)?;
    Some(if rest != 0 && (rest < 0) != (y < 0) { rest + y } else { rest })
}

/// Runs over all elements, then looks whether one failed: the loop stays short.
#[inline(always)]
fn checked(op: ScalarOp, a: &[i64], b: &[i64], out: &mut [i64], f: impl Fn(i64, i64) -> (i64, bool)) -> Result<()> {
    let mut failed = false;
    for ((out, &x), &y) in out.iter_mut().zip(a).zip(b) {
        let (value, bad) = f(x, y);
        *out = value;
        failed |= bad;
    }
    if !failed {
        return Ok(());
    }
    let culprit = a.iter().zip(b).find(|&(&x, &y)| f(x, y).1).unwrap_or((&0, &0));
    Err(integer_fault(op, *culprit.0, *culprit.1))
}

fn integer_fault(op: ScalarOp, x: i64, y: i64) -> Error {
    let text = match op {
        ScalarOp::IntDiv | ScalarOp::Rem if y == 0 => format!("division of the integer {x} by zero"),
        ScalarOp::Pow if y < 0 => format!("an integer to the power {y} is not an integer"),
        ScalarOp::Neg | ScalarOp::Abs => format!("`{}` of {x} does not fit in 64 bits", op.name()),
        _ => format!("`{}` of {x} and {y} does not fit in 64 bits", op.name()),
    };
    let error = Error::new(code::ARITHMETIC, text);
    match op {
        ScalarOp::Pow if y < 0 => error.help("convert first: `float(x) ^ y`"),
        _ => error,
    }
}

fn cast(from: Slice, to: SliceMut) -> Result<()> {
    match (from, to) {
        (Slice::F32(a), SliceMut::F32(o)) => o.copy_from_slice(a),
        (Slice::F32(a), SliceMut::F64(o)) => map(a, o, |x| x as f64),
        (Slice::F32(a), SliceMut::I64(o)) => return to_integer(a, o, |x| x as f64),
        (Slice::F32(a), SliceMut::Bool(o)) => map(a, o, |x| (x != 0.0) as u8),
        (Slice::F64(a), SliceMut::F32(o)) => map(a, o, |x| x as f32),
        (Slice::F64(a), SliceMut::F64(o)) => o.copy_from_slice(a),
        (Slice::F64(a), SliceMut::I64(o)) => return to_integer(a, o, |x| x),
        (Slice::F64(a), SliceMut::Bool(o)) => map(a, o, |x| (x != 0.0) as u8),
        (Slice::I64(a), SliceMut::F32(o)) => map(a, o, |x| x as f32),
        (Slice::I64(a), SliceMut::F64(o)) => map(a, o, |x| x as f64),
        (Slice::I64(a), SliceMut::I64(o)) => o.copy_from_slice(a),
        (Slice::I64(a), SliceMut::Bool(o)) => map(a, o, |x| (x != 0) as u8),
        (Slice::Bool(a), SliceMut::F32(o)) => map(a, o, |x| x as f32),
        (Slice::Bool(a), SliceMut::F64(o)) => map(a, o, |x| x as f64),
        (Slice::Bool(a), SliceMut::I64(o)) => map(a, o, |x| x as i64),
        (Slice::Bool(a), SliceMut::Bool(o)) => o.copy_from_slice(a),
    }
    Ok(())
}

/// Truncates toward zero; NaN and what does not fit are refused.
fn to_integer<T: Copy>(a: &[T], out: &mut [i64], wide: impl Fn(T) -> f64) -> Result<()> {
    // -2^63 fits, 2^63 does not; NaN lies in no range.
    let fits = |x: f64| (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&x);
    let mut failed = false;
    for (out, &x) in out.iter_mut().zip(a) {
        let x = wide(x);
        *out = x as i64;
        failed |= !fits(x);
    }
    match a.iter().map(|&x| wide(x)).find(|&x| failed && !fits(x)) {
        Some(x) => Err(Error::new(code::ARITHMETIC, format!("{x} is no 64-bit integer"))),
        None => Ok(()),
    }
}
