//! The transcendental functions over tiles, and the few places where the runtime meets machine code.
//!
//! Each function exists once, as a formula of plain IEEE operations in a fixed order with no fused
//! multiply-add (`formulas`). It is compiled for several vector widths, and all give the same bits, so the width
//! may follow the machine. The standard library's `exp`, `sin` and so on must never be used in the runtime: their
//! bits depend on the system. This is one of the few files with `unsafe`; nothing here may panic.

use crate::base::ops::{DType, ScalarOp};
use std::sync::atomic::{AtomicU8, Ordering};

pub mod formulas;
pub mod power;
mod reduce_angle;
pub mod scan;
pub mod strips;
#[cfg(target_arch = "x86_64")]
mod wide;

use formulas as f;

/// How wide the vectors are that this machine has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Level {
    Unknown = 0,
    Plain = 1,
    Avx2 = 2,
    Avx512 = 3,
}

static LEVEL: AtomicU8 = AtomicU8::new(Level::Unknown as u8);

fn detect() -> Level {
    #[cfg(target_arch = "x86_64")]
    {
        let widest = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512bw");
        if widest && is_x86_feature_detected!("avx2") {
            return Level::Avx512;
        }
        if is_x86_feature_detected!("avx2") {
            return Level::Avx2;
        }
    }
    Level::Plain
}

/// The level in use, found once.
fn level() -> Level {
    match LEVEL.load(Ordering::Relaxed) {
        1 => Level::Plain,
        2 => Level::Avx2,
        3 => Level::Avx512,
        _ => {
            let found = detect();
            LEVEL.store(found as u8, Ordering::Relaxed);
            found
        }
    }
}

/// Uses no wider vectors than `most` from now on. Results do not change; tests show that.
pub fn limit_level(most: Level) {
    LEVEL.store(detect().min(most).max(Level::Plain) as u8, Ordering::Relaxed);
}

