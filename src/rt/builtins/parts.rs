//! Assignment to a part of a tensor.

use super::super::ctx::Ctx;
use super::super::error::{Error, Result, code};
use super::super::index::out_of_bounds;
use super::super::table::Builtin;
use super::super::tensor::{Dim, Element, Tensor};
use super::super::value::Value;
use super::{Args, one};
use crate::base::axis::Axis;
use crate::base::ops::DType;
use ndarray::{ArrayViewMutD, IxDyn, ShapeBuilder};
use std::sync::Arc;

pub const TABLE: &[Builtin] = &[Builtin { name: "set_index", run: set_index }, Builtin { name: "stop", run: stop }];

/// stop(; x) -> x, through which no gradient flows
fn stop(_: &mut Ctx, _: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("stop", values, 1)?;
    one(args.value(0).clone())
}

/// set_index(axes..; x, an index for each axis.., part) -> x with that part replaced; the part has the other axes of x
fn set_index(_: &mut Ctx, axes: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("set_index", values, axes.len() + 2)?;
    let mut made = args.tensor(0)?.copied()?;
    let mut rest = made.dims.clone();
    let mut offset = made.offset;
    for (number, &axis) in axes.iter().enumerate() {
        let place = rest.iter().position(|dim| dim.axis == axis);
        let dim = rest.remove(place.ok_or_else(|| args.fault(format!("has no axis `{axis}` to assign to")))?);
        let index = args.int(number + 1)?;
        let inside = usize::try_from(index).ok().filter(|&index| index < dim.len);
        let inside = inside.ok_or_else(|| out_of_bounds(axis, index, dim.len))?;
        offset += inside * dim.stride as usize;
    }
    let part = part_of(&args, axes.len() + 1, &rest)?;
    if part.dtype() != made.dtype() {
        return Err(args.fault("was given a part of another element type"));
    }
    match made.dtype() {
        DType::F32 => assign::<f32>(&mut made, &rest, offset, &part)?,
        DType::F64 => assign::<f64>(&mut made, &rest, offset, &part)?,
        DType::I64 => assign::<i64>(&mut made, &rest, offset, &part)?,
        DType::Bool => assign::<u8>(&mut made, &rest, offset, &part)?,
    }
    one(made)
}

/// The replacing part, its axes in the order of `rest`.
fn part_of(args: &Args, number: usize, rest: &[Dim]) -> Result<Tensor> {
    let part = match args.value(number) {
        Value::Tensor(tensor) => tensor.in_order(&rest.iter().map(|dim| dim.axis).collect::<Vec<_>>())?,
        Value::Int(x) => Tensor::from_slice(&[], &[*x])?,
        Value::F32(x) => Tensor::from_slice(&[], &[*x])?,
        Value::F64(x) => Tensor::from_slice(&[], &[*x])?,
        Value::Bool(x) => Tensor::from_slice(&[], &[*x as u8])?,
        _ => return Err(args.wrong(number, "a tensor or a scalar")),
    };
    if part.rank() != rest.len() {
        return Err(args.fault(format!("was given a part over [{}]", part.axes_shown())));
    }
    for (own, dim) in part.dims.iter().zip(rest) {
        if own.len != dim.len {
            return Err(super::super::tensor::size_mismatch(dim.axis, dim, own));
        }
    }
    Ok(part)
}

fn assign<T: Element>(made: &mut Tensor, rest: &[Dim], offset: usize, part: &Tensor) -> Result<()> {
    let fault = |text: &str| Error::new(code::INTERNAL, format!("builtin `set_index`: {text}"));
    let buffer = T::open_mut(&mut made.buffer).ok_or_else(|| fault("another element type"))?;
    // The copy is ours alone.
    let raw = Arc::get_mut(buffer).ok_or_else(|| fault("a shared copy"))?;
    let shape: Vec<usize> = rest.iter().map(|dim| dim.len).collect();
    let strides: Vec<usize> = rest.iter().map(|dim| dim.stride as usize).collect();
    let start = raw.get_mut(offset..).unwrap_or_default();
    let mut target = ArrayViewMutD::from_shape(IxDyn(&shape).strides(IxDyn(&strides)), start)
        .map_err(|cause| fault(&cause.to_string()))?;
    target.assign(&part.view::<T>()?);
    Ok(())
}
