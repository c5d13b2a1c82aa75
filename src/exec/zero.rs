//! Which outputs of a kernel are certainly 0 (false) where its sparse operands keep nothing.
//!
//! The steps of the kernel are followed with what is known: sparse operands are 0, scalars have their values,
//! elements of dense tensors are unknown. 0 times anything counts as 0, as it does for who writes a product with a
//! sparse code.

use crate::base::kernel::{Kernel, Step};
use crate::base::ops::{DType, ScalarOp};
use crate::rt::elementwise;
use crate::rt::value::Value;

/// A number that is known, if it is.
pub type Known = Option<Value>;

/// A number in an element type.
pub fn number(x: f64, dtype: DType) -> Known {
    Some(match dtype {
        DType::F32 => Value::F32(x as f32),
        DType::F64 => Value::F64(x),
        DType::I64 => Value::Int(x as i64),
        DType::Bool => Value::Bool(x != 0.0),
    })
}

/// For each output: is it certainly 0, given what is known of the inputs?
pub fn outputs(kernel: &Kernel, inputs: &[Known]) -> Vec<bool> {
    let mut values = inputs.to_vec();
    for step in &kernel.steps {
        let args: Vec<Known> = step.args.iter().map(|&arg| values.get(arg as usize).cloned().flatten()).collect();
        values.push(follow(step, &args));
    }
    kernel.outputs.iter().map(|&output| values.get(output as usize).is_some_and(is_zero)).collect()
}

fn follow(step: &Step, args: &[Known]) -> Known {
    use ScalarOp::*;
    match (step.op, args) {
        (Mul, [a, b]) if is_finite_zero(a, b) => number(0.0, step.result),
        (And, [a, b]) if is_zero(a) || is_zero(b) => Some(Value::Bool(false)),
        (Or, [Some(Value::Bool(true)), _] | [_, Some(Value::Bool(true))]) => Some(Value::Bool(true)),
        (Where, [Some(Value::Bool(cond)), x, y]) => {
            if *cond {
                x.clone()
            } else {
                y.clone()
            }
        }
        (Where, [None, x, y]) if is_zero(x) && is_zero(y) => number(0.0, step.result),
        _ => {
            let all: Option<Vec<Value>> = args.iter().cloned().collect();
            elementwise::scalar(step.op, &all?).ok()
        }
    }
}

/// One of the two is 0, and the other is a number or nobody knows.
fn is_finite_zero(a: &Known, b: &Known) -> bool {
    let odd = |value: &Known| match value {
        Some(Value::F32(x)) => !x.is_finite(),
        Some(Value::F64(x)) => !x.is_finite(),
        _ => false,
    };
    (is_zero(a) && !odd(b)) || (is_zero(b) && !odd(a))
}

fn is_zero(value: &Known) -> bool {
    match value {
        Some(Value::F32(x)) => *x == 0.0,
        Some(Value::F64(x)) => *x == 0.0,
        Some(Value::Int(x)) => *x == 0,
        Some(Value::Bool(x)) => !x,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A kernel of f32 inputs with one output, its last step.
    fn stays(inputs: &[Known], steps: &[(ScalarOp, &[u32], DType)]) -> bool {
        let steps: Vec<Step> =
            steps.iter().map(|&(op, args, result)| Step { op, args: args.to_vec(), result }).collect();
        let last = (inputs.len() + steps.len()) as u32 - 1;
        let scalar = inputs.iter().map(Option::is_some).collect();
        let kernel = Kernel { inputs: vec![DType::F32; inputs.len()], scalar, steps, outputs: vec![last] };
        outputs(&kernel, inputs)[0]
    }

    #[test]
    fn products_masks_and_comparisons_are_followed() {
        use DType::{Bool, F32};
        use ScalarOp::*;
        let (code, dense) = (Some(Value::F32(0.0)), None);
        let scalar = |x| Some(Value::F32(x));
        assert!(stays(&[code.clone(), dense.clone()], &[(Mul, &[0, 1], F32)]));
        assert!(!stays(&[code.clone(), dense.clone()], &[(Add, &[0, 1], F32)]));
        assert!(!stays(&[code.clone(), dense.clone()], &[(Div, &[0, 1], F32)]));
        assert!(!stays(&[code.clone(), scalar(f32::INFINITY)], &[(Mul, &[0, 1], F32)]));
        assert!(!stays(&[code.clone()], &[(Exp, &[0], F32)]));
        assert!(stays(&[code.clone()], &[(Exp, &[0], F32), (Sub, &[1, 1], F32)]));
        for (bound, wanted) in [(1e-3, true), (0.0, true), (-1.0, false)] {
            let steps: [(ScalarOp, &[u32], DType); 2] = [(Gt, &[0, 2], Bool), (Where, &[3, 1, 0], F32)];
            assert_eq!(stays(&[code.clone(), dense.clone(), scalar(bound)], &steps), wanted, "{bound}");
        }
    }
}
