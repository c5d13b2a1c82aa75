//! The bodies of the steps that machine code asks for, in safe Rust.
//!
//! Each is given the state, where the caller's frame begins, and the site; an error becomes a fault with the site's
//! span in the wrapper that `table` writes around it.

use crate::base::axis::Axis;
use crate::base::span::Span;
use crate::exec::{buffers, internal, op, too_deep};
use crate::ir::Type;
use crate::rt::elementwise::TileFn;
use crate::rt::error::{Error, Result as Outcome};
use crate::rt::index;
use crate::rt::tensor::{Buffer, Element, Tensor};
use crate::rt::value::Value;
use std::sync::Arc;

use super::state::{Action, Execution, Object, Place, Run, Site, Source, Work, from_cell, to_cell};

/// What a step sees: the frame's base, the exchange cells, and the rest of the state.
pub struct Step<'s, 'a> {
    pub run: &'s mut Run<'a>,
    pub cells: &'s mut [u64],
    pub base: usize,
}

/// An error, and its place if that is not the site's own.
pub struct Failure {
    pub error: Error,
    pub span: Option<Span>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure { error, span: None }
    }
}

type Result<T> = std::result::Result<T, Failure>;

fn wrong_site<T>() -> Result<T> {
    Err(internal("machine code asked for a step with the site of another").into())
}

impl Step<'_, '_> {
    fn read(&mut self, object: Object) -> Value {
        match self.run.objects.get_mut(self.base + object.slot as usize) {
            Some(place) if object.take => std::mem::take(place),
            Some(place) => place.clone(),
            None => Value::None,
        }
    }

    fn write(&mut self, slot: u32, value: Value) -> Outcome<()> {
        match self.run.objects.get_mut(self.base + slot as usize) {
            Some(place) => {
                *place = value;
                Ok(())
            }
            None => Err(internal("a slot outside the frame")),
        }
    }

    fn cell(&mut self, at: usize, bits: u64) -> Outcome<()> {
        match self.cells.get_mut(at) {
            Some(cell) => {
                *cell = bits;
                Ok(())
            }
            None => Err(internal("too few exchange cells")),
        }
    }

    fn get(&self, at: usize) -> u64 {
        self.cells.get(at).copied().unwrap_or(0)
    }

    fn slot(&self, slot: u32) -> &Value {
        self.run.objects.get(self.base + slot as usize).unwrap_or(&Value::None)
    }
}

/// Runs an operation through the executor.
pub fn execute(step: &mut Step, site: &Site) -> Result<()> {
    let Action::Execute(work) = &site.action else { return wrong_site() };
    let mut args = Vec::with_capacity(work.args.len());
    for (at, source) in work.args.iter().enumerate() {
        args.push(match *source {
            Source::Cell(dtype) => from_cell(step.get(at), dtype),
            Source::Slot(object) => step.read(object),
        });
    }
    step.run.ctx.at(site.span);
    let results = perform(step, work, args)?;
    for (at, (place, value)) in work.dests.iter().zip(results).enumerate() {
        match place {
            Place::Slot(slot) => step.write(*slot, value)?,
            Place::Cell => {
                let bits = to_cell(&value).ok_or_else(|| internal("an operation gave no scalar where one was due"))?;
                step.cell(at, bits)?;
            }
        }
    }
    Ok(())
}

