//! Against plain loops, over random strides; the same bits for all threads and layouts.

use super::*;
use crate::rt::testing::{ALL_TYPES, Dice, at, axes, bits, places, same_for_all_threads, value_at};

fn naive(kind: ReduceKind, values: &[f64]) -> f64 {
    use ReduceKind::*;
    let best = |better: fn(f64, f64) -> bool| {
        (0..values.len()).fold(0, |best, i| if better(values[i], values[best]) { i } else { best })
    };
    match kind {
        Sum | SumF64 => values.iter().sum(),
        Count => values.iter().filter(|&&x| x != 0.0).count() as f64,
        Any => values.iter().any(|&x| x != 0.0) as u8 as f64,
        All => values.iter().all(|&x| x != 0.0) as u8 as f64,
        Max => values[best(|x, y| x > y)],
        Min => values[best(|x, y| x < y)],
        ArgMax => best(|x, y| x > y) as f64,
        ArgMin => best(|x, y| x < y) as f64,
    }
}

fn kinds(dtype: DType) -> Vec<ReduceKind> {
    use ReduceKind::*;
    match dtype {
        DType::Bool => vec![Count, Any, All, SumF64, Max, ArgMin],
        _ => vec![Sum, SumF64, Max, Min, ArgMax, ArgMin],
    }
}

#[test]
fn agrees_with_plain_loops() {
    let [a, b, c] = axes(["a", "b", "c"]);
    for seed in 0..300 {
        let mut dice = Dice::new(seed);
        let long = dice.one_in(15);
        let shape = [(a, 1 + dice.below(5)), (b, 1 + dice.below(if long { 3000 } else { 20 })), (c, 1 + dice.below(5))];
        let dtype = ALL_TYPES[dice.below(4)];
        let t = dice.tensor(dtype, &shape);
        for kind in kinds(dtype) {
            let mut gone: Vec<Axis> = [a, b, c].into_iter().filter(|_| dice.one_in(2)).collect();
            if matches!(kind, ReduceKind::ArgMax | ReduceKind::ArgMin) {
                gone = vec![b];
            }
            let found = reduce(kind, &t, &gone).unwrap();
            let kept: Vec<_> = shape.iter().copied().filter(|x| !gone.contains(&x.0)).collect();
            let summed: Vec<_> = shape.iter().copied().filter(|x| gone.contains(&x.0)).collect();
            for place in places(&kept) {
                let values: Vec<f64> = places(&summed)
                    .iter()
                    .map(|inner| at(&t, &place.iter().chain(inner).copied().collect::<Vec<_>>()))
                    .collect();
                let (x, y) = (value_at(&found, &place), naive(kind, &values));
                assert!((x - y).abs() <= 1e-6 * y.abs().max(1.0), "{kind:?} {dtype:?} over {gone:?}: {x}, not {y}");
            }
            if let Value::Tensor(t) = &found {
                assert_eq!(t.dtype(), kind.result(dtype));
            }
        }
    }
}

#[test]
fn one_axis_has_the_same_bits_in_every_layout_and_for_all_threads() {
    let [a, b] = axes(["a", "b"]);
    for (rows, columns) in [(5, 7000), (3, 40_000), (700, 300), (2500, 3)] {
        let mut dice = Dice::new(7);
        let t = dice.dense(DType::F32, &[(a, rows), (b, columns)]);
        let turned = t.in_order(&[b, a]).unwrap();
        for axis in [a, b] {
            for kind in [ReduceKind::Sum, ReduceKind::SumF64, ReduceKind::Max, ReduceKind::ArgMin] {
                let first = same_for_all_threads(|| bits(&reduce(kind, &t, &[axis]).unwrap()));
                let second = same_for_all_threads(|| bits(&reduce(kind, &turned, &[axis]).unwrap()));
                assert_eq!(first, second);
            }
        }
        same_for_all_threads(|| bits(&reduce(ReduceKind::SumF64, &t, &[a, b]).unwrap()));
    }
}

#[test]
fn sums_are_exact_where_a_plain_loop_is_not() {
    let [a] = axes(["a"]);
    let n = 3_000_000;
    let t = Tensor::from_slice(&[(a, n)], &vec![0.1f32; n]).unwrap();
    let Value::F64(total) = reduce(ReduceKind::SumF64, &t, &[a]).unwrap() else { panic!() };
    assert!((total - 0.1f32 as f64 * n as f64).abs() < 1e-6);
    let t = Tensor::from_slice(&[(a, 3)], &[i64::MAX, 5, -5]).unwrap();
    assert!(matches!(reduce(ReduceKind::Sum, &t, &[a]), Ok(Value::Int(i64::MAX))));
    let t = Tensor::from_slice(&[(a, 2)], &[i64::MAX, 1]).unwrap();
    assert_eq!(reduce(ReduceKind::Sum, &t, &[a]).unwrap_err().code, code::ARITHMETIC);
}

#[test]
fn nan_spreads_or_is_an_error() {
    let [a] = axes(["a"]);
    for place in 0..20 {
        let mut values = vec![1.0f32; 20];
        values[place] = f32::NAN;
        let t = Tensor::from_slice(&[(a, 20)], &values).unwrap();
        for kind in [ReduceKind::Sum, ReduceKind::Max, ReduceKind::Min] {
            assert!(value_at(&reduce(kind, &t, &[a]).unwrap(), &[]).is_nan());
        }
        for kind in [ReduceKind::ArgMax, ReduceKind::ArgMin] {
            assert_eq!(reduce(kind, &t, &[a]).unwrap_err().code, code::NOT_FINITE);
        }
    }
    let t = Tensor::from_slice(&[(a, 2)], &[f64::NEG_INFINITY; 2]).unwrap();
    assert!(matches!(reduce(ReduceKind::ArgMax, &t, &[a]), Ok(Value::Int(0))));
}

#[test]
fn empty_axes() {
    let [a, b] = axes(["a", "b"]);
    let t = Tensor::from_slice::<f32>(&[(a, 0), (b, 3)], &[]).unwrap();
    let sum = reduce(ReduceKind::Sum, &t, &[a]).unwrap();
    assert_eq!(bits(&sum), [0, 0, 0]);
    assert!(matches!(reduce(ReduceKind::Sum, &t, &[a, b]), Ok(Value::F32(0.0))));
    for kind in [ReduceKind::Max, ReduceKind::ArgMin] {
        assert_eq!(reduce(kind, &t, &[a]).unwrap_err().code, code::ARGUMENT);
    }
    let Ok(Value::Tensor(none)) = reduce(ReduceKind::Max, &t, &[b]) else { panic!() };
    assert_eq!(none.elements(), 0);
    let t = Tensor::from_slice::<u8>(&[(a, 0)], &[]).unwrap();
    assert!(matches!(reduce(ReduceKind::All, &t, &[a]), Ok(Value::Bool(true))));
    assert!(matches!(reduce(ReduceKind::Any, &t, &[a]), Ok(Value::Bool(false))));
}
