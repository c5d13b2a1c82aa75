//! The typed, structured intermediate representation: one form from the checker to machine code.
//!
//! A function is a tree of blocks in A-normal form and static single assignment: each statement binds locals by
//! one operation on locals; `if`, `for` and `while` are operations that own blocks and yield values. Everything
//! is first order and monomorphic: axis parameters, function values, records outside lists, and models were
//! resolved by the checker. This layer knows neither the syntax nor the runtime, and does no work of its own.

mod effect;
pub mod print;
pub mod rules;
#[cfg(test)]
mod tests;
pub mod types;
pub mod verify;

use crate::base::axis::Axis;
use crate::base::kernel::Kernel;
use crate::base::ops::{ReduceKind, ScalarOp};
use crate::base::span::Span;
use crate::base::sweep::Sweep;
pub use effect::{Effect, HOST, PURE_HOST, builtin_is_pure, is_host_function};
pub use types::{AxisSet, Elem, Type};

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct LocalId(pub u32);
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct FuncId(pub u32);
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct GlobalId(pub u32);

/// All functions and globals of a session. Items append to it; nothing is renumbered.
#[derive(Clone, Debug, Default)]
pub struct Module {
    pub functions: Vec<Function>,
    pub globals: Vec<Global>,
}

/// A value that outlives the item that made it: one leaf of a top-level `let`.
#[derive(Clone, Debug)]
pub struct Global {
    pub name: String,
    pub ty: Type,
}

#[derive(Clone, Debug, Default)]
pub struct Function {
    pub name: String,
    pub params: Vec<LocalId>,
    /// Types of what the body yields.
    pub results: Vec<Type>,
    pub locals: Vec<Local>,
    pub body: Block,
    /// The largest effect of its statements.
    pub effect: Effect,
}

#[derive(Clone, Debug)]
pub struct Local {
    pub ty: Type,
    /// The name in the source, for dumps and messages.
    pub name: Option<String>,
    pub span: Span,
}

#[derive(Clone, Debug, Default)]
pub struct Block {
    pub stmts: Vec<Stmt>,
    /// What the block yields to the operation that owns it.
    pub results: Vec<LocalId>,
}

#[derive(Clone, Debug)]
pub struct Stmt {
    pub dest: Vec<LocalId>,
    pub op: Op,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Const {
    Int(i64),
    F32(f32),
    F64(f64),
    Bool(bool),
    Str(String),
}

/// A loop-carried value: `param` is its name inside, `init` its value before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Carried {
    pub param: LocalId,
    pub init: LocalId,
}

/// One binder of a comprehension: `var` runs over `0..size`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Binder {
    pub axis: Axis,
    pub var: LocalId,
    pub size: LocalId,
}

