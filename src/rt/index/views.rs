//! Views: they share the buffer and only change offset, lengths, strides and axes.
//!
//! `merge` is a view where the strides allow it and copies otherwise.

use super::super::error::{Error, Result, code};
use super::super::tensor::{Dim, Origin, Tensor, size_mismatch};
use super::super::value::Value;
use super::{as_tensor, dim_of, internal, out_of_bounds};
use crate::base::axis::Axis;

fn place_of(t: &Tensor, axis: Axis) -> Result<usize> {
    dim_of(t, axis)?;
    t.dims.iter().position(|dim| dim.axis == axis).ok_or_else(|| internal("no such axis"))
}

/// The axis must not be there already.
fn must_be_new(t: &Tensor, axis: Axis) -> Result<()> {
    match t.dim(axis) {
        Some(_) => Err(internal(format!("a tensor over [{}] already has axis `{axis}`", t.axes_shown()))),
        None => Ok(()),
    }
}

/// `x[a: i]`.
pub fn select(t: &Tensor, axis: Axis, i: i64) -> Result<Value> {
    let place = place_of(t, axis)?;
    let dim = t.dims[place];
    if i < 0 || i as usize >= dim.len {
        return Err(out_of_bounds(axis, i, dim.len));
    }
    let mut view = t.clone();
    view.dims.remove(place);
    // An empty tensor stays where it is, so that no view ever starts behind its buffer.
    if view.elements() > 0 {
        view.offset = (view.offset as isize + i as isize * dim.stride) as usize;
    }
    Ok(Value::from(view))
}

/// `x[a -> b: lo..hi]`.
pub fn slice(t: &Tensor, axis: Axis, to: Axis, lo: i64, hi: i64) -> Result<Tensor> {
    let place = place_of(t, axis)?;
    if to != axis {
        must_be_new(t, to)?;
    }
    let dim = t.dims[place];
    if lo < 0 || hi < lo || hi as u64 > dim.len as u64 {
        return Err(range_outside(axis, lo, hi, dim.len));
    }
    let len = (hi - lo) as usize;
    let mut view = t.clone();
    let origin = if len == dim.len { dim.origin } else { Origin(0) };
    view.dims[place] = Dim { axis: to, len, stride: dim.stride, origin };
    if view.elements() > 0 {
        view.offset = (view.offset as isize + lo as isize * dim.stride) as usize;
    }
    Ok(view)
}

/// The error for a range that does not lie in its axis.
pub fn range_outside(axis: Axis, lo: i64, hi: i64, len: usize) -> Error {
    let message = format!("the range {lo}..{hi} does not fit axis `{axis}`, which has length {len}");
    Error::new(code::BOUNDS, message).note("needed", format!("0 <= lo <= hi <= {len}"))
}

/// The same elements with `from` called `to`.
pub fn rename(t: &Tensor, from: Axis, to: Axis) -> Result<Tensor> {
    let place = place_of(t, from)?;
    if to != from {
        must_be_new(t, to)?;
    }
    let mut view = t.clone();
    view.dims[place].axis = to;
    Ok(view)
}

/// `x[(a, b) -> c]`, first slowest. A view if the axes can be walked as one, otherwise a copy.
pub fn merge(t: &Tensor, from: &[Axis], to: Axis) -> Result<Tensor> {
    let group = from.iter().map(|&axis| dim_of(t, axis)).collect::<Result<Vec<Dim>>>()?;
    let Some(&last) = group.last() else {
        return Err(internal("merge of no axes"));
    };
    if !from.contains(&to) {
        must_be_new(t, to)?;
    }
    if let Some(view) = merged_view(t, &group, to)? {
        return Ok(view);
    }
    // The group goes where its last axis is, so that the other axes keep their places.
    let mut order = Vec::with_capacity(t.rank());
    for dim in &t.dims {
        if dim.axis == last.axis {
            order.extend_from_slice(from);
        } else if !from.contains(&dim.axis) {
            order.push(dim.axis);
        }
    }
    let copy = t.in_order(&order)?;
    let group = from.iter().map(|&axis| dim_of(&copy, axis)).collect::<Result<Vec<Dim>>>()?;
    merged_view(&copy, &group, to)?.ok_or_else(|| internal("a dense group of axes does not merge"))
}

