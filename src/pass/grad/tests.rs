//! Gradients against central differences.

use crate::base::ops::{DType, ReduceKind, ScalarOp};
use crate::ir::verify::verify;
use crate::ir::{Block, Carried, Const, Elem, FuncId, LocalId, Module, Op, Type};
use crate::pass::build::Builder;
use crate::pass::testing::{Arr, Rules, Val, axis, build, eval, numbers, set, tensor};
use crate::pass::{Passes, testing};

/// Builds `f`, differentiates it by all its float parameters up to `wrt`, and compares with differences.
fn check(
    params: &[(&str, Type)],
    wrt: usize,
    values: Vec<Val>,
    make: impl FnOnce(&mut Builder, &[LocalId]) -> LocalId,
) {
    let mut module = Module::default();
    let func = module.add(build("f", params, |b, p| vec![make(b, p)]));
    check_in(module, func, wrt, values);
}

fn check_in(mut module: Module, func: FuncId, wrt: usize, values: Vec<Val>) {
    verify(&module, func).unwrap();
    let entry = with_grad(&mut module, func, wrt);
    let mut passes = Passes::new();
    passes.lower(&mut module, entry, &mut Rules).unwrap_or_else(|d| panic!("{}", d.message));
    let found = eval(&module, entry, values.clone());
    let mut after = Module::default();
    passes.optimise(&module, entry, &mut after).unwrap_or_else(|d| panic!("{}", d.message));
    let fast = eval(&after, entry, values.clone());
    for param in 0..wrt {
        let expected = differences(&module, func, &values, param);
        close(&found[1 + param], &expected, param);
        close(&fast[1 + param], &expected, param);
    }
}

/// A function that is one `Op::Grad` of another.
fn with_grad(module: &mut Module, func: FuncId, wrt: usize) -> FuncId {
    let target = module.function(func).clone();
    let params: Vec<(&str, Type)> = target.params.iter().map(|&p| ("p", target.ty(p).clone())).collect();
    let types: Vec<Type> =
        target.results.iter().cloned().chain(params[..wrt].iter().map(|(_, ty)| ty.clone())).collect();
    module.add(build("entry", &params, |b, p| b.emit_as(Op::Grad { func, args: p.to_vec(), wrt }, &types)))
}

fn differences(module: &Module, func: FuncId, values: &[Val], param: usize) -> Val {
    let Val::T(point) = &values[param] else { panic!("not a tensor") };
    let mut out = point.clone();
    for place in 0..point.data.len() {
        let at = |step: f64| {
            let mut moved = point.clone();
            moved.data[place] += step;
            let mut values = values.to_vec();
            values[param] = Val::T(moved);
            match &eval(module, func, values)[0] {
                Val::T(loss) => loss.data[0],
                other => panic!("{other:?}"),
            }
        };
        out.data[place] = (at(1e-5) - at(-1e-5)) / 2e-5;
    }
    Val::T(out)
}

fn close(found: &Val, expected: &Val, param: usize) {
    let (Val::T(found), Val::T(expected)) = (found, expected) else { panic!("{found:?}") };
    assert_eq!(found.dims, expected.dims, "parameter {param}");
    for (a, b) in found.data.iter().zip(&expected.data) {
        assert!((a - b).abs() < 1e-6 * b.abs().max(1.0), "parameter {param}: {a} is not {b}");
    }
}

fn sum(b: &mut Builder, x: LocalId) -> LocalId {
    let axes = b.axes(x);
    b.reduce(ReduceKind::Sum, x, axes)
}

/// A weighted sum, so that adjoints differ from element to element.
fn uneven(b: &mut Builder, x: LocalId) -> LocalId {
    let square = b.elem(ScalarOp::Mul, &[x, x]);
    let both = b.elem(ScalarOp::Add, &[square, x]);
    sum(b, both)
}

const F: Elem = Elem::F64;

