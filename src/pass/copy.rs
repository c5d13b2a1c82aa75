//! Copies of blocks under new names, substitution, and the locals a block takes from outside.
//!
//! Static single assignment means that no code may stand twice under the same names: whoever repeats a block
//! (inlining, the recomputation in a gradient) copies it here.

use crate::ir::{Block, Function, Local, LocalId, Op, Stmt};
use std::collections::{BTreeMap, BTreeSet};

/// Old names to new ones.
pub type Names = BTreeMap<LocalId, LocalId>;

/// Copies blocks into `target`. `source` holds the locals of another function; `None`: the block is of `target` itself.
pub struct Copier<'a> {
    pub target: &'a mut Function,
    pub source: Option<&'a [Local]>,
    /// Locals that are not in here and not bound by the copied code keep their name.
    pub names: Names,
}

impl Copier<'_> {
    pub fn block(&mut self, block: &Block) -> Block {
        let stmts = block.stmts.iter().map(|stmt| self.stmt(stmt)).collect();
        let results = block.results.iter().map(|&local| self.name(local)).collect();
        Block { stmts, results }
    }

    pub fn stmt(&mut self, stmt: &Stmt) -> Stmt {
        let mut op = stmt.op.clone();
        op.operands_mut(&mut |local| *local = self.name(*local));
        for param in stmt.op.inner_params() {
            self.fresh(param);
        }
        set_inner_params(&mut op, &mut |local| *local = self.name(*local));
        for block in op.blocks_mut() {
            *block = self.block(&std::mem::take(block));
        }
        let dest = stmt.dest.iter().map(|&local| self.fresh(local)).collect();
        Stmt { dest, op, span: stmt.span }
    }

    fn name(&self, local: LocalId) -> LocalId {
        self.names.get(&local).copied().unwrap_or(local)
    }

    /// A new local of the same type for one that the copied code binds.
    fn fresh(&mut self, old: LocalId) -> LocalId {
        let found = match self.source {
            Some(source) => &source[old.0 as usize],
            None => &self.target.locals[old.0 as usize],
        };
        let Local { ty, name, span } = found.clone();
        let new = self.target.new_local(ty, name, span);
        self.names.insert(old, new);
        new
    }
}

/// Visits the locals that the operation binds for its blocks.
fn set_inner_params(op: &mut Op, visit: &mut dyn FnMut(&mut LocalId)) {
    match op {
        Op::For { var, carried, .. } => {
            visit(var);
            carried.iter_mut().for_each(|c| visit(&mut c.param));
        }
        Op::While { carried, .. } => carried.iter_mut().for_each(|c| visit(&mut c.param)),
        Op::Comprehend { binders, .. } => binders.iter_mut().for_each(|b| visit(&mut b.var)),
        _ => {}
    }
}

/// Renames what a block reads, at any depth. Names that stand for others are followed to the end.
pub fn substitute(block: &mut Block, names: &Names) {
    if names.is_empty() {
        return;
    }
    for stmt in &mut block.stmts {
        substitute_stmt(stmt, names);
    }
    block.results.iter_mut().for_each(|local| *local = resolve(names, *local));
}

pub fn substitute_stmt(stmt: &mut Stmt, names: &Names) {
    stmt.op.operands_mut(&mut |local| *local = resolve(names, *local));
    for block in stmt.op.blocks_mut() {
        substitute(block, names);
    }
}

/// What a name stands for in the end.
pub fn resolve(names: &Names, mut local: LocalId) -> LocalId {
    while let Some(&next) = names.get(&local) {
        local = next;
    }
    local
}

/// The locals that statements and their blocks read but do not bind, in order of identity.
pub fn captured(blocks: &[&Block]) -> BTreeSet<LocalId> {
    let mut read = BTreeSet::new();
    let mut bound = BTreeSet::new();
    for block in blocks {
        collect(block, &mut read, &mut bound);
    }
    &read - &bound
}

fn collect(block: &Block, read: &mut BTreeSet<LocalId>, bound: &mut BTreeSet<LocalId>) {
    for stmt in &block.stmts {
        read.extend(stmt.op.operands());
        bound.extend(stmt.dest.iter().copied());
        bound.extend(stmt.op.inner_params());
        stmt.op.blocks().into_iter().for_each(|inner| collect(inner, read, bound));
    }
    read.extend(block.results.iter().copied());
}

/// Visits every statement, those of inner blocks after their owner.
pub fn each_stmt<'a>(block: &'a Block, visit: &mut dyn FnMut(&'a Stmt)) {
    for stmt in &block.stmts {
        visit(stmt);
        stmt.op.blocks().into_iter().for_each(|inner| each_stmt(inner, visit));
    }
}
