//! Making statements: what the passes that write IR share.
//!
//! A `Builder` appends to one list of statements and gives each result the type that `ir::rules` says. It makes
//! no decisions. A statement that breaks a rule is an internal fault; it is kept and told at the end, so that
//! the rules of a pass read as formulas.

use crate::base::axis::Axis;
use crate::base::diag::Diagnostic;
use crate::base::ops::{DType, ReduceKind, ScalarOp};
use crate::base::span::Span;
use crate::ir::rules::{self, result_types};
use crate::ir::{AxisSet, Block, Const, Elem, Function, LocalId, Op, Stmt, Type};

/// A fault of the compiler itself.
pub const INTERNAL: &str = "E099";

pub fn internal(text: impl std::fmt::Display) -> Diagnostic {
    Diagnostic::plain(INTERNAL, format!("internal fault of the compiler: {text}"))
        .help("please report this, with the script")
}

pub struct Builder {
    pub function: Function,
    /// The block being written.
    pub stmts: Vec<Stmt>,
    /// The place in the script of what is written now.
    pub span: Span,
    /// The first broken rule.
    fault: Option<String>,
}

impl Builder {
    pub fn new(function: Function) -> Builder {
        Builder { function, stmts: Vec::new(), span: Span::default(), fault: None }
    }

    /// The function with `results` as what its body yields, or the first fault.
    pub fn finish(mut self, results: Vec<LocalId>) -> Result<Function, Diagnostic> {
        if let Some(fault) = self.fault {
            return Err(internal(format!("`{}`: {fault}", self.function.name)));
        }
        self.function.results = results.iter().map(|&local| self.function.ty(local).clone()).collect();
        self.function.body = Block { stmts: self.stmts, results };
        Ok(self.function)
    }

    /// Writes into a fresh block until `leave` gives it back.
    pub fn enter(&mut self) -> Vec<Stmt> {
        std::mem::take(&mut self.stmts)
    }

    /// Ends the block that `enter` began; `outer` is what `enter` gave.
    pub fn leave(&mut self, outer: Vec<Stmt>) -> Vec<Stmt> {
        std::mem::replace(&mut self.stmts, outer)
    }

    pub fn ty(&self, local: LocalId) -> &Type {
        self.function.ty(local)
    }

    /// The axes of a local; none for what is no tensor.
    pub fn axes(&self, local: LocalId) -> AxisSet {
        self.ty(local).axes().cloned().unwrap_or_default()
    }

    pub fn local(&mut self, ty: Type) -> LocalId {
        self.function.new_local(ty, None, self.span)
    }

    /// Appends a statement with results of the given types.
    pub fn emit_as(&mut self, op: Op, types: &[Type]) -> Vec<LocalId> {
        let dest: Vec<LocalId> = types.iter().map(|ty| self.local(ty.clone())).collect();
        self.stmts.push(Stmt { dest: dest.clone(), op, span: self.span });
        dest
    }

    /// Appends a statement whose one result has the type that the rules give.
    pub fn emit(&mut self, op: Op) -> LocalId {
        let ty = match result_types(&self.function, &op) {
            Ok(Some(types)) if types.len() == 1 => types[0].clone(),
            Ok(_) => self.broken(format!("no single type for {op:?}")),
            Err(fault) => self.broken(format!("{fault} in {op:?}")),
        };
        self.emit_as(op, &[ty])[0]
    }

    /// Notes a fault and gives a type to go on with.
    fn broken(&mut self, fault: String) -> Type {
        self.fault.get_or_insert(fault);
        Type::FLOAT
    }

    pub fn int(&mut self, value: i64) -> LocalId {
        self.emit(Op::Const(Const::Int(value)))
    }

    /// The number `value` as a scalar of that element type.
    pub fn number(&mut self, elem: Elem, value: f64) -> LocalId {
        let constant = match elem.dtype() {
            DType::F32 => Const::F32(value as f32),
            DType::F64 => Const::F64(value),
            DType::I64 => Const::Int(value as i64),
            DType::Bool => Const::Bool(value != 0.0),
        };
        self.emit(Op::Const(constant))
    }

    pub fn elem(&mut self, op: ScalarOp, args: &[LocalId]) -> LocalId {
        self.emit(Op::Elem { op, args: args.to_vec() })
    }

    /// The same values in another element type; the same local if it has it already.
    pub fn cast(&mut self, arg: LocalId, to: DType) -> LocalId {
        if self.ty(arg).dtype() == Some(to) { arg } else { self.elem(ScalarOp::Cast(to), &[arg]) }
    }

    /// A reduction; the same local if there is nothing to reduce.
    pub fn reduce(&mut self, kind: ReduceKind, arg: LocalId, axes: AxisSet) -> LocalId {
        if axes.is_empty() { arg } else { self.emit(Op::Reduce { kind, arg, axes }) }
    }

    /// The length of an axis of one local.
    pub fn size_of(&mut self, arg: LocalId, axis: Axis) -> LocalId {
        self.emit(Op::SizeOf { args: vec![arg], axis })
    }

    /// Repeats `arg` along each axis of `like` that it lacks.
    pub fn expand_like(&mut self, arg: LocalId, like: LocalId) -> LocalId {
        let missing = self.axes(like).minus(&self.axes(arg));
        missing.iter().fold(arg, |arg, axis| {
            let size = self.size_of(like, axis);
            self.emit(Op::Expand { arg, axis, size })
        })
    }

    /// Zeros with the type and the sizes of a tensor or scalar.
    pub fn zeros_like(&mut self, like: LocalId) -> LocalId {
        let elem = self.ty(like).elem().map_or(Elem::F64, |elem| rules::stored(elem.dtype()));
        let zero = self.number(elem, 0.0);
        self.expand_like(zero, like)
    }

    /// One round of a builtin with the results' types known.
    pub fn builtin(&mut self, name: &'static str, args: Vec<LocalId>, result: Type) -> LocalId {
        self.emit_as(Op::Builtin { name, axes: Vec::new(), args }, &[result])[0]
    }
}