#[test]
fn broadcasting_is_summed_away() {
    let params = [("x", tensor(F, "ab")), ("y", tensor(F, "b")), ("s", Type::FLOAT)];
    let values = vec![numbers(&[("a", 3), ("b", 2)], 1), numbers(&[("b", 2)], 2), numbers(&[], 3)];
    check(&params, 3, values, |b, p| {
        let z = b.elem(ScalarOp::Mul, &[p[0], p[1]]);
        let z = b.elem(ScalarOp::Div, &[z, p[2]]);
        let z = b.elem(ScalarOp::Sub, &[z, p[1]]);
        let z = b.elem(ScalarOp::Tanh, &[z]);
        uneven(b, z)
    });
}

#[test]
fn a_scalar_of_another_width_is_cast_back() {
    let params = [("x", tensor(Elem::F32, "a")), ("s", Type::FLOAT)];
    check(&params, 2, vec![numbers(&[("a", 3)], 1), numbers(&[], 3)], |b, p| {
        let s = b.cast(p[1], DType::F32);
        let z = b.elem(ScalarOp::Mul, &[p[0], s]);
        let wide = b.reduce(ReduceKind::SumF64, z, set("a"));
        b.elem(ScalarOp::Mul, &[wide, p[1]])
    });
}

#[test]
fn products_with_batch_axes() {
    let params = [("x", tensor(F, "abc")), ("w", tensor(F, "bcd"))];
    let values = vec![numbers(&[("a", 2), ("b", 2), ("c", 3)], 1), numbers(&[("b", 2), ("c", 3), ("d", 2)], 2)];
    check(&params, 2, values, |b, p| {
        let y = b.emit(Op::Contract { a: p[0], b: p[1], axes: set("c") });
        uneven(b, y)
    });
}

#[test]
fn products_to_a_scalar_and_of_a_tensor_with_itself() {
    let params = [("x", tensor(F, "a")), ("w", tensor(F, "a"))];
    let values = vec![numbers(&[("a", 3)], 1), numbers(&[("a", 3)], 2)];
    check(&params, 2, values, |b, p| {
        let y = b.emit(Op::Contract { a: p[0], b: p[1], axes: set("a") });
        let z = b.emit(Op::Contract { a: p[0], b: p[0], axes: set("a") });
        b.elem(ScalarOp::Mul, &[y, z])
    });
}

#[test]
fn largest_elements_share_between_ties() {
    check(&[("x", tensor(F, "ab"))], 1, vec![numbers(&[("a", 3), ("b", 4)], 5)], |b, p| {
        let y = b.reduce(ReduceKind::Max, p[0], set("b"));
        let z = b.reduce(ReduceKind::Min, p[0], set("ab"));
        let y = b.elem(ScalarOp::Mul, &[y, z]);
        uneven(b, y)
    });
    let mut module = Module::default();
    let func = module.add(build("f", &[("x", tensor(F, "a"))], |b, p| vec![b.reduce(ReduceKind::Max, p[0], set("a"))]));
    let entry = with_grad(&mut module, func, 1);
    Passes::new().lower(&mut module, entry, &mut Rules).unwrap();
    let tied = Arr { dims: vec![(axis("a"), 4)], data: vec![1.0, 3.0, 3.0, 2.0] };
    let Val::T(grad) = &eval(&module, entry, vec![Val::T(tied)])[1] else { panic!() };
    assert_eq!(grad.data, [0.0, 0.5, 0.5, 0.0]);
}

#[test]
fn indexing_scatters() {
    let params = [("x", tensor(F, "ab")), ("i", tensor(Elem::Int, "bc")), ("k", Type::INT)];
    let index = Arr { dims: vec![(axis("b"), 2), (axis("c"), 3)], data: vec![0.0, 2.0, 2.0, 1.0, 1.0, 1.0] };
    let values = vec![numbers(&[("a", 3), ("b", 2)], 1), Val::T(index), Val::T(Arr::scalar(1.0))];
    check(&params, 1, values, |b, p| {
        let y = b.emit(Op::Gather { arg: p[0], axis: axis("a"), index: p[1] });
        let z = b.emit(Op::Select { arg: p[0], axis: axis("a"), index: p[2] });
        let y = b.elem(ScalarOp::Mul, &[y, z]);
        uneven(b, y)
    });
}

