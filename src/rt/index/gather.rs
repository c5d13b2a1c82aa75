//! `x[a: idx]`: rows chosen by an integer tensor, copied whole where they lie densely.

use super::super::copy::read_run;
use super::super::error::Result;
use super::super::tensor::{Aligned, Dim, Element, Tensor, checked_count, with_element};
use super::super::walk::{self, Walk};
use super::{check_indices, check_shared, dim_of};
use crate::base::axis::Axis;

/// One dim of the result, with its strides in the tensor and in the indices.
struct Place {
    dim: Dim,
    in_tensor: isize,
    in_index: isize,
}

/// `axis` is replaced by the axes of `idx`; those that `t` also has line up. The result has the axes of `idx` where
/// `axis` was.
pub fn gather(t: &Tensor, axis: Axis, idx: &Tensor) -> Result<Tensor> {
    let along = dim_of(t, axis)?;
    // If `idx` has `axis` itself, that is a new axis of the same name.
    check_shared(t, idx, &[axis])?;
    check_indices(idx, axis, along.len)?;
    let places = places(t, axis, idx);
    let dims: Vec<Dim> = places.iter().map(|place| place.dim).collect();
    let shape: Vec<(Axis, usize)> = dims.iter().map(|dim| (dim.axis, dim.len)).collect();
    let count = checked_count(&shape)?;
    with_element!(t.dtype(), T => {
        let mut out = Aligned::<T>::scratch(count);
        copy_rows(t.store::<T>()?, t.offset, idx, along.stride, &places, &mut out)?;
        Tensor::dense_over(&dims, out)
    })
}

fn places(t: &Tensor, axis: Axis, idx: &Tensor) -> Vec<Place> {
    let mut places = Vec::with_capacity(t.rank() + idx.rank());
    for dim in &t.dims {
        if dim.axis != axis {
            let in_index = idx.dim(dim.axis).map_or(0, |shared| shared.stride);
            places.push(Place { dim: *dim, in_tensor: dim.stride, in_index });
            continue;
        }
        for new in idx.dims.iter().filter(|new| new.axis == axis || t.dim(new.axis).is_none()) {
            places.push(Place { dim: *new, in_tensor: 0, in_index: new.stride });
        }
    }
    places
}

fn copy_rows<T: Element>(
    values: &[T],
    offset: usize,
    idx: &Tensor,
    stride: isize,
    places: &[Place],
    out: &mut [T],
) -> Result<()> {
    let indices = idx.store::<i64>()?;
    // The axes behind the last one of `idx` make a row that is copied for each index.
    let rows_end = places.iter().rposition(|place| idx.dim(place.dim.axis).is_some()).map_or(0, |last| last + 1);
    let (outer, inner) = places.split_at(rows_end);
    let row = Walk::new(inner.iter().map(|place| (place.dim.len, [place.in_tensor])));
    let outer = Walk::new(outer.iter().map(|place| (place.dim.len, [place.in_tensor, place.in_index])));
    let (_, [step_tensor, step_index]) = outer.inner();
    let unit = row.count();
    walk::fill(out, unit, |first, piece| {
        let count = piece.len() / unit;
        let mut targets = piece.chunks_exact_mut(unit);
        outer.runs(first, count, |[in_tensor, in_index], n| {
            for (j, target) in (0..n as isize).zip(&mut targets) {
                let index = indices[(idx.offset as isize + in_index + j * step_index) as usize];
                let from = offset as isize + in_tensor + j * step_tensor + index as isize * stride;
                copy_row(values, from, &row, target);
            }
        });
    });
    Ok(())
}

#[inline]
fn copy_row<T: Element>(values: &[T], from: isize, row: &Walk<1>, target: &mut [T]) {
    match row.dims() {
        [] => target[0] = values[from as usize],
        [(len, [1])] => target.copy_from_slice(&values[from as usize..from as usize + len]),
        _ => {
            let (_, [step]) = row.inner();
            let mut done = 0;
            row.runs(0, target.len(), |[offset], n| {
                read_run(values, (from + offset) as usize, step, &mut target[done..done + n]);
                done += n;
            });
        }
    }
}
