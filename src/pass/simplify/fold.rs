//! Constants: evaluating scalar operations, and the identities that hold to the bit.
//!
//! Never folds what would be an error, nor a function whose bits belong to `rt::simd` (`exp`, `log`, and so on).

use crate::base::ops::{DType, ScalarOp};
use crate::ir::rules::same;
use crate::ir::{Const, Function, LocalId, Op};
use std::collections::BTreeMap;

pub type Known = BTreeMap<LocalId, Const>;

/// What a statement turns out to be.
pub enum Better {
    Constant(Const),
    /// The value of another local.
    Same(LocalId),
}

/// A simpler form of an operation with the result `dest`.
pub fn better(function: &Function, known: &Known, dest: LocalId, op: &Op) -> Option<Better> {
    match op {
        Op::Copy(arg) => Some(Better::Same(*arg)),
        Op::Builtin { name: "stop", args, .. } => Some(Better::Same(args[0])),
        Op::Elem { op, args } => {
            let values: Vec<Option<&Const>> = args.iter().map(|arg| known.get(arg)).collect();
            if let Some(values) = values.iter().copied().collect::<Option<Vec<&Const>>>()
                && let Some(value) = evaluate(*op, &values)
            {
                return Some(Better::Constant(value));
            }
            let kept = identity(function, *op, args, &values)?;
            // An identity must not lose the axes that the other operand adds.
            same(function.ty(kept), function.ty(dest)).then_some(Better::Same(kept))
        }
        Op::Reduce { arg, axes, .. } if axes.is_empty() && same(function.ty(*arg), function.ty(dest)) => {
            Some(Better::Same(*arg))
        }
        _ => None,
    }
}

/// The operand that an operation gives back unchanged.
fn identity(function: &Function, op: ScalarOp, args: &[LocalId], values: &[Option<&Const>]) -> Option<LocalId> {
    use ScalarOp::*;
    let is = |place: usize, x: f64| values[place].and_then(number) == Some(x);
    match op {
        Mul if is(1, 1.0) => Some(args[0]),
        Mul if is(0, 1.0) => Some(args[1]),
        Div if is(1, 1.0) => Some(args[0]),
        // Adding or subtracting 0 is left alone for floats: it turns -0 into 0.
        Add | Sub if is(1, 0.0) && function.ty(args[1]).dtype() == Some(DType::I64) => Some(args[0]),
        Add if is(0, 0.0) && function.ty(args[0]).dtype() == Some(DType::I64) => Some(args[1]),
        // A tensor that is not chosen still says how long the chosen one has to be.
        Where if values[0] == Some(&Const::Bool(true)) && function.ty(args[2]).is_scalar() => Some(args[1]),
        Where if values[0] == Some(&Const::Bool(false)) && function.ty(args[1]).is_scalar() => Some(args[2]),
        Where if args[1] == args[2] => Some(args[1]),
        And | Or | Min | Max if args[0] == args[1] => Some(args[0]),
        Cast(to) if function.ty(args[0]).dtype() == Some(to) => Some(args[0]),
        _ => None,
    }
}

fn number(value: &Const) -> Option<f64> {
    match value {
        Const::Int(x) => Some(*x as f64),
        Const::F32(x) => Some(f64::from(*x)),
        Const::F64(x) => Some(*x),
        Const::Bool(_) | Const::Str(_) => None,
    }
}

