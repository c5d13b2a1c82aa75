//! How a contraction becomes matrix products: which axes play which part, what must be copied (most often nothing),
//! and in which physical order the result is made.
//!
//! It never touches an element, except that it asks for a dense copy of an operand that cannot be read in place.

use super::super::blas::{Products, leading};
use super::super::error::{Error, Result, code};
use super::super::tensor::{Dim, Origin, Tensor, checked_count};
use crate::base::axis::Axis;
use std::cmp::Reverse;

/// An axis with its stride in each operand; 0 where the operand does not have it or repeats along it.
#[derive(Clone, Copy, Debug)]
pub struct Pair {
    pub axis: Axis,
    pub len: usize,
    pub a: isize,
    pub b: isize,
}

/// The axes by the part they play.
#[derive(Clone, Debug, Default)]
pub struct Groups {
    /// In both and kept.
    batch: Vec<Pair>,
    /// Kept, and only the left operand depends on it.
    rows: Vec<Pair>,
    /// Kept, and only the right operand depends on it.
    columns: Vec<Pair>,
    /// Summed.
    inner: Vec<Pair>,
}

fn count(pairs: &[Pair]) -> usize {
    pairs.iter().map(|pair| pair.len).product()
}

impl Groups {
    pub fn new(a: &Tensor, b: &Tensor, axes: &[Axis]) -> Groups {
        let mut groups = Groups::default();
        let only_b = b.dims.iter().filter(|dim| a.dim(dim.axis).is_none());
        for dim in a.dims.iter().chain(only_b) {
            let stride = |t: &Tensor| t.dim(dim.axis).filter(|dim| dim.len > 1).map_or(0, |dim| dim.stride);
            let pair = Pair { axis: dim.axis, len: dim.len, a: stride(a), b: stride(b) };
            let group = if axes.contains(&dim.axis) {
                &mut groups.inner
            } else if pair.b == 0 && pair.len > 1 {
                &mut groups.rows
            } else if pair.a == 0 && pair.len > 1 {
                &mut groups.columns
            } else {
                &mut groups.batch
            };
            group.push(pair);
        }
        groups
    }

    pub fn inner_count(&self) -> usize {
        count(&self.inner)
    }

    pub fn result_count(&self) -> Result<usize> {
        checked_count(&self.result_shape())
    }

    pub fn result_shape(&self) -> Vec<(Axis, usize)> {
        let kept = self.batch.iter().chain(&self.rows).chain(&self.columns);
        kept.map(|pair| (pair.axis, pair.len)).collect()
    }

    /// Is there nothing to multiply but numbers with numbers?
    pub fn is_dot(&self) -> bool {
        count(&self.rows) == 1 && count(&self.columns) == 1
    }

    /// The kept axes, outermost first, with their strides in both operands.
    pub fn kept_pairs(&self) -> Vec<(Dim, isize, isize)> {
        let mut kept = self.batch.clone();
        kept.extend(self.rows.iter().chain(&self.columns));
        sort_by(&mut kept, |pair| pair.a.max(pair.b));
        dims(&kept)
    }

    pub fn inner_pairs(&self) -> Vec<(Dim, isize, isize)> {
        let mut inner = self.inner.clone();
        sort_by(&mut inner, |pair| pair.a);
        dims(&inner)
    }

    fn swapped(&self) -> Groups {
        let turn = |pairs: &[Pair]| pairs.iter().map(|pair| Pair { a: pair.b, b: pair.a, ..*pair }).collect();
        Groups {
            batch: turn(&self.batch),
            rows: turn(&self.columns),
            columns: turn(&self.rows),
            inner: turn(&self.inner),
        }
    }

    /// The right operand's free axes become the innermost of the result, so the operand whose elements lie side by
    /// side along a free axis (a weight) belongs on the right, and the one that has more free axes (data) on the left.
    fn should_swap(&self) -> bool {
        let side_by_side = |pairs: &[Pair]| pairs.iter().any(|pair| pair.len > 1 && pair.a.max(pair.b) == 1);
        let number = |pairs: &[Pair]| pairs.iter().filter(|pair| pair.len > 1).count();
        match (side_by_side(&self.rows), side_by_side(&self.columns)) {
            (true, false) => count(&self.columns) > 1,
            (false, false) => number(&self.columns) > number(&self.rows),
            _ => false,
        }
    }
}