fn perform(step: &mut Step, work: &Execution, mut args: Vec<Value>) -> Outcome<Vec<Value>> {
    match &work.work {
        Work::Op(op) => {
            let types: Vec<&Type> = work.types.iter().collect();
            op::execute(step.run.ctx, op, args, &types)
        }
        Work::Kernel(op, kernel, code) => {
            let code = code.and_then(|number| step.run.kernels.get(number).copied().flatten());
            op::execute_kernel(step.run.ctx, op, kernel, code, args)
        }
        Work::Sweep(line, codes) => {
            let code = |number: &Option<usize>| number.and_then(|at| step.run.kernels.get(at).copied().flatten());
            let codes: Vec<Option<TileFn>> = codes.iter().map(code).collect();
            op::execute_sweep(step.run.ctx, line, &codes, args)
        }
        Work::GlobalGet(global) => Ok(vec![step.run.globals.get(global.0 as usize).cloned().unwrap_or_default()]),
        Work::GlobalSet(global) => {
            let place = global.0 as usize;
            if step.run.globals.len() <= place {
                step.run.globals.resize(place + 1, Value::None);
            }
            step.run.globals[place] = args.pop().unwrap_or_default();
            Ok(Vec::new())
        }
    }
}

/// Moves values between slots; all are read before the first is written, so that exchanges work.
pub fn arrange(step: &mut Step, site: &Site) -> Result<()> {
    let Action::Arrange(moves) = &site.action else { return wrong_site() };
    if let [(from, to)] = moves[..] {
        let value = step.read(from);
        return Ok(step.write(to, value)?);
    }
    let values: Vec<Value> = moves.iter().map(|&(from, _)| step.read(from)).collect();
    for (&(_, to), value) in moves.iter().zip(values) {
        step.write(to, value)?;
    }
    Ok(())
}

pub fn release(step: &mut Step, site: &Site) -> Result<()> {
    let Action::Release(slots) = &site.action else { return wrong_site() };
    Ok(slots.iter().try_for_each(|&slot| step.write(slot, Value::None))?)
}

pub fn prepare(step: &mut Step, site: &Site) -> Result<()> {
    let Action::Prepare { args, above, slots } = &site.action else { return wrong_site() };
    let start = step.base + *above as usize;
    let end = start + *slots as usize;
    if step.run.objects.len() < end {
        step.run.objects.resize(end, Value::None);
    }
    for (at, &object) in args.iter().enumerate() {
        let value = step.read(object);
        step.write(above + at as u32, value)?;
    }
    Ok(())
}

pub fn leave(step: &mut Step, site: &Site) -> Result<()> {
    let Action::Leave { results, slots } = &site.action else { return wrong_site() };
    let values: Vec<Value> = results.iter().map(|&object| step.read(object)).collect();
    step.run.returned = values;
    Ok((0..*slots).try_for_each(|slot| step.write(slot, Value::None))?)
}

pub fn finish(step: &mut Step, site: &Site) -> Result<()> {
    let Action::Finish(slots) = &site.action else { return wrong_site() };
    let values = std::mem::take(&mut step.run.returned);
    Ok(slots.iter().zip(values).try_for_each(|(&slot, value)| step.write(slot, value))?)
}

/// Notes a call on the way out of a failed one.
pub fn trace(step: &mut Step, site: &Site) -> Result<()> {
    if let Some(fault) = &mut step.run.fault {
        fault.trace.push(site.span);
    }
    Ok(())
}

pub fn depth(_: &mut Step, _: &Site) -> Result<()> {
    Err(too_deep().into())
}

pub fn interrupted(step: &mut Step, _: &Site) -> Result<()> {
    Ok(step.run.ctx.check_interrupt()?)
}

/// Makes the tensors of a comprehension from the sizes in the cells; their addresses come back in the cells.
pub fn buffers(step: &mut Step, site: &Site) -> Result<()> {
    let Action::Buffers { axes, dests } = &site.action else { return wrong_site() };
    let sizes: Vec<(Axis, i64)> = axes.iter().enumerate().map(|(at, &axis)| (axis, step.get(at) as i64)).collect();
    for (at, &(dtype, slot)) in dests.iter().enumerate() {
        let mut tensor = buffers::allocate(step.run.ctx, dtype, &sizes)?;
        let address = writable(&mut tensor)?;
        step.write(slot, Value::Tensor(tensor))?;
        step.cell(at, address)?;
    }
    step.run.ctx.within(site.span);
    Ok(())
}

