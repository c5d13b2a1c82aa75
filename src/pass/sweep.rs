//! Statements that work on each row by itself joined into sweeps, so that what flows between them stays in the cache.
//!
//! After fusion. A sweep is worth its name where a reduction's result comes back to the rows that it was taken from
//! (normalisation, softmax, a projection), or where everything that a kernel makes is totalled. The region grows greedily
//! within a block, as those of fusion do: it runs where its last statement stood, so it is closed as soon as something
//! outside reads from it, and by anything with an effect. Which axis lies innermost in memory is not known here; where
//! it is another one than thought, the runtime runs the statements one by one. This must never take a statement that
//! mixes rows.

use super::copy::captured;
use super::simplify::dead::has_effect;
use crate::base::kernel::Kernel;
use crate::base::ops::{DType, ReduceKind};
use crate::base::sweep::{Step, Sweep, Work};
use crate::ir::{AxisSet, Block, Function, LocalId, Module, Op, Stmt};
use std::collections::{BTreeMap, BTreeSet};

/// Beyond these a block's values do not fit into the cache.
const MAX_STEPS: usize = 40;
const MAX_INPUTS: usize = 32;

pub fn sweep(module: &Module, function: &mut Function) {
    let mut body = std::mem::take(&mut function.body);
    sweep_block(module, function, &mut body);
    function.body = body;
}

fn sweep_block(module: &Module, function: &Function, block: &mut Block) {
    for stmt in &mut block.stmts {
        stmt.op.blocks_mut().into_iter().for_each(|inner| sweep_block(module, function, inner));
    }
    let parts: Vec<Option<Part>> = block.stmts.iter().map(|stmt| part(function, stmt)).collect();
    if !parts.iter().flatten().any(|part| !matches!(part, Part::Each(_))) {
        return;
    }
    let regions = Search::new(module, function, block, &parts).regions();
    let mut at_end: BTreeMap<usize, Stmt> = BTreeMap::new();
    let mut gone = BTreeSet::new();
    for region in regions.iter().filter(|region| region.worthwhile(&parts)) {
        let Some(&last) = region.members.last() else { continue };
        at_end.insert(last, joined(function, block, region));
        gone.extend(region.members.iter().copied());
    }
    let stmts = std::mem::take(&mut block.stmts);
    for (place, stmt) in stmts.into_iter().enumerate() {
        match at_end.remove(&place) {
            Some(sweep) => block.stmts.push(sweep),
            None if gone.contains(&place) => {}
            None => block.stmts.push(stmt),
        }
    }
}

/// What a statement can be in a sweep.
enum Part {
    /// Elementwise, over these axes.
    Each(AxisSet),
    /// A reduction or a dot product along one axis that leaves these.
    Fold(AxisSet),
    /// A float sum over everything of a value with these axes.
    Total(AxisSet),
}

fn part(function: &Function, stmt: &Stmt) -> Option<Part> {
    let axes = |local: LocalId| function.ty(local).axes().filter(|axes| !axes.is_empty());
    match &stmt.op {
        Op::Kernel { .. } => axes(*stmt.dest.first()?).cloned().map(Part::Each),
        Op::Elem { op, args } => {
            let dtypes: Vec<DType> = args.iter().filter_map(|&arg| function.ty(arg).dtype()).collect();
            if dtypes.len() != args.len() || op.can_fail(&dtypes) {
                return None;
            }
            axes(*stmt.dest.first()?).cloned().map(Part::Each)
        }
        Op::Reduce { kind, arg, axes: along } => {
            let own = axes(*arg)?;
            let float = matches!(function.ty(*arg).dtype(), Some(DType::F32 | DType::F64));
            match kind {
                ReduceKind::ArgMax | ReduceKind::ArgMin => None,
                ReduceKind::Sum | ReduceKind::SumF64 if own == along && float => Some(Part::Total(own.clone())),
                _ if along.len() == 1 && own.len() > 1 => Some(Part::Fold(own.minus(along))),
                _ => None,
            }
        }
        Op::Contract { a, b, axes: along } => {
            let (own, other) = (axes(*a)?, axes(*b)?);
            let float = matches!(function.ty(*a).dtype(), Some(DType::F32 | DType::F64));
            (float && own == other && along.len() == 1 && own.len() > 1).then(|| Part::Fold(own.minus(along)))
        }
        _ => None,
    }
}

