//! Operations on chunked operands.
//!
//! What treats the rows along the chunked axis one by one becomes a tensor whose tiles are made when they are read
//! (`local`). What adds up or compares along it is done tile by tile, joined in the order of the tiles in 64 bits
//! (`across`). Rows by number are read from their tiles only. Anything else takes the whole into memory, says so if
//! that is much, and refuses if it is more than there is. None of these choices looks at memory, so bits do not
//! depend on it.

mod across;
mod local;

use crate::base::kernel::Kernel;
use crate::ir::{Op, Type};
use crate::rt::chunked::{Chunked, size_shown};
use crate::rt::ctx::Ctx;
use crate::rt::elementwise::TileFn;
use crate::rt::error::Result;
use crate::rt::index;
use crate::rt::table;
use crate::rt::value::{Items, Value};
use std::sync::Arc;

use super::op;
use local::Work;

/// One operation of which some operand is chunked.
pub fn execute(ctx: &mut Ctx, operation: &Op, args: Vec<Value>, dests: &[&Type]) -> Result<Vec<Value>> {
    if let (Op::Builtin { name: "append_tile", .. }, [Value::Chunked(_), ..]) = (operation, &args[..]) {
        return append(args);
    }
    if let Some(done) = unread(ctx, operation, &args)? {
        return Ok(done);
    }
    if let Some(done) = across::execute(ctx, operation, &args)? {
        return Ok(vec![done]);
    }
    if let Some(done) = by_number(operation, &args)? {
        return Ok(vec![done]);
    }
    if let Some(done) = local::slice(operation, &args)? {
        return Ok(vec![done]);
    }
    let types: Vec<Type> = dests.iter().map(|&ty| ty.clone()).collect();
    if let Some(done) = local::execute(ctx, Work::Op(operation.clone(), types), &args)? {
        return Ok(done);
    }
    let args = plain(args, |text| ctx.world.note(text))?;
    op::dispatch(ctx, operation, args, dests)
}

/// A fused kernel of which some operand is chunked.
pub fn kernel(
    ctx: &Ctx,
    operation: &Op,
    kernel: &Kernel,
    code: Option<TileFn>,
    args: Vec<Value>,
) -> Result<Vec<Value>> {
    // Values may outlive the session whose machine code this is, so tiles are interpreted: the same bits.
    let work = Work::Kernel(operation.clone(), Box::new(kernel.clone()));
    if let Some(done) = local::execute(ctx, work, &args)? {
        return Ok(done);
    }
    op::execute_kernel(ctx, operation, kernel, code, plain(args, |_| {})?)
}

/// What passes values on without reading their elements.
fn unread(ctx: &mut Ctx, operation: &Op, args: &[Value]) -> Result<Option<Vec<Value>>> {
    Ok(match operation {
        Op::Copy(_) => Some(args.to_vec()),
        Op::MakeList(_) => Some(vec![Value::List(Items::new(args.to_vec()))]),
        Op::MakeRecord(_) => Some(vec![Value::Record(Items::new(args.to_vec()))]),
        Op::SizeOf { axis, .. } => Some(vec![Value::Int(length(args, *axis)?)]),
        Op::Builtin { name, axes, .. } if UNREAD.contains(name) => match table::lookup(name) {
            Some(builtin) => Some((builtin.run)(ctx, axes, args)?),
            None => None,
        },
        _ => None,
    })
}

/// One more tile. Where nobody shares what there is so far, nothing of it is copied.
fn append(args: Vec<Value>) -> Result<Vec<Value>> {
    match <[Value; 4]>::try_from(args) {
        Ok([Value::Chunked(mut so_far), next, Value::Int(at), _]) if at > 0 => {
            Arc::make_mut(&mut so_far).append(at as usize, next)?;
            Ok(vec![Value::Chunked(so_far)])
        }
        _ => Err(super::internal("`append_tile` was given something else")),
    }
}

/// Is it a builtin that takes values in any representation and passes them on?
pub fn passes_on(operation: &Op) -> bool {
    matches!(operation, Op::Builtin { name, .. } if UNREAD.contains(name))
}

const UNREAD: &[&str] = &["append_tile", "in_memory", "by_rows", "list_push", "stop"];

/// The length of an axis on which all operands that have it agree.
fn length(args: &[Value], axis: crate::base::axis::Axis) -> Result<i64> {
    let dims: Vec<_> = args.iter().filter_map(|arg| local::dim_of(arg, axis)).collect();
    let Some((first, rest)) = dims.split_first() else {
        return Err(super::internal(format!("no operand has the axis `{axis}`")));
    };
    match rest.iter().find(|dim| dim.len != first.len) {
        Some(other) => Err(crate::rt::tensor::size_mismatch(axis, first, other)),
        None => Ok(first.len as i64),
    }
}

/// One row, or rows by number, of what is cut along their axis.
fn by_number(operation: &Op, args: &[Value]) -> Result<Option<Value>> {
    let (Op::Select { axis, .. } | Op::Gather { axis, .. }) = operation else { return Ok(None) };
    let [Value::Chunked(chunked), places] = args else { return Ok(None) };
    if chunked.axis.axis != *axis {
        return Ok(None);
    }
    match places {
        Value::Int(row) => {
            let inside = usize::try_from(*row).ok().filter(|&row| row < chunked.axis.len);
            let row = inside.ok_or_else(|| index::out_of_bounds(*axis, *row, chunked.axis.len))?;
            match chunked.range(row, row + 1)?.plain()? {
                Value::Tensor(tensor) => index::select(&tensor, *axis, 0).map(Some),
                _ => Err(super::internal("a tile is no tensor")),
            }
        }
        Value::Tensor(places) if places.dims.iter().all(|dim| dim.axis == *axis || chunked.dim(dim.axis).is_none()) => {
            chunked.rows(places).map(|rows| Some(Value::from(rows)))
        }
        _ => Ok(None),
    }
}

/// From so many bytes on, taking the whole into memory is worth a word.
const MUCH: usize = 64 << 20;

fn plain(args: Vec<Value>, mut note: impl FnMut(&str)) -> Result<Vec<Value>> {
    let whole = |arg: Value| {
        if let Value::Chunked(chunked) = &arg
            && chunked.bytes() > MUCH
        {
            note(&told(chunked));
        }
        arg.plain()
    };
    args.into_iter().map(whole).collect()
}

fn told(chunked: &Chunked) -> String {
    let axis = chunked.axis.axis;
    format!("all of `{axis}` is taken into memory at once: {}", size_shown(chunked.bytes()))
}

/// A list of whose items some are not plain tensors, for builtins that join them.
pub fn plain_items(args: Vec<Value>) -> Result<Vec<Value>> {
    let special = |item: &Value| matches!(item, Value::Chunked(_) | Value::Sparse(_));
    let settled = |arg: Value| match arg {
        Value::List(items) if items.iter().any(special) => {
            let items = items.iter().cloned().map(Value::plain).collect::<Result<Vec<Value>>>()?;
            Ok(Value::List(Items::new(items)))
        }
        other => Ok(other),
    };
    args.into_iter().map(settled).collect()
}
