//! The product of a sparse code, turned, with a dense matrix: one row for each feature, the gradient of a dictionary.
//!
//! The entries are sorted by feature (by counting, so that those of a feature stay in the order of rows); after that it
//! is the same computation as `decode`, with rows and features exchanged. Sums run in the order of rows.

use super::Sparse;
use super::decode::{check_length, checked_dims, is_float, sum_rows};
use super::matrix::{Matrix, axes_of, others, with_columns};
use super::number::Number;
use crate::base::axis::Axis;
use crate::base::ops::DType;
use crate::rt::error::{Error, Result, code};
use crate::rt::simd::rows::Lists;
use crate::rt::tensor::{Aligned, Dim, Tensor};

/// Can `by_feature` compute this contraction?
pub fn covers(code: &Sparse, x: &Tensor, axes: &[Axis]) -> bool {
    let all = |dims: &[Dim]| dims.iter().all(|dim| axes.contains(&dim.axis) && x.dim(dim.axis).is_some());
    axes.len() == code.rows.len()
        && !axes.is_empty()
        && all(&code.rows)
        && x.dim(code.along.axis).is_none()
        && code.dtype() == x.dtype()
        && is_float(x.dtype())
        && u32::try_from(code.row_count()).is_ok()
}

/// Sums code times `x` over all row axes: the axis along which the code keeps entries, then `x`'s other axes.
pub fn by_feature(code: &Sparse, x: &Tensor, axes: &[Axis]) -> Result<Tensor> {
    if !covers(code, x, axes) {
        return Err(Error::new(code::INTERNAL, "a gradient of a sparse product that is not covered"));
    }
    code.rows.iter().try_for_each(|dim| check_length(x, dim))?;
    match x.dtype() {
        DType::F64 => run::<f64>(code, x),
        _ => run::<f32>(code, x),
    }
}

fn run<T: Number>(code: &Sparse, x: &Tensor) -> Result<Tensor> {
    let rows = axes_of(&code.rows);
    let free = others(x, &rows);
    let x = with_columns(x, &rows, &axes_of(&free))?;
    let matrix = Matrix::<T>::new(&x, &rows, &axes_of(&free))?;
    let turned = Turned::new(code, code.store::<T>()?);
    let dims: Vec<Dim> = [code.along].iter().chain(&free).copied().collect();
    let mut out = Aligned::<T>::scratch(checked_dims(&dims)?);
    sum_rows(Lists { starts: &turned.starts, index: &turned.rows }, &turned.values, &matrix, &mut out);
    Tensor::dense_over(&dims, out)
}

/// The entries sorted by feature.
struct Turned<T> {
    starts: Vec<usize>,
    rows: Aligned<u32>,
    values: Aligned<T>,
}

impl<T: Number> Turned<T> {
    fn new(code: &Sparse, values: &[T]) -> Turned<T> {
        let pattern = &code.pattern;
        let mut starts = vec![0; code.along.len + 1];
        pattern.index.iter().for_each(|&at| starts[at as usize + 1] += 1);
        (0..code.along.len).for_each(|at| starts[at + 1] += starts[at]);
        let mut next = starts.clone();
        let (mut rows, mut sorted) = (Aligned::scratch(values.len()), Aligned::scratch(values.len()));
        for row in 0..code.row_count() {
            for entry in pattern.range(row) {
                let place = &mut next[pattern.index[entry] as usize];
                (rows[*place], sorted[*place]) = (row as u32, values[entry]);
                *place += 1;
            }
        }
        Turned { starts, rows, values: sorted }
    }
}
