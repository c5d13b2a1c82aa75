//! Attention without its matrices of scores: softmax over the keys of scale * (queries . keys), times the values.
//!
//! A few rows of scores at a time stay in cache, between two small products. Keys that a mask hides are given one
//! fixed score; where the mask hides the end of every row (a causal one), those keys are not computed at all, because
//! they weigh exactly 0. The gradient computes the rows again. The bits follow from the shapes, never from threads.
//! Nothing here knows of a model: operands have any batch axes, in any order, and may lack some of them.

mod gradient;
mod layout;
#[cfg(test)]
mod tests;

use super::blas::{self, Float, Matrix};
use super::error::{Error, Result, code};
use super::simd::softmax;
use super::tensor::{Aligned, Element, Tensor, checked_count};
use crate::base::axis::Axis;
use crate::base::ops::DType;
use layout::{Job, Seen};
use rayon::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};

pub use gradient::gradient;

/// The axes by the part they play: queries and keys, what is summed in the scores, the innermost one of the values.
#[derive(Clone, Copy, Debug)]
pub struct Roles {
    pub q: Axis,
    pub k: Axis,
    pub d: Axis,
    pub e: Axis,
}

/// What the scores are multiplied by, and the score of what may not be seen.
#[derive(Clone, Copy, Debug)]
pub struct Scores<'a> {
    pub scale: f64,
    pub hidden: f64,
    pub seen: Option<&'a Tensor>,
}

/// Floats with the row functions of a softmax.
trait Rows: Float + Element {
    /// A score so much below the largest of its row weighs exactly 0.
    const FAR: f64;
    fn largest(row: &[Self]) -> Self;
    fn raise(row: &mut [Self], shift: Self) -> f64;
    fn scale(row: &mut [Self], factor: Self);
    fn slope(p: &[Self], dp: &mut [Self], factor: Self);
}

macro_rules! rows {
    ($type:ty, $far:expr, $largest:ident, $raise:ident, $scale:ident, $slope:ident) => {
        impl Rows for $type {
            const FAR: f64 = $far;
            fn largest(row: &[$type]) -> $type {
                softmax::$largest(row)
            }
            fn raise(row: &mut [$type], shift: $type) -> f64 {
                softmax::$raise(row, shift)
            }
            fn scale(row: &mut [$type], factor: $type) {
                softmax::$scale(row, factor)
            }
            fn slope(p: &[$type], dp: &mut [$type], factor: $type) {
                softmax::$slope(p, dp, factor)
            }
        }
    };
}
rows!(f32, 120.0, largest_f32, raise_f32, scale_f32, slope_f32);
rows!(f64, 800.0, largest_f64, raise_f64, scale_f64, slope_f64);

/// The attended values: their axes are all those of the operands but `d` and `k`.
pub fn attention(q: &Tensor, k: &Tensor, v: &Tensor, scores: Scores, roles: Roles) -> Result<Tensor> {
    match q.dtype() {
        DType::F32 => forward::<f32>([q, k, v], scores, roles),
        DType::F64 => forward::<f64>([q, k, v], scores, roles),
        other => Err(Error::new(code::INTERNAL, format!("attention over {other:?}"))),
    }
}

fn forward<T: Rows>(operands: [&Tensor; 3], scores: Scores, roles: Roles) -> Result<Tensor> {
    let operands = layout::readable(operands, roles)?;
    let job = Job::new([&operands[0], &operands[1], &operands[2]], None, scores, roles)?;
    match job.attended::<T>(&operands)? {
        Some(found) => Ok(found),
        // Some hidden key weighs more than nothing: then all are computed.
        None => job.without_limits().attended::<T>(&operands)?.ok_or_else(unsettled),
    }
}

fn unsettled() -> Error {
    Error::new(code::INTERNAL, "attention that found no way to go")
}

/// Whether a hidden key weighs more than nothing in some row: then all must be computed again without limits.
#[derive(Default)]
struct HiddenWeighs(AtomicBool);

