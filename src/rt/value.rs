//! What a local, a global, or an element of a list can hold while a program runs.

use super::aligned::{Held, lacks_room};
use super::chunked::{Chunked, size_shown};
use super::error::{Error, Result, code};
use super::files::FileHandle;
use super::rng::Key;
use super::sparse::Sparse;
use super::tensor::Tensor;
use std::fmt;
use std::ops::Deref;
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
    Str(Text),
    Key(Key),
    File(Arc<FileHandle>),
    List(Items),
    /// A record inside a list; fields in order.
    Record(Items),
    /// A tensor with at least one axis; scalars are never tensors.
    Tensor(Tensor),
    /// A tensor of which only some entries of each row are kept; the others are 0. A representation: programs cannot
    /// tell it from `Tensor`.
    Sparse(Arc<Sparse>),
    /// A tensor in tiles along one axis, each in memory or in the runtime's own store. A representation, too.
    Chunked(Arc<Chunked>),
}

/// A text, shared and counted as memory in use.
pub type Text = Shared<Box<str>>;
/// The items of a list, shared and counted as memory in use.
pub type Items = Shared<Vec<Value>>;

/// Something of a size that the program decides. It counts as memory in use, so that texts and lists are held to the
/// same budget as tensors.
pub struct Shared<T>(Arc<Counted<T>>);

struct Counted<T> {
    inner: T,
    _held: Held,
}

/// More than anybody reads; longer ones come from a slip in a loop.
const LONGEST_TEXT: usize = 16 << 20;
/// What the counters of a shared value take beside it.
const HEAD: usize = 48;

impl<T> Shared<T> {
    fn counted(inner: T, bytes: usize) -> Shared<T> {
        Shared(Arc::new(Counted { inner, _held: Held::new(bytes + HEAD) }))
    }
}

impl Items {
    pub fn new(items: Vec<Value>) -> Items {
        let bytes = items.capacity() * size_of::<Value>();
        Shared::counted(items, bytes)
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Text {
        Shared::counted(text.into(), text.len())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Text {
        let bytes = text.len();
        Shared::counted(text.into_boxed_str(), bytes)
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Shared<T> {
        Shared(self.0.clone())
    }
}

impl<T: Deref> Deref for Shared<T> {
    type Target = T::Target;
    fn deref(&self) -> &T::Target {
        &self.0.inner
    }
}

impl<T: fmt::Debug> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.inner.fmt(f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

impl Value {
    /// A text that a program made, if it is not too long and there is memory for it.
    pub fn text(text: impl Into<String> + AsRef<str>) -> Result<Value> {
        let bytes = text.as_ref().len();
        if bytes > LONGEST_TEXT {
            let message = format!("a text of {} is too long: at most {}", size_shown(bytes), size_shown(LONGEST_TEXT));
            return Err(Error::new(code::MEMORY, message));
        }
        room(bytes, "a text")?;
        Ok(Value::Str(text.into().into()))
    }

    /// A list that a program made, if there is memory for it.
    pub fn list(items: Vec<Value>) -> Result<Value> {
        room(items.capacity() * size_of::<Value>(), "a list")?;
        Ok(Value::List(Items::new(items)))
    }

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

/// An error if so many bytes do not fit beside what is in use.
pub fn room(bytes: usize, what: &str) -> Result<()> {
    match lacks_room(bytes + HEAD) {
        None => Ok(()),
        Some(left) => {
            let message = format!("no memory for {what} of {}: {} are left", size_shown(bytes), size_shown(left));
            Err(Error::new(code::MEMORY, message).help("allow more with --memory, or keep less at once"))
        }
    }
}
