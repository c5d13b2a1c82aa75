//! Elementwise operations: which element type, which axes, and when two tensors may not meet.

use super::value::{Lit, Val};
use super::{Checker, messages};
use crate::base::diag::Diagnostic;
use crate::base::ops::ScalarOp;
use crate::base::span::Span;
use crate::ir::{AxisSet, Elem, Op, Type};
use crate::syntax::ast::{BinaryOp, UnaryOp};

/// An operand with its place.
pub(super) type Operand = (Val, Span);

impl Checker {
    pub(super) fn binary(&mut self, op: BinaryOp, left: Operand, right: Operand, op_span: Span) -> Val {
        if left.0.is_error() || right.0.is_error() {
            return Val::Error;
        }
        if let Some(val) = fold(op, &left.0, &right.0) {
            return val;
        }
        match (left.0.ty(), right.0.ty(), op) {
            (Type::Key, _, BinaryOp::Div) => return self.derive_key(&left.0, right),
            (Type::Str, Type::Str, BinaryOp::Eq | BinaryOp::Ne) => return self.compare_strings(op, left, right),
            _ => {}
        }
        if op == BinaryOp::Pow {
            return self.power(left, right, op_span);
        }
        let scalar_op = match op {
            BinaryOp::Add => ScalarOp::Add,
            BinaryOp::Sub => ScalarOp::Sub,
            BinaryOp::Mul => ScalarOp::Mul,
            BinaryOp::Div => ScalarOp::Div,
            BinaryOp::Rem => ScalarOp::Rem,
            BinaryOp::Pow => ScalarOp::Pow,
            BinaryOp::Eq => ScalarOp::Eq,
            BinaryOp::Ne => ScalarOp::Ne,
            BinaryOp::Lt => ScalarOp::Lt,
            BinaryOp::Le => ScalarOp::Le,
            BinaryOp::Gt => ScalarOp::Gt,
            BinaryOp::Ge => ScalarOp::Ge,
            BinaryOp::And => ScalarOp::And,
            BinaryOp::Or => ScalarOp::Or,
        };
        self.elementwise(scalar_op, &[left, right], op_span)
    }

    pub(super) fn derive_key(&mut self, key: &Val, label: Operand) -> Val {
        let span = label.1;
        let label = match label.0.ty() {
            Type::Str => label.0,
            _ => self.conform(label.0, &Type::INT, span, &"a key is divided by a label or an int"),
        };
        let args = vec![self.id(key, span), self.id(&label, span)];
        self.emit(Op::Builtin { name: "derive_key", axes: vec![], args }, Type::Key, span)
    }

    fn compare_strings(&mut self, op: BinaryOp, left: Operand, right: Operand) -> Val {
        let span = left.1.to(right.1);
        let args = vec![self.id(&left.0, span), self.id(&right.0, span)];
        let equal = self.emit(Op::Builtin { name: "str_eq", axes: vec![], args }, Type::BOOL, span);
        if op == BinaryOp::Eq { equal } else { self.scalar_op(ScalarOp::Not, &[&equal], Type::BOOL, span) }
    }

    pub(super) fn unary(&mut self, op: UnaryOp, value: Operand) -> Val {
        match (op, &value.0) {
            (_, val) if val.is_error() => Val::Error,
            (UnaryOp::Neg, Val::Lit(Lit::Int(x))) => Val::Lit(Lit::Int(x.wrapping_neg())),
            (UnaryOp::Neg, Val::Lit(Lit::Float(x))) => Val::Lit(Lit::Float(-x)),
            (UnaryOp::Not, Val::Lit(Lit::Bool(x))) => Val::Lit(Lit::Bool(!x)),
            (UnaryOp::Neg, _) => {
                let span = value.1;
                self.elementwise(ScalarOp::Neg, &[value], span)
            }
            (UnaryOp::Not, _) => {
                let span = value.1;
                self.elementwise(ScalarOp::Not, &[value], span)
            }
        }
    }

    /// A literal whole exponent becomes products, in a fixed order.
    fn power(&mut self, base: Operand, exponent: Operand, op_span: Span) -> Val {
        let Val::Lit(Lit::Int(n)) = exponent.0 else {
            return self.elementwise(ScalarOp::Pow, &[base, exponent], op_span);
        };
        match n {
            1 => base.0,
            2..=16 => {
                let half = self.power((base.0.clone(), base.1), (Val::Lit(Lit::Int(n / 2)), exponent.1), op_span);
                let square = self.elementwise(ScalarOp::Mul, &[(half.clone(), base.1), (half, base.1)], op_span);
                if n % 2 == 0 { square } else { self.elementwise(ScalarOp::Mul, &[(square, base.1), base], op_span) }
            }
            -16..=-1 => {
                let below = self.power(base, (Val::Lit(Lit::Int(-n)), exponent.1), op_span);
                self.elementwise(ScalarOp::Div, &[(Val::Lit(Lit::Float(1.0)), op_span), (below, op_span)], op_span)
            }
            _ => self.elementwise(ScalarOp::Pow, &[base, (Val::Lit(Lit::Float(n as f64)), exponent.1)], op_span),
        }
    }

