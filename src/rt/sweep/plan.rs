//! Which rows make up a block: decided from shapes and strides alone.
//!
//! Blocks are boxes: one position along each of the outer row axes, a range along one, everything along the rest. They
//! follow each other in memory, so that each result is filled from front to back.

use crate::base::axis::Axis;
use crate::base::sweep::{Sweep, Work};
use crate::rt::reduce::TILE;
use crate::rt::tensor::Tensor;
use crate::rt::value::Value;

/// Elements of the largest value of a block: a handful of such values fit into the cache of a core.
const BLOCK: usize = 1 << 15;
/// Below this many elements nothing is gained.
const SMALL: usize = 1 << 16;

pub struct Plan {
    /// The row axes and their lengths, outermost in memory first.
    pub rows: Vec<(Axis, usize)>,
    /// The place in `rows` of the axis that is cut.
    split: usize,
    /// Positions along it that a block takes.
    step: usize,
    /// Do blocks begin where the tiles of every total begin? Otherwise totals wait until all is there.
    pub whole_tiles: bool,
}

/// The rows of one block.
pub struct Block {
    /// For each row axis, in order: the first position and how many.
    pub ranges: Vec<(usize, usize)>,
    /// Rows in it.
    pub rows: usize,
}

impl Plan {
    /// `None` if the sweep is not to be cut.
    pub fn new(sweep: &Sweep, args: &[Value]) -> Option<Plan> {
        let tensors: Vec<&Tensor> = args.iter().filter_map(tensor).collect();
        if args.iter().any(|arg| matches!(arg, Value::Sparse(_) | Value::Chunked(_))) {
            return None;
        }
        let rows = row_order(sweep, &tensors)?;
        let inside = inside(sweep, &tensors, &rows)?;
        let elements = |len: usize| inside.iter().map(|&(_, len)| len).product::<usize>() * len;
        let all: usize = rows.iter().map(|&(_, len)| len).product();
        if elements(all) < SMALL {
            return None;
        }
        let wanted = (BLOCK / elements(1).max(1)).max(1);
        let (split, step) = cut(&rows, wanted);
        let mut plan = Plan { rows, split, step, whole_tiles: true };
        plan.align(sweep, &inside);
        (plan.count() > 1).then_some(plan)
    }

    /// Rows inside the axis that is cut.
    fn below(&self) -> usize {
        self.rows[self.split + 1..].iter().map(|&(_, len)| len).product()
    }

    fn above(&self) -> usize {
        self.rows[..self.split].iter().map(|&(_, len)| len).product()
    }

    /// Makes blocks of whole tiles of 1024 elements of what is totalled, if that can be had.
    fn align(&mut self, sweep: &Sweep, inside: &[(Axis, usize)]) {
        for step in &sweep.steps {
            let Work::Total { axes, .. } = &step.work else { continue };
            let width: usize = inside.iter().filter(|(axis, _)| axes.contains(axis)).map(|&(_, len)| len).product();
            let each = width * self.below();
            let unit = TILE / gcd(each, TILE);
            let fitted = self.step.next_multiple_of(unit);
            let ragged = self.above() > 1 && !self.rows[self.split].1.is_multiple_of(unit);
            // Several totals of different widths are rare; powers of two satisfy all.
            if ragged || fitted * each > 8 * BLOCK.max(each) {
                self.whole_tiles = false;
                return;
            }
            self.step = fitted;
        }
    }

    fn pieces(&self) -> usize {
        self.rows[self.split].1.div_ceil(self.step)
    }

    pub fn count(&self) -> usize {
        self.above() * self.pieces()
    }

    pub fn block(&self, number: usize) -> Block {
        let (mut outer, piece) = (number / self.pieces(), number % self.pieces());
        let mut ranges: Vec<(usize, usize)> = self.rows.iter().map(|&(_, len)| (0, len)).collect();
        for place in (0..self.split).rev() {
            let len = self.rows[place].1;
            ranges[place] = (outer % len, 1);
            outer /= len;
        }
        let first = piece * self.step;
        ranges[self.split] = (first, self.step.min(self.rows[self.split].1 - first));
        let rows = ranges.iter().map(|range| range.1).product();
        Block { ranges, rows }
    }

    /// An argument's part that belongs to a block: a view.
    pub fn part(&self, arg: &Value, block: &Block) -> Value {
        let Value::Tensor(whole) = arg else { return arg.clone() };
        let mut part = whole.clone();
        for (&(axis, _), &(first, len)) in self.rows.iter().zip(&block.ranges) {
            if let Some(dim) = part.dims.iter_mut().find(|dim| dim.axis == axis) {
                dim.len = len;
                part.offset = (part.offset as isize + first as isize * dim.stride) as usize;
            }
        }
        Value::Tensor(part)
    }
}

fn tensor(value: &Value) -> Option<&Tensor> {
    match value {
        Value::Tensor(tensor) => Some(tensor),
        _ => None,
    }
}

/// The row axes as the largest argument that has them all has them, outermost first; `None` if they do not lie
/// outermost in it, or if some argument disagrees on a length or repeats along a row.
fn row_order(sweep: &Sweep, tensors: &[&Tensor]) -> Option<Vec<(Axis, usize)>> {
    let complete = |tensor: &&&Tensor| sweep.rows.iter().all(|&axis| tensor.dim(axis).is_some());
    let lead = tensors.iter().filter(complete).max_by_key(|tensor| tensor.elements())?;
    let mut dims = lead.dims.clone();
    dims.sort_by_key(|dim| (dim.len != 1, std::cmp::Reverse(dim.stride.unsigned_abs())));
    let is_row = |axis: Axis| sweep.rows.contains(&axis);
    let mut rows: Vec<(Axis, usize)> = Vec::new();
    let mut inner = false;
    for dim in &dims {
        if is_row(dim.axis) {
            if inner {
                return None;
            }
            rows.push((dim.axis, dim.len));
        } else {
            inner |= dim.len != 1;
        }
    }
    let agrees = |tensor: &&Tensor| {
        rows.iter()
            .all(|&(axis, len)| tensor.dim(axis).is_none_or(|dim| dim.len == len && (dim.stride != 0 || dim.len == 1)))
    };
    (tensors.iter().all(agrees) && rows.iter().all(|&(_, len)| len > 0)).then_some(rows)
}

/// The other axes of the arguments; `None` if arguments disagree or one is empty.
fn inside(sweep: &Sweep, tensors: &[&Tensor], rows: &[(Axis, usize)]) -> Option<Vec<(Axis, usize)>> {
    let mut found: Vec<(Axis, usize)> = Vec::new();
    debug_assert_eq!(rows.len(), sweep.rows.len());
    for dim in tensors.iter().flat_map(|tensor| &tensor.dims).filter(|dim| !sweep.rows.contains(&dim.axis)) {
        match found.iter().find(|(axis, _)| *axis == dim.axis) {
            Some(&(_, len)) if len != dim.len => return None,
            Some(_) => {}
            None if dim.len == 0 => return None,
            None => found.push((dim.axis, dim.len)),
        }
    }
    Some(found)
}

/// Where to cut so that a block has about `wanted` rows: the place of the axis, and how many of its positions.
fn cut(rows: &[(Axis, usize)], wanted: usize) -> (usize, usize) {
    let mut below = 1;
    for (place, &(_, len)) in rows.iter().enumerate().rev() {
        if below * len >= wanted || place == 0 {
            return (place, (wanted / below).clamp(1, len));
        }
        below *= len;
    }
    (0, 1)
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}
