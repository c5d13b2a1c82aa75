//! The memory of the outputs: taken from arguments that nobody else holds, else new.

use crate::base::axis::Axis;
use crate::base::kernel::Kernel;
use crate::base::ops::DType;
use crate::rt::error::Result;
use crate::rt::tensor::{Buffer, Dim, Tensor};
use crate::rt::value::Value;
use std::sync::Arc;

/// A buffer for each output, and the argument whose memory it was. Such an argument is taken out of `args`. Outputs that
/// are `placed` elsewhere get an empty one.
pub fn outputs(
    kernel: &Kernel,
    dims: &[Dim],
    args: &mut [Value],
    placed: &[usize],
) -> Result<(Vec<Buffer>, Vec<Option<usize>>)> {
    let shape: Vec<(Axis, usize)> = dims.iter().map(|dim| (dim.axis, dim.len)).collect();
    let mut buffers = Vec::with_capacity(kernel.outputs.len());
    let mut reused = Vec::with_capacity(kernel.outputs.len());
    for (number, &output) in kernel.outputs.iter().enumerate() {
        let dtype = kernel.dtype(output);
        if placed.contains(&number) {
            buffers.push(Tensor::scratch(dtype, &[])?.buffer);
            reused.push(None);
            continue;
        }
        let found = args.iter_mut().position(|arg| fits(arg, dtype, &shape));
        let taken = found.and_then(|number| args.get_mut(number)).map(std::mem::take);
        buffers.push(match taken {
            Some(Value::Tensor(tensor)) => tensor.buffer,
            _ => Tensor::scratch(dtype, &shape)?.buffer,
        });
        reused.push(found);
    }
    Ok((buffers, reused))
}

/// Can this argument's memory become an output of that type and shape?
pub fn fits(arg: &mut Value, dtype: DType, shape: &[(Axis, usize)]) -> bool {
    let Value::Tensor(tensor) = arg else { return false };
    if tensor.dtype() != dtype || tensor.offset != 0 || !tensor.is_dense() || tensor.shape() != shape {
        return false;
    }
    let elements = tensor.elements();
    match &mut tensor.buffer {
        Buffer::F32(values) => values.len() == elements && Arc::get_mut(values).is_some(),
        Buffer::F64(values) => values.len() == elements && Arc::get_mut(values).is_some(),
        Buffer::I64(values) => values.len() == elements && Arc::get_mut(values).is_some(),
        Buffer::Bool(values) => values.len() == elements && Arc::get_mut(values).is_some(),
    }
}
