//! Blocks of rows over threads, and their results put together.
//!
//! Each result is cut into the parts that the blocks fill. The memory of an argument that nobody else holds becomes that
//! of a result of the same shape: a block copies its part of it before it runs, and no other block reads that part.

use super::plan::{Block, Plan};
use super::steps::{self, Outcome, Place};
use crate::base::axis::Axis;
use crate::base::ops::DType;
use crate::base::sweep::{Step, Sweep, Work};
use crate::rt::elementwise::{Slice, SliceMut, TileFn, reuse};
use crate::rt::error::{Error, Result, code};
use crate::rt::reduce;
use crate::rt::tensor::{Buffer, Dim, Tensor, dense_dims};
use crate::rt::value::Value;
use rayon::prelude::*;

/// A value that is put together from its parts.
struct Made {
    number: u32,
    /// The axes of a part, in physical order.
    order: Vec<Axis>,
    /// Dense, of the whole.
    dims: Vec<Dim>,
    /// Elements of a row.
    width: usize,
    /// The argument whose memory it took.
    from: Option<usize>,
    /// Does no step read it, so that it can be written where it belongs as it is made?
    unread: bool,
    /// Is `from` read by nothing but its maker? Then that reads it where it lies.
    direct: bool,
}

/// What all blocks share.
struct Job<'a> {
    sweep: &'a Sweep,
    codes: &'a [Option<TileFn>],
    plan: &'a Plan,
    args: &'a [Value],
    made: &'a [Made],
    last: Vec<usize>,
}

/// Runs the sweep block by block. `None`, with the arguments as they were, if parts do not follow each other in memory.
pub fn run(sweep: &Sweep, codes: &[Option<TileFn>], plan: &Plan, args: &mut [Value]) -> Result<Option<Vec<Value>>> {
    let last = last_uses(sweep, plan);
    let first = plan.block(0);
    let parts = args.iter().map(|arg| plan.part(arg, &first)).collect();
    let sample = steps::execute(sweep, codes, parts, &last, plan.whole_tiles, &mut [])?;
    let Some(mut made) = shapes(sweep, plan, &sample) else { return Ok(None) };
    let mut buffers = Vec::with_capacity(made.len());
    for one in &mut made {
        buffers.push(memory(one, &sample, args)?);
        one.direct = one.unread && one.from.is_some_and(|input| only_its_maker(sweep, input as u32, one.number));
    }
    let job = Job { sweep, codes, plan, args, made: &made, last };
    let totals = job.spread(sample, &mut buffers)?;
    let wholes: Vec<Value> = made.iter().zip(buffers).map(|(made, buffer)| value(&made.dims, buffer)).collect();
    job.results(&wholes, &totals).map(Some)
}

