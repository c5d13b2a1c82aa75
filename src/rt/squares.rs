//! Sums over groups of the squares of group sums: what pair moments and variances of sequences are made of.
//!
//! For each column, `sum over g of weight_g (sum over members of g of x)^2`, without a table of groups by columns:
//! with 24,576 features and a group for each pair of a token and a position, such a table would never fit. Members
//! are added in the order of their index, in f64, and a column belongs to one thread. Nothing here may depend on how
//! rows arrive in tiles.

use rayon::prelude::*;

use super::error::{Error, Result, code};
use super::grouping::Members;
use super::sparse::Sparse;
use super::sparse::group::Wide;
use super::tensor::{Aligned, Buffer, Element, Tensor, with_element};
use crate::base::axis::Axis;
use std::ops::Range;

/// Columns of a dense operand that one task takes through all groups.
const COLUMNS: usize = 64;
/// Entries of a sparse operand that are turned round at once: 48 MB.
const ENTRIES: usize = 4 << 20;

/// The weights of the groups, along the one axis they have.
fn weights(weight: &Tensor) -> Result<Vec<f64>> {
    match weight.dims.as_slice() {
        [dim] => weight.to_f64(&[dim.axis]),
        _ => Err(Error::new(code::INTERNAL, "weights of groups have one axis")),
    }
}

/// The squares for every position of the axes of `x` but `axis`. Group `ids` of each member, or -1 for none.
pub fn group_squares(x: &Tensor, axis: Axis, ids: &Tensor, weight: &Tensor) -> Result<Tensor> {
    let weights = weights(weight)?;
    let members = Members::new(ids, axis, x.len(axis)?, weights.len())?;
    let columns: Vec<(Axis, usize)> = x.shape().into_iter().filter(|&(it, _)| it != axis).collect();
    let mut order = vec![axis];
    order.extend(columns.iter().map(|&(it, _)| it));
    let rows = x.in_order(&order)?;
    let mut out = Aligned::<f64>::zeros(columns.iter().map(|&(_, len)| len).product());
    match &rows.buffer {
        Buffer::F32(_) => add(&rows, &members, &weights, &mut out, |x: f32| x as f64)?,
        Buffer::F64(_) => add(&rows, &members, &weights, &mut out, |x: f64| x)?,
        Buffer::I64(_) => add(&rows, &members, &weights, &mut out, |x: i64| x as f64)?,
        Buffer::Bool(_) => add(&rows, &members, &weights, &mut out, |x: u8| x as f64)?,
    }
    let mut out = Tensor::dense(&columns, out)?;
    for dim in &mut out.dims {
        dim.origin = x.dim(dim.axis).map_or(dim.origin, |old| old.origin);
    }
    Ok(out)
}

fn add<T: Element>(
    rows: &Tensor,
    members: &Members,
    weights: &[f64],
    out: &mut [f64],
    wide: impl Fn(T) -> f64 + Sync,
) -> Result<()> {
    let source = rows.as_dense::<T>().ok_or_else(|| Error::new(code::INTERNAL, "rows that are not dense"))?;
    let width = out.len();
    out.par_chunks_mut(COLUMNS).enumerate().for_each(|(part, out)| {
        for (group, weight) in weights.iter().enumerate() {
            let mut sums = [0f64; COLUMNS];
            for &member in &members.list[members.start[group]..members.start[group + 1]] {
                let from = &source[member * width + part * COLUMNS..][..out.len()];
                sums.iter_mut().zip(from).for_each(|(sum, &x)| *sum += wide(x));
            }
            out.iter_mut().zip(sums).for_each(|(out, sum)| *out += weight * sum * sum);
        }
    });
    Ok(())
}

/// Sparse rows that arrive in pieces, again and again: calls the visitor with each piece and the number of its
/// first row, in order.
pub type Pieces<'a> = dyn FnMut(&mut dyn FnMut(&Sparse, usize) -> Result<()>) -> Result<()> + 'a;

/// The same for sparse rows, which are the members: one result for each of the `columns` of the entries. The rows
/// are gone through once to count, and once for every so many entries, whose columns are then held together.
pub fn of_entries(
    pieces: &mut Pieces,
    columns: usize,
    rows: usize,
    axis: Axis,
    ids: &Tensor,
    weight: &Tensor,
) -> Result<Vec<f64>> {
    let weights = weights(weight)?;
    let group = group_of_rows(&Members::new(ids, axis, rows, weights.len())?, rows);
    let mut counts = vec![0usize; columns];
    pieces(&mut |piece, _| {
        piece.pattern.index.iter().for_each(|&column| counts[column as usize] += 1);
        Ok(())
    })?;
    let mut out = vec![0f64; columns];
    let mut first = 0;
    while first < columns {
        let (mut last, mut total) = (first, 0);
        while last < columns && (last == first || total + counts[last] <= ENTRIES) {
            total += counts[last];
            last += 1;
        }
        let turned = Turned::new(pieces, &counts[first..last], first)?;
        squares(&turned, &group, &weights, &mut out[first..last]);
        first = last;
    }
    Ok(out)
}

