//! Stored numbers to elements: one closed list of types and explicit rules of conversion, for npy and safetensors.
//!
//! Integers become `int`, floats become f32. Nothing is rounded silently except f64 to f32, and nothing that does
//! not fit is let through.

use super::super::error::{Error, Result, code};
use super::super::tensor::{Aligned, Dim, Element, Origin, Tensor, checked_count, dense_dims};
use super::FileHandle;
use crate::base::axis::Axis;

/// How a number is stored in a file.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Stored {
    Bool,
    U8,
    U16,
    U32,
    U64,
    I8,
    I16,
    I32,
    I64,
    F16,
    BF16,
    F32,
    F64,
}

impl Stored {
    pub fn bytes(self) -> usize {
        use Stored::*;
        match self {
            Bool | U8 | I8 => 1,
            U16 | I16 | F16 | BF16 => 2,
            U32 | I32 | F32 => 4,
            U64 | I64 | F64 => 8,
        }
    }

    pub fn shown(self) -> &'static str {
        use Stored::*;
        match self {
            Bool => "bool",
            U8 => "uint8",
            U16 => "uint16",
            U32 => "uint32",
            U64 => "uint64",
            I8 => "int8",
            I16 => "int16",
            I32 => "int32",
            I64 => "int64",
            F16 => "float16",
            BF16 => "bfloat16",
            F32 => "float32",
            F64 => "float64",
        }
    }

    pub fn is_float(self) -> bool {
        matches!(self, Stored::F16 | Stored::BF16 | Stored::F32 | Stored::F64)
    }
}

/// An array as it lies in a file. `bytes` has exactly the length that `shape` and `stored` ask for.
pub struct Array<'a> {
    pub file: &'a FileHandle,
    /// The name of the tensor in the file; empty where the file is one array.
    pub name: &'a str,
    pub stored: Stored,
    pub big_endian: bool,
    /// The first axis varies fastest.
    pub fortran: bool,
    pub shape: Vec<usize>,
    pub bytes: &'a [u8],
}

/// No tensor of ours has more axes; a header that claims more is not worth reading on.
pub const MAX_RANK: usize = 8;
/// No axis is longer.
pub const MAX_LENGTH: usize = 1 << 40;

/// The bytes that a shape asks for; `None` where it is beyond the limits. Zeros count as one in the check, so
/// that `[0, 2^63]` is refused too.
pub fn claimed_bytes(shape: &[usize], stored: usize) -> Option<usize> {
    if shape.len() > MAX_RANK || shape.iter().any(|&length| length > MAX_LENGTH) {
        return None;
    }
    shape.iter().try_fold(stored, |total, &length| total.checked_mul(length.max(1)))?;
    Some(shape.iter().product::<usize>() * stored)
}

/// `1140 x 128`; a scalar is `one number`.
pub fn shape_shown(shape: &[usize]) -> String {
    if shape.is_empty() {
        return "one number".to_string();
    }
    shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" x ")
}

macro_rules! numbers {
    ($array:expr, $type:ty) => {{
        let (big, bytes) = ($array.big_endian, $array.bytes);
        bytes.chunks_exact(size_of::<$type>()).map(move |chunk| {
            let mut raw = [0u8; size_of::<$type>()];
            raw.copy_from_slice(chunk);
            if big { <$type>::from_be_bytes(raw) } else { <$type>::from_le_bytes(raw) }
        })
    }};
}

