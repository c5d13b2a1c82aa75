//! Keys and random tensors.

use super::super::ctx::Ctx;
use super::super::error::Result;
use super::super::rng::{self, Key};
use super::super::table::Builtin;
use super::super::value::Value;
use super::making::reserve;
use super::{Args, one};
use crate::base::axis::Axis;

pub const TABLE: &[Builtin] = &[
    Builtin { name: "seed_key", run: seed_key },
    Builtin { name: "derive_key", run: derive_key },
    Builtin { name: "normal", run: normal },
    Builtin { name: "uniform", run: uniform },
    Builtin { name: "uniform_int", run: uniform_int },
    Builtin { name: "permutation", run: permutation },
    Builtin { name: "batch_indices", run: batch_indices },
];

/// seed_key(; int) -> key
fn seed_key(_: &mut Ctx, _: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("seed_key", values, 1)?;
    Ok(vec![Value::Key(Key::from_seed(args.int(0)? as u64))])
}

/// derive_key(; key, str or int) -> key
fn derive_key(_: &mut Ctx, _: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("derive_key", values, 2)?;
    let key = args.key(0)?;
    Ok(vec![Value::Key(match args.value(1) {
        Value::Str(label) => key.derive(label),
        Value::Int(number) => key.derive_int(*number),
        _ => return Err(args.wrong(1, "a str or an int")),
    })])
}

/// normal(axes..; key, lengths..) -> f32 tensor
fn normal(ctx: &mut Ctx, axes: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::at_least("normal", values, 1)?;
    let shape = args.shape(axes, 1)?;
    reserve(ctx, &shape, 4)?;
    one(rng::normal(args.key(0)?, &shape)?)
}

/// uniform(axes..; key, lengths..) -> f32 tensor
fn uniform(ctx: &mut Ctx, axes: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::at_least("uniform", values, 1)?;
    let shape = args.shape(axes, 1)?;
    reserve(ctx, &shape, 4)?;
    one(rng::uniform(args.key(0)?, &shape)?)
}

/// uniform_int(axes..; key, low, high, lengths..) -> int tensor
fn uniform_int(ctx: &mut Ctx, axes: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::at_least("uniform_int", values, 3)?;
    let shape = args.shape(axes, 3)?;
    reserve(ctx, &shape, 8)?;
    one(rng::uniform_int(args.key(0)?, &shape, args.int(1)?, args.int(2)?)?)
}

/// permutation(axis; key, length) -> int tensor
fn permutation(ctx: &mut Ctx, axes: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("permutation", values, 2)?;
    let [axis] = args.axes(axes)?;
    reserve(ctx, &[(axis, args.length(1)?)], 8)?;
    one(rng::permutation(args.key(0)?, axis, args.int(1)?)?)
}

/// batch_indices(axis; key, step, batch, n) -> int tensor over the axis, of length `batch`
fn batch_indices(_: &mut Ctx, axes: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("batch_indices", values, 4)?;
    let [axis] = args.axes(axes)?;
    let (step, batch, n) = (args.int(1)?, args.int(2)?, args.int(3)?);
    if step < 0 || batch < 1 || batch > n {
        return Err(args.senseless(format!("cannot take step {step} of batches of {batch} from {n} examples")));
    }
    one(rng::batch_indices(args.key(0)?, step, batch, n, axis)?)
}
