//! Functions of whole records: mapping over their leaves, and gradients by them.

use super::call::ArgVal;
use super::value::{FnVal, Val};
use super::{Checker, messages};
use crate::base::axis::Axis;
use crate::base::ops::ScalarOp;
use crate::base::span::Span;
use crate::ir::{Effect, Elem, LocalId, Op, Type};
use std::rc::Rc;

impl Checker {
    pub(super) fn leaves_form(&mut self, name: &str, axes: &[Axis], args: Vec<ArgVal>, span: Span) -> Val {
        let Some((first, records)) = args.split_first() else {
            self.error(messages::arity(span, name, 2, 0));
            return Val::Error;
        };
        let Val::Fn(f) = &first.val else {
            self.error(messages::mismatch_text(first.span, name, &first.val.ty(), "a function"));
            return Val::Error;
        };
        if records.is_empty() {
            self.error(messages::arity(span, name, 2, 1));
            return Val::Error;
        }
        let vals: Vec<Val> = records.iter().map(|arg| arg.val.clone()).collect();
        match name {
            "sum_leaves" => {
                let mut total = Val::Lit(super::value::Lit::Float(0.0));
                self.sum_over(f, &vals, &mut total, span);
                total
            }
            "map_leaves_with" if axes.is_empty() => {
                self.error(messages::needs_one_axis(span, name));
                Val::Error
            }
            "map_leaves_with" if !carries(&vals[0], axes) => {
                self.error(messages::nothing_carries(span, axes, &vals[0].ty()));
                Val::Error
            }
            "map_leaves_with" => self.map_over(f, Some(axes), &vals, span),
            _ => self.map_over(f, None, &vals, span),
        }
    }

    /// Corresponding fields of records of one shape; an error if the shapes differ.
    fn fields(&mut self, vals: &[Val], span: Span) -> Option<Vec<(String, Vec<Val>)>> {
        let Val::Record(first) = &vals[0] else { return None };
        let mut out = Vec::new();
        for (name, _) in first.iter() {
            let mut parts = Vec::new();
            for val in vals {
                match val.field(name) {
                    Some(part) => parts.push(part.clone()),
                    None => {
                        self.error(messages::shapes_differ(span, &vals[0].ty(), &val.ty()));
                        parts.push(Val::Error);
                    }
                }
            }
            out.push((name.clone(), parts));
        }
        Some(out)
    }

    fn map_over(&mut self, f: &Rc<FnVal>, with: Option<&[Axis]>, vals: &[Val], span: Span) -> Val {
        if let Some(fields) = self.fields(vals, span) {
            let mapped = fields.into_iter().map(|(name, parts)| {
                let val = self.map_over(f, with, &parts, span);
                (name, val)
            });
            return Val::record(mapped.collect());
        }
        let lacks = with.is_some_and(|axes| {
            let own = vals[0].axes().unwrap_or_default();
            !axes.iter().all(|&axis| own.contains(axis))
        });
        if lacks || matches!(vals[0], Val::Fn(_) | Val::Unit) {
            return vals[0].clone();
        }
        let args = vals.iter().map(|val| ArgVal::plain(val.clone(), span)).collect();
        self.call(f, None, args, span)
    }

    fn sum_over(&mut self, f: &Rc<FnVal>, vals: &[Val], total: &mut Val, span: Span) {
        if let Some(fields) = self.fields(vals, span) {
            for (_, parts) in fields {
                self.sum_over(f, &parts, total, span);
            }
            return;
        }
        // A field that holds nothing adds nothing.
        if matches!(vals[0], Val::Unit) {
            return;
        }
        let args = vals.iter().map(|val| ArgVal::plain(val.clone(), span)).collect();
        let part = self.call(f, None, args, span);
        let part = self.float_value(&part, span, "what `sum_leaves` adds");
        *total = self.elementwise(ScalarOp::Add, &[(total.clone(), span), (part, span)], span);
    }

    /// `grad(f)(p, ...)`: the gradient by the first argument. `value_and_grad` gives the value too.
    pub(super) fn call_grad(&mut self, f: &Rc<FnVal>, with_value: bool, args: Vec<ArgVal>, span: Span) -> Val {
        let Some((first, others)) = args.split_first() else {
            self.error(messages::arity(span, "grad", 1, 0));
            return Val::Error;
        };
        let point = self.materialize(&first.val, first.span);
        let leaves = point.leaves();
        if leaves.iter().any(|leaf| !leaf.elem().is_some_and(Elem::is_float)) {
            self.error(messages::not_differentiable_argument(first.span, &point.ty()));
            return Val::Error;
        }
        self.open_function("differentiated");
        let inside = point.with_leaves(&mut |ty| self.new_param(ty.clone(), "p", first.span));
        let mut call_args = vec![ArgVal { val: inside, ..first.clone() }];
        call_args.extend(others.iter().cloned());
        let value = self.call(f, None, call_args, span);
        let value = self.materialize(&value, span);
        let loss = match &value {
            Val::Record(_) => value.field("loss").cloned(),
            other => Some(other.clone()),
        };
        let loss = loss.filter(|loss| loss.ty().is_scalar() && loss.elem().is_some_and(Elem::is_float));
        let Some(loss) = loss else {
            self.close_function(Vec::new());
            if !value.is_error() {
                self.error(messages::not_a_loss(span, &value.ty()));
            }
            return Val::Error;
        };
        let mut results = vec![loss.clone()];
        results.extend(value.leaves());
        let types: Vec<Type> = results.iter().map(Val::ty).collect();
        let ids = self.ids(&results, span);
        let (function, outer) = self.close_function(ids);
        if function.effect == Effect::Shows {
            self.error(super::blocks::shows(&function.body, span, "a function that is differentiated"));
        }
        let func = self.add_function(function);
        self.emit_grad(func, &point, outer, &types, (&value, with_value), span)
    }

    fn emit_grad(
        &mut self,
        func: crate::ir::FuncId,
        point: &Val,
        outer: Vec<LocalId>,
        types: &[Type],
        value: (&Val, bool),
        span: Span,
    ) -> Val {
        let leaves = point.leaves();
        let mut args = self.ids(&leaves, span);
        args.extend(outer);
        let mut all: Vec<Type> = types.to_vec();
        all.extend(leaves.iter().map(Val::ty));
        let made = self.emit_many(Op::Grad { func, args, wrt: leaves.len() }, &all, span);
        let (values, grads) = made.split_at(types.len());
        let mut grads = grads.iter().cloned();
        let gradient = point.with_leaves(&mut |_| grads.next().unwrap_or(Val::Error));
        if !value.1 {
            return gradient;
        }
        let mut parts = values.iter().skip(1).cloned();
        let rebuilt = value.0.with_leaves(&mut |_| parts.next().unwrap_or(Val::Error));
        Val::record(vec![("value".to_string(), rebuilt), ("grad".to_string(), gradient)])
    }
}

/// Has one of the leaves all of these axes? What failed before counts as one that has.
pub(super) fn carries(val: &Val, axes: &[Axis]) -> bool {
    let has = |leaf: &Val| leaf.axes().is_some_and(|own| axes.iter().all(|&axis| own.contains(axis)));
    val.is_error() || val.leaves().iter().any(has)
}
