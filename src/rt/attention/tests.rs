//! Against plain loops in f64, over arrangements of axes and masks; the same bits for all threads.

use super::*;
use crate::rt::testing::{Dice, at, axes, bits, places, same_for_all_threads};
use crate::rt::value::Value;

const NAMES: [&str; 6] = ["batch", "head", "q", "k", "d", "e"];

fn roles() -> Roles {
    let [_, _, q, k, d, e] = axes(NAMES);
    Roles { q, k, d, e }
}

/// Lengths of batch, head, q, k, d, e.
type Lengths = [usize; 6];

struct Case {
    q: Tensor,
    k: Tensor,
    v: Tensor,
    dz: Tensor,
    mask: Option<Tensor>,
}

impl Case {
    fn scores(&self) -> Scores<'_> {
        Scores { scale: 0.7, hidden: -1e9, seen: self.mask.as_ref() }
    }
}

/// What a query may see.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Sight {
    All,
    Causal,
    /// By batch: the keys from some number on are padding.
    Padded,
    Window,
}

fn mask(sight: Sight, [b, _, q, k, ..]: Lengths) -> Option<Tensor> {
    let [batch, _, qs, ks, ..] = axes(NAMES);
    let sees = |b: usize, i: usize, j: usize| match sight {
        Sight::All => true,
        Sight::Causal => j <= i,
        Sight::Padded => j < k - b.min(k - 1),
        Sight::Window => j <= i && j + 3 > i,
    };
    let shape: Vec<(Axis, usize)> = match sight {
        Sight::All => return None,
        Sight::Padded => vec![(batch, b), (qs, q), (ks, k)],
        _ => vec![(qs, q), (ks, k)],
    };
    let get = |place: &[(Axis, usize)], axis: Axis| place.iter().find(|x| x.0 == axis).map_or(0, |x| x.1);
    let values: Vec<u8> =
        places(&shape).iter().map(|p| u8::from(sees(get(p, batch), get(p, qs), get(p, ks)))).collect();
    Some(Tensor::from_slice(&shape, &values).unwrap())
}

fn case(dice: &mut Dice, dtype: DType, n: Lengths, sight: Sight, dense: bool, grouped: bool) -> Case {
    let [b, h, q, k, d, e] = axes(NAMES);
    let mut make = |shape: &[(Axis, usize)]| if dense { dice.dense(dtype, shape) } else { dice.tensor(dtype, shape) };
    let heads = |mut shape: Vec<(Axis, usize)>| {
        if grouped {
            shape.retain(|x| x.0 != h);
        }
        shape
    };
    Case {
        q: make(&[(b, n[0]), (q, n[2]), (h, n[1]), (d, n[4])]),
        k: make(&heads(vec![(b, n[0]), (k, n[3]), (h, n[1]), (d, n[4])])),
        v: make(&heads(vec![(b, n[0]), (k, n[3]), (h, n[1]), (e, n[5])])),
        dz: make(&[(b, n[0]), (q, n[2]), (h, n[1]), (e, n[5])]),
        mask: mask(sight, n),
    }
}

/// The weights of the keys in one row.
fn weights(case: &Case, n: Lengths, place: &[(Axis, usize)]) -> Vec<f64> {
    let [_, _, _, ks, ds, _] = axes(NAMES);
    let score = |j: usize| {
        let with = |i: usize| -> Vec<(Axis, usize)> { place.iter().copied().chain([(ks, j), (ds, i)]).collect() };
        let hidden = case.mask.as_ref().is_some_and(|mask| at(mask, &with(0)) == 0.0);
        let dot: f64 = (0..n[4]).map(|i| at(&case.q, &with(i)) * at(&case.k, &with(i))).sum();
        if hidden { -1e9 } else { 0.7 * dot }
    };
    let scores: Vec<f64> = (0..n[3]).map(score).collect();
    let most = scores.iter().fold(f64::NEG_INFINITY, |most, &x| most.max(x));
    let raised: Vec<f64> = scores.iter().map(|x| (x - most).exp()).collect();
    let total: f64 = raised.iter().sum();
    raised.iter().map(|x| x / total).collect()
}

fn value(x: &Tensor, place: &[(Axis, usize)], more: &[(Axis, usize)]) -> f64 {
    at(x, &place.iter().chain(more).copied().collect::<Vec<_>>())
}

