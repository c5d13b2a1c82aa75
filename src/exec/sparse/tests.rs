//! Every operation on sparse operands against the same operation on their dense forms.

use super::*;
use crate::base::ops::{DType, ReduceKind};
use crate::exec::oracle::tests::quiet;
use crate::ir::{AxisSet, LocalId};
use crate::rt::testing::{Dice, axes, same_for_all_threads};

const NONE: LocalId = LocalId(0);

/// Codes over rows [s, t] along f, of random lengths; some rows may keep nothing.
fn code(dice: &mut Dice, dtype: DType) -> Sparse {
    let [s, t, f] = axes(["s", "t", "f"]);
    let lengths = [1 + dice.below(4), 1 + dice.below(5), 1 + dice.below(9)];
    code_of(dice, dtype, &[(s, lengths[0]), (t, lengths[1])], (f, lengths[2]))
}

fn code_of(dice: &mut Dice, dtype: DType, rows: &[(Axis, usize)], along: (Axis, usize)) -> Sparse {
    let shape = [rows, &[along]].concat();
    let kept = dice.dense(DType::Bool, &shape);
    let numbers = dice.dense(dtype, &shape);
    let mask = Kernel::single(ScalarOp::Cast(dtype), vec![DType::Bool], vec![false]);
    let mask = elementwise::run(&mask, None, vec![Value::Tensor(kept)]).unwrap().remove(0);
    if dtype == DType::Bool {
        return Sparse::of_dense(op::tensor(&[mask], 0).unwrap(), along.0).unwrap();
    }
    let product = Kernel::single(ScalarOp::Mul, vec![dtype, dtype], vec![false, false]);
    let codes = elementwise::run(&product, None, vec![Value::Tensor(numbers), mask]).unwrap().remove(0);
    Sparse::of_dense(op::tensor(&[codes], 0).unwrap(), along.0).unwrap()
}

fn value(code: &Sparse) -> Value {
    Value::Sparse(Arc::new(code.clone()))
}

/// All numbers of a value in the order of its axes' names, axes first.
fn numbers(value: &Value) -> (Vec<(Axis, usize)>, Vec<f64>) {
    match value.clone().plain().unwrap() {
        Value::Tensor(t) => {
            let mut shape = t.shape();
            shape.sort();
            let order: Vec<Axis> = shape.iter().map(|&(axis, _)| axis).collect();
            let found = t.to_f64(&order).unwrap();
            (shape, found)
        }
        Value::Int(x) => (Vec::new(), vec![x as f64]),
        Value::F32(x) => (Vec::new(), vec![x as f64]),
        Value::F64(x) => (Vec::new(), vec![x]),
        Value::Bool(x) => (Vec::new(), vec![f64::from(u8::from(x))]),
        other => panic!("not a number: {other:?}"),
    }
}

fn is_sparse(value: &Value) -> bool {
    matches!(value, Value::Sparse(_))
}

/// Runs the operation on both forms and compares; gives the result on the sparse one.
fn both(operation: &Op, args: &[Value]) -> Vec<Value> {
    let run = |args: Vec<Value>| op::execute(&mut quiet(), operation, args, &[]);
    let dense = run(plain(args.to_vec()).unwrap());
    let found = run(args.to_vec());
    match (found, dense) {
        (Ok(found), Ok(dense)) => {
            assert_eq!(found.len(), dense.len());
            for (found, dense) in found.iter().zip(&dense) {
                let ((shape, a), (wanted, b)) = (numbers(found), numbers(dense));
                assert_eq!(shape, wanted, "{operation:?}");
                for (x, y) in a.iter().zip(&b) {
                    assert!((x - y).abs() <= 1e-6 * y.abs().max(1.0), "{operation:?}: {a:?} {b:?}");
                }
            }
            found
        }
        (found, dense) => {
            assert_eq!(found.map_err(|e| (e.code, e.message)).err(), dense.map_err(|e| (e.code, e.message)).err());
            Vec::new()
        }
    }
}

