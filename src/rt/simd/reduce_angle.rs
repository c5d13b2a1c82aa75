//! Sine and cosine of very large angles, by exact reduction with a long 2/pi.
//!
//! Slow and rare: positions and phases in practice stay far below `formulas::FAR`. It must be right for every
//! finite angle, so that no result silently means nothing.

use super::formulas;

/// The bits of 2/pi, 64 a word: a word before the binary point (zero), then the fraction.
const TWO_OVER_PI: [u64; 20] = [
    0x0000000000000000,
    0xa2f9836e4e441529,
    0xfc2757d1f534ddc0,
    0xdb6295993c439041,
    0xfe5163abdebbc561,
    0xb7246e3a424dd2e0,
    0x06492eea09d1921c,
    0xfe1deb1cb129a73e,
    0xe88235f52ebb4484,
    0xe99c7026b45f7e41,
    0x3991d639835339f4,
    0x9c845f8bbdf9283b,
    0x1ff897ffde05980f,
    0xef2f118b5a0a6d1f,
    0x6d367ecf27cb09b7,
    0x4f463f669e5fea2d,
    0x7527bac7ebe5f17b,
    0x3d0739f78a5292ea,
    0x6bfb5fb11f8d5d08,
    0x56033046fc7b6bab,
];

/// x = n pi/2 + r for finite x >= 2^20: the remainder, and n modulo 4.
fn reduce(x: f64) -> (f64, u64) {
    let bits = x.to_bits();
    let mantissa = ((bits & 0x000f_ffff_ffff_ffff) | 0x0010_0000_0000_0000) as u128;
    let exponent = ((bits >> 52) & 0x7ff) as i64 - 1075;
    // x = mantissa * 2^exponent. Bits of 2/pi up to position exponent - 2 contribute multiples of 4 only, which
    // are whole turns. Of the rest 192 bits are enough: no float comes closer than 2^-62 to a multiple of pi/2.
    let skip = (exponent - 2 + 64).max(0) as usize;
    let word = |at: usize| TWO_OVER_PI.get(at).copied().unwrap_or(0);
    let part = |i: usize| {
        let (at, shift) = (skip / 64 + i, skip % 64);
        if shift == 0 { word(at) } else { (word(at) << shift) | (word(at + 1) >> (64 - shift)) }
    };
    let low = mantissa * part(2) as u128;
    let middle = mantissa * part(1) as u128 + (low >> 64);
    let high = (mantissa * part(0) as u128).wrapping_add(middle >> 64) as u64;
    let (middle, low) = (middle as u64, low as u64);
    // Two bits before the point, then the fraction, read as a signed number around the nearest integer.
    let upper = (high << 2) | (middle >> 62);
    let fraction = ((upper as u128) << 64) | ((middle << 2) | (low >> 62)) as u128;
    const SCALE: f64 = f64::from_bits((1023 - 128) << 52);
    let rest = fraction as i128 as f64 * SCALE * std::f64::consts::FRAC_PI_2;
    (rest, (high >> 62).wrapping_add(upper >> 63))
}

/// The sine of a finite angle with |x| > `formulas::FAR`.
pub fn sin(x: f64) -> f64 {
    let (r, n) = reduce(x.abs());
    let value = formulas::sin_full(r, n);
    if x < 0.0 { -value } else { value }
}

/// The cosine, likewise.
pub fn cos(x: f64) -> f64 {
    let (r, n) = reduce(x.abs());
    formulas::sin_full(r, n.wrapping_add(1))
}
