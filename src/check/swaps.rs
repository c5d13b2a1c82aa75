//! `with model { site[layer: 3] = fn(x) => ... }`: a model one of whose sites gives another value from there on.
//!
//! Like `capture`, this is compilation only: while the forward pass is read, the value at the site goes through the
//! function, and what follows sees the result, captures too. Indices along loops say in which rounds; indices along axes
//! of the value say which part of it. A site that the forward pass never meets is an error, never a model left as it was.

use super::call::ArgVal;
use super::value::{FnVal, Lit, Val};
use super::{Checker, messages};
use crate::base::axis::Axis;
use crate::base::ops::ScalarOp;
use crate::base::span::Span;
use crate::ir::{LocalId, Op, Type};
use crate::syntax::ast::{self, Bracket, ExprKind};
use std::rc::Rc;

/// One line of a `with`.
#[derive(Clone, Debug)]
pub(crate) struct Swap {
    pub site: String,
    /// Where: along loops around the site, and along axes of its value.
    pub at: Vec<(Axis, Val)>,
    pub by: Rc<FnVal>,
    pub span: Span,
}

/// A `with` model whose forward pass is being read.
pub(crate) struct Swapping {
    swaps: Rc<Vec<Swap>>,
    met: Vec<bool>,
    /// The frames of the model start here.
    base: usize,
    /// The sites met so far.
    known: Vec<String>,
    /// Replaced values that nothing has read yet: the names that they go by, and where they are asked for.
    unread: Vec<(Vec<String>, Span)>,
}

impl Checker {
    pub(super) fn with_expr(&mut self, with: &ast::WithExpr) -> Val {
        let model = self.expr(&with.model);
        if self.forward_of(&model, with.model.span).is_none() {
            return Val::Error;
        }
        let swaps: Option<Vec<Swap>> = with.swaps.iter().map(|swap| self.swap(&model, swap)).collect();
        let Some(swaps) = swaps.map(Rc::new) else { return Val::Error };
        let swapped = |val: &Val| match val {
            Val::Fn(f) => Val::Fn(Rc::new(FnVal::With { f: f.clone(), swaps: swaps.clone() })),
            other => other.clone(),
        };
        let made = match &model {
            // Every function of the model, so that none of its forward passes is left as it was.
            Val::Record(fields) => Val::record(fields.iter().map(|(name, val)| (name.clone(), swapped(val))).collect()),
            other => swapped(other),
        };
        self.of_fair_size(made, with.model.span)
    }

    fn swap(&mut self, model: &Val, swap: &ast::Swap) -> Option<Swap> {
        let named = self.named_site(model, &swap.site)?;
        let mut at = named.pins;
        for part in &swap.parts {
            let Bracket::Index { axis, value } = part else {
                self.error(messages::swap_takes_indices(swap.span));
                return None;
            };
            let found = self.axis(axis)?;
            if at.iter().any(|(known, _)| *known == found) {
                self.error(messages::axis_twice(axis.span, found));
                return None;
            }
            let index = self.index_value(found, value)?;
            at.push((found, index));
        }
        match self.expr(&swap.value) {
            Val::Fn(by) => Some(Swap { site: named.site, at, by, span: swap.site.span }),
            Val::Error => None,
            other => {
                self.error(messages::swap_needs_function(swap.value.span, &other.ty()));
                None
            }
        }
    }

    /// A single index of the axis, or a whole number.
    fn index_value(&mut self, axis: Axis, value: &ast::Expr) -> Option<Val> {
        let val = self.expr(value);
        let val = self.materialize(&val, value.span);
        if val.is_error() {
            return None;
        }
        if !val.ty().is_index_of(axis) {
            self.error(messages::wrong_index(value.span, axis, &val.ty()));
            return None;
        }
        Some(val)
    }