#[test]
fn elementwise_operations_stay_sparse_where_zero_stays_zero() {
    let [s, t, f] = axes(["s", "t", "f"]);
    let elem = |op| Op::Elem { op, args: Vec::new() };
    for seed in 0..60 {
        let mut dice = Dice::new(seed);
        let code = code(&mut dice, [DType::F32, DType::F64][seed as usize % 2]);
        let number = |x: f64| zero::number(x, code.dtype()).unwrap();
        let other =
            code_of(&mut dice, code.dtype(), &[(s, code.rows[0].len), (t, code.rows[1].len)], (f, code.along.len));
        let dense = dice.tensor(code.dtype(), &[(f, code.along.len), (t, code.rows[1].len)]);
        let full = dice.tensor(code.dtype(), &[(t, code.rows[1].len), (f, code.along.len), (s, code.rows[0].len)]);
        use ScalarOp::*;
        let cases: Vec<(ScalarOp, Vec<Value>, bool)> = vec![
            (Mul, vec![value(&code), value(&code)], true),
            (Mul, vec![value(&code), value(&other)], true),
            (Add, vec![value(&code), value(&other)], true),
            (Sub, vec![value(&other), value(&code)], true),
            (Mul, vec![dense.clone().into(), value(&code)], true),
            (Mul, vec![value(&code), full.clone().into()], true),
            (Add, vec![value(&code), full.into()], false),
            (Add, vec![dense.into(), value(&code)], false),
            (Gt, vec![value(&code), number(0.0)], true),
            (Gt, vec![value(&code), number(-0.5)], false),
            (Le, vec![value(&code), number(0.0)], false),
            (Max, vec![value(&code), number(0.0)], true),
            (Exp, vec![value(&code)], false),
            (Cast(DType::F64), vec![value(&code)], true),
            (Cast(DType::Bool), vec![value(&code)], true),
            (Div, vec![value(&code), number(3.0)], true),
            (Add, vec![value(&code), number(0.0)], true),
        ];
        for (op, args, stays) in cases {
            let found = both(&elem(op), &args);
            assert_eq!(is_sparse(&found[0]), stays, "{op:?}");
        }
    }
}

#[test]
fn repeated_zeros_and_other_rows_are_understood() {
    let [s, t, f] = axes(["s", "t", "f"]);
    let mut dice = Dice::new(5);
    let code = code_of(&mut dice, DType::F32, &[(s, 3), (t, 2)], (f, 4));
    let zeros = [(s, 3), (f, 4), (t, 2)]
        .into_iter()
        .fold(Value::F32(0.0), |value, (axis, len)| index::expand(&value, axis, len).unwrap().into());
    let add = Op::Elem { op: ScalarOp::Add, args: Vec::new() };
    assert!(is_sparse(&both(&add, &[value(&code), zeros])[0]));
    // The same rows in another order: dense, and right.
    let turned = code_of(&mut dice, DType::F32, &[(t, 2), (s, 3)], (f, 4));
    assert!(!is_sparse(&both(&add, &[value(&code), value(&turned)])[0]));
    let short = dice.tensor(DType::F32, &[(f, 3)]);
    both(&Op::Elem { op: ScalarOp::Mul, args: Vec::new() }, &[value(&code), short.into()]);
}