/// Statements of one block that become one sweep.
struct Region {
    rows: AxisSet,
    members: Vec<usize>,
    /// Does it hold a reduction along an inner axis? Then its rows are settled.
    folded: bool,
    open: bool,
}

impl Region {
    /// Can a statement of that kind be run row by row here?
    fn takes(&self, part: &Part, comes_back: bool) -> bool {
        match part {
            Part::Each(axes) if self.folded => self.rows.is_subset(axes),
            Part::Each(axes) => self.rows == *axes,
            Part::Fold(kept) if self.folded => self.rows == *kept,
            Part::Fold(kept) => comes_back && kept.is_subset(&self.rows),
            Part::Total(axes) => self.rows.is_subset(axes),
        }
    }

    /// Is there a whole tensor that need not go through memory again?
    fn worthwhile(&self, parts: &[Option<Part>]) -> bool {
        let wide = |&&member: &&usize| match &parts[member] {
            Some(Part::Each(axes)) => !self.folded || *axes != self.rows,
            Some(_) => true,
            None => false,
        };
        let special = self.members.iter().any(|&member| !matches!(parts[member], Some(Part::Each(_))));
        special && self.members.iter().filter(wide).count() > 1
    }
}

/// Everything a statement reads, at all depths.
fn reads(stmt: &Stmt) -> BTreeSet<LocalId> {
    let mut found: BTreeSet<LocalId> = stmt.op.operands().into_iter().collect();
    found.extend(captured(&stmt.op.blocks()));
    found
}

/// The search for regions in one block.
struct Search<'a> {
    module: &'a Module,
    function: &'a Function,
    block: &'a Block,
    parts: &'a [Option<Part>],
    regions: Vec<Region>,
    /// Which region made a local.
    maker: BTreeMap<LocalId, usize>,
    /// What is known only when all rows are done.
    totals: BTreeSet<LocalId>,
}

