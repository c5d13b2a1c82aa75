//! Expressions.

use super::budget::Extent;
use super::names::Meaning;
use super::obituaries::verb_of_part;
use super::value::{Closure, FnVal, Lit, Val};
use super::{Checker, messages};
use crate::base::span::Span;
use crate::ir::{Binder, Effect, LocalId, Op, Type};
use crate::syntax::ast::{self, BinaryOp, Expr, ExprKind, StrPart};
use std::rc::Rc;

/// Nesting of expressions and inlined calls above which we stop, well before the stack does.
const MAX_DEPTH: usize = 160;

impl Checker {
    pub(super) fn expr(&mut self, expr: &Expr) -> Val {
        let val = self.meaning(expr);
        self.note_type(expr.span, &val);
        val
    }

    fn meaning(&mut self, expr: &Expr) -> Val {
        let span = expr.span;
        if self.read_one(span) {
            return Val::Error;
        }
        match &expr.kind {
            ExprKind::Int(x) => Val::Lit(Lit::Int(*x)),
            ExprKind::Float(x) => Val::Lit(Lit::Float(*x)),
            ExprKind::Bool(x) => Val::Lit(Lit::Bool(*x)),
            ExprKind::Str(parts) => self.string_expr(parts, span),
            ExprKind::Name(name) => self.name_expr(name, span),
            ExprKind::Unary { op, value } => {
                let val = self.expr(value);
                self.unary(*op, (val, value.span))
            }
            ExprKind::Binary { op: op @ (BinaryOp::And | BinaryOp::Or), left, right, op_span } => {
                self.logic(*op, left, right, *op_span)
            }
            ExprKind::Binary { op, left, right, op_span } => {
                let (a, b) = (self.expr(left), self.expr(right));
                let val = self.binary(*op, (a.clone(), left.span), (b.clone(), right.span), *op_span);
                self.note_losses(&val, &[a, b], span, |_| "went here".to_string());
                val
            }
            ExprKind::Contract { left, right, axes, op_span } => self.contract(left, right, axes, *op_span),
            ExprKind::Range { .. } => {
                self.error(messages::bare_range(span));
                Val::Error
            }
            ExprKind::Call { callee, args, .. } => self.call_expr(callee, args, span),
            ExprKind::Brackets { value, parts } => {
                let val = self.expr(value);
                let made = self.brackets(val.clone(), parts, span);
                self.note_losses(&made, &[val], span, |axis| verb_of_part(parts, &axis.to_string()));
                made
            }
            ExprKind::Field { value, name } => self.field_expr(value, name),
            ExprKind::If { test, then, other } => self.if_expr(test, then, other.as_deref(), span),
            ExprKind::Match { value, arms } => self.match_expr(value, arms, span),
            ExprKind::Lambda(lambda) => self.lambda(lambda),
            ExprKind::Record(fields) => self.record_expr(fields),
            ExprKind::Comprehension { binders, body } => self.comprehension(binders, body, span),
            ExprKind::List(items) => self.list_expr(items, span),
            ExprKind::Block(block) => self.block(block),
            ExprKind::Capture(capture) => self.capture_expr(capture),
            ExprKind::With(with) => self.with_expr(with),
            ExprKind::Fit(fit) => self.fit_expr(fit, "fit"),
        }
    }

    fn name_expr(&mut self, name: &str, span: Span) -> Val {
        if name == "root" && !self.frame().vars.iter().any(|var| var.name == "root") {
            return self.root_key(span);
        }
        match self.lookup(name, span) {
            Meaning::Val(val) => val,
            Meaning::Module => {
                self.error(messages::module_as_value(span, name));
                Val::Error
            }
        }
    }

    pub(super) fn root_key(&mut self, span: Span) -> Val {
        let seed = self.experiment.as_ref().map_or(0, |(_, seed)| *seed);
        let seed = self.int(seed as i64, span);
        self.emit(Op::Builtin { name: "seed_key", axes: vec![], args: vec![seed] }, Type::Key, span)
    }

