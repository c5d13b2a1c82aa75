//! One operation on values: the map from the IR to the runtime, shared by the oracle and machine code.
//!
//! Control flow, calls and globals belong to the engines and are refused here.

use crate::base::kernel::Kernel;
use crate::base::ops::{DType, ReduceKind, ScalarOp};
use crate::base::sweep::Sweep;
use crate::ir::{AxisSet, Const, Op, Type, is_host_function};
use crate::rt::ctx::Ctx;
use crate::rt::elementwise::{self, TileFn};
use crate::rt::error::Result;
use crate::rt::tensor::Tensor;
use crate::rt::value::{Items, Value};
use crate::rt::{contract, index, reduce, table};

use super::{chunked, finite, host, internal, sparse, sweep};

/// Runs one operation. `args` are the values of `op.operands()`; one that nobody else shares may be changed in
/// place. `dests` are the types of the results.
pub fn execute(ctx: &mut Ctx, op: &Op, args: Vec<Value>, dests: &[&Type]) -> Result<Vec<Value>> {
    let watched = watching(ctx);
    let outcome = unmeasured(ctx, op, args, dests);
    measured(ctx, watched, op.word());
    outcome
}

fn unmeasured(ctx: &mut Ctx, op: &Op, args: Vec<Value>, dests: &[&Type]) -> Result<Vec<Value>> {
    if !ctx.check_finite {
        return dispatch(ctx, op, args, dests);
    }
    let kept = args.clone();
    let results = dispatch(ctx, op, args, dests)?;
    finite::check(op, &kept, &results)?;
    Ok(results)
}

/// Runs an elementwise kernel, by `code` if there is any. `op` is the operation it stands for, for messages.
pub fn execute_kernel(
    ctx: &Ctx,
    op: &Op,
    kernel: &Kernel,
    code: Option<TileFn>,
    args: Vec<Value>,
) -> Result<Vec<Value>> {
    let watched = watching(ctx);
    let outcome = kernel_unmeasured(ctx, op, kernel, code, args);
    measured(ctx, watched, op.word());
    outcome
}

/// Runs a sweep; `codes` holds the compiled form of each step that has one.
pub fn execute_sweep(ctx: &mut Ctx, line: &Sweep, codes: &[Option<TileFn>], args: Vec<Value>) -> Result<Vec<Value>> {
    let watched = watching(ctx);
    let outcome = sweep::execute(ctx, line, codes, args);
    measured(ctx, watched, Op::SWEEP);
    outcome
}

/// Does a profile count what runs now? Not what another operation runs for itself.
fn watching(ctx: &Ctx) -> bool {
    ctx.profile.as_ref().is_some_and(|profile| profile.begin())
}

fn measured(ctx: &Ctx, watched: bool, word: &'static str) {
    if let (true, Some(profile)) = (watched, &ctx.profile) {
        profile.end(word);
    }
}

fn kernel_unmeasured(
    ctx: &Ctx,
    op: &Op,
    kernel: &Kernel,
    code: Option<TileFn>,
    args: Vec<Value>,
) -> Result<Vec<Value>> {
    if !ctx.check_finite {
        return kernel_on(ctx, op, kernel, code, args);
    }
    let kept = args.clone();
    let results = kernel_on(ctx, op, kernel, code, args)?;
    finite::check(op, &kept, &results)?;
    Ok(results)
}

/// The kernel on whatever represents the operands.
fn kernel_on(ctx: &Ctx, op: &Op, kernel: &Kernel, code: Option<TileFn>, args: Vec<Value>) -> Result<Vec<Value>> {
    if args.iter().any(|arg| matches!(arg, Value::Chunked(_))) {
        return chunked::kernel(ctx, op, kernel, code, args);
    }
    if matches!(op, Op::TopProduct { .. }) {
        let plain = args.into_iter().map(Value::plain).collect::<Result<Vec<Value>>>()?;
        return sparse::top_product(op, code, &plain).map(|value| vec![value]);
    }
    if args.iter().any(|arg| matches!(arg, Value::Sparse(_))) {
        return sparse::kernel(ctx, op, kernel, code, args);
    }
    elementwise::run(kernel, code, args)
}

/// The value that stands for `undef`: never read, but defined, so that all engines agree.
pub fn undefined(ty: &Type) -> Value {
    match ty.dtype() {
        Some(dtype) if ty.is_scalar() => zero(dtype),
        _ => Value::None,
    }
}

