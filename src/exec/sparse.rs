//! Operations on sparse operands: those that have a way of their own, and the dense one for the rest.
//!
//! Which way an operation goes follows from the operation, its scalars and the shapes, never from elements. A way
//! that does not apply gives `None`; the dense form then computes, or finds the words for what is wrong.

use crate::base::axis::Axis;
use crate::base::kernel::Kernel;
use crate::base::ops::ScalarOp;
use crate::ir::{Op, Type};
use crate::rt::ctx::Ctx;
use crate::rt::elementwise::{self, TileFn};
use crate::rt::error::Result;
use crate::rt::sparse::top::{self, Finish};
use crate::rt::sparse::{Sparse, decode, gradient, group, map, reduce, sampled, views};
use crate::rt::value::Value;
use crate::rt::{contract, index, select, squares};
use std::sync::Arc;

use super::op;
use super::zero::{self, Known};

/// One operation of which some operand is sparse.
pub fn execute(ctx: &mut Ctx, operation: &Op, args: Vec<Value>, dests: &[&Type]) -> Result<Vec<Value>> {
    match operation {
        Op::Copy(_) => return Ok(args),
        Op::Kernel { kernel, .. } => return self::kernel(ctx, operation, kernel, None, args),
        Op::Elem { op, .. } => {
            if let Some(single) = single(*op, &args) {
                return self::kernel(ctx, operation, &single, None, args);
            }
        }
        Op::Sampled { axes, .. } if matches!(&args[..], [Value::Tensor(_), Value::Tensor(_), _]) => {
            return at_pattern(axes.as_slice(), &args).map(|value| vec![value]);
        }
        Op::SizeOf { axis, .. } => {
            let outlines = args.iter().map(outline).collect::<Result<Vec<Value>>>()?;
            return Ok(vec![Value::Int(index::size_of(&outlines.iter().collect::<Vec<&Value>>(), *axis)?)]);
        }
        _ => {
            if let Some(value) = own_way(operation, &args)? {
                return Ok(vec![value]);
            }
        }
    }
    op::dispatch(ctx, operation, plain(args)?, dests)
}

/// A fused kernel of which some operand is sparse. Outputs that are 0 where nothing is kept are computed there only.
pub fn kernel(
    ctx: &Ctx,
    operation: &Op,
    kernel: &Kernel,
    code: Option<TileFn>,
    args: Vec<Value>,
) -> Result<Vec<Value>> {
    let stays = zero::outputs(kernel, &known(kernel, &args));
    if !stays.contains(&true) {
        return op::execute_kernel(ctx, operation, kernel, code, plain(args)?);
    }
    let Some(sparse) = on_entries(kernel, code, &args)? else {
        return op::execute_kernel(ctx, operation, kernel, code, plain(args)?);
    };
    if !stays.contains(&false) {
        return Ok(sparse);
    }
    let dense = op::execute_kernel(ctx, operation, kernel, code, plain(args)?)?;
    Ok(stays.iter().zip(sparse.into_iter().zip(dense)).map(|(&stays, (s, d))| if stays { s } else { d }).collect())
}

/// What is known of the operands where nothing is kept: sparse ones are 0, scalars and repeated numbers are what
/// they are.
fn known(kernel: &Kernel, args: &[Value]) -> Vec<Known> {
    let of = |(arg, &dtype): (&Value, _)| match arg {
        Value::Sparse(_) => zero::number(0.0, dtype),
        Value::Tensor(tensor) if tensor.dims.iter().all(|dim| dim.stride == 0) => Some(tensor.scalar()),
        Value::Tensor(_) => None,
        scalar => elementwise::scalar(ScalarOp::Cast(dtype), std::slice::from_ref(scalar)).ok(),
    };
    args.iter().zip(&kernel.inputs).map(of).collect()
}

/// The kernel on the entries that any sparse operand keeps; `None` if the shapes do not allow it.
fn on_entries(kernel: &Kernel, code: Option<TileFn>, args: &[Value]) -> Result<Option<Vec<Value>>> {
    let sparse: Vec<&Sparse> = args.iter().filter_map(sparse).collect();
    let Some((&first, rest)) = sparse.split_first() else { return Ok(None) };
    let readable = |arg: &Value| !matches!(arg, Value::Tensor(tensor) if !map::readable(first, tensor));
    if !rest.iter().all(|other| map::aligned(first, other)) || !args.iter().all(readable) {
        return Ok(None);
    }
    let mut spread = map::together(&sparse)?.into_iter();
    let Some(lead) = spread.as_slice().first().cloned() else { return Ok(None) };
    let mut listed = Vec::with_capacity(args.len());
    for arg in args {
        listed.push(match arg {
            Value::Sparse(own) => Value::Tensor(map::listed(spread.next().as_ref().unwrap_or(own))),
            Value::Tensor(tensor) => Value::Tensor(map::at_entries(&lead, tensor)?),
            scalar => scalar.clone(),
        });
    }
    let results = elementwise::run(kernel, code, listed)?;
    let back = |value| match value {
        Value::Tensor(list) => Ok(Value::Sparse(Arc::new(lead.with_values(list.buffer)))),
        other => Ok(other),
    };
    results.into_iter().map(back).collect::<Result<Vec<Value>>>().map(Some)
}

/// A single operation as a kernel; `None` if an operand is no number.
fn single(operation: ScalarOp, args: &[Value]) -> Option<Kernel> {
    let dtype = |arg: &Value| match arg {
        Value::Sparse(sparse) => Some(sparse.dtype()),
        other => op::dtype(other).ok(),
    };
    let inputs = args.iter().map(dtype).collect::<Option<Vec<_>>>()?;
    let scalar = args.iter().map(|arg| !matches!(arg, Value::Tensor(_) | Value::Sparse(_))).collect();
    Some(Kernel::single(operation, inputs, scalar))
}

