//! Which locals carry a float that depends on the parameters.
//!
//! Only these get adjoints. Comparisons, indices and integers end the dependence because their types hold no
//! floats; `stop` ends it by name.

use crate::ir::{Block, Carried, Function, LocalId, Op, Stmt, Type};
use std::collections::BTreeSet;

/// The identity that hides its argument from gradients.
pub const STOP: &str = "stop";

/// For each local of `function`: is it active, if the first `wrt` parameters are?
pub fn mark(function: &Function, wrt: usize) -> Vec<bool> {
    let mut marks = Marks { function, active: vec![false; function.locals.len()] };
    for &param in &function.params[..wrt] {
        marks.set(param, true);
    }
    marks.block(&function.body);
    marks.active
}

/// The locals that may hold a value that was never set: what a site is kept in until a loop reaches it.
pub fn unset(body: &Block) -> BTreeSet<LocalId> {
    let mut found = BTreeSet::new();
    may_be_unset(body, &mut found);
    found
}

fn may_be_unset(block: &Block, found: &mut BTreeSet<LocalId>) {
    for stmt in &block.stmts {
        if let Op::For { carried, .. } | Op::While { carried, .. } = &stmt.op {
            let starts: Vec<LocalId> =
                carried.iter().filter(|one| found.contains(&one.init)).map(|one| one.param).collect();
            found.extend(starts);
        }
        stmt.op.blocks().into_iter().for_each(|inner| may_be_unset(inner, found));
        let among = |block: &&Block, number: usize| block.results.get(number).is_some_and(|one| found.contains(one));
        let reached = |number: usize| match &stmt.op {
            Op::Undef => true,
            Op::Copy(arg) => found.contains(arg),
            op => op.blocks().iter().any(|block| among(block, number)),
        };
        let dests: Vec<LocalId> =
            (0..stmt.dest.len()).filter(|&number| reached(number)).map(|n| stmt.dest[n]).collect();
        found.extend(dests);
    }
}

struct Marks<'a> {
    function: &'a Function,
    active: Vec<bool>,
}

impl Marks<'_> {
    fn has(&self, local: LocalId) -> bool {
        self.active[local.0 as usize]
    }

    /// Marks a local if its type can hold a derivative.
    fn set(&mut self, local: LocalId, active: bool) {
        if active && holds_floats(self.function.ty(local)) {
            self.active[local.0 as usize] = true;
        }
    }

    fn block(&mut self, block: &Block) {
        block.stmts.iter().for_each(|stmt| self.stmt(stmt));
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match &stmt.op {
            Op::If { then, other, .. } => {
                self.block(then);
                self.block(other);
                for (number, &dest) in stmt.dest.iter().enumerate() {
                    let reached = |block: &Block| block.results.get(number).is_some_and(|&local| self.has(local));
                    let active = reached(then) || reached(other);
                    self.set(dest, active);
                }
            }
            Op::For { carried, body, .. } => self.looped(carried, &[body], &stmt.dest),
            Op::While { carried, test, body } => self.looped(carried, &[test, body], &stmt.dest),
            Op::Comprehend { body, .. } => {
                self.block(body);
                let active = body.results.iter().any(|&local| self.has(local));
                stmt.dest.iter().for_each(|&dest| self.set(dest, active));
            }
            Op::Builtin { name: STOP, .. } => {}
            op => {
                let active = op.operands().into_iter().any(|local| self.has(local));
                stmt.dest.iter().for_each(|&dest| self.set(dest, active));
            }
        }
    }

    /// A carried value is active if it starts so or becomes so in any round.
    fn looped(&mut self, carried: &[Carried], blocks: &[&Block], dest: &[LocalId]) {
        for one in carried {
            let active = self.has(one.init);
            self.set(one.param, active);
        }
        loop {
            blocks.iter().for_each(|block| self.block(block));
            let Some(body) = blocks.last() else { return };
            let mut changed = false;
            for (one, &next) in carried.iter().zip(&body.results) {
                if self.has(next) && !self.has(one.param) {
                    self.set(one.param, true);
                    changed |= self.has(one.param);
                }
            }
            if !changed {
                break;
            }
        }
        for (one, &dest) in carried.iter().zip(dest) {
            let active = self.has(one.param);
            self.set(dest, active);
        }
    }
}

fn holds_floats(ty: &Type) -> bool {
    match ty {
        Type::Tensor(elem, _) => elem.is_float(),
        Type::List(item) => holds_floats(item),
        Type::Record(fields) => fields.iter().any(|(_, ty)| holds_floats(ty)),
        _ => false,
    }
}
