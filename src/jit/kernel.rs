//! Elementwise kernels in machine code (to be written).

use cranelift::codegen::Context;
use cranelift::prelude::*;

use crate::base::kernel::Kernel;
use crate::rt::elementwise::TileFn;
use crate::rt::error::Result;

use super::unit::Unit;

pub fn supported(_: &Kernel) -> bool {
    false
}

pub fn lower(_: &mut Unit, _: &Kernel, _: &mut Context, _: &mut FunctionBuilderContext) -> Result<()> {
    Ok(())
}

/// # Safety
/// `address` must be code of the signature of a tile function.
pub unsafe fn tile_function(address: *const u8) -> TileFn {
    TileFn(unsafe { std::mem::transmute::<*const u8, extern "C" fn(i64, *const *const u8, *const *mut u8)>(address) })
}
