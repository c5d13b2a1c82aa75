//! Elementwise kernels in machine code: the loops.
//!
//! A loop over f32 (or f64) handles four vectors a round, then the rest one by one. Masks stay in registers as
//! vectors of all ones or all zeros and are bytes in memory. What has no vector form is done one by one throughout.

use cranelift::codegen::ir::Endianness;
use cranelift::prelude::*;

use crate::base::kernel::Step;
use crate::base::ops::{DType, ScalarOp};
use crate::exec::internal;
use crate::rt::error::Result;

use super::func::{machine, trusted};
use super::kernel::{Home, Loops};
use super::scalar::{convert, extreme, float_condition, float_op, int_condition, sign};
use super::table;

/// Vectors in a round.
const VECTORS: usize = 4;

/// How a loop goes.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Mode {
    Single,
    Vectors(DType),
}

/// What one loop does.
struct Round<'k> {
    steps: Vec<(usize, &'k Step)>,
    stores: Vec<(usize, Home)>,
    /// The varying values that it reads from memory.
    loads: Vec<usize>,
}

/// What a round of vectors reads: the value, where its floats begin, or its masks, already loaded.
type Source = (usize, Value, Option<Vec<Value>>);

impl Loops<'_, '_> {
    /// Writes the loop of a segment, if it has anything to do.
    pub fn segment(&mut self, segment: usize) -> Result<()> {
        let stores = self.plan.stores(self.kernel, segment);
        let steps = self.plan.steps(self.kernel, segment);
        if stores.is_empty() && steps.is_empty() {
            return Ok(());
        }
        let read = steps.iter().flat_map(|(_, step)| step.args.iter().map(|&arg| arg as usize));
        let read: Vec<usize> = read.chain(stores.iter().map(|store| store.0)).collect();
        let computed = |value: usize| steps.iter().any(|&(made, _)| made == value);
        let mut loads: Vec<usize> =
            read.into_iter().filter(|&value| self.plan.varies[value] && !computed(value)).collect();
        loads.sort_unstable();
        loads.dedup();
        let round = Round { steps, stores, loads };
        let start = self.b.ins().iconst(types::I64, 0);
        let start = match self.mode(&round) {
            Mode::Vectors(dtype) => self.vectors(&round, dtype, start)?,
            Mode::Single => start,
        };
        self.singles(&round, start)
    }

    /// Vectors if everything that varies has one float type, masks apart.
    fn mode(&self, round: &Round) -> Mode {
        let touched = round.loads.iter().copied().chain(round.steps.iter().map(|step| step.0));
        let touched = touched.chain(round.stores.iter().map(|store| store.0));
        let mut float = None;
        for value in touched {
            match (self.kernel.dtype(value as u32), float) {
                (DType::Bool, _) => {}
                (dtype @ (DType::F32 | DType::F64), None) => float = Some(dtype),
                (dtype, Some(known)) if dtype == known => {}
                _ => return Mode::Single,
            }
        }
        let in_memory = round.loads.iter().copied().chain(round.stores.iter().map(|store| store.0));
        let masks = in_memory.into_iter().any(|value| self.kernel.dtype(value as u32) == DType::Bool);
        let float = float.unwrap_or(DType::F32);
        let vectors = round.steps.iter().all(|(_, step)| self.has_vector_form(step, float));
        if vectors && !(masks && float == DType::F64) { Mode::Vectors(float) } else { Mode::Single }
    }

    fn has_vector_form(&self, step: &Step, float: DType) -> bool {
        use ScalarOp::*;
        let from = self.kernel.dtype(step.args[0]);
        let fits = |dtype: DType| dtype == DType::Bool || dtype == float;
        let operands = step.args.iter().all(|&arg| fits(self.kernel.dtype(arg)));
        operands
            && match step.op {
                Add | Sub | Mul | Div | IntDiv | Neg | Abs | Sign | Floor | Sqrt | Min | Max => true,
                And | Or | Not | Where => true,
                Eq | Ne => true,
                Lt | Le | Gt | Ge => from == float,
                Cast(to) => to == from || (from == DType::Bool && to == float) || to == DType::Bool,
                _ => false,
            }
    }

