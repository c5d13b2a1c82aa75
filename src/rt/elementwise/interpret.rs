//! A kernel made ready for the interpreter: checked, with a scratch slot for each step's result.
//!
//! Slots are used again once their value is not needed, so that the working set of a long kernel stays in cache.

use crate::base::kernel::Kernel;
use crate::base::ops::DType;
use crate::rt::error::{Error, Result, code};

/// For each step the slot of its result; for each slot its type.
#[derive(Debug)]
pub struct Program {
    pub slot_of: Vec<usize>,
    pub slots: Vec<DType>,
}

impl Program {
    pub fn new(kernel: &Kernel) -> Result<Program> {
        check(kernel)?;
        let inputs = kernel.inputs.len();
        // The last step that reads each step's result; outputs are read after all.
        let mut last = vec![0; kernel.steps.len()];
        for (number, step) in kernel.steps.iter().enumerate() {
            step.args.iter().filter_map(|&arg| (arg as usize).checked_sub(inputs)).for_each(|arg| last[arg] = number);
        }
        let outputs = kernel.outputs.iter().filter_map(|&output| (output as usize).checked_sub(inputs));
        outputs.for_each(|output| last[output] = kernel.steps.len());
        let mut program = Program { slot_of: Vec::new(), slots: Vec::new() };
        let mut free: Vec<usize> = Vec::new();
        for (number, step) in kernel.steps.iter().enumerate() {
            let found = free.iter().position(|&slot| program.slots[slot] == step.result);
            let slot = found.map(|at| free.swap_remove(at)).unwrap_or(program.slots.len());
            if slot == program.slots.len() {
                program.slots.push(step.result);
            }
            program.slot_of.push(slot);
            // Only now may the operands' slots be given away: a step never writes where it reads.
            for (last, &slot) in last.iter_mut().zip(&program.slot_of) {
                if *last == number {
                    free.push(slot);
                    *last = usize::MAX;
                }
            }
        }
        Ok(program)
    }
}

/// Is every operand there before it is used, of a type that the operation takes?
fn check(kernel: &Kernel) -> Result<()> {
    let fault = |text: &str| Err(Error::new(code::INTERNAL, format!("a kernel is malformed: {text}")));
    for (number, step) in kernel.steps.iter().enumerate() {
        let known = kernel.inputs.len() + number;
        if step.args.len() != step.op.arity() || step.args.iter().any(|&arg| arg as usize >= known) {
            return fault("an operand is missing");
        }
        let types: Vec<DType> = step.args.iter().map(|&arg| kernel.dtype(arg)).collect();
        if !super::steps::accepts(step.op, &types) || step.op.result(&types) != step.result {
            return fault(&format!("`{}` of {types:?} to {:?}", step.op.name(), step.result));
        }
    }
    let known = kernel.inputs.len() + kernel.steps.len();
    if kernel.outputs.iter().any(|&output| output as usize >= known) {
        return fault("an output is missing");
    }
    Ok(())
}
