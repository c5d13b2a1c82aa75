//! Sparse rows times a dense matrix: for each row the weighted sum of the matrix's rows that it keeps.
//!
//! The matrix is far larger than a core's cache, and each of its rows is wanted by many of ours. So it is taken in
//! blocks, some columns of some rows, which are copied together (from any layout), and all that is wanted of a block is
//! added while it is in cache. Each element of the result is a sum in the order of the indices, whatever the blocks and
//! threads.

use rayon::prelude::*;

use super::Sparse;
use super::matrix::{Matrix, axes_of, others, with_columns};
use super::number::Number;
use crate::base::axis::Axis;
use crate::base::ops::DType;
use crate::rt::error::{Error, Result, code};
use crate::rt::simd::rows::{Block, Lists, WIDEST};
use crate::rt::simd::strips::{Strip, strips};
use crate::rt::tensor::{Aligned, Dim, Tensor, checked_count, size_mismatch};

/// Can `decode` compute this contraction?
pub fn covers(code: &Sparse, w: &Tensor, axes: &[Axis]) -> bool {
    let shared = code.rows.iter().any(|dim| w.dim(dim.axis).is_some());
    axes == [code.along.axis]
        && w.dim(code.along.axis).is_some()
        && !shared
        && code.dtype() == w.dtype()
        && is_float(w.dtype())
}

/// Sums code times `w` over the axis along which the code keeps entries: row axes of the code, then `w`'s other axes.
pub fn decode(code: &Sparse, w: &Tensor, axes: &[Axis]) -> Result<Tensor> {
    if !covers(code, w, axes) {
        return Err(Error::new(code::INTERNAL, "a sparse product that is not covered"));
    }
    check_length(w, &code.along)?;
    match w.dtype() {
        DType::F64 => run::<f64>(code, w),
        _ => run::<f32>(code, w),
    }
}

fn run<T: Number>(code: &Sparse, w: &Tensor) -> Result<Tensor> {
    let along = [code.along.axis];
    let free = others(w, &along);
    let w = with_columns(w, &along, &axes_of(&free))?;
    let matrix = Matrix::<T>::new(&w, &along, &axes_of(&free))?;
    let lists = Lists { starts: &code.pattern.starts, index: &code.pattern.index };
    let dims: Vec<Dim> = code.rows.iter().chain(&free).copied().collect();
    let mut out = Aligned::<T>::scratch(checked_dims(&dims)?);
    sum_rows(lists, code.store::<T>()?, &matrix, &mut out);
    Tensor::dense_over(&dims, out)
}

pub(super) fn is_float(dtype: DType) -> bool {
    matches!(dtype, DType::F32 | DType::F64)
}

pub(super) fn checked_dims(dims: &[Dim]) -> Result<usize> {
    checked_count(&dims.iter().map(|dim| (dim.axis, dim.len)).collect::<Vec<(Axis, usize)>>())
}

/// An error unless the tensor's axis is as long as this one.
pub(super) fn check_length(t: &Tensor, dim: &Dim) -> Result<()> {
    match t.dim(dim.axis) {
        Some(other) if other.len != dim.len => Err(size_mismatch(dim.axis, dim, other)),
        _ => Ok(()),
    }
}

/// Elements of a block. A mebibyte of them fits into the second cache of the processors this was measured on; with half
/// of it, gradients of a batch went through memory twice.
const BLOCK: usize = 1 << 18;
/// A block is worth copying if its rows are wanted so often.
const WORTH: usize = 2;

/// How many columns are worked on at once: wide ones are faster, but there should be some tasks.
pub(super) fn strip_width(columns: usize) -> usize {
    [WIDEST, WIDEST / 2].into_iter().find(|width| columns >= 4 * width).unwrap_or(WIDEST / 4)
}

/// Rows of `out`: for each list the sum of weight times row of the matrix over its entries.
pub(super) fn sum_rows<T: Number>(lists: Lists, weights: &[T], matrix: &Matrix<T>, out: &mut [T]) {
    let width = strip_width(matrix.columns);
    strips(out, matrix.columns, width)
        .into_par_iter()
        .enumerate()
        .for_each(|(number, strip)| sum_strip(lists, weights, matrix, number * width, width, strip));
}

fn sum_strip<T: Number>(
    lists: Lists,
    weights: &[T],
    matrix: &Matrix<T>,
    column: usize,
    padded: usize,
    mut out: Strip<T>,
) {
    let mut cursors = lists.starts[..out.rows()].to_vec();
    let mut fresh = true;
    blocks(matrix, lists.index.len(), column, out.width(), padded, |block| {
        T::sum_rows(lists, &mut cursors, weights, block, padded, fresh, &mut out);
        fresh = false;
    });
    if fresh {
        (0..out.rows()).for_each(|row| out.row(row).fill(T::default()));
    }
}

/// Calls `work` with blocks that make up some columns of the matrix, in the order of its rows.
pub(super) fn blocks<T: Number>(
    matrix: &Matrix<T>,
    entries: usize,
    column: usize,
    width: usize,
    padded: usize,
    mut work: impl FnMut(Block<T>),
) {
    let rows = matrix.rows();
    let in_place = matrix.in_place(column).filter(|_| width == padded && entries < WORTH * rows);
    if let Some((values, stride)) = in_place {
        return work(Block { values, stride, first: 0, end: rows as u32 });
    }
    let most = (BLOCK / padded).min(rows).max(1);
    let mut packed = Aligned::<T>::scratch(most * padded);
    for first in (0..rows).step_by(most) {
        let here = most.min(rows - first);
        matrix.pack(first, here, column, width, padded, &mut packed);
        let values = &packed[..here * padded];
        work(Block { values, stride: padded, first: first as u32, end: (first + here) as u32 });
    }
}
