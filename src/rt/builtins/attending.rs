//! Attention and its gradient, as the compiler recognises them.

use super::super::attention::{self, Roles, Scores};
use super::super::ctx::Ctx;
use super::super::error::Result;
use super::super::table::Builtin;
use super::super::value::Value;
use super::Args;
use crate::base::axis::Axis;

pub const TABLE: &[Builtin] =
    &[Builtin { name: "attention", run: attend }, Builtin { name: "attention_slopes", run: slopes }];

fn roles(args: &Args, axes: &[Axis]) -> Result<Roles> {
    let [q, k, d, e] = args.axes(axes)?;
    Ok(Roles { q, k, d, e })
}

/// Scale, the score of what is hidden, and the mask, from argument `at` on.
fn scores<'a>(args: &Args<'a>, at: usize) -> Result<Scores<'a>> {
    let seen = if args.values.len() > at + 2 { Some(args.tensor(at + 2)?) } else { None };
    Ok(Scores { scale: args.float(at)?, hidden: args.float(at + 1)?, seen })
}

/// attention(q, k, d, e; queries, keys, values, scale, hidden, mask?) -> tensor
fn attend(_: &mut Ctx, axes: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::at_least("attention", values, 5)?;
    let roles = roles(&args, axes)?;
    let scores = scores(&args, 3)?;
    let found = attention::attention(args.tensor(0)?, args.tensor(1)?, args.tensor(2)?, scores, roles)?;
    Ok(vec![Value::from(found)])
}

/// attention_slopes(q, k, d, e; adjoint, queries, keys, values, scale, hidden, mask?) -> three tensors
fn slopes(_: &mut Ctx, axes: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::at_least("attention_slopes", values, 6)?;
    let roles = roles(&args, axes)?;
    let scores = scores(&args, 4)?;
    let operands = [args.tensor(1)?, args.tensor(2)?, args.tensor(3)?];
    let found = attention::gradient(operands, args.tensor(0)?, scores, roles)?;
    Ok(found.into_iter().map(Value::from).collect())
}
