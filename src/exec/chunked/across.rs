//! Reductions, products and sums by group along the chunked axis: every tile gives its part, the parts are joined in
//! the order of the tiles.
//!
//! Sums are joined in 64 bits and rounded once, at the end. A part must never be larger than the result.

use crate::base::axis::Axis;
use crate::base::ops::{DType, ReduceKind, ScalarOp};
use crate::exec::{internal, op};
use crate::ir::{AxisSet, LocalId, Op};
use crate::rt::chunked::Chunked;
use crate::rt::ctx::Ctx;
use crate::rt::error::Result;
use crate::rt::index;
use crate::rt::sparse::Sparse;
use crate::rt::squares;
use crate::rt::sums::GroupSums;
use crate::rt::tensor::{Aligned, Tensor};
use crate::rt::value::Value;
use std::sync::Arc;

use super::local::rows;

/// The result, if the operation is one of these.
pub fn execute(ctx: &mut Ctx, operation: &Op, args: &[Value]) -> Result<Option<Value>> {
    match (operation, args) {
        (Op::Reduce { kind, axes, .. }, [Value::Chunked(x)]) if axes.contains(x.axis.axis) => {
            reduce(ctx, *kind, x, axes).map(Some)
        }
        (Op::Contract { axes, .. }, [a, b]) => match cut_along(args, axes) {
            Some(lead) => contract(ctx, operation, lead, a, b).map(Some),
            None => Ok(None),
        },
        (Op::Builtin { name: "group_sum", axes, .. }, [Value::Chunked(x), ids, n])
            if axes.first() == Some(&x.axis.axis) =>
        {
            group_sum(ctx, x, axes, ids, op::int(std::slice::from_ref(n), 0)?).map(Some)
        }
        (Op::Builtin { name: "group_squares", axes, .. }, [Value::Chunked(x), ids, weight])
            if axes.first() == Some(&x.axis.axis) =>
        {
            group_squares(ctx, x, ids, weight).map(Some)
        }
        _ => Ok(None),
    }
}

/// Sums of the rows of each tile, added to one table.
fn group_sum(ctx: &mut Ctx, x: &Chunked, axes: &[Axis], ids: &Value, n: i64) -> Result<Value> {
    let &[axis, group] = axes else { return Err(internal("groups without an axis")) };
    let mut sums: Option<GroupSums> = None;
    for number in 0..x.count() {
        ctx.check_interrupt()?;
        let (lo, hi) = x.bounds(number);
        let tile = x.tile(number)?;
        let own = rows(ctx, ids, axis, lo, hi)?.plain()?;
        let ids = op::tensor(std::slice::from_ref(&own), 0)?;
        let sums = match &mut sums {
            Some(sums) => sums,
            None => sums.insert(GroupSums::new(&x.dims, axis, group, n)?),
        };
        sums.add(&tile, ids)?;
    }
    sums.ok_or_else(|| internal("a tensor without tiles"))?.finish().map(Value::from)
}

/// Squares of the sums of groups, which have members in many tiles: of sparse rows by going through the tiles again
/// and again, of dense ones by the columns of all rows that fit into `COLUMN_BYTES`.
fn group_squares(ctx: &mut Ctx, x: &Chunked, ids: &Value, weight: &Value) -> Result<Value> {
    let (ids, weight) = (ids.clone().plain()?, weight.clone().plain()?);
    let both = [ids, weight];
    let (ids, weight) = (op::tensor(&both, 0)?, op::tensor(&both, 1)?);
    let axis = x.axis.axis;
    let first = x.tile(0)?;
    if let Value::Sparse(code) = &first
        && code.rows.len() == 1
    {
        let along = code.along;
        let mut pieces = |see: &mut dyn FnMut(&Sparse, usize) -> Result<()>| {
            for number in 0..x.count() {
                ctx.check_interrupt()?;
                match x.tile(number)? {
                    Value::Sparse(code) if code.rows.len() == 1 && code.along.axis == along.axis => {
                        see(&code, x.bounds(number).0)?;
                    }
                    other => see(&Sparse::of_dense(&dense(other)?, along.axis)?, x.bounds(number).0)?,
                }
            }
            Ok(())
        };
        let found = squares::of_entries(&mut pieces, along.len, x.axis.len, axis, ids, weight)?;
        return Tensor::dense_over(&[along], Aligned::from_slice(&found)).map(Value::from);
    }
    squares_of_dense(ctx, x, ids, weight)
}