    /// One scalar operation over the union of the operands' axes.
    pub(super) fn elementwise(&mut self, op: ScalarOp, operands: &[Operand], span: Span) -> Val {
        if operands.iter().any(|(val, _)| val.is_error()) {
            return Val::Error;
        }
        match self.elementwise_parts(op, operands, span) {
            Ok(val) => val,
            Err(diagnostic) => {
                self.error(*diagnostic);
                Val::Error
            }
        }
    }

    fn elementwise_parts(&mut self, op: ScalarOp, operands: &[Operand], span: Span) -> Result<Val, Box<Diagnostic>> {
        for (val, at) in operands {
            if !matches!(val.ty(), Type::Tensor(..)) {
                return Err(Box::new(messages::not_a_number(*at, op, &val.ty())));
            }
        }
        let values = if op == ScalarOp::Where { &operands[1..] } else { operands };
        let elem = self.common_element(op, values, span)?;
        let axes = self.common_axes(op, operands, span)?;
        let mut args = Vec::with_capacity(operands.len());
        if op == ScalarOp::Where {
            let (cond, at) = &operands[0];
            if cond.elem() != Some(Elem::Bool) {
                return Err(Box::new(messages::mismatch(
                    *at,
                    "the condition of `where`",
                    &cond.ty(),
                    &Type::Tensor(Elem::Bool, axes),
                )));
            }
            args.push(self.id(cond, *at));
        }
        for (val, at) in values {
            let val = self.operand_as(val, elem, *at, op)?;
            args.push(self.id(&val, *at));
        }
        let result = match op {
            _ if op.is_comparison() => Elem::Bool,
            _ => elem,
        };
        Ok(self.emit(Op::Elem { op, args }, Type::Tensor(result, axes), span))
    }

    /// The element type in which the operands meet.
    fn common_element(&mut self, op: ScalarOp, values: &[Operand], span: Span) -> Result<Elem, Box<Diagnostic>> {
        let mut tensor: Option<&Operand> = None;
        for operand in values.iter().filter(|(val, _)| val.ty().is_tensor()) {
            match tensor {
                Some(first) if first.0.elem() != operand.0.elem() => {
                    return Err(Box::new(messages::elements_differ(span, first, operand)));
                }
                _ => tensor = tensor.or(Some(operand)),
            }
        }
        let elem = match tensor {
            Some((val, _)) => val.elem().unwrap_or(Elem::F64),
            None => common_scalar(values),
        };
        let elem = if op == ScalarOp::Div && elem == Elem::Int { Elem::F64 } else { elem };
        let fits = match op {
            ScalarOp::And | ScalarOp::Or | ScalarOp::Not => elem == Elem::Bool,
            ScalarOp::Eq | ScalarOp::Ne => true,
            ScalarOp::Where => true,
            ScalarOp::Lt | ScalarOp::Le | ScalarOp::Gt | ScalarOp::Ge => elem != Elem::Bool,
            ScalarOp::Min | ScalarOp::Max => elem != Elem::Bool,
            ScalarOp::Add
            | ScalarOp::Sub
            | ScalarOp::Mul
            | ScalarOp::Neg
            | ScalarOp::Abs
            | ScalarOp::Pow
            | ScalarOp::Sign => elem.is_float() || elem == Elem::Int,
            ScalarOp::IntDiv => elem == Elem::Int,
            ScalarOp::Rem => elem.is_float() || elem == Elem::Int,
            _ => elem.is_float(),
        };
        if fits {
            return Ok(elem);
        }
        if elem == Elem::Int {
            return Ok(Elem::F64);
        }
        let at = values.iter().find(|(val, _)| val.elem() == Some(elem)).map_or(span, |operand| operand.1);
        Err(Box::new(messages::wrong_element(at, op, elem)))
    }