fn check(case: &Case, n: Lengths, tolerance: f64) {
    let [bs, hs, qs, ks, ds, es] = axes(NAMES);
    let operands = [&case.q, &case.k, &case.v];
    let found = attention(&case.q, &case.k, &case.v, case.scores(), roles()).unwrap();
    let [dq, dk, dv] = gradient(operands, &case.dz, case.scores(), roles()).unwrap();
    let grouped = case.k.dim(hs).is_none();
    let group = |h: usize| if grouped { 0 } else { h };
    let mut sums = [vec![0.0; n[0] * n[1] * n[3] * n[4]], vec![0.0; n[0] * n[1] * n[3] * n[5]]];
    let near = |x: f64, y: f64| assert!((x - y).abs() <= tolerance * y.abs().max(1.0), "{x}, not {y}");
    for place in places(&[(bs, n[0]), (hs, n[1]), (qs, n[2])]) {
        let [b, h] = [place[0].1, group(place[1].1)];
        let p = weights(case, n, &place);
        for i in 0..n[5] {
            let expected: f64 = (0..n[3]).map(|j| p[j] * value(&case.v, &place, &[(ks, j), (es, i)])).sum();
            near(value(&found, &place, &[(es, i)]), expected);
        }
        let slope = |j: usize| -> f64 {
            (0..n[5]).map(|i| value(&case.dz, &place, &[(es, i)]) * value(&case.v, &place, &[(ks, j), (es, i)])).sum()
        };
        let dp: Vec<f64> = (0..n[3]).map(slope).collect();
        let mean: f64 = p.iter().zip(&dp).map(|(p, d)| p * d).sum();
        let hidden = |j: usize| case.mask.as_ref().is_some_and(|m| value(m, &place, &[(ks, j)]) == 0.0);
        let step = |j: usize| if hidden(j) { 0.0 } else { p[j] * (dp[j] - mean) * 0.7 };
        let ds_: Vec<f64> = (0..n[3]).map(step).collect();
        for i in 0..n[4] {
            let expected: f64 = (0..n[3]).map(|j| ds_[j] * value(&case.k, &place, &[(ks, j), (ds, i)])).sum();
            near(value(&dq, &place, &[(ds, i)]), expected);
        }
        for j in 0..n[3] {
            let row = (b * n[1] + h) * n[3] + j;
            (0..n[4]).for_each(|i| sums[0][row * n[4] + i] += ds_[j] * value(&case.q, &place, &[(ds, i)]));
            (0..n[5]).for_each(|i| sums[1][row * n[5] + i] += p[j] * value(&case.dz, &place, &[(es, i)]));
        }
    }
    for place in places(&[(bs, n[0]), (hs, if grouped { 1 } else { n[1] }), (ks, n[3])]) {
        let row = (place[0].1 * n[1] + place[1].1) * n[3] + place[2].1;
        (0..n[4]).for_each(|i| near(value(&dk, &place, &[(ds, i)]), sums[0][row * n[4] + i]));
        (0..n[5]).for_each(|i| near(value(&dv, &place, &[(es, i)]), sums[1][row * n[5] + i]));
    }
}

#[test]
fn agrees_with_plain_loops() {
    for seed in 0..40 {
        let mut dice = Dice::new(seed);
        let sight = [Sight::All, Sight::Causal, Sight::Padded, Sight::Window][seed as usize % 4];
        let mut length = |most: usize| 1 + dice.below(most);
        let n = [length(3), length(3), length(9), 0, length(5), length(5)];
        let n = if sight == Sight::All {
            [n[0], n[1], n[2], length(9), n[4], n[5]]
        } else {
            [n[0], n[1], n[2], n[2], n[4], n[5]]
        };
        let (dtype, tolerance) = if seed % 3 == 0 { (DType::F64, 1e-12) } else { (DType::F32, 2e-5) };
        let case = case(&mut dice, dtype, n, sight, seed % 2 == 0, seed % 5 == 0);
        check(&case, n, tolerance);
    }
}

#[test]
fn several_blocks_of_rows() {
    for sight in [Sight::All, Sight::Causal, Sight::Window] {
        let n = [2, 2, 150, 150, 8, 4];
        let case = case(&mut Dice::new(5), DType::F32, n, sight, true, false);
        check(&case, n, 2e-5);
    }
}

/// The same values whether the mask's shape is made use of or not, and a result laid out like the queries.
#[test]
fn causal_rows_end_early_and_lie_like_the_queries() {
    let [b, h, q, _, _, e] = axes(NAMES);
    let n = [2, 3, 70, 70, 8, 8];
    let case = case(&mut Dice::new(7), DType::F32, n, Sight::Causal, true, false);
    let operands = [&case.q, &case.k, &case.v];
    let job = Job::new(operands, None, case.scores(), roles()).unwrap();
    let Seen::First(ends) = &job.seen else { panic!("a causal mask ends every row") };
    assert_eq!(ends[..3], [1, 2, 3]);
    let owned = [case.q.clone(), case.k.clone(), case.v.clone()];
    let early = job.attended::<f32>(&owned).unwrap().unwrap();
    let whole = job.without_limits().attended::<f32>(&owned).unwrap().unwrap();
    let order = [b, q, h, e];
    assert_eq!(early.dims.iter().map(|dim| dim.axis).collect::<Vec<_>>(), order);
    let pairs = early.to_f64(&order).unwrap().into_iter().zip(whole.to_f64(&order).unwrap());
    pairs.for_each(|(x, y)| assert!((x - y).abs() < 1e-6, "{x} and {y}"));
}