/// Columns of one axis that are in memory at once, of all rows.
const COLUMN_BYTES: usize = 16 << 20;

/// Some indices of the first other axis at a time; a tensor that has no other axis is a single column.
fn squares_of_dense(ctx: &mut Ctx, x: &Chunked, ids: &Tensor, weight: &Tensor) -> Result<Value> {
    let axis = x.axis.axis;
    let Some(other) = x.dims.iter().find(|dim| dim.axis != axis) else {
        return squares::group_squares(&x.whole()?, axis, ids, weight).map(Value::from);
    };
    let width = (x.bytes() / other.len.max(1)).max(1);
    let block = (COLUMN_BYTES / width).clamp(1, other.len.max(1));
    let mut parts = Vec::new();
    for lo in (0..other.len.max(1)).step_by(block) {
        let hi = (lo + block).min(other.len);
        let mut columns = Vec::with_capacity(x.count());
        for number in 0..x.count() {
            ctx.check_interrupt()?;
            let tile = dense(x.tile(number)?)?;
            let part = index::slice(&tile, other.axis, other.axis, lo as i64, hi as i64)?;
            columns.push(Value::Tensor(part.copied()?));
        }
        let columns = index::concat(&columns, axis)?;
        parts.push(Value::Tensor(squares::group_squares(&columns, axis, ids, weight)?));
    }
    index::concat(&parts, other.axis).map(Value::from)
}

fn dense(tile: Value) -> Result<Tensor> {
    match tile.plain()? {
        Value::Tensor(tile) => Ok(tile),
        _ => Err(internal("a tile is no tensor")),
    }
}

/// The operand that is cut along an axis that the product sums over.
fn cut_along<'a>(args: &'a [Value], axes: &AxisSet) -> Option<&'a Arc<Chunked>> {
    args.iter().find_map(|arg| match arg {
        Value::Chunked(chunked) if axes.contains(chunked.axis.axis) => Some(chunked),
        _ => None,
    })
}

fn one(ctx: &mut Ctx, operation: &Op, args: Vec<Value>) -> Result<Value> {
    op::execute(ctx, operation, args, &[])?.into_iter().next().ok_or_else(|| internal("an operation without a result"))
}

fn elementwise(ctx: &mut Ctx, op: ScalarOp, args: Vec<Value>) -> Result<Value> {
    one(ctx, &Op::Elem { op, args: vec![LocalId(0); args.len()] }, args)
}

/// Joins the parts of all tiles.
fn joined(
    ctx: &mut Ctx,
    x: &Chunked,
    mut part: impl FnMut(&mut Ctx, usize, usize) -> Result<Value>,
    mut join: impl FnMut(&mut Ctx, Value, Value) -> Result<Value>,
) -> Result<Value> {
    let (lo, hi) = x.bounds(0);
    let mut so_far = part(ctx, lo, hi)?;
    for number in 1..x.count() {
        ctx.check_interrupt()?;
        let (lo, hi) = x.bounds(number);
        let next = part(ctx, lo, hi)?;
        so_far = join(ctx, so_far, next)?;
    }
    Ok(so_far)
}

fn sum(ctx: &mut Ctx, x: &Chunked, part: impl FnMut(&mut Ctx, usize, usize) -> Result<Value>) -> Result<Value> {
    joined(ctx, x, part, |ctx, a, b| elementwise(ctx, ScalarOp::Add, vec![a, b]))
}

