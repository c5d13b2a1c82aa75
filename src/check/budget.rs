//! How large a program may become while it is read.
//!
//! Calls are put in place and records are known part by part, so a short text can stand for more than any machine
//! holds: forty functions that each call the one before twice are a million million operations. All that multiplies
//! is counted here, and so is what nests: the passes and machine code that follow walk it recursively. The largest of
//! the examples needs a tenth of what is allowed.

use super::value::{FnVal, Val};
use super::{Checker, messages};
use crate::base::span::Span;
use crate::ir::Type;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Expressions read, those of a function once for each call.
const MOST_READ: usize = 1_000_000;
/// Operations made of them.
const MOST_MADE: usize = 200_000;
/// Parts of one record or one type, those of its parts included.
const MOST_PARTS: usize = 20_000;
/// Parts of a value that take as long to look at as one expression takes to read.
const PARTS_LIKE_ONE: usize = 16;
/// Records in records, lists in lists, functions in functions.
const MOST_LEVELS: usize = 200;
/// Errors of one entry.
const MOST_ERRORS: usize = 100;

/// What one entry has used so far.
#[derive(Debug, Default)]
pub(super) struct Budget {
    read: usize,
    made: usize,
    /// It was reported; what follows from it is not.
    over: bool,
    /// Set from outside to stop: by Ctrl-C, or by a clock.
    interrupt: Arc<AtomicBool>,
}

impl Budget {
    pub fn heed(&mut self, interrupt: Arc<AtomicBool>) {
        self.interrupt = interrupt;
    }

    /// The next entry begins.
    pub fn renew(&mut self) {
        (self.read, self.made, self.over) = (0, 0, false);
    }

    /// Whoever reads a hundred errors mends the first ten; a program with more is not read on.
    pub fn faulted(&mut self, errors: usize) {
        self.over |= errors >= MOST_ERRORS;
    }

    pub fn is_over(&self) -> bool {
        self.over
    }
}

impl Checker {
    /// Listens to a flag that stops the reading of a program.
    pub fn heed(&mut self, interrupt: Arc<AtomicBool>) {
        self.budget.heed(interrupt);
    }

    /// Counts an expression; true if no more is to be read.
    pub(super) fn read_one(&mut self, span: Span) -> bool {
        self.budget.read += 1;
        if self.budget.read > MOST_READ {
            self.exhausted(span, format!("more than {MOST_READ} expressions"));
        } else if self.budget.interrupt.load(Ordering::Relaxed) {
            self.exhausted(span, "stopped".to_string());
        }
        self.budget.over
    }

    /// Counts an operation; true if no more is to be made.
    pub(super) fn made_one(&mut self, span: Span) -> bool {
        self.budget.made += 1;
        if self.budget.made > MOST_MADE {
            self.exhausted(span, format!("more than {MOST_MADE} operations"));
        }
        self.budget.over
    }

    /// One error, at the outermost call: deeper ones are many, and which one came to be the last says nothing.
    fn exhausted(&mut self, span: Span, found: String) {
        if self.budget.over {
            return;
        }
        let at = self.call_sites.first().copied().unwrap_or(span);
        let name = self.active.first().map(|item| item.name.name.clone());
        self.error(messages::too_large(at, name.as_deref(), &found));
        self.budget.over = true;
    }

    /// The value, unless it has more parts or levels than anybody writes.
    pub(super) fn of_fair_size(&mut self, val: Val, span: Span) -> Val {
        if self.is_fair(of_value(&val), span) { val } else { Val::Error }
    }

    /// The same for a type as it is written.
    pub(super) fn type_of_fair_size(&mut self, ty: Type, span: Span) -> Type {
        if self.is_fair(of_type(&ty), span) { ty } else { Type::Error }
    }

    fn is_fair(&mut self, extent: Extent, span: Span) -> bool {
        // Whoever looks at a value looks at all of it.
        self.budget.read += extent.parts / PARTS_LIKE_ONE;
        if extent.parts > MOST_PARTS {
            self.error(messages::too_many_parts(span, MOST_PARTS));
        } else if extent.levels > MOST_LEVELS {
            self.error(messages::too_deep(span));
        } else {
            return true;
        }
        // What is made of it would be too large again.
        self.budget.over = true;
        false
    }
}

/// How large a value is as a tree: what is shared counts each time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Extent {
    pub parts: usize,
    pub levels: usize,
}

impl Extent {
    const ONE: Extent = Extent { parts: 1, levels: 0 };

    /// Of something that holds these values.
    pub fn around<'a>(vals: impl Iterator<Item = &'a Val>) -> Extent {
        joined(vals.map(of_value))
    }
}

fn joined(parts: impl Iterator<Item = Extent>) -> Extent {
    let sum = |all: Extent, part: Extent| Extent {
        parts: all.parts.saturating_add(part.parts),
        levels: all.levels.max(part.levels + 1),
    };
    parts.fold(Extent::ONE, sum)
}

/// Parts were bounded when they were made, so this ends.
fn of_value(val: &Val) -> Extent {
    match val {
        Val::Record(fields) => joined(fields.iter().map(|(_, field)| of_value(field))),
        Val::Local { ty, .. } | Val::Global(_, ty) => of_type(ty),
        Val::Fn(f) => of_function(f),
        Val::Lit(_) | Val::Unit | Val::Error => Extent::ONE,
    }
}

fn of_type(ty: &Type) -> Extent {
    match ty {
        Type::Record(fields) => joined(fields.iter().map(|(_, field)| of_type(field))),
        Type::List(item) => joined(std::iter::once(of_type(item))),
        Type::Fn(params, result) => joined(params.iter().chain(std::iter::once(&**result)).map(of_type)),
        _ => Extent::ONE,
    }
}

fn of_function(f: &FnVal) -> Extent {
    match f {
        FnVal::Item { .. } | FnVal::Special(_) => Extent::ONE,
        FnVal::Lambda(closure) => closure.extent,
        FnVal::WithAxes { inner: f, .. } | FnVal::Grad { f, .. } | FnVal::Loss { f, .. } => {
            joined(std::iter::once(of_function(f)))
        }
        FnVal::With { f, swaps } => {
            let by = swaps.iter().map(|swap| of_function(&swap.by));
            joined(std::iter::once(of_function(f)).chain(by))
        }
    }
}