#[test]
fn a_permutation_along_its_own_axis() {
    let params = [("x", tensor(F, "a")), ("i", tensor(Elem::Int, "a"))];
    let index = Arr { dims: vec![(axis("a"), 3)], data: vec![2.0, 0.0, 0.0] };
    check(&params, 1, vec![numbers(&[("a", 3)], 1), Val::T(index)], |b, p| {
        let y = b.emit(Op::Gather { arg: p[0], axis: axis("a"), index: p[1] });
        let y = b.elem(ScalarOp::Mul, &[y, p[0]]);
        uneven(b, y)
    });
}

#[test]
fn views_have_inverses() {
    check(&[("x", tensor(F, "ab"))], 1, vec![numbers(&[("a", 4), ("b", 3)], 1)], |b, p| {
        let (lo, hi, two) = (b.int(1), b.int(3), b.int(2));
        let s = b.emit(Op::Slice { arg: p[0], axis: axis("a"), to: axis("c"), lo, hi });
        let r = b.emit(Op::Rename { arg: s, from: axis("b"), to: axis("d") });
        let m = b.emit(Op::Merge { arg: p[0], from: vec![axis("a"), axis("b")], to: axis("e") });
        let six = b.int(6);
        let t = b.emit(Op::Split { arg: m, from: axis("e"), to: vec![axis("c"), axis("f")], sizes: vec![two, six] });
        let x = b.emit(Op::Expand { arg: r, axis: axis("g"), size: two });
        let q = b.emit(Op::Pad { arg: s, from: axis("c"), to: axis("a"), lo, size: six });
        let (t, x, q) = (uneven(b, t), uneven(b, x), uneven(b, q));
        let tx = b.elem(ScalarOp::Mul, &[t, x]);
        b.elem(ScalarOp::Mul, &[tx, q])
    });
}

/// `if x > 0 { tanh(x) * y } else { y * y }`, with a second active value from outside.
#[test]
fn branches_reverse_what_was_taken() {
    for sign in [1.0, -1.0] {
        let params = [("x", Type::FLOAT), ("y", tensor(F, "a"))];
        check(&params, 2, vec![Val::T(Arr::scalar(0.7 * sign)), numbers(&[("a", 3)], 2)], |b, p| {
            let zero = b.number(F, 0.0);
            let cond = b.elem(ScalarOp::Gt, &[p[0], zero]);
            let outer = b.enter();
            let t = b.elem(ScalarOp::Tanh, &[p[0]]);
            let r = b.elem(ScalarOp::Mul, &[t, p[1]]);
            let then = Block { stmts: b.leave(outer), results: vec![r, p[0]] };
            let outer = b.enter();
            let r = b.elem(ScalarOp::Mul, &[p[1], p[1]]);
            let two = b.number(F, 2.0);
            let other = Block { stmts: b.leave(outer), results: vec![r, two] };
            let made = b.emit_as(Op::If { cond, then, other }, &[tensor(F, "a"), Type::FLOAT]);
            let z = b.elem(ScalarOp::Mul, &[made[0], made[1]]);
            uneven(b, z)
        });
    }
}

/// `for i in 0..3 { h = tanh(h * w + x) ; n = n + h }`: carried, captured, and a loop inside a branch.
fn recurrent(b: &mut Builder, p: &[LocalId], rounds: i64) -> LocalId {
    let (lo, hi) = (b.int(1), b.int(1 + rounds));
    let zero = b.number(F, 0.5);
    let (var, h, n) = (b.local(Type::INT), b.local(tensor(F, "a")), b.local(Type::FLOAT));
    let outer = b.enter();
    let z = b.elem(ScalarOp::Mul, &[h, p[1]]);
    let z = b.elem(ScalarOp::Add, &[z, p[0]]);
    let next = b.elem(ScalarOp::Tanh, &[z]);
    let part = uneven(b, next);
    let round = b.cast(var, DType::F64);
    let part = b.elem(ScalarOp::Mul, &[part, round]);
    let total = b.elem(ScalarOp::Add, &[n, part]);
    let body = Block { stmts: b.leave(outer), results: vec![next, total] };
    let carried = vec![Carried { param: h, init: p[0] }, Carried { param: n, init: zero }];
    let made = b.emit_as(Op::For { var, lo, hi, carried, body }, &[tensor(F, "a"), Type::FLOAT]);
    let last = uneven(b, made[0]);
    b.elem(ScalarOp::Mul, &[last, made[1]])
}

