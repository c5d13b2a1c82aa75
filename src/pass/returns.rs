//! Early `Return`s turned into values: what stands after a conditional return moves into the branch that goes on.
//!
//! Inlining and gradients need a function whose only exit is the end of its body. A return inside a loop, or one
//! that both goes on and returns within one branch, stays as it is; the caller sees that from the answer.

use super::copy::{Names, substitute};
use crate::ir::{Block, Function, LocalId, Op, Stmt};

/// Rewrites the body; false if a `Return` is left.
pub fn structure(function: &mut Function) -> bool {
    let mut body = std::mem::take(&mut function.body);
    rewrite(function, &mut body);
    let left = has_return(&body);
    function.body = body;
    !left
}

pub fn has_return(block: &Block) -> bool {
    block.stmts.iter().any(|stmt| matches!(stmt.op, Op::Return(_)) || stmt.op.blocks().into_iter().any(has_return))
}

/// Makes `block`, whose results are those of the function, free of returns where possible.
fn rewrite(function: &mut Function, block: &mut Block) {
    for place in 0..block.stmts.len() {
        if let Op::Return(values) = &block.stmts[place].op {
            block.results = values.clone();
            block.stmts.truncate(place);
            return;
        }
        let Op::If { then, other, .. } = &block.stmts[place].op else { continue };
        if !has_return(then) && !has_return(other) {
            continue;
        }
        let (then_ends, other_ends) = (then.returns(), other.returns());
        if !then_ends && !other_ends {
            return;
        }
        let rest = Block { stmts: block.stmts.split_off(place + 1), results: std::mem::take(&mut block.results) };
        let Some(Stmt { dest, op: Op::If { cond, mut then, mut other }, span }) = block.stmts.pop() else { return };
        if then_ends && other_ends {
            // What follows is never reached.
        } else if then_ends {
            go_on(&mut other, &dest, rest);
        } else {
            go_on(&mut then, &dest, rest);
        }
        rewrite(function, &mut then);
        rewrite(function, &mut other);
        let types = function.results.clone();
        let dest: Vec<LocalId> = types.into_iter().map(|ty| function.new_local(ty, None, span)).collect();
        block.results = dest.clone();
        block.stmts.push(Stmt { dest, op: Op::If { cond, then, other }, span });
        return;
    }
}

/// Appends `rest` to a branch; `dest` were the names of what the branch yielded.
fn go_on(branch: &mut Block, dest: &[LocalId], mut rest: Block) {
    let names: Names = dest.iter().copied().zip(branch.results.iter().copied()).collect();
    substitute(&mut rest, &names);
    branch.stmts.append(&mut rest.stmts);
    branch.results = rest.results;
}
