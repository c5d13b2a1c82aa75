//! Results put together from whole tensors: `pad`, `stack`, `concat`.

use super::super::copy::{Source, write_all};
use super::super::error::{Error, Result, code};
use super::super::tensor::{Aligned, Dim, Element, Origin, Tensor, checked_count, size_mismatch, with_element};
use super::super::value::Value;
use super::{as_tensor, dim_of, internal};
use crate::base::axis::Axis;
use rayon::prelude::*;

/// `arg` along `from`, put at `lo` of a new axis `to` of length `size`; zero elsewhere.
pub fn pad(t: &Tensor, from: Axis, to: Axis, lo: i64, size: i64) -> Result<Tensor> {
    let dim = dim_of(t, from)?;
    if lo < 0 || size < 0 || lo as u64 + dim.len as u64 > size as u64 {
        let message = format!("{} elements at {lo} do not fit axis `{to}` of length {size}", dim.len);
        return Err(Error::new(code::BOUNDS, message));
    }
    let origin = if dim.len == size as usize { dim.origin } else { Origin(0) };
    let dims: Vec<Dim> = t
        .dims
        .iter()
        .map(|old| if old.axis == from { Dim { axis: to, len: size as usize, origin, ..*old } } else { *old })
        .collect();
    with_element!(t.dtype(), T => join::<T>(&dims, to, &[(lo as usize, from, t.clone())]))
}

/// Tensors or scalars of one shape, along a new axis, which is the outermost.
pub fn stack(items: &[Value], axis: Axis) -> Result<Tensor> {
    let items = tensors(items, "stack", axis)?;
    let first = &items[0];
    let order: Vec<Axis> = first.dims.iter().map(|dim| dim.axis).collect();
    for item in &items[1..] {
        same_axes(first, item, None)?;
    }
    let mut dims = vec![Dim { axis, len: items.len(), stride: 0, origin: Origin(0) }];
    dims.extend_from_slice(&first.dims);
    let count = checked_count(&dims.iter().map(|dim| (dim.axis, dim.len)).collect::<Vec<_>>())?;
    let unit = first.elements();
    with_element!(first.dtype(), T => {
        let mut out = Aligned::<T>::scratch(count);
        if unit > 0 {
            for (item, target) in items.iter().zip(out.chunks_exact_mut(unit)) {
                write_all(item.store::<T>()?, item.offset, &reordered(item, &order)?, target);
            }
        }
        Tensor::dense_over(&dims, out)
    })
}

/// Tensors that differ only in their length along `axis`, one after the other. The order of dims is the first one's.
pub fn concat(items: &[Value], axis: Axis) -> Result<Tensor> {
    let items = tensors(items, "concat", axis)?;
    let first = &items[0];
    let mut parts = Vec::with_capacity(items.len());
    let mut total = 0usize;
    for item in &items {
        same_axes(first, item, Some(axis))?;
        let len = dim_of(item, axis)?.len;
        parts.push((total, axis, item.clone()));
        total = total.checked_add(len).ok_or_else(|| internal("concat is too long"))?;
    }
    let mut dims = first.dims.clone();
    for dim in dims.iter_mut().filter(|dim| dim.axis == axis && items.len() > 1) {
        (dim.len, dim.origin) = (total, Origin(0));
    }
    with_element!(first.dtype(), T => join::<T>(&dims, axis, &parts))
}

fn tensors(items: &[Value], what: &str, axis: Axis) -> Result<Vec<Tensor>> {
    if items.is_empty() {
        return Err(Error::new(code::ARGUMENT, format!("`{what}[{axis}]` of an empty list has no shape")));
    }
    let items = items.iter().map(as_tensor).collect::<Result<Vec<Tensor>>>()?;
    if items.iter().any(|item| item.dtype() != items[0].dtype()) {
        return Err(internal(format!("`{what}` of tensors of different elements")));
    }
    Ok(items)
}

fn same_axes(first: &Tensor, other: &Tensor, except: Option<Axis>) -> Result<()> {
    if first.rank() != other.rank() {
        return Err(internal("tensors that are put together must have the same axes"));
    }
    for dim in &first.dims {
        let found = dim_of(other, dim.axis)?;
        if found.len != dim.len && Some(dim.axis) != except {
            return Err(size_mismatch(dim.axis, dim, &found));
        }
    }
    Ok(())
}

fn reordered(t: &Tensor, order: &[Axis]) -> Result<Vec<Dim>> {
    order.iter().map(|&axis| dim_of(t, axis)).collect()
}

/// A dense result over `dims` with each part at its place along `axis`, which the part calls by a name of its own.
/// What no part covers is zero.
fn join<T: Element>(dims: &[Dim], axis: Axis, parts: &[(usize, Axis, Tensor)]) -> Result<Tensor> {
    let count = checked_count(&dims.iter().map(|dim| (dim.axis, dim.len)).collect::<Vec<_>>())?;
    let place = dims.iter().position(|dim| dim.axis == axis).ok_or_else(|| internal("join along no axis"))?;
    let inner: usize = dims[place + 1..].iter().map(|dim| dim.len).product();
    let slab = dims[place].len * inner;
    let mut sources = Vec::with_capacity(parts.len());
    for (start, own, part) in parts {
        let order: Vec<Axis> = dims.iter().map(|dim| if dim.axis == axis { *own } else { dim.axis }).collect();
        let view = reordered(part, &order)?;
        let len = view[place].len * inner;
        sources.push((start * inner, len, Source::new(part.store::<T>()?, part.offset, &view)));
    }
    let mut out = Aligned::<T>::scratch(count);
    let fill = |number: usize, slab: &mut [T]| {
        let mut covered = 0;
        for (start, len, source) in &sources {
            slab[covered..*start].fill(T::zeroed());
            covered = start + len;
            if *len > 0 {
                source.write(number * len, &mut slab[*start..covered]);
            }
        }
        slab[covered..].fill(T::zeroed());
    };
    if slab > 0 {
        // A slab is one position of the dims outside `axis`; short ones share a task.
        let least = ((1 << 15) / slab).max(1);
        out.par_chunks_mut(slab).with_min_len(least).enumerate().for_each(|(number, slab)| fill(number, slab));
    }
    Tensor::dense_over(dims, out)
}
