//! Moving values that an item bound into globals, so that later items can read them.

use super::Checker;
use super::names::Var;
use super::sizes::SizeScope;
use super::swaps::Swap;
use super::value::{Closure, FnVal, Val};
use crate::base::span::Span;
use crate::ir::{Global, GlobalId, LocalId, Op, Type};
use std::rc::Rc;

/// Locals of the item that have a global already.
pub(super) type Published = Vec<(LocalId, GlobalId)>;

impl Checker {
    /// The value with every local of the item replaced by a global: its leaves, and what its functions close over.
    pub(super) fn publish_value(&mut self, name: &str, val: &Val, span: Span, published: &mut Published) -> Val {
        match val {
            Val::Local { id, ty, .. } => {
                if let Some((_, global)) = published.iter().find(|(local, _)| local == id) {
                    return Val::Global(*global, ty.clone());
                }
                let global = self.publish_leaf(name, val, ty, span);
                published.push((*id, global));
                Val::Global(global, ty.clone())
            }
            Val::Record(fields) => {
                let part =
                    |(field, val): &(String, Val)| (field.clone(), self.publish_value(name, val, span, published));
                Val::record(fields.iter().map(part).collect())
            }
            Val::Fn(f) => Val::Fn(self.publish_function(name, f, span, published)),
            other => other.clone(),
        }
    }

    fn publish_leaf(&mut self, name: &str, val: &Val, ty: &Type, span: Span) -> GlobalId {
        self.module.globals.push(Global { name: name.to_string(), ty: ty.clone() });
        let global = GlobalId(self.module.globals.len() as u32 - 1);
        let id = self.id(val, span);
        self.push_stmt(Vec::new(), Op::GlobalSet(global, id), span);
        global
    }

    fn publish_function(&mut self, name: &str, f: &Rc<FnVal>, span: Span, published: &mut Published) -> Rc<FnVal> {
        match &**f {
            FnVal::Lambda(closure) => {
                let mut vars = Vec::new();
                for var in closure.vars.iter() {
                    let val = self.publish_value(&format!("{name}.{}", var.name), &var.val, span, published);
                    vars.push(Var { val, ..var.clone() });
                }
                let sizes = self.publish_sizes(name, &closure.sizes, span, published);
                Rc::new(FnVal::Lambda(Closure { vars: Rc::new(vars), sizes, ..closure.clone() }))
            }
            FnVal::WithAxes { inner, axes } => {
                let inner = self.publish_function(name, inner, span, published);
                Rc::new(FnVal::WithAxes { inner, axes: axes.clone() })
            }
            FnVal::Grad { f, value } => {
                let f = self.publish_function(name, f, span, published);
                Rc::new(FnVal::Grad { f, value: *value })
            }
            FnVal::Loss { f, arity } => {
                let f = self.publish_function(name, f, span, published);
                Rc::new(FnVal::Loss { f, arity: *arity })
            }
            FnVal::With { f, swaps } => {
                let f = self.publish_function(name, f, span, published);
                let swaps = swaps.iter().map(|swap| {
                    let at = swap.at.iter();
                    let at =
                        at.map(|(axis, index)| (*axis, self.publish_value(name, index, span, published))).collect();
                    Swap { at, by: self.publish_function(name, &swap.by, span, published), ..swap.clone() }
                });
                let swaps = Rc::new(swaps.collect());
                Rc::new(FnVal::With { f, swaps })
            }
            FnVal::Item { .. } | FnVal::Special(_) => f.clone(),
        }
    }

    fn publish_sizes(&mut self, name: &str, sizes: &SizeScope, span: Span, published: &mut Published) -> Rc<SizeScope> {
        Rc::new(match sizes {
            SizeScope::Top => SizeScope::Top,
            SizeScope::Args { leaves, parent } => SizeScope::Args {
                leaves: self.publish_all(name, leaves, span, published),
                parent: self.publish_sizes(name, parent, span, published),
            },
            SizeScope::Instance { leaves } => {
                SizeScope::Instance { leaves: self.publish_all(name, leaves, span, published) }
            }
        })
    }

    fn publish_all(&mut self, name: &str, leaves: &[Val], span: Span, published: &mut Published) -> Vec<Val> {
        leaves.iter().map(|leaf| self.publish_value(name, leaf, span, published)).collect()
    }
}
