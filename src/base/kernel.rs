//! Fused elementwise kernels as data: a straight line of scalar operations from inputs to outputs.
//!
//! Values are numbered: first the inputs, then the result of each step. The runtime runs a kernel over tiles of
//! contiguous elements; `rt::elementwise` interprets it, `jit::kernel` compiles it, with the same bits.

use super::ops::{DType, ScalarOp};

#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Kernel {
    pub inputs: Vec<DType>,
    /// For each input: is it one scalar for the whole call (true) or a tensor (false)?
    pub scalar: Vec<bool>,
    pub steps: Vec<Step>,
    /// Numbers of the values that are written out; each becomes one tensor over the union of the inputs' axes.
    pub outputs: Vec<u32>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Step {
    pub op: ScalarOp,
    pub args: Vec<u32>,
    pub result: DType,
}

impl Kernel {
    /// The kernel of a single operation, given the element type of each operand and whether it is a scalar.
    pub fn single(op: ScalarOp, inputs: Vec<DType>, scalar: Vec<bool>) -> Kernel {
        let result = op.result(&inputs);
        let args: Vec<u32> = (0..inputs.len() as u32).collect();
        let outputs = vec![inputs.len() as u32];
        Kernel { inputs, scalar, steps: vec![Step { op, args, result }], outputs }
    }

    /// The type of value `number`.
    pub fn dtype(&self, number: u32) -> DType {
        let number = number as usize;
        match self.inputs.get(number) {
            Some(&dtype) => dtype,
            None => self.steps[number - self.inputs.len()].result,
        }
    }
}
