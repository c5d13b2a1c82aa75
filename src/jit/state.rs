//! What machine code and the runtime share during one call from outside: the exchange cells, the stack of
//! values, and the table of sites.
//!
//! Machine code reads only the first three fields of `State`, at offsets that are taken here; everything else it
//! asks for through the steps of `table`. Scalars cross in the exchange cells, values never leave the Rust side.

use crate::base::axis::Axis;
use crate::base::kernel::Kernel;
use crate::base::ops::DType;
use crate::base::span::Span;
use crate::base::sweep::Sweep;
use crate::exec::Fault;
use crate::ir::{GlobalId, Op, Type};
use crate::rt::ctx::Ctx;
use crate::rt::elementwise::TileFn;
use crate::rt::value::Value;

/// The state of one call from outside.
#[repr(C)]
pub struct State<'a> {
    /// The first exchange cell.
    pub exchange: *mut u64,
    /// The byte behind `Ctx::interrupt`.
    pub interrupt: *const u8,
    /// Nesting of calls.
    pub depth: i64,
    /// The exchange cells themselves: as many as the largest site of the compiled functions needs.
    pub cells: Vec<u64>,
    pub run: Run<'a>,
}

pub const EXCHANGE: i32 = std::mem::offset_of!(State, exchange) as i32;
pub const INTERRUPT: i32 = std::mem::offset_of!(State, interrupt) as i32;
pub const DEPTH: i32 = std::mem::offset_of!(State, depth) as i32;

/// The part of the state that machine code never looks into.
pub struct Run<'a> {
    pub ctx: &'a mut Ctx,
    pub globals: &'a mut Vec<Value>,
    pub sites: &'a [Site],
    pub kernels: &'a [Option<TileFn>],
    /// One frame of slots after another; machine code knows where its own begins.
    pub objects: Vec<Value>,
    /// Values on their way from a function to its caller.
    pub returned: Vec<Value>,
    pub fault: Option<Fault>,
}

/// A place in a script where machine code asks for something.
#[derive(Debug)]
pub struct Site {
    pub span: Span,
    pub action: Action,
}

#[derive(Debug)]
pub enum Action {
    /// An operation through the executor.
    Execute(Box<Execution>),
    /// Values move between slots of the frame, all at once.
    Arrange(Vec<(Object, u32)>),
    /// Slots become empty.
    Release(Vec<u32>),
    /// A call is next: `args` go to the first slots of a new frame of `slots`, which begins `above` slots further.
    Prepare { args: Vec<Object>, above: u32, slots: u32 },
    /// A function ends: these of its values are handed up, the frame of `slots` is emptied.
    Leave { results: Vec<Object>, slots: u32 },
    /// The values handed up arrive in these slots.
    Finish(Vec<u32>),
    /// A failed call passed here on its way out.
    Trace,
    /// Calls nest too deep.
    Depth,
    /// Somebody may have pressed Ctrl-C.
    Interrupt,
    /// The tensors that a comprehension fills.
    Buffers { axes: Vec<Axis>, dests: Vec<(DType, u32)> },
    /// Base address, then length and stride in bytes for each axis.
    View { slot: u32, dtype: DType, axes: Vec<Axis> },
    /// An index was out of bounds in this chain of selections, whose indices are in the exchange cells.
    Chain { slot: u32, links: Vec<(Axis, Span)> },
}

/// An operation with its operands and results resolved to cells and slots.
#[derive(Debug)]
pub struct Execution {
    pub work: Work,
    pub args: Vec<Source>,
    pub types: Vec<Type>,
    pub dests: Vec<Place>,
}

#[derive(Debug)]
pub enum Work {
    Op(Op),
    /// An elementwise kernel, and where its machine code will stand in `Run::kernels`. The operation is kept for
    /// messages.
    Kernel(Op, Box<Kernel>, Option<usize>),
    /// A sweep, and the machine code of each of its steps that is a kernel.
    Sweep(Box<Sweep>, Vec<Option<usize>>),
    GlobalGet(GlobalId),
    GlobalSet(GlobalId),
}

