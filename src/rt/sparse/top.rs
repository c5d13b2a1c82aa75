//! The product, an elementwise finish and the selection of the largest few, in tiles: what is not selected is never
//! stored beyond a tile.
//!
//! Bands of rows are independent. A band goes through the columns in the blocks of the dense product, so that its bits
//! are those of the dense product; each row keeps candidates and a bound that most elements do not reach (`chosen`).

use rayon::prelude::*;
use std::sync::Arc;

use super::chosen::{self, Chosen};
use super::decode::is_float;
use super::matrix::{Matrix, axes_of, count, dims_of, merged, others, with_columns};
use super::number::{MOST_INDICES, Number};
use super::{Pattern, Sparse, rows_of};
use crate::base::axis::Axis;
use crate::base::kernel::Kernel;
use crate::base::ops::DType;
use crate::rt::blas::{self, Products, Tile, leading};
use crate::rt::elementwise::TileFn;
use crate::rt::error::{Error, Result, code};
use crate::rt::tensor::{Aligned, Dim, Tensor};
use crate::rt::value::Value;

#[path = "finish.rs"]
mod finish;
use finish::Finishing;

/// What is done to each element of the product before selection. Input 0 of the kernel is the product, the rest are
/// `others`: scalars, or tensors whose axes are among the product's. One output, of the product's type.
pub struct Finish<'a> {
    pub kernel: &'a Kernel,
    pub code: Option<TileFn>,
    pub others: Vec<Value>,
}

/// Can `top_product` compute this?
pub fn covers(a: &Tensor, b: &Tensor, axes: &[Axis], finish: Option<&Finish>, along: Axis) -> bool {
    let (left, right) = if b.dim(along).is_some() { (a, b) } else { (b, a) };
    let summed = |t: &Tensor| axes.iter().all(|&axis| t.dim(axis).is_some());
    let product = |axis: Axis| axis == along || left.dim(axis).is_some() && !axes.contains(&axis);
    let known = |other: &Value| match other {
        Value::Tensor(t) => t.dims.iter().all(|dim| product(dim.axis)),
        other => matches!(other, Value::Int(_) | Value::F32(_) | Value::F64(_) | Value::Bool(_)),
    };
    let fits = |finish: &Finish| {
        let kernel = finish.kernel;
        kernel.inputs.len() == finish.others.len() + 1
            && kernel.inputs.first() == Some(&left.dtype())
            && kernel.outputs.iter().map(|&it| kernel.dtype(it)).collect::<Vec<DType>>() == [left.dtype()]
            && kernel.scalar.first() == Some(&false)
            && finish.others.iter().all(known)
    };
    let free = |t: &Tensor| t.rank() - axes.len().min(t.rank());
    !axes.contains(&along)
        && left.dim(along).is_none()
        && right.dim(along).is_some_and(|dim| dim.len < MOST_INDICES)
        && summed(left)
        && summed(right)
        && free(right) == 1
        && free(left) > 0
        && a.dtype() == b.dtype()
        && is_float(a.dtype())
        && finish.is_none_or(fits)
}

/// `keep_top` of the finished product of `a` and `b` summed over `axes`, along an axis that one of them has.
pub fn top_product(
    a: &Tensor,
    b: &Tensor,
    axes: &[Axis],
    finish: Option<Finish>,
    along: Axis,
    k: i64,
) -> Result<Sparse> {
    if !covers(a, b, axes, finish.as_ref(), along) {
        return Err(Error::new(code::INTERNAL, "a product with selection that is not covered"));
    }
    let (left, right) = if b.dim(along).is_some() { (a, b) } else { (b, a) };
    for dim in axes.iter().filter_map(|&axis| left.dim(axis)) {
        super::decode::check_length(right, dim)?;
    }
    match a.dtype() {
        DType::F64 => product::<f64>(left, right, finish, along, k),
        _ => product::<f32>(left, right, finish, along, k),
    }
}

/// The `k` largest along an axis of a tensor that exists.
pub fn keep_top(x: &Tensor, along: Axis, k: i64) -> Result<Sparse> {
    match x.dtype() {
        DType::F32 => keep::<f32>(x, along, k),
        DType::F64 => keep::<f64>(x, along, k),
        other => Err(Error::new(code::INTERNAL, format!("no sparse `keep_top` of {other:?} elements"))),
    }
}

