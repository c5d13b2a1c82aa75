//! One function of the IR to CLIF: frames, statements, and calls of the steps.
//!
//! Scalars are SSA values; every other local has a slot of the frame on the Rust side, and machine code only names
//! slots. A step that fails ends the function with status 1 by one cold block.

use cranelift::codegen::Context;
use cranelift::codegen::ir::{BlockArg, FuncRef, SourceLoc};
use cranelift::prelude::*;
use std::collections::BTreeMap;

use crate::base::kernel::Kernel;
use crate::base::ops::DType;
use crate::base::span::Span;
use crate::base::sweep;
use crate::exec::{internal, uses};
use crate::ir::{self, Const, FuncId, Function, LocalId, Module, Op, Stmt};
use crate::rt::error::Result;

use super::state::{self, Action, Execution, Object, Place, Source, Work};
use super::unit::Unit;
use super::views::{Lazy, View};

/// The slots of a function's frame: object parameters first, then the other locals that are no scalars.
pub struct Slots {
    by_local: Vec<Option<u32>>,
    pub count: u32,
}

impl Slots {
    pub fn get(&self, local: LocalId) -> Option<u32> {
        self.by_local.get(local.0 as usize).copied().flatten()
    }
}

pub fn slots(function: &Function) -> Slots {
    let mut slots = Slots { by_local: vec![None; function.locals.len()], count: 0 };
    let all = (0..function.locals.len() as u32).map(LocalId);
    for local in function.params.iter().copied().chain(all) {
        let place = &mut slots.by_local[local.0 as usize];
        if place.is_none() && !function.ty(local).is_scalar() {
            *place = Some(slots.count);
            slots.count += 1;
        }
    }
    slots
}

fn taken(locals: &[LocalId], take: &[bool]) -> Vec<LocalId> {
    locals.iter().zip(take).filter(|(_, take)| **take).map(|(local, _)| *local).collect()
}

/// The machine type of an element type.
pub fn machine(dtype: DType) -> Type {
    match dtype {
        DType::F32 => types::F32,
        DType::F64 => types::F64,
        DType::I64 => types::I64,
        DType::Bool => types::I8,
    }
}

/// Memory that is valid and aligned whenever it is touched.
pub fn trusted() -> MemFlagsData {
    MemFlagsData::trusted()
}

/// The function being built.
pub struct Lower<'a, 'b> {
    pub unit: &'a mut Unit,
    pub module: &'a Module,
    pub function: &'a Function,
    pub b: FunctionBuilder<'b>,
    pub slots: Slots,
    scalars: Vec<Option<Value>>,
    /// Has the local been bound on the way here?
    pub defined: Vec<bool>,
    /// Tensors whose layout is in registers (see `views`).
    pub views: BTreeMap<LocalId, View>,
    /// Selections that are never made, only read through.
    pub lazies: BTreeMap<LocalId, Lazy>,
    pub may_be_lazy: Vec<bool>,
    refs: BTreeMap<&'static str, FuncRef>,
    pub calls: BTreeMap<FuncId, FuncRef>,
    pub state: Value,
    pub base: Value,
    pub exchange: Value,
    pub interrupt: Value,
    /// Leaves with status 1.
    pub failed: Block,
}

/// Builds the CLIF of a function into `context`.
pub fn lower(
    unit: &mut Unit,
    module: &Module,
    id: FuncId,
    context: &mut Context,
    scratch: &mut FunctionBuilderContext,
) -> Result<()> {
    let function = module.function(id);
    context.func.signature = unit.signature()?;
    let config = unit.target_config();
    let mut b = FunctionBuilder::new(&mut context.func, scratch);
    let entry = b.create_block();
    b.append_block_params_for_function_params(entry);
    b.switch_to_block(entry);
    let (state, base) = (b.block_params(entry)[0], b.block_params(entry)[1]);
    let exchange = b.ins().load(types::I64, trusted().with_readonly(), state, state::EXCHANGE);
    let interrupt = b.ins().load(types::I64, trusted().with_readonly(), state, state::INTERRUPT);
    let failed = b.create_block();
    let mut lower = Lower {
        unit,
        module,
        function,
        b,
        slots: slots(function),
        scalars: vec![None; function.locals.len()],
        defined: vec![false; function.locals.len()],
        views: BTreeMap::new(),
        lazies: BTreeMap::new(),
        may_be_lazy: super::views::may_be_lazy(function),
        refs: BTreeMap::new(),
        calls: BTreeMap::new(),
        state,
        base,
        exchange,
        interrupt,
        failed,
    };
    lower.whole()?;
    lower.b.seal_all_blocks();
    lower.b.finalize(config);
    Ok(())
}

