//! Gradients of branches and loops.
//!
//! The adjoint of an `if` is an `if`; that of a `for` is a `for` that runs backwards. Both compute the inside of
//! their blocks again, under new names, instead of keeping it: a loop keeps only what it carried into each round and
//! the contractions, which are dear, in lists. What a block reads from outside gets its adjoint from the adjoint
//! block, in loops as a carried sum.

use super::super::attend::{ATTENTION, count};
use super::super::copy::{Copier, Names, captured};
use super::{Outcome, Reverse};
use crate::base::diag::Diagnostic;
use crate::base::ops::ScalarOp;
use crate::ir::{Block, Carried, Function, LocalId, Op, Stmt, Type, builtin_is_pure};
use std::collections::{BTreeMap, BTreeSet};

impl Reverse<'_> {
    /// Writes statements as they are, except that loops which have an adjoint keep what they carry.
    pub(super) fn forward(&mut self, stmts: &[Stmt]) {
        for stmt in stmts {
            let kept = match &stmt.op {
                Op::For { .. } if stmt.dest.iter().any(|&dest| self.is_active(dest)) => self.taped(stmt.clone()),
                _ => stmt.clone(),
            };
            self.build.stmts.push(kept);
        }
    }

    /// The loop with, for each carried value and each dear one, a list of what it was in each round.
    fn taped(&mut self, mut stmt: Stmt) -> Stmt {
        self.build.span = stmt.span;
        let Op::For { var, carried, body, .. } = &mut stmt.op else { return stmt };
        let params: Vec<LocalId> = carried.iter().map(|one| one.param).collect();
        let dear = dear(&self.build.function, body);
        let (mut early, mut late) = (Vec::new(), Vec::new());
        let mut tapes = Vec::new();
        for &kept in params.iter().chain(&dear) {
            let list = Type::List(Box::new(self.build.ty(kept).clone()));
            let init = self.build.emit_as(Op::MakeList(Vec::new()), std::slice::from_ref(&list))[0];
            let tape = self.build.local(list.clone());
            let next = self.build.local(list.clone());
            let op = Op::Builtin { name: "list_push", axes: Vec::new(), args: vec![tape, kept] };
            let push = Stmt { dest: vec![next], op, span: stmt.span };
            if params.contains(&kept) {
                early.push(push)
            } else {
                late.push(push)
            }
            carried.push(Carried { param: tape, init });
            body.results.push(next);
            tapes.push(self.build.local(list));
        }
        body.stmts.splice(0..0, early);
        body.stmts.extend(late);
        stmt.dest.extend(&tapes);
        let products = tapes.split_off(params.len());
        self.kept.extend(dear.into_iter().zip(products));
        self.tapes.insert(*var, tapes);
        stmt
    }

    /// A copy of a block for computing it again: the same names for activity, no effects. With the new names.
    fn copied(&mut self, block: &Block, names: Names) -> (Block, Names) {
        let mut copier = Copier { target: &mut self.build.function, source: None, names };
        let mut copy = copier.block(block);
        let names = copier.names;
        for (&old, &new) in &names {
            if self.is_active(old) {
                self.active.resize(self.active.len().max(new.0 as usize + 1), false);
                self.active[new.0 as usize] = true;
            }
            if self.unset.contains(&old) {
                self.unset.insert(new);
            }
        }
        quiet(&mut copy);
        (copy, names)
    }

    /// Computes a block again, but for what `again` says how to get, and reverses it. `adjoints` belong to its
    /// results. Gives the adjoints of the locals in `wanted` that it reached; those of the world around are left alone.
    fn reversed(
        &mut self,
        copy: &Block,
        again: &BTreeMap<LocalId, Op>,
        adjoints: &[Option<LocalId>],
        wanted: &BTreeSet<LocalId>,
    ) -> Result<BTreeMap<LocalId, LocalId>, Diagnostic> {
        let around = std::mem::take(&mut self.adjoints);
        let mut stmts = copy.stmts.clone();
        for stmt in &mut stmts {
            if let Some(op) = stmt.dest.first().and_then(|dest| again.get(dest)) {
                stmt.op = op.clone();
            }
        }
        self.forward(&stmts);
        for (&result, adjoint) in copy.results.iter().zip(adjoints) {
            if let Some(adjoint) = adjoint {
                self.add(result, *adjoint);
            }
        }
        self.backward(&copy.stmts)?;
        let mut reached = std::mem::replace(&mut self.adjoints, around);
        reached.retain(|local, _| wanted.contains(local));
        Ok(reached)
    }

    pub(super) fn reverse_if(
        &mut self,
        cond: LocalId,
        then: &Block,
        other: &Block,
        dest: &[LocalId],
        adjoints: &[Option<LocalId>],
    ) -> Outcome {
        debug_assert_eq!(dest.len(), adjoints.len());
        let wanted = self.active_captures(&[then, other]);
        let (mut sides, mut sizes) = (Vec::new(), BTreeMap::new());
        for branch in [then, other] {
            let around = self.build.enter();
            let (copy, _) = self.copied(branch, Names::new());
            let reached = self.reversed(&copy, &BTreeMap::new(), adjoints, &wanted)?;
            // What a branch hands on unset has the sizes of what the other gives in its place.
            let like = |(number, &result): (usize, &LocalId)| {
                let unset = self.unset.contains(&result).then_some(result)?;
                Some((unset, adjoints.get(number).copied().flatten()?))
            };
            sizes.extend(copy.results.iter().enumerate().filter_map(like));
            sides.push((self.build.leave(around), reached));
        }
        let reached: BTreeSet<LocalId> = sides.iter().flat_map(|(_, reached)| reached.keys().copied()).collect();
        let mut blocks = Vec::new();
        for (stmts, found) in sides {
            let around = std::mem::replace(&mut self.build.stmts, stmts);
            let results = reached.iter().map(|&local| {
                let like = sizes.get(&local).copied().unwrap_or(local);
                found.get(&local).copied().unwrap_or_else(|| self.zeros(like))
            });
            let results = results.collect();
            blocks.push(Block { stmts: self.build.leave(around), results });
        }
        let types: Vec<Type> = reached.iter().map(|&local| self.build.ty(local).clone()).collect();
        if let (Some(other), Some(then)) = (blocks.pop(), blocks.pop()) {
            let parts = self.build.emit_as(Op::If { cond, then, other }, &types);
            reached.into_iter().zip(parts).for_each(|(local, part)| self.add(local, part));
        }
        Ok(())
    }

    /// The active locals that blocks read from outside.
    fn active_captures(&self, blocks: &[&Block]) -> BTreeSet<LocalId> {
        captured(blocks).into_iter().filter(|&local| self.is_active(local)).collect()
    }

    pub(super) fn reverse_for(&mut self, stmt: &Stmt, adjoints: &[Option<LocalId>]) -> Outcome {
        let Op::For { var, lo, hi, carried, body } = &stmt.op else { return Ok(()) };
        // The adjoints that go through the loop, last round first.
        let mut through: Vec<(usize, Carried)> = Vec::new();
        for number in 0..carried.len() {
            if !self.is_active(carried[number].param) {
                continue;
            }
            let init = adjoints[number].unwrap_or_else(|| self.zeros(stmt.dest[number]));
            let param = self.build.local(self.build.ty(init).clone());
            through.push((number, Carried { param, init }));
        }
        // The rounds run backwards: lo + hi - 1 - round.
        let round = self.build.local(Type::INT);
        let ends = self.build.elem(ScalarOp::Add, &[*lo, *hi]);
        let one = self.build.int(1);
        let last = self.build.elem(ScalarOp::Sub, &[ends, one]);

        let around = self.build.enter();
        let now = self.build.elem(ScalarOp::Sub, &[last, round]);
        let place = self.build.elem(ScalarOp::Sub, &[now, *lo]);
        let made = self.round_reversed((*var, now), place, carried, body, &through);
        let stmts = self.build.leave(around);
        let (results, totals) = made?;

        let mut sums: Vec<Carried> = through.iter().map(|(_, sum)| *sum).collect();
        for &(local, param) in &totals {
            let init = self.adjoints.remove(&local).unwrap_or_else(|| self.zeros(local));
            sums.push(Carried { param, init });
        }
        let types: Vec<Type> = sums.iter().map(|sum| self.build.ty(sum.param).clone()).collect();
        let op = Op::For { var: round, lo: *lo, hi: *hi, carried: sums, body: Block { stmts, results } };
        let dest = self.build.emit_as(op, &types);
        for ((number, _), &part) in through.iter().zip(&dest) {
            self.add(carried[*number].init, part);
        }
        for (&(local, _), &part) in totals.iter().zip(&dest[through.len()..]) {
            self.total(local, part);
        }
        Ok(())
    }

    /// Computes one round again and reverses it. `through` has the adjoints of what the round carried on. Gives
    /// what the reversed round yields, and for each local from outside that it reached the carried sum.
    fn round_reversed(
        &mut self,
        (var, now): (LocalId, LocalId),
        place: LocalId,
        carried: &[Carried],
        body: &Block,
        through: &[(usize, Carried)],
    ) -> Result<(Vec<LocalId>, Vec<(LocalId, LocalId)>), Diagnostic> {
        let tapes = self.tapes.get(&var).cloned().unwrap_or_default();
        let mut names = Names::from([(var, now)]);
        let mut starts = Vec::new();
        for (one, &tape) in carried.iter().zip(&tapes) {
            let ty = self.build.ty(one.param).clone();
            let value = self.build.builtin("list_get", vec![tape, place], ty);
            names.insert(one.param, value);
            starts.push(value);
        }
        let params: BTreeSet<LocalId> = carried.iter().map(|c| c.param).collect();
        let outside = &self.active_captures(&[body]) - &params;
        let (copy, names) = self.copied(body, names);
        let mut again = BTreeMap::new();
        for (old, new) in names {
            if let Some(&tape) = self.kept.get(&old) {
                again.insert(new, Op::Builtin { name: "list_get", axes: Vec::new(), args: vec![tape, place] });
            }
        }
        let mut given = vec![None; carried.len()];
        through.iter().for_each(|(number, sum)| given[*number] = Some(sum.param));
        let wanted = starts.iter().chain(&outside).copied().collect();
        let reached = self.reversed(&copy, &again, &given, &wanted)?;
        let mut results = Vec::new();
        for (number, sum) in through {
            // Not the start's own sizes: it may be a value that was never set.
            results.push(reached.get(&starts[*number]).copied().unwrap_or_else(|| self.zeros(sum.param)));
        }
        let mut totals = Vec::new();
        for (local, part) in reached.into_iter().filter(|(local, _)| outside.contains(local)) {
            let total = self.build.local(self.build.ty(local).clone());
            results.push(self.plus(local, total, part));
            totals.push((local, total));
        }
        Ok((results, totals))
    }

    fn plus(&mut self, like: LocalId, a: LocalId, b: LocalId) -> LocalId {
        match self.build.ty(like) {
            Type::List(_) => self.add_lists(like, a, b),
            _ => self.build.elem(ScalarOp::Add, &[a, b]),
        }
    }

    /// The sum that a loop carried holds what was there before it; only what the loop's own starts added since is new.
    fn total(&mut self, local: LocalId, sum: LocalId) {
        let sum = match self.adjoints.remove(&local) {
            Some(since) => self.plus(local, since, sum),
            None => sum,
        };
        self.adjoints.insert(local, sum);
    }
}

