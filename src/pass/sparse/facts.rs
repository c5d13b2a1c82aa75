//! What is certainly 0 outside the entries of some sparse value, read off the operations.
//!
//! A value may turn out dense when it runs although it is sparse here; what rests on these facts must be right then
//! too, only slower.

use crate::base::ops::ScalarOp;
use crate::ir::{Block, Const, Function, LocalId, Op, Stmt};
use crate::pass::simplify::fold::evaluate;
use std::collections::BTreeMap;

#[derive(Clone, PartialEq)]
pub enum Fact {
    /// A number that is written in the program, perhaps repeated along axes.
    Number(Const),
    /// 0 (false) where the sparse value `.0` keeps nothing.
    Within(LocalId),
    /// Never read.
    Nothing,
}

#[derive(Default)]
pub struct Facts {
    known: BTreeMap<LocalId, Fact>,
}

impl Facts {
    pub fn of(function: &Function, body: &Block) -> Facts {
        let mut facts = Facts::default();
        facts.block(function, body);
        facts
    }

    /// The sparse value outside whose entries `local` is 0.
    pub fn within(&self, local: LocalId) -> Option<LocalId> {
        match self.known.get(&local) {
            Some(Fact::Within(root)) => Some(*root),
            _ => None,
        }
    }

    pub fn is_zero(&self, local: LocalId) -> bool {
        matches!(self.known.get(&local), Some(Fact::Number(number)) if is_zero(number))
    }

    fn block(&mut self, function: &Function, block: &Block) {
        for stmt in &block.stmts {
            stmt.op.blocks().into_iter().for_each(|inner| self.block(function, inner));
            self.stmt(function, stmt);
        }
    }

    fn stmt(&mut self, function: &Function, stmt: &Stmt) {
        if let Op::If { then, other, .. } = &stmt.op {
            for ((&dest, a), b) in stmt.dest.iter().zip(&then.results).zip(&other.results) {
                if self.is_sparse_choice(*a, *b) {
                    self.known.insert(dest, Fact::Within(dest));
                }
            }
            return;
        }
        let &[dest] = &stmt.dest[..] else { return };
        let fact = match &stmt.op {
            Op::Const(number) => Some(Fact::Number(number.clone())),
            Op::Undef => Some(Fact::Nothing),
            Op::Builtin { name: "keep_top", .. } => {
                let rows = function.ty(dest).axes().is_some_and(|axes| axes.len() > 1);
                rows.then_some(Fact::Within(dest))
            }
            Op::TopProduct { .. } => Some(Fact::Within(dest)),
            Op::Copy(arg) => self.known.get(arg).cloned(),
            Op::Builtin { name: "stop", args, .. } => self.known.get(&args[0]).cloned(),
            Op::Expand { arg, .. } => self.known.get(arg).filter(|fact| matches!(fact, Fact::Number(_))).cloned(),
            Op::Rename { arg, .. } | Op::Split { arg, .. } | Op::Merge { arg, .. } => {
                self.within(*arg).map(|_| Fact::Within(dest))
            }
            Op::Elem { op, args } => self.elementwise(function, *op, args, dest),
            _ => None,
        };
        self.known.extend(fact.map(|fact| (dest, fact)));
    }

    /// One branch gives a sparse value, the other one too, or zeros, or nothing.
    fn is_sparse_choice(&self, a: LocalId, b: LocalId) -> bool {
        let empty = |local: LocalId| self.is_zero(local) || self.known.get(&local) == Some(&Fact::Nothing);
        match (self.within(a), self.within(b)) {
            (Some(_), Some(_)) => true,
            (Some(_), None) => empty(b),
            (None, Some(_)) => empty(a),
            (None, None) => false,
        }
    }

    fn elementwise(&self, function: &Function, op: ScalarOp, args: &[LocalId], dest: LocalId) -> Option<Fact> {
        let mut roots: Vec<LocalId> = args.iter().filter_map(|&arg| self.within(arg)).collect();
        roots.dedup();
        let root = *roots.first()?;
        let here = |&arg: &LocalId| match self.known.get(&arg) {
            Some(Fact::Number(number)) => Some(number.clone()),
            Some(Fact::Within(_)) => zero_of(function, arg),
            _ => None,
        };
        let values: Vec<Option<Const>> = args.iter().map(here).collect();
        if !follow(op, &values).is_some_and(|value| is_zero(&value)) {
            return None;
        }
        let own = roots.len() == 1 && function.ty(root).axes() == function.ty(dest).axes();
        Some(Fact::Within(if own { root } else { dest }))
    }
}

fn zero_of(function: &Function, local: LocalId) -> Option<Const> {
    use crate::base::ops::DType;
    Some(match function.ty(local).dtype()? {
        DType::F32 => Const::F32(0.0),
        DType::F64 => Const::F64(0.0),
        DType::I64 => Const::Int(0),
        DType::Bool => Const::Bool(false),
    })
}

fn is_zero(number: &Const) -> bool {
    match number {
        Const::Int(x) => *x == 0,
        Const::F32(x) => *x == 0.0,
        Const::F64(x) => *x == 0.0,
        Const::Bool(x) => !x,
        Const::Str(_) => false,
    }
}

/// The result of an operation, given the operands that are known. 0 times anything counts as 0.
fn follow(op: ScalarOp, args: &[Option<Const>]) -> Option<Const> {
    use ScalarOp::*;
    let zero = |at: usize| args.get(at).cloned().flatten().filter(is_zero);
    match (op, args) {
        (Mul | And, [_, _]) if zero(0).or(zero(1)).is_some() => zero(0).or(zero(1)),
        (Where, [Some(Const::Bool(cond)), x, y]) => {
            if *cond {
                x.clone()
            } else {
                y.clone()
            }
        }
        (Where, [None, _, _]) => zero(1).and(zero(2)),
        _ => {
            let all: Option<Vec<&Const>> = args.iter().map(Option::as_ref).collect();
            evaluate(op, &all?)
        }
    }
}
