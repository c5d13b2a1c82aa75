//! Which operands an operation may take instead of share, read off the `drop`s that follow it.
//!
//! A value whose last reader takes it can be changed in place. Both engines ask here, so that they agree; without
//! `drop`s in the IR everything is shared, which is slower and gives the same results.

use crate::ir::{Block, LocalId, Op, Stmt};

/// The locals dropped directly after statement `at`.
pub fn dropped_after(stmts: &[Stmt], at: usize) -> Vec<LocalId> {
    let mut found = Vec::new();
    for stmt in stmts.get(at + 1..).unwrap_or(&[]) {
        match stmt.op {
            Op::Drop(local) => found.push(local),
            _ => break,
        }
    }
    found
}

/// For each operand of statement `at`: may it be taken? Only its last mention can be.
pub fn takes(stmts: &[Stmt], at: usize, operands: &[LocalId]) -> Vec<bool> {
    let dropped = dropped_after(stmts, at);
    let op = &stmts[at].op;
    let place = |index: usize, local: LocalId| {
        dropped.contains(&local)
            && !operands[index + 1..].contains(&local)
            && !op.blocks().iter().any(|block| reads(block, local))
    };
    operands.iter().enumerate().map(|(index, &local)| place(index, local)).collect()
}

/// For each result of a block: may it be taken when the block ends? True for what the block made itself, for its
/// owner's parameters (`own`), and for what is dropped as soon as the owner ends (`dropped`).
pub fn yield_takes(block: &Block, own: &[LocalId], dropped: &[LocalId]) -> Vec<bool> {
    let results = &block.results;
    let place = |index: usize, local: LocalId| {
        let mine = own.contains(&local)
            || dropped.contains(&local)
            || block.stmts.iter().any(|stmt| stmt.dest.contains(&local));
        mine && !results[index + 1..].contains(&local)
    };
    results.iter().enumerate().map(|(index, &local)| place(index, local)).collect()
}

/// Marks the last mention of each local: at the end of a function everything may be taken.
pub fn last_mentions(locals: &[LocalId]) -> Vec<bool> {
    locals.iter().enumerate().map(|(index, local)| !locals[index + 1..].contains(local)).collect()
}

/// Does anything in the block read `local` (drops aside)?
pub fn reads(block: &Block, local: LocalId) -> bool {
    block.results.contains(&local)
        || block.stmts.iter().any(|stmt| match &stmt.op {
            Op::Drop(_) => false,
            op => op.operands().contains(&local) || op.blocks().iter().any(|inner| reads(inner, local)),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::span::Span;

    fn stmt(dest: &[u32], op: Op) -> Stmt {
        Stmt { dest: dest.iter().map(|&local| LocalId(local)).collect(), op, span: Span::default() }
    }

    fn locals(numbers: &[u32]) -> Vec<LocalId> {
        numbers.iter().map(|&local| LocalId(local)).collect()
    }

    #[test]
    fn the_last_mention_of_what_is_dropped_next_is_taken() {
        let twice = Op::MakeList(locals(&[0, 0, 1]));
        let stmts = [stmt(&[2], twice), stmt(&[], Op::Drop(LocalId(0))), stmt(&[3], Op::Copy(LocalId(1)))];
        assert_eq!(takes(&stmts, 0, &locals(&[0, 0, 1])), [false, true, false]);
        assert_eq!(takes(&stmts, 2, &locals(&[1])), [false]);
    }

    #[test]
    fn what_a_loop_reads_inside_is_not_taken_before_it() {
        let body = Block { stmts: vec![stmt(&[4], Op::Copy(LocalId(0)))], results: locals(&[4]) };
        let carried = vec![crate::ir::Carried { param: LocalId(3), init: LocalId(0) }];
        let op = Op::For { var: LocalId(5), lo: LocalId(1), hi: LocalId(1), carried, body };
        let stmts = [stmt(&[2], op), stmt(&[], Op::Drop(LocalId(0)))];
        assert_eq!(takes(&stmts, 0, &locals(&[0])), [false]);
    }

    #[test]
    fn a_block_gives_away_what_it_made_and_shares_the_rest() {
        let block = Block { stmts: vec![stmt(&[4], Op::Copy(LocalId(0)))], results: locals(&[4, 0, 3, 4]) };
        assert_eq!(yield_takes(&block, &locals(&[3]), &[]), [false, false, true, true]);
        assert_eq!(yield_takes(&block, &[], &locals(&[0])), [false, true, false, true]);
    }
}