    /// The loop over whole rounds of vectors; gives the first element that is left.
    fn vectors(&mut self, round: &Round, dtype: DType, start: Value) -> Result<Value> {
        let lanes = 16 / dtype.bytes();
        let width = (VECTORS * lanes) as i64;
        let (head, inside, after) = (self.b.create_block(), self.b.create_block(), self.b.create_block());
        self.b.append_block_param(head, types::I64);
        self.b.append_block_param(after, types::I64);
        self.b.ins().jump(head, &[start.into()]);
        self.b.switch_to_block(head);
        let at = self.b.block_params(head)[0];
        let end = self.b.ins().iadd_imm_s(at, width);
        let whole = self.b.ins().icmp(IntCC::SignedLessThanOrEqual, end, self.count);
        self.b.ins().brif(whole, inside, &[], after, &[at.into()]);
        self.b.switch_to_block(inside);
        self.vector_round(round, dtype, at)?;
        self.b.ins().jump(head, &[end.into()]);
        self.b.switch_to_block(after);
        Ok(self.b.block_params(after)[0])
    }

    fn sources(&mut self, round: &Round, at: Value) -> Result<Vec<Source>> {
        let mut sources = Vec::new();
        for &value in &round.loads {
            let from = self.source(value).ok_or_else(|| internal("a value of a kernel is nowhere"))?;
            let dtype = self.kernel.dtype(value as u32);
            let address = self.element(from, at, dtype);
            let masks = if dtype == DType::Bool { Some(self.load_masks(address)) } else { None };
            sources.push((value, address, masks));
        }
        Ok(sources)
    }

    fn vector_round(&mut self, round: &Round, dtype: DType, at: Value) -> Result<()> {
        let sources = self.sources(round, at)?;
        let mut masks: Vec<Vec<Value>> = vec![Vec::new(); round.stores.len()];
        for vector in 0..VECTORS {
            let mut values: Vec<Option<Value>> = vec![None; self.plan.varies.len()];
            for (value, address, masks) in &sources {
                values[*value] = Some(match masks {
                    Some(masks) => masks[vector],
                    None => self.b.ins().load(vector_type(dtype), loose(), *address, vector as i32 * 16),
                });
            }
            for &(value, step) in &round.steps {
                let mut args = Vec::with_capacity(step.args.len());
                for &arg in &step.args {
                    args.push(self.vector_operand(arg as usize, &values, dtype)?);
                }
                values[value] = Some(self.vector_step(step, dtype, &args)?);
            }
            for (store, &(value, home)) in round.stores.iter().enumerate() {
                let found = self.vector_operand(value, &values, dtype)?;
                if self.kernel.dtype(value as u32) == DType::Bool {
                    masks[store].push(found);
                } else {
                    let address = self.element(self.address(home), at, dtype);
                    self.b.ins().store(loose(), found, address, vector as i32 * 16);
                }
            }
        }
        for (&(_, home), masks) in round.stores.iter().zip(&masks) {
            if !masks.is_empty() {
                let address = self.element(self.address(home), at, DType::Bool);
                self.store_masks(address, masks);
            }
        }
        Ok(())
    }

    /// The address of element `at` of a buffer.
    fn element(&mut self, base: Value, at: Value, dtype: DType) -> Value {
        let offset = match dtype.bytes() {
            1 => at,
            bytes => self.b.ins().ishl_imm_u(at, bytes.trailing_zeros() as i64),
        };
        self.b.ins().iadd(base, offset)
    }

    fn vector_operand(&mut self, value: usize, values: &[Option<Value>], dtype: DType) -> Result<Value> {
        if let Some(found) = values[value] {
            return Ok(found);
        }
        let scalar = self.constants[value].ok_or_else(|| internal("an operand of a kernel is missing"))?;
        if self.kernel.dtype(value as u32) != DType::Bool {
            return Ok(self.b.ins().splat(vector_type(dtype), scalar));
        }
        let lane = mask_type(dtype).lane_type();
        let wide = self.b.ins().uextend(lane, scalar);
        let mask = self.b.ins().ineg(wide);
        Ok(self.b.ins().splat(mask_type(dtype), mask))
    }

    /// Sixteen bytes as four masks of four lanes.
    fn load_masks(&mut self, address: Value) -> Vec<Value> {
        let bytes = self.b.ins().load(types::I8X16, loose(), address, 0);
        let halves = [self.b.ins().uwiden_low(bytes), self.b.ins().uwiden_high(bytes)];
        let mut masks = Vec::new();
        for half in halves {
            for quarter in [self.b.ins().uwiden_low(half), self.b.ins().uwiden_high(half)] {
                masks.push(self.b.ins().ineg(quarter));
            }
        }
        masks
    }

