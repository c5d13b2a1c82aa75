//! Operations on sparse operands: those that have a way of their own, and the dense one for the rest.

use crate::base::kernel::Kernel;
use crate::ir::{Op, Type};
use crate::rt::ctx::Ctx;
use crate::rt::elementwise::TileFn;
use crate::rt::error::Result;
use crate::rt::value::Value;

use super::op;

/// One operation of which some operand is sparse.
pub fn execute(ctx: &mut Ctx, operation: &Op, args: Vec<Value>, dests: &[&Type]) -> Result<Vec<Value>> {
    op::dispatch(ctx, operation, plain(args)?, dests)
}

/// A fused kernel of which some operand is sparse.
pub fn kernel(
    ctx: &Ctx,
    operation: &Op,
    kernel: &Kernel,
    code: Option<TileFn>,
    args: Vec<Value>,
) -> Result<Vec<Value>> {
    op::execute_kernel(ctx, operation, kernel, code, plain(args)?)
}

fn plain(args: Vec<Value>) -> Result<Vec<Value>> {
    args.into_iter().map(Value::plain).collect()
}
