//! (to be written)
use crate::ir::Function;
pub fn fuse(_function: &mut Function) {}
