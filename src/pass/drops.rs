//! (to be written)
use crate::ir::Function;
pub fn drops(_function: &mut Function) {}
