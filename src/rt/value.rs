//! What a local, a global, or an element of a list can hold while a program runs.

use super::chunked::Chunked;
use super::error::Result;
use super::files::FileHandle;
use super::rng::Key;
use super::sparse::Sparse;
use super::tensor::Tensor;
use std::sync::Arc;

/// A value. Cloning is cheap: large parts are shared and immutable.
#[derive(Clone, Debug, Default)]
pub enum Value {
    /// Not set, or dropped.
    #[default]
    None,
    Int(i64),
    F32(f32),
    F64(f64),
    Bool(bool),
    Str(Arc<str>),
    Key(Key),
    File(Arc<FileHandle>),
    List(Arc<Vec<Value>>),
    /// A record inside a list; fields in order.
    Record(Arc<Vec<Value>>),
    /// A tensor with at least one axis; scalars are never tensors.
    Tensor(Tensor),
    /// A tensor of which only some entries of each row are kept; the others are 0. A representation: programs cannot
    /// tell it from `Tensor`.
    Sparse(Arc<Sparse>),
    /// A tensor in tiles along one axis, each in memory or in the runtime's own store. A representation, too.
    Chunked(Arc<Chunked>),
}

impl Value {
    /// The same value as an ordinary tensor, if it is represented by something else. An error if that would need
    /// more memory than the limit allows.
    pub fn plain(self) -> Result<Value> {
        match self {
            Value::Sparse(sparse) => sparse.dense().map(Value::Tensor),
            Value::Chunked(chunked) => chunked.whole().map(Value::Tensor),
            other => Ok(other),
        }
    }
}

impl From<i64> for Value {
    fn from(x: i64) -> Value {
        Value::Int(x)
    }
}

impl From<f32> for Value {
    fn from(x: f32) -> Value {
        Value::F32(x)
    }
}

impl From<f64> for Value {
    fn from(x: f64) -> Value {
        Value::F64(x)
    }
}

impl From<bool> for Value {
    fn from(x: bool) -> Value {
        Value::Bool(x)
    }
}

impl From<Tensor> for Value {
    /// A tensor without axes becomes the scalar it is.
    fn from(tensor: Tensor) -> Value {
        if tensor.rank() == 0 { tensor.scalar() } else { Value::Tensor(tensor) }
    }
}
