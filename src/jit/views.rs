//! Reading single elements of tensors without leaving machine code.
//!
//! Before a loop, the layout of every tensor that the loop reads element by element is fetched into registers:
//! where it starts, and the length and stride of each axis. A chain of selections that ends in a scalar is then
//! bounds tests and one load. The runtime has checked that the layout lies inside the buffer; the buffer lives as
//! long as the loop, because nothing inside a loop can drop what was made outside it.

use cranelift::prelude::*;
use std::collections::BTreeSet;

use crate::base::axis::Axis;
use crate::base::ops::DType;
use crate::base::span::Span;
use crate::ir::{self, Function, LocalId, Op, Stmt};
use crate::rt::error::Result;

use super::func::{Lower, machine, trusted};
use super::state::Action;

/// The layout of a tensor, in registers.
#[derive(Clone)]
pub struct View {
    base: Value,
    axes: Vec<AxisView>,
}

#[derive(Clone, Copy)]
struct AxisView {
    axis: Axis,
    len: Value,
    /// In bytes.
    stride: Value,
}

/// Some axes of a viewed tensor are selected; the rest is still open.
#[derive(Clone)]
pub struct Lazy {
    root: LocalId,
    address: Value,
    open: Vec<AxisView>,
    links: Vec<(Axis, Span, Value)>,
}

/// For each local: is it a selection that is only selected from further, until scalars are left?
pub fn may_be_lazy(function: &Function) -> Vec<bool> {
    let count = function.locals.len();
    let mut found = Uses { function, good: vec![0; count], all: vec![0; count], lazy: vec![false; count] };
    found.block(&function.body);
    found.lazy
}

/// Counts uses backwards, so that the uses of a local are known where it is made.
struct Uses<'a> {
    function: &'a Function,
    good: Vec<u32>,
    all: Vec<u32>,
    lazy: Vec<bool>,
}

impl Uses<'_> {
    fn block(&mut self, block: &ir::Block) {
        block.results.iter().for_each(|local| self.all[local.0 as usize] += 1);
        for stmt in block.stmts.iter().rev() {
            stmt.op.blocks().into_iter().for_each(|inner| self.block(inner));
            self.statement(stmt);
        }
    }

    fn statement(&mut self, stmt: &Stmt) {
        if matches!(stmt.op, Op::Drop(_)) {
            return;
        }
        stmt.op.operands().iter().for_each(|local| self.all[local.0 as usize] += 1);
        let Op::Select { arg, index, .. } = stmt.op else { return };
        let Some(&dest) = stmt.dest.first() else { return };
        let place = dest.0 as usize;
        let ends = self.function.ty(dest).is_scalar();
        self.lazy[place] = !ends && self.all[place] > 0 && self.all[place] == self.good[place];
        if self.function.ty(index).is_scalar() && (ends || self.lazy[place]) {
            self.good[arg.0 as usize] += 1;
        } else {
            self.lazy[place] = false;
        }
    }
}

impl Lower<'_, '_> {
    /// Fetches the layouts that the blocks of a loop can use.
    pub fn hoist(&mut self, blocks: &[&ir::Block], span: Span) -> Result<()> {
        let mut roots = BTreeSet::new();
        blocks.iter().for_each(|block| self.roots(block, &mut roots));
        for root in roots {
            self.fetch(root, span)?;
        }
        Ok(())
    }

    /// Tensors from outside that the block selects elements of.
    fn roots(&self, block: &ir::Block, found: &mut BTreeSet<LocalId>) {
        for stmt in &block.stmts {
            stmt.op.blocks().into_iter().for_each(|inner| self.roots(inner, found));
            let Op::Select { arg, index, .. } = stmt.op else { continue };
            let Some(&dest) = stmt.dest.first() else { continue };
            let readable = self.is_scalar(dest) || self.may_be_lazy[dest.0 as usize];
            let outside = self.defined[arg.0 as usize] && self.slots.get(arg).is_some();
            let known = self.views.contains_key(&arg) || self.lazies.contains_key(&arg);
            if readable && outside && self.is_scalar(index) && !known {
                found.insert(arg);
            }
        }
    }

