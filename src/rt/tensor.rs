//! Named-axis tensors: a shared buffer, and for each axis a length and a stride.
//!
//! The order of `dims` is physical (outermost first as made) and never visible to programs. Strides count
//! elements; a stride of 0 repeats. Views (select, slice, rename, expand, split) share the buffer.

use crate::base::axis::Axis;
use crate::base::ops::DType;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::value::Value;

#[derive(Clone, Debug)]
pub struct Tensor {
    pub dims: Vec<Dim>,
    /// First element, counted in elements from the buffer's start.
    pub offset: usize,
    pub buffer: Buffer,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dim {
    pub axis: Axis,
    pub len: usize,
    pub stride: isize,
    /// Where the length came from, for messages: see `origin`.
    pub origin: Origin,
}

/// Where the length of an axis came from: an entry of a process-wide list of short texts such as
/// "input `heldout`" or "the range on line 28"; 0 is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Origin(pub u32);

/// 64-byte aligned storage, shared.
#[derive(Clone, Debug)]
pub enum Buffer {
    F32(Arc<Aligned<f32>>),
    F64(Arc<Aligned<f64>>),
    I64(Arc<Aligned<i64>>),
    Bool(Arc<Aligned<u8>>),
}

use super::copy;
use super::error::{Error, Result, code};
use ndarray::{ArrayViewD, IxDyn, ShapeBuilder};
use std::sync::{Mutex, OnceLock};

pub use super::aligned::Aligned;

/// Rust types that can be elements.
pub trait Element: bytemuck::Pod + Send + Sync + PartialOrd {
    const DTYPE: DType;
    fn wrap(values: Aligned<Self>) -> Buffer;
    /// `None` if the buffer holds another type.
    fn open(buffer: &Buffer) -> Option<&Arc<Aligned<Self>>>;
    fn open_mut(buffer: &mut Buffer) -> Option<&mut Arc<Aligned<Self>>>;
}

macro_rules! element {
    ($type:ty, $variant:ident, $dtype:expr) => {
        impl Element for $type {
            const DTYPE: DType = $dtype;
            fn wrap(values: Aligned<Self>) -> Buffer {
                Buffer::$variant(Arc::new(values))
            }
            fn open(buffer: &Buffer) -> Option<&Arc<Aligned<Self>>> {
                match buffer {
                    Buffer::$variant(values) => Some(values),
                    _ => None,
                }
            }
            fn open_mut(buffer: &mut Buffer) -> Option<&mut Arc<Aligned<Self>>> {
                match buffer {
                    Buffer::$variant(values) => Some(values),
                    _ => None,
                }
            }
        }
    };
}
element!(f32, F32, DType::F32);
element!(f64, F64, DType::F64);
element!(i64, I64, DType::I64);
element!(u8, Bool, DType::Bool);

/// Runs an expression with a type name standing for the element type of a `DType`.
macro_rules! with_element {
    ($dtype:expr, $name:ident => $body:expr) => {
        match $dtype {
            $crate::base::ops::DType::F32 => {
                type $name = f32;
                $body
            }
            $crate::base::ops::DType::F64 => {
                type $name = f64;
                $body
            }
            $crate::base::ops::DType::I64 => {
                type $name = i64;
                $body
            }
            $crate::base::ops::DType::Bool => {
                type $name = u8;
                $body
            }
        }
    };
}
pub(crate) use with_element;

fn origins() -> std::sync::MutexGuard<'static, Vec<String>> {
    static ORIGINS: OnceLock<Mutex<Vec<String>>> = OnceLock::new();
    let mutex = ORIGINS.get_or_init(|| Mutex::new(vec![String::new()]));
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Origin {
    pub fn new(text: &str) -> Origin {
        let mut list = origins();
        if let Some(found) = list.iter().position(|known| known == text) {
            return Origin(found as u32);
        }
        list.push(text.to_string());
        Origin(list.len() as u32 - 1)
    }

    pub fn text(self) -> String {
        origins().get(self.0 as usize).cloned().unwrap_or_default()
    }
}

impl Tensor {
    /// A dense tensor, first axis slowest. An error if the product of the lengths does not match or overflows.
    pub fn dense<T: Element>(axes: &[(Axis, usize)], values: Aligned<T>) -> Result<Tensor> {
        let count = checked_count(axes)?;
        if count != values.len() {
            let message = format!("{} values cannot fill a tensor of {count}", values.len());
            return Err(Error::new(code::INTERNAL, message));
        }
        Ok(Tensor { dims: dense_dims(axes), offset: 0, buffer: T::wrap(values) })
    }

