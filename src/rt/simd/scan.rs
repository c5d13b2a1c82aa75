//! Which elements of a row are not at or below a bound: the inner loop of selecting the largest few.
//!
//! A bound of NaN is above nothing, so that every element is found; a NaN in the row is always found. All widths find
//! the same places in the same order.

use super::{Level, level};

/// Appends the places, rising, of all `x` of the row for which `x <= bound` does not hold.
pub fn above_f32(row: &[f32], bound: f32, found: &mut Vec<u32>) {
    #[cfg(target_arch = "x86_64")]
    match level() {
        // SAFETY: `level` gives this value only where the processor was found to have the features.
        Level::Avx512 => return unsafe { above_avx512(row, bound, found) },
        // SAFETY: as above.
        Level::Avx2 => return unsafe { above_avx2(row, bound, found) },
        _ => {}
    }
    above_from(row, 0, bound, found);
}

/// The same for f64, which is not worth vectors of its own.
pub fn above_f64(row: &[f64], bound: f64, found: &mut Vec<u32>) {
    above_from(row, 0, bound, found);
}

fn above_from<T: PartialOrd + Copy>(row: &[T], start: usize, bound: T, found: &mut Vec<u32>) {
    for (at, x) in row.iter().enumerate().skip(start) {
        // NaN compares with nothing and counts as above.
        if !matches!(x.partial_cmp(&bound), Some(std::cmp::Ordering::Less | std::cmp::Ordering::Equal)) {
            found.push(at as u32);
        }
    }
}

#[inline(always)]
fn push_bits(mut bits: u64, start: usize, found: &mut Vec<u32>) {
    while bits != 0 {
        found.push(start as u32 + bits.trailing_zeros());
        bits &= bits - 1;
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn above_avx512(row: &[f32], bound: f32, found: &mut Vec<u32>) {
    use std::arch::x86_64::{_CMP_NLE_UQ, _mm512_cmp_ps_mask, _mm512_loadu_ps, _mm512_set1_ps};
    let limit = _mm512_set1_ps(bound);
    let (groups, _) = row.as_chunks::<64>();
    for (number, group) in groups.iter().enumerate() {
        let mut bits = 0u64;
        for part in 0..4 {
            // SAFETY: a group has 64 elements, and 16 are read from the start of one of its quarters.
            let x = unsafe { _mm512_loadu_ps(group.as_ptr().add(16 * part)) };
            bits |= (_mm512_cmp_ps_mask::<_CMP_NLE_UQ>(x, limit) as u64) << (16 * part);
        }
        push_bits(bits, number * 64, found);
    }
    above_from(row, groups.len() * 64, bound, found);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn above_avx2(row: &[f32], bound: f32, found: &mut Vec<u32>) {
    use std::arch::x86_64::{_CMP_NLE_UQ, _mm256_cmp_ps, _mm256_loadu_ps, _mm256_movemask_ps, _mm256_set1_ps};
    let limit = _mm256_set1_ps(bound);
    let (groups, _) = row.as_chunks::<64>();
    for (number, group) in groups.iter().enumerate() {
        let mut bits = 0u64;
        for part in 0..8 {
            // SAFETY: a group has 64 elements, and 8 are read from the start of one of its eighths.
            let x = unsafe { _mm256_loadu_ps(group.as_ptr().add(8 * part)) };
            let mask = _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_NLE_UQ>(x, limit)) as u32;
            bits |= (mask as u64) << (8 * part);
        }
        push_bits(bits, number * 64, found);
    }
    above_from(row, groups.len() * 64, bound, found);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_width_finds_the_same() {
        let mut row: Vec<f32> = (0..333).map(|i| ((i * 7919) % 101) as f32 - 50.0).collect();
        (row[3], row[200], row[332], row[64]) = (f32::NAN, f32::NAN, f32::NAN, -0.0);
        for len in [0, 1, 15, 63, 64, 65, 128, 333] {
            for bound in [f32::NAN, f32::NEG_INFINITY, -3.0, 0.0, -0.0, 49.0, f32::INFINITY] {
                let row = &row[..len];
                let wanted: Vec<u32> = (0..len).filter(|&i| !(row[i] <= bound)).map(|i| i as u32).collect();
                let mut found = Vec::new();
                above_f32(row, bound, &mut found);
                assert_eq!(found, wanted, "{len} above {bound}");
                found.clear();
                #[cfg(target_arch = "x86_64")]
                if is_x86_feature_detected!("avx2") {
                    // SAFETY: the feature has just been found.
                    unsafe { above_avx2(row, bound, &mut found) };
                    assert_eq!(found, wanted, "{len} above {bound}");
                }
                found.clear();
                above_f64(&row.iter().map(|&x| x as f64).collect::<Vec<f64>>(), bound as f64, &mut found);
                assert_eq!(found, wanted, "{len} above {bound}");
            }
        }
    }
}