    fn field_expr(&mut self, value: &Expr, name: &ast::Ident) -> Val {
        if let ExprKind::Name(module) = &value.kind
            && !self.frame().vars.iter().any(|var| var.name == *module)
        {
            let here = self.here();
            let is_top = self.modules[here.0].top.iter().any(|var| var.name == *module);
            if let Some(&id) = self.modules[here.0].aliases.get(module).filter(|_| !is_top) {
                return self.public_member(id, name);
            }
        }
        let val = self.expr(value);
        if val.is_error() && !matches!(val, Val::Record(_)) {
            return Val::Error;
        }
        match val.field(&name.name) {
            Some(field) => field.clone(),
            None => {
                self.error(messages::unknown_field(name.span, &name.name, &val.ty()));
                Val::Error
            }
        }
    }

    /// `and`, `or` of two scalars do not evaluate the right side in vain; of tensors they are elementwise.
    fn logic(&mut self, op: BinaryOp, left: &Expr, right: &Expr, op_span: Span) -> Val {
        let first = self.expr(left);
        if matches!(first, Val::Lit(_)) || !first.ty().is_scalar() {
            let second = self.expr(right);
            return self.binary(op, (first, left.span), (second, right.span), op_span);
        }
        self.open_block();
        let second = self.expr(right);
        if !second.ty().is_scalar() || second.is_error() {
            // A tensor is not chosen: what it is made of goes where the expression stands.
            let block = self.close_block(Vec::new());
            self.append(block);
            return self.binary(op, (first, left.span), (second, right.span), op_span);
        }
        let block = self.close_block(Vec::new());
        let first = self.conform(first, &Type::BOOL, left.span, &"a condition");
        let short = Val::Lit(Lit::Bool(op == BinaryOp::Or));
        let (then, other) =
            if op == BinaryOp::And { ((block, second), just(short)) } else { (just(short), (block, second)) };
        self.join_simple(&first, then, other, right.span)
    }

    fn contract(&mut self, left: &Expr, right: &Expr, axes: &[ast::Ident], op_span: Span) -> Val {
        let (a, b) = (self.expr(left), self.expr(right));
        if a.is_error() || b.is_error() {
            return Val::Error;
        }
        let mut over = crate::ir::AxisSet::empty();
        for name in axes {
            let Some(found) = self.find_axis(&name.name) else {
                self.axis(name);
                return Val::Error;
            };
            for axis in found {
                for (val, expr) in [(&a, left), (&b, right)] {
                    if !val.axes().is_some_and(|axes| axes.contains(axis)) {
                        let diagnostic = self.missing_axis(name.span, axis, val, "the contraction needs the axis");
                        self.error(diagnostic.label(expr.span, format!("this is {}", val.ty())));
                        return Val::Error;
                    }
                }
                over.insert(axis);
            }
        }
        let val = self.contraction(&a, &b, over, left.span, right.span, op_span);
        self.note_losses(&val, &[a, b], left.span.to(right.span), |_| "was summed over here".to_string());
        val
    }

    fn contraction(&mut self, a: &Val, b: &Val, over: crate::ir::AxisSet, left: Span, right: Span, span: Span) -> Val {
        let (Type::Tensor(elem, first), Type::Tensor(other, second)) = (a.ty(), b.ty()) else { return Val::Error };
        if elem != other || !elem.is_float() {
            self.error(messages::elements_differ(span, &(a.clone(), left), &(b.clone(), right)));
            return Val::Error;
        }
        let (x, y) = (self.id(a, left), self.id(b, right));
        let ty = Type::Tensor(elem, first.union(&second).minus(&over));
        self.emit(Op::Contract { a: x, b: y, axes: over }, ty, span)
    }

