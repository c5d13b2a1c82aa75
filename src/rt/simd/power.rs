//! Powers and remainders: scalar formulas with branches, not for vectors.
//!
//! `x^y` is computed through a logarithm of two floats, so that whole powers such as 10^3 come out exact. The rules
//! are those of `formulas`: plain IEEE operations, nothing fused.

use super::formulas::{EXP_TERMS, LN2_HIGH, LN2_LOW, LOG_TERMS, LOG2_E, ROUND_F64};
use super::formulas::{exp_f64, polynomial, power_of_two, split_mantissa};

/// a * b exactly, as the sum of two floats (Dekker's product, since nothing here may use a fused multiply-add).
fn exact_product(a: f64, b: f64) -> (f64, f64) {
    const SPLIT: f64 = 134_217_729.0; // 2^27 + 1
    let halves = |x: f64| {
        let t = SPLIT * x;
        let high = t - (t - x);
        (high, x - high)
    };
    let (product, (ah, al), (bh, bl)) = (a * b, halves(a), halves(b));
    (product, ((ah * bh - product) + ah * bl + al * bh) + al * bl)
}

/// a + b exactly, as the sum of two floats.
fn exact_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let rest = sum - a;
    (sum, (a - (sum - rest)) + (b - rest))
}

/// log x for positive finite x as the sum of two floats, good to about 2^-60.
fn long_log(x: f64) -> (f64, f64) {
    let (e, f) = split_mantissa(x);
    let (u, u_low) = exact_sum(2.0, f);
    let s = f / u;
    let (p, p_low) = exact_product(s, u);
    let s_low = (((f - p) - p_low) - s * u_low) / u;
    let s2 = s * s;
    let tail = s * s2 * polynomial(&LOG_TERMS, s2);
    let (high, rest) = exact_sum(e * LN2_HIGH, 2.0 * s);
    let (high, low) = exact_sum(high, (rest + e * LN2_LOW) + (2.0 * s_low + tail));
    (high, low)
}

/// x^y with the limits of IEEE 754, relative error about 2e-16 except near overflow.
pub fn pow_f64(x: f64, y: f64) -> f64 {
    if y == 0.0 || x == 1.0 {
        return 1.0;
    }
    if x.is_nan() || y.is_nan() {
        return f64::NAN;
    }
    let integral = y.floor() == y;
    let odd = integral && (y * 0.5).floor() != y * 0.5;
    let a = x.abs();
    let value = if a == 0.0 || a.is_infinite() {
        if (a == 0.0) == (y > 0.0) { 0.0 } else { f64::INFINITY }
    } else if x < 0.0 && !integral {
        return f64::NAN;
    } else if a == 1.0 {
        1.0
    } else {
        let (high, low) = long_log(a);
        let rough = high * y;
        if rough.is_nan() || rough.abs() > 800.0 {
            exp_f64(rough)
        } else {
            let (product, rest) = exact_product(high, y);
            exp_sum(product, rest + low * y)
        }
    };
    if x.is_sign_negative() && odd { -value } else { value }
}

/// e^(x + small).
fn exp_sum(x: f64, small: f64) -> f64 {
    let x = if x > 710.0 { 710.0 } else { x };
    let x = if x < -746.0 { -746.0 } else { x };
    let n = (x * LOG2_E + ROUND_F64) - ROUND_F64;
    let r = (x - n * LN2_HIGH) + (small - n * LN2_LOW);
    let value = 1.0 + r * polynomial(&EXP_TERMS, r);
    let half = (n * 0.5 + ROUND_F64) - ROUND_F64;
    value * power_of_two(half) * power_of_two(n - half)
}

pub fn pow_f32(x: f32, y: f32) -> f32 {
    pow_f64(x as f64, y as f64) as f32
}

/// The remainder with the sign of the divisor; exact.
pub fn rem_f64(x: f64, y: f64) -> f64 {
    let r = x % y;
    if r != 0.0 && (r < 0.0) != (y < 0.0) { r + y } else { r }
}

pub fn rem_f32(x: f32, y: f32) -> f32 {
    let r = x % y;
    if r != 0.0 && (r < 0.0) != (y < 0.0) { r + y } else { r }
}