#[test]
fn loops_run_backwards() {
    let params = [("x", tensor(F, "a")), ("w", Type::FLOAT)];
    for rounds in [0, 1, 3] {
        check(&params, 2, vec![numbers(&[("a", 2)], 1), numbers(&[], 4)], |b, p| recurrent(b, p, rounds));
    }
}

#[test]
fn loops_in_loops_and_branches() {
    let params = [("x", tensor(F, "a")), ("w", Type::FLOAT)];
    check(&params, 2, vec![numbers(&[("a", 2)], 1), numbers(&[], 4)], |b, p| {
        let (lo, hi, zero) = (b.int(0), b.int(2), b.number(F, 0.1));
        let (var, acc) = (b.local(Type::INT), b.local(Type::FLOAT));
        let outer = b.enter();
        let one = b.int(0);
        let cond = b.elem(ScalarOp::Gt, &[var, one]);
        let inner = b.enter();
        let y = b.elem(ScalarOp::Add, &[p[0], acc]);
        let r = recurrent(b, &[y, p[1]], 2);
        let then = Block { stmts: b.leave(inner), results: vec![r] };
        let inner = b.enter();
        let r = b.elem(ScalarOp::Mul, &[acc, p[1]]);
        let other = Block { stmts: b.leave(inner), results: vec![r] };
        let r = b.emit_as(Op::If { cond, then, other }, &[Type::FLOAT])[0];
        let body = Block { stmts: b.leave(outer), results: vec![r] };
        let carried = vec![Carried { param: acc, init: zero }];
        b.emit_as(Op::For { var, lo, hi, carried, body }, &[Type::FLOAT])[0]
    });
}

#[test]
fn lists_carry_adjoints_by_item() {
    let params = [("x", tensor(F, "a")), ("w", Type::FLOAT)];
    check(&params, 2, vec![numbers(&[("a", 2)], 1), numbers(&[], 4)], |b, p| {
        let item = tensor(F, "a");
        let list = Type::List(Box::new(item.clone()));
        let y = b.elem(ScalarOp::Mul, &[p[0], p[1]]);
        let l = b.emit_as(Op::MakeList(vec![p[0], y]), std::slice::from_ref(&list))[0];
        let z = b.elem(ScalarOp::Tanh, &[y]);
        let l2 = b.builtin("list_push", vec![l, z], list);
        let one = b.int(1);
        let second = b.builtin("list_get", vec![l2, one], item);
        let stack = Op::Builtin { name: "stack", axes: vec![axis("b")], args: vec![l2] };
        let s = b.emit_as(stack, &[tensor(F, "ab")])[0];
        let s = b.elem(ScalarOp::Mul, &[s, second]);
        uneven(b, s)
    });
}

#[test]
fn an_assigned_part_takes_its_gradient_away() {
    let params = [("x", tensor(F, "abc")), ("v", tensor(F, "b"))];
    let values = vec![numbers(&[("a", 2), ("b", 2), ("c", 3)], 1), numbers(&[("b", 2)], 2)];
    check(&params, 2, values, |b, p| {
        let (one, two) = (b.int(1), b.int(2));
        let part = b.elem(ScalarOp::Tanh, &[p[1]]);
        let args = vec![p[0], one, two, part];
        let op = Op::Builtin { name: "set_index", axes: vec![axis("a"), axis("c")], args };
        let z = b.emit_as(op, &[tensor(F, "abc")])[0];
        uneven(b, z)
    });
}