/// The squares of codes whose rows are the members and nothing else. `None` where only the dense form will do.
pub fn of_code(code: &Sparse, axis: Axis, ids: &Tensor, weight: &Tensor) -> Result<Option<Tensor>> {
    let [members] = code.rows.as_slice() else { return Ok(None) };
    if members.axis != axis {
        return Ok(None);
    }
    let mut once = |see: &mut dyn FnMut(&Sparse, usize) -> Result<()>| see(code, 0);
    let found = of_entries(&mut once, code.along.len, members.len, axis, ids, weight)?;
    Tensor::dense_over(&[code.along], Aligned::from_slice(&found)).map(Some)
}

const NOWHERE: u32 = u32::MAX;

fn group_of_rows(members: &Members, rows: usize) -> Vec<u32> {
    let mut of = vec![NOWHERE; rows];
    for group in 0..members.start.len() - 1 {
        for &member in &members.list[members.start[group]..members.start[group + 1]] {
            of[member] = group as u32;
        }
    }
    of
}

/// The entries of some columns, column by column, rows rising.
struct Turned {
    start: Vec<usize>,
    row: Vec<u32>,
    value: Vec<f64>,
}

/// Parts of the columns that are turned at the same time, each by one task.
const PARTS: usize = 4;

impl Turned {
    fn new(pieces: &mut Pieces, counts: &[usize], first: usize) -> Result<Turned> {
        let mut start = vec![0; counts.len() + 1];
        counts.iter().enumerate().for_each(|(column, count)| start[column + 1] = start[column] + count);
        let total = start[counts.len()];
        let mut turned = Turned { row: vec![0; total], value: vec![0.0; total], start };
        let mut parts = Vec::with_capacity(PARTS);
        let (mut rows, mut values) = (&mut turned.row[..], &mut turned.value[..]);
        let width = counts.len().div_ceil(PARTS).max(1);
        for lo in (0..counts.len()).step_by(width) {
            let hi = (lo + width).min(counts.len());
            let base = turned.start[lo];
            let (row, later) = rows.split_at_mut(turned.start[hi] - base);
            let (value, behind) = values.split_at_mut(turned.start[hi] - base);
            (rows, values) = (later, behind);
            let next = turned.start[lo..hi].iter().map(|start| start - base).collect();
            parts.push(Part { columns: (first + lo) as u32..(first + hi) as u32, next, row, value });
        }
        pieces(&mut |piece, offset| {
            with_element!(piece.dtype(), T => {
                let values = piece.store::<T>()?;
                parts.par_iter_mut().for_each(|part| part.take(piece, values, offset));
            });
            Ok(())
        })?;
        drop(parts);
        Ok(turned)
    }
}

/// Some neighbouring columns while they are filled.
struct Part<'a> {
    columns: Range<u32>,
    /// Where the next entry of each column goes.
    next: Vec<usize>,
    row: &'a mut [u32],
    value: &'a mut [f64],
}

impl Part<'_> {
    fn take<T: Wide>(&mut self, piece: &Sparse, values: &[T], offset: usize) {
        for row in 0..piece.row_count() {
            let range = piece.pattern.range(row);
            let index = &piece.pattern.index[range.clone()];
            let begin = index.partition_point(|&column| column < self.columns.start);
            for (&column, &x) in index[begin..].iter().zip(&values[range][begin..]) {
                if column >= self.columns.end {
                    break;
                }
                let next = &mut self.next[(column - self.columns.start) as usize];
                // More entries than were counted would be a piece that changed; they are left out.
                if let (Some(own), Some(value)) = (self.row.get_mut(*next), self.value.get_mut(*next)) {
                    (*own, *value) = ((offset + row) as u32, x.wide());
                }
                *next += 1;
            }
        }
    }
}

