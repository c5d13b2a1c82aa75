//! The formulas of the transcendental functions: straight-line IEEE arithmetic that a compiler can vectorise.
//!
//! Branches are written as selections, integers are taken from floats by adding a large constant (so that no
//! conversion instruction is needed), and nothing is fused. Series are plain Taylor where they converge fast;
//! the two parts of `erf` are Chebyshev interpolants computed with 50 digits. No `unsafe`, no tables, no panics.

/// Beyond this absolute angle `sin` and `cos` need the exact reduction of `reduce_angle`.
pub const FAR: f64 = 1_600_000.0;

/// Adding and subtracting it rounds to an integer, which then lies in the low bits.
pub(super) const ROUND_F64: f64 = 6_755_399_441_055_744.0; // 1.5 * 2^52
const ROUND_F32: f32 = 12_582_912.0; // 1.5 * 2^23
pub(super) const LOG2_E: f64 = std::f64::consts::LOG2_E;
/// ln 2 in two parts; the first has 32 bits, so that its product with an exponent is exact.
pub(super) const LN2_HIGH: f64 = 0.6931471803691238;
pub(super) const LN2_LOW: f64 = 1.9082149292705877e-10;
/// pi/2 in three parts; products of the first two with integers below 2^20 are exact.
const HALF_PI: [f64; 3] = [1.5707963267341256, 6.077100506303966e-11, 2.0222662487959506e-21];
/// (e^r - 1) / r = 1 + r/2! + r^2/3! + ...
pub(super) const EXP_TERMS: [f64; 13] = [
    1.0,
    1.0 / 2.0,
    1.0 / 6.0,
    1.0 / 24.0,
    1.0 / 120.0,
    1.0 / 720.0,
    1.0 / 5040.0,
    1.0 / 40320.0,
    1.0 / 362880.0,
    1.0 / 3628800.0,
    1.0 / 39916800.0,
    1.0 / 479001600.0,
    1.0 / 6227020800.0,
];
/// sin(r)/r and cos(r) in r^2.
const SIN_TERMS: [f64; 8] = [
    1.0,
    -1.0 / 6.0,
    1.0 / 120.0,
    -1.0 / 5040.0,
    1.0 / 362880.0,
    -1.0 / 39916800.0,
    1.0 / 6227020800.0,
    -1.0 / 1307674368000.0,
];
const COS_TERMS: [f64; 9] = [
    1.0,
    -1.0 / 2.0,
    1.0 / 24.0,
    -1.0 / 720.0,
    1.0 / 40320.0,
    -1.0 / 3628800.0,
    1.0 / 479001600.0,
    -1.0 / 87178291200.0,
    1.0 / 20922789888000.0,
];
/// 2 (atanh(s) - s) / s^3 in s^2, for the logarithm.
pub(super) const LOG_TERMS: [f64; 10] = [
    2.0 / 3.0,
    2.0 / 5.0,
    2.0 / 7.0,
    2.0 / 9.0,
    2.0 / 11.0,
    2.0 / 13.0,
    2.0 / 15.0,
    2.0 / 17.0,
    2.0 / 19.0,
    2.0 / 21.0,
];
/// erf(x)/x in x^2 for |x| <= 1.
const ERF_NEAR: [f64; 12] = [
    std::f64::consts::FRAC_2_SQRT_PI,
    -0.37612638903183543,
    0.11283791670945006,
    -0.02686617064323777,
    0.0052239776071164225,
    -0.0008548325975389692,
    0.00012055294904839707,
    -1.492473690741966e-05,
    1.6447424703317362e-06,
    -1.6208483801871705e-07,
    1.3720064546777686e-08,
    -7.795898827002142e-10,
];
/// erfc(x) e^(x^2) in u = (x - 2)/(x + 2) for 1 <= x <= 6.
const ERF_FAR: [f64; 15] = [
    0.25539567631050575,
    -0.4271858474139579,
    0.24165819424246987,
    -0.07897858101585253,
    0.00373289240349224,
    0.006997461747753573,
    -0.0008471431980760424,
    -0.0009819773208131022,
    4.3554202452705896e-05,
    0.00017436697232946864,
    2.754312818566672e-05,
    -2.7647305443610053e-05,
    -1.4067532694582058e-05,
    1.820143195975009e-06,
    3.917059299925389e-06,
];
/// The same two, short, for f32 results.
const ERF_NEAR_SHORT: [f64; 7] = [
    1.1283791658483509,
    -0.37612626666720334,
    0.11283594715160218,
    -0.026854212010626412,
    0.005189087423433974,
    -0.000801686428716587,
    7.875875062685488e-05,
];
const ERF_FAR_SHORT: [f64; 8] = [
    0.25539567625190335,
    -0.42718584761434303,
    0.24165821109072444,
    -0.07897852327253349,
    0.0037321413513030097,
    0.006994855413599958,
    -0.0008365899736486057,
    -0.0009441596340872735,
];

