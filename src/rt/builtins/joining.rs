//! Lists of tensors as one tensor.

use super::super::ctx::Ctx;
use super::super::error::Result;
use super::super::index;
use super::super::table::Builtin;
use super::super::value::Value;
use super::{Args, one};
use crate::base::axis::Axis;

pub const TABLE: &[Builtin] = &[Builtin { name: "stack", run: stack }, Builtin { name: "concat", run: concat }];

/// stack(axis; list) -> the items one after the other along a new axis
fn stack(_: &mut Ctx, axes: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("stack", values, 1)?;
    let [axis] = args.axes(axes)?;
    one(index::stack(items(&args)?, axis)?)
}

/// concat(axis; list) -> the items joined along an axis that they have
fn concat(_: &mut Ctx, axes: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("concat", values, 1)?;
    let [axis] = args.axes(axes)?;
    one(index::concat(items(&args)?, axis)?)
}

/// An empty list does not say which axes and what type the result would have.
fn items<'a>(args: &Args<'a>) -> Result<&'a [Value]> {
    match args.list(0)? {
        [] => Err(args.senseless("needs at least one item")),
        items => Ok(items),
    }
}
