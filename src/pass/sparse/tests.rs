//! What becomes of products around selections, as printed.

use super::sparse;
use crate::base::ops::{ReduceKind, ScalarOp};
use crate::ir::print::function as print;
use crate::ir::verify::verify;
use crate::ir::{Block, Elem, LocalId, Module, Op, Type};
use crate::pass::build::Builder;
use crate::pass::simplify::dead;
use crate::pass::testing::{axis, build, set, tensor};

/// The body after the pass, of a function of `x: f32[b, d]`, `w: f32[d, f]`, `bias: f32[f]`, `k: int`, `g: f32[b, d]`.
fn rewritten(make: impl FnOnce(&mut Builder, &[LocalId]) -> Vec<LocalId>) -> String {
    let params = [
        ("x", tensor(Elem::F32, "bd")),
        ("w", tensor(Elem::F32, "df")),
        ("bias", tensor(Elem::F32, "f")),
        ("k", Type::INT),
        ("g", tensor(Elem::F32, "bd")),
        ("dead", tensor(Elem::Bool, "f")),
        ("c", Type::BOOL),
    ];
    let mut module = Module::default();
    let id = module.add(build("f", &params, make));
    let mut function = module.function(id).clone();
    sparse(&mut function);
    dead::remove(&module, &mut function);
    module.functions[id.0 as usize] = function;
    verify(&module, id).unwrap();
    print(&module, id)
}

fn keep(b: &mut Builder, x: LocalId, k: LocalId) -> LocalId {
    let ty = b.ty(x).clone();
    b.emit_as(Op::Builtin { name: "keep_top", axes: vec![axis("f")], args: vec![x, k] }, &[ty])[0]
}

fn product(b: &mut Builder, x: LocalId, y: LocalId, over: &str) -> LocalId {
    b.emit(Op::Contract { a: x, b: y, axes: set(over) })
}

fn zero(b: &mut Builder) -> LocalId {
    b.number(Elem::F32, 0.0)
}

#[test]
fn a_product_that_is_only_selected_from_is_not_stored() {
    let text = rewritten(|b, p| {
        let z = product(b, p[0], p[1], "d");
        let z = b.elem(ScalarOp::Add, &[z, p[2]]);
        vec![keep(b, z, p[3])]
    });
    let wanted = "top_product x.0 @[d] w.1 finish(bias.2) { #2 = add(#0, #1); out #2 } keep k.3 of f";
    assert!(text.contains(wanted) && !text.contains("= x.0 @"), "{text}");
}

#[test]
fn a_second_selection_computes_the_product_in_its_branch() {
    let text = rewritten(|b, p| {
        let z = product(b, p[0], p[1], "d");
        let kept = keep(b, z, p[3]);
        let outer = b.enter();
        let none = zero(b);
        let alive = b.elem(ScalarOp::Where, &[p[5], z, none]);
        let more = keep(b, alive, p[3]);
        let then = Block { stmts: b.leave(outer), results: vec![more] };
        let other = Block { stmts: Vec::new(), results: vec![kept] };
        let ty = b.ty(kept).clone();
        let chosen = b.emit_as(Op::If { cond: p[6], then, other }, &[ty])[0];
        vec![kept, chosen]
    });
    assert_eq!(text.matches("top_product").count(), 2, "{text}");
    assert!(text.contains("{ #3 = where(#1, #0, #2); out #3 }") && !text.contains("= x.0 @"), "{text}");
}

#[test]
fn a_product_that_is_read_otherwise_stays() {
    let text = rewritten(|b, p| {
        let z = product(b, p[0], p[1], "d");
        let total = b.reduce(ReduceKind::Sum, z, set("bf"));
        vec![keep(b, z, p[3]), total]
    });
    assert!(text.contains("= x.0 @[d] w.1") && !text.contains("top_product"), "{text}");
}

#[test]
fn a_product_masked_by_a_code_is_sampled() {
    let text = rewritten(|b, p| {
        let z = product(b, p[0], p[1], "d");
        let code = keep(b, z, p[3]);
        let slope = product(b, p[4], p[1], "d");
        let slope = b.elem(ScalarOp::Add, &[slope, p[2]]);
        let none = zero(b);
        let on = b.elem(ScalarOp::Gt, &[code, none]);
        let slope = b.elem(ScalarOp::Where, &[on, slope, none]);
        vec![b.elem(ScalarOp::Neg, &[slope])]
    });
    assert!(text.contains("= sampled g.4 @[d] w.1 at %"), "{text}");
}

#[test]
fn a_product_that_is_masked_and_read_whole_is_whole() {
    for whole in [false, true] {
        let text = rewritten(|b, p| {
            let x = product(b, p[0], p[1], "d");
            let code = keep(b, x, p[3]);
            let slope = product(b, p[4], p[1], "d");
            let kept = b.elem(ScalarOp::Mul, &[slope, code]);
            let read = if whole { slope } else { kept };
            let total = b.reduce(ReduceKind::Sum, read, set("bf"));
            vec![kept, total]
        });
        assert_eq!(text.contains("sampled"), !whole, "{text}");
    }
}

#[test]
fn a_mask_that_is_true_outside_the_code_samples_nothing() {
    let text = rewritten(|b, p| {
        let x = product(b, p[0], p[1], "d");
        let code = keep(b, x, p[3]);
        let slope = product(b, p[4], p[1], "d");
        let none = zero(b);
        let off = b.elem(ScalarOp::Le, &[code, none]);
        vec![b.elem(ScalarOp::Where, &[off, slope, none])]
    });
    assert!(!text.contains("sampled"), "{text}");
}