    fn fetch(&mut self, root: LocalId, span: Span) -> Result<()> {
        let ty = self.function.ty(root);
        let (Some(slot), Some(dtype), Some(axes)) = (self.slots.get(root), ty.dtype(), ty.axes()) else {
            return Ok(());
        };
        let axes: Vec<Axis> = axes.iter().collect();
        self.step("locus_view", span, Action::View { slot, dtype, axes: axes.clone() })?;
        let base = self.load_cell(0, DType::I64);
        let mut view = View { base, axes: Vec::new() };
        for (at, axis) in axes.into_iter().enumerate() {
            let len = self.load_cell(1 + 2 * at, DType::I64);
            let stride = self.load_cell(2 + 2 * at, DType::I64);
            view.axes.push(AxisView { axis, len, stride });
        }
        self.views.insert(root, view);
        Ok(())
    }

    /// Lowers a selection without the runtime, if its tensor is in view; false if it is not.
    pub fn select_inline(&mut self, stmt: &Stmt) -> Result<bool> {
        let Op::Select { arg, axis, index } = stmt.op else { return Ok(false) };
        let dest = stmt.dest[0];
        let wanted = self.is_scalar(dest) || self.may_be_lazy[dest.0 as usize];
        if !wanted || !self.is_scalar(index) {
            return Ok(false);
        }
        let chain = match (self.lazies.get(&arg), self.views.get(&arg)) {
            (Some(lazy), _) => lazy.clone(),
            (None, Some(view)) => Lazy { root: arg, address: view.base, open: view.axes.clone(), links: Vec::new() },
            (None, None) => return Ok(false),
        };
        let index = self.scalar(index);
        let Some(chain) = self.link(chain, axis, index, stmt.span)? else { return Ok(false) };
        self.defined[dest.0 as usize] = true;
        match self.function.ty(dest).dtype().filter(|_| self.is_scalar(dest)) {
            Some(dtype) => {
                let value = self.b.ins().load(machine(dtype), trusted(), chain.address, 0);
                self.bind_scalar(dest, value);
            }
            None => {
                self.lazies.insert(dest, chain);
            }
        }
        Ok(true)
    }

    /// Selects one more axis of a chain: the bounds test, then the new address.
    fn link(&mut self, mut chain: Lazy, axis: Axis, index: Value, span: Span) -> Result<Option<Lazy>> {
        let Some(at) = chain.open.iter().position(|open| open.axis == axis) else { return Ok(None) };
        let open = chain.open.remove(at);
        chain.links.push((axis, span, index));
        let inside = self.b.ins().icmp(IntCC::UnsignedLessThan, index, open.len);
        let (next, cold) = (self.b.create_block(), self.b.create_block());
        self.b.ins().brif(inside, next, &[], cold, &[]);
        self.b.switch_to_block(cold);
        self.b.set_cold_block(cold);
        self.outside(&chain, span)?;
        self.b.switch_to_block(next);
        let offset = self.b.ins().imul(index, open.stride);
        chain.address = self.b.ins().iadd(chain.address, offset);
        Ok(Some(chain))
    }

    /// The runtime repeats the chain, for its error.
    fn outside(&mut self, chain: &Lazy, span: Span) -> Result<()> {
        for (at, &(_, _, index)) in chain.links.iter().enumerate() {
            self.store_cell(at, index);
        }
        let slot = self.slots.get(chain.root).unwrap_or(0);
        let links = chain.links.iter().map(|&(axis, span, _)| (axis, span)).collect();
        self.step_status("locus_chain", span, Action::Chain { slot, links })?;
        self.b.ins().jump(self.failed, &[]);
        Ok(())
    }
}
