//! Reductions of sparse tensors, what is not kept counting as the 0 it is.
//!
//! Each cell of the result takes its rows in their order and the entries of a row in theirs, in f64, and belongs to
//! one task alone; so threads change nothing. The size of the dense form plays no part in time or memory.

use super::{Sparse, offset_of};
use crate::base::axis::Axis;
use crate::base::ops::{DType, ReduceKind};
use crate::rt::error::{Error, Result, code};
use crate::rt::tensor::{Aligned, Dim, Element, Tensor, checked_count, dense_dims};
use crate::rt::value::Value;
use rayon::prelude::*;

/// Columns that one task adds up.
const COLUMNS: usize = 4096;
/// Cells of a result without columns that one task makes.
const CELLS: usize = 256;

/// Which cell of the result each row goes to.
pub(super) struct Cells {
    /// The rows of cell `c` are `list[start[c]..start[c + 1]]`, in order.
    list: Vec<usize>,
    start: Vec<usize>,
}

impl Cells {
    /// `cell_of` gives the cell of a row, among `count`, or none.
    pub(super) fn new(rows: usize, count: usize, cell_of: impl Fn(usize) -> Option<usize>) -> Cells {
        let mut start = vec![0; count + 1];
        for cell in (0..rows).filter_map(&cell_of) {
            start[cell + 1] += 1;
        }
        for cell in 0..count {
            start[cell + 1] += start[cell];
        }
        let (mut next, mut list) = (start.clone(), vec![0; start[count]]);
        for row in 0..rows {
            if let Some(cell) = cell_of(row) {
                list[next[cell]] = row;
                next[cell] += 1;
            }
        }
        Cells { list, start }
    }

    pub(super) fn rows(&self, cell: usize) -> &[usize] {
        &self.list[self.start[cell]..self.start[cell + 1]]
    }
}

/// What to do with entries.
pub(super) struct Fold<A, F, G> {
    pub zero: A,
    pub add: F,
    /// The result, given how many elements of the dense form went into it.
    pub end: G,
}

/// Folds the entries of each cell, by index along the kept axis if `columns`, else all together.
pub(super) fn fold<T: Element, A: Clone + Send + Sync, U: Element>(
    code: &Sparse,
    cells: &Cells,
    columns: bool,
    how: &Fold<A, impl Fn(&mut A, T) + Sync, impl Fn(A, usize) -> U + Sync>,
    out: &mut [U],
) -> Result<()> {
    let values = code.store::<T>()?;
    if !columns {
        out.par_chunks_mut(CELLS).enumerate().for_each(|(task, out)| {
            for (number, out) in out.iter_mut().enumerate() {
                let mut sum = how.zero.clone();
                let rows = cells.rows(task * CELLS + number);
                for &row in rows {
                    values[code.pattern.range(row)].iter().for_each(|&x| (how.add)(&mut sum, x));
                }
                *out = (how.end)(sum, rows.len() * code.along.len);
            }
        });
        return Ok(());
    }
    out.par_chunks_mut(code.along.len.max(1)).enumerate().for_each(|(cell, out)| {
        let rows = cells.rows(cell);
        out.par_chunks_mut(COLUMNS).enumerate().for_each(|(part, out)| {
            let first = (part * COLUMNS) as u32;
            let mut sums = vec![how.zero.clone(); out.len()];
            for &row in rows {
                let range = code.pattern.range(row);
                let index = &code.pattern.index[range.clone()];
                let begin = index.partition_point(|&at| at < first);
                for (&at, &x) in index[begin..].iter().zip(&values[range][begin..]) {
                    let Some(sum) = sums.get_mut((at - first) as usize) else { break };
                    (how.add)(sum, x);
                }
            }
            out.iter_mut().zip(sums).for_each(|(out, sum)| *out = (how.end)(sum, rows.len()));
        });
    });
    Ok(())
}

/// `code` reduced along `axes`, which it has. `None` where only the dense form will do.
pub fn reduce(kind: ReduceKind, code: &Sparse, axes: &[Axis]) -> Result<Option<Value>> {
    use ReduceKind::*;
    let job = Job::new(code, axes)?;
    // Of nothing there is no largest: the dense form says so.
    if job.empty {
        return Ok(None);
    }
    Ok(match (kind, code.dtype()) {
        (Sum, DType::F32) => Some(job.sum(|x: f32| x as f64, |sum| sum as f32)?),
        (SumF64, DType::F32) => Some(job.sum(|x: f32| x as f64, |sum| sum)?),
        (Sum | SumF64, DType::F64) => Some(job.sum(|x: f64| x, |sum| sum)?),
        (Sum, DType::I64) => job.whole_numbers()?,
        (SumF64, DType::I64) => Some(job.sum(|x: i64| x as f64, |sum| sum)?),
        (Count, DType::Bool) => Some(job.sum(|x: u8| x as f64, |sum| sum as i64)?),
        (Any, DType::Bool) => Some(job.sum(|x: u8| x as f64, |sum| u8::from(sum > 0.0))?),
        (All, DType::Bool) => Some(job.all()?),
        (Max | Min, DType::F32) => job.extreme::<f32>(kind == Min)?,
        (Max | Min, DType::F64) => job.extreme::<f64>(kind == Min)?,
        (Max | Min, DType::I64) => job.extreme::<i64>(kind == Min)?,
        _ => None,
    })
}