#[test]
fn calls_are_inlined_and_early_returns_become_branches() {
    let mut module = Module::default();
    let mut callee = build("g", &[("x", Type::FLOAT)], |b, p| {
        let zero = b.number(F, 0.0);
        let cond = b.elem(ScalarOp::Lt, &[p[0], zero]);
        let outer = b.enter();
        let n = b.elem(ScalarOp::Mul, &[p[0], p[0]]);
        b.emit_as(Op::Return(vec![n]), &[]);
        let then = Block { stmts: b.leave(outer), results: Vec::new() };
        b.emit_as(Op::If { cond, then, other: Block::default() }, &[]);
        vec![b.elem(ScalarOp::Tanh, &[p[0]])]
    });
    callee.results = vec![Type::FLOAT];
    let g = module.add(callee);
    let f = module.add(build("f", &[("x", Type::FLOAT), ("y", Type::FLOAT)], |b, p| {
        let r = b.emit_as(Op::Call { func: g, args: vec![p[0]] }, &[Type::FLOAT])[0];
        let s = b.emit_as(Op::Call { func: g, args: vec![p[1]] }, &[Type::FLOAT])[0];
        vec![b.elem(ScalarOp::Mul, &[r, s])]
    }));
    check_in(module, f, 2, vec![Val::T(Arr::scalar(-0.4)), Val::T(Arr::scalar(0.3))]);
}

#[test]
fn what_is_stopped_or_unreached_has_zeros() {
    let mut module = Module::default();
    let func = module.add(build("f", &[("x", tensor(F, "a")), ("y", tensor(F, "ab"))], |b, p| {
        let stopped = b.builtin("stop", vec![p[0]], tensor(F, "a"));
        let z = b.elem(ScalarOp::Mul, &[stopped, p[0]]);
        vec![sum(b, z)]
    }));
    let entry = with_grad(&mut module, func, 2);
    Passes::new().lower(&mut module, entry, &mut Rules).unwrap();
    let x = numbers(&[("a", 3)], 1);
    let out = eval(&module, entry, vec![x.clone(), numbers(&[("a", 3), ("b", 2)], 2)]);
    assert_eq!(out[1], x);
    assert_eq!(out[2], Val::T(Arr { dims: vec![(axis("a"), 3), (axis("b"), 2)], data: vec![0.0; 6] }));
}

#[test]
fn second_order() {
    let mut module = Module::default();
    let cube = module.add(build("cube", &[("x", Type::FLOAT)], |b, p| {
        let square = b.elem(ScalarOp::Mul, &[p[0], p[0]]);
        vec![b.elem(ScalarOp::Mul, &[square, p[0]])]
    }));
    let slope = module.add(build("slope", &[("x", Type::FLOAT)], |b, p| {
        let op = Op::Grad { func: cube, args: p.to_vec(), wrt: 1 };
        vec![b.emit_as(op, &[Type::FLOAT, Type::FLOAT])[1]]
    }));
    let entry = with_grad(&mut module, slope, 1);
    Passes::new().lower(&mut module, entry, &mut Rules).unwrap();
    let out = eval(&module, entry, vec![Val::T(Arr::scalar(2.0))]);
    assert_eq!(out, [Val::T(Arr::scalar(12.0)), Val::T(Arr::scalar(12.0))]);
}

#[test]
fn effects_happen_once() {
    let mut module = Module::default();
    let func = module.add(build("f", &[("x", Type::FLOAT)], |b, p| {
        let yes = b.emit(Op::Const(Const::Bool(true)));
        let outer = b.enter();
        b.emit_as(Op::Builtin { name: "assert", axes: Vec::new(), args: vec![yes] }, &[]);
        let y = b.elem(ScalarOp::Mul, &[p[0], p[0]]);
        let then = Block { stmts: b.leave(outer), results: vec![y] };
        let other = Block { stmts: Vec::new(), results: vec![p[0]] };
        b.emit_as(Op::If { cond: yes, then, other }, &[Type::FLOAT])
    }));
    let entry = with_grad(&mut module, func, 1);
    Passes::new().lower(&mut module, entry, &mut Rules).unwrap();
    let mut run = testing::Eval { module: &module, effects: Vec::new(), steps: 0 };
    run.function(entry, vec![Val::T(Arr::scalar(2.0))]);
    assert_eq!(run.effects, [1.0]);
}