#[derive(Clone, Debug)]
pub enum Op {
    Const(Const),
    /// A value that is never read (the start of a captured site, the other branch's tape).
    Undef,
    /// The same value under a new local.
    Copy(LocalId),
    /// Elementwise over the union of the operands' axes; scalar if all operands are scalars.
    Elem {
        op: ScalarOp,
        args: Vec<LocalId>,
    },
    /// Sum of products over `axes`, which both have; other shared axes are kept (batch).
    Contract {
        a: LocalId,
        b: LocalId,
        axes: AxisSet,
    },
    Reduce {
        kind: ReduceKind,
        arg: LocalId,
        axes: AxisSet,
    },
    /// `x[a: i]`, i scalar. Bounds-checked. With all axes selected the result is a scalar.
    Select {
        arg: LocalId,
        axis: Axis,
        index: LocalId,
    },
    /// `x[a: idx]`, idx an integer tensor: `a` is replaced by the axes of `index`; those that `arg` also has line up.
    Gather {
        arg: LocalId,
        axis: Axis,
        index: LocalId,
    },
    /// `x[a -> b: lo..hi]`; `lo <= hi <= size` is checked.
    Slice {
        arg: LocalId,
        axis: Axis,
        to: Axis,
        lo: LocalId,
        hi: LocalId,
    },
    Rename {
        arg: LocalId,
        from: Axis,
        to: Axis,
    },
    /// `x[(a, b) -> c]`, first slowest.
    Merge {
        arg: LocalId,
        from: Vec<Axis>,
        to: Axis,
    },
    /// `x[c -> (a, b)]`, first slowest; `sizes` gives the length of each part, -1 for at most one that follows.
    Split {
        arg: LocalId,
        from: Axis,
        to: Vec<Axis>,
        sizes: Vec<LocalId>,
    },
    /// A new axis along which the value repeats (stride 0).
    Expand {
        arg: LocalId,
        axis: Axis,
        size: LocalId,
    },
    /// The length of `axis`, on which all `args` that have it must agree: int. At least one arg has it.
    SizeOf {
        args: Vec<LocalId>,
        axis: Axis,
    },
    /// Adjoint of `Gather` and `Select`: zeros of length `size` along `axis`, plus `arg` added at `index`.
    /// `index` is a scalar or a tensor; its axes that are in `own` belong to arg only (they are summed into the
    /// target), others line up.
    ScatterAdd {
        arg: LocalId,
        axis: Axis,
        index: LocalId,
        size: LocalId,
        own: AxisSet,
    },
    /// Adjoint of `Slice`: `arg` has `from`; the result has `to`, of length `size`, zero outside `lo..lo+len(from)`.
    Pad {
        arg: LocalId,
        from: Axis,
        to: Axis,
        lo: LocalId,
        size: LocalId,
    },
    /// A runtime function by name (see `rt::table`). `axes` are the explicit axis arguments, in order.
    Builtin {
        name: &'static str,
        axes: Vec<Axis>,
        args: Vec<LocalId>,
    },
    Call {
        func: FuncId,
        args: Vec<LocalId>,
    },
    /// The results of `func`, then the gradient of its first result (a float scalar) by each of its first
    /// `wrt` parameters. Replaced by `pass::grad` before anything runs.
    Grad {
        func: FuncId,
        args: Vec<LocalId>,
        wrt: usize,
    },
    /// Values yielded by the branch taken.
    If {
        cond: LocalId,
        then: Block,
        other: Block,
    },
    /// `var` runs over `lo..hi`; yields the carried values after the last round. The body yields their next values.
    For {
        var: LocalId,
        lo: LocalId,
        hi: LocalId,
        carried: Vec<Carried>,
        body: Block,
    },
    /// `test` yields one bool, computed from the carried params.
    While {
        carried: Vec<Carried>,
        test: Block,
        body: Block,
    },
    /// A tensor by formula: `body` yields one scalar for each combination of the binders.
    Comprehend {
        binders: Vec<Binder>,
        body: Block,
    },
    /// Fused elementwise region: inputs in order; one dest per kernel output.
    Kernel {
        kernel: Box<Kernel>,
        args: Vec<LocalId>,
    },
    /// Statements that work on each row by itself, run for blocks of rows: inputs in order; one dest per output.
    Sweep {
        sweep: Box<Sweep>,
        args: Vec<LocalId>,
    },
    GlobalGet(GlobalId),
    GlobalSet(GlobalId, LocalId),
    /// `keep_top[along](f(a @[axes] b, others..), k)` in one: the product is never stored whole. Input 0 of `kernel`,
    /// which is `f`, is the product, the rest are `others`, whose axes are among the product's. Made by
    /// `pass::sparse` only.
    TopProduct {
        a: LocalId,
        b: LocalId,
        axes: AxisSet,
        kernel: Box<Kernel>,
        others: Vec<LocalId>,
        along: Axis,
        k: LocalId,
    },
    /// `a @[axes] b`, of which only what stands where `pattern` is not 0 will be read. Made by `pass::sparse` only.
    Sampled {
        a: LocalId,
        b: LocalId,
        axes: AxisSet,
        pattern: LocalId,
    },
    /// A record as an element of a list; the dest's type is `Type::Record`.
    MakeRecord(Vec<LocalId>),
    GetField {
        arg: LocalId,
        field: usize,
    },
    /// A list of the dest's type.
    MakeList(Vec<LocalId>),
    /// Leaves the function with these values, from any depth.
    Return(Vec<LocalId>),
    /// The last use is over: the value may be freed. Inserted by `pass::drops` only.
    Drop(LocalId),
}

impl Op {
    /// The locals the operation reads itself (not those read inside its blocks).
    pub fn operands(&self) -> Vec<LocalId> {
        let mut copy = self.clone_shallow();
        let mut found = Vec::new();
        copy.operands_mut(&mut |local| found.push(*local));
        found
    }

    /// A clone whose blocks are empty, so that operand walks of loops stay cheap.
    pub fn clone_shallow(&self) -> Op {
        match self {
            Op::If { cond, .. } => Op::If { cond: *cond, then: Block::default(), other: Block::default() },
            Op::For { var, lo, hi, carried, .. } => {
                Op::For { var: *var, lo: *lo, hi: *hi, carried: carried.clone(), body: Block::default() }
            }
            Op::While { carried, .. } => {
                Op::While { carried: carried.clone(), test: Block::default(), body: Block::default() }
            }
            Op::Comprehend { binders, .. } => Op::Comprehend { binders: binders.clone(), body: Block::default() },
            other => other.clone(),
        }
    }

