//! The only door between machine code and Rust: one table, written by one macro.
//!
//! A step gets the state, the frame's base and the number of a site, and answers with a status: 0, or 1 after it has
//! left a fault in the state. A panic in a step becomes a fault too, because it must never unwind through machine
//! code. Mathematical functions are the runtime's own (`rt::simd`), on floats, and cannot fail. Nothing else crosses.

use crate::base::ops::{DType, ScalarOp};
use crate::exec::{Fault, internal};
use crate::rt::simd;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::state::{Site, State};
use super::steps::{self, Failure, Step};

// SAFETY: of a call, see the steps that the macro writes.
pub type StepFn = unsafe extern "C" fn(*mut State<'_>, i64, i64) -> i32;

/// What an entry is called with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// `fn(state, base, site) -> status`.
    Step,
    /// `fn(T, ..) -> T` with this many arguments.
    Scalar(DType, usize),
    /// `fn(*mut T, n)`, in place on contiguous elements.
    Tile,
}

/// An entry: its name as a symbol, its address, and its shape.
#[derive(Clone, Copy)]
pub struct Entry {
    pub name: &'static str,
    pub address: *const u8,
    pub shape: Shape,
}

macro_rules! native {
    (
        steps { $($step:ident = $body:path;)* }
        math { $($op:ident($arity:literal) $name32:literal $name64:literal;)* }
    ) => {
        $(
            // SAFETY: only machine code calls it, with the state that the call from outside made, which outlives
            // that call and to which nothing else holds a reference meanwhile.
            unsafe extern "C" fn $step(state: *mut State<'_>, base: i64, site: i64) -> i32 {
                // SAFETY: see above.
                let state = unsafe { &mut *state };
                guarded(state, base, site, $body)
            }
        )*

        /// Everything machine code may call.
        pub fn table() -> Vec<Entry> {
            let mut entries = Vec::new();
            $(
                let code: StepFn = $step;
                entries.push(Entry {
                    name: concat!("locus_", stringify!($step)),
                    address: code as *const u8,
                    shape: Shape::Step,
                });
            )*
            $(
                for dtype in [DType::F32, DType::F64] {
                    let (op, shape) = (ScalarOp::$op, Shape::Scalar(dtype, $arity));
                    if let (Some(name), Some(address)) = (scalar_symbol(op, dtype), simd::scalar_pointer(op, dtype)) {
                        entries.push(Entry { name, address, shape });
                    }
                    if let (Some(name), Some(address)) = (tile_symbol(op, dtype), simd::tile_pointer(op, dtype)) {
                        entries.push(Entry { name, address, shape: Shape::Tile });
                    }
                }
            )*
            entries
        }

        /// The symbol of a mathematical function on scalars, if it has one.
        pub fn scalar_symbol(op: ScalarOp, dtype: DType) -> Option<&'static str> {
            match (op, dtype) {
                $(
                    (ScalarOp::$op, DType::F32) => Some(concat!("locus_", $name32)),
                    (ScalarOp::$op, DType::F64) => Some(concat!("locus_", $name64)),
                )*
                _ => None,
            }
        }

        /// The symbol of a mathematical function on a tile, if it has one.
        pub fn tile_symbol(op: ScalarOp, dtype: DType) -> Option<&'static str> {
            match (op, dtype) {
                $(
                    (ScalarOp::$op, DType::F32) if $arity == 1 => Some(concat!("locus_tile_", $name32)),
                    (ScalarOp::$op, DType::F64) if $arity == 1 => Some(concat!("locus_tile_", $name64)),
                )*
                _ => None,
            }
        }
    };
}

native! {
    steps {
        execute = steps::execute;
        arrange = steps::arrange;
        release = steps::release;
        prepare = steps::prepare;
        leave = steps::leave;
        finish = steps::finish;
        trace = steps::trace;
        depth = steps::depth;
        interrupted = steps::interrupted;
        buffers = steps::buffers;
        view = steps::view;
        chain = steps::chain;
    }
    math {
        Exp(1) "exp_f32" "exp_f64";
        Log(1) "log_f32" "log_f64";
        Tanh(1) "tanh_f32" "tanh_f64";
        Erf(1) "erf_f32" "erf_f64";
        Sin(1) "sin_f32" "sin_f64";
        Cos(1) "cos_f32" "cos_f64";
        Pow(2) "pow_f32" "pow_f64";
        Rem(2) "rem_f32" "rem_f64";
    }
}

/// Runs a step's body; whatever goes wrong ends as a fault in the state.
fn guarded(state: &mut State<'_>, base: i64, number: i64, body: fn(&mut Step, &Site) -> Result<(), Failure>) -> i32 {
    let sites: &[Site] = state.run.sites;
    let Some(site) = sites.get(number as usize) else {
        state.run.fault = Some(Fault::new(internal("machine code named no site"), Default::default()));
        return 1;
    };
    let mut step = Step { run: &mut state.run, cells: &mut state.cells, base: base as usize };
    let failure = match catch_unwind(AssertUnwindSafe(|| body(&mut step, site))) {
        Ok(Ok(())) => return 0,
        Ok(Err(failure)) => failure,
        Err(panic) => Failure::from(internal(format!("a fault of the runtime: {}", panic_text(&*panic)))),
    };
    step.run.fault = Some(Fault::new(failure.error, failure.span.unwrap_or(site.span)));
    1
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_symbol_has_one_entry() {
        let mut names: Vec<&str> = table().iter().map(|entry| entry.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        for &op in crate::base::ops::ALL {
            for dtype in [DType::F32, DType::F64] {
                for symbol in [scalar_symbol(op, dtype), tile_symbol(op, dtype)].into_iter().flatten() {
                    assert!(names.binary_search(&symbol).is_ok(), "{symbol}");
                }
            }
        }
        assert_eq!(tile_symbol(ScalarOp::Pow, DType::F32), None);
        assert!(tile_symbol(ScalarOp::Exp, DType::F32).is_some());
    }

    #[test]
    fn a_panic_becomes_a_fault_with_the_place_of_its_site() {
        use crate::base::span::{FileId, Span};
        use crate::jit::state::{Action, Run};
        let span = Span::new(FileId(0), 3, 4);
        let sites = [Site { span, action: Action::Depth }];
        let (mut ctx, mut globals) = (crate::exec::oracle::tests::quiet(), Vec::new());
        let run = Run {
            ctx: &mut ctx,
            globals: &mut globals,
            sites: &sites,
            kernels: &[],
            objects: Vec::new(),
            returned: Vec::new(),
            fault: None,
        };
        let none = std::ptr::null_mut();
        let mut state = State { exchange: none, interrupt: none.cast_const().cast(), depth: 0, cells: Vec::new(), run };
        fn panics(_: &mut Step, _: &Site) -> Result<(), Failure> {
            panic!("on purpose")
        }
        assert_eq!(guarded(&mut state, 0, 0, panics), 1);
        let fault = state.run.fault.take();
        assert!(fault.is_some_and(|fault| fault.span == span && fault.error.message.contains("on purpose")));
        assert_eq!(guarded(&mut state, 0, 7, panics), 1);
        assert!(state.run.fault.is_some());
    }
}
