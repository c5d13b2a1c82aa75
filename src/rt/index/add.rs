//! Adding into one slice of a tensor, or into one place for each position, in place where nobody shares it.

use super::super::error::Result;
use super::super::tensor::{Aligned, Dim, Element, Tensor};
use super::super::value::Value;
use super::super::walk::Walk;
use super::{as_tensor, check_indices, check_shared, internal};
use crate::base::axis::Axis;
use crate::base::ops::DType;
use rayon::prelude::*;
use std::sync::Arc;

/// Elements of a slice from which on all threads add.
const WORTH_THREADS: usize = 1 << 15;

/// `total` with `part` added at an index of `axis`: one, or one for each position of axes that the part has. A total
/// that is not dense is laid out anew: `axis`, then like the part.
pub fn add_at(total: Value, axis: Axis, part: &Value, index: &Value) -> Result<Tensor> {
    let Value::Tensor(total) = total else { return Err(internal("a sum into a slice of no tensor")) };
    let (part, index) = (as_tensor(part)?, as_tensor(index)?);
    check_shared(&total, &part, &[axis])?;
    check_shared(&part, &index, &[])?;
    check_indices(&index, axis, total.len(axis)?)?;
    let mut total = if total.is_dense() { total } else { laid_out(&total, axis, &part)? };
    let lined_up = index.dims.iter().all(|dim| part.dim(dim.axis).is_some());
    if total.dims.len() != part.dims.len() + 1 || part.dtype() != total.dtype() || !lined_up {
        return Err(internal("a sum into a slice of other axes"));
    }
    match total.dtype() {
        DType::F32 => add::<f32>(&mut total, axis, &part, &index)?,
        DType::F64 => add::<f64>(&mut total, axis, &part, &index)?,
        other => return Err(internal(format!("a sum into a slice of {other:?}"))),
    }
    Ok(total)
}

fn laid_out(total: &Tensor, axis: Axis, part: &Tensor) -> Result<Tensor> {
    let order: Vec<Axis> = std::iter::once(axis).chain(part.dims.iter().map(|dim| dim.axis)).collect();
    total.in_order(&order)
}

fn add<T: Element + std::ops::AddAssign>(total: &mut Tensor, axis: Axis, part: &Tensor, index: &Tensor) -> Result<()> {
    let (from, indices) = (part.store::<T>()?, index.store::<i64>()?);
    let stride = |t: &Tensor, axis: Axis| t.dim(axis).map_or(0, |own| own.stride);
    let strides = |dim: &Dim| (dim.len, [dim.stride, stride(part, dim.axis), stride(index, dim.axis)]);
    let walk = Walk::new(total.dims.iter().filter(|dim| dim.axis != axis).map(strides));
    let (along, first) = (stride(total, axis), total.offset as isize);
    let buffer = T::open_mut(&mut total.buffer).ok_or_else(|| internal("a sum of two types"))?;
    if Arc::get_mut(buffer).is_none() {
        *buffer = Arc::new(Aligned::clone(buffer));
    }
    let to = Arc::get_mut(buffer).ok_or_else(|| internal("a copy that is shared"))?;
    let place = |offset: isize| first + indices[(index.offset as isize + offset) as usize] as isize * along;
    if let &[(n, [1, 1, 0])] = walk.dims()
        && n >= WORTH_THREADS
    {
        let first = place(0) as usize;
        let (to, from) = (&mut to[first..first + n], &from[part.offset..part.offset + n]);
        to.par_iter_mut().with_min_len(WORTH_THREADS / 4).zip(from).for_each(|(sum, &x)| *sum += x);
        return Ok(());
    }
    let (_, [by, step, turn]) = walk.inner();
    walk.runs(0, walk.count(), |[target, source, which], n| {
        let source = part.offset as isize + source;
        if [by, step, turn] == [1, 1, 0] {
            let (first, source) = ((place(which) + target) as usize, source as usize);
            to[first..first + n].iter_mut().zip(&from[source..source + n]).for_each(|(sum, &x)| *sum += x);
            return;
        }
        for j in 0..n as isize {
            to[(place(which + j * turn) + target + j * by) as usize] += from[(source + j * step) as usize];
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{expand, scatter_add};
    use super::*;
    use crate::rt::testing::{Dice, at, axes, places};

    #[test]
    fn agrees_with_a_scattered_part_added() {
        let [a, b, c] = axes(["a", "b", "c"]);
        for seed in 0..60 {
            let mut dice = Dice::new(seed);
            let n = [(a, 1 + dice.below(4)), (b, 1 + dice.below(4)), (c, 1 + dice.below(4))];
            let dtype = if dice.one_in(2) { DType::F32 } else { DType::F64 };
            let total = match dice.below(3) {
                0 => dice.dense(dtype, &n),
                _ => dice.tensor(dtype, &n),
            };
            let part = dice.tensor(dtype, &n[..2]);
            let index = match dice.one_in(2) {
                true => Value::Int(dice.below(n[2].1) as i64),
                false => dice.indices(n[2].1, &n[1..2]).into(),
            };
            let kept = total.to_f64(&[a, b, c]).unwrap();
            let whole = scatter_add(&part.clone().into(), c, &index, n[2].1 as i64, &[]).unwrap();
            let found = add_at(total.clone().into(), c, &part.into(), &index).unwrap();
            assert_eq!(total.to_f64(&[a, b, c]).unwrap(), kept, "a shared total is left alone");
            for place in places(&n) {
                let sum = at(&total, &place) + at(&whole, &place);
                assert!((at(&found, &place) - sum).abs() < 1e-6, "{place:?}");
            }
        }
    }

    #[test]
    fn a_total_of_its_own_is_changed_in_place() {
        let [a, b] = axes(["a", "b"]);
        let zeros = expand(&expand(&Value::F32(0.0), a, 2).unwrap().into(), b, 3).unwrap();
        let part = Tensor::from_slice(&[(b, 3)], &[1f32, 2.0, 3.0]).unwrap();
        let first = add_at(zeros.into(), a, &part.clone().into(), &Value::Int(1)).unwrap();
        let address = first.raw::<f32>().unwrap().as_ptr();
        let second = add_at(first.into(), a, &part.clone().into(), &Value::Int(1)).unwrap();
        assert_eq!(second.raw::<f32>().unwrap().as_ptr(), address);
        assert_eq!(second.to_f64(&[a, b]).unwrap(), [0.0, 0.0, 0.0, 2.0, 4.0, 6.0]);
        assert!(add_at(second.into(), a, &part.into(), &Value::Int(2)).is_err());
    }
}
