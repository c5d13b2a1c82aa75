//! Elementwise kernels in machine code: the plan. `lanes` writes the loops.
//!
//! A kernel becomes a few loops over one tile. Transcendental functions stand between the loops: the loop before
//! writes their operand to a buffer, the runtime's vector code works on the buffer, the loop after reads it. What
//! depends on scalars only is computed once, before the first loop. No `a * b + c` is contracted.

use cranelift::codegen::Context;
use cranelift::codegen::ir::{FuncRef, StackSlotKind};
use cranelift::prelude::*;

use crate::base::kernel::{Kernel, Step};
use crate::base::ops::{DType, ScalarOp};
use crate::exec::internal;
use crate::rt::elementwise::{TILE, TileFn};
use crate::rt::error::Result;
use crate::rt::simd::TileCode;

use super::func::trusted;
use super::table;
use super::unit::Unit;

/// Above this many buffers of a tile each, a kernel is interpreted rather than given a large stack frame.
const MOST_BUFFERS: usize = 32;

/// Where a value is kept between loops.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Home {
    Output(usize),
    /// A tile on the stack, by number.
    Scratch(usize),
}

/// What is computed where. Values are numbered as in the kernel: inputs, then steps.
#[derive(Debug)]
pub struct Plan {
    /// Does the value differ from element to element?
    pub varies: Vec<bool>,
    /// The loop that computes the value; for a function on a tile, the loop after it.
    pub segment: Vec<usize>,
    /// The function on a tile that makes the value.
    pub call: Vec<Option<&'static str>>,
    pub home: Vec<Option<Home>>,
    /// The element type of each scratch tile.
    pub scratches: Vec<DType>,
    pub segments: usize,
}

impl Plan {
    pub fn new(kernel: &Kernel) -> Plan {
        let inputs = kernel.inputs.len();
        let mut plan = Plan {
            varies: kernel.scalar.iter().map(|scalar| !scalar).collect(),
            segment: vec![0; inputs],
            call: vec![None; inputs],
            home: Vec::new(),
            scratches: Vec::new(),
            segments: 1,
        };
        for step in &kernel.steps {
            let varies = step.args.iter().any(|&arg| plan.varies[arg as usize]);
            let call = table::tile_symbol(step.op, step.result).filter(|_| varies);
            let latest = step.args.iter().map(|&arg| plan.segment[arg as usize]).max().unwrap_or(0);
            plan.varies.push(varies);
            plan.segment.push(latest + usize::from(call.is_some()));
            plan.call.push(call);
        }
        plan.segments += plan.segment.iter().copied().max().unwrap_or(0);
        plan.settle(kernel);
        plan
    }

    /// Gives a home to each value that a later loop reads, and to each result of a function on a tile.
    fn settle(&mut self, kernel: &Kernel) {
        self.home = vec![None; self.varies.len()];
        let mut kept: Vec<bool> = self.call.iter().map(Option::is_some).collect();
        for (number, step) in kernel.steps.iter().enumerate() {
            let reader = kernel.inputs.len() + number;
            for &arg in &step.args {
                let arg = arg as usize;
                let loop_of_reader = self.segment[reader] - usize::from(self.call[reader].is_some());
                kept[arg] |= self.varies[arg] && arg >= kernel.inputs.len() && self.segment[arg] < loop_of_reader;
            }
        }
        for value in (0..kept.len()).filter(|&value| kept[value]) {
            let output = kernel.outputs.iter().position(|&output| output as usize == value);
            self.home[value] = Some(match output {
                Some(output) => Home::Output(output),
                None => {
                    self.scratches.push(kernel.dtype(value as u32));
                    Home::Scratch(self.scratches.len() - 1)
                }
            });
        }
    }

    /// What the loop `segment` computes, in order; without functions on tiles.
    pub fn steps<'k>(&self, kernel: &'k Kernel, segment: usize) -> Vec<(usize, &'k Step)> {
        let first = kernel.inputs.len();
        let numbered = kernel.steps.iter().enumerate().map(|(at, step)| (first + at, step));
        let here = |value: usize| self.varies[value] && self.call[value].is_none() && self.segment[value] == segment;
        numbered.filter(|&(value, _)| here(value)).collect()
    }

    /// What the loop `segment` writes: values and where to.
    pub fn stores(&self, kernel: &Kernel, segment: usize) -> Vec<(usize, Home)> {
        let mut found = Vec::new();
        for value in kernel.inputs.len()..self.varies.len() {
            let here = self.varies[value] && self.segment[value] == segment && self.call[value].is_none();
            if let (true, Some(home)) = (here, self.home[value]) {
                found.push((value, home));
            }
            if let (Some(home), true) = (self.home[value], self.call[value].is_some()) {
                let arg = kernel.steps[value - kernel.inputs.len()].args[0] as usize;
                if self.segment[value] == segment + 1 {
                    found.push((arg, home));
                }
            }
        }
        for (output, &value) in kernel.outputs.iter().enumerate() {
            let (value, home) = (value as usize, Home::Output(output));
            if self.segment[value] == segment && self.home[value] != Some(home) {
                found.push((value, home));
            }
        }
        found
    }
}

