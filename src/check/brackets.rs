//! Square brackets on values: index, gather, range, rename, merge, split; on functions: axis arguments.

use super::value::{FnVal, Val};
use super::{Checker, messages};
use crate::base::axis::Axis;
use crate::base::span::Span;
use crate::ir::{AxisSet, Elem, LocalId, Op, Type};
use crate::syntax::ast::{self, Bracket, ExprKind};
use std::rc::Rc;

impl Checker {
    pub(super) fn brackets(&mut self, val: Val, parts: &[Bracket], span: Span) -> Val {
        match val {
            Val::Error => Val::Error,
            Val::Fn(inner) => self.axis_arguments(inner, parts, span),
            mut val => {
                for part in parts {
                    val = self.bracket(val, part, span);
                    if val.is_error() {
                        return Val::Error;
                    }
                }
                val
            }
        }
    }

    /// `mean[pos]`, `top[feature -> rank]`: the axes in order.
    fn axis_arguments(&mut self, inner: Rc<FnVal>, parts: &[Bracket], span: Span) -> Val {
        let mut axes: Vec<Axis> = Vec::new();
        for part in parts {
            let found = match part {
                Bracket::Axis(axis) => self.axes_of_ref(axis).map(|found| vec![(found, axis.name.span)]),
                Bracket::Rename { axis, to } => match (self.axis(axis), self.axis(to)) {
                    (Some(from), Some(made)) => Some(vec![(vec![from], axis.span), (vec![made], to.span)]),
                    _ => None,
                },
                _ => {
                    self.error(messages::index_into_function(span));
                    None
                }
            };
            let Some(found) = found else { return Val::Error };
            for (found, at) in found {
                if let Some(&twice) = found.iter().find(|axis| axes.contains(axis)) {
                    self.error(messages::axis_twice(at, twice));
                    return Val::Error;
                }
                self.note_axis_argument(&found, at);
                axes.extend(found);
            }
        }
        self.of_fair_size(Val::Fn(Rc::new(FnVal::WithAxes { inner, axes })), span)
    }

    fn bracket(&mut self, val: Val, part: &Bracket, span: Span) -> Val {
        let ty = val.ty();
        let Type::Tensor(elem, axes) = &ty else {
            self.error(messages::cannot_index(span, &ty));
            return Val::Error;
        };
        let (elem, axes) = (*elem, axes.clone());
        match part {
            Bracket::Axis(axis) => {
                self.error(messages::bare_axis(axis.name.span, &axis.name.name));
                Val::Error
            }
            Bracket::Index { axis, value } => match self.axis_of_value(axis, &axes, &val) {
                Some(at) => self.index(val, elem, axes, at, value),
                None => Val::Error,
            },
            Bracket::Slice { axis, to, range } => {
                let Some((at, new)) = self.renamed(axis, to, &axes, &val) else { return Val::Error };
                if at == new {
                    self.error(messages::range_keeps_axis(to.span, at));
                    return Val::Error;
                }
                if Checker::literal_length(range).is_some_and(|made| self.contradicts_length(new, made, range.span)) {
                    return Val::Error;
                }
                let to = new;
                self.slice(val, elem, axes, at, to, range)
            }
            Bracket::Rename { axis, to } => {
                let Some((at, to)) = self.renamed(axis, to, &axes, &val) else { return Val::Error };
                let arg = self.id(&val, span);
                self.emit(Op::Rename { arg, from: at, to }, Type::Tensor(elem, axes.without(at).with(to)), span)
            }
            Bracket::Split { axis, to } => self.split(val, elem, axes, axis, to, span),
            Bracket::Merge { axes: from, to } => self.merge(val, elem, axes, from, to, span),
        }
    }

    /// The axis a part names, which the value must have.
    fn axis_of_value(&mut self, name: &ast::Ident, axes: &AxisSet, val: &Val) -> Option<Axis> {
        let axis = self.axis(name)?;
        if !axes.contains(axis) {
            self.error(self.missing_axis(name.span, axis, val, "this needs the axis"));
            return None;
        }
        Some(axis)
    }

    fn renamed(&mut self, axis: &ast::Ident, to: &ast::Ident, axes: &AxisSet, val: &Val) -> Option<(Axis, Axis)> {
        let from = self.axis_of_value(axis, axes, val);
        let new = self.axis(to)?;
        if from? != new && axes.contains(new) {
            self.error(messages::axis_is_there(to.span, new, &val.ty()));
            return None;
        }
        Some((from?, new))
    }