    /// Four masks of four lanes as sixteen bytes of 0 or 1.
    fn store_masks(&mut self, address: Value, masks: &[Value]) {
        let low = self.b.ins().snarrow(masks[0], masks[1]);
        let high = self.b.ins().snarrow(masks[2], masks[3]);
        let bytes = self.b.ins().snarrow(low, high);
        let one = self.b.ins().iconst(types::I8, 1);
        let ones = self.b.ins().splat(types::I8X16, one);
        let bytes = self.b.ins().band(bytes, ones);
        self.b.ins().store(loose(), bytes, address, 0);
    }

    fn vector_step(&mut self, step: &Step, dtype: DType, args: &[Value]) -> Result<Value> {
        use ScalarOp::*;
        let from = self.kernel.dtype(step.args[0]);
        let x = args[0];
        let y = args.get(1).copied().unwrap_or(x);
        if from == DType::Bool {
            return self.mask_step(step, dtype, args);
        }
        Ok(match step.op {
            op if op.is_comparison() => self.b.ins().fcmp(float_condition(op), x, y),
            Cast(DType::Bool) => {
                let zero = self.vector_zero(dtype);
                self.b.ins().fcmp(FloatCC::NotEqual, x, zero)
            }
            Cast(_) => x,
            Min | Max => extreme(&mut self.b, step.op, x, y, choose_lanes),
            Sign => {
                let lane = machine(dtype);
                let (one, zero) = (one(&mut self.b, lane), self.vector_zero(dtype));
                let one = self.b.ins().splat(vector_type(dtype), one);
                sign(&mut self.b, x, one, zero, choose_lanes)
            }
            op => float_op(&mut self.b, op, x, y)
                .ok_or_else(|| internal(format!("`{}` has no vector form", op.name())))?,
        })
    }

    /// Operations whose first operand is a mask.
    fn mask_step(&mut self, step: &Step, dtype: DType, args: &[Value]) -> Result<Value> {
        use ScalarOp::*;
        let (x, y) = (args[0], args.get(1).copied().unwrap_or(args[0]));
        Ok(match step.op {
            And => self.b.ins().band(x, y),
            Or => self.b.ins().bor(x, y),
            Not => self.b.ins().bnot(x),
            Ne => self.b.ins().bxor(x, y),
            Eq => {
                let differ = self.b.ins().bxor(x, y);
                self.b.ins().bnot(differ)
            }
            Where => choose_lanes(&mut self.b, x, y, args[2]),
            Cast(DType::Bool) => x,
            Cast(_) => {
                let one = one(&mut self.b, machine(dtype));
                let ones = self.b.ins().splat(vector_type(dtype), one);
                let bits = self.b.ins().bitcast(mask_type(dtype), little(), ones);
                let kept = self.b.ins().band(x, bits);
                self.b.ins().bitcast(vector_type(dtype), little(), kept)
            }
            op => return Err(internal(format!("`{}` has no vector form", op.name()))),
        })
    }

    fn vector_zero(&mut self, dtype: DType) -> Value {
        let zero = self.zero(dtype);
        self.b.ins().splat(vector_type(dtype), zero)
    }

    fn zero(&mut self, dtype: DType) -> Value {
        match dtype {
            DType::F32 => self.b.ins().f32const(0.0),
            DType::F64 => self.b.ins().f64const(0.0),
            DType::I64 | DType::Bool => self.b.ins().iconst(machine(dtype), 0),
        }
    }

    /// The loop over single elements.
    fn singles(&mut self, round: &Round, start: Value) -> Result<()> {
        let (head, inside, after) = (self.b.create_block(), self.b.create_block(), self.b.create_block());
        self.b.append_block_param(head, types::I64);
        self.b.ins().jump(head, &[start.into()]);
        self.b.switch_to_block(head);
        let at = self.b.block_params(head)[0];
        let more = self.b.ins().icmp(IntCC::SignedLessThan, at, self.count);
        self.b.ins().brif(more, inside, &[], after, &[]);
        self.b.switch_to_block(inside);
        self.single_round(round, at)?;
        let next = self.b.ins().iadd_imm_s(at, 1);
        self.b.ins().jump(head, &[next.into()]);
        self.b.switch_to_block(after);
        Ok(())
    }

