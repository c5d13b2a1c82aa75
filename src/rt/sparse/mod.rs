//! Tensors of which only some entries of each row are kept: the codes of dictionaries.
//!
//! A representation of a tensor, never a type: it is chosen by the operation (`keep_top`), and programs cannot tell
//! it from a dense one but by time and memory. Nothing here knows which operation of a program asked.

mod chosen;
pub mod decode;
pub mod gradient;
pub mod group;
#[cfg(test)]
mod kernel_tests;
pub mod map;
mod matrix;
mod number;
pub mod reduce;
pub mod sampled;
pub mod top;
pub mod views;

use super::error::{Error, Result, code};
use super::tensor::{Aligned, Buffer, Dim, Element, Tensor, checked_count, with_element};
use crate::base::axis::Axis;
use crate::base::ops::DType;
use rayon::prelude::*;
use std::ops::Range;
use std::sync::Arc;

/// Rows of (index, value), row-major over `rows`; what is not kept is 0 (false).
#[derive(Clone, Debug)]
pub struct Sparse {
    /// The axes that count rows, outermost first. Strides are those of a dense tensor over `rows` alone.
    pub rows: Vec<Dim>,
    /// The axis whose indices are kept; the stride is 1.
    pub along: Dim,
    /// Which entries are kept, shared by all that was made from the same selection.
    pub pattern: Arc<Pattern>,
    /// One value for each kept entry, in the order of `pattern`.
    pub values: Buffer,
}

/// Which entries are kept.
#[derive(Debug)]
pub struct Pattern {
    /// Row `r` has the entries `starts[r]..starts[r + 1]`; one more than there are rows.
    pub starts: Vec<usize>,
    /// Indices along the axis, ascending within a row.
    pub index: Aligned<u32>,
}

impl Pattern {
    /// The indices that row `row` keeps.
    pub fn row(&self, row: usize) -> &[u32] {
        &self.index[self.range(row)]
    }

    /// Where the entries of row `row` stand.
    pub fn range(&self, row: usize) -> Range<usize> {
        self.starts[row]..self.starts[row + 1]
    }
}

/// Entries that one task works on, about.
const TASK: usize = 1 << 14;

impl Sparse {
    pub fn row_count(&self) -> usize {
        self.rows.iter().map(|dim| dim.len).product()
    }

    /// How many entries are kept.
    pub fn entries(&self) -> usize {
        self.pattern.index.len()
    }

    pub fn dtype(&self) -> DType {
        match self.values {
            Buffer::F32(_) => DType::F32,
            Buffer::F64(_) => DType::F64,
            Buffer::I64(_) => DType::I64,
            Buffer::Bool(_) => DType::Bool,
        }
    }

    /// The dims of the dense form: rows outermost.
    pub fn dims(&self) -> Vec<Dim> {
        let axes: Vec<(Axis, usize)> = self.rows.iter().chain([&self.along]).map(|dim| (dim.axis, dim.len)).collect();
        let mut dims = super::tensor::dense_dims(&axes);
        dims.iter_mut().zip(self.rows.iter().chain([&self.along])).for_each(|(new, old)| new.origin = old.origin);
        dims
    }

    pub fn dim(&self, axis: Axis) -> Option<&Dim> {
        self.rows.iter().chain([&self.along]).find(|dim| dim.axis == axis)
    }

    /// The same entries with other values.
    pub fn with_values(&self, values: Buffer) -> Sparse {
        Sparse { values, ..self.clone() }
    }

    /// The values as elements of a type; an internal error if they are of another.
    pub fn store<T: Element>(&self) -> Result<&[T]> {
        T::open(&self.values)
            .map(|values| &values[..])
            .ok_or_else(|| Error::new(code::INTERNAL, format!("sparse values are {:?}", self.dtype())))
    }

    /// A tensor of these axes and lengths that repeats one element: for what asks about shapes alone.
    pub fn outline(&self) -> Result<Tensor> {
        let mut outline = Tensor::zeros(self.dtype(), &[])?;
        outline.dims = self.dims();
        outline.dims.iter_mut().for_each(|dim| dim.stride = 0);
        Ok(outline)
    }

