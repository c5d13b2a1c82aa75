//! The gradient of attention by queries, keys and values: the weights are computed again, block by block.
//!
//! One task has all rows of one outer position, so the sums over queries that keys and values need are made in one
//! order, whatever the number of threads.

use super::super::blas::{self, Matrix};
use super::super::error::{Error, Result, code};
use super::super::tensor::{Aligned, Tensor, checked_count};
use super::layout::{self, Job, Seen};
use super::{HiddenWeighs, Roles, Rows, Scores, unsettled};
use crate::base::ops::DType;
use rayon::prelude::*;

/// The adjoints of queries, keys and values, given that of the result.
pub fn gradient(operands: [&Tensor; 3], adjoint: &Tensor, scores: Scores, roles: Roles) -> Result<[Tensor; 3]> {
    match adjoint.dtype() {
        DType::F32 => backward::<f32>(operands, adjoint, scores, roles),
        DType::F64 => backward::<f64>(operands, adjoint, scores, roles),
        other => Err(Error::new(code::INTERNAL, format!("the gradient of attention over {other:?}"))),
    }
}

fn backward<T: Rows>(operands: [&Tensor; 3], adjoint: &Tensor, scores: Scores, roles: Roles) -> Result<[Tensor; 3]> {
    let [q, k, v] = layout::readable(operands, roles)?;
    let adjoint = layout::in_rows(adjoint, roles.q, roles.e)?;
    let job = Job::new([&q, &k, &v], Some(&adjoint), scores, roles)?;
    let operands = [q, k, v, adjoint];
    match job.slopes::<T>(&operands)? {
        Some(found) => Ok(found),
        None => job.without_limits().slopes::<T>(&operands)?.ok_or_else(unsettled),
    }
}

/// What one task writes: the adjoints of queries, keys and values at one outer position.
struct Parts<'a, T> {
    q: &'a mut [T],
    k: &'a mut [T],
    v: &'a mut [T],
}

impl Job<'_> {
    /// `None` if a hidden key weighs more than nothing.
    fn slopes<T: Rows>(&self, operands: &[Tensor; 4]) -> Result<Option<[Tensor; 3]>> {
        let Roles { q, k, d, e } = self.roles;
        let like = [0, 1, 2].map(|number| Some(&operands[number]));
        let shapes = [
            self.shape(like[0], (q, self.queries), (d, self.depth)),
            self.shape(like[1], (k, self.keys), (d, self.depth)),
            self.shape(like[2], (k, self.keys), (e, self.width)),
        ];
        let [mut dq, mut dk, mut dv] = [
            Aligned::<T>::zeros(checked_count(&shapes[0])?),
            Aligned::<T>::zeros(checked_count(&shapes[1])?),
            Aligned::<T>::zeros(checked_count(&shapes[2])?),
        ];
        let hidden = HiddenWeighs::default();
        let tasks = self.outer.count();
        if !dq.is_empty() && !dk.is_empty() && !dv.is_empty() && tasks > 0 {
            let values = layout::values::<T, 4>(operands)?;
            let [q, k, v] = [dq.len() / tasks, dk.len() / tasks, dv.len() / tasks];
            let parts = dq.par_chunks_mut(q).zip(dk.par_chunks_mut(k)).zip(dv.par_chunks_mut(v)).enumerate();
            parts.try_for_each(|(outer, ((q, k), v))| {
                self.slopes_at(&values, operands, outer, Parts { q, k, v }, &hidden)
            })?;
        }
        if hidden.noted() {
            return Ok(None);
        }
        let made = [Tensor::dense(&shapes[0], dq)?, Tensor::dense(&shapes[1], dk)?, Tensor::dense(&shapes[2], dv)?];
        let [dq, dk, dv] = made.map(|found| self.origins(found, operands));
        Ok(Some([dq?, dk?, dv?]))
    }

    /// All rows and inner positions of one outer position, one after the other.
    fn slopes_at<T: Rows>(
        &self,
        [q, k, v, dz]: &[&[T]; 4],
        operands: &[Tensor; 4],
        outer: usize,
        out: Parts<T>,
        hidden: &HiddenWeighs,
    ) -> Result<()> {
        let start = self.outer.at(outer);
        let columns =
            [(0, self.depth), (1, self.depth), (2, self.width)].map(|(n, len)| self.columns(&operands[n], len));
        let step = [out.q.len() / self.queries, out.k.len() / self.keys, out.v.len() / self.keys];
        let rows = self.block_rows();
        let mut weights = Aligned::<T>::scratch(rows.min(self.queries) * self.keys);
        let mut slopes = Aligned::<T>::scratch(weights.len());
        for inner in 0..self.inner.count() {
            let at = layout::sum(start, self.inner.at(inner));
            let [to_q, to_k, to_v] = [0, 1, 2].map(|n| columns[n].at(inner)[0] as usize);
            let (keys, values) = (self.matrix(k, 1, at[1]), self.matrix(v, 2, at[2]));
            for first in (0..self.queries).step_by(rows) {
                let block = self.block(first, rows.min(self.queries - first), at[3]);
                let (count, width) = (block.count, block.width);
                let queries = self.matrix(q, 0, at[0] + first * self.rows[0]);
                let adjoint = self.matrix(dz, 3, at[4] + first * self.rows[3]);
                let turned = |matrix| Matrix { turned: true, ..matrix };
                let one = T::from_f64(1.0);
                let inverse = self.weights(block, (queries, turned(keys)), &mut weights, hidden)?;
                let size = [count, width, self.width];
                blas::product(size, one, (adjoint, turned(values)), false, (&mut slopes, width))?;
                let each = weights.chunks_mut(width).zip(slopes.chunks_mut(width)).zip(inverse);
                for (number, ((p, dp), factor)) in each.enumerate() {
                    T::scale(p, T::from_f64(factor));
                    let row = first + number;
                    let end = if let Seen::First(ends) = &self.seen { ends[block.mask + row] } else { width };
                    T::slope(&p[..end], &mut dp[..end], T::from_f64(self.scale));
                    dp[end..].fill(T::from_f64(0.0));
                    if let Seen::Some(mask) = &self.seen {
                        mask.hide(block.mask, row, dp, T::from_f64(0.0));
                    }
                }
                let matrix = |values| Matrix { values, row: width, turned: false };
                let (p, ds) = (matrix(&weights[..]), matrix(&slopes[..]));
                let into_q = &mut out.q[first * step[0] + to_q..];
                blas::product([count, self.depth, width], one, (ds, keys), true, (into_q, step[0]))?;
                let into_k = &mut out.k[to_k..];
                blas::product([width, self.depth, count], one, (turned(ds), queries), true, (into_k, step[1]))?;
                let into_v = &mut out.v[to_v..];
                blas::product([width, self.width, count], one, (turned(p), adjoint), true, (into_v, step[2]))?;
            }
        }
        Ok(())
    }
}