    fn string_expr(&mut self, parts: &[StrPart], span: Span) -> Val {
        if let [StrPart::Text(text)] = parts {
            return Val::Lit(Lit::Str(text.clone()));
        }
        if parts.is_empty() {
            return Val::Lit(Lit::Str(String::new()));
        }
        let mut args = Vec::new();
        for part in parts {
            match part {
                StrPart::Text(text) => args.push(self.string(text, span)),
                StrPart::Hole { value, format } => {
                    let val = self.expr(value);
                    if val.is_error() {
                        return Val::Error;
                    }
                    let shown = self.shown(&val, format.as_deref().unwrap_or(""), value.span);
                    args.push(self.id(&shown, span));
                }
            }
        }
        self.emit(Op::Builtin { name: "str_join", axes: vec![], args }, Type::Str, span)
    }

    /// Any value as text.
    pub(super) fn shown(&mut self, val: &Val, format: &str, span: Span) -> Val {
        let width = format.starts_with(|c: char| c.is_ascii_digit() || c == '<' || c == '>');
        if width && val.ty().is_tensor() {
            self.error(messages::width_of_tensor(span, &val.ty()));
            return Val::Error;
        }
        match val {
            Val::Lit(Lit::Str(_)) if format.is_empty() => self.materialize(val, span),
            Val::Record(_) | Val::Local { .. } | Val::Global(..) | Val::Lit(_) => {
                let value = self.pack(val, span);
                let spec = self.string(format, span);
                self.emit(Op::Builtin { name: "format", axes: vec![], args: vec![value, spec] }, Type::Str, span)
            }
            Val::Fn(_) => Val::Lit(Lit::Str("<function>".to_string())),
            Val::Unit => Val::Lit(Lit::Str("nothing".to_string())),
            Val::Error => Val::Error,
        }
    }

