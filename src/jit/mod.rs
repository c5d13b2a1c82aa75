//! Machine code through cranelift: control flow, scalar code, comprehensions and elementwise kernels.
//!
//! Heavy operations go to the executor (`exec::op`) through the one table of `table`, so results and errors are
//! those of the oracle. Reading order: `state` (what machine code and Rust share), `table` and `steps` (the door),
//! `unit` (modules and lifetimes), `func` (one function), `control`, `scalar`, `views`, `kernel`, `lanes`.
//!
//! `unsafe` is allowed here only where it says why. No hardware traps: everything that could trap is tested before.

pub mod control;
pub mod func;
pub mod kernel;
pub mod lanes;
pub mod scalar;
pub mod state;
pub mod steps;
pub mod table;
pub mod unit;
pub mod views;

use crate::base::span::Span;
use crate::exec::{Engine, Fault, graph, internal};
use crate::ir::{FuncId, Function, Module};
use crate::rt::ctx::Ctx;
use crate::rt::elementwise::TileFn;
use crate::rt::error::{Error, Result};
use crate::rt::value::Value;

use state::{Run, Site, State, from_cell, to_cell};
use unit::{Ready, Unit};

/// The compiling engine. It serves one module (and what is appended to it), keeping code by `FuncId`.
#[derive(Default)]
pub struct Jit {
    plain: Option<Unit>,
    /// With tests for NaN and infinity.
    checked: Option<Unit>,
}

/// Below this many bytes of frames a call runs on the caller's stack.
const SMALL_STACK: usize = 256 << 10;
/// What the runtime may need on top of the frames of machine code.
const RUNTIME_STACK: usize = 8 << 20;

impl Jit {
    pub fn new() -> Jit {
        Jit::default()
    }

    fn place(&mut self, check_finite: bool) -> &mut Option<Unit> {
        if check_finite { &mut self.checked } else { &mut self.plain }
    }

    /// The unit with that function compiled.
    fn ready(&mut self, module: &Module, func: FuncId, check_finite: bool) -> Result<(&Unit, Ready)> {
        let place = self.place(check_finite);
        let mut unit = match place.take() {
            Some(unit) => unit,
            None => Unit::new(check_finite)?,
        };
        // A unit that failed half-way has functions without code: it is not put back.
        let ready = unit.ready(module, func)?;
        Ok((place.insert(unit), ready))
    }
}

impl Engine for Jit {
    fn call(
        &mut self,
        module: &Module,
        func: FuncId,
        args: Vec<Value>,
        globals: &mut Vec<Value>,
        ctx: &mut Ctx,
    ) -> std::result::Result<Vec<Value>, Fault> {
        let outside = |error: Error| Fault::new(error, Span::default());
        let (unit, ready) = self.ready(module, func, ctx.check_finite).map_err(outside)?;
        if let Some(profile) = &ctx.profile {
            profile.compiled();
        }
        let function = module.function(func);
        let entry = Entry { ready, function, sites: &unit.sites, kernels: &unit.kernels, cells: unit.cells };
        if ready.stack <= SMALL_STACK {
            return entry.call(args, globals, ctx);
        }
        graph::on_large_stack(ready.stack + RUNTIME_STACK, || entry.call(args, globals, ctx))
    }
}

/// What a call from outside needs of a unit.
struct Entry<'a> {
    ready: Ready,
    function: &'a Function,
    sites: &'a [Site],
    kernels: &'a [Option<TileFn>],
    cells: usize,
}

impl Entry<'_> {
    /// Calls machine code: scalars in the exchange cells, everything else in the first slots.
    fn call(
        &self,
        args: Vec<Value>,
        globals: &mut Vec<Value>,
        ctx: &mut Ctx,
    ) -> std::result::Result<Vec<Value>, Fault> {
        let (mut cells, objects) = self.arguments(args).map_err(|error| Fault::new(error, Span::default()))?;
        let interrupt = ctx.interrupt.as_ptr() as *const u8;
        let depth = i64::from(ctx.depth);
        let run =
            Run { ctx, globals, sites: self.sites, kernels: self.kernels, objects, returned: Vec::new(), fault: None };
        let mut state = State { exchange: cells.as_mut_ptr(), interrupt, depth, cells, run };
        // SAFETY: the unit that compiled the code is borrowed through its sites until the call is over; the state
        // has the cells, slots and sites that the code was compiled for, and nobody else uses it during the call.
        let status = unsafe { (self.ready.native)(&mut state, 0) };
        if status != 0 {
            let unknown = || Fault::new(internal("machine code failed without a fault"), Span::default());
            return Err(state.run.fault.take().unwrap_or_else(unknown));
        }
        Ok(self.results(state))
    }

    fn arguments(&self, args: Vec<Value>) -> Result<(Vec<u64>, Vec<Value>)> {
        let mut cells = Vec::with_capacity(self.cells);
        let mut objects = Vec::new();
        for (&param, value) in self.function.params.iter().zip(args) {
            if self.function.ty(param).is_scalar() {
                cells.push(to_cell(&value).ok_or_else(|| internal("a scalar parameter got something else"))?);
            } else {
                objects.push(value);
            }
        }
        cells.resize(self.cells.max(cells.len()), 0);
        objects.resize(objects.len().max(self.ready.slots as usize), Value::None);
        Ok((cells, objects))
    }

    fn results(&self, state: State) -> Vec<Value> {
        let mut objects = state.run.returned.into_iter();
        let mut scalars = state.cells.into_iter();
        let take = |ty: &crate::ir::Type| match ty.dtype().filter(|_| ty.is_scalar()) {
            Some(dtype) => from_cell(scalars.next().unwrap_or(0), dtype),
            None => objects.next().unwrap_or_default(),
        };
        self.function.results.iter().map(take).collect()
    }
}

/// The code of one function as text, for `locus dump`: CLIF, or assembly.
pub fn dump(module: &Module, func: FuncId, asm: bool) -> std::result::Result<String, String> {
    let mut unit = Unit::new(false).map_err(|error| error.to_string())?;
    unit.text(module, func, asm).map_err(|error| error.to_string())
}
