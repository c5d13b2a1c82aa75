//! Random smooth programs: gradients against differences, and every pass against plain evaluation.
//!
//! Each program is a function of its number, so a failure names the program to look at.

use super::build::Builder;
use super::copy::each_stmt;
use super::testing::{Arr, Rules, Val, axis, build, eval, numbers, tensor};
use super::{Passes, inline};
use crate::base::ops::{ReduceKind, ScalarOp};
use crate::ir::verify::verify;
use crate::ir::{AxisSet, Block, Carried, Elem, FuncId, Function, LocalId, Module, Op, Type};

const SIZES: [(&str, usize); 3] = [("a", 2), ("b", 3), ("c", 2)];

struct Chance(u64);

impl Chance {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.0 >> 33) as usize) % n
    }

    fn pick(&mut self, pool: &[LocalId]) -> LocalId {
        pool[self.below(pool.len())]
    }
}

/// Appends a random operation on locals of `pool` and the new local to it.
fn grow(b: &mut Builder, chance: &mut Chance, pool: &mut Vec<LocalId>, depth: usize) {
    let (x, y) = (chance.pick(pool), chance.pick(pool));
    let (dx, dy) = (b.axes(x), b.axes(y));
    let some = |chance: &mut Chance, set: &AxisSet| set.as_slice().get(chance.below(set.len().max(1))).copied();
    let made = match chance.below(if depth == 0 { 9 } else { 12 }) {
        0 => b.elem(ScalarOp::Add, &[x, y]),
        1 => b.elem(ScalarOp::Mul, &[x, y]),
        2 => b.elem(ScalarOp::Sub, &[x, y]),
        3 => b.elem(ScalarOp::Tanh, &[x]),
        4 => b.elem(ScalarOp::Neg, &[x]),
        5 => match some(chance, &dx) {
            Some(axis) => b.reduce(ReduceKind::Sum, x, AxisSet::one(axis)),
            None => return,
        },
        6 => match some(chance, &dx.intersect(&dy)) {
            Some(axis) => b.emit(Op::Contract { a: x, b: y, axes: AxisSet::one(axis) }),
            None => return,
        },
        7 => match some(chance, &dx) {
            Some(axis) => {
                let index = b.int(1);
                b.emit(Op::Select { arg: x, axis, index })
            }
            None => return,
        },
        8 => {
            let (name, size) = SIZES[chance.below(3)];
            if dx.contains(axis(name)) {
                return;
            }
            let size = b.int(size as i64);
            b.emit(Op::Expand { arg: x, axis: axis(name), size })
        }
        9 | 10 => branch(b, chance, pool, depth),
        _ => looped(b, chance, pool, depth),
    };
    pool.push(made);
}

/// A block of random operations that yields something of the type of `like`.
fn inner(b: &mut Builder, chance: &mut Chance, pool: &[LocalId], like: LocalId, depth: usize) -> Block {
    let outer = b.enter();
    let mut pool = pool.to_vec();
    for _ in 0..1 + chance.below(4) {
        grow(b, chance, &mut pool, depth - 1);
    }
    let last = pool[pool.len() - 1];
    let total = all(b, last);
    let result = b.elem(ScalarOp::Mul, &[like, total]);
    let result = b.elem(ScalarOp::Tanh, &[result]);
    Block { stmts: b.leave(outer), results: vec![result] }
}

fn all(b: &mut Builder, x: LocalId) -> LocalId {
    let axes = b.axes(x);
    b.reduce(ReduceKind::Sum, x, axes)
}

fn branch(b: &mut Builder, chance: &mut Chance, pool: &[LocalId], depth: usize) -> LocalId {
    let (like, judge) = (chance.pick(pool), chance.pick(pool));
    let judge = all(b, judge);
    let zero = b.number(Elem::F64, 0.0);
    let cond = b.elem(ScalarOp::Gt, &[judge, zero]);
    let then = inner(b, chance, pool, like, depth);
    let other = if chance.below(2) == 0 {
        inner(b, chance, pool, like, depth)
    } else {
        Block { stmts: Vec::new(), results: vec![like] }
    };
    let ty = b.ty(like).clone();
    b.emit_as(Op::If { cond, then, other }, &[ty])[0]
}

fn looped(b: &mut Builder, chance: &mut Chance, pool: &[LocalId], depth: usize) -> LocalId {
    let init = chance.pick(pool);
    let (lo, hi) = (b.int(chance.below(2) as i64), b.int(chance.below(4) as i64));
    let ty = b.ty(init).clone();
    let (var, param) = (b.local(Type::INT), b.local(ty.clone()));
    let mut inside = pool.to_vec();
    inside.push(param);
    let body = inner(b, chance, &inside, param, depth);
    b.emit_as(Op::For { var, lo, hi, carried: vec![Carried { param, init }], body }, &[ty])[0]
}

