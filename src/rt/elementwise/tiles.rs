//! Works off a range of tiles with compiled code or the interpreter. Each task has a scratch of its own.

use super::cells::{Cells, Slice, SliceMut};
use super::layout::Tile;
use super::{Input, Job, TILE, Task, steps};
use crate::rt::error::Result;

/// The scratch of a task.
struct Scratch {
    /// For each input: a tile of copied elements (or of a scalar repeated), made when first needed.
    inputs: Vec<Option<Cells>>,
    /// For each slot of the interpreter.
    slots: Vec<Cells>,
}

pub fn work(job: &Job, mut task: Task) -> Result<()> {
    if at_once(job, &mut task) {
        return Ok(());
    }
    let size = TILE.min(job.layout.tile_len());
    let mut scratch = Scratch { inputs: job.inputs.iter().map(|_| None).collect(), slots: Vec::new() };
    for (number, input) in job.inputs.iter().enumerate() {
        // Compiled code reads a scalar input once; everything else reads whole tiles.
        let single = job.code.is_some() && job.kernel.scalar[number];
        if let Input::One(cell) = input {
            scratch.inputs[number] = Some(cell.repeated(if single { 1 } else { size }));
        }
    }
    if job.code.is_none() {
        scratch.slots = job.program.slots.iter().map(|&dtype| Cells::zeros(dtype, size)).collect();
    }
    let begin = job.layout.start(task.tiles.start);
    let mut pointers = (Vec::new(), Vec::new());
    for number in task.tiles.clone() {
        let tile = job.layout.tile(number);
        let at = job.layout.start(number) - begin;
        load(job, &task.outputs, tile, at, size, &mut scratch);
        match job.code {
            None => interpret(job, tile, at, &mut scratch, &mut task.outputs)?,
            Some(code) => {
                let (inputs, outputs) = &mut pointers;
                inputs.clear();
                outputs.clear();
                inputs.extend((0..job.inputs.len()).map(|it| input(job, it, tile, &scratch).pointer()));
                outputs.extend(task.outputs.iter_mut().map(|output| output.part(at, tile.len).pointer(0)));
                code.call(tile.len, inputs, outputs);
            }
        }
    }
    Ok(())
}

/// Runs compiled code over all tiles of the task in one call, where everything lies like the result; false if not.
fn at_once(job: &Job, task: &mut Task) -> bool {
    let Some(code) = job.code.filter(|code| code.in_order()) else { return false };
    let begin = job.layout.start(task.tiles.start);
    let len = job.layout.start(task.tiles.end) - begin;
    let outputs: Vec<*mut u8> = task.outputs.iter_mut().map(|output| output.part(0, len).pointer(0)).collect();
    let mut inputs = Vec::with_capacity(job.inputs.len());
    for (number, input) in job.inputs.iter().enumerate() {
        inputs.push(match input {
            Input::Tensor(source) => match job.layout.flat(number, begin) {
                Some(start) => source.part(start, len).pointer(),
                None => return false,
            },
            Input::Output(output) => outputs[*output].cast_const(),
            Input::One(cell) if job.kernel.scalar[number] => cell.slice(1).pointer(),
            Input::One(_) => return false,
        });
    }
    code.call(len, &inputs, &outputs);
    true
}

/// Copies to the scratch what does not lie contiguously, and what is about to be overwritten.
fn load(job: &Job, outputs: &[SliceMut], tile: Tile, at: usize, size: usize, scratch: &mut Scratch) {
    for (number, input) in job.inputs.iter().enumerate() {
        let dtype = job.kernel.inputs[number];
        let target = &mut scratch.inputs[number];
        match input {
            Input::One(_) => {}
            Input::Output(output) => {
                let target = target.get_or_insert_with(|| Cells::zeros(dtype, size));
                target.slice_mut(tile.len).copy_from(outputs[*output].read(at, tile.len));
            }
            Input::Tensor(_) if job.layout.contiguous(number, tile).is_some() => {}
            Input::Tensor(source) => {
                let target = target.get_or_insert_with(|| Cells::zeros(dtype, size));
                job.layout.gather(number, tile, *source, target.slice_mut(tile.len));
            }
        }
    }
}

/// The elements of one input for this tile, after `load`.
fn input<'a>(job: &'a Job, number: usize, tile: Tile, scratch: &'a Scratch) -> Slice<'a> {
    if let Input::Tensor(source) = &job.inputs[number]
        && let Some(start) = job.layout.contiguous(number, tile)
    {
        return source.part(start, tile.len);
    }
    match &scratch.inputs[number] {
        Some(cells) if job.code.is_some() && job.kernel.scalar[number] => cells.slice(1),
        Some(cells) => cells.slice(tile.len),
        None => Slice::Bool(&[]),
    }
}

/// The value of that number in the kernel: an input or a step's result.
fn value<'a>(job: &'a Job, number: u32, tile: Tile, scratch: &'a Scratch) -> Slice<'a> {
    match (number as usize).checked_sub(job.inputs.len()) {
        None => input(job, number as usize, tile, scratch),
        Some(step) => scratch.slots[job.program.slot_of[step]].slice(tile.len),
    }
}

fn interpret(job: &Job, tile: Tile, at: usize, scratch: &mut Scratch, outputs: &mut [SliceMut]) -> Result<()> {
    for (number, step) in job.kernel.steps.iter().enumerate() {
        let slot = job.program.slot_of[number];
        let mut result = std::mem::take(&mut scratch.slots[slot]);
        let operand = |i: usize| value(job, step.args[i.min(step.args.len() - 1)], tile, scratch);
        let outcome = steps::apply(step.op, [operand(0), operand(1), operand(2)], result.slice_mut(tile.len));
        scratch.slots[slot] = result;
        outcome?;
    }
    for (output, &number) in outputs.iter_mut().zip(&job.kernel.outputs) {
        output.part(at, tile.len).copy_from(value(job, number, tile, scratch));
    }
    Ok(())
}
