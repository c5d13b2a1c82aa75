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
    Function::default()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::verify::verify;
    use crate::ir::{Elem, FuncId, Type};
    use crate::pass::testing::{build, eval, numbers, set, tensor};

    /// `for i in 0..n { if i == n - 1 { kept = x } ; x = x @[a] w }`, yielding `kept`, or `x` too.
    fn looped(both: bool) -> Module {
        let mut module = Module::default();
        let params = [("x", tensor(Elem::F64, "a")), ("w", tensor(Elem::F64, "ab")), ("n", Type::INT)];
        module.add(build("f", &params, |b, p| {
            let zero = b.int(0);
            let (var, x, kept) = (b.local(Type::INT), b.local(tensor(Elem::F64, "a")), b.local(tensor(Elem::F64, "a")));
            let outer = b.enter();
            let one = b.int(1);
            let last = b.elem(ScalarOp::Sub, &[p[2], one]);
            let cond = b.elem(ScalarOp::Eq, &[var, last]);
            let branch = |local| Block { stmts: Vec::new(), results: vec![local] };
            let op = Op::If { cond, then: branch(x), other: branch(kept) };
            let now = b.emit_as(op, &[tensor(Elem::F64, "a")])[0];
            let next = b.emit(Op::Contract { a: x, b: p[1], axes: set("a") });
            let next = b.emit(Op::Rename {
                arg: next,
                from: crate::pass::testing::axis("b"),
                to: crate::pass::testing::axis("a"),
            });
            let body = Block { stmts: b.leave(outer), results: vec![next, now] };
            let carried = vec![Carried { param: x, init: p[0] }, Carried { param: kept, init: p[0] }];
            let types = [tensor(Elem::F64, "a"), tensor(Elem::F64, "a")];
            let made = b.emit_as(Op::For { var, lo: zero, hi: p[2], carried, body }, &types);
            if both { made } else { vec![made[1]] }
        }));
        module
    }

    #[test]
    fn the_last_round_computes_what_is_read() {
        for rounds in [0, 1, 3] {
            let mut module = looped(false);
            let scalar = crate::pass::testing::Val::T(crate::pass::testing::Arr::scalar(f64::from(rounds)));
            let args = || vec![numbers(&[("a", 2)], 1), numbers(&[("a", 2), ("b", 2)], 2), scalar.clone()];
            let plain = eval(&module, FuncId(0), args());
            let mut function = module.functions[0].clone();
            assert!(peel(&module, &mut function));
            dead::remove(&module, &mut function);
            module.functions[0] = function;
            verify(&module, FuncId(0)).unwrap();
            assert_eq!(eval(&module, FuncId(0), args()), plain);
            assert_eq!(contractions(&module.functions[0].body), 1);
        }
        let module = looped(true);
        assert!(!peel(&module, &mut module.functions[0].clone()));
    }
}
