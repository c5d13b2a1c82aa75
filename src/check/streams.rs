//! Along which axis does a function treat its arguments index by index?
//!
//! A capture runs the model on tiles of such an axis, one after another, and the tiles together are what one run
//! on everything would give. The question is put to the IR of the function, operation by operation; no model is a
//! special case. "No" is always a right answer: then the model runs once, on everything.

use crate::base::axis::Axis;
use crate::ir::{Binder, Block, Carried, Function, LocalId, Op, Stmt, Type, builtin_is_pure};

/// What a local is, with respect to the axis.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Kind {
    /// Never computed, or never read.
    Nothing,
    /// The same for every tile.
    Fixed,
    /// Has the axis; each index depends on the same index of the arguments, not on where the tile begins.
    Rows,
    /// The length of the axis: that of a tile.
    Length,
    /// An index of the axis, counted from where the tile begins.
    Place,
    /// What belongs to one index, inside a comprehension over the axis.
    Inside,
    /// Something else: it must not be needed.
    Mixed,
}
use Kind::*;

/// Do all of `wanted` treat the rows of `params` along `axis` one by one? Then they all have the axis, too.
pub fn is_local(function: &Function, params: &[LocalId], axis: Axis, wanted: &[LocalId]) -> bool {
    let mut kinds = vec![Nothing; function.locals.len()];
    for param in &function.params {
        kinds[param.0 as usize] = Fixed;
    }
    for param in params {
        let has = function.ty(*param).axes().is_some_and(|axes| axes.contains(axis));
        kinds[param.0 as usize] = if has { Rows } else { Fixed };
    }
    let mut reading = Reading { function, axis, kinds, fits: true };
    reading.block(&function.body);
    reading.fits && wanted.iter().all(|local| reading.kind(*local) == Rows)
}

struct Reading<'a> {
    function: &'a Function,
    axis: Axis,
    kinds: Vec<Kind>,
    /// Nothing was met that must not be done once for every tile.
    fits: bool,
}

/// How two ways to the same local meet.
fn met(a: Kind, b: Kind) -> Kind {
    match (a, b) {
        (Nothing, other) | (other, Nothing) => other,
        (a, b) if a == b => a,
        (Fixed, Inside) | (Inside, Fixed) => Inside,
        _ => Mixed,
    }
}

