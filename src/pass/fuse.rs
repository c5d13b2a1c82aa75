//! Elementwise operations joined into kernels, so that what flows between them stays in registers.
//!
//! Greedy, within one block: an operation joins the region that made one of its operands if both have the same
//! axes. A region runs where its last operation stood; so it is closed as soon as something outside it reads from
//! it, and by anything with an effect, before which its errors must come. What is read outside becomes a further
//! output; nothing dear is computed twice, but a product or a comparison of what a kernel reads anyway is cheaper
//! to compute again than to read. Operations that can fail on an element stay single.

use super::copy::{captured, each_stmt};
use super::simplify::dead::has_effect;
use crate::base::kernel::{Kernel, Step};
use crate::base::ops::{DType, ScalarOp};
use crate::ir::{AxisSet, Block, Function, LocalId, Module, Op, Stmt};
use std::collections::{BTreeMap, BTreeSet};

/// Beyond these a kernel spills more than it saves.
const MAX_STEPS: usize = 32;
const MAX_INPUTS: usize = 16;
const MAX_TENSORS: usize = 8;

pub fn fuse(module: &Module, function: &mut Function) {
    let mut body = std::mem::take(&mut function.body);
    let mut cheap = Cheap::new();
    each_stmt(&body, &mut |stmt| {
        if let (Op::Elem { op, args }, &[dest]) = (&stmt.op, &stmt.dest[..])
            && is_cheap(*op)
        {
            cheap.insert(dest, (*op, args.clone()));
        }
    });
    fuse_block(module, function, &cheap, &mut body);
    function.body = body;
}

/// What makes a local, where that costs less than reading it.
type Cheap = BTreeMap<LocalId, (ScalarOp, Vec<LocalId>)>;

fn is_cheap(op: ScalarOp) -> bool {
    use ScalarOp::*;
    matches!(op, Add | Sub | Mul | Neg | Abs | Min | Max | And | Or | Not | Where) || op.is_comparison()
}

/// Statements of one block that become one kernel.
struct Region {
    axes: AxisSet,
    members: Vec<usize>,
    /// What it computes again instead of reading it.
    again: Vec<LocalId>,
    open: bool,
}

fn fuse_block(module: &Module, function: &Function, cheap: &Cheap, block: &mut Block) {
    for stmt in &mut block.stmts {
        stmt.op.blocks_mut().into_iter().for_each(|inner| fuse_block(module, function, cheap, inner));
    }
    let mut regions = regions(module, function, &block.stmts);
    for region in regions.iter_mut().filter(|region| region.members.len() > 1) {
        region.again = again(function, cheap, region, &block.stmts);
    }
    let outside = read_outside(block, &regions);
    let mut at_end: BTreeMap<usize, Stmt> = BTreeMap::new();
    let mut gone = BTreeSet::new();
    for region in regions.iter().filter(|region| region.members.len() > 1) {
        let Some(&last) = region.members.last() else { continue };
        at_end.insert(last, kernel(function, cheap, &block.stmts, region, &outside));
        gone.extend(region.members.iter().copied());
    }
    let stmts = std::mem::take(&mut block.stmts);
    for (place, stmt) in stmts.into_iter().enumerate() {
        match at_end.remove(&place) {
            Some(kernel) => block.stmts.push(kernel),
            None if gone.contains(&place) => {}
            None => block.stmts.push(stmt),
        }
    }
}

/// Everything a statement reads, at all depths.
fn reads(stmt: &Stmt) -> BTreeSet<LocalId> {
    let mut found: BTreeSet<LocalId> = stmt.op.operands().into_iter().collect();
    found.extend(captured(&stmt.op.blocks()));
    found
}

fn regions(module: &Module, function: &Function, stmts: &[Stmt]) -> Vec<Region> {
    let mut regions: Vec<Region> = Vec::new();
    // Which region made a local.
    let mut maker: BTreeMap<LocalId, usize> = BTreeMap::new();
    for (place, stmt) in stmts.iter().enumerate() {
        let sources: BTreeSet<usize> = reads(stmt).iter().filter_map(|local| maker.get(local).copied()).collect();
        let Some(axes) = fusable(function, stmt) else {
            let all = has_effect(module, stmt) || !stmt.op.blocks().is_empty();
            for (number, region) in regions.iter_mut().enumerate() {
                region.open &= !all && !sources.contains(&number);
            }
            continue;
        };
        let (same, other): (Vec<usize>, Vec<usize>) =
            sources.into_iter().partition(|&number| regions[number].open && regions[number].axes == *axes);
        other.into_iter().for_each(|number| regions[number].open = false);
        let target = join(function, stmts, &mut regions, &mut maker, &same, place, axes);
        maker.extend(stmt.dest.iter().map(|&dest| (dest, target)));
    }
    regions
}