/// The value of a scalar operation, if it has one that every engine would give.
pub fn evaluate(op: ScalarOp, args: &[&Const]) -> Option<Const> {
    use ScalarOp::*;
    match (op, args) {
        (Cast(to), [x]) => convert(x, to),
        (Where, [Const::Bool(cond), x, y]) => Some(if *cond { (*x).clone() } else { (*y).clone() }),
        (Not, [Const::Bool(x)]) => Some(Const::Bool(!x)),
        (And, [Const::Bool(x), Const::Bool(y)]) => Some(Const::Bool(*x && *y)),
        (Or, [Const::Bool(x), Const::Bool(y)]) => Some(Const::Bool(*x || *y)),
        (Eq, [Const::Bool(x), Const::Bool(y)]) => Some(Const::Bool(x == y)),
        (Ne, [Const::Bool(x), Const::Bool(y)]) => Some(Const::Bool(x != y)),
        (_, [Const::Int(x)]) => integer(op, *x, 0),
        (_, [Const::Int(x), Const::Int(y)]) => integer(op, *x, *y),
        (_, [Const::F64(x)]) => real(op, *x, 0.0, Const::F64),
        (_, [Const::F64(x), Const::F64(y)]) => real(op, *x, *y, Const::F64),
        // One correctly rounded operation in f64 and then in f32 gives the bits of the f32 operation.
        (_, [Const::F32(x)]) => real(op, f64::from(*x), 0.0, |x| Const::F32(x as f32)),
        (_, [Const::F32(x), Const::F32(y)]) => real(op, f64::from(*x), f64::from(*y), |x| Const::F32(x as f32)),
        _ => None,
    }
}

fn integer(op: ScalarOp, x: i64, y: i64) -> Option<Const> {
    use ScalarOp::*;
    let value = match op {
        Add => x.checked_add(y)?,
        Sub => x.checked_sub(y)?,
        Mul => x.checked_mul(y)?,
        IntDiv if y != 0 => floor_div(x, y)?,
        Rem if y != 0 => x.checked_sub(floor_div(x, y)?.checked_mul(y)?)?,
        Neg => x.checked_neg()?,
        Abs => x.checked_abs()?,
        Sign => x.signum(),
        Min => x.min(y),
        Max => x.max(y),
        _ => return compared(op, x.partial_cmp(&y)),
    };
    Some(Const::Int(value))
}

fn floor_div(x: i64, y: i64) -> Option<i64> {
    let quotient = x.checked_div(y)?;
    Some(if x.checked_rem(y)? != 0 && (x < 0) != (y < 0) { quotient - 1 } else { quotient })
}

fn real(op: ScalarOp, x: f64, y: f64, make: impl Fn(f64) -> Const) -> Option<Const> {
    use ScalarOp::*;
    let value = match op {
        Add => x + y,
        Sub => x - y,
        Mul => x * y,
        Div if y != 0.0 => x / y,
        Neg => -x,
        Abs => x.abs(),
        Sqrt if x >= 0.0 => x.sqrt(),
        _ => return compared(op, x.partial_cmp(&y)),
    };
    // The sign and payload of a NaN are not ours to choose.
    (!value.is_nan()).then(|| make(value))
}

fn compared(op: ScalarOp, order: Option<std::cmp::Ordering>) -> Option<Const> {
    let holds = match op {
        ScalarOp::Eq => order.is_some_and(|o| o.is_eq()),
        ScalarOp::Ne => order.is_none_or(|o| o.is_ne()),
        ScalarOp::Lt => order.is_some_and(|o| o.is_lt()),
        ScalarOp::Le => order.is_some_and(|o| o.is_le()),
        ScalarOp::Gt => order.is_some_and(|o| o.is_gt()),
        ScalarOp::Ge => order.is_some_and(|o| o.is_ge()),
        _ => return None,
    };
    Some(Const::Bool(holds))
}

fn convert(value: &Const, to: DType) -> Option<Const> {
    Some(match (value, to) {
        (Const::Int(x), DType::I64) => Const::Int(*x),
        (Const::Int(x), DType::F32) => Const::F32(*x as f32),
        (Const::Int(x), DType::F64) => Const::F64(*x as f64),
        (Const::F32(x), DType::F32) => Const::F32(*x),
        (Const::F32(x), DType::F64) => Const::F64(f64::from(*x)),
        (Const::F64(x), DType::F32) => Const::F32(*x as f32),
        (Const::F64(x), DType::F64) => Const::F64(*x),
        (Const::Bool(x), DType::I64) => Const::Int(i64::from(*x)),
        (Const::Bool(x), DType::F32) => Const::F32(f32::from(*x)),
        (Const::Bool(x), DType::F64) => Const::F64(f64::from(*x)),
        (Const::Bool(x), DType::Bool) => Const::Bool(*x),
        (Const::Int(x), DType::Bool) => Const::Bool(*x != 0),
        _ => return None,
    })
}