#[test]
fn reductions_count_what_is_not_kept() {
    let [s, t, f] = axes(["s", "t", "f"]);
    let sets: [&[Axis]; 7] = [&[s], &[t], &[f], &[s, t], &[s, f], &[t, f], &[s, t, f]];
    for seed in 0..40 {
        for dtype in [DType::F32, DType::F64, DType::I64, DType::Bool] {
            let code = code(&mut Dice::new(seed), dtype);
            let kinds: &[ReduceKind] = match dtype {
                DType::Bool => &[ReduceKind::Count, ReduceKind::Any, ReduceKind::All],
                DType::I64 => &[ReduceKind::Sum, ReduceKind::Max, ReduceKind::Min],
                _ => &[ReduceKind::Sum, ReduceKind::SumF64, ReduceKind::Max, ReduceKind::Min],
            };
            for (&kind, &axes) in kinds.iter().flat_map(|kind| sets.iter().map(move |axes| (kind, axes))) {
                let operation = Op::Reduce { kind, arg: NONE, axes: AxisSet::from_iter(axes.iter().copied()) };
                assert!(reduce::reduce(kind, &code, axes).unwrap().is_some());
                both(&operation, &[value(&code)]);
            }
            let operation = Op::Reduce { kind: ReduceKind::ArgMax, arg: NONE, axes: AxisSet::one(f) };
            if dtype != DType::Bool {
                both(&operation, &[value(&code)]);
            }
        }
    }
}

#[test]
fn rows_are_viewed_and_features_are_looked_up() {
    let [s, t, f, a, b] = axes(["s", "t", "f", "a", "b"]);
    for seed in 0..60 {
        let mut dice = Dice::new(seed);
        let code = code(&mut dice, [DType::F32, DType::Bool][seed as usize % 2]);
        let (n, m, width) = (code.rows[0].len, code.rows[1].len, code.along.len);
        let int = |x: usize| Value::Int(x as i64);
        let stays = |operation: Op, rest: &[Value]| {
            let found = both(&operation, &[&[value(&code)], rest].concat());
            found.first().map(is_sparse)
        };
        let at = dice.below(n + 1);
        let wanted = (at < n).then_some(true);
        assert_eq!(stays(Op::Select { arg: NONE, axis: s, index: NONE }, &[int(at)]), wanted);
        let found = stays(Op::Select { arg: NONE, axis: f, index: NONE }, &[int(dice.below(width))]);
        assert_eq!(found, Some(false));
        let places = |dice: &mut Dice, n, axes: &[(Axis, usize)]| vec![Value::Tensor(dice.indices(n, axes))];
        let which = places(&mut dice, width, &[(a, 3)]);
        assert_eq!(stays(Op::Gather { arg: NONE, axis: f, index: NONE }, &which), Some(false));
        let own = places(&mut dice, width, &[(f, 2), (s, n)]);
        assert_eq!(stays(Op::Gather { arg: NONE, axis: f, index: NONE }, &own), Some(false));
        let which = places(&mut dice, m, &[(a, 2), (b, 3)]);
        assert_eq!(stays(Op::Gather { arg: NONE, axis: t, index: NONE }, &which), Some(true));
        let which = places(&mut dice, m, &[(t, 5)]);
        assert_eq!(stays(Op::Gather { arg: NONE, axis: t, index: NONE }, &which), Some(true));
        let (lo, hi) = (dice.below(m + 1), dice.below(m + 2));
        let fits = (lo <= hi && hi <= m).then_some(true);
        assert_eq!(stays(Op::Slice { arg: NONE, axis: t, to: a, lo: NONE, hi: NONE }, &[int(lo), int(hi)]), fits);
        both(&Op::Slice { arg: NONE, axis: f, to: a, lo: NONE, hi: NONE }, &[value(&code), int(0), int(width)]);
        assert_eq!(stays(Op::Rename { arg: NONE, from: f, to: a }, &[]), Some(true));
        assert_eq!(stays(Op::Merge { arg: NONE, from: vec![s, t], to: a }, &[]), Some(true));
        stays(Op::Merge { arg: NONE, from: vec![t, s], to: a }, &[]);
        stays(Op::Merge { arg: NONE, from: vec![t, f], to: a }, &[]);
        let sizes = [Value::Int(-1), int(1)];
        assert_eq!(stays(Op::Split { arg: NONE, from: t, to: vec![a, b], sizes: Vec::new() }, &sizes), Some(true));
        assert_eq!(stays(Op::SizeOf { args: Vec::new(), axis: f }, &[]), Some(false));
        stays(Op::Expand { arg: NONE, axis: a, size: NONE }, &[int(2)]);
    }
}

