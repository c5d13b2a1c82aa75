//! Order along one axis: the largest few, sorting, running sums.
//!
//! Everything works on rows: the tensor is brought into an order with the axis innermost (a view, where it lies so),
//! and rows are independent, so that nothing depends on threads. Equal values keep the order of their indices;
//! -0 and 0 are equal. `sort` and `argsort` place NaN last; the largest few of a row with NaN mean nothing, so there
//! NaN is an error.

use rayon::prelude::*;

use super::error::{Error, Result, code};
use super::tensor::{Aligned, Buffer, Dim, Element, Tensor, dense_dims};
use crate::base::axis::Axis;

mod largest;
use largest::{Largest, Rank};

/// The axis innermost, elements dense.
fn rows_of(t: &Tensor, axis: Axis) -> Result<Tensor> {
    t.len(axis)?;
    let mut order: Vec<Axis> = t.dims.iter().map(|dim| dim.axis).filter(|&it| it != axis).collect();
    order.push(axis);
    if t.elements() == 0 {
        // Nothing to bring into order.
        let axes: Vec<(Axis, usize)> = order.iter().filter_map(|&it| Some((it, t.dim(it)?.len))).collect();
        return Tensor::zeros(t.dtype(), &axes);
    }
    t.in_order(&order)
}

fn wrong_type(name: &str) -> Error {
    Error::new(code::INTERNAL, format!("`{name}` does not work on elements of this type"))
}

fn not_a_number(name: &str, axis: Axis) -> Error {
    Error::new(code::NOT_FINITE, format!("`{name}` along axis `{axis}` met a NaN, which has no place in an order"))
}

/// Elements that one task reads, about.
const ROWS: usize = 1 << 14;

/// Rows of `width` elements in, rows of `out` elements out, in parallel. The first fault by row counts.
fn each_row<T: Element, U: Element, S: Default>(
    rows: &Tensor,
    width: usize,
    out: usize,
    work: impl Fn(&[T], &mut [U], &mut S) -> Result<()> + Sync,
) -> Result<Aligned<U>> {
    if rows.elements() == 0 {
        return Ok(Aligned::zeros(0));
    }
    let source = rows.as_dense::<T>().ok_or_else(|| wrong_type("a row operation"))?;
    let count = source.len().checked_div(width).unwrap_or(0);
    let mut values = Aligned::<U>::zeros(checked_product(count, out)?);
    if count == 0 || out == 0 {
        return Ok(values);
    }
    // Some thousands of elements at a time, with one scratch.
    let step = ROWS.div_ceil(width);
    let parts = values.par_chunks_mut(step * out).zip(source.par_chunks(step * width));
    let outcomes: Vec<Result<()>> = parts
        .map(|(to, from)| {
            let mut scratch = S::default();
            let mut rows = to.chunks_mut(out).zip(from.chunks(width));
            rows.try_for_each(|(to, from)| work(from, to, &mut scratch))
        })
        .collect();
    outcomes.into_iter().collect::<Result<()>>()?;
    Ok(values)
}

fn checked_product(a: usize, b: usize) -> Result<usize> {
    let too_large = || Error::new(code::MEMORY, format!("{a} rows of {b} elements are too many"));
    a.checked_mul(b).filter(|&count| count < isize::MAX as usize / 64).ok_or_else(too_large)
}

/// The dims of `rows` with the innermost axis replaced.
fn with_last(rows: &Tensor, axis: Axis, len: usize) -> Vec<Dim> {
    let mut axes = rows.shape();
    axes.pop();
    axes.push((axis, len));
    let mut dims = dense_dims(&axes);
    for (dim, old) in dims.iter_mut().zip(&rows.dims) {
        if dim.axis == old.axis {
            dim.origin = old.origin;
        }
    }
    dims
}

fn wrapped<T: Element>(dims: Vec<Dim>, values: Aligned<T>) -> Tensor {
    Tensor { dims, offset: 0, buffer: T::wrap(values) }
}

