//! Branches, loops, calls and comprehensions in machine code.
//!
//! Scalars travel as block parameters, everything else moves between slots by one `arrange` for each edge.

use cranelift::prelude::*;

use crate::base::axis::Axis;
use crate::base::ops::DType;
use crate::base::span::Span;
use crate::exec::{DEPTH_LIMIT, internal, uses};
use crate::ir::{self, Binder, Carried, FuncId, LocalId, Op, Stmt};
use crate::rt::error::Result;

use super::func::{Lower, machine, trusted};
use super::state::{self, Action, Object};

impl Lower<'_, '_> {
    /// The scalars among `locals`, as values, in order.
    fn scalars_of(&mut self, locals: &[LocalId]) -> Vec<Value> {
        let scalars: Vec<LocalId> = locals.iter().copied().filter(|&local| self.is_scalar(local)).collect();
        scalars.into_iter().map(|local| self.scalar(local)).collect()
    }

    /// The machine types of the scalars among `locals`.
    fn types_of(&self, locals: &[LocalId]) -> Vec<Type> {
        let dtype = |&local: &LocalId| self.function.ty(local).dtype().filter(|_| self.is_scalar(local));
        locals.iter().filter_map(dtype).map(machine).collect()
    }

    /// Binds `locals`: scalars to the parameters of `block`, starting with parameter `first`.
    fn bind(&mut self, locals: &[LocalId], block: Block, first: usize) {
        let params: Vec<Value> = self.b.block_params(block)[first..].to_vec();
        let mut params = params.into_iter();
        for &local in locals {
            if self.is_scalar(local)
                && let Some(value) = params.next()
            {
                self.bind_scalar(local, value);
            }
            self.defined[local.0 as usize] = true;
        }
    }

    /// Moves the objects among `from` into the slots of `to`.
    pub fn arrange(&mut self, from: &[LocalId], take: &[bool], to: &[LocalId], span: Span) -> Result<()> {
        let mut moves = Vec::new();
        for ((&from, &take), &to) in from.iter().zip(take).zip(to) {
            if let (Some(slot), Some(target)) = (self.slots.get(from), self.slots.get(to))
                && slot != target
            {
                moves.push((Object { slot, take }, target));
            }
        }
        if moves.is_empty() { Ok(()) } else { self.step("locus_arrange", span, Action::Arrange(moves)) }
    }

    /// Lowers a block and, if its end is reached, moves its results into `dest` and jumps to `next`.
    fn branch_block(
        &mut self,
        block: &ir::Block,
        dest: &[LocalId],
        dropped: &[LocalId],
        next: Block,
        span: Span,
    ) -> Result<bool> {
        let views = self.views.clone();
        let reached = self.block(block)?;
        if reached {
            let take = uses::yield_takes(block, &[], dropped);
            self.arrange(&block.results, &take, dest, span)?;
            let values = self.scalars_of(&block.results);
            self.jump(next, &values);
        }
        self.views = views;
        Ok(reached)
    }

    pub fn branch(
        &mut self,
        stmts: &[Stmt],
        index: usize,
        cond: LocalId,
        then: &ir::Block,
        other: &ir::Block,
    ) -> Result<bool> {
        let stmt = &stmts[index];
        let dropped = uses::dropped_after(stmts, index);
        let types = self.types_of(&stmt.dest);
        let (yes, no, next) = (self.b.create_block(), self.b.create_block(), self.block_with(&types));
        let cond = self.scalar(cond);
        self.b.ins().brif(cond, yes, &[], no, &[]);
        self.b.switch_to_block(yes);
        let first = self.branch_block(then, &stmt.dest, &dropped, next, stmt.span)?;
        self.b.switch_to_block(no);
        let second = self.branch_block(other, &stmt.dest, &dropped, next, stmt.span)?;
        self.b.switch_to_block(next);
        self.bind(&stmt.dest, next, 0);
        if !first && !second {
            self.b.ins().jump(self.failed, &[]);
        }
        Ok(first || second)
    }

