//! The statements of a sweep, one after the other: over whole tensors, or over the rows of one block.
//!
//! A value is dropped at its last use, so that the kernel that reads it last writes into its memory.

use crate::base::axis::Axis;
use crate::base::ops::{DType, ReduceKind};
use crate::base::sweep::{Step, Sweep, Work};
use crate::rt::contract::contract;
use crate::rt::elementwise::{self, SliceMut, Target, TileFn};
use crate::rt::error::{Error, Result, code};
use crate::rt::reduce;
use crate::rt::tensor::Tensor;
use crate::rt::value::Value;

/// What running the statements gave.
pub struct Outcome {
    /// By number; emptied at the last use.
    pub values: Vec<Value>,
    /// For each total, in order, the sums of its tiles: only if `in_parts`.
    pub totals: Vec<Vec<f64>>,
}

/// All statements over whole tensors; gives the outputs.
pub fn whole(sweep: &Sweep, codes: &[Option<TileFn>], args: Vec<Value>) -> Result<Vec<Value>> {
    let mut outcome = execute(sweep, codes, args, &sweep.last_uses(), false, &mut [])?;
    Ok(outputs(sweep, &mut outcome.values))
}

/// Takes the outputs; one that is listed twice is shared.
fn outputs(sweep: &Sweep, values: &mut [Value]) -> Vec<Value> {
    sweep.outputs.iter().map(|&output| values.get(output as usize).cloned().unwrap_or_default()).collect()
}

/// Where a value that nothing in the sweep reads is written as it is made.
pub struct Place<'a> {
    pub number: u32,
    pub memory: SliceMut<'a>,
    pub order: &'a [Axis],
    /// The input whose elements the memory holds and which only the maker of the value reads. It has dims only.
    pub holds: Option<u32>,
}

/// Runs the statements. `last` says when a value may go. With `in_parts`, totals are left as the sums of their tiles.
/// A value that was written to its place is `None`.
pub fn execute(
    sweep: &Sweep,
    codes: &[Option<TileFn>],
    args: Vec<Value>,
    last: &[usize],
    in_parts: bool,
    places: &mut [Place],
) -> Result<Outcome> {
    let mut values = args;
    values.resize(sweep.inputs, Value::None);
    let mut totals = Vec::new();
    for (number, step) in sweep.steps.iter().enumerate() {
        let operands = operands(&mut values, step, number, last);
        if let (Work::Total { .. }, true) = (&step.work, in_parts) {
            totals.push(reduce::tile_sums(tensor(&operands, 0)?)?);
            values.push(Value::None);
            continue;
        }
        let code = codes.get(number).copied().flatten();
        let made = match &step.work {
            Work::Kernel(kernel) => {
                let targets = targets(step, values.len() as u32, places);
                elementwise::run_into(kernel, code, operands, targets)?
            }
            _ => vec![perform(step, operands)?],
        };
        if made.len() != step.results as usize {
            return Err(Error::new(code::INTERNAL, "a step of a sweep made another number of values than it says"));
        }
        values.extend(made);
    }
    Ok(Outcome { values, totals })
}

/// The operands of a step, taken where this is their last use.
fn operands(values: &mut [Value], step: &Step, number: usize, last: &[usize]) -> Vec<Value> {
    let mut found = Vec::with_capacity(step.args.len());
    for (place, &arg) in step.args.iter().enumerate() {
        let arg = arg as usize;
        let again = step.args[place + 1..].iter().any(|&other| other as usize == arg);
        found.push(match values.get_mut(arg) {
            Some(value) if last[arg] == number && !again => std::mem::take(value),
            Some(value) => value.clone(),
            None => Value::None,
        });
    }
    found
}

/// The places of what a step makes, whose first value has the number `first`.
fn targets<'a>(step: &Step, first: u32, places: &'a mut [Place]) -> Vec<Target<'a>> {
    let made = first..first + step.results;
    let mine = places.iter_mut().filter(|place| made.contains(&place.number));
    mine.map(|place| Target {
        output: (place.number - first) as usize,
        holds: place.holds.and_then(|input| step.args.iter().position(|&arg| arg == input)),
        memory: place.memory.lend(),
        order: place.order,
    })
    .collect()
}

fn perform(step: &Step, args: Vec<Value>) -> Result<Value> {
    match &step.work {
        Work::Kernel(_) => Err(Error::new(code::INTERNAL, "a kernel is run by itself")),
        Work::Reduce { kind, axis } => reduce::reduce(*kind, tensor(&args, 0)?, &[*axis]),
        Work::Dot { axis } => contract(tensor(&args, 0)?, tensor(&args, 1)?, &[*axis]),
        Work::Total { kind, axes } => reduce::reduce(*kind, tensor(&args, 0)?, axes),
    }
}

/// A total from the sums of all tiles, in the type that the reduction gives.
pub fn finish_total(kind: ReduceKind, dtype: DType, tiles: &[f64]) -> Value {
    let sum = reduce::total_of(tiles);
    if kind == ReduceKind::Sum && dtype == DType::F32 { Value::F32(sum as f32) } else { Value::F64(sum) }
}

fn tensor(args: &[Value], at: usize) -> Result<&Tensor> {
    match args.get(at) {
        Some(Value::Tensor(tensor)) => Ok(tensor),
        _ => Err(Error::new(code::INTERNAL, "a step of a sweep needs a tensor")),
    }
}
