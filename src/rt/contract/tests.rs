//! Against plain loops, over random arrangements of axes; the same bits for all threads.

use super::*;
use crate::rt::testing::{Dice, at, axes, bits, places, same_for_all_threads, value_at};

fn check(a: &Tensor, b: &Tensor, summed: &[Axis], tolerance: f64) {
    let found = contract(a, b, summed).unwrap();
    let mut kept: Vec<(Axis, usize)> = a.shape();
    kept.extend(b.shape().into_iter().filter(|x| a.dim(x.0).is_none()));
    let inner: Vec<_> = kept.iter().copied().filter(|x| summed.contains(&x.0)).collect();
    kept.retain(|x| !summed.contains(&x.0));
    if let Value::Tensor(t) = &found {
        assert_eq!(t.elements(), kept.iter().map(|x| x.1).product::<usize>());
    }
    for place in places(&kept) {
        let mut expected = 0.0;
        for more in places(&inner) {
            let full: Vec<_> = place.iter().chain(&more).copied().collect();
            expected += at(a, &full) * at(b, &full);
        }
        let x = value_at(&found, &place);
        assert!((x - expected).abs() < tolerance * expected.abs().max(1.0), "{x}, not {expected} at {place:?}");
    }
}

#[test]
fn agrees_with_plain_loops() {
    let names = axes(["a", "b", "c", "d", "e", "f", "g"]);
    for seed in 0..1500 {
        let mut dice = Dice::new(seed);
        let (mut in_a, mut in_b, mut summed) = (Vec::new(), Vec::new(), Vec::new());
        for axis in names {
            let len = if dice.one_in(6) { 1 } else { 2 + dice.below(3) };
            match dice.below(6) {
                0 => {
                    in_a.push((axis, len));
                    in_b.push((axis, len));
                }
                1 => in_a.push((axis, len)),
                2 => in_b.push((axis, len)),
                3 | 4 if summed.len() < 3 => {
                    summed.push(axis);
                    in_a.push((axis, len));
                    in_b.push((axis, len));
                }
                _ => {}
            }
        }
        if in_a.is_empty() || in_b.is_empty() {
            continue;
        }
        let dtype = if dice.one_in(2) { DType::F32 } else { DType::F64 };
        let (a, b) = (dice.tensor(dtype, &in_a), dice.tensor(dtype, &in_b));
        check(&a, &b, &summed, if dtype == DType::F32 { 1e-5 } else { 1e-12 });
    }
}

#[test]
fn larger_matrices_in_every_arrangement() {
    let [m, n, k, batch] = axes(["m", "n", "k", "batch"]);
    for seed in 0..24 {
        let mut dice = Dice::new(seed);
        let (rows, columns, sum) = (50 + dice.below(60), 1 + dice.below(60), 30 + dice.below(30));
        let a = dice.tensor(DType::F32, &[(m, rows), (k, sum), (batch, 2)]);
        let b = dice.tensor(DType::F32, &[(n, columns), (k, sum), (batch, 2)]);
        check(&a, &b, &[k], 1e-4);
    }
}

#[test]
fn attention_is_laid_out_without_copies() {
    let [batch, q, k, head, dhead] = axes(["batch", "q", "k", "head", "dhead"]);
    let mut dice = Dice::new(3);
    let queries = dice.dense(DType::F32, &[(batch, 2), (q, 9), (head, 3), (dhead, 4)]);
    let keys = dice.dense(DType::F32, &[(batch, 2), (k, 9), (head, 3), (dhead, 4)]);
    check(&queries, &keys, &[dhead], 1e-5);
    let Ok(Value::Tensor(scores)) = contract(&queries, &keys, &[dhead]) else { panic!() };
    assert_eq!(scores.dims.iter().map(|dim| dim.axis).collect::<Vec<_>>(), [batch, head, q, k]);
    check(&scores, &keys, &[k], 1e-4);
    let Ok(Value::Tensor(mixed)) = contract(&scores, &keys, &[k]) else { panic!() };
    assert_eq!(mixed.dims.iter().map(|dim| dim.axis).collect::<Vec<_>>(), [batch, q, head, dhead]);
    let plan = Plan::new(&scores, &keys, Groups::new(&scores, &keys, &[k])).unwrap();
    let shared = |x: &Tensor, y: &Tensor| x.raw::<f32>().unwrap().as_ptr() == y.raw::<f32>().unwrap().as_ptr();
    assert!(shared(&plan.a, &scores) && shared(&plan.b, &keys));
}