    fn index(&mut self, val: Val, elem: Elem, axes: AxisSet, axis: Axis, index: &ast::Expr) -> Val {
        let span = index.span;
        if let ExprKind::Range { .. } = index.kind {
            self.error(messages::cut_without_name(span, axis));
            return Val::Error;
        }
        let place = self.expr(index);
        if place.is_error() {
            return Val::Error;
        }
        let Type::Tensor(kind, own) = place.ty() else {
            self.error(messages::wrong_index(span, axis, &place.ty()));
            return Val::Error;
        };
        let fits = match kind {
            Elem::Index(counted) => counted == axis,
            // Plain ints are checked against the length when they are used.
            Elem::Int => true,
            _ => false,
        };
        if !fits {
            self.error(messages::wrong_index(span, axis, &place.ty()));
            return Val::Error;
        }
        let arg = self.id(&val, span);
        let index = self.id(&place, span);
        let rest = axes.without(axis);
        if own.is_empty() {
            return self.emit(Op::Select { arg, axis, index }, Type::Tensor(elem, rest), span);
        }
        let ty = Type::Tensor(elem, rest.union(&own));
        self.emit(Op::Gather { arg, axis, index }, ty, span)
    }

    fn slice(&mut self, val: Val, elem: Elem, axes: AxisSet, axis: Axis, to: Axis, range: &ast::Expr) -> Val {
        let span = range.span;
        let arg = self.id(&val, span);
        let ExprKind::Range { low, high, inclusive } = &range.kind else {
            self.error(messages::needs_range(span));
            return Val::Error;
        };
        let lo = match low {
            Some(low) => self.bound(low),
            None => self.int(0, span),
        };
        let mut hi = match high {
            Some(high) => self.bound(high),
            None => {
                let size = self.emit(Op::SizeOf { args: vec![arg], axis }, Type::INT, span);
                self.id(&size, span)
            }
        };
        if *inclusive && high.is_some() {
            hi = self.plus_one(hi, span);
        }
        self.emit(Op::Slice { arg, axis, to, lo, hi }, Type::Tensor(elem, axes.without(axis).with(to)), span)
    }

    /// One end of a range: an int.
    pub(super) fn bound(&mut self, expr: &ast::Expr) -> LocalId {
        let val = self.expr(expr);
        self.int_value(&val, expr.span, "the end of a range")
    }

    pub(super) fn plus_one(&mut self, id: LocalId, span: Span) -> LocalId {
        let one = self.int(1, span);
        let op = Op::Elem { op: crate::base::ops::ScalarOp::Add, args: vec![id, one] };
        let val = self.emit(op, Type::INT, span);
        self.id(&val, span)
    }

    fn split(
        &mut self,
        val: Val,
        elem: Elem,
        axes: AxisSet,
        axis: &ast::Ident,
        to: &[(ast::Ident, Option<ast::Expr>)],
        span: Span,
    ) -> Val {
        let ty = val.ty();
        let Some(from) = self.axis_of_value(axis, &axes, &val) else { return Val::Error };
        let rest = axes.without(from);
        let mut parts: Vec<Axis> = Vec::new();
        for (name, _) in to {
            let Some(part) = self.axis(name) else { return Val::Error };
            if rest.contains(part) || parts.contains(&part) {
                self.error(messages::axis_is_there(name.span, part, &ty));
                return Val::Error;
            }
            parts.push(part);
        }
        let unstated = to.iter().filter(|(_, size)| size.is_none()).count();
        let mut sizes = Vec::new();
        for (place, (_, size)) in to.iter().enumerate() {
            let last = to[place + 1..].iter().all(|(_, size)| size.is_some());
            sizes.push(match size {
                Some(size) => self.bound(size),
                None if unstated == 1 || last => self.int(-1, span),
                None => self.axis_size(parts[place], span),
            });
        }
        let arg = self.id(&val, span);
        let result = rest.union(&parts.iter().copied().collect());
        self.emit(Op::Split { arg, from, to: parts, sizes }, Type::Tensor(elem, result), span)
    }

    fn merge(&mut self, val: Val, elem: Elem, axes: AxisSet, from: &[ast::Ident], to: &ast::Ident, span: Span) -> Val {
        let ty = val.ty();
        let mut parts = Vec::new();
        let mut rest = axes.clone();
        for name in from {
            let Some(part) = self.axis_of_value(name, &rest, &val) else { return Val::Error };
            rest.remove(part);
            parts.push(part);
        }
        let Some(to_axis) = self.axis(to) else { return Val::Error };
        if rest.contains(to_axis) {
            self.error(messages::axis_is_there(to.span, to_axis, &ty));
            return Val::Error;
        }
        let arg = self.id(&val, span);
        self.emit(Op::Merge { arg, from: parts, to: to_axis }, Type::Tensor(elem, rest.with(to_axis)), span)
    }
}