fn count_argument(name: &str, n: i64) -> Result<usize> {
    usize::try_from(n).map_err(|_| Error::new(code::ARGUMENT, format!("`{name}` cannot keep {n} elements")))
}

/// How many of an axis: from zero to all.
pub fn check_count(name: &str, wanted: i64, axis: Axis, length: usize) -> Result<()> {
    if usize::try_from(wanted).is_ok_and(|wanted| wanted <= length) {
        return Ok(());
    }
    let message = format!("`{name}` cannot take {wanted} of axis `{axis}`, which has {length}");
    Err(Error::new(code::ARGUMENT, message))
}

/// The `k` largest along the axis stay, the others become 0. Of equal ones those with the lowest index stay.
pub fn keep_top(t: &Tensor, axis: Axis, k: i64) -> Result<Tensor> {
    fn of<T: Rank>(rows: &Tensor, axis: Axis, k: usize) -> Result<Tensor> {
        let width = rows.len(axis)?;
        let values = each_row(rows, width, width, |from: &[T], to: &mut [T], scratch: &mut Largest<T>| {
            if k >= from.len() {
                if from.iter().any(|x| x.is_nan()) {
                    return Err(not_a_number("keep_top", axis));
                }
                to.copy_from_slice(from);
                return Ok(());
            }
            let found = scratch.find(from, k).ok_or_else(|| not_a_number("keep_top", axis))?;
            found.iter().for_each(|&at| to[at as usize] = from[at as usize]);
            Ok(())
        })?;
        Ok(wrapped(with_last(rows, axis, width), values))
    }
    let k = count_argument("keep_top", k)?;
    let rows = rows_of(t, axis)?;
    match rows.buffer {
        Buffer::F32(_) => of::<f32>(&rows, axis, k),
        Buffer::F64(_) => of::<f64>(&rows, axis, k),
        Buffer::I64(_) => of::<i64>(&rows, axis, k),
        Buffer::Bool(_) => Err(wrong_type("keep_top")),
    }
}

/// The indices of the `n` largest along the axis, largest first, over a new axis in its place.
pub fn top(t: &Tensor, axis: Axis, to: Axis, n: i64) -> Result<Tensor> {
    fn of<T: Rank>(rows: &Tensor, axis: Axis, to_axis: Axis, n: usize) -> Result<Tensor> {
        let width = rows.len(axis)?;
        let values = each_row(rows, width, n, |from: &[T], to: &mut [i64], scratch: &mut Largest<T>| {
            let found = scratch.find(from, n).ok_or_else(|| not_a_number("top", axis))?;
            found.sort_unstable_by(|&a, &b| T::falling(from[a as usize], from[b as usize]).then(a.cmp(&b)));
            to.iter_mut().zip(found.iter()).for_each(|(to, &at)| *to = at as i64);
            Ok(())
        })?;
        Ok(wrapped(with_last(rows, to_axis, n), values))
    }
    let n = count_argument("top", n)?;
    let rows = rows_of(t, axis)?;
    let width = rows.len(axis)?;
    if n > width {
        let message = format!("`top` cannot take {n} elements from axis `{axis}` of length {width}");
        return Err(Error::new(code::ARGUMENT, message));
    }
    match rows.buffer {
        Buffer::F32(_) => of::<f32>(&rows, axis, to, n),
        Buffer::F64(_) => of::<f64>(&rows, axis, to, n),
        Buffer::I64(_) => of::<i64>(&rows, axis, to, n),
        Buffer::Bool(_) => Err(wrong_type("top")),
    }
}

