//! Elementwise work on sparse tensors: dense operands read at the kept entries, patterns brought together.
//!
//! What runs on the entries is an ordinary kernel over a list of them; nothing here decides whether that is right,
//! which is for who knows the kernel.

use super::{Pattern, Sparse, TASK, offset_of};
use crate::base::axis::Axis;
use crate::rt::error::Result;
use crate::rt::tensor::{Aligned, Buffer, Dim, Element, Origin, Tensor, with_element};
use rayon::prelude::*;
use std::sync::Arc;

/// The entries as one list.
fn entry_axis() -> Axis {
    Axis::named("sparse", "entry")
}

fn list(count: usize, stride: isize, offset: usize, buffer: Buffer) -> Tensor {
    let dim = Dim { axis: entry_axis(), len: count, stride, origin: Origin(0) };
    Tensor { dims: vec![dim], offset, buffer }
}

/// The values of the entries as a tensor over the list of entries.
pub fn listed(code: &Sparse) -> Tensor {
    list(code.entries(), 1, 0, code.values.clone())
}

/// Do two sparse tensors lie over the same rows in the same order, and along the same axis?
pub fn aligned(a: &Sparse, b: &Sparse) -> bool {
    let same = |x: &Dim, y: &Dim| x.axis == y.axis && x.len == y.len;
    a.rows.len() == b.rows.len() && same(&a.along, &b.along) && a.rows.iter().zip(&b.rows).all(|(x, y)| same(x, y))
}

/// Can `t` be read at the entries: has it some of the axes of `code`, with the same lengths?
pub fn readable(code: &Sparse, t: &Tensor) -> bool {
    t.dims.iter().all(|dim| code.dim(dim.axis).is_some_and(|own| own.len == dim.len))
}

/// The elements of `t`, which is `readable`, where `code` has entries: a tensor over the list of entries.
pub fn at_entries(code: &Sparse, t: &Tensor) -> Result<Tensor> {
    if t.dims.iter().all(|dim| dim.stride == 0) {
        return Ok(list(code.entries(), 0, t.offset, t.buffer.clone()));
    }
    let stride = |dim: &Dim| t.dim(dim.axis).map_or(0, |own| own.stride);
    let rows: Vec<isize> = code.rows.iter().map(stride).collect();
    let along = stride(&code.along);
    with_element!(t.dtype(), T => {
        let source = t.store::<T>()?;
        let mut out = Aligned::<T>::scratch(code.entries());
        code.each_rows(&mut out, |range, mut out| {
            for row in range {
                let base = t.offset as isize + offset_of(&code.rows, &rows, row);
                let index = code.pattern.row(row);
                let (own, rest) = out.split_at_mut(index.len());
                own.iter_mut().zip(index).for_each(|(to, &at)| *to = source[(base + at as isize * along) as usize]);
                out = rest;
            }
        });
        Ok(list(code.entries(), 1, 0, T::wrap(out)))
    })
}

/// Sparse tensors over the same rows on one pattern: theirs, if they share it, else all that any of them keeps.
pub fn together(codes: &[&Sparse]) -> Result<Vec<Sparse>> {
    let shared = codes.windows(2).all(|pair| Arc::ptr_eq(&pair[0].pattern, &pair[1].pattern));
    let Some(first) = codes.first().filter(|_| !shared) else {
        return Ok(codes.iter().map(|&code| code.clone()).collect());
    };
    let pattern = Arc::new(union(codes, first.row_count()));
    codes.iter().map(|code| spread(code, &pattern)).collect()
}

fn union(codes: &[&Sparse], rows: usize) -> Pattern {
    let tasks: Vec<usize> = (0..rows).step_by(ROWS).collect();
    let parts: Vec<(Vec<usize>, Vec<u32>)> = tasks
        .into_par_iter()
        .map(|first| {
            let (mut counts, mut index, mut row_index) = (Vec::new(), Vec::new(), Vec::new());
            for row in first..(first + ROWS).min(rows) {
                row_index.clear();
                codes.iter().for_each(|code| row_index.extend_from_slice(code.pattern.row(row)));
                // Merging sorted runs is what the stable sort is good at.
                row_index.sort();
                row_index.dedup();
                counts.push(row_index.len());
                index.extend_from_slice(&row_index);
            }
            (counts, index)
        })
        .collect();
    let mut starts = Vec::with_capacity(rows + 1);
    starts.push(0);
    let mut index = Aligned::<u32>::scratch(parts.iter().map(|(_, index)| index.len()).sum());
    let mut done = 0;
    for (counts, part) in parts {
        index[done..done + part.len()].copy_from_slice(&part);
        for count in counts {
            done += count;
            starts.push(done);
        }
    }
    Pattern { starts, index }
}

/// Rows of one task that merges patterns.
const ROWS: usize = TASK / 64;

/// The same values on a pattern that keeps at least as much.
fn spread(code: &Sparse, pattern: &Arc<Pattern>) -> Result<Sparse> {
    if Arc::ptr_eq(&code.pattern, pattern) {
        return Ok(code.clone());
    }
    let mut wide = Sparse { pattern: pattern.clone(), ..code.clone() };
    with_element!(code.dtype(), T => {
        let source = code.store::<T>()?;
        let mut out = Aligned::<T>::zeros(wide.entries());
        wide.each_rows(&mut out, |range, mut out| {
            for row in range {
                let index = pattern.row(row);
                let (own, rest) = out.split_at_mut(index.len());
                let mut place = 0;
                for (&at, &x) in code.pattern.row(row).iter().zip(&source[code.pattern.range(row)]) {
                    while index[place] < at {
                        place += 1;
                    }
                    own[place] = x;
                }
                out = rest;
            }
        });
        wide.values = T::wrap(out);
    });
    Ok(wide)
}
