//! What sparse codes save: products of which the largest entries alone are kept, and products of which a sparse
//! value picks entries, become operations that never make the whole product.
//!
//! Both are found by form: an operation on tensors, whoever wrote it. Results agree with the plain form within
//! rounding. Runs on single elementwise operations, so before they are fused.

mod facts;
mod sampled;
#[cfg(test)]
mod tests;
mod top;

use crate::ir::Function;

pub fn sparse(function: &mut Function) {
    let mut body = std::mem::take(&mut function.body);
    top::block(function, &mut body);
    sampled::rewrite(function, &mut body);
    function.body = body;
}
