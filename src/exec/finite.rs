//! `--check-finite`: finds the operation that first made a NaN or an infinity.
//!
//! An operation is blamed only if its operands were finite; one that was handed an infinity (the mask of an
//! attention pattern) may pass it on.

use crate::base::ops::ScalarOp;
use crate::ir::Op;
use crate::rt::error::{Error, Result, code};
use crate::rt::tensor::{Buffer, Element, Tensor};
use crate::rt::value::Value;

/// An error if `results` hold a NaN or an infinity and `args` do not.
pub fn check(op: &Op, args: &[Value], results: &[Value]) -> Result<()> {
    if matches!(op, Op::Const(_) | Op::Undef) {
        return Ok(());
    }
    let Some(found) = results.iter().find_map(odd) else {
        return Ok(());
    };
    if args.iter().any(|arg| odd(arg).is_some()) {
        return Ok(());
    }
    Err(Error::new(code::NOT_FINITE, format!("{} made {found}", described(op))).note("operands", "all finite"))
}

/// The first value that is not finite, in words.
fn odd(value: &Value) -> Option<&'static str> {
    match value {
        Value::F32(x) => word(*x as f64),
        Value::F64(x) => word(*x),
        Value::Tensor(tensor) => odd_element::<f32>(tensor, |x| x as f64).or_else(|| odd_element::<f64>(tensor, |x| x)),
        Value::Sparse(sparse) => match &sparse.values {
            Buffer::F32(values) => values.iter().find_map(|&x| word(x as f64)),
            Buffer::F64(values) => values.iter().find_map(|&x| word(x)),
            _ => None,
        },
        Value::List(items) | Value::Record(items) => items.iter().find_map(odd),
        _ => None,
    }
}

fn odd_element<T: Element>(tensor: &Tensor, widen: impl Fn(T) -> f64) -> Option<&'static str> {
    if let Some(dense) = tensor.as_dense::<T>() {
        return dense.iter().find_map(|&x| word(widen(x)));
    }
    let view = tensor.view::<T>().ok()?;
    view.iter().find_map(|&x| word(widen(x)))
}

fn word(x: f64) -> Option<&'static str> {
    if x.is_nan() {
        Some("NaN")
    } else if x.is_infinite() {
        Some("infinity")
    } else {
        None
    }
}

fn described(op: &Op) -> String {
    match op {
        Op::Elem { op: ScalarOp::Div, .. } => "this division".to_string(),
        Op::Elem { op, .. } => format!("`{}`", op.name()),
        Op::Contract { .. } => "this product".to_string(),
        Op::Reduce { kind, .. } => format!("`{}`", kind.name()),
        Op::Builtin { name, .. } => format!("`{name}`"),
        _ => "this expression".to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::axis::Axis;
    use crate::ir::LocalId;

    fn log() -> Op {
        Op::Elem { op: ScalarOp::Log, args: vec![LocalId(0)] }
    }

    #[test]
    fn blames_the_first_only() {
        let fault = check(&log(), &[Value::F64(0.0)], &[Value::F64(f64::NEG_INFINITY)]);
        assert_eq!(fault.map_err(|error| (error.code, error.message)), Err(("R006", "`log` made infinity".into())));
        assert_eq!(check(&log(), &[Value::F64(f64::INFINITY)], &[Value::F64(f64::INFINITY)]), Ok(()));
    }

    #[test]
    fn looks_into_tensors_and_lists() {
        let axis = Axis::named("", "row");
        let bad = Tensor::from_slice(&[(axis, 2)], &[1.0f32, f32::NAN]).map(Value::Tensor);
        let bad = bad.unwrap_or_default();
        assert!(check(&log(), &[Value::F32(1.0)], &[bad.clone()]).is_err());
        let list = Value::List(crate::rt::value::Items::new(vec![bad.clone()]));
        assert_eq!(check(&log(), &[list], &[bad]), Ok(()));
    }
}
