//! Tensors from nothing, and the check that makes an int an index.

use super::super::ctx::Ctx;
use super::super::error::{Error, Result, code};
use super::super::index::out_of_bounds;
use super::super::table::Builtin;
use super::super::tensor::{Aligned, Tensor, checked_count};
use super::super::value::Value;
use super::{Args, one};
use crate::base::axis::Axis;

pub const TABLE: &[Builtin] = &[
    Builtin { name: "full", run: full },
    Builtin { name: "iota", run: iota },
    Builtin { name: "index_check", run: index_check },
];

/// An error if the tensor would be larger than the limit of the run.
pub fn reserve(ctx: &Ctx, shape: &[(Axis, usize)], bytes: usize) -> Result<()> {
    let needed = checked_count(shape)?.saturating_mul(bytes);
    if needed <= ctx.memory_limit {
        return Ok(());
    }
    let shown: Vec<String> = shape.iter().map(|(axis, length)| format!("{axis} = {length}")).collect();
    let message =
        format!("a tensor over [{}] needs {needed} bytes; the limit is {}", shown.join(", "), ctx.memory_limit);
    Err(Error::new(code::MEMORY, message))
}

/// full(axes..; value, lengths..) -> tensor of the value's type
fn full(ctx: &mut Ctx, axes: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::at_least("full", values, 1)?;
    let shape = args.shape(axes, 1)?;
    let count = checked_count(&shape)?;
    let made = match args.value(0) {
        Value::F32(x) => reserve(ctx, &shape, 4).and_then(|_| Tensor::dense(&shape, repeated(*x, count))),
        Value::F64(x) => reserve(ctx, &shape, 8).and_then(|_| Tensor::dense(&shape, repeated(*x, count))),
        Value::Int(x) => reserve(ctx, &shape, 8).and_then(|_| Tensor::dense(&shape, repeated(*x, count))),
        Value::Bool(x) => reserve(ctx, &shape, 1).and_then(|_| Tensor::dense(&shape, repeated(*x as u8, count))),
        _ => Err(args.wrong(0, "a scalar")),
    };
    one(made?)
}

fn repeated<T: bytemuck::Pod + PartialEq>(x: T, count: usize) -> Aligned<T> {
    let mut out = Aligned::zeros(count);
    // Fresh memory is zero already, and untouched pages cost nothing. (-0.0 equals 0.0, hence the bytes.)
    if bytemuck::bytes_of(&x).iter().any(|&byte| byte != 0) {
        out.fill(x);
    }
    out
}

/// iota(axis; length) -> int tensor 0, 1, 2, ..
fn iota(ctx: &mut Ctx, axes: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("iota", values, 1)?;
    let [axis] = args.axes(axes)?;
    let length = args.length(0)?;
    reserve(ctx, &[(axis, length)], 8)?;
    let mut out = Aligned::<i64>::zeros(length);
    out.iter_mut().enumerate().for_each(|(place, slot)| *slot = place as i64);
    one(Tensor::dense(&[(axis, length)], out)?)
}

/// index_check(axis; i, length) -> i, if all of it lies in 0..length
fn index_check(_: &mut Ctx, axes: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("index_check", values, 2)?;
    let [axis] = args.axes(axes)?;
    let length = args.int(1)?;
    let bad = match args.value(0) {
        Value::Int(x) => Some(*x).filter(|x| !(0..length).contains(x)),
        Value::Tensor(tensor) => tensor.view::<i64>()?.iter().copied().find(|x| !(0..length).contains(x)),
        _ => return Err(args.wrong(0, "an int")),
    };
    match bad {
        Some(found) => Err(out_of_bounds(axis, found, usize::try_from(length).unwrap_or(0))),
        None => one(args.value(0).clone()),
    }
}