fn wanted(k: i64, width: usize) -> Result<usize> {
    let fault = |_| Error::new(code::ARGUMENT, format!("`keep_top` cannot keep {k} elements"));
    Ok(usize::try_from(k).map_err(fault)?.min(width))
}

fn not_a_number(along: Axis) -> Error {
    Error::new(code::NOT_FINITE, format!("`keep_top` along axis `{along}` met a NaN, which has no place in an order"))
}

/// Rows of a result of which a task makes `count`, all at its disposal.
struct Band<'a, T> {
    start: usize,
    count: usize,
    index: &'a mut [u32],
    values: &'a mut [T],
}

/// Runs `work` on bands of rows and puts the result together; the first fault by row counts.
fn in_bands<T: Number>(
    rows: &[Dim],
    along: Dim,
    k: usize,
    cuts: &[(usize, usize)],
    work: impl Fn(Band<T>) -> Result<()> + Sync + Send,
) -> Result<Sparse> {
    let rows = rows_of(rows);
    let entries = count(&rows).checked_mul(k).filter(|&entries| entries < isize::MAX as usize / 64);
    let entries = entries.ok_or_else(|| Error::new(code::MEMORY, format!("{k} entries a row are too many")))?;
    let (mut index, mut values) = (Aligned::<u32>::scratch(entries), Aligned::<T>::scratch(entries));
    let mut bands = Vec::with_capacity(cuts.len());
    let (mut left_index, mut left_values) = (&mut index[..], &mut values[..]);
    for &(start, count) in cuts {
        let (index, rest_index) = left_index.split_at_mut(count * k);
        let (values, rest_values) = left_values.split_at_mut(count * k);
        (left_index, left_values) = (rest_index, rest_values);
        bands.push(Band { start, count, index, values });
    }
    let outcomes: Vec<Result<()>> = bands.into_par_iter().with_max_len(1).map(&work).collect();
    outcomes.into_iter().collect::<Result<()>>()?;
    let starts = (0..=count(&rows)).map(|row| row * k).collect();
    let pattern = Arc::new(Pattern { starts, index });
    Ok(Sparse { rows, along: Dim { stride: 1, ..along }, pattern, values: T::wrap(values) })
}

/// Elements that one task of `keep_top` reads, about.
const TASK: usize = 1 << 17;

fn keep<T: Number>(x: &Tensor, along: Axis, k: i64) -> Result<Sparse> {
    let width = x.len(along)?;
    let k = wanted(k, width)?;
    let rows = others(x, &[along]);
    let x = with_columns(x, &axes_of(&rows), &[along])?;
    let rows = dims_of(&x, &axes_of(&rows))?;
    let dim = dims_of(&x, &[along])?[0];
    if count(&rows) == 0 || width == 0 {
        return in_bands::<T>(&rows, dim, k, &[], |_| Ok(()));
    }
    let matrix = Matrix::<T>::new(&x, &axes_of(&rows), &[along])?;
    let step = TASK.div_ceil(width);
    let cuts: Vec<(usize, usize)> =
        (0..count(&rows)).step_by(step).map(|start| (start, step.min(count(&rows) - start))).collect();
    in_bands::<T>(&rows, dim, k, &cuts, |band| {
        let mut chosen = Chosen::<T>::new(1, width, k);
        let mut copy = Vec::new();
        for number in 0..band.count {
            let row = match matrix.in_place(0) {
                Some((values, stride)) => &values[(band.start + number) * stride..][..width],
                None => {
                    copy.resize(width, T::default());
                    matrix.pack(band.start + number, 1, 0, width, width, &mut copy);
                    &copy[..]
                }
            };
            chosen.offer(0, row, 0).map_err(|_| not_a_number(along))?;
            let (index, values) = (&mut band.index[number * k..][..k], &mut band.values[number * k..][..k]);
            chosen.write(index, values).ok_or_else(too_few)?;
        }
        Ok(())
    })
}

fn too_few() -> Error {
    Error::new(code::INTERNAL, "a selection lost elements")
}