impl Array<'_> {
    fn shown(&self) -> String {
        if self.name.is_empty() {
            self.file.shown()
        } else {
            format!("tensor `{}` of {}", self.name, self.file.shown())
        }
    }

    fn fault(&self, code: &'static str, message: String) -> Error {
        Error::new(code, format!("{} {message}", self.shown())).note("file", self.file.path.display().to_string())
    }

    /// Where element number `flat` (in the order of the file) stands: `[3, 17]`.
    fn place(&self, flat: usize) -> String {
        let mut rest = flat;
        let mut index = vec![0; self.shape.len()];
        let order: Vec<usize> =
            if self.fortran { (0..self.shape.len()).collect() } else { (0..self.shape.len()).rev().collect() };
        for axis in order {
            index[axis] = rest % self.shape[axis].max(1);
            rest /= self.shape[axis].max(1);
        }
        format!("[{}]", index.iter().map(usize::to_string).collect::<Vec<_>>().join(", "))
    }

    /// The array has as many axes as the script gives it.
    fn check_rank(&self, axes: &[Axis]) -> Result<()> {
        if axes.len() == self.shape.len() {
            return Ok(());
        }
        let asked: Vec<String> = axes.iter().map(|axis| axis.shown()).collect();
        let message = format!("has {} axes, the script names {}", self.shape.len(), axes.len());
        Err(self
            .fault(code::FILE, message)
            .note("found", shape_shown(&self.shape))
            .note("needed", format!("[{}]", asked.join(", "))))
    }

    /// As f32 over `axes`, in the order of the file. NaN and infinity are errors.
    pub fn to_f32(&self, axes: &[Axis]) -> Result<Tensor> {
        match self.stored {
            Stored::F32 => self.filled(axes, |values| put(values, numbers!(self, f32))),
            Stored::F64 => self.filled(axes, |values| put(values, numbers!(self, f64).map(|x| x as f32))),
            Stored::F16 => {
                self.filled(axes, |values| put(values, numbers!(self, u16).map(|x| half::f16::from_bits(x).to_f32())))
            }
            Stored::BF16 => {
                self.filled(axes, |values| put(values, numbers!(self, u16).map(|x| half::bf16::from_bits(x).to_f32())))
            }
            _ => self.integers_as_f32(axes),
        }
    }

    /// A tensor over `axes` whose elements `fill` writes, in the order of the file. NaN and infinity are errors.
    pub fn filled(&self, axes: &[Axis], fill: impl FnOnce(&mut [f32])) -> Result<Tensor> {
        self.check_rank(axes)?;
        let mut values = Aligned::<f32>::zeros(checked_count(&self.axes_and_lengths(axes))?);
        fill(&mut values);
        match values.iter().position(|x| !x.is_finite()) {
            None => self.finish(axes, values),
            Some(flat) => Err(self
                .fault(code::NOT_FINITE, format!("holds {} at {}", shown_bad(values[flat]), self.place(flat)))
                .note("note", "NaN and infinity are never weights; a float64 beyond 3.4e38 becomes infinity")),
        }
    }

    fn integers_as_f32(&self, axes: &[Axis]) -> Result<Tensor> {
        self.check_rank(axes)?;
        let mut values = Aligned::<f32>::zeros(checked_count(&self.axes_and_lengths(axes))?);
        self.each_integer(|flat, number| {
            // Every integer up to 2^24 has an f32.
            if number.unsigned_abs() > 1 << 24 {
                let message = format!("holds {number} at {}, which no f32 equals", self.place(flat));
                return Err(self.fault(code::ARITHMETIC, message));
            }
            values[flat] = number as f32;
            Ok(())
        })?;
        self.finish(axes, values)
    }

    /// As indices (integers from 0 on) over `axes`, in the order of the file.
    pub fn to_index(&self, of: Axis, axes: &[Axis]) -> Result<Tensor> {
        self.check_rank(axes)?;
        if self.stored.is_float() || self.stored == Stored::Bool {
            let message = format!("holds {}, but indices of `{of}` are whole numbers", self.stored.shown());
            return Err(self.fault(code::FILE, message));
        }
        let mut values = Aligned::<i64>::zeros(checked_count(&self.axes_and_lengths(axes))?);
        self.each_integer(|flat, number| {
            if number < 0 {
                let message = format!("holds {number} at {}: no index of `{of}` is negative", self.place(flat));
                return Err(self.fault(code::BOUNDS, message));
            }
            values[flat] = number;
            Ok(())
        })?;
        self.finish(axes, values)
    }

    /// Each number with its place in the order of the file; an error if they are not whole.
    pub fn each_integer(&self, mut put: impl FnMut(usize, i64) -> Result<()>) -> Result<()> {
        match self.stored {
            Stored::Bool => numbers!(self, u8).enumerate().try_for_each(|(at, x)| put(at, (x != 0) as i64)),
            Stored::U8 => numbers!(self, u8).enumerate().try_for_each(|(at, x)| put(at, x as i64)),
            Stored::U16 => numbers!(self, u16).enumerate().try_for_each(|(at, x)| put(at, x as i64)),
            Stored::U32 => numbers!(self, u32).enumerate().try_for_each(|(at, x)| put(at, x as i64)),
            Stored::I8 => numbers!(self, i8).enumerate().try_for_each(|(at, x)| put(at, x as i64)),
            Stored::I16 => numbers!(self, i16).enumerate().try_for_each(|(at, x)| put(at, x as i64)),
            Stored::I32 => numbers!(self, i32).enumerate().try_for_each(|(at, x)| put(at, x as i64)),
            Stored::I64 => numbers!(self, i64).enumerate().try_for_each(|(at, x)| put(at, x)),
            Stored::U64 => numbers!(self, u64).enumerate().try_for_each(|(at, x)| {
                let fits = i64::try_from(x).map_err(|_| {
                    self.fault(code::ARITHMETIC, format!("holds {x} at {}, too large for `int`", self.place(at)))
                });
                put(at, fits?)
            }),
            _ => Err(self.fault(code::FILE, format!("holds {}, not whole numbers", self.stored.shown()))),
        }
    }

    fn axes_and_lengths(&self, axes: &[Axis]) -> Vec<(Axis, usize)> {
        axes.iter().copied().zip(self.shape.iter().copied()).collect()
    }

    fn finish<T: Element>(&self, axes: &[Axis], values: Aligned<T>) -> Result<Tensor> {
        let mut shape = self.axes_and_lengths(axes);
        let origin = Origin::new(&self.shown());
        if !self.fortran {
            return Ok(Tensor::dense(&shape, values)?.with_origin(origin));
        }
        shape.reverse();
        let mut dims: Vec<Dim> = dense_dims(&shape);
        dims.reverse();
        Ok(Tensor { dims, offset: 0, buffer: T::wrap(values) }.copied()?.with_origin(origin))
    }
}

/// Copies the numbers.
fn put(values: &mut [f32], numbers: impl Iterator<Item = f32>) {
    for (slot, number) in values.iter_mut().zip(numbers) {
        *slot = number;
    }
}

fn shown_bad(x: f32) -> &'static str {
    match x {
        x if x.is_nan() => "NaN",
        x if x > 0.0 => "infinity",
        _ => "-infinity",
    }
}
