//! `scatter_add`, the adjoint of `gather` and `select`.
//!
//! Each place of the result is computed by one task, which adds what belongs there in logical order, in f64 for
//! floats. So the bits depend neither on the number of threads nor on how the work is cut.

use super::super::copy::Source;
use super::super::error::{Error, Result, code};
use super::super::tensor::{Aligned, Dim, Element, Origin, Tensor, checked_count};
use super::super::value::Value;
use super::super::walk::Walk;
use super::{as_tensor, check_indices, check_shared, expand, internal};
use crate::base::axis::Axis;
use crate::base::ops::DType;
use rayon::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};

/// Zeros of length `size` along `axis`, plus `arg` added at `index`. Axes of `index` in `own` are summed into the
/// target; the others line up with those of `arg`.
pub fn scatter_add(arg: &Value, axis: Axis, index: &Value, size: i64, own: &[Axis]) -> Result<Tensor> {
    let len = usize::try_from(size)
        .map_err(|_| Error::new(code::ARGUMENT, format!("axis `{axis}` cannot have length {size}")))?;
    let index = as_tensor(index)?;
    let mut arg = as_tensor(arg)?;
    // A value that is the same for every index stands for its repetition.
    for dim in &index.dims {
        if arg.dim(dim.axis).is_none() {
            arg = expand(&Value::from(arg), dim.axis, dim.len as i64)?;
        }
    }
    check_shared(&arg, &index, &[])?;
    check_indices(&index, axis, len)?;
    let plan = Plan::new(&arg, axis, &index, len, own)?;
    match arg.dtype() {
        DType::F32 => plan.run::<f32>(&arg, &index),
        DType::F64 => plan.run::<f64>(&arg, &index),
        DType::I64 => plan.run::<i64>(&arg, &index),
        DType::Bool => Err(Error::new(code::ARGUMENT, "truth values cannot be added")),
    }
}

/// Elements that can be added into a place.
trait Addend: Element {
    type Sum: Copy + Send + Sync;
    const ZERO: Self::Sum;
    fn add(sum: &mut Self::Sum, x: Self);
    fn finish(sum: Self::Sum) -> Option<Self>;
}

macro_rules! addend {
    ($type:ty, $sum:ty, $zero:expr, |$total:ident| $finish:expr) => {
        impl Addend for $type {
            type Sum = $sum;
            const ZERO: $sum = $zero;
            fn add(sum: &mut $sum, x: $type) {
                *sum += x as $sum;
            }
            fn finish($total: $sum) -> Option<$type> {
                $finish
            }
        }
    };
}
addend!(f32, f64, 0.0, |total| Some(total as f32));
addend!(f64, f64, 0.0, |total| Some(total));
addend!(i64, i128, 0, |total| i64::try_from(total).ok());

/// The result is slabs over `outer`, each of `len` rows over `row`; a slab gets the rows of `arg` over `summed`.
struct Plan {
    axis: Axis,
    len: usize,
    outer: Vec<Dim>,
    summed: Vec<Dim>,
    row: Vec<Dim>,
}

impl Plan {
    fn new(arg: &Tensor, axis: Axis, index: &Tensor, len: usize, own: &[Axis]) -> Result<Plan> {
        if arg.dims.iter().any(|dim| dim.axis == axis && !own.contains(&axis)) {
            return Err(internal(format!("scatter_add into `{axis}`, which the argument has")));
        }
        let mut plan = Plan { axis, len, outer: Vec::new(), summed: Vec::new(), row: Vec::new() };
        for dim in &arg.dims {
            let indexed = index.dim(dim.axis).is_some();
            match (own.contains(&dim.axis), indexed) {
                (true, true) => plan.summed.push(*dim),
                (false, true) => plan.outer.push(*dim),
                // Axes that lie outside the indexed ones stay outside.
                (_, false) if plan.summed.is_empty() => plan.outer.push(*dim),
                (_, false) => plan.row.push(*dim),
            }
        }
        // With nothing to sum, what lies behind the last axis that the index has can still be copied as rows.
        if plan.summed.is_empty() {
            let shared = plan.outer.iter().rposition(|dim| index.dim(dim.axis).is_some()).map_or(0, |last| last + 1);
            plan.row = plan.outer.split_off(shared);
        }
        Ok(plan)
    }

    fn run<T: Addend>(&self, arg: &Tensor, index: &Tensor) -> Result<Tensor> {
        let along = Dim { axis: self.axis, len: self.len, stride: 0, origin: Origin(0) };
        let dims: Vec<Dim> = self.outer.iter().copied().chain([along]).chain(self.row.iter().copied()).collect();
        let shape: Vec<(Axis, usize)> = dims.iter().map(|dim| (dim.axis, dim.len)).collect();
        let mut out = Aligned::<T>::scratch(checked_count(&shape)?);
        let unit: usize = self.row.iter().map(|dim| dim.len).product();
        if !out.is_empty() {
            let stride = |dim: &Dim| index.dim(dim.axis).map_or(0, |found| found.stride);
            let task = Task {
                values: arg.store::<T>()?,
                offset: arg.offset as isize,
                indices: index.store::<i64>()?,
                first_index: index.offset as isize,
                outer: Walk::new(self.outer.iter().map(|dim| (dim.len, [dim.stride, stride(dim)]))),
                summed: Walk::new(self.summed.iter().map(|dim| (dim.len, [dim.stride, stride(dim)]))),
                row: Source::new(arg.store::<T>()?, arg.offset, &self.row),
                unit,
                dense: Walk::new(self.row.iter().map(|dim| (dim.len, [dim.stride]))).dims().iter().all(|d| d.1 == [1]),
                overflow: AtomicBool::new(false),
            };
            task.fill(&mut out, self.len);
            if task.overflow.load(Ordering::Relaxed) {
                return Err(Error::new(code::ARITHMETIC, "a sum of integers does not fit into 64 bits"));
            }
        }
        Tensor::dense_over(&dims, out)
    }
}

