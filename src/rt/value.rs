//! What a local, a global, or an element of a list can hold while a program runs.

use super::files::FileHandle;
use super::rng::Key;
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