    pub(super) fn call_with(
        &mut self,
        f: &Rc<FnVal>,
        swaps: &Rc<Vec<Swap>>,
        axes: Option<&[Axis]>,
        args: Vec<ArgVal>,
        span: Span,
    ) -> Val {
        let (base, met) = (self.frames.len(), vec![false; swaps.len()]);
        self.swapping.push(Swapping { swaps: swaps.clone(), met, base, known: Vec::new(), unread: Vec::new() });
        let val = self.call(f, axes, args, span);
        let Some(state) = self.swapping.pop() else { return val };
        if val.is_error() {
            return val;
        }
        for (swap, met) in swaps.iter().zip(&state.met) {
            if !met {
                self.error(messages::unknown_site(swap.span, &swap.site, &state.known));
            }
        }
        if let Some((names, span)) = state.unread.first() {
            self.error(messages::swap_goes_nowhere(*span, &names[0]));
        }
        val
    }

    /// A variable is read: what replaced it goes somewhere.
    pub(super) fn note_read(&mut self, name: &str) {
        for state in &mut self.swapping {
            state.unread.retain(|(names, _)| !names.iter().any(|known| known == name));
        }
    }

    /// The value at a site after every `with` around the forward pass, the innermost first. Where the site names a place
    /// of a variable, the variable goes on with it.
    pub(super) fn swapped_site(&mut self, name: &ast::Ident, val: Val, value: &ast::Expr) -> Val {
        let new = self.swapped_by_all(&name.name, val.clone(), value.span);
        if new.same(&val) {
            return val;
        }
        let variable = match &value.kind {
            ExprKind::Name(variable) => Some(variable.as_str()),
            _ => None,
        };
        if variable.is_some_and(|variable| self.go_on_as(variable, &new, value.span)) {
            return new;
        }
        for state in &mut self.swapping {
            let names = [Some(name.name.as_str()), variable].into_iter().flatten().map(str::to_string).collect();
            let asked = state.swaps.iter().find(|swap| swap.site == name.name);
            state.unread.extend(asked.map(|swap| (names, swap.span)));
        }
        new
    }

    fn swapped_by_all(&mut self, name: &str, val: Val, span: Span) -> Val {
        let mut val = val;
        for place in (0..self.swapping.len()).rev() {
            let state = &mut self.swapping[place];
            state.known.push(name.to_string());
            let swaps = state.swaps.clone();
            let loops: Vec<(Axis, Val)> =
                self.frames[state.base..].iter().flat_map(|frame| frame.loops.clone()).collect();
            for (at, swap) in swaps.iter().enumerate().filter(|(_, swap)| swap.site == name) {
                if let Some(state) = self.swapping.get_mut(place) {
                    state.met[at] = true;
                }
                val = self.swapped(swap, val, &loops, span);
            }
        }
        val
    }

    fn swapped(&mut self, swap: &Swap, val: Val, loops: &[(Axis, Val)], span: Span) -> Val {
        let round = |axis: Axis| loops.iter().find(|(looped, _)| *looped == axis).map(|(_, index)| index.clone());
        let pinned: Vec<(Val, Val)> =
            swap.at.iter().filter_map(|(axis, wanted)| Some((round(*axis)?, wanted.clone()))).collect();
        let inside: Vec<(Axis, Val)> = swap.at.iter().filter(|(axis, _)| round(*axis).is_none()).cloned().collect();
        let open: Vec<Val> = loops
            .iter()
            .filter(|(axis, _)| !swap.at.iter().any(|(pin, _)| pin == axis))
            .map(|(_, index)| index.clone())
            .collect();
        let mut new = |checker: &mut Checker| checker.new_value(swap, &val, &inside, &open, span);
        match self.all_equal(&pinned, span) {
            None => new(self),
            Some(cond) => {
                let old = val.clone();
                self.branch(&cond, &mut new, &mut |_| old.clone(), span)
            }
        }
    }

