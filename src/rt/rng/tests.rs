//! Fixed values, moments, fairness, and independence of the number of threads.

use super::*;

fn axes(n: usize) -> [(Axis, usize); 1] {
    [(Axis::named("", "rng_test"), n)]
}

fn floats(tensor: Tensor) -> Vec<f32> {
    tensor.as_dense::<f32>().expect("dense f32").to_vec()
}

fn ints(tensor: Tensor) -> Vec<i64> {
    tensor.as_dense::<i64>().expect("dense i64").to_vec()
}

#[test]
fn values_are_fixed_for_ever() {
    let key = Key::from_seed(1).derive("weights");
    assert_eq!(key.0[..4], [229, 189, 211, 114]);
    assert_eq!(floats(normal(key, &axes(4)).expect("small")), [1.2328136, 0.059808686, 1.220724, -2.12243]);
    assert_eq!(floats(uniform(key, &axes(4)).expect("small")), [0.8911773, 0.523846, 0.8889047, 0.016900778]);
    assert_eq!(ints(uniform_int(key, &axes(6), -5, 1000).expect("small")), [521, 11, 922, 388, 338, 571]);
    assert_eq!(ints(permutation(key, axes(0)[0].0, 8).expect("small")), [6, 2, 3, 7, 1, 5, 0, 4]);
    assert_eq!(ints(batch_indices(key, 3, 4, 10, axes(0)[0].0).expect("small")), [6, 3, 0, 2]);
    assert_eq!(key.derive_int(-3).0[..4], [7, 213, 115, 214]);
}

#[test]
fn keys_differ_by_label_and_kind() {
    let root = Key::from_seed(0);
    let keys = [
        root,
        root.derive("a"),
        root.derive("b"),
        root.derive("1"),
        root.derive_int(1),
        root.derive(""),
        root.derive("a").derive("b"),
        root.derive("ab"),
        Key::from_seed(1),
    ];
    for (i, a) in keys.iter().enumerate() {
        for b in &keys[..i] {
            assert_ne!(a, b);
        }
    }
}

#[test]
fn an_element_depends_on_its_index_only() {
    let key = Key::from_seed(7);
    let long = floats(normal(key, &axes(3 * CHUNK + 5)).expect("fits"));
    let short = floats(normal(key, &axes(CHUNK + 3)).expect("fits"));
    assert_eq!(long[..CHUNK + 3], short[..]);
    let mut word = [0];
    words(key, 2 * CHUNK + 17, &mut word);
    assert_eq!(long[2 * CHUNK + 17], simd::formulas::normal_from_bits(word[0]));
    let long = ints(uniform_int(key, &axes(CHUNK + 9), 0, 1 << 40).expect("fits"));
    assert_eq!(ints(uniform_int(key, &axes(50), 0, 1 << 40).expect("fits")), long[..50]);
}

#[test]
fn threads_do_not_matter() {
    let make = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(|| {
            let key = Key::from_seed(3);
            let a = floats(normal(key, &axes(100_001)).expect("fits"));
            let b = ints(uniform_int(key, &axes(70_001), 3, 1 << 60).expect("fits"));
            (a, b, ints(batch_indices(key, 9, 5000, 12_345, axes(0)[0].0).expect("valid")))
        })
    };
    assert_eq!(make(1), make(3));
}

/// Mean, variance, skewness, kurtosis.
fn moments(x: &[f32]) -> [f64; 4] {
    let n = x.len() as f64;
    let mean = x.iter().map(|&v| v as f64).sum::<f64>() / n;
    let central = |p: i32| x.iter().map(|&v| (v as f64 - mean).powi(p)).sum::<f64>() / n;
    let variance = central(2);
    [mean, variance, central(3) / variance.powf(1.5), central(4) / (variance * variance)]
}

