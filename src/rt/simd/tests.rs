//! Accuracy of the formulas against the standard library, limits, and equal bits at every vector width.

use super::*;
use ScalarOp::*;

const OPS: [ScalarOp; 6] = [Exp, Log, Tanh, Erf, Sin, Cos];

/// erf by its series, or by the continued fraction of erfc, in f64: the standard library has none.
fn erf_reference(x: f64) -> f64 {
    let a = x.abs();
    if a < 2.5 {
        // All terms have one sign: no cancellation.
        let (mut term, mut sum) = (a, a);
        for n in 1..200 {
            term *= 2.0 * a * a / (2 * n + 1) as f64;
            sum += term;
        }
        return (2.0 / std::f64::consts::PI.sqrt() * (-a * a).exp() * sum).copysign(x);
    }
    let mut fraction = a;
    for k in (1..400).rev() {
        fraction = a + k as f64 / 2.0 / fraction;
    }
    (1.0 - (-a * a).exp() / fraction / std::f64::consts::PI.sqrt()).copysign(x)
}

fn reference(op: ScalarOp, x: f64) -> f64 {
    match op {
        Exp => x.exp(),
        Log => x.ln(),
        Tanh => x.tanh(),
        Erf => erf_reference(x),
        Sin => x.sin(),
        _ => x.cos(),
    }
}

/// Test points: a dense line, and a geometric ladder in both signs.
fn points(op: ScalarOp) -> Vec<f64> {
    let (low, high) = match op {
        Exp => (-87.0, 88.0),
        Log => (1e-3, 20.0),
        Tanh => (-12.0, 12.0),
        Erf => (-6.5, 6.5),
        _ => (-1000.0, 1000.0),
    };
    let mut out: Vec<f64> = (0..40_000).map(|i| low + (high - low) * i as f64 / 39_999.0).collect();
    let most = match op {
        Log => 37.0,
        Exp => 1.9,
        _ => 6.0,
    };
    for i in 0..20_000 {
        let x = 10f64.powf(-30.0 + (most + 30.0) * i as f64 / 19_999.0);
        out.push(x);
        if op != Log {
            out.push(-x);
        }
    }
    out
}

/// The error, absolute near the zeros that cannot be met relatively.
fn error(op: ScalarOp, found: f64, wanted: f64) -> f64 {
    let scale = match op {
        Sin | Cos => 1.0,
        Log => wanted.abs().max(0.1),
        _ => wanted.abs().max(1e-300),
    };
    (found - wanted).abs() / scale
}

#[test]
fn f64_functions_are_accurate() {
    for op in OPS {
        let worst = points(op).iter().map(|&x| error(op, scalar_f64(op, x), reference(op, x))).fold(0.0, f64::max);
        assert!(worst <= if op == Erf { 3e-15 } else { 1e-15 }, "{op:?}: {worst:e}");
    }
}

#[test]
fn f32_functions_are_accurate() {
    for op in OPS {
        let mut worst = 0f64;
        for x in points(op) {
            let x = x as f32;
            let wanted = reference(op, x as f64);
            if wanted.abs() > 1e-37 && wanted.abs() < 3e38 {
                worst = worst.max(error(op, scalar_f32(op, x) as f64, wanted));
            }
        }
        assert!(worst <= 1.5e-7, "{op:?}: {worst:e}");
    }
}

#[test]
fn limits_are_those_of_ieee() {
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    let cases: [(ScalarOp, f64, f64); 17] = [
        (Exp, 800.0, inf),
        (Exp, -800.0, 0.0),
        (Exp, inf, inf),
        (Exp, -inf, 0.0),
        (Exp, 0.0, 1.0),
        (Log, 0.0, -inf),
        (Log, -1.0, nan),
        (Log, -inf, nan),
        (Log, inf, inf),
        (Log, 1.0, 0.0),
        (Tanh, inf, 1.0),
        (Tanh, -inf, -1.0),
        (Erf, inf, 1.0),
        (Erf, -inf, -1.0),
        (Sin, inf, nan),
        (Cos, -inf, nan),
        (Cos, 0.0, 1.0),
    ];
    for (op, x, wanted) in cases {
        for found in [scalar_f64(op, x), scalar_f32(op, x as f32) as f64] {
            assert!(found == wanted || found.is_nan() && wanted.is_nan(), "{op:?}({x}) = {found}");
        }
    }
    for op in OPS {
        assert!(scalar_f64(op, nan).is_nan() && scalar_f32(op, f32::NAN).is_nan(), "{op:?}(NaN)");
        if !matches!(op, Exp | Log | Cos) {
            assert!(scalar_f64(op, -0.0).is_sign_negative() && scalar_f32(op, -0.0).is_sign_negative(), "{op:?}(-0)");
        }
    }
    // Just inside and outside the range, and subnormal results and arguments.
    assert!(scalar_f32(Exp, 88.72).is_finite() && scalar_f32(Exp, 88.73).is_infinite());
    assert!(scalar_f64(Exp, 709.78).is_finite() && scalar_f64(Exp, 709.79).is_infinite());
    assert!(scalar_f32(Exp, -103.9) > 0.0 && scalar_f32(Exp, -104.1) == 0.0);
    assert!((scalar_f64(Exp, -740.0) / (-740f64).exp() - 1.0).abs() < 1e-2);
    assert!((scalar_f64(Log, 5e-320) - 5e-320f64.ln()).abs() < 1e-12);
    assert!((scalar_f32(Log, 1e-42) as f64 - (1e-42f32 as f64).ln()).abs() < 1e-5);
}