/// c[0] + c[1] x + ... by Horner's rule.
#[inline(always)]
pub(super) fn polynomial<const N: usize>(c: &[f64; N], x: f64) -> f64 {
    let mut sum = c[N - 1];
    let mut i = N - 1;
    while i > 0 {
        i -= 1;
        sum = sum * x + c[i];
    }
    sum
}

/// The first `N` of a longer list of terms: enough for f32 results.
const fn first<const N: usize, const M: usize>(c: &[f64; M]) -> [f64; N] {
    let mut out = [0.0; N];
    let mut i = 0;
    while i < N {
        out[i] = c[i];
        i += 1;
    }
    out
}
const EXP_SHORT: [f64; 8] = first(&EXP_TERMS);
const SIN_SHORT: [f64; 5] = first(&SIN_TERMS);
const COS_SHORT: [f64; 6] = first(&COS_TERMS);

/// 2^n for an integral n in -1022..=1023.
#[inline(always)]
pub(super) fn power_of_two(n: f64) -> f64 {
    f64::from_bits((n + (ROUND_F64 + 1023.0)).to_bits() << 52)
}

/// x = n ln 2 + r with n integral and |r| <= 0.35.
#[inline(always)]
fn split_exponent(x: f64) -> (f64, f64) {
    let n = (x * LOG2_E + ROUND_F64) - ROUND_F64;
    (n, (x - n * LN2_HIGH) - n * LN2_LOW)
}

/// e^x; overflow gives infinity, underflow zero.
#[inline(always)]
pub fn exp_f64(x: f64) -> f64 {
    exp_with(x, &EXP_TERMS)
}

#[inline(always)]
fn exp_with<const N: usize>(x: f64, terms: &[f64; N]) -> f64 {
    let x = if x > 710.0 { 710.0 } else { x };
    let x = if x < -746.0 { -746.0 } else { x };
    let (n, r) = split_exponent(x);
    let value = 1.0 + r * polynomial(terms, r);
    // Two factors, because 2^n alone may lie outside the range of normal numbers.
    let half = (n * 0.5 + ROUND_F64) - ROUND_F64;
    value * power_of_two(half) * power_of_two(n - half)
}

#[inline(always)]
pub fn exp_f32(x: f32) -> f32 {
    let x = if x > 89.0 { 89.0 } else { x };
    let x = if x < -105.0 { -105.0 } else { x };
    let n = (x * std::f32::consts::LOG2_E + ROUND_F32) - ROUND_F32;
    // ln 2 in two parts; the first has 15 bits.
    let r = (x - n * 0.693_145_75) - n * 1.428_606_8e-6;
    let mut sum = 1.0 / 5040.0;
    sum = sum * r + 1.0 / 720.0;
    sum = sum * r + 1.0 / 120.0;
    sum = sum * r + 1.0 / 24.0;
    sum = sum * r + 1.0 / 6.0;
    sum = sum * r + 0.5;
    sum = sum * r + 1.0;
    let value = sum * r + 1.0;
    let half = (n * 0.5 + ROUND_F32) - ROUND_F32;
    let power = |n: f32| f32::from_bits((n + (ROUND_F32 + 127.0)).to_bits() << 23);
    value * power(half) * power(n - half)
}

/// x = 2^e (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)), for positive finite x.
#[inline(always)]
pub(super) fn split_mantissa(x: f64) -> (f64, f64) {
    const ROOT_HALF: u64 = 0x3fe6_a09e_667f_3bcd;
    let small = x < f64::MIN_POSITIVE;
    let scaled = if small { x * 18_014_398_509_481_984.0 } else { x }; // 2^54
    let moved = scaled.to_bits().wrapping_add(0x3ff0_0000_0000_0000 - ROOT_HALF);
    let mantissa = f64::from_bits((moved & 0x000f_ffff_ffff_ffff) + ROOT_HALF);
    // The biased exponent as a float, by placing it in the low bits of 2^52.
    let biased = f64::from_bits((moved >> 52) | 0x4330_0000_0000_0000) - 4_503_599_627_370_496.0;
    let bias = if small { 1023.0 + 54.0 } else { 1023.0 };
    (biased - bias, mantissa - 1.0)
}

