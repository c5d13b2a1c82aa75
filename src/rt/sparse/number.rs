//! The element types of sparse codes, and what their kernels need of each: f32 and f64.

use crate::rt::blas::Float;
use crate::rt::simd::rows::{self, Block, Lists};
use crate::rt::simd::strips::Strip;
use crate::rt::simd::{group_maxima_f32, scan};
use crate::rt::tensor::Element;

/// An element of a sparse code.
pub trait Number: Float + Element + Default + std::ops::AddAssign {
    /// Value and index as one integer: the larger value is larger, and of equal values the lower index.
    type Key: bytemuck::Pod + Ord + Send + Sync;
    fn key(self, index: u32) -> Self::Key;
    fn opened(key: Self::Key) -> (Self, u32);

    fn is_nan(self) -> bool;
    const NAN: Self;
    const INFINITY: Self;
    /// The next smaller number.
    fn below(self) -> Self;
    /// Places of all elements of a row that are not at or below the bound.
    fn above(row: &[Self], bound: Self, found: &mut Vec<u32>);
    /// The largest of each group of elements, as `simd::group_maxima_f32`; true if there was a NaN.
    fn maxima(row: &[Self], out: &mut [Self]) -> bool;

    /// Adds the elements of a row to those of another.
    fn add(to: &mut [Self], from: &[Self]);
    fn sum_rows(
        lists: Lists,
        cursors: &mut [usize],
        weights: &[Self],
        block: Block<Self>,
        columns: usize,
        fresh: bool,
        out: &mut Strip<Self>,
    );
    #[allow(clippy::too_many_arguments)]
    fn dot_rows(
        lists: Lists,
        cursors: &mut [usize],
        left: &[Self],
        left_stride: usize,
        width: usize,
        block: Block<Self>,
        columns: usize,
        out: &mut [Self],
    );
}

/// Indices must be smaller than this, so that a key has room for them.
pub const MOST_INDICES: usize = 1 << 31;

macro_rules! number {
    ($type:ty, $bits:ty, $key:ty, $above:path, $sum:path, $dot:path, $add:path, $maxima:expr) => {
        impl Number for $type {
            type Key = $key;

            /// The value with its bits in rising order, then the index falling, and last whether it is -0, which is
            /// equal to 0 but must come back as it was.
            fn key(self, index: u32) -> $key {
                const SIGN: $bits = 1 << (<$bits>::BITS - 1);
                let bits = (self + 0.0).to_bits();
                let rising = if bits & SIGN != 0 { !bits } else { bits | SIGN };
                let minus_zero = self == 0.0 && self.is_sign_negative();
                ((rising as $key) << 32) | ((!(index << 1)) & !1) as $key | minus_zero as $key
            }

            fn opened(key: $key) -> ($type, u32) {
                const SIGN: $bits = 1 << (<$bits>::BITS - 1);
                let rising = (key >> 32) as $bits;
                let bits = if rising & SIGN != 0 { rising & !SIGN } else { !rising };
                let value = if key & 1 == 1 { -0.0 } else { <$type>::from_bits(bits) };
                (value, !(key as u32) >> 1)
            }

            fn is_nan(self) -> bool {
                <$type>::is_nan(self)
            }
            const NAN: $type = <$type>::NAN;
            const INFINITY: $type = <$type>::INFINITY;
            fn below(self) -> $type {
                self.next_down()
            }
            fn above(row: &[$type], bound: $type, found: &mut Vec<u32>) {
                $above(row, bound, found);
            }
            fn maxima(row: &[$type], out: &mut [$type]) -> bool {
                $maxima(row, out)
            }
            fn add(to: &mut [$type], from: &[$type]) {
                $add(to, from);
            }
            fn sum_rows(
                lists: Lists,
                cursors: &mut [usize],
                weights: &[$type],
                block: Block<$type>,
                columns: usize,
                fresh: bool,
                out: &mut Strip<$type>,
            ) {
                $sum(lists, cursors, weights, block, columns, fresh, out);
            }
            fn dot_rows(
                lists: Lists,
                cursors: &mut [usize],
                left: &[$type],
                left_stride: usize,
                width: usize,
                block: Block<$type>,
                columns: usize,
                out: &mut [$type],
            ) {
                $dot(lists, cursors, left, left_stride, width, block, columns, out);
            }
        }
    };
}
number!(f32, u32, u64, scan::above_f32, rows::sum_rows_f32, rows::dot_rows_f32, rows::add_f32, group_maxima_f32);
number!(f64, u64, u128, scan::above_f64, rows::sum_rows_f64, rows::dot_rows_f64, rows::add_f64, maxima_f64);

fn maxima_f64(row: &[f64], out: &mut [f64]) -> bool {
    out.fill(f64::NEG_INFINITY);
    let mut nan = false;
    for part in row.chunks(out.len().max(1)) {
        for (most, &x) in out.iter_mut().zip(part) {
            nan |= x.is_nan();
            *most = if x > *most { x } else { *most };
        }
    }
    nan
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_order_by_value_and_then_by_index() {
        let inf = f32::INFINITY;
        let values = [-inf, f32::MIN, -1.5, -1e-45, -0.0, 0.0, 1e-45, 1.5, f32::MAX, inf];
        for (i, &x) in values.iter().enumerate() {
            for index in [0, 1, 7, MOST_INDICES as u32 - 1] {
                let (value, found) = f32::opened(x.key(index));
                assert_eq!((value.to_bits(), found), (x.to_bits(), index));
                let (value, found) = f64::opened((x as f64).key(index));
                assert_eq!((value.to_bits(), found), ((x as f64).to_bits(), index));
            }
            for &y in &values[i + 1..] {
                assert_eq!(x < y, x.key(3) < y.key(4), "{x} {y}");
                assert!(x != y || x.key(3) > y.key(4) && y.key(3) > x.key(4), "{x} {y}");
                assert_eq!(x < y, (x as f64).key(3) < (y as f64).key(4), "{x} {y}");
            }
        }
    }
}