/// Rising along the axis, NaN last; equal elements keep their order (visible in the sign of zeros only).
pub fn sort(t: &Tensor, axis: Axis) -> Result<Tensor> {
    fn of<T: Element + Ordered>(rows: &Tensor, axis: Axis) -> Result<Tensor> {
        let width = rows.len(axis)?;
        let values = each_row::<T, T, ()>(rows, width, width, |from, to, _| {
            to.copy_from_slice(from);
            to.sort_by(|a, b| a.rising(b));
            Ok(())
        })?;
        Ok(wrapped(with_last(rows, axis, width), values))
    }
    let rows = rows_of(t, axis)?;
    match rows.buffer {
        Buffer::F32(_) => of::<f32>(&rows, axis),
        Buffer::F64(_) => of::<f64>(&rows, axis),
        Buffer::I64(_) => of::<i64>(&rows, axis),
        Buffer::Bool(_) => of::<u8>(&rows, axis),
    }
}

/// The indices that sort the axis, over a new axis in its place.
pub fn argsort(t: &Tensor, axis: Axis, to: Axis) -> Result<Tensor> {
    fn of<T: Element + Ordered>(rows: &Tensor, axis: Axis, to_axis: Axis) -> Result<Tensor> {
        let width = rows.len(axis)?;
        let values = each_row::<T, i64, ()>(rows, width, width, |from, to, _| {
            to.iter_mut().enumerate().for_each(|(i, to)| *to = i as i64);
            to.sort_by(|&a, &b| from[a as usize].rising(&from[b as usize]));
            Ok(())
        })?;
        Ok(wrapped(with_last(rows, to_axis, width), values))
    }
    let rows = rows_of(t, axis)?;
    match rows.buffer {
        Buffer::F32(_) => of::<f32>(&rows, axis, to),
        Buffer::F64(_) => of::<f64>(&rows, axis, to),
        Buffer::I64(_) => of::<i64>(&rows, axis, to),
        Buffer::Bool(_) => of::<u8>(&rows, axis, to),
    }
}

/// Running sums along the axis, each with the elements up to and with its own; floats are summed in f64.
pub fn cumsum(t: &Tensor, axis: Axis) -> Result<Tensor> {
    let rows = rows_of(t, axis)?;
    let width = rows.len(axis)?;
    let dims = with_last(&rows, axis, width);
    match rows.buffer {
        Buffer::F32(_) => {
            let values = each_row::<f32, f32, ()>(&rows, width, width, |from, to, _| {
                let mut sum = 0f64;
                to.iter_mut().zip(from).for_each(|(to, &x)| {
                    sum += x as f64;
                    *to = sum as f32;
                });
                Ok(())
            })?;
            Ok(wrapped(dims, values))
        }
        Buffer::F64(_) => {
            let values = each_row::<f64, f64, ()>(&rows, width, width, |from, to, _| {
                let mut sum = 0f64;
                to.iter_mut().zip(from).for_each(|(to, &x)| {
                    sum += x;
                    *to = sum;
                });
                Ok(())
            })?;
            Ok(wrapped(dims, values))
        }
        Buffer::I64(_) => {
            let overflow =
                || Error::new(code::ARITHMETIC, format!("a running sum along `{axis}` does not fit in 64 bits"));
            let values = each_row::<i64, i64, ()>(&rows, width, width, |from, to, _| {
                let mut sum = 0i64;
                to.iter_mut().zip(from).try_for_each(|(to, &x)| {
                    sum = sum.checked_add(x).ok_or_else(overflow)?;
                    *to = sum;
                    Ok(())
                })
            })?;
            Ok(wrapped(dims, values))
        }
        Buffer::Bool(_) => Err(wrong_type("cumsum")),
    }
}

/// A total order: rising, NaN last and all NaN equal.
trait Ordered {
    fn rising(&self, other: &Self) -> std::cmp::Ordering;
}

impl<T: PartialOrd> Ordered for T {
    fn rising(&self, other: &T) -> std::cmp::Ordering {
        // Only NaN compares with nothing, not even itself.
        let odd = |x: &T| x.partial_cmp(x).is_none();
        self.partial_cmp(other).unwrap_or_else(|| odd(self).cmp(&odd(other)))
    }
}

#[cfg(test)]
mod tests;
