//! Weighted sums of rows of a matrix, and dot products with them, where few rows are wanted: sparse times dense.
//!
//! Everything is plain IEEE arithmetic in an order that follows from the lists alone (no fused multiply-add), compiled
//! for several vector widths with the same bits.

use super::strips::Strip;
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
rows!(sum_rows_f32, dot_rows_f32, add_f32, f32);
rows!(sum_rows_f64, dot_rows_f64, add_f64, f64);

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
