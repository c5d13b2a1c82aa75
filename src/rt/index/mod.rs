//! Indexing and reshaping: views that share the buffer, and the copies that cannot be views.
//!
//! All of them work on any strides and any element type, and keep the origins of lengths. An index from data is
//! checked before it is used; nothing here computes on elements, except that `scatter_add` adds.

mod add;
mod gather;
mod join;
mod scatter;
#[cfg(test)]
mod tests;
mod views;

pub use add::add_at;
pub use gather::gather;
pub use join::{concat, pad, stack};
pub use scatter::scatter_add;
pub use views::{expand, merge, range_outside, rename, select, size_of, slice, split};

use super::error::{Error, Result, code};
use super::tensor::{Dim, Tensor, size_mismatch};
use super::value::Value;
use super::walk::Walk;
use crate::base::axis::Axis;

/// The dim of an axis that the checker promised.
fn dim_of(t: &Tensor, axis: Axis) -> Result<Dim> {
    t.dim(axis)
        .copied()
        .ok_or_else(|| Error::new(code::INTERNAL, format!("a tensor over [{}] has no axis `{axis}`", t.axes_shown())))
}

fn internal(message: impl Into<String>) -> Error {
    Error::new(code::INTERNAL, message)
}

/// The error for an index outside its axis.
pub fn out_of_bounds(axis: Axis, index: i64, len: usize) -> Error {
    let error = Error::new(code::BOUNDS, format!("index {index} is outside axis `{axis}`, which has length {len}"));
    match len {
        0 => error.note("note", format!("`{axis}` is empty")),
        _ => error.note("needed", format!("0 to {}", len - 1)),
    }
}

/// Are all elements of an index tensor in `0..len`? The error names the first that is not, in physical order.
fn check_indices(indices: &Tensor, axis: Axis, len: usize) -> Result<()> {
    let values = indices.store::<i64>()?;
    let walk = Walk::new(indices.dims.iter().map(|dim| (dim.len, [dim.stride])));
    let (_, [step]) = walk.inner();
    let mut wrong = None;
    walk.runs(0, walk.count(), |[offset], n| {
        if wrong.is_some() {
            return;
        }
        let first = indices.offset + offset as usize;
        if step == 1 {
            let run = &values[first..first + n];
            // Without an early exit the loop runs over vectors; the index is looked for only if there is one.
            if !run.iter().fold(true, |fine, &i| fine & ((i as u64) < len as u64)) {
                wrong = run.iter().copied().find(|&i| i as u64 >= len as u64);
            }
        } else {
            let mut run = (0..n).map(|j| values[(first as isize + j as isize * step) as usize]);
            wrong = run.find(|&i| i as u64 >= len as u64);
        }
    });
    wrong.map_or(Ok(()), |index| Err(out_of_bounds(axis, index, len)))
}

/// All axes that both have must have one length in both.
fn check_shared(a: &Tensor, b: &Tensor, except: &[Axis]) -> Result<()> {
    for dim in &a.dims {
        if let Some(other) = b.dim(dim.axis).filter(|other| other.len != dim.len && !except.contains(&dim.axis)) {
            return Err(size_mismatch(dim.axis, dim, other));
        }
    }
    Ok(())
}

/// A scalar as a tensor without axes, or the tensor itself. Only for numbers and bools.
fn as_tensor(value: &Value) -> Result<Tensor> {
    let one = |buffer| Tensor { dims: Vec::new(), offset: 0, buffer };
    use super::tensor::{Aligned, Element};
    Ok(match value {
        Value::Tensor(tensor) => tensor.clone(),
        Value::F32(x) => one(f32::wrap(Aligned::from_slice(&[*x]))),
        Value::F64(x) => one(f64::wrap(Aligned::from_slice(&[*x]))),
        Value::Int(x) => one(i64::wrap(Aligned::from_slice(&[*x]))),
        Value::Bool(x) => one(u8::wrap(Aligned::from_slice(&[*x as u8]))),
        _ => return Err(internal("a number or tensor was expected here")),
    })
}