/// Can the kernel be compiled? Integer arithmetic can fail and code for tiles has no status, so it is interpreted.
pub fn supported(kernel: &Kernel) -> bool {
    let mut known = kernel.inputs.len();
    for step in &kernel.steps {
        if step.args.len() != step.op.arity() || step.args.iter().any(|&arg| arg as usize >= known) {
            return false;
        }
        let types: Vec<DType> = step.args.iter().map(|&arg| kernel.dtype(arg)).collect();
        if step.op.can_fail(&types) || !implemented(step.op, types[0]) {
            return false;
        }
        known += 1;
    }
    let complete =
        kernel.scalar.len() == kernel.inputs.len() && kernel.outputs.iter().all(|&output| (output as usize) < known);
    complete && Plan::new(kernel).scratches.len() <= MOST_BUFFERS
}

fn implemented(op: ScalarOp, dtype: DType) -> bool {
    use ScalarOp::*;
    match dtype {
        DType::F32 | DType::F64 => !matches!(op, And | Or | Not),
        DType::I64 => op.is_comparison() || matches!(op, Sign | Floor | Min | Max | Cast(_)),
        DType::Bool => op.is_comparison() || matches!(op, And | Or | Not | Where | Cast(_)),
    }
}

/// A kernel being written.
pub struct Loops<'a, 'b> {
    pub unit: &'a mut Unit,
    pub b: FunctionBuilder<'b>,
    pub kernel: &'a Kernel,
    pub plan: Plan,
    /// Elements of the tile.
    pub count: Value,
    inputs: Vec<Value>,
    outputs: Vec<Value>,
    scratches: Vec<Value>,
    /// The values that do not vary.
    pub constants: Vec<Option<Value>>,
}

/// Builds the code of a kernel into `context`.
pub fn lower(
    unit: &mut Unit,
    kernel: &Kernel,
    context: &mut Context,
    scratch: &mut FunctionBuilderContext,
) -> Result<()> {
    context.func.signature = unit.tile_signature()?;
    let config = unit.target_config();
    let mut b = FunctionBuilder::new(&mut context.func, scratch);
    let entry = b.create_block();
    b.append_block_params_for_function_params(entry);
    b.switch_to_block(entry);
    let params = b.block_params(entry).to_vec();
    let mut pointers = |from: Value, many: usize| -> Vec<Value> {
        (0..many).map(|at| b.ins().load(types::I64, trusted(), from, at as i32 * 8)).collect()
    };
    let inputs = pointers(params[1], kernel.inputs.len());
    let outputs = pointers(params[2], kernel.outputs.len());
    let plan = Plan::new(kernel);
    let mut loops = Loops {
        unit,
        b,
        kernel,
        constants: vec![None; plan.varies.len()],
        plan,
        count: params[0],
        inputs,
        outputs,
        scratches: Vec::new(),
    };
    loops.whole()?;
    loops.b.seal_all_blocks();
    loops.b.finalize(config);
    Ok(())
}

impl Loops<'_, '_> {
    fn whole(&mut self) -> Result<()> {
        for dtype in self.plan.scratches.clone() {
            let bytes = (TILE * dtype.bytes()) as u32;
            let slot = self.b.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, bytes, 4));
            let address = self.b.ins().stack_addr(types::I64, slot, 0);
            self.scratches.push(address);
        }
        self.scalars()?;
        for segment in 0..self.plan.segments {
            self.calls(segment)?;
            self.segment(segment)?;
        }
        self.b.ins().return_(&[]);
        Ok(())
    }

    /// What does not vary, once.
    fn scalars(&mut self) -> Result<()> {
        for (number, &dtype) in self.kernel.inputs.iter().enumerate() {
            if !self.plan.varies[number] {
                let ty = super::func::machine(dtype);
                self.constants[number] = Some(self.b.ins().load(ty, trusted(), self.inputs[number], 0));
            }
        }
        for (at, step) in self.kernel.steps.iter().enumerate() {
            let value = self.kernel.inputs.len() + at;
            if !self.plan.varies[value] {
                let args: Option<Vec<Value>> = step.args.iter().map(|&arg| self.constants[arg as usize]).collect();
                let args = args.ok_or_else(|| internal("a scalar of a kernel depends on a tensor"))?;
                self.constants[value] = Some(self.single(step, &args)?);
            }
        }
        Ok(())
    }

    /// The functions on tiles before a loop.
    fn calls(&mut self, segment: usize) -> Result<()> {
        for value in 0..self.plan.varies.len() {
            let (Some(symbol), Some(home)) = (self.plan.call[value], self.plan.home[value]) else { continue };
            if self.plan.segment[value] == segment {
                let target = self.import(symbol)?;
                let address = self.address(home);
                self.b.ins().call(target, &[address, self.count]);
            }
        }
        Ok(())
    }

    pub fn import(&mut self, symbol: &'static str) -> Result<FuncRef> {
        self.unit.import_ref(symbol, self.b.func)
    }

    pub fn address(&self, home: Home) -> Value {
        match home {
            Home::Output(at) => self.outputs[at],
            Home::Scratch(at) => self.scratches[at],
        }
    }

    /// Where a loop reads a varying value that it does not compute.
    pub fn source(&self, value: usize) -> Option<Value> {
        match self.plan.home[value] {
            Some(home) => Some(self.address(home)),
            None => self.inputs.get(value).copied(),
        }
    }
}

