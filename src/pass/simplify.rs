//! (to be written)
use crate::ir::{Function, Module};
pub fn simplify(_module: &Module, _function: &mut Function) {}
