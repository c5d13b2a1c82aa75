//! Kernels in machine code against the interpreter of the runtime.

use crate::build::*;
use crate::random::{Dice, FLOATS, INTS, takes};
use locus::base::kernel::{Kernel, Step};
use locus::base::ops::{ALL, DType, ScalarOp};
use locus::ir::*;
use locus::rt::value::Value;

/// Runs a kernel by both engines.
fn run_kernel(kernel: Kernel, args: &[Value], types: &[Type]) -> Outcome {
    let mut module = Module::default();
    let (mut b, params) = Build::new("kernel", types);
    let axes = types.iter().filter_map(|ty| ty.axes().cloned()).fold(AxisSet::empty(), |all, axes| all.union(&axes));
    let outputs: Vec<Type> =
        kernel.outputs.iter().map(|&output| Type::tensor(elem_of(kernel.dtype(output)), axes.clone())).collect();
    let dest = b.many(&outputs, Op::Kernel { kernel: Box::new(kernel), args: params });
    let func = b.finish(&mut module, &dest);
    Run::new(module).both(func, args)
}

/// Elements of a type, edges among them.
fn elements(dice: &mut Dice, dtype: DType, axes: &[(locus::base::axis::Axis, usize)]) -> Value {
    let n = axes.iter().map(|axis| axis.1).product();
    let float = |dice: &mut Dice| match dice.below(4) {
        0 => dice.pick(&FLOATS),
        _ => dice.below(1000) as f64 / 100.0 - 5.0,
    };
    match dtype {
        DType::F32 => tensor(axes, &(0..n).map(|_| float(dice) as f32).collect::<Vec<_>>()),
        DType::F64 => tensor(axes, &(0..n).map(|_| float(dice)).collect::<Vec<_>>()),
        DType::I64 => tensor(axes, &(0..n).map(|_| dice.pick(&INTS)).collect::<Vec<_>>()),
        DType::Bool => tensor(axes, &(0..n).map(|_| dice.below(2) as u8).collect::<Vec<_>>()),
    }
}

fn single(dice: &mut Dice, dtype: DType) -> Value {
    match dtype {
        DType::F32 => Value::F32(dice.pick(&FLOATS) as f32),
        DType::F64 => Value::F64(dice.pick(&FLOATS)),
        DType::I64 => Value::Int(dice.pick(&INTS)),
        DType::Bool => Value::Bool(dice.below(2) == 0),
    }
}

/// A random kernel over inputs of these types.
fn random_kernel(dice: &mut Dice, inputs: &[DType], scalar: &[bool], steps: usize) -> Kernel {
    let mut kernel = Kernel { inputs: inputs.to_vec(), scalar: scalar.to_vec(), ..Kernel::default() };
    while kernel.steps.len() < steps {
        let known = (inputs.len() + kernel.steps.len()) as u32;
        let op = dice.pick(ALL);
        let args: Vec<u32> = (0..op.arity()).map(|_| dice.below(known as usize) as u32).collect();
        let types: Vec<DType> = args.iter().map(|&arg| kernel.dtype(arg)).collect();
        let fits = match op {
            ScalarOp::Where => types[0] == DType::Bool && types[1] == types[2],
            ScalarOp::Cast(_) => true,
            _ => takes(op, types[0]) && types.iter().all(|&ty| ty == types[0]),
        };
        if fits && !op.can_fail(&types) {
            kernel.steps.push(Step { op, args, result: op.result(&types) });
        }
    }
    let known = inputs.len() + steps;
    kernel.outputs = vec![known as u32 - 1, dice.below(known) as u32];
    kernel
}