pub fn constant(constant: &Const) -> Value {
    match constant {
        Const::Int(x) => Value::Int(*x),
        Const::F32(x) => Value::F32(*x),
        Const::F64(x) => Value::F64(*x),
        Const::Bool(x) => Value::Bool(*x),
        Const::Str(text) => Value::Str(text.as_str().into()),
    }
}

fn zero(dtype: DType) -> Value {
    match dtype {
        DType::F32 => Value::F32(0.0),
        DType::F64 => Value::F64(0.0),
        DType::I64 => Value::Int(0),
        DType::Bool => Value::Bool(false),
    }
}

/// A loop keeps its values as they are represented.
fn looping(op: &Op) -> bool {
    matches!(op, Op::Builtin { name, .. } if name.starts_with("loop_"))
}

pub(super) fn dispatch(ctx: &mut Ctx, op: &Op, args: Vec<Value>, dests: &[&Type]) -> Result<Vec<Value>> {
    if let Op::Sweep { sweep, .. } = op {
        return sweep::execute(ctx, sweep, &[], args);
    }
    if looping(op) {
        return builtin(ctx, op, args);
    }
    if args.iter().any(|arg| matches!(arg, Value::Chunked(_))) || chunked::passes_on(op) {
        return chunked::execute(ctx, op, args, dests);
    }
    if args.iter().any(|arg| matches!(arg, Value::Sparse(_))) {
        return sparse::execute(ctx, op, args, dests);
    }
    match op {
        Op::Kernel { kernel, .. } => elementwise::run(kernel, None, args),
        Op::Builtin { name: "add_at", axes, .. } => add_at(axes, args).map(|sum| vec![sum]),
        Op::Builtin { name, .. } if KEEP_ITEMS.contains(name) => builtin(ctx, op, args),
        Op::Builtin { name, axes, .. } if is_host_function(name) => {
            host::call(ctx, name, axes, chunked::plain_items(args)?, dests)
        }
        Op::Builtin { .. } => builtin(ctx, op, chunked::plain_items(args)?),
        Op::MakeRecord(_) => Ok(vec![Value::Record(Items::new(args))]),
        Op::MakeList(_) => Ok(vec![Value::list(args)?]),
        Op::Undef => Ok(dests.iter().map(|ty| undefined(ty)).collect()),
        Op::Const(value) => Ok(vec![constant(value)]),
        Op::Copy(_) => Ok(args),
        Op::Elem { op, .. } => elementwise_op(*op, args),
        _ => structural(op, &args).map(|value| vec![value]),
    }
}

/// A sum into a slice; the total is changed in place if nobody else shares it.
fn add_at(axes: &[crate::base::axis::Axis], mut args: Vec<Value>) -> Result<Value> {
    let (Some(&axis), 3) = (axes.first(), args.len()) else { return Err(internal("a sum into a slice of nothing")) };
    let (index, part) = (args.swap_remove(2), args.swap_remove(1));
    index::add_at(args.swap_remove(0), axis, &part, &index).map(Value::from)
}

/// Builtins on lists that pass items on without reading them.
const KEEP_ITEMS: &[&str] = &["list_push", "list_get", "list_len"];

fn builtin(ctx: &mut Ctx, op: &Op, args: Vec<Value>) -> Result<Vec<Value>> {
    let Op::Builtin { name, axes, .. } = op else { return Err(internal("not a builtin")) };
    let builtin = table::lookup(name).ok_or_else(|| internal(format!("no builtin is called `{name}`")))?;
    (builtin.run)(ctx, axes, &args)
}

/// An operation on scalars (or texts) directly; on tensors as a kernel of one step.
fn elementwise_op(op: ScalarOp, args: Vec<Value>) -> Result<Vec<Value>> {
    if !args.iter().any(|arg| matches!(arg, Value::Tensor(_))) {
        return elementwise::scalar(op, &args).map(|value| vec![value]);
    }
    let mut inputs = Vec::with_capacity(args.len());
    let mut scalar = Vec::with_capacity(args.len());
    for arg in &args {
        inputs.push(dtype(arg)?);
        scalar.push(!matches!(arg, Value::Tensor(_)));
    }
    elementwise::run(&Kernel::single(op, inputs, scalar), None, args)
}

