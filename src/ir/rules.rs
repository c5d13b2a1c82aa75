//! The typing rule of each operation, as set arithmetic on axes.
//!
//! `verify` compares these with what a function declares, and the passes ask them for the type of what they make.
//! The rules never look at sizes; calls, globals and control flow need their surroundings and are in `verify`.

use super::types::{AxisSet, Elem, Type};
use super::{Const, Function, LocalId, Op};
use crate::base::axis::Axis;
use crate::base::kernel::Kernel;
use crate::base::ops::{DType, ReduceKind, ScalarOp};
use crate::base::sweep::{Sweep, Work};

/// The types of the results, or `None` where the operands alone do not say.
pub fn result_types(function: &Function, op: &Op) -> Result<Option<Vec<Type>>, String> {
    let one = match op {
        Op::Const(value) => constant(value),
        Op::Copy(arg) => known(function, *arg)?.clone(),
        Op::Elem { op, args } => elementwise(function, *op, args)?,
        Op::Contract { a, b, axes } => contraction(function, *a, *b, axes)?,
        Op::Reduce { kind, arg, axes } => reduction(function, *kind, *arg, axes)?,
        Op::Select { arg, axis, index } => {
            scalar_int(function, *index)?;
            let (elem, axes) = with_axis(function, *arg, *axis)?;
            Type::Tensor(elem, axes.without(*axis))
        }
        Op::Gather { arg, axis, index } => {
            let (elem, axes) = with_axis(function, *arg, *axis)?;
            Type::Tensor(elem, axes.without(*axis).union(&indices(function, *index)?))
        }
        Op::Slice { arg, axis, to, lo, hi } => {
            scalar_int(function, *lo)?;
            scalar_int(function, *hi)?;
            replaced(function, *arg, &[*axis], &[*to])?
        }
        Op::Rename { arg, from, to } => replaced(function, *arg, &[*from], &[*to])?,
        Op::Merge { arg, from, to } => replaced(function, *arg, from, &[*to])?,
        Op::Split { arg, from, to, sizes } => {
            for &size in sizes {
                scalar_int(function, size)?;
            }
            need(sizes.len() == to.len(), || format!("{} parts with {} sizes", to.len(), sizes.len()))?;
            replaced(function, *arg, &[*from], to)?
        }
        Op::Expand { arg, axis, size } => {
            scalar_int(function, *size)?;
            replaced(function, *arg, &[], &[*axis])?
        }
        Op::SizeOf { args, axis } => {
            let found = args.iter().any(|&arg| function.ty(arg).axes().is_some_and(|axes| axes.contains(*axis)));
            need(found, || format!("no operand has the axis {axis}"))?;
            Type::INT
        }
        Op::ScatterAdd { arg, axis, index, size, own } => {
            scalar_int(function, *size)?;
            scattered(function, *arg, *axis, *index, own)?
        }
        Op::Pad { arg, from, to, lo, size } => {
            scalar_int(function, *lo)?;
            scalar_int(function, *size)?;
            replaced(function, *arg, &[*from], &[*to])?
        }
        Op::TopProduct { a, b, axes, kernel, others, along, k } => {
            scalar_int(function, *k)?;
            let product = contraction(function, *a, *b, axes)?;
            finished(function, &product, kernel, others, *along)?
        }
        Op::Sampled { a, b, axes, pattern } => {
            let product = contraction(function, *a, *b, axes)?;
            let own = numeric(function, *pattern)?.1;
            need(product.axes() == Some(own), || format!("a product {product} at the entries of [{own}]"))?;
            product
        }
        Op::Kernel { kernel, args } => {
            let mut types = Vec::new();
            for &arg in args {
                types.push(known(function, arg)?.clone());
            }
            return fused(kernel, &types).map(Some);
        }
        Op::Sweep { sweep, args } => {
            let mut types = Vec::new();
            for &arg in args {
                types.push(known(function, arg)?.clone());
            }
            return swept(sweep, types).map(Some);
        }
        Op::GetField { arg, field } => match known(function, *arg)? {
            Type::Record(fields) if *field < fields.len() => fields[*field].1.clone(),
            other => return Err(format!("{other} has no field number {field}")),
        },
        _ => return Ok(None),
    };
    Ok(Some(vec![one]))
}

