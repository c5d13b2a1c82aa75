//! Weighted sums of rows of a matrix, and dot products with them, where few rows are wanted: sparse times dense.
//!
//! Everything is plain IEEE arithmetic in an order that follows from the lists alone (no fused multiply-add), compiled
//! for several vector widths with the same bits.

use super::strips::Strip;
#[cfg(target_arch = "x86_64")]
use super::wide;
use super::{Level, level};

/// Entries in lists: list `i` has those from `starts[i]` to `starts[i + 1]`, each the number of a row of a matrix.
#[derive(Clone, Copy)]
pub struct Lists<'a> {
    pub starts: &'a [usize],
    /// Rising within a list.
    pub index: &'a [u32],
}

/// Some rows of a matrix: row `first` begins at the start of `values`, the others follow at a distance of `stride`.
#[derive(Clone, Copy)]
pub struct Block<'a, T> {
    pub values: &'a [T],
    pub stride: usize,
    pub first: u32,
    /// The first row that is not part of it.
    pub end: u32,
}

/// Columns that are worked on at once, at most.
pub const WIDEST: usize = 64;
/// Lanes of a dot product's running sums.
const LANES: usize = 16;

macro_rules! rows {
    ($sum:ident, $dot:ident, $add:ident, $type:ty) => {
        versions! {
            /// Adds the elements of a row to those of another.
            pub fn $add(to: &mut [$type], from: &[$type]) {
                to.iter_mut().zip(from).for_each(|(to, &x)| *to += x);
            }
        }
        versions! {
            /// To row `i` of `out` adds, for each entry of list `i` that lies in the block, weight times row; begins
            /// at the cursors and leaves them behind what was done. `fresh`: what `out` held counts as 0. Rows of the
            /// block have `columns` elements (16, 32 or 64), of which the strip takes as many as it is wide.
            pub fn $sum(lists: Lists, cursors: &mut [usize], weights: &[$type], block: Block<$type>, columns: usize, fresh: bool, out: &mut Strip<$type>) {
                match columns {
                    64 => sum_rows::<$type, 64>(lists, cursors, weights, block, fresh, out),
                    32 => sum_rows::<$type, 32>(lists, cursors, weights, block, fresh, out),
                    _ => sum_rows::<$type, 16>(lists, cursors, weights, block, fresh, out),
                }
            }
        }
        versions! {
            /// To `out` of each entry of list `i` that lies in the block adds the dot product of that row and of the
            /// first `width` elements of row `i` of `left`, whose rows are `left_stride` apart.
            pub fn $dot(lists: Lists, cursors: &mut [usize], left: &[$type], left_stride: usize, width: usize, block: Block<$type>, columns: usize, out: &mut [$type]) {
                match columns {
                    64 => dot_rows::<$type, 64>(lists, cursors, left, left_stride, width, block, out),
                    32 => dot_rows::<$type, 32>(lists, cursors, left, left_stride, width, block, out),
                    _ => dot_rows::<$type, 16>(lists, cursors, left, left_stride, width, block, out),
                }
            }
        }
    };
}
rows!(sum_narrow_f32, dot_narrow_f32, add_f32, f32);
rows!(sum_rows_f64, dot_rows_f64, add_f64, f64);

versions! {
    /// The products of two runs, each in 64 bits, where they are exact.
    pub fn wide_products(a: &[f32], b: &[f32], out: &mut [f64]) {
        for ((x, &a), &b) in out.iter_mut().zip(a).zip(b) {
            *x = a as f64 * b as f64;
        }
    }
}

/// `sum_narrow_f32`, with the same bits, in the widest registers.
pub fn sum_rows_f32(
    lists: Lists,
    cursors: &mut [usize],
    weights: &[f32],
    block: Block<f32>,
    columns: usize,
    fresh: bool,
    out: &mut Strip<f32>,
) {
    #[cfg(target_arch = "x86_64")]
    if level() == Level::Avx512 {
        // SAFETY: `level` gives this value only where the processor was found to have the features.
        return unsafe {
            match columns {
                64 => wide::sum_rows::<4>(lists, cursors, weights, block, fresh, out),
                32 => wide::sum_rows::<2>(lists, cursors, weights, block, fresh, out),
                _ => wide::sum_rows::<1>(lists, cursors, weights, block, fresh, out),
            }
        };
    }
    sum_narrow_f32(lists, cursors, weights, block, columns, fresh, out);
}

/// `dot_narrow_f32`, with the same bits, in the widest registers.
#[allow(clippy::too_many_arguments)]
pub fn dot_rows_f32(
    lists: Lists,
    cursors: &mut [usize],
    left: &[f32],
    left_stride: usize,
    width: usize,
    block: Block<f32>,
    columns: usize,
    out: &mut [f32],
) {
    #[cfg(target_arch = "x86_64")]
    if level() == Level::Avx512 {
        // SAFETY: `level` gives this value only where the processor was found to have the features.
        return unsafe {
            match columns {
                64 => wide::dot_rows::<4>(lists, cursors, left, (left_stride, width), block, out),
                32 => wide::dot_rows::<2>(lists, cursors, left, (left_stride, width), block, out),
                _ => wide::dot_rows::<1>(lists, cursors, left, (left_stride, width), block, out),
            }
        };
    }
    dot_narrow_f32(lists, cursors, left, left_stride, width, block, columns, out);
}

