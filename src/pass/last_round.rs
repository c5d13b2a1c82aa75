//! The last round of a loop alone, where that leaves out work.
//!
//! What a loop carries from round to round but nobody reads after it (the residual stream behind the last site that
//! a capture asks for) needs no new value in the last round. So where that saves a contraction, the last round is
//! taken out of the loop, and what it need not compute is left for `dead`. Values do not change.

use super::attend::count;
use super::build::Builder;
use super::copy::{Copier, Names};
use super::simplify::dead;
use crate::base::ops::ScalarOp;
use crate::ir::{Block, Carried, Function, LocalId, Module, Op, Stmt};
use std::collections::BTreeMap;

/// True if a loop was cut.
pub fn peel(module: &Module, function: &mut Function) -> bool {
    let mut reads = BTreeMap::new();
    count(&function.body, &mut reads);
    let mut build = Builder::new(std::mem::replace(function, empty()));
    let body = std::mem::take(&mut build.function.body);
    let mut work = Peeling { module, build, reads, changed: false };
    let body = work.block(body);
    let Peeling { build, changed, .. } = work;
    *function = build.function;
    function.body = body;
    changed
}

fn empty() -> Function {
    let body = Block::default();
    Function { name: String::new(), params: Vec::new(), results: Vec::new(), locals: Vec::new(), body, pure: true }
}

struct Peeling<'a> {
    module: &'a Module,
    build: Builder,
    reads: BTreeMap<LocalId, usize>,
    changed: bool,
}

impl Peeling<'_> {
    fn block(&mut self, block: Block) -> Block {
        let around = self.build.enter();
        for mut stmt in block.stmts {
            for inner in stmt.op.blocks_mut() {
                *inner = self.block(std::mem::take(inner));
            }
            self.build.span = stmt.span;
            match self.saves(&stmt) {
                Some(needed) => self.cut(stmt, &needed),
                None => self.build.stmts.push(stmt),
            }
        }
        Block { stmts: self.build.leave(around), results: block.results }
    }

    /// Which results are read after the loop, if the last round can do with less work.
    fn saves(&self, stmt: &Stmt) -> Option<Vec<bool>> {
        let Op::For { carried, body, .. } = &stmt.op else { return None };
        let needed: Vec<bool> = stmt.dest.iter().map(|dest| self.reads.contains_key(dest)).collect();
        let whole = body.results.len() == carried.len() && needed.len() == carried.len();
        if !whole || needed.iter().all(|&n| n) || !needed.contains(&true) {
            return None;
        }
        let effect = body.stmts.iter().any(|stmt| dead::has_effect(self.module, stmt));
        (!effect && contractions(&self.least(body, &needed)) < contractions(body)).then_some(needed)
    }

    /// The body as far as the needed results need it.
    fn least(&self, body: &Block, needed: &[bool]) -> Block {
        let mut body = body.clone();
        let mut flags = needed.iter();
        body.results.retain(|_| flags.next().copied().unwrap_or(true));
        dead::trim(self.module, &mut body);
        body
    }

    /// All rounds but the last; then, if there is one, the last with what is needed.
    fn cut(&mut self, stmt: Stmt, needed: &[bool]) {
        let Op::For { var, lo, hi, carried, body } = stmt.op else { return };
        self.changed = true;
        let last_body = self.least(&body, needed);
        let one = self.build.int(1);
        let last = self.build.elem(ScalarOp::Sub, &[hi, one]);
        let types: Vec<_> = carried.iter().map(|one| self.build.ty(one.param).clone()).collect();
        let params: Vec<LocalId> = carried.iter().map(|one: &Carried| one.param).collect();
        let before = self.build.emit_as(Op::For { var, lo, hi: last, carried, body }, &types);
        let any = self.build.elem(ScalarOp::Lt, &[lo, hi]);
        let mut names: Names = params.into_iter().zip(before.iter().copied()).collect();
        names.insert(var, last);
        let then = Copier { target: &mut self.build.function, source: None, names }.block(&last_body);
        let kept = |locals: &[LocalId]| -> Vec<LocalId> {
            locals.iter().zip(needed).filter(|(_, needed)| **needed).map(|(&local, _)| local).collect()
        };
        let other = Block { stmts: Vec::new(), results: kept(&before) };
        let dest = kept(&stmt.dest);
        self.build.stmts.push(Stmt { dest, op: Op::If { cond: any, then, other }, span: stmt.span });
    }
}

fn contractions(block: &Block) -> usize {
    let mut found = 0;
    super::copy::each_stmt(block, &mut |stmt| found += usize::from(matches!(stmt.op, Op::Contract { .. })));
    found
}