/// Puts in the limits: log 0, log of a negative, of infinity, of NaN.
#[inline(always)]
fn log_limits(x: f64, value: f64) -> f64 {
    let value = if x == f64::INFINITY { x } else { value };
    let value = if x == 0.0 { f64::NEG_INFINITY } else { value };
    if x >= 0.0 { value } else { f64::NAN }
}

#[inline(always)]
pub fn log_f64(x: f64) -> f64 {
    let (e, f) = split_mantissa(x);
    let s = f / (2.0 + f);
    let s2 = s * s;
    // log(1 + f) = f - s (f - tail), where tail = 2 atanh(s)/s - 2.
    let tail = s2 * polynomial(&LOG_TERMS, s2);
    let value = e * LN2_HIGH + (f - (s * (f - tail) - e * LN2_LOW));
    log_limits(x, value)
}

#[inline(always)]
pub fn log_f32(x: f32) -> f32 {
    const ROOT_HALF: u32 = 0x3f35_04f3;
    let small = x < f32::MIN_POSITIVE;
    let scaled = if small { x * 33_554_432.0 } else { x }; // 2^25
    let moved = scaled.to_bits().wrapping_add(0x3f80_0000 - ROOT_HALF);
    let f = f32::from_bits((moved & 0x007f_ffff) + ROOT_HALF) - 1.0;
    let biased = f32::from_bits((moved >> 23) | 0x4b00_0000) - 8_388_608.0;
    let e = biased - if small { 127.0 + 25.0 } else { 127.0 };
    let s = f / (2.0 + f);
    let s2 = s * s;
    let mut sum = 2.0 / 11.0;
    sum = sum * s2 + 2.0 / 9.0;
    sum = sum * s2 + 2.0 / 7.0;
    sum = sum * s2 + 2.0 / 5.0;
    sum = sum * s2 + 2.0 / 3.0;
    let tail = s2 * sum;
    let value = e * 0.693_145_75 + (f - (s * (f - tail) - e * 1.428_606_8e-6));
    let value = if x == f32::INFINITY { x } else { value };
    let value = if x == 0.0 { f32::NEG_INFINITY } else { value };
    if x >= 0.0 { value } else { f32::NAN }
}

/// tanh x = E / (E + 2) with E = e^(2|x|) - 1, which has no cancellation.
#[inline(always)]
fn tanh_with<const N: usize>(x: f64, terms: &[f64; N]) -> f64 {
    let a = x.abs();
    let a = if a > 22.0 { 22.0 } else { a };
    let (n, r) = split_exponent(2.0 * a);
    let scale = power_of_two(n);
    let e = scale * (r * polynomial(terms, r)) + (scale - 1.0);
    (e / (e + 2.0)).copysign(x)
}

#[inline(always)]
pub fn tanh_f64(x: f64) -> f64 {
    tanh_with(x, &EXP_TERMS)
}

/// (tanh x - x) / x^3 in x^2 for |x| <= 0.9: a Chebyshev interpolant.
const TANH_NEAR: [f32; 8] = [
    -0.333_333_34,
    0.133_333_27,
    -0.053_966_52,
    0.021_851_9,
    -0.008_774_217,
    0.003_340_372_4,
    -0.001_039_120_3,
    0.000_182_065_37,
];

/// In f32 throughout: off by at most 9e-8 of the value.
#[inline(always)]
pub fn tanh_f32(x: f32) -> f32 {
    let a = x.abs();
    let square = a * a;
    let mut sum = TANH_NEAR[7];
    let mut i = 7;
    while i > 0 {
        i -= 1;
        sum = sum * square + TANH_NEAR[i];
    }
    let near = a + a * (square * sum);
    let most = if a > 10.0 { 10.0 } else { a };
    let far = 1.0 - 2.0 / (exp_f32(2.0 * most) + 1.0);
    (if a <= 0.9 { near } else { far }).copysign(x)
}

