//! Elementwise kernels over named-axis tensors: shapes, tiles, threads, reuse of memory.
//!
//! The result lies over the union of the arguments' axes. It is made in tiles of at most `TILE` elements: what is
//! contiguous in an argument is read where it lies, anything else (broadcast, transposed) is copied to a scratch
//! first, so that both the compiled code and the interpreter only ever see contiguous elements. Nothing here may
//! depend on the number of threads: each element is a function of its operands alone.

use rayon::prelude::*;

use super::error::{Error, Result, code};
use super::tensor::{Buffer, Dim, Tensor, dense_dims};
use super::value::Value;
use crate::base::axis::Axis;
use crate::base::kernel::Kernel;

mod cells;
mod interpret;
mod layout;
pub(super) mod reuse;
mod scalar;
mod steps;
mod tiles;

pub use super::simd::TileFn;
pub use layout::union_shape;
pub use scalar::scalar;

use cells::Cells;
pub(super) use cells::{Slice, SliceMut};
use interpret::Program;
use layout::Layout;

/// Most elements of a tile.
pub const TILE: usize = 1024;
/// Tensors with more elements are spread over threads.
const PARALLEL: usize = 1 << 16;
/// Elements of one task, at least: fixed, so that nothing depends on the number of threads.
const TASK: usize = 1 << 14;

/// Where the elements of one input come from.
enum Input<'a> {
    Tensor(Slice<'a>),
    /// The argument's memory became that of this output: read each tile before it is written.
    Output(usize),
    /// One element for the whole call.
    One(Cells),
}

/// Everything that the tasks share.
struct Job<'a> {
    kernel: &'a Kernel,
    layout: Layout,
    inputs: Vec<Input<'a>>,
    code: Option<TileFn>,
    program: Program,
}

/// Runs a kernel; `code` is its compiled form, without which it is interpreted, with the same bits.
pub fn run(kernel: &Kernel, code: Option<TileFn>, args: Vec<Value>) -> Result<Vec<Value>> {
    run_into(kernel, code, args, Vec::new())
}

/// Memory that an output is to be written to.
pub(super) struct Target<'a> {
    /// Which output.
    pub output: usize,
    pub memory: SliceMut<'a>,
    /// The axes of the memory in physical order; if the output is laid out otherwise, it becomes a value as ever.
    pub order: &'a [Axis],
    /// The argument whose elements the memory holds now. The argument itself has dims and no elements.
    pub holds: Option<usize>,
}

/// The same, with some outputs written where the caller says: the value of such an output is `None`.
pub(super) fn run_into(
    kernel: &Kernel,
    code: Option<TileFn>,
    mut args: Vec<Value>,
    targets: Vec<Target>,
) -> Result<Vec<Value>> {
    let program = Program::new(kernel)?;
    check_arguments(kernel, &args)?;
    let dims = {
        let tensors: Vec<&Tensor> = args.iter().filter_map(tensor).collect();
        layout::result_dims(&tensors)?
    };
    let targets = fitting(&dims, targets, &mut args)?;
    turned(&dims, &mut args)?;
    let layout = Layout::new(&dims, &args.iter().map(tensor).collect::<Vec<_>>());
    let placed: Vec<usize> = targets.iter().map(|target| target.output).collect();
    let (mut buffers, mut reused) = reuse::outputs(kernel, &dims, &mut args, &placed)?;
    for target in &targets {
        reused[target.output] = target.holds;
    }
    let mut inputs = Vec::with_capacity(args.len());
    for (number, arg) in args.iter().enumerate() {
        inputs.push(match (reused.iter().position(|&it| it == Some(number)), arg) {
            (Some(output), _) => Input::Output(output),
            (None, Value::Tensor(tensor)) => Input::Tensor(Slice::of(&tensor.buffer)),
            (None, value) => Input::One(Cells::from_scalar(value, kernel.inputs[number])?),
        });
    }
    let job = Job { kernel, layout, inputs, code, program };
    run_tasks(&job, &mut buffers, targets)?;
    let value = |(number, buffer)| if placed.contains(&number) { Value::None } else { result(&dims, buffer) };
    Ok(buffers.into_iter().enumerate().map(value).collect())
}