    pub fn from_slice<T: Element>(axes: &[(Axis, usize)], values: &[T]) -> Result<Tensor> {
        Tensor::dense(axes, Aligned::from_slice(values))
    }

    pub fn zeros(dtype: DType, axes: &[(Axis, usize)]) -> Result<Tensor> {
        let count = checked_count(axes)?;
        let buffer = with_element!(dtype, T => T::wrap(Aligned::zeros(count)));
        Ok(Tensor { dims: dense_dims(axes), offset: 0, buffer })
    }

    /// A tensor of unspecified contents, for a caller that writes every element.
    pub fn scratch(dtype: DType, axes: &[(Axis, usize)]) -> Result<Tensor> {
        let count = checked_count(axes)?;
        let buffer = match dtype {
            DType::F32 => f32::wrap(Aligned::scratch(count)),
            DType::F64 => f64::wrap(Aligned::scratch(count)),
            DType::I64 => i64::wrap(Aligned::scratch(count)),
            DType::Bool => u8::wrap(Aligned::scratch(count)),
        };
        Ok(Tensor { dims: dense_dims(axes), offset: 0, buffer })
    }

    /// A dense tensor with the axes, lengths and origins of `dims`, in their order. The strides of `dims` do not matter.
    pub fn dense_over<T: Element>(dims: &[Dim], values: Aligned<T>) -> Result<Tensor> {
        let axes: Vec<(Axis, usize)> = dims.iter().map(|dim| (dim.axis, dim.len)).collect();
        let mut out = Tensor::dense(&axes, values)?;
        for (new, old) in out.dims.iter_mut().zip(dims) {
            new.origin = old.origin;
        }
        Ok(out)
    }

    pub fn rank(&self) -> usize {
        self.dims.len()
    }

    pub fn dtype(&self) -> DType {
        match self.buffer {
            Buffer::F32(_) => DType::F32,
            Buffer::F64(_) => DType::F64,
            Buffer::I64(_) => DType::I64,
            Buffer::Bool(_) => DType::Bool,
        }
    }

    pub fn dim(&self, axis: Axis) -> Option<&Dim> {
        self.dims.iter().find(|dim| dim.axis == axis)
    }

    /// The length of an axis it is known to have; an internal error otherwise.
    pub fn len(&self, axis: Axis) -> Result<usize> {
        self.dim(axis).map(|dim| dim.len).ok_or_else(|| {
            Error::new(code::INTERNAL, format!("a tensor over [{}] has no axis `{axis}`", self.axes_shown()))
        })
    }

    /// How many elements, repeated ones counted.
    pub fn elements(&self) -> usize {
        self.dims.iter().map(|dim| dim.len).product()
    }

    /// Axes and lengths in physical order.
    pub fn shape(&self) -> Vec<(Axis, usize)> {
        self.dims.iter().map(|dim| (dim.axis, dim.len)).collect()
    }

    pub fn axes_shown(&self) -> String {
        let parts: Vec<String> = self.dims.iter().map(|dim| format!("{} = {}", dim.axis, dim.len)).collect();
        parts.join(", ")
    }

    /// The whole buffer as a slice; `None` if the elements are of another type. Index it with `offset` and strides.
    pub fn raw<T: Element>(&self) -> Option<&[T]> {
        T::open(&self.buffer).map(|values| &values[..])
    }

    /// The whole buffer of elements that are known to be of this type; an internal error otherwise.
    pub fn store<T: Element>(&self) -> Result<&[T]> {
        self.raw::<T>()
            .ok_or_else(|| Error::new(code::INTERNAL, format!("elements are {:?}, not {:?}", self.dtype(), T::DTYPE)))
    }

    /// The elements in physical order, if they lie there densely (first dim slowest); otherwise `None`.
    pub fn as_dense<T: Element>(&self) -> Option<&[T]> {
        let raw = self.raw::<T>()?;
        self.is_dense().then(|| &raw[self.offset..self.offset + self.elements()])
    }

    /// Do the elements lie densely in the order of `dims`?
    pub fn is_dense(&self) -> bool {
        let mut expected = 1isize;
        if self.elements() == 0 {
            return true;
        }
        for dim in self.dims.iter().rev() {
            if dim.len != 1 && dim.stride != expected {
                return false;
            }
            expected *= dim.len as isize;
        }
        true
    }

