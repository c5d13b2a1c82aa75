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

/// Bodies are no longer put in place of calls for speed once a function has this many locals.
const LARGEST: usize = 8_000;
/// Nor at all, once it has this many: calls that double at each level would never end. Whoever needs everything inline
/// refuses a function above it.
pub const LARGEST_WHOLE: usize = 60_000;

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
        if self.within.contains(func) || self.within.len() > 64 || self.function.locals.len() > LARGEST_WHOLE {
            return None;
        }
        let callee = self.module.functions.get(func.0 as usize)?;
        if let Which::Small(limit) = self.which
            && (self.function.locals.len() > LARGEST || size(&callee.body) > limit)
        {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ops::ScalarOp;
    use crate::ir::verify::{verify, verify_function};
    use crate::ir::{Carried, Elem, Type};
    use crate::pass::build::Builder;
    use crate::pass::testing::{Arr, Val, build, eval};

    fn calls(function: &Function) -> usize {
        let mut count = 0;
        each_stmt(&function.body, &mut |stmt| count += usize::from(matches!(stmt.op, Op::Call { .. })));
        count
    }

    fn call(b: &mut Builder, func: FuncId, args: &[crate::ir::LocalId]) -> crate::ir::LocalId {
        b.emit_as(Op::Call { func, args: args.to_vec() }, &[Type::FLOAT])[0]
    }

    /// `if x > 1 { if x > 2 { return 20 } else { return x } } ; -x`.
    fn early(b: &mut Builder, p: &[crate::ir::LocalId]) -> Vec<crate::ir::LocalId> {
        let (one, two) = (b.number(Elem::F64, 1.0), b.number(Elem::F64, 2.0));
        let (above, far) = (b.elem(ScalarOp::Gt, &[p[0], one]), b.elem(ScalarOp::Gt, &[p[0], two]));
        let outer = b.enter();
        let inner = b.enter();
        let twenty = b.number(Elem::F64, 20.0);
        b.emit_as(Op::Return(vec![twenty]), &[]);
        let then = Block { stmts: b.leave(inner), results: Vec::new() };
        let inner = b.enter();
        b.emit_as(Op::Return(vec![p[0]]), &[]);
        let other = Block { stmts: b.leave(inner), results: Vec::new() };
        b.emit_as(Op::If { cond: far, then, other }, &[]);
        let then = Block { stmts: b.leave(outer), results: Vec::new() };
        b.emit_as(Op::If { cond: above, then, other: Block::default() }, &[]);
        vec![b.elem(ScalarOp::Neg, &[p[0]])]
    }

    #[test]
    fn nested_returns_become_values() {
        let mut module = Module::default();
        let callee = module.add(build("g", &[("x", Type::FLOAT)], early));
        verify(&module, callee).unwrap();
        let id = module.add(build("f", &[("x", Type::FLOAT)], |b, p| {
            let y = call(b, callee, p);
            vec![call(b, callee, &[y])]
        }));
        let values = [0.5, 1.5, 3.0].map(|x| Val::T(Arr::scalar(x)));
        let plain: Vec<Vec<Val>> = values.iter().map(|x| eval(&module, id, vec![x.clone()])).collect();
        let mut function = module.function(id).clone();
        inline(&module, Some(id), &mut function, Which::All);
        verify_function(&module, &function).unwrap();
        assert_eq!(calls(&function), 0);
        module.functions[id.0 as usize] = function;
        let inlined: Vec<Vec<Val>> = values.iter().map(|x| eval(&module, id, vec![x.clone()])).collect();
        assert_eq!(inlined, plain);
    }

    #[test]
    fn recursion_and_returns_in_loops_stay_calls() {
        let mut module = Module::default();
        let own = FuncId(0);
        module.add(build("again", &[("x", Type::FLOAT)], |b, p| vec![call(b, own, p)]));
        let looped = module.add(build("looped", &[("x", Type::FLOAT)], |b, p| {
            let (lo, hi) = (b.int(0), b.int(2));
            let (var, param) = (b.local(Type::INT), b.local(Type::FLOAT));
            let outer = b.enter();
            b.emit_as(Op::Return(vec![param]), &[]);
            let body = Block { stmts: b.leave(outer), results: Vec::new() };
            b.emit_as(Op::For { var, lo, hi, carried: vec![Carried { param, init: p[0] }], body }, &[Type::FLOAT])
        }));
        for (callee, left) in [(own, 1), (looped, 1)] {
            let mut function = build("f", &[("x", Type::FLOAT)], |b, p| vec![call(b, callee, p)]);
            inline(&module, None, &mut function, Which::All);
            verify_function(&module, &function).unwrap();
            assert_eq!(calls(&function), left);
        }
    }

    #[test]
    fn large_bodies_stay_calls_unless_all_must_go() {
        let mut module = Module::default();
        let large = module.add(build("large", &[("x", Type::FLOAT)], |b, p| {
            vec![(0..5).fold(p[0], |x, _| b.elem(ScalarOp::Neg, &[x]))]
        }));
        for (which, left) in [(Which::Small(4), 1), (Which::Small(5), 0), (Which::All, 0)] {
            let mut function = build("f", &[("x", Type::FLOAT)], |b, p| vec![call(b, large, p)]);
            inline(&module, None, &mut function, which);
            assert_eq!(calls(&function), left, "{which:?}");
        }
    }
}
