//! A tensor seen as a matrix: some of its axes count rows, the others columns; parts of it are laid out for kernels.

use crate::base::axis::Axis;
use crate::rt::copy::Source;
use crate::rt::error::{Error, Result, code};
use crate::rt::tensor::{Dim, Element, Tensor};

/// The axes of `t` that are not among `axes`, outermost in memory first.
pub fn others(t: &Tensor, axes: &[Axis]) -> Vec<Dim> {
    let mut dims: Vec<Dim> = t.dims.iter().copied().filter(|dim| !axes.contains(&dim.axis)).collect();
    dims.sort_by_key(|dim| std::cmp::Reverse(dim.stride));
    dims
}

pub fn axes_of(dims: &[Dim]) -> Vec<Axis> {
    dims.iter().map(|dim| dim.axis).collect()
}

pub fn count(dims: &[Dim]) -> usize {
    dims.iter().map(|dim| dim.len).product()
}

/// The dims of `t` along these axes, in this order.
pub fn dims_of(t: &Tensor, axes: &[Axis]) -> Result<Vec<Dim>> {
    let dim = |&axis: &Axis| t.dim(axis).copied();
    let missing = || Error::new(code::INTERNAL, format!("a tensor over [{}] lacks an axis", t.axes_shown()));
    axes.iter().map(dim).collect::<Option<Vec<Dim>>>().ok_or_else(missing)
}

/// Can these dims be walked as one? Its length and stride.
pub fn merged(dims: &[Dim]) -> Option<(usize, isize)> {
    let mut found: Option<(usize, isize)> = None;
    for dim in dims.iter().rev().filter(|dim| dim.len != 1) {
        found = match found {
            None => Some((dim.len, dim.stride)),
            Some((len, stride)) if dim.stride == stride * len as isize => Some((len * dim.len, stride)),
            Some(_) => return None,
        };
    }
    Some(found.unwrap_or((1, 1)))
}

/// Rows and columns of a tensor.
pub struct Matrix<'a, T> {
    values: &'a [T],
    offset: usize,
    rows: Vec<Dim>,
    /// How far the rows are apart, if they are equally.
    row_stride: Option<usize>,
    pub columns: usize,
    column: Dim,
}

/// The tensor itself if its columns can be walked as one, else a copy. Give the result to `Matrix::new`.
pub fn with_columns(t: &Tensor, rows: &[Axis], columns: &[Axis]) -> Result<Tensor> {
    let dims = dims_of(t, columns)?;
    if merged(&dims).is_some() {
        return Ok(t.clone());
    }
    let order: Vec<Axis> = rows.iter().chain(columns).copied().collect();
    t.in_order(&order)
}

impl<'a, T: Element> Matrix<'a, T> {
    pub fn new(t: &'a Tensor, rows: &[Axis], columns: &[Axis]) -> Result<Matrix<'a, T>> {
        let fault = || Error::new(code::INTERNAL, format!("no matrix over [{}]", t.axes_shown()));
        let dims = dims_of(t, columns)?;
        let (len, stride) = merged(&dims).ok_or_else(fault)?;
        // The axis of the column is never asked for.
        let some = t.dims.first().copied().ok_or_else(fault)?;
        let column = Dim { len, stride, ..some };
        let rows = dims_of(t, rows)?;
        let row_stride = merged(&rows).and_then(|(_, stride)| usize::try_from(stride).ok());
        Ok(Matrix { values: t.store::<T>()?, offset: t.offset, rows, row_stride, columns: len, column })
    }

    pub fn rows(&self) -> usize {
        count(&self.rows)
    }

    /// From this column on, if the elements of each row lie side by side: the slice and the distance of rows.
    pub fn in_place(&self, column: usize) -> Option<(&'a [T], usize)> {
        let stride = self.row_stride.filter(|_| self.column.stride == 1)?;
        Some((self.values.get(self.offset + column..)?, stride))
    }

    /// Copies `count` rows from `row` on, `width` columns from `column` on, to rows of `padded` elements; what
    /// is beyond the width becomes 0.
    pub fn pack(&self, row: usize, count: usize, column: usize, width: usize, padded: usize, out: &mut [T]) {
        let mut dims = self.rows.clone();
        dims.push(Dim { len: width, ..self.column });
        let start = self.offset as isize + column as isize * self.column.stride;
        let source = Source::new(self.values, start as usize, &dims);
        if width == padded {
            return source.write(row * width, &mut out[..count * width]);
        }
        for (number, line) in out.chunks_exact_mut(padded).take(count).enumerate() {
            let (line, rest) = line.split_at_mut(width);
            source.write((row + number) * width, line);
            rest.fill(T::zeroed());
        }
    }
}
