//! Simplification: what is known is computed, what is computed twice is shared, what is not read is removed.
//!
//! Rounds of three walks until nothing changes. Nothing that could fail is folded, so an error keeps its place in
//! the script; but a pure operation whose result nobody reads is removed, and an error in it with it.

pub(super) mod dead;
pub(in crate::pass) mod fold;
mod share;
mod sizes;
#[cfg(test)]
mod tests;

use crate::ir::{Function, Module};

/// Each round either makes the function smaller or ends; the bound is against a fault of ours.
const ROUNDS: usize = 12;

pub fn simplify(module: &Module, function: &mut Function) {
    for _ in 0..ROUNDS {
        let mut changed = share::share(module, function);
        changed |= dead::remove(module, function);
        if !changed {
            break;
        }
    }
}