impl<'a> Search<'a> {
    fn new(module: &'a Module, function: &'a Function, block: &'a Block, parts: &'a [Option<Part>]) -> Search<'a> {
        Search { module, function, block, parts, regions: Vec::new(), maker: BTreeMap::new(), totals: BTreeSet::new() }
    }

    fn regions(mut self) -> Vec<Region> {
        for (place, stmt) in self.block.stmts.iter().enumerate() {
            let sources: BTreeSet<usize> =
                reads(stmt).iter().filter_map(|local| self.maker.get(local).copied()).collect();
            let Some(part) = &self.parts[place] else {
                let all = has_effect(self.module, stmt) || !stmt.op.blocks().is_empty();
                for (number, region) in self.regions.iter_mut().enumerate() {
                    region.open &= !all && !sources.contains(&number);
                }
                continue;
            };
            let target = self.join(place, part, &sources);
            // What is read and was not joined is read from outside now.
            for source in sources.into_iter().filter(|&source| Some(source) != target) {
                self.regions[source].open = false;
            }
            if let Some(target) = target {
                self.maker.extend(stmt.dest.iter().map(|&dest| (dest, target)));
                if matches!(part, Part::Total(_)) {
                    self.totals.extend(&stmt.dest);
                }
            }
        }
        self.regions
    }

    /// Puts a statement into the regions it reads from, all in one, as far as that goes; else into a new one.
    fn join(&mut self, place: usize, part: &Part, sources: &BTreeSet<usize>) -> Option<usize> {
        let comes_back = matches!(part, Part::Fold(_)) && self.comes_back(place);
        let mut target: Option<usize> = None;
        for &source in sources {
            let waits = reads(&self.block.stmts[place])
                .iter()
                .any(|local| self.totals.contains(local) && self.maker.get(local) == Some(&source));
            if waits || !self.regions[source].open || !self.regions[source].takes(part, comes_back) {
                continue;
            }
            let merged = match target {
                Some(merged) if !self.compatible(merged, source) => continue,
                Some(merged) => merged,
                None => source,
            };
            if self.grow(merged, source, place, part) {
                target = Some(merged);
            }
        }
        if target.is_some() {
            return target;
        }
        let (rows, folded) = match part {
            Part::Each(axes) => (axes.clone(), false),
            Part::Fold(kept) if comes_back => (kept.clone(), true),
            _ => return None,
        };
        self.regions.push(Region { rows, members: vec![place], folded, open: true });
        Some(self.regions.len() - 1)
    }

    fn compatible(&self, a: usize, b: usize) -> bool {
        let (a, b) = (&self.regions[a], &self.regions[b]);
        match (a.folded, b.folded) {
            (true, false) => a.rows.is_subset(&b.rows),
            (false, true) => b.rows.is_subset(&a.rows),
            _ => a.rows == b.rows,
        }
    }

    /// Adds a statement and another region's members to a region; false if it would become too large.
    fn grow(&mut self, region: usize, other: usize, place: usize, part: &Part) -> bool {
        let mut members: Vec<usize> = self.regions[region].members.clone();
        members.extend(&self.regions[other].members);
        members.push(place);
        members.sort_unstable();
        members.dedup();
        if members.len() > MAX_STEPS || inputs(self.block, &members).len() > MAX_INPUTS {
            return false;
        }
        let (rows, folded) = match (&self.regions[region], &self.regions[other], part) {
            (a, _, _) if a.folded => (a.rows.clone(), true),
            (_, b, _) if b.folded => (b.rows.clone(), true),
            (_, _, Part::Fold(kept)) => (kept.clone(), true),
            (a, _, _) => (a.rows.clone(), false),
        };
        if other != region {
            self.regions[other].members.clear();
            self.regions[other].open = false;
            self.maker.values_mut().filter(|number| **number == other).for_each(|number| *number = region);
        }
        let grown = &mut self.regions[region];
        (grown.members, grown.rows, grown.folded) = (members, rows, folded);
        true
    }

    /// Does what the reduction at `place` makes come back to the rows that it was taken from?
    fn comes_back(&self, place: usize) -> bool {
        let stmt = &self.block.stmts[place];
        let whole = stmt.op.operands().first().and_then(|&arg| self.function.ty(arg).axes()).cloned();
        let Some(whole) = whole else { return false };
        let mut derived: BTreeSet<LocalId> = stmt.dest.iter().copied().collect();
        for (at, later) in self.block.stmts.iter().enumerate().skip(place + 1) {
            let Some(Part::Each(axes)) = &self.parts[at] else { continue };
            if later.op.operands().iter().any(|operand| derived.contains(operand)) {
                if whole.is_subset(axes) {
                    return true;
                }
                derived.extend(later.dest.iter().copied());
            }
        }
        false
    }
}

/// What members read and no member makes, in order of first use.
fn inputs(block: &Block, members: &[usize]) -> Vec<LocalId> {
    let made: BTreeSet<LocalId> = members.iter().flat_map(|&m| block.stmts[m].dest.iter().copied()).collect();
    let mut found = Vec::new();
    for operand in members.iter().flat_map(|&member| block.stmts[member].op.operands()) {
        if !made.contains(&operand) && !found.contains(&operand) {
            found.push(operand);
        }
    }
    found
}

/// Is the local read by something that is no member?
fn read_outside(block: &Block, region: &Region, local: LocalId) -> bool {
    let others = block.stmts.iter().enumerate().filter(|(place, _)| !region.members.contains(place));
    block.results.contains(&local) || others.into_iter().any(|(_, stmt)| reads(stmt).contains(&local))
}

fn joined(function: &Function, block: &Block, region: &Region) -> Stmt {
    let args = inputs(block, &region.members);
    let mut number: BTreeMap<LocalId, u32> = args.iter().copied().zip(0..).collect();
    let mut sweep = Sweep { inputs: args.len(), rows: region.rows.as_slice().to_vec(), ..Sweep::default() };
    let mut next = args.len() as u32;
    let mut dest = Vec::new();
    for &member in &region.members {
        let stmt = &block.stmts[member];
        let Some(work) = work(function, stmt) else { continue };
        let operands = stmt.op.operands().iter().filter_map(|operand| number.get(operand).copied()).collect();
        sweep.steps.push(Step { work, args: operands, results: stmt.dest.len() as u32 });
        for &made in &stmt.dest {
            number.insert(made, next);
            if read_outside(block, region, made) {
                dest.push(made);
                sweep.outputs.push(next);
            }
            next += 1;
        }
    }
    let span = region.members.last().map(|&last| block.stmts[last].span).unwrap_or_default();
    Stmt { dest, op: Op::Sweep { sweep: Box::new(sweep), args }, span }
}

