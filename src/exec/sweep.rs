//! A sweep on values: block by block, or its statements one by one where an operand is not plain or each result is to
//! be looked at.

use crate::base::sweep::{Step, Sweep, Work};
use crate::ir::{AxisSet, LocalId, Op};
use crate::rt::ctx::Ctx;
use crate::rt::elementwise::TileFn;
use crate::rt::error::Result;
use crate::rt::sweep;
use crate::rt::value::Value;

use super::op;

/// Runs a sweep; `codes` holds the compiled form of each step that has one.
pub fn execute(ctx: &mut Ctx, sweep: &Sweep, codes: &[Option<TileFn>], args: Vec<Value>) -> Result<Vec<Value>> {
    let other = |arg: &Value| matches!(arg, Value::Sparse(_) | Value::Chunked(_));
    if ctx.check_finite || args.iter().any(other) {
        return one_by_one(ctx, sweep, codes, args);
    }
    sweep::run(sweep, codes, args)
}

fn one_by_one(ctx: &mut Ctx, sweep: &Sweep, codes: &[Option<TileFn>], args: Vec<Value>) -> Result<Vec<Value>> {
    let last = sweep.last_uses();
    let mut values = args;
    values.resize(sweep.inputs, Value::None);
    for (number, step) in sweep.steps.iter().enumerate() {
        let mut operands: Vec<Value> = step.args.iter().map(|&arg| values[arg as usize].clone()).collect();
        // What nothing reads later is given away.
        for &arg in step.args.iter().filter(|&&arg| last[arg as usize] == number) {
            values[arg as usize] = Value::None;
        }
        let operation = operation(step);
        let made = match &step.work {
            Work::Kernel(kernel) => {
                let code = codes.get(number).copied().flatten();
                op::execute_kernel(ctx, &operation, kernel, code, std::mem::take(&mut operands))?
            }
            _ => op::execute(ctx, &operation, std::mem::take(&mut operands), &[])?,
        };
        values.extend(made);
    }
    Ok(sweep.outputs.iter().map(|&output| values[output as usize].clone()).collect())
}

/// The operation that a step stands for. Its operands are not named: whoever runs it has their values.
fn operation(step: &Step) -> Op {
    let args: Vec<LocalId> = step.args.iter().map(|&arg| LocalId(arg)).collect();
    let first = args.first().copied().unwrap_or(LocalId(0));
    match &step.work {
        Work::Kernel(kernel) => Op::Kernel { kernel: kernel.clone(), args },
        Work::Reduce { kind, axis } => Op::Reduce { kind: *kind, arg: first, axes: AxisSet::one(*axis) },
        Work::Dot { axis } => {
            Op::Contract { a: first, b: args.get(1).copied().unwrap_or(first), axes: AxisSet::one(*axis) }
        }
        Work::Total { kind, axes } => Op::Reduce { kind: *kind, arg: first, axes: axes.iter().copied().collect() },
    }
}
