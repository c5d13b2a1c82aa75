//! Compile-time values: what an expression is while it is checked.

use super::budget::Extent;
use super::modules::ModId;
use super::names::Generics;
use super::names::Var;
use super::sizes::SizeScope;
use super::swaps::Swap;
use crate::base::axis::Axis;
use crate::ir::{AxisSet, Elem, GlobalId, LocalId, Type};
use crate::syntax::ast;
use std::rc::Rc;

#[derive(Clone, Debug)]
pub(crate) enum Val {
    /// A run-time value in a local of the function that is built at `level` of the builder stack.
    Local {
        level: usize,
        id: LocalId,
        ty: Type,
    },
    /// A run-time value in a global.
    Global(GlobalId, Type),
    /// A constant that still adapts to its context.
    Lit(Lit),
    /// A record: its fields, in order.
    Record(Rc<Vec<(String, Val)>>),
    Fn(Rc<FnVal>),
    Unit,
    Error,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Lit {
    Int(i64),
    Float(f64),
    Bool(bool),
    Str(String),
}

/// A function value; never exists at run time.
#[derive(Clone, Debug)]
pub(crate) enum FnVal {
    Item {
        module: ModId,
        item: Rc<ast::FnItem>,
    },
    Lambda(Closure),
    /// A function with explicit axis arguments: `mean[pos]`.
    WithAxes {
        inner: Rc<FnVal>,
        axes: Vec<Axis>,
    },
    /// A form that the checker itself knows: `size`, `map_leaves`, ...
    Special(&'static str),
    /// `grad(f)` or, with `value`, `value_and_grad(f)`.
    Grad {
        f: Rc<FnVal>,
        value: bool,
    },
    /// A loss of a shorter form, lifted to `fn(p, batch, state, step) -> {loss, state, metrics}`.
    Loss {
        f: Rc<FnVal>,
        arity: usize,
    },
    /// The forward pass of a model some of whose sites give other values.
    With {
        f: Rc<FnVal>,
        swaps: Rc<Vec<Swap>>,
    },
}

/// A lambda with what it sees: variables by value, generics, and where axis sizes come from.
#[derive(Clone, Debug)]
pub(crate) struct Closure {
    pub lambda: Rc<ast::Lambda>,
    pub module: ModId,
    pub vars: Rc<Vec<Var>>,
    /// How many values it holds, with those within them, and how deep they lie.
    pub extent: Extent,
    pub generics: Rc<Generics>,
    pub sizes: Rc<SizeScope>,
}

impl Val {
    pub fn ty(&self) -> Type {
        match self {
            Val::Local { ty, .. } | Val::Global(_, ty) => ty.clone(),
            Val::Lit(Lit::Int(_)) => Type::INT,
            Val::Lit(Lit::Float(_)) => Type::FLOAT,
            Val::Lit(Lit::Bool(_)) => Type::BOOL,
            Val::Lit(Lit::Str(_)) => Type::Str,
            Val::Record(fields) => Type::Record(fields.iter().map(|(name, val)| (name.clone(), val.ty())).collect()),
            Val::Fn(_) => Type::Fn(Vec::new(), Box::new(Type::Unit)),
            Val::Unit => Type::Unit,
            Val::Error => Type::Error,
        }
    }

    pub fn is_error(&self) -> bool {
        match self {
            Val::Error => true,
            Val::Record(fields) => fields.iter().any(|(_, val)| val.is_error()),
            Val::Local { ty, .. } | Val::Global(_, ty) => *ty == Type::Error,
            _ => false,
        }
    }

    pub fn record(fields: Vec<(String, Val)>) -> Val {
        Val::Record(Rc::new(fields))
    }

    pub fn field(&self, name: &str) -> Option<&Val> {
        match self {
            Val::Record(fields) => fields.iter().find(|(field, _)| field == name).map(|(_, val)| val),
            _ => None,
        }
    }

    /// The axes of a tensor or scalar.
    pub fn axes(&self) -> Option<AxisSet> {
        match self.ty() {
            Type::Tensor(_, axes) => Some(axes),
            _ => None,
        }
    }

    pub fn elem(&self) -> Option<Elem> {
        self.ty().elem()
    }

    /// Is it a literal number, which takes the type of what it meets?
    pub fn adapts(&self) -> bool {
        matches!(self, Val::Lit(Lit::Int(_) | Lit::Float(_)))
    }

    /// The run-time leaves in order. Functions, literals and units have none.
    pub fn leaves(&self) -> Vec<Val> {
        let mut out = Vec::new();
        self.collect_leaves(&mut out);
        out
    }

    fn collect_leaves(&self, out: &mut Vec<Val>) {
        match self {
            Val::Local { .. } | Val::Global(..) => out.push(self.clone()),
            Val::Record(fields) => fields.iter().for_each(|(_, val)| val.collect_leaves(out)),
            _ => {}
        }
    }

    /// The same structure with its run-time leaves replaced, in order.
    pub fn with_leaves(&self, next: &mut dyn FnMut(&Type) -> Val) -> Val {
        match self {
            Val::Local { ty, .. } | Val::Global(_, ty) => next(ty),
            Val::Record(fields) => {
                Val::record(fields.iter().map(|(name, val)| (name.clone(), val.with_leaves(next))).collect())
            }
            other => other.clone(),
        }
    }

    /// Are both the very same value (so that branches need not join it)?
    pub fn same(&self, other: &Val) -> bool {
        match (self, other) {
            (Val::Local { level: a, id: x, .. }, Val::Local { level: b, id: y, .. }) => a == b && x == y,
            (Val::Global(a, _), Val::Global(b, _)) => a == b,
            (Val::Lit(a), Val::Lit(b)) => a == b,
            (Val::Record(a), Val::Record(b)) => {
                a.len() == b.len() && a.iter().zip(b.iter()).all(|((n, x), (m, y))| n == m && x.same(y))
            }
            (Val::Fn(a), Val::Fn(b)) => a.same(b),
            (Val::Unit, Val::Unit) | (Val::Error, _) | (_, Val::Error) => true,
            _ => false,
        }
    }
}

impl FnVal {
    pub fn same(&self, other: &FnVal) -> bool {
        match (self, other) {
            (FnVal::Item { module: a, item: x }, FnVal::Item { module: b, item: y }) => a == b && Rc::ptr_eq(x, y),
            (FnVal::Lambda(a), FnVal::Lambda(b)) => Rc::ptr_eq(&a.lambda, &b.lambda) && Rc::ptr_eq(&a.vars, &b.vars),
            (FnVal::WithAxes { inner: a, axes: x }, FnVal::WithAxes { inner: b, axes: y }) => x == y && a.same(b),
            (FnVal::Special(a), FnVal::Special(b)) => a == b,
            (FnVal::Grad { f: a, value: x }, FnVal::Grad { f: b, value: y }) => x == y && a.same(b),
            (FnVal::Loss { f: a, arity: x }, FnVal::Loss { f: b, arity: y }) => x == y && a.same(b),
            (FnVal::With { f: a, swaps: x }, FnVal::With { f: b, swaps: y }) => Rc::ptr_eq(x, y) && a.same(b),
            _ => false,
        }
    }
}