/// The values to put together: outputs that are no totals, and what totals wait for.
fn wanted(sweep: &Sweep, plan: &Plan) -> Vec<u32> {
    let mut found: Vec<u32> = Vec::new();
    let totals = totals(sweep);
    found.extend(sweep.outputs.iter().filter(|&&output| !totals.iter().any(|total| total.0 == output)));
    if !plan.whole_tiles {
        found.extend(totals.iter().map(|total| sweep.steps[total.1].args[0]));
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// The totals: the number of the value, and of the step.
fn totals(sweep: &Sweep) -> Vec<(u32, usize)> {
    let steps = sweep.steps.iter().enumerate();
    let totals = steps.filter(|(_, step)| matches!(step.work, Work::Total { .. }));
    totals.map(|(number, _)| (sweep.first_result(number), number)).collect()
}

fn last_uses(sweep: &Sweep, plan: &Plan) -> Vec<usize> {
    let mut last = sweep.last_uses();
    wanted(sweep, plan).into_iter().for_each(|number| last[number as usize] = sweep.steps.len());
    last
}

/// What the parts of the first block say of the wholes; `None` if rows do not lie outermost in some part.
fn shapes(sweep: &Sweep, plan: &Plan, sample: &Outcome) -> Option<Vec<Made>> {
    let mut found = Vec::new();
    for number in wanted(sweep, plan) {
        let Value::Tensor(part) = sample.values.get(number as usize)? else { return None };
        let rows = part.dims.get(..plan.rows.len())?;
        if !rows.iter().zip(&plan.rows).all(|(dim, row)| dim.axis == row.0) {
            return None;
        }
        let inner = &part.dims[plan.rows.len()..];
        let shape: Vec<(Axis, usize)> =
            plan.rows.iter().copied().chain(inner.iter().map(|dim| (dim.axis, dim.len))).collect();
        let mut dims = dense_dims(&shape);
        dims.iter_mut().zip(&part.dims).for_each(|(dim, part)| dim.origin = part.origin);
        let order = dims.iter().map(|dim| dim.axis).collect();
        let width = inner.iter().map(|dim| dim.len).product();
        found.push(Made { number, order, dims, width, from: None, unread: readers(sweep, number) == 0, direct: false });
    }
    Some(found)
}

/// Memory for a whole: that of an argument, or new.
fn memory(made: &mut Made, sample: &Outcome, args: &mut [Value]) -> Result<Buffer> {
    let shape: Vec<(Axis, usize)> = made.dims.iter().map(|dim| (dim.axis, dim.len)).collect();
    let dtype = match &sample.values[made.number as usize] {
        Value::Tensor(part) => part.dtype(),
        _ => return Err(Error::new(code::INTERNAL, "a part of a sweep's result is no tensor")),
    };
    made.from = args.iter_mut().position(|arg| reuse::fits(arg, dtype, &shape));
    match made.from.and_then(|number| args.get_mut(number)).map(std::mem::take) {
        Some(Value::Tensor(tensor)) => Ok(tensor.buffer),
        _ => Ok(Tensor::scratch(dtype, &shape)?.buffer),
    }
}

/// How often steps read a value.
fn readers(sweep: &Sweep, number: u32) -> usize {
    sweep.steps.iter().flat_map(|step| &step.args).filter(|&&arg| arg == number).count()
}

/// Is an input read once, by the kernel that makes a value?
fn only_its_maker(sweep: &Sweep, input: u32, number: u32) -> bool {
    let makes = |at: usize, step: &Step| (0..step.results).any(|result| sweep.first_result(at) + result == number);
    let maker = sweep.steps.iter().enumerate().find(|(at, step)| makes(*at, step));
    let kernel = maker.is_some_and(|(_, step)| matches!(step.work, Work::Kernel(_)) && step.args.contains(&input));
    kernel && readers(sweep, input) == 1 && !sweep.outputs.contains(&input)
}

fn value(dims: &[Dim], buffer: Buffer) -> Value {
    Value::Tensor(Tensor { dims: dims.to_vec(), offset: 0, buffer })
}

impl Job<'_> {
    /// Works off all blocks; gives the sums of the tiles of each total. The first fault by position counts.
    fn spread(&self, sample: Outcome, buffers: &mut [Buffer]) -> Result<Vec<Vec<f64>>> {
        let mut rest = Vec::with_capacity(buffers.len());
        for buffer in buffers.iter_mut() {
            rest.push(SliceMut::of(buffer)?);
        }
        let mut tasks = Vec::with_capacity(self.plan.count());
        for number in 0..self.plan.count() {
            let block = self.plan.block(number);
            let parts = rest.iter_mut().zip(self.made).map(|(slice, made)| slice.split_front(block.rows * made.width));
            let parts: Vec<SliceMut> = parts.collect();
            tasks.push((block, parts));
        }
        let mut tasks = tasks.into_iter();
        let mut totals = sample.totals.clone();
        if let Some((_, mut parts)) = tasks.next() {
            self.store(&sample, &mut parts)?;
        }
        drop(sample);
        let tasks: Vec<(Block, Vec<SliceMut>)> = tasks.collect();
        let outcomes: Vec<Result<Vec<Vec<f64>>>> =
            tasks.into_par_iter().map(|(block, mut parts)| self.block(&block, &mut parts)).collect();
        for outcome in outcomes {
            for (total, part) in totals.iter_mut().zip(outcome?) {
                total.extend(part);
            }
        }
        Ok(totals)
    }

    fn block(&self, block: &Block, parts: &mut [SliceMut]) -> Result<Vec<Vec<f64>>> {
        let mut args = Vec::with_capacity(self.args.len());
        for (number, arg) in self.args.iter().enumerate() {
            let taken = self.made.iter().position(|made| made.from == Some(number));
            args.push(match taken {
                Some(output) => self.taken(&self.made[output], block, &parts[output])?,
                None => self.plan.part(arg, block),
            });
        }
        let mut places = Vec::with_capacity(parts.len());
        for (made, part) in self.made.iter().zip(parts.iter_mut()).filter(|(made, _)| made.unread) {
            let holds = made.from.filter(|_| made.direct).map(|input| input as u32);
            places.push(Place { number: made.number, memory: part.lend(), order: &made.order, holds });
        }
        let (codes, tiles) = (self.codes, self.plan.whole_tiles);
        let outcome = steps::execute(self.sweep, codes, args, &self.last, tiles, &mut places)?;
        drop(places);
        self.store(&outcome, parts)?;
        Ok(outcome.totals)
    }

    /// What an argument held before its memory became a result's: copied, or its dims alone if it is read there.
    fn taken(&self, made: &Made, block: &Block, part: &SliceMut) -> Result<Value> {
        let mut shape: Vec<(Axis, usize)> = made.dims.iter().map(|dim| (dim.axis, dim.len)).collect();
        shape.iter_mut().zip(&block.ranges).for_each(|(dim, range)| dim.1 = range.1);
        let mut dims = dense_dims(&shape);
        dims.iter_mut().zip(&made.dims).for_each(|(dim, whole)| dim.origin = whole.origin);
        if made.direct {
            let buffer = Tensor::scratch(part.dtype(), &[(made.order[0], 0)])?.buffer;
            return Ok(Value::Tensor(Tensor { dims, offset: 0, buffer }));
        }
        let mut buffer = Tensor::scratch(part.dtype(), &shape)?.buffer;
        SliceMut::of(&mut buffer)?.copy_from(part.read(0, block.rows * made.width));
        Ok(Value::Tensor(Tensor { dims, offset: 0, buffer }))
    }

    fn store(&self, outcome: &Outcome, parts: &mut [SliceMut]) -> Result<()> {
        for (made, part) in self.made.iter().zip(parts) {
            let tensor = match outcome.values.get(made.number as usize) {
                Some(Value::Tensor(tensor)) => tensor,
                // Written as it was made.
                Some(Value::None) if made.unread => continue,
                _ => return Err(Error::new(code::INTERNAL, "a part of a sweep's result is missing")),
            };
            let dense = tensor.in_order(&made.order)?;
            let len = dense.elements();
            part.copy_from(Slice::of(&dense.buffer).part(dense.offset, len));
        }
        Ok(())
    }

    /// The outputs in their order, totals finished.
    fn results(&self, wholes: &[Value], tiles: &[Vec<f64>]) -> Result<Vec<Value>> {
        let totals = totals(self.sweep);
        let whole = |number: u32| -> Result<&Value> {
            let found = self.made.iter().position(|made| made.number == number).and_then(|at| wholes.get(at));
            found.ok_or_else(|| Error::new(code::INTERNAL, "a result of a sweep is missing"))
        };
        let mut results = Vec::with_capacity(self.sweep.outputs.len());
        for &output in &self.sweep.outputs {
            let Some(at) = totals.iter().position(|total| total.0 == output) else {
                results.push(whole(output)?.clone());
                continue;
            };
            let step = &self.sweep.steps[totals[at].1];
            let Work::Total { kind, axes } = &step.work else { continue };
            results.push(match (tiles.get(at), whole(step.args[0])) {
                (Some(tiles), _) => steps::finish_total(*kind, self.element(step.args[0]), tiles),
                (None, Ok(Value::Tensor(tensor))) => reduce::reduce(*kind, tensor, axes)?,
                _ => return Err(Error::new(code::INTERNAL, "a total of a sweep is missing")),
            });
        }
        Ok(results)
    }

    /// The element type of a value that a kernel makes.
    fn element(&self, number: u32) -> DType {
        for (at, step) in self.sweep.steps.iter().enumerate() {
            let first = self.sweep.first_result(at);
            if let Work::Kernel(kernel) = &step.work
                && (first..first + step.results).contains(&number)
            {
                return kernel.dtype(kernel.outputs[(number - first) as usize]);
            }
        }
        DType::F64
    }
}