fn dims(pairs: &[Pair]) -> Vec<(Dim, isize, isize)> {
    let dim = |pair: &Pair| Dim { axis: pair.axis, len: pair.len, stride: 0, origin: Origin(0) };
    pairs.iter().map(|pair| (dim(pair), pair.a, pair.b)).collect()
}

/// Outermost in memory first; equal ones keep their order.
fn sort_by(pairs: &mut [Pair], stride: impl Fn(&Pair) -> isize) {
    pairs.sort_by_key(|pair| Reverse(stride(pair)));
}

/// Matrix products that compute the contraction.
pub struct Plan {
    pub a: Tensor,
    pub b: Tensor,
    pub products: Products,
    /// Axes of the result in physical order.
    pub result: Vec<(Axis, usize)>,
}

impl Plan {
    pub fn new(a: &Tensor, b: &Tensor, groups: Groups) -> Result<Plan> {
        if groups.should_swap() {
            return Plan::ordered(b, a, groups.swapped());
        }
        Plan::ordered(a, b, groups)
    }

    /// The left operand gives rows, the right one columns.
    fn ordered(a: &Tensor, b: &Tensor, mut groups: Groups) -> Result<Plan> {
        sort_by(&mut groups.rows, |pair| pair.a);
        sort_by(&mut groups.columns, |pair| pair.b);
        let orders: [fn(&Pair) -> isize; 2] = [|pair| pair.a, |pair| pair.b];
        let mut best: Option<(usize, Vec<Pair>)> = None;
        for order in orders {
            let mut inner = groups.inner.clone();
            sort_by(&mut inner, order);
            let left = Side::read(&groups.rows, &inner, |pair| pair.a).map_or(a.elements(), |_| 0);
            let right = Side::read(&groups.columns, &inner, |pair| pair.b).map_or(b.elements(), |_| 0);
            if best.as_ref().is_none_or(|(cost, _)| left + right < *cost) {
                best = Some((left + right, inner));
            }
        }
        groups.inner = best.map_or_else(Vec::new, |(_, inner)| inner);
        let a = groups.in_place_or_copied(a, true)?;
        let b = groups.in_place_or_copied(b, false)?;
        // The strides may be those of copies now.
        let now = |t: &Tensor, axis: Axis| t.dim(axis).filter(|dim| dim.len > 1).map_or(0, |dim| dim.stride);
        for group in [&mut groups.batch, &mut groups.rows, &mut groups.columns, &mut groups.inner] {
            group.iter_mut().for_each(|pair| (pair.a, pair.b) = (now(&a, pair.axis), now(&b, pair.axis)));
        }
        groups.finish(a, b)
    }
}

impl Groups {
    fn in_place_or_copied(&self, t: &Tensor, left: bool) -> Result<Tensor> {
        let stride = |pair: &Pair| if left { pair.a } else { pair.b };
        let free = if left { &self.rows } else { &self.columns };
        if Side::read(free, &self.inner, stride).is_some() {
            return Ok(t.clone());
        }
        let mut batch = self.batch.clone();
        sort_by(&mut batch, stride);
        let mut order: Vec<Axis> = batch.iter().chain(free).chain(&self.inner).map(|pair| pair.axis).collect();
        order.retain(|&axis| t.dim(axis).is_some_and(|dim| dim.stride != 0 || dim.len == 1));
        // Axes along which it repeats stay repeated.
        let mut once = t.clone();
        let repeats =
            |dim: &Dim| dim.stride == 0 && dim.len > 1 && !self.inner.iter().any(|pair| pair.axis == dim.axis);
        let repeated: Vec<Dim> = t.dims.iter().copied().filter(repeats).collect();
        once.dims.retain(|dim| !repeats(dim));
        // What is summed must be laid out even if it repeats.
        let missing = self.inner.iter().map(|pair| pair.axis).filter(|axis| !order.contains(axis)).collect::<Vec<_>>();
        if !missing.is_empty() {
            order.retain(|axis| !self.inner.iter().any(|pair| pair.axis == *axis));
            order.extend(self.inner.iter().map(|pair| pair.axis));
        }
        let mut copy = once.in_order(&order)?;
        copy.dims.extend(repeated);
        Ok(copy)
    }

