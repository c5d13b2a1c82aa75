//! Runs of elements of any type: borrowed, borrowed mutably, owned.

use crate::base::ops::DType;
use crate::rt::error::{Error, Result, code};
use crate::rt::tensor::{Aligned, Buffer};
use crate::rt::value::Value;
use std::sync::Arc;

#[derive(Clone, Copy)]
pub enum Slice<'a> {
    F32(&'a [f32]),
    F64(&'a [f64]),
    I64(&'a [i64]),
    Bool(&'a [u8]),
}

pub enum SliceMut<'a> {
    F32(&'a mut [f32]),
    F64(&'a mut [f64]),
    I64(&'a mut [i64]),
    Bool(&'a mut [u8]),
}

pub enum Cells {
    F32(Vec<f32>),
    F64(Vec<f64>),
    I64(Vec<i64>),
    Bool(Vec<u8>),
}

/// The same expression for each of the four types.
macro_rules! each {
    ($kind:ident, $from:expr, $x:ident => $to:ident, $body:expr) => {
        match $from {
            $kind::F32($x) => $to::F32($body),
            $kind::F64($x) => $to::F64($body),
            $kind::I64($x) => $to::I64($body),
            $kind::Bool($x) => $to::Bool($body),
        }
    };
    ($kind:ident, $from:expr, $x:ident => $body:expr) => {
        match $from {
            $kind::F32($x) => $body,
            $kind::F64($x) => $body,
            $kind::I64($x) => $body,
            $kind::Bool($x) => $body,
        }
    };
}

impl<'a> Slice<'a> {
    pub fn of(buffer: &'a Buffer) -> Slice<'a> {
        each!(Buffer, buffer, x => Slice, &x[..])
    }

    pub fn part(self, start: usize, len: usize) -> Slice<'a> {
        each!(Slice, self, x => Slice, &x[start..start + len])
    }

    pub fn pointer(self) -> *const u8 {
        each!(Slice, self, x => x.as_ptr().cast())
    }
}

fn unshared<T>(values: &mut Arc<Aligned<T>>) -> Result<&mut Aligned<T>> {
    Arc::get_mut(values).ok_or_else(|| Error::new(code::INTERNAL, "an output's memory is shared"))
}

impl<'a> SliceMut<'a> {
    pub fn of(buffer: &'a mut Buffer) -> Result<SliceMut<'a>> {
        Ok(each!(Buffer, buffer, x => SliceMut, &mut unshared(x)?[..]))
    }

    pub fn dtype(&self) -> DType {
        match self {
            SliceMut::F32(_) => DType::F32,
            SliceMut::F64(_) => DType::F64,
            SliceMut::I64(_) => DType::I64,
            SliceMut::Bool(_) => DType::Bool,
        }
    }

    pub fn len(&self) -> usize {
        each!(SliceMut, self, x => x.len())
    }

    /// The same memory for a shorter time.
    pub fn lend(&mut self) -> SliceMut<'_> {
        each!(SliceMut, self, x => SliceMut, &mut x[..])
    }

    /// Takes the first `len` elements off.
    pub fn split_front(&mut self, len: usize) -> SliceMut<'a> {
        each!(SliceMut, self, x => SliceMut, {
            let (front, rest) = std::mem::take(x).split_at_mut(len);
            *x = rest;
            front
        })
    }

    pub fn part(&mut self, start: usize, len: usize) -> SliceMut<'_> {
        each!(SliceMut, self, x => SliceMut, &mut x[start..start + len])
    }

    pub fn read(&self, start: usize, len: usize) -> Slice<'_> {
        each!(SliceMut, self, x => Slice, &x[start..start + len])
    }

    pub fn pointer(&mut self, start: usize) -> *mut u8 {
        each!(SliceMut, self, x => x[start..].as_mut_ptr().cast())
    }

    /// Copies from a slice of the same type and length.
    pub fn copy_from(&mut self, from: Slice) {
        match (self, from) {
            (SliceMut::F32(to), Slice::F32(from)) => to.copy_from_slice(from),
            (SliceMut::F64(to), Slice::F64(from)) => to.copy_from_slice(from),
            (SliceMut::I64(to), Slice::I64(from)) => to.copy_from_slice(from),
            (SliceMut::Bool(to), Slice::Bool(from)) => to.copy_from_slice(from),
            // Types were checked when the kernel was.
            _ => {}
        }
    }
}

impl Default for Cells {
    fn default() -> Cells {
        Cells::Bool(Vec::new())
    }
}

impl Cells {
    pub fn zeros(dtype: DType, len: usize) -> Cells {
        match dtype {
            DType::F32 => Cells::F32(vec![0.0; len]),
            DType::F64 => Cells::F64(vec![0.0; len]),
            DType::I64 => Cells::I64(vec![0; len]),
            DType::Bool => Cells::Bool(vec![0; len]),
        }
    }

    /// One element; a scalar takes the type that the kernel wants.
    pub fn from_scalar(value: &Value, dtype: DType) -> Result<Cells> {
        Ok(match (dtype, value) {
            (DType::F32, Value::F32(x)) => Cells::F32(vec![*x]),
            (DType::F32, Value::F64(x)) => Cells::F32(vec![*x as f32]),
            (DType::F32, Value::Int(x)) => Cells::F32(vec![*x as f32]),
            (DType::F64, Value::F32(x)) => Cells::F64(vec![*x as f64]),
            (DType::F64, Value::F64(x)) => Cells::F64(vec![*x]),
            (DType::F64, Value::Int(x)) => Cells::F64(vec![*x as f64]),
            (DType::I64, Value::Int(x)) => Cells::I64(vec![*x]),
            (DType::Bool, Value::Bool(x)) => Cells::Bool(vec![*x as u8]),
            _ => return Err(Error::new(code::INTERNAL, format!("a kernel cannot use {value:?} as {dtype:?}"))),
        })
    }

    pub fn slice(&self, len: usize) -> Slice<'_> {
        each!(Cells, self, x => Slice, &x[..len])
    }

    pub fn slice_mut(&mut self, len: usize) -> SliceMut<'_> {
        each!(Cells, self, x => SliceMut, &mut x[..len])
    }

    /// Its first element, `len` times.
    pub fn repeated(&self, len: usize) -> Cells {
        each!(Cells, self, x => Cells, vec![x.first().copied().unwrap_or_default(); len])
    }
}
