//! A product of two dense tensors, computed only where a sparse code keeps an entry: the gradient of a code.
//!
//! As in `decode`, the large matrix is taken in blocks that fit into cache. A dot product is cut into strips of columns,
//! which are added in a fixed order.

use rayon::prelude::*;

use super::Sparse;
use super::decode::{blocks, check_length, is_float, strip_width};
use super::matrix::{Matrix, axes_of, dims_of, merged, others, with_columns};
use super::number::Number;
use crate::base::axis::Axis;
use crate::base::ops::DType;
use crate::rt::error::{Error, Result, code};
use crate::rt::simd::rows::Lists;
use crate::rt::tensor::{Aligned, Tensor};

/// Can `sampled` compute this contraction?
pub fn covers(a: &Tensor, b: &Tensor, axes: &[Axis], pattern: &Sparse) -> bool {
    roles(a, b, axes, pattern).is_some()
}

/// The operand that has the row axes, and the one that has the axis of the indices.
fn roles<'a>(a: &'a Tensor, b: &'a Tensor, axes: &[Axis], pattern: &Sparse) -> Option<(&'a Tensor, &'a Tensor)> {
    let along = pattern.along.axis;
    let (left, right) = if b.dim(along).is_some() { (a, b) } else { (b, a) };
    let summed = |t: &Tensor| axes.iter().all(|&axis| t.dim(axis).is_some());
    let rows = pattern.rows.iter().all(|dim| left.dim(dim.axis).is_some() && !axes.contains(&dim.axis));
    let fits = rows
        && summed(left)
        && summed(right)
        && !axes.contains(&along)
        && right.dim(along).is_some()
        && left.rank() == pattern.rows.len() + axes.len()
        && right.rank() == 1 + axes.len()
        && a.dtype() == b.dtype()
        && is_float(a.dtype());
    fits.then_some((left, right))
}

/// The product of `a` and `b` summed over `axes` at the entries of the pattern; it is 0 elsewhere.
pub fn sampled(a: &Tensor, b: &Tensor, axes: &[Axis], pattern: &Sparse) -> Result<Sparse> {
    let roles = roles(a, b, axes, pattern);
    let (left, right) = roles.ok_or_else(|| Error::new(code::INTERNAL, "a sampled product that is not covered"))?;
    pattern.rows.iter().try_for_each(|dim| check_length(left, dim))?;
    check_length(right, &pattern.along)?;
    axes.iter().filter_map(|&axis| left.dim(axis)).try_for_each(|dim| check_length(right, dim))?;
    match a.dtype() {
        DType::F64 => run::<f64>(left, right, pattern),
        _ => run::<f32>(left, right, pattern),
    }
}

fn run<T: Number>(left: &Tensor, right: &Tensor, pattern: &Sparse) -> Result<Sparse> {
    let (rows, along) = (axes_of(&pattern.rows), [pattern.along.axis]);
    let summed = axes_of(&others(right, &along));
    let right = with_columns(right, &along, &summed)?;
    let matrix = Matrix::<T>::new(&right, &along, &summed)?;
    let left = with_dense_rows(left, &rows, &summed)?;
    let left = Matrix::<T>::new(&left, &rows, &summed)?;
    if pattern.entries() == 0 || left.columns == 0 {
        return Ok(pattern.with_values(T::wrap(Aligned::zeros(pattern.entries()))));
    }
    let (left, stride) = left.in_place(0).ok_or_else(|| Error::new(code::INTERNAL, "rows that are not dense"))?;
    let lists = Lists { starts: &pattern.pattern.starts, index: &pattern.pattern.index };
    let values = dot_rows(lists, left, stride, &matrix);
    Ok(pattern.with_values(T::wrap(values)))
}

/// The tensor itself if its rows are equally far apart and each is contiguous; else a copy.
fn with_dense_rows(t: &Tensor, rows: &[Axis], columns: &[Axis]) -> Result<Tensor> {
    let steps = (merged(&dims_of(t, rows)?), merged(&dims_of(t, columns)?));
    if let (Some((_, row)), Some((_, 1))) = steps
        && row >= 0
    {
        return Ok(t.clone());
    }
    let order: Vec<Axis> = rows.iter().chain(columns).copied().collect();
    t.in_order(&order)
}

/// Partial sums that are held beside each other: strips are dealt out to so many tasks.
const GROUPS: usize = 4;

/// For each entry of list `i` the dot product of row `i` of `left` and the row of the matrix that it names.
fn dot_rows<T: Number>(lists: Lists, left: &[T], stride: usize, matrix: &Matrix<T>) -> Aligned<T> {
    let width = strip_width(matrix.columns);
    let strips: Vec<usize> = (0..matrix.columns).step_by(width).collect();
    let groups: Vec<&[usize]> = strips.chunks(strips.len().div_ceil(GROUPS).max(1)).collect();
    let count = lists.starts.len().saturating_sub(1);
    let one = |columns: &&[usize]| {
        let mut out = Aligned::<T>::zeros(lists.index.len());
        for &column in columns.iter() {
            let here = width.min(matrix.columns - column);
            let mut cursors = lists.starts[..count].to_vec();
            blocks(matrix, lists.index.len(), column, here, width, |block| {
                let left = left.get(column..).unwrap_or(&[]);
                T::dot_rows(lists, &mut cursors, left, stride, here, block, width, &mut out);
            });
        }
        out
    };
    let mut parts = groups.par_iter().map(one).collect::<Vec<Aligned<T>>>().into_iter();
    let mut total = parts.next().unwrap_or_else(|| Aligned::zeros(lists.index.len()));
    for part in parts {
        total.iter_mut().zip(&part[..]).for_each(|(sum, &x)| *sum += x);
    }
    total
}
