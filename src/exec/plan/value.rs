//! What a plan knows of a value: itself if it is small and settled, else its axes and their lengths.
//!
//! Storage is a token that counts its bytes while anything holds it, so that the memory of a plan rises and falls where
//! that of a run does. Nothing here holds the elements of a tensor.

use crate::base::axis::Axis;
use crate::base::ops::DType;
use crate::ir::Type;
use crate::rt::value::{Items, Value};
use std::cell::Cell;
use std::rc::Rc;

#[derive(Clone, Debug, Default)]
pub enum Guess {
    #[default]
    Unknown,
    /// A scalar, text, key or opened file.
    Known(Value),
    Tensor(Shape),
    List(Vec<Guess>),
    Record(Vec<Guess>),
}

#[derive(Clone, Debug)]
pub struct Shape {
    pub dtype: DType,
    pub dims: Vec<(Axis, Option<u64>)>,
    pub storage: Option<Rc<Storage>>,
    /// Which input or stream the elements are those of, by its number.
    pub source: Option<usize>,
}

/// Bytes that are in use.
#[derive(Debug, Default)]
pub struct Meter {
    pub live: Cell<u64>,
    pub peak: Cell<u64>,
    pub largest: Cell<u64>,
    /// Was there a tensor of unknown size?
    pub unknown: Cell<bool>,
}

#[derive(Debug)]
pub struct Storage {
    pub bytes: u64,
    meter: Rc<Meter>,
}

impl Storage {
    pub fn new(bytes: u64, meter: &Rc<Meter>) -> Rc<Storage> {
        meter.live.set(meter.live.get() + bytes);
        meter.peak.set(meter.peak.get().max(meter.live.get()));
        meter.largest.set(meter.largest.get().max(bytes));
        Rc::new(Storage { bytes, meter: meter.clone() })
    }
}

impl Drop for Storage {
    fn drop(&mut self) {
        self.meter.live.set(self.meter.live.get().saturating_sub(self.bytes));
    }
}

impl Shape {
    /// The shape that a type tells, all lengths unknown.
    pub fn of_type(ty: &Type) -> Option<Shape> {
        let axes = ty.axes().filter(|axes| !axes.is_empty())?;
        let dims = axes.iter().map(|axis| (axis, None)).collect();
        Some(Shape { dtype: ty.dtype()?, dims, storage: None, source: None })
    }

    pub fn len(&self, axis: Axis) -> Option<u64> {
        self.dims.iter().find(|(known, _)| *known == axis).and_then(|(_, len)| *len)
    }

    pub fn set(&mut self, axis: Axis, len: Option<u64>) {
        if let Some(dim) = self.dims.iter_mut().find(|(known, _)| *known == axis) {
            dim.1 = len;
        }
    }

    pub fn elements(&self) -> Option<u64> {
        self.dims.iter().try_fold(1u64, |product, (_, len)| product.checked_mul((*len)?))
    }

    pub fn bytes(&self) -> Option<u64> {
        self.elements()?.checked_mul(self.dtype.bytes() as u64)
    }

    /// `f32[batch 64, pos 128]`; a length that does not follow from inputs is shown as `?`.
    pub fn shown(&self) -> String {
        let mut dims: Vec<(String, String)> = Vec::new();
        for (axis, len) in &self.dims {
            dims.push((axis.shown(), len.map_or_else(|| "?".to_string(), |len| len.to_string())));
        }
        dims.sort();
        let dims: Vec<String> = dims.into_iter().map(|(name, len)| format!("{name} {len}")).collect();
        let dtype = match self.dtype {
            DType::F32 => "f32",
            DType::F64 => "f64",
            DType::I64 => "int",
            DType::Bool => "bool",
        };
        format!("{dtype}[{}]", dims.join(", "))
    }
}

impl Guess {
    /// The value, if it is known and no tensor.
    pub fn value(&self) -> Option<Value> {
        match self {
            Guess::Known(value) => Some(value.clone()),
            Guess::List(items) => {
                let items: Option<Vec<Value>> = items.iter().map(Guess::value).collect();
                Some(Value::List(Items::new(items?)))
            }
            _ => None,
        }
    }

    pub fn int(&self) -> Option<u64> {
        match self {
            Guess::Known(Value::Int(x)) => u64::try_from(*x).ok(),
            _ => None,
        }
    }

    pub fn shape(&self) -> Option<&Shape> {
        match self {
            Guess::Tensor(shape) => Some(shape),
            _ => None,
        }
    }

    /// What is known of a value that may be either.
    pub fn join(&self, other: &Guess) -> Guess {
        match (self, other) {
            (Guess::Known(a), Guess::Known(b)) if same(a, b) => self.clone(),
            (Guess::Tensor(a), Guess::Tensor(b)) => {
                let mut joined = b.clone();
                for (axis, len) in &mut joined.dims {
                    *len = len.filter(|len| a.len(*axis) == Some(*len));
                }
                Guess::Tensor(joined)
            }
            (Guess::List(a), Guess::List(b)) if a.len() == b.len() => {
                Guess::List(a.iter().zip(b).map(|(a, b)| a.join(b)).collect())
            }
            (Guess::Record(a), Guess::Record(b)) if a.len() == b.len() => {
                Guess::Record(a.iter().zip(b).map(|(a, b)| a.join(b)).collect())
            }
            _ => Guess::Unknown,
        }
    }
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => a == b,
        (Value::F32(a), Value::F32(b)) => a.to_bits() == b.to_bits(),
        (Value::F64(a), Value::F64(b)) => a.to_bits() == b.to_bits(),
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Str(a), Value::Str(b)) => **a == **b,
        (Value::File(a), Value::File(b)) => std::sync::Arc::ptr_eq(a, b),
        _ => false,
    }
}
