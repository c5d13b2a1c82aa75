//! Functions whose bodies live in the runtime: scalar operations, reductions, and builtins by name.

use super::call::{ArgVal, shape_of};
use super::functions::{GenericKind, Signature};
use super::solve::Subst;
use super::value::{Lit, Val};
use super::{Checker, messages};
use crate::base::axis::Axis;
use crate::base::ops::{ReduceKind, ScalarOp};
use crate::base::span::Span;
use crate::ir::{AxisSet, Elem, Op, Type};
use crate::syntax::ast;

impl Checker {
    /// Intrinsics that are operations of the IR rather than builtins; `None` for the others.
    pub(super) fn direct_intrinsic(
        &mut self,
        item: &ast::FnItem,
        axes: Option<&[Axis]>,
        bound: &[Option<ArgVal>],
        span: Span,
    ) -> Option<Val> {
        let name = item.name.name.as_str();
        if let Some(op) = ScalarOp::from_name(name) {
            let operands: Vec<(Val, Span)> = bound.iter().flatten().map(|arg| (arg.val.clone(), arg.span)).collect();
            return Some(self.elementwise(op, &operands, span));
        }
        let kind = ReduceKind::from_name(name)?;
        let arg = bound.first()?.as_ref()?;
        Some(self.reduce(kind, axes, arg, span))
    }

    fn reduce(&mut self, kind: ReduceKind, axes: Option<&[Axis]>, arg: &ArgVal, span: Span) -> Val {
        let ty = arg.val.ty();
        let Type::Tensor(elem, all) = &ty else {
            self.error(messages::mismatch_text(arg.span, kind.name(), &ty, "a tensor"));
            return Val::Error;
        };
        let Some(axes) = axes else {
            self.error(messages::needs_axes(span, kind.name(), &ty));
            return Val::Error;
        };
        if let Some(&missing) = axes.iter().find(|&&axis| !all.contains(axis)) {
            let place = self.axis_argument(missing, span);
            self.error(self.missing_axis(place, missing, &arg.val, &format!("`{}` needs this axis", kind.name())));
            return Val::Error;
        }
        if !reduces(kind, *elem) || (matches!(kind, ReduceKind::ArgMax | ReduceKind::ArgMin) && axes.len() != 1) {
            self.error(messages::cannot_reduce(arg.span, kind.name(), &ty));
            return Val::Error;
        }
        let result = match kind {
            ReduceKind::Sum | ReduceKind::Max | ReduceKind::Min => *elem,
            ReduceKind::SumF64 => Elem::F64,
            ReduceKind::Any | ReduceKind::All => Elem::Bool,
            ReduceKind::Count => Elem::Int,
            ReduceKind::ArgMax | ReduceKind::ArgMin => Elem::Index(axes[0]),
        };
        if axes.is_empty() {
            return self.cast(&arg.val, result, span);
        }
        let over: AxisSet = axes.iter().copied().collect();
        let rest = all.minus(&over);
        let id = self.id(&arg.val, arg.span);
        self.emit(Op::Reduce { kind, arg: id, axes: over }, Type::Tensor(result, rest), span)
    }

    /// A builtin of the runtime: explicit axes, the arguments' leaves, then the sizes of axes that it makes.
    pub(super) fn builtin_call(
        &mut self,
        item: &ast::FnItem,
        signature: &Signature,
        subst: &Subst,
        axes: Option<&[Axis]>,
        bound: Vec<Option<ArgVal>>,
        span: Span,
    ) -> Val {
        let Some(name) = super::builtin_name(&item.name.name) else {
            self.error(messages::unknown_builtin(item.span, &item.name.name));
            return Val::Error;
        };
        let mut args = Vec::new();
        let mut carried = AxisSet::empty();
        for ((param, (_, pattern)), arg) in item.params.iter().zip(&signature.params).zip(bound) {
            let (val, at) = match (arg, &param.default) {
                (Some(arg), _) => (arg.val, arg.span),
                (None, Some(default)) => (self.expr(default), default.span),
                (None, None) => (Val::Error, span),
            };
            let Some(pattern) = pattern else { continue };
            if let ("n", &Val::Lit(Lit::Int(n))) = (param.name.name.as_str(), &val) {
                let made = made_axes(signature, subst);
                if made.into_iter().any(|axis| self.contradicts_length(axis, n, at)) {
                    return Val::Error;
                }
            }
            let ty = subst.apply(pattern);
            let val = self.conform(
                val,
                &ty,
                at,
                &format_args!("the parameter `{}` of `{}`", param.name.name, item.name.name),
            );
            let val = self.materialize(&val, at);
            for leaf in val.leaves() {
                carried = carried.union(&leaf.axes().unwrap_or_default());
                args.push(self.id(&leaf, at));
            }
        }
        let result = signature.result.as_ref().map_or(Type::Unit, |ty| subst.apply(ty));
        let mut made = AxisSet::empty();
        for leaf in shape_of(&result).leaves() {
            made = made.union(&leaf.axes().unwrap_or_default());
        }
        let explicit: Vec<Axis> = match axes {
            Some(axes) => axes.to_vec(),
            None => axis_generics(signature).iter().filter_map(|g| subst.axes.get(g)).flatten().copied().collect(),
        };
        for &axis in explicit.iter().filter(|&&axis| made.contains(axis) && !carried.contains(axis)) {
            if !made_axes(signature, subst).contains(&axis) && !knows_lengths(name) {
                args.push(self.axis_size(axis, span));
            }
        }
        let shape = shape_of(&result);
        let types: Vec<Type> = shape.leaves().iter().map(Val::ty).collect();
        let mut results = self.emit_many(Op::Builtin { name, axes: explicit, args }, &types, span).into_iter();
        shape.with_leaves(&mut |_| results.next().unwrap_or(Val::Error))
    }
}

/// Builtins that take the lengths of what they make from a file or from an argument.
fn knows_lengths(name: &str) -> bool {
    const KNOWING: &[&str] = &[
        "read_index",
        "read_f32",
        "tensor",
        "tensor_index",
        "permutation",
        "batch_indices",
        "iota",
        "read_texts",
        "read_ids",
        "encode_all",
    ];
    KNOWING.contains(&name)
}

fn axis_generics(signature: &Signature) -> Vec<Axis> {
    let plain = signature.generics.iter().filter(|g| matches!(g.kind, GenericKind::Axis | GenericKind::Made));
    plain.map(|g| g.placeholder).collect()
}

/// The axes that the call makes: those after `->`.
fn made_axes(signature: &Signature, subst: &Subst) -> Vec<Axis> {
    let made = signature.generics.iter().filter(|g| g.kind == GenericKind::Made);
    made.filter_map(|g| subst.axes.get(&g.placeholder)).flatten().copied().collect()
}

fn reduces(kind: ReduceKind, elem: Elem) -> bool {
    match kind {
        ReduceKind::Any | ReduceKind::All | ReduceKind::Count => elem == Elem::Bool,
        _ => elem.is_float() || elem == Elem::Int,
    }
}