/// Are two types stored alike? An index and an integer are.
pub fn same(a: &Type, b: &Type) -> bool {
    match (a, b) {
        (Type::Tensor(a, x), Type::Tensor(b, y)) => a.dtype() == b.dtype() && x == y,
        (Type::List(a), Type::List(b)) => same(a, b),
        (Type::Record(a), Type::Record(b)) => a.len() == b.len() && a.iter().zip(b).all(|((_, a), (_, b))| same(a, b)),
        _ => a == b,
    }
}

pub fn constant(value: &Const) -> Type {
    match value {
        Const::Int(_) => Type::INT,
        Const::F32(_) => Type::F32,
        Const::F64(_) => Type::FLOAT,
        Const::Bool(_) => Type::BOOL,
        Const::Str(_) => Type::Str,
    }
}

fn need(condition: bool, message: impl FnOnce() -> String) -> Result<(), String> {
    if condition { Ok(()) } else { Err(message()) }
}

fn known(function: &Function, local: LocalId) -> Result<&Type, String> {
    match function.locals.get(local.0 as usize) {
        Some(local) => Ok(&local.ty),
        None => Err(format!("%{} does not exist", local.0)),
    }
}

fn numeric(function: &Function, local: LocalId) -> Result<(Elem, &AxisSet), String> {
    number(known(function, local)?)
}

fn number(ty: &Type) -> Result<(Elem, &AxisSet), String> {
    match ty {
        Type::Tensor(elem, axes) => Ok((*elem, axes)),
        other => Err(format!("a number or tensor is needed, not {other}")),
    }
}

fn with_axis(function: &Function, local: LocalId, axis: Axis) -> Result<(Elem, &AxisSet), String> {
    let (elem, axes) = numeric(function, local)?;
    need(axes.contains(axis), || format!("{} has no axis {axis}", function.ty(local)))?;
    Ok((elem, axes))
}

pub(super) fn scalar_int(function: &Function, local: LocalId) -> Result<(), String> {
    let (elem, axes) = numeric(function, local)?;
    need(elem.dtype() == DType::I64 && axes.is_empty(), || format!("an int is needed, not {}", function.ty(local)))
}

fn indices(function: &Function, local: LocalId) -> Result<AxisSet, String> {
    let (elem, axes) = numeric(function, local)?;
    need(elem.dtype() == DType::I64, || format!("indices are needed, not {}", function.ty(local)))?;
    Ok(axes.clone())
}

/// `arg` with the axes `from` replaced by `to`.
fn replaced(function: &Function, arg: LocalId, from: &[Axis], to: &[Axis]) -> Result<Type, String> {
    let (elem, axes) = numeric(function, arg)?;
    let mut axes = axes.clone();
    for &axis in from {
        need(axes.remove(axis), || format!("{} has no axis {axis}", function.ty(arg)))?;
    }
    for &axis in to {
        need(axes.insert(axis), || format!("{} has the axis {axis} already", function.ty(arg)))?;
    }
    Ok(Type::Tensor(elem, axes))
}

fn elementwise(function: &Function, op: ScalarOp, args: &[LocalId]) -> Result<Type, String> {
    need(args.len() == op.arity(), || format!("{} takes {} operands, not {}", op.name(), op.arity(), args.len()))?;
    let mut axes = AxisSet::empty();
    let mut dtypes = Vec::new();
    for &arg in args {
        let (elem, own) = numeric(function, arg)?;
        axes = axes.union(own);
        dtypes.push(elem.dtype());
    }
    operand_types(op, &dtypes)?;
    let first = numeric(function, args[usize::from(op == ScalarOp::Where)])?.0;
    let elem = match (op, op.result(&dtypes)) {
        (ScalarOp::Where | ScalarOp::Min | ScalarOp::Max, _) => first,
        (_, DType::F32) => Elem::F32,
        (_, DType::F64) => Elem::F64,
        (_, DType::I64) => Elem::Int,
        (_, DType::Bool) => Elem::Bool,
    };
    Ok(Type::Tensor(elem, axes))
}

/// Do operands of these types fit `op`? Kernels obey the same rule.
pub fn operand_types(op: ScalarOp, dtypes: &[DType]) -> Result<(), String> {
    use ScalarOp::*;
    let float = |dtype: DType| matches!(dtype, DType::F32 | DType::F64);
    let common = if op == Where { &dtypes[1..] } else { dtypes };
    let fits = common.windows(2).all(|pair| pair[0] == pair[1])
        && match op {
            Where => dtypes[0] == DType::Bool,
            And | Or | Not => dtypes[0] == DType::Bool,
            Div | Floor | Sqrt | Exp | Log | Tanh | Erf | Sin | Cos => float(dtypes[0]),
            IntDiv => dtypes[0] == DType::I64,
            Cast(_) | Eq | Ne => true,
            _ => dtypes[0] != DType::Bool,
        };
    need(fits, || format!("{} does not take operands {dtypes:?}", op.name()))
}