impl Reading<'_> {
    fn kind(&self, local: LocalId) -> Kind {
        self.kinds[local.0 as usize]
    }

    fn set(&mut self, local: LocalId, kind: Kind) {
        self.kinds[local.0 as usize] = kind;
    }

    /// Does the type of the local have the axis?
    fn has(&self, local: LocalId) -> bool {
        self.function.ty(local).axes().is_some_and(|axes| axes.contains(self.axis))
    }

    fn block(&mut self, block: &Block) {
        for stmt in &block.stmts {
            self.statement(stmt);
        }
    }

    fn statement(&mut self, stmt: &Stmt) {
        match &stmt.op {
            Op::If { cond, then, other } => self.branch(stmt, *cond, then, other),
            Op::For { var, lo, hi, carried, body } => {
                let fixed = self.kind(*lo) == Fixed && self.kind(*hi) == Fixed;
                self.set(*var, if fixed { Fixed } else { Mixed });
                self.turns(stmt, carried, None, body, fixed);
            }
            Op::While { carried, test, body } => self.turns(stmt, carried, Some(test), body, true),
            Op::Comprehend { binders, body } => self.comprehend(stmt, binders, body),
            Op::Return(_) | Op::GlobalSet(..) => self.fits = false,
            Op::Builtin { name, .. } if !builtin_is_pure(name) => self.fits = false,
            op => {
                let kind = self.operation(op, stmt);
                stmt.dest.iter().for_each(|&dest| self.set(dest, kind));
            }
        }
    }

    fn branch(&mut self, stmt: &Stmt, cond: LocalId, then: &Block, other: &Block) {
        self.block(then);
        self.block(other);
        let cond = self.kind(cond);
        for (at, &dest) in stmt.dest.iter().enumerate() {
            let side = |block: &Block| block.results.get(at).map_or(Nothing, |&local| self.kind(local));
            let joined = met(side(then), side(other));
            let kind = match (cond, joined) {
                (Fixed, kind) => kind,
                (Inside, Fixed | Inside) => Inside,
                _ => Mixed,
            };
            self.set(dest, kind);
        }
    }

    /// A loop is read until the kinds of what it carries no longer change.
    fn turns(&mut self, stmt: &Stmt, carried: &[Carried], test: Option<&Block>, body: &Block, fixed: bool) {
        for each in carried {
            self.set(each.param, self.kind(each.init));
        }
        let mut steady = fixed;
        loop {
            if let Some(test) = test {
                self.block(test);
                steady &= test.results.iter().all(|&local| self.kind(local) == Fixed);
            }
            self.block(body);
            let mut changed = false;
            for (each, &result) in carried.iter().zip(&body.results) {
                let now = met(self.kind(each.param), self.kind(result));
                changed |= now != self.kind(each.param);
                self.set(each.param, now);
            }
            if !changed {
                break;
            }
        }
        for (each, &dest) in carried.iter().zip(&stmt.dest) {
            let kind = if steady { self.kind(each.param) } else { Mixed };
            self.set(dest, kind);
        }
    }

    fn comprehend(&mut self, stmt: &Stmt, binders: &[Binder], body: &Block) {
        let mut over = false;
        let mut fits = true;
        for binder in binders {
            let kind = match self.kind(binder.size) {
                Length if binder.axis == self.axis => {
                    over = true;
                    Place
                }
                Fixed if binder.axis != self.axis => Fixed,
                Fixed => Mixed,
                _ => {
                    fits = false;
                    Mixed
                }
            };
            self.set(binder.var, kind);
        }
        self.block(body);
        for (&dest, &result) in stmt.dest.iter().zip(&body.results) {
            let kind = match (over, self.kind(result)) {
                _ if !fits => Mixed,
                (true, Inside | Fixed) => Rows,
                (false, Fixed) => {
                    if self.has(dest) {
                        Mixed
                    } else {
                        Fixed
                    }
                }
                (false, Inside) => Inside,
                _ => Mixed,
            };
            self.set(dest, kind);
        }
    }

    fn operation(&self, op: &Op, stmt: &Stmt) -> Kind {
        let operands = op.operands();
        if matches!(op, Op::Undef) {
            return Nothing;
        }
        if operands.iter().all(|&local| self.kind(local) == Fixed) {
            return Fixed;
        }
        match op {
            Op::Copy(local) => self.kind(*local),
            Op::SizeOf { args, axis } => self.size(args, *axis),
            Op::Expand { arg, axis, size } => match (self.kind(*arg), self.kind(*size)) {
                (Fixed, Length) if *axis == self.axis => Rows,
                (kind @ (Rows | Inside), Fixed) => kind,
                _ => Mixed,
            },
            Op::Select { arg, axis, index } => match (self.kind(*arg), self.kind(*index)) {
                (Rows, Place) if *axis == self.axis => Inside,
                (Rows, Fixed) if *axis != self.axis => Rows,
                (Inside, Fixed | Inside) | (Fixed, Inside) => Inside,
                _ => Mixed,
            },
            Op::Gather { arg, axis, index } => match (self.kind(*arg), self.kind(*index)) {
                (Fixed, Rows) if *axis == self.axis || !self.has(*arg) => Rows,
                (Rows, Fixed | Rows) if *axis != self.axis => self.rows(&[*arg, *index]),
                (Inside, Fixed | Inside) | (Fixed, Inside) => Inside,
                _ => Mixed,
            },
            Op::Reduce { axes, .. } if axes.contains(self.axis) => Mixed,
            Op::Contract { axes, .. } if axes.contains(self.axis) => Mixed,
            Op::Slice { axis, .. } | Op::Rename { from: axis, .. } if *axis == self.axis => Mixed,
            Op::Pad { from, .. } | Op::Split { from, .. } if *from == self.axis => Mixed,
            Op::Merge { from, .. } if from.contains(&self.axis) => Mixed,
            Op::Elem { .. }
            | Op::Kernel { .. }
            | Op::Reduce { .. }
            | Op::Contract { .. }
            | Op::Slice { .. }
            | Op::Rename { .. }
            | Op::Pad { .. }
            | Op::Split { .. }
            | Op::Merge { .. }
            | Op::MakeList(_)
            | Op::MakeRecord(_)
            | Op::GetField { .. } => self.rows(&operands),
            Op::Builtin { name, axes, args } => self.builtin(name, axes, args, stmt),
            _ => Mixed,
        }
    }

    /// Operands row by row: those that have the axis must all be rows of the arguments.
    fn rows(&self, operands: &[LocalId]) -> Kind {
        let mut all = Fixed;
        for &local in operands {
            all = match (all, self.kind(local)) {
                (Mixed, _) | (_, Mixed | Length | Place) => Mixed,
                (all, Fixed) if self.has(local) && all != Fixed => Mixed,
                (all, Fixed | Nothing) => all,
                (Fixed | Rows, Rows) => Rows,
                (Fixed | Inside, Inside) => Inside,
                _ => Mixed,
            };
        }
        let outer = operands.iter().any(|&local| self.kind(local) == Fixed && self.has(local));
        if all != Fixed && outer { Mixed } else { all }
    }

    fn size(&self, args: &[LocalId], axis: Axis) -> Kind {
        let kinds = || args.iter().map(|&local| self.kind(local));
        match axis == self.axis {
            true if kinds().all(|kind| kind == Rows) => Length,
            false if kinds().all(|kind| matches!(kind, Rows | Fixed | Inside)) => Fixed,
            _ => Mixed,
        }
    }

    fn builtin(&self, name: &str, axes: &[Axis], args: &[LocalId], stmt: &Stmt) -> Kind {
        let made = stmt.dest.first().is_some_and(|&dest| self.has(dest));
        match name {
            "stop" | "list_push" | "list_get" | "index_check" | "in_memory" => self.rows(args),
            "list_len" => Fixed,
            "keep_top" | "top" | "sort" | "argsort" | "cumsum" | "stack" | "concat"
                if axes.first() != Some(&self.axis) =>
            {
                self.rows(args)
            }
            // A constant of the length of a tile.
            "full" if made && args[1..].iter().all(|&local| matches!(self.kind(local), Fixed | Length)) => {
                let along = axes.iter().position(|&axis| axis == self.axis).and_then(|at| args.get(1 + at));
                match (self.kind(args[0]), along.map(|&local| self.kind(local))) {
                    (Fixed, Some(Length)) => Rows,
                    _ => Mixed,
                }
            }
            _ => Mixed,
        }
    }
}

/// The axes that some of the types have, in the order of their names.
pub fn candidates<'a>(types: impl Iterator<Item = &'a Type>) -> Vec<Axis> {
    let mut found: Vec<Axis> =
        types.flat_map(|ty| ty.axes()).flat_map(|axes| axes.iter().collect::<Vec<_>>()).collect();
    found.sort_by_key(|axis| (axis.shown(), *axis));
    found.dedup();
    found
}