/// The arithmetic that the loops need.
trait Number: Copy + Default + std::ops::Mul<Output = Self> + std::ops::AddAssign {}
impl Number for f32 {}
impl Number for f64 {}

#[inline(always)]
fn sum_rows<T: Number, const W: usize>(
    lists: Lists,
    cursors: &mut [usize],
    weights: &[T],
    block: Block<T>,
    fresh: bool,
    out: &mut Strip<T>,
) {
    for (list, cursor) in cursors.iter_mut().enumerate() {
        let (index, weights) = (&lists.index[..lists.starts[list + 1]], &weights[..lists.starts[list + 1]]);
        let mut at = *cursor;
        if !fresh && index.get(at).is_none_or(|&row| row >= block.end) {
            continue;
        }
        let row = out.row(list);
        let mut sums = [T::default(); W];
        if !fresh {
            load(&mut sums, row);
        }
        while at < index.len() && index[at] < block.end {
            let place = (index[at] - block.first) as usize * block.stride;
            let Some(from) = block.values[place..].first_chunk::<W>() else { break };
            let weight = weights[at];
            for i in 0..W {
                sums[i] += weight * from[i];
            }
            at += 1;
        }
        if row.len() == W {
            row.copy_from_slice(&sums);
        } else {
            row.copy_from_slice(&sums[..row.len()]);
        }
        *cursor = at;
    }
}

#[inline(always)]
fn load<T: Number, const W: usize>(to: &mut [T; W], from: &[T]) {
    match from.first_chunk::<W>() {
        Some(whole) => *to = *whole,
        None => to[..from.len()].copy_from_slice(from),
    }
}

#[inline(always)]
fn dot_rows<T: Number, const W: usize>(
    lists: Lists,
    cursors: &mut [usize],
    left: &[T],
    left_stride: usize,
    width: usize,
    block: Block<T>,
    out: &mut [T],
) {
    for (list, cursor) in cursors.iter_mut().enumerate() {
        let index = &lists.index[..lists.starts[list + 1]];
        let mut at = *cursor;
        if index.get(at).is_none_or(|&row| row >= block.end) {
            continue;
        }
        let mut row = [T::default(); W];
        load(&mut row, &left[list * left_stride..][..width]);
        while at < index.len() && index[at] < block.end {
            let place = (index[at] - block.first) as usize * block.stride;
            let Some(from) = block.values[place..].first_chunk::<W>() else { break };
            out[at] += dot(&row, from);
            at += 1;
        }
        *cursor = at;
    }
}

/// Sixteen running sums, added in a tree.
#[inline(always)]
fn dot<T: Number, const W: usize>(a: &[T; W], b: &[T; W]) -> T {
    let mut sums = [T::default(); LANES];
    for first in (0..W).step_by(LANES) {
        for i in 0..LANES {
            sums[i] += a[first + i] * b[first + i];
        }
    }
    for half in [8, 4, 2, 1] {
        for i in 0..half {
            let other = sums[i + half];
            sums[i] += other;
        }
    }
    sums[0]
}

#[cfg(test)]
mod tests {
    use super::super::strips::strips;
    use super::*;

    #[test]
    fn every_width_gives_the_same_bits() {
        let noise = |n: usize| (0..n).map(|i| ((i * 7919) % 1009) as f32 / 1e3 - 0.5).collect::<Vec<f32>>();
        let (starts, index) = (vec![0, 3, 3, 7, 9], vec![0, 5, 9, 1, 2, 5, 8, 3, 9]);
        let (lists, weights) = (Lists { starts: &starts, index: &index }, noise(9));
        for columns in [16, 32, 64] {
            for width in [columns, columns - 3] {
                let (values, left) = (noise(10 * columns), noise(4 * width + 5));
                let run = |narrow: bool| {
                    let (mut sums, mut dots) = (vec![7f32; 4 * width], vec![0.5f32; 9]);
                    let (mut one, mut two) = (starts[..4].to_vec(), starts[..4].to_vec());
                    for (first, end) in [(0, 6), (6, 10)] {
                        let part = &values[first * columns..end * columns];
                        let block = Block { values: part, stride: columns, first: first as u32, end: end as u32 };
                        let strip = &mut strips(&mut sums, width, columns)[0];
                        let sum = if narrow { sum_narrow_f32 } else { sum_rows_f32 };
                        sum(lists, &mut one, &weights, block, columns, first == 0, strip);
                        let dot = if narrow { dot_narrow_f32 } else { dot_rows_f32 };
                        dot(lists, &mut two, &left, width, width, block, columns, &mut dots);
                    }
                    assert_eq!((&one, &two), (&starts[1..].to_vec(), &starts[1..].to_vec()));
                    sums.iter().chain(&dots).map(|x| x.to_bits()).collect::<Vec<u32>>()
                };
                assert_eq!(run(true), run(false), "{columns} columns, {width} wide");
                let plain: f32 =
                    [(0, 0), (1, 5), (2, 9)].iter().map(|&(e, r)| weights[e] * values[r * columns + 1]).sum();
                assert!((f32::from_bits(run(false)[1]) - plain).abs() < 1e-5);
            }
        }
    }
}
