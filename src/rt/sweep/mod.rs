//! Sweeps: a straight line of statements run for a block of rows, then for the next, so that each tensor goes through
//! memory once.
//!
//! A block is computed by the kernels and reductions that compute whole tensors, so an element has the same bits either
//! way. `plan` decides the blocks from shapes and strides alone, never from threads or free memory; where the rows do
//! not lie outermost in memory, the statements run one after the other over whole tensors. `steps` runs the statements,
//! `blocks` spreads the blocks over threads and puts the results together, in place where an argument is nobody else's.

mod blocks;
mod plan;
mod steps;
#[cfg(test)]
mod tests;

use super::elementwise::TileFn;
use super::error::Result;
use super::value::Value;
use crate::base::sweep::Sweep;
use plan::Plan;

/// Runs a sweep. `codes` holds the compiled form of each step that is a kernel and has one.
pub fn run(sweep: &Sweep, codes: &[Option<TileFn>], mut args: Vec<Value>) -> Result<Vec<Value>> {
    if let Some(plan) = Plan::new(sweep, &args)
        && let Some(results) = blocks::run(sweep, codes, &plan, &mut args)?
    {
        return Ok(results);
    }
    steps::whole(sweep, codes, args)
}