    /// The same elements, dense, with the dims in this order (a permutation of its axes). Shares the buffer if
    /// they lie so already.
    pub fn in_order(&self, order: &[Axis]) -> Result<Tensor> {
        let mut dims = Vec::with_capacity(order.len());
        for &axis in order {
            let dim = self.dim(axis).copied();
            dims.push(dim.ok_or_else(|| Error::new(code::INTERNAL, format!("no axis `{axis}` to order by")))?);
        }
        let view = Tensor { dims, offset: self.offset, buffer: self.buffer.clone() };
        if view.is_dense() { Ok(view) } else { view.copied() }
    }

    /// A dense copy in physical order.
    pub fn copied(&self) -> Result<Tensor> {
        with_element!(self.dtype(), T => {
            let mut values = Aligned::<T>::scratch(self.elements());
            copy::write_all(self.store::<T>()?, self.offset, &self.dims, &mut values);
            Tensor::dense_over(&self.dims, values)
        })
    }

    /// An `ndarray` view with the dims in physical order. Bounds are checked by ndarray.
    pub fn view<T: Element>(&self) -> Result<ArrayViewD<'_, T>> {
        let raw = self.raw::<T>().ok_or_else(|| Error::new(code::INTERNAL, "element type mismatch"))?;
        let shape: Vec<usize> = self.dims.iter().map(|dim| dim.len).collect();
        let strides: Vec<usize> = self.dims.iter().map(|dim| dim.stride as usize).collect();
        let start = raw.get(self.offset..).unwrap_or(&[]);
        if self.elements() == 0 {
            // The strides of an empty part may reach behind the buffer, which nobody will follow.
            return ArrayViewD::from_shape(IxDyn(&shape), &[])
                .map_err(|fault| Error::new(code::INTERNAL, format!("an empty view: {fault}")));
        }
        ArrayViewD::from_shape(IxDyn(&shape).strides(IxDyn(&strides)), start)
            .map_err(|fault| Error::new(code::INTERNAL, format!("a view outside its buffer: {fault}")))
    }

    /// The single element of a tensor without axes.
    pub fn scalar(&self) -> Value {
        match &self.buffer {
            Buffer::F32(values) => values.get(self.offset).map_or(Value::None, |&x| Value::F32(x)),
            Buffer::F64(values) => values.get(self.offset).map_or(Value::None, |&x| Value::F64(x)),
            Buffer::I64(values) => values.get(self.offset).map_or(Value::None, |&x| Value::Int(x)),
            Buffer::Bool(values) => values.get(self.offset).map_or(Value::None, |&x| Value::Bool(x != 0)),
        }
    }

    /// All elements as f64, in the given order of axes: for tests, plots and printing.
    pub fn to_f64(&self, order: &[Axis]) -> Result<Vec<f64>> {
        let dense = self.in_order(order)?;
        let range = dense.offset..dense.offset + dense.elements();
        Ok(match &dense.buffer {
            Buffer::F32(values) => values[range].iter().map(|&x| x as f64).collect(),
            Buffer::F64(values) => values[range].to_vec(),
            Buffer::I64(values) => values[range].iter().map(|&x| x as f64).collect(),
            Buffer::Bool(values) => values[range].iter().map(|&x| x as f64).collect(),
        })
    }

    /// Marks where the lengths of all axes came from.
    pub fn with_origin(mut self, origin: Origin) -> Tensor {
        for dim in &mut self.dims {
            dim.origin = origin;
        }
        self
    }
}

/// Strides of a dense layout, first axis slowest.
pub fn dense_dims(axes: &[(Axis, usize)]) -> Vec<Dim> {
    let mut stride = 1isize;
    let mut dims: Vec<Dim> = axes
        .iter()
        .rev()
        .map(|&(axis, len)| {
            let dim = Dim { axis, len, stride, origin: Origin(0) };
            stride *= len.max(1) as isize;
            dim
        })
        .collect();
    dims.reverse();
    dims
}

/// Elements above which no tensor is made: what the machine's memory holds at four bytes each. The process-wide
/// limit stands in for allocations that know no context; `Ctx::memory_limit` may be lower.
static MOST_ELEMENTS: AtomicUsize = AtomicUsize::new(isize::MAX as usize / 64);

/// Sets the number of bytes that one tensor may take.
pub fn set_memory_limit(bytes: usize) {
    MOST_ELEMENTS.store((bytes / 4).min(isize::MAX as usize / 64), Ordering::Relaxed);
}