fn merged_view(t: &Tensor, group: &[Dim], to: Axis) -> Result<Option<Tensor>> {
    let too_large = || Error::new(code::MEMORY, format!("axis `{to}` would be too long"));
    let len = group.iter().try_fold(1usize, |n, dim| n.checked_mul(dim.len)).ok_or_else(too_large)?;
    let mut stride = None;
    let mut expected = 0isize;
    for dim in group.iter().rev().filter(|dim| dim.len != 1) {
        match stride {
            None => stride = Some(dim.stride),
            Some(_) if dim.stride == expected || len == 0 => {}
            Some(_) => return Ok(None),
        }
        expected = dim.stride * dim.len as isize;
    }
    let Some(&last) = group.last() else { return Ok(None) };
    let origin = if group.iter().all(|dim| dim.origin == last.origin) { last.origin } else { Origin(0) };
    let merged = Dim { axis: to, len, stride: stride.unwrap_or(1), origin };
    let mut view = t.clone();
    view.dims.retain(|dim| dim.axis == last.axis || !group.iter().any(|gone| gone.axis == dim.axis));
    for dim in &mut view.dims {
        if dim.axis == last.axis {
            *dim = merged;
        }
    }
    Ok(Some(view))
}

/// `x[c -> (a, b)]`, first slowest; a size of -1 (at most one) follows from the others.
pub fn split(t: &Tensor, from: Axis, to: &[Axis], sizes: &[i64]) -> Result<Tensor> {
    let place = place_of(t, from)?;
    let dim = t.dims[place];
    if to.is_empty() || to.len() != sizes.len() {
        return Err(internal("split needs one size for each new axis"));
    }
    for (number, &axis) in to.iter().enumerate() {
        if axis != from {
            must_be_new(t, axis)?;
        }
        if to[..number].contains(&axis) {
            return Err(internal(format!("split makes axis `{axis}` twice")));
        }
    }
    let lens = split_sizes(&dim, to, sizes)?;
    let mut stride = dim.stride;
    let mut parts = Vec::with_capacity(to.len());
    for (&axis, &len) in to.iter().zip(&lens).rev() {
        parts.push(Dim { axis, len, stride, origin: dim.origin });
        stride *= len.max(1) as isize;
    }
    let mut view = t.clone();
    view.dims.splice(place..=place, parts.into_iter().rev());
    Ok(view)
}

fn split_sizes(dim: &Dim, to: &[Axis], sizes: &[i64]) -> Result<Vec<usize>> {
    let shown = || {
        let parts = to.iter().zip(sizes).map(|(axis, &size)| match size {
            -1 => axis.to_string(),
            size => format!("{axis} = {size}"),
        });
        format!("axis `{}` = {} cannot be split into ({})", dim.axis, dim.len, parts.collect::<Vec<_>>().join(", "))
    };
    let wrong = || Error::new(code::SIZE, shown());
    if sizes.iter().any(|&size| size < -1) || sizes.iter().filter(|&&size| size == -1).count() > 1 {
        return Err(Error::new(code::ARGUMENT, shown()).note("needed", "lengths of 0 or more, at most one left open"));
    }
    let mut known = sizes.iter().filter(|&&size| size >= 0);
    let product = known.try_fold(1usize, |n, &size| n.checked_mul(size as usize)).ok_or_else(wrong)?;
    let open = sizes.contains(&-1);
    let fits = if open { product > 0 && dim.len.is_multiple_of(product) } else { product == dim.len };
    if !fits {
        return Err(wrong()
            .note("found", format!("{} elements", dim.len))
            .note("needed", if open { format!("a multiple of {product}") } else { format!("{product}") }));
    }
    Ok(sizes.iter().map(|&size| if size == -1 { dim.len / product } else { size as usize }).collect())
}

/// A new axis along which the value repeats.
pub fn expand(v: &Value, axis: Axis, n: i64) -> Result<Tensor> {
    let mut view = as_tensor(v)?;
    must_be_new(&view, axis)?;
    let len =
        usize::try_from(n).map_err(|_| Error::new(code::ARGUMENT, format!("axis `{axis}` cannot have length {n}")))?;
    view.dims.insert(0, Dim { axis, len, stride: 0, origin: Origin(0) });
    super::super::tensor::checked_count(&view.shape())?;
    Ok(view)
}

/// The length of `axis`, on which all values that have it must agree.
pub fn size_of(args: &[&Value], axis: Axis) -> Result<i64> {
    let mut found: Option<Dim> = None;
    for value in args {
        let Value::Tensor(tensor) = value else { continue };
        let Some(dim) = tensor.dim(axis) else { continue };
        match found {
            Some(first) if first.len != dim.len => return Err(size_mismatch(axis, &first, dim)),
            // The first that says where its length came from makes the better message.
            Some(first) if first.origin != Origin(0) => {}
            _ => found = Some(*dim),
        }
    }
    found.map(|dim| dim.len as i64).ok_or_else(|| internal(format!("no value here has axis `{axis}`")))
}