    fn finish(mut self, a: Tensor, b: Tensor) -> Result<Plan> {
        let fault = || Error::new(code::INTERNAL, format!("no matrix product for {self:?}"));
        let left = Side::read(&self.rows, &self.inner, |pair| pair.a).ok_or_else(fault)?;
        let right = Side::read(&self.columns, &self.inner, |pair| pair.b).ok_or_else(fault)?;
        sort_by(&mut self.batch, |pair| pair.a.max(pair.b));
        // A batch axis that lies inside the summed ones in the right operand (heads, in values of attention) goes
        // between rows and columns, so that the result is laid out like that operand.
        let summed = self.inner.iter().filter(|pair| pair.len > 1).map(|pair| pair.b).min().unwrap_or(0);
        let (inside, outside): (Vec<Pair>, Vec<Pair>) =
            self.batch.iter().partition(|pair| pair.b != 0 && pair.b < summed);
        let order: Vec<&Pair> = outside.iter().chain(&self.rows).chain(&inside).chain(&self.columns).collect();
        let result: Vec<(Axis, usize)> = order.iter().map(|pair| (pair.axis, pair.len)).collect();
        let mut loops = Vec::new();
        let mut stride = 1usize;
        let mut row_stride = None;
        let (mut rows, mut columns) = (1, 1);
        for pair in order.iter().rev() {
            let is = |group: &[Pair]| group.iter().any(|other| other.axis == pair.axis);
            // Free axes become part of the matrix from the inside out, the rest are loops.
            if is(&self.columns) && columns < right.len {
                columns *= pair.len;
            } else if is(&self.rows) && rows < left.len {
                row_stride.get_or_insert(stride);
                rows *= pair.len;
            } else if pair.len > 1 {
                loops.push((pair.len, [pair.a as usize, pair.b as usize, stride]));
            }
            stride *= pair.len.max(1);
        }
        loops.reverse();
        let products = Products {
            loops,
            m: left.len,
            n: right.len,
            k: count(&self.inner),
            a: [left.free, left.inner],
            b: [right.inner, right.free],
            c: row_stride.unwrap_or(1).max(1),
        };
        Ok(Plan { a, b, products, result })
    }
}

/// How an operand is read: its innermost free axes as one, and all summed axes as one.
struct Side {
    /// Positions of the free axes that are walked as one; the others are loops.
    len: usize,
    free: usize,
    inner: usize,
}

/// Rows below which a product in a loop is worth less than one copy of the operand.
const WORTH_A_LOOP: usize = 48;

impl Side {
    /// `None` if the operand cannot be read where it lies. `free` is sorted, outermost first.
    fn read(free: &[Pair], inner: &[Pair], stride: impl Fn(&Pair) -> isize) -> Option<Side> {
        let dims = |pairs: &[Pair]| -> Vec<(usize, isize)> {
            pairs.iter().filter(|pair| pair.len > 1).map(|pair| (pair.len, stride(pair))).collect()
        };
        let (inner, free) = (dims(inner), dims(free));
        let (summed, inner_stride, all) = as_one(&inner)?;
        if all < inner.len() {
            return None;
        }
        let (len, free_stride, walked) = as_one(&free)?;
        if walked < free.len() && len < WORTH_A_LOOP {
            return None;
        }
        leading([free_stride, inner_stride], len, summed)?;
        Some(Side { len, free: free_stride, inner: inner_stride })
    }
}

/// As many of the innermost dims as can be walked as one: their length and stride, and how many they are. `None` if
/// the innermost one repeats.
fn as_one(dims: &[(usize, isize)]) -> Option<(usize, usize, usize)> {
    let Some(&(len, first)) = dims.last() else { return Some((1, 1, 0)) };
    let mut total = len;
    let mut walked = 1;
    for &(len, stride) in dims.iter().rev().skip(1) {
        if stride != first * total as isize {
            break;
        }
        total *= len;
        walked += 1;
    }
    (first > 0).then_some((total, first as usize, walked))
}