/// The address of the first element of a tensor that nobody shares. It stays while the tensor lives.
fn writable(tensor: &mut Tensor) -> Outcome<u64> {
    fn first<T: Element>(buffer: &mut Buffer) -> Option<u64> {
        let values = Arc::get_mut(T::open_mut(buffer)?)?;
        Some(values.as_mut_ptr() as u64)
    }
    let buffer = &mut tensor.buffer;
    let found = match tensor.dims.first() {
        None => None,
        Some(_) => first::<f32>(buffer)
            .or_else(|| first::<f64>(buffer))
            .or_else(|| first::<i64>(buffer))
            .or_else(|| first::<u8>(buffer)),
    };
    found.ok_or_else(|| internal("a comprehension has no tensor of its own"))
}

/// Describes a tensor to machine code. What is not such a tensor gets lengths of 0, so that every read of it takes
/// the slow path, which has the words.
pub fn view(step: &mut Step, site: &Site) -> Result<()> {
    let Action::View { slot, dtype, axes } = &site.action else { return wrong_site() };
    let mut found = vec![0u64; 1 + 2 * axes.len()];
    if matches!(step.slot(*slot), Value::Sparse(_) | Value::Chunked(_)) {
        let plain = step.slot(*slot).clone().plain()?;
        step.write(*slot, plain)?;
    }
    match step.slot(*slot) {
        Value::Tensor(tensor) if tensor.dtype() == *dtype && tensor.rank() == axes.len() && in_bounds(tensor) => {
            describe(tensor, axes, &mut found);
        }
        _ => {}
    }
    Ok(found.into_iter().enumerate().try_for_each(|(at, bits)| step.cell(at, bits))?)
}

fn describe(tensor: &Tensor, axes: &[Axis], found: &mut [u64]) {
    let bytes = tensor.dtype().bytes();
    let start = match &tensor.buffer {
        Buffer::F32(values) => values.as_ptr() as u64,
        Buffer::F64(values) => values.as_ptr() as u64,
        Buffer::I64(values) => values.as_ptr() as u64,
        Buffer::Bool(values) => values.as_ptr() as u64,
    };
    for (at, &axis) in axes.iter().enumerate() {
        let Some(dim) = tensor.dim(axis) else {
            found.fill(0);
            return;
        };
        found[1 + 2 * at] = dim.len as u64;
        found[2 + 2 * at] = (dim.stride * bytes as isize) as u64;
    }
    found[0] = start.wrapping_add((tensor.offset * bytes) as u64);
}

/// Do all elements lie inside the buffer? Machine code relies on it after testing indices against lengths.
fn in_bounds(tensor: &Tensor) -> bool {
    let held = match &tensor.buffer {
        Buffer::F32(values) => values.len(),
        Buffer::F64(values) => values.len(),
        Buffer::I64(values) => values.len(),
        Buffer::Bool(values) => values.len(),
    } as i128;
    if tensor.dims.iter().any(|dim| dim.len == 0) {
        return true;
    }
    let (mut low, mut high) = (tensor.offset as i128, tensor.offset as i128);
    for dim in &tensor.dims {
        let reach = (dim.len as i128 - 1) * dim.stride as i128;
        if reach < 0 { low += reach } else { high += reach }
    }
    low >= 0 && high < held
}

/// Repeats a chain of selections, one of which was out of bounds, for its error.
pub fn chain(step: &mut Step, site: &Site) -> Result<()> {
    let Action::Chain { slot, links } = &site.action else { return wrong_site() };
    let mut value = step.slot(*slot).clone();
    for (at, &(axis, span)) in links.iter().enumerate() {
        let selected = match &value {
            Value::Tensor(tensor) => index::select(tensor, axis, step.get(at) as i64),
            other => Err(internal(format!("expected a tensor, found {}", op::kind(other)))),
        };
        value = selected.map_err(|error| Failure { error, span: Some(span) })?;
    }
    Err(internal("a bounds test of machine code disagrees with the runtime's").into())
}