/// Operations with one result that read whole values: views, index operations, contractions, reductions.
fn structural(op: &Op, args: &[Value]) -> Result<Value> {
    match op {
        Op::Contract { axes, .. } => contract::contract(tensor(args, 0)?, tensor(args, 1)?, axes.as_slice()),
        Op::Reduce { kind, axes, .. } => reduced(*kind, args, axes),
        Op::Select { axis, .. } | Op::Gather { axis, .. } => match args.get(1) {
            Some(Value::Tensor(places)) => index::gather(tensor(args, 0)?, *axis, places).map(Value::from),
            _ => index::select(tensor(args, 0)?, *axis, int(args, 1)?),
        },
        Op::Slice { axis, to, .. } => {
            index::slice(tensor(args, 0)?, *axis, *to, int(args, 1)?, int(args, 2)?).map(Value::from)
        }
        Op::Rename { from, to, .. } => index::rename(tensor(args, 0)?, *from, *to).map(Value::from),
        Op::Merge { from, to, .. } => index::merge(tensor(args, 0)?, from, *to).map(Value::from),
        Op::Split { from, to, .. } => {
            let sizes: Result<Vec<i64>> = (1..args.len()).map(|at| int(args, at)).collect();
            index::split(tensor(args, 0)?, *from, to, &sizes?).map(Value::from)
        }
        Op::Expand { axis, .. } => index::expand(any(args, 0)?, *axis, int(args, 1)?).map(Value::from),
        Op::SizeOf { axis, .. } => {
            let args: Vec<&Value> = args.iter().collect();
            index::size_of(&args, *axis).map(Value::Int)
        }
        Op::ScatterAdd { axis, own, .. } => {
            index::scatter_add(any(args, 0)?, *axis, any(args, 1)?, int(args, 2)?, own.as_slice()).map(Value::from)
        }
        Op::Pad { from, to, .. } => {
            index::pad(tensor(args, 0)?, *from, *to, int(args, 1)?, int(args, 2)?).map(Value::from)
        }
        Op::Sampled { axes, .. } => contract::contract(tensor(args, 0)?, tensor(args, 1)?, axes.as_slice()),
        Op::TopProduct { .. } => sparse::top_product(op, None, args),
        Op::GetField { field, .. } => get_field(args, *field),
        other => Err(internal(format!("not an operation on values: {other:?}"))),
    }
}

/// A reduction; over no axes of a scalar (an empty row) it is the scalar itself, in the result's type.
fn reduced(kind: ReduceKind, args: &[Value], axes: &AxisSet) -> Result<Value> {
    let arg = any(args, 0)?;
    match (kind, arg) {
        (_, Value::Tensor(tensor)) => reduce::reduce(kind, tensor, axes.as_slice()),
        (ReduceKind::ArgMax | ReduceKind::ArgMin, _) => Err(internal("a scalar has no largest place")),
        _ => elementwise::scalar(ScalarOp::Cast(kind.result(dtype(arg)?)), std::slice::from_ref(arg)),
    }
}

fn get_field(args: &[Value], field: usize) -> Result<Value> {
    match any(args, 0)? {
        Value::Record(fields) => {
            fields.get(field).cloned().ok_or_else(|| internal(format!("a record without field {field}")))
        }
        other => Err(internal(format!("a field of something that is no record: {}", kind(other)))),
    }
}

fn any(args: &[Value], at: usize) -> Result<&Value> {
    args.get(at).ok_or_else(|| internal("an operation lacks an operand"))
}

pub(super) fn tensor(args: &[Value], at: usize) -> Result<&Tensor> {
    match any(args, at)? {
        Value::Tensor(tensor) => Ok(tensor),
        other => Err(internal(format!("expected a tensor, found {}", kind(other)))),
    }
}

pub(super) fn int(args: &[Value], at: usize) -> Result<i64> {
    match any(args, at)? {
        Value::Int(x) => Ok(*x),
        other => Err(internal(format!("expected an int, found {}", kind(other)))),
    }
}

/// The element type of a number or tensor.
pub(super) fn dtype(value: &Value) -> Result<DType> {
    Ok(match value {
        Value::Int(_) => DType::I64,
        Value::F32(_) => DType::F32,
        Value::F64(_) => DType::F64,
        Value::Bool(_) => DType::Bool,
        Value::Tensor(tensor) => tensor.dtype(),
        other => return Err(internal(format!("expected a number or tensor, found {}", kind(other)))),
    })
}

/// What a value is, in a word.
pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::None => "nothing",
        Value::Int(_) => "an int",
        Value::F32(_) | Value::F64(_) => "a float",
        Value::Bool(_) => "a bool",
        Value::Str(_) => "a str",
        Value::Key(_) => "a key",
        Value::File(_) => "a file",
        Value::List(_) => "a list",
        Value::Record(_) => "a record",
        Value::Tensor(_) | Value::Sparse(_) | Value::Chunked(_) => "a tensor",
    }
}