fn work(function: &Function, stmt: &Stmt) -> Option<Work> {
    match &stmt.op {
        Op::Kernel { kernel, .. } => Some(Work::Kernel(kernel.clone())),
        Op::Elem { op, args } => {
            let inputs: Vec<DType> = args.iter().filter_map(|&arg| function.ty(arg).dtype()).collect();
            let scalar = args.iter().map(|&arg| function.ty(arg).is_scalar()).collect();
            Some(Work::Kernel(Box::new(Kernel::single(*op, inputs, scalar))))
        }
        Op::Reduce { kind, arg, axes } if function.ty(*arg).axes() == Some(axes) => {
            Some(Work::Total { kind: *kind, axes: axes.as_slice().to_vec() })
        }
        Op::Reduce { kind, axes, .. } => Some(Work::Reduce { kind: *kind, axis: *axes.as_slice().first()? }),
        Op::Contract { axes, .. } => Some(Work::Dot { axis: *axes.as_slice().first()? }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ops::ScalarOp;
    use crate::pass::build::Builder;
    use crate::pass::testing::{rewritten, set};

    /// Sweeps a function of `x: f64[a, b]`, `y: f64[b]`, `s: float` and gives its body's text.
    fn swept(make: impl FnOnce(&mut Builder, &[LocalId]) -> Vec<LocalId>) -> String {
        rewritten(sweep, make)
    }

    #[test]
    fn what_comes_back_to_its_rows_is_swept() {
        let text = swept(|b, p| {
            let high = b.reduce(ReduceKind::Max, p[0], set("b"));
            let low = b.elem(ScalarOp::Sub, &[p[0], high]);
            let sum = b.reduce(ReduceKind::Sum, low, set("b"));
            vec![b.elem(ScalarOp::Mul, &[low, sum])]
        });
        assert!(text.contains("sweep[a](x.0) { $1 = max[b]($0); $2 = kernel($0, $1)"), "{text}");
        assert!(text.contains("$3 = sum[b]($2)") && text.ends_with("out $4 }\nyield %6\n}\n"), "{text}");
    }

    #[test]
    fn sums_over_rows_are_no_part_of_it() {
        // The sum over `b` comes back; that over `a` mixes rows and goes elsewhere.
        let text = swept(|b, p| {
            let sum = b.reduce(ReduceKind::Sum, p[0], set("b"));
            let z = b.elem(ScalarOp::Mul, &[p[0], sum]);
            let columns = b.reduce(ReduceKind::Sum, z, set("a"));
            vec![z, columns]
        });
        assert!(text.contains("sweep[a](x.0)") && text.contains("= sum[a](%4)"), "{text}");
    }

    #[test]
    fn totals_close_a_sweep_and_what_reads_them_comes_after() {
        let text = swept(|b, p| {
            let z = b.elem(ScalarOp::Mul, &[p[0], p[0]]);
            let total = b.reduce(ReduceKind::Sum, z, set("ab"));
            let w = b.elem(ScalarOp::Mul, &[z, total]);
            vec![b.reduce(ReduceKind::Sum, w, set("ab"))]
        });
        // Which axis is named first depends on what other tests have named before.
        assert_eq!(text.matches("= sweep[").count(), 2, "{text}");
    }

    #[test]
    fn single_statements_stay_and_effects_keep_their_order() {
        let text = swept(|b, p| vec![b.reduce(ReduceKind::Sum, p[0], set("b"))]);
        assert!(!text.contains("sweep"), "{text}");
        let text = swept(|b, p| {
            let z = b.elem(ScalarOp::Mul, &[p[0], p[1]]);
            b.emit_as(Op::Builtin { name: "print", axes: Vec::new(), args: vec![p[2]] }, &[]);
            vec![b.reduce(ReduceKind::Sum, z, set("ab"))]
        });
        assert!(!text.contains("sweep"), "{text}");
    }
}