/// Compiles one body for several vector widths and picks at run time. The body must be plain arithmetic.
macro_rules! versions {
    ($(#[$note:meta])* $vis:vis fn $name:ident($($arg:ident: $type:ty),*) $(-> $out:ty)? $body:block) => {
        $(#[$note])*
        $vis fn $name($($arg: $type),*) $(-> $out)? {
            #[inline(always)]
            fn plain($($arg: $type),*) $(-> $out)? $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2")]
                fn avx2($($arg: $type),*) $(-> $out)? {
                    plain($($arg),*)
                }
                #[target_feature(enable = "avx2,avx512f,avx512vl,avx512dq,avx512bw")]
                fn avx512($($arg: $type),*) $(-> $out)? {
                    plain($($arg),*)
                }
                match level() {
                    // SAFETY: `level` gives this value only where the processor was found to have the features.
                    Level::Avx512 => return unsafe { avx512($($arg),*) },
                    // SAFETY: as above.
                    Level::Avx2 => return unsafe { avx2($($arg),*) },
                    _ => {}
                }
            }
            plain($($arg),*)
        }
    };
}

pub mod rows;
pub mod softmax;
pub mod sums;

macro_rules! tile {
    ($name:ident, $type:ty, $body:path) => {
        versions! {
            fn $name(x: &mut [$type]) {
                for value in x.iter_mut() {
                    *value = $body(*value);
                }
            }
        }
    };
}
tile!(exp_f32, f32, f::exp_f32);
tile!(log_f32, f32, f::log_f32);
tile!(tanh_f32, f32, f::tanh_f32);
tile!(erf_f32, f32, f::erf_f32);
tile!(sin_f32, f32, f::sin_f32);
tile!(cos_f32, f32, f::cos_f32);
tile!(exp_f64, f64, f::exp_f64);
tile!(log_f64, f64, f::log_f64);
tile!(tanh_f64, f64, f::tanh_f64);
tile!(erf_f64, f64, f::erf_f64);
tile!(sin_f64, f64, f::sin_f64);
tile!(cos_f64, f64, f::cos_f64);

/// Applies a transcendental function in place; other operations leave the tile as it is.
pub fn tile_f32(op: ScalarOp, x: &mut [f32]) {
    match op {
        ScalarOp::Exp => exp_f32(x),
        ScalarOp::Log => log_f32(x),
        ScalarOp::Tanh => tanh_f32(x),
        ScalarOp::Erf => erf_f32(x),
        ScalarOp::Sin if x.iter().any(|v| far_f32(*v)) => x.iter_mut().for_each(|v| *v = scalar_f32(op, *v)),
        ScalarOp::Cos if x.iter().any(|v| far_f32(*v)) => x.iter_mut().for_each(|v| *v = scalar_f32(op, *v)),
        ScalarOp::Sin => sin_f32(x),
        ScalarOp::Cos => cos_f32(x),
        _ => {}
    }
}

/// The same for f64.
pub fn tile_f64(op: ScalarOp, x: &mut [f64]) {
    match op {
        ScalarOp::Exp => exp_f64(x),
        ScalarOp::Log => log_f64(x),
        ScalarOp::Tanh => tanh_f64(x),
        ScalarOp::Erf => erf_f64(x),
        ScalarOp::Sin if x.iter().any(|v| far_f64(*v)) => x.iter_mut().for_each(|v| *v = scalar_f64(op, *v)),
        ScalarOp::Cos if x.iter().any(|v| far_f64(*v)) => x.iter_mut().for_each(|v| *v = scalar_f64(op, *v)),
        ScalarOp::Sin => sin_f64(x),
        ScalarOp::Cos => cos_f64(x),
        _ => {}
    }
}

/// Does an angle need the slow exact reduction?
fn far_f32(x: f32) -> bool {
    far_f64(x as f64)
}

fn far_f64(x: f64) -> bool {
    x.abs() > f::FAR && x.is_finite()
}

/// One value, with the bits that the tile function gives; NaN for an operation that is not transcendental.
pub fn scalar_f32(op: ScalarOp, x: f32) -> f32 {
    match op {
        ScalarOp::Exp => f::exp_f32(x),
        ScalarOp::Log => f::log_f32(x),
        ScalarOp::Tanh => f::tanh_f32(x),
        ScalarOp::Erf => f::erf_f32(x),
        ScalarOp::Sin if far_f32(x) => reduce_angle::sin(x as f64) as f32,
        ScalarOp::Cos if far_f32(x) => reduce_angle::cos(x as f64) as f32,
        ScalarOp::Sin => f::sin_f32(x),
        ScalarOp::Cos => f::cos_f32(x),
        _ => f32::NAN,
    }
}

/// The same for f64.
pub fn scalar_f64(op: ScalarOp, x: f64) -> f64 {
    match op {
        ScalarOp::Exp => f::exp_f64(x),
        ScalarOp::Log => f::log_f64(x),
        ScalarOp::Tanh => f::tanh_f64(x),
        ScalarOp::Erf => f::erf_f64(x),
        ScalarOp::Sin if far_f64(x) => reduce_angle::sin(x),
        ScalarOp::Cos if far_f64(x) => reduce_angle::cos(x),
        ScalarOp::Sin => f::sin_f64(x),
        ScalarOp::Cos => f::cos_f64(x),
        _ => f64::NAN,
    }
}

pub use power::{pow_f32, pow_f64, rem_f32, rem_f64};

versions! {
    /// Standard normal numbers from 32 random bits each.
    pub fn normals(bits: &[u32], out: &mut [f32]) {
        for (out, &bits) in out.iter_mut().zip(bits) {
            *out = f::normal_from_bits(bits);
        }
    }
}

versions! {
    /// The largest of each group of elements, NaN aside; element i belongs to group i modulo `out.len()`, and the row
    /// is no shorter than that. True if there was a NaN.
    pub fn group_maxima_f32(row: &[f32], out: &mut [f32]) -> bool {
        let mut nan = false;
        out.fill(f32::NEG_INFINITY);
        for part in row.chunks(out.len().max(1)) {
            for (most, &x) in out.iter_mut().zip(part) {
                nan |= x.is_nan();
                *most = if x > *most { x } else { *most };
            }
        }
        nan
    }
}

/// The signature of a kernel's compiled code: reads `n` elements of each input (one, if the kernel calls it scalar)
/// and writes `n` elements of each output.
pub type TileCode = unsafe extern "C" fn(n: i64, inputs: *const *const u8, outputs: *const *mut u8);

/// Compiled code of a kernel.
#[derive(Clone, Copy)]
pub struct TileFn {
    code: TileCode,
    in_order: bool,
}

impl TileFn {
    /// `in_order`: the code takes any number of elements at once, and reads a position of every input before it
    /// writes that position of any output, so that an output may lie where an input does.
    /// # Safety
    /// The code must be alive as long as the `TileFn`, belong to the kernel that it is passed to `elementwise::run`
    /// with, touch only the elements that `TileCode` names, and never unwind.
    pub unsafe fn new(code: TileCode, in_order: bool) -> TileFn {
        TileFn { code, in_order }
    }

    pub(super) fn in_order(self) -> bool {
        self.in_order
    }

    /// Runs the code on one tile. Inputs that are not scalar and all outputs hold at least `n` elements of the
    /// kernel's types; outputs overlap nothing, except that one may be an input of code that is `in_order`.
    /// `elementwise` is the only caller and sees to that.
    pub(super) fn call(self, n: usize, inputs: &[*const u8], outputs: &[*mut u8]) {
        // SAFETY: the code belongs to the caller's kernel by the promise of `new`; the caller's tiles are slices of
        // `n` elements, alive during the call and apart from each other but for the exception above, which the
        // code allows, one for each input and output.
        unsafe { (self.code)(n as i64, inputs.as_ptr(), outputs.as_ptr()) }
    }
}

macro_rules! pointers {
    ($tile:ident, $scalar:ident, $type:ty, $run:path, $one:path, $op:expr) => {
        extern "C" fn $tile(x: *mut $type, n: i64) {
            if x.is_null() || n <= 0 {
                return;
            }
            // SAFETY: compiled kernels pass a tile scratch of their own with `n` elements, used by nobody else.
            $run($op, unsafe { std::slice::from_raw_parts_mut(x, n as usize) });
        }
        extern "C" fn $scalar(x: $type) -> $type {
            $one($op, x)
        }
    };
}
pointers!(c_exp_f32s, c_exp_f32, f32, tile_f32, scalar_f32, ScalarOp::Exp);
pointers!(c_log_f32s, c_log_f32, f32, tile_f32, scalar_f32, ScalarOp::Log);
pointers!(c_tanh_f32s, c_tanh_f32, f32, tile_f32, scalar_f32, ScalarOp::Tanh);
pointers!(c_erf_f32s, c_erf_f32, f32, tile_f32, scalar_f32, ScalarOp::Erf);
pointers!(c_sin_f32s, c_sin_f32, f32, tile_f32, scalar_f32, ScalarOp::Sin);
pointers!(c_cos_f32s, c_cos_f32, f32, tile_f32, scalar_f32, ScalarOp::Cos);
pointers!(c_exp_f64s, c_exp_f64, f64, tile_f64, scalar_f64, ScalarOp::Exp);
pointers!(c_log_f64s, c_log_f64, f64, tile_f64, scalar_f64, ScalarOp::Log);
pointers!(c_tanh_f64s, c_tanh_f64, f64, tile_f64, scalar_f64, ScalarOp::Tanh);
pointers!(c_erf_f64s, c_erf_f64, f64, tile_f64, scalar_f64, ScalarOp::Erf);
pointers!(c_sin_f64s, c_sin_f64, f64, tile_f64, scalar_f64, ScalarOp::Sin);
pointers!(c_cos_f64s, c_cos_f64, f64, tile_f64, scalar_f64, ScalarOp::Cos);

extern "C" fn c_pow_f32(x: f32, y: f32) -> f32 {
    pow_f32(x, y)
}

extern "C" fn c_pow_f64(x: f64, y: f64) -> f64 {
    pow_f64(x, y)
}

extern "C" fn c_rem_f32(x: f32, y: f32) -> f32 {
    rem_f32(x, y)
}

extern "C" fn c_rem_f64(x: f64, y: f64) -> f64 {
    rem_f64(x, y)
}

/// The address of an `extern "C" fn(*mut T, i64)` that applies `op` in place to contiguous elements.
pub fn tile_pointer(op: ScalarOp, dtype: DType) -> Option<*const u8> {
    Some(match (op, dtype) {
        (ScalarOp::Exp, DType::F32) => c_exp_f32s as *const u8,
        (ScalarOp::Log, DType::F32) => c_log_f32s as *const u8,
        (ScalarOp::Tanh, DType::F32) => c_tanh_f32s as *const u8,
        (ScalarOp::Erf, DType::F32) => c_erf_f32s as *const u8,
        (ScalarOp::Sin, DType::F32) => c_sin_f32s as *const u8,
        (ScalarOp::Cos, DType::F32) => c_cos_f32s as *const u8,
        (ScalarOp::Exp, DType::F64) => c_exp_f64s as *const u8,
        (ScalarOp::Log, DType::F64) => c_log_f64s as *const u8,
        (ScalarOp::Tanh, DType::F64) => c_tanh_f64s as *const u8,
        (ScalarOp::Erf, DType::F64) => c_erf_f64s as *const u8,
        (ScalarOp::Sin, DType::F64) => c_sin_f64s as *const u8,
        (ScalarOp::Cos, DType::F64) => c_cos_f64s as *const u8,
        _ => return None,
    })
}

/// The address of an `extern "C" fn(T) -> T`; of `fn(T, T) -> T` for `Pow` and `Rem`.
pub fn scalar_pointer(op: ScalarOp, dtype: DType) -> Option<*const u8> {
    Some(match (op, dtype) {
        (ScalarOp::Exp, DType::F32) => c_exp_f32 as *const u8,
        (ScalarOp::Log, DType::F32) => c_log_f32 as *const u8,
        (ScalarOp::Tanh, DType::F32) => c_tanh_f32 as *const u8,
        (ScalarOp::Erf, DType::F32) => c_erf_f32 as *const u8,
        (ScalarOp::Sin, DType::F32) => c_sin_f32 as *const u8,
        (ScalarOp::Cos, DType::F32) => c_cos_f32 as *const u8,
        (ScalarOp::Pow, DType::F32) => c_pow_f32 as *const u8,
        (ScalarOp::Rem, DType::F32) => c_rem_f32 as *const u8,
        (ScalarOp::Exp, DType::F64) => c_exp_f64 as *const u8,
        (ScalarOp::Log, DType::F64) => c_log_f64 as *const u8,
        (ScalarOp::Tanh, DType::F64) => c_tanh_f64 as *const u8,
        (ScalarOp::Erf, DType::F64) => c_erf_f64 as *const u8,
        (ScalarOp::Sin, DType::F64) => c_sin_f64 as *const u8,
        (ScalarOp::Cos, DType::F64) => c_cos_f64 as *const u8,
        (ScalarOp::Pow, DType::F64) => c_pow_f64 as *const u8,
        (ScalarOp::Rem, DType::F64) => c_rem_f64 as *const u8,
        _ => return None,
    })
}

/// A kernel's code written by hand, for the tests of `elementwise`: out = (x + y) * s with `s` scalar, all f32.
#[cfg(test)]
pub(super) fn scaled_sum() -> TileFn {
    unsafe extern "C" fn code(n: i64, inputs: *const *const u8, outputs: *const *mut u8) {
        // SAFETY: three inputs and one output of the stated kinds, as `TileCode` promises.
        unsafe {
            let (x, y) = ((*inputs) as *const f32, (*inputs.add(1)) as *const f32);
            let s = *((*inputs.add(2)) as *const f32);
            for i in 0..n as usize {
                *((*outputs) as *mut f32).add(i) = (*x.add(i) + *y.add(i)) * s;
            }
        }
    }
    // SAFETY: the code is static and does what the comment says.
    unsafe { TileFn::new(code, false) }
}

#[cfg(test)]
#[path = "simd/tests.rs"]
mod tests;