#[test]
fn far_angles_are_exact() {
    // The standard library reduces exactly as well.
    for i in 0..4000 {
        let x = 1.5e6 * 1.19f64.powi(i % 3990) * if i % 2 == 0 { 1.0 } else { -1.0 };
        if x.is_finite() {
            assert!((scalar_f64(Sin, x) - x.sin()).abs() < 1e-15, "sin {x:e}");
            assert!((scalar_f64(Cos, x) - x.cos()).abs() < 1e-15, "cos {x:e}");
        }
    }
    // The double nearest to a multiple of pi/2 of all.
    let x = 6381956970095103.0 * 2f64.powi(797);
    assert!((scalar_f64(Cos, x) / -4.687_165_924_254_628e-19 - 1.0).abs() < 1e-13);
    let mut tile = [1.0, 1e12, -2.0];
    tile_f64(Sin, &mut tile);
    assert_eq!(tile, [1.0, 1e12, -2.0].map(|x| scalar_f64(Sin, x)));
}

#[test]
fn widths_agree_to_the_bit() {
    for op in OPS {
        let single: Vec<f64> = points(op).into_iter().step_by(7).collect();
        let narrow: Vec<f32> = single.iter().map(|&x| x as f32).collect();
        let wanted: Vec<u64> = single.iter().map(|&x| scalar_f64(op, x).to_bits()).collect();
        let wanted_f32: Vec<u32> = narrow.iter().map(|&x| scalar_f32(op, x).to_bits()).collect();
        for level in [Level::Plain, Level::Avx2, Level::Avx512] {
            limit_level(level);
            let (mut a, mut b) = (single.clone(), narrow.clone());
            tile_f64(op, &mut a);
            tile_f32(op, &mut b);
            assert!(a.iter().map(|x| x.to_bits()).eq(wanted.iter().copied()), "{op:?} f64 {level:?}");
            assert!(b.iter().map(|x| x.to_bits()).eq(wanted_f32.iter().copied()), "{op:?} f32 {level:?}");
        }
        limit_level(Level::Avx512);
    }
}

#[test]
fn powers_are_accurate_and_whole_ones_exact() {
    let mut worst = 0f64;
    for i in 0..400 {
        for j in 0..200 {
            let (x, y) = (0.01 * 1.03f64.powi(i), -20.0 + 0.2 * j as f64 + 0.013);
            let wanted = x.powf(y);
            worst = worst.max((pow_f64(x, y) / wanted - 1.0).abs());
        }
    }
    assert!(worst < 1e-15, "{worst:e}");
    for (x, y, wanted) in [(10.0, 3.0, 1000.0), (2.0, -8.0, 1.0 / 256.0), (9.0, 0.5, 3.0), (-2.0, 3.0, -8.0)] {
        assert_eq!(pow_f64(x, y), wanted);
    }
}

#[test]
fn powers_have_the_limits_of_ieee() {
    let grid =
        [f64::NEG_INFINITY, -2.5, -2.0, -1.0, -0.5, -0.0, 0.0, 0.5, 1.0, 2.0, 3.0, 1e300, f64::INFINITY, f64::NAN];
    for x in grid {
        for y in grid {
            let (found, wanted) = (pow_f64(x, y), x.powf(y));
            let same = found == wanted && found.is_sign_negative() == wanted.is_sign_negative();
            let close = (found / wanted - 1.0).abs() < 1e-14;
            assert!(same || close || found.is_nan() && wanted.is_nan(), "{x} ^ {y}: {found} not {wanted}");
        }
    }
}

#[test]
fn pointers_compute_in_place() {
    let Some(pointer) = tile_pointer(Exp, DType::F32) else { panic!("no pointer") };
    let mut x = [0.0f32, 1.0, 2.0];
    assert_eq!(pointer, c_exp_f32s as *const u8);
    c_exp_f32s(x.as_mut_ptr(), 2);
    c_exp_f32s(std::ptr::null_mut(), 5);
    assert_eq!(x, [1.0, scalar_f32(Exp, 1.0), 2.0]);
    assert!(scalar_pointer(Pow, DType::F64).is_some() && tile_pointer(Add, DType::F32).is_none());
}

#[test]
fn group_maxima_see_every_element() {
    let x: Vec<f32> = (0..1000).map(|i| ((i * 7919) % 1000) as f32 - 500.0).collect();
    let mut out = vec![0.0; 48];
    assert!(!group_maxima_f32(&x, &mut out));
    for (group, most) in out.iter().enumerate() {
        assert_eq!(*most, x.iter().skip(group).step_by(48).copied().fold(f32::MIN, f32::max));
    }
    for at in [0, 47, 511, 999] {
        let mut y = x.clone();
        y[at] = f32::NAN;
        assert!(group_maxima_f32(&y, &mut out), "NaN at {at}");
    }
}