fn compare_random(seed: u64, inputs: &[DType], steps: usize) {
    let mut dice = Dice::new(seed);
    let mut scalar: Vec<bool> = inputs.iter().map(|_| dice.below(4) == 0).collect();
    scalar[0] = false;
    let kernel = random_kernel(&mut dice, inputs, &scalar, steps);
    let (row, col) = (axis("row"), axis("col"));
    let (rows, cols) = (dice.pick(&[1, 2, 3, 40]), dice.pick(&[1usize, 3, 15, 16, 17, 33, 1023, 1024, 1025]));
    let shapes = [vec![(row, rows), (col, cols)], vec![(col, cols), (row, rows)], vec![(col, cols)], vec![(row, rows)]];
    let (mut args, mut types) = (Vec::new(), Vec::new());
    for (at, &dtype) in inputs.iter().enumerate() {
        let shape = if at == 0 { shapes[0].clone() } else { shapes[dice.below(4)].clone() };
        let axes: AxisSet = shape.iter().filter(|_| !scalar[at]).map(|axis| axis.0).collect();
        types.push(Type::tensor(elem_of(dtype), axes));
        args.push(if scalar[at] { single(&mut dice, dtype) } else { elements(&mut dice, dtype, &shape) });
    }
    let shown = format!("{kernel:?} on {rows} by {cols}");
    let outcome = run_kernel(kernel, &args, &types);
    assert!(outcome.is_ok(), "seed {seed}: {shown}: {outcome:?}");
}

#[test]
fn random_kernels_over_f32() {
    use DType::*;
    for seed in 1..50 {
        compare_random(seed, &[F32, F32, F32], 1 + seed as usize % 9);
        compare_random(seed + 1000, &[F32, Bool, F32, Bool], 1 + seed as usize % 7);
    }
}

#[test]
fn random_kernels_over_other_types() {
    use DType::*;
    for seed in 1..30 {
        compare_random(seed, &[F64, F64, Bool], 1 + seed as usize % 8);
        compare_random(seed + 1000, &[F32, F64, I64, Bool], 1 + seed as usize % 9);
        compare_random(seed + 2000, &[Bool, Bool], 1 + seed as usize % 4);
        compare_random(seed + 3000, &[I64, I64, F32], 1 + seed as usize % 4);
    }
}

/// Every operation alone, as the checker makes them: an operation on tensors, not a kernel.
#[test]
fn single_operations_are_kernels_too() {
    let row = axis("row");
    for &op in ALL {
        for dtype in [DType::F32, DType::F64, DType::I64, DType::Bool] {
            if matches!(op, ScalarOp::Where) || !(takes(op, dtype) || matches!(op, ScalarOp::Cast(_))) {
                continue;
            }
            let mut module = Module::default();
            let types = vec![vector(elem_of(dtype), &[row]); op.arity()];
            let (mut b, params) = Build::new("single", &types);
            let result = b.elem(op, &params);
            let func = b.finish(&mut module, &[result]);
            let mut dice = Dice::new(7);
            let args: Vec<Value> = types.iter().map(|_| elements(&mut dice, dtype, &[(row, 50)])).collect();
            let outcome = Run::new(module).both(func, &args);
            let failing = op.can_fail(&[dtype]);
            assert!(outcome.is_ok() || failing, "{op:?} of {dtype:?}: {outcome:?}");
        }
    }
}

/// The place of a NaN: with `--check-finite` the kernel that makes it is the fault, not what made an infinity before.
#[test]
fn kernels_are_checked_for_nan() {
    let row = axis("row");
    let mut module = Module::default();
    let (mut b, params) = Build::new("logs", &[vector(Elem::F32, &[row])]);
    let doubled = b.elem(ScalarOp::Add, &[params[0], params[0]]);
    let log = b.elem(ScalarOp::Log, &[doubled]);
    let func = b.finish(&mut module, &[log]);
    let mut run = Run::new(module);
    let bad = tensor(&[(row, 3)], &[1.0f32, -1.0, 2.0]);
    assert!(run.both(func, &[bad.clone()]).is_ok());
    run.check_finite = true;
    assert_eq!(run.fault(func, &[bad]), ("R006", 2, vec![]));
    assert!(run.both(func, &[tensor(&[(row, 2)], &[1.0f32, f32::INFINITY])]).is_ok());
}
