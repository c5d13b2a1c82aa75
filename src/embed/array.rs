//! Arrays with axis names, in and out of a session.
//!
//! An [`Array`] is a tensor of the runtime: a shared buffer and, for each axis, a name, a length and a stride. Cloning one
//! copies nothing. See the methods for where elements are copied.

use std::fmt;

use ndarray::{ArrayBase, ArrayD, ArrayViewD, Data, Dimension, IxDyn, OwnedRepr, ShapeBuilder};

use super::diagnostic::Failure;
use crate::base::axis::Axis;
use crate::base::ops::DType;
use crate::check::Checker;
use crate::ir::{AxisSet, Elem, Type};
use crate::rt::error::Result as Outcome;
use crate::rt::tensor::{Aligned, Element as Stored, Tensor};

/// The type of an array's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElementType {
    F32,
    F64,
    /// 64 bits: `int`, and indices of axes.
    Int,
    Bool,
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
    impl Sealed for i64 {}
    impl Sealed for bool {}
}

/// Types that elements can have: `f32`, `f64`, `i64` and `bool`.
pub trait Element: Copy + fmt::Debug + Send + Sync + sealed::Sealed + 'static {
    const TYPE: ElementType;
    #[doc(hidden)]
    fn tensor(axes: &[(Axis, usize)], values: Vec<Self>) -> Outcome<Tensor>;
    /// The whole buffer, if it holds this type.
    #[doc(hidden)]
    fn buffer(tensor: &Tensor) -> Option<&[Self]>;
}

macro_rules! element {
    ($type:ty, $name:ident) => {
        impl Element for $type {
            const TYPE: ElementType = ElementType::$name;
            fn tensor(axes: &[(Axis, usize)], values: Vec<Self>) -> Outcome<Tensor> {
                Tensor::dense(axes, Aligned::given(values))
            }
            fn buffer(tensor: &Tensor) -> Option<&[Self]> {
                tensor.raw::<$type>()
            }
        }
    };
}
element!(f32, F32);
element!(f64, F64);
element!(i64, Int);

impl Element for bool {
    const TYPE: ElementType = ElementType::Bool;
    fn tensor(axes: &[(Axis, usize)], values: Vec<Self>) -> Outcome<Tensor> {
        Tensor::dense::<u8>(axes, Aligned::given(bytemuck::cast_vec(values)))
    }
    fn buffer(tensor: &Tensor) -> Option<&[Self]> {
        // Bytes above 1 would be no bools; the runtime makes none.
        bytemuck::checked::try_cast_slice(<u8 as Stored>::open(&tensor.buffer)?).ok()
    }
}

/// An array whose axes have names.
#[derive(Clone)]
pub struct Array {
    pub(super) tensor: Tensor,
    /// The type of its elements, which for indices says of which axis.
    pub(super) elem: Elem,
}

impl Array {
    /// Takes over an array of `ndarray` with a name for each axis. Nothing is copied if it lies in standard order (the
    /// last axis side by side); otherwise it is copied into that order once, so that results depend on the values and
    /// the order of the axes, and never on how they lay in memory.
    pub fn new<T: Element, D: Dimension>(values: ArrayBase<OwnedRepr<T>, D>, axes: &[&str]) -> Result<Array, Failure> {
        let named = named(values.shape(), axes)?;
        let whole = values.is_standard_layout();
        let count = values.len();
        let values = if whole { values } else { values.as_standard_layout().into_owned() };
        let (mut raw, offset) = values.into_raw_vec_and_offset();
        // A part of a larger array: its elements move to the front of the memory that they have.
        let offset = offset.unwrap_or(0);
        if offset > 0 {
            raw.copy_within(offset..offset + count, 0);
        }
        raw.truncate(count);
        if raw.capacity() > 2 * count {
            raw.shrink_to_fit();
        }
        Array::dense(&named, raw)
    }

    /// Copies an array or a view of any layout: a session outlives what it could borrow.
    pub fn copied<T: Element, S: Data<Elem = T>, D: Dimension>(
        values: &ArrayBase<S, D>,
        axes: &[&str],
    ) -> Result<Array, Failure> {
        Array::dense(&named(values.shape(), axes)?, values.iter().copied().collect())
    }

    /// Takes over the elements in standard order (the last axis side by side), without a copy.
    pub fn from_vec<T: Element>(values: Vec<T>, axes: &[(&str, usize)]) -> Result<Array, Failure> {
        let (names, shape): (Vec<&str>, Vec<usize>) = axes.iter().copied().unzip();
        let count = shape.iter().try_fold(1usize, |count, &len| count.checked_mul(len));
        if count != Some(values.len()) {
            let message = format!("{} elements do not fill an array of shape {shape:?}", values.len());
            return Err(Failure::usage(message, "the lengths of the axes multiply to the number of elements"));
        }
        Array::dense(&named(&shape, &names)?, values)
    }

    fn dense<T: Element>(axes: &[(Axis, usize)], values: Vec<T>) -> Result<Array, Failure> {
        let elem = match T::TYPE {
            ElementType::F32 => Elem::F32,
            ElementType::F64 => Elem::F64,
            ElementType::Int => Elem::Int,
            ElementType::Bool => Elem::Bool,
        };
        Ok(Array { tensor: T::tensor(axes, values)?, elem })
    }

