//! Indexing and reshaping of sparse tensors: along the rows they stay sparse, indices of the kept axis give dense ones.
//!
//! `None` means that only the dense form will do, which then also has the words for what is wrong with an index.

use super::reduce::no_axis;
use super::{Pattern, Sparse, offset_of, rows_of};
use crate::base::axis::Axis;
use crate::rt::error::Result;
use crate::rt::tensor::{Aligned, Dim, Element, Origin, Tensor, checked_count, with_element};
use crate::rt::walk;
use std::sync::Arc;

/// The rows `source` of `code`, in that order, over the row dims `rows`.
fn take_rows(code: &Sparse, source: &[usize], rows: Vec<Dim>) -> Result<Sparse> {
    let mut starts = Vec::with_capacity(source.len() + 1);
    let mut done = 0;
    starts.push(0);
    for &row in source {
        done += code.pattern.range(row).len();
        starts.push(done);
    }
    let pattern = Pattern { starts, index: Aligned::zeros(0) };
    let mut out = Sparse { rows, pattern: Arc::new(pattern), ..code.clone() };
    fn copied<T: bytemuck::Pod + Send + Sync>(
        out: &Sparse,
        source: &[usize],
        from: &Sparse,
        values: &[T],
    ) -> Aligned<T> {
        let mut copy = Aligned::<T>::scratch(out.pattern.starts.last().copied().unwrap_or(0));
        out.each_rows(&mut copy, |range, mut part| {
            for row in range {
                let values = &values[from.pattern.range(source[row])];
                let (own, rest) = part.split_at_mut(values.len());
                own.copy_from_slice(values);
                part = rest;
            }
        });
        copy
    }
    let values = with_element!(code.dtype(), T => T::wrap(copied(&out, source, code, code.store::<T>()?)));
    let index = copied(&out, source, code, &code.pattern.index);
    let starts = out.pattern.starts.clone();
    out.pattern = Arc::new(Pattern { starts, index });
    out.values = values;
    Ok(out)
}

/// The place of a row axis; `None` for the kept axis.
fn row_place(code: &Sparse, axis: Axis) -> Result<Option<usize>> {
    if code.along.axis == axis {
        return Ok(None);
    }
    code.rows.iter().position(|dim| dim.axis == axis).map(Some).ok_or_else(|| no_axis(code, axis))
}

/// Rows with the dim at `place` replaced by `new`, where each index of the new ones comes from the old `index_of`.
fn replaced(code: &Sparse, place: usize, new: &[Dim], index_of: impl Fn(usize) -> usize) -> Result<Sparse> {
    let (before, rest) = code.rows.split_at(place);
    let after = &rest[1..];
    let rows = rows_of(&[before, new, after].concat());
    let inner: usize = after.iter().map(|dim| dim.len).product();
    let middle: usize = new.iter().map(|dim| dim.len).product();
    let outer: usize = before.iter().map(|dim| dim.len).product();
    let mut source = Vec::with_capacity(outer * middle * inner);
    for first in 0..outer {
        for at in 0..middle {
            let row = (first * rest[0].len + index_of(at)) * inner;
            source.extend(row..row + inner);
        }
    }
    take_rows(code, &source, rows)
}

/// `x[a: i]`.
pub fn select(code: &Sparse, axis: Axis, i: i64) -> Result<Option<crate::rt::value::Value>> {
    let Some(i) = code.dim(axis).and_then(|dim| usize::try_from(i).ok().filter(|&i| i < dim.len)) else {
        return Ok(None);
    };
    match row_place(code, axis)? {
        // The last row axis: a dense vector.
        Some(_) if code.rows.len() == 1 => Ok(None),
        Some(place) => {
            let found = replaced(code, place, &[], |_| i)?;
            Ok(Some(crate::rt::value::Value::Sparse(Arc::new(found))))
        }
        None => {
            let one = Tensor::from_slice(&[], &[i as i64])?;
            Ok(Some(columns(code, &one)?.into()))
        }
    }
}

