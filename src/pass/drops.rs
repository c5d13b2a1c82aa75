//! `Drop` after the last use of each value that holds memory.
//!
//! A drop stands directly after the statement of the last use: an engine that looks ahead sees which operands it
//! may take, and change in place. Whoever binds a value frees it: a block what it makes, a loop body what it is
//! given each round. A value from around an `if` whose last use lies inside is dropped in both branches. What a
//! block yields is handed on, not dropped.

use super::copy::captured;
use crate::ir::{Block, Function, LocalId, Op, Stmt};
use std::collections::BTreeSet;

pub fn drops(function: &mut Function) {
    let mut body = std::mem::take(&mut function.body);
    let params = function.params.clone();
    drop_block(function, &mut body, params.into_iter().collect());
    function.body = body;
}

type Locals = BTreeSet<LocalId>;

/// `given`: what the block has to free beside what it makes itself.
fn drop_block(function: &Function, block: &mut Block, given: Locals) {
    let holds = |local: &LocalId| !function.ty(*local).is_scalar();
    let mut own: Locals = given.iter().copied().filter(holds).collect();
    own.extend(block.stmts.iter().flat_map(|stmt| stmt.dest.iter().copied()).filter(holds));
    let mut live: Locals = block.results.iter().copied().collect();
    let mut reversed: Vec<Stmt> = Vec::with_capacity(block.stmts.len() * 2);
    for mut stmt in std::mem::take(&mut block.stmts).into_iter().rev() {
        let mut reads: Locals = stmt.op.operands().into_iter().collect();
        reads.extend(captured(&stmt.op.blocks()));
        let mut last: Locals =
            reads.iter().copied().filter(|local| own.contains(local) && !live.contains(local)).collect();
        last.extend(stmt.dest.iter().copied().filter(|dest| own.contains(dest) && !live.contains(dest)));
        inner_blocks(function, &mut stmt, &mut last);
        if !matches!(stmt.op, Op::Return(_)) {
            let span = stmt.span;
            reversed.extend(last.into_iter().rev().map(|local| Stmt { dest: Vec::new(), op: Op::Drop(local), span }));
        }
        live.extend(reads);
        reversed.push(stmt);
    }
    let span = reversed.last().map(|stmt| stmt.span).unwrap_or_default();
    let unread = given.into_iter().filter(|local| holds(local) && !live.contains(local));
    reversed.extend(unread.map(|local| Stmt { dest: Vec::new(), op: Op::Drop(local), span }));
    reversed.reverse();
    block.stmts = reversed;
}

/// Drops inside the blocks of a statement. Takes from `last` what the branches of an `if` will free.
fn inner_blocks(function: &Function, stmt: &mut Stmt, last: &mut Locals) {
    let params: Locals = match &mut stmt.op {
        Op::If { then, other, .. } => {
            let inside = captured(&[then, other]);
            let passed = |local: &&LocalId| {
                inside.contains(local) && !then.results.contains(local) && !other.results.contains(local)
            };
            let passed: Locals = last.iter().filter(passed).copied().collect();
            last.retain(|local| !passed.contains(local));
            passed
        }
        Op::While { carried, test, .. } => {
            // The test reads what the body still needs, or what the loop yields.
            drop_block(function, test, Locals::new());
            carried.iter().map(|one| one.param).collect()
        }
        op => op.inner_params().into_iter().collect(),
    };
    let first = usize::from(matches!(stmt.op, Op::While { .. }));
    for block in stmt.op.blocks_mut().into_iter().skip(first) {
        drop_block(function, block, params.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ops::ScalarOp;
    use crate::ir::print::function as print;
    use crate::ir::verify::verify;
    use crate::ir::{Carried, Elem, Module, Type};
    use crate::pass::build::Builder;
    use crate::pass::testing::{build, tensor};

    fn dropped(params: &[(&str, Type)], make: impl FnOnce(&mut Builder, &[LocalId]) -> Vec<LocalId>) -> String {
        let mut module = Module::default();
        let id = module.add(build("f", params, make));
        drops(&mut module.functions[0]);
        verify(&module, id).unwrap();
        print(&module, id).lines().skip(1).map(|line| format!("{}\n", line.trim())).collect()
    }

    fn xy() -> [(&'static str, Type); 3] {
        [("x", tensor(Elem::F64, "a")), ("y", tensor(Elem::F64, "a")), ("c", Type::BOOL)]
    }

    #[test]
    fn directly_after_the_last_use() {
        let text = dropped(&xy(), |b, p| {
            let z = b.elem(ScalarOp::Add, &[p[0], p[0]]);
            let w = b.elem(ScalarOp::Mul, &[z, z]);
            b.elem(ScalarOp::Neg, &[w]);
            vec![w]
        });
        let wanted = "drop y.1\n%3: f64[a] = add(x.0, x.0)\ndrop x.0\n%4: f64[a] = mul(%3, %3)\ndrop %3\n\
                      %5: f64[a] = neg(%4)\ndrop %5\nyield %4\n}\n";
        assert_eq!(text, wanted);
    }

    #[test]
    fn both_branches_free_what_one_used() {
        let text = dropped(&xy(), |b, p| {
            let outer = b.enter();
            let z = b.elem(ScalarOp::Neg, &[p[0]]);
            let then = Block { stmts: b.leave(outer), results: vec![z] };
            let other = Block { stmts: Vec::new(), results: vec![p[1]] };
            b.emit_as(Op::If { cond: p[2], then, other }, &[tensor(Elem::F64, "a")])
        });
        let wanted = "%4: f64[a] = if c.2 {\n%3: f64[a] = neg(x.0)\ndrop x.0\nyield %3\n} else {\n\
                      drop x.0\nyield y.1\n}\ndrop y.1\nyield %4\n}\n";
        assert_eq!(text, wanted);
    }

    #[test]
    fn loops_free_what_each_round_is_given_and_keep_what_is_outside() {
        let text = dropped(&xy(), |b, p| {
            let (lo, hi) = (b.int(0), b.int(3));
            let (var, param) = (b.local(Type::INT), b.local(tensor(Elem::F64, "a")));
            let outer = b.enter();
            let next = b.elem(ScalarOp::Add, &[param, p[1]]);
            let body = Block { stmts: b.leave(outer), results: vec![next] };
            let carried = vec![Carried { param, init: p[0] }];
            b.emit_as(Op::For { var, lo, hi, carried, body }, &[tensor(Elem::F64, "a")])
        });
        assert!(text.contains("add(%6, y.1)\ndrop %6\nyield"), "{text}");
        assert!(text.contains("}\ndrop x.0\ndrop y.1\nyield"), "{text}");
    }
}
