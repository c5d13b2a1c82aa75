//! One walk forwards: copies, constants, common subexpressions, branches whose condition is known.
//!
//! An operation is shared with an equal one earlier in the same block or in a block around it, which has then run
//! whenever this one does. What reads a global is shared only where nothing can set one.

use super::super::copy::{Names, each_stmt, resolve};
use super::fold::{Better, Known, better};
use super::sizes;
use crate::base::axis::Axis;
use crate::base::ops::{ReduceKind, ScalarOp};
use crate::ir::{Block, Const, Effect, Function, LocalId, Module, Op, Stmt, builtin_is_pure};
use std::collections::{BTreeMap, HashMap, VecDeque};

/// Rewrites the function; true if anything changed.
pub fn share(module: &Module, function: &mut Function) -> bool {
    let mut body = std::mem::take(&mut function.body);
    let stable = globals_are_stable(module, &body);
    let mut sharing = Sharing {
        module,
        function,
        names: Names::new(),
        known: Known::new(),
        defs: BTreeMap::new(),
        scopes: Vec::new(),
        stable,
        changed: false,
    };
    sharing.block(&mut body);
    let changed = sharing.changed;
    // Uses that stand before the walk learned a name do not exist: names are learned where they are bound.
    function.body = body;
    changed
}

/// What an operation computes, without where: two equal keys, one value.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    kind: String,
    axes: Vec<Axis>,
    /// Ends of the parts of `axes`, so that `[a][b]` and `[a, b][]` differ.
    marks: Vec<usize>,
    locals: Vec<LocalId>,
    bits: u64,
}

struct Sharing<'a> {
    module: &'a Module,
    function: &'a mut Function,
    /// Locals that stand for others.
    names: Names,
    known: Known,
    /// What binds a local, for operations without blocks and with one result.
    defs: BTreeMap<LocalId, Op>,
    scopes: Vec<HashMap<Key, Vec<LocalId>>>,
    stable: bool,
    changed: bool,
}

