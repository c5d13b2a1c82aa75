//! Sums over groups of elements, and the numbering of groups.
//!
//! Every sum adds its members in the order of their index, in f64, so that threads cannot change a bit: a thread owns
//! whole groups, or columns of groups, never a part of a sum.

use rayon::prelude::*;

use super::error::{Error, Result, code};
use super::tensor::{Aligned, Buffer, Dim, Element, Tensor, checked_count};
use super::value::room;
use crate::base::axis::Axis;

/// Columns that one task adds up.
const COLUMNS: usize = 1024;

/// Sums of `t` along `axis` by group: element i belongs to group `ids[i]` of `n`, or to none if that is -1. The
/// result is f64, over `group` and the other axes of `t`.
pub fn group_sum(t: &Tensor, axis: Axis, group: Axis, ids: &Tensor, n: i64) -> Result<Tensor> {
    let n = usize::try_from(n).map_err(|_| Error::new(code::ARGUMENT, format!("`group_sum` over {n} groups")))?;
    let mut axes = vec![(group, n)];
    axes.extend(t.shape().into_iter().filter(|&(it, _)| it != axis));
    // The sums, and where the members of each group begin.
    let bytes = checked_count(&axes)?.saturating_add(n).saturating_mul(size_of::<f64>());
    room(bytes, "the sums of groups")?;
    let members = Members::new(ids, axis, t.len(axis)?, n)?;
    let mut sums = Aligned::<f64>::zeros(checked_count(&axes)?);
    let others: Vec<Axis> = axes[1..].iter().map(|&(it, _)| it).collect();
    add_members(t, axis, &others, &members, &mut sums)?;
    let mut out = Tensor::dense(&axes, sums)?;
    for dim in &mut out.dims {
        if let Some(old) = t.dim(dim.axis) {
            dim.origin = old.origin;
        }
    }
    Ok(out)
}

/// Adds rows of `t` to the sums of their groups, which lie over `dims`: the groups, then the other axes.
pub(super) fn add_rows(t: &Tensor, axis: Axis, ids: &Tensor, dims: &[Dim], sums: &mut [f64]) -> Result<()> {
    let [group, others @ ..] = dims else { return Err(Error::new(code::INTERNAL, "sums without groups")) };
    let members = Members::new(ids, axis, t.len(axis)?, group.len)?;
    let same = others.iter().all(|dim| t.dim(dim.axis).is_some_and(|own| own.len == dim.len));
    if !same || t.rank() != dims.len() {
        return Err(Error::new(code::INTERNAL, "rows that differ from those before them"));
    }
    let others: Vec<Axis> = others.iter().map(|dim| dim.axis).collect();
    add_members(t, axis, &others, &members, sums)
}

/// Adds the members of each group in their order, the other axes in the order `others`.
fn add_members(t: &Tensor, axis: Axis, others: &[Axis], members: &Members, sums: &mut [f64]) -> Result<()> {
    if sums.is_empty() || t.elements() == 0 {
        return Ok(());
    }
    let rows = t.in_order(&[&[axis], others].concat())?;
    match &rows.buffer {
        Buffer::F32(_) => add(&rows, members, sums, |x: f32| x as f64),
        Buffer::F64(_) => add(&rows, members, sums, |x: f64| x),
        Buffer::I64(_) => add(&rows, members, sums, |x: i64| x as f64),
        Buffer::Bool(_) => add(&rows, members, sums, |x: u8| x as f64),
    }
}

/// Which elements each group has, in order: the elements of group g are `list[start[g]..start[g + 1]]`.
pub(super) struct Members {
    pub(super) list: Vec<usize>,
    pub(super) start: Vec<usize>,
}

