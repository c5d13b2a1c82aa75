//! Copies of strided views into dense arrays, by rows, by transposed blocks, in parallel.
//!
//! Everything that must lay elements out anew goes through here. It must never see an axis name: it knows
//! lengths and strides only.

use super::tensor::{Dim, Element};
use super::walk::{self, Walk};

/// Rows of a transposed block.
const BLOCK: usize = 16;
/// Columns of a block: one cache line of f32 in each row of the result.
const WIDTH: usize = 16;

/// A strided view that can be written out densely, piece by piece.
pub struct Source<'a, T> {
    values: &'a [T],
    offset: isize,
    walk: Walk<1>,
}

impl<'a, T: Element> Source<'a, T> {
    /// The elements of `values` from `offset` on, in the order of `dims`.
    pub fn new(values: &'a [T], offset: usize, dims: &[Dim]) -> Source<'a, T> {
        Source { values, offset: offset as isize, walk: Walk::new(dims.iter().map(|dim| (dim.len, [dim.stride]))) }
    }

    /// Writes positions `start..start + out.len()`.
    pub fn write(&self, start: usize, out: &mut [T]) {
        self.write_from(0, start, out);
    }

    /// The same, with everything shifted by `shift` elements of the array.
    pub fn write_from(&self, shift: isize, start: usize, out: &mut [T]) {
        let base = self.offset + shift;
        if let Some(block) = self.transposed() {
            return self.write_blocks(block, base, start, out);
        }
        let (_, [step]) = self.walk.inner();
        let mut done = 0;
        self.walk.runs(start, out.len(), |[offset], n| {
            read_run(self.values, (base + offset) as usize, step, &mut out[done..done + n]);
            done += n;
        });
    }

    /// If the last two dims are a transposed matrix: its numbers of rows and columns, and the stride of a column.
    fn transposed(&self) -> Option<(usize, usize, isize)> {
        match self.walk.dims() {
            [.., (rows, [1]), (columns, [stride])] if *stride > 1 && *columns >= 4 => Some((*rows, *columns, *stride)),
            _ => None,
        }
    }

    fn write_blocks(&self, (rows, columns, stride): (usize, usize, isize), base: isize, start: usize, out: &mut [T]) {
        let mut position = start;
        let mut rest = out;
        while !rest.is_empty() {
            let row = position / columns % rows;
            let whole = (rest.len() / columns).min(rows - row).min(BLOCK);
            let offset = base + self.walk.at(position)[0];
            if !position.is_multiple_of(columns) || whole == 0 {
                // A row that begins or ends inside this piece.
                let n = (columns - position % columns).min(rest.len());
                let (head, tail) = rest.split_at_mut(n);
                read_run(self.values, offset as usize, stride, head);
                (rest, position) = (tail, position + n);
                continue;
            }
            let (head, tail) = rest.split_at_mut(whole * columns);
            turn(&self.values[offset as usize..], stride as usize, columns, head);
            (rest, position) = (tail, position + whole * columns);
        }
    }
}

/// Writes up to `BLOCK` rows of a transposed matrix, whose columns lie `stride` apart in `values`. It goes through a
/// small block, because rows whose distance is a power of two would push each other out of the cache.
fn turn<T: Element>(values: &[T], stride: usize, columns: usize, out: &mut [T]) {
    let rows = out.len() / columns;
    let mut block = [[T::zeroed(); WIDTH]; BLOCK];
    for first in (0..columns).step_by(WIDTH) {
        let width = WIDTH.min(columns - first);
        for column in 0..width {
            let from = (first + column) * stride;
            for (row, &x) in values[from..from + rows].iter().enumerate() {
                block[row][column] = x;
            }
        }
        for (row, line) in block.iter().enumerate().take(rows) {
            let start = row * columns + first;
            out[start..start + width].copy_from_slice(&line[..width]);
        }
    }
}

/// `out.len()` elements from `offset`, spaced by `step`.
pub fn read_run<T: Copy>(values: &[T], offset: usize, step: isize, out: &mut [T]) {
    match step {
        1 => out.copy_from_slice(&values[offset..offset + out.len()]),
        0 => out.fill(values[offset]),
        step if step > 0 => {
            for (x, &y) in out.iter_mut().zip(values[offset..].iter().step_by(step as usize)) {
                *x = y;
            }
        }
        step => {
            for (i, x) in out.iter_mut().enumerate() {
                *x = values[(offset as isize + i as isize * step) as usize];
            }
        }
    }
}

/// Writes all elements of the view into `out`, in the order of `dims`.
pub fn write_all<T: Element>(values: &[T], offset: usize, dims: &[Dim], out: &mut [T]) {
    if out.is_empty() {
        return;
    }
    let source = Source::new(values, offset, dims);
    // Whole rows of a transposed matrix belong to one piece where they fit.
    let unit = source.transposed().map_or(1, |(_, columns, _)| columns * BLOCK);
    let unit = if out.len().is_multiple_of(unit) { unit } else { 1 };
    walk::fill(out, unit, |first, piece| source.write(first * unit, piece));
}
