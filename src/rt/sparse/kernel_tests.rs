//! The kernels of sparse codes against the dense operations that they stand for: random shapes and layouts.

use super::decode::decode;
use super::gradient::by_feature;
use super::sampled::sampled;
use super::top::{Finish, keep_top, top_product};
use super::*;
use crate::base::kernel::{Kernel, Step};
use crate::base::ops::ScalarOp;
use crate::rt::contract::contract;
use crate::rt::testing::{Dice, axes, same_for_all_threads};
use crate::rt::value::Value;
use crate::rt::{elementwise, select};

fn tensor(value: Value) -> Tensor {
    match value.plain().expect("plain") {
        Value::Tensor(tensor) => tensor,
        other => panic!("not a tensor: {other:?}"),
    }
}

fn numbers(t: &Tensor) -> Vec<f64> {
    let mut order: Vec<Axis> = t.dims.iter().map(|dim| dim.axis).collect();
    order.sort();
    t.to_f64(&order).expect("fits")
}

fn bits(t: &Tensor) -> Vec<u64> {
    numbers(t).iter().map(|x| x.to_bits()).collect()
}

fn close(found: &Tensor, wanted: &Tensor, tolerance: f64, what: &str) {
    let (mut a, mut b) = (found.shape(), wanted.shape());
    a.sort();
    b.sort();
    assert_eq!(a, b, "{what}");
    for (x, y) in numbers(found).into_iter().zip(numbers(wanted)) {
        assert!((x - y).abs() <= tolerance * (1.0 + y.abs()), "{what}: {x} instead of {y}");
    }
}

/// Entries ascending, `count` in each row, and the values that a dense selection gives.
fn same_selection(code: &Sparse, dense: &Tensor, count: usize, what: &str) {
    assert_eq!(code.pattern.starts.len(), code.row_count() + 1);
    for row in 0..code.row_count() {
        let index = code.pattern.row(row);
        assert_eq!(index.len(), count, "{what}");
        assert!(index.windows(2).all(|pair| pair[0] < pair[1]), "{what}: {index:?}");
    }
    assert_eq!(bits(&code.dense().expect("fits")), bits(dense), "{what}");
}

fn coarse(dice: &mut Dice, t: &mut Tensor, kinds: usize) {
    match &mut t.buffer {
        Buffer::F32(values) => {
            let values = Arc::get_mut(values).expect("unshared");
            values.iter_mut().for_each(|x| *x = dice.below(kinds) as f32 - (kinds / 2) as f32);
        }
        Buffer::F64(values) => {
            let values = Arc::get_mut(values).expect("unshared");
            values.iter_mut().for_each(|x| *x = dice.below(kinds) as f64 - (kinds / 2) as f64);
        }
        _ => {}
    }
}

#[test]
fn keep_top_keeps_what_the_dense_one_keeps() {
    let [b, p, f] = axes(["b", "p", "f"]);
    let shapes =
        [(1, 1), (5, 0), (5, 2), (64, 64), (100, 99), (1024, 64), (3000, 32), (12_288, 32), (700, 300), (9, 20)];
    for (seed, (width, k)) in shapes.into_iter().enumerate() {
        for kinds in [1, 2, 50, 1_000_000] {
            for dtype in [DType::F32, DType::F64] {
                let mut dice = Dice::new(seed as u64);
                let mut x = dice.tensor(dtype, &[(b, 2), (p, 3), (f, width)]);
                coarse(&mut dice, &mut x, kinds);
                let wanted = select::keep_top(&x, f, k).expect("no NaN");
                let found = keep_top(&x, f, k).expect("no NaN");
                same_selection(&found, &wanted, width.min(k as usize), &format!("{k} of {width}, {kinds} kinds"));
            }
        }
    }
}

#[test]
fn infinities_and_zeros_keep_their_place_and_sign() {
    let [x] = axes(["x"]);
    let inf = f32::INFINITY;
    let low = [-inf; 300];
    let mut zeros = [-0.0f32; 300];
    (zeros[3], zeros[200], zeros[299]) = (0.0, -1.0, 1e-45);
    for row in [&[0.0, -inf, -0.0, inf, 0.0][..], &low, &zeros] {
        let t = Tensor::from_slice(&[(x, row.len())], row).expect("fits");
        for k in [1, 2, 3, 5, 20] {
            let found = keep_top(&t, x, k).expect("no NaN");
            same_selection(&found, &select::keep_top(&t, x, k).expect("no NaN"), row.len().min(k as usize), "signs");
        }
    }
    let found = keep_top(&Tensor::from_slice(&[(x, 300)], &low).expect("fits"), x, 3).expect("no NaN");
    assert_eq!(found.pattern.row(0), [0, 1, 2]);
}