/// `x[a: idx]`; along the kept axis the result is dense.
pub fn gather(code: &Sparse, axis: Axis, idx: &Tensor) -> Result<Option<crate::rt::value::Value>> {
    let Some(dim) = code.dim(axis) else { return Err(no_axis(code, axis)) };
    let places = idx.copied()?;
    let indices = places.store::<i64>()?;
    if indices.iter().any(|&i| i < 0 || i as usize >= dim.len) {
        return Ok(None);
    }
    let taken = |other: &Dim| other.axis != axis && code.dim(other.axis).is_some();
    let Some(place) = row_place(code, axis)? else {
        let fits = idx.dims.iter().all(|own| own.axis == axis || code.dim(own.axis).is_none_or(|d| d.len == own.len));
        return if fits { Ok(Some(columns(code, idx)?.into())) } else { Ok(None) };
    };
    if idx.dims.iter().any(taken) {
        return Ok(None);
    }
    let found = replaced(code, place, &places.dims, |at| indices[at] as usize)?;
    Ok(Some(crate::rt::value::Value::Sparse(Arc::new(found))))
}

/// The elements at indices of the kept axis, dense: over the rows, then the axes of `idx` that are no rows.
fn columns(code: &Sparse, idx: &Tensor) -> Result<Tensor> {
    let is_row = |dim: &&Dim| code.rows.iter().any(|row| row.axis == dim.axis);
    let (shared, own): (Vec<Dim>, Vec<Dim>) = idx.dims.iter().partition(is_row);
    let dims: Vec<Dim> = code.rows.iter().chain(&own).copied().collect();
    let shape: Vec<(Axis, usize)> = dims.iter().map(|dim| (dim.axis, dim.len)).collect();
    let width: usize = own.iter().map(|dim| dim.len).product();
    let step = |dim: &Dim| shared.iter().find(|own| own.axis == dim.axis).map_or(0, |own| own.stride);
    let row_steps: Vec<isize> = code.rows.iter().map(step).collect();
    let own_steps: Vec<isize> = own.iter().map(|dim| dim.stride).collect();
    let indices = idx.store::<i64>()?;
    with_element!(code.dtype(), T => {
        let values = code.store::<T>()?;
        let mut out = Aligned::<T>::zeros(checked_count(&shape)?);
        if out.is_empty() {
            return Tensor::dense_over(&dims, out);
        }
        walk::fill(&mut out, width, |first, piece| {
            for (number, out) in piece.chunks_exact_mut(width).enumerate() {
                let row = first + number;
                let base = idx.offset as isize + offset_of(&code.rows, &row_steps, row);
                let (kept, own_values) = (code.pattern.row(row), &values[code.pattern.range(row)]);
                for (at, out) in out.iter_mut().enumerate() {
                    let wanted = indices[(base + offset_of(&own, &own_steps, at)) as usize] as u32;
                    if let Ok(place) = kept.binary_search(&wanted) {
                        *out = own_values[place];
                    }
                }
            }
        });
        Tensor::dense_over(&dims, out)
    })
}

/// `x[a -> b: lo..hi]` along a row axis.
pub fn slice(code: &Sparse, axis: Axis, to: Axis, lo: i64, hi: i64) -> Result<Option<Sparse>> {
    let Some(dim) = code.dim(axis) else { return Err(no_axis(code, axis)) };
    let Some(place) = row_place(code, axis)? else { return Ok(None) };
    if lo < 0 || hi < lo || hi as u64 > dim.len as u64 || (to != axis && code.dim(to).is_some()) {
        return Ok(None);
    }
    let len = (hi - lo) as usize;
    if len == dim.len {
        return rename(code, axis, to).map(Some);
    }
    let new = Dim { axis: to, len, stride: 1, origin: Origin(0) };
    replaced(code, place, &[new], |at| at + lo as usize).map(Some)
}