#[test]
fn data_stays_outside_whichever_side_it_is_on() {
    let [batch, pos, model, wide] = axes(["batch", "pos", "model", "wide"]);
    let mut dice = Dice::new(4);
    let x = dice.dense(DType::F32, &[(batch, 2), (pos, 5), (model, 6)]);
    for weight in [[(model, 6), (wide, 7)], [(wide, 7), (model, 6)]] {
        let weight = dice.dense(DType::F32, &weight);
        for (a, b) in [(&x, &weight), (&weight, &x)] {
            let Ok(Value::Tensor(y)) = contract(a, b, &[model]) else { panic!() };
            assert_eq!(y.dims.iter().map(|dim| dim.axis).collect::<Vec<_>>(), [batch, pos, wide]);
            check(a, b, &[model], 1e-5);
        }
    }
}

#[test]
fn the_same_bits_for_all_threads() {
    let [m, n, k] = axes(["m", "n", "k"]);
    let shapes = [(700, 600, 90), (1, 900, 400), (900, 1, 400), (30, 20, 20_000), (1, 1, 50_000), (520, 3, 70)];
    for (rows, columns, sum) in shapes {
        for dtype in [DType::F32, DType::F64] {
            let mut dice = Dice::new(9);
            let a = dice.dense(dtype, &[(m, rows), (k, sum)]);
            let b = dice.dense(dtype, &[(k, sum), (n, columns)]);
            same_for_all_threads(|| bits(&contract(&a, &b, &[k]).unwrap()));
        }
    }
    let mut dice = Dice::new(9);
    let a = dice.dense(DType::F32, &[(m, 30), (k, 20_000)]);
    let b = dice.dense(DType::F32, &[(k, 20_000), (n, 20)]);
    let Ok(Value::Tensor(found)) = contract(&a, &b, &[k]) else { panic!() };
    for place in places(&[(m, 30), (n, 20)]).iter().step_by(50) {
        let expected: f64 = (0..20_000).map(|i| at(&a, &[place[0], (k, i)]) * at(&b, &[place[1], (k, i)])).sum();
        assert!((at(&found, place) - expected).abs() < 1e-3, "{place:?}");
    }
}

#[test]
fn a_full_contraction_is_a_scalar() {
    let [k, none] = axes(["k", "none"]);
    let a = Tensor::from_slice(&[(k, 3)], &[1f32, 2.0, 3.0]).unwrap();
    assert!(matches!(contract(&a, &a, &[k]), Ok(Value::F32(14.0))));
    let empty = Tensor::from_slice::<f64>(&[(none, 0)], &[]).unwrap();
    assert!(matches!(contract(&empty, &empty, &[none]), Ok(Value::F64(0.0))));
}

#[test]
fn refuses_integers_and_lengths_that_differ() {
    let [k] = axes(["k"]);
    let ints = Tensor::from_slice(&[(k, 2)], &[1i64, 2]).unwrap();
    assert_eq!(contract(&ints, &ints, &[k]).unwrap_err().code, code::ARGUMENT);
    let two = Tensor::from_slice(&[(k, 2)], &[1f32, 2.0]).unwrap();
    let three = Tensor::from_slice(&[(k, 3)], &[1f32, 2.0, 3.0]).unwrap();
    assert_eq!(contract(&two, &three, &[k]).unwrap_err().code, code::SIZE);
    assert_eq!(contract(&two, &three, &[]).unwrap_err().code, code::SIZE);
}

#[test]
fn repeated_operands_stay_repeated() {
    let [m, n, k] = axes(["m", "n", "k"]);
    let x = Tensor::from_slice(&[(k, 3)], &[1f32, 2.0, 3.0]).unwrap();
    let wide = index::expand(&Value::from(x.clone()), m, 1000).unwrap();
    let Ok(Value::Tensor(y)) = contract(&wide, &x, &[k]) else { panic!() };
    assert_eq!((y.len(m).unwrap(), y.dims[0].stride), (1000, 0));
    let ones = index::expand(&index::expand(&Value::F32(1.0), k, 3).unwrap().into(), n, 2).unwrap();
    check(&wide, &ones, &[k], 1e-6);
}