/// Is the kernel one loop, without tiles on the stack between loops? Then its code is `in_order`.
pub fn is_one_loop(kernel: &Kernel) -> bool {
    Plan::new(kernel).segments == 1
}

/// # Safety
/// `address` is finished code that `lower` wrote for the kernel it will be used with, and stays valid as long as the
/// result is used; `in_order` is what `is_one_loop` says of the kernel.
pub unsafe fn tile_function(address: *const u8, in_order: bool) -> TileFn {
    // SAFETY: `lower` declares exactly this signature.
    let code = unsafe { std::mem::transmute::<*const u8, TileCode>(address) };
    // SAFETY: the loops run over `0..n` of each buffer, whose types are the kernel's; nothing in them can unwind. In
    // one loop every vector is loaded from all inputs before it is stored.
    unsafe { TileFn::new(code, in_order) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(op: ScalarOp, args: &[u32], result: DType) -> Step {
        Step { op, args: args.to_vec(), result }
    }

    /// `x * exp(x - s)`, and the exponential itself.
    fn exponential() -> Kernel {
        let f = DType::F32;
        let steps =
            vec![step(ScalarOp::Sub, &[0, 1], f), step(ScalarOp::Exp, &[2], f), step(ScalarOp::Mul, &[0, 3], f)];
        Kernel { inputs: vec![f, f], scalar: vec![false, true], steps, outputs: vec![4, 3] }
    }

    #[test]
    fn functions_on_tiles_stand_between_loops() {
        let kernel = exponential();
        let plan = Plan::new(&kernel);
        assert_eq!(plan.segments, 2);
        // The exponential is made in place in its own output, so it needs no scratch.
        assert_eq!(plan.home[3], Some(Home::Output(1)));
        assert!(plan.scratches.is_empty());
        assert_eq!(plan.stores(&kernel, 0), vec![(2, Home::Output(1))]);
        assert_eq!(plan.stores(&kernel, 1), vec![(4, Home::Output(0))]);
    }

    #[test]
    fn scalar_parts_are_computed_once() {
        let mut kernel = exponential();
        kernel.scalar = vec![true, true];
        kernel.inputs.push(DType::F32);
        kernel.scalar.push(false);
        for step in &mut kernel.steps {
            step.args.iter_mut().filter(|arg| **arg >= 2).for_each(|arg| *arg += 1);
        }
        kernel.steps.push(step(ScalarOp::Add, &[2, 5], DType::F32));
        kernel.outputs = vec![6];
        let plan = Plan::new(&kernel);
        assert_eq!((plan.segments, plan.steps(&kernel, 0).len()), (1, 1));
    }

    #[test]
    fn integers_that_can_overflow_are_left_to_the_interpreter() {
        let i = DType::I64;
        let kernel = |op: ScalarOp, result| Kernel {
            inputs: vec![i, i],
            scalar: vec![false, false],
            steps: vec![step(op, &[0, 1], result)],
            outputs: vec![2],
        };
        assert!(!supported(&kernel(ScalarOp::Add, i)));
        assert!(supported(&kernel(ScalarOp::Max, i)));
        assert!(supported(&kernel(ScalarOp::Lt, DType::Bool)));
    }

    #[test]
    fn loops_over_floats_use_vectors_and_masks_stay_in_them() {
        let mut unit = Unit::new(false).unwrap();
        let mut context = Context::new();
        let f = DType::F32;
        let steps = vec![
            step(ScalarOp::Gt, &[0, 1], DType::Bool),
            step(ScalarOp::Where, &[2, 0, 1], f),
            step(ScalarOp::Mul, &[3, 0], f),
        ];
        let kernel = Kernel { inputs: vec![f, f], scalar: vec![false, true], steps, outputs: vec![4] };
        lower(&mut unit, &kernel, &mut context, &mut FunctionBuilderContext::new()).unwrap();
        let text = context.func.display().to_string();
        assert_eq!(text.matches("load.f32x4").count(), 4, "{text}");
        assert_eq!(text.matches("bitselect").count(), 4, "{text}");
        assert!(!text.contains("fma"), "{text}");
    }
}