/// What it is cheaper to keep than to compute again: contractions, with what is added to them and nothing else.
fn dear(function: &Function, body: &Block) -> BTreeSet<LocalId> {
    let mut reads = BTreeMap::new();
    count(body, &mut reads);
    let is_dear = |stmt: &&Stmt| {
        matches!(stmt.op, Op::Contract { .. } | Op::Builtin { name: ATTENTION, .. }) && stmt.dest.len() == 1
    };
    let with_bias = |product: LocalId| {
        let sum = |stmt: &&Stmt| {
            matches!(&stmt.op, Op::Elem { op: ScalarOp::Add, args } if args.contains(&product))
                && function.ty(stmt.dest[0]) == function.ty(product)
        };
        let only = reads.get(&product) == Some(&1);
        body.stmts.iter().find(sum).filter(|_| only).map_or(product, |stmt| stmt.dest[0])
    };
    body.stmts.iter().filter(is_dear).map(|stmt| with_bias(stmt.dest[0])).collect()
}

/// Takes out the statements that exist only for their effect: computing again must not check or print again.
fn quiet(block: &mut Block) {
    block.stmts.retain(|stmt| match &stmt.op {
        Op::Builtin { name, .. } => !stmt.dest.is_empty() || builtin_is_pure(name),
        Op::GlobalSet(..) => false,
        _ => true,
    });
    block.stmts.iter_mut().for_each(|stmt| stmt.op.blocks_mut().into_iter().for_each(quiet));
}
