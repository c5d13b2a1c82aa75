//! The tensors that comprehensions fill, made by one function for both engines.

use crate::base::axis::Axis;
use crate::base::ops::DType;
use crate::rt::ctx::Ctx;
use crate::rt::error::{Error, Result, code};
use crate::rt::tensor::{Aligned, Buffer, Element, Tensor, checked_count};
use crate::rt::value::Value;
use std::sync::Arc;

/// A zeroed tensor over the binders in their order. Refuses negative sizes, products that overflow, and more
/// bytes than the limit allows.
pub fn allocate(ctx: &Ctx, dtype: DType, binders: &[(Axis, i64)]) -> Result<Tensor> {
    let mut shape = Vec::with_capacity(binders.len());
    for &(axis, size) in binders {
        let size = usize::try_from(size)
            .map_err(|_| Error::new(code::ARGUMENT, format!("axis `{axis}` cannot have the length {size}")))?;
        shape.push((axis, size));
    }
    let bytes = checked_count(&shape)?.saturating_mul(dtype.bytes());
    if bytes > ctx.memory_limit {
        let parts: Vec<String> = shape.iter().map(|(axis, len)| format!("{axis} = {len}")).collect();
        return Err(Error::new(code::MEMORY, format!("a tensor over [{}] needs {bytes} bytes", parts.join(", ")))
            .note("limit", format!("{} bytes", ctx.memory_limit)));
    }
    Tensor::zeros(dtype, &shape)
}

/// Writes one scalar at a position of a tensor that nobody shares.
pub fn store(tensor: &mut Tensor, at: usize, value: &Value) -> Result<()> {
    match value {
        Value::Int(x) => put(&mut tensor.buffer, at, *x),
        Value::F32(x) => put(&mut tensor.buffer, at, *x),
        Value::F64(x) => put(&mut tensor.buffer, at, *x),
        Value::Bool(x) => put(&mut tensor.buffer, at, u8::from(*x)),
        _ => Err(super::internal("an element of a comprehension is not a scalar")),
    }
}

fn put<T: Element>(buffer: &mut Buffer, at: usize, x: T) -> Result<()> {
    let place = T::open_mut(buffer).and_then(Arc::<Aligned<T>>::get_mut).and_then(|values| values.get_mut(at));
    match place {
        Some(place) => {
            *place = x;
            Ok(())
        }
        None => Err(super::internal("a comprehension wrote outside its tensor")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::oracle::tests::quiet;

    #[test]
    fn sizes_are_checked_before_memory_is_asked_for() {
        let (a, b) = (Axis::named("", "a"), Axis::named("", "b"));
        let mut ctx = quiet();
        let refused = |ctx: &Ctx, sizes: &[(Axis, i64)]| allocate(ctx, DType::F32, sizes).err().map(|e| e.code);
        assert_eq!(refused(&ctx, &[(a, -1)]), Some(code::ARGUMENT));
        assert_eq!(refused(&ctx, &[(a, i64::MAX), (b, 4)]), Some(code::MEMORY));
        assert_eq!(refused(&ctx, &[(a, 4), (b, 4)]), None);
        ctx.memory_limit = 63;
        assert_eq!(refused(&ctx, &[(a, 4), (b, 4)]), Some(code::MEMORY));
    }
}