struct Job<'a> {
    code: &'a Sparse,
    cells: Cells,
    kept: Vec<Dim>,
    columns: bool,
    empty: bool,
}

impl Job<'_> {
    fn new<'a>(code: &'a Sparse, axes: &[Axis]) -> Result<Job<'a>> {
        let columns = !axes.contains(&code.along.axis);
        let (reduced, mut kept): (Vec<Dim>, Vec<Dim>) = code.rows.iter().partition(|dim| axes.contains(&dim.axis));
        let shape: Vec<(Axis, usize)> = kept.iter().map(|dim| (dim.axis, dim.len)).collect();
        let over = dense_dims(&shape);
        let stride = |dim: &Dim| over.iter().find(|own| own.axis == dim.axis).map_or(0, |own| own.stride);
        let strides: Vec<isize> = code.rows.iter().map(stride).collect();
        let cells = Cells::new(code.row_count(), checked_count(&shape)?, |row| {
            Some(offset_of(&code.rows, &strides, row) as usize)
        });
        let empty = reduced.iter().any(|dim| dim.len == 0) || (!columns && code.along.len == 0);
        kept.extend(columns.then_some(code.along));
        Ok(Job { code, cells, kept, columns, empty })
    }

    fn run<T: Element, A: Clone + Send + Sync, U: Element>(
        &self,
        how: Fold<A, impl Fn(&mut A, T) + Sync, impl Fn(A, usize) -> U + Sync>,
    ) -> Result<Value> {
        let shape: Vec<(Axis, usize)> = self.kept.iter().map(|dim| (dim.axis, dim.len)).collect();
        let mut out = Aligned::<U>::scratch(checked_count(&shape)?);
        fold(self.code, &self.cells, self.columns, &how, &mut out)?;
        Ok(Value::from(Tensor::dense_over(&self.kept, out)?))
    }

    fn sum<T: Element, U: Element>(
        &self,
        wide: impl Fn(T) -> f64 + Sync,
        end: impl Fn(f64) -> U + Sync,
    ) -> Result<Value> {
        self.run(Fold { zero: 0f64, add: |sum: &mut f64, x: T| *sum += wide(x), end: |sum, _| end(sum) })
    }

    fn all(&self) -> Result<Value> {
        let end = |sum: usize, of: usize| u8::from(sum == of);
        self.run(Fold { zero: 0usize, add: |sum: &mut usize, x: u8| *sum += x as usize, end })
    }

    /// `None` if a sum does not fit: the dense form says so.
    fn whole_numbers(&self) -> Result<Option<Value>> {
        let over = std::sync::atomic::AtomicBool::new(false);
        let end = |sum: i128, _| {
            i64::try_from(sum).unwrap_or_else(|_| {
                over.store(true, std::sync::atomic::Ordering::Relaxed);
                0
            })
        };
        let found = self.run(Fold { zero: 0i128, add: |sum: &mut i128, x: i64| *sum += x as i128, end })?;
        Ok((!over.into_inner()).then_some(found))
    }

    /// `None` if it met NaN: the dense form says so.
    fn extreme<T: Element>(&self, least: bool) -> Result<Option<Value>> {
        let (zero, odd): (T, _) = (bytemuck::Zeroable::zeroed(), std::sync::atomic::AtomicBool::new(false));
        let better = |x: &T, best: &T| if least { x < best } else { x > best };
        // The best so far and how many there were.
        let add = |(best, seen): &mut (T, usize), x: T| {
            if x.partial_cmp(&x).is_none() {
                odd.store(true, std::sync::atomic::Ordering::Relaxed);
            }
            if *seen == 0 || better(&x, best) {
                *best = x;
            }
            *seen += 1;
        };
        let end = |(best, seen): (T, usize), of: usize| {
            if seen < of && (seen == 0 || better(&zero, &best)) { zero } else { best }
        };
        let found = self.run(Fold { zero: (zero, 0usize), add, end })?;
        Ok((!odd.load(std::sync::atomic::Ordering::Relaxed)).then_some(found))
    }
}

/// The error of a sparse tensor that lacks an axis.
pub(super) fn no_axis(code: &Sparse, axis: Axis) -> Error {
    let own: Vec<String> = code.dims().iter().map(|dim| dim.axis.to_string()).collect();
    Error::new(code::INTERNAL, format!("a tensor over [{}] has no axis `{axis}`", own.join(", ")))
}
