//! Sums over groups of rows of a sparse tensor.
//!
//! The same cells as a reduction: a group takes its rows in order, in f64.

use super::reduce::{Cells, Fold, fold};
use super::{Sparse, offset_of};
use crate::base::axis::Axis;
use crate::base::ops::DType;
use crate::rt::error::Result;
use crate::rt::tensor::{Aligned, Dim, Origin, Tensor, checked_count, dense_dims};

/// Sums of `code` along the row axis `axis` by group, as `rt::grouping::group_sum` has them. `None` where only the
/// dense form will do, or where it has the words for what is wrong.
pub fn group_sum(code: &Sparse, axis: Axis, group: Axis, ids: &Tensor, n: i64) -> Result<Option<Tensor>> {
    let (Ok(n), [dim]) = (usize::try_from(n), ids.dims.as_slice()) else { return Ok(None) };
    let Some(own) = code.rows.iter().find(|row| row.axis == axis) else { return Ok(None) };
    if dim.axis != axis || dim.len != own.len || ids.dtype() != DType::I64 {
        return Ok(None);
    }
    let listed = ids.copied()?;
    let ids = listed.store::<i64>()?;
    if ids.iter().any(|&id| id < -1 || id >= n as i64) {
        return Ok(None);
    }
    let others: Vec<Dim> = code.rows.iter().copied().filter(|row| row.axis != axis).collect();
    let shape: Vec<(Axis, usize)> = others.iter().map(|dim| (dim.axis, dim.len)).collect();
    let inner = checked_count(&shape)?;
    let (over, len) = (dense_dims(&shape), own.len.max(1));
    let stride = |dim: &Dim| over.iter().find(|other| other.axis == dim.axis).map_or(0, |other| other.stride);
    let strides: Vec<isize> = code.rows.iter().map(stride).collect();
    let below: usize = code.rows.iter().skip_while(|row| row.axis != axis).skip(1).map(|row| row.len).product();
    let cells = Cells::new(code.row_count(), n * inner, |row| {
        let id = usize::try_from(ids[row / below.max(1) % len]).ok()?;
        Some(id * inner + offset_of(&code.rows, &strides, row) as usize)
    });
    let mut dims = vec![Dim { axis: group, len: n, stride: 1, origin: Origin(0) }];
    dims.extend(others.iter().chain([&code.along]).copied());
    let shape: Vec<(Axis, usize)> = dims.iter().map(|dim| (dim.axis, dim.len)).collect();
    let mut out = Aligned::<f64>::scratch(checked_count(&shape)?);
    fn end(sum: f64, _: usize) -> f64 {
        sum
    }
    macro_rules! add_up {
        ($type:ty) => {{
            let how = Fold { zero: 0f64, add: |sum: &mut f64, x: $type| *sum += x as f64, end };
            fold(code, &cells, true, &how, &mut out)?
        }};
    }
    match code.dtype() {
        DType::F32 => add_up!(f32),
        DType::F64 => add_up!(f64),
        DType::I64 => add_up!(i64),
        DType::Bool => add_up!(u8),
    }
    Tensor::dense_over(&dims, out).map(Some)
}
