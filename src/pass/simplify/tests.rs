//! Snapshots of small functions, and what must not change.

use super::simplify;
use crate::base::ops::{ReduceKind, ScalarOp};
use crate::ir::print::function as print;
use crate::ir::verify::verify;
use crate::ir::{Block, Carried, Const, Elem, LocalId, Module, Op, Type};
use crate::pass::build::Builder;
use crate::pass::testing::{axis, build, set, tensor};

fn simplified(params: &[(&str, Type)], make: impl FnOnce(&mut Builder, &[LocalId]) -> Vec<LocalId>) -> String {
    let mut module = Module::default();
    let id = module.add(build("f", params, make));
    verify(&module, id).unwrap();
    let mut function = module.function(id).clone();
    simplify(&module, &mut function);
    module.functions[0] = function;
    verify(&module, id).unwrap();
    print(&module, id).lines().skip(1).map(|line| format!("{}\n", line.trim())).collect()
}

const F: Elem = Elem::F64;

#[test]
fn constants_fold_but_errors_stay() {
    let text = simplified(&[("x", Type::FLOAT)], |b, p| {
        let (two, three, zero) = (b.int(2), b.int(3), b.int(0));
        let five = b.elem(ScalarOp::Add, &[two, three]);
        let failing = b.elem(ScalarOp::IntDiv, &[five, zero]);
        let one = b.number(F, 1.0);
        let x = b.elem(ScalarOp::Mul, &[p[0], one]);
        vec![five, failing, x]
    });
    assert_eq!(text, "%3: int = 0\n%4: int = 5\n%5: int = div(%4, %3)\nyield %4, %5, x.0\n}\n");
}

#[test]
fn integer_overflow_is_not_folded_and_division_rounds_down() {
    use super::fold::evaluate;
    let int = |op, x, y| evaluate(op, &[&Const::Int(x), &Const::Int(y)]);
    assert_eq!(int(ScalarOp::Add, i64::MAX, 1), None);
    assert_eq!(int(ScalarOp::IntDiv, i64::MIN, -1), None);
    assert_eq!(int(ScalarOp::Rem, 1, 0), None);
    assert_eq!(int(ScalarOp::IntDiv, -1, 3), Some(Const::Int(-1)));
    assert_eq!(int(ScalarOp::Rem, -1, 3), Some(Const::Int(2)));
    assert_eq!(int(ScalarOp::IntDiv, 7, -2), Some(Const::Int(-4)));
    assert_eq!(evaluate(ScalarOp::Div, &[&Const::F64(1.0), &Const::F64(0.0)]), None);
    assert_eq!(evaluate(ScalarOp::Exp, &[&Const::F64(1.0)]), None);
    assert_eq!(evaluate(ScalarOp::Lt, &[&Const::F32(f32::NAN), &Const::F32(1.0)]), Some(Const::Bool(false)));
}

#[test]
fn a_choice_that_is_known_keeps_the_length_of_the_other() {
    let chosen = |other: Type| {
        simplified(&[("x", tensor(F, "ab")), ("y", other)], |b, p| {
            let one = b.int(1);
            let always = b.elem(ScalarOp::Eq, &[one, one]);
            vec![b.elem(ScalarOp::Where, &[always, p[0], p[1]])]
        })
    };
    assert!(chosen(tensor(F, "ab")).contains("where("));
    assert_eq!(chosen(Type::FLOAT), "yield x.0\n}\n");
}

#[test]
fn a_sum_is_negated_after_it_is_small() {
    let text = simplified(&[("x", tensor(F, "ab"))], |b, p| {
        let y = b.elem(ScalarOp::Neg, &[p[0]]);
        vec![b.reduce(ReduceKind::Sum, y, set("a"))]
    });
    assert_eq!(text, "%3: f64[b] = sum[a](x.0)\n%2: f64[b] = neg(%3)\nyield %2\n}\n");
}