#[test]
fn moments_are_right() {
    let n = 1_000_000;
    let [mean, variance, skew, kurtosis] = moments(&floats(normal(Key::from_seed(11), &axes(n)).expect("fits")));
    // Five standard errors each.
    assert!(mean.abs() < 5e-3 && (variance - 1.0).abs() < 7.1e-3, "{mean} {variance}");
    assert!(skew.abs() < 1.3e-2 && (kurtosis - 3.0).abs() < 2.5e-2, "{skew} {kurtosis}");
    let u = floats(uniform(Key::from_seed(12), &axes(n)).expect("fits"));
    let [mean, variance, _, kurtosis] = moments(&u);
    assert!((mean - 0.5).abs() < 1.5e-3 && (variance - 1.0 / 12.0).abs() < 4e-4 && (kurtosis - 1.8).abs() < 1e-2);
    assert!(u.iter().all(|&v| (0.0..1.0).contains(&v)));
}

#[test]
fn normals_follow_the_inverse_of_erf() {
    // Phi(x) gives back the probability that the bits stand for.
    for i in 0..2000u32 {
        let bits = i.wrapping_mul(2_147_481) ^ if i % 3 == 0 { 0xffff } else { 0 };
        let x = simd::formulas::normal_from_bits(bits) as f64;
        let p = (bits as f64 + 0.5) / 4_294_967_296.0;
        let back = 0.5 + 0.5 * simd::scalar_f64(crate::base::ops::ScalarOp::Erf, x / std::f64::consts::SQRT_2);
        // The density bounds how far an error of 2e-7 in x moves the probability.
        assert!((back - p).abs() < 2e-7 * (x.abs() + 0.1) * 0.4, "{bits}: {x} {back} {p}");
    }
    assert_eq!(simd::formulas::normal_from_bits(0), -simd::formulas::normal_from_bits(u32::MAX));
    assert!((simd::formulas::normal_from_bits(0) + 6.337_958).abs() < 2e-6);
}

#[test]
fn integers_are_fair_and_in_range() {
    let x = ints(uniform_int(Key::from_seed(2), &axes(60_000), -2, 4).expect("valid"));
    let mut counts = [0f64; 6];
    for v in x {
        counts[(v + 2) as usize] += 1.0;
    }
    let chi: f64 = counts.iter().map(|c| (c - 10_000.0) * (c - 10_000.0) / 10_000.0).sum();
    assert!(chi < 25.7, "{counts:?}");
    // A bound just above a half rejects nearly every second draw.
    let wide = ints(uniform_int(Key::from_seed(2), &axes(4000), i64::MIN, 2).expect("valid"));
    let mean = wide.iter().map(|&v| v as f64 / i64::MAX as f64).sum::<f64>() / 4000.0;
    assert!((mean + 0.5).abs() < 0.03 && wide.iter().all(|&v| v < 2), "{mean}");
    assert!(uniform_int(Key::from_seed(2), &axes(4), 3, 3).is_err());
    assert_eq!(ints(uniform_int(Key::from_seed(2), &axes(4), i64::MIN, i64::MAX).expect("valid")).len(), 4);
}

#[test]
fn permutations_hold_everything_once() {
    let axis = axes(0)[0].0;
    let mut all = ints(permutation(Key::from_seed(4), axis, 1000).expect("valid"));
    assert_ne!(all[..5], [0, 1, 2, 3, 4]);
    all.sort_unstable();
    assert!(all.into_iter().eq(0..1000));
    assert!(permutation(Key::from_seed(4), axis, -1).is_err());
    let mut counts = std::collections::BTreeMap::new();
    for seed in 0..24_000 {
        *counts.entry(ints(permutation(Key::from_seed(seed), axis, 4).expect("valid"))).or_insert(0f64) += 1.0;
    }
    let chi: f64 = counts.values().map(|c| (c - 1000.0) * (c - 1000.0) / 1000.0).sum();
    assert!(counts.len() == 24 && chi < 58.0, "{chi}");
}