/// Where an operand comes from. Scalars are in the exchange cell of the operand's number.
#[derive(Clone, Copy, Debug)]
pub enum Source {
    Cell(DType),
    Slot(Object),
}

/// A slot of the frame that is read; `take` empties it.
#[derive(Clone, Copy, Debug)]
pub struct Object {
    pub slot: u32,
    pub take: bool,
}

/// Where a result goes. Scalars go to the exchange cell of the result's number.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    Cell,
    Slot(u32),
}

impl Action {
    /// How many exchange cells the site needs.
    pub fn cells(&self) -> usize {
        match self {
            Action::Execute(work) => work.args.len().max(work.dests.len()),
            Action::Buffers { axes, dests } => axes.len().max(dests.len()),
            Action::View { axes, .. } => 1 + 2 * axes.len(),
            Action::Chain { links, .. } => links.len(),
            _ => 0,
        }
    }
}

/// In a word or two, for dumps.
impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Action::Execute(work) => write!(f, "execute {}", work.work),
            Action::Arrange(moves) => write!(f, "move {} values", moves.len()),
            Action::Release(slots) => write!(f, "release slots {slots:?}"),
            Action::Prepare { args, .. } => write!(f, "prepare a call with {} objects", args.len()),
            Action::Leave { results, .. } => write!(f, "leave with {} objects", results.len()),
            Action::Finish(slots) => write!(f, "results into slots {slots:?}"),
            Action::Trace => write!(f, "trace"),
            Action::Depth => write!(f, "too deep"),
            Action::Interrupt => write!(f, "interrupt"),
            Action::Buffers { axes, .. } => write!(f, "buffers over {axes:?}"),
            Action::View { slot, axes, .. } => write!(f, "layout of slot {slot} over {axes:?}"),
            Action::Chain { slot, links } => write!(f, "slot {slot} read out of bounds, {} indices", links.len()),
        }
    }
}

impl std::fmt::Display for Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Work::Op(op) => write!(f, "{op:?}"),
            Work::Kernel(_, kernel, code) => {
                let names: Vec<&str> = kernel.steps.iter().map(|step| step.op.name()).collect();
                let how = code.map_or("interpreted".to_string(), |number| format!("compiled as kernel {number}"));
                write!(f, "kernel {} ({how})", names.join(" "))
            }
            Work::Sweep(sweep, codes) => {
                let compiled = codes.iter().flatten().count();
                write!(f, "sweep of {} steps ({compiled} compiled)", sweep.steps.len())
            }
            Work::GlobalGet(global) => write!(f, "global {}", global.0),
            Work::GlobalSet(global) => write!(f, "set global {}", global.0),
        }
    }
}

/// The bits of a scalar in an exchange cell; `None` for other values.
pub fn to_cell(value: &Value) -> Option<u64> {
    Some(match value {
        Value::Int(x) => *x as u64,
        Value::F32(x) => u64::from(x.to_bits()),
        Value::F64(x) => x.to_bits(),
        Value::Bool(x) => u64::from(*x),
        _ => return None,
    })
}

/// The scalar in an exchange cell. Machine code writes as many low bytes as the type has; the rest is old.
pub fn from_cell(bits: u64, dtype: DType) -> Value {
    match dtype {
        DType::I64 => Value::Int(bits as i64),
        DType::F32 => Value::F32(f32::from_bits(bits as u32)),
        DType::F64 => Value::F64(f64::from_bits(bits)),
        DType::Bool => Value::Bool(bits as u8 != 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_keep_the_bits_and_ignore_old_high_bytes() {
        let old = 0xffff_ffff_0000_0000u64;
        let x = to_cell(&Value::F32(1.5)).map(|bits| from_cell(bits | old, DType::F32));
        assert!(matches!(x, Some(Value::F32(x)) if x == 1.5));
        let flag = from_cell(old, DType::Bool);
        assert!(matches!(flag, Value::Bool(false)));
        let n = to_cell(&Value::Int(-3)).map(|bits| from_cell(bits, DType::I64));
        assert!(matches!(n, Some(Value::Int(-3))));
    }
}
