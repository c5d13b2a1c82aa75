//! One activation of a function: what its locals hold, for whoever walks the IR. The oracle keeps values in it, the plan
//! what it knows of them.

use crate::ir::{Carried, Function, LocalId, Stmt};

use super::uses;

/// The locals of `function`; one that is not set, or was taken, holds the default.
pub struct Frame<'a, V> {
    pub function: &'a Function,
    pub values: Vec<V>,
    /// What a local holds that the function does not have.
    nothing: V,
}

impl<'a, V: Clone + Default> Frame<'a, V> {
    pub fn new(function: &'a Function) -> Frame<'a, V> {
        Frame { function, values: vec![V::default(); function.locals.len()], nothing: V::default() }
    }

    pub fn get(&self, local: LocalId) -> &V {
        self.values.get(local.0 as usize).unwrap_or(&self.nothing)
    }

    pub fn set(&mut self, local: LocalId, value: V) {
        if let Some(place) = self.values.get_mut(local.0 as usize) {
            *place = value;
        }
    }

    /// Reads locals, emptying those marked.
    pub fn read(&mut self, locals: &[LocalId], take: &[bool]) -> Vec<V> {
        let pick = |(&local, &take): (&LocalId, &bool)| match self.values.get_mut(local.0 as usize) {
            Some(place) if take => std::mem::take(place),
            Some(place) => place.clone(),
            None => V::default(),
        };
        locals.iter().zip(take).map(pick).collect()
    }

    pub fn bind(&mut self, dest: &[LocalId], values: Vec<V>) {
        for (&local, value) in dest.iter().zip(values) {
            self.set(local, value);
        }
    }

    /// The operands of statement `index`, taken where it is their last use.
    pub fn operands(&mut self, stmts: &[Stmt], index: usize) -> Vec<V> {
        let locals = stmts[index].op.operands();
        let take = uses::takes(stmts, index, &locals);
        self.read(&locals, &take)
    }

    /// The values of a loop before the first round.
    pub fn initial(&mut self, stmts: &[Stmt], index: usize, carried: &[Carried]) -> Vec<V> {
        let locals: Vec<LocalId> = carried.iter().map(|c| c.init).collect();
        let take = uses::takes(stmts, index, &locals);
        self.read(&locals, &take)
    }
}
