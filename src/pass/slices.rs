//! Sums into a few places: `total + scatter_add(part, axis: i)` adds to these places only.
//!
//! The gradient of a parameter that a loop reads slice by slice (`W[layer: l]`) is such a sum in every round; as two
//! operations each round would write and add the whole parameter. So is that of `logits[vocab: target]`.

use super::attend::count;
use crate::base::axis::Axis;
use crate::base::ops::ScalarOp;
use crate::ir::{Block, Function, LocalId, Op};
use std::collections::BTreeMap;

/// Arguments: the total, the part, the index. Axes: the one that is indexed.
pub const ADD_AT: &str = "add_at";

/// Rewrites all such sums; true if there were any. What they made needless is left for `dead`.
pub fn slices(function: &mut Function) -> bool {
    let mut reads = BTreeMap::new();
    count(&function.body, &mut reads);
    let mut body = std::mem::take(&mut function.body);
    let changed = rewrite(function, &reads, &mut body);
    function.body = body;
    changed
}

fn rewrite(function: &Function, reads: &BTreeMap<LocalId, usize>, block: &mut Block) -> bool {
    let mut changed = false;
    let mut parts: BTreeMap<LocalId, (LocalId, Axis, LocalId)> = BTreeMap::new();
    for stmt in &mut block.stmts {
        for inner in stmt.op.blocks_mut() {
            changed |= rewrite(function, reads, inner);
        }
        match (&stmt.op, &stmt.dest[..]) {
            (Op::ScatterAdd { arg, axis, index, own, .. }, &[dest]) => {
                let float = function.ty(dest).elem().is_some_and(|elem| elem.is_float());
                let axes = |local: LocalId| function.ty(local).axes().cloned().unwrap_or_default();
                let lined_up = own.is_empty() && axes(*index).minus(&axes(*arg)).is_empty();
                if float && lined_up && reads.get(&dest) == Some(&1) {
                    parts.insert(dest, (*arg, *axis, *index));
                }
            }
            (Op::Elem { op: ScalarOp::Add, args }, &[dest]) => {
                let ways = [(args[0], args[1]), (args[1], args[0])];
                let found = ways.into_iter().find_map(|(total, part)| Some((total, *parts.get(&part)?)));
                if let Some((total, (part, axis, index))) = found
                    && function.ty(total) == function.ty(dest)
                {
                    stmt.op = Op::Builtin { name: ADD_AT, axes: vec![axis], args: vec![total, part, index] };
                    changed = true;
                }
            }
            _ => {}
        }
    }
    changed
}