impl HiddenWeighs {
    fn note(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn noted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The rows `first..first + count` of one matrix of scores, up to key `width`.
#[derive(Clone, Copy)]
struct Block {
    first: usize,
    count: usize,
    width: usize,
    /// Where the mask of this matrix starts.
    mask: usize,
}

impl Job<'_> {
    /// How many rows of scores are in cache at once.
    fn block_rows(&self) -> usize {
        ((1 << 16) / self.keys).clamp(16, 64)
    }

    /// `None` if a hidden key weighs more than nothing.
    fn attended<T: Rows>(&self, operands: &[Tensor; 3]) -> Result<Option<Tensor>> {
        let shape = self.result_shape();
        let mut out = Aligned::<T>::scratch(checked_count(&shape)?);
        let (row, rows) = (self.inner.count() * self.width, self.block_rows());
        let hidden = HiddenWeighs::default();
        if self.queries * row > 0 {
            let values = layout::values::<T, 3>(operands)?;
            let tasks: Vec<(usize, usize, &mut [T])> = out
                .chunks_mut(self.queries * row)
                .enumerate()
                .flat_map(|(outer, slab)| {
                    slab.chunks_mut(rows * row).enumerate().map(move |(tile, part)| (outer, tile * rows, part))
                })
                .collect();
            tasks.into_par_iter().try_for_each(|(outer, first, part)| {
                let count = part.len() / row;
                self.attended_rows(&values, outer, (first, count), &hidden, part)
            })?;
        }
        if hidden.noted() {
            return Ok(None);
        }
        self.origins(Tensor::dense(&shape, out)?, operands).map(Some)
    }

    /// Some rows of the result, for all inner positions.
    fn attended_rows<T: Rows>(
        &self,
        [q, k, v]: &[&[T]; 3],
        outer: usize,
        (first, count): (usize, usize),
        hidden: &HiddenWeighs,
        out: &mut [T],
    ) -> Result<()> {
        let start = self.outer.at(outer);
        let row = out.len() / count;
        let mut scores = Aligned::<T>::scratch(count * self.keys);
        for inner in 0..self.inner.count() {
            let at = layout::sum(start, self.inner.at(inner));
            let block = self.block(first, count, at[3]);
            let queries = self.matrix(q, 0, at[0] + first * self.rows[0]);
            let keys = Matrix { turned: true, ..self.matrix(k, 1, at[1]) };
            let inverse = self.weights(block, (queries, keys), &mut scores, hidden)?;
            let weights = Matrix { values: &scores[..], row: block.width, turned: false };
            let found = &mut out[inner * self.width..];
            let size = [count, self.width, block.width];
            blas::product(size, T::from_f64(1.0), (weights, self.matrix(v, 2, at[2])), false, (found, row))?;
            for (values, factor) in found.chunks_mut(row).zip(inverse) {
                T::scale(&mut values[..self.width], T::from_f64(factor));
            }
        }
        Ok(())
    }

    fn matrix<'b, T>(&self, values: &'b [T], which: usize, start: usize) -> Matrix<'b, T> {
        Matrix { values: values.get(start..).unwrap_or(&[]), row: self.rows[which], turned: false }
    }

    /// The rows of scores that are computed together, up to the last key that one of them may see.
    fn block(&self, first: usize, count: usize, mask: usize) -> Block {
        let width = match &self.seen {
            Seen::First(ends) => ends[mask + first..mask + first + count].iter().copied().max().unwrap_or(0),
            _ => self.keys,
        };
        Block { first, count, width, mask }
    }

    /// exp(score - largest of the row) for every key, and for each row one over their sum. A hidden one gets 0. A row with NaN
    /// weighs NaN everywhere, as a softmax does, and what is hidden in it too.
    fn weights<T: Rows>(
        &self,
        block: Block,
        operands: (Matrix<T>, Matrix<T>),
        scores: &mut [T],
        hidden: &HiddenWeighs,
    ) -> Result<Vec<f64>> {
        let Block { first, count, width, mask } = block;
        let factor = T::from_f64(self.scale);
        blas::product([count, width, self.depth], factor, operands, false, (scores, width))?;
        let mut inverse = Vec::with_capacity(count);
        for (number, row) in scores[..count * width].chunks_mut(width).enumerate() {
            let end = match &self.seen {
                Seen::All => width,
                Seen::First(ends) => ends[mask + first + number],
                Seen::Some(seen) => {
                    seen.hide(mask, first + number, row, T::from_f64(self.hidden));
                    width
                }
            };
            let largest = T::largest(&row[..end]);
            let far = largest.to_f64();
            let sum = T::raise(&mut row[..end], largest);
            // NaN differences count as near.
            if end < self.keys && (sum.is_nan() || !(far - self.hidden > T::FAR)) {
                hidden.note();
            }
            inverse.push(1.0 / sum);
            row[end..].fill(T::from_f64(0.0));
        }
        Ok(inverse)
    }
}