/// One sum for each group that a column meets; groups are squared in the order in which they were met.
fn squares(turned: &Turned, group: &[u32], weights: &[f64], out: &mut [f64]) {
    let fresh = || (vec![0f64; weights.len()], Vec::<u32>::new());
    out.par_iter_mut().enumerate().with_min_len(8).for_each_init(fresh, |(sums, met), (column, out)| {
        let mut seen = |group: u32, value: f64, sums: &mut Vec<f64>| {
            let sum = &mut sums[group as usize];
            if *sum == 0.0 {
                met.push(group);
            }
            *sum += value;
        };
        for entry in turned.start[column]..turned.start[column + 1] {
            let group = group[turned.row[entry] as usize];
            if group != NOWHERE && turned.value[entry] != 0.0 {
                seen(group, turned.value[entry], sums);
            }
        }
        // A sum that came back to zero was noted twice, and counts once: it is emptied where it is first met.
        for group in met.drain(..) {
            let sum = std::mem::take(&mut sums[group as usize]);
            *out += weights[group as usize] * sum * sum;
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rt::grouping::group_sum;
    use crate::rt::sparse::Pattern;
    use crate::rt::tensor::dense_dims;
    use crate::rt::testing::Dice;
    use std::sync::Arc;

    fn axis(name: &str) -> Axis {
        Axis::named("squares_test", name)
    }

    const ROWS: usize = 90;
    const WIDTH: usize = 130;
    const GROUPS: usize = 7;

    /// Rows with some entries, as a tensor and as two sparse pieces.
    fn codes(dice: &mut Dice) -> (Tensor, Vec<Sparse>) {
        let mut values = vec![0f32; ROWS * WIDTH];
        values.iter_mut().filter(|_| dice.one_in(9)).for_each(|x| *x = 1.0);
        values.iter_mut().filter(|x| **x != 0.0).for_each(|x| *x = dice.float() as f32);
        let piece = |rows: std::ops::Range<usize>| {
            let (mut starts, mut index, mut kept) = (vec![0], Vec::new(), Vec::new());
            for row in rows.clone() {
                for column in (0..WIDTH).filter(|column| values[row * WIDTH + column] != 0.0) {
                    index.push(column as u32);
                    kept.push(values[row * WIDTH + column]);
                }
                starts.push(index.len());
            }
            let pattern = Arc::new(Pattern { starts, index: Aligned::from_slice(&index) });
            let rows = dense_dims(&[(axis("x"), rows.len())]);
            let along = dense_dims(&[(axis("y"), WIDTH)])[0];
            Sparse { rows, along, pattern, values: f32::wrap(Aligned::from_slice(&kept)) }
        };
        let pieces = vec![piece(0..40), piece(40..ROWS)];
        (Tensor::from_slice(&[(axis("x"), ROWS), (axis("y"), WIDTH)], &values).expect("fits"), pieces)
    }

    fn groups(dice: &mut Dice) -> (Tensor, Tensor) {
        let ids: Vec<i64> = (0..ROWS).map(|_| dice.below(GROUPS + 1) as i64 - 1).collect();
        let weight: Vec<f64> = (0..GROUPS).map(|_| dice.float()).collect();
        let ids = Tensor::from_slice(&[(axis("x"), ROWS)], &ids).expect("fits");
        (ids, Tensor::from_slice(&[(axis("g"), GROUPS)], &weight).expect("fits"))
    }

    #[test]
    fn dense_and_sparse_agree_with_the_table_of_sums() {
        let mut dice = Dice::new(5);
        let ((x, pieces), (ids, weight)) = (codes(&mut dice), groups(&mut dice));
        let table = group_sum(&x, axis("x"), axis("g"), &ids, GROUPS as i64).expect("fits");
        let (table, weights) = (table.to_f64(&[axis("g"), axis("y")]).expect("fits"), weights(&weight).expect("fits"));
        let wanted = |y: usize| (0..GROUPS).map(|g| weights[g] * table[g * WIDTH + y].powi(2)).sum::<f64>();
        let plain = group_squares(&x, axis("x"), &ids, &weight).expect("fits").to_f64(&[axis("y")]).expect("fits");
        let mut visit = |see: &mut dyn FnMut(&Sparse, usize) -> Result<()>| {
            see(&pieces[0], 0)?;
            see(&pieces[1], 40)
        };
        let sparse = of_entries(&mut visit, WIDTH, ROWS, axis("x"), &ids, &weight).expect("fits");
        for y in 0..WIDTH {
            assert!((plain[y] - wanted(y)).abs() < 1e-12, "{y}");
            assert!((sparse[y] - wanted(y)).abs() < 1e-12, "{y}");
        }
    }

    #[test]
    fn a_group_without_a_weight_is_refused() {
        let mut dice = Dice::new(6);
        let ((x, _), (ids, _)) = (codes(&mut dice), groups(&mut dice));
        let short = Tensor::from_slice(&[(axis("g"), 2)], &[1f64, 1.0]).expect("fits");
        assert_eq!(group_squares(&x, axis("x"), &ids, &short).expect_err("beyond").code, code::BOUNDS);
    }
}