impl Lower<'_, '_> {
    fn whole(&mut self) -> Result<()> {
        self.unit.cells = self.unit.cells.max(self.function.params.len()).max(self.function.results.len());
        let mut cell = 0;
        for &param in &self.function.params {
            match self.function.ty(param).dtype().filter(|_| self.is_scalar(param)) {
                Some(dtype) => {
                    let value = self.load_cell(cell, dtype);
                    self.bind_scalar(param, value);
                    cell += 1;
                }
                None => self.defined[param.0 as usize] = true,
            }
        }
        if self.block(&self.function.body)? {
            self.leave(&self.function.body.results, Span::default())?;
        }
        self.b.switch_to_block(self.failed);
        self.b.set_cold_block(self.failed);
        let status = self.b.ins().iconst(types::I32, 1);
        self.b.ins().return_(&[status]);
        Ok(())
    }

    /// Lowers the statements of a block; false if it never reaches its end.
    pub fn block(&mut self, block: &ir::Block) -> Result<bool> {
        let mut emptied: Vec<LocalId> = Vec::new();
        for (index, stmt) in block.stmts.iter().enumerate() {
            if matches!(stmt.op, Op::Drop(_)) {
                let first = index == 0 || !matches!(block.stmts[index - 1].op, Op::Drop(_));
                if first {
                    self.drops(&block.stmts[index..], &emptied)?;
                }
                continue;
            }
            self.b.set_srcloc(SourceLoc::new(stmt.span.start));
            emptied.clear();
            if !self.statement(&block.stmts, index, &mut emptied)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A run of drops as one step; without what the statement before took away already.
    fn drops(&mut self, stmts: &[Stmt], emptied: &[LocalId]) -> Result<()> {
        let mut found = Vec::new();
        for stmt in stmts {
            let Op::Drop(local) = stmt.op else { break };
            let there = !emptied.contains(&local) && !self.lazies.contains_key(&local);
            found.extend(self.slots.get(local).filter(|_| there));
        }
        if found.is_empty() { Ok(()) } else { self.step("locus_release", stmts[0].span, Action::Release(found)) }
    }

    /// Lowers one statement; false if what follows is never reached. Notes in `emptied` what it took.
    fn statement(&mut self, stmts: &[Stmt], index: usize, emptied: &mut Vec<LocalId>) -> Result<bool> {
        let stmt = &stmts[index];
        match &stmt.op {
            Op::Const(constant) if !matches!(constant, Const::Str(_)) => self.constant(stmt.dest[0], constant),
            Op::Undef => self.undefined(stmt)?,
            Op::Copy(local) if self.is_scalar(*local) => {
                let value = self.scalar(*local);
                self.bind_scalar(stmt.dest[0], value);
            }
            Op::Elem { op, args } if args.iter().all(|&local| self.is_scalar(local)) => {
                self.scalar_op(stmt, *op, args)?;
            }
            Op::Select { .. } if self.select_inline(stmt)? => {}
            Op::Builtin { name: "index_check", args, .. } if args.iter().all(|&local| self.is_scalar(local)) => {
                self.index_check(stmt, args[0], args[1])?;
            }
            Op::If { cond, then, other } => return self.branch(stmts, index, *cond, then, other),
            Op::For { .. } => return self.count(stmts, index),
            Op::While { .. } => return self.repeat(stmts, index),
            Op::Comprehend { binders, body } => return self.comprehend(stmt, binders, body),
            Op::Call { func, args } => {
                let take = uses::takes(stmts, index, args);
                self.call(stmt, *func, args, &take)?;
                emptied.extend(taken(args, &take));
            }
            Op::Return(locals) => {
                self.leave(locals, stmt.span)?;
                return Ok(false);
            }
            _ => {
                let operands = stmt.op.operands();
                let take = uses::takes(stmts, index, &operands);
                match stmt.op {
                    Op::Copy(_) => self.copy(stmt, &operands, &take)?,
                    _ => self.execute(stmt, &operands, &take)?,
                }
                emptied.extend(taken(&operands, &take));
            }
        }
        Ok(true)
    }

    /// The same object in another slot.
    fn copy(&mut self, stmt: &Stmt, operands: &[LocalId], take: &[bool]) -> Result<()> {
        self.arrange(operands, take, &stmt.dest, stmt.span)?;
        stmt.dest.iter().for_each(|dest| self.defined[dest.0 as usize] = true);
        Ok(())
    }

    fn constant(&mut self, dest: LocalId, constant: &Const) {
        let value = match constant {
            Const::Int(x) => self.b.ins().iconst(types::I64, *x),
            Const::F32(x) => self.b.ins().f32const(Ieee32::with_bits(x.to_bits())),
            Const::F64(x) => self.b.ins().f64const(Ieee64::with_bits(x.to_bits())),
            Const::Bool(x) => self.b.ins().iconst(types::I8, i64::from(*x)),
            Const::Str(_) => return,
        };
        self.bind_scalar(dest, value);
    }

    fn undefined(&mut self, stmt: &Stmt) -> Result<()> {
        for &dest in &stmt.dest {
            match (self.slots.get(dest), self.function.ty(dest).dtype()) {
                (Some(slot), _) => {
                    self.step("locus_release", stmt.span, Action::Release(vec![slot]))?;
                    self.defined[dest.0 as usize] = true;
                }
                (None, dtype) => {
                    let value = self.zero(dtype.unwrap_or(DType::I64));
                    self.bind_scalar(dest, value);
                }
            }
        }
        Ok(())
    }

    /// Runs a statement through the executor.
    pub fn execute(&mut self, stmt: &Stmt, operands: &[LocalId], take: &[bool]) -> Result<()> {
        let values = self.executed(stmt, operands, take)?;
        for (&dest, value) in stmt.dest.iter().zip(values) {
            match value {
                Some(value) => self.bind_scalar(dest, value),
                None => self.defined[dest.0 as usize] = true,
            }
        }
        Ok(())
    }

    /// The same, without binding: the scalar results as values.
    pub fn executed(&mut self, stmt: &Stmt, operands: &[LocalId], take: &[bool]) -> Result<Vec<Option<Value>>> {
        let mut args = Vec::with_capacity(operands.len());
        for (at, (&local, &take)) in operands.iter().zip(take).enumerate() {
            args.push(match (self.slots.get(local), self.function.ty(local).dtype()) {
                (Some(slot), _) => Source::Slot(Object { slot, take }),
                (None, dtype) => {
                    let value = self.scalar(local);
                    self.store_cell(at, value);
                    Source::Cell(dtype.unwrap_or(DType::I64))
                }
            });
        }
        let types = stmt.dest.iter().map(|&dest| self.function.ty(dest).clone()).collect();
        let place = |&dest: &LocalId| self.slots.get(dest).map_or(Place::Cell, Place::Slot);
        let dests = stmt.dest.iter().map(place).collect();
        let work = self.work(stmt)?;
        self.step("locus_execute", stmt.span, Action::Execute(Box::new(Execution { work, args, types, dests })))?;
        let load = |(at, &dest): (usize, &LocalId)| {
            let dtype = self.function.ty(dest).dtype().filter(|_| self.slots.get(dest).is_none());
            dtype.map(|dtype| (at, dtype))
        };
        let cells: Vec<Option<(usize, DType)>> = stmt.dest.iter().enumerate().map(load).collect();
        Ok(cells.into_iter().map(|cell| cell.map(|(at, dtype)| self.load_cell(at, dtype))).collect())
    }

    /// What the executor is to do; elementwise operations on tensors get a compiled kernel.
    fn work(&mut self, stmt: &Stmt) -> Result<Work> {
        Ok(match &stmt.op {
            Op::GlobalGet(global) => Work::GlobalGet(*global),
            Op::GlobalSet(global, _) => Work::GlobalSet(*global),
            Op::Kernel { kernel, .. } | Op::TopProduct { kernel, .. } => {
                let code = self.unit.kernel(kernel)?;
                Work::Kernel(stmt.op.clone(), kernel.clone(), code)
            }
            Op::Sweep { sweep, .. } => {
                let mut codes = Vec::with_capacity(sweep.steps.len());
                for step in &sweep.steps {
                    codes.push(match &step.work {
                        sweep::Work::Kernel(kernel) => self.unit.kernel(kernel)?,
                        _ => None,
                    });
                }
                Work::Sweep(sweep.clone(), codes)
            }
            Op::Elem { op, args } if args.iter().any(|&local| !self.is_scalar(local)) => {
                match self.single_step(*op, args) {
                    Some(kernel) => {
                        let code = self.unit.kernel(&kernel)?;
                        Work::Kernel(stmt.op.clone(), Box::new(kernel), code)
                    }
                    None => Work::Op(stmt.op.clone()),
                }
            }
            other => Work::Op(other.clone()),
        })
    }

    fn single_step(&self, op: crate::base::ops::ScalarOp, args: &[LocalId]) -> Option<Kernel> {
        let inputs: Option<Vec<DType>> = args.iter().map(|&local| self.function.ty(local).dtype()).collect();
        let scalar = args.iter().map(|&local| self.is_scalar(local)).collect();
        Some(Kernel::single(op, inputs?, scalar))
    }

    /// Calls a step and leaves the function if it fails.
    pub fn step(&mut self, name: &'static str, span: Span, action: Action) -> Result<()> {
        let status = self.step_status(name, span, action)?;
        let next = self.b.create_block();
        self.b.ins().brif(status, self.failed, &[], next, &[]);
        self.b.switch_to_block(next);
        Ok(())
    }

    /// Calls a step; gives its status.
    pub fn step_status(&mut self, name: &'static str, span: Span, action: Action) -> Result<Value> {
        let site = self.unit.site(span, action);
        let site = self.b.ins().iconst(types::I64, site);
        let target = self.import(name)?;
        let call = self.b.ins().call(target, &[self.state, self.base, site]);
        self.b.inst_results(call).first().copied().ok_or_else(|| internal("a step without a status"))
    }

    /// A reference to an entry of the table.
    pub fn import(&mut self, name: &'static str) -> Result<FuncRef> {
        if let Some(&found) = self.refs.get(name) {
            return Ok(found);
        }
        let target = self.unit.import_ref(name, self.b.func)?;
        self.refs.insert(name, target);
        Ok(target)
    }

    pub fn is_scalar(&self, local: LocalId) -> bool {
        self.function.ty(local).is_scalar()
    }

    /// The value of a scalar local. One that was never bound can only be in code that is never reached.
    pub fn scalar(&mut self, local: LocalId) -> Value {
        match self.scalars.get(local.0 as usize).copied().flatten() {
            Some(value) => value,
            None => self.zero(self.function.ty(local).dtype().unwrap_or(DType::I64)),
        }
    }

    pub fn bind_scalar(&mut self, local: LocalId, value: Value) {
        self.scalars[local.0 as usize] = Some(value);
        self.defined[local.0 as usize] = true;
    }

    pub fn zero(&mut self, dtype: DType) -> Value {
        match dtype {
            DType::F32 => self.b.ins().f32const(Ieee32::with_bits(0)),
            DType::F64 => self.b.ins().f64const(Ieee64::with_bits(0)),
            DType::I64 | DType::Bool => self.b.ins().iconst(machine(dtype), 0),
        }
    }

    pub fn load_cell(&mut self, at: usize, dtype: DType) -> Value {
        self.b.ins().load(machine(dtype), trusted(), self.exchange, at as i32 * 8)
    }

    pub fn store_cell(&mut self, at: usize, value: Value) {
        self.b.ins().store(trusted(), value, self.exchange, at as i32 * 8);
    }

    pub fn jump(&mut self, to: Block, values: &[Value]) {
        let args: Vec<BlockArg> = values.iter().map(|&value| BlockArg::from(value)).collect();
        self.b.ins().jump(to, &args);
    }

    /// A block with a parameter for each type.
    pub fn block_with(&mut self, types: &[Type]) -> Block {
        let block = self.b.create_block();
        for &ty in types {
            self.b.append_block_param(block, ty);
        }
        block
    }
}