#[inline(always)]
pub fn erf_f64(x: f64) -> f64 {
    let a = x.abs();
    let a = if a > 6.0 { 6.0 } else { a };
    let near = a * polynomial(&ERF_NEAR, a * a);
    let far = 1.0 - exp_f64(-(a * a)) * polynomial(&ERF_FAR, (a - 2.0) / (a + 2.0));
    (if a <= 1.0 { near } else { far }).copysign(x)
}

#[inline(always)]
pub fn erf_f32(x: f32) -> f32 {
    let x = x as f64;
    let a = x.abs();
    let a = if a > 4.0 { 4.0 } else { a };
    let near = a * polynomial(&ERF_NEAR_SHORT, a * a);
    let far = 1.0 - exp_with(-(a * a), &EXP_SHORT) * polynomial(&ERF_FAR_SHORT, (a - 2.0) / (a + 2.0));
    (if a <= 1.0 { near } else { far }).copysign(x) as f32
}

/// The sine of `r` plus `quadrant` right angles, for |r| <= 0.8.
#[inline(always)]
pub(super) fn sin_quadrant<const S: usize, const C: usize>(
    r: f64,
    quadrant: u64,
    sin: &[f64; S],
    cos: &[f64; C],
) -> f64 {
    let r2 = r * r;
    let s = r * polynomial(sin, r2);
    let c = polynomial(cos, r2);
    let value = if quadrant & 1 == 0 { s } else { c };
    f64::from_bits(value.to_bits() ^ ((quadrant & 2) << 62))
}

/// The same with all terms.
pub(super) fn sin_full(r: f64, quadrant: u64) -> f64 {
    sin_quadrant(r, quadrant, &SIN_TERMS, &COS_TERMS)
}

/// x = n pi/2 + r; n in the low bits of the second result.
#[inline(always)]
fn split_angle(x: f64) -> (f64, u64) {
    let shifted = x * std::f64::consts::FRAC_2_PI + ROUND_F64;
    let n = shifted - ROUND_F64;
    let r = ((x - n * HALF_PI[0]) - n * HALF_PI[1]) - n * HALF_PI[2];
    (r, shifted.to_bits())
}

#[inline(always)]
pub fn sin_f64(x: f64) -> f64 {
    let (r, n) = split_angle(x);
    sin_quadrant(r, n, &SIN_TERMS, &COS_TERMS)
}

#[inline(always)]
pub fn cos_f64(x: f64) -> f64 {
    let (r, n) = split_angle(x);
    sin_quadrant(r, n.wrapping_add(1), &SIN_TERMS, &COS_TERMS)
}

#[inline(always)]
pub fn sin_f32(x: f32) -> f32 {
    let (r, n) = split_angle(x as f64);
    sin_quadrant(r, n, &SIN_SHORT, &COS_SHORT) as f32
}

#[inline(always)]
pub fn cos_f32(x: f32) -> f32 {
    let (r, n) = split_angle(x as f64);
    sin_quadrant(r, n.wrapping_add(1), &SIN_SHORT, &COS_SHORT) as f32
}

/// A standard normal number from 32 uniform bits: the inverse of the cumulative function at (bits + 1/2) / 2^32, by
/// the rational approximations of Wichura (1988, AS 241, single precision), evaluated in f64.
#[inline(always)]
pub fn normal_from_bits(bits: u32) -> f32 {
    const A: [f64; 4] = [3.3871327179, 50.434271938, 159.29113202, 59.109374720];
    const B: [f64; 4] = [1.0, 17.895169469, 78.757757664, 67.187563600];
    const C: [f64; 4] = [1.4234372777, 2.7568153900, 1.3067284816, 0.17023821103];
    const D: [f64; 3] = [1.0, 0.73700164250, 0.12021132975];
    let q = (bits as f64 + 0.5) * (1.0 / 4_294_967_296.0) - 0.5;
    let t = 0.180625 - q * q;
    let middle = q * polynomial(&A, t) / polynomial(&B, t);
    // The tail begins at probability 0.075; there r <= 4.8, so the third range of the algorithm is never needed.
    let r = (-log_f64(0.5 - q.abs())).sqrt() - 1.6;
    let tail = (polynomial(&C, r) / polynomial(&D, r)).copysign(q);
    (if q.abs() <= 0.425 { middle } else { tail }) as f32
}
