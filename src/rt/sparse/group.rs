//! Sums over groups of rows of a sparse tensor.
//!
//! The same cells as a reduction: a group takes its rows in order, in f64. Cells that no row goes to cost nothing.

use super::reduce::Cells;
use super::{Sparse, offset_of};
use crate::base::axis::Axis;
use crate::base::ops::DType;
use crate::rt::error::Result;
use crate::rt::tensor::{Aligned, Dim, Element, Origin, Tensor, checked_count, dense_dims, with_element};
use rayon::prelude::*;

/// Sums of `code` along the row axis `axis` by group, as `rt::grouping::group_sum` has them. `None` where only the
/// dense form will do, or where it has the words for what is wrong.
pub fn group_sum(code: &Sparse, axis: Axis, group: Axis, ids: &Tensor, n: i64) -> Result<Option<Tensor>> {
    let Ok(n) = usize::try_from(n) else { return Ok(None) };
    let mut dims = vec![Dim { axis: group, len: n, stride: 1, origin: Origin(0) }];
    dims.extend(code.rows.iter().chain([&code.along]).filter(|dim| dim.axis != axis).copied());
    let shape: Vec<(Axis, usize)> = dims.iter().map(|dim| (dim.axis, dim.len)).collect();
    let mut sums = Aligned::<f64>::zeros(checked_count(&shape)?);
    match add(code, axis, ids, &dims, &mut sums)? {
        true => Tensor::dense_over(&dims, sums).map(Some),
        false => Ok(None),
    }
}

/// Adds the rows of `code` to the sums of their groups. These lie over `dims`: the groups, then the other axes of
/// `code`, the kept one last; otherwise, and where a group is out of range, it is `false`, and nothing was added.
pub(in crate::rt) fn add(code: &Sparse, axis: Axis, ids: &Tensor, dims: &[Dim], sums: &mut [f64]) -> Result<bool> {
    let ([group, others @ .., last], [dim]) = (dims, ids.dims.as_slice()) else { return Ok(false) };
    let Some(own) = code.rows.iter().find(|row| row.axis == axis) else { return Ok(false) };
    let same = |a: &Dim, b: &Dim| a.axis == b.axis && a.len == b.len;
    let other_rows = code.rows.iter().filter(|row| row.axis != axis);
    let fits = same(last, &code.along) && others.len() + 1 == code.rows.len();
    if !fits || !others.iter().zip(other_rows).all(|(a, b)| same(a, b)) || !same(dim, own) || ids.dtype() != DType::I64
    {
        return Ok(false);
    }
    let listed = ids.copied()?;
    let ids = listed.store::<i64>()?;
    if ids.iter().any(|&id| id < -1 || id >= group.len as i64) {
        return Ok(false);
    }
    let shape: Vec<(Axis, usize)> = others.iter().map(|dim| (dim.axis, dim.len)).collect();
    let inner = checked_count(&shape)?;
    let (over, len) = (dense_dims(&shape), own.len.max(1));
    let stride = |dim: &Dim| over.iter().find(|other| other.axis == dim.axis).map_or(0, |other| other.stride);
    let strides: Vec<isize> = code.rows.iter().map(stride).collect();
    let below: usize = code.rows.iter().skip_while(|row| row.axis != axis).skip(1).map(|row| row.len).product();
    let cells = Cells::new(code.row_count(), group.len * inner, |row| {
        let id = usize::try_from(ids[row / below.max(1) % len]).ok()?;
        Some(id * inner + offset_of(&code.rows, &strides, row) as usize)
    });
    with_element!(code.dtype(), T => add_cells::<T>(code, &cells, sums)?);
    Ok(true)
}

/// Adds the entries of the rows of each cell, one after another.
fn add_cells<T: Element + Wide>(code: &Sparse, cells: &Cells, sums: &mut [f64]) -> Result<()> {
    let values = code.store::<T>()?;
    sums.par_chunks_mut(code.along.len.max(1)).enumerate().for_each(|(cell, sums)| {
        for &row in cells.rows(cell) {
            let range = code.pattern.range(row);
            for (&at, &x) in code.pattern.index[range.clone()].iter().zip(&values[range]) {
                sums[at as usize] += x.wide();
            }
        }
    });
    Ok(())
}

/// An element as the number that is added.
pub(in crate::rt) trait Wide: Copy {
    fn wide(self) -> f64;
}

macro_rules! wide {
    ($($type:ty),*) => { $(impl Wide for $type { fn wide(self) -> f64 { self as f64 } })* };
}

wide!(f32, f64, i64, u8);
