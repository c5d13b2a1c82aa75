//! One walk backwards: operations without effect whose results nobody reads go away.
//!
//! Results of branches and carried values of loops that nobody needs go too: among them the lists that a loop
//! keeps for a gradient which turns out not to read them.

use crate::ir::{Block, Effect, Function, LocalId, Module, Op, Stmt};
use std::collections::BTreeSet;

/// Rewrites the function; true if anything changed.
pub fn remove(module: &Module, function: &mut Function) -> bool {
    let mut dead = Dead { module, changed: false };
    let mut live = BTreeSet::new();
    dead.block(&mut function.body, &mut live);
    dead.changed
}

/// The same for one block, whose results are all that anyone reads of it.
pub fn trim(module: &Module, block: &mut Block) {
    Dead { module, changed: false }.block(block, &mut BTreeSet::new());
}

struct Dead<'a> {
    module: &'a Module,
    changed: bool,
}

type Live = BTreeSet<LocalId>;

impl Dead<'_> {
    /// Adds what the block reads to `live`.
    fn block(&mut self, block: &mut Block, live: &mut Live) {
        live.extend(block.results.iter().copied());
        let mut kept = Vec::with_capacity(block.stmts.len());
        for mut stmt in std::mem::take(&mut block.stmts).into_iter().rev() {
            if !stmt.dest.iter().any(|dest| live.contains(dest)) && !has_effect(self.module, &stmt) {
                self.changed = true;
                continue;
            }
            self.prune(&mut stmt, live);
            for inner in stmt.op.blocks_mut() {
                self.block(inner, live);
            }
            live.extend(stmt.op.operands());
            kept.push(stmt);
        }
        kept.reverse();
        block.stmts = kept;
    }

    /// Takes out results of branches and loops that are not live.
    fn prune(&mut self, stmt: &mut Stmt, live: &Live) {
        let needed: Vec<bool> = match &stmt.op {
            Op::If { then, other, .. } => {
                // A branch that returns yields nothing to take out.
                if then.results.len() != stmt.dest.len() || other.results.len() != stmt.dest.len() {
                    return;
                }
                stmt.dest.iter().map(|dest| live.contains(dest)).collect()
            }
            Op::For { .. } | Op::While { .. } => match self.needed_in_loop(stmt, live) {
                Some(needed) => needed,
                None => return,
            },
            _ => return,
        };
        if needed.iter().all(|&n| n) {
            return;
        }
        self.changed = true;
        keep(&mut stmt.dest, &needed);
        match &mut stmt.op {
            Op::If { then, other, .. } => {
                keep(&mut then.results, &needed);
                keep(&mut other.results, &needed);
            }
            Op::For { carried, body, .. } | Op::While { carried, body, .. } => {
                keep(carried, &needed);
                keep(&mut body.results, &needed);
            }
            _ => {}
        }
    }

    /// A carried value is needed if it is read after the loop, or by what computes a needed one.
    fn needed_in_loop(&self, stmt: &Stmt, live: &Live) -> Option<Vec<bool>> {
        let (Op::For { carried, body, .. } | Op::While { carried, body, .. }) = &stmt.op else { return None };
        if body.results.len() != carried.len() || stmt.dest.len() != carried.len() {
            return None;
        }
        let mut needed: Vec<bool> = stmt.dest.iter().map(|dest| live.contains(dest)).collect();
        loop {
            let mut read = Live::new();
            let mut trial = Dead { module: self.module, changed: false };
            let mut body = body.clone();
            keep(&mut body.results, &needed);
            trial.block(&mut body, &mut read);
            if let Op::While { test, .. } = &stmt.op {
                trial.block(&mut test.clone(), &mut read);
            }
            let more: Vec<usize> =
                (0..carried.len()).filter(|&n| !needed[n] && read.contains(&carried[n].param)).collect();
            if more.is_empty() {
                return Some(needed);
            }
            more.into_iter().for_each(|n| needed[n] = true);
        }
    }
}

fn keep<T>(list: &mut Vec<T>, needed: &[bool]) {
    let mut flags = needed.iter();
    list.retain(|_| flags.next().copied().unwrap_or(true));
}

/// Must the statement run even if nobody reads its results?
pub fn has_effect(module: &Module, stmt: &Stmt) -> bool {
    match &stmt.op {
        Op::Return(_) | Op::Drop(_) => true,
        op if module.effect_of(op) != Effect::None => true,
        op => op.blocks().into_iter().any(|block| block.stmts.iter().any(|stmt| has_effect(module, stmt))),
    }
}