struct Task<'a, T> {
    values: &'a [T],
    offset: isize,
    indices: &'a [i64],
    first_index: isize,
    /// Strides in the argument and in the indices.
    outer: Walk<2>,
    summed: Walk<2>,
    row: Source<'a, T>,
    unit: usize,
    /// Do the elements of a row lie side by side?
    dense: bool,
    overflow: AtomicBool,
}

impl<T: Addend> Task<'_, T> {
    fn fill(&self, out: &mut [T], len: usize) {
        let slab = len * self.unit;
        let slabs = out.len() / slab;
        // If no outer axis has indices of its own, all slabs have the same list.
        let shared = self.outer.dims().iter().all(|dim| dim.1[1] == 0);
        let common = if shared { self.sorted(0) } else { Vec::new() };
        let work = slab + self.summed.count() * self.unit;
        let least = ((1 << 14) / work).max(1);
        // Few large slabs are cut into ranges of targets, many small ones are not.
        let rows = if slabs >= 64 { len } else { ((1 << 14) / self.unit).clamp(1, len) };
        out.par_chunks_mut(slab).with_min_len(least).enumerate().for_each(|(number, slab)| {
            let [base, first] = self.outer.at(number);
            let own = if shared { Vec::new() } else { self.sorted(first) };
            let list = if shared { &common } else { &own };
            let least = ((1 << 14) / (rows * self.unit)).max(1);
            slab.par_chunks_mut(rows * self.unit)
                .with_min_len(least)
                .enumerate()
                .for_each(|(range, target)| self.targets(list, base, range * rows, target));
        });
    }

    /// For each row of the argument its target and its place, by target, then in logical order.
    fn sorted(&self, first: isize) -> Vec<(i64, u32, isize)> {
        let mut list = Vec::with_capacity(self.summed.count());
        let (_, [step, step_index]) = self.summed.inner();
        self.summed.runs(0, self.summed.count(), |[offset, index], n| {
            for j in 0..n as isize {
                let target = self.indices[(self.first_index + first + index + j * step_index) as usize];
                list.push((target, list.len() as u32, offset + j * step));
            }
        });
        if !list.is_sorted_by_key(|entry| entry.0) {
            list.par_sort_unstable_by_key(|entry| (entry.0, entry.1));
        }
        list
    }

    /// The rows of targets `from..`, as many as fit `out`.
    fn targets(&self, list: &[(i64, u32, isize)], base: isize, from: usize, out: &mut [T]) {
        let end = (from + out.len() / self.unit) as i64;
        let mut next = list.partition_point(|entry| entry.0 < from as i64);
        let mut sums = vec![T::ZERO; self.unit];
        let mut scratch = vec![T::zeroed(); if self.dense { 0 } else { self.unit }];
        out.fill(T::zeroed());
        while let Some(&(target, _, offset)) = list.get(next).filter(|entry| entry.0 < end) {
            let count = list[next..].iter().take_while(|entry| entry.0 == target).count();
            let place = (target as usize - from) * self.unit;
            let place = &mut out[place..place + self.unit];
            if count == 1 {
                self.row.write_from(base + offset, 0, place);
            } else {
                self.sum_rows(&list[next..next + count], base, &mut sums, &mut scratch);
                self.store_sums(&sums, place);
            }
            next += count;
        }
    }

    fn sum_rows(&self, list: &[(i64, u32, isize)], base: isize, sums: &mut [T::Sum], scratch: &mut [T]) {
        sums.fill(T::ZERO);
        for (_, _, offset) in list {
            let row = self.row_at(base + offset, scratch);
            sums.iter_mut().zip(row).for_each(|(sum, &x)| T::add(sum, x));
        }
    }

    fn store_sums(&self, sums: &[T::Sum], place: &mut [T]) {
        for (x, &sum) in place.iter_mut().zip(sums) {
            *x = T::finish(sum).unwrap_or_else(|| {
                self.overflow.store(true, Ordering::Relaxed);
                T::zeroed()
            });
        }
    }

    fn row_at<'b>(&'b self, shift: isize, scratch: &'b mut [T]) -> &'b [T] {
        if self.dense {
            let first = (self.offset + shift) as usize;
            return &self.values[first..first + self.unit];
        }
        self.row.write_from(shift, 0, scratch);
        scratch
    }
}
