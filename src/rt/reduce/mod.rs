//! Reductions along axes: sums, extremes, counts, and the place of an extreme.
//!
//! Every float sum runs in f64 over fixed tiles and a fixed tree, whatever the number of threads. What one element
//! does to a total is in `fold`, the order of the work in `engine`.

mod engine;
mod fold;
#[cfg(test)]
mod tests;

pub use engine::{Engine, Source, TILE};
pub use fold::{FloatSum, Fold, FromF64, ToF64};

use super::copy::read_run;
use super::error::{Error, Result, code};
use super::tensor::{Aligned, Dim, Element, Tensor, checked_count};
use super::value::Value;
use super::walk::Walk;
use crate::base::axis::Axis;
use crate::base::ops::{DType, ReduceKind};
use fold::{Extreme, IntSum, Ordered, Place, Truth};

/// The elements of `t` reduced along `axes`, which it has. A scalar if no axis is left.
pub fn reduce(kind: ReduceKind, t: &Tensor, axes: &[Axis]) -> Result<Value> {
    let job = Job::new(kind, t, axes)?;
    use ReduceKind::*;
    match (kind, t.dtype()) {
        (Sum, DType::F32) => job.run::<f32, FloatSum<f32, f32>>(),
        (Sum | SumF64, DType::F64) => job.run::<f64, FloatSum<f64, f64>>(),
        (Sum, DType::I64) => job.run::<i64, IntSum>(),
        (SumF64, DType::F32) => job.run::<f32, FloatSum<f32, f64>>(),
        (SumF64, DType::I64) => job.run::<i64, FloatSum<i64, f64>>(),
        (SumF64, DType::Bool) => job.run::<u8, FloatSum<u8, f64>>(),
        (Count, DType::Bool) => job.run::<u8, fold::Count>(),
        (Any, DType::Bool) => job.run::<u8, Truth<false>>(),
        (All, DType::Bool) => job.run::<u8, Truth<true>>(),
        (Max | Min | ArgMax | ArgMin, DType::F32) => job.extreme::<f32>(),
        (Max | Min | ArgMax | ArgMin, DType::F64) => job.extreme::<f64>(),
        (Max | Min | ArgMax | ArgMin, DType::I64) => job.extreme::<i64>(),
        (Max | Min | ArgMax | ArgMin, DType::Bool) => job.extreme::<u8>(),
        (_, dtype) => Err(Error::new(code::ARGUMENT, format!("`{}` does not apply to {dtype:?}", kind.name()))),
    }
}

/// The float sums of the tiles of a dense tensor, from which `total_of` makes what `reduce` over all axes gives: a tensor
/// that exists in parts of whole tiles can be totalled part by part.
pub fn tile_sums(t: &Tensor) -> Result<Vec<f64>> {
    fn sums<T: ToF64>(values: &[T]) -> Vec<f64> {
        values.chunks(TILE).map(|tile| engine::fold_tile::<FloatSum<T, f64>>(tile, 0)).collect()
    }
    let sums = t.as_dense::<f32>().map(sums).or_else(|| t.as_dense::<f64>().map(sums));
    sums.ok_or_else(|| Error::new(code::INTERNAL, "the part of a total is no dense tensor of floats"))
}

/// The sum over all tiles, in the fixed tree.
pub fn total_of(tiles: &[f64]) -> f64 {
    engine::pairwise::<FloatSum<f64, f64>>(tiles)
}

/// One array as a source of items.
struct Plain<'a, T> {
    values: &'a [T],
    offset: isize,
}

impl<T: Element + Default> Source<1> for Plain<'_, T> {
    type Item = T;
    #[inline]
    fn read(&self, [offset]: [isize; 1], [step]: [isize; 1], out: &mut [T]) {
        read_run(self.values, (self.offset + offset) as usize, step, out);
    }
    #[inline]
    fn direct(&self, [offset]: [isize; 1], [step]: [isize; 1], n: usize) -> Option<&[T]> {
        let first = (self.offset + offset) as usize;
        if step == 1 || n == 1 { self.values.get(first..first + n) } else { None }
    }
}

struct Job<'a> {
    kind: ReduceKind,
    t: &'a Tensor,
    /// Outermost first.
    kept: Vec<Dim>,
    /// Kept axes along which the argument repeats: so does the result.
    repeated: Vec<Dim>,
    reduced: Vec<Dim>,
}

impl Job<'_> {
    fn new<'a>(kind: ReduceKind, t: &'a Tensor, axes: &[Axis]) -> Result<Job<'a>> {
        for &axis in axes {
            t.len(axis)?;
        }
        let (mut reduced, mut kept): (Vec<Dim>, Vec<Dim>) = t.dims.iter().partition(|dim| axes.contains(&dim.axis));
        by_stride(&mut reduced);
        by_stride(&mut kept);
        let (repeated, kept) = kept.into_iter().partition(|dim| dim.stride == 0 && dim.len > 1);
        use ReduceKind::*;
        if matches!(kind, ArgMax | ArgMin) && axes.len() != 1 {
            return Err(Error::new(code::INTERNAL, format!("`{}` goes along one axis", kind.name())));
        }
        if matches!(kind, Max | Min | ArgMax | ArgMin)
            && let Some(empty) = reduced.iter().find(|dim| dim.len == 0)
        {
            let message = format!("`{}[{}]` of nothing: the axis has length 0", kind.name(), empty.axis);
            return Err(Error::new(code::ARGUMENT, message));
        }
        Ok(Job { kind, t, kept, repeated, reduced })
    }

    fn extreme<T: Ordered + ToF64>(&self) -> Result<Value> {
        match self.kind {
            ReduceKind::Max => self.run::<T, Extreme<T, false>>(),
            ReduceKind::Min => self.run::<T, Extreme<T, true>>(),
            ReduceKind::ArgMax => self.run::<T, Place<T, false>>(),
            _ => self.run::<T, Place<T, true>>(),
        }
    }

    fn run<T: Element + Default, F: Fold<Item = T>>(&self) -> Result<Value> {
        let source = Plain { values: self.t.store::<T>()?, offset: self.t.offset as isize };
        let walk = |dims: &[Dim]| Walk::new(dims.iter().map(|dim| (dim.len, [dim.stride])));
        let engine = Engine::new(&source, walk(&self.kept), walk(&self.reduced));
        let shape: Vec<(Axis, usize)> = self.kept.iter().map(|dim| (dim.axis, dim.len)).collect();
        let mut out = Aligned::<F::Out>::scratch(checked_count(&shape)?);
        if !out.is_empty() && !engine.run::<F>(&mut out) {
            return Err(self.no_result());
        }
        let mut result = Tensor::dense_over(&self.kept, out)?;
        result.dims.splice(0..0, self.repeated.iter().copied());
        match Value::from(result) {
            Value::None => Err(Error::new(code::INTERNAL, "a reduction without a result")),
            value => Ok(value),
        }
    }

    fn no_result(&self) -> Error {
        let axes: Vec<String> = self.reduced.iter().map(|dim| dim.axis.to_string()).collect();
        let call = format!("`{}[{}]`", self.kind.name(), axes.join(", "));
        match self.kind {
            ReduceKind::Sum => Error::new(code::ARITHMETIC, format!("{call} does not fit into a 64-bit integer")),
            _ => Error::new(code::NOT_FINITE, format!("{call} met NaN, which has no place in an order")),
        }
    }
}

/// Outermost in memory first; dims of equal stride keep their order.
pub fn by_stride(dims: &mut [Dim]) {
    dims.sort_by_key(|dim| std::cmp::Reverse(dim.stride.unsigned_abs()));
}