    pub(super) fn of(tensor: Tensor, elem: Elem) -> Array {
        Array { tensor, elem }
    }

    pub(super) fn ty(&self) -> Type {
        let axes: AxisSet = self.tensor.dims.iter().map(|dim| dim.axis).collect();
        Type::Tensor(self.elem, axes)
    }

    /// The type as the language writes it, axes sorted by name: `f32[dmodel, pos]`.
    pub fn type_shown(&self) -> String {
        self.ty().to_string()
    }

    pub fn element(&self) -> ElementType {
        match self.tensor.dtype() {
            DType::F32 => ElementType::F32,
            DType::F64 => ElementType::F64,
            DType::I64 => ElementType::Int,
            DType::Bool => ElementType::Bool,
        }
    }

    /// The axes with their lengths, in the order in which they lie in memory, which means nothing to programs.
    pub fn axes(&self) -> Vec<(String, usize)> {
        self.tensor.dims.iter().map(|dim| (dim.axis.shown(), dim.len)).collect()
    }

    /// The length of an axis, if the array has it.
    pub fn len_of(&self, axis: &str) -> Option<usize> {
        self.tensor.dims.iter().find(|dim| dim.axis.shown() == axis).map(|dim| dim.len)
    }

    /// How many elements, those that stand for several counted each time.
    pub fn len(&self) -> usize {
        self.tensor.elements()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements as a view with the axes in this order; all must be named. Nothing is copied.
    pub fn view<T: Element>(&self, order: &[&str]) -> Result<ArrayViewD<'_, T>, Failure> {
        let mut dims = Vec::with_capacity(order.len());
        for name in order {
            match self.tensor.dims.iter().find(|dim| dim.axis.shown() == *name) {
                Some(dim) if !dims.contains(dim) => dims.push(*dim),
                Some(_) => return Err(self.misnamed(&format!("`{name}` stands there twice"))),
                None => return Err(self.misnamed(&format!("there is no axis `{name}`"))),
            }
        }
        if dims.len() != self.tensor.rank() {
            return Err(self.misnamed(&format!("{} of {} axes are named", dims.len(), self.tensor.rank())));
        }
        let Some(buffer) = T::buffer(&self.tensor) else {
            let message = format!("the array is {}, and {:?} was asked for", self.type_shown(), T::TYPE);
            return Err(Failure::usage(message, "ask for the type that `element()` names"));
        };
        let shape: Vec<usize> = dims.iter().map(|dim| dim.len).collect();
        let strides: Vec<usize> = dims.iter().map(|dim| dim.stride as usize).collect();
        let view = if self.is_empty() {
            ArrayViewD::from_shape(IxDyn(&shape), &[])
        } else {
            let start = buffer.get(self.tensor.offset..).unwrap_or(&[]);
            ArrayViewD::from_shape(IxDyn(&shape).strides(IxDyn(&strides)), start)
        };
        view.map_err(|fault| {
            Failure::usage(format!("the array cannot be viewed: {fault}"), "take a copy with `to_array`")
        })
    }

    /// A copy of the elements, with the axes in this order.
    pub fn to_array<T: Element>(&self, order: &[&str]) -> Result<ArrayD<T>, Failure> {
        Ok(self.view::<T>(order)?.as_standard_layout().into_owned())
    }

    fn misnamed(&self, what: &str) -> Failure {
        let known: Vec<String> = self.tensor.dims.iter().map(|dim| dim.axis.shown()).collect();
        Failure::usage(format!("{what} in this order of axes"), format!("the array has the axes {}", known.join(", ")))
    }
}

impl fmt::Debug for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let axes: Vec<String> = self.axes().into_iter().map(|(name, len)| format!("{name} = {len}")).collect();
        write!(f, "{:?} [{}]", self.element(), axes.join(", "))
    }
}

/// The most axes that `ndarray` and the runtime are asked to carry.
const MOST_AXES: usize = 16;

/// Each length with its axis; one name for each axis, no name twice.
fn named(shape: &[usize], names: &[&str]) -> Result<Vec<(Axis, usize)>, Failure> {
    if shape.len() != names.len() {
        let message = format!("{} axis names for an array with {} axes", names.len(), shape.len());
        return Err(Failure::usage(message, "name each axis once, in the order of the shape"));
    }
    if shape.is_empty() {
        return Err(Failure::usage("an array without axes is a number", "give the number itself"));
    }
    if shape.len() > MOST_AXES {
        return Err(Failure::usage(
            format!("{} axes, at most {MOST_AXES}", shape.len()),
            "merge axes that go together",
        ));
    }
    if let Some(twice) = names.iter().enumerate().find(|(place, name)| names[..*place].contains(name)) {
        return Err(Failure::usage(
            format!("the axis `{}` stands there twice", twice.1),
            "an array has each axis once",
        ));
    }
    if let Some(bad) = names.iter().find(|name| !Checker::is_axis_name(name)) {
        let message = format!("`{}` cannot be the name of an axis", bad.escape_debug());
        return Err(Failure::usage(message, "a name is letters, digits and underscores, such as `pos`"));
    }
    Ok(names.iter().zip(shape).map(|(name, &len)| (Axis::named("", name), len)).collect())
}
