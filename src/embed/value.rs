//! Values that cross between a host and its sessions.
use super::array::Array;
use super::diagnostic::Failure;
use crate::ir::{Elem, Type};
use crate::rt::error::{Error, Result as Outcome, code};
use crate::rt::tensor::{Origin, Tensor};
use crate::rt::value::{Items, Value as Inner};

/// A value of the language, as a host sees it.
#[derive(Clone, Debug)]
pub enum Value {
    /// What a function without a result gives.
    Nothing,
    /// `int`, or a single index.
    Int(i64),
    /// `f32` without axes.
    F32(f32),
    /// `float`
    Float(f64),
    Bool(bool),
    /// `str`
    Text(String),
    Array(Array),
    /// All items have one type.
    List(Vec<Value>),
    /// The fields in order.
    Record(Vec<(String, Value)>),
    /// What no host can hold: a key, an open file, a function. The text is its type.
    Other(String),
}

impl Value {
    /// The array, if it is one.
    pub fn array(&self) -> Option<&Array> {
        match self {
            Value::Array(array) => Some(array),
            _ => None,
        }
    }

    /// The number of an `int`, `f32` or `float`.
    pub fn number(&self) -> Option<f64> {
        match self {
            Value::Int(x) => Some(*x as f64),
            Value::F32(x) => Some(f64::from(*x)),
            Value::Float(x) => Some(*x),
            _ => None,
        }
    }

    pub fn int(&self) -> Option<i64> {
        match self {
            Value::Int(x) => Some(*x),
            _ => None,
        }
    }

    pub fn bool(&self) -> Option<bool> {
        match self {
            Value::Bool(x) => Some(*x),
            _ => None,
        }
    }

    pub fn text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn list(&self) -> Option<&[Value]> {
        match self {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// A field of a record.
    pub fn field(&self, name: &str) -> Option<&Value> {
        match self {
            Value::Record(fields) => fields.iter().find(|(own, _)| own == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The type that a program sees.
    pub(super) fn ty(&self) -> Result<Type, Failure> {
        Ok(match self {
            Value::Int(_) => Type::INT,
            Value::F32(_) => Type::F32,
            Value::Float(_) => Type::FLOAT,
            Value::Bool(_) => Type::BOOL,
            Value::Text(_) => Type::Str,
            Value::Array(array) => array.ty(),
            Value::List(items) => {
                let types = items.iter().map(Value::ty).collect::<Result<Vec<Type>, Failure>>()?;
                match types.split_first() {
                    Some((first, rest)) if rest.iter().all(|ty| ty == first) => Type::List(Box::new(first.clone())),
                    Some(_) => return Err(Failure::usage("the items of a list differ in type", "give one type only")),
                    None => return Err(Failure::usage("an empty list has no type", "let the program make it")),
                }
            }
            Value::Record(fields) => {
                let field = |(name, value): &(String, Value)| Ok((name.clone(), value.ty()?));
                Type::Record(fields.iter().map(field).collect::<Result<_, Failure>>()?)
            }
            Value::Nothing | Value::Other(_) => {
                return Err(Failure::usage("this value cannot be given to a program", "give a number, text or array"));
            }
        })
    }

    /// The leaves in the order of their type; lists are leaves, and records in them values.
    pub(super) fn leaves(self, origin: &str) -> Vec<Inner> {
        match self {
            Value::Record(fields) => fields.into_iter().flat_map(|(_, value)| value.leaves(origin)).collect(),
            other => vec![other.inner(origin)],
        }
    }

    /// As the runtime holds it. `origin` says in messages where lengths of axes came from.
    pub(super) fn inner(self, origin: &str) -> Inner {
        match self {
            Value::Nothing | Value::Other(_) => Inner::None,
            Value::Int(x) => Inner::Int(x),
            Value::F32(x) => Inner::F32(x),
            Value::Float(x) => Inner::F64(x),
            Value::Bool(x) => Inner::Bool(x),
            Value::Text(text) => Inner::Str(text.into()),
            Value::Array(array) => Inner::Tensor(array.tensor.with_origin(Origin::new(origin))),
            Value::List(items) => Inner::List(Items::new(items.into_iter().map(|item| item.inner(origin)).collect())),
            Value::Record(fields) => {
                Inner::Record(Items::new(fields.into_iter().map(|(_, value)| value.inner(origin)).collect()))
            }
        }
    }

    /// A value of the runtime, of this type (which records need, and indices). Tensors in tiles, and those that keep entries only, are made whole: that is
    /// a copy, and an error if the whole does not fit.
    pub(super) fn of(inner: &Inner, ty: &Type) -> Outcome<Value> {
        Ok(match (inner, ty) {
            (Inner::Int(x), _) => Value::Int(*x),
            (Inner::F32(x), _) => Value::F32(*x),
            (Inner::F64(x), _) => Value::Float(*x),
            (Inner::Bool(x), _) => Value::Bool(*x),
            (Inner::Str(text), _) => Value::Text(text.to_string()),
            (Inner::Tensor(tensor), ty) => Value::Array(Array::of(tensor.clone(), element(tensor, ty))),
            (Inner::Sparse(_) | Inner::Chunked(_), ty) => match inner.clone().plain()? {
                Inner::Tensor(tensor) => Value::Array(Array::of(tensor.clone(), element(&tensor, ty))),
                other => Value::of(&other, ty)?,
            },
            (Inner::List(items), ty) => {
                let item = if let Type::List(item) = ty { item } else { &Type::Unit };
                Value::List(items.iter().map(|value| Value::of(value, item)).collect::<Outcome<_>>()?)
            }
            (Inner::Record(values), Type::Record(fields)) => {
                let field = |((name, ty), value): (&(String, Type), &Inner)| Ok((name.clone(), Value::of(value, ty)?));
                Value::Record(fields.iter().zip(values.iter()).map(field).collect::<Outcome<_>>()?)
            }
            (Inner::Key(_) | Inner::File(_), ty) => Value::Other(ty.to_string()),
            (Inner::None, _) => return Err(Error::new(code::ARGUMENT, "this name has no value")),
            (_, ty) => Value::Other(ty.to_string()),
        })
    }
}

fn element(tensor: &Tensor, ty: &Type) -> Elem {
    use crate::base::ops::DType;
    match (ty.elem(), tensor.dtype()) {
        (Some(elem), dtype) if elem.dtype() == dtype => elem,
        (_, DType::F32) => Elem::F32,
        (_, DType::F64) => Elem::F64,
        (_, DType::I64) => Elem::Int,
        (_, DType::Bool) => Elem::Bool,
    }
}

macro_rules! from {
    ($($type:ty => $variant:ident;)*) => {
        $(impl From<$type> for Value {
            fn from(value: $type) -> Value {
                Value::$variant(value.into())
            }
        })*
    };
}
from! {
    i64 => Int;
    i32 => Int;
    f32 => F32;
    f64 => Float;
    bool => Bool;
    &str => Text;
    String => Text;
    Array => Array;
    Vec<Value> => List;
}