fn contraction(function: &Function, a: LocalId, b: LocalId, axes: &AxisSet) -> Result<Type, String> {
    product(known(function, a)?, known(function, b)?, axes)
}

fn product(a: &Type, b: &Type, axes: &AxisSet) -> Result<Type, String> {
    let (left, x) = number(a)?;
    let (right, w) = number(b)?;
    need(left.dtype() == right.dtype(), || format!("product of {left} and {right}"))?;
    need(left.dtype() != DType::Bool && !axes.is_empty(), || format!("product of {left} over [{axes}]"))?;
    let shared = x.intersect(w);
    need(axes.is_subset(&shared), || format!("[{axes}] is not in both [{x}] and [{w}]"))?;
    Ok(Type::Tensor(left, x.union(w).minus(axes)))
}

fn reduction(function: &Function, kind: ReduceKind, arg: LocalId, axes: &AxisSet) -> Result<Type, String> {
    reduced(known(function, arg)?, kind, axes)
}

fn reduced(arg: &Type, kind: ReduceKind, axes: &AxisSet) -> Result<Type, String> {
    let (elem, own) = number(arg)?;
    need(axes.is_subset(own), || format!("[{axes}] is not in [{own}]"))?;
    let bools = matches!(kind, ReduceKind::Any | ReduceKind::All | ReduceKind::Count);
    need(bools == (elem == Elem::Bool), || format!("{} of {elem}", kind.name()))?;
    let elem = match kind {
        ReduceKind::Sum if elem.dtype() == DType::I64 => Elem::Int,
        ReduceKind::Sum | ReduceKind::Max | ReduceKind::Min => elem,
        ReduceKind::SumF64 => Elem::F64,
        ReduceKind::Any | ReduceKind::All => Elem::Bool,
        ReduceKind::Count => Elem::Int,
        ReduceKind::ArgMax | ReduceKind::ArgMin => {
            need(axes.len() == 1, || format!("{} over [{axes}]", kind.name()))?;
            Elem::Index(axes.as_slice()[0])
        }
    };
    Ok(Type::Tensor(elem, own.minus(axes)))
}

fn scattered(function: &Function, arg: LocalId, axis: Axis, index: LocalId, own: &AxisSet) -> Result<Type, String> {
    let (elem, axes) = numeric(function, arg)?;
    let index = indices(function, index)?;
    need(own.is_subset(axes) && own.is_subset(&index), || format!("[{own}] is not in [{axes}] and [{index}]"))?;
    need(index.minus(own).is_subset(axes), || format!("[{index}] does not line up with [{axes}]"))?;
    let mut result = axes.minus(own);
    need(result.insert(axis), || format!("{} has the axis {axis} already", function.ty(arg)))?;
    Ok(Type::Tensor(elem, result))
}

/// The types of a sweep's outputs. Every step must keep the row axes, so that rows can be taken by themselves.
fn swept(sweep: &Sweep, mut types: Vec<Type>) -> Result<Vec<Type>, String> {
    need(types.len() == sweep.inputs, || format!("sweep of {} inputs with {} operands", sweep.inputs, types.len()))?;
    let rows: AxisSet = sweep.rows.iter().copied().collect();
    let mut totals: Vec<u32> = Vec::new();
    for (at, step) in sweep.steps.iter().enumerate() {
        need(step.args.iter().all(|&arg| (arg as usize) < types.len()), || format!("sweep step {at} reads ahead"))?;
        need(!step.args.iter().any(|arg| totals.contains(arg)), || format!("sweep step {at} reads a total"))?;
        let args: Vec<Type> = step.args.iter().map(|&arg| types[arg as usize].clone()).collect();
        let whole = |made: &Type| made.axes().is_some_and(|axes| rows.is_subset(axes));
        let made = match (&step.work, &args[..]) {
            (Work::Kernel(kernel), args) => fused(kernel, args)?,
            (Work::Reduce { kind, axis }, [arg]) => vec![reduced(arg, *kind, &AxisSet::one(*axis))?],
            (Work::Dot { axis }, [a, b]) => {
                need(a.axes() == b.axes(), || format!("sweep step {at} multiplies {a} and {b}"))?;
                vec![product(a, b, &AxisSet::one(*axis))?]
            }
            (Work::Total { kind, axes }, [arg]) => {
                let all: AxisSet = axes.iter().copied().collect();
                need(arg.axes() == Some(&all) && whole(arg), || format!("sweep step {at} is no total of {arg}"))?;
                totals.push(types.len() as u32);
                vec![reduced(arg, *kind, &all)?]
            }
            _ => return Err(format!("sweep step {at} has a wrong arity")),
        };
        need(made.len() == step.results as usize, || format!("sweep step {at} has a wrong number of results"))?;
        let local = matches!(step.work, Work::Total { .. }) || made.iter().all(whole);
        need(local, || format!("sweep step {at} does not keep [{rows}]"))?;
        types.extend(made);
    }
    let output = |&output: &u32| types.get(output as usize).cloned().filter(|_| output as usize >= sweep.inputs);
    let made: Option<Vec<Type>> = sweep.outputs.iter().map(output).collect();
    made.ok_or_else(|| "a sweep output does not exist".to_string())
}