/// The targets that are laid out as the result is. What one of the others held becomes an ordinary argument.
fn fitting<'a>(dims: &[Dim], targets: Vec<Target<'a>>, args: &mut [Value]) -> Result<Vec<Target<'a>>> {
    let mut fitting = Vec::with_capacity(targets.len());
    let count: usize = dims.iter().map(|dim| dim.len).product();
    for target in targets {
        let same_order = dims.iter().map(|dim| dim.axis).eq(target.order.iter().copied());
        if same_order && target.memory.len() == count {
            fitting.push(target);
        } else if let Some(Value::Tensor(tensor)) = target.holds.and_then(|number| args.get_mut(number)) {
            let mut own = Tensor::scratch(tensor.dtype(), &tensor.shape())?;
            SliceMut::of(&mut own.buffer)?.copy_from(target.memory.read(0, tensor.elements()));
            tensor.buffer = own.buffer;
        }
    }
    Ok(fitting)
}

fn tensor(value: &Value) -> Option<&Tensor> {
    match value {
        Value::Tensor(tensor) => Some(tensor),
        _ => None,
    }
}

/// Elements from which an argument that lies otherwise than the result is copied as a whole.
const WORTH_TURNING: usize = 1 << 13;

/// Lays large arguments out like the result where their elements lie far apart along its innermost axis: tiles would pick
/// one element from each cache line.
fn turned(dims: &[Dim], args: &mut [Value]) -> Result<()> {
    let Some(inner) = dims.iter().rev().find(|dim| dim.len > 1) else { return Ok(()) };
    for arg in args {
        let Value::Tensor(tensor) = &*arg else { continue };
        let far = tensor.dim(inner.axis).is_some_and(|dim| !matches!(dim.stride, 0 | 1));
        let repeats = tensor.dims.iter().any(|dim| dim.stride == 0 && dim.len > 1);
        if far && !repeats && tensor.elements() >= WORTH_TURNING {
            let order: Vec<_> = dims.iter().map(|dim| dim.axis).filter(|&axis| tensor.dim(axis).is_some()).collect();
            *arg = Value::Tensor(tensor.in_order(&order)?);
        }
    }
    Ok(())
}

fn result(dims: &[Dim], buffer: Buffer) -> Value {
    Value::Tensor(Tensor { dims: dims.to_vec(), offset: 0, buffer })
}

/// Do the arguments fit the kernel? A misfit is a fault of the compiler, not of the script.
fn check_arguments(kernel: &Kernel, args: &[Value]) -> Result<()> {
    let fault = |text: String| Err(Error::new(code::INTERNAL, text));
    if args.len() != kernel.inputs.len() || args.len() != kernel.scalar.len() {
        return fault(format!("a kernel of {} inputs got {} arguments", kernel.inputs.len(), args.len()));
    }
    for (number, arg) in args.iter().enumerate() {
        if let Value::Tensor(tensor) = arg
            && (kernel.scalar[number] || tensor.dtype() != kernel.inputs[number])
        {
            return fault(format!("argument {number} of a kernel has the wrong kind or type"));
        }
    }
    if !args.iter().any(|arg| matches!(arg, Value::Tensor(_))) {
        return fault("a kernel needs at least one tensor".to_string());
    }
    Ok(())
}

/// A range of tiles and the parts of the outputs that they fill.
struct Task<'a> {
    tiles: std::ops::Range<usize>,
    outputs: Vec<SliceMut<'a>>,
}

/// Cuts the outputs into fixed ranges and works them off; the first fault by position counts.
fn run_tasks(job: &Job, buffers: &mut [Buffer], targets: Vec<Target>) -> Result<()> {
    let mut rest = Vec::with_capacity(buffers.len());
    for buffer in buffers.iter_mut() {
        rest.push(SliceMut::of(buffer)?);
    }
    for target in targets {
        rest[target.output] = target.memory;
    }
    let count = job.layout.tiles();
    if job.layout.elements() <= PARALLEL {
        return tiles::work(job, Task { tiles: 0..count, outputs: rest });
    }
    let step = TASK.div_ceil(job.layout.tile_len().max(1));
    let mut tasks = Vec::with_capacity(count.div_ceil(step));
    let mut first = 0;
    while first < count {
        let last = (first + step).min(count);
        let len = job.layout.start(last) - job.layout.start(first);
        let outputs = rest.iter_mut().map(|slice| slice.split_front(len)).collect();
        tasks.push(Task { tiles: first..last, outputs });
        first = last;
    }
    let outcomes: Vec<Result<()>> = tasks.into_par_iter().map(|task| tiles::work(job, task)).collect();
    outcomes.into_iter().collect()
}

#[cfg(test)]
mod tests;