/// Parts one after another along the outermost row axis `axis`. `None` if it is not, or if they differ elsewhere.
pub fn concat(parts: &[&Sparse], axis: Axis) -> Result<Option<Sparse>> {
    let Some((&first, rest)) = parts.split_first() else { return Ok(None) };
    let same = |a: &Dim, b: &Dim| a.axis == b.axis && a.len == b.len;
    let fits = |part: &Sparse| {
        part.dtype() == first.dtype()
            && same(&part.along, &first.along)
            && part.rows.first().is_some_and(|dim| dim.axis == axis)
            && part.rows.len() == first.rows.len()
            && part.rows[1..].iter().zip(&first.rows[1..]).all(|(a, b)| same(a, b))
    };
    if !fits(first) || !rest.iter().all(|part| fits(part)) {
        return Ok(None);
    }
    let mut starts = vec![0];
    let mut index = Vec::with_capacity(parts.iter().map(|part| part.entries()).sum());
    for part in parts {
        starts.extend(part.pattern.starts[1..].iter().map(|start| start + index.len()));
        index.extend_from_slice(&part.pattern.index);
    }
    let mut rows = first.rows.clone();
    rows[0].len = parts.iter().map(|part| part.rows[0].len).sum();
    let values = with_element!(first.dtype(), T => {
        let mut values = Vec::with_capacity(index.len());
        for part in parts {
            values.extend_from_slice(part.store::<T>()?);
        }
        T::wrap(Aligned::from_slice(&values))
    });
    let pattern = Arc::new(Pattern { starts, index: Aligned::from_slice(&index) });
    Ok(Some(Sparse { rows: rows_of(&rows), along: first.along, pattern, values }))
}

pub fn rename(code: &Sparse, from: Axis, to: Axis) -> Result<Sparse> {
    let mut out = code.clone();
    let found = out.rows.iter_mut().chain([&mut out.along]).find(|dim| dim.axis == from);
    found.ok_or_else(|| no_axis(code, from))?.axis = to;
    Ok(out)
}

/// `x[(a, b) -> c]` for rows that lie next to each other in this order.
pub fn merge(code: &Sparse, from: &[Axis], to: Axis) -> Option<Sparse> {
    let first = code.rows.iter().position(|dim| Some(&dim.axis) == from.first())?;
    let part = code.rows.get(first..first + from.len())?;
    if part.iter().zip(from).any(|(dim, &axis)| dim.axis != axis) {
        return None;
    }
    let len = part.iter().map(|dim| dim.len).product();
    let merged = Dim { axis: to, len, stride: 1, origin: Origin(0) };
    let mut rows = code.rows.clone();
    rows.splice(first..first + from.len(), [merged]);
    Some(Sparse { rows: rows_of(&rows), ..code.clone() })
}

/// `x[c -> (a, b)]` for a row axis; one of the sizes may be -1.
pub fn split(code: &Sparse, from: Axis, to: &[Axis], sizes: &[i64]) -> Option<Sparse> {
    let place = code.rows.iter().position(|dim| dim.axis == from)?;
    let len = code.rows[place].len;
    let known: i64 = sizes.iter().filter(|&&size| size != -1).try_fold(1i64, |all, &size| all.checked_mul(size))?;
    if known <= 0 || sizes.len() != to.len() || len as i64 % known != 0 {
        return None;
    }
    let open = sizes.iter().filter(|&&size| size == -1).count();
    if open > 1 || (open == 0 && known != len as i64) {
        return None;
    }
    let whole = |size: i64| if size == -1 { len / known as usize } else { size as usize };
    let part = |(&axis, &size): (&Axis, &i64)| Dim { axis, len: whole(size), stride: 1, origin: Origin(0) };
    let parts: Vec<Dim> = to.iter().zip(sizes).map(part).collect();
    let mut rows = code.rows.clone();
    rows.splice(place..place + 1, parts);
    Some(Sparse { rows: rows_of(&rows), ..code.clone() })
}
