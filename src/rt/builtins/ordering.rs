//! Order along an axis, and sums by group.

use super::super::ctx::Ctx;
use super::super::error::Result;
use super::super::sparse::top;
use super::super::table::Builtin;
use super::super::value::Value;
use super::super::{grouping, select, squares};
use super::{Args, one};
use crate::base::axis::Axis;
use crate::base::ops::DType;
use std::sync::Arc;

pub const TABLE: &[Builtin] = &[
    Builtin { name: "keep_top", run: keep_top },
    Builtin { name: "top", run: top },
    Builtin { name: "sort", run: sort },
    Builtin { name: "argsort", run: argsort },
    Builtin { name: "cumsum", run: cumsum },
    Builtin { name: "group_sum", run: group_sum },
    Builtin { name: "group_squares", run: group_squares },
    Builtin { name: "dense_ids", run: dense_ids },
];

/// How many of an axis: from zero to all.
fn count(args: &Args, number: usize, axis: Axis) -> Result<i64> {
    let wanted = args.int(number)?;
    select::check_count(args.name, wanted, axis, args.tensor(0)?.len(axis)?)?;
    Ok(wanted)
}

/// keep_top(axis; x, k) -> x with all but the k largest along the axis set to zero; sparse if there are rows
fn keep_top(_: &mut Ctx, axes: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("keep_top", values, 2)?;
    let [axis] = args.axes(axes)?;
    let (x, k) = (args.tensor(0)?, count(&args, 1, axis)?);
    if x.rank() < 2 || x.dtype() == DType::I64 {
        return one(select::keep_top(x, axis, k)?);
    }
    Ok(vec![Value::Sparse(Arc::new(top::keep_top(x, axis, k)?))])
}

/// top(axis, to; x, n) -> the indices of the n largest
fn top(_: &mut Ctx, axes: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("top", values, 2)?;
    let [axis, to] = args.axes(axes)?;
    one(select::top(args.tensor(0)?, axis, to, count(&args, 1, axis)?)?)
}

/// sort(axis; x) -> x in increasing order
fn sort(_: &mut Ctx, axes: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("sort", values, 1)?;
    let [axis] = args.axes(axes)?;
    one(select::sort(args.tensor(0)?, axis)?)
}

/// argsort(axis, to; x) -> the indices that sort x
fn argsort(_: &mut Ctx, axes: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("argsort", values, 1)?;
    let [axis, to] = args.axes(axes)?;
    one(select::argsort(args.tensor(0)?, axis, to)?)
}

/// cumsum(axis; x) -> running sums
fn cumsum(_: &mut Ctx, axes: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("cumsum", values, 1)?;
    let [axis] = args.axes(axes)?;
    one(select::cumsum(args.tensor(0)?, axis)?)
}

/// group_sum(axis, group; x, ids, n) -> f64 tensor of the sums of n groups
fn group_sum(_: &mut Ctx, axes: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("group_sum", values, 3)?;
    let [axis, group] = args.axes(axes)?;
    let n = args.length(2)? as i64;
    one(grouping::group_sum(args.tensor(0)?, axis, group, args.tensor(1)?, n)?)
}

/// group_squares(axis; x, ids, weight) -> f64: the weighted sum over groups of the squares of their sums
fn group_squares(_: &mut Ctx, axes: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("group_squares", values, 3)?;
    let [axis, _] = args.axes(axes)?;
    one(squares::group_squares(args.tensor(0)?, axis, args.tensor(1)?, args.tensor(2)?)?)
}

/// dense_ids(axis; ids) -> (ids from 0 on, how many there are)
fn dense_ids(_: &mut Ctx, axes: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("dense_ids", values, 1)?;
    let [_] = args.axes(axes)?;
    let (ids, n) = grouping::dense_ids(args.tensor(0)?)?;
    Ok(vec![ids.into(), n.into()])
}
