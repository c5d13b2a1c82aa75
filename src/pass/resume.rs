//! Long loops of an item made so that they can be gone on with.
//!
//! A counted loop that does nothing but compute and report asks the world, before its first round, where to begin and
//! from which values; at the beginning of each round, whether its values are wanted; and tells its results. What the
//! loop computes stays as it was. Only loops that no other loop contains, and whose rounds are not a few
//! scalar operations, are worth it.

use super::copy::each_stmt;
use crate::ir::{Block, Carried, Const, Effect, Function, LocalId, Module, Op, Stmt, Type, builtin_is_pure};

/// Rewrites the loops of an item's function.
pub fn resumable(module: &Module, function: &mut Function) {
    let mut body = std::mem::take(&mut function.body);
    let mut count = 0;
    rewrite(module, function, &mut body, &mut count);
    function.body = body;
    if count > 0 {
        function.effect = Effect::Shows;
    }
}

/// `count` numbers the loops of the function in order.
fn rewrite(module: &Module, function: &mut Function, block: &mut Block, count: &mut i64) {
    for mut stmt in std::mem::take(&mut block.stmts) {
        if let Op::If { then, other, .. } = &mut stmt.op {
            rewrite(module, function, then, count);
            rewrite(module, function, other, count);
        }
        if worth(module, function, &stmt) {
            looped(function, stmt, *count, &mut block.stmts);
            *count += 1;
        } else {
            block.stmts.push(stmt);
        }
    }
}

/// A loop with values, whose body only computes and reports, and takes more than a few scalar operations.
fn worth(module: &Module, function: &Function, stmt: &Stmt) -> bool {
    let Op::For { carried, body, .. } = &stmt.op else { return false };
    let (mut harmless, mut heavy) = (!carried.is_empty(), false);
    each_stmt(body, &mut |stmt| {
        harmless &= match &stmt.op {
            Op::Builtin { name, .. } => *name == "report" || builtin_is_pure(name),
            Op::Call { .. } => module.effect_of(&stmt.op) == Effect::None,
            Op::GlobalSet(..) | Op::Return(_) | Op::Grad { .. } => false,
            _ => true,
        };
        let repeats = matches!(stmt.op, Op::For { .. } | Op::While { .. } | Op::Call { .. });
        heavy |= repeats || stmt.dest.iter().any(|&dest| !function.ty(dest).is_scalar());
    });
    harmless && heavy
}

/// Appends the loop and what goes before, into and after it.
fn looped(function: &mut Function, stmt: Stmt, number: i64, out: &mut Vec<Stmt>) {
    let Stmt { dest, op: Op::For { var, lo, hi, carried, mut body }, span } = stmt else { return };
    let mut local = |ty: Type| function.new_local(ty, None, span);
    let (number_local, start, due) = (local(Type::INT), local(Type::INT), local(Type::BOOL));
    let types: Vec<Type> = carried.iter().map(|one| function.ty(one.param).clone()).collect();
    let inits: Vec<LocalId> = types.into_iter().map(|ty| function.new_local(ty, None, span)).collect();
    let builtin = |name, dest: Vec<LocalId>, args: Vec<LocalId>| Stmt {
        dest,
        op: Op::Builtin { name, axes: Vec::new(), args },
        span,
    };
    let with = |head: &[LocalId], rest: &[LocalId]| [head, rest].concat();
    let params: Vec<LocalId> = carried.iter().map(|one| one.param).collect();
    let before: Vec<LocalId> = carried.iter().map(|one| one.init).collect();
    out.push(Stmt { dest: vec![number_local], op: Op::Const(Const::Int(number)), span });
    out.push(builtin("loop_start", with(&[start], &inits), with(&[number_local, lo, hi], &before)));
    let save = builtin("loop_save", Vec::new(), with(&[number_local, var], &params));
    let then = Block { stmts: vec![save], results: Vec::new() };
    let asked = [
        builtin("loop_due", vec![due], Vec::new()),
        Stmt { dest: Vec::new(), op: Op::If { cond: due, then, other: Block::default() }, span },
    ];
    body.stmts.splice(0..0, asked);
    let carried = params.iter().zip(&inits).map(|(&param, &init)| Carried { param, init }).collect();
    out.push(Stmt { dest: dest.clone(), op: Op::For { var, lo: start, hi, carried, body }, span });
    out.push(builtin("loop_end", Vec::new(), with(&[number_local, hi], &dest)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ops::ScalarOp;
    use crate::ir::Elem;
    use crate::ir::verify::verify_function;
    use crate::pass::build::Builder;
    use crate::pass::testing::{build, tensor};

    fn counted(b: &mut Builder, init: LocalId, inside: impl FnOnce(&mut Builder, LocalId) -> LocalId) -> LocalId {
        let (lo, hi) = (b.int(0), b.int(3));
        let ty = b.ty(init).clone();
        let (var, param) = (b.local(Type::INT), b.local(ty.clone()));
        let outer = b.enter();
        let next = inside(b, param);
        let body = Block { stmts: b.leave(outer), results: vec![next] };
        b.emit_as(Op::For { var, lo, hi, carried: vec![Carried { param, init }], body }, &[ty])[0]
    }

    fn rewritten(make: impl FnOnce(&mut Builder, LocalId) -> LocalId) -> usize {
        let module = Module::default();
        let params = [("x", tensor(Elem::F64, "a")), ("n", Type::FLOAT)];
        let mut function = build("f", &params, |b, p| {
            make(b, p[0]);
            vec![p[1]]
        });
        resumable(&module, &mut function);
        verify_function(&module, &function).unwrap();
        let mut found = 0;
        each_stmt(&function.body, &mut |stmt| {
            found += usize::from(matches!(stmt.op, Op::Builtin { name: "loop_save", .. }));
        });
        found
    }

    #[test]
    fn the_outermost_loops_over_tensors_are_rewritten() {
        let double = |b: &mut Builder, x: LocalId| b.elem(ScalarOp::Add, &[x, x]);
        assert_eq!(rewritten(|b, x| counted(b, x, double)), 1);
        assert_eq!(rewritten(|b, x| counted(b, x, |b, y| counted(b, y, double))), 1);
        let twice = |b: &mut Builder, x: LocalId| {
            let y = counted(b, x, double);
            counted(b, y, double)
        };
        assert_eq!(rewritten(twice), 2);
    }

    #[test]
    fn loops_that_print_or_only_count_stay_as_they_are() {
        let printing = |b: &mut Builder, x: LocalId| {
            let text = b.emit_as(Op::Const(Const::Str("x".into())), &[Type::Str])[0];
            b.emit_as(Op::Builtin { name: "print", axes: Vec::new(), args: vec![text] }, &[]);
            b.elem(ScalarOp::Neg, &[x])
        };
        assert_eq!(rewritten(|b, x| counted(b, x, printing)), 0);
        let reporting = |b: &mut Builder, x: LocalId| {
            b.emit_as(Op::Builtin { name: "report", axes: Vec::new(), args: Vec::new() }, &[]);
            b.elem(ScalarOp::Neg, &[x])
        };
        assert_eq!(rewritten(|b, x| counted(b, x, reporting)), 1);
        let scalars = |b: &mut Builder, _: LocalId| {
            let one = b.number(Elem::F64, 1.0);
            counted(b, one, |b, y| b.elem(ScalarOp::Add, &[y, y]))
        };
        assert_eq!(rewritten(scalars), 0);
    }
}