/// Operations with one result that need no dense form. `None`: there is no such way.
fn own_way(operation: &Op, args: &[Value]) -> Result<Option<Value>> {
    if let Op::Contract { axes, .. } = operation {
        return product(args, axes.as_slice());
    }
    let Some(Value::Sparse(code)) = args.first() else { return Ok(None) };
    let int = |at: usize| match args.get(at) {
        Some(Value::Int(x)) => Some(*x),
        _ => None,
    };
    Ok(match operation {
        Op::Reduce { kind, axes, .. } => reduce::reduce(*kind, code, axes.as_slice())?,
        Op::Select { axis, .. } | Op::Gather { axis, .. } => match args.get(1) {
            Some(Value::Tensor(places)) => views::gather(code, *axis, places)?,
            Some(Value::Int(place)) => views::select(code, *axis, *place)?,
            _ => None,
        },
        Op::Slice { axis, to, .. } => match (int(1), int(2)) {
            (Some(lo), Some(hi)) => views::slice(code, *axis, *to, lo, hi)?.map(shared),
            _ => None,
        },
        Op::Rename { from, to, .. } => Some(shared(views::rename(code, *from, *to)?)),
        Op::Merge { from, to, .. } => views::merge(code, from, *to).map(shared),
        Op::Split { from, to, .. } => {
            let sizes: Option<Vec<i64>> = (1..args.len()).map(int).collect();
            sizes.and_then(|sizes| views::split(code, *from, to, &sizes)).map(shared)
        }
        Op::Builtin { name: "stop", .. } => args.first().cloned(),
        Op::Builtin { name: "group_sum", axes, .. } => match (&axes[..], args.get(1), int(2)) {
            (&[axis, group], Some(Value::Tensor(ids)), Some(n)) => {
                group::group_sum(code, axis, group, ids, n)?.map(Value::from)
            }
            _ => None,
        },
        Op::Builtin { name: "group_squares", axes, .. } => match (&axes[..], args.get(1), args.get(2)) {
            (&[axis, _], Some(Value::Tensor(ids)), Some(Value::Tensor(weight))) => {
                squares::of_code(code, axis, ids, weight)?.map(Value::from)
            }
            _ => None,
        },
        _ => None,
    })
}

fn shared(sparse: Sparse) -> Value {
    Value::Sparse(Arc::new(sparse))
}

/// A product of a sparse and a dense tensor: over the kept axis, or over all rows.
fn product(args: &[Value], axes: &[Axis]) -> Result<Option<Value>> {
    let (code, dense) = match args {
        [Value::Sparse(code), Value::Tensor(dense)] | [Value::Tensor(dense), Value::Sparse(code)] => (code, dense),
        _ => return Ok(None),
    };
    if decode::covers(code, dense, axes) {
        return decode::decode(code, dense, axes).map(|found| Some(found.into()));
    }
    if gradient::covers(code, dense, axes) {
        return gradient::by_feature(code, dense, axes).map(|found| Some(found.into()));
    }
    Ok(None)
}

/// A product at the entries of a pattern; the whole product where that is not possible.
fn at_pattern(axes: &[Axis], args: &[Value]) -> Result<Value> {
    let (a, b) = (op::tensor(args, 0)?, op::tensor(args, 1)?);
    match args.get(2) {
        Some(Value::Sparse(pattern)) if sampled::covers(a, b, axes, pattern) => {
            sampled::sampled(a, b, axes, pattern).map(shared)
        }
        _ => contract::contract(a, b, axes),
    }
}

/// A product, what finishes it, and the largest of each row. `args` are the two factors, how many to keep, and what
/// else the finish takes.
pub(super) fn top_product(operation: &Op, code: Option<TileFn>, args: &[Value]) -> Result<Value> {
    let (Op::TopProduct { axes, kernel, along, .. }, [_, _, _, others @ ..]) = (operation, args) else {
        return Err(super::internal("not a product with a selection"));
    };
    let (a, b, k) = (op::tensor(args, 0)?, op::tensor(args, 1)?, op::int(args, 2)?);
    let axes = axes.as_slice();
    let finish = (!kernel.steps.is_empty()).then(|| Finish { kernel, code, others: others.to_vec() });
    let length = a.dim(*along).or_else(|| b.dim(*along)).map_or(0, |dim| dim.len);
    select::check_count("keep_top", k, *along, length)?;
    if top::covers(a, b, axes, finish.as_ref(), *along) {
        return top::top_product(a, b, axes, finish, *along, k).map(shared);
    }
    let product = contract::contract(a, b, axes)?;
    let finished = match finish {
        Some(finish) => elementwise::run(kernel, code, [vec![product], finish.others].concat())?.pop(),
        None => Some(product),
    };
    match finished {
        Some(Value::Tensor(t)) if t.rank() > 1 => top::keep_top(&t, *along, k).map(shared),
        Some(Value::Tensor(t)) => select::keep_top(&t, *along, k).map(Value::from),
        _ => Err(super::internal("a selection from something that is no tensor")),
    }
}

fn sparse(value: &Value) -> Option<&Sparse> {
    match value {
        Value::Sparse(sparse) => Some(sparse),
        _ => None,
    }
}

fn outline(value: &Value) -> Result<Value> {
    match value {
        Value::Sparse(sparse) => sparse.outline().map(Value::Tensor),
        other => Ok(other.clone()),
    }
}

fn plain(args: Vec<Value>) -> Result<Vec<Value>> {
    args.into_iter().map(Value::plain).collect()
}

#[cfg(test)]
mod tests;
