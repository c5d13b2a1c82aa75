//! Adjoints of the operations that move, repeat or sum elements, as arithmetic on axis sets.
//!
//! `X` below is the axis set of the operand, `Y` that of the result. Each rule adds to the adjoint of its operand
//! something with exactly the axes `X` and the operand's element type.

use super::super::attend::ATTENTION;
use super::{Outcome, Reverse, SLOPES, no_gradient};
use crate::base::axis::Axis;
use crate::base::ops::{DType, ReduceKind, ScalarOp};
use crate::ir::{AxisSet, LocalId, Op, Stmt, Type};

impl Reverse<'_> {
    /// The rule of one statement with one result.
    pub(super) fn reverse_value(&mut self, stmt: &Stmt, dest: LocalId, adjoint: LocalId) -> Outcome {
        match &stmt.op {
            Op::Copy(arg) => self.add(*arg, adjoint),
            Op::Elem { op: ScalarOp::Cast(_), args } => {
                let part = self.fit(adjoint, args[0], dest);
                self.add(args[0], part);
            }
            Op::Elem { op, args } => return self.reverse_named(stmt, op.name(), &[], args, dest, adjoint),
            Op::Contract { a, b, .. } => {
                self.reverse_product(*a, [adjoint, *b]);
                self.reverse_product(*b, [*a, adjoint]);
            }
            Op::Reduce { kind: ReduceKind::Sum | ReduceKind::SumF64, arg, .. } => {
                let part = self.fit(adjoint, *arg, *arg);
                self.add(*arg, part);
            }
            Op::Reduce { kind: ReduceKind::Max | ReduceKind::Min, arg, axes } => {
                self.reverse_extreme(*arg, axes, dest, adjoint)
            }
            Op::MakeList(args) => self.reverse_list(args, adjoint),
            Op::Builtin { name: "full", args, .. } => {
                let part = self.fit(adjoint, args[0], dest);
                self.add(args[0], part);
            }
            Op::Builtin { name: ATTENTION, axes, args } => self.reverse_attention(axes, args, adjoint),
            Op::Builtin { name: "set_index", axes, args } => self.reverse_assignment(axes, args, adjoint),
            Op::Builtin { name, axes, args } => {
                if !self.reverse_list_builtin(name, axes, args, adjoint) {
                    return self.reverse_named(stmt, name, axes, args, dest, adjoint);
                }
            }
            op => return if self.reverse_view(op, adjoint) { Ok(()) } else { Err(no_gradient(stmt)) },
        }
        Ok(())
    }

    /// Brings an adjoint to the axes and type of `arg`. Axes of `over` that the adjoint lacks repeat it first, so
    /// that what is summed away is counted as often as it was used.
    pub(super) fn fit(&mut self, adjoint: LocalId, arg: LocalId, over: LocalId) -> LocalId {
        let mut part = adjoint;
        let uncounted = self.build.axes(over).minus(&self.build.axes(arg)).minus(&self.build.axes(adjoint));
        if !uncounted.is_empty() {
            part = self.build.expand_like(part, over);
        }
        let extra = self.build.axes(part).minus(&self.build.axes(arg));
        part = self.build.reduce(ReduceKind::Sum, part, extra);
        if let Some(dtype) = self.build.ty(arg).dtype() {
            part = self.build.cast(part, dtype);
        }
        self.build.expand_like(part, arg)
    }

    /// The adjoint of `x` in a contraction: that of the adjoint with the other operand, `[a, b]`, over the axes that `x`
    /// lacks; a plain product when there are none. It is written where `x` was, so that what comes of a weight lies
    /// as the weight does: in `x @ w` input, then output.
    fn reverse_product(&mut self, x: LocalId, [a, b]: [LocalId; 2]) {
        if !self.is_active(x) {
            return;
        }
        let summed = self.build.axes(a).union(&self.build.axes(b)).minus(&self.build.axes(x));
        let part = if summed.is_empty() {
            self.build.elem(ScalarOp::Mul, &[a, b])
        } else {
            self.build.emit(Op::Contract { a, b, axes: summed })
        };
        self.add(x, part);
    }

    /// All three adjoints at once, by an operation that computes the scores again.
    fn reverse_attention(&mut self, axes: &[Axis], args: &[LocalId], adjoint: LocalId) {
        let types: Vec<Type> = args[..3].iter().map(|&arg| self.build.ty(arg).clone()).collect();
        let given = std::iter::once(adjoint).chain(args.iter().copied()).collect();
        let op = Op::Builtin { name: SLOPES, axes: axes.to_vec(), args: given };
        let parts = self.build.emit_as(op, &types);
        args.iter().zip(parts).for_each(|(&arg, part)| self.add(arg, part));
    }

    /// The largest (smallest) element gets all; equal ones share.
    fn reverse_extreme(&mut self, arg: LocalId, axes: &AxisSet, dest: LocalId, adjoint: LocalId) {
        let Some(elem) = self.build.ty(arg).elem() else { return };
        let hit = self.build.elem(ScalarOp::Eq, &[arg, dest]);
        let ties = self.build.reduce(ReduceKind::Count, hit, axes.clone());
        // A NaN equals nothing, not even itself.
        let one = self.build.int(1);
        let ties = self.build.elem(ScalarOp::Max, &[ties, one]);
        let ties = self.build.cast(ties, elem.dtype());
        let share = self.build.elem(ScalarOp::Div, &[adjoint, ties]);
        let zero = self.build.number(elem, 0.0);
        let part = self.build.elem(ScalarOp::Where, &[hit, share, zero]);
        self.add(arg, part);
    }

    /// `x` with a part replaced: the part gets its part of the adjoint, `x` the rest.
    fn reverse_assignment(&mut self, axes: &[Axis], args: &[LocalId], dy: LocalId) {
        let Some((&part, rest)) = args.split_last() else { return };
        let Some((&x, places)) = rest.split_first() else { return };
        if self.is_active(part) {
            let select = |dy, (&axis, &index)| self.build.emit(Op::Select { arg: dy, axis, index });
            let taken = axes.iter().zip(places).fold(dy, select);
            self.add(part, taken);
        }
        if self.is_active(x) {
            let zeros = self.build.zeros_like(part);
            let given = [&[dy], places, &[zeros]].concat();
            let ty = self.build.ty(dy).clone();
            let op = Op::Builtin { name: "set_index", axes: axes.to_vec(), args: given };
            let kept = self.build.emit_as(op, &[ty])[0];
            self.add(x, kept);
        }
    }

    /// Operations that take, place or rename elements: their inverses. False if `op` is none of them.
    fn reverse_view(&mut self, op: &Op, dy: LocalId) -> bool {
        let Some(&arg) = op.operands().first() else { return false };
        let part = match op {
            Op::Select { axis, index, .. } => self.scatter(arg, dy, *axis, *index, AxisSet::empty()),
            Op::Gather { axis, index, .. } => {
                let own = self.build.axes(*index).minus(&self.build.axes(arg).without(*axis));
                self.scatter(arg, dy, *axis, *index, own)
            }
            Op::ScatterAdd { axis, index, .. } if self.build.axes(*index).is_empty() => {
                self.build.emit(Op::Select { arg: dy, axis: *axis, index: *index })
            }
            Op::ScatterAdd { axis, index, .. } => self.build.emit(Op::Gather { arg: dy, axis: *axis, index: *index }),
            Op::Slice { axis, to, lo, .. } => {
                let size = self.build.size_of(arg, *axis);
                self.build.emit(Op::Pad { arg: dy, from: *to, to: *axis, lo: *lo, size })
            }
            Op::Pad { from, to, lo, .. } => {
                let len = self.build.size_of(arg, *from);
                let hi = self.build.elem(ScalarOp::Add, &[*lo, len]);
                self.build.emit(Op::Slice { arg: dy, axis: *to, to: *from, lo: *lo, hi })
            }
            Op::Rename { from, to, .. } => self.build.emit(Op::Rename { arg: dy, from: *to, to: *from }),
            Op::Merge { from, to, .. } => {
                let sizes = from.iter().map(|&axis| self.build.size_of(arg, axis)).collect();
                self.build.emit(Op::Split { arg: dy, from: *to, to: from.clone(), sizes })
            }
            Op::Split { from, to, .. } => self.build.emit(Op::Merge { arg: dy, from: to.clone(), to: *from }),
            Op::Expand { axis, .. } => self.build.reduce(ReduceKind::Sum, dy, AxisSet::one(*axis)),
            _ => return false,
        };
        self.add(arg, part);
        true
    }

    fn scatter(&mut self, arg: LocalId, dy: LocalId, axis: Axis, index: LocalId, own: AxisSet) -> LocalId {
        let size = self.build.size_of(arg, axis);
        debug_assert_eq!(self.build.ty(index).dtype(), Some(DType::I64));
        self.build.emit(Op::ScatterAdd { arg: dy, axis, index, size, own })
    }
}
