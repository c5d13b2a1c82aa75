//! Sweeps as data: a straight line of statements that work on each row by itself.
//!
//! Values are numbered: first the inputs, then the results of each step. All results keep the axes `rows`, so that
//! the steps can be run for some rows after others; what only a later step reads then never leaves the cache.
//! `rt::sweep` runs them. This knows no sizes and no layouts.

use super::axis::Axis;
use super::kernel::Kernel;
use super::ops::ReduceKind;

#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Sweep {
    pub inputs: usize,
    /// The axes that every result keeps (totals aside).
    pub rows: Vec<Axis>,
    pub steps: Vec<Step>,
    /// Numbers of the values that are read outside.
    pub outputs: Vec<u32>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Step {
    pub work: Work,
    pub args: Vec<u32>,
    /// How many values it makes.
    pub results: u32,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Work {
    Kernel(Box<Kernel>),
    /// A reduction along one axis that is no row axis.
    Reduce {
        kind: ReduceKind,
        axis: Axis,
    },
    /// The sum of products of two tensors of equal axes along one that is no row axis.
    Dot {
        axis: Axis,
    },
    /// The sum of all elements of a value, in the element type or in 64 bits. No step reads it.
    Total {
        kind: ReduceKind,
        axes: Vec<Axis>,
    },
}

impl Sweep {
    /// The number of the first value that a step makes.
    pub fn first_result(&self, step: usize) -> u32 {
        self.inputs as u32 + self.steps[..step].iter().map(|step| step.results).sum::<u32>()
    }

    /// How many values there are.
    pub fn values(&self) -> usize {
        self.first_result(self.steps.len()) as usize
    }

    /// For each value the last step that reads it; the number of steps for outputs and what nothing reads.
    pub fn last_uses(&self) -> Vec<usize> {
        let mut last = vec![self.steps.len(); self.values()];
        for (number, step) in self.steps.iter().enumerate() {
            step.args.iter().for_each(|&arg| last[arg as usize] = number);
        }
        self.outputs.iter().for_each(|&output| last[output as usize] = self.steps.len());
        last
    }
}
