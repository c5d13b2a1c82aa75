//! `keep_top(f(a @ b, others))` as one operation.
//!
//! A product qualifies if every way from it leads through elementwise operations over its own axes to a `keep_top`,
//! in its block or in a branch below it; each further `keep_top` computes the product again, in its branch. Other
//! operands of `f` have fewer axes than the product: a tensor as large as it would have to exist anyway.

use crate::base::axis::Axis;
use crate::base::kernel::{Kernel, Step};
use crate::base::ops::{DType, ScalarOp};
use crate::ir::{AxisSet, Block, Function, LocalId, Op, Stmt};
use std::collections::BTreeMap;

/// More selections than this share a product that is stored.
const MAX_SELECTIONS: usize = 3;
/// Bounds on `f`, as for any kernel.
const MAX_STEPS: usize = 32;
const MAX_INPUTS: usize = 16;

pub fn block(function: &mut Function, block: &mut Block) {
    for stmt in &mut block.stmts {
        stmt.op.blocks_mut().into_iter().for_each(|inner| self::block(function, inner));
    }
    for place in 0..block.stmts.len() {
        let stmt = &block.stmts[place];
        let (Op::Contract { a, b, axes }, &[product]) = (&stmt.op, &stmt.dest[..]) else { continue };
        let (a, b, axes) = (*a, *b, axes.clone());
        let mut found = Found { function, product, members: BTreeMap::new(), selections: Vec::new() };
        let rest = &block.stmts[place + 1..];
        if !found.stmts(rest) || block.results.iter().any(|&local| found.has(local)) {
            continue;
        }
        if let Some(made) = found.operations(a, b, &axes) {
            replace(&mut block.stmts[place + 1..], &made);
        }
    }
}

/// Puts operations in the place of those with the same results.
fn replace(stmts: &mut [Stmt], made: &BTreeMap<LocalId, Op>) {
    for stmt in stmts {
        if let Some(op) = stmt.dest.first().and_then(|dest| made.get(dest)) {
            stmt.op = op.clone();
        }
        stmt.op.blocks_mut().into_iter().for_each(|inner| replace(&mut inner.stmts, made));
    }
}

struct Selection {
    dest: LocalId,
    from: LocalId,
    along: Axis,
    k: LocalId,
}

/// What a product flows into.
struct Found<'a> {
    function: &'a Function,
    product: LocalId,
    /// Elementwise operations on it, by result.
    members: BTreeMap<LocalId, (ScalarOp, Vec<LocalId>)>,
    selections: Vec<Selection>,
}

impl Found<'_> {
    fn has(&self, local: LocalId) -> bool {
        local == self.product || self.members.contains_key(&local)
    }

    fn axes(&self, local: LocalId) -> Option<&AxisSet> {
        self.function.ty(local).axes()
    }

    /// Follows the product through statements; false if anything else reads it.
    fn stmts(&mut self, stmts: &[Stmt]) -> bool {
        stmts.iter().all(|stmt| self.stmt(stmt))
    }

    fn stmt(&mut self, stmt: &Stmt) -> bool {
        if let Op::If { cond, then, other } = &stmt.op {
            return !self.has(*cond)
                && [then, other].iter().all(|block| self.stmts(&block.stmts))
                && ![then, other].iter().any(|block| block.results.iter().any(|&local| self.has(local)));
        }
        let reads = |local: &LocalId| self.has(*local);
        if !stmt.op.operands().iter().any(reads) {
            // What runs many times may not compute the product each time.
            return !stmt.op.blocks().into_iter().any(|inner| self.read_in(inner));
        }
        match (&stmt.op, &stmt.dest[..]) {
            (Op::Elem { op, args }, &[dest]) => {
                let dtypes: Vec<DType> = args.iter().filter_map(|&arg| self.function.ty(arg).dtype()).collect();
                let large = |&arg: &LocalId| !self.has(arg) && self.axes(arg) == self.axes(self.product);
                let fits = dtypes.len() == args.len()
                    && !op.can_fail(&dtypes)
                    && self.axes(dest) == self.axes(self.product)
                    && !args.iter().any(large);
                if fits {
                    self.members.insert(dest, (*op, args.clone()));
                }
                fits
            }
            (Op::Builtin { name: "keep_top", axes, args }, &[dest]) => match (&axes[..], &args[..]) {
                (&[along], &[from, k]) => {
                    self.selections.push(Selection { dest, from, along, k });
                    true
                }
                _ => false,
            },
            _ => false,
        }
    }

    fn read_in(&self, block: &Block) -> bool {
        block.results.iter().any(|&local| self.has(local))
            || block.stmts.iter().any(|stmt| {
                stmt.op.operands().iter().any(|&local| self.has(local))
                    || stmt.op.blocks().into_iter().any(|inner| self.read_in(inner))
            })
    }

    /// The operation of each selection, by its result; `None` if it is better to keep the product.
    fn operations(&self, a: LocalId, b: LocalId, axes: &AxisSet) -> Option<BTreeMap<LocalId, Op>> {
        if self.selections.is_empty() || self.selections.len() > MAX_SELECTIONS {
            return None;
        }
        let mut made = BTreeMap::new();
        for selection in &self.selections {
            let (kernel, others) = self.finish(selection.from)?;
            let (kernel, axes) = (Box::new(kernel), axes.clone());
            let op = Op::TopProduct { a, b, axes, kernel, others, along: selection.along, k: selection.k };
            made.insert(selection.dest, op);
        }
        Some(made)
    }

    /// What computes `from` from the product, and its other operands.
    fn finish(&self, from: LocalId) -> Option<(Kernel, Vec<LocalId>)> {
        let mut steps = Vec::new();
        self.order(from, &mut steps);
        let mut inputs = vec![self.product];
        for operand in steps.iter().filter_map(|step| self.members.get(step)).flat_map(|(_, args)| args) {
            if !self.has(*operand) && !inputs.contains(operand) {
                inputs.push(*operand);
            }
        }
        if steps.len() > MAX_STEPS || inputs.len() > MAX_INPUTS {
            return None;
        }
        let number = |local: LocalId| -> Option<u32> {
            let found = inputs.iter().position(|&input| input == local);
            let made = || steps.iter().position(|&step| step == local).map(|at| at + inputs.len());
            found.or_else(made).map(|at| at as u32)
        };
        let mut kernel = Kernel { outputs: vec![number(from)?], ..Kernel::default() };
        for &input in &inputs {
            kernel.inputs.push(self.function.ty(input).dtype()?);
            kernel.scalar.push(self.function.ty(input).is_scalar());
        }
        for &step in &steps {
            let (op, args) = self.members.get(&step)?;
            let args = args.iter().map(|&arg| number(arg)).collect::<Option<Vec<u32>>>()?;
            kernel.steps.push(Step { op: *op, args, result: self.function.ty(step).dtype()? });
        }
        inputs.remove(0);
        Some((kernel, inputs))
    }

    /// The members that `local` needs and itself, each after what it reads.
    fn order(&self, local: LocalId, steps: &mut Vec<LocalId>) {
        let Some((_, args)) = self.members.get(&local) else { return };
        if !steps.contains(&local) {
            args.iter().for_each(|&arg| self.order(arg, steps));
            steps.push(local);
        }
    }
}