    fn operand_as(&mut self, val: &Val, elem: Elem, at: Span, op: ScalarOp) -> Result<Val, Box<Diagnostic>> {
        if let Val::Lit(lit) = val {
            let made = self.literal_as(lit, elem, at);
            return made.ok_or_else(|| Box::new(messages::literal_does_not_fit(at, &val.ty(), elem)));
        }
        let from = val.elem().unwrap_or(elem);
        let scalar = val.ty().is_scalar();
        let widens = match (from, elem) {
            (a, b) if a == b => return Ok(val.clone()),
            (Elem::F64 | Elem::F32 | Elem::Int, Elem::F64 | Elem::F32) => scalar || from == Elem::Int,
            _ => false,
        };
        if widens {
            return Ok(self.cast(val, elem, at));
        }
        Err(Box::new(messages::operand_does_not_fit(at, op, from, elem)))
    }

    /// How two tensors without a common axis are joined on purpose, in the user's own words.
    fn if_meant(&self, op: ScalarOp, first: &Operand, second: &Operand) -> String {
        let (left, right) = (self.sources.slice(first.1), self.sources.slice(second.1));
        match op {
            ScalarOp::Mul => format!("if that is meant:  outer({left}, {right})"),
            _ => format!("if that is meant:  expand[{}]({left})", second.0.axes().unwrap_or_default()),
        }
    }

    /// Two tensors must share an axis; a scalar goes with everything.
    fn common_axes(&mut self, op: ScalarOp, operands: &[Operand], span: Span) -> Result<AxisSet, Box<Diagnostic>> {
        let mut all = AxisSet::empty();
        let mut first: Option<&Operand> = None;
        for operand in operands {
            let axes = operand.0.axes().unwrap_or_default();
            if let Some(first) = first
                && !axes.is_empty()
                && axes.intersect(&all).is_empty()
            {
                let help = self.if_meant(op, first, operand);
                return Err(Box::new(messages::no_common_axis(span, first, operand, help)));
            }
            if !axes.is_empty() && first.is_none() {
                first = Some(operand);
            }
            all = all.union(&axes);
        }
        if self.options.strict && operands.iter().all(|(val, _)| val.axes().is_some_and(|axes| axes.len() < all.len()))
        {
            self.warnings.push(messages::grows(span, &all));
        }
        Ok(all)
    }
}

fn common_scalar(values: &[Operand]) -> Elem {
    let mut elem: Option<Elem> = None;
    for (val, _) in values.iter().filter(|(val, _)| !val.adapts()) {
        let next = val.elem().unwrap_or(Elem::F64);
        elem = Some(match (elem, next) {
            (None, next) => next,
            (Some(Elem::F64), _) | (_, Elem::F64) => Elem::F64,
            (Some(Elem::F32), _) | (_, Elem::F32) => Elem::F32,
            (Some(known), _) => known,
        });
    }
    let floats = values.iter().any(|(val, _)| matches!(val, Val::Lit(Lit::Float(_))));
    match elem {
        Some(Elem::Int) | None if floats => Elem::F64,
        Some(elem) => elem,
        None => Elem::Int,
    }
}

/// Arithmetic on two literals, where it cannot fail.
fn fold(op: BinaryOp, left: &Val, right: &Val) -> Option<Val> {
    use BinaryOp::*;
    let lit = |lit| Some(Val::Lit(lit));
    match (left, right) {
        (Val::Lit(Lit::Int(a)), Val::Lit(Lit::Int(b))) => match op {
            Add => lit(Lit::Int(a.checked_add(*b)?)),
            Sub => lit(Lit::Int(a.checked_sub(*b)?)),
            Mul => lit(Lit::Int(a.checked_mul(*b)?)),
            Eq => lit(Lit::Bool(a == b)),
            Ne => lit(Lit::Bool(a != b)),
            Lt => lit(Lit::Bool(a < b)),
            Le => lit(Lit::Bool(a <= b)),
            Gt => lit(Lit::Bool(a > b)),
            Ge => lit(Lit::Bool(a >= b)),
            _ => None,
        },
        (Val::Lit(Lit::Float(a)), Val::Lit(Lit::Float(b))) => match op {
            Add => lit(Lit::Float(a + b)),
            Sub => lit(Lit::Float(a - b)),
            Mul => lit(Lit::Float(a * b)),
            Div if *b != 0.0 => lit(Lit::Float(a / b)),
            _ => None,
        },
        (Val::Lit(Lit::Str(a)), Val::Lit(Lit::Str(b))) => match op {
            Eq => lit(Lit::Bool(a == b)),
            Ne => lit(Lit::Bool(a != b)),
            _ => None,
        },
        (Val::Lit(Lit::Bool(a)), Val::Lit(Lit::Bool(b))) => match op {
            And => lit(Lit::Bool(*a && *b)),
            Or => lit(Lit::Bool(*a || *b)),
            Eq => lit(Lit::Bool(a == b)),
            Ne => lit(Lit::Bool(a != b)),
            _ => None,
        },
        _ => None,
    }
}
