//! Sizes read nearer to their origin, and repetition that broadcasting makes needless.
//!
//! A gradient asks for the sizes of every intermediate value; asking the value that it was made from instead lets
//! the intermediate go. What `SizeOf` gives is the same, because the operation in between has run already.

use crate::base::axis::Axis;
use crate::ir::{Function, LocalId, Op};
use std::collections::BTreeMap;

type Defs = BTreeMap<LocalId, Op>;

/// Makes `SizeOf` ask earlier values; `Some` if the size itself is known as a local.
pub fn shorter(function: &Function, defs: &Defs, op: &mut Op, changed: &mut bool) -> Option<LocalId> {
    let Op::SizeOf { args, axis } = op else { return None };
    let [arg] = &mut args[..] else { return None };
    loop {
        match origin(function, defs.get(arg)?, *axis)? {
            Origin::Size(size) => return Some(size),
            Origin::Axis(from, old) => {
                *arg = from;
                *axis = old;
                *changed = true;
            }
        }
    }
}

enum Origin {
    /// The length is this local.
    Size(LocalId),
    /// It is that of an axis of an operand.
    Axis(LocalId, Axis),
}

fn origin(function: &Function, op: &Op, axis: Axis) -> Option<Origin> {
    let has = |local: LocalId, axis: Axis| function.ty(local).axes().is_some_and(|axes| axes.contains(axis));
    let of = |local: LocalId, axis: Axis| has(local, axis).then_some(Origin::Axis(local, axis));
    match op {
        Op::Elem { args, .. } => args.iter().find_map(|&arg| of(arg, axis)),
        Op::Contract { a, b, .. } => of(*a, axis).or_else(|| of(*b, axis)),
        Op::Copy(arg) | Op::Reduce { arg, .. } | Op::Select { arg, .. } => of(*arg, axis),
        Op::Expand { axis: new, size, .. } if *new == axis => Some(Origin::Size(*size)),
        Op::Pad { to, size, .. } if *to == axis => Some(Origin::Size(*size)),
        Op::ScatterAdd { axis: new, size, .. } if *new == axis => Some(Origin::Size(*size)),
        Op::Rename { arg, from, to } if *to == axis => of(*arg, *from),
        Op::Expand { arg, .. } | Op::Pad { arg, .. } | Op::ScatterAdd { arg, .. } | Op::Rename { arg, .. } => {
            of(*arg, axis)
        }
        Op::Slice { arg, to, .. } if *to != axis => of(*arg, axis),
        Op::Merge { arg, to, .. } if *to != axis => of(*arg, axis),
        Op::Split { arg, to, .. } if !to.contains(&axis) => of(*arg, axis),
        Op::Gather { arg, axis: gone, index } => {
            of(*index, axis).or_else(|| (axis != *gone).then(|| of(*arg, axis)).flatten())
        }
        _ => None,
    }
}

/// Lets an elementwise operation read what an `Expand` repeats, where another operand has the axis anyway.
pub fn without_expands(function: &Function, defs: &Defs, op: &mut Op) -> bool {
    let Op::Elem { args, .. } = op else { return false };
    let mut changed = false;
    for place in 0..args.len() {
        while let Some(Op::Expand { arg, axis, .. }) = defs.get(&args[place]) {
            let others = args.iter().enumerate().filter(|(other, _)| *other != place);
            let covered = others
                .into_iter()
                .any(|(_, &other)| function.ty(other).axes().is_some_and(|axes| axes.contains(*axis)));
            if !covered {
                break;
            }
            args[place] = *arg;
            changed = true;
        }
    }
    changed
}