    fn lambda(&mut self, lambda: &Rc<ast::Lambda>) -> Val {
        // A lambda sees the value that a variable has where it is written, and cannot assign to it. Only what
        // its text mentions is kept.
        let text = self.sources.slice(lambda.span).to_string();
        let words: std::collections::BTreeSet<&str> =
            text.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '\'')).collect();
        let frame = self.frame();
        let mentioned = frame.vars.iter().filter(|var| words.contains(var.name.as_str()));
        let vars: Vec<_> = mentioned.map(|var| super::names::Var { mutable: false, ..var.clone() }).collect();
        let extent = Extent::around(vars.iter().map(|var| &var.val));
        let closure = Closure {
            lambda: lambda.clone(),
            module: frame.module,
            vars: Rc::new(vars),
            extent,
            generics: frame.generics.clone(),
            sizes: frame.sizes.clone(),
        };
        self.of_fair_size(Val::Fn(Rc::new(FnVal::Lambda(closure))), lambda.span)
    }

    fn record_expr(&mut self, fields: &[ast::Field]) -> Val {
        let mut out: Vec<(String, Val)> = Vec::new();
        for field in fields {
            if out.iter().any(|(name, _)| *name == field.name.name) {
                self.error(messages::field_twice(field.name.span, &field.name.name));
            }
            let val = self.expr(&field.value);
            out.push((field.name.name.clone(), val));
        }
        let span = fields.first().map_or(Span::default(), |field| field.value.span);
        self.of_fair_size(Val::record(out), span)
    }

    fn list_expr(&mut self, items: &[Expr], span: Span) -> Val {
        let mut vals = Vec::new();
        for item in items {
            let val = self.expr(item);
            vals.push((val, item.span));
        }
        if vals.iter().any(|(val, _)| val.is_error()) {
            return Val::Error;
        }
        if let Some((_, at)) = vals.iter().find(|(val, _)| matches!(val, Val::Fn(_))) {
            self.error(messages::function_as_value(*at));
            return Val::Error;
        }
        // Literals take the type of the first item that has one.
        let floats = vals.iter().any(|(val, _)| matches!(val, Val::Lit(Lit::Float(_))));
        let first = vals.iter().find(|(val, _)| !val.adapts()).map(|(val, _)| val.ty());
        let ty = match first {
            Some(ty) => ty,
            None if vals.is_empty() => Type::Error,
            None if floats => Type::FLOAT,
            None => Type::INT,
        };
        let mut ids = Vec::new();
        for (val, at) in vals {
            let val = self.conform(val, &ty, at, &"every item of a list has one type");
            ids.push(self.pack(&val, at));
        }
        let made = self.emit(Op::MakeList(ids), Type::List(Box::new(ty)), span);
        self.of_fair_size(made, span)
    }

    /// A value as one local: records become record values.
    pub(super) fn pack(&mut self, val: &Val, span: Span) -> LocalId {
        match val {
            Val::Record(fields) => {
                let ids = fields.iter().map(|(_, val)| self.pack(val, span)).collect();
                let made = self.emit(Op::MakeRecord(ids), val.ty(), span);
                self.id(&made, span)
            }
            Val::Fn(_) => {
                self.error(messages::function_as_value(span));
                self.int(0, span)
            }
            other => self.id(other, span),
        }
    }

    /// The inverse of `pack`.
    pub(super) fn unpack(&mut self, val: Val, span: Span) -> Val {
        let Type::Record(fields) = val.ty() else { return val };
        let arg = self.id(&val, span);
        let mut out = Vec::new();
        for (field, (name, ty)) in fields.iter().enumerate() {
            let part = self.emit(Op::GetField { arg, field }, ty.clone(), span);
            out.push((name.clone(), self.unpack(part, span)));
        }
        Val::record(out)
    }

    fn comprehension(&mut self, binders: &[(ast::Ident, ast::Ident)], body: &Expr, span: Span) -> Val {
        let mut bound = Vec::new();
        let mut axes = crate::ir::AxisSet::empty();
        for (name, axis_name) in binders {
            let Some(axis) = self.axis(axis_name) else { return Val::Error };
            if !axes.insert(axis) {
                self.error(messages::axis_twice(axis_name.span, axis));
                return Val::Error;
            }
            let size = self.axis_size(axis, axis_name.span);
            let var = self.new_local(Type::index(axis), Some(&name.name), name.span);
            bound.push(Binder { axis, var, size });
        }
        let mark = self.frame().vars.len();
        for (binder, (name, _)) in bound.iter().zip(binders) {
            let val = self.local(binder.var, Type::index(binder.axis));
            self.bind(&name.name, val, false, name.span);
        }
        self.open_block();
        let val = self.expr(body);
        let val = self.materialize(&val, body.span);
        self.frame().vars.truncate(mark);
        if !val.ty().is_scalar() {
            if !val.is_error() {
                self.error(messages::body_not_scalar(body.span, &val.ty()));
            }
            self.close_block(Vec::new());
            return Val::Error;
        }
        let elem = val.elem().unwrap_or(crate::ir::Elem::F64);
        let id = self.id(&val, body.span);
        let body_block = self.close_block(vec![id]);
        match super::blocks::effect(&body_block, &self.module) {
            Effect::None => {}
            Effect::Checks => self.error(messages::check_inside(body.span)),
            Effect::Shows => self.error(super::blocks::shows(&body_block, body.span, "a comprehension")),
        }
        self.emit(Op::Comprehend { binders: bound, body: body_block }, Type::Tensor(elem, axes), span)
    }

    /// Refuses nesting that would exhaust the stack.
    pub(super) fn too_deep(&mut self, span: Span) -> bool {
        let deep = self.frames.len() > MAX_DEPTH;
        if deep {
            self.error(messages::too_deep(span));
        }
        deep
    }
}

/// A branch that only yields a value.
fn just(val: Val) -> (crate::ir::Block, Val) {
    (crate::ir::Block::default(), val)
}