    /// Leaves if somebody pressed Ctrl-C.
    fn interruption(&mut self, span: Span) -> Result<()> {
        // An atomic load is made anew each time; a plain one could be taken from the loop around this one.
        let flag = self.b.ins().atomic_load(types::I8, trusted(), self.interrupt);
        let (cold, next) = (self.b.create_block(), self.b.create_block());
        self.b.ins().brif(flag, cold, &[], next, &[]);
        self.b.switch_to_block(cold);
        self.b.set_cold_block(cold);
        let status = self.step_status("locus_interrupted", span, Action::Interrupt)?;
        self.b.ins().brif(status, self.failed, &[], next, &[]);
        self.b.switch_to_block(next);
        Ok(())
    }

    /// Moves the initial values of a loop into its parameters; gives the parameters and the scalar values.
    fn initial(&mut self, stmts: &[Stmt], index: usize, carried: &[Carried]) -> Result<(Vec<LocalId>, Vec<Value>)> {
        let params: Vec<LocalId> = carried.iter().map(|c| c.param).collect();
        let inits: Vec<LocalId> = carried.iter().map(|c| c.init).collect();
        let take = uses::takes(stmts, index, &inits);
        self.arrange(&inits, &take, &params, stmts[index].span)?;
        let values = self.scalars_of(&inits);
        Ok((params, values))
    }

    pub fn count(&mut self, stmts: &[Stmt], index: usize) -> Result<bool> {
        let stmt = &stmts[index];
        let Op::For { var, lo, hi, carried, body } = &stmt.op else { return Err(internal("not a loop")) };
        let (params, mut values) = self.initial(stmts, index, carried)?;
        let views = self.views.clone();
        self.hoist(&[body], stmt.span)?;
        let (lo, hi) = (self.scalar(*lo), self.scalar(*hi));
        let mut types = vec![types::I64];
        types.extend(self.types_of(&params));
        let (head, inside, after) = (self.block_with(&types), self.b.create_block(), self.b.create_block());
        values.insert(0, lo);
        self.jump(head, &values);
        self.b.switch_to_block(head);
        let round = self.b.block_params(head)[0];
        let more = self.b.ins().icmp(IntCC::SignedLessThan, round, hi);
        self.b.ins().brif(more, inside, &[], after, &[]);
        self.b.switch_to_block(inside);
        self.interruption(stmt.span)?;
        self.bind_scalar(*var, round);
        self.bind(&params, head, 1);
        if self.block(body)? {
            let take = uses::yield_takes(body, &params, &[]);
            self.arrange(&body.results, &take, &params, stmt.span)?;
            // Cannot overflow: `round < hi`.
            let mut values = vec![self.b.ins().iadd_imm_s(round, 1)];
            values.extend(self.scalars_of(&body.results));
            self.jump(head, &values);
        }
        self.views = views;
        self.after_loop(stmt, &params, head, 1, after)
    }

    pub fn repeat(&mut self, stmts: &[Stmt], index: usize) -> Result<bool> {
        let stmt = &stmts[index];
        let Op::While { carried, test, body } = &stmt.op else { return Err(internal("not a loop")) };
        let (params, values) = self.initial(stmts, index, carried)?;
        let views = self.views.clone();
        self.hoist(&[test, body], stmt.span)?;
        let types = self.types_of(&params);
        let (head, inside, after) = (self.block_with(&types), self.b.create_block(), self.b.create_block());
        self.jump(head, &values);
        self.b.switch_to_block(head);
        self.interruption(stmt.span)?;
        self.bind(&params, head, 0);
        if !self.block(test)? {
            // The test returns from the function: there is no way past the loop.
            for block in [inside, after] {
                self.b.switch_to_block(block);
                self.b.ins().jump(self.failed, &[]);
            }
            self.views = views;
            return Ok(false);
        }
        let go = test.results.first().copied().ok_or_else(|| internal("a loop without a test"))?;
        let go = self.scalar(go);
        self.b.ins().brif(go, inside, &[], after, &[]);
        self.b.switch_to_block(inside);
        if self.block(body)? {
            let take = uses::yield_takes(body, &params, &[]);
            self.arrange(&body.results, &take, &params, stmt.span)?;
            let values = self.scalars_of(&body.results);
            self.jump(head, &values);
        }
        self.views = views;
        self.after_loop(stmt, &params, head, 0, after)
    }