impl Sharing<'_> {
    fn block(&mut self, block: &mut Block) {
        self.scopes.push(HashMap::new());
        let mut pending: VecDeque<Stmt> = std::mem::take(&mut block.stmts).into();
        while let Some(mut stmt) = pending.pop_front() {
            stmt.op.operands_mut(&mut |local| *local = resolve(&self.names, *local));
            if self.known_branch(&mut stmt, &mut pending) {
                self.changed = true;
                continue;
            }
            if let Some(parts) = self.sum_of_negated(&stmt) {
                parts.into_iter().rev().for_each(|part| pending.push_front(part));
                self.changed = true;
                continue;
            }
            self.unchanging(&mut stmt);
            for inner in stmt.op.blocks_mut() {
                self.block(inner);
            }
            self.equal_branches(&stmt);
            let returns = matches!(stmt.op, Op::Return(_));
            if let Some(stmt) = self.stmt(stmt) {
                block.stmts.push(stmt);
            }
            if returns {
                self.changed |= !pending.is_empty();
                block.results.clear();
                break;
            }
        }
        block.results.iter_mut().for_each(|local| *local = resolve(&self.names, *local));
        self.scopes.pop();
    }

    /// `dest` is `local` from here on.
    fn rename(&mut self, dest: LocalId, local: LocalId) {
        let local = resolve(&self.names, local);
        let name = self.function.locals[dest.0 as usize].name.clone();
        let kept = &mut self.function.locals[local.0 as usize].name;
        // A constant stands for many names.
        if kept.is_none() && !self.known.contains_key(&local) {
            *kept = name;
        }
        self.names.insert(dest, local);
        self.changed = true;
    }

    /// Puts the statements of the branch that is taken, or nothing for a loop without rounds, in place of it.
    fn known_branch(&mut self, stmt: &mut Stmt, pending: &mut VecDeque<Stmt>) -> bool {
        match &mut stmt.op {
            Op::If { cond, then, other } => {
                let Some(Const::Bool(taken)) = self.known.get(cond) else { return false };
                let taken = std::mem::take(if *taken { then } else { other });
                let copies = stmt.dest.iter().zip(&taken.results);
                let copies: Vec<Stmt> =
                    copies.map(|(&d, &r)| Stmt { dest: vec![d], op: Op::Copy(r), span: stmt.span }).collect();
                for stmt in taken.stmts.into_iter().chain(copies).rev() {
                    pending.push_front(stmt);
                }
                true
            }
            Op::For { lo, hi, carried, .. } => match (self.known.get(lo), self.known.get(hi)) {
                (Some(Const::Int(lo)), Some(Const::Int(hi))) if lo >= hi => {
                    for (&dest, one) in stmt.dest.iter().zip(carried) {
                        self.rename(dest, one.init);
                    }
                    true
                }
                _ => false,
            },
            _ => false,
        }
    }

    /// `sum(-x)` is `-sum(x)`, which writes less.
    fn sum_of_negated(&mut self, stmt: &Stmt) -> Option<Vec<Stmt>> {
        let Op::Reduce { kind: kind @ (ReduceKind::Sum | ReduceKind::SumF64), arg, axes } = &stmt.op else {
            return None;
        };
        let Op::Elem { op: ScalarOp::Neg, args } = self.defs.get(arg)? else { return None };
        let op = Op::Reduce { kind: *kind, arg: args[0], axes: axes.clone() };
        let ty = self.function.ty(*stmt.dest.first()?).clone();
        if !ty.elem()?.is_float() {
            return None;
        }
        let sum = self.function.new_local(ty, None, stmt.span);
        let negated = Op::Elem { op: ScalarOp::Neg, args: vec![sum] };
        let span = stmt.span;
        Some(vec![Stmt { dest: vec![sum], op, span }, Stmt { dest: stmt.dest.clone(), op: negated, span }])
    }

    /// Carried values that no round changes are not carried.
    fn unchanging(&mut self, stmt: &mut Stmt) {
        let (Op::For { carried, body, .. } | Op::While { carried, body, .. }) = &mut stmt.op else { return };
        if body.results.len() != carried.len() || stmt.dest.len() != carried.len() {
            return;
        }
        for number in (0..carried.len()).rev() {
            let one = carried[number];
            let next = resolve(&self.names, body.results[number]);
            if next == one.param || next == one.init {
                carried.remove(number);
                body.results.remove(number);
                let dest = stmt.dest.remove(number);
                self.rename(one.param, one.init);
                self.rename(dest, one.init);
            }
        }
    }

    /// A result that both branches take from outside is that value.
    fn equal_branches(&mut self, stmt: &Stmt) {
        let Op::If { then, other, .. } = &stmt.op else { return };
        for ((&dest, &a), &b) in stmt.dest.iter().zip(&then.results).zip(&other.results) {
            let pruned = self.names.contains_key(&dest);
            if a == b && !pruned {
                self.rename(dest, a);
            }
        }
    }

    /// The statement in its best form; `None` if another local already has its value.
    fn stmt(&mut self, mut stmt: Stmt) -> Option<Stmt> {
        let [dest] = stmt.dest[..] else { return self.several(stmt) };
        self.changed |= sizes::without_expands(self.function, &self.defs, &mut stmt.op);
        if let Some(local) = sizes::shorter(self.function, &self.defs, &mut stmt.op, &mut self.changed) {
            self.rename(dest, local);
            return None;
        }
        match better(self.function, &self.known, dest, &stmt.op) {
            Some(Better::Same(local)) => {
                self.rename(dest, local);
                return None;
            }
            Some(Better::Constant(value)) => {
                stmt.op = Op::Const(value);
                self.changed = true;
            }
            None => {}
        }
        let stmt = self.several(stmt)?;
        if let Op::Const(value) = &stmt.op {
            self.known.insert(dest, value.clone());
        }
        if stmt.op.blocks().is_empty() {
            self.defs.insert(dest, stmt.op.clone());
        }
        Some(stmt)
    }

    /// Looks for an equal operation.
    fn several(&mut self, stmt: Stmt) -> Option<Stmt> {
        let Some(key) = self.key(&stmt.op).filter(|_| !stmt.dest.is_empty()) else { return Some(stmt) };
        let found = self.scopes.iter().rev().find_map(|scope| scope.get(&key)).cloned();
        if let Some(found) = found
            && found.len() == stmt.dest.len()
            && found.iter().zip(&stmt.dest).all(|(&a, &b)| self.function.ty(a) == self.function.ty(b))
        {
            found.into_iter().zip(&stmt.dest).for_each(|(found, &dest)| self.rename(dest, found));
            return None;
        }
        if let Some(scope) = self.scopes.last_mut() {
            scope.insert(key, stmt.dest.clone());
        }
        Some(stmt)
    }

    /// `None` for what must not be shared.
    fn key(&self, op: &Op) -> Option<Key> {
        let mut key = Key { kind: String::new(), axes: Vec::new(), marks: Vec::new(), locals: op.operands(), bits: 0 };
        let mut axes = |kind: &str, parts: &[&[Axis]]| {
            key.kind = kind.to_string();
            for part in parts {
                key.axes.extend_from_slice(part);
                key.marks.push(key.axes.len());
            }
        };
        match op {
            Op::Const(value) => axes(&format!("const {value:?} {}", bits(value)), &[]),
            Op::Elem { op, .. } => axes(&format!("elem {op:?}"), &[]),
            Op::Contract { axes: over, .. } => axes("contract", &[over.as_slice()]),
            Op::Reduce { kind, axes: over, .. } => axes(kind.name(), &[over.as_slice()]),
            Op::Select { axis, .. } => axes("select", &[&[*axis]]),
            Op::Gather { axis, .. } => axes("gather", &[&[*axis]]),
            Op::Slice { axis, to, .. } => axes("slice", &[&[*axis, *to]]),
            Op::Rename { from, to, .. } => axes("rename", &[&[*from, *to]]),
            Op::Merge { from, to, .. } => axes("merge", &[from, &[*to]]),
            Op::Split { from, to, .. } => axes("split", &[&[*from], to]),
            Op::Expand { axis, .. } => axes("expand", &[&[*axis]]),
            Op::SizeOf { axis, .. } => axes("size", &[&[*axis]]),
            Op::ScatterAdd { axis, own, .. } => axes("scatter", &[&[*axis], own.as_slice()]),
            Op::Pad { from, to, .. } => axes("pad", &[&[*from, *to]]),
            Op::Builtin { name, axes: given, .. } if builtin_is_pure(name) => {
                axes(&format!("builtin {name}"), &[given])
            }
            Op::Call { func, .. } if self.module.effect_of(op) == Effect::None => {
                axes(&format!("call {}", func.0), &[])
            }
            Op::GlobalGet(global) if self.stable => axes(&format!("global {}", global.0), &[]),
            Op::GetField { field, .. } => axes(&format!("field {field}"), &[]),
            _ => return None,
        }
        if let Op::Elem {
            op: ScalarOp::Add | ScalarOp::Mul | ScalarOp::And | ScalarOp::Or | ScalarOp::Eq | ScalarOp::Ne,
            ..
        } = op
        {
            key.locals.sort();
        }
        Some(key)
    }
}

fn bits(value: &Const) -> u64 {
    match value {
        Const::F32(x) => u64::from(x.to_bits()),
        Const::F64(x) => x.to_bits(),
        _ => 0,
    }
}

/// True if nothing in the body can set a global.
fn globals_are_stable(module: &Module, body: &Block) -> bool {
    let mut stable = true;
    each_stmt(body, &mut |stmt| match &stmt.op {
        Op::GlobalSet(..) => stable = false,
        Op::Call { .. } => stable &= module.effect_of(&stmt.op) < Effect::Shows,
        _ => {}
    });
    stable
}