/// Puts a statement into the regions it reads from, all in one, as far as the limits allow; else into a new one.
fn join(
    function: &Function,
    stmts: &[Stmt],
    regions: &mut Vec<Region>,
    maker: &mut BTreeMap<LocalId, usize>,
    sources: &[usize],
    place: usize,
    axes: &AxisSet,
) -> usize {
    let mut target: Option<usize> = None;
    for &source in sources {
        let mut members = regions[source].members.clone();
        members.extend(target.iter().flat_map(|&number| regions[number].members.iter().copied()));
        members.push(place);
        members.sort_unstable();
        members.dedup();
        if !fits(function, stmts, &members) {
            // Read from outside now.
            regions[source].open = false;
            continue;
        }
        let merged = *target.get_or_insert(source);
        if merged != source {
            regions[source].members.clear();
            regions[source].open = false;
            maker.values_mut().filter(|number| **number == source).for_each(|number| *number = merged);
        }
        regions[merged].members = members;
    }
    target.unwrap_or_else(|| {
        regions.push(Region { axes: axes.clone(), members: vec![place], again: Vec::new(), open: true });
        regions.len() - 1
    })
}

/// The axes of an operation that may be part of a kernel.
fn fusable<'a>(function: &'a Function, stmt: &Stmt) -> Option<&'a AxisSet> {
    let Op::Elem { op, args } = &stmt.op else { return None };
    let dtypes: Vec<DType> = args.iter().filter_map(|&arg| function.ty(arg).dtype()).collect();
    if dtypes.len() != args.len() || op.can_fail(&dtypes) {
        return None;
    }
    function.ty(*stmt.dest.first()?).axes().filter(|axes| !axes.is_empty())
}

fn fits(function: &Function, stmts: &[Stmt], members: &[usize]) -> bool {
    let inputs = inputs(stmts, members);
    let tensors = inputs.iter().filter(|&&input| !function.ty(input).is_scalar()).count();
    members.len() <= MAX_STEPS && inputs.len() <= MAX_INPUTS && tensors <= MAX_TENSORS
}

/// What members read and no member makes, in order of first use.
fn inputs(stmts: &[Stmt], members: &[usize]) -> Vec<LocalId> {
    let made: BTreeSet<LocalId> = members.iter().flat_map(|&m| stmts[m].dest.iter().copied()).collect();
    let mut found = Vec::new();
    for &member in members {
        for operand in stmts[member].op.operands() {
            if !made.contains(&operand) && !found.contains(&operand) {
                found.push(operand);
            }
        }
    }
    found
}

/// The locals that something other than a member of the region that made them reads.
fn read_outside(block: &Block, regions: &[Region]) -> BTreeSet<LocalId> {
    let mut region_of = BTreeMap::new();
    for (number, region) in regions.iter().enumerate() {
        region_of.extend(region.members.iter().map(|&member| (member, number)));
    }
    let mut made_in: BTreeMap<LocalId, usize> = BTreeMap::new();
    let mut found: BTreeSet<LocalId> = block.results.iter().copied().collect();
    for (place, stmt) in block.stmts.iter().enumerate() {
        let here = region_of.get(&place);
        let again: &[LocalId] = here.map_or(&[], |&number| &regions[number].again);
        let outside = |local: &LocalId| (here.is_none() || made_in.get(local) != here) && !again.contains(local);
        found.extend(reads(stmt).into_iter().filter(outside));
        if let Some(&number) = here {
            made_in.extend(stmt.dest.iter().map(|&dest| (dest, number)));
        }
    }
    found
}

/// The inputs of a region that it can make itself from its other inputs and from scalars.
fn again(function: &Function, cheap: &Cheap, region: &Region, stmts: &[Stmt]) -> Vec<LocalId> {
    let inputs = inputs(stmts, &region.members);
    let mut found: Vec<LocalId> = Vec::new();
    for &input in &inputs {
        let Some((op, operands)) = cheap.get(&input) else { continue };
        let dtypes: Vec<DType> = operands.iter().filter_map(|&operand| function.ty(operand).dtype()).collect();
        let read = |operand: &LocalId| {
            function.ty(*operand).is_scalar() || (inputs.contains(operand) && !found.contains(operand))
        };
        let used = found.iter().any(|other| cheap.get(other).is_some_and(|(_, args)| args.contains(&input)));
        let same = function.ty(input).axes() == Some(&region.axes);
        if same && !used && operands.iter().all(read) && !op.can_fail(&dtypes) {
            found.push(input);
        }
    }
    found
}