    /// Binds the carried values of the last round to the loop's results.
    fn after_loop(&mut self, stmt: &Stmt, params: &[LocalId], head: Block, first: usize, after: Block) -> Result<bool> {
        self.b.switch_to_block(after);
        self.arrange(params, &vec![true; params.len()], &stmt.dest, stmt.span)?;
        self.bind(&stmt.dest, head, first);
        Ok(true)
    }

    pub fn call(&mut self, stmt: &Stmt, func: FuncId, args: &[LocalId], take: &[bool]) -> Result<()> {
        let callee = self.module.function(func);
        let slots = super::func::slots(callee).count;
        let mut objects = Vec::new();
        for (&local, &take) in args.iter().zip(take) {
            objects.extend(self.slots.get(local).map(|slot| Object { slot, take }));
        }
        self.deeper(stmt.span)?;
        if slots > 0 {
            let action = Action::Prepare { args: objects, above: self.slots.count, slots };
            self.step("locus_prepare", stmt.span, action)?;
        }
        for (cell, value) in self.scalars_of(args).into_iter().enumerate() {
            self.store_cell(cell, value);
        }
        let base = self.b.ins().iadd_imm_s(self.base, i64::from(self.slots.count));
        let target = self.callee(func)?;
        let made = self.b.ins().call(target, &[self.state, base]);
        let status = self.b.inst_results(made)[0];
        self.traced(status, stmt.span)?;
        let depth = self.b.ins().load(types::I64, trusted(), self.state, state::DEPTH);
        let depth = self.b.ins().iadd_imm_s(depth, -1);
        self.b.ins().store(trusted(), depth, self.state, state::DEPTH);
        self.results(stmt)
    }

    /// One level deeper, unless that is too deep.
    fn deeper(&mut self, span: Span) -> Result<()> {
        // Two calls of itself at each level are a loop of 2^1000 rounds.
        self.interruption(span)?;
        let depth = self.b.ins().load(types::I64, trusted(), self.state, state::DEPTH);
        let over = self.b.ins().icmp_imm_s(IntCC::SignedGreaterThanOrEqual, depth, i64::from(DEPTH_LIMIT));
        let (cold, next) = (self.b.create_block(), self.b.create_block());
        self.b.ins().brif(over, cold, &[], next, &[]);
        self.b.switch_to_block(cold);
        self.b.set_cold_block(cold);
        self.step_status("locus_depth", span, Action::Depth)?;
        self.b.ins().jump(self.failed, &[]);
        self.b.switch_to_block(next);
        let depth = self.b.ins().iadd_imm_s(depth, 1);
        self.b.ins().store(trusted(), depth, self.state, state::DEPTH);
        Ok(())
    }

    fn callee(&mut self, func: FuncId) -> Result<codegen::ir::FuncRef> {
        if let Some(&found) = self.calls.get(&func) {
            return Ok(found);
        }
        let target = self.unit.function_ref(func, self.b.func)?;
        self.calls.insert(func, target);
        Ok(target)
    }

    /// Leaves if a call failed, noting the call on the way.
    fn traced(&mut self, status: Value, span: Span) -> Result<()> {
        let (cold, next) = (self.b.create_block(), self.b.create_block());
        self.b.ins().brif(status, cold, &[], next, &[]);
        self.b.switch_to_block(cold);
        self.b.set_cold_block(cold);
        self.step_status("locus_trace", span, Action::Trace)?;
        self.b.ins().jump(self.failed, &[]);
        self.b.switch_to_block(next);
        Ok(())
    }

    /// Binds the results of a call: scalars from the cells, the rest from where the callee left it.
    fn results(&mut self, stmt: &Stmt) -> Result<()> {
        let mut cell = 0;
        let mut objects = Vec::new();
        for &dest in &stmt.dest {
            self.defined[dest.0 as usize] = true;
            match (self.slots.get(dest), self.function.ty(dest).dtype()) {
                (Some(slot), _) => objects.push(slot),
                (None, dtype) => {
                    let value = self.load_cell(cell, dtype.unwrap_or(DType::I64));
                    self.bind_scalar(dest, value);
                    cell += 1;
                }
            }
        }
        if objects.is_empty() { Ok(()) } else { self.step("locus_finish", stmt.span, Action::Finish(objects)) }
    }