fn fused(kernel: &Kernel, args: &[Type]) -> Result<Vec<Type>, String> {
    need(args.len() == kernel.inputs.len() && args.len() == kernel.scalar.len(), || {
        format!("kernel of {} inputs with {} operands", kernel.inputs.len(), args.len())
    })?;
    let mut axes = AxisSet::empty();
    for ((arg, &dtype), &scalar) in args.iter().zip(&kernel.inputs).zip(&kernel.scalar) {
        let (elem, own) = number(arg)?;
        need(elem.dtype() == dtype && own.is_empty() == scalar, || {
            format!("kernel input is declared {dtype:?}, scalar {scalar}, but is {arg}")
        })?;
        axes = axes.union(own);
    }
    well_formed(kernel)?;
    let made = |&output: &u32| Type::Tensor(stored(kernel.dtype(output)), axes.clone());
    Ok(kernel.outputs.iter().map(made).collect())
}

/// Do the steps of a kernel read what there is, in the right types?
fn well_formed(kernel: &Kernel) -> Result<(), String> {
    for (number, step) in kernel.steps.iter().enumerate() {
        let made = (kernel.inputs.len() + number) as u32;
        need(step.args.iter().all(|&arg| arg < made), || format!("kernel step {number} reads ahead"))?;
        need(step.args.len() == step.op.arity(), || format!("kernel step {number} has a wrong arity"))?;
        let dtypes: Vec<DType> = step.args.iter().map(|&arg| kernel.dtype(arg)).collect();
        operand_types(step.op, &dtypes)?;
        need(step.op.result(&dtypes) == step.result, || format!("kernel step {number} has a wrong type"))?;
    }
    let values = (kernel.inputs.len() + kernel.steps.len()) as u32;
    need(kernel.outputs.iter().all(|&output| output < values), || "a kernel output does not exist".to_string())
}

/// What a kernel on a product and operands with axes of the product gives.
fn finished(
    function: &Function,
    product: &Type,
    kernel: &Kernel,
    others: &[LocalId],
    along: Axis,
) -> Result<Type, String> {
    let Type::Tensor(elem, axes) = product else { return Err(format!("a product of type {product}")) };
    need(axes.contains(along), || format!("{product} has no axis {along}"))?;
    let inputs = kernel.inputs.len() == others.len() + 1 && kernel.scalar.len() == kernel.inputs.len();
    need(inputs && kernel.outputs.len() == 1, || "the finish of a product takes it and gives one result".to_string())?;
    need(kernel.inputs[0] == elem.dtype() && !kernel.scalar[0], || format!("the finish of {product}"))?;
    for ((&other, &dtype), &scalar) in others.iter().zip(&kernel.inputs[1..]).zip(&kernel.scalar[1..]) {
        let (elem, own) = numeric(function, other)?;
        let fits = elem.dtype() == dtype && own.is_empty() == scalar && own.is_subset(axes);
        need(fits, || format!("the finish of {product} takes {}", function.ty(other)))?;
    }
    well_formed(kernel)?;
    Ok(Type::Tensor(stored(kernel.dtype(kernel.outputs[0])), axes.clone()))
}

/// The plainest element of a storage type.
pub fn stored(dtype: DType) -> Elem {
    match dtype {
        DType::F32 => Elem::F32,
        DType::F64 => Elem::F64,
        DType::I64 => Elem::Int,
        DType::Bool => Elem::Bool,
    }
}
