//! The lengths of what each operation gives, from those of its operands.
//!
//! An operation that is not listed gives the lengths that its operands have for the same axes; what does not follow is
//! unknown, never guessed.

use super::value::{Guess, Shape};
use crate::base::axis::Axis;
use crate::ir::{Op, Type};
use crate::rt::files;
use crate::rt::value::Value;

/// The shape of a result of type `ty`, without storage.
pub fn result(op: &Op, args: &[Guess], ty: &Type) -> Option<Shape> {
    let mut shape = Shape::of_type(ty)?;
    for (axis, len) in &mut shape.dims {
        *len = args.iter().filter_map(Guess::shape).find_map(|arg| arg.len(*axis));
    }
    let first = args.first().and_then(Guess::shape);
    let int = |at: usize| args.get(at).and_then(Guess::int);
    match op {
        Op::Gather { axis, .. } => {
            // Axes of the operand other than the one that goes keep their lengths.
            for (own, len) in &mut shape.dims {
                let kept = first.filter(|_| own != axis).and_then(|arg| arg.len(*own));
                *len = args.get(1).and_then(Guess::shape).and_then(|index| index.len(*own)).or(kept);
            }
        }
        Op::Slice { to, .. } => shape.set(*to, int(1).zip(int(2)).and_then(|(lo, hi)| hi.checked_sub(lo))),
        Op::Rename { from, to, .. } => shape.set(*to, first.and_then(|arg| arg.len(*from))),
        Op::Merge { from, to, .. } => {
            let whole =
                first.and_then(|arg| from.iter().try_fold(1u64, |product, &axis| Some(product * arg.len(axis)?)));
            shape.set(*to, whole);
        }
        Op::Split { from, to, .. } => split(&mut shape, first.and_then(|arg| arg.len(*from)), to, &args[1..]),
        Op::Expand { axis, .. } => shape.set(*axis, int(1)),
        Op::ScatterAdd { axis, .. } => shape.set(*axis, int(2)),
        Op::Pad { to, .. } => shape.set(*to, int(2)),
        Op::Builtin { name, axes, .. } => builtin(&mut shape, name, axes, args),
        _ => {}
    }
    Some(shape)
}

/// At most one part has no length of its own (-1): it gets what is left.
fn split(shape: &mut Shape, whole: Option<u64>, to: &[Axis], sizes: &[Guess]) {
    let told: Vec<Option<u64>> = sizes.iter().map(Guess::int).collect();
    let open = |at: usize| matches!(sizes.get(at), Some(Guess::Known(Value::Int(-1))));
    let product: Option<u64> =
        (0..to.len()).filter(|&at| !open(at)).try_fold(1u64, |product, at| product.checked_mul((*told.get(at)?)?));
    for (at, &axis) in to.iter().enumerate() {
        let rest = whole.zip(product).and_then(|(whole, product)| whole.checked_div(product));
        shape.set(axis, if open(at) { rest } else { told.get(at).copied().flatten() });
    }
}

fn builtin(shape: &mut Shape, name: &str, axes: &[Axis], args: &[Guess]) {
    let int = |at: usize| args.get(at).and_then(Guess::int);
    let mut lengths = |from: usize| {
        axes.iter().enumerate().for_each(|(at, &axis)| shape.set(axis, int(from + at)));
    };
    match (name, axes) {
        ("full" | "normal" | "uniform" | "permutation", _) => lengths(1),
        ("uniform_int", _) => lengths(3),
        ("iota", _) => lengths(0),
        ("batch_indices", [axis]) => shape.set(*axis, int(2)),
        ("top", [_, to]) => shape.set(*to, int(1)),
        ("argsort", [from, to]) => shape.set(*to, args.first().and_then(Guess::shape).and_then(|x| x.len(*from))),
        ("group_sum", [_, group]) => shape.set(*group, int(2)),
        ("append_tile", [axis]) => shape.set(*axis, int(3)),
        ("stack" | "concat", [axis]) => joined(shape, *axis, args.first(), name == "stack"),
        ("read_index", [_, own @ ..]) => read(shape, own, args.first(), ""),
        ("read_f32", own) => read(shape, own, args.first(), ""),
        ("tensor", own) | ("tensor_index", [_, own @ ..]) => {
            if let Some(Guess::Known(Value::Str(name))) = args.get(1) {
                read(shape, own, args.first(), name);
            }
        }
        _ => {}
    }
}

/// Items of a list along a new axis, or one behind the other.
fn joined(shape: &mut Shape, axis: Axis, list: Option<&Guess>, new: bool) {
    let Some(Guess::List(items)) = list else { return };
    let shapes: Vec<Option<&Shape>> = items.iter().map(Guess::shape).collect();
    for (own, len) in &mut shape.dims {
        let all: Option<Vec<u64>> = shapes.iter().map(|item| item.and_then(|item| item.len(*own))).collect();
        *len = match (*own == axis, new) {
            (true, true) => Some(items.len() as u64),
            (true, false) => all.map(|all| all.iter().sum()),
            (false, _) => all.and_then(|all| all.first().copied()),
        };
    }
}

/// The lengths that the header of a file tells.
fn read(shape: &mut Shape, own: &[Axis], file: Option<&Guess>, name: &str) {
    let Some(Guess::Known(Value::File(file))) = file else { return };
    for (at, &axis) in own.iter().enumerate() {
        let len = files::tensor_size(file, name, at as i64).ok();
        shape.set(axis, len.and_then(|len| u64::try_from(len).ok()));
    }
}