    /// The same values as a dense tensor, rows outermost.
    pub fn dense(&self) -> Result<Tensor> {
        let dims = self.dims();
        let shape: Vec<(Axis, usize)> = dims.iter().map(|dim| (dim.axis, dim.len)).collect();
        let count = checked_count(&shape)?;
        with_element!(self.dtype(), T => {
            let mut out = Aligned::<T>::zeros(count);
            let values = self.store::<T>()?;
            let width = self.along.len.max(1);
            let rows = TASK.div_ceil(width);
            out.par_chunks_mut(rows * width).enumerate().for_each(|(task, out)| {
                for (number, row) in out.chunks_mut(width).enumerate() {
                    let range = self.pattern.range(task * rows + number);
                    for (&at, &x) in self.pattern.index[range.clone()].iter().zip(&values[range]) {
                        row[at as usize] = x;
                    }
                }
            });
            Tensor::dense_over(&dims, out)
        })
    }

    /// The entries of a tensor that are not 0.
    pub fn of_dense(t: &Tensor, along: Axis) -> Result<Sparse> {
        let width = t.len(along)?;
        let mut order: Vec<Axis> = t.dims.iter().map(|dim| dim.axis).filter(|&axis| axis != along).collect();
        order.push(along);
        let ordered = t.in_order(&order)?;
        let (mut starts, mut index) = (vec![0], Vec::new());
        with_element!(t.dtype(), T => {
            let source = ordered.as_dense::<T>().ok_or_else(|| Error::new(code::INTERNAL, "rows that are not dense"))?;
            let mut values = Vec::new();
            for row in source.chunks(width.max(1)) {
                for (at, &x) in row.iter().enumerate().filter(|(_, x)| **x != T::default()) {
                    index.push(at as u32);
                    values.push(x);
                }
                starts.push(index.len());
            }
            let rows = rows_of(&ordered.dims[..order.len() - 1]);
            let count: usize = rows.iter().map(|dim| dim.len).product();
            starts.resize(count + 1, index.len());
            let along = Dim { stride: 1, ..ordered.dims[order.len() - 1] };
            let pattern = Arc::new(Pattern { starts, index: Aligned::from_slice(&index) });
            Ok(Sparse { rows, along, pattern, values: T::wrap(Aligned::from_slice(&values)) })
        })
    }

    /// Works on the entries of fixed ranges of rows in parallel: `out` has one element for each entry.
    pub(super) fn each_rows<T: Send>(&self, out: &mut [T], work: impl Fn(Range<usize>, &mut [T]) + Sync) {
        let starts = &self.pattern.starts;
        let mut tasks = Vec::new();
        let (mut rest, mut first) = (out, 0);
        while first < self.row_count() {
            let enough = starts[first] + TASK;
            let more = starts[first + 1..].partition_point(|&start| start < enough);
            let last = (first + more + 1).min(self.row_count());
            let (part, behind) = rest.split_at_mut(starts[last] - starts[first]);
            tasks.push((first..last, part));
            (rest, first) = (behind, last);
        }
        tasks.into_par_iter().for_each(|(rows, part)| work(rows, part));
    }
}

/// The dims of rows: dense strides, origins kept.
pub fn rows_of(dims: &[Dim]) -> Vec<Dim> {
    let axes: Vec<(Axis, usize)> = dims.iter().map(|dim| (dim.axis, dim.len)).collect();
    let mut rows = super::tensor::dense_dims(&axes);
    rows.iter_mut().zip(dims).for_each(|(new, old)| new.origin = old.origin);
    rows
}

/// Where row `row` begins in something that has the strides `strides` along the dims `rows`.
pub(super) fn offset_of(rows: &[Dim], strides: &[isize], mut row: usize) -> isize {
    let mut offset = 0;
    for (dim, stride) in rows.iter().zip(strides).rev() {
        offset += (row % dim.len.max(1)) as isize * stride;
        row /= dim.len.max(1);
    }
    offset
}
