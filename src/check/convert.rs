//! Making a value fit a type: literals take the type of their context, scalars widen, records go field by field.

use super::value::{Lit, Val};
use super::{Checker, messages};
use crate::base::ops::ScalarOp;
use crate::base::span::Span;
use crate::ir::{Const, Elem, LocalId, Op, Type};
use std::fmt::Display;

impl Checker {
    /// `val` as a value of type `ty`, or one error that says what was needed for `what`.
    pub(super) fn conform(&mut self, val: Val, ty: &Type, span: Span, what: &dyn Display) -> Val {
        match self.try_conform(&val, ty, span) {
            Some(val) => val,
            None => {
                self.error(messages::mismatch(span, &what.to_string(), &val.ty(), ty));
                Val::Error
            }
        }
    }

    pub(super) fn try_conform(&mut self, val: &Val, ty: &Type, span: Span) -> Option<Val> {
        if val.is_error() || *ty == Type::Error {
            return Some(val.clone());
        }
        match (val, ty) {
            (Val::Lit(lit), Type::Tensor(elem, axes)) if axes.is_empty() => self.literal_as(lit, *elem, span),
            (Val::Record(fields), Type::Record(wanted)) => {
                if fields.len() != wanted.len() {
                    return None;
                }
                let mut out = Vec::with_capacity(wanted.len());
                for (name, ty) in wanted {
                    let field = val.field(name)?;
                    out.push((name.clone(), self.try_conform(field, ty, span)?));
                }
                Some(Val::record(out))
            }
            (Val::Fn(_), Type::Fn(..)) => Some(val.clone()),
            _ => self.leaf_as(val, ty, span),
        }
    }

    /// A number literal in the element type that its context needs.
    pub(super) fn literal_as(&mut self, lit: &Lit, elem: Elem, span: Span) -> Option<Val> {
        let value = match (lit, elem) {
            (Lit::Int(x), Elem::Int) => Const::Int(*x),
            (Lit::Int(x), Elem::F32) => Const::F32(*x as f32),
            (Lit::Int(x), Elem::F64) => Const::F64(*x as f64),
            (Lit::Float(x), Elem::F32) => Const::F32(*x as f32),
            (Lit::Float(x), Elem::F64) => Const::F64(*x),
            (Lit::Bool(x), Elem::Bool) => Const::Bool(*x),
            _ => return None,
        };
        Some(self.constant(value, span))
    }

    fn leaf_as(&mut self, val: &Val, ty: &Type, span: Span) -> Option<Val> {
        let found = val.ty();
        if found == *ty {
            return Some(val.clone());
        }
        match (&found, ty) {
            (Type::Tensor(from, a), Type::Tensor(to, b)) if a.is_empty() && b.is_empty() => {
                let widens =
                    matches!((from, to), (Elem::Int | Elem::F32, Elem::F64) | (Elem::F64 | Elem::Int, Elem::F32));
                widens.then(|| self.cast(val, *to, span))
            }
            (Type::List(item), Type::List(_)) if **item == Type::Error => {
                // The empty list takes the type that it is needed as.
                self.retype(val, ty);
                Some(self.with_type(val, ty))
            }
            _ => None,
        }
    }

    /// Gives a local that was made with an open type its type, once that is known.
    pub(super) fn retype(&mut self, val: &Val, ty: &Type) {
        if let Val::Local { level, id, .. } = val
            && *level == self.level()
        {
            self.set_type(*id, ty.clone());
        }
    }

    pub(super) fn with_type(&self, val: &Val, ty: &Type) -> Val {
        match val {
            Val::Local { level, id, .. } => Val::Local { level: *level, id: *id, ty: ty.clone() },
            Val::Global(id, _) => Val::Global(*id, ty.clone()),
            other => other.clone(),
        }
    }

    /// Elementwise conversion to another element type; the axes stay.
    pub(super) fn cast(&mut self, val: &Val, to: Elem, span: Span) -> Val {
        let (from, axes) = match val.ty() {
            Type::Tensor(elem, axes) => (elem, axes),
            _ => return Val::Error,
        };
        if from == to {
            return self.materialize(val, span);
        }
        if let Val::Lit(lit) = val
            && let Some(val) = self.literal_as(lit, to, span)
        {
            return val;
        }
        let arg = self.id(val, span);
        if from.dtype() == to.dtype() {
            return self.emit(Op::Copy(arg), Type::Tensor(to, axes), span);
        }
        self.emit(Op::Elem { op: ScalarOp::Cast(to.dtype()), args: vec![arg] }, Type::Tensor(to, axes), span)
    }

    /// A scalar int local; an error names what it is for.
    pub(super) fn int_value(&mut self, val: &Val, span: Span, what: &str) -> LocalId {
        let conformed = match val.ty() {
            Type::Tensor(Elem::Index(_), axes) if axes.is_empty() => val.clone(),
            _ => self.conform(val.clone(), &Type::INT, span, &what),
        };
        self.id(&conformed, span)
    }

    /// A float scalar (f64).
    pub(super) fn float_value(&mut self, val: &Val, span: Span, what: &str) -> Val {
        self.conform(val.clone(), &Type::FLOAT, span, &what)
    }
}
