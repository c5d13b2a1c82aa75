//! The long loops of a program tell the world how far they came, so that an interrupted one can be gone on with.
//!
//! Written into programs by a pass, never by people. They decide nothing and change no value.

use super::super::ctx::Ctx;
use super::super::error::Result;
use super::super::table::Builtin;
use super::super::value::Value;
use super::{Args, one};
use crate::base::axis::Axis;

pub const TABLE: &[Builtin] = &[
    Builtin { name: "loop_start", run: loop_start },
    Builtin { name: "loop_due", run: loop_due },
    Builtin { name: "loop_save", run: loop_save },
    Builtin { name: "loop_end", run: loop_end },
];

/// loop_start(; number, lo, hi, values before the first round..) -> the round to begin with, values before it..
fn loop_start(ctx: &mut Ctx, _: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::at_least("loop_start", values, 3)?;
    let (lo, inits) = (args.int(1)?, &values[3..]);
    let (round, from) =
        ctx.world.loop_start(args.int(0)?, lo, args.int(2)?, inits).unwrap_or_else(|| (lo, inits.to_vec()));
    Ok(std::iter::once(Value::Int(round)).chain(from).collect())
}

/// loop_due() -> bool
fn loop_due(ctx: &mut Ctx, _: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    Args::exactly("loop_due", values, 0)?;
    one(ctx.world.loop_due())
}

/// loop_save(; number, round, values..)
fn loop_save(ctx: &mut Ctx, _: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::at_least("loop_save", values, 2)?;
    ctx.world.loop_save(args.int(0)?, args.int(1)?, &values[2..]);
    // The world may have waited for this moment to stop.
    ctx.check_interrupt().map(|()| Vec::new())
}

/// loop_end(; number, hi, values..)
fn loop_end(ctx: &mut Ctx, _: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::at_least("loop_end", values, 2)?;
    ctx.world.loop_end(args.int(0)?, args.int(1)?, &values[2..]);
    ctx.check_interrupt().map(|()| Vec::new())
}