    /// Visits each operand, for renaming.
    pub fn operands_mut(&mut self, visit: &mut dyn FnMut(&mut LocalId)) {
        match self {
            Op::Const(_) | Op::Undef | Op::GlobalGet(_) => {}
            Op::Copy(a) | Op::GlobalSet(_, a) | Op::Drop(a) => visit(a),
            Op::Elem { args, .. }
            | Op::Builtin { args, .. }
            | Op::Call { args, .. }
            | Op::Grad { args, .. }
            | Op::Kernel { args, .. }
            | Op::Sweep { args, .. }
            | Op::SizeOf { args, .. }
            | Op::MakeRecord(args)
            | Op::MakeList(args)
            | Op::Return(args) => args.iter_mut().for_each(visit),
            Op::Contract { a, b, .. } => {
                visit(a);
                visit(b);
            }
            Op::TopProduct { a, b, others, k, .. } => {
                visit(a);
                visit(b);
                visit(k);
                others.iter_mut().for_each(visit);
            }
            Op::Sampled { a, b, pattern, .. } => {
                visit(a);
                visit(b);
                visit(pattern);
            }
            Op::Reduce { arg, .. } | Op::Rename { arg, .. } | Op::Merge { arg, .. } | Op::GetField { arg, .. } => {
                visit(arg)
            }
            Op::Select { arg, index, .. } | Op::Gather { arg, index, .. } => {
                visit(arg);
                visit(index);
            }
            Op::Slice { arg, lo, hi, .. } => {
                visit(arg);
                visit(lo);
                visit(hi);
            }
            Op::Split { arg, sizes, .. } => {
                visit(arg);
                sizes.iter_mut().for_each(visit);
            }
            Op::Expand { arg, size, .. } => {
                visit(arg);
                visit(size);
            }
            Op::ScatterAdd { arg, index, size, .. } => {
                visit(arg);
                visit(index);
                visit(size);
            }
            Op::Pad { arg, lo, size, .. } => {
                visit(arg);
                visit(lo);
                visit(size);
            }
            Op::If { cond, .. } => visit(cond),
            Op::For { lo, hi, carried, .. } => {
                visit(lo);
                visit(hi);
                carried.iter_mut().for_each(|c| visit(&mut c.init));
            }
            Op::While { carried, .. } => carried.iter_mut().for_each(|c| visit(&mut c.init)),
            Op::Comprehend { binders, .. } => binders.iter_mut().for_each(|b| visit(&mut b.size)),
        }
    }

    /// The word for rows that go through several statements at once.
    pub const SWEEP: &'static str = "sweep";

    /// What kind of operation it is, in a word; those that move nothing share one.
    pub fn word(&self) -> &'static str {
        match self {
            Op::Elem { op, .. } => op.name(),
            Op::Reduce { kind, .. } => kind.name(),
            Op::Builtin { name, .. } => name,
            Op::Contract { .. } => "product",
            Op::Kernel { .. } => "elementwise",
            Op::Sweep { .. } => Op::SWEEP,
            Op::TopProduct { .. } => "product with selection",
            Op::Sampled { .. } => "product at entries",
            Op::Comprehend { .. } => "comprehension",
            Op::Select { .. } => "select",
            Op::Gather { .. } => "gather",
            Op::Slice { .. } => "slice",
            Op::Merge { .. } => "merge",
            Op::Split { .. } => "split",
            Op::Expand { .. } => "expand",
            Op::ScatterAdd { .. } => "scatter",
            Op::Pad { .. } => "pad",
            _ => "other",
        }
    }

    /// The blocks the operation owns.
    pub fn blocks(&self) -> Vec<&Block> {
        match self {
            Op::If { then, other, .. } => vec![then, other],
            Op::For { body, .. } | Op::Comprehend { body, .. } => vec![body],
            Op::While { test, body, .. } => vec![test, body],
            _ => Vec::new(),
        }
    }

    pub fn blocks_mut(&mut self) -> Vec<&mut Block> {
        match self {
            Op::If { then, other, .. } => vec![then, other],
            Op::For { body, .. } | Op::Comprehend { body, .. } => vec![body],
            Op::While { test, body, .. } => vec![test, body],
            _ => Vec::new(),
        }
    }

    /// Locals that the operation binds for its blocks: loop variables, carried parameters, binders.
    pub fn inner_params(&self) -> Vec<LocalId> {
        match self {
            Op::For { var, carried, .. } => std::iter::once(*var).chain(carried.iter().map(|c| c.param)).collect(),
            Op::While { carried, .. } => carried.iter().map(|c| c.param).collect(),
            Op::Comprehend { binders, .. } => binders.iter().map(|b| b.var).collect(),
            _ => Vec::new(),
        }
    }
}

impl Block {
    /// Does every way through the block return from the function? Then it yields nothing, and its `results` mean
    /// nothing.
    pub fn returns(&self) -> bool {
        self.stmts.iter().any(|stmt| match &stmt.op {
            Op::Return(_) => true,
            Op::If { then, other, .. } => then.returns() && other.returns(),
            _ => false,
        })
    }
}

impl Function {
    pub fn ty(&self, local: LocalId) -> &Type {
        &self.locals[local.0 as usize].ty
    }

    pub fn new_local(&mut self, ty: Type, name: Option<String>, span: Span) -> LocalId {
        self.locals.push(Local { ty, name, span });
        LocalId(self.locals.len() as u32 - 1)
    }
}

impl Module {
    pub fn function(&self, id: FuncId) -> &Function {
        &self.functions[id.0 as usize]
    }

    pub fn add(&mut self, function: Function) -> FuncId {
        self.functions.push(function);
        FuncId(self.functions.len() as u32 - 1)
    }
}
