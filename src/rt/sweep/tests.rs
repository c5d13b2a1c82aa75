//! Sweeps over blocks against their statements over whole tensors: the same bits, and memory taken over.

use super::*;
use crate::base::axis::Axis;
use crate::base::kernel::{Kernel, Step as Scalar};
use crate::base::ops::{DType, ReduceKind, ScalarOp};
use crate::base::sweep::{Step, Work};
use crate::rt::tensor::{Buffer, Tensor};
use crate::rt::testing::{Dice, axes, bits, same_for_all_threads};

/// A kernel of float operations on inputs, each scalar or not; the last `outputs` values are written.
fn kernel(dtype: DType, scalar: &[bool], steps: &[(ScalarOp, &[u32])], outputs: u32) -> Work {
    let steps: Vec<Scalar> =
        steps.iter().map(|&(op, args)| Scalar { op, args: args.to_vec(), result: dtype }).collect();
    let values = (scalar.len() + steps.len()) as u32;
    let inputs = vec![dtype; scalar.len()];
    Work::Kernel(Box::new(Kernel {
        inputs,
        scalar: scalar.to_vec(),
        steps,
        outputs: (values - outputs..values).collect(),
    }))
}

/// Of `x[r, q, d]`, `g[d]`, `b[q]` and a scalar `s`: normalised rows, their exponentials over the largest, that largest,
/// and the sum of all. It has every kind of step.
fn sweep(dtype: DType, [r, q, d]: [Axis; 3]) -> Sweep {
    use ScalarOp::*;
    let step = |work: Work, args: &[u32], results: u32| Step { work, args: args.to_vec(), results };
    let shifted = kernel(dtype, &[false, false, true], &[(Mul, &[1, 2]), (Sub, &[0, 3])], 1);
    let scaled: &[(ScalarOp, &[u32])] =
        &[(Abs, &[1]), (Sqrt, &[4]), (Div, &[0, 5]), (Mul, &[6, 2]), (Add, &[7, 3]), (Exp, &[8])];
    let scaled = kernel(dtype, &[false; 4], scaled, 2);
    let over = kernel(dtype, &[false, false], &[(Div, &[0, 1])], 1);
    let steps = vec![
        step(Work::Reduce { kind: ReduceKind::Sum, axis: d }, &[0], 1),
        step(shifted, &[0, 4, 3], 1),
        step(Work::Dot { axis: d }, &[5, 5], 1),
        step(scaled, &[5, 6, 1, 2], 2),
        step(Work::Reduce { kind: ReduceKind::Max, axis: d }, &[8], 1),
        step(Work::Total { kind: ReduceKind::Sum, axes: vec![r, q, d] }, &[7], 1),
        step(over, &[8, 9], 1),
    ];
    Sweep { inputs: 4, rows: vec![r, q], steps, outputs: vec![7, 9, 10, 11] }
}

fn scalar(dtype: DType, x: f64) -> Value {
    if dtype == DType::F32 { Value::F32(x as f32) } else { Value::F64(x) }
}

/// Arguments of the sweep; `x` lies densely in order, or in any way.
fn arguments(dice: &mut Dice, dtype: DType, [r, q, d]: [(Axis, usize); 3], any: bool) -> Vec<Value> {
    let x = if any { dice.tensor(dtype, &[r, q, d]) } else { dice.dense(dtype, &[r, q, d]) };
    vec![
        Value::Tensor(x),
        Value::Tensor(dice.tensor(dtype, &[d])),
        Value::Tensor(dice.dense(dtype, &[q])),
        scalar(dtype, 0.01),
    ]
}

fn all_bits(values: &[Value]) -> Vec<Vec<u64>> {
    values.iter().map(bits).collect()
}

#[test]
fn blocks_have_the_bits_of_whole_tensors() {
    let names = axes(["r", "q", "d"]);
    let mut cut = [0, 0];
    for seed in 0..60 {
        let mut dice = Dice::new(seed);
        let dtype = if dice.one_in(3) { DType::F64 } else { DType::F32 };
        let lens = match dice.below(4) {
            0 => [3, 17 + dice.below(30), 1500 + dice.below(500)],
            1 => [1, 300 + dice.below(300), 256],
            2 => [7, 64, 192 + dice.below(2)],
            _ => [150 + dice.below(50), 1 + dice.below(3), 333 + dice.below(300)],
        };
        let shape = [(names[0], lens[0]), (names[1], lens[1]), (names[2], lens[2])];
        let args = arguments(&mut dice, dtype, shape, seed % 2 == 1);
        let sweep = sweep(dtype, names);
        if let Some(plan) = Plan::new(&sweep, &args) {
            cut[usize::from(plan.whole_tiles)] += 1;
        }
        let whole = all_bits(&steps::whole(&sweep, &[], args.clone()).unwrap());
        let found = same_for_all_threads(|| all_bits(&run(&sweep, &[], args.clone()).unwrap()));
        assert!(found == whole, "seed {seed}, {lens:?}");
    }
    assert!(cut[0] > 5 && cut[1] > 5, "{cut:?} sweeps were cut, with totals that wait and that do not");
}

#[test]
fn results_take_the_memory_of_arguments_that_nobody_else_holds() {
    let names = axes(["r", "q", "d"]);
    let shape = [(names[0], 8), (names[1], 64), (names[2], 512)];
    let args = || arguments(&mut Dice::new(5), DType::F32, shape, false);
    let address = |value: &Value| match value {
        Value::Tensor(Tensor { buffer: Buffer::F32(values), .. }) => values.as_ptr() as usize,
        _ => 0,
    };
    let sweep = sweep(DType::F32, names);
    let shared = args();
    let kept = shared.clone();
    let apart = run(&sweep, &[], shared).unwrap();
    assert!(apart.iter().all(|result| address(result) != address(&kept[0])));
    let own = args();
    let place = address(&own[0]);
    let over = run(&sweep, &[], own).unwrap();
    assert_eq!(address(&over[0]), place);
    assert_eq!(all_bits(&over), all_bits(&apart));
}

#[test]
fn lengths_that_disagree_are_the_error_of_the_statement() {
    let [r, q, d] = axes(["r", "q", "d"]);
    let mut dice = Dice::new(1);
    let mut args = arguments(&mut dice, DType::F32, [(r, 8), (q, 64), (d, 512)], false);
    args[1] = Value::Tensor(dice.dense(DType::F32, &[(d, 511)]));
    let fault = run(&sweep(DType::F32, [r, q, d]), &[], args).unwrap_err();
    assert_eq!(fault.code, crate::rt::error::code::SIZE);
}