fn reduce(ctx: &mut Ctx, kind: ReduceKind, x: &Arc<Chunked>, axes: &AxisSet) -> Result<Value> {
    use ReduceKind::*;
    let over = |kind: ReduceKind| Op::Reduce { kind, arg: LocalId(0), axes: axes.clone() };
    let part = |operation: Op| {
        let x = x.clone();
        move |ctx: &mut Ctx, lo: usize, hi: usize| one(ctx, &operation, vec![x.range(lo, hi)?])
    };
    match kind {
        Sum if matches!(x.dtype, DType::F32) => {
            let total = sum(ctx, x, part(over(SumF64)))?;
            elementwise(ctx, ScalarOp::Cast(DType::F32), vec![total])
        }
        Sum | SumF64 | Count => sum(ctx, x, part(over(kind))),
        Max => joined(ctx, x, part(over(Max)), |ctx, a, b| elementwise(ctx, ScalarOp::Max, vec![a, b])),
        Min => joined(ctx, x, part(over(Min)), |ctx, a, b| elementwise(ctx, ScalarOp::Min, vec![a, b])),
        Any => joined(ctx, x, part(over(Any)), |ctx, a, b| elementwise(ctx, ScalarOp::Or, vec![a, b])),
        All => joined(ctx, x, part(over(All)), |ctx, a, b| elementwise(ctx, ScalarOp::And, vec![a, b])),
        ArgMax | ArgMin => place(ctx, kind, x, axes),
    }
}

/// Where the extreme is: a later tile wins only if its extreme is better.
fn place(ctx: &mut Ctx, kind: ReduceKind, x: &Arc<Chunked>, axes: &AxisSet) -> Result<Value> {
    let (value, better) = match kind {
        ReduceKind::ArgMax => (ReduceKind::Max, ScalarOp::Gt),
        _ => (ReduceKind::Min, ScalarOp::Lt),
    };
    let over = |kind: ReduceKind| Op::Reduce { kind, arg: LocalId(0), axes: axes.clone() };
    let mut best: Option<(Value, Value)> = None;
    for number in 0..x.count() {
        ctx.check_interrupt()?;
        let (lo, hi) = x.bounds(number);
        let tile = x.range(lo, hi)?;
        let at = one(ctx, &over(kind), vec![tile.clone()])?;
        let at = elementwise(ctx, ScalarOp::Add, vec![at, Value::Int(lo as i64)])?;
        let found = one(ctx, &over(value), vec![tile])?;
        best = Some(match best {
            None => (found, at),
            Some((old, old_at)) => {
                let wins = elementwise(ctx, better, vec![found.clone(), old.clone()])?;
                let kept = elementwise(ctx, ScalarOp::Where, vec![wins.clone(), found, old])?;
                (kept, elementwise(ctx, ScalarOp::Where, vec![wins, at, old_at])?)
            }
        });
    }
    best.map(|(_, at)| at).ok_or_else(|| internal("a tensor without tiles"))
}

/// The products of the tiles, added in 64 bits.
fn contract(ctx: &mut Ctx, operation: &Op, lead: &Arc<Chunked>, a: &Value, b: &Value) -> Result<Value> {
    let axis: Axis = lead.axis.axis;
    for side in [a, b] {
        match super::local::dim_of(side, axis) {
            Some(dim) if dim.len != lead.axis.len => {
                return Err(crate::rt::tensor::size_mismatch(axis, &lead.axis, &dim));
            }
            _ => {}
        }
    }
    let part = |ctx: &mut Ctx, lo: usize, hi: usize| {
        let args = vec![rows(ctx, a, axis, lo, hi)?, rows(ctx, b, axis, lo, hi)?];
        let product = one(ctx, operation, args)?.plain()?;
        elementwise(ctx, ScalarOp::Cast(DType::F64), vec![product])
    };
    let total = sum(ctx, lead, part)?;
    elementwise(ctx, ScalarOp::Cast(lead.dtype), vec![total])
}
