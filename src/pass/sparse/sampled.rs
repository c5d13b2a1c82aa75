//! Products that are read only where a sparse value keeps an entry, computed there only.
//!
//! The derivative of a selection masks a product by what was selected. Walking backwards, each value is found to be
//! read everywhere, or only at the entries of one sparse value; a product of the second kind becomes a sampled one.

use super::facts::Facts;
use crate::base::ops::ScalarOp;
use crate::ir::{Block, Function, LocalId, Op, Stmt};
use std::collections::{BTreeMap, BTreeSet};

pub fn rewrite(function: &Function, body: &mut Block) {
    let facts = Facts::of(function, body);
    let mut readers = Readers { function, facts: &facts, read: BTreeMap::new() };
    readers.block(body);
    let read = readers.read;
    let mut scope: BTreeSet<LocalId> = function.params.iter().copied().collect();
    replace(function, &read, &mut scope, body);
}

#[derive(Clone, Copy, PartialEq)]
enum Read {
    Everywhere,
    /// At the entries of this sparse value.
    Within(LocalId),
}

struct Readers<'a> {
    function: &'a Function,
    facts: &'a Facts,
    read: BTreeMap<LocalId, Read>,
}

impl Readers<'_> {
    fn note(&mut self, local: LocalId, how: Read) {
        let how = match how {
            // A value that repeats along an axis is read at other entries than its own.
            Read::Within(root) if self.function.ty(local).axes() != self.function.ty(root).axes() => Read::Everywhere,
            how => how,
        };
        self.read.entry(local).and_modify(|old| *old = if *old == how { how } else { Read::Everywhere }).or_insert(how);
    }

    fn block(&mut self, block: &Block) {
        block.results.iter().for_each(|&local| self.note(local, Read::Everywhere));
        self.stmts(&block.stmts);
    }

    fn stmts(&mut self, stmts: &[Stmt]) {
        stmts.iter().rev().for_each(|stmt| self.stmt(stmt));
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match &stmt.op {
            Op::If { cond, then, other } => {
                self.note(*cond, Read::Everywhere);
                for block in [then, other] {
                    for (&dest, &result) in stmt.dest.iter().zip(&block.results) {
                        if let Some(&how) = self.read.get(&dest) {
                            self.note(result, how);
                        }
                    }
                    self.stmts(&block.stmts);
                }
            }
            Op::Elem { op, args } => self.elementwise(*op, args, &stmt.dest),
            op => {
                op.operands().iter().for_each(|&local| self.note(local, Read::Everywhere));
                op.blocks().into_iter().for_each(|inner| self.block(inner));
            }
        }
    }

    fn elementwise(&mut self, op: ScalarOp, args: &[LocalId], dest: &[LocalId]) {
        let result = dest.first().and_then(|dest| self.read.get(dest)).copied();
        for (place, &arg) in args.iter().enumerate() {
            let mask = match op {
                ScalarOp::Mul => args.get(1 - place).copied(),
                ScalarOp::Where if place == 1 => args.first().copied(),
                _ => None,
            };
            let masked = mask.and_then(|mask| self.facts.within(mask)).map(Read::Within);
            match (result, masked) {
                (Some(Read::Within(root)), _) => self.note(arg, Read::Within(root)),
                (_, Some(masked)) => self.note(arg, masked),
                (Some(Read::Everywhere), None) => self.note(arg, Read::Everywhere),
                // Nobody reads the result.
                (None, None) => {}
            }
        }
    }
}

fn replace(function: &Function, read: &BTreeMap<LocalId, Read>, scope: &mut BTreeSet<LocalId>, block: &mut Block) {
    let before = scope.clone();
    for stmt in &mut block.stmts {
        scope.extend(stmt.op.inner_params());
        stmt.op.blocks_mut().into_iter().for_each(|inner| replace(function, read, scope, inner));
        if let (Op::Contract { a, b, axes }, &[dest]) = (&stmt.op, &stmt.dest[..])
            && let Some(&Read::Within(pattern)) = read.get(&dest)
            && scope.contains(&pattern)
            && function.ty(dest).axes() == function.ty(pattern).axes()
        {
            stmt.op = Op::Sampled { a: *a, b: *b, axes: axes.clone(), pattern };
        }
        scope.extend(stmt.dest.iter().copied());
    }
    *scope = before;
}
