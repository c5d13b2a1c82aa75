//! The bounds of a capture's tiles, as IR: they follow from the lengths of the arguments and nothing else.

use super::Checker;
use super::call::ArgVal;
use super::value::Val;
use crate::base::axis::Axis;
use crate::base::ops::ScalarOp;
use crate::base::span::Span;
use crate::ir::{Const, Elem, LocalId, Op, Type};

/// Elements of a tile, if they are tokens or other whole numbers: 16 sequences of 128. More would not make products
/// faster, and what a layer holds of a tile is this times its width.
const TILE: i64 = 2048;
/// How many floats count as one token.
const WIDTH: i64 = 32;

impl Checker {
    /// The length of `axis`, and how much of it makes a tile: about `TILE` elements of the first argument that has it.
    pub(super) fn tile_lengths(&mut self, args: &[ArgVal], axis: Axis, span: Span) -> Option<(LocalId, LocalId)> {
        let leaves = args.iter().flat_map(|arg| arg.val.leaves());
        let has = |leaf: &Val| leaf.axes().is_some_and(|axes| axes.contains(axis));
        let leaves: Vec<Val> = leaves.filter(has).collect();
        let lead = leaves.first()?.clone();
        let ids = self.ids(&leaves, span);
        let n = self.emit(Op::SizeOf { args: ids, axis }, Type::INT, span);
        let mut unit = self.constant(Const::Int(1), span);
        for other in lead.axes()?.iter().filter(|&other| other != axis) {
            let arg = self.id(&lead, span);
            let size = self.emit(Op::SizeOf { args: vec![arg], axis: other }, Type::INT, span);
            unit = self.scalar_op(ScalarOp::Mul, &[&unit, &size], Type::INT, span);
        }
        let tokens = !lead.ty().elem().is_some_and(Elem::is_float);
        let most = self.constant(Const::Int(if tokens { TILE } else { TILE * WIDTH }), span);
        let one = self.constant(Const::Int(1), span);
        let unit = self.scalar_op(ScalarOp::Max, &[&unit, &one], Type::INT, span);
        let step = self.scalar_op(ScalarOp::IntDiv, &[&most, &unit], Type::INT, span);
        let step = self.scalar_op(ScalarOp::Max, &[&step, &one], Type::INT, span);
        Some((self.id(&n, span), self.id(&step, span)))
    }

    /// How many tiles there are: at least one.
    pub(super) fn tile_count(&mut self, n: LocalId, step: LocalId, span: Span) -> LocalId {
        let (n, step) = (self.local(n, Type::INT), self.local(step, Type::INT));
        let one = self.constant(Const::Int(1), span);
        let above = self.scalar_op(ScalarOp::Add, &[&n, &step], Type::INT, span);
        let above = self.scalar_op(ScalarOp::Sub, &[&above, &one], Type::INT, span);
        let count = self.scalar_op(ScalarOp::IntDiv, &[&above, &step], Type::INT, span);
        let count = self.scalar_op(ScalarOp::Max, &[&count, &one], Type::INT, span);
        self.id(&count, span)
    }

    pub(super) fn tile_bounds(&mut self, tile: LocalId, n: LocalId, step: LocalId, span: Span) -> (LocalId, LocalId) {
        let [tile, n, step] = [tile, n, step].map(|id| self.local(id, Type::INT));
        let from = self.scalar_op(ScalarOp::Mul, &[&tile, &step], Type::INT, span);
        let to = self.scalar_op(ScalarOp::Add, &[&from, &step], Type::INT, span);
        let to = self.scalar_op(ScalarOp::Min, &[&to, &n], Type::INT, span);
        (self.id(&from, span), self.id(&to, span))
    }
}