/// A query that may see nothing, or only keys far below the score of hidden ones, weighs the hidden ones.
#[test]
fn hidden_keys_that_weigh() {
    let [b, h, qs, ks, ds, es] = axes(NAMES);
    let q = Tensor::from_slice(&[(b, 1), (qs, 2), (h, 1), (ds, 1)], &[1f32, -1.0]).unwrap();
    let k = Tensor::from_slice(&[(b, 1), (ks, 2), (h, 1), (ds, 1)], &[1f32, 1.0]).unwrap();
    let v = Tensor::from_slice(&[(b, 1), (ks, 2), (h, 1), (es, 1)], &[1f32, 3.0]).unwrap();
    let seen = Tensor::from_slice(&[(qs, 2), (ks, 2)], &[1u8, 0, 0, 0]).unwrap();
    let scores = Scores { scale: 1.0, hidden: 1.0, seen: Some(&seen) };
    let found = attention(&q, &k, &v, scores, roles()).unwrap();
    assert_eq!(found.to_f64(&[b, qs, h, es]).unwrap(), [2.0, 2.0]);
    let seen = Tensor::from_slice(&[(qs, 2), (ks, 2)], &[1u8, 0, 1, 0]).unwrap();
    let scores = Scores { scale: 1.0, hidden: -1.0, seen: Some(&seen) };
    let found = attention(&q, &k, &v, scores, roles()).unwrap().to_f64(&[b, qs, h, es]).unwrap();
    assert!((found[1] - 2.0).abs() < 1e-6, "{found:?}");
}

#[test]
fn a_row_with_nan_is_nan_and_no_other() {
    let [b, h, qs, ks, ds, es] = axes(NAMES);
    let one = |axis, values: &[f32]| Tensor::from_slice(&[(b, 1), (axis, 3), (h, 1), (es, 1)], values).unwrap();
    let deep = |axis, values: &[f32]| Tensor::from_slice(&[(b, 1), (axis, 3), (h, 1), (ds, 1)], values).unwrap();
    let (k, v, dz) = (deep(ks, &[1.0, 1.0, 1.0]), one(ks, &[1.0, 3.0, 5.0]), one(qs, &[1.0, 1.0, 1.0]));
    let causal = Tensor::from_slice(&[(qs, 3), (ks, 3)], &[1u8, 0, 0, 1, 1, 0, 1, 1, 1]).unwrap();
    let scores = Scores { scale: 1.0, hidden: -1e9, seen: Some(&causal) };
    for wrong in [f32::NAN, f32::INFINITY] {
        let q = deep(qs, &[1.0, wrong, 1.0]);
        let found = attention(&q, &k, &v, scores, roles()).unwrap().to_f64(&[b, qs, h, es]).unwrap();
        assert!(found[1].is_nan() && found[0] == 1.0 && (found[2] - 3.0).abs() < 1e-6, "{found:?}");
        let [dq, _, dv] = gradient([&q, &k, &v], &dz, scores, roles()).unwrap();
        let dq = dq.to_f64(&[b, qs, h, ds]).unwrap();
        assert!(dq[1].is_nan() && dq[0] == 0.0 && dq[2].abs() < 1e-6, "{dq:?}");
        // The last key is hidden from the row in question, and weighs NaN in it like all others.
        assert!(dv.to_f64(&[b, ks, h, es]).unwrap().iter().all(|x| x.is_nan()));
    }
}

#[test]
fn refuses_lengths_that_differ() {
    let [b, h, qs, ks, ds, es] = axes(NAMES);
    let mut dice = Dice::new(1);
    let q = dice.dense(DType::F32, &[(b, 2), (qs, 2), (h, 1), (ds, 3)]);
    let k = dice.dense(DType::F32, &[(b, 2), (ks, 2), (h, 1), (ds, 3)]);
    let short = dice.dense(DType::F32, &[(b, 2), (ks, 1), (h, 1), (es, 3)]);
    let all = Scores { scale: 1.0, hidden: 0.0, seen: None };
    assert_eq!(attention(&q, &k, &short, all, roles()).unwrap_err().code, code::SIZE);
}

#[test]
fn the_same_bits_for_all_threads() {
    for n in [[2, 3, 130, 130, 16, 16], [9, 2, 40, 40, 8, 8]] {
        let case = case(&mut Dice::new(3), DType::F32, n, Sight::Causal, true, false);
        same_for_all_threads(|| {
            let z = attention(&case.q, &case.k, &case.v, case.scores(), roles()).unwrap();
            let slopes = gradient([&case.q, &case.k, &case.v], &case.dz, case.scores(), roles()).unwrap();
            [z].into_iter().chain(slopes).map(|t| bits(&Value::from(t))).collect::<Vec<_>>()
        });
    }
}