    /// Leaves the function with these values.
    pub fn leave(&mut self, locals: &[LocalId], span: Span) -> Result<()> {
        let last = uses::last_mentions(locals);
        let mut objects = Vec::new();
        for (&local, &take) in locals.iter().zip(&last) {
            objects.extend(self.slots.get(local).map(|slot| Object { slot, take }));
        }
        if self.slots.count > 0 {
            self.step("locus_leave", span, Action::Leave { results: objects, slots: self.slots.count })?;
        }
        for (cell, value) in self.scalars_of(locals).into_iter().enumerate() {
            self.store_cell(cell, value);
        }
        let status = self.b.ins().iconst(types::I32, 0);
        self.b.ins().return_(&[status]);
        Ok(())
    }

    /// A tensor by formula: loops over the binders in order, so that elements are written one after another.
    pub fn comprehend(&mut self, stmt: &Stmt, binders: &[Binder], body: &ir::Block) -> Result<bool> {
        let axes: Vec<Axis> = binders.iter().map(|binder| binder.axis).collect();
        let mut sizes = Vec::new();
        for (at, binder) in binders.iter().enumerate() {
            let size = self.scalar(binder.size);
            self.store_cell(at, size);
            sizes.push(size);
        }
        let mut dests = Vec::new();
        for &dest in &stmt.dest {
            let slot = self.slots.get(dest).ok_or_else(|| internal("a comprehension of a scalar"))?;
            dests.push((self.function.ty(dest).dtype().unwrap_or(DType::F64), slot));
        }
        let action = Action::Buffers { axes, dests: dests.clone() };
        self.step("locus_buffers", stmt.span, action)?;
        let addresses: Vec<Value> = (0..dests.len()).map(|at| self.load_cell(at, DType::I64)).collect();
        let views = self.views.clone();
        self.hoist(&[body], stmt.span)?;
        let targets: Vec<(Value, DType)> = addresses.into_iter().zip(dests.iter().map(|dest| dest.0)).collect();
        let zero = self.b.ins().iconst(types::I64, 0);
        self.binder_loop(stmt, binders, &sizes, body, zero, &targets)?;
        self.views = views;
        stmt.dest.iter().for_each(|dest| self.defined[dest.0 as usize] = true);
        Ok(true)
    }

    /// The loop over the first binder, with those over the others inside; `row` counts the rounds before this one.
    fn binder_loop(
        &mut self,
        stmt: &Stmt,
        binders: &[Binder],
        sizes: &[Value],
        body: &ir::Block,
        row: Value,
        targets: &[(Value, DType)],
    ) -> Result<()> {
        let (Some(binder), Some(&size)) = (binders.first(), sizes.first()) else {
            return self.element(body, row, targets);
        };
        let start = self.b.ins().imul(row, size);
        let zero = self.b.ins().iconst(types::I64, 0);
        let (head, inside, after) = (self.block_with(&[types::I64]), self.b.create_block(), self.b.create_block());
        self.jump(head, &[zero]);
        self.b.switch_to_block(head);
        let round = self.b.block_params(head)[0];
        let more = self.b.ins().icmp(IntCC::SignedLessThan, round, size);
        self.b.ins().brif(more, inside, &[], after, &[]);
        self.b.switch_to_block(inside);
        self.interruption(stmt.span)?;
        self.bind_scalar(binder.var, round);
        let place = self.b.ins().iadd(start, round);
        self.binder_loop(stmt, &binders[1..], &sizes[1..], body, place, targets)?;
        if !self.b.is_unreachable() {
            let next = self.b.ins().iadd_imm_s(round, 1);
            self.jump(head, &[next]);
        }
        self.b.switch_to_block(after);
        Ok(())
    }

    /// The body of a comprehension, and its stores.
    fn element(&mut self, body: &ir::Block, place: Value, targets: &[(Value, DType)]) -> Result<()> {
        if !self.block(body)? {
            // The body returns from the function: whatever follows is never reached.
            let dead = self.b.create_block();
            self.b.switch_to_block(dead);
            return Ok(());
        }
        let values = self.scalars_of(&body.results);
        for (value, &(address, dtype)) in values.into_iter().zip(targets) {
            let offset = self.b.ins().imul_imm_s(place, dtype.bytes() as i64);
            let target = self.b.ins().iadd(address, offset);
            self.b.ins().store(trusted(), value, target, 0);
        }
        Ok(())
    }
}
