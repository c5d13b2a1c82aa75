//! Which globals can still be read by what is entered later.
//!
//! A name that is bound again leaves the value of its old meaning behind; this says which values nothing leads to.
//! The walk is that of `publish`, which made the globals.

use super::Checker;
use super::modules::ModId;
use super::sizes::SizeScope;
use super::value::{FnVal, Val};
use crate::base::span::Span;
use crate::ir::{FuncId, GlobalId};
use std::collections::BTreeSet;

impl Checker {
    /// The globals that names, lengths of axes, and what functions close over lead to; and the functions that are called
    /// rather than inlined, which read globals by themselves.
    pub fn reachable(&self) -> (BTreeSet<GlobalId>, Vec<FuncId>) {
        let mut found = BTreeSet::new();
        for module in &self.modules {
            module.top.iter().for_each(|var| value(&var.val, &mut found));
            module.axes.values().filter_map(|info| info.size.as_ref()).for_each(|size| value(size, &mut found));
        }
        let alive = |span: &Span| {
            let modules = self.frozen.iter().chain(&[ModId::USER]).map(|id| &self.modules[id.0]);
            modules.flat_map(|module| module.functions.values()).any(|item| item.name.span == *span)
        };
        let pins = self.pins.iter().filter(|(span, _)| alive(span));
        pins.flat_map(|(_, vars)| vars).for_each(|var| value(&var.val, &mut found));
        (found, self.instances.values().map(|instance| instance.func).collect())
    }
}

fn value(val: &Val, found: &mut BTreeSet<GlobalId>) {
    match val {
        Val::Global(global, _) => {
            found.insert(*global);
        }
        Val::Record(fields) => fields.iter().for_each(|(_, val)| value(val, found)),
        Val::Fn(f) => function(f, found),
        Val::Local { .. } | Val::Lit(_) | Val::Unit | Val::Error => {}
    }
}

fn function(f: &FnVal, found: &mut BTreeSet<GlobalId>) {
    match f {
        FnVal::Lambda(closure) => {
            closure.vars.iter().for_each(|var| value(&var.val, found));
            sizes(&closure.sizes, found);
        }
        FnVal::WithAxes { inner: f, .. } | FnVal::Grad { f, .. } | FnVal::Loss { f, .. } => function(f, found),
        FnVal::With { f, swaps } => {
            function(f, found);
            for swap in swaps.iter() {
                swap.at.iter().for_each(|(_, index)| value(index, found));
                function(&swap.by, found);
            }
        }
        FnVal::Item { .. } | FnVal::Special(_) => {}
    }
}

fn sizes(scope: &SizeScope, found: &mut BTreeSet<GlobalId>) {
    match scope {
        SizeScope::Top => {}
        SizeScope::Args { leaves, parent } => {
            leaves.iter().for_each(|leaf| value(leaf, found));
            sizes(parent, found);
        }
        SizeScope::Instance { leaves } => leaves.iter().for_each(|leaf| value(leaf, found)),
    }
}