#[test]
fn equal_operations_are_shared_also_from_around() {
    let text = simplified(&[("x", tensor(F, "ab")), ("c", Type::BOOL)], |b, p| {
        let y = b.reduce(ReduceKind::Sum, p[0], set("a"));
        let outer = b.enter();
        let again = b.reduce(ReduceKind::Sum, p[0], set("a"));
        let z = b.elem(ScalarOp::Add, &[y, again]);
        let then = Block { stmts: b.leave(outer), results: vec![z] };
        let outer = b.enter();
        let differs = b.reduce(ReduceKind::Sum, p[0], set("b"));
        let total = b.reduce(ReduceKind::Sum, differs, set("a"));
        let z = b.elem(ScalarOp::Mul, &[y, total]);
        let other = Block { stmts: b.leave(outer), results: vec![z] };
        b.emit_as(Op::If { cond: p[1], then, other }, &[tensor(F, "b")])
    });
    assert_eq!(text.matches("sum[a](x.0)").count(), 1, "{text}");
    assert_eq!(text.matches("sum[b](x.0)").count(), 1, "{text}");
    assert!(text.contains("add(%2, %2)"), "{text}");
}

#[test]
fn one_branch_does_not_share_with_the_other() {
    let text = simplified(&[("x", tensor(F, "a")), ("c", Type::BOOL)], |b, p| {
        let outer = b.enter();
        let y = b.elem(ScalarOp::Exp, &[p[0]]);
        let then = Block { stmts: b.leave(outer), results: vec![y] };
        let outer = b.enter();
        let y = b.elem(ScalarOp::Exp, &[p[0]]);
        let y = b.elem(ScalarOp::Neg, &[y]);
        let other = Block { stmts: b.leave(outer), results: vec![y] };
        b.emit_as(Op::If { cond: p[1], then, other }, &[tensor(F, "a")])
    });
    assert_eq!(text.matches("exp(x.0)").count(), 2, "{text}");
}

#[test]
fn a_known_condition_leaves_one_branch() {
    let text = simplified(&[("x", Type::FLOAT)], |b, p| {
        let (one, two) = (b.int(1), b.int(2));
        let cond = b.elem(ScalarOp::Lt, &[one, two]);
        let outer = b.enter();
        let y = b.elem(ScalarOp::Exp, &[p[0]]);
        let then = Block { stmts: b.leave(outer), results: vec![y] };
        let other = Block { stmts: Vec::new(), results: vec![p[0]] };
        b.emit_as(Op::If { cond, then, other }, &[Type::FLOAT])
    });
    assert_eq!(text, "%4: float = exp(x.0)\nyield %4\n}\n");
}

/// A loop that carries a value nobody reads in the end, one that never changes, and prints.
#[test]
fn loops_lose_what_they_carry_in_vain() {
    let text = simplified(&[("x", tensor(F, "a")), ("n", Type::INT)], |b, p| {
        let lo = b.int(0);
        let ty = tensor(F, "a");
        let (var, used, vain, same) =
            (b.local(Type::INT), b.local(ty.clone()), b.local(ty.clone()), b.local(ty.clone()));
        let outer = b.enter();
        let next = b.elem(ScalarOp::Mul, &[used, same]);
        let more = b.elem(ScalarOp::Add, &[vain, used]);
        let body = Block { stmts: b.leave(outer), results: vec![next, more, same] };
        let carried = [used, vain, same].map(|param| Carried { param, init: p[0] }).to_vec();
        let made = b.emit_as(Op::For { var, lo, hi: p[1], carried, body }, &[ty.clone(), ty.clone(), ty]);
        vec![made[0]]
    });
    assert!(
        text.contains("for %3: int in %2..n.1 with %4: f64[a] = x.0 {\n%7: f64[a] = mul(%4, x.0)\nyield %7\n}"),
        "{text}"
    );
}

#[test]
fn effects_stay_and_sizes_come_from_the_start() {
    let text = simplified(&[("x", tensor(F, "a")), ("y", tensor(F, "b"))], |b, p| {
        let z = b.elem(ScalarOp::Mul, &[p[0], p[1]]);
        let z = b.emit(Op::Rename { arg: z, from: axis("a"), to: axis("c") });
        let size = b.size_of(z, axis("c"));
        b.emit_as(Op::Builtin { name: "print", axes: Vec::new(), args: vec![size] }, &[]);
        let wide = b.emit(Op::Expand { arg: p[0], axis: axis("c"), size });
        let t = b.emit(Op::Rename { arg: p[0], from: axis("a"), to: axis("c") });
        vec![b.elem(ScalarOp::Add, &[wide, t])]
    });
    let wanted = "%4: int = size[a](x.0)\nbuiltin print(%4)\n%6: f64[c] = rename x.0[a -> c]\n%7: f64[a, c] = add(x.0, %6)\nyield %7\n}\n";
    assert_eq!(text.replace("%5", "%4"), wanted.replace("%4", "%4"));
}