impl Members {
    /// An error for a group that is neither -1 nor among the `n`.
    pub(super) fn new(ids: &Tensor, axis: Axis, len: usize, n: usize) -> Result<Members> {
        let fault = |text: String| Error::new(code::INTERNAL, text);
        let dim = match ids.dims.as_slice() {
            [dim] if dim.axis == axis && dim.len == len => dim,
            _ => return Err(fault(format!("groups over [{}] for `{axis}` = {len}", ids.axes_shown()))),
        };
        let raw = ids.raw::<i64>().ok_or_else(|| fault("groups are numbered by integers".to_string()))?;
        let id = |i: usize| raw.get((ids.offset as isize + i as isize * dim.stride) as usize).copied().unwrap_or(-1);
        let mut start = vec![0; n + 1];
        for i in 0..len {
            match usize::try_from(id(i)) {
                Ok(group) if group < n => start[group + 1] += 1,
                Err(_) if id(i) == -1 => {}
                _ => {
                    let message = format!("group {} of element {i} of `{axis}` is not among the {n} groups", id(i));
                    return Err(Error::new(code::BOUNDS, message));
                }
            }
        }
        for group in 0..n {
            start[group + 1] += start[group];
        }
        let (mut next, mut list) = (start.clone(), vec![0; start[n]]);
        for i in 0..len {
            if let Some(place) = usize::try_from(id(i)).ok().and_then(|group| next.get_mut(group)) {
                list[*place] = i;
                *place += 1;
            }
        }
        Ok(Members { list, start })
    }
}

/// Adds rows of `rows` (its first axis is that of the members) into rows of `sums`.
fn add<T: Element>(rows: &Tensor, members: &Members, sums: &mut [f64], wide: impl Fn(T) -> f64 + Sync) -> Result<()> {
    let source = rows.as_dense::<T>().ok_or_else(|| Error::new(code::INTERNAL, "rows that are not dense"))?;
    let width = sums.len() / (members.start.len() - 1).max(1);
    sums.par_chunks_mut(width).enumerate().for_each(|(group, sums)| {
        let own = &members.list[members.start[group]..members.start[group + 1]];
        sums.par_chunks_mut(COLUMNS).enumerate().for_each(|(part, sums)| {
            for &member in own {
                let from = &source[member * width + part * COLUMNS..][..sums.len()];
                sums.iter_mut().zip(from).for_each(|(sum, &x)| *sum += wide(x));
            }
        });
    });
    Ok(())
}