/// The number of elements; an error where it overflows or could not be allocated.
pub fn checked_count(axes: &[(Axis, usize)]) -> Result<usize> {
    let most = MOST_ELEMENTS.load(Ordering::Relaxed);
    let most = super::account::current().map_or(most, |account| most.min(account.memory() / 4));
    let count = axes.iter().try_fold(1usize, |count, &(_, len)| count.checked_mul(len));
    let count = count
        .filter(|&count| count <= most)
        .ok_or_else(|| too_large(axes).note("limit", format!("{most} elements")))?;
    match super::aligned::lacks_room(count * 4).filter(|_| count > COUNTED) {
        None => Ok(count),
        Some(left) => {
            let shown = super::chunked::size_shown;
            Err(too_large(axes).note("found", format!("{} are needed, {} are left", shown(count * 4), shown(left))))
        }
    }
}

/// Smaller tensors are never refused: what they take does not decide whether a program fits.
const COUNTED: usize = 1 << 16;

fn too_large(axes: &[(Axis, usize)]) -> Error {
    let shape: Vec<String> = axes.iter().map(|(axis, len)| format!("{axis} = {len}")).collect();
    Error::new(code::MEMORY, format!("a tensor over [{}] does not fit into memory", shape.join(", ")))
        .help("work on parts of it:  tiled[axis](x, fn(part) => ...)")
}

/// The error for an axis with two lengths; names both origins if known.
pub fn size_mismatch(axis: Axis, first: &Dim, second: &Dim) -> Error {
    let side = |dim: &Dim| match dim.origin.text() {
        origin if origin.is_empty() => format!("{} = {}", axis, dim.len),
        origin => format!("{} = {}, from {origin}", axis, dim.len),
    };
    Error::new(code::SIZE, format!("axis `{axis}` has two lengths here"))
        .note("found", side(first))
        .note("and", side(second))
        .help(format!(
            "a range makes a new axis; compare the same part of both: x[{axis} -> part: 0..{}]",
            first.len.min(second.len)
        ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rt::testing::{ALL_TYPES, Dice, at, axes, places};

    #[test]
    fn dense_checks_the_count() {
        let [a, b] = axes(["a", "b"]);
        assert!(Tensor::from_slice(&[(a, 2), (b, 3)], &[0f32; 6]).is_ok());
        assert_eq!(Tensor::from_slice(&[(a, 2), (b, 3)], &[0f32; 5]).unwrap_err().code, code::INTERNAL);
        let huge = [(a, usize::MAX / 2), (b, 3)];
        assert_eq!(Tensor::zeros(DType::F32, &huge).unwrap_err().code, code::MEMORY);
    }

    #[test]
    fn views_agree_with_elements() {
        let [a, b, c] = axes(["a", "b", "c"]);
        for seed in 0..100 {
            let mut dice = Dice::new(seed);
            let shape = [(a, dice.below(5)), (b, 1 + dice.below(4)), (c, 1 + dice.below(4))];
            let dtype = ALL_TYPES[seed as usize % 4];
            let t = dice.tensor(dtype, &shape);
            let listed = t.to_f64(&[c, a, b]).unwrap();
            let order = [shape[2], shape[0], shape[1]];
            let expected: Vec<f64> = places(&order).iter().map(|place| at(&t, place)).collect();
            assert_eq!(listed, expected);
            let copy = t.copied().unwrap();
            assert!(copy.is_dense());
            assert_eq!(copy.to_f64(&[c, a, b]).unwrap(), expected);
            assert_eq!(t.view::<f32>().is_ok(), dtype == DType::F32);
        }
    }

    #[test]
    fn in_order_shares_what_lies_so_already_and_keeps_origins() {
        let [a, b] = axes(["a", "b"]);
        let t = Tensor::from_slice(&[(a, 2), (b, 3)], &[0i64; 6]).unwrap().with_origin(Origin::new("a test"));
        let address = |t: &Tensor| t.raw::<i64>().unwrap().as_ptr();
        assert_eq!(address(&t.in_order(&[a, b]).unwrap()), address(&t));
        let turned = t.in_order(&[b, a]).unwrap();
        assert_ne!(address(&turned), address(&t));
        assert!(turned.dims.iter().all(|dim| dim.origin.text() == "a test"));
    }

    #[test]
    fn a_mismatch_names_lengths_and_origins() {
        let [a] = axes(["pos"]);
        let dim = |len, origin| Dim { axis: a, len, stride: 1, origin };
        let error = size_mismatch(a, &dim(3, Origin::new("input `x`")), &dim(5, Origin(0)));
        assert_eq!((error.code, error.message.as_str()), (code::SIZE, "axis `pos` has two lengths here"));
        assert_eq!(error.notes, [("found", "pos = 3, from input `x`".into()), ("and", "pos = 5".into())]);
    }
}