#[test]
fn a_nan_is_refused_wherever_it_is() {
    let [r, x] = axes(["r", "x"]);
    for at in [0, 17, 999, 1000, 2999] {
        for k in [0, 3, 1000] {
            let mut values = vec![1.0f32; 3000];
            values[at] = f32::NAN;
            let t = Tensor::from_slice(&[(r, 3), (x, 1000)], &values).expect("fits");
            let wanted = select::keep_top(&t, x, k).expect_err("NaN");
            assert_eq!(keep_top(&t, x, k).expect_err("NaN"), wanted);
        }
    }
    let t = Tensor::from_slice(&[(x, 2)], &[1.0f32, 2.0]).expect("fits");
    assert_eq!(keep_top(&t, x, -1).expect_err("negative"), select::keep_top(&t, x, -1).expect_err("negative"));
}

fn add() -> Kernel {
    let steps = vec![Step { op: ScalarOp::Add, args: vec![0, 1], result: DType::F32 }];
    Kernel { inputs: vec![DType::F32; 2], scalar: vec![false; 2], steps, outputs: vec![2] }
}

/// max(x * s + y, 0) with a scalar `s`.
fn scaled() -> Kernel {
    let step = |op, args: &[u32]| Step { op, args: args.to_vec(), result: DType::F32 };
    let steps = vec![step(ScalarOp::Mul, &[0, 1]), step(ScalarOp::Add, &[4, 2]), step(ScalarOp::Max, &[5, 3])];
    let scalar = vec![false, true, false, true];
    Kernel { inputs: vec![DType::F32; 4], scalar, steps, outputs: vec![6] }
}

#[test]
fn products_are_selected_as_from_the_dense_product() {
    let [b, p, d, e, f] = axes(["b", "p", "d", "e", "f"]);
    let shapes = [
        (1, 1, 3, 1, 40, 5),
        (2, 3, 7, 2, 300, 20),
        (10, 13, 16, 4, 3100, 32),
        (1, 500, 33, 1, 1700, 1),
        (2, 2, 5, 1, 9, 9),
        (2, 0, 5, 1, 9, 2),
        (2, 2, 5, 1, 9, 0),
        (2, 2, 5, 1, 9, 30),
    ];
    for (seed, (nb, np, nd, ne, nf, k)) in shapes.into_iter().enumerate() {
        for round in 0..6 {
            let mut dice = Dice::new(100 * seed as u64 + round);
            let (mut x, mut w) = (
                dice.dense(DType::F32, &[(b, nb), (p, np), (d, nd), (e, ne)]),
                dice.dense(DType::F32, &[(d, nd), (e, ne), (f, nf)]),
            );
            if round % 2 == 1 {
                // Small integers: ties everywhere, and sums that are exact in any order.
                coarse(&mut dice, &mut x, 3);
                coarse(&mut dice, &mut w, 3);
            }
            if round >= 2 {
                w = w.in_order(&[f, d, e]).expect("fits");
            }
            if round >= 4 {
                x = x.in_order(&[p, e, b, d]).expect("fits");
            }
            let other = match round % 3 {
                0 => dice.dense(DType::F32, &[(f, nf)]),
                1 => dice.dense(DType::F32, &[(p, np)]),
                _ => dice.dense(DType::F32, &[(f, nf), (b, nb)]),
            };
            for (kernel, others) in [
                (None, vec![]),
                (Some(add()), vec![Value::Tensor(other.clone())]),
                (Some(scaled()), vec![Value::F32(0.5), Value::Tensor(other.clone()), Value::F32(0.0)]),
            ] {
                let z = contract(&x, &w, &[d, e]).expect("contracts");
                let z = match &kernel {
                    None => tensor(z),
                    Some(kernel) => {
                        let args = [z].into_iter().chain(others.clone()).collect();
                        tensor(elementwise::run(kernel, None, args).expect("runs").remove(0))
                    }
                };
                let wanted = select::keep_top(&z, f, k).expect("no NaN");
                let finish = kernel.as_ref().map(|kernel| Finish { kernel, code: None, others: others.clone() });
                let found = top_product(&x, &w, &[d, e], finish, f, k).expect("selects");
                let what = format!("shape {seed}, round {round}");
                same_selection(&found, &wanted, nf.min(k as usize), &what);
            }
        }
    }
}

#[test]
fn a_nan_in_a_product_is_refused() {
    let [r, d, f] = axes(["r", "d", "f"]);
    let mut dice = Dice::new(5);
    let w = dice.dense(DType::F32, &[(d, 8), (f, 2000)]);
    let mut x = vec![1.0f32; 200 * 8];
    x[150 * 8 + 3] = f32::NAN;
    let x = Tensor::from_slice(&[(r, 200), (d, 8)], &x).expect("fits");
    for k in [0, 4, 5000] {
        let fault = top_product(&x, &w, &[d], None, f, k).expect_err("NaN");
        assert_eq!(fault.code, code::NOT_FINITE);
    }
    assert_eq!(top_product(&x, &w, &[d], None, f, -1).expect_err("negative").code, code::ARGUMENT);
}