/// The same grouping with groups numbered 0, 1, ... by rising value, and how many there are.
pub fn dense_ids(ids: &Tensor) -> Result<(Tensor, i64)> {
    let fault = || Error::new(code::INTERNAL, "groups are numbered by integers");
    if ids.dtype() != crate::base::ops::DType::I64 {
        return Err(fault());
    }
    if ids.elements() == 0 {
        return Ok((ids.clone(), 0));
    }
    let order: Vec<Axis> = ids.dims.iter().map(|dim| dim.axis).collect();
    let dense = ids.in_order(&order)?;
    let values = dense.as_dense::<i64>().ok_or_else(fault)?;
    let mut known = values.to_vec();
    known.par_sort_unstable();
    known.dedup();
    let mut out = Aligned::<i64>::zeros(values.len());
    // Every value is among the known ones, so the search always finds it.
    let label = |value: i64| known.binary_search(&value).unwrap_or(0) as i64;
    out.par_iter_mut().zip(values.par_iter()).with_min_len(4096).for_each(|(out, &value)| *out = label(value));
    let mut labelled = Tensor::dense(&dense.shape(), out)?;
    labelled.dims.iter_mut().zip(&ids.dims).for_each(|(new, old)| new.origin = old.origin);
    Ok((labelled, known.len() as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(name: &str) -> Axis {
        Axis::named("grouping_test", name)
    }

    fn ids(values: &[i64]) -> Tensor {
        Tensor::from_slice(&[(axis("x"), values.len())], values).expect("fits")
    }

    #[test]
    fn sums_agree_with_naive_loops_along_either_axis() {
        let (rows, columns, n) = (57, 1100, 5);
        let values: Vec<f32> = (0..rows * columns).map(|i| ((i * 7919) % 1001) as f32 / 7.0).collect();
        for along_rows in [true, false] {
            let names = if along_rows { ["x", "y"] } else { ["y", "x"] };
            let t = Tensor::from_slice(&[(axis(names[0]), rows), (axis(names[1]), columns)], &values).expect("fits");
            let (len, other) = if along_rows { (rows, columns) } else { (columns, rows) };
            let groups: Vec<i64> = (0..len).map(|i| (i * i % 6) as i64 - 1).collect();
            let found = group_sum(&t, axis("x"), axis("group"), &ids(&groups), n).expect("fits");
            let found = found.to_f64(&[axis("group"), axis("y")]).expect("fits");
            let mut wanted = vec![0f64; n as usize * other];
            for i in 0..len {
                for j in 0..other {
                    let x = if along_rows { values[i * columns + j] } else { values[j * columns + i] };
                    if groups[i] >= 0 {
                        wanted[groups[i] as usize * other + j] += x as f64;
                    }
                }
            }
            assert_eq!(found, wanted);
        }
    }

    #[test]
    fn a_line_is_summed_to_its_groups() {
        let t = Tensor::from_slice(&[(axis("x"), 4)], &[1i64, 10, 100, 1000]).expect("fits");
        let found = group_sum(&t, axis("x"), axis("group"), &ids(&[2, 0, 2, -1]), 4).expect("fits");
        assert_eq!(found.as_dense::<f64>(), Some(&[10.0, 0.0, 101.0, 0.0][..]));
        let flags = Tensor::from_slice(&[(axis("x"), 4)], &[1u8, 0, 1, 1]).expect("fits");
        let found = group_sum(&flags, axis("x"), axis("group"), &ids(&[0, 0, 0, 1]), 2).expect("fits");
        assert_eq!(found.as_dense::<f64>(), Some(&[2.0, 1.0][..]));
    }

    #[test]
    fn bad_groups_are_refused() {
        let t = Tensor::from_slice(&[(axis("x"), 2)], &[1f32, 2.0]).expect("fits");
        for bad in [&[0, 3][..], &[0, -2]] {
            let error = group_sum(&t, axis("x"), axis("group"), &ids(bad), 3).expect_err("out of range");
            assert_eq!(error.code, code::BOUNDS);
        }
        assert_eq!(group_sum(&t, axis("x"), axis("group"), &ids(&[0]), 3).expect_err("short").code, code::INTERNAL);
        assert_eq!(group_sum(&t, axis("x"), axis("group"), &ids(&[0, 0]), -1).expect_err("n").code, code::ARGUMENT);
    }

    #[test]
    fn nothing_sums_to_zero() {
        let t = Tensor::zeros(crate::base::ops::DType::F32, &[(axis("x"), 0), (axis("y"), 2)]).expect("fits");
        let found = group_sum(&t, axis("x"), axis("group"), &ids(&[]), 2).expect("fits");
        assert_eq!(found.as_dense::<f64>(), Some(&[0.0; 4][..]));
        let t = Tensor::zeros(crate::base::ops::DType::F32, &[(axis("x"), 2)]).expect("fits");
        assert_eq!(group_sum(&t, axis("x"), axis("group"), &ids(&[-1, -1]), 0).expect("fits").elements(), 0);
    }

    #[test]
    fn threads_do_not_matter() {
        let values: Vec<f32> = (0..200_000).map(|i| 1.0 / (1 + i) as f32).collect();
        let t = Tensor::from_slice(&[(axis("x"), 100), (axis("y"), 2000)], &values).expect("fits");
        let groups = ids(&(0..100).map(|i| i % 3).collect::<Vec<i64>>());
        let make = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            let found = pool.install(|| group_sum(&t, axis("x"), axis("group"), &groups, 3)).expect("fits");
            found.as_dense::<f64>().expect("dense").iter().map(|x| x.to_bits()).collect::<Vec<u64>>()
        };
        assert_eq!(make(1), make(3));
    }

    #[test]
    fn ids_become_dense_by_value() {
        let (labels, n) = dense_ids(&ids(&[50, -7, 50, 3, i64::MAX])).expect("integers");
        assert_eq!((labels.as_dense::<i64>(), n), (Some(&[2, 0, 2, 1, 3][..]), 4));
        let wide = Tensor::from_slice(&[(axis("x"), 2), (axis("y"), 2)], &[9i64, 8, 8, 9]).expect("fits");
        let turned = Tensor { dims: wide.dims.iter().rev().copied().collect(), ..wide };
        let (labels, n) = dense_ids(&turned).expect("integers");
        assert_eq!((labels.to_f64(&[axis("x"), axis("y")]), n), (Ok(vec![1.0, 0.0, 0.0, 1.0]), 2));
        assert_eq!(dense_ids(&ids(&[])).expect("empty").1, 0);
        assert!(dense_ids(&Tensor::from_slice(&[(axis("x"), 1)], &[1f32]).expect("fits")).is_err());
    }
}
