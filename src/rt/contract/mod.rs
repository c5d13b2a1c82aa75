//! Sums of products over axes that two tensors share: matrix products in every arrangement of axes.
//!
//! `plan` decides how the elements can be read where they lie and in which order the result is made, `rt::blas` runs
//! the products, `dot` the cases where nothing but products of single numbers is left. The result is the same to the
//! bit at any number of threads.

mod dot;
mod plan;
#[cfg(test)]
mod tests;

use super::blas::{self, Float};
use super::error::{Error, Result, code};
use super::index;
use super::reduce::reduce;
use super::tensor::{Aligned, Dim, Tensor, checked_count, size_mismatch};
use super::value::Value;
use crate::base::axis::Axis;
use crate::base::ops::{DType, ReduceKind};
use plan::{Groups, Plan};

/// The products of `a` and `b` summed over `axes`, which both have; other shared axes are kept.
pub fn contract(a: &Tensor, b: &Tensor, axes: &[Axis]) -> Result<Value> {
    if a.dtype() != b.dtype() {
        let message = format!("a product of {:?} and {:?}", a.dtype(), b.dtype());
        return Err(Error::new(code::INTERNAL, message));
    }
    for &axis in axes {
        a.len(axis)?;
        b.len(axis)?;
    }
    for dim in &a.dims {
        if let Some(other) = b.dim(dim.axis).filter(|other| other.len != dim.len) {
            return Err(size_mismatch(dim.axis, dim, other));
        }
    }
    match a.dtype() {
        DType::F32 => run::<f32>(a, b, axes),
        DType::F64 => run::<f64>(a, b, axes),
        other => Err(Error::new(code::ARGUMENT, format!("a sum of products of {other:?} elements is not supported"))
            .help("convert both operands with `f32(...)` or `f64(...)` first")),
    }
}

fn run<T: Float>(a: &Tensor, b: &Tensor, axes: &[Axis]) -> Result<Value> {
    let (a, b) = without_repeated_sums(a.clone(), b.clone(), axes)?;
    let (a, b, repeated) = without_repeated_results(a, b, axes);
    let groups = Groups::new(&a, &b, axes);
    let mut result = if groups.inner_count() == 0 || groups.result_count()? == 0 {
        Tensor::zeros(T::DTYPE, &groups.result_shape())?
    } else if groups.is_dot() {
        dot::run::<T>(&a, &b, &groups)?
    } else {
        multiply::<T>(Plan::new(&a, &b, groups)?)?
    };
    for dim in &mut result.dims {
        if let Some(origin) = a.dim(dim.axis).or_else(|| b.dim(dim.axis)).map(|found| found.origin) {
            dim.origin = origin;
        }
        if let Some(full) = repeated.iter().find(|full| full.axis == dim.axis) {
            (dim.len, dim.stride) = (full.len, 0);
        }
    }
    Ok(Value::from(result))
}

/// Where one operand repeats along a summed axis, the other can be summed first: the axis gets length 1 in both.
fn without_repeated_sums(mut a: Tensor, mut b: Tensor, axes: &[Axis]) -> Result<(Tensor, Tensor)> {
    let repeats = |t: &Tensor, axis: Axis| t.dim(axis).is_some_and(|dim| dim.stride == 0 && dim.len > 1);
    for &axis in axes {
        let (fixed, other) = match (repeats(&a, axis), repeats(&b, axis)) {
            (_, true) => (&mut b, &mut a),
            (true, false) => (&mut a, &mut b),
            _ => continue,
        };
        *other = index::expand(&reduce(ReduceKind::Sum, other, &[axis])?, axis, 1)?;
        *fixed = index::slice(fixed, axis, axis, 0, 1)?;
    }
    Ok((a, b))
}

/// Along kept axes on which nothing depends, one position is computed; the full dims are returned with the operands.
fn without_repeated_results(mut a: Tensor, mut b: Tensor, axes: &[Axis]) -> (Tensor, Tensor, Vec<Dim>) {
    let mut repeated: Vec<Dim> = Vec::new();
    let all: Vec<Axis> = a.dims.iter().chain(&b.dims).map(|dim| dim.axis).collect();
    for axis in all {
        let dims: Vec<Dim> = [a.dim(axis), b.dim(axis)].into_iter().flatten().copied().collect();
        if axes.contains(&axis) || dims.iter().any(|dim| dim.stride != 0 || dim.len < 2) {
            continue;
        }
        repeated.push(dims[0]);
        for dim in a.dims.iter_mut().chain(&mut b.dims).filter(|dim| dim.axis == axis) {
            dim.len = 1;
        }
    }
    (a, b, repeated)
}

fn multiply<T: Float>(plan: Plan) -> Result<Tensor> {
    let mut out = Aligned::<T>::scratch(checked_count(&plan.result)?);
    let (a, b) = (plan.a.store::<T>()?, plan.b.store::<T>()?);
    let (a, b) = (a.get(plan.a.offset..).unwrap_or(&[]), b.get(plan.b.offset..).unwrap_or(&[]));
    blas::products(&plan.products, a, b, &mut out)?;
    Tensor::dense(&plan.result, out)
}