/// A code whose rows keep different numbers of entries, some none.
fn ragged(dice: &mut Dice, dtype: DType, rows: &[(Axis, usize)], along: (Axis, usize), one_in: usize) -> Sparse {
    let shape: Vec<(Axis, usize)> = rows.iter().copied().chain([along]).collect();
    let mut t = dice.dense(dtype, &shape);
    let count: usize = rows.iter().map(|row| row.1).product();
    let empty: Vec<bool> = (0..count).map(|_| dice.one_in(5)).collect();
    let mut keep = |i: usize| !empty[i / along.1.max(1)] && dice.one_in(one_in);
    match &mut t.buffer {
        Buffer::F32(values) => {
            let values = Arc::get_mut(values).expect("unshared");
            values.iter_mut().enumerate().filter(|(i, _)| !keep(*i)).for_each(|(_, x)| *x = 0.0);
        }
        Buffer::F64(values) => {
            let values = Arc::get_mut(values).expect("unshared");
            values.iter_mut().enumerate().filter(|(i, _)| !keep(*i)).for_each(|(_, x)| *x = 0.0);
        }
        _ => {}
    }
    Sparse::of_dense(&t, along.0).expect("fits")
}

#[test]
fn products_with_codes_agree_with_dense_ones() {
    let [b, p, d, e, f] = axes(["b", "p", "d", "e", "f"]);
    let shapes = [
        (1, 1, 1, 1, 1, 1),
        (3, 4, 17, 1, 50, 3),
        (20, 10, 64, 2, 900, 20),
        (5, 5, 300, 1, 3000, 60),
        (7, 3, 70, 3, 200, 2),
        (0, 3, 5, 1, 9, 1),
        (2, 2, 0, 1, 9, 1),
        (600, 5, 260, 1, 4100, 200),
    ];
    for (seed, (nb, np, nd, ne, nf, one_in)) in shapes.into_iter().enumerate() {
        for (round, dtype) in [DType::F32, DType::F64, DType::F32, DType::F64].into_iter().enumerate() {
            let mut dice = Dice::new(10 * seed as u64 + round as u64);
            let tolerance = if dtype == DType::F32 { 4e-6 } else { 1e-13 };
            let code = ragged(&mut dice, dtype, &[(b, nb), (p, np)], (f, nf), one_in);
            let dense = code.dense().expect("fits");
            // Any layout, and then the plain ones.
            let mut make = |shape: &[(Axis, usize)]| match round {
                0 | 1 => dice.tensor(dtype, shape),
                _ => dice.dense(dtype, shape),
            };
            let w = make(&[(f, nf), (d, nd), (e, ne)]);
            let x = make(&[(b, nb), (p, np), (d, nd), (e, ne)]);
            let what = format!("shape {seed}, round {round}");
            let wanted = tensor(contract(&dense, &w, &[f]).expect("contracts"));
            close(&decode(&code, &w, &[f]).expect("decodes"), &wanted, tolerance, &what);
            let wanted = tensor(contract(&dense, &x, &[p, b]).expect("contracts"));
            let found = by_feature(&code, &x, &[p, b]).expect("sums");
            assert_eq!(found.dims[0].axis, f);
            close(&found, &wanted, tolerance * 4.0, &what);
            let found = sampled(&w, &x, &[e, d], &code).expect("samples").dense().expect("fits");
            let full = tensor(contract(&x, &w, &[d, e]).expect("contracts"));
            let scale = (1.0 + (nd * ne) as f64).sqrt();
            let (kept, full, found) = (numbers(&dense), numbers(&full), numbers(&found));
            for ((x, y), kept) in found.iter().zip(&full).zip(&kept) {
                let y = if *kept == 0.0 { 0.0 } else { *y };
                assert!((x - y).abs() <= tolerance * scale, "{what}: {x} instead of {y}");
            }
        }
    }
}

#[test]
fn threads_change_no_bit() {
    let [b, d, f] = axes(["b", "d", "f"]);
    let mut dice = Dice::new(77);
    let x = dice.dense(DType::F32, &[(b, 2300), (d, 80)]);
    let w = dice.dense(DType::F32, &[(f, 1700), (d, 80)]);
    same_for_all_threads(|| {
        let code = top_product(&x, &w, &[d], None, f, 8).expect("selects");
        let back = decode(&code, &w, &[f]).expect("decodes");
        let slope = sampled(&back, &w, &[d], &code).expect("samples");
        let sums = by_feature(&slope, &x, &[b]).expect("sums");
        (code.pattern.index.to_vec(), bits(&back), bits(&slope.dense().expect("fits")), bits(&sums))
    });
}
