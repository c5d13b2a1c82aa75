//! Calls replaced by the bodies of what they call.
//!
//! A function that calls itself, or that returns from inside a loop, stays a call. The gradient needs everything
//! inline (`All`); before machine code only what is small or effect-free enough to help fusion is (`Small`).

use super::copy::{Copier, each_stmt};
use super::returns;
use crate::ir::{Block, FuncId, Function, Module, Op, Stmt};

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Which {
    All,
    /// Bodies of at most this many statements, counted at all depths.
    Small(usize),
}

/// Replaces the calls in `function`, which is `id` or a copy of it.
pub fn inline(module: &Module, id: Option<FuncId>, function: &mut Function, which: Which) {
    let mut body = std::mem::take(&mut function.body);
    let mut inliner = Inliner { module, function, which, within: id.into_iter().collect() };
    inliner.block(&mut body);
    function.body = body;
}

/// How many statements a block has at all depths.
pub fn size(block: &Block) -> usize {
    let mut count = 0;
    each_stmt(block, &mut |_| count += 1);
    count
}

struct Inliner<'a> {
    module: &'a Module,
    function: &'a mut Function,
    which: Which,
    /// The functions around the place, against endless inlining.
    within: Vec<FuncId>,
}

impl Inliner<'_> {
    fn block(&mut self, block: &mut Block) {
        let stmts = std::mem::take(&mut block.stmts);
        for mut stmt in stmts {
            for inner in stmt.op.blocks_mut() {
                self.block(inner);
            }
            match self.body_for(&stmt) {
                Some((func, callee)) => self.splice(&mut block.stmts, stmt, func, &callee),
                None => block.stmts.push(stmt),
            }
        }
    }

    /// The body to put in place of a call, if it is one that goes.
    fn body_for(&self, stmt: &Stmt) -> Option<(FuncId, Function)> {
        let Op::Call { func, .. } = &stmt.op else { return None };
        if self.within.contains(func) || self.within.len() > 64 {
            return None;
        }
        let callee = self.module.functions.get(func.0 as usize)?;
        if matches!(self.which, Which::Small(limit) if size(&callee.body) > limit) {
            return None;
        }
        let mut callee = callee.clone();
        returns::structure(&mut callee).then_some((*func, callee))
    }

    fn splice(&mut self, out: &mut Vec<Stmt>, stmt: Stmt, func: FuncId, callee: &Function) {
        let Op::Call { args, .. } = stmt.op else { return };
        let names = callee.params.iter().copied().zip(args).collect();
        let mut copier = Copier { target: self.function, source: Some(&callee.locals), names };
        let mut body = copier.block(&callee.body);
        self.within.push(func);
        self.block(&mut body);
        self.within.pop();
        out.append(&mut body.stmts);
        for (dest, result) in stmt.dest.into_iter().zip(body.results) {
            out.push(Stmt { dest: vec![dest], op: Op::Copy(result), span: stmt.span });
        }
    }
}
