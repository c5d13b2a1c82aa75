//! The loops of `rows` for f32 in registers of sixteen lanes, written out, because the compiler does not find them.
//!
//! The order of all additions is that of `rows`, so that the bits are the same.

use super::rows::{Block, Lists};
use super::strips::Strip;
use std::arch::x86_64::*;

/// `rows::sum_rows` for rows of `16 * N` columns.
#[target_feature(enable = "avx2,avx512f,avx512vl,avx512dq,avx512bw")]
pub fn sum_rows<const N: usize>(
    lists: Lists,
    cursors: &mut [usize],
    weights: &[f32],
    block: Block<f32>,
    fresh: bool,
    out: &mut Strip<f32>,
) {
    for (list, cursor) in cursors.iter_mut().enumerate() {
        let (index, weights) = (&lists.index[..lists.starts[list + 1]], &weights[..lists.starts[list + 1]]);
        let mut at = *cursor;
        if !fresh && index.get(at).is_none_or(|&row| row >= block.end) {
            continue;
        }
        let row = out.row(list);
        let mut sums = if fresh { [_mm512_setzero_ps(); N] } else { load_part(row) };
        while at < index.len() && index[at] < block.end {
            let place = (index[at] - block.first) as usize * block.stride;
            let from = load::<N>(&block.values[place..][..16 * N]);
            let weight = _mm512_set1_ps(weights[at]);
            for i in 0..N {
                sums[i] = _mm512_add_ps(sums[i], _mm512_mul_ps(weight, from[i]));
            }
            at += 1;
        }
        store_part(&sums, row);
        *cursor = at;
    }
}

/// `rows::dot_rows` for rows of `16 * N` columns.
#[target_feature(enable = "avx2,avx512f,avx512vl,avx512dq,avx512bw")]
pub fn dot_rows<const N: usize>(
    lists: Lists,
    cursors: &mut [usize],
    left: &[f32],
    (left_stride, width): (usize, usize),
    block: Block<f32>,
    out: &mut [f32],
) {
    for (list, cursor) in cursors.iter_mut().enumerate() {
        let index = &lists.index[..lists.starts[list + 1]];
        let mut at = *cursor;
        if index.get(at).is_none_or(|&row| row >= block.end) {
            continue;
        }
        let row = load_part::<N>(&left[list * left_stride..][..width]);
        while at < index.len() && index[at] < block.end {
            let place = (index[at] - block.first) as usize * block.stride;
            let from = load::<N>(&block.values[place..][..16 * N]);
            let mut sums = _mm512_setzero_ps();
            for i in 0..N {
                sums = _mm512_add_ps(sums, _mm512_mul_ps(row[i], from[i]));
            }
            out[at] += total(sums);
            at += 1;
        }
        *cursor = at;
    }
}

/// `16 * N` elements.
#[inline]
#[target_feature(enable = "avx2,avx512f,avx512vl,avx512dq,avx512bw")]
fn load<const N: usize>(from: &[f32]) -> [__m512; N] {
    let mut to = [_mm512_setzero_ps(); N];
    for (to, from) in to.iter_mut().zip(from.as_chunks::<16>().0) {
        // SAFETY: a chunk has the sixteen elements that are read.
        *to = unsafe { _mm512_loadu_ps(from.as_ptr()) };
    }
    to
}

/// Up to `16 * N` elements, then zeros.
#[inline]
#[target_feature(enable = "avx2,avx512f,avx512vl,avx512dq,avx512bw")]
fn load_part<const N: usize>(from: &[f32]) -> [__m512; N] {
    if from.len() == 16 * N {
        return load(from);
    }
    let mut whole = [[0f32; 16]; N];
    for (to, &x) in whole.as_flattened_mut().iter_mut().zip(from) {
        *to = x;
    }
    load(whole.as_flattened())
}

/// As many of the elements as there is room for.
#[inline]
#[target_feature(enable = "avx2,avx512f,avx512vl,avx512dq,avx512bw")]
fn store_part<const N: usize>(from: &[__m512; N], to: &mut [f32]) {
    let mut rest = [0f32; 16];
    for (to, &from) in to.chunks_mut(16).zip(from) {
        if to.len() == 16 {
            // SAFETY: the chunk has the sixteen elements that are written.
            unsafe { _mm512_storeu_ps(to.as_mut_ptr(), from) };
        } else {
            // SAFETY: the array has the sixteen elements that are written.
            unsafe { _mm512_storeu_ps(rest.as_mut_ptr(), from) };
            to.copy_from_slice(&rest[..to.len()]);
        }
    }
}

/// The sum of the lanes: always the upper half added to the lower one.
#[inline]
#[target_feature(enable = "avx2,avx512f,avx512vl,avx512dq,avx512bw")]
fn total(x: __m512) -> f32 {
    let eight = _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps::<1>(x));
    let four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
    let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
}