/// `f(x[a, b], y[b, c], z)` and its gradient by all three.
fn program(number: u64) -> (Module, FuncId, FuncId) {
    let mut chance = Chance(number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let params = [("x", tensor(Elem::F64, "ab")), ("y", tensor(Elem::F64, "bc")), ("z", Type::FLOAT)];
    let mut module = Module::default();
    let f = module.add(build("f", &params, |b, p| {
        let mut pool = p.to_vec();
        for _ in 0..4 + chance.below(8) {
            grow(b, &mut chance, &mut pool, 2);
        }
        let parts: Vec<LocalId> = pool[pool.len().saturating_sub(4)..].iter().map(|&x| all(b, x)).collect();
        let total = parts.into_iter().reduce(|x, y| b.elem(ScalarOp::Add, &[x, y])).expect("a part");
        vec![b.elem(ScalarOp::Tanh, &[total])]
    }));
    let types: Vec<Type> = std::iter::once(Type::FLOAT).chain(params.iter().map(|(_, ty)| ty.clone())).collect();
    let grad =
        module.add(build("g", &params, |b, p| b.emit_as(Op::Grad { func: f, args: p.to_vec(), wrt: 3 }, &types)));
    (module, f, grad)
}

fn flat(values: &[Val]) -> Vec<f64> {
    values
        .iter()
        .flat_map(|value| match value {
            Val::T(arr) => arr.data.clone(),
            other => panic!("{other:?}"),
        })
        .collect()
}

fn near(found: &[f64], wanted: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), wanted.len(), "{what}");
    for (x, y) in found.iter().zip(wanted) {
        assert!((x - y).abs() <= tolerance * y.abs().max(1.0), "{what}: {x} is not {y}");
    }
}

#[test]
fn passes_keep_values_and_gradients_are_slopes() {
    let mut swept = 0;
    for number in 0..400 {
        let (mut module, f, grad) = program(number);
        verify(&module, f).unwrap();
        let args = vec![
            numbers(&[SIZES[0], SIZES[1]], number + 1),
            numbers(&[SIZES[1], SIZES[2]], number + 2),
            Val::T(Arr::scalar(0.4)),
        ];
        let mut passes = Passes::new();
        let lowered = passes.lower(&mut module, grad, &mut Rules);
        assert!(lowered.is_ok(), "program {number}: {:?}", lowered.err().map(|d| d.message));
        let plain = flat(&eval(&module, grad, args.clone()));
        let mut after = Module::default();
        for id in [f, grad] {
            let done = passes.optimise(&module, id, &mut after);
            assert!(done.is_ok(), "program {number}: {:?}", done.err().map(|d| d.message));
        }
        swept += usize::from(after.functions.iter().any(has_sweep));
        near(&flat(&eval(&after, grad, args.clone())), &plain, 1e-9, &format!("program {number}, optimised"));
        near(&flat(&eval(&after, f, args.clone())), &plain[..1], 1e-9, &format!("program {number}, value"));
        near(&plain[1..], &slopes(&module, f, &args), 2e-5, &format!("program {number}, gradient"));
    }
    assert!(swept > 40, "only {swept} programs have a sweep");
}

fn has_sweep(function: &Function) -> bool {
    let mut found = false;
    each_stmt(&function.body, &mut |stmt| found |= matches!(stmt.op, Op::Sweep { .. }));
    found
}

fn slopes(module: &Module, f: FuncId, args: &[Val]) -> Vec<f64> {
    let mut out = Vec::new();
    for param in 0..args.len() {
        let count = flat(&args[param..=param]).len();
        for place in 0..count {
            let at = |step: f64| {
                let mut args = args.to_vec();
                if let Val::T(arr) = &mut args[param] {
                    arr.data[place] += step;
                }
                flat(&eval(module, f, args))[0]
            };
            out.push((at(1e-5) - at(-1e-5)) / 2e-5);
        }
    }
    out
}

#[test]
fn the_random_programs_are_not_trivial() {
    let programs: Vec<(Module, FuncId, FuncId)> = (0..400).map(program).collect();
    let large = programs.iter().filter(|(module, ..)| inline::size(&module.functions[0].body) > 40).count();
    let steep = programs.iter().zip(0..).filter(|((module, f, _), number)| {
        let args = [numbers(&[SIZES[0], SIZES[1]], number + 1), numbers(&[SIZES[1], SIZES[2]], number + 2)];
        let args = [&args[..], &[Val::T(Arr::scalar(0.4))]].concat();
        slopes(module, *f, &args).iter().filter(|slope| slope.abs() > 1e-2).count() > 3
    });
    assert!(large > 100 && steep.count() > 100, "{large} large programs");
}