/// Operands of a product as matrices, and how it is cut.
struct Job<'a, T> {
    spec: Products,
    columns: Vec<(usize, usize)>,
    a: &'a [T],
    b: &'a [T],
    finish: Finishing,
    along: Axis,
    k: usize,
}

/// Rows of a band, about: each call to the BLAS packs the right operand anew.
const BAND: usize = 1024;
/// Candidates of a band, at most.
const CANDIDATES: usize = 1 << 20;

fn product<T: Number>(left: &Tensor, right: &Tensor, finish: Option<Finish>, along: Axis, k: i64) -> Result<Sparse> {
    let summed = others(right, &[along]);
    let summed = axes_of(&summed);
    let rows = axes_of(&others(left, &summed));
    let right = readable(right, &summed, &[along])?;
    let left = readable(left, &rows, &summed)?;
    let (row_dims, dim) = (dims_of(&left, &rows)?, dims_of(&right, &[along])?[0]);
    let (m, n) = (count(&row_dims), dim.len);
    let k = wanted(k, n)?;
    let finish = Finishing::new::<T>(finish, &row_dims, dim)?;
    if m == 0 || n == 0 {
        return in_bands::<T>(&row_dims, dim, k, &[], |_| Ok(()));
    }
    let spec = spec(&left, &rows, &right, &summed, along)?;
    let a = left.store::<T>()?.get(left.offset..).unwrap_or(&[]);
    let b = right.store::<T>()?.get(right.offset..).unwrap_or(&[]);
    let columns = spec.tiling().columns;
    let rows = (CANDIDATES / chosen::room(n, k).max(1)).clamp(1, BAND);
    let cuts = spec.bands(m.div_ceil(rows).next_multiple_of(2));
    let job = Job { spec, columns, a, b, finish, along, k };
    in_bands::<T>(&row_dims, dim, k, &cuts, |band| job.band(band))
}

/// The tensor itself if it is a matrix that the BLAS can read; else a copy.
fn readable(t: &Tensor, rows: &[Axis], columns: &[Axis]) -> Result<Tensor> {
    let (down, across) = (merged(&dims_of(t, rows)?), merged(&dims_of(t, columns)?));
    if let (Some((m, row)), Some((n, column))) = (down, across)
        && row > 0
        && column > 0
        && leading([row as usize, column as usize], m, n).is_some()
    {
        return Ok(t.clone());
    }
    let order: Vec<Axis> = rows.iter().chain(columns).copied().collect();
    t.in_order(&order)
}

fn spec(left: &Tensor, rows: &[Axis], right: &Tensor, summed: &[Axis], along: Axis) -> Result<Products> {
    let fault = || Error::new(code::INTERNAL, "a product with selection without matrices");
    let read = |t: &Tensor, axes: &[Axis]| merged(&dims_of(t, axes)?).ok_or_else(fault);
    let ((m, row), (k, inner)) = (read(left, rows)?, read(left, summed)?);
    let ((_, down), (n, column)) = (read(right, summed)?, read(right, &[along])?);
    let (a, b) = ([row as usize, inner as usize], [down as usize, column as usize]);
    Ok(Products { loops: Vec::new(), m, n, k, a, b, c: n })
}

impl<T: Number> Job<'_, T> {
    /// All columns of some rows, block by block.
    fn band(&self, band: Band<T>) -> Result<()> {
        let widest = self.columns.iter().map(|cut| cut.1).max().unwrap_or(0);
        let mut scratch = Aligned::<T>::scratch(band.count * widest);
        let mut chosen = Chosen::<T>::new(band.count, self.spec.n, self.k);
        for &(column, n) in &self.columns {
            let tile = Tile { product: 0, row: band.start, column, m: band.count, n };
            let out = &mut scratch[..band.count * n];
            blas::rectangle(&self.spec, tile, self.a, self.b, out)?;
            self.finish.apply(tile, out)?;
            for (row, piece) in out.chunks_exact_mut(n).enumerate() {
                self.finish.apply_row(column, piece);
                chosen.offer(row, piece, column).map_err(|_| not_a_number(self.along))?;
            }
        }
        chosen.write(band.index, band.values).ok_or_else(too_few)
    }
}