#[test]
fn sums_by_group_need_no_dense_form() {
    let [s, t, f, group] = axes(["s", "t", "f", "group"]);
    for seed in 0..40 {
        let mut dice = Dice::new(seed);
        let code = code(&mut dice, [DType::F32, DType::Bool, DType::F64, DType::I64][seed as usize % 4]);
        for (place, axis) in [s, t].into_iter().enumerate() {
            let ids = Value::Tensor(dice.indices(3, &[(axis, code.rows[place].len)]));
            let operation = Op::Builtin { name: "group_sum", axes: vec![axis, group], args: Vec::new() };
            both(&operation, &[value(&code), ids.clone(), Value::Int(3)]);
            // A group that does not exist is the same error.
            both(&operation, &[value(&code), ids, Value::Int(2)]);
            let Value::Tensor(ids) = Value::Tensor(dice.indices(3, &[(axis, code.rows[place].len)])) else { continue };
            assert!(group::group_sum(&code, axis, group, &ids, 3).unwrap().is_some());
        }
        let ids = Value::Tensor(dice.indices(3, &[(f, code.along.len)]));
        let operation = Op::Builtin { name: "group_sum", axes: vec![f, group], args: Vec::new() };
        both(&operation, &[value(&code), ids, Value::Int(3)]);
    }
}

#[test]
fn products_with_dense_tensors() {
    let [s, t, f, d] = axes(["s", "t", "f", "d"]);
    for seed in 0..30 {
        let mut dice = Dice::new(seed);
        let code = code(&mut dice, [DType::F32, DType::F64][seed as usize % 2]);
        let shape = |axis: Axis| (axis, code.dim(axis).map_or(3, |dim| dim.len));
        let dense = |dice: &mut Dice, axes: &[Axis]| {
            Value::Tensor(dice.tensor(code.dtype(), &axes.iter().map(|&axis| shape(axis)).collect::<Vec<_>>()))
        };
        let cases: [(&[Axis], &[Axis]); 6] = [
            (&[f, d], &[f]),
            (&[f], &[f]),
            (&[s, t, d], &[s, t]),
            (&[s, d], &[s]),
            (&[s, f], &[f]),
            (&[t, f, d], &[t, f]),
        ];
        for (axes, over) in cases {
            let axes_of = AxisSet::from_iter(over.iter().copied());
            let operation = Op::Contract { a: NONE, b: NONE, axes: axes_of };
            let other = dense(&mut dice, axes);
            both(&operation, &[value(&code), other.clone()]);
            both(&operation, &[other, value(&code)]);
        }
        let operation = Op::Contract { a: NONE, b: NONE, axes: AxisSet::one(f) };
        both(&operation, &[value(&code), value(&code)]);
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let [s, t, f, group] = axes(["s", "t", "f", "group"]);
    let mut dice = Dice::new(9);
    let code = code_of(&mut dice, DType::F32, &[(s, 40), (t, 30)], (f, 200));
    let other = code_of(&mut dice, DType::F32, &[(s, 40), (t, 30)], (f, 200));
    let ids = dice.indices(7, &[(s, 40)]);
    let results = same_for_all_threads(|| {
        let add = Op::Elem { op: ScalarOp::Add, args: Vec::new() };
        let sum = op::execute(&mut quiet(), &add, vec![value(&code), value(&other)], &[]).unwrap().remove(0);
        let mut found = numbers(&sum).1;
        for axes in [&[s][..], &[s, t], &[f], &[t, f]] {
            found.extend(numbers(&reduce::reduce(ReduceKind::Sum, &code, axes).unwrap().unwrap()).1);
        }
        let grouped = group::group_sum(&code, s, group, &ids, 7).unwrap().unwrap();
        found.extend(numbers(&grouped.into()).1);
        found.iter().map(|x| x.to_bits()).collect::<Vec<u64>>()
    });
    assert!(results.len() > 40 * 30 * 200);
}
