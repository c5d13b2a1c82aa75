//! Tensors in tiles: put together part by part, taken into memory, laid out for reading single rows.

use super::super::chunked::Chunked;
use super::super::ctx::Ctx;
use super::super::error::Result;
use super::super::table::Builtin;
use super::super::tensor::Tensor;
use super::super::value::Value;
use super::{Args, one};
use crate::base::axis::Axis;
use std::sync::Arc;

pub const TABLE: &[Builtin] = &[
    Builtin { name: "append_tile", run: append_tile },
    Builtin { name: "in_memory", run: in_memory },
    Builtin { name: "by_rows", run: by_rows },
];

/// append_tile(axis; so far, the next part, where it begins, the whole length) -> both. A part that is the whole is
/// the result, an ordinary tensor.
fn append_tile(_: &mut Ctx, axes: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("append_tile", values, 4)?;
    let [axis] = args.axes(axes)?;
    let (at, len) = (args.length(2)?, args.length(3)?);
    let next = args.value(1).clone();
    let own = length_along(&next, axis).ok_or_else(|| args.fault("was given a part without its axis"))?;
    if at == 0 && own == len {
        return one(next);
    }
    if at == 0 {
        return one(Value::Chunked(Arc::new(Chunked::begin(axis, len, next)?)));
    }
    // The others are put behind it where operands can be taken: see `exec::chunked`.
    Err(args.fault("has nothing to put a part behind"))
}

fn length_along(value: &Value, axis: Axis) -> Option<usize> {
    let in_tensor = |tensor: &Tensor| tensor.dim(axis).map(|dim| dim.len);
    match value {
        Value::Tensor(tensor) => in_tensor(tensor),
        Value::Sparse(sparse) => {
            sparse.rows.iter().chain([&sparse.along]).find(|dim| dim.axis == axis).map(|dim| dim.len)
        }
        Value::Chunked(chunked) => chunked.dim(axis).map(|dim| dim.len),
        _ => None,
    }
}

/// in_memory(; x) -> x, whole if it was in tiles
fn in_memory(_: &mut Ctx, _: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("in_memory", values, 1)?;
    match args.value(0) {
        Value::Chunked(chunked) => one(chunked.range(0, chunked.axis.len)?),
        other => one(other.clone()),
    }
}

/// by_rows(axis; x) -> x; if it was in tiles along the axis, they are kept so that single rows can be read
fn by_rows(_: &mut Ctx, axes: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("by_rows", values, 1)?;
    let [axis] = args.axes(axes)?;
    match args.value(0) {
        Value::Chunked(chunked) if chunked.axis.axis == axis => one(Value::Chunked(Arc::new(chunked.by_rows()?))),
        other => one(other.clone()),
    }
}
