//! Columns of a row-major matrix handed out to several tasks at once.
//!
//! Safe slices cannot say "these columns of every row"; a strip can. Strips never overlap, and nothing outside a
//! strip can be reached through it.

use std::marker::PhantomData;

/// Some neighbouring columns of all rows, borrowed mutably.
pub struct Strip<'a, T> {
    first: *mut T,
    rows: usize,
    stride: usize,
    width: usize,
    life: PhantomData<&'a mut [T]>,
}

// SAFETY: a strip is the only way to its elements while it lives, like `&mut [T]`, which may be sent likewise.
unsafe impl<T: Send> Send for Strip<'_, T> {}

/// Cuts a matrix with rows of `stride` elements into strips of `width` columns; the last one may be narrower. What
/// is left behind the last whole row belongs to none.
pub fn strips<T>(values: &mut [T], stride: usize, width: usize) -> Vec<Strip<'_, T>> {
    if stride == 0 || width == 0 {
        return Vec::new();
    }
    let rows = values.len() / stride;
    let first = values.as_mut_ptr();
    let strip = |column: usize| {
        // SAFETY: if there is a row, it has `stride` elements and `column` is less; without rows nothing is added.
        let first = if rows == 0 { first } else { unsafe { first.add(column) } };
        Strip { first, rows, stride, width: width.min(stride - column), life: PhantomData }
    };
    (0..stride).step_by(width).map(strip).collect()
}

impl<T> Strip<'_, T> {
    pub fn width(&self) -> usize {
        self.width
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The strip's part of a row; nothing for a row that is not there.
    #[inline(always)]
    pub fn row(&mut self, row: usize) -> &mut [T] {
        let width = if row < self.rows { self.width } else { 0 };
        let start = if row < self.rows { row * self.stride } else { 0 };
        // SAFETY: `rows` rows of `stride` elements lie behind the pointer that `strips` was given, and the strip's
        // columns lie inside a row; no other strip has these columns, and `self` is borrowed while the slice lives.
        unsafe { std::slice::from_raw_parts_mut(self.first.add(start), width) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strips_cover_each_element_once() {
        for (rows, stride, width) in [(5, 10, 4), (3, 8, 8), (2, 3, 16), (0, 4, 2), (4, 0, 2), (1, 1, 1)] {
            let mut values = vec![0usize; rows * stride];
            for (number, strip) in strips(&mut values, stride, width).iter_mut().enumerate() {
                for row in 0..rows {
                    let at = row * stride + number * width;
                    strip.row(row).iter_mut().enumerate().for_each(|(i, x)| *x += at + i);
                }
                assert_eq!((strip.row(rows).len(), strip.rows()), (0, rows));
            }
            assert!(values.iter().enumerate().all(|(i, x)| i == *x), "{rows} x {stride} by {width}");
        }
    }
}
