//! Assignment, and the state that branches and loops carry: mutable variables and captured sites.

use super::value::Val;
use super::{Checker, messages};
use crate::base::span::Span;
use crate::ir::{Op, Type};
use crate::syntax::ast::{self, BinaryOp, Bracket, Expr, ExprKind, StmtKind};
use std::collections::BTreeSet;

/// The names that a block assigns to, lambdas left out (they cannot assign).
pub(super) fn assigned_names(block: &ast::Block) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    collect(block, &mut names);
    names
}

fn collect(block: &ast::Block, names: &mut BTreeSet<String>) {
    for stmt in &block.stmts {
        match &stmt.kind {
            StmtKind::Assign { target, .. } => {
                names.extend(root_name(target));
            }
            StmtKind::For { body, .. } | StmtKind::While { body, .. } => collect(body, names),
            // A `with` replaces the variable itself.
            StmtKind::Site { value, .. } => names.extend(root_name(value)),
            StmtKind::Let { value: expr, .. } | StmtKind::Expr(expr) => {
                for block in super::functions::nested_blocks(expr) {
                    collect(block, names);
                }
            }
            _ => {}
        }
    }
}

fn root_name(target: &Expr) -> Option<String> {
    match &target.kind {
        ExprKind::Name(name) => Some(name.clone()),
        ExprKind::Field { value, .. } | ExprKind::Brackets { value, .. } => root_name(value),
        _ => None,
    }
}

impl Checker {
    /// `site resid_pre = x` names a place on the way of `x`: what replaces it there goes on as `x`. Not in a branch or a
    /// loop if `x` cannot change and was made outside: then what comes after would go on with the old value. True if `x`
    /// may change, so that it is read wherever a loop comes back to it.
    pub(super) fn go_on_as(&mut self, name: &str, val: &Val, span: Span) -> bool {
        let depth = self.open_blocks();
        let Some(place) = self.frame().vars.iter().rposition(|var| var.name == name) else { return false };
        let var = &mut self.frame().vars[place];
        let mutable = var.mutable;
        if mutable || var.depth == depth {
            var.val = val.clone();
        } else {
            let declared = var.span;
            self.error(messages::swap_of_outer(span, name, declared));
        }
        mutable
    }

    /// Places of the mutable variables of the frame.
    pub(super) fn mutable_places(&mut self) -> Vec<usize> {
        let vars = &self.frame().vars;
        (0..vars.len()).filter(|&place| vars[place].mutable).collect()
    }

    /// The state: mutable variables of the frame in order, then the values captured so far.
    pub(super) fn state(&mut self) -> Vec<Val> {
        let places = self.mutable_places();
        let frame = self.frame();
        let mut state: Vec<Val> = places.iter().map(|&place| frame.vars[place].val.clone()).collect();
        state.extend(self.captured_values());
        state
    }

    pub(super) fn set_state(&mut self, state: &[Val]) {
        let places = self.mutable_places();
        let split = places.len().min(state.len());
        for (&place, val) in places.iter().zip(state) {
            self.frame().vars[place].val = val.clone();
        }
        self.set_captured_values(&state[split..]);
    }

    pub(super) fn assign(&mut self, target: &Expr, op: Option<BinaryOp>, value: &Expr) {
        let mut val = self.expr(value);
        if let Some(op) = op {
            let old = self.expr(target);
            val = self.binary(op, (old, target.span), (val, value.span), target.span.to(value.span));
        }
        self.store(target, val, value.span);
    }

    /// Rebuilds the variable at the root of the target with the new part in its place.
    fn store(&mut self, target: &Expr, val: Val, span: Span) {
        match &target.kind {
            ExprKind::Name(name) => self.store_name(name, target.span, val, span),
            ExprKind::Field { value, name } => {
                let old = self.expr(value);
                let Val::Record(fields) = &old else {
                    if !old.is_error() {
                        self.error(messages::unknown_field(name.span, &name.name, &old.ty()));
                    }
                    return;
                };
                let Some(place) = fields.iter().position(|(field, _)| *field == name.name) else {
                    self.error(messages::unknown_field(name.span, &name.name, &old.ty()));
                    return;
                };
                let mut fields = (**fields).clone();
                let ty = fields[place].1.ty();
                fields[place].1 = match val {
                    Val::Fn(_) => val,
                    val => self.conform(val, &ty, span, &"a field keeps its type"),
                };
                self.store(value, Val::record(fields), span);
            }
            ExprKind::Brackets { value, parts } => {
                let old = self.expr(value);
                if let Some(new) = self.set_index(&old, parts, val, span) {
                    self.store(value, new, span);
                }
            }
            _ => self.error(messages::not_assignable(target.span)),
        }
    }

    fn store_name(&mut self, name: &str, at: Span, val: Val, span: Span) {
        let Some(place) = self.frame().vars.iter().rposition(|var| var.name == name) else {
            let here = self.here();
            let outside = self.modules[here.0].top.iter().any(|var| var.name == name);
            self.error(if outside { messages::assigns_outside(at, name) } else { messages::new_name(at, name) });
            return;
        };
        let var = self.frame().vars[place].clone();
        if !var.mutable {
            self.error(messages::not_mutable(at, name, var.span));
            return;
        }
        let ty = var.val.ty();
        let val = match (&ty, val.ty()) {
            (Type::List(open), Type::List(_)) if **open == Type::Error => val,
            _ => self.conform(val, &ty, span, &"a variable keeps its type"),
        };
        let val = self.materialize(&val, span);
        self.frame().vars[place].val = val;
    }

    /// `t[pos: 3, feature: f] = e`: the tensor with one part replaced.
    fn set_index(&mut self, old: &Val, parts: &[Bracket], val: Val, span: Span) -> Option<Val> {
        let Type::Tensor(elem, axes) = old.ty() else {
            self.error(messages::cannot_index(span, &old.ty()));
            return None;
        };
        let mut rest = axes.clone();
        let mut at = Vec::new();
        let mut args = vec![self.id(old, span)];
        for part in parts {
            let Bracket::Index { axis, value } = part else {
                self.error(messages::not_assignable(span));
                return None;
            };
            let found = self.axis(axis)?;
            if !rest.remove(found) {
                self.error(self.missing_axis(axis.span, found, old, "this needs the axis"));
                return None;
            }
            let index = self.expr(value);
            if !index.ty().is_index_of(found) {
                self.error(messages::wrong_index(value.span, found, &index.ty()));
                return None;
            }
            at.push(found);
            args.push(self.id(&index, value.span));
        }
        let val = self.conform(val, &Type::Tensor(elem, rest), span, &"the part that is replaced");
        args.push(self.id(&val, span));
        Some(self.emit(Op::Builtin { name: "set_index", axes: at, args }, old.ty(), span))
    }
}
