//! One operation on scalars, outside of kernels: the same meaning, but a float division by zero is an error.

use super::cells::{Slice, SliceMut};
use super::steps;
use crate::base::ops::{DType, ScalarOp};
use crate::rt::error::{Error, Result, code};
use crate::rt::value::Value;

/// Evaluates `op`. Operands of several types meet in the widest: bool, int, f32, f64.
pub fn scalar(op: ScalarOp, args: &[Value]) -> Result<Value> {
    if args.len() != op.arity() {
        return Err(Error::new(code::INTERNAL, format!("`{}` of {} operands", op.name(), args.len())));
    }
    match (op, args) {
        // A choice works for values of any kind.
        (ScalarOp::Where, [Value::Bool(condition), yes, no]) => {
            return Ok(if *condition { yes.clone() } else { no.clone() });
        }
        (_, [Value::Str(a), Value::Str(b)]) if op.is_comparison() => return Ok(Value::Bool(ordered(op, a, b))),
        _ => {}
    }
    let widest = args.iter().map(width).max().flatten();
    let dtype = widest.and_then(|at| WIDTHS.get(at).copied()).ok_or_else(|| fault(op, args))?;
    if args.iter().any(|arg| width(arg).is_none()) || !steps::accepts(op, &vec![dtype; args.len()]) {
        return Err(fault(op, args));
    }
    evaluate(op, dtype, args)
}

const WIDTHS: [DType; 4] = [DType::Bool, DType::I64, DType::F32, DType::F64];

fn width(value: &Value) -> Option<usize> {
    match value {
        Value::Bool(_) => Some(0),
        Value::Int(_) => Some(1),
        Value::F32(_) => Some(2),
        Value::F64(_) => Some(3),
        _ => None,
    }
}

fn fault(op: ScalarOp, args: &[Value]) -> Error {
    Error::new(code::INTERNAL, format!("`{}` of {args:?} does not exist", op.name()))
}

fn ordered(op: ScalarOp, a: &str, b: &str) -> bool {
    match op {
        ScalarOp::Eq => a == b,
        ScalarOp::Ne => a != b,
        ScalarOp::Lt => a < b,
        ScalarOp::Le => a <= b,
        ScalarOp::Gt => a > b,
        _ => a >= b,
    }
}

fn as_f64(value: &Value) -> f64 {
    match value {
        Value::F64(x) => *x,
        Value::F32(x) => *x as f64,
        Value::Int(x) => *x as f64,
        Value::Bool(x) => *x as u8 as f64,
        _ => f64::NAN,
    }
}

fn as_int(value: &Value) -> i64 {
    match value {
        Value::Int(x) => *x,
        Value::Bool(x) => *x as i64,
        _ => 0,
    }
}

/// Runs the element loop over one element.
fn evaluate(op: ScalarOp, dtype: DType, args: &[Value]) -> Result<Value> {
    let at = |i: usize| &args[i.min(args.len() - 1)];
    let floats = [as_f64(at(0)), as_f64(at(1)), as_f64(at(2))];
    let narrow = floats.map(|x| x as f32);
    let ints = [as_int(at(0)), as_int(at(1)), as_int(at(2))];
    let bools = ints.map(|x| x as u8);
    if matches!(op, ScalarOp::Div | ScalarOp::IntDiv | ScalarOp::Rem) && dtype != DType::I64 && floats[1] == 0.0 {
        return Err(Error::new(code::ARITHMETIC, format!("division of {} by zero", floats[0])));
    }
    let operands = [0, 1, 2].map(|i| match dtype {
        DType::F32 => Slice::F32(&narrow[i..i + 1]),
        DType::F64 => Slice::F64(&floats[i..i + 1]),
        DType::I64 => Slice::I64(&ints[i..i + 1]),
        DType::Bool => Slice::Bool(&bools[i..i + 1]),
    });
    let (mut f32s, mut f64s, mut i64s, mut u8s) = ([0f32], [0f64], [0i64], [0u8]);
    let result = op.result(&[dtype, dtype]);
    let out = match result {
        DType::F32 => SliceMut::F32(&mut f32s),
        DType::F64 => SliceMut::F64(&mut f64s),
        DType::I64 => SliceMut::I64(&mut i64s),
        DType::Bool => SliceMut::Bool(&mut u8s),
    };
    steps::apply(op, operands, out)?;
    Ok(match result {
        DType::F32 => Value::F32(f32s[0]),
        DType::F64 => Value::F64(f64s[0]),
        DType::I64 => Value::Int(i64s[0]),
        DType::Bool => Value::Bool(u8s[0] != 0),
    })
}