#[test]
fn what_has_no_gradient_is_named() {
    let refused = |make: &dyn Fn(&mut Builder, &[LocalId]) -> LocalId| {
        let mut module = Module::default();
        let func = module.add(build("f", &[("x", Type::FLOAT)], |b, p| vec![make(b, p)]));
        let entry = with_grad(&mut module, func, 1);
        let fault = Passes::new().lower(&mut module, entry, &mut Rules).unwrap_err();
        format!("{}: {}", fault.code, fault.message)
    };
    assert_eq!(refused(&|b, p| b.elem(ScalarOp::Erf, &[p[0]])), "E060: `erf` has no gradient");
    let looped = refused(&|b, p| {
        let param = b.local(Type::FLOAT);
        let outer = b.enter();
        let small = b.elem(ScalarOp::Lt, &[param, p[0]]);
        let test = Block { stmts: b.leave(outer), results: vec![small] };
        let outer = b.enter();
        let next = b.elem(ScalarOp::Add, &[param, p[0]]);
        let body = Block { stmts: b.leave(outer), results: vec![next] };
        b.emit_as(Op::While { carried: vec![Carried { param, init: p[0] }], test, body }, &[Type::FLOAT])[0]
    });
    assert_eq!(looped, "E062: a `while` loop has no gradient");
}

/// The loss of a sparse dictionary: `mean |relu((x - c) @ w + b) @ v + c - x|^2 + l1 * sum codes`.
fn dictionary(b: &mut Builder, p: &[LocalId]) -> LocalId {
    let centred = b.elem(ScalarOp::Sub, &[p[4], p[3]]);
    let pre = b.emit(Op::Contract { a: centred, b: p[0], axes: set("d") });
    let pre = b.elem(ScalarOp::Add, &[pre, p[2]]);
    let zero = b.number(Elem::F32, 0.0);
    let on = b.elem(ScalarOp::Gt, &[pre, zero]);
    let codes = b.elem(ScalarOp::Where, &[on, pre, zero]);
    let back = b.emit(Op::Contract { a: codes, b: p[1], axes: set("f") });
    let back = b.elem(ScalarOp::Add, &[back, p[3]]);
    let miss = b.elem(ScalarOp::Sub, &[back, p[4]]);
    let square = b.elem(ScalarOp::Mul, &[miss, miss]);
    let per = b.reduce(ReduceKind::Sum, square, set("d"));
    let total = b.reduce(ReduceKind::SumF64, per, set("s"));
    let n = b.size_of(per, axis("s"));
    let n = b.cast(n, DType::F64);
    let error = b.elem(ScalarOp::Div, &[total, n]);
    let l1 = b.reduce(ReduceKind::SumF64, codes, set("sf"));
    let l1 = b.elem(ScalarOp::Mul, &[l1, p[5]]);
    b.elem(ScalarOp::Add, &[error, l1])
}

fn dictionary_params() -> [(&'static str, Type); 6] {
    let t = |axes: &str| tensor(Elem::F32, axes);
    [("w", t("df")), ("v", t("fd")), ("b", t("f")), ("c", t("d")), ("x", t("sd")), ("l1", Type::FLOAT)]
}

#[test]
fn a_dictionary_by_differences() {
    let (d, f, s) = (("d", 2), ("f", 3), ("s", 4));
    let values = vec![
        numbers(&[d, f], 1),
        numbers(&[f, d], 2),
        numbers(&[f], 3),
        numbers(&[d], 4),
        numbers(&[s, d], 5),
        Val::T(Arr::scalar(0.3)),
    ];
    check(&dictionary_params(), 4, values, dictionary);
}

/// As much work as written by hand: six products, no repetition in memory, five kernels.
#[test]
fn a_dictionary_costs_what_it_must() {
    let mut module = Module::default();
    let func = module.add(build("loss", &dictionary_params(), |b, p| vec![dictionary(b, p)]));
    let entry = with_grad(&mut module, func, 4);
    let mut passes = Passes::new();
    passes.lower(&mut module, entry, &mut Rules).unwrap();
    let mut after = Module::default();
    passes.optimise(&module, entry, &mut after).unwrap();
    let text = crate::ir::print::function(&after, entry);
    let counts = ["@[", "kernel(", "expand", "call"].map(|word| text.matches(word).count());
    assert_eq!(counts, [6, 5, 0, 0], "{text}");
}