    /// The value with the part at `inside` replaced by what the function makes of it.
    fn new_value(&mut self, swap: &Swap, val: &Val, inside: &[(Axis, Val)], open: &[Val], span: Span) -> Val {
        let Some(((axis, index), rest)) = inside.split_first() else {
            return self.made_by(swap, val, open, span);
        };
        let (Some(axes), Some(elem)) = (val.axes(), val.elem()) else { return Val::Error };
        if !axes.contains(*axis) {
            let error = self.missing_axis(swap.span, *axis, val, "the value at this site needs the axis");
            self.error(error);
            return Val::Error;
        }
        let place = self.index_as_int(index, span);
        let (arg, at) = (self.id(val, span), self.id(&place, span));
        let part = self.emit(Op::Select { arg, axis: *axis, index: at }, Type::Tensor(elem, axes.without(*axis)), span);
        let new = self.new_value(swap, &part, rest, open, span);
        if new.is_error() {
            return Val::Error;
        }
        let args = [val.clone(), place, new].into_iter().map(|val| ArgVal::plain(val, span)).collect();
        let Some(put) = self.modules[0].functions.get("put").cloned() else { return Val::Error };
        let put = Rc::new(FnVal::Item { module: super::modules::ModId(0), item: put });
        self.call(&put, Some(&[*axis]), args, span)
    }

    /// What the function makes of a value: of the same element type, and repeated along the axes that it lacks. A
    /// function of more parameters is given the indices of the loops that nothing pins, outermost first.
    fn made_by(&mut self, swap: &Swap, val: &Val, open: &[Val], span: Span) -> Val {
        let mut args = vec![ArgVal::plain(val.clone(), span)];
        let more = parameters(&swap.by).saturating_sub(1);
        args.extend(open.iter().take(more).map(|index| ArgVal::plain(index.clone(), span)));
        // Sites of other models that the function may run are no sites of this one.
        let outside = (self.capture.take(), std::mem::take(&mut self.swapping));
        let found = self.call(&swap.by, None, args, swap.span);
        (self.capture, self.swapping) = outside;
        if found.is_error() {
            return Val::Error;
        }
        let fits = match (found.ty(), val.ty()) {
            (Type::Tensor(_, made), Type::Tensor(_, own)) => made.iter().all(|axis| own.contains(axis)),
            _ => false,
        };
        if !fits {
            self.error(messages::swap_changes_type(swap.span, &swap.site, &found.ty(), &val.ty()));
            return Val::Error;
        }
        let always = (Val::Lit(Lit::Bool(true)), swap.span);
        let new =
            self.elementwise(ScalarOp::Where, &[always, (found.clone(), swap.span), (val.clone(), span)], swap.span);
        if !new.is_error() && new.ty() != val.ty() {
            self.error(messages::swap_changes_type(swap.span, &swap.site, &found.ty(), &val.ty()));
            return Val::Error;
        }
        new
    }

    /// The length of a loop over `axis` that begins, of length `size`: the same, and an error where an index of a
    /// replacement does not lie within it.
    pub(super) fn swap_bound(&mut self, axis: Axis, size: LocalId, span: Span) -> LocalId {
        let pins: Vec<(Val, Span)> = self
            .swapping
            .iter()
            .filter(|state| self.frames.len() > state.base)
            .flat_map(|state| state.swaps.iter())
            .flat_map(|swap| swap.at.iter().map(|(at, index)| (*at, index.clone(), swap.span)))
            .filter(|(at, _, _)| *at == axis)
            .map(|(_, index, at)| (index, at))
            .collect();
        let mut length = self.local(size, Type::INT);
        for (pin, at) in pins {
            let plain = self.index_as_int(&pin, at);
            let args = vec![self.id(&plain, at), size];
            let checked = self.emit(Op::Builtin { name: "index_check", axes: vec![axis], args }, Type::INT, span);
            // What is below the length changes nothing; but a check that nothing reads would not be made.
            length = self.scalar_op(ScalarOp::Max, &[&length, &checked], Type::INT, span);
        }
        self.id(&length, span)
    }
}

fn parameters(f: &FnVal) -> usize {
    match f {
        FnVal::Lambda(closure) => closure.lambda.params.len(),
        FnVal::Item { item, .. } => item.params.len(),
        FnVal::WithAxes { inner, .. } => parameters(inner),
        _ => 1,
    }
}