    fn single_round(&mut self, round: &Round, at: Value) -> Result<()> {
        let mut values = self.constants.clone();
        for &value in &round.loads {
            let from = self.source(value).ok_or_else(|| internal("a value of a kernel is nowhere"))?;
            let dtype = self.kernel.dtype(value as u32);
            let address = self.element(from, at, dtype);
            values[value] = Some(self.b.ins().load(machine(dtype), trusted(), address, 0));
        }
        let missing = || internal("an operand of a kernel is missing");
        for &(value, step) in &round.steps {
            let args: Option<Vec<Value>> = step.args.iter().map(|&arg| values[arg as usize]).collect();
            values[value] = Some(self.single(step, &args.ok_or_else(missing)?)?);
        }
        for &(value, home) in &round.stores {
            let address = self.element(self.address(home), at, self.kernel.dtype(value as u32));
            self.b.ins().store(trusted(), values[value].ok_or_else(missing)?, address, 0);
        }
        Ok(())
    }

    /// One step on single elements.
    pub fn single(&mut self, step: &Step, args: &[Value]) -> Result<Value> {
        use ScalarOp::*;
        let dtype = self.kernel.dtype(step.args[0]);
        let (x, y) = (args[0], args.get(1).copied().unwrap_or(args[0]));
        if let Some(symbol) = table::scalar_symbol(step.op, dtype) {
            let target = self.import(symbol)?;
            let call = self.b.ins().call(target, args);
            return Ok(self.b.inst_results(call)[0]);
        }
        Ok(match (step.op, dtype) {
            (Where, _) => self.b.ins().select(x, y, args[2]),
            (Cast(to), _) => convert(&mut self.b, dtype, to, x),
            (And, _) => self.b.ins().band(x, y),
            (Or, _) => self.b.ins().bor(x, y),
            (Not, _) => self.b.ins().bxor_imm_u(x, 1),
            (op, DType::I64) if op.is_comparison() => self.b.ins().icmp(int_condition(op, true), x, y),
            (op, DType::Bool) if op.is_comparison() => self.b.ins().icmp(int_condition(op, false), x, y),
            (op, _) if op.is_comparison() => self.b.ins().fcmp(float_condition(op), x, y),
            (Min, DType::I64) => self.b.ins().smin(x, y),
            (Max, DType::I64) => self.b.ins().smax(x, y),
            (Floor, DType::I64) => x,
            (Sign, DType::I64) => super::scalar::int_sign(&mut self.b, x),
            (Min | Max, _) => extreme(&mut self.b, step.op, x, y, super::scalar::choose),
            (Sign, _) => {
                let (one, zero) = (one(&mut self.b, machine(dtype)), self.zero(dtype));
                sign(&mut self.b, x, one, zero, super::scalar::choose)
            }
            (op, _) => float_op(&mut self.b, op, x, y)
                .ok_or_else(|| internal(format!("`{}` of {dtype:?} is not compiled", op.name())))?,
        })
    }
}

/// `yes` in the lanes where the mask is set, else `no`.
fn choose_lanes(b: &mut FunctionBuilder, mask: Value, yes: Value, no: Value) -> Value {
    let ty = b.func.dfg.value_type(yes);
    let mask = if b.func.dfg.value_type(mask) == ty { mask } else { b.ins().bitcast(ty, little(), mask) };
    b.ins().bitselect(mask, yes, no)
}

pub fn one(b: &mut FunctionBuilder, ty: Type) -> Value {
    if ty == types::F32 { b.ins().f32const(1.0) } else { b.ins().f64const(1.0) }
}

fn vector_type(dtype: DType) -> Type {
    if dtype == DType::F32 { types::F32X4 } else { types::F64X2 }
}

fn mask_type(dtype: DType) -> Type {
    if dtype == DType::F32 { types::I32X4 } else { types::I64X2 }
}

/// Memory that is valid but maybe not aligned to a vector.
fn loose() -> MemFlagsData {
    MemFlagsData::new().with_notrap()
}

fn little() -> MemFlagsData {
    MemFlagsData::new().with_endianness(Endianness::Little)
}