fn kernel(function: &Function, cheap: &Cheap, stmts: &[Stmt], region: &Region, outside: &BTreeSet<LocalId>) -> Stmt {
    let mut args = inputs(stmts, &region.members);
    args.retain(|arg| !region.again.contains(arg));
    let made_again = region.again.iter().filter_map(|local| cheap.get(local).map(|(op, args)| (*local, *op, args)));
    // Scalars that nothing else in the region reads.
    for &operand in made_again.clone().flat_map(|(_, _, operands)| operands) {
        if !args.contains(&operand) {
            args.push(operand);
        }
    }
    let dtype = |local: LocalId| function.ty(local).dtype().unwrap_or(DType::F64);
    let mut kernel = Kernel {
        inputs: args.iter().map(|&arg| dtype(arg)).collect(),
        scalar: args.iter().map(|&arg| function.ty(arg).is_scalar()).collect(),
        ..Kernel::default()
    };
    let members = region.members.iter().filter_map(|&member| match (&stmts[member].op, &stmts[member].dest[..]) {
        (Op::Elem { op, args }, &[dest]) => Some((dest, *op, args)),
        _ => None,
    });
    let mut number: BTreeMap<LocalId, u32> = args.iter().copied().zip(0..).collect();
    let mut dest = Vec::new();
    for (result, op, operands) in made_again.chain(members) {
        let made = (args.len() + kernel.steps.len()) as u32;
        let numbers = operands.iter().filter_map(|operand| number.get(operand).copied()).collect();
        kernel.steps.push(Step { op, args: numbers, result: dtype(result) });
        number.insert(result, made);
        if outside.contains(&result) && !region.again.contains(&result) {
            dest.push(result);
            kernel.outputs.push(made);
        }
    }
    let span = region.members.last().map(|&last| stmts[last].span).unwrap_or_default();
    Stmt { dest, op: Op::Kernel { kernel: Box::new(kernel), args }, span }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ops::ReduceKind;
    use crate::pass::build::Builder;
    use crate::pass::testing::{rewritten, set};

    /// Fuses a function of `x: f64[a, b]`, `y: f64[b]`, `s: float` and gives its body's text.
    fn fused(make: impl FnOnce(&mut Builder, &[LocalId]) -> Vec<LocalId>) -> String {
        rewritten(fuse, make)
    }

    #[test]
    fn a_chain_with_broadcast_and_scalar_inputs() {
        let text = fused(|b, p| {
            let z = b.elem(ScalarOp::Mul, &[p[0], p[1]]);
            let z = b.elem(ScalarOp::Add, &[z, p[2]]);
            vec![b.elem(ScalarOp::Tanh, &[z])]
        });
        assert_eq!(
            text,
            "%5: f64[a, b] = kernel(x.0, y.1, s.2) { #3 = mul(#0, #1); #4 = add(#3, #2); #5 = tanh(#4); out #5 }\nyield %5\n}\n"
        );
    }

    #[test]
    fn what_is_read_outside_becomes_an_output() {
        let text = fused(|b, p| {
            let z = b.elem(ScalarOp::Exp, &[p[0]]);
            let w = b.elem(ScalarOp::Mul, &[z, z]);
            let total = b.reduce(ReduceKind::Sum, z, set("ab"));
            vec![w, total]
        });
        assert!(
            text.starts_with(
                "%3: f64[a, b], %4: f64[a, b] = kernel(x.0) { #1 = exp(#0); #2 = mul(#1, #1); out #1, #2 }\n"
            ),
            "{text}"
        );
    }

    #[test]
    fn a_region_ends_where_something_else_reads_it() {
        let text = fused(|b, p| {
            let z = b.elem(ScalarOp::Exp, &[p[0]]);
            let total = b.reduce(ReduceKind::Sum, z, set("a"));
            let u = b.elem(ScalarOp::Div, &[z, total]);
            vec![b.elem(ScalarOp::Neg, &[u])]
        });
        assert!(text.starts_with("%3: f64[a, b] = exp(x.0)\n"), "{text}");
        assert!(text.contains("kernel(%3, %4) { #2 = div_float(#0, #1); #3 = neg(#2); out #3 }"), "{text}");
    }

    #[test]
    fn a_product_of_inputs_is_made_again() {
        let text = fused(|b, p| {
            let square = b.elem(ScalarOp::Mul, &[p[0], p[0]]);
            let total = b.reduce(ReduceKind::Sum, square, set("ab"));
            let z = b.elem(ScalarOp::Add, &[p[0], total]);
            vec![b.elem(ScalarOp::Mul, &[z, square])]
        });
        assert!(
            text.contains("kernel(x.0, %4) { #2 = mul(#0, #0); #3 = add(#0, #1); #4 = mul(#3, #2); out #4 }"),
            "{text}"
        );
    }

    #[test]
    fn lower_ranks_stay_apart_so_that_nothing_is_repeated() {
        let text = fused(|b, p| {
            let e = b.elem(ScalarOp::Exp, &[p[1]]);
            let e = b.elem(ScalarOp::Add, &[e, p[1]]);
            let z = b.elem(ScalarOp::Mul, &[p[0], e]);
            vec![b.elem(ScalarOp::Sub, &[z, e])]
        });
        assert_eq!(text.matches("kernel(").count(), 2, "{text}");
    }

    #[test]
    fn regions_that_meet_become_one_and_effects_keep_their_order() {
        let text = fused(|b, p| {
            let m = b.elem(ScalarOp::Mul, &[p[0], p[2]]);
            let v = b.elem(ScalarOp::Exp, &[p[0]]);
            vec![b.elem(ScalarOp::Div, &[m, v])]
        });
        assert_eq!(text.matches("kernel(").count(), 1, "{text}");
        let text = fused(|b, p| {
            let m = b.elem(ScalarOp::Mul, &[p[0], p[2]]);
            b.emit_as(Op::Builtin { name: "print", axes: Vec::new(), args: vec![p[2]] }, &[]);
            vec![b.elem(ScalarOp::Neg, &[m])]
        });
        assert_eq!(text.matches("kernel(").count(), 0, "{text}");
    }
}
